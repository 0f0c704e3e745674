/* checkpoint: signed statements of the tree's size and root, as C2SP tlog-checkpoint signed notes (Ed25519).
 *
 * Text: origin, size, base64 root, each on a line; an empty line; "— <origin> <base64 key hash ‖ signature>".
 * Proofs are C2SP tlog-proof files: "c2sp.org/tlog-proof@v1", extra data, index, hashes, the checkpoint.
 * Other signature lines may stand beside ours. Pure. */
#ifndef EG_TRUST_CHECKPOINT_H
#define EG_TRUST_CHECKPOINT_H

#include "trust/merkle.h"
#include "trust/vault.h"

struct eg_checkpoint {
	char origin[128]; /* "eldergate.<log id in hex>" unless configured */
	uint64_t size;
	uint8_t root[EG_HASH_SIZE];
};

/* Appends the signed note to out. */
enum eg_rc eg_checkpoint_sign(struct eg_vault *v, const struct eg_checkpoint *c, struct eg_buf *out,
                              struct eg_err *err);
/* Parses and verifies a note against a verifier key. EG_INVALID: not a checkpoint; EG_CORRUPT: no good
 * signature. */
enum eg_rc eg_checkpoint_verify(struct eg_bytes note, const char *origin, const uint8_t public_key[32],
                                struct eg_checkpoint *out, struct eg_err *err);
/* The verifier key in the note format: "<origin>+<hash>+<base64>". */
void eg_checkpoint_vkey(const char *origin, const uint8_t public_key[32], struct eg_buf *out);
bool eg_checkpoint_parse_vkey(const char *vkey, char origin[128], uint8_t public_key[32]);

/* A tlog-proof file for the leaf at index; extra is the entry's header with both C (base64 in the file). */
void eg_proof_write(struct eg_buf *out, struct eg_bytes extra, uint64_t index,
                    const uint8_t (*proof)[EG_HASH_SIZE], unsigned n, struct eg_bytes note);
struct eg_proof {
	struct eg_buf extra; /* owned */
	uint64_t index;
	unsigned n;
	uint8_t hashes[64][EG_HASH_SIZE];
	struct eg_bytes note; /* into the text given */
};
/* Strict: survives any bytes. EG_INVALID leaves nothing to free; else the caller frees extra. */
enum eg_rc eg_proof_read(struct eg_bytes text, struct eg_proof *out, struct eg_err *err);
/* Checks the note, then the leaf that extra stands for against it. EG_INVALID: not a proof of ours;
 * EG_CORRUPT: it does not verify. */
enum eg_rc eg_proof_verify(const struct eg_proof *p, const char *origin, const uint8_t public_key[32],
                           struct eg_checkpoint *out, struct eg_err *err);

/* The extra data of our proofs: an entry's header and its two C (gateway/FORMAT.md, "Proof files"). */
void eg_proof_extra(struct eg_buf *out, struct eg_bytes header, const uint8_t c_claim[EG_HASH_SIZE],
                    const uint8_t c_effect[EG_HASH_SIZE]);
/* The way back; all three point into extra. */
bool eg_proof_parts(struct eg_bytes extra, struct eg_bytes *header, const uint8_t **c_claim,
                    const uint8_t **c_effect);

#endif
