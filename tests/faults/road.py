"""road: one gateway with its broker, a sender, a reader and a subscriber, who all go on until what was sent has arrived.

A road is: a batch is sent until it is acknowledged, a person of it is read, the subscriber has heard of it, Kafka has it.
Any of them may be refused or cut off on the way; then it is told why, in both languages, and comes again.
"""
import os
import queue
import shutil
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import harness  # noqa: E402
import secure  # noqa: E402
import grpc  # noqa: E402
from confluent_kafka import Consumer, TopicPartition  # noqa: E402
from eldergate.v1 import elder_pb2 as e, event_pb2, exchange_pb2 as x, exchange_pb2_grpc  # noqa: E402
from eldergate.v1 import feed_pb2 as f, feed_pb2_grpc  # noqa: E402
import checker  # noqa: E402
from client import Client  # noqa: E402

CALL = 15  # seconds of a call at most: what takes longer hangs
WHOLE = 40  # seconds of a road at most
ENDED_WELL = set(range(64, 79))  # sysexits(3)
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0), ("grpc.initial_reconnect_backoff_ms", 50),
           ("grpc.min_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)]


class Wrong(AssertionError):
    """What must not be."""


class Sender(Client):
    """Sends again what was refused; a refusal must say what it is."""

    def __init__(self):
        super().__init__()
        self.refused = 0

    def _receipt(self, receipt):
        if not receipt.status.code:
            super()._receipt(receipt)
            return
        self.refused += 1
        well_told(receipt.status)


def well_told(status):
    """What failed will pass, so a refusal says so, and when to come again."""
    reason, texts, _, retry = secure.details_of(status)
    if not reason or set(texts) != {"zh-CN", "en"} or retry is None:
        raise Wrong(f"a refusal that does not say why, or when to come again: code {status.code}, {status.message!r}, "
                    f"{reason}")


class Follower:
    """A subscriber with its cursor; each event once, in order."""

    def __init__(self):
        self.seen, self.cursor, self.thread, self.error, self.call = [], None, None, None, None

    def follow(self, channel):
        start = f.FeedStart(cursor=self.cursor) if self.cursor else f.FeedStart()
        self.call = feed_pb2_grpc.FeedServiceStub(channel).Subscribe(f.SubscribeRequest(start=start, purpose="test"))
        self.error = None
        self.thread = threading.Thread(target=self._run, args=(self.call,), daemon=True)
        self.thread.start()

    def _run(self, call):
        try:
            for response in call:
                self.seen += [i.change.seq for i in response.items if i.HasField("change")]
                self.cursor = response.next
        except grpc.RpcError as error:
            self.error = error

    def ended(self):
        return self.thread is None or not self.thread.is_alive()

    def stop(self):
        if self.call:
            self.call.cancel()
            self.thread.join(CALL)
        self.thread = self.call = self.error = None


class Topic:
    """What Kafka has; on the development broker an event may stand twice after a break."""

    def __init__(self, address, prefix):
        self.address, self.name = address, prefix + ".changes.v1"
        self.consumer, self.seen = None, set()

    def _assign(self):
        c = Consumer({"bootstrap.servers": self.address, "group.id": "road", "enable.auto.commit": False,
                      "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10, "log_level": 3})
        topic = c.list_topics(timeout=CALL).topics.get(self.name)
        if topic and topic.partitions:
            c.assign([TopicPartition(self.name, p, 0) for p in topic.partitions])
            self.consumer = c
        else:
            c.close()

    def poll(self):
        if not self.consumer:
            self._assign()
        for m in self.consumer.consume(500, 0.01) if self.consumer else []:
            if not m.error():
                self.seen.add(event_pb2.ChangeEvent.FromString(m.value()).seq)

    def close(self):
        if self.consumer:
            self.consumer.close()


class Road:
    def __init__(self, plan, settings=None):
        self.plan = plan
        self.broker = harness.DevBroker()
        self.gateway = self.make({"kafka.bootstrap": self.broker.address, "kafka.development": "true",
                                  "store.reserve": 1 << 20, "store.wal_pages": 256, "writer.checkpoint": "50ms",
                                  "feed.progress": "100ms", "shutdown.grace": "5s", **(settings or {})})
        self.channel = self.topic = None
        self.stores = 0
        self._anew()
        self.stopped = 0  # how often the daemon stopped by itself
        self.cut = 0  # calls that failed

    @staticmethod
    def make(settings):
        """The gateway: who is on the road comes to it over a local socket."""
        return harness.Gateway(settings)

    def connect(self):
        self.channel = grpc.insecure_channel("unix:" + self.gateway.socket, options=OPTIONS)

    def _anew(self):
        """Who knows nothing of any store yet, and topics that nobody wrote to."""
        self.stores += 1
        prefix = f"store{self.stores}"
        self.gateway.settings.update({"kafka.topic_prefix": prefix, "kafka.transactional_id": prefix})
        if self.topic:
            self.topic.close()
        self.sender, self.follower, self.topic = Sender(), Follower(), Topic(self.broker.address, prefix)
        self.number = 0

    def close(self):
        self.hang_up()
        self.topic.close()
        self.gateway.__exit__()
        self.broker.stop()

    # ---- the daemon ----

    def start(self):
        """Is it ready? False: it ended, as one does that says why."""
        g = self.gateway
        g.start(env=self.plan.env, wait=False)
        self.lines = lines = []
        until = time.monotonic() + harness.PATIENCE
        while time.monotonic() < until:
            try:
                event = g.events.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                break
            if event is None:
                self.ended_well(lines)
                return False
            lines.append(event)
            if event.get("event") == "daemon.ready":
                return True
        raise Wrong("it does not come up")

    def begin(self):
        """Started, with a subscriber from the first entry on."""
        if not self.start():
            raise Wrong("it does not start")
        self.go()

    def forget(self):
        """A new data directory; nobody knows of the old one."""
        self.hang_up()
        shutil.rmtree(self.gateway.data, ignore_errors=True)
        self._anew()

    def ended_well(self, lines=()):
        status = self.gateway.process.wait(harness.PATIENCE)
        if status not in ENDED_WELL:
            raise Wrong(f"the daemon ended with status {status}")
        told = [l for l in lines if l.get("level") == "error" or l.get("event") == "not.json"]
        if lines and not told:
            raise Wrong("the daemon ended without a word")

    def hang_up(self):
        self.follower.stop()
        if self.channel:
            self.channel.close()
        self.channel = None

    def stop(self):
        """SIGTERM; its exit status."""
        self.hang_up()
        g = self.gateway
        if g.process.poll() is None:
            g.process.send_signal(signal.SIGTERM)
        try:
            return g.process.wait(CALL)
        except Exception as error:
            raise Wrong("it does not stop") from error

    def alive(self):
        """Starts it again when it stopped by itself, without a fault this time."""
        if self.gateway.process.poll() is None:
            return
        self.hang_up()
        self.ended_well()
        if not self.errors_told():
            raise Wrong("the daemon ended without a word")
        self.stopped += 1
        self.plan.disarm()
        if not self.start():
            raise Wrong("it does not come up again")

    def errors_told(self):
        """Lines of the log since the last look that tell of an error."""
        with open(self.gateway.log_path, encoding="utf-8", errors="replace") as log:
            return [l for l in log if '"level":"error"' in l.replace(" ", "")]

    # ---- the road ----

    def records(self):
        self.number += 1
        n = self.number * 3
        return "registration", [secure.registration(n), secure.registration(n + 1),
                                secure.registration(n - 3, version=2, address_region="330304"),
                                secure.registration(1, version=1)]

    def failed(self, error):
        """A call that was cut off: either the daemon is gone, or it says why."""
        self.cut += 1
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            raise Wrong("a call hangs")
        status = secure.status_of(error)
        if status.code:
            well_told(status)
        elif self.gateway.process.poll() is None and error.code() not in (grpc.StatusCode.UNAVAILABLE,
                                                                          grpc.StatusCode.CANCELLED):
            raise Wrong(f"a call failed and does not say why: {error.code()} {error.details()!r}")

    def begins(self):
        self.sender.add(*self.records())
        return True

    def submit(self):
        c = self.sender
        if not c.pending:
            return True
        c.error = None
        whole = c.run(self.channel, timeout=CALL)
        if c.error:
            self.failed(c.error)
        return whole

    def read(self):
        p = secure.Person(self.number * 3)
        who = e.PersonSelector(identity=e.IdentitySelector(id_number=p.id_number, name=p.name))
        try:
            found = exchange_pb2_grpc.ExchangeServiceStub(self.channel).GetElder(
                x.GetElderRequest(purpose="test", legal_basis="l", person=who), timeout=CALL)
        except grpc.RpcError as error:
            self.failed(error)
            return False
        if p.name not in [v.value.text for v in found.elder.fields]:
            raise Wrong("a person was read without the name")
        return True

    def listens(self):
        """The subscriber has a place in the log, from which on it misses nothing."""
        if self.follower.ended():
            if self.follower.error:
                self.failed(self.follower.error)
            self.follower.follow(self.channel)
        return self.follower.cursor is not None

    def heard(self):
        head = max(h["seq"] for h in self.sender.history if h["op"] == "ack")
        return self.listens() and self.follower.cursor.seq >= head

    def published(self):
        self.topic.poll()
        return self.topic.seen >= set(self.follower.seen)

    def steps(self):
        return [self.listens, self.begins, self.submit, self.read, self.heard, self.published]

    def go(self):
        """One road, to its end."""
        steps = self.steps()
        until = time.monotonic() + WHOLE
        while steps:
            if time.monotonic() > until:
                raise Wrong(f"{steps[0].__name__}: not within {WHOLE} s; {self.cut} calls were cut off")
            self.alive()
            if not self.channel:
                self.connect()
            if steps[0]():
                steps.pop(0)
            else:
                threading.Event().wait(0.005)

    def judge(self):
        """What is wrong with what this gateway leaves behind."""
        c = checker.Checker(self.gateway.data)
        c.check_log()
        events = [seq for seq, *_ in c.events]
        c.db.close()
        c.place.cleanup()
        faults = checker.check(self.gateway.data, self.sender.history)
        if self.follower.seen != events:
            faults.append(f"feed: {len(events)} events in the log, {len(self.follower.seen)} heard, "
                          f"{len(set(self.follower.seen))} different ones")
        if not self.topic.seen >= set(events):
            faults.append(f"topic: {len(set(events) - self.topic.seen)} events are not in Kafka")
        return faults


