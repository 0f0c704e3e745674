/* event: see event.h. */
#include "flow/event.h"

#include "model/canon.h"

#include <stdio.h>
#include <string.h>

enum { CODE_DIGITS_MAX = 12 };

static bool may_see(const unsigned *fields, unsigned n, unsigned field)
{
	while (n) {
		unsigned mid = n / 2;
		if (fields[mid] == field)
			return true;
		if (fields[mid] < field) {
			fields += mid + 1;
			n -= mid + 1;
		} else {
			n = mid;
		}
	}
	return false;
}

/* The event time stands in the claim; the rest of the claim is not for events. */
static int64_t event_time_of(const struct eg_entry *e)
{
	struct eg_canon_reader r = eg_canon_read(e->claim_part);
	if (e->header.kind != EG_ENTRY_CHANGE)
		return 0;
	while (eg_canon_next(&r))
		if (r.tag == 8)
			return eg_canon_as_int(&r);
	return 0;
}

static enum eg_rc fields_of(const struct eg_effect *f, const unsigned *fields, unsigned n, struct eg_arena *a,
                            struct eg_event *out, struct eg_err *err)
{
	out->changed = eg_arena_alloc(a, (f->n_fields + 1) * sizeof *out->changed);
	out->fields = eg_arena_alloc(a, (f->n_fields + 1) * sizeof *out->fields);
	if (!out->changed || !out->fields)
		return eg_fail(err, EG_LIMIT, "an event's arena is too small");
	for (unsigned i = 0; i < f->n_fields; i++) {
		const struct eg_effect_field *c = &f->fields[i];
		out->changed[out->n_changed++] = c->field;
		if (may_see(fields, n, c->field))
			out->fields[out->n_fields++] = (struct eg_event_field){.field = c->field,
			                                                       .present = c->has_after,
			                                                       .value = c->after,
			                                                       .agency = c->agency,
			                                                       .as_of = c->as_of};
	}
	return EG_OK;
}

bool eg_is_event(const struct eg_entry *e)
{
	return e->has_effect && e->effect.has_person && e->effect.event;
}

enum eg_rc eg_event_of(struct eg_vault *v, const char *audience, const uint8_t log_id[16],
                       const struct eg_entry *e, const unsigned *fields, unsigned n, struct eg_arena *a,
                       struct eg_event *out, struct eg_err *err)
{
	const struct eg_effect *f = &e->effect;
	enum eg_rc rc;
	if (!eg_is_event(e))
		return EG_EMPTY;
	*out = (struct eg_event){
	        .seq = e->header.seq,
	        .time = e->header.time,
	        .kind = f->event,
	        .person_version = f->version,
	        .life_before = f->life_before,
	        .life_after = f->life_after,
	        .agency = e->header.agency,
	        .dataset = e->header.dataset,
	        .source_event_time = event_time_of(e),
	        .corrects = f->corrects,
	        .has_case = f->has_case,
	        .case_kind = f->case_kind,
	        .traceparent = e->header.traceparent,
	        .region_before = f->region_before,
	        .region_after = f->region_after,
	};
	memcpy(out->log_id, log_id, sizeof out->log_id);
	memcpy(out->case_id, f->case_id, sizeof out->case_id);
	if ((rc = eg_vault_ref(v, audience, f->person, out->person_ref, err)))
		return rc;
	if (f->has_other) {
		if ((rc = eg_vault_ref(v, audience, f->other, out->other, err)))
			return rc;
		out->has_other = true;
		out->has_merged_into = f->merged;
		memcpy(out->merged_into, out->other, sizeof out->merged_into);
	}
	return fields_of(f, fields, n, a, out, err);
}

/* ASCII, and nothing as long as the number of an identity document: the longest code of a place has 12
 * digits, the shortest number 15. */
static bool is_code(struct eg_bytes text)
{
	unsigned digits = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
		digits = c >= '0' && c <= '9' ? digits + 1 : 0;
		if (digits > CODE_DIGITS_MAX || (!digits && !letter && (!c || !strchr(" ,-./:_", c))))
			return false;
	}
	return true;
}

void eg_event_keep_codes(struct eg_event *e)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < e->n_fields; i++)
		if (is_code(e->fields[i].value.text))
			e->fields[kept++] = e->fields[i];
	e->n_fields = kept;
}

void eg_audience_of(const struct eg_identity_rule *who, char out[EG_NAME_MAX + 16])
{
	snprintf(out, EG_NAME_MAX + 16, "identity/%s", who->name);
}

enum eg_rc eg_state_of(struct eg_vault *v, const char *audience, const uint8_t log_id[16],
                       const struct eg_person_row *row, const struct eg_authority *authority,
                       const unsigned *fields, unsigned n, struct eg_arena *a, struct eg_event *out,
                       struct eg_err *err)
{
	struct eg_person person;
	struct eg_view view;
	enum eg_rc rc = eg_person_open(v, row, a, &person, err);
	if (!rc)
		rc = eg_view_build(person.held, person.n_held, authority, a, &view, err);
	if (rc)
		return rc;
	*out = (struct eg_event){.seq = row->last_seq,
	                         .person_version = row->version,
	                         .life_before = view.life,
	                         .life_after = view.life,
	                         .has_merged_into = person.merged};
	memcpy(out->log_id, log_id, sizeof out->log_id);
	if ((rc = eg_vault_ref(v, audience, person.id, out->person_ref, err)))
		return rc;
	if (person.merged && (rc = eg_vault_ref(v, audience, person.merged_into, out->merged_into, err)))
		return rc;
	out->fields = eg_arena_alloc(a, (view.n + 1) * sizeof *out->fields);
	if (!out->fields)
		return eg_fail(err, EG_LIMIT, "an arena is too small for a person's state");
	for (unsigned i = 0; i < view.n; i++) {
		const struct eg_view_value *w = &view.v[i];
		if (w->field == EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_address_region))
			out->region_before = out->region_after = w->value.text;
		if (may_see(fields, n, w->field))
			out->fields[out->n_fields++] = (struct eg_event_field){
			        .field = w->field,
			        .present = true,
			        .value = w->value,
			        .agency = w->held < person.n_held ? person.held[w->held].claim.agency
			                                          : (struct eg_bytes){0},
			        .as_of = w->as_of};
	}
	return EG_OK;
}
