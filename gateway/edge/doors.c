/* doors: see doors.h. Locks: of each line, for its places and its state. */
#include "edge/doors.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

#define TURN_US EG_SECOND /* a waiting put looks this often whether the line is being closed */

struct line {
	struct eg_intake *intake;
	struct eg_thread *thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct eg_place *first, **last;
	bool closing;
};

struct eg_doors {
	struct eg_intake *intake;
	struct line lines[EG_QUEUE_LANES];
};

static struct eg_place *next_place(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	while (!l->first && !l->closing)
		pthread_cond_wait(&l->some, &l->lock);
	struct eg_place *p = l->first;
	if (p) {
		l->first = p->next;
		if (!l->first)
			l->last = &l->first;
	}
	pthread_mutex_unlock(&l->lock);
	return p;
}

static bool closing(struct line *l)
{
	pthread_mutex_lock(&l->lock);
	bool c = l->closing;
	pthread_mutex_unlock(&l->lock);
	return c;
}

static void run(void *arg)
{
	struct line *l = arg;
	struct eg_place *p;
	while ((p = next_place(l))) {
		struct eg_ticket *t = p->ticket;
		struct eg_err err = {0};
		enum eg_rc rc = EG_DEADLINE;
		while (rc == EG_DEADLINE && !closing(l) && eg_mono_us() < p->deadline) {
			int64_t turn = eg_mono_us() + TURN_US;
			rc = eg_intake_put(l->intake, t, turn < p->deadline ? turn : p->deadline, &err);
		}
		if (rc == EG_DEADLINE && closing(l))
			rc = eg_fail(&err, EG_CLOSED, "the gateway is shutting down: send it again later");
		if (rc) {
			t->rc = rc;
			t->err = err;
			t->done(t);
		}
	}
}

enum eg_rc eg_doors_open(struct eg_doors **out, struct eg_intake *in, struct eg_err *err)
{
	static const char *const names[EG_QUEUE_LANES] = {"edge-urgent", "edge-read", "edge-live",
	                                                  "edge-bulk"};
	struct eg_doors *d = calloc(1, sizeof *d);
	enum eg_rc rc = EG_OK;
	if (!d)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the lines before intake");
	d->intake = in;
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		struct line *l = &d->lines[i];
		l->intake = in;
		l->last = &l->first;
		pthread_mutex_init(&l->lock, NULL);
		pthread_cond_init(&l->some, NULL);
		if (!rc)
			rc = eg_thread_start(&l->thread, names[i], run, l, err);
	}
	if (rc) {
		eg_doors_close(d);
		return rc;
	}
	*out = d;
	return EG_OK;
}

enum eg_rc eg_doors_put(struct eg_doors *d, struct eg_ticket *t, struct eg_place *p, int64_t mono_deadline_us,
                        bool *waits, struct eg_err *err)
{
	enum eg_rc rc = eg_intake_put(d->intake, t, 0, err); /* chooses the lane */
	if (waits)
		*waits = rc == EG_DEADLINE;
	if (rc != EG_DEADLINE)
		return rc;
	struct line *l = &d->lines[t->lane];
	pthread_mutex_lock(&l->lock);
	if (l->closing) {
		rc = eg_fail(err, EG_CLOSED, "the gateway is shutting down: send it again later");
	} else {
		*p = (struct eg_place){.ticket = t, .deadline = mono_deadline_us};
		*l->last = p;
		l->last = &p->next;
		pthread_cond_signal(&l->some);
		rc = EG_OK;
	}
	pthread_mutex_unlock(&l->lock);
	return rc;
}

void eg_doors_close(struct eg_doors *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		struct line *l = &d->lines[i];
		pthread_mutex_lock(&l->lock);
		l->closing = true;
		pthread_cond_signal(&l->some);
		pthread_mutex_unlock(&l->lock);
	}
	for (unsigned i = 0; i < EG_QUEUE_LANES; i++) {
		eg_thread_join(d->lines[i].thread);
		pthread_cond_destroy(&d->lines[i].some);
		pthread_mutex_destroy(&d->lines[i].lock);
	}
	free(d);
}
