/* The case of a person whom other evidence has dead and the police as alive: when it opens, when it closes,
 * and that it does so once, over restarts too. */
#include "road_check.h"

#include "base/wake.h"

#define ID       1u, road_number
#define NAME     3u, "王建国"
#define STATUS   15u
#define DIED     10u, "1", 16u, "1650000000000000"
#define GRACE    (EG_SECOND / 10)
#define PATIENCE (30 * EG_SECOND)

static struct road *r;
static char road_number[19];

static int setup(void **state)
{
	(void)state;
	r = road_open(NULL);
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	snprintf(road_number, sizeof road_number, "%s", road_id18(t, 7));
	eg_ticket_free(t);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	road_check(r);
	road_close(r, true);
	return 0;
}

static int teardown_unchecked(void **state) /* too many for the checker's tables */
{
	(void)state;
	road_close(r, true);
	return 0;
}

static void restart(int64_t grace_us)
{
	road_stop(r);
	r->lag_grace_us = grace_us;
	road_start(r);
}

static void police(int64_t version, const char *status)
{
	eg_ticket_free(road_one(r, "police", "hukou", "k", version, ID, NAME, STATUS, status, 0));
}

static void funeral(int64_t version)
{
	eg_ticket_free(road_one(r, "funeral", "remains", "f", version, ID, NAME, DIED, 0));
}

static unsigned lags(void)
{
	struct eg_err err = {0};
	struct eg_lag_row *rows;
	unsigned n = 0;
	assert_ok(eg_list_lags(r->reader, INT64_MAX, 10, r->arena, &rows, &n, &err), err);
	return n;
}

/* The person's one case, once it has one; the seq of the entry that opened it. */
static struct eg_case_row await_case_of(const char *key, struct eg_case_body *body)
{
	struct eg_wake *head = eg_writer_head(r->writer);
	int64_t deadline = eg_mono_us() + PATIENCE;
	for (;;) {
		uint64_t seen = eg_wake_seen(head);
		struct eg_person p;
		assert_true(road_person(r, "police", "hukou", key, &p));
		if (p.n_cases == 1)
			return road_case(r, p.cases[0], body);
		if (eg_mono_us() > deadline)
			fail_msg("no case opened");
		eg_wake_wait(head, seen, deadline);
	}
}

static struct eg_case_row await_case(struct eg_case_body *body)
{
	return await_case_of("k", body);
}

static void it_opens_once_and_closes_with_the_lag(void **state)
{
	(void)state;
	struct eg_case_body body;
	struct eg_person p;
	police(1, "1");
	assert_int_equal(lags(), 0);
	funeral(1);
	assert_int_equal(lags(), 1);
	funeral(2); /* said again: still the same lag */
	assert_int_equal(lags(), 1);
	restart(GRACE);
	struct eg_case_row row = await_case(&body);
	assert_int_equal(body.kind, EG_CASE_POLICE_LAG);
	assert_int_equal(row.state, EG_CASE_OPEN);
	struct eg_entry opened = road_entry(r, row.opened);
	assert_int_equal(opened.header.kind, EG_ENTRY_EFFECT);
	assert_int_equal(opened.effect.event, EG_EVENT_CASE_OPENED);
	assert_int_equal(opened.effect.life_after, EG_LIFE_SUSPECTED);
	struct eg_entry timer = road_entry(r, opened.header.cause);
	assert_int_equal(timer.header.kind, EG_ENTRY_TIMER);
	assert_int_equal(timer.header.count, 1);
	assert_true(eg_bytes_equal(timer.header.act, eg_bytes_of("police_lag")));
	assert_int_equal(lags(), 0);

	/* A change that leaves the lag leaves the case. */
	uint64_t head = road_head(r);
	eg_ticket_free(road_one(r, "funeral", "remains", "f", 3, ID, NAME, DIED, 17u, "2", 0));
	assert_int_equal(road_head(r), head + 1);
	assert_int_equal(await_case(&body).opened, row.opened);
	assert_int_equal(lags(), 0);

	/* Nothing to decide: only the police can end it. */
	enum eg_rc rc;
	eg_ticket_free(road_decide(r, row.id, EG_DECIDE_APART, NULL, &rc));
	assert_int_equal(rc, EG_PRECONDITION);
	police(2, "3");
	row = road_case(r, row.id, &body);
	assert_int_equal(row.state, EG_CASE_CLOSED);
	assert_true(road_person(r, "police", "hukou", "k", &p));
	assert_int_equal(p.n_cases, 0);

	/* The lag comes back: after a grace of its own the same question is the same case. */
	eg_ticket_free(road_void(r, "police", "hukou", "k", 2));
	struct eg_case_row again = await_case(&body);
	assert_memory_equal(again.id, row.id, 16);
	assert_true(again.opened > row.closed);
}

static void what_ends_in_time_is_no_case(void **state)
{
	(void)state;
	struct eg_case_body body;
	struct eg_person p;
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	char other[19];
	snprintf(other, sizeof other, "%s", road_id18(t, 8));
	eg_ticket_free(t);
	police(1, "1");
	funeral(1);
	eg_ticket_free(road_one(r, "police", "hukou", "o", 1, 1u, other, NAME, STATUS, "1", 0));
	eg_ticket_free(road_one(r, "funeral", "remains", "o", 1, 1u, other, NAME, DIED, 0));
	police(2, "3");
	assert_int_equal(lags(), 1);
	restart(GRACE);
	/* The younger lag has become a case: the older one would have been one before. */
	await_case_of("o", &body);
	assert_true(road_person(r, "police", "hukou", "k", &p));
	assert_int_equal(p.n_cases, 0);
}

static void a_join_begins_a_lag(void **state)
{
	(void)state;
	struct eg_case_body body;
	/* The funeral record alone is a person of its own until the registration joins it. */
	funeral(1);
	assert_int_equal(lags(), 0); /* the police say nothing of it */
	police(1, "1");
	assert_int_equal(lags(), 1);
	restart(GRACE);
	assert_int_equal(await_case(&body).state, EG_CASE_OPEN);
	assert_int_equal(lags(), 0);
}

/* Another person of the police, who moved out; the older row of the two, so it is the one that stays. */
static void other_person(char number[19])
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	snprintf(number, 19, "%s", road_id18(t, 8));
	eg_ticket_free(t);
	eg_ticket_free(road_one(r, "police", "hukou", "o", 1, 1u, number, NAME, STATUS, "2", 0));
}

static void a_merge_keeps_the_older_lag(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_lag_row *rows, before;
	struct eg_person p, merged;
	unsigned n;
	char number[19];
	other_person(number);
	police(1, "1");
	funeral(1);
	assert_ok(eg_list_lags(r->reader, INT64_MAX, 10, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 1);
	before = rows[0];
	assert_true(road_person(r, "police", "hukou", "k", &p));
	/* The number was a wrong one: the two are one person. */
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, 1u, number, NAME, STATUS, "1", 0));
	assert_true(road_person(r, "police", "hukou", "k", &merged));
	assert_memory_not_equal(merged.id, p.id, 16);
	assert_ok(eg_list_lags(r->reader, INT64_MAX, 10, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 1);
	assert_int_not_equal(rows[0].person, before.person);
	assert_int_equal(rows[0].since_us, before.since_us);
	/* And apart again: whoever lags does so since then. */
	eg_ticket_free(road_void(r, "police", "hukou", "k", 2));
	assert_ok(eg_list_lags(r->reader, INT64_MAX, 10, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 1);
	assert_int_equal(rows[0].since_us, before.since_us);
}

static void a_merge_keeps_the_case_of_a_lag(void **state)
{
	(void)state;
	struct eg_case_body body;
	struct eg_person p;
	char number[19];
	other_person(number);
	police(1, "1");
	funeral(1);
	restart(GRACE);
	struct eg_case_row first = await_case(&body);
	restart(3600 * EG_SECOND);
	eg_ticket_free(road_one(r, "police", "hukou", "k", 2, 1u, number, NAME, STATUS, "1", 0));
	assert_int_equal(road_case(r, first.id, &body).state, EG_CASE_CLOSED);
	assert_true(road_person(r, "police", "hukou", "k", &p));
	assert_int_equal(p.n_cases, 1);
	assert_memory_not_equal(p.cases[0], first.id, 16);
	assert_int_equal(road_case(r, p.cases[0], &body).state, EG_CASE_OPEN);
	assert_int_equal(body.kind, EG_CASE_POLICE_LAG);
	assert_int_equal(lags(), 0);
}

static void many_open_in_steps(void **state)
{
	(void)state;
	enum { PEOPLE = 600 };
	struct eg_ticket *a = road_batch(r, "police", "hukou", PEOPLE),
	                 *b = road_batch(r, "funeral", "remains", PEOPLE);
	for (unsigned i = 0; i < PEOPLE; i++) {
		char key[16];
		snprintf(key, sizeof key, "p%u", i);
		struct eg_item *x = road_add(a, key, 1, EG_ASSERT), *y = road_add(b, key, 1, EG_ASSERT);
		road_text(a, x, 1, road_id18(a, i));
		road_text(a, x, 3, "李秀英");
		road_int(x, STATUS, 1);
		road_text(b, y, 1, road_id18(b, i));
		road_text(b, y, 3, "李秀英");
		road_int(y, 16, INT64_C(1650000000) * EG_SECOND);
	}
	road_send(r, a);
	road_send(r, b);
	eg_ticket_free(a);
	eg_ticket_free(b);
	struct eg_err err = {0};
	struct eg_lag_row *rows;
	unsigned n = 0;
	assert_ok(eg_list_lags(r->reader, INT64_MAX, 2 * PEOPLE, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, PEOPLE);
	restart(GRACE);
	struct eg_wake *head = eg_writer_head(r->writer);
	int64_t deadline = eg_mono_us() + PATIENCE, persons = 0, open = 0;
	while (open < PEOPLE && eg_mono_us() < deadline) {
		uint64_t seen = eg_wake_seen(head);
		assert_ok(eg_count(r->reader, &persons, &open, &err), err);
		if (open < PEOPLE)
			eg_wake_wait(head, seen, deadline);
	}
	assert_int_equal(open, PEOPLE);
	assert_int_equal(persons, PEOPLE);
	assert_int_equal(lags(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(it_opens_once_and_closes_with_the_lag, setup, teardown),
	        cmocka_unit_test_setup_teardown(what_ends_in_time_is_no_case, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_join_begins_a_lag, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_merge_keeps_the_older_lag, setup, teardown),
	        cmocka_unit_test_setup_teardown(a_merge_keeps_the_case_of_a_lag, setup, teardown),
	        cmocka_unit_test_setup_teardown(many_open_in_steps, setup, teardown_unchecked),
	};
	return cmocka_run_group_tests_name("flow/lag", tests, NULL, NULL);
}
