/* planted_clock: moves the wall clock of the program, SQLite, librdkafka and libcrypto by what the plan says;
 * librdkafka's waits, which are on that clock, are cut in slices, so that they meet a jump as a kernel's
 * would. Thread: any. */
#include "planted.h"

#include <sys/time.h>
#include <threads.h>
#include <time.h>

#define SHIFT                                                                                                \
	(plan && (EITHER || within(RDKAFKA, CALLER) || within(CRYPTO, CALLER))                               \
	         ? atomic_load(&plan->clock_us)                                                              \
	         : 0)
#define SECOND_US 1000000
#define SLICE_NS  50000000

static void shift(struct timespec *t, int64_t us)
{
	int64_t ns = t->tv_nsec + us % SECOND_US * 1000;
	t->tv_sec += us / SECOND_US + ns / 1000000000 - (ns < 0);
	t->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	NEXT(clock_gettime);
	int bad = next(id, out);
	if (bad == 0 && id == CLOCK_REALTIME)
		shift(out, SHIFT);
	return bad;
}

int timespec_get(struct timespec *out, int base)
{
	NEXT(timespec_get);
	int good = next(out, base);
	if (good)
		shift(out, SHIFT);
	return good;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	NEXT(gettimeofday);
	int64_t us = SHIFT;
	int bad = next(out, zone);
	struct timespec t = {.tv_sec = out->tv_sec, .tv_nsec = out->tv_usec * 1000};
	shift(&t, us);
	*out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return bad;
}

time_t time(time_t *out)
{
	struct timespec t;
	int64_t us = SHIFT;
	clock_gettime(CLOCK_REALTIME, &t); /* this file's: not shifted for callers from here */
	shift(&t, us);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Only librdkafka calls it; its deadlines are on the shifted clock. */
int cnd_timedwait(cnd_t *cnd, mtx_t *lock, const struct timespec *until)
{
	NEXT(cnd_timedwait);
	for (;;) {
		struct timespec now, slice;
		clock_gettime(CLOCK_REALTIME, &now);
		struct timespec shifted = now;
		shift(&shifted, plan ? atomic_load(&plan->clock_us) : 0);
		int64_t left = ns_of(until) - ns_of(&shifted);
		if (left > SLICE_NS)
			left = SLICE_NS;
		slice = now;
		shift(&slice, left > 0 ? left / 1000 + 1 : 0);
		int got = next(cnd, lock, &slice);
		if (got != thrd_timedout || left < SLICE_NS)
			return got;
	}
}
