/* csv: see csv.h.
 *
 *   cell begins → plain → cell begins | row ends
 *        └──────→ quoted ⇄ quote seen → cell begins | row ends */
#include "cli/csv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1 << 16, END = -1, FAILED = -2 };

struct span {
	size_t from, to;
};

struct csv {
	char *name;
	csv_read *read;
	void *arg;
	uint8_t chunk[CHUNK];
	size_t at, have;
	bool begun, over;
	unsigned line, column; /* of the next byte */
	struct eg_buf row;
	unsigned n;
	struct csv_cell cells[CSV_CELLS_MAX];
	struct span spans[CSV_CELLS_MAX];
};

struct csv *csv_new(const char *name, csv_read *read, void *arg)
{
	struct csv *c = calloc(1, sizeof *c);
	if (!c || !(c->name = strdup(name))) {
		free(c);
		return NULL;
	}
	c->read = read;
	c->arg = arg;
	c->line = c->column = 1;
	return c;
}

void csv_free(struct csv *c)
{
	if (!c)
		return;
	explicit_bzero(c->chunk, sizeof c->chunk);
	eg_buf_free(&c->row);
	free(c->name);
	free(c);
}

static enum eg_rc fail_at(struct csv *c, unsigned line, unsigned column, struct eg_err *err, enum eg_rc rc,
                          const char *what)
{
	c->over = true;
	return eg_fail(err, rc, "%s:%u:%u: %s", c->name, line, column, what);
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

/* ---- bytes ---- */

/* Looks at the next byte without taking it. */
static int look(struct csv *c, struct eg_err *err)
{
	if (c->at < c->have)
		return c->chunk[c->at];
	ssize_t n = c->read(c->arg, c->chunk, sizeof c->chunk);
	if (n < 0) {
		eg_fail_errno(err, "%s", c->name);
		return FAILED;
	}
	c->at = 0;
	c->have = (size_t)n;
	return n ? c->chunk[0] : END;
}

static void take(struct csv *c)
{
	uint8_t b = c->chunk[c->at++];
	if (b == '\n') {
		c->line++;
		c->column = 1;
	} else if ((b & 0xC0) != 0x80) {
		c->column++; /* a character, whatever its bytes */
	}
}

/* ---- cells ---- */

static enum eg_rc begin_cell(struct csv *c, struct eg_err *err)
{
	if (c->n == CSV_CELLS_MAX)
		return fail_at(c, c->line, c->column, err, EG_LIMIT, "the row has too many cells");
	c->cells[c->n] = (struct csv_cell){.line = c->line, .column = c->column};
	c->spans[c->n].from = c->row.len;
	return EG_OK;
}

/* Where in the file a byte of a cell's text stands. */
static void place_of(const struct csv_cell *cell, struct eg_bytes before, unsigned *line, unsigned *column)
{
	*line = cell->line;
	*column = cell->column + cell->quoted;
	for (size_t i = 0; i < before.len; i++) {
		if (before.p[i] == '\n') {
			++*line;
			*column = 1;
		} else if ((before.p[i] & 0xC0) != 0x80) {
			*column += cell->quoted && before.p[i] == '"' ? 2 : 1;
		}
	}
}

static enum eg_rc check_text(struct csv *c, const struct csv_cell *cell, struct eg_err *err)
{
	struct eg_bytes rest = cell->text;
	unsigned line, column;
	bool valid = true;
	while (rest.len) {
		size_t step = eg_utf8_step(rest, &valid);
		if (!valid || !*rest.p)
			break;
		rest.p += step;
		rest.len -= step;
	}
	if (!rest.len)
		return EG_OK;
	place_of(cell, (struct eg_bytes){cell->text.p, cell->text.len - rest.len}, &line, &column);
	return fail_at(
	        c, line, column, err, EG_INVALID,
	        valid ? "a NUL character"
	              : "the text is not UTF-8; if it is GB18030: iconv -f GB18030 -t UTF-8 FILE >NEW");
}

static enum eg_rc end_row(struct csv *c, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	if (c->row.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a row of %s", c->name);
	for (unsigned i = 0; i < c->n && !rc; i++) {
		c->cells[i].text =
		        (struct eg_bytes){c->row.p + c->spans[i].from, c->spans[i].to - c->spans[i].from};
		rc = check_text(c, &c->cells[i], err);
	}
	return rc;
}

/* Reads one cell; *more: another follows in this row. */
static enum eg_rc read_cell(struct csv *c, bool *more, struct eg_err *err)
{
	struct csv_cell *cell = &c->cells[c->n];
	enum { BEGIN, PLAIN, QUOTED, QUOTE } state = BEGIN;
	enum eg_rc rc = begin_cell(c, err);
	*more = false;
	if (rc)
		return rc;
	for (;;) {
		int b = look(c, err);
		if (b == FAILED)
			return EG_IO;
		if (c->row.len > CSV_ROW_BYTES_MAX)
			return fail_at(c, cell->line, cell->column, err, EG_LIMIT,
			               "the row is too long; is a quote missing?");
		if (b == END && state == QUOTED)
			return fail_at(c, cell->line, cell->column, err, EG_INVALID,
			               "the quote that begins here is never closed: was the file cut off?");
		if (b == END || (state != QUOTED && (b == ',' || b == '\n'))) {
			if (b != END)
				take(c);
			*more = b == ',';
			break;
		}
		if (state == QUOTED) {
			if (b == '"')
				state = QUOTE;
			else
				eg_buf_add_u8(&c->row, (uint8_t)b);
			take(c);
		} else if (b == '\r') {
			unsigned line = c->line, column = c->column;
			take(c);
			b = look(c, err);
			if (b == FAILED)
				return EG_IO;
			if (b != '\n' && b != END)
				return fail_at(c, line, column, err, EG_INVALID,
				               "a carriage return within a line");
		} else if (state == QUOTE && b == '"') {
			eg_buf_add_u8(&c->row, '"');
			take(c);
			state = QUOTED;
		} else if (state == QUOTE) {
			return fail_at(c, c->line, c->column, err, EG_INVALID, "text behind a closing quote");
		} else if (b == '"' && state == PLAIN) {
			return fail_at(c, c->line, c->column, err, EG_INVALID,
			               "a quote within a cell that does not begin with one");
		} else if (b == '"') {
			cell->quoted = true;
			take(c);
			state = QUOTED;
		} else {
			eg_buf_add_u8(&c->row, (uint8_t)b);
			take(c);
			state = PLAIN;
		}
	}
	c->spans[c->n++].to = c->row.len;
	return EG_OK;
}

static enum eg_rc skip_mark(struct csv *c, struct eg_err *err)
{
	static const uint8_t mark[3] = {0xEF, 0xBB, 0xBF};
	c->begun = true;
	int b = look(c, err);
	if (b == FAILED)
		return EG_IO;
	if (c->have >= 2 &&
	    ((c->chunk[0] == 0xFF && c->chunk[1] == 0xFE) || (c->chunk[0] == 0xFE && c->chunk[1] == 0xFF)))
		return fail_at(c, 1, 1, err, EG_INVALID,
		               "the text is UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 FILE >NEW");
	if (c->have >= sizeof mark && memcmp(c->chunk, mark, sizeof mark) == 0)
		c->at += sizeof mark;
	return EG_OK;
}

enum eg_rc csv_next(struct csv *c, const struct csv_cell **cells, unsigned *n, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	if (!c->begun)
		rc = skip_mark(c, err);
	while (!rc) {
		bool more = true;
		int b = c->over ? END : look(c, err);
		if (b == FAILED)
			return EG_IO;
		if (b == END)
			return EG_EMPTY;
		eg_buf_reset(&c->row);
		c->n = 0;
		while (!rc && more)
			rc = read_cell(c, &more, err);
		if (!rc && c->n == 1 && !c->cells[0].quoted && c->spans[0].to == c->spans[0].from)
			continue; /* a blank line */
		break;
	}
	if (!rc)
		rc = end_row(c, err);
	*cells = c->cells;
	*n = c->n;
	return rc;
}

void csv_write(struct eg_buf *out, struct eg_bytes text)
{
	bool quote = false;
	for (size_t i = 0; i < text.len; i++)
		quote |= text.p[i] && strchr(",\"\r\n", text.p[i]);
	if (!quote) {
		eg_buf_add(out, text.p, text.len);
		return;
	}
	eg_buf_add_u8(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '"')
			eg_buf_add_u8(out, '"');
		eg_buf_add_u8(out, text.p[i]);
	}
	eg_buf_add_u8(out, '"');
}
