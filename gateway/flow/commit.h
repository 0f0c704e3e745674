/* commit: what a batch of tickets becomes inside one transaction.
 *
 * Records of all submissions go in order of lane, source key token, arrival; then decisions; then the
 * UNCHANGED entry of each submission; then reads and the rest. Nothing is durable and nobody is answered
 * here. Thread: the writer's. */
#ifndef EG_FLOW_COMMIT_H
#define EG_FLOW_COMMIT_H

#include "flow/datasets.h"

struct eg_commit {
	struct eg_merge merge;
	struct eg_datasets datasets;
	struct eg_ticket **tickets; /* of the batch */
	unsigned n_tickets;
	struct eg_work *works; /* in order of arrival: those of one ticket stand together */
	unsigned n_works;
	int64_t lag_grace_us; /* 0: a lag never becomes a case */
	bool looks_at_lag;    /* in this commit */
};

/* Appends every entry and puts every row of the batch. The results stand in the tickets, but nothing holds
 * before the transaction is committed. */
enum eg_rc eg_commit_fill(struct eg_commit *c, struct eg_tx *tx, struct eg_conn *conn, struct eg_err *err);
/* After the transaction: outcomes into metrics, the writer's own reasons into the items. */
void eg_commit_keep(struct eg_commit *c);

#endif
