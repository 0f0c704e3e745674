/* list_apply: one list from RECEIVED to its end: compared, what is new written, what it lacks withdrawn.
 *
 * Counts come from the comparison; of the writer's outcomes only those change them that the comparison could
 * not know (list_flights.h). Thread: the applier's. */
#include "flow/absent.h"
#include "flow/compare.h"
#include "flow/entry.h"
#include "flow/judge.h"
#include "flow/list_flights.h"
#include "flow/list_late.h"
#include "flow/lists_core.h"

#include "base/fault.h"
#include "base/log.h"

#include <string.h>

enum { PAGE = 64 };
#define SIDE_MEMORY ((size_t)16 << 20)
#define PAGE_MEMORY ((size_t)64 << 20) /* of log entries that are looked through */

struct applying {
	struct eg_list *l;
	struct eg_lists *ls;
	struct eg_conn *conn;
	struct eg_arena *side;
	struct eg_absent *absent;
	struct eg_list_flights flights;
	uint64_t moved; /* missing keys that something came for since the list began */
};

/* ---- rows ---- */

static enum eg_rc fill_row(struct applying *x, const struct eg_spool_row *row, int64_t version,
                           struct eg_item *item, struct eg_arena *a, struct eg_err *err)
{
	item->canon = (struct eg_bytes){eg_arena_copy(a, row->canon.p, row->canon.len), row->canon.len};
	if (!item->canon.p)
		return eg_fail(err, EG_LIMIT, "a batch does not fit the memory given to it");
	enum eg_rc rc = eg_canon_claim_read(item->canon, a, &item->claim, err);
	if (rc)
		return rc;
	if (item->claim.version != version) { /* stated again at the list's position */
		struct eg_buf b = {0};
		item->claim.version = version;
		eg_canon_claim(&b, &item->claim);
		item->canon = (struct eg_bytes){eg_arena_copy(a, b.p, b.len), b.len};
		bool failed = b.failed || !item->canon.p;
		eg_buf_free(&b);
		if (failed)
			return eg_fail(err, EG_NO_MEMORY, "a claim could not be written");
	}
	memcpy(item->token, row->token, sizeof item->token);
	item->version = row->version;
	item->version.version = version;
	eg_judge_identity(x->ls->o.vault, item);
	item->reasons.n = row->reasons.n;
	memcpy(item->reasons.v, row->reasons.v, row->reasons.n * sizeof *row->reasons.v);
	item->sealed_kind = row->faulty ? EG_ENTRY_QUARANTINE : EG_ENTRY_CHANGE;
	return eg_judge_seal(x->ls->o.vault, item, a, err);
}

static enum eg_rc take_row(void *arg, const struct eg_spool_row *row, int64_t version,
                           enum eg_row_class class, struct eg_err *err)
{
	struct applying *x = arg;
	struct eg_item *item = NULL;
	struct eg_arena *a = NULL;
	if (x->l->dry_run) {
		struct eg_reasons conflict = {0};
		if (class == EG_ROW_REJECTED && !row->faulty) /* as the writer would say */
			eg_reasons_add(&conflict, EG_REASON_VERSION_CONFLICT, "version");
		if (class == EG_ROW_REJECTED)
			eg_list_tell_reject(x->l, row->index, 0, row->faulty ? &row->reasons : &conflict);
		return EG_OK;
	}
	eg_kill_point("list.applying");
	enum eg_rc rc = eg_flights_item(&x->flights, &item, &a, err);
	if (rc == EG_OK)
		rc = eg_arena_why(a, fill_row(x, row, version, item, a, err), err);
	if (rc)
		return rc;
	eg_flights_took(&x->flights, item, row->index, class);
	return EG_OK;
}

static enum eg_rc take_missing(void *arg, const uint8_t token[EG_TOKEN_SIZE], bool moved, struct eg_err *err)
{
	struct applying *x = arg;
	x->moved += moved;
	return x->absent ? eg_absent_add(x->absent, token, err) : EG_OK;
}

static enum eg_rc compared(void *arg, uint64_t rows, struct eg_err *err)
{
	struct applying *x = arg;
	pthread_mutex_lock(&x->ls->lock);
	x->l->compared = rows;
	pthread_mutex_unlock(&x->ls->lock);
	return atomic_load(&x->ls->stopping) ? eg_list_closed(err) : EG_OK;
}

static enum eg_rc compare(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	struct eg_listed listed = {0};
	struct eg_list_counts counts;
	const struct eg_compare_options o = {.conn = x->conn,
	                                     .vault = x->ls->o.vault,
	                                     .dir = x->ls->dir,
	                                     .list = l,
	                                     .spool = x->l->spool,
	                                     .listed = &listed};
	const struct eg_compare_sink sink = {
	        .arg = x, .row = take_row, .missing = take_missing, .progress = compared};
	memset(&x->flights.set_aside, 0, sizeof x->flights.set_aside);
	x->moved = 0;
	pthread_mutex_lock(&x->ls->lock);
	x->l->applied = x->l->compared = 0;
	x->l->n_rejects = 0;
	x->l->rejects = NULL;
	pthread_mutex_unlock(&x->ls->lock);
	enum eg_rc rc = eg_listed_load(&listed, x->conn, err);
	if (rc == EG_OK && !x->l->dry_run)
		rc = eg_absent_new(&x->absent, x->ls->dir, l->spool, err);
	if (rc == EG_OK)
		rc = eg_compare(&o, &sink, &counts, err);
	if (rc == EG_OK)
		rc = eg_flights_finish(&x->flights, err);
	if (rc == EG_OK && x->absent)
		rc = eg_absent_finish(x->absent, err);
	eg_absent_close(x->absent);
	x->absent = NULL;
	eg_listed_free(&listed);
	if (rc)
		return rc;
	const struct eg_flights_set_aside *aside = &x->flights.set_aside;
	counts.changed -= aside->changed;
	counts.added -= aside->added;
	counts.stale -= aside->stale;
	counts.rejected += aside->changed + aside->added + aside->stale;
	counts.unsaid += aside->changed + aside->added + aside->stale;
	l->counts = counts;
	return EG_OK;
}

/* ---- records that came meanwhile ---- */

static enum eg_rc restate(void *arg, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err)
{
	struct applying *x = arg;
	const struct eg_list_ask ask = {
	        .dir = x->ls->dir, .vault = x->ls->o.vault, .conn = x->conn, .arena = x->side};
	struct eg_source_row row;
	struct eg_versions v;
	struct eg_version found;
	struct eg_item *item = NULL;
	struct eg_arena *a = NULL;
	bool yes = false;
	eg_arena_reset(x->side);
	enum eg_rc rc = eg_get_source(x->conn, token, x->side, &row, err);
	if (rc == EG_EMPTY)
		return EG_OK; /* a void of what never came */
	if (rc == EG_OK)
		rc = eg_versions_read(row.body, x->side, &v, err);
	if (rc == EG_OK)
		rc = eg_list_restates(&ask, &x->l->info, &v, token, &yes, &found, err);
	if (rc == EG_OK && yes)
		rc = eg_flights_item(&x->flights, &item, &a, err);
	if (rc == EG_OK && yes)
		rc = eg_arena_why(a, eg_list_restate(&ask, &x->l->info, token, &found, a, item, err), err);
	if (rc || !yes)
		return rc;
	eg_flights_took(&x->flights, item, 0, EG_FLIGHT_NO_ROW);
	return EG_OK;
}

/* Up to the newest entries, which are the writer's to see to. */
static enum eg_rc settle(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	const struct eg_list_ask ask = {
	        .dir = x->ls->dir, .vault = x->ls->o.vault, .conn = x->conn, .arena = x->side};
	uint64_t head = 0;
	struct eg_arena *page = eg_arena_new(PAGE_MEMORY);
	enum eg_rc rc = page ? eg_get_head(x->conn, &head, err)
	                     : eg_fail(err, EG_NO_MEMORY, "no memory to apply a list");
	if (l->settled < l->pinned)
		l->settled = l->pinned;
	while (rc == EG_OK && head - l->settled > EG_LIST_LATE_MAX / 4) {
		rc = eg_arena_why(page, eg_list_late(&ask, l, l->settled, head, page, restate, x, err), err);
		if (rc == EG_OK)
			rc = eg_flights_finish(&x->flights, err);
		if (rc == EG_OK)
			l->settled = head;
		if (rc == EG_OK && atomic_load(&x->ls->stopping))
			rc = eg_list_closed(err);
		if (rc == EG_OK)
			rc = eg_get_head(x->conn, &head, err);
	}
	eg_arena_free(page);
	return rc;
}

/* ---- the shrink guard ---- */

/* Keys that lists of the dataset withdrew lately, no person having looked. */
static enum eg_rc withdrawn_lately(struct applying *x, uint64_t *out, struct eg_err *err)
{
	const struct eg_list_info *mine = &x->l->info;
	int64_t since = eg_now_us() - x->ls->o.shrink_window_us, after = 0;
	unsigned n = 1;
	enum eg_rc rc = EG_OK;
	*out = 0;
	while (rc == EG_OK && n) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(x->side);
		rc = eg_list_lists_of(x->conn, mine->agency, mine->dataset, after, PAGE, x->side, &rows, &n,
		                      err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			struct eg_list_info l;
			after = rows[i].row;
			rc = eg_list_info_read(&rows[i], x->side, &l, err);
			bool ended = l.phase == EG_LIST_DONE || l.phase == EG_LIST_FAILED;
			if (rc == EG_OK && ended && !l.held && l.ended_us >= since &&
			    eg_list_overlap(&l, mine))
				*out += l.counts.withdrawn;
		}
	}
	return rc;
}

/* A list with rows whose keys could not be read lacks nobody for certain. */
static enum eg_rc guard(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	const struct eg_lists_options *o = &x->ls->o;
	enum eg_rc rc = withdrawn_lately(x, &l->withdrawn_before, err);
	uint64_t total = l->counts.missing + l->withdrawn_before;
	bool much = total > (uint64_t)o->shrink_floor &&
	            total * 10000 > l->counts.covered * (uint64_t)o->shrink_bp;
	l->held = l->counts.missing && (much || l->keyless);
	return rc;
}

/* ---- withdrawing ---- */

static enum eg_rc withdraw_key(struct applying *x, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	struct eg_source_row row;
	struct eg_versions v;
	struct eg_claim held;
	struct eg_item *item = NULL;
	struct eg_arena *a = NULL;
	eg_arena_reset(x->side);
	enum eg_rc rc = eg_get_source(x->conn, token, x->side, &row, err);
	if (rc == EG_OK)
		rc = eg_versions_read(row.body, x->side, &v, err);
	if (rc == EG_EMPTY)
		return eg_fail(err, EG_CORRUPT, "a source key that a list lacks is not there");
	if (rc)
		return rc;
	const struct eg_version *e = eg_versions_effective(&v), *slot = eg_versions_find(&v, l->as_of, 0);
	if (slot && slot->withdrawn && slot->withdrawn_seq > l->pinned) { /* before a crash */
		l->counts.withdrawn++;
		return EG_OK;
	}
	if (!e || e->version >= l->as_of || eg_versions_moved(&v, eg_list_since(l))) {
		l->counts.skipped++;
		return EG_OK;
	}
	rc = eg_list_claim(x->ls->o.vault, x->conn, e->seq, x->side, &held, err);
	if (rc == EG_OK)
		rc = eg_flights_item(&x->flights, &item, &a, err);
	if (rc == EG_OK)
		rc = eg_judge_withdrawal(x->ls->o.vault, &held, token, l->as_of, eg_list_since(l), a, item,
		                         err);
	if (rc)
		return eg_arena_why(a, rc, err);
	/* Its texts are the side arena's: what the writer reads of them is in its canonical bytes. */
	rc = eg_canon_claim_read(item->canon, a, &item->claim, err);
	if (rc == EG_OK)
		eg_flights_took(&x->flights, item, 0, EG_FLIGHT_NO_ROW);
	return eg_arena_why(a, rc, err);
}

static enum eg_rc withdraw(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	uint8_t token[EG_TOKEN_SIZE];
	l->counts.withdrawn = l->counts.skipped = 0;
	pthread_mutex_lock(&x->ls->lock);
	x->l->applied = 0;
	x->l->total = l->counts.missing;
	pthread_mutex_unlock(&x->ls->lock);
	enum eg_rc rc = eg_absent_open(&x->absent, x->ls->dir, l->spool, l->counts.missing, err);
	while (rc == EG_OK && (rc = eg_absent_next(x->absent, token, err)) == EG_OK) {
		eg_kill_point("list.withdrawing");
		rc = atomic_load(&x->ls->stopping) ? eg_list_closed(err) : withdraw_key(x, token, err);
	}
	if (rc == EG_EMPTY)
		rc = eg_flights_finish(&x->flights, err);
	return rc;
}

/* ---- the phases ---- */

static enum eg_rc pin(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	enum eg_rc rc = eg_get_head(x->conn, &l->pinned, err);
	l->phase = EG_LIST_COMPARING;
	if (rc == EG_OK && !x->l->dry_run)
		rc = eg_list_step(x->ls, l, false, false, err);
	if (rc)
		l->phase = EG_LIST_RECEIVED;
	return rc;
}

static void drop_runs(struct applying *x)
{
	uint64_t bytes = eg_spool_bytes(x->l->spool);
	eg_spool_close(x->l->spool);
	x->l->spool = NULL;
	eg_spool_remove(x->ls->dir, x->l->info.spool, false);
	eg_lists_give_back(x->ls, bytes);
}

static enum eg_rc end_comparison(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	enum eg_rc rc = guard(x, err);
	if (rc)
		return rc;
	l->phase = l->held ? EG_LIST_HELD : l->counts.missing ? EG_LIST_WITHDRAWING : EG_LIST_DONE;
	if (l->phase == EG_LIST_DONE)
		l->ended_us = eg_now_us();
	if (x->l->dry_run) {
		l->counts.withdrawn = l->held ? 0 : l->counts.missing - x->moved;
		l->counts.skipped = l->held ? 0 : x->moved;
		l->phase = l->held ? EG_LIST_HELD : EG_LIST_DONE;
		return EG_OK;
	}
	do {
		rc = settle(x, err);
		if (rc == EG_OK)
			rc = eg_list_step(x->ls, l, false, true, err);
	} while (rc == EG_PRECONDITION);
	if (rc)
		l->phase = EG_LIST_COMPARING;
	else
		drop_runs(x);
	return rc;
}

static enum eg_rc end_withdrawal(struct applying *x, struct eg_err *err)
{
	struct eg_list_info *l = &x->l->info;
	l->phase = EG_LIST_DONE;
	l->ended_us = eg_now_us();
	enum eg_rc rc = eg_list_step(x->ls, l, false, false, err);
	if (rc)
		l->phase = EG_LIST_WITHDRAWING;
	return rc;
}

enum eg_rc eg_list_apply(struct eg_list *l, struct eg_conn *conn, struct eg_err *err)
{
	struct applying x = {.l = l, .ls = l->of, .conn = conn};
	enum eg_rc rc = EG_OK;
	x.side = eg_arena_new(SIDE_MEMORY);
	if (!x.side)
		return eg_fail(err, EG_NO_MEMORY, "no memory to apply a list");
	eg_flights_begin(&x.flights, l);
	if (l->info.phase == EG_LIST_RECEIVED)
		rc = pin(&x, err);
	if (rc == EG_OK && l->info.phase == EG_LIST_COMPARING) {
		eg_list_tell(l, EG_LIST_COMPARING);
		rc = compare(&x, err);
		if (rc == EG_OK)
			rc = end_comparison(&x, err);
	}
	if (rc == EG_OK && l->info.phase == EG_LIST_WITHDRAWING) {
		eg_list_tell(l, EG_LIST_WITHDRAWING);
		rc = withdraw(&x, err);
		if (rc == EG_OK)
			rc = end_withdrawal(&x, err);
	}
	rc = eg_arena_why(x.side, rc, err);
	eg_flights_end(&x.flights);
	eg_absent_close(x.absent);
	eg_arena_free(x.side);
	if (rc == EG_OK && l->info.phase == EG_LIST_DONE && !l->dry_run && !l->info.counts.missing)
		eg_spool_remove(x.ls->dir, l->info.spool, true); /* nothing in it is asked for again */
	if (rc == EG_OK)
		eg_list_tell(l, l->info.phase);
	return rc;
}
