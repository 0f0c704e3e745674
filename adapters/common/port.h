/* port: one connector, as a source or as a target, kept open through its failures.
 *
 *   closed --due--> open --retryable--> retrying --due--> ...
 *                     `---other error---> failed --due, at the slow rate--> ...
 *
 * A failure that repeating does not mend (a changed schema, a wrong setting) is tried again all the same, at
 * the slow rate, because somebody may mend it over there; it is logged each time. Thread: the agent's. */
#ifndef EG_ADAPTERS_PORT_H
#define EG_ADAPTERS_PORT_H

#include "common/backoff.h"
#include "eldergate/connector.h"

enum eg_port_state { EG_PORT_CLOSED, EG_PORT_OPEN, EG_PORT_RETRYING, EG_PORT_FAILED };

struct eg_port {
	/* set by the owner */
	const struct eg_connector_type *type;
	struct eg_connector_options options;
	bool target;
	const char *name; /* "source", "target": in logs */
	struct eg_backoff backoff;
	int64_t slow_us; /* between attempts while failed */
	/* the port's own */
	enum eg_port_state state;
	struct eg_connector *connector; /* NULL unless open */
	int64_t not_before_us;
	uint64_t failures;  /* since the start */
	struct eg_err last; /* of the last failure */
};

/* Opens it if it is due; is it open? */
bool eg_port_ready(struct eg_port *p, int64_t now_us);
/* A call of the connector failed: closes it, so that its rows come again, and sets the next attempt. */
void eg_port_fail(struct eg_port *p, int64_t now_us, const struct eg_err *err);
void eg_port_worked(
        struct eg_port *p); /* a call did something: the next failure begins at the shortest wait */
void eg_port_close(struct eg_port *p);
const char *eg_port_state_name(enum eg_port_state s); /* "open" */

#endif
