/* The loop: once gets done or says why not, a stop settles what was sent, the status file tells how things
 * stand. */
#include "common/agent.h"

#include "base/clock.h"
#include "eldergate/v1/feed.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

static volatile sig_atomic_t stop;
static struct eg_err err;
static char status_path[96];

/* A gateway that takes everything at once. */
static void gateway_sent(struct eg_link_call *c)
{
	if (strstr(c->method, "Submit"))
		fake_answer(c, c->n_sent - 1, "a");
}

static enum eg_rc run(bool once)
{
	struct eg_agent_options o = {.program = "eldergate-test",
	                             .mapping = &mapping,
	                             .link = &fake,
	                             .checkpoint = checkpoint,
	                             .limits = &limits,
	                             .once = once,
	                             .status_file = status_path,
	                             .stop = &stop,
	                             .counts = &counts};
	err = (struct eg_err){0};
	return eg_agent_run(&o, &err);
}

static int open_agent(void **state)
{
	stop = 0;
	int rc = world_open(state);
	snprintf(status_path, sizeof status_path, "%s/status.json", state_dir);
	return rc;
}

static void assert_status(const char *what)
{
	static char text[4096];
	FILE *f = fopen(status_path, "r");
	assert_non_null(f);
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	fclose(f);
	if (!strstr(text, what))
		fail_msg("no %s in %s", what, text);
}

static void once_takes_everything_and_ends(void **state)
{
	(void)state;
	fake.sent = gateway_sent;
	for (unsigned i = 0; i < 20; i++)
		fake_row("k", i % 5 ? "ok" : "death");
	fake_row("k", "bad");
	assert_int_equal(run(true), EG_OK);
	for (unsigned i = 0; i < 21; i++)
		assert_true(source.steps[i].settled);
	assert_int_equal(source.opened, source.closed);
	assert_status("\"rows\":21");
	assert_status("\"applied\":20");
	assert_status("\"bad_rows\":1");
	assert_status("\"rows_in_flight\":0");
	assert_status("\"link\":\"up\"");
	assert_status("\"dataset\":\"household\"");
	assert_status("\"trouble\":\"\"");
}

static void once_of_nothing_ends(void **state)
{
	(void)state;
	assert_int_equal(run(true), EG_OK);
	assert_int_equal(counts.rows, 0);
}

static void once_gives_up_with_what_keeps_it(void **state)
{
	(void)state;
	fake.up = false;
	fake_row("k", "ok");
	assert_int_equal(run(true), EG_UNAVAILABLE);
	assert_non_null(strstr(err.text, "cannot be reached"));
	assert_status("\"link\":\"down\"");
	fake.up = true;
	assert_int_equal(run(true), EG_UNAVAILABLE);
	assert_non_null(strstr(err.text, "answers nothing"));
	source.steps[0].does = "schema";
	assert_int_equal(run(true), EG_CONFIG);
	assert_status("SFZH");
	assert_status("\"source\":\"failed\"");
}

static void once_waits_while_something_moves(void **state)
{
	(void)state;
	fake.sent = gateway_sent;
	fake_row("k", "ok");
	source.open_fails = EG_UNAVAILABLE;
	assert_int_equal(run(true), EG_OK);
	assert_string_equal(source.verdicts, "1 ");
}

static unsigned idles;

static void stop_soon(void)
{
	stop = ++idles >= 3;
}

/* Receipts come only once the agent is asked to stop. */
static void answer_late(void)
{
	struct eg_link_call *c = fake_open_call("Submit");
	if (++idles == 3)
		stop = 1;
	if (idles == 6)
		for (unsigned i = 0; i < c->n_sent; i++)
			fake_answer(c, i, "a");
}

static void a_stop_waits_for_receipts(void **state)
{
	(void)state;
	idles = 0;
	fake.idle = answer_late;
	limits.grace_us = 60 * EG_SECOND;
	for (unsigned i = 0; i < 100; i++)
		fake_row("k", "ok");
	assert_int_equal(run(false), EG_OK);
	assert_string_equal(source.verdicts, "1 2 3 4 5 6 ");
	assert_status("\"state\":\"stopping\"");
}

static void a_stop_ends_after_the_grace(void **state)
{
	(void)state;
	idles = 0;
	fake.idle = stop_soon;
	fake_row("k", "ok");
	int64_t from = eg_mono_us();
	assert_int_equal(run(false), EG_OK);
	assert_true(eg_mono_us() - from >= limits.grace_us);
	assert_string_equal(source.verdicts, "");
	assert_int_equal(source.opened, source.closed);
}

static void a_failed_source_does_not_end_a_run(void **state)
{
	(void)state;
	idles = 0;
	fake.idle = stop_soon;
	fake_row("k", "schema");
	assert_int_equal(run(false), EG_OK);
	assert_true(source.opened >= 1);
	assert_status("\"source_failures\":");
}

static void an_empty_source_is_no_busy_loop(void **state)
{
	(void)state;
	idles = 0;
	fake.idle = stop_soon;
	assert_int_equal(run(false), EG_OK);
	assert_true(fake.longest_us > 100000); /* the fake source says at once that it has nothing */
}

/* Whoever may write into the status file's folder must not thereby write elsewhere. */
static void the_status_file_follows_no_link(void **state)
{
	(void)state;
	char victim[96], beside[112], text[8] = "";
	snprintf(victim, sizeof victim, "%s/victim", state_dir);
	snprintf(beside, sizeof beside, "%s.new", status_path);
	FILE *f = fopen(victim, "w");
	assert_non_null(f);
	assert_true(fputs("kept", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(symlink(victim, beside), 0);
	assert_int_equal(run(true), EG_OK);
	assert_status("\"rows\":0");
	f = fopen(victim, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof text, f));
	fclose(f);
	assert_string_equal(text, "kept");
}

static int64_t enough_us;

static void stop_after_a_while(void)
{
	stop = eg_mono_us() >= enough_us && fake.waits > 100;
	assert_true(eg_mono_us() < enough_us + 60 * EG_SECOND); /* it turns, however slow the machine is */
}

/* The fake link does not really wait; what counts is how long the agent lets it. All backoffs are over long
 * before the end. */
static void assert_patient(void)
{
	limits.status_us = EG_SECOND;
	limits.grace_us = 0;
	fake.waits = fake.hasty = 0;
	fake.idle = stop_after_a_while;
	enough_us = eg_mono_us() + EG_SECOND / 5;
	assert_int_equal(run(false), EG_OK);
	assert_true(fake.hasty < fake.waits / 10);
}

static void an_absent_gateway_is_no_busy_loop(void **state)
{
	(void)state;
	mapping.info.has_outbound = true;
	fake.up = false;
	for (unsigned i = 0; i < 100; i++)
		fake_row("k", "ok");
	assert_patient();
}

static void a_gateway_that_takes_nothing_is_no_busy_loop(void **state)
{
	(void)state;
	mapping.info.has_outbound = true;
	fake.first_credit = 0;
	for (unsigned i = 0; i < 100; i++)
		fake_row("k", "ok");
	assert_patient();
}

/* The first batch is to come later, and then there is no credit for it. */
static void refuse_for_now(struct eg_link_call *c)
{
	c->credit = 0;
	if (strstr(c->method, "Submit"))
		fake_refuse(c, c->n_sent - 1, 14, "BUSY", 0);
}

static void a_batch_without_credit_is_no_busy_loop(void **state)
{
	(void)state;
	fake.sent = refuse_for_now;
	fake_row("k", "ok");
	assert_patient();
}

/* Says to a new subscription what happened, and that this is all. */
static void feed_sent(struct eg_link_call *c)
{
	Eldergate__V1__SubscribeResponse w = ELDERGATE__V1__SUBSCRIBE_RESPONSE__INIT;
	Eldergate__V1__Cursor cursor = ELDERGATE__V1__CURSOR__INIT;
	Eldergate__V1__FeedItem item[2] = {ELDERGATE__V1__FEED_ITEM__INIT, ELDERGATE__V1__FEED_ITEM__INIT};
	Eldergate__V1__FeedItem *items[] = {&item[0], &item[1]};
	Eldergate__V1__ChangeEvent event = ELDERGATE__V1__CHANGE_EVENT__INIT;
	Eldergate__V1__Progress progress = ELDERGATE__V1__PROGRESS__INIT;
	gateway_sent(c);
	if (!strstr(c->method, "Subscribe"))
		return;
	event.log_id = cursor.log_id = "log";
	event.person_ref = "p";
	event.seq = 5;
	cursor.seq = 1000; /* behind what the receipts name */
	progress.live = true;
	item[0].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE;
	item[0].change = &event;
	item[1].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS;
	item[1].progress = &progress;
	w.n_items = 2;
	w.items = items;
	w.next = &cursor;
	fake_say(c, &w.base);
}

static void once_delivers_what_there_is(void **state)
{
	(void)state;
	mapping.info.has_outbound = true;
	fake.sent = feed_sent;
	fake_row("k", "ok");
	assert_int_equal(run(true), EG_OK);
	assert_string_equal(target.delivered, "5 ");
	assert_string_equal(source.verdicts, "1 ");
	assert_status("\"cursor_seq\":1000");
	assert_status("\"target\":\"open\"");
	assert_status("\"delivered\":1");
}

/* ---- lists beside rows ---- */

/* A list of one row; and, once all of the list was sent, a death. */
static struct half {
	enum eg_part part;
	unsigned at, taken;
} halves[3];

static enum eg_rc half_open(struct eg_connector **out, const struct eg_connector_options *o,
                            struct eg_err *why)
{
	(void)why;
	halves[o->part] = (struct half){.part = o->part};
	*out = (struct eg_connector *)(void *)&halves[o->part];
	return EG_OK;
}

static void half_close(struct eg_connector *c)
{
	(void)c;
}

static enum eg_rc half_next(struct eg_connector *c, int64_t deadline, struct eg_in *out, struct eg_err *why)
{
	static const enum eg_in_kind list[] = {EG_IN_LIST_BEGIN, EG_IN_ROW, EG_IN_LIST_END};
	static const char *const names[] = {"KEY", "KIND"};
	static const struct eg_columns columns = {.generation = 1, .n = 2, .names = names};
	static struct eg_bytes values[2];
	struct half *h = (struct half *)(void *)c;
	struct eg_link_call *sent = fake_open_call("Reconcile");
	bool listed = h->part != EG_PART_ROWS && h->at < 3;
	(void)deadline;
	(void)why;
	if (!listed && (h->part == EG_PART_LISTS || h->at % 3 || !sent || !sent->half_closed || h->taken))
		return EG_EMPTY;
	values[0] = eg_bytes_of("k");
	values[1] = eg_bytes_of(listed ? "ok" : "death");
	*out = (struct eg_in){.kind = listed ? list[h->at] : EG_IN_ROW,
	                      .ref = ++h->at,
	                      .columns = &columns,
	                      .values = values,
	                      .place = "",
	                      .list = {.name = "LIST", .as_of = 7, .count = -1}};
	return EG_OK;
}

static enum eg_rc half_settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n,
                              struct eg_err *why)
{
	(void)why;
	for (unsigned i = 0; i < n; i++)
		((struct half *)(void *)c)->taken += v[i].code == EG_VERDICT_TAKEN;
	return EG_OK;
}

static void stop_when_the_death_is_settled(void)
{
	stop = halves[EG_PART_ROWS].taken || ++idles > 100;
}

static void a_death_does_not_wait_for_the_verdict_of_a_list(void **state)
{
	(void)state;
	static struct eg_connector_type split;
	split = fake_connector;
	split.open_source = half_open;
	split.close = half_close;
	split.next = half_next;
	split.settle = half_settle;
	split.splits = true;
	mapping.info.connector = &split;
	fake.sent = gateway_sent; /* it says nothing of lists */
	fake.idle = stop_when_the_death_is_settled;
	idles = 0;
	assert_int_equal(run(false), EG_OK);
	assert_int_equal(halves[EG_PART_ROWS].taken, 1);
	assert_int_equal(halves[EG_PART_LISTS].at, 3);
	assert_int_equal(halves[EG_PART_LISTS].taken, 0);
	assert_int_equal(counts.applied, 1);
	assert_status("\"list_open\":true");
	/* once: there is nobody to wait, and one end. */
	stop = 0;
	idles = 0;
	split.next = fake_next;
	split.settle = fake_settle;
	split.open_source = fake_open_source;
	split.close = fake_close;
	fake_row("k", "ok");
	assert_int_equal(run(true), EG_OK);
	assert_int_equal(source.opened, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_agent, world_close)
	const struct CMUnitTest tests[] = {
	        T(once_takes_everything_and_ends),
	        T(once_of_nothing_ends),
	        T(once_gives_up_with_what_keeps_it),
	        T(once_waits_while_something_moves),
	        T(a_stop_waits_for_receipts),
	        T(a_stop_ends_after_the_grace),
	        T(a_failed_source_does_not_end_a_run),
	        T(an_empty_source_is_no_busy_loop),
	        T(the_status_file_follows_no_link),
	        T(an_absent_gateway_is_no_busy_loop),
	        T(a_gateway_that_takes_nothing_is_no_busy_loop),
	        T(a_batch_without_credit_is_no_busy_loop),
	        T(once_delivers_what_there_is),
	        T(a_death_does_not_wait_for_the_verdict_of_a_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
