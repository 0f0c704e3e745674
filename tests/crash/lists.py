"""lists: sends full lists, and writes down what was sent for the checker."""
import hashlib
import struct

import grpc

from eldergate.v1 import exchange_pb2 as x
from eldergate.v1 import exchange_pb2_grpc

CHUNK = 500


def digest_of(records):
    h = hashlib.sha256()
    for r in records:
        raw = r.SerializeToString()
        h.update(struct.pack(">I", len(raw)) + raw)
    return h.digest()


def steps(records, dataset, as_of, list_id="list", regions=(), dry_run=False, count=None, digest=None, end=True,
          declared=0, revision=0, taken_at=None):
    """The messages of one list; count and digest of its end can be made wrong, the end left out. taken_at: in seconds."""
    begin = x.ReconcileBegin(
        list_id=list_id, dataset=dataset, as_of=as_of, coverage_regions=regions, dry_run=dry_run, count=declared,
        mapping_revision=revision)
    if taken_at is not None:
        begin.taken_at.FromSeconds(int(taken_at))
    yield x.ReconcileRequest(begin=begin)
    for i in range(0, len(records), CHUNK):
        yield x.ReconcileRequest(records=x.ReconcileRecords(records=records[i:i + CHUNK]))
    if end:
        yield x.ReconcileRequest(end=x.ReconcileEnd(
            count=len(records) if count is None else count, digest=digest_of(records) if digest is None else digest))


class Told:
    """What the gateway said of a list."""

    def __init__(self):
        self.progress, self.rejects, self.report = [], [], None


def reconcile(channel, messages):
    told = Told()
    for response in exchange_pb2_grpc.ExchangeServiceStub(channel).Reconcile(iter(messages)):
        kind = response.WhichOneof("told")
        if kind == "progress":
            told.progress.append(response.progress)
        elif kind == "rejects":
            told.rejects += response.rejects.rejects
        else:
            told.report = response.report
    return told


def history(records, dataset, as_of, agency="tester"):
    """Lines for the checker: a row may be stored under its own version or stated again under the list's position."""
    lines = [{"op": "list", "agency": agency, "dataset": dataset, "as_of": as_of,
              "keys": [r.source_key for r in records]}]
    for r in records:
        for version in {r.version or as_of, as_of}:
            lines.append({"op": "sent", "agency": agency, "dataset": dataset, "key": r.source_key,
                          "version": version, "revision": r.mapping_revision, "void": False})
    return lines


def send(channel, records, dataset, as_of, **more):
    return reconcile(channel, steps(records, dataset, as_of, **more))


def refused(channel, messages):
    """The error that the list met."""
    try:
        reconcile(channel, messages)
    except grpc.RpcError as error:
        return error
    raise AssertionError("the list was taken")
