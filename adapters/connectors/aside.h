/* aside: a thread that makes the calls which may never come back.
 *
 * It owns a context (a connection) and runs one job at a time on it. Whoever waits sets the deadline; when a
 * call hangs, the aside is given up: thread, context and job are left to themselves and are taken away by a
 * later open, once the call came back. At most EG_ASIDE_LOST_MAX may hang at once in a process, then none is
 * opened.
 *
 *   idle --put--> busy --(job ends)--> idle        any --close--> gone, or lost until its call returns
 *
 * Thread: the owner's, but for what says otherwise. */
#ifndef EG_ADAPTERS_ASIDE_H
#define EG_ADAPTERS_ASIDE_H

#include "eldergate/err.h"

#include <stdint.h>

#define EG_ASIDE_LOST_MAX 4

struct eg_aside;

/* Embedded at the start of a job. Success of put lends it to the aside until it is idle again; a lost aside
 * keeps it and frees it by itself, so a job points at nothing that its owner frees. */
struct eg_aside_job {
	void (*run)(struct eg_aside_job *job, void *context, struct eg_aside *a); /* on the aside's thread */
	void (*free)(struct eg_aside_job *job);
};

/* end(context) runs on the aside's thread as its last act; after a failed open the context is the caller's.
 * name: of the thread, ≤ 15 bytes. EG_UNAVAILABLE: too many are lost. */
enum eg_rc eg_aside_open(struct eg_aside **out, const char *name, void *context, void (*end)(void *context),
                         struct eg_err *err);
void eg_aside_put(struct eg_aside *a, struct eg_aside_job *job); /* it must be idle */
/* Is it idle? Waits for it, at most until the deadline. */
bool eg_aside_wait(struct eg_aside *a, int64_t mono_deadline_us);
int64_t eg_aside_silent_us(struct eg_aside *a); /* since the job's last sign of life; 0: idle */
/* Ends it, waiting for the job and for end until the deadline. A job still lent is freed by it, then or
 * later. Returns whether none was: one put before, and not yet waited for, is the caller's again. NULL: none
 * was. */
bool eg_aside_close(struct eg_aside *a, int64_t mono_deadline_us);
unsigned eg_aside_lost(void); /* how many hang now; thread: any */

/* From within a job: it lives; false: nobody waits any more, end without changing anything further. */
bool eg_aside_alive(struct eg_aside *a);

#endif
