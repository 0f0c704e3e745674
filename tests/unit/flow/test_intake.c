/* The one door in: who may come in with what, and what becomes of each record on the way. */
#include "road_check.h"

#include "base/thread.h"

enum { ID = 1, NAME = 3 };

static struct road *r;

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	return 0;
}
static int tear_down(void **state)
{
	(void)state;
	road_close(r, true);
	return 0;
}

static struct eg_ticket *good_batch(unsigned n)
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", n);
	for (unsigned i = 0; i < n; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%u", i);
		struct eg_item *item = road_add(t, key, 1, EG_ASSERT);
		road_text(t, item, ID, road_id18(t, i));
		road_text(t, item, NAME, "王建国");
	}
	return t;
}

static void refuses(struct eg_ticket *t, enum eg_rc want, const char *field)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_intake_put(r->intake, t, eg_mono_us() + EG_SECOND, &err);
	assert_int_equal(rc, want);
	assert_string_equal(err.field, field);
	assert_true(err.text[0]);
	eg_ticket_free(t);
}

static void who_may_send(void **state)
{
	(void)state;
	uint64_t head = road_head(r);
	struct eg_ticket *t = good_batch(1);
	t->who = NULL;
	refuses(t, EG_DENIED, "");
	t = good_batch(1);
	t->who = eg_policy_by_name(r->policy, "reviewer"); /* no agency */
	refuses(t, EG_DENIED, "");
	t = good_batch(1);
	t->who = eg_policy_by_name(r->policy, "civil"); /* another agency's dataset */
	refuses(t, EG_DENIED, "dataset");
	t = good_batch(1);
	t->submission.dataset = NULL;
	refuses(t, EG_DENIED, "dataset");
	t = eg_ticket_new(EG_TICKET_DECISION, 1 << 16, r->policy, eg_policy_by_name(r->policy, "police"));
	refuses(t, EG_DENIED, "");
	assert_int_equal(road_head(r), head);
}

static void limits(void **state)
{
	(void)state;
	static char long_text[5000];
	memset(long_text, 'a', sizeof long_text - 1);
	refuses(good_batch(0), EG_INVALID, "records");
	refuses(good_batch(1001), EG_LIMIT, "records");
	struct eg_ticket *t = good_batch(1);
	t->bytes = ((size_t)1 << 20) + 1;
	refuses(t, EG_LIMIT, "records");
	t = good_batch(1);
	t->submission.batch_id = long_text;
	refuses(t, EG_LIMIT, "batch_id");
	t = good_batch(1);
	t->submission.batch_id = "\xff";
	refuses(t, EG_INVALID, "batch_id");
	t = good_batch(1);
	t->submission.batch_id = "redo-11010519491231002X-1"; /* the standard's own example */
	refuses(t, EG_INVALID, "batch_id");
	t = good_batch(1);
	t->purpose = "for Wang";
	refuses(t, EG_INVALID, "purpose");
	t = good_batch(1);
	t->traceparent = long_text;
	refuses(t, EG_LIMIT, "traceparent");
	t = eg_ticket_new(EG_TICKET_DECISION, 1 << 16, r->policy, eg_policy_by_name(r->policy, "reviewer"));
	t->decision.note = long_text;
	refuses(t, EG_LIMIT, "note");
	t = eg_ticket_new(EG_TICKET_QUERY, 1 << 16, r->policy, NULL);
	t->query.method = "GetElder";
	t->query.legal_basis = "law";
	t->query.n_persons = 10001;
	refuses(t, EG_LIMIT, "persons");
	/* an arena too small for what judging adds */
	t = good_batch(100);
	struct eg_ticket *small = eg_ticket_new(EG_TICKET_SUBMISSION, 2048, r->policy, t->who);
	small->submission = t->submission;
	refuses(small, EG_LIMIT, "records");
	eg_ticket_free(t);
}

static void judged(void **state)
{
	(void)state;
	struct eg_ticket *t = good_batch(2);
	road_text(t, &t->submission.items[1], 6, "\xe5\xad"); /* cut in the middle of a character */
	road_send(r, t);
	const struct eg_item *good = &t->submission.items[0], *bad = &t->submission.items[1];
	uint8_t token[16];
	road_token(r, "police", "hukou", "k0", token);
	assert_memory_equal(good->token, token, 16);
	assert_int_equal(good->outcome, EG_APPLIED);
	assert_true(good->version.has_key && good->version.current);
	assert_int_equal(bad->outcome, EG_QUARANTINED);
	assert_int_equal(bad->sealed_kind, EG_ENTRY_QUARANTINE);
	/* the join key is the number's token with the name's */
	struct eg_identity id = {.has_id18 = true, .name = "王建国"};
	uint8_t key[EG_JOIN_KEY_SIZE], number[16];
	snprintf(id.id18, sizeof id.id18, "%s", road_id18(t, 0));
	assert_true(eg_join_key(r->vault, &id, key));
	assert_memory_equal(key, good->version.key, sizeof key);
	eg_id18_token(r->vault, id.id18, number);
	assert_memory_equal(key, number, 16);
	id.has_id18 = false;
	assert_false(eg_join_key(r->vault, &id, key));
	/* both are stored as they were read, and read back */
	for (unsigned i = 0; i < 2; i++) {
		struct eg_claim claim;
		struct eg_err err = {0};
		struct eg_entry e = road_entry(r, t->submission.items[i].seq);
		assert_true(eg_bytes_equal(e.claim_part, t->submission.items[i].canon));
		assert_ok(eg_canon_claim_read(e.claim_part, r->arena, &claim, &err), err);
		assert_int_equal(claim.n, 2); /* what was no text is left out */
		assert_true(eg_bytes_equal(claim.agency, eg_bytes_of("police")));
	}
	eg_ticket_free(t);
	road_check(r);
}

/* Whatever the edge could or could not read becomes a record in quarantine, and the others of the batch are
 * applied. */
static void malformed_records(void **state)
{
	(void)state;
	struct eg_ticket *t = good_batch(8);
	struct eg_item *v = t->submission.items;
	v[0].malformed = true; /* with the edge's reason, and no key */
	eg_reasons_add(&v[0].reasons, EG_REASON_TEXT_NUL, "registration.name");
	v[0].claim = (struct eg_claim){0};
	v[1].malformed = true;        /* without one */
	v[2].claim.section = EG_CARE; /* not the dataset's */
	v[3].claim.op = 0;
	v[4].claim.source_key = (struct eg_bytes){0};
	v[5].claim.section = 99;
	road_text(t, &v[6], 60, "a field of a later version");                  /* a warning only */
	eg_reasons_add(&v[7].reasons, EG_REASON_UNKNOWN_FIELD, "registration"); /* the edge's own: kept */
	road_send(r, t);
	static const enum eg_reason_code want[] = {EG_REASON_TEXT_NUL,         EG_REASON_MALFORMED_RECORD,
	                                           EG_REASON_SECTION_MISMATCH, EG_REASON_OPERATION_UNKNOWN,
	                                           EG_REASON_REQUIRED_MISSING, EG_REASON_ENUM_UNKNOWN};
	for (unsigned i = 0; i < 6; i++) {
		bool told = false;
		struct eg_claim claim;
		struct eg_err err = {0};
		assert_int_equal(v[i].outcome, EG_QUARANTINED);
		for (unsigned k = 0; k < v[i].reasons.n; k++)
			told = told || v[i].reasons.v[k].code == want[i];
		if (!told)
			fail_msg("record %u lacks reason %s", i, eg_reason_name(want[i]));
		struct eg_entry e = road_entry(r, v[i].seq);
		assert_int_equal(e.header.kind, EG_ENTRY_QUARANTINE);
		assert_ok(eg_canon_claim_read(e.claim_part, r->arena, &claim, &err), err);
	}
	assert_int_equal(v[6].outcome, EG_APPLIED);
	assert_int_equal(v[7].outcome, EG_APPLIED);
	assert_int_equal(v[7].reasons.v[v[7].reasons.n - 1].code, EG_REASON_UNKNOWN_FIELD);
	eg_ticket_free(t);
	road_check(r);
}

static void large_records(void **state)
{
	(void)state;
	static char words[17000];
	memset(words, 'x', sizeof words - 1);
	struct eg_ticket *t = good_batch(2);
	t->submission.items[0].malformed = true; /* so that no field limit speaks first */
	eg_reasons_add(&t->submission.items[0].reasons, EG_REASON_MALFORMED_RECORD, "");
	road_text(t, &t->submission.items[0], 12, words);
	road_send(r, t);
	const struct eg_item *item = &t->submission.items[0];
	assert_int_equal(item->outcome, EG_QUARANTINED);
	assert_int_equal(item->reasons.v[item->reasons.n - 1].code, EG_REASON_RECORD_TOO_LARGE);
	assert_true(item->canon.len < 500);
	assert_int_equal(t->submission.items[1].outcome, EG_APPLIED);
	eg_ticket_free(t);
}

static void lanes(void **state)
{
	(void)state;
	struct eg_ticket *t = good_batch(3);
	road_send(r, t);
	assert_int_equal(t->lane, EG_LANE_LIVE);
	eg_ticket_free(t);
	t = good_batch(3);
	t->submission.items[1].claim.op = EG_VOID;
	t->submission.items[1].claim.n = 0;
	road_send(r, t);
	assert_int_equal(t->lane, EG_LANE_URGENT);
	eg_ticket_free(t);
	for (int64_t status = 1; status <= 5; status++) {
		t = good_batch(1);
		t->submission.items[0].claim.version = 10 + status;
		road_int(&t->submission.items[0], EG_FN_REGISTRATION_registration_status, status);
		road_send(r, t);
		assert_int_equal(t->lane, status == 3 || status == 5 ? EG_LANE_URGENT : EG_LANE_LIVE);
		eg_ticket_free(t);
	}
	t = good_batch(1);
	t->lane = EG_LANE_BULK;
	t->submission.items[0].claim.version = 20;
	road_int(&t->submission.items[0], EG_FN_REGISTRATION_registration_status, 3);
	road_send(r, t);
	assert_int_equal(t->lane, EG_LANE_BULK);
	eg_ticket_free(t);
}

/* A full lane makes put wait; what found no room may be put again, and a closed door says so. */
static void a_full_lane(void **state)
{
	(void)state;
	struct eg_intake_options o = {.vault = r->vault, .lane = {.items = 1, .bytes = 1 << 20}};
	struct eg_intake *in = eg_intake_new(&o);
	struct eg_err err = {0};
	struct eg_ticket *a = good_batch(1), *b = good_batch(1);
	void *got = NULL;
	assert_ok(eg_intake_put(in, a, 0, &err), err);
	assert_int_equal(eg_intake_put(in, b, eg_mono_us() + 1000, &err), EG_DEADLINE);
	uint8_t id[16];
	memcpy(id, b->submission.items[0].entry_id, 16);
	assert_int_equal(eg_queue_get(eg_intake_queue(in), &got, 1, 0), 1);
	assert_ptr_equal(got, a);
	assert_ok(eg_intake_put(in, b, 0, &err), err);
	assert_memory_equal(id, b->submission.items[0].entry_id, 16); /* judged once */
	eg_intake_close(in);
	eg_ticket_free(a);
	a = good_batch(1);
	assert_int_equal(eg_intake_put(in, a, 0, &err), EG_CLOSED);
	assert_int_equal(eg_queue_get(eg_intake_queue(in), &got, 1, 0), 1);
	eg_ticket_free(a);
	eg_ticket_free(b);
	eg_intake_free(in);
}

/* Equal content has an equal digest, whatever its key, version and revision; other content has not. */
static void digests(void **state)
{
	(void)state;
	struct eg_ticket *t = good_batch(4);
	struct eg_item *v = t->submission.items;
	for (unsigned i = 1; i < 4; i++) {
		v[i].claim.values = v[0].claim.values;
		v[i].claim.n = v[0].claim.n;
	}
	v[1].claim.version = 7;
	v[2].claim.mapping_revision = 3;
	v[3].claim.event_time++;
	road_send(r, t);
	assert_memory_equal(v[0].version.digest, v[1].version.digest, 16);
	assert_memory_equal(v[0].version.digest, v[2].version.digest, 16);
	assert_memory_not_equal(v[0].version.digest, v[3].version.digest, 16);
	eg_ticket_free(t);
}

int main(void)
{
#define DOOR(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        DOOR(who_may_send),  DOOR(limits), DOOR(judged),      DOOR(malformed_records),
	        DOOR(large_records), DOOR(lanes),  DOOR(a_full_lane), DOOR(digests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
