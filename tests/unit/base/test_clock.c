/* Civil dates and instants, held against the C library's calendar and written-out cases. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_US (86400 * EG_SECOND)

static struct eg_date date(int year, int month, int day)
{
	return (struct eg_date){(int16_t)year, (uint8_t)month, (uint8_t)day};
}

static void leap_years(void **state)
{
	(void)state;
	static const int leap[] = {4, 1600, 1904, 1996, 2000, 2024, 2400, 9996};
	static const int common[] = {1, 1700, 1800, 1900, 1949, 2023, 2100, 9999};
	for (size_t i = 0; i < sizeof leap / sizeof leap[0]; i++)
		assert_true(eg_date_valid(date(leap[i], 2, 29)));
	for (size_t i = 0; i < sizeof common / sizeof common[0]; i++) {
		assert_false(eg_date_valid(date(common[i], 2, 29)));
		assert_true(eg_date_valid(date(common[i], 2, 28)));
	}
}

static void validity(void **state)
{
	(void)state;
	assert_true(eg_date_valid(date(1, 1, 1)));
	assert_true(eg_date_valid(date(9999, 12, 31)));
	assert_true(eg_date_valid(date(1949, 10, 0)));
	assert_true(eg_date_valid(date(1949, 0, 0)));
	static const int wrong[][3] = {{0, 0, 0},     {0, 1, 1},     {-1, 1, 1},    {10000, 1, 1},
	                               {1949, 0, 1},  {1949, 13, 1}, {1949, 13, 0}, {1949, 4, 31},
	                               {1949, 1, 32}, {1949, 2, 30}};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		if (eg_date_valid(date(wrong[i][0], wrong[i][1], wrong[i][2])))
			fail_msg("row %zu was accepted", i);
}

static void dates_parse(void **state)
{
	(void)state;
	struct eg_date d;
	assert_true(eg_date_parse("1949", &d));
	assert_int_equal(eg_date_cmp(d, date(1949, 0, 0)), 0);
	assert_true(eg_date_parse("1949-10", &d));
	assert_int_equal(eg_date_cmp(d, date(1949, 10, 0)), 0);
	assert_true(eg_date_parse("2024-02-29", &d));
	assert_int_equal(eg_date_cmp(d, date(2024, 2, 29)), 0);
	static const char *const wrong[] = {
	        "",
	        "194",
	        "19491",
	        "1949-",
	        "1949-1",
	        "1949-00",
	        "1949-13",
	        "1949-10-",
	        "1949-10-1",
	        "1949-10-00",
	        "1949-10-32",
	        "2023-02-29",
	        "1949-10-01 ",
	        " 1949",
	        "1949/10/01",
	        "19491001",
	        "0000",
	        "0000-01-01",
	        "-001-01-01",
	        "+949-01-01",
	        "1949-1 -01",
	        "1949-10-01T00:00:00Z",
	        "\xEF\xBC\x91\xEF\xBC\x99\xEF\xBC\x94\xEF\xBC\x99",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		d = date(7, 7, 7);
		if (eg_date_parse(wrong[i], &d) || d.year != 7)
			fail_msg("\"%s\" was accepted, or changed the date", wrong[i]);
	}
	assert_false(eg_date_parse(NULL, &d));
}

static void dates_format(void **state)
{
	(void)state;
	char text[16];
	eg_date_format(date(0, 0, 0), text);
	assert_string_equal(text, "");
	eg_date_format(date(33, 0, 0), text);
	assert_string_equal(text, "0033");
	eg_date_format(date(1949, 10, 0), text);
	assert_string_equal(text, "1949-10");
	eg_date_format(date(1949, 10, 1), text);
	assert_string_equal(text, "1949-10-01");
}

/* Every day of ten thousand years: order, packing, text and day numbers agree with one another. */
static void every_day(void **state)
{
	(void)state;
	int32_t packed = 0, days = eg_date_days(date(1, 1, 1)) - 1;
	for (int year = 1; year <= 9999; year++)
		for (int month = 0; month <= 12; month++)
			for (int day = 0; day <= 31; day++) {
				struct eg_date d = date(year, month, day), back;
				char text[16];
				if (!eg_date_valid(d))
					continue;
				if (eg_date_pack(d) <= packed)
					fail_msg("%d-%d-%d does not sort behind the one before", year, month,
					         day);
				packed = eg_date_pack(d);
				back = eg_date_unpack(packed);
				assert_true(eg_date_cmp(back, d) == 0 && back.day == day &&
				            back.year == year);
				eg_date_format(d, text);
				if (!eg_date_parse(text, &back) || eg_date_cmp(back, d) != 0)
					fail_msg("%s does not read back", text);
				if (day == 0) {
					int first = month ? month : 1;
					assert_int_equal(eg_date_days(d), eg_date_days(date(year, first, 1)));
					continue;
				}
				if (eg_date_days(d) != days + 1)
					fail_msg("%s is not the day after the one before", text);
				days++;
				back = eg_date_of_instant((int64_t)days * DAY_US + DAY_US - 1, 0);
				if (eg_date_cmp(back, d) != 0)
					fail_msg("the last instant of %s is another day's", text);
			}
	assert_int_equal(days, 2932896);
	assert_int_equal(eg_date_unpack(0).year, 0);
}

static void days_match_the_library(void **state)
{
	(void)state;
	assert_int_equal(eg_date_days(date(1970, 1, 1)), 0);
	for (int year = 1; year <= 9999; year += 7) {
		struct tm tm = {.tm_year = year - 1900, .tm_mon = year % 12, .tm_mday = 1 + year % 28};
		assert_int_equal(eg_date_days(date(year, year % 12 + 1, 1 + year % 28)), timegm(&tm) / 86400);
	}
}

static void dates_of_instants(void **state)
{
	(void)state;
	const int32_t shanghai = 28800;
	int64_t us;
	assert_true(eg_instant_parse("2025-12-31T15:59:59.999999Z", &us));
	assert_int_equal(eg_date_cmp(eg_date_of_instant(us, shanghai), date(2025, 12, 31)), 0);
	assert_int_equal(eg_date_cmp(eg_date_of_instant(us + 1, shanghai), date(2026, 1, 1)), 0);
	assert_int_equal(eg_date_cmp(eg_date_of_instant(us + 1, 0), date(2025, 12, 31)), 0);
	assert_int_equal(eg_date_cmp(eg_date_of_instant(-1, 0), date(1969, 12, 31)), 0);
	assert_int_equal(eg_date_cmp(eg_date_of_instant(-1, -3600), date(1969, 12, 31)), 0);
	assert_int_equal(eg_date_of_instant(INT64_MAX, shanghai).year, 0);
	assert_int_equal(eg_date_of_instant(INT64_MIN, -shanghai).year, 0);
}

static void instants_format(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
	        {0, "1970-01-01T00:00:00.000000Z"},
	        {-1, "1969-12-31T23:59:59.999999Z"},
	        {1767323045678901, "2026-01-02T03:04:05.678901Z"},
	        {951782400 * EG_SECOND + 1, "2000-02-29T00:00:00.000001Z"},
	        {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
	        {INT64_MIN, "0001-01-01T00:00:00.000000Z"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[32];
		eg_instant_format(cases[i].us, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void instants_parse(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {
	        {"1970-01-01T00:00:00Z", 0},
	        {"1970-01-01t00:00:00z", 0},
	        {"1970-01-01T08:00:00+08:00", 0},
	        {"1969-12-31T23:30:00-00:30", 0},
	        {"1970-01-01T00:00:00-00:00", 0},
	        {"1969-12-31T23:59:59.9Z", -100000},
	        {"2026-01-02T03:04:05.678901Z", 1767323045678901},
	        {"2026-01-02T03:04:05.6789019999Z", 1767323045678901},
	        {"2016-12-31T23:59:60Z", 1483228800 * EG_SECOND}, /* a leap second */
	        {"2017-01-01T07:59:60+08:00", 1483228800 * EG_SECOND},
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		int64_t us = 42;
		if (!eg_instant_parse(good[i].text, &us))
			fail_msg("\"%s\" was refused", good[i].text);
		assert_int_equal(us, good[i].us);
	}
	static const char *const wrong[] = {
	        "",
	        "2026",
	        "2026-01",
	        "2026-01-02",
	        "2026-01-02T",
	        "2026-01-02T03:04",
	        "2026-01-02T03:04:05",
	        "2026-01-02 03:04:05Z",
	        "2026-01-02T03:04:05.Z",
	        "2026-01-02T24:00:00Z",
	        "2026-01-02T03:60:00Z",
	        "2026-01-02T03:04:61Z",
	        "2026-01-02T03:04:60Z",
	        "2026-02-29T03:04:05Z",
	        "2026-01-02T03:04:05+0800",
	        "2026-01-02T03:04:05+24:00",
	        "2026-01-02T03:04:05+08:60",
	        "2026-01-02T03:04:05Zx",
	        "2026-01-02T03:04:05+08:00Z",
	        "2026-1-2T03:04:05Z",
	        "2026-01-02T3:04:05Z",
	        "0000-01-01T00:00:00Z",
	        "2026-01-02T03:04:05+08",
	        "2026-01T03:04:05Z",
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		int64_t us = 42;
		if (eg_instant_parse(wrong[i], &us) || us != 42)
			fail_msg("\"%s\" was accepted, or changed the instant", wrong[i]);
	}
}

static void instants_round_trip(void **state)
{
	(void)state;
	const int64_t last = (int64_t)2932896 * DAY_US + DAY_US - 1, first = (int64_t)-719162 * DAY_US;
	for (int64_t us = first; us <= last; us += DAY_US + 3723123457) {
		char text[32];
		int64_t back = 0;
		eg_instant_format(us, text);
		if (!eg_instant_parse(text, &back) || back != us)
			fail_msg("%s does not read back", text);
	}
}

static void clocks_go_on(void **state)
{
	(void)state;
	int64_t mono = eg_mono_us(), now = eg_now_us();
	assert_true(eg_mono_us() >= mono);
	assert_true(now > 1700000000 * EG_SECOND);
	struct timespec t = eg_mono_deadline(5 * EG_SECOND + 17);
	assert_int_equal(t.tv_sec, 5);
	assert_int_equal(t.tv_nsec, 17000);
	t = eg_mono_deadline(INT64_MIN);
	assert_true(t.tv_sec == 0 && t.tv_nsec == 0);
	t = eg_mono_deadline(INT64_MAX);
	assert_in_range(t.tv_nsec, 0, 999999999);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(leap_years),        cmocka_unit_test(validity),
	        cmocka_unit_test(dates_parse),       cmocka_unit_test(dates_format),
	        cmocka_unit_test(every_day),         cmocka_unit_test(days_match_the_library),
	        cmocka_unit_test(dates_of_instants), cmocka_unit_test(instants_format),
	        cmocka_unit_test(instants_parse),    cmocka_unit_test(instants_round_trip),
	        cmocka_unit_test(clocks_go_on),
	};
	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
