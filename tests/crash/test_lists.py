#!/usr/bin/python3
"""Full lists through kill -9: whatever the point, the list ends as if nothing had happened, and the checker finds nothing.

Each test kills the daemon at a named point of a list (B must name a build with FAULT=1), starts it again, sends nothing
until the list that was durable has ended by itself, and only then sends the list again: it must be told of as the one
that was applied, with the counts that an undisturbed gateway gave.
"""
import copy
import os
import random
import sys
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, HERE)
import harness  # noqa: E402
import checker  # noqa: E402
import lists  # noqa: E402
from people import Person  # noqa: E402
from eldergate.v1 import cases_pb2, cases_pb2_grpc  # noqa: E402

R = "registration"
PEOPLE = 3000
ENDED = (3, 5, 6)  # held, done, refused
COUNTS = ("received", "unchanged", "changed", "added", "stale", "rejected", "missing", "withdrawn", "skipped", "covered",
          "pinned_seq", "held")
# Of the first list, which adds everybody; of the second, which changes and withdraws some.
POINTS = [("list.spooled", 1), ("list.comparing", 1), ("list.applying", 1), ("list.applying", 700),
          ("writer.before_commit", 3), ("writer.mid_batch", 2), ("writer.after_commit_before_receipt", 2),
          ("store.after_commit", 7)]
LATER = [("list.spooled", 1), ("list.comparing", 1), ("list.applying", 5), ("list.withdrawing", 1),
         ("list.withdrawing", 30), ("writer.after_commit_before_receipt", 1), ("writer.after_commit_before_receipt", 3),
         ("writer.before_commit", 3), ("store.after_commit", 2)]


def row(number, name=None):
    r = Person(random.Random(number), number).record(R)
    r.version = 0
    r.registration.registration_status = 1
    r.registration.ClearField("death_date")
    if name:
        r.registration.name = name
    return r


def first_list():
    rows = [row(i) for i in range(PEOPLE)]
    rows[7].registration.id_number = "1"
    return rows


def second_list():
    rows = [row(i) for i in range(PEOPLE - 40)]
    for i in range(0, 600, 3):
        rows[i] = row(i, "王改之")
    return rows + [row(PEOPLE + i) for i in range(25)]


class Killed(unittest.TestCase):
    maxDiff = None

    def gateway(self):
        g = harness.Gateway({"writer.checkpoint": "50ms", "lists.memory": "1MiB", "writer.max_records": 512})
        self.addCleanup(g.__exit__)
        return g

    def send(self, g, records, as_of):
        with g.channel() as channel:
            return lists.send(channel, records, R, as_of, list_id=f"at {as_of}")

    def rows_of(self, g):
        import sqlite3
        db = sqlite3.connect(f"file:{g.data}/eldergate.db?mode=ro", uri=True)
        try:
            return db.execute("select list_id, phase from list order by row").fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()

    def killed_at(self, g, point, nth, records, as_of):
        """Sends the list to a daemon that dies at the point; starts it again."""
        g.start(env={"ELDERGATE_KILL": f"{point}:{nth}"})
        with self.assertRaises(grpc.RpcError, msg=f"{point}:{nth} was not hit"):
            self.send(g, records, as_of)
        self.assertEqual(g.process.wait(harness.PATIENCE), -9, f"{point}:{nth} was not hit: {g.log_tail()}")
        g.start()

    def ends_by_itself(self, g, as_of):
        """A list that was durable goes on; one that was not has left nothing."""
        if not any(name == f"at {as_of}" for name, _ in self.rows_of(g)):
            folder = os.path.join(g.data, "lists")
            known = [d for d in os.listdir(folder) if any(f.startswith("run-") for f in os.listdir(os.path.join(folder, d)))]
            self.assertEqual(known, [])
            return False
        harness.until(lambda: all(phase in ENDED for _, phase in self.rows_of(g)), "the list to end by itself")
        return True

    def judge(self, g, history):
        self.assertEqual(g.stop(), 0, g.log_tail())
        self.assertEqual(checker.check(g.data, history), [])

    @staticmethod
    def told(report):
        return {k: getattr(report, k) for k in COUNTS}

    def undisturbed(self):
        """The two reports of a gateway that nobody kills."""
        if not hasattr(Killed, "reports"):
            g = self.gateway()
            g.start()
            Killed.reports = [self.told(self.send(g, first_list(), 100).report),
                              self.told(self.send(g, second_list(), 200).report)]
            self.judge(g, self.history())
            self.assertEqual(Killed.reports[1]["withdrawn"], 40)
        return Killed.reports

    @staticmethod
    def history():
        return lists.history(first_list(), R, 100) + lists.history(second_list(), R, 200)

    def test_the_first_list(self):
        wanted = self.undisturbed()
        for point, nth in POINTS:
            with self.subTest(point=point, nth=nth):
                g = self.gateway()
                self.killed_at(g, point, nth, first_list(), 100)
                durable = self.ends_by_itself(g, 100)
                report = self.send(g, first_list(), 100).report
                self.assertEqual(report.repeated, durable)
                self.assertEqual(self.told(report), wanted[0])
                self.judge(g, self.history())

    def test_the_second_list(self):
        wanted = self.undisturbed()
        for point, nth in LATER:
            with self.subTest(point=point, nth=nth):
                g = self.gateway()
                g.start()
                self.send(g, first_list(), 100)
                self.assertEqual(g.stop(), 0)
                self.killed_at(g, point, nth, second_list(), 200)
                durable = self.ends_by_itself(g, 200)
                report = self.send(g, second_list(), 200).report
                self.assertEqual(report.repeated, durable)
                self.assertEqual(self.told(report), wanted[1])
                self.judge(g, self.history())

    def test_killed_again_and_again(self):
        """In one list: at each of its phases."""
        wanted = self.undisturbed()
        g = self.gateway()
        self.killed_at(g, "list.applying", 900, first_list(), 100)
        self.ends_by_itself(g, 100)
        self.assertEqual(g.stop(), 0)
        self.killed_at(g, "list.comparing", 1, second_list(), 200)
        g.kill()
        for point, nth in (("list.applying", 100), ("list.applying", 220), ("list.withdrawing", 10),
                           ("list.withdrawing", 40)):
            g.start(env={"ELDERGATE_KILL": f"{point}:{nth}"}, wait=False)
            self.assertEqual(g.process.wait(harness.PATIENCE), -9, f"{point}:{nth} was not hit: {g.log_tail()}")
        g.start()
        self.assertTrue(self.ends_by_itself(g, 200))
        self.assertEqual(self.told(self.send(g, second_list(), 200).report), wanted[1])
        self.judge(g, self.history())

    def test_approved_withdrawals(self):
        """The guard holds; the daemon dies while what was approved is withdrawn."""
        g = self.gateway()
        g.start()
        self.send(g, first_list(), 100)
        short = first_list()[:2000]
        report = self.send(g, short, 200).report
        self.assertTrue(report.held)
        self.assertEqual(g.stop(), 0)
        g.start(env={"ELDERGATE_KILL": "list.withdrawing:400"})
        with g.channel() as channel:
            stub = cases_pb2_grpc.CaseServiceStub(channel)
            try:
                stub.ResolveCase(cases_pb2.ResolveCaseRequest(case_id=report.case_id,
                                                              approve=cases_pb2.ApproveDecision()))
            except grpc.RpcError:
                pass  # it died before its answer left
            self.assertEqual(g.process.wait(harness.PATIENCE), -9)
        g.start()
        self.assertTrue(self.ends_by_itself(g, 200))
        again = self.send(g, short, 200).report
        self.assertEqual((again.repeated, again.withdrawn, again.skipped), (True, 1000, 0))
        self.judge(g, lists.history(first_list(), R, 100) + lists.history(short, R, 200))

    def test_a_lost_withdrawal_would_be_found(self):
        """The checker knows a withdrawal that no list called for, and one that its source key forgot."""
        g = self.gateway()
        g.start()
        self.send(g, first_list(), 100)
        self.send(g, second_list(), 200)
        self.assertEqual(g.stop(), 0)
        claimed = [copy.copy(h) for h in self.history()]
        for h in claimed:
            if h["op"] == "list" and h["as_of"] == 200:
                h["keys"] = h["keys"] + [f"r-{i}" for i in range(PEOPLE)]
        found = checker.check(g.data, claimed)
        self.assertTrue([f for f in found if f.startswith("phantom:") and "no list lacks" in f], found[:3])


if __name__ == "__main__":
    harness.main()
