/* held: the refs of a full list's rows, by their position in the list, as runs: a list of millions of rows
 * that count up takes a few bytes. Thread: one. */
#ifndef EG_ADAPTERS_HELD_H
#define EG_ADAPTERS_HELD_H

#include <stdbool.h>
#include <stdint.h>

struct eg_held {
	struct eg_held_run {
		uint64_t index, ref, n; /* index + i has ref + i, for i < n */
	} * runs;                       /* owned; ascending in both */
	unsigned n_runs, cap;
	uint64_t next_index;
};

bool eg_held_add(struct eg_held *h, uint64_t ref); /* the next position has this ref; false: no memory */
void eg_held_skip(struct eg_held *h);              /* the next position has none: it is settled already */
bool eg_held_ref(const struct eg_held *h, uint64_t index, uint64_t *ref);
void eg_held_reset(struct eg_held *h); /* frees */

#endif
