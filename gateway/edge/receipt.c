/* receipt: see receipt.h. */
#include "edge/receipt.h"

enum { BATCH_ID_MAX = 64 };

static bool printable(struct eg_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

static bool known_to_anybody(const struct eg_policy *policy, struct eg_bytes dataset)
{
	for (unsigned i = 0; i < policy->n; i++)
		if (eg_policy_dataset(&policy->identities[i], dataset))
			return true;
	return false;
}

enum eg_rc eg_batch_admit(const struct eg_batch *b, const struct eg_batch_limits *limits,
                          const struct eg_policy *policy, const struct eg_identity_rule *who,
                          const struct eg_dataset_rule **dataset, struct eg_fault *f)
{
	if (!b->batch_id.len || b->batch_id.len > BATCH_ID_MAX || !printable(b->batch_id))
		return eg_refuse(f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "batch_id",
		                 "batch_id must be 1 to %d printable ASCII characters", BATCH_ID_MAX);
	if (b->message.len > limits->bytes)
		return eg_refuse(f, EG_LIMIT, EG_REASON_BATCH_TOO_LARGE, "",
		                 "the batch has %zu bytes; send at most %zu", b->message.len, limits->bytes);
	if (!b->n)
		return eg_refuse(f, EG_INVALID, EG_REASON_BATCH_EMPTY, "records", "the batch has no records");
	if (b->n > limits->records)
		return eg_refuse(f, EG_LIMIT, EG_REASON_TOO_MANY_RECORDS, "records",
		                 "the batch has %u records; send at most %u", b->n, limits->records);
	*dataset = eg_policy_dataset(who, b->dataset);
	if (*dataset)
		return EG_OK;
	if (known_to_anybody(policy, b->dataset))
		return eg_refuse(f, EG_DENIED, EG_REASON_DATASET_NOT_PERMITTED, "dataset",
		                 "%s may not submit this dataset", who->name);
	return eg_refuse(f, EG_DENIED, EG_REASON_DATASET_UNKNOWN, "dataset",
	                 "no such dataset is registered for %s", who->name);
}

void eg_batch_fault(const struct eg_err *err, struct eg_fault *f)
{
	*f = (struct eg_fault){.err = *err};
	if (err->rc == EG_DENIED)
		f->reason = EG_REASON_DATASET_NOT_PERMITTED;
	else if (err->rc == EG_LIMIT)
		f->reason = EG_REASON_BATCH_TOO_LARGE;
}

Eldergate__V1__Receipt *eg_make_refused(struct eg_maker *k, struct eg_bytes batch_id,
                                        const struct eg_fault *f)
{
	Eldergate__V1__Receipt *m = EG_MAKE(k, Eldergate__V1__Receipt, eldergate__v1__receipt__init);
	if (!m)
		return NULL;
	m->batch_id = eg_make_text(k, batch_id);
	m->status = eg_status(k->arena, f);
	k->failed |= !m->status;
	return m;
}

Eldergate__V1__RecordResult *eg_make_result(struct eg_maker *k, unsigned index, const struct eg_item *item)
{
	Eldergate__V1__RecordResult *m =
	        EG_MAKE(k, Eldergate__V1__RecordResult, eldergate__v1__record_result__init);
	if (!m)
		return NULL;
	m->index = index;
	m->outcome = (Eldergate__V1__Outcome)item->outcome;
	m->seq = item->seq;
	if (item->reasons.n && (m->reasons = EG_MAKE_LIST(k, item->reasons.n))) {
		for (unsigned i = 0; i < item->reasons.n; i++)
			m->reasons[i] = eg_make_reason(k, item->reasons.v[i].code, item->reasons.v[i].field);
		m->n_reasons = k->failed ? 0 : item->reasons.n;
	}
	if (item->n_cases && (m->case_ids = EG_MAKE_LIST(k, item->n_cases))) {
		for (unsigned i = 0; i < item->n_cases; i++)
			m->case_ids[i] = eg_make_id(k, item->cases[i]);
		m->n_case_ids = k->failed ? 0 : item->n_cases;
	}
	return m;
}

static void add_results(struct eg_maker *k, const struct eg_submission *s, Eldergate__V1__Receipt *m)
{
	m->results = EG_MAKE_LIST(k, s->n);
	for (unsigned i = 0; i < s->n && m->results; i++)
		m->results[i] = eg_make_result(k, i, &s->items[i]);
	m->n_results = k->failed ? 0 : s->n;
}

Eldergate__V1__Receipt *eg_make_rehearsed(struct eg_maker *k, const struct eg_ticket *t,
                                          const uint8_t log_id[16], uint64_t head)
{
	Eldergate__V1__Receipt *m = EG_MAKE(k, Eldergate__V1__Receipt, eldergate__v1__receipt__init);
	if (!m)
		return NULL;
	m->batch_id = eg_make_text(k, eg_bytes_of(t->submission.batch_id));
	m->log_id = eg_make_id(k, log_id);
	m->dry_run = true;
	m->pinned_seq = head;
	add_results(k, &t->submission, m);
	return m;
}

Eldergate__V1__Receipt *eg_make_receipt(struct eg_maker *k, const struct eg_ticket *t, int64_t time)
{
	const struct eg_submission *s = &t->submission;
	Eldergate__V1__Receipt *m = EG_MAKE(k, Eldergate__V1__Receipt, eldergate__v1__receipt__init);
	if (!m)
		return NULL;
	m->batch_id = eg_make_text(k, eg_bytes_of(s->batch_id));
	m->log_id = eg_make_id(k, t->log_id);
	m->first_seq = s->first_seq;
	m->last_seq = s->last_seq;
	m->commit_time = eg_make_time(k, time);
	add_results(k, s, m);
	return m;
}
