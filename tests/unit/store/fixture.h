/* fixture: what the store's tests share: a directory of their own, seeded bytes, small commits. */
#ifndef EG_TEST_STORE_FIXTURE_H
#define EG_TEST_STORE_FIXTURE_H

#include "store/store.h"

#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static uint64_t seed;
static char dir[64]; /* of the running test */

static inline uint64_t random_u64(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15); /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline size_t below(size_t n)
{
	return (size_t)(random_u64() % n);
}

static inline void random_fill(uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)random_u64();
}

static inline int read_seed(void **state)
{
	(void)state;
	const char *given = getenv("EG_SEED");
	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	print_message("EG_SEED=%llu\n", (unsigned long long)seed);
	return 0;
}

static inline int make_dir(void **state)
{
	(void)state;
	const char *tmp = getenv("TMPDIR");
	snprintf(dir, sizeof dir, "%.40s/eg-store-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int drop_dir(void **state)
{
	(void)state;
	static const char *const names[] = {
	        "eldergate.db", "eldergate.db-wal", "eldergate.db-shm", "eldergate.db-journal",
	        "lock",         "reserve"};
	char path[128];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir); /* fails the test that left anything else */
}

#define assert_ok(rc, err)                                                                                   \
	do {                                                                                                 \
		enum eg_rc rc_ = (rc);                                                                       \
		if (rc_ != EG_OK)                                                                            \
			fail_msg("%s: %s", eg_rc_name(rc_), (err).text);                                     \
	} while (0)

#define assert_rc(rc, expected) assert_string_equal(eg_rc_name(rc), eg_rc_name(expected))

static enum eg_copier_kind copier; /* of the stores that are opened */

static inline struct eg_store_options options(void)
{
	return (struct eg_store_options){.dir = dir, .reserve_bytes = 1 << 20, .copier = copier};
}

static inline struct eg_store *open_with(struct eg_store_options o)
{
	struct eg_store *s;
	struct eg_err err = {0};
	assert_ok(eg_store_open(&s, &o, &err), err);
	return s;
}

static inline struct eg_store *open_store(void)
{
	return open_with(options());
}

static inline struct eg_store *open_read_only(void)
{
	struct eg_store_options o = options();
	o.read_only = true;
	return open_with(o);
}

static inline struct eg_conn *open_reader(struct eg_store *s)
{
	struct eg_conn *c;
	struct eg_err err = {0};
	assert_ok(eg_store_reader(s, &c, &err), err);
	return c;
}

/* Bytes that only this entry has, so that a mixed up row is seen. */
static inline struct eg_log_row entry(uint64_t seq, uint8_t *room, size_t len)
{
	uint64_t x = seq * 0x9e3779b97f4a7c15 + 1;
	struct eg_log_row e = {.seq = seq};
	for (size_t i = 0; i < len; i++)
		room[i] = (uint8_t)((x = x * 6364136223846793005 + 1442695040888963407) >> 56);
	for (size_t i = 0; i < sizeof e.leaf; i++)
		e.leaf[i] = (uint8_t)((x = x * 6364136223846793005 + 1442695040888963407) >> 56);
	e.header = (struct eg_bytes){room, len / 3};
	e.claim = (struct eg_bytes){room + len / 3, seq % 3 ? len / 3 : 0};
	e.effect = (struct eg_bytes){room + 2 * (len / 3), seq % 2 ? len / 3 : 0};
	return e;
}

static inline void assert_entry(const struct eg_log_row *got, uint64_t seq, size_t len)
{
	uint8_t *room = malloc(len);
	struct eg_log_row want = entry(seq, room, len);
	assert_int_equal(got->seq, seq);
	assert_true(eg_bytes_equal(got->header, want.header));
	assert_true(eg_bytes_equal(got->claim, want.claim));
	assert_true(eg_bytes_equal(got->effect, want.effect));
	assert_memory_equal(got->leaf, want.leaf, sizeof want.leaf);
	free(room);
}

/* Commits n entries behind the head as one transaction. */
static inline enum eg_rc append(struct eg_store *s, unsigned n, size_t len, struct eg_err *err)
{
	uint64_t head;
	enum eg_rc rc = eg_get_head(eg_store_writer(s), &head, err);
	if (rc != EG_OK)
		return rc;
	uint8_t *room = malloc(len);
	struct eg_tx tx = eg_tx_begin(s);
	for (unsigned i = 1; i <= n; i++) {
		struct eg_log_row e = entry(head + i, room, len);
		eg_tx_append(&tx, &e);
	}
	rc = eg_tx_end(&tx, err);
	free(room);
	return rc;
}

static inline uint64_t head_of(struct eg_conn *c)
{
	uint64_t head;
	struct eg_err err = {0};
	assert_ok(eg_get_head(c, &head, &err), err);
	return head;
}

/* What lies in the directory is sound by SQLite's own judgement, and its log has these entries. */
static inline void assert_whole(uint64_t head)
{
	char path[128], *answer = NULL;
	snprintf(path, sizeof path, "%s/eldergate.db", dir);
	sqlite3 *db;
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	answer = strdup((const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*), max(seq) FROM log", -1, &st, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_int_equal(sqlite3_column_int64(st, 0), head);
	assert_int_equal(sqlite3_column_int64(st, 1), head);
	sqlite3_finalize(st);
	sqlite3_close(db);
	assert_string_equal(answer, "ok");
	free(answer);
}

#endif
