/* progress: see progress.h. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define INTERVAL_US (EG_SECOND / 10)

void progress_begin(struct progress *p, const struct cli *c, const char *what, uint64_t total)
{
	*p = (struct progress){.on = c && !cli_switch(c, "quiet") && isatty(STDERR_FILENO),
	                       .what = what,
	                       .total = total,
	                       .began = eg_mono_us()};
}

void progress_at(struct progress *p, uint64_t done, const char *note)
{
	int64_t now = eg_mono_us();
	if (!p->on || now - p->last < INTERVAL_US)
		return;
	double seconds = (double)(now - p->began) / 1e6;
	p->last = now;
	p->shown = true;
	fprintf(stderr, "\r\033[K%" PRIu64, done);
	if (p->total)
		fprintf(stderr, " of %" PRIu64, p->total);
	fprintf(stderr, " %s, %.0f/s%s%s", p->what, seconds > 0 ? (double)done / seconds : 0,
	        note ? ", " : "", note ? note : "");
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
	p->shown = false;
}
