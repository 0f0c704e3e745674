/* svc_rejects: ExchangeService.ListRejects and Resubmit: what an agency's own records lack, and how it puts
 * them right. */
#include "edge/pages.h"
#include "edge/queries.h"
#include "edge/receipt.h"
#include "edge/services.h"

#include "base/clock.h"
#include "model/canon.h"

#include <stdio.h>

/* ---- ListRejects ---- */

static enum eg_rc log_position(struct eg_ask *a, struct eg_fault *f)
{
	(void)a;
	(void)f;
	return EG_OK; /* the answer has no place for the read's entry */
}

/* The open case of a version conflict, by its subject (gateway/FORMAT.md). */
static enum eg_rc conflict_case(const struct eg_finder *q, const struct eg_reject_row *r,
                                struct eg_case_row *out, struct eg_err *err)
{
	struct eg_buf b = {0};
	uint8_t subject[16];
	eg_buf_add_u8(&b, EG_CASE_VERSION_CONFLICT);
	eg_buf_add(&b, r->source, sizeof r->source);
	eg_buf_add_be(&b, (uint64_t)r->version, 8);
	eg_buf_add_be(&b, r->mapping_revision, 4);
	eg_vault_digest(q->vault, eg_buf_bytes(&b), subject);
	eg_buf_free(&b);
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_case_by_subject(q->conn, subject, q->arena, out, err);
	eg_read_end(q->conn);
	return rc;
}

/* The person that the rejected record's source key belongs to, for the log. EG_EMPTY: none. */
static enum eg_rc person_of(const struct eg_finder *q, const uint8_t token[16], uint8_t id[16],
                            struct eg_err *err)
{
	struct eg_source_row source;
	struct eg_person_row person;
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_get_source(q->conn, token, q->arena, &source, err);
	if (!rc)
		rc = source.person ? eg_get_person(q->conn, source.person, q->arena, &person, err) : EG_EMPTY;
	eg_read_end(q->conn);
	if (!rc)
		memcpy(id, person.id, 16);
	return rc;
}

/* The header keeps the codes alone: the fields are found by grading the stored claim as it was graded then.
 */
static void add_reasons(struct eg_maker *k, Eldergate__V1__Reject *m, const struct eg_header *h,
                        const struct eg_claim *claim)
{
	struct eg_reasons graded;
	eg_grade(claim, h->time, &graded);
	m->reasons = EG_MAKE_LIST(k, h->n_reasons + graded.n);
	for (unsigned i = 0; i < h->n_reasons && m->reasons; i++) {
		enum eg_reason_code code = (enum eg_reason_code)h->reasons[i];
		unsigned told = 0;
		bool again = false;
		for (unsigned n = 0; n < i; n++)
			again |= h->reasons[n] == h->reasons[i];
		for (unsigned n = 0; n <= graded.n && !again && !k->failed; n++) {
			bool last = n == graded.n;
			if (last ? told > 0 : graded.v[n].code != code)
				continue;
			Eldergate__V1__RejectReason *r =
			        EG_MAKE(k, Eldergate__V1__RejectReason, eldergate__v1__reject_reason__init);
			if (!r)
				return;
			r->reason = eg_make_reason(k, code, last ? "" : graded.v[n].field);
			r->remedy = eg_make_text(k, eg_bytes_of(eg_reason_remedy(code)));
			m->reasons[m->n_reasons++] = r;
			told++;
		}
	}
}

static enum eg_rc make_reject(struct eg_maker *k, const struct eg_finder *q, const struct eg_reject_row *row,
                              Eldergate__V1__Reject **out, struct eg_err *err)
{
	struct eg_entry entry;
	struct eg_claim claim = {0};
	struct eg_case_row conflict;
	enum eg_rc rc = eg_find_entry(q, row->seq, true, &entry, err);
	if (rc)
		return rc == EG_EMPTY ? eg_fail(err, EG_CORRUPT, "a reject names an entry that is not there")
		                      : rc;
	if ((rc = eg_canon_claim_read(entry.claim_part, q->arena, &claim, err)))
		return rc;
	rc = conflict_case(q, row, &conflict, err);
	if (rc && rc != EG_EMPTY)
		return rc;
	Eldergate__V1__Reject *m = EG_MAKE(k, Eldergate__V1__Reject, eldergate__v1__reject__init);
	*out = m;
	if (!m)
		return EG_OK;
	m->reject_seq = row->seq;
	m->dataset = eg_make_text(k, eg_bytes_of(row->dataset));
	m->source_key = eg_make_text(k, claim.source_key);
	m->version = row->version;
	m->mapping_revision = row->mapping_revision;
	m->batch_id = eg_make_text(k, entry.header.submission);
	m->time = eg_make_time(k, entry.header.time);
	m->state = (Eldergate__V1__RejectState)row->state;
	add_reasons(k, m, &entry.header, &claim);
	if (rc == EG_OK && conflict.state == EG_CASE_OPEN && (m->case_ids = EG_MAKE_LIST(k, 1)))
		m->case_ids[m->n_case_ids++] = eg_make_id(k, conflict.id);
	return EG_OK;
}

static enum eg_rc list_page(const struct eg_finder *q, uint64_t after, int state, unsigned max,
                            struct eg_reject_row **rows, unsigned *n, struct eg_err *err)
{
	enum eg_rc rc = eg_read_begin(q->conn, err);
	if (rc)
		return rc;
	rc = eg_list_rejects(q->conn, q->caller->who->name, after, state, max, q->arena, rows, n, err);
	eg_read_end(q->conn);
	return rc;
}

enum eg_rc eg_list_rejects_call(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__ListRejectsRequest *q = (const void *)a->request;
	struct eg_finder find = {a->conn, a->edge->o.vault, &a->caller, a->arena};
	struct eg_maker k = {.arena = a->arena};
	struct eg_reject_row *rows;
	unsigned max, n, n_persons = 0;
	uint64_t after;
	int state = q->state ? (int)q->state : EG_REJECT_OPEN;
	enum eg_rc rc = eg_page_read(q->page_size, q->page_token, &max, &after, f);
	if (rc)
		return rc;
	if (state < EG_REJECT_OPEN || state > EG_REJECT_DECIDED)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "state",
		                 "there is no such state");
	if ((rc = list_page(&find, after, state, max, &rows, &n, &f->err)))
		return rc;
	Eldergate__V1__ListRejectsResponse *r =
	        EG_MAKE(&k, Eldergate__V1__ListRejectsResponse, eldergate__v1__list_rejects_response__init);
	Eldergate__V1__Reject **list = EG_MAKE_LIST(&k, n);
	uint8_t(*persons)[16] = eg_make(&k, (n + 1) * sizeof *persons);
	if (k.failed)
		return eg_ask_no_memory(f);
	r->rejects = list;
	for (unsigned i = 0; i < n; i++) {
		if (*q->dataset && strcmp(q->dataset, rows[i].dataset) != 0)
			continue;
		if ((rc = make_reject(&k, &find, &rows[i], &list[r->n_rejects], &f->err)))
			return rc;
		rc = person_of(&find, rows[i].source, persons[n_persons], &f->err);
		if (rc && rc != EG_EMPTY)
			return rc;
		n_persons += !rc;
		r->n_rejects++;
		if (k.failed)
			return eg_ask_no_memory(f);
	}
	if (n == max)
		r->next_page_token = eg_make_token(&k, rows[n - 1].seq);
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	a->after = log_position;
	a->ticket = eg_ask_query(a, "", "", persons, n_persons, NULL, 0, f);
	return a->ticket ? EG_OK : f->err.rc;
}

/* ---- Resubmit ---- */

struct resubmission {
	unsigned n;
	struct eg_item *all; /* in the order of the request */
	unsigned *taken;     /* index among the ticket's items; UINT_MAX: refused */
	Eldergate__V1__ResubmitResponse *reply;
	struct eg_bytes batch_id;
};

static enum eg_rc finish_receipt(struct eg_ask *a, struct resubmission *s, const struct eg_ticket *t,
                                 int64_t time, struct eg_fault *f)
{
	struct eg_maker k = {.arena = a->arena};
	Eldergate__V1__Receipt *m;
	if (t) {
		m = eg_make_receipt(&k, t, time);
	} else { /* nothing was taken: there is no commit to tell of */
		m = EG_MAKE(&k, Eldergate__V1__Receipt, eldergate__v1__receipt__init);
		if (m)
			m->batch_id = eg_make_text(&k, s->batch_id);
	}
	Eldergate__V1__RecordResult **list = EG_MAKE_LIST(&k, s->n);
	for (unsigned i = 0; i < s->n && !k.failed; i++)
		list[i] = eg_make_result(
		        &k, i, s->taken[i] == UINT32_MAX ? &s->all[i] : &t->submission.items[s->taken[i]]);
	if (k.failed)
		return eg_ask_no_memory(f);
	m->results = list;
	m->n_results = s->n;
	s->reply->receipt = m;
	a->reply = &s->reply->base;
	return EG_OK;
}

static enum eg_rc resubmit_after(struct eg_ask *a, struct eg_fault *f)
{
	return finish_receipt(a, a->state, a->ticket, eg_now_us(), f);
}

/* Is the reject the caller's, and of this very source record? A closed one too: repeating the call changes
 * nothing. */
static enum eg_rc is_reject(struct eg_ask *a, const struct eg_finder *find, uint64_t seq,
                            const struct eg_dataset_rule *dataset, const struct eg_item *item, bool *is,
                            struct eg_fault *f)
{
	struct eg_reject_row *rows = NULL;
	uint8_t token[EG_TOKEN_SIZE];
	unsigned n = 0;
	*is = false;
	if (!seq || seq > INT64_MAX)
		return EG_OK;
	enum eg_rc rc = list_page(find, seq - 1, 0, 1, &rows, &n, &f->err);
	if (rc)
		return rc;
	eg_source_token(find->vault, eg_bytes_of(a->caller.who->name), eg_bytes_of(dataset->name),
	                item->claim.source_key, token);
	*is = n && rows[0].seq == seq && strcmp(rows[0].dataset, dataset->name) == 0 &&
	      !memcmp(rows[0].source, token, sizeof token);
	return EG_OK;
}

/* The ticket gets the corrections of real rejects; the others are answered REFUSED. */
static enum eg_rc sort_out(struct eg_ask *a, struct resubmission *s, struct eg_ticket *t,
                           const uint64_t *seqs, struct eg_fault *f)
{
	struct eg_finder find = {a->conn, a->edge->o.vault, &a->caller, a->arena};
	struct eg_submission *u = &t->submission;
	for (unsigned i = 0; i < s->n; i++) {
		bool is;
		enum eg_rc rc = is_reject(a, &find, seqs[i], u->dataset, &s->all[i], &is, f);
		if (rc)
			return rc;
		s->taken[i] = is ? u->n : UINT32_MAX;
		if (is) {
			u->items[u->n++] = s->all[i];
			continue;
		}
		s->all[i].outcome = EG_REFUSED;
		s->all[i].reasons.n = 0;
		eg_reasons_add(&s->all[i].reasons, EG_REASON_REJECT_UNKNOWN, "reject_seq");
	}
	return EG_OK;
}

static enum eg_rc fill(struct eg_ask *a, struct resubmission *s, const struct eg_batch *b,
                       const struct eg_dataset_rule *dataset, struct eg_ticket *t, struct eg_fault *f)
{
	struct eg_submission *u = &t->submission;
	uint64_t *seqs = eg_arena_alloc(a->arena, b->n * sizeof *seqs);
	t->bytes = b->message.len;
	t->operator_name = a->caller.who->name;
	t->traceparent = eg_arena_printf(t->arena, "%s", eg_call_traceparent(a->call));
	u->batch_id = eg_arena_text(t->arena, (const char *)b->batch_id.p, b->batch_id.len);
	u->dataset = dataset;
	u->items = eg_arena_alloc(t->arena, b->n * sizeof *u->items);
	s->n = b->n;
	s->all = eg_arena_alloc(t->arena, b->n * sizeof *s->all);
	s->taken = eg_arena_alloc(a->arena, b->n * sizeof *s->taken);
	s->batch_id = b->batch_id;
	if (!seqs || !t->traceparent || !u->batch_id || !u->items || !s->all || !s->taken)
		return eg_ask_no_memory(f);
	eg_sha256(&b->message, 1, u->digest);
	enum eg_rc rc = eg_batch_corrections(b, t->arena, s->all, seqs, &f->err);
	return rc ? rc : sort_out(a, s, t, seqs, f);
}

enum eg_rc eg_resubmit(struct eg_ask *a, struct eg_fault *f)
{
	const struct eg_batch_limits limits = {a->edge->o.batch_records, a->edge->o.batch_bytes};
	const struct eg_dataset_rule *dataset;
	struct eg_maker k = {.arena = a->arena};
	struct eg_batch b;
	f->reason = EG_REASON_MALFORMED_REQUEST;
	enum eg_rc rc = eg_batch_read(a->raw, true, &b, &f->err);
	if (rc)
		return rc;
	f->reason = 0;
	if ((rc = eg_batch_admit(&b, &limits, a->caller.policy, a->caller.who, &dataset, f)))
		return rc;
	/* What was taken before must be paid for first; then this batch's own share counts against the next.
	 */
	const struct eg_identity_rule *who = a->caller.who;
	if (eg_quota_take(a->edge->quota, who->name, who->records_per_second, 0) > 0)
		return eg_refuse(f, EG_BUSY, EG_REASON_BUSY, "corrections",
		                 "more records a second than the identity may send");
	eg_quota_take(a->edge->quota, who->name, who->records_per_second, b.n);
	struct resubmission *s = eg_make(&k, sizeof *s);
	struct eg_ticket *t =
	        eg_ticket_new(EG_TICKET_SUBMISSION, 2 * eg_batch_budget(&b), a->caller.policy, a->caller.who);
	a->ticket = t; /* freed with the ask */
	if (!s || !t)
		return eg_ask_no_memory(f);
	s->reply = EG_MAKE(&k, Eldergate__V1__ResubmitResponse, eldergate__v1__resubmit_response__init);
	if (!s->reply)
		return eg_ask_no_memory(f);
	if ((rc = fill(a, s, &b, dataset, t, f)))
		return rc;
	a->state = s;
	a->after = resubmit_after;
	if (t->submission.n)
		return EG_OK;
	rc = finish_receipt(a, s, NULL, 0, f); /* the refused items live in the ticket */
	eg_ticket_free(t);
	a->ticket = NULL;
	return rc;
}
