"""ways: the road by the gateway's other doors: gRPC over mutual TLS, an adapter's link over the bus, full lists.

A road here is the one of road.py with a subscriber and a sender who have certificates; then a full list is sent until it
is reported as done, and a batch over the bus until it is acknowledged. One identity is all of them.
"""
import queue
import time

import road  # first: it says where the harness is
import bus
import grpc
import harness
import lists
import observe
import secure
from eldergate.v1 import exchange_pb2 as x, exchange_pb2_grpc
from google.rpc import status_pb2

NAME = "tester"  # as road.Sender's agency
ROLL = "roll"  # the dataset of the lists
ROWS = 20  # of a list; the next one lacks the first and has a new one
FIRST = 5000  # of the persons in lists
# It bounds each attempt to connect, too, and a handshake takes its time on a machine with much to do.
OPTIONS = [o for o in road.OPTIONS if "min_reconnect" not in o[0]] + [("grpc.min_reconnect_backoff_ms", 5000)]
OVER_BUS = 1_000_000  # batch ids beyond those of the other sender


class Gateway(secure.Gateway):
    def __init__(self, settings):
        super().__init__()
        self.bus = f"tcp://127.0.0.1:{observe.free_port()}"
        self.key = bus.Key(self.place, NAME)
        self.who = self.identity(
            NAME, ["agency", "subscriber"], {**{s: s for s in harness.SECTIONS}, ROLL: "registration"},
            {"test": ["registration.name"]}, more=f'curve: "{self.key.public}"\n')
        self.settings = {**self.settings, "listen.bus": f"{self.bus},ipc://{self.path('bus.sock')}",
                         "bus.heartbeat": "300ms", "lists.shrink_floor": 1_000_000, **settings}


class Ways(road.Road):
    make = Gateway

    def _anew(self):
        super()._anew()
        self.over_bus, self.link, self.list = road.Sender(), None, None
        self.over_bus.history, self.over_bus.next_id = self.sender.history, OVER_BUS

    def start(self):
        ready = super().start()
        for event in self.lines if ready else ():
            if "server_key" in event:  # each address has its line, and one that found no memory is told bare
                self.server_key = event["server_key"]
            elif event.get("event") == "daemon.ready":
                self.gateway.ready = event
        return ready

    def connect(self):
        g = self.gateway
        self.channel = g.to(g.who, OPTIONS)
        self.link = bus.Link(g.bus, self.server_key, g.key)

    def hang_up(self):
        super().hang_up()
        if self.link:
            self.link.kill()
        self.link = None

    def steps(self):
        return [self.listens, self.begins, self.submit, self.listed, self.by_bus, self.read, self.heard, self.published]

    def begins(self):
        super().begins()
        n = self.number
        self.list = [secure.registration(FIRST + n + i, version=0, source_key=f"R-{FIRST + n + i}") for i in range(ROWS)]
        self.sender.history += lists.history(self.list, ROLL, n)
        self.over_bus.add("funeral", [secure.funeral(n * 3), secure.funeral(n * 3 - 3, version=2), secure.funeral(3)])
        return True

    def listed(self):
        stub, report = exchange_pb2_grpc.ExchangeServiceStub(self.channel), None
        try:
            for told in stub.Reconcile(lists.steps(self.list, ROLL, self.number, list_id=f"list {self.number}"),
                                       timeout=road.CALL):
                report = told.report if told.HasField("report") else report
        except grpc.RpcError as error:
            self.failed(error)
            return False
        if not report or report.phase != x.LIST_PHASE_DONE or report.received != ROWS:
            raise road.Wrong(f"a list ended otherwise than done: {report}")
        return True

    @staticmethod
    def refused_by_bus(event):
        """Where the bus has no memory to begin a call, its code and its text are all there is."""
        if event["bytes"]:
            road.well_told(status_pb2.Status.FromString(event["bytes"]))
        elif event["code"] != grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] or not event["text"]:
            raise road.Wrong(f"a refusal of the bus that does not say why: {event}")

    def by_bus(self):
        sender, link = self.over_bus, self.link
        if not sender.pending:
            return True
        call = link.call(bus.SUBMIT)
        for request in list(sender.pending.values()):
            link.send(call, request)
        link.tell(f"close {call}")
        until = time.monotonic() + road.CALL
        while self.gateway.process.poll() is None:
            if time.monotonic() > until:
                raise road.Wrong("a call over the bus hangs")
            try:
                event = link.next(0.1)
            except queue.Empty:
                continue
            if event["event"] in ("end", "failed"):
                raise road.Wrong(f"the adapter's link failed: {event}")
            if event["call"] != call:
                continue
            if event["event"] == "message":
                sender._receipt(x.SubmitResponse.FromString(event["bytes"]).receipt)
                continue
            if event["event"] == "lost" or event["code"]:
                self.cut += 1
            if event["event"] == "status" and event["code"]:
                self.refused_by_bus(event)
            return not sender.pending
        return False
