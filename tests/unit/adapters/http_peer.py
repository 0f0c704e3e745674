#!/usr/bin/python3
"""http_peer: the other side of the HTTP connector's tests: plain and TLS, well-behaved and hostile.

Prints its ports, then serves until its standard input closes. What it was asked is written to DIR/requests, before
it answers: method, path, headers, a blank line, body, a line "--". Scenarios are the first part of the path."""
import base64, collections, datetime, gzip, hashlib, hmac, json, os, socket, ssl, sys, threading, urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DIR = sys.argv[1]
lock = threading.Lock()
calls = collections.Counter()
delivered = set()
stop = threading.Event()
log = open(f"{DIR}/requests", "ab", buffering=0)
GB = "张三丰䶮"

BODIES = {  # name: (content type, bytes)
    "error": ("application/json", b'{"code":"9002","message":"ZHANGSAN 330302194910010013 not found","data":{"list":[]}}'),
    "longcode": ("application/json", b'{"code":"330302194910010013","data":{"list":[]}}'),
    "nocode": ("application/json", b'{"data":{"list":[{"id":"1"}]}}'),
    "norows": ("application/json", b'{"code":"0","data":{}}'),
    "nullrows": ("application/json", b'{"code":"0","data":{"list":null}}'),
    "deep": ("application/json", b'{"code":"0","data":{"list":' + b"[" * 200000 + b"]" * 200000 + b"}}"),
    "twice": ("application/json", b'{"code":"0","data":{"list":[{"id":"1","id":"2"}]}}'),
    "html": ("text/html", b"<html>login</html>"),
    "notype": ("", b'{"code":"0","data":{"list":[]}}'),
    "cut": ("application/json", b'{"code":"0","data":{"list":[{"id":"1"'),
    "mixed": ("application/json", json.dumps({"code": 0, "data": {"list": [
        {"id": 1, "name": "a\0b"}, {"id": 2, "tags": ["x", "y"], "p": {"q": {"r": "deep"}, "none": None}},
        {"id": 3, "cards": ["a"]}, {"id": 4, "tags": [{"no": 1}]}, "scalar", {"id": 5, "p.q.r": "1", "p": {"q": {"r": "2"}}},
        {"id": 6, "new": True}]}}).encode()),
    "badbytes": ("application/json", b'{"code":"0","data":{"list":[{"id":"1","name":"\xff\xfe"},{"id":"2","name":"ok"}]}}'),
    "gbk": ("application/json;charset=GBK", json.dumps(
        {"code": "0", "data": {"list": [{"id": "1", "name": GB}]}}, ensure_ascii=False).encode("gb18030")),
    "gbkbad": ("application/json;charset=gb2312", b'{"code":"0","data":{"list":[{"id":"1","name":"\xff"},{"id":"2","name":"\xd5\xc5\x80"}]}}'),
    "soap": ("text/xml", ('<?xml version="1.0" encoding="GBK"?><s:Envelope xmlns:s="urn:s"><s:Body><r><code>200</code>'
             '<total>2</total><row no="1"><id>1</id><name>张</name></row><row no="2"><id>2</id><name/></row></r></s:Body></s:Envelope>').encode("gb18030")),
    "soapinner": ("text/xml", b'<s:Envelope xmlns:s="urn:s"><s:Body><q><return>{"code":"0","data":{"list":[{"id":"&lt;1"}]}}</return></q></s:Body></s:Envelope>'),
    "laughs": ("text/xml", b'<!DOCTYPE l [<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 20) for i in range(10)) + b']><l>&k;</l>'),
    "entity": ("text/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><code>0</code><row><id>&x;</id></row></a>'),
}

def rows(first, n, total):
    return [{"id": i, "name": f"n{i}"} for i in range(first, min(first + n, total))]

class Peer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *_): pass

    def answer(self, body=b"", status=200, kind="application/json", **headers):
        self.send_response_only(status)
        self.send_header("Date", headers.pop("date", None) or self.date_time_string())
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def say(self, value, **more):
        self.answer(json.dumps(value).encode(), **more)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        head = "".join(f"{k}: {v}\n" for k, v in self.headers.items())
        with lock:
            log.write(f"{self.command} {self.path}\n{head}\n".encode() + body + b"\n--\n")
            calls[self.path.split("?")[0]] += 1
            self.nth = calls[self.path.split("?")[0]]
        url = urllib.parse.urlsplit(self.path)
        self.args = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        name, *rest = url.path.strip("/").split("/")
        self.body = body
        try:
            getattr(self, "on_" + name)(*rest)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
    do_GET = do_POST = do_PUT = serve

    # ---- well-behaved ----

    def on_body(self, name):
        kind, body = BODIES[name]
        self.answer(body, kind=kind)

    def on_pages(self, total, cap="1000000"):
        page, size, total = int(self.args["page"]), min(int(self.args["size"]), int(cap)), int(total)
        self.say({"code": "0", "data": {"total": total, "list": rows((page - 1) * size, size, total)}})

    def on_growing(self, _=""):
        """One more row is there from the third call on, before all others."""
        page, size, total = int(self.args["page"]), 2, 5 + (self.nth > 2)
        first = (page - 1) * size - (self.nth > 2)
        self.say({"code": "0", "data": {"total": total, "list": rows(first, size, 5)}})

    def on_lying(self):
        self.say({"code": "0", "data": {"total": 7, "list": rows(0, 5, 5) if self.args["page"] == "1" else []}})

    def on_restless(self):
        self.say({"code": "0", "data": {"total": 10 + self.nth, "list": rows(0, 2, 2)}})

    def on_emptied(self, good, said):
        """A list of nine whose pages empty after the good ones; then the total is what is said, - for none."""
        page = int(self.args["page"])
        data = {"total": 9, "list": rows((page - 1) * 2, 2, 9)}
        if page > int(good):
            data = {"list": []} if said == "-" else {"total": int(said), "list": []}
        self.say({"code": "0", "data": data})

    def on_clocked(self, hours, ago="0"):
        """One row, and when it was written (microseconds), some seconds ago, by a clock so many hours ahead of ours."""
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=int(hours))
        self.say({"code": "0", "data": {"total": 1, "list": [{"id": 1, "at": int((at.timestamp() - int(ago)) * 1e6)}]}},
                 date=at.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    def on_cursor(self, total):
        at = int((self.args["cursor"] or "c0")[1:])
        more = at + 2 < int(total)
        self.say({"code": "0", "next": f"c{at + 2}" if more else "", "data": {"list": rows(at, 2, int(total))}})

    def on_counted(self, total):
        """A list by cursor that says how many rows it has."""
        at = int((self.args["cursor"] or "c0")[1:])
        more = at + 2 < int(total)
        self.say({"code": "0", "next": f"c{at + 2}" if more else "", "data": {"total": int(total), "list": rows(at, 2, int(total))}})

    def on_token(self, kind):
        self.say({"code": "0", "next": {"same": "c0", "id": "11010519491231002X", "ends": "a\nb"}[kind], "data": {"list": rows(0, 2, 2)}})

    def on_skew(self, hours):
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=int(hours))
        self.say({"code": "0", "data": {"total": 0, "list": []}}, date=at.strftime("%a, %d %b %Y %H:%M:%S GMT"))

    def on_breaks(self, good):
        """A list whose later pages fail."""
        if int(self.args["page"]) > int(good):
            return self.say({}, status=500)
        self.on_pages("1000")

    # ---- statuses, one after the other ----

    def on_status204(self):
        self.send_response(204)
        self.end_headers()

    def on_seq(self, statuses):
        steps = statuses.split("-")
        status, _, after = steps[min(self.nth, len(steps)) - 1].partition("r")
        more = {"Retry_After": after} if after else {}
        self.say({"code": "0" if status == "200" else "busy", "data": {"total": 1, "list": rows(0, 1, 1)}}, status=int(status), **more)

    def on_code(self, codes):
        steps = codes.split("-")
        self.say({"code": steps[min(self.nth, len(steps)) - 1], "data": {"total": 1, "list": rows(0, 1, 1)}})

    # ---- signatures ----

    def good(self, secret, digest):
        h = self.headers
        text = h.get("gjgxjhpt_sid", "") + h.get("gjgxjhpt_rid", "") + h.get("gjgxjhpt_rtime", "")
        mac = hmac.new(secret.encode(), text.encode(), lambda: hashlib.new(digest)).digest()
        return h.get("gjgxjhpt_sign") == base64.b64encode(mac).decode() and len(h["gjgxjhpt_rtime"]) == 13

    def on_signed(self, digest, secret="first"):
        self.say({"code": "0" if self.good(secret, digest) else "401", "data": {"total": 0, "list": []}})

    def on_renew(self, life):
        ok = self.good("first", "sha256")
        self.say({"code": "0" if ok else "401", "data": {"secret": f"secret{self.nth}", "ends": life}})

    def on_renewed(self, life, nth):
        """Takes the nth secret only."""
        self.on_signed("sha256", f"secret{nth}")

    def on_revoking(self, life):
        """At its second call it wants a newer secret than it has given out so far."""
        with lock:
            given = calls["/renew/" + life]
        if self.nth == 2 or not self.good(f"secret{given}", "sha256"):
            return self.say({"code": "401"})
        self.say({"code": "0", "data": {"list": rows(0, 2, 2) if self.args["page"] == "1" else []}})

    # ---- deliveries ----

    def on_deliver(self):
        key = self.headers["Idempotency-Key"]
        if b"poison" in self.body:
            return self.say({"code": "bad"}, status=422)
        with lock:
            if key in delivered:
                return self.say({"code": "there"}, status=409)
            delivered.add(key)
        self.say({"code": "0"})

    def on_deliver_once_lost(self):
        """Takes it, and the answer is lost."""
        with lock:
            new = self.headers["Idempotency-Key"] not in delivered
            delivered.add(self.headers["Idempotency-Key"])
        if new:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        self.say({"code": "there"}, status=409)

    # ---- hostile ----

    def on_hang(self):
        stop.wait()
        self.close_connection = True

    def on_close(self):
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def on_drip(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        while not stop.wait(0.2):
            self.wfile.write(b" ")
            self.wfile.flush()

    def flood(self, block=b" " * 65536):
        """Up to 2 GiB of it, and tells how much was taken."""
        sent = 0
        try:
            while sent < 2 << 30 and not stop.is_set():
                self.wfile.write(block)
                sent += len(block)
        finally:
            self.close_connection = True
            with lock:
                log.write(f"SENT {sent}\n--\n".encode())

    def on_huge(self, said="no"):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        if said == "yes":
            self.send_header("Content-Length", str(2 << 30))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.flood()

    def on_chunked(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.flood(b"10000\r\n" + b" " * 65536 + b"\r\n")

    def on_headers(self):
        self.send_response(200)
        self.flush_headers()
        self.flood(b"X-More: " + b"x" * 1000 + b"\r\n")

    def on_gzip(self):
        bomb = gzip.compress(b" " * (64 << 20))
        self.answer(bomb, Content_Encoding="gzip")

    def on_redirect(self, where):
        port = self.server.server_address[1]
        to = {"same": f"/pages/1?{urllib.parse.urlencode(self.args)}", "host": f"http://localhost:{port}/pages/1?page=1&size=9",
              "file": "file:///etc/passwd", "gopher": "gopher://127.0.0.1/", "loop": "/redirect/loop"}[where]
        self.answer(status=302, Location=to)

    def on_garbage(self):
        self.wfile.write(b"\x00\x01\x02 this is no HTTP\r\n\r\n")
        self.close_connection = True

class Server(ThreadingHTTPServer):
    daemon_threads = True
    def handle_error(self, *_): pass

def tls():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{DIR}/server.pem", f"{DIR}/server.key")
    return context

def certificates():
    """An authority, a server for 127.0.0.1, one for another name, and a client."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    import ipaddress
    now = datetime.datetime.utcnow()
    def make(name, issuer=None, issuer_key=None, names=()):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        b = x509.CertificateBuilder(issuer.subject if issuer else subject, subject, key.public_key(), x509.random_serial_number(),
                                    now - datetime.timedelta(hours=1), now + datetime.timedelta(days=1))
        b = b.add_extension(x509.BasicConstraints(not issuer, None), True)
        if names:
            b = b.add_extension(x509.SubjectAlternativeName(names), False)
        cert = b.sign(issuer_key or key, hashes.SHA256())
        with open(f"{DIR}/{name}.pem", "wb") as f:
            f.write(cert.public_bytes(serialization.Encoding.PEM))
        with open(f"{DIR}/{name}.key", "wb") as f:
            f.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return cert, key
    ca, ca_key = make("authority")
    make("server", ca, ca_key, [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    make("stranger", ca, ca_key, [x509.DNSName("elsewhere.invalid")])
    make("client", ca, ca_key)

def serve(wrap=None):
    server = Server(("127.0.0.1", 0), Peer)
    if wrap:
        server.socket = wrap.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]

def contexts():
    certificates()
    good, stranger, mutual, old = tls(), tls(), tls(), tls()
    stranger.load_cert_chain(f"{DIR}/stranger.pem", f"{DIR}/stranger.key")
    mutual.load_verify_locations(f"{DIR}/authority.pem")
    mutual.verify_mode = ssl.CERT_REQUIRED
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    return good, stranger, mutual, old

def deaf():
    """A port whose queue of connections is full: another one hangs."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [listener]
    for _ in range(4):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
        waiting.append(s)
    return listener.getsockname()[1], waiting

import warnings
warnings.simplefilter("ignore")
deaf_port, keep = deaf()
print(serve(), *(serve(c) for c in contexts()), deaf_port, flush=True)
sys.stdin.read()
stop.set()
os._exit(0)
