/* http_rows: see http_rows.h. A page is walked twice: for its columns, then row by row for the values. */
#include "connectors/http_rows.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_BYTES_MAX = 4 << 20, RAW_MAX = 64 << 10 };

struct eg_http_rows {
	const struct eg_settings *s;
	struct eg_columns columns;
	const char **names; /* columns.names, each owned */
	struct eg_bytes *values;
	struct eg_doc_rows at;
	unsigned count;
	bool bad_bytes;
	struct eg_arena *joined; /* values of lists, of the current row */
	struct eg_buf name, raw;
};

enum eg_rc eg_http_rows_open(struct eg_http_rows **out, const struct eg_settings *s, struct eg_err *err)
{
	struct eg_http_rows *r = NULL;
	*out = NULL;
	if (!eg_doc_path_valid(eg_settings_text(s, "rows_path")))
		return eg_settings_fail(s, "rows_path", err, "must be a path such as /data/rows");
	r = calloc(1, sizeof *r);
	if (r) {
		r->s = s;
		r->names = calloc(EG_HTTP_COLUMNS_MAX, sizeof *r->names);
		r->values = calloc(EG_HTTP_COLUMNS_MAX, sizeof *r->values);
		r->joined = eg_arena_new(ROW_BYTES_MAX);
	}
	if (!r || !r->names || !r->values || !r->joined) {
		eg_http_rows_close(r);
		return eg_fail(err, EG_NO_MEMORY, "no memory for rows");
	}
	r->columns.names = r->names;
	r->columns.open = true;
	*out = r;
	return EG_OK;
}

static void forget_columns(struct eg_http_rows *r)
{
	for (unsigned i = 0; i < r->columns.n; i++)
		free((char *)r->names[i]);
	r->columns.n = 0;
}

void eg_http_rows_close(struct eg_http_rows *r)
{
	if (!r)
		return;
	if (r->names)
		forget_columns(r);
	free(r->names);
	free(r->values);
	eg_arena_free(r->joined);
	eg_buf_free(&r->name);
	eg_buf_free(&r->raw);
	free(r);
}

/* ---- walking one row ---- */

struct walk {
	struct eg_http_rows *r;
	bool collect;      /* only the columns' names */
	unsigned guess;    /* rows are alike: the next value is mostly of the next column */
	const char *fault; /* the first one */
};

static unsigned column_of(struct walk *w)
{
	struct eg_http_rows *r = w->r;
	const char *name = (const char *)r->name.p;
	unsigned n = r->columns.n;
	for (unsigned k = 0; k < n; k++) {
		unsigned i = (w->guess + k) % n;
		if (strcmp(r->names[i], name) == 0) {
			w->guess = i + 1;
			return i;
		}
	}
	return n;
}

static bool listed(const struct walk *w)
{
	const struct eg_settings *s = w->r->s;
	for (unsigned i = 0; i < eg_settings_count(s, "lists"); i++)
		if (strcmp(eg_settings_item(s, "lists", i), (const char *)w->r->name.p) == 0)
			return true;
	return false;
}

static void fault(struct walk *w, const char *what)
{
	if (!w->fault)
		w->fault = what;
}

static struct eg_bytes join(struct walk *w, struct eg_bytes a, struct eg_bytes b)
{
	const char *separator = eg_settings_text(w->r->s, "list_separator");
	size_t gap = strlen(separator);
	uint8_t *p = eg_arena_alloc(w->r->joined, a.len + gap + b.len);
	if (!p) {
		fault(w, "the lists of this row are too long");
		return a;
	}
	memcpy(p, a.p, a.len);
	memcpy(p + a.len, separator, gap);
	memcpy(p + a.len + gap, b.p, b.len);
	return (struct eg_bytes){p, a.len + gap + b.len};
}

static void collect(struct walk *w)
{
	struct eg_http_rows *r = w->r;
	if (column_of(w) < r->columns.n)
		return;
	char *name = r->columns.n < EG_HTTP_COLUMNS_MAX ? strdup((const char *)r->name.p) : NULL;
	if (!name) {
		fault(w, "columns");
		return;
	}
	r->names[r->columns.n++] = name;
	r->columns.generation++;
}

static const uint8_t replacement[] = {0xef, 0xbf, 0xbd};

static void put(struct walk *w, struct eg_bytes text, bool null)
{
	struct eg_http_rows *r = w->r;
	if (w->collect) {
		collect(w);
		return;
	}
	unsigned i = column_of(w);
	if (i == r->columns.n || null)
		return;
	if (memchr(text.p, 0, text.len))
		fault(w, "a value holds NUL");
	if (r->bad_bytes && memmem(text.p, text.len, replacement, sizeof replacement))
		fault(w, "a value holds bytes that are no character of the answer's character set");
	if (!r->values[i].p)
		r->values[i] = text;
	else if (listed(w))
		r->values[i] = join(w, r->values[i], text);
	else
		fault(w, "one column has two values, and `lists` does not name it");
}

/* Cuts the name back to at, and adds one more step to it. */
static bool step(struct walk *w, size_t at, struct eg_bytes name)
{
	struct eg_buf *b = &w->r->name;
	b->len = at;
	if (at)
		eg_buf_add_u8(b, '.');
	eg_buf_add(b, name.p, name.len);
	bool fits = b->len < EG_HTTP_COLUMN_NAME_MAX;
	if (!fits)
		fault(w, "a column's name is too long");
	eg_buf_add_u8(b, 0);
	b->len--;
	return fits && !b->failed;
}

static void walk_array(struct walk *w, const struct eg_doc_node *array)
{
	if (!w->collect && !listed(w)) {
		fault(w, "there is an array that `lists` does not name");
		return;
	}
	for (const struct eg_doc_node *n = array->first; n; n = n->next) {
		if (n->kind == EG_DOC_OBJECT || n->kind == EG_DOC_ARRAY)
			fault(w, "there is an array of objects, which no column can hold");
		else
			put(w, n->text, n->kind == EG_DOC_NULL);
	}
}

/* As deep as a document may be. */
static void walk_members(struct walk *w, const struct eg_doc_node *object, size_t at)
{
	for (const struct eg_doc_node *n = object->first; n; n = n->next) {
		if (!step(w, at, n->name))
			continue;
		size_t end = w->r->name.len;
		if (n->kind == EG_DOC_ARRAY)
			walk_array(w, n);
		else if (n->kind != EG_DOC_OBJECT || n->text.p)
			put(w, n->text, n->kind == EG_DOC_NULL);
		if (n->kind == EG_DOC_OBJECT)
			walk_members(w, n, end);
	}
}

static void walk_row(struct walk *w, const struct eg_doc_node *row)
{
	w->r->name.len = 0;
	w->r->name.failed = false;
	if (row->kind == EG_DOC_OBJECT)
		walk_members(w, row, 0);
	else
		fault(w, "it is no object with members");
}

/* ---- a page ---- */

static enum eg_rc columns_of_page(struct eg_http_rows *r, struct eg_err *err)
{
	struct walk w = {.r = r, .collect = true};
	const struct eg_doc_node *row;
	struct eg_doc_rows at = r->at;
	bool anew = false;
	while ((row = eg_doc_rows_next(&at))) {
		w.fault = NULL;
		walk_row(&w, row);
		if (r->columns.n < EG_HTTP_COLUMNS_MAX || !w.fault || strcmp(w.fault, "columns") != 0)
			continue;
		if (anew)
			return eg_fail(err, EG_LIMIT, "the page has more than %d columns",
			               EG_HTTP_COLUMNS_MAX);
		/* Those of earlier pages are forgotten before any of this one is. */
		forget_columns(r);
		at = r->at;
		anew = true;
	}
	return EG_OK;
}

enum eg_rc eg_http_rows_page(struct eg_http_rows *r, const struct eg_http_answer *page, struct eg_err *err)
{
	r->bad_bytes = page->bad_bytes;
	r->count = 0;
	enum eg_rc rc =
	        eg_doc_rows_at(page->doc, eg_settings_text(r->s, "rows_path"), page->elements, &r->at, err);
	if (rc == EG_INVALID && err)
		err->rc = EG_UNAVAILABLE;
	if (rc)
		return rc == EG_INVALID ? EG_UNAVAILABLE : rc;
	struct eg_doc_rows at = r->at;
	while (eg_doc_rows_next(&at))
		r->count++;
	return columns_of_page(r, err);
}

unsigned eg_http_rows_count(const struct eg_http_rows *r)
{
	return r->count;
}

bool eg_http_rows_next(struct eg_http_rows *r, struct eg_in *out)
{
	const struct eg_doc_node *row = eg_doc_rows_next(&r->at);
	struct walk w = {.r = r};
	if (!row)
		return false;
	memset(r->values, 0, r->columns.n * sizeof *r->values);
	eg_arena_reset(r->joined);
	walk_row(&w, row);
	out->columns = &r->columns;
	out->values = r->values;
	out->kind = EG_IN_ROW;
	if (!w.fault)
		return true;
	eg_buf_reset(&r->raw);
	eg_doc_json(row, &r->raw);
	out->kind = EG_IN_BAD;
	out->reason = w.fault;
	out->raw = eg_buf_bytes(&r->raw);
	if (out->raw.len > RAW_MAX)
		out->raw.len = RAW_MAX;
	return true;
}
