/* decide: what a person's decision of a case does: reviewed links, or the content that stands under a
 * version.
 *
 * Everything that may refuse a decision is looked at before its entry is appended. Links go between persons,
 * not between source keys that are one person anyway: those are free to part later. Thread: the writer's. */
#include "flow/judge.h"
#include "flow/merge.h"

#include <string.h>

struct deciding {
	struct eg_merge *m;
	struct eg_ticket *t;
	struct eg_ws_case *k;
	struct eg_ws_source **sources; /* of the case's tokens */
	struct eg_ws_person **persons; /* of each of them; NULL: none */
	struct eg_neighbours around;
	struct eg_cause cause;
	/* uphold */
	struct eg_held upheld;
	struct eg_version version;
	struct eg_version stood; /* under that version so far */
};

/* Refuses the ticket; the commit goes on. */
#define REFUSE(d, why, ...) ((d)->t->rc = eg_fail(&(d)->t->err, why, __VA_ARGS__))

static bool fits(enum eg_case_kind kind, enum eg_decision_kind decision)
{
	switch (kind) {
	case EG_CASE_VERSION_CONFLICT:
		return decision == EG_DECIDE_UPHOLD;
	case EG_CASE_DOUBLE_REGISTRATION:
	case EG_CASE_NUMBER_SHARED:
	case EG_CASE_AMBIGUOUS_KEY:
	case EG_CASE_PROPOSED_MATCH:
		return decision == EG_DECIDE_LINK || decision == EG_DECIDE_APART;
	case EG_CASE_NO_IDENTITY:
		return decision == EG_DECIDE_APART; /* from everybody: it stays the record of nobody known */
	case EG_CASE_LIST_SHRINK:
		return decision == EG_DECIDE_APPROVE || decision == EG_DECIDE_REFUSE;
	case EG_CASE_LIFE_DISPUTED:
	case EG_CASE_POLICE_LAG:
		return false;
	}
	return false;
}

static enum eg_rc load_sources(struct deciding *d, struct eg_err *err)
{
	unsigned n = d->k->body.n_tokens;
	enum eg_rc rc = EG_OK;
	d->sources = eg_arena_alloc(d->m->arena, n * sizeof(struct eg_ws_source *));
	d->persons = eg_arena_alloc(d->m->arena, n * sizeof(struct eg_ws_person *));
	if (!d->sources || !d->persons)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++) {
		rc = eg_ws_source(&d->m->set, d->k->body.tokens[i], &d->sources[i], err);
		if (rc == EG_OK && eg_versions_effective(&d->sources[i]->versions))
			rc = eg_ws_person_of(&d->m->set, d->sources[i], &d->persons[i], err);
	}
	return rc;
}

/* ---- uphold: what is looked at before ---- */

static enum eg_rc find_content(struct deciding *d, struct eg_err *err)
{
	const struct eg_case_body *b = &d->k->body;
	const struct eg_version *slot;
	struct eg_held sent;
	unsigned i = 0;
	while (i < b->n_digests && memcmp(b->digests[i], d->t->decision.digest, EG_DIGEST_SIZE) != 0)
		i++;
	if (b->n_digests < 2 || b->n_seqs != b->n_digests || b->n_tokens != 1)
		return eg_fail(err, EG_CORRUPT, "a case of a version conflict does not hold two contents");
	if (i == b->n_digests) {
		REFUSE(d, EG_PRECONDITION, "none of the contents of this conflict has the digest given");
		return EG_OK;
	}
	enum eg_rc rc = eg_claim_load(d->m, b->seqs[i], b->tokens[0], &d->upheld, err);
	/* The content that stood first may only confirm that of an older version: the one sent against it
	 * names theirs. */
	if (rc == EG_OK)
		rc = eg_claim_load(d->m, b->seqs[1], b->tokens[0], &sent, err);
	if (rc)
		return rc;
	eg_version_of_claim(d->m->vault, &d->upheld.claim, &d->version);
	d->version.version = sent.claim.version;
	d->version.mapping_revision = sent.claim.mapping_revision;
	d->version.seq = d->upheld.seq;
	if (memcmp(d->version.digest, b->digests[i], EG_DIGEST_SIZE) != 0)
		return eg_fail(err, EG_CORRUPT,
		               "log entry %llu does not hold the content that a case says it holds",
		               (unsigned long long)d->upheld.seq);
	slot = eg_versions_find(&d->sources[0]->versions, d->version.version, d->version.mapping_revision);
	if (!slot || !slot->asserted)
		REFUSE(d, EG_PRECONDITION, "the version in conflict is not there any more");
	else
		d->stood = *slot;
	return EG_OK;
}

static enum eg_rc examine(struct deciding *d, struct eg_err *err)
{
	const struct eg_decision *x = &d->t->decision;
	enum eg_rc rc = eg_ws_case(&d->m->set, x->case_id, &d->k, err);
	if (rc)
		return rc;
	if (!d->k) {
		REFUSE(d, EG_NOT_FOUND, "there is no such case");
		return EG_OK;
	}
	if (d->k->row.state != EG_CASE_OPEN) {
		REFUSE(d, EG_PRECONDITION, "the case is closed already");
		return EG_OK;
	}
	if (!fits(d->k->body.kind, x->kind)) {
		REFUSE(d, EG_PRECONDITION, "a case of kind %s cannot be decided this way",
		       eg_case_kind_name(d->k->body.kind));
		return EG_OK;
	}
	if (x->kind == EG_DECIDE_APART && d->k->body.n_tokens > EG_APART_MAX) {
		REFUSE(d, EG_PRECONDITION, "the case has %u records; at most %d can be kept apart at once",
		       d->k->body.n_tokens, EG_APART_MAX);
		return EG_OK;
	}
	rc = load_sources(d, err);
	if (rc == EG_OK && x->kind == EG_DECIDE_UPHOLD)
		rc = find_content(d, err);
	if (rc || d->t->rc)
		return rc;
	bool keyed = d->version.has_key || d->version.has_proposal;
	rc = eg_neighbours_of(d->m, d->sources, d->k->body.n_tokens,
	                      (const uint8_t(*)[EG_JOIN_KEY_SIZE]) & d->version.key, keyed, &d->around, err);
	if (rc == EG_OK && d->around.too_many)
		REFUSE(d, EG_PRECONDITION, "the decision would touch more than %d records",
		       EG_NEIGHBOURHOOD_MAX);
	return rc;
}

/* Does what stood under the version in conflict give way to the other content? */
static bool falls(const struct deciding *d)
{
	return memcmp(d->stood.digest, d->version.digest, EG_DIGEST_SIZE) != 0;
}

/* ---- the entry ---- */

static enum eg_rc append_decision(struct deciding *d, struct eg_err *err)
{
	const struct eg_decision *x = &d->t->decision;
	struct eg_case_body *body = &d->k->body;
	struct eg_buf *b = &d->m->scratch;
	struct eg_header h;

	eg_buf_reset(b);
	eg_canon_bytes(b, EG_DECISION_CASE, (struct eg_bytes){d->k->row.id, 16});
	eg_canon_int(b, EG_DECISION_KIND, x->kind);
	for (unsigned i = 0; i < body->n_tokens; i++)
		eg_canon_bytes(b, EG_DECISION_TOKEN, (struct eg_bytes){body->tokens[i], EG_TOKEN_SIZE});
	if (x->kind == EG_DECIDE_UPHOLD)
		eg_canon_bytes(b, EG_DECISION_UPHELD, (struct eg_bytes){x->digest, EG_DIGEST_SIZE});
	eg_canon_bytes(b, EG_DECISION_NOTE, eg_bytes_of(x->note));
	if (x->kind == EG_DECIDE_UPHOLD && falls(d))
		eg_canon_int(b, EG_DECISION_FELL, (int64_t)d->stood.seq);
	eg_merge_header(d->t, EG_ENTRY_DECISION, &h);
	h.outcome = EG_DECIDED;
	enum eg_rc rc = eg_tail_append_part(d->m->tail, &h, b, err);
	if (rc)
		return rc;
	d->t->seq = h.seq;
	d->cause = (struct eg_cause){.ticket = d->t, .seq = h.seq};
	body->decision = (int)x->kind;
	body->note = eg_bytes_of(x->note);
	body->decided_by =
	        eg_bytes_of(*d->t->operator_name || !d->t->who ? d->t->operator_name : d->t->who->name);
	d->k->dirty = true;
	return EG_OK;
}

/* ---- links ---- */

static bool one_person(const struct deciding *d, unsigned a, unsigned b)
{
	return d->persons[a] && d->persons[a] == d->persons[b];
}

static enum eg_rc link_all(struct deciding *d, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 1; i < d->k->body.n_tokens && rc == EG_OK; i++) {
		bool first = !one_person(d, 0, i); /* of its person */
		for (unsigned j = 1; j < i && first; j++)
			first = !one_person(d, j, i);
		if (first)
			rc = eg_ws_link_put(&d->m->set, d->sources[0], d->sources[i], EG_LINK, d->cause.seq,
			                    err);
	}
	return rc;
}

static enum eg_rc part_all(struct deciding *d, struct eg_err *err)
{
	unsigned n = d->k->body.n_tokens;
	enum eg_rc rc = EG_OK;
	if (n == 1) /* apart from itself: the review of a record that stands alone */
		return eg_ws_link_put(&d->m->set, d->sources[0], d->sources[0], EG_APART, d->cause.seq, err);
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n && rc == EG_OK; j++)
			if (!one_person(d, i, j))
				rc = eg_ws_link_put(&d->m->set, d->sources[i], d->sources[j], EG_APART,
				                    d->cause.seq, err);
	return rc;
}

/* ---- uphold ---- */

/* Every content of the version is decided now. The one that stood and fell gets a row too, under the seq of
 * its entry, so that its sender, repeating it, hears of the same entry again. */
static enum eg_rc decide_rejects(struct deciding *d, struct eg_err *err)
{
	struct eg_ws_source *s = d->sources[0];
	enum eg_rc rc = eg_ws_rejects(&d->m->set, s, err);
	for (struct eg_ws_reject *x = s->rejects; x && rc == EG_OK; x = x->next) {
		struct eg_reject_row r = x->row;
		if (r.version != d->version.version || r.mapping_revision != d->version.mapping_revision ||
		    r.state != EG_REJECT_OPEN)
			continue;
		r.state = EG_REJECT_DECIDED;
		rc = eg_ws_reject_put(&d->m->set, s, &r, err);
	}
	if (rc || !falls(d))
		return rc;
	struct eg_reject_row fell = {
	        .seq = d->stood.seq,
	        .agency = eg_arena_text(d->m->arena, (const char *)s->versions.agency.p,
	                                s->versions.agency.len),
	        .dataset = eg_arena_text(d->m->arena, (const char *)s->versions.dataset.p,
	                                 s->versions.dataset.len),
	        .state = EG_REJECT_DECIDED,
	        .version = d->stood.version,
	        .mapping_revision = d->stood.mapping_revision,
	};
	if (!fell.agency || !fell.dataset)
		return eg_ws_no_memory(err);
	memcpy(fell.source, s->row.token, sizeof fell.source);
	memcpy(fell.digest, d->stood.digest, sizeof fell.digest);
	return eg_ws_reject_put(&d->m->set, s, &fell, err);
}

static enum eg_rc uphold(struct deciding *d, struct eg_err *err)
{
	struct eg_ws_source *s = d->sources[0];
	const struct eg_version *e = eg_versions_effective(&s->versions);
	const struct eg_version *slot =
	        eg_versions_find(&s->versions, d->version.version, d->version.mapping_revision);
	struct eg_subject x = {.source = s, .was_held = e != NULL, .holds = e != NULL, .held = d->upheld};
	uint8_t(*before)[EG_JOIN_KEY_SIZE], (*after)[EG_JOIN_KEY_SIZE];
	unsigned n_before, n_after;

	enum eg_rc rc = decide_rejects(d, err);
	if (rc || !falls(d))
		return rc;
	x.changed = e == slot;
	x.event = x.changed ? EG_EVENT_CORRECTED : 0;
	x.corrects = d->stood.seq;
	rc = eg_alias_keys(d->m, &s->versions, &before, &n_before, err);
	if (rc)
		return rc;
	eg_versions_uphold(&s->versions, &d->version);
	s->dirty = true;
	rc = eg_alias_keys(d->m, &s->versions, &after, &n_after, err);
	if (rc == EG_OK)
		rc = eg_alias_update(d->m, s, (const uint8_t(*)[EG_JOIN_KEY_SIZE])before, n_before,
		                     (const uint8_t(*)[EG_JOIN_KEY_SIZE])after, n_after, err);
	return rc ? rc : eg_regroup(d->m, &d->cause, &x, &d->around, err);
}

enum eg_rc eg_merge_decision(struct eg_merge *m, struct eg_ticket *t, struct eg_err *err)
{
	const struct eg_subject nobody = {0};
	struct deciding d = {.m = m, .t = t};
	t->rc = EG_OK;
	enum eg_rc rc = examine(&d, err);
	if (rc || t->rc)
		return rc;
	rc = append_decision(&d, err);
	if (rc)
		return rc;
	switch (t->decision.kind) {
	case EG_DECIDE_LINK:
		rc = link_all(&d, err);
		break;
	case EG_DECIDE_APART:
		rc = part_all(&d, err);
		break;
	case EG_DECIDE_UPHOLD:
		rc = uphold(&d, err);
		break;
	case EG_DECIDE_APPROVE:
	case EG_DECIDE_REFUSE:
		rc = eg_list_decided(m, &d.k->body, t->decision.kind == EG_DECIDE_APPROVE, err);
		break;
	}
	if (rc == EG_OK && (t->decision.kind == EG_DECIDE_LINK || t->decision.kind == EG_DECIDE_APART))
		rc = eg_regroup(m, &d.cause, &nobody, &d.around, err);
	if (rc == EG_OK && d.k->row.state == EG_CASE_OPEN)
		rc = eg_case_shut(m, &d.cause, d.k, err);
	return rc;
}
