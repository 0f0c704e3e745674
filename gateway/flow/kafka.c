/* kafka: see kafka.h. */
#include "flow/kafka.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEFAULT_TIMEOUT_MS = 10000,
	POLL_MS = 100,
	ASK_MS = 1000,      /* a request that cannot be taken up again: longer with each try, */
	ASK_MOST_MS = 4000, /* up to this */
	MAX_PARTITIONS = 1000,
	TAIL_MIN = 64, /* offsets from a partition's end that are read for its newest message, at first */
	TAIL_GROWTH = 8
};

struct waiting {
	int timeout_ms;
	int64_t (*give_up)(void *arg);
	void *arg;
};

struct eg_kafka {
	rd_kafka_t *rk;
	struct waiting waiting;
	unsigned outstanding; /* messages without a delivery report */
	rd_kafka_resp_err_t delivery_error;
};

static enum eg_rc rc_of(rd_kafka_resp_err_t e)
{
	switch (e) {
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
		return EG_DENIED;
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		return EG_DEADLINE;
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		return EG_NOT_FOUND;
	default:
		return EG_UNAVAILABLE;
	}
}

static enum eg_rc fail(struct eg_err *err, rd_kafka_resp_err_t e, const char *what)
{
	return eg_fail(err, rc_of(e), "kafka: %s: %s", what, rd_kafka_err2str(e));
}

static enum eg_rc fail_error(struct eg_err *err, rd_kafka_error_t *e, const char *what)
{
	enum eg_rc rc =
	        eg_fail(err, rc_of(rd_kafka_error_code(e)), "kafka: %s: %s", what, rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	return rc;
}

static struct waiting waiting_of(const struct eg_kafka_options *o)
{
	return (struct waiting){o->timeout_ms ? o->timeout_ms : DEFAULT_TIMEOUT_MS, o->give_up,
	                        o->give_up_arg};
}

static int64_t give_up_at(const struct waiting *w)
{
	return w->give_up ? w->give_up(w->arg) : INT64_MAX;
}

static bool ended(const struct waiting *w)
{
	return eg_mono_us() >= give_up_at(w);
}

/* One call of many that make up a longer wait. */
struct slice {
	const struct waiting *w;
	int64_t deadline;
};

static struct slice slices(const struct waiting *w)
{
	return (struct slice){w, eg_mono_us() + (int64_t)w->timeout_ms * 1000};
}

/* The ms that the next call may take, of at most this many. */
static int slice_ms(const struct slice *s, int most_ms)
{
	int64_t until = give_up_at(s->w), us;
	until = until < s->deadline ? until : s->deadline;
	us = until - eg_mono_us();
	return us <= 0 ? 0 : us / 1000 + 1 < most_ms ? (int)(us / 1000 + 1) : most_ms;
}

static bool once_more(const struct slice *s)
{
	return slice_ms(s, POLL_MS) > 0;
}

static enum eg_rc gave_up(struct eg_err *err)
{
	return eg_fail(err, EG_CLOSED, "kafka: the time to finish was over");
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct eg_kafka *k = opaque;
	(void)rk;
	k->outstanding--;
	if (m->err && !k->delivery_error)
		k->delivery_error = m->err;
	int64_t *offset = m->_private;
	if (offset && !m->err)
		*offset = m->offset < 0 ? -1 : m->offset > *offset ? m->offset : *offset;
}

static void log_line(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk;
	eg_log(level <= 4 ? EG_LOG_WARN : EG_LOG_DEBUG, "kafka.client", EG_T("facility", facility),
	       EG_T("text", text));
}

static enum eg_rc configure(rd_kafka_conf_t *conf, const char *const *settings, struct eg_err *err)
{
	char why[256];
	for (unsigned i = 0; settings && settings[i]; i += 2)
		if (rd_kafka_conf_set(conf, settings[i], settings[i + 1], why, sizeof why) !=
		    RD_KAFKA_CONF_OK)
			return eg_fail(err, EG_CONFIG, "kafka setting %s: %s", settings[i], why);
	return EG_OK;
}

enum eg_rc eg_kafka_open(struct eg_kafka **out, const struct eg_kafka_options *o, struct eg_err *err)
{
	char timeout[16], why[256];
	struct eg_kafka *k = calloc(1, sizeof *k);
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	if (!k || !conf) {
		if (conf)
			rd_kafka_conf_destroy(conf);
		free(k);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a Kafka producer");
	}
	k->waiting = waiting_of(o);
	snprintf(timeout, sizeof timeout, "%d", k->waiting.timeout_ms);
	const char *const ours[] = {"bootstrap.servers",
	                            o->bootstrap,
	                            "transactional.id",
	                            o->transactional_id,
	                            "enable.idempotence",
	                            "true",
	                            "acks",
	                            "all",
	                            "max.in.flight",
	                            "5",
	                            "linger.ms",
	                            "2",
	                            "compression.codec",
	                            "zstd",
	                            "partitioner",
	                            "murmur2_random",
	                            "message.timeout.ms",
	                            timeout,
	                            "transaction.timeout.ms",
	                            timeout,
	                            "reconnect.backoff.max.ms",
	                            "2000",
	                            NULL};
	enum eg_rc rc = configure(conf, ours, err);
	if (!rc)
		rc = configure(conf, o->settings, err);
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set_log_cb(conf, log_line);
	if (!rc && !(k->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why)))
		rc = eg_fail(err, EG_CONFIG, "kafka: %s", why);
	if (rc) {
		rd_kafka_conf_destroy(conf);
		free(k);
		return rc;
	}
	*out = k;
	return EG_OK;
}

void eg_kafka_close(struct eg_kafka *k)
{
	if (!k)
		return;
	/* What is still queued belongs to a transaction that will not be committed. */
	rd_kafka_purge(k->rk,
	               RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	while (k->outstanding)
		rd_kafka_poll(k->rk, POLL_MS);
	rd_kafka_destroy(k->rk);
	free(k);
}

/* These go on by themselves when their time is over, and a further call takes them up again. So they are
 * called for short whiles, and a stop need not wait for a broker that does not answer. */
static enum eg_rc in_slices(struct eg_kafka *k, rd_kafka_error_t *(*call)(rd_kafka_t *, int),
                            const char *what, struct eg_err *err)
{
	struct slice s = slices(&k->waiting);
	for (;;) {
		rd_kafka_error_t *e = call(k->rk, slice_ms(&s, POLL_MS));
		if (!e)
			return EG_OK;
		bool under_way = rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR__TIMED_OUT &&
		                 rd_kafka_error_is_retriable(e);
		if (!under_way || !once_more(&s)) {
			enum eg_rc rc = fail_error(err, e, what);
			return under_way && ended(&k->waiting) ? gave_up(err) : rc;
		}
		rd_kafka_error_destroy(e);
	}
}

enum eg_rc eg_kafka_init(struct eg_kafka *k, struct eg_err *err)
{
	return in_slices(k, rd_kafka_init_transactions, "init_transactions", err);
}

/* The broker did not answer: worth another try. */
static bool unanswered(rd_kafka_resp_err_t e)
{
	return e == RD_KAFKA_RESP_ERR__TIMED_OUT || e == RD_KAFKA_RESP_ERR__TRANSPORT;
}

static rd_kafka_resp_err_t ask_metadata(rd_kafka_t *rk, rd_kafka_topic_t *t, const struct waiting *w,
                                        const struct rd_kafka_metadata **md)
{
	struct slice s = slices(w);
	rd_kafka_resp_err_t e;
	int ms = ASK_MS;
	do {
		e = rd_kafka_metadata(rk, 0, t, md, slice_ms(&s, ms));
		ms = 2 * ms < ASK_MOST_MS ? 2 * ms : ASK_MOST_MS;
	} while (unanswered(e) && once_more(&s));
	return e;
}

static enum eg_rc partitions_of(rd_kafka_t *rk, const char *topic, const struct waiting *w, unsigned *n,
                                struct eg_err *err)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t e = t ? ask_metadata(rk, t, w, &md) : rd_kafka_last_error();
	*n = 0;
	if (!e) {
		e = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		*n = e ? 0 : (unsigned)md->topics[0].partition_cnt;
		rd_kafka_metadata_destroy(md);
	}
	if (t)
		rd_kafka_topic_destroy(t);
	if (e)
		return unanswered(e) && ended(w) ? gave_up(err) : fail(err, e, topic);
	return *n > MAX_PARTITIONS ? eg_fail(err, EG_LIMIT, "topic %s has too many partitions", topic)
	                           : EG_OK;
}

enum eg_rc eg_kafka_know(struct eg_kafka *k, const char *const *topics, unsigned n, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	unsigned partitions;
	for (unsigned i = 0; i < n && !rc; i++)
		rc = partitions_of(k->rk, topics[i], &k->waiting, &partitions, err);
	return rc;
}

enum eg_rc eg_kafka_begin(struct eg_kafka *k, struct eg_err *err)
{
	rd_kafka_error_t *e = rd_kafka_begin_transaction(k->rk);
	return e ? fail_error(err, e, "begin_transaction") : EG_OK;
}

enum eg_rc eg_kafka_produce(struct eg_kafka *k, const struct eg_kafka_message *m, struct eg_err *err)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(m->n_headers);
	rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
	for (unsigned i = 0; i < m->n_headers && !e; i++)
		e = rd_kafka_header_add(headers, m->headers[i].name, -1, m->headers[i].value.p,
		                        (ssize_t)m->headers[i].value.len);
	for (;;) {
		if (!e)
			e = rd_kafka_producev(
			        k->rk, RD_KAFKA_V_TOPIC(m->topic), RD_KAFKA_V_PARTITION(m->partition),
			        RD_KAFKA_V_KEY(m->key.p, m->key.len),
			        RD_KAFKA_V_VALUE((void *)(uintptr_t)m->value.p, m->value.len),
			        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			        RD_KAFKA_V_TIMESTAMP(m->time_us / 1000), RD_KAFKA_V_OPAQUE(m->offset),
			        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
		if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		rd_kafka_poll(k->rk, POLL_MS); /* delivery reports make room */
		e = k->delivery_error;
		if (ended(&k->waiting)) {
			rd_kafka_headers_destroy(headers);
			return gave_up(err);
		}
	}
	if (e) {
		rd_kafka_headers_destroy(headers);
		return fail(err, e, m->topic);
	}
	k->outstanding++;
	rd_kafka_poll(k->rk, 0);
	return EG_OK;
}

enum eg_rc eg_kafka_flush(struct eg_kafka *k, struct eg_err *err)
{
	/* message.timeout.ms bounds this: every message gets a report by then. */
	rd_kafka_flush(k->rk, 0);
	while (k->outstanding && !ended(&k->waiting))
		rd_kafka_poll(k->rk, POLL_MS);
	if (k->outstanding)
		return gave_up(err);
	return k->delivery_error ? fail(err, k->delivery_error, "delivery") : EG_OK;
}

enum eg_rc eg_kafka_commit(struct eg_kafka *k, struct eg_err *err)
{
	return in_slices(k, rd_kafka_commit_transaction, "commit_transaction", err);
}

enum eg_rc eg_kafka_abort(struct eg_kafka *k, struct eg_err *err)
{
	return in_slices(k, rd_kafka_abort_transaction, "abort_transaction", err);
}

unsigned eg_kafka_partition_of(struct eg_bytes key, unsigned n)
{
	return (unsigned)rd_kafka_msg_partitioner_murmur2(NULL, key.p, key.len, (int32_t)n, NULL, NULL);
}

/* ---- topics ---- */

static enum eg_rc created(rd_kafka_queue_t *q, const struct waiting *w, struct eg_err *err)
{
	struct slice s = slices(w);
	rd_kafka_event_t *ev;
	enum eg_rc rc = EG_OK;
	do
		ev = rd_kafka_queue_poll(q, slice_ms(&s, POLL_MS));
	while (!ev && once_more(&s));
	if (!ev && ended(w))
		return gave_up(err);
	if (!ev)
		return eg_fail(err, EG_DEADLINE, "kafka: no answer to create topics");
	if (rd_kafka_event_error(ev)) {
		rc = eg_fail(err, EG_UNAVAILABLE, "kafka: create topics: %s",
		             rd_kafka_event_error_string(ev));
	} else {
		size_t n = 0;
		const rd_kafka_topic_result_t **r =
		        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
		for (size_t i = 0; i < n && !rc; i++) {
			rd_kafka_resp_err_t e = rd_kafka_topic_result_error(r[i]);
			if (e && e != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
				rc = fail(err, e, rd_kafka_topic_result_name(r[i]));
		}
	}
	rd_kafka_event_destroy(ev);
	return rc;
}

enum eg_rc eg_kafka_make_topics(struct eg_kafka *k, const struct eg_kafka_topic *t, unsigned n,
                                struct eg_err *err)
{
	enum { MOST = 8 };
	char why[256];
	rd_kafka_NewTopic_t *topics[MOST];
	unsigned made = 0;
	enum eg_rc rc = EG_OK;
	if (n > MOST)
		return eg_fail(err, EG_INTERNAL, "more than %d topics", MOST);
	rd_kafka_queue_t *q = rd_kafka_queue_new(k->rk);
	for (; made < n; made++) {
		topics[made] = rd_kafka_NewTopic_new(t[made].name, t[made].partitions, t[made].replication,
		                                     why, sizeof why);
		if (!topics[made]) {
			rc = eg_fail(err, EG_CONFIG, "kafka topic %s: %s", t[made].name, why);
			break;
		}
		if (t[made].compacted)
			rd_kafka_NewTopic_set_config(topics[made], "cleanup.policy", "compact");
	}
	if (!rc) {
		rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(k->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
		rd_kafka_AdminOptions_set_operation_timeout(o, k->waiting.timeout_ms, why, sizeof why);
		rd_kafka_CreateTopics(k->rk, topics, n, o, q);
		rc = created(q, &k->waiting, err);
		rd_kafka_AdminOptions_destroy(o);
	}
	rd_kafka_NewTopic_destroy_array(topics, made);
	rd_kafka_queue_destroy(q);
	return rc;
}

/* ---- reading ---- */

struct eg_kafka_reader {
	rd_kafka_t *rk;
	struct waiting waiting;
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
	enum eg_rc rc = r ? configure(conf, ours, err) : eg_fail(err, EG_NO_MEMORY, "no memory for a reader");
	/* Security settings must hold here too; a producer-only one is not accepted by meaning, but does no
	 * harm. What it sees is not for a setting to say. */
	if (!rc)
		rc = configure(conf, o->settings, err);
	if (!rc)
		rc = configure(conf, isolation, err);
	rd_kafka_conf_set_log_cb(conf, log_line);
	if (!rc && !(r->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why)))
		rc = eg_fail(err, EG_CONFIG, "kafka: %s", why);
	if (rc) {
		rd_kafka_conf_destroy(conf);
		free(r);
		return rc;
	}
	r->waiting = waiting_of(o);
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
	return partitions_of(r->rk, topic, &r->waiting, n, err);
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
	if (ended(&r->waiting))
		return gave_up(err);
	struct slice s = slices(&r->waiting);
	rd_kafka_topic_partition_list_t *list = NULL;
	rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_NO_ERROR;
	int ms = ASK_MS;
	for (unsigned i = 0; i < n; i++)
		places[i].offset = which;
	do {
		if (list)
			rd_kafka_topic_partition_list_destroy(list);
		list = list_of(places, n);
		if (n)
			e = rd_kafka_offsets_for_times(r->rk, list, slice_ms(&s, ms));
		ms = 2 * ms < ASK_MOST_MS ? 2 * ms : ASK_MOST_MS;
	} while (unanswered(e) && once_more(&s));
	enum eg_rc rc = e && ended(&r->waiting) ? gave_up(err) : e ? fail(err, e, "offsets") : EG_OK;
	for (unsigned i = 0; i < n && !rc; i++) {
		const rd_kafka_topic_partition_t *p =
		        rd_kafka_topic_partition_list_find(list, places[i].topic, places[i].partition);
		if (p->err || p->offset < 0)
			rc = fail(err, p->err ? p->err : RD_KAFKA_RESP_ERR__NO_OFFSET, places[i].topic);
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
		rd_kafka_message_t *m = rd_kafka_consumer_poll(r->rk, POLL_MS);
		if (ended(&r->waiting))
			rc = gave_up(err);
		else if (!m && eg_mono_us() > deadline)
			rc = eg_fail(err, EG_DEADLINE, "kafka: topic %s could not be read to its end",
			             places[0].topic);
		if (!m)
			continue;
		deadline = eg_mono_us() + patience;
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			ends++;
		else if (m->err)
			rc = fail(err, m->err, places[0].topic);
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
	enum eg_rc rc = e ? fail(err, e, places[0].topic) : read_to_end(r, places, n, each, arg, err);
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
