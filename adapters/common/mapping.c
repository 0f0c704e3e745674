/* mapping: see mapping.h. The file's parts are read one after the other, and every fault is told. */
#include "common/mapping.h"

#include "base/parse.h"
#include "common/limits.h"
#include "common/mapping_read.h"
#include "common/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 16 << 20, NAME_MAX_BYTES = 63, Z85_KEY = 40, REGION_MAX = 12 };

#define POSITION (1u << EG_TYPE_INT | 1u << EG_TYPE_DATE | 1u << EG_TYPE_INSTANT)

/* ---- the head ---- */

static const char *text_of(struct eg_reading *r, const struct eg_yaml_node *node)
{
	return node ? eg_read_copy(r, node, node->text) : "";
}

/* A path, joined to the mapping file's folder. */
static const char *path_of(struct eg_reading *r, const struct eg_yaml_node *node)
{
	const char *slash = strrchr(r->m->info.path, '/');
	char full[1024];
	if (!node)
		return "";
	if (!*node->text) {
		EG_COMPLAIN(r, node, "the path is empty");
		return "";
	}
	if (*node->text == '/' || !slash)
		return text_of(r, node);
	int n = snprintf(full, sizeof full, "%.*s/%s", (int)(slash - r->m->info.path), r->m->info.path,
	                 node->text);
	if (n < 0 || (size_t)n >= sizeof full)
		EG_COMPLAIN(r, node, "the path is too long");
	return eg_read_copy(r, node, full);
}

static void name_of(struct eg_reading *r, const struct eg_yaml_node *node, const char *what)
{
	size_t len = node ? strlen(node->text) : 1;
	if (node && (!len || len > NAME_MAX_BYTES ||
	             strspn(node->text, "abcdefghijklmnopqrstuvwxyz0123456789._-") != len))
		EG_COMPLAIN(r, node, "%s must be 1 to %d of a-z 0-9 . _ -", what, NAME_MAX_BYTES);
}

static void gateway(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping_info *i = &r->m->info;
	struct eg_keys k;
	if (!node || !eg_keys_read(r, node, EG_KEYS_GATEWAY, "gateway", &k))
		return;
	const struct eg_yaml_node *address = k.at[EG_KEY_GATEWAY_address],
	                          *key = k.at[EG_KEY_GATEWAY_server_key],
	                          *beat = k.at[EG_KEY_GATEWAY_heartbeat];
	if (address && strncmp(address->text, "tcp://", 6) != 0 && strncmp(address->text, "ipc:///", 7) != 0)
		EG_COMPLAIN(r, address, "gateway.address must be tcp://HOST:PORT or ipc:///PATH");
	if (key && strlen(key->text) != Z85_KEY)
		EG_COMPLAIN(r, key, "gateway.server_key must have %d characters", Z85_KEY);
	if (beat && (!eg_parse_time(beat->text, &i->heartbeat_us) || i->heartbeat_us < 100000 ||
	             i->heartbeat_us > 60 * EG_SECOND))
		EG_COMPLAIN(r, beat, "gateway.heartbeat must be a time from 100ms to 1m");
	i->gateway_address = text_of(r, address);
	i->gateway_server_key = text_of(r, key);
	i->gateway_key_file = path_of(r, k.at[EG_KEY_GATEWAY_key_file]);
}

static void section_of(struct eg_reading *r, const struct eg_yaml_node *node)
{
	if (!node)
		return;
	struct eg_hint hint = eg_hint_for(node->text);
	for (int s = 1; s < EG_SECTION_END; s++)
		eg_hint_try(&hint, eg_section_name((enum eg_section)s));
	r->m->info.section = eg_section_by_name(node->text);
	if (!r->m->info.section)
		EG_COMPLAIN(r, node, "no section '%s': it is registration, assistance, funeral or care%s",
		            node->text, eg_hint_text(&hint));
}

const struct eg_connector_type *eg_read_connector(struct eg_reading *r, const struct eg_yaml_node *node)
{
	if (!node)
		return NULL;
	struct eg_hint hint = eg_hint_for(node->text);
	for (unsigned i = 0; r->connectors[i]; i++) {
		if (strcmp(r->connectors[i]->name, node->text) == 0)
			return r->connectors[i];
		eg_hint_try(&hint, r->connectors[i]->name);
	}
	EG_COMPLAIN(r, node, "this program has no connector '%s'%s", node->text, eg_hint_text(&hint));
	return NULL;
}

static void head(struct eg_reading *r, const struct eg_keys *k)
{
	struct eg_mapping_info *i = &r->m->info;
	const struct eg_yaml_node *version = k->at[EG_KEY_FILE_mapping],
	                          *dataset = k->at[EG_KEY_FILE_dataset], *agency = k->at[EG_KEY_FILE_agency],
	                          *revision = k->at[EG_KEY_FILE_revision];
	int64_t n = 1;
	if (version && strcmp(version->text, "1") != 0)
		EG_COMPLAIN(r, version, "this program reads mapping files of version 1");
	name_of(r, dataset, "dataset");
	name_of(r, agency, "agency");
	if (revision && (!eg_parse_int(revision->text, &n) || n < 1 || n > UINT32_MAX))
		EG_COMPLAIN(r, revision, "revision must be a whole number from 1 to 4294967295");
	i->revision = (uint32_t)n;
	i->agency = text_of(r, agency);
	i->dataset = text_of(r, dataset);
	i->state_dir = path_of(r, k->at[EG_KEY_FILE_state]);
	i->connector = eg_read_connector(r, k->at[EG_KEY_FILE_connector]);
	section_of(r, k->at[EG_KEY_FILE_section]);
	gateway(r, k->at[EG_KEY_FILE_gateway]);
	if (i->connector)
		eg_settings_make(&r->m->source, r->y, k->at[EG_KEY_FILE_source], k->node, "source",
		                 i->connector->source_settings, r->c);
	i->source = r->m->source;
	eg_settings_make(&r->m->agent, r->y, k->at[EG_KEY_FILE_agent], k->node, "agent", eg_limits_defs,
	                 r->c);
	i->agent = r->m->agent;
}

/* ---- rows ---- */

static bool zone_of(const char *text, int32_t *out)
{
	static const char form[] = "+hh:mm";
	for (unsigned i = 0; i < sizeof form; i++) {
		bool digit = text[i] >= '0' && text[i] <= '9';
		if (form[i] == '+'               ? text[i] != '+' && text[i] != '-'
		    : form[i] == ':' || !form[i] ? text[i] != form[i]
		                                 : !digit)
			return false;
	}
	int32_t hour = (text[1] - '0') * 10 + text[2] - '0', minute = (text[4] - '0') * 10 + text[5] - '0';
	*out = (*text == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
	return hour <= 14 && minute < 60;
}

static void only(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_only *to = node ? eg_read_alloc(r, node, node->n * sizeof *to) : NULL;
	for (unsigned i = 0; to && i < node->n; i++) {
		to[i].column = eg_read_column(r, node->keys[i], "rows.only");
		if (node->values[i]->kind == EG_YAML_LIST)
			eg_read_texts(r, node->values[i], "rows.only", &to[i].n, &to[i].values);
		else
			EG_COMPLAIN(r, node->values[i], "rows.only.%s must be a list of texts",
			            node->keys[i]->text);
	}
	r->m->only = to;
	r->m->n_only = to ? node->n : 0;
}

/* Last of all, since it is about columns that something else names. */
static void optional(struct eg_reading *r, const struct eg_yaml_node *list)
{
	struct eg_mapping *m = r->m;
	for (unsigned i = 0; list && list->kind == EG_YAML_LIST && i < list->n; i++) {
		const char *text;
		bool found = false;
		if (!eg_read_one(r, list->values[i], "rows.optional", &text))
			continue;
		struct eg_hint hint = eg_hint_for(text);
		for (unsigned k = 0; k < m->n_columns; k++) {
			bool same = strcmp(m->columns[k].name, text) == 0;
			m->columns[k].optional |= same;
			found |= same;
			eg_hint_try(&hint, m->columns[k].name);
		}
		if (!found)
			EG_COMPLAIN(r, list->values[i], "rows.optional: nothing reads a column '%s'%s", text,
			            eg_hint_text(&hint));
	}
}

static void required(struct eg_reading *r, const struct eg_yaml_node *list)
{
	unsigned *to = list ? eg_read_alloc(r, list, list->n * sizeof *to) : NULL;
	for (unsigned i = 0; to && i < list->n; i++)
		to[i] = eg_read_column(r, list->values[i], "rows.require");
	r->m->required = to;
	r->m->n_required = to ? list->n : 0;
}

static void add_operation(struct eg_reading *r, const struct eg_yaml_node *list, const char *means,
                          struct eg_code_list *l)
{
	for (unsigned i = 0; list && i < list->n; i++) {
		const struct eg_yaml_node *node = list->values[i];
		const char *text;
		if (!eg_read_one(r, node, "rows.operation", &text))
			continue;
		for (unsigned k = 0; k < l->n; k++)
			if (eg_bytes_equal(l->codes[k].from, eg_bytes_of(text)))
				EG_COMPLAIN(r, node, "rows.operation: '%s' stands in it twice", text);
		l->codes[l->n++] = (struct eg_code){.from = eg_bytes_of(text), .to = eg_bytes_of(means)};
	}
}

static void operation(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping *m = r->m;
	struct eg_keys k;
	enum eg_field_type ignored;
	if (!node || !eg_keys_read(r, node, EG_KEYS_OPERATION, "rows.operation", &k))
		return;
	const struct eg_yaml_node *asserts = k.at[EG_KEY_OPERATION_assert],
	                          *voids = k.at[EG_KEY_OPERATION_void],
	                          *otherwise = k.at[EG_KEY_OPERATION_otherwise];
	if (!k.at[EG_KEY_OPERATION_column])
		return;
	eg_read_pick(r, k.at[EG_KEY_OPERATION_column], "operation", NULL, 1u << EG_TYPE_TEXT, &m->operation,
	             &ignored);
	eg_read_steps(r, k.at[EG_KEY_OPERATION_apply], "rows.operation", &m->operation.n_steps,
	              &m->operation.steps);
	struct eg_code_list *l = eg_read_alloc(r, node, sizeof *l);
	if (!l)
		return;
	size_t n = (asserts ? asserts->n : 0) + (voids ? voids->n : 0);
	l->codes = eg_read_alloc(r, node, (n + 1) * sizeof *l->codes);
	if (l->codes && !n)
		EG_COMPLAIN(r, node, "rows.operation needs assert or void");
	if (l->codes) {
		add_operation(r, asserts, "ASSERT", l);
		add_operation(r, voids, "VOID", l);
		eg_code_list_sort(l);
	}
	m->operation.codes = l;
	if (otherwise && strcmp(otherwise->text, "assert") == 0) {
		m->operation.otherwise.kind = m->operation.empty.kind = EG_IN_STEAD_USE;
		m->operation.otherwise.use = m->operation.empty.use = eg_bytes_of("ASSERT");
	} else if (otherwise && strcmp(otherwise->text, "error") != 0) {
		EG_COMPLAIN(r, otherwise, "rows.operation.otherwise must be error or assert");
	}
	if (k.at[EG_KEY_OPERATION_void_version])
		eg_read_pick(r, k.at[EG_KEY_OPERATION_void_version], "version", NULL, POSITION,
		             &m->void_version, &m->void_version_type);
}

static void key_of(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_pick *key = &r->m->key;
	enum eg_field_type ignored;
	eg_read_pick(r, node, "source_key", NULL, 1u << EG_TYPE_TEXT, key, &ignored);
	key->escape = key->n_columns > 1;
	if (key->escape && !key->join.len)
		key->join = eg_bytes_of("/");
	if (key->from == EG_FROM_CONSTANT || key->from == EG_FROM_PLACE)
		EG_COMPLAIN(r, node, "rows.key must be made of columns, or all rows are one");
}

static void rows(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping *m = r->m;
	enum eg_field_type ignored;
	struct eg_keys k;
	m->rules.zone_s = 28800;
	if (!node || !eg_keys_read(r, node, EG_KEYS_ROWS, "rows", &k))
		return;
	const struct eg_yaml_node *zone = k.at[EG_KEY_ROWS_zone];
	if (zone && !zone_of(zone->text, &m->rules.zone_s))
		EG_COMPLAIN(r, zone, "rows.zone must be an offset such as +08:00");
	eg_read_steps(r, k.at[EG_KEY_ROWS_apply], "rows.apply", &m->rules.n_steps, &m->rules.steps);
	if (k.at[EG_KEY_ROWS_empty_words])
		eg_read_texts(r, k.at[EG_KEY_ROWS_empty_words], "rows.empty_words", &m->rules.n_empty,
		              &m->rules.empty);
	if (k.at[EG_KEY_ROWS_no_date])
		eg_read_texts(r, k.at[EG_KEY_ROWS_no_date], "rows.no_date", &m->rules.n_no_date,
		              &m->rules.no_date);
	if (k.at[EG_KEY_ROWS_key])
		key_of(r, k.at[EG_KEY_ROWS_key]);
	if (k.at[EG_KEY_ROWS_version])
		eg_read_pick(r, k.at[EG_KEY_ROWS_version], "version", NULL, POSITION, &m->version,
		             &m->version_type);
	if (k.at[EG_KEY_ROWS_event_time])
		eg_read_pick(r, k.at[EG_KEY_ROWS_event_time], "event_time", NULL,
		             1u << EG_TYPE_DATE | 1u << EG_TYPE_INSTANT, &m->event_time, &m->event_time_type);
	if (k.at[EG_KEY_ROWS_valid_from])
		eg_read_pick(r, k.at[EG_KEY_ROWS_valid_from], "valid_from", NULL, 1u << EG_TYPE_DATE,
		             &m->valid_from, &ignored);
	if (k.at[EG_KEY_ROWS_valid_to])
		eg_read_pick(r, k.at[EG_KEY_ROWS_valid_to], "valid_to", NULL, 1u << EG_TYPE_DATE,
		             &m->valid_to, &ignored);
	operation(r, k.at[EG_KEY_ROWS_operation]);
	required(r, k.at[EG_KEY_ROWS_require]);
	only(r, k.at[EG_KEY_ROWS_only]);
}

/* ---- fields ---- */

static int by_field(const void *a, const void *b)
{
	unsigned x = ((const struct eg_pick *)a)->field->number,
	         y = ((const struct eg_pick *)b)->field->number;
	return x < y ? -1 : x > y;
}

static void no_field(struct eg_reading *r, const struct eg_yaml_node *at)
{
	struct eg_hint hint = eg_hint_for(at->text);
	for (unsigned i = 1; i <= EG_FIELD_NUMBER_MAX; i++) {
		const struct eg_field_def *f = eg_field_by_number(r->m->info.section, i);
		eg_hint_try(&hint, f ? f->name : NULL);
	}
	EG_COMPLAIN(r, at, "%s has no field '%s'%s", eg_section_name(r->m->info.section), at->text,
	            eg_hint_text(&hint));
}

static void fields(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping *m = r->m;
	enum eg_field_type ignored;
	if (!node || !m->info.section)
		return;
	struct eg_pick *to = eg_read_alloc(r, node, node->n * sizeof *to);
	for (unsigned i = 0; to && i < node->n; i++) {
		const struct eg_field_def *f = eg_field_by_name(m->info.section, node->keys[i]->text);
		char name[80];
		if (!f) {
			no_field(r, node->keys[i]);
			continue;
		}
		snprintf(name, sizeof name, "%s.%s", eg_section_name(m->info.section), f->name);
		eg_read_pick(r, node->values[i], eg_read_copy(r, node, name), f, 1u << f->type,
		             &to[m->n_fields++], &ignored);
	}
	if (to && m->n_fields)
		qsort(to, m->n_fields, sizeof *to, by_field);
	m->fields = to;
	static const char *const joins[] = {"id_number", "name"};
	for (unsigned i = 0; i < 2; i++)
		if (!eg_yaml_get(node, joins[i]))
			EG_COMPLAIN(r, node, "fields needs %s: without it no record finds its person",
			            joins[i]);
}

/* ---- lists ---- */

void eg_read_regions(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                     const char *const **out)
{
	const struct eg_bytes *texts;
	unsigned count;
	const char **to = list ? eg_read_alloc(r, list, list->n * sizeof *to) : NULL;
	if (!to || !eg_read_texts(r, list, what, &count, &texts))
		return;
	for (unsigned i = 0; i < count; i++) {
		const char *text = (const char *)texts[i].p;
		size_t len = texts[i].len;
		if (!len || len > REGION_MAX || strspn(text, "0123456789") != len)
			EG_COMPLAIN(r, list->values[i], "%s: a region is 1 to %d digits", what, REGION_MAX);
		to[i] = text;
	}
	*n = count;
	*out = to;
}

static void lists(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping *m = r->m;
	struct eg_keys k;
	if (!node || !eg_keys_read(r, node, EG_KEYS_LIST, "list", &k))
		return;
	m->has_list = true;
	eg_read_regions(r, k.at[EG_KEY_LIST_regions], "list.regions", &m->n_regions, &m->regions);
	if (k.at[EG_KEY_LIST_regions] && m->info.section && !eg_section_has_region(m->info.section))
		EG_COMPLAIN(r, k.at[EG_KEY_LIST_regions],
		            "records of this section have no region, so its lists cover the whole dataset: "
		            "give each "
		            "district a dataset of its own and leave list.regions out");
	if (!k.at[EG_KEY_LIST_as_of])
		return;
	m->has_as_of = true;
	eg_read_pick(r, k.at[EG_KEY_LIST_as_of], "list.as_of", NULL, POSITION, &m->as_of, &m->as_of_type);
	if (m->as_of.from == EG_FROM_COLUMNS)
		EG_COMPLAIN(r, k.at[EG_KEY_LIST_as_of],
		            "list.as_of is of a whole list and cannot be a column; use place: true");
}

/* ---- the whole ---- */

static void code_lists(struct eg_reading *r, const struct eg_yaml_node *node)
{
	r->code_lists = node;
	for (unsigned i = 0; node && i < node->n; i++)
		if (node->values[i]->kind != EG_YAML_MAP)
			EG_COMPLAIN(r, node->values[i], "code_lists.%s must be a mapping of codes",
			            node->keys[i]->text);
}

static void read_file(struct eg_reading *r)
{
	struct eg_keys k;
	const struct eg_yaml_node *root = eg_yaml_root(r->y);
	if (!root) {
		EG_COMPLAIN(r, root, "the file is empty");
		return;
	}
	if (!eg_keys_read(r, root, EG_KEYS_FILE, "", &k))
		return;
	head(r, &k);
	code_lists(r, k.at[EG_KEY_FILE_code_lists]);
	rows(r, k.at[EG_KEY_FILE_rows]);
	fields(r, k.at[EG_KEY_FILE_fields]);
	if (k.at[EG_KEY_FILE_rows])
		optional(r, eg_yaml_get(k.at[EG_KEY_FILE_rows], "optional"));
	lists(r, k.at[EG_KEY_FILE_list]);
	eg_read_outbound(r, k.at[EG_KEY_FILE_outbound]);
}

static enum eg_rc read_yaml(struct eg_mapping **out, const struct eg_yaml *y,
                            const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                            struct eg_err *err)
{
	struct eg_mapping *m = calloc(1, sizeof *m);
	struct eg_complaints *own = c ? NULL : calloc(1, sizeof *own);
	struct eg_reading r = {.m = m, .y = y, .c = c ? c : own, .connectors = connectors};
	enum eg_rc rc;
	if (!m || !r.c || !(m->arena = eg_arena_new(ARENA_BYTES))) {
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a mapping");
	} else {
		const char *path = eg_yaml_path(y);
		m->info.path = eg_arena_text(m->arena, path, strlen(path));
		rc = m->info.path ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a mapping");
		if (!rc) {
			read_file(&r);
			rc = eg_complaints_end(r.c, err);
		}
	}
	free(own);
	if (rc)
		eg_mapping_free(m);
	else
		*out = m;
	return rc;
}

/* What cannot even be read as YAML is a complaint like any other. */
static enum eg_rc finish(struct eg_mapping **out, struct eg_yaml *y, enum eg_rc rc,
                         const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                         struct eg_err *err)
{
	if (c)
		*c = (struct eg_complaints){0};
	if (!rc)
		rc = read_yaml(out, y, connectors, c, err);
	else if (c)
		eg_complain_text(c, err->text);
	eg_yaml_close(y);
	return rc;
}

enum eg_rc eg_mapping_load(struct eg_mapping **out, const char *path,
                           const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                           struct eg_err *err)
{
	struct eg_yaml *y = NULL;
	struct eg_err own = {0};
	enum eg_rc rc = eg_yaml_open(&y, path, &own);
	rc = finish(out, y, rc, connectors, c, &own);
	if (rc && err)
		*err = own;
	return rc;
}

enum eg_rc eg_mapping_parse(struct eg_mapping **out, const char *path, struct eg_bytes text,
                            const struct eg_connector_type *const *connectors, struct eg_complaints *c,
                            struct eg_err *err)
{
	struct eg_yaml *y = NULL;
	struct eg_err own = {0};
	enum eg_rc rc = eg_yaml_parse(&y, path, text, &own);
	rc = finish(out, y, rc, connectors, c, &own);
	if (rc && err)
		*err = own;
	return rc;
}

void eg_mapping_free(struct eg_mapping *m)
{
	if (!m)
		return;
	eg_settings_free(m->source);
	eg_settings_free(m->target);
	eg_settings_free(m->agent);
	eg_arena_free(m->arena);
	free(m);
}

const struct eg_mapping_info *eg_mapping_info(const struct eg_mapping *m)
{
	return &m->info;
}

const struct eg_mapping_outbound *eg_mapping_outbound(const struct eg_mapping *m)
{
	return &m->out;
}
