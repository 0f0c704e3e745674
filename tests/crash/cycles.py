#!/usr/bin/python3
"""cycles: kills the daemon under load at named points, again and again, and lets the checker judge what is left.

Each cycle starts the daemon with ELDERGATE_KILL=point:nth, sends batches until it dies of exactly that, and goes on with
the next; batches without a receipt are sent again. A cycle whose point was not hit is a failure. B must name a build
with FAULT=1. EG_SEED repeats a run.

With --kafka, a real broker runs for the test (deploy/kafka/broker, its own folder and port), and after the daemon's
cycles the broker itself is killed at the relay's points: the daemon must live through that and publish everything once.

usage: cycles.py [--cycles N] [--kafka [--broker-kills N] | --dev-broker] [--points P,P...]
"""
import argparse
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, HERE)
from harness import BUILD, DevBroker, Gateway, until  # noqa: E402
import checker  # noqa: E402
import topics  # noqa: E402
from client import Client  # noqa: E402
from people import World  # noqa: E402

STORE = ["store.before_commit", "store.after_commit", "store.in_checkpoint", "store.after_copy"]
WRITER = ["writer.mid_batch", "writer.before_commit", "writer.after_commit_before_receipt"]
RELAY = ["relay.begin", "relay.mid_produce", "relay.before_commit", "relay.between_producers"]
RARE = {"store.in_checkpoint": 1, "store.after_copy": 1}  # a checkpoint comes once in many commits
BATCH, MOST_BATCHES, CHECK_EVERY = 40, 400, 5


class RealBroker:
    """Apache Kafka in processes of its own: one node, or a cluster."""

    SCRIPT = os.path.join(os.path.dirname(os.path.dirname(HERE)), "deploy", "kafka", "broker")

    def __init__(self, place, port, nodes=1):
        self.place = place
        self.env = {**os.environ, "KAFKA_DIR": place, "KAFKA_PORT": str(port), "KAFKA_BROKERS": str(nodes)}
        done = self.call("start")
        if done.returncode == 77:
            print(done.stdout.strip().splitlines()[-1])
            sys.exit(77)
        if done.returncode:
            raise AssertionError("Kafka did not start: " + done.stdout[-500:])
        self.address = self.call("address").stdout.strip()

    def call(self, *command):
        return subprocess.run([self.SCRIPT, *command], env=self.env, text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=600)

    def pid(self):
        with open(os.path.join(self.place, "pid"), encoding="utf-8") as f:
            return int(f.read())

    def gone(self):
        try:
            with open(f"/proc/{self.pid()}/stat", encoding="utf-8") as f:
                return f.read().rsplit(")", 1)[1].split()[0] == "Z"
        except FileNotFoundError:
            return True

    def stop(self):
        self.call("wipe")


class Run:
    def __init__(self, a):
        self.seed = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
        print(f"seed {self.seed} (EG_SEED={self.seed} repeats this run)", flush=True)
        self.rng = random.Random(self.seed)
        self.world = World(self.seed)
        self.client = Client()
        self.broker = DevBroker() if a.dev_broker else None
        if a.kafka:
            self.broker = RealBroker(os.path.join(BUILD, "crash-kafka"), int(os.environ.get("KAFKA_TEST_PORT") or 29192))
        self.development = a.dev_broker
        self.broker_kills = a.broker_kills if a.kafka else 0
        self.kafka = self.broker.address if self.broker else None
        self.prefix = f"crash{self.seed}"
        self.points = a.points.split(",") if a.points else STORE + WRITER + (RELAY if self.kafka else [])
        # The grace: at the end everything that waits is published before the daemon goes.
        settings = {"store.wal_pages": 256, "writer.checkpoint": "50ms", "shutdown.grace": "50s"}
        if self.kafka:
            settings.update({"kafka.bootstrap": self.kafka, "kafka.topic_prefix": self.prefix,
                             "kafka.transactional_id": self.prefix, "kafka.max_events": 500,
                             "kafka.development": "true" if self.development else "false"})
        self.gateway = Gateway(settings)
        self.passed = self.failed = 0

    def tell(self, ok, text):
        self.passed += ok
        self.failed += not ok
        if not ok:
            print(f"FAILED {text}", flush=True)

    def cycle(self, number, point):
        nth = 1 if point in RARE else self.rng.randint(1, 6)
        g = self.gateway
        g.start(env={"ELDERGATE_KILL": f"{point}:{nth}"}, wait=False)
        until(lambda: g.process.poll() is not None or self.is_ready(g), "a start")
        if g.process.poll() is None:
            with g.channel() as channel:
                self.client.run(channel, lambda: self.world.batch(BATCH), MOST_BATCHES)
        try:
            status = g.process.wait(20)
        except Exception:
            status = None
            g.kill()
        self.tell(status == -9, f"cycle {number}: {point}:{nth} was not hit (status {status}): {g.log_tail(600)}")
        if number % CHECK_EVERY == 0:
            self.judge(f"after cycle {number}")

    @staticmethod
    def is_ready(g):
        while not g.events.empty():
            event = g.events.get()
            if event and event.get("event") == "daemon.ready":
                return True
        return False

    def judge(self, when, changes=None, state=None):
        faults = checker.check(self.gateway.data, self.client.history, changes, state,
                               repeats=self.development)
        self.tell(not faults, f"{when}: {len(faults)} faults\n  " + "\n  ".join(faults[:10]))

    def kill_broker(self, number, point):
        """The broker dies while the daemon stands at the point; the daemon goes on when it is back."""
        g = self.gateway
        g.start(env={"ELDERGATE_KILL": f"{point}:{self.rng.randint(1, 4)}", "ELDERGATE_KILL_PID": str(self.broker.pid())})
        whole, rounds = True, 0
        with g.channel() as channel:
            while whole and rounds < MOST_BATCHES and not self.broker.gone():
                # Few at a time: what waits while a transaction is under way becomes one transaction, one passage.
                whole = self.client.run(channel, lambda: self.world.batch(BATCH), 2)
                rounds += 1
            self.tell(self.broker.gone(), f"broker kill {number}: {point} was not hit: {g.log_tail(600)}")
            whole = whole and self.client.run(channel, lambda: self.world.batch(BATCH), 5)
        self.tell(whole, f"broker kill {number}: the daemon did not acknowledge while Kafka was down")
        self.broker.call("start")
        head = self.head()
        try:
            until(lambda: self.published() >= head, "everything to be published")
        except AssertionError as error:
            self.tell(False, f"broker kill {number} at {point}: {error}: {g.log_tail(1500)}")
        self.tell(g.stop() == 0, f"broker kill {number}: the daemon did not end well")

    def head(self):
        """Seq of the newest entry that is an event."""
        c = checker.Checker(self.gateway.data)
        c.check_log()
        c.db.close()
        c.place.cleanup()
        return c.events[-1][0]

    def published(self):
        events = topics.changes(self.kafka, self.prefix)
        return max((m["sequence"] for m in events), default=0)

    def finish(self):
        """All that is pending gets its receipt, everything is published, then the last judgement."""
        g = self.gateway
        g.start()
        with g.channel() as channel:
            whole = self.client.run(channel, lambda: self.world.batch(BATCH), 3)
        self.tell(whole, "the last run: not every batch was acknowledged")
        status = g.stop()
        self.tell(status == 0, f"the last run ended with status {status}: {g.log_tail(600)}")
        changes = state = None
        if self.kafka:
            changes = topics.changes(self.kafka, self.prefix)
            state = topics.states(self.kafka, self.prefix)
        self.judge("at the end", changes, state)
        if changes is not None:
            print(f"{len(changes)} events on Kafka", flush=True)

    def run(self, cycles):
        began = time.monotonic()
        try:
            for number in range(1, cycles + 1):
                self.cycle(number, self.points[(number - 1) % len(self.points)])
            for number in range(1, self.broker_kills + 1):
                self.kill_broker(number, RELAY[(number - 1) % len(RELAY)])
            self.finish()
        finally:
            self.gateway.__exit__()
            if self.broker:
                self.broker.stop()
        acks = sum(h["op"] == "ack" for h in self.client.history)
        print(f"{cycles} kills, {acks} records acknowledged, {time.monotonic() - began:.0f} s", flush=True)
        print(f"lane-result: {self.passed} passed, {self.failed} failed, 0 skipped", flush=True)
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--kafka", action="store_true")
    parser.add_argument("--broker-kills", type=int, default=10)
    parser.add_argument("--dev-broker", action="store_true")
    parser.add_argument("--points")
    if not os.path.exists(os.path.join(BUILD, "eldergated")):
        print(f"SKIPPED: no daemon in {BUILD}")
        return 77
    a = parser.parse_args()
    return Run(a).run(a.cycles)


if __name__ == "__main__":
    sys.exit(main())
