/* svc_cases: CaseService: what people have to decide, and how they do. */
#include "edge/case_view.h"
#include "edge/pages.h"
#include "edge/services.h"

#include "base/clock.h"
#include "model/text.h"

enum { LOOKED_AT_MAX = 5000, NOTE_CHARACTERS = 500, TICKET_BYTES = 1 << 20 };

static struct eg_case_reader reader_of(struct eg_ask *a, struct eg_maker *k,
                                       const struct eg_purpose_rule *grant)
{
	return (struct eg_case_reader){
	        .find = {a->conn, a->edge->o.vault, &a->caller, a->arena}, .maker = k, .grant = grant};
}

static enum eg_rc case_unknown(struct eg_fault *f)
{
	return eg_refuse(f, EG_NOT_FOUND, EG_REASON_CASE_UNKNOWN, "case_id", "there is no such case");
}

static enum eg_rc case_row(struct eg_ask *a, const char *case_id, struct eg_case_row *row, struct eg_fault *f)
{
	uint8_t id[16];
	if (!eg_read_id(case_id, id))
		return case_unknown(f);
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_get_case(a->conn, id, a->arena, row, &f->err);
	eg_read_end(a->conn);
	return rc == EG_EMPTY ? case_unknown(f) : rc;
}

/* ---- ListCases ---- */

static bool wanted(const Eldergate__V1__ListCasesRequest *q, int kind)
{
	for (size_t i = 0; i < q->n_kinds; i++)
		if ((int)q->kinds[i] == kind)
			return true;
	return !q->n_kinds;
}

static enum eg_rc list_page(struct eg_ask *a, int64_t after, int kind, int state, unsigned max,
                            struct eg_case_row **rows, unsigned *n, struct eg_fault *f)
{
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_list_cases(a->conn, after, kind, state, max, a->arena, rows, n, &f->err);
	eg_read_end(a->conn);
	return rc;
}

static enum eg_rc list(struct eg_ask *a, const Eldergate__V1__ListCasesRequest *q,
                       struct eg_case_reader *reader, unsigned max, uint64_t after,
                       Eldergate__V1__ListCasesResponse *r, struct eg_fault *f)
{
	int state = q->state ? (int)q->state : EG_CASE_OPEN, kind = q->n_kinds == 1 ? (int)q->kinds[0] : 0;
	unsigned looked_at = 0, n = max;
	while (n == max && r->n_cases < max && looked_at < LOOKED_AT_MAX && !reader->maker->failed) {
		struct eg_case_row *rows;
		enum eg_rc rc = list_page(a, (int64_t)after, kind, state, max, &rows, &n, f);
		if (rc)
			return rc;
		unsigned i = 0;
		for (; i < n && r->n_cases < max; i++) {
			after = (uint64_t)rows[i].row;
			looked_at++;
			if (!wanted(q, rows[i].kind))
				continue;
			if ((rc = eg_make_case(reader, &rows[i], &r->cases[r->n_cases], &f->err)))
				return rc;
			if (!reader->maker->failed)
				r->n_cases++;
		}
		if (n == max || i < n)
			r->next_page_token = eg_make_token(reader->maker, after);
		else
			r->next_page_token = (char *)(uintptr_t) "";
	}
	return EG_OK;
}

enum eg_rc eg_list_cases_call(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__ListCasesRequest *q = (const void *)a->request;
	struct eg_maker k = {.arena = a->arena};
	struct eg_case_reader reader = reader_of(a, &k, NULL);
	unsigned max;
	uint64_t after;
	enum eg_rc rc = eg_page_read(q->page_size, q->page_token, &max, &after, f);
	if (rc)
		return rc;
	if (after > INT64_MAX || (int)q->state < 0 || (int)q->state > EG_CASE_CLOSED)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID,
		                 after > INT64_MAX ? "page_token" : "state",
		                 "there is no such page or state");
	Eldergate__V1__ListCasesResponse *r =
	        EG_MAKE(&k, Eldergate__V1__ListCasesResponse, eldergate__v1__list_cases_response__init);
	if (r)
		r->cases = EG_MAKE_LIST(&k, max);
	if (!k.failed && (rc = list(a, q, &reader, max, after, r, f)))
		return rc;
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	a->ticket =
	        eg_ask_query(a, "", "", (const uint8_t(*)[16])reader.persons, reader.n_persons, NULL, 0, f);
	return a->ticket ? EG_OK : f->err.rc;
}

/* ---- GetCase ---- */

static enum eg_rc get_after(struct eg_ask *a, struct eg_fault *f)
{
	Eldergate__V1__GetCaseResponse *r = a->state;
	struct eg_maker k = {.arena = a->arena};
	r->log_id = eg_make_id(&k, a->ticket->log_id);
	r->read_seq = a->ticket->seq;
	return k.failed ? eg_ask_no_memory(f) : EG_OK;
}

enum eg_rc eg_get_case_call(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__GetCaseRequest *q = (const void *)a->request;
	struct eg_maker k = {.arena = a->arena};
	const struct eg_purpose_rule *grant = NULL;
	struct eg_case_row row = {0};
	enum eg_rc rc;
	if ((rc = eg_ask_legal_basis(q->legal_basis, f)))
		return rc;
	if (*q->purpose && (rc = eg_caller_purpose(&a->caller, q->purpose, &grant, f)))
		return rc;
	if ((rc = case_row(a, q->case_id, &row, f)))
		return rc;
	struct eg_case_reader reader = reader_of(a, &k, grant);
	Eldergate__V1__GetCaseResponse *r =
	        EG_MAKE(&k, Eldergate__V1__GetCaseResponse, eldergate__v1__get_case_response__init);
	if (r && (rc = eg_make_case(&reader, &row, &r->found, &f->err)))
		return rc;
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	a->state = r;
	a->after = get_after;
	a->ticket = eg_ask_query(a, q->purpose, q->legal_basis, (const uint8_t(*)[16])reader.persons,
	                         reader.n_persons, NULL, 0, f);
	return a->ticket ? EG_OK : f->err.rc;
}

/* ---- ResolveCase ---- */

#define DECIDES(what) ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_##what

/* 0: none. */
static enum eg_decision_kind kind_of(const Eldergate__V1__ResolveCaseRequest *q)
{
	switch (q->decision_case) {
	case DECIDES(LINK):
		return EG_DECIDE_LINK;
	case DECIDES(KEEP_APART):
		return EG_DECIDE_APART;
	case DECIDES(UPHOLD):
		return EG_DECIDE_UPHOLD;
	case DECIDES(APPROVE):
		return EG_DECIDE_APPROVE;
	case DECIDES(REFUSE):
		return EG_DECIDE_REFUSE;
	default:
		return 0;
	}
}

static enum eg_rc read_parties(const struct eg_case_body *body, const uint32_t *numbers, size_t n,
                               const char *field, struct eg_ticket *t, struct eg_fault *f)
{
	struct eg_decision *d = &t->decision;
	d->tokens = eg_arena_alloc(t->arena, n * sizeof *d->tokens);
	if (!d->tokens)
		return eg_ask_no_memory(f);
	for (size_t i = 0; i < n; i++) {
		if (!numbers[i] || numbers[i] > body->n_tokens)
			return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, field,
			                 "the case has %u parties", body->n_tokens);
		memcpy(d->tokens[d->n_tokens++], body->tokens[numbers[i] - 1], EG_TOKEN_SIZE);
	}
	return EG_OK;
}

static enum eg_rc read_link(struct eg_ask *a, const struct eg_case_body *body,
                            const Eldergate__V1__LinkDecision *q, struct eg_ticket *t, struct eg_fault *f)
{
	struct eg_finder find = {a->conn, a->edge->o.vault, &a->caller, a->arena};
	struct eg_decision *d = &t->decision;
	struct eg_person person;
	char audience[EG_NAME_MAX + 16];
	uint8_t ref[16], id[16];
	enum eg_rc rc = read_parties(body, q->parties, q->n_parties, "link.parties", t, f);
	if (rc)
		return rc;
	if (!*q->person_ref)
		return body->n_tokens > 1
		               ? EG_OK
		               : eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "link.person_ref",
		                           "the case has one party: say which person it is");
	if (!eg_read_id(q->person_ref, ref))
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "link.person_ref",
		                 "a reference has 32 lower-case hexadecimal digits");
	eg_audience_of(a->caller.who, audience);
	rc = eg_vault_unref(a->edge->o.vault, audience, ref, id, &f->err);
	if (!rc)
		rc = eg_find_by_id(&find, id, &person, &f->err);
	if (rc == EG_EMPTY || rc == EG_NOT_FOUND)
		return eg_refuse(f, EG_NOT_FOUND, EG_REASON_PERSON_UNKNOWN, "link.person_ref",
		                 "there is no such person");
	if (rc)
		return rc;
	d->has_person = true;
	memcpy(d->person, person.id, sizeof d->person);
	return EG_OK;
}

static enum eg_rc read_decision(struct eg_ask *a, const struct eg_case_body *body,
                                const Eldergate__V1__ResolveCaseRequest *q, struct eg_ticket *t,
                                struct eg_fault *f)
{
	struct eg_decision *d = &t->decision;
	switch (q->decision_case) {
	case DECIDES(LINK):
		return read_link(a, body, q->link, t, f);
	case DECIDES(KEEP_APART):
		if (q->keep_apart->n_parties == 1)
			return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "keep_apart.parties",
			                 "name at least two parties, or none for all of the case");
		return read_parties(body, q->keep_apart->parties, q->keep_apart->n_parties,
		                    "keep_apart.parties", t, f);
	case DECIDES(UPHOLD):
		if (q->uphold->digest.len != EG_DIGEST_SIZE)
			return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "uphold.digest",
			                 "a digest has %d bytes", EG_DIGEST_SIZE);
		memcpy(d->digest, q->uphold->digest.data, EG_DIGEST_SIZE);
		return EG_OK;
	default:
		return EG_OK; /* seen before */
	}
}

static enum eg_rc resolve_after(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__ResolveCaseRequest *q = (const void *)a->request;
	struct eg_maker k = {.arena = a->arena};
	struct eg_case_reader reader = reader_of(a, &k, NULL);
	struct eg_case_row row = {0};
	enum eg_rc rc = case_row(a, q->case_id, &row, f);
	if (rc)
		return rc;
	Eldergate__V1__ResolveCaseResponse *r =
	        EG_MAKE(&k, Eldergate__V1__ResolveCaseResponse, eldergate__v1__resolve_case_response__init);
	if (r && (rc = eg_make_case(&reader, &row, &r->resolved, &f->err)))
		return rc;
	if (r) {
		r->log_id = eg_make_id(&k, a->ticket->log_id);
		r->seq = a->ticket->seq;
		r->commit_time = eg_make_time(&k, eg_case_entry_time(&reader, a->ticket->seq));
	}
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}

enum eg_rc eg_resolve_case(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__ResolveCaseRequest *q = (const void *)a->request;
	struct eg_case_row row = {0};
	struct eg_case_body body;
	enum eg_rc rc;
	if (eg_text_facts(eg_bytes_of(q->note)).chars > NOTE_CHARACTERS)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "note",
		                 "a note has at most %d characters", NOTE_CHARACTERS);
	if ((rc = case_row(a, q->case_id, &row, f)) ||
	    (rc = eg_case_open(a->edge->o.vault, &row, a->arena, &body, &f->err)))
		return rc;
	if (row.state != EG_CASE_OPEN)
		return eg_refuse(f, EG_PRECONDITION, EG_REASON_CASE_CLOSED, "case_id",
		                 "the case is closed already");
	if (!kind_of(q))
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "decision",
		                 "say how the case is decided");
	if (!eg_case_offers(row.kind, kind_of(q)))
		return eg_refuse(f, EG_PRECONDITION, EG_REASON_DECISION_NOT_POSSIBLE, "decision",
		                 "a case of this kind cannot be decided this way");
	struct eg_ticket *t =
	        eg_ticket_new(EG_TICKET_DECISION, TICKET_BYTES, a->caller.policy, a->caller.who);
	a->ticket = t;
	if (!t)
		return eg_ask_no_memory(f);
	t->bytes = sizeof *t;
	t->decision.kind = kind_of(q);
	t->operator_name = a->caller.who->name;
	t->traceparent = eg_arena_printf(t->arena, "%s", eg_call_traceparent(a->call));
	t->decision.note = eg_arena_text(t->arena, q->note, strlen(q->note));
	memcpy(t->decision.case_id, row.id, sizeof row.id);
	if (!t->traceparent || !t->decision.note)
		return eg_ask_no_memory(f);
	a->after = resolve_after;
	return read_decision(a, &body, q, t, f);
}
