/* How a dataset stands against its rhythm, case by case. */
#include "flow/datasets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define DAY 86400
#define NOW (INT64_C(20000) * DAY * EG_SECOND)

static enum eg_punctuality judged(int64_t rhythm_s, int64_t event_age_s, int64_t silence_s, unsigned percent)
{
	struct eg_dataset_rule rule = {.rhythm_s = rhythm_s};
	struct eg_dataset_row row = {.event_time = event_age_s >= 0 ? NOW - event_age_s * EG_SECOND : 0,
	                             .heard = NOW - silence_s * EG_SECOND};
	return eg_dataset_punctuality(&rule, &row, 0, percent, NOW);
}

static void the_rhythm_and_its_tolerance(void **state)
{
	(void)state;
	assert_int_equal(judged(0, 900 * DAY, 900 * DAY, 150), EG_NO_RHYTHM);
	assert_int_equal(judged(DAY, 3600, 60, 150), EG_ON_TIME);
	assert_int_equal(judged(DAY, DAY * 3 / 2, 60, 150), EG_ON_TIME);
	assert_int_equal(judged(DAY, DAY * 3 / 2 + 1, 60, 150), EG_LATE);
	assert_int_equal(judged(DAY, DAY + 1, 60, 100), EG_LATE);
	assert_int_equal(judged(DAY, 3600, DAY * 3 / 2 + 1, 150), EG_SILENT); /* fresh events, long ago */
	assert_int_equal(judged(DAY, 900 * DAY, DAY * 2, 150), EG_SILENT);
	assert_int_equal(judged(DAY, -1, 60, 150), EG_ON_TIME); /* it states no event times */
	assert_int_equal(judged(DAY, -3600, 60, 150), EG_ON_TIME);
	/* A yearly list, and the largest tolerance: nothing overflows. */
	assert_int_equal(judged(INT64_C(366) * DAY, 366 * DAY, 60, 10000), EG_ON_TIME);
	assert_int_equal(judged(INT64_MAX / 200, 366 * DAY, 60, 150), EG_ON_TIME);
	assert_int_equal(judged(1, 1, 1, 150), EG_ON_TIME);
}

/* ---- full lists ---- */

static struct eg_datasets d;
static const struct eg_dataset_rule daily = {.rhythm_s = DAY};

/* How the dataset stands so many seconds after NOW. */
static enum eg_punctuality after(int64_t s)
{
	return eg_dataset_punctuality(&daily, &d.v[0].now, 0, 150, NOW + s * EG_SECOND);
}

/* A list that came so many seconds after NOW. */
static void listed(int64_t s, int64_t as_of)
{
	struct eg_err err = {0};
	struct eg_list_info l = {.agency = "a", .dataset = "b", .as_of = as_of};
	assert_int_equal(eg_datasets_listed(&d, &l, NOW + s * EG_SECOND, &err), EG_OK);
}

static int no_datasets(void **state)
{
	(void)state;
	eg_datasets_close(&d);
	return 0;
}

static void a_list_without_a_change_is_on_time(void **state)
{
	(void)state;
	listed(0, NOW);
	for (int day = 1; day < 5; day++) {
		listed(day * DAY, NOW + day * DAY * EG_SECOND);
		assert_int_equal(after(day * DAY), EG_ON_TIME);
		assert_int_equal(after(day * DAY + DAY * 3 / 2), EG_ON_TIME);
	}
	assert_int_equal(after(4 * DAY + DAY * 3 / 2 + 1), EG_SILENT); /* the next one did not come */
	d.v[0].now.heard = NOW + 6 * DAY * EG_SECOND;                  /* but other records did */
	assert_int_equal(after(6 * DAY), EG_LATE);
}

static void an_old_list_is_late(void **state)
{
	(void)state;
	listed(0, NOW - 2 * DAY * EG_SECOND);
	assert_int_equal(after(0), EG_LATE);
	listed(0, NOW - DAY * EG_SECOND);
	assert_int_equal(after(0), EG_ON_TIME);
	listed(0, NOW - 4 * DAY * EG_SECOND); /* lists come in any order */
	assert_int_equal(after(0), EG_ON_TIME);
}

static void a_position_that_is_no_instant(void **state)
{
	(void)state;
	const int64_t day = INT64_C(20260727), second = day * 1000000;
	const int64_t positions[] = {INT64_MIN,
	                             -1,
	                             1,
	                             day,
	                             second,
	                             second * 1000,
	                             NOW / 1000000,
	                             NOW / 1000,
	                             EG_POSITION_INSTANT - 1,
	                             NOW * 1000,
	                             NOW + EG_CLOCK_SKEW + 1,
	                             INT64_MAX};
	for (unsigned i = 0; i < sizeof positions / sizeof *positions; i++)
		listed(0, positions[i]);
	assert_true(d.v[0].now.event_time == 0);
	assert_int_equal(after(DAY), EG_ON_TIME); /* judged by what it sends alone */
	listed(0, EG_POSITION_INSTANT);
	assert_true(d.v[0].now.event_time == EG_POSITION_INSTANT);
	listed(0, NOW + EG_CLOCK_SKEW);
	assert_true(d.v[0].now.event_time == NOW + EG_CLOCK_SKEW);
}

/* A list of that position whose content was taken so many seconds after NOW. */
static void taken(int64_t taken_s, int64_t as_of)
{
	struct eg_err err = {0};
	struct eg_list_info l = {
	        .agency = "a", .dataset = "b", .as_of = as_of, .taken_at = NOW + taken_s * EG_SECOND};
	assert_int_equal(eg_datasets_listed(&d, &l, NOW, &err), EG_OK);
}

static void when_a_list_was_taken_is_its_time(void **state)
{
	(void)state;
	taken(-30 * DAY, INT64_C(20260301000000001));
	assert_true(d.v[0].now.event_time == NOW - 30 * DAY * EG_SECOND);
	assert_int_equal(after(0), EG_LATE);
	taken(-20 * DAY, NOW); /* whatever the position could be taken for */
	assert_int_equal(after(0), EG_LATE);
	taken(-60, INT64_C(20260301000000002));
	assert_int_equal(after(0), EG_ON_TIME);
	taken(-40 * DAY, INT64_C(20260301000000003)); /* lists come in any order */
	assert_true(d.v[0].now.event_time == NOW - 60 * EG_SECOND);
	taken(400 * DAY, 1);
	assert_true(d.v[0].now.event_time == NOW + EG_CLOCK_SKEW);
}

static void who_never_sent(void **state)
{
	(void)state;
	struct eg_dataset_rule rule = {.rhythm_s = DAY};
	int64_t start = NOW - 2 * DAY * EG_SECOND;
	assert_int_equal(eg_dataset_punctuality(&rule, NULL, start, 150, NOW), EG_SILENT);
	assert_int_equal(eg_dataset_punctuality(&rule, NULL, NOW - EG_SECOND, 150, NOW), EG_ON_TIME);
	assert_int_equal(eg_dataset_punctuality(NULL, NULL, start, 150, NOW), EG_NO_RHYTHM);
}

static void rows_by_name(void **state)
{
	(void)state;
	struct eg_dataset_row rows[] = {{.name = "a/b"}, {.name = "a/bc"}};
	assert_ptr_equal(eg_dataset_row_of(rows, 2, "a", "bc"), &rows[1]);
	assert_null(eg_dataset_row_of(rows, 2, "a", "c"));
	assert_string_equal(eg_punctuality_name(EG_SILENT), "SILENT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_rhythm_and_its_tolerance),
	        cmocka_unit_test_teardown(a_list_without_a_change_is_on_time, no_datasets),
	        cmocka_unit_test_teardown(an_old_list_is_late, no_datasets),
	        cmocka_unit_test_teardown(a_position_that_is_no_instant, no_datasets),
	        cmocka_unit_test_teardown(when_a_list_was_taken_is_its_time, no_datasets),
	        cmocka_unit_test(who_never_sent),
	        cmocka_unit_test(rows_by_name),
	};
	return cmocka_run_group_tests_name("flow/datasets", tests, NULL, NULL);
}
