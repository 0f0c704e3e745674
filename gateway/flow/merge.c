/* merge: one record against the workset: first its versions, then whatever follows from them.
 *
 * A quarantined record takes no version slot: the corrected one may come under the same version. Seeded fault
 * of fault builds, for the checker to catch: phantom. Thread: the writer's. */
#include "flow/merge.h"

#include "base/fault.h"

#include <string.h>

static int cmp_version(const struct eg_version *v, int64_t version, uint32_t mapping_revision)
{
	if (v->version != version)
		return v->version < version ? -1 : 1;
	return (v->mapping_revision > mapping_revision) - (v->mapping_revision < mapping_revision);
}

bool eg_same_identity(const struct eg_version *a, const struct eg_version *b)
{
	return a->has_key == b->has_key && a->has_proposal == b->has_proposal && a->current == b->current &&
	       memcmp(a->key, b->key, EG_JOIN_KEY_SIZE) == 0;
}

enum eg_rc eg_claim_load(struct eg_merge *m, uint64_t seq, const uint8_t token[EG_TOKEN_SIZE],
                         struct eg_held *out, struct eg_err *err)
{
	struct eg_log_row row;
	struct eg_entry entry;
	enum eg_rc rc = eg_get_entry(m->set.conn, seq, m->arena, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "log entry %llu, which holds a claim, is not there",
		               (unsigned long long)seq);
	if (rc == EG_OK)
		rc = eg_entry_open(m->vault, &row, true, false, m->arena, &entry, err);
	if (rc)
		return rc;
	*out = (struct eg_held){.seq = seq, .canon = entry.claim_part};
	memcpy(out->token, token, EG_TOKEN_SIZE);
	return eg_canon_claim_read(entry.claim_part, m->arena, &out->claim, err);
}

/* C ‖ sealed claim part for an entry of this kind: intake's, or sealed again where it foresaw another kind.
 */
static enum eg_rc claim_for(struct eg_merge *m, struct eg_item *item, enum eg_entry_kind kind,
                            struct eg_bytes *out, struct eg_err *err)
{
	uint8_t c[EG_HASH_SIZE];
	if (item->sealed_kind == (unsigned)kind) {
		*out = item->sealed;
		return EG_OK;
	}
	eg_buf_reset(&m->scratch);
	enum eg_rc rc = eg_vault_seal_part(m->vault, item->entry_id, (unsigned)kind, "claim", item->canon, c,
	                                   &m->scratch, err);
	if (rc == EG_OK && m->scratch.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a claim could not be sealed");
	if (rc)
		return rc;
	*out = (struct eg_bytes){eg_arena_copy(m->arena, m->scratch.p, m->scratch.len), m->scratch.len};
	return out->p ? EG_OK : eg_ws_no_memory(err);
}

static void head_of(const struct eg_work *w, enum eg_entry_kind kind, enum eg_outcome outcome,
                    struct eg_header *h)
{
	const struct eg_reasons *r = &w->item->reasons;
	eg_merge_header(w->ticket, kind, h);
	memcpy(h->entry_id, w->item->entry_id, sizeof h->entry_id);
	h->outcome = (int)outcome;
	for (unsigned i = 0; i < r->n; i++)
		h->reasons[h->n_reasons++] = (uint16_t)r->v[i].code;
	if (w->added && h->n_reasons < EG_REASONS_MAX)
		h->reasons[h->n_reasons++] = (uint16_t)w->added;
	else if (w->added)
		h->reasons[EG_REASONS_MAX - 1] = (uint16_t)w->added;
}

/* ---- rejects ---- */

/* Has the sender answered this reject since: by a version at least as new, or by voiding it? A conflict is
 * answered by a newer version only, for its own slot is taken by the content that it contradicts. */
static bool answered(const struct eg_versions *l, const struct eg_reject_row *r, bool conflict)
{
	for (unsigned i = l->n; i-- > 0;) {
		const struct eg_version *v = &l->v[i];
		int c = cmp_version(v, r->version, r->mapping_revision);
		if (c < 0)
			return false;
		if (c == 0)
			return v->voided || (v->asserted && !conflict);
		if (v->asserted && !(conflict && v->voided))
			return true;
	}
	return false;
}

static bool has_digest(const struct eg_ws_case *k, const uint8_t digest[EG_DIGEST_SIZE])
{
	for (unsigned i = 0; k && i < k->body.n_digests; i++)
		if (memcmp(k->body.digests[i], digest, EG_DIGEST_SIZE) == 0)
			return true;
	return false;
}

/* Marks what an accepted record answered. c NULL: it has no entry that a closed case could name as its cause.
 */
static enum eg_rc mark_answered(struct eg_merge *m, struct eg_cause *c, struct eg_ws_source *s,
                                struct eg_err *err)
{
	enum eg_rc rc = eg_ws_rejects(&m->set, s, err);
	for (struct eg_ws_reject *x = s->rejects; x && rc == EG_OK; x = x->next) {
		struct eg_reject_row *r = &x->row;
		struct eg_ws_case *k = NULL;
		if (r->state != EG_REJECT_OPEN || !answered(&s->versions, r, false))
			continue;
		rc = eg_conflict_case(m, s, r->version, r->mapping_revision, &k, err);
		bool conflict = has_digest(k, r->digest);
		if (rc || (conflict && (!c || !answered(&s->versions, r, true))))
			continue;
		struct eg_reject_row marked = *r;
		marked.state = EG_REJECT_CORRECTED;
		rc = eg_ws_reject_put(&m->set, s, &marked, err);
		if (rc == EG_OK && conflict && k->row.state == EG_CASE_OPEN)
			rc = eg_case_shut(m, c, k, err);
	}
	return rc;
}

static const struct eg_reject_row *find_reject(const struct eg_ws_source *s, const struct eg_version *v)
{
	for (const struct eg_ws_reject *x = s->rejects; x; x = x->next)
		if (cmp_version(v, x->row.version, x->row.mapping_revision) == 0 &&
		    memcmp(x->row.digest, v->digest, EG_DIGEST_SIZE) == 0)
			return &x->row;
	return NULL;
}

/* The same record again: the sender gets the entry and the open case that it got the first time. */
static enum eg_rc repeat_reject(struct eg_merge *m, struct eg_work *w, const struct eg_ws_source *s,
                                uint64_t seq, struct eg_err *err)
{
	struct eg_item *item = w->item;
	struct eg_ws_case *k = NULL;
	item->seq = seq;
	if (w->added != EG_REASON_VERSION_CONFLICT)
		return EG_OK;
	enum eg_rc rc =
	        eg_conflict_case(m, s, item->version.version, item->version.mapping_revision, &k, err);
	if (rc == EG_OK && k && k->row.state == EG_CASE_OPEN)
		memcpy(item->cases[item->n_cases++], k->row.id, 16);
	return rc;
}

/* Quarantine: for the record's own errors, or for one that the writer found. */
static enum eg_rc set_aside(struct eg_merge *m, struct eg_work *w, struct eg_ws_source *s,
                            enum eg_reason_code added, struct eg_err *err)
{
	struct eg_item *item = w->item;
	const struct eg_version *v = &item->version;
	const struct eg_reject_row *known;
	struct eg_cause c = {.ticket = w->ticket, .item = item};
	struct eg_bytes claim;
	bool conflict = added == EG_REASON_VERSION_CONFLICT;

	w->added = added;
	item->outcome = EG_QUARANTINED;
	enum eg_rc rc = eg_ws_rejects(&m->set, s, err);
	if (rc)
		return rc;
	known = find_reject(s, v);
	if (known)
		return repeat_reject(m, w, s, known->seq, err);

	struct eg_reject_row r = {
	        .seq = eg_tail_next(m->tail),
	        .agency = w->ticket->who->name,
	        .dataset = w->ticket->submission.dataset->name,
	        .state = EG_REJECT_OPEN,
	        .version = v->version,
	        .mapping_revision = v->mapping_revision,
	};
	memcpy(r.source, s->row.token, sizeof r.source);
	memcpy(r.digest, v->digest, sizeof r.digest);
	/* In whatever order they come: a record that was answered before it arrived asks for nothing. */
	if ((!added || conflict) && answered(&s->versions, &r, conflict))
		r.state = EG_REJECT_CORRECTED;
	head_of(w, EG_ENTRY_QUARANTINE, EG_QUARANTINED, &c.head);
	c.seq = item->seq = r.seq;
	w->rejected = true;
	rc = claim_for(m, item, EG_ENTRY_QUARANTINE, &claim, err);
	if (rc == EG_OK)
		rc = eg_tail_append(m->tail, &c.head, claim, NULL, err);
	if (rc == EG_OK)
		rc = eg_ws_reject_put(&m->set, s, &r, err);
	if (rc == EG_OK && conflict && r.state == EG_REJECT_OPEN) {
		const struct eg_version *stands =
		        eg_versions_find(&s->versions, v->version, v->mapping_revision);
		rc = eg_conflict_open(m, &c, s, stands, v, r.seq, err);
	}
	return rc;
}

/* ---- accepted records ---- */

/* A source key before a record, to compare with and to go back to. */
struct before {
	bool held, dirty, known;
	enum eg_section section;
	struct eg_version effective, slot;
	uint8_t (*keys)[EG_JOIN_KEY_SIZE];
	unsigned n_keys;
};

static enum eg_rc look(struct eg_merge *m, const struct eg_ws_source *s, const struct eg_version *v,
                       struct before *b, struct eg_err *err)
{
	const struct eg_version *e = eg_versions_effective(&s->versions);
	const struct eg_version *slot = eg_versions_find(&s->versions, v->version, v->mapping_revision);
	*b = (struct before){
	        .held = e != NULL, .known = slot != NULL, .dirty = s->dirty, .section = s->versions.section};
	if (e)
		b->effective = *e;
	if (slot)
		b->slot = *slot;
	return eg_alias_keys(m, &s->versions, &b->keys, &b->n_keys, err);
}

/* Takes the put of one version back. */
static void take_back(struct eg_ws_source *s, const struct eg_version *v, const struct before *b)
{
	struct eg_versions *l = &s->versions;
	unsigned i = 0;
	while (cmp_version(&l->v[i], v->version, v->mapping_revision) != 0)
		i++;
	if (b->known) {
		l->v[i] = b->slot;
	} else {
		l->n--;
		memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof *l->v);
	}
	l->section = b->section;
	s->dirty = b->dirty;
}

/* What the source key says now, for the person that will hold it. */
static enum eg_rc claim_now(struct eg_merge *m, const struct eg_work *w, const struct eg_version *after,
                            struct eg_subject *x, struct eg_err *err)
{
	const struct eg_item *item = w->item;
	if (after->seq != eg_tail_next(m->tail))
		return eg_claim_load(m, after->seq, item->token, &x->held, err);
	x->held = (struct eg_held){.seq = after->seq, .canon = item->canon};
	memcpy(x->held.token, item->token, EG_TOKEN_SIZE);
	return eg_canon_claim_read(item->canon, m->arena, &x->held.claim, err);
}

static enum eg_rc phantom(struct eg_merge *m, struct eg_cause *c, const struct eg_item *item,
                          struct eg_err *err)
{
	struct eg_person_change ch = {.event = EG_EVENT_CREATED};
	uint64_t seq;
	if (!eg_unsafe("phantom") || item->entry_id[0] > 4)
		return EG_OK;
	enum eg_rc rc = eg_ws_person_new(&m->set, &ch.person, err);
	return rc ? rc : eg_effect_emit(m, c, &ch, &seq, err);
}

/* Would the claim make a person, or a neighbourhood, larger than its readers have room for? */
static enum eg_rc too_large(struct eg_merge *m, const struct eg_item *item, struct eg_ws_source *s,
                            const struct eg_neighbours *around, bool *yes, struct eg_err *err)
{
	struct eg_ws_person *p = NULL;
	size_t bytes = around ? around->bytes : 0;
	enum eg_rc rc = around ? EG_OK : eg_ws_person_of(&m->set, s, &p, err);
	if (p)
		bytes = eg_person_bytes(p);
	*yes = (around && around->too_many) ||
	       (item->claim.op == EG_ASSERT && bytes + item->canon.len > EG_PERSON_BYTES_MAX);
	return rc;
}

struct eg_list_ask eg_merge_ask(struct eg_merge *m)
{
	return (struct eg_list_ask){.listed = &m->listed,
	                            .dir = m->lists_dir,
	                            .vault = m->vault,
	                            .conn = m->set.conn,
	                            .arena = m->arena,
	                            .before = UINT64_MAX};
}

/* A version that was recorded: effective, or stale. */
static enum eg_rc record(struct eg_merge *m, struct eg_work *w, struct eg_ws_source *s,
                         const struct before *b, bool changed, struct eg_err *err)
{
	struct eg_item *item = w->item;
	enum eg_op op = item->claim.op;
	const struct eg_version *after = eg_versions_effective(&s->versions);
	struct eg_subject x = {.source = s, .was_held = b->held, .changed = changed, .holds = after != NULL};
	struct eg_cause c = {
	        .ticket = w->ticket, .item = item, .seq = eg_tail_next(m->tail), .head_waits = changed};
	struct eg_neighbours around;
	uint8_t(*keys)[EG_JOIN_KEY_SIZE];
	unsigned n_keys;
	enum eg_entry_kind kind = changed ? EG_ENTRY_CHANGE : EG_ENTRY_STALE;

	enum eg_rc rc = eg_alias_keys(m, &s->versions, &keys, &n_keys, err);
	if (rc)
		return rc;
	bool same_aliases = n_keys == b->n_keys && memcmp(keys, b->keys, n_keys * sizeof *keys) == 0;
	bool same = same_aliases && (!changed || (b->held && after && b->section == s->versions.section &&
	                                          eg_same_identity(&b->effective, after)));
	if (!same)
		rc = eg_neighbours_of(m, &s, 1, (const uint8_t(*)[EG_JOIN_KEY_SIZE])b->keys, b->n_keys,
		                      &around, err);
	bool large = false;
	if (rc == EG_OK && (changed || !same))
		rc = too_large(m, item, s, same ? NULL : &around, &large, err);
	if (rc)
		return rc;
	if (large) {
		take_back(s, &item->version, b);
		return set_aside(m, w, s, EG_REASON_TOO_MANY_MATCHES, err);
	}
	rc = eg_alias_update(m, s, (const uint8_t(*)[EG_JOIN_KEY_SIZE])b->keys, b->n_keys,
	                     (const uint8_t(*)[EG_JOIN_KEY_SIZE])keys, n_keys, err);
	if (rc)
		return rc;

	item->outcome = changed ? EG_APPLIED : EG_STALE;
	item->seq = c.seq;
	head_of(w, kind, item->outcome, &c.head);
	rc = claim_for(m, item, kind, &c.claim, err);
	if (rc == EG_OK && changed && after)
		rc = claim_now(m, w, after, &x, err);
	if (rc == EG_OK && !changed)
		rc = eg_tail_append(m->tail, &c.head, c.claim, NULL, err);
	if (changed && op != EG_WITHDRAW && b->held)
		x.corrects = b->effective.seq;
	if (changed && op == EG_VOID) {
		x.event = after ? EG_EVENT_CORRECTED : EG_EVENT_RETRACTED;
		if (!b->held)
			x.corrects = b->slot.withdrawn_seq;
	}
	if (changed && op == EG_WITHDRAW)
		x.event = EG_EVENT_WITHDRAWN;
	if (rc == EG_OK && (changed || !same))
		rc = eg_regroup(m, &c, &x, same ? NULL : &around, err);
	if (rc == EG_OK && c.head_waits)
		rc = eg_fail(err, EG_INTERNAL, "a changed claim changed no person");
	if (rc == EG_OK)
		rc = mark_answered(m, &c, s, err);
	return rc ? rc : phantom(m, &c, item, err);
}

/* A list that lacks a key withdraws what the key said before the list's position, and only if nothing came
 * since the list was compared: asked here, where nothing can come in between. */
static enum eg_rc may_withdraw(struct eg_merge *m, const struct eg_ws_source *s, const struct eg_item *item,
                               bool *may, struct eg_err *err)
{
	const struct eg_version *e = eg_versions_effective(&s->versions),
	                        *slot = eg_versions_find(&s->versions, item->version.version, 0);
	const struct eg_list_ask ask = eg_merge_ask(m);
	bool showed = false;
	enum eg_rc rc = EG_OK;
	*may = slot && slot->withdrawn; /* done before */
	if (*may || !e || e->version >= item->version.version ||
	    eg_versions_moved(&s->versions, item->pinned))
		return EG_OK;
	if (m->listed.n) /* a later list that held it may have been applied meanwhile */
		rc = eg_list_showed(&ask, &s->versions, item->token, item->version.version, &showed, err);
	*may = !showed;
	return rc;
}

/* What a list said of the key without writing it down is written down before a record that came late. */
static enum eg_rc confirm_by_list(struct eg_merge *m, struct eg_work *w, struct eg_ws_source *s,
                                  struct eg_err *err)
{
	const struct eg_item *item = w->item;
	const struct eg_list_ask ask = eg_merge_ask(m);
	struct eg_version *v = &w->confirmation;
	enum eg_op op;
	/* An absence yields to a presence at its own position too. */
	int64_t version = item->version.version;
	if (item->claim.op == EG_WITHDRAW && version > INT64_MIN)
		version--;
	enum eg_rc rc = eg_list_said(&ask, &s->versions, item->token, version, &op, v, err);
	if (rc || !op || eg_versions_find(&s->versions, v->version, v->mapping_revision))
		return rc;
	switch (eg_versions_put(&s->versions, op, v, m->arena)) {
	case EG_PUT_CONFIRMED: /* what stands */
	case EG_PUT_STALE:     /* an absence, once more */
		w->by_list = s->dirty = true;
		return EG_OK;
	case EG_PUT_FAILED:
		return eg_ws_no_memory(err);
	default: /* full: the late record will be told so */
		return EG_OK;
	}
}

static enum eg_rc put(struct eg_merge *m, struct eg_work *w, struct eg_ws_source *s, struct eg_err *err)
{
	struct eg_item *item = w->item;
	const struct eg_claim *claim = &item->claim;
	const struct eg_version *slot;
	struct eg_version *v = &item->version;
	struct before b;

	if (!s->versions.n) {
		s->versions.agency = claim->agency;
		s->versions.dataset = claim->dataset;
	}
	enum eg_rc rc = EG_OK;
	if (m->listed.n)
		rc = confirm_by_list(m, w, s, err);
	if (rc)
		return rc;
	bool may = true;
	if (claim->op == EG_WITHDRAW)
		rc = may_withdraw(m, s, item, &may, err);
	if (rc || !may) {
		item->outcome = EG_REFUSED;
		return rc;
	}
	v->seq = v->void_seq = v->withdrawn_seq = eg_tail_next(m->tail);
	rc = look(m, s, v, &b, err);
	if (rc)
		return rc;
	enum eg_put put = eg_versions_put(&s->versions, claim->op, v, m->arena);
	switch (put) {
	case EG_PUT_EFFECTIVE:
	case EG_PUT_STALE:
		if (!s->versions.section || put == EG_PUT_EFFECTIVE)
			s->versions.section = claim->section;
		s->dirty = true;
		return record(m, w, s, &b, put == EG_PUT_EFFECTIVE, err);
	case EG_PUT_UNCHANGED:
	case EG_PUT_CONFIRMED:
		slot = eg_versions_find(&s->versions, v->version, v->mapping_revision);
		item->outcome = EG_UNCHANGED;
		item->seq = claim->op == EG_VOID       ? slot->void_seq
		            : claim->op == EG_WITHDRAW ? slot->withdrawn_seq
		                                       : slot->seq;
		w->confirmed = put == EG_PUT_CONFIRMED;
		s->dirty = s->dirty || w->confirmed;
		return w->confirmed ? mark_answered(m, NULL, s, err) : EG_OK;
	case EG_PUT_CONFLICT:
		return set_aside(m, w, s, EG_REASON_VERSION_CONFLICT, err);
	case EG_PUT_FULL:
		return set_aside(m, w, s, EG_REASON_VERSIONS_EXHAUSTED, err);
	case EG_PUT_FAILED:
		break;
	}
	return eg_ws_no_memory(err);
}

enum eg_rc eg_merge_item(struct eg_merge *m, struct eg_work *w, struct eg_err *err)
{
	struct eg_item *item = w->item;
	struct eg_submission *sub = &w->ticket->submission;
	struct eg_ws_source *s = NULL;
	uint64_t first = eg_tail_next(m->tail);

	item->outcome = 0;
	item->seq = 0;
	item->n_cases = 0;
	w->added = 0;
	w->confirmed = w->rejected = w->by_list = false;
	enum eg_rc rc = eg_ws_source(&m->set, item->token, &s, err);
	if (rc == EG_OK && eg_reasons_quarantine(&item->reasons))
		rc = set_aside(m, w, s, 0, err);
	else if (rc == EG_OK)
		rc = put(m, w, s, err);
	if (rc == EG_OK && eg_tail_next(m->tail) != first) {
		if (!sub->first_seq)
			sub->first_seq = first;
		sub->last_seq = eg_tail_next(m->tail) - 1;
	}
	return rc;
}

static void add_confirmation(struct eg_buf *b, const uint8_t token[EG_TOKEN_SIZE], const struct eg_version *v)
{
	size_t open = eg_canon_open(b, 1);
	eg_canon_bytes(b, 1, (struct eg_bytes){token, EG_TOKEN_SIZE});
	eg_canon_int(b, 2, v->version);
	eg_canon_int(b, 3, v->mapping_revision);
	if (v->asserted)
		eg_canon_bytes(b, 4, (struct eg_bytes){v->digest, EG_DIGEST_SIZE});
	eg_canon_close(b, open);
}

enum eg_rc eg_merge_unchanged(struct eg_merge *m, struct eg_ticket *t, const struct eg_work *works,
                              unsigned n, struct eg_err *err)
{
	struct eg_submission *sub = &t->submission;
	struct eg_header h;
	int64_t unchanged = 0;
	eg_buf_reset(&m->scratch);
	for (unsigned i = 0; i < n; i++) {
		unchanged += works[i].item->outcome == EG_UNCHANGED;
		if (works[i].by_list)
			add_confirmation(&m->scratch, works[i].item->token, &works[i].confirmation);
		if (works[i].confirmed)
			add_confirmation(&m->scratch, works[i].item->token, &works[i].item->version);
	}
	if (!unchanged && !m->scratch.len)
		return EG_OK;
	eg_merge_header(t, EG_ENTRY_UNCHANGED, &h);
	h.outcome = EG_UNCHANGED;
	h.count = unchanged;
	h.digest = (struct eg_bytes){sub->digest, sizeof sub->digest};
	enum eg_rc rc = eg_tail_append_part(m->tail, &h, &m->scratch, err);
	if (rc)
		return rc;
	if (!sub->first_seq)
		sub->first_seq = h.seq;
	sub->last_seq = h.seq;
	return EG_OK;
}
