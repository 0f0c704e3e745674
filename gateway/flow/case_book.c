/* case_book: opens and closes cases so that those open are those that the claims call for.
 *
 * A person's open cases are, by its entries, those opened and not closed again: a case that comes to concern
 * another person (a merge, a split) is opened for the one and closed for the other. A person that ended gets
 * no more entries.
 *
 * Whose case: of the persons that hold its source keys; LIFE_DISPUTED and POLICE_LAG: of its one person,
 * whatever source keys join or leave it. The same question is one case, by its subject: a digest over the
 * kind and the source keys, or over the kind and the one person; VERSION_CONFLICT: and the version. A closed
 * one opens again when its question comes back. Thread: the writer's. */
#include "flow/merge.h"

#include <string.h>

struct want {
	const struct eg_wanted *w;
	struct eg_ws_person *person; /* of one person's case */
	uint8_t subject[16];
	struct eg_ws_case *k; /* NULL: not there yet */
};

struct settling {
	struct eg_merge *m;
	struct eg_cause *c;
	uint64_t step;
	struct eg_ws_person **persons;
	const bool *changed;
	unsigned n_persons;
	bool joined;
	struct eg_ws_case **open; /* of these persons */
	unsigned n_open;
	struct want *wants;
	unsigned n_wants;
};

/* ---- subjects ---- */

static enum eg_rc subject_of(struct eg_merge *m, enum eg_case_kind kind, const uint8_t (*tokens)[16],
                             unsigned n, struct eg_bytes more, uint8_t out[16], struct eg_err *err)
{
	struct eg_buf *b = &m->scratch;
	eg_buf_reset(b);
	eg_buf_add_u8(b, (uint8_t)kind);
	for (unsigned i = 0; i < n; i++)
		eg_buf_add(b, tokens[i], 16);
	eg_buf_add(b, more.p, more.len);
	if (b->failed)
		return eg_fail(err, EG_NO_MEMORY, "a case's subject could not be written");
	eg_vault_digest(m->vault, eg_buf_bytes(b), out);
	return EG_OK;
}

/* ---- entries ---- */

static bool lists(const struct eg_ws_person *p, const struct eg_ws_case *k)
{
	for (unsigned i = 0; i < p->now.n_cases; i++)
		if (memcmp(p->now.cases[i], k->row.id, 16) == 0)
			return true;
	return false;
}

static enum eg_rc set_listed(struct eg_merge *m, struct eg_ws_person *p, const struct eg_ws_case *k,
                             bool listed, struct eg_err *err)
{
	uint8_t(*cases)[16] = eg_arena_alloc(m->arena, (p->now.n_cases + 1) * sizeof *cases);
	unsigned n = 0;
	if (!cases)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < p->now.n_cases; i++)
		if (memcmp(p->now.cases[i], k->row.id, 16) != 0)
			memcpy(cases[n++], p->now.cases[i], 16);
	if (listed)
		memcpy(cases[n++], k->row.id, 16);
	p->now.cases = cases;
	p->now.n_cases = n;
	return EG_OK;
}

/* A version of the person that says that the case opened or closed for it. */
static enum eg_rc tell_person(struct eg_merge *m, struct eg_cause *c, struct eg_ws_person *p,
                              struct eg_ws_case *k, bool open, uint64_t *seq, struct eg_err *err)
{
	struct eg_person_change ch = {
	        .person = p,
	        .same = true,
	        .event = open ? EG_EVENT_CASE_OPENED : EG_EVENT_CASE_CLOSED,
	        .of_case = k,
	};
	enum eg_rc rc = set_listed(m, p, k, open, err);
	return rc ? rc : eg_effect_emit(m, c, &ch, seq, err);
}

/* A case that no person can be told of. */
static enum eg_rc tell_nobody(struct eg_merge *m, struct eg_cause *c, const struct eg_ws_case *k, bool open,
                              uint64_t *seq, struct eg_err *err)
{
	struct eg_header h;
	struct eg_effect e = {.event = open ? EG_EVENT_CASE_OPENED : EG_EVENT_CASE_CLOSED,
	                      .has_case = true,
	                      .case_kind = (int)k->body.kind};
	memcpy(e.case_id, k->row.id, sizeof e.case_id);
	eg_merge_header(c->ticket, EG_ENTRY_CASE, &h);
	eg_tail_id(m->tail, h.entry_id);
	h.cause = c->seq;
	*seq = eg_tail_next(m->tail);
	return eg_tail_append(m->tail, &h, (struct eg_bytes){0}, &e, err);
}

static void tell_sender(struct eg_cause *c, const struct eg_ws_case *k)
{
	struct eg_item *item = c->item;
	if (!item || item->n_cases == sizeof item->cases / sizeof *item->cases)
		return;
	for (unsigned i = 0; i < item->n_cases; i++)
		if (memcmp(item->cases[i], k->row.id, 16) == 0)
			return;
	for (unsigned i = 0; i < k->body.n_tokens; i++)
		if (memcmp(k->body.tokens[i], item->token, EG_TOKEN_SIZE) == 0) {
			memcpy(item->cases[item->n_cases++], k->row.id, 16);
			return;
		}
}

/* ---- whose case ---- */

struct people {
	struct eg_ws_person **v;
	unsigned n;
};

static void add_once(struct people *p, struct eg_ws_person *x)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->v[i] == x)
			return;
	p->v[p->n++] = x;
}

/* The persons that the case is about now. */
static enum eg_rc people_now(struct eg_merge *m, const struct eg_ws_case *k, struct eg_ws_person *only,
                             struct people *out, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	*out = (struct people){
	        eg_arena_alloc(m->arena, (k->body.n_tokens + 1) * sizeof(struct eg_ws_person *)), 0};
	if (!out->v)
		return eg_ws_no_memory(err);
	if (only)
		out->v[out->n++] = only;
	for (unsigned i = 0; !only && i < k->body.n_tokens && rc == EG_OK; i++) {
		struct eg_ws_source *s = NULL;
		struct eg_ws_person *p = NULL;
		rc = eg_ws_source(&m->set, k->body.tokens[i], &s, err);
		if (rc == EG_OK && eg_versions_effective(&s->versions))
			rc = eg_ws_person_of(&m->set, s, &p, err);
		if (rc == EG_OK && p)
			add_once(out, p);
	}
	return rc;
}

/* Opens the case for those who have become its persons, closes it for those who are no longer. *first: seq of
 * the first entry; 0: none. */
static enum eg_rc pass_on(struct eg_merge *m, struct eg_cause *c, struct eg_ws_case *k,
                          const struct people *now, uint64_t *first, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	uint64_t seq = 0;
	*first = 0;
	for (unsigned i = 0; i < k->body.n_persons && rc == EG_OK; i++) {
		struct eg_ws_person *p = NULL;
		bool still = false;
		rc = eg_ws_person_by_id(&m->set, k->body.persons[i], &p, err);
		for (unsigned j = 0; j < now->n; j++)
			still = still || now->v[j] == p;
		if (rc || still || p->now.merged || !lists(p, k))
			continue;
		rc = tell_person(m, c, p, k, false, &seq, err);
		if (!*first)
			*first = seq;
	}
	bool same = now->n == k->body.n_persons;
	for (unsigned i = 0; i < now->n && rc == EG_OK; i++) {
		if (lists(now->v[i], k))
			continue;
		same = false;
		rc = tell_person(m, c, now->v[i], k, true, &seq, err);
		if (!*first)
			*first = seq;
	}
	if (rc || (same && !*first))
		return rc;
	k->body.persons = eg_arena_alloc(m->arena, now->n * sizeof *k->body.persons);
	if (!k->body.persons)
		return eg_ws_no_memory(err);
	k->body.n_persons = now->n;
	for (unsigned i = 0; i < now->n; i++)
		memcpy(k->body.persons[i], now->v[i]->row.id, 16);
	k->person = now->n ? now->v[0] : NULL;
	k->dirty = true;
	return EG_OK;
}

/* ---- opening and closing ---- */

static enum eg_rc open_case(struct eg_merge *m, struct eg_cause *c, struct eg_ws_case *k,
                            struct eg_ws_person *only, struct eg_err *err)
{
	struct people now;
	k->body.decision = 0;
	k->body.note = k->body.decided_by = (struct eg_bytes){0};
	k->body.n_persons = 0;
	k->row.state = EG_CASE_OPEN;
	k->row.closed = 0;
	k->row.person = 0;
	k->dirty = true;
	enum eg_rc rc = people_now(m, k, only, &now, err);
	if (rc == EG_OK)
		rc = pass_on(m, c, k, &now, &k->row.opened, err);
	if (rc == EG_OK && !now.n)
		rc = tell_nobody(m, c, k, true, &k->row.opened, err);
	m->opened[k->body.kind]++;
	tell_sender(c, k);
	return rc;
}

enum eg_rc eg_case_shut(struct eg_merge *m, struct eg_cause *c, struct eg_ws_case *k, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	uint64_t seq = 0;
	k->row.closed = 0;
	for (unsigned i = 0; i < k->body.n_persons && rc == EG_OK; i++) {
		struct eg_ws_person *p = NULL;
		rc = eg_ws_person_by_id(&m->set, k->body.persons[i], &p, err);
		if (rc || p->now.merged || !lists(p, k))
			continue;
		rc = tell_person(m, c, p, k, false, &seq, err);
		if (!k->row.closed)
			k->row.closed = seq;
	}
	if (rc == EG_OK && !k->row.closed)
		rc = tell_nobody(m, c, k, false, &k->row.closed, err);
	k->row.state = EG_CASE_CLOSED;
	k->dirty = true;
	m->opened[k->body.kind]--;
	return rc;
}

/* ---- settling ---- */

static enum eg_rc gather_open(struct settling *x, struct eg_err *err)
{
	unsigned all = 0;
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < x->n_persons; i++) {
		x->persons[i]->step = x->step;
		x->persons[i]->index = i;
		all += x->persons[i]->now.n_cases;
	}
	x->open = eg_arena_alloc(x->m->arena, all * sizeof(struct eg_ws_case *));
	if (!x->open)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < x->n_persons; i++) {
		const struct eg_person *p = &x->persons[i]->now;
		for (unsigned j = 0; j < p->n_cases && rc == EG_OK; j++) {
			struct eg_ws_case *k = NULL;
			rc = eg_ws_case(&x->m->set, p->cases[j], &k, err);
			if (rc == EG_OK && !k)
				rc = eg_fail(err, EG_CORRUPT,
				             "a person names an open case that is not there");
			if (rc || k->step == x->step)
				continue;
			k->step = x->step;
			x->open[x->n_open++] = k;
		}
	}
	return rc;
}

static enum eg_rc add_want(struct settling *x, const struct eg_wanted *w, struct eg_ws_person *person,
                           struct eg_err *err)
{
	struct want *want = &x->wants[x->n_wants++];
	struct eg_bytes id = {0};
	*want = (struct want){.w = w, .person = person};
	if (person)
		id = (struct eg_bytes){person->row.id, 16};
	enum eg_rc rc = subject_of(x->m, w->kind, (const uint8_t(*)[16])w->tokens, person ? 0 : w->n, id,
	                           want->subject, err);
	if (rc == EG_OK)
		rc = eg_ws_case_by_subject(&x->m->set, want->subject, &want->k, err);
	if (rc == EG_OK && want->k)
		want->k->wanted = x->step;
	return rc;
}

static bool of_one_person(enum eg_case_kind kind)
{
	return kind == EG_CASE_LIFE_DISPUTED || kind == EG_CASE_POLICE_LAG;
}

static bool has_open(const struct settling *x, const struct eg_ws_person *p, enum eg_case_kind kind)
{
	for (unsigned i = 0; i < x->n_open; i++)
		if (x->open[i]->body.kind == kind && lists(p, x->open[i]))
			return true;
	return false;
}

/* Does a person bring a lag that is a case already? Its grace does not begin anew. */
static bool brings_lag(const struct settling *x, const struct eg_ws_person *p)
{
	for (unsigned i = 0; i < x->n_persons; i++) {
		const struct eg_ws_person *from = x->persons[i];
		if (from->now.merged && memcmp(from->now.merged_into, p->row.id, 16) == 0 &&
		    has_open(x, from, EG_CASE_POLICE_LAG))
			return true;
	}
	return false;
}

static enum eg_rc want_of_person(struct settling *x, struct eg_ws_person *p, enum eg_case_kind kind,
                                 struct eg_err *err)
{
	struct eg_wanted *w = eg_arena_alloc(x->m->arena, sizeof *w);
	if (!w)
		return eg_ws_no_memory(err);
	*w = (struct eg_wanted){.kind = kind, .n = p->now.n_held};
	w->tokens = eg_arena_alloc(x->m->arena, w->n * sizeof *w->tokens);
	if (!w->tokens)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < w->n; i++)
		memcpy(w->tokens[i], p->now.held[i].token, EG_TOKEN_SIZE);
	return add_want(x, w, p, err);
}

static enum eg_rc gather_wants(struct settling *x, const struct eg_wanted *wanted, unsigned n,
                               struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	x->wants = eg_arena_alloc(x->m->arena, (n + 2 * x->n_persons) * sizeof *x->wants);
	if (!x->wants)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++)
		rc = add_want(x, &wanted[i], NULL, err);
	for (unsigned i = 0; i < x->n_persons && rc == EG_OK; i++) {
		const struct eg_view *v = NULL;
		struct eg_ws_person *p = x->persons[i];
		if (p->now.merged || !x->changed[i])
			continue;
		rc = eg_person_view(x->m, p, &v, err);
		if (rc == EG_OK && v->life == EG_LIFE_DISPUTED)
			rc = want_of_person(x, p, EG_CASE_LIFE_DISPUTED, err);
		/* A lag becomes a case when its grace is over, and stays one while it lasts. */
		if (rc || !eg_life_lags(v->evidence))
			continue;
		bool brought = brings_lag(x, p);
		if (brought)
			p->lag = EG_WS_LAG_ENDS; /* it is a case */
		if (brought || p->lag_due || has_open(x, p, EG_CASE_POLICE_LAG))
			rc = want_of_person(x, p, EG_CASE_POLICE_LAG, err);
	}
	return rc;
}

/* Does an open case of these persons stay open? only: its person, if it is one person's whatever its source
 * keys do. */
static bool stays(const struct settling *x, const struct eg_ws_case *k, struct eg_ws_person *only)
{
	if (k->wanted == x->step)
		return true;
	switch (k->body.kind) {
	case EG_CASE_VERSION_CONFLICT: /* closed by its rejects */
	case EG_CASE_LIST_SHRINK:      /* nobody's: closed by its decision */
		return true;
	case EG_CASE_LIFE_DISPUTED:
	case EG_CASE_POLICE_LAG:
		return !(only->step == x->step && x->changed[only->index]); /* merged away: changed too */
	case EG_CASE_DOUBLE_REGISTRATION:
	case EG_CASE_NUMBER_SHARED:
	case EG_CASE_AMBIGUOUS_KEY:
	case EG_CASE_PROPOSED_MATCH:
	case EG_CASE_NO_IDENTITY:
		return !x->joined;
	}
	return true;
}

static enum eg_rc settle_open(struct settling *x, struct eg_ws_case *k, struct eg_err *err)
{
	struct eg_ws_person *only = NULL;
	struct people now;
	uint64_t first;
	enum eg_rc rc = EG_OK;
	if (of_one_person(k->body.kind)) {
		if (k->body.n_persons != 1)
			return eg_fail(err, EG_CORRUPT, "a case of one person has %u persons",
			               k->body.n_persons);
		rc = eg_ws_person_by_id(&x->m->set, k->body.persons[0], &only, err);
	}
	if (rc)
		return rc;
	if (!stays(x, k, only))
		return eg_case_shut(x->m, x->c, k, err);
	tell_sender(x->c, k);
	if (!x->joined || only)
		return EG_OK;
	rc = people_now(x->m, k, NULL, &now, err);
	return rc ? rc : pass_on(x->m, x->c, k, &now, &first, err);
}

static enum eg_rc settle_want(struct settling *x, struct want *w, struct eg_err *err)
{
	struct people now;
	uint64_t first;
	if (!w->k) { /* asked again: another want of this step may have had the same subject */
		enum eg_rc rc = eg_ws_case_by_subject(&x->m->set, w->subject, &w->k, err);
		if (rc == EG_OK && !w->k) {
			rc = eg_ws_case_new(&x->m->set, w->subject, &w->k, err);
			if (rc == EG_OK)
				w->k->row.state = EG_CASE_CLOSED;
		}
		if (rc)
			return rc;
	}
	if (w->k->row.state != EG_CASE_OPEN) {
		w->k->body.kind = w->w->kind;
		w->k->body.n_tokens = w->w->n;
		w->k->body.tokens = w->w->tokens;
		return open_case(x->m, x->c, w->k, w->person, err);
	}
	if (w->k->step == x->step)
		return EG_OK; /* settled among the open ones */
	tell_sender(x->c, w->k);
	enum eg_rc rc = people_now(x->m, w->k, w->person, &now, err);
	return rc ? rc : pass_on(x->m, x->c, w->k, &now, &first, err);
}

enum eg_rc eg_cases_settle(struct eg_merge *m, struct eg_cause *c, struct eg_ws_person **persons,
                           const bool *changed, unsigned n, const struct eg_wanted *wanted, unsigned n_wanted,
                           bool joined, struct eg_err *err)
{
	struct settling x = {
	        .m = m,
	        .c = c,
	        .step = eg_ws_step(&m->set),
	        .persons = persons,
	        .changed = changed,
	        .n_persons = n,
	        .joined = joined,
	};
	enum eg_rc rc = gather_open(&x, err);
	if (rc == EG_OK)
		rc = gather_wants(&x, wanted, n_wanted, err);
	for (unsigned i = 0; i < x.n_open && rc == EG_OK; i++)
		rc = settle_open(&x, x.open[i], err);
	for (unsigned i = 0; i < x.n_wants && rc == EG_OK; i++)
		rc = settle_want(&x, &x.wants[i], err);
	return rc;
}

/* ---- full lists ---- */

enum eg_rc eg_case_of_list(struct eg_merge *m, struct eg_cause *c, const uint8_t spool[16], uint64_t seq,
                           uint8_t id[16], struct eg_err *err)
{
	struct eg_ws_case *k = NULL;
	uint8_t subject[16];
	enum eg_rc rc =
	        subject_of(m, EG_CASE_LIST_SHRINK, NULL, 0, (struct eg_bytes){spool, 16}, subject, err);
	if (rc == EG_OK)
		rc = eg_ws_case_new(&m->set, subject, &k, err);
	if (rc)
		return rc;
	k->body.kind = EG_CASE_LIST_SHRINK;
	k->body.seqs = eg_arena_copy(m->arena, &seq, sizeof seq);
	k->body.n_seqs = 1;
	if (!k->body.seqs)
		return eg_ws_no_memory(err);
	memcpy(id, k->row.id, 16);
	return open_case(m, c, k, NULL, err);
}

/* ---- version conflicts ---- */

static enum eg_rc conflict_subject(struct eg_merge *m, const struct eg_ws_source *s, int64_t version,
                                   uint32_t revision, uint8_t out[16], struct eg_err *err)
{
	uint8_t more[12];
	for (unsigned i = 0; i < 8; i++)
		more[i] = (uint8_t)((uint64_t)version >> (56 - 8 * i));
	for (unsigned i = 0; i < 4; i++)
		more[8 + i] = (uint8_t)(revision >> (24 - 8 * i));
	return subject_of(m, EG_CASE_VERSION_CONFLICT, &s->row.token, 1, (struct eg_bytes){more, sizeof more},
	                  out, err);
}

enum eg_rc eg_conflict_case(struct eg_merge *m, const struct eg_ws_source *s, int64_t version,
                            uint32_t mapping_revision, struct eg_ws_case **out, struct eg_err *err)
{
	uint8_t subject[16];
	*out = NULL;
	enum eg_rc rc = conflict_subject(m, s, version, mapping_revision, subject, err);
	return rc ? rc : eg_ws_case_by_subject(&m->set, subject, out, err);
}

/* One more content that was sent under the version. */
static enum eg_rc add_content(struct eg_merge *m, struct eg_ws_case *k, const uint8_t digest[16],
                              uint64_t seq, struct eg_err *err)
{
	struct eg_case_body *b = &k->body;
	for (unsigned i = 0; i < b->n_digests; i++)
		if (memcmp(b->digests[i], digest, EG_DIGEST_SIZE) == 0)
			return EG_OK;
	uint8_t(*digests)[EG_DIGEST_SIZE] = eg_arena_alloc(m->arena, (b->n_digests + 1) * sizeof *digests);
	uint64_t *seqs = eg_arena_alloc(m->arena, (b->n_digests + 1) * sizeof *seqs);
	if (!digests || !seqs)
		return eg_ws_no_memory(err);
	if (b->n_digests) {
		memcpy(digests, b->digests, b->n_digests * sizeof *digests);
		memcpy(seqs, b->seqs, b->n_digests * sizeof *seqs);
	}
	memcpy(digests[b->n_digests], digest, EG_DIGEST_SIZE);
	seqs[b->n_digests] = seq;
	b->digests = digests;
	b->seqs = seqs;
	b->n_seqs = ++b->n_digests;
	k->dirty = true;
	return EG_OK;
}

enum eg_rc eg_conflict_open(struct eg_merge *m, struct eg_cause *c, struct eg_ws_source *s,
                            const struct eg_version *stands, const struct eg_version *sent, uint64_t sent_seq,
                            struct eg_err *err)
{
	struct eg_ws_case *k = NULL;
	uint8_t subject[16];
	enum eg_rc rc = conflict_subject(m, s, sent->version, sent->mapping_revision, subject, err);
	if (rc == EG_OK)
		rc = eg_ws_case_by_subject(&m->set, subject, &k, err);
	if (rc == EG_OK && !k) {
		rc = eg_ws_case_new(&m->set, subject, &k, err);
		if (rc)
			return rc;
		k->row.state = EG_CASE_CLOSED;
		k->body.kind = EG_CASE_VERSION_CONFLICT;
		k->body.tokens = eg_arena_copy(m->arena, s->row.token, EG_TOKEN_SIZE);
		k->body.n_tokens = 1;
		if (!k->body.tokens)
			return eg_ws_no_memory(err);
	}
	if (rc == EG_OK)
		rc = add_content(m, k, stands->digest, stands->seq, err);
	if (rc == EG_OK)
		rc = add_content(m, k, sent->digest, sent_seq, err);
	if (rc)
		return rc;
	if (k->row.state != EG_CASE_OPEN)
		return open_case(m, c, k, NULL, err);
	tell_sender(c, k);
	return EG_OK;
}
