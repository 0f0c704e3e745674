#!/usr/bin/python3
"""The daemon's configuration: every mistake is told with file, line and column; every value knows where it came from."""
import os
import subprocess
import tempfile
import unittest

import harness

DAEMON = os.path.join(harness.BUILD, "eldergated")


class Config(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory(prefix="eldergate-config-")
        self.file = os.path.join(self.place.name, "eldergate.yaml")
        os.mkdir(os.path.join(self.place.name, "identities.d"))

    def tearDown(self):
        self.place.cleanup()

    def run_with(self, text, *arguments, identity=None):
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(text)
        if identity is not None:
            with open(os.path.join(self.place.name, "identities.d", "a.yaml"), "w", encoding="utf-8") as f:
                f.write(identity)
        return subprocess.run([DAEMON, "--config", self.file, *arguments], capture_output=True, text=True, timeout=30)

    def wrong(self, text, *expected, identity=None, file="eldergate.yaml"):
        r = self.run_with(text, "--check-config", identity=identity)
        self.assertEqual(r.returncode, 78, r.stderr)
        for e in expected:
            self.assertIn(e, r.stderr)
        self.assertIn(file, r.stderr)

    def test_good(self):
        r = self.run_with("data: /tmp/x\nkafka:\n  partitions: 8\n  settings: {client.id: me}\n", "--check-config")
        self.assertEqual((r.returncode, r.stdout), (0, "configuration ok: 0 identities\n"), r.stderr)

    def test_sample(self):
        sample = os.path.join(harness.ROOT, "deploy", "sample", "eldergate.yaml")
        r = subprocess.run([DAEMON, "--config", sample, "--check-config"], capture_output=True, text=True, timeout=30)
        self.assertEqual((r.returncode, r.stdout), (0, "configuration ok: 2 identities\n"), r.stderr)

    def test_origins(self):
        r = self.run_with("data: /tmp/x\nlimits:\n  batch_records: 500\n", "--print-config", "--set",
                          "kafka.partitions=12")
        self.assertEqual(r.returncode, 0, r.stderr)
        lines = r.stdout.splitlines()
        self.assertIn('data: "/tmp/x"  # from: %s:1' % self.file, lines)
        self.assertIn("  batch_records: 500  # from: %s:3" % self.file, lines)
        self.assertIn("  partitions: 12  # from: command line", lines)
        self.assertIn("  window: 1000  # from: default", lines)

    def test_unknown_setting(self):
        self.wrong("data: /tmp/x\nlimits:\n  batch_record: 500\n", ":3:3:", "limits.batch_record")

    def test_unknown_section(self):
        self.wrong("limit:\n  batch_records: 500\n", ":2:3:", "limit.batch_records")

    def test_bad_number(self):
        self.wrong("limits:\n  batch_records: many\n", ":2:18:", "whole number")

    def test_out_of_bounds(self):
        self.wrong("limits:\n  batch_records: 0\n", ":2:18:", "from 1 to 100000")

    def test_bad_time(self):
        self.wrong("writer:\n  checkpoint: 5 parsecs\n", ":2:15:", "250ms")

    def test_bad_size(self):
        self.wrong("store:\n  cache: 5MB\n", ":2:10:", "64KiB")

    def test_bad_yaml(self):
        self.wrong("data: [unclosed\n", ":2:1:")

    def test_binary(self):
        self.wrong("data: \x01\x02\n", "eldergate.yaml:")

    def test_list_for_a_value(self):
        self.wrong("data: [a, b]\n", ":1:7:", "single value")

    def test_not_a_mapping(self):
        self.wrong("- data\n", ":1:1:", "mapping")

    def test_missing_file(self):
        r = subprocess.run([DAEMON, "--config", "/nonexistent/x.yaml", "--check-config"], capture_output=True, text=True)
        self.assertEqual(r.returncode, 78)
        self.assertIn("/nonexistent/x.yaml", r.stderr)

    def test_tls_needs_files(self):
        self.wrong("listen:\n  tls: 127.0.0.1:0\n", "tls.certificate", file="")

    def test_a_socket_follows_from_the_data_directory(self):
        self.wrong("data: /var/lib/" + 90 * "d" + "\n", ":1", "listen.unix")

    def test_topic_field_must_be_plain(self):
        self.wrong("kafka:\n  fields: [registration.name]\n", ":2:12:", "statuses and codes only")

    def test_topic_field_unknown(self):
        self.wrong("kafka:\n  fields: [registration.nam]\n", ":2:12:", "registration.nam")

    def test_set_unknown(self):
        r = self.run_with("", "--check-config", "--set", "kafka.partition=1")
        self.assertEqual(r.returncode, 78)
        self.assertIn("kafka.partition", r.stderr)

    def identity_wrong(self, text, *expected):
        self.wrong("", *expected, identity=text, file="a.yaml")

    def test_identity_good(self):
        r = self.run_with("", "--check-config", identity=harness.identity("police", uid=7, submit=[("r", "registration")]))
        self.assertEqual((r.returncode, r.stdout), (0, "configuration ok: 1 identities\n"), r.stderr)

    def test_identity_faults(self):
        self.identity_wrong("name: a\nroles: [king]\nuid: 1\n", ":2:9:", "no role 'king'")
        self.identity_wrong("name: a\nroles: [agency]\n", "a pin, a curve or a uid")
        self.identity_wrong("name: a\nroles: [agency]\ncurve: \"tooshort\"\n", ":3:8:", "40 characters")
        self.identity_wrong("roles: [agency]\nuid: 1\n", "needs name")
        self.identity_wrong("name: A b\nroles: [agency]\nuid: 1\n", ":1:7:", "a-z")
        self.identity_wrong("name: a\nroles: [agency]\npin: sha256:00\n", ":3:6:", "64 hexadecimal")
        self.identity_wrong("name: a\nroles: [agency]\nuid: 1\nsubmit:\n  - {dataset: d, section: s}\n", ":5:27:",
                            "no section 's'")
        self.identity_wrong("name: a\nroles: [agency]\nuid: 1\nsubmit:\n  - {dataset: d}\n", ":5:5:", "section")
        self.identity_wrong("name: a\nroles: [agency]\nuid: 1\nread:\n  - {purpose: p, legal_basis: l, fields: [x]}\n",
                            "no field 'x'")
        self.identity_wrong("name: a\nroles: [agency]\nuid: 1\nread:\n  - {purpose: p, fields: []}\n", "legal_basis")
        self.identity_wrong("name: a\nroles: [agency]\nuid: 1\ncolour: red\n", ":4:1:", "unknown key 'colour'")

    def test_one_pin_one_identity(self):
        with open(os.path.join(self.place.name, "identities.d", "b.yaml"), "w", encoding="utf-8") as f:
            f.write(harness.identity("b", uid=7))
        r = self.run_with("", "--check-config", identity=harness.identity("a", uid=7))
        self.assertEqual(r.returncode, 78, r.stdout + r.stderr)


if __name__ == "__main__":
    harness.main()
