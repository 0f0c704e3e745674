/* The quota: no identity has all streams, and all streams together hold no more messages than are meant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "edge/quota.h"
#include "edge/stream.h"

static void one_identity(void **state)
{
	(void)state;
	struct eg_quota *q = NULL;
	assert_int_equal(eg_quota_open(&q, NULL), EG_OK);
	for (unsigned i = 0; i < EG_QUOTA_STREAMS_OF_ONE; i++)
		assert_int_equal(eg_quota_enter(q, "greedy", NULL), EG_OK);
	assert_int_equal(eg_quota_enter(q, "greedy", NULL), EG_BUSY);
	assert_int_equal(eg_quota_enter(q, "modest", NULL), EG_OK);
	eg_quota_leave(q, "greedy");
	assert_int_equal(eg_quota_enter(q, "greedy", NULL), EG_OK);
	eg_quota_close(q);
}

static void all_identities(void **state)
{
	(void)state;
	struct eg_quota *q = NULL;
	char name[16];
	unsigned streams = 0;
	assert_int_equal(eg_quota_open(&q, NULL), EG_OK);
	do
		snprintf(name, sizeof name, "a%u", streams++ / EG_QUOTA_STREAMS_OF_ONE);
	while (eg_quota_enter(q, name, NULL) == EG_OK);
	streams--;
	assert_true(streams * EG_STREAM_MESSAGES <= EG_QUOTA_MESSAGES);
	assert_true((streams + 1) * EG_STREAM_MESSAGES > EG_QUOTA_MESSAGES); /* and not fewer than fit */
	eg_quota_leave(q, "a0");
	assert_int_equal(eg_quota_enter(q, "another", NULL), EG_OK);
	eg_quota_close(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_identity), cmocka_unit_test(all_identities)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
