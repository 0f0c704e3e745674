/* A lane: every row has its receipt before its verdict, whatever happens to the stream. */
#include "common/lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_gateway.h"

enum { RECORDS = 3, IN_FLIGHT = 2, LINGER = 1000, RECEIPT = 1000000, LEAST = 100, MOST = 6400 };

static struct eg_lane *lane;
static char verdicts[1024], refusal[512];
static unsigned refused_rows;

static void settle(void *arg, const struct eg_verdicts *v)
{
	(void)arg;
	for (unsigned i = 0; i < v->n; i++) {
		size_t len = strlen(verdicts);
		snprintf(verdicts + len, sizeof verdicts - len, "%llu%s ", (unsigned long long)v->v[i].ref,
		         v->v[i].code == EG_VERDICT_TAKEN ? "" : v->v[i].reason);
		if (v->v[i].code == EG_VERDICT_REFUSED) {
			assert_string_equal(v->v[i].field, "registration.id_number");
			assert_non_null(strstr(v->v[i].text, "校验码"));
			assert_true(v->v[i].seq > 0);
		}
	}
}

static void refused(void *arg, const struct eg_err *err, unsigned rows)
{
	(void)arg;
	snprintf(refusal, sizeof refusal, "%s %s", eg_rc_name(err->rc), err->text);
	refused_rows = rows;
}

static int open_lane(void **state)
{
	(void)state;
	struct eg_lane_options o = {.link = &fake,
	                            .lane = 2,
	                            .dataset = "household",
	                            .batch_records = RECORDS,
	                            .batch_bytes = 1000,
	                            .linger_us = LINGER,
	                            .in_flight = IN_FLIGHT,
	                            .receipt_us = RECEIPT,
	                            .backoff_least_us = LEAST,
	                            .backoff_most_us = MOST,
	                            .settle = settle,
	                            .refused = refused};
	fake_reset();
	*verdicts = *refusal = 0;
	refused_rows = 0;
	return eg_lane_open(&lane, &o, NULL) != EG_OK;
}

static int close_lane(void **state)
{
	(void)state;
	eg_lane_close(lane);
	fake_reset();
	return 0;
}

static void add(uint64_t ref, int64_t now)
{
	assert_true(eg_lane_room(lane));
	/* An encoded record: field 1, two bytes. */
	uint8_t record[] = {0x0a, 2, 'k', (uint8_t)('0' + ref % 10)};
	assert_int_equal(eg_lane_add(lane, ref, (struct eg_bytes){record, sizeof record}, now, NULL), EG_OK);
}

static void events(int64_t now)
{
	struct eg_link_event e;
	while (eg_link_wait(&fake, 0, &e, NULL) == EG_OK)
		assert_true(eg_lane_event(lane, &e, now));
}

static struct eg_link_call *submit(void)
{
	struct eg_link_call *c = fake_open_call("Submit");
	assert_non_null(c);
	return c;
}

static void full_lingering_and_flushed_batches(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 4; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	assert_int_equal(submit()->n_sent, 1); /* three are a batch, the fourth lingers */
	Eldergate__V1__SubmitRequest *q = fake_request(submit(), 0);
	assert_string_equal(q->dataset, "household");
	assert_int_equal(q->lane, 2);
	assert_int_equal(q->n_records, 3);
	assert_string_equal(q->records[2]->source_key, "k3");
	eldergate__v1__submit_request__free_unpacked(q, NULL);
	assert_int_equal(eg_lane_due(lane), LINGER);
	eg_lane_turn(lane, LINGER - 1, false);
	assert_int_equal(submit()->n_sent, 1);
	eg_lane_turn(lane, LINGER, false);
	assert_int_equal(submit()->n_sent, 2);
	assert_false(eg_lane_room(lane));
	assert_int_equal(eg_lane_rows(lane), 4);
	fake_answer(submit(), 1, "a");
	fake_answer(submit(), 0, "aus");
	events(LINGER);
	assert_string_equal(verdicts, "4 1 2 3 ");
	assert_true(eg_lane_empty(lane));
	add(5, LINGER);
	eg_lane_turn(lane, LINGER, true);
	assert_int_equal(submit()->n_sent, 3);
}

static void a_refused_record_says_why(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 3; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	fake_answer(submit(), 0, "aqr");
	events(0);
	assert_string_equal(verdicts, "1 2ID_CHECK_DIGIT 3ID_CHECK_DIGIT ");
}

static void without_credit_nothing_is_sent(void **state)
{
	(void)state;
	fake.first_credit = 0;
	for (uint64_t ref = 1; ref <= 6; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	assert_int_equal(submit()->n_sent, 0);
	submit()->credit = 1;
	fake_event(submit(), EG_LINK_CREDIT, 0, (struct eg_bytes){0});
	events(0);
	eg_lane_turn(lane, 0, false);
	assert_int_equal(submit()->n_sent, 1);
}

static void lost_batches_are_sent_again_under_their_ids(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 6; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	struct eg_link_call *first = submit();
	Eldergate__V1__SubmitRequest *q = fake_request(first, 1);
	fake_answer(first, 0, "a");
	events(0);
	assert_string_equal(verdicts, "1 2 3 ");
	fake_lose();
	events(0);
	assert_int_equal(eg_lane_resent(lane), 0);
	eg_lane_turn(lane, MOST, false);
	assert_null(fake_open_call("Submit")); /* no way there yet */
	fake.up = true;
	assert_true(eg_lane_due(lane) <= LEAST);
	eg_lane_turn(lane, MOST, false);
	assert_ptr_not_equal(submit(), first);
	assert_int_equal(submit()->n_sent, 1); /* the one with a receipt is not */
	Eldergate__V1__SubmitRequest *again = fake_request(submit(), 0);
	assert_string_equal(again->batch_id, q->batch_id);
	assert_int_equal(eg_lane_resent(lane), 1);
	fake_answer(submit(), 0, "u");
	events(MOST);
	assert_string_equal(verdicts, "1 2 3 4 5 6 ");
	eldergate__v1__submit_request__free_unpacked(q, NULL);
	eldergate__v1__submit_request__free_unpacked(again, NULL);
}

static void waits_grow_and_begin_anew(void **state)
{
	(void)state;
	int64_t now = 0, waits[8];
	add(1, 0);
	for (unsigned i = 0; i < 8; i++) {
		eg_lane_turn(lane, now, true);
		fake_end(submit(), 14, "SHUTTING_DOWN", -1);
		events(now);
		waits[i] = eg_lane_due(lane) - now;
		now += waits[i];
	}
	assert_in_range(waits[0], LEAST / 2, LEAST);
	assert_in_range(waits[7], MOST / 2, MOST);
	eg_lane_turn(lane, now, true);
	fake_answer(submit(), 0, "a");
	events(now);
	add(2, now);
	eg_lane_turn(lane, now, true);
	fake_lose();
	events(now);
	assert_int_equal(eg_lane_due(lane), INT64_MAX); /* nothing can be done before the link is up */
	fake.up = true;
	assert_in_range(eg_lane_due(lane) - now, LEAST / 2, LEAST);
	assert_string_equal(refusal, ""); /* none of this is anybody's to mend */
}

static void a_batch_refused_for_now_waits(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 3; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	fake_refuse(submit(), 0, 8, "STORE_FULL", 2);
	events(0);
	assert_string_equal(verdicts, "");
	assert_string_equal(refusal, "");
	assert_int_equal(eg_lane_due(lane), 2000000);
	eg_lane_turn(lane, 1999999, false);
	assert_int_equal(submit()->n_sent, 1);
	eg_lane_turn(lane, 2000000, false);
	assert_int_equal(submit()->n_sent, 2);
	fake_answer(submit(), 1, "a");
	events(2000000);
	assert_string_equal(verdicts, "1 2 3 ");
}

static void a_batch_refused_for_good_has_no_verdicts(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 3; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	fake_refuse(submit(), 0, 7, "DATASET_NOT_PERMITTED", -1);
	events(0);
	assert_string_equal(verdicts, "");
	assert_string_equal(refusal, "DENIED DATASET_NOT_PERMITTED: as the test says");
	assert_int_equal(refused_rows, 3);
	assert_true(eg_lane_empty(lane));
}

static void a_refused_stream_keeps_its_rows(void **state)
{
	(void)state;
	add(1, 0);
	eg_lane_turn(lane, 0, true);
	fake_end(submit(), 16, "IDENTITY_UNKNOWN", -1);
	events(0);
	assert_string_equal(refusal, "UNAUTHENTICATED IDENTITY_UNKNOWN: as the test says");
	assert_int_equal(refused_rows, 0);
	assert_int_equal(eg_lane_rows(lane), 1);
	assert_int_equal(eg_lane_due(lane), MOST);
}

static void receipts_that_do_not_fit_settle_nothing(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 3; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	Eldergate__V1__SubmitRequest *q = fake_request(submit(), 0);
	fake_receipt(submit(), q->batch_id, 2, "a"); /* too few results */
	events(0);
	assert_null(fake_open_call("Submit"));
	eg_lane_turn(lane, MOST, false);
	fake_receipt(submit(), q->batch_id, 3, "aax"); /* an outcome of tomorrow */
	events(MOST);
	assert_null(fake_open_call("Submit"));
	assert_string_equal(verdicts, "");
	eg_lane_turn(lane, 2 * MOST, false);
	fake_receipt(submit(), "of somebody else", 3, "a");
	events(2 * MOST);
	assert_string_equal(verdicts, "");
	fake_event(submit(), EG_LINK_MESSAGE, 0, eg_bytes_of("\x0a\xff"));
	events(2 * MOST);
	assert_null(fake_open_call("Submit"));
	assert_int_equal(eg_lane_rows(lane), 3);
	eldergate__v1__submit_request__free_unpacked(q, NULL);
}

static void a_silent_stream_is_begun_anew(void **state)
{
	(void)state;
	add(1, 0);
	eg_lane_turn(lane, 0, true);
	struct eg_link_call *first = submit();
	assert_int_equal(eg_lane_due(lane), RECEIPT);
	eg_lane_turn(lane, RECEIPT - 1, false);
	assert_ptr_equal(submit(), first);
	eg_lane_turn(lane, RECEIPT, false);
	assert_true(first->dropped);
	eg_lane_turn(lane, RECEIPT + MOST, false);
	assert_int_equal(submit()->n_sent, 1);
}

static void forgotten_rows_get_no_verdict(void **state)
{
	(void)state;
	for (uint64_t ref = 1; ref <= 4; ref++)
		add(ref, 0);
	eg_lane_turn(lane, 0, false);
	eg_lane_forget(lane);
	assert_true(eg_lane_empty(lane));
	fake_answer(submit(), 0, "a");
	events(0);
	assert_string_equal(verdicts, "");
	add(1, 0);
	eg_lane_turn(lane, 0, true);
	fake_answer(submit(), 1, "u");
	events(0);
	assert_string_equal(verdicts, "1 ");
}

static void large_records_end_a_batch_or_are_refused(void **state)
{
	(void)state;
	static uint8_t record[996] = {0};
	record[0] = 0x0a;
	record[1] = 0xf4; /* 500 */
	record[2] = 0x03;
	memset(record + 3, 'k', 500);
	struct eg_bytes half = {record, 503}, whole = {record, sizeof record};
	assert_int_equal(eg_lane_add(lane, 1, half, 0, NULL), EG_OK);
	assert_int_equal(eg_lane_add(lane, 2, half, 0, NULL), EG_OK);
	assert_int_equal(eg_lane_batches(lane), 2);
	struct eg_err err = {0};
	assert_int_equal(eg_lane_add(lane, 3, whole, 0, &err), EG_LIMIT);
	eg_lane_turn(lane, 0, true);
	assert_int_equal(submit()->n_sent, 2);
	fake_answer(submit(), 0, "a");
	fake_answer(submit(), 1, "a");
	events(0);
	assert_int_equal(eg_lane_add(lane, 3, whole, 0, &err), EG_LIMIT);
	assert_true(eg_lane_empty(lane));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_lane, close_lane)
	const struct CMUnitTest tests[] = {
	        T(full_lingering_and_flushed_batches),
	        T(a_refused_record_says_why),
	        T(without_credit_nothing_is_sent),
	        T(lost_batches_are_sent_again_under_their_ids),
	        T(waits_grow_and_begin_anew),
	        T(a_batch_refused_for_now_waits),
	        T(a_batch_refused_for_good_has_no_verdicts),
	        T(a_refused_stream_keeps_its_rows),
	        T(receipts_that_do_not_fit_settle_nothing),
	        T(a_silent_stream_is_begun_anew),
	        T(forgotten_rows_get_no_verdict),
	        T(large_records_end_a_batch_or_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
