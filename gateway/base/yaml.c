/* yaml: see yaml.h. The parser's events become nodes; a stack of the open lists and maps holds their children
 * until they are closed. */
#include "base/yaml.h"

#include "base/arena.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* A node takes at most this much of the arena besides its text: itself, and its places in its parent. */
enum { NODE_BYTES = 160, ARENA_BYTES = EG_YAML_NODES_MAX * NODE_BYTES + 3 * EG_YAML_BYTES_MAX };

struct eg_yaml {
	char *path;
	struct eg_arena *arena;
	const struct eg_yaml_node *root;
};

struct open {
	struct eg_yaml_node *node;
	unsigned first; /* its first child in the list of children */
};

struct building {
	struct eg_yaml *y;
	struct eg_err *err;
	unsigned depth, nodes, n_children, documents;
	struct open open[EG_YAML_DEPTH_MAX];
	const struct eg_yaml_node *children[EG_YAML_NODES_MAX]; /* of all that is open, innermost last */
};

enum eg_rc eg_yaml_fail(const struct eg_yaml *y, const struct eg_yaml_node *node, struct eg_err *err,
                        const char *fmt, ...)
{
	char text[220];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!node)
		return eg_fail(err, EG_CONFIG, "%s: %s", y->path, text);
	return eg_fail(err, EG_CONFIG, "%s:%u:%u: %s", y->path, node->line, node->column, text);
}

enum eg_rc eg_yaml_unreadable(const char *path, struct eg_err *err)
{
	int number = errno;
	enum eg_rc rc = eg_fail_errno(err, "%s", path);
	if (rc != EG_IO || number == EIO)
		return rc;
	return eg_fail(err, EG_CONFIG, "%s: %s", path, strerror(number));
}

static enum eg_rc fail_at(struct building *b, const yaml_mark_t *m, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));
static enum eg_rc fail_at(struct building *b, const yaml_mark_t *m, const char *fmt, ...)
{
	struct eg_yaml_node at = {.line = (unsigned)m->line + 1, .column = (unsigned)m->column + 1};
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return eg_yaml_fail(b->y, &at, b->err, "%s", text);
}

static enum eg_rc spent(struct building *b)
{
	return eg_fail(b->err, EG_NO_MEMORY, "%s: no memory to read it", b->y->path);
}

/* ---- nodes ---- */

static enum eg_rc add(struct building *b, enum eg_yaml_kind kind, const yaml_event_t *e,
                      struct eg_yaml_node **out)
{
	const yaml_mark_t *m = &e->start_mark;
	if (b->nodes == EG_YAML_NODES_MAX)
		return fail_at(b, m, "more than %d values in one file", EG_YAML_NODES_MAX);
	struct eg_yaml_node *node = eg_arena_alloc(b->y->arena, sizeof *node);
	if (!node)
		return spent(b);
	node->kind = kind;
	node->line = (unsigned)m->line + 1;
	node->column = (unsigned)m->column + 1;
	b->nodes++;
	const struct open *in = b->depth ? &b->open[b->depth - 1] : NULL;
	bool key = in && in->node->kind == EG_YAML_MAP && (b->n_children - in->first) % 2 == 0;
	if (key && kind != EG_YAML_VALUE)
		return fail_at(b, m, "a key must be a single value");
	if (in)
		b->children[b->n_children++] = node;
	else
		b->y->root = node;
	*out = node;
	return EG_OK;
}

static enum eg_rc scalar(struct building *b, const yaml_event_t *e)
{
	struct eg_yaml_node *node;
	const char *text = (const char *)e->data.scalar.value;
	enum eg_rc rc = add(b, EG_YAML_VALUE, e, &node);
	if (rc)
		return rc;
	if (memchr(text, 0, e->data.scalar.length))
		return fail_at(b, &e->start_mark, "the value has a NUL character in it");
	node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	node->text = eg_arena_text(b->y->arena, text, e->data.scalar.length);
	return node->text ? EG_OK : spent(b);
}

static enum eg_rc begin(struct building *b, enum eg_yaml_kind kind, const yaml_event_t *e)
{
	struct eg_yaml_node *node;
	enum eg_rc rc;
	if (b->depth == EG_YAML_DEPTH_MAX)
		return fail_at(b, &e->start_mark, "nested deeper than %d", EG_YAML_DEPTH_MAX);
	if ((rc = add(b, kind, e, &node)))
		return rc;
	b->open[b->depth++] = (struct open){node, b->n_children};
	return EG_OK;
}

static int by_text(const void *a, const void *b)
{
	const struct eg_yaml_node *x = *(const struct eg_yaml_node *const *)a;
	const struct eg_yaml_node *y = *(const struct eg_yaml_node *const *)b;
	int order = strcmp(x->text, y->text);
	if (!order)
		order = x->line != y->line ? (x->line < y->line ? -1 : 1) : x->column < y->column ? -1 : 1;
	return order;
}

static enum eg_rc each_once(struct building *b, const struct eg_yaml_node *map)
{
	const struct eg_yaml_node **sorted = malloc((map->n + 1) * sizeof *sorted);
	enum eg_rc rc = EG_OK;
	if (!sorted)
		return spent(b);
	if (map->n)
		memcpy(sorted, map->keys, map->n * sizeof *sorted);
	qsort(sorted, map->n, sizeof *sorted, by_text);
	for (unsigned i = 1; i < map->n && !rc; i++)
		if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0)
			rc = eg_yaml_fail(b->y, sorted[i], b->err, "'%s' stands here twice, first in line %u",
			                  sorted[i]->text, sorted[i - 1]->line);
	free(sorted);
	return rc;
}

static enum eg_rc end(struct building *b)
{
	struct open o = b->open[--b->depth];
	unsigned n = b->n_children - o.first, columns = o.node->kind == EG_YAML_MAP ? 2 : 1;
	const struct eg_yaml_node **to = eg_arena_alloc(b->y->arena, (n + 1) * sizeof *to);
	if (!to)
		return spent(b);
	o.node->n = n / columns;
	for (unsigned i = 0; i < n; i++)
		to[i % columns * o.node->n + i / columns] = b->children[o.first + i];
	o.node->keys = to;
	o.node->values = to + (columns - 1) * o.node->n;
	b->n_children = o.first;
	return columns == 2 ? each_once(b, o.node) : EG_OK;
}

/* ---- events ---- */

static bool marked(const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return e->data.scalar.anchor || e->data.scalar.tag;
	case YAML_SEQUENCE_START_EVENT:
		return e->data.sequence_start.anchor || e->data.sequence_start.tag;
	case YAML_MAPPING_START_EVENT:
		return e->data.mapping_start.anchor || e->data.mapping_start.tag;
	default:
		return e->type == YAML_ALIAS_EVENT;
	}
}

static enum eg_rc take(struct building *b, const yaml_event_t *e)
{
	if (marked(e))
		return fail_at(b, &e->start_mark,
		               "anchors, aliases and tags (&, *, !) are not taken here: write the value out");
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return begin(b, EG_YAML_LIST, e);
	case YAML_MAPPING_START_EVENT:
		return begin(b, EG_YAML_MAP, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return end(b);
	case YAML_DOCUMENT_START_EVENT:
		return b->documents++ ? fail_at(b, &e->start_mark, "a second document in one file") : EG_OK;
	default:
		return EG_OK;
	}
}

static enum eg_rc build(struct building *b, yaml_parser_t *parser)
{
	enum eg_rc rc = EG_OK;
	bool over = false;
	while (!rc && !over) {
		yaml_event_t e;
		if (!yaml_parser_parse(parser, &e)) {
			const char *what = parser->problem ? parser->problem : "not YAML";
			return parser->error == YAML_MEMORY_ERROR
			               ? spent(b)
			               : fail_at(b, &parser->problem_mark, "%s", what);
		}
		over = e.type == YAML_STREAM_END_EVENT;
		rc = take(b, &e);
		yaml_event_delete(&e);
	}
	return rc;
}

enum eg_rc eg_yaml_parse(struct eg_yaml **out, const char *name, struct eg_bytes text, struct eg_err *err)
{
	yaml_parser_t parser;
	struct eg_yaml *y = calloc(1, sizeof *y);
	struct building *b = calloc(1, sizeof *b);
	enum eg_rc rc;
	if (!y || !b || !(y->path = strdup(name)) || !(y->arena = eg_arena_new(ARENA_BYTES)) ||
	    !yaml_parser_initialize(&parser)) {
		rc = eg_fail(err, EG_NO_MEMORY, "%s: no memory to read it", name);
		goto out;
	}
	b->y = y;
	b->err = err;
	if (text.len > EG_YAML_BYTES_MAX) {
		rc = eg_yaml_fail(y, NULL, err, "longer than %d bytes", EG_YAML_BYTES_MAX);
	} else {
		yaml_parser_set_input_string(&parser, text.p, text.len);
		rc = build(b, &parser);
	}
	yaml_parser_delete(&parser);
out:
	free(b);
	if (rc)
		eg_yaml_close(y);
	else
		*out = y;
	return rc;
}

enum eg_rc eg_yaml_open(struct eg_yaml **out, const char *path, struct eg_err *err)
{
	FILE *f = fopen(path, "re");
	uint8_t *p = f ? malloc(EG_YAML_BYTES_MAX + 1) : NULL;
	enum eg_rc rc;
	if (!f)
		return eg_yaml_unreadable(path, err);
	if (!p) {
		rc = eg_fail(err, EG_NO_MEMORY, "%s: no memory to read it", path);
	} else {
		errno = 0;
		size_t len = fread(p, 1, EG_YAML_BYTES_MAX + 1, f);
		rc = ferror(f) ? eg_yaml_unreadable(path, err)
		               : eg_yaml_parse(out, path, (struct eg_bytes){p, len}, err);
	}
	free(p);
	fclose(f);
	return rc;
}

void eg_yaml_close(struct eg_yaml *y)
{
	if (!y)
		return;
	eg_arena_free(y->arena);
	free(y->path);
	free(y);
}

/* ---- reading ---- */

const struct eg_yaml_node *eg_yaml_root(const struct eg_yaml *y)
{
	return y->root;
}

const char *eg_yaml_path(const struct eg_yaml *y)
{
	return y->path;
}

const struct eg_yaml_node *eg_yaml_get(const struct eg_yaml_node *map, const char *key)
{
	for (unsigned i = 0; map && map->kind == EG_YAML_MAP && i < map->n; i++)
		if (strcmp(map->keys[i]->text, key) == 0)
			return map->values[i];
	return NULL;
}

const char *eg_yaml_text(const struct eg_yaml *y, const struct eg_yaml_node *node, const char *what,
                         struct eg_err *err)
{
	if (node->kind == EG_YAML_VALUE)
		return node->text;
	eg_yaml_fail(y, node, err, "%s must be a single value", what);
	return NULL;
}
