/* agent: the loop of an adapter: rows to the gateway, changes to the agency, until it is stopped.
 *
 *   running --SIGTERM--> stopping --(receipts came, or the grace is over)--> gone
 *   running --once, all taken and delivered--> gone
 *
 * One thread does everything. A wait for the source lasts 0.2 s at most if the connector keeps its deadline,
 * a call of the target deliver_timeout (5 s unless it is set otherwise), and the opening of either is bounded
 * by the connector's own timeouts alone: where these are longer than three heartbeats, the gateway may take
 * the adapter for dead meanwhile, and the link begins anew. The service manager hears (base/notify.h)
 * that it is ready, and at the loop's turns that it turns. */
#ifndef EG_ADAPTERS_AGENT_H
#define EG_ADAPTERS_AGENT_H

#include "common/counts.h"
#include "common/limits.h"
#include "common/mapping.h"
#include "eldergate/link.h"

#include <signal.h>

struct eg_agent_options {
	const char *program;
	const struct eg_mapping *mapping;
	struct eg_link *link;
	struct eg_checkpoint *checkpoint;
	const struct eg_limits *limits;
	bool once;
	const char *status_file;           /* NULL: none */
	const volatile sig_atomic_t *stop; /* not 0: stop */
	struct eg_counts *counts;          /* filled; the caller's */
};

/* EG_OK: it was stopped, or once and all is done. With once also the error that keeps it from getting done.
 */
enum eg_rc eg_agent_run(const struct eg_agent_options *o, struct eg_err *err);

#endif
