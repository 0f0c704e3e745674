/* feed_options: see feed_options.h. A cursor file is one line: log id, seq, row of the snapshot. */
#include "cli/feed_options.h"

#include "cli/file.h"
#include "cli/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CURSOR_FILE_MAX = 200 };

static enum eg_rc load(struct feed_options *o, bool *found, struct eg_err *err)
{
	struct eg_buf text = {0};
	struct eg_err why = {0};
	enum eg_rc rc = file_read(o->cursor_file, CURSOR_FILE_MAX, &text, &why);
	*found = rc == EG_OK;
	if (rc == EG_NOT_FOUND)
		return EG_OK;
	if (rc) {
		if (err)
			*err = why;
		return rc;
	}
	eldergate__v1__cursor__init(&o->cursor);
	eg_buf_add_u8(&text, 0);
	if (text.failed || sscanf((const char *)text.p, "%39s %" SCNu64 " %" SCNu64, o->log_id,
	                          &o->cursor.seq, &o->cursor.snapshot_row) != 3)
		rc = eg_fail(err, EG_INVALID, "%s holds no cursor of this program", o->cursor_file);
	o->cursor.log_id = o->log_id;
	eg_buf_free(&text);
	return rc;
}

static enum eg_rc read_start(const struct cli *c, struct feed_options *o, struct eg_err *err)
{
	const char *since = cli_option(c, "since");
	bool found = false;
	enum eg_rc rc = EG_OK;
	o->cursor_file = cli_option(c, "cursor");
	if (since && cli_switch(c, "snapshot"))
		return eg_fail(err, EG_USAGE, "--snapshot and --since don't go together");
	if (o->cursor_file)
		rc = load(o, &found, err);
	if (rc)
		return rc;
	if (found) {
		o->start.position_case = ELDERGATE__V1__FEED_START__POSITION_CURSOR;
		o->start.cursor = &o->cursor;
	} else if (since) {
		o->start.position_case = ELDERGATE__V1__FEED_START__POSITION_TIME;
		o->start.time = &o->time;
		rc = read_time(since, &o->time, err);
	} else if (cli_switch(c, "snapshot")) {
		eldergate__v1__snapshot_start__init(&o->snapshot);
		o->start.position_case = ELDERGATE__V1__FEED_START__POSITION_SNAPSHOT;
		o->start.snapshot = &o->snapshot;
	}
	return rc;
}

enum eg_rc feed_options_read(const struct cli *c, struct feed_options *o, struct eg_err *err)
{
	Eldergate__V1__FeedFilter *f = &o->filter;
	const char *text;
	int value;
	enum eg_rc rc;
	memset(o, 0, sizeof *o);
	eldergate__v1__feed_start__init(&o->start);
	eldergate__v1__feed_filter__init(f);
	f->life_statuses = o->life;
	f->kinds = o->kinds;
	f->region_prefixes = o->regions;
	f->changed_fields = o->fields;
	if ((rc = read_start(c, o, err)))
		return rc;
	while (f->n_life_statuses < FILTER_MAX && (text = cli_nth(c, "life", (unsigned)f->n_life_statuses))) {
		if ((rc = read_enum(&eldergate__v1__life_status__descriptor, text, &value, err)))
			return rc;
		o->life[f->n_life_statuses++] = (Eldergate__V1__LifeStatus)value;
	}
	while (f->n_kinds < FILTER_MAX && (text = cli_nth(c, "kind", (unsigned)f->n_kinds))) {
		if ((rc = read_enum(&eldergate__v1__change_kind__descriptor, text, &value, err)))
			return rc;
		o->kinds[f->n_kinds++] = (Eldergate__V1__ChangeKind)value;
	}
	while (f->n_region_prefixes < FILTER_MAX &&
	       (text = cli_nth(c, "region", (unsigned)f->n_region_prefixes)))
		o->regions[f->n_region_prefixes++] = (char *)(uintptr_t)text;
	while (f->n_changed_fields < FILTER_MAX &&
	       (text = cli_nth(c, "field", (unsigned)f->n_changed_fields)))
		o->fields[f->n_changed_fields++] = (char *)(uintptr_t)text;
	return EG_OK;
}

enum eg_rc feed_options_keep(const struct feed_options *o, const Eldergate__V1__Cursor *cursor,
                             struct eg_err *err)
{
	struct eg_buf text = {0};
	if (!o->cursor_file || !cursor)
		return EG_OK;
	eg_buf_printf(&text, "%s %" PRIu64 " %" PRIu64 "\n", cursor->log_id, cursor->seq,
	              cursor->snapshot_row);
	enum eg_rc rc = file_replace(o->cursor_file, eg_buf_bytes(&text), 0644, err);
	eg_buf_free(&text);
	return rc;
}
