/* Character sets: GB18030 and what goes by its name, how one is told from another, what cannot be decoded. */
#include "common/charset.h"
#include "common/decode.h"
#include "common/private_use.h"
#include "common/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

struct source {
	struct eg_bytes rest;
	size_t step;
};

static ssize_t read_some(void *arg, void *p, size_t len)
{
	struct source *s = arg;
	if (s->step && len > s->step)
		len = s->step;
	if (len > s->rest.len)
		len = s->rest.len;
	if (len)
		memcpy(p, s->rest.p, len);
	s->rest.p += len;
	s->rest.len -= len;
	return (ssize_t)len;
}

/* Every line as UTF-8; a faulty one as "!CODE@AT(text)". */
static const char *decode(const char *text, size_t len, enum eg_charset charset, enum eg_charset *found)
{
	static char out[4096];
	struct source s = {.rest = {(const uint8_t *)text, len}};
	struct eg_csv_line line;
	struct eg_err err;
	size_t at = 0;
	struct eg_charset_lines *l = eg_charset_lines_new("f", charset, read_some, &s, 1000);
	assert_non_null(l);
	*out = 0;
	while (!eg_charset_line(l, &line, &err)) {
		if (line.fault)
			at += (size_t)snprintf(out + at, sizeof out - at, "!%d@%zu(%.*s)", (int)line.fault,
			                       line.fault_at, (int)line.text.len, (const char *)line.text.p);
		else
			at += (size_t)snprintf(out + at, sizeof out - at, "%.*s", (int)line.text.len,
			                       (const char *)line.text.p);
		assert_true(at < sizeof out);
	}
	if (found)
		*found = eg_charset_found(l);
	eg_charset_lines_free(l);
	return out;
}

#define GB(text)   decode(text, sizeof(text) - 1, EG_CHARSET_GB18030, NULL)
#define UTF8(text) decode(text, sizeof(text) - 1, EG_CHARSET_UTF8, NULL)

static void gb18030(void **state)
{
	(void)state;
	assert_string_equal(GB("\xD5\xC5\xC8\xFD,1\r\n"), "张三,1\r\n");
	assert_string_equal(GB("\x81\x7C,\x81\x5C\n"), "亅,乗\n"); /* trail bytes | and \ */
	assert_string_equal(GB("\xFE\x9F\n"), "䶮\n");             /* what "GBK" has no character for */
	assert_string_equal(GB("\x95\x32\x82\x36\n"), "𠀀\n");     /* four bytes, beyond the BMP */
	assert_string_equal(GB("\x80"
	                       "5\n"),
	                    "€5\n");
	assert_string_equal(GB("\xD5\xC5\x80\xC8\xFD\n"), "张€三\n");
	assert_string_equal(GB("\x84\x31\x95\x33"
	                       "a\n"),
	                    "a\n"); /* its byte order mark */
}

static const char *today(const char *text, char out[64])
{
	struct eg_bytes in = eg_bytes_of(text);
	size_t n = eg_private_use_write(in, (uint8_t *)out);
	out[n] = 0;
	assert_int_equal(eg_private_use_any(in), strcmp(text, out) != 0);
	return out;
}

static void private_use(void **state)
{
	char out[64];
	(void)state;
	assert_string_equal(today("a\xEE\xA1\xA3"
	                          "b\xEE\xA1\xA3",
	                          out),
	                    "a䶮b䶮");
	assert_string_equal(today("\xEE\x9F\x87", out), "ḿ");            /* U+E7C7 */
	assert_string_equal(today("\xEE\xA0\x96", out), "𠂇");           /* U+E816 */
	assert_string_equal(today("\xEE\x80\x80", out), "\xEE\x80\x80"); /* U+E000 is somebody's own */
	assert_string_equal(today("", out), "");
	assert_string_equal(today("张三\xEE\xA1", out), "张三\xEE\xA1"); /* cut: no character */
	/* The table is what the library makes of the codes that those characters have in GB18030. */
	static const struct {
		uint32_t old;
		uint8_t lead, first, last;
	} runs[] = {{0xE78D, 0xA6, 0xD9, 0xDF}, {0xE794, 0xA6, 0xEC, 0xED}, {0xE796, 0xA6, 0xF3, 0xF3},
	            {0xE7C7, 0xA8, 0xBC, 0xBC}, {0xE7C8, 0xA8, 0xBF, 0xBF}, {0xE7E7, 0xA9, 0x89, 0x95},
	            {0xE815, 0xFE, 0x50, 0x7E}, {0xE844, 0xFE, 0x80, 0xA0}};
	struct eg_decoder *d = eg_decoder_open("GB18030");
	unsigned n = 0;
	for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++)
		for (unsigned k = 0; k <= (unsigned)runs[i].last - runs[i].first; k++) {
			uint8_t code[2] = {runs[i].lead, (uint8_t)(runs[i].first + k)}, old[5];
			struct eg_buf b = {0};
			assert_true(eg_decode(d, (struct eg_bytes){code, 2}, &b) == EG_DECODED_WELL);
			eg_buf_add_u8(&b, 0);
			old[eg_utf8_put(runs[i].old + k, old)] = 0;
			assert_string_equal(today((char *)old, out), (char *)b.p);
			eg_buf_free(&b);
			n++;
		}
	eg_decoder_close(d);
	for (uint32_t cp = 0xE000; cp < 0xF000; cp++) {
		uint8_t bytes[4];
		size_t len = eg_utf8_put(cp, bytes);
		n -= eg_private_use_any((struct eg_bytes){bytes, len});
	}
	assert_int_equal(n, 0);
}

static void what_cannot_be_decoded(void **state)
{
	(void)state;
	assert_string_equal(GB("a,\xFF\xD5\xC5\nb\n"), "!7@2(a,�张\n)b\n");
	/* a lead byte does not swallow what it cannot begin a character with */
	assert_string_equal(GB("\xD5\"\n\xD5,\xC8\xFD\n\xD5"), "!7@0(�\"\n)!7@0(�,三\n)!7@0(�)");
	/* valid, but not to the library */
	assert_string_equal(GB("\x82\x35\x90\x37\n"), GB("\x82\x35\x90\x37\n"));
	assert_string_equal(UTF8("a\xD5\xC5\nb\n"), "!7@1(a��\n)b\n");
	assert_string_equal(decode("a\0b\n", 4, EG_CHARSET_UTF8, NULL), "!8@1(a�b\n)");
	assert_non_null(strstr(decode("\xD5\xC5\0\n", 4, EG_CHARSET_GB18030, NULL), "!8@3("));
	assert_string_equal(decode("\xFF\xFE"
	                           "a\0\n",
	                           5, EG_CHARSET_AUTO, NULL),
	                    "!9@0(\xFF\xFE"
	                    "a)");
}

static void raw_bytes_are_kept(void **state)
{
	static const char text[] = "\xD5\xC5\xFF,1\n";
	struct source s = {.rest = {(const uint8_t *)text, sizeof text - 1}, .step = 2};
	struct eg_csv_line line;
	struct eg_err err;
	(void)state;
	struct eg_charset_lines *l = eg_charset_lines_new("f", EG_CHARSET_GB18030, read_some, &s, 1000);
	assert_int_equal(eg_charset_line(l, &line, &err), EG_OK);
	assert_int_equal(line.fault, EG_CSV_NOT_TEXT);
	assert_int_equal(line.raw.len, sizeof text - 1);
	assert_memory_equal(line.raw.p, text, sizeof text - 1);
	assert_int_equal(eg_charset_line(l, &line, &err), EG_EMPTY);
	eg_charset_lines_free(l);
}

static void told_apart(void **state)
{
	enum eg_charset found;
	(void)state;
	assert_string_equal(decode("a,b\n1,2\n", 8, EG_CHARSET_AUTO, &found), "a,b\n1,2\n");
	assert_int_equal(found, EG_CHARSET_AUTO);
	decode("a\n\xE5\xBC\xA0\n", 6, EG_CHARSET_AUTO, &found);
	assert_int_equal(found, EG_CHARSET_UTF8);
	assert_string_equal(decode("a\n\xD5\xC5\xC8\xFD\n", 7, EG_CHARSET_AUTO, &found), "a\n张三\n");
	assert_int_equal(found, EG_CHARSET_GB18030);
	/* a mark says more than the settings */
	assert_string_equal(decode("\xEF\xBB\xBF\xE5\xBC\xA0\n", 7, EG_CHARSET_GB18030, &found), "张\n");
	assert_int_equal(found, EG_CHARSET_UTF8);
	/* 模 in GBK is well-formed UTF-8; the text behind it tells */
	assert_string_equal(decode("\xC4\xA3\xD0\xCD\n\xD5\xC5\xC8\xFD\n", 10, EG_CHARSET_AUTO, &found),
	                    "模型\n张三\n");
	/* and goes on telling when most lines are such */
	struct eg_buf many = {0};
	for (int i = 0; i < 10; i++)
		eg_buf_printf(&many, "\xC4\xA3\xC4\xA2\n");
	eg_buf_printf(&many, "\xD5\xC5\xC8\xFD\n");
	decode((const char *)many.p, many.len, EG_CHARSET_AUTO, &found);
	assert_int_equal(found, EG_CHARSET_GB18030);
	eg_buf_free(&many);
	/* one broken line does not make GB18030 of UTF-8 */
	struct eg_buf b = {0};
	for (int i = 0; i < 60; i++)
		eg_buf_printf(&b, "张三,%d\n", i);
	eg_buf_add(&b, "\xE5\xBC\n", 3);
	decode((const char *)b.p, b.len, EG_CHARSET_AUTO, &found);
	assert_int_equal(found, EG_CHARSET_UTF8);
	eg_buf_free(&b);
	assert_int_equal(eg_charset_by_name("GBK"), EG_CHARSET_GB18030);
	assert_int_equal(eg_charset_by_name("utf-8"), EG_CHARSET_UTF8);
	assert_int_equal(eg_charset_by_name("auto"), EG_CHARSET_AUTO);
}

/* Any bytes, in pieces of any size: text that is UTF-8, raw bytes that are the input, the same each time. */
static void garbage(void **state)
{
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 5000; round++) {
		uint8_t text[200];
		size_t len = (size_t)rand() % sizeof text, at = 0;
		for (size_t i = 0; i < len; i++) {
			static const uint8_t often[] = {'\n', 0x80, 0xFE, 0x81, 0x30, 0xEE, 0xA1, 0xA3, ','};
			text[i] = rand() % 2 ? often[(size_t)rand() % sizeof often] : (uint8_t)rand();
		}
		struct source s = {.rest = {text, len}, .step = 1 + (size_t)rand() % 50};
		struct eg_csv_line line;
		struct eg_err err;
		struct eg_charset_lines *l =
		        eg_charset_lines_new("f", (enum eg_charset)(rand() % 3), read_some, &s, 64);
		while (!eg_charset_line(l, &line, &err)) {
			if (at == 0 && line.raw.p && len >= 4 && line.raw.len && line.raw.p[0] != text[0])
				at = text[0] == 0xEF ? 3 : 4; /* a byte order mark */
			assert_true(at + line.raw.len <= len);
			assert_memory_equal(text + at, line.raw.p, line.raw.len);
			at += line.raw.len;
			if (line.fault != EG_CSV_LONG && line.fault != EG_CSV_UTF16 &&
			    !(line.text.len && memchr(line.text.p, 0, line.text.len)))
				assert_true(eg_utf8_valid(line.text));
			if (line.fault)
				assert_true(line.fault_at <= line.text.len);
		}
		assert_int_equal(at, len);
		eg_charset_lines_free(l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(gb18030),
	                                   cmocka_unit_test(private_use),
	                                   cmocka_unit_test(what_cannot_be_decoded),
	                                   cmocka_unit_test(raw_bytes_are_kept),
	                                   cmocka_unit_test(told_apart),
	                                   cmocka_unit_test(garbage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
