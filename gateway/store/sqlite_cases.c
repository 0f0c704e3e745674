/* sqlite_cases: reads what waits for an answer: cases, rejects, lags. Thread: the connection's. */
#include "store/sqlite_query.h"

static void take_case(struct eg_query *q, struct eg_case_row *out)
{
	out->row = eg_take_int(q);
	eg_take_fixed(q, out->id, sizeof out->id);
	out->kind = (int)eg_take_int(q);
	out->state = (int)eg_take_int(q);
	out->person = eg_take_int(q);
	out->opened = eg_take_seq(q);
	out->closed = eg_take_seq(q);
	eg_take_fixed(q, out->subject, sizeof out->subject);
	out->body = eg_take_bytes(q);
}

enum eg_rc eg_get_case(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a, struct eg_case_row *out,
                       struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_CASE_BY_ID, a, err);
	eg_query_blob(&q, id, 16);
	if (eg_query_next(&q))
		take_case(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_case_by_subject(struct eg_conn *c, const uint8_t subject[16], struct eg_arena *a,
                                  struct eg_case_row *out, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_CASE_BY_SUBJECT, a, err);
	eg_query_blob(&q, subject, 16);
	if (eg_query_next(&q))
		take_case(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_list_cases(struct eg_conn *c, int64_t after, int kind, int state, unsigned max,
                         struct eg_arena *a, struct eg_case_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q =
	        eg_query_ask(c, state == EG_CASE_OPEN ? EG_ST_OPEN_CASES_AFTER : EG_ST_CASES_AFTER, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, kind);
	eg_query_int(&q, state);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_case_row, take_case, out, n);
	return eg_query_end(&q);
}

static void take_reject(struct eg_query *q, struct eg_reject_row *out)
{
	out->seq = eg_take_seq(q);
	out->agency = eg_take_text(q);
	out->dataset = eg_take_text(q);
	out->state = (int)eg_take_int(q);
	eg_take_fixed(q, out->source, sizeof out->source);
	out->version = eg_take_int(q);
	out->mapping_revision = (uint32_t)eg_take_int(q);
	eg_take_fixed(q, out->digest, sizeof out->digest);
}

enum eg_rc eg_list_rejects_of(struct eg_conn *c, const uint8_t source[16], struct eg_arena *a,
                              struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_REJECTS_OF, a, err);
	eg_query_blob(&q, source, 16);
	EG_QUERY_LIST(&q, struct eg_reject_row, take_reject, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_list_rejects(struct eg_conn *c, const char *agency, uint64_t after, int state, unsigned max,
                           struct eg_arena *a, struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(
	        c, state == EG_REJECT_OPEN ? EG_ST_OPEN_REJECTS_AFTER : EG_ST_REJECTS_AFTER, a, err);
	eg_query_text(&q, agency);
	eg_query_seq(&q, after);
	eg_query_int(&q, state);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_reject_row, take_reject, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_list_all_rejects(struct eg_conn *c, uint64_t after, unsigned max, struct eg_arena *a,
                               struct eg_reject_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_ALL_REJECTS_AFTER, a, err);
	eg_query_seq(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_reject_row, take_reject, out, n);
	return eg_query_end(&q);
}

static void take_lag(struct eg_query *q, struct eg_lag_row *out)
{
	out->person = eg_take_int(q);
	out->since_us = eg_take_int(q);
}

enum eg_rc eg_list_lags(struct eg_conn *c, int64_t until_us, unsigned max, struct eg_arena *a,
                        struct eg_lag_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LAGS_UNTIL, a, err);
	eg_query_int(&q, until_us);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_lag_row, take_lag, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_list_lags_of(struct eg_conn *c, int64_t after, unsigned max, struct eg_arena *a,
                           struct eg_lag_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LAGS_AFTER, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_lag_row, take_lag, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_get_lag(struct eg_conn *c, int64_t person, int64_t *since_us, struct eg_err *err)
{
	*since_us = 0;
	enum eg_rc rc = eg_query_number(c, EG_ST_GET_LAG, &person, since_us, err);
	return rc == EG_EMPTY ? EG_OK : rc;
}

enum eg_rc eg_count_lags(struct eg_conn *c, int64_t *n, struct eg_err *err)
{
	return eg_query_number(c, EG_ST_COUNT_LAGS, NULL, n, err);
}
