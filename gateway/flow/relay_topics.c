/* relay_topics: see relay_topics.h.
 *
 * Partitions are named here, not by librdkafka's partitioner: what a partition holds must be judged by the
 * same rule that puts it there. When a topic has got more partitions, events that may have been published
 * under the old number go by that one still; then a mark with the new number is committed by itself. */
#include "flow/relay_topics.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/metric.h"
#include "flow/kafka.h"
#include "flow/relay_limbo.h"
#include "flow/relay_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NAME_BYTES = 160,
	MARKS = EG_RELAY_TOPICS, /* the third topic */
	TOPICS,
	TAIL_MIN = 64, /* offsets from a partition's end that are read for its newest message, at first */
	TAIL_GROWTH = 8,
	ID_HEX = 32 /* of a log id, in ce_id */
};

static const char mark_key[] = "relay";

struct eg_relay_topics {
	const struct eg_relay_options *o;
	struct eg_relay_around around;
	const uint8_t *log_id;
	char names[TOPICS][NAME_BYTES], ids[2][NAME_BYTES];
	struct eg_kafka *producers[2];
	unsigned turn;
	struct eg_kafka_reader *committed;
	unsigned first[TOPICS], n[TOPICS]; /* slots of a topic: one for each partition that it has */
	unsigned n_slots;
	/* By slot; offset: of the newest message that this and the last transaction sent there, or -1. */
	struct eg_kafka_place *now, *last, *scratch;
	uint64_t *seqs; /* by slot: of the newest entry that this transaction sent there; 0: none */
	struct eg_relay_mark mark;
	uint64_t spread_at; /* behind this seq nothing was published under another number of partitions */
};

/* ---- messages ---- */

static enum eg_rc produce_event(struct eg_relay_topics *t, const struct eg_event *e, unsigned topic,
                                struct eg_buf *value, unsigned *sent, struct eg_err *err)
{
	bool state = topic == EG_RELAY_STATE;
	char key[33], id[64], time[32], sequence[24], type[64], log_id[ID_HEX + 1];
	eg_hex(e->person_ref, sizeof e->person_ref, key);
	unsigned partition = eg_kafka_partition_of(eg_bytes_of(key), t->mark.topics[topic].n);
	if (eg_relay_mark_holds(&t->mark, topic, partition, e->seq))
		return EG_OK;
	eg_hex(e->log_id, sizeof e->log_id, log_id);
	snprintf(id, sizeof id, "%s-%" PRIu64, log_id, e->seq);
	snprintf(sequence, sizeof sequence, "%020" PRIu64, e->seq);
	snprintf(type, sizeof type, "eldergate.v1.%s", state ? "state" : eg_event_kind_name(e->kind));
	for (char *c = type; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
	eg_instant_format(e->time, time);
	const struct eg_kafka_header headers[] = {
	        {"ce_specversion", eg_bytes_of("1.0")},
	        {"ce_id", eg_bytes_of(id)},
	        {"ce_type", eg_bytes_of(type)},
	        {"ce_source", eg_bytes_of(t->o->source_uri)},
	        {"ce_subject", eg_bytes_of(key)},
	        {"ce_time", eg_bytes_of(time)},
	        {"ce_dataschema", eg_bytes_of(state ? "urn:eldergate:proto:eldergate.v1.PersonState"
	                                            : "urn:eldergate:proto:eldergate.v1.ChangeEvent")},
	        {"ce_sequence", eg_bytes_of(sequence)},
	        {"content-type", eg_bytes_of("application/protobuf")},
	        {"traceparent", e->traceparent},
	};
	eg_buf_reset(value);
	enum eg_rc rc = (state ? t->o->encode_state : t->o->encode_event)(e, value, err);
	if (rc)
		return rc;
	unsigned slot = t->first[topic] + partition;
	const struct eg_kafka_message m = {
	        .topic = t->names[topic],
	        .partition = (int)partition,
	        .key = eg_bytes_of(key),
	        .value = eg_buf_bytes(value),
	        .time_us = eg_now_us(), /* not the entry's: retention must not take a backlog at once */
	        .n_headers = (unsigned)(sizeof headers / sizeof *headers) - (e->traceparent.len ? 0 : 1),
	        .headers = headers,
	        .offset = &t->now[slot].offset,
	};
	if (e->seq > t->seqs[slot])
		t->seqs[slot] = e->seq;
	++*sent;
	return eg_kafka_produce(t->producers[t->turn], &m, err);
}

static enum eg_rc produce_mark(struct eg_relay_topics *t, struct eg_err *err)
{
	struct eg_buf value = {0};
	struct eg_relay_mark mark = t->mark;
	mark.has_leaf = mark.seq != 0;
	enum eg_rc rc = mark.has_leaf ? t->around.leaf(t->around.arg, mark.seq, mark.leaf, err) : EG_OK;
	if (rc)
		return rc;
	if (eg_unsafe("relay_mark_ahead")) {
		mark.seq += 3;
		mark.has_leaf = false;
	}
	eg_relay_mark_write(&mark, t->log_id, &value);
	unsigned partition = eg_kafka_partition_of(eg_bytes_of(mark_key), t->n[MARKS]);
	const struct eg_kafka_message m = {.topic = t->names[MARKS],
	                                   .partition = (int)partition,
	                                   .key = eg_bytes_of(mark_key),
	                                   .value = eg_buf_bytes(&value),
	                                   .time_us = eg_now_us(),
	                                   .offset = &t->now[t->first[MARKS] + partition].offset};
	rc = value.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a mark")
	                  : eg_kafka_produce(t->producers[t->turn], &m, err);
	eg_buf_free(&value);
	return rc;
}

/* ---- a transaction ---- */

/* The mark as it stands once this transaction is committed. If it is not, the session ends. */
static enum eg_rc move_mark(struct eg_relay_topics *t, uint64_t seq, struct eg_err *err)
{
	t->mark.before = t->mark.seq;
	t->mark.seq = seq;
	for (unsigned topic = 0; topic < EG_RELAY_TOPICS; topic++)
		for (unsigned p = 0; p < t->mark.topics[topic].n; p++) {
			unsigned slot = t->first[topic] + p;
			if (!t->seqs[slot])
				continue;
			if (t->now[slot].offset < 0) /* an answer to a resend: when in doubt, begin anew */
				return eg_fail(err, EG_UNAVAILABLE, "kafka: %s: no offset of a message",
				               t->names[topic]);
			t->mark.topics[topic].at[p] =
			        (struct eg_relay_place){t->seqs[slot], t->now[slot].offset};
		}
	return EG_OK;
}

/* Events first, then, once their reports are good, the mark: a broker whose transactions are cosmetic repeats
 * after a crash, but never loses. */
static enum eg_rc transact(struct eg_relay_topics *t, const struct eg_relay_outgoing *events, unsigned n,
                           uint64_t seq, unsigned *sent, struct eg_err *err)
{
	struct eg_kafka *k = t->producers[t->turn];
	struct eg_buf value = {0};
	unsigned states = 0;
	for (unsigned i = 0; i < t->n_slots; i++)
		t->now[i].offset = -1;
	memset(t->seqs, 0, t->n_slots * sizeof *t->seqs);
	enum eg_rc rc = eg_kafka_begin(k, err);
	eg_kill_point("relay.begin");
	for (unsigned i = 0; i < n && !rc; i++) {
		const struct eg_relay_outgoing *o = &events[i];
		if (eg_unsafe("relay_skip") && i == n / 2)
			continue;
		if (eg_unsafe("relay_reorder"))
			o = &events[n - 1 - i];
		rc = produce_event(t, &o->event, EG_RELAY_CHANGES, &value, sent, err);
		if (!rc && eg_unsafe("relay_duplicate") && i == 0)
			rc = produce_event(t, &o->event, EG_RELAY_CHANGES, &value, sent, err);
		if (!rc && o->state)
			rc = produce_event(t, o->state, EG_RELAY_STATE, &value, &states, err);
		if (i == n / 2)
			eg_kill_point("relay.mid_produce");
	}
	eg_buf_free(&value);
	if (!rc)
		rc = eg_kafka_flush(k, err);
	if (!rc)
		rc = move_mark(t, seq, err);
	if (!rc)
		rc = produce_mark(t, err);
	/* By now the last transaction's markers are there, as a rule; and the mark waits for its partition to
	 * be made part of this one, so that the look costs no time of its own. */
	if (!rc)
		rc = eg_relay_await_settled(t->committed, t->last, t->scratch, t->n_slots, err);
	if (!rc)
		rc = eg_kafka_flush(k, err);
	eg_kill_point("relay.before_commit");
	if (!rc)
		rc = eg_kafka_commit(k, err);
	if (rc)
		return rc;
	eg_kill_point("relay.between_producers");
	struct eg_kafka_place *last = t->last;
	t->last = t->now;
	t->now = last;
	t->turn ^= 1;
	return EG_OK;
}

static enum eg_rc spread(struct eg_relay_topics *t, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned topic = 0; topic < EG_RELAY_TOPICS && !rc; topic++)
		rc = eg_relay_mark_spread(&t->mark, topic, t->n[topic], err);
	return rc;
}

static bool is_spread(const struct eg_relay_topics *t)
{
	bool all = true;
	for (unsigned topic = 0; topic < EG_RELAY_TOPICS; topic++)
		all &= t->mark.topics[topic].n == t->n[topic];
	return all;
}

enum eg_rc eg_relay_topics_publish(struct eg_relay_topics *t, const struct eg_relay_outgoing *events,
                                   unsigned n, uint64_t seq, unsigned *sent, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	*sent = 0;
	if (!is_spread(t) && t->mark.seq >= t->spread_at) {
		rc = spread(t, err);
		if (!rc && n)
			rc = transact(t, NULL, 0, t->mark.seq, sent, err);
	}
	return rc ? rc : transact(t, events, n, seq, sent, err);
}

/* ---- what the partitions hold ---- */

struct tail { /* of a partition, read from ever further back until there is a message */
	struct eg_relay_shown shown;
	int64_t from, end;
};

struct search {
	const struct eg_relay_topics *t;
	struct tail *tails;
	const unsigned *slots; /* of the places read now */
};

static enum eg_rc take_newest(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	const struct search *s = arg;
	struct eg_bytes id = eg_kafka_found_header(m, "ce_id");
	char log_id[ID_HEX + 1];
	uint64_t seq = 0;
	eg_hex(s->t->log_id, ID_HEX / 2, log_id);
	bool ours = id.len > ID_HEX + 1 && memcmp(id.p, log_id, ID_HEX) == 0 && id.p[ID_HEX] == '-';
	for (size_t i = ID_HEX + 1; i < id.len && ours; i++) {
		ours = id.p[i] >= '0' && id.p[i] <= '9' && seq < UINT64_MAX / 100;
		seq = seq * 10 + (uint64_t)(id.p[i] - '0');
	}
	if (!ours)
		return eg_fail(err, EG_PRECONDITION,
		               "%s or %s has messages that are not of this gateway's log" EG_RELAY_WAY_OUT,
		               s->t->names[EG_RELAY_CHANGES], s->t->names[EG_RELAY_STATE]);
	s->tails[s->slots[m->place]].shown.newest = (struct eg_relay_place){seq, m->offset};
	return EG_OK;
}

/* Reads each tail that has shown nothing yet from further back; *n: how many of them there were. */
static enum eg_rc read_tails(struct eg_relay_topics *t, struct tail *tails, unsigned n_tails, int64_t step,
                             unsigned *n, struct eg_err *err)
{
	unsigned *slots = calloc(n_tails ? n_tails : 1, sizeof *slots);
	struct search s = {t, tails, slots};
	*n = 0;
	if (!slots)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read the topics' ends");
	for (unsigned i = 0; i < n_tails; i++) {
		struct tail *tail = &tails[i];
		if (tail->shown.newest.seq || tail->from <= tail->shown.low)
			continue;
		tail->from = tail->end - tail->shown.low > step ? tail->end - step : tail->shown.low;
		t->scratch[*n] = t->now[i];
		t->scratch[*n].offset = tail->from;
		slots[(*n)++] = i;
	}
	enum eg_rc rc = eg_kafka_scan(t->committed, t->scratch, *n, take_newest, &s, err);
	free(slots);
	return rc;
}

static enum eg_rc find_newest(struct eg_relay_topics *t, struct tail *tails, unsigned n_tails,
                              struct eg_err *err)
{
	unsigned n = 1;
	memcpy(t->scratch, t->now, n_tails * sizeof *t->scratch);
	enum eg_rc rc = eg_kafka_begins(t->committed, t->scratch, n_tails, err);
	for (unsigned i = 0; i < n_tails && !rc; i++)
		tails[i].shown.low = t->scratch[i].offset;
	if (!rc)
		rc = eg_kafka_ends(t->committed, t->scratch, n_tails, err);
	for (unsigned i = 0; i < n_tails && !rc; i++)
		tails[i].from = tails[i].end = t->scratch[i].offset;
	for (int64_t step = TAIL_MIN; n && !rc; step *= TAIL_GROWTH)
		rc = read_tails(t, tails, n_tails, step, &n, err);
	return rc;
}

/* Judges the mark by what the partitions hold. */
static enum eg_rc compare(struct eg_relay_topics *t, struct eg_err *err)
{
	unsigned n_tails = t->first[MARKS];
	struct tail *tails = calloc(n_tails ? n_tails : 1, sizeof *tails);
	struct eg_relay_shown *shown = calloc(n_tails ? n_tails : 1, sizeof *shown);
	enum eg_rc rc = tails && shown ? find_newest(t, tails, n_tails, err)
	                               : eg_fail(err, EG_NO_MEMORY, "no memory for the topics' partitions");
	t->spread_at = t->mark.seq;
	for (unsigned topic = 0; topic < EG_RELAY_TOPICS && !rc; topic++) {
		for (unsigned p = 0; p < t->n[topic]; p++) {
			shown[p] = tails[t->first[topic] + p].shown;
			if (shown[p].newest.seq > t->spread_at)
				t->spread_at = shown[p].newest.seq;
		}
		if (t->mark.topics[topic].n == 0)
			rc = eg_relay_mark_spread(&t->mark, topic, t->n[topic], err);
		if (!rc && t->mark.topics[topic].n > t->n[topic])
			rc = eg_fail(
			        err, EG_PRECONDITION,
			        "%s has %u partitions, and had %u: it is not this gateway's" EG_RELAY_WAY_OUT,
			        t->names[topic], t->n[topic], t->mark.topics[topic].n);
		if (!rc)
			eg_relay_mark_compare(&t->mark, topic, shown);
	}
	free(shown);
	free(tails);
	return rc;
}

/* ---- a session ---- */

static enum eg_rc fence(struct eg_relay_topics *t, const struct eg_kafka_options *base, struct eg_err *err)
{
	const struct eg_relay_options *o = t->o;
	struct eg_kafka_options k = *base;
	const struct eg_kafka_topic topics[TOPICS] = {
	        {t->names[EG_RELAY_CHANGES], o->partitions, o->replication, false},
	        {t->names[EG_RELAY_STATE], o->partitions, o->replication, true},
	        {t->names[MARKS], 1, o->replication, true},
	};
	const char *const names[TOPICS] = {t->names[0], t->names[1], t->names[2]};
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < 2 && !rc; i++) {
		k.transactional_id = t->ids[i];
		rc = eg_kafka_open(&t->producers[i], &k, err);
	}
	/* The development broker makes topics by itself and knows no request for it. */
	if (!rc && o->partitions && !o->development)
		rc = eg_kafka_make_topics(t->producers[0], topics, TOPICS, err);
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = eg_kafka_know(t->producers[i], names, TOPICS, err);
	/* Both are fenced in before anything is read: after this no older relay can change it. */
	for (unsigned i = 0; i < 2 && !rc; i++)
		rc = eg_kafka_init(t->producers[i], err);
	return rc;
}

static enum eg_rc find_partitions(struct eg_relay_topics *t, struct eg_err *err)
{
	for (unsigned topic = 0; topic < TOPICS; topic++) {
		enum eg_rc rc = eg_kafka_partitions(t->committed, t->names[topic], &t->n[topic], err);
		if (rc)
			return rc;
		t->first[topic] = t->n_slots;
		t->n_slots += t->n[topic];
	}
	t->now = calloc(t->n_slots, sizeof *t->now);
	t->last = calloc(t->n_slots, sizeof *t->last);
	t->scratch = calloc(t->n_slots, sizeof *t->scratch);
	t->seqs = calloc(t->n_slots, sizeof *t->seqs);
	if (!t->now || !t->last || !t->scratch || !t->seqs)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the topics' partitions");
	for (unsigned topic = 0; topic < TOPICS; topic++)
		for (unsigned p = 0; p < t->n[topic]; p++)
			t->now[t->first[topic] + p] = t->last[t->first[topic] + p] =
			        (struct eg_kafka_place){t->names[topic], (int)p, -1};
	return EG_OK;
}

/* *none: there is no mark, and no event was ever sent. */
static enum eg_rc read_mark(struct eg_relay_topics *t, struct eg_kafka_reader *all, bool *none,
                            struct eg_err *err)
{
	struct eg_buf value = {0};
	enum eg_rc rc = eg_kafka_last(t->committed, t->names[MARKS], mark_key, &value, err);
	*none = rc == EG_EMPTY;
	if (*none) {
		memcpy(t->scratch, t->now, t->n[EG_RELAY_CHANGES] * sizeof *t->scratch);
		rc = eg_kafka_ends(all, t->scratch, t->n[EG_RELAY_CHANGES], err);
		for (unsigned p = 0; p < t->n[EG_RELAY_CHANGES] && !rc; p++)
			if (t->scratch[p].offset > 0) /* deleted ones count too */
				rc = eg_fail(err, EG_PRECONDITION,
				             "%s has events but %s has no mark: one of the topics is not "
				             "this gateway's" EG_RELAY_WAY_OUT,
				             t->names[EG_RELAY_CHANGES], t->names[MARKS]);
	} else if (!rc) {
		rc = eg_relay_mark_read(&t->mark, t->log_id, eg_buf_bytes(&value), err);
	}
	eg_buf_free(&value);
	return rc;
}

/* Was this entry, with this leaf if there is one, published from the log as it is? A copy of the store that
 * was put back lacks what came after it, or has other entries there once it has grown. */
static enum eg_rc is_of_log(const struct eg_relay_topics *t, uint64_t seq, const uint8_t *leaf,
                            struct eg_err *err)
{
	uint8_t ours[32];
	enum eg_rc rc = seq ? t->around.leaf(t->around.arg, seq, ours, err) : EG_OK;
	if (rc == EG_EMPTY || (rc == EG_OK && seq && leaf && memcmp(ours, leaf, sizeof ours) != 0))
		rc = eg_fail(err, EG_PRECONDITION,
		             "%s.* had entry %" PRIu64 " of this log, which %s: an older copy of the store "
		             "was put back" EG_RELAY_WAY_OUT,
		             t->o->topic_prefix, seq, rc == EG_EMPTY ? "is not in it" : "is another now");
	return rc;
}

/* Before anybody is fenced out: a gateway that the topics do not belong to is told, and the one that they
 * belong to goes on. What the mark does not tell is told later: no topic yet, no mark yet, one in limbo. */
static enum eg_rc look_whose(const struct eg_relay_topics *t, const struct eg_kafka_options *k,
                             struct eg_err *err)
{
	struct eg_kafka_reader *reader = NULL;
	struct eg_relay_mark mark = {0};
	struct eg_buf value = {0};
	enum eg_rc rc = eg_kafka_reader_open(&reader, k, true, err);
	if (!rc)
		rc = eg_kafka_last(reader, t->names[MARKS], mark_key, &value, err);
	if (!rc)
		rc = eg_relay_mark_read(&mark, t->log_id, eg_buf_bytes(&value), err);
	if (!rc)
		rc = is_of_log(t, mark.seq, mark.has_leaf ? mark.leaf : NULL, err);
	eg_kafka_reader_close(reader);
	eg_relay_mark_free(&mark);
	eg_buf_free(&value);
	return rc == EG_EMPTY || rc == EG_NOT_FOUND ? EG_OK : rc;
}

static enum eg_rc begin(struct eg_relay_topics *t, const struct eg_kafka_options *k, struct eg_err *err)
{
	struct eg_kafka_reader *all = NULL;
	bool none = false;
	unsigned sent;
	enum eg_rc rc = look_whose(t, k, err);
	if (!rc)
		rc = fence(t, k, err);
	if (!rc)
		rc = eg_kafka_reader_open(&t->committed, k, true, err);
	if (!rc)
		rc = eg_kafka_reader_open(&all, k, false, err);
	if (!rc)
		rc = find_partitions(t, err);
	if (!rc) {
		memcpy(t->scratch, t->now, t->n_slots * sizeof *t->scratch);
		rc = eg_relay_settle(t->producers, t->committed, all, t->scratch, t->n_slots, err);
	}
	if (!rc)
		rc = read_mark(t, all, &none, err);
	eg_kafka_reader_close(all);
	uint64_t said = t->mark.seq;
	if (!rc)
		rc = is_of_log(t, t->mark.seq, t->mark.has_leaf ? t->mark.leaf : NULL, err);
	if (!rc)
		rc = compare(t, err);
	if (!rc)
		rc = is_of_log(t, t->spread_at, NULL, err);
	/* A mark before the first event: the topics hold what an aborted transaction sent as well, and beside
	 * no mark that could not be told from another gateway's events. */
	if (!rc && none)
		rc = transact(t, NULL, 0, 0, &sent, err);
	if (!rc)
		eg_log(EG_LOG_INFO, "relay.connected", EG_T("topic", t->names[EG_RELAY_CHANGES]),
		       EG_I("mark", said), EG_I("reads_from", t->mark.seq),
		       EG_B("durable", !t->o->development));
	return rc;
}

enum eg_rc eg_relay_topics_open(struct eg_relay_topics **out, const struct eg_relay_options *o,
                                const struct eg_relay_around *around, struct eg_err *err)
{
	const struct eg_kafka_options k = {.bootstrap = o->bootstrap,
	                                   .settings = o->settings,
	                                   .give_up = around->give_up,
	                                   .give_up_arg = around->arg};
	struct eg_relay_topics *t = calloc(1, sizeof *t);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the relay's topics");
	t->o = o;
	t->around = *around;
	t->log_id = eg_writer_log_id(o->writer);
	snprintf(t->names[EG_RELAY_CHANGES], NAME_BYTES, "%s.changes.v1", o->topic_prefix);
	snprintf(t->names[EG_RELAY_STATE], NAME_BYTES, "%s.state.v1", o->topic_prefix);
	snprintf(t->names[MARKS], NAME_BYTES, "%s.relay.v1", o->topic_prefix);
	snprintf(t->ids[0], NAME_BYTES, "%.120s-a", o->transactional_id);
	snprintf(t->ids[1], NAME_BYTES, "%.120s-b", o->transactional_id);
	enum eg_rc rc = begin(t, &k, err);
	if (rc) {
		eg_relay_topics_close(t);
		return rc;
	}
	*out = t;
	return EG_OK;
}

void eg_relay_topics_close(struct eg_relay_topics *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < 2; i++)
		eg_kafka_close(t->producers[i]);
	eg_kafka_reader_close(t->committed);
	eg_relay_mark_free(&t->mark);
	free(t->now);
	free(t->last);
	free(t->scratch);
	free(t->seqs);
	free(t);
}

uint64_t eg_relay_topics_mark(const struct eg_relay_topics *t)
{
	return t->mark.seq;
}
