"""A small client of Eldergate for agencies and platforms: submit with resume, subscribe with upsert, verify a proof.

It needs grpcio, cryptography and the stubs that protoc makes of proto/. Use it as it is or as a pattern:

    with connect("unix:/var/lib/eldergate/eldergate.sock") as channel:
        for result in Submitter(channel, "registration").run(batches):
            ...
        Subscriber(channel, "subsidy-check", store).run()
        file, proven = Auditor(channel, vkey).prove(seq)
"""
import threading
import time

import grpc

import eldergate_proof
from google.rpc import error_details_pb2, status_pb2
from eldergate.v1 import audit_pb2, audit_pb2_grpc, event_pb2, exchange_pb2, exchange_pb2_grpc, feed_pb2, feed_pb2_grpc

TORN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN)


class Ended(grpc.RpcError):
    """A stream ended well, and too early."""

    def code(self):
        return grpc.StatusCode.UNAVAILABLE

    def trailing_metadata(self):
        return ()


def connect(target, ca=None, certificate=None, key=None, silence=20, patience=10):
    """A channel over a Unix socket, or with mutual TLS (PEM bytes).

    After so many seconds of silence the gateway is asked whether it is there, and given so many to answer; the gateway
    cuts off who asks more often than every 5. Without it a connection that died unseen would be waited on for ever.
    """
    options = (("grpc.keepalive_time_ms", silence * 1000), ("grpc.keepalive_timeout_ms", patience * 1000),
               ("grpc.http2.max_pings_without_data", 0))
    if target.startswith("unix:"):
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(ca, key, certificate), options)


def retry_after(error):
    """Seconds after which the same may be tried again, at the earliest; None: it would fail again.

    Details are the gateway's own word, which has RetryInfo if repeating helps (proto/README.md, "Errors"). Without any it
    was not the gateway that answered: TORN are the codes of a connection that broke.
    """
    found = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    if not found:
        return 0 if error.code() in TORN else None
    for detail in status_pb2.Status.FromString(found[0]).details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            return info.retry_delay.ToTimedelta().total_seconds()
    return None


def again(error, failures, attempts, wait):
    """Waits, longer after each failure in a row; raises the error if there is no sense in it."""
    least = retry_after(error)
    if least is None or failures >= attempts:
        raise error
    time.sleep(max(least, wait * failures))  # nothing announces the gateway's return


class Submitter:
    """Submits batches of one dataset until each has its receipt, however often the stream breaks.

    What was sent without a receipt is sent again, by the next run too: the gateway answers UNCHANGED for what it already has.
    """

    def __init__(self, channel, dataset, in_flight=8, attempts=10, wait=0.2):
        self.stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.dataset, self.in_flight, self.attempts, self.wait = dataset, in_flight, attempts, wait
        self.waiting = {}  # by batch_id: sent, or about to be, without a receipt
        self.breaks = 0

    def run(self, batches):
        """Yields (batch_id, receipt). batches: iterable of (batch_id, records); gRPC's own thread takes from it."""
        batches, self.failures = iter(batches), 0
        while True:
            try:
                return (yield from self._stream(batches))
            except grpc.RpcError as error:
                self.failures += 1
                self.breaks += 1
                again(error, self.failures, self.attempts, self.wait)

    def _stream(self, batches):
        credit, repeated = threading.Semaphore(self.in_flight), list(self.waiting.values())
        taking, all_sent, over, broken = threading.Lock(), threading.Event(), threading.Event(), []

        def requests():
            while True:
                credit.acquire()
                with taking:
                    if over.is_set():
                        return
                    try:
                        request = repeated.pop(0) if repeated else self._next(batches)
                    except Exception as error:  # the caller's; what was sent gets its receipts first
                        broken.append(error)
                        return
                    if request is None:
                        all_sent.set()
                        return
                yield request

        call = self.stub.Submit(requests())
        try:
            for response in call:
                self.failures = 0
                receipt = response.receipt
                if receipt.batch_id in self.waiting:
                    yield receipt.batch_id, receipt
                    del self.waiting[receipt.batch_id]  # not before the caller has it
                credit.release()
        finally:
            call.cancel()
            with taking:  # two streams must not take from batches at once
                over.set()
            credit.release()
            if broken:
                raise broken[0]
        if self.waiting or not all_sent.is_set():
            raise Ended("the stream ended before every batch had its receipt")

    def _next(self, batches):
        for batch_id, records in batches:
            request = exchange_pb2.SubmitRequest(batch_id=batch_id, dataset=self.dataset, records=records)
            self.waiting[batch_id] = request
            return request
        return None


class Subscriber:
    """Keeps a copy of what it may see: upserts on (person, version), goes on from its cursor after a break.

    store: an object with cursor (None: begin with a snapshot), which save(cursor) sets, and
    replace(person_ref, version, life_status, fields, merged_into): the whole state, of what was held nothing stays;
    put(the same): a change, a field without a value goes, one that is not named stays;
    forget(person_ref, version): left the filter;
    forget_all(): the log is another one (restored from a backup), versions may come again, and a snapshot follows.
    A version that is not greater than the one held is old news. One transaction for what a response brings makes it exact;
    repeating a window does no harm either way.
    """

    def __init__(self, channel, purpose, store, filter=None, attempts=10, wait=0.2):
        self.stub = feed_pb2_grpc.FeedServiceStub(channel)
        self.purpose, self.store, self.filter, self.attempts, self.wait = purpose, store, filter, attempts, wait
        self.breaks = 0

    def run(self, until=None):
        """Follows the feed; ends when until(response) is true."""
        self.failures = 0
        while True:
            try:
                return self._stream(until)
            except grpc.RpcError as error:
                self.failures += 1
                self.breaks += 1
                again(error, self.failures, self.attempts, self.wait)

    def _stream(self, until):
        start = feed_pb2.FeedStart()
        if self.store.cursor is None:
            start.snapshot.SetInParent()
        else:
            start.cursor.CopyFrom(self.store.cursor)
        call = self.stub.Subscribe(feed_pb2.SubscribeRequest(start=start, filter=self.filter, purpose=self.purpose))
        try:
            for response in call:
                for item in response.items:
                    self._apply(item)
                if response.HasField("next"):
                    self.store.save(response.next)
                self.failures = 0
                if until and until(response):
                    return
        finally:
            call.cancel()
        raise Ended("the gateway ended the feed")  # which has no end of its own

    def _apply(self, item):
        kind = item.WhichOneof("item")
        if kind == "snapshot" or item.HasField("entered"):  # who came into the filter comes whole, in the change's place
            s = item.snapshot if kind == "snapshot" else item.entered
            self.store.replace(s.person_ref, s.person_version, s.life_status, s.fields, s.merged_into)
        elif kind == "change":
            c = item.change
            if c.kind == event_pb2.CHANGE_KIND_LEFT_SCOPE:
                return self.store.forget(c.person_ref, c.person_version)
            self.store.put(c.person_ref, c.person_version, c.life_status_after, c.fields, c.merged_into)
        elif kind == "log_changed":
            self.store.forget_all()


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
    """The simplest store: the newest version of a person wins."""

    def __init__(self):
        self.cursor, self.people, self.applied, self.repeated = None, {}, 0, 0

    def replace(self, ref, version, life, fields, merged_into):
        if self._is_news(ref, version):
            self._set(ref, version, life, {}, fields, merged_into)

    def put(self, ref, version, life, fields, merged_into):
        if self._is_news(ref, version):
            held = self.people[ref]["fields"] if ref in self.people else {}
            self._set(ref, version, life, held, fields, merged_into)

    def forget(self, ref, version):
        if self._is_news(ref, version):
            self.people.pop(ref, None)

    def forget_all(self):
        self.people = {}

    def _is_news(self, ref, version):
        if ref in self.people and self.people[ref]["version"] >= version:
            self.repeated += 1
            return False
        self.applied += 1
        return True

    def _set(self, ref, version, life, held, fields, merged_into):
        values = dict(held)
        for f in fields:
            if f.HasField("value"):
                values[f.field] = f.value.SerializeToString()
            else:
                values.pop(f.field, None)
        self.people[ref] = {"version": version, "life": life, "fields": values, "merged_into": merged_into}

    def save(self, cursor):
        self.cursor = type(cursor).FromString(cursor.SerializeToString())
