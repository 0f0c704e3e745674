/* What the table connector is made of: positions, tokens, statements, UTF-16, the aside. */
#include "base/clock.h"
#include "connectors/aside.h"
#include "connectors/table_position.h"
#include "connectors/table_seen.h"
#include "connectors/table_sql.h"
#include "connectors/utf16.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LATE (eg_mono_us() + 60 * EG_SECOND)

static void positions_keep_their_layout(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t back; /* from it */
		const char *then;
	} cases[] = {
	        {"2026-03-01 00:05:00.25", 600 * EG_SECOND, "2026-02-28 23:55:00"},
	        {"2026-03-01T00:05:00", 600 * EG_SECOND, "2026-02-28T23:55:00"},
	        {"2026-03-01 00:05:00.123456789+08", 1, "2026-03-01 00:05:00"},
	        {"2024/03/01 00:00:00", EG_SECOND, "2024/02/29 23:59:59"},
	        {"2026-03-01 00:05", 60 * EG_SECOND, "2026-03-01 00:04"},
	        {"20260301000500", 600 * EG_SECOND, "20260228235500"},
	        {"2026-03-01", 600 * EG_SECOND, "2026-02-28"},
	        {"1969-12-31 23:59:59", 1, "1969-12-31 23:59:58"},
	        {"10000", 1, "9999"},
	        {"-5", 10, "-15"},
	        {"1772323200000", 600000, "1772322600000"}, /* milliseconds are a number like any other */
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct eg_position p;
		char text[EG_POSITION_TEXT];
		assert_true(eg_position_parse(eg_bytes_of(cases[i].text), true, &p));
		assert_true(eg_position_print(eg_bytes_of(cases[i].text), true, p.at - cases[i].back, text));
		assert_string_equal(text, cases[i].then);
	}
	static const int64_t unsayable[] = {INT64_MIN, INT64_MAX, -62135596800 * EG_SECOND - 1,
	                                    253402300800 * EG_SECOND};
	for (unsigned i = 0; i < sizeof unsayable / sizeof unsayable[0]; i++) {
		char text[EG_POSITION_TEXT];
		assert_false(eg_position_print(eg_bytes_of("2026-03-01"), true, unsayable[i], text));
	}
	static const char *const none[] = {"",
	                                   "abc",
	                                   "2026-13-01 00:00:00",
	                                   "2026-02-30",
	                                   "2026-03-01 25:00:00",
	                                   "9223372036854775808",
	                                   "-9223372036854775809",
	                                   "20261399000000",
	                                   "1.5",
	                                   "0000-00-00 00:00:00"};
	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
		struct eg_position p;
		assert_false(eg_position_parse(eg_bytes_of(none[i]), true, &p));
	}
	/* Keys of 14 digits that look like a time, or almost; of 19, as generators of numbers give them. */
	static const struct {
		const char *text;
		int64_t at;
	} numbers[] = {{"20260301000500", 20260301000500}, {"20261399000000", 20261399000000},
	               {"10000000000001", 10000000000001}, {"1234567890123456789", 1234567890123456789},
	               {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct eg_position p;
		char text[EG_POSITION_TEXT];
		assert_true(eg_position_parse(eg_bytes_of(numbers[i].text), false, &p));
		assert_int_equal(p.grain, 0);
		assert_true(p.at == numbers[i].at);
		assert_true(eg_position_print(eg_bytes_of(numbers[i].text), false, p.at, text));
		assert_string_equal(text, numbers[i].text);
	}
}

static struct eg_seen_row row_of(unsigned i)
{
	struct eg_seen_row row = {.at = i};
	/* Few homes, so that many collide. */
	row.key[0] = (uint8_t)(i % 7);
	memcpy(row.key + 8, &i, sizeof i);
	row.state[0] = (uint8_t)i;
	return row;
}

static void seen_rows_are_found_among_collisions(void **state)
{
	(void)state;
	struct eg_seen *s = eg_seen_new(), *copy = eg_seen_new();
	assert_true(s && copy);
	for (unsigned i = 0; i < 500; i++) {
		struct eg_seen_row row = row_of(i);
		assert_true(eg_seen_put(s, &row));
	}
	for (unsigned i = 0; i < 500; i += 3) {
		struct eg_seen_row row = row_of(i);
		uint8_t other[8] = {(uint8_t)(i + 1)};
		eg_seen_drop(s, row.key, other); /* in another state: it stays */
		assert_non_null(eg_seen_get(s, row.key));
		eg_seen_drop(s, row.key, row.state);
	}
	eg_seen_drop_below(s, 100);
	uint8_t *packed = malloc((size_t)eg_seen_count(s) * EG_SEEN_ROW_BYTES);
	assert_non_null(packed);
	eg_seen_pack(s, packed);
	assert_true(eg_seen_unpack(copy,
	                           (struct eg_bytes){packed, (size_t)eg_seen_count(s) * EG_SEEN_ROW_BYTES}));
	assert_int_equal(eg_seen_count(copy), eg_seen_count(s));
	for (unsigned i = 0; i < 500; i++) {
		struct eg_seen_row row = row_of(i);
		const struct eg_seen_row *found = eg_seen_get(copy, row.key);
		assert_int_equal(found != NULL, i >= 100 && i % 3 != 0);
		if (found)
			assert_true(found->at == i && found->state[0] == (uint8_t)i);
	}
	free(packed);
	eg_seen_free(s);
	eg_seen_free(copy);
}

static void names_are_quoted_and_judged(void **state)
{
	(void)state;
	static struct eg_sql sql;
	struct eg_odbc_column column = {.name = "a\"b"};
	const struct eg_odbc_column *columns[] = {&column, &column};
	struct eg_bytes values[] = {eg_bytes_of("1"), eg_bytes_of("2")};
	eg_sql_begin(&sql, '"');
	eg_sql_path(&sql, "agency.编号");
	eg_sql_add(&sql, " ");
	eg_sql_behind(&sql, values, columns, 2);
	assert_true(eg_sql_end(&sql));
	assert_string_equal((char *)sql.text.p,
	                    "\"agency\".\"编号\" ((\"a\"\"b\" > ?) OR (\"a\"\"b\" = ? AND \"a\"\"b\" > ?))");
	assert_int_equal(sql.n, 3);
	for (unsigned i = 0; i <= EG_ODBC_PARAMS; i++)
		eg_sql_value(&sql, values[0], NULL);
	assert_false(eg_sql_end(&sql)); /* too many values */
	eg_sql_free(&sql);
	assert_true(eg_sql_name_valid("姓名") && eg_sql_path_valid("a.b.c"));
	static const char *const bad[] = {"", "a\"b", "a`b", "a]b", "a;b", "a\nb", "a\xff", "'"};
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(eg_sql_name_valid(bad[i]));
	assert_false(eg_sql_path_valid("a..b"));
	assert_false(eg_sql_path_valid("a."));
}

static void utf16_in_pieces(void **state)
{
	(void)state;
	static const char text[] = "aé汉𠮷\U0010ffff";
	struct eg_buf units = {0}, back = {0};
	uint16_t pending = 0;
	assert_true(eg_utf16_of(&units, eg_bytes_of(text)));
	for (size_t i = 0; i < units.len / 2; i++) {
		uint16_t unit;
		memcpy(&unit, units.p + 2 * i, 2);
		assert_true(eg_utf16_add(&back, &unit, 1, &pending));
	}
	assert_int_equal(pending, 0);
	assert_int_equal(back.len, strlen(text));
	assert_memory_equal(back.p, text, back.len);
	static const uint16_t lone[] = {0xd842, 'a', 0xdfb7};
	eg_buf_reset(&back);
	assert_false(eg_utf16_add(&back, lone, 3, &pending));
	assert_memory_equal(back.p, "\uFFFDa\uFFFD", 7);
	assert_false(eg_utf16_of(&units, (struct eg_bytes){(const uint8_t *)"\xed\xa0\x80", 3}));
	eg_buf_free(&units);
	eg_buf_free(&back);
}

/* --- the aside */

struct hang {
	struct eg_aside_job job;
	atomic_int *gate, *freed;
	bool wanted; /* by its end */
};
static atomic_int ended;

static void hang(struct eg_aside_job *job, void *context, struct eg_aside *a)
{
	struct hang *h = (struct hang *)job;
	(void)context;
	while (!atomic_load(h->gate))
		sched_yield();
	h->wanted = eg_aside_alive(a);
}

static void free_hang(struct eg_aside_job *job)
{
	struct hang *h = (struct hang *)job;
	assert_false(h->wanted);
	atomic_fetch_add(h->freed, 1);
	free(h);
}

static void end_context(void *context)
{
	(void)context;
	atomic_fetch_add(&ended, 1);
}

static struct hang *hang_new(atomic_int *gate, atomic_int *freed)
{
	struct hang *h = calloc(1, sizeof *h);
	assert_non_null(h);
	*h = (struct hang){.job = {hang, free_hang}, .gate = gate, .freed = freed};
	return h;
}

static void what_hangs_is_given_up_and_bounded(void **state)
{
	(void)state;
	struct eg_err err;
	atomic_int gate = 1, freed = 0;
	struct eg_aside *a;
	assert_int_equal(eg_aside_open(&a, "test", NULL, end_context, &err), EG_OK);
	struct hang *h = hang_new(&gate, &freed);
	eg_aside_put(a, &h->job);
	assert_true(eg_aside_wait(a, LATE));
	assert_true(h->wanted);
	free(h);
	assert_true(eg_aside_close(a, LATE));
	assert_int_equal(atomic_load(&ended), 1);

	atomic_store(&gate, 0);
	for (unsigned i = 0; i < EG_ASIDE_LOST_MAX; i++) {
		assert_int_equal(eg_aside_open(&a, "test", NULL, end_context, &err), EG_OK);
		eg_aside_put(a, &hang_new(&gate, &freed)->job);
		assert_false(eg_aside_wait(a, eg_mono_us() + 1000));
		assert_true(eg_aside_silent_us(a) > 0);
		assert_false(eg_aside_close(a, 0));
	}
	assert_int_equal(eg_aside_open(&a, "test", NULL, end_context, &err), EG_UNAVAILABLE);
	assert_int_equal(eg_aside_lost(), EG_ASIDE_LOST_MAX);
	atomic_store(&gate, 1);
	for (int64_t late = LATE; eg_aside_lost();)
		assert_true(eg_mono_us() < late);
	assert_int_equal(atomic_load(&freed), EG_ASIDE_LOST_MAX);
	assert_int_equal(atomic_load(&ended), 1 + EG_ASIDE_LOST_MAX);
	assert_int_equal(eg_aside_open(&a, "test", NULL, end_context, &err), EG_OK);
	eg_aside_close(a, LATE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(positions_keep_their_layout),
	        cmocka_unit_test(seen_rows_are_found_among_collisions),
	        cmocka_unit_test(names_are_quoted_and_judged),
	        cmocka_unit_test(utf16_in_pieces),
	        cmocka_unit_test(what_hangs_is_given_up_and_bounded),
	};
	return cmocka_run_group_tests_name("table parts", tests, NULL, NULL);
}
