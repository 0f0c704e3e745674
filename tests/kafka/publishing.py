"""publishing: a gateway that publishes to Apache Kafka, for one test; what must hold of it in an outage and at the end."""
import threading
import unittest

import harness
import observe
import checker
import topics
from client import Client
from people import World

OUTAGE_S = 8
MEMORY_SLACK = 64 << 20  # the client library keeps what it could not deliver, within its window


class Publishing(unittest.TestCase):
    """A test's setUp names the broker (cycles.RealBroker) before this one's."""
    broker = None
    settings = {}

    def setUp(self):
        self.prefix = self.id().rsplit(".", 1)[1]
        self.port = observe.free_port()
        self.gateway = g = harness.Gateway({
            "kafka.bootstrap": self.broker.address, "kafka.topic_prefix": self.prefix, "store.cache": "4MiB",
            "kafka.transactional_id": self.prefix, "listen.metrics": f"127.0.0.1:{self.port}", **self.settings})
        self.addCleanup(g.__exit__)
        g.start()
        self.assertIs(g.wait_event("relay.connected")["durable"], True)
        self.world, self.client = World(13), Client()

    def submit(self, batches, size=50):
        with self.gateway.channel() as channel:
            self.assertTrue(self.client.run(channel, lambda: self.world.batch(size), batches))

    def metric(self, name, **labels):
        return observe.metric(self.port, name, **labels)

    def published(self):
        harness.until(lambda: self.metric("eldergate_unpublished_entries") == 0 ==
                      self.metric("eldergate_oldest_unpublished_seconds"), "everything to be published", 120)

    def judge(self, moved=False):
        """moved: as the checker has it."""
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())
        faults = []

        def whole():  # the broker answers a commit before all partitions show it
            faults[:] = checker.check(self.gateway.data, self.client.history,
                                      topics.changes(self.broker.address, self.prefix),
                                      topics.states(self.broker.address, self.prefix), moved=moved)
            return not [f for f in faults if "was not published" in f]
        harness.until(whole, f"every event on its topic: {faults[:3]}", 10)
        self.assertEqual(faults, [])

    def outage(self, down, up):
        """Between the two nothing is published, everything is acknowledged, and the backlog costs no memory."""
        self.submit(20)
        self.published()
        down()
        with observe.Watch(memory=lambda: observe.resident(self.gateway.process.pid)) as watch:
            ages, gap = [], threading.Event()
            for _ in range(OUTAGE_S):
                self.submit(10, 100)
                ages.append(self.metric("eldergate_oldest_unpublished_seconds"))
                gap.wait(1)
        self.assertEqual(ages, sorted(ages))
        self.assertGreater(ages[-1], OUTAGE_S / 2)
        self.assertGreater(self.metric("eldergate_unpublished_entries"), 1000)
        observe.assert_grown_less(self, watch.most["memory"] - watch.first["memory"], MEMORY_SLACK)
        up()
        self.published()
        self.submit(5)
        self.published()
        self.judge()
