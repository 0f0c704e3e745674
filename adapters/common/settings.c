/* settings: see settings.h. A value that was written and a preset take the same way through `take`. */
#include "common/settings.h"

#include "base/arena.h"
#include "base/parse.h"
#include "common/hint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARENA_BYTES = 4 << 20, SECRET_MAX = 4096, WORDS_MAX = 400 };

struct value {
	bool written;
	unsigned line, column;
	int64_t number;
	const char *text;
	unsigned n;
	const char **items;
};

struct eg_settings {
	struct eg_arena *arena;
	const struct eg_setting_def *defs;
	const char *path, *section;
	unsigned line, column; /* of the section */
	struct value *values;  /* as many as defs */
};

struct making {
	struct eg_settings *s;
	const struct eg_yaml *y;
	struct eg_complaints *c;
	const struct eg_yaml_node *at; /* what is being read */
};

#define COMPLAIN(m, ...) eg_complain((m)->c, (m)->y, (m)->at, __VA_ARGS__)

static bool unbounded(const struct eg_setting_def *d)
{
	return d->low == 0 && d->high == 0;
}

static const char *copy(struct making *m, const char *text, size_t len)
{
	char *p = eg_arena_text(m->s->arena, text, len);
	if (!p)
		COMPLAIN(m, "the section is too large");
	return p ? p : "";
}

/* "64KiB", "5s" */
static void show(const struct eg_setting_def *d, int64_t v, char *out, size_t size)
{
	if (d->type == EG_SET_TIME)
		eg_show_time(v, out, size);
	else if (d->type == EG_SET_SIZE)
		eg_show_size(v, out, size);
	else
		snprintf(out, size, "%" PRId64, v);
}

/* What a setting takes: "a time such as 250ms, 5s or 30d, from 1s to 1h". */
static void wanted(const struct eg_setting_def *d, char *out, size_t size)
{
	static const char *const forms[] = {
	        [EG_SET_TEXT] = "a text",
	        [EG_SET_INT] = "a whole number",
	        [EG_SET_SIZE] = "a size such as 64KiB or 2MiB",
	        [EG_SET_TIME] = "a time such as 250ms, 5s or 30d",
	        [EG_SET_BOOL] = "true or false",
	        [EG_SET_LIST] = "a list of texts",
	        [EG_SET_SECRET] = "a text, {file: PATH} or {env: NAME}",
	};
	char low[32], high[32];
	if (d->type == EG_SET_CHOICE) {
		snprintf(out, size, "one of %s", d->choices);
		for (char *p = out; (p = strchr(p, '|'));)
			*p = ' ';
		return;
	}
	show(d, d->low, low, sizeof low);
	show(d, d->high, high, sizeof high);
	if (unbounded(d) || d->type == EG_SET_BOOL)
		snprintf(out, size, "%s", forms[d->type]);
	else if (d->type == EG_SET_TEXT || d->type == EG_SET_SECRET)
		snprintf(out, size, "%s of %s to %s bytes", forms[d->type], low, high);
	else if (d->type == EG_SET_LIST)
		snprintf(out, size, "%s, %s to %s of them", forms[d->type], low, high);
	else
		snprintf(out, size, "%s, from %s to %s", forms[d->type], low, high);
}

static bool within(const struct eg_setting_def *d, int64_t v)
{
	return unbounded(d) || (v >= d->low && v <= d->high);
}

static bool among(const char *choices, const char *text, struct eg_hint *h, char words[WORDS_MAX])
{
	bool found = false;
	char *save = NULL;
	snprintf(words, WORDS_MAX, "%s", choices);
	for (char *word = strtok_r(words, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
		found |= strcmp(word, text) == 0;
		eg_hint_try(h, word);
	}
	return found;
}

/* One value that is a single text. */
static void take(struct making *m, const struct eg_setting_def *d, struct value *v, const char *text)
{
	char what[WORDS_MAX], words[WORDS_MAX];
	struct eg_hint hint = eg_hint_for(text);
	bool ok = false;
	switch (d->type) {
	case EG_SET_INT:
		ok = eg_parse_int(text, &v->number) && within(d, v->number);
		break;
	case EG_SET_SIZE:
		ok = eg_parse_size(text, &v->number) && within(d, v->number);
		break;
	case EG_SET_TIME:
		ok = eg_parse_time(text, &v->number) && within(d, v->number);
		break;
	case EG_SET_BOOL:
		ok = eg_parse_bool(text, &v->number);
		break;
	case EG_SET_CHOICE:
		ok = among(d->choices, text, &hint, words);
		break;
	case EG_SET_TEXT:
	case EG_SET_SECRET:
		ok = within(d, (int64_t)strlen(text));
		break;
	case EG_SET_LIST:
		break;
	}
	v->text = copy(m, text, strlen(text));
	if (ok)
		return;
	wanted(d, what, sizeof what);
	COMPLAIN(m, "%s.%s must be %s%s", m->s->section, d->name, what,
	         d->type == EG_SET_CHOICE ? eg_hint_text(&hint) : "");
}

static void take_items(struct making *m, const struct eg_setting_def *d, struct value *v,
                       const struct eg_yaml_node *list)
{
	char what[WORDS_MAX];
	v->items = eg_arena_alloc(m->s->arena, (list->n + 1) * sizeof *v->items);
	for (unsigned i = 0; v->items && i < list->n; i++) {
		m->at = list->values[i];
		if (m->at->kind != EG_YAML_VALUE)
			COMPLAIN(m, "%s.%s must be a list of single values", m->s->section, d->name);
		else
			v->items[v->n++] = copy(m, m->at->text, strlen(m->at->text));
	}
	m->at = list;
	if (v->n == list->n && !within(d, v->n)) {
		wanted(d, what, sizeof what);
		COMPLAIN(m, "%s.%s must be %s", m->s->section, d->name, what);
	}
}

/* Items of a preset stand separated by commas. */
static void preset_items(struct making *m, struct value *v, const char *text)
{
	size_t commas = 1;
	for (const char *p = text; *p; p++)
		commas += *p == ',';
	v->items = eg_arena_alloc(m->s->arena, (commas + 1) * sizeof *v->items);
	while (v->items && text && *text) {
		size_t len = strcspn(text, ",");
		v->items[v->n++] = copy(m, text, len);
		text += len;
		text += strspn(text, ", ");
	}
}

/* ---- secrets ---- */

static const char *file_text(struct making *m, const char *name, const char *path, char text[SECRET_MAX + 2])
{
	const char *slash = strrchr(eg_yaml_path(m->y), '/');
	char full[1024];
	struct stat st;
	int folder = *path != '/' && slash ? (int)(slash - eg_yaml_path(m->y) + 1) : 0;
	snprintf(full, sizeof full, "%.*s%s", folder, eg_yaml_path(m->y), path);
	FILE *f = fopen(full, "re");
	if (!f || fstat(fileno(f), &st)) {
		COMPLAIN(m, "%s.%s: %s: %s", m->s->section, name, full, strerror(errno));
	} else if (st.st_mode & S_IRWXO) {
		COMPLAIN(m, "%s.%s: everybody may read %s; chmod o= %s", m->s->section, name, full, path);
	} else {
		size_t len = fread(text, 1, SECRET_MAX + 1, f);
		text[len] = 0;
		if (ferror(f) || len > SECRET_MAX || strlen(text) != len) {
			COMPLAIN(m, "%s.%s: %s must hold one text of at most %d bytes", m->s->section, name,
			         full, SECRET_MAX);
		} else {
			text[strcspn(text, "\r\n")] = 0;
			fclose(f);
			return text;
		}
	}
	if (f)
		fclose(f);
	return NULL;
}

static void take_secret(struct making *m, const struct eg_setting_def *d, struct value *v,
                        const struct eg_yaml_node *map)
{
	char buffer[SECRET_MAX + 2];
	const struct eg_yaml_node *from = map->n == 1 ? map->values[0] : NULL;
	const char *text = NULL;
	if (!from || from->kind != EG_YAML_VALUE ||
	    (strcmp(map->keys[0]->text, "file") != 0 && strcmp(map->keys[0]->text, "env") != 0)) {
		COMPLAIN(m, "%s.%s must be a text, {file: PATH} or {env: NAME}", m->s->section, d->name);
	} else if (*map->keys[0]->text == 'f') {
		text = file_text(m, d->name, from->text, buffer);
	} else if (!(text = getenv(from->text))) {
		COMPLAIN(m, "%s.%s: the environment has no %s", m->s->section, d->name, from->text);
	}
	if (text)
		take(m, d, v, text);
	explicit_bzero(buffer, sizeof buffer);
}

/* ---- the section ---- */

static void take_node(struct making *m, const struct eg_setting_def *d, struct value *v,
                      const struct eg_yaml_node *node)
{
	char what[WORDS_MAX];
	v->written = true;
	v->line = node->line;
	v->column = node->column;
	m->at = node;
	if (d->type == EG_SET_LIST && node->kind == EG_YAML_LIST) {
		take_items(m, d, v, node);
	} else if (d->type == EG_SET_SECRET && node->kind == EG_YAML_MAP) {
		take_secret(m, d, v, node);
	} else if (d->type != EG_SET_LIST && node->kind == EG_YAML_VALUE) {
		take(m, d, v, node->text);
	} else {
		wanted(d, what, sizeof what);
		COMPLAIN(m, "%s.%s must be %s", m->s->section, d->name, what);
	}
}

static const struct eg_setting_def *find(const struct eg_setting_def *defs, const char *name)
{
	for (; defs && defs->name; defs++)
		if (strcmp(defs->name, name) == 0)
			return defs;
	return NULL;
}

static void unknown(struct making *m, const char *name)
{
	struct eg_hint hint = eg_hint_for(name);
	for (const struct eg_setting_def *d = m->s->defs; d && d->name; d++)
		eg_hint_try(&hint, d->name);
	COMPLAIN(m, "unknown setting %s.%s%s", m->s->section, name, eg_hint_text(&hint));
}

static void fill(struct making *m, const struct eg_yaml_node *node)
{
	struct eg_settings *s = m->s;
	for (unsigned i = 0; node && i < node->n; i++) {
		const struct eg_setting_def *d = find(s->defs, node->keys[i]->text);
		m->at = node->keys[i];
		if (d)
			take_node(m, d, &s->values[d - s->defs], node->values[i]);
		else
			unknown(m, node->keys[i]->text);
	}
}

static void presets(struct making *m, const struct eg_yaml_node *at)
{
	struct eg_settings *s = m->s;
	for (const struct eg_setting_def *d = s->defs; d && d->name; d++) {
		struct value *v = &s->values[d - s->defs];
		m->at = at;
		if (v->written)
			continue;
		v->text = "";
		if (d->required)
			COMPLAIN(m, "%s needs %s: %s", s->section, d->name, d->doc ? d->doc : "");
		else if (d->preset && d->type == EG_SET_LIST)
			preset_items(m, v, d->preset);
		else if (d->preset)
			take(m, d, v, d->preset);
	}
}

void eg_settings_make(struct eg_settings **out, const struct eg_yaml *y, const struct eg_yaml_node *node,
                      const struct eg_yaml_node *at, const char *section, const struct eg_setting_def *defs,
                      struct eg_complaints *c)
{
	unsigned n = 0, had = c->total;
	struct eg_settings *s = calloc(1, sizeof *s);
	struct making m = {.s = s, .y = y, .c = c, .at = node ? node : at};
	*out = NULL;
	while (defs && defs[n].name)
		n++;
	if (!s || !(s->arena = eg_arena_new(ARENA_BYTES)) ||
	    !(s->values = eg_arena_alloc(s->arena, (n + 1) * sizeof *s->values))) {
		COMPLAIN(&m, "no memory for the section %s", section);
		eg_settings_free(s);
		return;
	}
	s->defs = defs;
	s->line = m.at ? m.at->line : 0;
	s->column = m.at ? m.at->column : 0;
	s->path = copy(&m, eg_yaml_path(y), strlen(eg_yaml_path(y)));
	s->section = copy(&m, section, strlen(section));
	if (node && node->kind == EG_YAML_VALUE && !*node->text && !node->quoted)
		node = NULL; /* the name of a section with nothing in it */
	if (node && node->kind != EG_YAML_MAP) {
		COMPLAIN(&m, "%s must be a mapping of settings to values", section);
	} else {
		fill(&m, node);
		presets(&m, node ? node : at);
	}
	if (c->total != had)
		eg_settings_free(s);
	else
		*out = s;
}

enum eg_rc eg_settings_parse(const char *yaml_text, const char *name_for_errors,
                             const struct eg_setting_def *defs, struct eg_settings **out, struct eg_err *err)
{
	struct eg_complaints *c = calloc(1, sizeof *c);
	struct eg_yaml *y = NULL;
	enum eg_rc rc = c ? eg_yaml_parse(&y, name_for_errors, eg_bytes_of(yaml_text), err)
	                  : eg_fail(err, EG_NO_MEMORY, "no memory for settings");
	if (!rc) {
		eg_settings_make(out, y, eg_yaml_root(y), NULL, "settings", defs, c);
		rc = eg_complaints_end(c, err);
	}
	eg_yaml_close(y);
	free(c);
	return rc;
}

void eg_settings_free(struct eg_settings *s)
{
	if (!s)
		return;
	eg_arena_free(s->arena);
	free(s);
}

/* ---- reading ---- */

static const struct value *value_of(const struct eg_settings *s, const char *name, unsigned types)
{
	const struct eg_setting_def *d = find(s->defs, name);
	if (!d || !(types & 1u << d->type)) {
		fprintf(stderr, "fault: %s.%s is no setting, or one of another type\n", s->section, name);
		abort();
	}
	return &s->values[d - s->defs];
}

bool eg_settings_has(const struct eg_settings *s, const char *name)
{
	return value_of(s, name, ~0u)->written;
}

const char *eg_settings_text(const struct eg_settings *s, const char *name)
{
	return value_of(s, name, 1u << EG_SET_TEXT | 1u << EG_SET_CHOICE | 1u << EG_SET_SECRET)->text;
}

int64_t eg_settings_int(const struct eg_settings *s, const char *name)
{
	return value_of(s, name, 1u << EG_SET_INT | 1u << EG_SET_SIZE | 1u << EG_SET_TIME | 1u << EG_SET_BOOL)
	        ->number;
}

unsigned eg_settings_count(const struct eg_settings *s, const char *name)
{
	return value_of(s, name, 1u << EG_SET_LIST)->n;
}

const char *eg_settings_item(const struct eg_settings *s, const char *name, unsigned i)
{
	const struct value *v = value_of(s, name, 1u << EG_SET_LIST);
	return i < v->n ? v->items[i] : "";
}

enum eg_rc eg_settings_fail(const struct eg_settings *s, const char *name, struct eg_err *err,
                            const char *fmt, ...)
{
	const struct value *v = value_of(s, name, ~0u);
	unsigned line = v->written ? v->line : s->line, column = v->written ? v->column : s->column;
	char text[200];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!line)
		return eg_fail(err, EG_CONFIG, "%s: %s.%s: %s", s->path, s->section, name, text);
	return eg_fail(err, EG_CONFIG, "%s:%u:%u: %s.%s: %s", s->path, line, column, s->section, name, text);
}

void eg_settings_reference(struct eg_buf *out, const struct eg_setting_def *defs)
{
	for (const struct eg_setting_def *d = defs; d && d->name; d++) {
		char what[WORDS_MAX];
		wanted(d, what, sizeof what);
		eg_buf_printf(out, "| `%s` | %s | %s%s%s | %s |\n", d->name, what,
		              d->required               ? "needed"
		              : d->preset && *d->preset ? "`"
		                                        : "",
		              d->required || !d->preset ? "" : d->preset,
		              !d->required && d->preset && *d->preset ? "`" : "", d->doc ? d->doc : "");
	}
}
