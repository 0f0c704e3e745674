#!/usr/bin/python3
"""The command line as its users meet it: help, submitting, asking, following, auditing, deciding, exit statuses."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

import harness
from cli import PROGRAM, User, read, run, write_csv
from eldergate.v1 import admin_pb2, admin_pb2_grpc

HEADER = "source_key,version,operation,event_time,id_number,id_type,name,sex,birth_date,address_region,registration_status"


def check_digit(seventeen):
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(w * int(c) for w, c in zip(weights, seventeen)) % 11]


def number(sequence, region="330321", birth="19400101"):
    """Valid in form; made up here."""
    seventeen = f"{region}{birth}{sequence:03d}"
    return seventeen + check_digit(seventeen)


def row(key, version, sequence, name="\u6d4b\u8bd5", operation="ASSERT", region="330302", status="NORMAL", id_number=None):
    return (f"{key},{version},{operation},2025-07-01 09:00:00,{id_number or number(sequence)},RESIDENT,{name},"
            f"{1 if sequence % 2 else 2},1940-01-01,{region},{status}")


class Offline(unittest.TestCase):
    """What needs no gateway."""

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="eldergate-cli-")
        self.addCleanup(shutil.rmtree, self.place)

    def file(self, name):
        return os.path.join(self.place, name)

    def test_help_names_every_command_and_status(self):
        r = run("help")
        self.assertEqual((r.status, r.err), (0, ""), r)
        self.assertEqual(run().out, r.out)
        self.assertEqual(run("--help").out, r.out)
        self.assertIn("Exit status", r.out)
        commands = re.findall(r"^  ([a-z-]+)(?: ([a-z]+))?", r.out.split("`eldergate help NOUN")[0], re.M)
        self.assertGreater(len(commands), 20)
        for noun, verb in commands:
            one = run("help", *filter(None, (noun, verb)))
            self.assertEqual(one.status, 0, one)
            self.assertIn("For example", one.out, (noun, verb))
            self.assertNotIn("(null)", one.out)
            self.assertIn(f"eldergate {noun}", one.out.split("For example")[1])

    def test_what_is_not_understood(self):
        for arguments, text in ((("frobnicate",), "there is no command 'frobnicate'"),
                                (("log",), "'log' wants a verb"),
                                (("log", "eat"), "there is no command 'log eat'"),
                                (("submit",), "usage: eldergate submit FILE..."),
                                (("submit", "x.csv"), "--dataset NAME is needed"),
                                (("status", "--colour"), "there is no option --colour here"),
                                (("status", "--timeout", "soon"), "--timeout must be a whole number"),
                                (("status", "--server", "nowhere"), "unix:PATH or HOST:PORT"),
                                (("status", "--server", "localhost:1"), "wants --ca, --cert and --key"),
                                (("elder", "get"), "name the person by one of"),
                                (("population", "generate", "--out", "x"), "one of --persons N and --each N"),
                                (("case", "resolve", "0" * 32), "decide by one of --link, --apart, --uphold"),
                                (("subscribe", "--life", "DEAD", "--server", "unix:x"), "ALIVE, SUSPECTED_DECEASED")):
            r = run(*arguments)
            self.assertEqual((r.status, r.out), (64, ""), (arguments, r))
            self.assertIn(text, r.err)

    def test_no_gateway_there(self):
        r = run("status", server="unix:" + self.file("none.sock"))
        self.assertEqual(r.status, 69, r)
        r = run("status", "--json", server="unix:" + self.file("none.sock"))
        self.assertEqual(json.loads(r.err)["error"], "UNAVAILABLE", r)

    def test_fields_are_columns(self):
        r = run("fields", "funeral")
        self.assertEqual(r.status, 0)
        columns = [line.split()[0] for line in r.out.splitlines()]
        self.assertIn("cremation_time", columns)
        path = write_csv(self.file("all.csv"), ",".join(["source_key", "version", *columns]), "A,1" + "," * len(columns))
        # Every column is taken: what stops it is that there is no gateway.
        self.assertEqual(run("submit", path, "--dataset", "funeral", server="unix:" + self.file("x")).status, 69)
        self.assertEqual(run("fields", "weather").status, 64)

    def test_a_file_with_a_fault_sends_nothing(self):
        good = write_csv(self.file("good.csv"), "source_key,version", "A,1")
        for text, place in (("source_key,version\nA,1\nB,one\n", "bad.csv:3:3: column version"),
                            ("source_key,colour\n", "bad.csv:1:12: there is no column 'colour'"),
                            ('source_key,version\nA,"1\n', "bad.csv:2:3: the quote that begins here"),
                            (b"source_key,version,name\nA,1,\xd5\xc5\n", "bad.csv:2:5: the text is not UTF-8")):
            with open(self.file("bad.csv"), "wb") as f:
                f.write(text if isinstance(text, bytes) else text.encode())
            # The good file before it is not sent either: that there is no gateway is never found out.
            r = run("submit", good, self.file("bad.csv"), "--dataset", "registration", server="unix:" + self.file("x"))
            self.assertEqual(r.status, 65, r)
            self.assertIn(place, r.err)

    def test_no_terminal_no_progress(self):
        r = run("population", "generate", "--persons", "3000", "--out", self.file("p"))
        self.assertEqual((r.status, r.err), (0, ""), r)

    def test_progress_on_a_terminal(self):
        ours, theirs = os.openpty()
        with open(ours, "rb", buffering=0) as screen:
            done = subprocess.run([PROGRAM, "population", "generate", "--persons", "20000", "--out", self.file("t")],
                                  stdout=subprocess.DEVNULL, stderr=theirs)
            os.close(theirs)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(screen.read(10000).decode(), r"\d+ of \d+ rows, \d+/s")

    def test_population_is_the_same_from_the_same_seed(self):
        for name in ("a", "b"):
            self.assertEqual(run("population", "generate", "--persons", 500, "--seed", 9, "--out", self.file(name)).status, 0)
        self.assertEqual(subprocess.run(["diff", "-r", self.file("a"), self.file("b")]).returncode, 0)
        truth = json.loads(read(self.file("a/ground-truth.json")))
        self.assertEqual(truth["persons"], 500)
        self.assertEqual(sum(truth["expected"]["life"].values()), truth["expected"]["persons"])
        for name, of in truth["datasets"].items():
            with open(self.file(f"a/{of['file']}"), encoding="utf-8") as f:
                self.assertEqual(sum(1 for _ in f) - 1, of["rows"], name)

    def test_identities(self):
        data = self.file("data")
        r = run("agency", "add", "police", "--data", data, "--dataset", "household:registration", "--rhythm", "1d")
        self.assertEqual(r.status, 0, r)
        self.assertIn("eldergate submit FILE.csv --dataset household", r.out)
        text = read(os.path.join(data, "identities.d", "police.yaml"))
        self.assertRegex(text, r"pin: sha256:[0-9a-f]{64}\n")
        self.assertIn("roles: [agency]", text)
        self.assertEqual(os.stat(os.path.join(data, "agencies", "police.key")).st_mode & 0o777, 0o600)
        self.assertEqual(run("agency", "add", "police", "--data", data, "--dataset", "x:care").status, 65)
        self.assertEqual(read(os.path.join(data, "identities.d", "police.yaml")), text)
        for arguments in (("Police",), ("a b",), ("x", "--dataset", "x:weather"), ("x", "--role", "king"), ("x",),
                          ("x", "--role", "subscriber", "--read", "care=registration.colour", "--basis", "b"),
                          ("x", "--role", "subscriber", "--read", "care")):
            self.assertEqual(run("agency", "add", *arguments, "--data", data).status, 64, arguments)
        r = run("agency", "add", "platform", "--data", data, "--role", "subscriber", "--read",
                "care=registration.name,death_date", "--basis", 'law "7"', "--until", "2030-01-31", "--json")
        self.assertEqual(r.json()[0]["name"], "platform")
        self.assertEqual(run("agency", "add", "local", "--data", data, "--role", "admin", "--uid", 1234).status, 0)
        self.assertFalse(os.path.exists(os.path.join(data, "agencies", "local.pem")))
        self.assertEqual(run("server", "certificate", "gateway.example,10.0.0.5", "--data", data).status, 0)
        # A key for the bus: its public half is in the identity, the gateway's is printed.
        r = run("agency", "add", "front", "--data", data, "--dataset", "household:registration", "--bus",
                "tcp://gateway.example:7444")
        self.assertEqual(r.status, 0, r)
        curve = os.path.join(data, "agencies", "front.curve")
        self.assertEqual(os.stat(curve).st_mode & 0o777, 0o600)
        self.assertIn(f'curve: "{read(curve).splitlines()[0]}"\n', read(os.path.join(data, "identities.d", "front.yaml")))
        self.assertNotIn(read(curve).splitlines()[1], read(os.path.join(data, "identities.d", "front.yaml")) + r.out)
        key = run("server", "key", "--data", data).out.strip()
        self.assertEqual(len(key), 40)
        self.assertIn(f'    server_key: "{key}"\n    key_file: {curve}', r.out)
        self.assertEqual(run("agency", "add", "x", "--data", data, "--dataset", "a:care", "--bus", "here").status, 64)
        # The daemon takes what was written.
        config = self.file("c.yaml")
        open(config, "w").close()
        daemon = os.path.join(harness.BUILD, "eldergated")
        done = subprocess.run([daemon, "--config", config, "--set", f"identities.directory={data}/identities.d",
                               "--check-config"], capture_output=True, text=True)
        self.assertEqual(done.stdout, "configuration ok: 4 identities\n", done.stderr)


class OneGateway(unittest.TestCase):
    """Against a gateway over its Unix socket; each test has source keys of its own."""

    @classmethod
    def setUpClass(cls):
        fields = ("registration.name", "registration.id_number", "registration.address_region", "death_date")
        roles = ("agency", "subscriber", "operator", "auditor", "admin")
        identities = {"tester": harness.identity("tester", uid=os.getuid(), roles=roles, fields=fields,
                                                 submit=[(s, s) for s in harness.SECTIONS])}
        cls.gateway = harness.Gateway({"feed.progress": "100ms", "writer.checkpoint": "50ms"}, identities).start()
        cls.do = User(cls.gateway)
        cls.place = tempfile.mkdtemp(prefix="eldergate-cli-")

    @classmethod
    def tearDownClass(cls):
        status = cls.gateway.stop()
        cls.gateway.__exit__()
        shutil.rmtree(cls.place)
        assert status == 0, f"the daemon ended with {status}"

    def good(self, *arguments, **more):
        r = self.do(*arguments, **more)
        self.assertEqual(r.status, 0, (arguments, r))
        return r

    def submit(self, name, *rows, header=HEADER, options=(), dataset="registration"):
        path = write_csv(os.path.join(self.place, name + ".csv"), header, *rows)
        return self.good("submit", path, "--dataset", dataset, "--json", *options).json()[0]

    def test_submit_again_and_in_any_order(self):
        first = self.submit("s", *(row(f"S-{i}", 1, i) for i in range(50)), options=("--batch", 7))
        self.assertEqual(first["outcomes"]["APPLIED"], 50, first)
        self.assertEqual(first["batches"], 8)
        again = self.submit("s", *(row(f"S-{i}", 1, i) for i in range(50)))
        self.assertEqual(again["outcomes"]["UNCHANGED"], 50, again)
        newer = self.submit("s", row("S-1", 5, 1, region="330303"), options=("--lane", "live"))
        self.assertEqual(newer["outcomes"]["APPLIED"], 1)
        older = self.submit("s", row("S-1", 3, 1, region="330304"))
        self.assertEqual(older["outcomes"]["STALE"], 1, older)
        text = self.good("submit", os.path.join(self.place, "s.csv"), "--dataset", "registration").out
        self.assertIn("1 UNCHANGED", text)

    def test_standard_input_and_byte_order_mark(self):
        text = "\ufeff" + HEADER + "\r\n" + row("I-1", 1, 101) + "\r\n" + row("I-2", 1, 102, name='"\u6d4b ""x"""') + "\r\n"
        r = self.good("submit", "-", "--dataset", "registration", "--json", stdin=text)
        self.assertEqual(r.json()[0]["outcomes"]["APPLIED"], 2, r)

    def test_rejects_tell_what_to_do(self):
        bad = number(201)[:-1] + ("1" if number(201)[-1] != "1" else "2")
        told = self.submit("r", row("R-1", 1, 201, id_number=bad), row("R-2", 1, 202))
        self.assertEqual((told["outcomes"]["QUARANTINED"], told["outcomes"]["APPLIED"]), (1, 1), told)
        self.assertEqual([(r["code"], r["line"]) for r in told["reasons"]], [("ID_CHECK_DIGIT", 2)])
        listed = [r for r in self.good("rejects", "list", "--json").json() if r["source_key"] == "R-1"]
        self.assertEqual(len(listed), 1)
        seq = listed[0]["reject_seq"]
        self.assertEqual(listed[0]["reasons"][0]["reason"]["field"], "registration.id_number")
        shown = self.good("rejects", "show", seq).out
        self.assertIn("Compare the number with the document", shown)
        self.assertNotIn(bad, shown)
        chinese = self.good("rejects", "show", seq, env={"LANG": "zh_CN.UTF-8"}).out
        self.assertIn("\u6821\u9a8c\u7801", chinese)
        r = self.do("submit", os.path.join(self.place, "r.csv"), "--dataset", "registration", "--strict")
        self.assertEqual(r.status, 65, r)
        self.submit("r", row("R-1", 2, 201))
        self.assertEqual([r["source_key"] for r in self.good("rejects", "list", "--state", "corrected", "--json").json()
                          if r["source_key"] == "R-1"], ["R-1"])
        self.assertEqual(self.do("rejects", "show", 999999).status, 66)

    def test_correcting_a_quarantined_version(self):
        bad = number(211)[:-1] + ("1" if number(211)[-1] != "1" else "2")
        self.submit("q", row("Q-1", 7, 211, id_number=bad))
        path = write_csv(os.path.join(self.place, "corrected.csv"), HEADER, row("Q-1", 7, 211))
        told = self.good("rejects", "correct", path, "--dataset", "registration", "--json").json()[0]
        self.assertEqual(told["outcomes"]["APPLIED"], 1, told)
        self.assertNotIn("Q-1", self.good("rejects", "list").out)
        r = self.do("rejects", "correct", path, "--dataset", "registration")
        self.assertEqual(r.status, 66, r)
        self.assertIn("line 2: its source_key has no open reject", r.err)

    def test_asking_about_persons(self):
        self.submit("e", row("E-1", 1, 301, name="\u67e5\u8be2"))
        elder = self.good("elder", "get", "--source", "registration/E-1", "--purpose", "test", "--json",
                          "--legal-basis", "case 1").json()[0]
        self.assertEqual(elder["elder"]["life_status"], "LIFE_STATUS_ALIVE")
        values = {f["field"]: f["value"] for f in elder["elder"]["fields"]}
        self.assertEqual(values["registration.name"], {"text": "\u67e5\u8be2"})
        ref = elder["elder"]["person_ref"]
        for more in (dict(stdin=f"{number(301)}\n"), dict(stdin=f"{number(301)},\u67e5\u8be2\n")):
            by_number = self.good("elder", "get", "--id-number-stdin", "--purpose", "test", "--json", **more).json()[0]
            self.assertEqual(by_number["elder"]["person_ref"], ref)
        text = self.good("elder", "get", "--ref", ref, "--purpose", "test", "--field", "registration.name").out
        self.assertIn("\u67e5\u8be2", text)
        self.assertIn("(tester/registration, 2025-07-01 09:00:00.000+08:00, ONLY)", text)
        self.assertNotIn("address_region", text)
        self.assertIn("2025-07-01 01:00:00.000Z", self.good("elder", "get", "--ref", ref, "--purpose", "test", "--utc").out)
        # Reading was logged with its purpose.
        reads = self.good("log", "search", "--kind", "QUERY", "--for-purpose", "test", "--json", "--max", 1000).json()
        self.assertIn(elder["read_seq"], [h["seq"] for h in reads])
        for options, status in ((("--purpose", "gossip"), 77), (("--purpose", "test", "--field", "registration.sex"), 77)):
            self.assertEqual(self.do("elder", "get", "--ref", ref, *options).status, status, options)
        self.assertEqual(self.do("elder", "get", "--ref", "0" * 32, "--purpose", "test").status, 66)
        path = os.path.join(self.place, "ask.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"{ref}\nregistration/E-1\n\nregistration/E-none\n")
        answers = self.good("life-status", "check", "--file", path, "--purpose", "test", "--json").json()[0]["answers"]
        self.assertEqual([a.get("life_status") for a in answers], ["LIFE_STATUS_ALIVE"] * 2 + [None])
        self.assertEqual(answers[2]["match"], "MATCH_NOT_FOUND")
        numbers = self.good("life-status", "check", "--file", "-", "--id-numbers", "--purpose", "test",
                            stdin=number(301) + "\n").out
        self.assertIn("line 1", numbers)
        self.assertNotIn(number(301), numbers)

    def test_following_with_a_cursor(self):
        cursor = os.path.join(self.place, "cursor")
        first = self.good("subscribe", "--snapshot", "--cursor", cursor, "--purpose", "test", "--until-live", "--json").json()
        held = {s["snapshot"]["person_ref"] for s in first if "snapshot" in s}
        held |= {s["change"]["person_ref"] for s in first if "change" in s}
        self.assertRegex(read(cursor), r"^[0-9a-f]{32} \d+ 0\n$")
        self.submit("f", row("F-1", 1, 401), row("F-2", 1, 402))
        self.submit("f", row("F-1", 2, 401, region="330304"))
        # The same command line goes on where it stopped: --snapshot is only where a new cursor begins.
        more = self.good("subscribe", "--snapshot", "--cursor", cursor, "--purpose", "test", "--until-live", "--json").json()
        changes = [c["change"] for c in more if "change" in c]
        self.assertEqual([c["kind"] for c in changes if c["person_ref"] not in held][:2], ["CHANGE_KIND_CREATED"] * 2)
        self.assertFalse([c for c in more if "snapshot" in c])
        pages = self.good("changes", "list", "--since", "2020-01-01T00:00:00Z", "--purpose", "test", "--json").json()
        self.assertTrue({c["seq"] for c in changes} <= {p["change"]["seq"] for p in pages if "change" in p})
        some = self.good("changes", "list", "--since", "2020-01-01T00:00:00Z", "--purpose", "test", "--max", 3).out
        self.assertEqual(len(some.splitlines()), 3)
        filtered = self.good("changes", "list", "--since", "2020-01-01T00:00:00Z", "--purpose", "test", "--region", "330304",
                             "--kind", "UPDATED", "--json").json()
        self.assertTrue(filtered)
        come = next(i for i in filtered if "entered" in i)
        whole, changed = ({f["field"] for f in come[part]["fields"]} for part in ("entered", "change"))
        self.assertLess(changed, whole)
        line = self.good("changes", "list", "--since", "2020-01-01T00:00:00Z", "--purpose", "test", "--region", "330304").out
        self.assertEqual([f for f in whole if f"{f}=" not in line], [])
        with open(cursor, "w", encoding="utf-8") as f:
            f.write("nonsense\n")
        self.assertEqual(self.do("subscribe", "--cursor", cursor, "--purpose", "test").status, 65)

    def test_live_tail(self):
        tail = subprocess.Popen([PROGRAM, "subscribe", "--purpose", "test", "--count", "1", "--progress", "--json"],
                                env={**os.environ, "ELDERGATE_SERVER": self.do.server}, stdout=subprocess.PIPE, text=True)
        guard = threading.Timer(harness.PATIENCE, tail.kill)
        guard.start()
        try:
            self.assertIn("progress", json.loads(tail.stdout.readline()))  # it listens
            self.submit("l", row("L-1", 1, 501))
            events = [json.loads(line) for line in tail.stdout]
            self.assertEqual([e["change"]["kind"] for e in events if "change" in e], ["CHANGE_KIND_CREATED"])
            self.assertEqual(tail.wait(), 0)
        finally:
            guard.cancel()
            tail.kill()

    def test_a_tail_whose_reader_left(self):
        """It ends though nothing is written any more."""
        self.submit("g", row("G-1", 1, 502))
        tail = subprocess.Popen([PROGRAM, "subscribe", "--snapshot", "--purpose", "test"], text=True,
                                env={**os.environ, "ELDERGATE_SERVER": self.do.server}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)
        try:
            self.assertTrue(tail.stdout.readline())
            tail.stdout.close()
            self.assertIn("Broken pipe", tail.communicate(timeout=harness.PATIENCE)[1])
            self.assertNotEqual(tail.returncode, 0)
        finally:
            tail.kill()
            tail.stdout.close()

    def test_log_and_proofs(self):
        told = self.submit("p", row("P-1", 1, 601), options=("--batch-id", "proof-batch"))
        seq = int(told["first_seq"])
        found = self.good("log", "search", "--batch", "proof-batch-000001", "--json").json()
        self.assertEqual([int(h["seq"]) for h in found], [seq])
        entry = self.good("log", "show", seq, "--json").json()[0]
        self.assertEqual(entry["header"]["kind"], "ENTRY_KIND_CHANGE")
        self.assertNotIn("salt", entry["claim"])
        self.assertIn("commitment", self.good("log", "show", seq).out)
        proof = os.path.join(self.place, "proof")
        harness.until(lambda: self.do("log", "proof", seq, "--out", proof).status == 0, "a checkpoint that covers the entry")
        self.assertTrue(read(proof).startswith("c2sp.org/tlog-proof@v1\n"))
        kept = os.path.join(self.place, "kept")
        self.good("log", "checkpoint", "--out", kept)
        self.submit("p", row("P-1", 2, 601, region="330305"))
        harness.until(lambda: self.good("log", "checkpoint").out != read(kept), "a newer checkpoint")
        self.assertIn("begins with", self.good("log", "consistency", kept).out)
        lines = read(kept).splitlines()
        with open(kept, "w", encoding="utf-8") as f:  # another history of that size
            f.write("\n".join([lines[0], lines[1], lines[2][:-2] + ("A=" if lines[2][-2:] != "A=" else "E="), *lines[3:]]) + "\n")
        self.assertIn(self.do("log", "consistency", kept).status, (65, 70))
        self.assertEqual(self.do("log", "show", 99999999).status, 66)
        wrong = lines[0] + "+00000000+" + "AAAA"
        self.assertEqual(self.do("log", "checkpoint", "--vkey", wrong).status, 64)

    def test_cases(self):
        self.submit("c", row("C-1", 1, 701, name="\u7532\u4e59"), row("C-2", 1, 701, name="\u4e19\u4e01"))
        mine = [k for k in self.good("case", "list", "--kind", "NUMBER_SHARED", "--json").json()
                if any(p["source"]["dataset"] == "registration" for p in k["parties"])]
        self.assertTrue(mine)
        case = mine[-1]["case_id"]
        shown = self.good("case", "show", case, "--purpose", "test").out
        self.assertIn("can be decided: LINK KEEP_APART", shown)
        decided = self.good("case", "resolve", case, "--apart", "--note", "papers seen", "--json").json()[0]
        self.assertEqual(decided["resolved"]["state"], "CASE_STATE_CLOSED")
        self.assertNotIn(case, self.good("case", "list").out)
        self.assertIn(case, self.good("case", "list", "--state", "closed").out)
        self.assertEqual(self.do("case", "resolve", case, "--apart").status, 65)
        self.assertEqual(self.do("case", "show", "0" * 32).status, 66)

    def test_status(self):
        s = self.good("status", "--json").json()[0]
        self.assertGreater(int(s["policy_version"]), 0)
        self.assertEqual({d["source"]["dataset"] for d in s["datasets"]}, set(harness.SECTIONS))
        self.assertIn("write-ahead log", self.good("status").out)

    def test_a_dataset_that_is_not_permitted(self):
        path = write_csv(os.path.join(self.place, "d.csv"), HEADER, row("D-1", 1, 801))
        r = self.do("submit", path, "--dataset", "secret", "--section", "registration")
        self.assertEqual(r.status, 77, r)
        self.assertIn("DATASET_", r.err)
        r = self.do("submit", path, "--dataset", "secret", "--section", "registration", env={"LC_ALL": "zh_CN.UTF-8"})
        self.assertRegex(r.err, "[\u4e00-\u9fff]")

    def test_a_list_and_its_truth(self):
        """Every outcome and every life status of a made-up population is what its ground truth says."""
        with harness.Gateway({"feed.progress": "100ms"}) as own:
            do = User(own)
            place = os.path.join(self.place, "population")
            self.assertEqual(run("population", "generate", "--persons", 4000, "--seed", 21, "--faults", 8, "--out",
                                 place).status, 0)
            truth = json.loads(read(os.path.join(place, "ground-truth.json")))
            for name, of in truth["datasets"].items():
                told = do("submit", os.path.join(place, of["file"]), "--dataset", name, "--json").json()[0]
                outcomes = told["outcomes"]
                self.assertEqual(outcomes["QUARANTINED"], of["quarantined"], (name, told))
                self.assertEqual(outcomes["UNCHANGED"], of["unchanged"], (name, told))
                self.assertEqual(outcomes["APPLIED"] + outcomes["STALE"], of["applied_or_stale"], (name, told))
                reasons = {r["code"]: r["count"] for r in told["reasons"]}
                for reason, count in of["by_reason"].items():
                    self.assertEqual(reasons.get(reason, 0), count, (name, reason))
            life = {}
            for item in do("subscribe", "--snapshot", "--purpose", "test", "--until-live", "--json").json():
                state = item.get("snapshot", {})
                if state and "merged_into" not in state:
                    status = state["life_status"][len("LIFE_STATUS_"):]
                    life[status] = life.get(status, 0) + 1
            self.assertEqual(life, {k: v for k, v in truth["expected"]["life"].items() if v})
            for name, outcome in (("repeated", "UNCHANGED"), ("reordered", "UNCHANGED"), ("excel", "QUARANTINED")):
                told = do("submit", os.path.join(place, "damaged", name + ".csv"), "--dataset", "registration", "--json")
                self.assertGreaterEqual(told.json()[0]["outcomes"][outcome], 90, (name, told))
            for name in ("mojibake", "truncated"):
                r = do("submit", os.path.join(place, "damaged", name + ".csv"), "--dataset", "registration")
                self.assertEqual((r.status, r.out), (65, ""), r)


class Killed(unittest.TestCase):
    """The gateway dies under a list: the command goes on by itself."""

    def test_submit_goes_on(self):
        rows = [row(f"K-{i:05d}", 1, i % 900 + 1, name=f"\u6d4b\u8bd5{chr(0x4e00 + i // 900)}") for i in range(4000)]
        tester = harness.identity("tester", uid=os.getuid(), roles=("agency", "admin"), purpose=None,
                                  submit=[("registration", "registration")])
        # However fast the machine is, the list takes four seconds.
        with harness.Gateway(identities={"tester": tester + "records_per_second: 1000\n"}) as gateway:
            path = write_csv(os.path.join(gateway.place, "k.csv"), HEADER, *rows)
            sending = subprocess.Popen([PROGRAM, "submit", path, "--dataset", "registration", "--batch", "50", "--json"],
                                       env={**os.environ, "ELDERGATE_SERVER": "unix:" + gateway.socket},
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            do = User(gateway)
            with gateway.channel() as channel:
                status = admin_pb2_grpc.AdminServiceStub(channel).GetStatus
                harness.until(lambda: status(admin_pb2.GetStatusRequest()).head_seq > 500, "the list is under way")
            gateway.kill()
            gateway.start()
            out, err = sending.communicate(timeout=harness.PATIENCE)
            self.assertEqual(sending.returncode, 0, err)
            self.assertIn("connecting again", err)
            told = json.loads(out)
            self.assertGreater(told["connections"], 1)
            self.assertEqual(told["records"], len(rows))
            self.assertEqual(told["outcomes"]["APPLIED"] + told["outcomes"]["UNCHANGED"], len(rows), told)
            again = do("submit", path, "--dataset", "registration", "--json").json()[0]
            self.assertEqual(again["outcomes"]["UNCHANGED"], len(rows))


if __name__ == "__main__":
    harness.main()
