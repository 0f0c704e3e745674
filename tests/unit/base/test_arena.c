/* The arena: alignment, zeroed memory, the budget, the wipe. It wraps explicit_bzero to see what is wiped. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static unsigned long seed;

static size_t below(size_t n)
{
	seed = seed * 6364136223846793005UL + 1442695040888963407UL;
	return (seed >> 33) % n;
}

static int read_seed(void **state)
{
	(void)state;
	const char *given = getenv("EG_SEED");
	seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL);
	print_message("EG_SEED=%lu\n", seed);
	return 0;
}

static void memory_is_aligned_zero_and_apart(void **state)
{
	(void)state;
	enum { N = 3000 };
	static unsigned char *p[N];
	static size_t size[N];
	struct eg_arena *a = eg_arena_new((size_t)1 << 30);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < N; i++) {
			size[i] = below(8) ? below(400) : below(100000);
			p[i] = eg_arena_alloc(a, size[i]);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % _Alignof(max_align_t), 0);
			for (size_t k = 0; k < size[i]; k++)
				if (p[i][k])
					fail_msg("byte %zu of allocation %zu is not zero", k, i);
			memset(p[i], (int)(i % 251 + 1), size[i]);
		}
		for (size_t i = 0; i < N; i++)
			for (size_t k = 0; k < size[i]; k++)
				if (p[i][k] != i % 251 + 1)
					fail_msg("allocation %zu was written by another", i);
		eg_arena_reset(a);
		assert_int_equal(eg_arena_used(a), 0);
	}
	eg_arena_free(a);
}

static void budget_is_kept(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new(1000);
	assert_null(eg_arena_alloc(a, 1001));
	assert_int_equal(eg_arena_used(a), 0);
	assert_non_null(eg_arena_alloc(a, 900));
	size_t used = eg_arena_used(a);
	assert_in_range(used, 900, 1000);
	assert_null(eg_arena_alloc(a, 101));
	assert_null(eg_arena_printf(a, "%*d", 200, 1));
	assert_null(eg_arena_text(a, "x", SIZE_MAX));
	assert_null(eg_arena_alloc(a, SIZE_MAX));
	assert_null(eg_arena_alloc(a, SIZE_MAX - 20));
	assert_int_equal(eg_arena_used(a), used); /* what was refused costs nothing */
	assert_non_null(eg_arena_alloc(a, 16));
	eg_arena_reset(a);
	assert_non_null(eg_arena_alloc(a, 992));
	assert_null(eg_arena_alloc(a, 9));
	eg_arena_free(a);

	a = eg_arena_new(0);
	assert_null(eg_arena_alloc(a, 0));
	eg_arena_free(a);
}

/* Even endless requests for nothing end at the budget. */
/* What the caller is told depends on it: a batch too big for its budget is never to come again. */
static void budget_and_system_are_told_apart(void **state)
{
	(void)state;
	struct eg_err err = {.rc = EG_LIMIT};
	struct eg_arena *a = eg_arena_new(SIZE_MAX);
	assert_null(eg_arena_alloc(a, SIZE_MAX - _Alignof(max_align_t))); /* no system has that */
	assert_int_equal(eg_arena_why(a, EG_OK, &err), EG_OK);
	assert_int_equal(eg_arena_why(a, EG_IO, &err), EG_IO);
	assert_int_equal(err.rc, EG_LIMIT);
	assert_int_equal(eg_arena_why(a, EG_LIMIT, &err), EG_NO_MEMORY);
	assert_int_equal(err.rc, EG_NO_MEMORY);
	eg_arena_reset(a);
	assert_int_equal(eg_arena_why(a, EG_LIMIT, &err), EG_LIMIT);
	eg_arena_free(a);
	a = eg_arena_new(1000);
	assert_null(eg_arena_alloc(a, 1001));
	assert_int_equal(eg_arena_why(a, EG_LIMIT, &err), EG_LIMIT);
	eg_arena_free(a);
}

static void empty_allocations_count(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new(4096);
	void *last = NULL, *p;
	size_t n = 0;
	for (; (p = eg_arena_alloc(a, 0)); n++) {
		assert_ptr_not_equal(p, last);
		last = p;
	}
	assert_in_range(n, 1, 4096);
	eg_arena_free(a);
}

static void copies_and_texts(void **state)
{
	(void)state;
	struct eg_arena *a = eg_arena_new(100000);
	assert_memory_equal(eg_arena_copy(a, "abc", 3), "abc", 3);
	assert_non_null(eg_arena_copy(a, NULL, 0));
	assert_string_equal(eg_arena_text(a, "abcdef", 3), "abc");
	assert_string_equal(eg_arena_text(a, NULL, 0), "");
	assert_string_equal(eg_arena_printf(a, "%s-%d", "x", 42), "x-42");
	char *padded = eg_arena_printf(a, "%*d", 20000, 7); /* larger than the first block */
	assert_int_equal(strlen(padded), 20000);
	eg_arena_free(a);
	eg_arena_free(NULL);
}

/* What is wiped is seen from outside: the linker's explicit_bzero is ours. */
static const unsigned char *watched;
static size_t watched_len, wiped;

void explicit_bzero(void *p, size_t n)
{
	volatile unsigned char *c = p;
	const unsigned char *from = p;
	if (watched && from <= watched && watched + watched_len <= from + n)
		wiped++;
	for (size_t i = 0; i < n; i++)
		c[i] = 0;
}

/* The name that _FORTIFY_SOURCE gives it. */
void __explicit_bzero_chk(void *p, size_t n, size_t room);
void __explicit_bzero_chk(void *p, size_t n, size_t room)
{
	if (n > room)
		abort();
	explicit_bzero(p, n);
}

static void contents_are_wiped(void **state)
{
	(void)state;
	static const size_t sizes[] = {100, 3000, 5000, 70000,
	                               300000}; /* first block, later blocks, own blocks */
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (int by_free = 0; by_free < 2; by_free++) {
			struct eg_arena *a = eg_arena_new((size_t)1 << 20);
			assert_non_null(eg_arena_alloc(a, 2000));
			unsigned char *p = eg_arena_alloc(a, sizes[i]);
			memset(p, 'S', sizes[i]);
			watched = p;
			watched_len = sizes[i];
			wiped = 0;
			if (by_free) {
				eg_arena_free(a);
				assert_int_equal(wiped, 1);
			} else {
				eg_arena_reset(a);
				assert_int_equal(wiped, 1);
				eg_arena_free(a);
			}
			watched = NULL;
		}
	}
}

static void what_is_kept_is_wiped_and_zero(void **state)
{
	(void)state;
	enum { PIECES = 3000, PIECE = 1000 };
	struct eg_arena *a = eg_arena_new((size_t)8 << 20);
	eg_arena_keep(a, (size_t)1 << 20); /* less than is used: both ways of a reset */
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < PIECES; i++) {
			unsigned char *p = eg_arena_alloc(a, PIECE);
			assert_non_null(p);
			for (unsigned k = 0; k < PIECE; k++)
				assert_int_equal(p[k], 0);
			memset(p, 'S', PIECE);
			if (i == PIECES / 2) {
				watched = p;
				watched_len = PIECE;
				wiped = 0;
			}
		}
		assert_true(eg_arena_used(a) >= (size_t)PIECES * PIECE);
		eg_arena_reset(a);
		assert_int_equal(wiped, 1);
		watched = NULL;
		assert_int_equal(eg_arena_used(a), 0);
	}
	assert_non_null(eg_arena_alloc(a, (size_t)1 << 20)); /* more than a kept block */
	eg_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(memory_is_aligned_zero_and_apart),
	        cmocka_unit_test(budget_is_kept),
	        cmocka_unit_test(budget_and_system_are_told_apart),
	        cmocka_unit_test(empty_allocations_count),
	        cmocka_unit_test(copies_and_texts),
	        cmocka_unit_test(contents_are_wiped),
	        cmocka_unit_test(what_is_kept_is_wiped_and_zero),
	};
	return cmocka_run_group_tests_name("base/arena", tests, read_seed, NULL);
}
