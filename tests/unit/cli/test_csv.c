/* CSV by RFC 4180: quoting, line ends, places of faults; and anything written is read back. */
#include "cli/csv.h"

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
	size_t step; /* at most so many bytes at once, 0: all */
};

static ssize_t read_some(void *arg, void *p, size_t len)
{
	struct source *s = arg;
	if (s->step && len > s->step)
		len = s->step;
	if (len > s->rest.len)
		len = s->rest.len;
	memcpy(p, s->rest.p, len);
	s->rest.p += len;
	s->rest.len -= len;
	return (ssize_t)len;
}

/* All rows as [cell|cell]..., with what ended it behind: "", or the error's text. */
static const char *all(struct eg_bytes text, size_t step)
{
	static char out[4096];
	struct source s = {text, step};
	struct csv *c = csv_new("f.csv", read_some, &s);
	const struct csv_cell *cells;
	struct eg_err err = {0};
	enum eg_rc rc;
	unsigned n;
	size_t len = 0;
	out[0] = 0;
	assert_non_null(c);
	while ((rc = csv_next(c, &cells, &n, &err)) == EG_OK) {
		len += (size_t)snprintf(out + len, sizeof out - len, "[");
		for (unsigned i = 0; i < n; i++)
			len += (size_t)snprintf(out + len, sizeof out - len, "%s%.*s", i ? "|" : "",
			                        (int)cells[i].text.len, (const char *)cells[i].text.p);
		len += (size_t)snprintf(out + len, sizeof out - len, "]");
		assert_true(len < sizeof out);
	}
	if (rc != EG_EMPTY)
		snprintf(out + len, sizeof out - len, "%s", err.text);
	csv_free(c);
	return out;
}

#define ROWS(text, want)                                                                                     \
	for (size_t step = 0; step < 4; step++)                                                              \
	assert_string_equal(                                                                                 \
	        all((struct eg_bytes){(const uint8_t *)(text), sizeof(text) - 1}, step ? step + 2 : 0),      \
	        want)

static void plain_and_quoted(void **state)
{
	(void)state;
	ROWS("a,b\nc,d\n", "[a|b][c|d]");
	ROWS("a,b\r\nc,d", "[a|b][c|d]");
	ROWS("\"a,b\",\"c\"\"d\",\"e\nf\"\n", "[a,b|c\"d|e\nf]");
	ROWS("\"a\r\nb\"\r\n", "[a\r\nb]");
	ROWS(",\n\"\"\n", "[|][]");
	ROWS("a\n\n\r\nb\n", "[a][b]");
	ROWS("", "");
	ROWS("a", "[a]");
	ROWS("\"a\"", "[a]");
	ROWS("a,", "[a|]");
	ROWS("a\r", "[a]");
}

static void byte_order_mark(void **state)
{
	(void)state;
	ROWS("\xEF\xBB\xBF"
	     "a,b\n",
	     "[a|b]");
	ROWS("a,\xEF\xBB\xBF"
	     "b\n",
	     "[a|\xEF\xBB\xBF"
	     "b]");
	ROWS("\xFF\xFE"
	     "a",
	     "f.csv:1:1: the text is UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 FILE >NEW");
}

static void faults_have_places(void **state)
{
	(void)state;
	ROWS("a,b\nc,\"d\nx\n",
	     "[a|b]f.csv:2:3: the quote that begins here is never closed: was the file cut off?");
	ROWS("a,b\"c\n", "f.csv:1:4: a quote within a cell that does not begin with one");
	ROWS("\xE5\xBC\xA0,\"b\"c\n", "f.csv:1:6: text behind a closing quote");
	ROWS("a\rb\n", "f.csv:1:2: a carriage return within a line");
#define NOT_UTF8 "the text is not UTF-8; if it is GB18030: iconv -f GB18030 -t UTF-8 FILE >NEW"
	ROWS("a\n\xE5\xBC\xA0"
	     "b,\xD5\xC5\n",
	     "[a]f.csv:2:4: " NOT_UTF8);
	ROWS("\"x\ny\"\"z\xFF\"\n", "f.csv:2:5: " NOT_UTF8);
	ROWS("a,b\0c\n", "f.csv:1:4: a NUL character");
}

static void limits(void **state)
{
	(void)state;
	struct eg_buf many = {0};
	for (int i = 0; i < CSV_CELLS_MAX; i++)
		eg_buf_add_u8(&many, ',');
	assert_non_null(strstr(all(eg_buf_bytes(&many), 0), "too many cells"));
	eg_buf_reset(&many);
	eg_buf_add_u8(&many, '"');
	for (int i = 0; i < CSV_ROW_BYTES_MAX + 10; i++)
		eg_buf_add_u8(&many, 'x');
	assert_string_equal(all(eg_buf_bytes(&many), 0),
	                    "f.csv:1:1: the row is too long; is a quote missing?");
	eg_buf_free(&many);
}

/* Random cells of awkward characters, written and read back, in pieces of any size. */
static void round_trip(void **state)
{
	static const char *const pieces[] = {
	        "a", ",", "\"", "\n", "\r\n", "\xE5\xBC\xA0", " ", "", "\xF0\xA0\xAE\xB7"};
	(void)state;
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		struct eg_buf text = {0}, want = {0};
		unsigned cells = 1 + (unsigned)rand() % 4;
		for (unsigned row = 0; row < 3; row++) {
			struct eg_buf line = {0};
			bool any = false;
			for (unsigned i = 0; i < cells; i++) {
				struct eg_buf cell = {0};
				for (int k = rand() % 5; k > 0; k--)
					eg_buf_printf(&cell, "%s", pieces[rand() % 9]);
				any |= cell.len || cells > 1;
				eg_buf_printf(&want, "%s", i ? "|" : any ? "[" : "");
				eg_buf_add(&want, cell.p, cell.len);
				if (i)
					eg_buf_add_u8(&line, ',');
				eg_csv_write(&line, eg_buf_bytes(&cell));
				eg_buf_free(&cell);
			}
			eg_buf_printf(&want, "%s", any ? "]" : "");
			eg_buf_printf(&line, "%s", rand() % 2 ? "\n" : "\r\n");
			eg_buf_add(&text, line.p, line.len);
			eg_buf_free(&line);
		}
		eg_buf_add_u8(&want, 0);
		assert_string_equal(all(eg_buf_bytes(&text), 1 + (size_t)rand() % 7 + 2),
		                    (const char *)want.p);
		eg_buf_free(&text);
		eg_buf_free(&want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(plain_and_quoted), cmocka_unit_test(byte_order_mark),
	        cmocka_unit_test(faults_have_places), cmocka_unit_test(limits), cmocka_unit_test(round_trip)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
