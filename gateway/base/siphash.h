/* siphash: SipHash-2-4 (Aumasson, Bernstein 2012), a hash of 64 bits under a key of 128.
 *
 * For what is compared within one run, under a key that was drawn for it: nobody who does not know the key
 * can make two texts that are alike. Where a hash is stored or shown, SHA-256 belongs (trust/crypto.h).
 * Thread: any; pure. */
#ifndef EG_BASE_SIPHASH_H
#define EG_BASE_SIPHASH_H

#include "eldergate/bytes.h"

struct eg_siphash_key {
	uint64_t k0, k1;
};

/* Over n slices laid end to end. */
uint64_t eg_siphash(const struct eg_siphash_key *key, const struct eg_bytes *parts, unsigned n);

#endif
