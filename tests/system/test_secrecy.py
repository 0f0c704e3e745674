#!/usr/bin/python3
"""No name and no ID number in clear: planted values go in through every door, then every file, log line, metric, message
and error is searched for them byte by byte.

EG_SEED repeats a run.
"""
import os
import random
import shutil
import sys
import tempfile
import unittest

import harness
import observe
import planted
import grpc
from eldergate.v1 import (audit_pb2 as au, audit_pb2_grpc, cases_pb2 as ca, cases_pb2_grpc, elder_pb2 as e,
                          exchange_pb2 as x, exchange_pb2_grpc, feed_pb2 as f, feed_pb2_grpc)

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "crash"))
import topics  # noqa: E402

SEED = int(os.environ.get("EG_SEED") or random.SystemRandom().randrange(1 << 32))
READ = ["registration.name", "registration.id_number", "registration.address_text", "registration.former_name",
        "care.phone", "care.contact_1_name", "funeral.informant_name", "death_date"]
TOPIC = "[registration.address_region, registration.registration_status, care.ability_level, care.ability_scale, " \
        "care.tags, care.institution_code, care.residence_region]"


class Planting:
    """Sends what there is to send, and keeps every error that came back."""

    def __init__(self, gateway, channel):
        self.plants = planted.Plants(SEED)
        self.gateway = gateway
        self.channel = channel
        self.exchange = exchange_pb2_grpc.ExchangeServiceStub(channel)
        self.errors = []
        self.outcomes = {}
        self.batches = 0

    # ---- records ----

    def person(self, record, section, **fields):
        p = self.plants
        s = getattr(record, section)
        s.id_number, s.name, s.sex = p.id_number(), p.name(), "1"
        year, month, day = p.birth(s.id_number)
        s.birth_date.CopyFrom(e.CivilDate(year=year, month=month, day=day))
        for name, value in fields.items():
            setattr(s, name, value)
        return s

    def record(self, section, key=None, version=1, **fields):
        p = self.plants
        r = e.Record(source_key=key or p.id_number(), version=version, operation=e.OPERATION_ASSERT)
        r.event_time.FromSeconds(1_700_000_000)
        made = {
            "registration": lambda: dict(former_name=p.name(), household_number=p.id_number("330304"),
                                         address_region="330302", address_text=p.address(),
                                         registration_status=e.REGISTRATION_STATUS_NORMAL),
            "assistance": lambda: dict(assistance_case_number=p.id_number(), assistance_status=1, assistance_category=1),
            "funeral": lambda: dict(organisation_code="F1", remains_number=p.text("remains number"),
                                    death_certificate_number=p.id_number(), informant_name=p.name(),
                                    informant_phone=p.phone(), funeral_certificate_number=p.text("certificate")),
            "care": lambda: dict(residence_text=p.address(), phone=p.phone(), contact_1_name=p.name(),
                                 contact_1_phone=p.phone(), contact_2_name=p.name(), contact_2_phone=p.phone(),
                                 bed_code="B1", ability_level=2, ability_scale="GB/T 42195-2022"),
        }[section]()
        self.person(r, section, **{**made, **fields})
        if section == "funeral":
            r.funeral.cremation_time.FromSeconds(1_699_000_000)
        return r

    def submit(self, section, *records, dataset=None, metadata=None):
        self.batches += 1
        request = x.SubmitRequest(batch_id=f"batch-{self.batches}", dataset=dataset or section, records=records)
        answers = [a.receipt for a in self.exchange.Submit(iter([request]), timeout=30, metadata=metadata)]
        self.errors.append(answers[0].status.SerializeToString())
        for result in answers[0].results:
            outcome = x.Outcome.Name(result.outcome)
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
            self.errors += [r.SerializeToString() for r in result.reasons]
        return answers[0]

    def fails(self, call):
        """Keeps what an error says; True when there was one."""
        try:
            call()
        except grpc.RpcError as error:
            self.errors.append((error.details() or "").encode())
            for key, value in (error.trailing_metadata() or ()) + (error.initial_metadata() or ()):
                self.errors.append(key.encode() + b" " + (value if isinstance(value, bytes) else value.encode()))
            return True
        return False

    # ---- doors ----

    def good_and_bad_records(self):
        p = self.plants
        for section in harness.SECTIONS:
            taken_back = self.record(section)
            void = e.Record(source_key=taken_back.source_key, version=1, operation=e.OPERATION_VOID)
            getattr(void, section).SetInParent()
            self.submit(section, *[self.record(section) for _ in range(5)], taken_back)
            self.submit(section, void)
            key = p.id_number()
            first = self.record(section, key=key, version=5)
            again = e.Record.FromString(first.SerializeToString())
            getattr(again, section).name = p.name()  # the same version says something else: set aside, a case
            older = self.record(section, key=key, version=3)
            early = e.Record(source_key=p.id_number(), version=9, operation=e.OPERATION_VOID)
            getattr(early, section).name = p.name()
            for record in (first, again, older, early):
                self.submit(section, record)
            wrong = p.id_number()
            wrong = wrong[:-1] + ("0" if wrong[-1] != "0" else "1")
            p.values[wrong] = "ID number with a wrong check digit"
            self.submit(section, self.record(section, id_number=wrong),
                        self.record(section, id_number=p.old_number()),
                        self.record(section, id_number="\uff18".join(p.id_number()[:1]) + p.id_number()),
                        self.record(section, name=p.name() + "\u0007"), self.record(section, name=p.name() * 30),
                        self.record(section, sex=p.name()), self.record(section, key=""),
                        self.record(section, key=p.name() * 100))
            cleared = self.record(section)
            cleared.cleared_fields.extend([p.id_number(), p.name(), section + "." + p.id_number(), "name"])
            self.submit(section, cleared)
        self.submit("registration", self.record("registration", address_region=p.name()), self.record("care"))
        self.submit("care", self.record("care", institution_code=p.id_number(), tags=f"a,{p.id_number()}"),
                    self.record("care", ability_scale=p.name(), tags=p.name(), residence_region=p.name()))
        self.submit("registration", self.record("registration"), dataset=p.id_number())
        self.submit("registration", self.record("registration"), dataset=p.name())

    def double_registration(self):
        """Two current registrations of one person: a case. And a record that queries will find."""
        one = self.record("registration")
        two = e.Record.FromString(one.SerializeToString())
        two.source_key = self.plants.id_number()
        self.submit("registration", one, two)
        known = self.record("registration")
        self.submit("registration", known)
        return known

    def malformed_batches(self):
        raw = self.channel.stream_stream("/eldergate.v1.ExchangeService/Submit")
        for section in harness.SECTIONS:
            whole = x.SubmitRequest(batch_id="m", dataset=section,
                                    records=[self.record(section) for _ in range(3)]).SerializeToString()
            name = self.plants.name().encode()
            for body in (whole[:-7], whole + b"\x0b", name * 40, whole.replace(b"\xe6\xac\xa7", b"\xe6\xac\xff"),
                         whole.replace(b"\xe6\xac\xa7", b"\xe6\x00\xa7"), b"\x0a" + bytes([len(name)]) + name + whole):
                self.fails(lambda: [self.errors.append(a) for a in raw(iter([body]), timeout=30)])

    def queries(self, known):
        p = self.plants
        s = known.registration
        selectors = [e.PersonSelector(identity=e.IdentitySelector(id_number=n, name=m))
                     for n, m in ((s.id_number, s.name), (p.id_number(), p.name()), (p.name(), p.id_number()),
                                  (p.old_number(), ""), ("", p.name()))]
        selectors += [e.PersonSelector(source_record=e.SourceRecordSelector(dataset=d, source_key=k))
                      for d, k in (("registration", known.source_key), (p.id_number(), p.name()),
                                   ("registration", p.id_number()))]
        selectors += [e.PersonSelector(person_ref=r) for r in (p.id_number(), p.name())]
        for selector in selectors:
            self.fails(lambda: self.exchange.GetElder(x.GetElderRequest(
                purpose="test", legal_basis=p.name(), person=selector), timeout=30))
        self.fails(lambda: self.exchange.CheckLifeStatus(x.CheckLifeStatusRequest(
            purpose="test", legal_basis=p.id_number(), persons=selectors[:7]), timeout=30))
        good = selectors[0]
        for more in ({"purpose": p.id_number()}, {"fields": [p.name(), p.id_number()]}, {"legal_basis": p.name() * 99}):
            self.fails(lambda: self.exchange.GetElder(x.GetElderRequest(
                **{"purpose": "test", "legal_basis": "l", "person": good, **more}), timeout=30))
        found = self.exchange.GetElder(x.GetElderRequest(purpose="test", legal_basis=p.name(), person=good), timeout=30)
        return {v.field: v.value.text for v in found.elder.fields}

    def strange_arguments(self):
        p = self.plants
        audit = audit_pb2_grpc.AuditServiceStub(self.channel)
        cases = cases_pb2_grpc.CaseServiceStub(self.channel)
        feed = feed_pb2_grpc.FeedServiceStub(self.channel)
        start = f.FeedStart(snapshot=f.SnapshotStart())
        calls = [
            lambda: audit.SearchLog(au.SearchLogRequest(batch_id=p.id_number(), agency=p.name()), timeout=30),
            lambda: audit.SearchLog(au.SearchLogRequest(page_token=p.id_number()), timeout=30),
            lambda: audit.GetEntry(au.GetEntryRequest(seq=3, open_parts=True, purpose=p.name(), legal_basis="l"),
                                   timeout=30),
            lambda: audit.GetEntry(au.GetEntryRequest(seq=3, open_parts=True, purpose="test", legal_basis=p.name()),
                                   timeout=30),
            lambda: cases.GetCase(ca.GetCaseRequest(case_id=p.id_number(), purpose="test", legal_basis="l"), timeout=30),
            lambda: cases.ListCases(ca.ListCasesRequest(page_token=p.name()), timeout=30),
            lambda: self.exchange.ListRejects(x.ListRejectsRequest(dataset=p.id_number()), timeout=30),
            lambda: self.exchange.Resubmit(x.ResubmitRequest(batch_id="r", dataset=p.id_number(), corrections=[
                x.Correction(reject_seq=1, record=self.record("care"))]), timeout=30),
            lambda: list(feed.Subscribe(f.SubscribeRequest(start=start, purpose=p.id_number()), timeout=30)),
            lambda: list(feed.Subscribe(f.SubscribeRequest(start=start, purpose="test", filter=f.FeedFilter(
                changed_fields=[p.id_number()])), timeout=30)),
            lambda: list(feed.Subscribe(f.SubscribeRequest(purpose="test", start=f.FeedStart(cursor=f.Cursor(
                log_id=p.id_number(), seq=1))), timeout=30)),
            lambda: feed.ListChanges(f.ListChangesRequest(start=start, purpose="test", filter=f.FeedFilter(
                region_prefixes=[p.id_number(), p.name()])), timeout=30),
            lambda: self.channel.unary_unary(f"/eldergate.v1.ExchangeService/{p.id_number()}")(b"", timeout=30),
            lambda: self.channel.unary_unary(f"/{p.id_number()}/GetElder")(b"", timeout=30),
            lambda: self.channel.unary_unary("/grpc.health.v1.Health/Check")(
                b"\x0a\x12" + p.id_number().encode(), timeout=30),
        ]
        failed = sum(self.fails(call) for call in calls)
        self.fails(lambda: self.submit("care", self.record("care"), metadata=(
            ("traceparent", p.id_number()), ("x-person", p.id_number()), ("grpc-tags-bin", p.name().encode()))))
        for page in ("/" + p.id_number(), "/metrics?" + p.id_number()):
            try:
                observe.fetch(self.gateway.settings["listen.metrics"].split(":")[1], page)
            except OSError:
                failed += 1
        return failed

    def decide_cases(self):
        cases = cases_pb2_grpc.CaseServiceStub(self.channel)
        open_cases = list(cases.ListCases(ca.ListCasesRequest(page_size=100), timeout=30).cases)
        for case in open_cases:
            note = f"{self.plants.name()} {self.plants.id_number()} {self.plants.phone()}"
            whole = cases.GetCase(ca.GetCaseRequest(case_id=case.case_id, purpose="test",
                                                    legal_basis=self.plants.name()), timeout=30).found
            request = ca.ResolveCaseRequest(case_id=case.case_id, note=note)
            if ca.DECISION_KIND_UPHOLD in whole.possible_decisions:
                request.uphold.digest = whole.parties[0].digest
            else:
                request.keep_apart.parties.extend(party.number for party in whole.parties)
            self.fails(lambda: cases.ResolveCase(request, timeout=30))
            self.fails(lambda: cases.ResolveCase(request, timeout=30))
            self.fails(lambda: cases.ResolveCase(ca.ResolveCaseRequest(case_id=case.case_id, note=note * 999), timeout=30))
        return len(open_cases)

    def subscribe(self):
        stub = feed_pb2_grpc.FeedServiceStub(self.channel)
        call = stub.Subscribe(f.SubscribeRequest(start=f.FeedStart(snapshot=f.SnapshotStart()), purpose="test"), timeout=30)
        items = 0
        for response in call:
            items += sum(not i.HasField("progress") for i in response.items)
            if any(i.HasField("progress") and i.progress.live for i in response.items):
                break
        call.cancel()
        return items


class Secrecy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (EG_SEED={SEED} repeats this run)", flush=True)
        cls.broker = harness.DevBroker()
        everything = harness.identity("tester", uid=os.getuid(), fields=READ, submit=[(s, s) for s in harness.SECTIONS],
                                      roles=("agency", "subscriber", "operator", "auditor", "admin"))
        settings = {"log.level": "debug", "kafka.bootstrap": cls.broker.address, "kafka.development": "true",
                    "listen.metrics": f"127.0.0.1:{observe.free_port()}", "writer.checkpoint": "50ms",
                    "store.reserve": "1MiB", "feed.progress": "200ms"}
        cls.gateway = g = harness.Gateway(settings, {"tester": everything})
        with open(g.config, "w", encoding="utf-8") as config:
            config.write(f"kafka:\n  fields: {TOPIC}\n")
        g.start()
        with g.channel() as channel:
            cls.planting = p = Planting(g, channel)
            p.good_and_bad_records()
            known = p.double_registration()
            p.malformed_batches()
            cls.answered = p.queries(known)
            cls.known = known.registration
            cls.strange = p.strange_arguments()
            cls.cases = p.decide_cases()
            cls.items = p.subscribe()
        cls.search = planted.Search(p.plants.values)
        port = g.settings["listen.metrics"].split(":")[1]
        harness.until(lambda: observe.metric(port, "eldergate_relay_events_total") > 50 and not
                      observe.metric(port, "eldergate_unpublished_entries"), "everything to be on Kafka")
        cls.metrics = observe.fetch(port)[1]

    @classmethod
    def tearDownClass(cls):
        try:
            cls.gateway.__exit__()
        finally:
            cls.broker.stop()

    def nothing(self, data, what):
        self.assertEqual(self.search.data(data), [], what)

    def test_1_the_values_went_in(self):
        """A search for what was never sent finds nothing either."""
        self.assertEqual(self.answered["registration.name"], self.known.name)
        self.assertEqual(self.answered["registration.id_number"], self.known.id_number)
        outcomes = self.planting.outcomes
        for outcome in ("APPLIED", "QUARANTINED", "STALE"):
            self.assertGreater(outcomes.get("OUTCOME_" + outcome, 0), 3, outcomes)
        self.assertGreater(self.cases, 3)
        self.assertGreater(self.items, 20)
        self.assertGreater(self.strange, 8)
        self.assertGreater(len(self.planting.errors), 100)

    def test_1_the_search_finds_what_is_there(self):
        """Each form of a value, alone in a file of its own, deep in the folder."""
        some = random.Random(SEED).sample(sorted(self.planting.plants.values), 12)
        with tempfile.TemporaryDirectory(prefix="eldergate-control-") as place:
            os.makedirs(os.path.join(place, "a", "b"))
            n = 0
            for value in some:
                for form, data in planted.forms(value).items():
                    n += 1
                    with open(os.path.join(place, "a", "b", str(n)), "wb") as control:
                        control.write(os.urandom(97) + data + os.urandom(50))
            found, _ = self.search.folder(place)
            self.assertEqual(len(found), n)
            shutil.copytree(self.gateway.data, os.path.join(place, "copy"),
                            ignore=shutil.ignore_patterns("*.sock"))
            with open(os.path.join(place, "copy", "eldergate.db"), "r+b") as database:
                database.seek(4096 * 3 + 17)
                database.write(some[0].encode())
            self.assertIn("eldergate.db", self.search.folder(os.path.join(place, "copy"))[0])

    def test_2_errors(self):
        for error in self.planting.errors:
            self.nothing(error, error[:60])

    def test_2_metrics(self):
        self.assertIn("eldergate_records_total", self.metrics)
        self.nothing(self.metrics.encode(), "metrics")

    def test_2_kafka(self):
        messages = [m for t in ("elder.changes.v1", "elder.state.v1", "elder.relay.v1")
                    for m in topics.read(self.broker.address, t)]
        self.assertGreater(len(messages), 50)
        fields = 0
        for m in messages:
            headers = b"".join(k.encode() + b"\0" + (v or b"") + b"\0" for k, v in m.headers() or [])
            for part in (m.key(), m.value(), headers):
                self.nothing(part or b"", m.topic())
            fields += (m.value() or b"").find(b"registration.address_region") >= 0
        self.assertGreater(fields, 0, "no event carried a field, so nothing could leak")

    def test_3_files(self):
        """While it runs, after a kill (the write-ahead log is there), and after a good end."""
        g = self.gateway
        self.assertTrue(os.path.getsize(os.path.join(g.data, "eldergate.db-wal")) > 100_000)
        for act in (lambda: None, g.kill, lambda: g.start() and g.stop()):
            act()
            found, read = self.search.folder(g.place)
            self.assertEqual(found, {})
            self.assertGreater(read, 500_000)
        self.assertGreater(g.log_text().count("daemon.ready"), 1, "there is no log that was searched")


if __name__ == "__main__":
    harness.main()
