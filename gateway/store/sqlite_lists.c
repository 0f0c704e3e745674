/* sqlite_lists: reads the rows of full lists. Thread: the connection's. */
#include "store/sqlite_query.h"

static void take_list(struct eg_query *q, struct eg_list_row *out)
{
	out->row = eg_take_int(q);
	out->agency = eg_take_text(q);
	out->dataset = eg_take_text(q);
	out->list_id = eg_take_text(q);
	eg_take_fixed(q, out->digest, sizeof out->digest);
	out->as_of = eg_take_int(q);
	out->phase = (int)eg_take_int(q);
	out->pinned = eg_take_seq(q);
	out->seq = eg_take_seq(q);
	eg_take_fixed(q, out->spool, sizeof out->spool);
	out->body = eg_take_bytes(q);
}

enum eg_rc eg_list_lists(struct eg_conn *c, int64_t after, int phase, unsigned max, struct eg_arena *a,
                         struct eg_list_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, phase ? EG_ST_LISTS_OF_PHASE : EG_ST_LISTS_AFTER, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	if (phase)
		eg_query_int(&q, phase);
	EG_QUERY_LIST(&q, struct eg_list_row, take_list, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_list_lists_of(struct eg_conn *c, const char *agency, const char *dataset, int64_t after,
                            unsigned max, struct eg_arena *a, struct eg_list_row **out, unsigned *n,
                            struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LISTS_OF, a, err);
	eg_query_text(&q, agency);
	eg_query_text(&q, dataset);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_list_row, take_list, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_list_standing(struct eg_conn *c, int64_t after, unsigned max, struct eg_arena *a,
                            struct eg_list_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LISTS_STANDING, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_LIST(&q, struct eg_list_row, take_list, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_get_list_by_seq(struct eg_conn *c, uint64_t seq, struct eg_arena *a, struct eg_list_row *out,
                              struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LIST_BY_SEQ, a, err);
	eg_query_seq(&q, seq);
	if (eg_query_next(&q))
		take_list(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_list_by_digest(struct eg_conn *c, const char *agency, const char *dataset,
                                 const char *list_id, const uint8_t digest[32], int64_t before,
                                 struct eg_arena *a, struct eg_list_row *out, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LIST_BY_DIGEST, a, err);
	eg_query_blob(&q, digest, 32);
	eg_query_text(&q, agency);
	eg_query_text(&q, dataset);
	eg_query_text(&q, list_id);
	eg_query_int(&q, before);
	if (eg_query_next(&q))
		take_list(&q, out);
	return eg_query_end_one(&q);
}
