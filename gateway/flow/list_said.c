/* list_said: see list_said.h. */
#include "flow/list_said.h"

#include "flow/absent.h"
#include "flow/entry.h"

#include <string.h>

/* The claim by which lists of regions cover a key: opened once for all of them, and only for such. */
struct subject {
	uint64_t seq; /* 0: not opened yet */
	struct eg_claim claim;
};

static enum eg_rc open_entry(struct eg_vault *v, struct eg_conn *c, uint64_t seq, struct eg_arena *a,
                             bool with_claim, struct eg_entry *out, struct eg_err *err)
{
	struct eg_log_row row;
	enum eg_rc rc = eg_get_entry(c, seq, a, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "log entry %llu, which holds a claim, is not there",
		               (unsigned long long)seq);
	if (rc == EG_OK)
		rc = eg_entry_open(v, &row, with_claim, false, a, out, err);
	out->row = NULL;
	return rc;
}

enum eg_rc eg_list_claim(struct eg_vault *v, struct eg_conn *c, uint64_t seq, struct eg_arena *a,
                         struct eg_claim *out, struct eg_err *err)
{
	struct eg_entry entry = {0};
	enum eg_rc rc = open_entry(v, c, seq, a, true, &entry, err);
	return rc ? rc : eg_canon_claim_read(entry.claim_part, a, out, err);
}

bool eg_list_covers(const struct eg_list_info *l, const struct eg_claim *c)
{
	if (!l->n_regions)
		return true;
	if (c->section == EG_REGISTRATION)
		return eg_list_covers_region(l, eg_claim_text(c, EG_FN_REGISTRATION_address_region));
	if (c->section == EG_CARE)
		return eg_list_covers_region(l, eg_claim_text(c, EG_FN_CARE_residence_region));
	return false;
}

static enum eg_rc covers(const struct eg_list_ask *a, const struct eg_list_info *l, uint64_t seq,
                         struct subject *s, bool *yes, struct eg_err *err)
{
	*yes = true;
	if (!l->n_regions)
		return EG_OK;
	enum eg_rc rc =
	        s->seq == seq ? EG_OK : eg_list_claim(a->vault, a->conn, seq, a->arena, &s->claim, err);
	if (rc)
		return rc;
	s->seq = seq;
	*yes = eg_list_covers(l, &s->claim);
	return EG_OK;
}

/* Did the list hold a record of the key that was set aside? Without versions of its own it has the list's
 * position; with one (own) it may be any that is open still, for a record sent again keeps its first reject.
 */
static enum eg_rc rejected(const struct eg_list_ask *a, const struct eg_list_info *l,
                           const uint8_t token[EG_TOKEN_SIZE], bool own, bool *yes, struct eg_err *err)
{
	struct eg_reject_row *rejects;
	unsigned n;
	*yes = false;
	if (!l->counts.rejected)
		return EG_OK;
	enum eg_rc rc = eg_list_rejects_of(a->conn, token, a->arena, &rejects, &n, err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++)
		*yes |= rejects[i].version == l->as_of ||
		        (own && (rejects[i].state == EG_REJECT_OPEN || rejects[i].seq > l->pinned));
	return rc;
}

/* Did the list hold a record of the key, which e was the last word on by its pinned entry? */
static enum eg_rc held_it(const struct eg_list_ask *a, const struct eg_list_info *l,
                          const struct eg_version *e, const uint8_t token[EG_TOKEN_SIZE], struct subject *s,
                          bool *yes, struct eg_err *err)
{
	bool no = false;
	enum eg_rc rc = covers(a, l, e->seq, s, yes, err);
	if (rc == EG_OK && *yes)
		rc = eg_absent_has(a->dir, l->spool, l->counts.missing, token, &no, err);
	if (rc == EG_OK && *yes && !no)
		rc = rejected(a, l, token, !l->versionless, &no, err);
	*yes = *yes && !no;
	return rc;
}

enum eg_rc eg_list_found(const struct eg_list_ask *a, const struct eg_list_info *l,
                         const struct eg_version *e, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                         struct eg_err *err)
{
	struct subject s = {0};
	return held_it(a, l, e, token, &s, yes, err);
}

/* Did the list lack a key that was withdrawn before? One that it holds would have been asserted again. */
static enum eg_rc lacked_it(const struct eg_list_ask *a, const struct eg_list_info *l,
                            const struct eg_versions *v, const uint8_t token[EG_TOKEN_SIZE],
                            struct subject *s, bool *yes, struct eg_err *err)
{
	const struct eg_version *last = NULL; /* what the key said last */
	bool no = false;
	for (unsigned i = v->n; i-- > 0 && !last;)
		last = v->v[i].asserted ? &v->v[i] : NULL;
	*yes = false;
	if ((l->phase != EG_LIST_DONE && l->phase != EG_LIST_WITHDRAWING) || !last)
		return EG_OK;
	enum eg_rc rc = covers(a, l, last->seq, s, yes, err);
	if (rc == EG_OK && *yes)
		rc = rejected(a, l, token, !l->versionless, &no, err);
	*yes = *yes && !no;
	return rc;
}

/* Was this version the one that counts when the log ended at seq? What came since below it changes nothing.
 */
static bool counted(const struct eg_versions *v, const struct eg_version *top, uint64_t seq)
{
	for (const struct eg_version *x = top; x < v->v + v->n; x++)
		if ((x->asserted && x->seq > seq) || (x->voided && x->void_seq > seq) ||
		    (x->withdrawn && x->withdrawn_seq > seq))
			return false;
	return true;
}

static void fill(const struct eg_list_info *l, const struct eg_version *top, enum eg_op *op,
                 struct eg_version *out)
{
	*op = top->asserted ? EG_ASSERT : EG_WITHDRAW;
	*out = *top;
	out->version = l->as_of;
	out->mapping_revision = top->asserted ? l->mapping_revision : 0;
	out->voided = false;
	out->void_seq = 0;
	if (top->asserted) {
		out->withdrawn = false;
		out->withdrawn_seq = 0;
	}
}

enum eg_rc eg_list_said(const struct eg_list_ask *a, const struct eg_versions *v,
                        const uint8_t token[EG_TOKEN_SIZE], int64_t version, enum eg_op *op,
                        struct eg_version *out, struct eg_err *err)
{
	const struct eg_version *top = eg_versions_top(v);
	struct subject s = {0};
	unsigned first, n = eg_listed_of(a->listed, v->agency, v->dataset, &first);
	bool said = false;
	enum eg_rc rc = EG_OK;
	*op = 0;
	if (!top || version < top->version)
		return EG_OK;
	/* The latest position comes first: it is the one that counts. */
	for (unsigned i = first; i < first + n && !said && rc == EG_OK; i++) {
		const struct eg_list_info *l = a->listed->v[i];
		if (l->as_of <= version)
			break; /* not before it, and so none that follows */
		if (!l->seq || l->seq > a->before || !counted(v, top, l->pinned))
			continue;
		if (!top->asserted)
			rc = lacked_it(a, l, v, token, &s, &said, err);
		else if (l->versionless)
			rc = held_it(a, l, top, token, &s, &said, err);
		if (rc == EG_OK && said)
			fill(l, top, op, out);
	}
	return rc;
}

/* ---- presence ---- */

enum eg_rc eg_list_key_at(const struct eg_versions *v, uint64_t seq, struct eg_arena *a,
                          struct eg_versions *out, struct eg_err *err)
{
	*out = *v;
	if (!eg_versions_moved(v, seq))
		return EG_OK;
	out->v = eg_arena_alloc(a, v->n * sizeof *out->v);
	if (!out->v)
		return eg_fail(err, EG_LIMIT, "a source key does not fit the memory to compare it");
	eg_versions_at(v, seq, out);
	return EG_OK;
}

/* Did the list itself write a version of the key? Its records' entries name it. */
static enum eg_rc wrote_it(const struct eg_list_ask *a, const struct eg_list_info *l,
                           const struct eg_versions *v, bool *yes, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < v->n && !*yes && rc == EG_OK; i++) {
		struct eg_entry e = {0};
		if (!v->v[i].asserted || v->v[i].seq <= l->pinned || v->v[i].seq >= l->seq)
			continue;
		rc = open_entry(a->vault, a->conn, v->v[i].seq, a->arena, false, &e, err);
		*yes = rc == EG_OK && eg_bytes_equal(e.header.submission, eg_bytes_of(l->list_id));
	}
	return rc;
}

enum eg_rc eg_list_showed(const struct eg_list_ask *a, const struct eg_versions *v,
                          const uint8_t token[EG_TOKEN_SIZE], int64_t position, bool *yes, struct eg_err *err)
{
	unsigned first, n = eg_listed_of(a->listed, v->agency, v->dataset, &first);
	struct subject s = {0};
	enum eg_rc rc = EG_OK;
	*yes = false;
	for (unsigned i = first; i < first + n && !*yes && rc == EG_OK; i++) {
		const struct eg_list_info *l = a->listed->v[i];
		struct eg_versions then;
		if (l->as_of < position)
			break;
		if (!l->seq || l->seq > a->before)
			continue;
		rc = eg_list_key_at(v, l->pinned, a->arena, &then, err);
		const struct eg_version *e = rc ? NULL : eg_versions_effective(&then);
		if (e)
			rc = held_it(a, l, e, token, &s, yes, err);
		else if (rc == EG_OK)
			rc = wrote_it(a, l, v, yes, err);
	}
	return rc;
}
