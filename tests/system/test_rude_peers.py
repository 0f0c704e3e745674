#!/usr/bin/python3
"""Slow and rude peers over gRPC: they cost little memory, leave nothing behind, and a good caller has its answers.

How long the good caller's calls took is told, not judged, since that depends on the machine; `make rude-peers`, which has
it for itself, judges them by EG_GOOD_P99_MS. The bus has tests of its own (test_bus_hostile.py). EG_SEED repeats a run.
"""
import asyncio
import itertools
import os
import random
import select
import socket
import ssl
import sys
import tempfile
import threading
import unittest

import harness
import good
import observe
import secure
import grpc
from eldergate.v1 import elder_pb2 as e, exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import lists  # noqa: E402

MIB = 1 << 20
GROWTH = 64 * MIB  # what the rude ones together may cost
GOOD_P99_MS = float(os.environ.get("EG_GOOD_P99_MS") or "inf")
SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
SUBMIT, SUBSCRIBE = "/eldergate.v1.ExchangeService/Submit", "/eldergate.v1.FeedService/Subscribe"
SNAPSHOT = f.SubscribeRequest(start=f.FeedStart(snapshot=f.SnapshotStart()), purpose="care")
NOW = f.SubscribeRequest(purpose="care")
ALONE = [("grpc.use_local_subchannel_pool", 1)]  # a connection of its own
NARROW = ALONE + [("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]
STREAMS_OF_ONE = 64  # edge/quota.h


def http2_submit():
    """The bytes of a client that opens a Submit call and begins a message (RFC 9113, RFC 7541)."""
    def frame(kind, flags, stream, body):
        return len(body).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + body

    def text(value):
        return bytes((len(value),)) + value.encode()

    headers = (b"\x83\x87\x04" + text(SUBMIT) + b"\x01" + text("localhost") + b"\x00" + text("te") + text("trailers") +
               b"\x0f\x10" + text("application/grpc"))
    message = b"\x00" + (60000).to_bytes(4, "big") + bytes(60000)
    data = b"".join(frame(0, 0, 1, message[i:i + 1]) for i in range(2000))  # a byte a frame
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, headers) + data


class Rude(unittest.TestCase):
    versions = itertools.count(1)

    @classmethod
    def setUpClass(cls):
        print(f"EG_SEED={SEED}", flush=True)
        cls.metrics = observe.free_port()
        cls.gateway = g = secure.Gateway({"listen.metrics": f"127.0.0.1:{cls.metrics}", "tls.handshake_timeout": "1s",
                                          "feed.progress": "1s", "store.cache": "1MiB", "writer.checkpoint": "10s"})
        fields = ["registration.address_region", "registration.registration_status"]
        cls.police = g.agency("police", grants={"check": ["registration.name"]})
        cls.rude = g.agency("rude", {"theirs": "registration"}, grants={"check": ["registration.name"]})
        cls.platform = g.identity("platform", ["subscriber"], grants={"care": fields})
        cls.expired = g.identity("expired", ["agency"], issued=g.authority.issue("expired", hours=(-48, -24)))
        cls.future = g.identity("future", ["agency"], issued=g.authority.issue("future", hours=(24, 48)))
        cls.foreign = g.identity("foreign", ["agency"], issued=secure.Authority("test authority").issue("foreign"))
        cls.server_use = g.identity("misused", ["agency"], issued=g.authority.issue("misused", server=True))
        g.start()
        with good.Caller(g, cls.police) as caller:
            caller.turns(200)  # caches and pools are as large as they get
        cls.submit(3000)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()

    @classmethod
    def submit(cls, n, region="330302"):
        """New versions of the first n persons."""
        version = next(cls.versions)
        with cls.to(cls.rude) as channel:
            stream = exchange_pb2_grpc.ExchangeServiceStub(channel).Submit(iter(
                x.SubmitRequest(batch_id=f"b-{i}", dataset="theirs", records=[
                    secure.registration(k, version, address_region=region) for k in range(i, min(n, i + 500))])
                for i in range(0, n, 500)), timeout=harness.PATIENCE)
            for response in stream:
                outcomes = {q.outcome for q in response.receipt.results}
                assert outcomes == {x.OUTCOME_APPLIED}, (response.receipt.batch_id, outcomes)

    def setUp(self):
        harness.until(lambda: self.metric("eldergate_subscribers") == 0, "subscribers of former tests to go")
        self.watch = observe.Watch(memory=lambda: observe.resident(self.gateway.process.pid)).__enter__()
        self.caller = good.Caller(self.gateway, self.police).__enter__()
        self.caller.turns(10)

    def tearDown(self):
        self.caller.turns(10)  # it has its answers still
        self.caller.__exit__()
        self.watch.__exit__()
        grown, told = self.watch.most["memory"] - self.watch.first["memory"], self.caller.told
        print(f"{self.id().split('.')[-1]}: memory +{grown / MIB:.0f} MiB; good calls {told['calls']}, "
              f"p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms, most {told['most_ms']} ms", flush=True)
        self.assertEqual(told["errors"], [])
        self.assertLessEqual(told["p99_ms"], GOOD_P99_MS)
        observe.assert_grown_less(self, grown, GROWTH)
        self.assertTrue(self.gateway.alive(), self.gateway.log_tail())
        harness.until(lambda: self.metric("eldergate_subscribers") == 0, "the rude subscribers to go")
        harness.until(lambda: not self.left_open(), "the gateway to close what its peers closed")

    @classmethod
    def to(cls, who, options=ALONE):
        return grpc.secure_channel(f"127.0.0.1:{cls.gateway.port}", grpc.ssl_channel_credentials(
            cls.gateway.authority.pem, who.key, who.certificate), options)

    def aio(self, who):
        return grpc.aio.secure_channel(f"127.0.0.1:{self.gateway.port}", grpc.ssl_channel_credentials(
            self.gateway.authority.pem, who.key, who.certificate), ALONE)

    def tls(self, who):
        context = ssl.create_default_context(cadata=self.gateway.authority.pem.decode())
        context.set_alpn_protocols(["h2"])
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(who.certificate + who.key)
            pair.flush()
            context.load_cert_chain(pair.name)
        return context

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.gateway.port))
        s.settimeout(harness.PATIENCE)
        return s

    def metric(self, name, **labels):
        return observe.metric(self.metrics, name, **labels)

    def left_open(self):
        """The gateway's connections whose other end is gone (a client's library may keep its own end)."""
        rows = []
        for name in ("tcp", "tcp6"):
            with open("/proc/net/" + name, encoding="ascii") as table:
                rows += [line.split()[1:4] for line in table]
        return [r for r in rows if r[0].endswith(f":{self.gateway.port:04X}") and r[2] == "08"]  # CLOSE_WAIT

    # ---- subscribers ----

    def test_subscribers_that_never_read(self):
        """Each holds one window and a connection's worth, however much there is to tell."""
        channels = [self.to(self.platform, NARROW) for _ in range(20)]
        deaf = [c.unary_stream(SUBSCRIBE)(SNAPSHOT.SerializeToString()) for c in channels]
        harness.until(lambda: self.metric("eldergate_subscribers") == len(deaf), "the subscriptions")
        for n in range(4):
            self.submit(3000, ("330304", "330302")[n % 2])
        self.caller.turns(50)
        self.assertEqual(self.metric("eldergate_subscribers"), len(deaf))
        for call in deaf:
            call.cancel()
        for channel in channels:
            channel.close()

    def test_a_subscriber_that_reconnects(self):
        """Far more often than each second, in the middle of its snapshot."""
        for n in range(100):
            with self.to(self.platform) as channel:
                call = channel.unary_stream(SUBSCRIBE)(SNAPSHOT.SerializeToString())
                for _ in range(n % 3):
                    next(call)
                if n % 2:
                    call.cancel()

    def test_a_thousand_idle_subscribers(self):
        """Nothing that the good caller changes is theirs to hear; then one change is, for each of them."""
        idle = f.SubscribeRequest(purpose="care", filter=f.FeedFilter(region_prefixes=["530112"]))
        channels = [self.to(self.platform) for _ in range(10)]
        streams = [c.unary_stream(SUBSCRIBE, response_deserializer=f.SubscribeResponse.FromString)(
            idle.SerializeToString(), timeout=4 * harness.PATIENCE) for c in channels for _ in range(100)]

        def all_hear(what):
            for stream in streams:
                while not any(item.WhichOneof("item") == what for item in next(stream).items):
                    pass

        all_hear("progress")
        self.assertEqual(self.metric("eldergate_subscribers"), len(streams))
        self.caller.turns(30)
        self.submit(1, "530112")
        all_hear("change")
        for stream in streams:
            stream.cancel()
        for channel in channels:
            channel.close()

    def test_many_snapshots_at_once(self):
        """Windows that wait for their commit are bounded together, and everybody gets to the end."""
        channels = [self.to(self.platform) for _ in range(10)]
        streams = [c.unary_stream(SUBSCRIBE, response_deserializer=f.SubscribeResponse.FromString)(
            SNAPSHOT.SerializeToString(), timeout=harness.PATIENCE) for c in channels for _ in range(5)]
        for stream in streams:
            rows = 0
            while (told := next(stream)).next.snapshot_row or not rows:
                rows += len(told.items)
            self.assertGreaterEqual(rows + len(told.items), 3000)
        for channel in channels:
            channel.close()

    # ---- clients ----

    def test_clients_that_send_a_byte_a_second(self):
        """In the TLS handshake they are cut in time; behind it they may, and cost no more than a connection."""
        whole, context = http2_submit(), self.tls(self.rude)
        handshake, slow = [], []
        for n in range(30):
            s = self.connect()
            s.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[:1 + n % 11])
            handshake.append(s)
        for n in range(120):
            s = context.wrap_socket(self.connect(), server_hostname="localhost")
            at = n * 17  # the first ones within the preface, the last ones within the message
            s.sendall(whole[:at])
            slow.append((s, at))
        stop = threading.Event()

        def drip():
            left = slow
            while not stop.wait(1):
                left = [(s, at + 1) for s, at in left if not gone(s)]
                for s, at in left:
                    s.send(whole[at - 1:at])
                for s in handshake:
                    try:
                        s.send(b"\0")
                    except OSError:
                        pass  # cut already

        def gone(s):
            if not select.select([s], [], [], 0)[0]:
                return False
            try:
                s.setblocking(False)
                return s.recv(1 << 16) == b""
            except ssl.SSLWantReadError:
                return False
            finally:
                s.settimeout(harness.PATIENCE)

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            for s in handshake:
                try:
                    while s.recv(1 << 16):
                        pass
                except ConnectionError:
                    pass
            self.caller.turns(200)
        finally:
            stop.set()
            dripping.join()
        for s in handshake + [s for s, _ in slow]:
            s.close()

    def test_a_flood_of_unknown_methods(self):
        asyncio.run(self.flood())

    async def flood(self):
        rng, channels = random.Random(SEED), [self.aio(w) for w in (self.rude, self.platform) * 4]

        async def knock(channel, n):
            kind = channel.stream_stream if n % 3 else channel.unary_unary
            call = kind(f"/no.Such{rng.randrange(1000)}/Method{n}", )
            try:
                if n % 3:
                    async for _ in call(iter([bytes(rng.randrange(2000))] * 3)):
                        self.fail("an answer")
                else:
                    await call(bytes(rng.randrange(2000)))
            except grpc.aio.AioRpcError as error:
                return error.code()

        for _ in range(10):
            codes = await asyncio.gather(*(knock(channels[n % len(channels)], n) for n in range(800)))
            self.assertEqual(set(codes), {grpc.StatusCode.UNIMPLEMENTED})
        for channel in channels:
            await channel.close()

    def test_certificates_that_are_none(self):
        """Registered or not: expired, not valid yet, of another authority, made for servers. None gets through its handshake."""
        for n in range(200):
            who = (self.expired, self.future, self.foreign, self.server_use)[n % 4]
            with self.connect() as s, self.assertRaises((ssl.SSLError, ConnectionError), msg=who.name):
                with self.tls(who).wrap_socket(s, server_hostname="localhost") as t:
                    if not t.recv(1):
                        raise ConnectionError("closed")
        for who in (self.expired, self.future, self.foreign, self.server_use):
            with self.to(who) as channel, self.assertRaises(grpc.RpcError) as caught:
                exchange_pb2_grpc.ExchangeServiceStub(channel).ListRejects(x.ListRejectsRequest(), timeout=10)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    # ---- cancelling ----

    def stages(self):
        """(path, whether it streams messages in, messages) of every kind of call."""
        batch = [x.SubmitRequest(batch_id=f"c-{i}", dataset="theirs",
                                 records=[secure.registration(100_000 + i * 50 + k) for k in range(50)]) for i in range(4)]
        rows = [secure.registration(200_000 + i, 0) for i in range(600)]
        someone = e.PersonSelector(identity=e.IdentitySelector(id_number=secure.Person(1).id_number))
        service = "/eldergate.v1.ExchangeService/"
        yield self.rude, SUBMIT, True, batch
        yield self.rude, service + "Reconcile", True, list(lists.steps(rows, "theirs", 1, list_id="cancelled"))
        yield self.platform, SUBSCRIBE, False, [SNAPSHOT]
        yield self.platform, "/eldergate.v1.FeedService/ListChanges", False, [
            f.ListChangesRequest(start=SNAPSHOT.start, purpose="care")]
        yield self.rude, service + "GetElder", False, [x.GetElderRequest(purpose="check", person=someone)]
        yield self.rude, service + "CheckLifeStatus", False, [x.CheckLifeStatusRequest(purpose="check", persons=[someone] * 50)]
        yield self.rude, service + "ListRejects", False, [x.ListRejectsRequest()]

    def cancel_at(self, channel, path, streams, messages, sent, answers, dice):
        """Sends so many messages (beyond the last: says that there are no more), takes so many answers, cancels."""
        hold, all_out = threading.Event(), threading.Event()

        def requests():
            yield from messages[:sent]
            all_out.set()
            if sent <= len(messages):
                hold.wait()

        raw = lambda m: m.SerializeToString()
        call = (channel.stream_stream(path, request_serializer=raw)(requests()) if streams else
                channel.unary_stream(path, request_serializer=raw)(messages[0]))
        try:
            if streams and dice.random() < 0.5:  # a call that was refused takes no more
                harness.until(lambda: all_out.is_set() or call.done(), "the messages to be out")
            for _ in range(answers):
                next(call)
        except (grpc.RpcError, StopIteration):
            pass  # refused, or over before that
        for _ in range(dice.randrange(2000)):
            pass  # any moment will do
        call.cancel()
        hold.set()

    def test_calls_cancelled_at_each_stage(self):
        dice = random.Random(SEED)
        for who, path, streams, messages in self.stages():
            with self.to(who) as channel:
                for sent in range(len(messages) + 2) if streams else [1]:
                    for answers in range(min(sent, 3) if streams else 2):
                        for _ in range(5):
                            # A list without its end and a call that holds on have no answer to wait for.
                            quiet = "Reconcile" in path and sent < len(messages)
                            self.cancel_at(channel, path, streams, messages, sent, 0 if quiet else answers, dice)
        with self.to(self.rude) as channel:  # nothing is counted any more: all the streams that it may have
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            stop = threading.Event()

            def one(n):
                yield x.SubmitRequest(batch_id=f"s-{n}", dataset="theirs", records=[secure.registration(300_000 + n)])
                stop.wait()

            def all_answer():
                streams = [stub.Submit(one(n), timeout=harness.PATIENCE) for n in range(STREAMS_OF_ONE)]
                try:
                    return all(len(next(s).receipt.results) == 1 for s in streams)
                except grpc.RpcError as error:
                    self.assertEqual(error.code(), grpc.StatusCode.UNAVAILABLE)  # one is on its way out still
                    return False
                finally:
                    for s in streams:
                        s.cancel()

            harness.until(all_answer, "the streams of cancelled calls to be free")
            stop.set()
        told = None
        with self.to(self.rude) as channel:  # and no list stands in the way of another one
            def listed():
                nonlocal told
                try:
                    told = lists.reconcile(channel, lists.steps([secure.registration(1)], "theirs", 1, list_id="after",
                                                                dry_run=True))
                except grpc.RpcError as error:
                    self.assertTrue(secure.details_of(secure.status_of(error))[3] is not None, error)
                return told

            harness.until(listed, "a list to be taken")
        self.assertEqual(told.report.received, 1)


if __name__ == "__main__":
    harness.main()
