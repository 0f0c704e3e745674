/* table_seen: which row was seen in which state, by tokens, never by its key.
 *
 * A bounded map from a row's key to the state it was last seen in. Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_SEEN_H
#define EG_ADAPTERS_TABLE_SEEN_H

#include "eldergate/bytes.h"

#include <stdbool.h>

struct eg_seen;

struct eg_seen_row {
	uint8_t key[16]; /* tokens */
	uint8_t state[8];
	int64_t at; /* its position */
};
#define EG_SEEN_ROW_BYTES 32 /* packed */

struct eg_seen *eg_seen_new(void); /* NULL: no memory */
void eg_seen_free(struct eg_seen *s);
unsigned eg_seen_count(const struct eg_seen *s);
const struct eg_seen_row *eg_seen_get(const struct eg_seen *s, const uint8_t key[16]);
bool eg_seen_put(struct eg_seen *s, const struct eg_seen_row *row); /* false: no memory */
/* Only if it is there in this state. */
void eg_seen_drop(struct eg_seen *s, const uint8_t key[16], const uint8_t state[8]);
void eg_seen_drop_below(struct eg_seen *s, int64_t at);
void eg_seen_pack(const struct eg_seen *s, uint8_t *out); /* count × EG_SEEN_ROW_BYTES */
bool eg_seen_unpack(struct eg_seen *s, struct eg_bytes packed);

#endif
