/* effects: one new version of one person, written as the effect part of a log entry.
 *
 * Seeded faults of fault builds, for the checker to catch: repeat_version, break_chain. Thread: the writer's.
 */
#include "base/fault.h"
#include "flow/merge.h"

#include <string.h>

#define REGION EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_address_region)

void eg_merge_header(const struct eg_ticket *t, enum eg_entry_kind kind, struct eg_header *out)
{
	*out = (struct eg_header){.kind = kind};
	if (t->who)
		out->agency = eg_bytes_of(t->who->name);
	out->operator_name = eg_bytes_of(t->operator_name);
	out->purpose = eg_bytes_of(t->purpose);
	out->traceparent = eg_bytes_of(t->traceparent);
	if (t->kind == EG_TICKET_SUBMISSION) {
		out->dataset = eg_bytes_of(t->submission.dataset->name);
		out->submission = eg_bytes_of(t->submission.batch_id);
	}
}

static enum eg_rc build(struct eg_merge *m, const struct eg_held *held, unsigned n,
                        const struct eg_view **out, struct eg_err *err)
{
	struct eg_view *v = eg_arena_alloc(m->arena, sizeof *v);
	if (!v)
		return eg_ws_no_memory(err);
	*out = v;
	return eg_view_build(held, n, m->authority, m->arena, v, err);
}

enum eg_rc eg_person_view(struct eg_merge *m, struct eg_ws_person *p, const struct eg_view **out,
                          struct eg_err *err)
{
	enum eg_rc rc = p->view ? EG_OK : build(m, p->now.held, p->now.n_held, &p->view, err);
	*out = p->view;
	return rc;
}

static struct eg_bytes region_of(const struct eg_view *v)
{
	unsigned low = 0, high = v->n;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (v->v[mid].field < REGION)
			low = mid + 1;
		else
			high = mid;
	}
	return low < v->n && v->v[low].field == REGION ? v->v[low].value.text : (struct eg_bytes){0};
}

static enum eg_rc fill_fields(struct eg_merge *m, struct eg_effect *e, const struct eg_view *before,
                              const struct eg_view *after, const struct eg_held *held, struct eg_err *err)
{
	struct eg_change *changes = NULL;
	unsigned n = 0;
	enum eg_rc rc = eg_view_diff(before, after, m->arena, &changes, &n, err);
	if (rc)
		return rc;
	e->fields = eg_arena_alloc(m->arena, n * sizeof *e->fields);
	if (!e->fields)
		return eg_ws_no_memory(err);
	e->n_fields = n;
	for (unsigned i = 0; i < n; i++) {
		struct eg_effect_field *f = &e->fields[i];
		const struct eg_view_value *b = changes[i].before, *a = changes[i].after;
		f->field = changes[i].field;
		f->has_before = b && !b->value.cleared;
		f->has_after = a && !a->value.cleared;
		if (b)
			f->before = b->value;
		if (!a)
			continue;
		f->after = a->value;
		f->agency = held[a->held].claim.agency;
		f->as_of = a->as_of;
		f->rule = (int)a->rule;
	}
	return EG_OK;
}

static enum eg_rc view_digest(struct eg_merge *m, const struct eg_view *v, const struct eg_held *held,
                              uint8_t out[16], struct eg_err *err)
{
	struct eg_buf *text = &m->scratch;
	eg_buf_reset(text);
	eg_view_canon(text, v, held);
	if (text->failed)
		return eg_fail(err, EG_NO_MEMORY, "a view could not be written");
	eg_vault_digest(m->vault, eg_buf_bytes(text), out);
	return EG_OK;
}

/* Everything about the person's state before and after. */
static enum eg_rc fill(struct eg_merge *m, const struct eg_person_change *ch, struct eg_effect *e,
                       const struct eg_view *before, const struct eg_view **after, struct eg_err *err)
{
	struct eg_ws_person *p = ch->person;
	enum eg_rc rc = EG_OK;
	*after = before;
	if (!ch->same && !ch->merged)
		rc = build(m, ch->held, ch->n_held, after, err);
	if (rc)
		return rc;
	if (p->now.version) {
		e->life_before = before->life;
		e->region_before = region_of(before);
	}
	e->life_after = (*after)->life;
	e->region_after = region_of(*after);
	if (ch->merged)
		return EG_OK;
	e->has_view_digest = true;
	if (!ch->same)
		rc = fill_fields(m, e, before, *after, ch->held, err);
	if (rc)
		return rc;
	return view_digest(m, *after, ch->same ? p->now.held : ch->held, e->view_digest, err);
}

/* Since when a person lags, as this commit found it; 0: it does not, or is a case. */
static enum eg_rc lag_since(struct eg_merge *m, const struct eg_ws_person *p, int64_t *since,
                            struct eg_err *err)
{
	*since = p->lag_since;
	if (p->now.merged || p->lag == EG_WS_LAG_ENDS || !p->row.row)
		return EG_OK;
	int64_t stored = 0;
	enum eg_rc rc = eg_get_lag(m->set.conn, p->row.row, &stored, err);
	if (stored && (!*since || stored < *since))
		*since = stored;
	return rc;
}

/* Who is merged with another, or parted from it, goes on with the older lag: the grace is not over later for
 * it. A person that is merged away keeps its own in mind for the other's entry, which may follow. */
static enum eg_rc carry_lag(struct eg_merge *m, const struct eg_person_change *ch, struct eg_err *err)
{
	struct eg_ws_person *p = ch->person;
	int64_t since = 0;
	if (!ch->other)
		return EG_OK;
	enum eg_rc rc = lag_since(m, ch->merged ? p : ch->other, &since, err);
	if (since && (!p->lag_since || since < p->lag_since))
		p->lag_since = since;
	return rc;
}

/* A person's lag begins and ends with its versions; one that was merged away has none. */
static enum eg_ws_lag lag_of(const struct eg_person_change *ch, const struct eg_view *before,
                             const struct eg_view *after)
{
	bool was = ch->person->now.version && eg_life_lags(before->evidence);
	bool is = !ch->merged && eg_life_lags(after->evidence);
	if (was == is)
		return ch->person->lag;
	return is ? EG_WS_LAG_BEGINS : EG_WS_LAG_ENDS;
}

/* Does the person come back from what was taken for a death? */
static bool returns(const struct eg_effect *e)
{
	bool was = e->life_before == EG_LIFE_SUSPECTED || e->life_before == EG_LIFE_DECEASED ||
	           e->life_before == EG_LIFE_DISPUTED;
	return was && (e->life_after == EG_LIFE_ALIVE || e->life_after == EG_LIFE_UNKNOWN);
}

static enum eg_rc append(struct eg_merge *m, struct eg_cause *c, const struct eg_effect *e,
                         struct eg_err *err)
{
	struct eg_header h;
	if (c->head_waits) {
		c->head_waits = false;
		c->head.authority_version = eg_authority_version(m->authority);
		return eg_tail_append(m->tail, &c->head, c->claim, e, err);
	}
	eg_merge_header(c->ticket, EG_ENTRY_EFFECT, &h);
	eg_tail_id(m->tail, h.entry_id);
	h.cause = c->seq;
	h.authority_version = eg_authority_version(m->authority);
	return eg_tail_append(m->tail, &h, (struct eg_bytes){0}, e, err);
}

enum eg_rc eg_effect_emit(struct eg_merge *m, struct eg_cause *c, const struct eg_person_change *ch,
                          uint64_t *seq, struct eg_err *err)
{
	struct eg_ws_person *p = ch->person;
	const struct eg_view *before = NULL, *after = NULL;
	struct eg_effect e = {
	        .has_person = true,
	        .version = p->now.version + 1,
	        .previous = p->row.last_seq,
	        .event = ch->event,
	        .merged = ch->merged,
	        .n_joined = ch->n_joined,
	        .n_left = ch->n_left,
	        .joined = ch->joined,
	        .left = ch->left,
	};
	memcpy(e.person, p->row.id, sizeof e.person);
	if (ch->other) {
		e.has_other = true;
		memcpy(e.other, ch->other->row.id, sizeof e.other);
	}
	if (ch->of_case) {
		e.has_case = true;
		memcpy(e.case_id, ch->of_case->row.id, sizeof e.case_id);
		e.case_kind = (int)ch->of_case->body.kind;
	}
	enum eg_rc rc = eg_person_view(m, p, &before, err);
	if (rc == EG_OK)
		rc = fill(m, ch, &e, before, &after, err);
	if (rc)
		return rc;
	if (e.event == EG_EVENT_UPDATED && ch->corrects && returns(&e))
		e.event = EG_EVENT_CORRECTED;
	if (e.event != EG_EVENT_UPDATED)
		e.corrects = ch->corrects;
	if (eg_unsafe("repeat_version") && p->now.version && !ch->same)
		e.version--;
	if (eg_unsafe("break_chain") && e.previous)
		e.previous--;

	*seq = eg_tail_next(m->tail);
	rc = append(m, c, &e, err);
	if (rc)
		return rc;
	rc = carry_lag(m, ch, err);
	if (rc)
		return rc;
	p->lag = lag_of(ch, before, after);
	p->now.version++;
	p->row.last_seq = *seq;
	if (ch->merged) {
		p->now.merged = true;
		memcpy(p->now.merged_into, ch->other->row.id, sizeof p->now.merged_into);
	}
	if (!ch->same) {
		p->now.held = ch->held;
		p->now.n_held = ch->n_held;
	}
	p->view = after;
	p->dirty = true;
	m->created += p->now.version == 1;
	return EG_OK;
}
