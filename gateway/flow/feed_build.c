/* feed_build: the next window of one sub, of the log or of a snapshot, or what it hears instead. */
#include "flow/feed_core.h"

#include <string.h>

enum {
	LOGGING_BYTES = 16 << 20, /* of the windows that wait for their commit: above it none is built */
	AHEAD_BYTES = 4 << 20     /* of all windows, above which none is read ahead */
};

static bool progress(struct eg_sub *s)
{
	struct eg_feed *f = s->feed;
	if (!s->behind && f->mono - s->told_mono < f->o.progress_us)
		return false;
	s->behind = false;
	struct eg_feed_item item = {
	        .kind = EG_ITEM_PROGRESS, .cursor_seq = s->at.seq, .cursor_row = eg_feed_cursor_row(&s->at)};
	item.time = eg_now_us();
	memcpy(item.event.log_id, eg_writer_log_id(f->o.writer), 16);
	struct eg_feed_window w = {.n = 1, .items = &item, .next = s->at};
	eg_sub_hand_over_own(s, &w);
	return true;
}

/* Entries after this position, from the shared page if it has them, and has what came since. *n may be 0: the
 * head. */
static enum eg_rc entries_after(struct eg_feed *f, uint64_t after, struct eg_entry **out, unsigned *n,
                                struct eg_err *err)
{
	struct page *p = &f->page;
	uint64_t head = eg_writer_seq(f->o.writer); /* a commit that is not seen yet gives its hint later */
	*n = 0;
	if (after >= head)
		return EG_OK;
	bool here = after >= p->after && after < p->after + p->n;
	/* One of an earlier turn, that others have read to its end: who begins in it would always be a page
	 * behind them. */
	if (here && p->turn != f->turn && p->n < f->o.window_events)
		here = p->after + p->n >= head;
	if (!here) {
		p->n = 0;
		p->after = after;
		p->turn = f->turn;
		eg_arena_reset(p->arena);
		eg_exlog_seek(f->log, after);
		enum eg_rc rc =
		        eg_exlog_next(f->log, f->o.window_events, true, p->arena, &p->entries, &p->n, err);
		if (rc && rc != EG_EMPTY) {
			p->n = 0;
			return rc;
		}
	}
	*out = p->entries + (after - p->after);
	*n = p->n - (unsigned)(after - p->after);
	return EG_OK;
}

/* Moves past entries that are no events, deliveries for one: no window is made for those alone. *n: entries
 * of the page that are left; 0: it is at the head, or more has to be read. */
static enum eg_rc skip_silent(struct eg_sub *s, struct eg_entry **entries, unsigned *n, bool *moved,
                              struct eg_err *err)
{
	enum eg_rc rc = entries_after(s->feed, s->at.seq, entries, n, err);
	*moved = false;
	if (rc)
		return rc;
	while (*n && !eg_is_event(*entries)) {
		s->at.seq = (*entries)->header.seq;
		*moved = true;
		++*entries;
		--*n;
	}
	return EG_OK;
}

static enum eg_rc fill(struct eg_sub *s, const struct eg_feed_place *at, struct eg_parcel *p,
                       const struct eg_entry *entries, unsigned n, struct eg_err *err)
{
	struct eg_feed *f = s->feed;
	const struct eg_feed_options *o = &f->o;
	struct eg_feed_window *w = &p->window;
	enum eg_rc rc;
	if (at->log_changed)
		rc = eg_feed_log_changed(o, at, p->arena, w, err);
	else if (at->row >= 0)
		rc = eg_feed_states(o, eg_exlog_conn(f->log), &s->scope, at, o->window_events, p->arena,
		                    f->scratch, w, err);
	else
		rc = eg_feed_events(o, eg_exlog_conn(f->log), &s->scope, entries, n, o->window_events,
		                    p->arena, f->scratch, w, err);
	if ((rc = eg_arena_why(p->arena, rc, err)))
		return rc;
	if (w->n && w->items[0].kind != EG_ITEM_LOG_CHANGED)
		eg_parcel_keep(f->parcels, p, &s->scope, at);
	return EG_OK;
}

void eg_subs_read_ahead(struct eg_feed *f, struct eg_sub *subs)
{
	struct eg_err err;
	struct eg_parcel *p;
	struct eg_sub *s = subs;
	while (s && (s->ahead || s->parcel->window.next.row < 0))
		s = s->next_in_round;
	/* Of one sub: where there are more, the commit of one is the time to read for another. */
	if (!s || eg_parcels_bytes(f->parcels) > AHEAD_BYTES || !(p = eg_parcel_new(f->parcels)))
		return;
	/* What fails will fail again in its turn, and be told then. */
	if (!fill(s, &s->parcel->window.next, p, NULL, 0, &err) && p->window.n)
		s->ahead = p;
	else
		eg_parcel_release(f->parcels, p);
}

void eg_sub_forget_ahead(struct eg_sub *s, int64_t older_than_us)
{
	if (!s->ahead || s->parcel || s->feed->mono - s->told_mono < older_than_us)
		return;
	eg_parcel_release(s->feed->parcels, s->ahead);
	s->ahead = NULL;
}

/* The window that was read ahead, if it is the one that is due. */
static struct eg_parcel *take_ahead(struct eg_sub *s)
{
	struct eg_parcel *p = s->ahead;
	s->ahead = NULL;
	if (!p || eg_parcel_begins(p, &s->at))
		return p;
	eg_parcel_release(s->feed->parcels, p);
	return NULL;
}

/* Far behind with nothing in scope, or no room to log a window: it still hears. */
static void tell_if_due(struct eg_sub *s)
{
	if (s->feed->mono - s->told_mono >= s->feed->o.progress_us)
		progress(s);
}

/* Makes the window that is due, or finds that there is nothing to tell of these entries. */
static enum eg_rc make_window(struct eg_sub *s, const struct eg_entry *entries, unsigned n,
                              struct eg_err *err)
{
	struct eg_parcels *all = s->feed->parcels;
	struct eg_parcel *p = take_ahead(s);
	enum eg_rc rc = EG_OK;
	if (!p)
		p = eg_parcel_same(all, &s->scope, &s->at);
	if (!p) {
		if (!(p = eg_parcel_new(all)))
			return eg_fail(err, EG_NO_MEMORY, "no memory for a window");
		rc = fill(s, &s->at, p, entries, n, err);
	}
	if (rc) {
		eg_parcel_release(all, p);
	} else if (!p->window.n) {
		s->at = p->window.next;
		eg_parcel_release(all, p);
		tell_if_due(s);
	} else if (p->window.items[0].kind == EG_ITEM_LOG_CHANGED) {
		eg_sub_hand_over_own(s, &p->window);
		eg_parcel_release(all, p);
	} else {
		eg_round_join(s, p);
	}
	return rc;
}

/* True: the sub moved, and may have more to do at once. */
bool eg_sub_build(struct eg_sub *s)
{
	struct eg_feed *f = s->feed;
	struct eg_entry *entries = NULL;
	struct eg_err err = {0};
	enum eg_rc rc = EG_OK;
	unsigned n = 0;
	bool moved = false, live = !s->at.log_changed && s->at.row < 0;
	if (f->mono < s->not_before_mono || (eg_sub_at_head(s) && f->mono < f->gathers_until))
		return false;
	if (live && !(rc = skip_silent(s, &entries, &n, &moved, &err)) && !n) {
		if (!moved)
			return progress(s);
		tell_if_due(s);
		return true;
	}
	/* A commit will wake us, or room in the writer's lane. */
	if (!rc && (f->unsent || eg_parcels_bytes(f->parcels) > LOGGING_BYTES)) {
		if (!f->put_off)
			f->put_off = s;
		tell_if_due(s);
		return false;
	}
	if (!rc)
		rc = make_window(s, entries, n, &err);
	if (rc)
		eg_sub_over(s, rc, &err);
	return !s->parcel;
}
