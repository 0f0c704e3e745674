/* lag: see lag.h. */
#include "flow/lag.h"

enum eg_rc eg_lag_waits(struct eg_conn *c, int64_t until_us, struct eg_arena *a, bool *waits,
                        struct eg_err *err)
{
	struct eg_lag_row *rows;
	unsigned n = 0;
	enum eg_rc rc = eg_list_lags(c, until_us, 1, a, &rows, &n, err);
	*waits = n > 0;
	return rc;
}

static enum eg_rc open_case(struct eg_merge *m, struct eg_cause *c, struct eg_ws_person *p,
                            struct eg_err *err)
{
	const bool changed = true;
	p->lag_due = true;
	enum eg_rc rc = eg_cases_settle(m, c, &p, &changed, 1, NULL, 0, false, err);
	p->lag_due = false;
	p->lag = EG_WS_LAG_ENDS;
	p->dirty = true; /* whatever came of it, the row goes */
	return rc;
}

enum eg_rc eg_lag_fill(struct eg_merge *m, int64_t until_us, struct eg_err *err)
{
	struct eg_ticket nobody = {.operator_name = "", .purpose = "", .traceparent = ""};
	struct eg_cause c = {.ticket = &nobody, .seq = eg_tail_next(m->tail)};
	struct eg_lag_row *rows;
	struct eg_header h;
	unsigned n;
	enum eg_rc rc = eg_list_lags(m->set.conn, until_us, EG_LAGS_MAX, m->arena, &rows, &n, err);
	if (rc || !n)
		return rc;
	eg_merge_header(&nobody, EG_ENTRY_TIMER, &h);
	eg_tail_id(m->tail, h.entry_id);
	h.act = eg_bytes_of("police_lag");
	h.count = n;
	rc = eg_tail_append(m->tail, &h, (struct eg_bytes){0}, NULL, err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++) {
		struct eg_ws_person *p = NULL;
		rc = eg_ws_person_by_row(&m->set, rows[i].person, &p, err);
		/* Records of this commit go first: one of them may have ended the lag, or begun it anew. */
		if (rc == EG_OK && p->lag == EG_WS_LAG_AS_IT_IS)
			rc = open_case(m, &c, p, err);
	}
	return rc;
}
