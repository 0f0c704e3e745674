#!/usr/bin/python3
"""checker: judges a gateway after a crash test, from what clients saw, the store's file and the Kafka topics.

It shares no code with the daemon: it reads the SQLite file itself and unseals by gateway/FORMAT.md. It finds
  lost        acknowledged, but not stored as acknowledged
  phantom     stored or published, but never sent
  log         gaps, altered leaves, wrong tiles, wrong roots or signatures, bodies that do not open
  chain       a person's entries that do not follow one another, or do not end where the person's row says
  claims      source keys whose person does not hold what their versions make effective
  topic       events missing, twice, out of order per person, or not those of the log
The data directory is copied first; the original is never touched.

usage: checker.py DATA [--history FILE]... [--changes FILE] [--state FILE] [--published SEQ]
HISTORY: JSON lines {"op": "sent"|"ack", "agency", "dataset", "key", "version", "revision", "void", "outcome", "seq"},
and of each full list {"op": "list", "agency", "dataset", "as_of", "keys"}: a key may be withdrawn only by one that lacks it.
CHANGES, STATE: JSON lines {"key", "sequence", "version", "id", "kind"} in topic order per partition, "partition" too.
"""
import argparse
import base64
import collections
import hashlib
import json
import os
import shutil
import sqlite3
import struct
import sys
import tempfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from canon import Fault, Tree, Vault, leaf_data, number, one, table  # noqa: E402

START, CHANGE, EFFECT, UNCHANGED, STALE, QUARANTINE = 1, 2, 3, 4, 5, 6
DECISION = 11
ASSERT, VOID, WITHDRAW = 1, 2, 3
CREATED = 1  # kind of an event
MOST_FAULTS = 50


class Checker:
    def __init__(self, data):
        self.faults = []
        self.place = tempfile.TemporaryDirectory(prefix="eldergate-check-")
        for name in ("eldergate.db", "eldergate.db-wal", "root.key"):
            if os.path.exists(os.path.join(data, name)):
                shutil.copy(os.path.join(data, name), self.place.name)
        self.db = sqlite3.connect(os.path.join(self.place.name, "eldergate.db"))
        with open(os.path.join(self.place.name, "root.key"), "rb") as f:
            root = f.read()
        self.vault = Vault(root, dict(self.db.execute("select name, wrapped from key")))
        self.log_id = self.db.execute("select value from meta where name = 'log_id'").fetchone()[0]
        self.chains = {}  # person id -> (version, seq)
        self.events = []  # (seq, person, version, kind) of every entry that is an event
        self.claims = {}  # seq -> (source token, version, revision, operation, claim part)
        self.tokens = set()  # source keys with a claim so far
        self.confirmed = set()  # (token, version, revision) told as unchanged
        self.holds = {}  # source token -> seq of the claim that a person holds

    def fault(self, kind, text):
        self.faults.append(f"{kind}: {text}")
        if len(self.faults) >= MOST_FAULTS:
            raise Fault("too many faults; the rest is not listed")

    # ---- the log ----

    def check_log(self):
        for row in self.db.execute("pragma integrity_check"):
            if row[0] != "ok":
                self.fault("log", f"the file is damaged: {row[0]}")
        tree, last_time, expected = Tree(), 0, 1
        checkpoints = {size: note for size, note in self.db.execute("select size, note from checkpoint")}
        for seq, header, claim, effect, leaf in self.db.execute(
                "select seq, header, claim, effect, leaf from log order by seq"):
            if seq != expected:
                self.fault("log", f"entry {expected} is missing")
                expected = seq
            expected += 1
            try:
                last_time = self.check_entry(seq, header, claim, effect, leaf, last_time)
            except Fault as f:
                self.fault("log", f"entry {seq}: {f}")
            tree.append(leaf_data(header, claim, effect))
            if seq in checkpoints:
                self.check_note(checkpoints.pop(seq), seq, tree.root())
        for size in checkpoints:
            if size:
                self.fault("log", f"a checkpoint of size {size} is beyond the log's head {expected - 1}")
        tiles = 0
        for tile_id, hashes in self.db.execute("select id, hashes from tile"):
            tiles += 1
            if tree.tile(tile_id >> 48, tile_id & (1 << 48) - 1) != hashes:
                self.fault("log", f"tile level {tile_id >> 48} index {tile_id & (1 << 48) - 1} is not the tree's")
        wanted = sum(len(h) // 256 for h in tree.levels.values())
        if tiles != wanted:
            self.fault("log", f"{tiles} full tiles are stored, {wanted} belong to {tree.size} entries")
        self.head = expected - 1

    def check_entry(self, seq, header, claim, effect, leaf, last_time):
        t = table(header)
        kind, time, entry_id = one(t, 3, int), one(t, 2, int, 0), one(t, 4)
        if one(t, 1, int) != seq:
            raise Fault("its header has another number")
        if time < last_time:
            raise Fault("its time is before its predecessor's")
        if (seq == 1) != (kind == START) or (kind == START and one(t, 16) != self.log_id):
            raise Fault("a log begins with one START of its own id")
        if leaf_data(header, claim, effect) != leaf:
            raise Fault("its leaf is not that of its header and commitments")
        claim_part = self.vault.open_part(claim, entry_id, kind, "claim")
        effect_part = self.vault.open_part(effect, entry_id, kind, "effect")
        if kind in (CHANGE, STALE, QUARANTINE):
            self.note_claim(seq, t, claim_part)
        elif kind == UNCHANGED and claim_part:
            for nested in table(claim_part).get(1, []):
                n = table(nested)
                if one(n, 4) is not None:  # else an absence
                    self.confirmed.add((one(n, 1), one(n, 2, int), one(n, 3, int, 0)))
        if effect_part:
            self.note_effect(seq, table(effect_part))
        return time

    def token_of(self, agency, dataset, key):
        return self.vault.token("source-key", agency.encode(), dataset.encode(), key.encode())

    def note_claim(self, seq, header, part):
        if part is None:
            raise Fault("it has no claim part")
        c = table(part)
        if one(c, 1, str) != one(header, 5, str):
            raise Fault("its claim is of another agency than its header")
        token = self.token_of(one(c, 1, str), one(c, 2, str), one(c, 3, str, ""))
        self.tokens.add(token)
        self.claims[seq] = (token, one(c, 5, int), one(c, 6, int, 0), one(c, 7, int), part)

    def note_effect(self, seq, e):
        person = one(e, 1)
        if person is None:
            return
        version, previous = one(e, 2, int), one(e, 3, int, 0)
        last_version, last_seq = self.chains.get(person, (0, 0))
        if version != last_version + 1 or previous != last_seq:
            self.fault("chain", f"entry {seq}: version {version} after {previous}, "
                                f"but the person stood at version {last_version} of entry {last_seq}")
        self.chains[person] = (version, seq)
        kind = one(e, 4, int, 0)
        if not kind:
            self.fault("chain", f"entry {seq}: a person's version without an event")
        if kind == CREATED and not e.get(13):
            self.fault("phantom", f"entry {seq}: a person made of no source key")
        for token in set(e.get(13, [])) - self.tokens:
            self.fault("phantom", f"entry {seq}: a source key joined of which the log has no claim")
        self.events.append((seq, person, version, kind))

    def check_note(self, note, size, root):
        try:
            if isinstance(note, bytes):
                note = note.decode()
            text, signatures = note.split("\n\n", 1)
            origin, said_size, said_root = text.split("\n")[:3]
            if int(said_size) != size or base64.b64decode(said_root) != root:
                raise Fault("its root is not that of the entries")
            key = self.vault.checkpoint_key()
            want = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
            for line in signatures.splitlines():
                mark, name, value = line.split(" ")
                raw = base64.b64decode(value)
                if mark == "\u2014" and name == origin and raw[:4] == want:
                    Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], (text + "\n").encode())
                    return
            raise Fault("it has no signature of this gateway")
        except (Fault, ValueError, InvalidSignature) as f:
            self.fault("log", f"checkpoint of size {size}: {f or 'its signature is wrong'}")

    # ---- persons and source keys ----

    def check_persons(self):
        rows = {}
        for row, person, version, last_seq, body in self.db.execute(
                "select row, id, version, last_seq, body from person"):
            rows[row] = person
            if self.chains.get(person) != (version, last_seq):
                self.fault("chain", f"person row {row} stands at version {version} of entry {last_seq}, "
                                    f"its entries end at {self.chains.get(person)}")
            try:
                p = table(self.vault.open(body, person + struct.pack(">Q", version) + b"person"))
                if one(p, 1) != person or one(p, 2, int) != version:
                    raise Fault("its body is another's")
                for nested in p.get(10, []):
                    n = table(nested)
                    self.check_held(one(n, 1), one(n, 2, int), one(n, 3))
                    self.holds[one(n, 1)] = one(n, 2, int)
            except Fault as f:
                self.fault("chain", f"person row {row}: {f}")
        for person in set(self.chains) - set(rows.values()):
            self.fault("phantom", f"entry {self.chains[person][1]}: its person is in no row")

    def check_held(self, token, seq, claim):
        stored = self.claims.get(seq)
        if stored is None or stored[0] != token:
            raise Fault(f"it holds a claim that entry {seq} does not have")
        if stored[4] != claim:
            raise Fault(f"it holds a claim that differs from entry {seq}")

    def versions(self):
        """{(token, version, revision): (asserted, void, withdrawn seq)} of table source_key."""
        out = {}
        for token, body in self.db.execute("select token, body from source_key"):
            for nested in table(body).get(4, []):
                n = table(nested)
                out[token, one(n, 1, int), one(n, 2, int, 0)] = tuple(one(n, tag, int, 0) for tag in (4, 5, 9))
        return out

    def check_sources(self):
        """The highest version that is not void says what the person holds: what was asserted, or, withdrawn, nothing."""
        tops, slots = {}, self.versions()
        for (token, version, revision), (asserted, void, withdrawn) in sorted(slots.items()):
            if (asserted or withdrawn) and not void:
                tops[token] = asserted
            said = self.claims.get(withdrawn, (None, 0, 0, 0))  # by this list, or an older one: it is absent still
            if withdrawn and (revision or said[0] != token or said[1] > version or said[3] != WITHDRAW):
                self.fault("claims", f"a version is withdrawn by entry {withdrawn}, which does not say so")
        for token in set(tops) | set(self.holds):
            if (tops.get(token) or None) != self.holds.get(token):
                self.fault("claims", f"entry {tops.get(token)} is the effective claim of a source key, but its person "
                                     f"holds {self.holds.get(token)}")
        for seq, (token, version, revision, operation, _) in self.claims.items():
            if operation == WITHDRAW and slots.get((token, version, revision), (0, 0, 0))[2] != seq:
                self.fault("claims", f"entry {seq} withdraws a source key that does not know of it")

    # ---- what clients saw ----

    def check_history(self, lines):
        sent, versions, lists = set(), self.versions(), []
        for h in lines:
            if h["op"] == "list":
                keys = {self.token_of(h["agency"], h["dataset"], k) for k in h["keys"]}
                lists.append((h["agency"], h["dataset"], h["as_of"], keys))
                continue
            token = self.token_of(h["agency"], h["dataset"], h["key"])
            name = (token, h["version"], h.get("revision", 0))
            operation = VOID if h.get("void") else ASSERT
            if h["op"] == "sent":
                sent.add(name + (operation,))
                continue
            self.check_ack(h, name, operation, versions)
        for seq, (token, version, revision, operation, part) in self.claims.items():
            if operation == WITHDRAW:
                c = table(part)
                name = (one(c, 1, str), one(c, 2, str), version)
                if not any(x[:3] == name and token not in x[3] for x in lists):
                    self.fault("phantom", f"entry {seq} withdraws a source key that no list lacks")
            elif (token, version, revision, operation) not in sent:
                self.fault("phantom", f"entry {seq} holds a record that nobody sent")
        for name in self.confirmed:
            if name + (1,) not in sent:
                self.fault("phantom", "a version was confirmed that nobody sent")

    def check_ack(self, h, name, operation, versions):
        outcome, seq = h["outcome"], h["seq"]
        if outcome == "REFUSED":
            return
        if seq > self.head or seq < 1:
            self.fault("lost", f"an acknowledged {outcome} names entry {seq}, the head is {self.head}")
            return
        if outcome != "UNCHANGED" and self.claims.get(seq, (None,) * 4)[:4] != name + (operation,):
            self.fault("lost", f"entry {seq} was acknowledged as {outcome}, but holds something else")
        if outcome in ("APPLIED", "STALE", "UNCHANGED"):
            slots = versions.get(name, (0, 0, 0))
            if not slots[operation - 1]:
                self.fault("lost", f"a version acknowledged as {outcome} (entry {seq}) is not in its source key")

    # ---- topics ----

    def check_topics(self, changes, state, published, repeats=False, moved=False):
        wanted = {seq: (self.vault.ref("kafka", person).hex(), version)
                  for seq, person, version, _ in self.events if seq <= published}
        seen, at = set(), {}
        for m in changes:
            seq, key = m["sequence"], m["key"]
            if m["id"] != f"{self.log_id.hex()}-{seq}":
                self.fault("topic", f"message {seq} has the id of another")
            if seq in seen:
                if not repeats:
                    self.fault("topic", f"event {seq} stands twice")
                at[key] = seq  # a broker without real transactions repeats from a mark on
                continue
            seen.add(seq)
            if seq in wanted and wanted[seq] != (key, m["version"]):
                self.fault("topic", f"event {seq} is not that of the log")
            elif seq not in wanted and seq <= published:
                self.fault("phantom", f"event {seq} is published, but no entry of the log has it")
            place = (key, m["partition"]) if moved else key
            if at.get(place, 0) > seq:
                self.fault("topic", f"event {seq} stands after {at[place]} of the same person")
            at[place] = seq
        for seq in sorted(set(wanted) - seen):
            self.fault("topic", f"event {seq} was not published")
        if state is not None:
            self.check_state(state, published, moved)

    def check_state(self, state, published, moved):
        newest = {}
        for m in state:
            newest[m["key"]] = max(m["version"], newest.get(m["key"], 0) if moved else 0)
        wanted = {}
        for seq, person, version, _ in self.events:
            if seq <= published:
                wanted[self.vault.ref("kafka", person).hex()] = version
        for key in set(wanted) | set(newest):
            if wanted.get(key) != newest.get(key):
                self.fault("topic", f"the state topic ends at version {newest.get(key)} of a person, "
                                    f"the log at {wanted.get(key)}")


def read_lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


def check(data, history=(), changes=None, state=None, published=None, repeats=False, moved=False):
    """Every fault found, as texts; an empty list is a whole gateway.

    repeats: the broker may hold an event twice. moved: persons have changed their partition, and Kafka has an order only
    within one."""
    c = Checker(data)
    try:
        c.check_log()
        c.check_persons()
        c.check_sources()
        if history:
            c.check_history(list(history))
        if changes is not None:
            c.check_topics(changes, state, c.head if published is None else published, repeats, moved)
    except Fault as f:
        c.faults.append(f"log: {f}")
    finally:
        c.db.close()
        c.place.cleanup()
    return c.faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--history", action="append", default=[])
    parser.add_argument("--changes")
    parser.add_argument("--state")
    parser.add_argument("--published", type=int)
    a = parser.parse_args()
    history = [line for path in a.history for line in read_lines(path)]
    faults = check(a.data, history, read_lines(a.changes) if a.changes else None,
                   read_lines(a.state) if a.state else None, a.published)
    for f in faults:
        print(f)
    counts = collections.Counter(f.split(":")[0] for f in faults)
    print("checker: ok" if not faults else f"checker: {len(faults)} faults: {dict(counts)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
