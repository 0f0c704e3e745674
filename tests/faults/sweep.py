#!/usr/bin/python3
"""sweep: every nth call of each kind fails once, over whole roads, over starts and over stops of a real daemon.

    road   the nth call after a road begins: submit, commit, publish, subscribe; n grows until a road meets no failure
    ways   the same by the other doors: over mutual TLS, over the bus, as full lists; starts and stops have them too
    start  the nth call of a process that makes a new store: it ends and says why, or serves; the next start is good
    stop   the nth call after SIGTERM: it ends, in time

In each run: no crash and no hang; a refusal says why and when to come again, and then it succeeds; a daemon that stops by
itself does so with a sysexits status and a word in its log. In the end the checker finds nothing lost, nothing twice, the
subscriber has heard of each event once, Kafka has all. After a failed sync the daemon must have stopped.

EG_FAULTS=k takes about k numbers of each sweep, evenly spread, from one that the seed chooses (default: all of them);
EG_SEED repeats the choice. B must name a build with FAULT=1: there each allocation of an arena is one that can fail.
usage: sweep.py [--parts road,ways,start,stop] [--kinds memory,...] [--only N]
"""
import argparse
import os
import random
import sys
import time

import road  # first: it says where the harness is
import harness
import ways
from plan import KINDS, Plan

SOME = int(os.environ.get("EG_FAULTS") or 0)
SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
CHAPTER = 100  # roads of one store; then it is judged
TELL = 12  # failures told of a sweep; then it is given up
SERVES_EVERY = 25  # of so many stores that began with a failure, one shows that it serves


class Part:
    """Its kinds are swept one after the other, by the same broker."""

    some = SOME
    kind_of_road = ways.Ways
    quiet = 1  # so many runs in a row that meet no failure end a sweep

    def __init__(self, plan):
        self.plan, self.road, self.calls = plan, None, None
        self.stops = self.refused = 0

    def sweep(self, kind, only=None):
        """(failures that runs met, runs that went wrong)"""
        self.kind, self.last = kind, 0
        self.stops = self.refused = self.hits = self.wrong = 0
        if SOME and not only and not self.calls:
            self.guarded(self.count, 0)
        stride, n = self.spread(only)
        quiet = 0 if stride else self.quiet
        while quiet < self.quiet and self.wrong < TELL:
            quiet = 0 if self.guarded(self.run, n) else quiet + 1
            n += stride
            if only:
                break
        if self.road:
            self.settle()
        return self.hits, self.wrong

    def spread(self, only):
        """(the step, the first number); step 0: there is nothing of this kind to fail"""
        if only or not SOME:
            return 1, only or 1
        calls = self.calls[self.kind] if self.calls else 0
        stride = max(1, calls // self.some)
        return calls and stride, random.Random(f"{SEED} {type(self).__name__} {self.kind}").randrange(stride) + 1

    def guarded(self, doing, n):
        try:
            return doing(n)
        except AssertionError as error:
            self.wrong += 1
            print(f"FAILED {type(self).__name__.lower()} {self.kind} {n}: {error}\n"
                  f"  {self.plan.where() if self.plan.hit else 'nothing had failed'}\n"
                  f"  {self.road.gateway.log_tail(1500) if self.road else ''}", flush=True)
            self.close()
            return True

    def open(self):
        if not self.road:
            self.road = self.kind_of_road(self.plan)
        return self.road

    def settle(self):
        """Takes over what the road has counted."""
        self.stops += self.road.stopped
        self.refused += self.road.sender.refused + self.road.cut
        self.road.stopped = self.road.cut = self.road.sender.refused = 0

    def close(self):
        self.plan.disarm()
        if self.road:
            self.settle()
            self.road.close()
        self.road = None

    def met(self, n):
        """Has this run met a failure?"""
        hit = self.plan.hit
        self.hits += hit
        self.last = max(self.last, n if hit else 0)
        if hit and os.environ.get("VERBOSE"):
            print(f"{self.kind} {n}: {self.plan.where()}", flush=True)
        return hit

    def judge(self):
        faults = self.road.judge()
        if faults:
            raise road.Wrong("; ".join(faults[:5]))

    def finish(self):
        self.close()


class Roads(Part):
    kind_of_road = road.Road
    quiet = 3  # threads do not make the same calls each time

    def begun(self):
        r = self.open()
        if r.number == 0:
            r.begin()
        return r

    def count(self, _):
        self.calls = self.plan.count(self.begun().go)

    def run(self, n):
        r = self.begun()
        stopped = r.stopped
        self.plan.arm(self.kind, n)
        r.go()
        hit = self.met(n)
        if hit and self.kind == "sync":
            self.must_stop(stopped)
        self.plan.disarm()
        if r.number >= CHAPTER:
            self.finish_store()
        return hit

    def must_stop(self, stopped):
        """Whatever a sync that failed was for: nothing more is acknowledged by that process."""
        r = self.road
        if "SQLite" not in self.plan.where():
            return
        if r.stopped == stopped:
            harness.until(lambda: r.gateway.process.poll() is not None, "the daemon to stop after a failed sync", road.CALL)
            r.alive()

    def finish_store(self):
        status = self.road.stop()
        if status:
            raise road.Wrong(f"it ended with status {status}")
        self.judge()
        self.close()

    def finish(self):
        if self.road:
            self.guarded(lambda _: self.finish_store(), self.last)
        self.close()


class Ways(Roads):
    kind_of_road = ways.Ways


class Starts(Part):
    def count(self, _):
        r = self.open()
        r.forget()
        self.calls = self.plan.count(r.start)
        r.gateway.kill()

    def run(self, n):
        r = self.open()
        r.forget()
        self.plan.arm(self.kind, n)
        ready = r.start()
        hit = self.met(n)
        if not ready and not hit:
            raise road.Wrong("it did not start, and nothing had failed")
        self.plan.disarm()
        if not ready and not r.start():
            raise road.Wrong("it does not start after a start that failed")
        if ready or self.hits % SERVES_EVERY == 0:
            r.go()
            r.stop()
            self.judge()
        else:
            r.gateway.kill()
        return hit


class Stops(Part):
    some = (SOME + 1) // 2  # each takes its time: the daemon connects, publishes, drains

    def begun(self):
        r = self.open()
        if not r.start():
            raise road.Wrong("it does not start after a stop in which a call failed")
        r.go()
        return r

    def count(self, _):
        self.calls = self.plan.count(self.begun().stop)

    def run(self, n):
        r = self.begun()
        self.plan.arm(self.kind, n)
        status = r.stop()
        hit = self.met(n)
        self.plan.disarm()
        if status and (not hit or status not in road.ENDED_WELL):
            raise road.Wrong(f"it ended with status {status}")
        self.judge()
        if r.number >= CHAPTER:
            self.close()
        return hit


PARTS = {"road": Roads, "ways": Ways, "start": Starts, "stop": Stops}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only", type=int)
    a = parser.parse_args()
    print(f"seed {SEED} (EG_SEED={SEED} repeats this run), {SOME or 'all'} numbers of each sweep", flush=True)
    hits = wrong = 0
    met = dict.fromkeys(a.kinds.split(","), 0)
    plan = Plan()
    for part in a.parts.split(","):
        p = PARTS[part](plan)
        for kind in a.kinds.split(","):
            began = time.monotonic()
            more = p.sweep(kind, a.only)
            hits, wrong = hits + more[0], wrong + more[1]
            met[kind] += more[0]
            print(f"{part:5} {kind:13} {p.hits:5} failures met, up to call {p.last}; refused {p.refused}, "
                  f"stopped {p.stops}, {time.monotonic() - began:.0f} s", flush=True)
        p.wrong = 0
        p.finish()
        wrong += p.wrong
    plan.close()
    # A kind that meets nothing in all the parts is not planted where it should be.
    for kind in [kind for kind in met if not met[kind] and not a.only and a.parts == ",".join(PARTS)]:
        print(f"no call of {kind} was ever met")
        wrong += 1
    print(f"lane-result: {max(0, hits - wrong)} passed, {wrong} failed, 0 skipped", flush=True)
    return 1 if wrong or not hits else 0


if __name__ == "__main__":
    sys.exit(main())
