/* Values of a configuration with their units, read and shown. */
#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GOOD(kind, text, want)                                                                               \
	do {                                                                                                 \
		int64_t v = -7;                                                                              \
		assert_true(eg_parse_##kind(text, &v));                                                      \
		assert_true(v == (want));                                                                    \
	} while (0)
#define BAD(kind, text)                                                                                      \
	do {                                                                                                 \
		int64_t v;                                                                                   \
		assert_false(eg_parse_##kind(text, &v));                                                     \
	} while (0)

static void numbers(void **state)
{
	(void)state;
	GOOD(int, "-5", -5);
	GOOD(int, "9223372036854775807", INT64_MAX);
	BAD(int, "9223372036854775808");
	BAD(int, "");
	BAD(int, "5x");
	GOOD(bool, "yes", 1);
	GOOD(bool, "Off", 0);
	BAD(bool, "1");
}

static void units(void **state)
{
	(void)state;
	GOOD(size, "12", 12);
	GOOD(size, "12B", 12);
	GOOD(size, "64KiB", 65536);
	GOOD(size, "2 GiB", 2147483648);
	BAD(size, "64KB");
	BAD(size, "-1");
	BAD(size, "9223372036854775807KiB");
	GOOD(time, "0s", 0);
	GOOD(time, "250ms", 250000);
	GOOD(time, "30d", 2592000000000);
	BAD(time, "30");
	BAD(time, "1w");
}

static void shown(void **state)
{
	static const struct {
		int64_t v;
		const char *size, *time;
	} rows[] = {{0, "0", "0s"},
	            {1, "1", "1us"},
	            {1500, "1500", "1500us"},
	            {1 << 20, "1MiB", "1048576us"},
	            {65536, "64KiB", "65536us"},
	            {86400000000, "84375000KiB", "1d"},
	            {1LL << 40, "1024GiB", "1099511627776us"},
	            {5400000000, "5400000000", "90m"}};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[40];
		int64_t back;
		eg_show_size(rows[i].v, text, sizeof text);
		assert_true(eg_parse_size(text, &back) && back == rows[i].v);
		assert_string_equal(text, rows[i].size);
		eg_show_time(rows[i].v, text, sizeof text);
		assert_string_equal(text, rows[i].time);
		assert_true(eg_parse_time(text, &back) && back == rows[i].v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(numbers), cmocka_unit_test(units),
	                                   cmocka_unit_test(shown)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
