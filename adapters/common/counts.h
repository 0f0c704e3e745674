/* counts: what an adapter has done and how it stands, for its status file and its log.
 *
 * Numbers and states only: no value of a row. Thread: the agent's. */
#ifndef EG_ADAPTERS_COUNTS_H
#define EG_ADAPTERS_COUNTS_H

#include "base/buf.h"
#include "eldergate/err.h"

/* One row per counter: X(name, meaning). The names are those of the status file. */
#define EG_COUNTS(X)                                                                                         \
	X(rows, "rows taken from the source")                                                                \
	X(skipped, "of these: not for this dataset")                                                         \
	X(bad_rows, "of these: could not be read or mapped; refused without being sent")                     \
	X(sent, "records sent, repetitions not counted")                                                     \
	X(applied, "receipts: the record is what its source now says")                                       \
	X(unchanged, "receipts: known before")                                                               \
	X(stale, "receipts: recorded, a newer version stands")                                               \
	X(quarantined, "receipts: set aside by the gateway until it is corrected")                           \
	X(refused, "receipts: not recorded")                                                                 \
	X(batches_refused, "batches refused as a whole")                                                     \
	X(lists, "full lists the gateway has taken")                                                         \
	X(lists_abandoned, "full lists broken off or refused")                                               \
	X(source_failures, "failures of the source")                                                         \
	X(target_failures, "failures of the target")                                                         \
	X(delivered, "events delivered to the agency")                                                       \
	X(not_for_us, "events that the mapping leaves out")                                                  \
	X(snapshots, "times the delivery began anew with a snapshot")                                        \
	X(checkpoint_failures, "saves of the checkpoint that failed")

struct eg_counts {
#define X(name, meaning) uint64_t name;
	EG_COUNTS(X)
#undef X
	int64_t last_receipt_us; /* wall clock; 0: none yet */
	uint64_t newest_seq;     /* newest log entry that a receipt named */
	int64_t last_delivery_us;
};

/* How things stand now. */
struct eg_standing {
	const char *program, *agency, *dataset;
	const char *state; /* "running", "stopping" */
	bool link_up;
	const char *source, *target; /* states; NULL: there is none */
	unsigned source_state;       /* enum eg_port_state: of two sources the worse is told */
	unsigned rows_in_flight, batches_in_flight;
	uint64_t batches_resent;
	bool list_open;
	char cursor_log[40]; /* of the outbound cursor; "": none */
	uint64_t cursor_seq;
	unsigned parked;
	const char *trouble; /* the last error that somebody must mend; "" */
};

/* One JSON object with everything, and a line end. */
void eg_counts_json(const struct eg_counts *c, const struct eg_standing *s, struct eg_buf *out);
/* Replaces the file at path, whole at any moment; it need not survive a crash, so nothing is synced. */
enum eg_rc eg_counts_write(const struct eg_counts *c, const struct eg_standing *s, const char *path,
                           struct eg_err *err);

#endif
