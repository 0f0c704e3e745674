#!/usr/bin/python3
"""What people debug with just works: grpcurl and buf curl know the services by reflection (v1 and v1alpha), over mutual TLS.

GRPCURL names the program, BUF the other one.
"""
import glob
import json
import os
import subprocess
import sys
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TESTS, "system"))
import harness  # noqa: E402
import secure  # noqa: E402

GRPCURL = os.environ["GRPCURL"]
BUF = glob.glob(os.path.join(harness.ROOT, "build", "buf", "*", "node_modules", ".bin", "buf"))[0]
SERVICES = {"AdminService", "AuditService", "CaseService", "ExchangeService", "FeedService"}


class Reflection(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = g = secure.Gateway()
        cls.addClassCleanup(g.__exit__)
        who = g.identity("tester", ["agency", "subscriber", "auditor", "admin"], {"household": "registration"},
                         {"test": ["registration.name"]})
        for name, content in (("me.pem", who.certificate), ("me.key", who.key)):
            g.write(name, content)
        g.start()
        cls.address = f"127.0.0.1:{g.port}"
        cls.tls = ["-cacert", g.path("ca.pem"), "-cert", g.path("me.pem"), "-key", g.path("me.key")]
        cls.buf_tls = ["--cacert", g.path("ca.pem"), "--cert", g.path("me.pem"), "--key", g.path("me.key")]

    def call(self, arguments, status=0, given=None):
        done = subprocess.run(arguments, input=given, capture_output=True, text=True, timeout=harness.PATIENCE)
        self.assertEqual(done.returncode == 0, status == 0, f"{arguments}: {done.stdout}{done.stderr}")
        return done.stdout if status == 0 else done.stdout + done.stderr

    def grpcurl(self, *arguments, data=None, more=(), **rest):
        data = [] if data is None else ["-d", data if isinstance(data, str) else json.dumps(data)]
        return self.call([GRPCURL, *self.tls, *more, *data, self.address, *arguments], **rest)

    def buf(self, method, data, **rest):
        return self.call([BUF, "curl", "--protocol", "grpc", "--reflect", *self.buf_tls, "-d", json.dumps(data),
                          f"https://{self.address}/eldergate.v1.{method}"], **rest)

    def test_grpcurl_lists_and_describes(self):
        listed = set(self.grpcurl("list").split())
        self.assertLessEqual({f"eldergate.v1.{s}" for s in SERVICES} | {"grpc.health.v1.Health"}, listed)
        text = self.grpcurl("describe", "eldergate.v1.ExchangeService")
        self.assertIn("rpc Submit ( stream .eldergate.v1.SubmitRequest )", text)
        self.assertIn("a repeated record is UNCHANGED", text, "the comments teach here too")

    def test_grpcurl_submits_asks_and_follows(self):
        person = secure.Person(7)
        batch = {"batchId": "by-grpcurl", "dataset": "household", "records": [{
            "sourceKey": "H-7", "version": "1", "operation": "OPERATION_ASSERT", "eventTime": "2026-01-02T03:04:05Z",
            "registration": {"idNumber": person.id_number, "name": person.name,
                             "registrationStatus": "REGISTRATION_STATUS_NORMAL"}}]}
        receipt = json.loads(self.grpcurl("eldergate.v1.ExchangeService/Submit", data=batch))["receipt"]
        self.assertEqual(receipt["results"][0]["outcome"], "OUTCOME_APPLIED")
        elder = json.loads(self.grpcurl("eldergate.v1.ExchangeService/GetElder", data={
            "purpose": "test", "legalBasis": "a test", "person": {"identity": {"idNumber": person.id_number}}}))
        self.assertEqual(elder["elder"]["lifeStatus"], "LIFE_STATUS_ALIVE")
        # A stream: ended by its deadline, after the snapshot was told.
        told = self.grpcurl("eldergate.v1.FeedService/Subscribe", data={"purpose": "test", "start": {"snapshot": {}}},
                            more=["-max-time", "2"], status=1)
        self.assertIn("LIFE_STATUS_ALIVE", told)
        self.assertIn("DeadlineExceeded", told)

    def test_an_error_tells_its_details(self):
        told = self.grpcurl("eldergate.v1.ExchangeService/GetElder", status=1, data={
            "purpose": "something-else", "legalBasis": "a test", "person": {"identity": {"idNumber": secure.Person(7).id_number}}})
        self.assertIn("PermissionDenied", told)
        self.assertIn("PURPOSE_NOT_PERMITTED", told)
        self.assertIn("zh-CN", told)

    def test_health(self):
        self.assertEqual(json.loads(self.grpcurl("grpc.health.v1.Health/Check"))["status"], "SERVING")

    def test_buf_curl(self):
        status = json.loads(self.buf("AdminService/GetStatus", {}))
        self.assertIn("logId", status)
        told = self.buf("ExchangeService/GetElder", {"purpose": "nothing"}, status=1)
        self.assertIn("permission_denied", told)


if __name__ == "__main__":
    harness.main()
