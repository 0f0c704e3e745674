/* sqlite_names: reads the rows that have a name: datasets, marks, properties, keys. Thread: the
 * connection's. */
#include "store/sqlite_query.h"

static void take_dataset(struct eg_query *q, struct eg_dataset_row *out)
{
	out->name = eg_take_text(q);
	out->event_time = eg_take_int(q);
	out->heard = eg_take_int(q);
	out->seq = eg_take_seq(q);
	out->records = eg_take_int(q);
	out->rejects = eg_take_int(q);
}

enum eg_rc eg_list_datasets(struct eg_conn *c, struct eg_arena *a, struct eg_dataset_row **out, unsigned *n,
                            struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_DATASETS, a, err);
	EG_QUERY_LIST(&q, struct eg_dataset_row, take_dataset, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_get_mark(struct eg_conn *c, const char *name, uint64_t *seq, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_GET_MARK, NULL, err);
	eg_query_text(&q, name);
	if (eg_query_next(&q))
		*seq = eg_take_seq(&q);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_meta(struct eg_conn *c, const char *name, struct eg_arena *a, struct eg_bytes *out,
                       struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_GET_META, a, err);
	eg_query_text(&q, name);
	if (eg_query_next(&q))
		*out = eg_take_bytes(&q);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_key(struct eg_conn *c, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_GET_KEY, NULL, err);
	eg_query_text(&q, name);
	if (eg_query_next(&q))
		eg_take_fixed(&q, wrapped, 60);
	return eg_query_end_one(&q);
}

enum eg_rc eg_list_keys(struct eg_conn *c, const char *prefix, void (*each)(void *arg, const char *name),
                        void *arg, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LIST_KEYS, NULL, err);
	eg_query_text(&q, prefix);
	while (eg_query_next(&q)) {
		const unsigned char *name = sqlite3_column_text(q.st, 0);
		each(arg, name ? (const char *)name : "");
	}
	return eg_query_end(&q);
}

enum eg_rc eg_count(struct eg_conn *c, int64_t *persons, int64_t *open_cases, struct eg_err *err)
{
	enum eg_rc rc = eg_query_number(c, EG_ST_COUNT_PERSONS, NULL, persons, err);
	return rc ? rc : eg_query_number(c, EG_ST_COUNT_OPEN_CASES, NULL, open_cases, err);
}
