/* list_receive: a full list from its begin to its end: counted, judged, spooled. */
#include "flow/lists_core.h"

#include "base/clock.h"
#include "flow/judge.h"

#include <string.h>

#define QUEUED_TEXT "too many full lists are under way; send it again later"

static bool enter(struct eg_lists *ls)
{
	pthread_mutex_lock(&ls->lock);
	bool may = ls->open < ls->o.open;
	ls->open += may;
	pthread_mutex_unlock(&ls->lock);
	return may;
}

/* Where the log ends as a list begins to come: a key that something comes for behind it is not withdrawn. */
static enum eg_rc head_now(struct eg_lists *ls, uint64_t *seq, struct eg_err *err)
{
	struct eg_conn *conn = NULL;
	enum eg_rc rc = eg_store_reader(ls->o.store, &conn, err);
	if (rc == EG_OK)
		rc = eg_get_head(conn, seq, err);
	eg_conn_close(conn);
	return rc;
}

enum eg_rc eg_list_begin(struct eg_lists *ls, const struct eg_list_begin *b, struct eg_list **out,
                         struct eg_err *err)
{
	struct eg_spool_options so = eg_lists_spool(ls);
	const struct eg_list_info given = {
	        .agency = b->agency,
	        .operator_name = b->operator_name,
	        .dataset = b->dataset,
	        .list_id = b->list_id,
	        .as_of = b->as_of,
	        .phase = EG_LIST_RECEIVING,
	        .n_regions = b->n_regions,
	        .regions = (const char **)(uintptr_t)b->regions,
	        .mapping_revision = b->mapping_revision,
	        .taken_at = b->taken_at,
	};
	*out = NULL;
	unsigned most = ls->o.standing ? ls->o.standing : EG_LISTS_STANDING;
	if (eg_writer_lists_standing(ls->o.writer) >= most)
		return eg_fail(err, EG_LIMIT,
		               "%u full lists stand, as many as lists.standing allows: send lists of more "
		               "regions, or of the whole dataset, or have the setting raised",
		               most);
	if (!enter(ls))
		return eg_fail(err, EG_BUSY, QUEUED_TEXT);
	struct eg_list *l = eg_list_new(ls);
	if (!l) {
		pthread_mutex_lock(&ls->lock);
		ls->open--;
		pthread_mutex_unlock(&ls->lock);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	}
	l->receiving = l->open = true;
	l->dry_run = b->dry_run;
	l->declared = b->count;
	l->hash = eg_hash_new(EG_HASH_SHA256);
	enum eg_rc rc = eg_arena_why(l->arena, eg_list_info_copy(&given, l->arena, &l->info, err), err);
	if (rc == EG_OK)
		rc = head_now(ls, &l->info.started, err);
	if (rc == EG_OK)
		rc = eg_spool_new(&l->spool, &so, err);
	if (rc) {
		eg_list_release(l);
		return rc;
	}
	memcpy(l->info.spool, eg_spool_id(l->spool), sizeof l->info.spool);
	eg_list_tell(l, EG_LIST_RECEIVING);
	*out = l;
	return EG_OK;
}

void eg_list_digest(struct eg_list *l, struct eg_bytes record)
{
	const uint8_t len[4] = {(uint8_t)(record.len >> 24), (uint8_t)(record.len >> 16),
	                        (uint8_t)(record.len >> 8), (uint8_t)record.len};
	const struct eg_bytes parts[] = {{len, sizeof len}, record};
	eg_hash_add(l->hash, parts, 2);
	l->info.rows++;
}

uint64_t eg_list_digested(const struct eg_list *l)
{
	return l->info.rows;
}

static enum eg_rc judge(struct eg_list *l, struct eg_ticket *t, struct eg_item *item, bool *own, int64_t now,
                        struct eg_buf *canon, struct eg_err *err)
{
	struct eg_claim *c = &item->claim;
	/* The list's position as a row's version is what a row without one gets. Taken as the row's own it
	 * would be written down for each row that is as it was. */
	*own = c->version != 0 && c->version != l->info.as_of;
	if (!*own)
		c->version = l->info.as_of;
	if (!c->mapping_revision)
		c->mapping_revision = l->info.mapping_revision;
	if (c->op == EG_VOID)
		eg_reasons_add(&item->reasons, EG_REASON_LIST_OPERATION, "operation");
	return eg_judge_item(l->of->o.vault, t, item, now, l->of->o.max_record_bytes, canon, err);
}

/* Adds what was judged; canon: the items' claims, one behind the other. */
static enum eg_rc spool_items(struct eg_list *l, const struct eg_submission *s, const bool *own,
                              uint64_t first, const uint8_t *canon, struct eg_err *err)
{
	struct eg_spool_row row;
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < s->n && rc == EG_OK; i++) {
		const struct eg_item *item = &s->items[i];
		row.index = first + i;
		row.own_version = own[i];
		row.faulty = eg_reasons_quarantine(&item->reasons);
		row.version = item->version;
		row.canon = (struct eg_bytes){canon, item->canon.len};
		canon += item->canon.len;
		row.reasons.n = item->reasons.n;
		memcpy(row.reasons.v, item->reasons.v, item->reasons.n * sizeof *row.reasons.v);
		memcpy(row.token, item->token, sizeof row.token);
		l->own_versions += row.own_version;
		l->info.keyless += row.faulty && !item->claim.source_key.len;
		rc = eg_spool_add(l->spool, &row, err);
	}
	l->spooled += rc == EG_OK ? s->n : 0;
	return rc;
}

enum eg_rc eg_list_add(struct eg_list *l, struct eg_ticket *t, uint64_t first, struct eg_err *err)
{
	struct eg_buf canon = {0};
	int64_t now = eg_now_us();
	bool *own = eg_arena_alloc(t->arena, t->submission.n * sizeof *own);
	enum eg_rc rc = own ? EG_OK : eg_fail(err, EG_LIMIT, "a message does not fit the memory given to it");
	for (unsigned i = 0; i < t->submission.n && rc == EG_OK; i++)
		rc = judge(l, t, &t->submission.items[i], &own[i], now, &canon, err);
	pthread_mutex_lock(&l->spooling);
	if (rc == EG_OK)
		rc = spool_items(l, &t->submission, own, first, canon.p, err);
	uint64_t spooled = l->spooled;
	pthread_mutex_unlock(&l->spooling);
	eg_buf_free(&canon);
	pthread_mutex_lock(&l->of->lock);
	l->received = spooled > l->received ? spooled : l->received;
	l->total = l->declared > l->received ? l->declared : l->received;
	pthread_mutex_unlock(&l->of->lock);
	return rc;
}

enum eg_rc eg_list_end(struct eg_list *l, uint64_t count, struct eg_bytes digest, struct eg_err *err)
{
	struct eg_lists *ls = l->of;
	if (count != l->info.rows || (l->declared && l->declared != count))
		return eg_fail_field(err, EG_INVALID, "count",
		                     "the list has %llu records and declares %llu: nothing of it was applied",
		                     (unsigned long long)l->info.rows,
		                     (unsigned long long)(count != l->info.rows ? count : l->declared));
	eg_hash_end(l->hash, l->info.digest);
	if (digest.len != sizeof l->info.digest || memcmp(digest.p, l->info.digest, digest.len) != 0)
		return eg_fail_field(
		        err, EG_INVALID, "digest",
		        "the list has another digest than it declares: nothing of it was applied");
	/* Count and digest are of what came; what could not be kept is no part of the list. */
	pthread_mutex_lock(&l->spooling);
	bool whole = l->spooled == l->info.rows;
	pthread_mutex_unlock(&l->spooling);
	if (!whole)
		return eg_fail(err, EG_BUSY, "records of the list could not be kept: send it again later");
	l->info.versionless = !l->own_versions;
	l->info.received_us = eg_now_us();
	pthread_mutex_lock(&ls->lock);
	l->refs++;
	l->receiving = false;
	l->total = l->info.rows;
	l->told = l->info;
	pthread_mutex_unlock(&ls->lock);
	eg_lists_queue(ls, &ls->to_keep, l);
	return EG_OK;
}
