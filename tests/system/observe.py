"""observe: what the tests look at from outside a gateway: its metrics, its memory, its write-ahead log, its ports.

The reader of the Prometheus text format is strict: it takes what the format's page (version 0.0.4) allows, nothing else.
"""
import contextlib
import math
import os
import random
import re
import socket
import subprocess
import threading
import unittest
import urllib.request

import harness

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


def free_port():
    """A port of the loopback address that was free a moment ago, and that the kernel gives to nobody who does not ask for it.

    Of those that it gives away, one can be another program's by the time that a daemon comes, or comes back, to it."""
    for port in random.sample(range(10000, 28000), 100):
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def fetch(port, path="/metrics"):
    """(content type, body) of a GET."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as r:
        return r.headers["Content-Type"], r.read().decode()


class Wrong(AssertionError):
    """Text that is not of the format."""


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.help = name, kind, None
        self.samples = {}  # (sample name, ((label, value), ...)) -> number


def _unescape(text, quotes):
    out, rest = "", iter(text)
    for c in rest:
        if c == "\\":
            c = next(rest, "")
            if c not in ("\\", "n") + (('"',) if quotes else ()):
                raise Wrong(f"an unknown escape: \\{c}")
            c = "\n" if c == "n" else c
        out += c
    return out


def _number(text):
    if text in ("+Inf", "-Inf", "NaN"):
        return float(text.replace("Inf", "inf"))
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        raise Wrong(f"not a number: {text!r}")
    return float(text)


def _sample(line):
    m = re.fullmatch(r"([^\s{]+)(?:\{(.*)\})? (\S+)(?: (-?\d+))?", line)
    if not m or not NAME.match(m.group(1)):
        raise Wrong(f"not a sample: {line!r}")
    labels, rest = [], m.group(2) or ""
    while rest:
        pair = re.match(r'([^=]+)="((?:[^"\\\n]|\\.)*)"(?:,|\Z)', rest)
        if not pair or not LABEL.match(pair.group(1)) or pair.group(1).startswith("__"):
            raise Wrong(f"not a label: {line!r}")
        labels.append((pair.group(1), _unescape(pair.group(2), True)))
        rest = rest[pair.end():]
    if len({name for name, _ in labels}) != len(labels):
        raise Wrong(f"a label stands twice: {line!r}")
    return m.group(1), tuple(sorted(labels)), _number(m.group(3))


def parse(text):
    """{family name: Family}, or Wrong."""
    if not text.endswith("\n"):
        raise Wrong("the last line does not end")
    families, at = {}, None
    for line in text[:-1].split("\n"):
        if line.startswith(("# HELP ", "# TYPE ")):
            what, (name, _, rest) = line[2:6], line[7:].partition(" ")
            if not NAME.match(name):
                raise Wrong(f"not a name: {name!r}")
            if what == "HELP":
                if name in families:
                    raise Wrong(f"{name} stands twice")
                at = families[name] = Family(name, None)
                at.help = _unescape(rest, False)
                continue
            if rest not in TYPES or not at or at.name != name or at.kind or at.samples:
                raise Wrong(f"a TYPE that does not follow its HELP: {line!r}")
            at.kind = rest
        elif line.startswith("#") or not line.strip():
            continue
        else:
            name, labels, value = _sample(line)
            if not at or not at.kind or name not in _names(at):
                raise Wrong(f"a sample outside its family: {line!r}")
            if (name, labels) in at.samples:
                raise Wrong(f"a sample stands twice: {line!r}")
            at.samples[name, labels] = value
    for family in families.values():
        _check(family)
    return families


def _names(family):
    if family.kind == "histogram":
        return [family.name + s for s in ("_bucket", "_sum", "_count")]
    return [family.name]


def _check(family):
    if not family.kind or not family.help:
        raise Wrong(f"{family.name} has no TYPE or no HELP")
    if family.kind == "counter" and (not family.name.endswith("_total") or min(family.samples.values(), default=0) < 0):
        raise Wrong(f"{family.name} is a counter without _total, or below zero")
    if family.kind != "histogram":
        return
    series = {}
    for (name, labels), value in family.samples.items():
        bound = dict(labels).get("le")
        rest = tuple(p for p in labels if p[0] != "le")
        if (bound is None) == name.endswith("_bucket"):
            raise Wrong(f"{name} has le where it must not, or lacks it")
        s = series.setdefault(rest, {"buckets": []})
        if bound is None:
            s[name[len(family.name):]] = value
        else:
            s["buckets"].append((_number(bound), value))
    for s in series.values():
        bounds, counts = [b for b, _ in s["buckets"]], [c for _, c in s["buckets"]]
        if bounds != sorted(set(bounds)) or not bounds or bounds[-1] != math.inf:
            raise Wrong(f"{family.name}: the buckets do not ascend to +Inf")
        if counts != sorted(counts) or counts[-1] != s.get("_count") or "_sum" not in s:
            raise Wrong(f"{family.name}: the buckets are not cumulative up to _count")


# ---- what `promtool check metrics` says beyond the format: the naming rules of Prometheus's own linter ----

BASE_UNITS = ("amperes", "bytes", "celsius", "grams", "joules", "kelvin", "meters", "metres", "moles", "seconds", "volts")
OTHER_UNITS = {"minutes": "seconds", "hours": "seconds", "days": "seconds", "weeks": "seconds", "kelvins": "kelvin",
               "fahrenheit": "celsius", "rankine": "celsius", "inches": "meters", "yards": "meters", "miles": "meters",
               "bits": "bytes", "calories": "joules", "pounds": "grams", "ounces": "grams"}
PREFIXES = ("pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega", "mibi", "giga",
            "gibi", "tera", "tebi", "peta", "pebi")
ABBREVIATIONS = ("s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d")
CAMEL = re.compile(r"[a-z][A-Z]")


def _unit_faults(name):
    for part in name.split("_"):
        base = OTHER_UNITS.get(part) or next((u for u in BASE_UNITS for p in PREFIXES if part == p + u), None)
        if base:
            yield f"{name}: use the base unit {base} instead of {part}"
        if part in ABBREVIATIONS:
            yield f"{name}: {part} is an abbreviation of a unit"


def lint(text):
    """What is wrong with the names of well-formed metrics, as a list of complaints."""
    faults = []
    helps = {}
    for family in parse(text).values():
        name, kind = family.name, family.kind
        faults += _unit_faults(name)
        if kind == "untyped":
            faults.append(f"{name}: it has no type")
        if kind != "counter" and name.endswith("_total"):
            faults.append(f"{name}: only counters end in _total")
        for suffix in ("_bucket", "_count", "_sum"):
            if name.endswith(suffix) and kind != "histogram":
                faults.append(f"{name}: {suffix} is reserved for histograms and summaries")
        for other in ("counter", "gauge", "histogram", "summary"):
            if re.search(f"_{other}(_|$)", name.lower()):
                faults.append(f"{name}: the type does not belong into the name")
        if ":" in name:
            faults.append(f"{name}: colons are for recording rules")
        for labels in {tuple(n for n, _ in labels) for _, labels in family.samples}:
            for label in labels:
                if label == "quantile" or (label == "le" and kind != "histogram"):
                    faults.append(f"{name}: the label {label} is reserved")
                if CAMEL.search(label):
                    faults.append(f"{name}: the label {label} is not in snake_case")
        if CAMEL.search(name):
            faults.append(f"{name}: it is not in snake_case")
        if helps.setdefault(family.help, name) != name:
            faults.append(f"{name}: it has the help of {helps[family.help]}")
    return faults


def metric(port, name, **labels):
    """One sample's value now; 0 when it is not there yet."""
    family = parse(fetch(port)[1])[name]
    return family.samples.get((name, tuple(sorted(labels.items()))), 0)


def resident(pid):
    """Bytes of memory a process holds, shared pages of files not counted."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        fields = dict(line.split(":", 1) for line in f)
    return int(fields["RssAnon"].split()[0]) * 1024


def assert_grown_less(test, grown, most):
    """Memory has grown by less. With the address sanitizer this is not judged: freed memory stays in its quarantine."""
    if not harness.is_sanitized():
        test.assertLess(grown, most)


def size(path):
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


@contextlib.contextmanager
def small_disk(place, size):
    """A file system of its own at the folder, of so many bytes. Needs root; a test without it is skipped."""
    os.makedirs(place, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", place], capture_output=True,
                          text=True)
    if done.returncode:
        raise unittest.SkipTest("no file system of its own can be mounted here: " + done.stderr.strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@contextlib.contextmanager
def read_only(place):
    """A folder in which nothing can be written for a while, not by root either."""
    if os.getuid():
        os.chmod(place, 0o500)
        yield
        os.chmod(place, 0o700)
        return
    done = subprocess.run(["mount", "--bind", place, place], capture_output=True, text=True)
    if done.returncode:
        raise unittest.SkipTest("nothing can be mounted here: " + done.stderr.strip())
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield
    finally:
        subprocess.run(["umount", place], check=True)


class Watch:
    """Looks at some values every 20 ms; `most` keeps the largest of each, `first` what each was at the beginning."""

    def __init__(self, **looks):
        self.looks, self.most, self.first = looks, {}, {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _look(self):
        for name, look in self.looks.items():
            value = look()
            self.first.setdefault(name, value)
            self.most[name] = max(value, self.most.get(name, value))

    def _run(self):
        while not self._stop.wait(0.02):
            self._look()

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
