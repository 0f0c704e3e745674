/* progress: one line on standard error that says how far long work is; only on a terminal, and at most ten
 * times a second. Thread: any, one at a time. */
#ifndef EG_CLI_PROGRESS_H
#define EG_CLI_PROGRESS_H

#include "cli/cli.h"

struct progress {
	bool on, shown;
	const char *what; /* "records" */
	uint64_t total;   /* 0: not known */
	int64_t began, last;
};

void progress_begin(struct progress *p, const struct cli *c, const char *what, uint64_t total);
void progress_at(struct progress *p, uint64_t done, const char *note); /* note: behind it, or NULL */
void progress_end(struct progress *p);                                 /* wipes the line */

#endif
