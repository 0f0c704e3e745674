"""planted: personal values that are easy to find again, and the search for them in any file, byte by byte.

A value is looked for in every form in which software leaves it lying about: as it is in several character sets, as hex,
base64, percent and JSON escapes, as a binary number, packed digits, or a hash without a key (which for a number of 18
digits is as good as clear).
"""
import base64
import hashlib
import os
import random
import sys
import urllib.parse

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
SHORTEST = 7  # bytes of a form that is looked for
RARE = "翯翛鋆昶喆祎婳赟懿琬璟翀曦皓骞韡彧烨芃晅"  # so that a hit is no accident


class Plants:
    """Generates values and remembers them all."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.values = {}  # value -> what it is

    def _keep(self, kind, value):
        self.values[value] = kind
        return value

    def id_number(self, region="330302"):
        body = f"{region}19{self.rng.randint(30, 60)}{self.rng.randint(1, 12):02d}{self.rng.randint(1, 28):02d}" \
               f"{self.rng.randint(0, 499) * 2 + 1:03d}"
        return self._keep("ID number",
                          body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS)) % 11])

    def old_number(self):
        """The form with 15 digits."""
        return self._keep("ID number of 15 digits", f"530112{self.rng.randint(30, 60)}0{self.rng.randint(1, 9)}"
                                                    f"1{self.rng.randint(0, 9)}{self.rng.randint(100, 899)}")

    def name(self):
        return self._keep("name", "欧阳" + "".join(self.rng.sample(RARE, 2)))

    def phone(self):
        return self._keep("phone", f"1{self.rng.randint(3, 9)}{self.rng.randint(10 ** 8, 10 ** 9 - 1)}")

    def address(self):
        return self._keep("address", "".join(self.rng.sample(RARE, 4)) + f"巷{self.rng.randint(1000, 9999)}号")

    def text(self, kind):
        return self._keep(kind, "".join(self.rng.choice("BCDFGHJKLMNPQRSTVWXZ") for _ in range(14)))

    def birth(self, id_number):
        return int(id_number[6:10]), int(id_number[10:12]), int(id_number[12:14])


def _base64_cores(data):
    """What base64 makes of the bytes wherever they stand in a longer text, without the ends that neighbours change."""
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data).rstrip(b"=")
        yield text[-(-shift * 8 // 6):len(text) - 1]


def forms(value):
    """{name of the form: bytes}; shorter forms would be found by accident and are left out."""
    utf8 = value.encode()
    out = {"utf-8": utf8, "utf-16le": value.encode("utf-16-le"), "utf-16be": value.encode("utf-16-be"),
           "gb18030": value.encode("gb18030"), "percent": urllib.parse.quote(value, safe="").encode(),
           "json": value.encode("ascii", "backslashreplace")}
    for name in ("utf-8", "utf-16le", "gb18030"):
        out["hex of " + name] = out[name].hex().encode()
        out["HEX of " + name] = out[name].hex().upper().encode()
        for i, core in enumerate(_base64_cores(out[name])):
            out[f"base64 of {name} at {i}"] = core
            out[f"base64url of {name} at {i}"] = core.translate(bytes.maketrans(b"+/", b"-_"))
    out["reversed"] = utf8[::-1]
    if value.isdigit() and len(value) >= 11:
        n = int(value)
        out["integer"], out["integer, little end first"] = n.to_bytes(8, "big"), n.to_bytes(8, "little")
        if len(value) % 2 == 0:
            out["packed digits"] = bytes.fromhex(value)
    for algorithm in ("md5", "sha1", "sha256", "sm3"):
        h = hashlib.new(algorithm, utf8)
        out[algorithm] = h.digest()
        out["hex of " + algorithm] = h.hexdigest().encode()
    return {name: data for name, data in out.items() if len(data) >= SHORTEST}


class Search:
    """Looks for every form of every value. Thousands of needles are not looked for one by one: any of seven bytes or more
    holds a word of four that stands at a multiple of four in the data, so common words tell which needles to try."""

    def __init__(self, values):
        self.needles, self.by_word = {}, {}
        for value, kind in values.items():
            for form, data in forms(value).items():
                self.needles.setdefault(data, f"{kind} as {form}")
        for needle in self.needles:
            for at in range(4):
                self.by_word.setdefault(needle[at:at + 4], []).append(needle)

    def data(self, data):
        """What is found, as texts without the value itself."""
        padded = data + b"\0" * (-len(data) % 4)
        words = {w.to_bytes(4, sys.byteorder) for w in set(memoryview(padded).cast("I"))}
        return sorted({self.needles[needle] for word in words & self.by_word.keys() for needle in self.by_word[word]
                       if needle in data})

    def folder(self, path):
        """{file: what is found} and the bytes read, over every regular file below."""
        found, read = {}, 0
        for place, _, names in os.walk(path):
            for name in names:
                full = os.path.join(place, name)
                if not os.path.isfile(full) or os.path.islink(full):
                    continue
                with open(full, "rb") as f:
                    data = f.read()
                read += len(data)
                hits = self.data(data)
                if hits:
                    found[os.path.relpath(full, path)] = hits
        return found, read
