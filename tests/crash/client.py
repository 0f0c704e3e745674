"""client: submits batches over one stream and writes down what was sent and what was acknowledged."""
import threading

import grpc

from eldergate.v1 import exchange_pb2 as x
from eldergate.v1 import exchange_pb2_grpc


class Client:
    """Keeps every batch until its receipt; after a break the rest is sent again. `history` is for the checker."""

    def __init__(self, agency="tester"):
        self.agency = agency
        self.pending = {}  # batch id -> request
        self.history = []
        self.next_id = 0
        self.receipts = 0
        self.lock = threading.Lock()

    def add(self, dataset, records):
        self.next_id += 1
        request = x.SubmitRequest(batch_id=f"b{self.next_id}", dataset=dataset, records=records)
        self.pending[request.batch_id] = request
        for r in records:
            self.history.append(self._line("sent", dataset, r))
        return request

    def _line(self, op, dataset, r, **more):
        return {"op": op, "agency": self.agency, "dataset": dataset, "key": r.source_key, "version": r.version,
                "revision": r.mapping_revision, "void": r.operation == 2, **more}

    def _receipt(self, receipt):
        request = self.pending.pop(receipt.batch_id)
        self.receipts += 1
        if receipt.status.code:
            raise AssertionError(f"batch {receipt.batch_id} was refused: {receipt.status.message}")
        if len(receipt.results) != len(request.records):
            raise AssertionError("a receipt with another number of results than records")
        for result in receipt.results:
            r = request.records[result.index]
            self.history.append(self._line("ack", request.dataset, r, seq=result.seq,
                                           outcome=x.Outcome.Name(result.outcome)[len("OUTCOME_"):]))

    def run(self, channel, more=None, most=0, timeout=None):
        """Sends what is pending, then up to `most` batches that more() makes; True when all were acknowledged, False
        when the stream broke."""
        credit = threading.Semaphore(8)
        broken = threading.Event()

        def requests():
            for request in list(self.pending.values()):
                credit.acquire()
                if broken.is_set():
                    return
                yield request
            for _ in range(most):
                credit.acquire()
                if broken.is_set():
                    return
                with self.lock:
                    request = self.add(*more())
                yield request

        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        try:
            for response in stub.Submit(requests(), timeout=timeout, wait_for_ready=False):
                with self.lock:
                    self._receipt(response.receipt)
                credit.release()
        except grpc.RpcError as error:
            self.error = error
            return False
        finally:
            broken.set()
            credit.release()
        return not self.pending
