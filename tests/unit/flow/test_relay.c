/* The relay against librdkafka's mock cluster: what it reads of the log, and what it leaves in the topics.
 * The mock's transactions are cosmetic, so nothing here is evidence of delivery. */
#include "road.h"

#include "flow/kafka.h"
#include "flow/relay.h"
#include "model/canon.h"

#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

enum { HASTY = 300, HASTY_US = 300, FORMER_NAME = 4, LONG_TEXT = 15000, WAIT_S = 30, PATH_BYTES = 512 };

struct broker {
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
};

static struct broker broker_open(void)
{
	char why[256];
	struct broker b = {.rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), why, sizeof why)};
	assert_non_null(b.rk);
	b.cluster = rd_kafka_mock_cluster_new(b.rk, 1);
	assert_non_null(b.cluster);
	return b;
}

static void broker_close(struct broker *b)
{
	rd_kafka_mock_cluster_destroy(b->cluster);
	rd_kafka_destroy(b->rk);
}

static enum eg_rc encode(const struct eg_event *e, struct eg_buf *out, struct eg_err *err)
{
	(void)err;
	eg_buf_add_be(out, e->seq, 8);
	return EG_OK;
}

static struct eg_relay *relay_with(struct road *r, const struct broker *b, const char *prefix)
{
	struct eg_err err = {0};
	struct eg_relay *relay = NULL;
	struct eg_relay_options o = {.store = r->store,
	                             .vault = r->vault,
	                             .writer = r->writer,
	                             .bootstrap = rd_kafka_mock_cluster_bootstraps(b->cluster),
	                             .topic_prefix = prefix,
	                             .transactional_id = "test",
	                             .source_uri = "/test",
	                             .partitions = 4,
	                             .replication = 1,
	                             .development = true,
	                             .encode_event = encode,
	                             .encode_state = encode};
	assert_ok(eg_relay_start(&relay, &o, &err), err);
	return relay;
}

static struct eg_relay *relay_of(struct road *r, const struct broker *b)
{
	return relay_with(r, b, "elder");
}

static void wait_for_mark(struct road *r, struct eg_relay *relay, uint64_t seq)
{
	struct eg_wake *head = eg_writer_head(r->writer);
	int64_t until = eg_mono_us() + WAIT_S * EG_SECOND;
	struct eg_relay_status s;
	for (eg_relay_status(relay, &s); s.mark < seq && eg_mono_us() < until; eg_relay_status(relay, &s))
		eg_wake_wait(head, eg_wake_seen(head), eg_mono_us() + EG_SECOND / 20);
	if (s.mark < seq)
		fail_msg("the mark is %llu, not %llu: %s", (unsigned long long)s.mark,
		         (unsigned long long)seq, s.last_error);
}

static bool has_mark(const struct broker *b)
{
	struct eg_kafka_options o = {.bootstrap = rd_kafka_mock_cluster_bootstraps(b->cluster)};
	struct eg_buf value = {0};
	struct eg_err err = {0};
	struct eg_kafka_reader *reader = NULL;
	assert_ok(eg_kafka_reader_open(&reader, &o, true, &err), err);
	enum eg_rc rc = eg_kafka_last(reader, "elder.relay.v1", "relay", &value, &err);
	eg_kafka_reader_close(reader);
	eg_buf_free(&value);
	return rc == EG_OK;
}

/* Set aside, each with a claim of its own that takes room in a reader's memory. */
static void send_rejects(struct road *r, unsigned batches, unsigned records)
{
	char key[32], text[LONG_TEXT + 1];
	memset(text, 'x', LONG_TEXT);
	text[LONG_TEXT] = 0;
	for (unsigned b = 0; b < batches; b++) {
		struct eg_ticket *t = road_batch(r, "police", "hukou", records);
		for (unsigned i = 0; i < records; i++) {
			snprintf(key, sizeof key, "bad-%u-%u", b, i);
			road_text(t, road_add(t, key, 1, EG_ASSERT), FORMER_NAME, text);
		}
		road_send(r, t);
		assert_int_equal(t->submission.items[0].outcome, EG_QUARANTINED);
		eg_ticket_free(t);
	}
}

/* However many entries without an event lie behind the mark, the relay gets past them. */
static void a_long_stretch_without_events(void **state)
{
	(void)state;
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	uint64_t seq;
	send_rejects(r, 60, 60);
	struct eg_ticket *t = road_one(r, "police", "hukou", "first", 1, 3u, "王建国", 15u, "1", 0u);
	assert_int_equal(road_outcome(t, &seq), EG_APPLIED);
	struct eg_relay *relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	road_close(r, true);
	broker_close(&b);
}

/* An event in the topics beside an empty mark is an error, so a crash in the first transaction must not leave
 * that. */
static void a_mark_stands_before_the_first_event(void **state)
{
	(void)state;
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	struct eg_relay *relay = relay_of(r, &b);
	struct eg_relay_status s = {0};
	int64_t until = eg_mono_us() + WAIT_S * EG_SECOND;
	struct eg_wake *never = eg_wake_new();
	while (!s.connected && eg_mono_us() < until) {
		eg_wake_wait(never, 0, eg_mono_us() + EG_SECOND / 50);
		eg_relay_status(relay, &s);
	}
	eg_wake_free(never);
	assert_true(s.connected);
	assert_true(has_mark(&b));
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	road_close(r, true);
	broker_close(&b);
}

static void publish(const struct broker *b, const struct eg_kafka_message *m)
{
	struct eg_kafka_options o = {.bootstrap = rd_kafka_mock_cluster_bootstraps(b->cluster),
	                             .transactional_id = "a-stranger"};
	struct eg_kafka *k = NULL;
	struct eg_err err = {0};
	assert_ok(eg_kafka_open(&k, &o, &err), err);
	assert_ok(eg_kafka_init(k, &err), err);
	assert_ok(eg_kafka_begin(k, &err), err);
	assert_ok(eg_kafka_produce(k, m, &err), err);
	assert_ok(eg_kafka_flush(k, &err), err);
	assert_ok(eg_kafka_commit(k, &err), err);
	eg_kafka_close(k);
}

/* An error right behind a message: its partition is being made part of the transaction when the producer
 * goes. librdkafka aborts the process if it is destroyed in that moment. */
static void a_producer_goes_while_it_registers(void **state)
{
	(void)state;
	struct broker b = broker_open();
	const char *topic = "hasty";
	for (unsigned i = 0; i < HASTY; i++) {
		struct eg_kafka_options o = {.bootstrap = rd_kafka_mock_cluster_bootstraps(b.cluster),
		                             .transactional_id = "hasty"};
		const struct eg_kafka_message m = {.topic = topic,
		                                   .key = eg_bytes_of("k"),
		                                   .value = eg_bytes_of("v"),
		                                   .time_us = eg_now_us()};
		struct eg_kafka *k = NULL;
		struct eg_err err = {0};
		assert_ok(eg_kafka_open(&k, &o, &err), err);
		assert_ok(eg_kafka_init(k, &err), err);
		assert_ok(eg_kafka_know(k, &topic, 1, &err), err);
		assert_ok(eg_kafka_begin(k, &err), err);
		assert_ok(eg_kafka_produce(k, &m, &err), err);
		for (int64_t until = eg_mono_us() + i % HASTY_US; eg_mono_us() < until;)
			;
		eg_kafka_close(k);
	}
	broker_close(&b);
}

static enum eg_rc count(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	(void)m;
	(void)err;
	++*(unsigned *)arg;
	return EG_OK;
}

static unsigned messages_in(const struct broker *b, const char *topic)
{
	struct eg_kafka_options o = {.bootstrap = rd_kafka_mock_cluster_bootstraps(b->cluster)};
	struct eg_kafka_reader *reader = NULL;
	struct eg_err err = {0};
	unsigned n = 0;
	assert_ok(eg_kafka_reader_open(&reader, &o, true, &err), err);
	assert_ok(eg_kafka_read(reader, topic, count, &n, &err), err);
	eg_kafka_reader_close(reader);
	return n;
}

/* The mark is an old one, as before marks told of partitions: they are asked themselves. */
static void what_partitions_hold_is_not_sent_again(void **state)
{
	(void)state;
	enum { PERSONS = 20 };
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	char key[16];
	uint64_t seq = 0;
	for (unsigned i = 0; i < PERSONS; i++) {
		snprintf(key, sizeof key, "person-%u", i);
		struct eg_ticket *t = road_one(r, "police", "hukou", key, 1, 3u, "王建国", 15u, "1", 0u);
		assert_int_equal(road_outcome(t, &seq), EG_APPLIED);
	}
	struct eg_relay *relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	assert_int_equal(messages_in(&b, "elder.changes.v1"), PERSONS);

	struct eg_buf mark = {0};
	eg_canon_bytes(&mark, 1, (struct eg_bytes){eg_writer_log_id(r->writer), 16});
	publish(&b, &(struct eg_kafka_message){.topic = "elder.relay.v1",
	                                       .partition = EG_KAFKA_BY_KEY,
	                                       .key = eg_bytes_of("relay"),
	                                       .value = eg_buf_bytes(&mark)});
	eg_buf_free(&mark);
	struct eg_ticket *t = road_one(r, "police", "hukou", "one more", 1, 3u, "王建国", 15u, "1", 0u);
	assert_int_equal(road_outcome(t, &seq), EG_APPLIED);
	relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	assert_int_equal(messages_in(&b, "elder.changes.v1"), PERSONS + 1);
	assert_int_equal(messages_in(&b, "elder.state.v1"), PERSONS + 1);
	road_close(r, true);
	broker_close(&b);
}

static void pause_ms(int ms)
{
	struct eg_wake *never = eg_wake_new();
	eg_wake_wait(never, 0, eg_mono_us() + ms * (EG_SECOND / 1000));
	eg_wake_free(never);
}

static void wait_for_error(struct eg_relay *relay, struct eg_relay_status *s)
{
	int64_t until = eg_mono_us() + WAIT_S * EG_SECOND;
	for (*s->last_error = 0; !*s->last_error && eg_mono_us() < until; eg_relay_status(relay, s))
		pause_ms(20);
}

static uint64_t send_persons(struct road *r, const char *name, unsigned n)
{
	char key[32];
	uint64_t seq = 0;
	for (unsigned i = 0; i < n; i++) {
		snprintf(key, sizeof key, "%.16s-%u", name, i);
		struct eg_ticket *t = road_one(r, "police", "hukou", key, 1, 3u, "王建国", 15u, "1", 0u);
		assert_int_equal(road_outcome(t, &seq), EG_APPLIED);
	}
	return seq;
}

/* The files of a store that is closed. */
static void copy_store(const char *from, const char *to)
{
	char path[PATH_BYTES], buffer[4096];
	DIR *dir = opendir(from);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		size_t n;
		if (strncmp(e->d_name, "eldergate.db", 12) != 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", from, e->d_name);
		FILE *in = fopen(path, "rb");
		snprintf(path, sizeof path, "%s/%s", to, e->d_name);
		FILE *out = fopen(path, "wb");
		assert_true(in && out);
		while ((n = fread(buffer, 1, sizeof buffer, in)) > 0)
			assert_int_equal(fwrite(buffer, 1, n, out), n);
		fclose(in);
		assert_int_equal(fclose(out), 0);
	}
	closedir(dir);
}

/* The topics have what only the lost store had. However far its older copy grows, nothing of it may go there;
 * other topics get all that it holds. */
static void an_older_copy_of_the_store_halts_it(void **state)
{
	(void)state;
	enum { BEFORE = 3, LOST = 5, SINCE = 9 };
	char backup[128];
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	struct eg_relay_status s;
	send_persons(r, "before", BEFORE);
	road_stop(r);
	road_make_dir(backup);
	copy_store(r->dir, backup);
	road_start(r);
	uint64_t seq = send_persons(r, "lost", LOST);
	struct eg_relay *relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	road_stop(r);
	copy_store(backup, r->dir);
	road_start(r);

	relay = relay_of(r, &b); /* it has not grown yet */
	wait_for_error(relay, &s);
	assert_non_null(strstr(s.last_error, "is not in it: an older copy of the store was put back"));
	assert_non_null(strstr(s.last_error, "kafka.topic_prefix): deploy/README.md"));
	uint64_t grown = send_persons(r, "since", SINCE);
	assert_true(grown > seq);
	/* Hints reach it, the time of several tries passes: it does not begin by itself. */
	pause_ms(1500);
	eg_relay_status(relay, &s);
	assert_false(s.connected);
	assert_true(s.oldest_unpublished_us);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);

	relay = relay_of(r, &b); /* grown past the mark */
	wait_for_error(relay, &s);
	assert_false(s.connected);
	assert_non_null(strstr(s.last_error, "is another now: an older copy of the store was put back"));
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	assert_int_equal(messages_in(&b, "elder.changes.v1"), BEFORE + LOST);

	relay = relay_with(r, &b, "elder2"); /* what a person does */
	wait_for_mark(r, relay, grown);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	assert_int_equal(messages_in(&b, "elder2.changes.v1"), BEFORE + SINCE);
	assert_int_equal(messages_in(&b, "elder.changes.v1"), BEFORE + LOST);
	nftw(backup, road_remove, 16, FTW_DEPTH | FTW_PHYS);
	road_close(r, true);
	broker_close(&b);
}

static enum eg_rc oldest_record(void *arg, const struct eg_kafka_found *m, struct eg_err *err)
{
	int64_t *oldest_ms = arg, ms = rd_kafka_message_timestamp(m->message, NULL);
	(void)err;
	if (ms < *oldest_ms)
		*oldest_ms = ms;
	return EG_OK;
}

/* Retention counts from a record's time: what has waited long for the broker must not expire on arrival. */
static void a_record_is_as_old_as_its_publication(void **state)
{
	(void)state;
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	struct eg_err err = {0};
	struct eg_kafka_reader *reader = NULL;
	int64_t oldest_ms = INT64_MAX;
	uint64_t seq = send_persons(r, "waiting", 2);
	pause_ms(50);
	int64_t began = eg_now_us() / 1000;
	struct eg_relay *relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	struct eg_kafka_options o = {.bootstrap = rd_kafka_mock_cluster_bootstraps(b.cluster)};
	assert_ok(eg_kafka_reader_open(&reader, &o, true, &err), err);
	assert_ok(eg_kafka_read(reader, "elder.changes.v1", oldest_record, &oldest_ms, &err), err);
	eg_kafka_reader_close(reader);
	assert_true(oldest_ms >= began && oldest_ms <= eg_now_us() / 1000);
	road_close(r, true);
	broker_close(&b);
}

/* Kafka's numbers of requests, and the most that a stop may take beyond its deadline while each of them finds
 * no answer. */
static const struct silence {
	int16_t request;
	int most_ms;
} silences[] = {
        {2, 4000},  /* ListOffsets: of those that cannot be taken up again */
        {3, 4000},  /* Metadata: likewise */
        {22, 1000}, /* InitProducerId */
        {24, 1000}, /* AddPartitionsToTxn */
        {26, 1000}, /* EndTxn */
};

static void a_broker_that_does_not_answer_holds_no_drain(void **state)
{
	(void)state;
	enum { SILENT_MS = 60000, DEADLINE_MS = 200, INSIDE_MS = 1500, OURS_MS = 1000 };
	for (unsigned i = 0; i < sizeof silences / sizeof *silences; i++) {
		struct broker b = broker_open();
		struct road *r = road_open(NULL);
		struct eg_relay_status s = {0};
		struct eg_relay *relay = NULL;
		bool at_once = silences[i].request < 24;
		if (!at_once) {
			relay = relay_of(r, &b);
			wait_for_mark(r, relay, send_persons(r, "first", 1));
		}
		rd_kafka_mock_broker_push_request_error_rtts(
		        b.cluster, 1, silences[i].request, 4, RD_KAFKA_RESP_ERR_NO_ERROR, SILENT_MS,
		        RD_KAFKA_RESP_ERR_NO_ERROR, SILENT_MS, RD_KAFKA_RESP_ERR_NO_ERROR, SILENT_MS,
		        RD_KAFKA_RESP_ERR_NO_ERROR, SILENT_MS);
		if (at_once)
			relay = relay_of(r, &b);
		else
			send_persons(r, "second", 1);
		pause_ms(INSIDE_MS); /* the call is under way */
		int64_t began = eg_mono_us();
		eg_relay_drain(relay, began + DEADLINE_MS * (EG_SECOND / 1000));
		int took_ms = (int)((eg_mono_us() - began) / 1000);
		eg_relay_status(relay, &s);
		if (took_ms > DEADLINE_MS + silences[i].most_ms + OURS_MS)
			fail_msg("request %d: the drain took %d ms", silences[i].request, took_ms);
		print_message("request %d: %d ms\n", silences[i].request, took_ms);
		eg_relay_stop(relay, 0);
		road_close(r, true);
		broker_close(&b);
	}
}

static void a_strangers_message_stops_it(void **state)
{
	(void)state;
	struct broker b = broker_open();
	struct road *r = road_open(NULL);
	struct eg_relay_status s = {0};
	uint64_t seq;
	struct eg_ticket *t = road_one(r, "police", "hukou", "first", 1, 3u, "王建国", 15u, "1", 0u);
	assert_int_equal(road_outcome(t, &seq), EG_APPLIED);
	struct eg_relay *relay = relay_of(r, &b);
	wait_for_mark(r, relay, seq);
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	publish(&b, &(struct eg_kafka_message){
	                    .topic = "elder.changes.v1", .key = eg_bytes_of("k"), .value = eg_bytes_of("v")});
	relay = relay_of(r, &b);
	wait_for_error(relay, &s);
	assert_false(s.connected);
	assert_non_null(strstr(s.last_error, "not of this gateway's log"));
	eg_relay_stop(relay, eg_mono_us() + EG_SECOND);
	road_close(r, true);
	broker_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_long_stretch_without_events),
	        cmocka_unit_test(a_mark_stands_before_the_first_event),
	        cmocka_unit_test(a_producer_goes_while_it_registers),
	        cmocka_unit_test(what_partitions_hold_is_not_sent_again),
	        cmocka_unit_test(a_strangers_message_stops_it),
	        cmocka_unit_test(a_broker_that_does_not_answer_holds_no_drain),
	        cmocka_unit_test(an_older_copy_of_the_store_halts_it),
	        cmocka_unit_test(a_record_is_as_old_as_its_publication),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
