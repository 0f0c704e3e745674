/* crypto: see crypto.h. Digests, MACs, seals and signatures over OpenSSL 3.
 *
 * Algorithms are fetched once for the process. A cipher context belongs to a thread and is made on first use,
 * because initialising one for each of many small seals would cost more than the seal; for the same reason it
 * keeps the key that it was last used with. SHA-256 goes by OpenSSL's plain functions: a digest by way of EVP
 * allocates and frees, which costs as much as hashing one of our tokens does. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*: deprecated in favour of EVP, not for any weakness */
#include "trust/crypto.h"

#include "base/log.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static struct {
	pthread_once_t once;
	pthread_key_t thread_key;
	EVP_CIPHER *gcm, *ecb;
	bool ok;
} lib = {.once = PTHREAD_ONCE_INIT};

/* AES-256-GCM in one direction, with the key that its schedule and its table were made of. */
struct gcm {
	EVP_CIPHER_CTX *cipher;
	bool keyed;
	uint8_t key[EG_KEY_SIZE];
};

/* One thread's contexts. */
struct contexts {
	struct gcm seal, open;
	EVP_CIPHER_CTX *block;
};

static void free_contexts(void *p)
{
	struct contexts *c = p;
	EVP_CIPHER_CTX_free(c->seal.cipher);
	EVP_CIPHER_CTX_free(c->open.cipher);
	EVP_CIPHER_CTX_free(c->block);
	OPENSSL_cleanse(c, sizeof *c);
	free(c);
}

static void forget_pool(void);

/* The library is not torn down as the process ends: threads of others (gRPC's, which connect anew by
 * themselves; a driver that hangs) may be inside it until the very end. This holds only if it is the
 * library's first call. */
static void fetch(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	lib.gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	lib.ecb = EVP_CIPHER_fetch(NULL, "AES-256-ECB", NULL);
	lib.ok = lib.gcm && lib.ecb && pthread_key_create(&lib.thread_key, free_contexts) == 0 &&
	         pthread_atfork(NULL, NULL, forget_pool) == 0;
}

static enum eg_rc fail(struct eg_err *err, const char *what)
{
	char text[160];
	ERR_error_string_n(ERR_get_error(), text, sizeof text);
	ERR_clear_error();
	return eg_fail(err, EG_CRYPTO, "%s: %s", what, text);
}

enum eg_rc eg_crypto_open(struct eg_err *err)
{
	pthread_once(&lib.once, fetch);
	return lib.ok ? EG_OK : fail(err, "the cryptographic library lacks AES-256");
}

/* Digests have no way to report a failure that cannot happen once the algorithms are there; memory can run
 * out. Nobody may go on with a digest that is none, so the process ends, as after any fatal error. */
static void must(bool ok, const char *what)
{
	if (ok)
		return;
	eg_log(EG_LOG_ERROR, "crypto.failed", EG_T("doing", what));
	_exit(eg_rc_exit(EG_CRYPTO));
}

static struct contexts *contexts(void)
{
	must(eg_crypto_open(NULL) == EG_OK, "opening the library");
	struct contexts *c = pthread_getspecific(lib.thread_key);
	if (c)
		return c;
	c = calloc(1, sizeof *c);
	must(c && (c->seal.cipher = EVP_CIPHER_CTX_new()) && (c->open.cipher = EVP_CIPHER_CTX_new()) &&
	             (c->block = EVP_CIPHER_CTX_new()),
	     "making a context");
	must(pthread_setspecific(lib.thread_key, c) == 0, "keeping a context");
	return c;
}

/* A thread draws from the system in larger steps. What was handed out is wiped, and a forked child forgets
 * the rest: no byte is ever given twice. */
enum { POOL = 4096, STEP = 256 }; /* getrandom never returns less than 256 bytes asked for */
static _Thread_local struct {
	uint8_t bytes[POOL];
	size_t left;
} pool;

static void forget_pool(void)
{
	explicit_bzero(&pool, sizeof pool);
}

void eg_random(void *out, size_t len)
{
	uint8_t *to = out;
	must(eg_crypto_open(NULL) == EG_OK, "opening the library");
	while (len) {
		if (!pool.left) {
			for (size_t i = 0; i < POOL; i += STEP)
				must(getrandom(pool.bytes + i, STEP, 0) == STEP, "getrandom");
			pool.left = POOL;
		}
		size_t n = len < pool.left ? len : pool.left;
		pool.left -= n;
		memcpy(to, pool.bytes + pool.left, n);
		explicit_bzero(pool.bytes + pool.left, n);
		to += n;
		len -= n;
	}
}

bool eg_crypto_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

static void add(SHA256_CTX *c, const struct eg_bytes *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (parts[i].len)
			must(SHA256_Update(c, parts[i].p, parts[i].len), "SHA-256");
}

void eg_sha256(const struct eg_bytes *parts, unsigned n, uint8_t out[EG_HASH_SIZE])
{
	SHA256_CTX c;
	must(SHA256_Init(&c), "SHA-256");
	add(&c, parts, n);
	must(SHA256_Final(out, &c), "SHA-256"); /* wipes what it buffered */
}

struct eg_hash *eg_hash_new(enum eg_hash_kind kind)
{
	must(eg_crypto_open(NULL) == EG_OK, "opening the library");
	EVP_MD *md = EVP_MD_fetch(NULL, kind == EG_HASH_SM3 ? "SM3" : "SHA2-256", NULL);
	EVP_MD_CTX *c = md ? EVP_MD_CTX_new() : NULL;
	if (c && !EVP_DigestInit_ex2(c, md, NULL)) {
		EVP_MD_CTX_free(c);
		c = NULL;
	}
	EVP_MD_free(md); /* the context holds it */
	return (struct eg_hash *)c;
}

void eg_hash_add(struct eg_hash *h, const struct eg_bytes *parts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (parts[i].len)
			must(EVP_DigestUpdate((EVP_MD_CTX *)h, parts[i].p, parts[i].len), "a digest");
}

void eg_hash_end(struct eg_hash *h, uint8_t out[EG_HASH_SIZE])
{
	must(EVP_DigestFinal_ex((EVP_MD_CTX *)h, out, NULL), "a digest");
}

void eg_hash_free(struct eg_hash *h)
{
	EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

/* ---- HMAC-SHA-256 (RFC 2104) with the state after each padded key kept ---- */

struct eg_mac {
	SHA256_CTX inner, outer;
};

static void padded(const uint8_t key[EG_KEY_SIZE], uint8_t pad, SHA256_CTX *out)
{
	uint8_t block[SHA256_CBLOCK];
	memset(block, pad, sizeof block);
	for (unsigned i = 0; i < EG_KEY_SIZE; i++)
		block[i] ^= key[i];
	must(SHA256_Init(out) && SHA256_Update(out, block, sizeof block), "HMAC");
	OPENSSL_cleanse(block, sizeof block);
}

struct eg_mac *eg_mac_new(const uint8_t key[EG_KEY_SIZE])
{
	struct eg_mac *m = calloc(1, sizeof *m);
	if (!m)
		return NULL;
	padded(key, 0x36, &m->inner);
	padded(key, 0x5c, &m->outer);
	return m;
}

void eg_mac(const struct eg_mac *m, const struct eg_bytes *parts, unsigned n, uint8_t out[EG_HASH_SIZE])
{
	SHA256_CTX c = m->inner;
	add(&c, parts, n);
	must(SHA256_Final(out, &c), "HMAC");
	c = m->outer;
	must(SHA256_Update(&c, out, EG_HASH_SIZE) && SHA256_Final(out, &c), "HMAC");
	explicit_bzero(&c, sizeof c);
}

void eg_mac_free(struct eg_mac *m)
{
	if (!m)
		return;
	explicit_bzero(m, sizeof *m);
	free(m);
}

/* ---- AES-256 ---- */

/* Ready to seal or open with this key and nonce. Of the key a thread used last, only the nonce is new. */
static bool begin(struct gcm *g, bool seals, const uint8_t key[EG_KEY_SIZE],
                  const uint8_t nonce[EG_GCM_NONCE])
{
	if (g->keyed && eg_crypto_equal(g->key, key, EG_KEY_SIZE))
		return EVP_CipherInit_ex2(g->cipher, NULL, NULL, nonce, seals, NULL);
	g->keyed = EVP_CipherInit_ex2(g->cipher, lib.gcm, key, nonce, seals, NULL);
	memcpy(g->key, key, EG_KEY_SIZE);
	return g->keyed;
}

static void forget(struct gcm *g)
{
	EVP_CIPHER_CTX_reset(g->cipher); /* which wipes it */
	g->keyed = false;
	OPENSSL_cleanse(g->key, sizeof g->key);
}

void eg_crypto_forget(void)
{
	struct contexts *c = contexts();
	forget(&c->seal);
	forget(&c->open);
}

enum eg_rc eg_gcm_seal(const uint8_t key[EG_KEY_SIZE], const uint8_t nonce[EG_GCM_NONCE], struct eg_bytes aad,
                       struct eg_bytes plain, uint8_t *out, struct eg_err *err)
{
	struct gcm *g = &contexts()->seal;
	EVP_CIPHER_CTX *c = g->cipher;
	int n = 0;
	if (plain.len > 1u << 30 || aad.len > 1u << 30)
		return eg_fail(err, EG_LIMIT, "more than 1 GiB cannot be sealed at once");
	if (!begin(g, true, key, nonce) ||
	    (aad.len && !EVP_EncryptUpdate(c, NULL, &n, aad.p, (int)aad.len)) ||
	    (plain.len && !EVP_EncryptUpdate(c, out, &n, plain.p, (int)plain.len)) ||
	    !EVP_EncryptFinal_ex(c, out + plain.len, &n) ||
	    !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, EG_GCM_TAG, out + plain.len)) {
		g->keyed = false; /* whatever state it is in, it begins anew */
		return fail(err, "AES-256-GCM");
	}
	return EG_OK;
}

enum eg_rc eg_gcm_open(const uint8_t key[EG_KEY_SIZE], const uint8_t nonce[EG_GCM_NONCE], struct eg_bytes aad,
                       struct eg_bytes sealed, uint8_t *out, struct eg_err *err)
{
	struct gcm *g = &contexts()->open;
	EVP_CIPHER_CTX *c = g->cipher;
	uint8_t tag[EG_GCM_TAG];
	int n = 0;
	if (sealed.len < EG_GCM_TAG || sealed.len > 1u << 30)
		return eg_fail(err, EG_CORRUPT, "a sealed body is cut short");
	size_t len = sealed.len - EG_GCM_TAG;
	memcpy(tag, sealed.p + len, sizeof tag);
	if (!begin(g, false, key, nonce) ||
	    (aad.len && !EVP_DecryptUpdate(c, NULL, &n, aad.p, (int)aad.len)) ||
	    (len && !EVP_DecryptUpdate(c, out, &n, sealed.p, (int)len)) ||
	    !EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, EG_GCM_TAG, tag)) {
		g->keyed = false;
		return fail(err, "AES-256-GCM");
	}
	if (EVP_DecryptFinal_ex(c, out + len, &n) <= 0) {
		ERR_clear_error();
		OPENSSL_cleanse(out, len);
		return eg_fail(err, EG_CORRUPT, "a sealed body was altered, or belongs elsewhere");
	}
	return EG_OK;
}

enum eg_rc eg_block(const uint8_t key[EG_KEY_SIZE], bool encrypt, const uint8_t in[16], uint8_t out[16],
                    struct eg_err *err)
{
	EVP_CIPHER_CTX *c = contexts()->block;
	int n = 0;
	if (!EVP_CipherInit_ex2(c, lib.ecb, key, NULL, encrypt, NULL) || !EVP_CIPHER_CTX_set_padding(c, 0) ||
	    !EVP_CipherUpdate(c, out, &n, in, 16) || n != 16)
		return fail(err, "AES-256");
	return EG_OK;
}

/* ---- Ed25519 ---- */

static enum eg_rc public_of(int type, const uint8_t secret[32], uint8_t public_key[32], const char *what,
                            struct eg_err *err)
{
	size_t len = 32;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(type, NULL, secret, 32);
	bool ok = key && EVP_PKEY_get_raw_public_key(key, public_key, &len) && len == 32;
	EVP_PKEY_free(key);
	return ok ? EG_OK : fail(err, what);
}

enum eg_rc eg_ed25519_public(const uint8_t seed[32], uint8_t public_key[32], struct eg_err *err)
{
	return public_of(EVP_PKEY_ED25519, seed, public_key, "Ed25519 key", err);
}

enum eg_rc eg_x25519_public(const uint8_t secret[32], uint8_t public_key[32], struct eg_err *err)
{
	return public_of(EVP_PKEY_X25519, secret, public_key, "X25519 key", err);
}

enum eg_rc eg_ed25519_sign(const uint8_t seed[32], struct eg_bytes message, uint8_t signature[64],
                           struct eg_err *err)
{
	size_t len = 64;
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = key && md && EVP_DigestSignInit(md, NULL, NULL, NULL, key) &&
	          EVP_DigestSign(md, signature, &len, message.p, message.len) && len == 64;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return ok ? EG_OK : fail(err, "Ed25519 signature");
}

bool eg_ed25519_verify(const uint8_t public_key[32], struct eg_bytes message, const uint8_t signature[64])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = key && md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, key) == 1 &&
	          EVP_DigestVerify(md, signature, 64, message.p, message.len) == 1;
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

/* ---- base64 (RFC 4648) ---- */

void eg_base64(const uint8_t *p, size_t len, struct eg_buf *out)
{
	size_t size = (len + 2) / 3 * 4;
	uint8_t *to = eg_buf_grow(out, size + 1); /* EVP adds a NUL */
	if (!to)
		return;
	EVP_EncodeBlock(to, p, (int)len);
	out->len--;
}

static int digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict: no white space, right padding, no stray bits, so that one value has one text. */
static bool unbase64(struct eg_bytes text, struct eg_buf *out)
{
	if (text.len % 4)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		const uint8_t *c = text.p + i;
		bool last = i + 4 == text.len;
		unsigned pad = !last || c[3] != '=' ? 0 : c[2] == '=' ? 2 : 1;
		uint32_t v = 0;
		for (unsigned k = 0; k < 4; k++) {
			int d = k < 4 - pad ? digit(c[k]) : 0;
			if (d < 0)
				return false;
			v = v << 6 | (uint32_t)d;
		}
		if ((pad == 1 && v & 0xff) || (pad == 2 && v & 0xffff))
			return false;
		eg_buf_add_be(out, v >> 8 * pad, 3 - pad);
	}
	return !out->failed;
}

bool eg_unbase64(struct eg_bytes text, struct eg_buf *out)
{
	size_t before = out->len;
	bool ok = unbase64(text, out);
	if (!ok)
		out->len = before;
	return ok;
}
