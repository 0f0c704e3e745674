/* pump: see pump.h. A batch is encoded once, into its slot, record behind record, so it can be sent again as
 * it was. Locks: lock, for slots' states and the stream's end. */
#include "cli/pump.h"

#include "base/clock.h"
#include "base/thread.h"
#include "cli/cli.h"
#include "cli/status.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD       "/eldergate.v1.ExchangeService/Submit"
#define RECORDS_TAG  0x22 /* field 4 of SubmitRequest, length-delimited */
#define PAUSE_MIN    (EG_SECOND / 20)
#define PAUSE_MAX    (2 * EG_SECOND)
#define PATIENCE     (60 * EG_SECOND)
#define CONDITION_US EG_SECOND /* how long a lost wake-up can cost */

enum slot_state { FREE, WAITING, SENT };

struct slot {
	enum slot_state state;
	char batch_id[65];
	struct eg_buf bytes; /* the encoded SubmitRequest */
	unsigned n;
	struct origin where[PUMP_BATCH_MAX];
	int64_t not_before; /* monotonic */
	unsigned times_sent;
};

struct pump {
	const struct pump_options *o;
	struct pump_result *result;
	struct slot *slots;
	struct eg_buf spilled; /* a record that did not fit into the last batch */
	struct origin spilled_where;
	bool input_over;
	uint64_t batch_number;
	int64_t moved; /* when something last went well */
	pthread_mutex_t lock;
	pthread_cond_t change;
	struct rpc_stream *stream;
	bool ended; /* the stream has */
	struct eg_refusal end;
};

/* ---- batches ---- */

static void add_varint(struct eg_buf *b, uint64_t v)
{
	for (; v > 0x7F; v >>= 7)
		eg_buf_add_u8(b, (uint8_t)(v | 0x80));
	eg_buf_add_u8(b, (uint8_t)v);
}

static void add_record(struct slot *s, const struct eg_buf *record, struct origin where)
{
	eg_buf_add_u8(&s->bytes, RECORDS_TAG);
	add_varint(&s->bytes, record->len);
	eg_buf_add(&s->bytes, record->p, record->len);
	s->where[s->n++] = where;
}

static enum eg_rc begin_batch(struct pump *p, struct slot *s, struct eg_err *err)
{
	Eldergate__V1__SubmitRequest head = ELDERGATE__V1__SUBMIT_REQUEST__INIT;
	snprintf(s->batch_id, sizeof s->batch_id, "%.50s-%06" PRIu64, p->o->batch_prefix, ++p->batch_number);
	head.batch_id = s->batch_id;
	head.dataset = (char *)(uintptr_t)p->o->dataset;
	head.lane = p->o->lane;
	s->n = 0;
	s->times_sent = 0;
	s->not_before = 0;
	return pack(&head.base, &s->bytes, err);
}

/* Fills a free slot from the source; leaves it free when there is nothing more. */
static enum eg_rc fill(struct pump *p, struct slot *s, struct eg_err *err)
{
	enum eg_rc rc = begin_batch(p, s, err);
	if (!rc && p->spilled.len)
		add_record(s, &p->spilled, p->spilled_where);
	while (!rc && s->n < p->o->batch) {
		eg_buf_reset(&p->spilled);
		rc = p->o->next(p->o->arg, &p->spilled, &p->spilled_where, err);
		if (!rc && s->n && s->bytes.len + p->spilled.len + 8 > PUMP_BATCH_BYTES)
			break;
		if (!rc)
			add_record(s, &p->spilled, p->spilled_where);
		if (!rc)
			eg_buf_reset(&p->spilled);
	}
	if (rc == EG_EMPTY) {
		p->input_over = true;
		rc = EG_OK;
	}
	if (!rc && (s->bytes.failed || p->spilled.failed))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a batch");
	if (!rc && s->n) {
		pthread_mutex_lock(&p->lock);
		s->state = WAITING;
		pthread_mutex_unlock(&p->lock);
	}
	return rc;
}

/* ---- receipts ---- */

static struct slot *slot_of(struct pump *p, const char *batch_id)
{
	for (unsigned i = 0; i < p->o->in_flight; i++)
		if (p->slots[i].state == SENT && strcmp(p->slots[i].batch_id, batch_id) == 0)
			return &p->slots[i];
	return NULL;
}

static void take_receipt(struct pump *p, const Eldergate__V1__Receipt *r)
{
	struct eg_refusal refusal = {.retry_us = -1};
	pthread_mutex_lock(&p->lock);
	struct slot *s = slot_of(p, r->batch_id);
	pthread_mutex_unlock(&p->lock);
	if (!s)
		return; /* of nothing that waits: a gateway that answers twice */
	if (r->status && r->status->code)
		refusal_of_message(r->status, &refusal);
	bool again = refusal.retry_us >= 0;
	/* The slot stays as it is while it is SENT, so it can be read without the lock. */
	if (!again)
		p->o->receipt(p->o->arg, r, s->where, s->n);
	pthread_mutex_lock(&p->lock);
	p->moved = eg_mono_us();
	s->state = again ? WAITING : FREE;
	s->not_before = again ? eg_mono_us() + refusal.retry_us : 0;
	p->result->batches += !again;
	p->result->records += again ? 0 : s->n;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
}

static void receive(void *arg)
{
	struct pump *p = arg;
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	while (rpc_receive(p->stream, INT64_MAX, &message, &status) == RPC_MESSAGE) {
		Eldergate__V1__SubmitResponse *m =
		        eldergate__v1__submit_response__unpack(NULL, message.len, message.p);
		if (!m || !m->receipt)
			rpc_cancel(p->stream); /* the end that follows is told as a broken stream */
		else
			take_receipt(p, m->receipt);
		eldergate__v1__submit_response__free_unpacked(m, NULL);
	}
	pthread_mutex_lock(&p->lock);
	refusal_of_status(&status, &p->end);
	p->ended = true;
	pthread_cond_broadcast(&p->change);
	pthread_mutex_unlock(&p->lock);
	rpc_status_free(&status);
	eg_buf_free(&message);
}

/* ---- sending ---- */

enum next { SEND, FILL, IDLE, DONE, BROKEN };

/* What is to be done now; waits while there is nothing. */
static enum next next_step(struct pump *p, struct slot **out)
{
	enum next next = IDLE;
	pthread_mutex_lock(&p->lock);
	while (next == IDLE) {
		int64_t now = eg_mono_us(), until = now + CONDITION_US;
		struct slot *empty = NULL;
		bool any = false;
		for (unsigned i = 0; i < p->o->in_flight && next == IDLE; i++) {
			struct slot *s = &p->slots[i];
			any |= s->state != FREE;
			if (s->state == FREE && !empty)
				empty = s;
			if (s->state != WAITING)
				continue;
			if (s->not_before <= now) {
				next = SEND;
				*out = s;
			} else if (s->not_before < until) {
				until = s->not_before;
			}
		}
		if (p->ended)
			next = BROKEN;
		else if (next == IDLE && empty && !p->input_over) {
			next = FILL;
			*out = empty;
		} else if (next == IDLE && !any && p->input_over)
			next = DONE;
		if (next == IDLE) {
			struct timespec t = eg_mono_deadline(until);
			pthread_cond_timedwait(&p->change, &p->lock, &t);
		}
	}
	if (next == SEND) {
		(*out)->state = SENT;
		p->result->sent_again += (*out)->times_sent++ == 1;
	}
	pthread_mutex_unlock(&p->lock);
	return next;
}

/* One stream. EG_OK: everything has its receipt. EG_UNAVAILABLE and the like: another stream may go on.
 * *fatal: it may not. */
static enum eg_rc stream(struct pump *p, bool *fatal, struct eg_err *err)
{
	struct eg_thread *receiver = NULL;
	struct slot *s = NULL;
	enum next next = IDLE;
	p->ended = false;
	p->result->connections++;
	enum eg_rc rc = rpc_stream_open(p->o->client, METHOD, &p->stream, err);
	if (!rc)
		rc = eg_thread_start(&receiver, "receipts", receive, p, err);
	*fatal = rc != EG_OK;
	while (!rc && next != DONE && next != BROKEN) {
		next = next_step(p, &s);
		if (next == FILL) {
			rc = fill(p, s, err);
			*fatal = rc != EG_OK;
		} else if (next == SEND && !rpc_send(p->stream, eg_buf_bytes(&s->bytes)))
			next = BROKEN; /* the receiver has the reason */
	}
	if (receiver && next == DONE)
		rpc_half_close(p->stream);
	else if (receiver && rc)
		rpc_cancel(p->stream);
	eg_thread_join(receiver);
	rpc_stream_close(p->stream);
	p->stream = NULL;
	if (!rc && next == BROKEN) {
		rc = p->end.rc ? refusal_fail(&p->end, err)
		               : eg_fail(err, EG_UNAVAILABLE, "the gateway ended the stream");
		*fatal = rc != EG_UNAVAILABLE && p->end.retry_us < 0;
	} else if (!rc && p->end.rc) {
		rc = refusal_fail(&p->end, err);
		*fatal = rc != EG_UNAVAILABLE; /* every receipt is here: what is left is the goodbye */
		if (!*fatal)
			rc = EG_OK;
	}
	for (unsigned i = 0; i < p->o->in_flight; i++)
		if (p->slots[i].state == SENT)
			p->slots[i].state = WAITING;
	return rc;
}

static void pause_for(struct pump *p, int64_t us)
{
	struct timespec t = eg_mono_deadline(eg_mono_us() + us);
	pthread_mutex_lock(&p->lock);
	while (pthread_cond_timedwait(&p->change, &p->lock, &t) == 0)
		;
	pthread_mutex_unlock(&p->lock);
}

static enum eg_rc run(struct pump *p, struct eg_err *err)
{
	int64_t patience = p->o->patience_us ? p->o->patience_us : PATIENCE, pause = PAUSE_MIN;
	p->moved = eg_mono_us();
	for (;;) {
		bool fatal = false;
		int64_t moved = p->moved;
		struct eg_err why = {0};
		enum eg_rc rc = stream(p, &fatal, &why);
		/* Nobody there from the beginning is a wrong address rather than a broken connection. */
		bool ever = p->result->batches || p->result->connections > 1;
		if (rc && (fatal || !ever || eg_mono_us() - p->moved > patience)) {
			if (err)
				*err = why;
			return rc;
		}
		if (!rc)
			return EG_OK;
		if (p->o->reconnecting)
			p->o->reconnecting(p->o->arg, &why);
		if (p->moved != moved)
			pause = PAUSE_MIN;
		pause_for(p, pause); /* for a gateway that answers, and refuses */
		pause = 2 * pause < PAUSE_MAX ? 2 * pause : PAUSE_MAX;
		rpc_reach(p->o->client, patience); /* if it does not answer, the next attempt says so */
	}
}

enum eg_rc pump_run(const struct pump_options *o, struct pump_result *result, struct eg_err *err)
{
	struct pump p = {.o = o, .result = result, .lock = PTHREAD_MUTEX_INITIALIZER};
	*result = (struct pump_result){0};
	if (!o->batch || o->batch > PUMP_BATCH_MAX || !o->in_flight || o->in_flight > PUMP_IN_FLIGHT_MAX)
		return eg_fail(err, EG_USAGE, "a batch has 1 to %d records, and 1 to %d may be in flight",
		               PUMP_BATCH_MAX, PUMP_IN_FLIGHT_MAX);
	p.slots = calloc(o->in_flight, sizeof *p.slots);
	if (!p.slots)
		return eg_fail(err, EG_NO_MEMORY, "no memory for batches");
	eg_mono_cond(&p.change);
	enum eg_rc rc = run(&p, err);
	for (unsigned i = 0; i < o->in_flight; i++)
		eg_buf_free(&p.slots[i].bytes);
	free(p.slots);
	eg_buf_free(&p.spilled);
	pthread_cond_destroy(&p.change);
	pthread_mutex_destroy(&p.lock);
	return rc;
}
