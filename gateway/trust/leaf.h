/* leaf: the 32 bytes that stand for one log entry in the tree (gateway/FORMAT.md, "Commitment and leaf").
 * Pure. */
#ifndef EG_TRUST_LEAF_H
#define EG_TRUST_LEAF_H

#include "trust/crypto.h"

void eg_leaf_data(struct eg_bytes header, const uint8_t c_claim[EG_HASH_SIZE],
                  const uint8_t c_effect[EG_HASH_SIZE], uint8_t out[EG_HASH_SIZE]);

#endif
