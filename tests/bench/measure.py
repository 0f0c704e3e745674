"""measure: runs the bench programs, and reads what processes cost from /proc."""
import json
import os
import platform
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
SECTOR = 512
RUNS = 3  # of a judged figure whose run is too long for every round
PROGRAM_SECONDS = 600  # only a broken run takes so long


class Skipped(Exception):
    """This figure cannot be had here; the text says why."""


class Programs:
    """The C programs of this folder, as they were built into one folder."""

    def __init__(self, build):
        self.folder = os.path.join(build, "tests", "bench")

    def arguments(self, name, options):
        path = os.path.join(self.folder, "bench_" + name)
        if not os.path.exists(path):
            raise Skipped(f"bench_{name} was not built: its library is missing")
        return [path] + [str(x) for key, value in options.items() for x in ("--" + key.replace("_", "-"), value)]

    def run(self, name, **options):
        """The program's last line of JSON."""
        done = subprocess.run(self.arguments(name, options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=PROGRAM_SECONDS)
        return self._result(name, done.returncode, done.stdout, done.stderr)

    def start(self, name, **options):
        """A program that says when it is ready; finish() gives its figure."""
        process = subprocess.Popen(self.arguments(name, options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        line = process.stdout.readline()
        if not line.startswith('{"ready"'):
            out, err = process.communicate(timeout=PROGRAM_SECONDS)
            self._result(name, process.returncode or 1, line + out, err)
        return process

    def finish(self, name, process):
        out, err = process.communicate(timeout=PROGRAM_SECONDS)
        return self._result(name, process.returncode, out, err)

    @staticmethod
    def _result(name, code, out, err):
        if code == 77:
            raise Skipped(err.strip().removeprefix("SKIPPED: "))
        if code:
            raise RuntimeError(f"bench_{name} failed ({code}): {err.strip()[-2000:]}")
        return json.loads(out.strip().splitlines()[-1])


def _stat(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def _file_bytes(pid):
    """What the process has written to files, its reaped children too; None where we may not look.

    Not write_bytes: that counts each folio which a write touches as a whole, and those grow to megabytes."""
    try:
        with open(f"/proc/{pid}/io", encoding="ascii") as f:
            return int(dict(line.split(": ") for line in f)["wchar"])
    except (OSError, KeyError):
        return None


def disk_bytes(place):
    """What the disk under a folder has written for anyone, once all that is cached has gone there."""
    os.sync()
    device = os.stat(place).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat", encoding="ascii") as f:
            return int(f.read().split()[6]) * SECTOR
    except OSError:
        return None


def _sum(values):
    values = list(values)
    return None if None in values else sum(values)


def usage(pid):
    """What a process, its children and those it has reaped have used so far."""
    cpu, files = 0, []
    for each in [pid] + children(pid):
        try:
            fields = _stat(each)
        except OSError:
            continue  # it ended meanwhile: its parent has its time
        cpu += sum(int(x) for x in fields[11:15 if each == pid else 13]) / TICKS
        files.append(_file_bytes(each))
    return {"cpu_s": cpu, "file_bytes": _sum(files)}


def children(pid):
    out = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if int(_stat(name)[1]) == pid:
                    out.append(int(name))
            except OSError:
                pass
    return out


def resident(pid):
    """Resident memory in bytes, and how much of it is the process's own."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as f:
        _, all_pages, shared = f.read().split()[:3]
    return {"resident": int(all_pages) * PAGE, "private": (int(all_pages) - int(shared)) * PAGE}


def peak(pid):
    """The most memory that was ever resident, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return {"resident": next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) * 1024}


def forget_peak(pid):
    """peak() counts anew from here on."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")


class Cost:
    """with Cost(pid, place) as c: ... ; then c.per(n) tells what each of n records has cost.

    beside: further processes that take part, by name; of them CPU-seconds alone are told. Without a place nothing is told of
    the disk, and nothing waits for it."""

    def __init__(self, pid, place=None, **beside):
        self.pid, self.place, self.beside = pid, place, beside

    def _now(self):
        others = {name + "_cpu_s": usage(pid)["cpu_s"] for name, pid in self.beside.items()}
        return {**usage(self.pid), **others, "disk_bytes": disk_bytes(self.place) if self.place else None}

    def __enter__(self):
        self.before = self._now()
        return self

    def __exit__(self, *_):
        after = self._now()
        self.spent = {k: None if None in (v, self.before[k]) else v - self.before[k] for k, v in after.items()}

    def per(self, records):
        each = lambda name: None if self.spent[name] is None else self.spent[name] / records
        return {**{name + "_per_million": spent * 1e6 / records for name, spent in self.spent.items() if name.endswith("cpu_s")},
                "file_bytes_per_record": each("file_bytes"), "disk_bytes_per_record": each("disk_bytes")}


def _first_line(*command):
    try:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT).stdout
    except OSError:
        return "not here"
    return (out.strip().splitlines() or ["not here"])[0]


def _cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = [line.partition(":")[2].strip() for line in f if line.startswith("model name")]
    return f"{os.cpu_count()} × {names[0] if names else platform.machine()}"


def _disk(place):
    """The device and file system under a folder."""
    best = ("", "?", "?")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            device, mount, kind = line.split()[:3]
            inside = place == mount or place.startswith(mount.rstrip("/") + "/")
            if inside and len(mount) >= len(best[0]):
                best = (mount, device, kind)
    return f"{best[1]} ({best[2]})"


def versions(place, postgres):
    library = lambda name: _first_line("pkg-config", "--modversion", name)
    package = _first_line("dpkg-query", "-W", "-f", "${Version}", "libgrpc29")
    return {
        "gateway": _first_line("git", "describe", "--always", "--dirty", "--tags"),
        "gcc": _first_line("gcc", "--version"),
        "sqlite": library("sqlite3"),
        "grpc": f"core {library('grpc')}, package {package}",
        "librdkafka": library("rdkafka"),
        "postgres": postgres,
        "kernel": f"{platform.system()} {platform.release()}",
        "cpu": _cpu(),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * PAGE / 2**30:.1f} GiB",
        "disk": _disk(place),
        "python": sys.version.split()[0],
    }
