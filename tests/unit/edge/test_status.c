/* test_status: every reason reaches the caller in both languages, with a stable name, and retrying is told
 * truly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edge/status.h"
#include "eldergate/v1/reason.pb-c.h"
#include "google/rpc/error_details.pb-c.h"

static const enum eg_reason_code codes[] = {
#define X(name, number, severity, zh, en, remedy) EG_REASON_##name,
#include "model/reasons.def"
#undef X
};
static const enum eg_rc results[] = {
#define X(name, number, retryable, grpc, exit_code, label, text) EG_##name,
#include "eldergate/errors.def"
#undef X
};

struct told {
	char reason[64], zh[512], en[512], field[128];
	unsigned fields;
	int64_t retry_us;
};

static void unpack(const Google__Rpc__Status *s, struct told *out)
{
	*out = (struct told){0};
	for (size_t i = 0; i < s->n_details; i++) {
		const Google__Protobuf__Any *any = s->details[i];
		const char *type = strrchr(any->type_url, '/') + 1;
		assert_memory_equal(any->type_url, "type.googleapis.com/", 20);
		if (strcmp(type, "google.rpc.ErrorInfo") == 0) {
			Google__Rpc__ErrorInfo *m =
			        google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
			assert_string_equal(m->domain, "eldergate");
			snprintf(out->reason, sizeof out->reason, "%s", m->reason);
			google__rpc__error_info__free_unpacked(m, NULL);
		} else if (strcmp(type, "google.rpc.LocalizedMessage") == 0) {
			Google__Rpc__LocalizedMessage *m =
			        google__rpc__localized_message__unpack(NULL, any->value.len, any->value.data);
			bool zh = strcmp(m->locale, "zh-CN") == 0;
			assert_true(zh || strcmp(m->locale, "en") == 0);
			snprintf(zh ? out->zh : out->en, sizeof out->zh, "%s", m->message);
			google__rpc__localized_message__free_unpacked(m, NULL);
		} else if (strcmp(type, "google.rpc.BadRequest") == 0) {
			Google__Rpc__BadRequest *m =
			        google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
			out->fields = (unsigned)m->n_field_violations;
			snprintf(out->field, sizeof out->field, "%s", m->field_violations[0]->field);
			google__rpc__bad_request__free_unpacked(m, NULL);
		} else if (strcmp(type, "google.rpc.RetryInfo") == 0) {
			Google__Rpc__RetryInfo *m =
			        google__rpc__retry_info__unpack(NULL, any->value.len, any->value.data);
			out->retry_us = m->retry_delay->seconds * 1000000 + m->retry_delay->nanos / 1000;
			google__rpc__retry_info__free_unpacked(m, NULL);
		} else {
			fail_msg("an unknown detail: %s", type);
		}
	}
}

static void test_every_code_in_both_languages(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct eg_fault f;
		struct told t;
		char name[80];
		eg_arena_reset(a);
		eg_refuse(&f, EG_DENIED, codes[i], "some.field", "why");
		Google__Rpc__Status *s = eg_status(a, &f);
		assert_non_null(s);
		assert_int_equal(s->code, 7);
		assert_string_equal(s->message, "why");
		unpack(s, &t);
		assert_string_equal(t.reason, eg_reason_name(codes[i]));
		assert_true(strlen(t.zh) > 3 && strlen(t.en) > 3);
		assert_string_not_equal(t.zh, t.en);
		assert_true((unsigned char)t.zh[0] >= 0x80 || strstr(t.zh, "。"));
		for (const char *p = t.en; *p; p++)
			assert_true((unsigned char)*p < 0x80);
		assert_string_equal(t.field, "some.field");
		assert_int_equal(t.retry_us, 0);
		/* the protocol has the same number under the same name */
		const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(
		        &eldergate__v1__reason_code__descriptor, (int)codes[i]);
		assert_non_null(v);
		snprintf(name, sizeof name, "REASON_CODE_%s", eg_reason_name(codes[i]));
		assert_string_equal(v->name, name);
	}
	assert_int_equal(eldergate__v1__reason_code__descriptor.n_values, sizeof codes / sizeof *codes + 1);
	eg_arena_free(a);
}

static void test_every_result_has_a_reason_and_tells_retrying_truly(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		struct eg_fault f = {.err.rc = results[i]};
		struct told t;
		if (results[i] == EG_OK)
			continue;
		eg_arena_reset(a);
		unpack(eg_status(a, &f), &t);
		assert_true(t.reason[0] && t.zh[0] && t.en[0]);
		assert_int_equal(t.fields, 0);
		assert_int_equal(t.retry_us > 0, eg_rc_retryable(results[i]));
	}
	eg_arena_free(a);
}

static void test_several_fields(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_fault f;
	struct told t;
	eg_refuse(&f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "first", "why");
	f.more_fields[0] = "second";
	f.more_fields[1] = "third";
	unpack(eg_status(a, &f), &t);
	assert_int_equal(t.fields, 3);
	assert_string_equal(t.field, "first");
	eg_arena_free(a);
}

static void test_no_room(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new(128);
	struct eg_fault f;
	eg_refuse(&f, EG_INVALID, EG_REASON_ARGUMENT_INVALID, "", "why");
	assert_null(eg_status(a, &f));
	eg_arena_free(a);
}

static void test_code_names(void **state)
{
	(void)state;
	assert_string_equal(eg_grpc_code_name(0), "OK");
	assert_string_equal(eg_grpc_code_name(16), "UNAUTHENTICATED");
	assert_string_equal(eg_grpc_code_name(99), "UNKNOWN");
	assert_string_equal(eg_grpc_code_name(-1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_code_in_both_languages),
	        cmocka_unit_test(test_every_result_has_a_reason_and_tells_retrying_truly),
	        cmocka_unit_test(test_several_fields),
	        cmocka_unit_test(test_no_room),
	        cmocka_unit_test(test_code_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
