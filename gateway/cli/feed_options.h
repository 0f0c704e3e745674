/* feed_options: where a feed begins, what it tells, and the file that keeps its cursor. */
#ifndef EG_CLI_FEED_OPTIONS_H
#define EG_CLI_FEED_OPTIONS_H

#include "cli/cli.h"
#include "eldergate/v1/feed.pb-c.h"

enum { FILTER_MAX = 64 };

struct feed_options {
	Eldergate__V1__FeedStart start;
	Eldergate__V1__SnapshotStart snapshot;
	Eldergate__V1__Cursor cursor;
	char log_id[40];
	Google__Protobuf__Timestamp time;
	Eldergate__V1__FeedFilter filter;
	Eldergate__V1__LifeStatus life[FILTER_MAX];
	Eldergate__V1__ChangeKind kinds[FILTER_MAX];
	char *regions[FILTER_MAX], *fields[FILTER_MAX];
	const char *cursor_file; /* NULL: none */
};

/* From --snapshot, --since, --cursor and the filters. A cursor file that is there wins over --snapshot and
 * --since, so that the same command line goes on where it stopped. */
enum eg_rc feed_options_read(const struct cli *c, struct feed_options *out, struct eg_err *err);
/* Writes the cursor file, durably; without one does nothing. */
enum eg_rc feed_options_keep(const struct feed_options *o, const Eldergate__V1__Cursor *cursor,
                             struct eg_err *err);

#endif
