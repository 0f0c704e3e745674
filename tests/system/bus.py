"""bus: a gateway with a bus, adapters that use the real link, and raw peers that speak proto/BUS.md by themselves.

    with bus.Gateway() as gateway:
        police = gateway.adapter("police", {"household": "registration"})
        gateway.start()
        link = gateway.link(police)
"""
import json
import os
import queue
import struct
import subprocess
import threading
import time

import harness
import observe
import secure
import zmq

CLIENT = os.path.join(harness.BUILD, "tests", "system", "bus_client")
SUBMIT = "/eldergate.v1.ExchangeService/Submit"
SUBSCRIBE = "/eldergate.v1.FeedService/Subscribe"
GET_ELDER = "/eldergate.v1.ExchangeService/GetElder"
LIST_REJECTS = "/eldergate.v1.ExchangeService/ListRejects"
HEALTH = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"

(HELLO, WELCOME, OPEN, MESSAGE, HALF_CLOSE, CREDIT, STATUS, CANCEL, PING, PONG, GOODBYE) = range(1, 12)


class Key:
    def __init__(self, place, name):
        self.name = name
        self.public, self.secret = (k.decode() for k in zmq.curve_keypair())
        self.file = os.path.join(place, name + ".curve")
        with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            f.write(f"{self.public}\n{self.secret}\n")


class Gateway(secure.Gateway):
    """Listens on tcp and ipc."""

    def __init__(self, settings=None):
        super().__init__(settings)
        self.tcp = f"tcp://127.0.0.1:{observe.free_port()}"
        self.ipc = "ipc://" + self.path("bus.sock")
        self.metrics = observe.free_port()
        self.settings = {**self.settings, "listen.bus": f"{self.tcp},{self.ipc}", "bus.heartbeat": "2s",
                         "listen.metrics": f"127.0.0.1:{self.metrics}", **(settings or {})}
        self.links = []

    def start(self, env=None, wait=True):
        super().start(env, wait=False)
        event = self.wait_event("bus.listening")
        self.server_key = event["server_key"]
        if wait:
            self.ready = self.wait_event("daemon.ready")
        return self

    def __exit__(self, *failure):
        for link in self.links:
            link.kill()
        super().__exit__(*failure)

    def adapter(self, name, datasets=None, roles=("agency", "subscriber"), grants=None, more=""):
        key = Key(self.place, name)
        self.identity(name, list(roles), datasets or {"household": "registration"}, grants or {"sync": []},
                      more=f'curve: "{key.public}"\n{more}')
        return key

    def link(self, key, address=None, **more):
        link = Link(address or self.tcp, self.server_key, key, **more)
        self.links.append(link)
        return link

    def raw(self, key, address=None, **more):
        return Raw(address or self.tcp, self.server_key, key, **more)

    def metric(self, name, **labels):
        return observe.metric(self.metrics, name, **labels)


class Link:
    """The real link, in a process of its own."""

    def __init__(self, address, server_key, key, heartbeat_ms=2000, max_message=0):
        self.process = subprocess.Popen([CLIENT, address, server_key, key.file, str(heartbeat_ms), str(max_message)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events = queue.Queue()
        self.calls = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            event["bytes"] = bytes.fromhex(event["bytes"])
            self.events.put(event)
        self.process.stdout.close()
        self.events.put({"event": "end", "call": -1})

    def tell(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def call(self, method, credit=0):
        self.calls += 1
        self.tell(f"call {self.calls} {method} {credit}")
        return self.calls

    def send(self, call, message):
        self.tell(f"send {call} {message.SerializeToString().hex()}")

    def next(self, seconds=harness.PATIENCE):
        return self.events.get(timeout=seconds)

    def wait(self, event, call=None, seconds=harness.PATIENCE):
        """The next such event; others before it are dropped."""
        until = time.monotonic() + seconds
        while True:
            e = self.next(max(0.01, until - time.monotonic()))
            if e["event"] == event and call in (None, e["call"]):
                return e
            if e["event"] == "end":
                raise AssertionError(f"the adapter ended before {event}")

    def trouble(self):
        self.tell("trouble")
        return self.wait("trouble")

    def unary(self, method, request, answer):
        """(code, answer)"""
        call = self.call(method)
        self.send(call, request)
        self.tell(f"close {call}")
        got = None
        while True:
            e = self.next()
            if e["call"] != call:
                continue
            if e["event"] == "message":
                got = answer.FromString(e["bytes"])
            else:
                assert e["event"] == "status", e
                return e["code"], got

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


class Raw:
    """A peer made of this page and pyzmq alone: what another implementation of proto/BUS.md would be."""

    def __init__(self, address, server_key, key, greet=True, max_message=2 << 20, heartbeat_ms=60000, **options):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = server_key.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = key.public.encode(), key.secret.encode()
        for name, value in options.items():
            setattr(self.socket, name, value)
        self.socket.connect(address)
        if greet:
            self.hello(heartbeat_ms, max_message)
            self.wait(WELCOME)

    def hello(self, heartbeat_ms=60000, max_message=2 << 20, first=1, last=1):
        self.put(struct.pack(">B5sHHII", HELLO, b"EGBUS", first, last, heartbeat_ms, max_message))

    def put(self, *parts):
        self.socket.send_multipart(parts)

    def open(self, call, method, credit=1):
        self.put(struct.pack(">BQIH", OPEN, call, credit, len(method)) + method.encode() + b"\0\0")

    def message(self, call, payload):
        self.put(struct.pack(">BQ", MESSAGE, call), payload)

    def half_close(self, call):
        self.put(struct.pack(">BQ", HALF_CLOSE, call))

    def credit(self, call, n):
        self.put(struct.pack(">BQI", CREDIT, call, n))

    def ping(self):
        self.put(struct.pack(">BQ", PING, 7))

    def next(self, seconds=harness.PATIENCE):
        """(kind, call or None, rest of the header, payload); None: nothing came."""
        if not self.socket.poll(seconds * 1000):
            return None
        header, *payload = self.socket.recv_multipart()
        kind = header[0]
        call = struct.unpack(">Q", header[1:9])[0] if kind in (OPEN, MESSAGE, HALF_CLOSE, CREDIT, STATUS, CANCEL) else None
        return kind, call, header[9 if call else 1:], payload[0] if payload else None

    def wait(self, kind, seconds=harness.PATIENCE):
        until = time.monotonic() + seconds
        while True:
            got = self.next(max(0.001, until - time.monotonic()))
            if not got:
                raise AssertionError(f"no frame of kind {kind} within {seconds} s")
            if got[0] == kind:
                return got

    def close(self):
        self.socket.close()
        self.context.term()


def code_of(frame):
    """google.rpc.Code of a STATUS or GOODBYE."""
    return struct.unpack(">I", frame[2][:4])[0]
