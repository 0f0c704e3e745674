#!/usr/bin/python3
"""Connectors between an agency's system and a real gateway: full lists of a table and of an HTTP interface, posts to one,
what it refuses parked until a person decides."""
import json
import os
import random
import sqlite3
import time
import unittest

import harness
import adapters
import bus
import web

import checker

HEAD = """mapping: 1
agency: {agency}
dataset: {agency}
section: registration
state: state
gateway: {{address: "{address}", server_key: "{server_key}", key_file: "{key_file}", heartbeat: 2s}}
agent: {{backoff_least: 20ms, backoff_most: 200ms, slow_retry: 1s, status_interval: 50ms, grace: 20s, patience: 20s}}
rows: {{key: KEY, version: VERSION}}
fields:
  id_number: ID_NO
  name: NAME
  registration_status: {{column: STATE, codes: {{"1": NORMAL, "3": CANCELLED_DEATH}}}}
"""
TABLE_LIST = HEAD + """connector: table
source:
  connection: Driver=SQLite3;Database={place}/agency.db;Timeout=20000
  table: elder
  claim: list
  clock: "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
  key: [KEY]
list: {{as_of: {{place: true, apply: [{{split: {{by: elder-, part: 2}}}}], instant: YYYY-MM-DDThh-mm-ss.fZ}}}}
"""
HTTP_LIST = HEAD + """connector: http
source:
  url: {url}/elders
  plain_http: true
  query: ["page=${{page}}", "size=${{page_size}}"]
  mode: list
  list_as_of: begin
  page_size: 7
  rows_path: /data/list
  total_path: /data/total
"""
POSTS = HEAD + """connector: http
source:
  url: {url}/elders
  plain_http: true
  query: ["page=${{page}}", "size=${{page_size}}", "from=${{from}}", "to=${{to}}"]
  mode: window
  start: {start}
  rows_path: /data/list
  total_path: /data/total
outbound:
  purpose: sync
  connector: http
  target: {{url: "{url}/changes", plain_http: true, body: '{{"id":"${{event_id}}","columns":${{columns}}}}',
           exists_statuses: [409]}}
  columns: {{SEQ: seq, PERSON: person_ref, NAME: registration.name, LIFE: life_after}}
"""
LAST_MONTH = int(time.time() - 30 * 86400) * 1_000_000  # versions: long before any list


class Site(adapters.Adapter):
    """An agency whose mapping is one of those above."""

    def __init__(self, gateway, key, name, template, program, url=""):
        self.template, self.url = template, url
        super().__init__(gateway, key, name=name)
        self.program = os.path.join(harness.BUILD, program)

    def write_mapping(self, key, outbound, snapshot):
        with open(self.mapping, "w", encoding="utf-8") as f:
            f.write(self.template.format(
                agency=self.agency, address=self.gateway.tcp, server_key=self.gateway.server_key, key_file=key.file,
                place=self.place, url=self.url, start=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))))

    def reports(self):
        """What the gateway said of each full list."""
        if not os.path.exists(self.path("log.json")):
            return []
        return [said for said in map(json.loads, self.log().splitlines()) if said["event"] == "agent.list_reported"]


class Connectors(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(int(os.environ.get("EG_SEED") or 7))
        self.gateway = bus.Gateway({"writer.checkpoint": "50ms"})
        self.addCleanup(self.gateway.__exit__)
        grants = {"sync": ["registration.name"]}
        self.key = self.gateway.adapter("bureau", {"bureau": "registration"}, grants=grants)
        self.other = self.gateway.adapter("registry", {"household": "registration"}, grants=grants)
        self.gateway.start()

    def people(self, n, first=0):
        return [{"KEY": row.key, "VERSION": LAST_MONTH, "ID_NO": row.person.id, "NAME": row.person.name, "STATE": "1"}
                for row in (adapters.Row(self.rng, first + i) for i in range(n))]

    def peer(self):
        peer = web.Peer()
        self.addCleanup(peer.close)
        return peer

    def events(self):
        """(event id of each event of the log, none left out); the gateway stops."""
        self.assertEqual(self.gateway.stop(), 0)
        self.assertEqual(checker.check(self.gateway.data), [])
        c = checker.Checker(self.gateway.data)
        c.check_log()
        c.db.close()
        c.place.cleanup()
        return {f"{c.log_id.hex()}-{seq}" for seq, *_ in c.events}

    # ---- full lists ----

    def listed(self, a, **counts):
        known = len(a.reports())
        self.assertEqual(a.once(), 0, a.log()[-2000:])
        self.until(a, lambda: len(a.reports()) > known, "the report of a list")
        said = a.reports()[known:]
        self.assertEqual([{name: r[name] for name in counts} for r in said], [counts], a.log()[-2000:])

    def three_lists(self, a, put):
        people = self.people(30)
        put(people)
        self.listed(a, received=30, added=30, missing=0, withdrawn=0)
        put(people[3:])
        self.listed(a, received=27, added=0, unchanged=27, missing=3, withdrawn=3)
        put(people[1:])  # two of them are back, and one more time that is nothing new
        self.listed(a, received=29, missing=0, withdrawn=0)
        self.assertEqual(self.gateway.stop(), 0)
        self.assertEqual(checker.check(self.gateway.data), [])

    def test_a_table_as_full_list(self):
        a = Site(self.gateway, self.key, "bureau", TABLE_LIST, "eldergate-police")

        def put(people):
            db = sqlite3.connect(a.path("agency.db"))
            db.execute("drop table if exists elder")
            db.execute("create table elder (KEY varchar(40) primary key, VERSION bigint, ID_NO varchar(18), "
                       "NAME varchar(40), STATE varchar(1))")
            db.executemany("insert into elder values (:KEY, :VERSION, :ID_NO, :NAME, :STATE)", people)
            db.commit()
            db.close()

        self.three_lists(a, put)

    def test_an_interface_as_full_list(self):
        peer = self.peer()
        a = Site(self.gateway, self.key, "bureau", HTTP_LIST, "eldergate-funeral", peer.url)
        self.three_lists(a, lambda people: peer.write([{"at": 0, "row": row} for row in people]))

    # ---- posts ----

    def desk(self):
        """An agency that is told of the changes that another one makes: (itself, its interface, the other)."""
        peer = self.peer()
        a = Site(self.gateway, self.key, "bureau", POSTS, "eldergate-funeral", peer.url)
        registry = adapters.Adapter(self.gateway, self.other)
        self.addCleanup(a.kill)
        self.assertEqual(a.once(), 0, a.log()[-2000:])  # from here on changes are followed
        return a, peer, registry

    def until(self, a, true, what):
        try:
            harness.until(true, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {a.log()[-2000:]}") from None

    def test_posts_are_the_events_of_the_log(self):
        a, peer, registry = self.desk()
        rows = [adapters.Row(self.rng, i) for i in range(40)]
        registry.append(rows)
        self.assertEqual(registry.once(), 0)
        a.start()
        self.until(a, lambda: len(peer.posts()) >= 40, "the changes")
        rows[5].version, rows[5].state = 2, "3"
        registry.append(rows[5:6])
        self.assertEqual(registry.once(), 0)
        self.until(a, lambda: len(peer.posts()) >= 41, "the death")
        self.assertEqual(a.stop(), 0)
        posts = peer.posts()
        self.assertTrue(all(key == body["id"] and outcome == "taken" for key, outcome, body in posts), posts)
        self.assertEqual((posts[-1][2]["columns"]["NAME"], posts[-1][2]["columns"]["LIFE"]),
                         (rows[5].person.name, "DECEASED"))
        keys = [key for key, _, _ in posts]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertEqual(set(keys), self.events())

    def parked(self, a):
        """(seq, state) of each, as the command tells them; its last line says how many."""
        status, said = a.command("parked")
        self.assertEqual(status, 0, said)
        *lines, last = said.splitlines()
        self.assertEqual(last, f"{len(lines)} parked")
        return [(int(line.split("\t")[0]), line.split("\t")[1]) for line in lines]

    def test_a_refused_change_is_parked_until_a_person_decides(self):
        a, peer, registry = self.desk()
        rows = [adapters.Row(self.rng, i) for i in range(12)]
        for i, row in enumerate(rows):
            row.person.name = f"李{'甲乙丙丁戊己庚辛壬癸子丑'[i]}"
        peer.refuse(rows[4].person.name)
        registry.append(rows)
        self.assertEqual(registry.once(), 0)
        a.start()
        self.until(a, lambda: a.status().get("parked") == 1 and a.status()["delivered"] == 11, "it to be parked")
        self.assertEqual(len(self.taken(peer)), 11, "the others did not wait for it")
        (seq, state), = self.parked(a)
        self.assertEqual(state, "refused")
        refused = [body["columns"] for _, outcome, body in peer.posts() if outcome == "refused"]
        self.assertEqual({(c["SEQ"], c["NAME"]) for c in refused}, {(str(seq), rows[4].person.name)})
        self.assertEqual(len(refused), 3, "the preset of refusals")
        self.assertNotIn(rows[4].person.name, a.log() + a.command("parked")[1])
        # The same person's next change stays behind it.
        rows[4].version, rows[4].state = 2, "3"
        registry.append(rows[4:5])
        self.assertEqual(registry.once(), 0)
        self.until(a, lambda: a.status().get("parked") == 2, "the next change to stay behind")
        self.assertEqual([state for _, state in self.parked(a)], ["refused", "behind"])
        # Still refused: it stays.
        self.assertEqual(a.command("parked", "retry", str(seq))[0], 0)
        self.until(a, lambda: "agent.parked_refused_again" in a.log(), "it to be refused again")
        self.assertEqual([state for _, state in self.parked(a)], ["refused", "behind"])
        # Mended: both go, in order.
        peer.refuse(None)
        self.assertEqual(a.command("parked", "retry", str(seq))[0], 0)
        self.until(a, lambda: a.status().get("parked") == 0, "both to be delivered")
        self.assertEqual(self.parked(a), [])
        self.assertEqual([c["LIFE"] for c in self.taken(peer) if c["NAME"] == rows[4].person.name], ["ALIVE", "DECEASED"])
        # Dropped: it never comes, and holds nothing back.
        peer.refuse(rows[7].person.name)
        rows[7].version, rows[7].state = 2, "3"
        registry.append(rows[7:8])
        self.assertEqual(registry.once(), 0)
        self.until(a, lambda: a.status().get("parked") == 1, "the next one to be parked")
        (seq, _), = self.parked(a)
        self.assertEqual(a.command("parked", "drop", str(seq))[0], 0)
        self.until(a, lambda: a.status().get("parked") == 0, "it to be dropped")
        peer.refuse(None)
        rows[7].version, rows[7].state = 3, "1"
        registry.append(rows[7:8])
        self.assertEqual(registry.once(), 0)
        self.until(a, lambda: any(int(c["SEQ"]) > seq for c in self.taken(peer)), "the change after it")
        self.assertEqual(a.stop(), 0)
        self.assertNotIn(str(seq), [c["SEQ"] for c in self.taken(peer)])

    @staticmethod
    def taken(peer):
        return [body["columns"] for _, outcome, body in peer.posts() if outcome == "taken"]


if __name__ == "__main__":
    harness.main()
