/* sqlite_copier: copies the WAL into the database beside the writer, so that no commit waits for that.
 *
 * Copying a full WAL takes a tenth of a second or more, most of it the disk's. Only what must be the writer's
 * stays with it: the rest that was committed meanwhile, and the WAL's new beginning behind the gate.
 *
 *   idle --(writer: WAL over its limit)--> asked --> copying --> copied --(writer, next commit: gate)--> idle
 *                                            ^                      |
 *                                            +--(much came, once)---+
 *
 * SQLite before 3.51.3 corrupts a WAL that a commit begins anew under another connection's checkpoint. Here
 * none can: a reader's snapshot, the pin, is held around each round, and SQLite does not begin a WAL anew
 * while a reader needs it. The pin does need it (SQLite lets a reader that finds all of the WAL copied do
 * without), because a round is asked for right after a commit, whose frames nothing copies before the round.
 * That is why a round is never begun but by asking, and why the writer checkpoints only when none is asked
 * for or under way.
 *
 * Thread: "copier" or the caller's; the writer's where it says so. What a round found goes to the writer,
 * which judges it at the end of its next commit: nothing that was acknowledged depends on a copy. */
#include "base/fault.h"
#include "base/thread.h"
#include "store/sqlite_conn.h"

#include <stdlib.h>

#define COPIER_CACHE_KIB 64 /* a checkpoint reads no page through the cache */
#define LITTLE_PART      16 /* of the limit: what the writer copies itself without a second round */
#define ROUNDS           2  /* a second one copies what came during the first, in a fraction of its time */

enum state { IDLE, ASKED, COPYING, COPIED };

struct eg_copier {
	struct eg_store *store;
	struct eg_conn conn, *pin;
	struct eg_thread *thread; /* NULL: eg_store_copy is called */
	bool threaded;
	unsigned rounds;      /* the writer's: it asked for, and waits for the last; 0: none */
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t moved;
	enum state state;
	bool stop;
	int code;   /* of the last round: SQLite's */
	int copied; /* pages of the WAL */
};

static int copy(struct eg_copier *k, int *copied)
{
	bool blocked;
	if (eg_read_begin(k->pin, NULL) != EG_OK)
		return SQLITE_BUSY;
	int code = eg_gate_copy(&k->conn, SQLITE_CHECKPOINT_PASSIVE, &blocked, copied);
	eg_kill_point("store.in_copy");
	eg_read_end(k->pin);
	return code;
}

static bool turn(struct eg_copier *k)
{
	pthread_mutex_lock(&k->lock);
	bool asked = k->state == ASKED;
	if (asked)
		k->state = COPYING;
	pthread_mutex_unlock(&k->lock);
	if (!asked)
		return false;
	int copied = 0, code = copy(k, &copied);
	pthread_mutex_lock(&k->lock);
	k->state = COPIED;
	k->code = code;
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
		turn(k);
		pthread_mutex_lock(&k->lock);
		while (k->state != ASKED && !k->stop)
			pthread_cond_wait(&k->moved, &k->lock);
		stop = k->stop;
		pthread_mutex_unlock(&k->lock);
	}
}

bool eg_store_copy(struct eg_store *s)
{
	return s->copier && !s->copier->threaded && turn(s->copier);
}

/* ---- the writer's side ---- */

/* Has the round that was asked for ended? Waits for it if the WAL must not grow any more. *much: so much was
 * committed since that another round should come first. */
static bool ended(struct eg_copier *k, bool must, bool *much, int *code)
{
	struct eg_store *s = k->store;
	if (must && !k->threaded)
		turn(k);
	pthread_mutex_lock(&k->lock);
	while (must && k->state != COPIED)
		pthread_cond_wait(&k->moved, &k->lock);
	bool yes = k->state == COPIED;
	*code = k->code;
	*much = !must && s->wal_now - k->copied > s->wal_pages / LITTLE_PART + 1;
	pthread_mutex_unlock(&k->lock);
	return yes;
}

static void ask(struct eg_copier *k)
{
	pthread_mutex_lock(&k->lock);
	k->state = ASKED;
	pthread_cond_broadcast(&k->moved);
	pthread_mutex_unlock(&k->lock);
	k->rounds++;
}

static enum eg_rc trim(struct eg_store *s, bool copied, struct eg_err *err)
{
	enum eg_rc rc = eg_gate_checkpoint(s, copied, err);
	eg_store_refill_reserve(s);
	return rc;
}

enum eg_rc eg_copier_after_commit(struct eg_store *s, bool full, struct eg_err *err)
{
	struct eg_copier *k = s->copier;
	if (s->wal_now < s->wal_pages) /* SQLite may have begun it anew by itself */
		s->checkpoint_at = s->wal_pages;
	bool over = full ? s->wal_now > 0 : s->wal_now >= s->checkpoint_at, much = false;
	if (!k || (!k->rounds && full))
		return over ? trim(s, false, err) : EG_OK;
	if (!k->rounds) {
		if (over)
			ask(k);
		return EG_OK;
	}
	int code;
	if (!ended(k, full || s->wal_now >= EG_WAL_HARD_LIMIT(s), &much, &code))
		return EG_OK;
	bool again = much && k->rounds < ROUNDS;
	struct eg_err why = {0};
	if (code != SQLITE_OK && eg_conn_fail(&k->conn, code, "copying the write-ahead log", &why) &&
	    why.fatal) {
		s->broken = true;
		*err = why;
		return why.rc;
	}
	if (over && code == SQLITE_OK && again) {
		ask(k);
		return EG_OK;
	}
	k->rounds = 0;
	if (!over) /* all of it was copied, and SQLite began it anew */
		return EG_OK;
	return trim(s, code == SQLITE_OK, err);
}

/* ---- begin and end ---- */

enum eg_rc eg_copier_new(struct eg_store *s, bool thread, struct eg_err *err)
{
	struct eg_copier *k = calloc(1, sizeof *k);
	if (!k)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the store's copier");
	if (pthread_mutex_init(&k->lock, NULL) != 0) {
		free(k);
		return eg_fail(err, EG_NO_MEMORY, "no memory for the store's copier");
	}
	if (pthread_cond_init(&k->moved, NULL) != 0) {
		pthread_mutex_destroy(&k->lock);
		free(k);
		return eg_fail(err, EG_NO_MEMORY, "no memory for the store's copier");
	}
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
	sqlite3_busy_timeout(k->conn.db, 0);
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
	eg_conn_close(k->pin);
	eg_conn_shut(&k->conn);
	pthread_cond_destroy(&k->moved);
	pthread_mutex_destroy(&k->lock);
	free(k);
}
