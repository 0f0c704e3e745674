/* The tree against RFC 6962's recursive definition, and that definition against published vectors.
 *
 * EG_SEED repeats a run; EG_ALL=700 also makes every proof of every tree of up to 700 leaves (slow). */
#include "in_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SMALL = 700, ALL_PROOFS = 220, LARGE = 65536 * 3 + 9000 };

static uint64_t rng;

static uint64_t draw(uint64_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (rng >> 8) % below;
}

/* ---- RFC 6962, 2.1, word for word, over the hashes of the leaves ---- */

static uint64_t below(uint64_t n)
{
	uint64_t k = 1;
	while (2 * k < n)
		k *= 2;
	return k;
}

static void pair(const uint8_t *a, const uint8_t *b, uint8_t *out)
{
	eg_sha256((const struct eg_bytes[]){{(const uint8_t *)"\1", 1}, {a, 32}, {b, 32}}, 3, out);
}

static void leaf_hash(struct eg_bytes data, uint8_t out[32])
{
	eg_sha256((const struct eg_bytes[]){{(const uint8_t *)"\0", 1}, data}, 2, out);
}

static void mth(uint8_t (*d)[32], uint64_t n, uint8_t out[32])
{
	uint8_t a[32], b[32];
	if (n == 0) {
		eg_sha256(NULL, 0, out);
	} else if (n == 1) {
		memcpy(out, d, 32);
	} else {
		uint64_t k = below(n);
		mth(d, k, a);
		mth(d + k, n - k, b);
		pair(a, b, out);
	}
}

static unsigned path(uint64_t m, uint8_t (*d)[32], uint64_t n, uint8_t (*out)[32])
{
	if (n == 1)
		return 0;
	uint64_t k = below(n);
	unsigned got = m < k ? path(m, d, k, out) : path(m - k, d + k, n - k, out);
	if (m < k)
		mth(d + k, n - k, out[got]);
	else
		mth(d, k, out[got]);
	return got + 1;
}

static unsigned subproof(uint64_t m, uint8_t (*d)[32], uint64_t n, bool whole, uint8_t (*out)[32])
{
	if (m == n) {
		if (!whole)
			mth(d, n, out[0]);
		return !whole;
	}
	uint64_t k = below(n);
	unsigned got = m <= k ? subproof(m, d, k, whole, out) : subproof(m - k, d + k, n - k, false, out);
	if (m <= k)
		mth(d + k, n - k, out[got]);
	else
		mth(d, k, out[got]);
	return got + 1;
}

/* Of the leaves that make_leaves made last. */
static uint8_t (*hashed)[32];

static void end(struct memory *m, struct eg_merkle *tree)
{
	free(hashed);
	hashed = NULL;
	eg_merkle_free(tree);
	memory_free(m);
}

static void make_leaves(struct memory *m, uint64_t n)
{
	m->leaves = calloc(n, sizeof *m->leaves);
	hashed = calloc(n, sizeof *hashed);
	assert_true(m->leaves && hashed);
	for (uint64_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < 32; k += 8) {
			uint64_t v = draw(UINT64_MAX);
			memcpy(m->leaves[i] + k, &v, 8);
		}
		leaf_hash((struct eg_bytes){m->leaves[i], 32}, hashed[i]);
	}
}

/* ---- published vectors: the eight leaves of RFC 6962's reference tests ---- */

static const char *const published_roots[] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

static void of_hex(const char *text, uint8_t out[32])
{
	assert_true(eg_unhex(text, out, 32));
}

static void published(void **state)
{
	(void)state;
	static const char *const data[] = {"",
	                                   "00",
	                                   "10",
	                                   "2021",
	                                   "3031",
	                                   "40414243",
	                                   "5051525354555657",
	                                   "606162636465666768696a6b6c6d6e6f"};
	static const struct {
		unsigned from, to, n;
		const char *proof[3];
	} consistency[] = {
	        {1, 1, 0, {0}},
	        {1,
	         8,
	         3,
	         {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
	          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	          "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	        {6,
	         8,
	         3,
	         {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
	          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
	          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	        {2,
	         5,
	         2,
	         {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
	          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	};
	uint8_t leaves[8][32], raw[16];
	uint8_t want[32], got[32], old[32], proof[3][32], naive[3][32];
	for (unsigned i = 0; i < 8; i++) {
		struct eg_bytes leaf = {raw, strlen(data[i]) / 2};
		assert_true(eg_unhex(data[i], raw, leaf.len));
		leaf_hash(leaf, leaves[i]);
	}
	for (unsigned n = 0; n <= 8; n++) {
		mth(leaves, n, got);
		of_hex(published_roots[n], want);
		assert_memory_equal(got, want, 32);
	}
	for (unsigned i = 0; i < 4; i++) {
		unsigned n = consistency[i].n;
		for (unsigned k = 0; k < n; k++)
			of_hex(consistency[i].proof[k], proof[k]);
		assert_int_equal(subproof(consistency[i].from, leaves, consistency[i].to, true, naive), n);
		assert_memory_equal(naive, proof, 32 * n);
		of_hex(published_roots[consistency[i].from], old);
		of_hex(published_roots[consistency[i].to], want);
		assert_true(eg_merkle_verify_consistency(consistency[i].from, consistency[i].to, old, want,
		                                         proof, n));
		assert_false(eg_merkle_verify_consistency(consistency[i].from, consistency[i].to, want, old,
		                                          proof, n) &&
		             consistency[i].from != consistency[i].to);
	}
	/* The one published root whose leaves fit ours is that of no leaves. */
	struct memory m = {0};
	struct eg_merkle *tree;
	of_hex(published_roots[0], want);
	assert_int_equal(eg_merkle_new(&tree, 0, memory_source(&m, 0), NULL), EG_OK);
	eg_merkle_root(tree, got);
	assert_memory_equal(got, want, 32);
	assert_int_equal(eg_merkle_root_at(0, memory_source(&m, 0), got, NULL), EG_OK);
	assert_memory_equal(got, want, 32);
	eg_merkle_free(tree);
}

/* ---- proofs: equal to the definition, verified, and refused when anything is changed ---- */

static void check_inclusion(struct memory *m, uint64_t index, uint64_t size, const uint8_t root[32],
                            bool flips)
{
	uint8_t proof[64][32], want[64][32], bad[64][32];
	unsigned n = 99, wanted = path(index, hashed, size, want);
	assert_int_equal(eg_merkle_inclusion(index, size, memory_source(m, size), proof, &n, NULL), EG_OK);
	assert_int_equal(n, wanted);
	assert_memory_equal(proof, want, 32 * n);
	const uint8_t *leaf = m->leaves[index];
	assert_true(eg_merkle_verify_inclusion(index, size, leaf, proof, n, root));
	if (!flips)
		return;
	memset(proof + n, 0, sizeof proof - 32 * n);
	assert_false(eg_merkle_verify_inclusion(index, size, leaf, proof, n + 1, root));
	assert_false(n && eg_merkle_verify_inclusion(index, size, leaf, proof, n - 1, root));
	assert_false(eg_merkle_verify_inclusion(index + 1, size, leaf, proof, n, root));
	assert_false(index && eg_merkle_verify_inclusion(index - 1, size, leaf, proof, n, root));
	assert_false(eg_merkle_verify_inclusion(size, size, leaf, proof, n, root));
	assert_false(eg_merkle_verify_inclusion(index, 0, leaf, proof, n, root));
	assert_false(eg_merkle_verify_inclusion(index, UINT64_MAX, leaf, proof, n, root));
	for (unsigned i = 0; i < n + 2; i++) {
		uint8_t bit = (uint8_t)(1u << draw(8)), at = (uint8_t)draw(32), l[32], r[32];
		memcpy(bad, proof, sizeof bad);
		memcpy(l, leaf, 32);
		memcpy(r, root, 32);
		*(i < n ? bad[i] + at : i == n ? l + at : r + at) ^= bit;
		assert_false(eg_merkle_verify_inclusion(index, size, l, bad, n, r));
	}
}

static void check_consistency(struct memory *m, uint64_t from, uint64_t size, const uint8_t old[32],
                              const uint8_t root[32], bool flips)
{
	uint8_t proof[64][32], want[64][32], bad[64][32];
	unsigned n = 99, wanted = subproof(from, hashed, size, true, want);
	assert_int_equal(eg_merkle_consistency(from, size, memory_source(m, size), proof, &n, NULL), EG_OK);
	assert_int_equal(n, wanted);
	assert_memory_equal(proof, want, 32 * n);
	assert_true(eg_merkle_verify_consistency(from, size, old, root, proof, n));
	if (!flips)
		return;
	memset(proof + n, 0, sizeof proof - 32 * n);
	assert_false(eg_merkle_verify_consistency(from, size, old, root, proof, n + 1));
	assert_false(n && eg_merkle_verify_consistency(from, size, old, root, proof, n - 1));
	assert_false(eg_merkle_verify_consistency(0, size, old, root, proof, n));
	assert_false(eg_merkle_verify_consistency(size + 1, size, old, root, proof, n));
	assert_false(from != size && eg_merkle_verify_consistency(from, size, root, old, proof, n));
	for (unsigned i = 0; i < n + 2; i++) {
		uint8_t bit = (uint8_t)(1u << draw(8)), at = (uint8_t)draw(32), o[32], r[32];
		memcpy(bad, proof, sizeof bad);
		memcpy(o, old, 32);
		memcpy(r, root, 32);
		*(i < n ? bad[i] + at : i == n ? o + at : r + at) ^= bit;
		assert_false(eg_merkle_verify_consistency(from, size, o, r, bad, n));
	}
}

/* The appender built anew from tiles equals the one that ran, and goes on as it does. */
static void check_rebuilt(struct memory *m, const struct eg_merkle *running, uint64_t size)
{
	uint8_t a[32], b[32];
	struct eg_merkle *again;
	assert_int_equal(eg_merkle_new(&again, size, memory_source(m, size), NULL), EG_OK);
	assert_int_equal(eg_merkle_size(again), size);
	eg_merkle_root(running, a);
	eg_merkle_root(again, b);
	assert_memory_equal(a, b, 32);
	struct eg_merkle *copy = eg_merkle_copy(running);
	struct memory scratch[2] = {{.full = {size >> 8, size >> 16, size >> 24}},
	                            {.full = {size >> 8, size >> 16, size >> 24}}};
	for (unsigned l = 0; l < 3; l++)
		for (unsigned k = 0; k < 2; k++) {
			scratch[k].tiles[l] = malloc((scratch[k].full[l] / 64 + 1) * 64 * EG_TILE_BYTES);
			assert_non_null(scratch[k].tiles[l]);
		}
	for (unsigned i = 0; i < 300; i++) { /* over at least one full tile */
		uint8_t leaf[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
		assert_int_equal(eg_merkle_append(copy, leaf, memory_keep, &scratch[0], NULL), EG_OK);
		assert_int_equal(eg_merkle_append(again, leaf, memory_keep, &scratch[1], NULL), EG_OK);
	}
	eg_merkle_root(copy, a);
	eg_merkle_root(again, b);
	assert_memory_equal(a, b, 32);
	for (unsigned l = 0; l < 3; l++) {
		assert_int_equal(scratch[0].full[l], scratch[1].full[l]);
		uint64_t first = size >> 8 * (l + 1);
		assert_memory_equal(scratch[0].tiles[l] + first * EG_TILE_BYTES,
		                    scratch[1].tiles[l] + first * EG_TILE_BYTES,
		                    (scratch[0].full[l] - first) * EG_TILE_BYTES);
	}
	memory_free(&scratch[0]);
	memory_free(&scratch[1]);
	eg_merkle_free(copy);
	eg_merkle_free(again);
}

static void small_trees(void **state)
{
	(void)state;
	static uint8_t roots[SMALL + 1][32];
	struct memory m = {0};
	struct eg_merkle *tree;
	uint8_t root[32];
	uint64_t all = getenv("EG_ALL") ? strtoull(getenv("EG_ALL"), NULL, 10) : ALL_PROOFS;
	make_leaves(&m, SMALL);
	assert_int_equal(eg_merkle_new(&tree, 0, memory_source(&m, 0), NULL), EG_OK);
	for (uint64_t n = 0;; n++) {
		assert_int_equal(eg_merkle_size(tree), n);
		mth(hashed, n, roots[n]);
		eg_merkle_root(tree, root);
		assert_memory_equal(root, roots[n], 32);
		assert_int_equal(eg_merkle_root_at(n, memory_source(&m, n), root, NULL), EG_OK);
		assert_memory_equal(root, roots[n], 32);
		check_rebuilt(&m, tree, n);
		if (n <= all) {
			for (uint64_t i = 0; i < n; i++) {
				check_inclusion(&m, i, n, roots[n], n <= 70);
				check_consistency(&m, i + 1, n, roots[i + 1], roots[n], n <= 70);
			}
		} else {
			for (unsigned i = 0; i < 8; i++) {
				uint64_t at = i == 0 ? 0 : i == 1 ? n - 1 : draw(n);
				check_inclusion(&m, at, n, roots[n], i > 5);
				check_consistency(&m, at + 1, n, roots[at + 1], roots[n], i > 5);
			}
		}
		if (n == SMALL)
			break;
		assert_int_equal(eg_merkle_append(tree, m.leaves[n], memory_keep, &m, NULL), EG_OK);
	}
	end(&m, tree);
}

static void large_trees(void **state)
{
	(void)state;
	enum { STOPS = 7, PROOFS = 8 };
	struct memory m = {0};
	struct eg_merkle *tree;
	uint64_t stops[STOPS] = {65535, 65536, 65537, 65536 * 3 - 1, 65536 * 3, 65536 * 3 + 256, LARGE};
	uint8_t root[32], old[32];
	stops[2] += draw(60000);
	stops[5] += draw(8000);
	make_leaves(&m, LARGE);
	assert_int_equal(eg_merkle_new(&tree, 0, memory_source(&m, 0), NULL), EG_OK);
	for (unsigned s = 0; s < STOPS; s++) {
		uint64_t n = stops[s];
		while (eg_merkle_size(tree) < n)
			assert_int_equal(
			        eg_merkle_append(tree, m.leaves[eg_merkle_size(tree)], memory_keep, &m, NULL),
			        EG_OK);
		mth(hashed, n, root);
		eg_merkle_root(tree, old);
		assert_memory_equal(root, old, 32);
		check_rebuilt(&m, tree, n);
		for (unsigned i = 0; i < PROOFS; i++) {
			uint64_t at = i == 0   ? 0
			              : i == 1 ? n - 1
			              : i == 2 ? (n - 1) / 65536 * 65536
			                       : draw(n);
			check_inclusion(&m, at, n, root, i > 5);
			mth(hashed, at + 1, old);
			check_consistency(&m, at + 1, n, old, root, i > 5);
		}
	}
	/* An old size is read from a store that has grown since. */
	mth(hashed, stops[2], old);
	assert_int_equal(eg_merkle_root_at(stops[2], memory_source(&m, stops[2]), root, NULL), EG_OK);
	assert_memory_equal(root, old, 32);
	end(&m, tree);
}

/* ---- failures ---- */

static void a_failed_append_changes_nothing(void **state)
{
	(void)state;
	struct memory m = {0};
	struct eg_merkle *tree;
	uint8_t before[32], after[32];
	make_leaves(&m, 65536);
	assert_int_equal(eg_merkle_new(&tree, 0, memory_source(&m, 0), NULL), EG_OK);
	for (uint64_t i = 0; i < 65536; i++) {
		bool fills = i % 256 == 255;
		if (fills && (i < 2000 || i > 65000)) {
			eg_merkle_root(tree, before);
			m.refuse = true;
			for (int twice = 0; twice < 2; twice++)
				assert_int_equal(eg_merkle_append(tree, m.leaves[i], memory_keep, &m, NULL),
				                 EG_NO_SPACE);
			m.refuse = false;
			assert_int_equal(eg_merkle_size(tree), i);
			eg_merkle_root(tree, after);
			assert_memory_equal(before, after, 32);
		}
		assert_int_equal(eg_merkle_append(tree, m.leaves[i], memory_keep, &m, NULL), EG_OK);
	}
	mth(hashed, 65536, before);
	eg_merkle_root(tree, after);
	assert_memory_equal(before, after, 32);
	end(&m, tree);
}

static void a_failed_read_is_told(void **state)
{
	(void)state;
	enum { SIZE = 256 * 5 + 77 };
	struct memory m = {0};
	struct eg_merkle *tree, *again;
	uint8_t proof[64][32], root[32];
	unsigned n, hit = 0;
	make_leaves(&m, SIZE);
	assert_int_equal(eg_merkle_new(&tree, 0, memory_source(&m, 0), NULL), EG_OK);
	while (eg_merkle_size(tree) < SIZE)
		assert_int_equal(
		        eg_merkle_append(tree, m.leaves[eg_merkle_size(tree)], memory_keep, &m, NULL), EG_OK);
	struct eg_tile_source src = memory_source(&m, SIZE);
	for (unsigned what = 0; what < 4; what++)
		for (unsigned at = 1;; at++) {
			enum eg_rc rc;
			m.fail_at = at;
			m.reads = 0;
			if (what == 0)
				rc = eg_merkle_root_at(SIZE, src, root, NULL);
			else if (what == 1)
				rc = eg_merkle_inclusion(700, SIZE, src, proof, &n, NULL);
			else if (what == 2)
				rc = eg_merkle_consistency(700, SIZE, src, proof, &n, NULL);
			else if ((rc = eg_merkle_new(&again, SIZE, src, NULL)) == EG_OK)
				eg_merkle_free(again);
			assert_int_equal(rc, m.reads < at ? EG_OK : EG_IO);
			if (rc == EG_OK)
				break;
			hit++;
		}
	assert_true(hit > 20);
	m.fail_at = 0;
	end(&m, tree);
}

static void out_of_range(void **state)
{
	(void)state;
	struct memory m = {0};
	struct eg_merkle *tree;
	uint8_t proof[64][32], root[32];
	unsigned n;
	struct eg_tile_source src = memory_source(&m, 0);
	assert_int_equal(eg_merkle_inclusion(0, 0, src, proof, &n, NULL), EG_OUT_OF_RANGE);
	assert_int_equal(eg_merkle_inclusion(5, 5, src, proof, &n, NULL), EG_OUT_OF_RANGE);
	assert_int_equal(eg_merkle_consistency(0, 5, src, proof, &n, NULL), EG_OUT_OF_RANGE);
	assert_int_equal(eg_merkle_consistency(6, 5, src, proof, &n, NULL), EG_OUT_OF_RANGE);
	static const uint64_t huge[] = {1ull << 48, 1ull << 56, UINT64_MAX};
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(eg_merkle_root_at(huge[i], src, root, NULL), EG_OUT_OF_RANGE);
		assert_int_equal(eg_merkle_inclusion(1, huge[i], src, proof, &n, NULL), EG_OUT_OF_RANGE);
		assert_int_equal(eg_merkle_consistency(1, huge[i], src, proof, &n, NULL), EG_OUT_OF_RANGE);
		assert_int_equal(eg_merkle_new(&tree, huge[i], src, NULL), EG_OUT_OF_RANGE);
	}
	assert_int_equal(eg_tile_id(2, 5), (int64_t)(2ll << 48 | 5));
}

int main(void)
{
	const char *seed = getenv("EG_SEED");
	rng = seed ? strtoull(seed, NULL, 10) : 0;
	while (!rng)
		eg_random(&rng, sizeof rng);
	printf("EG_SEED=%llu\n", (unsigned long long)rng);
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(published),
	        cmocka_unit_test(small_trees),
	        cmocka_unit_test(large_trees),
	        cmocka_unit_test(a_failed_append_changes_nothing),
	        cmocka_unit_test(a_failed_read_is_told),
	        cmocka_unit_test(out_of_range),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
