/* requests: what an operator wants of the parked events, left as files for the adapter, which may be running.
 *
 * DIR/request-<time>-<pid> holds "retry SEQ" or "drop SEQ", SEQ 0 for all. A request is carried out at least
 * once; twice is harmless. */
#ifndef EG_ADAPTERS_REQUESTS_H
#define EG_ADAPTERS_REQUESTS_H

#include "eldergate/checkpoint.h"

/* Any process. The request is durable when this returns EG_OK. */
enum eg_rc eg_requests_leave(const char *dir, const char *verb, uint64_t seq, struct eg_err *err);
/* The adapter: carries out what is there, saves, and removes it. Faults are logged. */
void eg_requests_take(struct eg_checkpoint *c, const char *dir);

#endif
