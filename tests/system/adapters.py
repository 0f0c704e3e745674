"""adapters: the template adapter over a folder of its own: rows in rows.txt, changes in changes.txt.

    adapter = adapters.Adapter(gateway, key)
    adapter.append(adapters.rows(3))
    adapter.once()
"""
import json
import os
import queue
import struct
import subprocess
import sys
import threading

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
from people import Person

TEMPLATE = os.path.join(harness.BUILD, "eldergate-template")
MAPPING = """mapping: 1
agency: {agency}
dataset: household
section: registration
state: state
gateway: {{address: "{address}", server_key: "{server_key}", key_file: "{key_file}", heartbeat: 2s}}
agent: {{batch_records: {batch}, backoff_least: 20ms, backoff_most: 200ms, slow_retry: 1s, status_interval: 50ms,
         grace: 20s, patience: 20s}}
connector: lines
source: {{path: "{place}/rows.txt", columns: [KEY, VERSION, ID_NO, NAME, STATE]}}
rows: {{key: KEY, version: VERSION}}
fields:
  id_number: ID_NO
  name: NAME
  registration_status: {{column: STATE, codes: {{"1": NORMAL, "3": CANCELLED_DEATH, "9": RESTORED}}}}
"""
OUTBOUND = """outbound:
  purpose: sync
  snapshot: {snapshot}
  target: {{path: "{place}/changes.txt"}}
  columns: {{SEQ: seq, KIND: kind, PERSON: person_ref, LIFE: life_after, NAME: registration.name}}
"""


class Row:
    """One line of rows.txt, of a generated person."""

    def __init__(self, rng, number, version=1, state="1"):
        self.person = Person(rng, number)
        self.key, self.version, self.state = f"K-{number}", version, state

    def line(self):
        return f"{self.key}\t{self.version}\t{self.person.id}\t{self.person.name}\t{self.state}\n"


class Adapter:
    program = TEMPLATE

    def __init__(self, gateway, key, name="registry", batch=20, outbound=False, snapshot=False):
        self.place = os.path.join(gateway.place, f"adapter-{name}")
        os.makedirs(self.place)
        self.gateway, self.process, self.rows, self.batch = gateway, None, [], batch
        self.agency = name
        self.mapping = self.path("mapping.yaml")
        self.status_path = self.path("status.json")
        self.write_mapping(key, outbound, snapshot)
        open(self.path("rows.txt"), "w", encoding="utf-8").close()

    def path(self, name):
        return os.path.join(self.place, name)

    def write_mapping(self, key, outbound, snapshot):
        text = MAPPING + (OUTBOUND if outbound else "")
        with open(self.mapping, "w", encoding="utf-8") as f:
            f.write(text.format(agency=self.agency, address=self.gateway.tcp, server_key=self.gateway.server_key,
                                key_file=key.file, place=self.place, batch=self.batch,
                                snapshot="true" if snapshot else "false"))

    def append(self, rows):
        self.rows += rows
        with open(self.path("rows.txt"), "a", encoding="utf-8") as f:
            f.write("".join(r.line() for r in rows))

    def start(self, command="run", env=None):
        self.events = queue.Queue()
        if os.path.exists(self.status_path):
            os.unlink(self.status_path)
        self.process = subprocess.Popen(
            [self.program, "-m", self.mapping, "--status-file", self.status_path, command],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env={**os.environ, **(env or {})})
        threading.Thread(target=self._read, args=(self.process, self.events), daemon=True).start()

    def _read(self, process, events):
        with open(self.path("log.json"), "a", encoding="utf-8") as log:
            for line in process.stderr:
                log.write(line)
                log.flush()
                if line.startswith("{"):
                    events.put(json.loads(line))
        process.stderr.close()
        events.put(None)

    def log(self, since=0):
        """Its text, from a byte of it on."""
        with open(self.path("log.json"), "rb") as f:
            f.seek(since)
            return f.read().decode(errors="replace")

    def logged(self):
        """How many bytes that is by now."""
        return os.path.getsize(self.path("log.json"))

    def wait(self, seconds=harness.PATIENCE):
        return self.process.wait(seconds)

    def once(self, env=None):
        """Runs until it has taken all; the exit status."""
        self.start("once", env)
        return self.wait()

    def stop(self):
        self.process.terminate()
        return self.wait()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.wait()

    def command(self, *words):
        done = subprocess.run([self.program, "-m", self.mapping, *words], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def status(self):
        try:
            with open(self.status_path, encoding="utf-8") as f:
                return json.load(f)
        except FileNotFoundError:
            return {}

    # ---- what is durable ----

    def checkpoint(self):
        """Name to value, as adapters/common/checkpoint.c lays them out."""
        try:
            with open(self.path("state/checkpoint"), "rb") as f:
                text = f.read()
        except FileNotFoundError:
            return {}
        at, out = 24 + 32 + 4, {}
        for _ in range(struct.unpack_from(">I", text, 24 + 32)[0]):
            size, = struct.unpack_from(">H", text, at)
            name = text[at + 2:at + 2 + size].decode()
            at += 2 + size
            size, = struct.unpack_from(">I", text, at)
            out[name] = text[at + 4:at + 4 + size]
            at += 4 + size
        return out

    def settled(self):
        """How many rows the source's mark covers."""
        position = struct.unpack("<q", self.checkpoint().get("source/position", bytes(8)))[0]
        with open(self.path("rows.txt"), "rb") as f:
            return f.read(position).count(b"\n")

    def changes(self):
        """The lines of changes.txt: (event id, seq, kind, person, life, name)."""
        try:
            with open(self.path("changes.txt"), encoding="utf-8") as f:
                return [tuple(line.rstrip("\n").split("\t")) for line in f if line.endswith("\n")]
        except FileNotFoundError:
            return []

    def told(self):
        """The changes that it was told of, in order: (event id, seq, person)."""
        return [(event, int(seq), person) for event, seq, _, person, _, _ in self.changes()]

    def history(self):
        """For the checker: everything that may have been sent, and what the mark says was acknowledged."""
        def line(op, row, **more):
            return {"op": op, "agency": self.agency, "dataset": "household", "key": row.key, "version": row.version,
                    "revision": 1, "void": False, **more}
        return [line("sent", r) for r in self.rows] + [
            line("ack", r, outcome="UNCHANGED", seq=1) for r in self.rows[:self.settled()]]
