/* wire_read: one field of a protobuf message at a time, as it stands on the wire. Pure; inline, for the hot
 * path. */
#ifndef EG_EDGE_WIRE_READ_H
#define EG_EDGE_WIRE_READ_H

#include "base/buf.h"
#include "eldergate/err.h"

#define EG_FIELD_NUMBER_LIMIT ((1u << 29) - 1)

enum eg_wire { EG_WIRE_VARINT = 0, EG_WIRE_64 = 1, EG_WIRE_BYTES = 2, EG_WIRE_32 = 5 };

struct eg_wire_field {
	uint32_t number;
	enum eg_wire type;
	uint64_t i;            /* VARINT, 64, 32 */
	struct eg_bytes bytes; /* BYTES */
};

static inline bool eg_varint(struct eg_bytes *rest, uint64_t *out)
{
	if (rest->len && !(rest->p[0] & 0x80)) { /* most are short */
		*out = rest->p[0];
		rest->p++;
		rest->len--;
		return true;
	}
	uint64_t v = 0;
	for (unsigned i = 0; i < rest->len && i < 10; i++) {
		uint64_t bits = rest->p[i] & 0x7f;
		if (i == 9 && bits > 1)
			return false; /* more than 64 bits */
		v |= bits << (7 * i);
		if (!(rest->p[i] & 0x80)) {
			rest->p += i + 1;
			rest->len -= i + 1;
			*out = v;
			return true;
		}
	}
	return false;
}

static inline bool eg_wire_fixed(struct eg_bytes *rest, unsigned n, uint64_t *out)
{
	if (rest->len < n)
		return false;
	*out = 0;
	for (unsigned i = 0; i < n; i++)
		*out |= (uint64_t)rest->p[i] << (8 * i);
	rest->p += n;
	rest->len -= n;
	return true;
}

/* Takes the next field off *rest. EG_EMPTY at the end, EG_INVALID if what stands there is no field. */
static inline enum eg_rc eg_wire_next(struct eg_bytes *rest, struct eg_wire_field *out)
{
	uint64_t tag;
	if (!rest->len)
		return EG_EMPTY;
	if (!eg_varint(rest, &tag) || tag >> 3 == 0 || tag >> 3 > EG_FIELD_NUMBER_LIMIT)
		return EG_INVALID;
	out->number = (uint32_t)(tag >> 3);
	out->type = (enum eg_wire)(tag & 7);
	switch (out->type) {
	case EG_WIRE_BYTES:
		if (!eg_varint(rest, &out->i) || out->i > rest->len)
			return EG_INVALID;
		out->bytes = (struct eg_bytes){rest->p, (size_t)out->i};
		rest->p += out->i;
		rest->len -= (size_t)out->i;
		return EG_OK;
	case EG_WIRE_VARINT:
		return eg_varint(rest, &out->i) ? EG_OK : EG_INVALID;
	case EG_WIRE_64:
		return eg_wire_fixed(rest, 8, &out->i) ? EG_OK : EG_INVALID;
	case EG_WIRE_32:
		return eg_wire_fixed(rest, 4, &out->i) ? EG_OK : EG_INVALID;
	}
	return EG_INVALID; /* groups, and types that do not exist */
}

#endif
