/* list_steps: what the steps of a full list write inside a commit: its row, its LIST entry, its case.
 *
 * Thread: the writer's. */
#include "flow/list_late.h"
#include "flow/merge.h"

#include <string.h>

enum { PAGE_MEMORY = 64 << 20 };

static enum eg_rc put_row(struct eg_merge *m, struct eg_list_info *l, struct eg_err *err)
{
	struct eg_list_row row;
	enum eg_rc rc = eg_list_info_row(l, m->arena, &row, err);
	if (rc)
		return rc;
	eg_tx_put_list(m->set.tx, &row);
	l->row = row.row;
	m->lists_moved = true;
	return m->set.tx->rc ? EG_OK : eg_listed_put(&m->listed, m->set.tx, l, err);
}

static enum eg_rc append_list(struct eg_merge *m, struct eg_ticket *t, struct eg_list_info *l,
                              struct eg_err *err)
{
	struct eg_header h = {.kind = EG_ENTRY_LIST,
	                      .agency = eg_bytes_of(l->agency),
	                      .operator_name = eg_bytes_of(l->operator_name),
	                      .traceparent = eg_bytes_of(t->traceparent),
	                      .dataset = eg_bytes_of(l->dataset),
	                      .submission = eg_bytes_of(l->list_id),
	                      .outcome = EG_APPLIED,
	                      .count = (int64_t)l->rows,
	                      .digest = {l->digest, sizeof l->digest},
	                      .act = eg_bytes_of(l->held ? "list_held" : "list_applied")};
	eg_buf_reset(&m->scratch);
	eg_list_info_part(l, &m->scratch);
	enum eg_rc rc = eg_tail_append_part(m->tail, &h, &m->scratch, err);
	l->seq = t->seq = h.seq;
	return rc;
}

/* ---- the last records that came while the list was compared ---- */

struct settling {
	struct eg_merge *m;
	const struct eg_list_info *l;
	struct eg_list_ask ask;
	struct eg_ticket *ticket; /* as the list's own records have it */
};

static enum eg_rc open_settling(struct settling *s, struct eg_merge *m, const struct eg_list_info *l,
                                struct eg_err *err)
{
	struct eg_ticket *t = eg_arena_alloc(m->arena, sizeof *t);
	struct eg_identity_rule *who = eg_arena_alloc(m->arena, sizeof *who);
	struct eg_dataset_rule *dataset = eg_arena_alloc(m->arena, sizeof *dataset);
	if (!t || !who || !dataset)
		return eg_ws_no_memory(err);
	memcpy(who->name, l->agency, strlen(l->agency) + 1);
	memcpy(dataset->name, l->dataset, strlen(l->dataset) + 1);
	*t = (struct eg_ticket){.kind = EG_TICKET_SUBMISSION,
	                        .lane = EG_LANE_BULK,
	                        .arena = m->arena,
	                        .who = who,
	                        .operator_name = l->operator_name,
	                        .purpose = "",
	                        .traceparent = "",
	                        .submission = {.batch_id = l->list_id, .dataset = dataset}};
	memcpy(t->submission.digest, l->digest, sizeof l->digest);
	*s = (struct settling){.m = m, .l = l, .ask = eg_merge_ask(m), .ticket = t};
	return EG_OK;
}

static enum eg_rc restate(void *arg, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err)
{
	struct settling *s = arg;
	struct eg_merge *m = s->m;
	struct eg_ws_source *source = NULL;
	struct eg_version found;
	bool yes = false;
	enum eg_rc rc = eg_ws_source(&m->set, token, &source, err);
	if (rc == EG_OK)
		rc = eg_list_restates(&s->ask, s->l, &source->versions, token, &yes, &found, err);
	if (rc || !yes)
		return rc;
	struct eg_work *w = eg_arena_alloc(m->arena, sizeof *w);
	struct eg_item *item = eg_arena_alloc(m->arena, sizeof *item);
	if (!w || !item)
		return eg_ws_no_memory(err);
	rc = eg_list_restate(&s->ask, s->l, token, &found, m->arena, item, err);
	*w = (struct eg_work){.ticket = s->ticket, .item = item};
	if (rc == EG_OK)
		rc = eg_merge_item(m, w, err);
	return rc ? rc : eg_merge_unchanged(m, s->ticket, w, 1, err);
}

/* Those behind `settled`; what came before it the applier has seen to. */
static enum eg_rc settle(struct eg_merge *m, struct eg_ticket *t, const struct eg_list_info *l,
                         struct eg_err *err)
{
	struct settling s;
	uint64_t head = eg_tail_next(m->tail) - 1;
	if (!l->versionless)
		return EG_OK;
	if (head - l->settled > EG_LIST_LATE_MAX) {
		t->rc = eg_fail(&t->err, EG_PRECONDITION,
		                "more than %d entries came since the list was settled", EG_LIST_LATE_MAX);
		return EG_OK;
	}
	struct eg_arena *page = eg_arena_new(PAGE_MEMORY);
	enum eg_rc rc = page ? open_settling(&s, m, l, err)
	                     : eg_fail(err, EG_NO_MEMORY, "no memory for a list's last records");
	if (rc == EG_OK)
		rc = eg_arena_why(page, eg_list_late(&s.ask, l, l->settled, head, page, restate, &s, err),
		                  err);
	eg_arena_free(page);
	return rc;
}

enum eg_rc eg_merge_list(struct eg_merge *m, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_list_info *l = t->list.info;
	enum eg_rc rc = EG_OK;
	if (t->list.fresh)
		l->row = 0; /* a commit that failed before left its number */
	t->rc = EG_OK;
	if (t->list.append)
		rc = settle(m, t, l, err);
	if (rc || t->rc)
		return rc;
	if (t->list.append)
		rc = append_list(m, t, l, err);
	if (rc == EG_OK && t->list.append && l->held) {
		struct eg_cause c = {.ticket = t, .seq = l->seq};
		rc = eg_case_of_list(m, &c, l->spool, l->seq, l->case_id, err);
	}
	return rc ? rc : put_row(m, l, err);
}

enum eg_rc eg_list_decided(struct eg_merge *m, const struct eg_case_body *body, bool approved,
                           struct eg_err *err)
{
	struct eg_list_row row;
	struct eg_list_info l;
	enum eg_rc rc;
	if (body->n_seqs != 1)
		return eg_fail(err, EG_CORRUPT, "a case of a list does not name its entry");
	rc = eg_get_list_by_seq(m->set.conn, body->seqs[0], m->arena, &row, err);
	if (rc == EG_OK)
		rc = eg_list_info_read(&row, m->arena, &l, err);
	if (rc == EG_EMPTY || (rc == EG_OK && l.phase != EG_LIST_HELD))
		return eg_fail(err, EG_CORRUPT, "the list of an open case is not held");
	if (rc)
		return rc;
	l.phase = approved ? EG_LIST_WITHDRAWING : EG_LIST_REFUSED;
	l.ended_us = approved ? 0 : m->tail->time;
	return put_row(m, &l, err);
}
