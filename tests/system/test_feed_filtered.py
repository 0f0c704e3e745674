#!/usr/bin/python3
"""Who follows a filtered feed has, at each rest, what a fresh snapshot by the same filter shows.

Persons move between regions, die, are called back, appear in further datasets; what was sent is withdrawn. Followers of each
filter read after each batch, or seldom and far behind, or page by page, and once the gateway is killed. EG_SEED repeats a run.
"""
import os
import random
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), *part) for part in (("crash",), ("clients", "python"))]
import harness  # noqa: E402
import eldergate_client as ec  # noqa: E402
from people import REGIONS, World  # noqa: E402
from eldergate.v1 import elder_pb2 as e, feed_pb2 as f, feed_pb2_grpc  # noqa: E402

SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
ROUNDS, BATCH, PAGE = 60, 40, 7
MOVES = 0.2  # of the persons known so far, before each batch
DEAD = (e.LIFE_STATUS_SUSPECTED_DECEASED, e.LIFE_STATUS_DECEASED)
FILTERS = (f.FeedFilter(region_prefixes=["3303"]), f.FeedFilter(region_prefixes=["330302", "530112"]),
           f.FeedFilter(life_statuses=[e.LIFE_STATUS_ALIVE]), f.FeedFilter(life_statuses=DEAD, region_prefixes=["33"]),
           f.FeedFilter())
PURPOSE = "test"


def live(response):
    return any(i.WhichOneof("item") == "progress" and i.progress.live for i in response.items)


class Follower(ec.Subscriber):
    """Reads in one of the two ways, now and then."""

    def __init__(self, channel, filter, chance, paged=False):
        super().__init__(channel, PURPOSE, ec.MemoryStore(), filter=filter)
        self.chance, self.paged, self.entered = chance, paged, 0

    def go_on(self, channel):
        self.stub = feed_pb2_grpc.FeedServiceStub(channel)

    def catch_up(self):
        if not self.paged or self.store.cursor is None:  # a page cannot begin with a snapshot
            return self.run(until=live)
        more = True
        while more:
            page = self.stub.ListChanges(f.ListChangesRequest(start=f.FeedStart(cursor=self.store.cursor), filter=self.filter,
                                                              purpose=PURPOSE, page_size=PAGE), timeout=harness.PATIENCE)
            for item in page.items:
                self._apply(item)
            more = page.next != self.store.cursor
            self.store.save(page.next)
        return None

    def _apply(self, item):
        self.entered += item.HasField("entered")
        super()._apply(item)


class Filtered(unittest.TestCase):
    def agree(self, channel, followers, where):
        for q in followers:
            q.catch_up()
        for filter in FILTERS:
            fresh = Follower(channel, filter, 1)
            fresh.catch_up()
            self.assertGreater(len(fresh.store.people), 0)
            for q in followers:
                if q.filter == filter:
                    self.assertEqual(q.store.people, fresh.store.people, f"{where}: {filter}, {q.chance}, paged {q.paged}")

    def test_a_copy_by_changes_is_a_copy_by_snapshot(self):
        print(f"seed {SEED} (EG_SEED={SEED} repeats this run)", flush=True)
        world, dice = World(SEED), random.Random(SEED)
        submitters, sent = {}, 0
        with harness.Gateway({"feed.progress": "200ms"}) as g:
            channel = g.channel()
            followers = [Follower(channel, filter, chance, paged)
                         for filter in FILTERS for chance, paged in ((1, False), (0.1, False), (0.3, True))]
            for round in range(ROUNDS):
                for person in world.people:
                    if dice.random() < MOVES:
                        person.region = dice.choice(REGIONS)
                dataset, records = world.batch(BATCH)
                submitter = submitters.setdefault(dataset, ec.Submitter(channel, dataset))
                sent += len(list(submitter.run([(f"b{round}", records)])))
                for q in followers:
                    if dice.random() < q.chance:
                        q.catch_up()
                if round == ROUNDS // 2:
                    self.agree(channel, followers, "in the middle")
                    g.kill()
                    g.start()
                    channel.close()
                    channel, submitters = g.channel(), {}
                    for q in followers:
                        q.go_on(channel)
            self.agree(channel, followers, "at the end")
            channel.close()
        self.assertEqual(sent, ROUNDS)
        self.assertTrue(all(q.entered for q in followers if q.filter != f.FeedFilter()), "nobody came into a filter")


if __name__ == "__main__":
    harness.main()
