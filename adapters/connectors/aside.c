/* aside: a thread, its one job, and the list of those that were given up. */
#include "connectors/aside.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct eg_aside {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct eg_thread *thread;
	void *context;
	void (*end)(void *context);
	struct eg_aside_job *job; /* lent; NULL: idle */
	bool closing, ended;
	atomic_bool unwanted;
	atomic_llong sign_us;
	struct eg_aside *next; /* in lost */
};

static pthread_mutex_t lost_lock = PTHREAD_MUTEX_INITIALIZER;
static struct eg_aside *lost;

static void run(void *arg)
{
	struct eg_aside *a = arg;
	pthread_mutex_lock(&a->lock);
	while (!a->closing || a->job) {
		struct eg_aside_job *job = a->job;
		if (!job) {
			pthread_cond_wait(&a->moved, &a->lock);
			continue;
		}
		pthread_mutex_unlock(&a->lock);
		job->run(job, a->context, a);
		pthread_mutex_lock(&a->lock);
		a->job = NULL;
		if (a->closing)
			job->free(job);
		pthread_cond_broadcast(&a->moved);
	}
	pthread_mutex_unlock(&a->lock);
	a->end(a->context);
	pthread_mutex_lock(&a->lock);
	a->ended = true;
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
}

static void free_aside(struct eg_aside *a)
{
	eg_thread_join(a->thread);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

unsigned eg_aside_lost(void)
{
	unsigned n = 0;
	pthread_mutex_lock(&lost_lock);
	for (struct eg_aside **at = &lost; *at;) {
		struct eg_aside *a = *at;
		pthread_mutex_lock(&a->lock);
		bool ended = a->ended;
		pthread_mutex_unlock(&a->lock);
		if (ended) {
			*at = a->next;
			free_aside(a);
		} else {
			at = &a->next;
			n++;
		}
	}
	pthread_mutex_unlock(&lost_lock);
	return n;
}

enum eg_rc eg_aside_open(struct eg_aside **out, const char *name, void *context, void (*end)(void *context),
                         struct eg_err *err)
{
	unsigned n = eg_aside_lost();
	if (n >= EG_ASIDE_LOST_MAX)
		return eg_fail(
		        err, EG_UNAVAILABLE,
		        "%u calls of drivers hang, no further is begun; look at the database, or start again",
		        n);
	struct eg_aside *a = calloc(1, sizeof *a);
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a thread");
	a->context = context;
	a->end = end;
	eg_mono_cond(&a->moved);
	pthread_mutex_init(&a->lock, NULL);
	enum eg_rc rc = eg_thread_start(&a->thread, name, run, a, err);
	if (rc != EG_OK) {
		free_aside(a);
		return rc;
	}
	*out = a;
	return EG_OK;
}

void eg_aside_put(struct eg_aside *a, struct eg_aside_job *job)
{
	pthread_mutex_lock(&a->lock);
	atomic_store(&a->sign_us, eg_mono_us());
	a->job = job;
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
}

bool eg_aside_wait(struct eg_aside *a, int64_t mono_deadline_us)
{
	struct timespec until = eg_mono_deadline(mono_deadline_us);
	pthread_mutex_lock(&a->lock);
	while (a->job && pthread_cond_timedwait(&a->moved, &a->lock, &until) == 0)
		;
	bool idle = !a->job;
	pthread_mutex_unlock(&a->lock);
	return idle;
}

int64_t eg_aside_silent_us(struct eg_aside *a)
{
	pthread_mutex_lock(&a->lock);
	int64_t silent = a->job ? eg_mono_us() - atomic_load(&a->sign_us) : 0;
	pthread_mutex_unlock(&a->lock);
	return silent;
}

bool eg_aside_close(struct eg_aside *a, int64_t mono_deadline_us)
{
	if (!a)
		return true;
	struct timespec until = eg_mono_deadline(mono_deadline_us);
	atomic_store(&a->unwanted, true);
	pthread_mutex_lock(&a->lock);
	bool idle = !a->job;
	a->closing = true;
	pthread_cond_broadcast(&a->moved);
	while (!a->ended && pthread_cond_timedwait(&a->moved, &a->lock, &until) == 0)
		;
	bool ended = a->ended;
	pthread_mutex_unlock(&a->lock);
	if (ended) {
		free_aside(a);
		return idle;
	}
	pthread_mutex_lock(&lost_lock);
	a->next = lost;
	lost = a;
	pthread_mutex_unlock(&lost_lock);
	return idle;
}

bool eg_aside_alive(struct eg_aside *a)
{
	atomic_store(&a->sign_us, eg_mono_us());
	return !atomic_load(&a->unwanted);
}
