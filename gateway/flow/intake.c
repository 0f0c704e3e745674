/* intake: judging on the caller's thread, then the writer's queue.
 *
 * A ticket that found no room may be put again: what was judged once stays. Thread: any number at once; the
 * vault and the queue are safe for that, nothing else is shared. */
#include "flow/intake.h"

#include "base/thread.h"
#include "flow/entry.h"
#include "flow/judge.h"
#include "model/id_number.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Texts of a header, in bytes: it stays small whatever a caller says of itself. */
#define HEADER_TEXT_MAX 256
#define NOTE_MAX        4096
#define LEGAL_BASIS_MAX 512 /* the 128 characters of the protocol, in any script */
/* Persons and missing tokens of one query's entry. */
#define QUERY_PERSONS_MAX 10000

enum {
#define X(list, number, name, doc) list##_##name = (number),
#include "model/codes.def"
};

#define DEFAULT_RECORDS      1000
#define DEFAULT_BATCH_BYTES  ((size_t)1 << 20)
#define DEFAULT_RECORD_BYTES ((size_t)16 << 10)
#define DEFAULT_LANE_ITEMS   256
#define DEFAULT_LANE_BYTES   ((size_t)32 << 20)

struct eg_intake {
	struct eg_intake_options o;
	struct eg_queue *queue;
};

struct eg_intake *eg_intake_new(const struct eg_intake_options *o)
{
	struct eg_intake *in = calloc(1, sizeof *in);
	if (!in)
		return NULL;
	in->o = *o;
	if (!in->o.max_records)
		in->o.max_records = DEFAULT_RECORDS;
	if (!in->o.max_batch_bytes)
		in->o.max_batch_bytes = DEFAULT_BATCH_BYTES;
	if (!in->o.max_record_bytes)
		in->o.max_record_bytes = DEFAULT_RECORD_BYTES;
	if (!in->o.lane.items)
		in->o.lane.items = DEFAULT_LANE_ITEMS;
	if (!in->o.lane.bytes)
		in->o.lane.bytes = DEFAULT_LANE_BYTES;
	in->queue = eg_queue_new(in->o.lane);
	if (!in->queue) {
		free(in);
		return NULL;
	}
	return in;
}

void eg_intake_free(struct eg_intake *in)
{
	if (!in)
		return;
	eg_queue_free(in->queue);
	free(in);
}

struct eg_queue *eg_intake_queue(struct eg_intake *in)
{
	return in->queue;
}

void eg_intake_close(struct eg_intake *in)
{
	eg_queue_close(in->queue);
}

/* Is the rule one of this identity's own? */
static bool permitted(const struct eg_identity_rule *who, const struct eg_dataset_rule *dataset)
{
	for (unsigned i = 0; i < who->n_datasets; i++)
		if (&who->datasets[i] == dataset)
			return true;
	return false;
}

static enum eg_rc header_text(const char *text, const char *field, size_t max, struct eg_err *err)
{
	if (!text)
		return eg_fail_field(err, EG_INVALID, field, "%s is not set", field);
	if (strlen(text) > max)
		return eg_fail_field(err, EG_LIMIT, field, "%s is longer than %zu bytes", field, max);
	if (!eg_utf8_valid(eg_bytes_of(text)))
		return eg_fail_field(err, EG_INVALID, field, "%s is not valid UTF-8", field);
	return EG_OK;
}

/* Does the text hold an 18-digit number that could be somebody's? Its check digit and region tell it from
 * other numbers. */
static bool names_a_person(const char *text)
{
	enum { DIGITS = 18 };
	struct eg_id id;
	for (; strlen(text) >= DIGITS; text++) {
		if (strspn(text, "0123456789") < DIGITS - 1)
			continue;
		eg_id_parse((struct eg_bytes){(const uint8_t *)text, DIGITS}, &id);
		if (id.form != EG_ID_UNREADABLE && !(id.flags & (EG_ID_FAULTS | EG_ID_UNKNOWN_REGION)))
			return true;
	}
	return false;
}

/* The header of an entry is not sealed, and stands in proof files: what a caller writes there must name
 * nobody. */
enum eg_rc eg_intake_open_text(const char *text, const char *field, struct eg_err *err)
{
	enum eg_rc rc = header_text(text, field, HEADER_TEXT_MAX, err);
	if (rc == EG_OK && names_a_person(text))
		rc = eg_fail_field(err, EG_INVALID, field, "%s holds an ID number: it is kept unsealed",
		                   field);
	return rc;
}

/* A purpose is a code, so that no free text gets into headers. */
static enum eg_rc purpose_code(const char *text, struct eg_err *err)
{
	enum eg_rc rc = eg_intake_open_text(text, "purpose", err);
	if (rc == EG_OK && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-")])
		rc = eg_fail_field(err, EG_INVALID, "purpose",
		                   "a purpose is a code of a-z, 0-9, '.', '_' and '-'");
	return rc;
}

static enum eg_rc may_submit(const struct eg_intake *in, const struct eg_ticket *t, struct eg_err *err)
{
	const struct eg_submission *s = &t->submission;
	if (!t->who || !(t->who->roles & EG_ROLE_AGENCY))
		return eg_fail(err, EG_DENIED, "only an agency may submit records");
	if (!s->dataset || !permitted(t->who, s->dataset))
		return eg_fail_field(err, EG_DENIED, "dataset", "the agency %s may not submit this dataset",
		                     t->who->name);
	if (!s->n)
		return eg_fail_field(err, EG_INVALID, "records", "the batch has no records");
	if (s->n > in->o.max_records)
		return eg_fail_field(err, EG_LIMIT, "records", "the batch has %u records; send at most %u",
		                     s->n, in->o.max_records);
	if (t->bytes > in->o.max_batch_bytes)
		return eg_fail_field(err, EG_LIMIT, "records", "the batch has %zu bytes; send at most %zu",
		                     t->bytes, in->o.max_batch_bytes);
	return eg_intake_open_text(s->batch_id, "batch_id", err);
}

static bool carries_death(const struct eg_claim *c)
{
	int64_t status;
	if (c->op == EG_VOID || c->section == EG_FUNERAL)
		return true;
	if (c->section != EG_REGISTRATION)
		return false;
	status = eg_claim_int(c, EG_FN_REGISTRATION_registration_status);
	return status == REGISTRATION_STATUS_CANCELLED_DEATH || status == REGISTRATION_STATUS_RESTORED;
}

/* A list declared as bulk stays there: a yearly one holds deaths all through and would fill the first lane.
 */
static void choose_lane(struct eg_ticket *t)
{
	const struct eg_submission *s = &t->submission;
	bool urgent = s->dataset->deaths_first;
	for (unsigned i = 0; i < s->n && !urgent; i++)
		urgent = carries_death(&s->items[i].claim);
	if (t->lane != EG_LANE_BULK)
		t->lane = urgent ? EG_LANE_URGENT : EG_LANE_LIVE;
}

/* Copies what was gathered for all items into the ticket, and gives each its slice. */
static bool hand_out(struct eg_submission *s, struct eg_arena *a, const struct eg_buf *all, bool sealed)
{
	uint8_t *p = eg_arena_copy(a, all->p, all->len);
	if (!p)
		return false;
	for (unsigned i = 0; i < s->n; i++) {
		struct eg_bytes *slice = sealed ? &s->items[i].sealed : &s->items[i].canon;
		slice->p = p;
		p += slice->len;
	}
	return true;
}

static enum eg_rc seal_items(struct eg_vault *v, struct eg_submission *s, struct eg_buf *sealed,
                             struct eg_err *err)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct eg_item *item = &s->items[i];
		uint8_t c[EG_HASH_SIZE];
		size_t start = sealed->len;
		eg_random(item->entry_id, sizeof item->entry_id);
		enum eg_rc rc = eg_vault_seal_part(v, item->entry_id, item->sealed_kind, "claim", item->canon,
		                                   c, sealed, err);
		if (rc)
			return rc;
		item->sealed.len = sealed->len - start;
	}
	return sealed->failed ? eg_fail(err, EG_NO_MEMORY, "a batch could not be sealed") : EG_OK;
}

static enum eg_rc judge_submission(struct eg_intake *in, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_submission *s = &t->submission;
	struct eg_buf canon = {0}, sealed = {0};
	int64_t now = eg_now_us();
	enum eg_rc rc = may_submit(in, t, err);
	if (rc)
		return rc;
	for (unsigned i = 0; i < s->n && rc == EG_OK; i++) {
		rc = eg_judge_item(in->o.vault, t, &s->items[i], now, in->o.max_record_bytes, &canon, err);
		eg_judge_identity(in->o.vault, &s->items[i]);
	}
	if (rc == EG_OK && !hand_out(s, t->arena, &canon, false))
		rc = eg_fail_field(err, EG_LIMIT, "records", "the batch does not fit the memory given to it");
	if (rc == EG_OK)
		rc = seal_items(in->o.vault, s, &sealed, err);
	if (rc == EG_OK && !hand_out(s, t->arena, &sealed, true))
		rc = eg_fail_field(err, EG_LIMIT, "records", "the batch does not fit the memory given to it");
	if (rc)
		s->items[0].sealed_kind = 0; /* not judged */
	else
		choose_lane(t);
	eg_buf_free(&canon);
	eg_buf_free(&sealed);
	return rc;
}

static enum eg_rc judge_delivery(const struct eg_ticket *t, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < t->delivery.n && !rc; i++)
		rc = header_text(t->delivery.windows[i].subscriber, "subscriber", HEADER_TEXT_MAX, err);
	return rc;
}

static enum eg_rc judge(struct eg_intake *in, struct eg_ticket *t, struct eg_err *err)
{
	enum eg_rc rc = header_text(t->operator_name, "operator", HEADER_TEXT_MAX, err);
	if (rc == EG_OK)
		rc = purpose_code(t->purpose, err);
	if (rc == EG_OK)
		rc = header_text(t->traceparent, "traceparent", HEADER_TEXT_MAX, err);
	if (rc)
		return rc;
	switch (t->kind) {
	case EG_TICKET_SUBMISSION:
		if (t->submission.n && t->submission.items[0].sealed_kind)
			return EG_OK; /* judged before; it found no room then */
		return judge_submission(in, t, err);
	case EG_TICKET_QUERY:
		if (t->query.n_persons > QUERY_PERSONS_MAX || t->query.n_missing > QUERY_PERSONS_MAX)
			return eg_fail_field(err, EG_LIMIT, "persons", "a query names more than %d persons",
			                     QUERY_PERSONS_MAX);
		rc = header_text(t->query.method, "method", HEADER_TEXT_MAX, err);
		return rc ? rc : header_text(t->query.legal_basis, "legal_basis", LEGAL_BASIS_MAX, err);
	case EG_TICKET_DELIVERY:
		return judge_delivery(t, err);
	case EG_TICKET_DECISION:
		if (t->who && !(t->who->roles & EG_ROLE_OPERATOR))
			return eg_fail(err, EG_DENIED, "only an operator may decide a case");
		return t->decision.note ? header_text(t->decision.note, "note", NOTE_MAX, err) : EG_OK;
	case EG_TICKET_REFUSAL:
		return header_text(t->refusal.reason, "reason", HEADER_TEXT_MAX, err);
	case EG_TICKET_LIST:
		return EG_OK; /* the gateway's own */
	case EG_TICKET_ADMIN:
		return header_text(t->admin.act, "act", HEADER_TEXT_MAX, err);
	}
	return eg_fail(err, EG_INTERNAL, "a ticket of no kind");
}

enum eg_rc eg_intake_judge(struct eg_intake *in, struct eg_ticket *t, struct eg_err *err)
{
	return eg_arena_why(t->arena, judge(in, t, err), err);
}

enum eg_rc eg_intake_put(struct eg_intake *in, struct eg_ticket *t, int64_t mono_deadline_us,
                         struct eg_err *err)
{
	enum eg_rc rc = eg_intake_judge(in, t, err);
	if (rc)
		return rc;
	size_t bytes = eg_arena_used(t->arena);
	if (bytes < t->bytes)
		bytes = t->bytes;
	t->rc = EG_OK;
	rc = eg_queue_put(in->queue, (unsigned)t->lane, t, bytes, mono_deadline_us);
	if (rc == EG_CLOSED)
		return eg_fail(err, rc, "the gateway is shutting down; send it again later");
	if (rc)
		return eg_fail(err, rc, "no room for the ticket before its deadline; send it again later");
	return EG_OK;
}

/* Who waits for a ticket's commit. Locks: lock, for over. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool over;
};

static void waiter_done(struct eg_ticket *t)
{
	struct waiter *w = t->done_arg;
	pthread_mutex_lock(&w->lock);
	w->over = true;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->lock);
}

/* Once queued the ticket is the writer's until it answers, so the wait for that has no deadline of its own:
 * the writer answers every ticket, or the process ends. */
enum eg_rc eg_intake_put_and_wait(struct eg_intake *in, struct eg_ticket *t, int64_t mono_deadline_us,
                                  struct eg_err *err)
{
	struct waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
	void (*done)(struct eg_ticket *) = t->done;
	void *done_arg = t->done_arg;
	t->done = waiter_done;
	t->done_arg = &w;
	enum eg_rc rc = eg_intake_put(in, t, mono_deadline_us, err);
	if (rc == EG_OK) {
		pthread_mutex_lock(&w.lock);
		while (!w.over)
			pthread_cond_wait(&w.cond, &w.lock);
		pthread_mutex_unlock(&w.lock);
		rc = t->rc;
		if (rc && err)
			*err = t->err;
	}
	t->done = done;
	t->done_arg = done_arg;
	pthread_mutex_destroy(&w.lock);
	pthread_cond_destroy(&w.cond);
	return rc;
}
