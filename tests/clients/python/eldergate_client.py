"""A small client of Eldergate for agencies and platforms: submit with resume, subscribe with upsert, verify a proof.

It needs grpcio, cryptography and the stubs that protoc makes of proto/. Use it as it is or as a pattern:

    with connect("unix:/var/lib/eldergate/eldergate.sock") as channel:
        for result in Submitter(channel, "registration").run(batches):
            ...
        Subscriber(channel, "subsidy-check", store).run()
        file, proven = Auditor(channel, vkey).prove(seq)
"""
import collections
import threading
import time

import grpc

import eldergate_proof
from eldergate.v1 import audit_pb2, audit_pb2_grpc, exchange_pb2, exchange_pb2_grpc, feed_pb2, feed_pb2_grpc

RETRYABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED,
             grpc.StatusCode.UNKNOWN)


def connect(target, ca=None, certificate=None, key=None):
    """A channel over a Unix socket, or with mutual TLS (PEM bytes)."""
    if target.startswith("unix:"):
        return grpc.insecure_channel(target)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, key, certificate))


class Submitter:
    """Submits batches of one dataset until each has its receipt, however often the stream breaks.

    What was sent without a receipt is sent again: the gateway answers UNCHANGED for what it already has.
    """

    def __init__(self, channel, dataset, in_flight=8, attempts=10, wait=0.2):
        self.stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.dataset, self.in_flight, self.attempts, self.wait = dataset, in_flight, attempts, wait
        self.breaks = 0

    def run(self, batches):
        """Yields (batch_id, receipt). batches: iterable of (batch_id, records)."""
        batches, waiting = iter(batches), collections.OrderedDict()
        failures = 0
        while True:
            try:
                for batch_id, receipt in self._stream(batches, waiting):
                    failures = 0
                    yield batch_id, receipt
                return
            except grpc.RpcError as error:
                failures += 1
                self.breaks += 1
                if error.code() not in RETRYABLE or failures == self.attempts:
                    raise
                time.sleep(self.wait * failures)  # the server is away: nothing announces its return

    def _stream(self, batches, waiting):
        credit = threading.Semaphore(self.in_flight)
        over = []

        def requests():
            for request in list(waiting.values()):
                credit.acquire()
                yield request
            for batch_id, records in batches:
                request = exchange_pb2.SubmitRequest(batch_id=batch_id, dataset=self.dataset, records=records)
                waiting[batch_id] = request
                credit.acquire()
                if over:
                    return
                yield request

        try:
            for response in self.stub.Submit(requests()):
                receipt = response.receipt
                if waiting.pop(receipt.batch_id, None) is not None:
                    yield receipt.batch_id, receipt
                credit.release()
        finally:
            over.append(True)
            credit.release()
        if waiting:
            raise AssertionError("the stream ended without every receipt")


class Subscriber:
    """Keeps a copy of what it may see: upserts on (person, version), resumes from its cursor.

    store: an object with cursor (or None), put(person_ref, version, life_status, fields, merged_into),
    save(cursor) and forget(), which drops everybody: the log is another one (restored from a backup), versions may come
    again, and a snapshot follows. One transaction for all makes it exact; repeating a window does no harm either way.
    """

    def __init__(self, channel, purpose, store):
        self.stub = feed_pb2_grpc.FeedServiceStub(channel)
        self.purpose, self.store = purpose, store

    def run(self, until=None):
        """Follows the feed; ends when until(response) is true."""
        start = feed_pb2.FeedStart()
        if self.store.cursor is None:
            start.snapshot.SetInParent()
        else:
            start.cursor.CopyFrom(self.store.cursor)
        call = self.stub.Subscribe(feed_pb2.SubscribeRequest(start=start, purpose=self.purpose))
        try:
            for response in call:
                for item in response.items:
                    self._apply(item)
                if response.HasField("next"):
                    self.store.save(response.next)
                if until and until(response):
                    return
        finally:
            call.cancel()

    def _apply(self, item):
        kind = item.WhichOneof("item")
        if kind == "snapshot":
            s = item.snapshot
            self.store.put(s.person_ref, s.person_version, s.life_status, s.fields, s.merged_into)
        elif kind == "change":
            c = item.change
            self.store.put(c.person_ref, c.person_version, c.life_status_after, c.fields, c.merged_into)
        elif kind == "log_changed":
            self.store.forget()


class Auditor:
    """Asks for the proof that an entry is in the log, and trusts nothing for it but the log's key.

    vkey: what `eldergate log key` prints.
    """

    def __init__(self, channel, vkey):
        self.stub, self.verifier = audit_pb2_grpc.AuditServiceStub(channel), eldergate_proof.Verifier(vkey)

    def prove(self, seq, timeout=10):
        """(file, eldergate_proof.Inclusion). Keep the file, a C2SP tlog-proof: it stands by itself.

        grpc.RpcError with FAILED_PRECONDITION: no checkpoint covers the entry yet, try again; NotProven: what the
        gateway showed proves nothing.
        """
        file = self.stub.GetInclusionProof(audit_pb2.GetInclusionProofRequest(seq=seq), timeout=timeout).proof_file
        proven = eldergate_proof.check_inclusion(file, self.verifier)
        if proven.seq != seq:
            raise eldergate_proof.NotProven(f"the proof is about entry {proven.seq}, not {seq}")
        return file, proven


class MemoryStore:
    """The simplest store: newest version per person wins, fields are merged."""

    def __init__(self):
        self.cursor, self.people, self.applied, self.repeated = None, {}, 0, 0

    def put(self, ref, version, life, fields, merged_into):
        known = self.people.get(ref)
        if known and known["version"] >= version:
            self.repeated += 1
            return
        values = dict(known["fields"]) if known else {}
        for f in fields:
            if f.HasField("value"):
                values[f.field] = f.value.SerializeToString()
            else:
                values.pop(f.field, None)
        self.people[ref] = {"version": version, "life": life, "fields": values, "merged_into": merged_into}
        self.applied += 1

    def forget(self):
        self.people = {}

    def save(self, cursor):
        self.cursor = type(cursor).FromString(cursor.SerializeToString())
