/* file_work: one file on its way through: judged, handed out, given its verdicts, moved away.
 *
 *   CHECK --agrees with its control file--> ROWS --its end, same bytes--> VERDICTS --all are in--> done/
 *     |                                       |other bytes                   |to come again
 *     |wrong: refused/                        +--> VERDICTS --all are in-----+--> rests in the inbox
 *     |done before: done/, "repeated"
 *
 * CHECK reads the whole file before any row leaves it. Rows come from a second reading, and only when that
 * had the same bytes is a full list ended; else it is abandoned and comes again. Only what was read is moved
 * away: a file that came under its name meanwhile stays in the inbox with its control file. Thread: the
 * agent's. */
#ifndef EG_CONNECTORS_FILE_WORK_H
#define EG_CONNECTORS_FILE_WORK_H

#include "connectors/file_columns.h"
#include "connectors/file_inbox.h"
#include "connectors/file_memory.h"

/* Where it all happens; all of it the source's, which outlives every work. */
struct file_place {
	const struct file_rules *rules;
	struct file_inbox *inbox;
	int done, refused, work; /* folders; -1 when dry */
	struct file_memory memory;
	struct file_columns *columns;
	enum eg_part part;
	bool dry;
};

/* Moves a file that may not be read into refused/, with its control file and a report. EG_CONFLICT: it is not
 * what was seen any more, and stays. */
enum eg_rc file_refuse(const struct file_place *place, const struct file_candidate *c,
                       enum file_reason reason, struct eg_err *err);

struct file_work;
enum file_step {
	STEP_ITEM = 1, /* *out is filled */
	STEP_MORE,     /* call again */
	STEP_VERDICTS, /* nothing before settle */
	STEP_OVER      /* close it; the inbox knows what became of the file */
};

/* The candidate is copied. first_ref: of the first item. EG_CONFLICT: it is not the file that was seen. */
enum eg_rc file_work_open(struct file_work **out, const struct file_place *place,
                          const struct file_candidate *c, const struct file_control *control,
                          uint64_t first_ref, struct eg_err *err);
/* A bounded piece of work. */
enum eg_rc file_work_step(struct file_work *w, enum file_step *step, struct eg_in *out, struct eg_err *err);
enum eg_rc file_work_settle(struct file_work *w, const struct eg_verdict *v, struct eg_err *err);
/* Makes what is settled durable; cheap when it was done a moment ago. */
enum eg_rc file_work_save(struct file_work *w, struct eg_err *err);
uint64_t file_work_next_ref(const struct file_work *w);
void file_work_close(struct file_work *w); /* NULL is fine */

#endif
