/* backoff: see backoff.h. */
#include "common/backoff.h"

#include "trust/crypto.h"

int64_t eg_backoff_next(struct eg_backoff *b)
{
	uint64_t random;
	int64_t now = b->next_us ? b->next_us : b->least_us;
	eg_random(&random, sizeof random);
	b->next_us = now > b->most_us / 2 ? b->most_us : 2 * now;
	return now / 2 + (int64_t)(random % (uint64_t)(now - now / 2 + 1));
}

void eg_backoff_reset(struct eg_backoff *b)
{
	b->next_us = 0;
}
