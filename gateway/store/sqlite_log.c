/* sqlite_log: reads the log, its tiles, its checkpoints. Thread: the connection's. */
#include "store/sqlite_query.h"

static void take_entry(struct eg_query *q, struct eg_log_row *out)
{
	out->seq = eg_take_seq(q);
	out->header = eg_take_bytes(q);
	out->claim = eg_take_bytes(q);
	out->effect = eg_take_bytes(q);
	eg_take_fixed(q, out->leaf, sizeof out->leaf);
}

enum eg_rc eg_get_entry(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_log_row *out,
                        struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_ENTRY, a, err);
	eg_query_seq(&q, seq);
	if (eg_query_next(&q))
		take_entry(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_list_entries(struct eg_conn *c, uint64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_log_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_log_row *rows = NULL, *grown;
	unsigned count = 0, cap = 0;
	size_t bytes = 0;
	struct eg_query q = eg_query_ask(c, EG_ST_ENTRIES_AFTER, a, err);
	eg_query_seq(&q, after);
	eg_query_int(&q, max);
	while (eg_query_next(&q)) {
		size_t size = sizeof rows->leaf;
		for (int i = 1; i <= 3; i++) /* header, claim, effect */
			size += (size_t)sqlite3_column_bytes(q.st, i);
		bytes += size;
		if (count && bytes > max_bytes)
			break;
		if (!(grown = eg_query_room(&q, rows, count, &cap, sizeof *rows)))
			break;
		rows = grown;
		take_entry(&q, &rows[count++]);
	}
	*out = rows;
	*n = q.rc == EG_OK ? count : 0;
	return eg_query_end(&q);
}

enum eg_rc eg_next_entries(struct eg_conn *c, bool first, unsigned max, size_t max_bytes, struct eg_arena *a,
                           struct eg_log_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_log_row *rows = NULL, *grown;
	unsigned count = 0, cap = 0;
	struct eg_query q = eg_query_ask(c, EG_ST_ALL_ENTRIES, a, err);
	size_t before = eg_arena_used(a);
	bool more =
	        first || (q.st && sqlite3_stmt_busy(q.st)); /* stepped on at its end it would begin anew */
	if (first && q.st)
		sqlite3_reset(q.st);
	while (more && count < max && eg_arena_used(a) - before < max_bytes && (more = eg_query_next(&q))) {
		if (!(grown = eg_query_room(&q, rows, count, &cap, sizeof *rows)))
			break;
		rows = grown;
		take_entry(&q, &rows[count++]);
	}
	*out = rows;
	*n = q.rc == EG_OK ? count : 0;
	return more && q.rc == EG_OK ? eg_query_pause(&q) : eg_query_end(&q);
}

static void take_head(struct eg_query *q, struct eg_log_head *out)
{
	out->seq = eg_take_seq(q);
	out->header = eg_take_bytes(q);
}

enum eg_rc eg_list_heads(struct eg_conn *c, uint64_t after, unsigned max, struct eg_arena *a,
                         struct eg_log_head **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_HEADS_AFTER, a, err);
	eg_query_seq(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_log_head, take_head, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_get_leaves(struct eg_conn *c, uint64_t first_seq, unsigned n, uint8_t *leaf_data,
                         struct eg_err *err)
{
	unsigned got = 0;
	struct eg_query q = eg_query_ask(c, EG_ST_LEAVES_FROM, NULL, err);
	eg_query_seq(&q, first_seq);
	eg_query_int(&q, n);
	while (got < n && eg_query_next(&q)) {
		if (eg_take_seq(&q) != first_seq + got)
			eg_query_fail(&q, EG_CORRUPT, "the log has a gap");
		eg_take_fixed(&q, leaf_data + (size_t)32 * got++, 32);
	}
	if (got < n)
		eg_query_fail(&q, EG_OUT_OF_RANGE, "leaves past the end of the log were asked for");
	return eg_query_end(&q);
}

enum eg_rc eg_get_head(struct eg_conn *c, uint64_t *seq, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_HEAD, NULL, err);
	*seq = 0;
	if (eg_query_next(&q) && sqlite3_column_type(q.st, 0) != SQLITE_NULL)
		*seq = eg_take_seq(&q);
	return eg_query_end(&q);
}

enum eg_rc eg_get_tile(struct eg_conn *c, int64_t id, uint8_t hashes[8192], struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_GET_TILE, NULL, err);
	eg_query_int(&q, id);
	if (eg_query_next(&q))
		eg_take_fixed(&q, hashes, 8192);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_checkpoint(struct eg_conn *c, uint64_t at_least, struct eg_arena *a, uint64_t *size,
                             int64_t *time_us, struct eg_bytes *note, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_NEWEST_CHECKPOINT, a, err);
	eg_query_seq(&q, at_least);
	if (eg_query_next(&q)) {
		*size = eg_take_seq(&q);
		*time_us = eg_take_int(&q);
		*note = eg_take_bytes(&q);
	}
	return eg_query_end_one(&q);
}

enum eg_rc eg_next_checkpoint(struct eg_conn *c, uint64_t after_size, struct eg_arena *a, uint64_t *size,
                              int64_t *time_us, struct eg_bytes *note, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_NEXT_CHECKPOINT, a, err);
	eg_query_seq(&q, after_size);
	if (eg_query_next(&q)) {
		*size = eg_take_seq(&q);
		*time_us = eg_take_int(&q);
		*note = eg_take_bytes(&q);
	}
	return eg_query_end_one(&q);
}
