/* wake: a generation number under a mutex, with one condition for all waiters. Thread: any. */
#include "base/wake.h"

#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct eg_wake {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t generation;
	struct eg_wake *forwards[EG_WAKE_FORWARDS];
};

struct eg_wake *eg_wake_new(void)
{
	struct eg_wake *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	eg_mono_cond(&w->moved);
	return w;
}

void eg_wake(struct eg_wake *w)
{
	pthread_mutex_lock(&w->lock);
	w->generation++;
	pthread_cond_broadcast(&w->moved);
	/* Under the lock, so that a stopped forward is called no more; locks are taken along the forwards,
	 * which have no loop. */
	for (unsigned i = 0; i < EG_WAKE_FORWARDS; i++)
		if (w->forwards[i])
			eg_wake(w->forwards[i]);
	pthread_mutex_unlock(&w->lock);
}

static bool replace(struct eg_wake *from, struct eg_wake *old, struct eg_wake *new)
{
	bool found = false;
	pthread_mutex_lock(&from->lock);
	for (unsigned i = 0; i < EG_WAKE_FORWARDS && !found; i++)
		if (from->forwards[i] == old) {
			from->forwards[i] = new;
			found = true;
		}
	pthread_mutex_unlock(&from->lock);
	return found;
}

bool eg_wake_forward(struct eg_wake *from, struct eg_wake *to)
{
	return replace(from, NULL, to);
}

void eg_wake_forward_stop(struct eg_wake *from, struct eg_wake *to)
{
	replace(from, to, NULL);
}

uint64_t eg_wake_seen(struct eg_wake *w)
{
	pthread_mutex_lock(&w->lock);
	uint64_t generation = w->generation;
	pthread_mutex_unlock(&w->lock);
	return generation;
}

uint64_t eg_wake_wait(struct eg_wake *w, uint64_t seen, int64_t mono_deadline_us)
{
	struct timespec deadline = eg_mono_deadline(mono_deadline_us);
	pthread_mutex_lock(&w->lock);
	while (w->generation == seen)
		if (pthread_cond_timedwait(&w->moved, &w->lock, &deadline) == ETIMEDOUT)
			break;
	uint64_t generation = w->generation;
	pthread_mutex_unlock(&w->lock);
	return generation;
}

void eg_wake_free(struct eg_wake *w)
{
	if (!w)
		return;
	pthread_cond_destroy(&w->moved);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
