/* kafka: the transactional producer of kafka.h. */
#include "flow/kafka_core.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct eg_kafka {
	rd_kafka_t *rk;
	struct eg_kafka_waiting waiting;
	unsigned outstanding; /* messages without a delivery report */
	rd_kafka_resp_err_t delivery_error;
};

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

/* As long as a transaction may last is as long as its end is waited for. */
static int transaction_ms(const rd_kafka_conf_t *conf, int otherwise)
{
	char text[16];
	size_t size = sizeof text;
	if (rd_kafka_conf_get(conf, "transaction.timeout.ms", text, &size) != RD_KAFKA_CONF_OK)
		return otherwise;
	long ms = strtol(text, NULL, 10); /* it was checked when it was set */
	return ms > 0 && ms < INT_MAX ? (int)ms : otherwise;
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
	k->waiting = eg_kafka_waiting(o);
	snprintf(timeout, sizeof timeout, "%d", k->waiting.timeout_ms);
	const char *const ours[] = {"bootstrap.servers", o->bootstrap, "transactional.id",
	                            o->transactional_id, "enable.idempotence", "true", "acks", "all",
	                            "max.in.flight", "5",
	                            /* Until flush, which sends at once what there is: a batch
	                             * for each partition, since a broker may sync each. */
	                            "linger.ms", "50", "compression.codec", "zstd", "partitioner",
	                            "murmur2_random", "message.timeout.ms", timeout, "transaction.timeout.ms",
	                            timeout, "reconnect.backoff.max.ms", "2000", NULL};
	enum eg_rc rc = eg_kafka_configure(conf, ours, err);
	if (!rc)
		rc = eg_kafka_configure(conf, o->settings, err);
	if (!rc)
		k->waiting.timeout_ms = transaction_ms(conf, k->waiting.timeout_ms);
	rd_kafka_conf_set_opaque(conf, k);
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set_log_cb(conf, eg_kafka_log);
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
	/* It must not be destroyed while its main thread registers partitions with a transaction: a broker's
	 * thread that ends then hands the request back before the main thread has counted it, and librdkafka
	 * aborts the process. Once that thread has begun an abort it registers none any more; how the abort
	 * ends does not matter. Without a transaction, or with a commit under way, it is an error at once. */
	rd_kafka_error_t *e = rd_kafka_abort_transaction(k->rk, EG_KAFKA_API_MS);
	if (e)
		rd_kafka_error_destroy(e);
	/* What is still queued belongs to no transaction that may be committed. */
	rd_kafka_purge(k->rk,
	               RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
	while (k->outstanding)
		rd_kafka_poll(k->rk, EG_KAFKA_POLL_MS);
	rd_kafka_destroy(k->rk);
	free(k);
}

/* These go on by themselves when their time is over, and a further call takes them up again. So they are
 * called for short whiles, and a stop need not wait for a broker that does not answer. */
static enum eg_rc in_slices(struct eg_kafka *k, rd_kafka_error_t *(*call)(rd_kafka_t *, int),
                            const char *what, struct eg_err *err)
{
	struct eg_kafka_slices s = eg_kafka_slices(&k->waiting);
	for (;;) {
		int ms = eg_kafka_slice_ms(&s, EG_KAFKA_API_MS);
		rd_kafka_error_t *e = call(k->rk, ms > EG_KAFKA_POLL_MS ? ms : EG_KAFKA_POLL_MS);
		if (!e)
			return EG_OK;
		bool under_way = rd_kafka_error_code(e) == RD_KAFKA_RESP_ERR__TIMED_OUT &&
		                 rd_kafka_error_is_retriable(e);
		if (!under_way || !eg_kafka_once_more(&s)) {
			enum eg_rc rc = eg_kafka_fail_error(err, e, what);
			return under_way && eg_kafka_ended(&k->waiting) ? eg_kafka_gave_up(err) : rc;
		}
		rd_kafka_error_destroy(e);
	}
}

enum eg_rc eg_kafka_init(struct eg_kafka *k, struct eg_err *err)
{
	return in_slices(k, rd_kafka_init_transactions, "init_transactions", err);
}

enum eg_rc eg_kafka_know(struct eg_kafka *k, const char *const *topics, unsigned n, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	unsigned partitions;
	for (unsigned i = 0; i < n && !rc; i++)
		rc = eg_kafka_partitions_of(k->rk, topics[i], &k->waiting, &partitions, err);
	return rc;
}

enum eg_rc eg_kafka_begin(struct eg_kafka *k, struct eg_err *err)
{
	rd_kafka_error_t *e = rd_kafka_begin_transaction(k->rk);
	return e ? eg_kafka_fail_error(err, e, "begin_transaction") : EG_OK;
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
		rd_kafka_poll(k->rk, EG_KAFKA_POLL_MS); /* delivery reports make room */
		e = k->delivery_error;
		if (eg_kafka_ended(&k->waiting)) {
			rd_kafka_headers_destroy(headers);
			return eg_kafka_gave_up(err);
		}
	}
	if (e) {
		rd_kafka_headers_destroy(headers);
		return eg_kafka_fail(err, e, m->topic);
	}
	k->outstanding++;
	rd_kafka_poll(k->rk, 0);
	return EG_OK;
}

enum eg_rc eg_kafka_flush(struct eg_kafka *k, struct eg_err *err)
{
	/* message.timeout.ms bounds this: every message gets a report by then. */
	while (k->outstanding && !eg_kafka_ended(&k->waiting))
		rd_kafka_flush(k->rk, EG_KAFKA_POLL_MS);
	if (k->outstanding)
		return eg_kafka_gave_up(err);
	return k->delivery_error ? eg_kafka_fail(err, k->delivery_error, "delivery") : EG_OK;
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

static enum eg_rc created(rd_kafka_queue_t *q, const struct eg_kafka_waiting *w, struct eg_err *err)
{
	struct eg_kafka_slices s = eg_kafka_slices(w);
	rd_kafka_event_t *ev;
	enum eg_rc rc = EG_OK;
	do
		ev = rd_kafka_queue_poll(q, eg_kafka_slice_ms(&s, EG_KAFKA_POLL_MS));
	while (!ev && eg_kafka_once_more(&s));
	if (!ev && eg_kafka_ended(w))
		return eg_kafka_gave_up(err);
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
				rc = eg_kafka_fail(err, e, rd_kafka_topic_result_name(r[i]));
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
