/* relay_topics: one session of the relay with its three topics, from the fencing to the last transaction.
 *
 *   open: the mark is of this log → both producers fence every older one → nothing stays in limbo
 *   (relay_limbo.h) → the mark → the newest message of each partition → where to read the log on
 *   (relay_mark.h)
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

struct eg_relay_around {
	void *arg;
	/* Leaf data of the log's entry; EG_EMPTY: the log does not reach so far. */
	enum eg_rc (*leaf)(void *arg, uint64_t seq, uint8_t leaf[32], struct eg_err *err);
	int64_t (*give_up)(void *arg); /* kafka.h */
};

/* Borrows o and the arg. EG_PRECONDITION: the topics belong to another log, or to this one as it went on from
 * an older copy of the store. Where the mark tells so, the gateway that publishes there is not thrown out. */
enum eg_rc eg_relay_topics_open(struct eg_relay_topics **out, const struct eg_relay_options *o,
                                const struct eg_relay_around *around, struct eg_err *err);
void eg_relay_topics_close(struct eg_relay_topics *t);          /* NULL is fine */
uint64_t eg_relay_topics_mark(const struct eg_relay_topics *t); /* the log is to be read on from here */
/* All events of the log behind the mark and up to seq, in its order. *sent: those that were not there yet. */
enum eg_rc eg_relay_topics_publish(struct eg_relay_topics *t, const struct eg_relay_outgoing *events,
                                   unsigned n, uint64_t seq, unsigned *sent, struct eg_err *err);

#endif
