"""postgres: a PostgreSQL cluster of our own for the baseline: a folder, a Unix socket, no network."""
import glob
import os
import pwd
import shutil
import subprocess
import tempfile
import time

from measure import Skipped

PORT = 54329  # names the socket; nothing listens on a network
SECONDS = 120
LIST_SECONDS = 1800
# Tuned as its manual advises for a write load on a small machine; durability is never relaxed.
SETTINGS = {"listen_addresses": "''", "port": PORT, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
            "shared_buffers": "512MB", "wal_buffers": "64MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min",
            "max_connections": 40}
# How bench_pg is run. Sets were fastest by 2 connections on two cores, of 1, 2, 4 and 8.
RUNS = {"record": {"mode": "record", "connections": 8}, "batch": {"mode": "batch", "connections": 2, "batch": 1000}}

COLUMNS = ["rybh", "gmsfhm", "xm", "xb", "mz", "csrq", "hyzk", "hh", "yhzgx", "ssxq", "hjdz", "pcsbm", "pcsmc", "ryzt",
           "qrrq", "bgsj"]
_TEXTS = ", ".join(f"{c} text NOT NULL" for c in COLUMNS[1:])
# A full list as one would keep it in a database: it comes into a table without a log, the set is put into the elders,
# what is gone is marked; an outbox and an audit trail take what changed.
LIST_SCHEMA = (f"DROP TABLE IF EXISTS person, sent, person_outbox, person_audit; "
               f"CREATE TABLE person (rybh text PRIMARY KEY, {_TEXTS}, withdrawn boolean NOT NULL DEFAULT false); "
               f"CREATE UNLOGGED TABLE sent (rybh text NOT NULL, {_TEXTS}); "
               f"CREATE TABLE person_outbox (id bigserial PRIMARY KEY, rybh text NOT NULL, payload text NOT NULL); "
               f"CREATE TABLE person_audit (id bigserial PRIMARY KEY, at timestamptz NOT NULL, agency text NOT NULL, "
               f"act text NOT NULL, rybh text NOT NULL, body text NOT NULL)")
LIST_COPY = "TRUNCATE sent; COPY sent FROM STDIN WITH (FORMAT csv, HEADER true, ENCODING 'GB18030')"
_ALL = ", ".join(COLUMNS)
_NEW = ", ".join("excluded." + c for c in COLUMNS[1:])
_OLD = ", ".join("person." + c for c in COLUMNS[1:])
_AUDITED = """, out AS (INSERT INTO person_outbox (rybh, payload) SELECT rybh, body FROM done),
    trail AS (INSERT INTO person_audit (at, agency, act, rybh, body) SELECT now(), 'police', '{act}', rybh, body FROM done)
    SELECT count(*) FROM done"""
LIST_UPSERT = (f"WITH done AS (INSERT INTO person ({_ALL}) SELECT {_ALL} FROM sent ON CONFLICT (rybh) DO UPDATE SET "
               + ", ".join(f"{c} = excluded.{c}" for c in COLUMNS[1:]) + ", withdrawn = false "
               f"WHERE ({_OLD}, person.withdrawn) IS DISTINCT FROM ({_NEW}, false) RETURNING rybh, person::text AS body)"
               + _AUDITED.format(act="upsert"))
LIST_ABSENT = ("WITH done AS (UPDATE person SET withdrawn = true WHERE NOT withdrawn AND NOT EXISTS "
               "(SELECT FROM sent WHERE sent.rybh = person.rybh) RETURNING rybh, person::text AS body)"
               + _AUDITED.format(act="withdraw"))


def program_folder():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda p: float(p.split("/")[4]))
    if not folders:
        raise Skipped("no PostgreSQL (deploy/install-dependencies bench)")
    return os.path.dirname(folders[-1])


class Cluster:
    """Use as a context manager. PostgreSQL refuses to be root: then it runs as its own user, or as nobody."""

    def __init__(self, place):
        self.programs = program_folder()
        self.place = place
        self.data = os.path.join(place, "data")
        self.user = self._user()
        self.sockets = tempfile.mkdtemp(prefix="eldergate-pg-")  # short: a socket's path has little room
        self.connect = f"host={self.sockets} port={PORT} dbname=postgres user=bench options='-c client_min_messages=error'"

    def _user(self):
        if os.getuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                pass
        raise Skipped("no user that PostgreSQL may run as")

    def _run(self, *command):
        as_user = ["runuser", "-u", self.user.pw_name, "--"] if self.user else []
        # Its working folder may be closed to that user; a child that it leaves running must not keep our pipes.
        with open(os.path.join(self.place, "tool.log"), "a+", encoding="utf-8") as log:
            code = subprocess.run(as_user + list(command), cwd="/", stdout=log, stderr=log, timeout=SECONDS).returncode
            log.seek(0)
            return code, log.read()

    def __enter__(self):
        shutil.rmtree(self.place, ignore_errors=True)
        os.makedirs(self.place)
        if self.user:
            os.chown(self.place, self.user.pw_uid, self.user.pw_gid)
            os.chown(self.sockets, self.user.pw_uid, self.user.pw_gid)
        try:
            self._must("initdb", "-D", self.data, "-A", "trust", "-U", "bench", "-E", "UTF8", "--no-locale")
            with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as f:
                f.writelines(f"{k} = {v}\n" for k, v in SETTINGS.items())
                f.write(f"unix_socket_directories = '{self.sockets}'\n")
            self._must("pg_ctl", "-D", self.data, "-l", os.path.join(self.place, "server.log"), "-w", "start")
        except BaseException:
            shutil.rmtree(self.sockets, ignore_errors=True)
            raise
        with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as f:
            self.pid = int(f.readline())
        return self

    def _must(self, program, *arguments):
        code, text = self._run(os.path.join(self.programs, program), *arguments)
        if code:
            raise Skipped(f"{program} failed: {text.strip()[-300:]}")

    def __exit__(self, *_):
        self._run(os.path.join(self.programs, "pg_ctl"), "-D", self.data, "-m", "fast", "-w", "stop")
        shutil.rmtree(self.sockets, ignore_errors=True)
        shutil.rmtree(self.place, ignore_errors=True)

    def sql(self, *statements, stdin=None):
        """In one session, each for itself unless it says BEGIN; the numbers that they told."""
        command = [os.path.join(self.programs, "psql"), self.connect, "-XqtA", "-v", "ON_ERROR_STOP=1"]
        for statement in statements:
            command += ["-c", statement]
        told = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, text=True, timeout=LIST_SECONDS, check=True)
        return [int(line) for line in told.stdout.split()]

    def lists_begin(self):
        self.sql(LIST_SCHEMA)

    def list(self, path):
        began = time.monotonic()
        with open(path, "rb") as f:
            self.sql(*LIST_COPY.split("; "), stdin=f)
        copied = time.monotonic()
        changed, withdrawn = self.sql("ANALYZE sent", "BEGIN", LIST_UPSERT, LIST_ABSENT, "COMMIT")
        ended = time.monotonic()
        self.sql("CHECKPOINT")  # on its own account
        return {"seconds": ended - began, "copy_s": copied - began, "changed": changed, "withdrawn": withdrawn}

    def version(self):
        return subprocess.run([os.path.join(self.programs, "postgres"), "--version"], stdout=subprocess.PIPE,
                              text=True).stdout.strip()
