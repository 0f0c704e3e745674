#!/usr/bin/python3
"""The judge of the pairs of faults: what is planted into a town at rest, or keeps it from its rest, is told as what it is.

The same town without a fault passes. B must name a build with FAULT=1.
"""
import os
import sqlite3
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "system"), HERE]
import harness  # noqa: E402
import effects  # noqa: E402
import pairs  # noqa: E402
import town  # noqa: E402

SEED = 1


class AtRest(unittest.TestCase):
    """One town, in which everybody has been; each test takes back what it has planted."""

    @classmethod
    def setUpClass(cls):
        cls.town = t = town.Town(SEED)
        cls.addClassCleanup(t.close)
        t.open()
        pairs.Pair(t, SEED, "subscriber.kill+adapter.kill").run()

    def tearDown(self):
        self.assertEqual(self.town.judge(), [], "a test has left its fault")

    def told(self, kind, text):
        faults = self.town.judge()
        self.assertTrue([f for f in faults if f.startswith(kind + ":") and text in f], f"no {kind}: ...{text} in {faults}")

    def test_a_seed_makes_a_schedule(self):
        kinds = [kind for kind in pairs.KINDS if "broker" not in kind]

        def schedules(seed):
            drawn = [vars(pairs.Pair(self.town, seed, kind)) for kind in kinds]
            return [{name: str(value) for name, value in d.items() if name not in ("town", "rng")} for d in drawn]
        self.assertEqual(schedules(SEED), schedules(SEED))
        self.assertNotEqual(schedules(SEED), schedules(SEED + 1))

    def subscriber(self, change, back):
        with sqlite3.connect(self.town.subscriber.path) as db:
            db.execute(change)
        self.addCleanup(db.close)
        try:
            self.told("subscriber", "not as the gateway's view")
            return self.town.judge()
        finally:
            with db:
                db.execute(back)

    def test_a_whole_town(self):
        self.assertEqual(self.town.judge(), [])
        self.assertGreater(len(effects.Log(self.town.gateway.data).persons), 50)

    def test_a_person_of_an_older_version(self):
        newest = "where ref = (select max(ref) from person)"
        faults = self.subscriber(f"update person set version = version - 1 {newest}",
                                 f"update person set version = version + 1 {newest}")
        self.assertIn("subscriber: its versions are not those of the log", faults)

    def test_a_person_of_another_name(self):
        newest = "where ref = (select max(ref) from field)"
        faults = self.subscriber(f"update field set field = 'registration.nam' {newest}",
                                 f"update field set field = 'registration.name' {newest}")
        self.assertIn("subscriber: the names are not those that the agencies have", faults)

    def test_a_row_that_was_marked_before_its_receipt(self):
        a = self.town.agencies["table"]
        a.server.sql("""insert into elder ("ROW_ID", "KEY", "VERSION", "FLAG") values (0, 'station-x', 1, '1')""")
        a.sent.append(("station-x", 0))
        try:
            self.told("lost", "is not in its source key")
        finally:
            a.server.sql('delete from elder where "ROW_ID" = 0')
            a.sent.pop()

    def test_a_row_without_a_verdict(self):
        a = self.town.agencies["table"]
        a.server.sql('update elder set "FLAG" = \'0\' where "ROW_ID" = 1')
        try:
            self.told("source", "row 1 has the flag 0")
        finally:
            a.server.sql('update elder set "FLAG" = \'1\' where "ROW_ID" = 1')

    def test_a_row_that_was_never_sent(self):
        """As if the mark of an interface had moved too early."""
        a = self.town.agencies["page"]
        key, there = next(iter(a.rows_there.items()))
        row = there["row"]
        a.rows_there[key] = {"at": there["at"], "row": {**row, "VERSION": row["VERSION"] + 1000}}
        try:
            self.told("lost", "is not in its source key")
        finally:
            a.rows_there[key] = there

    def test_a_change_that_an_agency_was_not_told(self):
        a = self.town.agencies["table"]
        a.server.sql('create table kept as select * from change order by "N" limit 1',
                     'delete from change where "N" = (select "N" from kept)')
        try:
            self.told("agency", "1 changes did not come")
        finally:
            a.server.sql("insert into change select * from kept", "drop table kept")

    def test_changes_in_another_order(self):
        events = [(f"log-{seq}", seq, person) for seq, person in ((1, "a"), (2, "b"), (4, "a"), (3, "a"))]
        self.assertEqual(effects.changes(events, {1, 2, 3, 4})[0], ["a person's changes came in another order"])
        again = events[:3] + events[:1]
        self.assertEqual(effects.changes(again, {1, 2, 4}), ([], 3, 1))

    def test_what_took_effect_twice(self):
        log = effects.Log(self.town.gateway.data)
        self.assertEqual(log.twice(), [])
        log.claims.append(log.claims[3])
        self.assertEqual(log.twice(), [log.claims[3]])


class OnTheWay(unittest.TestCase):
    def setUp(self):
        self.town = t = town.Town(SEED)
        self.addCleanup(t.close)
        t.open()

    def test_a_fault_of_the_daemon(self):
        os.environ["ELDERGATE_UNSAFE"] = "lose_slot"
        self.addCleanup(os.environ.pop, "ELDERGATE_UNSAFE")
        pairs.Pair(self.town, SEED, "subscriber.kill+adapter.kill").run()
        faults = self.town.judge()
        self.assertTrue([f for f in faults if f.startswith("claims:")], faults)

    def test_one_that_does_not_come_back(self):
        t = self.town
        t.begin({})
        t.add(t.rng)
        victim = t.adapters["table"]
        victim.fall("stop")
        most, town.SETTLE_S = town.SETTLE_S, 2
        try:
            with self.assertRaisesRegex(AssertionError, "not within 2 s: every row to be settled: station: row"):
                t.settle()
        finally:
            town.SETTLE_S = most


class Selection(unittest.TestCase):
    def test_each_day_ten(self):
        for day in range(739000, 739040):
            chosen = pairs.select(day, 10)
            self.assertEqual(len(set(chosen)), 10)
            self.assertEqual(sum("broker" in kind for kind in chosen), 2)
            self.assertEqual(chosen, pairs.select(day, 10))

    def test_all_in_their_turn(self):
        days = [set(pairs.select(day, 10)) for day in range(739000, 739018)]
        self.assertEqual(set().union(*days), set(pairs.KINDS))
        self.assertGreaterEqual(len(pairs.KINDS), 30)


if __name__ == "__main__":
    harness.main()
