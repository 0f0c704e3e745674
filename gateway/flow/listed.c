/* listed: see listed.h. */
#include "flow/listed.h"

#include "flow/absent.h"
#include "flow/entry.h"

#include <string.h>

enum { PAGE = 256, MEMORY = 64 << 20 };

/* Do its absences count? */
static bool stands(const struct eg_list_info *l)
{
	return l->phase == EG_LIST_DONE || l->phase == EG_LIST_WITHDRAWING;
}

bool eg_listed_outdoes(const struct eg_list_info *l, const struct eg_list_info *than)
{
	return l->seq && (l->versionless || !than->versionless) && (stands(l) || !stands(than)) &&
	       strcmp(l->agency, than->agency) == 0 && strcmp(l->dataset, than->dataset) == 0 &&
	       l->as_of >= than->as_of && l->pinned >= than->pinned && l->row > than->row &&
	       eg_list_includes(l, than);
}

static enum eg_rc add(struct eg_listed *l, const struct eg_list_row *row, struct eg_err *err)
{
	struct eg_list_info info;
	enum eg_rc rc = eg_list_info_read(row, l->arena, &info, err);
	if (rc || !info.seq || info.phase == EG_LIST_FAILED)
		return rc;
	unsigned n = 0;
	for (unsigned i = 0; i < l->n; i++)
		if (!eg_listed_outdoes(&info, &l->v[i]))
			l->v[n++] = l->v[i];
	l->n = n;
	struct eg_list_info *more = eg_arena_alloc(l->arena, (n + 1) * sizeof *more);
	if (!more)
		return eg_fail(err, EG_LIMIT,
		               "the lists that were applied are more than the memory set for them");
	if (n)
		memcpy(more, l->v, n * sizeof *more);
	more[n] = info;
	l->v = more;
	l->n = n + 1;
	return EG_OK;
}

enum eg_rc eg_listed_load(struct eg_listed *l, struct eg_conn *c, struct eg_err *err)
{
	int64_t after = 0;
	unsigned n = PAGE;
	enum eg_rc rc = EG_OK;
	if (!l->arena && !(l->arena = eg_arena_new(MEMORY)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for the lists that were applied");
	eg_arena_reset(l->arena);
	l->n = 0;
	l->v = NULL;
	while (n == PAGE && rc == EG_OK) {
		struct eg_list_row *rows = NULL;
		rc = eg_list_lists(c, after, 0, PAGE, l->arena, &rows, &n, err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			after = rows[i].row;
			rc = add(l, &rows[i], err);
		}
	}
	return rc;
}

void eg_listed_free(struct eg_listed *l)
{
	eg_arena_free(l->arena);
	*l = (struct eg_listed){0};
}

enum eg_rc eg_listed_claim(struct eg_vault *v, struct eg_conn *c, uint64_t seq, struct eg_arena *a,
                           struct eg_claim *out, struct eg_err *err)
{
	struct eg_log_row row;
	struct eg_entry entry;
	enum eg_rc rc = eg_get_entry(c, seq, a, &row, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "log entry %llu, which holds a claim, is not there",
		               (unsigned long long)seq);
	if (rc == EG_OK)
		rc = eg_entry_open(v, &row, true, false, a, &entry, err);
	return rc ? rc : eg_canon_claim_read(entry.claim_part, a, out, err);
}

bool eg_listed_covers(const struct eg_list_info *l, const struct eg_claim *c)
{
	if (!l->n_regions)
		return true;
	if (c->section == EG_REGISTRATION)
		return eg_list_covers_region(l, eg_claim_text(c, EG_FN_REGISTRATION_address_region));
	if (c->section == EG_CARE)
		return eg_list_covers_region(l, eg_claim_text(c, EG_FN_CARE_residence_region));
	return false;
}

static enum eg_rc covers(const struct eg_listed_ask *a, const struct eg_list_info *l, uint64_t seq, bool *yes,
                         struct eg_err *err)
{
	struct eg_claim claim;
	*yes = true;
	if (!l->n_regions)
		return EG_OK;
	enum eg_rc rc = eg_listed_claim(a->vault, a->conn, seq, a->arena, &claim, err);
	if (rc == EG_OK)
		*yes = eg_listed_covers(l, &claim);
	return rc;
}

/* Did the list hold a record of the key that was set aside? Without versions of its own it has the list's
 * position; with one (own) it may be any that is open still, for a record sent again keeps its first reject.
 */
static enum eg_rc rejected(const struct eg_listed_ask *a, const struct eg_list_info *l,
                           const uint8_t token[EG_TOKEN_SIZE], bool own, bool *yes, struct eg_err *err)
{
	struct eg_reject_row *rejects;
	unsigned n;
	enum eg_rc rc = eg_list_rejects_of(a->conn, token, a->arena, &rejects, &n, err);
	*yes = false;
	for (unsigned i = 0; i < n && rc == EG_OK; i++)
		*yes |= rejects[i].version == l->as_of ||
		        (own && (rejects[i].state == EG_REJECT_OPEN || rejects[i].seq > l->pinned));
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

/* Did the list find the key as it stands by e? */
static enum eg_rc found_it(const struct eg_listed_ask *a, const struct eg_list_info *l,
                           const struct eg_version *e, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                           struct eg_err *err)
{
	bool no = false;
	*yes = false;
	if (!l->versionless)
		return EG_OK;
	enum eg_rc rc = covers(a, l, e->seq, yes, err);
	if (rc == EG_OK && *yes)
		rc = eg_absent_has(a->dir, l->spool, l->counts.missing, token, &no, err);
	if (rc == EG_OK && *yes && !no)
		rc = rejected(a, l, token, false, &no, err);
	*yes = *yes && !no;
	return rc;
}

/* Did the list lack a key that was withdrawn before? One that it holds would have been asserted again. */
static enum eg_rc lacked_it(const struct eg_listed_ask *a, const struct eg_list_info *l,
                            const struct eg_versions *v, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                            struct eg_err *err)
{
	const struct eg_version *last = NULL; /* what the key said last */
	bool no = false;
	for (unsigned i = v->n; i-- > 0 && !last;)
		last = v->v[i].asserted ? &v->v[i] : NULL;
	*yes = false;
	if (!stands(l) || !last)
		return EG_OK;
	enum eg_rc rc = covers(a, l, last->seq, yes, err);
	if (rc == EG_OK && *yes)
		rc = rejected(a, l, token, !l->versionless, &no, err);
	*yes = *yes && !no;
	return rc;
}

enum eg_rc eg_listed_said(const struct eg_listed_ask *a, const struct eg_versions *v,
                          const uint8_t token[EG_TOKEN_SIZE], int64_t version, enum eg_op *op,
                          struct eg_version *out, struct eg_err *err)
{
	const struct eg_version *top = eg_versions_top(v);
	enum eg_rc rc = EG_OK;
	*op = 0;
	for (unsigned i = 0; top && version >= top->version && i < a->listed->n && rc == EG_OK; i++) {
		const struct eg_list_info *l = &a->listed->v[i];
		bool said = false;
		if (version >= l->as_of || top->version >= l->as_of || l->seq > a->before ||
		    (*op && l->as_of <= out->version) || !counted(v, top, l->pinned) ||
		    !eg_bytes_equal(v->agency, eg_bytes_of(l->agency)) ||
		    !eg_bytes_equal(v->dataset, eg_bytes_of(l->dataset)))
			continue;
		rc = top->asserted ? found_it(a, l, top, token, &said, err)
		                   : lacked_it(a, l, v, token, &said, err);
		if (rc || !said)
			continue;
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
	return rc;
}
