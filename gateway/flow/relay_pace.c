/* relay_pace: see relay_pace.h. */
#include "flow/relay_pace.h"

/* A transaction has costs of its own, whatever is in it: below this it gains nothing more. */
#define LEAST 500U

static unsigned least(const struct eg_relay_pace *p)
{
	return p->most < LEAST ? p->most : LEAST;
}

struct eg_relay_pace eg_relay_pace_begin(unsigned most)
{
	return (struct eg_relay_pace){most, most, 2 * (uint64_t)most};
}

void eg_relay_pace_took(struct eg_relay_pace *p, unsigned n, int64_t us)
{
	if (n < least(p) && 2 * n < p->events)
		return; /* a small one says nothing of large ones */
	uint64_t fits = (uint64_t)n * EG_RELAY_PACE_US / (uint64_t)(us > 0 ? us : 1);
	if (fits < least(p))
		fits = least(p);
	p->may_wait = (p->may_wait + 2 * fits) / 2;
	if (us > EG_RELAY_PACE_US && fits < p->events)
		p->events = (unsigned)fits;
	else if (us <= EG_RELAY_PACE_US && 2 * n >= p->events)
		p->events = p->events > p->most / 2 ? p->most : 2 * p->events;
}

bool eg_relay_pace_full(const struct eg_relay_pace *p, uint64_t waiting)
{
	return waiting > p->may_wait;
}
