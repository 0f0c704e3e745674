/* bench_feed: subscribers of FeedService.Subscribe, and how soon each has what there is.
 *
 *   --mode snapshot  one subscriber takes every person, from nothing to the head
 *   --mode live      --streams subscribers, each on a connection of its own, wait at the head for --count
 * changes; each change is timed from the moment that its commit began, as its `time` says, until it is here
 *
 * --mode live prints {"ready":true} when every subscriber has reached the head. Times are of one machine's
 * clock. */
#include "base/thread.h"
#include "bench.h"
#include "cli/grpc_client.h"
#include "edge/wire_read.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS_MAX = 1000, SILENT_US = 120 * EG_SECOND };

#define SUBSCRIBE "/eldergate.v1.FeedService/Subscribe"

/* Field numbers of feed.proto and event.proto. */
enum {
	RESPONSE_ITEM = 1,
	ITEM_CHANGE = 1,
	ITEM_SNAPSHOT = 2,
	ITEM_PROGRESS = 3,
	CHANGE_TIME = 3,
	PROGRESS_LIVE = 3
};

struct subscriber {
	struct rpc_client *client;
	struct rpc_stream *call;
	struct eg_thread *thread;
	uint32_t persons, changes;
	size_t bytes;
	int64_t *latencies;
	bool live;
};

static struct {
	struct subscriber each[STREAMS_MAX];
	unsigned n;
	uint32_t count; /* changes that each waits for; 0: until it is at the head */
	pthread_barrier_t at_head;
} feed;

static int64_t instant(struct eg_bytes time)
{
	struct eg_wire_field f;
	int64_t us = 0;
	while (eg_wire_next(&time, &f) == EG_OK)
		us += f.number == 1 ? (int64_t)f.i * EG_SECOND : f.number == 2 ? (int64_t)f.i / 1000 : 0;
	return us;
}

static void read_change(struct subscriber *s, struct eg_bytes change, int64_t now)
{
	struct eg_wire_field f;
	if (s->changes == feed.count)
		return;
	while (eg_wire_next(&change, &f) == EG_OK) {
		if (f.number != CHANGE_TIME)
			continue;
		s->latencies[s->changes++] = now - instant(f.bytes);
		return;
	}
	bench_die("a change without its time");
}

static void read_item(struct subscriber *s, struct eg_bytes item, int64_t now)
{
	struct eg_wire_field f, inner;
	while (eg_wire_next(&item, &f) == EG_OK) {
		if (f.number == ITEM_CHANGE)
			read_change(s, f.bytes, now);
		s->persons += f.number == ITEM_SNAPSHOT;
		while (f.number == ITEM_PROGRESS && eg_wire_next(&f.bytes, &inner) == EG_OK)
			s->live |= inner.number == PROGRESS_LIVE && inner.i;
	}
}

static void follow(void *arg)
{
	struct subscriber *s = arg;
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	bool waited = feed.count == 0;
	while (!s->live || s->changes < feed.count) {
		enum rpc_received r = rpc_receive(s->call, SILENT_US, &message, &status);
		int64_t now = eg_now_us();
		if (r != RPC_MESSAGE)
			bench_die("the feed ended early: %d %s", status.code, status.text);
		struct eg_bytes rest = eg_buf_bytes(&message);
		struct eg_wire_field f;
		s->bytes += rest.len;
		while (eg_wire_next(&rest, &f) == EG_OK)
			if (f.number == RESPONSE_ITEM)
				read_item(s, f.bytes, now);
		if (s->live && !waited) {
			pthread_barrier_wait(&feed.at_head);
			waited = true;
		}
	}
	rpc_cancel(s->call);
	eg_buf_free(&message);
	rpc_status_free(&status);
}

static void subscribe(struct subscriber *s, const char *server, const char *purpose, bool snapshot)
{
	/* FeedStart{snapshot{}} or none; the purpose. */
	uint8_t request[64] = {0x0a, 0x02, 0x0a, 0x00};
	struct rpc_options o = {.server = server};
	struct eg_err err = {0};
	size_t at = snapshot ? 4 : 0, len = strlen(purpose);
	if (len > sizeof request - 6)
		bench_die("a purpose of more than %zu bytes", sizeof request - 6);
	request[at++] = 0x1a;
	request[at++] = (uint8_t)len;
	memcpy(request + at, purpose, len);
	if (rpc_open(&s->client, &o, &err) || rpc_stream_open(s->client, SUBSCRIBE, &s->call, &err))
		bench_die("%s", err.text);
	if (!rpc_send(s->call, (struct eg_bytes){request, at + len}) || !rpc_half_close(s->call))
		bench_die("the gateway took no subscription");
	s->latencies = bench_alloc(feed.count + 1, sizeof *s->latencies);
	if (eg_thread_start(&s->thread, "subscriber", follow, s, &err))
		bench_die("%s", err.text);
}

static void report(const char *mode, int64_t took_us, double cpu)
{
	size_t n = 0, bytes = 0;
	uint64_t persons = 0;
	int64_t *all = bench_alloc((size_t)feed.n * feed.count + 1, sizeof *all);
	for (unsigned i = 0; i < feed.n; i++) {
		const struct subscriber *s = &feed.each[i];
		memcpy(all + n, s->latencies, s->changes * sizeof *all);
		n += s->changes;
		persons += s->persons;
		bytes += s->bytes;
	}
	double seconds = (double)took_us / 1e6;
	printf("{\"bench\":\"feed\",\"mode\":\"%s\",\"subscribers\":%u,\"persons\":%llu,\"changes\":%zu,"
	       "\"bytes\":%zu,"
	       "\"seconds\":%.6f,\"rate\":%.1f,\"cpu_s\":%.3f,",
	       mode, feed.n, (unsigned long long)persons, n, bytes, seconds, (double)(persons + n) / seconds,
	       cpu);
	bench_print_percentiles(all, n);
	puts("}");
	free(all);
}

int main(int argc, char **argv)
{
	bench_args(argc, argv);
	const char *server = bench_text("--server", NULL), *mode = bench_text("--mode", "snapshot"),
	           *purpose = bench_text("--purpose", "bench");
	bool snapshot = strcmp(mode, "snapshot") == 0;
	long streams = bench_number("--streams", 1), count = bench_number("--count", 0);
	bench_args_end();
	if (streams < 1 || streams > STREAMS_MAX || count < 0 || snapshot != (count == 0))
		bench_die("streams: 1 to %d; count: of --mode live, 1 or more", STREAMS_MAX);
	feed.n = (unsigned)streams;
	feed.count = (uint32_t)count;
	if (pthread_barrier_init(&feed.at_head, NULL, feed.n + 1))
		bench_die("no barrier");
	int64_t began = eg_mono_us();
	for (unsigned i = 0; i < feed.n; i++)
		subscribe(&feed.each[i], server, purpose, snapshot);
	if (!snapshot) {
		pthread_barrier_wait(&feed.at_head);
		began = eg_mono_us();
		puts("{\"ready\":true}");
		fflush(stdout);
	}
	for (unsigned i = 0; i < feed.n; i++) {
		eg_thread_join(feed.each[i].thread);
	}
	report(mode, eg_mono_us() - began, bench_cpu_seconds());
	for (unsigned i = 0; i < feed.n; i++) {
		rpc_stream_close(feed.each[i].call);
		rpc_close(feed.each[i].client);
		free(feed.each[i].latencies);
	}
	pthread_barrier_destroy(&feed.at_head);
	return 0;
}
