/* pick_read: how one value is made, read from its part of a mapping file. */
#include "common/enums.h"
#include "common/mapping_read.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 16, STEP_TEXT_MAX = 200, PAD_MAX = 64, FORMS_MAX = 16, WHAT_MAX = 120 };

/* ---- apply ---- */

static const struct eg_yaml_node *argument(struct eg_reading *r, const struct eg_yaml_node *args,
                                           const char *step, const char *key, bool needed)
{
	const struct eg_yaml_node *v = eg_yaml_get(args, key);
	if (v && v->kind != EG_YAML_VALUE)
		EG_COMPLAIN(r, v, "%s.%s must be a single value", step, key);
	else if (!v && needed)
		EG_COMPLAIN(r, args, "%s needs %s", step, key);
	return v && v->kind == EG_YAML_VALUE ? v : NULL;
}

static struct eg_bytes text_argument(struct eg_reading *r, const struct eg_yaml_node *args, const char *step,
                                     const char *key, bool may_be_empty)
{
	const struct eg_yaml_node *v = argument(r, args, step, key, true);
	if (!v)
		return (struct eg_bytes){0};
	if ((!*v->text && !may_be_empty) || strlen(v->text) > STEP_TEXT_MAX)
		EG_COMPLAIN(r, v, "%s.%s must be a text of %d to %d bytes", step, key, !may_be_empty,
		            STEP_TEXT_MAX);
	return eg_bytes_of(eg_read_copy(r, v, v->text));
}

static int64_t number_argument(struct eg_reading *r, const struct eg_yaml_node *args, const char *step,
                               const char *key, int64_t low, int64_t high, int64_t preset)
{
	const struct eg_yaml_node *v = argument(r, args, step, key, !preset);
	int64_t n = preset;
	if (v && (!eg_parse_int(v->text, &n) || n < low || n > high || !n))
		EG_COMPLAIN(r, v, "%s.%s must be a whole number from %lld to %lld%s", step, key,
		            (long long)low, (long long)high, low < 0 ? ", not 0" : "");
	return n;
}

static void only_keys(struct eg_reading *r, const struct eg_yaml_node *args, const char *step, const char *a,
                      const char *b)
{
	for (unsigned i = 0; i < args->n; i++) {
		struct eg_hint hint = eg_hint_for(args->keys[i]->text);
		if (strcmp(args->keys[i]->text, a) == 0 || (b && strcmp(args->keys[i]->text, b) == 0))
			continue;
		eg_hint_try(&hint, a);
		eg_hint_try(&hint, b);
		EG_COMPLAIN(r, args->keys[i], "unknown key '%s' of %s%s", args->keys[i]->text, step,
		            eg_hint_text(&hint));
	}
}

static void arguments(struct eg_reading *r, const struct eg_yaml_node *args, struct eg_step *s)
{
	const char *step = eg_step_name(s->kind);
	const struct eg_yaml_node *with;
	if (eg_step_arguments(s->kind) != EG_ARGS_TEXT && args->kind != EG_YAML_MAP) {
		EG_COMPLAIN(r, args, "%s %s", step, eg_step_doc(s->kind));
		return;
	}
	switch (eg_step_arguments(s->kind)) {
	case EG_ARGS_NONE:
		break;
	case EG_ARGS_TEXT:
		if (args->kind != EG_YAML_VALUE || !*args->text || strlen(args->text) > STEP_TEXT_MAX)
			EG_COMPLAIN(r, args, "%s must be a text of 1 to %d bytes", step, STEP_TEXT_MAX);
		else
			s->a = eg_bytes_of(eg_read_copy(r, args, args->text));
		break;
	case EG_ARGS_TO_WITH:
		only_keys(r, args, step, "to", "with");
		s->i = number_argument(r, args, step, "to", 1, PAD_MAX, 0);
		with = argument(r, args, step, "with", false);
		if (with && (strlen(with->text) != 1 || *with->text < '0' || *with->text > '9'))
			EG_COMPLAIN(r, with, "pad.with must be one digit");
		s->a = eg_bytes_of(with ? eg_read_copy(r, with, with->text) : "0");
		break;
	case EG_ARGS_BY_PART:
		only_keys(r, args, step, "by", "part");
		s->a = text_argument(r, args, step, "by", false);
		s->i = number_argument(r, args, step, "part", -1000, 1000, 0);
		break;
	case EG_ARGS_FROM_LENGTH:
		only_keys(r, args, step, "from", "length");
		s->i = number_argument(r, args, step, "from", 1, EG_VALUE_BYTES_MAX, 0);
		if (eg_yaml_get(args, "length"))
			s->j = number_argument(r, args, step, "length", 1, EG_VALUE_BYTES_MAX, 0);
		break;
	case EG_ARGS_FROM_TO:
		only_keys(r, args, step, "from", "to");
		s->a = text_argument(r, args, step, "from", false);
		s->b = text_argument(r, args, step, "to", true);
		break;
	case EG_ARGS_BY:
		only_keys(r, args, step, "by", NULL);
		s->a = text_argument(r, args, step, "by", false);
	}
}

static bool kind_of_step(struct eg_reading *r, const struct eg_yaml_node *at, const char *name,
                         enum eg_step_kind *out)
{
	struct eg_hint hint = eg_hint_for(name);
	for (*out = 0; *out < EG_STEP_END; ++*out) {
		if (strcmp(eg_step_name(*out), name) == 0)
			return true;
		eg_hint_try(&hint, eg_step_name(*out));
	}
	EG_COMPLAIN(r, at, "unknown transform '%s'%s", name, eg_hint_text(&hint));
	return false;
}

void eg_read_steps(struct eg_reading *r, const struct eg_yaml_node *list, const char *what, unsigned *n,
                   const struct eg_step **out)
{
	if (!list)
		return;
	struct eg_step *steps = eg_read_alloc(r, list, (list->n + 1) * sizeof *steps);
	if (list->n > STEPS_MAX)
		EG_COMPLAIN(r, list, "%s has more than %d transforms", what, STEPS_MAX);
	for (unsigned i = 0; steps && i < list->n && i < STEPS_MAX; i++) {
		const struct eg_yaml_node *item = list->values[i];
		struct eg_step *s = &steps[*n];
		if (item->kind == EG_YAML_VALUE) {
			if (!kind_of_step(r, item, item->text, &s->kind))
				continue;
			if (eg_step_arguments(s->kind) != EG_ARGS_NONE)
				EG_COMPLAIN(r, item, "%s %s", item->text, eg_step_doc(s->kind));
		} else if (item->kind == EG_YAML_MAP && item->n == 1) {
			if (!kind_of_step(r, item->keys[0], item->keys[0]->text, &s->kind))
				continue;
			if (eg_step_arguments(s->kind) == EG_ARGS_NONE)
				EG_COMPLAIN(r, item->values[0], "%s takes nothing: write it alone",
				            item->keys[0]->text);
			else
				arguments(r, item->values[0], s);
		} else {
			EG_COMPLAIN(r, item, "%s: a transform is a name, or one name with what it takes",
			            what);
			continue;
		}
		++*n;
	}
	*out = steps;
}

/* ---- codes ---- */

static const struct eg_yaml_node *list_of_name(struct eg_reading *r, const struct eg_yaml_node *node,
                                               const char *what)
{
	const struct eg_yaml_node *list = r->code_lists ? eg_yaml_get(r->code_lists, node->text) : NULL;
	struct eg_hint hint = eg_hint_for(node->text);
	for (unsigned i = 0; r->code_lists && i < r->code_lists->n; i++)
		eg_hint_try(&hint, r->code_lists->keys[i]->text);
	if (!list)
		EG_COMPLAIN(r, node, "%s: there is no code list '%s' in code_lists%s", what, node->text,
		            eg_hint_text(&hint));
	return list && list->kind == EG_YAML_MAP ? list : NULL;
}

const struct eg_code_list *eg_read_codes(struct eg_reading *r, const struct eg_yaml_node *node,
                                         const char *what, const ProtobufCEnumDescriptor *names)
{
	if (node && node->kind == EG_YAML_LIST)
		EG_COMPLAIN(r, node, "%s must be a mapping of codes, or the name of one of code_lists", what);
	if (node && node->kind == EG_YAML_VALUE)
		node = list_of_name(r, node, what);
	if (!node || node->kind != EG_YAML_MAP)
		return NULL;
	struct eg_code_list *l = eg_read_alloc(r, node, sizeof *l);
	struct eg_code *codes = eg_read_alloc(r, node, node->n * sizeof *codes);
	if (!node->n)
		EG_COMPLAIN(r, node, "%s has no codes", what);
	for (unsigned i = 0; l && codes && i < node->n; i++) {
		const struct eg_yaml_node *to = node->values[i];
		struct eg_code *c = &codes[l->n];
		if (to->kind != EG_YAML_VALUE) {
			EG_COMPLAIN(r, to, "%s: a code becomes a single value", what);
			continue;
		}
		struct eg_hint hint = eg_hint_for(to->text);
		if (names && *to->text && !eg_enum_number(names, to->text, &hint))
			EG_COMPLAIN(r, to, "%s: '%s' is no value of this field%s", what, to->text,
			            eg_hint_text(&hint));
		c->from = eg_bytes_of(eg_read_copy(r, node->keys[i], node->keys[i]->text));
		c->to = eg_bytes_of(eg_read_copy(r, to, to->text));
		l->n++;
	}
	if (l) {
		l->codes = codes;
		eg_code_list_sort(l);
	}
	return l;
}

static const struct eg_code_list *names_of(struct eg_reading *r, const struct eg_yaml_node *at,
                                           const ProtobufCEnumDescriptor *d)
{
	struct eg_code_list *l = eg_read_alloc(r, at, sizeof *l);
	struct eg_code *codes = eg_read_alloc(r, at, d->n_values * sizeof *codes);
	const char *name;
	int number;
	for (unsigned i = 0; l && codes && (name = eg_enum_name(d, i, &number)); i++)
		codes[l->n++] = (struct eg_code){eg_bytes_of(name), eg_bytes_of(name), number};
	if (l) {
		l->codes = codes;
		eg_code_list_sort(l);
	}
	return l;
}

/* ---- what stands in ---- */

void eg_read_stand_in(struct eg_reading *r, const struct eg_yaml_node *node, const char *what,
                      const char *choices, struct eg_stand_in *out)
{
	static const char *const words[] = {[EG_IN_STEAD_ERROR] = "error",
	                                    [EG_IN_STEAD_ABSENT] = "absent",
	                                    [EG_IN_STEAD_CLEAR] = "clear",
	                                    [EG_IN_STEAD_KEEP] = "keep"};
	if (!node)
		return;
	const struct eg_yaml_node *use = eg_yaml_get(node, "use");
	if (use && node->n == 1 && use->kind == EG_YAML_VALUE && *use->text) {
		out->kind = EG_IN_STEAD_USE;
		out->use = eg_bytes_of(eg_read_copy(r, use, use->text));
		return;
	}
	for (unsigned i = 0; node->kind == EG_YAML_VALUE && i < sizeof words / sizeof *words; i++)
		if (strcmp(words[i], node->text) == 0 && strstr(choices, node->text)) {
			out->kind = (enum eg_stand_in_kind)i;
			return;
		}
	EG_COMPLAIN(r, node, "%s must be %s, or {use: TEXT}", what, choices);
}

/* ---- where it is read ---- */

static void columns(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_pick *out)
{
	unsigned n = node->kind == EG_YAML_LIST ? node->n : 1;
	unsigned *to = eg_read_alloc(r, node, n * sizeof *to);
	if (!n || n > EG_PICK_COLUMNS_MAX) {
		EG_COMPLAIN(r, node, "%s must name 1 to %d columns", out->name, EG_PICK_COLUMNS_MAX);
		return;
	}
	for (unsigned i = 0; to && i < n; i++)
		to[i] = eg_read_column(r, node->kind == EG_YAML_LIST ? node->values[i] : node, out->name);
	out->from = EG_FROM_COLUMNS;
	out->n_columns = to ? n : 0;
	out->columns = to;
	if (to && r->m->n_columns)
		out->column = r->m->columns[to[0]].name;
}

static void where_from(struct eg_reading *r, const struct eg_keys *k, struct eg_pick *out)
{
	const struct eg_yaml_node *column = k->at[EG_KEY_VALUE_column], *many = k->at[EG_KEY_VALUE_columns],
	                          *constant = k->at[EG_KEY_VALUE_constant],
	                          *place = k->at[EG_KEY_VALUE_place], *join = k->at[EG_KEY_VALUE_join];
	int64_t yes = 0;
	if (!!column + !!many + !!constant + !!place != 1) {
		EG_COMPLAIN(r, k->node, "%s needs one of column, columns, constant, place", out->name);
		return;
	}
	if (column || many)
		columns(r, column ? column : many, out);
	if (join && !many)
		EG_COMPLAIN(r, join, "%s: join goes with columns", out->name);
	else if (join && strlen(join->text) > STEP_TEXT_MAX)
		EG_COMPLAIN(r, join, "%s: join is longer than %d bytes", out->name, STEP_TEXT_MAX);
	else if (join)
		out->join = eg_bytes_of(eg_read_copy(r, join, join->text));
	if (constant && !*constant->text)
		EG_COMPLAIN(r, constant, "%s: the constant is empty: leave the field out", out->name);
	if (constant) {
		out->from = EG_FROM_CONSTANT;
		out->constant = eg_bytes_of(eg_read_copy(r, constant, constant->text));
	}
	if (place) {
		out->from = EG_FROM_PLACE;
		if (!eg_parse_bool(place->text, &yes) || !yes)
			EG_COMPLAIN(r, place, "%s: place can only be true", out->name);
	}
}

/* ---- the form ---- */

static void forms(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_pick *out)
{
	static const struct eg_when automatic = {.automatic = true};
	unsigned n = node && node->kind == EG_YAML_LIST ? node->n : 1;
	if (!node) {
		out->forms = &automatic;
		out->n_forms = 1;
		return;
	}
	struct eg_when *to = eg_read_alloc(r, node, n * sizeof *to);
	if (!n || n > FORMS_MAX) {
		EG_COMPLAIN(r, node, "%s must have 1 to %d formats", out->name, FORMS_MAX);
		return;
	}
	for (unsigned i = 0; to && i < n; i++) {
		const struct eg_yaml_node *item = node->kind == EG_YAML_LIST ? node->values[i] : node;
		const char *why;
		if (item->kind != EG_YAML_VALUE)
			EG_COMPLAIN(r, item, "%s: a format must be a single value", out->name);
		else if (!eg_when_compile(item->text, &to[i], &why))
			EG_COMPLAIN(r, item, "%s: the format %s", out->name, why);
	}
	out->forms = to;
	out->n_forms = to ? n : 0;
}

static void amount(struct eg_reading *r, const struct eg_yaml_node *node, struct eg_pick *out)
{
	static const struct {
		const char *unit;
		unsigned scale;
	} units[] = {{"fen", 0}, {"yuan", 2}, {"wan", 6}};
	for (unsigned i = 0; i < sizeof units / sizeof *units; i++)
		if (strcmp(units[i].unit, node->text) == 0) {
			out->amount = true;
			out->scale = units[i].scale;
			return;
		}
	EG_COMPLAIN(r, node, "%s: amount must be yuan, fen or wan", out->name);
}

static void form(struct eg_reading *r, const struct eg_keys *k, unsigned types, struct eg_pick *out,
                 enum eg_field_type *type)
{
	static const struct {
		enum eg_key key;
		enum eg_field_type type;
		const char *name;
	} asks[] = {{EG_KEY_VALUE_date, EG_TYPE_DATE, "date"},
	            {EG_KEY_VALUE_month, EG_TYPE_DATE, "month"},
	            {EG_KEY_VALUE_instant, EG_TYPE_INSTANT, "instant"},
	            {EG_KEY_VALUE_amount, EG_TYPE_INT, "amount"}};
	static const char *const kinds[] = {
	        [EG_TYPE_TEXT] = "a text",  [EG_TYPE_CODE] = "a code", [EG_TYPE_ENUM] = "a code",
	        [EG_TYPE_INT] = "a number", [EG_TYPE_DATE] = "a date", [EG_TYPE_INSTANT] = "an instant"};
	const struct eg_yaml_node *said = NULL;
	for (*type = EG_TYPE_TEXT; !(types & 1u << *type); ++*type)
		;
	for (unsigned i = 0; i < sizeof asks / sizeof *asks; i++) {
		const struct eg_yaml_node *node = k->at[asks[i].key];
		if (!node)
			continue;
		if (said)
			EG_COMPLAIN(r, node, "%s: only one of date, month, instant, amount", out->name);
		else if (!(types & 1u << asks[i].type) || (asks[i].type == EG_TYPE_INT && !out->field))
			EG_COMPLAIN(r, node, "%s is %s, so '%s' does not go with it", out->name, kinds[*type],
			            asks[i].name);
		else
			*type = asks[i].type;
		said = node;
	}
	if (!said && types == (1u << EG_TYPE_DATE | 1u << EG_TYPE_INSTANT))
		*type = EG_TYPE_INSTANT;
	out->month = k->at[EG_KEY_VALUE_month] != NULL;
	if (*type == EG_TYPE_DATE || *type == EG_TYPE_INSTANT)
		forms(r, said, out);
	else if (*type == EG_TYPE_INT && k->at[EG_KEY_VALUE_amount])
		amount(r, k->at[EG_KEY_VALUE_amount], out);
}

/* What stands in must have the form itself, as must a constant. */
static void fits(struct eg_reading *r, const struct eg_yaml_node *at, const struct eg_pick *p,
                 enum eg_field_type type, struct eg_bytes text, const char *what)
{
	struct eg_picked got;
	struct eg_hint hint = eg_hint_for((const char *)text.p);
	if (!eg_pick_form(p, type, &r->m->rules, text, &got))
		return;
	if (type == EG_TYPE_ENUM)
		eg_enum_number(eg_enum_of(p->field), (const char *)text.p, &hint);
	EG_COMPLAIN(r, at, "%s: '%s' in %s does not fit the field%s", p->name, (const char *)text.p, what,
	            eg_hint_text(&hint));
}

static void check_texts(struct eg_reading *r, const struct eg_keys *k, const struct eg_pick *p,
                        enum eg_field_type type)
{
	bool dated = type == EG_TYPE_DATE || type == EG_TYPE_INSTANT;
	if (dated && !p->n_forms)
		return; /* complained of already */
	if (p->empty.kind == EG_IN_STEAD_USE)
		fits(r, k->at[EG_KEY_VALUE_empty], p, type, p->empty.use, "empty");
	if (p->otherwise.kind == EG_IN_STEAD_USE)
		fits(r, k->at[EG_KEY_VALUE_otherwise], p, type, p->otherwise.use, "otherwise");
	if (p->from == EG_FROM_CONSTANT && !p->codes && !p->n_steps)
		fits(r, k->at[EG_KEY_VALUE_constant], p, type, p->constant, "constant");
}

void eg_read_pick(struct eg_reading *r, const struct eg_yaml_node *node, const char *name,
                  const struct eg_field_def *field, unsigned types, struct eg_pick *out,
                  enum eg_field_type *type)
{
	struct eg_keys k = {.node = node};
	char what[WHAT_MAX];
	const ProtobufCEnumDescriptor *names = field ? eg_enum_of(field) : NULL;
	bool must = !field && types & (1u << EG_TYPE_INT | 1u << EG_TYPE_TEXT);
	*out = (struct eg_pick){.name = name, .column = "", .field = field, .line = node->line};
	out->empty.kind = must ? EG_IN_STEAD_ERROR : EG_IN_STEAD_ABSENT;
	if (node->kind == EG_YAML_MAP) {
		if (!eg_keys_read(r, node, EG_KEYS_VALUE, name, &k))
			return;
		where_from(r, &k, out);
	} else {
		columns(r, node, out);
	}
	form(r, &k, types, out, type);
	eg_read_steps(r, k.at[EG_KEY_VALUE_apply], name, &out->n_steps, &out->steps);
	snprintf(what, sizeof what, "%s.codes", name);
	out->codes = eg_read_codes(r, k.at[EG_KEY_VALUE_codes], what, names);
	if (names)
		out->names = names_of(r, node, names);
	snprintf(what, sizeof what, "%s.empty", name);
	eg_read_stand_in(r, k.at[EG_KEY_VALUE_empty], what, field ? "absent, clear, error" : "absent, error",
	                 &out->empty);
	snprintf(what, sizeof what, "%s.otherwise", name);
	eg_read_stand_in(r, k.at[EG_KEY_VALUE_otherwise], what,
	                 out->codes && !names ? "error, absent, keep" : "error, absent", &out->otherwise);
	check_texts(r, &k, out, *type);
}
