/* datasets: what came of each dataset and when, as status and lag show it.
 *
 * Rows of table dataset, kept in memory and folded into the commits that change them. Thread: the writer's.
 */
#ifndef EG_FLOW_DATASETS_H
#define EG_FLOW_DATASETS_H

#include "flow/merge.h"

/* A source's clock counts for at most this much ahead of ours. */
#define EG_CLOCK_SKEW (24 * 3600 * EG_SECOND)

struct eg_dataset_state {
	char name[2 * EG_NAME_MAX + 1];  /* agency/dataset */
	struct eg_dataset_row kept, now; /* as committed; with the commit under way */
	bool dirty;
};
struct eg_datasets {
	struct eg_dataset_state *v; /* owned */
	unsigned n, cap;
};

enum eg_rc eg_datasets_open(struct eg_datasets *d, struct eg_conn *c, struct eg_err *err);
void eg_datasets_close(struct eg_datasets *d);
/* Counts the works of one submission, which are done. */
enum eg_rc eg_datasets_count(struct eg_datasets *d, const struct eg_ticket *t, const struct eg_work *works,
                             unsigned n, int64_t now_us, struct eg_err *err);
void eg_datasets_put(struct eg_datasets *d, struct eg_tx *tx);
void eg_datasets_keep(struct eg_datasets *d);
void eg_datasets_back(struct eg_datasets *d);
void eg_datasets_measure(const struct eg_datasets *d, int64_t now_us); /* sets the lag metric */

#endif
