/* Many subscribers at the head: what is due to several is made once, and commits go on beside any number. */
#include "road_feed.h"

#include <stdatomic.h>

enum { MANY = 10 };

/* What a window's message would be: of whom and of which entries. */
struct note {
	uint8_t ref[16];
	uint64_t first, last;
	unsigned n;
};

static atomic_uint made, freed;

static void free_note(void *note)
{
	atomic_fetch_add(&freed, 1);
	free(note);
}

static struct note note_of(const struct eg_feed_given *w)
{
	struct note n = {.first = w->items[0].cursor_seq, .last = w->items[w->n - 1].cursor_seq, .n = w->n};
	memcpy(n.ref, w->items[0].event.person_ref, 16);
	return n;
}

static void note(void *arg, const struct eg_feed_given *w)
{
	(void)arg;
	if (w->made->what)
		return;
	struct note *n = malloc(sizeof *n);
	assert_non_null(n);
	*n = note_of(w);
	w->made->what = n;
	w->made->free = free_note;
	atomic_fetch_add(&made, 1);
}

static void take_noted(void *arg, const struct eg_feed_given *w)
{
	if (w->items[0].kind == EG_ITEM_EVENT) {
		struct note now = note_of(w), *then = w->made->what;
		assert_non_null(then);
		assert_memory_equal(&now, then, sizeof now);
	}
	take(arg, w);
}

static struct told all[MANY];

static unsigned windows_of(struct road *r, uint64_t after)
{
	unsigned n = 0;
	for (uint64_t seq = after + 1; seq <= road_head(r); seq++) {
		struct eg_header h = road_entry(r, seq).header;
		n += h.kind == EG_ENTRY_DELIVERY ? (unsigned)h.count : 0;
	}
	return n;
}

static unsigned windows_taken(unsigned i)
{
	unsigned progress = 0;
	for (unsigned k = 0; k < all[i].n; k++)
		progress += all[i].items[k].kind == EG_ITEM_PROGRESS;
	return all[i].takes - progress;
}

static unsigned events_of(const struct told *t)
{
	unsigned n = 0;
	for (unsigned k = 0; k < t->n; k++)
		n += t->items[k].kind == EG_ITEM_EVENT;
	return n;
}

/* Nine of one identity and one of another, all at the head. */
static void follow_all(struct road *r, struct eg_feed *f,
                       void (*prepare)(void *, const struct eg_feed_given *),
                       void (*takes)(void *, const struct eg_feed_given *))
{
	struct eg_err err = {0};
	for (unsigned i = 0; i < MANY; i++) {
		struct eg_sub_options o = options(r, EG_START_CURSOR);
		memcpy(o.log_id, eg_writer_log_id(r->writer), 16);
		o.seq = road_head(r);
		if (i == MANY - 1)
			o.who = eg_policy_by_name(r->policy, "civil");
		assert_ok(follow_by(&all[i], r, f, &o, true, prepare, takes, &err), err);
	}
	for (unsigned i = 0; i < MANY; i++)
		await(&all[i], all[i].n >= 1);
}

static void the_same_window_is_made_once(void **state)
{
	(void)state;
	enum { PERSONS = 20, VERSIONS = 5 };
	struct road *r = road_open(NULL);
	struct eg_feed *f = feed_of(r, 30 * EG_SECOND, 64);
	unsigned taken = 0;
	people(r, PERSONS, 1, "330302");
	uint64_t head = road_head(r);
	follow_all(r, f, note, take_noted);
	for (unsigned v = 2; v < 2 + VERSIONS; v++)
		people(r, PERSONS, v, v % 2 ? "330302" : "330304");
	for (unsigned i = 0; i < MANY; i++)
		await(&all[i], events_of(&all[i]) == PERSONS * VERSIONS);
	for (unsigned i = 0; i < MANY; i++)
		leave(&all[i]);
	for (unsigned i = 0; i < MANY; i++) {
		taken += windows_taken(i);
		for (unsigned k = 0; k < all[i].n; k++) {
			assert_int_equal(all[i].items[k].seq, all[0].items[k].seq);
			if (all[0].items[k].kind == EG_ITEM_EVENT) /* an audience has its own references */
				assert_int_equal(!memcmp(all[i].items[k].ref, all[0].items[k].ref, 16),
				                 i < MANY - 1);
		}
	}
	eg_feed_stop(f);
	assert_int_equal(windows_of(r, head), taken); /* shared or not, each recipient's stands in the log */
	assert_true(made * 3 < taken);
	assert_int_equal(made, freed);
	road_close(r, true);
}

/* However fast commits come, those at the head get together only so many windows a second. */
static void the_head_gathers(void **state)
{
	(void)state;
	enum { RATE = 100, COMMITS = 100 };
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	struct eg_feed *f = NULL;
	struct eg_feed_options o = {.store = r->store,
	                            .vault = r->vault,
	                            .intake = r->intake,
	                            .writer = r->writer,
	                            .live_windows = RATE};
	assert_ok(eg_feed_start(&f, &o, &err), err);
	people(r, 1, 1, "330302");
	follow_all(r, f, NULL, take);
	int64_t began = eg_mono_us();
	for (unsigned v = 2; v < 2 + COMMITS; v++)
		people(r, 1, v, v % 2 ? "330302" : "330304");
	for (unsigned i = 0; i < MANY; i++)
		await(&all[i], events_of(&all[i]) == COMMITS);
	int64_t took = eg_mono_us() - began;
	unsigned taken = 0;
	for (unsigned i = 0; i < MANY; i++)
		leave(&all[i]);
	for (unsigned i = 0; i < MANY; i++)
		taken += windows_taken(i);
	/* A turn's windows are given out before they are counted, and so are those of the last one. */
	assert_true(taken <= took * RATE / EG_SECOND + 2 * MANY);
	eg_feed_stop(f);
	road_close(r, true);
}

/* Its windows go to an intake whose writer is the test. */
static struct eg_feed *feed_into(struct road *r, struct eg_intake *own, unsigned window_events,
                                 int64_t progress_us)
{
	struct eg_err err = {0};
	struct eg_feed *f = NULL;
	struct eg_feed_options o = {.store = r->store,
	                            .vault = r->vault,
	                            .intake = own,
	                            .writer = r->writer,
	                            .window_events = window_events,
	                            .progress_us = progress_us};
	assert_non_null(own);
	assert_ok(eg_feed_start(&f, &o, &err), err);
	return f;
}

/* What was read ahead of a window that did not come into the log follows the one that then does. */
static void a_snapshot_goes_on_where_it_failed(void **state)
{
	(void)state;
	enum { PERSONS = 200, WINDOW = 50, FAILS = 1 };
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	people(r, PERSONS, 1, "330302");
	const struct eg_intake_options io = {.vault = r->vault};
	struct eg_intake *own = eg_intake_new(&io);
	struct eg_feed *f = feed_into(r, own, WINDOW, 0);
	struct eg_sub_options so = options(r, EG_START_SNAPSHOT);
	assert_ok(follow(&all[0], r, f, &so, true, &err), err);
	for (unsigned i = 0; i < PERSONS / WINDOW + 1; i++) {
		void *item = NULL;
		assert_int_equal(eg_queue_get(eg_intake_queue(own), &item, 1, eg_mono_us() + 30 * EG_SECOND),
		                 1);
		struct eg_ticket *t = item;
		assert_int_equal(t->delivery.n, 1);
		assert_int_equal(t->delivery.windows[0].first_row, (i - (i > FAILS)) * WINDOW + 1);
		if (i == FAILS)
			t->rc = eg_fail(&t->err, EG_NO_SPACE, "planted");
		t->done(t);
	}
	await(&all[0], all[0].n >= PERSONS);
	leave(&all[0]);
	for (unsigned i = 0; i < PERSONS; i++) {
		assert_int_equal(all[0].items[i].kind, EG_ITEM_STATE);
		assert_int_equal(all[0].items[i].row, i + 2); /* a cursor is one ahead of its row */
	}
	eg_feed_stop(f);
	eg_intake_free(own);
	road_close(r, true);
}

static void log_one(struct eg_intake *own)
{
	void *item = NULL;
	assert_int_equal(eg_queue_get(eg_intake_queue(own), &item, 1, eg_mono_us() + 30 * EG_SECOND), 1);
	struct eg_ticket *t = item;
	t->done(t);
}

/* No window can be logged, as the writer's lane is full: who waits for none still hears how far it is. */
static void a_full_lane_silences_nobody(void **state)
{
	(void)state;
	enum { PERSONS = 4, HEARD = 4 };
	struct eg_err err = {0};
	struct road *r = road_open(NULL);
	people(r, PERSONS, 1, "330302");
	const struct eg_intake_options io = {.vault = r->vault, .lane = {.items = 1, .bytes = 1 << 20}};
	struct eg_intake *own = eg_intake_new(&io);
	struct eg_feed *f = feed_into(r, own, 0, EG_SECOND / 50);
	struct eg_sub_options head = options(r, EG_START_CURSOR), snapshot = options(r, EG_START_SNAPSHOT);
	memcpy(head.log_id, eg_writer_log_id(r->writer), 16);
	head.seq = road_head(r);
	assert_ok(follow(&all[0], r, f, &head, true, &err), err);
	await(&all[0], all[0].n >= 1);
	assert_ok(follow(&all[1], r, f, &snapshot, true, &err), err);
	unsigned before = all[0].n;
	await(&all[0], all[0].n > before + HEARD); /* by now that one's window is in the lane */
	assert_ok(follow(&all[2], r, f, &snapshot, true, &err), err);
	before = all[0].n;
	await(&all[0], all[0].n > before + HEARD);
	assert_int_equal(all[1].n + all[2].n, 0);
	log_one(own);
	log_one(own);
	for (unsigned i = 1; i < 3; i++)
		await(&all[i], all[i].n >= PERSONS);
	for (unsigned i = 0; i < 3; i++)
		leave(&all[i]);
	eg_feed_stop(f);
	eg_intake_free(own);
	road_close(r, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_same_window_is_made_once),
	        cmocka_unit_test(the_head_gathers),
	        cmocka_unit_test(a_snapshot_goes_on_where_it_failed),
	        cmocka_unit_test(a_full_lane_silences_nobody),
	};
	return cmocka_run_group_tests(tests, road_read_seed, NULL);
}
