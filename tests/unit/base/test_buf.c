/* The byte buffer and slices, hexadecimal, UTF-8 under hostile bytes, numbers and JSON text. */
#include "base/buf.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BYTES(text) ((struct eg_bytes){(const uint8_t *)(text), sizeof(text) - 1})
#define assert_bytes(got, want)                                                                              \
	do {                                                                                                 \
		struct eg_bytes got_ = (got), want_ = BYTES(want);                                           \
		assert_int_equal(got_.len, want_.len);                                                       \
		if (want_.len)                                                                               \
			assert_memory_equal(got_.p, want_.p, want_.len);                                     \
	} while (0)

static void steps_add_up(void **state)
{
	(void)state;
	struct eg_buf b = {0};
	assert_bytes(eg_buf_bytes(&b), "");
	eg_buf_add(&b, "ab", 2);
	eg_buf_add(&b, NULL, 0);
	eg_buf_add_u8(&b, 0xFF);
	eg_buf_add_be(&b, 0x0102030405060708, 8);
	eg_buf_add_be(&b, 0x1234, 2);
	eg_buf_add_be(&b, 0xABCDEF, 1);
	eg_buf_printf(&b, "%d|%s", -5, "x");
	assert_bytes(eg_buf_bytes(&b), "ab\xFF\x01\x02\x03\x04\x05\x06\x07\x08\x12\x34\xEF-5|x");
	assert_false(b.failed);
	uint8_t *memory = b.p;
	eg_buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_non_null(eg_buf_grow(&b, 0));
	assert_int_equal(b.len, 0);
	assert_ptr_equal(eg_buf_grow(&b, 3), memory);
	assert_int_equal(b.len, 3);
	eg_buf_free(&b);
	assert_null(b.p);
	assert_int_equal(b.cap, 0);
}

static void it_grows_and_keeps(void **state)
{
	(void)state;
	struct eg_buf b = {0};
	for (uint64_t i = 0; i < 50000; i++) {
		eg_buf_add_be(&b, i, 4);
		eg_buf_printf(&b, "%08llu", (unsigned long long)i);
	}
	assert_int_equal(b.len, 600000);
	for (uint64_t i = 0; i < 50000; i++) {
		const uint8_t *p = b.p + 12 * i;
		uint64_t n = (uint64_t)p[0] << 24 | (uint64_t)p[1] << 16 | (uint64_t)p[2] << 8 | p[3];
		if (n != i ||
		    strtoull((const char *)(const char[9]){(char)p[4], (char)p[5], (char)p[6], (char)p[7],
		                                           (char)p[8], (char)p[9], (char)p[10], (char)p[11]},
		             NULL, 10) != i)
			fail_msg("entry %llu was lost in growing", (unsigned long long)i);
	}
	eg_buf_free(&b);
}

static void a_failure_is_remembered(void **state)
{
	(void)state;
	struct eg_buf b = {0};
	eg_buf_add(&b, "kept", 4);
	assert_null(eg_buf_grow(&b, (size_t)1 << 30)); /* past the maximum together with what is there */
	assert_true(b.failed);
	eg_buf_add(&b, "more", 4);
	eg_buf_add_u8(&b, 1);
	eg_buf_add_be(&b, 1, 8);
	eg_buf_printf(&b, "x");
	eg_buf_json(&b, BYTES("x"));
	eg_buf_real(&b, 1);
	assert_int_equal(b.len, 4);
	assert_bytes(eg_buf_bytes(&b), "");
	eg_buf_reset(&b);
	assert_false(b.failed);
	assert_null(eg_buf_grow(&b, SIZE_MAX));
	assert_true(b.failed);
	eg_buf_free(&b);
	assert_false(b.failed);
}

/* Old contents are wiped when memory is given back, in growing and at the end. */
static const uint8_t *watched;
static unsigned wiped;

void explicit_bzero(void *p, size_t n)
{
	volatile uint8_t *c = p;
	if (watched && p == watched && n >= 6)
		wiped++;
	for (size_t i = 0; i < n; i++)
		c[i] = 0;
}

/* The name that _FORTIFY_SOURCE gives it. */
void __explicit_bzero_chk(void *p, size_t n, size_t room);
void __explicit_bzero_chk(void *p, size_t n, size_t room)
{
	if (n > room)
		abort();
	explicit_bzero(p, n);
}

static void contents_are_wiped(void **state)
{
	(void)state;
	struct eg_buf b = {0};
	eg_buf_add(&b, "secret", 6);
	watched = b.p;
	wiped = 0;
	assert_non_null(eg_buf_grow(&b, 100000));
	assert_int_equal(wiped, 1);
	assert_memory_equal(b.p, "secret", 6);
	watched = b.p;
	wiped = 0;
	eg_buf_free(&b);
	assert_int_equal(wiped, 1);
	watched = NULL;
}

static void slices_compare(void **state)
{
	(void)state;
	struct eg_bytes none = eg_bytes_of(NULL), empty = eg_bytes_of("");
	assert_true(eg_bytes_equal(none, empty));
	assert_int_equal(eg_bytes_cmp(none, empty), 0);
	assert_true(eg_bytes_equal(BYTES("a\0b"), BYTES("a\0b")));
	assert_false(eg_bytes_equal(BYTES("a\0b"), BYTES("a\0c")));
	assert_false(eg_bytes_equal(BYTES("a"), BYTES("ab")));
	assert_true(eg_bytes_cmp(BYTES("a"), BYTES("ab")) < 0);
	assert_true(eg_bytes_cmp(BYTES("b"), BYTES("ab")) > 0);
	assert_true(eg_bytes_cmp(BYTES("\xFF"), BYTES("\x01")) > 0); /* bytes, not chars */
	assert_true(eg_bytes_cmp(none, BYTES("a")) < 0);
}

static void hexadecimal(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {0x00, 0x9A, 0xFF};
	char text[7];
	uint8_t back[3];
	eg_hex(bytes, 3, text);
	assert_string_equal(text, "009aff");
	assert_true(eg_unhex(text, back, 3));
	assert_memory_equal(back, bytes, 3);
	assert_true(eg_unhex("009AfF", back, 3));
	assert_true(eg_unhex("", back, 0));
	static const char *const wrong[] = {"",       "0",      "009af",  "009aff0", "009aff00",
	                                    "009afg", "0 9aff", "0x9aff", "-09aff"};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(eg_unhex(wrong[i], back, 3));
}

static void utf8_accepts(void **state)
{
	(void)state;
	static const struct eg_bytes good[] = {
	        {NULL, 0},
	        BYTES("plain"),
	        BYTES("\x01\x7F"),
	        BYTES("\xC2\x80"),         /* U+0080, the first of two bytes */
	        BYTES("\xDF\xBF"),         /* U+07FF */
	        BYTES("\xE0\xA0\x80"),     /* U+0800 */
	        BYTES("\xED\x9F\xBF"),     /* U+D7FF, just below the surrogates */
	        BYTES("\xEE\x80\x80"),     /* U+E000, private use, just above */
	        BYTES("\xEF\xBF\xBF"),     /* U+FFFF is a noncharacter, and valid */
	        BYTES("\xF0\x90\x80\x80"), /* U+10000 */
	        BYTES("\xF4\x8F\xBF\xBF"), /* U+10FFFF */
	        BYTES("\xE4\xB6\xAE\xC2\xB7\xF0\xA0\xAE\xB7"),
	};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		if (!eg_utf8_valid(good[i]))
			fail_msg("row %zu was refused", i);
}

static void utf8_refuses(void **state)
{
	(void)state;
	static const struct eg_bytes bad[] = {
	        BYTES("\0"),
	        BYTES("a\0b"),
	        BYTES("\x80"), /* a continuation alone */
	        BYTES("\xBF"),
	        BYTES("a\x80"),
	        BYTES("\xC0\x80"), /* overlong NUL */
	        BYTES("\xC0\xAF"), /* overlong slash */
	        BYTES("\xC1\xBF"),
	        BYTES("\xE0\x80\xAF"), /* overlong in three */
	        BYTES("\xE0\x9F\xBF"),
	        BYTES("\xF0\x80\x80\xAF"), /* overlong in four */
	        BYTES("\xF0\x8F\xBF\xBF"),
	        BYTES("\xED\xA0\x80"), /* surrogates */
	        BYTES("\xED\xBF\xBF"),
	        BYTES("\xED\xA0\xBD\xED\xB8\x80"), /* a pair, as CESU-8 writes it */
	        BYTES("\xF4\x90\x80\x80"),         /* U+110000 */
	        BYTES("\xF5\x80\x80\x80"),
	        BYTES("\xF8\x88\x80\x80\x80"), /* five and six bytes */
	        BYTES("\xFC\x84\x80\x80\x80\x80"),
	        BYTES("\xFE"),
	        BYTES("\xFF"),
	        BYTES("\xC2"), /* cut short */
	        BYTES("\xE4\xB6"),
	        BYTES("\xF0\xA0\xAE"),
	        BYTES("\xC2\x41"), /* a second byte that is none */
	        BYTES("\xE4\xB6\x41"),
	        BYTES("\xF0\xA0\xAE\xC2"),
	        BYTES("\xC2\xC0"),
	        BYTES("\xD6\xD0\xB9\xFA"), /* GB18030 */
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		/* On the heap at its exact size, so that a read past the end is seen by ASan. */
		uint8_t *copy = malloc(bad[i].len);
		memcpy(copy, bad[i].p, bad[i].len);
		if (eg_utf8_valid((struct eg_bytes){copy, bad[i].len}))
			fail_msg("row %zu was accepted", i);
		free(copy);
	}
}

/* Every code point there is, encoded by the rule of RFC 3629, and every value that is none. */
static void utf8_every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x120000; c++) {
		uint8_t s[4] = {(uint8_t)c};
		size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
		static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
		if (len > 1) {
			for (size_t i = len; i--;)
				s[i] = (uint8_t)(0x80 | (c >> 6 * (len - 1 - i) & 0x3F));
			s[0] = (uint8_t)(leads[len] | c >> 6 * (len - 1));
		}
		bool want = c < 0x110000 && !(c >= 0xD800 && c < 0xE000);
		if (eg_utf8_valid((struct eg_bytes){s, len}) != want)
			fail_msg("U+%04X", c);
	}
}

static void json_text(void **state)
{
	(void)state;
	static const struct {
		struct eg_bytes in;
		const char *out;
	} cases[] = {
	        {BYTES(""), "\"\""},
	        {BYTES("say \"hi\" \\ bye/"), "\"say \\\"hi\\\" \\\\ bye/\""},
	        {BYTES("a\nb\tc\rd\x01\x1F\x7F"), "\"a\\nb\\tc\\u000dd\\u0001\\u001f\\u007f\""},
	        {BYTES("a\0b"), "\"a\\u0000b\""},
	        {BYTES("\xE8\x80\x81\xC2\xB7\xF0\xA0\xAE\xB7"), "\"\xE8\x80\x81\xC2\xB7\xF0\xA0\xAE\xB7\""},
	        {BYTES("\xC2\x9B"), "\"\\u009b\""}, /* the terminal's one-byte escape */
	        {BYTES("\xC2\xA0"), "\"\xC2\xA0\""},
	        {BYTES("\xFF"), "\"\xEF\xBF\xBD\""},
	        /* One mark for each maximal subpart: Unicode 15, tables 3-8 to 3-11. */
	        {BYTES("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
	         "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF"
	         "\xBF\xBD"
	         "A\""},
	        {BYTES("\xED\xA0\x80\x41"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
	                                    "A\""},
	        {BYTES("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"),
	         "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
	         "A\""},
	        {BYTES("\xE8\x80"), "\"\xEF\xBF\xBD\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct eg_buf b = {0};
		eg_buf_json(&b, cases[i].in);
		eg_buf_add_u8(&b, 0);
		assert_false(b.failed);
		assert_string_equal((const char *)b.p, cases[i].out);
		assert_true(eg_utf8_valid(eg_bytes_of((const char *)b.p)));
		eg_buf_free(&b);
	}
}

static void real_numbers(void **state)
{
	(void)state;
	static const struct {
		double v;
		const char *text;
	} cases[] = {
	        {0, "0"},
	        {0.1, "0.1"},
	        {1e21, "1e+21"},
	        {-2.5, "-2.5"},
	        {1e15, "1e+15"},
	        {123456789012345, "123456789012345"},
	        {0.00025, "0.00025"},
	        {9007199254740993.0, "9007199254740992"},
	        {1.0 / 3, "0.3333333333333333"},
	        {(double)INFINITY, "+Inf"},
	        {-(double)INFINITY, "-Inf"},
	        {(double)NAN, "NaN"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct eg_buf b = {0};
		eg_buf_real(&b, cases[i].v);
		eg_buf_add_u8(&b, 0);
		assert_string_equal((const char *)b.p, cases[i].text);
		eg_buf_free(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(steps_add_up),
	        cmocka_unit_test(it_grows_and_keeps),
	        cmocka_unit_test(a_failure_is_remembered),
	        cmocka_unit_test(contents_are_wiped),
	        cmocka_unit_test(slices_compare),
	        cmocka_unit_test(hexadecimal),
	        cmocka_unit_test(utf8_accepts),
	        cmocka_unit_test(utf8_refuses),
	        cmocka_unit_test(utf8_every_code_point),
	        cmocka_unit_test(json_text),
	        cmocka_unit_test(real_numbers),
	};
	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
