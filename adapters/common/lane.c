/* lane: see lane.h. */
#include "common/lane.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "common/backoff.h"
#include "common/refusal.h"
#include "common/varint.h"
#include "trust/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD "/eldergate.v1.ExchangeService/Submit"
#define NEVER  INT64_MAX

/* Tags of SubmitRequest: a batch is written as it grows, so that it is copied only once. */
enum { HEAD = 64 }; /* all before the records, but for the dataset's name, takes less */
enum { TAG_BATCH_ID = 0x0a, TAG_DATASET = 0x12, TAG_LANE = 0x18, TAG_RECORD = 0x22 };

struct batch {
	char id[40];
	struct eg_buf message; /* a SubmitRequest, whole after each record */
	uint64_t *refs;        /* owned; ascending */
	unsigned n;
	int64_t since_us;      /* filling: when its first row came; sent: when it was sent */
	int64_t not_before_us; /* sealed: the gateway wanted it later */
	bool sent, ever_sent;
};

struct eg_lane {
	struct eg_lane_options o;
	struct eg_link_call *call;             /* NULL: none open */
	int64_t call_not_before_us, turned_us; /* turned: the last turn, which did all that was due */
	struct eg_backoff backoff;
	struct batch *filling; /* NULL: none */
	struct batch **sealed; /* [in_flight], oldest first */
	unsigned n_sealed;
	char name[20]; /* of this run: the beginning of batch ids */
	uint64_t number;
	uint64_t resent;
	struct eg_verdicts verdicts;
};

static void add_bytes(struct eg_buf *b, uint8_t tag, struct eg_bytes v)
{
	eg_buf_add_u8(b, tag);
	eg_add_varint(b, v.len);
	eg_buf_add(b, v.p, v.len);
}

static void batch_free(struct batch *b)
{
	if (!b)
		return;
	eg_buf_free(&b->message);
	free(b->refs);
	free(b);
}

static struct batch *batch_new(struct eg_lane *l, int64_t now)
{
	struct batch *b = calloc(1, sizeof *b);
	uint64_t *refs = calloc(l->o.batch_records, sizeof *refs);
	if (!b || !refs) {
		free(b);
		free(refs);
		return NULL;
	}
	b->refs = refs;
	b->since_us = now;
	snprintf(b->id, sizeof b->id, "%s%llu", l->name, (unsigned long long)++l->number);
	add_bytes(&b->message, TAG_BATCH_ID, eg_bytes_of(b->id));
	add_bytes(&b->message, TAG_DATASET, eg_bytes_of(l->o.dataset));
	eg_buf_add_u8(&b->message, TAG_LANE);
	eg_add_varint(&b->message, (uint64_t)l->o.lane);
	return b;
}

enum eg_rc eg_lane_open(struct eg_lane **out, const struct eg_lane_options *o, struct eg_err *err)
{
	struct eg_lane *l = calloc(1, sizeof *l);
	struct batch **sealed = calloc(o->in_flight, sizeof *sealed);
	uint8_t random[8];
	if (!l || !sealed) {
		free(l);
		free(sealed);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a lane");
	}
	l->o = *o;
	l->sealed = sealed;
	l->backoff = (struct eg_backoff){.least_us = o->backoff_least_us, .most_us = o->backoff_most_us};
	eg_random(random, sizeof random);
	eg_hex(random, sizeof random, l->name);
	strcat(l->name, "-");
	*out = l;
	return EG_OK;
}

void eg_lane_forget(struct eg_lane *l)
{
	for (unsigned i = 0; i < l->n_sealed; i++)
		batch_free(l->sealed[i]);
	l->n_sealed = 0;
	batch_free(l->filling);
	l->filling = NULL;
}

void eg_lane_close(struct eg_lane *l)
{
	if (!l)
		return;
	eg_lane_forget(l);
	if (l->call)
		eg_link_drop(l->call);
	eg_verdicts_free(&l->verdicts);
	free(l->sealed);
	free(l);
}

/* ---- rows in ---- */

bool eg_lane_room(const struct eg_lane *l)
{
	return l->n_sealed < l->o.in_flight;
}

bool eg_lane_empty(const struct eg_lane *l)
{
	return !l->filling && !l->n_sealed;
}

unsigned eg_lane_rows(const struct eg_lane *l)
{
	unsigned n = l->filling ? l->filling->n : 0;
	for (unsigned i = 0; i < l->n_sealed; i++)
		n += l->sealed[i]->n;
	return n;
}

unsigned eg_lane_batches(const struct eg_lane *l)
{
	return l->n_sealed + (l->filling ? 1 : 0);
}

uint64_t eg_lane_resent(const struct eg_lane *l)
{
	return l->resent;
}

static void seal(struct eg_lane *l)
{
	l->sealed[l->n_sealed++] = l->filling;
	l->filling = NULL;
}

enum eg_rc eg_lane_add(struct eg_lane *l, uint64_t ref, struct eg_bytes record, int64_t now,
                       struct eg_err *err)
{
	size_t need = record.len + 6; /* tag and the longest length there is */
	if (HEAD + strlen(l->o.dataset) + need > l->o.batch_bytes)
		return eg_fail(err, EG_LIMIT, "a record of %zu bytes is larger than a batch may be",
		               record.len);
	if (l->filling && l->filling->message.len + need > l->o.batch_bytes)
		seal(l);
	/* If that took the last place, the row begins a batch that is sealed when there is a place again. */
	if (!l->filling && !(l->filling = batch_new(l, now)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a batch");
	struct batch *b = l->filling;
	add_bytes(&b->message, TAG_RECORD, record);
	if (b->message.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a batch");
	b->refs[b->n++] = ref;
	if (b->n == l->o.batch_records && l->n_sealed < l->o.in_flight)
		seal(l);
	return EG_OK;
}

/* ---- out ---- */

static void lost(struct eg_lane *l, int64_t now, int64_t wait)
{
	if (l->call)
		eg_link_drop(l->call);
	l->call = NULL;
	l->call_not_before_us = now + wait;
	for (unsigned i = 0; i < l->n_sealed; i++)
		l->sealed[i]->sent = false;
}

static void open_call(struct eg_lane *l, int64_t now)
{
	struct eg_err err = {0};
	if (l->call || !l->n_sealed || now < l->call_not_before_us || !eg_link_connected(l->o.link))
		return;
	if (eg_link_call(l->o.link, METHOD, 0, l, &l->call, &err)) {
		eg_log_err(EG_LOG_WARN, "agent.stream_refused", &err);
		l->call = NULL;
		l->call_not_before_us = now + eg_backoff_next(&l->backoff);
	}
}

/* False: no more can be sent now. */
static bool send_batch(struct eg_lane *l, struct batch *b, int64_t now)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_link_send(l->call, eg_buf_bytes(&b->message), &err);
	if (rc == EG_BUSY || rc == EG_CLOSED)
		return false; /* credit, or the call's end, comes as an event */
	if (rc) {
		eg_log_err(EG_LOG_ERROR, "agent.send_failed", &err);
		lost(l, now, eg_backoff_next(&l->backoff));
		return false;
	}
	l->resent += b->ever_sent;
	b->sent = b->ever_sent = true;
	b->since_us = now;
	eg_kill_point("agent.sent");
	return true;
}

/* A stream on which nothing comes back although the link is up. */
static bool stuck(const struct eg_lane *l, int64_t now)
{
	for (unsigned i = 0; i < l->n_sealed; i++)
		if (l->sealed[i]->sent && now - l->sealed[i]->since_us >= l->o.receipt_us)
			return true;
	return false;
}

void eg_lane_turn(struct eg_lane *l, int64_t now, bool flush)
{
	struct batch *f = l->filling;
	l->turned_us = now;
	if (f && f->n && l->n_sealed < l->o.in_flight &&
	    (flush || f->n == l->o.batch_records || now - f->since_us >= l->o.linger_us))
		seal(l);
	if (l->call && stuck(l, now)) {
		eg_log(EG_LOG_WARN, "agent.no_receipt", EG_I("lane", l->o.lane),
		       EG_I("batches", l->n_sealed));
		lost(l, now, eg_backoff_next(&l->backoff));
	}
	open_call(l, now);
	for (unsigned i = 0; i < l->n_sealed && l->call; i++)
		if (!l->sealed[i]->sent && l->sealed[i]->not_before_us <= now &&
		    !send_batch(l, l->sealed[i], now))
			break;
}

/* What waits for the link, or for credit, is due with the event that brings it, and never before. */
int64_t eg_lane_due(const struct eg_lane *l)
{
	int64_t due = NEVER;
	if (l->filling && l->n_sealed < l->o.in_flight)
		due = l->filling->since_us + l->o.linger_us;
	if (l->n_sealed && !l->call && eg_link_connected(l->o.link) && l->call_not_before_us < due)
		due = l->call_not_before_us;
	for (unsigned i = 0; i < l->n_sealed; i++) {
		const struct batch *b = l->sealed[i];
		int64_t at = b->sent ? b->since_us + l->o.receipt_us : b->not_before_us;
		bool open = l->call && (b->sent || at > l->turned_us);
		if (open && at < due)
			due = at;
	}
	return due;
}

/* ---- receipts ---- */

static void take_out(struct eg_lane *l, unsigned i)
{
	batch_free(l->sealed[i]);
	memmove(&l->sealed[i], &l->sealed[i + 1], (l->n_sealed - i - 1) * sizeof *l->sealed);
	l->n_sealed--;
}

static void refused(struct eg_lane *l, unsigned i, const Google__Rpc__Status *status, int64_t now)
{
	struct eg_refusal r;
	struct eg_err err = {0};
	struct batch *b = l->sealed[i];
	eg_refusal_of_message(status, true, &r);
	eg_refusal_fail(&r, &err);
	if (r.retry_us >= 0) {
		int64_t wait = eg_backoff_next(&l->backoff);
		b->sent = false;
		b->not_before_us = now + (r.retry_us > wait ? r.retry_us : wait);
		eg_log_err(EG_LOG_WARN, "agent.batch_later", &err);
		return;
	}
	unsigned rows = b->n;
	eg_log_err(EG_LOG_ERROR, "agent.batch_refused", &err);
	take_out(l, i);
	l->o.refused(l->o.arg, &err, rows);
}

static void settle(struct eg_lane *l, unsigned i, const Eldergate__V1__Receipt *r, int64_t now)
{
	struct eg_err err = {0};
	struct batch *b = l->sealed[i];
	if (eg_verdicts_of_receipt(&l->verdicts, r, b->refs, b->n, &err)) {
		/* No row may be taken for done by a receipt that does not say so of each. */
		eg_log_err(EG_LOG_ERROR, "agent.bad_receipt", &err);
		lost(l, now, eg_backoff_next(&l->backoff));
		return;
	}
	eg_backoff_reset(&l->backoff);
	take_out(l, i);
	l->o.settle(l->o.arg, &l->verdicts);
}

static void receipt(struct eg_lane *l, struct eg_bytes message, int64_t now)
{
	Eldergate__V1__SubmitResponse *m =
	        eldergate__v1__submit_response__unpack(NULL, message.len, message.p);
	const Eldergate__V1__Receipt *r = m ? m->receipt : NULL;
	unsigned i = 0;
	if (!r) {
		eg_log(EG_LOG_ERROR, "agent.bad_receipt", EG_T("reason", "it could not be decoded"));
		lost(l, now, eg_backoff_next(&l->backoff));
	}
	while (r && i < l->n_sealed && strcmp(l->sealed[i]->id, r->batch_id) != 0)
		i++;
	if (r && i < l->n_sealed) { /* else of a batch whose rows were dropped */
		eg_kill_point("agent.receipt");
		if (r->status)
			refused(l, i, r->status, now);
		else
			settle(l, i, r, now);
	}
	eldergate__v1__submit_response__free_unpacked(m, NULL);
}

static void ended(struct eg_lane *l, const struct eg_link_event *e, int64_t now)
{
	struct eg_refusal r;
	struct eg_err err = {0};
	eg_refusal_of_status(e, &r);
	eg_refusal_fail(&r, &err);
	int64_t wait = eg_backoff_next(&l->backoff);
	/* An identity that is not known, or a message that the gateway cannot read: it may be put right over
	 * there, so we go on trying, slowly, and say so each time. */
	bool hopeless = e->code && r.retry_us < 0;
	eg_log_err(hopeless ? EG_LOG_ERROR : EG_LOG_WARN, "agent.stream_ended", &err);
	if (hopeless) {
		wait = l->o.backoff_most_us;
		l->o.refused(l->o.arg, &err, 0);
	}
	lost(l, now, wait > r.retry_us ? wait : r.retry_us);
}

bool eg_lane_event(struct eg_lane *l, const struct eg_link_event *e, int64_t now)
{
	if (!l->call || e->call != l->call)
		return false;
	switch (e->kind) {
	case EG_LINK_MESSAGE:
		receipt(l, e->bytes, now);
		break;
	case EG_LINK_CREDIT:
		break; /* the turn that follows sends */
	case EG_LINK_STATUS:
		ended(l, e, now);
		break;
	case EG_LINK_LOST:
		eg_log(EG_LOG_WARN, "agent.stream_lost", EG_I("lane", l->o.lane),
		       EG_I("batches", l->n_sealed));
		lost(l, now, eg_backoff_next(&l->backoff));
	}
	return true;
}
