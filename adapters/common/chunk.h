/* chunk: some changes as the target takes them, copied out of the feed's windows, at most one of a person:
 * then a refused change never lets a later one of the same person overtake it. Thread: the agent's. */
#ifndef EG_ADAPTERS_CHUNK_H
#define EG_ADAPTERS_CHUNK_H

#include "base/arena.h"
#include "eldergate/connector.h"

enum { EG_CHUNK_BYTES = 8 << 20 }; /* budget of the copies */

struct eg_chunk_item {
	size_t index;                    /* of the window's item */
	const char *log_id, *person_ref; /* in the window */
	uint64_t seq;
	bool person; /* of a snapshot */
};

struct eg_chunk {
	unsigned n, max;
	struct eg_arena *arena;
	struct eg_delivery *deliveries; /* [max]; owned, as are the next two */
	struct eg_delivery_result *results;
	struct eg_chunk_item *items;
};

enum eg_rc eg_chunk_open(struct eg_chunk *c, unsigned max, struct eg_err *err);
void eg_chunk_close(struct eg_chunk *c);
void eg_chunk_reset(struct eg_chunk *c);
bool eg_chunk_takes(const struct eg_chunk *c,
                    const char *person_ref); /* room, and nothing of that person yet */
/* EG_LIMIT: its bytes do not fit (any more). Results start out as EG_BUSY: not delivered. */
enum eg_rc eg_chunk_add(struct eg_chunk *c, const struct eg_delivery *d, const struct eg_chunk_item *item,
                        struct eg_err *err);

#endif
