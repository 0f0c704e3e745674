/* exlog: the exchange log as one reader sees it, from a mark on. Entries come in seq order, without gaps.
 *
 * Short read transactions (EG_READ_MS); waits on the writer's hint, and polls once a second besides.
 * Thread: the reader that opened it. Never writes the store. */
#ifndef EG_FLOW_EXLOG_H
#define EG_FLOW_EXLOG_H

#include "base/wake.h"
#include "flow/entry.h"

struct eg_exlog;

enum eg_rc eg_exlog_open(struct eg_exlog **out, struct eg_store *s, struct eg_vault *v, uint64_t after_seq,
                         struct eg_err *err);
void eg_exlog_close(struct eg_exlog *x);
/* The next entries (at most max, at most 1 MiB), opened with their effect parts; EG_EMPTY at the head. They
 * live in the arena. The position moves past them. */
enum eg_rc eg_exlog_next(struct eg_exlog *x, unsigned max, bool with_claim, struct eg_arena *a,
                         struct eg_entry **out, unsigned *n, struct eg_err *err);
uint64_t eg_exlog_position(const struct eg_exlog *x); /* seq of the last entry handed out */
void eg_exlog_seek(struct eg_exlog *x, uint64_t after_seq);
struct eg_conn *eg_exlog_conn(struct eg_exlog *x); /* its reader connection, outside its own transactions */

#endif
