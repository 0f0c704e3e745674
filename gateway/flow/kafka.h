/* kafka: the few things the relay asks of Kafka; its files are the only users of librdkafka in the daemon.
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
	/* Asked while it waits: mono time from which on it gives up with EG_CLOSED; INT64_MAX: not at all.
	 * NULL: never. A request for metadata or offsets that is under way then is not broken off: it may
	 * outlast that by 4 s. */
	int64_t (*give_up)(void *arg);
	void *give_up_arg;
};

enum { EG_KAFKA_BY_KEY = -1 }; /* a partition by the key's hash, as eg_kafka_partition_of has it */

struct eg_kafka_header {
	const char *name;
	struct eg_bytes value;
};

struct eg_kafka_message {
	const char *topic;
	int partition;
	struct eg_bytes key, value; /* copied */
	int64_t time_us;
	unsigned n_headers;
	const struct eg_kafka_header *headers; /* copied */
	/* Gets the message's offset by flush: the highest of those that share it; -1 where the broker does
	 * not tell. Lives until then, or until close. May be NULL. */
	int64_t *offset;
};

enum eg_rc eg_kafka_open(struct eg_kafka **out, const struct eg_kafka_options *o, struct eg_err *err);
/* Drops what is under way: it is aborted, by now or by the next init; but a commit that was given up may
 * still come to stand, as the mark tells. With a transaction open it takes a second where no broker answers.
 * NULL is fine. */
void eg_kafka_close(struct eg_kafka *k);

/* Fences every older producer of the same transactional id and finishes its transaction. */
enum eg_rc eg_kafka_init(struct eg_kafka *k, struct eg_err *err);
/* Asks for the topics' metadata, so that the first transaction does not wait for it. */
enum eg_rc eg_kafka_know(struct eg_kafka *k, const char *const *topics, unsigned n, struct eg_err *err);
enum eg_rc eg_kafka_begin(struct eg_kafka *k, struct eg_err *err);
enum eg_rc eg_kafka_produce(struct eg_kafka *k, const struct eg_kafka_message *m, struct eg_err *err);
/* Waits for every delivery report; an error if one of them is bad. */
enum eg_rc eg_kafka_flush(struct eg_kafka *k, struct eg_err *err);
enum eg_rc eg_kafka_commit(struct eg_kafka *k, struct eg_err *err);
enum eg_rc eg_kafka_abort(struct eg_kafka *k, struct eg_err *err); /* flush first, or nothing was begun */

/* Makes the topics that are missing. compacted: keeps the newest message per key. */
struct eg_kafka_topic {
	const char *name;
	int partitions, replication;
	bool compacted;
};
enum eg_rc eg_kafka_make_topics(struct eg_kafka *k, const struct eg_kafka_topic *t, unsigned n,
                                struct eg_err *err);
/* The partition of a key among n, as Java's default and our producers' setting have it. */
unsigned eg_kafka_partition_of(struct eg_bytes key, unsigned n);

/* ---- reading ---- */

/* A consumer without a group: reads what it is told to and keeps no positions. */
struct eg_kafka_reader;

struct eg_kafka_place {
	const char *topic;
	int partition;
	int64_t offset;
};

struct eg_kafka_found { /* lives until the function that is called with it returns */
	unsigned place; /* index of its partition among the places read */
	int64_t offset;
	struct eg_bytes key, value;
	const void *message;
};
/* Ends the reading by an error. */
typedef enum eg_rc eg_kafka_each(void *arg, const struct eg_kafka_found *m, struct eg_err *err);
struct eg_bytes eg_kafka_found_header(const struct eg_kafka_found *m, const char *name); /* empty: none */

/* committed: it sees what is committed, to where the first open transaction begins; else all there is. */
enum eg_rc eg_kafka_reader_open(struct eg_kafka_reader **out, const struct eg_kafka_options *o,
                                bool committed, struct eg_err *err);
void eg_kafka_reader_close(struct eg_kafka_reader *r); /* NULL is fine */
enum eg_rc eg_kafka_partitions(struct eg_kafka_reader *r, const char *topic, unsigned *n, struct eg_err *err);
/* Sets each place's offset to the partition's first, or to the one behind the last that this reader can see.
 */
enum eg_rc eg_kafka_begins(struct eg_kafka_reader *r, struct eg_kafka_place *places, unsigned n,
                           struct eg_err *err);
enum eg_rc eg_kafka_ends(struct eg_kafka_reader *r, struct eg_kafka_place *places, unsigned n,
                         struct eg_err *err);
/* Reads each place's partition from its offset to where it ends now; one partition's messages in order. */
enum eg_rc eg_kafka_scan(struct eg_kafka_reader *r, const struct eg_kafka_place *places, unsigned n,
                         eg_kafka_each *each, void *arg, struct eg_err *err);
/* The same for a whole topic. */
enum eg_rc eg_kafka_read(struct eg_kafka_reader *r, const char *topic, eg_kafka_each *each, void *arg,
                         struct eg_err *err);
/* The newest message of this key, reading from ever further back. EG_EMPTY: none. */
enum eg_rc eg_kafka_last(struct eg_kafka_reader *r, const char *topic, const char *key, struct eg_buf *value,
                         struct eg_err *err);

#endif
