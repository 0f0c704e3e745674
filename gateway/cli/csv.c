/* csv: see csv.h. Rows come from base/csv.h; its source here is the file's lines as UTF-8. */
#include "cli/csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_LINES_MAX = 10000 };

struct csv {
	char *name;
	struct eg_lines *lines;
	struct eg_csv *rows;
	bool begun, over;
	struct csv_cell cells[CSV_CELLS_MAX];
};

/* The first byte that is no text. */
static void judge(struct eg_csv_line *line)
{
	struct eg_bytes rest = line->text;
	bool valid = true;
	if (eg_utf8_valid(rest))
		return;
	while (rest.len) {
		size_t step = eg_utf8_step(rest, &valid);
		if (!valid || !*rest.p)
			break;
		rest.p += step;
		rest.len -= step;
	}
	line->fault = valid ? EG_CSV_NUL : EG_CSV_NOT_TEXT;
	line->fault_at = line->text.len - rest.len;
}

static enum eg_rc source(void *arg, struct eg_csv_line *out, struct eg_err *err)
{
	struct csv *c = arg;
	bool piece;
	*out = (struct eg_csv_line){0};
	enum eg_rc rc = eg_lines_next(c->lines, &out->text, &piece, err);
	if (rc)
		return rc;
	bool first = !c->begun;
	c->begun = true;
	if (first && out->text.len >= 3 && memcmp(out->text.p, "\xEF\xBB\xBF", 3) == 0) {
		out->text.p += 3;
		out->text.len -= 3;
	}
	out->raw = out->text;
	if (first && out->text.len >= 2 &&
	    (memcmp(out->text.p, "\xFF\xFE", 2) == 0 || memcmp(out->text.p, "\xFE\xFF", 2) == 0))
		out->fault = EG_CSV_UTF16;
	else if (piece)
		out->fault = EG_CSV_LONG;
	else
		judge(out);
	return EG_OK;
}

struct csv *csv_new(const char *name, eg_read *read, void *arg)
{
	static const struct eg_csv_options options = {.cells_max = CSV_CELLS_MAX,
	                                              .row_bytes_max = CSV_ROW_BYTES_MAX,
	                                              .row_lines_max = ROW_LINES_MAX};
	struct csv *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->name = strdup(name);
	c->lines = eg_lines_new(name, read, arg, CSV_ROW_BYTES_MAX);
	c->rows = eg_csv_new(&options, source, c);
	if (c->name && c->lines && c->rows)
		return c;
	csv_free(c);
	return NULL;
}

void csv_free(struct csv *c)
{
	if (!c)
		return;
	eg_csv_free(c->rows);
	eg_lines_free(c->lines);
	free(c->name);
	free(c);
}

enum eg_rc csv_fail(const struct csv *c, const struct csv_cell *at, struct eg_err *err, const char *fmt, ...)
{
	char what[200];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof what, fmt, args);
	va_end(args);
	return eg_fail(err, EG_INVALID, "%s:%u:%u: %s", c->name, at->line, at->column, what);
}

static enum eg_rc fault(struct csv *c, const struct eg_csv_row *row, struct eg_err *err)
{
	const char *text =
	        row->fault == EG_CSV_NOT_TEXT
	                ? "the text is not UTF-8; if it is GB18030: iconv -f GB18030 -t UTF-8 FILE >NEW"
	                : eg_csv_fault_text(row->fault);
	uint64_t line;
	unsigned column;
	eg_csv_place(row, row->fault_at, &line, &column);
	c->over = true;
	return eg_fail(err, row->fault == EG_CSV_LONG || row->fault == EG_CSV_CELLS ? EG_LIMIT : EG_INVALID,
	               "%s:%llu:%u: %s", c->name, (unsigned long long)line, column, text);
}

enum eg_rc csv_next(struct csv *c, const struct csv_cell **cells, unsigned *n, struct eg_err *err)
{
	struct eg_csv_row row;
	enum eg_rc rc = c->over ? EG_EMPTY : eg_csv_next(c->rows, &row, err);
	if (rc)
		return rc;
	if (row.fault)
		return fault(c, &row, err);
	struct eg_csv_row rest = row;
	size_t passed = 0;
	unsigned column = 1;
	uint64_t line = row.line;
	for (unsigned i = 0; i < row.n; i++) {
		/* on from the cell before, so that a row is walked once */
		uint64_t down;
		unsigned right;
		rest.line = 0;
		eg_csv_place(&rest, row.cells[i].at - passed, &down, &right);
		column = down ? right : column + right - 1;
		line += down;
		rest.text.p += row.cells[i].at - passed;
		rest.text.len -= row.cells[i].at - passed;
		passed = row.cells[i].at;
		c->cells[i] =
		        (struct csv_cell){row.cells[i].text, (unsigned)line, column, row.cells[i].quoted};
	}
	*cells = c->cells;
	*n = row.n;
	return EG_OK;
}
