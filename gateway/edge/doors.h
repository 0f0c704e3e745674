/* doors: puts tickets into intake without blocking who brings them: a ticket that finds its lane full waits
 * in that lane's own line, so a full bulk lane never stops what brings deaths.
 *
 * How many wait is bounded by who brings them: a stream brings no second ticket while one waits.
 * Thread: put from any; each lane's line has a thread of its own. */
#ifndef EG_EDGE_DOORS_H
#define EG_EDGE_DOORS_H

#include "flow/intake.h"

struct eg_doors;

/* A ticket's place in line; part of the object that brings it, and unused again once done() was called. */
struct eg_place {
	struct eg_place *next;
	struct eg_ticket *ticket;
	int64_t deadline;
};

enum eg_rc eg_doors_open(struct eg_doors **out, struct eg_intake *in, struct eg_err *err);
/* EG_OK: the ticket's done will be called, by the writer or, with rc set, by the line; *waits (may be NULL):
 * it waits in line now. Otherwise, as eg_intake_put says, it is still the caller's. */
enum eg_rc eg_doors_put(struct eg_doors *d, struct eg_ticket *t, struct eg_place *p, int64_t mono_deadline_us,
                        bool *waits, struct eg_err *err);
void eg_doors_close(struct eg_doors *d); /* those in line fail with EG_CLOSED; joins. NULL is fine */

#endif
