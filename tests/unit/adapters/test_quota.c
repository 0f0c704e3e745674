/* The quota of an agency's interface, with clocks that the test turns. */
#include "connectors/quota.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * EG_SECOND)

/* 2026-03-01 00:00 in Asia/Shanghai */
static int64_t midnight(void)
{
	int64_t us = 0;
	assert_true(eg_instant_parse("2026-03-01T00:00:00+08:00", &us));
	return us;
}

static int64_t take(struct eg_call_quota *q, enum eg_call_priority p, int64_t wall, int64_t mono)
{
	bool spent;
	return eg_call_quota_take(q, p, wall, mono, &spent);
}

static void rate_is_kept_and_a_pause_gives_a_burst(void **state)
{
	(void)state;
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_second = 10, .burst = 3});
	int64_t now = 1000 * EG_SECOND, end = now + 10 * EG_SECOND;
	int made = 0;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(&q, EG_CALL_URGENT, 0, now), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, 0, now), 100000);
	while (now < end) {
		int64_t wait = take(&q, EG_CALL_URGENT, 0, now);
		made += !wait;
		now += wait;
	}
	assert_in_range(made, 99, 100);
	now += HOUR; /* no more than the burst was saved up */
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(&q, EG_CALL_URGENT, 0, now), 0);
	assert_int_not_equal(take(&q, EG_CALL_URGENT, 0, now), 0);
}

static void a_day_ends_at_midnight_in_shanghai(void **state)
{
	(void)state;
	bool spent;
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 3});
	int64_t night = midnight(), wall = night - HOUR;
	for (int i = 0; i < 3; i++)
		assert_int_equal(take(&q, EG_CALL_BULK, wall, 0), 0);
	assert_int_equal(eg_call_quota_take(&q, EG_CALL_BULK, wall, 0, &spent), HOUR);
	assert_true(spent);
	assert_int_equal(eg_call_quota_take(&q, EG_CALL_BULK, night - 1, 0, &spent), 1);
	assert_int_equal(eg_call_quota_take(&q, EG_CALL_BULK, night, 0, &spent), 0);
	assert_false(spent);
}

static void a_restart_does_not_get_the_calls_again(void **state)
{
	(void)state;
	char text[EG_CALL_QUOTA_TEXT];
	struct eg_call_limits limits = {.per_day = 3};
	struct eg_call_quota q = eg_call_quota_new(&limits);
	int64_t wall = midnight() + HOUR;
	assert_int_equal(take(&q, EG_CALL_BULK, wall, 0), 0);
	assert_int_equal(take(&q, EG_CALL_BULK, wall, 0), 0);
	eg_call_quota_text(&q, text);
	q = eg_call_quota_new(&limits);
	assert_true(eg_call_quota_restore(&q, eg_bytes_of(text)));
	assert_int_equal(take(&q, EG_CALL_BULK, wall, 0), 0);
	assert_int_equal(take(&q, EG_CALL_BULK, wall, 0), 23 * HOUR);
	static const char *const wrong[] = {"",
	                                    "x",
	                                    "0 0",
	                                    "0 0 20500",
	                                    "0 0 20500 -1",
	                                    "0 0 20500 1 x",
	                                    "0 0 20500 1 20499",
	                                    "0 0 20500 9999999999999",
	                                    "0 0 1 1 2 1 3 1 4 1 5 1"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(eg_call_quota_restore(&q, eg_bytes_of(wrong[i])));
}

static void bulk_leaves_the_reserve_to_urgent_calls(void **state)
{
	(void)state;
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 10, .reserve = 4});
	int64_t wall = midnight();
	int bulk = 0, urgent = 0;
	while (!take(&q, EG_CALL_BULK, wall, 0))
		bulk++;
	while (!take(&q, EG_CALL_URGENT, wall, 0))
		urgent++;
	assert_int_equal(bulk, 6);
	assert_int_equal(urgent, 4);
}

/* Both ask at each moment they were told to; bulk asks first. */
static void urgent_calls_go_first(void **state)
{
	(void)state;
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_second = 2, .burst = 1});
	int64_t now = EG_SECOND, bulk_at = now, urgent_at = now;
	int bulk = 0, urgent = 0;
	assert_int_equal(take(&q, EG_CALL_BULK, 0, now), 0);
	while (urgent < 20) {
		if (bulk_at <= now) {
			int64_t wait = take(&q, EG_CALL_BULK, 0, now);
			bulk += !wait;
			bulk_at = now + wait;
		}
		if (urgent_at <= now) {
			int64_t wait = take(&q, EG_CALL_URGENT, 0, now);
			urgent += !wait;
			urgent_at = now + wait;
		}
		now += 1000;
	}
	assert_int_equal(bulk, 0); /* as long as urgent calls come */
	now += 10 * EG_SECOND;
	assert_int_equal(take(&q, EG_CALL_BULK, 0, now), 0);
}

static void a_clock_that_is_set_back_gives_nothing(void **state)
{
	(void)state;
	bool spent;
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 2});
	int64_t night = midnight();
	assert_int_equal(take(&q, EG_CALL_URGENT, night + HOUR, 0), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, night + HOUR, 0), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, night - HOUR, 0),
	                 HOUR); /* yesterday again: still used up */
	/* and today is the same day as before */
	assert_int_equal(eg_call_quota_take(&q, EG_CALL_URGENT, night + HOUR, 0, &spent), 23 * HOUR);
	assert_true(spent);
	assert_int_equal(take(&q, EG_CALL_URGENT, night - HOUR, 0), HOUR);
	assert_int_equal(take(&q, EG_CALL_URGENT, night + 24 * HOUR, 0), 0);
	/* Calls that were made in the wrong day count in the right one too, also over a restart. */
	q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 3});
	assert_int_equal(take(&q, EG_CALL_URGENT, night + HOUR, 0), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, night - HOUR, 0), 0);
	char text[EG_CALL_QUOTA_TEXT];
	eg_call_quota_text(&q, text);
	q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 3});
	assert_true(eg_call_quota_restore(&q, eg_bytes_of(text)));
	assert_int_equal(take(&q, EG_CALL_URGENT, night + HOUR, 0), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, night + HOUR, 0), 23 * HOUR);
	/* More days than are remembered are no way around it either. */
	for (int i = 2; i < 10; i++)
		assert_int_not_equal(take(&q, EG_CALL_URGENT, night - i * 24 * HOUR, 0), 0);
	/* A leap of years and back must not stop it for years. */
	q = eg_call_quota_new(&(struct eg_call_limits){.per_day = 1});
	assert_int_equal(take(&q, EG_CALL_URGENT, night + 10000 * 24 * HOUR, 0), 0);
	assert_int_not_equal(take(&q, EG_CALL_URGENT, night, 0), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, night + 24 * HOUR, 0), 0);
}

/* A pace that was kept over a restart of the machine, whose clock began anew. */
static void a_reboot_is_no_long_wait(void **state)
{
	(void)state;
	char text[EG_CALL_QUOTA_TEXT];
	struct eg_call_quota q = eg_call_quota_new(&(struct eg_call_limits){.per_second = 1});
	assert_int_equal(take(&q, EG_CALL_URGENT, 0, 1000 * HOUR), 0);
	assert_int_equal(take(&q, EG_CALL_URGENT, 0, 1000 * HOUR), EG_SECOND);
	eg_call_quota_text(&q, text);
	assert_true(eg_call_quota_restore(&q, eg_bytes_of(text)));
	assert_int_equal(take(&q, EG_CALL_URGENT, 0, 1000 * HOUR), EG_SECOND);
	assert_int_equal(take(&q, EG_CALL_BULK, 0, EG_SECOND), 0);
	assert_int_equal(take(&q, EG_CALL_BULK, 0, EG_SECOND), EG_SECOND);
}

static void the_peer_may_say_that_the_day_is_over(void **state)
{
	(void)state;
	bool spent;
	char text[EG_CALL_QUOTA_TEXT];
	struct eg_call_limits none = {0};
	struct eg_call_quota q = eg_call_quota_new(&none);
	int64_t night = midnight();
	assert_int_equal(take(&q, EG_CALL_URGENT, night, 0), 0);
	eg_call_quota_spend(&q, night);
	eg_call_quota_text(&q, text);
	q = eg_call_quota_new(&none);
	assert_true(eg_call_quota_restore(&q, eg_bytes_of(text)));
	assert_int_equal(eg_call_quota_take(&q, EG_CALL_URGENT, night + HOUR, 0, &spent), 23 * HOUR);
	assert_true(spent);
	assert_int_equal(take(&q, EG_CALL_URGENT, night + 24 * HOUR, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rate_is_kept_and_a_pause_gives_a_burst),
	        cmocka_unit_test(a_day_ends_at_midnight_in_shanghai),
	        cmocka_unit_test(a_restart_does_not_get_the_calls_again),
	        cmocka_unit_test(bulk_leaves_the_reserve_to_urgent_calls),
	        cmocka_unit_test(urgent_calls_go_first),
	        cmocka_unit_test(a_clock_that_is_set_back_gives_nothing),
	        cmocka_unit_test(a_reboot_is_no_long_wait),
	        cmocka_unit_test(the_peer_may_say_that_the_day_is_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
