#!/usr/bin/python3
"""A subscriber that takes 100 events a second under full write load, and one that takes none: they cost bounded memory and
disk and nobody else's time, and what the slow one upserts is in the end the state.

EG_PEOPLE: how many persons (default 20,000; CI takes 100,000); who sets it runs nothing beside it, and its bounds are tighter. EG_SEED repeats a run.
"""
import os
import random
import sys
import threading
import time
import unittest

import harness
import observe
import secure
import grpc
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import checker  # noqa: E402

PEOPLE = int(os.environ.get("EG_PEOPLE") or 20_000)
ALONE = bool(os.environ.get("EG_PEOPLE"))
SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
BASELINE_S, LOAD_S = 2.5, 10  # without the slow readers; at least, with them
BATCH = 100
SLOW_RATE = 100  # events a second
WINDOW = 1000
WAL_PAGES, WAL_FRAME = 8192, 4096 + 24
# The writer looks at the limit when a commit is in: the largest, 1,024 changes of random persons, is some 3,000 pages; a
# reader that stays in may put the checkpoint off by a sixteenth of the limit (store/sqlite_gate.c).
WAL_MOST = (2 * WAL_PAGES + WAL_PAGES // 16 + 4096) * WAL_FRAME
MEMORY_SLACK = 48 << 20  # caches that fill: the writer's, a reader's each, the shared page of entries
REGIONS = ("330302", "330304", "330383", "530112")
FROM_SNAPSHOT = f.SubscribeRequest(start=f.FeedStart(snapshot=f.SnapshotStart()), purpose="test")
FIELDS = ["registration.address_region", "registration.registration_status"]


class Writer(threading.Thread):
    """Sends batches as fast as receipts come: new persons first, then changes of random ones."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.rng = gateway, random.Random(SEED)
        self.versions, self.history, self.batches = [], [], {}
        self.waits = []  # (when, seconds) of receipts
        self.until = self.error = None  # until: called before each batch, False ends it

    def record(self):
        if len(self.versions) < PEOPLE:
            n, version = len(self.versions), 1
            self.versions.append(1)
        else:
            n = self.rng.randrange(PEOPLE)
            version = self.versions[n] = self.versions[n] + 1
        return secure.registration(n, version, address_region=REGIONS[(n + version) % len(REGIONS)])

    def run(self):
        credit = threading.Semaphore(4)

        def requests():
            while self.until():
                credit.acquire()
                request = x.SubmitRequest(batch_id=f"b{len(self.waits)}-{len(self.batches)}", dataset="registration",
                                          records=[self.record() for _ in range(BATCH)])
                self.batches[request.batch_id] = (time.monotonic(), request)
                yield request

        try:
            with self.gateway.channel() as channel:
                for response in exchange_pb2_grpc.ExchangeServiceStub(channel).Submit(requests()):
                    self.receipt(response.receipt)
                    credit.release()
        except (grpc.RpcError, AssertionError) as error:
            self.error = error

    def receipt(self, receipt):
        began, request = self.batches.pop(receipt.batch_id)
        now = time.monotonic()
        self.waits.append((now, now - began))
        if receipt.status.code:
            raise AssertionError(receipt.status.message)
        for result in receipt.results:
            r = request.records[result.index]
            line = {"agency": "tester", "dataset": "registration", "key": r.source_key, "version": r.version}
            self.history += [{"op": "sent", **line},
                             {"op": "ack", "outcome": x.Outcome.Name(result.outcome)[8:], "seq": result.seq, **line}]

    def told(self, began, ended):
        """(records a second, longest wait) between two moments."""
        waits = [wait for at, wait in self.waits if began <= at < ended]
        return len(waits) * BATCH / (ended - began), max(waits)


class Reader(threading.Thread):
    """Keeps what proto/README.md tells a subscriber to keep. rate: how many events a second until hurry is set.

    sparing: it looks at one message in SPARING only and unpacks the others when asked to, so that what it measures is not
    its own interpreter's time."""

    SPARING = 20

    def __init__(self, gateway, rate=None, sparing=False):
        super().__init__(daemon=True)
        self.gateway, self.pace, self.sparing = gateway, rate, sparing
        self.hurry = threading.Event()
        self.persons, self.events, self.behind, self.error, self.kept = {}, 0, 0.0, None, []
        self.head, self.live = 0, False
        self.came = []  # (when, bytes) of messages

    def run(self):
        narrow = [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
        try:
            with grpc.insecure_channel("unix:" + self.gateway.socket, options=narrow) as channel:
                self.call = channel.unary_stream("/eldergate.v1.FeedService/Subscribe")(FROM_SNAPSHOT.SerializeToString())
                for message in self.call:
                    took = self.message(message)
                    if self.pace:
                        self.hurry.wait(took / self.pace)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.CANCELLED:
                self.error = error

    def rate(self, began, ended):
        """Bytes a second between two moments."""
        return sum(size for at, size in self.came if began <= at < ended) / (ended - began)

    def message(self, message):
        self.came.append((time.monotonic(), len(message)))
        if not self.sparing:
            return sum([self.take(item) for item in f.SubscribeResponse.FromString(message).items])
        self.kept.append(message)
        if len(message) < 200 or len(self.kept) % self.SPARING == 0:  # a short one tells of progress
            item = f.SubscribeResponse.FromString(message).items[-1]
            if item.HasField("progress"):
                return self.take(item)
            self.look(item.change)
        return 0

    def look(self, change):
        if change.seq:
            self.behind = max(self.behind, time.time() - change.time.ToMicroseconds() / 1e6)

    def unpack(self):
        self.sparing = False
        for message in self.kept:
            self.message(message)

    def take(self, item):
        what = item.WhichOneof("item")
        if what == "progress":
            self.head, self.live = item.progress.head_seq, item.progress.live
            return 0
        message = item.snapshot if what == "snapshot" else item.change
        life = message.life_status if what == "snapshot" else message.life_status_after
        version, _, fields = self.persons.get(message.person_ref, (0, 0, {}))
        self.events += 1
        if message.person_version <= version:
            return 1
        fields = dict(fields) if what == "change" else {}
        fields.update((entry.field, entry.value.SerializeToString()) for entry in message.fields)
        self.persons[message.person_ref] = (message.person_version, life, fields)
        return 1


class Slow(unittest.TestCase):
    def caught_up(self, reader, seconds):
        """Seconds until it has everything."""
        began = time.monotonic()
        wanted = max(line["seq"] for line in self.writer.history[-4 * BATCH:] if line["op"] == "ack")
        harness.until(lambda: reader.error or (reader.live and reader.head >= wanted), "a reader at the head", seconds)
        self.assertIsNone(reader.error)
        return time.monotonic() - began

    def test_nobody_pays_for_a_slow_reader(self):
        print(f"seed {SEED} (EG_SEED={SEED} repeats this run), {PEOPLE} persons", flush=True)
        tester = harness.identity("tester", uid=os.getuid(), roles=("agency", "subscriber"), fields=FIELDS,
                                  submit=[("registration", "registration")])
        g = harness.Gateway({"store.wal_pages": WAL_PAGES, "feed.window": WINDOW, "feed.progress": "200ms",
                             "store.cache": "8MiB", "store.reserve": "1MiB"}, {"tester": tester})
        self.addCleanup(g.__exit__)
        g.start()
        self.writer = writer = Writer(g)
        wal = os.path.join(g.data, "eldergate.db-wal")
        looks = {"wal": lambda: observe.size(wal), "memory": lambda: observe.resident(g.process.pid)}

        began = time.monotonic()
        end = [None]
        writer.until = lambda: end[0] is None or time.monotonic() < end[0] or len(writer.versions) < PEOPLE
        fast = Reader(g, sparing=True)
        fast.start()
        writer.start()
        threading.Event().wait(BASELINE_S)
        now = time.monotonic()
        alone, _ = writer.told(began + 1, now)
        others_alone = fast.rate(began + 1, now)

        slow = Reader(g, SLOW_RATE)
        with grpc.insecure_channel("unix:" + g.socket) as channel, observe.Watch(**looks) as watch:
            idle = feed_pb2_grpc.FeedServiceStub(channel).Subscribe(  # never read
                FROM_SNAPSHOT)
            slow.start()
            loaded = time.monotonic()
            end[0] = loaded + LOAD_S
            writer.join(600)
            ended = time.monotonic()
            self.assertIsNone(writer.error)
            beside, longest = writer.told(loaded, ended)
            others_beside = fast.rate(loaded, ended)
            lag = self.caught_up(fast, 30)
            taken = slow.events
            slow.hurry.set()
            self.caught_up(slow, 300)
            idle.cancel()
        fresh = Reader(g)
        fresh.start()
        self.caught_up(fresh, 120)

        grown = watch.most["memory"] - watch.first["memory"]
        print(f"{len(writer.waits) * BATCH} records; {alone:.0f}/s before, {beside:.0f}/s beside the slow readers, longest "
              f"wait {longest:.2f} s; another reader {others_alone / 1e6:.2f} MB/s before, {others_beside / 1e6:.2f} "
              f"beside, {fast.behind:.1f} s behind at most, {lag:.2f} s at the end; WAL at most "
              f"{watch.most['wal'] >> 10} KiB (limit {WAL_PAGES * WAL_FRAME >> 10}); memory +{grown >> 10} KiB", flush=True)
        self.assertGreaterEqual(ended - loaded, LOAD_S)
        self.assertLess(taken, (time.monotonic() - loaded) * SLOW_RATE * 1.2 + 2 * WINDOW, "the slow one was not slow")
        self.assertLess(watch.most["wal"], WAL_MOST)
        observe.assert_grown_less(self, grown, MEMORY_SLACK)
        # Who waited for a slow reader would stand still, or go at its pace. The lane feed-slow has the machine for itself; beside
        # other lanes the speed of a moment says little.
        least, wait = (0.4, 5) if ALONE else (0.1, 20)
        self.assertGreater(beside, alone * least)
        self.assertGreater(others_beside, others_alone * least)
        self.assertLess(longest, wait)

        self.assertEqual(len(fresh.persons), PEOPLE)
        self.assertEqual(slow.persons, fresh.persons)
        fast.unpack()
        self.assertEqual(fast.persons, fresh.persons)
        self.assertNotIn("checkpoint_blocked", g.log_text())
        for reader in (slow, fast, fresh):
            reader.call.cancel()
            reader.join(30)
        self.assertEqual(g.stop(), 0, g.log_tail())
        self.assertEqual(checker.check(g.data, writer.history), [])


if __name__ == "__main__":
    harness.main()
