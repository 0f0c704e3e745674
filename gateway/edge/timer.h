/* timer: one thread that calls back at given times.
 *
 * A timer is part of the object it is for. Callbacks are short and must not block: they put a job. Thread:
 * any. Its pulse (base/pulse.h): it goes round, once a second at least. */
#ifndef EG_EDGE_TIMER_H
#define EG_EDGE_TIMER_H

#include "eldergate/err.h"

#include <stdint.h>

struct eg_timers;

struct eg_timer {
	struct eg_timer *next, *before;   /* the timers' */
	int64_t at;                       /* monotonic; 0: not set */
	void (*ring)(struct eg_timer *t); /* on the timers' thread; the timer is not set any more */
};

enum eg_rc eg_timers_start(struct eg_timers **out, struct eg_err *err);
void eg_timer_set(struct eg_timers *s, struct eg_timer *t, int64_t mono_us); /* moves it if it was set */
/* True: it was set, and will not ring. False: it has rung, or is ringing now. */
bool eg_timer_cancel(struct eg_timers *s, struct eg_timer *t);
void eg_timers_stop(struct eg_timers *s); /* joins; what is still set never rings. NULL is fine */

#endif
