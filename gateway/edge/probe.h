/* probe: looks from outside whether the TLS port still lets anybody in.
 *
 * The gRPC core of this release never accepts again on a port once the process had no descriptor left for it,
 * and tells nobody. A probe that gets no answer twice says so in the log, and to health checks, so that
 * whoever watches the gateway starts it anew. Thread: one of its own. */
#ifndef EG_EDGE_PROBE_H
#define EG_EDGE_PROBE_H

#include "eldergate/err.h"

#include <stdint.h>

struct eg_probe;

/* address: host:port as it is listened on; port: the one in use. */
enum eg_rc eg_probe_start(struct eg_probe **out, const char *address, int port, struct eg_err *err);
bool eg_probe_dead(const struct eg_probe *p); /* NULL: there is no port to look at, so no */
void eg_probe_stop(struct eg_probe *p);       /* joins; more than once is fine, NULL too */
void eg_probe_free(struct eg_probe *p);       /* after stop; NULL is fine */

/* One look: connects, says something that is no TLS, and waits to be turned away. EG_OK: somebody is there;
 * EG_UNAVAILABLE: nobody is; anything else: it could not look. */
enum eg_rc eg_probe_once(const char *address, int port, int64_t patience_us, struct eg_err *err);

#endif
