#!/usr/bin/python3
"""Apache Kafka itself: kcat and Kafka's own console consumer read what the gateway committed, and an outage of the broker,
ended or killed, loses nothing, repeats nothing, and keeps the order, even when the broker loses the ends of transactions.

The broker has its own folder and port (KAFKA_TEST_PORT, default 29292). Exit 77 with a line SKIPPED where it cannot be had.
"""
import os
import shutil
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, name) for name in ("system", "crash", "kafka")]
import harness  # noqa: E402
import limbo  # noqa: E402
import publishing  # noqa: E402
import reading  # noqa: E402
import topics  # noqa: E402
from confluent_kafka import Producer  # noqa: E402
from cycles import RealBroker  # noqa: E402

PORT = int(os.environ.get("KAFKA_TEST_PORT") or 29292)


def setUpModule():
    global BROKER
    place = os.path.join(harness.BUILD, "kafka-test")
    subprocess.run([RealBroker.SCRIPT, "wipe"], env={**os.environ, "KAFKA_DIR": place}, check=False)
    BROKER = RealBroker(place, PORT)


def tearDownModule():
    BROKER.stop()


def console(topic):
    """Every message, by Kafka's console consumer."""
    done = subprocess.run(
        [RealBroker.SCRIPT, "console-consumer", "--topic", topic, "--from-beginning", "--timeout-ms", "5000",
         "--isolation-level", "read_committed", "--formatter-property", "print.key=true", "--formatter-property",
         "print.headers=true", "--formatter-property", "print.value=false", "--formatter-property", "key.separator=|"],
        env=BROKER.env, capture_output=True, text=True, timeout=reading.SECONDS)
    if done.returncode:
        raise AssertionError(f"the console consumer: {done.stderr[-1000:]}")
    out = []
    for line in done.stdout.splitlines():
        headers, key = line.rsplit("|", 1)
        out.append(reading.Message(key, reading.pairs(headers, ",", ":")))
    return out


class Real(publishing.Publishing):
    def setUp(self):
        self.broker = BROKER
        super().setUp()

    def test_readers(self):
        if not shutil.which("kcat"):
            self.skipTest("kcat is not installed")
        self.submit(10)
        self.published()
        events = self.metric("eldergate_relay_events_total")
        for topic, state in (("changes", False), ("state", True)):
            name = f"{self.prefix}.{topic}.v1"
            # The broker answers a commit before all partitions show it.
            harness.until(lambda: len(reading.kcat(BROKER.address, name)) == events, f"all of {name}")
            by_kcat, by_kafka = reading.kcat(BROKER.address, name), console(name)
            self.assertGreater(len(by_kcat), 100)
            self.assertEqual(sorted(map(str, by_kcat)), sorted(map(str, by_kafka)))
            order = reading.of_log(by_kafka, state)
            self.assertEqual(order, reading.of_log(by_kcat, state))
            self.assertTrue(all(seqs == sorted(set(seqs)) for seqs in order.values()))
        self.judge()

    def test_a_broker_that_is_stopped(self):
        self.outage(lambda: BROKER.call("stop"), lambda: BROKER.call("start"))

    def test_a_broker_that_is_killed(self):
        self.outage(lambda: BROKER.call("kill"), lambda: BROKER.call("start"))

    def test_a_gateway_that_starts_without_its_broker(self):
        """Nobody waits for Kafka: it serves, and publishes when the broker is there."""
        self.submit(5)
        self.published()
        self.gateway.kill()
        BROKER.call("stop")
        self.gateway.start()
        self.submit(5)
        harness.until(lambda: self.metric("eldergate_oldest_unpublished_seconds") > 0, "the backlog to show")
        BROKER.call("start")
        self.published()
        self.judge()

    # ---- topics and logs that do not belong together ----

    def test_a_store_that_was_put_back(self):
        """An older copy of the store, grown past what the topics had of the lost one, does not publish there. What a person
        does then (deploy/README.md) gives other topics the whole of it."""
        g, copy = self.gateway, os.path.join(self.gateway.place, "copy")
        self.submit(5)
        self.published()
        self.assertEqual(g.stop(), 0, g.log_tail())
        shutil.copytree(g.data, copy)
        kept = list(self.client.history)
        g.start()
        self.submit(2)  # of what comes now only the topics will know
        self.published()
        self.judge()  # the broker shows all that it has
        had = len(topics.changes(BROKER.address, self.prefix))

        shutil.rmtree(g.data)
        shutil.copytree(copy, g.data)
        self.client.history[:] = kept
        g.settings["kafka.bootstrap"] = ""
        g.start()
        self.submit(10)
        self.assertEqual(g.stop(), 0, g.log_tail())
        g.settings["kafka.bootstrap"] = BROKER.address
        for _ in range(2):  # starting it again changes nothing
            g.start()
            self.assertRegex(g.wait_event("relay.halted")["reason"],
                             r"is another now: an older copy of the store was put back.*kafka\.topic_prefix.*deploy/README\.md")
            self.submit(2)
            harness.until(lambda: self.metric("eldergate_oldest_unpublished_seconds") > 0, "the backlog to show")
            self.assertEqual(g.stop(), 0, g.log_tail())
        self.assertEqual(len(topics.changes(BROKER.address, self.prefix)), had)

        self.prefix += "-2"
        g.settings["kafka.topic_prefix"] = self.prefix
        g.start()
        g.wait_event("relay.connected")
        self.submit(2)
        self.published()
        self.judge()

    def test_a_second_gateway(self):
        """It is told that the topics are another's, and the other goes on."""
        self.submit(3)
        self.published()
        before = self.gateway.log_text().count("relay.disconnected")
        second = harness.Gateway({**self.gateway.settings, "data": "", "listen.metrics": ""})
        second.settings["data"] = second.data
        self.addCleanup(second.__exit__)
        second.start()
        self.assertRegex(second.wait_event("relay.halted")["reason"], "the mark of another log")
        self.assertEqual(second.stop(), 0, second.log_tail())
        self.submit(3)
        self.published()
        self.assertEqual(self.gateway.log_text().count("relay.disconnected"), before)
        self.judge()

    # ---- a broker that was killed and skipped markers (gateway/flow/relay_limbo.h) ----

    def spread(self, partitions):
        for topic in ("changes", "state"):
            BROKER.call("topics", "--alter", "--topic", f"{self.prefix}.{topic}.v1", "--partitions", str(partitions))

    def one_transaction(self, partitions=0):
        """Its last transaction has messages in every partition, since they had to wait for the broker; of new ones, if there
        are to be more, it is the only one."""
        self.submit(3)
        self.published()
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())
        if partitions:
            self.spread(partitions)
        BROKER.call("stop")
        self.gateway.start()
        self.submit(5)
        BROKER.call("start")
        self.published()
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())

    def producers(self):
        """As the gateway's own; initialised, so the broker has completed whatever those had under way."""
        for name in "ab":
            p = Producer({"bootstrap.servers": BROKER.address, "transactional.id": f"{self.prefix}-{name}",
                          "log_level": 0})
            p.init_transactions(harness.PATIENCE)
            yield p

    def lose(self, *partitions):
        for _ in self.producers():
            pass
        BROKER.call("kill")
        try:
            for topic, partition in partitions:
                limbo.lose_marker(os.path.join(BROKER.place, "data"), f"{self.prefix}.{topic}.v1", partition)
        finally:
            BROKER.call("start")
        for topic, partition in partitions:
            committed, whole = harness.until(
                lambda t=f"{self.prefix}.{topic}.v1", p=partition: limbo.ends(BROKER.address, t, p),
                f"{topic}-{partition} to have a leader")
            self.assertLess(committed, whole, f"{topic}-{partition} is not in limbo")

    def go_on(self, unsettled, moved=False):
        """What was lost comes again, what was not stands once, and both producers can go on."""
        self.gateway.start()
        event = self.gateway.wait_event("relay.unsettled")
        self.assertEqual(event["partitions"], unsettled)
        self.gateway.wait_event("relay.connected")
        self.assertEqual(self.metric("eldergate_relay_unsettled_partitions_total"), unsettled)
        for _ in range(4):
            self.submit(2)
            self.published()
        self.judge(moved)

    def test_markers_lost_with_the_mark(self):
        self.one_transaction()
        self.lose(("relay", 0), ("changes", 1), ("state", 2))
        self.go_on(3)

    def test_markers_lost_without_the_mark(self):
        """The mark says that all is published: the partitions know better."""
        self.one_transaction()
        self.lose(("changes", 0), ("changes", 3), ("state", 0))
        self.go_on(3)

    def test_the_marker_of_the_mark_lost(self):
        self.one_transaction()
        self.lose(("relay", 0))
        self.go_on(1)

    def test_the_marker_of_the_mark_lost_and_more_partitions(self):
        """What stands in the partition that its key had is not sent again to the one that it has now."""
        self.one_transaction()
        self.spread(7)
        self.lose(("relay", 0))
        self.go_on(1, moved=True)
        self.assertEqual({m["partition"] for m in topics.changes(BROKER.address, self.prefix)}, set(range(7)))

    def test_markers_lost_after_more_partitions(self):
        """Of a partition that is new only its one transaction is lost, not what its keys had in others before."""
        self.one_transaction(partitions=7)
        self.lose(("changes", 5), ("changes", 6), ("state", 5))
        self.go_on(3, moved=True)

    def test_the_marker_of_an_abort_lost(self):
        """What was aborted must not appear by the producer's next commit."""
        self.one_transaction()
        for partition, p in enumerate(self.producers()):
            p.begin_transaction()
            p.produce(f"{self.prefix}.changes.v1", key="ended", value=b"", partition=partition)
            p.flush(harness.PATIENCE)
            p.abort_transaction(harness.PATIENCE)
        self.lose(("changes", 0), ("changes", 1))
        self.go_on(2)


if __name__ == "__main__":
    harness.main()
