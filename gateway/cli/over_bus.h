/* over_bus: one request and its first answer over the gateway's bus, as an adapter would send it.
 *
 * Thread: the caller's, which waits. */
#ifndef EG_CLI_OVER_BUS_H
#define EG_CLI_OVER_BUS_H

#include "base/buf.h"
#include "common/refusal.h"

/* EG_OK: the call was answered (*answer), or refused: *refused is set. Otherwise the link's trouble:
 * EG_CONFIG, EG_NOT_FOUND, EG_DENIED of the key file, EG_UNAUTHENTICATED, EG_UNAVAILABLE. */
enum eg_rc over_bus(const struct eg_link_options *o, const char *method, struct eg_bytes request,
                    int64_t timeout_us, struct eg_buf *answer, struct eg_refusal *why, bool *refused,
                    struct eg_err *err);

#endif
