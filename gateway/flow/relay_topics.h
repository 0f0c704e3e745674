/* relay_topics: one session of the relay with its three topics, from the fencing to the last transaction.
 *
 *   open: both producers fence every older one → nothing stays in limbo (relay_limbo.h) → the mark → the
 *   newest message of each partition → where to read the log on (relay_mark.h)
 *   publish: events and the new mark in one transaction, by the two producers in turn; an event that its
 *   partition holds already is left out
 *
 * After any error the session is to be closed and a new one opened: nothing is skipped or retried within one.
 * Thread: the relay's. */
#ifndef EG_FLOW_RELAY_TOPICS_H
#define EG_FLOW_RELAY_TOPICS_H

#include "flow/relay.h"

struct eg_relay_topics;

/* One event and, of the compacted topic, the state after it: NULL where the log has a newer one of the
 * person, which will bring its own. */
struct eg_relay_outgoing {
	struct eg_event event;
	const struct eg_event *state;
};

/* Borrows o. head: seq of the log's newest entry; EG_PRECONDITION if the topics have seen more than that, or
 * belong to another log. ended(arg): asked while it waits; true ends the call with EG_CLOSED. */
enum eg_rc eg_relay_topics_open(struct eg_relay_topics **out, const struct eg_relay_options *o, uint64_t head,
                                bool (*ended)(void *arg), void *arg, struct eg_err *err);
void eg_relay_topics_close(struct eg_relay_topics *t);          /* NULL is fine */
uint64_t eg_relay_topics_mark(const struct eg_relay_topics *t); /* the log is to be read on from here */
/* All events of the log behind the mark and up to seq, in its order. *sent: those that were not there yet. */
enum eg_rc eg_relay_topics_publish(struct eg_relay_topics *t, const struct eg_relay_outgoing *events,
                                   unsigned n, uint64_t seq, unsigned *sent, struct eg_err *err);

#endif
