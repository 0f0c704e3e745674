/* csv: see csv.h.
 *
 *   cell begins → plain → cell begins | row ends
 *        └──────→ quoted ⇄ quote seen → cell begins | row ends
 *
 * Most rows are one line, and are read where the source holds it. When a quote is still open at a line's end
 * the line is kept, and so are those behind it until the row ends; if it turns out to be at fault, all but
 * its first line are read again. */
#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

static const char *const texts[] = {
        [EG_CSV_GOOD] = "",
        [EG_CSV_UNCLOSED] = "the quote that begins here is never closed: was the file cut off?",
        [EG_CSV_QUOTE_INSIDE] = "a quote within a cell that does not begin with one",
        [EG_CSV_BEHIND_QUOTE] = "text behind a closing quote",
        [EG_CSV_RETURN] = "a carriage return within a line",
        [EG_CSV_CELLS] = "the row has too many cells",
        [EG_CSV_LONG] = "the row is too long; is a quote missing?",
        [EG_CSV_NOT_TEXT] = "bytes that are no text in this character set",
        [EG_CSV_NUL] = "a NUL character",
        [EG_CSV_UTF16] = "the text is UTF-16, not UTF-8: iconv -f UTF-16 -t UTF-8 FILE >NEW",
};

const char *eg_csv_fault_text(enum eg_csv_fault f)
{
	return texts[f];
}

enum state { BEGIN, PLAIN, QUOTED, QUOTE };
enum progress { DONE, MORE, FAULT };

/* A line that waits to be read, or to be read again. */
struct held {
	size_t text, raw; /* where it ends in the buffers */
	enum eg_csv_fault fault;
	size_t fault_at; /* in its own text */
	bool unended;
};

struct span {
	size_t from, to;
	size_t begin;       /* of the cell, its quote included */
	bool quoted, fixed; /* fixed: in `fix`, because quotes were taken out */
};

struct eg_csv {
	struct eg_csv_options o;
	eg_csv_source *source;
	void *arg;
	uint64_t line; /* of the next row */
	bool over;
	/* lines kept: those from `head` on are yet to be read */
	struct held *held;
	unsigned n_held, head;
	struct eg_buf text, raw;
	/* the row being read */
	enum state state;
	size_t pos, from, last_fix;
	bool fixed;
	unsigned n;
	enum eg_csv_fault fault;
	size_t fault_at;
	struct eg_buf fix;
	struct span *spans;
	struct eg_csv_cell *cells;
};

struct eg_csv *eg_csv_new(const struct eg_csv_options *o, eg_csv_source *source, void *arg)
{
	struct eg_csv *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->o = *o;
	if (!c->o.separator)
		c->o.separator = ',';
	c->source = source;
	c->arg = arg;
	c->line = 1;
	c->held = calloc(o->row_lines_max + 1, sizeof *c->held);
	c->spans = calloc(o->cells_max + 1, sizeof *c->spans);
	c->cells = calloc(o->cells_max, sizeof *c->cells);
	if (c->held && c->spans && c->cells)
		return c;
	eg_csv_free(c);
	return NULL;
}

void eg_csv_free(struct eg_csv *c)
{
	if (!c)
		return;
	eg_buf_free(&c->text);
	eg_buf_free(&c->raw);
	eg_buf_free(&c->fix);
	free(c->held);
	free(c->spans);
	free(c->cells);
	free(c);
}

/* ---- cells ---- */

static enum progress fail(struct eg_csv *c, enum eg_csv_fault fault, size_t at)
{
	c->fault = fault;
	c->fault_at = at;
	return FAULT;
}

static void begin_row(struct eg_csv *c)
{
	c->state = BEGIN;
	c->pos = c->from = 0;
	c->n = 0;
	c->fault = EG_CSV_GOOD;
	c->fixed = false;
	eg_buf_reset(&c->fix);
}

static bool begin_cell(struct eg_csv *c)
{
	if (c->n == c->o.cells_max)
		return false;
	c->spans[c->n] = (struct span){.from = c->pos, .begin = c->pos};
	c->from = c->pos;
	c->fixed = false;
	return true;
}

/* to: behind the cell's text. */
static void end_cell(struct eg_csv *c, const uint8_t *p, size_t to)
{
	struct span *s = &c->spans[c->n++];
	if (!c->fixed) {
		s->from = c->from;
		s->to = to;
		return;
	}
	eg_buf_add(&c->fix, p + c->from, to - c->from);
	s->fixed = true;
	s->from = c->last_fix;
	s->to = c->fix.len;
}

/* A doubled quote: what stood before it goes into fix, with one quote. at: the first of the two. */
static void double_quote(struct eg_csv *c, const uint8_t *p, size_t at)
{
	if (!c->fixed)
		c->last_fix = c->fix.len;
	c->fixed = true;
	eg_buf_add(&c->fix, p + c->from, at + 1 - c->from);
	c->from = at + 2;
}

/* The length of the line end at pos: 0 if there is none, which at the end of the text is one too. */
static bool line_end(const uint8_t *p, size_t len, size_t pos)
{
	return pos == len || p[pos] == '\n' || (p[pos] == '\r' && (pos + 1 == len || p[pos + 1] == '\n'));
}

/* Reads on from c->pos, in a text that ends with its line. */
static enum progress parse(struct eg_csv *c, const uint8_t *p, size_t len)
{
	const uint8_t separator = (uint8_t)c->o.separator, *q;
	for (;;) {
		switch (c->state) {
		case BEGIN:
			if (!begin_cell(c))
				return fail(c, EG_CSV_CELLS, c->pos);
			c->state = PLAIN;
			if (c->pos < len && p[c->pos] == '"') {
				c->spans[c->n].quoted = true;
				c->from = ++c->pos;
				c->state = QUOTED;
			}
			break;
		case PLAIN:
			while (c->pos < len && p[c->pos] != separator && p[c->pos] != '\n' &&
			       p[c->pos] != '\r' && p[c->pos] != '"')
				c->pos++;
			if (!line_end(p, len, c->pos) && p[c->pos] == '\r')
				return fail(c, EG_CSV_RETURN, c->pos);
			if (c->pos < len && p[c->pos] == '"' && separator != '"')
				return fail(c, EG_CSV_QUOTE_INSIDE, c->pos);
			end_cell(c, p, c->pos);
			if (line_end(p, len, c->pos))
				return DONE;
			c->pos++;
			c->state = BEGIN;
			break;
		case QUOTED:
			q = c->pos < len ? memchr(p + c->pos, '"', len - c->pos) : NULL;
			if (!q) {
				c->pos = len;
				return MORE;
			}
			c->pos = (size_t)(q - p) + 1;
			c->state = QUOTE;
			break;
		case QUOTE:
			if (c->pos < len && p[c->pos] == '"') {
				double_quote(c, p, c->pos - 1);
				c->pos++;
				c->state = QUOTED;
				break;
			}
			if (!line_end(p, len, c->pos) && p[c->pos] != separator)
				return p[c->pos] == '\r' ? fail(c, EG_CSV_RETURN, c->pos)
				                         : fail(c, EG_CSV_BEHIND_QUOTE, c->pos);
			end_cell(c, p, c->pos - 1);
			if (line_end(p, len, c->pos))
				return DONE;
			c->pos++;
			c->state = BEGIN;
		}
	}
}

/* ---- rows ---- */

static void finish(struct eg_csv *c, struct eg_csv_row *out)
{
	const uint8_t *p = out->text.p;
	for (unsigned i = 0; i < c->n; i++) {
		const struct span *s = &c->spans[i];
		const uint8_t *from = s->fixed ? c->fix.p : p;
		c->cells[i] = (struct eg_csv_cell){
		        .text = {from + s->from, s->to - s->from}, .quoted = s->quoted, .at = s->begin};
	}
	out->n = c->n;
	out->cells = c->cells;
	out->torn = !out->text.len || p[out->text.len - 1] != '\n';
}

static bool blank(const struct eg_csv *c)
{
	return c->n == 1 && !c->spans[0].quoted && c->spans[0].to == c->spans[0].from;
}

static struct eg_bytes between(const struct eg_buf *b, size_t from, size_t to)
{
	return (struct eg_bytes){b->p + from, to - from};
}

static size_t text_before(const struct eg_csv *c, unsigned i)
{
	return i ? c->held[i - 1].text : 0;
}

static size_t raw_before(const struct eg_csv *c, unsigned i)
{
	return i ? c->held[i - 1].raw : 0;
}

static void hold(struct eg_csv *c, const struct eg_csv_line *line)
{
	eg_buf_add(&c->text, line->text.p, line->text.len);
	eg_buf_add(&c->raw, line->raw.p, line->raw.len);
	c->held[c->n_held++] =
	        (struct held){c->text.len, c->raw.len, line->fault, line->fault_at, line->unended};
}

/* Lines that were read leave the front, so that there is room for as many as a row may have. */
static void pack(struct eg_csv *c)
{
	size_t text = text_before(c, c->head), raw = raw_before(c, c->head);
	if (!c->head)
		return;
	if (c->text.len > text)
		memmove(c->text.p, c->text.p + text, c->text.len - text);
	if (c->raw.len > raw)
		memmove(c->raw.p, c->raw.p + raw, c->raw.len - raw);
	c->text.len -= text;
	c->raw.len -= raw;
	c->n_held -= c->head;
	for (unsigned i = 0; i < c->n_held; i++) {
		c->held[i] = c->held[i + c->head];
		c->held[i].text -= text;
		c->held[i].raw -= raw;
	}
	c->head = 0;
}

/* The row's first n held lines as it; with a fault only the first, and the rest is read again. */
static void give_held(struct eg_csv *c, unsigned n, struct eg_csv_row *out)
{
	out->line = c->line;
	out->lines = n;
	out->text = between(&c->text, 0, c->held[n - 1].text);
	out->raw = between(&c->raw, 0, c->held[n - 1].raw);
	c->head = n;
	c->line += n - (n == 1 && c->held[0].unended);
}

/* A fault of one of the lines is a fault of the row, whose shape is known all the same. */
static void fault_of_lines(struct eg_csv *c, unsigned n)
{
	for (unsigned i = 0; i < n && !c->fault; i++)
		if (c->held[i].fault)
			fail(c, c->held[i].fault, text_before(c, i) + c->held[i].fault_at);
}

/* The row that begins with the first held line. */
static enum eg_rc held_row(struct eg_csv *c, struct eg_csv_row *out, struct eg_err *err)
{
	unsigned n = 1;
	enum progress how;
	begin_row(c);
	for (;;) {
		how = parse(c, c->text.p, c->held[n - 1].text);
		if (c->held[n - 1].text > c->o.row_bytes_max || c->held[n - 1].fault == EG_CSV_LONG)
			how = fail(c, n > 1 ? EG_CSV_UNCLOSED : EG_CSV_LONG,
			           n > 1 ? c->spans[c->n].begin : 0);
		if (how != MORE)
			break;
		if (n < c->n_held) {
			n++;
			continue;
		}
		struct eg_csv_line line;
		enum eg_rc rc = c->over || n == c->o.row_lines_max ? EG_EMPTY : c->source(c->arg, &line, err);
		if (rc && rc != EG_EMPTY)
			return rc;
		if (rc) {
			c->over |= n < c->o.row_lines_max;
			how = fail(c, EG_CSV_UNCLOSED, c->spans[c->n].begin);
			break;
		}
		hold(c, &line);
		n++;
	}
	if (c->text.failed || c->raw.failed || c->fix.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a row");
	if (how == FAULT)
		n = 1;
	else
		fault_of_lines(c, n);
	give_held(c, n, out);
	if (!c->fault)
		finish(c, out);
	return EG_OK;
}

/* The row that begins with this line of the source; *waits: it goes on behind it, and the line is held now.
 */
static void line_row(struct eg_csv *c, const struct eg_csv_line *line, struct eg_csv_row *out, bool *waits)
{
	begin_row(c);
	bool large = line->fault == EG_CSV_LONG || line->text.len > c->o.row_bytes_max;
	enum progress how = large ? fail(c, EG_CSV_LONG, 0) : parse(c, line->text.p, line->text.len);
	*waits = how == MORE;
	if (how == MORE) {
		hold(c, line);
		return;
	}
	if (how == DONE && line->fault)
		fail(c, line->fault, line->fault_at);
	*out = (struct eg_csv_row){.line = c->line, .lines = 1, .text = line->text, .raw = line->raw};
	c->line += !line->unended;
	if (!c->fault)
		finish(c, out);
}

enum eg_rc eg_csv_next(struct eg_csv *c, struct eg_csv_row *out, struct eg_err *err)
{
	for (;;) {
		struct eg_csv_line line;
		enum eg_rc rc;
		bool waits = true;
		*out = (struct eg_csv_row){0};
		pack(c);
		if (!c->n_held) {
			eg_buf_reset(&c->text);
			eg_buf_reset(&c->raw);
			rc = c->over ? EG_EMPTY : c->source(c->arg, &line, err);
			c->over |= rc == EG_EMPTY;
			if (rc)
				return rc;
			line_row(c, &line, out, &waits);
		}
		if (waits && (rc = held_row(c, out, err)))
			return rc;
		if (c->fix.failed)
			return eg_fail(err, EG_NO_MEMORY, "no memory for a row");
		out->fault = c->fault;
		out->fault_at = c->fault_at;
		if (c->fault || !blank(c))
			return EG_OK;
	}
}

void eg_csv_place(const struct eg_csv_row *row, size_t at, uint64_t *line, unsigned *column)
{
	*line = row->line;
	*column = 1;
	for (size_t i = 0; i < at && i < row->text.len; i++) {
		if (row->text.p[i] == '\n') {
			++*line;
			*column = 1;
		} else if ((row->text.p[i] & 0xC0) != 0x80) {
			++*column; /* a character, whatever its bytes */
		}
	}
}

void eg_csv_write(struct eg_buf *out, struct eg_bytes text)
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
