/* lag: makes a case of each person whom other evidence has had dead for longer than the grace, while the
 * police still have them as alive.
 *
 * "Police: alive, funeral: dead" is normal for weeks. Table lag has one row for each person whose lag is not
 * a case yet, kept by the persons' own versions (effects.c); the grace counts from when the gateway knew, by
 * its own clock. It does not begin anew with a person: one that is merged with another has the older of their
 * lags, and a case if one of them had it. Thread: the writer's. */
#ifndef EG_FLOW_LAG_H
#define EG_FLOW_LAG_H

#include "flow/merge.h"

#define EG_LAGS_MAX 256 /* cases that one commit opens; the rest follow in the next */

/* Is a grace over that nobody made a case of yet? */
enum eg_rc eg_lag_waits(struct eg_conn *c, int64_t until_us, struct eg_arena *a, bool *waits,
                        struct eg_err *err);
/* Appends a TIMER entry, and the entries of the cases that it opens, for lags since until_us or longer.
 * Nothing if there are none. */
enum eg_rc eg_lag_fill(struct eg_merge *m, int64_t until_us, struct eg_err *err);

#endif
