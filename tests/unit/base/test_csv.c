/* Rows out of lines: what costs a row and what only a line, rows of several lines, limits, places; lines of
 * any size in pieces of any size. */
#include "base/csv.h"
#include "base/lines.h"

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
	bool fails;
	struct eg_lines *lines;
};

static ssize_t read_some(void *arg, void *p, size_t len)
{
	struct source *s = arg;
	if (s->fails && !s->rest.len)
		return -1;
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

enum { LINE_MAX_TEST = 40 };

/* A line with a # in it cannot be decoded. */
static enum eg_rc next_line(void *arg, struct eg_csv_line *out, struct eg_err *err)
{
	struct source *s = arg;
	bool piece;
	*out = (struct eg_csv_line){0};
	enum eg_rc rc = eg_lines_next(s->lines, &out->raw, &piece, err);
	if (rc)
		return rc;
	out->text = out->raw;
	const uint8_t *bad = memchr(out->raw.p, '#', out->raw.len);
	if (piece) {
		out->fault = EG_CSV_LONG;
		out->unended = out->raw.p[out->raw.len - 1] != '\n';
	} else if (bad) {
		out->fault = EG_CSV_NOT_TEXT;
		out->fault_at = (size_t)(bad - out->raw.p);
	}
	return EG_OK;
}

/* All rows: "LINE[cell|cell]", of a fault "LINE!CODE(raw)"; "~" behind the last if the file is torn. */
static const char *rows_of(struct eg_bytes text, size_t step, char separator)
{
	static char out[4096];
	static const struct eg_csv_options base = {.cells_max = 4, .row_bytes_max = 60, .row_lines_max = 4};
	struct eg_csv_options o = base;
	struct source s = {.rest = text, .step = step};
	struct eg_csv_row row;
	struct eg_err err;
	size_t len = 0;
	enum eg_rc rc;
	o.separator = separator;
	s.lines = eg_lines_new("f", read_some, &s, LINE_MAX_TEST);
	struct eg_csv *c = eg_csv_new(&o, next_line, &s);
	assert_non_null(s.lines);
	assert_non_null(c);
	*out = 0;
#define ADD(...) len += (size_t)snprintf(out + len, sizeof out - len, __VA_ARGS__)
	while (!(rc = eg_csv_next(c, &row, &err))) {
		assert_true(len < sizeof out - 200);
		ADD("%llu", (unsigned long long)row.line);
		if (row.fault) {
			ADD("!%d(%.*s)", (int)row.fault, (int)row.raw.len, (const char *)row.raw.p);
			assert_int_equal(row.n, 0);
			continue;
		}
		ADD("[");
		for (unsigned i = 0; i < row.n; i++)
			ADD("%s%.*s", i ? "|" : "", (int)row.cells[i].text.len,
			    (const char *)row.cells[i].text.p);
		ADD(row.torn ? "]~" : "]");
	}
	assert_int_equal(rc, EG_EMPTY);
	assert_int_equal(eg_csv_next(c, &row, &err), EG_EMPTY);
	eg_csv_free(c);
	eg_lines_free(s.lines);
	return out;
}

#define ROWS(text, want)                                                                                     \
	for (size_t step = 0; step < 4; step++)                                                              \
	assert_string_equal(rows_of((struct eg_bytes){(const uint8_t *)(text), sizeof(text) - 1},            \
	                            step ? step + 2 : 0, 0),                                                 \
	                    want)

static void good(void **state)
{
	(void)state;
	ROWS("a,b\nc,d\r\n", "1[a|b]2[c|d]");
	ROWS("\n\r\na\n\n", "3[a]");
	ROWS("a,\"b\nc\"\n\"x\"\"y\n\"\"\",z\nw", "1[a|b\nc]3[x\"y\n\"|z]5[w]~");
	ROWS("\"\"\n,\n", "1[]2[|]");
	assert_string_equal(rows_of(eg_bytes_of("a|b,c\n"), 0, '|'), "1[a|b,c]");
	assert_string_equal(rows_of(eg_bytes_of("a\tb\n"), 0, '\t'), "1[a|b]");
}

static void a_fault_costs_its_line(void **state)
{
	(void)state;
	/* the quote of line 1 would swallow the rest */
	ROWS("a,\"b\nc,d\ne,f\n", "1!1(a,\"b\n)2[c|d]3[e|f]");
	/* it finds a closing quote that is not its own */
	ROWS("a,\"b\n\"c\",d\ne\n", "1!3(a,\"b\n)2[c|d]3[e]");
	ROWS("a\"b\nc\n", "1!2(a\"b\n)2[c]");
	ROWS("\"a\"b\nc\n", "1!3(\"a\"b\n)2[c]");
	ROWS("a\rb\nc\n", "1!4(a\rb\n)2[c]");
	ROWS("a,b,c,d,e\nf\n", "1!5(a,b,c,d,e\n)2[f]");
	/* two in a row, and one at the end */
	ROWS("\"a\n\"b\nc\n\"d", "1!3(\"a\n)2!3(\"b\n)3[c]4!1(\"d)");
}

static void lines_that_are_no_text(void **state)
{
	(void)state;
	ROWS("a,#\nb\n", "1!7(a,#\n)2[b]");
	/* within a row of several lines: the row, whose shape is known */
	ROWS("a,\"x\n#\ny\",b\nc\n", "1!7(a,\"x\n#\ny\",b\n)4[c]");
	/* a fault of shape comes first */
	ROWS("\"#\nb\n", "1!1(\"#\n)2[b]");
}

static void limits(void **state)
{
	(void)state;
	/* rows: 4 lines, 60 bytes */
	ROWS("\"1\n2\n3\n4\"\nx\n", "1[1\n2\n3\n4]5[x]");
	ROWS("\"1\n2\n3\n4\n5\"\nx\n", "1!1(\"1\n)2[2]3[3]4[4]5!2(5\"\n)6[x]");
	ROWS("\"0123456789012345678901234567\n0123456789012345678901234567890123456\"\nx\n",
	     "1!1(\"0123456789012345678901234567\n)2!2(0123456789012345678901234567890123456\"\n)3[x]");
	/* lines: 40 bytes, with their end; longer ones lose nothing, and are one line */
	ROWS("012345678901234567890123456789012345678\nx\n",
	     "1[012345678901234567890123456789012345678]2[x]");
	ROWS("0123456789012345678901234567890123456789\nx\n",
	     "1!6(0123456789012345678901234567890123456789)1!6(\n)2[x]");
	ROWS("a\n\"b\n0123456789012345678901234567890123456789abc\nx\n",
	     "1[a]2!1(\"b\n)3!6(0123456789012345678901234567890123456789)3!6(abc\n)4[x]");
}

static void places(void **state)
{
	struct eg_csv_row row = {.line = 7, .text = eg_bytes_of("张a\nb")};
	uint64_t line;
	unsigned column;
	(void)state;
	eg_csv_place(&row, 3, &line, &column);
	assert_int_equal(line, 7);
	assert_int_equal(column, 2);
	eg_csv_place(&row, 5, &line, &column);
	assert_int_equal(line, 8);
	assert_int_equal(column, 1);
	for (int f = EG_CSV_UNCLOSED; f <= EG_CSV_UTF16; f++)
		assert_true(*eg_csv_fault_text((enum eg_csv_fault)f));
}

static void source_fails(void **state)
{
	struct source s = {.rest = eg_bytes_of("a,\"b\n"), .fails = true};
	struct eg_csv_options o = {.cells_max = 4, .row_bytes_max = 60, .row_lines_max = 4};
	struct eg_csv_row row;
	struct eg_err err;
	(void)state;
	s.lines = eg_lines_new("f.csv", read_some, &s, LINE_MAX_TEST);
	struct eg_csv *c = eg_csv_new(&o, next_line, &s);
	assert_int_equal(eg_csv_next(c, &row, &err), EG_IO);
	assert_non_null(strstr(err.text, "f.csv"));
	eg_csv_free(c);
	eg_lines_free(s.lines);
}

/* Whatever the bytes are: all of them come out again, in rows or faults, in order. */
static void nothing_is_lost(void **state)
{
	static const char pieces[] = "\n\n\r\",,ab#\0\"";
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		struct eg_csv_options o = {.cells_max = 4, .row_bytes_max = 60, .row_lines_max = 4};
		uint8_t text[120];
		struct source s = {.rest = {text, (size_t)rand() % sizeof text}, .step = (size_t)rand() % 8};
		struct eg_csv_row row;
		struct eg_err err;
		size_t at = 0, len = s.rest.len;
		uint64_t line = 0;
		for (size_t i = 0; i < len; i++)
			text[i] = (uint8_t)pieces[(size_t)rand() % (sizeof pieces - 1)];
		s.lines = eg_lines_new("f", read_some, &s, LINE_MAX_TEST);
		struct eg_csv *c = eg_csv_new(&o, next_line, &s);
		while (!eg_csv_next(c, &row, &err)) {
			/* between two rows only blank lines; a piece of a line may look like one */
			while (row.fault != EG_CSV_LONG && at < len &&
			       (text[at] == '\n' ||
			        (text[at] == '\r' && at + 1 < len && text[at + 1] == '\n')))
				at += text[at] == '\n' ? 1 : 2;
			while (row.fault == EG_CSV_LONG && at + row.raw.len <= len &&
			       memcmp(text + at, row.raw.p, row.raw.len) != 0)
				at++;
			assert_true(at + row.raw.len <= len);
			assert_memory_equal(text + at, row.raw.p, row.raw.len);
			at += row.raw.len;
			assert_true(row.line >= line);
			line = row.line;
		}
		for (; at < len; at++)
			assert_true(text[at] == '\n' || text[at] == '\r');
		eg_csv_free(c);
		eg_lines_free(s.lines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(good),
	                                   cmocka_unit_test(a_fault_costs_its_line),
	                                   cmocka_unit_test(lines_that_are_no_text),
	                                   cmocka_unit_test(limits),
	                                   cmocka_unit_test(places),
	                                   cmocka_unit_test(source_fails),
	                                   cmocka_unit_test(nothing_is_lost)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
