/* table: a hash table from 16-byte keys to pointers, in memory of an arena.
 *
 * Keys are tokens, random ids or row numbers: the first two cannot be chosen by a sender, so no collision can
 * be forced. Nothing is taken out; the whole table goes with its arena. Thread: one at a time. */
#ifndef EG_FLOW_TABLE_H
#define EG_FLOW_TABLE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct eg_table_slot {
	uint8_t key[16];
	void *value; /* NULL: free */
};
struct eg_table {
	struct eg_table_slot *slots;
	size_t n, cap; /* cap is a power of two, or 0 */
};

void *eg_table_get(const struct eg_table *t, const uint8_t key[16]); /* NULL: none */
/* Puts or replaces; false when the arena's budget is spent. */
bool eg_table_put(struct eg_table *t, struct eg_arena *a, const uint8_t key[16], void *value);
void eg_table_row_key(int64_t row, uint8_t key[16]); /* a row number as a key */

#endif
