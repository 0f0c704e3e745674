#!/usr/bin/python3
"""Running a gateway: it starts or says why not, drains in road order, takes new identities while it runs."""
import os
import shutil
import signal
import sqlite3
import sys
import threading
import unittest

import harness
import observe
import secure
import grpc
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import checker  # noqa: E402
import topics  # noqa: E402
from canon import one, table  # noqa: E402
from client import Client  # noqa: E402
from people import World  # noqa: E402

CORRUPT, IO, BUSY, CONFIG = 70, 74, 75, 78  # exit codes (include/eldergate/errors.def)


class Stopping(unittest.TestCase):
    def test_sigterm_drains_in_road_order(self):
        """Under load: all that was committed got its receipt, all that was committed is on Kafka, then it is gone."""
        with harness.DevBroker() as broker:
            g = harness.Gateway({"kafka.bootstrap": broker.address, "kafka.development": "true",
                                 "writer.max_records": 100})
            self.addCleanup(g.__exit__)
            g.start()
            g.wait_event("relay.connected")
            worlds, clients, threads = [World(n) for n in range(3)], [Client() for _ in range(3)], []
            for n, (world, client) in enumerate(zip(worlds, clients)):
                client.next_id = n * 10 ** 6  # a batch has one name
                threads.append(threading.Thread(target=self.load, args=(g, client, world, n)))
                threads[-1].start()
            harness.until(lambda: min(c.receipts for c in clients) >= 10, "load")
            self.assertEqual(g.stop(), 0, g.log_tail())
            for thread in threads:
                thread.join(harness.PATIENCE)
            for client in clients:
                self.assertEqual(client.error.code(), grpc.StatusCode.UNAVAILABLE)
                reason, texts, _, retry = secure.details_of(secure.status_of(client.error))
                self.assertEqual((reason, set(texts)), ("SHUTTING_DOWN", {"zh-CN", "en"}))
                self.assertGreater(retry, 0)

            events = [e["event"] for e in self.log_of(g)]
            road = [events.index(e) for e in ("daemon.ready", "relay.connected", "daemon.draining", "daemon.stopped")]
            self.assertTrue(road[2] > max(road[:2]) and road[3] == len(events) - 1, events)
            self.assertFalse(os.path.exists(os.path.join(g.data, "eldergate.db-wal")))
            self.assertFalse(self.without_receipt(g, clients), "committed, and no receipt left")
            self.assertEqual(checker.check(g.data, [h for c in clients for h in c.history],
                                           topics.changes(broker.address), topics.states(broker.address)), [])

    @staticmethod
    def load(g, client, world, n):
        def batch():
            dataset, records = world.batch(20)
            for record in records:  # no two senders speak of one
                record.source_key = f"{n}-{record.source_key}"
            return dataset, records
        with g.channel() as channel:
            client.run(channel, batch, 10 ** 6)

    @staticmethod
    def log_of(g):
        import json
        return [json.loads(line) for line in g.log_text().splitlines()]

    @staticmethod
    def without_receipt(g, clients):
        """Batches that are in the log and still wait for their receipt."""
        waiting = {batch for c in clients for batch in c.pending}
        db = sqlite3.connect(os.path.join(g.data, "eldergate.db"))
        stored = {one(table(header), 10, str) for header, in db.execute("select header from log")}
        db.close()
        return waiting & stored

    def test_sigint_too_and_nothing_to_drain(self):
        with harness.Gateway() as g:
            g.process.send_signal(signal.SIGINT)
            self.assertEqual(g.process.wait(harness.PATIENCE), 0)

    def test_a_silent_subscriber_does_not_hold_it(self):
        with harness.Gateway({"shutdown.grace": "5s"}) as g, g.channel() as channel:
            world, client = World(5), Client()
            self.assertTrue(client.run(channel, lambda: world.batch(50), 5))
            start = f.FeedStart(snapshot=f.SnapshotStart())
            calls = [feed_pb2_grpc.FeedServiceStub(channel).Subscribe(f.SubscribeRequest(start=start, purpose="test"))
                     for _ in range(5)]
            next(calls[0])
            self.assertEqual(g.stop(), 0)
            with self.assertRaises(grpc.RpcError) as caught:
                list(calls[0])
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)


class Reloading(unittest.TestCase):
    def setUp(self):
        self.gateway = g = secure.Gateway()
        self.addCleanup(g.__exit__, None, None, None)
        self.police = g.agency("police")
        self.home = g.agency("home", {"remains": "funeral"})
        g.start()

    def stream(self, who, dataset, make):
        """A stream that stays open: send(n) sends a record and returns its receipt."""
        to_send, ended = threading.Semaphore(0), threading.Event()
        self.addCleanup(ended.set)
        self.addCleanup(to_send.release)
        queue = []

        def requests():
            while True:
                to_send.acquire()
                if ended.is_set():
                    return
                n = queue.pop()
                yield x.SubmitRequest(batch_id=f"b{n}", dataset=dataset, records=[make(n)])

        call = exchange_pb2_grpc.ExchangeServiceStub(self.gateway.to(who)).Submit(requests())

        def send(n):
            queue.append(n)
            to_send.release()
            return next(call).receipt
        return send

    def applied(self, receipt):
        self.assertFalse(receipt.HasField("status"), receipt.status)
        self.assertEqual([r.outcome for r in receipt.results], [x.OUTCOME_APPLIED])

    def test_one_comes_one_goes_the_others_stay(self):
        g = self.gateway
        police = self.stream(self.police, "household", secure.registration)
        home = self.stream(self.home, "remains", secure.funeral)
        self.applied(police(1))
        self.applied(home(1))
        late = g.agency("late", {"moved": "registration"})
        with self.assertRaises(grpc.RpcError) as caught:
            self.stream(late, "moved", secure.registration)(2)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        g.forget("home")
        g.reload()
        with self.assertRaises(grpc.RpcError) as caught:
            home(3)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
        self.applied(police(4))
        self.applied(self.stream(late, "moved", secure.registration)(5))

    def test_a_mistake_changes_nothing(self):
        g = self.gateway
        police = self.stream(self.police, "household", secure.registration)
        self.applied(police(1))
        g.forget("home")
        g.write("identities.d/broken.yaml", b"name: broken\nroles: [king]\n")
        g.process.send_signal(signal.SIGHUP)
        told = g.wait_event("policy.reload_refused")
        self.assertIn("broken.yaml:2:9", told["reason"])
        self.assertIn("king", told["reason"])
        self.applied(police(2))
        self.applied(self.stream(self.home, "remains", secure.funeral)(3))
        g.forget("broken")
        g.reload()
        self.applied(police(4))


class Starting(unittest.TestCase):
    """What is wrong with the machine is told in one clear line, and nothing is changed."""

    def gateway(self, **settings):
        g = harness.Gateway(settings)
        self.addCleanup(g.__exit__)
        return g

    def refused(self, g, status, *words):
        g.start(wait=False)
        self.assertEqual(g.process.wait(harness.PATIENCE), status, g.log_tail())
        told = g.wait_event("daemon.start_failed")
        for word in words:
            self.assertIn(word, told["reason"])

    def whole(self, g):
        g.start()
        self.assertEqual(g.stop(), 0)

    def test_two_daemons_one_folder(self):
        g = self.gateway()
        g.start()
        second = harness.Gateway({"data": g.data, "listen.unix": os.path.join(g.place, "second.sock")})
        self.addCleanup(second.__exit__)
        self.refused(second, BUSY, g.data, "in use by another process")
        world, client = World(1), Client()
        with g.channel() as channel:
            self.assertTrue(client.run(channel, lambda: world.batch(10), 2), "the first one goes on")

    def test_root_key_that_others_may_read(self):
        g = self.gateway()
        self.whole(g)
        key = os.path.join(g.data, "root.key")
        self.assertEqual(os.stat(key).st_mode & 0o777, 0o600)
        os.chmod(key, 0o640)
        self.refused(g, CONFIG, key, "chmod 600")
        os.chmod(key, 0o600)
        self.whole(g)

    def test_root_key_that_is_gone(self):
        g = self.gateway()
        self.whole(g)
        key = os.path.join(g.data, "root.key")
        os.rename(key, key + ".kept")
        self.refused(g, CONFIG, key, "restore it")
        self.assertFalse(os.path.exists(key), "a new key beside wrapped ones would only hide the loss")
        with open(key, "wb") as other:
            other.write(os.urandom(32))
        os.chmod(key, 0o600)
        self.refused(g, CORRUPT, "does not open with this root key")
        with open(key, "wb") as short:
            short.write(b"short")
        self.refused(g, CORRUPT, "32 bytes")
        os.rename(key + ".kept", key)
        self.whole(g)

    def test_a_folder_that_may_not_be_written(self):
        g = self.gateway()
        self.whole(g)
        before = {n: os.stat(os.path.join(g.data, n)).st_mtime_ns for n in os.listdir(g.data)}
        with observe.read_only(g.data):
            self.refused(g, IO, g.data)
        self.assertEqual({n: os.stat(os.path.join(g.data, n)).st_mtime_ns for n in os.listdir(g.data)}, before)
        self.whole(g)

    def test_a_folder_that_cannot_be(self):
        g = self.gateway()
        with open(g.data, "w", encoding="ascii") as file:
            file.write("not a folder")
        self.refused(g, IO, g.data)
        g.settings["data"] = os.path.join(g.place, "no", "such", "place")
        self.refused(g, IO, "no/such/place")

    def test_a_damaged_store(self):
        g = self.gateway()
        self.whole(g)
        shutil.copy(os.path.join(g.data, "eldergate.db"), g.place)
        with open(os.path.join(g.data, "eldergate.db"), "r+b") as database:
            database.write(b"not a database at all")
        self.refused(g, CORRUPT, g.data)
        os.rename(os.path.join(g.place, "eldergate.db"), os.path.join(g.data, "eldergate.db"))
        self.whole(g)

    def test_an_address_that_is_taken(self):
        import socket
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.refused(self.gateway(**{"listen.metrics": address}), CONFIG, address)
        self.refused(self.gateway(**{"listen.metrics": "192.0.2.1:9"}), CONFIG, "loopback")


if __name__ == "__main__":
    harness.main()
