/* receipt: what became of a batch, as the protocol tells it. Pure. */
#ifndef EG_EDGE_RECEIPT_H
#define EG_EDGE_RECEIPT_H

#include "edge/status.h"
#include "edge/views.h"
#include "edge/wire.h"
#include "eldergate/v1/exchange.pb-c.h"

/* Limits of a batch, checked before anything is made of it. */
struct eg_batch_limits {
	unsigned records;
	size_t bytes;
};

/* May this batch be taken? Finds its dataset's rule. */
enum eg_rc eg_batch_admit(const struct eg_batch *b, const struct eg_batch_limits *limits,
                          const struct eg_policy *policy, const struct eg_identity_rule *who,
                          const struct eg_dataset_rule **dataset, struct eg_fault *f);
/* The fault that a ticket of records failed with. */
void eg_batch_fault(const struct eg_err *err, struct eg_fault *f);

/* Of a batch refused whole. */
Eldergate__V1__Receipt *eg_make_refused(struct eg_maker *k, struct eg_bytes batch_id,
                                        const struct eg_fault *f);
/* Of a committed submission; its results are numbered from 0. time: of the commit. */
Eldergate__V1__Receipt *eg_make_receipt(struct eg_maker *k, const struct eg_ticket *t, int64_t time);
/* Of a rehearsed one (flow/rehearse.h), judged by the entry `head`. */
Eldergate__V1__Receipt *eg_make_rehearsed(struct eg_maker *k, const struct eg_ticket *t,
                                          const uint8_t log_id[16], uint64_t head);
Eldergate__V1__RecordResult *eg_make_result(struct eg_maker *k, unsigned index, const struct eg_item *item);

#endif
