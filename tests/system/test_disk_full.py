#!/usr/bin/python3
"""A full disk: records are refused, with the reason and when to come again; reads go on out of the reserve until that is
spent; and when there is room, everything goes on by itself. Nothing that was acknowledged is lost.

The data directory is a small file system of its own, so this needs root; without it the test is skipped.
"""
import os
import sys
import unittest

import harness
from harness import PATIENCE
import observe
import secure
import grpc
from eldergate.v1 import elder_pb2 as e, exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import checker  # noqa: E402

MIB = 1 << 20
DISK, RESERVE = 24 * MIB, MIB


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.disk = self.enterContext(observe.small_disk(self._place(), DISK))
        self.gateway = g = harness.Gateway({"data": os.path.join(self.disk, "data"), "store.reserve": RESERVE,
                                            "store.wal_pages": 256, "feed.progress": "200ms"})
        g.data = g.settings["data"]
        g.socket = os.path.join(g.data, "eldergate.sock")
        self.addCleanup(g.__exit__)
        g.start()
        self.connect()
        self.reserve = os.path.join(g.data, "reserve")
        self.history, self.person = [], 0

    def _place(self):
        import tempfile
        place = tempfile.TemporaryDirectory(prefix="eldergate-disk-")
        self.addCleanup(place.cleanup)
        return place.name

    # ---- doing ----

    def connect(self):
        # A pool of its own: a new channel must not find the connection to a daemon that is dead.
        self.channel = self.enterContext(grpc.insecure_channel("unix:" + self.gateway.socket,
                                                               options=[("grpc.use_local_subchannel_pool", 1)]))
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(self.channel)

    def fill(self):
        """Takes all the room there is; nothing but the reserve is left to the daemon."""
        with open(os.path.join(self.disk, "ballast"), "ab", buffering=0) as ballast:
            for size in (MIB, 4096):
                try:
                    while True:
                        ballast.write(b"\xff" * size)
                except OSError:
                    continue
        self.assertEqual(os.statvfs(self.disk).f_bavail, 0)

    def empty(self):
        os.unlink(os.path.join(self.disk, "ballast"))

    def submit(self, count=100):
        records = [secure.registration(self.person + n) for n in range(count)]
        request = x.SubmitRequest(batch_id=f"b{self.person}", dataset="registration", records=records)
        receipt = next(iter(self.exchange.Submit(iter([request]), timeout=PATIENCE))).receipt
        for r in records:
            line = {"agency": "tester", "dataset": "registration", "key": r.source_key, "version": r.version}
            self.history.append({"op": "sent", **line})
            if not receipt.status.code:
                result = receipt.results[records.index(r)]
                self.assertEqual(result.outcome, x.OUTCOME_APPLIED)
                self.history.append({"op": "ack", "outcome": "APPLIED", "seq": result.seq, **line})
        if not receipt.status.code:
            self.person += count
        return receipt.status

    def read(self):
        p = secure.Person(0)
        found = self.exchange.GetElder(x.GetElderRequest(purpose="test", legal_basis="l", person=e.PersonSelector(
            identity=e.IdentitySelector(id_number=p.id_number, name=p.name))), timeout=PATIENCE)
        self.assertIn(p.name, [v.value.text for v in found.elder.fields])

    def refused(self, status, reason):
        self.assertEqual(status.code, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], status)
        got, texts, _, retry = secure.details_of(status)
        self.assertEqual((got, set(texts)), (reason, {"zh-CN", "en"}))
        self.assertGreaterEqual(retry, 1)

    def follow(self, until):
        start = f.FeedStart(snapshot=f.SnapshotStart())
        call = feed_pb2_grpc.FeedServiceStub(self.channel).Subscribe(f.SubscribeRequest(start=start, purpose="test"))
        persons = set()
        for response in call:
            persons |= {i.snapshot.person_ref for i in response.items if i.HasField("snapshot")}
            persons |= {i.change.person_ref for i in response.items if i.HasField("change")}
            if len(persons) >= until:
                call.cancel()
                return
        self.fail("the stream ended")

    def whole(self):
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())
        self.assertEqual(checker.check(self.gateway.data, self.history), [])

    # ---- what must hold ----

    def test_records_stop_reads_go_on_and_all_comes_back(self):
        self.assertEqual(self.submit().code, 0)
        self.assertEqual(os.path.getsize(self.reserve), RESERVE)
        self.fill()
        harness.until(lambda: self.submit(500).code, "the last free pages of the write-ahead log to be used")
        self.refused(self.submit(), "STORE_FULL")
        told = self.gateway.wait_event("writer.commit_failed")
        self.assertEqual(told["error"], "no_space")
        for _ in range(20):
            self.read()
            self.refused(self.submit(), "STORE_FULL")
        self.follow(self.person)
        self.assertLess(os.path.getsize(self.reserve), RESERVE, "reads were served, but not from the reserve")
        self.assertIsNone(self.gateway.process.poll())
        self.empty()
        self.assertEqual(self.submit(1000).code, 0)
        self.read()
        harness.until(lambda: self.submit(10).code == 0 and os.path.getsize(self.reserve) == RESERVE,
                      "the reserve to fill up again")
        self.follow(self.person)
        self.whole()

    def test_no_log_no_read(self):
        self.assertEqual(self.submit().code, 0)
        self.fill()
        with self.assertRaises(grpc.RpcError) as caught:
            for _ in range(20_000):
                self.read()
                if self.person < 5000:  # every read finds the log longer
                    self.submit(10)
        self.refused(secure.status_of(caught.exception), "READ_LOG_FULL")
        self.assertLess(os.path.getsize(self.reserve), 4096)
        self.refused(self.submit(), "STORE_FULL")
        self.empty()
        self.read()
        self.assertEqual(self.submit().code, 0)
        self.whole()

    def test_killed_while_full(self):
        """It starts on the full disk, reads out of what was the reserve, and has everything."""
        self.assertEqual(self.submit(1000).code, 0)
        self.fill()
        harness.until(lambda: self.submit(500).code, "the disk to be full")
        self.gateway.kill()
        self.gateway.start()
        self.connect()
        self.read()
        # Starting makes a little room, where the write-ahead log was large; and what is too much for it may be followed by
        # less that is not.
        told = []

        def full():
            told.append(self.submit(500))
            return told[-1].code

        harness.until(full, "the disk to be full again")
        self.refused(told[-1], "STORE_FULL")
        self.empty()
        self.assertEqual(self.submit().code, 0)
        self.assertEqual(os.path.getsize(self.reserve), RESERVE)
        self.follow(self.person)
        self.whole()


if __name__ == "__main__":
    harness.main()
