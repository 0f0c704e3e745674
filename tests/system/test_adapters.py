#!/usr/bin/python3
"""An adapter between its source and a real gateway: rows in, changes out, either side killed."""
import os
import random
import subprocess
import unittest

import harness
import adapters
import bus

import checker

from eldergate.v1 import elder_pb2 as e
from eldergate.v1 import exchange_pb2 as x
from eldergate.v1 import exchange_pb2_grpc

FIELDS = ["registration.name", "registration.id_number"]


class Adapters(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
        self.rng = random.Random(self.seed)
        self.gateway = bus.Gateway({"writer.checkpoint": "50ms"})
        self.addCleanup(self.gateway.__exit__)
        self.key = self.gateway.adapter("registry", {"household": "registration"}, grants={"sync": FIELDS})
        self.funeral = self.gateway.agency("funeral", {"cremation": "funeral"})
        self.gateway.start()
        self.adapter = None

    def tearDown(self):
        if self.adapter:
            self.adapter.kill()

    def make(self, **more):
        self.adapter = adapters.Adapter(self.gateway, self.key, **more)
        return self.adapter

    def people(self, n, **more):
        start = len(self.adapter.rows)
        return [adapters.Row(self.rng, start + i, **more) for i in range(n)]

    def judge(self):
        """What is acknowledged is there, nothing else is, and nothing twice with effect."""
        a = self.adapter
        a.kill()
        self.assertEqual(self.gateway.stop(), 0)
        self.assertEqual(checker.check(self.gateway.data, a.history()), [], f"EG_SEED={self.seed}")
        c = checker.Checker(self.gateway.data)
        c.check_log()
        c.db.close()
        c.place.cleanup()
        names = [claim[:4] for claim in c.claims.values()]
        self.assertEqual(len(names), len(set(names)), "a row took effect twice")
        return len(names)

    def until(self, true, what):
        try:
            harness.until(true, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.adapter.log()[-2000:]}") from None

    def test_once_takes_all_and_the_next_once_nothing(self):
        a = self.make()
        a.append(self.people(250))
        a.append([adapters.Row(self.rng, 900, state="8")])  # no code of the mapping
        self.assertEqual(a.once(), 0, a.log())
        status = a.status()
        self.assertEqual((status["rows"], status["applied"], status["bad_rows"]), (251, 250, 1))
        self.assertEqual(a.settled(), 251)
        self.assertEqual(a.once(), 0)
        self.assertEqual(a.status()["rows"], 0)
        a.rows.pop()
        a.settled = lambda: 250
        self.assertEqual(self.judge(), 250)
        for row in a.rows[:3]:
            for text in (row.person.id, row.person.name):
                self.assertNotIn(text, a.log())

    def test_run_follows_and_stops_well(self):
        a = self.make()
        a.start()
        for size in (3, 1, 40):
            a.append(self.people(size))
            self.until(lambda: a.status().get("applied") == len(a.rows), "the rows to be applied")
        self.assertEqual(a.stop(), 0)
        self.assertEqual(a.settled(), 44)
        self.assertEqual(a.status()["state"], "stopping")
        self.assertEqual(self.judge(), 44)

    def test_check_connects(self):
        a = self.make()
        status, said = a.command("check", "--source", "--gateway")
        self.assertEqual(status, 0, said)
        self.assertIn("gateway: connected", said)

    def test_check_judges_what_only_the_connector_knows(self):
        """Without a source: the shipped file is right but for the secret that each site puts in."""
        shipped = os.path.join(harness.ROOT, "adapters", "funeral", "mapping.yaml")
        said = subprocess.run([os.path.join(harness.BUILD, "eldergate-funeral"), "-m", shipped, "check"],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(said.returncode, 78, said.stderr)
        self.assertIn("source.secret", said.stderr)

    def test_changes_take_the_role_subscriber(self):
        """A grant lets an agency look at persons; being told of everybody's changes is another thing."""
        self.key = self.gateway.adapter("looks", {"household": "registration"}, roles=["agency"],
                                        grants={"sync": FIELDS})
        self.gateway.reload()
        a = self.make(name="looks", outbound=True)
        status, said = a.command("check", "--gateway")
        self.assertEqual(status, 77, said)
        self.assertIn("gateway: connected", said)
        self.assertIn("subscriber", said)
        self.assertEqual(a.once(), 77, a.log())
        self.assertIn("subscriber", a.status()["trouble"])
        # Rows need no such role.
        a.append(self.people(1))
        a.write_mapping(self.key, False, False)
        self.assertEqual(a.once(), 0, a.log())
        a.write_mapping(self.key, True, False)
        self.gateway.identity("looks", ["agency", "subscriber"], {"household": "registration"}, {"sync": FIELDS},
                              more=f'curve: "{self.key.public}"\n')
        self.gateway.reload()
        status, said = a.command("check", "--gateway")
        self.assertEqual(status, 0, said)
        self.assertIn("gives changes for the purpose sync", said)
        self.assertEqual(a.once(), 0, a.log())

    def test_an_adapter_that_is_not_known_waits_and_says_so(self):
        a = self.make()
        stranger = bus.Key(self.gateway.place, "stranger")
        a.write_mapping(stranger, False, False)
        with open(a.mapping, encoding="utf-8") as f:
            text = f.read().replace("patience: 20s", "patience: 2s")
        with open(a.mapping, "w", encoding="utf-8") as f:
            f.write(text)
        a.append(self.people(1))
        self.assertEqual(a.once(), 69, a.log())
        self.assertEqual(a.settled(), 0)

    def test_a_dataset_that_is_not_permitted_stays_at_the_source(self):
        a = self.make()
        with open(a.mapping, encoding="utf-8") as f:
            text = f.read().replace("dataset: household", "dataset: cremation")
        with open(a.mapping, "w", encoding="utf-8") as f:
            f.write(text)
        a.append(self.people(2))
        self.assertEqual(a.once(), 77, a.log())
        self.assertEqual(a.settled(), 0)

    def test_the_gateway_is_killed_again_and_again(self):
        a = self.make(batch=5)
        a.start()
        for _ in range(4):
            a.append(self.people(300))
            self.until(lambda: a.status().get("applied", 0) + a.status().get("unchanged", 0) > len(a.rows) - 280,
                       "some rows to be taken")
            self.gateway.kill()
            self.gateway.start()
        self.until(lambda: a.settled() == len(a.rows), "every row to be settled")
        self.assertEqual(a.stop(), 0)
        self.assertEqual(self.judge(), 1200)

    def test_the_adapter_is_killed_again_and_again(self):
        a = self.make(batch=5)
        for _ in range(6):
            a.append(self.people(200))
            a.start()
            self.until(lambda: a.status().get("applied", 0) > self.rng.randint(1, 100) or a.settled() > len(a.rows) - 100,
                       "some rows to be taken")
            a.kill()
        self.assertEqual(a.once(), 0, a.log())
        self.assertEqual(a.settled(), 1200)
        self.assertEqual(self.judge(), 1200)

    def cremate(self, row, version=1, operation=e.OPERATION_ASSERT):
        r = row.person.record("funeral")
        r.version, r.operation = version, operation
        with self.gateway.to(self.funeral) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            answer, = stub.Submit(iter([x.SubmitRequest(batch_id="b", dataset="cremation", records=[r])]))
        self.assertEqual(x.Outcome.Name(answer.receipt.results[0].outcome), "OUTCOME_APPLIED")

    def test_a_death_elsewhere_comes_to_the_agency_with_the_name(self):
        a = self.make(outbound=True)
        self.assertEqual(a.once(), 0, a.log())  # from here on changes are followed
        a.append(self.people(3))
        a.start()
        self.until(lambda: len(a.changes()) == 3, "the changes of its own rows")
        self.cremate(a.rows[1])
        self.until(lambda: len(a.changes()) == 4, "the death")
        _, _, kind, person, life, name = a.changes()[-1]
        self.assertEqual((kind, life, name), ("UPDATED", "SUSPECTED_DECEASED", a.rows[1].person.name))
        self.assertIn(person, {c[3] for c in a.changes()[:3]})
        # Nothing is missed while the adapter is away.
        self.assertEqual(a.stop(), 0)
        self.cremate(a.rows[2])
        a.start()
        self.until(lambda: len(a.changes()) == 5, "the death that happened meanwhile")
        self.assertEqual(a.stop(), 0)
        self.assertEqual(len({c[0] for c in a.changes()}), 5)

    def test_a_snapshot_begins_with_the_persons_that_are_there(self):
        a = self.make(outbound=True, snapshot=True)
        a.append(self.people(30))
        self.assertEqual(a.once(), 0, a.log())
        names = {c[5] for c in a.changes()}
        self.assertEqual(names, {r.person.name for r in a.rows})

    def test_changes_survive_kills_in_order(self):
        a = self.make(outbound=True, batch=5)
        self.assertEqual(a.once(), 0, a.log())  # from here on changes are followed
        a.append(self.people(300))
        for _ in range(5):
            a.start()
            had = len(a.changes())
            self.until(lambda: len(a.changes()) > had + 10 or len({c[0] for c in a.changes()}) == 300, "changes")
            a.kill()
        self.assertEqual(a.once(), 0, a.log())
        self.until(lambda: len({c[0] for c in a.changes()}) == 300, "every change")
        last = {}
        seen = set()
        for event, seq, _, person, _, _ in a.changes():
            if event in seen:
                continue
            seen.add(event)
            self.assertGreater(int(seq), last.get(person, 0))
            last[person] = int(seq)


if __name__ == "__main__":
    harness.main()
