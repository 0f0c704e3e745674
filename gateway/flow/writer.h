/* writer: the one thread that writes: it drains a batch of tickets, merges, commits once, answers.
 *
 * Order inside a batch: lanes, then source key token. Receipts follow the commit; then a hint wakes the log's
 * readers. It also signs a checkpoint on a timer and after a commit when the last one is older than
 * checkpoint_us. A fatal store error ends the process (abort handler given by main) before anything is
 * acknowledged.
 *
 * Its pulse (base/pulse.h): it begins a commit, or finds nothing to commit. One that stands still in a commit
 * is late. */
#ifndef EG_FLOW_WRITER_H
#define EG_FLOW_WRITER_H

#include "base/wake.h"
#include "flow/intake.h"
#include "store/store.h"

struct eg_writer;

struct eg_writer_options {
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	const struct eg_authority *authority;    /* NULL: built in */
	const char *lists_dir;                   /* of full lists' folders; NULL: there are none */
	const char *origin;                      /* checkpoint origin; NULL: "eldergate.<log id>" */
	unsigned max_records;                    /* per commit; default 1024 */
	int64_t checkpoint_us;                   /* default 1 s */
	int64_t lag_grace_us;                    /* see flow/lag.h; 0: no cases of that kind */
	void (*fatal)(const struct eg_err *err); /* must not return */
};

/* Opens the log (first entry START when empty), rebuilds the tree's edge, starts the thread. */
enum eg_rc eg_writer_start(struct eg_writer **out, const struct eg_writer_options *o, struct eg_err *err);
/* Closes intake, commits what is queued, signs a last checkpoint, joins. The head and log id stay readable.
 */
void eg_writer_drain(struct eg_writer *w);
/* Drains if that was not done, then frees; every reader of the log must be gone. */
void eg_writer_stop(struct eg_writer *w);
struct eg_wake *eg_writer_head(struct eg_writer *w);    /* raised after each commit */
struct eg_wake *eg_writer_lists(struct eg_writer *w);   /* raised after a commit that moved a full list */
unsigned eg_writer_lists_standing(struct eg_writer *w); /* full lists (flow/listed.h); any thread */
uint64_t eg_writer_seq(struct eg_writer *w); /* of the newest entry that is committed; any thread */
const uint8_t *eg_writer_log_id(const struct eg_writer *w);
const char *eg_writer_origin(const struct eg_writer *w);
/* Folds a reader's mark into the next commit (a hint of progress, shown in status; the truth of the Kafka
 * mark is the topic). */
void eg_writer_mark(struct eg_writer *w, const char *name, uint64_t seq);

#endif
