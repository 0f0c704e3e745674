/* test_claims: the version list by example, over every order of arrival, at its limits, as bytes. */
#include "model/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { ARENA = 4 << 20 };

static struct eg_arena *arena;

static int arena_up(void **state)
{
	(void)state;
	arena = eg_arena_new(ARENA);
	return arena ? 0 : -1;
}

static int arena_down(void **state)
{
	(void)state;
	eg_arena_free(arena);
	return 0;
}

/* A version with the digest xx…x and the key kk…k. */
static struct eg_version make(int64_t version, int digest, int key, uint64_t seq)
{
	struct eg_version v = {
	        .version = version, .mapping_revision = 1, .seq = seq, .void_seq = seq, .has_key = key != 0};
	memset(v.digest, digest, sizeof v.digest);
	memset(v.key, key, sizeof v.key);
	return v;
}

static enum eg_put put(struct eg_versions *l, int64_t version, int digest, uint64_t seq)
{
	struct eg_version v = make(version, digest, digest, seq);
	return eg_versions_put(l, EG_ASSERT, &v, arena);
}

static enum eg_put put_void(struct eg_versions *l, int64_t version, uint64_t seq)
{
	struct eg_version v = make(version, 0, 0, seq);
	return eg_versions_put(l, EG_VOID, &v, arena);
}

static enum eg_put put_withdrawal(struct eg_versions *l, int64_t position, uint64_t seq)
{
	struct eg_version v = {.version = position, .withdrawn_seq = seq};
	return eg_versions_put(l, EG_WITHDRAW, &v, arena);
}

/* The effective version, or INT64_MIN. */
static int64_t effective(const struct eg_versions *l)
{
	const struct eg_version *v = eg_versions_effective(l);
	return v ? v->version : INT64_MIN;
}

static void first_newer_older_same(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	(void)state;
	assert_true(effective(&l) == INT64_MIN);
	assert_int_equal(put(&l, 5, 'a', 1), EG_PUT_EFFECTIVE);
	assert_int_equal(put(&l, 5, 'a', 2), EG_PUT_UNCHANGED);
	assert_int_equal(eg_versions_find(&l, 5, 1)->seq, 1); /* the original one */
	assert_int_equal(put(&l, 7, 'b', 3), EG_PUT_EFFECTIVE);
	assert_int_equal(put(&l, 6, 'c', 4), EG_PUT_STALE);
	assert_int_equal(put(&l, -3, 'd', 5), EG_PUT_STALE);
	assert_int_equal(put(&l, 5, 'a', 6), EG_PUT_UNCHANGED); /* known before, though not effective */
	assert_true(effective(&l) == 7);
	assert_int_equal(l.n, 4);
	for (unsigned i = 1; i < l.n; i++)
		assert_true(l.v[i - 1].version < l.v[i].version);
	assert_null(eg_versions_find(&l, 8, 1));
	assert_null(eg_versions_find(&l, 7, 2));
}

static void mapping_revision_orders_within_a_version(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	struct eg_version old = make(1, 'a', 0, 1), again = make(1, 'b', 0, 2), newer = make(2, 'c', 0, 3);
	(void)state;
	again.mapping_revision = 2;
	assert_int_equal(eg_versions_put(&l, EG_ASSERT, &again, arena), EG_PUT_EFFECTIVE);
	assert_int_equal(eg_versions_put(&l, EG_ASSERT, &old, arena), EG_PUT_STALE);
	assert_int_equal(eg_versions_effective(&l)->mapping_revision, 2);
	assert_int_equal(eg_versions_put(&l, EG_ASSERT, &newer, arena),
	                 EG_PUT_EFFECTIVE); /* 2.1 is above 1.2 */
	assert_int_equal(eg_versions_put(&l, EG_VOID, &newer, arena), EG_PUT_EFFECTIVE);
	assert_int_equal(eg_versions_effective(&l)->mapping_revision, 2);
}

static void confirmation(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	(void)state;
	assert_int_equal(put(&l, 1, 'a', 10), EG_PUT_EFFECTIVE);
	assert_int_equal(put(&l, 2, 'a', 11), EG_PUT_CONFIRMED);
	assert_int_equal(put(&l, 3, 'a', 12), EG_PUT_CONFIRMED);
	assert_int_equal(l.n, 3);
	assert_true(effective(&l) == 3);
	assert_int_equal(eg_versions_effective(&l)->seq, 10); /* of the entry that holds the claim */
	assert_true(eg_versions_effective(&l)->has_key);
	assert_int_equal(put(&l, 2, 'a', 13), EG_PUT_UNCHANGED);
	assert_int_equal(put(&l, 0, 'a', 14), EG_PUT_STALE); /* older: recorded with an entry of its own */
	assert_int_equal(eg_versions_find(&l, 0, 1)->seq, 14);
	assert_int_equal(put(&l, 4, 'b', 15), EG_PUT_EFFECTIVE);
	assert_int_equal(put(&l, 5, 'a', 16),
	                 EG_PUT_EFFECTIVE); /* equals an older one, not the effective one */
	assert_int_equal(eg_versions_effective(&l)->seq, 16);
}

static void conflict_changes_nothing(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	struct eg_version before;
	(void)state;
	put(&l, 1, 'a', 1);
	before = l.v[0];
	assert_int_equal(put(&l, 1, 'b', 2), EG_PUT_CONFLICT);
	assert_int_equal(l.n, 1);
	assert_memory_equal(&before, &l.v[0], sizeof before);
	put_void(&l, 1, 3);
	assert_int_equal(put(&l, 1, 'b', 4), EG_PUT_CONFLICT); /* a voided one too */
}

static void uphold(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	struct eg_version v = make(1, 'b', 0, 9), unknown = make(2, 'b', 0, 9);
	(void)state;
	put(&l, 1, 'a', 1);
	assert_false(eg_versions_uphold(&l, &unknown));
	assert_true(eg_versions_uphold(&l, &v));
	assert_int_equal(eg_versions_effective(&l)->digest[0], 'b');
	assert_int_equal(eg_versions_effective(&l)->seq, 9);
	assert_false(eg_versions_effective(&l)->has_key);
	assert_int_equal(put(&l, 1, 'b', 10), EG_PUT_UNCHANGED);
	assert_int_equal(put(&l, 1, 'a', 11), EG_PUT_CONFLICT);
	put_void(&l, 3, 12);
	unknown.version = 3; /* known by its void only: nothing to decide about */
	assert_false(eg_versions_uphold(&l, &unknown));
}

static void voids(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	(void)state;
	put(&l, 1, 'a', 1);
	put(&l, 2, 'b', 2);
	put(&l, 3, 'c', 3);
	assert_int_equal(put_void(&l, 2, 4), EG_PUT_STALE);     /* not the effective one */
	assert_int_equal(put_void(&l, 3, 5), EG_PUT_EFFECTIVE); /* falls back, past 2, to 1 */
	assert_true(effective(&l) == 1);
	assert_int_equal(put_void(&l, 3, 6), EG_PUT_UNCHANGED);
	assert_int_equal(eg_versions_find(&l, 3, 1)->void_seq, 5);
	assert_int_equal(put_void(&l, 1, 7), EG_PUT_EFFECTIVE);
	assert_true(effective(&l) == INT64_MIN); /* nothing left */
	assert_int_equal(put(&l, 3, 'c', 8), EG_PUT_UNCHANGED);
	assert_true(effective(&l) == INT64_MIN);
}

static void void_first(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	(void)state;
	put(&l, 1, 'a', 1);
	assert_int_equal(put_void(&l, 2, 2), EG_PUT_STALE); /* recorded */
	assert_true(effective(&l) == 1);
	assert_false(eg_versions_find(&l, 2, 1)->asserted);
	assert_int_equal(put_void(&l, 2, 3), EG_PUT_UNCHANGED);
	assert_int_equal(put(&l, 2, 'b', 4), EG_PUT_STALE);
	assert_true(effective(&l) == 1);
	assert_true(eg_versions_find(&l, 2, 1)->asserted && eg_versions_find(&l, 2, 1)->voided);
	assert_int_equal(eg_versions_find(&l, 2, 1)->seq, 4);
	assert_int_equal(eg_versions_find(&l, 2, 1)->void_seq, 2);
}

/* Six operations on three versions, two of the same content, in all 720 orders: one list, one effective
 * version. */
static void every_order(void **state)
{
	static const struct {
		bool is_void;
		int64_t version;
		int digest;
	} ops[] = {{false, 1, 'a'}, {false, 2, 'b'}, {false, 3, 'b'},
	           {true, 3, 0},    {true, 2, 0},    {false, 4, 'b'}};
	enum { N = sizeof ops / sizeof ops[0] };
	unsigned orders = 0;
	(void)state;
	for (unsigned code = 0; code < 720; code++) {
		struct eg_versions l = {.section = EG_CARE};
		unsigned left[N] = {0, 1, 2, 3, 4, 5}, n = N;
		for (unsigned rest = code, i = 0; i < N; i++) {
			unsigned at = rest % n, op = left[at];
			rest /= n;
			left[at] = left[--n];
			if (ops[op].is_void)
				put_void(&l, ops[op].version, i + 1);
			else
				put(&l, ops[op].version, ops[op].digest, i + 1);
		}
		assert_int_equal(l.n, 4);
		for (unsigned i = 0; i < l.n; i++) {
			static const char digests[] = "abbb";
			assert_int_equal(l.v[i].version, i + 1);
			assert_true(l.v[i].asserted);
			assert_int_equal(l.v[i].digest[0], digests[i]);
			assert_int_equal(l.v[i].voided, i == 1 || i == 2);
		}
		assert_true(effective(&l) == 4);
		orders++;
		eg_arena_reset(arena);
	}
	assert_int_equal(orders, 720);
}

static void full(void **state)
{
	struct eg_versions l = {.section = EG_CARE};
	(void)state;
	for (int i = 0; i < EG_VERSIONS_MAX; i++)
		assert_int_equal(put(&l, i, 'a' + i % 2, (uint64_t)i + 1), EG_PUT_EFFECTIVE);
	assert_int_equal(put(&l, EG_VERSIONS_MAX, 'c', 5000), EG_PUT_FULL);
	assert_int_equal(put_void(&l, EG_VERSIONS_MAX, 5001), EG_PUT_FULL);
	assert_int_equal(l.n, EG_VERSIONS_MAX);
	assert_int_equal(put(&l, 7, 'b', 5002), EG_PUT_UNCHANGED); /* what is known stays usable */
	assert_int_equal(put_void(&l, EG_VERSIONS_MAX - 1, 5003), EG_PUT_EFFECTIVE);
}

static void without_memory(void **state)
{
	struct eg_arena *small = eg_arena_new(600);
	struct eg_versions l = {.section = EG_CARE};
	enum eg_put got = EG_PUT_EFFECTIVE;
	unsigned n = 0;
	(void)state;
	for (int i = 0; i < 100 && got == EG_PUT_EFFECTIVE; i++) {
		struct eg_version v = make(i, i + 1, 0, (uint64_t)i + 1);
		n = l.n;
		got = eg_versions_put(&l, EG_ASSERT, &v, small);
	}
	assert_int_equal(got, EG_PUT_FAILED);
	assert_int_equal(l.n, n);
	assert_true(effective(&l) == (int64_t)n - 1);
	struct eg_version v = make(-1, 0, 0, 1);
	assert_int_equal(eg_versions_put(&l, EG_VOID, &v, small), EG_PUT_FAILED);
	eg_arena_free(small);
}

/* A registration: version 1 asserted with a key, version 2 voided before it came, version 3 a proposal,
 * voided. */
#define V1                                                                                                   \
	"0004 0000006c 0001 00000008 0000000000000001 0002 00000008 0000000000000001"                        \
	"0003 00000010 61616161616161616161616161616161 0004 00000008 0000000000000009"                      \
	"0006 00000018 6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b 0007 00000008 0000000000000001"
#define V2                                                                                                   \
	"0004 0000002a 0001 00000008 0000000000000002 0002 00000008 0000000000000001"                        \
	"0005 00000008 000000000000000a"
#define V3                                                                                                   \
	"0004 00000064 0001 00000008 0000000000000003 0002 00000008 0000000000000001"                        \
	"0003 00000010 62626262626262626262626262626262 0004 00000008 000000000000000b"                      \
	"0005 00000008 000000000000000c 0008 00000010 70707070707070707070707070707070"
#define HEAD "0001 00000008 0000000000000001 0002 00000006 706f6c696365 0003 00000004 6c697374"

static size_t unhex(const char *text, uint8_t *out)
{
	char digits[2048];
	size_t n = 0;
	for (; *text; text++) {
		if (*text != ' ')
			digits[n++] = *text;
	}
	digits[n] = 0;
	assert_true(n % 2 == 0 && eg_unhex(digits, out, n / 2));
	return n / 2;
}

static void body_vector(void **state)
{
	struct eg_versions l = {
	        .section = EG_REGISTRATION, .agency = eg_bytes_of("police"), .dataset = eg_bytes_of("list")};
	struct eg_version v1 = make(1, 'a', 'k', 9), v2 = make(2, 0, 0, 10), v3 = make(3, 'b', 'p', 11);
	struct eg_versions back;
	struct eg_buf b = {0};
	uint8_t want[1024];
	(void)state;
	v1.current = true;
	v3.has_key = false;
	v3.has_proposal = true;
	eg_versions_put(&l, EG_ASSERT, &v1, arena);
	eg_versions_put(&l, EG_VOID, &v2, arena);
	eg_versions_put(&l, EG_ASSERT, &v3, arena);
	v3.void_seq = 12;
	eg_versions_put(&l, EG_VOID, &v3, arena);

	eg_versions_write(&b, &l);
	size_t n = unhex(HEAD V1 V2 V3, want);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.p, want, n);

	assert_int_equal(eg_versions_read((struct eg_bytes){want, n}, arena, &back, NULL), EG_OK);
	assert_int_equal(back.section, EG_REGISTRATION);
	assert_true(eg_bytes_equal(back.agency, l.agency) && eg_bytes_equal(back.dataset, l.dataset));
	assert_int_equal(back.n, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_memory_equal(&back.v[i], &l.v[i], sizeof l.v[i]);
	assert_int_equal(put(&back, 4, 'z', 20), EG_PUT_EFFECTIVE); /* and goes on from there */
	eg_buf_free(&b);
}

static void bodies_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} rows[] = {
	        {"", "no section"},
	        {V1, "no section"},
	        {"0001 00000008 0000000000000009" V1, "an unknown section"},
	        {HEAD V2 V1, "versions out of order"},
	        {HEAD V1 V1, "a version twice"},
	        {HEAD V1 "0005 00000001 61", "an unknown item"},
	        {HEAD "0004 0000000e 0001 00000008 0000000000000001",
	         "a version neither asserted nor voided"},
	        {HEAD "0004 0000001c 0004 00000008 0000000000000001 0005 00000008 0000000000000001",
	         "no version"},
	        {HEAD "0004 0000001c 0001 00000008 0000000000000001 0005 00000008 0000000000000000",
	         "entry 0"},
	        {HEAD "0004 0000002a 0001 00000008 0000000000000001 0004 00000008 0000000000000001"
	              "0005 00000008 0000000000000001",
	         "an entry without a digest"},
	        {HEAD "0004 00000024 0001 00000008 0000000000000001 0003 00000010 "
	              "61616161616161616161616161616161",
	         "a digest without an entry"},
	        {HEAD
	         "0004 00000023 0001 00000008 0000000000000001 0003 0000000f 616161616161616161616161616161",
	         "a short digest"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[1024];
		struct eg_bytes text = {bytes, unhex(rows[i].hex, bytes)};
		struct eg_versions l;
		if (eg_versions_read(text, arena, &l, NULL) != EG_CORRUPT)
			fail_msg("accepted: %s", rows[i].why);
	}
}

/* Whatever the bytes, they are refused or are what would be written. */
static void damaged_bodies(void **state)
{
	const char *env = getenv("EG_SEED");
	unsigned seed = env && *env ? (unsigned)strtoul(env, NULL, 0) : (unsigned)time(NULL), accepted = 0;
	uint8_t whole[1024], bytes[1024];
	size_t n = unhex(HEAD V1 V2 V3, whole);
	struct eg_buf again = {0};
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srandom(seed);
	for (unsigned i = 0; i < 50000; i++) {
		struct eg_versions l;
		size_t len = random() % 4 ? n : (size_t)random() % n;
		eg_arena_reset(arena);
		memcpy(bytes, whole, n);
		for (long times = random() % 3; times >= 0; times--)
			bytes[(size_t)random() % n] = (uint8_t)(random() % 3 ? random() : random() % 12);
		if (eg_versions_read((struct eg_bytes){bytes, len}, arena, &l, NULL) != EG_OK)
			continue;
		accepted++;
		eg_buf_reset(&again);
		eg_versions_write(&again, &l);
		assert_int_equal(again.len, len);
		assert_memory_equal(again.p, bytes, len);
	}
	assert_true(accepted > 0);
	eg_buf_free(&again);
}

static void withdrawals(void **state)
{
	struct eg_versions l = {.section = EG_REGISTRATION};
	(void)state;
	assert_int_equal(put(&l, 10, 1, 1), EG_PUT_EFFECTIVE);
	assert_int_equal(put_withdrawal(&l, 20, 2), EG_PUT_EFFECTIVE);
	assert_int_equal(effective(&l), INT64_MIN);
	assert_int_equal(put_withdrawal(&l, 20, 3), EG_PUT_UNCHANGED);
	assert_int_equal(put_withdrawal(&l, 30, 4), EG_PUT_STALE); /* nothing more to withdraw */
	/* late increments below it change nothing, with the content that stood too */
	assert_int_equal(put(&l, 15, 2, 5), EG_PUT_STALE);
	assert_int_equal(put(&l, 16, 1, 6), EG_PUT_STALE);
	assert_int_equal(effective(&l), INT64_MIN);
	/* a later presence lifts it: the same content is no confirmation, for nothing stood */
	assert_int_equal(put(&l, 31, 1, 7), EG_PUT_EFFECTIVE);
	assert_int_equal(effective(&l), 31);
	assert_int_equal(put_void(&l, 31, 8), EG_PUT_EFFECTIVE);
	assert_int_equal(effective(&l), INT64_MIN);
	/* what is said of the list's own position outweighs its absence */
	assert_int_equal(put(&l, 30, 3, 9), EG_PUT_EFFECTIVE);
	assert_int_equal(effective(&l), 30);
	assert_int_equal(put_withdrawal(&l, 29, 10), EG_PUT_STALE);
	assert_int_equal(effective(&l), 30);
}

/* A void of the position, without a mapping revision, takes an absence back. */
static void void_of_a_withdrawal(void **state)
{
	struct eg_versions l = {.section = EG_REGISTRATION};
	struct eg_version v = {.version = 20, .void_seq = 3};
	(void)state;
	assert_int_equal(put(&l, 10, 1, 1), EG_PUT_EFFECTIVE);
	assert_int_equal(put_withdrawal(&l, 20, 2), EG_PUT_EFFECTIVE);
	assert_int_equal(eg_versions_put(&l, EG_VOID, &v, arena), EG_PUT_EFFECTIVE);
	assert_int_equal(effective(&l), 10);
	assert_int_equal(put_void(&l, 10, 4), EG_PUT_EFFECTIVE);
	assert_int_equal(put_withdrawal(&l, 25, 5), EG_PUT_STALE);
	v.version = 25;
	assert_int_equal(eg_versions_put(&l, EG_VOID, &v, arena), EG_PUT_STALE); /* nothing comes back */
}

static void as_of_an_entry(void **state)
{
	struct eg_versions l = {.section = EG_REGISTRATION}, then = {0};
	struct eg_version room[8];
	then.v = room;
	(void)state;
	put(&l, 10, 1, 1);
	put(&l, 20, 2, 5);
	put_void(&l, 20, 7);
	put_withdrawal(&l, 30, 9);
	static const struct {
		uint64_t seq;
		int64_t effective;
		unsigned n;
	} rows[] = {{0, INT64_MIN, 0}, {4, 10, 1}, {5, 20, 2},       {6, 20, 2},
	            {7, 10, 2},        {8, 10, 2}, {9, INT64_MIN, 3}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		eg_versions_at(&l, rows[i].seq, &then);
		assert_int_equal(then.n, rows[i].n);
		assert_int_equal(effective(&then), rows[i].effective);
		assert_int_equal(eg_versions_moved(&l, rows[i].seq), rows[i].seq < 9);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, arena_up, arena_down)
	const struct CMUnitTest tests[] = {
	        T(withdrawals),
	        T(void_of_a_withdrawal),
	        T(as_of_an_entry),
	        T(first_newer_older_same),
	        T(mapping_revision_orders_within_a_version),
	        T(confirmation),
	        T(conflict_changes_nothing),
	        T(uphold),
	        T(voids),
	        T(void_first),
	        T(every_order),
	        T(full),
	        T(without_memory),
	        T(body_vector),
	        T(bodies_refused),
	        T(damaged_bodies),
	};
	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
