/* svc_reconcile: ExchangeService.Reconcile: a full list in, how far it is and what became of it out.
 *
 *   begin? --begin--> records --end--> watched --over--> reported
 *
 * One message at a time is decoded, judged and spooled before the next is asked for, so a slow disk or a
 * spent rate holds the sender back. Whatever ends the stream before the end of the list drops the list; after
 * it the list goes on without the stream. Thread: steps on a worker. */
#include "edge/list_wire.h"
#include "edge/services.h"
#include "edge/stream.h"

#include "base/clock.h"

#include <stddef.h>
#include <stdlib.h>

#define LOOK_MIN_US                                                                                          \
	(EG_SECOND / 200) /* how soon a watched list is looked at first; then less and less often */
#define LOOK_MAX_US (EG_SECOND / 4)

enum { CHUNKS_MAX = 4 };
enum state { BEGIN, RECORDS, WATCHED, ENDED };

/* Some records on their way into the spool. */
struct chunk {
	struct eg_job job;
	struct reconcile *of;
	struct eg_list *list; /* a reference */
	struct eg_message *message;
	struct eg_bytes body; /* in message */
	struct eg_ticket *ticket;
	uint64_t first; /* index of its first record */
};

struct reconcile {
	struct eg_stream stream; /* first; it awaits the chunks that are under way */
	char dataset[EG_NAME_MAX];
	enum state state;
	struct eg_list *list;
	int64_t not_before; /* the identity's rate is spent until then */
	int64_t look_every;
	struct eg_list_look told; /* what the sender heard last */
	struct eg_message *held;  /* the end, until all chunks are through */
	/* guarded by the stream's lock */
	enum eg_rc failure; /* of a chunk, the first one */
	struct eg_err why;
};

static void drop_list(struct reconcile *s)
{
	eg_list_release(s->list);
	s->list = NULL;
}

static void end_with(struct reconcile *s, const struct eg_fault *f)
{
	if (s->state == ENDED)
		return;
	s->state = ENDED;
	eg_stream_fail(&s->stream, f);
	drop_list(s);
}

/* ---- receiving ---- */

static enum eg_rc begin(struct reconcile *s, struct eg_bytes body, struct eg_worker *w, struct eg_fault *f)
{
	struct eg_list_begin b;
	if (s->state != BEGIN)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "begin", "a list has one begin");
	enum eg_rc rc =
	        eg_list_begin_read(body, s->stream.caller.policy, s->stream.caller.who, w->scratch, &b, f);
	if (rc)
		return rc;
	rc = eg_list_begin(s->stream.edge->o.lists, &b, &s->list, &f->err);
	if (rc == EG_BUSY)
		f->reason = EG_REASON_LISTS_FULL;
	if (rc)
		return rc;
	memcpy(s->dataset, b.dataset, strlen(b.dataset) + 1);
	s->state = RECORDS;
	return EG_OK;
}

static bool run_chunk(struct eg_job *job, struct eg_worker *w)
{
	struct chunk *c = (struct chunk *)((char *)job - offsetof(struct chunk, job));
	struct reconcile *s = c->of;
	struct eg_err err = {0};
	(void)w;
	enum eg_rc rc = eg_list_records_read(c->body, c->ticket, &err);
	if (rc == EG_OK)
		rc = eg_list_add(c->list, c->ticket, c->first, &err);
	rc = eg_arena_why(c->ticket->arena, rc, &err);
	eg_ticket_free(c->ticket);
	eg_message_free(c->message);
	eg_list_release(c->list);
	free(c);
	pthread_mutex_lock(&s->stream.lock);
	if (rc && !s->failure) {
		s->failure = rc;
		s->why = err;
	}
	s->stream.awaited--;
	eg_stream_kick(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
	return true;
}

/* *message is the chunk's from then on. */
static enum eg_rc records(struct reconcile *s, struct eg_bytes body, struct eg_message **message,
                          struct eg_fault *f)
{
	struct eg_edge *e = s->stream.edge;
	const struct eg_batch_limits limits = {e->o.batch_records, e->o.batch_bytes};
	struct eg_ticket *t = NULL;
	if (s->state != RECORDS)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "records",
		                 "records stand between a list's begin and its end");
	uint64_t first = eg_list_digested(s->list);
	enum eg_rc rc = eg_list_records_take(body, &limits, s->stream.caller.policy, s->stream.caller.who,
	                                     s->dataset, s->list, &t, f);
	if (rc || !t)
		return rc;
	struct chunk *c = calloc(1, sizeof *c);
	if (!c) {
		eg_ticket_free(t);
		return eg_ask_no_memory(f);
	}
	int64_t wait = eg_quota_take(e->quota, s->stream.name, s->stream.caller.who->records_per_second,
	                             t->submission.n);
	if (wait)
		s->not_before = eg_mono_us() + wait;
	*c = (struct chunk){.job = {.run = run_chunk},
	                    .of = s,
	                    .list = s->list,
	                    .message = *message,
	                    .body = body,
	                    .ticket = t,
	                    .first = first};
	*message = NULL;
	eg_list_hold(s->list);
	pthread_mutex_lock(&s->stream.lock);
	s->stream.awaited++;
	pthread_mutex_unlock(&s->stream.lock);
	eg_pool_put(e->pool, &c->job);
	return EG_OK;
}

static enum eg_rc end(struct reconcile *s, struct eg_bytes body, struct eg_worker *w, struct eg_fault *f)
{
	struct eg_bytes digest;
	uint64_t count;
	if (s->state != RECORDS)
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "end",
		                 "the end of a list stands behind its records");
	enum eg_rc rc = eg_list_end_read(body, w->scratch, &count, &digest, f);
	if (rc)
		return rc;
	rc = eg_list_end(s->list, count, digest, &f->err);
	if (rc == EG_INVALID)
		f->reason = strcmp(f->err.field, "count") == 0 ? EG_REASON_LIST_COUNT : EG_REASON_LIST_DIGEST;
	else if (rc == EG_BUSY)
		f->reason = EG_REASON_LISTS_FULL;
	if (rc)
		return rc;
	s->state = WATCHED;
	s->look_every = LOOK_MIN_US;
	return EG_OK;
}

static bool chunks_under_way(struct reconcile *s)
{
	pthread_mutex_lock(&s->stream.lock);
	bool some = s->stream.awaited > 0;
	pthread_mutex_unlock(&s->stream.lock);
	return some;
}

static void take(struct reconcile *s, struct eg_message *m, struct eg_worker *w)
{
	struct eg_fault f = {.reason = EG_REASON_MALFORMED_REQUEST};
	enum eg_list_step_kind kind;
	struct eg_bytes body;
	enum eg_rc rc = eg_list_step_read(eg_message_bytes(m), &kind, &body, &f.err);
	if (rc == EG_OK && kind == EG_STEP_END && chunks_under_way(s)) {
		s->held = m;
		return;
	}
	if (rc == EG_OK) {
		f.reason = 0;
		rc = kind == EG_STEP_BEGIN     ? begin(s, body, w, &f)
		     : kind == EG_STEP_RECORDS ? records(s, body, &m, &f)
		                               : end(s, body, w, &f);
		rc = eg_fault_why(&f, w->scratch, rc);
	}
	if (rc) {
		f.err.rc = rc;
		end_with(s, &f);
	}
	eg_message_free(m);
}

/* A chunk could not be kept: the list ends here. */
static void fail_list(struct reconcile *s, enum eg_rc rc, const struct eg_err *why)
{
	struct eg_fault f = {.err = *why};
	f.err.rc = rc;
	if (rc == EG_NO_SPACE)
		eg_refuse(&f, EG_BUSY, EG_REASON_LISTS_FULL, "", "there is no room to keep the list");
	end_with(s, &f);
}

/* ---- watching ---- */

static bool send(struct reconcile *s, struct eg_out *out)
{
	struct eg_fault f;
	if (out)
		return eg_call_send(s->stream.call, out);
	eg_ask_no_memory(&f);
	end_with(s, &f);
	return false;
}

static void report(struct reconcile *s, const struct eg_list_look *look, struct eg_worker *w)
{
	const struct eg_list_reject *at = look->rejects;
	bool sent = true;
	while (at && sent) {
		sent = send(s, eg_list_rejects_out(w->scratch, &at));
		eg_arena_reset(w->scratch);
	}
	if (sent && s->state == WATCHED &&
	    send(s, eg_list_report_out(w->scratch, look, eg_writer_log_id(s->stream.edge->o.writer)))) {
		s->state = ENDED;
		eg_call_finish(s->stream.call, 0, "", (struct eg_bytes){0});
	}
	drop_list(s);
}

static void watch(struct reconcile *s, struct eg_worker *w)
{
	struct eg_list_look look;
	eg_list_look(s->list, &look);
	if (look.over && look.rc) {
		struct eg_fault f = {.err = look.err};
		f.err.rc = look.rc;
		if (look.phase == EG_LIST_FAILED)
			eg_refuse(&f, look.rc, EG_REASON_LIST_FAILED, "", "%s", look.err.text);
		else if (look.rc == EG_NO_SPACE || look.rc == EG_BUSY)
			eg_refuse(&f, EG_BUSY, EG_REASON_LISTS_FULL, "", "%s", look.err.text);
		end_with(s, &f);
	} else if (look.over) {
		report(s, &look, w);
	} else if (look.phase != s->told.phase || look.compared != s->told.compared ||
	           look.applied != s->told.applied) {
		send(s, eg_list_progress_out(&look));
		s->told = look;
	}
}

/* ---- the step ---- */

static bool gone(struct reconcile *s)
{
	if (!eg_stream_close(&s->stream))
		return false;
	drop_list(s);
	eg_message_free(s->held);
	free(s);
	return true;
}

/* The sender is gone, or says no more, before the list had its end. */
static void broke(struct reconcile *s)
{
	struct eg_fault f;
	eg_refuse(&f, EG_INVALID, EG_REASON_LIST_BROKEN, "end",
	          "the stream ended before the list did: nothing of it was applied");
	end_with(s, &f);
}

static bool step(struct eg_job *job, struct eg_worker *w)
{
	struct reconcile *s = (struct reconcile *)eg_stream_of(job);
	struct eg_fault f = {0};
	pthread_mutex_lock(&s->stream.lock);
	struct eg_message *m = s->stream.message;
	bool closed = s->stream.closed, half_closed = s->stream.half_closed;
	enum eg_rc failure = s->failure;
	struct eg_err why = s->why;
	s->stream.message = NULL;
	pthread_mutex_unlock(&s->stream.lock);
	bool stopping = atomic_load(&s->stream.edge->stopping);

	if (s->state != ENDED && !closed &&
	    (eg_stream_admit(&s->stream, EG_ROLE_AGENCY, &f) || eg_stream_count(&s->stream, &f)))
		end_with(s, &f);
	if (s->state != ENDED && stopping) {
		eg_refuse(&f, EG_CLOSED, 0, "", "the gateway is shutting down: send the list again");
		end_with(s, &f);
	}
	if (s->state == RECORDS && failure)
		fail_list(s, failure, &why);
	if (s->held && !chunks_under_way(s)) {
		m = s->held; /* nothing is read while it is held */
		s->held = NULL;
	}
	bool had = m != NULL || s->held;
	if (m && (s->state == ENDED || closed))
		eg_message_free(m);
	else if (m)
		take(s, m, w);
	if ((s->state == BEGIN || s->state == RECORDS) && (closed || (half_closed && !had)))
		broke(s);
	if (s->state == WATCHED && !closed)
		watch(s, w);
	if (s->state == WATCHED && !closed) {
		eg_stream_look_again(&s->stream, eg_mono_us() + s->look_every);
		s->look_every = s->look_every * 2 < LOOK_MAX_US ? s->look_every * 2 : LOOK_MAX_US;
	}
	bool wants = s->state != ENDED && !closed && !s->held;
	if (wants && s->not_before > eg_mono_us()) {
		eg_stream_look_again(&s->stream, s->not_before);
		wants = false;
	}
	pthread_mutex_lock(&s->stream.lock);
	if (wants && s->stream.awaited < CHUNKS_MAX)
		eg_stream_read(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
	return gone(s);
}

/* ---- events ---- */

static void began(struct eg_call *c, struct eg_message *first)
{
	eg_stream_begin(c, first, sizeof(struct reconcile), step);
}

const struct eg_call_events eg_reconcile = {
        .began = began, .read = eg_stream_on_read, .closed = eg_stream_on_closed};
