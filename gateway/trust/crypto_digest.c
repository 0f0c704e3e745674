/* crypto_digest: see digest.h. Streaming digests over OpenSSL 3. */
#include "trust/digest.h"

#include "trust/crypto.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

struct eg_digest {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

static void must(bool ok)
{
	if (ok)
		return;
	fprintf(stderr, "crypto: a digest failed\n");
	abort();
}

struct eg_digest *eg_digest_new(enum eg_digest_kind kind)
{
	struct eg_digest *d = eg_crypto_open(NULL) == EG_OK ? calloc(1, sizeof *d) : NULL;
	if (!d)
		return NULL;
	d->md = EVP_MD_fetch(NULL, kind == EG_DIGEST_SM3 ? "SM3" : "SHA2-256", NULL);
	d->context = EVP_MD_CTX_new();
	if (d->md && d->context && EVP_DigestInit_ex2(d->context, d->md, NULL))
		return d;
	eg_digest_free(d);
	return NULL;
}

void eg_digest_add(struct eg_digest *d, const void *p, size_t len)
{
	if (len)
		must(EVP_DigestUpdate(d->context, p, len));
}

void eg_digest_end(struct eg_digest *d, uint8_t out[EG_DIGEST_SIZE])
{
	must(EVP_DigestFinal_ex(d->context, out, NULL) && EVP_DigestInit_ex2(d->context, d->md, NULL));
}

void eg_digest_free(struct eg_digest *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->context);
	EVP_MD_free(d->md);
	free(d);
}
