#!/usr/bin/python3
"""The bus as an adapter meets it: the services over tcp and ipc, and what happens when either side goes away."""
import os
import random
import signal
import struct
import sys
import threading
import time
import unittest

import bus
import cli
import grpc
import harness
from harness import PATIENCE
import observe
import secure
from eldergate.v1 import (audit_pb2 as au, elder_pb2 as e, exchange_pb2 as x, feed_pb2 as f)
from google.protobuf import empty_pb2
from google.rpc import status_pb2

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import checker  # noqa: E402
from client import Client  # noqa: E402

OK, CANCELLED, INVALID, DENIED, EXHAUSTED, UNIMPLEMENTED, UNAVAILABLE, UNAUTHENTICATED = 0, 1, 3, 7, 8, 12, 14, 16
NOTHING = empty_pb2.Empty()
SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse
GRACE_S = 6
SNAPSHOT = f.FeedStart(snapshot=f.SnapshotStart())
SERIAL = iter(range(1, 1 << 30))


def batch(n, first=None, version=1, name=None):
    first = next(SERIAL) * 1000 if first is None else first
    return x.SubmitRequest(batch_id=name or f"b{first}.{version}", dataset="household",
                           records=[secure.registration(first + k, version) for k in range(n)])


def submit(link, batches):
    """Receipts by batch, and the status."""
    call = link.call(bus.SUBMIT)
    for b in batches:
        link.send(call, b)
    link.tell(f"close {call}")
    receipts = {}
    while True:
        event = link.next()
        if event["call"] != call:
            continue
        if event["event"] != "message":
            return receipts, event
        receipt = x.SubmitResponse.FromString(event["bytes"]).receipt
        receipts[receipt.batch_id] = receipt


def outcomes(receipts):
    return {r.outcome for receipt in receipts.values() for r in receipt.results}


def items(event):
    return f.SubscribeResponse.FromString(event["bytes"]).items


class Services(unittest.TestCase):
    """Every method works over the bus, with the rights and errors that it has over gRPC."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = g = bus.Gateway()
        cls.police = g.adapter("police", grants={"sync": ["registration.name"]})
        g.start()
        cls.link = g.link(cls.police)
        cls.link.wait("up")

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()

    def test_submit_over_tcp_and_ipc(self):
        batches = [batch(10) for _ in range(30)]
        for address, outcome in ((self.gateway.tcp, x.OUTCOME_APPLIED), (self.gateway.ipc, x.OUTCOME_UNCHANGED)):
            link = self.gateway.link(self.police, address)
            receipts, end = submit(link, batches)
            self.assertEqual((end["event"], end["code"]), ("status", OK), end)
            self.assertEqual(receipts.keys(), {b.batch_id for b in batches})
            self.assertEqual(outcomes(receipts), {outcome})
            link.kill()

    def test_unary(self):
        call = self.link.call(bus.HEALTH)
        self.link.send(call, NOTHING)
        self.assertEqual(self.link.wait("message", call)["bytes"], b"\x08\x01")  # SERVING
        self.assertEqual(self.link.wait("status", call)["code"], OK)
        one = batch(1)
        self.assertEqual(outcomes(submit(self.link, [one])[0]), {x.OUTCOME_APPLIED})
        who = e.PersonSelector(source_record=e.SourceRecordSelector(dataset="household", source_key=one.records[0].source_key))
        code, answer = self.link.unary(bus.GET_ELDER, x.GetElderRequest(purpose="sync", person=who), x.GetElderResponse)
        self.assertEqual(code, OK)
        self.assertEqual({i.field for i in answer.elder.fields}, {"life_status", "registration.name"})
        code, answer = self.link.unary(bus.LIST_REJECTS, x.ListRejectsRequest(dataset="household"), x.ListRejectsResponse)
        self.assertEqual((code, len(answer.rejects)), (OK, 0))

    def test_errors(self):
        code, _ = self.link.unary("/eldergate.v1.AuditService/SearchLog", au.SearchLogRequest(), au.SearchLogResponse)
        self.assertEqual(code, DENIED)
        call = self.link.call("/eldergate.v1.AuditService/SearchLog")
        self.link.send(call, au.SearchLogRequest())
        end = self.link.wait("status", call)
        status = status_pb2.Status.FromString(end["bytes"])
        self.assertEqual(secure.details_of(status)[0], "METHOD_NOT_PERMITTED")
        self.assertTrue(end["text"])
        for method in ("/eldergate.v1.ExchangeService/Nothing", "/x"):
            self.assertEqual(self.link.unary(method, x.ListRejectsRequest(), x.ListRejectsResponse)[0], UNIMPLEMENTED)
        call = self.link.call(bus.LIST_REJECTS)
        self.link.tell(f"close {call}")  # without a request
        self.assertEqual(self.link.wait("status", call)["code"], INVALID)

    def test_stream_and_cancel(self):
        before = observe.metric(self.gateway.metrics, "eldergate_subscribers")
        call = self.link.call(bus.SUBSCRIBE, 2)
        self.link.send(call, f.SubscribeRequest(purpose="sync", start=SNAPSHOT))
        harness.until(lambda: self.gateway.metric("eldergate_subscribers") == before + 1, "the subscription")
        people = batch(50)
        keys = {r.source_key for r in people.records}
        self.assertEqual(len(keys), 50)
        other = self.gateway.link(self.police)
        submit(other, [people])
        changes = 0
        while changes < 50:
            event = self.link.next()
            if event["call"] == call and event["event"] == "message":
                changes += sum(i.HasField("change") for i in items(event))
        self.link.tell(f"drop {call}")
        harness.until(lambda: self.gateway.metric("eldergate_subscribers") == before, "the end of the subscription")
        other.kill()

    def test_more_calls_than_allowed(self):
        raw = self.gateway.raw(self.police)
        for call in range(1, 18):
            raw.open(call, bus.SUBMIT)
        frame = raw.wait(bus.STATUS)
        self.assertEqual((frame[1], bus.code_of(frame)), (17, EXHAUSTED))
        raw.put(struct.pack(">BQ", bus.CANCEL, 3))
        raw.open(18, bus.HEALTH)
        raw.message(18, b"")
        self.assertEqual(raw.wait(bus.MESSAGE)[1], 18)
        raw.close()

    def test_more_connections_than_one_key_may_have(self):
        harness.until(lambda: self.gateway.metric("eldergate_bus_peers") == 1, "those of other tests to be forgotten")
        raws = [self.gateway.raw(self.police) for _ in range(7)]
        more = self.gateway.raw(self.police, greet=False)
        more.hello()
        self.assertEqual(bus.code_of(more.wait(bus.GOODBYE)), UNAVAILABLE)
        raws.pop().close()
        harness.until(lambda: self._greeted(more), "a place that was free again")
        for raw in raws + [more]:
            raw.close()
        harness.until(lambda: self.gateway.metric("eldergate_bus_peers") == 1, "those that left to be forgotten")

    @staticmethod
    def _greeted(raw):
        raw.hello()
        return raw.next()[0] == bus.WELCOME

    def test_another_version(self):
        raw = self.gateway.raw(self.police, greet=False)
        raw.hello(first=2, last=9)
        self.assertEqual(bus.code_of(raw.wait(bus.GOODBYE)), 9)
        raw.hello(first=1, last=9)
        self.assertEqual(struct.unpack(">H", raw.wait(bus.WELCOME)[2][5:7])[0], 1)
        raw.close()

    def test_an_answer_that_is_too_large_for_the_adapter(self):
        submit(self.link, [batch(500)])
        raw = self.gateway.raw(self.police, max_message=2000)
        raw.open(1, bus.SUBSCRIBE, 5)
        raw.message(1, f.SubscribeRequest(purpose="sync", start=SNAPSHOT).SerializeToString())
        self.assertEqual(bus.code_of(raw.wait(bus.STATUS)), EXHAUSTED)
        raw.close()

    def test_a_call_before_the_link_is_up(self):
        link = self.gateway.link(self.police)  # commands are read before it is connected
        self.assertEqual(submit(link, [batch(3)])[1]["code"], OK)
        link.kill()


class Apart(unittest.TestCase):
    """Either side goes away, and comes back."""

    def gateway(self, **settings):
        g = bus.Gateway(settings)
        self.addCleanup(g.__exit__, None, None, None)
        self.police = g.adapter("police")
        return g

    def test_the_daemon_is_killed_in_mid_stream(self):
        """Whatever has no receipt is sent again; the checker finds nothing lost, twice or out of order."""
        g = self.gateway(**{"writer.checkpoint": "50ms"})
        client, rng = Client("police"), random.Random(7)
        g.start()
        link = g.link(self.police, heartbeat_ms=60000)
        made = left = 0
        for cycle in range(5):
            call = link.call(bus.SUBMIT, 8)
            for request in list(client.pending.values()):
                link.send(call, request)
            for _ in range(60):
                first = rng.randrange(20) * 50
                link.send(call, client.add("household",
                                           [secure.registration(first + k, rng.randrange(1, 1000)) for k in range(50)]))
                made += 1
            enough = rng.randrange(5, 40)
            while enough:
                event = link.next()
                self.assertNotEqual(event["event"], "lost", event)
                if event["event"] == "message":
                    client._receipt(x.SubmitResponse.FromString(event["bytes"]).receipt)
                    enough -= 1
            g.kill()
            killed = time.monotonic()
            while (event := link.next())["event"] != "lost":
                if event["event"] == "message":
                    client._receipt(x.SubmitResponse.FromString(event["bytes"]).receipt)
            self.assertLess(time.monotonic() - killed, PATIENCE, "only its heartbeats told")
            self.assertEqual(checker.check(g.data, client.history), [])
            left += len(client.pending)
            g.start()
        self.assertGreater(left, 0)
        link.wait("up")
        call = link.call(bus.SUBMIT)
        for request in list(client.pending.values()):
            link.send(call, request)
        link.tell(f"close {call}")
        while (event := link.next())["event"] != "status":
            if event["event"] == "message":
                client._receipt(x.SubmitResponse.FromString(event["bytes"]).receipt)
        self.assertEqual(event["code"], OK)
        self.assertEqual((client.pending, client.receipts), ({}, made))
        self.assertEqual(g.stop(), 0)
        self.assertEqual(checker.check(g.data, client.history), [])

    def test_an_adapter_is_killed(self):
        """Its calls end at once, not after its heartbeats; another one goes on where it stood."""
        g = self.gateway(**{"bus.heartbeat": "60s"}).start()  # three of them are longer than anything is waited for
        link = g.link(self.police)
        batches = [batch(10) for _ in range(50)]
        call = link.call(bus.SUBMIT)
        for b in batches:
            link.send(call, b)
        link.wait("message", call)
        subscription = link.call(bus.SUBSCRIBE)
        link.send(subscription, f.SubscribeRequest(purpose="sync", start=SNAPSHOT))
        harness.until(lambda: g.metric("eldergate_subscribers") == 1, "the subscription")
        link.kill()
        harness.until(lambda: g.metric("eldergate_bus_peers") == 0, "the end of its session")
        harness.until(lambda: g.metric("eldergate_subscribers") == 0, "the end of its subscription")
        receipts, end = submit(g.link(self.police), batches)
        self.assertEqual((len(receipts), end["code"]), (50, OK))
        self.assertEqual(outcomes(receipts) - {x.OUTCOME_APPLIED, x.OUTCOME_UNCHANGED}, set())
        self.assertIn(x.OUTCOME_UNCHANGED, outcomes(receipts))

    def test_an_adapter_that_hangs(self):
        """Its process is stopped: its calls end after three heartbeats; awake again it finds them lost and goes on."""
        g = self.gateway(**{"bus.heartbeat": "300ms"}).start()
        link = g.link(self.police, heartbeat_ms=300)
        call = link.call(bus.SUBSCRIBE)
        link.send(call, f.SubscribeRequest(purpose="sync", start=SNAPSHOT))
        harness.until(lambda: g.metric("eldergate_subscribers") == 1, "the subscription")
        link.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        harness.until(lambda: g.metric("eldergate_subscribers") == 0, "the end of its subscription")
        self.assertGreater(time.monotonic() - stopped, 0.6)
        link.process.send_signal(signal.SIGCONT)
        link.wait("lost", call)
        link.wait("up")
        self.assertEqual(submit(link, [batch(5)])[1]["code"], OK)

    def test_silence_alone(self):
        """A peer whose connection stands but that says nothing; and one that asked for a longer time."""
        g = self.gateway(**{"bus.heartbeat": "500ms"}).start()
        silent, patient = g.raw(self.police, heartbeat_ms=500), g.raw(self.police, heartbeat_ms=60000)
        for raw in (silent, patient):
            raw.open(1, bus.WATCH)
            raw.message(1, b"")
            raw.wait(bus.MESSAGE)
        self.assertEqual(bus.code_of(silent.wait(bus.GOODBYE)), UNAVAILABLE)
        self.assertEqual(g.metric("eldergate_bus_refused_total", reason="silent"), 1)
        silent.ping()  # the session is over: told again, at once
        self.assertEqual(bus.code_of(silent.wait(bus.GOODBYE)), UNAVAILABLE)
        patient.ping()
        self.assertEqual(patient.wait(bus.PONG)[2], struct.pack(">Q", 7))
        silent.close()
        patient.close()

    def test_the_gateway_hangs(self):
        """The link notices within its own three heartbeats, and connects again."""
        g = self.gateway().start()
        link = g.link(self.police, heartbeat_ms=500)
        call = link.call(bus.WATCH)
        link.send(call, NOTHING)
        link.wait("message", call)
        g.process.send_signal(signal.SIGSTOP)
        link.wait("lost", call)
        self.assertNotEqual(link.trouble()["code"], 0)
        g.process.send_signal(signal.SIGCONT)
        link.wait("up")
        self.assertEqual(link.trouble()["code"], 0)

    def test_the_gateway_is_stopped(self):
        """It drains: receipts for what it took, a status for each call, GOODBYE. Nobody holds it."""
        g = self.gateway(**{"shutdown.grace": f"{2 * PATIENCE}s"}).start()
        link = g.link(self.police)
        call, watch = link.call(bus.SUBMIT), link.call(bus.WATCH)
        link.send(watch, NOTHING)
        for _ in range(40):
            link.send(call, batch(20))
        link.wait("message", call)
        self.assertEqual(g.stop(), 0)
        ends = {}
        while len(ends) < 2:
            event = link.next()
            if event["event"] in ("status", "lost"):
                ends[event["call"]] = (event["event"], event["code"])
        self.assertEqual(ends, {call: ("status", UNAVAILABLE), watch: ("status", UNAVAILABLE)})
        link.wait("down")
        g.start()
        link.wait("up")

    def test_a_drain_that_waits_for_the_bus(self):
        """As long as a call of the bus is not done gRPC answers, too; the deadline ends both."""
        g = self.gateway(**{"shutdown.grace": f"{GRACE_S}s"}).start()
        check = g.to(g.stranger()).unary_unary(bus.HEALTH)
        self.assertEqual(check(b"", timeout=PATIENCE), SERVING)

        def refused():
            try:
                return not check(b"", timeout=PATIENCE)
            except grpc.RpcError as error:
                self.assertEqual(error.details(), "the gateway is shutting down")
                return True
        peer = g.raw(self.police)
        peer.open(1, bus.SUBMIT, 1)
        for _ in range(2):
            peer.wait(bus.CREDIT)
            peer.message(1, batch(1).SerializeToString())
        peer.wait(bus.MESSAGE)  # its one credit is spent, and there is another receipt for it
        harness.until(lambda: g.metric("eldergate_records_total", outcome="applied") == 2, "both batches")
        stopped = time.monotonic()
        g.process.send_signal(signal.SIGTERM)
        harness.until(refused, "a refusal")
        while time.monotonic() < stopped + GRACE_S / 2:
            self.assertTrue(refused())
        self.assertEqual(g.process.wait(PATIENCE), 0, g.log_tail())
        self.assertGreater(time.monotonic() - stopped, GRACE_S - 0.5)
        peer.close()

    def test_nobody_is_there(self):
        g = self.gateway().start()
        g.stop()
        link = g.link(self.police)
        trouble = harness.until(lambda: (t := link.trouble()) and "answers" in t["text"] and t, "what the trouble is")
        self.assertEqual(trouble["code"], 20)
        call = link.call(bus.HEALTH)
        link.send(call, NOTHING)
        g.start()
        self.assertEqual(link.wait("status", call)["code"], OK)

    def test_revocation(self):
        """The identity goes from the policy: its calls end with UNAUTHENTICATED, also of one that gives no credit."""
        g = self.gateway()
        other = g.adapter("home", {"remains": "funeral"})
        g.start()
        link, stays = g.link(self.police), g.link(other)
        raw = g.raw(self.police)
        call, subscription = link.call(bus.SUBMIT), link.call(bus.SUBSCRIBE)
        link.send(call, batch(5))
        link.wait("message", call)
        request = f.SubscribeRequest(purpose="sync", start=SNAPSHOT)
        link.send(subscription, request)
        raw.open(1, bus.SUBSCRIBE, 1)
        raw.message(1, request.SerializeToString())
        raw.wait(bus.MESSAGE)  # its one credit is spent
        harness.until(lambda: g.metric("eldergate_subscribers") == 2, "the subscriptions")
        kept = stays.call(bus.SUBSCRIBE)
        stays.send(kept, request)
        stays.wait("message", kept)
        g.forget("police")
        g.reload()
        ends = {}
        while len(ends) < 2:
            event = link.next()
            if event["event"] in ("status", "lost"):
                ends[event["call"]] = (event["event"], event["code"])
        self.assertEqual(ends, {c: ("status", UNAUTHENTICATED) for c in (call, subscription)})
        self.assertEqual(bus.code_of(raw.wait(bus.STATUS)), UNAUTHENTICATED)
        self.assertEqual(bus.code_of(raw.wait(bus.GOODBYE)), UNAUTHENTICATED)
        raw.hello()  # the connection stands, but it is nobody's
        self.assertEqual(bus.code_of(raw.wait(bus.GOODBYE)), UNAUTHENTICATED)
        link.wait("down")
        harness.until(lambda: link.trouble()["code"] == 7, "the link to know why")
        stays.wait("message", kept)  # progress: it goes on
        g.write("identities.d/police.yaml", (harness.identity("police", roles=["agency"], submit=[("household",
                "registration")], purpose=None) + f'curve: "{self.police.public}"\n').encode())
        g.reload()
        link.wait("up")
        raw.close()

    def test_onboarding(self):
        """What `eldergate agency add --bus` writes and prints is all that an adapter needs."""
        g = self.gateway().start()
        done = cli.run("agency", "add", "front", "--data", g.data, "--config-dir", g.place, "--dataset",
                       "household:registration", "--bus", g.tcp, "--json")
        self.assertEqual(done.status, 0, done)
        told = done.json()[0]
        self.assertEqual(told["bus_server_key"], g.server_key)
        g.reload()
        key = bus.Key(g.place, "unused")
        key.file = told["bus_key_file"]
        self.assertEqual(submit(g.link(key, told["bus"]), [batch(3)])[1]["code"], OK)

    def test_keys_of_the_two_sides(self):
        g = self.gateway().start()
        stranger = g.link(bus.Key(g.place, "stranger"))
        harness.until(lambda: stranger.trouble()["code"] == 7, "the stranger to know that it is one")
        harness.until(lambda: g.metric("eldergate_bus_refused_total", reason="unknown_key") > 0, "the count")
        key = bus.Key(g.place, "another")
        wrong = bus.Link(g.tcp, key.public, self.police)
        g.links.append(wrong)
        trouble = harness.until(lambda: (t := wrong.trouble()) and "server_key" in t["text"] and t, "the wrong key")
        self.assertEqual(trouble["code"], 20)
        self.assertEqual(g.metric("eldergate_bus_peers"), 0)
        # Wrong files and addresses are told at once.
        os.chmod(self.police.file, 0o644)
        self.assertEqual(g.link(self.police).process.wait(10), 77)
        os.chmod(self.police.file, 0o600)
        self.assertEqual(g.link(self.police, "udp://127.0.0.1:1").process.wait(10), 78)
        os.unlink(key.file)
        self.assertEqual(g.link(key).process.wait(10), 66)


if __name__ == "__main__":
    harness.main()
