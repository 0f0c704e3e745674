/* relay_mark: where the relay stands in the log, judged by its own mark and by what each partition holds.
 *
 * A mark says: all events up to seq are published, and the newest message of each partition is this one. A
 * partition that holds less has lost a transaction, so the log is read again from there; one that holds more
 * has kept what the mark lost, so those events are not sent again. Bytes: gateway/FORMAT.md. Pure; thread:
 * its owner's. */
#ifndef EG_FLOW_RELAY_MARK_H
#define EG_FLOW_RELAY_MARK_H

#include "base/buf.h"
#include "eldergate/err.h"

#include <stdbool.h>
#include <stdint.h>

/* What a person can do where the topics and the log do not belong together; the end of an error's text. */
#define EG_RELAY_WAY_OUT                                                                                     \
	"; nothing is published until it is started with the right store, or other topics "                  \
	"(kafka.topic_prefix): deploy/README.md, Kafka: when the relay has halted"

enum { EG_RELAY_CHANGES, EG_RELAY_STATE, EG_RELAY_TOPICS }; /* the topics that a mark speaks of */

/* The newest message of a partition. */
struct eg_relay_place {
	uint64_t seq;   /* of its log entry; 0: there was none yet */
	int64_t offset; /* of the message */
};

struct eg_relay_mark {
	uint64_t seq; /* the log is read on from here */
	/* From where the log was read for the newest transaction. It was committed only after all that was
	 * sent up to here had settled, so no partition can have lost anything of that. 0: not known. */
	uint64_t before;
	/* Leaf data of entry seq as it was marked: the same seq of a log that went another way has another.
	 * Older marks, and those at seq 0, have none. */
	bool has_leaf;
	uint8_t leaf[32];
	struct eg_relay_partitions {
		unsigned n;                /* by so many the keys are spread; 0: the mark does not say */
		struct eg_relay_place *at; /* owned; by partition */
	} topics[EG_RELAY_TOPICS];
};

/* The same as eg_relay_mark with what a partition shows to a read_committed reader. */
struct eg_relay_shown {
	struct eg_relay_place newest; /* seq 0: it shows nothing */
	int64_t low;                  /* first offset that retention has left */
};

void eg_relay_mark_free(struct eg_relay_mark *m); /* and empties */
void eg_relay_mark_write(const struct eg_relay_mark *m, const uint8_t log_id[16], struct eg_buf *out);
/* EG_PRECONDITION: it is the mark of another log, or none at all. */
enum eg_rc eg_relay_mark_read(struct eg_relay_mark *m, const uint8_t log_id[16], struct eg_bytes text,
                              struct eg_err *err);

/* Spreads a topic's keys over n partitions from now on; new ones hold nothing. EG_NO_MEMORY. */
enum eg_rc eg_relay_mark_spread(struct eg_relay_mark *m, unsigned topic, unsigned n, struct eg_err *err);
/* Takes what the topic's partitions show for the truth: shown has one for each that m names. Moves m->seq
 * back to where the first loss can begin, never behind m->before: what came earlier stands, maybe in another
 * partition, since keys move when partitions are added. */
void eg_relay_mark_compare(struct eg_relay_mark *m, unsigned topic, const struct eg_relay_shown *shown);
/* The partition holds the event of this entry already. Events come in log order, so it can only do so after a
 * loss. */
bool eg_relay_mark_holds(const struct eg_relay_mark *m, unsigned topic, unsigned partition, uint64_t seq);
/* Seq of the newest event in any partition. */
uint64_t eg_relay_mark_newest(const struct eg_relay_mark *m);

#endif
