/* bench_kafka: how long until a read_committed consumer sees what was committed.
 *
 *   --mode watch   reads a topic of the gateway from its present end, and times each message against its
 * ce_time, the moment the writer began the commit that holds it (so the store's own commit is part of the
 * figure)
 *   --mode mark    the floor: transactions that hold nothing but one small message, through the relay's own
 * producers used in turn, each timed from its begin until it is read
 *   --mode bare    --rate events a second as a relay would send them that has them in memory: all that are
 * due in one transaction, each to --topic and, as a state, to a second topic, the mark beside them; each
 * timed from when it was due until it is read. --states 0: without the second topic
 *   --mode traced  prints "SEQ MICROSECONDS" (of the clock) for each message of the topic that carries the
 * trace id --trace, as it comes, until its standard input ends
 *
 * Prints {"ready":true} once it would miss nothing. Times are of one machine's clock. */
#include "base/thread.h"
#include "bench.h"
#include "flow/kafka.h"

#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	QUIET_MS = 60000,
	PARTITIONS_MAX = 1000,
	MARK_BYTES = 48,
	EVENT_BYTES = 560, /* of a message of the changes or of a state, headers and all, in the middle */
	BARE_MOST = 2000,  /* events of a transaction: the relay's default */
	WARM_UP = 4,
	LOOK_MS = 100,
	NAME_BYTES = 250,
	FLOOR_TOPICS = 3
};

struct watch {
	rd_kafka_t *rk;
	const char *topic;
	uint32_t count;   /* messages to wait for */
	uint32_t warm_up; /* messages before them */
	int64_t *latencies;
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

/* The topic was just made: a partition's leader does not know of it yet. */
static bool is_new(rd_kafka_resp_err_t e)
{
	return e == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
	       e == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

/* Every partition, from where it ends now. */
static void assign(struct watch *w)
{
	int n = partitions_of(w->rk, w->topic);
	int64_t deadline = eg_mono_us() + QUIET_MS * (EG_SECOND / 1000);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
	for (int p = 0; p < n; p++) {
		int64_t low, high;
		rd_kafka_resp_err_t e;
		do
			e = rd_kafka_query_watermark_offsets(w->rk, w->topic, p, &low, &high, QUIET_MS);
		while (is_new(e) && eg_mono_us() < deadline);
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

/* ---- the floors ---- */

/* The relay's two producers with topics of their own: the one that is watched, and what else they fill. */
struct floor {
	struct eg_kafka *k[2];
	unsigned turn;
	char mark[NAME_BYTES];
	char state[NAME_BYTES]; /* empty: there is none */
};

static void must(enum eg_rc rc, const struct eg_err *err)
{
	if (rc)
		bench_die("%s", err->text);
}

/* A broker that has just begun still loads what its coordinator knows, and a cluster's nodes hear of a new
 * topic one after another. */
static void make_ready(struct eg_kafka *k, const char *const *names, unsigned n)
{
	struct eg_err err = {0};
	int64_t deadline = eg_mono_us() + QUIET_MS * (EG_SECOND / 1000);
	enum eg_rc rc;
	do
		rc = eg_kafka_init(k, &err);
	while (rc == EG_UNAVAILABLE && eg_mono_us() < deadline);
	must(rc, &err);
	do
		rc = eg_kafka_know(k, names, n, &err);
	while (rc == EG_NOT_FOUND && eg_mono_us() < deadline);
	must(rc, &err);
}

static void open_floor(struct floor *f, const char *bootstrap, const struct eg_kafka_topic *topics,
                       unsigned n)
{
	static const char *const ids[2] = {"eldergate-bench-a", "eldergate-bench-b"};
	const char *names[FLOOR_TOPICS];
	struct eg_err err = {0};
	for (unsigned i = 0; i < 2; i++) {
		struct eg_kafka_options o = {.bootstrap = bootstrap, .transactional_id = ids[i]};
		must(eg_kafka_open(&f->k[i], &o, &err), &err);
	}
	must(eg_kafka_make_topics(f->k[0], topics, n, &err), &err);
	for (unsigned i = 0; i < n; i++)
		names[i] = topics[i].name;
	for (unsigned i = 0; i < 2; i++)
		make_ready(f->k[i], names, n);
}

static void close_floor(struct floor *f)
{
	for (unsigned i = 0; i < 2; i++)
		eg_kafka_close(f->k[i]);
}

/* A message tells when it was due. */
static void send_one(struct floor *f, const char *topic, const char *key, size_t bytes, int64_t due)
{
	struct eg_err err = {0};
	uint8_t value[EVENT_BYTES] = {0};
	struct eg_kafka_message m = {.topic = topic,
	                             .partition = EG_KAFKA_BY_KEY,
	                             .key = eg_bytes_of(key),
	                             .value = {value, bytes},
	                             .time_us = eg_now_us()};
	uint64_t state = (uint64_t)due;
	bench_fill(&state, value, bytes); /* or it would be compressed to nothing */
	memcpy(value, &due, sizeof due);
	must(eg_kafka_produce(f->k[f->turn], &m, &err), &err);
}

static void begin(struct floor *f)
{
	struct eg_err err = {0};
	must(eg_kafka_begin(f->k[f->turn], &err), &err);
}

static void commit(struct floor *f)
{
	struct eg_err err = {0};
	must(eg_kafka_flush(f->k[f->turn], &err), &err);
	must(eg_kafka_commit(f->k[f->turn], &err), &err);
	f->turn ^= 1;
}

/* A thread that waits for the messages, so that the commit's answer and their sight do not wait for each
 * other. */
static void see(void *arg)
{
	struct watch *w = arg;
	for (uint32_t i = 0; i < w->count + w->warm_up; i++) {
		int64_t now, due;
		rd_kafka_message_t *m = next(w, &now);
		if (m->len < sizeof due)
			bench_die("%s: a message that is not ours", w->topic);
		memcpy(&due, m->payload, sizeof due);
		if (i >= w->warm_up)
			w->latencies[i - w->warm_up] = now - due;
		w->first = i == w->warm_up ? now : w->first;
		w->last = now;
		rd_kafka_message_destroy(m);
	}
}

static struct eg_thread *start_seeing(struct watch *w)
{
	struct eg_thread *thread;
	struct eg_err err = {0};
	assign(w);
	must(eg_thread_start(&thread, "floor", see, w, &err), &err);
	puts("{\"ready\":true}");
	fflush(stdout);
	return thread;
}

static void marks(struct watch *w, const char *bootstrap, int replication, long pause_ms)
{
	struct floor f = {0};
	struct eg_kafka_topic topic = {
	        .name = w->topic, .partitions = 1, .replication = replication, .compacted = true};
	open_floor(&f, bootstrap, &topic, 1);
	w->warm_up = WARM_UP;
	struct eg_thread *thread = start_seeing(w);
	double cpu = bench_cpu_seconds();
	for (uint32_t i = 0; i < w->count + w->warm_up; i++) {
		int64_t now = eg_now_us();
		begin(&f);
		send_one(&f, w->topic, "relay", MARK_BYTES, now);
		commit(&f);
		bench_wait_until(eg_mono_us() + pause_ms * 1000);
	}
	eg_thread_join(thread);
	cpu = bench_cpu_seconds() - cpu;
	close_floor(&f);
	report("mark", w, cpu);
}

/* Events first to first + n of those that are due one after another from since on. */
static void one_bare(struct floor *f, const struct watch *w, uint32_t first, uint32_t n, int64_t since,
                     int64_t rate)
{
	begin(f);
	for (uint32_t i = first; i < first + n; i++) {
		uint64_t state = i;
		uint8_t person[16];
		char key[2 * sizeof person + 1];
		int64_t due = since + (int64_t)i * EG_SECOND / rate;
		bench_fill(&state, person, sizeof person);
		eg_hex(person, sizeof person, key);
		send_one(f, w->topic, key, EVENT_BYTES, due);
		if (*f->state)
			send_one(f, f->state, key, EVENT_BYTES, due);
	}
	send_one(f, f->mark, "relay", MARK_BYTES, since);
	commit(f);
}

static void bare(struct watch *w, const char *bootstrap, int replication, int partitions, bool states,
                 int64_t rate)
{
	struct floor f = {0};
	snprintf(f.mark, sizeof f.mark, "%.200s.mark", w->topic);
	if (states)
		snprintf(f.state, sizeof f.state, "%.200s.state", w->topic);
	const struct eg_kafka_topic topics[FLOOR_TOPICS] = {
	        {.name = w->topic, .partitions = partitions, .replication = replication},
	        {.name = f.mark, .partitions = 1, .replication = replication, .compacted = true},
	        {.name = f.state, .partitions = partitions, .replication = replication, .compacted = true}};
	open_floor(&f, bootstrap, topics, states ? FLOOR_TOPICS : FLOOR_TOPICS - 1);
	struct eg_thread *thread = start_seeing(w);
	double cpu = bench_cpu_seconds();
	int64_t since = eg_now_us(), began = eg_mono_us();
	for (uint32_t sent = 0; sent < w->count;) {
		bench_wait_until(began + (int64_t)sent * EG_SECOND / rate);
		int64_t due = (eg_mono_us() - began) * rate / EG_SECOND + 1 - sent;
		due = due < 1 ? 1 : due < BARE_MOST ? due : BARE_MOST;
		uint32_t n = (uint32_t)(due < w->count - sent ? due : w->count - sent);
		one_bare(&f, w, sent, n, since, rate);
		sent += n;
	}
	eg_thread_join(thread);
	cpu = bench_cpu_seconds() - cpu;
	close_floor(&f);
	report("bare", w, cpu);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *mode = bench_text("--mode", "watch"), *bootstrap = bench_text("--bootstrap", NULL);
	struct watch w = {.topic = bench_text("--topic", "elder.changes.v1")};
	const char *trace = bench_text("--trace", "");
	long pause_ms = bench_number("--pause-ms", 20), rate = bench_number("--rate", 100);
	int replication = (int)bench_number("--replication", 1),
	    partitions = (int)bench_number("--partitions", 4);
	bool states = bench_number("--states", 1) != 0;
	w.count = (uint32_t)bench_number("--count", 100);
	bench_args_end();
	if (w.count < 1 || pause_ms < 0 || rate < 1)
		bench_die("count and rate must be 1 or more");
	w.latencies = bench_alloc(w.count, sizeof *w.latencies);
	w.rk = consumer(bootstrap);
	if (strcmp(mode, "mark") == 0) {
		marks(&w, bootstrap, replication, pause_ms);
	} else if (strcmp(mode, "bare") == 0) {
		bare(&w, bootstrap, replication, partitions, states, rate);
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
