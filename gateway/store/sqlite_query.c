/* sqlite_query: see sqlite_query.h. */
#include "store/sqlite_query.h"

#include <string.h>

void eg_query_fail(struct eg_query *q, enum eg_rc rc, const char *what)
{
	if (q->rc != EG_OK)
		return;
	q->rc = rc == EG_LIMIT
	                ? eg_fail(q->err, rc, "the rows asked for are more than the memory set for them")
	                : eg_fail(q->err, rc, "store %s: %s", q->conn->store->dir, what);
}

static void fail_code(struct eg_query *q, int code)
{
	if (q->rc == EG_OK)
		q->rc = eg_conn_fail(q->conn, code, "read", q->err);
}

struct eg_query eg_query_ask(struct eg_conn *c, enum eg_stmt id, struct eg_arena *a, struct eg_err *err)
{
	struct eg_query q = {.conn = c, .err = err, .arena = a};
	q.rc = eg_gate_enter(c, err);
	q.inside = q.rc == EG_OK;
	if (q.rc == EG_OK)
		q.rc = eg_conn_stmt(c, id, &q.st, err);
	return q;
}

void eg_query_int(struct eg_query *q, int64_t v)
{
	int code = q->rc == EG_OK ? sqlite3_bind_int64(q->st, ++q->bound, v) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

void eg_query_seq(struct eg_query *q, uint64_t v)
{
	eg_query_int(q, v <= INT64_MAX ? (int64_t)v : INT64_MAX);
}

void eg_query_blob(struct eg_query *q, const uint8_t *v, int len)
{
	int code = q->rc == EG_OK ? sqlite3_bind_blob(q->st, ++q->bound, v, len, SQLITE_STATIC) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

void eg_query_text(struct eg_query *q, const char *v)
{
	int code = q->rc == EG_OK ? sqlite3_bind_text(q->st, ++q->bound, v, -1, SQLITE_STATIC) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_code(q, code);
}

bool eg_query_next(struct eg_query *q)
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

int64_t eg_take_int(struct eg_query *q)
{
	int i = q->column++;
	if (sqlite3_column_type(q->st, i) != SQLITE_INTEGER)
		eg_query_fail(q, EG_CORRUPT, "a column that holds integers holds something else");
	return sqlite3_column_int64(q->st, i);
}

uint64_t eg_take_seq(struct eg_query *q)
{
	int64_t v = eg_take_int(q);
	if (v < 0)
		eg_query_fail(q, EG_CORRUPT, "a position is negative");
	return v < 0 ? 0 : (uint64_t)v;
}

void eg_take_fixed(struct eg_query *q, uint8_t *out, size_t len)
{
	int i = q->column++;
	const void *p = sqlite3_column_blob(q->st, i);
	if (sqlite3_column_type(q->st, i) != SQLITE_BLOB || (size_t)sqlite3_column_bytes(q->st, i) != len ||
	    !p)
		eg_query_fail(q, EG_CORRUPT, "a column of fixed length has another one");
	else
		memcpy(out, p, len);
}

struct eg_bytes eg_take_bytes(struct eg_query *q)
{
	int i = q->column++;
	const void *p = sqlite3_column_blob(q->st, i);
	size_t len = (size_t)sqlite3_column_bytes(q->st, i);
	if (!p || !len || q->rc != EG_OK)
		return (struct eg_bytes){0};
	void *copy = eg_arena_copy(q->arena, p, len);
	if (!copy) {
		eg_query_fail(q, EG_LIMIT, "");
		return (struct eg_bytes){0};
	}
	return (struct eg_bytes){copy, len};
}

const char *eg_take_text(struct eg_query *q)
{
	int i = q->column++;
	const unsigned char *p = sqlite3_column_text(q->st, i);
	const char *copy =
	        eg_arena_text(q->arena, p ? (const char *)p : "", (size_t)sqlite3_column_bytes(q->st, i));
	if (!copy)
		eg_query_fail(q, EG_LIMIT, "");
	return copy ? copy : "";
}

enum eg_rc eg_query_pause(struct eg_query *q)
{
	if (q->inside)
		eg_gate_leave(q->conn);
	return q->rc;
}

enum eg_rc eg_query_end(struct eg_query *q)
{
	if (q->st)
		sqlite3_reset(q->st);
	return eg_query_pause(q);
}

/* finish for a single row. EG_EMPTY is an everyday answer (each new person), so its text is not printed. */
enum eg_rc eg_query_end_one(struct eg_query *q)
{
	enum eg_rc rc = eg_query_end(q);
	if (rc != EG_OK || q->rows)
		return rc;
	if (q->err)
		*q->err = (struct eg_err){.rc = EG_EMPTY, .text = "the store has no such row"};
	return EG_EMPTY;
}

#define LIST_FIRST 16

void *eg_query_room(struct eg_query *q, void *items, unsigned n, unsigned *cap, size_t size)
{
	char *grown = items;
	if (n == *cap) {
		*cap = *cap ? 2 * *cap : LIST_FIRST;
		grown = eg_arena_alloc(q->arena, *cap * size);
		if (!grown) {
			eg_query_fail(q, EG_LIMIT, "");
			return NULL;
		}
		if (n)
			memcpy(grown, items, n * size);
	}
	return grown;
}

enum eg_rc eg_query_number(struct eg_conn *c, enum eg_stmt id, const int64_t *of, int64_t *n,
                           struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, id, NULL, err);
	if (of)
		eg_query_int(&q, *of);
	if (eg_query_next(&q))
		*n = eg_take_int(&q);
	return eg_query_end_one(&q);
}
