/* stream: see stream.h. Locks: lock, for the list. */
#include "edge/stream.h"

#include "base/clock.h"

#include <stdlib.h>

struct eg_streams {
	pthread_mutex_t lock;
	struct eg_stream ends; /* of the ring */
};

void eg_stream_open(struct eg_stream *s, struct eg_call *c,
                    bool (*step)(struct eg_job *job, struct eg_worker *w))
{
	struct eg_edge *e = eg_call_owner(c);
	struct eg_streams *all = e->streams;
	s->edge = e;
	s->call = c;
	s->job.run = step;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_lock(&all->lock);
	s->before = all->ends.before;
	s->next = &all->ends;
	s->before->next = s;
	s->next->before = s;
	pthread_mutex_unlock(&all->lock);
}

void eg_stream_kick(struct eg_stream *s)
{
	eg_pool_put(s->edge->pool, &s->job);
}

bool eg_stream_close(struct eg_stream *s)
{
	struct eg_streams *all = s->edge->streams;
	pthread_mutex_lock(&all->lock);
	bool kicked = eg_pool_waits(s->edge->pool, &s->job);
	if (!kicked) {
		s->before->next = s->next;
		s->next->before = s->before;
	}
	pthread_mutex_unlock(&all->lock);
	if (kicked)
		return false;
	pthread_mutex_destroy(&s->lock);
	eg_call_release(s->call);
	return true;
}

enum eg_rc eg_streams_open(struct eg_streams **out, struct eg_err *err)
{
	struct eg_streams *s = calloc(1, sizeof *s);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the list of streams");
	pthread_mutex_init(&s->lock, NULL);
	s->ends.next = s->ends.before = &s->ends;
	*out = s;
	return EG_OK;
}

void eg_streams_kick(struct eg_streams *s)
{
	pthread_mutex_lock(&s->lock);
	for (struct eg_stream *at = s->ends.next; at != &s->ends; at = at->next)
		eg_stream_kick(at);
	pthread_mutex_unlock(&s->lock);
}

void eg_streams_free(struct eg_streams *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}
