/* feed: see feed.h.
 *
 * A sub's window:   idle --build--> in a round --commit--> handed to the sink --eg_feed_more--> idle
 *                     ^                  |
 *                     +-----failed-------+   (the position moves only when a window is handed over)
 *
 * A round is what was built in one turn: one ticket, one entry of the log. While its commit is under way the
 * sinks make their messages.
 *
 * The list of subs is the feed thread's alone; others reach a sub through its flags, which the lock guards.
 * Two hints: `now` for what waits for nothing else (a round is back, somebody came, left or lags behind), and
 * `wake` for everything. While those at the head gather, the thread hears the former alone.
 */
#include "flow/feed.h"

#include "base/metric.h"
#include "base/thread.h"
#include "flow/feed_core.h"

#include <stdlib.h>

enum {
	PAGE_BYTES = 32 << 20,      /* arena budget of the page of entries shared by live subs */
	SCRATCH_BYTES = 64 << 20,   /* of one window's message in the making */
	SCRATCH_KEEP = 2 << 20,     /* of it that stays for the next one */
	AHEAD_US = 100000,          /* a slow reader's next window is kept no longer */
	GATHER_MAX_US = 100000,     /* those at the head wait no longer for more events */
	POLL_US = EG_PULSE_WAIT_US, /* hints may be lost */
};

/* ---- the thread ---- */

/* One turn of one sub; true: it moved. *gone: it is to be taken off. */
static bool serve(struct eg_sub *s, bool stopping, bool *gone)
{
	struct eg_feed *f = s->feed;
	pthread_mutex_lock(&f->lock);
	bool dropped = s->dropped, idle = s->idle;
	pthread_mutex_unlock(&f->lock);
	*gone = !s->parcel && (dropped || stopping || s->end);
	if (!idle)
		eg_sub_forget_ahead(s, AHEAD_US);
	if (*gone || s->parcel || !idle)
		return *gone;
	return eg_sub_build(s);
}

static void take_off(struct eg_sub **at)
{
	struct eg_sub *s = *at;
	struct eg_feed *f = s->feed;
	*at = s->next;
	pthread_mutex_lock(&f->lock);
	bool dropped = s->dropped;
	eg_metric_set(EG_M_SUBSCRIBERS, NULL, --f->n_subs);
	pthread_mutex_unlock(&f->lock);
	if (!dropped && !s->end)
		s->end = eg_fail(&s->end_err, EG_CLOSED,
		                 "the gateway is shutting down: resume from the last cursor");
	s->sink.ended(s->sink.arg, s->end, &s->end_err);
	eg_sub_forget_ahead(s, INT64_MIN);
	if (f->put_off == s)
		f->put_off = NULL;
	eg_scope_close(&s->scope);
	free(s);
}

static bool adopt(struct eg_feed *f)
{
	pthread_mutex_lock(&f->lock);
	struct eg_sub *s = f->incoming;
	bool stopping = f->stopping;
	f->incoming = NULL;
	pthread_mutex_unlock(&f->lock);
	while (s) {
		struct eg_sub *next = s->next;
		s->next = f->subs;
		f->subs = s;
		s = next;
	}
	return stopping;
}

/* Begins the list with whom there was no room for, so that those before it do not have all the room again. */
static void rotate(struct eg_feed *f)
{
	struct eg_sub *first = f->subs, **at = &f->subs;
	if (!f->put_off || f->put_off == first)
		return;
	while (*at != f->put_off)
		at = &(*at)->next;
	*at = NULL;
	f->subs = f->put_off;
	for (at = &f->subs; *at;)
		at = &(*at)->next;
	*at = first;
}

/* So many windows went to the head that the next ones wait, and have more in them. */
static void gather(struct eg_feed *f)
{
	int64_t rest = (int64_t)f->n_live * EG_SECOND / f->o.live_windows;
	if (f->n_live)
		f->gathers_until = f->mono + (rest < GATHER_MAX_US ? rest : GATHER_MAX_US);
	f->n_live = 0;
}

static void await_hints(struct eg_feed *f, uint64_t seen, uint64_t seen_now)
{
	int64_t wait = f->o.progress_us < POLL_US ? f->o.progress_us : POLL_US;
	/* By the time that the turn went by: who was passed over in it must not wait for the next commit. */
	if (f->mono < f->gathers_until && !f->unsent)
		eg_wake_wait(f->now, seen_now, f->gathers_until);
	else
		eg_wake_wait(f->wake, seen, f->mono + wait);
}

static void run(void *arg)
{
	struct eg_feed *f = arg;
	eg_pulse_begin(&f->pulse, "feed");
	for (;;) {
		eg_pulse_turn(&f->pulse);
		uint64_t seen_now = eg_wake_seen(f->now), seen = eg_wake_seen(f->wake);
		f->mono = eg_mono_us();
		f->turn++;
		bool stopping = adopt(f), moved = eg_rounds_finish(f);
		eg_round_again(f, stopping);
		rotate(f);
		f->put_off = NULL;
		for (struct eg_sub **at = &f->subs; *at;) {
			bool gone = false;
			eg_pulse_turn(&f->pulse);
			moved |= serve(*at, stopping, &gone);
			if (gone)
				take_off(at);
			else
				at = &(*at)->next;
		}
		eg_round_send(f);
		eg_parcels_turn(f->parcels);
		gather(f);
		if (stopping && !f->subs)
			break;
		if (!moved)
			await_hints(f, seen, seen_now);
	}
	eg_pulse_end(&f->pulse);
}

/* ---- outside ---- */

static void free_feed(struct eg_feed *f)
{
	eg_exlog_close(f->log);
	eg_arena_free(f->page.arena);
	eg_arena_free(f->scratch);
	eg_parcels_free(f->parcels);
	if (f->now && f->wake)
		eg_wake_forward_stop(f->now, f->wake);
	eg_wake_free(f->now);
	eg_wake_free(f->wake);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

enum eg_rc eg_feed_start(struct eg_feed **out, const struct eg_feed_options *o, struct eg_err *err)
{
	struct eg_feed *f = calloc(1, sizeof *f);
	enum eg_rc rc;
	if (!f)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the feed");
	f->o = *o;
	f->o.window_events = o->window_events ? o->window_events : 1000;
	f->o.live_windows = o->live_windows ? o->live_windows : 5000;
	f->o.progress_us = o->progress_us ? o->progress_us : 5 * EG_SECOND;
	f->max_subs = o->max_subs ? o->max_subs : 2000;
	pthread_mutex_init(&f->lock, NULL);
	f->built_last = &f->building;
	f->returned_at = &f->returned;
	f->wake = eg_wake_new();
	f->now = eg_wake_new();
	f->page.arena = eg_arena_new(PAGE_BYTES);
	f->scratch = eg_arena_new(SCRATCH_BYTES);
	f->parcels = eg_parcels_new();
	if (f->scratch)
		eg_arena_keep(f->scratch, SCRATCH_KEEP);
	if (!f->wake || !f->now || !f->page.arena || !f->scratch || !f->parcels)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the feed");
	else
		rc = eg_exlog_open(&f->log, o->store, o->vault, 0, err);
	if (!rc &&
	    (!eg_wake_forward(f->now, f->wake) || !eg_wake_forward(eg_writer_head(o->writer), f->wake)))
		rc = eg_fail(err, EG_INTERNAL, "too many listeners at the writer's head");
	if (!rc && (rc = eg_thread_start(&f->thread, "feed", run, f, err)))
		eg_wake_forward_stop(eg_writer_head(o->writer), f->wake);
	if (rc) {
		free_feed(f);
		return rc;
	}
	*out = f;
	return EG_OK;
}

void eg_feed_drain(struct eg_feed *f)
{
	if (!f->thread)
		return;
	pthread_mutex_lock(&f->lock);
	f->stopping = true;
	pthread_mutex_unlock(&f->lock);
	eg_wake(f->now);
	eg_thread_join(f->thread);
	f->thread = NULL;
	eg_wake_forward_stop(eg_writer_head(f->o.writer), f->wake);
}

void eg_feed_stop(struct eg_feed *f)
{
	eg_feed_drain(f);
	free_feed(f);
}

enum eg_rc eg_feed_add(struct eg_feed *f, const struct eg_sub_options *o, struct eg_sink sink,
                       struct eg_sub **out, struct eg_err *err)
{
	struct eg_conn *c = NULL;
	struct eg_sub *s = calloc(1, sizeof *s);
	enum eg_rc rc;
	if (!s)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a subscriber");
	s->feed = f;
	s->sink = sink;
	s->idle = s->behind = s->hurries = true;
	s->told_mono = eg_mono_us();
	if ((rc = eg_intake_open_text(o->who->name, "subscriber", err)) ||
	    (rc = eg_scope_open(&s->scope, o, err)) || (rc = eg_store_reader(f->o.store, &c, err)) ||
	    (rc = eg_feed_resolve(&f->o, c, o, &s->at, err)))
		goto out;
	pthread_mutex_lock(&f->lock);
	if (f->stopping) {
		rc = eg_fail(err, EG_CLOSED, "the gateway is shutting down");
	} else if (f->n_subs >= f->max_subs) {
		rc = eg_fail(err, EG_BUSY, "%u subscribers are the limit (limits.subscribers)", f->max_subs);
	} else {
		*out = s; /* before the thread can end it */
		s->next = f->incoming;
		f->incoming = s;
		eg_metric_set(EG_M_SUBSCRIBERS, NULL, ++f->n_subs);
	}
	pthread_mutex_unlock(&f->lock);
	if (!rc)
		eg_wake(f->now);
out:
	if (c)
		eg_conn_close(c);
	if (rc) {
		eg_scope_close(&s->scope);
		free(s);
	}
	return rc;
}

void eg_feed_limit(struct eg_feed *f, unsigned max_subs)
{
	pthread_mutex_lock(&f->lock);
	f->max_subs = max_subs;
	pthread_mutex_unlock(&f->lock);
}

void eg_feed_more(struct eg_feed *f, struct eg_sub *s)
{
	pthread_mutex_lock(&f->lock);
	s->idle = true;
	bool hurries = s->hurries;
	pthread_mutex_unlock(&f->lock);
	eg_wake(hurries ? f->now : f->wake);
}

void eg_feed_drop(struct eg_feed *f, struct eg_sub *s)
{
	pthread_mutex_lock(&f->lock);
	s->dropped = true;
	pthread_mutex_unlock(&f->lock);
	eg_wake(f->now);
}

const struct eg_feed_options *eg_feed_told(const struct eg_feed *f)
{
	return &f->o;
}
