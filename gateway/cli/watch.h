/* watch: a subscriber as the demo's story needs one: it upserts what it hears, and remembers every event.
 *
 * It follows the protocol's advice and nothing else: a version that is not greater than the one held is old
 * news. Besides it counts what must not happen: a version that skips, or one that comes with two events.
 * Thread: its own receives; every function here may be called from any. */
#ifndef EG_CLI_WATCH_H
#define EG_CLI_WATCH_H

#include "cli/grpc_client.h"
#include "eldergate/v1/event.pb-c.h"

enum { WATCH_REF = 33, WATCH_LIVES = 6 };

struct watch_event {
	uint64_t seq, corrects;
	Eldergate__V1__ChangeKind kind;
	char person[WATCH_REF];
	int64_t version, heard; /* monotonic: when it arrived */
	Eldergate__V1__LifeStatus before, after;
};

struct watch_counts {
	uint64_t events;   /* different ones */
	uint64_t repeated; /* heard again after a connection broke */
	uint64_t
	        skipped; /* events whose version is not the one after the last: 0 unless something was lost */
	uint64_t persons; /* who are not merged into others */
	uint64_t life[WATCH_LIVES];
	uint64_t cursor; /* everything up to this entry was told */
	unsigned connections;
};

struct watch;
enum eg_rc watch_start(struct watch **out, struct rpc_client *client, const char *purpose,
                       struct eg_err *err);
void watch_stop(struct watch *w); /* NULL is fine */
/* Waits until everything up to this entry was told. */
enum eg_rc watch_until(struct watch *w, uint64_t seq, int64_t timeout_us, struct eg_err *err);
/* Waits for the first event after an entry that is one of these. */
typedef bool watch_is(const void *arg, const struct watch_event *e);
enum eg_rc watch_event(struct watch *w, uint64_t after, watch_is *is, const void *arg, int64_t timeout_us,
                       struct watch_event *out, struct eg_err *err);
/* How many events after an entry are of these. */
uint64_t watch_number(struct watch *w, uint64_t after, watch_is *is, const void *arg);
void watch_counts(struct watch *w, struct watch_counts *out);
/* Is there an event with this entry's number? */
bool watch_has(struct watch *w, uint64_t seq);

#endif
