/* sqlite_copier: copies the WAL into the database beside the writer, so that no commit waits for that.
 *
 * Copying a full WAL takes a tenth of a second or more, most of it the disk's. Only what must be the writer's
 * stays with it: the rest that was committed meanwhile, and the WAL's new beginning behind the gate.
 *
 *   idle --(WAL over its limit)--> asked --> copying --> copied --(the writer's next commit)--> idle
 *
 * Then the writer asks once more if much came meanwhile; else it copies the rest, and the WAL begins anew.
 *
 * SQLite before 3.51.3 corrupts a WAL that a commit begins anew under another connection's checkpoint. Here
 * none can: a reader's snapshot, the pin, is held around each round. As a rule it needs the WAL, and SQLite
 * does not begin a WAL anew that a reader needs. Should all of the WAL be copied already, the pin reads the
 * database alone, and then a checkpoint finds that it must not write there: it copies nothing, and notes
 * nothing as copied. The writer itself checkpoints only when no round is asked for or under way.
 *
 * A checkpoint beside which commits go on does not sync the database, so each round does, before the writer
 * must. Thread: "copier" or the caller's; the writer's where it says so. What a round came to is judged by
 * the writer at the end of its next commit, when it looks while it has none, or at the close: nothing that
 * was acknowledged depends on a copy.
 */
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/sqlite_conn.h"

#include <assert.h>
#include <stdlib.h>

#define COPIER_CACHE_KIB 64 /* a checkpoint reads no page through the cache */
#define LITTLE_PART      16 /* of the limit: as much may be left to the writer */
#define ROUNDS           2  /* a second one copies what came during the first, in a fraction of its time */
#define SLOW_US          (10 * EG_SECOND) /* a writer that waits as long for a round says so, again and again */

enum state { IDLE, ASKED, COPYING, COPIED };

struct eg_copier {
	struct eg_store *store;
	struct eg_conn conn, *pin; /* of whose turn it is; the lock hands them on */
	struct eg_thread *thread;  /* NULL: eg_store_copy is called */
	bool threaded;
	unsigned rounds;      /* the writer's: asked for since the WAL came over its limit */
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t moved;
	enum state state;
	bool stop;
	struct eg_err err; /* of the last round */
	int copied;        /* pages of the WAL */
};

static int sync_database(struct eg_copier *k)
{
	sqlite3_file *f = NULL;
	if (eg_unsafe("sync_off"))
		return SQLITE_OK;
	int code = sqlite3_file_control(k->conn.db, NULL, SQLITE_FCNTL_FILE_POINTER, &f);
	return code ? code : f->pMethods->xSync(f, SQLITE_SYNC_NORMAL);
}

static void copy(struct eg_copier *k, int *copied, struct eg_err *err)
{
	bool blocked;
	if (eg_read_begin(k->pin, err) != EG_OK)
		return;
	int code = eg_conn_checkpoint(&k->conn, SQLITE_CHECKPOINT_PASSIVE, &blocked, copied);
	if (code == SQLITE_OK)
		code = sync_database(k);
	if (code != SQLITE_OK)
		eg_conn_fail(&k->conn, code, "copying the write-ahead log", err);
	eg_kill_point("store.after_copy");
	eg_read_end(k->pin);
}

/* The round that was asked for, if one was. */
static bool copy_if_asked(struct eg_copier *k)
{
	pthread_mutex_lock(&k->lock);
	bool asked = k->state == ASKED;
	if (asked)
		k->state = COPYING;
	pthread_mutex_unlock(&k->lock);
	if (!asked)
		return false;
	struct eg_err err = {0};
	int copied = 0;
	copy(k, &copied, &err);
	pthread_mutex_lock(&k->lock);
	k->state = COPIED;
	k->err = err;
	k->copied = copied;
	pthread_cond_broadcast(&k->moved);
	pthread_mutex_unlock(&k->lock);
	return true;
}

static void run(void *arg)
{
	struct eg_copier *k = arg;
	bool stop = false;
	while (!stop) {
		copy_if_asked(k);
		pthread_mutex_lock(&k->lock);
		while (k->state != ASKED && !k->stop)
			pthread_cond_wait(&k->moved, &k->lock);
		stop = k->stop;
		pthread_mutex_unlock(&k->lock);
	}
}

bool eg_store_copy(struct eg_store *s)
{
	return s->copier && !s->copier->threaded && copy_if_asked(s->copier);
}

/* ---- the writer's side ---- */

static void ask(struct eg_copier *k)
{
	pthread_mutex_lock(&k->lock);
	assert(k->state == IDLE);
	k->state = ASKED;
	pthread_cond_broadcast(&k->moved);
	pthread_mutex_unlock(&k->lock);
	k->rounds++;
}

/* Takes the round that ended, after waiting for it if it must end: how many pages of the WAL it left. False:
 * it is still under way. */
static bool take_round(struct eg_copier *k, bool must, int64_t *left)
{
	const struct eg_store *s = k->store;
	if (must && !k->threaded)
		copy_if_asked(k);
	pthread_mutex_lock(&k->lock);
	while (must && k->state != COPIED) {
		struct timespec until = eg_mono_deadline(eg_mono_us() + SLOW_US);
		if (pthread_cond_timedwait(&k->moved, &k->lock, &until) != 0)
			eg_log(EG_LOG_WARN, "store.copy_slow", EG_I("wal_pages", s->wal_now));
	}
	bool taken = k->state == COPIED;
	if (taken)
		k->state = IDLE;
	/* A WAL that is shorter than what was copied of it began anew since. */
	*left = s->wal_now < k->copied ? s->wal_now : s->wal_now - k->copied;
	pthread_mutex_unlock(&k->lock);
	return taken;
}

/* Says so if the store is not to be written any more. */
static enum eg_rc judge_round(struct eg_copier *k, struct eg_err *err)
{
	if (!k->err.rc)
		return EG_OK;
	if (!k->err.fatal) {
		eg_log_err(EG_LOG_WARN, "store.copy_failed", &k->err);
		return EG_OK;
	}
	k->store->broken = true;
	*err = k->err;
	return err->rc;
}

static enum eg_rc begin_anew(struct eg_store *s, bool copied, struct eg_err *err)
{
	enum eg_rc rc = eg_gate_checkpoint(s, copied, err);
	eg_store_refill_reserve(s);
	return rc;
}

enum eg_rc eg_wal_after_commit(struct eg_store *s, bool disk_full, struct eg_err *err)
{
	struct eg_copier *k = s->copier;
	int64_t left;
	if (s->wal_now < s->wal_pages) /* SQLite may have begun it anew by itself */
		s->checkpoint_at = s->wal_pages;
	bool over = disk_full ? s->wal_now > 0 : s->wal_now >= s->checkpoint_at;
	bool must = disk_full || s->wal_now >= EG_WAL_HARD_LIMIT(s);
	if (!k || (!k->rounds && disk_full))
		return over ? begin_anew(s, false, err) : EG_OK;
	if (!k->rounds) {
		if (over)
			ask(k);
		return EG_OK;
	}
	if (!take_round(k, must, &left))
		return EG_OK;
	enum eg_rc rc = judge_round(k, err);
	bool little = !k->err.rc && left <= s->wal_pages / LITTLE_PART + 1;
	if (rc == EG_OK && over && !must && !k->err.rc && !little && k->rounds < ROUNDS) {
		ask(k);
		return EG_OK;
	}
	k->rounds = 0;
	return rc == EG_OK && over ? begin_anew(s, little, err) : rc;
}

enum eg_rc eg_store_check(struct eg_store *s, struct eg_err *err)
{
	struct eg_copier *k = s->copier;
	if (!k)
		return EG_OK;
	pthread_mutex_lock(&k->lock);
	bool failed = k->state == COPIED && k->err.fatal;
	pthread_mutex_unlock(&k->lock);
	return failed ? judge_round(k, err) : EG_OK;
}

/* ---- begin and end ---- */

enum eg_rc eg_copier_new(struct eg_store *s, bool thread, struct eg_err *err)
{
	struct eg_copier *k = calloc(1, sizeof *k);
	if (!k)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the store's copier");
	pthread_mutex_init(&k->lock, NULL);
	eg_mono_cond(&k->moved);
	k->store = k->conn.store = s;
	k->conn.copies = true;
	k->threaded = thread;
	s->copier = k;
	return EG_OK;
}

enum eg_rc eg_copier_start(struct eg_copier *k, struct eg_err *err)
{
	uint64_t head;
	enum eg_rc rc;
	if ((rc = eg_conn_open(&k->conn, COPIER_CACHE_KIB, err)))
		return rc;
	/* A connection knows of the WAL only once it has read; until then it finds nothing to copy. */
	if ((rc = eg_get_head(&k->conn, &head, err)) || (rc = eg_store_reader(k->store, &k->pin, err)))
		return rc;
	return k->threaded ? eg_thread_start(&k->thread, "copier", run, k, err) : EG_OK;
}

void eg_copier_free(struct eg_copier *k)
{
	if (!k)
		return;
	pthread_mutex_lock(&k->lock);
	k->stop = true;
	pthread_cond_broadcast(&k->moved);
	pthread_mutex_unlock(&k->lock);
	eg_thread_join(k->thread);
	struct eg_err why;
	if (k->state == COPIED && judge_round(k, &why) != EG_OK)
		eg_log_err(EG_LOG_ERROR, "store.copy_failed", &why);
	eg_conn_close(k->pin);
	eg_conn_shut(&k->conn);
	pthread_cond_destroy(&k->moved);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
