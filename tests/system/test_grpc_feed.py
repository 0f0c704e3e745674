#!/usr/bin/python3
"""FeedService against a real gateway: everything once, from wherever one asks, and no subscriber is another's trouble."""
import threading
import time
import unittest

import harness
from harness import PATIENCE
import observe
import secure
import grpc
from eldergate.v1 import (audit_pb2 as au, audit_pb2_grpc, elder_pb2 as e, event_pb2 as ev, exchange_pb2 as x,
                          exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc)

FIELDS = ["registration.address_region", "registration.registration_status", "registration.name"]
BATCH = iter(range(1, 1 << 30))
PERSON = iter(range(1, 1 << 30))


class State:
    """What proto/README.md tells a consumer to keep: the upsert, and the cursor beside it."""

    def __init__(self):
        self.persons, self.cursor, self.live, self.kinds = {}, None, False, []

    def take(self, response):
        for item in response.items:
            what = item.WhichOneof("item")
            if what == "snapshot" or item.HasField("entered"):
                whole = item.snapshot if what == "snapshot" else item.entered
                self.upsert(whole.person_ref, whole.person_version, whole.life_status)
            elif what == "change":
                self.kinds.append(item.change.kind)
                if item.change.kind == ev.CHANGE_KIND_LEFT_SCOPE:
                    if self.persons.get(item.change.person_ref, (0,))[0] < item.change.person_version:
                        self.persons.pop(item.change.person_ref, None)
                else:
                    self.upsert(item.change.person_ref, item.change.person_version, item.change.life_status_after)
            elif what == "progress":
                self.live = item.progress.live
        self.cursor = response.next

    def upsert(self, ref, version, life):
        if self.persons.get(ref, (0,))[0] < version:
            self.persons[ref] = (version, life)


class Feed(unittest.TestCase):
    def setUp(self):
        self.gateway = g = secure.Gateway({"feed.progress": "200ms", "writer.checkpoint": "10s"})
        self.addCleanup(g.__exit__, None, None, None)
        police = g.agency("police", grants={"check": ["registration.name"]})
        g.agency("home", {"remains": "funeral"})
        self.platform = g.identity("platform", ["subscriber"], grants={"care": FIELDS})
        other = g.identity("other", ["subscriber"], grants={"care": []})
        auditor = g.identity("auditor", ["auditor"])
        self.home = g.agency("home", {"remains": "funeral"})
        g.start()
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(g.to(police))
        self.funeral = exchange_pb2_grpc.ExchangeServiceStub(g.to(self.home))
        self.feed = feed_pb2_grpc.FeedServiceStub(g.to(self.platform))
        self.other = feed_pb2_grpc.FeedServiceStub(g.to(other))
        self.audit = audit_pb2_grpc.AuditServiceStub(g.to(auditor))

    def tearDown(self):
        self.assertTrue(self.gateway.alive(), "the daemon died: " + self.gateway.log_tail())
        self.assertEqual(self.gateway.stop(), 0, self.gateway.log_tail())

    def submit(self, records, stub=None, dataset="household"):
        requests = [x.SubmitRequest(batch_id=f"b-{next(BATCH)}", dataset=dataset, records=records[i:i + 500])
                    for i in range(0, len(records), 500)]
        for response in (stub or self.exchange).Submit(iter(requests), timeout=PATIENCE):
            self.assertEqual({q.outcome for q in response.receipt.results}, {x.OUTCOME_APPLIED})

    def people(self, n):
        numbers = [next(PERSON) for _ in range(n)]
        self.submit([secure.registration(i) for i in numbers])
        return numbers

    def follow(self, start=None, until=None, seconds=20, stub=None, state=None, **more):
        state = state or State()
        call = (stub or self.feed).Subscribe(f.SubscribeRequest(start=start, purpose="care", **more), timeout=seconds)
        try:
            for response in call:
                state.take(response)
                if until(state):
                    return state
        finally:
            call.cancel()
        self.fail("the stream ended")

    def fails(self, code, reason, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        got, texts, fields, retry = secure.details_of(secure.status_of(caught.exception))
        self.assertEqual((got, set(texts)), (reason, {"zh-CN", "en"}))
        return fields, retry

    # ---- from where ----

    def test_snapshot_then_live(self):
        self.people(1200)
        state = self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: len(s.persons) == 1200 and s.live)
        self.assertEqual({v[1] for v in state.persons.values()}, {e.LIFE_STATUS_ALIVE})

        def more():
            time.sleep(0.3)
            self.people(50)

        thread = threading.Thread(target=more)
        thread.start()
        state = self.follow(f.FeedStart(cursor=state.cursor), lambda s: len(s.persons) == 1250, state=state)
        thread.join()
        self.assertEqual(state.kinds, [ev.CHANGE_KIND_CREATED] * 50)

    def test_a_cursor_inside_a_snapshot(self):
        self.people(3000)
        state = self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: s.cursor.snapshot_row > 0)
        self.assertLess(len(state.persons), 3000)
        self.people(10)
        self.follow(f.FeedStart(cursor=state.cursor), lambda s: s.live, state=state)
        self.assertEqual(len(state.persons), 3010)

    def test_from_now_and_from_a_time(self):
        self.people(5)
        time.sleep(0.01)
        start = f.FeedStart()
        start.time.GetCurrentTime()
        time.sleep(0.01)
        self.people(7)
        state = self.follow(start, lambda s: s.live)
        self.assertEqual(len(state.persons), 7)
        self.assertEqual(len(self.follow(None, lambda s: s.live).persons), 0)

    def test_a_cursor_that_cannot_be(self):
        self.people(1)
        log_id = self.follow(None, lambda s: s.live).cursor.log_id

        def from_cursor(**cursor):
            return lambda: next(self.feed.Subscribe(
                f.SubscribeRequest(start=f.FeedStart(cursor=f.Cursor(**cursor)), purpose="care"), timeout=PATIENCE))

        self.fails(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_AHEAD", from_cursor(log_id=log_id, seq=10 ** 9))
        self.fails(grpc.StatusCode.OUT_OF_RANGE, "CURSOR_AHEAD", from_cursor(log_id=log_id, seq=2 ** 64 - 1))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", from_cursor(log_id="x", seq=1))

    def test_a_cursor_of_another_log(self):
        self.people(3)
        call = self.feed.Subscribe(f.SubscribeRequest(
            start=f.FeedStart(cursor=f.Cursor(log_id="0" * 32, seq=5)), purpose="care"), timeout=PATIENCE)
        first = next(call)
        self.assertEqual(first.items[0].log_changed.old_log_id, "0" * 32)
        self.assertEqual(first.items[0].log_changed.new_log_id, first.next.log_id)
        state = State()
        while len(state.persons) < 3:
            state.take(next(call))
        call.cancel()

    # ---- what ----

    def test_fields_by_grant_and_references_by_recipient(self):
        self.people(1)
        snapshot = f.FeedStart(snapshot=f.SnapshotStart())

        def first(stub):
            for response in stub.Subscribe(f.SubscribeRequest(start=snapshot, purpose="care"), timeout=PATIENCE):
                for item in response.items:
                    if item.WhichOneof("item") == "snapshot":
                        return item.snapshot

        mine, theirs = first(self.feed), first(self.other)
        self.assertEqual(sorted(q.field for q in mine.fields if q.field != "life_status"), sorted(FIELDS))
        self.assertEqual([q.field for q in theirs.fields if q.field != "life_status"], [])
        self.assertNotEqual(mine.person_ref, theirs.person_ref)
        self.assertEqual((mine.person_version, mine.seq), (theirs.person_version, theirs.seq))

    def test_leaving_a_scope(self):
        n = self.people(1)[0]
        filter = f.FeedFilter(region_prefixes=["3303"])
        state = self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: s.live, filter=filter)
        self.assertEqual(len(state.persons), 1)
        self.submit([secure.registration(n, version=2, address_region="530102")])
        self.follow(f.FeedStart(cursor=state.cursor), lambda s: s.live, state=state, filter=filter)
        self.assertEqual((state.kinds, state.persons), ([ev.CHANGE_KIND_LEFT_SCOPE], {}))

    def test_coming_into_a_scope(self):
        """Stream and pages tell the whole person beside the change that did it, what the grant allows of it; not beside others."""
        n = self.people(1)[0]
        filter = f.FeedFilter(region_prefixes=["5301"])
        state = self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: s.live, filter=filter)
        self.assertEqual(state.persons, {})
        for version, region in ((2, "530102"), (3, "530103")):
            self.submit([secure.registration(n, version=version, address_region=region)])
        start = f.FeedStart(cursor=state.cursor)
        page = self.feed.ListChanges(f.ListChangesRequest(start=start, filter=filter, purpose="care"), timeout=10).items
        stream = self.feed.Subscribe(f.SubscribeRequest(start=start, filter=filter, purpose="care"), timeout=10)
        heard = [item for item in next(stream).items]
        stream.cancel()
        theirs = self.other.ListChanges(f.ListChangesRequest(start=start, filter=filter, purpose="care"), timeout=10).items
        for items in (page, heard, theirs):
            changes = [item for item in items if item.WhichOneof("item") == "change"]
            self.assertEqual([c.HasField("entered") for c in changes[:2]], [True, False][:len(changes)])
            entered = changes[0].entered
            self.assertEqual((entered.person_ref, entered.person_version), (changes[0].change.person_ref, 3))
            self.assertEqual(sorted(q.field for q in entered.fields if q.field != "life_status"),
                             [] if items is theirs else sorted(FIELDS))

    def test_a_death(self):
        n = self.people(1)[0]
        state = self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: s.live)
        self.submit([secure.funeral(n)], self.funeral, "remains")
        self.follow(f.FeedStart(cursor=state.cursor), lambda s: s.live, state=state)
        self.assertEqual([v[1] for v in state.persons.values()], [e.LIFE_STATUS_SUSPECTED_DECEASED])

    def test_requests_that_are_refused(self):
        def ask(**more):
            return lambda: next(self.feed.Subscribe(f.SubscribeRequest(**{"purpose": "care", **more}), timeout=PATIENCE))

        self.fails(grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_PERMITTED", ask(purpose="other"))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                   ask(filter=f.FeedFilter(region_prefixes=["x"])))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                   ask(filter=f.FeedFilter(changed_fields=["no.field"])))
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ask(filter=f.FeedFilter(kinds=[99])))
        self.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ITEMS",
                   ask(filter=f.FeedFilter(region_prefixes=["1"] * 200)))
        agency = feed_pb2_grpc.FeedServiceStub(self.gateway.to(self.home))
        self.fails(grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_PERMITTED",
                   lambda: next(agency.Subscribe(f.SubscribeRequest(purpose="care"), timeout=PATIENCE)))

    def test_every_window_is_in_the_log(self):
        self.people(30)
        self.follow(f.FeedStart(snapshot=f.SnapshotStart()), lambda s: len(s.persons) == 30)
        page = self.audit.SearchLog(au.SearchLogRequest(kinds=[au.ENTRY_KIND_DELIVERY], page_size=1000), timeout=PATIENCE)
        self.assertTrue(page.headers)

    # ---- pages ----

    def test_pages_tell_the_same(self):
        self.people(250)
        self.people(250)
        for start in (f.FeedStart(snapshot=f.SnapshotStart()), f.FeedStart(cursor=f.Cursor(
                log_id=self.follow(None, lambda s: s.live).cursor.log_id, seq=0))):
            state, at_head, pages = State(), False, 0
            while not at_head:
                page = self.feed.ListChanges(f.ListChangesRequest(start=start, purpose="care", page_size=100), timeout=PATIENCE)
                self.assertLessEqual(len(page.items), 100)
                state.take(page)
                start, at_head, pages = f.FeedStart(cursor=page.next), page.at_head, pages + 1
                self.assertLess(pages, 100)
            self.assertEqual(len(state.persons), 500)

    # ---- who does not behave ----

    def test_a_subscriber_that_never_reads(self):
        self.people(5000)
        start = f.FeedStart(snapshot=f.SnapshotStart())
        deaf = [self.other.Subscribe(f.SubscribeRequest(start=start, purpose="care"), timeout=PATIENCE) for _ in range(20)]
        before = memory_of(self.gateway.process.pid)
        for _ in range(4):
            self.people(1000)
        state = self.follow(start, lambda s: len(s.persons) == 9000, seconds=60)
        self.assertEqual(len(state.persons), 9000)
        observe.assert_grown_less(self, memory_of(self.gateway.process.pid) - before, 400 << 20)
        for call in deaf:
            call.cancel()

    def test_subscribers_that_cancel_anywhere(self):
        self.people(2500)
        for i in range(60):
            call = self.feed.Subscribe(f.SubscribeRequest(start=f.FeedStart(snapshot=f.SnapshotStart()),
                                                          purpose="care"), timeout=PATIENCE)
            for _ in range(i % 4):
                next(call)
            if i % 3 == 0:
                time.sleep(i / 20000)
            call.cancel()
        harness.until(lambda: len(self.follow(f.FeedStart(snapshot=f.SnapshotStart()),
                                              lambda s: s.live).persons) == 2500, "a whole snapshot")

    def test_a_grant_that_goes(self):
        self.people(1)
        call = self.feed.Subscribe(f.SubscribeRequest(purpose="care"), timeout=PATIENCE)
        next(call)
        self.gateway.identity("platform2", ["operator"])
        self.gateway.reload()  # another's change ends nothing
        next(call)
        text = open(self.gateway.path("identities.d/platform.yaml")).read()
        self.gateway.write("identities.d/platform.yaml", text.replace("registration.name", "registration.sex").encode())
        self.gateway.reload()
        _, retry = self.fails(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", lambda: [None for _ in call])
        self.assertTrue(retry)
        call = self.feed.Subscribe(f.SubscribeRequest(purpose="care"), timeout=PATIENCE)
        next(call)
        self.gateway.forget("platform")
        self.gateway.reload()
        self.fails(grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_UNKNOWN", lambda: [None for _ in call])

    def test_stopping_tells_subscribers_to_come_again(self):
        call = self.feed.Subscribe(f.SubscribeRequest(purpose="care"), timeout=PATIENCE)
        next(call)
        thread = threading.Thread(target=self.gateway.stop)
        thread.start()
        _, retry = self.fails(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", lambda: [None for _ in call])
        self.assertTrue(retry)
        thread.join()
        self.assertEqual(self.gateway.process.returncode, 0)
        self.gateway.start()


def memory_of(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


if __name__ == "__main__":
    harness.main()
