/* wake: a hint that something moved. A hint may be lost or spurious; the store is the truth. Thread: any. */
#ifndef EG_BASE_WAKE_H
#define EG_BASE_WAKE_H

#include <stdbool.h>
#include <stdint.h>

struct eg_wake;

struct eg_wake *eg_wake_new(void);
void eg_wake(struct eg_wake *w);          /* raises the generation; wakes every waiter */
uint64_t eg_wake_seen(struct eg_wake *w); /* the present generation */
/* Waits until the generation differs from seen or the deadline passes; returns the generation then. */
uint64_t eg_wake_wait(struct eg_wake *w, uint64_t seen, int64_t mono_deadline_us);
/* From now on every hint to `from` is passed to `to` as well, for a waiter with several sources; forwards
 * must form no loop. At most EG_WAKE_FORWARDS at once: false when there is no room. stop before either is
 * freed. */
#define EG_WAKE_FORWARDS 8
bool eg_wake_forward(struct eg_wake *from, struct eg_wake *to);
void eg_wake_forward_stop(struct eg_wake *from, struct eg_wake *to);
void eg_wake_free(struct eg_wake *w);

#endif
