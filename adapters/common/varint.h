/* varint: a number as protobuf writes it, seven bits a byte, the lowest first. */
#ifndef EG_ADAPTERS_VARINT_H
#define EG_ADAPTERS_VARINT_H

#include "base/buf.h"

static inline void eg_add_varint(struct eg_buf *b, uint64_t v)
{
	uint8_t bytes[10];
	size_t n = 0;
	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	eg_buf_add(b, bytes, n);
}

#endif
