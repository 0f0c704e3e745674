/* list_run: which list is compared and applied next, and again after what may pass.
 *
 * Thread: "lists"; eg_lists_resume also the starter's, before it. */
#include "flow/lists_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define LOOK_US EG_SECOND /* how often the engine looks for lists whose case was decided */

static enum eg_rc open_spool(struct eg_list *l, struct eg_err *err)
{
	struct eg_spool_options so = eg_lists_spool(l->of);
	return eg_spool_open(&l->spool, &so, l->info.spool, err);
}

static enum eg_rc resume(struct eg_lists *ls, const struct eg_list_info *info, struct eg_list **out,
                         struct eg_err *err)
{
	struct eg_list *l = eg_list_new(ls);
	*out = NULL;
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	enum eg_rc rc = eg_list_info_copy(info, l->arena, &l->info, err);
	if (rc) {
		eg_list_release(l);
		return rc;
	}
	l->received = l->total = info->rows;
	if (info->phase <= EG_LIST_COMPARING && open_spool(l, NULL) == EG_OK)
		eg_lists_room(ls, eg_spool_bytes(l->spool)); /* counted before others come */
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

enum eg_rc eg_lists_resume(struct eg_lists *ls, struct eg_conn *conn, enum eg_list_phase phase,
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
			if (resume(ls, &info, &l, err)) /* the others go on */
				eg_log_err(EG_LOG_ERROR, "list.lost", err);
			else
				eg_lists_queue(ls, &ls->to_apply, l);
		}
	}
	rc = eg_arena_why(a, rc, err);
	eg_arena_free(a);
	return rc;
}

/* It cannot go on: its row says so, its name is free again, and what it took of the disk too. */
static void end_failed(struct eg_list *l, enum eg_rc failure, const struct eg_err *why)
{
	struct eg_lists *ls = l->of;
	struct eg_list_info before = l->info;
	struct eg_err err = {0};
	l->info.phase = EG_LIST_FAILED;
	l->info.ended_us = eg_now_us();
	l->info.failure = failure;
	l->info.why = eg_arena_text(l->arena, why->text, strlen(why->text));
	if (!l->info.why)
		l->info.why = eg_rc_text(failure);
	if (!l->dry_run && eg_list_step(ls, &l->info, false, false, &err)) {
		eg_log_err(EG_LOG_ERROR, "list.not_ended", &err);
		l->info = before; /* taken up again at the next start */
		return;
	}
	eg_list_tell(l, EG_LIST_FAILED);
	eg_list_forget_spool(l);
}

static void end_well(struct eg_list *l)
{
	eg_log(EG_LOG_INFO, "list.ended", EG_T("agency", l->info.agency), EG_T("dataset", l->info.dataset),
	       EG_T("list", l->info.list_id), EG_I("phase", l->info.phase), EG_I("seq", l->info.seq));
	if (l->dry_run)
		eg_list_forget_spool(l);
}

static enum eg_rc attempt(struct eg_list *l, struct eg_conn *conn, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	if (!l->spool && l->info.phase <= EG_LIST_COMPARING)
		rc = open_spool(l, err);
	return rc ? rc : eg_list_apply(l, conn, err);
}

static void apply(struct eg_lists *ls, struct eg_list *l, struct eg_conn *conn)
{
	struct eg_err err = {0};
	unsigned tries = 0;
	enum eg_rc rc;
	eg_log(EG_LOG_INFO, "list.begun", EG_T("agency", l->info.agency), EG_T("dataset", l->info.dataset),
	       EG_T("list", l->info.list_id), EG_I("rows", l->info.rows), EG_I("dry_run", l->dry_run));
	while ((rc = attempt(l, conn, &err)) && eg_list_again(rc, &tries) && !atomic_load(&ls->stopping)) {
		eg_log_err(EG_LOG_ERROR, "list.interrupted", &err);
		eg_wake_wait(ls->wake, eg_wake_seen(ls->wake), eg_mono_us() + EG_LISTS_PAUSE_US);
	}
	if (rc)
		eg_log_err(EG_LOG_ERROR, "list.stopped", &err);
	if (rc && rc != EG_CLOSED && !atomic_load(&ls->stopping))
		end_failed(l, rc, &err);
	else if (!rc)
		end_well(l);
	eg_list_over(l, rc, &err);
	if (!l->dry_run && !atomic_load(&ls->stopping) && eg_lists_tidy(ls, conn, false, &err))
		eg_log_err(EG_LOG_WARN, "list.not_tidied", &err);
}

void eg_lists_run(void *arg)
{
	struct eg_lists *ls = arg;
	struct eg_conn *conn = eg_lists_reader(ls);
	struct eg_err err = {0};
	struct eg_list *l;
	while (conn && !atomic_load(&ls->stopping)) {
		uint64_t seen = eg_wake_seen(ls->wake);
		if (eg_lists_resume(ls, conn, EG_LIST_WITHDRAWING, &err)) /* those that were approved */
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
