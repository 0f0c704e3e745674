#!/usr/bin/python3
"""A dataset that is late, or silent, is told: in the log, in the metrics, by GetStatus. A link that is up proves nothing."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "crash"))
import harness
import lists
import observe
import secure
from eldergate.v1 import admin_pb2, admin_pb2_grpc, exchange_pb2 as x, exchange_pb2_grpc

RHYTHM, SKEW = 3, 24 * 3600  # seconds


class Rhythm(unittest.TestCase):
    def setUp(self):
        self.port = observe.free_port()
        self.gateway = g = secure.Gateway({"datasets.tolerance": "100", "datasets.look": "100ms",
                                           "listen.metrics": f"127.0.0.1:{self.port}"})
        self.addCleanup(g.__exit__)
        self.police = g.agency("police", {"household": "registration"})
        self.admin = g.identity("admin", ["admin"])
        path = g.path("identities.d/police.yaml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        self.assertIn("rhythm: 1d", text)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("rhythm: 1d", f"rhythm: {RHYTHM}s"))
        g.start()
        self.channel = g.to(self.police)
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(self.channel)
        self.status = admin_pb2_grpc.AdminServiceStub(g.to(self.admin))

    def submit(self, version, event_time):
        record = secure.registration(1, version)
        record.event_time.FromSeconds(int(event_time))
        request = x.SubmitRequest(batch_id=f"b{version}", dataset="household", records=[record])
        receipt = next(iter(self.exchange.Submit(iter([request]), timeout=harness.PATIENCE))).receipt
        self.assertEqual(receipt.results[0].outcome, x.OUTCOME_APPLIED)

    def dataset(self):
        return self.status.GetStatus(admin_pb2.GetStatusRequest(), timeout=harness.PATIENCE).datasets[0]

    def await_state(self, name, number):
        event = self.gateway.wait_event(f"dataset.{name}")
        self.assertEqual(event["dataset"], "police/household")
        self.assertEqual(observe.metric(self.port, "eldergate_dataset_punctuality", dataset="police/household"), number)
        self.assertEqual(self.dataset().punctuality, number)
        return event

    def test_late_silent_and_back(self):
        self.submit(1, 1_700_000_000)  # an event of long ago, sent now
        event = self.await_state("late", admin_pb2.PUNCTUALITY_LATE)
        self.assertEqual(event["level"], "warn")
        self.assertGreater(event["lag_s"], 1_000_000)
        received = self.dataset().last_received.ToSeconds()
        self.assertLess(abs(received - time.time()), harness.PATIENCE)
        # The channel stays open, and nothing is sent.
        event = self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)
        self.assertGreaterEqual(event["silent_s"], RHYTHM)
        self.submit(2, time.time())
        event = self.await_state("on_time", admin_pb2.PUNCTUALITY_ON_TIME)
        self.assertEqual(event["level"], "info")

    def list(self, version, as_of, event_time):
        """A full list of the one row."""
        record = secure.registration(1, version)
        record.event_time.FromSeconds(int(event_time))
        return lists.send(self.channel, [record], "household", int(as_of * 1e6), list_id=f"l{as_of}").report

    def test_a_list_without_a_change_is_on_time(self):
        self.assertEqual(self.list(1, time.time(), 1_700_000_000).added, 1)
        self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)  # so it is late as well, by the list's time
        self.assertEqual(self.list(1, time.time(), 1_700_000_000).unchanged, 1)
        self.await_state("on_time", admin_pb2.PUNCTUALITY_ON_TIME)
        # The next list does not come; what comes is old.
        self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)
        self.submit(2, 1_700_000_001)
        self.await_state("late", admin_pb2.PUNCTUALITY_LATE)

    def file(self, sequence, taken_at):
        """A file's full list: its position is digits of a date, no instant, and its row states no event time."""
        record = secure.registration(1, 0)
        record.ClearField("event_time")
        return lists.send(self.channel, [record], "household", 20260301_000000000 + sequence, list_id=f"f{sequence}",
                          taken_at=taken_at).report

    def test_a_list_is_as_late_as_it_was_taken(self):
        self.assertEqual(self.file(1, 1_700_000_000).added, 1)
        event = self.await_state("late", admin_pb2.PUNCTUALITY_LATE)
        self.assertGreater(event["lag_s"], 1_000_000)
        self.assertEqual(self.dataset().source.event_time.ToSeconds(), 1_700_000_000)
        taken = time.time()
        self.assertEqual(self.file(2, taken).unchanged, 1)
        self.await_state("on_time", admin_pb2.PUNCTUALITY_ON_TIME)
        self.assertEqual(self.dataset().source.event_time.ToSeconds(), int(taken))

    def test_who_never_sent_is_silent(self):
        event = self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)
        self.assertEqual(event["silent_s"], -1)
        self.assertFalse(self.dataset().HasField("last_received"))

    def test_a_source_clock_ahead_proves_no_more_than_the_skew(self):
        """Its events look fresh, but count for a day ahead at most, and silence is measured by our clock."""
        self.submit(1, time.time() + SKEW + 3600)
        status = self.dataset()
        ahead = status.source.event_time.ToSeconds() - status.last_received.ToSeconds()
        self.assertLessEqual(abs(ahead - SKEW), 1)
        self.assertEqual(status.lag.ToNanoseconds(), 0)
        self.assertGreaterEqual(observe.metric(self.port, "eldergate_dataset_lag_seconds", dataset="police/household"), -SKEW)
        self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)


if __name__ == "__main__":
    harness.main()
