/* test_pool: jobs run once for each put, never twice at once; timers ring in order and not once cancelled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "edge/pool.h"
#include "edge/quota.h"
#include "edge/timer.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

struct counted {
	struct eg_job job;
	struct eg_pool *pool;
	atomic_int runs, inside;
	atomic_bool overlapped;
	atomic_int again; /* puts itself so many times more */
};

static bool count(struct eg_job *job, struct eg_worker *w)
{
	struct counted *c = (struct counted *)(void *)((char *)job - offsetof(struct counted, job));
	assert_non_null(eg_arena_alloc(w->scratch, 1000)); /* from a fresh arena each time */
	if (atomic_fetch_add(&c->inside, 1))
		atomic_store(&c->overlapped, true);
	sched_yield();
	if (c->again > 0) {
		c->again--;
		eg_pool_put(c->pool, job);
	}
	atomic_fetch_add(&c->runs, 1);
	atomic_fetch_sub(&c->inside, 1);
	return false;
}

static struct eg_pool *pool_of(unsigned threads)
{
	struct eg_pool *p = NULL;
	struct eg_err err;
	struct eg_pool_options o = {.name = "test", .threads = threads, .scratch_bytes = 4096};
	assert_int_equal(eg_pool_start(&p, &o, &err), EG_OK);
	return p;
}

static void test_each_put_runs_and_none_at_once(void **state)
{
	(void)state;
	struct eg_pool *p = pool_of(4);
	struct counted c[50] = {0};
	for (int i = 0; i < 50; i++) {
		c[i].job.run = count;
		c[i].pool = p;
		c[i].again = 40;
	}
	for (int i = 0; i < 50; i++)
		eg_pool_put(p, &c[i].job);
	eg_pool_stop(p);
	/* what puts itself while the pool stops is dropped; before that nothing is lost */
	int runs = 0;
	for (int i = 0; i < 50; i++) {
		assert_false(atomic_load(&c[i].overlapped));
		assert_true(atomic_load(&c[i].runs) >= 1);
		runs += atomic_load(&c[i].runs);
	}
	assert_true(runs >= 50);
	eg_pool_free(p);
}

static bool hold(struct eg_job *job, struct eg_worker *w)
{
	struct counted *c = (struct counted *)(void *)((char *)job - offsetof(struct counted, job));
	(void)w;
	atomic_fetch_add(&c->inside, 1);
	while (atomic_load(&c->again))
		sched_yield();
	atomic_fetch_add(&c->runs, 1);
	return false;
}

static void test_a_put_while_running_runs_once_more(void **state)
{
	(void)state;
	struct eg_pool *p = pool_of(2);
	struct counted c = {.job.run = hold, .pool = p, .again = 1};
	eg_pool_put(p, &c.job);
	while (!atomic_load(&c.inside))
		sched_yield();
	assert_false(eg_pool_waits(p, &c.job));
	for (int i = 0; i < 5; i++)
		eg_pool_put(p, &c.job);
	assert_true(eg_pool_waits(p, &c.job));
	assert_int_equal(atomic_load(&c.inside), 1);
	c.again = 0;
	eg_pool_stop(p);
	assert_int_equal(atomic_load(&c.runs), 2);
	eg_pool_free(p);
}

/* ---- timers ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct eg_timer *rang[16];
static unsigned n_rang;

static void ring(struct eg_timer *t)
{
	pthread_mutex_lock(&lock);
	rang[n_rang++] = t;
	pthread_mutex_unlock(&lock);
}

static unsigned so_far(void)
{
	pthread_mutex_lock(&lock);
	unsigned n = n_rang;
	pthread_mutex_unlock(&lock);
	return n;
}

static void test_timers(void **state)
{
	(void)state;
	struct eg_timers *s = NULL;
	struct eg_timer t[5];
	struct eg_err err;
	int64_t now = eg_mono_us();
	assert_int_equal(eg_timers_start(&s, &err), EG_OK);
	for (int i = 0; i < 5; i++)
		t[i] = (struct eg_timer){.ring = ring};
	eg_timer_set(s, &t[0], now + 60000);
	eg_timer_set(s, &t[1], now + 20000);
	eg_timer_set(s, &t[2], now + 40000);
	eg_timer_set(s, &t[3], now + 3600 * EG_SECOND);
	eg_timer_set(s, &t[4], now + 30000);
	eg_timer_set(s, &t[4], now + 50000); /* moved */
	assert_true(eg_timer_cancel(s, &t[2]));
	assert_false(eg_timer_cancel(s, &t[2]));
	while (so_far() < 3)
		sched_yield();
	assert_ptr_equal(rang[0], &t[1]);
	assert_ptr_equal(rang[1], &t[4]);
	assert_ptr_equal(rang[2], &t[0]);
	assert_true(eg_mono_us() >= now + 60000);
	assert_false(eg_timer_cancel(s, &t[0]));
	eg_timers_stop(s); /* the one of an hour never rings */
	assert_int_equal(n_rang, 3);
}

/* ---- quotas ---- */

static void test_quota(void **state)
{
	(void)state;
	struct eg_quota *q = NULL;
	struct eg_err err;
	unsigned n = 0;
	assert_int_equal(eg_quota_open(&q, &err), EG_OK);
	while (eg_quota_enter(q, "greedy", &err) == EG_OK)
		n++;
	assert_int_equal(n, 64);
	assert_int_equal(err.rc, EG_BUSY);
	assert_int_equal(eg_quota_enter(q, "modest", &err), EG_OK);
	eg_quota_leave(q, "greedy");
	assert_int_equal(eg_quota_enter(q, "greedy", &err), EG_OK);
	assert_int_equal(eg_quota_take(q, "greedy", 0, 1000000), 0);
	int64_t began = eg_mono_us();
	assert_in_range(eg_quota_take(q, "greedy", 1000, 500), 490000, 500000);
	int64_t wait = eg_quota_take(q, "greedy", 1000, 500);
	assert_in_range(wait, 990000 - (eg_mono_us() - began), 1000000); /* some of it has passed */
	assert_in_range(eg_quota_take(q, "modest", 1000, 10), 9000, 10000);
	eg_quota_close(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_each_put_runs_and_none_at_once),
	        cmocka_unit_test(test_a_put_while_running_runs_once_more),
	        cmocka_unit_test(test_timers),
	        cmocka_unit_test(test_quota),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
