#!/usr/bin/python3
"""Everybody at once, most of them badly: the gateway stays up, good callers get their answers, and stopping ends it all.

EG_SECONDS: how long (default 6).
"""
import os
import random
import socket
import threading
import time
import unittest

import harness
import secure
import grpc
from eldergate.v1 import (admin_pb2, admin_pb2_grpc, audit_pb2 as au, audit_pb2_grpc, elder_pb2 as e, exchange_pb2 as x,
                          exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc)

SECONDS = float(os.environ.get("EG_SECONDS", "6"))
FINE = (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INTERNAL)


class Chaos(unittest.TestCase):
    def test_everybody_at_once(self):
        seed = int(os.environ.get("EG_SEED", time.time_ns()))
        print(f"EG_SEED={seed}")
        settings = {"grpc.pollers": "3", "grpc.workers": "6", "feed.progress": "200ms", "limits.lane_items": "4"}
        with secure.Gateway(settings) as gateway:
            self.police = gateway.agency("police", grants={"check": ["registration.name"]})
            self.platform = gateway.identity("platform", ["subscriber"], grants={"care": ["registration.name"]})
            self.admin = gateway.identity("admin", ["admin"])
            self.gateway = gateway
            gateway.start()
            self.over = time.monotonic() + SECONDS
            self.failures, self.good, self.numbers = [], 0, iter(range(1, 1 << 30))
            roles = [self.submits, self.submits, self.garbage, self.subscribes, self.subscribes, self.asks, self.asks,
                     self.audits, self.knocks, self.halves, self.reloads]
            threads = [threading.Thread(target=self.play, args=(role, seed + i)) for i, role in enumerate(roles)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(SECONDS + 60)
                self.assertFalse(thread.is_alive(), "somebody hangs")
            self.assertEqual(self.failures, [])
            self.assertGreater(self.good, 10)
            status = admin_pb2_grpc.AdminServiceStub(gateway.to(self.admin)).GetStatus(
                admin_pb2.GetStatusRequest(), timeout=20)
            self.assertGreater(status.persons, 0)
            self.assertEqual(gateway.stop(), 0, gateway.log_tail())

    def play(self, role, seed):
        dice = random.Random(seed)
        while time.monotonic() < self.over and not self.failures:
            try:
                role(dice)
            except grpc.RpcError as error:
                if error.code() not in FINE:
                    self.failures.append(f"{role.__name__}: {error}")
            except Exception as error:  # an assertion, or the harness
                self.failures.append(f"{role.__name__}: {error!r}")

    def to(self, who):
        return secure.grpc.secure_channel(
            f"127.0.0.1:{self.gateway.port}",
            grpc.ssl_channel_credentials(self.gateway.authority.pem, who.key, who.certificate))

    def batches(self, dice, n):
        for i in range(n):
            yield x.SubmitRequest(batch_id=f"c-{i}", dataset="household", lane=dice.randrange(4), records=[
                secure.registration(next(self.numbers), version=dice.randrange(1, 4))
                for _ in range(dice.randrange(1, 60))])

    def submits(self, dice):
        with self.to(self.police) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            n = dice.randrange(1, 15)
            stream = stub.Submit(self.batches(dice, n), timeout=60)
            if dice.random() < 0.5:
                got = [m.receipt for m in stream]
                assert len(got) == n, (len(got), n)
                assert all(q.outcome for r in got for q in r.results)
                self.good += 1
                return
            for _ in range(dice.randrange(n)):
                next(stream)
            stream.cancel()

    def garbage(self, dice):
        paths = ["ExchangeService/Submit", "ExchangeService/GetElder", "ExchangeService/Resubmit", "Nothing/There",
                 "ExchangeService/CheckLifeStatus"]
        with self.to(self.police) as channel:
            path = "/eldergate.v1." + dice.choice(paths)
            body = dice.randbytes(dice.randrange(200))
            if dice.random() < 0.5:
                body = bytearray(next(self.batches(dice, 1)).SerializeToString())
                for _ in range(dice.randrange(1, 20)):
                    body[dice.randrange(len(body))] = dice.randrange(256)
            for _ in channel.stream_stream(path)(iter([bytes(body)] * dice.randrange(1, 4)), timeout=20):
                pass

    def subscribes(self, dice):
        with self.to(self.platform) as channel:
            stub = feed_pb2_grpc.FeedServiceStub(channel)
            start = dice.choice([f.FeedStart(snapshot=f.SnapshotStart()), None])
            call = stub.Subscribe(f.SubscribeRequest(start=start, purpose="care"), timeout=20)
            if dice.random() < 0.3:
                time.sleep(dice.random())  # reads nothing
            for _ in range(dice.randrange(5)):
                next(call)
            call.cancel()
            if dice.random() < 0.3:
                stub.ListChanges(f.ListChangesRequest(start=start, purpose="care"), timeout=20)
                self.good += 1

    def asks(self, dice):
        with self.to(self.police) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            people = [e.PersonSelector(identity=e.IdentitySelector(id_number=secure.Person(dice.randrange(500)).id_number))
                      for _ in range(dice.randrange(1, 30))]
            futures = [stub.CheckLifeStatus.future(x.CheckLifeStatusRequest(purpose="check", persons=people),
                                                   timeout=30) for _ in range(20)]
            for future in futures:
                if dice.random() < 0.3:
                    future.cancel()
                else:
                    assert len(future.result().answers) == len(people)
                    self.good += 1

    def audits(self, dice):
        with self.to(self.admin) as channel:
            stub = audit_pb2_grpc.AuditServiceStub(channel)
            page = stub.SearchLog(au.SearchLogRequest(after_seq=dice.randrange(2000), page_size=20), timeout=30)
            for header in page.headers[:3]:
                assert stub.GetEntry(au.GetEntryRequest(seq=header.seq), timeout=30).header == header
                self.good += 1
            admin_pb2_grpc.AdminServiceStub(channel).GetStatus(admin_pb2.GetStatusRequest(), timeout=30)

    def knocks(self, dice):
        with socket.create_connection(("127.0.0.1", self.gateway.port)) as s:
            s.sendall(dice.randbytes(dice.randrange(100)))
            time.sleep(dice.random() / 20)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.gateway.socket)
            s.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + dice.randbytes(dice.randrange(100)))
            time.sleep(dice.random() / 20)

    def halves(self, dice):
        stop = threading.Event()

        def silent():
            stop.wait(5)
            return
            yield

        with self.to(self.police) as channel:
            streams = [channel.stream_stream("/eldergate.v1.ExchangeService/Submit")(silent()) for _ in range(5)]
            time.sleep(dice.random() / 5)
            if dice.random() < 0.5:
                for stream in streams:
                    stream.cancel()
            stop.set()

    def reloads(self, dice):
        time.sleep(dice.random() / 2)
        self.gateway.identity(f"extra{dice.randrange(3)}", ["operator"])
        self.gateway.reload()


if __name__ == "__main__":
    harness.main()
