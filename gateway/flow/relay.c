/* relay: see relay.h.
 *
 *   waiting --open session--> running --error or unknown outcome--> waiting (backoff) ...
 *      \--topics and log do not belong together--> halted, until the gateway is started anew
 *   running: read entries → transaction on producer a → on producer b → a ...; the next begins only after the
 * last one's commit returned OK, so the order holds.
 *
 * The topics are the truth: on a new session the log is read again from where they stand, whatever was
 * remembered here. */
#include "flow/relay.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "flow/exlog.h"
#include "flow/relay_pace.h"
#include "flow/relay_topics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ARENA_BYTES = 64 << 20, /* entries and events of one transaction */
	FULL_BYTES = 32 << 20, /* of it, after which no further page of entries is read; one takes far less */
	PERSON_BYTES = 64 << 20, /* most that one person may take */
	DEFAULT_EVENTS = 2000,
	BACKOFF_MIN_US = 100000,
	BACKOFF_MAX_US = 5000000,
	POLL_US = EG_PULSE_WAIT_US, /* hints may be lost */
	MARK_EVERY = 10000          /* entries without events after which the mark moves all the same */
};

struct eg_relay {
	struct eg_relay_options o;
	struct eg_thread *thread;
	struct eg_pulse pulse;
	struct eg_wake *wake; /* hints from the writer, and from stop */
	struct eg_exlog *log;
	struct eg_arena *arena, *person; /* of a transaction; of the person looked at */
	struct eg_relay_topics *topics;  /* NULL: no session */
	uint64_t mark;                   /* committed to the topic */
	pthread_mutex_t lock;
	struct eg_relay_status status; /* guarded */
	struct eg_relay_pace pace;     /* guarded; written by the thread */
	bool stopping;                 /* guarded */
	int64_t stop_by;               /* guarded */
};

/* Whatever waits for a broker asks this again and again, and so turns. */
static int64_t give_up(void *arg)
{
	struct eg_relay *r = arg;
	eg_pulse_turn(&r->pulse);
	pthread_mutex_lock(&r->lock);
	int64_t at = r->stopping ? r->stop_by : INT64_MAX;
	pthread_mutex_unlock(&r->lock);
	return at;
}

static bool asked_to_stop(struct eg_relay *r)
{
	eg_pulse_turn(&r->pulse);
	pthread_mutex_lock(&r->lock);
	bool s = r->stopping;
	pthread_mutex_unlock(&r->lock);
	return s;
}

static void set_status(struct eg_relay *r, bool connected, const struct eg_err *err)
{
	pthread_mutex_lock(&r->lock);
	r->status.connected = connected;
	r->status.mark = r->mark;
	if (err)
		snprintf(r->status.last_error, sizeof r->status.last_error, "%s", err->text);
	pthread_mutex_unlock(&r->lock);
}

static void set_oldest(struct eg_relay *r, int64_t time)
{
	pthread_mutex_lock(&r->lock);
	r->status.oldest_unpublished_us = time;
	pthread_mutex_unlock(&r->lock);
}

static void set_passed(struct eg_relay *r, uint64_t seq)
{
	pthread_mutex_lock(&r->lock);
	r->status.passed = seq;
	pthread_mutex_unlock(&r->lock);
}

/* ---- one transaction ---- */

static enum eg_rc publish(struct eg_relay *r, const struct eg_relay_outgoing *events, unsigned n,
                          uint64_t seq, struct eg_err *err)
{
	unsigned sent = 0;
	enum eg_rc rc = eg_relay_topics_publish(r->topics, events, n, seq, &sent, err);
	if (rc)
		return rc;
	r->mark = eg_relay_topics_mark(r->topics);
	eg_metric_add(EG_M_RELAY_EVENTS, NULL, sent);
	eg_writer_mark(r->o.writer, "kafka", r->mark);
	return EG_OK;
}

static enum eg_rc own_codes(struct eg_arena *a, struct eg_event *e, struct eg_err *err)
{
	eg_event_keep_codes(e);
	e->fields = eg_arena_copy(a, e->fields, e->n_fields * sizeof *e->fields);
	if (!e->fields && e->n_fields)
		return eg_fail(err, EG_LIMIT, "a transaction's arena is too small");
	for (unsigned i = 0; i < e->n_fields; i++) {
		struct eg_bytes *text = &e->fields[i].value.text;
		e->fields[i].agency = (struct eg_bytes){0}; /* a state names no sources */
		if (text->len && !(text->p = eg_arena_copy(a, text->p, text->len)))
			return eg_fail(err, EG_LIMIT, "a transaction's arena is too small");
	}
	return EG_OK;
}

/* What the compacted topic says after this event. An event has the fields that it changed, a state all: those
 * are in the person's row, if the row still stands at the event's version. */
static enum eg_rc state_after(struct eg_relay *r, const struct eg_entry *entry, struct eg_relay_outgoing *o,
                              struct eg_err *err)
{
	struct eg_conn *c = eg_exlog_conn(r->log);
	struct eg_person_row row;
	o->state = &o->event;
	if (!r->o.n_fields)
		return EG_OK;
	struct eg_event *state = eg_arena_alloc(r->arena, sizeof *state);
	if (!state)
		return eg_fail(err, EG_LIMIT, "a transaction's arena is too small");
	eg_arena_reset(r->person);
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_person_by_id(c, entry->effect.person, r->person, &row, err);
	eg_read_end(c);
	o->state = NULL;
	if (rc == EG_EMPTY || (rc == EG_OK && row.version != o->event.person_version))
		return EG_OK;
	if (rc == EG_OK)
		rc = eg_state_of(r->o.vault, "kafka", o->event.log_id, &row, NULL, r->o.fields, r->o.n_fields,
		                 r->person, state, err);
	state->time = o->event.time;
	state->traceparent = o->event.traceparent;
	o->state = state;
	return rc ? rc : own_codes(r->arena, state, err);
}

/* Reads on from the log until a transaction is full or the head is reached; *more: it may not be. EG_EMPTY:
 * the head, with nothing read. However many entries are no events, they fill no more than the arena: what is
 * read stays read, and the next call goes on behind it. */
static enum eg_rc gather(struct eg_relay *r, struct eg_relay_outgoing *events, unsigned *n, bool *more,
                         struct eg_err *err)
{
	*n = 0;
	*more = true;
	while (*n < r->pace.events && eg_arena_used(r->arena) < FULL_BYTES) {
		struct eg_entry *entries;
		unsigned n_entries;
		enum eg_rc rc =
		        eg_exlog_next(r->log, r->pace.events - *n, true, r->arena, &entries, &n_entries, err);
		if (rc == EG_EMPTY) {
			*more = false;
			return *n || eg_exlog_position(r->log) > r->mark ? EG_OK : EG_EMPTY;
		}
		if (rc)
			return rc;
		for (unsigned i = 0; i < n_entries; i++) {
			rc = eg_event_of(r->o.vault, "kafka", eg_writer_log_id(r->o.writer), &entries[i],
			                 r->o.fields, r->o.n_fields, r->arena, &events[*n].event, err);
			if (!rc) {
				eg_event_keep_codes(&events[*n].event);
				rc = state_after(r, &entries[i], &events[*n], err);
			}
			if (!rc && !(*n)++)
				set_oldest(r, events[0].event.time);
			if (rc && rc != EG_EMPTY)
				return rc;
		}
	}
	return EG_OK;
}

static void keep_pace(struct eg_relay *r, unsigned n, int64_t us)
{
	pthread_mutex_lock(&r->lock);
	eg_relay_pace_took(&r->pace, n, us);
	pthread_mutex_unlock(&r->lock);
}

static enum eg_rc run_session(struct eg_relay *r, struct eg_err *err)
{
	for (;;) {
		eg_pulse_turn(&r->pulse);
		uint64_t seen = eg_wake_seen(r->wake);
		int64_t began = eg_mono_us();
		unsigned n = 0;
		bool more = false;
		eg_arena_reset(r->arena);
		struct eg_relay_outgoing *events = eg_arena_alloc(r->arena, r->pace.events * sizeof *events);
		enum eg_rc rc = events ? gather(r, events, &n, &more, err)
		                       : eg_fail(err, EG_NO_MEMORY, "no memory for events");
		uint64_t at = eg_exlog_position(r->log);
		if (!rc && (n || at - r->mark >= MARK_EVERY))
			rc = publish(r, events, n, at, err);
		if (rc && rc != EG_EMPTY)
			return rc;
		set_passed(r, at);
		if (n)
			keep_pace(r, n, eg_mono_us() - began);
		if (n || more) {
			set_status(r, true, NULL);
			if (eg_mono_us() >= give_up(r))
				return EG_CLOSED;
			continue;
		}
		set_oldest(r, 0);
		if (asked_to_stop(r))
			return EG_CLOSED; /* everything is published */
		eg_wake_wait(r->wake, seen, eg_mono_us() + POLL_US);
	}
}

/* ---- a session ---- */

static enum eg_rc leaf_of(void *arg, uint64_t seq, uint8_t leaf[32], struct eg_err *err)
{
	struct eg_relay *r = arg;
	struct eg_conn *c = eg_exlog_conn(r->log);
	uint64_t head;
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_head(c, &head, err);
	if (!rc)
		rc = seq > head ? EG_EMPTY : eg_get_leaves(c, seq, 1, leaf, err);
	eg_read_end(c);
	return rc;
}

static enum eg_rc open_session(struct eg_relay *r, struct eg_err *err)
{
	const struct eg_relay_around around = {.arg = r, .leaf = leaf_of, .give_up = give_up};
	enum eg_rc rc = eg_relay_topics_open(&r->topics, &r->o, &around, err);
	if (rc)
		return rc;
	r->mark = eg_relay_topics_mark(r->topics);
	eg_exlog_seek(r->log, r->mark);
	set_passed(r, r->mark);
	set_status(r, true, NULL);
	return EG_OK;
}

static void close_session(struct eg_relay *r)
{
	eg_relay_topics_close(r->topics);
	r->topics = NULL;
}

/* From where the log stands. */
static bool find_unpublished(struct eg_relay *r)
{
	struct eg_event event;
	struct eg_entry *entries;
	struct eg_err err;
	unsigned n;
	bool found = false;
	while (!asked_to_stop(r)) {
		eg_arena_reset(r->arena);
		if (eg_exlog_next(r->log, 100, false, r->arena, &entries, &n, &err))
			break;
		for (unsigned i = 0; i < n && !found; i++)
			found = eg_event_of(r->o.vault, "kafka", eg_writer_log_id(r->o.writer), &entries[i],
			                    NULL, 0, r->arena, &event, &err) == EG_OK;
		if (found) {
			set_oldest(r, event.time);
			return true;
		}
	}
	set_passed(r, eg_exlog_position(r->log));
	return false;
}

/* While there is no session, so before the first: how old is what waits. */
static void look_at_backlog(struct eg_relay *r)
{
	eg_exlog_seek(r->log, r->mark);
	if (!find_unpublished(r))
		set_oldest(r, 0);
}

/* Topics and log do not belong together, which only a person can mend. Trying on would be dangerous: an older
 * copy of the store looks like the right one to an old mark as soon as it has grown past it. */
static void halt(struct eg_relay *r)
{
	bool found = false;
	eg_exlog_seek(r->log, r->mark);
	set_oldest(r, 0);
	while (!asked_to_stop(r)) {
		uint64_t seen = eg_wake_seen(r->wake);
		found = found || find_unpublished(r);
		eg_wake_wait(r->wake, seen, eg_mono_us() + POLL_US);
	}
}

static int64_t soon(int64_t until)
{
	int64_t turn = eg_mono_us() + EG_PULSE_WAIT_US;
	return turn < until ? turn : until;
}

static void wait_backoff(struct eg_relay *r, int64_t us)
{
	int64_t until = eg_mono_us() + us;
	uint64_t seen =
	        eg_wake_seen(r->wake); /* before the look, so that a stop in between is not slept over */
	while (!asked_to_stop(r) && eg_mono_us() < until)
		seen = eg_wake_wait(r->wake, seen, soon(until));
}

static void run(void *arg)
{
	struct eg_relay *r = arg;
	int64_t backoff = BACKOFF_MIN_US;
	eg_pulse_begin(&r->pulse, "relay");
	look_at_backlog(r);
	while (!asked_to_stop(r)) {
		struct eg_err err = {0};
		enum eg_rc rc = open_session(r, &err);
		bool whose = rc == EG_PRECONDITION;
		if (!rc) {
			backoff = BACKOFF_MIN_US;
			rc = eg_arena_why(r->arena, run_session(r, &err), &err);
		}
		close_session(r);
		if (rc == EG_CLOSED)
			break;
		eg_metric_add(EG_M_RELAY_RESTARTS, eg_rc_label(rc), 1);
		set_status(r, false, &err);
		if (whose) {
			eg_log_err(EG_LOG_ERROR, "relay.halted", &err);
			halt(r);
			break;
		}
		eg_log_err(EG_LOG_WARN, "relay.disconnected", &err);
		look_at_backlog(r);
		wait_backoff(r, backoff);
		backoff = backoff * 2 < BACKOFF_MAX_US ? backoff * 2 : BACKOFF_MAX_US;
	}
	set_status(r, false, NULL);
	eg_pulse_end(&r->pulse);
}

/* ---- outside ---- */

static void free_relay(struct eg_relay *r)
{
	eg_exlog_close(r->log);
	eg_arena_free(r->arena);
	eg_arena_free(r->person);
	eg_wake_free(r->wake);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Until the topic was read, the mark folded into the store is the best guess, for status only. */
static enum eg_rc guess_mark(struct eg_relay *r, struct eg_err *err)
{
	struct eg_conn *c = eg_exlog_conn(r->log);
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_mark(c, "kafka", &r->mark, err);
	eg_read_end(c);
	r->status.mark = r->status.passed = r->mark;
	return rc == EG_EMPTY ? EG_OK : rc;
}

enum eg_rc eg_relay_start(struct eg_relay **out, const struct eg_relay_options *o, struct eg_err *err)
{
	struct eg_relay *r = calloc(1, sizeof *r);
	enum eg_rc rc = EG_OK;
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the relay");
	r->o = *o;
	r->pace = eg_relay_pace_begin(o->max_events ? o->max_events : DEFAULT_EVENTS);
	pthread_mutex_init(&r->lock, NULL);
	r->wake = eg_wake_new();
	r->arena = eg_arena_new(ARENA_BYTES);
	r->person = eg_arena_new(PERSON_BYTES);
	if (!r->wake || !r->arena || !r->person)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the relay");
	if (!rc)
		rc = eg_exlog_open(&r->log, o->store, o->vault, 0, err);
	if (!rc)
		rc = guess_mark(r, err);
	if (!rc && !eg_wake_forward(eg_writer_head(o->writer), r->wake))
		rc = eg_fail(err, EG_INTERNAL, "too many listeners at the writer's head");
	if (!rc && (rc = eg_thread_start(&r->thread, "relay", run, r, err)))
		eg_wake_forward_stop(eg_writer_head(o->writer), r->wake);
	if (rc) {
		free_relay(r);
		return rc;
	}
	*out = r;
	return EG_OK;
}

void eg_relay_drain(struct eg_relay *r, int64_t mono_deadline_us)
{
	if (!r->thread)
		return;
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	r->stop_by = mono_deadline_us;
	pthread_mutex_unlock(&r->lock);
	eg_wake(r->wake);
	eg_thread_join(r->thread);
	r->thread = NULL;
	eg_wake_forward_stop(eg_writer_head(r->o.writer), r->wake);
}

void eg_relay_stop(struct eg_relay *r, int64_t mono_deadline_us)
{
	eg_relay_drain(r, mono_deadline_us);
	free_relay(r);
}

void eg_relay_status(struct eg_relay *r, struct eg_relay_status *out)
{
	pthread_mutex_lock(&r->lock);
	*out = r->status;
	pthread_mutex_unlock(&r->lock);
}

bool eg_relay_behind(struct eg_relay *r)
{
	if (!r)
		return false;
	uint64_t head = eg_writer_seq(r->o.writer);
	pthread_mutex_lock(&r->lock);
	const struct eg_relay_status *s = &r->status;
	bool old = s->oldest_unpublished_us && eg_now_us() - s->oldest_unpublished_us > EG_SECOND;
	bool behind =
	        s->connected && (old || (head > s->passed && eg_relay_pace_full(&r->pace, head - s->passed)));
	pthread_mutex_unlock(&r->lock);
	return behind;
}
