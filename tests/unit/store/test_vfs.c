/* The VFS that gathers WAL writes: what it saves, and that nobody ever meets a frame that is not there yet.
 *
 * Most of it drives SQLite itself, with synchronous=OFF too: then no sync hides a flush that was forgotten.
 */
#include "base/clock.h"
#include "base/thread.h"
#include "fixture.h"
#include "store/vfs.h"

#include <sqlite3.h>
#include <stdatomic.h>

enum { ROWS = 64, BODY = 1500, PAGE = 4096 };

/* ---- a file layer that counts and refuses ---- */

static sqlite3_vfs *real, frail;
static const sqlite3_io_methods *real_wal;
static sqlite3_io_methods frail_wal;
static long wal_writes;
static long refuse_at; /* the nth write to a WAL from now on fails, and those after it until 0 is set again */
static int refusal;

static int frail_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	wal_writes++;
	if (refuse_at > 1)
		refuse_at--;
	else if (refuse_at == 1)
		return refusal;
	return real_wal->xWrite(f, p, len, at);
}

static int frail_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	(void)vfs;
	int code = real->xOpen(real, name, f, flags, out);
	if (code == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
		real_wal = f->pMethods;
		frail_wal = *real_wal;
		frail_wal.xWrite = frail_write;
		f->pMethods = &frail_wal;
	}
	return code;
}

static const char *frail_vfs(void)
{
	if (!real) {
		real = sqlite3_vfs_find(NULL);
		frail = *real;
		frail.pNext = NULL;
		frail.zName = "frail";
		frail.xOpen = frail_open;
		assert_int_equal(sqlite3_vfs_register(&frail, 0), SQLITE_OK);
	}
	refuse_at = 0;
	return frail.zName;
}

/* ---- a table whose rows prove themselves ---- */

#define run(db, sql) assert_int_equal(sqlite3_exec((db), (sql), NULL, NULL, NULL), SQLITE_OK)

static sqlite3 *open_db(const char *vfs, const char *synchronous)
{
	char path[128], text[64];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/eldergate.db", dir);
	assert_int_equal(sqlite3_open_v2(path, &db,
	                                 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
	                                 vfs),
	                 SQLITE_OK);
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, 10000);
	run(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 10;"
	        "PRAGMA temp_store = MEMORY;");
	snprintf(text, sizeof text, "PRAGMA synchronous = %s", synchronous);
	run(db, text);
	return db;
}

static uint64_t check_of(int64_t id, int64_t turn, const uint8_t *body, size_t len)
{
	uint64_t h = (uint64_t)id * 0x9e3779b97f4a7c15 + (uint64_t)turn;
	for (size_t i = 0; i < len; i++)
		h = (h ^ body[i]) * 0x100000001b3;
	return h;
}

/* Sets row id as of this turn. SQLite's result. */
static int set_row(sqlite3 *db, int64_t id, int64_t turn)
{
	uint8_t body[3 * BODY];
	size_t len = 100 + below(sizeof body - 100);
	sqlite3_stmt *st;
	random_fill(body, len);
	int code = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO t VALUES (?1, ?2, ?3, ?4)", -1, &st, NULL);
	if (code != SQLITE_OK)
		return code;
	sqlite3_bind_int64(st, 1, id);
	sqlite3_bind_int64(st, 2, turn);
	sqlite3_bind_blob(st, 3, body, (int)len, SQLITE_STATIC);
	sqlite3_bind_int64(st, 4, (int64_t)check_of(id, turn, body, len));
	sqlite3_step(st);
	return sqlite3_finalize(st);
}

static void make_table(sqlite3 *db)
{
	run(db, "CREATE TABLE t (id INTEGER PRIMARY KEY, turn INTEGER, body BLOB, sum INTEGER); BEGIN");
	for (int i = 1; i <= ROWS; i++)
		assert_int_equal(set_row(db, i, 0), SQLITE_OK);
	run(db, "COMMIT");
}

/* Reads every row in one snapshot: NULL if all are right, with the newest turn among them; else what is
 * wrong. */
static const char *look(sqlite3 *db, int64_t turns[ROWS + 1], int64_t *newest)
{
	sqlite3_stmt *st;
	int n = 0;
	const char *wrong = NULL;
	*newest = 0;
	if (sqlite3_prepare_v2(db, "SELECT id, turn, body, sum FROM t ORDER BY id", -1, &st, NULL) !=
	    SQLITE_OK)
		return sqlite3_errmsg(db);
	while (!wrong && sqlite3_step(st) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(st, 0), turn = sqlite3_column_int64(st, 1);
		uint64_t sum =
		        check_of(id, turn, sqlite3_column_blob(st, 2), (size_t)sqlite3_column_bytes(st, 2));
		if (id != ++n || sum != (uint64_t)sqlite3_column_int64(st, 3))
			wrong = "a row is not what was written";
		else if (turns)
			turns[id] = turn;
		*newest = turn > *newest ? turn : *newest;
	}
	if (sqlite3_finalize(st) != SQLITE_OK)
		wrong = sqlite3_errmsg(db);
	return wrong ? wrong : n == ROWS ? NULL : "rows are missing";
}

static void assert_sound(sqlite3 *db, const int64_t expected[ROWS + 1])
{
	int64_t turns[ROWS + 1] = {0}, newest;
	const char *wrong = look(db, turns, &newest);
	if (wrong)
		fail_msg("%s", wrong);
	assert_memory_equal(turns + 1, expected + 1, ROWS * sizeof *turns);
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
}

/* ---- tests ---- */

static void one_vfs_for_each_below(void **state)
{
	(void)state;
	const char *name = eg_vfs_over(NULL);
	assert_non_null(name);
	assert_ptr_equal(name, eg_vfs_over(NULL));
	assert_ptr_equal(name, eg_vfs_over(sqlite3_vfs_find(NULL)->zName));
	assert_string_not_equal(name, eg_vfs_over(frail_vfs()));
	assert_null(eg_vfs_over("no such VFS"));
}

static void a_commit_is_few_writes(void **state)
{
	(void)state;
	enum { ENTRIES = 200 };
	struct eg_err err = {0};
	struct eg_store_options o = options();
	o.vfs = frail_vfs();
	o.wal_pages = 100000;
	struct eg_store *s = open_with(o);
	int64_t bytes = eg_store_wal_bytes(s);
	wal_writes = 0;
	assert_ok(append(s, ENTRIES, PAGE, &err), err);
	bytes = eg_store_wal_bytes(s) - bytes;
	print_message("%lld KiB of WAL in %ld writes\n", (long long)bytes / 1024, wal_writes);
	assert_true(bytes >= (int64_t)ENTRIES * PAGE);
	assert_true(wal_writes > 0 && wal_writes < bytes / (16 * PAGE));
	eg_store_close(s);
}

static sqlite3_vfs *ours, veil;
static sqlite3_io_methods veiled;

static int veil_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	(void)vfs;
	int code = ours->xOpen(ours, name, f, flags, out);
	if (code == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB) {
		veiled = *f->pMethods;
		f->pMethods = &veiled;
	}
	return code;
}

/* Its barriers and locks may not reach ours, so ours must not count on them. */
static void under_another_vfs_nothing_is_gathered(void **state)
{
	(void)state;
	ours = sqlite3_vfs_find(eg_vfs_over(frail_vfs()));
	veil = *ours;
	veil.pNext = NULL;
	veil.zName = "veil";
	veil.xOpen = veil_open;
	assert_int_equal(sqlite3_vfs_register(&veil, 0), SQLITE_OK);
	sqlite3 *db = open_db("veil", "OFF");
	wal_writes = 0;
	make_table(db);
	assert_true(wal_writes >
	            2 * ROWS / 4); /* a row has a third of a page or more, and a page two writes */
	sqlite3_close(db);
	sqlite3_vfs_unregister(&veil);
}

struct onlooker {
	struct eg_thread *thread;
	atomic_bool stop;
	atomic_llong committed; /* by the writer, before the look */
	atomic_long looks;
	const char *wrong;
};

static void look_on(void *arg)
{
	struct onlooker *o = arg;
	sqlite3 *db = open_db(eg_vfs_over(NULL), "OFF");
	while (!o->wrong && !atomic_load(&o->stop)) {
		int64_t newest, before = atomic_load(&o->committed);
		o->wrong = look(db, NULL, &newest);
		if (!o->wrong && newest < before)
			o->wrong = "a commit was not seen";
		atomic_fetch_add(&o->looks, 1);
	}
	sqlite3_close(db);
}

/* Commits, transactions given up after they overflowed into the WAL, and statements undone. */
static void nobody_meets_a_frame_that_is_not_there(void **state)
{
	(void)state;
	enum { ONLOOKERS = 3, TURNS = 600 };
	static const char *const modes[] = {"OFF", "FULL"};
	for (int mode = 0; mode < 2; mode++) {
		static struct onlooker all[ONLOOKERS];
		struct eg_err err = {0};
		int64_t turns[ROWS + 1] = {0}, tried[ROWS + 1];
		memset(all, 0, sizeof all);
		sqlite3 *db = open_db(eg_vfs_over(NULL), modes[mode]);
		make_table(db);
		for (int i = 0; i < ONLOOKERS; i++)
			assert_ok(eg_thread_start(&all[i].thread, "onlooker", look_on, &all[i], &err), err);
		for (int turn = 1; turn <= TURNS; turn++) {
			memcpy(tried, turns, sizeof turns);
			run(db, "BEGIN IMMEDIATE");
			for (size_t n = 1 + below(40); n > 0; n--) {
				int64_t id = 1 + (int64_t)below(ROWS);
				bool undo = below(8) == 0;
				run(db, "SAVEPOINT one");
				assert_int_equal(set_row(db, id, turn), SQLITE_OK);
				run(db, undo ? "ROLLBACK TO one; RELEASE one" : "RELEASE one");
				tried[id] = undo ? tried[id] : turn;
			}
			if (below(4) == 0) {
				run(db, "ROLLBACK");
				continue;
			}
			run(db, "COMMIT");
			memcpy(turns, tried, sizeof turns);
			int64_t newest = 0;
			for (int i = 1; i <= ROWS; i++)
				newest = turns[i] > newest ? turns[i] : newest;
			for (int i = 0; i < ONLOOKERS; i++)
				atomic_store(&all[i].committed, newest);
			if (turn % 50 == 0)
				sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
		}
		long looks = 0;
		for (int i = 0; i < ONLOOKERS; i++) {
			atomic_store(&all[i].stop, true);
			eg_thread_join(all[i].thread);
			if (all[i].wrong)
				fail_msg("synchronous=%s: %s", modes[mode], all[i].wrong);
			looks += all[i].looks;
		}
		assert_true(looks > ONLOOKERS);
		assert_sound(db, turns);
		sqlite3_close(db);
		db = open_db(NULL, "FULL");
		assert_sound(db, turns);
		run(db, "DROP TABLE t");
		sqlite3_close(db);
	}
}

/* What one connection gave up must not come down on what the next one committed. */
static void two_writers_take_turns(void **state)
{
	(void)state;
	int64_t turns[ROWS + 1] = {0};
	sqlite3 *db[2] = {open_db(eg_vfs_over(NULL), "OFF"), open_db(eg_vfs_over(NULL), "OFF")};
	make_table(db[0]);
	for (int turn = 1; turn <= 300; turn++) {
		sqlite3 *w = db[below(2)];
		int64_t tried[ROWS + 1];
		memcpy(tried, turns, sizeof turns);
		run(w, "BEGIN IMMEDIATE");
		for (size_t n = 1 + below(40); n > 0; n--) {
			int64_t id = 1 + (int64_t)below(ROWS);
			assert_int_equal(set_row(w, id, turn), SQLITE_OK);
			tried[id] = turn;
		}
		if (below(2)) {
			run(w, "ROLLBACK");
			continue;
		}
		run(w, "COMMIT");
		memcpy(turns, tried, sizeof turns);
		if (turn % 10 == 0)
			assert_sound(db[below(2)], turns);
	}
	assert_sound(db[0], turns);
	sqlite3_close(db[1]);
	sqlite3_close(db[0]);
}

/* A write that fails late is still the transaction's failure, and nothing of earlier commits is hurt. */
static void a_refused_write_hurts_nothing_else(void **state)
{
	(void)state;
	static const int refusals[] = {SQLITE_FULL, SQLITE_IOERR_WRITE};
	int64_t turns[ROWS + 1] = {0};
	int failed = 0, committed = 0;
	const char *vfs = eg_vfs_over(frail_vfs());
	sqlite3 *db = open_db(vfs, "FULL"), *other = open_db(vfs, "FULL");
	make_table(db);
	for (int turn = 1; turn <= 300; turn++) {
		int64_t tried[ROWS + 1];
		int code = SQLITE_OK;
		memcpy(tried, turns, sizeof turns);
		run(db, "BEGIN IMMEDIATE");
		refusal = refusals[below(2)];
		refuse_at = below(3) ? (long)(1 + below(12)) : 0;
		for (size_t n = 1 + below(60); n > 0 && code == SQLITE_OK; n--) {
			int64_t id = 1 + (int64_t)below(ROWS);
			code = set_row(db, id, turn);
			tried[id] = code == SQLITE_OK ? turn : tried[id];
			if (code == SQLITE_FULL && !sqlite3_get_autocommit(db) && below(2))
				code = SQLITE_OK; /* only the statement failed; go on, the disk has room again
				                   */
			if (refuse_at == 1 && below(2))
				refuse_at = 0;
		}
		if (code == SQLITE_OK && !sqlite3_get_autocommit(db))
			code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		else if (code == SQLITE_OK)
			code = SQLITE_ABORT;
		refuse_at = 0;
		if (!sqlite3_get_autocommit(db))
			run(db, "ROLLBACK");
		failed += code != SQLITE_OK;
		committed += code == SQLITE_OK;
		if (code == SQLITE_OK)
			memcpy(turns, tried, sizeof turns);
		assert_sound(below(2) ? db : other, turns);
	}
	print_message("%d committed, %d failed\n", committed, failed);
	assert_true(failed > 20 && committed > 20);
	sqlite3_close(other);
	sqlite3_close(db);
	db = open_db(NULL, "FULL");
	assert_sound(db, turns);
	sqlite3_close(db);
}

/* With synchronous=OFF a write may first fail where SQLite takes no answer: from then on the WAL is closed.
 */
static void a_write_lost_in_silence_is_not_built_upon(void **state)
{
	(void)state;
	sqlite3 *db = open_db(eg_vfs_over(frail_vfs()), "OFF");
	make_table(db);
	run(db, "BEGIN IMMEDIATE");
	assert_int_equal(set_row(db, 1, 1), SQLITE_OK);
	refusal = SQLITE_FULL;
	refuse_at = 1;
	sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
	refuse_at = 0;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(set_row(db, 2, 2) & 0xff, SQLITE_IOERR);
		assert_int_not_equal(
		        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL),
		        SQLITE_OK);
	}
	sqlite3_close(db);
	int64_t turns[ROWS + 1] = {0};
	db = open_db(NULL, "FULL"); /* the next process: the commit is as if it had not been */
	assert_sound(db, turns);
	sqlite3_close(db);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	        T(one_vfs_for_each_below),
	        T(a_commit_is_few_writes),
	        T(under_another_vfs_nothing_is_gathered),
	        T(nobody_meets_a_frame_that_is_not_there),
	        T(two_writers_take_turns),
	        T(a_refused_write_hurts_nothing_else),
	        T(a_write_lost_in_silence_is_not_built_upon),
	};
	return cmocka_run_group_tests_name("vfs", tests, read_seed, NULL);
}
