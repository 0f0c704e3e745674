/* relay_pace: how many events go into a transaction, and how many may wait, so that a new one is soon out.
 *
 * What comes now waits for the transaction under way and for all that stands before it in the log, since the
 * order holds. So a transaction is to take no longer than EG_RELAY_PACE_US at the speed that the broker has,
 * and bulk is told to wait as soon as there is more ahead than is published in twice that time. Age alone,
 * the other rule (eg_relay_behind), tells too late: in one second the writer commits what a slow broker takes
 * many for.
 * Pure; thread: its owner's. */
#ifndef EG_FLOW_RELAY_PACE_H
#define EG_FLOW_RELAY_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define EG_RELAY_PACE_US 150000

struct eg_relay_pace {
	unsigned most;     /* events of a transaction, as configured */
	unsigned events;   /* as it goes now */
	uint64_t may_wait; /* entries, before bulk waits */
};

struct eg_relay_pace eg_relay_pace_begin(unsigned most);
/* A transaction with n events took so long, from the reading of the log to its commit. */
void eg_relay_pace_took(struct eg_relay_pace *p, unsigned n, int64_t us);
bool eg_relay_pace_full(const struct eg_relay_pace *p, uint64_t waiting);

#endif
