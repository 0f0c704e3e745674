#!/usr/bin/python3
"""good: a well-behaved agency in a process of its own, so that what it measures is not the rude ones' interpreter.

It submits a batch, waits for the receipt and asks for the life status of its persons, again and again, and tells every
turn by a line; at the end of its input it tells in JSON how long its calls took, and what went wrong.

    with good.Caller(gateway, identity) as caller:
        caller.turns(50)  # waits for so many more
    caller.told           # {"calls": ..., "p50_ms": ..., "p99_ms": ..., "most_ms": ..., "errors": [...]}
"""
import json
import queue
import subprocess
import sys
import threading
import time

import harness
import secure
import grpc
from eldergate.v1 import elder_pb2 as e, exchange_pb2 as x, exchange_pb2_grpc

FIRST, SIZE = 5_000_000, 10  # its persons: nobody else's


class Caller:
    def __init__(self, gateway, who):
        self.gateway, self.who, self.told = gateway, who, None
        for name, content in (("good.pem", who.certificate), ("good.key", who.key)):
            gateway.write(name, content)

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__, self.gateway.place, str(self.gateway.port)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        return self

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def _line(self):
        line = self.lines.get(timeout=harness.PATIENCE)
        if not line:
            raise AssertionError("the good caller ended")
        return line

    def turns(self, n):
        while not self.lines.empty():
            self._line()
        for _ in range(n):
            self._line()

    def __exit__(self, *_):
        self.process.stdin.close()
        while not (line := self._line()).startswith("{"):
            pass
        self.told = json.loads(line)
        self.process.wait(harness.PATIENCE)
        self.process.stdout.close()


def main(place, port):
    read = lambda name: open(f"{place}/{name}", "rb").read()
    stop, times, errors, n = threading.Event(), [], [], int(time.time() * 1000) % 100_000_000 * 10
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    credentials = grpc.ssl_channel_credentials(read("ca.pem"), read("good.key"), read("good.pem"))
    batches = queue.Queue()

    def timed(call):
        began = time.monotonic()
        answer = call()
        times.append(time.monotonic() - began)
        return answer

    with grpc.secure_channel(f"127.0.0.1:{port}", credentials) as channel:
        stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
        receipts = stub.Submit(iter(batches.get, None))
        try:
            while not stop.is_set():
                n += 1
                people = [FIRST + (n * SIZE + i) % 10_000 for i in range(SIZE)]
                batches.put(x.SubmitRequest(batch_id=f"good-{n}", dataset="household",
                                            records=[secure.registration(p, n) for p in people]))
                receipt = timed(lambda: next(receipts)).receipt
                assert len(receipt.results) == SIZE, receipt
                answer = timed(lambda: stub.CheckLifeStatus(x.CheckLifeStatusRequest(purpose="check", persons=[
                    e.PersonSelector(identity=e.IdentitySelector(id_number=secure.Person(p).id_number))
                    for p in people]), timeout=harness.PATIENCE))
                assert len(answer.answers) == SIZE, answer
                print(n, flush=True)
        except (grpc.RpcError, AssertionError, StopIteration) as error:
            errors.append(repr(error))
        batches.put(None)
        receipts.cancel()
    times.sort()
    at = lambda part: round(times[min(len(times) - 1, int(len(times) * part))] * 1000, 1) if times else None
    print(json.dumps({"calls": len(times), "p50_ms": at(0.5), "p99_ms": at(0.99), "most_ms": at(1), "errors": errors}),
          flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
