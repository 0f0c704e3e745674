/* quota: what one identity may take at once: open Submit and Reconcile streams, records a second.
 *
 * One identity's greed must not be another's wait, and all together must fit into memory: a stream may have
 * EG_STREAM_MESSAGES that wait to be judged (edge/stream.h), each as large as its transport allows, so the
 * number of streams follows from the messages. Thread: any. */
#ifndef EG_EDGE_QUOTA_H
#define EG_EDGE_QUOTA_H

#include "eldergate/err.h"

#include <stdint.h>

#define EG_QUOTA_MESSAGES       5120 /* of all streams, that may wait to be judged */
#define EG_QUOTA_STREAMS_OF_ONE 64   /* of an identity */

struct eg_quota;

enum eg_rc eg_quota_open(struct eg_quota **out, struct eg_err *err);
/* One more stream of this identity. EG_BUSY: it has as many as one may, or the gateway as it can. */
enum eg_rc eg_quota_enter(struct eg_quota *q, const char *name, struct eg_err *err);
void eg_quota_leave(struct eg_quota *q, const char *name);
/* Counts n records against the identity's rate; how long it has to wait before more, in microseconds. 0: no
 * limit. */
int64_t eg_quota_take(struct eg_quota *q, const char *name, uint32_t per_second, unsigned n);
void eg_quota_close(struct eg_quota *q); /* NULL is fine */

#endif
