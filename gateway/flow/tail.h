/* tail: the growing end of the log: it gives an entry its seq, time, sealed effect, leaf and place in the
 * tree.
 *
 * Between begin and keep (or back) it appends into one transaction of the store; back returns to where begin
 * found it. Times never decrease; all entries of one commit have the same. Thread: the writer's. */
#ifndef EG_FLOW_TAIL_H
#define EG_FLOW_TAIL_H

#include "flow/entry.h"
#include "trust/merkle.h"

struct eg_tail {
	struct eg_vault *vault;
	struct eg_tx *tx;
	struct eg_merkle *tree, *kept_tree; /* kept: as of the last commit */
	uint64_t seq, kept_seq;             /* of the newest entry */
	int64_t time, kept_time;
	struct eg_buf header, part, sealed;
	uint8_t pool[1024]; /* random bytes for entry ids, used from the front */
	size_t pool_used;
};

/* Reads the head and rebuilds the tree's right edge; EG_CORRUPT when the newest checkpoint is of another log.
 */
enum eg_rc eg_tail_open(struct eg_tail *t, struct eg_vault *v, struct eg_conn *c, struct eg_err *err);
void eg_tail_close(struct eg_tail *t);
enum eg_rc eg_tail_begin(struct eg_tail *t, struct eg_tx *tx, int64_t now_us, struct eg_err *err);
void eg_tail_keep(struct eg_tail *t);               /* the transaction was committed */
void eg_tail_back(struct eg_tail *t);               /* it was rolled back */
uint64_t eg_tail_next(const struct eg_tail *t);     /* the seq that the next entry gets */
void eg_tail_id(struct eg_tail *t, uint8_t id[16]); /* a random entry id */
/* Appends. seq and time of the header are set here; claim is C ‖ sealed or empty; effect may be NULL. */
enum eg_rc eg_tail_append(struct eg_tail *t, struct eg_header *h, struct eg_bytes claim,
                          const struct eg_effect *effect, struct eg_err *err);
/* The same for a claim part of the gateway's own, which is still to be sealed. */
enum eg_rc eg_tail_append_part(struct eg_tail *t, struct eg_header *h, const struct eg_buf *part,
                               struct eg_err *err);

#endif
