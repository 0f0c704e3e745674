/* refusals: rows that were refused here and rows that need no sending, gathered into few calls of settle.
 *
 * Texts are copied. Bounded: full at EG_REFUSALS_MAX. Thread: the agent's. */
#ifndef EG_ADAPTERS_REFUSALS_H
#define EG_ADAPTERS_REFUSALS_H

#include "common/mapper.h"

enum { EG_REFUSALS_MAX = 256 };

struct eg_refusals {
	struct eg_verdict v[EG_REFUSALS_MAX]; /* refs ascend */
	unsigned n;
	struct {
		size_t reason, field, text;
	} at[EG_REFUSALS_MAX];
	struct eg_buf texts;
};

/* Only while n < EG_REFUSALS_MAX. */
void eg_refusals_taken(struct eg_refusals *r, uint64_t ref);
void eg_refusals_add(struct eg_refusals *r, uint64_t ref, const char *reason, const char *field,
                     const char *text);
void eg_refusals_faults(struct eg_refusals *r, uint64_t ref, const struct eg_mapped *row);
/* Sets the texts of v; false: no memory, nothing may be settled from it. */
bool eg_refusals_ready(struct eg_refusals *r);
void eg_refusals_reset(struct eg_refusals *r);
void eg_refusals_free(struct eg_refusals *r); /* what it owns */

#endif
