/* sqlite_pages: held against a plain model by random calls, and under SQLite itself. */
#include "store/sqlite_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

enum { KEYS = 4000, PAGE = 512, EXTRA = 40, STEPS = 200000 };

static sqlite3_pcache_methods2 m;
static uint32_t state;

static uint32_t draw(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

/* SQLite's own cache, counted. */
static sqlite3_pcache_methods2 below, counted;
static unsigned truncates, renames;

static void count_truncate(sqlite3_pcache *c, unsigned number)
{
	truncates++;
	below.xTruncate(c, number);
}

static void count_rename(sqlite3_pcache *c, sqlite3_pcache_page *p, unsigned from, unsigned to)
{
	renames++;
	below.xRekey(c, p, from, to);
}

static int setup(void **unused)
{
	(void)unused;
	sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &below);
	counted = below;
	counted.xTruncate = count_truncate;
	counted.xRekey = count_rename;
	sqlite3_config(SQLITE_CONFIG_PCACHE2, &counted);
	const char *seed = getenv("EG_SEED");
	state = seed ? (uint32_t)strtoul(seed, NULL, 10) : 1;
	printf("EG_SEED=%u\n", state);
	eg_sqlite_pages_use();
	return sqlite3_config(SQLITE_CONFIG_GETPCACHE2, &m) == SQLITE_OK && sqlite3_initialize() == SQLITE_OK
	               ? 0
	               : -1;
}

/* What a page must hold: its key and how often it was filled. */
struct model {
	sqlite3_pcache_page *pinned[KEYS + 1];
	uint32_t filled[KEYS + 1]; /* 0: must not be there */
	unsigned n_pinned;
};

static void fill(struct model *t, unsigned key, sqlite3_pcache_page *p)
{
	uint32_t *words = p->pBuf;
	t->filled[key] = 1 + draw(1000000);
	words[0] = key;
	words[PAGE / sizeof *words - 1] = t->filled[key];
	memset(p->pExtra, 0xab, EXTRA);
}

static void check_page(const struct model *t, unsigned key, const sqlite3_pcache_page *p)
{
	const uint32_t *words = p->pBuf;
	assert_int_equal(words[0], key);
	assert_int_equal(words[PAGE / sizeof *words - 1], t->filled[key]);
}

/* Fetches; a page that was let go is filled anew. */
static void fetch(struct model *t, sqlite3_pcache *c, unsigned key, int how)
{
	sqlite3_pcache_page *p = m.xFetch(c, key, how);
	if (t->pinned[key])
		assert_ptr_equal(p, t->pinned[key]);
	if (!p) {
		assert_int_not_equal(how, 2);
		return;
	}
	void *first;
	memcpy(&first, p->pExtra, sizeof first);
	if (!first) {
		assert_int_not_equal(how, 0);
		assert_null(t->pinned[key]);
		fill(t, key, p);
	} else {
		check_page(t, key, p);
	}
	t->n_pinned += !t->pinned[key];
	t->pinned[key] = p;
}

static void unpin(struct model *t, sqlite3_pcache *c, unsigned key, int discard)
{
	if (!t->pinned[key])
		return;
	check_page(t, key, t->pinned[key]);
	m.xUnpin(c, t->pinned[key], discard);
	t->pinned[key] = NULL;
	t->n_pinned--;
	if (discard) {
		t->filled[key] = 0;
		assert_null(m.xFetch(c, key, 0));
	}
}

static void rekey(struct model *t, sqlite3_pcache *c, unsigned from, unsigned to)
{
	if (!t->pinned[from] || t->pinned[to] || from == to)
		return;
	sqlite3_pcache_page *there = m.xFetch(c, to, 0);
	if (there) /* SQLite, too, discards what is there first */
		m.xUnpin(c, there, 1);
	m.xRekey(c, t->pinned[from], from, to);
	t->pinned[to] = t->pinned[from];
	t->pinned[from] = NULL;
	t->filled[to] = t->filled[from];
	t->filled[from] = 0;
	*(uint32_t *)t->pinned[to]->pBuf = to;
	assert_ptr_equal(m.xFetch(c, to, 0), t->pinned[to]);
	assert_null(m.xFetch(c, from, 0));
}

static void truncate_from(struct model *t, sqlite3_pcache *c, unsigned key)
{
	m.xTruncate(c, key);
	for (unsigned i = key; i <= KEYS; i++) {
		t->n_pinned -= t->pinned[i] != NULL;
		t->pinned[i] = NULL;
		t->filled[i] = 0;
		assert_null(m.xFetch(c, i, 0));
	}
}

static void random_calls(int max, int purgeable)
{
	struct model *t = calloc(1, sizeof *t);
	sqlite3_pcache *c = m.xCreate(PAGE, EXTRA, purgeable);
	assert_non_null(c);
	m.xCachesize(c, max);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned key = 1 + draw(KEYS), what = draw(1000);
		if (what < 500)
			fetch(t, c, key, t->n_pinned < KEYS / 2 ? 2 : 0);
		else if (what < 560)
			fetch(t, c, key, (int)draw(2));
		else if (what < 950)
			unpin(t, c, key, what < 520);
		else if (what < 990)
			rekey(t, c, key, 1 + draw(KEYS));
		else if (what < 992)
			truncate_from(t, c, KEYS - draw(KEYS / 20));
		else if (what == 993 && draw(40) == 0)
			truncate_from(t, c, 1 + draw(2));
		else if (what > 996)
			unpin(t, c, key, 1);
		assert_true((unsigned)m.xPagecount(c) >= t->n_pinned);
	}
	m.xCachesize(c, 1);
	m.xDestroy(c);
	free(t);
}

static void test_small(void **unused)
{
	(void)unused;
	random_calls(100, 1);
}

static void test_none(void **unused)
{
	(void)unused;
	random_calls(0, 1);
}

static void test_not_purgeable(void **unused)
{
	(void)unused;
	random_calls(100, 0);
}

/* Numbers that pages have by a renaming alone are dropped like any other. */
static void test_renamed(void **unused)
{
	(void)unused;
	sqlite3_pcache *c = m.xCreate(PAGE, EXTRA, 1);
	sqlite3_pcache_page *p[11];
	m.xCachesize(c, 100);
	for (unsigned i = 1; i <= 10; i++)
		p[i] = m.xFetch(c, i, 2);
	m.xRekey(c, p[1], 1, 100);
	m.xRekey(c, p[2], 2, 200);
	m.xTruncate(c, 150);
	assert_null(m.xFetch(c, 200, 0));
	m.xTruncate(c, 50);
	assert_null(m.xFetch(c, 100, 0));
	m.xRekey(c, p[3], 3, 300); /* and back: as SQLite swaps two pages */
	m.xRekey(c, p[4], 4, 3);
	m.xRekey(c, p[3], 300, 4);
	unsigned before = truncates;
	m.xTruncate(c, 50);
	assert_int_equal(truncates, before);
	assert_ptr_equal(m.xFetch(c, 3, 0), p[4]);
	m.xRekey(c, p[5], 5, 60);
	m.xTruncate(c, 60);
	assert_null(m.xFetch(c, 60, 0));
	m.xTruncate(c, 10);
	assert_null(m.xFetch(c, 10, 0));
	assert_ptr_equal(m.xFetch(c, 9, 0), p[9]);
	m.xDestroy(c);
}

static void must(sqlite3 *db, const char *sql)
{
	char *why = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
}

static int one(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

/* A database larger than its cache: spilled, rolled back, shrunk, checked by SQLite. */
static void test_under_sqlite(void **unused)
{
	(void)unused;
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2("", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
	                 SQLITE_OK);
	must(db, "PRAGMA cache_size = 50; CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB, w UNIQUE);"
	         "BEGIN; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
	         " INSERT INTO t SELECT i, randomblob(700), hex(randomblob(8)) FROM n; COMMIT;");
	must(db,
	     "BEGIN; UPDATE t SET v = randomblob(900), w = w || 'x'; DELETE FROM t WHERE k % 3; ROLLBACK;");
	assert_int_equal(one(db, "SELECT count(*) FROM t WHERE length(v) = 700"), 4000);
	must(db, "DELETE FROM t WHERE k % 4; VACUUM; PRAGMA cache_size = -65536;"
	         "UPDATE t SET v = randomblob(5000)");
	assert_int_equal(one(db, "SELECT count(*) FROM t WHERE length(v) = 5000"), 1000);
	sqlite3_stmt *st = NULL;
	sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Pages split out of order in each commit, and the cache below hears of no end of the file. */
static void test_no_walks(void **unused)
{
	(void)unused;
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open_v2("", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
	                 SQLITE_OK);
	must(db, "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB, w UNIQUE); BEGIN;");
	unsigned before = truncates, renamed = renames;
	for (int i = 0; i < 2000; i++) {
		must(db, i % 40 ? "INSERT INTO t (v, w) VALUES (randomblob(100), hex(randomblob(12)))"
		                : "COMMIT; BEGIN");
	}
	must(db, "UPDATE t SET v = randomblob(300) WHERE k % 3 = 0; COMMIT");
	assert_true(renames > renamed + 20);
	assert_int_equal(truncates, before);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_small),         cmocka_unit_test(test_none),
	        cmocka_unit_test(test_not_purgeable), cmocka_unit_test(test_renamed),
	        cmocka_unit_test(test_under_sqlite),  cmocka_unit_test(test_no_walks),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}
