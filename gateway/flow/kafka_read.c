/* kafka_read: the reader of kafka.h. */
#include "flow/kafka_core.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
	TAIL_MIN = 64, /* offsets from a partition's end that are read for its newest message, at first */
	TAIL_GROWTH = 8
};

struct eg_kafka_reader {
	rd_kafka_t *rk;
	struct eg_kafka_waiting waiting;
};

enum eg_rc eg_kafka_reader_open(struct eg_kafka_reader **out, const struct eg_kafka_options *o,
                                bool committed, struct eg_err *err)
{
	char why[256];
	struct eg_kafka_reader *r = calloc(1, sizeof *r);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *const ours[] = {"bootstrap.servers",
	                            o->bootstrap,
	                            "group.id",
	                            "eldergate-relay-mark",
	                            "enable.auto.commit",
	                            "false",
	                            "enable.partition.eof",
	                            "true",
	                            "auto.offset.reset",
	                            "earliest",
	                            NULL};
	const char *const isolation[] = {"isolation.level", committed ? "read_committed" : "read_uncommitted",
	                                 NULL};
	enum eg_rc rc = r ? eg_kafka_configure(conf, ours, err)
	                  : eg_fail(err, EG_NO_MEMORY, "no memory for a reader");
	/* Security settings must hold here too; a producer-only one is not accepted by meaning, but does no
	 * harm. What it sees is not for a setting to say. */
	if (!rc)
		rc = eg_kafka_configure(conf, o->settings, err);
	if (!rc)
		rc = eg_kafka_configure(conf, isolation, err);
	rd_kafka_conf_set_log_cb(conf, eg_kafka_log);
	if (!rc && !(r->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why)))
		rc = eg_fail(err, EG_CONFIG, "kafka: %s", why);
	if (rc) {
		rd_kafka_conf_destroy(conf);
		free(r);
		return rc;
	}
	r->waiting = eg_kafka_waiting(o);
	*out = r;
	return EG_OK;
}

void eg_kafka_reader_close(struct eg_kafka_reader *r)
{
	if (!r)
		return;
	rd_kafka_destroy(r->rk);
	free(r);
}

enum eg_rc eg_kafka_partitions(struct eg_kafka_reader *r, const char *topic, unsigned *n, struct eg_err *err)
{
	return eg_kafka_partitions_of(r->rk, topic, &r->waiting, n, err);
}

static rd_kafka_topic_partition_list_t *list_of(const struct eg_kafka_place *places, unsigned n)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)n);
	for (unsigned i = 0; i < n; i++)
		rd_kafka_topic_partition_list_add(list, places[i].topic, places[i].partition)->offset =
		        places[i].offset;
	return list;
}

/* ListOffsets of all partitions at once; the end that it answers is the one of the reader's isolation. (The
 * call for one partition's watermarks would do too, with two requests for each.) */
static enum eg_rc offsets(struct eg_kafka_reader *r, struct eg_kafka_place *places, unsigned n, int64_t which,
                          struct eg_err *err)
{
	if (eg_kafka_ended(&r->waiting))
		return eg_kafka_gave_up(err);
	struct eg_kafka_slices s = eg_kafka_slices(&r->waiting);
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
	int ms = EG_KAFKA_ASK_MS;
	for (unsigned i = 0; i < n; i++)
		places[i].offset = which;
	do {
		if (list)
			rd_kafka_topic_partition_list_destroy(list);
		list = list_of(places, n);
		if (n)
			e = rd_kafka_offsets_for_times(r->rk, list, eg_kafka_slice_ms(&s, ms));
		ms = 2 * ms < EG_KAFKA_ASK_MOST_MS ? 2 * ms : EG_KAFKA_ASK_MOST_MS;
	} while (eg_kafka_unanswered(e) && eg_kafka_once_more(&s));
	enum eg_rc rc = e && eg_kafka_ended(&r->waiting) ? eg_kafka_gave_up(err)
	                : e                              ? eg_kafka_fail(err, e, "offsets")
	                                                 : EG_OK;
	for (unsigned i = 0; i < n && !rc; i++) {
		const rd_kafka_topic_partition_t *p =
		        rd_kafka_topic_partition_list_find(list, places[i].topic, places[i].partition);
		if (p->err || p->offset < 0)
			rc = eg_kafka_fail(err, p->err ? p->err : RD_KAFKA_RESP_ERR__NO_OFFSET,
			                   places[i].topic);
		else
			places[i].offset = p->offset;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return rc;
}

enum eg_rc eg_kafka_begins(struct eg_kafka_reader *r, struct eg_kafka_place *places, unsigned n,
                           struct eg_err *err)
{
	return offsets(r, places, n, RD_KAFKA_OFFSET_BEGINNING, err);
}

enum eg_rc eg_kafka_ends(struct eg_kafka_reader *r, struct eg_kafka_place *places, unsigned n,
                         struct eg_err *err)
{
	return offsets(r, places, n, RD_KAFKA_OFFSET_END, err);
}

struct eg_bytes eg_kafka_found_header(const struct eg_kafka_found *m, const char *name)
{
	rd_kafka_headers_t *headers;
	const void *p = NULL;
	size_t len = 0;
	if (rd_kafka_message_headers(m->message, &headers) ||
	    rd_kafka_header_get_last(headers, name, &p, &len))
		return (struct eg_bytes){0};
	return (struct eg_bytes){p, len};
}

static enum eg_rc found(const rd_kafka_message_t *m, const struct eg_kafka_place *places, unsigned n,
                        eg_kafka_each *each, void *arg, struct eg_err *err)
{
	const char *topic = rd_kafka_topic_name(m->rkt);
	struct eg_kafka_found f = {0, m->offset, {m->key, m->key_len}, {m->payload, m->len}, m};
	while (f.place < n &&
	       (places[f.place].partition != m->partition || strcmp(places[f.place].topic, topic) != 0))
		f.place++;
	return f.place == n ? EG_OK : each(arg, &f, err);
}

static enum eg_rc read_to_end(struct eg_kafka_reader *r, const struct eg_kafka_place *places, unsigned n,
                              eg_kafka_each *each, void *arg, struct eg_err *err)
{
	int64_t patience = (int64_t)r->waiting.timeout_ms * 1000, deadline = eg_mono_us() + patience;
	enum eg_rc rc = EG_OK;
	unsigned ends = 0;
	while (ends < n && !rc) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, EG_KAFKA_POLL_MS);
		if (eg_kafka_ended(&r->waiting))
			rc = eg_kafka_gave_up(err);
		else if (!m && eg_mono_us() > deadline)
			rc = eg_fail(err, EG_DEADLINE, "kafka: topic %s could not be read to its end",
			             places[0].topic);
		if (!m)
			continue;
		deadline = eg_mono_us() + patience;
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			ends++;
		else if (m->err)
			rc = eg_kafka_fail(err, m->err, places[0].topic);
		else if (!rc)
			rc = found(m, places, n, each, arg, err);
		rd_kafka_message_destroy(m);
	}
	return rc;
}

enum eg_rc eg_kafka_scan(struct eg_kafka_reader *r, const struct eg_kafka_place *places, unsigned n,
                         eg_kafka_each *each, void *arg, struct eg_err *err)
{
	if (n == 0)
		return EG_OK;
	rd_kafka_topic_partition_list_t *list = list_of(places, n);
	rd_kafka_resp_err_t e = rd_kafka_assign(r->rk, list);
	rd_kafka_topic_partition_list_destroy(list);
	enum eg_rc rc =
	        e ? eg_kafka_fail(err, e, places[0].topic) : read_to_end(r, places, n, each, arg, err);
	rd_kafka_assign(r->rk, NULL); /* or it would fetch on, for nobody */
	return rc;
}

enum eg_rc eg_kafka_read(struct eg_kafka_reader *r, const char *topic, eg_kafka_each *each, void *arg,
                         struct eg_err *err)
{
	unsigned n = 0;
	enum eg_rc rc = eg_kafka_partitions(r, topic, &n, err);
	if (rc || n == 0)
		return rc;
	struct eg_kafka_place *places = calloc(n, sizeof *places);
	if (!places)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read a topic");
	for (unsigned i = 0; i < n; i++)
		places[i] = (struct eg_kafka_place){topic, (int)i, RD_KAFKA_OFFSET_BEGINNING};
	rc = eg_kafka_scan(r, places, n, each, arg, err);
	free(places);
	return rc;
}

struct wanted {
	const char *key;
	struct eg_buf *value;
	bool found;
};

static enum eg_rc keep_newest(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	struct wanted *w = arg;
	if (!eg_bytes_equal(m->key, eg_bytes_of(w->key)))
		return EG_OK;
	eg_buf_reset(w->value);
	eg_buf_add(w->value, m->value.p, m->value.len);
	w->found = true;
	return w->value->failed ? eg_fail(err, EG_NO_MEMORY, "no memory to read a topic") : EG_OK;
}

enum eg_rc eg_kafka_last(struct eg_kafka_reader *r, const char *topic, const char *key, struct eg_buf *value,
                         struct eg_err *err)
{
	struct wanted w = {.key = key, .value = value};
	unsigned n = 0;
	enum eg_rc rc = eg_kafka_partitions(r, topic, &n, err);
	if (rc || n == 0)
		return rc ? rc : EG_EMPTY;
	struct eg_kafka_place *from = calloc(3 * (size_t)n, sizeof *from), *low = from + n, *end = low + n;
	if (!from)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read a topic");
	for (unsigned i = 0; i < 3 * n; i++)
		from[i] = (struct eg_kafka_place){topic, (int)(i % n), 0};
	if (!(rc = eg_kafka_begins(r, low, n, err)))
		rc = eg_kafka_ends(r, end, n, err);
	bool whole = false;
	for (int64_t step = TAIL_MIN; !rc && !w.found && !whole; step *= TAIL_GROWTH) {
		whole = true;
		for (unsigned i = 0; i < n; i++) {
			bool all = end[i].offset - low[i].offset <= step;
			from[i].offset = all ? low[i].offset : end[i].offset - step;
			whole &= all;
		}
		rc = eg_kafka_scan(r, from, n, keep_newest, &w, err);
	}
	free(from);
	return !rc && !w.found ? EG_EMPTY : rc;
}
