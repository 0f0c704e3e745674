/* watchdog: see watchdog.h. Locks: lock, for what main changes. */
#include "watchdog.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US      EG_SECOND /* the longest between two looks */
#define LOOKS_OF_ONE 4         /* in a patience, and in the manager's, so that both are kept to well */

struct eg_watchdog {
	struct eg_thread *thread;
	int64_t asked_us; /* the manager's WATCHDOG_USEC; 0: it does not ask */
	char stuck[16];   /* the loop that was told; "": none; the thread's */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	int64_t stall_us; /* guarded */
	bool stopping;    /* guarded */
};

static void look(struct eg_watchdog *w, int64_t stall_us)
{
	char name[16] = "", status[128];
	int64_t late = eg_pulse_late(stall_us, name);
	if (late && strcmp(name, w->stuck) != 0) {
		eg_log(EG_LOG_ERROR, "loop.stuck", EG_T("loop", name),
		       EG_R("seconds", (double)late / EG_SECOND));
		snprintf(status, sizeof status, "the loop %s has stood still for %lld s", name,
		         (long long)(late / EG_SECOND));
		eg_notify_status(status);
	}
	if (!late && *w->stuck) {
		eg_log(EG_LOG_WARN, "loop.turns", EG_T("loop", w->stuck));
		eg_notify_status("every loop turns again");
	}
	memcpy(w->stuck, name, sizeof name);
	if (!late && w->asked_us)
		eg_notify("WATCHDOG=1");
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void run(void *arg)
{
	struct eg_watchdog *w = arg;
	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		int64_t stall = w->stall_us, every = least(LOOK_US, stall / LOOKS_OF_ONE);
		pthread_mutex_unlock(&w->lock);
		look(w, stall);
		if (w->asked_us)
			every = least(every, w->asked_us / LOOKS_OF_ONE);
		struct timespec until = eg_mono_deadline(eg_mono_us() + every);
		pthread_mutex_lock(&w->lock);
		if (!w->stopping)
			pthread_cond_timedwait(&w->moved, &w->lock, &until);
	}
	pthread_mutex_unlock(&w->lock);
}

enum eg_rc eg_watchdog_start(struct eg_watchdog **out, int64_t stall_us, struct eg_err *err)
{
	struct eg_watchdog *w = calloc(1, sizeof *w);
	if (!w)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the watchdog");
	w->asked_us = eg_notify_watchdog_us();
	w->stall_us = stall_us;
	pthread_mutex_init(&w->lock, NULL);
	eg_mono_cond(&w->moved);
	enum eg_rc rc = eg_thread_start(&w->thread, "watchdog", run, w, err);
	if (rc) {
		eg_watchdog_stop(w);
		return rc;
	}
	*out = w;
	return EG_OK;
}

void eg_watchdog_patience(struct eg_watchdog *w, int64_t stall_us)
{
	pthread_mutex_lock(&w->lock);
	w->stall_us = stall_us;
	pthread_cond_signal(&w->moved);
	pthread_mutex_unlock(&w->lock);
}

void eg_watchdog_stop(struct eg_watchdog *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->moved);
	pthread_mutex_unlock(&w->lock);
	eg_thread_join(w->thread);
	pthread_cond_destroy(&w->moved);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
