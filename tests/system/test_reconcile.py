#!/usr/bin/python3
"""Full lists: what they change, what they withdraw, what holds them back, and all the ways in which one can be wrong."""
import copy
import hashlib
import itertools
import os
import queue
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time
import unittest

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import harness  # noqa: E402
import checker  # noqa: E402
import cli  # noqa: E402
import lists  # noqa: E402
from client import Client  # noqa: E402
from people import Person  # noqa: E402
from eldergate.v1 import admin_pb2, admin_pb2_grpc, audit_pb2, audit_pb2_grpc, cases_pb2, cases_pb2_grpc  # noqa: E402
from eldergate.v1 import elder_pb2 as e  # noqa: E402
from eldergate.v1 import exchange_pb2 as x  # noqa: E402
from eldergate.v1 import exchange_pb2_grpc  # noqa: E402

R = "registration"
COUNTS = ("received", "unchanged", "changed", "added", "stale", "rejected", "missing", "withdrawn", "skipped", "covered")


def rows(people, version=0, dataset=R):
    """One row of each person, always with the same content."""
    out = []
    for p in people:
        rng, p.rng = p.rng, random.Random(p.number)
        r = p.record(dataset)
        p.rng = rng
        r.version = version
        if dataset == R:
            s = r.registration
            s.registration_status = e.REGISTRATION_STATUS_NORMAL
            s.ClearField("death_date")
        out.append(r)
    return out


def changed(row, name="王改之"):
    new = copy.deepcopy(row)
    getattr(new, row.WhichOneof("section")).name = name
    return new


class Case(unittest.TestCase):
    settings, config = {}, ""

    def setUp(self):
        self.g = harness.Gateway({"writer.checkpoint": "50ms", **self.settings})
        with open(self.g.config, "w", encoding="utf-8") as f:
            f.write(self.config)
        self.g.start()
        self.channel = self.g.channel()
        self.history = []
        self.people = [Person(random.Random(i), i) for i in range(200)]

    def tearDown(self):
        try:
            if self.g.process.poll() is None:
                self.channel.close()
                self.assertEqual(self.g.stop(), 0, self.g.log_tail())
            if self.history is not None:
                self.assertEqual(checker.check(self.g.data, self.history), [])
            verified = cli.run("log", "verify", "--data", self.g.data)
            self.assertEqual(verified.status, 0, verified)
        finally:
            self.g.__exit__()

    # ---- helpers ----

    def send(self, records, as_of, dataset=R, note=True, **more):
        if note and self.history is not None:
            self.history += lists.history(records, dataset, as_of)
        return lists.send(self.channel, records, dataset, as_of, **more)

    def report(self, records, as_of, **more):
        return self.send(records, as_of, **more).report

    def submit(self, records, dataset=R):
        """The outcomes of one batch, as names."""
        client = Client()
        client.add(dataset, records)
        self.assertTrue(client.run(self.channel))
        if self.history is not None:
            self.history += client.history
        return [h["outcome"] for h in client.history if h["op"] == "ack"]

    def counts(self, report, **wanted):
        self.assertEqual({k: getattr(report, k) for k in COUNTS if getattr(report, k) or k in wanted},
                         {k: v for k, v in wanted.items()})

    def restart(self):
        self.channel.close()
        self.assertEqual(self.g.stop(), 0, self.g.log_tail())
        self.g.start()
        self.channel = self.g.channel()

    def standing(self, dataset=R):
        """{source key: version} of what stands, of the people."""
        db = sqlite3.connect(f"file:{self.g.data}/eldergate.db?mode=ro", uri=True)
        with open(os.path.join(self.g.data, "root.key"), "rb") as f:
            vault = checker.Vault(f.read(), dict(db.execute("select name, wrapped from key")))
        stored = dict(db.execute("select token, body from source_key"))
        db.close()
        out = {}
        for p in self.people:
            key = f"{dataset[0]}-{p.number}"
            body = stored.get(vault.token("source-key", b"tester", dataset.encode(), key.encode()))
            top = None
            for nested in checker.table(body).get(4, []) if body else []:
                n = checker.table(nested)
                if not checker.one(n, 5) and (3 in n or 9 in n):
                    top = checker.one(n, 1, int) if 3 in n else None
            if top is not None:
                out[key] = top
        return out

    def store_digest(self):
        """Over every row of every table."""
        db = sqlite3.connect(f"file:{self.g.data}/eldergate.db?mode=ro", uri=True)
        h = hashlib.sha256()
        for (name,) in db.execute("select name from sqlite_master where type = 'table' order by name").fetchall():
            if name == "checkpoint":
                continue  # signed on a timer, whatever happens
            for row in db.execute(f'select * from "{name}"'):
                h.update(repr((name, row)).encode())
        db.close()
        return h.hexdigest()

    def head(self):
        return admin_pb2_grpc.AdminServiceStub(self.channel).GetStatus(admin_pb2.GetStatusRequest()).head_seq

    def resolve(self, case_id, **decision):
        return cases_pb2_grpc.CaseServiceStub(self.channel).ResolveCase(
            cases_pb2.ResolveCaseRequest(case_id=case_id, **decision)).resolved

    def list_row(self, list_id):
        db = sqlite3.connect(f"file:{self.g.data}/eldergate.db?mode=ro", uri=True)
        row = db.execute("select phase, seq from list where list_id = ? order by row desc", (list_id,)).fetchone()
        db.close()
        return row

    def until_phase(self, list_id, phase):
        harness.until(lambda: (self.list_row(list_id) or (0,))[0] == phase, f"phase {phase} of {list_id}")

    def spools(self):
        folder = os.path.join(self.g.data, "lists")
        return [os.path.join(at, f) for at, _, files in os.walk(folder) for f in files]


class Outcomes(Case):
    def test_every_outcome(self):
        base = rows(self.people[:100])
        first = self.report(base, 100)
        self.counts(first, received=100, added=100)
        self.assertEqual((first.phase, first.held, first.repeated), (x.LIST_PHASE_DONE, False, False))
        now = rows(self.people[:95]) + rows(self.people[100:103])
        now[0] = changed(now[0])
        now[1].registration.id_number = now[1].registration.id_number[:-1] + "Y"  # cannot be read: quarantined
        told = self.send(now, 200)
        self.counts(told.report, received=98, unchanged=93, changed=1, added=3, rejected=1, missing=5, withdrawn=5,
                    covered=100)
        (reject,) = told.rejects
        self.assertEqual(reject.index, 1)
        self.assertEqual([r.field for r in reject.reasons], ["registration.id_number"])
        listed = exchange_pb2_grpc.ExchangeServiceStub(self.channel).ListRejects(x.ListRejectsRequest())
        self.assertEqual([r.reject_seq for r in listed.rejects], [reject.reject_seq])
        # An unchanged row, and a quarantined one, stay as they were; what is missing is withdrawn.
        standing = self.standing()
        self.assertEqual(standing["r-0"], 200)
        self.assertEqual(standing["r-1"], 100)
        self.assertEqual(standing["r-2"], 100)
        self.assertEqual([standing.get(f"r-{i}") for i in (94, 95, 99, 100)], [100, None, None, 200])

    def test_what_the_log_and_the_feed_say(self):
        base = rows(self.people[:20])
        self.report(base, 100)
        report = self.report(base[:15], 200, list_id="week 2")
        audit = audit_pb2_grpc.AuditServiceStub(self.channel)
        found = audit.SearchLog(audit_pb2.SearchLogRequest(kinds=[audit_pb2.ENTRY_KIND_LIST])).headers
        self.assertEqual([(h.seq, h.batch_id, h.count, h.action) for h in found][-1],
                         (report.seq, "week 2", 15, "list_applied"))
        listed = cli.User(self.g)("changes", "list", "--since", "2020-01-01T00:00:00Z", "--kind", "withdrawn",
                                     "--purpose", "test", "--json")
        self.assertEqual(listed.out.count("CHANGE_KIND_WITHDRAWN"), 5, listed)

    def test_own_versions(self):
        base = [copy.deepcopy(r) for r in rows(self.people[:30], version=10)]
        self.assertEqual(set(self.submit(base)), {"APPLIED"})
        later = rows(self.people[:30], version=10)
        later[0] = changed(later[0])  # the same version, other content: a conflict
        later[1].version = 12  # newer, the same: confirmed
        later[2] = changed(later[2])
        later[2].version = 12  # newer, other content
        later[3] = changed(later[3])
        later[3].version = 8  # older
        told = self.send(later, 100)
        self.counts(told.report, received=30, unchanged=27, changed=1, stale=1, rejected=1, covered=30)
        self.assertEqual([(r.index, r.reasons[0].code) for r in told.rejects], [(0, 501)])
        self.assertEqual([self.standing()[f"r-{i}"] for i in range(5)], [10, 12, 12, 10, 10])

    def test_the_position_is_no_version_of_its_own(self):
        """As a file's mapping gives it to every row: what is as it was is not written, and counts all the same."""
        self.counts(self.report(rows(self.people[:20], version=100), 100), received=20, added=20)
        now = rows(self.people[:20], version=200)
        now[0] = changed(now[0])
        self.counts(self.report(now, 200), received=20, unchanged=19, changed=1, covered=20)
        self.assertEqual([self.standing()[f"r-{i}"] for i in range(3)], [200, 100, 100])
        late = changed(rows(self.people[1:2], version=150)[0])
        self.assertEqual(self.submit([late]), ["STALE"])
        self.assertEqual(self.standing()["r-1"], 200)  # written down when it mattered

    def test_changed_mapping_is_no_conflict(self):
        base = rows(self.people[:30], version=10)
        for r in base:
            r.mapping_revision = 1
        self.submit(base)
        later = rows(self.people[:30], version=10)
        later[0] = changed(later[0])  # a corrected mapping says otherwise of the same version
        report = self.report(later, 100, revision=2, note=False)
        self.counts(report, received=30, unchanged=29, changed=1, covered=30)
        self.history = None  # the rows had their revision from the list

    def test_a_key_twice_in_one_list(self):
        base = rows(self.people[:10])
        told = self.send(base + [base[3], changed(base[4])], 100)
        self.counts(told.report, received=12, added=10, unchanged=1, rejected=1)
        self.assertEqual([r.index for r in told.rejects], [11])

    def test_other_operations_are_no_part_of_a_list(self):
        base = rows(self.people[:5])
        void = self.people[5].void(R, 3)
        told = self.send(base + [void], 100)
        self.counts(told.report, received=6, added=5, rejected=1)
        self.assertIn(410, [r.code for r in told.rejects[0].reasons])
        self.history = None  # the void was sent, and is no version

    def test_another_dataset_is_not_touched(self):
        self.submit(rows(self.people[:20], version=5, dataset="care"), "care")
        self.report(rows(self.people[:20]), 100)
        report = self.report(rows(self.people[:12]), 200)
        self.counts(report, received=12, unchanged=12, missing=8, withdrawn=8, covered=20)
        self.assertEqual(len(self.standing("care")), 20)

    def test_an_empty_list_is_a_list(self):
        self.report(rows(self.people[:5]), 100)
        self.counts(self.report([], 200), received=0, missing=5, withdrawn=5, covered=5)
        self.assertEqual(self.standing(), {})


class Runs(Case):
    settings = {"lists.memory": "1MiB"}

    def test_sorted_runs(self):
        """More than the memory set: the same outcome, in several runs."""
        people = [Person(random.Random(i), i) for i in range(12000)]
        base = rows(people)
        random.Random(4).shuffle(base)
        self.counts(self.report(base, 100), received=12000, added=12000)
        again = base[:-5]
        again[17] = changed(again[17])
        self.counts(self.report(again, 200), received=11995, unchanged=11994, changed=1, missing=5, withdrawn=5,
                    covered=12000)


class Broken(Case):
    def setUp(self):
        super().setUp()
        self.base = rows(self.people[:60])
        self.report(self.base, 100)
        self.before = self.standing()

    def tearDown(self):
        harness.until(lambda: not self.spools(), "the spools to go")
        self.assertEqual(self.standing(), self.before)
        self.assertEqual(self.list_row("broken"), None)
        super().tearDown()

    def refused(self, records, reason, code=grpc.StatusCode.INVALID_ARGUMENT, **more):
        error = lists.refused(self.channel, lists.steps(records, R, 200, list_id="broken", **more))
        self.assertEqual(error.code(), code, error)
        self.assertIn(reason, str(error.trailing_metadata()), error)

    def test_wrong_count_or_digest(self):
        short = self.base[:50]
        self.refused(short, "LIST_COUNT", count=60)
        self.refused(short, "LIST_COUNT", count=49)
        self.refused(short, "LIST_COUNT", declared=60)
        self.refused(short, "LIST_DIGEST", digest=lists.digest_of(self.base))
        self.refused(short, "LIST_DIGEST", digest=lists.digest_of(short[::-1]))
        self.refused(short, "LIST_DIGEST", digest=b"")
        logged = self.refusals
        harness.until(lambda: {"LIST_COUNT", "LIST_DIGEST"} <= set(logged()), "the refusals to be logged")

    def refusals(self):
        found = audit_pb2_grpc.AuditServiceStub(self.channel).SearchLog(
            audit_pb2.SearchLogRequest(kinds=[audit_pb2.ENTRY_KIND_REFUSAL]))
        return [h.action for h in found.headers]

    def test_no_end(self):
        self.refused(self.base[:50], "LIST_BROKEN", end=False)
        self.refused([], "LIST_BROKEN", end=False)

    def test_the_stream_breaks(self):
        """At every message."""
        messages = list(lists.steps(self.base * 20, R, 200, list_id="broken"))
        for cut in range(1, len(messages)):
            gone = threading.Event()

            def some(cut=cut, gone=gone):
                yield from messages[:cut]
                gone.wait(harness.PATIENCE)

            call = exchange_pb2_grpc.ExchangeServiceStub(self.channel).Reconcile(some())
            if cut > 1:
                harness.until(lambda: [d for d in os.listdir(os.path.join(self.g.data, "lists"))], "a spool")
            call.cancel()
            gone.set()

    def test_steps_out_of_order(self):
        begin, records, end = lists.steps(self.base[:10], R, 200, list_id="broken")
        for messages in ([records], [end], [begin, begin], [begin, end, end], [x.ReconcileRequest()],
                         [begin, records, begin], [begin, x.ReconcileRequest()]):
            error = lists.refused(self.channel, messages)
            self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT, error)


class Hostile(Case):
    settings = {"lists.open": 1, "lists.disk": "16MiB", "lists.memory": "1MiB"}

    def error(self, messages):
        return lists.refused(self.channel, messages)

    def begin(self, **more):
        fields = {"list_id": "l", "dataset": R, "as_of": 5, **more}
        return [x.ReconcileRequest(begin=x.ReconcileBegin(**fields))]

    def test_bad_begins(self):
        for more in ({"list_id": ""}, {"list_id": "a\nb"}, {"list_id": "x" * 65}, {"list_id": "列表"},
                     {"list_id": "of " + self.people[0].id}, {"as_of": 0}, {"coverage_regions": [""]},
                     {"coverage_regions": ["3303x"]}, {"coverage_regions": ["1"] * 101},
                     {"taken_at": {"seconds": 0}}, {"taken_at": {"seconds": -1}}, {"taken_at": {"seconds": 2 ** 62}},
                     {"taken_at": {"seconds": 253402300800}}, {"taken_at": {"seconds": 1, "nanos": -1}},
                     {"taken_at": {"seconds": 1, "nanos": 10 ** 9}},
                     {"dataset": "assistance", "coverage_regions": ["33"]}):
            error = self.error(self.begin(**more))
            self.assertEqual(error.code(), grpc.StatusCode.INVALID_ARGUMENT, f"{more}: {error}")
        for dataset in ("", "nobody's"):
            self.assertEqual(self.error(self.begin(dataset=dataset)).code(), grpc.StatusCode.PERMISSION_DENIED)

    def test_bad_records(self):
        many = [x.ReconcileRequest(records=x.ReconcileRecords(records=[e.Record(source_key="k")] * 1001))]
        self.assertEqual(self.error(self.begin() + many).code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        large = e.Record(source_key="k", cleared_fields=["x" * 2000] * 600)
        error = self.error(self.begin() + [x.ReconcileRequest(records=x.ReconcileRecords(records=[large]))])
        self.assertEqual(error.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_garbage(self):
        rng = random.Random(int(os.environ.get("EG_SEED", "3")))
        call = self.channel.stream_stream("/eldergate.v1.ExchangeService/Reconcile")
        good = [m.SerializeToString() for m in lists.steps(rows(self.people[:20]), R, 9)]
        for _ in range(200):
            messages = copy.copy(good)
            at = rng.randrange(len(messages))
            raw = bytearray(messages[at])
            for _ in range(rng.randint(1, 4)):
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            messages[at] = bytes(raw[:rng.randint(1, len(raw))])
            try:
                list(call(iter(messages)))
            except grpc.RpcError as error:
                self.assertNotIn(error.code(), (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), error)
        self.history = None

    def test_bounded(self):
        """One list at a time is received here, and all of them have 16 MiB."""
        hold = threading.Event()

        def slow():
            yield from self.begin()
            hold.wait(harness.PATIENCE)

        call = exchange_pb2_grpc.ExchangeServiceStub(self.channel).Reconcile(slow())
        harness.until(lambda: os.listdir(os.path.join(self.g.data, "lists")), "the first list")
        error = self.error(self.begin())
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("LISTS_FULL", str(error.trailing_metadata()))
        call.cancel()
        hold.set()
        harness.until(lambda: not os.listdir(os.path.join(self.g.data, "lists")), "the first list to go")
        row = rows(self.people[:1])[0]
        row.registration.address_text = "号" * 120

        def endless():
            yield from self.begin()
            for i in range(100000):
                chunk = []
                for k in range(500):
                    r = copy.copy(row)
                    r.source_key = f"k{i}-{k}"
                    chunk.append(r)
                yield x.ReconcileRequest(records=x.ReconcileRecords(records=chunk))

        error = self.error(endless())
        self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertIn("LISTS_FULL", str(error.trailing_metadata()))
        harness.until(lambda: not self.spools(), "its spool to go")
        self.assertEqual(self.report(rows(self.people[:5]), 9).added, 5)  # there is room again

    def test_nothing_in_clear_on_the_disk(self):
        people = [Person(random.Random(i), i) for i in range(9000)]
        hold = threading.Event()

        def most():
            yield from list(lists.steps(rows(people), R, 9))[:-1]
            hold.wait(harness.PATIENCE)

        call = exchange_pb2_grpc.ExchangeServiceStub(self.channel).Reconcile(most())

        def stored_so_far():
            stored = b""
            for path in self.spools():
                with open(path, "rb") as f:
                    stored += f.read()
            return len(self.spools()) >= 2 and len(stored) > 1 << 20 and stored

        stored = harness.until(stored_so_far, "two runs")
        call.cancel()
        hold.set()
        for p in people[:300]:
            for text in (p.id, p.name, f"r-{p.number:05}"):
                if len(text) > 2:
                    self.assertNotIn(text.encode(), stored)
        self.assertFalse([f for f in self.spools() if not f.rsplit("/", 1)[1].startswith(("run-", "absent"))])


class Guard(Case):
    def setUp(self):
        super().setUp()
        self.base = rows(self.people)
        self.report(self.base, 100)

    def held(self, records, as_of, **more):
        report = self.report(records, as_of, **more)
        self.assertTrue(report.held, report)
        self.assertEqual(report.phase, x.LIST_PHASE_HELD)
        return report

    def test_approved_after_a_recheck(self):
        short = self.base[:170]
        short[0] = changed(short[0])
        report = self.held(short, 200, list_id="short")
        self.counts(report, received=170, unchanged=169, changed=1, missing=30, covered=200)
        self.assertEqual(len(self.standing()), 200)
        self.assertEqual(self.standing()["r-0"], 200)  # the rest is applied
        case = cases_pb2_grpc.CaseServiceStub(self.channel).GetCase(
            cases_pb2.GetCaseRequest(case_id=report.case_id)).found
        self.assertEqual(case.kind, cases_pb2.CASE_KIND_LIST_SHRINK)
        self.assertEqual(list(case.possible_decisions),
                         [cases_pb2.DECISION_KIND_APPROVE, cases_pb2.DECISION_KIND_REFUSE])
        self.assertEqual((case.list.list_id, case.list.as_of, case.list.covered, case.list.missing, case.list.seq),
                         ("short", 200, 200, 30, report.seq))
        # Something comes for three of them meanwhile: newer, and older than the list.
        for person, version in ((199, 300), (198, 150), (197, 50)):
            r = changed(self.base[person])
            r.version = version
            self.submit([r])
        self.restart()  # the case waits as long as it takes
        resolved = self.resolve(report.case_id, approve=cases_pb2.ApproveDecision(), note="seen the papers")
        self.assertEqual((resolved.state, resolved.decision),
                         (cases_pb2.CASE_STATE_CLOSED, cases_pb2.DECISION_KIND_APPROVE))
        self.until_phase("short", 5)
        standing = self.standing()
        self.assertEqual([standing.get(f"r-{i}") for i in (196, 197, 198, 199)], [None, 100, 150, 300])
        self.assertEqual(len(standing), 173)
        again = self.report(short, 200, list_id="short")
        self.assertTrue(again.repeated)
        self.counts(again, received=170, unchanged=169, changed=1, missing=30, withdrawn=27, skipped=3, covered=200)
        self.assertEqual(self.spools() and 1, 1)  # what it lacked tells of late records

    def test_refused(self):
        report = self.held(self.base[:100], 200, list_id="short")
        self.resolve(report.case_id, refuse=cases_pb2.RefuseDecision())
        self.until_phase("short", 6)
        self.assertEqual(len(self.standing()), 200)
        again = self.report(self.base[:100], 200, list_id="short")
        self.assertEqual((again.phase, again.repeated, again.withdrawn), (x.LIST_PHASE_REFUSED, True, 0))
        with self.assertRaises(grpc.RpcError) as raised:
            self.resolve(report.case_id, approve=cases_pb2.ApproveDecision())
        self.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)
        # A list that has them all again, then one that lacks few: no trace of the refused one.
        self.assertFalse(self.report(self.base[:195], 300).held)

    def test_killed_while_it_waits(self):
        report = self.held(self.base[:100], 200, list_id="short")
        self.channel.close()
        self.g.kill()
        self.g.start()
        self.channel = self.g.channel()
        self.resolve(report.case_id, approve=cases_pb2.ApproveDecision())
        self.until_phase("short", 5)
        self.assertEqual(len(self.standing()), 100)

    def test_small_steps_do_not_pass(self):
        first = self.report(self.base[:192], 200)  # 8 keys: below the floor
        self.assertEqual((first.held, first.withdrawn), (False, 8))
        second = self.held(self.base[:188], 300, list_id="second")  # 4 more: 12 of 192
        self.assertEqual(second.missing, 4)
        self.resolve(second.case_id, approve=cases_pb2.ApproveDecision())
        self.until_phase("second", 5)
        # What a person approved does not count against the next.
        third = self.report(self.base[:186], 400)
        self.assertEqual((third.held, third.withdrawn), (False, 2))

    def test_other_decisions_do_not_fit(self):
        report = self.held(self.base[:100], 200)
        for decision in ({"link": cases_pb2.LinkDecision()}, {"keep_apart": cases_pb2.KeepApartDecision()}):
            with self.assertRaises(grpc.RpcError) as raised:
                self.resolve(report.case_id, **decision)
            self.assertEqual(raised.exception.code(), grpc.StatusCode.FAILED_PRECONDITION)

    def test_rows_whose_keys_cannot_be_read(self):
        """Any of the missing ones may be one of them."""
        broken = copy.deepcopy(self.base[:199])
        broken[7].source_key = ""
        report = self.held(broken, 200)
        self.counts(report, received=199, unchanged=198, rejected=1, missing=2, covered=200)
        case = cases_pb2_grpc.CaseServiceStub(self.channel).GetCase(
            cases_pb2.GetCaseRequest(case_id=report.case_id)).found
        self.assertEqual(case.list.keyless, 1)
        self.history = None  # a record without a key has the token of its content

    def test_status_shows_what_waits(self):
        self.held(self.base[:100], 200, list_id="short")
        status = admin_pb2_grpc.AdminServiceStub(self.channel).GetStatus(admin_pb2.GetStatusRequest())
        self.assertEqual([(s.list_id, s.progress.phase, s.progress.of) for s in status.lists],
                         [("short", x.LIST_PHASE_HELD, 100)])
        shown = cli.User(self.g)("status")
        self.assertIn("tester/registration short: HELD", shown.out)


class Lost(Case):
    """Folders of lists that are gone, or hold what they should not: what deploy/README.md says of a backup without them."""
    settings = {"lists.shrink_basis_points": 200, "writer.checkpoint": "50ms"}

    def again(self, between):
        """Stops the daemon, does that, starts it again."""
        self.channel.close()
        self.assertEqual(self.g.stop(), 0, self.g.log_tail())
        between(os.path.join(self.g.data, "lists"))
        self.g.start()
        self.channel = self.g.channel()

    def status(self):
        return admin_pb2_grpc.AdminServiceStub(self.channel).GetStatus(admin_pb2.GetStatusRequest()).lists

    def late(self, row, version):
        r = changed(row, "迟到者")
        r.version = version
        return self.submit([r])

    def test_a_backup_without_lists(self):
        base = rows(self.people)
        self.report(base, 100)
        self.report(base[:195], 200)
        held = self.report(base[:150], 300, list_id="short")
        self.assertTrue(held.held)
        self.again(shutil.rmtree)
        # What was applied stands, and newer records go their way.
        self.assertEqual(len(self.standing()), 195)
        self.assertEqual(self.late(base[0], 400), ["APPLIED"])
        # A record from before a list that lacked keys cannot be judged.
        client = Client()
        r = changed(base[1], "迟到者")
        r.version = 150
        client.add(R, [r])
        with self.assertRaises(Exception) as raised:
            client.run(self.channel)
        self.assertIn("A fault of the gateway itself", str(raised.exception))
        # What a reviewer approves now fails, and is told.
        self.resolve(held.case_id, approve=cases_pb2.ApproveDecision())
        self.until_phase("short", 8)
        (shown,) = self.status()
        self.assertEqual((shown.list_id, shown.progress.phase), ("short", x.LIST_PHASE_FAILED))
        self.assertIn("No such file or directory", shown.reason)
        said = cli.User(self.g)("status")
        self.assertIn("tester/registration short: FAILED", said.out)
        self.assertIn(": opening the keys that a list lacks: No such file or directory\n", said.out)
        self.assertEqual(len(self.standing()), 195)
        # The next list knows all again.
        report = self.report(base[:194], 500)
        self.assertEqual((report.phase, report.withdrawn), (x.LIST_PHASE_DONE, 1))
        self.assertEqual(self.late(base[1], 150), ["STALE"])
        self.assertEqual(list(self.status()), [])

    def test_garbage_among_the_lists(self):
        base = rows(self.people)
        self.report(base, 100)
        self.report(base[:196], 200)

        # Whatever stands there, nothing outside of this test's own place may be reached from it.
        victim = os.path.join(self.g.place, "victim")
        os.mkdir(victim)
        for name in ("run-0000", "absent", "precious"):
            with open(os.path.join(victim, name), "wb") as f:
                f.write(b"not the gateway's")

        def litter(folder):
            (known,) = os.listdir(folder)
            for name in ("run-0000", "run-0001", "core", "absent.bak"):
                with open(os.path.join(folder, known, name), "wb") as f:
                    f.write(os.urandom(5000))
            for name in ("README", "0" * 32, "g" * 32):
                with open(os.path.join(folder, name), "wb") as f:
                    f.write(b"\0" * 100)
            for name in ("1" * 32, "2" * 32, "lost+found"):
                os.makedirs(os.path.join(folder, name, "deep"))
            os.symlink(victim, os.path.join(folder, "3" * 32))
            os.symlink(os.path.join(folder, known), os.path.join(folder, "4" * 32))

        self.again(litter)
        self.assertEqual(sorted(os.listdir(victim)), ["absent", "precious", "run-0000"])
        self.assertEqual(self.late(base[0], 150), ["STALE"])
        self.assertEqual(self.report(base[:194], 300).withdrawn, 2)
        self.again(lambda folder: None)
        self.assertEqual(self.late(base[1], 250), ["STALE"])


class Window(Case):
    settings = {"lists.shrink_window": "0s"}

    def test_out_of_the_window(self):
        base = rows(self.people)
        self.report(base, 100)
        for as_of, left in ((200, 192), (300, 184), (400, 176)):
            self.assertFalse(self.report(base[:left], as_of).held)


class ShortWindow(Case):
    WINDOW = 4
    settings = {"lists.shrink_window": f"{WINDOW}s"}

    def test_held_until_the_window_is_over(self):
        base = rows(self.people)
        self.report(base, 100)
        began = time.monotonic()
        self.assertEqual(self.report(base[:192], 200).withdrawn, 8)

        def held():  # 4 more: 12 of 192
            return lists.send(self.channel, base[:188], R, 300, dry_run=True).report.held

        self.assertTrue(held() or time.monotonic() - began >= self.WINDOW)
        harness.until(lambda: not held(), "the window to be over")
        self.assertGreaterEqual(time.monotonic() - began, self.WINDOW)
        report = self.report(base[:188], 300)
        self.assertEqual((report.held, report.withdrawn), (False, 4))


class Limits(Case):
    """The numbers of the guard: 2 % (the default) of what the list covers, and ten keys whatever the share."""

    def of_regions(self, sizes):
        """{region: its rows}, which stand."""
        people = iter([Person(random.Random(i), i) for i in range(sum(sizes.values()))])
        out = {}
        for region, n in sizes.items():
            out[region] = rows(itertools.islice(people, n))
            for r in out[region]:
                r.registration.address_region = region
        self.report([r for some in out.values() for r in some], 100)
        return out

    def test_at_the_limits(self):
        standing = self.of_regions({"330302": 100, "330304": 549, "330321": 550, "330383": 1000})
        for region, lacks, held in (("330302", 1, False), ("330302", 10, False), ("330302", 11, True),
                                    ("330304", 10, False), ("330304", 11, True),   # 2.004 %
                                    ("330321", 11, False), ("330321", 12, True),   # 2 %
                                    ("330383", 20, False), ("330383", 21, True)):  # 2 %
            with self.subTest(region=region, lacks=lacks):
                report = lists.send(self.channel, standing[region][lacks:], R, 200, regions=[region], dry_run=True).report
                self.assertEqual((report.held, report.missing, report.covered), (held, lacks, len(standing[region])))

    def test_lists_of_regions_that_overlap(self):
        """Withdrawals of lists that cover a common region add up, others do not."""
        standing = self.of_regions({"330302": 100, "330304": 100, "110101": 100})
        for as_of, region in ((200, "330302"), (210, "330304")):
            report = self.report(standing[region][8:], as_of, regions=[region])
            self.assertEqual((report.held, report.withdrawn), (False, 8))
        both = standing["330302"][8:] + standing["330304"][8:]
        for as_of, records, regions, held in (
                (300, standing["330302"][10:], ["330302"], False),  # 8 + 2
                (300, standing["330302"][11:], ["330302"], True),   # 8 + 3
                (300, both[1:], ["3303"], True),                    # 8 + 8 + 1 of 184
                (300, both, ["3303"], False),                       # it lacks nobody
                (300, standing["110101"][10:], ["1101"], False),
                (300, both[1:] + standing["110101"], [], True)):
            with self.subTest(regions=regions, n=len(records)):
                report = lists.send(self.channel, records, R, as_of, regions=regions, dry_run=True).report
                self.assertEqual(report.held, held, report)


class Floor(Case):
    settings = {"lists.shrink_floor": 3}

    def test_floor(self):
        base = rows(self.people[:20])
        self.report(base, 100)
        self.assertFalse(self.report(base[:17], 200).held)  # 15 %, but no more than three
        self.assertTrue(self.report(base[:16], 300).held)


class Coverage(Case):
    settings = {"lists.shrink_basis_points": 10000}

    def test_regions(self):
        base = rows(self.people)
        self.report(base, 100)
        inside = [r for r in base if r.registration.address_region.startswith("3303")]
        part = inside[3:]
        report = self.report(part, 200, regions=["3303"])
        self.counts(report, received=len(part), unchanged=len(part), missing=3, withdrawn=3, covered=len(inside))
        self.assertEqual(len(self.standing()), 197)
        # A row that moved in from elsewhere is no row too many, and its key is none that the guard measures by.
        other = next(r for r in base if not r.registration.address_region.startswith("3303"))
        moved = copy.deepcopy(other)
        moved.registration.address_region = "330302"
        report = self.report(part + [moved], 300, regions=["330302", "330304", "330321", "330383"])
        self.counts(report, received=len(part) + 1, unchanged=len(part), changed=1, covered=len(inside) - 3)

    def test_a_late_record_of_another_region(self):
        """A list says nothing of keys that it does not cover."""
        base = rows(self.people)
        self.report(base, 100)
        inside = [r for r in base if r.registration.address_region.startswith("3303")]
        outside = [r for r in base if not r.registration.address_region.startswith("3303")]
        self.report(inside, 200, regions=["3303"])
        for r, outcome in ((inside[0], "STALE"), (outside[0], "APPLIED")):
            late = changed(r)
            late.version = 150
            self.assertEqual(self.submit([late]), [outcome])


class Positions(Case):
    settings = {"lists.shrink_basis_points": 10000}

    def test_late_increments(self):
        base = rows(self.people[:20])
        self.report(base, 100)
        again = base[:18]
        again[2] = copy.deepcopy(again[2])
        again[2].registration.id_number = again[2].registration.id_number[:-1] + "Y"
        self.report(again, 200)  # unchanged, but for two that are missing, one rejected

        def late(person, version):
            r = changed(base[person], "迟到者")
            r.version = version
            return self.submit([r])[0]

        self.assertEqual(late(0, 150), "STALE")   # the list found it as it was at 200
        self.assertEqual(late(0, 250), "APPLIED")  # later than the list
        self.assertEqual(late(19, 150), "STALE")  # the list withdrew it
        self.assertEqual(late(2, 150), "APPLIED")  # what the list said of it could not be read
        standing = self.standing()
        self.assertEqual([standing.get(f"r-{i}") for i in (0, 1, 2, 19)], [250, 100, 150, None])
        # After a restart too.
        self.restart()
        self.assertEqual(late(1, 150), "STALE")
        self.assertEqual(self.standing()["r-1"], 200)  # written down when it mattered

    def test_a_late_record_that_a_refused_list_lacks(self):
        self.channel.close()
        self.g.stop()
        self.g.settings["lists.shrink_basis_points"] = 200
        self.g.start()
        self.channel = self.g.channel()
        base = rows(self.people)
        self.report(base, 100)
        report = self.report(base[:150], 200, list_id="short")
        self.resolve(report.case_id, refuse=cases_pb2.RefuseDecision())
        self.until_phase("short", 6)
        for person, outcome in ((0, "STALE"), (199, "APPLIED")):
            r = changed(base[person])
            r.version = 150
            self.assertEqual(self.submit([r]), [outcome])

    def test_approved_after_a_newer_list_found_them(self):
        """What a held list lacks was found by a newer one meanwhile, unchanged: it stays."""
        self.channel.close()
        self.g.stop()
        self.g.settings["lists.shrink_basis_points"] = 200
        self.g.start()
        self.channel = self.g.channel()
        base = rows(self.people)
        self.report(base, 100)
        report = self.report(base[:150], 200, list_id="short")
        self.assertEqual(self.report(base[:199], 300).withdrawn, 1)
        self.resolve(report.case_id, approve=cases_pb2.ApproveDecision())
        self.until_phase("short", 5)
        self.assertEqual(len(self.standing()), 199)
        again = self.report(base[:150], 200, list_id="short")
        self.assertEqual((again.withdrawn, again.skipped), (0, 50))

    def test_a_presence_lifts(self):
        base = rows(self.people[:20])
        self.report(base, 100)
        self.report(base[:15], 200)
        report = self.report(base, 300)
        self.counts(report, received=20, unchanged=15, added=5, covered=15)
        self.assertEqual(self.standing()["r-19"], 300)

    def test_a_presence_with_an_old_version_of_its_own_lifts(self):
        base = rows(self.people[:20], version=10)
        self.submit(base)
        self.report(base[:15], 200)
        report = self.report(base, 300)
        self.counts(report, received=20, unchanged=15, added=5, covered=15)
        self.assertEqual([self.standing()[f"r-{i}"] for i in (0, 19)], [10, 300])
        # Again, under another name: as it stands.
        self.counts(self.report(base, 310, list_id="other"), received=20, unchanged=20, covered=20)

    def test_out_of_order(self):
        base = rows(self.people[:20])
        self.report(base, 100)
        newer = base[:18] + rows(self.people[20:22])
        newer[0] = changed(newer[0])
        self.report(newer, 300)
        self.assertEqual(self.submit(rows(self.people[30:31], version=150)), ["APPLIED"])
        # Older than the one before. It lacks what changed and what came since, and what the newer one found unchanged.
        older = base[1:17] + base[18:19]
        older[3] = changed(older[3])
        report = self.report(older, 200)
        self.counts(report, received=17, unchanged=15, stale=2, missing=1, withdrawn=1, covered=21)
        standing = self.standing()
        self.assertEqual([standing.get(f"r-{i}") for i in (0, 4, 17, 18, 20, 30)], [300, 300, 100, None, 300, None])

    def test_repeated(self):
        base = rows(self.people[:50])
        base[3].registration.id_number = "x"
        first = self.report(base, 100, list_id="one")
        head = self.head()
        again = self.report(base, 100, list_id="one")
        self.assertTrue(again.repeated)
        again.repeated = False
        self.assertEqual(again, first)
        self.assertEqual(self.head(), head)
        self.restart()
        self.assertEqual(self.report(base, 100, list_id="one").seq, first.seq)
        # The same name with other content is another list.
        other = self.report(base[:49], 100, list_id="one")
        self.assertFalse(other.repeated)

    def test_twice_at_once(self):
        base = rows([Person(random.Random(i), i) for i in range(4000)])
        reports, errors = [], []

        def one():
            try:
                reports.append(self.report(base, 100, list_id="one", note=False))
            except grpc.RpcError as error:
                errors.append(error)

        threads = [threading.Thread(target=one) for _ in range(3)]
        self.history += lists.history(base, R, 100)
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(errors, [])
        self.assertEqual(len({r.seq for r in reports}), 1)
        self.assertEqual(sorted(r.repeated for r in reports), [False, True, True])
        self.assertEqual({r.added for r in reports}, {4000})


class DryRun(Case):
    def test_the_same_report_and_nothing_written(self):
        base = rows(self.people)
        self.report(base, 100)
        self.submit([changed(r) for r in rows(self.people[:5], version=300)])
        now = rows(self.people[:150]) + rows([Person(random.Random(1), 1000)])
        now[0] = changed(now[0], "别人")
        now[10] = changed(now[10], "别人")
        now[20].registration.id_number = "123"
        now[21].version = 100
        now[21] = changed(now[21])
        for records, as_of in ((now, 200), (base[:196], 210)):
            before, head, spools = self.store_digest(), self.head(), self.spools()
            dry = lists.send(self.channel, records, R, as_of, list_id="dry", dry_run=True)
            self.assertEqual(self.store_digest(), before)
            self.assertEqual((self.head(), self.spools()), (head, spools))
            self.assertEqual((dry.report.pinned_seq, dry.report.dry_run), (head, True))
            real = self.send(records, as_of, list_id="real")
            for r in (dry.report, real.report):
                r.ClearField("list_id")
                r.ClearField("seq")
                r.ClearField("dry_run")
                r.ClearField("case_id")
            self.assertEqual(dry.report, real.report)
            self.assertGreater(dry.report.missing, 0)
            self.assertEqual([(r.index, [q.code for q in r.reasons]) for r in sorted(dry.rejects, key=lambda r: r.index)],
                             [(r.index, [q.code for q in r.reasons]) for r in sorted(real.rejects, key=lambda r: r.index)])


    def test_at_its_pinned_entry(self):
        """Records come all the while: the report is that of the list at pinned_seq, and they are all that is written."""
        base = rows([Person(random.Random(i), i) for i in range(16000)])
        self.report(base, 100)
        newer = [changed(r, "新") for r in base]
        for r in newer:
            r.version = 1000
        slices = iter([newer[i:i + 200] for i in range(0, len(newer), 200)])
        came = {}

        def increments(some, first):
            for records in some:
                client = Client()
                client.add(R, records)
                self.assertTrue(client.run(self.channel))
                self.history += client.history
                acks = [h for h in client.history if h["op"] == "ack"]
                self.assertEqual({h["outcome"] for h in acks}, {"APPLIED"})
                came.update((h["key"], h["seq"]) for h in acks)
                first.set()

        while True:  # until the comparison and the records met
            first = threading.Event()
            dry = Sending(self.channel, lists.steps(base[:-60], R, 200, list_id="dry", dry_run=True))
            dry.send(1 + len(base) // lists.CHUNK)  # all but the end
            thread = threading.Thread(target=increments, args=(list(itertools.islice(slices, 16)), first))
            thread.start()
            self.assertTrue(first.wait(harness.PATIENCE))
            dry.send()
            report = dry.end()
            head = self.head()
            thread.join()
            before = sum(seq <= report.pinned_seq for seq in came.values())
            self.counts(report, received=15940, unchanged=15940 - before, stale=before, missing=60, withdrawn=60,
                        covered=16000)
            if head - report.pinned_seq >= 400:
                break
        self.assertEqual(self.list_row("dry"), None)
        # Nothing but the records was written.
        self.assertEqual(sorted(seq for seq in came.values() if seq > report.pinned_seq),
                         list(range(report.pinned_seq + 1, self.head() + 1)))


class Sending:
    """A list whose messages go one by one, when the test says so."""

    def __init__(self, channel, messages):
        self.messages, self.told, self.report, self.error = queue.Queue(), [], None, None
        self.more = iter(messages)
        self.call = exchange_pb2_grpc.ExchangeServiceStub(channel).Reconcile(iter(self.messages.get, None))
        self.thread = threading.Thread(target=self._hear)
        self.thread.start()

    def _hear(self):
        try:
            for response in self.call:
                kind = response.WhichOneof("told")
                if kind == "progress":
                    self.told.append(response.progress)
                elif kind == "report":
                    self.report = response.report
        except grpc.RpcError as error:
            self.error = error

    def send(self, n=None):
        """So many messages; None: all that are left, and no more."""
        for message in itertools.islice(self.more, n):
            self.messages.put(message)
        if n is None:
            self.messages.put(None)

    def last(self):
        p = self.told[-1] if self.told else x.ReconcileProgress()
        return p.phase, p.compared, p.applied, p.of

    def end(self):
        self.thread.join(harness.PATIENCE)
        if self.error:
            raise self.error
        return self.report


class Progress(Case):
    """While a broker is behind, bulk waits: a list stands still where it is, and shows where."""
    ROWS, CHANGED = 8000, 1200
    # A broker that stands still is not given up before the test is done.
    config = "kafka:\n  settings: {message.timeout.ms: 60000, transaction.timeout.ms: 60000}\n"

    def setUp(self):
        self.broker = self.enterContext(harness.DevBroker())
        self.settings = {"kafka.bootstrap": self.broker.address, "kafka.development": "true"}
        super().setUp()
        self.g.wait_event("relay.connected")
        self.addCleanup(self.broker.process.send_signal, signal.SIGCONT)

    def status(self):
        return admin_pb2_grpc.AdminServiceStub(self.channel).GetStatus(admin_pb2.GetStatusRequest())

    def shown(self):
        """{name: (phase, received, compared, applied, of)} by GetStatus."""
        return {s.list_id: (s.progress.phase, s.progress.received, s.progress.compared, s.progress.applied, s.progress.of)
                for s in self.status().lists}

    def hold(self):
        """The broker stops, and a record waits for it longer than bulk may let it."""
        self.broker.process.send_signal(signal.SIGSTOP)
        self.submit([self.people[0].record("funeral")], "funeral")
        harness.until(lambda: any(m.oldest_age.ToMilliseconds() > 1000 for m in self.status().marks), "the relay to be behind")
        self.assertTrue(self.status().relay.connected)

    def test_every_phase_is_told(self):
        people = [Person(random.Random(i), i) for i in range(self.ROWS)]
        base = rows(people)
        self.report(base, 100)
        now = base[:-50]
        now[:self.CHANGED] = [changed(r) for r in now[:self.CHANGED]]
        self.history += lists.history(now, R, 200)
        first = Sending(self.channel, lists.steps(now, R, 200, list_id="one", declared=len(now)))
        user, name = cli.User(self.g), "tester/registration"
        # It comes.
        first.send(5)
        wanted = (x.LIST_PHASE_RECEIVING, 4 * lists.CHUNK, 0, 0, len(now))
        harness.until(lambda: self.shown().get("one") == wanted, "what has come to be shown")
        self.assertIn(f"{name} one: RECEIVING, 2000 received, 0 compared, 0 applied, of 7950\n", user("status").out)
        # It is compared until as much is new as one ticket of the writer holds; another list waits behind it.
        self.hold()
        first.send()
        held = harness.until(lambda: (s := self.shown().get("one")) and s[0] == x.LIST_PHASE_COMPARING and s[2] and s,
                             "the comparison to begin")
        self.assertEqual((held[1], held[3], held[4]), (len(now), 0, len(now)))
        second = Sending(self.channel, lists.steps(base[:7940], R, 300, list_id="two"))
        second.send()
        harness.until(lambda: self.shown().get("two") == (x.LIST_PHASE_RECEIVED, 7940, 0, 0, 7940), "the other one to wait")
        held = self.shown()["one"]
        self.assertTrue(0 < held[2] < self.ROWS - 1000, held)
        out = user("status").out
        self.assertIn(f"{name} one: COMPARING, 7950 received, {held[2]} compared, 0 applied, of 7950\n", out)
        self.assertIn(f"{name} two: RECEIVED, 7940 received, 0 compared, 0 applied, of 7940\n", out)
        self.assertEqual(self.shown()["one"], held)  # nor did it move meanwhile
        # Their senders hear the same.
        harness.until(lambda: first.last() == (x.LIST_PHASE_COMPARING, held[2], 0, len(now)), "the sender to hear it")
        harness.until(lambda: second.last()[0] == x.LIST_PHASE_RECEIVED, "the other one to hear it")
        self.assertEqual((first.report, second.report), (None, None))
        self.broker.process.send_signal(signal.SIGCONT)
        self.counts(first.end(), received=7950, unchanged=6750, changed=1200, missing=50, withdrawn=50, covered=8000)
        self.counts(second.end(), received=7940, unchanged=6740, changed=1200, missing=10, withdrawn=10, covered=7950)
        self.history += lists.history(base[:7940], R, 300)
        self.assertEqual(self.shown(), {})
        for one in (first, second):
            self.in_order(one)

    def in_order(self, sending):
        order = [x.LIST_PHASE_RECEIVING, x.LIST_PHASE_RECEIVED, x.LIST_PHASE_COMPARING, x.LIST_PHASE_WITHDRAWING,
                 x.LIST_PHASE_HELD, x.LIST_PHASE_DONE]
        places = [order.index(p.phase) for p in sending.told]
        self.assertEqual(places, sorted(places))
        for a, b in itertools.pairwise(sending.told):
            self.assertNotEqual(a, b)  # only what is new
            if a.phase == b.phase:
                self.assertEqual(a.of, b.of)
                self.assertLessEqual((a.received, a.compared, a.applied), (b.received, b.compared, b.applied))
                self.assertTrue(a.compared <= b.compared and a.applied <= b.applied)
        for p in sending.told:
            self.assertEqual(p.received, sending.report.received)
            self.assertLessEqual(max(p.compared if p.phase == x.LIST_PHASE_COMPARING else 0, p.applied), p.of)
            if p.phase in (x.LIST_PHASE_RECEIVED, x.LIST_PHASE_COMPARING):
                self.assertEqual(p.of, sending.report.received)
            elif p.phase == x.LIST_PHASE_WITHDRAWING:
                self.assertEqual(p.of, sending.report.missing)


class Together(Case):
    def test_deaths_do_not_wait_for_a_list(self):
        people = [Person(random.Random(i), i) for i in range(8000)]
        base = rows(people)
        self.report(base, 100)
        more = [changed(r) for r in base]
        done = threading.Event()
        result = []

        def list_thread():
            result.append(self.report(more, 200))
            done.set()

        thread = threading.Thread(target=list_thread)
        thread.start()
        waits = []
        number = 0
        while not done.is_set() or number < 20:
            death = Person(random.Random(90000 + number), 90000 + number).record("funeral")
            began = time.monotonic()
            self.assertEqual(self.submit([death], "funeral"), ["APPLIED"])
            waits.append(time.monotonic() - began)
            number += 1
        thread.join()
        self.counts(result[0], received=8000, changed=8000, covered=8000)
        self.assertLess(sorted(waits)[int(len(waits) * 0.99)], 2.0)

    def test_records_while_a_list_is_applied(self):
        """Whatever comes meanwhile, newer records stand, and nothing that came is withdrawn."""
        base = rows([Person(random.Random(i), i) for i in range(3000)])
        self.report(base, 100)
        stop = threading.Event()
        newer = []

        def increments():
            rng = random.Random(8)
            while not stop.is_set():
                r = changed(base[rng.randrange(len(base))], "新")
                r.version = 1000 + len(newer)
                self.submit([r])
                newer.append(r)

        thread = threading.Thread(target=increments)
        thread.start()
        harness.until(lambda: len(newer) > 5, "records")
        for i in range(1, 4):
            self.report([changed(r, f"第{i}") for r in base[:-1]], 100 + i)
        stop.set()
        thread.join()
        self.people = [Person(random.Random(i), i) for i in range(3000)]
        standing = self.standing()
        last = {r.source_key: r.version for r in newer}
        for key, version in last.items():
            self.assertEqual(standing[key], version)


class CommandLine(Case):
    def csv(self, name, records, version=False):
        path = os.path.join(self.g.place, name)
        head = "source_key,id_number,name,address_region,registration_status" + (",version" if version else "")
        return cli.write_csv(path, head, *(
            f"{r.source_key},{r.registration.id_number},{r.registration.name},{r.registration.address_region},NORMAL" +
            (f",{r.version}" if version else "") for r in records))

    def tearDown(self):
        self.history = None
        super().tearDown()

    def test_reconcile(self):
        user = cli.User(self.g)
        base = rows(self.people)
        done = user("reconcile", self.csv("a.csv", base), "--dataset", R, "--as-of", 100, "--taken-at",
                    "2026-03-02T08:00:00+08:00")
        self.assertEqual(done.status, 0, done)
        of_it = [d for d in user("status", "--json").json()[0]["datasets"] if d["source"]["dataset"] == R]
        self.assertEqual([d["source"]["event_time"] for d in of_it], ["2026-03-02T00:00:00.000000Z"])
        self.assertIn("added 200", done.out)
        short = base[:150]
        short[0] = changed(short[0])
        short[1].registration.id_number = "1234"
        path = self.csv("b.csv", short)
        dry = user("reconcile", path, "--dataset", R, "--as-of", 200, "--dry-run", "--json")
        self.assertEqual(dry.status, 0, dry)
        self.assertEqual((dry.json()[0]["changed"], dry.json()[0]["missing"]), ("1", "50"))
        done = user("reconcile", path, "--dataset", R, "--as-of", 200, "--strict")
        self.assertEqual(done.status, 65, done)
        self.assertIn("b.csv:3:", done.err)
        self.assertIn("held by the shrink guard: case ", done.out)
        case = done.out.split("case ")[1].split()[0]
        shown = user("case", "show", case)
        self.assertIn("lacks 50 of them (25.00 %)", shown.out)
        self.assertIn("APPROVE REFUSE", shown.out)
        self.assertEqual(user("case", "resolve", case, "--approve", "--refuse").status, 64)
        self.assertEqual(user("case", "resolve", case, "--approve", "--note", "seen").status, 0)
        self.until_phase("b.csv@200", 5)
        self.assertEqual(len(self.standing()), 150)

    def test_what_the_command_refuses(self):
        user = cli.User(self.g)
        base = rows(self.people[:3])
        path = self.csv("a.csv", base)
        for arguments, status in ((("-",), 64), (("nowhere.csv",), 66)):
            self.assertEqual(user("reconcile", *arguments, "--dataset", R, "--as-of", 5).status, status)
        self.assertEqual(user("reconcile", path, "--dataset", R).status, 64)
        self.assertEqual(user("reconcile", path, "--dataset", R, "--as-of", 5, "--taken-at", "20260302").status, 64)
        self.assertEqual(user("reconcile", path, "--dataset", R, "--as-of", 5, "--region", "x").status, 65)
        several = user("reconcile", path, self.csv("b.csv", rows(self.people[3:9]), version=True), "--dataset", R,
                       "--as-of", 5, "--json")
        self.assertEqual(several.json()[0]["added"], "9", several)


if __name__ == "__main__":
    harness.main()
