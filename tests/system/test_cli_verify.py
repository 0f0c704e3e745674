#!/usr/bin/python3
"""`eldergate log verify`: it finds every way in which a data directory was altered, names the first wrong entry, and changes
nothing. The alterations are made with SQLite's own library, by one who knows the tables and not the keys; some of them are
made consistent as far as that goes."""
import base64
import hashlib
import os
import shutil
import sqlite3
import tempfile
import unittest

import harness
from cli import User, run, write_csv
from test_cli import HEADER, row

PERSONS = 400


def leaf_data(header, claim, effect):
    part = lambda p: p[:32] if p else bytes(32)
    return hashlib.sha256(b"eldergate/leaf/v1\n" + len(header).to_bytes(4, "big") + header + part(claim) + part(effect)).digest()


def digest_of(folder):
    found = {}
    for path, _, files in os.walk(folder):
        for name in files:
            file = os.path.join(path, name)
            stat = os.stat(file)
            if not os.path.isfile(file):
                continue  # the socket that a kill leaves
            with open(file, "rb") as f:
                found[file] = (hashlib.sha256(f.read()).digest(), stat.st_mtime_ns, stat.st_uid, stat.st_mode)
    return found


class Verify(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp(prefix="eldergate-verify-")
        cls.gateway = harness.Gateway({"writer.checkpoint": "50ms"}).start()
        do = User(cls.gateway)
        rows = [row(f"V-{i}", 1, i + 1) for i in range(PERSONS)]
        path = write_csv(os.path.join(cls.place, "v.csv"), HEADER, *rows)
        told = do("submit", path, "--dataset", "registration", "--json").json()[0]
        assert told["outcomes"]["APPLIED"] == PERSONS, told
        cls.kept = os.path.join(cls.place, "kept.checkpoint")
        harness.until(lambda: int(do("log", "checkpoint", "--json").json()[0]["tree_size"]) > PERSONS, "a checkpoint")
        assert do("log", "checkpoint", "--out", cls.kept).status == 0
        path = write_csv(os.path.join(cls.place, "w.csv"), HEADER,
                         *(row(f"V-{i}", 2, i + 1, region="330304") for i in range(0, PERSONS, 3)),
                         row("V-1", 1, 2, operation="VOID"), row("V-2", 1, 3, name="\u53e6\u4e00"),
                         row("V-x", 1, 1, name="\u522b\u4eba"))
        assert do("submit", path, "--dataset", "registration").status == 0
        # Beneath the newest checkpoint nothing is left, and one is there for every commit.
        assert cls.gateway.stop() == 0
        cls.data = cls.gateway.data
        with sqlite3.connect(os.path.join(cls.data, "eldergate.db")) as db:
            cls.head = db.execute("SELECT max(seq) FROM log").fetchone()[0]
        db.close()
        assert cls.head > 512

    @classmethod
    def tearDownClass(cls):
        cls.gateway.__exit__()
        shutil.rmtree(cls.place)

    def verify(self, data, *more):
        return run("log", "verify", "--data", data, *more)

    def altered(self, change, expected, *more):
        """A copy in which change(db) was done: the verdict must hold the text. What change returns fills the text."""
        copy = os.path.join(self.place, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.data, copy, ignore=shutil.ignore_patterns("reserve", "*.sock"))
        db = sqlite3.connect(os.path.join(copy, "eldergate.db"))
        filled = change(db)
        db.commit()
        db.close()
        r = self.verify(copy, *more)
        self.assertEqual((r.status, r.out), (70, ""), (change.__name__, r))
        self.assertIn(expected.format(filled), r.err, change.__name__)

    def flip(self, table, column, where, at=-1):
        def change(db):
            value = db.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
            value = bytearray(value if isinstance(value, bytes) else value.encode())
            value[at] ^= 1
            db.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(value),))
        change.__name__ = f"flip {table}.{column} where {where} at {at}"
        return change

    def test_good(self):
        before = digest_of(self.data)
        r = self.verify(self.data, "--json")
        self.assertEqual(r.status, 0, r)
        told = r.json()[0]
        self.assertEqual((told["entries"], told["persons"], told["views"]), (self.head, PERSONS + 1, PERSONS + 1), told)
        self.assertGreater(told["checkpoints"], 1)
        self.assertGreater(told["tiles"], 1)
        self.assertEqual(digest_of(self.data), before)
        self.assertIn("the log verifies", self.verify(self.data, "--checkpoint", self.kept).out)
        key = run("log", "key", "--data", self.data).out.strip()
        self.assertEqual(self.verify(self.data, "--vkey", key, "--checkpoint", self.kept).status, 0)
        # the printed root, recomputed here by RFC 6962
        db = sqlite3.connect(os.path.join(self.data, "eldergate.db"))
        leaves = [hashlib.sha256(b"\0" + row[0]).digest() for row in db.execute("SELECT leaf FROM log ORDER BY seq")]
        db.close()

        def root(hashes):
            if len(hashes) == 1:
                return hashes[0]
            k = 1 << (len(hashes) - 1).bit_length() - 1
            return hashlib.sha256(b"\1" + root(hashes[:k]) + root(hashes[k:])).digest()
        self.assertEqual(root(leaves).hex(), told["root"])

    def test_a_flipped_byte_anywhere_in_an_entry(self):
        for seq in (2, 100, 256, 257, self.head - 1):
            for column, at in (("header", -1), ("header", 20), ("claim", 0), ("claim", 40), ("claim", -1), ("effect", 5),
                               ("effect", -1), ("leaf", 31)):
                with sqlite3.connect(os.path.join(self.data, "eldergate.db")) as db:
                    there = db.execute(f"SELECT length({column}) FROM log WHERE seq = {seq}").fetchone()[0]
                db.close()
                if there:
                    self.altered(self.flip("log", column, f"seq = {seq}", at), f"entry {seq}: ")

    def forge(self, seq):
        """Another header, and the leaf that follows from it: consistent by itself."""
        def change(db):
            header, claim, effect = db.execute("SELECT header, claim, effect FROM log WHERE seq = ?", (seq,)).fetchone()
            forged = header.replace(b"v.csv-", b"u.csv-").replace(b"w.csv-", b"u.csv-")  # the name of the batch
            assert forged != header
            db.execute("UPDATE log SET header = ?, leaf = ? WHERE seq = ?", (forged, leaf_data(forged, claim, effect), seq))
        return change

    def test_forged_headers_with_their_leaves(self):
        self.altered(self.forge(300), "entry 300: ")  # the stored tile tells
        self.altered(self.forge(self.head - 1), "entry ")  # beyond the last full tile: a checkpoint does

        def tile_too(db):
            self.forge(300)(db)
            leaf = db.execute("SELECT leaf FROM log WHERE seq = 300").fetchone()[0]
            tile = bytearray(db.execute("SELECT hashes FROM tile WHERE id = 1").fetchone()[0])
            tile[43 * 32:44 * 32] = hashlib.sha256(b"\0" + leaf).digest()
            db.execute("UPDATE tile SET hashes = ? WHERE id = 1", (bytes(tile),))
        self.altered(tile_too, "entry ")

        def checkpoints_gone(db):
            tile_too(db)
            db.execute("DELETE FROM checkpoint")
        self.altered(checkpoints_gone, "kept checkpoint", "--checkpoint", self.kept)

    def test_missing_and_moved_entries(self):
        def gap(db):
            db.execute("DELETE FROM log WHERE seq = 77")
        self.altered(gap, "entry 77: it is missing")

        def cut(db):
            db.execute("DELETE FROM log WHERE seq > ?", (self.head - 3,))
        self.altered(cut, f"entry {self.head - 2}: it is missing: a checkpoint states {self.head} entries")

        def cut_whole(db):
            cut(db)
            db.execute("DELETE FROM checkpoint WHERE size > ?", (self.head - 3,))
        self.altered(cut_whole, "")  # the persons know of later entries

        def swap(db):
            a, b = (db.execute("SELECT header, claim, effect, leaf FROM log WHERE seq = ?", (s,)).fetchone() for s in (50, 51))
            db.execute("UPDATE log SET header = ?, claim = ?, effect = ?, leaf = ? WHERE seq = 50", b)
            db.execute("UPDATE log SET header = ?, claim = ?, effect = ?, leaf = ? WHERE seq = 51", a)
        self.altered(swap, "entry 50: log entry 50 says that it is 51")

        def claims(db):
            a, b = (db.execute("SELECT claim FROM log WHERE seq = ?", (s,)).fetchone() for s in (50, 51))
            db.execute("UPDATE log SET claim = ? WHERE seq = 50", b)
            db.execute("UPDATE log SET claim = ? WHERE seq = 51", a)
        self.altered(claims, "entry 50: ")

        def leap(db):
            db.execute("UPDATE log SET seq = ? WHERE seq = ?", (1 << 62, self.head))
        self.altered(leap, f"entry {self.head}: it is missing; the next one there is {1 << 62}")

        def empty(db):
            db.execute("DELETE FROM log")
        self.altered(empty, "entry 1: it is missing")

    def test_tiles_and_checkpoints(self):
        self.altered(self.flip("tile", "hashes", "id = 0", 7 * 32), "entry 8: its leaf is not the one in the stored tile 0/0")

        def no_tile(db):
            db.execute("DELETE FROM tile WHERE id = 1")
        self.altered(no_tile, "tile 0/1 is missing")

        def other_root(db):
            size, note = db.execute("SELECT size, note FROM checkpoint ORDER BY size DESC LIMIT 1").fetchone()
            note = note.decode() if isinstance(note, bytes) else note
            lines = note.split("\n")
            lines[2] = base64.b64encode(bytes(32)).decode()
            db.execute("UPDATE checkpoint SET note = ? WHERE size = ?", ("\n".join(lines), size))
            return size
        self.altered(other_root, "the checkpoint of size {} bears no good signature")

    def test_persons(self):
        with sqlite3.connect(os.path.join(self.data, "eldergate.db")) as db:
            last = db.execute("SELECT last_seq FROM person WHERE row = 5").fetchone()[0]
            rows = db.execute("SELECT count(*) FROM person").fetchone()[0]
        db.close()
        self.altered(self.flip("person", "body", "row = 5"), f"entry {last}: ")

        def version(db):
            db.execute("UPDATE person SET version = version + 1 WHERE row = 5")
        self.altered(version, f"entry {last}: ")

        def last_seq(db):
            db.execute("UPDATE person SET last_seq = last_seq - 1 WHERE row = 5")
        self.altered(last_seq, f"entry {last - 1}: the person that it is the last entry of (row 5)")

        def gone(db):
            db.execute("DELETE FROM person WHERE row = ?", (rows,))
        self.altered(gone, "a person is missing, or a chain forks")

        def bodies(db):
            a, b = (db.execute("SELECT id, version, last_seq, body FROM person WHERE row = ?", (r,)).fetchone() for r in (5, 6))
            db.execute("UPDATE person SET body = ? WHERE row = 5", (b[3],))
            db.execute("UPDATE person SET body = ? WHERE row = 6", (a[3],))
        self.altered(bodies, f"entry {last}: ")

    def drop_newest_source(self, db):
        """With the keys that lead to it: nothing that is left speaks of it but the log."""
        newest = db.execute("SELECT max(row) FROM source_key").fetchone()[0]
        db.execute("DELETE FROM alias WHERE source = ?", (newest,))
        db.execute("DELETE FROM source_key WHERE row = ?", (newest,))

    def test_sources(self):
        self.altered(self.drop_newest_source, "no source record has its claim")
        self.altered(self.flip("source_key", "body", "row = 7", 3), "the source record of row 7: ")
        self.altered(self.flip("source_key", "body", "row = 7", 100), "source record of row 7")

        def other_person(db):
            db.execute("UPDATE source_key SET person = 1 WHERE row = 7")
        self.altered(other_person, "has an effective claim that its person does not hold")

        def no_alias(db):
            db.execute("DELETE FROM alias WHERE source = 9")
        self.altered(no_alias, "the source record of row 9 is missing in the index of join keys")

        def more_aliases(db):
            db.execute("INSERT INTO alias (key, source) VALUES (?, 9)", (bytes(24),))
        self.altered(more_aliases, "the index of join keys has")

    def test_cases(self):
        self.altered(self.flip("case_file", "body", "row = 1"), "entry ")

        def gone(db):
            db.execute("DELETE FROM case_file WHERE row = 1")
        self.altered(gone, "")  # its persons list it, or the log tells of it

        def closed(db):
            db.execute("UPDATE case_file SET state = 2, closed = opened + 1 WHERE state = 1")
        self.altered(closed, "")

        def other_entry(db):
            db.execute("UPDATE case_file SET opened = opened - 1 WHERE row = 1")
            return db.execute("SELECT opened FROM case_file WHERE row = 1").fetchone()[0]
        self.altered(other_entry, "entry {}: the case of row 1 says that it opened it, and it does not")

        def kind(db):
            db.execute("UPDATE case_file SET kind = 2 WHERE kind = 1")
        self.altered(kind, "is stored as another kind than its body says")

        def ids(db):
            db.execute("UPDATE case_file SET id = ? WHERE row = 1", (bytes(16),))
        self.altered(ids, "entry ")

    def test_rejects(self):
        def value(column, new):
            def change(db):
                db.execute(f"UPDATE reject SET {column} = ?", (new,))
                return db.execute("SELECT min(seq) FROM reject").fetchone()[0]
            change.__name__ = f"reject.{column}"
            return change
        for column, new, expected in (("version", 99, "another agency, dataset or version"),
                                      ("agency", "nobody", "another agency, dataset or version"),
                                      ("source", bytes(16), "another source record"), ("digest", bytes(16), "another digest")):
            self.altered(value(column, new), "entry {}: its reject is of " + expected if column != "digest" else
                         "entry {}: its reject has " + expected)

        def gone(db):
            db.execute("DELETE FROM reject")
        self.altered(gone, "the log has set 1 records aside, and 0 of them have a reject")

        def of_another(db):
            db.execute("UPDATE reject SET seq = 5")
        self.altered(of_another, "entry 5: its reject waits for its sender, and it set nothing aside")

    def test_links_and_lags(self):
        def link(db):
            a, b = (r[0] for r in db.execute("SELECT token FROM source_key ORDER BY token LIMIT 2"))
            db.execute("INSERT INTO link (a, b, kind, seq) VALUES (?, ?, 1, 7)", (a, b))
        self.altered(link, "entry 7: the link of row 1 names it, and it is no decision")

        def behind_a_gap(db):
            a, b = (r[0] for r in db.execute("SELECT token FROM source_key ORDER BY token LIMIT 2"))
            db.execute("INSERT INTO link (row, a, b, kind, seq) VALUES (2, ?, ?, 1, 7)", (a, b))
        self.altered(behind_a_gap, "1 links are stored, and their rows run from 1 to 0")

        def lag(db):
            db.execute("INSERT INTO lag (person, since) VALUES (3, 5)")
            return db.execute("SELECT last_seq FROM person WHERE row = 3").fetchone()[0]
        self.altered(lag, "entry {}: the police lag behind the person of row 3, or do not, other than")

        def nobody(db):
            db.execute("INSERT INTO lag (person, since) VALUES (100000, 5)")
        self.altered(nobody, "1 lags are stored, and 0 persons have one")

    def test_another_key(self):
        self.assertEqual(self.verify(self.data, "--vkey", "nonsense").status, 64)
        with harness.Gateway() as other:
            self.assertEqual(other.stop(), 0)
            theirs = run("log", "key", "--data", other.data).out.strip()
        r = self.verify(self.data, "--vkey", theirs)
        self.assertEqual(r.status, 70, r)
        self.assertIn("bears no good signature", r.err)
        copy = os.path.join(self.place, "rekeyed")
        shutil.copytree(self.data, copy, ignore=shutil.ignore_patterns("*.sock"))
        with open(os.path.join(copy, "root.key"), "wb") as f:
            f.write(os.urandom(32))
        self.assertEqual(self.verify(copy).status, 70)
        os.remove(os.path.join(copy, "root.key"))
        self.assertIn(self.verify(copy).status, (66, 74))

    def test_while_the_daemon_runs_and_after_a_kill(self):
        with harness.Gateway() as gateway:
            do = User(gateway)
            path = write_csv(os.path.join(gateway.place, "x.csv"), HEADER, *(row(f"X-{i}", 1, i + 1) for i in range(100)))
            told = do("submit", path, "--dataset", "registration", "--json").json()[0]
            self.assertEqual(told["outcomes"]["APPLIED"], 100)
            self.assertEqual(self.verify(gateway.data).status, 75)
            gateway.kill()
            self.assertTrue(os.path.getsize(os.path.join(gateway.data, "eldergate.db-wal")) > 0)
            before = digest_of(gateway.data)
            r = self.verify(gateway.data, "--json")
            self.assertEqual(r.status, 0, r)
            self.assertGreaterEqual(r.json()[0]["entries"], 101)  # what is still in the WAL counts
            self.assertEqual(digest_of(gateway.data), before)


if __name__ == "__main__":
    harness.main()
