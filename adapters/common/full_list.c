/* full_list: see full_list.h. */
#include "common/full_list.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "common/held.h"
#include "common/reasons_text.h"
#include "common/refusal.h"
#include "common/varint.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "trust/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD "/eldergate.v1.ExchangeService/Reconcile"
#define NEVER  INT64_MAX
#define LATEST (INT64_C(253402300799) * EG_SECOND) /* the last second of 9999 */
enum { OUTBOX = 3, SLICE = 1000, LONGEST_LENGTH = 6 };
enum { TAG_RECORDS_STEP = 0x12, TAG_RECORD = 0x0a };

struct reject {
	uint64_t index, seq;
	size_t texts;
};

struct eg_full_list {
	struct eg_full_list_options o;
	enum { NONE, OPEN, WAITING, SETTLING } state;
	struct eg_link_call *call; /* NULL: not begun yet, or over */
	char id[65];
	struct eg_buf outbox[OUTBOX]; /* messages that wait for credit, oldest first */
	unsigned n_outbox;
	struct eg_buf filling; /* ReconcileRecords */
	unsigned n_filling;
	struct eg_hash *hash; /* of the records so far, as ReconcileEnd declares them; NULL: none is open */
	bool half_closed;
	bool turned_down; /* the gateway does not want it; what still comes of it is only counted */
	uint64_t begin_ref, end_ref, rows, records;
	int64_t heard_us;
	struct eg_held held;
	struct reject *rejects; /* owned */
	size_t n_rejects, cap_rejects;
	struct eg_buf texts;
	struct eg_refusal why; /* it was turned down */
	char remark[200];      /* of its end; "": none */
	/* settling */
	enum eg_verdict_code code;
	uint64_t at; /* 0: the begin; then index + 1; then the end */
	size_t at_reject;
	struct eg_verdict verdicts[SLICE];
};

enum eg_rc eg_full_list_new(struct eg_full_list **out, const struct eg_full_list_options *o,
                            struct eg_err *err)
{
	struct eg_full_list *l = calloc(1, sizeof *l);
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for lists");
	l->o = *o;
	*out = l;
	return EG_OK;
}

static void drop_call(struct eg_full_list *l)
{
	if (l->call)
		eg_link_drop(l->call);
	l->call = NULL;
}

void eg_full_list_forget(struct eg_full_list *l)
{
	drop_call(l);
	for (unsigned i = 0; i < OUTBOX; i++)
		eg_buf_free(&l->outbox[i]);
	eg_buf_free(&l->filling);
	eg_hash_free(l->hash);
	l->hash = NULL;
	eg_buf_free(&l->texts);
	eg_held_reset(&l->held);
	free(l->rejects);
	l->rejects = NULL;
	l->n_rejects = l->cap_rejects = 0;
	l->n_outbox = l->n_filling = 0;
	l->turned_down = false;
	*l->remark = 0;
	l->state = NONE;
}

void eg_full_list_free(struct eg_full_list *l)
{
	if (!l)
		return;
	eg_full_list_forget(l);
	free(l);
}

bool eg_full_list_room(const struct eg_full_list *l)
{
	return l->state == NONE || (l->state == OPEN && l->n_outbox < OUTBOX - 1);
}

bool eg_full_list_is_open(const struct eg_full_list *l)
{
	return l->state == OPEN;
}

bool eg_full_list_busy(const struct eg_full_list *l)
{
	return l->state != NONE;
}

/* ---- what goes out ---- */

static enum eg_rc post(struct eg_full_list *l, Eldergate__V1__ReconcileRequest *m, struct eg_err *err)
{
	struct eg_buf *b = &l->outbox[l->n_outbox];
	uint8_t *p = eg_buf_grow(b, eldergate__v1__reconcile_request__get_packed_size(m));
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	eldergate__v1__reconcile_request__pack(m, p);
	l->n_outbox++;
	return EG_OK;
}

/* The records so far become a message; the outbox has a place. */
static enum eg_rc seal(struct eg_full_list *l, struct eg_err *err)
{
	struct eg_buf *b = &l->outbox[l->n_outbox];
	if (!l->n_filling)
		return EG_OK;
	eg_buf_add_u8(b, TAG_RECORDS_STEP);
	eg_add_varint(b, l->filling.len);
	eg_buf_add(b, l->filling.p, l->filling.len);
	if (b->failed || l->filling.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	l->n_outbox++;
	l->n_filling = 0;
	eg_buf_reset(&l->filling);
	return EG_OK;
}

static enum eg_rc add_record(struct eg_full_list *l, struct eg_bytes record, struct eg_err *err)
{
	size_t need = record.len + LONGEST_LENGTH, room = l->o.limits->batch_bytes - LONGEST_LENGTH;
	enum eg_rc rc = EG_OK;
	if (l->turned_down)
		return EG_OK;
	if (need > room)
		return eg_fail(err, EG_LIMIT, "a record of %zu bytes is larger than a batch may be",
		               record.len);
	if (l->n_filling == l->o.limits->batch_records || l->filling.len + need > room)
		rc = seal(l, err);
	if (rc)
		return rc;
	eg_buf_add_u8(&l->filling, TAG_RECORD);
	eg_add_varint(&l->filling, record.len);
	eg_buf_add(&l->filling, record.p, record.len);
	uint8_t length[4] = {(uint8_t)(record.len >> 24), (uint8_t)(record.len >> 16),
	                     (uint8_t)(record.len >> 8), (uint8_t)record.len};
	struct eg_bytes parts[] = {{length, sizeof length}, record};
	eg_hash_add(l->hash, parts, 2);
	l->n_filling++;
	l->records++;
	return l->filling.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a list") : EG_OK;
}

enum eg_rc eg_full_list_begin(struct eg_full_list *l, const struct eg_in *in,
                              const struct eg_list_scope *scope, struct eg_err *err)
{
	Eldergate__V1__ReconcileRequest m = ELDERGATE__V1__RECONCILE_REQUEST__INIT;
	Eldergate__V1__ReconcileBegin begin = ELDERGATE__V1__RECONCILE_BEGIN__INIT;
	if (l->state != NONE)
		return eg_fail(err, EG_INTERNAL, "the connector began a list within a list");
	if (!(l->hash = eg_hash_new(EG_HASH_SHA256)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	l->state = OPEN;
	l->half_closed = false;
	l->begin_ref = in->ref;
	l->rows = l->records = 0;
	l->heard_us = eg_mono_us();
	snprintf(l->id, sizeof l->id, "%s", in->list.name);
	begin.list_id = l->id;
	/* Packing only reads these. */
	begin.dataset = (char *)(uintptr_t)l->o.dataset;
	begin.as_of = scope->as_of;
	begin.n_coverage_regions = scope->n_regions;
	begin.coverage_regions = (char **)(uintptr_t)scope->regions;
	begin.mapping_revision = l->o.revision;
	Google__Protobuf__Timestamp taken_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	/* One that is no time at all must not cost the list. */
	if (in->list.taken_at >= EG_SECOND && in->list.taken_at <= LATEST) {
		taken_at.seconds = in->list.taken_at / EG_SECOND;
		taken_at.nanos = (int32_t)(in->list.taken_at % EG_SECOND * 1000);
		begin.taken_at = &taken_at;
	}
	m.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_BEGIN;
	m.begin = &begin;
	eg_log(EG_LOG_INFO, "agent.list_begun", EG_T("list", l->id));
	eg_kill_point("agent.list_begun");
	return post(l, &m, err);
}

enum eg_rc eg_full_list_row(struct eg_full_list *l, uint64_t ref, struct eg_bytes record, struct eg_err *err)
{
	enum eg_rc rc = add_record(l, record, err);
	if (rc)
		return rc;
	l->rows++;
	return eg_held_add(&l->held, ref) ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a list");
}

enum eg_rc eg_full_list_unread(struct eg_full_list *l, struct eg_bytes key, struct eg_err *err)
{
	Eldergate__V1__Record record = ELDERGATE__V1__RECORD__INIT;
	struct eg_buf key_text = {0}, bytes = {0};
	eg_buf_add(&key_text, key.p, key.len);
	eg_buf_add_u8(&key_text, 0);
	if (!key_text.failed)
		record.source_key = (char *)key_text.p;
	record.operation = ELDERGATE__V1__OPERATION__OPERATION_ASSERT;
	uint8_t *p = eg_buf_grow(&bytes, eldergate__v1__record__get_packed_size(&record));
	if (p)
		eldergate__v1__record__pack(&record, p);
	enum eg_rc rc = key_text.failed || !p ? eg_fail(err, EG_NO_MEMORY, "no memory for a list")
	                                      : add_record(l, eg_buf_bytes(&bytes), err);
	if (!rc) {
		l->rows++;
		eg_held_skip(&l->held);
	}
	eg_buf_free(&key_text);
	eg_buf_free(&bytes);
	return rc;
}

static void begin_settling(struct eg_full_list *l, enum eg_verdict_code code)
{
	drop_call(l);
	l->state = SETTLING;
	l->code = code;
	l->at = l->at_reject = 0;
}

/* The source is told with the list's end, for which an open list still has to wait. */
static void turn_down(struct eg_full_list *l, const struct eg_refusal *r, const struct eg_err *err)
{
	eg_log(EG_LOG_ERROR, "agent.list_refused", EG_T("list", l->id), EG_T("error", eg_rc_label(err->rc)),
	       EG_T("field", err->field), EG_T("reason", err->text));
	l->o.turned_down(l->o.arg);
	drop_call(l);
	l->turned_down = true;
	l->why = *r;
	if (!*l->why.reason)
		snprintf(l->why.reason, sizeof l->why.reason, "LIST_REFUSED");
	for (unsigned i = 0; i < OUTBOX; i++)
		eg_buf_reset(&l->outbox[i]);
	eg_buf_reset(&l->filling);
	l->n_outbox = l->n_filling = 0;
	if (l->state == WAITING)
		begin_settling(l, EG_VERDICT_AGAIN);
}

/* The source declared another number of rows than it handed out: only who made the list can mend that. */
static void miscounted(struct eg_full_list *l, int64_t declared)
{
	struct eg_refusal r = {.rc = EG_PRECONDITION, .retry_us = -1, .reason = "LIST_COUNT"};
	struct eg_err err;
	eg_fail(&err, r.rc, "it declares %" PRId64 " rows and has %" PRIu64 "; nobody is withdrawn by it",
	        declared, l->rows);
	snprintf(r.text, sizeof r.text, "全量清单声明%" PRId64 "行，实际%" PRIu64 "行；整份未采用。",
	         declared, l->rows);
	l->state = WAITING;
	turn_down(l, &r, &err);
}

void eg_full_list_decline(struct eg_full_list *l, const char *reason, const char *text,
                          const struct eg_err *err)
{
	struct eg_refusal r = {.rc = err->rc, .retry_us = -1};
	snprintf(r.reason, sizeof r.reason, "%s", reason);
	snprintf(r.text, sizeof r.text, "%s", text);
	turn_down(l, &r, err);
}

void eg_full_list_passed(struct eg_full_list *l)
{
	l->rows++;
}

enum eg_rc eg_full_list_end(struct eg_full_list *l, const struct eg_in *in, struct eg_err *err)
{
	Eldergate__V1__ReconcileRequest m = ELDERGATE__V1__RECONCILE_REQUEST__INIT;
	Eldergate__V1__ReconcileEnd end = ELDERGATE__V1__RECONCILE_END__INIT;
	if (l->state != OPEN)
		return eg_fail(err, EG_INTERNAL, "the connector ended a list that it had not begun");
	if (l->turned_down) {
		l->end_ref = in->ref;
		begin_settling(l, EG_VERDICT_AGAIN);
		return EG_OK;
	}
	if (in->list.count >= 0 && (uint64_t)in->list.count != l->rows) {
		l->end_ref = in->ref;
		miscounted(l, in->list.count);
		return EG_OK;
	}
	enum eg_rc rc = seal(l, err);
	uint8_t digest[EG_HASH_SIZE];
	eg_hash_end(l->hash, digest);
	end.count = l->records;
	end.digest = (ProtobufCBinaryData){sizeof digest, digest};
	m.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_END;
	m.end = &end;
	if (!rc)
		rc = post(l, &m, err);
	l->end_ref = in->ref;
	l->state = WAITING;
	eg_kill_point("agent.list_read");
	return rc;
}

void eg_full_list_abandon(struct eg_full_list *l, uint64_t ref)
{
	if (l->state != OPEN)
		return;
	l->turned_down = false; /* it comes again, and may be another one then */
	eg_log(EG_LOG_WARN, "agent.list_abandoned", EG_T("list", l->id), EG_I("rows", l->rows));
	l->end_ref = ref;
	begin_settling(l, EG_VERDICT_AGAIN);
}

static void send(struct eg_full_list *l)
{
	struct eg_err err = {0};
	enum eg_rc rc = EG_OK;
	if (!l->call && l->n_outbox && eg_link_connected(l->o.link))
		rc = eg_link_call(l->o.link, METHOD, 0, l, &l->call, &err);
	if (rc)
		l->call = NULL;
	while (!rc && l->call && l->n_outbox &&
	       !(rc = eg_link_send(l->call, eg_buf_bytes(&l->outbox[0]), &err))) {
		struct eg_buf sent = l->outbox[0];
		memmove(&l->outbox[0], &l->outbox[1], (OUTBOX - 1) * sizeof *l->outbox);
		eg_buf_reset(&sent);
		l->outbox[OUTBOX - 1] = sent; /* its memory is used again */
		l->n_outbox--;
		eg_kill_point("agent.list_sent");
	}
	if (!rc && l->call && l->state == WAITING && !l->n_outbox && !l->half_closed) {
		l->half_closed = true;
		rc = eg_link_half_close(l->call, &err);
		eg_kill_point("agent.list_ended");
	}
	if (rc && rc != EG_BUSY && rc != EG_CLOSED) /* credit, or the call's end, comes as an event */
		l->o.failed(l->o.arg, &err);
}

/* ---- what comes back ---- */

static bool keep_reject(struct eg_full_list *l, const Eldergate__V1__ListedReject *r)
{
	if (l->n_rejects == l->cap_rejects) {
		size_t cap = l->cap_rejects ? 2 * l->cap_rejects : 64;
		struct reject *grown = realloc(l->rejects, cap * sizeof *grown);
		if (!grown)
			return false;
		l->rejects = grown;
		l->cap_rejects = cap;
	}
	l->rejects[l->n_rejects++] =
	        (struct reject){.index = r->index,
	                        .seq = r->reject_seq,
	                        .texts = eg_reasons_text(&l->texts, r->n_reasons, r->reasons)};
	return !l->texts.failed;
}

static int by_index(const void *a, const void *b)
{
	const struct reject *x = a, *y = b;
	return (x->index > y->index) - (x->index < y->index);
}

static void report(struct eg_full_list *l, const Eldergate__V1__ReconcileReport *r)
{
	eg_kill_point("agent.receipt");
	eg_log(r->held ? EG_LOG_WARN : EG_LOG_INFO, "agent.list_reported", EG_T("list", l->id),
	       EG_I("received", r->received), EG_I("unchanged", r->unchanged), EG_I("changed", r->changed),
	       EG_I("added", r->added), EG_I("stale", r->stale), EG_I("rejected", r->rejected),
	       EG_I("missing", r->missing), EG_I("withdrawn", r->withdrawn), EG_B("held", r->held),
	       EG_T("case", r->case_id), EG_B("repeated", r->repeated));
	if (r->rejected > l->n_rejects) {
		/* Of a repeated list, or beyond 10,000. ListRejects has them by key, and of a row only its
		 * ref is left here: they are settled as taken, and the end says how many there are. */
		eg_log(EG_LOG_WARN, "agent.list_rejects_untold", EG_I("rejects", r->rejected - l->n_rejects));
		snprintf(l->remark, sizeof l->remark,
		         "另有%llu条记录被网关隔离，未逐行列出；请在网关查询本数据集的隔离记录。",
		         (unsigned long long)(r->rejected - l->n_rejects));
	}
	l->o.reported(l->o.arg, r->unchanged, r->changed + r->added, r->stale, r->rejected);
	if (l->n_rejects)
		qsort(l->rejects, l->n_rejects, sizeof *l->rejects, by_index);
	begin_settling(l, EG_VERDICT_TAKEN);
}

static void message(struct eg_full_list *l, struct eg_bytes in)
{
	Eldergate__V1__ReconcileResponse *m = eldergate__v1__reconcile_response__unpack(NULL, in.len, in.p);
	struct eg_err err = {0};
	bool good = m != NULL;
	if (m && m->told_case == ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REJECTS)
		for (size_t i = 0; i < m->rejects->n_rejects && good; i++)
			good = keep_reject(l, m->rejects->rejects[i]);
	if (m && m->told_case == ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REPORT)
		report(l, m->report);
	eldergate__v1__reconcile_response__free_unpacked(m, NULL);
	if (!good) {
		eg_fail(&err, EG_NO_MEMORY, "what the gateway says of a list could not be read");
		l->o.failed(l->o.arg, &err);
	}
}

/* Does the refusal say something of the list, which no repetition and nobody but its sender can mend? */
static bool of_the_list(const struct eg_refusal *r)
{
	/* A message that the gateway cannot read, and a stream that broke, are no fault of the list. */
	if (r->retry_us >= 0 || strcmp(r->reason, "MALFORMED_REQUEST") == 0 ||
	    strcmp(r->reason, "LIST_BROKEN") == 0)
		return false;
	return r->rc == EG_INVALID || r->rc == EG_PRECONDITION || r->rc == EG_EXISTS ||
	       r->rc == EG_CONFLICT || r->rc == EG_OUT_OF_RANGE;
}

bool eg_full_list_event(struct eg_full_list *l, const struct eg_link_event *e, int64_t now)
{
	struct eg_err err = {0};
	struct eg_refusal r;
	if (!l->call || e->call != l->call)
		return false;
	l->heard_us = now;
	switch (e->kind) {
	case EG_LINK_MESSAGE:
		message(l, e->bytes);
		break;
	case EG_LINK_CREDIT:
		break;
	case EG_LINK_STATUS:
		eg_refusal_of_status(e, &r);
		eg_refusal_fail(&r, &err);
		if (!e->code)
			eg_fail(&err, EG_UNAVAILABLE, "the gateway ended a list without a report");
		if (r.retry_us >= 0 && !eg_rc_retryable(err.rc))
			err.rc = EG_UNAVAILABLE;
		if (e->code && of_the_list(&r))
			turn_down(l, &r, &err);
		else
			l->o.failed(l->o.arg, &err);
		break;
	case EG_LINK_LOST:
		eg_fail(&err, EG_UNAVAILABLE, "the way to the gateway broke while a list was under way");
		l->o.failed(l->o.arg, &err);
	}
	return true;
}

/* ---- verdicts ---- */

static void verdict(struct eg_full_list *l, uint64_t ref, uint64_t index, bool row, struct eg_verdict *v)
{
	*v = (struct eg_verdict){.ref = ref, .code = l->code, .reason = "", .field = "", .text = ""};
	while (row && l->at_reject < l->n_rejects && l->rejects[l->at_reject].index < index)
		l->at_reject++;
	if (!row || l->at_reject == l->n_rejects || l->rejects[l->at_reject].index != index ||
	    l->code != EG_VERDICT_TAKEN)
		return;
	v->code = EG_VERDICT_REFUSED;
	v->seq = l->rejects[l->at_reject].seq;
	eg_reasons_point(v, &l->texts, l->rejects[l->at_reject].texts);
}

static void end_verdict(struct eg_full_list *l, struct eg_verdict *v)
{
	verdict(l, l->end_ref, 0, false, v);
	if (*l->remark && l->code == EG_VERDICT_TAKEN) {
		v->reason = "REJECTS_UNTOLD";
		v->text = l->remark;
	}
	if (!l->turned_down)
		return;
	v->code = EG_VERDICT_REFUSED;
	v->reason = l->why.reason;
	v->field = l->why.fields[0].path;
	v->text = l->why.text;
}

/* The next slice: the begin, the rows, the end. */
static void settle_slice(struct eg_full_list *l)
{
	unsigned n = 0;
	uint64_t rows = l->held.next_index, ref;
	for (; n < SLICE && l->at <= rows + 1; l->at++) {
		if (l->at == 0)
			verdict(l, l->begin_ref, 0, false, &l->verdicts[n++]);
		else if (l->at == rows + 1)
			end_verdict(l, &l->verdicts[n++]);
		else if (eg_held_ref(&l->held, l->at - 1, &ref))
			verdict(l, ref, l->at - 1, true, &l->verdicts[n++]);
	}
	bool over = l->at > rows + 1;
	eg_kill_point("agent.list_settling");
	if (n && !l->o.settle(l->o.arg, l->verdicts, n))
		return;
	if (over)
		eg_full_list_forget(l);
}

void eg_full_list_turn(struct eg_full_list *l, int64_t now)
{
	struct eg_err err = {0};
	if (l->state == OPEN || l->state == WAITING) {
		send(l);
		if (l->state == WAITING && now - l->heard_us > l->o.limits->list_us) {
			eg_fail(&err, EG_DEADLINE, "the gateway has said nothing of a list for too long");
			l->o.failed(l->o.arg, &err);
		}
	} else if (l->state == SETTLING) {
		settle_slice(l);
	}
}

int64_t eg_full_list_due(const struct eg_full_list *l)
{
	return l->state == SETTLING ? 0 : NEVER;
}
