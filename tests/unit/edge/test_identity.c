/* Who calls: a certificate that is known, one that is not, and one that could not be read for want of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "edge/call_core.h"
#include "edge/identity.h"

static const struct eg_policy *policy;
static struct eg_peer at_the_end;

static void peer(struct eg_call *c, struct eg_peer *out)
{
	(void)c;
	*out = at_the_end;
}

static enum eg_rc open_caller(struct eg_fault *f)
{
	static const struct eg_call_type type = {.peer = peer};
	struct eg_call call;
	struct eg_caller caller;
	eg_call_init(&call, &type, NULL, NULL);
	enum eg_rc rc = eg_caller_open(&caller, &call, policy, f);
	eg_caller_close(&caller);
	return rc;
}

static void known_and_unknown(void **state)
{
	(void)state;
	struct eg_fault f = {0};
	at_the_end = (struct eg_peer){.kind = EG_PEER_LOCAL, .uid = 7};
	assert_int_equal(open_caller(&f), EG_OK);
	at_the_end.uid = 8;
	assert_int_equal(open_caller(&f), EG_UNAUTHENTICATED);
	assert_int_equal(eg_fault_reason(&f), EG_REASON_IDENTITY_UNKNOWN);
	assert_int_equal(eg_fault_retry_us(&f), 0);
	at_the_end = (struct eg_peer){.kind = EG_PEER_CERTIFICATE};
	eg_buf_add(&at_the_end.pem, "no certificate", 14);
	assert_int_equal(open_caller(&f), EG_UNAUTHENTICATED);
}

/* It may be a good one: to say that it is unknown would keep its owner away. */
static void unread(void **state)
{
	(void)state;
	struct eg_fault f = {0};
	at_the_end = (struct eg_peer){.kind = EG_PEER_CERTIFICATE, .pem.failed = true};
	assert_int_equal(open_caller(&f), EG_NO_MEMORY);
	assert_int_equal(eg_fault_reason(&f), EG_REASON_BUSY);
	assert_true(eg_fault_retry_us(&f) > 0);
}

static int set_up(void **state)
{
	(void)state;
	struct eg_identity_rule who = {.name = "police", .has_uid = true, .uid = 7, .roles = EG_ROLE_AGENCY};
	const struct eg_policy p = {.n = 1, .identities = &who};
	return eg_policy_new(&p, &policy, NULL) != EG_OK;
}

static int tear_down(void **state)
{
	(void)state;
	eg_policy_unref(policy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(known_and_unknown), cmocka_unit_test(unread)};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
