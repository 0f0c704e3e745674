/* The log's growing end: times never decrease, and going back leaves nothing. */
#include "road_check.h"

#include "flow/tail.h"

static enum eg_rc append(struct eg_tail *t, struct eg_err *err)
{
	struct eg_header h = {.kind = EG_ENTRY_ADMIN};
	eg_tail_id(t, h.entry_id);
	return eg_tail_append(t, &h, (struct eg_bytes){0}, NULL, err);
}

/* Appends n entries at this time; commits, or goes back. */
static void commit(struct road *r, struct eg_tail *t, unsigned n, int64_t now, bool keep)
{
	struct eg_err err = {0};
	struct eg_tx tx = eg_tx_begin(r->store);
	assert_ok(eg_tail_begin(t, &tx, now, &err), err);
	for (unsigned i = 0; i < n; i++)
		assert_ok(append(t, &err), err);
	if (!keep) {
		tx.rc = EG_IO;
		eg_tx_end(&tx, &err);
		eg_tail_back(t);
		return;
	}
	assert_ok(eg_tx_end(&tx, &err), err);
	eg_tail_keep(t);
}

static void grows(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct eg_tail t;
	struct eg_err err = {0};
	uint8_t before[32], after[32];
	road_stop(r);
	road_start_intake(r); /* no writer: the tail is the test's */
	assert_ok(eg_tail_open(&t, r->vault, eg_store_writer(r->store), &err), err);
	assert_int_equal(eg_tail_next(&t), 2); /* behind START */
	int64_t now = eg_now_us() + EG_SECOND;
	commit(r, &t, 3, now, true);
	commit(r, &t, 2, now - 1000000, true); /* a clock set back */
	eg_merkle_root(t.tree, before);
	commit(r, &t, 700, now + 5, false); /* over two tiles, and back */
	eg_merkle_root(t.tree, after);
	assert_memory_equal(before, after, 32);
	assert_int_equal(eg_tail_next(&t), 7);
	commit(r, &t, 700, now + 7, true);
	eg_tail_close(&t);
	road_start_writer(r); /* finds the tree as it was left */
	road_check(r);
	assert_int_equal(road_entry(r, 5).header.time, now);
	assert_int_equal(road_entry(r, 6).header.time, now);
	assert_int_equal(road_entry(r, 7).header.time, now + 7);
	assert_int_equal(road_head(r), 706);
	road_close(r, true);
}

/* A log that is not the one its newest checkpoint signed is not opened. */
static void another_log(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct eg_tail t;
	struct eg_err err = {0};
	struct eg_log_row row;
	for (int64_t v = 1; v <= 3; v++)
		eg_ticket_free(road_one(r, "police", "hukou", "k", v, 3, "王建国", 0));
	assert_ok(eg_get_entry(r->reader, 2, r->arena, &row, &err), err);
	road_stop(r); /* signs */
	road_start_intake(r);
	assert_ok(eg_tail_open(&t, r->vault, eg_store_writer(r->store), &err), err);
	eg_tail_close(&t);
	/* its checkpoint under a larger log's size */
	uint64_t size;
	int64_t time;
	struct eg_bytes note;
	assert_ok(eg_get_checkpoint(eg_store_writer(r->store), 0, r->arena, &size, &time, &note, &err), err);
	uint8_t *altered = eg_arena_copy(r->arena, note.p, note.len);
	altered[note.len - 3] ^= 1;
	struct eg_tx tx = eg_tx_begin(r->store);
	eg_tx_put_checkpoint(&tx, size, time, (struct eg_bytes){altered, note.len});
	assert_ok(eg_tx_end(&tx, &err), err);
	assert_int_equal(eg_tail_open(&t, r->vault, eg_store_writer(r->store), &err), EG_CORRUPT);
	tx = eg_tx_begin(r->store);
	eg_tx_put_checkpoint(&tx, size, time, note);
	assert_ok(eg_tx_end(&tx, &err), err);
	road_start_writer(r);
	road_close(r, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(grows),
	        cmocka_unit_test(another_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
