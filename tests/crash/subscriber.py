#!/usr/bin/python3
"""subscriber: a platform's backend that keeps its copy of the persons on disk, until it is ended or falls at a point.

It is the example client (tests/clients/python) over a store in SQLite: what a response brings is one transaction with its
cursor. `--fall POINT:N` sends itself `--with` KILL or STOP at the nth passage: `put`, before a person; `save`, before the
commit; `saved`, after it.

usage: subscriber.py SOCKET STORE [--fall POINT:N] [--with KILL|STOP]
"""
import argparse
import os
import signal
import sqlite3
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), *part) for part in (("system",), ("clients", "python"))]
import harness  # noqa: E402
import grpc  # noqa: E402
import eldergate_client as ec  # noqa: E402
from eldergate.v1 import elder_pb2, feed_pb2  # noqa: E402

POINTS = ("put", "save", "saved")
PURPOSE = "sync"
SILENCE_S = 3  # the gateway of the test lets hear from it several times a second
OPTIONS = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 1000),
           ("grpc.max_reconnect_backoff_ms", 500)]


class Store:
    """What ec.Subscriber wants of a store; `people` reads it, from another process too."""

    def __init__(self, path, fall=None, act=signal.SIGKILL):
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("pragma journal_mode = wal")  # who looks on does not wait for one that was stopped
        self.db.execute("create table if not exists field (ref text, field text, value blob, primary key (ref, field))")
        self.db.execute("create table if not exists person (ref text primary key, version int, life int, merged text)")
        self.db.execute("create table if not exists place (one int primary key, cursor blob)")
        self.fall, self.left = fall.split(":") if fall else (None, "0")
        self.left, self.act = int(self.left), act
        self.rollback()

    def passing(self, point):
        if point == self.fall:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), self.act)

    def rollback(self):
        if self.db.in_transaction:
            self.db.execute("rollback")
        row = self.db.execute("select cursor from place").fetchone()
        self.cursor = feed_pb2.Cursor.FromString(row[0]) if row else None

    def replace(self, ref, version, life, fields, merged_into):
        self.put(ref, version, life, fields, merged_into, whole=True)

    def put(self, ref, version, life, fields, merged_into, whole=False):
        self.passing("put")
        if not self.db.in_transaction:
            self.db.execute("begin")
        known = self.db.execute("select version from person where ref = ?", (ref,)).fetchone()
        if known and known[0] >= version:
            return
        self.db.execute("insert or replace into person values (?, ?, ?, ?)", (ref, version, life, merged_into))
        if whole:
            self.db.execute("delete from field where ref = ?", (ref,))
        for f in fields:
            if f.HasField("value"):
                self.db.execute("insert or replace into field values (?, ?, ?)",
                                (ref, f.field, f.value.SerializeToString()))
            else:
                self.db.execute("delete from field where ref = ? and field = ?", (ref, f.field))

    def save(self, cursor):
        self.passing("save")
        if not self.db.in_transaction:
            self.db.execute("begin")
        self.db.execute("insert or replace into place values (1, ?)", (cursor.SerializeToString(),))
        self.db.execute("commit")
        self.cursor = type(cursor).FromString(cursor.SerializeToString())
        self.passing("saved")

    def people(self):
        """As ec.MemoryStore has them."""
        out = {ref: {"version": version, "life": life, "fields": {}, "merged_into": merged}
               for ref, version, life, merged in self.db.execute("select ref, version, life, merged from person")}
        for ref, field, value in self.db.execute("select ref, field, value from field"):
            out[ref]["fields"][field] = value
        return out

    def seq(self):
        """Everything up to this entry is here; 0 while a snapshot is under way."""
        self.rollback()
        return self.cursor.seq if self.cursor and not self.cursor.snapshot_row else 0

    def close(self):
        self.db.close()


def name_of(person):
    """The name in a person of `people`; None: it has none."""
    value = person["fields"].get("registration.name")
    return elder_pb2.FieldValue.FromString(value).text if value is not None else None


def snapshot(channel):
    """What somebody who comes now is told, by the same rights."""
    store = ec.MemoryStore()
    ec.Subscriber(channel, PURPOSE, store).run(
        until=lambda r: any(i.WhichOneof("item") == "progress" and i.progress.live for i in r.items))
    return store.people


def follow(target, store):
    """One connection, until it breaks, or nothing comes for a while."""
    heard = [time.monotonic()]
    over = threading.Event()
    with grpc.insecure_channel(target, options=OPTIONS) as channel:
        def watch():
            while not over.wait(SILENCE_S / 10):
                if time.monotonic() - heard[0] > SILENCE_S:
                    return channel.close()

        def note(_):
            heard[0] = time.monotonic()

        grpc.channel_ready_future(channel).result(SILENCE_S)
        heard[0] = time.monotonic()
        threading.Thread(target=watch, daemon=True).start()
        try:
            ec.Subscriber(channel, PURPOSE, store, attempts=1).run(until=note)
        finally:
            over.set()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("socket")
    parser.add_argument("store")
    parser.add_argument("--fall")
    parser.add_argument("--with", dest="act", choices=("KILL", "STOP"), default="KILL")
    a = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # what is not committed comes again
    store = Store(a.store, a.fall, getattr(signal, "SIG" + a.act))
    while True:
        try:
            follow("unix:" + a.socket, store)
        except (grpc.RpcError, grpc.FutureTimeoutError, ValueError) as error:  # ValueError: closed before it was used
            code = error.code() if isinstance(error, grpc.RpcError) else None
            if code and code != grpc.StatusCode.DEADLINE_EXCEEDED and ec.retry_after(error) is None:
                raise
            print(f"lost: {code or type(error).__name__}", file=sys.stderr, flush=True)
        store.rollback()


if __name__ == "__main__":
    main()
