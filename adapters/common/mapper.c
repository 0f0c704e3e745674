/* mapper: see mapper.h. */
#include "common/mapper.h"

#include "common/hint.h"
#include "common/mapping_parts.h"
#include "common/private_use.h"
#include "common/record_write.h"
#include "model/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DAY_S = 86400 };

struct eg_mapper {
	const struct eg_mapping *m;
	bool bound;
	uint64_t generation;
	unsigned n_values;
	unsigned where[EG_COLUMNS_MAX]; /* which value each of the mapping's columns is */
	bool lacks[EG_COLUMNS_MAX];     /* of each: an open source has not had it, and it is not optional */
	unsigned n_lacks;
	struct eg_pick_space space;
	struct eg_buf section, record, key;
	struct eg_bytes *values; /* of a row with characters that moved: those of the source, or in written */
	unsigned cap_values;
	struct eg_buf written;
	const char *cleared[EG_FIELD_NUMBER_MAX + 1];
	unsigned n_cleared;
};

enum eg_rc eg_mapper_new(struct eg_mapper **out, const struct eg_mapping *m, struct eg_err *err)
{
	struct eg_mapper *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a mapper");
	p->m = m;
	*out = p;
	return EG_OK;
}

void eg_mapper_free(struct eg_mapper *p)
{
	if (!p)
		return;
	eg_pick_space_free(&p->space);
	eg_buf_free(&p->section);
	eg_buf_free(&p->record);
	eg_buf_free(&p->key);
	eg_buf_free(&p->written);
	free(p->values);
	free(p);
}

/* ---- columns ---- */

/* Exactly, else in another case: databases fold names. */
static unsigned look_up(const struct eg_columns *columns, const char *name, bool fold, unsigned *found)
{
	unsigned n = 0;
	for (unsigned i = 0; i < columns->n; i++)
		if ((fold ? strcasecmp(columns->names[i], name) : strcmp(columns->names[i], name)) == 0) {
			*found = i;
			n++;
		}
	return n;
}

enum eg_rc eg_mapper_bind(struct eg_mapper *p, const struct eg_columns *columns, struct eg_err *err)
{
	const struct eg_mapping *m = p->m;
	p->bound = false;
	p->n_lacks = 0;
	for (unsigned i = 0; i < m->n_columns; i++) {
		const struct eg_used_column *c = &m->columns[i];
		unsigned n = look_up(columns, c->name, false, &p->where[i]);
		if (!n)
			n = look_up(columns, c->name, true, &p->where[i]);
		p->lacks[i] = !n && !c->optional && columns->open;
		p->n_lacks += p->lacks[i];
		if (!n && (c->optional || columns->open))
			p->where[i] = EG_NO_VALUE;
		if (n == 1 || (!n && (c->optional || columns->open)))
			continue;
		if (n)
			return eg_fail_field(err, EG_CONFIG, c->by,
			                     "the source has %u columns '%s'; %s (%s:%u) needs to know which",
			                     n, c->name, c->by, m->info.path, c->line);
		struct eg_hint hint = eg_hint_for(c->name);
		for (unsigned k = 0; k < columns->n; k++)
			eg_hint_try(&hint, columns->names[k]);
		return eg_fail_field(err, EG_CONFIG, c->by,
		                     "the source has no column '%s', which %s (%s:%u) needs%s", c->name,
		                     c->by, m->info.path, c->line, eg_hint_text(&hint));
	}
	p->generation = columns->generation;
	p->n_values = columns->n;
	p->bound = true;
	return EG_OK;
}

/* ---- faults ---- */

static void fault(struct eg_mapped *out, enum eg_fault f, const char *field, const char *column)
{
	if (out->n_faults == EG_ROW_FAULTS_MAX)
		return;
	out->faults[out->n_faults++] = (struct eg_row_fault){.code = eg_fault_name(f),
	                                                     .field = field,
	                                                     .column = column,
	                                                     .text = eg_fault_text(f, true),
	                                                     .en = eg_fault_text(f, false)};
}

static void fault_of(struct eg_mapped *out, enum eg_fault f, const struct eg_pick *pick)
{
	fault(out, f, pick->name, pick->column);
}

/* ---- the frame ---- */

/* A number that orders as the source does: a number as it is, a date as its first instant. */
static enum eg_fault position(const struct eg_mapping *m, const struct eg_pick *pick, enum eg_field_type type,
                              const struct eg_pick_row *row, struct eg_pick_space *space,
                              struct eg_picked *out)
{
	enum eg_fault f = eg_pick_value(pick, type, &m->rules, row, space, out);
	if (f == EG_FAULT_DATE_INVALID || f == EG_FAULT_TIME_INVALID || f == EG_FAULT_NUMBER_INVALID)
		f = EG_FAULT_VERSION_INVALID;
	if (f == EG_FAULT_REQUIRED_MISSING || (!f && out->state != EG_PICKED_VALUE))
		f = EG_FAULT_VERSION_MISSING;
	if (!f && type == EG_TYPE_DATE)
		out->i = ((int64_t)eg_date_days(eg_date_unpack((int32_t)out->i)) * DAY_S - m->rules.zone_s) *
		         EG_SECOND;
	return f;
}

static size_t chars(struct eg_bytes s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += (s.p[i] & 0xC0) != 0x80;
	return n;
}

static void key_of(struct eg_mapper *p, const struct eg_pick_row *row, struct eg_mapped *out)
{
	struct eg_picked got;
	const struct eg_pick *pick = &p->m->key;
	enum eg_fault f = eg_pick_text(pick, &p->m->rules, row, &p->space, &got);
	if (f == EG_FAULT_REQUIRED_MISSING || (!f && got.state != EG_PICKED_VALUE))
		f = EG_FAULT_KEY_MISSING;
	if (!f && chars(got.text) > EG_KEY_CHARS_MAX)
		f = EG_FAULT_KEY_TOO_LONG;
	eg_buf_reset(&p->key);
	if (f)
		fault_of(out, f, pick);
	else
		eg_buf_add(&p->key, got.text.p, got.text.len);
	out->key = eg_buf_bytes(&p->key);
}

static enum eg_op operation(struct eg_mapper *p, const struct eg_pick_row *row, struct eg_mapped *out)
{
	struct eg_picked got;
	const struct eg_pick *pick = &p->m->operation;
	enum eg_fault f;
	if (pick->from == EG_FROM_NOTHING)
		return EG_ASSERT;
	f = eg_pick_text(pick, &p->m->rules, row, &p->space, &got);
	if (f == EG_FAULT_REQUIRED_MISSING || f == EG_FAULT_CODE_NOT_MAPPED)
		f = EG_FAULT_OPERATION_UNKNOWN;
	if (f)
		fault_of(out, f, pick);
	return !f && eg_bytes_equal(got.text, eg_bytes_of("VOID")) ? EG_VOID : EG_ASSERT;
}

static void frame(struct eg_mapper *p, const struct eg_pick_row *row, struct eg_record_head *h,
                  struct eg_mapped *out)
{
	const struct eg_mapping *m = p->m;
	struct eg_picked got;
	bool other;
	enum eg_fault f;
	key_of(p, row, out);
	h->source_key = out->key;
	h->op = operation(p, row, out);
	other = h->op == EG_VOID && m->void_version.from != EG_FROM_NOTHING;
	const struct eg_pick *version = other ? &m->void_version : &m->version;
	f = position(m, version, other ? m->void_version_type : m->version_type, row, &p->space, &got);
	if (f)
		fault_of(out, f, version);
	h->version = f ? 0 : got.i;
	if (m->event_time.from != EG_FROM_NOTHING) {
		f = eg_pick_value(&m->event_time, m->event_time_type, &m->rules, row, &p->space, &got);
		if (f)
			fault_of(out, f, &m->event_time);
		h->has_event_time = !f && got.state == EG_PICKED_VALUE;
		h->event_time = !h->has_event_time ? 0
		                : m->event_time_type == EG_TYPE_DATE
		                        ? ((int64_t)eg_date_days(eg_date_unpack((int32_t)got.i)) * DAY_S -
		                           m->rules.zone_s) *
		                                  EG_SECOND
		                        : got.i;
	}
	const struct eg_pick *const valid[] = {&m->valid_from, &m->valid_to};
	struct eg_date *const to[] = {&h->valid_from, &h->valid_to};
	for (unsigned i = 0; i < 2 && h->op == EG_ASSERT; i++) {
		if (valid[i]->from == EG_FROM_NOTHING)
			continue;
		f = eg_pick_value(valid[i], EG_TYPE_DATE, &m->rules, row, &p->space, &got);
		if (f)
			fault_of(out, f, valid[i]);
		else if (got.state == EG_PICKED_VALUE)
			*to[i] = eg_date_unpack((int32_t)got.i);
	}
}

/* ---- the section ---- */

static void fields(struct eg_mapper *p, const struct eg_pick_row *row, struct eg_mapped *out)
{
	const struct eg_mapping *m = p->m;
	for (unsigned i = 0; i < m->n_fields; i++) {
		const struct eg_pick *pick = &m->fields[i];
		struct eg_picked got;
		enum eg_fault f = eg_pick_value(pick, pick->field->type, &m->rules, row, &p->space, &got);
		if (f)
			fault_of(out, f, pick);
		else if (got.state == EG_PICKED_CLEARED)
			p->cleared[p->n_cleared++] = pick->field->name;
		else if (got.state == EG_PICKED_VALUE)
			eg_record_field(&p->section, pick->field, got.text, got.i);
	}
}

static void required(struct eg_mapper *p, const struct eg_pick_row *row, struct eg_mapped *out)
{
	static const struct eg_step trim = {.kind = EG_STEP_trim};
	for (unsigned i = 0; i < p->m->n_required; i++) {
		struct eg_bytes v = eg_pick_column(row, p->m->required[i]);
		eg_step_run(&trim, &p->space.work, &v);
		bool none = !v.len;
		for (unsigned k = 0; k < p->m->rules.n_empty && !none; k++)
			none = eg_bytes_equal(p->m->rules.empty[k], v);
		if (none)
			fault(out, EG_FAULT_REQUIRED_MISSING, "", p->m->columns[p->m->required[i]].name);
	}
}

/* What is not there cannot be told from what was renamed. */
static void lacking(struct eg_mapper *p, struct eg_mapped *out)
{
	for (unsigned i = 0; i < p->m->n_columns && p->n_lacks; i++)
		if (p->lacks[i])
			fault(out, EG_FAULT_COLUMN_MISSING, p->m->columns[i].by, p->m->columns[i].name);
}

static bool wanted(struct eg_mapper *p, const struct eg_pick_row *row)
{
	static const struct eg_step trim = {.kind = EG_STEP_trim};
	for (unsigned i = 0; i < p->m->n_only; i++) {
		const struct eg_only *only = &p->m->only[i];
		struct eg_bytes v = eg_pick_column(row, only->column);
		bool found = p->lacks[only->column]; /* then it is refused, not passed over */
		eg_step_run(&trim, &p->space.work, &v);
		for (unsigned k = 0; k < only->n && !found; k++)
			found = eg_bytes_equal(only->values[k], v);
		if (!found)
			return false;
	}
	return true;
}

/* Whichever connector a row comes by: its characters are those of today. */
static enum eg_rc as_of_today(struct eg_mapper *p, unsigned n, struct eg_pick_row *row, struct eg_err *err)
{
	size_t room = 0;
	for (unsigned i = 0; i < n; i++)
		if (row->values[i].len && eg_private_use_any(row->values[i]))
			room += 2 * row->values[i].len;
	if (!room)
		return EG_OK;
	struct eg_bytes *values = n > p->cap_values ? realloc(p->values, n * sizeof *values) : p->values;
	if (values && n > p->cap_values) {
		p->values = values;
		p->cap_values = n;
	}
	eg_buf_reset(&p->written);
	uint8_t *to = values ? eg_buf_grow(&p->written, room) : NULL;
	if (!to)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a row");
	for (unsigned i = 0; i < n; i++) {
		values[i] = row->values[i];
		if (!values[i].len || !eg_private_use_any(values[i]))
			continue;
		values[i] = (struct eg_bytes){to, eg_private_use_write(values[i], to)};
		to += values[i].len;
	}
	row->values = values;
	return EG_OK;
}

static enum eg_rc memory(struct eg_mapper *p, struct eg_err *err)
{
	if (p->space.work.failed || p->section.failed || p->record.failed || p->key.failed) {
		p->space.work.failed = false;
		return eg_fail(err, EG_NO_MEMORY, "no memory for a record");
	}
	return EG_OK;
}

enum eg_rc eg_mapper_row(struct eg_mapper *p, const struct eg_in *in, struct eg_mapped *out,
                         struct eg_err *err)
{
	const struct eg_mapping *m = p->m;
	struct eg_pick_row row = {
	        .values = in->values, .where = p->where, .place = in->place ? in->place : ""};
	struct eg_record_head head = {.mapping_revision = m->info.revision, .section = m->info.section};
	enum eg_rc rc = EG_OK;
	*out = (struct eg_mapped){0};
	if (!p->bound || p->generation != in->columns->generation || p->n_values != in->columns->n)
		rc = eg_mapper_bind(p, in->columns, err);
	if (!rc)
		rc = as_of_today(p, in->columns->n, &row, err);
	if (rc)
		return rc;
	if (!wanted(p, &row)) {
		out->skipped = true;
		return EG_OK;
	}
	eg_buf_reset(&p->section);
	eg_buf_reset(&p->record);
	p->n_cleared = 0;
	frame(p, &row, &head, out);
	out->version = head.version;
	out->void_op = head.op == EG_VOID;
	if (!out->void_op) {
		lacking(p, out);
		required(p, &row, out);
		fields(p, &row, out);
	}
	if ((rc = memory(p, err)))
		return rc;
	if (out->n_faults)
		return eg_fail_field(err, EG_INVALID, out->faults[0].field, "%s: %s", out->faults[0].code,
		                     out->faults[0].en);
	eg_record_write(&p->record, &head, p->cleared, p->n_cleared, eg_buf_bytes(&p->section));
	out->record = eg_buf_bytes(&p->record);
	return memory(p, err);
}

/* ---- lists ---- */

enum eg_rc eg_mapper_list(struct eg_mapper *p, const struct eg_in *in, struct eg_list_scope *out,
                          struct eg_err *err)
{
	const struct eg_mapping *m = p->m;
	struct eg_pick_row row = {.place = in->list.name && *in->list.name ? in->list.name
	                                   : in->place                     ? in->place
	                                                                   : ""};
	struct eg_picked got;
	*out = (struct eg_list_scope){
	        .as_of = in->list.as_of, .n_regions = in->list.n_regions, .regions = in->list.regions};
	if (!out->n_regions) {
		out->n_regions = m->n_regions;
		out->regions = m->regions;
	}
	/* A region in a file's name says whose file it is, and nothing of where such records belong. */
	if (!eg_section_has_region(m->info.section))
		out->n_regions = 0;
	if (out->as_of)
		return EG_OK;
	if (!m->has_as_of)
		return eg_fail_field(err, EG_CONFIG, "list.as_of",
		                     "%s: a full list came, and nothing says its position: write list.as_of",
		                     m->info.path);
	if (position(m, &m->as_of, m->as_of_type, &row, &p->space, &got))
		return eg_fail_field(err, EG_INVALID, "list.as_of",
		                     "the list's name has not the form that list.as_of (%s:%u) says",
		                     m->info.path, m->as_of.line);
	out->as_of = got.i;
	return memory(p, err);
}
