/* digest: SHA-256 or SM3 of bytes that come piece by piece, such as a file's.
 *
 * Both are 32 bytes. Thread: one at a time per digest. */
#ifndef EG_TRUST_DIGEST_H
#define EG_TRUST_DIGEST_H

#include "eldergate/bytes.h"

enum eg_digest_kind { EG_DIGEST_SHA256 = 1, EG_DIGEST_SM3 = 2 };
#define EG_DIGEST_SIZE 32

struct eg_digest;

struct eg_digest *eg_digest_new(enum eg_digest_kind kind); /* NULL: out of memory, or not offered here */
void eg_digest_add(struct eg_digest *d, const void *p, size_t len);
void eg_digest_end(struct eg_digest *d, uint8_t out[EG_DIGEST_SIZE]); /* then it begins anew */
void eg_digest_free(struct eg_digest *d);                             /* NULL is fine */

#endif
