/* table_watermark: see table_watermark.h.
 *
 * Why the highest position at the sweep's *begin* counts: a row that is committed during the sweep, behind
 * its cursor, is at most the overlap below what was committed by then, thus at most the overlap below that.
 */
#include "connectors/table_watermark.h"

#include "base/clock.h"
#include "base/log.h"
#include "connectors/table_position.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eg_watermark {
	const struct eg_table_conf *conf;
	struct eg_checkpoint *checkpoint;
	char low_name[80], seen_name[80]; /* in the checkpoint */
	struct eg_seen *seen;
	char low[EG_POSITION_TEXT];
	int64_t low_at; /* INT64_MIN: none */
	bool beyond;
	/* Of the sweep: */
	bool known;                    /* the highest position could be read */
	bool sweeping, quiet, crowded; /* quiet: nothing came for longer than the overlap */
	char highest[EG_POSITION_TEXT];
	struct eg_position top;
	int64_t since_us; /* when the highest position was met first, on the monotonic clock */
};

static int64_t overlap_of(const struct eg_watermark *w)
{
	return w->top.grain ? w->conf->overlap_us : w->conf->overlap_keys;
}

static void set_low(struct eg_watermark *w, const char *text, bool beyond)
{
	struct eg_position p;
	if (!eg_position_parse(eg_bytes_of(text), w->conf->dense_time, &p))
		return;
	snprintf(w->low, sizeof w->low, "%s", text);
	w->low_at = p.at;
	w->beyond = beyond;
}

/* "=text" or ">text" */
static void load(struct eg_watermark *w)
{
	struct eg_bytes v = eg_checkpoint_get(w->checkpoint, w->low_name);
	char text[EG_POSITION_TEXT];
	if (v.len < 2 || v.len > sizeof text)
		return;
	memcpy(text, v.p + 1, v.len - 1);
	text[v.len - 1] = 0;
	set_low(w, text, v.p[0] == '>');
}

enum eg_rc eg_watermark_open(struct eg_watermark **out, const struct eg_table_conf *c,
                             struct eg_checkpoint *checkpoint, const char *prefix, struct eg_err *err)
{
	struct eg_watermark *w = calloc(1, sizeof *w);
	if (!w || !(w->seen = eg_seen_new()))
		goto memory;
	w->conf = c;
	w->checkpoint = checkpoint;
	w->low_at = INT64_MIN;
	snprintf(w->low_name, sizeof w->low_name, "%slow", prefix);
	snprintf(w->seen_name, sizeof w->seen_name, "%sseen", prefix);
	load(w);
	if (!eg_seen_unpack(w->seen, eg_checkpoint_get(checkpoint, w->seen_name)))
		goto memory;
	*out = w;
	return EG_OK;
memory:
	eg_watermark_close(w);
	return eg_fail(err, EG_NO_MEMORY, "no memory for a watermark");
}

void eg_watermark_close(struct eg_watermark *w)
{
	if (!w)
		return;
	eg_seen_free(w->seen);
	free(w);
}

const char *eg_watermark_low(const struct eg_watermark *w, bool *beyond)
{
	*beyond = w->beyond;
	return w->low;
}

struct eg_seen *eg_watermark_seen(struct eg_watermark *w)
{
	return w->seen;
}

void eg_watermark_begin(struct eg_watermark *w, struct eg_bytes highest)
{
	int64_t mono = eg_mono_us(), now = eg_now_us() + w->conf->utc_offset_us;
	char before[EG_POSITION_TEXT];
	memcpy(before, w->highest, sizeof before);
	w->sweeping = true;
	w->quiet = w->crowded = false;
	w->known = highest.p && highest.len < sizeof w->highest &&
	           eg_position_parse(highest, w->conf->dense_time, &w->top);
	if (!w->known && highest.p)
		eg_log(EG_LOG_WARN, "table.position_unreadable", EG_T("table", w->conf->table));
	if (!w->known)
		return;
	memcpy(w->highest, highest.p, highest.len);
	w->highest[highest.len] = 0;
	if (strcmp(before, w->highest) != 0)
		w->since_us = mono;
	if (w->top.grain && w->top.at > now) {
		w->top.at = now;
		w->since_us = mono; /* rows may come behind what lies in the future */
	}
	w->quiet = w->top.grain && mono - w->since_us >= w->conf->overlap_us + 2 * w->top.grain;
}

void eg_watermark_end(struct eg_watermark *w)
{
	w->sweeping = false;
}

void eg_watermark_move(struct eg_watermark *w, int64_t open, int64_t cursor)
{
	if (!w->known)
		return;
	bool close_up = w->quiet && !w->sweeping;
	int64_t at = w->top.at;
	if (!close_up && __builtin_sub_overflow(at, overlap_of(w), &at))
		at = INT64_MIN;
	if (w->sweeping && cursor < at)
		at = cursor;
	if (open < at || (open == at && close_up)) {
		at = open;
		close_up = false;
	} else if (w->sweeping && at == cursor) {
		close_up = false;
	}
	char text[EG_POSITION_TEXT];
	struct eg_position printed; /* the layout may cut off what is below a second */
	if (close_up)
		snprintf(text, sizeof text, "%s", w->highest);
	else if (!eg_position_print(eg_bytes_of(w->highest), w->conf->dense_time, at, text))
		return;
	if (!eg_position_parse(eg_bytes_of(text), w->conf->dense_time, &printed) || printed.at < w->low_at ||
	    (printed.at == w->low_at && !close_up))
		return;
	set_low(w, text, close_up);
	eg_seen_drop_below(w->seen, w->low_at + w->beyond);
}

void eg_watermark_remember(struct eg_watermark *w, const struct eg_seen_row *row)
{
	if (row->at < w->low_at)
		return;
	if (eg_seen_count(w->seen) >= w->conf->remember && !eg_seen_get(w->seen, row->key)) {
		if (!w->crowded)
			eg_log(EG_LOG_WARN, "table.overlap_crowded", EG_T("table", w->conf->table),
			       EG_I("remember", w->conf->remember));
		w->crowded = true;
		return;
	}
	eg_seen_put(w->seen, row); /* without memory it comes again */
}

enum eg_rc eg_watermark_put(struct eg_watermark *w, struct eg_err *err)
{
	char low[EG_POSITION_TEXT + 1];
	unsigned n = eg_seen_count(w->seen);
	enum eg_rc rc = EG_OK;
	if (*w->low) {
		snprintf(low, sizeof low, "%c%s", w->beyond ? '>' : '=', w->low);
		rc = eg_checkpoint_put(w->checkpoint, w->low_name, eg_bytes_of(low), err);
	}
	if (n == 0 || n > EG_WATERMARK_SAVED_MAX) {
		eg_checkpoint_drop(w->checkpoint, w->seen_name);
		return rc;
	}
	uint8_t *packed = malloc((size_t)n * EG_SEEN_ROW_BYTES);
	if (!packed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a watermark");
	eg_seen_pack(w->seen, packed);
	if (rc == EG_OK)
		rc = eg_checkpoint_put(w->checkpoint, w->seen_name,
		                       (struct eg_bytes){packed, (size_t)n * EG_SEEN_ROW_BYTES}, err);
	free(packed);
	return rc;
}
