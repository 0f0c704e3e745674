/* Rows to the gateway and verdicts back: each row is settled once, after its receipt, or comes again. */
#include "common/inbound.h"

#include "base/clock.h"
#include "common/checkpoint.h"
#include "trust/crypto.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "world.h"

static struct eg_inbound *in;
static int64_t now; /* pretended: the waits of the parts are measured against the real clock from here */

static int open_inbound(void **state)
{
	if (world_open(state))
		return 1;
	struct eg_inbound_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	now = eg_mono_us();
	return eg_inbound_open(&in, &o, NULL) != EG_OK;
}

static int close_inbound(void **state)
{
	eg_inbound_close(in);
	return world_close(state);
}

static void turn(void)
{
	bool waited;
	struct eg_link_event e;
	while (eg_link_wait(&fake, 0, &e, NULL) == EG_OK)
		assert_true(eg_inbound_event(in, &e, now));
	eg_inbound_turn(in, now, now, &waited);
}

/* Any wait that anybody may have set is over. */
static void later(void)
{
	now = eg_mono_us() + EG_SECOND;
	turn();
}

/* The open Submit stream of this lane. */
static struct eg_link_call *lane(int number)
{
	for (unsigned i = fake.n_calls; i > 0; i--) {
		struct eg_link_call *c = fake.calls[i - 1];
		if (c->over || c->dropped || !c->n_sent || !strstr(c->method, "Submit"))
			continue;
		Eldergate__V1__SubmitRequest *q = fake_request(c, 0);
		int is = (int)q->lane;
		eldergate__v1__submit_request__free_unpacked(q, NULL);
		if (is == number)
			return c;
	}
	return NULL;
}

static void answer_all(struct eg_link_call *c, unsigned from, const char *outcomes)
{
	for (unsigned i = from; i < c->n_sent; i++)
		fake_answer(c, i, outcomes);
}

static void deaths_travel_apart(void **state)
{
	(void)state;
	fake_row("a", "ok");
	fake_row("b", "death");
	fake_row("c", "void");
	fake_row("d", "ok");
	later();
	later(); /* the live ones lingered */
	assert_int_equal(lane(1)->n_sent, 1);
	assert_int_equal(lane(2)->n_sent, 1);
	answer_all(lane(1), 0, "a");
	turn();
	assert_string_equal(source.verdicts, "2 3 ");
	answer_all(lane(2), 0, "aq");
	turn();
	assert_string_equal(source.verdicts, "2 3 1 4!ID_CHECK_DIGIT ");
	assert_true(eg_inbound_idle(in));
	assert_int_equal(counts.rows, 4);
	assert_int_equal(counts.sent, 4);
	assert_int_equal(counts.applied, 3);
	assert_int_equal(counts.quarantined, 1);
}

static void faulty_rows_are_refused_here_and_never_sent(void **state)
{
	(void)state;
	fake_row("a", "bad");
	fake_row("b", "ok");
	fake_step(EG_IN_BAD, 0);
	fake_row("d", "skip");
	fake_row("e", "huge");
	later();
	assert_string_equal(source.verdicts, "1!DATE_INVALID 3!MALFORMED_ROW 4 5!RECORD_TOO_LARGE ");
	later();
	assert_int_equal(lane(2)->n_sent, 1);
	answer_all(lane(2), 0, "a");
	turn();
	assert_non_null(strstr(source.verdicts, "LARGE 2 "));
	assert_int_equal(counts.bad_rows, 3);
	assert_int_equal(counts.skipped, 1);
}

/* Standard error goes to a file meanwhile: what was logged. */
static int log_begin(void)
{
	char path[96];
	snprintf(path, sizeof path, "%s/log", state_dir);
	int kept = dup(STDERR_FILENO), fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(kept >= 0 && fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	return kept;
}

static const char *log_end(int kept)
{
	static char text[65536];
	ssize_t n = pread(STDERR_FILENO, text, sizeof text - 1, 0);
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	close(kept);
	assert_true(n >= 0);
	text[n] = 0;
	return text;
}

static unsigned occurrences(const char *text, const char *what)
{
	unsigned n = 0;
	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

static void rows_refused_here_are_told_in_the_log(void **state)
{
	(void)state;
	int kept = log_begin();
	fake_row("secret key", "bad");
	fake_step(EG_IN_BAD, 0);
	fake_row("secret key", "huge");
	later();
	const char *text = log_end(kept);
	assert_int_equal(occurrences(text, "\"agent.row_refused\""), 3);
	assert_non_null(strstr(text, "\"place\":\"file.csv\",\"line\":1,\"codes\":\"DATE_INVALID\","
	                             "\"field\":\"registration.birth_date\",\"column\":\"CSRQ\""));
	assert_non_null(strstr(text, "\"line\":2,\"codes\":\"MALFORMED_ROW\""));
	assert_non_null(strstr(text, "\"line\":3,\"codes\":\"RECORD_TOO_LARGE\""));
	assert_null(strstr(text, "secret"));
}

static void a_flood_of_refused_rows_is_counted(void **state)
{
	(void)state;
	int kept = log_begin();
	for (unsigned i = 0; i < 250; i++)
		fake_row("a", "bad");
	later();
	eg_inbound_close(in);
	in = NULL;
	const char *text = log_end(kept);
	assert_int_equal(occurrences(text, "\"agent.row_refused\""), 100);
	assert_int_equal(occurrences(text, "\"agent.rows_refused_untold\""), 1);
	assert_non_null(strstr(text, "\"rows\":150"));
}

static void no_more_is_taken_than_fits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++)
		fake_row("k", "ok");
	for (unsigned i = 0; i < 10; i++)
		later();
	assert_int_equal(source.at, 6); /* two batches of three wait for receipts */
	fake_answer(lane(2), 0, "a");
	turn();
	assert_int_equal(source.at, 9);
	assert_string_equal(source.verdicts, "1 2 3 ");
}

static void a_failing_source_is_opened_again_and_its_rows_come_again(void **state)
{
	(void)state;
	source.open_fails = EG_UNAVAILABLE;
	fake_row("a", "ok");
	turn();
	assert_int_equal(source.opened, 0);
	later();
	assert_int_equal(source.opened, 1);
	later();
	assert_int_equal(lane(2)->n_sent, 1);
	source.next_fails = EG_IO;
	later();
	assert_int_equal(source.closed, 1);
	fake_answer(lane(2), 0, "a"); /* too late: the row will come again */
	turn();
	assert_string_equal(source.verdicts, "");
	later();
	later();
	assert_int_equal(lane(2)->n_sent, 2);
	fake_answer(lane(2), 1, "u");
	turn();
	assert_string_equal(source.verdicts, "1 ");
	assert_int_equal(counts.source_failures, 1);
}

static void a_settle_that_fails_brings_the_rows_again(void **state)
{
	(void)state;
	fake_row("a", "ok");
	fake_row("b", "ok");
	later();
	later();
	source.settle_fails = EG_IO;
	answer_all(lane(2), 0, "a");
	turn();
	assert_string_equal(source.verdicts, "");
	later();
	later();
	answer_all(lane(2), 1, "u");
	turn();
	assert_string_equal(source.verdicts, "1 2 ");
	assert_true(eg_inbound_idle(in));
}

static void a_changed_schema_is_told_and_tried_slowly(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	fake_row("a", "ok");
	fake_row("b", "schema");
	int64_t before = eg_mono_us();
	later();
	assert_int_equal(source.closed, 1);
	eg_inbound_trouble(in, &err, &mend);
	assert_true(mend);
	assert_int_equal(err.rc, EG_CONFIG);
	assert_non_null(strstr(err.text, "SFZH"));
	assert_true(eg_inbound_idle(in)); /* nothing of it is under way any more */
	assert_true(eg_inbound_due(in) >= before + limits.slow_us / 2);
	assert_true(eg_inbound_due(in) <= eg_mono_us() + limits.slow_us);
	source.steps[1].does = "ok"; /* somebody mended it */
	later();
	later();
	answer_all(lane(2), 0, "a");
	turn();
	assert_string_equal(source.verdicts, "1 2 ");
	eg_inbound_trouble(in, &err, &mend);
	assert_false(mend);
}

static void a_dataset_that_is_not_permitted_leaves_rows_at_the_source(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	fake_row("a", "ok");
	later();
	later();
	fake_refuse(lane(2), 0, 7, "DATASET_NOT_PERMITTED", -1);
	turn();
	eg_inbound_trouble(in, &err, &mend);
	assert_true(mend);
	assert_int_equal(err.rc, EG_DENIED);
	assert_string_equal(source.verdicts, "");
	assert_int_equal(source.closed, 1);
	later();
	later();
	fake_answer(lane(2), 1, "a");
	turn();
	assert_string_equal(source.verdicts, "1 ");
	eg_inbound_trouble(in, &err, &mend);
	assert_int_equal(err.rc, EG_OK);
}

static void stopping_takes_nothing_more_and_settles_what_was_sent(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		fake_row("k", "ok");
	turn();
	unsigned taken = source.at;
	fake_row("late", "ok");
	eg_inbound_stop(in);
	later();
	assert_int_equal(source.at, taken);
	assert_false(eg_inbound_idle(in));
	answer_all(lane(2), 0, "a");
	turn();
	assert_true(eg_inbound_idle(in));
	assert_string_equal(source.verdicts, "1 2 3 4 5 ");
}

/* A source that counts its settled rows in the checkpoint, as a source without marks of its own does. */
static enum eg_rc counting_settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n,
                                  struct eg_err *err)
{
	char text[24];
	snprintf(text, sizeof text, "%llu", (unsigned long long)v[n - 1].ref);
	enum eg_rc rc = eg_checkpoint_put(checkpoint, "source/mark", eg_bytes_of(text), err);
	return rc ? rc : fake_settle(c, v, n, err);
}

static enum eg_rc hampered;

static enum eg_rc tells_trouble(const struct eg_connector *c, struct eg_err *err)
{
	(void)c;
	return hampered ? eg_fail(err, hampered, "a file holds back the others") : EG_OK;
}

/* What a source says of itself while it goes on is told like a failure, but is none. */
static void a_hampered_source_is_told(void **state)
{
	(void)state;
	static struct eg_connector_type telling; /* outlives the test: the teardown closes it */
	struct eg_err err = {0};
	bool mend = true;
	struct eg_inbound_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	telling = fake_connector;
	telling.trouble = tells_trouble;
	eg_inbound_close(in);
	mapping.info.connector = &telling;
	assert_int_equal(eg_inbound_open(&in, &o, NULL), EG_OK);
	turn();
	eg_inbound_trouble(in, &err, &mend);
	assert_int_equal(err.rc, EG_OK);
	hampered = EG_DENIED;
	eg_inbound_trouble(in, &err, &mend);
	assert_int_equal(err.rc, EG_DENIED);
	assert_string_equal(err.text, "a file holds back the others");
	assert_false(mend);
	hampered = EG_OK;
	eg_inbound_trouble(in, &err, &mend);
	assert_int_equal(err.rc, EG_OK);
}

static void marks_are_saved_behind_the_receipt(void **state)
{
	(void)state;
	static struct eg_connector_type counting; /* outlives the test: the teardown closes it */
	struct eg_checkpoint *seen;
	struct eg_inbound_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	counting = fake_connector;
	counting.settle = counting_settle;
	eg_inbound_close(in);
	mapping.info.connector = &counting;
	assert_int_equal(eg_inbound_open(&in, &o, NULL), EG_OK);
	fake_row("a", "ok");
	fake_row("b", "ok");
	later();
	later();
	assert_int_equal(eg_checkpoint_peek(&seen, state_dir, NULL), EG_OK);
	assert_int_equal(eg_checkpoint_get(seen, "source/mark").len, 0);
	eg_checkpoint_close(seen);
	answer_all(lane(2), 0, "a");
	turn();
	assert_int_equal(eg_checkpoint_peek(&seen, state_dir, NULL), EG_OK);
	assert_memory_equal(eg_checkpoint_get(seen, "source/mark").p, "2", 1);
	eg_checkpoint_close(seen);
}

/* ---- full lists ---- */

static Eldergate__V1__ReconcileRequest *step(const struct eg_link_call *c, unsigned i)
{
	Eldergate__V1__ReconcileRequest *m =
	        eldergate__v1__reconcile_request__unpack(NULL, c->sent[i].len, c->sent[i].p);
	assert_non_null(m);
	return m;
}

static struct eg_link_call *list_call(void)
{
	struct eg_link_call *c = fake_open_call("Reconcile");
	assert_non_null(c);
	return c;
}

/* As exchange.proto has it: each record's length, 4 bytes, and its bytes. */
static void digest_of(const struct eg_link_call *c, uint8_t out[EG_HASH_SIZE])
{
	struct eg_buf all = {0};
	for (unsigned i = 0; i < c->n_sent; i++) {
		Eldergate__V1__ReconcileRequest *m = step(c, i);
		bool records = m->step_case == ELDERGATE__V1__RECONCILE_REQUEST__STEP_RECORDS;
		for (size_t k = 0; records && k < m->records->n_records; k++) {
			size_t len = eldergate__v1__record__get_packed_size(m->records->records[k]);
			eg_buf_add_be(&all, len, 4);
			eldergate__v1__record__pack(m->records->records[k], eg_buf_grow(&all, len));
		}
		eldergate__v1__reconcile_request__free_unpacked(m, NULL);
	}
	struct eg_bytes bytes = eg_buf_bytes(&all);
	eg_sha256(&bytes, 1, out);
	eg_buf_free(&all);
}

static void report(struct eg_link_call *c, uint64_t rejected)
{
	Eldergate__V1__ReconcileResponse m = ELDERGATE__V1__RECONCILE_RESPONSE__INIT;
	Eldergate__V1__ReconcileReport r = ELDERGATE__V1__RECONCILE_REPORT__INIT;
	r.changed = 2;
	r.unchanged = 3;
	r.rejected = rejected;
	m.told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REPORT;
	m.report = &r;
	fake_say(c, &m.base);
}

static void reject(struct eg_link_call *c, uint64_t index)
{
	Eldergate__V1__ReconcileResponse m = ELDERGATE__V1__RECONCILE_RESPONSE__INIT;
	Eldergate__V1__ReconcileRejects rejects = ELDERGATE__V1__RECONCILE_REJECTS__INIT;
	Eldergate__V1__ListedReject one = ELDERGATE__V1__LISTED_REJECT__INIT, *all[] = {&one};
	Eldergate__V1__Reason why = ELDERGATE__V1__REASON__INIT, *reasons[] = {&why};
	why.code = 103;
	why.severity = ELDERGATE__V1__SEVERITY__SEVERITY_ERROR;
	one.index = index;
	one.reject_seq = 500 + index;
	one.n_reasons = 1;
	one.reasons = reasons;
	rejects.n_rejects = 1;
	rejects.rejects = all;
	m.told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REJECTS;
	m.rejects = &rejects;
	fake_say(c, &m.base);
}

static void write_list(int64_t declared)
{
	fake_step(EG_IN_LIST_BEGIN, -1); /* 1 */
	fake_row("a", "ok");             /* 2: record 0 */
	fake_row("b", "bad");            /* 3: record 1, its key alone */
	fake_row("c", "death");          /* 4: record 2 */
	fake_row("d", "skip");           /* 5: not in the list */
	fake_step(EG_IN_BAD, 0);         /* 6: record 3, empty */
	fake_row("e", "ok");             /* 7: record 4 */
	fake_step(EG_IN_LIST_END, declared);
	fake_row("after", "ok"); /* 9 */
}

static void a_full_list_is_settled_by_its_report(void **state)
{
	(void)state;
	write_list(6);
	for (unsigned i = 0; i < 6; i++)
		later();
	struct eg_link_call *c = list_call();
	assert_int_equal(source.at, 8); /* what follows waits */
	assert_true(c->half_closed);
	Eldergate__V1__ReconcileRequest *m = step(c, 0);
	assert_int_equal(m->step_case, ELDERGATE__V1__RECONCILE_REQUEST__STEP_BEGIN);
	assert_string_equal(m->begin->list_id, "HOUSEHOLD_330302_20260301_1_FULL.csv");
	assert_string_equal(m->begin->dataset, "household");
	assert_int_equal(m->begin->as_of, 20260301);
	assert_null(m->begin->taken_at); /* the connector does not say it */
	assert_int_equal(m->begin->mapping_revision, 7);
	eldergate__v1__reconcile_request__free_unpacked(m, NULL);
	m = step(c, 1);
	assert_int_equal(m->step_case, ELDERGATE__V1__RECONCILE_REQUEST__STEP_RECORDS);
	assert_int_equal(m->records->n_records, 3);
	assert_string_equal(m->records->records[1]->source_key, "b"); /* there, though it cannot be read */
	assert_int_equal(m->records->records[1]->section_case, ELDERGATE__V1__RECORD__SECTION__NOT_SET);
	eldergate__v1__reconcile_request__free_unpacked(m, NULL);
	m = step(c, 2);
	assert_string_equal(m->records->records[0]->source_key, "");
	assert_string_equal(m->records->records[1]->source_key, "e");
	eldergate__v1__reconcile_request__free_unpacked(m, NULL);
	m = step(c, 3);
	assert_int_equal(m->step_case, ELDERGATE__V1__RECONCILE_REQUEST__STEP_END);
	assert_int_equal(m->end->count, 5);
	uint8_t digest[EG_HASH_SIZE];
	digest_of(c, digest);
	assert_int_equal(m->end->digest.len, sizeof digest);
	assert_memory_equal(m->end->digest.data, digest, sizeof digest);
	eldergate__v1__reconcile_request__free_unpacked(m, NULL);
	assert_string_equal(source.verdicts, "3!DATE_INVALID 5 6!MALFORMED_ROW ");
	*source.verdicts = 0;
	reject(c, 4);
	reject(c, 2);
	report(c, 2);
	turn();
	turn();
	assert_string_equal(source.verdicts, "1 2 4!ID_CHECK_DIGIT 7!ID_CHECK_DIGIT 8 ");
	assert_int_equal(counts.lists, 1);
	assert_int_equal(counts.unchanged, 3);
	later();
	later();
	answer_all(lane(2), 0, "a");
	turn();
	assert_non_null(strstr(source.verdicts, "8 9 "));
}

/* A list that repeats an earlier one, or has over 10,000 rejects: the gateway counts more than it tells. */
static void rejects_that_are_not_told_are_counted_at_the_end(void **state)
{
	(void)state;
	fake_step(EG_IN_LIST_BEGIN, -1);
	for (unsigned i = 0; i < 3; i++)
		fake_row("a", "ok");
	fake_step(EG_IN_LIST_END, 3);
	for (unsigned i = 0; i < 3; i++)
		later();
	reject(list_call(), 1);
	report(list_call(), 3);
	turn();
	turn();
	assert_string_equal(source.verdicts, "1 2 3!ID_CHECK_DIGIT 4 5REJECTS_UNTOLD ");
	assert_non_null(strstr(source.text, "2"));
}

static void when_a_list_was_taken_goes_with_its_begin(void **state)
{
	(void)state;
	static const struct {
		int64_t us, seconds;
		int32_t nanos; /* -1: it is not stated */
	} cases[] = {{1772294400000000, 1772294400, 0},
	             {1772294400123456, 1772294400, 123456000},
	             {EG_SECOND, 1, 0},
	             {EG_SECOND - 1, 0, -1}, /* what is no time must not cost the list */
	             {-EG_SECOND, 0, -1},
	             {INT64_MIN, 0, -1},
	             {INT64_MAX, 0, -1}};
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		source.taken_at = cases[i].us;
		fake_step(EG_IN_LIST_BEGIN, -1);
		fake_row("a", "ok");
		fake_step(EG_IN_LIST_END, -1);
		for (unsigned k = 0; k < 3; k++)
			later();
		Eldergate__V1__ReconcileRequest *m = step(list_call(), 0);
		const Google__Protobuf__Timestamp *t = m->begin->taken_at;
		assert_true((t ? t->nanos : -1) == cases[i].nanos);
		assert_true((t ? t->seconds : 0) == cases[i].seconds);
		assert_int_equal(m->begin->as_of, 20260301);
		eldergate__v1__reconcile_request__free_unpacked(m, NULL);
		report(list_call(), 1);
		turn();
		turn();
	}
}

static void a_list_with_the_wrong_count_is_refused(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend = false;
	write_list(7);
	for (unsigned i = 0; i < 5; i++)
		turn();
	for (unsigned i = 0; i < fake.n_calls; i++)
		for (unsigned k = 0; strstr(fake.calls[i]->method, "Reconcile") && k < fake.calls[i]->n_sent;
		     k++) {
			Eldergate__V1__ReconcileRequest *m = step(fake.calls[i], k);
			assert_int_not_equal(m->step_case, ELDERGATE__V1__RECONCILE_REQUEST__STEP_END);
			eldergate__v1__reconcile_request__free_unpacked(m, NULL);
		}
	assert_null(fake_open_call("Reconcile"));
	/* It is told to the source as what is wrong with the list, and holds nothing up. */
	assert_string_equal(source.verdicts, "3!DATE_INVALID 5 6!MALFORMED_ROW 1? 2? 4? 7? 8!LIST_COUNT ");
	assert_non_null(strstr(source.text, "7"));
	eg_inbound_trouble(in, &err, &mend);
	assert_int_equal(err.rc, EG_OK);
	assert_int_equal(counts.lists_abandoned, 1);
	assert_int_equal(counts.source_failures, 0);
	later();
	later();
	answer_all(lane(2), 0, "a"); /* the row behind the list */
	turn();
	assert_non_null(strstr(source.verdicts, "8!LIST_COUNT 9 "));
}

/* A list of one row, of a district. */
static void write_list_of(const char *region)
{
	fake_step(EG_IN_LIST_BEGIN, -1);
	source.steps[source.n - 1].region = region;
	fake_row(region, "ok");
	fake_step(EG_IN_LIST_END, 1);
}

static void open_anew(uint32_t revision)
{
	eg_inbound_close(in);
	in = NULL;
	mapping.info.revision = revision;
	struct eg_inbound_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	assert_int_equal(eg_inbound_open(&in, &o, NULL), EG_OK);
}

/* Where records have no region, a list of one district says that the people of all others are gone. */
static void a_dataset_without_regions_takes_the_lists_of_one(void **state)
{
	(void)state;
	mapping.info.section = EG_ASSISTANCE;
	/* One that the gateway refuses decides nothing. */
	write_list_of("330304"); /* 1 to 3 */
	later();
	fake_end(list_call(), 3, "ARGUMENT_INVALID", -1);
	later();
	assert_string_equal(source.verdicts, "1? 2? 3!ARGUMENT_INVALID ");
	source.n = source.at = 0;
	*source.verdicts = 0;
	write_list_of("330302");
	write_list_of("330303"); /* 4 to 6 */
	later();
	report(list_call(), 0);
	for (unsigned i = 0; i < 6; i++)
		later();
	assert_null(fake_open_call("Reconcile"));
	assert_string_equal(source.verdicts, "1 2 3 4? 5? 6!LIST_REGION ");
	assert_non_null(strstr(source.text, "330302"));
	assert_int_equal(counts.lists, 1);
	/* Also after a restart, and while another connector names none. */
	open_anew(mapping.info.revision);
	source.n = source.at = 0;
	*source.verdicts = 0;
	write_list_of("330303");
	write_list_of("330302"); /* 4 to 6 */
	for (unsigned i = 0; i < 4; i++)
		later();
	report(list_call(), 0);
	later();
	assert_string_equal(source.verdicts, "1? 2? 3!LIST_REGION 4 5 6 ");
	/* Until somebody says that all is to be another's. */
	open_anew(mapping.info.revision + 1);
	source.n = source.at = 0;
	*source.verdicts = 0;
	write_list_of("330303");
	later();
	report(list_call(), 0);
	later();
	assert_string_equal(source.verdicts, "1 2 3 ");
}

static void lists_with_regions_of_their_own_stand_side_by_side(void **state)
{
	(void)state;
	mapping.info.section = EG_REGISTRATION;
	write_list_of("330302");
	write_list_of("330303");
	for (unsigned i = 0; i < 2; i++) {
		later();
		report(list_call(), 0);
		later();
		later();
	}
	assert_string_equal(source.verdicts, "1 2 3 4 5 6 ");
}

static void an_abandoned_list_withdraws_nobody(void **state)
{
	(void)state;
	fake_step(EG_IN_LIST_BEGIN, -1);
	for (unsigned i = 0; i < 4; i++)
		fake_row("a", "ok");
	later();
	fake_step(EG_IN_LIST_ABANDON, 0);
	struct eg_link_call *c = list_call();
	later();
	assert_true(c->dropped);
	assert_string_equal(source.verdicts, "1? 2? 3? 4? 5? 6? ");
	assert_int_equal(counts.lists_abandoned, 1);
	assert_false(eg_inbound_due(in) == 0);
}

static void a_list_that_breaks_comes_again_whole(void **state)
{
	(void)state;
	write_list(6);
	for (unsigned i = 0; i < 6; i++)
		later();
	struct eg_link_call *first = list_call();
	fake_lose();
	turn();
	assert_true(first->dropped);
	assert_int_equal(source.closed, 1);
	fake.up = true;
	for (unsigned i = 0; i < 6; i++)
		later();
	/* What was refused at once is settled; the list is the rest of it, and its count is what the source
	 * says. */
	assert_ptr_not_equal(first, fake_open_call("Reconcile"));
}

static void a_refused_list_is_told_and_the_source_goes_on(void **state)
{
	(void)state;
	fake_step(EG_IN_LIST_BEGIN, -1);
	fake_row("a", "ok");
	fake_step(EG_IN_LIST_END, 1);
	fake_row("after", "ok");
	for (unsigned i = 0; i < 3; i++)
		turn();
	fake_end(list_call(), 3, "LIST_COUNT", -1);
	turn();
	turn();
	assert_string_equal(source.verdicts, "1? 2? 3!LIST_COUNT ");
	assert_int_equal(source.closed, 0);
	assert_int_equal(counts.lists_abandoned, 1);
	later();
	later();
	answer_all(lane(2), 0, "a");
	turn();
	assert_non_null(strstr(source.verdicts, "COUNT 4 "));
	assert_true(eg_inbound_idle(in));
}

/* A gateway that refuses the very beginning says so while the source still hands out rows. */
static void a_list_refused_at_its_beginning_is_read_to_its_end(void **state)
{
	(void)state;
	fake_step(EG_IN_LIST_BEGIN, -1);
	for (unsigned i = 0; i < 4; i++)
		fake_row("a", "ok");
	turn();
	fake_end(list_call(), 3, "ARGUMENT_INVALID", -1);
	turn();
	for (unsigned i = 0; i < 40; i++)
		fake_row("b", "ok");
	fake_step(EG_IN_LIST_END, 44);
	for (unsigned i = 0; i < 4; i++)
		turn();
	assert_null(fake_open_call("Reconcile"));
	assert_int_equal(source.closed, 0);
	assert_non_null(strstr(source.verdicts, "1? 2? 3? "));
	assert_non_null(strstr(source.verdicts, " 45? 46!ARGUMENT_INVALID "));
	assert_true(eg_inbound_idle(in));
}

static void a_list_of_a_dataset_that_is_not_permitted_stays_at_the_source(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	fake_step(EG_IN_LIST_BEGIN, -1);
	fake_row("a", "ok");
	fake_step(EG_IN_LIST_END, 1);
	for (unsigned i = 0; i < 3; i++)
		turn();
	fake_end(list_call(), 7, "DATASET_NOT_PERMITTED", -1);
	turn();
	eg_inbound_trouble(in, &err, &mend);
	assert_true(mend);
	assert_string_equal(source.verdicts, "");
	later();
	later();
	report(list_call(), 0);
	turn();
	turn();
	assert_string_equal(source.verdicts, "1 2 3 ");
}

static void a_list_waits_for_credit(void **state)
{
	(void)state;
	fake.first_credit = 1;
	fake_step(EG_IN_LIST_BEGIN, -1);
	for (unsigned i = 0; i < 1000; i++)
		fake_row("a", "ok");
	fake_step(EG_IN_LIST_END, 1000);
	for (unsigned i = 0; i < 20; i++)
		turn();
	assert_int_equal(list_call()->n_sent, 1);
	assert_in_range(source.at, 1, 20); /* bounded: a few messages of three */
	for (unsigned i = 0; i < 2000 && !list_call()->half_closed; i++) {
		list_call()->credit = 1;
		turn();
	}
	assert_int_equal(list_call()->n_sent, 336);
	report(list_call(), 0);
	for (unsigned i = 0; i < 3; i++)
		turn();
	assert_true(eg_inbound_idle(in));
	assert_true(source.steps[1001].settled);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_inbound, close_inbound)
	const struct CMUnitTest tests[] = {
	        T(deaths_travel_apart),
	        T(faulty_rows_are_refused_here_and_never_sent),
	        T(rows_refused_here_are_told_in_the_log),
	        T(a_flood_of_refused_rows_is_counted),
	        T(no_more_is_taken_than_fits),
	        T(a_failing_source_is_opened_again_and_its_rows_come_again),
	        T(a_settle_that_fails_brings_the_rows_again),
	        T(a_changed_schema_is_told_and_tried_slowly),
	        T(a_dataset_that_is_not_permitted_leaves_rows_at_the_source),
	        T(stopping_takes_nothing_more_and_settles_what_was_sent),
	        T(marks_are_saved_behind_the_receipt),
	        T(a_hampered_source_is_told),
	        T(a_full_list_is_settled_by_its_report),
	        T(rejects_that_are_not_told_are_counted_at_the_end),
	        T(when_a_list_was_taken_goes_with_its_begin),
	        T(a_list_with_the_wrong_count_is_refused),
	        T(a_dataset_without_regions_takes_the_lists_of_one),
	        T(lists_with_regions_of_their_own_stand_side_by_side),
	        T(an_abandoned_list_withdraws_nobody),
	        T(a_list_that_breaks_comes_again_whole),
	        T(a_refused_list_is_told_and_the_source_goes_on),
	        T(a_list_refused_at_its_beginning_is_read_to_its_end),
	        T(a_list_of_a_dataset_that_is_not_permitted_stays_at_the_source),
	        T(a_list_waits_for_credit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
