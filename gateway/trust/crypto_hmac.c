/* crypto_hmac: see crypto.h. HMAC over a chosen digest, for peers whose scheme names it. */
#include "trust/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static const char *const digest_names[] = {[EG_HASH_SHA256] = "SHA2-256", [EG_HASH_SM3] = "SM3"};

enum eg_rc eg_hmac(enum eg_hash_kind kind, struct eg_bytes key, const struct eg_bytes *parts, unsigned n,
                   uint8_t out[EG_HASH_SIZE], struct eg_err *err)
{
	const char *name = digest_names[kind];
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *c = mac ? EVP_MAC_CTX_new(mac) : NULL;
	/* OpenSSL only reads the name; its parameters are not const. */
	OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)name, 0),
	                       OSSL_PARAM_construct_end()};
	size_t len = 0;
	bool ok = c && EVP_MAC_init(c, key.len ? key.p : (const uint8_t *)"", key.len, params);
	for (unsigned i = 0; ok && i < n; i++)
		ok = !parts[i].len || EVP_MAC_update(c, parts[i].p, parts[i].len);
	ok = ok && EVP_MAC_final(c, out, &len, EG_HASH_SIZE) && len == EG_HASH_SIZE;
	EVP_MAC_CTX_free(c);
	EVP_MAC_free(mac);
	if (ok)
		return EG_OK;
	ERR_clear_error();
	return eg_fail(err, EG_CRYPTO, "the cryptographic library made no HMAC with %s", name);
}
