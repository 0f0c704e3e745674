/* outbound_read: what goes back to the agency, read from its part of a mapping file. */
#include "common/enums.h"
#include "common/mapping_read.h"
#include "common/settings.h"
#include "eldergate/v1/event.pb-c.h"
#include "model/person.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

enum { WHAT_MAX = 120 };

static const char *const attributes[] = {
#define X(name, doc) #name,
#include "common/attributes.def"
};

static unsigned attribute(const char *name, struct eg_hint *hint)
{
	unsigned i = 0;
	for (; i < EG_ATTRIBUTE_END; i++) {
		if (strcmp(attributes[i], name) == 0)
			break;
		eg_hint_try(hint, attributes[i]);
	}
	return i;
}

static void from_attribute(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_out_column *out)
{
	struct eg_hint hint = eg_hint_for(node->text);
	out->from = EG_OUT_ATTRIBUTE;
	out->attribute = attribute(node->text, &hint);
	if (out->attribute == EG_ATTRIBUTE_END)
		EG_COMPLAIN(r, node, "%s: an event has no '%s'%s", out->pick.name, node->text,
		            eg_hint_text(&hint));
}

static bool view_field(struct eg_reading *r, const struct eg_yaml_node *node, const char *what)
{
	struct eg_hint hint = eg_hint_for(node->text);
	if (eg_view_field_by_name(node->text))
		return true;
	for (int s = 1; s < EG_SECTION_END; s++)
		for (unsigned i = 1; i <= EG_FIELD_NUMBER_MAX; i++) {
			const struct eg_field_def *f = eg_field_by_number((enum eg_section)s, i);
			static char name[EG_SECTION_END][EG_FIELD_NUMBER_MAX + 1][80];
			if (!f)
				continue;
			snprintf(name[s][i], sizeof name[s][i], "%s.%s", eg_section_name((enum eg_section)s),
			         f->name);
			if (eg_view_field_by_name(name[s][i]))
				eg_hint_try(&hint, name[s][i]);
		}
	EG_COMPLAIN(r, node, "%s: there is no field '%s'; fields are named section.field%s", what, node->text,
	            eg_hint_text(&hint));
	return false;
}

static void from_field(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_out_column *out)
{
	out->from = EG_OUT_FIELD;
	out->field = eg_read_copy(r, node, node->text);
	view_field(r, node, out->pick.name);
}

static bool dated(const struct eg_out_column *c)
{
	unsigned f = c->field ? eg_view_field_by_name(c->field) : 0;
	enum eg_field_type type = f ? eg_view_field_type(f) : EG_TYPE_TEXT;
	if (c->from == EG_OUT_ATTRIBUTE)
		return c->attribute == EG_ATTRIBUTE_time || c->attribute == EG_ATTRIBUTE_source_time;
	return type == EG_TYPE_DATE || type == EG_TYPE_INSTANT;
}

static void column_map(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_out_column *out)
{
	struct eg_keys k;
	char what[WHAT_MAX];
	const char *why = NULL;
	if (!eg_keys_read(r, node, EG_KEYS_COLUMN, out->pick.name, &k))
		return;
	const struct eg_yaml_node *event = k.at[EG_KEY_COLUMN_event], *field = k.at[EG_KEY_COLUMN_field],
	                          *constant = k.at[EG_KEY_COLUMN_constant],
	                          *format = k.at[EG_KEY_COLUMN_format];
	if (!!event + !!field + !!constant != 1) {
		EG_COMPLAIN(r, node, "%s needs one of event, field, constant", out->pick.name);
		return;
	}
	if (event)
		from_attribute(r, event, out);
	if (field)
		from_field(r, field, out);
	if (constant) {
		out->from = EG_OUT_CONSTANT;
		out->pick.constant = eg_bytes_of(eg_read_copy(r, constant, constant->text));
	}
	eg_read_steps(r, k.at[EG_KEY_COLUMN_apply], out->pick.name, &out->pick.n_steps, &out->pick.steps);
	snprintf(what, sizeof what, "%s.codes", out->pick.name);
	out->pick.codes = eg_read_codes(r, k.at[EG_KEY_COLUMN_codes], what, NULL);
	snprintf(what, sizeof what, "%s.empty", out->pick.name);
	eg_read_stand_in(r, k.at[EG_KEY_COLUMN_empty], what, "absent, error", &out->pick.empty);
	snprintf(what, sizeof what, "%s.otherwise", out->pick.name);
	eg_read_stand_in(r, k.at[EG_KEY_COLUMN_otherwise], what, "error, absent, keep", &out->pick.otherwise);
	if (format && !dated(out))
		EG_COMPLAIN(r, format, "%s: format goes with a date or an instant", out->pick.name);
	else if (format && !eg_when_compile(format->text, &out->form, &why))
		EG_COMPLAIN(r, format, "%s: the format %s", out->pick.name, why);
}

/* Every field that a column shows, once. */
static void shown(struct eg_reading *r, const struct eg_yaml_node *map, const struct eg_out_column *columns)
{
	struct eg_mapping_outbound *o = &r->m->out;
	const char **to = eg_read_alloc(r, map, map->n * sizeof *to);
	for (unsigned i = 0; to && i < map->n; i++) {
		bool known = columns[i].from != EG_OUT_FIELD;
		for (unsigned k = 0; k < o->n_fields && !known; k++)
			known = strcmp(to[k], columns[i].field) == 0;
		if (!known)
			to[o->n_fields++] = columns[i].field;
	}
	o->fields = to;
}

static void columns(struct eg_reading *r, const struct eg_yaml_node *map)
{
	struct eg_mapping *m = r->m;
	const char **names = map ? eg_read_alloc(r, map, map->n * sizeof *names) : NULL;
	struct eg_out_column *to = map ? eg_read_alloc(r, map, map->n * sizeof *to) : NULL;
	if (map && (!map->n || map->n > EG_COLUMNS_MAX))
		EG_COMPLAIN(r, map, "outbound.columns must have 1 to %d columns", EG_COLUMNS_MAX);
	for (unsigned i = 0; names && to && i < map->n; i++) {
		const struct eg_yaml_node *node = map->values[i];
		names[i] = eg_read_copy(r, map->keys[i], map->keys[i]->text);
		if (!*names[i])
			EG_COMPLAIN(r, map->keys[i], "outbound.columns: the name of a column is empty");
		to[i].pick = (struct eg_pick){.name = names[i], .column = names[i], .line = node->line};
		to[i].pick.empty.kind = EG_IN_STEAD_ABSENT;
		to[i].form.automatic = true;
		if (node->kind == EG_YAML_MAP)
			column_map(r, node, &to[i]);
		else if (node->kind == EG_YAML_LIST)
			EG_COMPLAIN(r, node, "outbound.columns.%s must be a name, or a mapping", names[i]);
		else if (strchr(node->text, '.') || eg_view_field_by_name(node->text))
			from_field(r, node, &to[i]);
		else
			from_attribute(r, node, &to[i]);
	}
	if (!names || !to)
		return;
	shown(r, map, to);
	m->n_out_columns = m->out.n_columns = map->n;
	m->out_columns = to;
	m->out.columns = names;
}

static void changed(struct eg_reading *r, const struct eg_yaml_node *list, bool life)
{
	struct eg_mapping_outbound *o = &r->m->out;
	unsigned n = list ? list->n : 0;
	const char **to = (list || life)
	                          ? eg_read_alloc(r, list ? list : eg_yaml_root(r->y), (n + 1) * sizeof *to)
	                          : NULL;
	const char *text;
	for (unsigned i = 0; to && i < n; i++)
		if (eg_read_one(r, list->values[i], "outbound.changed", &text) &&
		    view_field(r, list->values[i], "outbound.changed"))
			to[o->n_changed_fields++] = text;
	/* Without a list of its own, `life` is what has to have changed; with one, that is looked at here. */
	if (to && life && !n)
		to[o->n_changed_fields++] = "life_status";
	o->changed_fields = to;
}

void eg_read_outbound(struct eg_reading *r, const struct eg_yaml_node *node)
{
	struct eg_mapping *m = r->m;
	struct eg_keys k;
	int64_t yes = 0;
	if (!node || !eg_keys_read(r, node, EG_KEYS_OUTBOUND, "outbound", &k))
		return;
	const struct eg_yaml_node *connector = k.at[EG_KEY_OUTBOUND_connector],
	                          *purpose = k.at[EG_KEY_OUTBOUND_purpose],
	                          *kinds = k.at[EG_KEY_OUTBOUND_kinds], *life = k.at[EG_KEY_OUTBOUND_life],
	                          *snapshot = k.at[EG_KEY_OUTBOUND_snapshot];
	m->info.has_outbound = true;
	m->out.purpose = purpose ? eg_read_copy(r, purpose, purpose->text) : "";
	m->out.connector = connector ? eg_read_connector(r, connector) : m->info.connector;
	if (m->out.connector && !m->out.connector->target_settings)
		EG_COMPLAIN(r, connector ? connector : node, "the connector %s cannot deliver",
		            m->out.connector->name);
	else if (m->out.connector)
		eg_settings_make(&m->target, r->y, k.at[EG_KEY_OUTBOUND_target], node, "outbound.target",
		                 m->out.connector->target_settings, r->c);
	m->out.target = m->target;
	if (kinds)
		eg_read_enums(r, kinds, "outbound.kinds", &eldergate__v1__change_kind__descriptor,
		              &m->out.n_kinds, &m->out.kinds);
	if (life)
		eg_read_enums(r, life, "outbound.life", &eldergate__v1__life_status__descriptor, &m->n_life,
		              &m->life);
	changed(r, k.at[EG_KEY_OUTBOUND_changed], life != NULL);
	eg_read_regions(r, k.at[EG_KEY_OUTBOUND_regions], "outbound.regions", &m->out.n_regions,
	                &m->out.regions);
	if (snapshot && !eg_parse_bool(snapshot->text, &yes))
		EG_COMPLAIN(r, snapshot, "outbound.snapshot must be true or false");
	m->out.snapshot = yes != 0;
	columns(r, k.at[EG_KEY_OUTBOUND_columns]);
}
