/* pool: one list of waiting jobs, many hands. Locks: lock, for every field, job->queued and job->running. */
#include "edge/pool.h"

#include "base/pulse.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct hand {
	struct eg_pool *pool;
	struct eg_worker worker;
	struct eg_thread *thread;
};

struct eg_pool {
	pthread_mutex_t lock;
	pthread_cond_t some;
	struct eg_job *first, **last;
	bool stopping;
	struct eg_pulse pulse;
	unsigned n;
	struct hand hands[];
};

static struct eg_job *next_job(struct eg_pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->stopping)
		pthread_cond_wait(&p->some, &p->lock);
	struct eg_job *job = p->first;
	if (job) {
		p->first = job->next;
		if (!p->first)
			p->last = &p->first;
		/* Any hand that takes a job is progress; without jobs none is missed. */
		if (p->first)
			eg_pulse_turn(&p->pulse);
		else
			eg_pulse_rest(&p->pulse);
		job->queued = false;
		job->running = true;
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void append(struct eg_pool *p, struct eg_job *job)
{
	if (!p->first)
		eg_pulse_turn(&p->pulse);
	job->next = NULL;
	*p->last = job;
	p->last = &job->next;
	pthread_cond_signal(&p->some);
}

static void stays(struct eg_pool *p, struct eg_job *job)
{
	pthread_mutex_lock(&p->lock);
	job->running = false;
	if (job->queued)
		append(p, job);
	pthread_mutex_unlock(&p->lock);
}

static void run(void *arg)
{
	struct hand *h = arg;
	struct eg_job *job;
	while ((job = next_job(h->pool))) {
		bool gone = job->run(job, &h->worker);
		if (!gone)
			stays(h->pool, job);
		eg_arena_reset(h->worker.scratch);
	}
}

enum eg_rc eg_pool_start(struct eg_pool **out, const struct eg_pool_options *o, struct eg_err *err)
{
	struct eg_pool *p = calloc(1, sizeof *p + o->threads * sizeof *p->hands);
	enum eg_rc rc = EG_OK;
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a pool of workers");
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->some, NULL);
	p->last = &p->first;
	eg_pulse_begin(&p->pulse, o->name);
	eg_pulse_rest(&p->pulse);
	while (!rc && p->n < o->threads) {
		struct hand *h = &p->hands[p->n];
		char name[32];
		snprintf(name, sizeof name, "%.12s-%u", o->name, p->n);
		name[15] = 0;
		h->pool = p;
		h->worker.scratch = eg_arena_new(o->scratch_bytes);
		if (!h->worker.scratch)
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for a worker");
		if (!rc && o->store)
			rc = eg_store_reader(o->store, &h->worker.conn, err);
		if (!rc)
			rc = eg_thread_start(&h->thread, name, run, h, err);
		p->n++;
	}
	if (rc) {
		eg_pool_stop(p);
		eg_pool_free(p);
		return rc;
	}
	*out = p;
	return EG_OK;
}

void eg_pool_put(struct eg_pool *p, struct eg_job *job)
{
	pthread_mutex_lock(&p->lock);
	if (!job->queued && !p->stopping) {
		job->queued = true;
		if (!job->running)
			append(p, job);
	}
	pthread_mutex_unlock(&p->lock);
}

bool eg_pool_waits(struct eg_pool *p, struct eg_job *job)
{
	pthread_mutex_lock(&p->lock);
	bool waits = job->queued;
	pthread_mutex_unlock(&p->lock);
	return waits;
}

void eg_pool_stop(struct eg_pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->some);
	pthread_mutex_unlock(&p->lock);
	eg_pulse_end(&p->pulse);
	for (unsigned i = 0; i < p->n; i++) {
		struct hand *h = &p->hands[i];
		eg_thread_join(h->thread);
		if (h->worker.conn)
			eg_conn_close(h->worker.conn);
		eg_arena_free(h->worker.scratch);
		*h = (struct hand){0};
	}
	p->n = 0;
}

void eg_pool_free(struct eg_pool *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->some);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
