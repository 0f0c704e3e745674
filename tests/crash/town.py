"""town: a gateway with three agencies (tables, files, pages), a broker and a subscriber, each of which may fall; it is
judged whenever all has come to rest.

    town = Town(seed, broker)
    town.open()
    town.begin({"daemon": victims.environment("store.before_commit:2", "kill")})
    town.add()
    ...
    town.settle()
    faults = town.judge()
"""
import os
import random
import sqlite3

import harness  # first: it says where the stubs are
import grpc
import agencies
import bus
import checker
import effects
import people
import subscriber
import topics
import victims

HANG = "2s"  # how long a call of a source may take
BROKER_MS = 4000  # how long the relay waits for a transaction
SETTLE_S = 120
SHOWN_S = 10
FEW = 12  # rows that are added to each source at once


class Tables(agencies.Tables):
    hang, regions = HANG, people.REGIONS[0:2]  # no two agencies know the same person


class Files(agencies.Files):
    hang, regions = HANG, people.REGIONS[2:4]


class Pages(agencies.Pages):
    hang, regions, ahead_ms = HANG, people.REGIONS[4:6], 100


KINDS = {"table": ("station", Tables, 1_000_000), "file": ("bureau", Files, 2_000_000),
         "page": ("parlour", Pages, 3_000_000)}


class Town:
    def __init__(self, seed, broker=None):
        self.rng, self.broker, self.prefix = random.Random(seed), broker, f"pairs{seed}"
        settings = {"writer.checkpoint": "50ms", "store.wal_pages": 256, "feed.progress": "200ms", "shutdown.grace": "50s"}
        if broker:
            settings.update({"kafka.bootstrap": broker.address, "kafka.topic_prefix": self.prefix,
                             "kafka.transactional_id": self.prefix, "kafka.max_events": 20})
        self.gateway = bus.Gateway(settings)
        with open(self.gateway.config, "w", encoding="utf-8") as f:
            f.write(f"kafka:\n  settings: {{transaction.timeout.ms: {BROKER_MS}, message.timeout.ms: {BROKER_MS}}}\n")
        grants = {"sync": ["registration.name"]}
        self.gateway.identity("platform", ["subscriber"], (), grants, uid=os.getuid())
        self.keys = {name: self.gateway.adapter(name, {name: "registration"}, grants=grants) for name, *_ in KINDS.values()}
        self.agencies, self.adapters, self.sources = {}, {}, {}
        self.daemon = victims.Daemon(self)
        self.relayed = victims.Broker(self) if broker else None
        self.subscriber = victims.Subscriber(self)

    # ---- its life ----

    def open(self):
        """Each agency has its server and has once been here: changes are followed from then on."""
        self.gateway.start()
        for kind, (name, make, first) in KINDS.items():
            a = self.agencies[kind] = make(self.gateway, self.keys[name], self.rng, name, first)
            self.adapters[kind], self.sources[kind] = victims.Adapter(self, a, kind), victims.Source(self, a, kind)
            if a.once() != 0:
                raise AssertionError(f"the first run of {name}: {a.log()[-1000:]}")
        self.gateway.stop()

    def begin(self, env):
        """Starts all, with the environment of whoever it names."""
        self.daemon.restart(env.get("daemon"))
        for a in self.agencies.values():
            a.start(env=env.get(a))
        self.subscriber.start(env.get("subscriber"))

    def close(self):
        if self.subscriber.process and self.subscriber.process.poll() is None:
            self.subscriber.process.kill()
            self.subscriber.process.wait()
        for a in self.agencies.values():
            a.kill()
            a.server.close()
        self.gateway.__exit__()

    def standing(self):
        """The agencies whose adapters stand."""
        return [a for a in self.agencies.values() if not a.victim.down]

    # ---- what happens in it ----

    def add(self, rng):
        """Rows for every source that stands; now and then a full list."""
        for kind, a in self.agencies.items():
            if a.source.down:
                continue
            if kind == "file" and a.sent and rng.random() < 0.4:
                a.add_list()
            else:
                a.add(FEW)

    def goes_on(self):
        """Rows can come to effect: the daemon stands, and an agency of which all does."""
        return not self.daemon.down and any(not a.source.down for a in self.standing())

    def head(self):
        return self.gateway.metric("eldergate_log_seq")

    # ---- rest ----

    def settle(self):
        """Until every row has its verdict, and everybody knows everything."""
        self.until(lambda: not self.unsettled(), lambda: "every row to be settled: " + "; ".join(self.unsettled()[:5]))
        head = self.head()
        for a in self.agencies.values():
            self.until(lambda a=a: a.status().get("cursor_seq", 0) >= head,
                       lambda a=a: f"{a.agency} to be told of everything up to {head}: {a.status()}")
        self.until(lambda: self.subscriber_seq() >= head,
                   lambda: f"the subscriber to come to {head}: {self.subscriber_seq()}")
        if self.broker:
            self.until(lambda: self.gateway.metric("eldergate_unpublished_entries") == 0,
                       lambda: "everything to be published: " + self.gateway.log_tail(1500))
        # Not over a connection to a former daemon, which gRPC would share.
        with grpc.insecure_channel("unix:" + self.gateway.socket, [("grpc.use_local_subchannel_pool", 1)]) as channel:
            self.fresh = subscriber.snapshot(channel)
        for a in self.agencies.values():
            self.ended(a.stop(), a.agency, a.log()[-1000:])
        self.ended(self.subscriber.stop(), "the subscriber", self.subscriber.log()[-1000:])
        self.ended(self.gateway.stop(), "the daemon", self.gateway.log_tail(1000))

    @staticmethod
    def until(condition, what):
        try:
            harness.until(condition, "", SETTLE_S)
        except AssertionError:
            raise AssertionError(f"not within {SETTLE_S} s: {what()}") from None

    @staticmethod
    def ended(status, who, text):
        if status != 0:
            raise AssertionError(f"{who} ended with {status}: {text}")

    def unsettled(self):
        return [f"{a.agency}: {fault}" for a in self.agencies.values() for fault in a.unsettled()]

    def subscriber_seq(self):
        return self.with_copy(subscriber.Store.seq)

    def with_copy(self, look):
        try:
            store = subscriber.Store(self.subscriber.path)
        except sqlite3.OperationalError:  # it is being made
            return 0
        try:
            return look(store)
        finally:
            store.close()

    # ---- judgement ----

    def judge(self):
        """Every fault, as texts."""
        faults = self.check()
        if any("was not published" in f or "state topic ends" in f for f in faults):
            try:  # the broker answers a commit before all partitions show it
                harness.until(lambda: not self.check(), "", SHOWN_S)
            except AssertionError:
                pass
            faults = self.check()
        log = effects.Log(self.gateway.data)
        faults += [f"twice: version {version} of a source key took effect more than once" for _, version, *_ in log.twice()]
        for a in self.agencies.values():
            faults += [f"source: {a.agency}: {fault}" for fault in a.unsettled()]
            faults += [f"agency: {a.agency}: {fault}" for fault in effects.changes(a.told(), log.events)[0]]
        return faults + self.judge_copy(self.with_copy(subscriber.Store.people), log)

    def check(self):
        """The checker's faults."""
        changes = state = None
        if self.broker:
            where = self.broker.address, self.prefix
            changes, state = topics.changes(*where), topics.states(*where)
        history = [line for a in self.agencies.values() for line in a.history()]
        return checker.check(self.gateway.data, history, changes, state)

    def judge_copy(self, copy, log):
        """A subscriber's copy is what the log says, what somebody is told who comes now, and what the agencies said."""
        faults = []
        if {ref: p["version"] for ref, p in copy.items()} != log.versions("identity/platform"):
            faults.append("subscriber: its versions are not those of the log")
        if copy != self.fresh:
            wrong = [ref for ref in set(copy) | set(self.fresh) if copy.get(ref) != self.fresh.get(ref)]
            faults.append(f"subscriber: {len(wrong)} persons are not as the gateway's view has them")
        names = sorted(name for name in map(subscriber.name_of, copy.values()) if name is not None)
        said = sorted(p.name for a in self.agencies.values() for key, p in a.people.items() if key not in a.left)
        if names != said:
            faults.append("subscriber: the names are not those that the agencies have")
        return faults
