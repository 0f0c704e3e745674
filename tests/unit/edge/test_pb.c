/* test_pb: what protobuf-c lets through is stopped before it: each fault with its field path, nesting and
 * memory bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "edge/pb.h"
#include "eldergate/v1/exchange.pb-c.h"
#include "google/rpc/status.pb-c.h"

static enum eg_rc read_as(const ProtobufCMessageDescriptor *d, const char *wire, size_t len, size_t budget,
                          ProtobufCMessage **out, struct eg_arena **arena, struct eg_err *err)
{
	*arena = eg_arena_new(budget);
	return eg_pb_read(d, (struct eg_bytes){(const uint8_t *)wire, len}, *arena, out, err);
}

static void bad(const ProtobufCMessageDescriptor *d, const char *wire, size_t len, const char *field)
{
	struct eg_arena *a;
	struct eg_err err = {0};
	ProtobufCMessage *m = NULL;
	assert_int_equal(read_as(d, wire, len, 1 << 20, &m, &a, &err), EG_INVALID);
	assert_string_equal(err.field, field);
	eg_arena_free(a);
}
#define BAD(d, wire, field) bad(&(d), (wire), sizeof(wire) - 1, (field))

static void test_faults(void **state)
{
	(void)state;
	const ProtobufCMessageDescriptor elder = eldergate__v1__get_elder_request__descriptor;
	const ProtobufCMessageDescriptor life = eldergate__v1__check_life_status_request__descriptor;
	const ProtobufCMessageDescriptor rejects = eldergate__v1__list_rejects_request__descriptor;
	BAD(elder,
	    "\x0a\x05"
	    "ab",
	    "");
	BAD(elder, "\x0a\x02\xff\xfe", "purpose");
	BAD(elder,
	    "\x0a\x03"
	    "a\0b",
	    "purpose");
	BAD(elder, "\x08\x01", "purpose");
	BAD(elder,
	    "\x22\x01"
	    "a\x22\x01\xff",
	    "fields[1]");
	BAD(elder, "\x1a\x04\x12\x02\x0a\x7f", "person.identity");
	BAD(elder, "\x1a\x05\x12\x03\x0a\x01\xff", "person.identity.id_number");
	BAD(life, "\x1a\x00\x1a\x02\x0a\x7f", "persons[1]");
	BAD(rejects, "\x1a\x00", "page_size");
	BAD(rejects, "\x1d\x01\x00\x00\x00", "page_size");
	BAD(elder, "\x0b\x0c", "");
	BAD(elder, "\x02\x00", "");
	BAD(elder, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "");
}

static void test_good(void **state)
{
	(void)state;
	struct eg_arena *a;
	struct eg_err err = {0};
	ProtobufCMessage *m = NULL;
	static const char wire[] = "\x0a\x05"
	                           "check\xa2\x06\x03new\x22\x01"
	                           "a\x22\x01"
	                           "b";
	assert_int_equal(read_as(&eldergate__v1__get_elder_request__descriptor, wire, sizeof wire - 1,
	                         1 << 20, &m, &a, &err),
	                 EG_OK);
	const Eldergate__V1__GetElderRequest *q = (const void *)m;
	assert_string_equal(q->purpose, "check");
	assert_int_equal(q->n_fields, 2);
	assert_string_equal(q->legal_basis, "");
	eg_arena_free(a);
	assert_int_equal(read_as(&eldergate__v1__get_elder_request__descriptor, "", 0, 1 << 20, &m, &a, &err),
	                 EG_OK);
	eg_arena_free(a);
}

/* A few bytes on the wire can be a large struct: the arena says no. */
static void test_memory_is_bounded(void **state)
{
	(void)state;
	struct eg_arena *a;
	struct eg_err err = {0};
	ProtobufCMessage *m = NULL;
	size_t n = 500000;
	char *wire = malloc(2 * n);
	for (size_t i = 0; i < n; i++)
		memcpy(wire + 2 * i, "\x1a\x00", 2);
	assert_int_equal(read_as(&eldergate__v1__check_life_status_request__descriptor, wire, 2 * n, 1 << 20,
	                         &m, &a, &err),
	                 EG_LIMIT);
	assert_true(eg_arena_used(a) <= 1 << 20);
	eg_arena_free(a);
	free(wire);
}

static void test_every_mutation_is_survived(void **state)
{
	(void)state;
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
	print_message("EG_SEED=%u\n", seed);
	srandom(seed);
	static const char good[] = "\x0a\x05"
	                           "check\x12\x04"
	                           "case\x1a\x16\x12\x14\x0a\x0c"
	                           "110105194912\x12\x04name"
	                           "\x1a\x22\x0a\x20"
	                           "00000000000000000000000000000000";
	for (int round = 0; round < 50000; round++) {
		struct eg_arena *a;
		struct eg_err err = {0};
		ProtobufCMessage *m = NULL;
		size_t len = sizeof good - 1 - (random() % 3 ? 0 : (size_t)random() % sizeof good);
		if (len > sizeof good)
			len = 0;
		char *wire = malloc(len ? len : 1); /* its own block, so that reading past it shows */
		memcpy(wire, good, len);
		for (long k = random() % 4; k && len; k--)
			wire[(size_t)random() % len] = (char)random();
		enum eg_rc rc = read_as(&eldergate__v1__check_life_status_request__descriptor, wire, len,
		                        1 << 20, &m, &a, &err);
		assert_true(rc == EG_OK || rc == EG_INVALID);
		eg_arena_free(a);
		free(wire);
	}
}

static void test_write_and_read_again(void **state)
{
	(void)state;
	Eldergate__V1__GetElderRequest q = ELDERGATE__V1__GET_ELDER_REQUEST__INIT;
	struct eg_buf out = {0};
	struct eg_err err = {0};
	struct eg_arena *a = eg_arena_new(1 << 20);
	ProtobufCMessage *m = NULL;
	q.purpose = (char *)(uintptr_t) "p";
	assert_int_equal(eg_pb_write(&q.base, &out, &err), EG_OK);
	assert_int_equal(
	        eg_pb_read(&eldergate__v1__get_elder_request__descriptor, eg_buf_bytes(&out), a, &m, &err),
	        EG_OK);
	assert_string_equal(((const Eldergate__V1__GetElderRequest *)(const void *)m)->purpose, "p");
	eg_buf_free(&out);
	eg_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_memory_is_bounded),
	        cmocka_unit_test(test_every_mutation_is_survived),
	        cmocka_unit_test(test_write_and_read_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
