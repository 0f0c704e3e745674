#!/usr/bin/python3
"""adapters: the template adapter and the daemon are killed in turn at named points, judged by the checker.

At the end every row has its verdict, took effect once, and every change came to the agency, each person's in order.
Needs a fault build: B names its folder. EG_SEED repeats a run."""
import argparse
import os
import random
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import harness
import adapters
import bus

import checker

AGENT = ["agent.row_pulled", "agent.sent", "agent.receipt", "agent.settled", "agent.saved", "agent.delivered",
         "agent.cursor_saved", "checkpoint.torn", "checkpoint.written", "checkpoint.synced", "checkpoint.renamed"]
DAEMON = ["store.before_commit", "store.after_commit", "writer.before_commit", "writer.after_commit_before_receipt"]
ROWS = 60  # of a cycle: enough passages for each point


class Run:
    def __init__(self):
        self.seed = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"seed {self.seed} (EG_SEED={self.seed} repeats this run)", flush=True)
        self.rng = random.Random(self.seed)
        self.gateway = bus.Gateway({"writer.checkpoint": "50ms", "store.wal_pages": 256})
        self.key = self.gateway.adapter("registry", {"household": "registration"},
                                        grants={"sync": ["registration.name"]})
        self.passed = self.failed = 0

    def tell(self, ok, text):
        self.passed += ok
        self.failed += not ok
        if not ok:
            print(f"FAILED {text}", flush=True)

    def add(self):
        known = len(self.adapter.rows)
        self.adapter.append([adapters.Row(self.rng, known + i) for i in range(ROWS)])

    def cycle(self, number, point):
        nth = self.rng.randint(1, 4)
        env = {"ELDERGATE_KILL": f"{point}:{nth}"}
        self.add()
        if point in AGENT:
            self.adapter.start(env=env)
            status = self.adapter.wait()
        else:
            self.gateway.stop()
            self.gateway.start(env=env)
            self.adapter.start()
            status = self.gateway.process.wait(harness.PATIENCE)
            self.adapter.kill()
            self.gateway.start()
        self.tell(status == -9, f"cycle {number}: {point}:{nth} was not hit (status {status}): "
                                f"{self.adapter.log()[-1000:]}")

    def finish(self):
        a = self.adapter
        self.add()
        self.tell(a.once() == 0, f"the last run: {a.log()[-1000:]}")
        self.tell(a.settled() == len(a.rows), f"{a.settled()} of {len(a.rows)} rows have their verdict")
        self.tell(self.gateway.stop() == 0, "the daemon did not end well")
        faults = checker.check(self.gateway.data, a.history())
        self.tell(not faults, "the checker: " + "\n  ".join(faults[:10]))
        c = checker.Checker(self.gateway.data)
        c.check_log()
        c.db.close()
        c.place.cleanup()
        names = [claim[:4] for claim in c.claims.values()]
        self.tell(len(names) == len(set(names)) == len(a.rows), f"{len(names)} claims of {len(a.rows)} rows")
        seen, last, ordered = set(), {}, True
        for event, seq, _, person, _, _ in a.changes():
            if event not in seen:
                ordered &= int(seq) > last.get(person, 0)
                last[person] = int(seq)
            seen.add(event)
        self.tell(ordered, "a person's changes came in another order")
        wanted = {seq for seq, *_ in c.events}
        had = {int(line[1]) for line in a.changes()}
        self.tell(wanted == had, f"{len(wanted - had)} changes did not come, {len(had - wanted)} are of nobody")
        print(f"{len(a.rows)} rows, {len(seen)} changes, {len(a.changes()) - len(seen)} of them told again", flush=True)

    def run(self, cycles):
        points = AGENT + DAEMON
        try:
            self.gateway.start()
            self.adapter = adapters.Adapter(self.gateway, self.key, batch=5, outbound=True)
            self.tell(self.adapter.once() == 0, "the first run")  # from here on changes are followed
            for number in range(1, cycles + 1):
                self.cycle(number, points[(number - 1) % len(points)])
            self.finish()
        finally:
            if hasattr(self, "adapter"):
                self.adapter.kill()
            self.gateway.__exit__()
        print(f"lane-result: {self.passed} passed, {self.failed} failed, 0 skipped", flush=True)
        return 1 if self.failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cycles", type=int, default=15)
    sys.exit(Run().run(parser.parse_args().cycles))
