/* feed_round: the windows of one turn on their way through the log: one ticket, one entry.
 *
 * While the commit is under way the sinks make their messages. A round that does not come into the log leaves
 * its subs where they were. */
#include "base/log.h"
#include "flow/feed_core.h"

enum {
	ROUND_WINDOWS = 256,    /* of one entry of the log */
	ROUND_BYTES = 64 << 10, /* of a round's ticket */
	RETRY_US = 1000000      /* before a window that could not be logged is built again */
};

/* ---- handing over ---- */

/* Within a window of it: one that has nothing in scope for long is told of its progress, and yet far behind.
 */
bool eg_sub_at_head(const struct eg_sub *s)
{
	const struct eg_feed_options *o = &s->feed->o;
	return s->at.row < 0 && !s->at.log_changed && !s->behind &&
	       s->at.seq + o->window_events >= eg_writer_seq(o->writer);
}

static struct eg_feed_given given(struct eg_feed *f, const struct eg_feed_window *w,
                                  struct eg_feed_made *made)
{
	return (struct eg_feed_given){.log_id = eg_writer_log_id(f->o.writer),
	                              .n = w->n,
	                              .items = w->items,
	                              .made = made,
	                              .scratch = f->scratch};
}

static void hand_over(struct eg_sub *s, const struct eg_feed_window *w, struct eg_feed_made *made)
{
	struct eg_feed *f = s->feed;
	struct eg_feed_given g = given(f, w, made);
	s->at = w->next;
	s->told_mono = f->mono;
	s->behind |= w->n == f->o.window_events || w->next.row >= 0 || w->items[0].kind == EG_ITEM_STATE;
	pthread_mutex_lock(&f->lock);
	s->idle = false;
	s->hurries = !eg_sub_at_head(s);
	pthread_mutex_unlock(&f->lock);
	s->sink.take(s->sink.arg, &g);
	eg_arena_reset(f->scratch);
}

/* What needs no entry in the log, and is nobody else's. */
void eg_sub_hand_over_own(struct eg_sub *s, const struct eg_feed_window *w)
{
	struct eg_feed_made made = {0};
	hand_over(s, w, &made);
	if (made.what)
		made.free(made.what);
}

/* ---- rounds ---- */

static void returned(struct eg_ticket *t)
{
	struct round *r = t->done_arg;
	struct eg_feed *f = r->feed;
	pthread_mutex_lock(&f->lock);
	*f->returned_at = r;
	f->returned_at = &r->next;
	eg_wake(f->now); /* under the lock: as soon as it is open the feed may see this, end and be freed */
	pthread_mutex_unlock(&f->lock);
}

void eg_sub_over(struct eg_sub *s, enum eg_rc rc, const struct eg_err *err)
{
	s->end = rc;
	s->end_err = *err;
}

/* A round's subs, one after another: the sub has its parcel no more, which is the caller's to release. */
static struct eg_sub *next_of(struct eg_sub **subs, struct eg_parcel **parcel)
{
	struct eg_sub *s = *subs;
	if (!s)
		return NULL;
	*subs = s->next_in_round;
	*parcel = s->parcel;
	s->parcel = NULL;
	return s;
}

/* No window of these came into the log: they end, or try again when that makes sense. */
static void not_logged(struct eg_feed *f, struct eg_sub *subs, enum eg_rc rc, const struct eg_err *err)
{
	struct eg_sub *s;
	struct eg_parcel *p;
	bool again = eg_rc_retryable(rc) && rc != EG_CLOSED;
	if (again)
		eg_log_err(EG_LOG_WARN, "feed.delivery_not_logged", err);
	while ((s = next_of(&subs, &p))) {
		eg_parcel_release(f->parcels, p);
		if (again)
			s->not_before_mono = f->mono + RETRY_US;
		else
			eg_sub_over(s, rc, err);
	}
}

static void finish_round(struct eg_feed *f, struct round *r)
{
	struct eg_ticket *t = r->ticket;
	struct eg_sub *s, *subs = r->subs;
	struct eg_parcel *p;
	if (t->rc)
		not_logged(f, subs, t->rc, &t->err);
	while (!t->rc && (s = next_of(&subs, &p))) {
		eg_pulse_turn(&f->pulse);
		pthread_mutex_lock(&f->lock);
		bool dropped = s->dropped;
		pthread_mutex_unlock(&f->lock);
		if (!dropped)
			hand_over(s, &p->window, &p->made);
		eg_parcel_release(f->parcels, p);
	}
	eg_ticket_free(t); /* the round with it */
}

bool eg_rounds_finish(struct eg_feed *f)
{
	struct round *r, *next;
	pthread_mutex_lock(&f->lock);
	r = f->returned;
	f->returned = NULL;
	f->returned_at = &f->returned;
	pthread_mutex_unlock(&f->lock);
	bool any = r != NULL;
	for (; r; r = next) {
		next = r->next;
		finish_round(f, r);
	}
	return any;
}

static void prepare(struct eg_feed *f, struct eg_sub *subs)
{
	for (struct eg_sub *s = subs; s; s = s->next_in_round) {
		struct eg_feed_given g = given(f, &s->parcel->window, &s->parcel->made);
		if (!s->sink.prepare)
			continue;
		eg_pulse_turn(&f->pulse);
		s->sink.prepare(s->sink.arg, &g);
		eg_arena_reset(f->scratch);
	}
}

/* Gives a round's ticket to the writer, or keeps it until there is room: the writer's next commit wakes us.
 */
static void put(struct eg_feed *f, struct round *r)
{
	struct eg_err err = {0};
	struct eg_sub *subs = r->subs;
	enum eg_rc rc = eg_intake_put(f->o.intake, r->ticket, 0, &err);
	f->unsent = rc == EG_DEADLINE ? r : NULL;
	if (!rc) { /* the round may be back already, but only this thread frees it */
		prepare(f, subs);
		eg_subs_read_ahead(f, subs);
	}
	if (!rc || rc == EG_DEADLINE)
		return;
	eg_ticket_free(r->ticket);
	not_logged(f, subs, rc, &err);
}

/* The windows that were built become a round. */
void eg_round_send(struct eg_feed *f)
{
	struct eg_sub *subs = f->building;
	struct eg_ticket *t = NULL;
	struct round *r = NULL;
	struct eg_err err = {0};
	if (!subs)
		return;
	if ((t = eg_ticket_new(EG_TICKET_DELIVERY, ROUND_BYTES, NULL, NULL))) {
		r = eg_arena_alloc(t->arena, sizeof *r);
		t->delivery.windows = eg_arena_alloc(t->arena, f->n_built * sizeof *t->delivery.windows);
	}
	f->building = NULL;
	f->built_last = &f->building;
	f->n_built = 0;
	if (!r || !t->delivery.windows) {
		enum eg_rc rc = eg_fail(&err, EG_NO_MEMORY, "no memory for a window");
		eg_ticket_free(t);
		not_logged(f, subs, rc, &err);
		return;
	}
	for (struct eg_sub *s = subs; s; s = s->next_in_round)
		t->delivery.windows[t->delivery.n++] = eg_feed_describe(&s->scope, &s->parcel->window);
	*r = (struct round){.feed = f, .ticket = t, .subs = subs};
	t->done = returned;
	t->done_arg = r;
	put(f, r);
}

void eg_round_join(struct eg_sub *s, struct eg_parcel *p)
{
	struct eg_feed *f = s->feed;
	f->n_live += eg_sub_at_head(s);
	s->parcel = p;
	s->next_in_round = NULL;
	*f->built_last = s;
	f->built_last = &s->next_in_round;
	if (++f->n_built == ROUND_WINDOWS)
		eg_round_send(f);
}

/* A round that found no room. */
void eg_round_again(struct eg_feed *f, bool stopping)
{
	struct round *r = f->unsent;
	if (!r)
		return;
	if (!stopping) {
		put(f, r);
		return;
	}
	struct eg_err err = {0};
	struct eg_sub *subs = r->subs;
	enum eg_rc rc = eg_fail(&err, EG_CLOSED, "the gateway is shutting down: resume from the last cursor");
	f->unsent = NULL;
	eg_ticket_free(r->ticket);
	not_logged(f, subs, rc, &err);
}
