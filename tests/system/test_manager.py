#!/usr/bin/python3
"""What the service manager hears: ready when everything listens, reloading, stopping; that the daemon turns, only while
each of its loops does."""
import contextlib
import ctypes
import os
import signal
import socket
import threading
import time
import unittest
import urllib.request

import adapters
import bus
import harness
from harness import PATIENCE
import manager
import observe
import secure
import grpc
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc

SEIZE, INTERRUPT, DETACH, ALL_THREADS = 0x4206, 0x4207, 17, 0x40000000  # ptrace(2), waitpid(2)
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def threads_of(pid, name):
    """The kernel's numbers of the threads of a name."""
    out = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:  # some end meanwhile
            if f.read().strip() == name:
                out.append(int(tid))
    return out


@contextlib.contextmanager
def stopped(pid, name):
    """One thread stands still, the others go on."""
    tid = harness.until(lambda: threads_of(pid, name), f"the thread {name}")[0]  # it names itself once it runs
    if ptrace(SEIZE, tid, None, None):
        raise unittest.SkipTest("a thread of a process without cores cannot be stopped here: "
                                + os.strerror(ctypes.get_errno()))
    assert ptrace(INTERRUPT, tid, None, None) == 0
    os.waitpid(tid, ALL_THREADS)
    try:
        yield
    finally:
        ptrace(DETACH, tid, None, None)


class Told(unittest.TestCase):
    def gateway(self, make=harness.Gateway, name=None, watchdog=None, **settings):
        g = make(settings)
        self.addCleanup(g.__exit__, None, None, None)
        m = manager.Manager(name or os.path.join(g.place, "notify"), watchdog)
        self.addCleanup(m.close)
        return g, m

    def test_ready_when_everything_listens(self):
        port = observe.free_port()
        g, m = self.gateway(secure.Gateway, **{"listen.metrics": f"127.0.0.1:{port}", "listen.bus": "tcp://127.0.0.1:*"})
        police, seen = g.agency("police"), {}

        def on_ready():
            with socket.socket(socket.AF_UNIX) as s:
                seen["unix"] = s.connect_ex(g.socket)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as r:
                seen["http"] = r.read()
        m.on_ready = on_ready
        g.start(env=m.env())
        _, _, state = m.wait("READY")
        self.assertEqual(state["READY"], "1")
        self.assertEqual(state["STATUS"], "serving 1 identities")
        self.assertEqual(seen, {"unix": 0, "http": b"ok\n"})
        self.assertEqual([s for _, s in m.told[:1]], [state], "nothing is told before it is ready")
        request = x.SubmitRequest(batch_id="b", dataset="household", records=[secure.registration(1)])
        stub = exchange_pb2_grpc.ExchangeServiceStub(g.to(police))
        self.assertEqual(next(iter(stub.Submit(iter([request]), timeout=PATIENCE))).receipt.results[0].outcome,
                         x.OUTCOME_APPLIED)
        self.assertEqual(g.stop(), 0)
        m.wait("STOPPING")
        self.assertFalse([s for _, s in m.told if "WATCHDOG" in s], "nobody asked for it")

    def test_a_failed_start_is_never_ready(self):
        g, m = self.gateway(**{"listen.metrics": "192.0.2.1:9"})
        g.start(env=m.env(), wait=False)
        self.assertEqual(g.process.wait(harness.PATIENCE), 78)
        self.assertFalse([s for _, s in m.told if "READY" in s])

    def test_reloading_at_an_abstract_name(self):
        g, m = self.gateway(name=f"@eldergate-test-{os.getpid()}")
        g.start(env=m.env())
        at, _, _ = m.wait("READY")
        for broken in (False, True):
            if broken:
                with open(os.path.join(g.place, "identities.d", "broken.yaml"), "w", encoding="ascii") as f:
                    f.write("name: [")
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            g.process.send_signal(signal.SIGHUP)
            at, _, state = m.wait("RELOADING", at)
            self.assertEqual(state["RELOADING"], "1")
            self.assertTrue(before <= int(state["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
            at, _, state = m.wait("READY", at)
        g.process.send_signal(signal.SIGTERM)
        _, _, state = m.wait("STOPPING", at)
        self.assertEqual(state["STOPPING"], "1")
        self.assertEqual(g.process.wait(harness.PATIENCE), 0)

    def test_nobody_to_tell(self):
        g, m = self.gateway()
        m.close()
        g.start(env=m.env())
        self.assertEqual(g.stop(), 0)
        self.assertIn("manager.not_told", g.log_text())


class Turning(unittest.TestCase):
    """A thread is stopped from outside, by ptrace(2), as a disk that never answers or a dead lock would."""
    STALL, WATCHDOG = 6, 3  # a ping each half of it: the other half is for a machine that is busy

    @classmethod
    def setUpClass(cls):
        cls.broker = harness.DevBroker()
        cls.gateway = g = harness.Gateway({
            "watchdog.stall": f"{cls.STALL}s", "listen.bus": "tcp://127.0.0.1:*",
            "kafka.bootstrap": cls.broker.address, "kafka.development": "true", "grpc.pollers": "2", "grpc.workers": "1",
            "datasets.look": "1h"})  # the workers are left to the tests
        cls.manager = manager.Manager(os.path.join(g.place, "notify"), cls.WATCHDOG)
        g.start(env=cls.manager.env())
        cls.manager.wait("READY")

    @classmethod
    def tearDownClass(cls):
        cls.gateway.end()
        cls.manager.close()
        cls.broker.stop()

    def pings(self, since):
        return [when for when, state in self.manager.told if "WATCHDOG" in state and when >= since]

    def test_idle(self):
        """Nobody calls for longer than the patience: no ping is late."""
        began = time.monotonic()
        at, when = self.manager.place(), began
        while when - began < 1.5 * self.STALL:
            at, now, _ = self.manager.wait("WATCHDOG", at, seconds=self.WATCHDOG)
            self.assertLess(now - when, self.WATCHDOG)
            when = now

    def standing_still(self, name, loop=None, work=None):
        at = self.manager.place()
        with stopped(self.gateway.process.pid, name):
            since = time.monotonic()
            if work:
                threading.Thread(target=work, daemon=True).start()
            at, when, state = self.manager.wait("STATUS", at)
            self.assertIn(f"the loop {loop or name} has stood still", state["STATUS"])
            self.assertGreater(when - since, self.STALL - 1.1, "a loop that waits for a second is no late one")
            self.assertRaises(AssertionError, self.manager.wait, "WATCHDOG", at, self.WATCHDOG)
            told = self.gateway.wait_event("loop.stuck")
            self.assertEqual(told["loop"], loop or name)
        at, _, state = self.manager.wait("STATUS", at)
        self.assertEqual(state["STATUS"], "every loop turns again")
        self.manager.wait("WATCHDOG", at)
        self.assertEqual(self.gateway.wait_event("loop.turns")["loop"], loop or name)

    def test_writer(self):
        answers = []

        def submit():
            with self.gateway.channel() as channel:
                request = x.SubmitRequest(batch_id="b", dataset="registration", records=[secure.registration(1)])
                stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
                answers.append(next(iter(stub.Submit(iter([request]), timeout=PATIENCE))))
        self.standing_still("writer", work=submit)
        harness.until(lambda: answers, "the receipt, late but there")
        self.assertEqual(answers[0].receipt.results[0].outcome, x.OUTCOME_APPLIED)

    def test_feed(self):
        self.standing_still("feed")

    def test_relay(self):
        self.standing_still("relay")

    def test_bus(self):
        self.standing_still("edge-bus")

    def test_poller(self):
        self.standing_still("edge-poll-1")

    def test_timers(self):
        self.standing_still("edge-timer")

    def test_door(self):
        self.standing_still("edge-local")

    def test_workers_are_missed_when_there_is_work(self):
        pid = self.gateway.process.pid
        with stopped(pid, "edge-work-0"):
            at = self.manager.place()
            time_up = time.monotonic() + 1.5 * self.STALL
            while time.monotonic() < time_up:  # nothing to do: nobody is missed
                at, _, _ = self.manager.wait("WATCHDOG", at, seconds=self.WATCHDOG)

        def ask():
            with self.gateway.channel() as channel, contextlib.suppress(grpc.RpcError):
                exchange_pb2_grpc.ExchangeServiceStub(channel).ListRejects(x.ListRejectsRequest(), timeout=PATIENCE)
        self.standing_still("edge-work-0", "edge-work", work=ask)


class Adapters(unittest.TestCase):
    def test_ready_turning_stopping(self):
        with bus.Gateway() as g:
            key = g.adapter("registry")
            g.start()
            a = adapters.Adapter(g, key)
            self.addCleanup(a.kill)
            m = manager.Manager(os.path.join(g.place, "notify"), 0.6)
            self.addCleanup(m.close)
            a.start(env=m.env())
            at, _, _ = m.wait("READY")
            at, _, state = m.wait("STATUS", at)
            self.assertEqual(state["STATUS"], "connected to the gateway")
            for _ in range(5):
                at, _, _ = m.wait("WATCHDOG", at, seconds=5)
            with stopped(a.process.pid, os.path.basename(a.program)[:15]):
                at = m.place()
                self.assertRaises(AssertionError, m.wait, "WATCHDOG", at, 1.2)
            m.wait("WATCHDOG", at)
            g.kill()
            while state["STATUS"] != "the gateway cannot be reached":
                at, _, state = m.wait("STATUS", at)
            m.wait("WATCHDOG", at)  # it waits for the gateway, and turns
            self.assertEqual(a.stop(), 0)
            m.wait("STOPPING", at)


if __name__ == "__main__":
    harness.main()
