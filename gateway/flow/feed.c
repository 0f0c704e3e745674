/* feed: see feed.h.
 *
 * A sub's window:   idle --build--> logging --commit--> handed to the sink --eg_feed_more--> idle
 *                     ^                 |
 *                     +----failed-------+   (the position moves only when a window is handed over)
 *
 * The list of subs is the feed thread's alone; others reach a sub through its flags, which the lock guards.
 */
#include "flow/feed.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "flow/exlog.h"
#include "flow/feed_place.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	WINDOW_BYTES = 16 << 20,    /* arena budget of one window */
	LOGGING_BYTES = 16 << 20,   /* of the windows that wait for their commit: above it none is built */
	PAGE_BYTES = 32 << 20,      /* arena budget of the page of entries shared by live subs */
	POLL_US = EG_PULSE_WAIT_US, /* hints may be lost */
	RETRY_US = 1000000          /* before a window that could not be logged is built again */
};

struct eg_sub {
	struct eg_sub *next;
	struct eg_feed *feed;
	struct eg_scope scope;
	struct eg_sink sink;
	struct eg_feed_place at;
	struct eg_feed_window window; /* being logged */
	size_t held;                  /* its bytes, of the feed's */
	int64_t told_mono;            /* when it last heard anything */
	int64_t not_before_mono;      /* it has no window until then: the writer could not log its last one */
	bool behind;                  /* it has not heard yet that it reached the head */
	enum eg_rc end;               /* set: it is over */
	struct eg_err end_err;
	bool logging;            /* a ticket is with the writer */
	struct eg_ticket *ready; /* of a window that found the lane full */
	/* guarded by the feed's lock */
	bool idle, dropped;
	struct eg_ticket *logged; /* came back from the writer */
};

/* The newest page of entries that a live sub asked for: most of them are at the same place. */
struct page {
	struct eg_arena *arena;
	uint64_t after;
	unsigned n;
	struct eg_entry *entries;
};

struct eg_feed {
	struct eg_feed_options o;
	struct eg_wake *wake;
	struct eg_thread *thread;
	struct eg_pulse pulse; /* turns with each sub that is served */
	struct eg_exlog *log;
	struct page page;
	struct eg_sub *subs;    /* the thread's */
	size_t held;            /* bytes of all windows that are being logged */
	struct eg_sub *put_off; /* found no room for its window: the next turn begins with it */
	pthread_mutex_t lock;
	struct eg_sub *incoming; /* guarded */
	unsigned n_subs;         /* guarded */
	unsigned max_subs;       /* guarded */
	bool stopping;           /* guarded */
};

/* ---- the thread ---- */

static void logged(struct eg_ticket *t)
{
	struct eg_sub *s = t->done_arg;
	struct eg_feed *f = s->feed;
	pthread_mutex_lock(&f->lock);
	s->logged = t;
	eg_wake(f->wake); /* under the lock: as soon as it is open the feed may see this, end and be freed */
	pthread_mutex_unlock(&f->lock);
}

static void hand_over(struct eg_sub *s, const struct eg_feed_window *w)
{
	pthread_mutex_lock(&s->feed->lock);
	s->idle = false;
	pthread_mutex_unlock(&s->feed->lock);
	s->at = w->next;
	s->told_mono = eg_mono_us();
	s->behind |=
	        w->n == s->feed->o.window_events || w->next.row >= 0 || w->items[0].kind == EG_ITEM_STATE;
	s->sink.take(s->sink.arg, eg_writer_log_id(s->feed->o.writer), w->items, w->n);
}

/* Entries after this position, from the shared page if it has them. *n may be 0: the head. */
static enum eg_rc entries_after(struct eg_feed *f, uint64_t after, struct eg_entry **out, unsigned *n,
                                struct eg_err *err)
{
	struct page *p = &f->page;
	if (after < p->after || after >= p->after + p->n) {
		p->n = 0;
		p->after = after;
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

static bool progress(struct eg_sub *s)
{
	if (!s->behind && eg_mono_us() - s->told_mono < s->feed->o.progress_us)
		return false;
	s->behind = false;
	struct eg_feed_item item = {
	        .kind = EG_ITEM_PROGRESS, .cursor_seq = s->at.seq, .cursor_row = eg_feed_cursor_row(&s->at)};
	item.time = eg_now_us();
	memcpy(item.event.log_id, eg_writer_log_id(s->feed->o.writer), 16);
	struct eg_feed_window w = {.n = 1, .items = &item, .next = s->at};
	hand_over(s, &w);
	return true;
}

/* At the head, with nothing else to tell? Looked at before anything is made for a window. */
static enum eg_rc at_head(struct eg_sub *s, bool *yes, struct eg_err *err)
{
	struct eg_entry *entries;
	unsigned n = 1;
	enum eg_rc rc = EG_OK;
	if (!s->at.log_changed && s->at.row < 0)
		rc = entries_after(s->feed, s->at.seq, &entries, &n, err);
	*yes = !n;
	return rc;
}

static enum eg_rc next_window(struct eg_sub *s, struct eg_arena *a, struct eg_feed_window *w,
                              struct eg_err *err)
{
	struct eg_feed *f = s->feed;
	struct eg_entry *entries;
	unsigned n;
	if (s->at.log_changed)
		return eg_feed_log_changed(&f->o, &s->at, a, w, err);
	if (s->at.row >= 0)
		return eg_feed_states(&f->o, eg_exlog_conn(f->log), &s->scope, &s->at, f->o.window_events, a,
		                      w, err);
	enum eg_rc rc = entries_after(f, s->at.seq, &entries, &n, err);
	return rc ? rc : eg_feed_events(&f->o, &s->scope, entries, n, f->o.window_events, a, w, err);
}

static bool over(struct eg_sub *s, enum eg_rc rc, const struct eg_err *err)
{
	s->end = rc;
	s->end_err = *err;
	return true;
}

static void let_go(struct eg_sub *s, struct eg_ticket *t)
{
	s->feed->held -= s->held;
	s->held = 0;
	eg_ticket_free(t);
}

/* Gives a window's ticket to the writer, or keeps it until there is room: the writer's next commit wakes us.
 */
static bool put(struct eg_sub *s, struct eg_ticket *t)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_intake_put(s->feed->o.intake, t, 0, &err);
	s->logging = !rc;
	s->ready = rc == EG_DEADLINE ? t : NULL;
	if (!rc || rc == EG_DEADLINE)
		return !rc;
	let_go(s, t);
	return over(s, rc, &err);
}

/* Builds the next window and gives it to the writer to be logged; true: the sub moved, and may have more to
 * do at once. */
static bool build(struct eg_sub *s)
{
	struct eg_feed_window w = {0};
	struct eg_err err = {0};
	bool head = false;
	if (s->ready)
		return put(s, s->ready);
	if (eg_mono_us() < s->not_before_mono)
		return false;
	enum eg_rc rc = at_head(s, &head, &err);
	if (rc)
		return over(s, rc, &err);
	if (head)
		return progress(s);
	if (s->feed->held > LOGGING_BYTES) {
		if (!s->feed->put_off)
			s->feed->put_off = s;
		return false; /* a commit will wake us */
	}
	/* The window lives in the ticket that logs it. */
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_DELIVERY, WINDOW_BYTES, s->scope.policy, s->scope.who);
	if (!t)
		return over(s, eg_fail(&err, EG_NO_MEMORY, "no memory for a window"), &err);
	rc = eg_arena_why(t->arena, next_window(s, t->arena, &w, &err), &err);
	if (!rc && w.n && w.items[0].kind != EG_ITEM_LOG_CHANGED) {
		eg_feed_describe(t, &s->scope, &w);
		t->done = logged;
		t->done_arg = s;
		s->window = w;
		s->held = eg_arena_used(t->arena);
		s->feed->held += s->held;
		return put(s, t);
	} else if (!rc && w.n) {
		hand_over(s, &w);
	} else if (!rc) {
		s->at = w.next;
		if (eg_mono_us() - s->told_mono >= s->feed->o.progress_us)
			progress(s); /* far behind, with nothing in scope: it still hears */
	}
	eg_ticket_free(t);
	return rc ? over(s, rc, &err) : true;
}

/* A window came back from the writer. */
static void finish_logging(struct eg_sub *s, struct eg_ticket *t)
{
	s->logging = false;
	if (!t->rc) {
		hand_over(s, &s->window);
	} else if (!eg_rc_retryable(t->rc) || t->rc == EG_CLOSED) {
		s->end = t->rc;
		s->end_err = t->err;
	} else {
		eg_log_err(EG_LOG_WARN, "feed.delivery_not_logged", &t->err);
		s->not_before_mono = eg_mono_us() + RETRY_US;
	}
	let_go(s, t);
}

/* One turn of one sub; true: it moved. *gone: it is to be taken off. */
static bool serve(struct eg_sub *s, bool stopping, bool *gone)
{
	struct eg_feed *f = s->feed;
	pthread_mutex_lock(&f->lock);
	struct eg_ticket *t = s->logged;
	bool dropped = s->dropped, idle = s->idle;
	s->logged = NULL;
	pthread_mutex_unlock(&f->lock);
	if (t && dropped) {
		s->logging = false;
		let_go(s, t);
	} else if (t) {
		finish_logging(s, t);
		return true;
	}
	*gone = !s->logging && (dropped || stopping || s->end);
	if (*gone || s->logging || !idle)
		return *gone;
	return build(s);
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
	let_go(s, s->ready);
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

static void run(void *arg)
{
	struct eg_feed *f = arg;
	eg_pulse_begin(&f->pulse, "feed");
	for (;;) {
		eg_pulse_turn(&f->pulse);
		uint64_t seen = eg_wake_seen(f->wake);
		bool stopping = adopt(f), moved = false;
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
		if (stopping && !f->subs)
			break;
		if (!moved) {
			int64_t wait = f->o.progress_us < POLL_US ? f->o.progress_us : POLL_US;
			eg_wake_wait(f->wake, seen, eg_mono_us() + wait);
		}
	}
	eg_pulse_end(&f->pulse);
}

/* ---- outside ---- */

static void free_feed(struct eg_feed *f)
{
	eg_exlog_close(f->log);
	eg_arena_free(f->page.arena);
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
	f->o.progress_us = o->progress_us ? o->progress_us : 5 * EG_SECOND;
	f->max_subs = o->max_subs ? o->max_subs : 2000;
	pthread_mutex_init(&f->lock, NULL);
	f->wake = eg_wake_new();
	f->page.arena = eg_arena_new(PAGE_BYTES);
	if (!f->wake || !f->page.arena)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the feed");
	else
		rc = eg_exlog_open(&f->log, o->store, o->vault, 0, err);
	if (!rc && !eg_wake_forward(eg_writer_head(o->writer), f->wake))
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
	eg_wake(f->wake);
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
	s->idle = s->behind = true;
	s->told_mono = eg_mono_us();
	if ((rc = eg_scope_open(&s->scope, o, err)) || (rc = eg_store_reader(f->o.store, &c, err)) ||
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
		eg_wake(f->wake);
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
	pthread_mutex_unlock(&f->lock);
	eg_wake(f->wake);
}

void eg_feed_drop(struct eg_feed *f, struct eg_sub *s)
{
	pthread_mutex_lock(&f->lock);
	s->dropped = true;
	pthread_mutex_unlock(&f->lock);
	eg_wake(f->wake);
}

const struct eg_feed_options *eg_feed_told(const struct eg_feed *f)
{
	return &f->o;
}
