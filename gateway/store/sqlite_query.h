/* sqlite_query: one statement that reads, from its question to its last row, copied into the caller's arena.
 *
 * A query is asked, bound, stepped and ended in one function; its statement never stays open, but for the
 * walk of a store that nobody writes (eg_next_entries). It remembers its first error: every later step is a
 * no-op. A value of the wrong type or length is EG_CORRUPT: the file is not what we wrote. Thread: the
 * connection's. */
#ifndef EG_STORE_SQLITE_QUERY_H
#define EG_STORE_SQLITE_QUERY_H

#include "store/sqlite_conn.h"

struct eg_query {
	struct eg_conn *conn;
	struct eg_err *err;
	struct eg_arena *arena;
	sqlite3_stmt *st; /* NULL once rc is set */
	enum eg_rc rc;
	int bound, column;
	bool inside; /* the gate */
	unsigned rows;
};

struct eg_query eg_query_ask(struct eg_conn *c, enum eg_stmt id, struct eg_arena *a, struct eg_err *err);
void eg_query_fail(struct eg_query *q, enum eg_rc rc, const char *what);
/* The parameters, in their order. */
void eg_query_int(struct eg_query *q, int64_t v);
void eg_query_seq(struct eg_query *q, uint64_t v); /* a position past every row stays one */
void eg_query_blob(struct eg_query *q, const uint8_t *v, int len);
void eg_query_text(struct eg_query *q, const char *v);
/* The next row: true, with its first column up. */
bool eg_query_next(struct eg_query *q);
/* The row's columns, in their order. */
int64_t eg_take_int(struct eg_query *q);
uint64_t eg_take_seq(struct eg_query *q);
void eg_take_fixed(struct eg_query *q, uint8_t *out, size_t len);
struct eg_bytes eg_take_bytes(struct eg_query *q); /* bytes or text, whichever is stored; NULL is empty */
const char *eg_take_text(struct eg_query *q);
enum eg_rc eg_query_end(struct eg_query *q);
enum eg_rc eg_query_pause(struct eg_query *q);   /* as end, but the statement stays at its row */
enum eg_rc eg_query_end_one(struct eg_query *q); /* of a single row: EG_EMPTY if there was none */
/* The one number that a statement answers with; of: its parameter, if it has one. */
enum eg_rc eg_query_number(struct eg_conn *c, enum eg_stmt id, const int64_t *of, int64_t *n,
                           struct eg_err *err);
/* Room for item n of an array that grows; NULL with q->rc set when the arena is full. */
void *eg_query_room(struct eg_query *q, void *items, unsigned n, unsigned *cap, size_t size);

/* Reads every row of q with take into an array of type. */
#define EG_QUERY_LIST(q, type, take, out, n) EG_QUERY_PAGE(q, type, take, 0, SIZE_MAX, out, n)
/* The same until the bytes of a column add up to more than max_bytes; at least one row. */
#define EG_QUERY_PAGE(q, type, take, column, max_bytes, out, n)                                              \
	do {                                                                                                 \
		type *items_ = NULL, *grown_;                                                                \
		unsigned n_ = 0, cap_ = 0;                                                                   \
		size_t bytes_ = 0;                                                                           \
		while (eg_query_next(q) &&                                                                   \
		       ((max_bytes) == SIZE_MAX ||                                                           \
		        (bytes_ += (size_t)sqlite3_column_bytes((q)->st, column)) <= (max_bytes) || !n_) &&  \
		       (grown_ = eg_query_room((q), items_, n_, &cap_, sizeof *items_))) {                   \
			items_ = grown_;                                                                     \
			take((q), &items_[n_++]);                                                            \
		}                                                                                            \
		*(out) = items_;                                                                             \
		*(n) = (q)->rc == EG_OK ? n_ : 0;                                                            \
	} while (0)

#endif
