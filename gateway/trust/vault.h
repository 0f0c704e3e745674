/* vault: seals what is stored, opens it again, turns values into tokens and person ids into references.
 *
 * The root key lives in one file; every other key is wrapped under it and kept by the store, which the vault
 * reaches through three functions, so that trust stays below store. Sealing epochs rotate before 2^31 seals
 * of one key (random nonces). Thread: any after open; eg_vault_rotate: the writer only. Owns the keys; wipes
 * them on close. */
#ifndef EG_TRUST_VAULT_H
#define EG_TRUST_VAULT_H

#include "base/arena.h"
#include "trust/crypto.h"

struct eg_vault;

/* Where wrapped keys are kept. get: EG_NOT_FOUND if there is none; wrapped must hold 60 bytes. */
struct eg_vault_keys {
	void *arg;
	enum eg_rc (*get)(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err);
	/* Keeps n new keys durably, all of them or none. NULL: read only. */
	enum eg_rc (*put)(void *arg, unsigned n, const char *const *names, const uint8_t (*wrapped)[60],
	                  struct eg_err *err);
	/* Calls each for every key whose name begins with prefix. */
	enum eg_rc (*list)(void *arg, const char *prefix, void (*each)(void *each_arg, const char *name),
	                   void *each_arg, struct eg_err *err);
};

/* Opens with root_key_path. create: a missing file is made, and a store without any key gets its first ones;
 * else that is EG_NOT_FOUND. EG_CORRUPT: a key is lost or does not open with this root key. EG_CONFIG: the
 * file may be read by others, or it is missing beside a store that has keys. */
enum eg_rc eg_vault_open(struct eg_vault **out, const char *root_key_path, bool create,
                         struct eg_vault_keys keys, struct eg_err *err);
void eg_vault_close(struct eg_vault *v);

/* Appends sealed bytes (gateway/FORMAT.md, "Sealing") to out. */
enum eg_rc eg_vault_seal(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes plain, struct eg_buf *out,
                         struct eg_err *err);
/* Appends the plaintext to out. EG_CORRUPT: altered, another key's, or another row's. */
enum eg_rc eg_vault_open_sealed(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes sealed,
                                struct eg_buf *out, struct eg_err *err);
/* The same into an arena. EG_LIMIT: it does not fit. */
enum eg_rc eg_vault_unseal(struct eg_vault *v, struct eg_bytes aad, struct eg_bytes sealed,
                           struct eg_arena *a, struct eg_bytes *out, struct eg_err *err);

/* One part of a log entry: draws a salt, sets c = SHA-256(salt ‖ part) and appends C ‖ sealed(salt ‖ part) to
 * out. */
enum eg_rc eg_vault_seal_part(struct eg_vault *v, const uint8_t entry_id[16], unsigned kind,
                              const char *part_name, struct eg_bytes part, uint8_t c[EG_HASH_SIZE],
                              struct eg_buf *out, struct eg_err *err);
/* Opens C ‖ sealed into an arena, checks C. An empty stored part gives an empty part. EG_LIMIT: it does not
 * fit.
 */
enum eg_rc eg_vault_open_part(struct eg_vault *v, const uint8_t entry_id[16], unsigned kind,
                              const char *part_name, struct eg_bytes stored, struct eg_arena *a,
                              struct eg_bytes *out, struct eg_err *err);
/* C of a stored part without opening it: 32 zero bytes when there is none. */
void eg_part_c(struct eg_bytes stored, uint8_t c[EG_HASH_SIZE]);

/* Tokens: first bytes of HMAC-SHA-256(token key, domain ‖ 0 ‖ values joined by 0). */
void eg_vault_token(const struct eg_vault *v, const char *domain, const struct eg_bytes *values, unsigned n,
                    void *out, size_t out_len);
/* First 16 bytes of HMAC-SHA-256(digest key, text). */
void eg_vault_digest(const struct eg_vault *v, struct eg_bytes text, uint8_t out[16]);
/* The same of a text that lies in pieces. */
void eg_vault_digest_pieces(const struct eg_vault *v, const struct eg_bytes *pieces, unsigned n,
                            uint8_t out[16]);

/* Person reference for an audience ("kafka", "identity/police"), and the way back. An audience's key follows
 * from one kept key and its name. */
enum eg_rc eg_vault_ref(struct eg_vault *v, const char *audience, const uint8_t id[16], uint8_t ref[16],
                        struct eg_err *err);
enum eg_rc eg_vault_unref(struct eg_vault *v, const char *audience, const uint8_t ref[16], uint8_t id[16],
                          struct eg_err *err);

/* Begins a new sealing epoch: what was sealed before still opens. Call before 2^31 seals of one epoch; the
 * writer does. */
enum eg_rc eg_vault_rotate(struct eg_vault *v, struct eg_err *err);

/* The checkpoint key. */
enum eg_rc eg_vault_sign(struct eg_vault *v, struct eg_bytes message, uint8_t signature[64],
                         struct eg_err *err);
void eg_vault_public(const struct eg_vault *v, uint8_t public_key[32]);

#endif
