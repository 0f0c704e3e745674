"""lists: a full list of a city's registry, beside what a user would otherwise do with it.

One daemon takes the list five ways: all new, then unchanged, a few times, then one in a hundred changed, alone and with
single records beside it, then all changed, with single records beside it; then as a GB18030 file through the real adapter.
PostgreSQL takes the very file by COPY, an upsert of the set and an anti-join. Decoding alone stands beside iconv.
"""
import hashlib
import json
import os
import resource
import shutil
import subprocess
import threading
import time

from gateway import BUILD, DESK, PLACE
from measure import RUNS, Cost, forget_peak, peak

EVERY = 100        # one in so many rows has changed
LIVE_RATE = 100    # single records a second beside a list
LIVE_PERSONS = 20000  # at most so many of them: a change each
CACHE = 64 << 20   # store.cache
ADAPTER_SECONDS = 1800
DECODINGS = 3
LIST_NAME = "HJ_20260301_001_FULL.csv"
MAPPING = """state: '{place}/state'
agent: {{backoff_least: 20ms, status_interval: 1s, patience: 1h}}
connector: file
source: {{inbox: '{place}/inbox', name: 'HJ_{{as_of}}_{{sequence:3}}_{{kind}}.csv', control: .ctl, encoding: gb18030,
          position: date_sequence, settle: 0s, poll: 100ms, retry: 1s}}
rows: {{key: RYBH, version: file.position, event_time: {{column: BGSJ, instant: auto}}, require: [GMSFHM, XM]}}
fields:
  id_number: {{column: GMSFHM, apply: [id_number]}}
  id_type: {{constant: RESIDENT}}
  name: XM
  sex: XB
  ethnic_group: MZ
  birth_date: {{column: CSRQ, date: YYYYMMDD}}
  marital_status: HYZK
  household_number: HH
  relation_to_head: YHZGX
  address_region: SSXQ
  address_text: HJDZ
  police_station_code: PCSBM
  police_station: PCSMC
  registration_status: {{column: RYZT, codes: {{'1': NORMAL}}, empty: error}}
  moved_in_date: {{column: QRRQ, date: YYYYMMDD}}
"""


class Live:
    """Single records at a fixed rate beside what happens inside; a context manager, and then its result."""

    def __init__(self, bench, g, first, n, version):
        # They are known before, so that the measured ones are changes and not newcomers.
        known = {"server": "unix:" + g.socket, "dataset": DESK, "first": first, "persons": n}
        self.bench, self.known, self.version = bench, known, version
        if version == 2:
            bench.programs.run("load", batch=100, version=1, **known)

    def __enter__(self):
        self.process = self.bench.programs.start("load", mode="open", rate=LIVE_RATE, batch=1, streams=4,
                                                 version=self.version, seed=self.version, **self.known)
        return self

    def __exit__(self, *failure):
        self.process.terminate()
        self.result = self.bench.programs.finish("load", self.process)
        self.bench.check("every single record beside a list was applied",
                         self.result["records"] == self.result["applied"] > 0)


class Adapter:
    """eldergate-police over a folder of files, once: how long until the gateway's report, and what memory and time it took."""

    def __init__(self, g, place):
        self.place = place
        os.makedirs(os.path.join(place, "inbox"))
        self.mapping = os.path.join(place, "mapping.yaml")
        with open(self.mapping, "w", encoding="utf-8") as f:
            f.write(g.mapping_head() + MAPPING.format(place=place))

    def give(self, path):
        digest = hashlib.sha256()
        with open(path, "rb") as f:
            rows = -1  # the header
            while piece := f.read(1 << 20):
                digest.update(piece)
                rows += piece.count(b"\n")
        there = os.path.join(self.place, "inbox", LIST_NAME)
        os.link(path, there)
        with open(there + ".ctl", "w", encoding="ascii") as f:
            f.write(f"rows={rows}\nsize={os.path.getsize(path)}\nsha256={digest.hexdigest()}\n")

    def once(self):
        began, out, most, before = time.monotonic(), {}, 0, self._reaped()
        process = subprocess.Popen([os.path.join(BUILD, "eldergate-police"), "-m", self.mapping, "once"],
                                   stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, errors="replace")
        said = []

        def read():
            for line in process.stderr:
                said.append(line)
                if line.startswith("{") and (event := json.loads(line))["event"] == "agent.list_reported":
                    out.update(event, seconds=time.monotonic() - began)

        reader = threading.Thread(target=read)
        reader.start()
        while process.poll() is None and time.monotonic() - began < ADAPTER_SECONDS:
            try:
                most = max(most, peak(process.pid)["resident"])
            except (OSError, StopIteration):
                pass  # it is ending
            time.sleep(0.05)
        process.kill()
        process.wait()
        reader.join()
        process.stderr.close()
        if "seconds" not in out:
            raise RuntimeError("the adapter got no report: " + "".join(said)[-2000:])
        return {**out, "settled_s": time.monotonic() - began, "cpu_s": self._reaped() - before, "resident": most,
                "exit": process.returncode}

    @staticmethod
    def _reaped():
        """CPU-seconds of the children that have ended; no other does while the adapter runs."""
        r = resource.getrusage(resource.RUSAGE_CHILDREN)
        return r.ru_utime + r.ru_stime


class FullLists:
    def __init__(self, bench, persons, seed):
        self.bench, self.n, self.seed = bench, persons, seed
        self.place = os.path.join(PLACE, "lists")
        self.changed = -(-persons // EVERY)
        self.live = min(LIVE_PERSONS, persons)
        self.unchanged = []

    def _list(self, g, **options):
        with Cost(g.pid, PLACE) as cost:
            r = self.bench.programs.run("list", server="unix:" + g.socket, persons=self.n, seed=self.seed, **options)
        return {**r, **cost.per(self.n), "sender_cpu_s_per_million": r["cpu_s"] * 1e6 / self.n}

    def _expect(self, what, r, changed, added=0):
        self.bench.check(f"the full list, {what}: {changed} changed, {added} added, the rest as it was",
                         (r["changed"], r["added"], r["unchanged"], r["withdrawn"], r["rejected"]) ==
                         (changed, added, self.n - changed - added, 0, 0))

    def gateway(self, source):
        """Through Reconcile, and through the adapter."""
        out = {}
        with self.bench.gateway(bus=True, **{"store.cache": str(CACHE)}) as g:
            out["new"] = self._list(g, as_of=10, content=1)
            self._expect("all new", out["new"], 0, self.n)
            for number in range(RUNS):
                self.unchanged.append(self._list(g, as_of=11 + number, content=1))
                self._expect("nothing changed", self.unchanged[-1], 0)
            out["few"] = self._list(g, as_of=20, content=1, every=EVERY)
            self._expect("few changed", out["few"], self.changed)
            live = Live(self.bench, g, self.n, self.live, 2)
            with live:
                out["few_live"] = self._list(g, as_of=30, content=1, every=EVERY, step=2)
            out["live_few"] = live.result
            self._expect("few changed, single records beside it", out["few_live"], self.changed)
            live = Live(self.bench, g, self.n, self.live, 3)
            with live:
                out["all"] = self._list(g, as_of=40, content=6)
            out["live_all"] = live.result
            self._expect("all changed, single records beside it", out["all"], self.n)
            out["peak"] = self._peak(g)
            forget_peak(g.pid)
            adapter = Adapter(g, os.path.join(self.place, "adapter"))
            adapter.give(source)
            with Cost(g.pid, PLACE) as cost:
                r = adapter.once()
            self._expect("from a file", r, self.changed)
            self.bench.check("the adapter ended well", r["exit"] == 0)
            out["file"] = {"rate": self.n / r["seconds"], "seconds": r["seconds"], "settled_s": r["settled_s"],
                           "resident": r["resident"], "daemon": self._peak(g), **cost.per(self.n),
                           "adapter_cpu_s_per_million": r["cpu_s"] * 1e6 / self.n}
        return out

    def _peak(self, g):
        resident = peak(g.pid)["resident"]
        return {"resident": resident, "beside_cache": resident - CACHE}

    def decoding(self, path):
        """The adapters' decoding, and what anybody has: best of a few, in turn."""
        runs, others = [], []
        for _ in range(DECODINGS):
            r = self.bench.programs.run("csv", file=path)
            self.bench.check("every row was decoded", (r["rows"], r["faults"]) == (self.n, 0))
            runs.append(r["rate"])
            began = time.monotonic()
            lines = subprocess.run(f"iconv -f GB18030 -t UTF-8 '{path}' | wc -l", shell=True, check=True,
                                   stdout=subprocess.PIPE, text=True).stdout
            others.append(self.n / (time.monotonic() - began))
            self.bench.check("iconv and wc saw every row", int(lines) == self.n + 1)
        return {"rate": max(runs), "iconv_rate": max(others)}

    def postgres(self, cluster, first, few, every):
        """What a user would otherwise do. Every list comes as its file; one record a transaction beside them."""
        out = self.bench.postgres(self.seed, ["record"])
        cluster.lists_begin()
        for name, path, changed in (("new", first, 0), ("few", few, self.changed), ("all", every, self.n)):
            with Cost(cluster.pid, PLACE) as cost:
                r = cluster.list(path)
            self.bench.check(f"PostgreSQL's list, {name}, changed {r['changed']} of {changed}",
                             r["changed"] == (self.n if name == "new" else changed) and r["withdrawn"] == 0)
            out[name] = {**r, "rate": self.n / r["seconds"], "copy_rate": self.n / r["copy_s"], **cost.per(self.n)}
        return out

    def _file(self, name, **content):
        utf8, path = os.path.join(self.place, "utf-8.csv"), os.path.join(self.place, name)
        self.bench.programs.run("rows", file=utf8, persons=self.n, seed=self.seed, **content)
        with open(path, "wb") as f:
            subprocess.run(["iconv", "-f", "UTF-8", "-t", "GB18030", utf8], stdout=f, check=True)
        os.unlink(utf8)
        return path

    def run(self, cluster):
        """A tree for each run; what is measured once stands in the first."""
        shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(self.place)
        try:
            # Of the file for the adapter one in a hundred differs from what the gateway was told last.
            source = self._file("changed.csv", content=6, every=EVERY)
            out = {"rows": self.n, "file_bytes": os.path.getsize(source), "decoding": self.decoding(source)}
            out.update(self.gateway(source))
            if cluster:
                out["postgres"] = self.postgres(cluster, self._file("first.csv", content=6), source,
                                                self._file("all.csv", content=9))
        finally:
            shutil.rmtree(self.place, ignore_errors=True)
        out["none"], *others = self.unchanged
        return [out] + [{"none": r} for r in others]
