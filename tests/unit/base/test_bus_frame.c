/* The bus's headers: every kind there and back, every cut and every changed byte read strictly. */
#include "base/bus_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define TEXT(t) ((struct eg_bytes){(const uint8_t *)(t), sizeof(t) - 1})
#define N(a)    (sizeof(a) / sizeof *(a))

static const struct eg_bus_frame frames[] = {
        {.kind = EG_BUS_HELLO, .first = 1, .last = 3, .heartbeat_ms = 2000, .max_message = 2097152},
        {.kind = EG_BUS_WELCOME,
         .first = 1,
         .last = 1,
         .heartbeat_ms = 1,
         .max_message = UINT32_MAX,
         .max_calls = 16},
        {.kind = EG_BUS_OPEN,
         .call = 1,
         .credit = 8,
         .method = TEXT("/eldergate.v1.ExchangeService/Submit"),
         .traceparent = TEXT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
        {.kind = EG_BUS_OPEN, .call = UINT64_MAX, .credit = EG_BUS_CREDIT_MAX, .method = TEXT("/a")},
        {.kind = EG_BUS_MESSAGE, .call = 0x0102030405060708},
        {.kind = EG_BUS_HALF_CLOSE, .call = 7},
        {.kind = EG_BUS_CREDIT, .call = 7, .credit = 1},
        {.kind = EG_BUS_STATUS, .call = 7, .code = 16, .text = TEXT("这把钥匙没有登记")},
        {.kind = EG_BUS_STATUS, .call = 7},
        {.kind = EG_BUS_CANCEL, .call = 7},
        {.kind = EG_BUS_PING, .token = 0},
        {.kind = EG_BUS_PONG, .token = UINT64_MAX},
        {.kind = EG_BUS_GOODBYE, .code = 14, .text = TEXT("shutting down")},
};

static void assert_same(struct eg_bytes a, struct eg_bytes b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.p, b.p, a.len);
}

static void there_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(frames); i++) {
		const struct eg_bus_frame *f = &frames[i];
		struct eg_bus_frame g;
		uint8_t bytes[EG_BUS_HEADER_MAX];
		size_t len = eg_bus_frame_write(f, bytes);
		assert_true(len > 0);
		assert_true(eg_bus_frame_read((struct eg_bytes){bytes, len}, &g));
		assert_int_equal(g.kind, f->kind);
		assert_int_equal(g.call, f->call);
		assert_int_equal(g.token, f->token);
		assert_int_equal(g.credit, f->credit);
		assert_int_equal(g.code, f->code);
		assert_int_equal(g.first, f->first);
		assert_int_equal(g.last, f->last);
		assert_int_equal(g.heartbeat_ms, f->heartbeat_ms);
		assert_int_equal(g.max_message, f->max_message);
		assert_int_equal(g.max_calls, f->max_calls);
		assert_same(g.method, f->method);
		assert_same(g.traceparent, f->traceparent);
		assert_same(g.text, f->text);
		/* No beginning of a header is a header, nor is one with something behind it. */
		for (size_t k = 0; k < len; k++)
			assert_false(eg_bus_frame_read((struct eg_bytes){bytes, k}, &g));
		bytes[len] = 0;
		assert_false(eg_bus_frame_read((struct eg_bytes){bytes, len + 1}, &g));
	}
}

/* proto/BUS.md promises these bytes. */
static void fixed_bytes(void **state)
{
	(void)state;
	uint8_t bytes[EG_BUS_HEADER_MAX];
	static const uint8_t credit[] = {6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1};
	static const uint8_t hello[] = {1, 'E', 'G', 'B', 'U', 'S', 0, 1, 0, 3, 0, 0, 7, 0xD0, 0, 0x20, 0, 0};
	assert_int_equal(eg_bus_frame_write(&frames[6], bytes), sizeof credit);
	assert_memory_equal(bytes, credit, sizeof credit);
	assert_int_equal(eg_bus_frame_write(&frames[0], bytes), sizeof hello);
	assert_memory_equal(bytes, hello, sizeof hello);
}

static void out_of_bounds(void **state)
{
	(void)state;
	static const struct eg_bus_frame wrong[] = {
	        {.kind = 0},
	        {.kind = 12},
	        {.kind = EG_BUS_HELLO, .first = 0, .last = 1, .heartbeat_ms = 1, .max_message = 1},
	        {.kind = EG_BUS_HELLO, .first = 2, .last = 1, .heartbeat_ms = 1, .max_message = 1},
	        {.kind = EG_BUS_HELLO, .first = 1, .last = 1, .max_message = 1},
	        {.kind = EG_BUS_HELLO, .first = 1, .last = 1, .heartbeat_ms = 1},
	        {.kind = EG_BUS_WELCOME, .first = 1, .heartbeat_ms = 1, .max_message = 1},
	        {.kind = EG_BUS_OPEN, .credit = 1, .method = TEXT("/a")},
	        {.kind = EG_BUS_OPEN, .call = 1, .method = TEXT("/a")},
	        {.kind = EG_BUS_OPEN, .call = 1, .credit = EG_BUS_CREDIT_MAX + 1, .method = TEXT("/a")},
	        {.kind = EG_BUS_OPEN, .call = 1, .credit = 1},
	        {.kind = EG_BUS_OPEN, .call = 1, .credit = 1, .method = TEXT("/")},
	        {.kind = EG_BUS_OPEN, .call = 1, .credit = 1, .method = TEXT("a/b")},
	        {.kind = EG_BUS_OPEN, .call = 1, .credit = 1, .method = TEXT("/a\n")},
	        {.kind = EG_BUS_MESSAGE},
	        {.kind = EG_BUS_CREDIT, .call = 1},
	        {.kind = EG_BUS_STATUS, .call = 1, .code = 17},
	        {.kind = EG_BUS_STATUS, .call = 1, .text = TEXT("\xff")},
	        {.kind = EG_BUS_GOODBYE, .text = TEXT("a\0b")},
	};
	uint8_t bytes[EG_BUS_HEADER_MAX], long_name[EG_BUS_METHOD_MAX + 1];
	for (size_t i = 0; i < N(wrong); i++)
		assert_int_equal(eg_bus_frame_write(&wrong[i], bytes), 0);
	memset(long_name, '/', sizeof long_name);
	struct eg_bus_frame f = {.kind = EG_BUS_OPEN, .call = 1, .credit = 1};
	f.method = (struct eg_bytes){long_name, sizeof long_name};
	assert_int_equal(eg_bus_frame_write(&f, bytes), 0);
	f.method.len--;
	assert_int_not_equal(eg_bus_frame_write(&f, bytes), 0);
}

/* A long text is cut between characters. */
static void long_text(void **state)
{
	(void)state;
	uint8_t bytes[EG_BUS_HEADER_MAX], text[3 * EG_BUS_TEXT_MAX];
	struct eg_bus_frame f = {.kind = EG_BUS_GOODBYE, .text = {text, sizeof text}}, g;
	for (size_t i = 0; i < sizeof text; i += 3)
		memcpy(text + i, "老", 3);
	size_t len = eg_bus_frame_write(&f, bytes);
	assert_true(len > 0 && eg_bus_frame_read((struct eg_bytes){bytes, len}, &g));
	assert_int_equal(g.text.len, EG_BUS_TEXT_MAX / 3 * 3);
}

/* Whatever reads, writes the same bytes: there is one header for one meaning. */
static void hostile_bytes(void **state)
{
	(void)state;
	const char *given = getenv("EG_SEED");
	unsigned long seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL);
	struct drand48_data random;
	long v;
	unsigned read = 0;
	print_message("EG_SEED=%lu\n", seed);
	srand48_r((long)seed, &random);
	for (unsigned round = 0; round < 300000; round++) {
		uint8_t bytes[EG_BUS_HEADER_MAX], again[EG_BUS_HEADER_MAX];
		struct eg_bus_frame g;
		lrand48_r(&random, &v);
		size_t len = eg_bus_frame_write(&frames[(unsigned long)v % N(frames)], bytes);
		for (unsigned k = 0; k < 1 + round % 3; k++) {
			lrand48_r(&random, &v);
			bytes[(unsigned long)v % len] = (uint8_t)(v >> 16);
		}
		uint8_t *exact = malloc(len); /* so that a read beyond it is seen */
		assert_non_null(exact);
		memcpy(exact, bytes, len);
		if (eg_bus_frame_read((struct eg_bytes){exact, len}, &g)) {
			read++;
			assert_int_equal(eg_bus_frame_write(&g, again), len);
			assert_memory_equal(again, bytes, len);
		}
		free(exact);
	}
	assert_in_range(read, 1000, 299000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(there_and_back), cmocka_unit_test(fixed_bytes),
	        cmocka_unit_test(out_of_bounds),  cmocka_unit_test(long_text),
	        cmocka_unit_test(hostile_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
