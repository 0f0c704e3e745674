/* Full lists through the engine: whatever order lists and late records come in, what stands is what the
 * source held.
 *
 * A generated source has a timeline: at each position it changes, drops or takes back one key. Its changes
 * come as records with that position as version; now and then a list says what it holds, without versions.
 * All of it is delivered in a random order, once the first list was: then the newest list, and the newest
 * record behind it, must say what stands of each key.
 *
 *   EG_LIST_HISTORIES   how many (60)       EG_SEED   of the first */
#include "road_check.h"

#include "flow/compare.h"
#include "flow/listed.h"
#include "flow/lists.h"

enum { NAME = 3, STATUS = 15 };
enum { KEYS = 8, POSITIONS = 60, LISTS = 5, HISTORIES = 60, FIRST = 10 };

static struct road *r;
static struct eg_lists *ls;

static void start_lists(void)
{
	struct eg_err err = {0};
	const struct eg_lists_options o = {.store = r->store,
	                                   .vault = r->vault,
	                                   .intake = r->intake,
	                                   .writer = r->writer,
	                                   .dir = r->lists_dir,
	                                   .memory = 1 << 20,
	                                   .disk = 1 << 30,
	                                   .open = 4,
	                                   .max_record_bytes = 16 << 10,
	                                   .shrink_bp = 10000,
	                                   .shrink_floor = 1000000};
	assert_ok(eg_lists_start(&ls, &o, &err), err);
}

static void stop_lists(void)
{
	eg_lists_stop(ls);
	eg_lists_free(ls);
}

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

/* ---- lists ---- */

struct row {
	char key[8], name[24];
	int64_t version; /* 0: none of its own */
};

static struct eg_list *put_list(const char *id, int64_t as_of, const struct row *rows, unsigned n,
                                bool dry_run, struct eg_list_begin *more)
{
	struct eg_err err = {0};
	struct eg_list_begin b = {.agency = "police",
	                          .operator_name = "police",
	                          .dataset = "hukou",
	                          .list_id = id,
	                          .as_of = as_of};
	struct eg_list *l;
	struct eg_hash *h = eg_hash_new(EG_HASH_SHA256);
	uint8_t digest[32];
	if (more) {
		b.n_regions = more->n_regions;
		b.regions = more->regions;
	}
	b.dry_run = dry_run;
	assert_ok(eg_list_begin(ls, &b, &l, &err), err);
	struct eg_ticket *t = road_batch(r, "police", "hukou", n + 1);
	for (unsigned i = 0; i < n; i++) {
		struct eg_item *item = road_add(t, rows[i].key, rows[i].version, EG_ASSERT);
		struct eg_bytes bytes = {(const uint8_t *)&rows[i], sizeof rows[i]};
		road_text(t, item, NAME, rows[i].name);
		road_int(item, STATUS, 1);
		eg_list_digest(l, bytes);
		const uint8_t len[4] = {0, 0, 0, sizeof rows[i]};
		const struct eg_bytes parts[] = {{len, 4}, bytes};
		eg_hash_add(h, parts, 2);
	}
	assert_ok(eg_list_add(l, t, 0, &err), err);
	eg_ticket_free(t);
	eg_hash_end(h, digest);
	eg_hash_free(h);
	assert_ok(eg_list_end(l, n, (struct eg_bytes){digest, sizeof digest}, &err), err);
	return l;
}

static struct eg_list_look wait_for(struct eg_list *l)
{
	struct eg_list_look look;
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	for (eg_list_look(l, &look); !look.over; eg_list_look(l, &look)) {
		assert_true(eg_mono_us() < deadline);
		eg_wake_wait(eg_writer_lists(r->writer), eg_wake_seen(eg_writer_lists(r->writer)),
		             eg_mono_us() + 1000);
	}
	if (look.rc)
		fail_msg("the list failed: %s", look.err.text);
	return look;
}

static struct eg_list_counts send_list(const char *id, int64_t as_of, const struct row *rows, unsigned n)
{
	struct eg_list *l = put_list(id, as_of, rows, n, false, NULL);
	struct eg_list_counts counts = wait_for(l).info.counts;
	eg_list_release(l);
	return counts;
}

static enum eg_outcome send_record(const char *key, const char *name, int64_t version)
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	struct eg_item *item = road_add(t, key, version, EG_ASSERT);
	road_text(t, item, NAME, name);
	road_int(item, STATUS, 1);
	road_send(r, t);
	return road_outcome(t, NULL);
}

/* What stands of a key: its name; "": nothing. */
static void stands(const char *key, char name[24])
{
	struct eg_person p;
	uint8_t token[16];
	name[0] = 0;
	road_token(r, "police", "hukou", key, token);
	if (!road_person(r, "police", "hukou", key, &p))
		return;
	for (unsigned i = 0; i < p.n_held; i++)
		if (memcmp(p.held[i].token, token, 16) == 0) {
			struct eg_bytes text = eg_claim_text(&p.held[i].claim, NAME);
			snprintf(name, 24, "%.*s", (int)text.len, (const char *)text.p);
		}
}

/* ---- histories ---- */

struct change {
	unsigned key;
	unsigned content; /* 0: dropped */
};

static void name_of(unsigned content, char out[24])
{
	snprintf(out, 24, "王%u", content);
}

/* What the source holds of a key at a position. */
static unsigned held_at(const struct change *timeline, unsigned key, unsigned position)
{
	unsigned content = 1;
	for (unsigned p = 1; p <= position; p++)
		if (timeline[p].key == key)
			content = timeline[p].content;
	return content;
}

static void deliver_list(const struct change *timeline, unsigned position)
{
	struct row rows[KEYS];
	unsigned n = 0;
	char id[16];
	snprintf(id, sizeof id, "l%u", position);
	memset(rows, 0, sizeof rows);
	for (unsigned k = 0; k < KEYS; k++) {
		unsigned content = held_at(timeline, k, position);
		if (!content)
			continue;
		snprintf(rows[n].key, sizeof rows[n].key, "k%u", k);
		name_of(content, rows[n++].name);
	}
	send_list(id, FIRST + position, rows, n);
}

static void deliver_record(const struct change *timeline, unsigned position)
{
	const struct change *c = &timeline[position];
	char key[8], name[24];
	if (!c->content)
		return; /* the source tells of no drop but by its lists */
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
			print_error("  list at %u: content %u\n", p, held_at(timeline, key, p));
		else if (timeline[p].key == key && timeline[p].content)
			print_error("  record of %u: content %u\n", p, timeline[p].content);
	}
}

static void check_history(const struct change *timeline, unsigned newest, const bool *list_at,
                          const unsigned *order, unsigned n)
{
	for (unsigned k = 0; k < KEYS; k++) {
		unsigned want = held_at(timeline, k, newest);
		char key[8], name[24], got[24];
		for (unsigned p = newest + 1; p <= POSITIONS; p++)
			if (timeline[p].key == k && timeline[p].content)
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
	bool list_at[POSITIONS + 1] = {false};
	for (unsigned p = 1; p <= POSITIONS; p++) {
		timeline[p].key = road_below(KEYS);
		timeline[p].content = road_below(4) ? 1 + road_below(3) : 0;
	}
	for (unsigned i = 0; i < LISTS; i++) { /* at a position of its own: what changes there is no record */
		unsigned p = 1 + road_below(POSITIONS);
		list_at[p] = true;
		timeline[p] = (struct change){KEYS, 0};
		newest = p > newest ? p : newest;
	}
	deliver_list(timeline, 0);
	for (unsigned p = 1; p <= POSITIONS; p++)
		order[n++] = p;
	for (unsigned i = n; i > 1; i--) {
		unsigned j = road_below(i), t = order[i - 1];
		order[i - 1] = order[j];
		order[j] = t;
	}
	for (unsigned i = 0; i < n; i++) {
		if (list_at[order[i]])
			deliver_list(timeline, order[i]);
		else
			deliver_record(timeline, order[i]);
		if (road_below(60) == 0) { /* what an applied list said is known after a restart too */
			eg_intake_close(r->intake);
			eg_writer_drain(r->writer);
			stop_lists();
			road_stop(r);
			road_start(r);
			start_lists();
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

static const struct row three[] = {{"a", "王一", 0}, {"b", "王二", 0}, {"c", "王三", 0}};

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

/* A spool that lost a run is no list: nothing is withdrawn for it. */
static void a_spool_that_is_gone_withdraws_nobody(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_list_row *rows;
	unsigned n;
	send_list("one", 100, three, 3);
	/* A list that is durable, and not yet looked at: the engine stands still. */
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_stop(r);
	road_start(r);
	struct eg_list_info info = {.agency = "police",
	                            .dataset = "hukou",
	                            .list_id = "two",
	                            .operator_name = "police",
	                            .as_of = 200,
	                            .phase = EG_LIST_RECEIVED,
	                            .rows = 2,
	                            .versionless = true};
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_LIST, 1 << 16, NULL, NULL);
	t->list.info = &info;
	t->list.fresh = true;
	eg_random(info.spool, sizeof info.spool);
	road_send(r, t);
	eg_ticket_free(t);
	start_lists();
	assert_ok(eg_list_lists(r->reader, 0, EG_LIST_RECEIVED, 10, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 1); /* kept, and told in the log; whoever runs the gateway has to look */
	char name[24];
	stands("c", name);
	assert_string_equal(name, "王三");
	/* Other lists go on. */
	assert_int_equal(send_list("three", 300, three, 3).unchanged, 3);
}

static void keep_ticket(struct eg_ticket *t)
{
	(void)t;
}

static void stop_all(void)
{
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_stop(r);
}

/* Puts a record of a version that may be late; nobody waits for it. */
static struct eg_ticket *put_record(const char *key, int64_t version)
{
	struct eg_err err = {0};
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	struct eg_item *item = road_add(t, key, version, EG_ASSERT);
	road_text(t, item, NAME, "王晚");
	road_int(item, STATUS, 1);
	t->done = keep_ticket;
	assert_ok(eg_intake_put(r->intake, t, eg_mono_us() + EG_SECOND, &err), err);
	return t;
}

/* What a list lacked cannot be told any more: that is the trouble of the records that ask for it. */
static void absent_keys_that_are_gone_hit_only_who_asks(void **state)
{
	(void)state;
	struct eg_listed listed = {0};
	struct eg_err err = {0};
	send_list("one", 100, three, 3);
	assert_int_equal(send_list("two", 200, three, 2).withdrawn, 1);
	assert_ok(eg_listed_load(&listed, r->reader, &err), err);
	assert_int_equal(listed.n, 1);
	char hex[33], path[512];
	eg_hex(listed.v[0].spool, 16, hex);
	snprintf(path, sizeof path, "%s/%s/absent", r->lists_dir, hex);
	eg_listed_free(&listed);
	assert_int_equal(unlink(path), 0);
	stop_all();
	road_start_intake(r); /* all of them into one commit */
	struct eg_ticket *first = put_record("x", 150), *late = put_record("a", 150),
	                 *last = put_record("b", 250);
	road_start_writer(r);
	start_lists();
	assert_int_equal(send_record("z", "王末", 1), EG_APPLIED); /* behind them */
	assert_int_equal(first->rc, EG_OK);
	assert_int_equal(first->submission.items[0].outcome, EG_APPLIED);
	assert_int_equal(late->rc, EG_CORRUPT);
	assert_int_equal(last->rc, EG_OK);
	assert_int_equal(last->submission.items[0].outcome, EG_APPLIED);
	eg_ticket_free(first);
	eg_ticket_free(late);
	eg_ticket_free(last);
	/* A newer list knows better, and the record is decided. */
	send_list("three", 300, three, 3);
	assert_int_equal(send_record("a", "王晚", 150), EG_STALE);
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
	                         .n_regions = 2,
	                         .regions = regions_of,
	                         .mapping_revision = 3,
	                         .rows = 100,
	                         .keyless = 1,
	                         .versionless = true,
	                         .counts = {1, 2, 3, 4, 5, 6, 7, 8, 9},
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
	assert_true(got.as_of == -5 && got.phase == EG_LIST_HELD && got.pinned == 40 && got.seq == 44 &&
	            got.received_us == 1000 && got.ended_us == 2000 && got.mapping_revision == 3 &&
	            got.rows == 100 && got.keyless == 1 && got.versionless && got.withdrawn_before == 12 &&
	            got.held);
	struct eg_list_row cut = row;
	for (size_t len = 1; len < row.body.len; len++) {
		cut.body.len = len;
		enum eg_rc rc = eg_list_info_read(&cut, r->arena, &got, &err);
		assert_true(rc == EG_OK || rc == EG_CORRUPT); /* OK where an item ends */
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
	        T(dry_runs_write_nothing),
	        T(a_spool_that_is_gone_withdraws_nobody),
	        T(absent_keys_that_are_gone_hit_only_who_asks),
	        T(limits),
	        T(regions),
	        T(rows_of_lists),
	};
	return cmocka_run_group_tests_name("list", tests, road_read_seed, NULL);
}
