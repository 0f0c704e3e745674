/* The queue: bounds, lanes, deadlines, closing, the putters' line, and many threads at once. */
#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SOON (eg_mono_us() + 20000)          /* passes within the test */
#define LATE (eg_mono_us() + 60 * EG_SECOND) /* passes only if something hangs */

static void *item(size_t n)
{
	return (void *)(uintptr_t)n;
}

static size_t number(void *p)
{
	return (size_t)(uintptr_t)p;
}

static struct eg_queue *queue_of(size_t items, size_t bytes)
{
	struct eg_queue *q = eg_queue_new((struct eg_queue_limits){.items = items, .bytes = bytes});
	assert_non_null(q);
	return q;
}

static void bounded_in_items(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(3, 1000);
	void *got[8];
	for (size_t i = 1; i <= 3; i++)
		assert_int_equal(eg_queue_put(q, 0, item(i), 1, 0), EG_OK);
	assert_int_equal(eg_queue_put(q, 0, item(4), 1, 0), EG_DEADLINE);
	assert_int_equal(eg_queue_put(q, 1, item(5), 1, 0), EG_OK); /* another lane has its own room */
	struct eg_queue_depth depth = eg_queue_depth(q);
	assert_int_equal(depth.items[0], 3);
	assert_int_equal(depth.bytes[0], 3);
	assert_int_equal(depth.items[1], 1);
	assert_int_equal(eg_queue_get(q, got, 8, 0), 4);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(number(got[i]), i + 1);
	assert_int_equal(number(got[3]), 5);
	assert_int_equal(eg_queue_get(q, got, 8, 0), 0);
	eg_queue_free(q);
}

static void bounded_in_bytes(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(100, 10);
	void *got[8];
	assert_int_equal(eg_queue_put(q, 2, item(1), 6, 0), EG_OK);
	assert_int_equal(eg_queue_put(q, 2, item(2), 5, 0), EG_DEADLINE);
	assert_int_equal(eg_queue_put(q, 2, item(3), 4, 0), EG_OK);
	assert_int_equal(eg_queue_put(q, 2, item(4), 1, 0), EG_DEADLINE);
	assert_int_equal(eg_queue_put(q, 2, item(5), SIZE_MAX, 0), EG_DEADLINE);
	assert_int_equal(eg_queue_get(q, got, 1, 0), 1);
	assert_int_equal(eg_queue_put(q, 2, item(6), 6, 0), EG_OK);
	assert_int_equal(eg_queue_depth(q).bytes[2], 10);
	assert_int_equal(eg_queue_get(q, got, 8, 0), 2);

	/* Larger than the lane: alone it may pass, and nothing may join it. */
	assert_int_equal(eg_queue_put(q, 2, item(7), 50, 0), EG_OK);
	assert_int_equal(eg_queue_put(q, 2, item(8), 0, 0), EG_DEADLINE);
	assert_int_equal(eg_queue_get(q, got, 8, 0), 1);
	assert_int_equal(eg_queue_depth(q).bytes[2], 0);
	eg_queue_free(q);
}

static void lower_lanes_go_first(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(10, 1000);
	static const unsigned lanes[] = {3, 1, 2, 0, 3, 0, 2, 1};
	static const size_t order[] = {3, 5, 1, 7, 2, 6, 0, 4};
	void *got[8];
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(eg_queue_put(q, lanes[i], item(i), 1, 0), EG_OK);
	assert_int_equal(eg_queue_get(q, got, 3, 0), 3);
	assert_int_equal(eg_queue_get(q, got + 3, 8, 0), 5);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(number(got[i]), order[i]);
	eg_queue_free(q);
}

static void the_ring_goes_round(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(7, 1000);
	size_t in = 0, out = 0;
	void *got[5];
	while (out < 10000) {
		while (eg_queue_put(q, 0, item(in), 1, 0) == EG_OK)
			in++;
		size_t n = eg_queue_get(q, got, 1 + out % 5, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(number(got[i]), out++);
	}
	while (eg_queue_get(q, got, 5, 0))
		;
	eg_queue_free(q);
}

static void waits_end_at_the_deadline(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(1, 10);
	void *got[1];
	int64_t began = eg_mono_us();
	assert_int_equal(eg_queue_get(q, got, 1, began + 30000), 0);
	assert_true(eg_mono_us() - began >= 30000);
	assert_int_equal(eg_queue_put(q, 0, item(1), 1, SOON), EG_OK);
	began = eg_mono_us();
	assert_int_equal(eg_queue_put(q, 0, item(2), 1, began + 30000), EG_DEADLINE);
	assert_true(eg_mono_us() - began >= 30000);
	assert_int_equal(eg_queue_put(q, 0, item(2), 1, 1), EG_DEADLINE); /* long past */
	assert_int_equal(eg_queue_get(q, got, 1, 1), 1);
	assert_int_equal(eg_queue_get(q, got, 1, SOON), 0); /* what timed out is not there */
	eg_queue_free(q);
}

struct put {
	struct eg_queue *q;
	size_t n, bytes;
	enum eg_rc rc;
};

static void put_one(void *arg)
{
	struct put *p = arg;
	p->rc = eg_queue_put(p->q, 0, item(p->n), p->bytes, LATE);
}

static void get_one(void *arg)
{
	struct put *p = arg;
	void *got[1];
	p->n = eg_queue_get(p->q, got, 1, LATE);
}

/* Putters begin while the lane is full: each must wait, whether it waits yet or not when room comes. */
static void room_wakes_a_putter(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(1, 10);
	struct put p = {.q = q, .n = 2, .bytes = 1};
	struct eg_thread *t;
	void *got[1];
	assert_int_equal(eg_queue_put(q, 0, item(1), 1, 0), EG_OK);
	assert_int_equal(eg_thread_start(&t, "put", put_one, &p, NULL), EG_OK);
	assert_int_equal(eg_queue_get(q, got, 1, LATE), 1);
	assert_int_equal(number(got[0]), 1);
	assert_int_equal(eg_queue_get(q, got, 1, LATE), 1);
	assert_int_equal(number(got[0]), 2);
	eg_thread_join(t);
	assert_int_equal(p.rc, EG_OK);
	eg_queue_free(q);
}

/* One large item waits; small ones that would fit must not overtake it for ever. */
static void a_large_item_keeps_its_turn(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(100, 10);
	struct put large = {.q = q, .n = 1000, .bytes = 10};
	struct eg_thread *t;
	void *got[1];
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(eg_queue_put(q, 0, item(i), 1, 0), EG_OK);
	assert_int_equal(eg_thread_start(&t, "large", put_one, &large, NULL), EG_OK);
	/* Two bytes are free. A small put fails only because the large item stands in line. */
	int64_t give_up = LATE;
	while (eg_queue_put(q, 0, item(8), 1, 0) == EG_OK) {
		assert_int_equal(eg_queue_get(q, got, 1, 0), 1);
		assert_true(eg_mono_us() < give_up);
	}
	for (;;) {
		size_t n = eg_queue_get(q, got, 1, LATE);
		assert_int_equal(n, 1);
		if (number(got[0]) == 1000)
			break;
	}
	eg_thread_join(t);
	assert_int_equal(large.rc, EG_OK);
	eg_queue_free(q);
}

static void put_in_haste(void *arg)
{
	struct put *p = arg;
	p->rc = eg_queue_put(p->q, 0, item(p->n), p->bytes, eg_mono_us() + (int64_t)p->n);
}

/* The line's head gives up without room: whoever stood behind it, and fits, must go on at once. */
static void giving_up_frees_the_line(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(100000, 10);
	bool in_line = false;
	void *got[100];
	assert_int_equal(eg_queue_put(q, 0, item(1), 6, 0), EG_OK);
	/* Whether the head still waits when we come is chance; its patience (µs) grows until it does. */
	for (size_t patience = 200000; !in_line; patience *= 2) {
		struct put large = {.q = q, .n = patience, .bytes = 10};
		struct eg_thread *t;
		assert_int_equal(eg_thread_start(&t, "large", put_in_haste, &large, NULL), EG_OK);
		/* An item without bytes always fits, so only a line refuses it. */
		int64_t give_up = eg_mono_us() + (int64_t)patience / 2;
		while (!in_line && eg_mono_us() < give_up) {
			in_line = eg_queue_put(q, 0, item(2), 0, 0) == EG_DEADLINE;
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		}
		int64_t began = eg_mono_us();
		assert_int_equal(eg_queue_put(q, 0, item(3), in_line ? 1 : 0, LATE), EG_OK);
		assert_true(eg_mono_us() - began < 30 * EG_SECOND + (int64_t)patience);
		eg_thread_join(t);
		assert_int_equal(large.rc, EG_DEADLINE);
	}
	while (eg_queue_get(q, got, 100, 0))
		;
	eg_queue_free(q);
}

static void closing_drains(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(2, 10);
	struct put waiting[3] = {
	        {.q = q, .n = 10, .bytes = 1}, {.q = q, .n = 11, .bytes = 1}, {.q = q, .n = 12, .bytes = 1}};
	struct eg_thread *t[3];
	void *got[4];
	assert_int_equal(eg_queue_put(q, 0, item(1), 1, 0), EG_OK);
	assert_int_equal(eg_queue_put(q, 0, item(2), 1, 0), EG_OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(eg_thread_start(&t[i], "put", put_one, &waiting[i], NULL), EG_OK);
	assert_false(eg_queue_closed(q));
	eg_queue_close(q);
	for (int i = 0; i < 3; i++) {
		eg_thread_join(t[i]);
		assert_int_equal(waiting[i].rc, EG_CLOSED);
	}
	assert_false(eg_queue_closed(q)); /* not before it is drained */
	assert_int_equal(eg_queue_put(q, 1, item(3), 1, LATE), EG_CLOSED);
	assert_int_equal(eg_queue_get(q, got, 4, LATE), 2);
	assert_true(eg_queue_closed(q));
	assert_int_equal(eg_queue_get(q, got, 4, LATE), 0); /* at once */
	eg_queue_close(q);
	eg_queue_free(q);
}

static void closing_wakes_getters(void **state)
{
	(void)state;
	struct eg_queue *q = queue_of(2, 10);
	struct put waiting[3] = {{.q = q, .n = 9}, {.q = q, .n = 9}, {.q = q, .n = 9}};
	struct eg_thread *t[3];
	for (int i = 0; i < 3; i++)
		assert_int_equal(eg_thread_start(&t[i], "get", get_one, &waiting[i], NULL), EG_OK);
	eg_queue_close(q);
	for (int i = 0; i < 3; i++) {
		eg_thread_join(t[i]);
		assert_int_equal(waiting[i].n, 0);
	}
	eg_queue_free(q);
}

enum { PUTTERS = 6, GETTERS = 3, EACH = 4000 };

struct crowd {
	struct eg_queue *q;
	atomic_uint seen[PUTTERS * EACH];
	atomic_uint failures;
};

struct member {
	struct crowd *crowd;
	size_t index;
};

static void crowd_put(void *arg)
{
	struct member *m = arg;
	for (size_t i = 0; i < EACH; i++) {
		/* Every third put is in haste and retries, as the bus does. */
		enum eg_rc rc;
		do
			rc = eg_queue_put(m->crowd->q, m->index % EG_QUEUE_LANES, item(m->index * EACH + i),
			                  1 + i % 40, i % 3 ? LATE : eg_mono_us() + 50);
		while (rc == EG_DEADLINE && i % 3 == 0);
		if (rc != EG_OK)
			atomic_fetch_add(&m->crowd->failures, 1);
	}
}

static void crowd_get(void *arg)
{
	struct member *m = arg;
	size_t newest[PUTTERS] = {0};
	void *got[16];
	size_t n;
	while ((n = eg_queue_get(m->crowd->q, got, 1 + m->index * 7, LATE)) > 0)
		for (size_t i = 0; i < n; i++) {
			size_t putter = number(got[i]) / EACH, nth = number(got[i]) % EACH + 1;
			if (nth <= newest[putter]) /* one putter's items come in its order */
				atomic_fetch_add(&m->crowd->failures, 1);
			newest[putter] = nth;
			atomic_fetch_add(&m->crowd->seen[number(got[i])], 1);
		}
}

static void a_crowd_loses_nothing(void **state)
{
	(void)state;
	static struct crowd crowd;
	struct eg_thread *put[PUTTERS], *get[GETTERS];
	struct member member[PUTTERS + GETTERS];
	crowd.q = queue_of(20, 200);
	for (size_t i = 0; i < PUTTERS + GETTERS; i++)
		member[i] = (struct member){&crowd, i < PUTTERS ? i : i - PUTTERS};
	for (size_t i = 0; i < GETTERS; i++)
		assert_int_equal(eg_thread_start(&get[i], "get", crowd_get, &member[PUTTERS + i], NULL),
		                 EG_OK);
	for (size_t i = 0; i < PUTTERS; i++)
		assert_int_equal(eg_thread_start(&put[i], "put", crowd_put, &member[i], NULL), EG_OK);
	struct eg_queue_depth depth = eg_queue_depth(crowd.q);
	for (unsigned lane = 0; lane < EG_QUEUE_LANES; lane++) {
		assert_in_range(depth.items[lane], 0, 20);
		assert_in_range(depth.bytes[lane], 0, 200);
	}
	for (size_t i = 0; i < PUTTERS; i++)
		eg_thread_join(put[i]);
	eg_queue_close(crowd.q);
	for (size_t i = 0; i < GETTERS; i++)
		eg_thread_join(get[i]);
	assert_int_equal(atomic_load(&crowd.failures), 0);
	for (size_t i = 0; i < PUTTERS * EACH; i++)
		if (atomic_load(&crowd.seen[i]) != 1)
			fail_msg("item %zu came %u times", i, atomic_load(&crowd.seen[i]));
	assert_true(eg_queue_closed(crowd.q));
	eg_queue_free(crowd.q);
}

static void odd_arguments(void **state)
{
	(void)state;
	assert_null(eg_queue_new((struct eg_queue_limits){.items = 0, .bytes = 10}));
	eg_queue_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(bounded_in_items),
	        cmocka_unit_test(bounded_in_bytes),
	        cmocka_unit_test(lower_lanes_go_first),
	        cmocka_unit_test(the_ring_goes_round),
	        cmocka_unit_test(waits_end_at_the_deadline),
	        cmocka_unit_test(room_wakes_a_putter),
	        cmocka_unit_test(a_large_item_keeps_its_turn),
	        cmocka_unit_test(giving_up_frees_the_line),
	        cmocka_unit_test(closing_drains),
	        cmocka_unit_test(closing_wakes_getters),
	        cmocka_unit_test(a_crowd_loses_nothing),
	        cmocka_unit_test(odd_arguments),
	};
	return cmocka_run_group_tests_name("base/queue", tests, NULL, NULL);
}
