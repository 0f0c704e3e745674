/* listed: see listed.h. */
#include "flow/listed.h"

#include "flow/absent.h"
#include "flow/entry.h"

#include <string.h>

enum { PAGE = 256, MEMORY = 64 << 20 };

bool eg_listed_outdoes(const struct eg_list_info *l, const struct eg_list_info *than)
{
	return l->versionless && l->seq && strcmp(l->agency, than->agency) == 0 &&
	       strcmp(l->dataset, than->dataset) == 0 && l->as_of >= than->as_of &&
	       l->pinned >= than->pinned && l->row > than->row && eg_list_includes(l, than);
}

static enum eg_rc add(struct eg_listed *l, const struct eg_list_row *row, struct eg_err *err)
{
	struct eg_list_info info;
	enum eg_rc rc = eg_list_info_read(row, l->arena, &info, err);
	if (rc || !info.seq || !info.versionless)
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

static enum eg_rc held_it(const struct eg_listed_ask *a, const struct eg_list_info *l,
                          const struct eg_version *e, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                          struct eg_err *err)
{
	struct eg_reject_row *rejects;
	struct eg_claim claim;
	unsigned n;
	bool absent = false;
	enum eg_rc rc = EG_OK;
	*yes = false;
	if (l->n_regions) {
		rc = eg_listed_claim(a->vault, a->conn, e->seq, a->arena, &claim, err);
		if (rc || !eg_listed_covers(l, &claim))
			return rc;
	}
	rc = eg_absent_has(a->dir, l->spool, l->counts.missing, token, &absent, err);
	if (rc == EG_OK && !absent)
		rc = eg_list_rejects_of(a->conn, token, a->arena, &rejects, &n, err);
	if (rc || absent)
		return rc;
	for (unsigned i = 0; i < n; i++)
		if (rejects[i].version == l->as_of)
			return EG_OK;
	*yes = true;
	return EG_OK;
}

enum eg_rc eg_listed_confirms(const struct eg_listed_ask *a, const struct eg_versions *v,
                              const uint8_t token[EG_TOKEN_SIZE], int64_t version, bool *yes,
                              struct eg_version *out, struct eg_err *err)
{
	const struct eg_version *e = eg_versions_effective(v);
	enum eg_rc rc = EG_OK;
	bool any = false;
	*yes = false;
	for (unsigned i = 0; e && version >= e->version && i < a->listed->n && rc == EG_OK; i++) {
		const struct eg_list_info *l = &a->listed->v[i];
		if (version >= l->as_of || e->version >= l->as_of || e->seq > l->pinned ||
		    l->seq > a->before || (*yes && l->as_of <= out->version) ||
		    !eg_bytes_equal(v->agency, eg_bytes_of(l->agency)) ||
		    !eg_bytes_equal(v->dataset, eg_bytes_of(l->dataset)))
			continue;
		rc = held_it(a, l, e, token, &any, err);
		if (rc || !any)
			continue;
		*yes = true;
		*out = *e;
		out->version = l->as_of;
		out->mapping_revision = l->mapping_revision;
		out->voided = out->withdrawn = false;
		out->void_seq = out->withdrawn_seq = 0;
	}
	return rc;
}
