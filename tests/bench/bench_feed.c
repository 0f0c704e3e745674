/* bench_feed: subscribers of FeedService.Subscribe, and how soon each has what there is.
 *
 *   --mode snapshot  one subscriber takes every person, from nothing to the head
 *   --mode live      --streams subscribers, each on a connection of its own, wait at the head for --count
 * changes; each change is timed from the moment that its commit began, as its `time` says, until it is here.
 * --own-filters 1: each has another filter, that lets the same pass, so that no window is due to two
 *
 * --mode live prints {"ready":true} when every subscriber has reached the head. Times are of one machine's
 * clock. Each subscriber's changes have to come in the order of the log. */
#include "base/clock.h"
#include "bench.h"
#include "edge/wire_read.h"
#include "streams.h"

#include <stdlib.h>
#include <string.h>

enum { STREAMS_MAX = 1000, CONDITIONS_MAX = 100, PURPOSE_MAX = 100, ALIVE = 1, SILENT_US = 120 * EG_SECOND };

#define SUBSCRIBE "/eldergate.v1.FeedService/Subscribe"

/* Field numbers of feed.proto and event.proto. */
enum {
	RESPONSE_ITEM = 1,
	ITEM_CHANGE = 1,
	ITEM_SNAPSHOT = 2,
	ITEM_PROGRESS = 3,
	CHANGE_SEQ = 2,
	CHANGE_TIME = 3,
	PROGRESS_LIVE = 3
};

struct subscriber {
	uint32_t persons, changes, messages;
	uint64_t seq; /* of its last change */
	size_t bytes;
	int64_t *latencies;
	bool live;
};

static struct {
	struct subscriber each[STREAMS_MAX];
	unsigned n, live, done;
	uint32_t count; /* changes that each waits for; 0: until it is at the head */
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
		if (f.number == CHANGE_SEQ) {
			if (f.i <= s->seq)
				bench_die("a change came out of order");
			s->seq = f.i;
		}
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

static void read_message(struct subscriber *s, struct eg_bytes rest)
{
	struct eg_wire_field f;
	int64_t now = eg_now_us();
	s->messages++;
	s->bytes += rest.len;
	while (eg_wire_next(&rest, &f) == EG_OK)
		if (f.number == RESPONSE_ITEM)
			read_item(s, f.bytes, now);
}

/* Until all are at the head and have what they wait for. *began: when the last one was at the head. */
static void follow(struct streams *all, int64_t *began)
{
	struct eg_buf message = {0};
	while (feed.done < feed.n) {
		unsigned i = streams_next(all, SILENT_US, &message);
		struct subscriber *s = &feed.each[i];
		bool was = s->live;
		read_message(s, eg_buf_bytes(&message));
		if (s->live && !was && ++feed.live == feed.n && feed.count) {
			*began = eg_mono_us();
			puts("{\"ready\":true}");
			fflush(stdout);
		}
		if (s->live && s->changes == feed.count) {
			streams_end(all, i);
			feed.done++;
		}
	}
	eg_buf_free(&message);
}

/* SubscribeRequest: FeedStart{snapshot{}} or none; a filter that lets everybody pass who is alive, and says
 * so `conditions` times; the purpose. */
static struct eg_bytes request_of(const char *purpose, bool snapshot, unsigned conditions)
{
	struct eg_buf b = {0};
	if (snapshot)
		eg_buf_add(&b, "\x0a\x02\x0a\x00", 4);
	if (conditions) {
		uint8_t head[] = {0x12, (uint8_t)(conditions + 2), 0x0a, (uint8_t)conditions};
		eg_buf_add(&b, head, sizeof head);
		for (unsigned i = 0; i < conditions; i++)
			eg_buf_add_u8(&b, ALIVE);
	}
	eg_buf_add_u8(&b, 0x1a);
	eg_buf_add_u8(&b, (uint8_t)strlen(purpose));
	eg_buf_add(&b, purpose, strlen(purpose));
	if (b.failed)
		bench_die("no memory for a request");
	return eg_buf_bytes(&b);
}

static struct streams *subscribe(const char *server, const char *purpose, bool snapshot, bool own_filters)
{
	struct eg_bytes *requests = bench_alloc(feed.n, sizeof *requests);
	for (unsigned i = 0; i < feed.n; i++)
		requests[i] = request_of(purpose, snapshot, own_filters ? i + 1 : 0);
	struct streams *s = streams_open(server, SUBSCRIBE, requests, feed.n);
	for (unsigned i = 0; i < feed.n; i++)
		free((void *)(uintptr_t)requests[i].p);
	free(requests);
	return s;
}

static void report(const char *mode, int64_t took_us, double cpu)
{
	size_t n = 0, bytes = 0;
	uint64_t persons = 0, messages = 0;
	int64_t *all = bench_alloc((size_t)feed.n * feed.count + 1, sizeof *all);
	for (unsigned i = 0; i < feed.n; i++) {
		const struct subscriber *s = &feed.each[i];
		memcpy(all + n, s->latencies, s->changes * sizeof *all);
		n += s->changes;
		persons += s->persons;
		messages += s->messages;
		bytes += s->bytes;
	}
	double seconds = (double)took_us / 1e6;
	printf("{\"bench\":\"feed\",\"mode\":\"%s\",\"subscribers\":%u,\"persons\":%llu,\"changes\":%zu,"
	       "\"messages\":%llu,\"bytes\":%zu,"
	       "\"seconds\":%.6f,\"rate\":%.1f,\"cpu_s\":%.3f,",
	       mode, feed.n, (unsigned long long)persons, n, (unsigned long long)messages, bytes, seconds,
	       (double)(persons + n) / seconds, cpu);
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
	long streams = bench_number("--streams", 1), count = bench_number("--count", 0),
	     own_filters = bench_number("--own-filters", 0);
	bench_args_end();
	if (streams < 1 || streams > STREAMS_MAX || count < 0 || snapshot != (count == 0))
		bench_die("streams: 1 to %d; count: of --mode live, 1 or more", STREAMS_MAX);
	if (strlen(purpose) > PURPOSE_MAX || (own_filters && streams > CONDITIONS_MAX))
		bench_die("a purpose has at most %d bytes, and at most %d streams have filters of their own",
		          PURPOSE_MAX, CONDITIONS_MAX);
	feed.n = (unsigned)streams;
	feed.count = (uint32_t)count;
	for (unsigned i = 0; i < feed.n; i++)
		feed.each[i].latencies = bench_alloc(feed.count + 1, sizeof *feed.each[i].latencies);
	int64_t began = eg_mono_us();
	struct streams *all = subscribe(server, purpose, snapshot, own_filters != 0);
	follow(all, &began);
	report(mode, eg_mono_us() - began, bench_cpu_seconds());
	streams_close(all);
	for (unsigned i = 0; i < feed.n; i++)
		free(feed.each[i].latencies);
	return 0;
}
