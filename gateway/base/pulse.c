/* pulse: a list of those that are watched, and when each turned. Locks: lock, for the list. */
#include "base/pulse.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct eg_pulse *watched;

void eg_pulse_begin(struct eg_pulse *p, const char *name)
{
	snprintf(p->name, sizeof p->name, "%s", name);
	eg_pulse_turn(p);
	pthread_mutex_lock(&lock);
	p->next = watched;
	watched = p;
	pthread_mutex_unlock(&lock);
}

void eg_pulse_turn(struct eg_pulse *p)
{
	atomic_store_explicit(&p->turned, eg_mono_us(), memory_order_relaxed);
}

void eg_pulse_rest(struct eg_pulse *p)
{
	atomic_store_explicit(&p->turned, 0, memory_order_relaxed);
}

void eg_pulse_end(struct eg_pulse *p)
{
	pthread_mutex_lock(&lock);
	for (struct eg_pulse **at = &watched; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	pthread_mutex_unlock(&lock);
}

int64_t eg_pulse_late(int64_t patience_us, char name[16])
{
	int64_t now = eg_mono_us(), most = 0;
	pthread_mutex_lock(&lock);
	for (const struct eg_pulse *p = watched; p; p = p->next) {
		int64_t turned = atomic_load_explicit(&p->turned, memory_order_relaxed);
		if (!turned || now - turned <= patience_us || now - turned <= most)
			continue;
		most = now - turned;
		memcpy(name, p->name, sizeof p->name);
	}
	pthread_mutex_unlock(&lock);
	return most;
}
