/* outbound: see outbound.h. */
#include "common/outbound.h"

#include "common/enums.h"
#include "common/mapping_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eg_outbound {
	const struct eg_mapping *m;
	struct eg_work work;
	struct eg_buf texts; /* what columns hold, one behind the other */
	struct eg_buf one;
	struct span {
		size_t from, to;
		bool absent;
	} * spans;
	struct eg_bytes *values;
	char event_id[96];
};

enum eg_rc eg_outbound_new(struct eg_outbound **out, const struct eg_mapping *m, struct eg_err *err)
{
	struct eg_outbound *o = calloc(1, sizeof *o);
	if (o) {
		o->m = m;
		o->spans = calloc(m->n_out_columns + 1, sizeof *o->spans);
		o->values = calloc(m->n_out_columns + 1, sizeof *o->values);
	}
	if (!o || !o->spans || !o->values) {
		eg_outbound_free(o);
		return eg_fail(err, EG_NO_MEMORY, "no memory for deliveries");
	}
	*out = o;
	return EG_OK;
}

void eg_outbound_free(struct eg_outbound *o)
{
	if (!o)
		return;
	eg_work_free(&o->work);
	eg_buf_free(&o->texts);
	eg_buf_free(&o->one);
	free(o->spans);
	free(o->values);
	free(o);
}

/* ---- values as text ---- */

static void instant(struct eg_outbound *o, const struct eg_out_column *c,
                    const Google__Protobuf__Timestamp *t)
{
	if (t)
		eg_when_write_instant(&c->form, t->seconds * EG_SECOND + t->nanos / 1000, o->m->rules.zone_s,
		                      &o->one);
}

static void attribute(struct eg_outbound *o, const struct eg_out_column *c,
                      const Eldergate__V1__ChangeEvent *e)
{
	struct eg_buf *b = &o->one;
	const Eldergate__V1__Source *source = e->source;
	switch ((enum eg_attribute)c->attribute) {
	case EG_ATTRIBUTE_event_id:
		eg_buf_printf(b, "%s", o->event_id);
		break;
	case EG_ATTRIBUTE_log_id:
		eg_buf_printf(b, "%s", e->log_id);
		break;
	case EG_ATTRIBUTE_seq:
		eg_buf_printf(b, "%" PRIu64, e->seq);
		break;
	case EG_ATTRIBUTE_time:
		instant(o, c, e->time);
		break;
	case EG_ATTRIBUTE_kind:
		eg_buf_printf(b, "%s", eg_enum_text(&eldergate__v1__change_kind__descriptor, (int)e->kind));
		break;
	case EG_ATTRIBUTE_person_ref:
		eg_buf_printf(b, "%s", e->person_ref);
		break;
	case EG_ATTRIBUTE_person_version:
		eg_buf_printf(b, "%" PRId64, e->person_version);
		break;
	case EG_ATTRIBUTE_life_before:
		eg_buf_printf(
		        b, "%s",
		        eg_enum_text(&eldergate__v1__life_status__descriptor, (int)e->life_status_before));
		break;
	case EG_ATTRIBUTE_life_after:
		eg_buf_printf(
		        b, "%s",
		        eg_enum_text(&eldergate__v1__life_status__descriptor, (int)e->life_status_after));
		break;
	case EG_ATTRIBUTE_source_agency:
		eg_buf_printf(b, "%s", source ? source->agency : "");
		break;
	case EG_ATTRIBUTE_source_dataset:
		eg_buf_printf(b, "%s", source ? source->dataset : "");
		break;
	case EG_ATTRIBUTE_source_time:
		instant(o, c, source ? source->event_time : NULL);
		break;
	case EG_ATTRIBUTE_changed_fields:
		for (size_t i = 0; i < e->n_changed_fields; i++)
			eg_buf_printf(b, "%s%s", i ? "," : "", e->changed_fields[i]);
		break;
	case EG_ATTRIBUTE_corrects_seq:
		if (e->corrects_seq)
			eg_buf_printf(b, "%" PRIu64, e->corrects_seq);
		break;
	case EG_ATTRIBUTE_merged_into:
		eg_buf_printf(b, "%s", e->merged_into);
		break;
	case EG_ATTRIBUTE_other_person_ref:
		eg_buf_printf(b, "%s", e->other_person_ref);
		break;
	case EG_ATTRIBUTE_case_id:
		eg_buf_printf(b, "%s", e->case_id);
		break;
	case EG_ATTRIBUTE_case_kind:
		eg_buf_printf(b, "%s",
		              eg_enum_text(&eldergate__v1__case_kind__descriptor, (int)e->case_kind));
		break;
	case EG_ATTRIBUTE_END:
		break;
	}
}

static const Eldergate__V1__FieldValue *value_of(const char *name, const Eldergate__V1__ChangeEvent *e,
                                                 const Eldergate__V1__ElderView *view)
{
	for (size_t i = 0; i < e->n_fields; i++)
		if (strcmp(e->fields[i]->field, name) == 0)
			return e->fields[i]->value;
	for (size_t i = 0; view && i < view->n_fields; i++)
		if (strcmp(view->fields[i]->field, name) == 0)
			return view->fields[i]->value;
	return NULL;
}

static void field(struct eg_outbound *o, const struct eg_out_column *c, const Eldergate__V1__FieldValue *v)
{
	if (!v)
		return;
	switch (v->kind_case) {
	case ELDERGATE__V1__FIELD_VALUE__KIND_TEXT:
		eg_buf_printf(&o->one, "%s", v->text);
		break;
	case ELDERGATE__V1__FIELD_VALUE__KIND_CODE:
		eg_buf_printf(&o->one, "%s", v->code);
		break;
	case ELDERGATE__V1__FIELD_VALUE__KIND_NUMBER:
		eg_buf_printf(&o->one, "%" PRId64, v->number);
		break;
	case ELDERGATE__V1__FIELD_VALUE__KIND_DATE:
		eg_when_write_date(&c->form,
		                   (struct eg_date){(int16_t)v->date->year, (uint8_t)v->date->month,
		                                    (uint8_t)v->date->day},
		                   &o->one);
		break;
	case ELDERGATE__V1__FIELD_VALUE__KIND_INSTANT:
		instant(o, c, v->instant);
		break;
	default:
		break;
	}
}

/* ---- columns ---- */

static enum eg_rc dress(struct eg_outbound *o, const struct eg_out_column *c, struct span *to,
                        struct eg_err *err)
{
	struct eg_pick_space space = {.work = o->work};
	struct eg_pick pick = c->pick;
	struct eg_picked got;
	pick.from = EG_FROM_CONSTANT;
	if (c->from != EG_OUT_CONSTANT)
		pick.constant = eg_buf_bytes(&o->one);
	enum eg_fault f = eg_pick_text(&pick, &(struct eg_pick_rules){0}, NULL, &space, &got);
	o->work = space.work;
	o->work.failed |= o->one.failed;
	if (f)
		return eg_fail_field(err, EG_INVALID, pick.name, "column %s: %s (%s:%u)", pick.name,
		                     eg_fault_text(f, false), o->m->info.path, pick.line);
	to->absent = got.state != EG_PICKED_VALUE;
	to->from = o->texts.len;
	if (!to->absent)
		eg_buf_add(&o->texts, got.text.p, got.text.len);
	to->to = o->texts.len;
	return EG_OK;
}

static enum eg_rc columns(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                          const Eldergate__V1__ElderView *view, struct eg_delivery *out, struct eg_err *err)
{
	const struct eg_mapping *m = o->m;
	enum eg_rc rc = EG_OK;
	snprintf(o->event_id, sizeof o->event_id, "%.64s-%" PRIu64, e->log_id, e->seq);
	eg_buf_reset(&o->texts);
	for (unsigned i = 0; i < m->n_out_columns && !rc; i++) {
		const struct eg_out_column *c = &m->out_columns[i];
		eg_buf_reset(&o->one);
		if (c->from == EG_OUT_ATTRIBUTE)
			attribute(o, c, e);
		else if (c->from == EG_OUT_FIELD)
			field(o, c, value_of(c->field, e, view));
		rc = dress(o, c, &o->spans[i], err);
	}
	if (!rc && (o->texts.failed || o->work.failed))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a delivery");
	o->work.failed = false;
	/* The buffer does not move any more: an empty text is told from a missing one by its pointer. */
	for (unsigned i = 0; i < m->n_out_columns && !rc; i++) {
		const struct span *s = &o->spans[i];
		const uint8_t *base = o->texts.p ? o->texts.p : (const uint8_t *)"";
		o->values[i] = (struct eg_bytes){s->absent ? NULL : base + s->from, s->to - s->from};
	}
	*out = (struct eg_delivery){o->event_id, m->n_out_columns, m->out.columns, o->values};
	return rc;
}

static bool lives(const struct eg_mapping *m, int before, int after)
{
	if (!m->n_life)
		return true;
	for (unsigned i = 0; i < m->n_life; i++)
		if (m->life[i] == after)
			return before != after;
	return false;
}

bool eg_outbound_needs_view(const struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e)
{
	const struct eg_mapping_outbound *out = &o->m->out;
	bool needs = false;
	if (!lives(o->m, (int)e->life_status_before, (int)e->life_status_after))
		return false;
	for (unsigned i = 0; i < out->n_fields && !needs; i++)
		needs = !value_of(out->fields[i], e, NULL);
	return needs;
}

enum eg_rc eg_outbound_event_view(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                                  const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                                  struct eg_err *err)
{
	*skip = !lives(o->m, (int)e->life_status_before, (int)e->life_status_after);
	return *skip ? EG_OK : columns(o, e, view, out, err);
}

enum eg_rc eg_outbound_event(struct eg_outbound *o, const Eldergate__V1__ChangeEvent *e,
                             struct eg_delivery *out, bool *skip, struct eg_err *err)
{
	return eg_outbound_event_view(o, e, NULL, out, skip, err);
}

enum eg_rc eg_outbound_state(struct eg_outbound *o, const Eldergate__V1__PersonState *s,
                             struct eg_delivery *out, bool *skip, struct eg_err *err)
{
	Eldergate__V1__ChangeEvent e = ELDERGATE__V1__CHANGE_EVENT__INIT;
	e.log_id = s->log_id;
	e.seq = s->seq;
	e.time = s->time;
	e.kind = ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_CREATED;
	e.person_ref = s->person_ref;
	e.person_version = s->person_version;
	e.life_status_after = s->life_status;
	e.n_fields = s->n_fields;
	e.fields = s->fields;
	e.merged_into = s->merged_into;
	return eg_outbound_event(o, &e, out, skip, err);
}

enum eg_rc eg_outbound_shown(struct eg_outbound *o, const char *log_id, uint64_t seq, const char *person_ref,
                             const Eldergate__V1__ElderView *view, struct eg_delivery *out, bool *skip,
                             struct eg_err *err)
{
	Eldergate__V1__ChangeEvent e = ELDERGATE__V1__CHANGE_EVENT__INIT;
	/* protobuf-c's texts are not const, though nothing here writes them. */
	e.log_id = (char *)(uintptr_t)log_id;
	e.seq = seq;
	e.kind = ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_CREATED;
	e.person_ref = (char *)(uintptr_t)person_ref;
	e.person_version = view->person_version;
	e.life_status_after = view->life_status;
	return eg_outbound_event_view(o, &e, view, out, skip, err);
}
