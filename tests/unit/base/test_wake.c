/* Wake-ups and threads: no hint is missed between looking and waiting; names and signals of threads. */
#include "base/clock.h"
#include "base/thread.h"
#include "base/wake.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LATE (eg_mono_us() + 60 * EG_SECOND)

static void generations(void **state)
{
	(void)state;
	struct eg_wake *w = eg_wake_new();
	uint64_t seen = eg_wake_seen(w);
	assert_int_equal(eg_wake_seen(w), seen);
	eg_wake(w);
	int64_t began = eg_mono_us();
	assert_int_not_equal(eg_wake_wait(w, seen, LATE), seen); /* came before the wait: at once */
	assert_true(eg_mono_us() - began < 30 * EG_SECOND);
	seen = eg_wake_seen(w);
	began = eg_mono_us();
	assert_int_equal(eg_wake_wait(w, seen, began + 30000), seen);
	assert_true(eg_mono_us() - began >= 30000);
	assert_int_equal(eg_wake_wait(w, seen, 0), seen);
	eg_wake_free(w);
	eg_wake_free(NULL);
}

enum { WAITERS = 4, MOVES = 2000 };

struct place {
	struct eg_wake *wake;
	atomic_int moved;
	atomic_int lost;
};

/* A log reader's loop: note the generation, look, wait. With a hint lost in between it would sleep till LATE.
 */
static void follow(void *arg)
{
	struct place *p = arg;
	for (;;) {
		uint64_t seen = eg_wake_seen(p->wake);
		if (atomic_load(&p->moved) == MOVES)
			return;
		if (eg_wake_wait(p->wake, seen, LATE) == seen) {
			atomic_fetch_add(&p->lost, 1);
			return;
		}
	}
}

static void every_waiter_hears(void **state)
{
	(void)state;
	struct place p = {.wake = eg_wake_new()};
	struct eg_thread *t[WAITERS];
	for (int i = 0; i < WAITERS; i++)
		assert_int_equal(eg_thread_start(&t[i], "follow", follow, &p, NULL), EG_OK);
	for (int i = 0; i < MOVES; i++) {
		atomic_fetch_add(&p.moved, 1);
		eg_wake(p.wake);
	}
	for (int i = 0; i < WAITERS; i++)
		eg_thread_join(t[i]);
	assert_int_equal(atomic_load(&p.lost), 0);
	eg_wake_free(p.wake);
}

struct crowd {
	struct eg_wake *wake;
	uint64_t seen;
	atomic_int coming, woken;
};

static void wait_once(void *arg)
{
	struct crowd *c = arg;
	atomic_fetch_add(&c->coming, 1);
	if (eg_wake_wait(c->wake, c->seen, LATE) != c->seen)
		atomic_fetch_add(&c->woken, 1);
}

/* One hint wakes all that wait, long before their deadline. */
static void one_hint_for_all(void **state)
{
	(void)state;
	struct eg_thread *t[WAITERS];
	for (int round = 0; round < 10; round++) {
		struct crowd c = {.wake = eg_wake_new()};
		c.seen = eg_wake_seen(c.wake);
		for (int i = 0; i < WAITERS; i++)
			assert_int_equal(eg_thread_start(&t[i], "wait", wait_once, &c, NULL), EG_OK);
		while (atomic_load(&c.coming) < WAITERS)
			sched_yield();
		/* That a thread waits cannot be seen from outside; some time makes it likely, all rounds
		 * sure. */
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
		int64_t began = eg_mono_us();
		eg_wake(c.wake);
		for (int i = 0; i < WAITERS; i++)
			eg_thread_join(t[i]);
		assert_true(eg_mono_us() - began < 30 * EG_SECOND);
		assert_int_equal(atomic_load(&c.woken), WAITERS);
		eg_wake_free(c.wake);
	}
}

/* A waiter with several sources hears each of them, one hop or two away, until it stops. */
static void hints_are_forwarded(void **state)
{
	(void)state;
	struct eg_wake *far = eg_wake_new(), *near = eg_wake_new(), *own = eg_wake_new(),
	               *more[EG_WAKE_FORWARDS];
	assert_true(eg_wake_forward(far, near));
	assert_true(eg_wake_forward(near, own));
	uint64_t seen = eg_wake_seen(own), far_seen = eg_wake_seen(far);
	eg_wake(far);
	assert_int_equal(eg_wake_seen(own), seen + 1);
	eg_wake(near);
	assert_int_equal(eg_wake_seen(own), seen + 2);
	eg_wake(own);
	assert_int_equal(eg_wake_seen(far), far_seen + 1); /* never against the direction */
	eg_wake_forward_stop(near, own);
	eg_wake_forward_stop(near, own); /* again is nothing */
	seen = eg_wake_seen(own);
	eg_wake(far);
	assert_int_equal(eg_wake_seen(own), seen);

	for (int i = 0; i < EG_WAKE_FORWARDS; i++) {
		more[i] = eg_wake_new();
		assert_true(eg_wake_forward(near, more[i]));
	}
	assert_false(eg_wake_forward(near, own));
	eg_wake(near);
	for (int i = 0; i < EG_WAKE_FORWARDS; i++) {
		assert_int_equal(eg_wake_seen(more[i]), 1);
		eg_wake_forward_stop(near, more[i]);
		eg_wake_free(more[i]); /* behind its stop nothing reaches it */
	}
	assert_true(eg_wake_forward(near, own)); /* a stopped one's place is free again */
	eg_wake_forward_stop(near, own);
	eg_wake_forward_stop(far, near);
	eg_wake_free(far);
	eg_wake_free(near);
	eg_wake_free(own);
}

struct look {
	char name[16];
	sigset_t blocked;
};

static void look(void *arg)
{
	struct look *l = arg;
	pthread_getname_np(pthread_self(), l->name, sizeof l->name);
	pthread_sigmask(SIG_SETMASK, NULL, &l->blocked);
}

static void threads_have_names_and_no_signals(void **state)
{
	(void)state;
	struct look l;
	struct eg_thread *t;
	sigset_t none, after;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
	assert_int_equal(eg_thread_start(&t, "fifteen_letters", look, &l, NULL), EG_OK);
	eg_thread_join(t);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	assert_string_equal(l.name, "fifteen_letters");
	static const int blocked[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGCHLD, SIGALRM};
	static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
	for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++) {
		assert_int_equal(sigismember(&l.blocked, blocked[i]), 1);
		assert_int_equal(sigismember(&after, blocked[i]), 0); /* the creator's mask is as it was */
	}
	for (size_t i = 0; i < sizeof open / sizeof open[0]; i++)
		assert_int_equal(sigismember(&l.blocked, open[i]), 0);
}

static void names_are_bounded(void **state)
{
	(void)state;
	struct eg_thread *t = NULL;
	struct eg_err err;
	assert_int_equal(eg_thread_start(&t, "sixteen_letters_", look, NULL, &err), EG_INTERNAL);
	assert_int_equal(eg_thread_start(&t, "", look, NULL, &err), EG_INTERNAL);
	assert_null(t);
	eg_thread_join(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(generations),
	        cmocka_unit_test(every_waiter_hears),
	        cmocka_unit_test(one_hint_for_all),
	        cmocka_unit_test(hints_are_forwarded),
	        cmocka_unit_test(threads_have_names_and_no_signals),
	        cmocka_unit_test(names_are_bounded),
	};
	return cmocka_run_group_tests_name("base/wake", tests, NULL, NULL);
}
