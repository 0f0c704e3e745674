/* svc_elder: ExchangeService.GetElder and CheckLifeStatus: what an identity may read, for a purpose, once it
 * is logged. */
#include "edge/queries.h"
#include "edge/services.h"
#include "edge/views.h"

#include <stdio.h>
#include <stdlib.h>

enum { PERSONS_MAX = 1000 };

/* The parts that all reads for a purpose have in common. */
static enum eg_rc admit(struct eg_ask *a, const char *purpose, const char *legal_basis,
                        const struct eg_purpose_rule **grant, struct eg_fault *f)
{
	enum eg_rc rc = eg_ask_legal_basis(legal_basis, f);
	return rc ? rc : eg_caller_purpose(&a->caller, purpose, grant, f);
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

/* The view fields that are asked for, ascending; all that the grant gives if none is named. */
static enum eg_rc fields_of(struct eg_ask *a, const Eldergate__V1__GetElderRequest *q,
                            const struct eg_purpose_rule *grant, unsigned **fields, unsigned *n,
                            struct eg_fault *f)
{
	unsigned *out = eg_arena_alloc(a->arena, (q->n_fields + grant->n_fields + 1) * sizeof *out);
	char path[32];
	if (!out)
		return eg_ask_no_memory(f);
	*n = 0;
	*fields = out;
	out[(*n)++] = EG_VIEW_LIFE; /* always given */
	for (size_t i = 0; i < q->n_fields; i++) {
		unsigned field = eg_view_field_by_name(q->fields[i]);
		snprintf(path, sizeof path, "fields[%zu]", i);
		if (!field)
			return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, path,
			                 "there is no such view field");
		if (field != EG_VIEW_LIFE && !eg_purpose_has(grant, field))
			return eg_refuse(f, EG_DENIED, EG_REASON_FIELD_NOT_PERMITTED, path,
			                 "the grant does not give this field for this purpose");
		out[(*n)++] = field;
	}
	for (unsigned i = 0; i < grant->n_fields && !q->n_fields; i++)
		out[(*n)++] = grant->fields[i];
	qsort(out, *n, sizeof *out, by_number);
	return EG_OK;
}

static enum eg_rc view_of(struct eg_ask *a, const struct eg_person *p, struct eg_view *out,
                          struct eg_fault *f)
{
	return eg_view_build(p->held, p->n_held, NULL, a->arena, out, &f->err);
}

/* Puts the place of the selector before the path of what is wrong in it. */
static enum eg_rc name_place(struct eg_fault *f, const char *place)
{
	char below[sizeof f->err.field];
	memcpy(below, f->err.field, sizeof below);
	snprintf(f->err.field, sizeof f->err.field, "%s%s%.60s", place, *below ? "." : "", below);
	return f->err.rc;
}

/* ---- GetElder ---- */

struct elder {
	struct eg_match match;
	Eldergate__V1__GetElderResponse *reply;
};

static enum eg_rc not_one(const struct eg_match *m, struct eg_fault *f)
{
	if (m->match == ELDERGATE__V1__MATCH__MATCH_SEVERAL)
		return eg_refuse(f, EG_PRECONDITION, EG_REASON_ARGUMENT_INVALID, "person",
		                 "several persons match: name one by reference, or by number and name");
	if (m->bad)
		return eg_refuse(f, EG_NOT_FOUND, EG_REASON_PERSON_UNKNOWN, "person.identity.id_number",
		                 "this ID number can belong to nobody: %s", eg_reason_text(m->bad, false));
	return eg_refuse(f, EG_NOT_FOUND, EG_REASON_PERSON_UNKNOWN, "person", "there is no such person");
}

static enum eg_rc elder_after(struct eg_ask *a, struct eg_fault *f)
{
	struct elder *e = a->state;
	struct eg_maker k = {.arena = a->arena};
	if (!e->reply)
		return not_one(&e->match, f);
	e->reply->log_id = eg_make_id(&k, a->ticket->log_id);
	e->reply->read_seq = a->ticket->seq;
	return k.failed ? eg_ask_no_memory(f) : EG_OK;
}

static enum eg_rc elder_reply(struct eg_ask *a, const struct eg_finder *find, struct elder *e,
                              const unsigned *fields, unsigned n, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	struct eg_view view;
	uint8_t ref[16];
	enum eg_rc rc = view_of(a, &e->match.person, &view, f);
	if (!rc)
		rc = eg_caller_ref(find, e->match.person.id, ref, &f->err);
	if (rc)
		return rc;
	e->reply = EG_MAKE(&k, Eldergate__V1__GetElderResponse, eldergate__v1__get_elder_response__init);
	if (e->reply)
		e->reply->elder = eg_make_view(&k, &e->match.person, &view, ref, fields, n);
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &e->reply->base;
	return EG_OK;
}

enum eg_rc eg_get_elder(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__GetElderRequest *q = (const void *)a->request;
	struct eg_finder find = {a->conn, a->edge->o.vault, &a->caller, a->arena};
	struct elder *e = eg_arena_alloc(a->arena, sizeof *e);
	const struct eg_purpose_rule *grant = NULL;
	unsigned *fields = NULL, n = 0;
	enum eg_rc rc = e ? admit(a, q->purpose, q->legal_basis, &grant, f) : eg_ask_no_memory(f);
	if (!rc)
		rc = fields_of(a, q, grant, &fields, &n, f);
	if (rc)
		return rc;
	if (!q->person)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "person", "say whom you ask for");
	if (eg_find_person(&find, q->person, &e->match, &f->err))
		return name_place(f, "person");
	const struct eg_match *m = &e->match;
	bool found = m->match == ELDERGATE__V1__MATCH__MATCH_FOUND,
	     several = m->match == ELDERGATE__V1__MATCH__MATCH_SEVERAL;
	if (found && (rc = elder_reply(a, &find, e, fields, n, f)))
		return rc;
	a->state = e;
	a->after = elder_after;
	a->ticket = eg_ask_query(a, q->purpose, q->legal_basis,
	                         found     ? &m->person.id
	                         : several ? m->several
	                                   : NULL,
	                         found     ? 1
	                         : several ? m->n_several
	                                   : 0,
	                         &m->token, !found && !several && m->has_token, f);
	return a->ticket ? EG_OK : f->err.rc;
}

/* ---- CheckLifeStatus ---- */

static enum eg_rc status_after(struct eg_ask *a, struct eg_fault *f)
{
	Eldergate__V1__CheckLifeStatusResponse *r = a->state;
	struct eg_maker k = {.arena = a->arena};
	r->log_id = eg_make_id(&k, a->ticket->log_id);
	r->read_seq = a->ticket->seq;
	return k.failed ? eg_ask_no_memory(f) : EG_OK;
}

static enum eg_rc answer_one(struct eg_ask *a, const struct eg_match *m, const struct eg_purpose_rule *grant,
                             Eldergate__V1__LifeStatusAnswer *out, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	struct eg_view view;
	out->match = m->match;
	if (m->match != ELDERGATE__V1__MATCH__MATCH_FOUND)
		return EG_OK;
	enum eg_rc rc = view_of(a, &m->person, &view, f);
	if (rc)
		return rc;
	out->life_status = (Eldergate__V1__LifeStatus)view.life;
	for (unsigned i = 0; i < view.n; i++) {
		const struct eg_view_value *v = &view.v[i];
		if (v->field == EG_VIEW_LIFE)
			out->as_of = eg_make_time(&k, v->as_of);
		else if (v->field == EG_VIEW_DEATH_DATE && !v->value.cleared &&
		         eg_purpose_has(grant, v->field))
			out->death_date = eg_make_date(&k, (int32_t)v->value.i);
	}
	return k.failed ? eg_ask_no_memory(f) : EG_OK;
}

enum eg_rc eg_check_life_status(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__CheckLifeStatusRequest *q = (const void *)a->request;
	struct eg_finder find = {a->conn, a->edge->o.vault, &a->caller, a->arena};
	struct eg_maker k = {.arena = a->arena};
	const struct eg_purpose_rule *grant = NULL;
	enum eg_rc rc = admit(a, q->purpose, q->legal_basis, &grant, f);
	if (rc)
		return rc;
	if (!q->n_persons)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "persons",
		                 "say whom you ask for");
	if (q->n_persons > PERSONS_MAX)
		return eg_refuse(f, EG_LIMIT, EG_REASON_TOO_MANY_ITEMS, "persons",
		                 "at most %d persons in a call", PERSONS_MAX);
	Eldergate__V1__CheckLifeStatusResponse *r = EG_MAKE(&k, Eldergate__V1__CheckLifeStatusResponse,
	                                                    eldergate__v1__check_life_status_response__init);
	uint8_t(*persons)[16] = eg_make(&k, q->n_persons * sizeof *persons);
	uint8_t(*missing)[EG_TOKEN_SIZE] = eg_make(&k, q->n_persons * sizeof *missing);
	Eldergate__V1__LifeStatusAnswer **answers = EG_MAKE_LIST(&k, q->n_persons);
	unsigned n_persons = 0, n_missing = 0;
	for (size_t i = 0; i < q->n_persons && !k.failed; i++) {
		struct eg_match m;
		answers[i] =
		        EG_MAKE(&k, Eldergate__V1__LifeStatusAnswer, eldergate__v1__life_status_answer__init);
		if (k.failed)
			break;
		if (eg_find_person(&find, q->persons[i], &m, &f->err)) {
			char place[32];
			snprintf(place, sizeof place, "persons[%zu]", i);
			return name_place(f, place);
		}
		if ((rc = answer_one(a, &m, grant, answers[i], f)))
			return rc;
		if (m.match == ELDERGATE__V1__MATCH__MATCH_FOUND)
			memcpy(persons[n_persons++], m.person.id, 16);
		else if (m.has_token)
			memcpy(missing[n_missing++], m.token, EG_TOKEN_SIZE);
	}
	if (k.failed)
		return eg_ask_no_memory(f);
	r->answers = answers;
	r->n_answers = q->n_persons;
	a->reply = &r->base;
	a->state = r;
	a->after = status_after;
	a->ticket = eg_ask_query(a, q->purpose, q->legal_basis, persons, n_persons, missing, n_missing, f);
	return a->ticket ? EG_OK : f->err.rc;
}
