/* relay_limbo: see relay_limbo.h. */
#include "flow/relay_limbo.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/wake.h"

#include <stdlib.h>
#include <string.h>

enum {
	SETTLE_US =
	        5000000, /* for markers under way; less than the transaction that waits for them may last */
	LOOK_MIN_US = 2000,
	LOOK_MAX_US = 200000
};

/* Between two looks: 2 ms at first, as a marker comes soon or late. */
struct looks {
	struct eg_wake *never;
	int64_t deadline, pause;
};

static struct looks looks_begin(void)
{
	return (struct looks){eg_wake_new(), eg_mono_us() + SETTLE_US, LOOK_MIN_US};
}

static bool look_again(struct looks *l)
{
	int64_t now = eg_mono_us();
	if (!l->never || now >= l->deadline)
		return false;
	eg_wake_wait(l->never, 0, now + l->pause < l->deadline ? now + l->pause : l->deadline);
	l->pause = 2 * l->pause < LOOK_MAX_US ? 2 * l->pause : LOOK_MAX_US;
	return true;
}

static void swap(struct eg_kafka_place *a, struct eg_kafka_place *b)
{
	struct eg_kafka_place was = *a;
	*a = *b;
	*b = was;
}

/* Puts the partitions in limbo to the front of both lists; *limbo: how many. */
static enum eg_rc look(struct eg_kafka_reader *committed, struct eg_kafka_reader *all,
                       struct eg_kafka_place *places, struct eg_kafka_place *whole, unsigned n,
                       unsigned *limbo, struct eg_err *err)
{
	*limbo = 0;
	memcpy(whole, places, n * sizeof *whole);
	enum eg_rc rc = eg_kafka_ends(all, whole, n, err);
	if (!rc)
		rc = eg_kafka_ends(committed, places, n, err);
	for (unsigned i = 0; i < n && !rc; i++)
		if (places[i].offset < whole[i].offset) {
			swap(&places[i], &places[*limbo]);
			swap(&whole[i], &whole[*limbo]);
			++*limbo;
		}
	return rc;
}

static enum eg_rc wait_for_markers(struct eg_kafka_reader *committed, struct eg_kafka_reader *all,
                                   struct eg_kafka_place *places, struct eg_kafka_place *whole, unsigned n,
                                   unsigned *limbo, struct eg_err *err)
{
	struct looks l = looks_begin();
	enum eg_rc rc = EG_OK;
	do
		rc = look(committed, all, places, whole, n, limbo, err);
	while (!rc && *limbo && look_again(&l));
	eg_wake_free(l.never);
	return rc;
}

/* An aborted transaction with a message in each of the partitions: its markers settle whatever this producer
 * had left there. read_committed readers see nothing of it. */
static enum eg_rc abort_in(struct eg_kafka *k, const struct eg_kafka_place *places, unsigned n,
                           struct eg_err *err)
{
	enum eg_rc rc = eg_kafka_begin(k, err);
	for (unsigned i = 0; i < n && !rc; i++) {
		/* A key, since compacted topics want one; an empty value is no tombstone. */
		const struct eg_kafka_message m = {.topic = places[i].topic,
		                                   .partition = places[i].partition,
		                                   .key = eg_bytes_of("unsettled"),
		                                   .value = eg_bytes_of(""),
		                                   .time_us = eg_now_us()};
		rc = eg_kafka_produce(k, &m, err);
	}
	if (!rc)
		rc = eg_kafka_flush(k, err);
	return rc ? rc : eg_kafka_abort(k, err);
}

enum eg_rc eg_relay_settle(struct eg_kafka *const producers[2], struct eg_kafka_reader *committed,
                           struct eg_kafka_reader *all, struct eg_kafka_place *places, unsigned n,
                           struct eg_err *err)
{
	struct eg_kafka_place *whole = calloc(n ? n : 1, sizeof *whole);
	unsigned limbo = 0;
	if (!whole)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the topics' partitions");
	enum eg_rc rc = wait_for_markers(committed, all, places, whole, n, &limbo, err);
	if (rc || !limbo)
		goto out;
	int64_t records = 0;
	for (unsigned i = 0; i < limbo; i++)
		records += whole[i].offset - places[i].offset;
	eg_log(EG_LOG_WARN, "relay.unsettled", EG_I("partitions", limbo), EG_I("messages", records));
	eg_metric_add(EG_M_RELAY_UNSETTLED, NULL, limbo);
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = abort_in(producers[i], places, limbo, err);
	if (!rc)
		rc = wait_for_markers(committed, all, places, whole, n, &limbo, err);
	if (!rc && limbo)
		rc = eg_fail(err, EG_UNAVAILABLE,
		             "kafka: transactions in %u partitions stay open, %s partition %d among them",
		             limbo, places[0].topic, places[0].partition);
out:
	free(whole);
	return rc;
}

enum eg_rc eg_relay_await_settled(struct eg_kafka_reader *committed, const struct eg_kafka_place *places,
                                  struct eg_kafka_place *scratch, unsigned n, struct eg_err *err)
{
	struct looks l = {0};
	enum eg_rc rc = EG_OK;
	for (;;) {
		unsigned asked = 0, open = 0;
		for (unsigned i = 0; i < n; i++)
			if (places[i].offset >= 0)
				scratch[asked++] = places[i];
		rc = eg_kafka_ends(committed, scratch, asked, err);
		for (unsigned i = 0, s = 0; i < n && !rc; i++)
			if (places[i].offset >= 0)
				open += scratch[s++].offset <= places[i].offset;
		if (rc || !open)
			break;
		if (!l.never)
			l = looks_begin();
		if (!look_again(&l)) {
			rc = eg_fail(err, EG_UNAVAILABLE,
			             "kafka: the last transaction is not settled in %u partitions", open);
			break;
		}
	}
	eg_wake_free(l.never);
	return rc;
}
