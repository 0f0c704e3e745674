/* Which full lists stand, and what those say of keys: thousands of regions, rejects, presence, records that
 * come while a list does. */
#include "road_lists.h"

#include "flow/list_late.h"

#include <stdatomic.h>

/* The same source, which has versions. */
static struct row versioned[] = {{.key = "a", .name = "王一", .version = 5},
                                 {.key = "b", .name = "王二", .version = 5},
                                 {.key = "c", .name = "王三", .version = 5}};

static void assert_stands(const char *key, const char *want)
{
	char got[24];
	stands(key, got);
	assert_string_equal(got, want);
}

static unsigned standing(void)
{
	struct eg_err err = {0};
	struct eg_list_row *rows = NULL;
	unsigned n = 0;
	assert_ok(eg_list_standing(r->reader, 0, 100000, r->arena, &rows, &n, &err), err);
	assert_int_equal(eg_writer_lists_standing(r->writer), n);
	return n;
}

/* ---- how many ---- */

/* A list of one region, as it is when it was applied. */
static void apply_region(unsigned i, uint64_t pinned)
{
	char region[8], id[16];
	const char *regions[] = {region};
	struct eg_list_info info = {.agency = "police",
	                            .dataset = "hukou",
	                            .list_id = id,
	                            .operator_name = "police",
	                            .as_of = 100 + i,
	                            .phase = EG_LIST_DONE,
	                            .pinned = pinned,
	                            .n_regions = 1,
	                            .regions = regions,
	                            .versionless = true};
	snprintf(region, sizeof region, "%06u", i);
	snprintf(id, sizeof id, "l%u", i);
	eg_random(info.spool, sizeof info.spool);
	eg_random(info.digest, sizeof info.digest);
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_LIST, 1 << 16, NULL, NULL);
	t->list.info = &info;
	t->list.fresh = t->list.append = true;
	road_send(r, t);
	eg_ticket_free(t);
}

static void thousands_of_regions_stand(void **state)
{
	(void)state;
	enum { REGIONS = 2000 };
	const struct row row = {.key = "a", .name = "王一", .region = "001234"};
	struct eg_list *l = begin_region("first", 50, "001234");
	fill_list(l, &row, 1);
	assert_int_equal(end_list(l).counts.added, 1);
	l = begin_region("second", 60, "001234");
	fill_list(l, &row, 1);
	assert_int_equal(end_list(l).counts.unchanged, 1);
	assert_int_equal(standing(), 1);
	for (unsigned i = 0; i < REGIONS; i++)
		apply_region(i, road_head(r));
	assert_int_equal(standing(), REGIONS); /* one of them outdid the one that there was */
	restart_road();
	assert_int_equal(standing(), REGIONS);
	/* The one that covers the key is found among them, after a restart too. */
	assert_int_equal(send_record("a", "王晚", 1200), EG_STALE);
	assert_int_equal(send_record("a", "王新", 1400), EG_APPLIED);
	/* The next list of everything lets them all go; their rows stay. */
	const struct row now = {.key = "a", .name = "王新"};
	send_list("all", 10000, &now, 1);
	assert_int_equal(standing(), 1);
	struct eg_err err = {0};
	struct eg_list_row *rows = NULL;
	unsigned n = 0;
	assert_ok(eg_list_lists(r->reader, 0, 0, 2 * REGIONS, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, REGIONS + 3);
	assert_ok(eg_list_lists(r->reader, 0, EG_LIST_DONE, 2 * REGIONS, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, REGIONS + 3);
	restart_road();
	assert_int_equal(standing(), 1);
}

static void too_many_are_refused(void **state)
{
	(void)state;
	const char *region = "330309";
	const struct eg_list_begin b = {.agency = "police",
	                                .operator_name = "police",
	                                .dataset = "hukou",
	                                .list_id = "x",
	                                .as_of = 1000,
	                                .n_regions = 1,
	                                .regions = &region};
	struct eg_err err = {0};
	struct eg_list *l;
	lists_standing = 3;
	restart_road();
	for (unsigned i = 0; i < 3; i++)
		apply_region(i, road_head(r));
	assert_int_equal(eg_list_begin(ls, &b, &l, &err), EG_LIMIT);
	assert_non_null(strstr(err.text, "lists.standing"));
	restart_road(); /* it starts, and refuses still */
	assert_int_equal(eg_list_begin(ls, &b, &l, &err), EG_LIMIT);
	assert_int_equal(send_record("a", "王一", 1), EG_APPLIED);
	lists_standing = 4; /* as its text says */
	restart_road();
	assert_ok(eg_list_begin(ls, &b, &l, &err), err);
	eg_list_release(l);
}

/* A store of before the table has its lists standing when it is opened. */
static void lists_of_before_stand(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		apply_region(i, road_head(r));
	struct eg_list_row *rows = NULL;
	struct eg_err err = {0};
	unsigned n = 0;
	stop_road();
	road_start_intake(r);
	struct eg_tx tx = eg_tx_begin(r->store);
	for (int64_t row = 1; row <= 3; row++)
		eg_tx_drop_standing(&tx, row);
	assert_ok(eg_tx_end(&tx, &err), err);
	eg_intake_free(r->intake);
	eg_vault_close(r->vault);
	eg_store_close(r->store);
	road_start(r);
	start_lists();
	assert_ok(eg_list_standing(r->reader, 0, 10, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 3);
}

/* ---- rejects ---- */

/* A list that rejected the record of a known key says nothing of it: what an older one said holds. */
static void what_a_list_rejected_an_older_one_knows(void **state)
{
	(void)state;
	struct row rows[3];
	send_record("a", "王一", 10);
	send_list("one", 100, three, 3);
	memcpy(rows, three, sizeof rows);
	rows[0].faulty = true;
	assert_int_equal(send_list("two", 200, rows, 3).rejected, 1);
	assert_int_equal(standing(), 2);
	assert_int_equal(send_record("a", "王晚", 50), EG_STALE);
	assert_int_equal(send_record("b", "王晚", 150), EG_STALE);
	assert_stands("a", "王一");
	/* Rejects of keys that nobody knows keep no list standing. */
	const struct row more[] = {
	        three[0], three[1], three[2], {.key = "x", .name = "王四", .faulty = true}};
	assert_int_equal(send_list("three", 300, more, 4).rejected, 1);
	assert_int_equal(standing(), 1);
}

/* ---- presence ---- */

static void older_lists_yield_to_what_newer_ones_hold(void **state)
{
	(void)state;
	/* what the newer one found unchanged, */
	for (unsigned i = 0; i < 2; i++)
		send_record(versioned[i].key, versioned[i].name, 5);
	struct eg_list_counts n = send_list("newer", 200, versioned, 3);
	assert_int_equal(n.unchanged, 2);
	assert_int_equal(n.added, 1); /* and what it brought */
	n = send_list("older", 100, versioned, 1);
	assert_int_equal(n.covered, 3);
	assert_int_equal(n.missing, 0);
	assert_stands("b", "王二");
	assert_stands("c", "王三");
	/* One that came behind the newer list it does not show. */
	send_record("d", "王四", 6);
	n = send_list("older still", 90, versioned, 3);
	assert_int_equal(n.withdrawn, 1);
	assert_stands("d", "");
	/* Nor what it lacked, or rejected. */
	struct row rows[2] = {versioned[0], versioned[1]};
	rows[1].faulty = true;
	n = send_list("newest", 300, rows, 2);
	assert_int_equal(n.withdrawn, 1);
	assert_stands("c", "");
	n = send_list("late", 250, versioned, 1);
	assert_int_equal(n.withdrawn, 1);
	assert_stands("b", "");
	assert_stands("a", "王一");
}

/* The older one is held, and approved when the newer one has been applied. */
static void presence_is_asked_for_when_it_is_withdrawn(void **state)
{
	(void)state;
	guarded = true;
	restart_road();
	for (unsigned i = 0; i < 3; i++)
		send_record(versioned[i].key, versioned[i].name, 5);
	struct eg_list *l = put_list("older", 100, versioned, 1, false, NULL);
	struct eg_list_info info = end_list(l);
	assert_int_equal(info.phase, EG_LIST_HELD);
	assert_int_equal(info.counts.missing, 2);
	assert_int_equal(send_list("newer", 200, versioned, 2).missing, 1);
	/* The newer one waits too: it lacks c, and nobody has said that it may. */
	struct eg_err err = {0};
	struct eg_case_row *cases = NULL;
	unsigned n = 0;
	assert_ok(eg_list_cases(r->reader, 0, EG_CASE_LIST_SHRINK, EG_CASE_OPEN, 10, r->arena, &cases, &n,
	                        &err),
	          err);
	assert_int_equal(n, 2);
	enum eg_rc rc;
	eg_ticket_free(road_decide(r, cases[0].id, EG_DECIDE_APPROVE, NULL, &rc));
	assert_int_equal(rc, EG_OK);
	struct eg_list_row row;
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	do {
		uint64_t seen = eg_wake_seen(eg_writer_lists(r->writer));
		assert_ok(eg_get_list_by_seq(r->reader, info.seq, r->arena, &row, &err), err);
		if (row.phase != EG_LIST_DONE)
			eg_wake_wait(eg_writer_lists(r->writer), seen, eg_mono_us() + EG_SECOND / 10);
		assert_true(eg_mono_us() < deadline);
	} while (row.phase != EG_LIST_DONE);
	assert_ok(eg_list_info_read(&row, r->arena, &info, &err), err);
	assert_int_equal(info.counts.withdrawn, 1);
	assert_int_equal(info.counts.skipped, 1);
	assert_stands("b", "王二");
	assert_stands("c", "");
}

/* ---- what comes while a list comes ---- */

static void a_key_that_moves_while_a_list_comes_is_not_withdrawn(void **state)
{
	(void)state;
	send_list("one", 100, three, 3);
	struct eg_list *dry = begin_list("dry", 200, true, NULL), *l = begin_list("two", 200, false, NULL);
	/* From before what stands, so that nothing but the log tells of it. */
	assert_int_equal(send_record("b", "王旧", 50), EG_STALE);
	uint64_t head = road_head(r);
	fill_list(dry, three, 1);
	struct eg_list_info told = end_list(dry);
	assert_int_equal(road_head(r), head);
	fill_list(l, three, 1);
	struct eg_list_info info = end_list(l);
	assert_int_equal(info.pinned, head);
	assert_int_equal(info.counts.missing, 2);
	assert_int_equal(info.counts.withdrawn, 1);
	assert_int_equal(info.counts.skipped, 1);
	assert_memory_equal(&told.counts, &info.counts, sizeof info.counts);
	assert_stands("b", "王二");
	assert_stands("c", "");
}

/* What such a list left as it was it does not say to be absent: what an older one said of it holds. */
static void a_key_that_was_left_as_it_is_an_older_list_knows(void **state)
{
	(void)state;
	send_record("b", "王二", 10);
	send_list("one", 100, three, 3);
	struct eg_list *l = begin_list("two", 200, false, NULL);
	assert_int_equal(send_record("b", "王旧", 5), EG_STALE);
	const struct row rows[] = {three[0], three[2]};
	fill_list(l, rows, 2);
	assert_int_equal(end_list(l).counts.skipped, 1);
	assert_int_equal(send_record("b", "王晚", 50), EG_STALE);
	assert_stands("b", "王二");
	assert_int_equal(standing(), 2);
	send_list("three", 300, three, 3);
	assert_int_equal(standing(), 1);
}

static atomic_bool holding;

static bool hold(void *arg)
{
	(void)arg;
	return atomic_load(&holding);
}

/* The engine stops and starts; the list goes on by itself. */
static struct eg_list_info end_after_a_restart(struct eg_list *l)
{
	struct eg_err err = {0};
	struct eg_list_row *rows = NULL;
	struct eg_list_info info = {0};
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	unsigned n = 0;
	eg_list_release(l);
	stop_road();
	atomic_store(&holding, false);
	road_start(r);
	start_lists();
	for (;;) {
		uint64_t seen = eg_wake_seen(eg_writer_lists(r->writer));
		assert_ok(eg_list_standing(r->reader, 0, 10, r->arena, &rows, &n, &err), err);
		assert_ok(eg_list_info_read(&rows[n - 1], r->arena, &info, &err), err);
		if (info.phase == EG_LIST_DONE)
			return info;
		eg_wake_wait(eg_writer_lists(r->writer), seen, eg_mono_us() + EG_SECOND / 10);
		assert_true(eg_mono_us() < deadline);
	}
}

/* Sends a list, without versions, of a and b and of something new, and `more` records of others while it
 * waits with what it has to write. */
static void late_while_it_is_compared(unsigned more, bool restarts)
{
	const struct row rows[] = {three[0], three[1], {.key = "z", .name = "王末"}};
	lists_hold = hold;
	restart_road();
	send_list("one", 100, three, 2);
	atomic_store(&holding, true);
	struct eg_list *l = put_list("two", 200, rows, 3, false, NULL);
	struct eg_list_look look;
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	do {
		uint64_t seen = eg_wake_seen(eg_writer_lists(r->writer));
		eg_list_look(l, &look);
		assert_true(eg_mono_us() < deadline);
		if (look.phase != EG_LIST_COMPARING)
			eg_wake_wait(eg_writer_lists(r->writer), seen, eg_mono_us() + EG_SECOND / 100);
	} while (look.phase != EG_LIST_COMPARING);
	/* Nobody knows yet that the list has found them as they were. */
	assert_int_equal(send_record("a", "王晚", 150), EG_APPLIED);
	eg_ticket_free(road_void(r, "police", "hukou", "b", 100));
	assert_stands("b", "");
	for (unsigned i = 0; i < more;) {
		struct eg_ticket *t = road_batch(r, "police", "hukou", 500);
		for (unsigned k = 0; k < 500 && i < more; k++, i++) {
			char key[16];
			snprintf(key, sizeof key, "m%u", i);
			struct eg_item *item = road_add(t, key, 150, EG_ASSERT);
			road_text(t, item, NAME, "王五");
			road_int(item, STATUS, 1);
		}
		road_send(r, t);
		eg_ticket_free(t);
	}
	struct eg_list_info info;
	if (restarts) {
		info = end_after_a_restart(l);
	} else {
		atomic_store(&holding, false);
		info = end_list(l);
	}
	assert_int_equal(info.counts.unchanged, 2);
	assert_int_equal(info.counts.added, 1);
	assert_int_equal(info.counts.rejected, 0);
	assert_stands("a", "王一");
	assert_stands("b", "王二");
	assert_int_equal(send_record("a", "王晚", 160), EG_STALE);
}

static void records_that_come_while_a_list_is_compared(void **state)
{
	(void)state;
	late_while_it_is_compared(0, false); /* the writer sees to them */
}

static void many_records_that_come_while_a_list_is_compared(void **state)
{
	(void)state;
	late_while_it_is_compared(EG_LIST_LATE_MAX / 4 + 100, false); /* the applier does */
}

static void records_that_come_before_a_restart(void **state)
{
	(void)state;
	late_while_it_is_compared(0, true);
}

/* ---- memory ---- */

/* A list whose rows have versions of their own. */
static void many_rows(struct eg_list *l, unsigned n)
{
	struct eg_err err = {0};
	struct eg_hash *h = eg_hash_new(EG_HASH_SHA256);
	char address[601] = "";
	uint8_t digest[32];
	for (unsigned i = 0; i < 200; i++)
		memcpy(address + (size_t)3 * i, "温", 4);
	for (unsigned first = 0; first < n; first += 1000) {
		unsigned until = n < first + 1000 ? n : first + 1000;
		struct eg_ticket *t = road_batch(r, "police", "hukou", 1000);
		for (unsigned i = first; i < until; i++) {
			char key[16];
			snprintf(key, sizeof key, "k%u", i);
			struct eg_item *item = road_add(t, key, 10, EG_ASSERT);
			const struct eg_bytes bytes = eg_bytes_of(key);
			const uint8_t len[4] = {0, 0, 0, (uint8_t)bytes.len};
			const struct eg_bytes parts[] = {{len, 4}, bytes};
			road_text(t, item, NAME, "王一");
			road_text(t, item, ADDRESS, address);
			road_int(item, STATUS, 1);
			eg_list_digest(l, bytes);
			eg_hash_add(h, parts, 2);
		}
		assert_ok(eg_list_add(l, t, first, &err), err);
		eg_ticket_free(t);
	}
	eg_hash_end(h, digest);
	eg_hash_free(h);
	assert_ok(eg_list_end(l, n, (struct eg_bytes){digest, sizeof digest}, &err), err);
}

/* An older list comes late and lacks almost all that a newer one brought: what it asks of each key's entry
 * is forgotten with the key. */
static void a_late_list_asks_of_many_keys(void **state)
{
	(void)state;
	enum { ROWS = 10000 };
	struct eg_list *l = begin_list("newer", 200, false, NULL);
	many_rows(l, ROWS);
	assert_int_equal(end_list(l).counts.added, ROWS);
	l = begin_list("older", 100, false, NULL);
	many_rows(l, 1);
	struct eg_list_counts n = end_list(l).counts;
	assert_int_equal(n.covered, ROWS);
	assert_int_equal(n.missing, 0);
}

static enum eg_rc count_late(void *arg, const uint8_t token[EG_TOKEN_SIZE], struct eg_err *err)
{
	(void)token, (void)err;
	++*(unsigned *)arg;
	return EG_OK;
}

/* However large the records are that came meanwhile: they are looked through page by page. */
static void late_records_fill_more_than_a_page(void **state)
{
	(void)state;
	enum { RECORDS = 300 };
	struct eg_err err = {0};
	char name[24], key[16];
	const struct eg_list_info l = {
	        .agency = "police", .dataset = "hukou", .list_id = "l", .as_of = 100, .versionless = true};
	uint64_t head = road_head(r);
	struct eg_ticket *t = road_batch(r, "police", "hukou", RECORDS);
	for (unsigned i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof key, "k%u", i);
		snprintf(name, sizeof name, "王%u", i);
		struct eg_item *item = road_add(t, key, 10, EG_ASSERT);
		road_text(t, item, NAME, name);
		road_int(item, STATUS, 1);
	}
	road_send(r, t);
	eg_ticket_free(t);
	struct eg_arena *page = eg_arena_new((size_t)256 << 10);
	const struct eg_list_ask ask = {.vault = r->vault, .conn = r->reader, .arena = r->arena};
	unsigned n = 0;
	assert_ok(eg_list_late(&ask, &l, head, road_head(r), page, count_late, &n, &err), err);
	assert_int_equal(n, RECORDS);
	/* One that no page holds is told. */
	eg_arena_free(page);
	page = eg_arena_new(1024);
	assert_int_equal(eg_list_late(&ask, &l, head, road_head(r), page, count_late, &n, &err), EG_LIMIT);
	eg_arena_free(page);
}

/* ---- coverage ---- */

static void rows_out_of_the_coverage_do_not_count(void **state)
{
	(void)state;
	struct row all[12], some[12];
	memset(all, 0, sizeof all);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(all[i].key, sizeof all[i].key, "k%u", i);
		snprintf(all[i].name, sizeof all[i].name, "王%u", i);
		snprintf(all[i].region, sizeof all[i].region, i < 4 ? "330302" : "330402");
	}
	send_list("all", 100, all, 12);
	memcpy(some, all + 1, sizeof some - sizeof *some);   /* lacks k0 */
	snprintf(some[3].name, sizeof some[3].name, "王改"); /* of another region, and changed */
	some[4].faulty = true;
	snprintf(some[5].region, sizeof some[5].region, "330302"); /* it moved in */
	struct eg_list *l = begin_region("one region", 200, "3303");
	fill_list(l, some, 11);
	struct eg_list_counts n = end_list(l).counts;
	assert_int_equal(n.covered, 4);
	assert_int_equal(n.missing, 1);
	assert_int_equal(n.changed, 2);
	assert_stands("k0", "");
	assert_stands("k11", "王11");
}

static int set_up(void **state)
{
	lists_standing = 0;
	guarded = false;
	lists_hold = NULL;
	(void)state;
	r = road_open(NULL);
	start_lists();
	return 0;
}

/* Without the check, which compares each person with each. */
static int tear_down_many(void **state)
{
	(void)state;
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_close(r, true);
	return 0;
}

static int tear_down(void **state)
{
	road_check(r);
	return tear_down_many(state);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        T(thousands_of_regions_stand),
	        T(too_many_are_refused),
	        T(lists_of_before_stand),
	        T(what_a_list_rejected_an_older_one_knows),
	        T(older_lists_yield_to_what_newer_ones_hold),
	        T(presence_is_asked_for_when_it_is_withdrawn),
	        T(a_key_that_moves_while_a_list_comes_is_not_withdrawn),
	        T(a_key_that_was_left_as_it_is_an_older_list_knows),
	        T(records_that_come_while_a_list_is_compared),
	        T(many_records_that_come_while_a_list_is_compared),
	        T(records_that_come_before_a_restart),
	        cmocka_unit_test_setup_teardown(a_late_list_asks_of_many_keys, set_up, tear_down_many),
	        T(late_records_fill_more_than_a_page),
	        T(rows_out_of_the_coverage_do_not_count),
	};
	return cmocka_run_group_tests_name("listed", tests, NULL, NULL);
}
