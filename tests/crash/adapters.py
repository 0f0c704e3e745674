#!/usr/bin/python3
"""adapters: adapters, the daemon and the agencies' own servers are killed in turn at named points, judged by the checker.

Four agencies: rows in a file that the template reads, files and full lists on an SFTP server, tables in PostgreSQL, an HTTP
interface; each is also told of every change. At the end every row has its verdict, took effect once, and every change came to each agency, each
person's in order. Needs a fault build: B names its folder. EG_SEED repeats a run. Without a server its points are left out,
which counts as skipped."""
import argparse
import os
import random
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import harness
import adapters
import bus

import agencies
import checker
import effects

ROWS = 60  # of a cycle: enough passages for each point
# Who dies, and at which passage at most: some points come once in a cycle.
AGENT = [(point, 4) for point in
         ("agent.row_pulled", "agent.sent", "agent.receipt", "agent.settled", "agent.saved", "agent.delivered",
          "agent.cursor_saved", "checkpoint.torn", "checkpoint.written", "checkpoint.synced", "checkpoint.renamed")]
DAEMON = [(point, 4) for point in ("store.before_commit", "store.after_commit", "writer.before_commit",
                                   "writer.after_commit_before_receipt")]
FILES = [("sftp.fetched", 2), ("sftp.before_away", 1), ("sftp.between_aways", 1), ("file.taken", 1), ("file.checked", 1),
         ("file.parsed", 27), ("file.before_progress", 1), ("file.before_report", 1), ("file.before_move", 1),
         ("file.between_moves", 1), ("file.before_done", 1), ("file.out_before_file", 2), ("file.out_before_control", 2),
         ("file.out_before_done", 2), ("agent.delivered", 4)]
LISTS = [("agent.list_begun", 1), ("agent.list_sent", 4), ("agent.list_read", 1), ("agent.list_ended", 1),
         ("agent.list_settling", 1), ("file.before_move", 1)]
LISTS_DAEMON = [("list.spooled", 1), ("list.applying", 3), ("writer.after_commit_before_receipt", 2)]
TABLES = [("table.claimed", 1), ("table.before_commit", 3), ("table.after_commit", 3), ("table.marked", 2),
          ("agent.delivered", 4)]
FILES_SERVER = [("sftp.fetched", 2), ("sftp.before_away", 1), ("sftp.between_aways", 1)]
TABLES_SERVER = [("table.claimed", 1), ("table.before_commit", 3), ("table.after_commit", 3)]
PAGES = [("http.page_taken", 4), ("http.place_saved", 2), ("http.posted", 4), ("agent.delivered", 4)]
PAGES_SERVER = [("http.page_taken", 4), ("http.place_saved", 1), ("http.posted", 4)]
UNANSWERED = [("page", 3), ("post", 4)]  # the interface has it, and its answer never comes


class Run:
    def __init__(self):
        self.seed = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"seed {self.seed} (EG_SEED={self.seed} repeats this run)", flush=True)
        self.rng = random.Random(self.seed)
        self.gateway = bus.Gateway({"writer.checkpoint": "50ms", "store.wal_pages": 256})
        grants = {"sync": ["registration.name"]}
        self.keys = {name: self.gateway.adapter(name, {name if name != "registry" else "household": "registration"},
                                                grants=grants) for name in ("registry", "bureau", "station", "parlour")}
        self.adapter = self.files = self.tables = self.pages = None
        self.passed = self.failed = self.skipped = 0

    def tell(self, ok, text):
        self.passed += ok
        self.failed += not ok
        if not ok:
            print(f"FAILED {text}", flush=True)

    def skip(self, reason):
        self.skipped += 1
        print(f"SKIPPED: {reason}", flush=True)

    def open(self):
        self.gateway.start()
        self.adapter = adapters.Adapter(self.gateway, self.keys["registry"], batch=5, outbound=True)
        if os.path.exists(agencies.Sftp.PROGRAM):
            self.files = agencies.Files(self.gateway, self.keys["bureau"], self.rng, "bureau", 1_000_000)
        else:
            self.skip("no sshd: deploy/install-dependencies sftp")
        why = agencies.Database.lacks()
        if why:
            self.skip(why)
        else:
            self.tables = agencies.Tables(self.gateway, self.keys["station"], self.rng, "station", 2_000_000)
        self.pages = agencies.Pages(self.gateway, self.keys["parlour"], self.rng, "parlour", 3_000_000)
        for a in self.all():
            self.tell(a.once() == 0, f"the first run of {a.agency}: {a.log()[-1000:]}")  # changes are followed from here

    def all(self):
        return [a for a in (self.adapter, self.files, self.tables, self.pages) if a]

    def add(self):
        known = len(self.adapter.rows)
        self.adapter.append([adapters.Row(self.rng, known + i) for i in range(ROWS)])

    # ---- the cycles: each takes a point with its passage, and says whether it was hit ----

    def kill_adapter(self, a, add, at):
        add()
        a.start(env={"ELDERGATE_KILL": at})
        return a.wait()

    def kill_daemon(self, a, add, at):
        self.gateway.stop()
        self.gateway.start(env={"ELDERGATE_KILL": at})
        add()
        a.start()
        status = self.gateway.process.wait(harness.PATIENCE)
        a.kill()
        self.gateway.start()
        return status

    def kill_server(self, a, add, at):
        """The adapter lives on, and must come to the end by itself when its server is back."""
        add()
        a.start(env={"ELDERGATE_KILL": at, "ELDERGATE_KILL_PID": str(a.server.pid)})
        harness.until(a.server.gone, f"the server to be killed at {at}")
        return self.outlive(a, at)

    def outlive(self, a, at):
        a.server.kill()
        a.server.start()
        harness.until(lambda: not a.unsettled(), f"everything to be settled after {at}: {a.log()[-600:]}")
        return -9 if a.stop() == 0 else None

    def hold_answer(self, a, add, at):
        a.server.kill()
        a.server.start(hold=at)
        add()
        a.start()
        harness.until(a.server.held, f"the server to hold its answer at {at}")

    def kill_unanswered(self, a, add, at):
        """The adapter dies: the server has the request, the adapter no answer."""
        self.hold_answer(a, add, at)
        a.kill()
        a.server.kill()
        a.server.start()
        return a.process.returncode

    def kill_unanswering(self, a, add, at):
        """The server dies, with the request that it has not answered."""
        self.hold_answer(a, add, at)
        return self.outlive(a, at)

    def rounds(self):
        """Every kind of kill with each of its points, in an order of the seed."""
        table = [(self.kill_adapter, self.adapter, self.add, AGENT), (self.kill_daemon, self.adapter, self.add, DAEMON)]
        if self.files:
            table += [(self.kill_adapter, self.files, self.files.add, FILES),
                      (self.kill_adapter, self.files, self.files.add_list, LISTS),
                      (self.kill_daemon, self.files, self.files.add_list, LISTS_DAEMON),
                      (self.kill_server, self.files, self.files.add, FILES_SERVER)]
        if self.tables:
            table += [(self.kill_adapter, self.tables, self.tables.add, TABLES),
                      (self.kill_server, self.tables, self.tables.add, TABLES_SERVER)]
        table += [(self.kill_adapter, self.pages, self.pages.add, PAGES),
                  (self.kill_server, self.pages, self.pages.add, PAGES_SERVER),
                  (self.kill_unanswered, self.pages, self.pages.add, UNANSWERED),
                  (self.kill_unanswering, self.pages, self.pages.add, UNANSWERED)]
        while True:
            each = [(kill, a, add, point, most) for kill, a, add, points in table for point, most in points]
            self.rng.shuffle(each)
            yield from each

    def cycle(self, number, kill, a, add, point, most):
        at = f"{point}:{self.rng.randint(1, most)}"
        what = f"cycle {number}: {kill.__name__} of {a.agency} at {at}"
        try:
            status = kill(a, add, at)
            self.tell(status == -9, f"{what} was not hit (status {status}): {a.log()[-1000:]}")
        except (AssertionError, adapters.subprocess.TimeoutExpired) as error:
            self.tell(False, f"{what}: {error}: {a.log()[-1000:]}")
            a.kill()

    # ---- the end ----

    def history(self):
        return [entry for a in self.all() for entry in a.history()]

    def finish(self):
        self.add()
        if self.files:
            self.files.add_list()
        if self.tables:
            self.tables.add()
        self.pages.add()
        for _ in range(2):  # changes that the others make reach each
            for a in self.all():
                self.tell(a.once() == 0, f"the last run of {a.agency}: {a.log()[-1000:]}")
        a = self.adapter
        self.tell(a.settled() == len(a.rows), f"{a.settled()} of {len(a.rows)} rows have their verdict")
        for a in self.all()[1:]:
            wrong = a.unsettled()
            self.tell(not wrong, f"{a.agency}: {len(wrong)} faults at the source: {'; '.join(wrong[:5])}")
        self.tell(self.gateway.stop() == 0, "the daemon did not end well")
        faults = checker.check(self.gateway.data, self.history())
        self.tell(not faults, "the checker: " + "\n  ".join(faults[:10]))
        log = effects.Log(self.gateway.data)
        self.tell(not log.twice(), "a row took effect twice")
        print(f"{len(log.claims)} claims", flush=True)
        for a in self.all():
            wrong, seen, again = effects.changes(a.told(), log.events)
            self.tell(not wrong, f"{a.agency}: {'; '.join(wrong[:5])}")
            print(f"{a.agency}: {seen} changes, {again} of them told again", flush=True)

    def run(self, cycles):
        began = time.monotonic()
        try:
            self.open()
            for number, each in zip(range(1, cycles + 1), self.rounds()):
                self.cycle(number, *each)
            self.finish()
        finally:
            for a in self.all():
                a.kill()
                if a != self.adapter:
                    a.server.close()
            self.gateway.__exit__()
        print(f"{cycles} kills, {time.monotonic() - began:.0f} s", flush=True)
        print(f"lane-result: {self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cycles", type=int, default=15)
    sys.exit(Run().run(parser.parse_args().cycles))
