/* svc_submit: ExchangeService.Submit: batches in, a receipt for each after its commit.
 *
 *   message --judged, queued--> in flight --committed--> receipt sent --left--> gone
 *
 * At most in_flight_batches are between decoding and the leaving of their receipt, one more message waits to
 * be decoded; none is read while a batch waits before a full lane, the identity's rate is spent, or, of bulk
 * that is no dry run, the relay is behind. Each message sees the policy then in force. Thread: steps on a
 * worker; done on the writer's or a line's. */
#include "edge/receipt.h"
#include "edge/services.h"
#include "edge/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "flow/rehearse.h"

#include <stdlib.h>

#define BULK_LOOK_US     (EG_SECOND / 20) /* how often bulk that waits for the relay looks again */
#define BULK_PATIENCE_US (30 * EG_SECOND) /* after that the batch is refused, to be sent later */
#define NEVER            INT64_MAX

struct submit;
struct flight {
	struct flight *next;
	struct submit *of;
	struct eg_ticket *ticket;
	struct eg_message *message; /* the claims are views into it */
	struct eg_place place;
	int64_t time; /* of the commit */
	bool waits;   /* before a full lane */
};

struct submit {
	struct eg_stream stream;   /* first; it awaits the tickets that the writer has */
	bool ended;                /* its status is given */
	unsigned in_flight, waits; /* of these, before full lanes */
	struct eg_message *held;   /* decoded later: the relay is behind */
	int64_t held_since;
	int64_t not_before; /* the identity's rate is spent until then */
	/* guarded by the stream's lock */
	unsigned left;       /* receipts that left since the last step */
	struct flight *back; /* came back from the writer */
};

/* ---- answers ---- */

static void end_with(struct submit *s, const struct eg_fault *f)
{
	if (s->ended)
		return;
	s->ended = true;
	eg_stream_fail(&s->stream, f);
}

/* False: nothing will leave. */
static bool send_receipt(struct submit *s, struct eg_maker *k, Eldergate__V1__Receipt *r)
{
	Eldergate__V1__SubmitResponse m = ELDERGATE__V1__SUBMIT_RESPONSE__INIT;
	struct eg_out *out = NULL;
	m.receipt = r;
	if (!k->failed && r)
		out = eg_pb_out(&m.base);
	if (!out) {
		struct eg_fault f;
		eg_ask_no_memory(&f);
		end_with(s, &f);
		return false;
	}
	return eg_call_send(s->stream.call, out);
}

static void refuse_batch(struct submit *s, const struct eg_batch *b, const struct eg_fault *f,
                         struct eg_worker *w)
{
	struct eg_maker k = {.arena = w->scratch};
	eg_edge_refused(s->stream.edge, &s->stream.caller, f);
	if (send_receipt(s, &k, eg_make_refused(&k, b->batch_id, f)))
		s->in_flight++;
}

static void flight_free(struct flight *f)
{
	eg_ticket_free(f->ticket);
	eg_message_free(f->message);
	free(f);
}

/* A ticket came back: its receipt goes out and counts as in flight until it has left. */
static void land(struct submit *s, struct flight *f, struct eg_worker *w)
{
	struct eg_maker k = {.arena = w->scratch};
	Eldergate__V1__Receipt *r;
	if (f->waits)
		s->waits--;
	if (f->ticket->rc) {
		struct eg_fault fault;
		eg_batch_fault(&f->ticket->err, &fault);
		fault.err.rc = f->ticket->rc;
		r = eg_make_refused(&k, eg_bytes_of(f->ticket->submission.batch_id), &fault);
	} else {
		r = eg_make_receipt(&k, f->ticket, f->time);
	}
	if (s->ended || !send_receipt(s, &k, r))
		s->in_flight--;
	flight_free(f);
	eg_arena_reset(w->scratch);
}

/* ---- taking a batch ---- */

/* On the writer's thread, or a line's. */
static void done(struct eg_ticket *t)
{
	struct flight *f = t->done_arg;
	struct submit *s = f->of;
	f->time = eg_now_us();
	pthread_mutex_lock(&s->stream.lock);
	f->next = s->back;
	s->back = f;
	s->stream.awaited--;
	eg_stream_kick(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
}

static enum eg_rc fill(const struct submit *s, const struct eg_batch *b,
                       const struct eg_dataset_rule *dataset, struct flight *f, struct eg_fault *fault)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_SUBMISSION, eg_batch_budget(b), s->stream.caller.policy,
	                                    s->stream.caller.who);
	if (!t)
		return eg_ask_no_memory(fault);
	struct eg_submission *u = &t->submission;
	f->ticket = t;
	t->lane = b->lane == ELDERGATE__V1__LANE__LANE_BULK ? EG_LANE_BULK
	                                                    : EG_LANE_LIVE; /* intake looks closer */
	t->bytes = b->message.len;
	t->operator_name = s->stream.caller.who->name;
	t->traceparent = eg_arena_printf(t->arena, "%s", eg_call_traceparent(s->stream.call));
	t->done = done;
	t->done_arg = f;
	u->batch_id = eg_arena_text(t->arena, (const char *)b->batch_id.p, b->batch_id.len);
	u->dataset = dataset;
	u->n = b->n;
	u->items = eg_arena_alloc(t->arena, b->n * sizeof *u->items);
	if (!t->traceparent || !u->batch_id || !u->items)
		return eg_ask_no_memory(fault);
	eg_sha256(&b->message, 1, u->digest);
	return eg_fault_why(fault, t->arena, eg_batch_items(b, t->arena, u->items, &fault->err));
}

static void delay(struct submit *s, unsigned records)
{
	int64_t wait = eg_quota_take(s->stream.edge->quota, s->stream.name,
	                             s->stream.caller.who->records_per_second, records);
	if (wait)
		s->not_before = eg_mono_us() + wait;
}

/* A dry run is answered at once. */
static enum eg_rc rehearse(struct submit *s, const struct eg_batch *b, struct flight *f, struct eg_worker *w,
                           struct eg_fault *fault)
{
	struct eg_edge *e = s->stream.edge;
	struct eg_maker k = {.arena = w->scratch};
	struct eg_err err = {0};
	uint64_t head;
	enum eg_rc rc = eg_rehearse(e->o.intake, w->conn, f->ticket, &head, &err);
	if (rc) {
		eg_batch_fault(&err, fault);
		return rc;
	}
	delay(s, b->n);
	if (send_receipt(s, &k, eg_make_rehearsed(&k, f->ticket, eg_writer_log_id(e->o.writer), head)))
		s->in_flight++;
	flight_free(f);
	return EG_OK;
}

/* Judges and queues. Only a message that does not decode ends the stream. */
static void take(struct submit *s, struct eg_message *m, struct eg_worker *w)
{
	struct eg_edge *e = s->stream.edge;
	const struct eg_batch_limits limits = {e->o.batch_records, e->o.batch_bytes};
	const struct eg_dataset_rule *dataset = NULL;
	struct eg_fault fault = {.reason = EG_REASON_MALFORMED_REQUEST};
	struct eg_batch b;
	struct flight *f = NULL;
	if (eg_batch_read(eg_message_bytes(m), false, &b, &fault.err)) {
		end_with(s, &fault);
		eg_message_free(m);
		return;
	}
	fault.reason = 0;
	enum eg_rc rc =
	        eg_batch_admit(&b, &limits, s->stream.caller.policy, s->stream.caller.who, &dataset, &fault);
	if (!rc && !(f = calloc(1, sizeof *f)))
		rc = eg_ask_no_memory(&fault);
	if (!rc)
		rc = fill(s, &b, dataset, f, &fault);
	if (!rc && b.dry_run) {
		f->message = m;
		if (!(rc = rehearse(s, &b, f, w, &fault)))
			return;
	} else if (!rc) {
		unsigned n = b.n;
		struct eg_err err = {0};
		bool waits = false;
		f->of = s;
		f->message = m;
		pthread_mutex_lock(&s->stream.lock);
		s->stream.awaited++;
		pthread_mutex_unlock(&s->stream.lock);
		/* Set before done can come: land() looks at it in a later step, on this thread's heels. */
		rc = eg_doors_put(e->doors, f->ticket, &f->place, NEVER, &waits, &err);
		if (!rc) {
			delay(s, n);
			s->in_flight++;
			if (waits) {
				s->waits++;
				f->waits = true;
			}
			return;
		}
		pthread_mutex_lock(&s->stream.lock);
		s->stream.awaited--;
		pthread_mutex_unlock(&s->stream.lock);
		eg_batch_fault(&err, &fault);
	}
	fault.err.rc = rc;
	refuse_batch(s, &b, &fault, w);
	if (f) {
		f->message = NULL;
		flight_free(f);
	}
	eg_message_free(m);
}

static void take_or_hold(struct submit *s, struct eg_message *m, struct eg_worker *w)
{
	struct eg_batch b;
	if (eg_batch_read(eg_message_bytes(m), false, &b, NULL) || b.dry_run ||
	    b.lane != ELDERGATE__V1__LANE__LANE_BULK || !eg_relay_behind(s->stream.edge->o.relay)) {
		s->held_since = 0;
		take(s, m, w);
		return;
	}
	if (!s->held_since)
		s->held_since = eg_mono_us();
	if (eg_mono_us() - s->held_since < BULK_PATIENCE_US) {
		s->held = m;
		return;
	}
	struct eg_fault f;
	s->held_since = 0;
	eg_refuse(&f, EG_BUSY, EG_REASON_BACKLOG_FULL, "", "too many changes wait to be published");
	refuse_batch(s, &b, &f, w);
	eg_message_free(m);
}

/* ---- the step ---- */

/* May another message be asked for? If only time is missing, sets the timer. */
static bool has_room(struct submit *s)
{
	if (s->ended || s->held || s->waits || s->in_flight >= s->stream.edge->o.in_flight_batches)
		return false;
	if (s->not_before <= eg_mono_us())
		return true;
	eg_stream_look_again(&s->stream, s->not_before);
	return false;
}

static bool gone(struct submit *s)
{
	if (!eg_stream_close(&s->stream))
		return false;
	eg_message_free(s->held);
	free(s);
	return true;
}

static bool step(struct eg_job *job, struct eg_worker *w)
{
	struct submit *s = (struct submit *)eg_stream_of(job);
	struct eg_fault f = {0};
	pthread_mutex_lock(&s->stream.lock);
	struct eg_message *m = s->stream.message;
	struct flight *back = s->back;
	bool closed = s->stream.closed;
	s->in_flight -= s->left;
	s->left = 0;
	s->stream.message = NULL;
	s->back = NULL;
	pthread_mutex_unlock(&s->stream.lock);
	bool stopping = atomic_load(&s->stream.edge->stopping);

	while (back) {
		struct flight *next = back->next;
		land(s, back, w);
		back = next;
	}
	if (!s->ended && !closed &&
	    (eg_stream_admit(&s->stream, EG_ROLE_AGENCY, &f) || eg_stream_count(&s->stream, &f)))
		end_with(s, &f);
	if (s->held) {
		m = s->held;
		s->held = NULL;
	}
	if (m && (s->ended || closed || stopping))
		eg_message_free(m); /* it has no receipt, so it will come again */
	else if (m)
		take_or_hold(s, m, w);
	if (s->held)
		eg_stream_look_again(&s->stream, eg_mono_us() + BULK_LOOK_US);

	bool room = !stopping && has_room(s);
	pthread_mutex_lock(&s->stream.lock);
	if (room)
		eg_stream_read(&s->stream);
	bool all_in = s->stream.half_closed && !s->stream.message && !s->held;
	pthread_mutex_unlock(&s->stream.lock);
	if (!s->ended && !s->in_flight && all_in) {
		s->ended = true;
		eg_call_finish(s->stream.call, 0, "", (struct eg_bytes){0});
	} else if (!s->ended && !s->in_flight && stopping) {
		eg_refuse(&f, EG_CLOSED, 0, "",
		          "the gateway is shutting down: connect again, resend what has no receipt");
		end_with(s, &f);
	}
	return gone(s);
}

/* ---- events ---- */

static void began(struct eg_call *c, struct eg_message *first)
{
	eg_stream_begin(c, first, sizeof(struct submit), step);
}

static void on_sent(struct eg_call *c)
{
	struct submit *s = eg_call_state(c);
	pthread_mutex_lock(&s->stream.lock);
	s->left++;
	eg_stream_kick(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
}

const struct eg_call_events eg_submit = {
        .began = began, .read = eg_stream_on_read, .sent = on_sent, .closed = eg_stream_on_closed};
