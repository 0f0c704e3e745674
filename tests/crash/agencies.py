"""agencies: an agency with files on an SFTP server, one with tables in a PostgreSQL server, one with an HTTP interface, as
tests/crash/adapters.py kills them: the adapter, or the server under it.

    files = agencies.Files(gateway, key, rng)
    files.add()
    files.start(env={"ELDERGATE_KILL": "file.before_move:1"})
"""
import csv
import glob
import hashlib
import importlib.machinery
import importlib.util
import io
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import adapters
import harness
import observe
import web

from people import REGIONS, Person

HEAD = """mapping: 1
agency: {agency}
dataset: {dataset}
section: registration
state: state
gateway: {{address: "{address}", server_key: "{server_key}", key_file: "{key_file}", heartbeat: 300ms}}
agent: {{batch_records: {batch}, backoff_least: 20ms, backoff_most: 200ms, slow_retry: 1s, status_interval: 50ms,
         grace: 20s, patience: 30s, deliver_events: 25}}
fields:
  id_number: ID_NO
  name: NAME
  registration_status: {{column: STATE, codes: {{"1": NORMAL}}}}
"""
FILES = HEAD + """connector: file
source:
  inbox: {place}/inbox
  name: "R_{{as_of}}_{{sequence:6}}_{{kind}}.csv"
  control: .ctl
  position: date_sequence
  poll: 20ms
  settle: 0s
  retry: 50ms
{sftp}
rows: {{key: KEY, version: file.position}}
outbound:
  purpose: sync
  connector: file
  target: {{outbox: "{place}/outbox", name: "OUT_{{sequence:6}}.csv"}}
  columns: {{SEQ: seq, PERSON: person_ref}}
"""
SFTP = """  sftp_host: 127.0.0.1
  sftp_port: {port}
  sftp_user: {user}
  sftp_known_hosts: {place}/known_hosts
  sftp_key_file: {place}/user
  sftp_folder: {place}/there
  sftp_timeout: {hang}"""
TABLES = HEAD + """connector: table
source:
  connection: "{connection}"
  login_timeout: {hang}
  query_timeout: {hang}
  table: elder
  claim: flag
  key: [ROW_ID]
  flag: FLAG
  version: [VERSION]
  poll: 20ms
  batch: 20
rows: {{key: KEY, version: VERSION}}
outbound:
  purpose: sync
  connector: table
  target:
    connection: "{connection}"
    login_timeout: {hang}
    query_timeout: {hang}
    table: change
    event_id: EVENT_ID
  columns: {{SEQ: seq, PERSON: person_ref}}
"""
PAGES = HEAD + """connector: http
source:
  url: {url}/elders
  plain_http: true
  timeout: {hang}
  query: ["from=${{from}}", "to=${{to}}", "page=${{page}}", "size=${{page_size}}"]
  mode: window
  start: {start}
  time_format: ms
  overlap: 0s
  delay: 0s
  every: 50ms
  page_size: 5
  rows_path: /data/list
  total_path: /data/total
  code_path: /code
  retries: 1
  retry_first: 20ms
rows: {{key: KEY, version: VERSION}}
outbound:
  purpose: sync
  connector: http
  target:
    url: {url}/changes
    plain_http: true
    timeout: {hang}
    body: '{{"id":"${{event_id}}","columns":${{columns}}}}'
    exists_statuses: [409]
    retries: 1
    retry_first: 20ms
  columns: {{SEQ: seq, PERSON: person_ref}}
"""
WITHDRAWN_MOST = 8  # below the shrink guard's floor
SEQUENCES = 1_000_000_000  # position: date, then sequence


def line(op, agency, key, version, **more):
    return {"op": op, "agency": agency, "dataset": agency, "key": key, "version": version, "revision": 1, "void": False,
            **more}


def ack(agency, key, version):
    return line("ack", agency, key, version, outcome="UNCHANGED", seq=1)


class Agency(adapters.Adapter):
    """Its dataset is called as it is. Persons are numbered from `first` on: they meet nobody else's."""
    program = os.path.join(harness.BUILD, "eldergate-police")
    hang = "10s"  # how long a call of the source may take
    regions = REGIONS  # of its persons

    def __init__(self, gateway, key, rng, name, first):
        self.rng, self.first, self.sent = rng, first, []
        self.people, self.left = {}, set()  # key -> person; keys that the source has no more
        self.server = self.make_server()
        super().__init__(gateway, key, name=name, batch=5, outbound=True)

    def newcomers(self, n):
        out = []
        for _ in range(n):
            number = self.first + len(self.people)
            person = Person(self.rng, number, self.regions)
            self.people[f"{self.agency}-{number}"] = person
            out.append(f"{self.agency}-{number}")
        return out

    def values(self, key):
        return key, self.people[key].id, self.people[key].name, "1"

    def rename(self, n):
        """Some persons that are known get another name."""
        stayed = sorted(set(self.people) - self.left)
        keys = self.rng.sample(stayed, min(n, len(stayed)))
        for key in keys:
            self.people[key].name += "改"
        return keys

    def fill(self, template, key, **more):
        with open(self.mapping, "w", encoding="utf-8") as f:
            f.write(template.format(agency=self.agency, dataset=self.agency, address=self.gateway.tcp,
                                    server_key=self.gateway.server_key, key_file=key.file, place=self.place,
                                    batch=self.batch, hang=self.hang, **more))


# ---- files ----


class Sftp:
    """sshd behind a line of its own: whoever kills the line (pid) cuts off every connection at once; the server's own
    processes are then killed too."""
    PROGRAM = "/usr/sbin/sshd"

    def __init__(self):
        self.place = tempfile.mkdtemp(prefix="eg-crash-sftp-")
        self.port, self.inner = observe.free_port(), observe.free_port()
        os.mkdir(self.path("there"))
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        with open(self.path("host.pub"), encoding="ascii") as f, \
                open(self.path("known_hosts"), "w", encoding="ascii") as out:
            out.write(f"[127.0.0.1]:{self.port} " + " ".join(f.read().split()[:2]) + "\n")
        with open(self.path("config"), "w", encoding="ascii") as f:
            f.write(f"Port {self.inner}\nListenAddress 127.0.0.1\nHostKey {self.path('host')}\n"
                    f"AuthorizedKeysFile {self.path('user.pub')}\nPidFile none\nUsePAM no\nStrictModes no\n"
                    "PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
                    "Subsystem sftp internal-sftp\nLogLevel QUIET\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.sshd = self.line = None
        self.start()

    def path(self, name):
        return os.path.join(self.place, name)

    def start(self):
        self.sshd = subprocess.Popen([self.PROGRAM, "-D", "-f", self.path("config")], start_new_session=True)
        self.line = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "line.py"),
                                      str(self.port), str(self.inner)])
        harness.until(self.answers, "the SFTP server")

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                return s.recv(4) == b"SSH-"
        except OSError:
            return False

    @property
    def pid(self):
        return self.line.pid

    def pids(self):
        return [self.line.pid, *tree(self.sshd.pid)]

    def gone(self):
        return self.line.poll() is not None

    def kill(self):
        if not self.sshd:
            return
        self.line.kill()
        self.line.wait()
        for pid in tree(self.sshd.pid):
            signal_if_there(pid, signal.SIGKILL)
        self.sshd.wait()
        self.sshd = None

    def close(self):
        self.kill()
        shutil.rmtree(self.place, ignore_errors=True)


def tree(pid):
    """A process and those that come from it, the youngest first."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [each for child in f.read().split() for each in tree(int(child))] + [pid]
    except (FileNotFoundError, ProcessLookupError):
        return []


def signal_if_there(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class Files(Agency):
    DAY = 20260301

    def make_server(self):
        self.sequence, self.lists = 0, []
        return Sftp()

    def write_mapping(self, key, outbound, snapshot):
        for folder in ("inbox", "outbox"):
            os.makedirs(self.path(folder), exist_ok=True)
        self.fill(FILES, key, sftp=SFTP.format(port=self.server.port, place=self.server.place, hang=self.hang,
                                               user=pwd.getpwuid(os.getuid()).pw_name))

    def upload(self, kind, keys):
        self.sequence += 1
        name = f"R_{self.DAY}_{self.sequence:06}_{kind}.csv"  # fetched in the order of their names
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\r\n")
        out.writerow(["KEY", "ID_NO", "NAME", "STATE"])
        out.writerows(self.values(key) for key in keys)
        body = text.getvalue().encode()
        control = f"rows={len(keys)}\nsize={len(body)}\nsha256={hashlib.sha256(body).hexdigest()}\n".encode()
        for end, what in (("", body), (".ctl", control)):
            path = os.path.join(self.server.path("there"), name + end)
            with open(path + ".part", "wb") as f:
                f.write(what)
            os.rename(path + ".part", path)
        return name, self.DAY * SEQUENCES + self.sequence

    def add(self, n=30):
        keys = self.newcomers(n - 3)
        keys += [key for key in self.rename(3) if key not in keys]
        name, position = self.upload("INC", keys)
        self.sent.append((name, position, keys, keys))

    def add_list(self):
        """Everybody, some of them changed; now and then without one."""
        changed = self.rename(5) + self.newcomers(2)
        stay = sorted(set(self.people) - set(changed) - self.left)
        if stay and len(self.left) < WITHDRAWN_MOST and len(self.lists) % 2:
            self.left.add(stay[0])
        keys = [key for key in self.people if key not in self.left]
        name, position = self.upload("FULL", keys)
        self.sent.append((name, position, keys, changed))
        self.lists.append((position, keys))

    def done(self, name):
        return os.path.exists(self.path(os.path.join("inbox", "done", name)))

    def unsettled(self):
        """What is wrong with the files, each of which must be done, with its report and control file."""
        wrong = [f"{name} is not done" for name, *_ in self.sent if not self.done(name)]
        for name in {name for name, *_ in self.sent if self.done(name)}:
            wrong += [f"no {name}{end}" for end in (".report.csv", ".ctl") if not self.done(name + end)]
        # What was fetched twice is told as repeated, under another name.
        for report in glob.glob(self.path("inbox/done/*.report.csv")):
            with open(report, encoding="utf-8-sig") as f:
                said = [row["outcome"] for row in csv.DictReader(f)]
            if said not in (["done"], ["repeated"]):
                wrong.append(f"{os.path.basename(report)} says {said}")
        wrong += [f"{path} waits" for path in glob.glob(self.path("inbox/R_*"))]
        wrong += [f"{path} is refused" for path in glob.glob(self.path("inbox/refused/*"))]
        wrong += [f"{path} stayed" for folder in ("inbox", "inbox/refused", "inbox/.eldergate", "outbox")
                  for path in glob.glob(self.path(f"{folder}/.*.tmp")) + glob.glob(self.path(f"{folder}/.*.fetch"))]
        return wrong

    def history(self):
        lines = []
        for name, position, keys, changed in self.sent:
            lines += [line("sent", self.agency, key, position) for key in keys]
            if self.done(name):
                lines += [ack(self.agency, key, position) for key in changed]
        lines += [{"op": "list", "agency": self.agency, "dataset": self.agency, "as_of": position, "keys": keys}
                  for position, keys in self.lists]
        return lines

    def told(self):
        """(event id, seq, person) of each row, in the order of the files that have a control file."""
        out = []
        for control in sorted(glob.glob(self.path("outbox/OUT_*.csv.ctl"))):
            with open(control[:-len(".ctl")], "rb") as f:
                body = f.read()
            with open(control, encoding="utf-8") as f:
                said = dict(line.strip().split("=", 1) for line in f)
            rows = list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"))))
            assert (int(said["rows"]), int(said["size"])) == (len(rows), len(body)), control
            assert said["sha256"] == hashlib.sha256(body).hexdigest(), control
            out += [(r["event_id"], int(r["SEQ"]), r["PERSON"]) for r in rows]
        numbers = [int(os.path.basename(p)[4:10]) for p in sorted(glob.glob(self.path("outbox/OUT_*.csv.ctl")))]
        assert numbers == list(range(1, len(numbers) + 1)), f"outbound numbers have gaps: {numbers}"
        return out


# ---- tables ----


def servers():
    loader = importlib.machinery.SourceFileLoader("odbc_run", os.path.join(harness.ROOT, "tests", "odbc", "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("odbc_run", loader))
    loader.exec_module(module)
    return module


class Database:
    """PostgreSQL; killed with all its processes."""

    def __init__(self):
        run = importlib.machinery.SourceFileLoader("odbc_run", os.path.join(harness.ROOT, "tests", "odbc", "run"))
        self.run = importlib.util.module_from_spec(importlib.util.spec_from_loader("odbc_run", run))
        run.exec_module(self.run)
        self.place = tempfile.mkdtemp(prefix="eg-crash-pg-")
        self.server = self.run.Postgres(self.place)
        if self.server.user:
            os.chown(self.place, self.server.user.pw_uid, self.server.user.pw_gid)
        self.server.prepare()
        self.process = None
        self.connection = self.server.connection()
        self.start()

    @staticmethod
    def lacks():
        """Why it cannot be had; None: it can."""
        if not glob.glob("/usr/lib/postgresql/*/bin/initdb") or not shutil.which("psql"):
            return "no PostgreSQL: deploy/install-dependencies odbc"
        drivers = subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True, check=False).stdout
        return None if "[PostgreSQL Unicode]" in drivers else "no ODBC driver of PostgreSQL: deploy/install-dependencies odbc"

    def start(self):
        """As a child of ours: one that nobody waits for would keep its number, and the next would not start."""
        harness.until(self.answers, "the database")
        self.pid = self.server.pid()

    def answers(self):
        if self.gone():  # it does not start while processes of its predecessor, which notice its death by and by, are left
            with open(os.path.join(self.place, "server.log"), "a", encoding="utf-8") as log:
                self.process = subprocess.Popen(
                    self.server.command(f"{self.server.programs}/postgres", "-D", self.server.data),
                    cwd="/", stdout=log, stderr=log)
        try:
            return self.sql("select 1")
        except AssertionError:
            return False

    def gone(self):
        return not self.process or self.process.poll() is not None

    def pids(self):
        """And last, where it is another user's, the one that waits for it: that stands still with it."""
        return [self.pid, *self.run.children_of(self.pid), *{self.process.pid} - {self.pid}]

    def kill(self):
        """With all its processes that still have it as parent."""
        all_of_it = self.pids()
        for pid in all_of_it:
            signal_if_there(pid, signal.SIGKILL)
        self.process.wait(harness.PATIENCE)
        harness.until(lambda: all(self.server.gone(pid) for pid in all_of_it), "the database to be gone")

    def close(self):
        self.kill()
        shutil.rmtree(self.place, ignore_errors=True)

    def sql(self, *statements):
        d = self.server
        done = subprocess.run(d.command(f"{d.programs}/psql", "-h", d.place, "-p", str(d.PORT), "-U", "agency", "-d",
                                        "postgres", "-v", "ON_ERROR_STOP=1", "-At", "-F", "\t", "-q"),
                              input=";\n".join(statements) + ";\n", text=True, capture_output=True, cwd="/", check=False,
                              timeout=harness.PATIENCE)
        if done.returncode:
            raise AssertionError(done.stderr[-400:])
        return [row.split("\t") for row in done.stdout.splitlines()]


class Tables(Agency):
    def make_server(self):
        server = Database()
        server.sql('create table elder ("ROW_ID" bigint primary key, "KEY" varchar(40), "VERSION" bigint, '
                   '"ID_NO" varchar(18), "NAME" varchar(40), "STATE" varchar(1), "FLAG" varchar(1) default \'0\')',
                   'create table change ("N" serial, "EVENT_ID" varchar(80), "SEQ" bigint, "PERSON" varchar(64))')
        return server

    def write_mapping(self, key, outbound, snapshot):
        self.fill(TABLES, key, connection=self.server.connection)

    def add(self, n=30):
        keys = self.newcomers(n - 3)
        keys += [key for key in self.rename(3) if key not in keys]
        rows = []
        for key in keys:
            values = self.values(key)
            self.sent.append((key, len(self.sent) + 1))
            rows.append("({0}, '{1}', {0}, '{2}', '{3}', '{4}')".format(len(self.sent), *values))
        self.server.sql('insert into elder ("ROW_ID", "KEY", "VERSION", "ID_NO", "NAME", "STATE") values ' + ", ".join(rows))

    def unsettled(self):
        return [f"row {row} has the flag {flag}" for row, flag in
                self.server.sql('select "ROW_ID", "FLAG" from elder where "FLAG" <> \'1\'')]

    def history(self):
        taken = {int(row) for row, in self.server.sql('select "ROW_ID" from elder where "FLAG" = \'1\'')}
        return [line("sent", self.agency, key, version) for key, version in self.sent] + [
            ack(self.agency, key, version) for key, version in self.sent if version in taken]

    def told(self):
        return [(event, int(seq), person)
                for event, seq, person in self.server.sql('select "EVENT_ID", "SEQ", "PERSON" from change order by "N"')]


# ---- an HTTP interface ----


class Pages(Agency):
    """Rows by windows of time, changes as posts. Windows do not overlap: that would heal a place which moved too early."""
    program = os.path.join(harness.BUILD, "eldergate-funeral")
    ahead_ms = 0  # rows of a running adapter's interface must be there before their instant comes

    def make_server(self):
        self.rows_there = {}  # key -> what the interface has of it
        return web.Peer()

    def write_mapping(self, key, outbound, snapshot):
        start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 60))
        self.fill(PAGES, key, url=self.server.url, start=start)

    def add(self, n=30):
        keys = self.newcomers(n - 3)
        keys += [key for key in self.rename(3) if key not in keys]
        for key in keys:
            self.sent.append((key, len(self.sent) + 1))
            _, number, name, state = self.values(key)
            row = {"KEY": key, "VERSION": len(self.sent), "ID_NO": number, "NAME": name, "STATE": state}
            self.rows_there[key] = {"at": 0, "row": row}
        ahead = self.ahead_ms
        while True:
            at = int(time.time() * 1000) + ahead
            for key in keys:
                self.rows_there[key]["at"] = at
            self.server.write(list(self.rows_there.values()))
            if not ahead or int(time.time() * 1000) < at:
                return
            ahead *= 2

    def high(self):
        """All up to this instant has its verdict: milliseconds, as adapters/connectors/http_place.c writes it."""
        place = self.checkpoint().get("source/http.place", b"1 0").split()
        return int(place[1]) // 1000

    def unsettled(self):
        high = self.high()
        return [f"{key} is not settled" for key, there in self.rows_there.items() if there["at"] > high]

    def history(self):
        high = self.high()
        return [line("sent", self.agency, key, version) for key, version in self.sent] + [
            ack(self.agency, key, there["row"]["VERSION"]) for key, there in self.rows_there.items() if there["at"] <= high]

    def told(self):
        """Each post, also those that came again, which the peer answered by their key alone."""
        posts = self.server.posts()
        assert all(key == body["id"] for key, _, body in posts), "a post's Idempotency-Key is not its event's id"
        taken = [key for key, outcome, _ in posts if outcome == "taken"]
        assert len(taken) == len(set(taken)), "a post had effect twice"
        return [(key, int(body["columns"]["SEQ"]), body["columns"]["PERSON"]) for key, _, body in posts]
