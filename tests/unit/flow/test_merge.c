/* What one record after the other does to persons, cases and log, story by story. */
#include "road_check.h"

#include "flow/merge.h"

enum { ID = 1, NAME = 3, BIRTH = 5, REGION = 11, STATUS = 15 };
enum { ISSUED = 14, CREMATED = 16 }; /* funeral: certificate status, cremation time */
#define WANG      "11010519491231002X", NAME, "王建国"
#define CREMATION "1690000000000000"

static struct road *r;

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	return 0;
}

static int tear_down_unchecked(void **state) /* too many for the checker's tables */
{
	(void)state;
	road_close(r, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	road_check(r);
	road_close(r, true);
	return 0;
}

/* The newest entry of the person of a source key, with its person. */
static struct eg_entry newest(const char *agency, const char *dataset, const char *key, struct eg_person *p)
{
	struct eg_err err = {0};
	struct eg_person_row row;
	assert_true(road_person(r, agency, dataset, key, p));
	assert_ok(eg_get_person_by_id(r->reader, p->id, r->arena, &row, &err), err);
	return road_entry(r, row.last_seq);
}

static bool same_person(const struct eg_person *a, const struct eg_person *b)
{
	return memcmp(a->id, b->id, 16) == 0;
}

static const struct eg_effect_field *field_of(const struct eg_entry *e, unsigned field)
{
	for (unsigned i = 0; i < e->effect.n_fields; i++)
		if (e->effect.fields[i].field == field)
			return &e->effect.fields[i];
	return NULL;
}

static void outcomes(void **state)
{
	(void)state;
	uint64_t v1, v2, seq;
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330302", 0), &v1),
	        EG_APPLIED);
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 3, ID, WANG, REGION, "330303", 0), &v2),
	        EG_APPLIED);
	assert_int_equal(v2, v1 + 1);
	struct eg_entry e = road_entry(r, v2);
	assert_int_equal(e.header.kind, EG_ENTRY_CHANGE);
	assert_int_equal(e.header.outcome, EG_APPLIED);
	assert_int_equal(e.effect.event, EG_EVENT_UPDATED);
	assert_int_equal(e.effect.version, 2);
	assert_int_equal(e.effect.previous, v1);
	assert_int_equal(e.effect.n_fields, 1);
	const struct eg_effect_field *f = field_of(&e, EG_VIEW_FIELD(EG_REGISTRATION, REGION));
	assert_non_null(f);
	assert_true(eg_bytes_equal(f->before.text, eg_bytes_of("330302")));
	assert_true(eg_bytes_equal(f->after.text, eg_bytes_of("330303")));
	assert_true(eg_bytes_equal(e.effect.region_before, eg_bytes_of("330302")));
	assert_true(eg_bytes_equal(e.effect.region_after, eg_bytes_of("330303")));
	assert_true(eg_bytes_equal(e.header.agency, eg_bytes_of("police")));
	assert_true(eg_bytes_equal(e.header.submission, eg_bytes_of("batch-1")));

	/* older: recorded, not effective */
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 2, ID, WANG, REGION, "330304", 0), &seq),
	        EG_STALE);
	e = road_entry(r, seq);
	assert_int_equal(e.header.kind, EG_ENTRY_STALE);
	assert_false(e.has_effect);
	assert_true(e.claim_part.len > 0);
	/* again: the entry it was recorded in */
	uint64_t again;
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 2, ID, WANG, REGION, "330304", 0), &again),
	        EG_UNCHANGED);
	assert_int_equal(again, seq);
	/* a newer version that says the same: a confirmation, listed */
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 9, ID, WANG, REGION, "330303", 0), &again),
	        EG_UNCHANGED);
	assert_int_equal(again, v2);
	e = road_entry(r, road_head(r));
	assert_int_equal(e.header.kind, EG_ENTRY_UNCHANGED);
	assert_int_equal(e.header.count, 1);
	assert_true(e.claim_part.len > 0);
	struct eg_person p;
	e = newest("police", "hukou", "k", &p);
	assert_int_equal(p.version, 2);
	assert_int_equal(p.held[0].seq, v2);
}

static void void_restores(void **state)
{
	(void)state;
	uint64_t v1, v2, seq, gone;
	struct eg_person before, after;
	eg_ticket_free(road_one(r, "civil", "dibao", "a", 1, ID, WANG, 11, "1", 0));
	road_outcome(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330302", 0), &v1);
	road_outcome(road_one(r, "police", "hukou", "k", 2, ID, WANG, REGION, "330303", 0), &v2);
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 2), &seq), EG_APPLIED);
	struct eg_entry e = road_entry(r, seq);
	assert_int_equal(e.effect.event, EG_EVENT_CORRECTED);
	assert_int_equal(e.effect.corrects, v2);
	assert_true(eg_bytes_equal(e.effect.region_after, eg_bytes_of("330302")));
	newest("police", "hukou", "k", &before);
	assert_int_equal(before.n_held, 2);

	/* the last version: nothing is left of the registration */
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 1), &gone), EG_APPLIED);
	e = road_entry(r, gone);
	assert_int_equal(e.effect.event, EG_EVENT_RETRACTED);
	assert_int_equal(e.effect.corrects, v1);
	assert_int_equal(e.effect.n_left, 1);
	assert_int_equal(e.effect.life_after, EG_LIFE_UNKNOWN);
	assert_true(road_person(r, "civil", "dibao", "a", &after));
	assert_true(same_person(&before, &after));
	assert_int_equal(after.n_held, 1);
	/* and back, under the same person */
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 3, ID, WANG, 0), NULL), EG_APPLIED);
	assert_true(road_person(r, "police", "hukou", "k", &after));
	assert_true(same_person(&before, &after));
	assert_int_equal(road_life(r, &after), EG_LIFE_ALIVE);
	/* a void that comes first */
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 7), &seq), EG_STALE);
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 7, ID, WANG, REGION, "330399", 0), NULL),
	        EG_STALE);
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 7), &gone), EG_UNCHANGED);
	assert_int_equal(gone, seq);
}

static void an_empty_person_returns(void **state)
{
	(void)state;
	struct eg_person before, after;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, 0));
	assert_true(road_person(r, "police", "hukou", "k", &before));
	eg_ticket_free(road_void(r, "police", "hukou", "k", 1));
	assert_true(road_person(r, "police", "hukou", "k", &after));
	assert_int_equal(after.n_held, 0);
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, ID, WANG, 0));
	struct eg_entry e = newest("police", "hukou", "k", &after);
	assert_true(same_person(&before, &after));
	assert_int_equal(after.version, 3);
	assert_int_equal(e.effect.event, EG_EVENT_UPDATED);
}

static void sections_join(void **state)
{
	(void)state;
	struct eg_person a, b;
	/* the assistance record comes first and waits for its person */
	eg_ticket_free(road_one(r, "civil", "dibao", "a", 1, ID, WANG, 11, "1", 0));
	eg_ticket_free(road_one(r, "platform", "elders", "e", 1, ID, WANG, 0));
	assert_true(road_person(r, "civil", "dibao", "a", &a));
	assert_int_equal(road_life(r, &a), EG_LIFE_UNKNOWN);
	struct eg_ticket *t = road_one(r, "police", "hukou", "k", 1, ID, WANG, 0);
	struct eg_entry e = road_entry(r, t->submission.items[0].seq);
	assert_int_equal(e.effect.event, EG_EVENT_UPDATED);
	assert_int_equal(e.effect.n_joined, 1);
	eg_ticket_free(t);
	assert_true(road_person(r, "police", "hukou", "k", &b));
	assert_true(same_person(&a, &b));
	assert_int_equal(b.n_held, 3);
	assert_int_equal(road_life(r, &b), EG_LIFE_ALIVE);
	/* another name: no join, and a question */
	t = road_one(r, "funeral", "remains", "f", 1, ID, "11010519491231002X", NAME, "李秀英", CREMATED,
	             CREMATION, 0);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	struct eg_case_body body;
	road_case(r, t->submission.items[0].cases[0], &body);
	assert_int_equal(body.kind, EG_CASE_NUMBER_SHARED);
	assert_int_equal(body.n_tokens, 4);
	assert_int_equal(body.n_persons, 2);
	eg_ticket_free(t);
}

static void merge_and_unmerge(void **state)
{
	(void)state;
	struct eg_person a, b, c;
	uint64_t bad, fix;
	eg_ticket_free(road_one(r, "civil", "dibao", "a", 1, ID, WANG, 11, "1", 0));
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	struct eg_item *item = road_add(t, "k", 1, EG_ASSERT);
	road_text(t, item, ID, road_id18(t, 5)); /* a wrong number, corrected below */
	road_text(t, item, NAME, "王建国");
	road_send(r, t);
	bad = t->submission.items[0].seq;
	eg_ticket_free(t);
	assert_true(road_person(r, "civil", "dibao", "a", &a));
	assert_true(road_person(r, "police", "hukou", "k", &b));
	assert_false(same_person(&a, &b));

	/* the number is corrected: the registration's person ends in the older one */
	road_outcome(road_one(r, "police", "hukou", "k", 2, ID, WANG, 0), &fix);
	assert_true(road_person(r, "police", "hukou", "k", &c));
	assert_true(same_person(&a, &c));
	struct eg_entry winner = road_entry(r, fix), loser = road_entry(r, fix + 1);
	assert_int_equal(winner.effect.event, EG_EVENT_MERGED);
	assert_memory_equal(winner.effect.other, b.id, 16);
	assert_false(winner.effect.merged);
	assert_int_equal(winner.effect.life_after, EG_LIFE_ALIVE);
	assert_int_equal(loser.header.kind, EG_ENTRY_EFFECT);
	assert_int_equal(loser.header.cause, fix);
	assert_int_equal(loser.effect.event, EG_EVENT_MERGED);
	assert_true(loser.effect.merged);
	assert_memory_equal(loser.effect.other, a.id, 16);
	assert_int_equal(loser.effect.life_after, EG_LIFE_ALIVE); /* its last */

	/* the correction was itself wrong: voided, the registration leaves for a person of its own */
	uint64_t undo;
	road_outcome(road_void(r, "police", "hukou", "k", 2), &undo);
	assert_true(road_person(r, "police", "hukou", "k", &b));
	assert_true(road_person(r, "civil", "dibao", "a", &c));
	assert_false(same_person(&b, &c));
	struct eg_entry one = road_entry(r, undo), other = road_entry(r, undo + 1);
	assert_int_equal(one.effect.event, EG_EVENT_UNMERGED);
	assert_int_equal(other.effect.event, EG_EVENT_UNMERGED);
	assert_memory_equal(one.effect.person, other.effect.other, 16);
	assert_memory_equal(one.effect.other, other.effect.person, 16);
	assert_int_equal(one.effect.corrects, fix);
	assert_int_equal(b.held[0].seq, bad);
}

static void registration_keeps_the_person(void **state)
{
	(void)state;
	struct eg_person before, reg, aid;
	/* the older assistance record and the registration are one person; then the registration's number
	 * changes, and the assistance record, which the old number led to, stays with it */
	eg_ticket_free(road_one(r, "civil", "dibao", "a", 1, ID, WANG, 11, "1", 0));
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, 0));
	assert_true(road_person(r, "police", "hukou", "k", &before));
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	struct eg_item *item = road_add(t, "k", 2, EG_ASSERT);
	road_text(t, item, ID, road_id18(t, 6));
	road_text(t, item, NAME, "王建国");
	road_send(r, t);
	eg_ticket_free(t);
	assert_true(road_person(r, "police", "hukou", "k", &reg));
	assert_true(road_person(r, "civil", "dibao", "a", &aid));
	assert_true(same_person(&before, &reg));
	assert_true(same_person(&before, &aid));
	/* the first version, which held the alias, is voided: now they part, and the registration keeps the
	 * person although the assistance record is the older row */
	uint64_t seq;
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 1), &seq), EG_STALE);
	assert_true(road_person(r, "police", "hukou", "k", &reg));
	assert_true(road_person(r, "civil", "dibao", "a", &aid));
	assert_true(same_person(&before, &reg));
	assert_false(same_person(&before, &aid));
	assert_int_equal(road_entry(r, seq + 1).header.cause, seq);
}

static void deaths(void **state)
{
	(void)state;
	struct eg_person p;
	uint64_t seq, cert;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, STATUS, "1", 0));
	eg_ticket_free(road_one(r, "funeral", "remains", "f", 1, ID, WANG, CREMATED, CREMATION, 0));
	assert_int_equal(newest("police", "hukou", "k", &p).effect.life_after, EG_LIFE_SUSPECTED);
	road_outcome(road_one(r, "funeral", "remains", "f", 2, ID, WANG, 13, "DC-1", ISSUED, "1", CREMATED,
	                      CREMATION, 0),
	             &cert);
	assert_int_equal(newest("police", "hukou", "k", &p).effect.life_after, EG_LIFE_DECEASED);
	/* the certificate is void, the cremation too: the person is back, as one correction */
	road_outcome(road_one(r, "funeral", "remains", "f", 3, ID, WANG, 10, "2", 13, "DC-1", ISSUED, "2", 0),
	             &seq);
	struct eg_entry e = newest("police", "hukou", "k", &p);
	assert_int_equal(e.effect.life_before, EG_LIFE_DECEASED);
	assert_int_equal(e.effect.life_after, EG_LIFE_ALIVE);
	assert_int_equal(e.effect.event, EG_EVENT_CORRECTED);
	assert_int_equal(e.effect.corrects, cert);
}

static void disputes_open_and_close(void **state)
{
	(void)state;
	struct eg_person p;
	struct eg_case_body body;
	uint8_t id[16];
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, STATUS, "1", 0));
	eg_ticket_free(road_one(r, "funeral", "remains", "f", 1, ID, WANG, 13, "DC-1", ISSUED, "1", CREMATED,
	                        CREMATION, 0));
	/* the certificate is voided while the cremation stands */
	struct eg_ticket *t = road_one(r, "funeral", "remains", "f", 2, ID, WANG, 13, "DC-1", ISSUED, "2",
	                               CREMATED, CREMATION, 0);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	memcpy(id, t->submission.items[0].cases[0], 16);
	uint64_t seq = t->submission.items[0].seq;
	assert_int_equal(t->submission.last_seq, seq + 1);
	eg_ticket_free(t);
	struct eg_case_row row = road_case(r, id, &body);
	assert_int_equal(body.kind, EG_CASE_LIFE_DISPUTED);
	assert_int_equal(row.state, EG_CASE_OPEN);
	assert_int_equal(row.opened, seq + 1);
	struct eg_entry e = newest("police", "hukou", "k", &p);
	assert_int_equal(e.effect.event, EG_EVENT_CASE_OPENED);
	assert_memory_equal(e.effect.case_id, id, 16);
	assert_int_equal(e.effect.life_after, EG_LIFE_DISPUTED);
	assert_int_equal(p.n_cases, 1);
	enum eg_rc rc;
	eg_ticket_free(road_decide(r, id, EG_DECIDE_LINK, NULL, &rc)); /* nothing to decide this way */
	assert_int_equal(rc, EG_PRECONDITION);
	/* the police cancel: two kinds of evidence again */
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, ID, WANG, STATUS, "3", 0));
	e = newest("police", "hukou", "k", &p);
	if (e.effect.life_after != EG_LIFE_DISPUTED) {
		assert_int_equal(e.effect.event, EG_EVENT_CASE_CLOSED);
		assert_int_equal(p.n_cases, 0);
		row = road_case(r, id, &body);
		assert_int_equal(row.state, EG_CASE_CLOSED);
		assert_int_equal(body.decision, 0);
	}
	/* the voided version comes back: the same question is the same case */
	eg_ticket_free(road_void(r, "police", "hukou", "k", 2));
	row = road_case(r, id, &body);
	assert_int_equal(row.state, EG_CASE_OPEN);
}

static void quarantine_and_correction(void **state)
{
	(void)state;
	uint64_t seq, again, fixed;
	struct eg_err err = {0};
	struct eg_reject_row *rejects;
	unsigned n;
	struct eg_ticket *t =
	        road_one(r, "police", "hukou", "k", 4, ID, "110105194912310021", NAME, "王建国", 0);
	assert_int_equal(t->submission.items[0].reasons.v[0].code, EG_REASON_ID_CHECK_DIGIT);
	assert_int_equal(road_outcome(t, &seq), EG_QUARANTINED);
	struct eg_entry e = road_entry(r, seq);
	assert_int_equal(e.header.kind, EG_ENTRY_QUARANTINE);
	assert_int_equal(e.header.n_reasons, 1);
	assert_int_equal(e.header.reasons[0], EG_REASON_ID_CHECK_DIGIT);
	assert_true(e.claim_part.len > 0);
	struct eg_person p;
	assert_false(road_person(r, "police", "hukou", "k", &p));
	uint64_t head = road_head(r);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 4, ID, "110105194912310021", NAME,
	                                       "王建国", 0),
	                              &again),
	                 EG_QUARANTINED);
	assert_int_equal(again, seq);
	assert_int_equal(road_head(r), head); /* no second entry */
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 1);
	assert_int_equal(rejects[0].seq, seq);
	assert_int_equal(rejects[0].version, 4);
	/* corrected under the same version */
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 4, ID, WANG, 0), &fixed),
	                 EG_APPLIED);
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 0);
	/* the whole stream again */
	head = road_head(r);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 4, ID, "110105194912310021", NAME,
	                                       "王建国", 0),
	                              &again),
	                 EG_QUARANTINED);
	assert_int_equal(again, seq);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 4, ID, WANG, 0), &again),
	                 EG_UNCHANGED);
	assert_int_equal(again, fixed);
	assert_int_equal(road_head(r), head + 1);
	/* a faulty newer one is answered by one still newer, be it only a confirmation */
	eg_ticket_free(road_one(r, "police", "hukou", "k", 5, ID, "110105194912310021", NAME, "王建国", 0));
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 1);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 6, ID, WANG, 0), NULL),
	                 EG_UNCHANGED);
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 0);
	/* a faulty older version that comes late asks for nothing */
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 2, ID, "110105194912310021", NAME,
	                                       "王建国", 0),
	                              NULL),
	                 EG_QUARANTINED);
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 0);
}

/* Two contents under one version; returns the case. */
static void make_conflict(uint8_t id[16], uint64_t *first, uint64_t *second)
{
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330302", 0), first),
	        EG_APPLIED);
	struct eg_ticket *t = road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330303", 0);
	const struct eg_item *item = &t->submission.items[0];
	assert_int_equal(item->outcome, EG_QUARANTINED);
	assert_int_equal(item->reasons.v[item->reasons.n - 1].code, EG_REASON_VERSION_CONFLICT);
	assert_int_equal(item->n_cases, 1);
	memcpy(id, item->cases[0], 16);
	*second = item->seq;
	eg_ticket_free(t);
}

static void conflict_upheld(void **state)
{
	(void)state;
	uint8_t id[16];
	uint64_t first, second, seq;
	struct eg_case_body body;
	struct eg_person p;
	make_conflict(id, &first, &second);
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_OPEN);
	assert_int_equal(body.kind, EG_CASE_VERSION_CONFLICT);
	assert_int_equal(body.n_digests, 2);
	assert_int_equal(body.seqs[0], first);
	assert_int_equal(body.seqs[1], second);
	struct eg_entry e = newest("police", "hukou", "k", &p);
	assert_int_equal(e.effect.event, EG_EVENT_CASE_OPENED);
	assert_int_equal(p.n_cases, 1);
	/* resent: the same seq, the same case */
	struct eg_ticket *t = road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330303", 0);
	assert_int_equal(t->submission.items[0].seq, second);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	assert_memory_equal(t->submission.items[0].cases[0], id, 16);
	eg_ticket_free(t);
	/* decided for neither of them, then for the second */
	enum eg_rc rc;
	uint8_t nothing[16] = {9};
	eg_ticket_free(road_decide(r, id, EG_DECIDE_UPHOLD, nothing, &rc));
	assert_int_equal(rc, EG_PRECONDITION);
	eg_ticket_free(road_decide(r, nothing, EG_DECIDE_UPHOLD, nothing, &rc));
	assert_int_equal(rc, EG_NOT_FOUND);
	t = road_decide(r, id, EG_DECIDE_UPHOLD, body.digests[1], NULL);
	seq = t->seq;
	eg_ticket_free(t);
	e = road_entry(r, seq);
	assert_int_equal(e.header.kind, EG_ENTRY_DECISION);
	assert_int_equal(e.header.outcome, EG_DECIDED);
	assert_true(e.claim_part.len > 0);
	e = road_entry(r, seq + 1);
	assert_int_equal(e.header.cause, seq);
	assert_int_equal(e.effect.event, EG_EVENT_CORRECTED);
	assert_int_equal(e.effect.corrects, first);
	assert_true(eg_bytes_equal(e.effect.region_after, eg_bytes_of("330303")));
	newest("police", "hukou", "k", &p);
	assert_int_equal(p.held[0].seq, second);
	assert_int_equal(p.n_cases, 0);
	struct eg_case_row row = road_case(r, id, &body);
	assert_int_equal(row.state, EG_CASE_CLOSED);
	assert_int_equal(body.decision, EG_DECIDE_UPHOLD);
	assert_true(eg_bytes_equal(body.decided_by, eg_bytes_of("reviewer")));
	eg_ticket_free(road_decide(r, id, EG_DECIDE_UPHOLD, body.digests[0], &rc));
	assert_int_equal(rc, EG_PRECONDITION); /* closed */
	/* both senders repeat themselves: nothing opens again */
	uint64_t head = road_head(r), got;
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330303", 0), &got),
	        EG_UNCHANGED);
	assert_int_equal(got, second);
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330302", 0), &got),
	        EG_QUARANTINED);
	assert_int_equal(got, first);
	assert_int_equal(road_head(r), head + 1);
}

static void conflict_answered_by_a_newer_version(void **state)
{
	(void)state;
	uint8_t id[16];
	uint64_t first, second;
	struct eg_case_body body;
	struct eg_err err = {0};
	struct eg_reject_row *rejects;
	unsigned n;
	make_conflict(id, &first, &second);
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, ID, WANG, REGION, "330303", 0));
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
	assert_int_equal(body.decision, 0);
	assert_ok(eg_list_rejects(r->reader, "police", 0, EG_REJECT_OPEN, 10, r->arena, &rejects, &n, &err),
	          err);
	assert_int_equal(n, 0);
}

static void conflict_without_a_person(void **state)
{
	(void)state;
	uint8_t id[16];
	struct eg_case_body body;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, 0));
	eg_ticket_free(road_void(r, "police", "hukou", "k", 1));
	struct eg_ticket *t = road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330303", 0);
	assert_int_equal(t->submission.items[0].outcome, EG_QUARANTINED);
	assert_int_equal(t->submission.items[0].n_cases, 0); /* its version is void: nothing to decide */
	eg_ticket_free(t);
	/* a void that arrived first, then two contents */
	eg_ticket_free(road_one(r, "police", "permits", "x", 1, ID, WANG, 0));
	t = road_one(r, "police", "permits", "x", 1, ID, WANG, REGION, "330303", 0);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	memcpy(id, t->submission.items[0].cases[0], 16);
	eg_ticket_free(t);
	eg_ticket_free(road_void(r, "police", "permits", "x", 1)); /* answers the conflict */
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
}

static void double_registration_linked(void **state)
{
	(void)state;
	struct eg_person a, b;
	struct eg_case_body body;
	uint8_t id[16];
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, STATUS, "1", 0));
	struct eg_ticket *t = road_one(r, "police", "permits", "x", 1, ID, WANG, STATUS, "1", 0);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	memcpy(id, t->submission.items[0].cases[0], 16);
	eg_ticket_free(t);
	road_case(r, id, &body);
	assert_int_equal(body.kind, EG_CASE_DOUBLE_REGISTRATION);
	assert_int_equal(body.n_persons, 2);
	eg_ticket_free(road_decide(r, id, EG_DECIDE_LINK, NULL, NULL));
	assert_true(road_person(r, "police", "hukou", "k", &a));
	assert_true(road_person(r, "police", "permits", "x", &b));
	assert_true(same_person(&a, &b));
	assert_int_equal(a.n_cases, 0);
	struct eg_case_row row = road_case(r, id, &body);
	assert_int_equal(row.state, EG_CASE_CLOSED);
	assert_int_equal(body.decision, EG_DECIDE_LINK);
}

static void double_registration_moves_out(void **state)
{
	(void)state;
	struct eg_person a, b;
	struct eg_case_body body;
	uint8_t id[16];
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, STATUS, "1", 0));
	struct eg_ticket *t = road_one(r, "police", "permits", "x", 1, ID, WANG, STATUS, "1", 0);
	memcpy(id, t->submission.items[0].cases[0], 16);
	eg_ticket_free(t);
	/* one of them moves out: the question answers itself, and they are one */
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, ID, WANG, STATUS, "2", 0));
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
	assert_true(road_person(r, "police", "hukou", "k", &a));
	assert_true(road_person(r, "police", "permits", "x", &b));
	assert_true(same_person(&a, &b));
}

static void kept_apart(void **state)
{
	(void)state;
	struct eg_person a, b;
	struct eg_case_body body;
	uint8_t id[16];
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, "11010519491231002X", NAME, "王建国", 0));
	struct eg_ticket *t =
	        road_one(r, "police", "hukou", "m", 1, ID, "11010519491231002X", NAME, "李秀英", 0);
	memcpy(id, t->submission.items[0].cases[0], 16);
	eg_ticket_free(t);
	road_case(r, id, &body);
	assert_int_equal(body.kind, EG_CASE_NUMBER_SHARED);
	eg_ticket_free(road_decide(r, id, EG_DECIDE_APART, NULL, NULL));
	assert_true(road_person(r, "police", "hukou", "k", &a));
	assert_true(road_person(r, "police", "hukou", "m", &b));
	assert_false(same_person(&a, &b));
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
	/* a new version of either does not ask again */
	t = road_one(r, "police", "hukou", "m", 2, ID, "11010519491231002X", NAME, "李秀英", REGION, "330302",
	             0);
	assert_int_equal(t->submission.items[0].n_cases, 0);
	eg_ticket_free(t);
	/* a record of nobody known, reviewed */
	t = road_one(r, "funeral", "remains", "f", 1, NAME, "李秀英", CREMATED, CREMATION, 0);
	assert_int_equal(t->submission.items[0].n_cases, 1);
	memcpy(id, t->submission.items[0].cases[0], 16);
	eg_ticket_free(t);
	road_case(r, id, &body);
	assert_int_equal(body.kind, EG_CASE_NO_IDENTITY);
	eg_ticket_free(road_decide(r, id, EG_DECIDE_APART, NULL, NULL));
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
	eg_ticket_free(
	        road_one(r, "funeral", "remains", "f", 2, NAME, "李秀英", CREMATED, "1690000001000000", 0));
	assert_int_equal(road_case(r, id, &body).state, EG_CASE_CLOSED);
}

/* A number that thousands share identifies nobody. */
static void too_many_matches(void **state)
{
	(void)state;
	enum { ALL = 2100 };
	unsigned applied = 0, aside = 0;
	for (unsigned at = 0; at < ALL; at += 300) {
		struct eg_ticket *t = road_batch(r, "civil", "dibao", 300);
		for (unsigned i = at; i < at + 300; i++) {
			char key[16];
			snprintf(key, sizeof key, "a-%u", i);
			struct eg_item *item = road_add(t, key, 1, EG_ASSERT);
			road_text(t, item, ID, "11010519491231002X");
			road_text(t, item, NAME, "王建国");
		}
		road_send(r, t);
		for (unsigned i = 0; i < 300; i++) {
			const struct eg_item *item = &t->submission.items[i];
			if (item->outcome == EG_APPLIED)
				applied++;
			else if (item->outcome == EG_QUARANTINED &&
			         item->reasons.v[item->reasons.n - 1].code == EG_REASON_TOO_MANY_MATCHES)
				aside++;
		}
		eg_ticket_free(t);
	}
	assert_int_equal(applied, 2000);
	assert_int_equal(aside, ALL - 2000);
}

/* A person has a size: what would pass it waits for a reviewer, and who reads persons has room for each. */
static void a_person_has_a_size(void **state)
{
	(void)state;
	enum { BATCH = 100, MOST = 1500 };
	struct eg_person p;
	char text[601] = "", key[16];
	unsigned taken = 0, refused = 0;
	for (unsigned i = 0; i < 200; i++)
		memcpy(text + 3 * i, "\xE5\xAE\x89", 3);
	for (unsigned sent = 0; sent < MOST && !refused; sent += BATCH) {
		struct eg_ticket *t = road_batch(r, "platform", "elders", BATCH);
		for (unsigned i = 0; i < BATCH; i++) {
			snprintf(key, sizeof key, "e%u", sent + i);
			struct eg_item *item = road_add(t, key, 1, EG_ASSERT);
			road_text(t, item, ID, "11010519491231002X");
			road_text(t, item, NAME, "王建国");
			road_text(t, item, EG_FN_CARE_residence_text, text);
			road_text(t, item, EG_FN_CARE_tags, text);
		}
		road_send(r, t);
		for (unsigned i = 0; i < BATCH; i++) {
			const struct eg_item *item = &t->submission.items[i];
			refused += item->outcome == EG_QUARANTINED;
			taken += item->outcome == EG_APPLIED;
			if (item->outcome == EG_QUARANTINED)
				assert_int_equal(item->reasons.v[item->reasons.n - 1].code,
				                 EG_REASON_TOO_MANY_MATCHES);
		}
		eg_ticket_free(t);
	}
	assert_true(refused > 0 && taken > 0);
	assert_true(road_person(r, "platform", "elders", "e0", &p));
	assert_int_equal(p.n_held, taken);
	size_t bytes = 0;
	for (unsigned i = 0; i < p.n_held; i++)
		bytes += p.held[i].canon.len;
	assert_true(bytes <= EG_PERSON_BYTES_MAX && bytes > EG_PERSON_BYTES_MAX / 2);
	/* One that is there may change, and be voided. */
	uint64_t seq;
	assert_int_equal(road_outcome(road_void(r, "platform", "elders", "e0", 1), &seq), EG_APPLIED);
}

/* New persons of one commit lie side by side in the index of ids, and are each a secret of their own. */
static void new_persons_lie_together(void **state)
{
	(void)state;
	enum { EACH = 3, COMMITS = 2, START = 4 };
	struct eg_person p[COMMITS * EACH];
	for (unsigned c = 0; c < COMMITS; c++) {
		struct eg_ticket *t = road_batch(r, "police", "hukou", EACH);
		for (unsigned i = 0; i < EACH; i++) {
			char key[8];
			snprintf(key, sizeof key, "n%u", c * EACH + i);
			struct eg_item *item = road_add(t, key, 1, EG_ASSERT);
			road_text(t, item, ID, road_id18(t, c * EACH + i));
			road_text(t, item, NAME, "王建国");
		}
		road_send(r, t);
		eg_ticket_free(t);
	}
	for (unsigned i = 0; i < COMMITS * EACH; i++) {
		char key[8];
		snprintf(key, sizeof key, "n%u", i);
		assert_true(road_person(r, "police", "hukou", key, &p[i]));
		for (unsigned k = 0; k < i; k++) {
			bool together = i / EACH == k / EACH;
			assert_int_equal(memcmp(p[i].id, p[k].id, START) == 0, together);
			assert_memory_not_equal(p[i].id + START, p[k].id + START, sizeof p->id - START);
		}
	}
}

int main(void)
{
#define STORY(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        STORY(outcomes),
	        STORY(void_restores),
	        STORY(new_persons_lie_together),
	        STORY(an_empty_person_returns),
	        STORY(sections_join),
	        STORY(merge_and_unmerge),
	        STORY(registration_keeps_the_person),
	        STORY(deaths),
	        STORY(disputes_open_and_close),
	        STORY(quarantine_and_correction),
	        STORY(conflict_upheld),
	        STORY(conflict_answered_by_a_newer_version),
	        STORY(conflict_without_a_person),
	        STORY(double_registration_linked),
	        STORY(double_registration_moves_out),
	        STORY(kept_apart),
	        cmocka_unit_test_setup_teardown(too_many_matches, set_up, tear_down_unchecked),
	        cmocka_unit_test_setup_teardown(a_person_has_a_size, set_up, tear_down_unchecked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
