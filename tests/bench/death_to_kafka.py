#!/usr/bin/python3
"""death_to_kafka: how long from the submission of a death until a read_committed consumer has it from Kafka.

Beside a gateway and a broker that run already (a full list may stream meanwhile, by another program):

    death_to_kafka.py --gateway unix:SOCKET --kafka HOST:PORT [--topic elder.changes.v1] [--seconds 30] [--rate 20]

The caller's identity must be permitted the datasets of registrations and of funeral records, by default `household` and
`remains`. With --list N it does the whole by itself: a gateway and an Apache Kafka of its own, a full list of N persons
who are all new, then one in which all have changed, and deaths submitted all through both (make bench-deaths).

Deaths are due at fixed times, whether the last one was answered or not, and are timed from when they were due. The
persons who die were registered before. Prints JSON; times are of one machine's clock.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import grpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import harness  # noqa: E402
import measure  # noqa: E402
import observe  # noqa: E402
import secure  # noqa: E402
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc  # noqa: E402

PLACE = os.path.join(ROOT, "build", "bench", "deaths")
BROKER = os.path.join(ROOT, "deploy", "kafka", "broker")
PORT = int(os.environ.get("KAFKA_TEST_PORT") or 29392)
REGISTER_AT_ONCE = 500
LAST_SECONDS = 120  # for the last of them to arrive
DATASETS = {"registration": "registration", "household": "registration", "remains": "funeral"}


def percentiles(values):
    """Of times in µs, as the C benches print them."""
    v = sorted(values)
    at = lambda q: v[min(len(v) - 1, int(q * len(v)))]
    return {"p50_us": at(.5), "p90_us": at(.9), "p99_us": at(.99), "max_us": v[-1]} if v else {}


class Deaths:
    """Submits deaths and watches for them. Use as a context manager; result() once it is left."""

    def __init__(self, gateway, kafka, topic="elder.changes.v1", rate=20, registry="household", remains="remains"):
        self.channel = grpc.insecure_channel(gateway)
        self.kafka, self.topic, self.rate, self.registry, self.remains = kafka, topic, rate, registry, remains
        self.trace = os.urandom(16).hex()
        self.people = iter(range(random.SystemRandom().randrange(10**6) * 10**6, 1 << 62))
        self.batches = map(str, iter(range(1 << 62)))
        self.programs = measure.Programs(harness.BUILD)
        self.sent, self.seqs, self.seen = {}, {}, {}  # batch: due; seq: batch; seq: when it came
        self.answered = {}  # batch: when its receipt came
        self.stopping = threading.Event()
        self.failure = None

    def _submit(self, requests, on_receipt):
        stub = exchange_pb2_grpc.ExchangeServiceStub(self.channel)
        metadata = (("traceparent", f"00-{self.trace}-{os.urandom(8).hex()}-01"),)
        for response in stub.Submit(requests, metadata=metadata):
            receipt = response.receipt
            if receipt.status.code or any(r.outcome != x.OUTCOME_APPLIED for r in receipt.results):
                raise RuntimeError(f"a batch was not applied: {receipt}")
            on_receipt(receipt)

    def register(self, n):
        """The persons who are to die."""
        self.ids = [next(self.people) for _ in range(n)]
        parts = [self.ids[i:i + REGISTER_AT_ONCE] for i in range(0, n, REGISTER_AT_ONCE)]
        self._submit((x.SubmitRequest(batch_id="r" + next(self.batches), dataset=self.registry,
                                      records=[secure.registration(p) for p in part]) for part in parts),
                     lambda receipt: None)

    def _requests(self):
        due, pause = time.time_ns() // 1000, 1_000_000 // self.rate
        for person in self.ids:
            due += pause
            if self.stopping.wait(max(0, due / 1e6 - time.time())):
                return
            request = x.SubmitRequest(batch_id="d" + next(self.batches), dataset=self.remains, lane=x.LANE_URGENT,
                                      records=[secure.funeral(person)])
            self.sent[request.batch_id] = due
            yield request

    def _receipt(self, receipt):
        self.answered[receipt.batch_id] = time.time_ns() // 1000
        self.seqs[receipt.results[0].seq] = receipt.batch_id

    def _run(self):
        try:
            self._submit(self._requests(), self._receipt)
        except Exception as error:  # told by __exit__: this thread has no one else to tell
            self.failure = error

    def _watch(self):
        for line in self.watcher.stdout:
            seq, when = line.split()
            self.seen[int(seq)] = int(when)

    def __enter__(self):
        self.watcher = subprocess.Popen(
            self.programs.arguments("kafka", {"mode": "traced", "bootstrap": self.kafka, "topic": self.topic,
                                              "trace": self.trace}),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.watcher.stdout.readline().startswith('{"ready"'):
            raise RuntimeError("the consumer did not start")
        self.threads = [threading.Thread(target=t) for t in (self._watch, self._run)]
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *failure):
        self.stopping.set()
        self.threads[1].join()
        self.channel.close()
        try:
            if not self.failure and not failure[0]:
                harness.until(lambda: set(self.seqs) <= set(self.seen), "every death on Kafka", LAST_SECONDS)
        finally:
            self.watcher.stdin.close()
            self.threads[0].join()
            self.watcher.wait()
        if self.failure and not failure[0]:
            raise self.failure

    def result(self, since=0, until=1 << 62):
        """Of the deaths that were due between these two times (µs)."""
        chosen = {seq: batch for seq, batch in self.seqs.items() if since <= self.sent[batch] < until}
        return {"deaths": len(chosen), "rate": self.rate,
                "kafka": percentiles(self.seen[seq] - self.sent[batch] for seq, batch in chosen.items()),
                "receipt": percentiles(self.answered[batch] - self.sent[batch] for batch in chosen.values())}


class Whole:
    """A gateway and a broker of its own, and two full lists."""

    def __init__(self, stack, rate):
        environment = {**os.environ, "KAFKA_DIR": os.path.join(PLACE, "kafka"), "KAFKA_PORT": str(PORT)}
        broker = lambda verb: subprocess.run([BROKER, verb], env=environment, stdout=subprocess.PIPE, text=True)
        stack.callback(broker, "wipe")
        broker("wipe")
        started = broker("start")
        if started.returncode:
            raise measure.Skipped((started.stdout.strip().splitlines() or ["the broker did not start"])[-1])
        self.rate = rate
        self.kafka = broker("address").stdout.strip()
        self.port = observe.free_port()
        who = harness.identity("bench", uid=os.getuid(), submit=DATASETS.items())
        self.gateway = g = harness.Gateway(
            {"kafka.bootstrap": self.kafka, "listen.metrics": f"127.0.0.1:{self.port}"}, {"bench": who},
            place=os.path.join(PLACE, "gateway"))
        stack.callback(g.__exit__)
        g.start()
        g.wait_event("relay.connected")

    def backlog(self):
        return observe.metric(self.port, "eldergate_unpublished_entries")

    def one_list(self, persons, name, **options):
        harness.until(lambda: self.backlog() == 0, "everything to be published", 600)
        before = observe.metric(self.port, "eldergate_relay_events_total")
        deaths = Deaths("unix:" + self.gateway.socket, self.kafka, rate=self.rate)
        deaths.register(self.rate * measure.PROGRAM_SECONDS)
        harness.until(lambda: self.backlog() == 0, "everything to be published", 600)
        with deaths:
            harness.until(lambda: len(deaths.seen) > 2 * self.rate, "the first deaths")
            since = time.time_ns() // 1000
            r = deaths.programs.run("list", server="unix:" + self.gateway.socket, persons=persons, **options)
            until = time.time_ns() // 1000
        events = observe.metric(self.port, "eldergate_relay_events_total") - before
        keys = ("records", "seconds", "rate", "sent_s", "kept_s", "added", "changed")
        return {"list": name, **{k: r[k] for k in keys}, "events": events, **deaths.result(since, until),
                "quiet": deaths.result(0, since)}


def whole(persons, rate):
    shutil.rmtree(PLACE, ignore_errors=True)
    os.makedirs(PLACE)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, PLACE, ignore_errors=True)
        w = Whole(stack, rate)
        out = [w.one_list(persons, "all new", as_of=10, content=1),
               w.one_list(persons, "all changed", as_of=30, content=5)]
        if w.gateway.stop():
            raise RuntimeError("the gateway did not end well: " + w.gateway.log_tail())
    return {"bench": "death_to_kafka", "lists": out}


def beside(o):
    deaths = Deaths(o.gateway, o.kafka, o.topic, o.rate, o.registry, o.remains)
    deaths.register(o.rate * o.seconds)
    with deaths:
        deaths.threads[1].join()  # every one of them is submitted
    return {"bench": "death_to_kafka", **deaths.result()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--gateway", help="where it listens, such as unix:/run/eldergate/eldergate.sock")
    p.add_argument("--kafka", help="the broker, HOST:PORT")
    p.add_argument("--topic", default="elder.changes.v1")
    p.add_argument("--registry", default="household", help="dataset of registrations")
    p.add_argument("--remains", default="remains", help="dataset of funeral records")
    p.add_argument("--rate", type=int, default=20, help="deaths a second")
    p.add_argument("--seconds", type=int, default=30)
    p.add_argument("--list", type=int, metavar="PERSONS", help="the whole, with lists of so many")
    o = p.parse_args()
    if not o.list and not (o.gateway and o.kafka):
        p.error("name a gateway and a broker, or --list")
    try:
        print(json.dumps(whole(o.list, o.rate) if o.list else beside(o)))
    except measure.Skipped as why:
        print(f"SKIPPED: {why}")
        sys.exit(77)


if __name__ == "__main__":
    main()
