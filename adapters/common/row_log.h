/* row_log: tells the log which rows were refused here, so that none vanishes from a source that has no place
 * for refusals of its own.
 *
 * At most EG_ROW_LOG_TOLD lines in EG_ROW_LOG_US; those beyond are counted, and the count is told when that
 * time is over or the log is ended. Never a value of a row. Thread: the agent's. */
#ifndef EG_ADAPTERS_ROW_LOG_H
#define EG_ADAPTERS_ROW_LOG_H

#include "base/clock.h"
#include "common/mapper.h"

enum { EG_ROW_LOG_TOLD = 100 };
#define EG_ROW_LOG_US (60 * EG_SECOND)

struct eg_row_log {
	int64_t since_us;
	unsigned told; /* since then */
	uint64_t untold;
};

/* in: its place and line. codes: names of reasons, separated by spaces; field, column: "" or at fault. */
void eg_row_log_refused(struct eg_row_log *l, const struct eg_in *in, const char *codes, const char *field,
                        const char *column, int64_t now_us);
void eg_row_log_faults(struct eg_row_log *l, const struct eg_in *in, const struct eg_mapped *row,
                       int64_t now_us);
void eg_row_log_turn(struct eg_row_log *l, int64_t now_us); /* tells the count if it is due */
void eg_row_log_end(struct eg_row_log *l);

#endif
