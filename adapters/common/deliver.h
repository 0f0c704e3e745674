/* deliver: the gateway's changes to the agency's system, in order, at least once, with the cursor behind
 * them.
 *
 *   window --mapped--> chunk --target--> delivered, or parked --> cursor saved
 *
 * The cursor is saved only when everything before it was delivered or parked. A change that is refused
 * several times is parked, and so is every later one of the same person, so that each person's order holds. A
 * target that fails for a while is tried again, and nothing overtakes; only a change that keeps failing by
 * itself is parked in the end. Thread: the agent's. */
#ifndef EG_ADAPTERS_DELIVER_H
#define EG_ADAPTERS_DELIVER_H

#include "common/counts.h"
#include "common/limits.h"
#include "common/mapping.h"
#include "eldergate/link.h"

struct eg_deliver;

struct eg_deliver_options {
	const struct eg_mapping *mapping; /* has an outbound section */
	struct eg_link *link;
	struct eg_checkpoint *checkpoint;
	const struct eg_limits *limits;
	struct eg_counts *counts;
	bool once;
};

enum eg_rc eg_deliver_open(struct eg_deliver **out, const struct eg_deliver_options *o, struct eg_err *err);
void eg_deliver_close(struct eg_deliver *d); /* NULL is fine */

/* One chunk at most, so that the link has its turn. True: there may be more to do at once. */
bool eg_deliver_turn(struct eg_deliver *d, int64_t now_us);
bool eg_deliver_event(struct eg_deliver *d, const struct eg_link_event *e, int64_t now_us); /* was it ours? */
bool eg_deliver_asks(const struct eg_deliver *d); /* does it wait for an answer of the gateway? */
int64_t eg_deliver_due(const struct eg_deliver *d);
void eg_deliver_stop(struct eg_deliver *d);       /* ends the subscription; nothing more is delivered */
bool eg_deliver_done(const struct eg_deliver *d); /* once: everything that happened until now is delivered */
void eg_deliver_standing(const struct eg_deliver *d, struct eg_standing *out);
void eg_deliver_trouble(const struct eg_deliver *d, struct eg_err *err, bool *needs_mending);

#endif
