/* The relay's pace: transactions grow while they are quick, shrink when they are slow, and bulk waits behind
 * two that are as long as they may be. */
#include "flow/relay_pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 2000 };

/* Full transactions at a broker that takes so many µs for each, and so many for each event. */
static unsigned settles_at(struct eg_relay_pace *p, int64_t each_us, int64_t event_us)
{
	for (unsigned i = 0; i < 50; i++)
		eg_relay_pace_took(p, p->events, each_us + event_us * p->events);
	return p->events;
}

static void a_quick_broker_gets_what_is_configured(void **state)
{
	(void)state;
	struct eg_relay_pace p = eg_relay_pace_begin(MOST);
	assert_int_equal(settles_at(&p, 10000, 20), MOST); /* 40,000 a second */
	const uint64_t twice = 2 * UINT64_C(40000) * EG_RELAY_PACE_US / 1000000;
	assert_false(eg_relay_pace_full(&p, twice * 3 / 4));
	assert_true(eg_relay_pace_full(&p, twice * 5 / 4));
}

static void a_slow_one_gets_what_it_does_in_time(void **state)
{
	(void)state;
	struct eg_relay_pace p = eg_relay_pace_begin(MOST);
	unsigned n = settles_at(&p, 10000, 250); /* 4,000 a second */
	assert_in_range(n, 500, 1000);
	assert_false(eg_relay_pace_full(&p, 2 * (uint64_t)n * 3 / 4));
	assert_true(eg_relay_pace_full(&p, 2 * (uint64_t)n * 5 / 4));
	assert_int_equal(settles_at(&p, 10000, 20), MOST); /* and more again, once it is quick */
}

static void it_never_gets_stuck(void **state)
{
	(void)state;
	struct eg_relay_pace p = eg_relay_pace_begin(MOST);
	assert_int_equal(settles_at(&p, 3000000, 0), 500); /* each is slow, whatever its size */
	eg_relay_pace_took(&p, 1, 3000000);
	eg_relay_pace_took(&p, 1, 100);
	assert_int_equal(p.events, 500); /* one event tells nothing of many */
	struct eg_relay_pace small = eg_relay_pace_begin(1);
	assert_int_equal(settles_at(&small, 3000000, 0), 1);
	assert_int_equal(settles_at(&small, 1, 0), 1);
	struct eg_relay_pace odd = eg_relay_pace_begin(4000);
	settles_at(&odd, 0, 300);
	assert_int_equal(settles_at(&odd, 0, 1), 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_quick_broker_gets_what_is_configured),
	        cmocka_unit_test(a_slow_one_gets_what_it_does_in_time),
	        cmocka_unit_test(it_never_gets_stuck),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
