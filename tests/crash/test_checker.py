#!/usr/bin/python3
"""The checker finds what it is there to find: each test plants one fault into a whole gateway's data, topics or history.

A checker that finds nothing proves nothing, so every fault must be told, and told as what it is.
"""
import copy
import os
import shutil
import sqlite3
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.path.insert(0, HERE)
import harness  # noqa: E402
import checker  # noqa: E402
import topics  # noqa: E402
from client import Client  # noqa: E402
from people import World  # noqa: E402


def setUpModule():
    """One gateway with some history; every test works on a copy of what it left."""
    global GOOD
    GOOD = {}
    with harness.DevBroker() as broker:
        settings = {"kafka.bootstrap": broker.address, "kafka.development": "true", "writer.checkpoint": "50ms"}
        GOOD["gateway"] = gateway = harness.Gateway(settings)
        world, client = World(7), Client()
        gateway.start()
        with gateway.channel() as channel:
            if not client.run(channel, lambda: world.batch(50), 20):
                raise AssertionError("the batches were not acknowledged")
        if gateway.stop() != 0:
            raise AssertionError("the daemon did not end well: " + gateway.log_tail())
        GOOD["history"] = client.history
        GOOD["changes"] = topics.changes(broker.address)
        GOOD["state"] = topics.states(broker.address)


def tearDownModule():
    GOOD["gateway"].__exit__()


class Planted(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="eldergate-planted-")
        self.data = os.path.join(self.place.name, "data")
        shutil.copytree(GOOD["gateway"].data, self.data, ignore=shutil.ignore_patterns("*.sock", "reserve"))
        for name in ("history", "changes", "state"):
            setattr(self, name, copy.deepcopy(GOOD[name]))

    def tearDown(self):
        self.place.cleanup()

    def sql(self, text, *values):
        db = sqlite3.connect(os.path.join(self.data, "eldergate.db"))
        with db:
            rows = db.execute(text, values).fetchall()
        db.close()
        return rows

    def found(self, kind, text=""):
        faults = checker.check(self.data, self.history, self.changes, self.state)
        self.assertTrue([f for f in faults if f.startswith(kind + ":") and text in f],
                        f"no {kind} fault with '{text}' among {faults[:5]}")

    def flip(self, table, column, key, value, at=-1):
        (blob,), = self.sql(f"select {column} from {table} where {key} = ?", value)
        changed = bytearray(blob)
        changed[at] ^= 1
        self.sql(f"update {table} set {column} = ? where {key} = ?", bytes(changed), value)

    def change_seq(self):
        return self.sql("select seq from log where claim is not null and effect is not null and seq > 100 limit 1")[0][0]

    def test_nothing_wrong(self):
        self.assertEqual(checker.check(self.data, self.history, self.changes, self.state), [])
        self.assertGreater(len(self.changes), 400)

    def test_altered_leaf(self):
        self.flip("log", "leaf", "seq", 20)
        self.found("log", "entry 20")

    def test_altered_header(self):
        self.flip("log", "header", "seq", 20)
        self.found("log", "entry 20")

    def test_altered_claim(self):
        seq = self.change_seq()
        self.flip("log", "claim", "seq", seq)
        self.found("log", f"entry {seq}")

    def test_altered_effect_commitment(self):
        seq = self.change_seq()
        self.flip("log", "effect", "seq", seq, at=0)
        self.found("log", f"entry {seq}")

    def test_missing_entry(self):
        self.sql("delete from log where seq = 50")
        self.found("log", "entry 50 is missing")

    def test_lost_tail(self):
        head = self.sql("select max(seq) from log")[0][0]
        self.sql("delete from log where seq > ?", head - 5)
        self.found("log", "beyond the log's head")

    def test_swapped_entries(self):
        for a, b in ((30, -1), (31, 30), (-1, 31)):
            self.sql("update log set seq = ? where seq = ?", b, a)
        self.found("log")

    def test_altered_tile(self):
        tile = self.sql("select id from tile limit 1")[0][0]
        self.flip("tile", "hashes", "id", tile)
        self.found("log", "tile")

    def test_missing_tile(self):
        self.sql("delete from tile where id = (select min(id) from tile)")
        self.found("log", "full tiles")

    def test_forged_checkpoint(self):
        size = self.sql("select max(size) from checkpoint where size > 0")[0][0]
        (note,), = self.sql("select note from checkpoint where size = ?", size)
        note = note.decode() if isinstance(note, bytes) else note
        lines = note.rstrip("\n").split("\n")
        lines[-1] = lines[-1][:-8] + ("AAAAAAA=" if lines[-1][-8:] != "AAAAAAA=" else "BBBBBBB=")
        self.sql("update checkpoint set note = ? where size = ?", "\n".join(lines) + "\n", size)
        self.found("log", "checkpoint")

    def test_person_of_another_version(self):
        self.sql("update person set version = version + 1 where row = 3")
        self.found("chain", "row 3")

    def test_person_body_of_another(self):
        (a,), (b,) = self.sql("select body from person where row in (3, 4)")
        self.sql("update person set body = ? where row = 3", b)
        self.sql("update person set body = ? where row = 4", a)
        self.found("chain", "row 3")

    def test_versions_of_another(self):
        (a,), (b,) = self.sql("select body from source_key where row in (3, 4)")
        self.sql("update source_key set body = ? where row = 3", b)
        self.sql("update source_key set body = ? where row = 4", a)
        self.found("claims", "holds")

    def test_phantom_record(self):
        stored = {h["seq"] for h in self.history if h["op"] == "ack" and h["outcome"] == "APPLIED"}
        ack = next(h for h in self.history if h["op"] == "ack" and h["seq"] in stored)
        name = ("dataset", "key", "version", "void")
        self.history = [h for h in self.history if any(h[k] != ack[k] for k in name)]
        self.found("phantom", "nobody sent")

    def test_lost_record(self):
        ack = next(h for h in self.history if h["op"] == "ack" and h["outcome"] == "APPLIED")
        self.history.append({**ack, "key": "never-stored"})
        self.history.append({**ack, "op": "sent", "key": "never-stored"})
        self.found("lost")

    def test_acknowledged_beyond_the_head(self):
        ack = next(h for h in self.history if h["op"] == "ack" and h["outcome"] == "APPLIED")
        self.history.append({**ack, "seq": 10 ** 9})
        self.found("lost", "head")

    def test_event_twice(self):
        self.changes.append(self.changes[5])
        self.found("topic", "twice")

    def test_event_skipped(self):
        del self.changes[7]
        self.found("topic", "was not published")

    def test_events_reordered(self):
        places = {}
        for i, m in enumerate(self.changes):
            places.setdefault(m["key"], []).append(i)
        a, b = next(p[:2] for p in places.values() if len(p) > 1)
        self.changes[a], self.changes[b] = self.changes[b], self.changes[a]
        self.found("topic", "stands after")

    def test_event_of_nobody(self):
        m = dict(self.changes[0])
        m["sequence"] = self.sql("select seq from log where effect is null and seq > 1 limit 1")[0][0]
        m["id"] = m["id"].split("-")[0] + f"-{m['sequence']}"
        self.changes.append(m)
        self.found("phantom", "no entry of the log")

    def test_old_state(self):
        m = dict(self.state[0])
        m["version"] += 100
        self.state.append(m)
        self.found("topic", "state topic")


if __name__ == "__main__":
    harness.main()
