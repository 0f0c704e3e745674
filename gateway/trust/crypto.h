/* crypto: every cryptographic primitive the gateway uses; the only user of OpenSSL's libcrypto.
 *
 * Algorithms are fetched once (eg_crypto_open); contexts are kept per thread. Failures of the library are
 * EG_CRYPTO and never silent. Thread: any, after eg_crypto_open. */
#ifndef EG_TRUST_CRYPTO_H
#define EG_TRUST_CRYPTO_H

#include "base/buf.h"
#include "eldergate/err.h"

#define EG_KEY_SIZE  32
#define EG_HASH_SIZE 32
#define EG_GCM_NONCE 12
#define EG_GCM_TAG   16

/* Idempotent. A program calls it before any library that uses OpenSSL by itself: see crypto.c. */
enum eg_rc eg_crypto_open(struct eg_err *err);

void eg_random(void *out, size_t len); /* aborts the process if the system has no randomness */
bool eg_crypto_equal(const void *a, const void *b, size_t len); /* constant time */

/* SHA-256 and HMAC-SHA-256 over up to n slices laid end to end. They cannot fail after eg_crypto_open. */
void eg_sha256(const struct eg_bytes *parts, unsigned n, uint8_t out[EG_HASH_SIZE]);

/* SHA-256 (FIPS 180-4) or SM3 (GB/T 32905), both of 32 bytes, of what comes piece by piece. */
enum eg_hash_kind { EG_HASH_SHA256 = 1, EG_HASH_SM3 = 2 };
struct eg_hash;
struct eg_hash *eg_hash_new(enum eg_hash_kind kind); /* NULL: this OpenSSL does not offer it */
void eg_hash_add(struct eg_hash *h, const struct eg_bytes *parts, unsigned n);
void eg_hash_end(struct eg_hash *h, uint8_t out[EG_HASH_SIZE]); /* once; then free it */
void eg_hash_free(struct eg_hash *h);                           /* NULL is fine */

struct eg_mac; /* a keyed HMAC-SHA-256 with its midstate; shared by threads, read only */
struct eg_mac *eg_mac_new(const uint8_t key[EG_KEY_SIZE]);
void eg_mac(const struct eg_mac *m, const struct eg_bytes *parts, unsigned n, uint8_t out[EG_HASH_SIZE]);
void eg_mac_free(struct eg_mac *m);

/* HMAC (RFC 2104) with a key of any length over n slices laid end to end. */
enum eg_rc eg_hmac(enum eg_hash_kind kind, struct eg_bytes key, const struct eg_bytes *parts, unsigned n,
                   uint8_t out[EG_HASH_SIZE], struct eg_err *err);

/* AES-256-GCM. seal writes len + EG_GCM_TAG bytes to out. open returns EG_CORRUPT when the tag does not fit.
 */
enum eg_rc eg_gcm_seal(const uint8_t key[EG_KEY_SIZE], const uint8_t nonce[EG_GCM_NONCE], struct eg_bytes aad,
                       struct eg_bytes plain, uint8_t *out, struct eg_err *err);
enum eg_rc eg_gcm_open(const uint8_t key[EG_KEY_SIZE], const uint8_t nonce[EG_GCM_NONCE], struct eg_bytes aad,
                       struct eg_bytes sealed, uint8_t *out, struct eg_err *err);
/* Both keep the thread's last key, so that the next body under it costs less. Forgets the calling thread's.
 */
void eg_crypto_forget(void);
/* One AES-256 block: the keyed permutation behind person references. */
enum eg_rc eg_block(const uint8_t key[EG_KEY_SIZE], bool encrypt, const uint8_t in[16], uint8_t out[16],
                    struct eg_err *err);

/* Ed25519 (RFC 8032), keys as raw 32 bytes. */
enum eg_rc eg_ed25519_public(const uint8_t seed[32], uint8_t public_key[32], struct eg_err *err);
enum eg_rc eg_ed25519_sign(const uint8_t seed[32], struct eg_bytes message, uint8_t signature[64],
                           struct eg_err *err);
bool eg_ed25519_verify(const uint8_t public_key[32], struct eg_bytes message, const uint8_t signature[64]);

/* Curve25519 (RFC 7748): the public key that belongs to 32 random bytes. */
enum eg_rc eg_x25519_public(const uint8_t secret[32], uint8_t public_key[32], struct eg_err *err);

/* SHA-256 of the SubjectPublicKeyInfo of a PEM certificate: the pin of an identity (RFC 7469's form, raw). */
enum eg_rc eg_spki_pin(struct eg_bytes pem, uint8_t pin[EG_HASH_SIZE], struct eg_err *err);
void eg_base64(const uint8_t *p, size_t len, struct eg_buf *out);
/* Strict: standard alphabet, padded, one text per value. False leaves out as it was. */
bool eg_unbase64(struct eg_bytes text, struct eg_buf *out);

#endif
