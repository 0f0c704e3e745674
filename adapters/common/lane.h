/* lane: rows on their way to the gateway over one lane's Submit stream, each until its receipt.
 *
 *   filling --full, lingered, flush--> sealed --credit--> sent --receipt--> verdicts, gone
 *                                        ^----- lost, refused for now -----'
 *
 * A batch keeps its id however often it is sent. Bounded: one batch is filling, in_flight others wait for
 * their receipts. Thread: the agent's. */
#ifndef EG_ADAPTERS_LANE_H
#define EG_ADAPTERS_LANE_H

#include "common/verdicts.h"
#include "eldergate/link.h"

struct eg_lane;

struct eg_lane_options {
	struct eg_link *link;
	int lane; /* number of the protocol's Lane */
	const char *dataset;
	unsigned batch_records; /* 1 to 1,000 */
	size_t batch_bytes;     /* encoded; up to 1 MiB */
	int64_t linger_us;      /* a batch that does not fill is sent this long after its first row */
	unsigned in_flight;     /* batches */
	int64_t receipt_us;     /* without a receipt for this long a stream is begun anew */
	int64_t backoff_least_us, backoff_most_us;
	/* The verdicts of one batch, in order of ref. An error is the source's: the caller deals with it. */
	void (*settle)(void *arg, const struct eg_verdicts *v);
	/* The whole batch was refused, and repeating does not help: its rows stay at the source. */
	void (*refused)(void *arg, const struct eg_err *err, unsigned rows);
	void *arg;
};

enum eg_rc eg_lane_open(struct eg_lane **out, const struct eg_lane_options *o, struct eg_err *err);
void eg_lane_close(struct eg_lane *l); /* NULL is fine */

bool eg_lane_room(const struct eg_lane *l);     /* may another row be added? */
bool eg_lane_empty(const struct eg_lane *l);    /* every row has its receipt */
unsigned eg_lane_rows(const struct eg_lane *l); /* without a receipt */
unsigned eg_lane_batches(const struct eg_lane *l);
uint64_t eg_lane_resent(const struct eg_lane *l); /* batches, since the start */
/* The record, encoded. Only with room; refs ascend. EG_LIMIT: no batch can hold it. */
enum eg_rc eg_lane_add(struct eg_lane *l, uint64_t ref, struct eg_bytes record, int64_t now_us,
                       struct eg_err *err);
/* Opens the stream, seals and sends what is due; flush: also what is still filling. */
void eg_lane_turn(struct eg_lane *l, int64_t now_us, bool flush);
int64_t eg_lane_due(const struct eg_lane *l); /* when the next turn is needed even if nothing happens */
/* An event of the link; false if it is not of this lane's call. */
bool eg_lane_event(struct eg_lane *l, const struct eg_link_event *e, int64_t now_us);
/* Drops all rows, sent or not: the source will hand them out again. Late receipts are then ignored. */
void eg_lane_forget(struct eg_lane *l);

#endif
