/* conf: see conf.h. One table (conf.def) is the parser, the printer and the reference. */
#include "conf.h"

#include "base/arena.h"
#include "base/parse.h"
#include "base/yaml.h"
#include "conf_policy.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES = 4 << 20,
	MAX_KAFKA_SETTINGS = 200,
	MAX_TOPIC_FIELDS = 256,
	SOCKET_PATH_MAX = 100 /* as listen.unix has it in conf.def: the kernel takes 107 */
};

enum type { TEXT, INT, SIZE, TIME, BOOL };
enum when { START, LIVE };

union deflt {
	const char *text;
	int64_t i;
};
#define DEFLT_TEXT(v)                                                                                        \
	{                                                                                                    \
		.text = (v)                                                                                  \
	}
#define DEFLT_INT(v)                                                                                         \
	{                                                                                                    \
		.i = (v)                                                                                     \
	}
#define DEFLT_SIZE(v)                                                                                        \
	{                                                                                                    \
		.i = (v)                                                                                     \
	}
#define DEFLT_TIME(v)                                                                                        \
	{                                                                                                    \
		.i = (v)                                                                                     \
	}
#define DEFLT_BOOL(v)                                                                                        \
	{                                                                                                    \
		.i = (v)                                                                                     \
	}

struct setting {
	const char *section, *key;
	size_t offset;
	enum type type;
	enum when when;
	union deflt deflt;
	int64_t low, high;
	const char *unit, *doc;
};

static const struct setting settings[] = {
#define X(section, key, member, type, when, deflt, low, high, unit, doc)                                     \
	{section, key, offsetof(struct eg_conf, member), type, when, DEFLT_##type(deflt), low, high,         \
	 unit,    doc},
#include "conf.def"
#undef X
};
enum { N_SETTINGS = sizeof settings / sizeof *settings };

struct eg_conf_private {
	struct eg_arena *arena;
	const char *origin[N_SETTINGS]; /* "default", "FILE:LINE", "command line" */
	const char *kafka[2 * MAX_KAFKA_SETTINGS + 1];
	unsigned n_kafka;
	unsigned topic_fields[MAX_TOPIC_FIELDS];
	unsigned n_topic_fields;
	const char *identities_dir;
};

static const struct setting *find(const char *section, const char *key)
{
	for (unsigned i = 0; i < N_SETTINGS; i++)
		if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
			return &settings[i];
	return NULL;
}

/* The value's member; the table says its type. */
static void *member(const struct eg_conf *c, const struct setting *s)
{
	return (char *)(uintptr_t)c + s->offset;
}

static void show(const struct setting *s, int64_t v, char *out, size_t size)
{
	switch (s->type) {
	case BOOL:
		snprintf(out, size, "%s", v ? "true" : "false");
		return;
	case TIME:
		eg_show_time(v, out, size);
		return;
	case SIZE:
		eg_show_size(v, out, size);
		return;
	case INT:
	case TEXT:
		snprintf(out, size, "%" PRId64, v);
	}
}

/* Sets one value from its text; why: what would be right, when it is not. */
static bool set(struct eg_conf *c, const struct setting *s, const char *text, const char *origin, char *why,
                size_t why_size)
{
	static const char *const forms[] = {"a text", "a whole number", "a size such as 64KiB or 2MiB",
	                                    "a time such as 250ms, 5s or 30d", "true or false"};
	int64_t v = 0;
	bool ok = true;
	switch (s->type) {
	case TEXT:
		v = (int64_t)strlen(text);
		break;
	case INT:
		ok = eg_parse_int(text, &v);
		break;
	case SIZE:
		ok = eg_parse_size(text, &v);
		break;
	case TIME:
		ok = eg_parse_time(text, &v);
		break;
	case BOOL:
		ok = eg_parse_bool(text, &v);
	}
	if (!ok || v < s->low || v > s->high) {
		char low[32], high[32];
		show(s, s->low, low, sizeof low);
		show(s, s->high, high, sizeof high);
		snprintf(why, why_size, "%s%s%s must be %s%s from %s to %s", s->section,
		         *s->section ? "." : "", s->key, forms[s->type],
		         s->type == TEXT ? " with a length" : "", low, high);
		return false;
	}
	if (s->type == TEXT) {
		char *copy = eg_arena_text(c->p->arena, text, (size_t)v);
		if (!copy) {
			snprintf(why, why_size, "out of memory for the configuration");
			return false;
		}
		*(const char **)member(c, s) = copy;
	} else {
		*(int64_t *)member(c, s) = v;
	}
	c->p->origin[s - settings] = origin;
	return true;
}

static enum eg_rc put(struct eg_conf *c, const struct eg_yaml *y, const char *section,
                      const struct eg_yaml_node *key, const struct eg_yaml_node *value, struct eg_err *err)
{
	char why[200];
	const char *name = key->text;
	const struct setting *s = find(section, name);
	if (!s)
		return eg_yaml_fail(y, key, err, "unknown setting '%s%s%s'; --print-config lists them all",
		                    section, *section ? "." : "", name);
	const char *text = eg_yaml_text(y, value, name, err);
	if (!text)
		return EG_CONFIG;
	const char *origin = eg_arena_printf(c->p->arena, "%s:%u", eg_yaml_path(y), value->line);
	if (!set(c, s, text, origin ? origin : eg_yaml_path(y), why, sizeof why))
		return eg_yaml_fail(y, value, err, "%s", why);
	return EG_OK;
}

static enum eg_rc kafka_settings(struct eg_conf *c, const struct eg_yaml *y, const struct eg_yaml_node *map,
                                 struct eg_err *err)
{
	if (map->kind != EG_YAML_MAP)
		return eg_yaml_fail(y, map, err,
		                    "kafka.settings must be a mapping of librdkafka settings to values");
	for (unsigned i = 0; i < map->n; i++) {
		const char *k = map->keys[i]->text;
		const char *v = eg_yaml_text(y, map->values[i], k, err);
		if (!v)
			return EG_CONFIG;
		if (c->p->n_kafka == MAX_KAFKA_SETTINGS)
			return eg_yaml_fail(y, map, err, "kafka.settings has more than %d keys",
			                    MAX_KAFKA_SETTINGS);
		c->p->kafka[2 * c->p->n_kafka] = eg_arena_text(c->p->arena, k, strlen(k));
		c->p->kafka[2 * c->p->n_kafka + 1] = eg_arena_text(c->p->arena, v, strlen(v));
		c->p->n_kafka++;
	}
	return EG_OK;
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return x < y ? -1 : x > y;
}

static enum eg_rc topic_fields(struct eg_conf *c, const struct eg_yaml *y, const struct eg_yaml_node *seq,
                               struct eg_err *err)
{
	if (seq->kind != EG_YAML_LIST)
		return eg_yaml_fail(y, seq, err, "kafka.fields must be a list of field names");
	for (unsigned i = 0; i < seq->n; i++) {
		const struct eg_yaml_node *node = seq->values[i];
		const char *name = eg_yaml_text(y, node, "a field", err);
		unsigned f = name ? eg_view_field_by_name(name) : 0;
		if (!name)
			return EG_CONFIG;
		if (!f)
			return eg_yaml_fail(y, node, err, "no field '%s'", name);
		if (!(eg_view_field_flags(f) & EG_F_PLAIN))
			return eg_yaml_fail(y, node, err,
			                    "topics carry statuses and codes only; '%s' is neither", name);
		if (c->p->n_topic_fields == MAX_TOPIC_FIELDS)
			return eg_yaml_fail(y, seq, err, "kafka.fields has more than %d names",
			                    MAX_TOPIC_FIELDS);
		c->p->topic_fields[c->p->n_topic_fields++] = f;
	}
	qsort(c->p->topic_fields, c->p->n_topic_fields, sizeof *c->p->topic_fields, by_number);
	return EG_OK;
}

static enum eg_rc section(struct eg_conf *c, const struct eg_yaml *y, const char *name,
                          const struct eg_yaml_node *map, struct eg_err *err)
{
	for (unsigned i = 0; i < map->n; i++) {
		const struct eg_yaml_node *key = map->keys[i], *value = map->values[i];
		const char *k = key->text;
		enum eg_rc rc;
		if (strcmp(name, "kafka") == 0 && strcmp(k, "settings") == 0)
			rc = kafka_settings(c, y, value, err);
		else if (strcmp(name, "kafka") == 0 && strcmp(k, "fields") == 0)
			rc = topic_fields(c, y, value, err);
		else if (!*name && value->kind == EG_YAML_MAP)
			rc = section(c, y, k, value, err);
		else
			rc = put(c, y, name, key, value, err);
		if (rc)
			return rc;
	}
	return EG_OK;
}

static enum eg_rc read_file(struct eg_conf *c, const char *path, struct eg_err *err)
{
	struct eg_yaml *y;
	enum eg_rc rc = eg_yaml_open(&y, path, err);
	if (rc)
		return rc;
	const struct eg_yaml_node *root = eg_yaml_root(y);
	if (root && root->kind == EG_YAML_MAP)
		rc = section(c, y, "", root, err);
	else if (root)
		rc = eg_yaml_fail(y, root, err, "the configuration must be a mapping of sections");
	eg_yaml_close(y);
	return rc;
}

static enum eg_rc override(struct eg_conf *c, const char *text, struct eg_err *err)
{
	char name[128], why[200];
	const char *eq = strchr(text, '=');
	if (!eq || (size_t)(eq - text) >= sizeof name)
		return eg_fail(err, EG_CONFIG, "--set wants section.key=value");
	memcpy(name, text, (size_t)(eq - text));
	name[eq - text] = 0;
	char *dot = strchr(name, '.');
	if (dot)
		*dot = 0;
	const struct setting *s = find(dot ? name : "", dot ? dot + 1 : name);
	if (!s)
		return eg_fail(err, EG_CONFIG, "--set %.*s: unknown setting; --print-config lists them all",
		               (int)(eq - text), text);
	if (!set(c, s, eq + 1, "command line", why, sizeof why))
		return eg_fail(err, EG_CONFIG, "--set: %s", why);
	return EG_OK;
}

/* Where the value came from: "default", "FILE:LINE" or "command line". */
static const char *origin_of(const struct eg_conf *c, const char *section, const char *key)
{
	return c->p->origin[find(section, key) - settings];
}

static enum eg_rc contradict(const struct eg_conf *c, const char *section, const char *key,
                             const char *section_above, const char *key_above, struct eg_err *err)
{
	return eg_fail(err, EG_CONFIG, "%s.%s (%s) must not be above %s.%s (%s)", section, key,
	               origin_of(c, section, key), section_above, key_above,
	               origin_of(c, section_above, key_above));
}

/* Settings that follow from others when they are left empty. */
static enum eg_rc derive(struct eg_conf *c, const char *path, struct eg_err *err)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	if (!*c->listen_unix)
		c->listen_unix = eg_arena_printf(c->p->arena, "%s/eldergate.sock", c->data);
	if (!*c->identities_dir)
		c->identities_dir =
		        slash ? eg_arena_printf(c->p->arena, "%.*s/identities.d", (int)(slash - path), path)
		              : eg_arena_printf(c->p->arena, path ? "identities.d" : "%s/identities.d",
		                                c->data);
	if (!c->listen_unix || !c->identities_dir)
		return eg_fail(err, EG_NO_MEMORY, "out of memory for the configuration");
	if (strlen(c->listen_unix) > SOCKET_PATH_MAX)
		return eg_fail(
		        err, EG_CONFIG,
		        "data (%s) is too long for a socket in it: set listen.unix, of at most %d bytes",
		        origin_of(c, "", "data"), SOCKET_PATH_MAX);
	if (*c->listen_tls && (!*c->tls_certificate || !*c->tls_key || !*c->tls_client_ca))
		return eg_fail(err, EG_CONFIG,
		               "listen.tls (%s) needs tls.certificate, tls.key and tls.client_ca",
		               origin_of(c, "listen", "tls"));
	if (strcmp(c->log_level, "debug") && strcmp(c->log_level, "info") && strcmp(c->log_level, "warn") &&
	    strcmp(c->log_level, "error"))
		return eg_fail(err, EG_CONFIG, "log.level must be debug, info, warn or error (%s)",
		               origin_of(c, "log", "level"));
	if (c->batch_bytes > c->grpc_max_message)
		return contradict(c, "limits", "batch_bytes", "grpc", "max_message", err);
	if (*c->listen_bus && c->batch_bytes > c->bus_max_message)
		return contradict(c, "limits", "batch_bytes", "bus", "max_message", err);
	return EG_OK;
}

static enum eg_rc load_policy(const struct eg_conf *c, const struct eg_conf *topics,
                              const struct eg_policy **out, struct eg_err *err)
{
	return eg_conf_policy_load(c->identities_dir, topics->p->topic_fields, topics->p->n_topic_fields, out,
	                           err);
}

enum eg_rc eg_conf_load(struct eg_conf **out, const char *path, const char *const *overrides,
                        unsigned n_overrides, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	struct eg_conf *c = calloc(1, sizeof *c);
	if (!c || !(c->p = calloc(1, sizeof *c->p)) || !(c->p->arena = eg_arena_new(ARENA_BYTES))) {
		eg_conf_free(c);
		return eg_fail(err, EG_NO_MEMORY, "out of memory for the configuration");
	}
	for (unsigned i = 0; i < N_SETTINGS; i++) {
		c->p->origin[i] = "default";
		if (settings[i].type == TEXT)
			*(const char **)member(c, &settings[i]) = settings[i].deflt.text;
		else
			*(int64_t *)member(c, &settings[i]) = settings[i].deflt.i;
	}
	if (path)
		rc = read_file(c, path, err);
	for (unsigned i = 0; i < n_overrides && !rc; i++)
		rc = override(c, overrides[i], err);
	if (!rc)
		rc = derive(c, path, err);
	if (!rc)
		rc = load_policy(c, c, &c->policy, err);
	if (rc) {
		eg_conf_free(c);
		return rc;
	}
	c->kafka_settings = c->p->kafka;
	*out = c;
	return EG_OK;
}

static bool same_fields(const struct eg_conf *a, const struct eg_conf *b)
{
	return a->p->n_topic_fields == b->p->n_topic_fields &&
	       memcmp(a->p->topic_fields, b->p->topic_fields,
	              a->p->n_topic_fields * sizeof *a->p->topic_fields) == 0;
}

static bool same_kafka(const struct eg_conf *a, const struct eg_conf *b)
{
	bool same = a->p->n_kafka == b->p->n_kafka;
	for (unsigned i = 0; same && i < 2 * a->p->n_kafka; i++)
		same = strcmp(a->p->kafka[i], b->p->kafka[i]) == 0;
	return same;
}

static bool same(const struct eg_conf *a, const struct eg_conf *b, const struct setting *s)
{
	if (s->type == TEXT)
		return strcmp(*(const char **)member(a, s), *(const char **)member(b, s)) == 0;
	return *(int64_t *)member(a, s) == *(int64_t *)member(b, s);
}

enum eg_rc eg_conf_again(const struct eg_conf *start, const char *path, const char *const *overrides,
                         unsigned n_overrides, struct eg_conf **out, struct eg_err *err)
{
	struct eg_conf *c;
	const struct eg_policy *policy;
	enum eg_rc rc = eg_conf_load(&c, path, overrides, n_overrides, err);
	if (rc)
		return rc;
	if (!same_fields(start, c)) {
		if ((rc = load_policy(c, start, &policy, err))) {
			eg_conf_free(c);
			return rc;
		}
		eg_policy_unref(c->policy);
		c->policy = policy;
	}
	*out = c;
	return EG_OK;
}

static void name(char *names, size_t size, const char *section, const char *key)
{
	size_t len = strlen(names);
	snprintf(names + len, size - len, "%s%s%s%s", len ? ", " : "", section, *section ? "." : "", key);
}

bool eg_conf_waits(const struct eg_conf *start, const struct eg_conf *now, char *names, size_t size)
{
	*names = 0;
	for (unsigned i = 0; i < N_SETTINGS; i++)
		if (settings[i].when == START && !same(start, now, &settings[i]))
			name(names, size, settings[i].section, settings[i].key);
	if (!same_kafka(start, now))
		name(names, size, "kafka", "settings");
	if (!same_fields(start, now))
		name(names, size, "kafka", "fields");
	return *names;
}

void eg_conf_print(const struct eg_conf *c, FILE *to)
{
	const char *section = "";
	for (unsigned i = 0; i < N_SETTINGS; i++) {
		const struct setting *s = &settings[i];
		char value[512];
		if (strcmp(section, s->section) != 0)
			fprintf(to, "%s:\n", s->section);
		section = s->section;
		if (s->type == TEXT)
			snprintf(value, sizeof value, "\"%s\"", *(const char **)member(c, s));
		else
			show(s, *(int64_t *)member(c, s), value, sizeof value);
		fprintf(to, "%s# %s%s%s%s%s\n", *section ? "  " : "", s->doc, *s->unit ? " [" : "", s->unit,
		        *s->unit ? "]" : "", s->when == LIVE ? " Taken over by a reload." : "");
		fprintf(to, "%s%s: %s  # from: %s\n", *section ? "  " : "", s->key, value, c->p->origin[i]);
	}
}

void eg_conf_free(struct eg_conf *c)
{
	if (!c)
		return;
	if (c->policy)
		eg_policy_unref(c->policy);
	if (c->p)
		eg_arena_free(c->p->arena);
	free(c->p);
	free(c);
}
