/* sqlite_gate: keeps the WAL short although readers never stop coming.
 *
 * SQLite can start its WAL anew only at a moment when no reader needs it; readers in short transactions back
 * to back leave no such moment, and the WAL grows without bound. So the writer makes one:
 *
 *   open --(WAL over its limit: copy beside the readers)--> shut, readers inside drain for at most EG_READ_MS
 *        --> copy the rest, restart the WAL --> open
 *
 * Most of the copying happens before the gate shuts, so readers wait for little. When a reader overstays, the
 * gate opens without a restart and the next try comes after the WAL grew by a sixteenth of its limit. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "store/sqlite_conn.h"

#define EG_GATE_WAIT_US (30 * EG_SECOND) /* far above any checkpoint; a disk this slow is an error */
#define RETRY_PART      16

void eg_gate_open(struct eg_gate *g)
{
	eg_mono_cond(&g->moved);
	pthread_mutex_init(&g->lock, NULL);
}

void eg_gate_close(struct eg_gate *g)
{
	pthread_cond_destroy(&g->moved);
	pthread_mutex_destroy(&g->lock);
}

enum eg_rc eg_gate_enter(struct eg_conn *c, struct eg_err *err)
{
	if (c->writer || c->passes++ > 0)
		return EG_OK;
	struct eg_gate *g = &c->store->gate;
	struct timespec until = {0};
	bool late = false;
	pthread_mutex_lock(&g->lock);
	while (g->shut && !late) {
		if (!until.tv_sec)
			until = eg_mono_deadline(eg_mono_us() + EG_GATE_WAIT_US);
		late = pthread_cond_timedwait(&g->moved, &g->lock, &until) != 0;
	}
	bool in = !g->shut;
	if (in)
		g->inside++;
	pthread_mutex_unlock(&g->lock);
	if (in)
		return EG_OK;
	c->passes--;
	return eg_fail(err, EG_BUSY, "the store's checkpoint takes too long; look at the disk under %s",
	               c->store->dir);
}

void eg_gate_leave(struct eg_conn *c)
{
	if (c->writer || --c->passes > 0)
		return;
	struct eg_gate *g = &c->store->gate;
	pthread_mutex_lock(&g->lock);
	if (--g->inside == 0 && g->shut)
		pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void shut(struct eg_gate *g)
{
	struct timespec until = eg_mono_deadline(eg_mono_us() + EG_READ_MS * 1000);
	pthread_mutex_lock(&g->lock);
	g->shut = true;
	while (g->inside > 0 && pthread_cond_timedwait(&g->moved, &g->lock, &until) == 0)
		continue;
	pthread_mutex_unlock(&g->lock);
}

static void reopen(struct eg_gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->shut = false;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

int eg_conn_checkpoint(struct eg_conn *c, int mode, bool *blocked, int *done)
{
	int in_wal = 0;
	int code = eg_fault() ? SQLITE_FULL : sqlite3_wal_checkpoint_v2(c->db, NULL, mode, &in_wal, done);
	*blocked = code == SQLITE_BUSY || code == SQLITE_LOCKED || (code == SQLITE_OK && *done < in_wal);
	return *blocked ? SQLITE_OK : code;
}

static enum eg_rc copy(struct eg_store *s, int mode, bool *blocked, struct eg_err *err)
{
	int done = 0, code = eg_conn_checkpoint(&s->writer, mode, blocked, &done);
	if (code == SQLITE_OK)
		return EG_OK;
	return eg_conn_fail(&s->writer, code, "checkpoint of the write-ahead log", err);
}

enum eg_rc eg_gate_checkpoint(struct eg_store *s, bool copied, struct eg_err *err)
{
	struct eg_err why = {0};
	bool blocked = false;
	sqlite3_busy_timeout(s->writer.db, 0); /* the gate does the waiting */
	enum eg_rc rc = copied ? EG_OK : copy(s, SQLITE_CHECKPOINT_PASSIVE, &blocked, &why);
	if (rc == EG_OK) {
		eg_kill_point("store.in_checkpoint");
		shut(&s->gate);
		rc = copy(s, SQLITE_CHECKPOINT_RESTART, &blocked, &why);
		reopen(&s->gate);
	}
	sqlite3_busy_timeout(s->writer.db, EG_BUSY_MS);
	if (rc == EG_OK && !blocked) {
		s->checkpoint_at = s->wal_pages;
		s->wal_now = 0;
		return EG_OK;
	}
	if (rc != EG_OK && why.fatal) {
		if (err)
			*err = why;
		return rc;
	}
	/* What is in the WAL is durable there: a later try will do. */
	s->checkpoint_at = s->wal_now + s->wal_pages / RETRY_PART + 1;
	if (rc != EG_OK)
		eg_log_err(EG_LOG_WARN, "store.checkpoint_failed", &why);
	else
		eg_log(EG_LOG_WARN, "store.checkpoint_blocked", EG_I("wal_pages", s->wal_now));
	return EG_OK;
}
