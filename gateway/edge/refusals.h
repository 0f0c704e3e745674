/* refusals: counts what was refused after authentication, so that the log gets one entry per identity, reason
 * and second, however often somebody knocks.
 *
 * The table is bounded; what finds it full is in the metrics alone. Thread: any. */
#ifndef EG_EDGE_REFUSALS_H
#define EG_EDGE_REFUSALS_H

#include "edge/identity.h"
#include "edge/timer.h"
#include "flow/intake.h"

struct eg_refusals;

enum eg_rc eg_refusals_open(struct eg_refusals **out, struct eg_intake *in, struct eg_timers *timers,
                            struct eg_err *err);
void eg_refusals_add(struct eg_refusals *r, const struct eg_caller *c, enum eg_reason_code reason);
/* Puts what was counted into intake, as far as it has room. Called at stop, before intake closes. */
void eg_refusals_flush(struct eg_refusals *r);
void eg_refusals_close(struct eg_refusals *r); /* after the timers are gone; NULL is fine */

#endif
