/* Full lists that cannot go on, and those behind them: what fails by its own fault ends as FAILED and frees
 * its name, what may pass is tried again, and no list holds the others for ever. */
#include "flow/lists_core.h"
#include "road_lists.h"

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	start_lists();
	return 0;
}

static int set_up_gate(void **state)
{
	(void)state;
	r = road_open(NULL);
	gate_start();
	start_lists();
	return 0;
}

static int set_up_guard(void **state)
{
	guarded = true;
	return set_up(state);
}

static int tear_down(void **state)
{
	(void)state;
	gate_hold(false);
	road_check(r);
	gate_stop();
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	gate_free();
	road_close(r, true);
	guarded = false;
	return 0;
}

/* The newest row of a list. */
static struct eg_list_info row_of(const char *list_id)
{
	struct eg_err err = {0};
	struct eg_list_row *rows;
	struct eg_list_info info, found = {0};
	unsigned n;
	assert_ok(eg_list_lists(r->reader, 0, 0, 1000, r->arena, &rows, &n, &err), err);
	for (unsigned i = 0; i < n; i++) {
		assert_ok(eg_list_info_read(&rows[i], r->arena, &info, &err), err);
		if (strcmp(info.list_id, list_id) == 0)
			found = info;
	}
	return found;
}

static void path_of(const struct eg_list_info *l, const char *file, char out[512])
{
	char hex[33];
	eg_hex(l->spool, 16, hex);
	snprintf(out, 512, "%s/%s%s%s", r->lists_dir, hex, *file ? "/" : "", file);
}

static bool on_disk(const struct eg_list_info *l, const char *file)
{
	char path[512];
	path_of(l, file, path);
	return access(path, F_OK) == 0;
}

static unsigned shown_failed(struct eg_list_info out[8])
{
	struct eg_err err = {0};
	unsigned n;
	assert_ok(eg_lists_failed(r->reader, r->arena, out, 8, &n, &err), err);
	return n;
}

static void until_phase(const char *list_id, enum eg_list_phase phase)
{
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	while (row_of(list_id).phase != phase) {
		assert_true(eg_mono_us() < deadline);
		eg_wake_wait(eg_writer_lists(r->writer), eg_wake_seen(eg_writer_lists(r->writer)),
		             eg_mono_us() + 10000);
	}
}

/* The folder goes after the commit that everybody sees. */
static void until_gone(const struct eg_list_info *l)
{
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	while (on_disk(l, "")) {
		assert_true(eg_mono_us() < deadline);
		eg_wake_wait(eg_writer_lists(r->writer), eg_wake_seen(eg_writer_lists(r->writer)),
		             eg_mono_us() + 1000);
	}
}

/* ---- what is gone from the disk ---- */

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
	eg_hex(listed.v[0]->spool, 16, hex);
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

/* Puts the row of a list that was durable before the daemon ended. */
static void plant_row(const char *list_id, enum eg_list_phase phase, uint8_t spool[16])
{
	struct eg_list_info info = {.agency = "police",
	                            .dataset = "hukou",
	                            .list_id = list_id,
	                            .operator_name = "police",
	                            .as_of = 200,
	                            .phase = phase,
	                            .rows = 2,
	                            .versionless = true};
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_LIST, 1 << 16, NULL, NULL);
	assert_non_null(t);
	t->list.info = &info;
	t->list.fresh = true;
	eg_random(info.spool, sizeof info.spool);
	memcpy(spool, info.spool, 16);
	road_send(r, t);
	eg_ticket_free(t);
}

/* A spool that is gone, or no spool, is no list: nothing is withdrawn for it, and its name is free. */
static void a_spool_that_is_gone_withdraws_nobody(void **state)
{
	(void)state;
	struct eg_list_info failed[8];
	uint8_t spool[16];
	char path[512], name[24];
	send_list("one", 100, three, 3);
	stop_all();
	road_start(r);
	plant_row("two", EG_LIST_RECEIVED, spool);
	plant_row("other", EG_LIST_COMPARING, spool);
	struct eg_list_info other = row_of("other");
	path_of(&other, "", path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_of(&other, "run-0000", path);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("garbage", f);
	fclose(f);
	start_lists();
	/* Other lists go on. */
	assert_int_equal(send_list("three", 150, three, 3).unchanged, 3);
	until_phase("two", EG_LIST_FAILED);
	until_phase("other", EG_LIST_FAILED);
	assert_int_equal(row_of("two").failure, EG_CORRUPT);
	assert_string_equal(row_of("two").why, "the spool of a list is not there");
	assert_int_equal(row_of("other").failure, EG_CORRUPT);
	until_gone(&other);
	stands("c", name);
	assert_string_equal(name, "王三");
	assert_int_equal(shown_failed(failed), 2);
	/* Sent again, it is a list like any other, and what failed is made good. */
	struct eg_list *l = put_list("two", 200, three, 2, false, NULL);
	struct eg_list_look look = wait_for(l);
	assert_false(look.repeated);
	assert_int_equal(look.info.counts.withdrawn, 1);
	eg_list_release(l);
	assert_int_equal(shown_failed(failed), 0);
}

/* What a reviewer approved cannot be found any more. */
static void approved_withdrawals_that_are_gone(void **state)
{
	(void)state;
	struct eg_list_info failed[8];
	char path[512], name[24];
	send_list("one", 100, three, 3);
	send_list("two", 200, three, 2);
	struct eg_list_info held = row_of("two");
	assert_int_equal(held.phase, EG_LIST_HELD);
	path_of(&held, "absent", path);
	assert_int_equal(truncate(path, 8), 0);
	eg_ticket_free(road_decide(r, held.case_id, EG_DECIDE_APPROVE, NULL, NULL));
	until_phase("two", EG_LIST_FAILED);
	stands("c", name);
	assert_string_equal(name, "王三");
	assert_int_equal(shown_failed(failed), 1);
	assert_int_equal(failed[0].failure, EG_CORRUPT);
	assert_int_equal(failed[0].seq, held.seq);
	until_gone(&held);
	assert_int_equal(send_record("a", "王晚", 150), EG_APPLIED); /* nothing speaks against it now */
	/* Sent again, it is held anew, on a case of its own. */
	assert_int_equal(send_list("two", 200, three, 2).changed, 1);
	stands("a", name);
	assert_string_equal(name, "王一");
	struct eg_list_info again = row_of("two");
	assert_int_equal(again.phase, EG_LIST_HELD);
	eg_ticket_free(road_decide(r, again.case_id, EG_DECIDE_APPROVE, NULL, NULL));
	until_phase("two", EG_LIST_DONE);
	stands("c", name);
	assert_string_equal(name, "");
	assert_int_equal(shown_failed(failed), 0);
}

/* ---- tickets that fail ---- */

static enum eg_rc bad_fails(const struct eg_ticket *t)
{
	return t->kind == EG_TICKET_SUBMISSION && strcmp(t->submission.batch_id, "bad") == 0 ? EG_LIMIT
	                                                                                     : EG_OK;
}

static void one_ticket_that_always_fails(void **state)
{
	(void)state;
	static const struct row others[] = {{.key = "x", .name = "王四"}};
	gate.verdict = bad_fails;
	gate_hold(true);
	struct eg_list *bad = put_list("bad", 100, three, 3, false, NULL),
	               *good = put_list("good", 90, others, 1, false, NULL);
	gate_hold(false);
	struct eg_list_look look = wait_over(bad);
	assert_int_equal(look.rc, EG_LIMIT);
	assert_int_equal(look.phase, EG_LIST_FAILED);
	assert_string_equal(look.err.text, "planted");
	assert_int_equal(wait_for(good).info.counts.added, 1);
	struct eg_list_info row = row_of("bad");
	assert_int_equal(row.failure, EG_LIMIT);
	assert_string_equal(row.why, "planted");
	until_gone(&row);
	gate.verdict = NULL;
	struct eg_list *again = put_list("bad", 100, three, 3, false, NULL);
	look = wait_for(again);
	assert_false(look.repeated);
	assert_int_equal(look.info.counts.added, 3);
	eg_list_release(bad);
	eg_list_release(good);
	eg_list_release(again);
}

static unsigned refusals_left;
static enum eg_rc busy_for_a_while(const struct eg_ticket *t)
{
	return t->kind == EG_TICKET_SUBMISSION && refusals_left && refusals_left-- ? EG_BUSY : EG_OK;
}

static void what_may_pass_is_tried_again(void **state)
{
	(void)state;
	unsigned tries = 0;
	refusals_left = 2;
	gate.verdict = busy_for_a_while;
	assert_int_equal(send_list("one", 100, three, 3).added, 3);
	assert_int_equal(refusals_left, 0);
	/* But not for ever, unless nobody could do better. */
	for (unsigned i = 1; i < EG_LISTS_TRIES; i++)
		assert_true(eg_list_again(EG_IO, &tries));
	assert_false(eg_list_again(EG_IO, &tries));
	assert_true(eg_list_again(EG_NO_SPACE, &tries));
	tries = 0;
	const enum eg_rc hopeless[] = {EG_LIMIT, EG_CORRUPT, EG_INVALID, EG_INTERNAL, EG_CRYPTO, EG_CLOSED};
	for (unsigned i = 0; i < sizeof hopeless / sizeof *hopeless; i++)
		assert_false(eg_list_again(hopeless[i], &tries));
}

static enum eg_rc withdrawing_fails(const struct eg_ticket *t)
{
	return t->kind == EG_TICKET_SUBMISSION && t->submission.n &&
	                       t->submission.items[0].claim.op == EG_WITHDRAW
	               ? EG_LIMIT
	               : EG_OK;
}

/* A list that fails when all but its withdrawals is done says nothing, so the older one speaks on. */
static void one_that_fails_while_it_withdraws(void **state)
{
	(void)state;
	char name[24];
	send_record("a", "王一", 10);
	send_list("one", 100, three, 3);
	gate.verdict = withdrawing_fails;
	struct eg_list *l = put_list("two", 200, three, 2, false, NULL);
	assert_int_equal(wait_over(l).phase, EG_LIST_FAILED);
	eg_list_release(l);
	assert_int_equal(send_record("a", "王晚", 50), EG_STALE);
	stands("a", name);
	assert_string_equal(name, "王一");
	assert_int_equal(eg_writer_lists_standing(r->writer), 1);
}

/* The first list of a store failed: it stands no more, after a restart neither. */
static void one_that_failed_stands_no_more(void **state)
{
	(void)state;
	send_record("c", "王三", 10);
	gate.verdict = withdrawing_fails;
	struct eg_list *l = put_list("one", 100, three, 2, false, NULL);
	assert_int_equal(wait_over(l).phase, EG_LIST_FAILED);
	eg_list_release(l);
	assert_int_equal(eg_writer_lists_standing(r->writer), 0);
	gate_stop();
	stop_all();
	gate_free();
	road_start(r);
	start_lists();
	assert_int_equal(eg_writer_lists_standing(r->writer), 0);
	assert_int_equal(send_record("c", "王早", 5), EG_STALE);
}

/* ---- sent again ---- */

static void the_same_list_is_the_same_in_all_it_says(void **state)
{
	(void)state;
	const char *some[] = {"3303", "44"}, *turned[] = {"44", "3303"}, *fewer[] = {"3303"};
	struct eg_list_begin in_some = {.n_regions = 2, .regions = some},
	                     in_turned = {.n_regions = 2, .regions = turned},
	                     in_fewer = {.n_regions = 1, .regions = fewer},
	                     revised = {.n_regions = 2, .regions = some, .mapping_revision = 2};
	const struct {
		struct eg_list_begin *more;
		bool repeated;
	} sent[] = {{&in_some, false}, {&in_turned, true}, {&in_fewer, false},
	            {&revised, false}, {NULL, false},      {&in_some, true},
	            {&in_fewer, true}, {&revised, true},   {NULL, true}};
	for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++) {
		struct eg_list *l = put_list("one", 100, three, 3, false, sent[i].more);
		assert_int_equal(wait_for(l).repeated, sent[i].repeated);
		eg_list_release(l);
	}
}

/* ---- rows in memory ---- */

/* Lists whose end has come keep their place until their rows are on the disk. */
static void rows_in_memory_count(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_list *l[LISTS_OPEN + 1], *more;
	const struct eg_list_begin b = {.agency = "police",
	                                .operator_name = "police",
	                                .dataset = "hukou",
	                                .list_id = "more",
	                                .as_of = 5};
	char id[8];
	gate_hold(true);
	for (int i = 0; i < LISTS_OPEN + 1; i++) { /* the first one is spooled, and waits for its row */
		snprintf(id, sizeof id, "l%d", i);
		l[i] = put_list(id, 100 + i, three, 3, false, NULL);
		if (i == 0)
			gate_wait_held();
	}
	assert_int_equal(eg_list_begin(ls, &b, &more, &err), EG_BUSY);
	gate_hold(false);
	for (int i = 0; i < LISTS_OPEN + 1; i++) {
		wait_for(l[i]);
		eg_list_release(l[i]);
	}
	for (int i = 0; i < LISTS_OPEN; i++)
		assert_ok(eg_list_begin(ls, &b, &l[i], &err), err);
	assert_int_equal(eg_list_begin(ls, &b, &more, &err), EG_BUSY);
	for (int i = 0; i < LISTS_OPEN; i++)
		eg_list_release(l[i]);
}

int main(void)
{
#define T(f)    cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define GATE(f) cmocka_unit_test_setup_teardown(f, set_up_gate, tear_down)
	const struct CMUnitTest tests[] = {
	        T(absent_keys_that_are_gone_hit_only_who_asks),
	        T(a_spool_that_is_gone_withdraws_nobody),
	        cmocka_unit_test_setup_teardown(approved_withdrawals_that_are_gone, set_up_guard, tear_down),
	        GATE(one_ticket_that_always_fails),
	        GATE(what_may_pass_is_tried_again),
	        GATE(one_that_fails_while_it_withdraws),
	        GATE(one_that_failed_stands_no_more),
	        T(the_same_list_is_the_same_in_all_it_says),
	        GATE(rows_in_memory_count),
	};
	return cmocka_run_group_tests_name("list_failed", tests, road_read_seed, NULL);
}
