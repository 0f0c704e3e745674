/* bench_load: sends records of generated persons through ExchangeService.Submit and times the receipts.
 *
 *   --mode throughput   every person once, in batches, as fast as the gateway takes them
 *   --mode open         batches at a fixed rate; a receipt's latency counts from the moment its batch was
 * due, so a stalled gateway cannot hide behind a sender that waited with it; SIGTERM ends it early, and well
 *
 * Everything is encoded and connected before the clock starts. --server is unix:PATH, or HOST:PORT with --ca,
 * --cert, --key. Each stream has a connection, a sending and a receiving thread of its own. */
#include "base/thread.h"
#include "bench.h"
#include "cli/grpc_client.h"
#include "edge/wire_read.h"
#include "people.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
	STREAMS_MAX = 64,
	OUTCOMES = 8,
	CONNECT_US = 30 * EG_SECOND,
	RECEIPT_US = 120 * EG_SECOND /* a gateway that is silent for so long is broken */
};

#define SUBMIT "/eldergate.v1.ExchangeService/Submit"
#define HEALTH "/grpc.health.v1.Health/Check"

struct batch {
	size_t at, len; /* in the stream's text */
	int64_t sent;   /* when it was due, or sent */
	int64_t latency;
};

struct stream {
	struct rpc_client *client;
	struct rpc_stream *call;
	struct eg_thread *sender, *receiver;
	struct eg_buf text; /* the encoded batches, one after another */
	struct batch *batches;
	uint32_t n;
	_Atomic uint32_t n_sent;
	unsigned index;
	uint64_t outcomes[OUTCOMES], last_seq;
	int64_t last; /* when the last receipt came */
};

static struct {
	struct stream stream[STREAMS_MAX];
	unsigned n_streams;
	long rate;      /* batches a second; 0: as fast as they are taken */
	int64_t begins; /* monotonic */
	pthread_barrier_t ready;
} load;

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static void wait_ready(void)
{
	pthread_barrier_wait(&load.ready);
	bench_wait_until(load.begins);
}

static void send_all(void *arg)
{
	struct stream *s = arg;
	wait_ready();
	for (uint32_t i = 0; i < s->n && !stopped; i++) {
		struct batch *b = &s->batches[i];
		if (load.rate) {
			b->sent = load.begins +
			          ((int64_t)i * load.n_streams + s->index) * EG_SECOND / load.rate;
			bench_wait_until(b->sent);
		} else {
			b->sent = eg_mono_us();
		}
		if (!rpc_send(s->call, (struct eg_bytes){s->text.p + b->at, b->len}))
			return; /* the receiver tells why */
		s->n_sent = i + 1;
	}
	rpc_half_close(s->call);
}

/* The fields of a receipt that count: the batch's number, a status, the outcomes. */
static void read_receipt(struct stream *s, struct eg_bytes receipt)
{
	struct eg_wire_field f, inner;
	uint32_t number = UINT32_MAX;
	int64_t now = eg_mono_us();
	while (eg_wire_next(&receipt, &f) == EG_OK) {
		if (f.number == 1) {
			char text[16] = "";
			memcpy(text, f.bytes.p, f.bytes.len < sizeof text ? f.bytes.len : sizeof text - 1);
			number = (uint32_t)strtoul(text + 1, NULL, 10);
		} else if (f.number == 2) {
			bench_die("the gateway refused a batch: %.*s", (int)f.bytes.len,
			          (const char *)f.bytes.p);
		} else if (f.number == 5) {
			s->last_seq = f.i > s->last_seq ? f.i : s->last_seq;
		} else if (f.number == 7) {
			uint64_t outcome = 0;
			while (eg_wire_next(&f.bytes, &inner) == EG_OK)
				outcome = inner.number == 2 ? inner.i : outcome;
			s->outcomes[outcome < OUTCOMES ? outcome : 0]++;
		}
	}
	if (number >= s->n || s->batches[number].latency)
		bench_die("a receipt of no batch that waits");
	s->batches[number].latency = now - s->batches[number].sent;
	s->last = now;
}

static void receive_all(void *arg)
{
	struct stream *s = arg;
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	struct eg_wire_field f;
	wait_ready();
	for (uint32_t got = 0;; got++) {
		enum rpc_received r = rpc_receive(s->call, RECEIPT_US, &message, &status);
		if (r == RPC_SILENT)
			bench_die("no receipt for %d s", (int)(RECEIPT_US / EG_SECOND));
		if (r == RPC_ENDED) {
			if (status.code || got != s->n_sent)
				bench_die("the stream ended after %u of %u receipts: %d %s", got,
				          (unsigned)s->n_sent, status.code, status.text);
			break;
		}
		struct eg_bytes rest = eg_buf_bytes(&message);
		while (eg_wire_next(&rest, &f) == EG_OK) {
			if (f.number == 1)
				read_receipt(s, f.bytes);
		}
	}
	eg_buf_free(&message);
	rpc_status_free(&status);
}

static void connect(struct stream *s, const struct rpc_options *o)
{
	struct eg_err err = {0};
	struct rpc_status status = {0};
	struct eg_buf answer = {0};
	if (rpc_open(&s->client, o, &err))
		bench_die("%s", err.text);
	if (!rpc_unary(s->client, HEALTH, (struct eg_bytes){0}, CONNECT_US, true, &answer, &status))
		bench_die("the gateway does not answer: %d %s", status.code, status.text);
	if (rpc_stream_open(s->client, SUBMIT, &s->call, &err) ||
	    eg_thread_start(&s->sender, "send", send_all, s, &err) ||
	    eg_thread_start(&s->receiver, "receive", receive_all, s, &err))
		bench_die("%s", err.text);
	eg_buf_free(&answer);
	rpc_status_free(&status);
}

/* Deals the batches out to the streams, in turn. */
static void encode(const char *dataset, const uint32_t *order, uint32_t n, uint32_t batch, int64_t version)
{
	uint32_t n_batches = (n + batch - 1) / batch;
	for (unsigned i = 0; i < load.n_streams; i++) {
		load.stream[i].index = i;
		load.stream[i].batches = bench_alloc(n_batches / load.n_streams + 1, sizeof(struct batch));
	}
	for (uint32_t i = 0; i < n_batches; i++) {
		struct stream *s = &load.stream[i % load.n_streams];
		struct batch *b = &s->batches[s->n];
		uint32_t first = i * batch, count = n - first < batch ? n - first : batch;
		char id[16];
		snprintf(id, sizeof id, "b%u", s->n++);
		b->at = s->text.len;
		people_batch(id, dataset, order + first, count, version, &s->text);
		b->len = s->text.len - b->at;
	}
}

static void report(double cpu)
{
	static const char *const names[OUTCOMES] = {"none",        "applied", "unchanged", "stale",
	                                            "quarantined", "refused", "answered",  "decided"};
	uint64_t outcomes[OUTCOMES] = {0}, sent = 0, last_seq = 0;
	size_t n_latencies = 0, bytes = 0;
	int64_t last = 0;
	for (unsigned i = 0; i < load.n_streams; i++)
		n_latencies += load.stream[i].n_sent;
	int64_t *latencies = bench_alloc(n_latencies, sizeof *latencies), *at = latencies;
	for (unsigned i = 0; i < load.n_streams; i++) {
		const struct stream *s = &load.stream[i];
		for (uint32_t k = 0; k < s->n_sent; k++)
			*at++ = s->batches[k].latency;
		for (unsigned k = 0; k < OUTCOMES; k++) {
			outcomes[k] += s->outcomes[k];
			sent += s->outcomes[k];
		}
		last = s->last > last ? s->last : last;
		last_seq = s->last_seq > last_seq ? s->last_seq : last_seq;
		bytes += s->text.len;
	}
	double seconds = (double)(last - load.begins) / 1e6;
	printf("{\"bench\":\"load\",\"records\":%llu,\"batches\":%zu,\"seconds\":%.6f,\"rate\":%.1f,"
	       "\"bytes\":%"
	       "zu,"
	       "\"cpu_s\":%.3f,\"last_seq\":%llu,",
	       (unsigned long long)sent, n_latencies, seconds, (double)sent / seconds, bytes, cpu,
	       (unsigned long long)last_seq);
	for (unsigned k = 0; k < OUTCOMES; k++)
		printf("\"%s\":%llu,", names[k], (unsigned long long)outcomes[k]);
	bench_print_percentiles(latencies, n_latencies);
	puts("}");
	free(latencies);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	struct rpc_options o = {.server = bench_text("--server", NULL)};
	const char *mode = bench_text("--mode", "throughput"),
	           *dataset = bench_text("--dataset", "registration");
	const char *ca = bench_text("--ca", ""), *certificate = bench_text("--cert", ""),
	           *key = bench_text("--key", "");
	uint32_t persons = (uint32_t)bench_number("--persons", 100000),
	         first = (uint32_t)bench_number("--first", 0);
	uint32_t batch = (uint32_t)bench_number("--batch", 256);
	int64_t version = bench_number("--version", 1);
	uint64_t seed = (uint64_t)bench_number("--seed", 1);
	load.n_streams = (unsigned)bench_number("--streams", 4);
	load.rate = bench_number("--rate", 1000);
	bench_args_end();
	if (load.n_streams < 1 || load.n_streams > STREAMS_MAX || persons < 1 || batch < 1 || load.rate < 1)
		bench_die("streams, persons, batch and rate must be 1 or more, streams at most %d",
		          STREAMS_MAX);
	if (strcmp(mode, "open") != 0)
		load.rate = 0;
	if (*ca) {
		o.ca = ca;
		o.certificate = certificate;
		o.key = key;
	}
	uint32_t *order = bench_order(persons, seed);
	for (uint32_t i = 0; i < persons; i++)
		order[i] += first;
	encode(dataset, order, persons, batch, version);
	free(order);
	if (pthread_barrier_init(&load.ready, NULL, load.n_streams * 2 + 1) != 0)
		bench_die("no barrier");
	for (unsigned i = 0; i < load.n_streams; i++)
		connect(&load.stream[i], &o);
	sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
	puts("{\"ready\":true}");
	fflush(stdout);
	double cpu = bench_cpu_seconds();
	load.begins = eg_mono_us() + 10000; /* every thread is there by then */
	pthread_barrier_wait(&load.ready);
	for (unsigned i = 0; i < load.n_streams; i++) {
		struct stream *s = &load.stream[i];
		eg_thread_join(s->sender);
		eg_thread_join(s->receiver);
		rpc_stream_close(s->call);
		rpc_close(s->client);
	}
	report(bench_cpu_seconds() - cpu);
	for (unsigned i = 0; i < load.n_streams; i++) {
		eg_buf_free(&load.stream[i].text);
		free(load.stream[i].batches);
	}
	pthread_barrier_destroy(&load.ready);
	return 0;
}
