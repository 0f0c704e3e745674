#!/usr/bin/python3
"""ExchangeService, CaseService and AuditService against a real gateway: what each caller is told, and that it is logged."""
import hashlib
import threading
import time
import unittest

import harness
from harness import PATIENCE
import secure
import grpc
from eldergate.v1 import (audit_pb2 as au, audit_pb2_grpc, cases_pb2 as ca, cases_pb2_grpc, elder_pb2 as e,
                          exchange_pb2 as x, exchange_pb2_grpc, reason_pb2 as r)

FIELDS = ["registration.name", "registration.registration_status", "registration.birth_date",
          "registration.address_region", "death_date", "funeral.cremation_time"]
BATCH = iter(range(1, 1 << 30))
PERSON = iter(range(1000, 1 << 30))


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = g = secure.Gateway({"writer.checkpoint": "50ms", "grpc.in_flight_batches": "4"})
        police = g.agency("police", {"household": "registration", "moved": "registration"},
                          {"check": FIELDS, "little": ["registration.birth_date"], "past": (["registration.name"],
                                                                                         "2020-01-01")})
        home = g.agency("home", {"remains": "funeral"}, {"check": []})
        operator = g.identity("operator", ["operator"], grants={"review": ["registration.name"]})
        auditor = g.identity("auditor", ["auditor"], grants={"audit": [], "glance": ["registration.name"]})
        g.start()
        cls.police_channel = g.to(police)
        cls.police = exchange_pb2_grpc.ExchangeServiceStub(cls.police_channel)
        cls.home = exchange_pb2_grpc.ExchangeServiceStub(g.to(home))
        cls.cases = cases_pb2_grpc.CaseServiceStub(g.to(operator))
        cls.audit = audit_pb2_grpc.AuditServiceStub(g.to(auditor))

    @classmethod
    def tearDownClass(cls):
        try:
            assert cls.gateway.alive(), "the daemon died: " + cls.gateway.log_tail()
            assert cls.gateway.stop() == 0, cls.gateway.log_tail()
        finally:
            cls.gateway.__exit__(None, None, None)

    # ---- helpers ----

    def submit(self, records, dataset="household", stub=None, **more):
        request = x.SubmitRequest(batch_id=f"b-{next(BATCH)}", dataset=dataset, records=records, **more)
        receipts = [m.receipt for m in (stub or self.police).Submit(iter([request]), timeout=PATIENCE)]
        self.assertEqual([m.batch_id for m in receipts], [request.batch_id])
        return receipts[0]

    def applied(self, records, **more):
        receipt = self.submit(records, **more)
        self.assertFalse(receipt.HasField("status"), receipt.status)
        for result in receipt.results:
            self.assertEqual(result.outcome, x.OUTCOME_APPLIED, result)
        return receipt

    def fails(self, code, reason, call):
        with self.assertRaises(grpc.RpcError) as caught:
            call()
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        got, texts, fields, retry = secure.details_of(secure.status_of(caught.exception))
        self.assertEqual((got, set(texts)), (reason, {"zh-CN", "en"}))
        return fields

    def refused(self, receipt, reason, field=None):
        got, texts, fields, _ = secure.details_of(receipt.status)
        self.assertEqual((got, set(texts)), (reason, {"zh-CN", "en"}))
        if field:
            self.assertIn(field, fields)
        self.assertEqual(len(receipt.results), 0)

    def by_id(self, n, purpose="check", stub=None, **more):
        person = secure.Person(n)
        selector = e.PersonSelector(identity=e.IdentitySelector(id_number=person.id_number, name=person.name))
        return (stub or self.police).GetElder(
            x.GetElderRequest(purpose=purpose, legal_basis="case 1", person=selector, **more), timeout=PATIENCE)

    def search(self, **conditions):
        """All that is found, over as many pages as it takes."""
        token, found = "", []
        while True:
            page = self.audit.SearchLog(au.SearchLogRequest(page_size=1000, page_token=token, **conditions), timeout=PATIENCE)
            found += page.headers
            token = page.next_page_token
            if not token:
                return found

    def entry(self, seq, **more):
        return self.audit.GetEntry(au.GetEntryRequest(seq=seq, **more), timeout=PATIENCE)

    # ---- Submit ----

    def test_applied_unchanged_stale(self):
        n = next(PERSON)
        first = self.applied([secure.registration(n, version=5)])
        self.assertEqual(len(first.log_id), 32)
        self.assertGreater(first.results[0].seq, 0)
        self.assertLessEqual(first.first_seq, first.results[0].seq)
        self.assertLess(abs(first.commit_time.ToSeconds() - time.time()), 60)
        again = self.submit([secure.registration(n, version=5)])
        self.assertEqual(again.results[0].outcome, x.OUTCOME_UNCHANGED)
        self.assertEqual(again.results[0].seq, first.results[0].seq)
        old = self.submit([secure.registration(n, version=3, address_text="old")])
        self.assertEqual(old.results[0].outcome, x.OUTCOME_STALE)

    def test_one_bad_record_never_fails_its_batch(self):
        n = next(PERSON)
        good = secure.registration(n)
        bad_id = secure.registration(next(PERSON), id_number="110105194912310021")
        unknown_enum = secure.registration(next(PERSON))
        unknown_enum.registration.registration_status = 77
        no_key = secure.registration(next(PERSON))
        no_key.source_key = ""
        no_operation = secure.registration(next(PERSON))
        no_operation.operation = 0
        receipt = self.submit([bad_id, good, unknown_enum, no_key, no_operation])
        told = [(m.index, m.outcome, [(r.ReasonCode.Name(q.code)[12:], q.field) for q in m.reasons
                                      if q.severity == r.SEVERITY_ERROR]) for m in receipt.results]
        self.assertEqual(told[0], (0, x.OUTCOME_QUARANTINED, [("ID_CHECK_DIGIT", "registration.id_number")]))
        self.assertEqual(told[1], (1, x.OUTCOME_APPLIED, []))
        self.assertEqual(told[2], (2, x.OUTCOME_QUARANTINED, [("ENUM_UNKNOWN", "registration.registration_status")]))
        self.assertEqual(told[3], (3, x.OUTCOME_QUARANTINED, [("REQUIRED_MISSING", "source_key")]))
        self.assertEqual(told[4], (4, x.OUTCOME_QUARANTINED, [("OPERATION_UNKNOWN", "operation")]))
        for m in receipt.results:
            for q in m.reasons:
                self.assertTrue(q.message.zh_cn and q.message.en)

    def raw_submit(self, *records):
        """A batch of records given as bytes, which no generated code would make."""
        name = f"raw-{next(BATCH)}"
        body = b"\x0a" + bytes([len(name)]) + name.encode() + b"\x12\x09household"
        for record in records:
            body += b"\x22" + _varint(len(record)) + record
        call = self.police_channel.stream_stream("/eldergate.v1.ExchangeService/Submit",
                                                 response_deserializer=x.SubmitResponse.FromString)
        return [m.receipt for m in call(iter([body]), timeout=PATIENCE)][0]

    def test_hostile_records(self):
        good = secure.registration(next(PERSON)).SerializeToString()
        key = b"\x0a\x05raw-k\x10\x01\x20\x01"
        hostile = {
            key + b"\x52\x04\x1a\x7fab": ("MALFORMED_RECORD", "registration"),
            key + b"\x52\x02\x18\x01": ("MALFORMED_RECORD", "registration.name"),
            key + b"\x52\x04\x1a\x02\xff\xfe": ("TEXT_NOT_UTF8", "registration.name"),
            key + b"\x52\x05\x1a\x03a\x00b": ("TEXT_NUL", "registration.name"),
            b"\x0b": ("MALFORMED_RECORD", ""),
            b"\xff" * 200: ("MALFORMED_RECORD", ""),
            key + b"\x52" + _varint(30000) + b"\x2a\x80\x10" * 10000: ("MALFORMED_RECORD", "registration.birth_date"),
        }
        records = list(hostile)
        receipt = self.raw_submit(*records, good)
        for result, (reason, field) in zip(receipt.results, hostile.values()):
            self.assertEqual(result.outcome, x.OUTCOME_QUARANTINED, reason)
            self.assertIn((reason, field), [(r.ReasonCode.Name(q.code)[12:], q.field) for q in result.reasons])
        self.assertEqual(receipt.results[-1].outcome, x.OUTCOME_APPLIED)

    def test_unknown_fields_are_told_and_ignored(self):
        record = secure.registration(next(PERSON)).SerializeToString() + b"\xa2\x06\x03new"
        result = self.raw_submit(record).results[0]
        self.assertEqual(result.outcome, x.OUTCOME_APPLIED)
        self.assertIn("REASON_CODE_UNKNOWN_FIELD", [r.ReasonCode.Name(q.code) for q in result.reasons])

    def test_batches_that_are_refused_whole(self):
        good = [secure.registration(next(PERSON))]
        self.refused(self.submit([]), "BATCH_EMPTY", "records")
        self.refused(self.submit([secure.registration(1)] * 1001), "TOO_MANY_RECORDS", "records")
        self.refused(self.submit(good, dataset="nothing"), "DATASET_UNKNOWN", "dataset")
        self.refused(self.submit(good, dataset="remains"), "DATASET_NOT_PERMITTED", "dataset")
        large = [secure.registration(next(PERSON), address_text="住" * 190) for _ in range(1000)]
        for record in large:
            record.source_key = "k" * 190
            record.registration.police_station = "所" * 90
            record.registration.former_name = "名" * 25
        self.refused(self.submit(large), "BATCH_TOO_LARGE")

    def test_a_batch_id_that_is_none(self):
        for batch_id in ("", "a" * 65, "批次", "a\nb"):
            request = x.SubmitRequest(batch_id=batch_id, dataset="household", records=[secure.registration(1)])
            receipt = next(self.police.Submit(iter([request]), timeout=PATIENCE)).receipt
            self.assertEqual(receipt.batch_id, batch_id)
            self.refused(receipt, "ARGUMENT_INVALID", "batch_id")

    def test_a_refused_batch_never_ends_the_stream(self):
        requests = [x.SubmitRequest(batch_id="1", dataset="nothing", records=[secure.registration(1)]),
                    x.SubmitRequest(batch_id="2", dataset="household", records=[secure.registration(next(PERSON))])]
        receipts = {m.receipt.batch_id: m.receipt for m in self.police.Submit(iter(requests), timeout=PATIENCE)}
        self.assertTrue(receipts["1"].HasField("status"))
        self.assertEqual(receipts["2"].results[0].outcome, x.OUTCOME_APPLIED)

    def test_a_message_that_does_not_decode_ends_the_stream(self):
        call = self.police_channel.stream_stream("/eldergate.v1.ExchangeService/Submit")
        for body in (b"\x0b", b"\x0a\x7fx", b"\x20\x01", b"\x0a\x02\xff\xfe"):
            self.fails(grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST",
                       lambda: list(call(iter([body]), timeout=PATIENCE)))

    def test_many_batches_each_get_their_receipt_once(self):
        requests = [x.SubmitRequest(batch_id=f"many-{i}", dataset="household", lane=i % 4,
                                    records=[secure.registration(next(PERSON)) for _ in range(20)]) for i in range(100)]
        receipts = [m.receipt for m in self.police.Submit(iter(requests), timeout=PATIENCE)]
        self.assertEqual(sorted(m.batch_id for m in receipts), sorted(m.batch_id for m in requests))
        self.assertTrue(all(q.outcome == x.OUTCOME_APPLIED for m in receipts for q in m.results))
        again = [m.receipt for m in self.police.Submit(iter(requests), timeout=PATIENCE)]
        self.assertTrue(all(q.outcome == x.OUTCOME_UNCHANGED for m in again for q in m.results))

    def test_a_sender_that_does_not_read_is_held_back_and_hurts_nobody(self):
        sent = 0

        def endless():
            nonlocal sent
            while sent < 3000:
                sent += 1
                yield x.SubmitRequest(batch_id="held", dataset="household",
                                      records=[secure.registration(100 + i) for i in range(100)])

        deaf = self.police_channel.stream_stream("/eldergate.v1.ExchangeService/Submit",
                                     request_serializer=x.SubmitRequest.SerializeToString)(endless(), timeout=PATIENCE)
        harness.until(lambda: sent > 4, "some batches to go")
        self.applied([secure.registration(next(PERSON))])
        deaf.cancel()
        self.assertLess(sent, 3000)
        self.applied([secure.registration(next(PERSON))])

    def test_clients_that_cancel_anywhere(self):
        def batches(n):
            for i in range(n):
                yield x.SubmitRequest(batch_id=f"c-{i}", dataset="household",
                                      records=[secure.registration(next(PERSON)) for _ in range(5)])

        for i in range(60):
            stream = self.police.Submit(batches(10), timeout=PATIENCE)
            for _ in range(i % 7):
                next(stream)
            if i % 2:
                time.sleep(i / 20000)
            stream.cancel()
        self.applied([secure.registration(next(PERSON))])

    def test_a_death_does_not_wait_for_a_list(self):
        stop = threading.Event()

        def bulk():
            i = 0
            while not stop.is_set():
                i += 1
                yield x.SubmitRequest(batch_id=f"bulk-{i}", dataset="household", lane=x.LANE_BULK,
                                      records=[secure.registration(next(PERSON)) for _ in range(1000)])

        streams, taken = [self.police.Submit(bulk()) for _ in range(2)], []
        readers = [threading.Thread(target=lambda s=s: [taken.append(r) for r in s]) for s in streams]
        for reader in readers:
            reader.start()
        try:
            harness.until(lambda: len(taken) > 2, "the list to be under way")
            overtaken = []  # batches of the list whose receipts came meanwhile: two or three; nine, if it stood in line
            for _ in range(10):
                before = len(taken)
                self.applied([secure.funeral(next(PERSON))], dataset="remains", stub=self.home, lane=x.LANE_URGENT)
                overtaken.append(len(taken) - before)
            self.assertLess(sum(overtaken), 5 * len(overtaken), overtaken)
        finally:
            stop.set()
            for reader in readers:
                reader.join()

    # ---- rejects ----

    def test_rejects_and_their_correction(self):
        n = next(PERSON)
        good = secure.registration(n, source_key=f"reject-{n}")
        bad = secure.registration(n, source_key=f"reject-{n}", id_number="11010519491231002")
        seq = self.submit([bad]).results[0].seq
        found = [m for m in self.police.ListRejects(x.ListRejectsRequest(dataset="household", page_size=1000),
                                                    timeout=PATIENCE).rejects if m.reject_seq == seq]
        self.assertEqual(found[0].source_key, f"reject-{n}")
        self.assertEqual(found[0].state, x.REJECT_STATE_OPEN)
        self.assertEqual([(q.reason.code, q.reason.field) for q in found[0].reasons],
                         [(r.REASON_CODE_ID_LENGTH, "registration.id_number")])
        self.assertTrue(found[0].reasons[0].remedy)
        request = x.ResubmitRequest(batch_id="fix", dataset="household", corrections=[
            x.Correction(reject_seq=seq, record=good), x.Correction(reject_seq=seq + 10 ** 9, record=good),
            x.Correction(reject_seq=seq, record=secure.registration(next(PERSON)))])
        for outcome in (x.OUTCOME_APPLIED, x.OUTCOME_UNCHANGED):
            receipt = self.police.Resubmit(request, timeout=PATIENCE).receipt
            self.assertEqual([m.outcome for m in receipt.results], [outcome, x.OUTCOME_REFUSED, x.OUTCOME_REFUSED])
            self.assertEqual([m.index for m in receipt.results], [0, 1, 2])
            self.assertEqual(receipt.results[1].reasons[0].code, r.REASON_CODE_REJECT_UNKNOWN)
        state = [m.state for m in self.police.ListRejects(
            x.ListRejectsRequest(state=x.REJECT_STATE_CORRECTED, page_size=1000), timeout=PATIENCE).rejects
            if m.reject_seq == seq]
        self.assertEqual(state, [x.REJECT_STATE_CORRECTED])
        self.assertEqual(self.home.ListRejects(x.ListRejectsRequest(), timeout=PATIENCE).rejects[:], [])

    def test_rejects_come_in_pages(self):
        for _ in range(5):
            self.submit([secure.registration(next(PERSON), id_number="1")])
        token, seen = "", []
        while True:
            page = self.police.ListRejects(x.ListRejectsRequest(page_size=2, page_token=token), timeout=PATIENCE)
            seen += [m.reject_seq for m in page.rejects]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(seen, sorted(set(seen)))
        self.assertGreaterEqual(len(seen), 5)
        self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                   lambda: self.police.ListRejects(x.ListRejectsRequest(page_token="x"), timeout=PATIENCE))

    def test_nothing_taken_nothing_logged(self):
        receipt = self.police.Resubmit(x.ResubmitRequest(
            batch_id="none", dataset="household",
            corrections=[x.Correction(reject_seq=1, record=secure.registration(1))]), timeout=PATIENCE).receipt
        self.assertEqual([m.outcome for m in receipt.results], [x.OUTCOME_REFUSED])
        self.assertEqual((receipt.first_seq, receipt.last_seq), (0, 0))

    # ---- asking ----

    def test_an_elder_by_number_reference_and_record(self):
        n = next(PERSON)
        self.applied([secure.registration(n)])
        answer = self.by_id(n)
        fields = {f.field: f for f in answer.elder.fields}
        self.assertEqual(fields["registration.name"].value.text, secure.Person(n).name)
        self.assertEqual(fields["registration.registration_status"].value.code, "NORMAL")
        self.assertEqual(fields["registration.name"].source.agency, "police")
        self.assertEqual(answer.elder.life_status, e.LIFE_STATUS_ALIVE)
        self.assertNotIn("registration.id_number", fields)
        for selector in (e.PersonSelector(person_ref=answer.elder.person_ref),
                         e.PersonSelector(source_record=e.SourceRecordSelector(dataset="household",
                                                                               source_key=f"H-{n}"))):
            again = self.police.GetElder(x.GetElderRequest(purpose="check", person=selector), timeout=PATIENCE)
            self.assertEqual(again.elder, answer.elder)
        other = self.by_id(n, stub=self.home)
        self.assertNotEqual(other.elder.person_ref, answer.elder.person_ref)
        self.assertEqual([f.field for f in other.elder.fields], ["life_status"])
        read = self.entry(answer.read_seq).header
        self.assertEqual((read.kind, read.operator, read.purpose), (au.ENTRY_KIND_QUERY, "police", "check"))

    def test_only_what_the_grant_gives(self):
        n = next(PERSON)
        self.applied([secure.registration(n)])
        self.assertEqual(sorted(f.field for f in self.by_id(n, "little").elder.fields),
                         ["life_status", "registration.birth_date"])
        self.assertEqual(sorted(f.field for f in self.by_id(n, fields=["registration.name"]).elder.fields),
                         ["life_status", "registration.name"])
        denied = grpc.StatusCode.PERMISSION_DENIED
        self.fails(denied, "PURPOSE_NOT_PERMITTED", lambda: self.by_id(n, "other"))
        self.fails(denied, "PURPOSE_NOT_PERMITTED", lambda: self.by_id(n, ""))
        self.fails(denied, "GRANT_EXPIRED", lambda: self.by_id(n, "past"))
        fields = self.fails(denied, "FIELD_NOT_PERMITTED",
                            lambda: self.by_id(n, fields=["registration.name", "registration.id_number"]))
        self.assertEqual(fields, ["fields[1]"])
        fields = self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                            lambda: self.by_id(n, fields=["registration.nonsense"]))
        self.assertEqual(fields, ["fields[0]"])

    def test_a_legal_basis_of_any_script(self):
        n = next(PERSON)
        self.applied([secure.registration(n)])
        person = e.PersonSelector(source_record=e.SourceRecordSelector(dataset="household", source_key=f"H-{n}"))
        ask = x.GetElderRequest(purpose="check", legal_basis="法" * 128, person=person)
        read = self.entry(self.police.GetElder(ask, timeout=PATIENCE).read_seq, open_parts=True, purpose="audit")
        self.assertIn(("法" * 128).encode(), read.claim.text)
        ask.legal_basis += "法"
        self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                                    lambda: self.police.GetElder(ask, timeout=PATIENCE)), ["legal_basis"])

    def test_no_text_of_a_caller_gets_into_a_header(self):
        secret = "SECRET-" + "x" * 500
        self.audit.SearchLog(au.SearchLogRequest(purpose=secret, operator=secret), timeout=PATIENCE)
        self.fails(grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_PERMITTED", lambda: self.entry(1, purpose=secret))
        self.assertEqual([h for h in self.search(operator="auditor") if "SECRET" in str(h)], [])

    def test_nobody(self):
        not_found = grpc.StatusCode.NOT_FOUND

        def ask(**selector):
            return lambda: self.police.GetElder(
                x.GetElderRequest(purpose="check", person=e.PersonSelector(**selector)), timeout=PATIENCE)

        self.fails(not_found, "PERSON_UNKNOWN", lambda: self.by_id(999999))
        self.fails(not_found, "PERSON_UNKNOWN", ask(person_ref="0" * 32))
        self.fails(not_found, "PERSON_UNKNOWN", ask(identity=e.IdentitySelector(id_number="123")))
        self.fails(not_found, "PERSON_UNKNOWN",
                   ask(source_record=e.SourceRecordSelector(dataset="household", source_key="nothing")))
        self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ask(person_ref="xyz")),
                         ["person.person_ref"])
        self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ask()),
                         ["person.selector"])

    def test_life_status_of_many(self):
        alive, gone = next(PERSON), next(PERSON)
        self.applied([secure.registration(alive), secure.registration(gone)])
        self.applied([secure.funeral(gone)], dataset="remains", stub=self.home)

        def selector(n, **more):
            return e.PersonSelector(identity=e.IdentitySelector(id_number=secure.Person(n).id_number, **more))

        answer = self.police.CheckLifeStatus(x.CheckLifeStatusRequest(purpose="check", persons=[
            selector(alive), selector(gone, name=secure.Person(gone).name), selector(888888),
            selector(alive, name="别人"),
            e.PersonSelector(identity=e.IdentitySelector(id_number="not a number"))]), timeout=PATIENCE)
        self.assertEqual([m.match for m in answer.answers],
                         [x.MATCH_FOUND, x.MATCH_FOUND, x.MATCH_NOT_FOUND, x.MATCH_NOT_FOUND, x.MATCH_NOT_FOUND])
        self.assertEqual([m.life_status for m in answer.answers[:2]],
                         [e.LIFE_STATUS_ALIVE, e.LIFE_STATUS_SUSPECTED_DECEASED])
        read = self.entry(answer.read_seq, open_parts=True, purpose="audit")
        self.assertEqual(read.header.kind, au.ENTRY_KIND_QUERY)
        self.assertIn(b"CheckLifeStatus", read.claim.text)
        self.fails(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_ITEMS",
                   lambda: self.police.CheckLifeStatus(x.CheckLifeStatusRequest(
                       purpose="check", persons=[selector(alive)] * 1001), timeout=PATIENCE))
        self.assertEqual(self.fails(grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID",
                                    lambda: self.police.CheckLifeStatus(x.CheckLifeStatusRequest(
                                        purpose="check", persons=[selector(alive), e.PersonSelector()]), timeout=PATIENCE)),
                         ["persons[1].selector"])

    # ---- cases ----

    def test_a_version_conflict_and_its_decision(self):
        n = next(PERSON)
        self.applied([secure.registration(n, version=9, address_text="一")])
        result = self.submit([secure.registration(n, version=9, address_text="二")]).results[0]
        self.assertEqual(result.outcome, x.OUTCOME_QUARANTINED)
        self.assertIn(r.REASON_CODE_VERSION_CONFLICT, [q.code for q in result.reasons])
        case_id = result.case_ids[0]
        reject = [m for m in self.police.ListRejects(x.ListRejectsRequest(page_size=1000), timeout=PATIENCE).rejects
                  if m.reject_seq == result.seq][0]
        self.assertEqual(reject.case_ids[:], [case_id])
        listed = [c for c in self.all_cases(ca.CASE_KIND_VERSION_CONFLICT) if c.case_id == case_id]
        self.assertEqual([p.number for p in listed[0].parties], [1, 2])
        self.assertEqual(listed[0].possible_decisions[:], [ca.DECISION_KIND_UPHOLD])
        self.assertEqual([len(p.fields) for p in listed[0].parties], [0, 0])
        got = self.cases.GetCase(ca.GetCaseRequest(case_id=case_id, purpose="review"), timeout=PATIENCE)
        self.assertEqual([[f.field for f in p.fields] for p in got.found.parties], [["registration.name"]] * 2)
        self.assertEqual(self.entry(got.read_seq).header.operator, "operator")
        self.fails(grpc.StatusCode.FAILED_PRECONDITION, "DECISION_NOT_POSSIBLE",
                   lambda: self.resolve(case_id, link=ca.LinkDecision(parties=[1])))
        second = [p for p in got.found.parties if p.seq == result.seq][0]
        done = self.resolve(case_id, uphold=ca.UpholdDecision(digest=second.digest), note="the second")
        self.assertEqual((done.resolved.state, done.resolved.decided_by, done.resolved.note),
                         (ca.CASE_STATE_CLOSED, "operator", "the second"))
        self.assertGreater(done.seq, 0)
        self.fails(grpc.StatusCode.FAILED_PRECONDITION, "CASE_CLOSED",
                   lambda: self.resolve(case_id, uphold=ca.UpholdDecision(digest=second.digest)))

    def all_cases(self, *kinds):
        token, found = "", []
        while True:
            page = self.cases.ListCases(ca.ListCasesRequest(kinds=kinds, page_size=3, page_token=token), timeout=PATIENCE)
            found += page.cases
            token = page.next_page_token
            if not token:
                return found

    def resolve(self, case_id, **decision):
        return self.cases.ResolveCase(ca.ResolveCaseRequest(case_id=case_id, **decision), timeout=PATIENCE)

    def test_a_double_registration_kept_apart(self):
        n = next(PERSON)
        self.applied([secure.registration(n, source_key=f"double-a-{n}")])
        result = self.submit([secure.registration(n, source_key=f"double-b-{n}")]).results[0]
        self.assertEqual(len(result.case_ids), 1)
        got = self.cases.GetCase(ca.GetCaseRequest(case_id=result.case_ids[0]), timeout=PATIENCE)
        self.assertEqual(got.found.kind, ca.CASE_KIND_DOUBLE_REGISTRATION)
        self.assertEqual(len(got.found.parties), 2)
        self.assertTrue(all(p.person_ref for p in got.found.parties))
        self.assertEqual([len(p.fields) for p in got.found.parties], [0, 0])
        self.fails(grpc.StatusCode.FAILED_PRECONDITION, "ARGUMENT_INVALID", lambda: self.by_id(n))
        done = self.resolve(result.case_ids[0], keep_apart=ca.KeepApartDecision(parties=[1, 2]), note="seen")
        self.assertEqual(done.resolved.state, ca.CASE_STATE_CLOSED)
        self.assertEqual(done.resolved.decision, ca.DECISION_KIND_KEEP_APART)

    def test_cases_that_are_not(self):
        self.fails(grpc.StatusCode.NOT_FOUND, "CASE_UNKNOWN",
                   lambda: self.cases.GetCase(ca.GetCaseRequest(case_id="0" * 32), timeout=PATIENCE))
        self.fails(grpc.StatusCode.NOT_FOUND, "CASE_UNKNOWN",
                   lambda: self.cases.GetCase(ca.GetCaseRequest(case_id="x"), timeout=PATIENCE))

    # ---- the log ----

    def test_search_and_open_an_entry(self):
        n = next(PERSON)
        receipt = self.applied([secure.registration(n)])
        found = self.search(batch_id=receipt.batch_id)
        self.assertEqual([(h.kind, h.agency, h.dataset, h.outcome) for h in found],
                         [(au.ENTRY_KIND_CHANGE, "police", "household", x.OUTCOME_APPLIED)])
        entry = self.entry(found[0].seq, open_parts=True, purpose="audit", legal_basis="audit 7")
        for part in (entry.claim, entry.effect):
            self.assertEqual(part.state, au.ENTRY_PART_STATE_OPEN)
            self.assertEqual(hashlib.sha256(part.salt + part.text).digest(), part.commitment)
        leaf = hashlib.sha256(b"eldergate/leaf/v1\n" + len(entry.canonical_header).to_bytes(4, "big") +
                              entry.canonical_header + entry.claim.commitment + entry.effect.commitment).digest()
        self.assertEqual(leaf, entry.leaf_data)
        self.assertIn(secure.Person(n).name.encode(), entry.claim.text)
        closed = self.entry(found[0].seq)
        self.assertEqual(closed.claim.state, au.ENTRY_PART_STATE_SEALED)
        self.assertEqual(closed.claim.text, b"")
        self.fails(grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_PERMITTED",
                   lambda: self.entry(found[0].seq, open_parts=True))
        self.fails(grpc.StatusCode.PERMISSION_DENIED, "FIELD_NOT_PERMITTED",
                   lambda: self.entry(found[0].seq, open_parts=True, purpose="glance"))
        self.fails(grpc.StatusCode.NOT_FOUND, "ENTRY_UNKNOWN", lambda: self.entry(10 ** 12))
        self.fails(grpc.StatusCode.NOT_FOUND, "ENTRY_UNKNOWN", lambda: self.entry(2 ** 64 - 1))

    def test_search_in_pages_and_by_every_condition(self):
        token, seqs = "", []
        while True:
            page = self.audit.SearchLog(au.SearchLogRequest(page_size=50, page_token=token, to_seq=300), timeout=PATIENCE)
            seqs += [h.seq for h in page.headers]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(seqs, list(range(1, len(seqs) + 1)))
        header = self.entry(seqs[-1]).header
        from_here = self.audit.SearchLog(au.SearchLogRequest(from_time=header.time, page_size=1), timeout=PATIENCE)
        self.assertLessEqual(from_here.headers[0].seq, header.seq)
        self.assertGreaterEqual(from_here.headers[0].time.ToMicroseconds(), header.time.ToMicroseconds())
        none = self.audit.SearchLog(au.SearchLogRequest(to_time=self.entry(1).header.time), timeout=PATIENCE)
        self.assertEqual((len(none.headers), none.next_page_token), (0, ""))
        self.assertTrue(self.search(kinds=[au.ENTRY_KIND_QUERY], operator="auditor"),
                        "a search is a read like any other")

    def test_refusals_are_counted_in_the_log(self):
        def entries():
            return [h for h in self.search(kinds=[au.ENTRY_KIND_REFUSAL], agency="police")
                    if h.action == "PURPOSE_NOT_PERMITTED"]

        before, began = entries(), time.monotonic()
        for _ in range(20):
            self.fails(grpc.StatusCode.PERMISSION_DENIED, "PURPOSE_NOT_PERMITTED", lambda: self.by_id(1, "no-such"))
        seconds = time.monotonic() - began
        told = harness.until(lambda: (e := entries()) and sum(h.count for h in e) >= 20 + sum(h.count for h in before) and e,
                             "the refusals to be in the log")
        self.assertLessEqual(len(told) - len(before), seconds + 2, "one entry per reason and second")

    def test_proofs(self):
        receipt = self.applied([secure.registration(next(PERSON))])
        harness.until(lambda: self.audit.GetCheckpoint(au.GetCheckpointRequest(), timeout=PATIENCE).tree_size
                      >= receipt.last_seq, "a checkpoint")
        checkpoint = self.audit.GetCheckpoint(au.GetCheckpointRequest(), timeout=PATIENCE)
        lines = checkpoint.note.split("\n")
        self.assertEqual(int(lines[1]), checkpoint.tree_size)
        for size in (0, receipt.last_seq):
            proof = self.audit.GetInclusionProof(au.GetInclusionProofRequest(seq=receipt.first_seq, tree_size=size),
                                                 timeout=PATIENCE)
            self.assertEqual(proof.leaf_index, receipt.first_seq - 1)
            root = inclusion_root(proof.leaf_index, proof.tree_size, proof.leaf_data, proof.hashes)
            note = proof.checkpoint.split("\n")
            self.assertEqual(int(note[1]), proof.tree_size)
            import base64
            self.assertEqual(base64.b64decode(note[2]), root)
            self.assertTrue(proof.proof_file.startswith("c2sp.org/tlog-proof@v1\n"))
        consistency = self.audit.GetConsistencyProof(
            au.GetConsistencyProofRequest(first_size=5, second_size=checkpoint.tree_size), timeout=PATIENCE)
        self.assertEqual(consistency.second_root_hash, checkpoint.root_hash)
        self.fails(grpc.StatusCode.NOT_FOUND, "ENTRY_UNKNOWN",
                   lambda: self.audit.GetInclusionProof(au.GetInclusionProofRequest(seq=10 ** 9), timeout=PATIENCE))
        self.fails(grpc.StatusCode.OUT_OF_RANGE, "PROOF_SIZE",
                   lambda: self.audit.GetInclusionProof(au.GetInclusionProofRequest(seq=5, tree_size=10 ** 9),
                                                        timeout=PATIENCE))
        self.fails(grpc.StatusCode.OUT_OF_RANGE, "PROOF_SIZE",
                   lambda: self.audit.GetInclusionProof(au.GetInclusionProofRequest(seq=5, tree_size=4), timeout=PATIENCE))
        for first, second in ((0, 5), (6, 5), (1, 10 ** 9)):
            self.fails(grpc.StatusCode.OUT_OF_RANGE, "PROOF_SIZE",
                       lambda: self.audit.GetConsistencyProof(
                           au.GetConsistencyProofRequest(first_size=first, second_size=second), timeout=PATIENCE))


def inclusion_root(index, size, leaf_data, path):
    """RFC 9162, 2.1.3.2"""
    fn, sn, h = index, size - 1, hashlib.sha256(b"\x00" + leaf_data).digest()
    for p in path:
        if fn & 1 or fn == sn:
            h = hashlib.sha256(b"\x01" + p + h).digest()
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            h = hashlib.sha256(b"\x01" + h + p).digest()
        fn >>= 1
        sn >>= 1
    assert sn == 0
    return h


def _varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


if __name__ == "__main__":
    harness.main()
