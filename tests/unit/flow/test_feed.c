/* The feed: every subscriber converges to the state, at its own pace, and hears nothing before the log says
 * so. */
#include "road_feed.h"

#include "flow/feed_window.h"

static struct told told, other;

static void snapshot_then_live(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 64);
	people(r, 300, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	people(r, 300, 2, "330304");
	await(&told, converged(&told));
	leave(&told);
	unsigned states = 0;
	for (unsigned i = 0; i < told.n; i++) {
		states += told.items[i].kind == EG_ITEM_STATE;
		if (told.items[i].kind == EG_ITEM_STATE)
			assert_int_equal(told.items[i].n_fields, 2);
	}
	assert_int_equal(states, 300);
	eg_feed_stop(f);
	road_close(r, true);
}

static void a_cursor_resumes(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 200, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_CURSOR);
	memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
	assert_ok(follow(&told, r, f, &o, false, &err), err);
	await(&told, told.takes == 1);
	leave(&told);
	assert_int_equal(told.n, 50 - 1); /* the START entry was looked at, too */
	o.seq = told.items[told.n - 1].seq;
	assert_ok(follow(&other, r, f, &o, true, &err), err);
	await(&other, other.n >= 200 - told.n);
	leave(&other);
	assert_int_equal(other.items[0].seq, o.seq + 1);
	for (unsigned i = 1; i < other.n; i++)
		assert_true(other.items[i].seq > other.items[i - 1].seq);
	eg_feed_stop(f);
	road_close(r, true);
}

static void a_snapshot_resumes_inside(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 200, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, false, &err), err);
	await(&told, told.takes == 1);
	leave(&told);
	o.start = EG_START_CURSOR;
	memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
	o.seq = told.items[told.n - 1].seq;
	o.row = told.items[told.n - 1].row;
	assert_int_equal(o.row, 51); /* the first row to come */
	assert_ok(follow(&other, r, f, &o, true, &err), err);
	await(&other, other.n >= 150);
	leave(&other);
	assert_int_equal(other.items[0].row, 52);
	eg_feed_stop(f);
	road_close(r, true);
}

static void a_wrong_cursor_is_told(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 10, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_CURSOR);
	memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
	o.seq = road_head(r) + 1;
	assert_int_equal(follow(&told, r, f, &o, true, &err), EG_OUT_OF_RANGE);
	assert_string_equal(err.field, "start.cursor.seq");
	o.log_id[0] ^= 1; /* of another log: told, then a snapshot */
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n >= 11);
	leave(&told);
	assert_int_equal(told.items[0].kind, EG_ITEM_LOG_CHANGED);
	for (unsigned i = 1; i <= 10; i++)
		assert_int_equal(told.items[i].kind, EG_ITEM_STATE);
	eg_feed_stop(f);
	road_close(r, true);
}

static void time_starts_there(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 500);
	people(r, 20, 1, "330302");
	uint64_t before = road_head(r);
	int64_t now = road_entry(r, before).header.time + 1;
	while (eg_now_us() <= now)
		;
	people(r, 20, 2, "330304");
	struct eg_sub_options o = options(r, EG_START_TIME);
	o.time = now;
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n >= 20);
	leave(&told);
	assert_int_equal(told.items[0].seq, before + 1);
	eg_feed_stop(f);
	road_close(r, true);
}

static void a_slow_reader_holds_one_window(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND / 10, 50);
	people(r, 400, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, false, &err), err); /* never asks for more */
	assert_ok(follow(&other, r, f, &o, true, &err), err);
	people(r, 400, 2, "330304");
	await(&other, converged(&other));
	leave(&told);
	leave(&other);
	assert_int_equal(told.takes, 1);
	assert_true(told.n <= 50);
	eg_feed_stop(f);
	road_close(r, true);
}

static void a_filter_tells_who_left(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	const char *regions[] = {"3303"};
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	o.filter = (struct eg_filter){.n_regions = 1, .regions = regions};
	people(r, 5, 1, "330302");
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n >= 5);
	people(r, 5, 2, "530112"); /* they move away */
	await(&told, told.n >= 10);
	people(r, 5, 3, "530122"); /* and on: no concern of ours */
	people(r, 5, 4, "330304"); /* and back */
	await(&told, told.n >= 15);
	leave(&told);
	for (unsigned i = 0; i < 15; i++) {
		assert_int_equal(told.items[i].kind, i < 5    ? EG_ITEM_STATE
		                                     : i < 10 ? EG_ITEM_LEFT_SCOPE
		                                              : EG_ITEM_EVENT);
		if (i >= 5 && i < 10)
			assert_int_equal(told.items[i].n_fields, 0);
		/* Who comes back comes whole: the change alone is of one field. */
		assert_int_equal(told.items[i].entered_fields, i < 10 ? 0 : 2);
		if (i >= 10)
			assert_int_equal(told.items[i].n_fields, 1);
	}
	eg_feed_stop(f);
	road_close(r, true);
}

/* Who was away hears of those who came in meanwhile as they are now, and of who has left again not at all. */
static void a_filter_tells_whole_who_came_in(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	const char *regions[] = {"3303"};
	struct eg_sub_options o = options(r, EG_START_CURSOR);
	o.filter = (struct eg_filter){.n_regions = 1, .regions = regions};
	memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
	people(r, 3, 1, "530112");
	o.seq = road_head(r);
	people(r, 3, 2, "330302"); /* they come in */
	people(r, 2, 3, "330304"); /* two move within */
	people(r, 1, 4, "530112"); /* one leaves again */
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n >= 6);
	leave(&told);
	assert_int_equal(told.n, 6);
	int64_t newest = 0;
	for (unsigned i = 0; i < 5; i++) {
		bool left = memcmp(told.items[i].ref, told.items[5].ref, 16) == 0;
		assert_int_equal(told.items[i].kind, EG_ITEM_EVENT);
		assert_int_equal(told.items[i].version, i < 3 ? 2 : 3);
		assert_int_equal(told.items[i].entered_fields, i < 3 && !left ? 2 : 0);
		newest += told.items[i].entered;
	}
	assert_int_equal(newest, 3 + 2);
	assert_int_equal(told.items[5].kind, EG_ITEM_LEFT_SCOPE);
	assert_int_equal(told.items[5].version, 4);
	eg_feed_stop(f);
	road_close(r, true);
}

static void progress_is_told(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND / 20, 50);
	struct eg_sub_options o = options(r, EG_START_TIME);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.takes >= 3);
	leave(&told);
	for (unsigned i = 0; i < told.n; i++)
		assert_int_equal(told.items[i].kind, EG_ITEM_PROGRESS);
	assert_int_equal(road_head(r), 1); /* progress is no delivery */
	eg_feed_stop(f);
	road_close(r, true);
}

/* Who was behind hears at once that it has reached the head, however seldom progress is told. */
static void the_head_is_told_at_once(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, 3600 * EG_SECOND, 50);
	people(r, 120, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n && told.items[told.n - 1].kind == EG_ITEM_PROGRESS);
	leave(&told);
	assert_int_equal(told.n, 121);
	eg_feed_stop(f);
	road_close(r, true);
}

/* Deliveries are entries of the log, and cover what was handed over. */
static void deliveries_are_logged(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 120, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_TIME);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.n >= 120);
	leave(&told);
	uint64_t head = road_head(r), last = 0;
	unsigned deliveries = 0;
	for (uint64_t seq = 1; seq <= head; seq++) {
		struct eg_entry e = road_entry(r, seq);
		if (e.header.kind != EG_ENTRY_DELIVERY)
			continue;
		deliveries++;
		struct eg_canon_reader windows = eg_canon_read(e.claim_part);
		while (eg_canon_next(&windows)) {
			struct eg_canon_reader w = eg_canon_read(windows.value);
			uint64_t first = 0, end = 0;
			while (eg_canon_next(&w)) {
				if (w.tag == 2)
					first = (uint64_t)eg_canon_as_int(&w);
				if (w.tag == 3)
					end = (uint64_t)eg_canon_as_int(&w);
			}
			assert_true(first > last && end >= first);
			last = end;
		}
		assert_false(windows.bad);
	}
	assert_true(deliveries >= 3);
	uint64_t told_last = 0;
	for (unsigned i = 0; i < told.n; i++)
		if (told.items[i].kind == EG_ITEM_EVENT)
			told_last = told.items[i].seq;
	assert_int_equal(last, told_last);
	eg_feed_stop(f);
	road_close(r, true);
}

/* Logs the delivery of a page, as whoever asked for it has to before it leaves. */
static void log_page(struct road *r, struct eg_ticket *t)
{
	struct eg_err err = {0};
	if (!t)
		return;
	assert_int_equal(t->kind, EG_TICKET_DELIVERY);
	uint64_t head = road_head(r);
	assert_ok(eg_intake_put_and_wait(r->intake, t, eg_mono_us() + 30 * EG_SECOND, &err), err);
	assert_true(t->seq > head);
	eg_ticket_free(t);
}

static void pages_are_the_same_feed(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	struct eg_conn *c = NULL;
	people(r, 130, 1, "330302");
	assert_ok(eg_store_reader(r->store, &c, &err), err);
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	struct eg_arena *a = eg_arena_new(64 << 20);
	unsigned states = 0, pages = 0;
	bool at_head = false;
	while (!at_head) {
		struct eg_feed_item *items;
		unsigned n;
		struct eg_ticket *t = NULL;
		eg_arena_reset(a);
		assert_ok(eg_feed_page(f, c, &o, 40, a, &items, &n, &at_head, &t, &err), err);
		log_page(r, t);
		for (unsigned i = 0; i < n; i++)
			states += items[i].kind == EG_ITEM_STATE;
		assert_int_equal(items[n - 1].kind, EG_ITEM_PROGRESS);
		o.start = EG_START_CURSOR;
		memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
		o.seq = items[n - 1].cursor_seq;
		o.row = items[n - 1].cursor_row;
		assert_true(++pages < 50);
	}
	assert_int_equal(states, 130);
	eg_arena_free(a);
	eg_conn_close(c);
	eg_feed_stop(f);
	road_close(r, true);
}

/* Whatever the size of the persons, a snapshot goes on: a page holds as many as fit. */
static void a_snapshot_of_large_persons(void **state)
{
	(void)state;
	enum { PERSONS = 1000, RECORDS = 20, TEXT = 200 };
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, PERSONS);
	char text[3 * TEXT + 1] = "";
	for (unsigned i = 0; i < TEXT; i++)
		memcpy(text + (size_t)3 * i, "路", 4);
	people(r, PERSONS, 1, "330302");
	for (unsigned k = 0; k < RECORDS; k++) {
		struct eg_ticket *t = road_batch(r, "platform", "elders", PERSONS);
		for (unsigned i = 0; i < PERSONS; i++) {
			char key[32];
			snprintf(key, sizeof key, "c%u-%u", k, i);
			struct eg_item *item = road_add(t, key, 1, EG_ASSERT);
			road_text(t, item, EG_FN_CARE_id_number, road_id18(t, i));
			road_text(t, item, EG_FN_CARE_name, i % 2 ? "王一" : "李二");
			road_text(t, item, EG_FN_CARE_residence_text, text);
		}
		road_send(r, t);
		assert_int_equal(t->submission.items[0].outcome, EG_APPLIED);
		eg_ticket_free(t);
	}
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	await(&told, told.ended || told.n >= PERSONS);
	leave(&told);
	assert_true(told.n >= PERSONS);
	assert_int_equal(told.items[PERSONS - 1].kind, EG_ITEM_STATE);
	eg_feed_stop(f);
	road_close(r, true);
}

/* The entries that are looked at to find a time may be large. */
static void time_is_found_among_large_entries(void **state)
{
	(void)state;
	struct eg_err err = {0};
	uint64_t seq = 0;
	struct road *r = road_open(NULL);
	people(r, 1000, 1, "330302");
	struct eg_ticket *t = people_batch(r, 1000, 2, "330302");
	for (unsigned i = 0; i < 1000; i++)
		t->submission.items[i].claim.mapping_revision = 1;
	road_send(r, t); /* newer, and the same: one entry with a thousand confirmations */
	assert_int_equal(t->submission.items[0].outcome, EG_UNCHANGED);
	eg_ticket_free(t);
	assert_ok(eg_seq_before_time(r->reader, eg_now_us() + EG_SECOND, &seq, &err), err);
	assert_int_equal(seq, road_head(r));
	road_close(r, true);
}

/* A cursor of another log leads into a snapshot, also for who stored the cursor of that very message. */
static void a_changed_log_begins_with_a_snapshot(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 20, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_CURSOR);
	o.seq = 7; /* of a log whose id is all zero */
	assert_ok(follow(&told, r, f, &o, false, &err), err);
	await(&told, told.takes == 1);
	leave(&told);
	assert_int_equal(told.items[0].kind, EG_ITEM_LOG_CHANGED);
	memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
	o.seq = told.items[0].seq;
	o.row = told.items[0].row;
	assert_ok(follow(&other, r, f, &o, true, &err), err);
	await(&other, other.n >= 1);
	leave(&other);
	assert_int_equal(other.items[0].kind, EG_ITEM_STATE);

	struct eg_arena *a = eg_arena_new(64 << 20);
	unsigned states = 0, pages = 0;
	bool at_head = false;
	o.seq = 7;
	o.row = 0;
	memset(o.log_id, 0, sizeof o.log_id);
	while (!at_head) {
		struct eg_feed_item *items;
		unsigned n;
		struct eg_ticket *t = NULL;
		eg_arena_reset(a);
		assert_ok(eg_feed_page(f, r->reader, &o, 8, a, &items, &n, &at_head, &t, &err), err);
		log_page(r, t);
		for (unsigned i = 0; i < n; i++)
			states += items[i].kind == EG_ITEM_STATE;
		memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
		o.seq = items[n - 1].cursor_seq;
		o.row = items[n - 1].cursor_row;
		assert_true(++pages < 50);
	}
	assert_int_equal(states, 20);
	eg_arena_free(a);
	eg_feed_stop(f);
	road_close(r, true);
}

static void stop_ends_everyone(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, EG_SECOND, 50);
	people(r, 200, 1, "330302");
	struct eg_sub_options o = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &o, true, &err), err);
	assert_ok(follow(&other, r, f, &o, false, &err), err);
	eg_feed_stop(f);
	assert_true(told.ended && other.ended);
	assert_int_equal(told.end, EG_CLOSED);
	leave(&told);
	leave(&other);
	road_close(r, true);
}

/* A window that could not be logged waits before it is put again, however soon the writer says no. */
static void a_writer_that_refuses_is_not_pressed(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	people(r, 3, 1, "330302");
	const struct eg_intake_options io = {.vault = r->vault};
	struct eg_intake *full = eg_intake_new(&io);
	assert_non_null(full);
	const struct eg_feed_options o = {
	        .store = r->store, .vault = r->vault, .intake = full, .writer = r->writer};
	struct eg_feed *f = NULL;
	assert_ok(eg_feed_start(&f, &o, &err), err);
	struct eg_sub_options so = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&told, r, f, &so, false, &err), err);
	int64_t answered = 0;
	for (unsigned i = 0; i < 2; i++) {
		void *item = NULL;
		assert_int_equal(eg_queue_get(eg_intake_queue(full), &item, 1, eg_mono_us() + 30 * EG_SECOND),
		                 1);
		if (i)
			assert_true(eg_mono_us() - answered >= EG_SECOND / 2);
		struct eg_ticket *t = item;
		t->rc = eg_fail(&t->err, EG_NO_SPACE, "planted");
		answered = eg_mono_us();
		t->done(t);
	}
	leave(&told);
	eg_feed_stop(f);
	eg_intake_free(full);
	road_close(r, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(snapshot_then_live),
	        cmocka_unit_test(a_cursor_resumes),
	        cmocka_unit_test(a_snapshot_resumes_inside),
	        cmocka_unit_test(a_wrong_cursor_is_told),
	        cmocka_unit_test(time_starts_there),
	        cmocka_unit_test(a_slow_reader_holds_one_window),
	        cmocka_unit_test(a_filter_tells_who_left),
	        cmocka_unit_test(a_filter_tells_whole_who_came_in),
	        cmocka_unit_test(progress_is_told),
	        cmocka_unit_test(the_head_is_told_at_once),
	        cmocka_unit_test(deliveries_are_logged),
	        cmocka_unit_test(pages_are_the_same_feed),
	        cmocka_unit_test(a_snapshot_of_large_persons),
	        cmocka_unit_test(time_is_found_among_large_entries),
	        cmocka_unit_test(a_changed_log_begins_with_a_snapshot),
	        cmocka_unit_test(a_writer_that_refuses_is_not_pressed),
	        cmocka_unit_test(stop_ends_everyone),
	};
	return cmocka_run_group_tests(tests, road_read_seed, NULL);
}
