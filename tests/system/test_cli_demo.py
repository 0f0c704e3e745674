#!/usr/bin/python3
"""The demo tells its story to the end, in time; and it can fail: with a gateway that is wrong, one of its checks says so."""
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import harness
from cli import PROGRAM, run

ADAPTERS = ("eldergate-police", "eldergate-assistance", "eldergate-funeral")


class Demo(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="eldergate-demo-test-")
        self.addCleanup(shutil.rmtree, self.place, True)

    def test_to_the_end(self):
        r = run("demo", env={"TMPDIR": self.place})
        self.assertEqual((r.status, r.err), (0, ""), r)
        self.assertEqual(r.out.splitlines()[-1], "demo: ok", r)
        self.assertEqual([int(n) for n in re.findall(r"^(\d+)\. ", r.out, re.M)], list(range(1, 14)), r)
        for words in ("every request was signed well", "ALIVE -> SUSPECTED_DECEASED", "a row in the police's table",
                      "a line in a file of the assistance bureau's outbox", "DECEASED -> ALIVE, told as CORRECTED",
                      "5 withdrawn", "it is in refused/", "kill -9", "992 of 992 rows are unchanged", "keeps nothing",
                      "signature is good", "its header and commitments do not make its leaf"):
            self.assertIn(words, r.out)
        self.assertEqual(os.listdir(self.place), [], "it cleans up")

    def test_another_population_that_is_kept(self):
        keep = os.path.join(self.place, "kept")
        r = run("demo", "--elders", 200, "--seed", int(time.time()), "--keep", os.path.relpath(keep))
        self.assertEqual(r.status, 0, r)
        self.assertEqual(r.out.splitlines()[-1], "demo: ok")
        self.assertEqual(run("log", "verify", "--data", os.path.join(keep, "gateway")).status, 0)
        self.assertEqual(run("log", "verify", "--data", os.path.join(keep, "copy")).status, 70)
        self.assertEqual(run("demo", "--keep", keep).status, 1, "a folder that holds something is left alone")

    def script(self, name, text):
        with open(os.path.join(self.place, name), "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\n{text}\n")
        os.chmod(os.path.join(self.place, name), 0o755)

    def crooked(self, *settings, adapter=None, edit=None):
        """The demo with a daemon that always gets these settings, too; and an adapter whose mapping is edited by sed."""
        shutil.copy(PROGRAM, self.place)
        for name in ("eldergate-devbroker", *ADAPTERS):
            if name != adapter:
                os.symlink(os.path.join(harness.BUILD, name), os.path.join(self.place, name))
        self.script("eldergated", f'exec {harness.BUILD}/eldergated "$@" {" ".join("--set " + s for s in settings)}')
        if adapter:  # --mapping FILE stands first
            self.script(adapter, f'sed -i \'{edit}\' "$2"\nexec {harness.BUILD}/{adapter} "$@"')
        done = subprocess.run([os.path.join(self.place, "eldergate"), "demo", "--elders", "200"], capture_output=True,
                              text=True, timeout=120, env={**os.environ, "TMPDIR": self.place})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn("demo: ok", done.stdout)
        self.assertIn("everything is in", done.stderr)
        return done.stderr

    def test_it_fails_where_a_change_does_not_come_back(self):
        self.assertIn("both agencies have every change",
                      self.crooked(adapter="eldergate-assistance", edit="s/  life: .*/  life: [SUSPECTED_DECEASED]/"))

    def test_it_fails_where_rows_are_left_out(self):
        self.assertIn("the others applied or stale",
                      self.crooked(adapter="eldergate-police", edit="s/  require: .*/  require: [GMSFHM, XM, SWRQ]/"))

    def test_it_fails_where_batches_are_refused(self):
        self.assertIn("every row has its verdict", self.crooked("limits.batch_records=10"))

    def test_it_fails_where_nothing_is_published(self):
        self.assertIn("Kafka and the subscriber should have the same events", self.crooked("kafka.topic_prefix=other"))

    def test_it_fails_without_a_daemon(self):
        shutil.copy(PROGRAM, self.place)
        os.symlink(os.path.join(harness.BUILD, "eldergate-devbroker"), os.path.join(self.place, "eldergate-devbroker"))
        done = subprocess.run([os.path.join(self.place, "eldergate"), "demo"], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "TMPDIR": self.place, "PATH": "/nowhere"})
        self.assertEqual(done.returncode, 1)
        self.assertIn("eldergated could not be started", done.stderr)


if __name__ == "__main__":
    harness.main()
