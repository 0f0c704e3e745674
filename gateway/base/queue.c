/* queue: four rings under one mutex, with putters that wait in line.
 *
 * Invariants: a lane holds at most its limits' items, and at most their bytes unless it holds one item alone.
 * Putters of a lane that find no room wait in order of arrival, so a large item is not overtaken for ever by
 * small ones. A line's head waits for room; everybody behind it waits to be the head. Locks: q->lock, held
 * for every field. */
#include "base/queue.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct slot {
	void *item;
	size_t bytes;
};

/* A putter in line; lives on its stack. */
struct waiter {
	struct waiter *next;
	pthread_cond_t turn;
};

struct lane {
	struct slot *ring;
	size_t first, items, bytes;
	struct waiter *line;
};

struct eg_queue {
	pthread_mutex_t lock;
	pthread_cond_t some; /* an item came, or the queue closed */
	struct eg_queue_limits limits;
	struct lane lanes[EG_QUEUE_LANES];
	bool closed;
};

struct eg_queue *eg_queue_new(struct eg_queue_limits limits)
{
	if (limits.items == 0)
		return NULL;
	struct eg_queue *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		q->lanes[i].ring = calloc(limits.items, sizeof(struct slot));
		if (!q->lanes[i].ring)
			goto fail;
	}
	q->limits = limits;
	pthread_mutex_init(&q->lock, NULL);
	eg_mono_cond(&q->some);
	return q;
fail:
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++)
		free(q->lanes[i].ring);
	free(q);
	return NULL;
}

static bool has_room(const struct eg_queue *q, const struct lane *l, size_t bytes)
{
	if (l->items == 0)
		return true;
	return l->items < q->limits.items && l->bytes <= q->limits.bytes &&
	       bytes <= q->limits.bytes - l->bytes;
}

static void signal_line(struct lane *l)
{
	if (l->line)
		pthread_cond_signal(&l->line->turn);
}

/* Waits, last in the lane's line, for room. Called and left with the lock held. */
static enum eg_rc wait_in_line(struct eg_queue *q, struct lane *l, size_t bytes, int64_t mono_deadline_us)
{
	struct timespec deadline = eg_mono_deadline(mono_deadline_us);
	struct waiter self = {0}, **at = &l->line;
	enum eg_rc rc = EG_OK;
	eg_mono_cond(&self.turn);
	while (*at)
		at = &(*at)->next;
	*at = &self;

	bool late = false;
	for (;;) {
		if (q->closed)
			rc = EG_CLOSED;
		else if (l->line == &self && has_room(q, l, bytes))
			rc = EG_OK;
		else if (late)
			rc = EG_DEADLINE;
		else {
			late = pthread_cond_timedwait(&self.turn, &q->lock, &deadline) == ETIMEDOUT;
			continue;
		}
		break;
	}
	for (at = &l->line; *at != &self; at = &(*at)->next)
		;
	*at = self.next;
	pthread_cond_destroy(&self.turn);
	return rc;
}

enum eg_rc eg_queue_put(struct eg_queue *q, unsigned lane, void *item, size_t bytes, int64_t mono_deadline_us)
{
	assert(lane < EG_QUEUE_LANES);
	struct lane *l = &q->lanes[lane];
	enum eg_rc rc = EG_OK;
	pthread_mutex_lock(&q->lock);
	if (q->closed)
		rc = EG_CLOSED;
	else if (l->line || !has_room(q, l, bytes))
		rc = mono_deadline_us ? wait_in_line(q, l, bytes, mono_deadline_us) : EG_DEADLINE;
	if (rc == EG_OK) {
		size_t at = (l->first + l->items) % q->limits.items;
		l->ring[at] = (struct slot){item, bytes};
		l->items++;
		l->bytes += bytes;
		pthread_cond_signal(&q->some);
	}
	signal_line(l); /* whoever left the line, with or without room, made a new head */
	pthread_mutex_unlock(&q->lock);
	return rc;
}

static size_t take(struct eg_queue *q, void **items, size_t max)
{
	size_t n = 0;
	for (unsigned i = 0; i < EG_QUEUE_LANES && n < max; i++) {
		struct lane *l = &q->lanes[i];
		if (l->items == 0)
			continue;
		for (; l->items && n < max; n++) {
			items[n] = l->ring[l->first].item;
			l->bytes -= l->ring[l->first].bytes;
			l->items--;
			l->first = (l->first + 1) % q->limits.items;
		}
		signal_line(l);
	}
	return n;
}

size_t eg_queue_get(struct eg_queue *q, void **items, size_t max, int64_t mono_deadline_us)
{
	struct timespec deadline = eg_mono_deadline(mono_deadline_us);
	bool late = mono_deadline_us == 0;
	size_t n;
	pthread_mutex_lock(&q->lock);
	while ((n = take(q, items, max)) == 0 && !q->closed && !late)
		late = pthread_cond_timedwait(&q->some, &q->lock, &deadline) == ETIMEDOUT;
	pthread_mutex_unlock(&q->lock);
	return n;
}

void eg_queue_close(struct eg_queue *q)
{
	pthread_mutex_lock(&q->lock);
	q->closed = true;
	pthread_cond_broadcast(&q->some);
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++)
		for (struct waiter *w = q->lanes[i].line; w; w = w->next)
			pthread_cond_signal(&w->turn);
	pthread_mutex_unlock(&q->lock);
}

bool eg_queue_closed(struct eg_queue *q)
{
	pthread_mutex_lock(&q->lock);
	bool done = q->closed;
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++)
		done = done && q->lanes[i].items == 0;
	pthread_mutex_unlock(&q->lock);
	return done;
}

struct eg_queue_depth eg_queue_depth(struct eg_queue *q)
{
	struct eg_queue_depth depth;
	pthread_mutex_lock(&q->lock);
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		depth.items[i] = q->lanes[i].items;
		depth.bytes[i] = q->lanes[i].bytes;
	}
	pthread_mutex_unlock(&q->lock);
	return depth;
}

void eg_queue_free(struct eg_queue *q)
{
	if (!q)
		return;
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		assert(q->lanes[i].items == 0 && !q->lanes[i].line);
		free(q->lanes[i].ring);
	}
	pthread_cond_destroy(&q->some);
	pthread_mutex_destroy(&q->lock);
	free(q);
}
