/* pulse: what a loop's turns prove: it says at each turn that it turns; a watcher asks which has not for too
 * long.
 *
 * A watched loop never waits without an end, so an idle one turns as well; the one that waits for work alone
 * (a pool) rests while there is none. A step that may take long by right says in between that it goes on.
 * Thread: any; begin and end: the owner's, or the loop's itself. */
#ifndef EG_BASE_PULSE_H
#define EG_BASE_PULSE_H

#include <stdint.h>

#define EG_PULSE_WAIT_US 1000000LL /* the longest that a watched loop waits before it turns again */

struct eg_pulse {
	char name[16];
	_Atomic int64_t turned; /* monotonic; 0: it rests */
	struct eg_pulse *next;  /* of all that are watched */
};

void eg_pulse_begin(struct eg_pulse *p, const char *name); /* watched from now on; it turns */
void eg_pulse_turn(struct eg_pulse *p);
void eg_pulse_rest(struct eg_pulse *p); /* it has nothing to do, and is not late before its next turn */
void eg_pulse_end(struct eg_pulse *p);  /* before its memory goes; one that never began is fine */

/* How long the one that has not turned for the longest has not, if that is more than patience_us; its name
 * then. 0: all turn. */
int64_t eg_pulse_late(int64_t patience_us, char name[16]);

#endif
