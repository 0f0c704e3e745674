/* The copier's rounds: beside commits, at any point of one, failing. */
#include "base/fault.h"
#include "fixture.h"
#include "store/sqlite_conn.h"

#include <fcntl.h>
#include <stdbool.h>

enum { LIMIT = 64, PAGE = 4096, FRAME = PAGE + 24, CHECKPOINT_LOCK = 1 };

/* ---- a file layer that looks on, and refuses ---- */

static sqlite3_vfs *real, watched;
static const sqlite3_io_methods *real_database;
static sqlite3_io_methods watched_database;
static int write_answer, sync_answer; /* of the database; SQLITE_OK: do it */
static void (*at_lock)(void); /* called once, when a checkpoint takes its lock (lock_event: LOCK), or gives it
                                 back (UNLOCK) */
static int lock_event;

static struct eg_store *store;
static unsigned writes, writes_behind_the_gate, syncs; /* of the database */

static int watched_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	writes++;
	writes_behind_the_gate += store && store->gate.shut;
	return write_answer ? write_answer : real_database->xWrite(f, p, len, at);
}

static int watched_sync(sqlite3_file *f, int flags)
{
	syncs++;
	return sync_answer ? sync_answer : real_database->xSync(f, flags);
}

static int watched_lock(sqlite3_file *f, int first, int n, int flags)
{
	void (*call)(void) = at_lock;
	if (call && first == CHECKPOINT_LOCK && flags == (lock_event | SQLITE_SHM_EXCLUSIVE)) {
		at_lock = NULL;
		call();
	}
	return real_database->xShmLock(f, first, n, flags);
}

static int watched_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	(void)vfs;
	int code = real->xOpen(real, name, f, flags, out);
	if (code == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
		real_database = f->pMethods;
		watched_database = *real_database;
		watched_database.xWrite = watched_write;
		watched_database.xSync = watched_sync;
		watched_database.xShmLock = watched_lock;
		f->pMethods = &watched_database;
	}
	return code;
}

static void open_watched(void)
{
	if (!real) {
		real = sqlite3_vfs_find(NULL);
		watched = *real;
		watched.pNext = NULL;
		watched.zName = "watched";
		watched.xOpen = watched_open;
		assert_int_equal(sqlite3_vfs_register(&watched, 0), SQLITE_OK);
	}
	write_answer = sync_answer = SQLITE_OK;
	at_lock = NULL;
	store = NULL;
	writes_behind_the_gate = 0;
	struct eg_store_options o = options();
	o.vfs = watched.zName;
	o.wal_pages = LIMIT;
	store = open_with(o);
}

static void close_whole(void)
{
	uint64_t head = head_of(eg_store_writer(store));
	eg_store_close(store);
	struct eg_store *s = open_store();
	assert_int_equal(head_of(eg_store_writer(s)), head);
	assert_whole(head);
	eg_store_close(s);
}

static void commit_some(void)
{
	struct eg_err err = {0};
	assert_ok(append(store, 1 + (unsigned)below(6), PAGE, &err), err);
}

/* The WAL's salts, which change whenever it begins anew. */
static uint64_t generation(void)
{
	char path[128];
	uint64_t salts = 0;
	snprintf(path, sizeof path, "%s/eldergate.db-wal", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &salts, sizeof salts, 16), sizeof salts);
	close(fd);
	return salts;
}

/* Commits until the writer has asked for a round, and lets it come. */
static void come_to_a_round(void)
{
	for (int i = 0; !eg_store_copy(store); i++) {
		assert_true(i < LIMIT);
		commit_some();
	}
}

/* ---- rounds ---- */

static uint64_t begun;
static bool met;

static void commit_beside(void)
{
	met = true;
	assert_true(store->wal_now <
	            EG_WAL_HARD_LIMIT(store) - LIMIT / 4); /* else it would wait for this round */
	commit_some();
	assert_true(generation() == begun);
}

/* At this moment all of the WAL is in the database, and a commit would begin it anew, were it not for the
 * pin: the corruption of SQLite before 3.51.3 needs that. */
static void no_commit_begins_the_wal_anew_under_a_round(void **state)
{
	(void)state;
	open_watched();
	for (int i = 0; i < 20; i++) {
		commit_some();
		begun = generation();
		met = false;
		lock_event = SQLITE_SHM_UNLOCK;
		at_lock = commit_beside;
		come_to_a_round();
		assert_true(met);
		for (int n = 0; generation() == begun; n++) { /* the writer does, with its next commits */
			assert_true(n < 8);
			commit_some();
			eg_store_copy(store);
		}
	}
	close_whole();
}

static void rounds_come_at_any_point_of_a_commit(void **state)
{
	(void)state;
	enum { COMMITS = 3000 };
	open_watched();
	struct eg_conn *c = open_reader(store);
	struct eg_err err = {0};
	uint64_t head = 0, seen = 0, generations = 0, last = 0;
	bool reads = false;
	uint8_t *room = malloc(3 * PAGE);
	for (int i = 0; i < COMMITS; i++) {
		size_t where = below(12), n = 1 + below(4), len = 100 + below(2 * PAGE);
		if (reads && below(3) == 0) {
			assert_int_equal(head_of(c), seen);
			eg_read_end(c);
			reads = false;
		} else if (!reads && below(8) == 0) {
			assert_ok(eg_read_begin(c, &err), err);
			seen = head_of(c);
			assert_int_equal(seen, head);
			reads = true;
		}
		if (where == 0)
			eg_store_copy(store);
		struct eg_tx tx = eg_tx_begin(store);
		for (size_t k = 1; k <= n; k++) {
			struct eg_log_row e = entry(head + k, room, len);
			eg_tx_append(&tx, &e);
			if (where == k)
				eg_store_copy(store);
		}
		bool given_up = below(10) == 0;
		if (given_up)
			tx.rc = eg_fail(&tx.err, EG_INVALID, "given up");
		enum eg_rc rc = eg_tx_end(&tx, &err);
		if (given_up)
			assert_rc(rc, EG_INVALID);
		else
			assert_ok(rc, err);
		head += given_up ? 0 : n;
		assert_int_equal(head_of(eg_store_writer(store)), head);
		uint64_t now = generation();
		generations += now != last;
		last = now;
	}
	free(room);
	eg_read_end(c);
	eg_conn_close(c);
	print_message("%llu times anew\n", (unsigned long long)generations);
	assert_true(generations > 20);
	close_whole();
}

static void nobody_copies_and_the_wal_is_bounded_all_the_same(void **state)
{
	(void)state;
	open_watched();
	for (int i = 0; i < 300; i++) {
		commit_some();
		assert_true(eg_store_wal_bytes(store) < (int64_t)(2 * LIMIT + 20) * FRAME);
	}
	assert_true(eg_store_wal_bytes(store) > (int64_t)LIMIT * FRAME);
	close_whole();
}

/* What a reader keeps from a round, or what comes while nobody copies, is copied before the readers are shut
 * out.
 */
static void little_is_copied_behind_the_gate(void **state)
{
	(void)state;
	open_watched();
	struct eg_conn *c = open_reader(store);
	struct eg_err err = {0};
	for (int i = 0; i < 10; i++) {
		bool reads = i % 2;
		commit_some();
		if (reads)
			assert_ok(eg_read_begin(c, &err), err);
		uint64_t was = generation();
		come_to_a_round();
		if (reads) { /* it left all, so there is a second one, which does not get far either */
			commit_some();
			assert_true(eg_store_copy(store));
		}
		eg_read_end(c);
		unsigned before = writes;
		writes_behind_the_gate = 0;
		for (int n = 0; generation() == was; n++) {
			assert_true(n < 2 * LIMIT);
			commit_some();
		}
		if (reads)
			assert_true(writes - before > LIMIT / 4);
		assert_true(writes_behind_the_gate <= LIMIT / 8);
	}
	eg_conn_close(c);
	close_whole();
}

/* A checkpoint beside which a commit comes leaves the database without a sync. */
static void a_round_syncs_whatever_comes_beside_it(void **state)
{
	(void)state;
	open_watched();
	for (int i = 0; i < 5; i++) {
		unsigned before = 0;
		do {
			commit_some();
			before = syncs;
			begun = generation();
			lock_event = SQLITE_SHM_LOCK;
			at_lock = commit_beside;
		} while (!eg_store_copy(store));
		at_lock = NULL;
		assert_true(syncs > before);
		while (generation() == begun) {
			commit_some();
			eg_store_copy(store);
		}
	}
	close_whole();
}

/* ---- failures ---- */

static void a_round_without_room_costs_no_commit(void **state)
{
	(void)state;
	open_watched();
	for (int i = 0; i < 3; i++) {
		commit_some();
		uint64_t was = generation();
		write_answer = SQLITE_FULL;
		come_to_a_round();
		for (int n = 0; n < 3 * LIMIT; n++) /* the writer tries itself, in vain */
			commit_some();
		assert_true(generation() == was);
		write_answer = SQLITE_OK;
		for (int n = 0; generation() == was; n++) {
			assert_true(n < 20);
			commit_some();
			eg_store_copy(store);
		}
	}
	close_whole();
}

static void a_failed_sync_of_a_round_ends_at_the_next_commit(void **state)
{
	(void)state;
	struct eg_err err = {0};
	open_watched();
	sync_answer = SQLITE_IOERR_FSYNC;
	come_to_a_round();
	uint64_t head = head_of(eg_store_writer(store));
	sync_answer = SQLITE_OK; /* the next one would succeed, and prove nothing */
	assert_rc(append(store, 2, PAGE, &err), EG_IO);
	assert_true(err.fatal);
	struct eg_tx tx = eg_tx_begin(store);
	assert_rc(tx.rc, EG_IO);
	assert_rc(eg_tx_end(&tx, &err), EG_IO);
	eg_store_close(store);
	struct eg_store *s = open_store();
	assert_int_equal(head_of(eg_store_writer(s)), head + 2); /* it was committed */
	assert_whole(head + 2);
	eg_store_close(s);
}

/* A daemon that nobody sends anything must not go on for an hour before it stops. */
static void a_failed_sync_of_a_round_is_told_without_a_commit(void **state)
{
	(void)state;
	struct eg_err err = {0};
	open_watched();
	assert_rc(eg_store_check(store, &err), EG_OK);
	write_answer = SQLITE_FULL; /* what is tried again is nothing to stop for */
	come_to_a_round();
	assert_rc(eg_store_check(store, &err), EG_OK);
	write_answer = SQLITE_OK;
	commit_some();
	sync_answer = SQLITE_IOERR_FSYNC;
	come_to_a_round();
	sync_answer = SQLITE_OK;
	assert_rc(eg_store_check(store, &err), EG_IO);
	assert_true(err.fatal);
	assert_rc(append(store, 2, PAGE, &err), EG_IO);
	eg_store_close(store);
	store = NULL;
}

static void a_failed_sync_of_a_round_is_known_at_the_close(void **state)
{
	(void)state;
	open_watched();
	sync_answer = SQLITE_IOERR_FSYNC;
	come_to_a_round();
	sync_answer = SQLITE_OK;
	uint64_t head = head_of(eg_store_writer(store));
	int64_t wal = eg_store_wal_bytes(store);
	unsigned before = writes;
	eg_store_close(store);
	store = NULL;
	assert_int_equal(writes, before); /* the WAL may be the only good copy */
	char path[128];
	struct stat st;
	snprintf(path, sizeof path, "%s/eldergate.db-wal", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, wal);
	struct eg_store *s = open_store();
	assert_int_equal(head_of(eg_store_writer(s)), head);
	assert_whole(head);
	eg_store_close(s);
}

#ifdef EG_FAULT
static void every_step_may_fail(void **state)
{
	(void)state;
	open_watched();
	uint64_t head = 0;
	for (long nth = 1, missed = 0; missed < 3; nth++) {
		struct eg_err err = {0};
		eg_fault_arm(nth % 40 + 1);
		for (int i = 0; i < 12; i++) {
			unsigned n = 1 + (unsigned)below(6);
			if (append(store, n, PAGE, &err) == EG_OK)
				head += n;
			eg_store_copy(store);
			assert_int_equal(head_of(eg_store_writer(store)), head);
		}
		missed += nth > 200 || !eg_fault_hit();
		eg_fault_arm(0);
	}
	close_whole();
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	        T(no_commit_begins_the_wal_anew_under_a_round),
	        T(rounds_come_at_any_point_of_a_commit),
	        T(nobody_copies_and_the_wal_is_bounded_all_the_same),
	        T(a_round_without_room_costs_no_commit),
	        T(little_is_copied_behind_the_gate),
	        T(a_round_syncs_whatever_comes_beside_it),
	        T(a_failed_sync_of_a_round_ends_at_the_next_commit),
	        T(a_failed_sync_of_a_round_is_told_without_a_commit),
	        T(a_failed_sync_of_a_round_is_known_at_the_close),
#ifdef EG_FAULT
	        T(every_step_may_fail),
#endif
	};
	copier = EG_COPIER_CALLED;
	return cmocka_run_group_tests_name("store_copier", tests, read_seed, NULL);
}
