/* mapping_read: see mapping_read.h. Keys are judged by one table, and everything is copied out of the YAML.
 */
#include "common/mapping_read.h"

#include "common/enums.h"

#include <stdio.h>
#include <string.h>

enum kind { ONE = 1, LIST = 2, MAP = 4, ANY = 7 };
enum need { FREE, NEEDED };

static const struct {
	enum eg_key_section section;
	const char *key;
	enum kind kind;
	enum need need;
	const char *doc;
} keys[] = {
#define X(section, key, kind, need, doc) {EG_KEYS_##section, #key, kind, need, doc},
#include "common/mapping_keys.def"
};

static enum kind kind_of(const struct eg_yaml_node *node)
{
	return node->kind == EG_YAML_VALUE ? ONE : node->kind == EG_YAML_LIST ? LIST : MAP;
}

static const char *kind_text(enum kind k)
{
	return k == ONE ? "a single value" : k == LIST ? "a list" : "a mapping of keys to values";
}

static void take_key(struct eg_reading *r, enum eg_key_section section, const char *what,
                     const struct eg_yaml_node *key, const struct eg_yaml_node *value, struct eg_keys *out)
{
	struct eg_hint hint = eg_hint_for(key->text);
	for (unsigned i = 0; i < EG_KEY_END; i++) {
		if (keys[i].section != section)
			continue;
		if (strcmp(keys[i].key, key->text) != 0) {
			eg_hint_try(&hint, keys[i].key);
			continue;
		}
		if (keys[i].kind & kind_of(value))
			out->at[i] = value;
		else
			EG_COMPLAIN(r, value, "%s%s%s must be %s", what, *what ? "." : "", key->text,
			            kind_text(keys[i].kind));
		return;
	}
	EG_COMPLAIN(r, key, "unknown key '%s'%s%s%s", key->text, *what ? " in " : "", what,
	            eg_hint_text(&hint));
}

static bool written(const struct eg_yaml_node *node, const char *key)
{
	return eg_yaml_get(node, key) != NULL;
}

bool eg_keys_read(struct eg_reading *r, const struct eg_yaml_node *node, enum eg_key_section section,
                  const char *what, struct eg_keys *out)
{
	*out = (struct eg_keys){.node = node};
	if (node->kind != EG_YAML_MAP) {
		EG_COMPLAIN(r, node, "%s must be %s", *what ? what : "the file", kind_text(MAP));
		return false;
	}
	for (unsigned i = 0; i < node->n; i++)
		take_key(r, section, what, node->keys[i], node->values[i], out);
	for (unsigned i = 0; i < EG_KEY_END; i++)
		if (keys[i].section == section && keys[i].need == NEEDED && !written(node, keys[i].key))
			EG_COMPLAIN(r, node, "%s needs %s: %s", *what ? what : "the file", keys[i].key,
			            keys[i].doc);
	return true;
}

/* ---- memory ---- */

void *eg_read_alloc(struct eg_reading *r, const struct eg_yaml_node *at, size_t size)
{
	void *p = eg_arena_alloc(r->m->arena, size ? size : 1);
	if (!p)
		EG_COMPLAIN(r, at, "the mapping is too large");
	return p;
}

const char *eg_read_copy(struct eg_reading *r, const struct eg_yaml_node *at, const char *text)
{
	const char *p = eg_arena_text(r->m->arena, text, strlen(text));
	if (!p)
		EG_COMPLAIN(r, at, "the mapping is too large");
	return p ? p : "";
}

/* ---- values and lists ---- */

bool eg_read_one(struct eg_reading *r, const struct eg_yaml_node *node, const char *what, const char **out)
{
	if (node->kind != EG_YAML_VALUE) {
		EG_COMPLAIN(r, node, "%s must be a single value", what);
		return false;
	}
	*out = eg_read_copy(r, node, node->text);
	return true;
}

bool eg_read_texts(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                   const struct eg_bytes **out)
{
	const char *text;
	struct eg_bytes *to = eg_read_alloc(r, list, list->n * sizeof *to);
	*n = 0;
	if (!list->n)
		EG_COMPLAIN(r, list, "%s is empty", what);
	for (unsigned i = 0; to && i < list->n; i++)
		if (eg_read_one(r, list->values[i], what, &text))
			to[(*n)++] = eg_bytes_of(text);
	*out = to;
	return to && list->n && *n == list->n;
}

unsigned eg_read_column(struct eg_reading *r, const struct eg_yaml_node *node, const char *by)
{
	struct eg_mapping *m = r->m;
	const char *name;
	if (!eg_read_one(r, node, by, &name))
		return 0;
	if (!*name)
		EG_COMPLAIN(r, node, "%s: the name of a column is empty", by);
	for (unsigned i = 0; i < m->n_columns; i++)
		if (strcmp(m->columns[i].name, name) == 0)
			return i;
	if (m->n_columns == EG_COLUMNS_MAX) {
		EG_COMPLAIN(r, node, "more than %d columns", EG_COLUMNS_MAX);
		return 0;
	}
	m->columns[m->n_columns] = (struct eg_used_column){.name = name, .by = by, .line = node->line};
	return m->n_columns++;
}

void eg_read_enums(struct eg_reading *r, const struct eg_yaml_node *list, const char *what,
                   const ProtobufCEnumDescriptor *d, unsigned *n, const int **out)
{
	unsigned count;
	const struct eg_bytes *names;
	int *to = eg_read_alloc(r, list, list->n * sizeof *to);
	*n = 0;
	if (!eg_read_texts(r, list, what, &count, &names) || !to)
		return;
	for (unsigned i = 0; i < count; i++) {
		struct eg_hint hint = eg_hint_for((const char *)names[i].p);
		int number = eg_enum_number(d, (const char *)names[i].p, &hint);
		if (number)
			to[(*n)++] = number;
		else
			EG_COMPLAIN(r, list->values[i], "%s: '%s' is not known%s", what,
			            (const char *)names[i].p, eg_hint_text(&hint));
	}
	*out = to;
}
