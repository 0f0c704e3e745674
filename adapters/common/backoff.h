/* backoff: how long to wait before the next attempt: twice as long each time, at random within the upper
 * half, so that many adapters cut off together do not come back together. Thread: any. */
#ifndef EG_ADAPTERS_BACKOFF_H
#define EG_ADAPTERS_BACKOFF_H

#include <stdint.h>

struct eg_backoff {
	int64_t least_us, most_us; /* set by the owner; 0 < least ≤ most */
	int64_t next_us;           /* 0: at the beginning */
};

int64_t eg_backoff_next(struct eg_backoff *b); /* how long to wait now; the next one is longer */
void eg_backoff_reset(struct eg_backoff *b);   /* it worked */

#endif
