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
	        cmocka_unit_test(who_never_sent),
	        cmocka_unit_test(rows_by_name),
	};
	return cmocka_run_group_tests_name("flow/datasets", tests, NULL, NULL);
}
