/* sqlite_persons: reads the rows that say who is whom: persons, source keys, aliases, links. Thread: the
 * connection's. */
#include "store/sqlite_query.h"

#include <string.h>

static void take_person(struct eg_query *q, struct eg_person_row *out)
{
	out->row = eg_take_int(q);
	eg_take_fixed(q, out->id, sizeof out->id);
	out->version = eg_take_int(q);
	out->last_seq = eg_take_seq(q);
	out->body = eg_take_bytes(q);
}

enum eg_rc eg_get_person(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_person_row *out,
                         struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_PERSON_BY_ROW, a, err);
	eg_query_int(&q, row);
	if (eg_query_next(&q))
		take_person(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_person_by_id(struct eg_conn *c, const uint8_t id[16], struct eg_arena *a,
                               struct eg_person_row *out, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_PERSON_BY_ID, a, err);
	eg_query_blob(&q, id, 16);
	if (eg_query_next(&q))
		take_person(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_list_persons(struct eg_conn *c, int64_t after, unsigned max, size_t max_bytes,
                           struct eg_arena *a, struct eg_person_row **out, unsigned *n, struct eg_err *err)
{
	enum { BODY = 4 };
	struct eg_query q = eg_query_ask(c, EG_ST_PERSONS_AFTER, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_PAGE(&q, struct eg_person_row, take_person, BODY, max_bytes, out, n);
	return eg_query_end(&q);
}

static void take_source(struct eg_query *q, struct eg_source_row *out)
{
	out->row = eg_take_int(q);
	eg_take_fixed(q, out->token, sizeof out->token);
	out->person = eg_take_int(q);
	out->body = eg_take_bytes(q);
}

enum eg_rc eg_get_source(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_source_row *out, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_SOURCE_BY_TOKEN, a, err);
	eg_query_blob(&q, token, 16);
	if (eg_query_next(&q))
		take_source(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_get_source_by_row(struct eg_conn *c, int64_t row, struct eg_arena *a, struct eg_source_row *out,
                                struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_SOURCE_BY_ROW, a, err);
	eg_query_int(&q, row);
	if (eg_query_next(&q))
		take_source(&q, out);
	return eg_query_end_one(&q);
}

enum eg_rc eg_list_sources(struct eg_conn *c, const uint8_t *after, unsigned max, struct eg_arena *a,
                           struct eg_source_row *out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_SOURCES_FROM, a, err);
	*n = 0;
	eg_query_blob(&q, after ? after : (const uint8_t *)"", after ? 16 : 0);
	eg_query_int(&q, max);
	while (*n < max && !(*n && eg_read_expired(c)) && eg_query_next(&q))
		take_source(&q, &out[(*n)++]);
	return eg_query_end(&q);
}

enum eg_rc eg_list_source_rows(struct eg_conn *c, int64_t after, unsigned max, size_t max_bytes,
                               struct eg_arena *a, struct eg_source_row **out, unsigned *n,
                               struct eg_err *err)
{
	enum { BODY = 3 };
	struct eg_query q = eg_query_ask(c, EG_ST_SOURCES_AFTER, a, err);
	eg_query_int(&q, after);
	eg_query_int(&q, max);
	EG_QUERY_PAGE(&q, struct eg_source_row, take_source, BODY, max_bytes, out, n);
	return eg_query_end(&q);
}

static void take_alias(struct eg_query *q, struct eg_alias *out)
{
	eg_take_fixed(q, out->key, sizeof out->key);
	out->source = eg_take_int(q);
}

enum eg_rc eg_list_aliases(struct eg_conn *c, const uint8_t id18[16], struct eg_arena *a,
                           struct eg_alias **out, unsigned *n, struct eg_err *err)
{
	uint8_t last[24];
	memcpy(last, id18, 16);
	memset(last + 16, 0xff, 8);
	struct eg_query q = eg_query_ask(c, EG_ST_ALIASES_OF, a, err);
	eg_query_blob(&q, id18, 16);
	eg_query_blob(&q, last, sizeof last);
	EG_QUERY_LIST(&q, struct eg_alias, take_alias, out, n);
	return eg_query_end(&q);
}

static void take_link(struct eg_query *q, struct eg_link_row *out)
{
	eg_take_fixed(q, out->a, sizeof out->a);
	eg_take_fixed(q, out->b, sizeof out->b);
	out->kind = (int)eg_take_int(q);
	out->seq = eg_take_seq(q);
}

enum eg_rc eg_count_aliases(struct eg_conn *c, int64_t *n, struct eg_err *err)
{
	return eg_query_number(c, EG_ST_COUNT_ALIASES, NULL, n, err);
}

enum eg_rc eg_each_alias(struct eg_conn *c, void (*each)(void *arg, const struct eg_alias *x), void *arg,
                         struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_ALL_ALIASES, NULL, err);
	while (eg_query_next(&q)) {
		struct eg_alias x;
		take_alias(&q, &x);
		each(arg, &x);
	}
	return eg_query_end(&q);
}

enum eg_rc eg_count_links(struct eg_conn *c, int64_t *n, struct eg_err *err)
{
	return eg_query_number(c, EG_ST_COUNT_LINKS, NULL, n, err);
}

enum eg_rc eg_list_links(struct eg_conn *c, const uint8_t token[16], struct eg_arena *a,
                         struct eg_link_row **out, unsigned *n, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LINKS_OF, a, err);
	eg_query_blob(&q, token, 16);
	EG_QUERY_LIST(&q, struct eg_link_row, take_link, out, n);
	return eg_query_end(&q);
}

enum eg_rc eg_get_link(struct eg_conn *c, int64_t row, struct eg_link_row *out, struct eg_err *err)
{
	struct eg_query q = eg_query_ask(c, EG_ST_LINK_BY_ROW, NULL, err);
	eg_query_int(&q, row);
	if (eg_query_next(&q))
		take_link(&q, out);
	return eg_query_end_one(&q);
}
