#!/usr/bin/python3
"""The mapping files that are shipped, as a site would use them: each program against the system that its file describes,
with only addresses, keys and connections changed; the columns are those that the file's comments name."""
import csv
import datetime
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import time
import unittest

import harness
import bus
import secure
import web

from eldergate.v1 import admin_pb2, admin_pb2_grpc, exchange_pb2 as x
from eldergate.v1 import exchange_pb2_grpc

SERVER_KEY = r"'rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7'"
PERSON = ["registration.id_number", "registration.name", "death_date"]
TEXT = "varchar(200)"


def shipped(agency):
    with open(os.path.join(harness.ROOT, "adapters", agency, "mapping.yaml"), encoding="utf-8") as f:
        return f.read()


class Shipped(unittest.TestCase):
    def setUp(self):
        self.gateway = bus.Gateway({"writer.checkpoint": "50ms"})
        self.addCleanup(self.gateway.__exit__)

    # ---- a site ----

    def site(self, agency, changes, grants=None):
        """Its folder with the mapping and the key; changes(): what stands in the shipped file, and what does here."""
        text = shipped(agency)
        name, dataset, section = (re.search(rf"^{key}: (\S+)$", text, re.M)[1] for key in ("agency", "dataset", "section"))
        key = self.gateway.adapter(name, {dataset: section}, grants=grants)
        self.other = self.gateway.agency("elsewhere", {"household": "registration", "cremation": "funeral"})
        self.gateway.start()
        self.place = self.gateway.path(f"site-{agency}")
        os.makedirs(self.place, exist_ok=True)
        shutil.copy(key.file, self.path("bus.key"))
        os.chmod(self.path("bus.key"), 0o600)
        changes = {"tcp://eldergate.example:7443": self.gateway.tcp, SERVER_KEY: f"'{self.gateway.server_key}'", **changes()}
        for old, new in changes.items():
            self.assertIn(old, text)
            text = text.replace(old, new)
        with open(self.path("mapping.yaml"), "w", encoding="utf-8") as f:
            f.write(text)
        self.program = os.path.join(harness.BUILD, f"eldergate-{agency}")

    def path(self, name):
        return os.path.join(self.place, name)

    def run_it(self, *words):
        done = subprocess.run([self.program, "-m", self.path("mapping.yaml"), "--status-file", self.path("status.json"),
                               *words], capture_output=True, text=True, timeout=2 * harness.PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr[-3000:])
        self.log = done.stderr
        return done.stdout

    def check(self, said):
        self.assertIn(said, self.run_it("check", "--source", "--gateway"))

    def once(self, **counts):
        """A run, and what its status file says."""
        self.run_it("once")
        with open(self.path("status.json"), encoding="utf-8") as f:
            status = json.load(f)
        self.assertEqual({name: status[name] for name in counts}, counts, status)
        return status

    def submit(self, dataset, record):
        """What another agency says."""
        with self.gateway.to(self.other) as channel:
            stub = exchange_pb2_grpc.ExchangeServiceStub(channel)
            answer, = stub.Submit(iter([x.SubmitRequest(batch_id="b", dataset=dataset, records=[record])]))
        self.assertEqual(x.Outcome.Name(answer.receipt.results[0].outcome), "OUTCOME_APPLIED")

    def described(self, agency, begin, columns):
        """The comment between `begin` and rows: names them."""
        text = shipped(agency)
        comment = text[text.index(begin):text.index("\nrows:")]
        for column in columns:
            self.assertRegex(comment, rf"(?<!\w){column}(?!\w)", f"{column} is in no comment of the shipped file")

    @property
    def connection(self):
        return f"Driver=SQLite3;Database={self.path('agency.db')};Timeout=20000"

    def sql(self, statement, values=()):
        db = sqlite3.connect(self.path("agency.db"), timeout=20)
        try:
            rows = db.execute(statement, values).fetchall()
            db.commit()
            return rows
        finally:
            db.close()

    def insert(self, table, row):
        self.sql(f"insert into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})", tuple(row.values()))

    # ---- the four ----

    POLICE = ("ID BATCH_NO OP RYBH BBH GMSFHM XM CYM XB MZ HYZK CSRQ HH YHZGX SSXQ HJDZ PCSBM PCSMC RYZT QRRQ QCRQ SWRQ "
              "SWZXRQ BGSJ EXCH_FLAG ERR_CODE ERR_MSG RETRY CREATE_TIME UPDATE_TIME").split()
    CLUES = "EVENT_ID XSLX RYCKH GMSFHM XM SWRQ LYJG LYSJ TSSJ CLZT".split()

    def police_row(self, row, n, version, state, **more):
        p = secure.Person(n)
        self.insert("T_RK_ELDER", {
            "ID": row, "BATCH_NO": "B1", "OP": "U", "RYBH": f"33030200{n:05} ", "BBH": version, "GMSFHM": p.id_number,
            "XM": p.name, "CYM": "-", "XB": "1", "MZ": "1", "HYZK": "20", "CSRQ": "{:04}{:02}{:02}".format(*p.birth),
            "HH": "H1", "YHZGX": "02", "SSXQ": "330302", "HJDZ": "五马街道１号", "PCSBM": "3303020010", "PCSMC": "五马派出所",
            "RYZT": state, "QRRQ": "00000000", "BGSJ": "2026-03-10 09:00:00", "CREATE_TIME": "2026-03-10 09:00:00",
            "UPDATE_TIME": "2026-03-10 09:00:01", **more})

    def test_police(self):
        self.site("police", lambda: {"DSN=police_front": self.connection}, {"death-verification": PERSON})
        self.described("police", "# The table's columns", self.POLICE)
        kinds = {"ID": "integer primary key", "BBH": "integer", "RETRY": "integer default 0", "EXCH_FLAG": "char(1) default '0'"}
        self.sql(f"create table T_RK_ELDER ({', '.join(f'{c} {kinds.get(c, TEXT)}' for c in self.POLICE)})")
        self.sql(f"create table T_RK_DEATH_CLUE ({', '.join(f'{c} {TEXT}' for c in self.CLUES)})")
        for n in range(4):
            self.police_row(n + 1, n, 1, "8" if n == 3 else "1")  # 8: no state of the mapping
        self.check("4 rows read: 3 good, 0 not for this dataset, 1 would be refused here")
        self.assertEqual(self.sql("select distinct EXCH_FLAG from T_RK_ELDER"), [("0",)], "a check marks nothing")
        self.once(rows=4, applied=3, bad_rows=1)
        marks = self.sql("select EXCH_FLAG, ERR_CODE, RETRY from T_RK_ELDER order by ID")
        self.assertEqual([(flag, bool(code), retry) for flag, code, retry in marks],
                         [("1", False, 0)] * 3 + [("2", True, 1)], marks)
        # A cremation elsewhere is a clue; the bureau's own cancellation confirms it.
        self.submit("cremation", secure.funeral(0))
        self.once(rows=0)
        self.police_row(10, 0, 2, "3", SWRQ="20260228", SWZXRQ="20260310")
        self.once(rows=1, applied=1)
        told = self.sql("select XSLX, GMSFHM, XM, CLZT from T_RK_DEATH_CLUE order by rowid")
        p = secure.Person(0)
        self.assertEqual(told[-2:], [(kind, p.id_number, p.name, "0") for kind in ("1", "2")])
        self.assertEqual(self.sql("select SWRQ from T_RK_DEATH_CLUE order by rowid")[-1], ("20260228",))

    ASSISTANCE = ("户编号 成员序号 姓名 身份证号 性别 出生日期 救助类别 与户主关系 自理能力 救助状态 停发原因 起始年月 终止年月 "
                  "最近发放年月 月保障金额").split()

    def upload(self, day, kind, people):
        text = io.StringIO()
        out = csv.writer(text, lineterminator="\r\n")
        out.writerow(self.ASSISTANCE)
        for n in people:
            p = secure.Person(n)
            out.writerow([f"DB{n:06}", "01", p.name, p.id_number, "男", "{:04}-{:02}-{:02}".format(*p.birth), "城市低保", "户主",
                          "半护理", "在保", "", "2025年3月", "", "202602", "812.50"])
        body = text.getvalue().encode("gb18030")
        name = self.path(f"inbox/DIBAO_330302_{day}_001_{kind}.csv")
        with open(name, "wb") as f:
            f.write(body)
        with open(name + ".ctl", "w", encoding="ascii") as f:
            f.write(f"rows={len(people)}\nsize={len(body)}\nsha256={hashlib.sha256(body).hexdigest()}\n")
        return name

    def test_assistance(self):
        admin = self.gateway.identity("admin", ["admin"])
        self.site("assistance", lambda: {"/srv/eldergate/assistance/inbox": self.path("inbox"),
                                         "/srv/eldergate/assistance/outbox": self.path("outbox")}, {"subsidy-check": PERSON})
        self.described("assistance", "# The columns of a file", self.ASSISTANCE)
        os.mkdir(self.path("inbox"))
        os.mkdir(self.path("outbox"))
        self.upload("20260301", "FULL", range(20))
        self.check("20 rows read: 20 good, 0 not for this dataset, 0 would be refused here")
        self.assertEqual(len(os.listdir(self.path("inbox"))), 2, "a check moves nothing")
        self.once(rows=20, bad_rows=0, refused=0)
        self.upload("20260315", "INC", range(18, 25))
        self.once(rows=7, applied=5, unchanged=2, bad_rows=0)
        self.upload("20260401", "FULL", range(1, 25))  # one is not there any more: below the guard's floor
        self.once(rows=24, bad_rows=0, refused=0)
        told, = (line for line in map(json.loads, self.log.splitlines()) if line["event"] == "agent.list_reported")
        self.assertEqual({name: told[name] for name in ("unchanged", "changed", "added", "withdrawn")},
                         {"unchanged": 24, "changed": 0, "added": 0, "withdrawn": 1}, told)
        done = [name for name in os.listdir(self.path("inbox/done")) if name.endswith(".report.csv")]
        self.assertEqual(len(done), 3, done)
        # Rows without an event time, a position that is no instant: the lag counts from the last list's day.
        with self.gateway.to(admin) as channel:
            status = admin_pb2_grpc.AdminServiceStub(channel).GetStatus(admin_pb2.GetStatusRequest(), timeout=harness.PATIENCE)
        self.assertEqual([d.source.event_time.ToJsonString() for d in status.datasets if d.source.agency == "assistance-lucheng"],
                         ["2026-03-31T16:00:00Z"], status)
        # A death of somebody who is registered here.
        self.submit("household", secure.registration(3))
        self.submit("cremation", secure.funeral(3))
        self.once(rows=0)
        names = sorted(name for name in os.listdir(self.path("outbox")) if name.endswith(".csv"))
        self.assertTrue(names)
        told = []
        for name in names:
            with open(self.path(f"outbox/{name}"), encoding="gb18030", newline="") as f:
                told += list(csv.DictReader(f))
        p = secure.Person(3)
        self.assertEqual([told[-1][c] for c in ("身份证号", "姓名", "建议措施", "死亡日期")],
                         [p.id_number, p.name, "核查", "不详"])

    def remains(self, n, version=1, **more):
        p = secure.Person(n)
        return {"orgCode": "330302001", "remainsNo": f"YT20260300{n:02}", "rowVersion": version, "deleted": False,
                "dead": {"name": p.name, "cardType": "01", "cardNo": p.id_number, "sex": "1", "age": 83,
                         "deathTime": "2026-02-28", "deathCertNo": f"S{n}", "deathCertState": "1"},
                "receivedAt": "2026-02-28 21:10:00", "crematedAt": "2026-03-02 09:30:00", "disposal": "02",
                "cert": {"no": f"B{n}", "state": "1", "reissueOf": ""},
                "informant": {"name": secure.Person(n + 50).name, "relation": "02", "phone": "13800000000"}, **more}

    def test_funeral(self):
        peer = web.Peer(secret="of-this-test")
        self.addCleanup(peer.close)
        yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        # From the first of January on it would take a second for each ten days.
        self.site("funeral", lambda: {"https://binzang.example": f"{peer.url}", "  mode: window": "  mode: window\n  plain_http: true",
                                      "2026-01-01T00:00:00+08:00": yesterday, "  # secret:": "  secret:"})
        with open(os.open(self.path("interface.secret"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write("of-this-test")
        sample = self.remains(0)
        self.described("funeral", "# Funeral services", [*sample, *sample["dead"], *sample["cert"], *sample["informant"]])
        earlier = int(time.time() * 1000) - 3_600_000
        peer.put([self.remains(n) for n in range(130)], at=earlier)  # more than a page
        peer.put([{"orgCode": "330302001", "remainsNo": "YT2026039999", "rowVersion": 1}], at=earlier)  # 无名遗体
        self.check("131 rows read: 131 good, 0 not for this dataset, 0 would be refused here")
        self.once(rows=131, applied=131, bad_rows=0)
        peer.put([self.remains(7, deleted=True)], at=int(time.time() * 1000) - 120_000)
        self.once(applied=1, bad_rows=0)

    CARE = ("occupancy_id updated_at deleted replaced_at name id_no sex birthday district address phone contact1_name "
            "contact1_relation contact1_phone ability_level ability_scale ability_date tags bed_qr org_code org_name in_date "
            "out_date leave_from leave_to").split()
    CONTACT_2 = ["contact2_name", "contact2_relation", "contact2_phone"]  # "the same of contact2"

    def test_care(self):
        self.site("care", lambda: {"DSN=care_platform": self.connection})
        self.described("care", "# The view's columns", self.CARE)
        kinds = {"occupancy_id": "integer primary key", "ability_level": "integer"}
        columns = self.CARE + self.CONTACT_2
        self.sql(f"create table stay ({', '.join(f'{c} {kinds.get(c, TEXT)}' for c in columns)})")
        self.sql("create view v_bed_occupancy as select * from stay")  # nobody can mark it
        for n in range(12):
            p = secure.Person(n)
            self.insert("stay", {
                "occupancy_id": n + 1, "updated_at": f"2026-03-10 09:00:{n:02}", "deleted": "0", "name": p.name,
                "id_no": p.id_number, "sex": "男", "birthday": "{:04}-{:02}-{:02}".format(*p.birth), "district": "530112",
                "address": "人民路１号", "phone": "138 0000 0000", "contact1_name": secure.Person(n + 50).name,
                "contact1_relation": "子", "contact1_phone": "13800000001", "ability_level": n % 5,
                "ability_date": "2026-01-05", "tags": "独居、失能", "bed_qr": f"https://bed.example/b/5301120017-03-{n:03}-2",
                "org_code": "5301120017", "org_name": "西山区养老院", "in_date": "2026-01-02", "out_date": "9999-12-31"})
        self.check("12 rows read: 12 good, 0 not for this dataset, 0 would be refused here")
        self.once(rows=12, applied=12, bad_rows=0)
        # Entered by mistake: it takes back the version that it names.
        self.sql("update stay set deleted = '1', replaced_at = updated_at, updated_at = '2026-03-11 10:00:00' "
                 "where occupancy_id = 4")
        self.once(applied=1, bad_rows=0)


if __name__ == "__main__":
    harness.main()
