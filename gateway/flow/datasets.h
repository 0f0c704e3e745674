/* datasets: what came of each dataset and when, as status and lag show it.
 *
 * Rows of table dataset, kept in memory and folded into the commits that change them. Thread: the writer's.
 */
#ifndef EG_FLOW_DATASETS_H
#define EG_FLOW_DATASETS_H

#include "flow/merge.h"

/* A source's clock counts for at most this much ahead of ours. */
#define EG_CLOCK_SKEW (24 * 3600 * EG_SECOND)
/* A list's position is whatever orders its dataset. From 2000-01-01 in microseconds to our clock with the
 * skew it is taken for an instant: no counter gets there, no time in seconds, milliseconds or digits of a
 * date. */
#define EG_POSITION_INSTANT (INT64_C(946684800) * EG_SECOND)

struct eg_dataset_state {
	char name[2 * EG_NAME_MAX + 1];  /* agency/dataset */
	struct eg_dataset_row kept, now; /* as committed; with the commit under way */
	bool dirty;
};
struct eg_datasets {
	struct eg_dataset_state *v; /* owned */
	unsigned n, cap;
};

/* How a dataset stands against its declared rhythm. */
enum eg_punctuality {
	EG_NO_RHYTHM, /* none is declared */
	EG_ON_TIME,
	EG_LATE,  /* it sends, but its newest event is older than the rhythm allows */
	EG_SILENT /* it has sent nothing for longer than the rhythm allows, whatever its link says */
};
/* Its row among those of the store; NULL: nothing came of it yet. */
const struct eg_dataset_row *eg_dataset_row_of(const struct eg_dataset_row *rows, unsigned n,
                                               const char *agency, const char *dataset);
const char *eg_punctuality_name(enum eg_punctuality p); /* "SILENT" */
/* row NULL: nothing came yet; then the silence counts from since_us. tolerance_percent: of the rhythm, from
 * when it is an alarm. Event times are the source's own; a source that states none is judged by what it sends
 * alone. Pure. */
enum eg_punctuality eg_dataset_punctuality(const struct eg_dataset_rule *rule,
                                           const struct eg_dataset_row *row, int64_t since_us,
                                           unsigned tolerance_percent, int64_t now_us);

enum eg_rc eg_datasets_open(struct eg_datasets *d, struct eg_conn *c, struct eg_err *err);
void eg_datasets_close(struct eg_datasets *d);
/* Counts the works of one submission, which are done. */
enum eg_rc eg_datasets_count(struct eg_datasets *d, const struct eg_ticket *t, const struct eg_work *works,
                             unsigned n, int64_t now_us, struct eg_err *err);
/* A full list of this dataset came: records of it that changed nothing were counted by nobody else. It says
 * what was so when its content was taken: if it states that, or its position is an instant, a list without a
 * change is an event of then. */
enum eg_rc eg_datasets_listed(struct eg_datasets *d, const struct eg_list_info *l, int64_t now_us,
                              struct eg_err *err);
void eg_datasets_put(struct eg_datasets *d, struct eg_tx *tx);
void eg_datasets_keep(struct eg_datasets *d);
void eg_datasets_back(struct eg_datasets *d);
void eg_datasets_measure(const struct eg_datasets *d, int64_t now_us); /* sets the lag metric */

#endif
