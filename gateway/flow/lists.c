/* lists: receiving lists, keeping them, and the queue before the one that is applied.
 *
 * Locks: lock, for what lists_core.h says; nothing is called under it that blocks. */
#include "flow/lists_core.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/thread.h"
#include "flow/judge.h"
#include "store/dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_MEMORY ((size_t)16 << 20) /* of one list's texts and told rejects */
#define STEP_US     (10 * EG_SECOND)   /* a step that finds no room tries again after this long */
#define LOOK_US     EG_SECOND          /* how often the engine looks for lists whose case was decided */
#define PAUSE_US    EG_SECOND          /* before what failed is tried again */
#define QUEUED_TEXT "too many full lists are under way; send it again later"

/* ---- lists as objects ---- */

static struct eg_list *make(struct eg_lists *ls)
{
	struct eg_list *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->of = ls;
	l->refs = 1;
	pthread_mutex_init(&l->spooling, NULL);
	l->arena = eg_arena_new(LIST_MEMORY);
	if (!l->arena) {
		pthread_mutex_destroy(&l->spooling);
		free(l);
		return NULL;
	}
	pthread_mutex_lock(&ls->lock);
	l->next = ls->all;
	ls->all = l;
	pthread_mutex_unlock(&ls->lock);
	return l;
}

static void forget_spool(struct eg_list *l)
{
	if (!l->spool)
		return;
	uint8_t id[16];
	uint64_t bytes = eg_spool_bytes(l->spool);
	memcpy(id, eg_spool_id(l->spool), sizeof id);
	eg_spool_close(l->spool);
	l->spool = NULL;
	eg_spool_remove(l->of->dir, id, true);
	eg_lists_give_back(l->of, bytes);
}

void eg_list_release(struct eg_list *l)
{
	if (!l)
		return;
	struct eg_lists *ls = l->of;
	pthread_mutex_lock(&ls->lock);
	bool last = --l->refs == 0;
	for (struct eg_list **at = &ls->all; last && *at; at = &(*at)->next)
		if (*at == l) {
			*at = l->next;
			break;
		}
	ls->open -= last && l->receiving;
	pthread_mutex_unlock(&ls->lock);
	if (!last)
		return;
	if (l->receiving || l->dry_run)
		forget_spool(l); /* without its end it is no list */
	eg_spool_close(l->spool);
	eg_list_release(l->twin);
	eg_hash_free(l->hash);
	eg_arena_free(l->arena);
	pthread_mutex_destroy(&l->spooling);
	free(l);
}

void eg_list_hold(struct eg_list *l)
{
	pthread_mutex_lock(&l->of->lock);
	l->refs++;
	pthread_mutex_unlock(&l->of->lock);
}

void eg_list_tell(struct eg_list *l, enum eg_list_phase phase)
{
	pthread_mutex_lock(&l->of->lock);
	l->phase = phase;
	l->told = l->info;
	pthread_mutex_unlock(&l->of->lock);
}

void eg_list_over(struct eg_list *l, enum eg_rc rc, const struct eg_err *err)
{
	pthread_mutex_lock(&l->of->lock);
	l->over = true;
	l->rc = rc;
	if (rc)
		l->err = *err;
	l->told = l->info;
	pthread_mutex_unlock(&l->of->lock);
}

void eg_list_look(struct eg_list *l, struct eg_list_look *out)
{
	struct eg_lists *ls = l->of;
	pthread_mutex_lock(&ls->lock);
	bool second = l->twin != NULL;
	const struct eg_list *x = second ? l->twin : l;
	*out = (struct eg_list_look){
	        .phase = x->phase,
	        .dry_run = x->dry_run,
	        .received = x->received,
	        .compared = x->compared,
	        .applied = x->applied,
	        .of = x->total,
	        .over = x->over,
	        .repeated = second || x->repeated,
	        .rc = x->rc,
	        .err = x->err,
	        .info = x->told,
	        .rejects = x->over ? x->rejects : NULL,
	};
	pthread_mutex_unlock(&ls->lock);
}

unsigned eg_lists_see(struct eg_lists *ls, struct eg_list_sight *out, unsigned max)
{
	unsigned n = 0;
	pthread_mutex_lock(&ls->lock);
	for (const struct eg_list *l = ls->all; l && n < max; l = l->next) {
		if (l->over || l->twin || !l->told.agency)
			continue;
		struct eg_list_sight *s = &out[n++];
		*s = (struct eg_list_sight){.phase = l->phase,
		                            .dry_run = l->dry_run,
		                            .received = l->received,
		                            .compared = l->compared,
		                            .applied = l->applied,
		                            .of = l->total};
		snprintf(s->agency, sizeof s->agency, "%s", l->told.agency);
		snprintf(s->dataset, sizeof s->dataset, "%s", l->told.dataset);
		snprintf(s->list_id, sizeof s->list_id, "%s", l->told.list_id);
	}
	pthread_mutex_unlock(&ls->lock);
	return n;
}

/* ---- the disk ---- */

static bool room(void *arg, size_t bytes)
{
	struct eg_lists *ls = arg;
	pthread_mutex_lock(&ls->lock);
	bool fits = ls->disk + bytes <= ls->o.disk;
	ls->disk += fits ? bytes : 0;
	pthread_mutex_unlock(&ls->lock);
	return fits;
}

void eg_lists_give_back(struct eg_lists *ls, uint64_t bytes)
{
	pthread_mutex_lock(&ls->lock);
	ls->disk -= bytes < ls->disk ? bytes : ls->disk;
	pthread_mutex_unlock(&ls->lock);
}

struct eg_spool_options eg_lists_spool(struct eg_lists *ls)
{
	return (struct eg_spool_options){
	        .dir = ls->dir, .vault = ls->o.vault, .memory = ls->o.memory, .room = room, .arg = ls};
}

/* ---- receiving ---- */

static bool enter(struct eg_lists *ls)
{
	pthread_mutex_lock(&ls->lock);
	bool may = ls->open < ls->o.open;
	ls->open += may;
	pthread_mutex_unlock(&ls->lock);
	return may;
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
	};
	*out = NULL;
	if (!enter(ls))
		return eg_fail(err, EG_BUSY, QUEUED_TEXT);
	struct eg_list *l = make(ls);
	if (!l) {
		pthread_mutex_lock(&ls->lock);
		ls->open--;
		pthread_mutex_unlock(&ls->lock);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	}
	l->receiving = true;
	l->dry_run = b->dry_run;
	l->declared = b->count;
	l->hash = eg_hash_new(EG_HASH_SHA256);
	enum eg_rc rc = eg_list_info_copy(&given, l->arena, &l->info, err);
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
	*own = c->version != 0;
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
	ls->open--;
	l->total = l->info.rows;
	l->told = l->info;
	pthread_mutex_unlock(&ls->lock);
	eg_lists_queue(ls, &ls->to_keep, l);
	return EG_OK;
}

/* ---- queues ---- */

void eg_lists_queue(struct eg_lists *ls, struct eg_list_queue *q, struct eg_list *l)
{
	pthread_mutex_lock(&ls->lock);
	l->queued_next = NULL;
	*q->last = l;
	q->last = &l->queued_next;
	pthread_cond_broadcast(&ls->some);
	pthread_mutex_unlock(&ls->lock);
	eg_wake(ls->wake);
}

struct eg_list *eg_lists_take(struct eg_lists *ls, struct eg_list_queue *q)
{
	pthread_mutex_lock(&ls->lock);
	struct eg_list *l = q->first;
	if (l) {
		q->first = l->queued_next;
		if (!q->first)
			q->last = &q->first;
	}
	pthread_mutex_unlock(&ls->lock);
	return l;
}

/* ---- keeping ---- */

enum eg_rc eg_list_step(struct eg_lists *ls, struct eg_list_info *info, bool fresh, bool append,
                        struct eg_err *err)
{
	enum eg_rc rc;
	for (;;) {
		struct eg_ticket *t = eg_ticket_new(EG_TICKET_LIST, sizeof *t + 4096, NULL, NULL);
		if (!t)
			return eg_fail(err, EG_NO_MEMORY, "no memory for a list's step");
		t->bytes = sizeof *t;
		t->lane = EG_LANE_LIVE;
		t->list.info = info;
		t->list.fresh = fresh;
		t->list.append = append;
		rc = eg_intake_put_and_wait(ls->o.intake, t, eg_mono_us() + STEP_US, err);
		eg_ticket_free(t);
		if (rc == EG_OK || rc == EG_CLOSED || rc == EG_CORRUPT || atomic_load(&ls->stopping))
			return rc;
		eg_log_err(EG_LOG_ERROR, "list.step_failed", err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + PAUSE_US);
	}
}

/* Is it a list of before? Then it is that one. */
static enum eg_rc find_twin(struct eg_list *l, struct eg_conn *conn, bool *found, struct eg_err *err)
{
	struct eg_lists *ls = l->of;
	struct eg_list_info *mine = &l->info, known;
	struct eg_list_row row;
	*found = false;
	enum eg_rc rc = eg_get_list_by_digest(conn, mine->agency, mine->dataset, mine->list_id, mine->digest,
	                                      l->arena, &row, err);
	if (rc == EG_EMPTY)
		return EG_OK;
	if (rc == EG_OK)
		rc = eg_list_info_read(&row, l->arena, &known, err);
	if (rc || known.as_of != mine->as_of)
		return rc;
	*found = true;
	forget_spool(l);
	if (known.phase == EG_LIST_HELD || known.phase == EG_LIST_DONE || known.phase == EG_LIST_REFUSED) {
		l->info = known;
		l->repeated = true;
		eg_list_tell(l, known.phase);
		eg_list_over(l, EG_OK, NULL);
		return EG_OK;
	}
	pthread_mutex_lock(&ls->lock);
	for (struct eg_list *x = ls->all; x && !l->twin; x = x->next)
		if (x != l && !x->twin && x->told.row == known.row && !x->rc) {
			x->refs++;
			l->twin = x;
		}
	pthread_mutex_unlock(&ls->lock);
	return l->twin ? EG_OK
	               : eg_fail(err, EG_BUSY, "the same list could not go on before; see the gateway's log");
}

static enum eg_rc keep(struct eg_list *l, struct eg_conn *conn, struct eg_err *err)
{
	struct eg_lists *ls = l->of;
	bool found = false;
	enum eg_rc rc = eg_spool_finish(l->spool, err);
	if (rc == EG_OK)
		eg_kill_point("list.spooled");
	if (rc == EG_OK && !l->dry_run)
		rc = find_twin(l, conn, &found, err);
	if (rc || found)
		return rc;
	l->info.phase = EG_LIST_RECEIVED;
	if (!l->dry_run)
		rc = eg_list_step(ls, &l->info, true, false, err);
	if (rc)
		return rc;
	eg_list_tell(l, EG_LIST_RECEIVED);
	pthread_mutex_lock(&ls->lock);
	l->refs++;
	pthread_mutex_unlock(&ls->lock);
	eg_lists_queue(ls, &ls->to_apply, l);
	return EG_OK;
}

static struct eg_list *next_to_keep(struct eg_lists *ls)
{
	pthread_mutex_lock(&ls->lock);
	while (!ls->to_keep.first && !atomic_load(&ls->stopping))
		pthread_cond_wait(&ls->some, &ls->lock);
	pthread_mutex_unlock(&ls->lock);
	return eg_lists_take(ls, &ls->to_keep);
}

/* A reader's connection, as soon as it can be had. NULL: the gateway stops. */
static struct eg_conn *reader(struct eg_lists *ls)
{
	struct eg_conn *conn = NULL;
	struct eg_err err = {0};
	while (!atomic_load(&ls->stopping) && eg_store_reader(ls->o.store, &conn, &err)) {
		eg_log_err(EG_LOG_ERROR, "list.no_reader", &err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + PAUSE_US);
	}
	return conn;
}

static void run_keeper(void *arg)
{
	struct eg_lists *ls = arg;
	struct eg_conn *conn = reader(ls);
	struct eg_list *l;
	while ((l = next_to_keep(ls))) {
		struct eg_err err = {0};
		enum eg_rc rc = EG_CLOSED;
		if (!conn || atomic_load(&ls->stopping))
			eg_fail(&err, EG_CLOSED, "the gateway is shutting down: send the list again");
		else
			rc = keep(l, conn, &err);
		if (rc) { /* it has no row: it never was */
			eg_log_err(EG_LOG_WARN, "list.not_kept", &err);
			forget_spool(l);
			eg_list_over(l, rc, &err);
		}
		eg_list_release(l);
	}
	eg_conn_close(conn);
}

/* ---- applying ---- */

enum eg_rc eg_list_resume(struct eg_lists *ls, const struct eg_list_info *info, struct eg_list **out,
                          struct eg_err *err)
{
	struct eg_spool_options so = eg_lists_spool(ls);
	struct eg_list *l = make(ls);
	*out = NULL;
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	enum eg_rc rc = eg_list_info_copy(info, l->arena, &l->info, err);
	if (rc == EG_OK && info->phase <= EG_LIST_COMPARING)
		rc = eg_spool_open(&l->spool, &so, info->spool, err);
	if (rc) {
		eg_list_release(l);
		return rc;
	}
	l->received = l->total = info->rows;
	if (l->spool)
		room(ls, eg_spool_bytes(l->spool));
	eg_list_tell(l, info->phase);
	*out = l;
	return EG_OK;
}

static bool is_here(struct eg_lists *ls, int64_t row)
{
	bool here = false;
	pthread_mutex_lock(&ls->lock);
	for (const struct eg_list *l = ls->all; l && !here; l = l->next)
		here = l->told.row == row && !l->twin && !l->over;
	pthread_mutex_unlock(&ls->lock);
	return here;
}

/* Lists of the store that have to go on and that nobody has at hand. phase 0: of any; else only of this one.
 */
static enum eg_rc resume_all(struct eg_lists *ls, struct eg_conn *conn, enum eg_list_phase phase,
                             struct eg_err *err)
{
	struct eg_arena *a = eg_arena_new((size_t)64 << 20);
	enum eg_rc rc = a ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory to look for lists");
	int64_t after = 0;
	unsigned n = 1;
	while (rc == EG_OK && n) {
		struct eg_list_row *rows = NULL;
		eg_arena_reset(a);
		rc = eg_list_lists(conn, after, (int)phase, 64, a, &rows, &n, err);
		for (unsigned i = 0; i < n && rc == EG_OK; i++) {
			struct eg_list_info info;
			struct eg_list *l = NULL;
			after = rows[i].row;
			rc = eg_list_info_read(&rows[i], a, &info, err);
			bool goes_on = info.phase == EG_LIST_RECEIVED || info.phase == EG_LIST_COMPARING ||
			               info.phase == EG_LIST_WITHDRAWING;
			if (rc || !goes_on || is_here(ls, info.row))
				continue;
			if (eg_list_resume(ls, &info, &l, err)) /* the others go on */
				eg_log_err(EG_LOG_ERROR, "list.lost", err);
			else
				eg_lists_queue(ls, &ls->to_apply, l);
		}
	}
	eg_arena_free(a);
	return rc;
}

static bool again(enum eg_rc rc)
{
	return rc == EG_NO_SPACE || rc == EG_IO || rc == EG_BUSY || rc == EG_NO_MEMORY || rc == EG_DEADLINE;
}

static void apply(struct eg_lists *ls, struct eg_list *l, struct eg_conn *conn)
{
	struct eg_err err = {0};
	enum eg_rc rc;
	eg_log(EG_LOG_INFO, "list.begun", EG_T("agency", l->info.agency), EG_T("dataset", l->info.dataset),
	       EG_T("list", l->info.list_id), EG_I("rows", l->info.rows), EG_I("dry_run", l->dry_run));
	while ((rc = eg_list_apply(l, conn, &err)) && again(rc) && !atomic_load(&ls->stopping)) {
		eg_log_err(EG_LOG_ERROR, "list.interrupted", &err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + PAUSE_US);
	}
	if (rc)
		eg_log_err(EG_LOG_ERROR, "list.stopped", &err);
	else
		eg_log(EG_LOG_INFO, "list.ended", EG_T("agency", l->info.agency),
		       EG_T("dataset", l->info.dataset), EG_T("list", l->info.list_id),
		       EG_I("phase", l->info.phase), EG_I("seq", l->info.seq));
	if (l->dry_run)
		forget_spool(l);
	eg_list_over(l, rc, &err);
	if (rc == EG_OK && !l->dry_run && eg_lists_tidy(ls, conn, false, &err))
		eg_log_err(EG_LOG_WARN, "list.not_tidied", &err);
}

static void run_applier(void *arg)
{
	struct eg_lists *ls = arg;
	struct eg_conn *conn = reader(ls);
	struct eg_err err = {0};
	struct eg_list *l;
	while (conn && !atomic_load(&ls->stopping)) {
		uint64_t seen = eg_wake_seen(ls->wake);
		if (resume_all(ls, conn, EG_LIST_WITHDRAWING, &err)) /* those that were approved */
			eg_log_err(EG_LOG_ERROR, "list.not_resumed", &err);
		while (!atomic_load(&ls->stopping) && (l = eg_lists_take(ls, &ls->to_apply))) {
			apply(ls, l, conn);
			eg_list_release(l);
		}
		eg_wake_wait(ls->wake, seen, eg_mono_us() + LOOK_US);
	}
	while ((l = eg_lists_take(ls, &ls->to_apply))) {
		eg_fail(&err, EG_CLOSED,
		        "the gateway is shutting down; the list goes on after its next start");
		eg_list_over(l, EG_CLOSED, &err);
		eg_list_release(l);
	}
	eg_conn_close(conn);
}

/* ---- start and stop ---- */

static enum eg_rc make_dir(struct eg_lists *ls, struct eg_err *err)
{
	char parent[420];
	snprintf(ls->dir, sizeof ls->dir, "%s", ls->o.dir);
	if (mkdir(ls->dir, 0700) == 0) {
		snprintf(parent, sizeof parent, "%s/..", ls->dir);
		return eg_dir_sync(parent, err);
	}
	return errno == EEXIST ? EG_OK : eg_fail_errno(err, "folder %s", ls->dir);
}

/* Before the threads, and before any list can come. */
static enum eg_rc tidy_first(struct eg_lists *ls, struct eg_err *err)
{
	struct eg_conn *conn = NULL;
	enum eg_rc rc = eg_store_reader(ls->o.store, &conn, err);
	if (rc == EG_OK)
		rc = eg_lists_tidy(ls, conn, true, err);
	if (rc == EG_OK)
		rc = resume_all(ls, conn, 0, err);
	eg_conn_close(conn);
	return rc;
}

enum eg_rc eg_lists_start(struct eg_lists **out, const struct eg_lists_options *o, struct eg_err *err)
{
	struct eg_lists *ls = calloc(1, sizeof *ls);
	*out = NULL;
	if (!ls)
		return eg_fail(err, EG_NO_MEMORY, "no memory for full lists");
	ls->o = *o;
	pthread_mutex_init(&ls->lock, NULL);
	pthread_cond_init(&ls->some, NULL);
	ls->to_keep.last = &ls->to_keep.first;
	ls->to_apply.last = &ls->to_apply.first;
	ls->wake = eg_wake_new();
	enum eg_rc rc = ls->wake ? make_dir(ls, err) : eg_fail(err, EG_NO_MEMORY, "no memory for full lists");
	if (rc == EG_OK)
		rc = tidy_first(ls, err);
	if (rc == EG_OK && !eg_wake_forward(eg_writer_lists(o->writer), ls->wake))
		rc = eg_fail(err, EG_INTERNAL, "the writer has no room to tell of full lists");
	if (rc == EG_OK)
		rc = eg_thread_start(&ls->keeper, "lists-keep", run_keeper, ls, err);
	if (rc == EG_OK)
		rc = eg_thread_start(&ls->applier, "lists", run_applier, ls, err);
	if (rc) {
		eg_lists_stop(ls);
		eg_lists_free(ls);
		return rc;
	}
	*out = ls;
	return EG_OK;
}

void eg_lists_stop(struct eg_lists *ls)
{
	if (!ls)
		return;
	pthread_mutex_lock(&ls->lock);
	atomic_store(&ls->stopping, true);
	pthread_cond_broadcast(&ls->some);
	pthread_mutex_unlock(&ls->lock);
	if (ls->wake)
		eg_wake(ls->wake);
	eg_thread_join(ls->keeper);
	eg_thread_join(ls->applier);
	ls->keeper = ls->applier = NULL;
	if (ls->wake)
		eg_wake_forward_stop(eg_writer_lists(ls->o.writer), ls->wake);
}

void eg_lists_free(struct eg_lists *ls)
{
	if (!ls)
		return;
	eg_wake_free(ls->wake);
	pthread_cond_destroy(&ls->some);
	pthread_mutex_destroy(&ls->lock);
	free(ls);
}
