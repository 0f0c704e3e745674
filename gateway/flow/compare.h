/* compare: a spooled full list against the source keys as they stood at a pinned entry of the log.
 *
 * Both are read in the order of tokens, once. Each row is classified by what its version would do to the
 * key's list as the pinned entry left it (claims.h), so that the same list compared with the same entry gives
 * the same counts, whatever is committed meanwhile. What must be written is handed to the sink: rows that say
 * something new, and keys that the list covers and does not hold. Reads the store in short transactions.
 * Thread: the caller's. */
#ifndef EG_FLOW_COMPARE_H
#define EG_FLOW_COMPARE_H

#include "flow/list_said.h"
#include "flow/spool.h"

/* What a row is, by the pinned entry. */
enum eg_row_class { EG_ROW_UNCHANGED, EG_ROW_CHANGED, EG_ROW_ADDED, EG_ROW_STALE, EG_ROW_REJECTED };

struct eg_compare_sink {
	void *arg;
	/* A row to be written (or, REJECTED, to be told of); version: under which, its own or the list's. */
	enum eg_rc (*row)(void *arg, const struct eg_spool_row *row, int64_t version, enum eg_row_class class,
	                  struct eg_err *err);
	/* moved: something came for the key since the list began to come, so that it will be left as it is.
	 */
	enum eg_rc (*missing)(void *arg, const uint8_t token[EG_TOKEN_SIZE], bool moved, struct eg_err *err);
	/* Now and then; anything but EG_OK ends the comparison. */
	enum eg_rc (*progress)(void *arg, uint64_t rows, struct eg_err *err);
};

struct eg_compare_options {
	struct eg_conn *conn;
	struct eg_vault *vault;
	const char *dir;                 /* DATA/lists */
	const struct eg_list_info *list; /* with its pinned seq and its number of rows */
	struct eg_spool *spool;
	const struct eg_listed *listed;
};

/* Counts all but withdrawn and skipped. EG_CORRUPT: the spool has another number of rows than the list. */
enum eg_rc eg_compare(const struct eg_compare_options *o, const struct eg_compare_sink *sink,
                      struct eg_list_counts *counts, struct eg_err *err);

#endif
