/* list_late: see list_late.h. */
#include "flow/list_late.h"

#include "flow/entry.h"
#include "flow/judge.h"

#include <string.h>

enum { PAGE = 1024 };

/* Is it the entry of a claim of the list's dataset that did not come with the list? */
static bool is_foreign(const struct eg_list_info *l, const struct eg_header *h)
{
	return (h->kind == EG_ENTRY_CHANGE || h->kind == EG_ENTRY_STALE) &&
	       eg_bytes_equal(h->dataset, eg_bytes_of(l->dataset)) &&
	       eg_bytes_equal(h->agency, eg_bytes_of(l->agency)) &&
	       !eg_bytes_equal(h->submission, eg_bytes_of(l->list_id));
}

/* Is the entry a late record's? Then *token is its key. EG_LIMIT: the page is full. */
static enum eg_rc look(const struct eg_list_ask *a, const struct eg_list_info *l,
                       const struct eg_log_head *head, struct eg_arena *page, bool *late,
                       uint8_t token[EG_TOKEN_SIZE], struct eg_err *err)
{
	struct eg_header h;
	struct eg_claim c;
	enum eg_rc rc = eg_header_read(head->header, &h, err);
	*late = false;
	if (rc || !is_foreign(l, &h))
		return rc;
	rc = eg_list_claim(a->vault, a->conn, head->seq, page, &c, err);
	if (rc || c.version >= l->as_of)
		return rc;
	eg_source_token(a->vault, c.agency, c.dataset, c.source_key, token);
	*late = true;
	return EG_OK;
}

enum eg_rc eg_list_late(const struct eg_list_ask *a, const struct eg_list_info *l, uint64_t after,
                        uint64_t until, struct eg_arena *page,
                        enum eg_rc (*each)(void *arg, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err),
                        void *arg, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	while (l->versionless && after < until && rc == EG_OK) {
		struct eg_log_head *heads = NULL;
		unsigned n = 0;
		eg_arena_reset(page);
		rc = eg_list_heads(a->conn, after, PAGE, page, &heads, &n, err);
		if (rc == EG_OK && !n)
			break;
		for (unsigned i = 0; i < n && rc == EG_OK && heads[i].seq <= until; i++) {
			uint8_t token[EG_TOKEN_SIZE];
			bool late = false;
			rc = look(a, l, &heads[i], page, &late, token, err);
			if (rc == EG_LIMIT && i) { /* the next page begins with it */
				rc = EG_OK;
				break;
			}
			if (late)
				rc = each(arg, token, err);
			after = heads[i].seq;
		}
	}
	return rc;
}

enum eg_rc eg_list_restates(const struct eg_list_ask *a, const struct eg_list_info *l,
                            const struct eg_versions *now, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                            struct eg_version *out, struct eg_err *err)
{
	const struct eg_version *top = eg_versions_top(now);
	struct eg_versions then;
	*yes = false;
	if ((top && top->version >= l->as_of) || eg_versions_find(now, l->as_of, l->mapping_revision))
		return EG_OK;
	enum eg_rc rc = eg_list_key_at(now, l->pinned, a->arena, &then, err);
	const struct eg_version *e = rc ? NULL : eg_versions_effective(&then);
	/* Where it counts still, the list's word is asked for when it is needed (list_said.h). */
	if (!e || (top && top->version == e->version && top->mapping_revision == e->mapping_revision))
		return rc;
	*out = *e;
	return eg_list_found(a, l, e, token, yes, err);
}

enum eg_rc eg_list_restate(const struct eg_list_ask *a, const struct eg_list_info *l,
                           const uint8_t token[EG_TOKEN_SIZE], const struct eg_version *v,
                           struct eg_arena *arena, struct eg_item *item, struct eg_err *err)
{
	struct eg_buf canon = {0};
	*item = (struct eg_item){.sealed_kind = EG_ENTRY_CHANGE, .version = *v};
	memcpy(item->token, token, sizeof item->token);
	enum eg_rc rc = eg_list_claim(a->vault, a->conn, v->seq, arena, &item->claim, err);
	if (rc)
		return rc;
	item->claim.version = item->version.version = l->as_of;
	item->claim.mapping_revision = item->version.mapping_revision = l->mapping_revision;
	item->version.voided = item->version.withdrawn = false;
	item->version.void_seq = item->version.withdrawn_seq = 0;
	eg_canon_claim(&canon, &item->claim);
	if (canon.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "a claim could not be written");
	if (rc == EG_OK) {
		item->canon = (struct eg_bytes){eg_arena_copy(arena, canon.p, canon.len), canon.len};
		if (!item->canon.p)
			rc = eg_fail(err, EG_LIMIT, "a batch does not fit the memory given to it");
	}
	eg_buf_free(&canon);
	return rc ? rc : eg_judge_seal(a->vault, item, arena, err);
}
