/* Full lists through the engine: whatever order lists and late records come in, what stands is what the
 * source held.
 *
 * A generated source has a timeline: at each position it changes, drops or takes back one key. Its changes
 * come as records with that position as version; now and then a list says what it holds, without versions or,
 * in half of the histories, with those of its rows.
 * All of it is delivered in a random order, once the first list was: then the newest list, and the newest
 * record behind it, must say what stands of each key.
 *
 *   EG_LIST_HISTORIES   how many (60)       EG_SEED   of the first */
#include "road_lists.h"

enum { AS_BEFORE = 9 };
enum { KEYS = 8, POSITIONS = 60, LISTS = 5, HISTORIES = 60, FIRST = 10 };

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	start_lists();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	road_check(r);
	/* As the daemon does: nothing more comes, the writer answers, then the lists end. */
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_close(r, true);
	return 0;
}

/* ---- histories ---- */

struct change {
	unsigned key;
	unsigned content; /* 0: dropped; AS_BEFORE: held again, with the version that it had */
};

/* Of what it drops, or holds again as it was, the source tells by its lists alone. */
static bool is_told(const struct change *c)
{
	return c->content && c->content != AS_BEFORE;
}

static void name_of(unsigned content, char out[24])
{
	snprintf(out, 24, "王%u", content);
}

/* What the source holds of a key at a position, and since when (if since is not NULL). */
static unsigned held_at(const struct change *timeline, unsigned key, unsigned position, unsigned *since)
{
	unsigned content = 1, last = 1, from = 0;
	for (unsigned p = 1; p <= position; p++) {
		if (timeline[p].key != key)
			continue;
		content = timeline[p].content == AS_BEFORE ? last : timeline[p].content;
		if (content && timeline[p].content != AS_BEFORE) {
			last = content;
			from = p;
		}
	}
	if (since)
		*since = from;
	return content;
}

static void deliver_list(const struct change *timeline, unsigned position, bool versions)
{
	struct row rows[KEYS];
	unsigned n = 0, since;
	char id[16];
	snprintf(id, sizeof id, "l%u", position);
	memset(rows, 0, sizeof rows);
	for (unsigned k = 0; k < KEYS; k++) {
		unsigned content = held_at(timeline, k, position, &since);
		if (!content)
			continue;
		rows[n].version = versions ? FIRST + (int64_t)since : 0;
		snprintf(rows[n].key, sizeof rows[n].key, "k%u", k);
		name_of(content, rows[n++].name);
	}
	send_list(id, FIRST + position, rows, n);
}

static void deliver_record(const struct change *timeline, unsigned position)
{
	const struct change *c = &timeline[position];
	char key[8], name[24];
	if (!is_told(c))
		return;
	snprintf(key, sizeof key, "k%u", c->key);
	name_of(c->content, name);
	send_record(key, name, FIRST + (int64_t)position);
}

static void print_history(const struct change *timeline, const bool *list_at, const unsigned *order,
                          unsigned n, unsigned key)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned p = order[i];
		if (list_at[p])
			print_error("  list at %u: content %u\n", p, held_at(timeline, key, p, NULL));
		else if (timeline[p].key == key && is_told(&timeline[p]))
			print_error("  record of %u: content %u\n", p, timeline[p].content);
	}
}

static void check_history(const struct change *timeline, unsigned newest, const bool *list_at,
                          const unsigned *order, unsigned n)
{
	for (unsigned k = 0; k < KEYS; k++) {
		unsigned want = held_at(timeline, k, newest, NULL);
		char key[8], name[24], got[24];
		for (unsigned p = newest + 1; p <= POSITIONS; p++)
			if (timeline[p].key == k && is_told(&timeline[p]))
				want = timeline[p].content;
		snprintf(key, sizeof key, "k%u", k);
		name_of(want, name);
		stands(key, got);
		if (strcmp(got, want ? name : "") != 0)
			print_history(timeline, list_at, order, n, k);
		if (strcmp(got, want ? name : "") != 0)
			fail_msg("of %s stands '%s', and the source held '%s' (newest list at %u)", key, got,
			         want ? name : "", newest);
	}
}

static void history(void)
{
	struct change timeline[POSITIONS + 1] = {{0}};
	unsigned order[POSITIONS + LISTS], n = 0, newest = 0;
	bool versions = road_below(2); /* whether those of lists have versions of their own */
	bool list_at[POSITIONS + 1] = {false};
	for (unsigned p = 1; p <= POSITIONS; p++) {
		timeline[p].key = road_below(KEYS);
		timeline[p].content = road_below(2) ? 1 + road_below(3) : road_below(2) ? AS_BEFORE : 0;
	}
	for (unsigned i = 0; i < LISTS; i++) { /* at a position of its own: what changes there is no record */
		unsigned p = 1 + road_below(POSITIONS);
		list_at[p] = true;
		timeline[p] = (struct change){KEYS, 0};
		newest = p > newest ? p : newest;
	}
	deliver_list(timeline, 0, versions);
	for (unsigned p = 1; p <= POSITIONS; p++)
		order[n++] = p;
	for (unsigned i = n; i > 1; i--) {
		unsigned j = road_below(i), t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
	for (unsigned i = 0; i < n; i++) {
		if (list_at[order[i]])
			deliver_list(timeline, order[i], versions);
		else
			deliver_record(timeline, order[i]);
		if (road_below(60) == 0) { /* what an applied list said is known after a restart too */
			restart_road();
		}
	}
	check_history(timeline, newest, list_at, order, n);
}

static void any_order_ends_in_the_same(void **state)
{
	const char *given = getenv("EG_LIST_HISTORIES");
	unsigned n = given ? (unsigned)strtoul(given, NULL, 10) : HISTORIES;
	for (unsigned i = 0; i < n; i++) {
		uint64_t seed = road_seed;
		set_up(state);
		print_message("history EG_SEED=%llu\n", (unsigned long long)seed);
		history();
		tear_down(state);
		road_seed = seed + 1;
	}
}

/* ---- stories ---- */

static void a_list_without_news_writes_one_entry(void **state)
{
	(void)state;
	assert_int_equal(send_list("one", 100, three, 3).added, 3);
	uint64_t head = road_head(r);
	struct eg_list_counts n = send_list("two", 200, three, 3);
	assert_int_equal(n.unchanged, 3);
	assert_int_equal(n.covered, 3);
	assert_int_equal(road_head(r), head + 1);
	struct eg_entry e = road_entry(r, head + 1);
	assert_int_equal(e.header.kind, EG_ENTRY_LIST);
	assert_int_equal(e.header.count, 3);
	assert_true(eg_bytes_equal(e.header.act, eg_bytes_of("list_applied")));
	assert_true(eg_bytes_equal(e.header.submission, eg_bytes_of("two")));
}

/* When it was taken is no part of what it is: told otherwise it is the same list still, and the first word
 * stands. */
static void when_it_was_taken_makes_no_other_list(void **state)
{
	(void)state;
	const int64_t said[] = {EG_SECOND * 1772294400, EG_SECOND * 1772380800, 0};
	for (unsigned i = 0; i < sizeof said / sizeof *said; i++) {
		const struct eg_list_begin more = {.taken_at = said[i]};
		struct eg_list *l = put_list("one", INT64_C(20260301000000001), three, 3, false, &more);
		struct eg_list_look look = wait_for(l);
		assert_int_equal(look.repeated, i > 0);
		assert_true(look.info.taken_at == said[0]);
		eg_list_release(l);
	}
}

static void dry_runs_write_nothing(void **state)
{
	(void)state;
	send_list("one", 100, three, 3);
	uint64_t head = road_head(r);
	struct eg_list *l = put_list("dry", 200, three, 1, true, NULL);
	struct eg_list_look look = wait_for(l);
	assert_true(look.dry_run);
	assert_int_equal(look.info.counts.unchanged, 1);
	assert_int_equal(look.info.counts.missing, 2);
	assert_int_equal(look.info.pinned, head);
	assert_int_equal(look.info.seq, 0);
	assert_int_equal(road_head(r), head);
	eg_list_release(l);
}

static void limits(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_list *l[5];
	const struct eg_list_begin b = {.agency = "police",
	                                .operator_name = "police",
	                                .dataset = "hukou",
	                                .list_id = "x",
	                                .as_of = 5};
	for (unsigned i = 0; i < 4; i++)
		assert_ok(eg_list_begin(ls, &b, &l[i], &err), err);
	assert_int_equal(eg_list_begin(ls, &b, &l[4], &err), EG_BUSY);
	struct eg_list_sight seen[8];
	assert_int_equal(eg_lists_see(ls, seen, 8), 4);
	assert_int_equal(seen[0].phase, EG_LIST_RECEIVING);
	eg_list_release(l[2]); /* its stream broke */
	assert_ok(eg_list_begin(ls, &b, &l[2], &err), err);
	assert_int_equal(eg_list_end(l[0], 1, (struct eg_bytes){0}, &err), EG_INVALID);
	assert_string_equal(err.field, "count");
	assert_int_equal(eg_list_end(l[0], 0, (struct eg_bytes){0}, &err), EG_INVALID);
	assert_string_equal(err.field, "digest");
	/* Its count and digest are right, but its only record was never kept. */
	const uint8_t len[4] = {0, 0, 0, 1}, record[1] = {7};
	const struct eg_bytes parts[] = {{len, sizeof len}, {record, sizeof record}};
	uint8_t digest[32];
	struct eg_hash *h = eg_hash_new(EG_HASH_SHA256);
	eg_hash_add(h, parts, 2);
	eg_hash_end(h, digest);
	eg_hash_free(h);
	eg_list_digest(l[1], parts[1]);
	assert_int_equal(eg_list_end(l[1], 1, (struct eg_bytes){digest, sizeof digest}, &err), EG_BUSY);
	for (unsigned i = 0; i < 4; i++)
		eg_list_release(l[i]);
	assert_int_equal(eg_lists_see(ls, seen, 8), 0);
}

static void regions(void **state)
{
	(void)state;
	const char *ab[] = {"3303", "44"}, *a1[] = {"330302"}, *c[] = {"11"};
	const struct eg_list_info all = {0}, wide = {.n_regions = 2, .regions = ab},
	                          narrow = {.n_regions = 1, .regions = a1},
	                          other = {.n_regions = 1, .regions = c};
	assert_true(eg_list_covers_region(&all, eg_bytes_of("")));
	assert_true(eg_list_covers_region(&wide, eg_bytes_of("330399")));
	assert_false(eg_list_covers_region(&wide, eg_bytes_of("3304")));
	assert_false(eg_list_covers_region(&wide, eg_bytes_of("33")));
	assert_false(eg_list_covers_region(&wide, eg_bytes_of("")));
	assert_true(eg_list_includes(&wide, &narrow));
	assert_false(eg_list_includes(&narrow, &wide));
	assert_true(eg_list_includes(&all, &wide));
	assert_false(eg_list_includes(&wide, &all));
	assert_true(eg_list_overlap(&narrow, &wide));
	assert_true(eg_list_overlap(&wide, &narrow));
	assert_true(eg_list_overlap(&other, &all));
	assert_false(eg_list_overlap(&other, &wide));
}

/* A row read back is the one that was written; a damaged one is told. */
static void rows_of_lists(void **state)
{
	(void)state;
	struct eg_err err = {0};
	const char *regions_of[] = {"3303", "11"};
	struct eg_list_info l = {.row = 7,
	                         .agency = "police",
	                         .dataset = "hukou",
	                         .list_id = "week 3",
	                         .operator_name = "officer",
	                         .as_of = -5,
	                         .phase = EG_LIST_HELD,
	                         .pinned = 40,
	                         .seq = 44,
	                         .received_us = 1000,
	                         .ended_us = 2000,
	                         .taken_at = 500,
	                         .n_regions = 2,
	                         .regions = regions_of,
	                         .mapping_revision = 3,
	                         .rows = 100,
	                         .keyless = 1,
	                         .versionless = true,
	                         .counts = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
	                         .started = 39,
	                         .withdrawn_before = 12,
	                         .held = true},
	                    got;
	struct eg_list_row row;
	memset(l.case_id, 0xC5, sizeof l.case_id);
	assert_ok(eg_list_info_row(&l, r->arena, &row, &err), err);
	assert_ok(eg_list_info_read(&row, r->arena, &got, &err), err);
	assert_string_equal(got.operator_name, "officer");
	assert_int_equal(got.n_regions, 2);
	assert_string_equal(got.regions[1], "11");
	assert_memory_equal(&got.counts, &l.counts, sizeof l.counts);
	assert_memory_equal(got.case_id, l.case_id, sizeof l.case_id);
	assert_true(got.as_of == -5 && got.phase == EG_LIST_HELD && got.pinned == 40 && got.started == 39 &&
	            got.seq == 44 && got.received_us == 1000 && got.ended_us == 2000 && got.taken_at == 500 &&
	            got.mapping_revision == 3 && got.rows == 100 && got.keyless == 1 && got.versionless &&
	            got.withdrawn_before == 12 && got.held);
	struct eg_list_row cut = row;
	for (size_t len = 1; len < row.body.len; len++) {
		cut.body.len = len;
		enum eg_rc was = eg_list_info_read(&cut, r->arena, &got, &err);
		assert_true(was == EG_OK || was == EG_CORRUPT); /* OK where an item ends */
	}
	/* No memory is no damage. */
	enum eg_rc rc = EG_LIMIT;
	for (size_t budget = 1; rc != EG_OK; budget++) {
		struct eg_arena *small = eg_arena_new(budget);
		rc = eg_list_info_read(&row, small, &got, &err);
		assert_true(rc == EG_OK || rc == EG_LIMIT);
		eg_arena_free(small);
	}
	row.phase = EG_LIST_RECEIVING;
	assert_int_equal(eg_list_info_read(&row, r->arena, &got, &err), EG_CORRUPT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(any_order_ends_in_the_same),
	        T(a_list_without_news_writes_one_entry),
	        T(when_it_was_taken_makes_no_other_list),
	        T(dry_runs_write_nothing),
	        T(limits),
	        T(regions),
	        T(rows_of_lists),
	};
	return cmocka_run_group_tests_name("list", tests, road_read_seed, NULL);
}
