/* ask: see ask.h. References: the one of whoever works on it (a job, a ticket in the writer's hands), and the
 * timer's. */
#include "edge/ask.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "edge/receipt.h"
#include "model/text.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_BYTES       ((size_t)64 << 20) /* request, rows and reply of one call */
#define TICKET_BYTES      ((size_t)1 << 20)
#define ASKS_MAX          1024 /* unary calls under way */
#define LEGAL_BASIS_MAX   128  /* characters */
#define ASK_OF(p, member) ((struct eg_ask *)((char *)(p)-offsetof(struct eg_ask, member)))

static void release(struct eg_ask *a)
{
	/* The count says who frees; the analyzer does not follow it through an atomic. */
	if (atomic_fetch_sub(&a->refs, 1) != 1)
		return;
	// NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
	atomic_fetch_sub(&a->edge->asks, 1);
	eg_ticket_free(a->ticket);
	eg_caller_close(&a->caller);
	eg_message_free(a->message);
	eg_arena_free(a->arena);
	eg_call_release(a->call);
	free(a);
}

/* The end of the work, however it came out. */
static void over(struct eg_ask *a)
{
	if (eg_timer_cancel(a->edge->timers, &a->timer))
		release(a); /* the timer's */
	release(a);
}

static void fail(struct eg_ask *a, const struct eg_fault *f)
{
	eg_edge_refused(a->edge, &a->caller, f);
	eg_call_fail(a->call, f);
	over(a);
}

static void too_late(struct eg_timer *t)
{
	struct eg_ask *a = ASK_OF(t, timer);
	struct eg_fault f;
	eg_refuse(&f, EG_DEADLINE, EG_REASON_BUSY, "", "the answer took longer than the gateway's limit");
	eg_call_fail(a->call, &f);
	release(a);
}

static void answer(struct eg_ask *a)
{
	struct eg_fault f;
	struct eg_out *out = eg_pb_out(a->reply);
	if (!out) {
		eg_ask_no_memory(&f);
		fail(a, &f);
		return;
	}
	eg_call_answer(a->call, out);
	over(a);
}

static void ticket_fault(const struct eg_ask *a, const struct eg_err *err, struct eg_fault *f)
{
	*f = (struct eg_fault){.err = *err};
	if (err->rc == EG_NO_SPACE &&
	    (a->ticket->kind == EG_TICKET_QUERY || a->ticket->kind == EG_TICKET_DELIVERY))
		f->reason = EG_REASON_READ_LOG_FULL;
	if (a->ticket->kind == EG_TICKET_SUBMISSION)
		eg_batch_fault(err, f);
	if (a->ticket->kind == EG_TICKET_DECISION && err->rc == EG_NOT_FOUND)
		f->reason = EG_REASON_CASE_UNKNOWN;
	if (a->ticket->kind == EG_TICKET_DECISION && err->rc == EG_PRECONDITION)
		f->reason = EG_REASON_DECISION_NOT_POSSIBLE;
}

/* On the writer's thread. */
static void done(struct eg_ticket *t)
{
	struct eg_ask *a = t->done_arg;
	atomic_store(&a->committed, true);
	eg_pool_put(a->edge->pool, &a->job);
}

static void finish(struct eg_ask *a)
{
	struct eg_fault f = {0};
	enum eg_rc rc = a->ticket->rc;
	if (rc)
		ticket_fault(a, &a->ticket->err, &f);
	else if (a->after)
		rc = a->after(a, &f);
	if (rc)
		fail(a, &f);
	else
		answer(a);
}

static enum eg_rc admit(struct eg_ask *a, struct eg_fault *f)
{
	if (a->service->roles) {
		const struct eg_policy *policy = eg_edge_policy_ref(a->edge);
		enum eg_rc rc = eg_caller_open(&a->caller, a->call, policy, f);
		eg_policy_unref(policy);
		if (rc || (rc = eg_caller_role(&a->caller, a->service->roles, f)))
			return rc;
	}
	a->arena = eg_arena_new(ARENA_BYTES);
	if (!a->arena)
		return eg_ask_no_memory(f);
	if (a->message)
		a->raw = eg_message_bytes(a->message);
	else
		return eg_refuse(f, EG_INVALID, EG_REASON_MALFORMED_REQUEST, "",
		                 "the call has no request message");
	if (!a->service->request)
		return EG_OK;
	f->reason = EG_REASON_MALFORMED_REQUEST;
	ProtobufCMessage *m = NULL;
	enum eg_rc rc = eg_pb_read(a->service->request, a->raw, a->arena, &m, &f->err);
	if (!rc)
		f->reason = 0;
	a->request = m;
	return rc;
}

/* False: the writer has its ticket, and done() goes on from there. */
static bool serve(struct eg_ask *a)
{
	struct eg_fault f = {0};
	enum eg_rc rc = admit(a, &f);
	if (!rc)
		rc = a->service->serve(a, &f);
	if (rc && a->arena)
		rc = eg_fault_why(&f, a->arena, rc);
	if (!rc && a->ticket) {
		int64_t until = eg_mono_us() + a->edge->query_timeout_us;
		a->ticket->done = done;
		a->ticket->done_arg = a;
		struct eg_err err = {0};
		if (!(rc = eg_doors_put(a->edge->doors, a->ticket, &a->place, until, NULL, &err)))
			return false;
		ticket_fault(a, &err, &f);
	}
	if (rc) {
		f.err.rc = rc;
		fail(a, &f);
	} else {
		answer(a);
	}
	return true;
}

static bool run(struct eg_job *job, struct eg_worker *w)
{
	struct eg_ask *a = ASK_OF(job, job);
	a->conn = w->conn;
	if (atomic_load(&a->committed))
		finish(a);
	else if (eg_call_closed(a->call))
		over(a); /* nobody waits for it any more */
	else
		return serve(a);
	return true;
}

static void busy(struct eg_call *c, struct eg_message *m, enum eg_rc rc)
{
	struct eg_fault f;
	eg_refuse(&f, rc, 0, "",
	          rc == EG_CLOSED ? "the gateway is shutting down" : "too many calls are under way");
	eg_metric_add(EG_M_REFUSALS, eg_reason_name(eg_fault_reason(&f)), 1);
	eg_call_fail(c, &f);
	eg_message_free(m);
	eg_call_release(c);
}

static void began(struct eg_call *c, struct eg_message *first)
{
	struct eg_edge *e = eg_call_owner(c);
	struct eg_ask *a = NULL;
	if (atomic_load(&e->stopping)) {
		busy(c, first, EG_CLOSED);
		return;
	}
	if (atomic_fetch_add(&e->asks, 1) >= ASKS_MAX || !(a = calloc(1, sizeof *a))) {
		atomic_fetch_sub(&e->asks, 1);
		busy(c, first, EG_BUSY);
		return;
	}
	a->edge = e;
	a->call = c;
	a->message = first;
	a->service = eg_call_method(c)->service;
	a->job.run = run;
	a->timer.ring = too_late;
	a->refs = 2;
	eg_timer_set(e->timers, &a->timer, eg_mono_us() + e->query_timeout_us);
	eg_pool_put(e->pool, &a->job);
}

const struct eg_call_events eg_ask_events = {.began = began};

enum eg_rc eg_ask_no_memory(struct eg_fault *f)
{
	return eg_refuse(f, EG_NO_MEMORY, 0, "", "the gateway has no memory for this call now");
}

enum eg_rc eg_ask_legal_basis(const char *text, struct eg_fault *f)
{
	if (eg_text_facts(eg_bytes_of(text)).chars <= LEGAL_BASIS_MAX)
		return EG_OK;
	return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "legal_basis",
	                 "legal_basis has at most %d characters", LEGAL_BASIS_MAX);
}

struct eg_ticket *eg_ask_query(struct eg_ask *a, const char *purpose, const char *legal_basis,
                               const uint8_t (*persons)[16], unsigned n_persons,
                               const uint8_t (*missing)[EG_TOKEN_SIZE], unsigned n_missing,
                               struct eg_fault *f)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_QUERY, TICKET_BYTES, a->caller.policy, a->caller.who);
	if (!t) {
		eg_ask_no_memory(f);
		return NULL;
	}
	const char *path = eg_call_method(a->call)->path;
	t->lane = EG_LANE_READ;
	t->bytes = sizeof *t + n_persons * 16 + n_missing * EG_TOKEN_SIZE;
	t->operator_name = a->caller.who->name;
	t->purpose = eg_arena_text(t->arena, purpose, strlen(purpose));
	t->traceparent = eg_arena_printf(t->arena, "%s", eg_call_traceparent(a->call));
	t->query = (struct eg_query){
	        .method = strrchr(path, '/') + 1,
	        .legal_basis = eg_arena_text(t->arena, legal_basis, strlen(legal_basis)),
	        .n_persons = n_persons,
	        .n_missing = n_missing,
	        .persons = eg_arena_copy(t->arena, persons, n_persons * 16),
	        .missing = eg_arena_copy(t->arena, missing, n_missing * EG_TOKEN_SIZE),
	};
	if (!t->purpose || !t->traceparent || !t->query.legal_basis || !t->query.persons ||
	    !t->query.missing) {
		eg_ticket_free(t);
		eg_ask_no_memory(f);
		return NULL;
	}
	return t;
}
