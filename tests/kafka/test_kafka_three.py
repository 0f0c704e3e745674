#!/usr/bin/python3
"""What three brokers give: one may fall, and publishing goes on; two, and it waits; all, and it goes on when they are back. Never
is anything lost or published twice, and each person's order stays.

A cluster of its own (KAFKA_TEST_PORT and the five after it, default 29492). Exit 77 with a line SKIPPED where it cannot be had.
"""
import contextlib
import os
import subprocess
import sys
import threading

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, name) for name in ("system", "crash", "kafka")]
import harness  # noqa: E402
import observe  # noqa: E402
import publishing  # noqa: E402
from confluent_kafka import KafkaException  # noqa: E402
from confluent_kafka.admin import AdminClient, ConfigResource  # noqa: E402
from cycles import RealBroker  # noqa: E402

PORT = int(os.environ.get("KAFKA_TEST_PORT") or 29492)
NODES = (1, 2, 3)
COORDINATORS = "__transaction_state"
SETTLING_S = 180  # a busy machine has few turns for three brokers
EVENTS = 500  # that must be published while a node is down
BATCH, PACE_S = 20, 0.05  # of the load: the checker reads it all again


def setUpModule():
    global CLUSTER
    place = os.path.join(harness.BUILD, "kafka-three")
    subprocess.run([RealBroker.SCRIPT, "wipe"], env={**os.environ, "KAFKA_DIR": place}, check=False)
    CLUSTER = RealBroker(place, PORT, len(NODES))


def tearDownModule():
    CLUSTER.stop()


def order(command, *nodes):
    done = CLUSTER.call(command, *map(str, nodes))
    if done.returncode:
        raise AssertionError(f"{command} {nodes}: {done.stdout[-500:]}")


def java_hash(text):
    """String.hashCode, by which Kafka chooses a coordinator's partition; without its sign, as it uses it."""
    h = 0
    for c in text.encode():
        h = (31 * h + c) & 0xffffffff
    return h & 0x7fffffff


class Three(publishing.Publishing):
    settings = {"kafka.replication": 3}

    def setUp(self):
        self.broker = CLUSTER
        self.admin = AdminClient({"bootstrap.servers": CLUSTER.address, "log_level": 0})
        super().setUp()
        self.topics = [f"{self.prefix}.{name}.v1" for name in ("changes", "state", "relay")]

    def partitions(self):
        """{(topic, partition): what the cluster says of it}, of the gateway's topics and of the coordinators'."""
        known = self.admin.list_topics(timeout=harness.PATIENCE).topics
        return {(t, p): about for t in (*self.topics, COORDINATORS) for p, about in known[t].partitions.items()}

    def coordinator(self, producer):
        known = self.partitions()
        n = sum(t == COORDINATORS for t, _ in known)
        return known[COORDINATORS, java_hash(f"{self.prefix}-{producer}") % n].leader

    def moved(self, victim):
        """Every partition has a leader, and it is another."""
        try:
            return all(p.leader in NODES and p.leader != victim for p in self.partitions().values())
        except KafkaException:
            return False

    def whole(self):
        try:
            return all(sorted(p.isrs) == list(NODES) for p in self.partitions().values())
        except KafkaException:
            return False

    def events(self):
        return self.metric("eldergate_relay_events_total")

    def await_events(self, n):
        most = self.events() + n
        harness.until(lambda: self.events() >= most, f"{n} more events to be published", SETTLING_S)

    @contextlib.contextmanager
    def load(self):
        """Records without end; each must be acknowledged."""
        over, faults = threading.Event(), []

        def run():
            try:
                while not over.wait(PACE_S):
                    self.submit(1, BATCH)
            except Exception as error:  # told by the test's own thread
                faults.append(error)
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self.assertEqual(faults, [])

    def test_what_the_gateway_asks_for(self):
        self.assertEqual(CLUSTER.address, ",".join(f"127.0.0.1:{PORT + 2 * i}" for i in range(len(NODES))))
        harness.until(self.whole, "three replicas of each partition", SETTLING_S)
        asked = [ConfigResource("TOPIC", t) for t in (*self.topics, COORDINATORS)]
        for answer in self.admin.describe_configs(asked).values():
            self.assertEqual(answer.result(harness.PATIENCE)["min.insync.replicas"].value, "2")
        self.submit(10)
        self.published()
        self.judge()

    def test_one_falls_and_then_another(self):
        """The first is killed, the next one stopped, each the coordinator of a producer in whose turn it may be."""
        for producer, command in (("a", "kill"), ("b", "stop")):
            harness.until(self.whole, "three replicas of each partition", SETTLING_S)
            victim = self.coordinator(producer)
            with self.load():
                self.await_events(EVENTS)
                harness.until(self.whole, "three replicas of each partition", SETTLING_S)  # or none might be left to lead
                with observe.Watch(age=lambda: self.metric("eldergate_oldest_unpublished_seconds")) as watch:
                    order(command, victim)
                    harness.until(lambda v=victim: self.moved(v), f"other leaders than {victim}", SETTLING_S)
                    self.await_events(EVENTS)
                print(f"{command} of node {victim}: no event waited longer than {watch.most['age']:.1f} s", flush=True)
            self.published()
            self.assertNotEqual(self.coordinator(producer), victim)
            with self.load():
                order("start", victim)
                harness.until(self.whole, "three replicas of each partition", SETTLING_S)
                self.await_events(EVENTS)
        self.published()
        self.judge()

    def test_two_of_three_fall(self):
        harness.until(self.whole, "three replicas of each partition", SETTLING_S)
        last = self.coordinator("a")
        first, second = [n for n in NODES if n != last]
        self.outage(lambda: order("kill", first, second), lambda: order("start", first))
        order("start", second)

    def test_all_fall(self):
        harness.until(self.whole, "three replicas of each partition", SETTLING_S)
        with self.load():
            self.await_events(EVENTS)
            order("kill", *NODES)
            harness.until(lambda: self.metric("eldergate_oldest_unpublished_seconds") > 1, "the backlog to show")
            order("start", *NODES)
            self.await_events(EVENTS)
        self.published()
        self.judge()


if __name__ == "__main__":
    harness.main()
