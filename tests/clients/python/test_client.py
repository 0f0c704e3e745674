"""The example client against a real gateway: resume after a kill, converge after breaks and in another log."""
import os
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(TESTS, "crash"))
sys.path.insert(0, os.path.join(TESTS, "system"))
import harness  # noqa: E402
import eldergate_client as ec  # noqa: E402
from people import World  # noqa: E402


class Client(unittest.TestCase):
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
            dataset, records = world.batch(25)
            if dataset == "registration":
                sent.append((f"b{len(sent)}", records))
        with harness.Gateway({"feed.progress": "200ms"}) as g, g.channel() as channel:
            list(ec.Submitter(channel, "registration").run(sent[:10]))
            live = ec.MemoryStore()
            ec.Subscriber(channel, "test", live).run(until=self.caught_up)
            self.assertIsNotNone(live.cursor)
            list(ec.Submitter(channel, "registration").run(sent[10:]))
            ec.Subscriber(channel, "test", live).run(until=self.caught_up)
            fresh = ec.MemoryStore()
            ec.Subscriber(channel, "test", fresh).run(until=self.caught_up)
            self.assertGreater(len(fresh.people), 100)
            self.assertEqual(live.people, fresh.people)

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
    def caught_up(response):
        return any(i.WhichOneof("item") == "progress" and i.progress.live for i in response.items)


if __name__ == "__main__":
    harness.main()
