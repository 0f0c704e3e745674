/* local: a Unix socket's own accept loop, which remembers the user behind each connection.
 *
 * The gRPC core names such a connection by its descriptor and closes it by itself, so each one is moved to a
 * number that was not used for a long time: a call still waiting in a queue never meets another's number.
 * Thread: start and stop are the server's; eg_local_uid is for any. The loop's pulse: it goes round. */
#ifndef EG_EDGE_LOCAL_H
#define EG_EDGE_LOCAL_H

#include "eldergate/err.h"

#include <stdint.h>

struct eg_local;

/* Listens on path (a stale socket there is replaced); adopt takes each connection's descriptor, on the loop's
 * thread. */
enum eg_rc eg_local_start(struct eg_local **out, const char *path, void (*adopt)(void *arg, int fd),
                          void *arg, struct eg_err *err);
bool eg_local_uid(const struct eg_local *l, int fd, uint32_t *uid);
void eg_local_stop(
        struct eg_local *l); /* listens no more; what it knows stays. More than once is fine; NULL too */
void eg_local_free(struct eg_local *l); /* NULL is fine */

#endif
