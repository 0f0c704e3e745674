/* bench_producer: what the relay published, sent once more from memory by a bare transactional producer.
 *
 * Reads --topics (a comma between them) from their beginning to their end, keeps keys, values and headers,
 * and sends them all to
 * --to (a topic, made with as many partitions) in transactions of --batch messages, with the relay's own
 * settings of the producer but none of its work: no store, no judging of the log, no mark, one producer. The
 * time is from the first begin to the last commit. */
#include "bench.h"
#include "flow/kafka.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 16, WAIT_MS = 60000, TOPIC_MAX = 250 };

struct message {
	size_t key, key_len, value, value_len, first_header; /* places in `text` and among the headers */
	unsigned n_headers;
};

struct header {
	char name[32];
	size_t value, len;
};

static struct {
	struct eg_buf text;
	struct message *each;
	struct header *headers;
	size_t n, room, n_headers, headers_room;
} kept;

static void *grown(void *p, size_t n, size_t *room, size_t size)
{
	if (n < *room)
		return p;
	*room = *room ? *room * 2 : 1024;
	p = realloc(p, *room * size);
	if (!p)
		bench_die("no memory for what is to be sent");
	return p;
}

static size_t keep_bytes(const void *p, size_t len)
{
	size_t at = kept.text.len;
	eg_buf_add(&kept.text, p, len);
	if (kept.text.failed)
		bench_die("no memory for what is to be sent");
	return at;
}

static enum eg_rc keep(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	rd_kafka_headers_t *headers = NULL;
	const rd_kafka_message_t *raw = m->message;
	(void)arg;
	(void)err;
	kept.each = grown(kept.each, kept.n, &kept.room, sizeof *kept.each);
	struct message *k = &kept.each[kept.n++];
	*k = (struct message){.key = keep_bytes(m->key.p, m->key.len),
	                      .key_len = m->key.len,
	                      .value = keep_bytes(m->value.p, m->value.len),
	                      .value_len = m->value.len,
	                      .first_header = kept.n_headers};
	if (rd_kafka_message_headers(raw, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return EG_OK;
	for (size_t i = 0; i < HEADERS_MAX; i++) {
		const char *name;
		const void *value;
		size_t len;
		if (rd_kafka_header_get_all(headers, i, &name, &value, &len) != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		kept.headers = grown(kept.headers, kept.n_headers, &kept.headers_room, sizeof *kept.headers);
		struct header *h = &kept.headers[kept.n_headers++];
		if (strlen(name) >= sizeof h->name)
			bench_die("a header with a name of %zu bytes", strlen(name));
		strcpy(h->name, name);
		h->len = len;
		h->value = keep_bytes(value, len);
		k->n_headers++;
	}
	return EG_OK;
}

static void must(enum eg_rc rc, const struct eg_err *err)
{
	if (rc)
		bench_die("%s", err->text);
}

/* Keeps a topic; tells its partitions. */
static unsigned read_topic(const char *bootstrap, const char *topic)
{
	struct eg_err err = {0};
	struct eg_kafka_options o = {.bootstrap = bootstrap};
	struct eg_kafka_reader *r = NULL;
	unsigned partitions = 0;
	must(eg_kafka_reader_open(&r, &o, true, &err), &err);
	must(eg_kafka_partitions(r, topic, &partitions, &err), &err);
	must(eg_kafka_read(r, topic, keep, NULL, &err), &err);
	eg_kafka_reader_close(r);
	return partitions;
}

static void make_topic(const char *bootstrap, const char *to, unsigned partitions)
{
	struct eg_err err = {0};
	struct eg_kafka_options o = {.bootstrap = bootstrap, .transactional_id = "eldergate-bench-maker"};
	struct eg_kafka_topic topic = {.name = to, .partitions = (int)partitions, .replication = 1};
	struct eg_kafka *k = NULL;
	must(eg_kafka_open(&k, &o, &err), &err);
	must(eg_kafka_make_topics(k, &topic, 1, &err), &err);
	eg_kafka_close(k);
}

static rd_kafka_t *producer(const char *bootstrap)
{
	const char *settings[] = {"bootstrap.servers",
	                          bootstrap,
	                          "transactional.id",
	                          "eldergate-bench-bare",
	                          "linger.ms",
	                          "50",
	                          "compression.codec",
	                          "zstd",
	                          "partitioner",
	                          "murmur2_random",
	                          "queue.buffering.max.messages",
	                          "1000000",
	                          NULL};
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (unsigned i = 0; settings[i]; i += 2)
		if (rd_kafka_conf_set(conf, settings[i], settings[i + 1], why, sizeof why) !=
		    RD_KAFKA_CONF_OK)
			bench_die("%s", why);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (!rk)
		bench_die("%s", why);
	return rk;
}

static void hold(rd_kafka_error_t *e)
{
	if (e)
		bench_die("%s", rd_kafka_error_string(e));
}

static void send_one(rd_kafka_t *rk, const char *to, const struct message *m)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new(m->n_headers);
	for (unsigned i = 0; i < m->n_headers; i++) {
		const struct header *h = &kept.headers[m->first_header + i];
		if (rd_kafka_header_add(headers, h->name, -1, kept.text.p + h->value, (ssize_t)h->len))
			bench_die("a header could not be added");
	}
	rd_kafka_resp_err_t e = rd_kafka_producev(
	        rk, RD_KAFKA_V_TOPIC(to), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY | RD_KAFKA_MSG_F_BLOCK),
	        RD_KAFKA_V_KEY(kept.text.p + m->key, m->key_len),
	        RD_KAFKA_V_VALUE(kept.text.p + m->value, m->value_len), RD_KAFKA_V_HEADERS(headers),
	        RD_KAFKA_V_END);
	if (e)
		bench_die("%s", rd_kafka_err2str(e));
	rd_kafka_poll(rk, 0);
}

static double send_all(rd_kafka_t *rk, const char *to, size_t batch)
{
	hold(rd_kafka_init_transactions(rk, WAIT_MS));
	int64_t began = eg_mono_us();
	for (size_t at = 0; at < kept.n; at += batch) {
		size_t end = kept.n - at < batch ? kept.n : at + batch;
		hold(rd_kafka_begin_transaction(rk));
		for (size_t i = at; i < end; i++)
			send_one(rk, to, &kept.each[i]);
		hold(rd_kafka_commit_transaction(rk, WAIT_MS));
	}
	return (double)(eg_mono_us() - began) / 1e6;
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *bootstrap = bench_text("--bootstrap", NULL), *topics = bench_text("--topics", NULL),
	           *to = bench_text("--to", "bench.bare.v1");
	size_t batch = (size_t)bench_number("--batch", 4000);
	bench_args_end();
	if (batch < 1)
		bench_die("batch must be 1 or more");
	unsigned partitions = 0;
	size_t events = 0;
	while (*topics) {
		char name[TOPIC_MAX] = "";
		size_t len = strcspn(topics, ",");
		if (len >= sizeof name)
			bench_die("a topic's name of %zu bytes", len);
		memcpy(name, topics, len);
		unsigned n = read_topic(bootstrap, name);
		partitions = n > partitions ? n : partitions;
		events = events ? events : kept.n; /* the first topic is the one that counts */
		topics += len + (topics[len] == ',');
	}
	if (!events)
		bench_die("there is nothing to send");
	make_topic(bootstrap, to, partitions);
	rd_kafka_t *rk = producer(bootstrap);
	double cpu = bench_cpu_seconds(), seconds = send_all(rk, to, batch);
	cpu = bench_cpu_seconds() - cpu;
	rd_kafka_destroy(rk);
	printf("{\"bench\":\"producer\",\"events\":%zu,\"messages\":%zu,\"bytes\":%zu,\"seconds\":%.6f,"
	       "\"rate\":%.1f,"
	       "\"cpu_s\":%.3f}\n",
	       events, kept.n, kept.text.len, seconds, (double)events / seconds, cpu);
	free(kept.each);
	free(kept.headers);
	eg_buf_free(&kept.text);
	return 0;
}
