/* relay: see relay.h.
 *
 *   waiting --open, init both, read mark--> running --error or unknown outcome--> waiting (backoff) ...
 *   running: read entries → transaction on producer a → on producer b → a ...; the next begins only after the
 * last one's commit returned OK, so the order holds.
 *
 * The topic's mark is the truth: on a new session the log is read again from it, whatever was remembered
 * here. */
#include "flow/relay.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/thread.h"
#include "flow/exlog.h"
#include "flow/kafka.h"
#include "model/canon.h"

#include <inttypes.h>
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
	POLL_US = 1000000,  /* hints may be lost */
	MARK_EVERY = 10000, /* entries without events after which the mark moves all the same */
	NAME_BYTES = 160
};

/* One event and, of the compacted topic, the state after it: NULL where the log has a newer one of the
 * person, which will bring its own. */
struct outgoing {
	struct eg_event event;
	const struct eg_event *state;
};

struct session {
	struct eg_kafka *producer[2];
	unsigned turn;
};

struct eg_relay {
	struct eg_relay_options o;
	char changes[NAME_BYTES], state[NAME_BYTES], marks[NAME_BYTES], id[2][NAME_BYTES];
	struct eg_thread *thread;
	struct eg_wake *wake; /* hints from the writer, and from stop */
	struct eg_exlog *log;
	struct eg_arena *arena, *person; /* of a transaction; of the person looked at */
	struct session session;
	uint64_t mark; /* committed to the topic */
	pthread_mutex_t lock;
	struct eg_relay_status status; /* guarded */
	bool stopping;                 /* guarded */
	int64_t stop_by;               /* guarded */
};

static bool stopping(struct eg_relay *r)
{
	pthread_mutex_lock(&r->lock);
	bool s = r->stopping && eg_mono_us() >= r->stop_by;
	pthread_mutex_unlock(&r->lock);
	return s;
}

static bool asked_to_stop(struct eg_relay *r)
{
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
		snprintf(r->status.last_error, sizeof r->status.last_error, "%.255s", err->text);
	pthread_mutex_unlock(&r->lock);
}

static void set_oldest(struct eg_relay *r, int64_t time)
{
	pthread_mutex_lock(&r->lock);
	r->status.oldest_unpublished_us = time;
	pthread_mutex_unlock(&r->lock);
}

/* ---- one message ---- */

static struct eg_bytes text_bytes(const char *t)
{
	return eg_bytes_of(t);
}

static enum eg_rc produce_event(struct eg_relay *r, struct eg_kafka *k, const struct eg_event *e, bool state,
                                struct eg_buf *value, struct eg_err *err)
{
	char key[33], id[64], time[32], sequence[24], type[64], log_id[33];
	eg_hex(e->person_ref, sizeof e->person_ref, key);
	eg_hex(e->log_id, sizeof e->log_id, log_id);
	snprintf(id, sizeof id, "%s-%" PRIu64, log_id, e->seq);
	snprintf(sequence, sizeof sequence, "%020" PRIu64, e->seq);
	snprintf(type, sizeof type, "eldergate.v1.%s", state ? "state" : eg_event_kind_name(e->kind));
	for (char *c = type; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	eg_instant_format(e->time, time);
	const struct eg_kafka_header headers[] = {
	        {"ce_specversion", text_bytes("1.0")},
	        {"ce_id", text_bytes(id)},
	        {"ce_type", text_bytes(type)},
	        {"ce_source", text_bytes(r->o.source_uri)},
	        {"ce_subject", text_bytes(key)},
	        {"ce_time", text_bytes(time)},
	        {"ce_dataschema", text_bytes(state ? "urn:eldergate:proto:eldergate.v1.PersonState"
	                                           : "urn:eldergate:proto:eldergate.v1.ChangeEvent")},
	        {"ce_sequence", text_bytes(sequence)},
	        {"content-type", text_bytes("application/protobuf")},
	        {"traceparent", e->traceparent},
	};
	eg_buf_reset(value);
	enum eg_rc rc = (state ? r->o.encode_state : r->o.encode_event)(e, value, err);
	if (rc)
		return rc;
	const struct eg_kafka_message m = {
	        .topic = state ? r->state : r->changes,
	        .key = text_bytes(key),
	        .value = eg_buf_bytes(value),
	        .time_us = e->time,
	        .n_headers = (unsigned)(sizeof headers / sizeof *headers) - (e->traceparent.len ? 0 : 1),
	        .headers = headers,
	};
	return eg_kafka_produce(k, &m, err);
}

static enum eg_rc produce_mark(struct eg_relay *r, struct eg_kafka *k, uint64_t seq, struct eg_err *err)
{
	struct eg_buf value = {0};
	if (eg_unsafe("relay_mark_ahead"))
		seq += 3;
	eg_canon_bytes(&value, 1, (struct eg_bytes){eg_writer_log_id(r->o.writer), 16});
	eg_canon_int(&value, 2, (int64_t)seq);
	const struct eg_kafka_message m = {.topic = r->marks,
	                                   .key = text_bytes("relay"),
	                                   .value = eg_buf_bytes(&value),
	                                   .time_us = eg_now_us()};
	enum eg_rc rc = value.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a mark")
	                             : eg_kafka_produce(k, &m, err);
	eg_buf_free(&value);
	return rc;
}

/* ---- one transaction ---- */

/* Events first, then, once their reports are good, the mark: a broker whose transactions are cosmetic repeats
 * after a crash, but never loses. */
static enum eg_rc publish(struct eg_relay *r, const struct outgoing *events, unsigned n, uint64_t seq,
                          struct eg_err *err)
{
	struct eg_kafka *k = r->session.producer[r->session.turn];
	struct eg_buf value = {0};
	enum eg_rc rc = eg_kafka_begin(k, err);
	eg_kill_point("relay.begin");
	for (unsigned i = 0; i < n && !rc; i++) {
		const struct outgoing *o = &events[i];
		if (eg_unsafe("relay_skip") && i == n / 2)
			continue;
		if (eg_unsafe("relay_reorder"))
			o = &events[n - 1 - i];
		rc = produce_event(r, k, &o->event, false, &value, err);
		if (!rc && eg_unsafe("relay_duplicate") && i == 0)
			rc = produce_event(r, k, &o->event, false, &value, err);
		if (!rc && o->state)
			rc = produce_event(r, k, o->state, true, &value, err);
		if (i == n / 2)
			eg_kill_point("relay.mid_produce");
	}
	eg_buf_free(&value);
	if (!rc)
		rc = eg_kafka_flush(k, err);
	if (!rc)
		rc = produce_mark(r, k, seq, err);
	if (!rc)
		rc = eg_kafka_flush(k, err);
	eg_kill_point("relay.before_commit");
	if (!rc)
		rc = eg_kafka_commit(k, err);
	if (rc)
		return rc;
	eg_kill_point("relay.between_producers");
	r->session.turn ^= 1;
	r->mark = seq;
	eg_metric_add(EG_M_RELAY_EVENTS, NULL, n);
	eg_writer_mark(r->o.writer, "kafka", seq);
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
static enum eg_rc state_after(struct eg_relay *r, const struct eg_entry *entry, struct outgoing *o,
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
static enum eg_rc gather(struct eg_relay *r, struct outgoing *events, unsigned *n, bool *more,
                         struct eg_err *err)
{
	*n = 0;
	*more = true;
	while (*n < r->o.max_events && eg_arena_used(r->arena) < FULL_BYTES) {
		struct eg_entry *entries;
		unsigned n_entries;
		enum eg_rc rc = eg_exlog_next(r->log, r->o.max_events - *n, true, r->arena, &entries,
		                              &n_entries, err);
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

static enum eg_rc run_session(struct eg_relay *r, struct eg_err *err)
{
	for (;;) {
		uint64_t seen = eg_wake_seen(r->wake);
		unsigned n = 0;
		bool more = false;
		eg_arena_reset(r->arena);
		struct outgoing *events = eg_arena_alloc(r->arena, r->o.max_events * sizeof *events);
		enum eg_rc rc = events ? gather(r, events, &n, &more, err)
		                       : eg_fail(err, EG_NO_MEMORY, "no memory for events");
		uint64_t at = eg_exlog_position(r->log);
		if (!rc && (n || at - r->mark >= MARK_EVERY))
			rc = publish(r, events, n, at, err);
		if (rc && rc != EG_EMPTY)
			return rc;
		if (n || more) {
			set_status(r, true, NULL);
			if (stopping(r))
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

static void close_session(struct eg_relay *r)
{
	for (unsigned i = 0; i < 2; i++)
		eg_kafka_close(r->session.producer[i]);
	r->session = (struct session){0};
}

/* The mark as the topic has it; *none: it has none, and no event was ever sent. */
static enum eg_rc read_mark(struct eg_relay *r, const struct eg_kafka_options *o, uint64_t *seq, bool *none,
                            struct eg_err *err)
{
	struct eg_buf value = {0};
	bool has = false, ours = false;
	*seq = 0;
	*none = false;
	enum eg_rc rc = eg_kafka_last(o, r->marks, "relay", &value, err);
	if (rc == EG_EMPTY) {
		*none = true;
		rc = eg_kafka_has_messages(r->session.producer[0], r->changes, &has, err);
		if (!rc && has)
			rc = eg_fail(
			        err, EG_PRECONDITION,
			        "%s has events but %s has no mark: one of the topics is not this gateway's",
			        r->changes, r->marks);
		eg_buf_free(&value);
		return rc;
	}
	if (!rc) {
		struct eg_canon_reader c = eg_canon_read(eg_buf_bytes(&value));
		while (eg_canon_next(&c)) {
			if (c.tag == 1)
				ours = c.value.len == 16 &&
				       memcmp(c.value.p, eg_writer_log_id(r->o.writer), 16) == 0;
			else if (c.tag == 2)
				*seq = (uint64_t)eg_canon_as_int(&c);
		}
		if (c.bad || !ours)
			rc = eg_fail(err, EG_PRECONDITION, "%s holds the mark of another log", r->marks);
	}
	eg_buf_free(&value);
	return rc;
}

static enum eg_rc check_mark(struct eg_relay *r, uint64_t mark, struct eg_err *err)
{
	uint64_t head = 0;
	struct eg_conn *c = eg_exlog_conn(r->log);
	enum eg_rc rc = eg_read_begin(c, err);
	if (rc)
		return rc;
	rc = eg_get_head(c, &head, err);
	eg_read_end(c);
	if (!rc && mark > head)
		rc = eg_fail(err, EG_PRECONDITION,
		             "the topic's mark is %" PRIu64 ", the log's head only %" PRIu64
		             ": this store is older than what was published",
		             mark, head);
	return rc;
}

static enum eg_rc open_session(struct eg_relay *r, struct eg_err *err)
{
	struct eg_kafka_options o = {.bootstrap = r->o.bootstrap, .settings = r->o.settings};
	const struct eg_kafka_topic topics[] = {
	        {r->changes, r->o.partitions, r->o.replication, false},
	        {r->state, r->o.partitions, r->o.replication, true},
	        {r->marks, 1, r->o.replication, true},
	};
	const char *const names[] = {r->changes, r->state, r->marks};
	uint64_t mark = 0;
	bool none = false;
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < 2 && !rc; i++) {
		o.transactional_id = r->id[i];
		rc = eg_kafka_open(&r->session.producer[i], &o, err);
	}
	/* The development broker makes topics by itself and knows no request for it. */
	if (!rc && r->o.partitions && !r->o.development)
		rc = eg_kafka_make_topics(r->session.producer[0], topics, 3, err);
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = eg_kafka_know(r->session.producer[i], names, 3, err);
	/* Both are fenced in before the mark is read: after this no older relay can move it. */
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = eg_kafka_init(r->session.producer[i], err);
	if (!rc)
		rc = read_mark(r, &o, &mark, &none, err);
	if (!rc)
		rc = check_mark(r, mark, err);
	/* A mark before the first event: the topics hold what an aborted transaction sent as well, and beside
	 * no mark that could not be told from another gateway's events. */
	if (!rc && none)
		rc = publish(r, NULL, 0, 0, err);
	if (rc)
		return rc;
	r->mark = mark;
	eg_exlog_seek(r->log, mark);
	eg_log(EG_LOG_INFO, "relay.connected", EG_T("topic", r->changes), EG_I("mark", mark),
	       EG_B("durable", !r->o.development));
	set_status(r, true, NULL);
	return EG_OK;
}

/* While there is no session: how old is what waits. */
static void look_at_backlog(struct eg_relay *r)
{
	struct eg_event event;
	struct eg_entry *entries;
	struct eg_err err;
	unsigned n;
	bool found = false;
	eg_exlog_seek(r->log, r->mark);
	while (!asked_to_stop(r)) {
		eg_arena_reset(r->arena);
		if (eg_exlog_next(r->log, 100, false, r->arena, &entries, &n, &err))
			break;
		for (unsigned i = 0; i < n && !found; i++)
			found = eg_event_of(r->o.vault, "kafka", eg_writer_log_id(r->o.writer), &entries[i],
			                    NULL, 0, r->arena, &event, &err) == EG_OK;
		if (found) {
			set_oldest(r, event.time);
			return;
		}
	}
	set_oldest(r, 0);
}

static void wait_backoff(struct eg_relay *r, int64_t us)
{
	int64_t until = eg_mono_us() + us;
	uint64_t seen =
	        eg_wake_seen(r->wake); /* before the look, so that a stop in between is not slept over */
	while (!asked_to_stop(r) && eg_mono_us() < until)
		seen = eg_wake_wait(r->wake, seen, until);
}

static void run(void *arg)
{
	struct eg_relay *r = arg;
	int64_t backoff = BACKOFF_MIN_US;
	while (!asked_to_stop(r)) {
		struct eg_err err = {0};
		enum eg_rc rc = open_session(r, &err);
		if (!rc) {
			backoff = BACKOFF_MIN_US;
			rc = run_session(r, &err);
		}
		close_session(r);
		if (rc == EG_CLOSED)
			break;
		eg_metric_add(EG_M_RELAY_RESTARTS, eg_rc_label(rc), 1);
		eg_log_err(EG_LOG_WARN, "relay.disconnected", &err);
		set_status(r, false, &err);
		look_at_backlog(r);
		wait_backoff(r, backoff);
		backoff = backoff * 2 < BACKOFF_MAX_US ? backoff * 2 : BACKOFF_MAX_US;
	}
	set_status(r, false, NULL);
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
	return rc == EG_EMPTY ? EG_OK : rc;
}

enum eg_rc eg_relay_start(struct eg_relay **out, const struct eg_relay_options *o, struct eg_err *err)
{
	struct eg_relay *r = calloc(1, sizeof *r);
	enum eg_rc rc = EG_OK;
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the relay");
	r->o = *o;
	r->o.max_events = o->max_events ? o->max_events : DEFAULT_EVENTS;
	snprintf(r->changes, sizeof r->changes, "%s.changes.v1", o->topic_prefix);
	snprintf(r->state, sizeof r->state, "%s.state.v1", o->topic_prefix);
	snprintf(r->marks, sizeof r->marks, "%s.relay.v1", o->topic_prefix);
	snprintf(r->id[0], sizeof r->id[0], "%.120s-a", o->transactional_id);
	snprintf(r->id[1], sizeof r->id[1], "%.120s-b", o->transactional_id);
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
