/* What a full list's absences do to source keys, persons and log, one withdrawal after the other. */
#include "road_check.h"

enum { ID = 1, NAME = 3, REGION = 11, STATUS = 15 };
enum { ISSUED = 14 }; /* funeral: certificate status */
#define WANG "11010519491231002X", NAME, "王建国"

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
	road_check(r);
	road_close(r, true);
	return 0;
}

/* A list of this position, compared when the log ended at `pinned`, lacks the key. */
static enum eg_outcome withdraw(const char *agency, const char *dataset, const char *key, int64_t position,
                                uint64_t pinned, uint64_t *seq)
{
	struct eg_err err = {0};
	struct eg_ticket *t = road_batch(r, agency, dataset, 1);
	struct eg_claim held = {.agency = eg_bytes_of(agency),
	                        .dataset = eg_bytes_of(dataset),
	                        .source_key = eg_bytes_of(key),
	                        .section = t->submission.dataset->section};
	uint8_t token[16];
	road_token(r, agency, dataset, key, token);
	t->lane = EG_LANE_BULK;
	t->submission.n = 1;
	assert_ok(eg_judge_withdrawal(r->vault, &held, token, position, pinned, t->arena,
	                              &t->submission.items[0], &err),
	          err);
	road_send(r, t);
	return road_outcome(t, seq);
}

static struct eg_entry newest(const char *agency, const char *dataset, const char *key, struct eg_person *p)
{
	struct eg_err err = {0};
	struct eg_person_row row;
	assert_true(road_person(r, agency, dataset, key, p));
	assert_ok(eg_get_person_by_id(r->reader, p->id, r->arena, &row, &err), err);
	return road_entry(r, row.last_seq);
}

static void absence_withdraws_and_presence_lifts(void **state)
{
	(void)state;
	uint64_t v1, gone, seq;
	struct eg_person p, again;
	road_outcome(road_one(r, "police", "hukou", "k", 10, ID, WANG, REGION, "330302", STATUS, "1", 0),
	             &v1);
	assert_int_equal(withdraw("police", "hukou", "k", 20, road_head(r), &gone), EG_APPLIED);
	struct eg_entry e = newest("police", "hukou", "k", &p);
	assert_int_equal(e.header.kind, EG_ENTRY_CHANGE);
	assert_int_equal(e.header.seq, gone);
	assert_int_equal(e.effect.event, EG_EVENT_WITHDRAWN);
	assert_int_equal(e.effect.corrects, 0);
	assert_int_equal(e.effect.life_before, EG_LIFE_ALIVE);
	assert_int_equal(e.effect.life_after, EG_LIFE_UNKNOWN); /* no evidence of a death */
	assert_int_equal(e.effect.n_left, 1);
	assert_int_equal(p.n_held, 0);
	struct eg_claim c;
	struct eg_err err = {0};
	assert_ok(eg_canon_claim_read(e.claim_part, r->arena, &c, &err), err);
	assert_int_equal(c.op, EG_WITHDRAW);
	assert_true(c.version == 20 && c.n == 0);
	assert_true(eg_bytes_equal(c.source_key, eg_bytes_of("k")));

	/* said again: nothing more */
	assert_int_equal(withdraw("police", "hukou", "k", 20, road_head(r), &seq), EG_UNCHANGED);
	assert_int_equal(seq, gone);
	/* late increments stay below it */
	assert_int_equal(
	        road_outcome(road_one(r, "police", "hukou", "k", 15, ID, WANG, REGION, "330303", 0), NULL),
	        EG_STALE);
	/* a later presence, same content */
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 30, ID, WANG, REGION, "330302",
	                                       STATUS, "1", 0),
	                              &seq),
	                 EG_APPLIED);
	e = newest("police", "hukou", "k", &again);
	assert_memory_equal(again.id, p.id, 16);
	assert_int_equal(again.n_held, 1);
	assert_int_equal(e.effect.life_after, EG_LIFE_ALIVE);
}

static void rechecked_when_applied(void **state)
{
	(void)state;
	uint64_t head, before;
	struct eg_person p;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 10, ID, WANG, REGION, "330302", 0));
	head = road_head(r);
	/* its position is not before the list's */
	before = road_head(r);
	assert_int_equal(withdraw("police", "hukou", "k", 10, head, NULL), EG_REFUSED);
	assert_int_equal(withdraw("police", "hukou", "k", 9, head, NULL), EG_REFUSED);
	assert_int_equal(road_head(r), before); /* no entry tells of what was not done */
	/* something came since the list was compared, even an older version, even a void of one */
	eg_ticket_free(road_one(r, "police", "hukou", "k", 5, ID, WANG, REGION, "330303", 0));
	assert_int_equal(withdraw("police", "hukou", "k", 20, head, NULL), EG_REFUSED);
	head = road_head(r);
	eg_ticket_free(road_void(r, "police", "hukou", "k", 3));
	assert_int_equal(withdraw("police", "hukou", "k", 20, head, NULL), EG_REFUSED);
	assert_true(road_person(r, "police", "hukou", "k", &p));
	assert_int_equal(p.n_held, 1);
	/* nobody is there to withdraw */
	assert_int_equal(withdraw("police", "hukou", "nobody", 20, road_head(r), NULL), EG_REFUSED);
	assert_false(road_person(r, "police", "hukou", "nobody", &p));
	/* now it holds */
	assert_int_equal(withdraw("police", "hukou", "k", 20, road_head(r), NULL), EG_APPLIED);
}

static void life_follows_from_what_remains(void **state)
{
	(void)state;
	struct eg_person p;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, STATUS, "1", 0));
	eg_ticket_free(road_one(r, "funeral", "remains", "f", 1, ID, WANG, ISSUED, "1", 0));
	newest("police", "hukou", "k", &p);
	assert_int_equal(road_life(r, &p), EG_LIFE_DECEASED);
	/* the certificate leaves its list: the death is no longer held */
	assert_int_equal(withdraw("funeral", "remains", "f", 5, road_head(r), NULL), EG_APPLIED);
	newest("police", "hukou", "k", &p);
	assert_int_equal(p.n_held, 1);
	assert_int_equal(road_life(r, &p), EG_LIFE_ALIVE);
	assert_int_equal(withdraw("police", "hukou", "k", 5, road_head(r), NULL), EG_APPLIED);
	newest("police", "hukou", "k", &p);
	assert_int_equal(road_life(r, &p), EG_LIFE_UNKNOWN);
}

static void void_takes_an_absence_back(void **state)
{
	(void)state;
	struct eg_person p;
	uint64_t gone, seq;
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, ID, WANG, REGION, "330302", 0));
	assert_int_equal(withdraw("police", "hukou", "k", 5, road_head(r), &gone), EG_APPLIED);
	assert_int_equal(road_outcome(road_void(r, "police", "hukou", "k", 5), &seq), EG_APPLIED);
	struct eg_entry e = newest("police", "hukou", "k", &p);
	assert_int_equal(e.effect.event, EG_EVENT_CORRECTED);
	assert_int_equal(e.effect.corrects, gone);
	assert_int_equal(p.n_held, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        T(absence_withdraws_and_presence_lifts),
	        T(rechecked_when_applied),
	        T(life_follows_from_what_remains),
	        T(void_takes_an_absence_back),
	};
	return cmocka_run_group_tests_name("withdraw", tests, NULL, NULL);
}
