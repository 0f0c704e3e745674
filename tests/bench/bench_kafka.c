/* bench_kafka: how long until a read_committed consumer sees what was committed.
 *
 *   --mode watch   reads a topic of the gateway from its present end, and times each message against its
 * ce_time, the moment the writer began the commit that holds it (so the store's own commit is part of the
 * figure)
 *   --mode mark    the floor: transactions that hold nothing but one small message, through the relay's own
 * producers used in turn, each timed from its begin until it is read
 *   --mode traced  prints "SEQ MICROSECONDS" (of the clock) for each message of the topic that carries the
 * trace id --trace, as it comes, until its standard input ends
 *
 * Prints {"ready":true} once it would miss nothing. Times are of one machine's clock. */
#include "base/thread.h"
#include "bench.h"
#include "flow/kafka.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUIET_MS = 60000, PARTITIONS_MAX = 1000, MARK_BYTES = 48, WARM_UP = 4, LOOK_MS = 100 };

struct watch {
	rd_kafka_t *rk;
	const char *topic;
	uint32_t count; /* messages to wait for */
	int64_t *latencies;
	atomic_uint seen;
	int64_t first, last; /* when messages came */
};

static rd_kafka_t *consumer(const char *bootstrap)
{
	static const char *const settings[] = {
	        "group.id", "eldergate-bench",   "isolation.level", "read_committed",    "enable.auto.commit",
	        "false",    "auto.offset.reset", "error",           "bootstrap.servers", NULL};
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	for (unsigned i = 0; settings[i]; i += 2) {
		const char *v = settings[i + 1] ? settings[i + 1] : bootstrap;
		if (rd_kafka_conf_set(conf, settings[i], v, why, sizeof why) != RD_KAFKA_CONF_OK)
			bench_die("%s", why);
		if (!settings[i + 1])
			break;
	}
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
	if (!rk)
		bench_die("%s", why);
	rd_kafka_poll_set_consumer(rk);
	return rk;
}

static int partitions_of(rd_kafka_t *rk, const char *topic)
{
	const struct rd_kafka_metadata *m = NULL;
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	rd_kafka_resp_err_t e = t ? rd_kafka_metadata(rk, 0, t, &m, QUIET_MS) : rd_kafka_last_error();
	if (e)
		bench_die("%s: %s", topic, rd_kafka_err2str(e));
	int n = m->topic_cnt == 1 ? m->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(m);
	rd_kafka_topic_destroy(t);
	if (n < 1 || n > PARTITIONS_MAX)
		bench_die("%s: no such topic", topic);
	return n;
}

/* Every partition, from where it ends now. */
static void assign(struct watch *w)
{
	int n = partitions_of(w->rk, w->topic);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	for (int p = 0; p < n; p++) {
		int64_t low, high;
		rd_kafka_resp_err_t e =
		        rd_kafka_query_watermark_offsets(w->rk, w->topic, p, &low, &high, QUIET_MS);
		if (e)
			bench_die("%s: %s", w->topic, rd_kafka_err2str(e));
		rd_kafka_topic_partition_list_add(list, w->topic, p)->offset = high;
	}
	rd_kafka_resp_err_t e = rd_kafka_assign(w->rk, list);
	if (e)
		bench_die("%s: %s", w->topic, rd_kafka_err2str(e));
	rd_kafka_topic_partition_list_destroy(list);
}

static int64_t event_time(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	const void *p;
	size_t len;
	char text[40] = "";
	int64_t us;
	if (rd_kafka_message_headers(m, &headers) || rd_kafka_header_get_last(headers, "ce_time", &p, &len) ||
	    len >= sizeof text)
		bench_die("a message without ce_time");
	memcpy(text, p, len);
	if (!eg_instant_parse(text, &us))
		bench_die("a message whose ce_time is none");
	return us;
}

/* The next message, and when it came. */
static rd_kafka_message_t *next(struct watch *w, int64_t *now)
{
	for (;;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(w->rk, QUIET_MS);
		*now = eg_now_us();
		if (!m)
			bench_die("%s: nothing for %d s", w->topic, QUIET_MS / 1000);
		if (!m->err)
			return m;
		if (m->err != RD_KAFKA_RESP_ERR__TRANSPORT && m->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
			bench_die("%s: %s", w->topic, rd_kafka_err2str(m->err));
		rd_kafka_message_destroy(m);
	}
}

static void report(const char *mode, struct watch *w, double cpu)
{
	printf("{\"bench\":\"kafka\",\"mode\":\"%s\",\"messages\":%u,\"seconds\":%.6f,\"cpu_s\":%.3f,", mode,
	       w->count, (double)(w->last - w->first) / 1e6, cpu);
	bench_print_percentiles(w->latencies, w->count);
	puts("}");
}

static void watch(struct watch *w)
{
	double cpu = bench_cpu_seconds();
	for (uint32_t i = 0; i < w->count; i++) {
		rd_kafka_message_t *m = next(w, &w->last);
		w->first = i ? w->first : w->last;
		w->latencies[i] = w->last - event_time(m);
		rd_kafka_message_destroy(m);
	}
	report("watch", w, bench_cpu_seconds() - cpu);
}

/* ---- some of many ---- */

static bool over(void)
{
	struct pollfd in = {.fd = 0, .events = POLLIN};
	char c;
	return poll(&in, 1, 0) > 0 && read(0, &c, 1) == 0;
}

static void print_traced(const rd_kafka_message_t *m, const char *trace, int64_t now)
{
	rd_kafka_headers_t *headers;
	const void *parent, *seq;
	size_t parent_len, seq_len;
	if (rd_kafka_message_headers(m, &headers) ||
	    rd_kafka_header_get_last(headers, "traceparent", &parent, &parent_len) ||
	    !memmem(parent, parent_len, trace, strlen(trace)) ||
	    rd_kafka_header_get_last(headers, "ce_sequence", &seq, &seq_len))
		return;
	printf("%.*s %lld\n", (int)seq_len, (const char *)seq, (long long)now);
	fflush(stdout);
}

static void traced(struct watch *w, const char *trace)
{
	int64_t look = 0;
	for (;;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(w->rk, LOOK_MS);
		int64_t now = eg_now_us();
		if (m && !m->err)
			print_traced(m, trace, now);
		if (m)
			rd_kafka_message_destroy(m);
		if (now >= look && over())
			return;
		look = now >= look ? now + LOOK_MS * (EG_SECOND / 1000) : look;
	}
}

/* ---- the floor ---- */

static void must(enum eg_rc rc, const struct eg_err *err)
{
	if (rc)
		bench_die("%s", err->text);
}

static void one_mark(struct eg_kafka *k, const char *topic)
{
	struct eg_err err = {0};
	uint8_t value[MARK_BYTES] = {0};
	struct eg_kafka_message m = {.topic = topic,
	                             .partition = EG_KAFKA_BY_KEY,
	                             .key = eg_bytes_of("relay"),
	                             .value = {value, sizeof value},
	                             .time_us = eg_now_us()};
	must(eg_kafka_begin(k, &err), &err);
	must(eg_kafka_produce(k, &m, &err), &err);
	must(eg_kafka_flush(k, &err), &err);
	must(eg_kafka_commit(k, &err), &err);
}

/* A thread that waits for the marks, so that the commit's answer and its sight do not wait for each other. */
static void see_marks(void *arg)
{
	struct watch *w = arg;
	for (uint32_t i = 0; i < w->count + WARM_UP; i++) {
		int64_t now;
		rd_kafka_message_t *m = next(w, &now);
		if (i >= WARM_UP)
			w->latencies[i - WARM_UP] = now - w->latencies[i - WARM_UP];
		w->first = i == WARM_UP ? now : w->first;
		w->last = now;
		rd_kafka_message_destroy(m);
		atomic_fetch_add(&w->seen, 1);
	}
}

static void marks(struct watch *w, const char *bootstrap, long pause_ms)
{
	struct eg_kafka *k[2];
	struct eg_thread *thread;
	struct eg_err err = {0};
	static const char *const ids[2] = {"eldergate-bench-a", "eldergate-bench-b"};
	struct eg_kafka_topic topic = {
	        .name = w->topic, .partitions = 1, .replication = 1, .compacted = true};
	for (unsigned i = 0; i < 2; i++) {
		struct eg_kafka_options o = {.bootstrap = bootstrap, .transactional_id = ids[i]};
		must(eg_kafka_open(&k[i], &o, &err), &err);
	}
	must(eg_kafka_make_topics(k[0], &topic, 1, &err), &err);
	for (unsigned i = 0; i < 2; i++) {
		must(eg_kafka_init(k[i], &err), &err);
		must(eg_kafka_know(k[i], &w->topic, 1, &err), &err);
	}
	assign(w);
	must(eg_thread_start(&thread, "marks", see_marks, w, &err), &err);
	puts("{\"ready\":true}");
	fflush(stdout);
	double cpu = bench_cpu_seconds();
	int64_t due = eg_mono_us();
	for (uint32_t i = 0; i < w->count + WARM_UP; i++) {
		bench_wait_until(due);
		if (i >= WARM_UP)
			w->latencies[i - WARM_UP] = eg_now_us();
		one_mark(k[i % 2], w->topic);
		due = eg_mono_us() + pause_ms * 1000;
	}
	eg_thread_join(thread);
	cpu = bench_cpu_seconds() - cpu;
	for (unsigned i = 0; i < 2; i++)
		eg_kafka_close(k[i]);
	report("mark", w, cpu);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *mode = bench_text("--mode", "watch"), *bootstrap = bench_text("--bootstrap", NULL);
	struct watch w = {.topic = bench_text("--topic", "elder.changes.v1")};
	const char *trace = bench_text("--trace", "");
	long pause_ms = bench_number("--pause-ms", 20);
	w.count = (uint32_t)bench_number("--count", 100);
	bench_args_end();
	if (w.count < 1 || pause_ms < 0)
		bench_die("count must be 1 or more");
	w.latencies = bench_alloc(w.count, sizeof *w.latencies);
	w.rk = consumer(bootstrap);
	if (strcmp(mode, "mark") == 0) {
		marks(&w, bootstrap, pause_ms);
	} else {
		assign(&w);
		puts("{\"ready\":true}");
		fflush(stdout);
		if (strcmp(mode, "traced") == 0)
			traced(&w, trace);
		else
			watch(&w);
	}
	rd_kafka_consumer_close(w.rk);
	rd_kafka_destroy(w.rk);
	free(w.latencies);
	return 0;
}
