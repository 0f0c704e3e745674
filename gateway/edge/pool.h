/* pool: a fixed number of worker threads that run jobs in the order of their coming.
 *
 * A job is part of the object it works on, so putting never fails and takes no memory; whoever owns the
 * objects bounds how many there are. A job never runs on two threads at once: put while it runs, it runs once
 * more. Thread: put from any; run on a worker, which owns a reader's connection and an arena for what lives
 * during one job. Its pulse (base/pulse.h): a worker takes a job; it rests while none waits. */
#ifndef EG_EDGE_POOL_H
#define EG_EDGE_POOL_H

#include "store/store.h"

#include <stdbool.h>

struct eg_pool;

struct eg_worker {
	struct eg_conn *conn;     /* NULL in a pool without a store */
	struct eg_arena *scratch; /* reset after each job */
};

struct eg_job {
	struct eg_job *next;
	/* True: the job's object is gone, or will be once somebody else is done with it; the pool looks at it
	 * no more. */
	bool (*run)(struct eg_job *job, struct eg_worker *w);
	bool queued, running; /* the pool's */
};

struct eg_pool_options {
	const char *name; /* of the threads, ≤ 12 bytes; a number is added */
	unsigned threads;
	struct eg_store *store; /* NULL: jobs read no store */
	size_t scratch_bytes;   /* budget of a worker's arena */
};

enum eg_rc eg_pool_start(struct eg_pool **out, const struct eg_pool_options *o, struct eg_err *err);
/* A job that is waiting already is not put twice. After eg_pool_stop it is dropped. */
void eg_pool_put(struct eg_pool *p, struct eg_job *job);
bool eg_pool_waits(struct eg_pool *p, struct eg_job *job); /* will it run again? */
/* Runs what waits, then joins. */
void eg_pool_stop(struct eg_pool *p);
void eg_pool_free(struct eg_pool *p); /* after stop; NULL is fine */

#endif
