/* exlog: see exlog.h. Each next() is one short read transaction, so a reader never holds the gate for long.
 */
#include "flow/exlog.h"

#include <stdlib.h>

enum { MAX_BYTES = 1 << 20 };

struct eg_exlog {
	struct eg_conn *conn;
	struct eg_vault *vault;
	uint64_t after;
};

enum eg_rc eg_exlog_open(struct eg_exlog **out, struct eg_store *s, struct eg_vault *v, uint64_t after_seq,
                         struct eg_err *err)
{
	struct eg_exlog *x = calloc(1, sizeof *x);
	if (!x)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a log reader");
	x->vault = v;
	x->after = after_seq;
	enum eg_rc rc = eg_store_reader(s, &x->conn, err);
	if (rc) {
		free(x);
		return rc;
	}
	*out = x;
	return EG_OK;
}

void eg_exlog_close(struct eg_exlog *x)
{
	if (!x)
		return;
	eg_conn_close(x->conn);
	free(x);
}

static enum eg_rc next(struct eg_exlog *x, unsigned max, bool with_claim, struct eg_arena *a,
                       struct eg_entry **out, unsigned *n, struct eg_err *err)
{
	struct eg_log_row *rows = NULL;
	unsigned n_rows = 0;
	*n = 0;
	enum eg_rc rc = eg_read_begin(x->conn, err);
	if (rc)
		return rc;
	rc = eg_list_entries(x->conn, x->after, max, MAX_BYTES, a, &rows, &n_rows, err);
	eg_read_end(x->conn);
	if (rc)
		return rc;
	if (!n_rows)
		return EG_EMPTY;
	/* Opened outside the transaction: unsealing takes time that the writer's gate should not wait for. */
	struct eg_entry *entries = eg_arena_alloc(a, n_rows * sizeof *entries);
	if (!entries)
		return eg_fail(err, EG_LIMIT, "a log reader's arena is too small for %u entries", n_rows);
	for (unsigned i = 0; i < n_rows; i++) {
		if (rows[i].seq != x->after + 1 + i)
			return eg_fail(err, EG_CORRUPT, "the log has no entry %llu",
			               (unsigned long long)(x->after + 1 + i));
		rc = eg_entry_open(x->vault, &rows[i], with_claim, true, a, &entries[i], err);
		if (rc)
			return rc;
	}
	x->after += n_rows;
	*out = entries;
	*n = n_rows;
	return EG_OK;
}

enum eg_rc eg_exlog_next(struct eg_exlog *x, unsigned max, bool with_claim, struct eg_arena *a,
                         struct eg_entry **out, unsigned *n, struct eg_err *err)
{
	return eg_arena_why(a, next(x, max, with_claim, a, out, n, err), err);
}

uint64_t eg_exlog_position(const struct eg_exlog *x)
{
	return x->after;
}

void eg_exlog_seek(struct eg_exlog *x, uint64_t after_seq)
{
	x->after = after_seq;
}

struct eg_conn *eg_exlog_conn(struct eg_exlog *x)
{
	return x->conn;
}
