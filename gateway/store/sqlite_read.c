/* sqlite_read: single rows and lists, copied into the caller's arena.
 *
 * A query is asked, bound, stepped and finished in one function; its statement never stays open. A value of
 * the wrong type or length is EG_CORRUPT: the file is not what we wrote. Thread: the connection's. */
#include "base/clock.h"
#include "store/sqlite_conn.h"

#include <stdio.h>
#include <string.h>

struct query {
	struct eg_conn *conn;
	struct eg_err *err;
	struct eg_arena *arena;
	sqlite3_stmt *st; /* NULL once rc is set */
	enum eg_rc rc;
	int bound, column;
	bool inside; /* the gate */
	unsigned rows;
};

static void fail_row(struct query *q, enum eg_rc rc, const char *what)
{
	if (q->rc != EG_OK)
		return;
	q->rc = rc == EG_LIMIT
	                ? eg_fail(q->err, rc, "the rows asked for are more than the memory set for them")
	                : eg_fail(q->err, rc, "store %s: %s", q->conn->store->dir, what);
}

static void fail_code(struct query *q, int code)
{
	if (q->rc == EG_OK)
		q->rc = eg_conn_fail(q->conn, code, "read", q->err);
}

static struct query ask(struct eg_conn *c, enum eg_stmt id, struct eg_arena *a, struct eg_err *err)
{
	struct query q = {.conn = c, .err = err, .arena = a};
	q.rc = eg_gate_enter(c, err);
	q.inside = q.rc == EG_OK;
	if (q.rc == EG_OK)
		q.rc = eg_conn_stmt(c, id, &q.st, err);
	return q;
}

static void with_int(struct query *q, int64_t v)
{
	int code = q->rc == EG_OK ? sqlite3_bind_int64(q->st, ++q->bound, v) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

/* A position past every row stays one. */
static void with_seq(struct query *q, uint64_t v)
{
	with_int(q, v <= INT64_MAX ? (int64_t)v : INT64_MAX);
}

static void with_blob(struct query *q, const uint8_t *v, int len)
{
	int code = q->rc == EG_OK ? sqlite3_bind_blob(q->st, ++q->bound, v, len, SQLITE_STATIC) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

static void with_text(struct query *q, const char *v)
{
	int code = q->rc == EG_OK ? sqlite3_bind_text(q->st, ++q->bound, v, -1, SQLITE_STATIC) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

/* The next row: true, with its first column up. */
static bool next(struct query *q)
{
	if (q->rc != EG_OK)
		return false;
	int code = sqlite3_step(q->st);
	q->column = 0;
	q->rows += code == SQLITE_ROW;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		fail_code(q, code);
	return code == SQLITE_ROW;
}

static int64_t take_int(struct query *q)
{
	int i = q->column++;
	if (sqlite3_column_type(q->st, i) != SQLITE_INTEGER)
		fail_row(q, EG_CORRUPT, "a column that holds integers holds something else");
	return sqlite3_column_int64(q->st, i);
}

static uint64_t take_seq(struct query *q)
{
	int64_t v = take_int(q);
	if (v < 0)
		fail_row(q, EG_CORRUPT, "a position is negative");
	return v < 0 ? 0 : (uint64_t)v;
}

static void take_fixed(struct query *q, uint8_t *out, size_t len)
{
	int i = q->column++;
	const void *p = sqlite3_column_blob(q->st, i);
	if (sqlite3_column_type(q->st, i) != SQLITE_BLOB || (size_t)sqlite3_column_bytes(q->st, i) != len ||
	    !p)
		fail_row(q, EG_CORRUPT, "a column of fixed length has another one");
	else
		memcpy(out, p, len);
}

/* Bytes or text, whichever is stored; NULL is empty. */
static struct eg_bytes take_bytes(struct query *q)
{
	int i = q->column++;
	const void *p = sqlite3_column_blob(q->st, i);
	size_t len = (size_t)sqlite3_column_bytes(q->st, i);
	if (!p || !len || q->rc != EG_OK)
		return (struct eg_bytes){0};
	void *copy = eg_arena_copy(q->arena, p, len);
	if (!copy) {
		fail_row(q, EG_LIMIT, "");
		return (struct eg_bytes){0};
	}
	return (struct eg_bytes){copy, len};
}

static const char *take_text(struct query *q)
{
	int i = q->column++;
	const unsigned char *p = sqlite3_column_text(q->st, i);
	const char *copy =
	        eg_arena_text(q->arena, p ? (const char *)p : "", (size_t)sqlite3_column_bytes(q->st, i));
	if (!copy)
		fail_row(q, EG_LIMIT, "");
	return copy ? copy : "";
}

static enum eg_rc finish(struct query *q)
{
	if (q->st)
		sqlite3_reset(q->st);
	if (q->inside)
		eg_gate_leave(q->conn);
	return q->rc;
}

/* finish for a single row. EG_EMPTY is an everyday answer (each new person), so its text is not printed. */
static enum eg_rc finish_one(struct query *q)
{
	enum eg_rc rc = finish(q);
	if (rc != EG_OK || q->rows)
		return rc;
	if (q->err)
		*q->err = (struct eg_err){.rc = EG_EMPTY, .text = "the store has no such row"};
	return EG_EMPTY;
}

#define LIST_FIRST 16

/* Room for item n of an array that grows; NULL with q->rc set when the arena is full. */
static void *item(struct query *q, void *items, unsigned n, unsigned *cap, size_t size)
{
	char *grown = items;
	if (n == *cap) {
		*cap = *cap ? 2 * *cap : LIST_FIRST;
		grown = eg_arena_alloc(q->arena, *cap * size);
		if (!grown) {
			fail_row(q, EG_LIMIT, "");
			return NULL;
		}
		if (n)
			memcpy(grown, items, n * size);
	}
	return grown;
}

/* Reads every row of q with take into an array of type. */
#define LIST(q, type, take, out, n)                                                                          \
	do {                                                                                                 \
		type *items_ = NULL, *grown_;                                                                \
		unsigned n_ = 0, cap_ = 0;                                                                   \
		while (next(q) && (grown_ = item((q), items_, n_, &cap_, sizeof *items_))) {                 \
			items_ = grown_;                                                                     \
			take((q), &items_[n_++]);                                                            \
		}                                                                                            \
		*(out) = items_;                                                                             \
		*(n) = (q)->rc == EG_OK ? n_ : 0;                                                            \
	} while (0)

/* ---- snapshots ---- */

enum eg_rc eg_read_begin(struct eg_conn *c, struct eg_err *err)
{
	if (c->writer || c->read_since)
		return eg_fail(err, EG_INTERNAL,
		               "store %s: this connection cannot begin a read transaction now",
		               c->store->dir);
	enum eg_rc rc = eg_gate_enter(c, err);
	if (rc != EG_OK)
		return rc;
	if ((rc = eg_conn_run(c, EG_ST_BEGIN_READ, err))) {
		eg_gate_leave(c);
		return rc;
	}
	c->read_since = eg_mono_us();
	/* SQLite takes its snapshot at the first read, not at BEGIN. */
	uint64_t head;
	if ((rc = eg_get_head(c, &head, err)))
		eg_read_end(c);
	return rc;
}

void eg_read_end(struct eg_conn *c)
{
	if (!c->read_since)
		return;
	struct eg_err why = {0};
	if (eg_conn_run(c, EG_ST_COMMIT, &why) != EG_OK)
		eg_conn_run(c, EG_ST_ROLLBACK, NULL);
	c->read_since = 0;
	eg_gate_leave(c);
}

bool eg_read_expired(struct eg_conn *c)
{
	return c->read_since && !c->store->read_only && eg_mono_us() - c->read_since > EG_READ_MS * 1000;
}

/* ---- persons, source keys, aliases, links ---- */

/* The one number that the statement answers with; of: its parameter, if it has one. */
static enum eg_rc count(struct eg_conn *c, enum eg_stmt id, const int64_t *of, int64_t *n, struct eg_err *err)
{
	struct query q = ask(c, id, NULL, err);
	if (of)
		with_int(&q, *of);
	if (next(&q))
		*n = take_int(&q);
	return finish_one(&q);
}

static void take_person(struct query *q, struct eg_person_row *out)
{
	out->row = take_int(q);
	take_fixed(q, out->id, sizeof out->id);
	out->version = take_int(q);
	out->last_seq = take_seq(q);
	out->body = take_bytes(q);
}

enum eg_rc eg_get_person(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_person_row *out,
                         struct eg_err *err)
{
	struct query q = ask(c, EG_ST_PERSON_BY_ROW, a, err);
	with_int(&q, row);
	if (next(&q))
		take_person(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_get_person_by_id(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a,
                               struct eg_person_row *out, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_PERSON_BY_ID, a, err);
	with_blob(&q, id, 16);
	if (next(&q))
		take_person(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_list_persons(struct eg_conn *c, int64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_person_row **out, unsigned *n, struct eg_err *err)
{
	enum { BODY = 4 };
	struct eg_person_row *rows = NULL, *grown;
	unsigned count = 0, cap = 0;
	size_t bytes = 0;
	struct query q = ask(c, EG_ST_PERSONS_AFTER, a, err);
	with_int(&q, after);
	with_int(&q, max);
	while (next(&q)) {
		bytes += (size_t)sqlite3_column_bytes(q.st, BODY);
		if ((count && bytes > max_bytes) || !(grown = item(&q, rows, count, &cap, sizeof *rows)))
			break;
		rows = grown;
		take_person(&q, &rows[count++]);
	}
	*out = rows;
	*n = q.rc == EG_OK ? count : 0;
	return finish(&q);
}

static void take_source(struct query *q, struct eg_source_row *out)
{
	out->row = take_int(q);
	take_fixed(q, out->token, sizeof out->token);
	out->person = take_int(q);
	out->body = take_bytes(q);
}

enum eg_rc eg_get_source(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_source_row *out, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_SOURCE_BY_TOKEN, a, err);
	with_blob(&q, token, 16);
	if (next(&q))
		take_source(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_get_source_by_row(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_source_row *out,
                                struct eg_err *err)
{
	struct query q = ask(c, EG_ST_SOURCE_BY_ROW, a, err);
	with_int(&q, row);
	if (next(&q))
		take_source(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_list_sources(struct eg_conn *c, const uint8_t *after, unsigned max, struct eg_arena *a,
                           struct eg_source_row *out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_SOURCES_FROM, a, err);
	*n = 0;
	with_blob(&q, after ? after : (const uint8_t *)"", after ? 16 : 0);
	with_int(&q, max);
	while (*n < max && !(*n && eg_read_expired(c)) && next(&q))
		take_source(&q, &out[(*n)++]);
	return finish(&q);
}

static void take_alias(struct query *q, struct eg_alias *out)
{
	take_fixed(q, out->key, sizeof out->key);
	out->source = take_int(q);
}

enum eg_rc eg_list_aliases(struct eg_conn *c, const uint8_t id18[16], struct eg_arena *a,
                           struct eg_alias **out, unsigned *n, struct eg_err *err)
{
	uint8_t last[24];
	memcpy(last, id18, 16);
	memset(last + 16, 0xff, 8);
	struct query q = ask(c, EG_ST_ALIASES_OF, a, err);
	with_blob(&q, id18, 16);
	with_blob(&q, last, sizeof last);
	LIST(&q, struct eg_alias, take_alias, out, n);
	return finish(&q);
}

static void take_link(struct query *q, struct eg_link_row *out)
{
	take_fixed(q, out->a, sizeof out->a);
	take_fixed(q, out->b, sizeof out->b);
	out->kind = (int)take_int(q);
	out->seq = take_seq(q);
}

enum eg_rc eg_count_aliases(struct eg_conn *c, int64_t *n, struct eg_err *err)
{
	return count(c, EG_ST_COUNT_ALIASES, NULL, n, err);
}

enum eg_rc eg_list_links(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_link_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LINKS_OF, a, err);
	with_blob(&q, token, 16);
	LIST(&q, struct eg_link_row, take_link, out, n);
	return finish(&q);
}

enum eg_rc eg_get_link(struct eg_conn *c, int64_t row, struct eg_link_row *out, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LINK_BY_ROW, NULL, err);
	with_int(&q, row);
	if (next(&q))
		take_link(&q, out);
	return finish_one(&q);
}

/* ---- the log, its tiles and checkpoints ---- */

static void take_entry(struct query *q, struct eg_log_row *out)
{
	out->seq = take_seq(q);
	out->header = take_bytes(q);
	out->claim = take_bytes(q);
	out->effect = take_bytes(q);
	take_fixed(q, out->leaf, sizeof out->leaf);
}

enum eg_rc eg_get_entry(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_log_row *out,
                        struct eg_err *err)
{
	struct query q = ask(c, EG_ST_ENTRY, a, err);
	with_seq(&q, seq);
	if (next(&q))
		take_entry(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_list_entries(struct eg_conn *c, uint64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_log_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_log_row *rows = NULL, *grown;
	unsigned count = 0, cap = 0;
	size_t bytes = 0;
	struct query q = ask(c, EG_ST_ENTRIES_AFTER, a, err);
	with_seq(&q, after);
	with_int(&q, max);
	while (next(&q)) {
		size_t size = sizeof rows->leaf;
		for (int i = 1; i <= 3; i++) /* header, claim, effect */
			size += (size_t)sqlite3_column_bytes(q.st, i);
		bytes += size;
		if (count && bytes > max_bytes)
			break;
		if (!(grown = item(&q, rows, count, &cap, sizeof *rows)))
			break;
		rows = grown;
		take_entry(&q, &rows[count++]);
	}
	*out = rows;
	*n = q.rc == EG_OK ? count : 0;
	return finish(&q);
}

enum eg_rc eg_get_leaves(struct eg_conn *c, uint64_t first_seq, unsigned n, uint8_t *leaf_data,
                         struct eg_err *err)
{
	unsigned got = 0;
	struct query q = ask(c, EG_ST_LEAVES_FROM, NULL, err);
	with_seq(&q, first_seq);
	with_int(&q, n);
	while (got < n && next(&q)) {
		if (take_seq(&q) != first_seq + got)
			fail_row(&q, EG_CORRUPT, "the log has a gap");
		take_fixed(&q, leaf_data + (size_t)32 * got++, 32);
	}
	if (got < n)
		fail_row(&q, EG_OUT_OF_RANGE, "leaves past the end of the log were asked for");
	return finish(&q);
}

enum eg_rc eg_get_head(struct eg_conn *c, uint64_t *seq, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_HEAD, NULL, err);
	*seq = 0;
	if (next(&q) && sqlite3_column_type(q.st, 0) != SQLITE_NULL)
		*seq = take_seq(&q);
	return finish(&q);
}

enum eg_rc eg_get_tile(struct eg_conn *c, int64_t id, uint8_t hashes[8192], struct eg_err *err)
{
	struct query q = ask(c, EG_ST_GET_TILE, NULL, err);
	with_int(&q, id);
	if (next(&q))
		take_fixed(&q, hashes, 8192);
	return finish_one(&q);
}

enum eg_rc eg_get_checkpoint(struct eg_conn *c, uint64_t at_least, struct eg_arena *a, uint64_t *size,
                             int64_t *time_us, struct eg_bytes *note, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_NEWEST_CHECKPOINT, a, err);
	with_seq(&q, at_least);
	if (next(&q)) {
		*size = take_seq(&q);
		*time_us = take_int(&q);
		*note = take_bytes(&q);
	}
	return finish_one(&q);
}

enum eg_rc eg_next_checkpoint(struct eg_conn *c, uint64_t after_size, struct eg_arena *a, uint64_t *size,
                              int64_t *time_us, struct eg_bytes *note, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_NEXT_CHECKPOINT, a, err);
	with_seq(&q, after_size);
	if (next(&q)) {
		*size = take_seq(&q);
		*time_us = take_int(&q);
		*note = take_bytes(&q);
	}
	return finish_one(&q);
}

/* ---- cases, rejects ---- */

static void take_case(struct query *q, struct eg_case_row *out)
{
	out->row = take_int(q);
	take_fixed(q, out->id, sizeof out->id);
	out->kind = (int)take_int(q);
	out->state = (int)take_int(q);
	out->person = take_int(q);
	out->opened = take_seq(q);
	out->closed = take_seq(q);
	take_fixed(q, out->subject, sizeof out->subject);
	out->body = take_bytes(q);
}

enum eg_rc eg_get_case(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a, struct eg_case_row *out,
                       struct eg_err *err)
{
	struct query q = ask(c, EG_ST_CASE_BY_ID, a, err);
	with_blob(&q, id, 16);
	if (next(&q))
		take_case(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_get_case_by_subject(struct eg_conn *c, const uint8_t subject[16], struct eg_arena *a,
                                  struct eg_case_row *out, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_CASE_BY_SUBJECT, a, err);
	with_blob(&q, subject, 16);
	if (next(&q))
		take_case(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_list_cases(struct eg_conn *c, int64_t after, int kind, int state, unsigned max,
                         struct eg_arena *a, struct eg_case_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, state == EG_CASE_OPEN ? EG_ST_OPEN_CASES_AFTER : EG_ST_CASES_AFTER, a, err);
	with_int(&q, after);
	with_int(&q, kind);
	with_int(&q, state);
	with_int(&q, max);
	LIST(&q, struct eg_case_row, take_case, out, n);
	return finish(&q);
}

static void take_reject(struct query *q, struct eg_reject_row *out)
{
	out->seq = take_seq(q);
	out->agency = take_text(q);
	out->dataset = take_text(q);
	out->state = (int)take_int(q);
	take_fixed(q, out->source, sizeof out->source);
	out->version = take_int(q);
	out->mapping_revision = (uint32_t)take_int(q);
	take_fixed(q, out->digest, sizeof out->digest);
}

enum eg_rc eg_list_rejects_of(struct eg_conn *c, const uint8_t source[16], struct eg_arena *a,
                              struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_REJECTS_OF, a, err);
	with_blob(&q, source, 16);
	LIST(&q, struct eg_reject_row, take_reject, out, n);
	return finish(&q);
}

enum eg_rc eg_list_rejects(struct eg_conn *c, const char *agency, uint64_t after, int state, unsigned max,
                           struct eg_arena *a, struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct query q =
	        ask(c, state == EG_REJECT_OPEN ? EG_ST_OPEN_REJECTS_AFTER : EG_ST_REJECTS_AFTER, a, err);
	with_text(&q, agency);
	with_seq(&q, after);
	with_int(&q, state);
	with_int(&q, max);
	LIST(&q, struct eg_reject_row, take_reject, out, n);
	return finish(&q);
}

enum eg_rc eg_list_all_rejects(struct eg_conn *c, uint64_t after, unsigned max, struct eg_arena *a,
                               struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_ALL_REJECTS_AFTER, a, err);
	with_seq(&q, after);
	with_int(&q, max);
	LIST(&q, struct eg_reject_row, take_reject, out, n);
	return finish(&q);
}

/* ---- datasets, marks, properties, keys, counts ---- */

static void take_dataset(struct query *q, struct eg_dataset_row *out)
{
	out->name = take_text(q);
	out->event_time = take_int(q);
	out->heard = take_int(q);
	out->seq = take_seq(q);
	out->records = take_int(q);
	out->rejects = take_int(q);
}

enum eg_rc eg_list_datasets(struct eg_conn *c, struct eg_arena *a, struct eg_dataset_row **out, unsigned *n,
                            struct eg_err *err)
{
	struct query q = ask(c, EG_ST_DATASETS, a, err);
	LIST(&q, struct eg_dataset_row, take_dataset, out, n);
	return finish(&q);
}

static void take_list(struct query *q, struct eg_list_row *out)
{
	out->row = take_int(q);
	out->agency = take_text(q);
	out->dataset = take_text(q);
	out->list_id = take_text(q);
	take_fixed(q, out->digest, sizeof out->digest);
	out->as_of = take_int(q);
	out->phase = (int)take_int(q);
	out->pinned = take_seq(q);
	out->seq = take_seq(q);
	take_fixed(q, out->spool, sizeof out->spool);
	out->body = take_bytes(q);
}

enum eg_rc eg_list_lists(struct eg_conn *c, int64_t after, int phase, unsigned max, struct eg_arena *a,
                         struct eg_list_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LISTS_AFTER, a, err);
	with_int(&q, after);
	with_int(&q, phase);
	with_int(&q, max);
	LIST(&q, struct eg_list_row, take_list, out, n);
	return finish(&q);
}

enum eg_rc eg_get_list_by_seq(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_list_row *out,
                              struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LIST_BY_SEQ, a, err);
	with_seq(&q, seq);
	if (next(&q))
		take_list(&q, out);
	return finish_one(&q);
}

enum eg_rc eg_get_list_by_digest(struct eg_conn *c, const char *agency, const char *dataset,
                                 const char *list_id, const uint8_t digest[32], struct eg_arena *a,
                                 struct eg_list_row *out, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LIST_BY_DIGEST, a, err);
	with_blob(&q, digest, 32);
	with_text(&q, agency);
	with_text(&q, dataset);
	with_text(&q, list_id);
	if (next(&q))
		take_list(&q, out);
	return finish_one(&q);
}

static void take_lag(struct query *q, struct eg_lag_row *out)
{
	out->person = take_int(q);
	out->since_us = take_int(q);
}

enum eg_rc eg_list_lags(struct eg_conn *c, int64_t until_us, unsigned max, struct eg_arena *a,
                        struct eg_lag_row **out, unsigned *n, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LAGS_UNTIL, a, err);
	with_int(&q, until_us);
	with_int(&q, max);
	LIST(&q, struct eg_lag_row, take_lag, out, n);
	return finish(&q);
}

enum eg_rc eg_get_lag(struct eg_conn *c, int64_t person, bool *there, struct eg_err *err)
{
	int64_t n = 0;
	enum eg_rc rc = count(c, EG_ST_GET_LAG, &person, &n, err);
	*there = n > 0;
	return rc;
}

enum eg_rc eg_count_lags(struct eg_conn *c, int64_t *n, struct eg_err *err)
{
	return count(c, EG_ST_COUNT_LAGS, NULL, n, err);
}

enum eg_rc eg_get_mark(struct eg_conn *c, const char *name, uint64_t *seq, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_GET_MARK, NULL, err);
	with_text(&q, name);
	if (next(&q))
		*seq = take_seq(&q);
	return finish_one(&q);
}

enum eg_rc eg_get_meta(struct eg_conn *c, const char *name, struct eg_arena *a, struct eg_bytes *out,
                       struct eg_err *err)
{
	struct query q = ask(c, EG_ST_GET_META, a, err);
	with_text(&q, name);
	if (next(&q))
		*out = take_bytes(&q);
	return finish_one(&q);
}

enum eg_rc eg_get_key(struct eg_conn *c, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	struct query q = ask(c, EG_ST_GET_KEY, NULL, err);
	with_text(&q, name);
	if (next(&q))
		take_fixed(&q, wrapped, 60);
	return finish_one(&q);
}

enum eg_rc eg_list_keys(struct eg_conn *c, const char *prefix, void (*each)(void *arg, const char *name),
                        void *arg, struct eg_err *err)
{
	struct query q = ask(c, EG_ST_LIST_KEYS, NULL, err);
	with_text(&q, prefix);
	while (next(&q)) {
		const unsigned char *name = sqlite3_column_text(q.st, 0);
		each(arg, name ? (const char *)name : "");
	}
	return finish(&q);
}

enum eg_rc eg_count(struct eg_conn *c, int64_t *persons, int64_t *open_cases, struct eg_err *err)
{
	enum eg_rc rc = count(c, EG_ST_COUNT_PERSONS, NULL, persons, err);
	return rc ? rc : count(c, EG_ST_COUNT_OPEN_CASES, NULL, open_cases, err);
}
