/* wire: batches of records, straight from the bytes of SubmitRequest and ResubmitRequest into the model's
 * claims.
 *
 * The result is what a protobuf parser would give (repeated fields merge, the last one wins), found strictly:
 * a record that is cut off, has wrong wire types or cannot be read becomes a malformed item with its reason
 * and field path, and never fails its batch. Only a broken outer message does. Texts are views into the
 * message; whether they are UTF-8, known codes and real dates is for intake's grading, but for what a claim
 * cannot even hold. Pure. */
#ifndef EG_EDGE_WIRE_H
#define EG_EDGE_WIRE_H

#include "flow/ticket.h"

/* The outer message. */
struct eg_batch {
	struct eg_bytes batch_id, dataset;
	int lane;     /* number of the protocol's Lane; of a SubmitRequest */
	bool dry_run; /* likewise */
	unsigned n;   /* records or corrections */
	struct eg_bytes message;
};

/* Reads a SubmitRequest, or (corrections) a ResubmitRequest. EG_INVALID with the field: the message does not
 * decode, or batch_id or dataset is no UTF-8 text. */
enum eg_rc eg_batch_read(struct eg_bytes message, bool corrections, struct eg_batch *out, struct eg_err *err);

/* Reads the records of a SubmitRequest into items[0..n). EG_LIMIT: the arena is spent. */
enum eg_rc eg_batch_items(const struct eg_batch *b, struct eg_arena *a, struct eg_item *items,
                          struct eg_err *err);
/* The same of a ResubmitRequest, with the reject that each one names (0: it does not). */
enum eg_rc eg_batch_corrections(const struct eg_batch *b, struct eg_arena *a, struct eg_item *items,
                                uint64_t *reject_seqs, struct eg_err *err);
/* An upper bound of what the items of a batch and their judging take of an arena. */
size_t eg_batch_budget(const struct eg_batch *b);

/* One Record. False: the arena is spent. */
bool eg_record_read(struct eg_bytes record, struct eg_arena *a, struct eg_item *item);

#endif
