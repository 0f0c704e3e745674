#!/usr/bin/python3
"""A dry run of records, and `eldergate agency test`: what would become of it, and that nothing does."""
import contextlib
import os
import signal
import socket
import sqlite3
import unittest

import bus
import harness
from harness import PATIENCE
import observe
import secure
from cli import run
import grpc
from eldergate.v1 import elder_pb2 as e, exchange_pb2 as x, exchange_pb2_grpc


def rows(gateway):
    """How many rows each table has: without a row more, nothing was written."""
    db = sqlite3.connect(f"file:{os.path.join(gateway.data, 'eldergate.db')}?mode=ro", uri=True)
    tables = [name for name, in db.execute("select name from sqlite_master where type = 'table'")]
    found = {t: db.execute(f"select count(*) from \"{t}\"").fetchone()[0] for t in tables if t != "checkpoint"}
    db.close()
    return found


class DryRun(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = g = secure.Gateway()
        cls.police = g.agency("police")
        cls.limited = g.agency("limited", {"other": "registration"})
        g.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()

    def submit(self, *records, dry_run=False, dataset="household", who=None):
        request = x.SubmitRequest(batch_id="b", dataset=dataset, records=records, dry_run=dry_run)
        stub = exchange_pb2_grpc.ExchangeServiceStub(self.gateway.to(who or self.police))
        return next(iter(stub.Submit(iter([request]), timeout=PATIENCE))).receipt

    def test_it_tells_what_then_happens_and_writes_nothing(self):
        made = secure.registration
        newer = made(7, former_name="王安")
        newer.version += 1
        older = made(7)
        older.version -= 1
        void = e.Record(source_key=made(7).source_key, version=made(7).version, operation=e.OPERATION_VOID)
        void.registration.SetInParent()
        faulty = made(8)
        faulty.registration.id_number = "1.10105E+17"
        other = made(7, former_name="王康")
        mistaken = e.Record(source_key="k", version=1, operation=e.OPERATION_ASSERT, funeral=e.Funeral(name="王安"))
        nothing = e.Record()
        for record, outcome in ((made(7), x.OUTCOME_APPLIED), (made(7), x.OUTCOME_UNCHANGED), (other, x.OUTCOME_QUARANTINED),
                                (newer, x.OUTCOME_APPLIED), (older, x.OUTCOME_STALE), (faulty, x.OUTCOME_QUARANTINED),
                                (mistaken, x.OUTCOME_QUARANTINED), (nothing, x.OUTCOME_QUARANTINED),
                                (void, None), (void, x.OUTCOME_UNCHANGED)):
            before, log = rows(self.gateway), self.gateway.log_text()
            told = self.submit(record, dry_run=True)
            self.assertEqual(rows(self.gateway), before)
            self.assertEqual(self.gateway.log_text(), log)
            done = self.submit(record)
            self.assertTrue(told.dry_run)
            self.assertFalse(done.dry_run)
            self.assertEqual((told.log_id, told.first_seq, told.last_seq), (done.log_id, 0, 0))
            self.assertEqual(told.pinned_seq, before["log"])
            self.assertFalse(told.HasField("commit_time"))
            t, d = told.results[0], done.results[0]
            self.assertEqual(t.outcome, d.outcome)
            self.assertEqual([(r.code, r.field) for r in t.reasons], [(r.code, r.field) for r in d.reasons])
            self.assertEqual(t.seq, d.seq if d.outcome == x.OUTCOME_UNCHANGED else 0)
            self.assertEqual(list(t.case_ids), [])
            if outcome is not None:
                self.assertEqual(t.outcome, outcome)

    def test_each_by_itself(self):
        a, b = secure.registration(20), secure.registration(20, former_name="王梅")
        told = self.submit(a, b, secure.registration(21), dry_run=True)
        self.assertEqual([(r.index, r.outcome) for r in told.results], [(n, x.OUTCOME_APPLIED) for n in range(3)])

    def test_refused_as_ever(self):
        for who, dataset, reason in ((self.limited, "household", "DATASET_NOT_PERMITTED"),
                                     (self.police, "none", "DATASET_UNKNOWN")):
            told = self.submit(secure.registration(1), dry_run=True, dataset=dataset, who=who)
            self.assertEqual(secure.details_of(told.status)[0], reason)
            self.assertFalse(told.results)
        told = self.submit(dry_run=True)
        self.assertEqual(secure.details_of(told.status)[0], "BATCH_EMPTY")

    def test_beside_real_batches_of_one_stream(self):
        def requests():
            for n in range(60):
                yield x.SubmitRequest(batch_id=f"b{n}", dataset="household", dry_run=n % 2 == 0,
                                      records=[secure.registration(1000 + n)])
        stub = exchange_pb2_grpc.ExchangeServiceStub(self.gateway.to(self.police))
        before = rows(self.gateway)["source_key"]
        receipts = {r.receipt.batch_id: r.receipt for r in stub.Submit(requests(), timeout=PATIENCE)}
        self.assertEqual({n: receipts[f"b{n}"].dry_run for n in range(60)}, {n: n % 2 == 0 for n in range(60)})
        self.assertEqual(rows(self.gateway)["source_key"], before + 30)


class Backlog(unittest.TestCase):
    def test_a_dry_run_does_not_wait_for_what_is_not_published(self):
        with harness.DevBroker() as broker, secure.Gateway({"kafka.bootstrap": broker.address,
                                                            "kafka.development": "true"}) as g:
            police = g.agency("police")
            g.start()
            g.wait_event("relay.connected")
            stub = exchange_pb2_grpc.ExchangeServiceStub(g.to(police))
            numbers = iter(range(1, 10000))

            def submit(seconds, dry_run=False):
                request = x.SubmitRequest(batch_id="b", dataset="household", lane=x.LANE_BULK, dry_run=dry_run,
                                          records=[secure.registration(next(numbers))])
                return next(iter(stub.Submit(iter([request]), timeout=seconds))).receipt

            def behind():
                try:
                    return submit(1) is None
                except grpc.RpcError as fault:
                    self.assertEqual(fault.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
                    return True
            self.assertEqual(submit(20).results[0].outcome, x.OUTCOME_APPLIED)
            broker.process.send_signal(signal.SIGSTOP)
            try:
                harness.until(behind, "the relay to be behind, so that bulk waits")
                told = submit(20, dry_run=True)
                self.assertTrue(behind(), "it was answered while bulk still waits")
            finally:
                broker.process.send_signal(signal.SIGCONT)
            self.assertEqual([(r.index, r.outcome) for r in told.results], [(0, x.OUTCOME_APPLIED)])


class Trial(unittest.TestCase):
    """Each fault is made in turn; the step that meets it says so, and what to do."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = g = bus.Gateway({"limits.query_timeout": "5s"})
        cls.key = g.adapter("police", grants={"care": []})
        cls.mine = g.identity("local", ["agency"], {"home": "funeral"}, {"care": []}, uid=os.getuid())
        cls.tls = g.agency("office", {"office": "registration"}, {"care": []})
        cls.reader = g.identity("reader", ["subscriber"], grants={"care": []})
        cls.stranger = g.stranger()
        g.start()
        for who in (cls.tls, cls.reader, cls.stranger):
            g.write(f"{who.name}.pem", who.certificate)
            g.write(f"{who.name}.key", who.key)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()

    def trial(self, *arguments, who=None, server=None, **more):
        g = self.gateway
        if who:
            more["files"] = [g.path(n) for n in ("ca.pem", f"{who.name}.pem", f"{who.name}.key")]
            server = server or f"localhost:{g.port}"
        return run("agency", "test", *arguments, server=server or "unix:" + g.socket, **more)

    def vain(self, *arguments, **more):
        """One that waits for an answer in vain."""
        return self.trial("--timeout", 3, *arguments, **more)

    def well(self, r, *words):
        self.assertEqual((r.status, r.err), (0, ""), r)
        for word in words + ("all is well",):
            self.assertIn(word, r.out)
        self.assertNotIn("FAIL", r.out)

    def fails(self, r, step, *words, status=None):
        self.assertNotEqual(r.status, 0, r)
        if status is not None:
            self.assertEqual(r.status, status, r)
        line = [line for line in r.out.splitlines() if line.startswith("  FAIL")]
        self.assertEqual(len(line), 1, r)
        self.assertEqual(line[0].split()[1], step, r)
        self.assertNotIn("all is well", r.out)
        for word in words:
            self.assertIn(word, r.out)

    def test_all_ways(self):
        before = rows(self.gateway)
        self.well(self.trial("--dataset", "home", "--section", "funeral"), "the socket", "knows us", "APPLIED")
        self.well(self.trial("--dataset", "office", "--section", "registration", who=self.tls), "127.0.0.1", "TLS is agreed")
        bus_options = ("--server-key", self.gateway.server_key, "--key-file", self.key.file)
        for address in (self.gateway.tcp, self.gateway.ipc):
            self.well(self.trial("--dataset", "household", "--section", "registration", "--bus", address, *bus_options),
                      "ok    address")
        self.assertEqual(rows(self.gateway), before, "nothing of it is kept")
        self.well(self.trial("--dataset", "home", "--section", "funeral", "--purpose", "care"), "it may be asked for")
        after = rows(self.gateway)
        self.assertEqual(after.pop("log"), before.pop("log") + 1, "the read is in the log, as any")
        self.assertEqual({t: n for t, n in after.items() if t in ("person", "source_key", "cases")},
                         {t: n for t, n in before.items() if t in ("person", "source_key", "cases")})

    def test_every_section(self):
        for section in harness.SECTIONS:
            r = self.trial("--dataset", "home", "--section", section)
            if section == "funeral":
                self.well(r)
            else:
                self.fails(r, "record", "is not of the section", "would not be taken", status=65)

    def test_json(self):
        r = self.trial("--dataset", "home", "--section", "funeral", "--json")
        self.assertEqual(r.status, 0, r)
        receipt, = r.json()
        self.assertTrue(receipt["dry_run"])
        self.assertEqual(receipt["results"][0]["outcome"], "OUTCOME_APPLIED")
        r = self.trial("--dataset", "home", "--section", "care", "--json")
        self.assertEqual((r.status, len(r.json())), (65, 1), r)

    def test_address(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            closed = s.getsockname()[1]
        self.fails(self.trial("--dataset", "home", "--section", "funeral", server="unix:/nonexistent/s"), "address",
                   "listen.unix", status=69)
        self.fails(self.trial("--dataset", "d", "--section", "care", who=self.tls, server="no.such.name.invalid:7443"),
                   "address", "has no address", "DNS", status=69)
        self.fails(self.trial("--dataset", "d", "--section", "care", who=self.tls, server=f"127.0.0.1:{closed}"), "address",
                   "refused", "listen.tls", status=69)
        self.fails(self.trial("--dataset", "d", "--section", "care", "--bus", f"tcp://127.0.0.1:{closed}", "--server-key",
                              self.gateway.server_key, "--key-file", self.key.file), "address", "refused", status=69)

    def test_sockets_without_an_answer(self):
        g, base = self.gateway, ("--dataset", "home", "--section", "funeral")
        on_bus = ("--dataset", "household", "--section", "registration", "--server-key", g.server_key, "--key-file",
                  self.key.file)
        self.fails(self.trial(*on_bus, "--bus", "ipc:///nonexistent/b"), "address", "listen.bus", status=69)
        g.process.send_signal(signal.SIGSTOP)
        try:
            r = self.vain(*base)
        finally:
            g.process.send_signal(signal.SIGCONT)
        self.fails(r, "connection", "does not answer", "loop.stuck", status=69)
        self.assertNotIn("TLS", r.out)
        path = g.path("full")
        with contextlib.ExitStack() as left:
            full = left.enter_context(socket.socket(socket.AF_UNIX))
            full.bind(path)
            full.listen(0)
            with self.assertRaises(BlockingIOError):  # until its queue takes no more
                while True:
                    s = left.enter_context(socket.socket(socket.AF_UNIX))
                    s.setblocking(False)
                    s.connect(path)
            self.fails(self.vain(*base, server="unix:" + path), "address", "takes no connection", "loop.stuck", status=69)
        self.fails(self.trial(*base, server="unix:" + path), "address", "has ended", status=69)

    def test_certificates(self):
        g, base = self.gateway, ("--dataset", "office", "--section", "registration")
        foreign = secure.Authority("foreign")
        certificate, key, _ = foreign.issue("foreign")
        g.write("foreign.pem", certificate)
        g.write("foreign.key", key)
        g.write("foreign-ca.pem", foreign.pem)
        files = [g.path(n) for n in ("ca.pem", "office.pem", "office.key")]
        server = f"localhost:{g.port}"
        self.fails(self.trial(*base, server=server, files=[files[0], g.path("foreign.pem"), files[2]]), "certificate",
                   "not one of this key")
        self.fails(self.trial(*base, server=server, files=[files[0], g.path("none.pem"), files[2]]), "certificate", "none.pem")
        self.fails(self.vain(*base, server=server, files=[g.path("foreign-ca.pem"), *files[1:]]), "connection", "--ca")
        self.fails(self.vain(*base, "--server-name", "other.example", server=server, files=files), "connection",
                   "--server-name")
        self.fails(self.vain(*base, server=server, files=[files[0], g.path("foreign.pem"), g.path("foreign.key")]),
                   "connection", "tls.client_ca")
        port = observe.free_port()
        with socket.socket() as no_tls:  # answers, but speaks no TLS
            no_tls.bind(("127.0.0.1", port))
            no_tls.listen()
            self.fails(self.vain(*base, server=f"localhost:{port}", files=files), "connection", "listen.tls")

    def test_identity(self):
        pin = secure.hashlib.sha256(secure.x509.load_pem_x509_certificate(self.stranger.certificate).public_key().public_bytes(
            secure.serialization.Encoding.DER, secure.serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
        self.fails(self.trial("--dataset", "office", "--section", "registration", who=self.stranger), "identity",
                   f"pin: sha256:{pin}", "reload")
        self.fails(self.trial("--dataset", "office", "--section", "registration", who=self.reader), "identity",
                   "roles: [agency]")

    def test_dataset_and_purpose(self):
        self.fails(self.trial("--dataset", "office", "--section", "funeral"), "dataset", "DATASET_NOT_PERMITTED", "submit:")
        self.fails(self.trial("--dataset", "nobodys", "--section", "funeral"), "dataset", "DATASET_UNKNOWN", "submit:")
        self.fails(self.trial("--dataset", "home", "--section", "funeral", "--purpose", "other"), "purpose",
                   "PURPOSE_NOT_PERMITTED", "read:")

    def test_bus_keys(self):
        g, base = self.gateway, ("--dataset", "household", "--section", "registration", "--bus", self.gateway.tcp)
        stranger, other = bus.Key(g.place, "stranger"), bus.Key(g.place, "other")
        self.fails(self.vain(*base, "--server-key", g.server_key, "--key-file", stranger.file), "identity", "`curve:`")
        self.fails(self.vain(*base, "--server-key", other.public, "--key-file", self.key.file), "identity", "--server-key")
        self.fails(self.trial(*base, "--server-key", g.server_key, "--key-file", g.path("none.curve")), "identity",
                   "none.curve")

    def test_wrong_use(self):
        for arguments, word in ((("--dataset", "home"), "--section"), (("--section", "care"), "--dataset"),
                                (("--dataset", "care", "--bus", "tcp://a:1"), "--server-key"),
                                (("--dataset", "care", "--bus", "tcp://a:1", "--server-key", "k", "--key-file", "f",
                                  "--purpose", "p"), "--purpose")):
            r = self.trial(*arguments)
            self.assertEqual(r.status, 64, r)
            self.assertIn(word, r.err)


if __name__ == "__main__":
    harness.main()
