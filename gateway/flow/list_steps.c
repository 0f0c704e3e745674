/* list_steps: what the steps of a full list write inside a commit: its row, its LIST entry, its case.
 *
 * Thread: the writer's. */
#include "flow/merge.h"

#include <string.h>

static enum eg_rc put_row(struct eg_merge *m, struct eg_list_info *l, struct eg_err *err)
{
	struct eg_list_row row;
	enum eg_rc rc = eg_list_info_row(l, m->arena, &row, err);
	if (rc)
		return rc;
	eg_tx_put_list(m->set.tx, &row);
	l->row = row.row;
	m->lists_moved = true;
	return EG_OK;
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

enum eg_rc eg_merge_list(struct eg_merge *m, struct eg_ticket *t, struct eg_err *err)
{
	struct eg_list_info *l = t->list.info;
	enum eg_rc rc = EG_OK;
	if (t->list.fresh)
		l->row = 0; /* a commit that failed before left its number */
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
