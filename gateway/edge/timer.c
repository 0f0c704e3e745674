/* timer: a list ordered by time. Timers are mostly set for a fixed while from now, so a new one goes near the
 * end. Locks: lock, for the list and every timer's links and time. */
#include "edge/timer.h"

#include "base/clock.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

struct eg_timers {
	pthread_mutex_t lock;
	pthread_cond_t moved; /* the first one is another, or it is over */
	struct eg_timer ends; /* of the ring */
	struct eg_thread *thread;
	struct eg_pulse pulse;
	bool stopping;
};

static void take_off(struct eg_timer *t)
{
	t->before->next = t->next;
	t->next->before = t->before;
	t->at = 0;
}

static void run(void *arg)
{
	struct eg_timers *s = arg;
	pthread_mutex_lock(&s->lock);
	eg_pulse_begin(&s->pulse, "edge-timer");
	while (!s->stopping) {
		struct eg_timer *t = s->ends.next;
		int64_t now = eg_mono_us(), turn = now + EG_PULSE_WAIT_US;
		eg_pulse_turn(&s->pulse);
		if (t == &s->ends || t->at > now) {
			struct timespec until =
			        eg_mono_deadline(t == &s->ends || t->at > turn ? turn : t->at);
			pthread_cond_timedwait(&s->moved, &s->lock, &until);
			continue;
		}
		take_off(t);
		pthread_mutex_unlock(&s->lock);
		t->ring(t); /* may free or set it */
		pthread_mutex_lock(&s->lock);
	}
	eg_pulse_end(&s->pulse);
	pthread_mutex_unlock(&s->lock);
}

enum eg_rc eg_timers_start(struct eg_timers **out, struct eg_err *err)
{
	struct eg_timers *s = calloc(1, sizeof *s);
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the timers");
	pthread_mutex_init(&s->lock, NULL);
	eg_mono_cond(&s->moved);
	s->ends.next = s->ends.before = &s->ends;
	enum eg_rc rc = eg_thread_start(&s->thread, "edge-timer", run, s, err);
	if (rc) {
		eg_timers_stop(s);
		return rc;
	}
	*out = s;
	return EG_OK;
}

void eg_timer_set(struct eg_timers *s, struct eg_timer *t, int64_t mono_us)
{
	pthread_mutex_lock(&s->lock);
	if (t->at)
		take_off(t);
	t->at = mono_us > 0 ? mono_us : 1;
	struct eg_timer *after = s->ends.before;
	while (after != &s->ends && after->at > t->at)
		after = after->before;
	t->before = after;
	t->next = after->next;
	after->next->before = t;
	after->next = t;
	if (s->ends.next == t)
		pthread_cond_signal(&s->moved);
	pthread_mutex_unlock(&s->lock);
}

bool eg_timer_cancel(struct eg_timers *s, struct eg_timer *t)
{
	pthread_mutex_lock(&s->lock);
	bool was_set = t->at != 0;
	if (was_set)
		take_off(t);
	pthread_mutex_unlock(&s->lock);
	return was_set;
}

void eg_timers_stop(struct eg_timers *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->moved);
	pthread_mutex_unlock(&s->lock);
	eg_thread_join(s->thread);
	pthread_cond_destroy(&s->moved);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
