/* doc: see doc.h. */
#include "connectors/doc.h"

#include <string.h>

struct eg_doc_node *eg_doc_add(struct eg_arena *a, struct eg_doc_node *parent, struct eg_doc_node **last,
                               enum eg_doc_kind kind, struct eg_bytes name, struct eg_bytes text)
{
	struct eg_doc_node *n = eg_arena_alloc(a, sizeof *n);
	if (!n)
		return NULL;
	n->kind = kind;
	if (name.len && !(n->name.p = eg_arena_copy(a, name.p, name.len)))
		return NULL;
	n->name.len = name.len;
	/* One byte more: an empty text is not an absent one. */
	if (kind == EG_DOC_VALUE &&
	    !(n->text.p = (uint8_t *)eg_arena_text(a, (const char *)text.p, text.len)))
		return NULL;
	n->text.len = kind == EG_DOC_VALUE ? text.len : 0;
	if (parent) {
		*(*last ? &(*last)->next : &parent->first) = n;
		*last = n;
	}
	return n;
}

/* ---- paths ---- */

bool eg_doc_path_valid(const char *path)
{
	if (*path && *path != '/')
		return false;
	for (const char *p = path; *p; p++)
		if (*p == '~' && p[1] != '0' && p[1] != '1')
			return false;
	return true;
}

/* Takes the next segment of *path. Is it this name? */
static bool segment_is(const char *segment, size_t len, struct eg_bytes name)
{
	size_t at = 0;
	for (size_t i = 0; i < len; i++, at++) {
		char c = segment[i];
		if (c == '~' && i + 1 < len)
			c = segment[++i] == '1' ? '/' : '~';
		if (at >= name.len || name.p[at] != (uint8_t)c)
			return false;
	}
	return at == name.len;
}

static const struct eg_doc_node *item(const struct eg_doc_node *array, const char *segment, size_t len)
{
	size_t index = 0;
	if (!len || len > 6)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (segment[i] < '0' || segment[i] > '9')
			return NULL;
		index = index * 10 + (size_t)(segment[i] - '0');
	}
	const struct eg_doc_node *n = array->first;
	while (n && index--)
		n = n->next;
	return n;
}

static const struct eg_doc_node *member(const struct eg_doc_node *object, const char *segment, size_t len)
{
	const struct eg_doc_node *n = object->first;
	while (n && !segment_is(segment, len, n->name))
		n = n->next;
	return n;
}

/* Follows path up to its byte len. */
static const struct eg_doc_node *follow(const struct eg_doc_node *n, const char *path, size_t len)
{
	const char *end = path + len;
	while (n && path < end) {
		const char *segment = path + 1, *stop = memchr(segment, '/', (size_t)(end - segment));
		if (!stop)
			stop = end;
		size_t size = (size_t)(stop - segment);
		n = n->kind == EG_DOC_ARRAY    ? item(n, segment, size)
		    : n->kind == EG_DOC_OBJECT ? member(n, segment, size)
		                               : NULL;
		path = stop;
	}
	return n;
}

const struct eg_doc_node *eg_doc_find(const struct eg_doc_node *root, const char *path)
{
	return follow(root, path, strlen(path));
}

struct eg_bytes eg_doc_text(const struct eg_doc_node *root, const char *path)
{
	const struct eg_doc_node *n = eg_doc_find(root, path);
	return n ? n->text : (struct eg_bytes){NULL, 0};
}

/* ---- rows ---- */

enum eg_rc eg_doc_rows_at(const struct eg_doc_node *root, const char *path, bool elements,
                          struct eg_doc_rows *out, struct eg_err *err)
{
	const struct eg_doc_node *n = eg_doc_find(root, path);
	bool array = n && n->kind == EG_DOC_ARRAY;
	*out = (struct eg_doc_rows){NULL, array};
	if (array)
		out->next = n->first;
	if (array || (n && n->kind == EG_DOC_NULL))
		return EG_OK;
	/* Without children and text: how XML writes a list that has none. */
	if (elements && n) {
		out->next = n->first || n->text.len ? n : NULL;
		return EG_OK;
	}
	/* No element of that name is an empty page, if the element around it is there. */
	const char *last = strrchr(path, '/');
	if (elements && last && last != path && follow(root, path, (size_t)(last - path)))
		return EG_OK;
	return eg_fail(err, EG_INVALID, "the answer has no rows at %s", *path ? path : "its root");
}

const struct eg_doc_node *eg_doc_rows_next(struct eg_doc_rows *r)
{
	const struct eg_doc_node *n = r->next;
	if (!n)
		return NULL;
	r->next = n->next;
	while (!r->items && r->next && !eg_bytes_equal(r->next->name, n->name))
		r->next = r->next->next;
	return n;
}

void eg_doc_json(const struct eg_doc_node *n, struct eg_buf *out)
{
	bool array = n->kind == EG_DOC_ARRAY;
	if (n->kind == EG_DOC_NULL)
		eg_buf_printf(out, "null");
	else if (n->kind == EG_DOC_VALUE)
		eg_buf_json(out, n->text);
	else {
		eg_buf_add_u8(out, array ? '[' : '{');
		/* Recursion is bounded: readers refuse what is nested deeper than EG_DOC_DEPTH_MAX. */
		for (const struct eg_doc_node *c = n->first; c; c = c->next) {
			if (c != n->first)
				eg_buf_add_u8(out, ',');
			if (!array) {
				eg_buf_json(out, c->name);
				eg_buf_add_u8(out, ':');
			}
			eg_doc_json(c, out);
		}
		eg_buf_add_u8(out, array ? ']' : '}');
	}
}
