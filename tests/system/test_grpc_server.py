#!/usr/bin/python3
"""The gRPC server itself: who gets in, what is refused and how, what a hostile caller cannot do to others."""
import contextlib
import http.client
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import harness
from harness import PATIENCE
import secure
import grpc
from eldergate.v1 import admin_pb2, admin_pb2_grpc, exchange_pb2, exchange_pb2_grpc
from google.protobuf import descriptor_pb2


def health(channel, service="", timeout=PATIENCE, **more):
    """grpc.health.v1.Health/Check by hand: (status code or None, serving status)"""
    request = bytes([0x0A, len(service)]) + service.encode() if service else b""
    call = channel.unary_unary("/grpc.health.v1.Health/Check")
    return call(request, timeout=timeout, **more)


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = secure.Gateway().__enter__()
        cls.police = cls.gateway.agency("police", grants={"check": ["registration.name"]})
        cls.admin = cls.gateway.identity("admin", ["admin"])
        cls.gateway.identity("root", ["admin"], uid=os.getuid())
        cls.gateway.start()

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.gateway.alive(), "the daemon died"
            assert cls.gateway.stop() == 0, cls.gateway.log_tail()
        finally:
            cls.gateway.__exit__(None, None, None)

    def fails(self, code, reason, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        got, texts, fields, retry = secure.details_of(secure.status_of(error))
        self.assertEqual(got, reason)
        self.assertEqual(set(texts), {"zh-CN", "en"})
        self.assertTrue(all(texts.values()))
        return fields, retry

    # ---- who gets in ----

    def test_health_needs_no_identity(self):
        for channel in (self.gateway.to(self.police), self.gateway.to(self.gateway.stranger()),
                        self.gateway.local()):
            self.assertEqual(health(channel), b"\x08\x01")
            self.assertEqual(health(channel, "eldergate.v1.ExchangeService"), b"\x08\x01")

    def test_health_of_an_unknown_service(self):
        with self.assertRaises(grpc.RpcError) as caught:
            health(self.gateway.to(self.police), "eldergate.v1.NoSuchService")
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_health_watch_tells_and_stays(self):
        watch = self.gateway.to(self.police).unary_stream("/grpc.health.v1.Health/Watch")(b"", timeout=PATIENCE)
        self.assertEqual(next(watch), b"\x08\x01")
        watch.cancel()

    def test_a_certificate_by_its_pin(self):
        status = admin_pb2_grpc.AdminServiceStub(self.gateway.to(self.admin)).GetStatus(
            admin_pb2.GetStatusRequest(), timeout=PATIENCE)
        self.assertEqual(len(status.log_id), 32)
        self.assertGreaterEqual(status.head_seq, 1)

    def test_a_local_user_by_the_socket(self):
        status = admin_pb2_grpc.AdminServiceStub(self.gateway.local()).GetStatus(
            admin_pb2.GetStatusRequest(), timeout=PATIENCE)
        self.assertEqual([lane.name for lane in status.lanes], ["urgent", "read", "live", "bulk"])

    def test_a_certificate_that_nobody_registered(self):
        stub = admin_pb2_grpc.AdminServiceStub(self.gateway.to(self.gateway.stranger()))
        self.fails(grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_UNKNOWN",
                   lambda: stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=PATIENCE))

    def test_metadata_is_no_identity(self):
        stub = admin_pb2_grpc.AdminServiceStub(self.gateway.to(self.gateway.stranger()))
        claims = (("x-identity", "admin"), ("x-forwarded-client-cert", "admin"), ("authorization", "Bearer admin"))
        self.fails(grpc.StatusCode.UNAUTHENTICATED, "IDENTITY_UNKNOWN",
                   lambda: stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=PATIENCE, metadata=claims))

    def test_another_authority_is_turned_away_in_the_handshake(self):
        other = secure.Authority("test authority")
        certificate, key, _ = other.issue("police")
        channel = self.gateway.to(secure.Identity("police", certificate, key))
        with self.assertRaises(grpc.RpcError) as caught:
            health(channel)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def test_no_certificate_no_handshake(self):
        channel = grpc.secure_channel(f"127.0.0.1:{self.gateway.port}",
                                      grpc.ssl_channel_credentials(self.gateway.authority.pem))
        with channel, self.assertRaises(grpc.RpcError):
            health(channel)

    def test_a_role_that_does_not_fit(self):
        stub = admin_pb2_grpc.AdminServiceStub(self.gateway.to(self.police))
        self.fails(grpc.StatusCode.PERMISSION_DENIED, "METHOD_NOT_PERMITTED",
                   lambda: stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=PATIENCE))

    # ---- what is refused ----

    def test_a_method_that_is_not_offered(self):
        for path in ("/eldergate.v1.ExchangeService/NoSuchMethod", "/no.such.Service/Method", "/"):
            call = self.gateway.to(self.police).unary_unary(path)
            with self.assertRaises(grpc.RpcError) as caught:
                call(b"", timeout=PATIENCE)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNIMPLEMENTED)

    def test_garbage_as_a_request(self):
        call = self.gateway.to(self.police).unary_unary("/eldergate.v1.ExchangeService/GetElder")
        for body in (b"\xff" * 40, b"\x0a\x05abc", b"\x0a\x02\xff\xfe", b"\x0a\x01\x00", b"\x08\x01",
                     b"\x1a\x02\x12\x05", b"\x0b\x0c"):
            self.fails(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", lambda: call(body, timeout=PATIENCE))

    def test_a_message_over_the_limit(self):
        call = self.gateway.to(self.police).unary_unary("/eldergate.v1.ExchangeService/GetElder")
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"\x12\xff\xff\xff\x01" + b"a" * (4 << 20), timeout=PATIENCE)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(health(self.gateway.to(self.police)), b"\x08\x01")

    def test_compressed_messages_are_not_taken(self):
        call = self.gateway.to(self.police, [("grpc.default_compression_algorithm", 2)]).unary_unary(
            "/eldergate.v1.ExchangeService/GetElder")
        with self.assertRaises(grpc.RpcError) as caught:
            call(b"\x0a" + bytes([127]) + b"a" * 127, timeout=PATIENCE, compression=grpc.Compression.Gzip)
        self.assertIn(caught.exception.code(), (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INVALID_ARGUMENT))

    # ---- what a caller cannot do to others ----

    def test_cancelled_calls_leave_nothing(self):
        channel = self.gateway.to(self.police)
        call = channel.unary_unary("/eldergate.v1.ExchangeService/ListRejects")
        futures = [call.future(b"", timeout=PATIENCE) for _ in range(300)]
        for future in futures[::2]:
            future.cancel()
        for future in futures[1::2]:
            future.result()
        self.assertEqual(health(channel), b"\x08\x01")

    def test_half_open_calls_do_not_stop_others(self):
        channel = self.gateway.to(self.police)
        stop = threading.Event()

        def silent():
            stop.wait(20)
            return
            yield

        submit = channel.stream_stream("/eldergate.v1.ExchangeService/Submit")
        open_calls = [submit(silent()) for _ in range(60)]
        for _ in range(20):
            self.assertEqual(health(self.gateway.to(self.police)), b"\x08\x01")
        stop.set()
        for call in open_calls:
            self.assertEqual(list(call), [])

    def test_connections_that_say_nothing_or_nonsense(self):
        sockets = []
        for _ in range(50):
            s = socket.create_connection(("127.0.0.1", self.gateway.port))
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            sockets.append(s)
        for _ in range(50):
            s = socket.socket(socket.AF_UNIX)
            s.connect(self.gateway.socket)
            s.sendall(b"\x00" * 100)
            sockets.append(s)
        self.assertEqual(health(self.gateway.to(self.police)), b"\x08\x01")
        self.assertEqual(health(self.gateway.local()), b"\x08\x01")
        for s in sockets:
            s.close()

    def test_a_deadline_is_kept(self):
        call = self.gateway.to(self.police).unary_unary("/eldergate.v1.ExchangeService/ListRejects")
        began = time.monotonic()
        try:
            call(b"", timeout=0.0005)
        except grpc.RpcError as error:
            self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(time.monotonic() - began, 2)


class Reflection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = secure.Gateway().__enter__()
        cls.police = cls.gateway.agency("police")
        cls.gateway.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.__exit__(None, None, None)

    def ask(self, version, field, text):
        """One question; the response's fields by number."""
        body = bytes([field << 3 | 2, len(text)]) + text.encode()
        call = self.gateway.to(self.police).stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
        return fields_of(next(call(iter([body]), timeout=PATIENCE)))

    def test_services(self):
        for version in ("v1", "v1alpha"):
            answer = self.ask(version, 7, "*")
            names = [fields_of(v)[0][1].decode() for n, v in fields_of(dict(answer)[6]) if n == 1]
            self.assertEqual(names, [
                "eldergate.v1.ExchangeService", "eldergate.v1.FeedService", "eldergate.v1.AuditService",
                "eldergate.v1.CaseService", "eldergate.v1.AdminService", "grpc.health.v1.Health",
                "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"])

    def test_a_symbol_comes_with_all_that_it_needs(self):
        for symbol in ("eldergate.v1.ExchangeService", "eldergate.v1.ExchangeService.Submit",
                       "eldergate.v1.SubmitRequest", "eldergate.v1.SubmitRequest.batch_id",
                       "eldergate.v1.LANE_BULK"):
            answer = dict(self.ask("v1", 4, symbol))
            files = [descriptor_pb2.FileDescriptorProto.FromString(v) for n, v in fields_of(answer[4])]
            names = {f.name for f in files}
            self.assertEqual(files[0].name, "eldergate/v1/exchange.proto")
            self.assertTrue(all(d in names for f in files for d in f.dependency))
            self.assertTrue(files[0].source_code_info.location, "comments teach")

    def test_a_file(self):
        answer = dict(self.ask("v1", 3, "grpc/health/v1/health.proto"))
        self.assertIn(4, answer)

    def test_what_there_is_not(self):
        for field, text in ((3, "no/such.proto"), (4, "no.such.Symbol"), (6, "eldergate.v1.Record")):
            answer = dict(self.ask("v1", field, text))
            self.assertEqual(dict(fields_of(answer[7]))[1], grpc.StatusCode.NOT_FOUND.value[0])


def fields_of(data):
    """(number, value) of a message's fields on the wire."""
    out, at = [], 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            at, value = at + value, data[at:at + value]
        out.append((tag >> 3, value))
    return out


class Policy(unittest.TestCase):
    def test_reload_and_revocation(self):
        with secure.Gateway() as gateway:
            admin = gateway.identity("admin", ["admin"])
            police = gateway.agency("police")
            gateway.start()
            stub = admin_pb2_grpc.AdminServiceStub(gateway.to(admin))
            first = stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=PATIENCE)
            submit = exchange_pb2_grpc.ExchangeServiceStub(gateway.to(police)).Submit
            stop = threading.Event()

            def batches():
                yield exchange_pb2.SubmitRequest(batch_id="b", dataset="household",
                                                 records=[secure.registration(1)])
                stop.wait(20)

            stream = submit(batches())
            self.assertEqual(next(stream).receipt.batch_id, "b")
            gateway.identity("operator", ["operator"])
            gateway.reload()
            self.assertNotEqual(stub.GetStatus(admin_pb2.GetStatusRequest(), timeout=PATIENCE).policy_version,
                                first.policy_version)
            gateway.forget("police")
            gateway.reload()
            with self.assertRaises(grpc.RpcError) as caught:
                next(stream)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            stop.set()

    def test_a_key_that_moves_to_another_agency(self):
        """What is under way was begun as one agency, and must not go on as another."""
        with secure.Gateway() as gateway:
            police = gateway.agency("police")
            gateway.start()
            stub = exchange_pb2_grpc.ExchangeServiceStub(gateway.to(police))
            stop = threading.Event()
            self.addCleanup(stop.set)

            def batches():
                yield exchange_pb2.SubmitRequest(batch_id="b", dataset="household",
                                                 records=[secure.registration(1)])
                stop.wait(20)

            def steps():
                yield exchange_pb2.ReconcileRequest(begin=exchange_pb2.ReconcileBegin(
                    list_id="l", dataset="household", as_of=5))
                stop.wait(20)

            stream, listing = stub.Submit(batches()), stub.Reconcile(steps())
            self.assertEqual(next(stream).receipt.batch_id, "b")
            folder = os.path.join(gateway.data, "lists")
            harness.until(lambda: os.listdir(folder), "the list to begin")
            with open(gateway.path("identities.d/police.yaml"), encoding="utf-8") as f:
                text = f.read()
            gateway.forget("police")
            gateway.write("identities.d/customs.yaml", text.replace("name: police", "name: customs").encode())
            gateway.reload()
            for call in (stream, listing):
                with self.assertRaises(grpc.RpcError) as caught:
                    next(call)
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED, caught.exception)
                self.assertIn("IDENTITY_MOVED", str(caught.exception.trailing_metadata()))
            harness.until(lambda: not os.listdir(folder), "the list to go")
            again = next(stub.Submit(iter([exchange_pb2.SubmitRequest(batch_id="c", dataset="household", records=[
                secure.registration(2)])]), timeout=PATIENCE))
            self.assertEqual((again.receipt.batch_id, again.receipt.status.code), ("c", 0))

    def test_a_new_certificate_without_a_restart(self):
        with secure.Gateway() as gateway:
            police = gateway.agency("police")
            gateway.start()
            self.assertEqual(health(gateway.to(police)), b"\x08\x01")
            gateway.write("server.key", b"-----BEGIN garbage\n")
            self.assertEqual(health(gateway.to(police, [("grpc.use_local_subchannel_pool", 1)])), b"\x08\x01")
            certificate, key, _ = gateway.authority.issue("localhost", server=True)
            gateway.write("server.pem", certificate)
            gateway.write("server.key", key)
            self.assertEqual(health(gateway.to(police, [("grpc.use_local_subchannel_pool", 1)])), b"\x08\x01")
            import ssl
            context = ssl.create_default_context(cadata=gateway.authority.pem.decode())
            gateway.write("c.pem", police.certificate + police.key)
            context.load_cert_chain(gateway.path("c.pem"))
            with socket.create_connection(("127.0.0.1", gateway.port)) as raw, \
                    context.wrap_socket(raw, server_hostname="localhost") as tls:
                self.assertEqual(tls.getpeercert(True), ssl.PEM_cert_to_DER_cert(certificate.decode()))


class Starting(unittest.TestCase):
    def fails(self, gateway, *words):
        gateway.start(wait=False)
        self.assertNotEqual(gateway.process.wait(30), 0)
        harness.until(lambda: "daemon.start_failed" in gateway.log_text(), "the reason in the log")
        for word in words:
            self.assertIn(word, gateway.log_text())

    def test_a_port_in_use(self):
        with secure.Gateway() as first, socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            first.settings["listen.tls"] = "127.0.0.1:%d" % taken.getsockname()[1]
            self.fails(first, "listen.tls")

    def test_files_that_are_missing_or_none(self):
        for name, setting in (("server.pem", "tls.certificate"), ("server.key", "tls.key"), ("ca.pem", "tls.client_ca")):
            with secure.Gateway() as gateway:
                gateway.write(name, b"no PEM\n")
                self.fails(gateway, setting)
            with secure.Gateway() as gateway:
                gateway.settings[setting] = "/nonexistent/file.pem"
                self.fails(gateway, setting, "/nonexistent/file.pem")

    def test_a_socket_left_by_a_killed_daemon(self):
        with secure.Gateway() as gateway:
            gateway.identity("root", ["admin"], uid=os.getuid())
            gateway.start()
            gateway.kill()
            self.assertTrue(os.path.exists(gateway.socket))
            gateway.start()
            self.assertEqual(health(gateway.local()), b"\x08\x01")


class LocalUsers(unittest.TestCase):
    @unittest.skipUnless(os.getuid() == 0, "only root can be somebody else")
    def test_each_connection_has_its_own_user(self):
        script = '''
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(int(sys.argv[2]))
sys.path.insert(0, sys.argv[3])
import grpc
from eldergate.v1 import admin_pb2, admin_pb2_grpc
for _ in range(int(sys.argv[4])):
    with grpc.insecure_channel("unix:" + sys.argv[1], options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        try:
            admin_pb2_grpc.AdminServiceStub(channel).GetStatus(admin_pb2.GetStatusRequest(), timeout=60)
            print("in")
        except grpc.RpcError as error:
            print(error.code().name)
'''
        with secure.Gateway() as gateway:
            gateway.identity("known", ["admin"], uid=65533)
            gateway.start()
            for path, mode in ((gateway.place, 0o755), (gateway.data, 0o755), (gateway.socket, 0o666)):
                os.chmod(path, mode)
            stubs = os.path.join(harness.BUILD, "gen", "py")
            runs = [subprocess.Popen(["/usr/bin/python3", "-c", script, gateway.socket, uid, stubs, "40"],
                                     stdout=subprocess.PIPE, text=True) for uid in ("65533", "65534", "65533", "65534")]
            answers = [run.communicate(timeout=120)[0].split() for run in runs]
            self.assertEqual(answers, [["in"] * 40, ["UNAUTHENTICATED"] * 40] * 2)


class Limits(unittest.TestCase):
    def test_records_per_second(self):
        with secure.Gateway() as gateway:
            police = gateway.agency("police", more="records_per_second: 200\n")
            slow, other = (gateway.agency(name, more="records_per_second: 1\n") for name in ("slow", "other"))
            home = gateway.agency("home")
            gateway.start()

            def stub(who):
                return exchange_pb2_grpc.ExchangeServiceStub(gateway.to(who))

            def requests(first):
                return iter([exchange_pb2.SubmitRequest(batch_id="b", dataset="household", records=[
                    secure.registration(first + 50 * i + k) for k in range(50)]) for i in range(10)])

            began = time.monotonic()
            self.assertEqual(len(list(stub(police).Submit(requests(0), timeout=PATIENCE))), 10)
            self.assertGreater(time.monotonic() - began, 1.9)
            # Nobody waits for another's limit: the second batch of this one has its turn in most of a minute.
            stream, receipts = stub(slow).Submit(requests(5000)), []

            def follow():
                with contextlib.suppress(grpc.RpcError):
                    for receipt in stream:
                        receipts.append(receipt)

            thread = threading.Thread(target=follow)
            thread.start()
            harness.until(lambda: receipts, "the first receipt")
            self.assertEqual(len(list(stub(home).Submit(requests(10000), timeout=PATIENCE))), 10)
            self.assertEqual(len(receipts), 1)
            stream.cancel()
            thread.join()
            # Corrections are records too: a thousand take a quarter of an hour, and until then there are no more.
            corrections = [exchange_pb2.Correction(reject_seq=1, record=secure.registration(1))] * 1000
            request = exchange_pb2.ResubmitRequest(batch_id="b", dataset="household", corrections=corrections)
            resubmit = stub(other).Resubmit
            self.assertEqual(len(resubmit(request, timeout=PATIENCE).receipt.results), 1000)
            with self.assertRaises(grpc.RpcError) as caught:
                resubmit(request, timeout=PATIENCE)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)
            self.assertEqual(secure.details_of(secure.status_of(caught.exception))[0], "BUSY")

    def test_streams_of_one_identity(self):
        with secure.Gateway() as gateway:
            police, home = gateway.agency("police"), gateway.agency("home")
            gateway.start()
            stop = threading.Event()

            def silent():
                stop.wait(120)
                return
                yield

            submit = gateway.to(police).stream_stream("/eldergate.v1.ExchangeService/Submit")
            streams = [submit(silent()) for _ in range(70)]
            try:
                refused = harness.until(lambda: [s for s in streams if s.done()], "a stream to be refused")
                self.assertEqual(refused[0].code(), grpc.StatusCode.UNAVAILABLE)
                self.assertTrue(secure.details_of(secure.status_of(refused[0]))[3], "it says when to try again")
                stub = exchange_pb2_grpc.ExchangeServiceStub(gateway.to(home))
                self.assertEqual(len(list(stub.Submit(iter([exchange_pb2.SubmitRequest(
                    batch_id="b", dataset="household", records=[secure.registration(1)])]), timeout=PATIENCE))), 1)
                self.assertLessEqual(len([s for s in streams if s.done()]), 6)
            finally:
                stop.set()

    def test_a_submit_message_over_the_limit(self):
        with secure.Gateway() as gateway:
            police = gateway.agency("police")
            gateway.start()
            call = gateway.to(police).stream_stream("/eldergate.v1.ExchangeService/Submit")
            with self.assertRaises(grpc.RpcError) as caught:
                list(call(iter([b"\x0a" + b"\x80\x80\x80\x02" + b"a" * (4 << 20)]), timeout=PATIENCE))
            self.assertEqual(caught.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)

    def test_metadata_over_the_limit(self):
        with secure.Gateway() as gateway:
            police = gateway.agency("police")
            gateway.start()
            call = gateway.to(police).unary_unary("/grpc.health.v1.Health/Check")
            with self.assertRaises(grpc.RpcError):
                call(b"", timeout=PATIENCE, metadata=(("x", "y" * 100000),))
            self.assertEqual(health(gateway.to(police, [("grpc.use_local_subchannel_pool", 1)])), b"\x08\x01")

    def test_few_descriptors(self):
        """Local callers get in again once there are descriptors."""
        with secure.Gateway({"listen.tls": ""}) as gateway, tempfile.TemporaryDirectory() as build:
            gateway.identity("root", ["admin"], uid=os.getuid())
            script = os.path.join(build, "eldergated")
            with open(script, "w") as f:
                f.write(f'#!/bin/sh\nulimit -n 150 && exec {harness.BUILD}/eldergated "$@"\n')
            os.chmod(script, 0o755)
            gateway.build = build
            gateway.start()
            for _ in range(3):
                sockets = []
                for _ in range(200):
                    s = socket.socket(socket.AF_UNIX)
                    s.setblocking(False)
                    try:
                        s.connect(gateway.socket)
                    except BlockingIOError:
                        pass
                    sockets.append(s)
                time.sleep(0.1)
                for s in sockets:
                    s.close()
                # Who comes while the daemon still closes those is dropped, and comes again.
                self.assertEqual(health(gateway.local(), wait_for_ready=True), b"\x08\x01")
            self.assertTrue(gateway.alive())


class Http(unittest.TestCase):
    def get(self, address, path, method="GET"):
        connection = http.client.HTTPConnection(address, timeout=PATIENCE)
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.headers.get("Content-Type"), body

    def test_metrics(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = "127.0.0.1:%d" % free.getsockname()[1]
        with secure.Gateway({"listen.metrics": address}) as gateway:
            police = gateway.agency("police")
            gateway.start()
            health(gateway.to(police))
            status, kind, body = self.get(address, "/metrics")
            self.assertEqual((status, kind), (200, "text/plain; version=0.0.4; charset=utf-8"))
            self.assertIn('eldergate_grpc_calls_total{method="Check"} 1', body)
            self.assertEqual(self.get(address, "/healthz")[::2], (200, "ok\n"))
            self.assertEqual(self.get(address, "/nothing")[0], 404)
            self.assertEqual(self.get(address, "/metrics", "POST")[0], 405)

    def test_only_on_loopback(self):
        with secure.Gateway({"listen.metrics": "0.0.0.0:0"}) as gateway:
            gateway.start(wait=False)
            self.assertNotEqual(gateway.process.wait(30), 0)
            harness.until(lambda: "loopback" in gateway.log_text(), "the reason in the log")


class Stopping(unittest.TestCase):
    def test_idle_connections_and_streams_do_not_hold_it(self):
        with secure.Gateway({"shutdown.grace": f"{2 * PATIENCE}s"}) as gateway:
            police = gateway.agency("police")
            gateway.start()
            channel = gateway.to(police)
            watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
            next(watch)
            held = threading.Event()

            def silent():
                held.wait(2 * PATIENCE)
                return
                yield

            stream = channel.stream_stream("/eldergate.v1.ExchangeService/Submit")(silent())
            health(channel)
            self.assertEqual(gateway.stop(), 0)
            held.set()
            with self.assertRaises(grpc.RpcError) as caught:
                list(stream)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    harness.main()
