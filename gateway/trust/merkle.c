/* merkle: see merkle.h. RFC 6962 2.1 over C2SP tlog-tiles.
 *
 * A hash "at level L, index j" is the root of the perfect subtree over the 256^L leaves from j * 256^L on; a
 * full tile of level L holds 256 of them. The right edge is never stored: it follows from the full tiles
 * below and the last leaves. */
#include "trust/merkle.h"

#include <stdlib.h>
#include <string.h>

enum { LEVELS = 6, BITS = 8 }; /* fewer than 2^48 leaves, as tile ids allow */

typedef uint8_t hash[EG_HASH_SIZE];

static void leaf_hash(const uint8_t *data, uint8_t *out)
{
	static const uint8_t zero = 0;
	const struct eg_bytes parts[] = {{&zero, 1}, {data, EG_HASH_SIZE}};
	eg_sha256(parts, 2, out);
}

static void node(const uint8_t *left, const uint8_t *right, uint8_t *out)
{
	static const uint8_t one = 1;
	const struct eg_bytes parts[] = {{&one, 1}, {left, EG_HASH_SIZE}, {right, EG_HASH_SIZE}};
	eg_sha256(parts, 3, out);
}

void eg_merkle_leaf_hash(const uint8_t leaf_data[EG_HASH_SIZE], uint8_t out[EG_HASH_SIZE])
{
	leaf_hash(leaf_data, out);
}

/* Root over n hashes, a power of two up to 256. */
static void fold(const uint8_t *hashes, unsigned n, uint8_t *out)
{
	uint8_t row[EG_TILE_BYTES];
	memcpy(row, hashes, (size_t)n * EG_HASH_SIZE);
	for (; n > 1; n /= 2)
		for (unsigned i = 0; i < n / 2; i++)
			node(row + 2 * i * EG_HASH_SIZE, row + (2 * i + 1) * EG_HASH_SIZE,
			     row + i * EG_HASH_SIZE);
	memcpy(out, row, EG_HASH_SIZE);
}

/* ---- the appender ---- */

struct eg_merkle {
	uint64_t size;
	struct {
		unsigned n;
		uint8_t hashes[EG_TILE_BYTES];
	} level[LEVELS];
};

enum eg_rc eg_merkle_append(struct eg_merkle *m, const uint8_t leaf_data[EG_HASH_SIZE],
                            enum eg_rc (*full)(void *arg, unsigned level, uint64_t index,
                                               const uint8_t hashes[EG_TILE_BYTES], struct eg_err *err),
                            void *arg, struct eg_err *err)
{
	hash h;
	leaf_hash(leaf_data, h);
	for (unsigned l = 0; l < LEVELS; l++) {
		memcpy(m->level[l].hashes + m->level[l].n * EG_HASH_SIZE, h, sizeof h);
		if (++m->level[l].n < EG_TILE_HASHES)
			break;
		enum eg_rc rc = full(arg, l, m->size >> BITS * (l + 1), m->level[l].hashes, err);
		if (rc) {
			/* As it was: every level up to this one lacked one hash, and none was overwritten. */
			for (unsigned k = 0; k <= l; k++)
				m->level[k].n = EG_TILE_HASHES - 1;
			return rc;
		}
		fold(m->level[l].hashes, EG_TILE_HASHES, h);
		m->level[l].n = 0;
	}
	m->size++;
	return EG_OK;
}

uint64_t eg_merkle_size(const struct eg_merkle *m)
{
	return m->size;
}

void eg_merkle_root(const struct eg_merkle *m, uint8_t root[EG_HASH_SIZE])
{
	bool any = false;
	eg_sha256(NULL, 0, root);
	/* From the smallest perfect subtree, on the right, to the largest: RFC 6962 splits at the largest
	 * power of two. */
	for (unsigned l = 0; l < LEVELS; l++) {
		unsigned end = m->level[l].n;
		for (unsigned n = 1; n <= end; n *= 2) {
			hash h;
			if (!(end & n))
				continue;
			end -= n;
			fold(m->level[l].hashes + end * EG_HASH_SIZE, n, h);
			if (any)
				node(h, root, root);
			else
				memcpy(root, h, sizeof h);
			any = true;
		}
	}
}

struct eg_merkle *eg_merkle_copy(const struct eg_merkle *m)
{
	struct eg_merkle *c = malloc(sizeof *c);
	if (c)
		memcpy(c, m, sizeof *c);
	return c;
}

void eg_merkle_free(struct eg_merkle *m)
{
	free(m);
}

/* ---- reading ---- */

struct reader {
	uint64_t size; /* tiles that are full at this size are stored */
	struct eg_tile_source src;
	struct eg_err *err;
	enum eg_rc rc; /* the first error; later steps do nothing */
	/* the tile read last: proofs ask for neighbours */
	bool cached;
	unsigned level;
	uint64_t index;
	uint8_t tile[EG_TILE_BYTES];
};

static const uint8_t *tile(struct reader *r, unsigned level, uint64_t index)
{
	if (r->rc || (r->cached && r->level == level && r->index == index))
		return r->tile;
	r->cached = false;
	r->rc = r->src.tile(r->src.arg, level, index, r->tile, r->err);
	r->cached = !r->rc;
	r->level = level;
	r->index = index;
	return r->tile;
}

static bool stored(const struct reader *r, unsigned level, uint64_t index)
{
	return index < r->size >> BITS * (level + 1);
}

/* Root of the perfect subtree over 2^height leaves from index << height on. */
static void subtree(struct reader *r, unsigned height, uint64_t index, uint8_t *out)
{
	unsigned level = height / BITS, n = 1u << height % BITS;
	uint64_t first = index << height % BITS;
	uint8_t row[EG_TILE_BYTES];
	if (stored(r, level, first / EG_TILE_HASHES)) {
		const uint8_t *t = tile(r, level, first / EG_TILE_HASHES);
		if (!r->rc)
			fold(t + first % EG_TILE_HASHES * EG_HASH_SIZE, n, out);
		return;
	}
	if (level == 0 && !r->rc) {
		r->rc = r->src.leaves(r->src.arg, first, n, row, r->err);
		for (unsigned i = 0; i < n && !r->rc; i++)
			leaf_hash(row + i * EG_HASH_SIZE, row + i * EG_HASH_SIZE);
	}
	for (unsigned i = 0; level > 0 && i < n && !r->rc; i++) {
		const uint8_t *t = tile(r, level - 1, first + i);
		if (!r->rc)
			fold(t, EG_TILE_HASHES, row + i * EG_HASH_SIZE);
	}
	if (!r->rc)
		fold(row, n, out);
}

static unsigned height_of(uint64_t n) /* the least h with 2^h >= n */
{
	unsigned h = 0;
	while (1ull << h < n)
		h++;
	return h;
}

static uint64_t split(uint64_t n) /* the largest power of two below n, n > 1 */
{
	uint64_t k = 1;
	while (k << 1 < n)
		k <<= 1;
	return k;
}

/* Root over leaves [low, low + n); low is a multiple of the least power of two >= n. */
static void range(struct reader *r, uint64_t low, uint64_t n, uint8_t *out)
{
	unsigned h = height_of(n);
	if (n == 1ull << h) {
		subtree(r, h, low >> h, out);
		return;
	}
	hash left, right;
	uint64_t k = split(n);
	range(r, low, k, left);
	range(r, low + k, n - k, right);
	if (!r->rc)
		node(left, right, out);
}

static enum eg_rc reader(struct reader **out, uint64_t size, struct eg_tile_source src, struct eg_err *err)
{
	if (size >> BITS * LEVELS)
		return eg_fail(err, EG_OUT_OF_RANGE, "a log holds fewer than 2^48 entries");
	struct reader *r = *out = calloc(1, sizeof *r);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read the tree");
	r->size = size;
	r->src = src;
	r->err = err;
	return EG_OK;
}

static enum eg_rc done(struct reader *r)
{
	enum eg_rc rc = r->rc;
	free(r);
	return rc;
}

enum eg_rc eg_merkle_new(struct eg_merkle **out, uint64_t size, struct eg_tile_source src, struct eg_err *err)
{
	struct reader *r;
	enum eg_rc rc = reader(&r, size, src, err);
	if (rc)
		return rc;
	struct eg_merkle *m = calloc(1, sizeof *m);
	if (!m) {
		free(r);
		return eg_fail(err, EG_NO_MEMORY, "no memory for the tree");
	}
	m->size = size;
	for (unsigned l = 0; l < LEVELS; l++) {
		uint64_t count = size >> BITS * l, first = count & ~(uint64_t)(EG_TILE_HASHES - 1);
		m->level[l].n = (unsigned)(count - first);
		for (unsigned i = 0; i < m->level[l].n && !r->rc; i++)
			subtree(r, BITS * l, first + i, m->level[l].hashes + i * EG_HASH_SIZE);
	}
	rc = done(r);
	if (rc) {
		free(m);
		return rc;
	}
	*out = m;
	return EG_OK;
}

enum eg_rc eg_merkle_root_at(uint64_t size, struct eg_tile_source src, uint8_t root[EG_HASH_SIZE],
                             struct eg_err *err)
{
	if (!size) {
		eg_sha256(NULL, 0, root);
		return EG_OK;
	}
	struct reader *r;
	enum eg_rc rc = reader(&r, size, src, err);
	if (rc)
		return rc;
	range(r, 0, size, root);
	return done(r);
}

enum eg_rc eg_merkle_inclusion(uint64_t index, uint64_t size, struct eg_tile_source src,
                               uint8_t proof[64][EG_HASH_SIZE], unsigned *n, struct eg_err *err)
{
	hash path[64];
	unsigned k = 0;
	uint64_t low = 0, left = size;
	if (index >= size)
		return eg_fail(err, EG_OUT_OF_RANGE, "a tree of %llu leaves has no leaf %llu",
		               (unsigned long long)size, (unsigned long long)index);
	struct reader *r;
	enum eg_rc rc = reader(&r, size, src, err);
	if (rc)
		return rc;
	/* Down from the root; the proof is read from the leaf up. */
	while (left > 1) {
		uint64_t half = split(left);
		if (index < low + half) {
			range(r, low + half, left - half, path[k++]);
			left = half;
		} else {
			range(r, low, half, path[k++]);
			low += half;
			left -= half;
		}
	}
	for (unsigned i = 0; i < k; i++)
		memcpy(proof[i], path[k - 1 - i], EG_HASH_SIZE);
	*n = k;
	return done(r);
}

enum eg_rc eg_merkle_consistency(uint64_t old_size, uint64_t size, struct eg_tile_source src,
                                 uint8_t proof[64][EG_HASH_SIZE], unsigned *n, struct eg_err *err)
{
	hash path[64];
	unsigned k = 0;
	uint64_t low = 0, left = size, m = old_size;
	bool whole = true; /* SUBPROOF's b: the old tree is the complete left part so far */
	*n = 0;
	if (!old_size || old_size > size)
		return eg_fail(err, EG_OUT_OF_RANGE, "no consistency from %llu to %llu leaves",
		               (unsigned long long)old_size, (unsigned long long)size);
	if (old_size == size)
		return EG_OK;
	struct reader *r;
	enum eg_rc rc = reader(&r, size, src, err);
	if (rc)
		return rc;
	while (m != left) {
		uint64_t half = split(left);
		if (m <= half) {
			range(r, low + half, left - half, path[k++]);
			left = half;
		} else {
			range(r, low, half, path[k++]);
			low += half;
			left -= half;
			m -= half;
			whole = false;
		}
	}
	if (!whole)
		range(r, low, left, path[k++]);
	for (unsigned i = 0; i < k; i++)
		memcpy(proof[i], path[k - 1 - i], EG_HASH_SIZE);
	*n = k;
	return done(r);
}

/* ---- verifying (RFC 9162 2.1.3.2 and 2.1.4.2, the same trees) ---- */

bool eg_merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_data[EG_HASH_SIZE],
                                const uint8_t (*proof)[EG_HASH_SIZE], unsigned n,
                                const uint8_t root[EG_HASH_SIZE])
{
	hash r;
	uint64_t fn = index, sn = size - 1;
	if (index >= size)
		return false;
	leaf_hash(leaf_data, r);
	for (unsigned i = 0; i < n; i++) {
		if (!sn)
			return false;
		if (fn & 1 || fn == sn) {
			node(proof[i], r, r);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			node(r, proof[i], r);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn && eg_crypto_equal(r, root, EG_HASH_SIZE);
}

bool eg_merkle_verify_consistency(uint64_t old_size, uint64_t size, const uint8_t old_root[EG_HASH_SIZE],
                                  const uint8_t root[EG_HASH_SIZE], const uint8_t (*proof)[EG_HASH_SIZE],
                                  unsigned n)
{
	hash fr, sr;
	unsigned i = 0;
	if (!old_size || old_size > size)
		return false;
	if (old_size == size)
		return !n && eg_crypto_equal(old_root, root, EG_HASH_SIZE);
	uint64_t fn = old_size - 1, sn = size - 1;
	while (fn & 1) {
		fn >>= 1;
		sn >>= 1;
	}
	/* An old size that is a power of two is itself the first hash. */
	if (old_size & (old_size - 1)) {
		if (!n)
			return false;
		memcpy(fr, proof[i++], sizeof fr);
	} else {
		memcpy(fr, old_root, sizeof fr);
	}
	memcpy(sr, fr, sizeof sr);
	for (; i < n; i++) {
		if (!sn)
			return false;
		if (fn & 1 || fn == sn) {
			node(proof[i], fr, fr);
			node(proof[i], sr, sr);
			while (!(fn & 1) && fn) {
				fn >>= 1;
				sn >>= 1;
			}
		} else {
			node(sr, proof[i], sr);
		}
		fn >>= 1;
		sn >>= 1;
	}
	return !sn && eg_crypto_equal(fr, old_root, EG_HASH_SIZE) && eg_crypto_equal(sr, root, EG_HASH_SIZE);
}
