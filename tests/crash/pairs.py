#!/usr/bin/python3
"""pairs: two faults at a time. Daemon, adapter, source, broker and subscriber are killed or stopped, each with each, in
schedules made of a seed; when all stand again everything must come to rest, and is judged.

A kind of pair is what falls first and what falls second, such as `daemon.stop+broker.kill`; of one victim twice, the second
fall comes while it recovers, or while it stands still. The seed chooses the rest: the point of the first fall, the
agency, when the second follows (`at once`, `later`: after some entries of the log, or `noticed`: when somebody has told that
the first is away), whether who stops is waited for to be missed (else it is brief), and who rises first.

The seed is the day, so that what `--pairs` selects goes round all kinds; EG_SEED repeats a day, --kinds names kinds. B must
name a build with FAULT=1. Where Kafka cannot be had, the kinds with the broker are skipped.

usage: pairs.py [--pairs N] [--kinds KIND,KIND...] [--list]
"""
import argparse
import datetime
import os
import random
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "system"), HERE]
import harness  # noqa: E402
import agencies  # noqa: E402
from cycles import RealBroker  # noqa: E402
from town import Town  # noqa: E402

VICTIMS = ("daemon", "adapter", "source", "broker", "subscriber")
ACTS = ("kill", "stop")
FALLS = [f"{victim}.{act}" for victim in VICTIMS for act in ACTS]
KINDS = [f"{a}+{b}" for a in FALLS for b in FALLS]
PORT = 29392
ENTRIES = 12  # of the log, at most, between two falls
PAIRS_OF_A_TOWN = 20  # the longer its log, the longer its judgement


def mixed(with_broker):
    """Kinds in an order that never changes, in which neighbours have little in common."""
    kinds = [kind for kind in KINDS if ("broker" in kind) == with_broker]
    random.Random(len(kinds)).shuffle(kinds)
    return kinds


def select(seed, n):
    """n kinds, a fifth of them with the broker: seeds that follow one another go round them all."""
    if n >= len(KINDS):
        return KINDS
    chosen = []
    for kinds, share in ((mixed(True), n // 5), (mixed(False), n - n // 5)):
        chosen += [kinds[(seed * share + i) % len(kinds)] for i in range(share)]
    return chosen


class Broker(RealBroker):
    def start(self):
        done = self.call("start")
        if done.returncode:
            raise AssertionError("Kafka did not start again: " + done.stdout[-500:])


def open_broker():
    """None: it cannot be had."""
    place = os.path.join(harness.BUILD, "pairs-kafka")
    subprocess.run([Broker.SCRIPT, "wipe"], env={**os.environ, "KAFKA_DIR": place}, check=False)
    try:
        return Broker(place, int(os.environ.get("KAFKA_TEST_PORT") or PORT))
    except SystemExit as end:
        if end.code == 77:
            return None
        raise


class Pair:
    """One pair: its schedule, made of seed and kind alone."""

    def __init__(self, town, seed, kind):
        self.town, self.kind, self.rng = town, kind, random.Random(f"{seed} {kind}")
        (first, self.first_act), (second, self.second_act) = [fall.split(".") for fall in kind.split("+")]
        agency = self.rng.choice(sorted(town.agencies))
        self.first = self.victim(first, agency)
        # An adapter falls with its own source, or with another's.
        same = first == second or self.rng.random() < 0.5
        self.second = self.victim(second, agency if same else self.rng.choice(sorted(set(town.agencies) - {agency})))
        self.twice = self.first is self.second
        self.when = self.rng.choice(("at once", "later", "noticed"))
        self.brief = [act == "stop" and self.rng.random() < 0.3 for act in (self.first_act, self.second_act)]
        self.first_rises_first = self.rng.random() < 0.5
        self.entries = self.rng.randint(1, ENTRIES)
        self.again = self.first.again(self.rng, self.second_act) if self.twice and self.first_act == "kill" else None

    def victim(self, name, agency):
        t = self.town
        return {"daemon": t.daemon, "broker": t.relayed, "subscriber": t.subscriber, "adapter": t.adapters[agency],
                "source": t.sources[agency]}[name]

    def run(self):
        point, env = self.first.arm(self.rng, self.first_act)
        order = "" if self.twice else f", {self.first if self.first_rises_first else self.second} rises first"
        print(f"{self.kind}: {self.first} at {point}, {self.second} {self.when}{order}"
              f"{', brief' if any(self.brief) else ''}", flush=True)
        t = self.town
        early = self.first is t.sources["table"]  # rows cannot be written to a database that has fallen
        t.add(self.rng)
        if early:
            t.add(self.rng)
        t.begin(env)
        if not early:
            t.add(self.rng)
        harness.until(lambda: self.first.fallen(self.first_act), f"{self.first} to {self.first_act} at {point}")
        self.first.has_fallen(self.first_act)
        (self.twice_down if self.twice else self.both_down)()
        t.settle()

    def later(self):
        """Some entries more, if any can come."""
        t = self.town
        if t.goes_on():
            t.add(self.rng)
            head = t.head()
            harness.until(lambda: t.head() >= head + self.entries, f"{self.entries} entries more than {head}")

    def missed(self, victim):
        """Until it is told that the victim is away, if somebody stands who would."""
        if self.town.goes_on():
            self.town.add(self.rng)
        if victim.noticed() is not None:
            harness.until(victim.noticed, f"somebody to notice that {victim} is away")

    def both_down(self):
        if self.when == "noticed":
            self.missed(self.first)
        elif self.when == "later":
            self.later()
        self.second.fall(self.second_act)
        order = [(self.first, self.brief[0]), (self.second, self.brief[1])]
        for victim, brief in order if self.first_rises_first else order[::-1]:
            if not brief:
                self.missed(victim)
            victim.rise()

    def twice_down(self):
        """Killed while it stands still; else it falls again while it takes up what it left."""
        if self.when == "noticed":
            self.missed(self.first)
        if (self.first_act, self.second_act) == ("stop", "kill"):
            self.second.fall(self.second_act)
        else:
            self.town.add(self.rng)
            self.first.rise(self.again)
            if self.again:
                harness.until(lambda: self.second.fallen(self.second_act), f"{self.second} to fall again: {self.again}")
                self.second.has_fallen(self.second_act)
            else:
                self.later()
                self.second.fall(self.second_act)
        if not self.brief[1]:
            self.missed(self.second)
        self.second.rise()


class Run:
    def __init__(self, a):
        self.seed = int(os.environ.get("EG_SEED") or datetime.datetime.now(datetime.timezone.utc).toordinal())
        print(f"seed {self.seed} (EG_SEED={self.seed} repeats this run)", flush=True)
        self.kinds = a.kinds.split(",") if a.kinds else select(self.seed, a.pairs or len(KINDS))
        unknown = set(self.kinds) - set(KINDS)
        if unknown:
            sys.exit(f"no such kind: {', '.join(sorted(unknown))}; --list tells them all")
        self.passed = self.failed = self.skipped = 0

    def pair(self, town, kind):
        began = time.monotonic()
        try:
            pair = Pair(town, self.seed, kind)
            pair.run()
            faults = town.judge()
        except Exception as error:  # whatever keeps a pair from its end is a fault of this pair
            if os.environ.get("VERBOSE"):
                traceback.print_exc()
            faults = [f"{type(error).__name__}: {error}"]
        self.passed += not faults
        self.failed += bool(faults)
        for fault in faults[:10]:
            print(f"FAILED {kind}: {fault}", flush=True)
        if not faults:
            print(f"  at rest and whole after {time.monotonic() - began:.1f} s", flush=True)
        return not faults

    def run(self):
        began, kinds = time.monotonic(), list(self.kinds)
        broker = open_broker()
        if not broker:
            kinds = [kind for kind in kinds if "broker" not in kind]
            self.skipped = len(self.kinds) - len(kinds)
            print("SKIPPED: Kafka cannot be had: deploy/install-dependencies kafka", flush=True)
        town, pairs = None, 0
        try:
            while kinds:
                if not town:
                    town, pairs = Town(f"{self.seed}-{len(kinds)}", broker), 0
                    town.open()
                pairs += 1
                # What is broken must not be taken for the fault of the next.
                if not self.pair(town, kinds.pop(0)) or pairs == PAIRS_OF_A_TOWN:
                    town.close()
                    town = None
        finally:
            if town:
                town.close()
            if broker:
                broker.stop()
        print(f"{len(self.kinds) - self.skipped} pairs, {time.monotonic() - began:.0f} s", flush=True)
        print(f"lane-result: {self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=0)
    parser.add_argument("--kinds")
    parser.add_argument("--list", action="store_true")
    a = parser.parse_args()
    if a.list:
        print("\n".join(KINDS))
        return 0
    lacking = [] if os.path.exists(agencies.Sftp.PROGRAM) else ["no sshd: deploy/install-dependencies sftp"]
    lacking += [why for why in [agencies.Database.lacks()] if why]
    if lacking:
        print(f"SKIPPED: {'; '.join(lacking)}")
        return 77
    return Run(a).run()


if __name__ == "__main__":
    sys.exit(main())
