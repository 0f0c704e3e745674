/* queue: a bounded queue of pointers in lanes; a lower lane number goes first.
 *
 * Bounded in items and in bytes, per lane, so a full bulk lane never stops the lane of deaths. put waits for
 * room until its deadline; that waiting is the gateway's backpressure. Items belong to the queue from a
 * successful put to get. Thread: any number of putters and getters. */
#ifndef EG_BASE_QUEUE_H
#define EG_BASE_QUEUE_H

#include "eldergate/err.h"

#include <stddef.h>
#include <stdint.h>

#define EG_QUEUE_LANES 4

struct eg_queue;
struct eg_queue_limits {
	size_t items, bytes; /* of each lane */
};
struct eg_queue_depth {
	size_t items[EG_QUEUE_LANES], bytes[EG_QUEUE_LANES];
};

struct eg_queue *eg_queue_new(struct eg_queue_limits limits);
/* EG_OK, EG_DEADLINE (no room before mono_deadline_us; 0: don't wait), EG_CLOSED. An item larger than the
 * lane's bytes is let in when the lane is empty. */
enum eg_rc eg_queue_put(struct eg_queue *q, unsigned lane, void *item, size_t bytes,
                        int64_t mono_deadline_us);
/* Takes up to max items, lanes in order, waiting for the first until the deadline. 0: none came, or closed
 * and empty. */
size_t eg_queue_get(struct eg_queue *q, void **items, size_t max, int64_t mono_deadline_us);
void eg_queue_close(struct eg_queue *q);  /* puts fail from now on, gets drain what is there */
bool eg_queue_closed(struct eg_queue *q); /* closed and drained */
struct eg_queue_depth eg_queue_depth(struct eg_queue *q);
void eg_queue_free(struct eg_queue *q); /* must be empty; NULL is fine */

#endif
