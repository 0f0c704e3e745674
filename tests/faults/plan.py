"""plan: tells planted.so, through a file that both map, which call is to fail, and reads what did."""
import mmap
import os
import re
import struct
import subprocess
import tempfile

from harness import BUILD

PROGRAM = os.path.join(BUILD, "eldergated")

# The same order as enum kind of planted.h.
KINDS = ("memory", "sqlite-memory", "store", "file", "sqlite-file", "sync", "space", "descriptor", "thread")
FRAMES = 12
HITS, CLOCK, FROM, TO, WHERE = (8 * (len(KINDS) + i) for i in range(5))
CALL = WHERE + 8 * FRAMES
SIZE = CALL + 32
EVER = 1 << 62


def library(name):
    """The path of one of the daemon's libraries, as the loader finds it."""
    told = subprocess.run(["ldd", PROGRAM], text=True, stdout=subprocess.PIPE, check=True).stdout
    return re.search(rf"^\s*{re.escape(name)} => (\S+)", told, re.M)[1]


class Plan:
    def __init__(self):
        self.place = tempfile.TemporaryDirectory(prefix="eldergate-plan-")
        self.path = os.path.join(self.place.name, "plan")
        with open(self.path, "w+b") as f:
            f.truncate(SIZE)
            self.map = mmap.mmap(f.fileno(), SIZE)
        # LeakSanitizer knows the loader's own allocations, such as those of threads, by who called malloc; behind
        # planted.so it does not. The daemon's leaks count.
        with open(os.path.join(self.place.name, "lsan"), "w", encoding="ascii") as f:
            f.write("leak:ld-linux\n")
        planted = os.path.join(BUILD, "tests/faults/planted.so")
        self.env = {"EG_PLANT": self.path, "LD_PRELOAD": planted,
                    "ASAN_OPTIONS": "verify_asan_link_order=0:abort_on_error=1:" + os.environ.get("ASAN_OPTIONS", ""),
                    "LSAN_OPTIONS": f"suppressions={self.place.name}/lsan:print_suppressions=0"}

    def close(self):
        self.map.close()
        self.place.cleanup()

    def _get(self, at):
        return struct.unpack_from("<q", self.map, at)[0]

    def _put(self, at, value):
        struct.pack_into("<q", self.map, at, value)

    def arm(self, kind, nth, below=None):
        """The nth call of this kind fails from now on, of those made below a function of the daemon if one is named."""
        at, size = self.function(below) if below else (0, 0)
        self._put(HITS, 0)
        self._put(FROM, at)
        self._put(TO, at + size)
        self._put(8 * KINDS.index(kind), nth)

    @staticmethod
    def function(name):
        """(offset in the program, size)"""
        table = subprocess.run(["nm", "-S", PROGRAM], text=True, stdout=subprocess.PIPE, check=True).stdout
        found = [line.split() for line in table.splitlines() if line.endswith(" " + name)]
        if len(found) != 1:
            raise AssertionError(f"{len(found)} functions of the daemon are {name}")
        return int(found[0][0], 16), int(found[0][1], 16)

    def disarm(self):
        for k in range(len(KINDS)):
            self._put(8 * k, 0)

    @property
    def hit(self):
        return self._get(HITS) > 0

    def count(self, doing):
        """How many calls of each kind are made meanwhile."""
        for kind in KINDS:
            self.arm(kind, EVER)
        doing()
        calls = {kind: EVER - self._get(8 * k) for k, kind in enumerate(KINDS)}
        self.disarm()
        return calls

    def shift_clock(self, seconds):
        self._put(CLOCK, seconds * 1_000_000)

    def where(self):
        """The call that failed and who made it, innermost first."""
        call = self.map[CALL:CALL + 32].split(b"\0")[0].decode()
        out = []
        for w in struct.unpack_from(f"<{FRAMES}Q", self.map, WHERE):
            if w & 1:
                out.append("SQLite")
            elif w:
                names = subprocess.run(["addr2line", "-fsie", PROGRAM, hex((w >> 1) - 1)], text=True,
                                       stdout=subprocess.PIPE, check=False).stdout.split("\n")
                out += [f"{f}@{at}" for f, at in zip(names[0::2], names[1::2])]
        return f"{call} < " + " < ".join(out)
