/* pick: see pick.h. */
#include "common/pick.h"

#include "common/decimal.h"

#include <string.h>

void eg_pick_space_free(struct eg_pick_space *s)
{
	eg_work_free(&s->work);
	eg_buf_free(&s->joined);
}

struct eg_bytes eg_pick_column(const struct eg_pick_row *row, unsigned column)
{
	unsigned at = row->where[column];
	return at == EG_NO_VALUE ? (struct eg_bytes){0} : row->values[at];
}

static bool among(const struct eg_bytes *words, unsigned n, struct eg_bytes text)
{
	for (unsigned i = 0; i < n; i++)
		if (eg_bytes_equal(words[i], text))
			return true;
	return false;
}

static bool empty(const struct eg_pick_rules *rules, struct eg_bytes text)
{
	return !text.len || among(rules->empty, rules->n_empty, text);
}

static enum eg_fault run(const struct eg_step *steps, unsigned n, struct eg_work *w, struct eg_bytes *text)
{
	for (unsigned i = 0; i < n; i++) {
		enum eg_fault f = eg_step_run(&steps[i], w, text);
		if (f)
			return f;
		if (text->len > EG_VALUE_BYTES_MAX)
			return EG_FAULT_VALUE_TOO_LARGE;
	}
	return EG_FAULT_NONE;
}

static enum eg_fault one_column(const struct eg_pick_rules *rules, struct eg_bytes raw, struct eg_work *w,
                                struct eg_bytes *text)
{
	*text = raw;
	if (raw.len > EG_VALUE_BYTES_MAX)
		return EG_FAULT_VALUE_TOO_LARGE;
	if (raw.len && !eg_utf8_valid(raw))
		return memchr(raw.p, 0, raw.len) ? EG_FAULT_TEXT_NUL : EG_FAULT_TEXT_NOT_UTF8;
	return run(rules->steps, rules->n_steps, w, text);
}

static void add_part(const struct eg_pick *p, struct eg_bytes part, struct eg_buf *out)
{
	if (!p->escape) {
		eg_buf_add(out, part.p, part.len);
		return;
	}
	for (size_t i = 0; i < part.len; i++) {
		if (part.p[i] == '%' || (p->join.len && memchr(p->join.p, part.p[i], p->join.len)))
			eg_buf_printf(out, "%%%02X", part.p[i]);
		else
			eg_buf_add_u8(out, part.p[i]);
	}
}

/* Columns behind one another; of a key every one must be there, else the empty ones are passed over. */
static enum eg_fault joined(const struct eg_pick *p, const struct eg_pick_rules *rules,
                            const struct eg_pick_row *row, struct eg_pick_space *space, struct eg_bytes *text)
{
	bool any = false;
	eg_buf_reset(&space->joined);
	for (unsigned i = 0; i < p->n_columns; i++) {
		struct eg_bytes part;
		enum eg_fault f = one_column(rules, eg_pick_column(row, p->columns[i]), &space->work, &part);
		if (f)
			return f;
		if (empty(rules, part)) {
			if (!p->escape)
				continue;
			*text = (struct eg_bytes){0};
			return EG_FAULT_NONE;
		}
		if (any)
			eg_buf_add(&space->joined, p->join.p, p->join.len);
		any = true;
		add_part(p, part, &space->joined);
	}
	space->work.failed |= space->joined.failed;
	*text = eg_buf_bytes(&space->joined);
	return text->len > EG_VALUE_BYTES_MAX ? EG_FAULT_VALUE_TOO_LARGE : EG_FAULT_NONE;
}

static enum eg_fault source(const struct eg_pick *p, const struct eg_pick_rules *rules,
                            const struct eg_pick_row *row, struct eg_pick_space *space, struct eg_bytes *text)
{
	*text = (struct eg_bytes){0};
	switch (p->from) {
	case EG_FROM_NOTHING:
		return EG_FAULT_NONE;
	case EG_FROM_CONSTANT:
		*text = p->constant;
		return EG_FAULT_NONE;
	case EG_FROM_PLACE:
		*text = eg_bytes_of(row->place);
		return text->len && !eg_utf8_valid(*text) ? EG_FAULT_TEXT_NOT_UTF8 : EG_FAULT_NONE;
	case EG_FROM_COLUMNS:
		if (p->n_columns == 1)
			return one_column(rules, eg_pick_column(row, p->columns[0]), &space->work, text);
		return joined(p, rules, row, space, text);
	}
	return EG_FAULT_NONE;
}

/* What stands in for it; fault: what it would be if nothing does. */
static enum eg_fault stand_in(const struct eg_stand_in *s, enum eg_fault fault, struct eg_picked *out)
{
	switch (s->kind) {
	case EG_IN_STEAD_ERROR:
		return fault;
	case EG_IN_STEAD_ABSENT:
		out->state = EG_PICKED_ABSENT;
		break;
	case EG_IN_STEAD_CLEAR:
		out->state = EG_PICKED_CLEARED;
		break;
	case EG_IN_STEAD_USE:
		out->text = s->use;
		out->state = EG_PICKED_VALUE;
		break;
	case EG_IN_STEAD_KEEP:
		out->state = EG_PICKED_VALUE;
	}
	return EG_FAULT_NONE;
}

enum eg_fault eg_pick_text(const struct eg_pick *p, const struct eg_pick_rules *rules,
                           const struct eg_pick_row *row, struct eg_pick_space *space, struct eg_picked *out)
{
	*out = (struct eg_picked){.state = EG_PICKED_VALUE};
	enum eg_fault f = source(p, rules, row, space, &out->text);
	if (f)
		return f;
	if (empty(rules, out->text))
		return stand_in(&p->empty, EG_FAULT_REQUIRED_MISSING, out);
	f = run(p->steps, p->n_steps, &space->work, &out->text);
	if (f)
		return f;
	if (empty(rules, out->text))
		return stand_in(&p->empty, EG_FAULT_REQUIRED_MISSING, out);
	if (!p->codes)
		return EG_FAULT_NONE;
	const struct eg_code *code = eg_code_find(p->codes, out->text);
	if (!code)
		return stand_in(&p->otherwise, EG_FAULT_CODE_NOT_MAPPED, out);
	out->text = code->to;
	if (!out->text.len)
		return stand_in(&p->empty, EG_FAULT_REQUIRED_MISSING, out);
	return EG_FAULT_NONE;
}

/* ---- forms ---- */

static bool says_no_date(const struct eg_pick *p, const struct eg_pick_rules *rules, struct eg_bytes text,
                         struct eg_date d)
{
	static const struct eg_when automatic = {.automatic = true};
	struct eg_date no;
	if (!p->n_columns)
		return false;
	for (unsigned i = 0; i < rules->n_no_date; i++)
		if (eg_bytes_equal(rules->no_date[i], text) ||
		    (d.year && eg_when_date(&automatic, rules->no_date[i], &no) && eg_date_cmp(no, d) == 0))
			return true;
	return false;
}

static enum eg_fault as_date(const struct eg_pick *p, const struct eg_pick_rules *rules,
                             struct eg_picked *out)
{
	struct eg_date d = {0};
	bool found = false;
	for (unsigned i = 0; i < p->n_forms && !found; i++)
		found = eg_when_date(&p->forms[i], out->text, &d);
	if (says_no_date(p, rules, out->text, found ? d : (struct eg_date){0})) {
		out->state = EG_PICKED_ABSENT;
		return EG_FAULT_NONE;
	}
	if (!found)
		return EG_FAULT_DATE_INVALID;
	if (p->month)
		d.day = 0;
	out->i = eg_date_pack(d);
	return EG_FAULT_NONE;
}

static enum eg_fault as_instant(const struct eg_pick *p, const struct eg_pick_rules *rules,
                                struct eg_picked *out)
{
	bool found = false;
	for (unsigned i = 0; i < p->n_forms && !found; i++)
		found = eg_when_instant(&p->forms[i], out->text, rules->zone_s, &out->i);
	struct eg_date d = found ? eg_date_of_instant(out->i, rules->zone_s) : (struct eg_date){0};
	if (says_no_date(p, rules, out->text, d)) {
		out->state = EG_PICKED_ABSENT;
		return EG_FAULT_NONE;
	}
	return found ? EG_FAULT_NONE : EG_FAULT_TIME_INVALID;
}

enum eg_fault eg_pick_form(const struct eg_pick *p, enum eg_field_type type,
                           const struct eg_pick_rules *rules, struct eg_bytes text, struct eg_picked *out)
{
	const struct eg_code *code;
	*out = (struct eg_picked){.state = EG_PICKED_VALUE, .text = text};
	switch (type) {
	case EG_TYPE_TEXT:
	case EG_TYPE_CODE:
		return EG_FAULT_NONE;
	case EG_TYPE_ENUM:
		code = eg_code_find(p->names, text);
		out->i = code ? code->number : 0;
		return code ? EG_FAULT_NONE : EG_FAULT_ENUM_UNKNOWN;
	case EG_TYPE_INT:
		if (p->amount)
			return eg_amount(text, p->scale, &out->i) ? EG_FAULT_NONE : EG_FAULT_AMOUNT_INVALID;
		return eg_decimal(text, 0, &out->i) ? EG_FAULT_NONE : EG_FAULT_NUMBER_INVALID;
	case EG_TYPE_DATE:
		return as_date(p, rules, out);
	case EG_TYPE_INSTANT:
		return as_instant(p, rules, out);
	}
	return EG_FAULT_NONE;
}

enum eg_fault eg_pick_value(const struct eg_pick *p, enum eg_field_type type,
                            const struct eg_pick_rules *rules, const struct eg_pick_row *row,
                            struct eg_pick_space *space, struct eg_picked *out)
{
	enum eg_fault f = eg_pick_text(p, rules, row, space, out);
	if (f || out->state != EG_PICKED_VALUE || type == EG_TYPE_TEXT || type == EG_TYPE_CODE)
		return f;
	f = eg_pick_form(p, type, rules, out->text, out);
	if (!f && out->state == EG_PICKED_ABSENT)
		f = stand_in(&p->empty, EG_FAULT_REQUIRED_MISSING, out);
	else if (f)
		f = stand_in(&p->otherwise, f, out);
	else
		return f;
	return f || out->state != EG_PICKED_VALUE ? f : eg_pick_form(p, type, rules, out->text, out);
}
