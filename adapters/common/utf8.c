/* utf8: see utf8.h. */
#include "common/utf8.h"

size_t eg_utf8_put(uint32_t cp, uint8_t out[4])
{
	if (cp < 0x80) {
		out[0] = (uint8_t)cp;
		return 1;
	}
	size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
	for (size_t i = n; i-- > 1; cp >>= 6)
		out[i] = (uint8_t)(0x80 | (cp & 0x3F));
	out[0] = (uint8_t)((0xF00u >> n & 0xF0) | cp);
	return n;
}

void eg_utf8_add(struct eg_buf *b, uint32_t cp)
{
	uint8_t bytes[4];
	eg_buf_add(b, bytes, eg_utf8_put(cp, bytes));
}
