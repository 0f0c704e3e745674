/* merkle: the RFC 6962 tree over leaf data, in C2SP tiles of 256 hashes, as an appender and as proofs.
 *
 * Pure but for the tile reader that the caller passes. The appender keeps only the right edge in memory (at
 * most 8 partial tiles of 255 hashes) and hands out each tile as it becomes full. Thread: one at a time. */
#ifndef EG_TRUST_MERKLE_H
#define EG_TRUST_MERKLE_H

#include "trust/crypto.h"

#define EG_TILE_HASHES 256
#define EG_TILE_BYTES  (EG_TILE_HASHES * EG_HASH_SIZE)

struct eg_merkle; /* the appender */

/* Row id of a full tile in the store. */
static inline int64_t eg_tile_id(unsigned level, uint64_t index)
{
	return (int64_t)((uint64_t)level << 48 | index);
}

void eg_merkle_leaf_hash(const uint8_t leaf_data[EG_HASH_SIZE], uint8_t out[EG_HASH_SIZE]);

/* Reads one full tile (8192 bytes) or, at level 0, any leaf range of the right edge. */
struct eg_tile_source {
	void *arg;
	/* A full tile. */
	enum eg_rc (*tile)(void *arg, unsigned level, uint64_t index, uint8_t hashes[EG_TILE_BYTES],
	                   struct eg_err *err);
	/* Leaf data of n leaves from index first (n < 256). */
	enum eg_rc (*leaves)(void *arg, uint64_t first, unsigned n, uint8_t *leaf_data, struct eg_err *err);
};

/* Rebuilds the appender for a tree of this size from full tiles and the leaves of the right edge. */
enum eg_rc eg_merkle_new(struct eg_merkle **out, uint64_t size, struct eg_tile_source src,
                         struct eg_err *err);
/* Appends one leaf. Every tile that became full is passed to full() (level 0 first); if that fails, so does
 * append, and the tree is as it was. */
enum eg_rc eg_merkle_append(struct eg_merkle *m, const uint8_t leaf_data[EG_HASH_SIZE],
                            enum eg_rc (*full)(void *arg, unsigned level, uint64_t index,
                                               const uint8_t hashes[EG_TILE_BYTES], struct eg_err *err),
                            void *arg, struct eg_err *err);
uint64_t eg_merkle_size(const struct eg_merkle *m);
void eg_merkle_root(const struct eg_merkle *m,
                    uint8_t root[EG_HASH_SIZE]); /* of the empty tree: SHA-256("") */
/* For a writer whose transaction may fail: a copy to go back to. */
struct eg_merkle *eg_merkle_copy(const struct eg_merkle *m);
void eg_merkle_free(struct eg_merkle *m);

/* Root of the first `size` leaves, and proofs (RFC 6962 2.1.1, 2.1.2), read from tiles. proof: at most 64
 * hashes. */
enum eg_rc eg_merkle_root_at(uint64_t size, struct eg_tile_source src, uint8_t root[EG_HASH_SIZE],
                             struct eg_err *err);
enum eg_rc eg_merkle_inclusion(uint64_t index, uint64_t size, struct eg_tile_source src,
                               uint8_t proof[64][EG_HASH_SIZE], unsigned *n, struct eg_err *err);
enum eg_rc eg_merkle_consistency(uint64_t old_size, uint64_t size, struct eg_tile_source src,
                                 uint8_t proof[64][EG_HASH_SIZE], unsigned *n, struct eg_err *err);
/* Verification, pure. */
bool eg_merkle_verify_inclusion(uint64_t index, uint64_t size, const uint8_t leaf_data[EG_HASH_SIZE],
                                const uint8_t (*proof)[EG_HASH_SIZE], unsigned n,
                                const uint8_t root[EG_HASH_SIZE]);
bool eg_merkle_verify_consistency(uint64_t old_size, uint64_t size, const uint8_t old_root[EG_HASH_SIZE],
                                  const uint8_t root[EG_HASH_SIZE], const uint8_t (*proof)[EG_HASH_SIZE],
                                  unsigned n);

#endif
