/* Changes to the agency: in order per person, at least once, the cursor behind what was delivered. */
#include "common/deliver.h"

#include "base/clock.h"
#include "common/checkpoint.h"
#include "common/parked.h"
#include "common/requests.h"
#include "eldergate/v1/feed.pb-c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

#define LINGER (EG_SECOND / 50) /* ahead.c's */

static struct eg_deliver *deliver;
static int64_t now;

static void start(void)
{
	struct eg_deliver_options o = {.mapping = &mapping,
	                               .link = &fake,
	                               .checkpoint = checkpoint,
	                               .limits = &limits,
	                               .counts = &counts};
	assert_int_equal(eg_deliver_open(&deliver, &o, NULL), EG_OK);
}

static int open_deliver(void **state)
{
	if (world_open(state))
		return 1;
	now = eg_mono_us();
	start();
	return 0;
}

static int close_deliver(void **state)
{
	eg_deliver_close(deliver);
	return world_close(state);
}

static void turn(void)
{
	struct eg_link_event e;
	while (eg_link_wait(&fake, 0, &e, NULL) == EG_OK)
		eg_deliver_event(deliver, &e, now);
	for (unsigned i = 0; i < 100 && eg_deliver_turn(deliver, now); i++)
		;
}

/* Any wait that anybody may have set is over, but for the gateway's silence. */
static void later(void)
{
	now = (now > eg_mono_us() ? now : eg_mono_us()) + EG_SECOND / 10;
	turn();
}

static struct eg_link_call *feed(void)
{
	struct eg_link_call *c = fake_open_call("Subscribe");
	assert_non_null(c);
	return c;
}

static Eldergate__V1__SubscribeRequest *asked(void)
{
	Eldergate__V1__SubscribeRequest *q =
	        eldergate__v1__subscribe_request__unpack(NULL, feed()->sent[0].len, feed()->sent[0].p);
	assert_non_null(q);
	return q;
}

static void assert_asked_cursor(uint64_t seq)
{
	Eldergate__V1__SubscribeRequest *q = asked();
	assert_int_equal(q->start->position_case, ELDERGATE__V1__FEED_START__POSITION_CURSOR);
	assert_string_equal(q->start->cursor->log_id, "log");
	assert_int_equal(q->start->cursor->seq, seq);
	eldergate__v1__subscribe_request__free_unpacked(q, NULL);
}

/* A window. items: one word each: "P12" an event of person P with seq 12, then the kind behind ':' (skip,
 * bad);
 * "=P12" that person in a snapshot; "live", "progress", "restored". row: of the next cursor. */
static void window(const char *items, uint64_t next, uint64_t row)
{
	enum { MOST = 32 };
	static Eldergate__V1__FeedItem item[MOST], *pointers[MOST];
	static Eldergate__V1__ChangeEvent event[MOST];
	static Eldergate__V1__PersonState person[MOST];
	static Eldergate__V1__Progress progress;
	static Eldergate__V1__LogChanged restored;
	static char text[400], names[MOST][2];
	Eldergate__V1__SubscribeResponse w = ELDERGATE__V1__SUBSCRIBE_RESPONSE__INIT;
	Eldergate__V1__Cursor cursor = ELDERGATE__V1__CURSOR__INIT;
	size_t n = 0;
	snprintf(text, sizeof text, "%s", items);
	eldergate__v1__progress__init(&progress);
	eldergate__v1__log_changed__init(&restored);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "), n++) {
		bool is_state = *word == '=';
		char *colon = strchr(word, ':');
		if (colon)
			*colon++ = 0;
		eldergate__v1__feed_item__init(&item[n]);
		eldergate__v1__change_event__init(&event[n]);
		eldergate__v1__person_state__init(&person[n]);
		pointers[n] = &item[n];
		names[n][0] = word[is_state];
		names[n][1] = 0;
		if (strcmp(word, "live") == 0 || strcmp(word, "progress") == 0) {
			progress.live = *word == 'l';
			item[n].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS;
			item[n].progress = &progress;
		} else if (strcmp(word, "restored") == 0) {
			item[n].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_LOG_CHANGED;
			item[n].log_changed = &restored;
		} else if (is_state) {
			person[n].log_id = "log";
			person[n].person_ref = names[n];
			person[n].seq = strtoull(word + 2, NULL, 10);
			item[n].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_SNAPSHOT;
			item[n].snapshot = &person[n];
		} else {
			event[n].log_id = "log";
			event[n].person_ref = names[n];
			event[n].seq = strtoull(word + 1, NULL, 10);
			event[n].case_id = colon ? colon : "";
			item[n].item_case = ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE;
			item[n].change = &event[n];
		}
	}
	cursor.log_id = "log";
	cursor.seq = next;
	cursor.snapshot_row = row;
	w.n_items = n;
	w.items = pointers;
	w.next = &cursor;
	fake_say(feed(), &w.base);
}

static void assert_cursor(const char *text)
{
	struct eg_checkpoint *seen;
	assert_int_equal(eg_checkpoint_peek(&seen, state_dir, NULL), EG_OK);
	struct eg_bytes v = eg_checkpoint_get(seen, "agent/cursor");
	assert_int_equal(v.len, strlen(text));
	if (v.len)
		assert_memory_equal(v.p, text, v.len);
	eg_checkpoint_close(seen);
}

static void restart(void)
{
	eg_deliver_close(deliver);
	world_reopen_checkpoint();
	start();
	later();
}

/* What the agency refuses, and what it cannot take now. */
static const char *refuses, *busy;

static enum eg_rc answer(const struct eg_delivery *d, struct eg_err *err)
{
	const char *seq = strrchr(d->event_id, '-') + 1;
	if (refuses && strcmp(seq, refuses) == 0)
		return eg_fail(err, EG_INVALID, "the agency does not know this region");
	if (busy && strcmp(seq, busy) == 0)
		return eg_fail(err, EG_UNAVAILABLE, "the agency is closed");
	return EG_OK;
}

static void the_first_start_is_now_with_the_mapping_s_filter(void **state)
{
	(void)state;
	static const char *const fields[] = {"life_status"}, *const regions[] = {"3303"};
	mapping.outbound.n_changed_fields = mapping.outbound.n_regions = 1;
	mapping.outbound.changed_fields = fields;
	mapping.outbound.regions = regions;
	turn();
	Eldergate__V1__SubscribeRequest *q = asked();
	assert_true(feed()->half_closed);
	assert_int_equal(q->start->position_case, ELDERGATE__V1__FEED_START__POSITION__NOT_SET);
	assert_string_equal(q->purpose, "verify-death");
	assert_int_equal(q->filter->n_kinds, 2);
	assert_int_equal(q->filter->kinds[1], 3);
	assert_string_equal(q->filter->changed_fields[0], "life_status");
	assert_string_equal(q->filter->region_prefixes[0], "3303");
	eldergate__v1__subscribe_request__free_unpacked(q, NULL);
	window("progress", 40, 0);
	turn();
	assert_cursor("log 40 0"); /* from here on nothing is missed */
	restart();
	assert_asked_cursor(40);
}

static void events_go_out_in_order_and_the_cursor_follows(void **state)
{
	(void)state;
	turn();
	window("a11 b12 c13:skip d14 live", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 12 14 ");
	assert_cursor("log 20 0");
	assert_int_equal(counts.delivered, 3);
	assert_int_equal(counts.not_for_us, 1);
	fake_lose();
	turn();
	fake.up = true;
	later();
	assert_asked_cursor(20);
}

static void nothing_is_due_while_nothing_can_be_done(void **state)
{
	(void)state;
	fake.up = false;
	turn();
	now += EG_SECOND;
	turn();
	assert_int_equal(eg_deliver_due(deliver), INT64_MAX);
	fake.up = true;
	eg_deliver_close(deliver);
	start();
	limits.slow_us = 60 * EG_SECOND;
	target.open_fails = EG_CONFIG;
	turn();
	assert_null(fake_open_call("Subscribe")); /* a target that is not there wants none */
	assert_true(eg_deliver_due(deliver) > now);
}

static void the_request_waits_for_credit(void **state)
{
	(void)state;
	fake.first_credit = 0;
	turn();
	assert_int_equal(feed()->n_sent, 0);
	feed()->credit = 1;
	turn();
	assert_int_equal(feed()->n_sent, 1);
	assert_true(feed()->half_closed);
}

static void a_target_that_fails_for_a_while_holds_all_back(void **state)
{
	(void)state;
	busy = "12";
	target.answer = answer;
	turn();
	window("a11 b12 c13", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 ");
	assert_cursor("log 11 0");
	restart(); /* and a crash meanwhile */
	assert_asked_cursor(11);
	target.answer = answer;
	window("b12 c13", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 ");
	busy = NULL;
	later();
	assert_string_equal(target.delivered, "11 12 13 ");
	assert_cursor("log 20 0");
	assert_int_equal(counts.delivered, 3);
	assert_true(counts.target_failures >= 2);
}

static void a_whole_call_that_fails_is_repeated(void **state)
{
	(void)state;
	turn();
	target.deliver_fails = EG_DEADLINE;
	window("a11 b12", 20, 0);
	turn();
	assert_string_equal(target.delivered, "");
	assert_cursor("log 10 0"); /* where "now" was: a crash must not move it */
	later();
	assert_string_equal(target.delivered, "11 12 ");
}

static void a_refused_event_is_parked_and_holds_its_person(void **state)
{
	(void)state;
	refuses = "12";
	target.answer = answer;
	turn();
	window("a11 b12 c13 b14 d15 b16", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 13 15 ");
	assert_int_equal(eg_parked_count(checkpoint), 3);
	assert_cursor("log 20 0");
	restart();
	assert_int_equal(eg_parked_count(checkpoint), 3);
	window("b21 a22", 30, 0);
	turn();
	assert_string_equal(target.delivered, "11 13 15 22 ");
	assert_int_equal(eg_parked_count(checkpoint), 4);
	refuses = NULL;
}

static void a_refused_event_is_tried_again_before_it_is_parked(void **state)
{
	(void)state;
	limits.refusals = 3;
	refuses = "12";
	target.answer = answer;
	turn();
	window("a11 b12 c13", 20, 0);
	turn();
	assert_int_equal(eg_parked_count(checkpoint), 0);
	assert_string_equal(target.delivered, "11 ");
	assert_true(eg_deliver_due(deliver) > now);
	later();
	assert_int_equal(eg_parked_count(checkpoint), 0);
	refuses = NULL; /* the agency's system has learned the region meanwhile */
	later();
	assert_string_equal(target.delivered, "11 12 13 ");
	refuses = "22";
	window("a21 b22 c23", 30, 0);
	turn();
	later();
	assert_int_equal(eg_parked_count(checkpoint), 0);
	later();
	assert_int_equal(eg_parked_count(checkpoint), 1);
	assert_string_equal(target.delivered, "11 12 13 21 23 ");
	assert_int_equal(counts.target_failures, 0);
}

static void an_event_that_alone_keeps_failing_is_parked(void **state)
{
	(void)state;
	limits.attempts = 3;
	busy = "12";
	target.answer = answer;
	turn();
	window("a11 b12 c13", 20, 0);
	turn();
	later();
	assert_int_equal(eg_parked_count(checkpoint), 0);
	later();
	assert_int_equal(eg_parked_count(checkpoint), 1);
	later();
	assert_string_equal(target.delivered, "11 13 ");
	assert_cursor("log 20 0");
}

static enum eg_rc closed(const struct eg_delivery *d, struct eg_err *err)
{
	(void)d;
	return eg_fail(err, EG_UNAVAILABLE, "the agency is closed");
}

/* It says so of each event; that is no reason to park one after the other. */
static void a_target_that_is_away_parks_ever_more_slowly(void **state)
{
	(void)state;
	limits.attempts = 3;
	target.answer = closed;
	turn();
	window("a11 b12 c13 d14", 20, 0);
	turn();
	for (unsigned i = 1; i < 3; i++)
		later();
	assert_int_equal(eg_parked_count(checkpoint), 1);
	for (unsigned i = 0; i < 4; i++) /* the second was tried in the turn that parked the first */
		later();
	assert_int_equal(eg_parked_count(checkpoint), 1);
	later();
	assert_int_equal(eg_parked_count(checkpoint), 2);
	for (unsigned i = 0; i < 10; i++)
		later();
	assert_int_equal(eg_parked_count(checkpoint), 2);
	target.answer = NULL;
	later();
	assert_string_equal(target.delivered, "13 14 ");
}

static unsigned allowance;

static enum eg_rc rationed(const struct eg_delivery *d, struct eg_err *err)
{
	(void)d;
	if (!allowance)
		return eg_fail(err, EG_UNAVAILABLE, "too many at once");
	allowance--;
	return EG_OK;
}

/* Each call gets something through, so the waits do not grow. */
static void a_rationed_target_keeps_its_pace(void **state)
{
	(void)state;
	limits.backoff_least_us = EG_SECOND / 20;
	limits.backoff_most_us = 60 * EG_SECOND;
	eg_deliver_close(deliver);
	start();
	target.answer = rationed;
	turn();
	window("a1 b2 c3 d4 e5 f6 g7 h8", 20, 0);
	for (unsigned i = 0; i < 8; i++) {
		allowance = 1;
		later();
	}
	assert_string_equal(target.delivered, "1 2 3 4 5 6 7 8 ");
}

static void a_target_that_goes_on_lets_nothing_overtake(void **state)
{
	(void)state;
	refuses = "12";
	target.answer = answer;
	target.goes_on = true;
	turn();
	window("a11 b12 c13 b14 c15", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 13 15 ");
	assert_int_equal(eg_parked_count(checkpoint), 2);
}

/* Answers a ListChanges call with the event that it asks for, or with nothing. */
static void refetch(bool there, const char *kind)
{
	struct eg_link_call *c = fake_open_call("ListChanges");
	assert_non_null(c);
	Eldergate__V1__ListChangesRequest *q =
	        eldergate__v1__list_changes_request__unpack(NULL, c->sent[0].len, c->sent[0].p);
	assert_string_equal(q->purpose, "verify-death");
	assert_int_equal(q->page_size, 1);
	Eldergate__V1__ListChangesResponse page = ELDERGATE__V1__LIST_CHANGES_RESPONSE__INIT;
	Eldergate__V1__ChangeEvent event = ELDERGATE__V1__CHANGE_EVENT__INIT;
	Eldergate__V1__FeedItem item = ELDERGATE__V1__FEED_ITEM__INIT, *items[] = {&item};
	event.log_id = "log";
	event.seq = q->start->cursor->seq + (there ? 1 : 2);
	event.person_ref = "b";
	event.case_id = (char *)(uintptr_t)kind;
	item.item_case = ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE;
	item.change = &event;
	page.n_items = 1;
	page.items = items;
	fake_say(c, &page.base);
	eldergate__v1__list_changes_request__free_unpacked(q, NULL);
	turn();
}

static void park_three(void)
{
	refuses = "12";
	target.answer = answer;
	turn();
	window("b12 b14 c15 b16", 20, 0);
	turn();
	assert_int_equal(eg_parked_count(checkpoint), 3);
	*target.delivered = 0;
}

static void request(const char *verb, uint64_t seq)
{
	assert_int_equal(eg_requests_leave(state_dir, verb, seq, NULL), EG_OK);
	eg_requests_take(checkpoint, state_dir);
}

static void a_retried_event_goes_first_then_those_behind_it(void **state)
{
	(void)state;
	park_three();
	later();
	assert_null(fake_open_call("ListChanges")); /* nothing moves until somebody wants it */
	request("retry", 0);
	later();
	refetch(true, "");
	assert_string_equal(target.delivered, ""); /* refused again */
	later();
	assert_null(fake_open_call("ListChanges"));
	refuses = NULL;
	request("retry", 12);
	later();
	refetch(true, "");
	later();
	refetch(true, "");
	later();
	refetch(true, "");
	assert_string_equal(target.delivered, "12 14 16 ");
	assert_int_equal(eg_parked_count(checkpoint), 0);
	window("b21", 30, 0);
	turn();
	assert_string_equal(target.delivered, "12 14 16 21 ");
	restart();
	assert_int_equal(eg_parked_count(checkpoint), 0);
}

static void a_parked_event_is_not_blamed_for_its_target(void **state)
{
	(void)state;
	park_three();
	refuses = NULL;
	request("retry", 12);
	target.deliver_fails = EG_DENIED; /* the whole call: somebody changed a password */
	later();
	refetch(true, "");
	assert_int_equal(counts.target_failures, 1);
	assert_string_equal(target.delivered, "");
	later();
	refetch(true, ""); /* it is still wanted */
	assert_string_equal(target.delivered, "12 ");
	/* One that fails by itself holds back nobody else. */
	busy = "14";
	later();
	refetch(true, "");
	window("d21", 30, 0);
	turn();
	assert_string_equal(target.delivered, "12 21 ");
	assert_int_equal(counts.target_failures, 1);
	assert_int_equal(eg_parked_count(checkpoint), 2);
}

static void a_dropped_event_frees_those_behind_it(void **state)
{
	(void)state;
	park_three();
	request("drop", 12);
	later();
	refetch(true, "");
	later();
	refetch(true, "skip");
	assert_string_equal(target.delivered, "14 ");
	assert_int_equal(eg_parked_count(checkpoint), 0);
	request("drop", 99); /* is not there: told, and nothing else */
	refuses = NULL;
}

static char first_state;

static void note_state(void *arg, const struct eg_parked *p)
{
	(void)arg;
	if (!first_state)
		first_state = p->state;
}

static char state_of_first(void)
{
	first_state = 0;
	eg_parked_each(checkpoint, note_state, NULL);
	return first_state;
}

static void a_parked_event_that_the_log_lost_stays_until_somebody_drops_it(void **state)
{
	(void)state;
	park_three();
	request("retry", 0);
	later();
	refetch(false, "");
	assert_int_equal(eg_parked_count(checkpoint), 3);
	assert_int_equal(state_of_first(), 'g');
	later();
	assert_null(fake_open_call("ListChanges")); /* those behind it wait */
	restart();
	assert_int_equal(state_of_first(), 'g');
	request("retry", 12);
	later();
	fake_end(fake_open_call("ListChanges"), 11, "CURSOR_PRUNED", -1);
	turn();
	assert_int_equal(eg_parked_count(checkpoint), 3);
	assert_int_equal(state_of_first(), 'g');
	request("drop", 12);
	later();
	refetch(true, "");
	assert_string_equal(target.delivered, "14 ");
	assert_int_equal(eg_parked_count(checkpoint), 1);
	refuses = NULL;
}

static void a_broken_refetch_is_tried_again(void **state)
{
	(void)state;
	park_three();
	refuses = NULL;
	request("retry", 0);
	later();
	fake_lose();
	turn();
	fake.up = true;
	later();
	later();
	refetch(true, "");
	assert_string_equal(target.delivered, "12 ");
}

static void with_no_room_for_parked_events_delivery_stops(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	limits.parked = 1;
	refuses = "12";
	target.answer = answer;
	turn();
	window("b12 a13 b14 c15", 20, 0);
	turn();
	assert_string_equal(target.delivered, "13 ");
	assert_cursor("log 13 0");
	eg_deliver_trouble(deliver, &err, &mend);
	assert_true(mend);
	assert_int_equal(err.rc, EG_LIMIT);
	later();
	assert_string_equal(target.delivered, "13 ");
	request("drop", 12);
	later();
	assert_string_equal(target.delivered, "13 14 15 ");
	assert_cursor("log 20 0");
	eg_deliver_trouble(deliver, &err, &mend);
	assert_false(mend);
	refuses = NULL;
}

static void what_the_mapping_cannot_say_is_parked(void **state)
{
	(void)state;
	turn();
	window("a11 b12:bad c13", 20, 0);
	turn();
	assert_string_equal(target.delivered, "11 13 ");
	assert_int_equal(eg_parked_count(checkpoint), 1);
}

static void a_pruned_cursor_begins_with_a_snapshot(void **state)
{
	(void)state;
	park_three();
	fake_end(feed(), 11, "CURSOR_PRUNED", -1);
	turn();
	Eldergate__V1__SubscribeRequest *q = asked();
	assert_int_equal(q->start->position_case, ELDERGATE__V1__FEED_START__POSITION_SNAPSHOT);
	eldergate__v1__subscribe_request__free_unpacked(q, NULL);
	assert_int_equal(eg_parked_count(checkpoint), 0); /* the snapshot has what they would tell */
	assert_int_equal(counts.snapshots, 1);
	window("=a31 =b32", 50, 7);
	turn();
	assert_string_equal(target.delivered, "31 32 ");
	assert_cursor("log 50 7");
	window("=c33 live", 50, 0);
	turn();
	assert_cursor("log 50 0");
	refuses = NULL;
}

static void a_snapshot_counts_by_whole_windows(void **state)
{
	(void)state;
	mapping.outbound.snapshot = true;
	eg_deliver_close(deliver);
	start();
	busy = "32";
	target.answer = answer;
	turn();
	Eldergate__V1__SubscribeRequest *q = asked();
	assert_int_equal(q->start->position_case, ELDERGATE__V1__FEED_START__POSITION_SNAPSHOT);
	eldergate__v1__subscribe_request__free_unpacked(q, NULL);
	window("=a31 =b32", 50, 7);
	turn();
	assert_string_equal(target.delivered, "31 ");
	assert_cursor("");
	busy = NULL;
	later();
	assert_cursor("log 50 7");
}

static void a_restored_log_is_told(void **state)
{
	(void)state;
	park_three();
	window("restored =a31", 50, 7);
	turn();
	assert_int_equal(counts.snapshots, 1);
	assert_int_equal(eg_parked_count(checkpoint), 0);
	assert_string_equal(target.delivered, "31 ");
	refuses = NULL;
}

static void windows_that_do_not_fit_are_asked_for_again(void **state)
{
	(void)state;
	char items[16];
	busy = "1";
	target.answer = answer;
	turn();
	struct eg_link_call *first = feed();
	for (uint64_t i = 1; i <= 6; i++) {
		snprintf(items, sizeof items, "a%u", (unsigned)i);
		window(items, i, 0);
	}
	turn();
	assert_true(first->dropped);
	assert_null(fake_open_call("Subscribe")); /* not before what is here is delivered */
	busy = NULL;
	later();
	assert_string_equal(target.delivered, "1 2 3 4 ");
	later();
	assert_asked_cursor(4);
}

/* The gateway shows the person of the oldest question, with this version; 0: it knows nobody. */
static void show(int64_t version)
{
	struct eg_link_call *c = NULL;
	for (unsigned i = 0; i < fake.n_calls && !c; i++)
		if (!fake.calls[i]->over && !fake.calls[i]->dropped &&
		    strstr(fake.calls[i]->method, "GetElder"))
			c = fake.calls[i];
	assert_non_null(c);
	Eldergate__V1__GetElderResponse m = ELDERGATE__V1__GET_ELDER_RESPONSE__INIT;
	Eldergate__V1__ElderView view = ELDERGATE__V1__ELDER_VIEW__INIT;
	view.person_version = version;
	m.elder = &view;
	if (version)
		fake_say(c, &m.base);
	else
		fake_end(c, 5, "PERSON_UNKNOWN", -1);
	turn();
}

static void columns_that_a_change_lacks_are_asked_for(void **state)
{
	(void)state;
	static const char *const fields[] = {"registration.id_number"};
	mapping.outbound.n_fields = 1;
	mapping.outbound.fields = fields;
	turn();
	window("a11 b12:view c13 d14:view", 20, 0);
	turn();
	assert_string_equal(target.delivered, ""); /* what follows may be here in a moment */
	assert_true(eg_deliver_due(deliver) <= now + LINGER);
	now += LINGER;
	turn();
	assert_string_equal(target.delivered, "11 "); /* in order: what follows waits */
	assert_true(eg_deliver_asks(deliver)); /* the agent does not wait long for its source meanwhile */
	Eldergate__V1__GetElderRequest *q = NULL;
	for (unsigned i = 0; i < fake.n_calls && !q; i++)
		if (strstr(fake.calls[i]->method, "GetElder"))
			q = eldergate__v1__get_elder_request__unpack(NULL, fake.calls[i]->sent[0].len,
			                                             fake.calls[i]->sent[0].p);
	assert_string_equal(q->person->person_ref, "b");
	assert_string_equal(q->purpose, "verify-death");
	assert_string_equal(q->fields[0], "registration.id_number");
	eldergate__v1__get_elder_request__free_unpacked(q, NULL);
	show(3);
	now += LINGER;
	turn();
	assert_string_equal(target.delivered, "11 1203 13 ");
	show(0);
	assert_string_equal(target.delivered, "11 1203 13 14 ");
	assert_false(eg_deliver_asks(deliver));
	assert_cursor("log 20 0");
}

/* Each call of the target costs a sync there and one of the checkpoint. */
static void changes_that_wait_for_persons_go_together(void **state)
{
	(void)state;
	turn();
	window("a11:view b12:view c13:view d14:view e15:view f16:view g17:view h18:view i19:view j20:view "
	       "k21:view "
	       "l22:view",
	       30, 0);
	turn();
	unsigned asked_at_once = 0;
	for (unsigned i = 0; i < fake.n_calls; i++)
		asked_at_once += strstr(fake.calls[i]->method, "GetElder") != NULL;
	assert_int_equal(asked_at_once, 10);
	for (unsigned i = 0; i < 12; i++) {
		assert_int_equal(target.calls, i >= limits.deliver_events);
		show(1);
	}
	assert_int_equal(target.calls, 2); /* ten are the most in one call */
	assert_string_equal(target.delivered, "1101 1201 1301 1401 1501 1601 1701 1801 1901 2001 2101 2201 ");
}

static void a_person_who_cannot_be_shown_holds_back_until_it_works(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	turn();
	window("a11:view", 20, 0);
	turn();
	fake_end(fake_open_call("GetElder"), 7, "FIELD_NOT_PERMITTED", -1);
	turn();
	eg_deliver_trouble(deliver, &err, &mend);
	assert_true(mend);
	assert_int_equal(err.rc, EG_DENIED);
	assert_null(fake_open_call("GetElder"));
	later();
	fake_lose();
	turn();
	fake.up = true;
	later();
	later();
	show(1);
	assert_string_equal(target.delivered, "1101 ");
	eg_deliver_trouble(deliver, &err, &mend);
	assert_false(mend);
}

/* Its pause is over, but its person has grown old meanwhile and nobody can be asked: that time is not due. */
static void a_refused_event_whose_person_is_gone_again_is_not_due(void **state)
{
	(void)state;
	limits.refusals = 3;
	refuses = "1101";
	target.answer = answer;
	turn();
	window("a11:view b12", 20, 0);
	turn();
	show(1);
	assert_int_equal(target.calls, 1);
	fake_lose();
	now = eg_mono_us() + 120 * EG_SECOND;
	turn();
	assert_true(eg_deliver_due(deliver) > now);
	refuses = NULL;
	fake.up = true;
	turn();
	show(1);
	assert_string_equal(target.delivered, "1101 12 ");
	assert_int_equal(target.calls, 3); /* the one that was refused went alone still */
}

static void a_parked_event_is_shown_with_its_person(void **state)
{
	(void)state;
	park_three();
	refuses = NULL;
	request("retry", 12);
	later();
	refetch(true, "view");
	assert_string_equal(target.delivered, "");
	show(7);
	assert_string_equal(target.delivered, "1207 ");
	assert_int_equal(eg_parked_count(checkpoint), 2);
}

/* The log may hold no change of it; what the person is now is what it would say. */
static void a_parked_person_of_the_snapshot_is_shown_again(void **state)
{
	(void)state;
	mapping.outbound.snapshot = true;
	eg_deliver_close(deliver);
	start();
	refuses = "32";
	target.answer = answer;
	turn();
	window("=a31 =b32 =c33", 50, 0);
	turn();
	assert_string_equal(target.delivered, "31 33 ");
	assert_int_equal(eg_parked_count(checkpoint), 1);
	window("b61", 70, 0);
	turn();
	assert_int_equal(eg_parked_count(checkpoint), 2);
	restart();
	*target.delivered = 0;
	refuses = NULL;
	request("retry", 32);
	later();
	assert_null(fake_open_call("ListChanges"));
	struct eg_link_call *c = fake_open_call("GetElder");
	assert_non_null(c);
	Eldergate__V1__GetElderRequest *q =
	        eldergate__v1__get_elder_request__unpack(NULL, c->sent[0].len, c->sent[0].p);
	assert_string_equal(q->person->person_ref, "b");
	eldergate__v1__get_elder_request__free_unpacked(q, NULL);
	show(7);
	assert_string_equal(target.delivered, "3207 ");
	later();
	refetch(true, ""); /* the change behind it comes from the log */
	assert_string_equal(target.delivered, "3207 61 ");
	assert_int_equal(eg_parked_count(checkpoint), 0);
}

static void a_parked_person_who_is_gone_stays_visible(void **state)
{
	(void)state;
	refuses = "32";
	target.answer = answer;
	turn();
	window("=b32", 50, 0);
	turn();
	request("retry", 32);
	later();
	show(0);
	assert_int_equal(eg_parked_count(checkpoint), 1);
	assert_int_equal(state_of_first(), 'g');
	later();
	assert_null(fake_open_call("GetElder"));
	refuses = NULL;
}

/* A person whose newest event was committed while the snapshot went on comes twice under the same seq: as a
 * person, and as the event itself. What was refused stays refused until somebody looks at it. */
static void an_event_behind_its_own_snapshot_is_one_entry(void **state)
{
	(void)state;
	mapping.outbound.snapshot = true;
	eg_deliver_close(deliver);
	start();
	refuses = "55";
	target.answer = answer;
	turn();
	window("=a31 =b55", 50, 0);
	turn();
	assert_int_equal(state_of_first(), 'r');
	window("a52 b55", 70, 0);
	turn();
	assert_string_equal(target.delivered, "31 52 ");
	assert_int_equal(eg_parked_count(checkpoint), 1);
	assert_int_equal(state_of_first(), 'r');
	assert_cursor("log 70 0");
	refuses = NULL;
}

/* An event is one person's, says the protocol. Who sends two persons with one seq loses neither. */
static void two_persons_with_one_seq_never_share_an_entry(void **state)
{
	(void)state;
	struct eg_err refusal, err;
	eg_fail(&refusal, EG_INVALID, "no such region");
	assert_int_equal(eg_parked_add(checkpoint, "log", 32, "a", true, &refusal, NULL), EG_OK);
	assert_int_equal(eg_parked_add(checkpoint, "log", 32, "b", true, &refusal, &err), EG_CONFLICT);
	assert_true(eg_parked_person(checkpoint, "a"));
	assert_false(eg_parked_person(checkpoint, "b"));
}

static void a_refused_subscription_is_told(void **state)
{
	(void)state;
	struct eg_err err;
	bool mend;
	turn();
	fake_end(feed(), 7, "GRANT_EXPIRED", -1);
	turn();
	assert_null(fake_open_call("Subscribe"));
	eg_deliver_trouble(deliver, &err, &mend);
	assert_true(mend);
	assert_int_equal(err.rc, EG_DENIED);
	later();
	window("a11", 20, 0);
	turn();
	eg_deliver_trouble(deliver, &err, &mend);
	assert_false(mend);
}

static void a_silent_feed_is_begun_anew(void **state)
{
	(void)state;
	turn();
	struct eg_link_call *first = feed();
	now += 16 * EG_SECOND;
	turn();
	assert_true(first->dropped);
	now += EG_SECOND;
	turn();
	assert_ptr_not_equal(feed(), first);
}

static int reset_answers(void **state)
{
	refuses = busy = NULL;
	return open_deliver(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, reset_answers, close_deliver)
	const struct CMUnitTest tests[] = {
	        T(the_first_start_is_now_with_the_mapping_s_filter),
	        T(events_go_out_in_order_and_the_cursor_follows),
	        T(nothing_is_due_while_nothing_can_be_done),
	        T(the_request_waits_for_credit),
	        T(a_target_that_fails_for_a_while_holds_all_back),
	        T(a_whole_call_that_fails_is_repeated),
	        T(a_refused_event_is_parked_and_holds_its_person),
	        T(a_refused_event_is_tried_again_before_it_is_parked),
	        T(an_event_that_alone_keeps_failing_is_parked),
	        T(a_target_that_is_away_parks_ever_more_slowly),
	        T(a_rationed_target_keeps_its_pace),
	        T(a_parked_event_is_not_blamed_for_its_target),
	        T(a_target_that_goes_on_lets_nothing_overtake),
	        T(a_retried_event_goes_first_then_those_behind_it),
	        T(a_dropped_event_frees_those_behind_it),
	        T(a_parked_event_that_the_log_lost_stays_until_somebody_drops_it),
	        T(a_broken_refetch_is_tried_again),
	        T(with_no_room_for_parked_events_delivery_stops),
	        T(what_the_mapping_cannot_say_is_parked),
	        T(a_pruned_cursor_begins_with_a_snapshot),
	        T(a_snapshot_counts_by_whole_windows),
	        T(a_restored_log_is_told),
	        T(windows_that_do_not_fit_are_asked_for_again),
	        T(columns_that_a_change_lacks_are_asked_for),
	        T(changes_that_wait_for_persons_go_together),
	        T(a_person_who_cannot_be_shown_holds_back_until_it_works),
	        T(a_refused_event_whose_person_is_gone_again_is_not_due),
	        T(a_parked_event_is_shown_with_its_person),
	        T(a_parked_person_of_the_snapshot_is_shown_again),
	        T(a_parked_person_who_is_gone_stays_visible),
	        T(an_event_behind_its_own_snapshot_is_one_entry),
	        T(two_persons_with_one_seq_never_share_an_entry),
	        T(a_refused_subscription_is_told),
	        T(a_silent_feed_is_begun_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
