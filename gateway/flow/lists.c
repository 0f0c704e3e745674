/* lists: the engine of full lists: its lists as objects, the queues between its threads, their start and
 * stop.
 *
 * Locks: lock, for what lists_core.h says; nothing is called under it that blocks. */
#include "flow/lists_core.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIST_MEMORY ((size_t)16 << 20) /* of one list's texts and told rejects */
#define STEP_US     (10 * EG_SECOND)   /* a step that finds no room tries again after this long */

/* ---- lists as objects ---- */

struct eg_list *eg_list_new(struct eg_lists *ls)
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

void eg_list_spooled(struct eg_list *l)
{
	pthread_mutex_lock(&l->of->lock);
	l->of->open -= l->open;
	l->open = false;
	pthread_mutex_unlock(&l->of->lock);
}

void eg_list_forget_spool(struct eg_list *l)
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
	if (last && l->open)
		ls->open--;
	pthread_mutex_unlock(&ls->lock);
	if (!last)
		return;
	if (l->receiving || l->dry_run)
		eg_list_forget_spool(l); /* without its end it is no list */
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

void eg_list_tell_reject(struct eg_list *l, uint64_t index, uint64_t seq, const struct eg_reasons *reasons)
{
	if (l->n_rejects == EG_LIST_REJECTS_MAX)
		return;
	struct eg_list_reject *r = eg_arena_alloc(l->arena, sizeof *r);
	uint16_t *codes = eg_arena_alloc(l->arena, reasons->n * sizeof *codes);
	const char **fields = eg_arena_alloc(l->arena, reasons->n * sizeof(const char *));
	if (!r || !codes || !fields)
		return; /* the reject table has it */
	for (unsigned i = 0; i < reasons->n; i++) {
		codes[i] = (uint16_t)reasons->v[i].code;
		fields[i] = eg_arena_text(l->arena, reasons->v[i].field, strlen(reasons->v[i].field));
		if (!fields[i])
			return;
	}
	*r = (struct eg_list_reject){
	        .index = index, .seq = seq, .n = reasons->n, .codes = codes, .fields = fields};
	pthread_mutex_lock(&l->of->lock);
	r->next = l->rejects;
	l->rejects = r;
	l->n_rejects++;
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

/* ---- the disk ---- */

bool eg_lists_room(void *arg, size_t bytes)
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
	return (struct eg_spool_options){.dir = ls->dir,
	                                 .vault = ls->o.vault,
	                                 .memory = ls->o.memory,
	                                 .room = eg_lists_room,
	                                 .arg = ls};
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

/* ---- for the threads ---- */

bool eg_list_again(enum eg_rc rc, unsigned *tries)
{
	if (rc == EG_NO_SPACE)
		return true;
	return eg_rc_retryable(rc) && rc != EG_CLOSED && ++*tries < EG_LISTS_TRIES;
}

/* A step that fails for a reason that may pass is put until it is through: a list that could not say how it
 * ended would be taken up again, and no other list's steps could pass either. */
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
		if (rc == EG_OK || !eg_rc_retryable(rc) || rc == EG_CLOSED || atomic_load(&ls->stopping))
			return rc;
		eg_log_err(EG_LOG_ERROR, "list.step_failed", err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + EG_LISTS_PAUSE_US);
	}
}

/* A reader's connection, as soon as it can be had. NULL: the gateway stops. */
struct eg_conn *eg_lists_reader(struct eg_lists *ls)
{
	struct eg_conn *conn = NULL;
	struct eg_err err = {0};
	while (!atomic_load(&ls->stopping) && eg_store_reader(ls->o.store, &conn, &err)) {
		eg_log_err(EG_LOG_ERROR, "list.no_reader", &err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + EG_LISTS_PAUSE_US);
	}
	return conn;
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
		rc = eg_lists_resume(ls, conn, 0, err);
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
		rc = eg_thread_start(&ls->keeper, "lists-keep", eg_lists_keep, ls, err);
	if (rc == EG_OK)
		rc = eg_thread_start(&ls->applier, "lists", eg_lists_run, ls, err);
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
	free(ls->stood);
	pthread_cond_destroy(&ls->some);
	pthread_mutex_destroy(&ls->lock);
	free(ls);
}
