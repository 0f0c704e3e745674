/* opening: opens a log for the one that writes it.
 *
 * A store without entries gets its first one, START, with a new random log id; one with entries must have
 * kept its id. Thread: the writer's owner, before the writer starts. */
#ifndef EG_FLOW_OPENING_H
#define EG_FLOW_OPENING_H

#include "flow/tail.h"

/* What stands at the end of the log, and what all of it comes to. */
struct eg_opening {
	uint8_t id[16];
	uint64_t signed_size; /* of the newest checkpoint; 0: there is none */
	int64_t persons;
	int64_t open_cases[EG_CASE_LIST_SHRINK + 1]; /* by kind */
};

/* Opens the tail too (close it: eg_tail_close). The arena is for reading only: it is left in any state. */
enum eg_rc eg_opening_read(struct eg_opening *out, struct eg_store *s, struct eg_vault *v,
                           struct eg_tail *tail, struct eg_arena *a, struct eg_err *err);

#endif
