/* list_wire: see list_wire.h. */
#include "edge/list_wire.h"

#include "edge/pb.h"
#include "edge/wire_read.h"

#include <string.h>

enum { LIST_ID_MAX = 64, REGION_MAX = 12, REJECTS_OF_A_MESSAGE = 500, RECORD = 1 };
#define LATEST_S INT64_C(253402300799) /* the last second of 9999, as Timestamp has it */

enum eg_rc eg_list_step_read(struct eg_bytes message, enum eg_list_step_kind *kind, struct eg_bytes *body,
                             struct eg_err *err)
{
	struct eg_wire_field w;
	enum eg_rc rc;
	*kind = 0;
	while ((rc = eg_wire_next(&message, &w)) == EG_OK) {
		if (w.number > EG_STEP_END)
			continue;
		if (w.type != EG_WIRE_BYTES || *kind)
			return eg_fail(err, EG_INVALID, "the message does not hold one step of a list");
		*kind = (enum eg_list_step_kind)w.number;
		*body = w.bytes;
	}
	if (rc != EG_EMPTY)
		return eg_fail(err, EG_INVALID, "the message is cut off, or no message of the protocol");
	return *kind ? EG_OK : eg_fail(err, EG_INVALID, "the message holds no step of a list");
}

/* ---- begin ---- */

static enum eg_rc argument(struct eg_fault *f, const char *field, const char *why)
{
	return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, field, "%s", why);
}

static enum eg_rc check_id(const char *id, struct eg_fault *f)
{
	size_t len = strlen(id);
	bool printable = len > 0 && len <= LIST_ID_MAX;
	for (size_t i = 0; i < len && printable; i++)
		printable = id[i] >= 0x20 && id[i] <= 0x7e;
	if (!printable)
		return argument(f, "list_id", "list_id must be 1 to 64 printable ASCII characters");
	return eg_intake_open_text(id, "list_id", &f->err);
}

static enum eg_rc check_regions(const Eldergate__V1__ReconcileBegin *m, enum eg_section section,
                                struct eg_fault *f)
{
	if (!m->n_coverage_regions)
		return EG_OK;
	if (!eg_section_has_region(section))
		return argument(f, "coverage_regions",
		                "records of this section have no region: the list must cover all of it");
	if (m->n_coverage_regions > EG_LIST_REGIONS_MAX)
		return argument(f, "coverage_regions", "a list names at most 100 regions");
	for (size_t i = 0; i < m->n_coverage_regions; i++) {
		size_t len = strlen(m->coverage_regions[i]);
		if (!len || len > REGION_MAX || strspn(m->coverage_regions[i], "0123456789") != len)
			return argument(f, "coverage_regions",
			                "a region is the first 1 to 12 digits of its code");
	}
	return EG_OK;
}

/* Of lag alone, but a wrong one is its sender's to know of: left out it would be lag unnoticed. */
static enum eg_rc check_taken_at(const Google__Protobuf__Timestamp *t, int64_t *us, struct eg_fault *f)
{
	*us = 0;
	if (!t)
		return EG_OK;
	if (t->seconds <= 0 || t->seconds > LATEST_S || t->nanos < 0 || t->nanos > 999999999)
		return argument(f, "taken_at", "taken_at is no instant from 1970 to 9999");
	*us = t->seconds * EG_SECOND + t->nanos / 1000;
	return EG_OK;
}

static enum eg_rc find_dataset(struct eg_bytes name, const struct eg_policy *policy,
                               const struct eg_identity_rule *who, const struct eg_dataset_rule **out,
                               struct eg_fault *f)
{
	const struct eg_batch_limits any = {1, SIZE_MAX};
	/* As a batch of one record would be let in. */
	const struct eg_batch b = {.batch_id = eg_bytes_of("list"), .dataset = name, .n = 1};
	return eg_batch_admit(&b, &any, policy, who, out, f);
}

enum eg_rc eg_list_begin_read(struct eg_bytes body, const struct eg_policy *policy,
                              const struct eg_identity_rule *who, struct eg_arena *a,
                              struct eg_list_begin *out, struct eg_fault *f)
{
	const struct eg_dataset_rule *dataset = NULL;
	ProtobufCMessage *base = NULL;
	int64_t taken_at = 0;
	enum eg_rc rc = eg_pb_read(&eldergate__v1__reconcile_begin__descriptor, body, a, &base, &f->err);
	if (rc) {
		f->reason = EG_REASON_MALFORMED_REQUEST;
		return rc;
	}
	const Eldergate__V1__ReconcileBegin *m = (const void *)base;
	if ((rc = check_id(m->list_id, f)) ||
	    (rc = find_dataset(eg_bytes_of(m->dataset), policy, who, &dataset, f)) ||
	    (rc = check_regions(m, dataset->section, f)) || (rc = check_taken_at(m->taken_at, &taken_at, f)))
		return rc;
	if (!m->as_of)
		return argument(f, "as_of",
		                "as_of is not set: say at which position of its order the list was taken");
	*out = (struct eg_list_begin){
	        .agency = who->name,
	        .operator_name = who->name,
	        .dataset = dataset->name,
	        .list_id = m->list_id,
	        .as_of = m->as_of,
	        .n_regions = (unsigned)m->n_coverage_regions,
	        .regions = (const char *const *)m->coverage_regions,
	        .count = m->count,
	        .mapping_revision = m->mapping_revision,
	        .dry_run = m->dry_run,
	        .taken_at = taken_at,
	};
	return EG_OK;
}

/* ---- records ---- */

static enum eg_rc count_records(struct eg_bytes body, unsigned max, unsigned *n, struct eg_fault *f)
{
	struct eg_wire_field w;
	enum eg_rc rc;
	*n = 0;
	while ((rc = eg_wire_next(&body, &w)) == EG_OK)
		if (w.number == RECORD && w.type != EG_WIRE_BYTES)
			break;
		else
			*n += w.number == RECORD;
	if (rc != EG_EMPTY)
		return eg_refuse(f, EG_INVALID, EG_REASON_MALFORMED_REQUEST, "",
		                 "the records are cut off, or no message of the protocol");
	if (*n > max)
		return eg_refuse(f, EG_LIMIT, EG_REASON_TOO_MANY_RECORDS, "records",
		                 "the message has %u records; send at most %u", *n, max);
	return EG_OK;
}

static enum eg_rc no_memory(struct eg_fault *f)
{
	return eg_refuse(f, EG_NO_MEMORY, 0, "", "no memory for the records of a list");
}

enum eg_rc eg_list_records_read(struct eg_bytes body, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_wire_field w;
	unsigned i = 0;
	while (eg_wire_next(&body, &w) == EG_OK)
		if (w.number == RECORD && !eg_record_read(w.bytes, t->arena, &t->submission.items[i++]))
			return eg_fail(err, EG_LIMIT,
			               "the records of a list do not fit the memory given to them");
	return EG_OK;
}

enum eg_rc eg_list_records_take(struct eg_bytes body, const struct eg_batch_limits *limits,
                                const struct eg_policy *policy, const struct eg_identity_rule *who,
                                const char *dataset, struct eg_list *list, struct eg_ticket **out,
                                struct eg_fault *f)
{
	const struct eg_dataset_rule *rule = NULL;
	struct eg_batch b = {.message = body};
	struct eg_wire_field w;
	*out = NULL;
	if (body.len > limits->bytes)
		return eg_refuse(f, EG_LIMIT, EG_REASON_BATCH_TOO_LARGE, "",
		                 "the message has %zu bytes; send at most %zu", body.len, limits->bytes);
	enum eg_rc rc = count_records(body, limits->records, &b.n, f);
	if (rc || !b.n)
		return rc;
	rc = find_dataset(eg_bytes_of(dataset), policy, who, &rule,
	                  f); /* it may have been taken away meanwhile */
	if (rc)
		return rc;
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_SUBMISSION, eg_batch_budget(&b), policy, who);
	if (t)
		t->submission.items = eg_arena_alloc(t->arena, b.n * sizeof *t->submission.items);
	if (!t || !t->submission.items) {
		eg_ticket_free(t);
		return no_memory(f);
	}
	t->submission.dataset = rule;
	t->submission.n = b.n;
	while (eg_wire_next(&body, &w) == EG_OK)
		if (w.number == RECORD)
			eg_list_digest(list, w.bytes);
	*out = t;
	return EG_OK;
}

enum eg_rc eg_list_end_read(struct eg_bytes body, struct eg_arena *a, uint64_t *count,
                            struct eg_bytes *digest, struct eg_fault *f)
{
	ProtobufCMessage *base = NULL;
	enum eg_rc rc = eg_pb_read(&eldergate__v1__reconcile_end__descriptor, body, a, &base, &f->err);
	if (rc) {
		f->reason = EG_REASON_MALFORMED_REQUEST;
		return rc;
	}
	const Eldergate__V1__ReconcileEnd *m = (const void *)base;
	*count = m->count;
	*digest = (struct eg_bytes){m->digest.data, m->digest.len};
	return EG_OK;
}

/* ---- what is told ---- */

struct eg_out *eg_list_progress_out(const struct eg_list_look *look)
{
	Eldergate__V1__ReconcileResponse r = ELDERGATE__V1__RECONCILE_RESPONSE__INIT;
	Eldergate__V1__ReconcileProgress p = ELDERGATE__V1__RECONCILE_PROGRESS__INIT;
	p.phase = (Eldergate__V1__ListPhase)look->phase;
	p.received = look->received;
	p.compared = look->compared;
	p.applied = look->applied;
	p.of = look->of;
	r.told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_PROGRESS;
	r.progress = &p;
	return eg_pb_out(&r.base);
}

static Eldergate__V1__ListedReject *make_reject(struct eg_maker *k, const struct eg_list_reject *x)
{
	Eldergate__V1__ListedReject *m =
	        EG_MAKE(k, Eldergate__V1__ListedReject, eldergate__v1__listed_reject__init);
	if (!m || !(m->reasons = EG_MAKE_LIST(k, x->n)))
		return NULL;
	m->index = x->index;
	m->reject_seq = x->seq;
	for (unsigned i = 0; i < x->n; i++)
		m->reasons[m->n_reasons++] =
		        eg_make_reason(k, (enum eg_reason_code)x->codes[i], x->fields[i]);
	return m;
}

struct eg_out *eg_list_rejects_out(struct eg_arena *a, const struct eg_list_reject **at)
{
	struct eg_maker k = {.arena = a};
	Eldergate__V1__ReconcileResponse r = ELDERGATE__V1__RECONCILE_RESPONSE__INIT;
	Eldergate__V1__ReconcileRejects all = ELDERGATE__V1__RECONCILE_REJECTS__INIT;
	all.rejects = EG_MAKE_LIST(&k, REJECTS_OF_A_MESSAGE);
	for (; *at && all.n_rejects < REJECTS_OF_A_MESSAGE && !k.failed; *at = (*at)->next)
		all.rejects[all.n_rejects++] = make_reject(&k, *at);
	r.told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REJECTS;
	r.rejects = &all;
	return k.failed ? NULL : eg_pb_out(&r.base);
}

struct eg_out *eg_list_report_out(struct eg_arena *a, const struct eg_list_look *look,
                                  const uint8_t log_id[16])
{
	struct eg_maker k = {.arena = a};
	const struct eg_list_info *l = &look->info;
	const struct eg_list_counts *n = &l->counts;
	Eldergate__V1__ReconcileResponse r = ELDERGATE__V1__RECONCILE_RESPONSE__INIT;
	Eldergate__V1__ReconcileReport m = ELDERGATE__V1__RECONCILE_REPORT__INIT;
	m.log_id = eg_make_id(&k, log_id);
	m.list_id = eg_make_text(&k, eg_bytes_of(l->list_id));
	m.phase = (Eldergate__V1__ListPhase)l->phase;
	m.dry_run = look->dry_run;
	m.repeated = look->repeated;
	m.pinned_seq = l->pinned;
	m.seq = l->seq;
	m.held = l->held;
	if (l->held && !look->dry_run)
		m.case_id = eg_make_id(&k, l->case_id);
	m.received = l->rows;
	m.unchanged = n->unchanged;
	m.changed = n->changed;
	m.added = n->added;
	m.stale = n->stale;
	m.rejected = n->rejected;
	m.missing = n->missing;
	m.withdrawn = n->withdrawn;
	m.skipped = n->skipped;
	m.covered = n->covered;
	r.told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REPORT;
	r.report = &m;
	return k.failed ? NULL : eg_pb_out(&r.base);
}
