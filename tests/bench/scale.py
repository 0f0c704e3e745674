"""scale: what grows with the number of persons: one store of a city, then of a province.

At --scale-persons: changed records beside the same rows in the store alone and a sample of PostgreSQL, a subscriber that
begins with a snapshot, single records with and without a hundred live subscribers, each in a few runs; memory. At
--large-persons: changed records once more and `log verify`, in a few runs; start, recovery after kill -9.
"""
import os
import shutil
import subprocess
import time

from gateway import BUILD
from measure import RUNS, forget_peak, peak, resident

CACHE = 64 << 20     # store.cache
SLICE = 500000       # persons that one run of the sender holds encoded
SAMPLE = 100000      # changed records of one run
SAMPLE_SECONDS = 10  # PostgreSQL's share of a run ends here
SUBSCRIBERS = 100


class Scale:
    def __init__(self, bench, persons, large, seed):
        self.bench, self.n, self.large, self.seed = bench, persons, large, seed
        self.sample = min(SAMPLE, persons)
        self.version = 1
        self.runs = [{"city": {}, "province": {}} for _ in range(RUNS)]  # what is measured once stands in the first

    def _fill(self, g, first, end):
        seconds = 0.0
        for at in range(first, end, SLICE):
            n = min(SLICE, end - at)
            r = self.bench.load(g, persons=n, first=at, batch=256, version=1, seed=self.seed)
            self.bench.check(f"persons {at} to {at + n} are new", r["applied"] == n)
            seconds += r["seconds"]
        return {"rate": (end - first) / seconds, "last_seq": r["last_seq"]}

    def _changed(self, g, number):
        """Persons in the order of their numbers are anywhere in the store: their tokens are. Each run has others, if it can."""
        self.version += 1
        first = number * self.sample if (number + 1) * self.sample <= self.n else 0
        r = self.bench.load(g, persons=self.sample, first=first, batch=256, version=self.version, seed=self.seed)
        self.bench.check(f"all {self.sample} changed", r["applied"] == self.sample)
        return r

    def _postgres_fill(self):
        r = self.bench.postgres_run("batch", self.n, fresh=1, version=1, seed=self.seed)
        self.bench.check(f"PostgreSQL has {self.n} persons", r["changed"] == self.n)

    def _postgres_sample(self, number):
        r = self.bench.postgres_run("record", self.n, changes=self.sample, seconds=SAMPLE_SECONDS, version=2 + number,
                                    seed=self.seed + number)
        self.bench.check("PostgreSQL changed every record of the sample", r["changed"] == r["records"] > 0)
        return r

    def _single(self, g):
        self.version += 1
        out = self.bench.open_loop(g, self.bench.o.rate, self.bench.o.seconds, self.version)
        out["sender_cpu_s_per_million"] = out["cpu_s"] * 1e6 / out["records"]
        return out

    def _watched(self, g, subscribers, **how):
        """Single records, and when the subscribers have them. Everybody is on this machine: what the readers take of it is told."""
        n = max(1, self.bench.o.rate * self.bench.o.seconds)
        watching = self.bench.programs.start("feed", server="unix:" + g.socket, mode="live", streams=subscribers, count=n,
                                            **how)
        try:
            out = self._single(g)
        except BaseException:
            watching.kill()
            watching.communicate()
            raise
        out["feed"] = self.bench.programs.finish("feed", watching)
        out["feed"]["cpu_s_per_million"] = out["feed"]["cpu_s"] * 1e6 / n
        self.bench.check(f"{subscribers} subscribers heard every change", out["feed"]["changes"] == n * subscribers)
        return out

    def _peak(self, g):
        most = peak(g.pid)["resident"]
        return {"resident": most, "beside_cache": max(0, most - CACHE)}

    def city(self, g):
        out = self.runs[0]["city"]
        out["new"] = self._fill(g, 0, self.n)
        forget_peak(g.pid)
        for number, run in enumerate(self.runs):
            run["city"]["changed"] = self._changed(g, number)
            if self.bench.cluster:
                run["city"]["postgres"] = self._postgres_sample(number)
        rows = self.bench.rows(g.database, out["new"]["last_seq"], out["changed"]["last_seq"], self.sample)
        out["memory"] = self._peak(g)
        for run in self.runs:
            run["city"]["snapshot"] = self.bench.programs.run("feed", server="unix:" + g.socket, mode="snapshot")
            self.bench.check("the snapshot has every person", run["city"]["snapshot"]["persons"] == self.n)
        # What is compared takes turns to be first: the store grows, and the machine may slow down.
        beside = [("alone", 0), ("one", 1), ("many", SUBSCRIBERS)]
        for run in self.runs:
            for name, subscribers in beside:
                run["city"][name] = self._watched(g, subscribers) if subscribers else self._single(g)
            beside.append(beside.pop(0))
        out["apart"] = self._watched(g, SUBSCRIBERS, own_filters=1)
        out["memory_all"] = self._peak(g)
        return rows

    def province(self, g):
        out = self.runs[0]["province"]
        out["new"] = self._fill(g, self.n, self.large)
        for number, run in enumerate(self.runs):
            run["province"]["changed"] = self._changed(g, number)
        out["resident"] = resident(g.pid)
        g.kill()
        out["recovery_s"] = g.begin()
        self.bench.check("the daemon ended well", g.stop())
        out["start_s"] = g.begin()
        self.bench.check("the daemon ended well", g.stop())
        for run in self.runs:
            run["province"]["verify"] = self.verify(g)
        g.begin()  # it ends as every other

    def verify(self, g):
        began = time.monotonic()
        done = subprocess.run([os.path.join(BUILD, "eldergate"), "log", "verify", "--data", g.settings["data"]],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        seconds = time.monotonic() - began
        self.bench.check("log verify found it good: " + done.stdout[-500:], done.returncode == 0)
        entries = self.bench.count(g.database, "log")
        return {"seconds": seconds, "entries": entries, "rate": entries / seconds}

    def run(self):
        """A tree for each run."""
        if self.bench.cluster:
            self._postgres_fill()
        with self.bench.gateway(**{"store.cache": str(CACHE)}) as g:
            rows = self.city(g)
            if self.large > self.n:
                self.province(g)
        shutil.rmtree(g.place, ignore_errors=True)
        store = self.bench.store(rows, self.seed, rows["log_rows"], self.n, self.sample, RUNS)
        for run, rate in zip(self.runs, store["rates"]):
            run["city"]["store"] = {**store, "rate": rate}
        return self.runs
