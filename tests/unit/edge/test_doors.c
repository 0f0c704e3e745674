/* test_doors: a full lane holds back its own tickets alone, in order, and nobody waits past a deadline or the
 * end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "edge/doors.h"
#include "edge/refusals.h"

#include <sched.h>
#include <stdatomic.h>

static struct eg_intake *intake;
static struct eg_doors *doors;
static atomic_int finished;

static void done(struct eg_ticket *t)
{
	(void)t;
	atomic_fetch_add(&finished, 1);
}

static struct eg_ticket *ticket(enum eg_lane lane)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_ADMIN, 4096, NULL, NULL);
	t->lane = lane;
	t->bytes = 1;
	t->admin.act = "test";
	t->done = done;
	return t;
}

static int set_up(void **state)
{
	(void)state;
	struct eg_intake_options o = {.lane = {.items = 1, .bytes = 1 << 20}};
	struct eg_err err;
	atomic_store(&finished, 0);
	intake = eg_intake_new(&o);
	return !intake || eg_doors_open(&doors, intake, &err);
}

static int tear_down(void **state)
{
	(void)state;
	void *item;
	eg_doors_close(doors);
	eg_intake_close(intake);
	while (eg_queue_get(eg_intake_queue(intake), &item, 1, 0))
		eg_ticket_free(item);
	eg_intake_free(intake);
	return 0;
}

static enum eg_rc put(struct eg_ticket *t, struct eg_place *p, int64_t deadline, bool *waits)
{
	struct eg_err err;
	return eg_doors_put(doors, t, p, deadline, waits, &err);
}

static struct eg_ticket *take(void)
{
	void *item = NULL;
	assert_int_equal(eg_queue_get(eg_intake_queue(intake), &item, 1, eg_mono_us() + 10 * EG_SECOND), 1);
	return item;
}

static void test_a_full_lane_waits_alone(void **state)
{
	(void)state;
	struct eg_ticket *bulk[3], *urgent = ticket(EG_LANE_URGENT);
	struct eg_place places[4];
	bool waits;
	for (int i = 0; i < 3; i++) {
		bulk[i] = ticket(EG_LANE_BULK);
		assert_int_equal(put(bulk[i], &places[i], INT64_MAX, &waits), EG_OK);
		assert_int_equal(waits, i > 0);
	}
	assert_int_equal(put(urgent, &places[3], INT64_MAX, &waits), EG_OK);
	assert_false(waits);
	assert_ptr_equal(take(), urgent);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(take(), bulk[i]); /* in the order of their coming */
		eg_ticket_free(bulk[i]);
	}
	eg_ticket_free(urgent);
	assert_int_equal(atomic_load(&finished), 0);
}

static void test_a_deadline_ends_the_wait(void **state)
{
	(void)state;
	struct eg_ticket *first = ticket(EG_LANE_READ), *late = ticket(EG_LANE_READ);
	struct eg_place places[2];
	int64_t began = eg_mono_us();
	assert_int_equal(put(first, &places[0], INT64_MAX, NULL), EG_OK);
	assert_int_equal(put(late, &places[1], began + 50000, NULL), EG_OK);
	while (!atomic_load(&finished))
		sched_yield();
	assert_int_equal(late->rc, EG_DEADLINE);
	assert_true(eg_mono_us() - began < 5 * EG_SECOND);
	eg_ticket_free(late);
}

static void test_closing_answers_who_waits(void **state)
{
	(void)state;
	struct eg_ticket *first = ticket(EG_LANE_LIVE), *second = ticket(EG_LANE_LIVE),
	                 *third = ticket(EG_LANE_LIVE);
	struct eg_place places[3];
	struct eg_err err;
	put(first, &places[0], INT64_MAX, NULL);
	put(second, &places[1], INT64_MAX, NULL);
	put(third, &places[2], INT64_MAX, NULL);
	eg_doors_close(doors);
	assert_int_equal(atomic_load(&finished), 2);
	assert_int_equal(second->rc, EG_CLOSED);
	assert_int_equal(third->rc, EG_CLOSED);
	eg_ticket_free(second);
	eg_ticket_free(third);
	assert_int_equal(eg_doors_open(&doors, intake, &err), EG_OK);
}

static void test_what_intake_refuses_is_told_at_once(void **state)
{
	(void)state;
	struct eg_ticket *t = ticket(EG_LANE_READ);
	struct eg_place p;
	t->admin.act = NULL;
	assert_int_equal(put(t, &p, INT64_MAX, NULL), EG_INVALID);
	eg_ticket_free(t);
	eg_intake_close(intake);
	t = ticket(EG_LANE_READ);
	assert_int_equal(put(t, &p, INT64_MAX, NULL), EG_CLOSED);
	eg_ticket_free(t);
}

/* ---- refusals ---- */

static void test_refusals_are_counted(void **state)
{
	(void)state;
	struct eg_identity_rule who = {.name = "police", .roles = EG_ROLE_AGENCY, .has_uid = true, .uid = 1};
	struct eg_policy plain = {.version = 1, .n = 1, .identities = &who};
	const struct eg_policy *policy = NULL;
	struct eg_timers *timers = NULL;
	struct eg_refusals *r = NULL;
	struct eg_err err;
	assert_int_equal(eg_policy_new(&plain, &policy, &err), EG_OK);
	assert_int_equal(eg_timers_start(&timers, &err), EG_OK);
	assert_int_equal(eg_refusals_open(&r, intake, timers, &err), EG_OK);
	struct eg_caller c = {.policy = policy, .who = &policy->identities[0]};
	for (int i = 0; i < 1000; i++)
		eg_refusals_add(r, &c, EG_REASON_PURPOSE_NOT_PERMITTED);
	struct eg_ticket *t = take(); /* after a second, by itself */
	assert_int_equal(t->kind, EG_TICKET_REFUSAL);
	assert_int_equal(t->refusal.count, 1000);
	assert_string_equal(t->refusal.reason, "PURPOSE_NOT_PERMITTED");
	assert_string_equal(t->who->name, "police");
	eg_ticket_free(t);
	eg_refusals_add(r, &c, EG_REASON_PURPOSE_NOT_PERMITTED);
	eg_refusals_flush(r);
	eg_refusals_add(r, &c, EG_REASON_METHOD_NOT_PERMITTED); /* never flushed: freed with the table */
	eg_timers_stop(timers);
	eg_refusals_close(r);
	t = take();
	assert_int_equal(t->refusal.count, 1);
	eg_ticket_free(t);
	eg_policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(test_a_full_lane_waits_alone, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(test_a_deadline_ends_the_wait, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(test_closing_answers_who_waits, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(test_what_intake_refuses_is_told_at_once, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(test_refusals_are_counted, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
