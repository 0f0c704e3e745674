/* svc_audit: AuditService.SearchLog and GetEntry: what the log says, and to whom that was shown. */
#include "edge/pages.h"
#include "edge/queries.h"
#include "edge/services.h"
#include "edge/views.h"

#include "base/clock.h"
#include "eldergate/v1/audit.pb-c.h"
#include "flow/feed_window.h"

enum {
	LOOKED_AT_MAX = 20000, /* entries of one page of a search */
	CHUNK = 500,           /* entries of one read transaction */
	CHUNK_BYTES = 4 << 20,
	CHUNK_ARENA = 64 << 20, /* at least one entry comes, however large */
	SALT = 32
};

static ProtobufCBinaryData copy(struct eg_maker *k, struct eg_bytes b)
{
	uint8_t *p = (uint8_t *)(void *)eg_make_text(k, b);
	return (ProtobufCBinaryData){p ? b.len : 0, p};
}

static Eldergate__V1__EntryHeader *make_header(struct eg_maker *k, const struct eg_header *h)
{
	Eldergate__V1__EntryHeader *m =
	        EG_MAKE(k, Eldergate__V1__EntryHeader, eldergate__v1__entry_header__init);
	if (!m)
		return NULL;
	m->seq = h->seq;
	m->time = eg_make_time(k, h->time);
	m->kind = (Eldergate__V1__EntryKind)h->kind;
	m->entry_id = eg_make_id(k, h->entry_id);
	m->agency = eg_make_text(k, h->agency);
	m->operator_ = eg_make_text(k, h->operator_name);
	m->purpose = eg_make_text(k, h->purpose);
	m->outcome = (Eldergate__V1__Outcome)h->outcome;
	m->dataset = eg_make_text(k, h->dataset);
	m->batch_id = eg_make_text(k, h->submission);
	m->traceparent = eg_make_text(k, h->traceparent);
	m->count = h->count;
	m->request_digest = copy(k, h->digest);
	m->cause_seq = h->cause;
	m->reasons = eg_make(k, (h->n_reasons + 1) * sizeof *m->reasons);
	for (unsigned i = 0; i < h->n_reasons && m->reasons; i++)
		m->reasons[m->n_reasons++] = (Eldergate__V1__ReasonCode)h->reasons[i];
	m->authority_version = h->authority_version;
	m->action = eg_make_text(k, h->act);
	return m;
}

/* ---- SearchLog ---- */

struct search {
	const Eldergate__V1__SearchLogRequest *q;
	int64_t from, to; /* instants; to is INT64_MAX when it is open */
	uint64_t at, end; /* entries after at, up to end */
};

static bool says(const char *wanted, struct eg_bytes text)
{
	return !*wanted || eg_bytes_equal(eg_bytes_of(wanted), text);
}

static bool fits(const struct search *s, const struct eg_header *h)
{
	const Eldergate__V1__SearchLogRequest *q = s->q;
	bool kind = !q->n_kinds, reason = !q->reason;
	for (size_t i = 0; i < q->n_kinds; i++)
		kind |= (int)q->kinds[i] == (int)h->kind;
	for (unsigned i = 0; i < h->n_reasons; i++)
		reason |= (int)q->reason == h->reasons[i];
	return kind && reason && h->time >= s->from && h->time < s->to && says(q->agency, h->agency) &&
	       says(q->operator_, h->operator_name) && says(q->dataset, h->dataset) &&
	       says(q->batch_id, h->submission) && says(q->purpose, h->purpose) &&
	       (!q->outcome || (int)q->outcome == h->outcome);
}

static int64_t instant(const Google__Protobuf__Timestamp *t, int64_t otherwise)
{
	if (!t)
		return otherwise;
	if (t->seconds > INT64_MAX / EG_SECOND - 1)
		return INT64_MAX;
	return t->seconds < 0 ? 0 : t->seconds * EG_SECOND + t->nanos / 1000;
}

static enum eg_rc begin(struct eg_ask *a, struct search *s, uint64_t after, struct eg_fault *f)
{
	uint64_t head, by_time = 0;
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_get_head(a->conn, &head, &f->err);
	eg_read_end(a->conn);
	if (!rc && s->from > 0)
		rc = eg_seq_before_time(a->conn, s->from, &by_time, &f->err);
	s->at = s->q->after_seq > after ? s->q->after_seq : after;
	if (s->at < by_time)
		s->at = by_time;
	s->end = s->q->to_seq && s->q->to_seq < head ? s->q->to_seq : head;
	return rc;
}

static enum eg_rc chunk(struct eg_ask *a, struct search *s, struct eg_arena *rows_in,
                        struct eg_log_row **rows, unsigned *n, struct eg_fault *f)
{
	enum eg_rc rc = eg_read_begin(a->conn, &f->err);
	if (rc)
		return rc;
	rc = eg_list_entries(a->conn, s->at, CHUNK, CHUNK_BYTES, rows_in, rows, n, &f->err);
	eg_read_end(a->conn);
	return rc;
}

/* Goes through the log until the page is full, enough was looked at, or the end. */
static enum eg_rc search(struct eg_ask *a, struct search *s, struct eg_arena *rows_in, struct eg_maker *k,
                         unsigned max, Eldergate__V1__SearchLogResponse *r, struct eg_fault *f)
{
	unsigned looked_at = 0;
	while (s->at < s->end && r->n_headers < max && looked_at < LOOKED_AT_MAX && !k->failed) {
		struct eg_log_row *rows;
		unsigned n;
		eg_arena_reset(rows_in);
		enum eg_rc rc = chunk(a, s, rows_in, &rows, &n, f);
		if (rc)
			return rc;
		if (!n)
			break;
		for (unsigned i = 0; i < n && s->at < s->end && r->n_headers < max && !k->failed; i++) {
			struct eg_header h;
			if ((rc = eg_header_read(rows[i].header, &h, &f->err)))
				return rc;
			s->at = h.seq;
			looked_at++;
			if (h.time >= s->to)
				s->at = s->end; /* time never decreases */
			else if (fits(s, &h))
				r->headers[r->n_headers++] = make_header(k, &h);
		}
	}
	return EG_OK;
}

enum eg_rc eg_search_log(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__SearchLogRequest *q = (const void *)a->request;
	struct search s = {.q = q, .from = instant(q->from_time, 0), .to = instant(q->to_time, INT64_MAX)};
	struct eg_maker k = {.arena = a->arena};
	unsigned max;
	uint64_t after;
	enum eg_rc rc = eg_page_read(q->page_size, q->page_token, &max, &after, f);
	if (rc || (rc = begin(a, &s, after, f)))
		return rc;
	Eldergate__V1__SearchLogResponse *r =
	        EG_MAKE(&k, Eldergate__V1__SearchLogResponse, eldergate__v1__search_log_response__init);
	if (r)
		r->headers = EG_MAKE_LIST(&k, max);
	struct eg_arena *rows_in = eg_arena_new(CHUNK_ARENA);
	k.failed |= !rows_in;
	rc = k.failed ? EG_OK : search(a, &s, rows_in, &k, max, r, f);
	eg_arena_free(rows_in);
	if (rc)
		return rc;
	if (!k.failed && s.at < s.end)
		r->next_page_token = eg_make_token(&k, s.at);
	if (!k.failed)
		r->log_id = eg_make_id(&k, eg_writer_log_id(a->edge->o.writer));
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	a->ticket = eg_ask_query(a, "", "", NULL, 0, NULL, 0, f);
	return a->ticket ? EG_OK : f->err.rc;
}

/* ---- GetEntry ---- */

/* Opens C ‖ sealed by hand: the salt is part of what is shown, so that C can be checked by others. */
static enum eg_rc open_part(struct eg_vault *v, struct eg_maker *k, const struct eg_header *h,
                            const char *name, struct eg_bytes stored, Eldergate__V1__EntryPart *m,
                            struct eg_err *err)
{
	struct eg_buf aad = {0}, plain = {0};
	uint8_t c[EG_HASH_SIZE];
	eg_buf_add(&aad, h->entry_id, sizeof h->entry_id);
	eg_buf_add_be(&aad, h->kind, 2);
	eg_buf_add(&aad, name, strlen(name));
	struct eg_bytes sealed = {stored.p + EG_HASH_SIZE, stored.len - EG_HASH_SIZE};
	enum eg_rc rc = eg_vault_open_sealed(v, eg_buf_bytes(&aad), sealed, &plain, err);
	struct eg_bytes all = eg_buf_bytes(&plain);
	if (!rc) {
		eg_sha256(&all, 1, c);
		if (all.len < SALT || memcmp(c, stored.p, sizeof c) != 0)
			rc = eg_fail(err, EG_CORRUPT, "a part of log entry %llu does not fit its commitment",
			             (unsigned long long)h->seq);
	}
	if (!rc) {
		m->state = ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_OPEN;
		m->salt = copy(k, (struct eg_bytes){all.p, SALT});
		m->text = copy(k, (struct eg_bytes){all.p + SALT, all.len - SALT});
	}
	eg_buf_free(&aad);
	eg_buf_free(&plain);
	return rc;
}

static enum eg_rc make_part(struct eg_vault *v, struct eg_maker *k, const struct eg_header *h,
                            const char *name, struct eg_bytes stored, bool open,
                            Eldergate__V1__EntryPart **out, struct eg_err *err)
{
	uint8_t c[EG_HASH_SIZE];
	Eldergate__V1__EntryPart *m = EG_MAKE(k, Eldergate__V1__EntryPart, eldergate__v1__entry_part__init);
	*out = m;
	if (!m)
		return EG_OK;
	eg_part_c(stored, c);
	m->commitment = copy(k, (struct eg_bytes){c, sizeof c});
	if (!stored.len)
		m->state = ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_NONE;
	else if (stored.len == EG_HASH_SIZE)
		m->state = ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_ERASED;
	else if (open)
		return open_part(v, k, h, name, stored, m, err);
	else
		m->state = ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_SEALED;
	return EG_OK;
}

/* Whose entry it is, for the log of reads. */
static unsigned person_of(const struct eg_entry *e, uint8_t id[1][16])
{
	if (!e->has_effect || !e->effect.has_person)
		return 0;
	memcpy(id[0], e->effect.person, 16);
	return 1;
}

enum eg_rc eg_get_entry_call(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__GetEntryRequest *q = (const void *)a->request;
	struct eg_vault *v = a->edge->o.vault;
	struct eg_maker k = {.arena = a->arena};
	const struct eg_purpose_rule *grant;
	struct eg_log_row row;
	struct eg_entry e;
	uint8_t id[1][16];
	enum eg_rc rc;
	if ((rc = eg_ask_legal_basis(q->legal_basis, f)))
		return rc;
	if ((q->open_parts || *q->purpose) && (rc = eg_caller_purpose(&a->caller, q->purpose, &grant, f)))
		return rc;
	if (q->open_parts && !grant->entries)
		return eg_refuse(f, EG_DENIED, EG_REASON_FIELD_NOT_PERMITTED, "open_parts",
		                 "the grant does not open log entries for this purpose");
	if ((rc = eg_read_begin(a->conn, &f->err)))
		return rc;
	rc = q->seq <= INT64_MAX ? eg_get_entry(a->conn, q->seq, a->arena, &row, &f->err) : EG_EMPTY;
	eg_read_end(a->conn);
	if (rc == EG_EMPTY)
		return eg_refuse(f, EG_NOT_FOUND, EG_REASON_ENTRY_UNKNOWN, "seq",
		                 "there is no such log entry");
	if (rc || (rc = eg_entry_open(v, &row, false, q->open_parts, a->arena, &e, &f->err)))
		return rc;
	Eldergate__V1__GetEntryResponse *r =
	        EG_MAKE(&k, Eldergate__V1__GetEntryResponse, eldergate__v1__get_entry_response__init);
	if (!r)
		return eg_ask_no_memory(f);
	r->log_id = eg_make_id(&k, eg_writer_log_id(a->edge->o.writer));
	r->header = make_header(&k, &e.header);
	r->canonical_header = copy(&k, row.header);
	r->leaf_data = copy(&k, (struct eg_bytes){row.leaf, sizeof row.leaf});
	if ((rc = make_part(v, &k, &e.header, "claim", row.claim, q->open_parts, &r->claim, &f->err)) ||
	    (rc = make_part(v, &k, &e.header, "effect", row.effect, q->open_parts, &r->effect, &f->err)))
		return rc;
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	a->ticket = eg_ask_query(a, q->purpose, q->legal_basis, (const uint8_t(*)[16])id, person_of(&e, id),
	                         NULL, 0, f);
	return a->ticket ? EG_OK : f->err.rc;
}
