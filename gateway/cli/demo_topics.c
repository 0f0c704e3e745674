/* demo_topics: Kafka's topic held against what the subscriber heard. */
#include "cli/demo.h"

#include "flow/kafka.h"

#include <inttypes.h>
#include <stdlib.h>

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

struct topic {
	uint64_t *seqs;
	size_t n, room;
};

static enum eg_rc take_message(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	struct topic *t = arg;
	Eldergate__V1__ChangeEvent *e = eldergate__v1__change_event__unpack(NULL, m->value.len, m->value.p);
	enum eg_rc rc = EG_OK;
	if (!e || !eg_bytes_equal(m->key, eg_bytes_of(e->person_ref))) {
		rc = demo_wrong(err,
		                "a message of the topic is no event, or has another key than its person");
	} else if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 4096;
		uint64_t *bigger = realloc(t->seqs, room * sizeof *bigger);
		if (bigger) {
			t->seqs = bigger;
			t->room = room;
		} else {
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for the topic");
		}
	}
	if (!rc)
		t->seqs[t->n++] = e->seq;
	eldergate__v1__change_event__free_unpacked(e, NULL);
	return rc;
}

enum eg_rc demo_topics(struct demo *d, struct eg_err *err)
{
	struct eg_kafka_options o = {.bootstrap = d->broker};
	struct watch_counts c = {0};
	struct topic t = {0};
	uint64_t different = 0, both = 0;
	int64_t deadline = eg_mono_us() + DEMO_PATIENCE;
	struct eg_kafka_reader *reader = NULL;
	enum eg_rc rc = eg_kafka_reader_open(&reader, &o, true, err);
	if (rc)
		return rc;
	/* The relay follows by itself; each reading waits for the topic's end as it is then. */
	do {
		t.n = different = both = 0;
		rc = eg_kafka_read(reader, "elder.changes.v1", take_message, &t, err);
		watch_counts(d->watch, &c);
		if (!rc && t.n)
			qsort(t.seqs, t.n, sizeof *t.seqs, by_value);
		for (size_t i = 0; i < t.n && !rc; i++) {
			if (i && t.seqs[i] == t.seqs[i - 1])
				continue;
			different++;
			both += watch_has(d->watch, t.seqs[i]);
		}
	} while (!rc && (different != c.events || both != different) && eg_mono_us() < deadline);
	eg_kafka_reader_close(reader);
	free(t.seqs);
	if (rc)
		return rc;
	demo_say("elder.changes.v1 holds %" PRIu64 " events, the subscriber has heard %" PRIu64
	         ": the same %" PRIu64 " entries of the log.",
	         different, c.events, both);
	demo_say("(The broker is the development one: it keeps nothing, and its transactions are cosmetic; "
	         "%" PRIu64 " messages came twice around the kill.)",
	         t.n - different);
	if (different != c.events || both != different)
		return demo_wrong(err, "Kafka and the subscriber should have the same events");
	return EG_OK;
}
