/* stream: see stream.h. Locks: of the streams, for the list. */
#include "edge/stream.h"

#include "edge/ask.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct eg_streams {
	pthread_mutex_t lock;
	struct eg_stream ends; /* of the ring */
};

struct eg_stream *eg_stream_of(struct eg_job *job)
{
	return (struct eg_stream *)((char *)job - offsetof(struct eg_stream, job));
}

static void ring(struct eg_timer *t)
{
	struct eg_stream *s = (struct eg_stream *)((char *)t - offsetof(struct eg_stream, timer));
	pthread_mutex_lock(&s->lock);
	s->ringing = false;
	eg_stream_kick(s);
	pthread_mutex_unlock(&s->lock);
}

void eg_stream_open(struct eg_stream *s, struct eg_call *c,
                    bool (*step)(struct eg_job *job, struct eg_worker *w))
{
	struct eg_edge *e = eg_call_owner(c);
	struct eg_streams *all = e->streams;
	s->edge = e;
	s->call = c;
	s->job.run = step;
	s->timer.ring = ring;
	eg_call_set_state(c, s);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_lock(&all->lock);
	s->before = all->ends.before;
	s->next = &all->ends;
	s->before->next = s;
	s->next->before = s;
	pthread_mutex_unlock(&all->lock);
}

void eg_stream_begin(struct eg_call *c, struct eg_message *first, size_t size,
                     bool (*step)(struct eg_job *job, struct eg_worker *w))
{
	struct eg_stream *s = calloc(1, size);
	if (!s) {
		struct eg_fault f;
		eg_ask_no_memory(&f);
		eg_call_fail(c, &f);
		eg_message_free(first);
		eg_call_release(c);
		return;
	}
	s->message = first;
	eg_stream_open(s, c, step);
	eg_stream_kick(s); /* safe: without closed() it is not freed, and that comes after this */
}

void eg_stream_on_read(struct eg_call *c, struct eg_message *m)
{
	struct eg_stream *s = eg_call_state(c);
	pthread_mutex_lock(&s->lock);
	s->reading = false;
	s->message = m;
	s->half_closed = !m;
	eg_stream_kick(s);
	pthread_mutex_unlock(&s->lock);
}

void eg_stream_on_closed(struct eg_call *c)
{
	struct eg_stream *s = eg_call_state(c);
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->closed = true;
	eg_stream_kick(s);
	pthread_mutex_unlock(&s->lock);
}

void eg_stream_kick(struct eg_stream *s)
{
	eg_pool_put(s->edge->pool, &s->job);
}

void eg_stream_look_again(struct eg_stream *s, int64_t mono_us)
{
	pthread_mutex_lock(&s->lock);
	if (!s->ringing) {
		s->ringing = true;
		eg_timer_set(s->edge->timers, &s->timer, mono_us);
	}
	pthread_mutex_unlock(&s->lock);
}

void eg_stream_read(struct eg_stream *s)
{
	if (!s->half_closed && !s->reading && !s->message)
		s->reading = eg_call_read(s->call);
}

enum eg_rc eg_stream_admit(struct eg_stream *s, unsigned roles, struct eg_fault *f)
{
	const struct eg_policy *policy = eg_edge_policy_ref(s->edge);
	enum eg_rc rc = s->caller.who ? eg_caller_renew(&s->caller, policy, f)
	                              : eg_caller_open(&s->caller, s->call, policy, f);
	eg_policy_unref(policy);
	return rc ? rc : eg_caller_role(&s->caller, roles, f);
}

enum eg_rc eg_stream_count(struct eg_stream *s, struct eg_fault *f)
{
	if (s->counted)
		return EG_OK;
	enum eg_rc rc = eg_quota_enter(s->edge->quota, s->caller.who->name, &f->err);
	if (rc)
		return rc;
	s->counted = true;
	memcpy(s->name, s->caller.who->name, sizeof s->name);
	return EG_OK;
}

void eg_stream_fail(struct eg_stream *s, const struct eg_fault *f)
{
	eg_edge_refused(s->edge, &s->caller, f);
	eg_call_fail(s->call, f);
}

bool eg_stream_close(struct eg_stream *s)
{
	struct eg_streams *all = s->edge->streams;
	pthread_mutex_lock(&s->lock);
	if (s->closed && s->ringing && eg_timer_cancel(s->edge->timers, &s->timer))
		s->ringing = false;
	bool over = s->closed && !s->reading && !s->ringing && !s->awaited;
	pthread_mutex_unlock(&s->lock);
	if (!over)
		return false;
	pthread_mutex_lock(&all->lock);
	bool kicked = eg_pool_waits(s->edge->pool, &s->job);
	if (!kicked) {
		s->before->next = s->next;
		s->next->before = s->before;
	}
	pthread_mutex_unlock(&all->lock);
	if (kicked)
		return false;
	if (s->counted)
		eg_quota_leave(s->edge->quota, s->name);
	eg_message_free(s->message);
	eg_caller_close(&s->caller);
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
