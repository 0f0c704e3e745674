/* kafka: the few things the relay asks of Kafka; the only user of librdkafka in the daemon.
 *
 * A producer is transactional: open → init → (begin → produce... → flush → commit)*. After any error it is to
 * be closed and the relay begins anew from its mark: nothing is ever skipped or retried across sessions.
 * Thread: the relay's alone. Errors' texts come from librdkafka and name brokers and topics, never message
 * contents. */
#ifndef EG_FLOW_KAFKA_H
#define EG_FLOW_KAFKA_H

#include "base/buf.h"
#include "eldergate/err.h"

struct eg_kafka; /* a transactional producer */

struct eg_kafka_options {
	const char *bootstrap;
	const char *transactional_id;
	const char *const *settings; /* name, value, ..., NULL; they win over ours */
	int timeout_ms;              /* of messages and transactions; default 10000 */
};

struct eg_kafka_header {
	const char *name;
	struct eg_bytes value;
};

struct eg_kafka_message {
	const char *topic;
	struct eg_bytes key, value; /* copied */
	int64_t time_us;
	unsigned n_headers;
	const struct eg_kafka_header *headers; /* copied */
};

enum eg_rc eg_kafka_open(struct eg_kafka **out, const struct eg_kafka_options *o, struct eg_err *err);
void eg_kafka_close(struct eg_kafka *k); /* drops what is under way: the next init aborts it; NULL is fine */

/* Fences every older producer of the same transactional id and finishes its transaction. */
enum eg_rc eg_kafka_init(struct eg_kafka *k, struct eg_err *err);
/* Asks for the topics' metadata, so that the first transaction does not wait for it. */
enum eg_rc eg_kafka_know(struct eg_kafka *k, const char *const *topics, unsigned n, struct eg_err *err);
enum eg_rc eg_kafka_begin(struct eg_kafka *k, struct eg_err *err);
enum eg_rc eg_kafka_produce(struct eg_kafka *k, const struct eg_kafka_message *m, struct eg_err *err);
/* Waits for every delivery report; an error if one of them is bad. */
enum eg_rc eg_kafka_flush(struct eg_kafka *k, struct eg_err *err);
enum eg_rc eg_kafka_commit(struct eg_kafka *k, struct eg_err *err);

/* Makes the topics that are missing. compacted: keeps the newest message per key. */
struct eg_kafka_topic {
	const char *name;
	int partitions, replication;
	bool compacted;
};
enum eg_rc eg_kafka_make_topics(struct eg_kafka *k, const struct eg_kafka_topic *t, unsigned n,
                                struct eg_err *err);
/* The newest committed message of this key, reading the whole topic (read_committed, to its end). EG_EMPTY:
 * none. */
enum eg_rc eg_kafka_last(const struct eg_kafka_options *o, const char *topic, const char *key,
                         struct eg_buf *value, struct eg_err *err);
/* Reads the topic from its beginning to where it ends now (read_committed): one partition's messages in their
 * order. each may be called for no message. key and value live until it returns; it ends the reading by an
 * error. */
enum eg_rc eg_kafka_read(const struct eg_kafka_options *o, const char *topic,
                         enum eg_rc (*each)(void *arg, struct eg_bytes key, struct eg_bytes value,
                                            struct eg_err *err),
                         void *arg, struct eg_err *err);
/* Does the topic hold any message at all? */
enum eg_rc eg_kafka_has_messages(struct eg_kafka *k, const char *topic, bool *has, struct eg_err *err);

#endif
