#!/usr/bin/python3
"""What a gateway tells its operators: metrics in the Prometheus text format, log lines of stable names, health."""
import glob
import json
import os
import re
import unittest
import urllib.error
import urllib.request

import harness
from harness import PATIENCE
import observe
import secure
import grpc
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc

# Operators' alerts and searches hang on these names: one may be added, none renamed.
EVENTS = """
    bus.frame_not_written bus.listening bus.peer_refused bus.wake_failed
    call.failed conf.restart_needed crypto.failed daemon.draining daemon.fatal daemon.ready daemon.start_failed daemon.stopped dataset.late
    dataset.look_failed dataset.on_time dataset.silent fault.bad_setting
    feed.delivery_not_logged grpc.arm_refused grpc.batch_refused grpc.core kafka.client
    list.begun list.ended list.interrupted list.lost list.no_reader list.not_ended list.not_kept list.not_resumed list.not_tidied
    list.step_failed list.stopped list.ticket_failed local.connection_dropped local.wait_failed
    loop.stuck loop.turns manager.not_told
    policy.reload_refused policy.reloaded refusals.not_logged relay.connected relay.disconnected relay.halted relay.off
    relay.unsettled
    store.checkpoint_blocked store.checkpoint_failed store.close_failed store.copy_failed store.copy_slow store.no_reserve store.readers_left
    store.reserve_spent store.rollback_failed tls.loaded tls.port_answers tls.port_dead tls.reload_refused
    writer.checkpoint_failed writer.commit_failed writer.fatal
""".split()
LEVELS = ("debug", "info", "warn", "error")
GOOD = """# HELP a_total One \\\\ two\\nthree.
# TYPE a_total counter
a_total{x="q\\"\\\\\\n",y="2"} 3
# HELP h Time.
# TYPE h histogram
h_bucket{le="0.1"} 1
h_bucket{le="+Inf"} 2
h_sum 0.5
h_count 2
"""


class Format(unittest.TestCase):
    """The reader itself, so that what it lets through means something."""

    def test_good(self):
        families = observe.parse(GOOD)
        self.assertEqual(families["a_total"].samples, {("a_total", (("x", 'q"\\\n'), ("y", "2"))): 3})
        self.assertEqual(families["a_total"].help, "One \\ two\nthree.")

    def test_bad(self):
        for old, new in (("# TYPE a_total counter\n", ""), ("counter", "count"), ('a_total{x="', 'a_total{x='),
                         ('",y=', '" y='), (",y=", ",x="), ("} 3", "} three"), ("} 3", "} 3 "), ("\\\\ two", "\\q two"),
                         ("a_total", "a"), ('le="0.1"} 1', 'le="0.1"} 3'), ('le="+Inf"} 2', 'le="9"} 2'),
                         ("h_count 2", "h_count 3"), ("h_sum 0.5\n", ""), ("h_count 2\n", "h_count 2"),
                         ("h_count 2", "h_count 2\nh_count 2"), ('{le="0.1"}', ""), ("# HELP h", "# HELP 9h")):
            self.assertIn(old, GOOD)
            with self.assertRaises(observe.Wrong, msg=f"{old!r} as {new!r}"):
                observe.parse(GOOD.replace(old, new))


class Linter(unittest.TestCase):
    """The linter tells good names from bad: promtool's own rules."""

    def complaints(self, name, kind="gauge", labels=""):
        return observe.lint(f"# HELP {name} Some.\n# TYPE {name} {kind}\n{name}{labels} 1\n")

    def test_good(self):
        self.assertEqual(observe.lint(GOOD.replace("h_", "wait_seconds_").replace(" h ", " wait_seconds ")), [])
        for name, kind in (("a_total", "counter"), ("a_seconds", "gauge"), ("a_bytes", "gauge"), ("discounts", "gauge")):
            self.assertEqual(self.complaints(name, kind), [])

    def test_bad(self):
        for name, kind, labels, word in (
                ("a_milliseconds", "gauge", "", "base unit seconds"), ("a_kilobytes_total", "counter", "", "base unit bytes"),
                ("a_hours", "gauge", "", "base unit seconds"), ("a_ms", "gauge", "", "abbreviation"),
                ("a_total", "gauge", "", "_total"), ("a_count", "gauge", "", "_count"), ("a_bucket", "gauge", "", "_bucket"),
                ("a_gauge", "gauge", "", "type"), ("a_counter_total", "counter", "", "type"), ("a:b", "gauge", "", "colons"),
                ("aB", "gauge", "", "snake_case"), ("a", "gauge", '{someLabel="1"}', "snake_case"),
                ("a", "gauge", '{le="1"}', "reserved"), ("a", "gauge", '{quantile="1"}', "reserved"),
                ("a", "untyped", "", "no type")):
            told = self.complaints(name, kind, labels)
            self.assertTrue(told and word in told[0], (name, told))
        self.assertIn("help", observe.lint("# HELP one X.\n# TYPE one gauge\none 1\n# HELP two X.\n# TYPE two gauge\ntwo 1\n")[0])


class Observability(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.broker = harness.DevBroker()
        cls.port = observe.free_port()
        cls.gateway = g = secure.Gateway({"listen.metrics": f"127.0.0.1:{cls.port}", "writer.checkpoint": "50ms",
                                          "kafka.bootstrap": cls.broker.address, "kafka.development": "true",
                                          "log.level": "debug"})
        cls.police = g.agency("police", grants={"check": ["registration.name"]})
        cls.platform = g.identity("platform", ["subscriber"], grants={"care": []})
        g.start()
        cls.exchange = exchange_pb2_grpc.ExchangeServiceStub(g.to(cls.police))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.__exit__(None, None, None)
        cls.broker.stop()

    def metric(self, name, **labels):
        return observe.metric(self.port, name, **labels)

    def submit(self, *records):
        request = x.SubmitRequest(batch_id="b", dataset="household", records=records)
        return next(iter(self.exchange.Submit(iter([request]), timeout=PATIENCE))).receipt

    # ---- metrics ----

    def test_every_metric_of_the_table_is_there(self):
        kind, body = observe.fetch(self.port)
        self.assertEqual(kind, "text/plain; version=0.0.4; charset=utf-8")
        families = observe.parse(body)
        with open(os.path.join(harness.ROOT, "gateway", "base", "metrics.def"), encoding="utf-8") as table:
            rows = re.findall(r'^X\(\w+, (\w+), "(\w+)", "(\w*)", "(.*)"\)$', table.read(), re.M)
        self.assertGreater(len(rows), 15)
        self.assertEqual({(n, k.lower(), h) for k, n, _, h in rows},
                         {(v.name, v.kind, v.help) for v in families.values()})
        for _, name, label, _ in rows:
            for _, labels in families[name].samples:
                self.assertEqual([n for n, _ in labels if n != "le"], [label] if label else [])

    def test_names_are_as_promtool_wants_them(self):
        self.assertEqual(observe.lint(observe.fetch(self.port)[1]), [])

    def test_counters_move_with_what_happens(self):
        names = [("eldergate_records_total", {"outcome": "applied"}), ("eldergate_batches_total", {"agency": "police"}),
                 ("eldergate_commits_total", {}), ("eldergate_commit_entries_total", {}), ("eldergate_persons", {}),
                 ("eldergate_log_seq", {}), ("eldergate_relay_events_total", {}), ("eldergate_records_total",
                                                                                  {"outcome": "unchanged"})]
        before = [self.metric(n, **labels) for n, labels in names]
        records = [secure.registration(n) for n in range(100, 110)]
        self.submit(*records)
        self.submit(*records)
        harness.until(lambda: self.metric("eldergate_relay_events_total") >= before[6] + 10, "the relay")
        moved = [self.metric(n, **labels) - was for (n, labels), was in zip(names, before)]
        self.assertEqual((moved[0], moved[1], moved[4], moved[6], moved[7]), (10, 2, 10, 10, 10))
        self.assertGreaterEqual(moved[2], 2)
        self.assertEqual(moved[3], moved[5])
        harness.until(lambda: self.metric("eldergate_mark_seq", mark="kafka") >= before[5] + 10, "the mark")
        harness.until(lambda: self.metric("eldergate_unpublished_entries") == 0, "no backlog")
        self.assertEqual(self.metric("eldergate_oldest_unpublished_seconds"), 0)
        self.assertGreater(self.metric("eldergate_dataset_lag_seconds", dataset="police/household"), 10 ** 6)
        # The writer goes on by itself: it signs the log, and keeps the mark.
        wal = os.path.join(self.gateway.data, "eldergate.db-wal")
        harness.until(lambda: self.metric("eldergate_wal_bytes") == observe.size(wal), "the size of the WAL")

        def counts():
            families = observe.parse(observe.fetch(self.port)[1])
            return (families["eldergate_commit_seconds"].samples["eldergate_commit_seconds_count", ()],
                    families["eldergate_commits_total"].samples["eldergate_commits_total", ()])
        harness.until(lambda: len(set(counts())) == 1, "each commit to be timed")

    def test_refusals_and_errors(self):
        def now():
            return (self.metric("eldergate_refusals_total", reason="DATASET_UNKNOWN"),
                    self.metric("eldergate_refusals_total", reason="PURPOSE_NOT_PERMITTED"),
                    self.metric("eldergate_grpc_errors_total", code="PERMISSION_DENIED"),
                    self.metric("eldergate_grpc_calls_total", method="GetElder"))
        before = now()
        request = x.SubmitRequest(batch_id="b", dataset="none", records=[secure.registration(1)])
        list(self.exchange.Submit(iter([request]), timeout=PATIENCE))
        with self.assertRaises(grpc.RpcError):
            self.exchange.GetElder(x.GetElderRequest(purpose="other"), timeout=PATIENCE)
        self.assertEqual(tuple(a - b for a, b in zip(now(), before)), (1, 1, 1, 1))

    def test_open_cases_and_subscribers(self):
        conflict = [secure.registration(200), secure.registration(200, former_name="王春秋")]
        cases = self.metric("eldergate_open_cases", kind="VERSION_CONFLICT")
        self.assertEqual([r.outcome for c in conflict for r in self.submit(c).results],
                         [x.OUTCOME_APPLIED, x.OUTCOME_QUARANTINED])
        self.assertEqual(self.metric("eldergate_open_cases", kind="VERSION_CONFLICT"), cases + 1)
        call = feed_pb2_grpc.FeedServiceStub(self.gateway.to(self.platform)).Subscribe(
            f.SubscribeRequest(start=f.FeedStart(snapshot=f.SnapshotStart()), purpose="care"))
        next(call)
        self.assertEqual(self.metric("eldergate_subscribers"), 1)
        call.cancel()
        harness.until(lambda: self.metric("eldergate_subscribers") == 0, "its end")

    def test_a_hostile_reader_cannot_make_labels(self):
        before = set(observe.parse(observe.fetch(self.port)[1])["eldergate_grpc_calls_total"].samples)
        for n in range(50):
            with self.assertRaises(grpc.RpcError):
                self.gateway.to(self.police).unary_unary(f"/eldergate.v1.ExchangeService/M{n}")(b"", timeout=PATIENCE)
        after = set(observe.parse(observe.fetch(self.port)[1])["eldergate_grpc_calls_total"].samples)
        self.assertLessEqual(len(after - before), 1)

    # ---- health ----

    def test_healthz(self):
        self.assertEqual(observe.fetch(self.port, "/healthz"), ("text/plain", "ok\n"))
        for path, method, code in (("/none", "GET", 404), ("/metrics", "POST", 405)):
            with self.assertRaises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method),
                                       timeout=PATIENCE)
            self.assertEqual(caught.exception.code, code)
            caught.exception.close()

    def test_the_health_service(self):
        check = self.gateway.to(self.police).unary_unary("/grpc.health.v1.Health/Check")
        for service in (b"", b"eldergate.v1.FeedService"):
            body = b"\x0a" + bytes([len(service)]) + service if service else b""
            self.assertEqual(check(body, timeout=PATIENCE), b"\x08\x01")

    # ---- the log ----

    def test_log_lines(self):
        with harness.Gateway({"log.level": "debug"}) as other:  # one whole life
            self.assertEqual(other.stop(), 0)
        lines = self.gateway.log_text().splitlines()
        self.assertGreater(len(lines), 2)
        for line in lines:
            told = json.loads(line)
            self.assertEqual(list(told)[:4], ["time", "level", "event", "program"], line)
            self.assertRegex(told["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assertIn(told["level"], LEVELS)
            self.assertIn(told["event"], EVENTS)
            self.assertEqual(told["program"], "eldergated")

    def test_names_of_events(self):
        named = set()
        for path in glob.glob(os.path.join(harness.ROOT, "gateway", "**", "*.c"), recursive=True):
            if os.sep + "cli" + os.sep not in path:
                with open(path, encoding="utf-8") as source:
                    named |= set(re.findall(r'\beg_log(?:_err)?\([^";{]*"([^"]*)"', source.read()))
        self.assertFalse(set(EVENTS) - named, "events that are gone")
        self.assertFalse(named - set(EVENTS), "events that this list does not know")
        for name in named:
            self.assertRegex(name, r"^[a-z]+\.[a-z_]+$")


if __name__ == "__main__":
    harness.main()
