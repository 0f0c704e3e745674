/* commit: one batch, entry by entry. */
#include "flow/commit.h"

#include "base/fault.h"
#include "base/metric.h"
#include "flow/lag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int cmp_work(const void *a, const void *b)
{
	const struct eg_work *x = *(const struct eg_work *const *)a, *y = *(const struct eg_work *const *)b;
	if (x->ticket->lane != y->ticket->lane)
		return x->ticket->lane < y->ticket->lane ? -1 : 1;
	int c = memcmp(x->item->token, y->item->token, EG_TOKEN_SIZE);
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

static enum eg_rc gather(struct eg_commit *c, struct eg_err *err)
{
	uint32_t n = 0;
	c->n_works = 0;
	for (unsigned i = 0; i < c->n_tickets; i++)
		if (c->tickets[i]->kind == EG_TICKET_SUBMISSION)
			n += c->tickets[i]->submission.n;
	c->works = eg_arena_alloc(c->merge.arena, n * sizeof *c->works);
	if (!c->works)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < c->n_tickets; i++) {
		struct eg_ticket *t = c->tickets[i];
		t->seq = 0;
		if (t->kind != EG_TICKET_SUBMISSION)
			continue;
		t->submission.first_seq = t->submission.last_seq = 0;
		for (unsigned k = 0; k < t->submission.n; k++, c->n_works++)
			c->works[c->n_works] = (struct eg_work){
			        .ticket = t, .item = &t->submission.items[k], .order = c->n_works};
	}
	return EG_OK;
}

static enum eg_rc merge_records(struct eg_commit *c, struct eg_err *err)
{
	struct eg_work **sorted = eg_arena_alloc(c->merge.arena, c->n_works * sizeof(struct eg_work *));
	enum eg_rc rc = EG_OK;
	if (!sorted)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < c->n_works; i++)
		sorted[i] = &c->works[i];
	qsort(sorted, c->n_works, sizeof *sorted, cmp_work);
	for (unsigned i = 0; i < c->n_works && rc == EG_OK; i++) {
		if (i == c->n_works / 2)
			eg_kill_point("writer.mid_batch");
		rc = eg_merge_item(&c->merge, sorted[i], err);
	}
	return rc;
}

static enum eg_rc finish_submissions(struct eg_commit *c, struct eg_err *err)
{
	unsigned at = 0;
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < c->n_tickets && rc == EG_OK; i++) {
		struct eg_ticket *t = c->tickets[i];
		if (t->kind != EG_TICKET_SUBMISSION)
			continue;
		rc = eg_merge_unchanged(&c->merge, t, &c->works[at], t->submission.n, err);
		t->seq = t->submission.last_seq;
		if (rc == EG_OK)
			rc = eg_datasets_count(&c->datasets, t, &c->works[at], t->submission.n,
			                       c->merge.tail->time, err);
		at += t->submission.n;
	}
	return rc;
}

static enum eg_rc append_query(struct eg_commit *c, struct eg_ticket *t, struct eg_err *err)
{
	const struct eg_query *q = &t->query;
	struct eg_buf *b = &c->merge.scratch;
	struct eg_header h;
	eg_buf_reset(b);
	eg_canon_bytes(b, 1, eg_bytes_of(q->method));
	eg_canon_bytes(b, 2, eg_bytes_of(q->legal_basis));
	for (unsigned i = 0; i < q->n_persons; i++)
		eg_canon_bytes(b, 3, (struct eg_bytes){q->persons[i], 16});
	for (unsigned i = 0; i < q->n_missing; i++)
		eg_canon_bytes(b, 4, (struct eg_bytes){q->missing[i], EG_TOKEN_SIZE});
	eg_merge_header(t, EG_ENTRY_QUERY, &h);
	h.outcome = EG_ANSWERED;
	h.count = (int64_t)q->n_persons + q->n_missing;
	enum eg_rc rc = eg_tail_append_part(c->merge.tail, &h, b, err);
	t->seq = h.seq;
	return rc;
}

static enum eg_rc append_refusal(struct eg_commit *c, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_header h;
	eg_merge_header(t, EG_ENTRY_REFUSAL, &h);
	h.outcome = EG_REFUSED;
	h.count = t->refusal.count;
	h.act = eg_bytes_of(t->refusal.reason);
	eg_tail_id(c->merge.tail, h.entry_id);
	enum eg_rc rc = eg_tail_append(c->merge.tail, &h, (struct eg_bytes){0}, NULL, err);
	t->seq = h.seq;
	return rc;
}

static enum eg_rc append_admin(struct eg_commit *c, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_header h;
	eg_merge_header(t, EG_ENTRY_ADMIN, &h);
	h.act = eg_bytes_of(t->admin.act);
	eg_tail_id(c->merge.tail, h.entry_id);
	enum eg_rc rc = eg_tail_append(c->merge.tail, &h, (struct eg_bytes){0}, NULL, err);
	t->seq = h.seq;
	return rc;
}

static enum eg_rc step_list(struct eg_commit *c, struct eg_ticket *t, struct eg_err *err)
{
	enum eg_rc rc = eg_merge_list(&c->merge, t, err);
	if (rc || t->rc || !t->list.append)
		return rc;
	return eg_datasets_listed(&c->datasets, t->list.info, c->merge.tail->time, err);
}

static void add_window(struct eg_buf *b, const struct eg_window *w)
{
	size_t open = eg_canon_open(b, 1);
	eg_canon_bytes(b, 1, eg_bytes_of(w->subscriber));
	eg_canon_int(b, 2, (int64_t)w->first_seq);
	eg_canon_int(b, 3, (int64_t)w->last_seq);
	eg_canon_int(b, 4, w->first_row);
	eg_canon_int(b, 5, w->last_row);
	eg_canon_bytes(b, 6, eg_bytes_of(w->filter));
	eg_canon_int(b, 7, w->policy_version);
	eg_canon_close(b, open);
}

/* All windows that wait share one entry. */
static enum eg_rc append_deliveries(struct eg_commit *c, struct eg_err *err)
{
	struct eg_buf *b = &c->merge.scratch;
	struct eg_header h = {.kind = EG_ENTRY_DELIVERY, .outcome = EG_ANSWERED};
	eg_buf_reset(b);
	for (unsigned i = 0; i < c->n_tickets; i++) {
		if (c->tickets[i]->kind != EG_TICKET_DELIVERY)
			continue;
		for (unsigned k = 0; k < c->tickets[i]->delivery.n; k++)
			add_window(b, &c->tickets[i]->delivery.windows[k]);
		h.count += c->tickets[i]->delivery.n;
	}
	if (!h.count)
		return EG_OK;
	enum eg_rc rc = eg_tail_append_part(c->merge.tail, &h, b, err);
	for (unsigned i = 0; i < c->n_tickets; i++)
		if (c->tickets[i]->kind == EG_TICKET_DELIVERY)
			c->tickets[i]->seq = h.seq;
	return rc;
}

enum eg_rc eg_commit_fill(struct eg_commit *c, struct eg_tx *tx, struct eg_conn *conn, struct eg_err *err)
{
	struct eg_merge *m = &c->merge;
	eg_ws_begin(&m->set, m->vault, conn, tx, m->arena, m->tail->time);
	m->created = 0;
	m->lists_moved = false;
	memset(m->opened, 0, sizeof m->opened);
	enum eg_rc rc = gather(c, err);
	if (rc == EG_OK)
		rc = merge_records(c, err);
	for (unsigned i = 0; i < c->n_tickets && rc == EG_OK; i++)
		if (c->tickets[i]->kind == EG_TICKET_DECISION)
			rc = eg_merge_decision(m, c->tickets[i], err);
	if (rc == EG_OK)
		rc = finish_submissions(c, err);
	for (unsigned i = 0; i < c->n_tickets && rc == EG_OK; i++) {
		struct eg_ticket *t = c->tickets[i];
		if (t->kind == EG_TICKET_QUERY)
			rc = append_query(c, t, err);
		else if (t->kind == EG_TICKET_REFUSAL)
			rc = append_refusal(c, t, err);
		else if (t->kind == EG_TICKET_ADMIN)
			rc = append_admin(c, t, err);
		else if (t->kind == EG_TICKET_LIST)
			rc = step_list(c, t, err);
	}
	if (rc == EG_OK)
		rc = append_deliveries(c, err);
	if (rc == EG_OK && c->lag_grace_us && c->looks_at_lag)
		rc = eg_lag_fill(m, m->tail->time - c->lag_grace_us, err);
	if (rc == EG_OK)
		rc = eg_ws_flush(&m->set, err);
	eg_datasets_put(&c->datasets, tx);
	return rc;
}

/* Where the writer's own reason points to. */
static void add_reason(struct eg_work *w)
{
	char field[64] = "version";
	if (w->added == EG_REASON_TOO_MANY_MATCHES)
		snprintf(field, sizeof field, "%s.id_number", eg_section_name(w->item->claim.section));
	eg_reasons_add(&w->item->reasons, w->added, field);
}

void eg_commit_keep(struct eg_commit *c)
{
	static const char *const names[] = {
	        [EG_APPLIED] = "applied",
	        [EG_UNCHANGED] = "unchanged",
	        [EG_STALE] = "stale",
	        [EG_QUARANTINED] = "quarantined",
	};
	double counts[sizeof names / sizeof *names] = {0}, withdrawn = 0;
	for (unsigned i = 0; i < c->n_works; i++) {
		if (c->works[i].item->claim.op == EG_WITHDRAW) {
			withdrawn += c->works[i].item->outcome == EG_APPLIED;
			continue;
		}
		counts[c->works[i].item->outcome]++;
		if (c->works[i].added)
			add_reason(&c->works[i]);
	}
	for (size_t i = EG_APPLIED; i < sizeof names / sizeof *names; i++)
		if (counts[i] > 0)
			eg_metric_add(EG_M_RECORDS, names[i], counts[i]);
	if (withdrawn > 0)
		eg_metric_add(EG_M_RECORDS, "withdrawn", withdrawn);
	for (unsigned i = 0; i < c->n_tickets; i++)
		if (c->tickets[i]->kind == EG_TICKET_SUBMISSION)
			eg_metric_add(EG_M_BATCHES, c->tickets[i]->who->name, 1);
	eg_datasets_keep(&c->datasets);
}
