#!/usr/bin/python3
"""web: an agency's HTTP interface in a process of its own, which may be killed and started again over the same folder.

    peer = web.Peer()
    peer.put([{"KEY": "K-1"}])

It answers GET with pages of the rows (of the window from..to, if that is asked), and keeps each POST in its folder before it
answers: 409 for an Idempotency-Key that it has, 400 without one, 422 for a body that holds the text of the file `refuse`."""
import base64
import collections
import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE_MOST = 50  # rows, whatever is asked
ZONE = datetime.timezone(datetime.timedelta(hours=8))


# ---- the server ----


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def say(self, value, status=200):
        body = json.dumps(value, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.server.secret and not self.signed():
                self.say({"code": 401, "message": "signature"})
            elif self.command == "GET":
                self.page()
            else:
                self.take(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = serve

    def signed(self):
        h = self.headers
        text = h.get("gjgxjhpt_sid", "") + h.get("gjgxjhpt_rid", "") + h.get("gjgxjhpt_rtime", "")
        mac = hmac.new(self.server.secret.encode(), text.encode(), hashlib.sha256).digest()
        return h.get("gjgxjhpt_sign") == base64.b64encode(mac).decode()

    def page(self):
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        rows = self.server.rows()
        if "from" in asked:
            low, high = milliseconds(asked["from"]), milliseconds(asked["to"], 999)
            rows = [r for r in rows if low <= r["at"] <= high]
        size = min(int(asked["size"]), PAGE_MOST)
        first = (int(asked["page"]) - 1) * size
        self.server.passing("page")
        self.say({"code": 0, "data": {"total": len(rows), "list": [r["row"] for r in rows[first:first + size]]}})

    def take(self, body):
        key, s = self.headers.get("Idempotency-Key"), self.server
        if not key:
            return self.say({"code": 400}, 400)
        with s.lock:
            known = key in s.keys
            outcome = "again" if known else "refused" if s.refuses(body) else "taken"
            os.write(s.posts, (json.dumps([key, outcome, json.loads(body)], ensure_ascii=False) + "\n").encode())
            if outcome == "taken":
                s.keys.add(key)
        s.passing("post")
        return self.say({"code": 0}, {"again": 409, "refused": 422, "taken": 200}[outcome])


def milliseconds(text, more=0):
    """Of an instant as `time_format` wrote it: milliseconds, or a time of day in Shanghai, to the end of its second."""
    if text.isdigit():
        return int(text)
    at = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    return int(at.timestamp()) * 1000 + more


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, place, port, secret, hold):
        self.place, self.secret, self.lock = place, secret, threading.Lock()
        self.hold, self.passed = hold.split(":") if hold else (None, "0"), collections.Counter()
        self.keys = {key for key, outcome, _ in posts_of(place) if outcome == "taken"}
        self.posts = os.open(os.path.join(place, "posts"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        super().__init__(("127.0.0.1", port), Handler)

    def handle_error(self, *_):
        pass

    def rows(self):
        return read_rows(self.place)

    def refuses(self, body):
        try:
            with open(os.path.join(self.place, "refuse"), encoding="utf-8") as f:
                return f.read() in body.decode()
        except FileNotFoundError:
            return False

    def passing(self, what):
        """The nth passage of what it holds gets no answer, and whoever waits for that is told."""
        with self.lock:
            self.passed[what] += 1
            held = self.hold == [what, str(self.passed[what])]
        if held:
            open(os.path.join(self.place, "held"), "w", encoding="ascii").close()
            threading.Event().wait()


def read_rows(place):
    try:
        with open(os.path.join(place, "rows"), encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return []


def posts_of(place):
    try:
        with open(os.path.join(place, "posts"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]
    except FileNotFoundError:
        return []


# ---- who starts it ----


class Peer:
    def __init__(self, secret=""):
        self.place = tempfile.mkdtemp(prefix="eg-web-")
        self.secret, self.port, self.process = secret, 0, None
        self.start()

    def path(self, name):
        return os.path.join(self.place, name)

    def start(self, hold=""):
        """hold: page:N or post:N, the passage that gets no answer."""
        if os.path.exists(self.path("held")):
            os.unlink(self.path("held"))
        self.process = subprocess.Popen([sys.executable, __file__, self.place, str(self.port), self.secret, hold],
                                        stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline()
        if not said:
            raise AssertionError("the HTTP peer did not start")
        self.port = int(said)  # it keeps that for its next lives

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    def pids(self):
        return [self.process.pid]

    def gone(self):
        return self.process.poll() is not None

    def held(self):
        return os.path.exists(self.path("held"))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.kill()
        shutil.rmtree(self.place, ignore_errors=True)

    def put(self, rows, at=None):
        """These, besides those that are there; at: milliseconds since 1970 of each; None: now."""
        at = int(time.time() * 1000) if at is None else at
        self.write(read_rows(self.place) + [{"at": at, "row": row} for row in rows])
        return at

    def write(self, rows):
        with open(self.path("rows.tmp"), "w", encoding="utf-8") as f:
            json.dump(rows, f, ensure_ascii=False)
        os.rename(self.path("rows.tmp"), self.path("rows"))

    def refuse(self, text):
        """Posts that hold it are refused; None: all are taken."""
        if text is None:
            return os.unlink(self.path("refuse"))
        with open(self.path("refuse.tmp"), "w", encoding="utf-8") as f:
            f.write(text)
        return os.rename(self.path("refuse.tmp"), self.path("refuse"))

    def posts(self):
        """(Idempotency-Key, taken, again or refused, body) of each, in order."""
        return posts_of(self.place)


def main(place, port, secret, hold):
    server = Server(place, int(port), secret, hold)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
