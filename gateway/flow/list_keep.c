/* list_keep: lists that were received become durable: their spool is finished, their row put into the store.
 *
 * Thread: "lists-keep". */
#include "flow/lists_core.h"

#include "base/fault.h"
#include "base/log.h"

#define ROW_MEMORY ((size_t)1 << 20)

/* The stored list that it is, if it was sent before: EG_EMPTY if not. */
static enum eg_rc find_row(struct eg_list *l, struct eg_conn *conn, struct eg_list_info *out,
                           struct eg_err *err)
{
	const struct eg_list_info *mine = &l->info;
	struct eg_arena *a = eg_arena_new(ROW_MEMORY);
	struct eg_list_row row = {0};
	struct eg_list_info known;
	enum eg_rc rc = a ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	for (bool same = false; rc == EG_OK && !same;) {
		eg_arena_reset(a);
		rc = eg_get_list_by_digest(conn, mine->agency, mine->dataset, mine->list_id, mine->digest,
		                           row.row, a, &row, err);
		if (rc == EG_OK)
			rc = eg_list_info_read(&row, a, &known, err);
		same = rc == EG_OK && eg_list_same(mine, &known);
	}
	if (rc == EG_OK)
		rc = eg_arena_why(l->arena, eg_list_info_copy(&known, l->arena, out, err), err);
	rc = eg_arena_why(a, rc, err);
	eg_arena_free(a);
	return rc;
}

/* Is it a list of before? Then it is that one. */
static enum eg_rc find_twin(struct eg_list *l, struct eg_conn *conn, bool *found, struct eg_err *err)
{
	struct eg_lists *ls = l->of;
	struct eg_list_info known = {0};
	enum eg_rc rc = find_row(l, conn, &known, err);
	*found = false;
	if (rc)
		return rc == EG_EMPTY ? EG_OK : rc;
	*found = true;
	eg_list_forget_spool(l);
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
	eg_list_spooled(l);
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

/* No deadline: what it waits for, and its end too, is told under the lock that it waits with. */
static struct eg_list *next_to_keep(struct eg_lists *ls)
{
	pthread_mutex_lock(&ls->lock);
	while (!ls->to_keep.first && !atomic_load(&ls->stopping))
		pthread_cond_wait(&ls->some, &ls->lock);
	pthread_mutex_unlock(&ls->lock);
	return eg_lists_take(ls, &ls->to_keep);
}

void eg_lists_keep(void *arg)
{
	struct eg_lists *ls = arg;
	struct eg_conn *conn = eg_lists_reader(ls);
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
			eg_list_forget_spool(l);
			eg_list_over(l, rc, &err);
		}
		eg_list_release(l);
	}
	eg_conn_close(conn);
}
