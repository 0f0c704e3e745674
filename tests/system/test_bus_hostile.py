#!/usr/bin/python3
"""The bus under hostile and broken peers: refused, counted, memory bounded, nobody else disturbed."""
import glob
import os
import random
import re
import socket
import struct
import threading
import time
import unittest

import bus
import harness
import observe
import secure
import zmq
from eldergate.v1 import exchange_pb2 as x, feed_pb2 as f
from test_bus import SNAPSHOT, batch, items, outcomes, submit

INVALID, OK = 3, 0
MIB = 1 << 20
MAX = 256 << 10  # bus.max_message here
SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))


def open_frame(call, method=b"/x/y", credit=1, trace=b""):
    return struct.pack(">BQIH", bus.OPEN, call, credit, len(method)) + method + struct.pack(">H", len(trace)) + trace


def of(kind, call, more=b""):
    return struct.pack(">BQ", kind, call) + more


HELLO = struct.pack(">B5sHHII", bus.HELLO, b"EGBUS", 1, 1, 1000, MAX)
WINDOW, STREAMS = 4, 64  # of one stream, messages that wait; of one identity, streams (edge/call.h, edge/quota.h)
SUBMIT = open_frame(1, bus.SUBMIT.encode())
UNARY = open_frame(1, bus.LIST_REJECTS.encode())
# What a greeted peer sends, a list of messages each a list of parts: the last one is at fault.
FAULTS = {
    "an empty header": [[b""]],
    "an unknown kind": [[b"\x0c"]],
    "kind 0": [[b"\0" + bytes(8)]],
    "a cut header": [[of(bus.CREDIT, 1)]],
    "a header with more behind it": [[of(bus.CANCEL, 1, b"x")]],
    "a second greeting": [[HELLO]],
    "another magic": [[HELLO.replace(b"EGBUS", b"EGBUT")]],
    "a frame of the gateway's": [[struct.pack(">B5sHIII", bus.WELCOME, b"EGBUS", 1, 1, 1, 1)]],
    "a status": [[of(bus.STATUS, 1, bytes(6)), b""]],
    "a status of an open call": [[SUBMIT], [of(bus.STATUS, 1, bytes(6)), b""]],
    "a message without payload": [[SUBMIT], [of(bus.MESSAGE, 1)]],
    "a payload where none belongs": [[SUBMIT], [of(bus.HALF_CLOSE, 1), b"x"]],
    "an opening with payload": [[SUBMIT, b""]],
    "three parts": [[SUBMIT], [of(bus.MESSAGE, 1), b"x", b"y"]],
    "many parts": [[SUBMIT], [of(bus.MESSAGE, 1)] + [b"x"] * 1000],
    "call 0": [[open_frame(0)]],
    "a number used twice": [[SUBMIT], [SUBMIT]],
    "a number that went back": [[open_frame(9)], [open_frame(8)]],
    "a call never opened": [[of(bus.MESSAGE, 5), b"x"]],
    "a credit for a call never opened": [[of(bus.CREDIT, 5, struct.pack(">I", 1))]],
    "no credit at the opening": [[open_frame(1, credit=0)]],
    "too much credit at the opening": [[open_frame(1, credit=1025)]],
    "too much credit": [[SUBMIT], [of(bus.CREDIT, 1, struct.pack(">I", 1024))]],
    "a credit of none": [[SUBMIT], [of(bus.CREDIT, 1, struct.pack(">I", 0))]],
    "a method without a slash": [[open_frame(1, b"Submit")]],
    "a method with control characters": [[open_frame(1, b"/\x1b[2J")]],
    "a method that is too long": [[open_frame(1, b"/" + b"x" * 128)]],
    "a long trace": [[open_frame(1, trace=b"0" * 65)]],
    "a length beyond the header": [[struct.pack(">BQIH", bus.OPEN, 1, 1, 65535) + b"/x"]],
    "a second request of a unary call": [[UNARY], [of(bus.MESSAGE, 1), b""], [of(bus.MESSAGE, 1), b""]],
    "a message behind the half-close": [[SUBMIT], [of(bus.HALF_CLOSE, 1)], [of(bus.MESSAGE, 1), b""]],
    "a second half-close": [[SUBMIT], [of(bus.HALF_CLOSE, 1)], [of(bus.HALF_CLOSE, 1)]],
    "more messages than credit": [[SUBMIT]] + [[of(bus.MESSAGE, 1), batch(1).SerializeToString()]] * 2000,
    "a goodbye that is none": [[struct.pack(">BIH", bus.GOODBYE, 99, 0)]],
    "a text that is no UTF-8": [[struct.pack(">BIH", bus.GOODBYE, 0, 1) + b"\xff"]],
}
# After these a call is over already, so the frame may also find it gone.
MAY_BE_LATE = {"a second request of a unary call", "a message behind the half-close", "a second half-close"}


class Good:
    """A well-behaved adapter that submits all the while; `end` says how it fared."""

    def __init__(self, gateway, key):
        self.link = gateway.link(key)
        self.link.wait("up")
        self.stop = threading.Event()
        self.batches, self.slowest, self.bad = 0, 0, []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        call = self.link.call(bus.SUBMIT)
        while not (self.batches and self.stop.is_set()):
            began = time.monotonic()
            self.link.send(call, batch(5))
            event = self.link.next()
            if event["event"] != "message":
                self.bad.append(event)
                return
            self.batches += 1
            self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self, test):
        self.stop.set()
        self.thread.join()
        test.assertEqual(self.bad, [])
        test.assertGreater(self.batches, 0)
        return self.slowest


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"EG_SEED={SEED}", flush=True)
        cls.gateway = g = bus.Gateway({"bus.max_message": str(MAX), "limits.batch_bytes": str(MAX // 2),
                                       "bus.handshake_timeout": "2s", "bus.max_peers": "16", "feed.window": "50", "store.cache": "1MiB"})
        cls.police, cls.home = g.adapter("police"), g.adapter("home")
        cls.slow = g.adapter("slow", more="records_per_second: 1\n")
        g.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()

    def setUp(self):
        harness.until(lambda: self.gateway.metric("eldergate_bus_peers") == 0, "peers of former tests to go")
        self.good = Good(self.gateway, self.home)
        self.watch = observe.Watch(memory=lambda: observe.resident(self.gateway.process.pid))

    def tearDown(self):
        try:
            slowest = self.good.end(self)
        finally:
            for link in self.gateway.links:
                link.kill()
            self.gateway.links.clear()
        self.assertLess(slowest, 5)
        self.assertTrue(self.gateway.alive(), self.gateway.log_tail())

    def refused(self, reason):
        return self.gateway.metric("eldergate_bus_refused_total", reason=reason)

    def grown(self):
        return (self.watch.most["memory"] - self.watch.first["memory"]) / MIB

    def test_frames_that_are_none(self):
        before, logged = self.refused("malformed"), self.gateway.metric("eldergate_refusals_total",
                                                                       reason="MALFORMED_REQUEST")
        for name, messages in FAULTS.items():
            with self.subTest(name):
                raw = self.gateway.raw(self.police)
                for parts in messages:
                    raw.put(*parts)
                raw.ping()  # whoever has no session is told so
                seen = {}
                while (frame := raw.next()) and frame[0] not in (bus.GOODBYE, bus.PONG):
                    seen[frame[0]] = frame
                if name in MAY_BE_LATE and frame[0] == bus.PONG:
                    self.assertIn(bus.STATUS, seen)
                else:
                    self.assertEqual((frame[0], bus.code_of(frame)), (bus.GOODBYE, INVALID), frame)
                raw.close()
        self.assertGreaterEqual(self.refused("malformed") - before, len(FAULTS) - len(MAY_BE_LATE))
        self.assertGreater(self.gateway.metric("eldergate_refusals_total", reason="MALFORMED_REQUEST"), logged)

    def test_strangers(self):
        """Whoever has not greeted gets GOODBYE, whatever it sends; then it may greet."""
        raw = self.gateway.raw(self.police, greet=False)
        for parts, code in (([b"x"], INVALID), ([SUBMIT], 14), ([of(bus.MESSAGE, 1), b"x"], 14),
                            ([b"\0" * 100, b"x"], INVALID)):
            raw.put(*parts)
            self.assertEqual(bus.code_of(raw.wait(bus.GOODBYE)), code)
        raw.hello()
        raw.wait(bus.WELCOME)
        raw.close()

    def test_a_route_of_its_own(self):
        """A route that the peer chose is nobody's: it could be somebody else's."""
        before = self.refused("malformed")
        raw = self.gateway.raw(self.police, greet=False, identity=b"chosen")
        raw.hello()
        harness.until(lambda: self.refused("malformed") > before, "the count")
        self.assertIsNone(raw.next(0.3))
        raw.close()

    def test_random_frames(self):
        rng = random.Random(SEED)
        frames = [p for messages in FAULTS.values() for p in messages] + [[HELLO], [struct.pack(">BQ", bus.PING, 1)]]
        with self.watch:
            raw = self.gateway.raw(self.police)
            for n in range(20000):
                parts = [bytearray(p) for p in rng.choice(frames)][:rng.randrange(1, 5)]
                part = rng.choice(parts)
                if part and rng.random() < 0.5:
                    part[rng.randrange(len(part))] = rng.randrange(256)
                try:
                    raw.socket.send_multipart([bytes(p) for p in parts], zmq.DONTWAIT)
                except zmq.Again:
                    raw.socket.poll(1000, zmq.POLLOUT)
                while raw.socket.poll(0):
                    raw.socket.recv_multipart()
            raw.close()
            harness.until(lambda: self.gateway.metric("eldergate_bus_peers") == 1, "the peer to go")
        observe.assert_grown_less(self, self.grown(), 48)

    def test_a_message_that_is_too_large(self):
        """Its connection is cut before it is in memory."""
        with self.watch:
            for _ in range(5):
                raw = self.gateway.raw(self.police)
                watched = raw.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                raw.open(1, bus.SUBMIT)
                raw.message(1, bytes(64 * MIB))
                self.assertTrue(watched.poll(harness.PATIENCE * 1000), "it was not cut")
                raw.socket.disable_monitor()
                watched.close()
                raw.close()
        observe.assert_grown_less(self, self.grown(), 24)

    def test_a_message_above_the_limit_by_a_little(self):
        raw = self.gateway.raw(self.police)
        raw.open(1, bus.SUBMIT)
        raw.message(1, bytes(MAX + 1))
        self.assertEqual(bus.code_of(raw.wait(bus.GOODBYE)), INVALID)
        raw.close()

    def test_a_message_of_too_many_parts(self):
        """libzmq bounds neither parts nor their sum, and would keep them all until the last one."""
        before = self.refused("malformed")
        raw = self.gateway.raw(self.police)
        watched = raw.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        with self.watch:
            raw.socket.send_multipart([bytes(MAX // 2)] * 16384, copy=False)  # 2 GiB
            self.assertTrue(watched.poll(harness.PATIENCE * 1000), "it was not cut")
        self.assertGreater(self.refused("malformed"), before)
        print(f"a message of 2 GiB in parts: memory +{self.grown():.0f} MiB", flush=True)
        observe.assert_grown_less(self, self.grown(), 128)
        raw.socket.disable_monitor()
        watched.close()
        raw.close()

    def test_a_flood_of_handshakes(self):
        """Connections that never finish: they push out one another, and none outlives its time."""
        port = int(self.gateway.tcp.rsplit(":", 1)[1])
        before = self.refused("too_many")
        files = len(os.listdir(f"/proc/{self.gateway.process.pid}/fd"))
        with self.watch:
            flood = []
            while self.refused("too_many") - before < 100:
                self.assertLess(len(flood), 5000, "none of them was too many")
                for n in range(100):
                    s = socket.create_connection(("127.0.0.1", port))
                    s.send((b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\0" + bytes(31))[:n % 64])
                    flood.append(s)
            receipts, end = submit(self.gateway.link(self.police), [batch(10)])
            self.assertEqual((len(receipts), end["code"]), (1, OK))
            harness.until(lambda: len(os.listdir(f"/proc/{self.gateway.process.pid}/fd")) < files + 20,
                          "the descriptors to be free again")
            for s in flood:
                s.close()
        observe.assert_grown_less(self, self.grown(), 24)

    def test_strangers_that_send_much(self):
        """Whoever has not greeted is cut long before a whole message's worth of it is in memory for its time."""
        port = int(self.gateway.tcp.rsplit(":", 1)[1])
        before, failed = self.refused("malformed"), self.refused("handshake")
        greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\0" + bytes(31)
        command = b"\x06" + struct.pack(">Q", MAX - 1)  # as long as a message may be, and it never ends
        strangers = []
        with self.watch:
            for n in range(100):
                s = socket.create_connection(("127.0.0.1", port))
                strangers.append(s)
                s.sendall(greeting + command + bytes(65 << 10))
            harness.until(lambda: self.refused("malformed") - before >= 100, "all of them to be counted")
        self.assertEqual(self.refused("malformed") - before, 100)
        observe.assert_grown_less(self, self.grown(), 24)  # as long as a message may be, of each at once: 25 MiB
        for s in strangers:
            s.settimeout(harness.PATIENCE)
            with self.assertRaises((ConnectionError, EOFError)):  # a reset, or the end behind the greeting
                while s.recv(4096):
                    pass
                raise EOFError
            s.close()
        self.assertEqual(self.refused("handshake"), failed)  # none of them counts twice

    def stuff(self, raw, calls):
        """Fills these Submit streams: a batch that spends the rate for minutes, then whatever credit there is."""
        room = dict.fromkeys(calls, 1)
        first = batch(300).SerializeToString()
        for call in calls:
            raw.open(call, bus.SUBMIT, 1)
            raw.message(call, first)
            room[call] -= 1
        sent, full = dict.fromkeys(calls, 0), lambda call: sent[call] == WINDOW
        while not all(map(full, calls)):
            kind, call, rest, _ = raw.next()
            self.assertNotIn(kind, (bus.GOODBYE, bus.STATUS))
            if kind == bus.CREDIT:
                room[call] += struct.unpack(">I", rest)[0]
            while call and room[call]:
                raw.message(call, bytes(MAX))
                room[call] -= 1
                sent[call] += 1

    def test_streams_that_wait(self):
        """All the streams that one identity may have, each with all that may wait: that much memory, and no more."""
        calls = range(1, STREAMS // 8 + 1)
        raws = [self.gateway.raw(self.slow) for _ in range(8)]
        with self.watch:
            for raw in raws:
                self.stuff(raw, calls)
            last = max(calls) + 1
            raws[0].open(last, bus.SUBMIT, 1)
            while (frame := raws[0].next())[0] != bus.STATUS or frame[1] != last:
                self.assertNotIn(frame[0], (bus.GOODBYE, bus.STATUS))
            self.assertEqual(bus.code_of(frame), 14)  # it has as many as one may
            for raw in raws:  # heartbeats still come through, and give nothing more to send
                raw.ping()
                while (frame := raw.next())[0] != bus.PONG:
                    self.assertNotIn(frame[0], (bus.CREDIT, bus.GOODBYE, bus.STATUS))
        bound = STREAMS * (WINDOW + 1) * MAX / MIB
        print(f"{STREAMS} streams that wait: memory +{self.grown():.0f} MiB of {bound:.0f}", flush=True)
        self.assertGreater(self.grown(), STREAMS * WINDOW * MAX / MIB / 2)
        observe.assert_grown_less(self, self.grown(), bound + 24)
        raws[0].message(1, b"x")  # without credit
        self.assertEqual(bus.code_of(raws[0].wait(bus.GOODBYE)), INVALID)
        for raw in raws:
            raw.close()

    def test_bytes_that_are_no_handshake(self):
        """Each is counted once, and costs nothing that lasts."""
        rng = random.Random(SEED)
        port = int(self.gateway.tcp.rsplit(":", 1)[1])

        def some(times):
            before = self.refused("handshake")
            for n in range(times):
                with socket.create_connection(("127.0.0.1", port)) as s:
                    begin = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\0" + bytes(31)
                    try:
                        s.send(rng.choice((b"", begin, b"GET / HTTP/1.1\r\n\r\n")) + rng.randbytes(rng.randrange(2000)))
                    except OSError:
                        pass
            harness.until(lambda: self.refused("handshake") - before >= times, "all of them to be counted")
            self.assertEqual(self.refused("handshake") - before, times)

        some(200)  # what libzmq keeps for as many as come at once
        self.watch = observe.Watch(memory=lambda: observe.resident(self.gateway.process.pid))
        with self.watch:
            some(2000)
        observe.assert_grown_less(self, self.grown(), 8)
        self.assertEqual(submit(self.gateway.link(self.police), [batch(10)])[1]["code"], OK)

    def test_a_handshake_that_is_not_finished(self):
        """The gateway ends it after bus.handshake_timeout, whatever of it came."""
        port = int(self.gateway.tcp.rsplit(":", 1)[1])
        before = self.refused("handshake")
        begin = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE" + bytes(15) + b"\0" + bytes(31)
        slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        for n, s in enumerate(slow):
            s.send(begin[:n * 16])
        for s in slow:
            s.settimeout(harness.PATIENCE)
            while s.recv(4096):
                pass
            s.close()
        harness.until(lambda: self.refused("handshake") - before >= len(slow), "all of them to be counted")
        self.assertEqual(self.refused("handshake") - before, len(slow))

    def test_keys_that_do_not_fit(self):
        """One made for another gateway, and one that nobody registered: each is told by its own reason."""
        before = {reason: self.refused(reason) for reason in ("handshake", "unknown_key")}
        other, unknown = bus.Key(self.gateway.place, "other"), bus.Key(self.gateway.place, "nobody")
        wrong = bus.Raw(self.gateway.tcp, other.public, self.police, greet=False, reconnect_ivl=-1)
        harness.until(lambda: self.refused("handshake") > before["handshake"], "the wrong server key")
        wrong.close()
        stranger = self.gateway.raw(unknown, greet=False, reconnect_ivl=-1)
        harness.until(lambda: self.refused("unknown_key") > before["unknown_key"], "the unknown key")
        stranger.close()
        raw = self.gateway.raw(self.police)  # behind both of them
        raw.close()
        self.assertEqual({reason: self.refused(reason) - n for reason, n in before.items()},
                         {"handshake": 1, "unknown_key": 1})

    def subscribe(self, raw, credit):
        raw.open(1, bus.SUBSCRIBE, credit)
        raw.message(1, f.SubscribeRequest(purpose="sync", start=SNAPSHOT).SerializeToString())

    def load(self, n):
        link = self.gateway.link(self.police)
        receipts, end = submit(link, [batch(500) for _ in range(n)])
        self.assertEqual((len(receipts), end["code"]), (n, OK))
        link.kill()
        return n * 500

    def follow(self, raw, changes, persons):
        """Takes messages, one credit each, until every one of the changes was told."""
        told, rows = set(), 0
        last = self.gateway.metric("eldergate_log_seq")
        while True:
            raw.credit(1, 1)
            message = f.SubscribeResponse.FromString(raw.wait(bus.MESSAGE)[3])
            for item in message.items:
                rows += item.HasField("snapshot")
                if item.HasField("change"):
                    self.assertNotIn(item.change.seq, told)
                    told.add(item.change.seq)
            if not message.next.snapshot_row and message.next.seq >= last:
                break
        self.assertGreaterEqual(len(told), changes)
        self.assertGreaterEqual(rows, persons)

    def test_a_subscriber_that_gives_no_credit(self):
        """It costs one window; once it gives credit it gets everything."""
        before = self.load(40)
        raw = self.gateway.raw(self.home)
        self.subscribe(raw, 1)
        raw.wait(bus.MESSAGE)
        with self.watch:
            made = self.load(40)
        print(f"{made} changes to a subscriber without credit: memory +{self.grown():.0f} MiB", flush=True)
        observe.assert_grown_less(self, self.grown(), 64)
        self.assertIsNone(raw.next(0.2))
        self.follow(raw, made, before - 1000)
        raw.close()

    def test_a_subscriber_that_does_not_read(self):
        """It gives all the credit there is, and leaves what comes in the sockets: heartbeats do not get through either.

        libzmq's end it in seconds, but for when a message that is stuck half-way keeps them from being sent at all; then its
        silence does, after three of the heartbeats that it asked for."""
        self.load(40)
        raw = self.gateway.raw(self.home, heartbeat_ms=20000, rcvhwm=1, rcvbuf=4096)
        with self.watch:
            self.subscribe(raw, 1024)
            harness.until(lambda: self.gateway.metric("eldergate_subscribers") == 1, "the subscription")
            self.load(40)
            harness.until(lambda: self.gateway.metric("eldergate_subscribers") == 0, "the end of the subscription")
        print(f"a subscriber that does not read: memory +{self.grown():.0f} MiB", flush=True)
        observe.assert_grown_less(self, self.grown(), 64)
        raw.close()


class Bounds(unittest.TestCase):
    """What proto/BUS.md says of constants is what the source has."""

    def test_the_page_and_the_source(self):
        with open(os.path.join(harness.ROOT, "proto", "BUS.md"), encoding="utf-8") as f:
            told = re.findall(r"`([A-Z][A-Z_]+)` \(([\d,]+)\)", f.read().split("## Bounds")[1])
        source = ""
        for name in glob.glob(os.path.join(harness.ROOT, "gateway", "edge", "*.[ch]")) + [
                os.path.join(harness.ROOT, "gateway", "base", "bus_frame.h")]:
            with open(name, encoding="utf-8") as f:
                source += f.read()
        self.assertGreater(len(told), 12)
        for name, value in told:
            with self.subTest(name):
                is_ = set(re.findall(rf"(?:#define {name}\s+|\b{name} = )(\(\(size_t\)\d+ << \d+\)|\d+)", source))
                self.assertEqual(len(is_), 1, is_)
                self.assertEqual(eval(is_.pop().replace("(size_t)", "")), int(value.replace(",", "")))


class Told(unittest.TestCase):
    """With a gateway of its own: it tells little in a second."""

    def why(self, gateway, reason, key):
        """The address in the next log line about such a refusal of this key."""
        while True:
            event = gateway.wait_event("bus.peer_refused")
            if event["reason"] == reason and event["key"] == key.public[:12] + "...":
                return event["address"]

    def why_none(self, gateway, reason):
        """The next log line about such a refusal of somebody who proved no key."""
        while True:
            event = gateway.wait_event("bus.peer_refused")
            if event["reason"] == reason:
                return event

    def test_the_log_says_who(self):
        """By the address and the beginning of the key, as it stands in the identity file; never the whole key."""
        with bus.Gateway() as g:
            police, unknown = g.adapter("police"), bus.Key(g.place, "unknown")
            g.start()
            stranger = g.raw(unknown, greet=False, reconnect_ivl=-1)
            self.addCleanup(stranger.close)  # not now: its handshake is under way, and to leave it is told as well
            stranger.hello()
            self.assertEqual(self.why(g, "unknown_key", unknown), "127.0.0.1")
            event = {"address": "unknown"}  # who has left before the gateway looks has no address any more
            for _ in range(50):
                if event["address"] != "unknown":
                    break
                wrong = bus.Raw(g.tcp, unknown.public, police, greet=False, reconnect_ivl=-1)
                event = self.why_none(g, "handshake")
                wrong.close()
            self.assertEqual((event["address"], event["why"], event["key"]),
                             ("127.0.0.1", "made for another server_key than the gateway's", "none yet"))
            with socket.create_connection(("127.0.0.1", int(g.tcp.rsplit(":", 1)[1]))) as s:
                s.send(b"GET / HTTP/1.1\r\n\r\n")
                self.assertEqual(self.why_none(g, "handshake")["why"], "bytes that are no handshake")
            raw = g.raw(police, greet=False)
            raw.hello(first=2, last=9)
            self.assertEqual(self.why(g, "version", police), "127.0.0.1")
            raw.hello()
            raw.wait(bus.WELCOME)
            raw.put(b"\x0c")
            self.assertEqual(self.why(g, "malformed", police), "127.0.0.1")
            raw.close()
            local = g.raw(police, g.ipc)
            local.put(b"\x0c")
            self.assertRegex(self.why(g, "malformed", police), f":{os.getuid()}:{os.getgid()}:{os.getpid()}$")
            local.close()
            self.assertEqual(g.stop(), 0, g.log_tail())
            for key in (unknown, police):
                self.assertNotIn(key.public, g.log_text())


if __name__ == "__main__":
    harness.main()
