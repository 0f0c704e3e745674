/* leaf: see leaf.h. Fixed for ever: a change here would make every stored log unverifiable. */
#include "trust/leaf.h"

void eg_leaf_data(struct eg_bytes header, const uint8_t c_claim[EG_HASH_SIZE],
                  const uint8_t c_effect[EG_HASH_SIZE], uint8_t out[EG_HASH_SIZE])
{
	static const char tag[] = "eldergate/leaf/v1\n";
	const uint8_t frame[4] = {(uint8_t)(header.len >> 24), (uint8_t)(header.len >> 16),
	                          (uint8_t)(header.len >> 8), (uint8_t)header.len};
	const struct eg_bytes parts[] = {{(const uint8_t *)tag, sizeof tag - 1},
	                                 {frame, sizeof frame},
	                                 header,
	                                 {c_claim, EG_HASH_SIZE},
	                                 {c_effect, EG_HASH_SIZE}};
	eg_sha256(parts, sizeof parts / sizeof *parts, out);
}
