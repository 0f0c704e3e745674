#!/usr/bin/python3
"""Every fault that a fault build can be told to make (ELDERGATE_UNSAFE) is caught by the checker, and told as what it is.

The same run without the fault must pass, so that what is caught is the fault and not the run. B must name a build with
FAULT=1. EG_SEED repeats a run.
"""
import os
import random
import re
import signal
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, HERE)
import harness  # noqa: E402
import checker  # noqa: E402
import topics  # noqa: E402
from client import Client  # noqa: E402
from people import World  # noqa: E402

SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
TRIES = 10  # of a kill that must come when a receipt is out
ELSEWHERE = {"sync_off": "tests/powerloss"}  # only a machine that loses power shows it


class Unsafe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (EG_SEED={SEED} repeats this run)", flush=True)

    def run_with(self, fault=None, kill=None, restart=True, batches=16, size=60):
        """The checker's judgement of a life with this fault; kill: a point at which the daemon dies in between."""
        world = World(SEED)
        env = {"ELDERGATE_UNSAFE": fault or ""}
        with harness.DevBroker() as broker:
            g = harness.Gateway({"kafka.bootstrap": broker.address, "kafka.development": "true",
                                 "shutdown.grace": f"{harness.PATIENCE}s",  # what the relay may take to publish all
                                 "writer.checkpoint": "50ms"})
            self.addCleanup(g.__exit__)
            client = Client()
            g.start(env={**env, **({"ELDERGATE_KILL": kill} if kill else {})})
            self.send(g, client, fault, lambda: world.batch(size), batches)
            if kill:
                self.assertEqual(g.process.wait(harness.PATIENCE), -signal.SIGKILL, g.log_tail())
                if not restart:
                    return checker.check(g.data, client.history)
                g.start(env=env)
                self.send(g, client, fault, lambda: world.batch(size), batches)
            if g.process.poll() is None:
                g.stop()
            return checker.check(g.data, client.history, topics.changes(broker.address),
                                 topics.states(broker.address), repeats=bool(kill))

    @staticmethod
    def send(g, client, fault, more, batches):
        with g.channel() as channel:
            try:
                client.run(channel, more, batches)
            except AssertionError:  # the daemon may find its own fault, and refuse
                if not fault:
                    raise

    def caught(self, fault, kind, text="", **how):
        faults = self.run_with(fault, **how)
        self.assertTrue([f for f in faults if f.startswith(kind + ":") and text in f],
                        f"{fault}: no {kind} fault with '{text}' among {faults[:5]}")

    # ---- without a fault ----

    def test_nothing_wrong(self):
        self.assertEqual(self.run_with(), [])

    def test_nothing_wrong_after_a_kill(self):
        self.assertEqual(self.run_with(kill="relay.between_producers:2"), [])

    # ---- the writer ----

    def test_nothing_wrong_after_a_kill_before_a_commit(self):
        self.assertEqual(self.run_with(kill="store.before_commit:5", restart=False), [])

    def test_ack_before_commit(self):
        for n in range(TRIES):
            faults = self.run_with("ack_before_commit", kill=f"store.before_commit:{5 + n}", restart=False)
            if faults:
                self.assertTrue([f for f in faults if f.startswith("lost:")], faults[:5])
                return
        self.fail(f"{TRIES} kills between receipt and commit, and nothing was lost")

    def test_skip_entry(self):
        self.caught("skip_entry", "chain")

    def test_alter_leaf(self):
        self.caught("alter_leaf", "log", "leaf")

    def test_wrong_root(self):
        self.caught("wrong_root", "log", "root")

    def test_phantom(self):
        self.caught("phantom", "phantom")

    def test_repeat_version(self):
        self.caught("repeat_version", "chain")

    def test_break_chain(self):
        self.caught("break_chain", "chain")

    def test_stale_state(self):
        self.caught("stale_state", "chain", "person row")

    def test_lose_slot(self):
        self.caught("lose_slot", "claims", "the effective claim of a source key")

    # ---- the relay ----

    def test_relay_skip(self):
        self.caught("relay_skip", "topic", "was not published")

    def test_relay_reorder(self):
        self.caught("relay_reorder", "topic", "stands after", size=300)

    def test_relay_duplicate(self):
        self.caught("relay_duplicate", "topic", "twice")

    def test_relay_mark_ahead(self):
        self.caught("relay_mark_ahead", "topic", "was not published", kill="relay.between_producers:2")

    # ---- all of them ----

    def test_every_fault_has_its_test(self):
        named = set()
        for place, _, names in os.walk(os.path.join(harness.ROOT, "gateway")):
            for name in names:
                if name.endswith(".c"):
                    with open(os.path.join(place, name), encoding="utf-8") as source:
                        named |= set(re.findall(r'eg_unsafe\("(\w+)"\)', source.read()))
        tested = {name[len("test_"):] for name in dir(self) if name.startswith("test_")}
        self.assertGreaterEqual(len(named & tested), 10)
        self.assertEqual(named - tested, set(ELSEWHERE))


if __name__ == "__main__":
    harness.main()
