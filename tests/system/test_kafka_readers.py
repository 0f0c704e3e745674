#!/usr/bin/python3
"""The topics of the development broker as kcat reads them; and what a broker that does not answer does to a gateway.

The development broker keeps nothing and its transactions are cosmetic: nothing here is evidence of delivery, which
tests/kafka and the crash tests judge against Apache Kafka.
"""
import os
import shutil
import signal
import socket
import sys
import threading

import harness
import observe
import secure
from eldergate.v1 import event_pb2

TESTS = os.path.join(harness.ROOT, "tests")
sys.path[:0] = [os.path.join(TESTS, "crash"), os.path.join(TESTS, "kafka")]
import checker  # noqa: E402
import publishing  # noqa: E402
import reading  # noqa: E402
import topics  # noqa: E402
from client import Client  # noqa: E402
from people import World  # noqa: E402

OUTAGE_S = 4
MEMORY_SLACK = 32 << 20


class Readers(publishing.Publishing):
    def setUp(self):
        self.broker = self.enterContext(harness.DevBroker())
        self.port = observe.free_port()
        self.gateway = g = harness.Gateway({"kafka.bootstrap": self.broker.address, "kafka.development": "true",
                                            "listen.metrics": f"127.0.0.1:{self.port}", "store.cache": "4MiB"})
        self.addCleanup(g.__exit__)
        with open(g.config, "w", encoding="utf-8") as config:
            config.write("kafka:\n  fields: [registration.address_region, registration.registration_status]\n")
        g.start()
        self.assertIs(g.wait_event("relay.connected")["durable"], False)
        self.world, self.client = World(11), Client()

    def judge(self, **more):
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())
        address = self.broker.address
        self.assertEqual(checker.check(self.gateway.data, self.client.history, topics.changes(address),
                                       topics.states(address), **more), [])

    def test_kcat_reads_both_topics(self):
        if not shutil.which("kcat"):
            self.skipTest("kcat is not installed")
        self.submit(10)
        self.published()
        changes = reading.of_log(reading.kcat(self.broker.address, "elder.changes.v1"))
        states = reading.of_log(reading.kcat(self.broker.address, "elder.state.v1"), state=True)
        self.assertGreater(len(changes), 100)
        self.assertTrue(any(len(seqs) > 1 for seqs in changes.values()))
        for seqs in changes.values():
            self.assertEqual(seqs, sorted(set(seqs)))
        self.assertEqual({key: seqs[-1] for key, seqs in states.items()},
                         {key: seqs[-1] for key, seqs in changes.items()})
        self.judge()

    def test_a_state_is_the_whole_person(self):
        """The newest message of a key in the compacted topic is enough: it has the fields that its event left alone too."""
        records = [secure.registration(n, version) for n in range(30) for version in (1, 2, 3)]
        for n, record in enumerate(records):
            record.registration.address_region = ("330302", "330304", "330383")[n % 3]
        with self.gateway.channel() as channel:
            for part in range(0, len(records), 18):
                self.assertTrue(self.client.run(channel, lambda: ("registration", records[part:part + 18]), 1))
        self.published()
        newest = {}
        for m in topics.read(self.broker.address, "elder.state.v1"):
            newest[m.key()] = event_pb2.PersonState.FromString(m.value())
        self.assertEqual(len(newest), 30)
        for state in newest.values():
            self.assertEqual(state.person_version, 3)
            self.assertEqual({f.field: f.value.code for f in state.fields},
                             {"registration.address_region": "330383",
                              "registration.registration_status": "NORMAL"})
        self.judge()

    def test_a_broker_that_does_not_answer(self):
        """Writes go on, memory stays, the backlog shows; afterwards everything is there in order."""
        self.submit(20)
        self.published()
        pid = self.broker.process.pid
        os.kill(pid, signal.SIGSTOP)
        try:
            with observe.Watch(memory=lambda: observe.resident(self.gateway.process.pid)) as watch:
                ages, gap = [], threading.Event()
                for _ in range(OUTAGE_S):
                    self.submit(10, 100)
                    ages.append(self.metric("eldergate_oldest_unpublished_seconds"))
                    gap.wait(1)
        finally:
            os.kill(pid, signal.SIGCONT)
        self.assertEqual(ages, sorted(ages))
        self.assertGreater(ages[-1], OUTAGE_S / 2)
        self.assertGreater(self.metric("eldergate_unpublished_entries"), 0)
        observe.assert_grown_less(self, watch.most["memory"] - watch.first["memory"], MEMORY_SLACK)
        self.published()
        self.judge(repeats=True)

    def test_a_broker_that_never_answered(self):
        """The backlog shows while the first session is still being tried, not only once that has failed."""
        self.submit(2)
        self.published()
        mark = self.metric("eldergate_mark_seq", mark="kafka")
        g = self.gateway
        self.assertEqual(g.stop(), 0, g.log_tail())
        with socket.create_server(("127.0.0.1", 0)) as silent:
            g.settings["kafka.bootstrap"] = f"127.0.0.1:{silent.getsockname()[1]}"
            g.start()
            harness.until(lambda: self.metric("eldergate_unpublished_entries") == 0, "nothing to wait")
            self.assertEqual(self.metric("eldergate_mark_seq", mark="kafka"), mark)
            self.submit(1)
            waits, first = self.metric("eldergate_unpublished_entries"), "relay.disconnected" not in g.log_text()
            self.assertGreater(waits, 0)
            self.assertTrue(first, "the first attempt had failed when it was looked at")
            self.assertEqual(g.stop(), 0, g.log_tail())


if __name__ == "__main__":
    harness.main()
