/* feed_place: see feed_place.h. */
#include "flow/feed_place.h"

#include <inttypes.h>
#include <string.h>

enum eg_rc eg_feed_resolve(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_sub_options *o,
                           struct eg_feed_place *out, struct eg_err *err)
{
	uint64_t head = 0;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_head(c, &head, err);
	eg_read_end(c);
	*out = (struct eg_feed_place){.row = -1};
	if (rc)
		return rc;
	switch (o->start) {
	case EG_START_TIME:
		return eg_seq_before_time(c, o->time, &out->seq, err);
	case EG_START_CURSOR:
		if (memcmp(o->log_id, eg_writer_log_id(f->writer), sizeof o->log_id) != 0) {
			*out = (struct eg_feed_place){.seq = head, .row = 0, .log_changed = true};
			return EG_OK;
		}
		if (o->seq > head)
			return eg_fail_field(err, EG_OUT_OF_RANGE, "start.cursor.seq",
			                     "the cursor is %" PRIu64 ", the log's head is %" PRIu64
			                     ": begin with a snapshot",
			                     o->seq, head);
		*out = (struct eg_feed_place){.seq = o->seq, .row = o->row > 0 ? o->row - 1 : -1};
		return EG_OK;
	case EG_START_SNAPSHOT:
		*out = (struct eg_feed_place){.seq = head};
		return EG_OK;
	}
	return eg_fail_field(err, EG_INVALID, "start", "a start is needed: snapshot, cursor or time");
}

int64_t eg_feed_cursor_row(const struct eg_feed_place *at)
{
	return at->row < 0 ? 0 : at->row + 1;
}

/* ---- windows ---- */

enum eg_rc eg_feed_log_changed(const struct eg_feed_options *f, const struct eg_feed_place *at,
                               struct eg_arena *a, struct eg_feed_window *w, struct eg_err *err)
{
	w->items = eg_arena_alloc(a, sizeof *w->items);
	if (!w->items)
		return eg_fail(err, EG_LIMIT, "a window's arena is too small");
	*w->items = (struct eg_feed_item){
	        .kind = EG_ITEM_LOG_CHANGED, .cursor_seq = at->seq, .time = eg_now_us()};
	w->items->cursor_row = eg_feed_cursor_row(at);
	memcpy(w->items->event.log_id, eg_writer_log_id(f->writer), 16);
	w->n = 1;
	w->next = (struct eg_feed_place){.seq = at->seq, .row = at->row};
	return EG_OK;
}

enum eg_rc eg_feed_states(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_scope *s,
                          const struct eg_feed_place *at, unsigned max, struct eg_arena *a,
                          struct eg_arena *scratch, struct eg_feed_window *w, struct eg_err *err)
{
	bool end = false;
	w->items = eg_arena_alloc(a, max * sizeof *w->items);
	if (!w->items)
		return eg_fail(err, EG_LIMIT, "a window's arena is too small");
	w->next = *at;
	enum eg_rc rc = eg_window_states(f->vault, c, s, eg_writer_log_id(f->writer), at->seq, &w->next.row,
	                                 max, a, scratch, w->items, &w->n, &end, err);
	if (!rc && end)
		w->next.row = -1; /* everything since the seq at its start follows */
	return rc;
}

enum eg_rc eg_feed_events(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_scope *s,
                          const struct eg_entry *entries, unsigned n, unsigned max, struct eg_arena *a,
                          struct eg_arena *scratch, struct eg_feed_window *w, struct eg_err *err)
{
	unsigned consumed = 0;
	/* A thousand subscribers may hear of one change at once. */
	w->items = eg_arena_alloc(a, (n < max ? n : max) * sizeof *w->items);
	if (!w->items)
		return eg_fail(err, EG_LIMIT, "a window's arena is too small");
	enum eg_rc rc = eg_window_events(f->vault, c, s, eg_writer_log_id(f->writer), entries, n, max, a,
	                                 scratch, w->items, &w->n, &consumed, err);
	if (!rc)
		w->next = (struct eg_feed_place){.seq = entries[consumed - 1].header.seq, .row = -1};
	return rc;
}

struct eg_window eg_feed_describe(const struct eg_scope *s, const struct eg_feed_window *w)
{
	const struct eg_feed_item *first = &w->items[0], *last = &w->items[w->n - 1];
	bool snapshot = first->kind == EG_ITEM_STATE;
	return (struct eg_window){
	        .subscriber = s->who->name,
	        .first_seq = snapshot ? 0 : first->cursor_seq,
	        .last_seq = snapshot ? 0 : last->cursor_seq,
	        .first_row = snapshot ? first->cursor_row - 1 : 0, /* a cursor is one ahead of its row */
	        .last_row = snapshot ? last->cursor_row - 1 : 0,
	        .filter = s->filter_text,
	        .policy_version = s->policy->version,
	};
}
