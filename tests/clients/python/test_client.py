"""The example client against a real gateway: resume after a kill, converge after breaks and in another log, proofs."""
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
import unittest
from concurrent import futures

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(TESTS, "crash"))
sys.path.insert(0, os.path.join(TESTS, "system"))
import harness  # noqa: E402
import eldergate_client as ec  # noqa: E402
import eldergate_proof as ep  # noqa: E402
import grpc  # noqa: E402
from cli import run  # noqa: E402
from eldergate.v1 import exchange_pb2, exchange_pb2_grpc, feed_pb2  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from people import World  # noqa: E402


class Liar(exchange_pb2_grpc.ExchangeServiceServicer):
    """Answers each call of Submit as the next of its turns does: a generator of (requests, context)."""

    def __init__(self, *turns):
        self.turns = list(turns)

    def Submit(self, requests, context):
        return self.turns.pop(0)(requests, context)

    @contextlib.contextmanager
    def channel(self):
        with tempfile.TemporaryDirectory(prefix="eldergate-test-") as place:
            server = grpc.server(futures.ThreadPoolExecutor(4))
            exchange_pb2_grpc.add_ExchangeServiceServicer_to_server(self, server)
            server.add_insecure_port(f"unix:{place}/socket")
            server.start()
            try:
                with ec.connect(f"unix:{place}/socket") as channel:
                    yield channel
            finally:
                server.stop(0).wait()

    @staticmethod
    def honest(requests, _):
        for r in requests:
            yield exchange_pb2.SubmitResponse(receipt=exchange_pb2.Receipt(batch_id=r.batch_id))

    @staticmethod
    def short(requests, _):
        yield exchange_pb2.SubmitResponse(receipt=exchange_pb2.Receipt(batch_id=next(requests).batch_id))

    @staticmethod
    def silent(requests, _):
        next(requests)
        yield from ()

    @staticmethod
    def failing(code, *details):
        def turn(_, context):
            if details:
                status = status_pb2.Status(code=code.value[0])
                for d in details:
                    status.details.add().Pack(d)
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(code, "no")
            yield
        return turn


class Client(unittest.TestCase):
    def test_the_gateway_says_whether_to_try_again(self):
        code, info, retry = grpc.StatusCode, error_details_pb2.ErrorInfo(reason="R"), error_details_pb2.RetryInfo()
        retry.retry_delay.nanos = 1_000_000
        for turn, helps in ((Liar.failing(code.RESOURCE_EXHAUSTED, info, retry), True),
                            (Liar.failing(code.DEADLINE_EXCEEDED, info, retry), True),
                            (Liar.failing(code.INTERNAL, info), False),
                            (Liar.failing(code.INTERNAL), True),
                            (Liar.failing(code.UNAVAILABLE), True),
                            (Liar.failing(code.PERMISSION_DENIED), False)):
            with Liar(turn, Liar.honest).channel() as channel:
                submitter = ec.Submitter(channel, "registration", wait=0.01)
                if helps:
                    self.assertEqual([b for b, _ in submitter.run([("b", [])])], ["b"])
                else:
                    with self.assertRaises(grpc.RpcError):
                        list(submitter.run([("b", [])]))
                self.assertEqual(submitter.breaks, 1)

    def test_a_stream_that_ends_too_early_is_a_break(self):
        with Liar(Liar.short, Liar.silent, Liar.honest).channel() as channel:
            submitter = ec.Submitter(channel, "registration", in_flight=1, wait=0.01)
            self.assertEqual([b for b, _ in submitter.run((b, []) for b in "abc")], ["a", "b", "c"])
            self.assertEqual(submitter.breaks, 2)

    def test_two_streams_never_take_batches_at_once(self):
        inside, together, received = threading.Lock(), threading.Event(), threading.Event()

        class Batches:
            given = 0

            def __iter__(self):
                return self

            def __next__(self):
                if not inside.acquire(blocking=False):
                    together.set()
                    raise StopIteration
                with contextlib.ExitStack() as stack:
                    stack.callback(inside.release)
                    self.given += 1
                    if self.given == 2:  # here the stream breaks, and the next one would have nothing to repeat
                        received.wait(harness.PATIENCE)
                        g.kill()
                        together.wait(1)
                        g.start()
                    if self.given > 3:
                        raise StopIteration
                    return f"b{self.given}", []

        with harness.Gateway() as g, g.channel() as channel:
            submitter = ec.Submitter(channel, "registration", attempts=50, wait=0.01)
            taken = []
            for batch_id, _ in submitter.run(Batches()):
                taken.append(batch_id)
                received.set()
            self.assertEqual((taken, together.is_set()), (["b1", "b2", "b3"], False))
            self.assertGreater(submitter.breaks, 0)

    def test_the_callers_failures_go_through_and_lose_nothing(self):
        def batches():
            yield "a", []
            raise KeyError("the caller's")

        with Liar(Liar.honest, Liar.honest, Liar.honest).channel() as channel:
            submitter = ec.Submitter(channel, "registration", wait=0.01)
            kept = []
            with self.assertRaises(KeyError):
                for batch_id, _ in submitter.run(batches()):
                    kept.append(batch_id)
            with self.assertRaises(OSError):
                for _ in submitter.run([("b", [])]):
                    raise OSError("the receipt could not be kept")
            kept += [b for b, _ in submitter.run([("c", [])])]
            self.assertEqual((kept, submitter.breaks), (["a", "b", "c"], 0))

    def test_a_dead_connection_is_noticed(self):
        with harness.Gateway({"feed.progress": "200ms"}) as g, ec.connect("unix:" + g.socket, silence=1, patience=1) as c:
            subscriber, wakers = ec.Subscriber(c, "test", ec.MemoryStore(), attempts=50), []

            def wake():
                try:
                    harness.until(lambda: subscriber.breaks, "the gateway's silence was noticed", 20)
                finally:
                    g.process.send_signal(signal.SIGCONT)

            def until(response):
                if not wakers:
                    g.process.send_signal(signal.SIGSTOP)  # the connection stays
                    wakers.append(threading.Thread(target=wake))
                    wakers[0].start()
                return not wakers[0].is_alive() and self.caught_up(response)

            subscriber.run(until=until)
            self.assertGreater(subscriber.breaks, 0)

    def test_submit_resumes_after_a_kill(self):
        world = World(3)
        batches = []
        while len(batches) < 60:
            dataset, records = world.batch(30)
            if dataset == "registration":
                batches.append((f"b{len(batches)}", records))
        with harness.Gateway() as g, g.channel() as channel:
            submitter = ec.Submitter(channel, "registration", attempts=50)
            receipts = {}
            for batch_id, receipt in submitter.run(batches):
                receipts[batch_id] = receipt
                if len(receipts) == 20 and submitter.breaks == 0:
                    g.kill()
                    threading.Thread(target=g.start).start()
            self.assertGreaterEqual(submitter.breaks, 1)
            self.assertEqual(sorted(receipts), sorted(b for b, _ in batches))
            again = list(ec.Submitter(channel, "registration").run(batches))
            outcomes = {r.outcome for _, receipt in again for r in receipt.results}
            self.assertLessEqual(outcomes, {2, 4}, "sent again, a record is unchanged or still quarantined")

    def test_subscriber_converges(self):
        world, sent = World(4), []
        while len(sent) < 20:
            dataset, records = world.batch(150)
            if dataset == "registration":
                sent.append((f"b{len(sent)}", records))
        with harness.Gateway({"feed.progress": "200ms"}) as g, g.channel() as channel:
            list(ec.Submitter(channel, "registration").run(sent[:10]))
            live = ec.MemoryStore()
            ec.Subscriber(channel, "test", live).run(until=self.caught_up)
            self.assertIsNotNone(live.cursor)
            list(ec.Submitter(channel, "registration").run(sent[10:]))
            subscriber, starts = ec.Subscriber(channel, "test", live, attempts=50), []

            def broken(response):
                if not starts:
                    self.assertFalse(self.caught_up(response), "the first window held all that there is to tell")
                    g.kill()
                    starts.append(threading.Thread(target=g.start))
                    starts[0].start()
                return subscriber.breaks and self.caught_up(response)

            subscriber.run(until=broken)
            starts[0].join()
            fresh = ec.MemoryStore()
            ec.Subscriber(channel, "test", fresh).run(until=self.caught_up)
            self.assertGreater(len(fresh.people), 100)
            self.assertEqual(live.people, fresh.people)
            # A snapshot is all that there is: what was withdrawn before it came does not stay.
            live.cursor = None
            for p in live.people.values():
                p["version"] -= 1
                p["fields"] = {**p["fields"], "registration.death_date": b""}
            ec.Subscriber(channel, "test", live).run(until=self.caught_up)
            self.assertEqual(live.people, fresh.people)

    def snapshot(self, channel, filter):
        fresh = ec.MemoryStore()
        ec.Subscriber(channel, "test", fresh, filter=filter).run(until=self.caught_up)
        return fresh

    def test_who_leaves_the_filter_is_forgotten_and_comes_back_whole(self):
        people = World(7)
        people.batch(40)
        records = [p.record("registration") for p in people.people[:2]]
        for r in records:
            r.registration.address_region = "330302"
        with harness.Gateway({"feed.progress": "200ms"}) as g, g.channel() as channel:
            submitter, store = ec.Submitter(channel, "registration"), ec.MemoryStore()
            subscriber = ec.Subscriber(channel, "test", store, filter=feed_pb2.FeedFilter(region_prefixes=["3303"]))
            list(submitter.run([("b", records)]))
            subscriber.run(until=self.caught_up)
            self.assertEqual(len(store.people), 2)

            def moves(region):
                records[0].version += 1
                records[0].registration.address_region = region
                list(submitter.run([("to " + region, records[:1])]))
                subscriber.run(until=self.caught_up)

            moves("530102")
            self.assertEqual(len(store.people), 1)
            (ref, person), = store.people.items()
            store.forget(ref, person["version"])
            self.assertIn(ref, store.people, "old news makes nobody be forgotten")
            moves("330304")  # and back: of a change of one field everything is known
            self.assertEqual(store.people, self.snapshot(channel, subscriber.filter).people)

    def test_another_log_starts_over(self):
        dataset, records = "", []
        world = World(5)
        while dataset != "registration":
            dataset, records = world.batch(25)
        with harness.Gateway({"feed.progress": "200ms"}) as g, g.channel() as channel:
            list(ec.Submitter(channel, "registration").run([("b", records)]))
            fresh, store = ec.MemoryStore(), ec.MemoryStore()
            ec.Subscriber(channel, "test", fresh).run(until=self.caught_up)
            self.assertGreater(len(fresh.people), 10)
            # After a restored backup versions come again, which would not be newer than those of the log that is gone.
            store.people = {ref: {**p, "version": 1000, "fields": {}} for ref, p in fresh.people.items()}
            store.people["somebody of the log that is gone"] = {"version": 1}
            store.save(fresh.cursor)
            store.cursor.log_id = "0" * len(fresh.cursor.log_id)
            ec.Subscriber(channel, "test", store).run(until=self.caught_up)
            self.assertEqual((store.people, store.cursor.log_id), (fresh.people, fresh.cursor.log_id))

    @staticmethod
    def vkey(gateway):
        """As an administrator hands it to auditors; it is read while the daemon is not there."""
        gateway.kill()
        key = run("log", "key", "--data", gateway.data).out.strip()
        gateway.start()
        return key

    def proves(self, file, seq, verifier):
        try:
            return ep.check_inclusion(file, verifier).seq == seq
        except ep.NotProven:
            return False

    def test_a_proof_holds_and_a_forged_one_does_not(self):
        dataset, records = "", []
        world = World(6)
        while dataset != "registration":
            dataset, records = world.batch(41)
        with harness.Gateway({"writer.checkpoint": "20ms"}) as g:
            vkey = self.vkey(g)
            with g.channel() as channel, harness.Gateway() as other:
                (_, receipt), = ec.Submitter(channel, "registration").run([("b", records)])
                seq, auditor, until = receipt.last_seq, ec.Auditor(channel, vkey), time.monotonic() + 60
                while True:  # the entry is in the next checkpoint
                    try:
                        file, proven = auditor.prove(seq)
                        break
                    except grpc.RpcError as error:
                        if error.code() != grpc.StatusCode.FAILED_PRECONDITION or time.monotonic() > until:
                            raise
                        time.sleep(0.005)
                self.assertEqual(proven.seq, seq)
                self.assertGreaterEqual(proven.checkpoint.size, seq)
                self.assertTrue(self.proves(file, seq, auditor.verifier))
                for at, was in enumerate(file):  # whatever is changed, or cut off, it is no proof of this entry any more
                    self.assertFalse(self.proves(file[:at] + chr(ord(was) ^ 1) + file[at + 1:], seq, auditor.verifier), at)
                    self.assertFalse(self.proves(file[:at], seq, auditor.verifier), at)
                for entry in range(1, seq + 1):  # each place in the tree has a path of its own shape
                    self.assertEqual(auditor.prove(entry)[1].seq, entry)
                self.assertFalse(self.proves(file, seq, ep.Verifier(self.vkey(other))))
                with self.assertRaises(grpc.RpcError) as raised:
                    auditor.prove(1 << 40)
                self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    @staticmethod
    def caught_up(response):
        return any(i.WhichOneof("item") == "progress" and i.progress.live for i in response.items)


if __name__ == "__main__":
    harness.main()
