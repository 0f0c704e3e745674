#!/usr/bin/python3
"""A dataset that is late, or silent, is told: in the log, in the metrics, by GetStatus. A link that is up proves nothing."""
import time
import unittest

import harness
import observe
import secure
from eldergate.v1 import admin_pb2, admin_pb2_grpc, exchange_pb2 as x, exchange_pb2_grpc

RHYTHM, SECOND = 3, 1


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
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(g.to(self.police))
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

    def test_who_never_sent_is_silent(self):
        event = self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)
        self.assertEqual(event["silent_s"], -1)
        self.assertFalse(self.dataset().HasField("last_received"))

    def test_a_source_clock_ahead_proves_no_more_than_the_skew(self):
        """Its events look fresh, but silence is measured by our clock."""
        self.submit(1, time.time() + 80_000)
        self.await_state("silent", admin_pb2.PUNCTUALITY_SILENT)


if __name__ == "__main__":
    harness.main()
