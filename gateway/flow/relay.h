/* relay: publishes the log's events to Kafka, exactly once, in log order per person.
 *
 * Two transactional producers used in turn; each transaction carries events and the new mark
 * (relay_topics.h). A session begins with init_transactions on both, then reads how far the topics are: the
 * mark of the compacted relay topic, and the newest message of each partition. On any delivery error or
 * unknown outcome: destroy both, start again; it never skips on.
 *
 * The mark alone was not enough. A Kafka broker (4.3.1) that was killed right after it answered a commit may,
 * started again, leave out the commit markers of some partitions and report the transaction complete: those
 * partitions, the mark's among them, hide records that the producer's next commit makes visible. A relay that
 * believed the old mark published them twice. So what is in limbo is ended first (relay_limbo.h), what a
 * partition has lost is published again, and what it has kept is left out (relay_mark.h).
 *
 * Where the topics do not belong to this log, or to a later state of it than the store that was put back, the
 * relay halts: what to publish, and where, is then for a person to say (deploy/README.md).
 *
 * Thread: its own. Kafka down: it waits, memory stays bounded, the backlog shows in metrics. Its pulse
 * (base/pulse.h): it looks whether it is to stop. Waiting for a broker is no standstill; a call into the
 * client that never comes back is. */
#ifndef EG_FLOW_RELAY_H
#define EG_FLOW_RELAY_H

#include "flow/event.h"
#include "flow/writer.h"

struct eg_relay;

struct eg_relay_options {
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_writer *writer;
	const char *bootstrap;        /* "host:port,..." */
	const char *topic_prefix;     /* "elder" → elder.changes.v1, elder.state.v1, elder.relay.v1 */
	const char *transactional_id; /* base; "-a" and "-b" are added */
	const char *const *settings;  /* further librdkafka settings: name, value, ..., NULL */
	const char *source_uri;       /* ce_source */
	int partitions, replication;  /* of topics it creates when they are missing; 0: it creates none */
	unsigned max_events;          /* per transaction; default 2000 */
	bool development;             /* a broker without real transactions: named non-durable in the log */
	const unsigned *fields;       /* view fields that the topics may carry */
	unsigned n_fields;
	/* Encodes the message values (the edge's protobuf); changes and state. */
	enum eg_rc (*encode_event)(const struct eg_event *e, struct eg_buf *out, struct eg_err *err);
	enum eg_rc (*encode_state)(const struct eg_event *e, struct eg_buf *out, struct eg_err *err);
};

enum eg_rc eg_relay_start(struct eg_relay **out, const struct eg_relay_options *o, struct eg_err *err);
/* Publishes what it can until the deadline, joins. The deadline ends every wait, but for a request for
 * metadata or offsets that began before the stop and that no broker answers: up to 4 s. The status stays
 * readable. */
void eg_relay_drain(struct eg_relay *r, int64_t mono_deadline_us);
void eg_relay_stop(struct eg_relay *r,
                   int64_t mono_deadline_us); /* drains if that was not done, then frees */

struct eg_relay_status {
	bool connected;
	uint64_t mark;   /* last seq committed to the topic */
	uint64_t passed; /* none up to here waits but those that oldest_unpublished_us speaks of */
	int64_t oldest_unpublished_us; /* time of the oldest entry not yet published; 0: none */
	char last_error[320];          /* a person has to act where it says "nothing is published until" */
};
void eg_relay_status(struct eg_relay *r, struct eg_relay_status *out);
/* Is the oldest unpublished change older than a second, or more behind it than is soon published
 * (relay_pace.h)? Bulk waits then; when the broker cannot be reached at all, the log is the buffer. NULL:
 * never. */
bool eg_relay_behind(struct eg_relay *r);

#endif
