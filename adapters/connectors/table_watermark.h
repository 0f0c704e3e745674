/* table_watermark: from where a table claimed by key is read, so that rows committed late are still met.
 *
 * A row may become visible up to the overlap behind its own position. So a sweep begins at the watermark, and
 * the watermark follows at the overlap's distance the highest position there was when the last sweep began:
 * whatever is committed behind a running sweep lies above it. It never passes a row without a verdict. What
 * was settled above it is remembered, so that it is not handed out again unless it changed. When nothing new
 * came for longer than the overlap, the watermark closes up. Kept in the checkpoint.
 *
 * Our own clock bounds the highest position: a row dated in the future must not hide those of today.
 * Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_WATERMARK_H
#define EG_ADAPTERS_TABLE_WATERMARK_H

#include "connectors/table_conf.h"
#include "connectors/table_seen.h"
#include "eldergate/checkpoint.h"

/* Rows that are remembered across a restart; with more in the overlap they come again, which is harmless. */
#define EG_WATERMARK_SAVED_MAX 20000

struct eg_watermark;

enum eg_rc eg_watermark_open(struct eg_watermark **out, const struct eg_table_conf *c,
                             struct eg_checkpoint *checkpoint, const char *prefix, struct eg_err *err);
void eg_watermark_close(struct eg_watermark *w); /* NULL is fine */

/* Where a sweep begins; "" is the table's beginning. *beyond: behind this position, not at it. */
const char *eg_watermark_low(const struct eg_watermark *w, bool *beyond);
/* A sweep begins; highest: the table's highest position as text; p NULL: it has none. */
void eg_watermark_begin(struct eg_watermark *w, struct eg_bytes highest);
void eg_watermark_end(struct eg_watermark *w); /* of the sweep: every row there was has been handed out */
/* open: the lowest position without a verdict; cursor: the last that was handed out (INT64_MAX: none). */
void eg_watermark_move(struct eg_watermark *w, int64_t open, int64_t cursor);
struct eg_seen *eg_watermark_seen(struct eg_watermark *w);
void eg_watermark_remember(struct eg_watermark *w, const struct eg_seen_row *row);
/* Puts it into the checkpoint; the caller saves that. */
enum eg_rc eg_watermark_put(struct eg_watermark *w, struct eg_err *err);

#endif
