/* pb: see pb.h. */
#include "edge/pb.h"

#include "edge/wire_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the check ---- */

static enum eg_wire wire_of(ProtobufCType t)
{
	switch (t) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return EG_WIRE_BYTES;
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return EG_WIRE_64;
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return EG_WIRE_32;
	default:
		return EG_WIRE_VARINT;
	}
}

struct place {
	const struct place *up;
	const ProtobufCFieldDescriptor *field;
	unsigned index;
};

static void path_of(const struct place *p, char *out, size_t cap)
{
	if (!p || !p->field)
		return;
	path_of(p->up, out, cap);
	size_t len = strlen(out);
	const char *dot = len ? "." : "";
	if (p->field->label == PROTOBUF_C_LABEL_REPEATED)
		snprintf(out + len, cap - len, "%s%s[%u]", dot, p->field->name, p->index);
	else
		snprintf(out + len, cap - len, "%s%s", dot, p->field->name);
}

static enum eg_rc fault(const struct place *p, struct eg_err *err, const char *what)
{
	char path[96] = "";
	path_of(p, path, sizeof path);
	return eg_fail_field(err, EG_INVALID, path, "the message could not be decoded: %s", what);
}

static bool packed_ok(const ProtobufCFieldDescriptor *f, struct eg_bytes b)
{
	uint64_t v;
	unsigned size = wire_of(f->type) == EG_WIRE_64 ? 8 : 4;
	if (wire_of(f->type) != EG_WIRE_VARINT)
		return b.len % size == 0;
	while (b.len)
		if (!eg_varint(&b, &v))
			return false;
	return true;
}

static enum eg_rc check(const ProtobufCMessageDescriptor *d, struct eg_bytes in, const struct place *up,
                        unsigned depth, struct eg_err *err)
{
	struct place at = {.up = up};
	struct eg_wire_field w;
	enum eg_rc rc;
	if (depth > EG_PB_DEPTH_MAX)
		return fault(up, err, "it is nested too deep");
	while ((rc = eg_wire_next(&in, &w)) == EG_OK) {
		const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(d, w.number);
		if (!f)
			continue;
		at.index = at.field == f ? at.index + 1 : 0;
		at.field = f;
		if (f->label == PROTOBUF_C_LABEL_REPEATED && wire_of(f->type) != EG_WIRE_BYTES &&
		    w.type == EG_WIRE_BYTES) {
			if (!packed_ok(f, w.bytes))
				return fault(&at, err, "a packed list is broken");
			continue;
		}
		if (w.type != wire_of(f->type))
			return fault(&at, err, "a field has another type than the protocol says");
		if (f->type == PROTOBUF_C_TYPE_STRING && !eg_utf8_valid(w.bytes))
			return fault(&at, err, "a text is not UTF-8, or contains NUL");
		if (f->type == PROTOBUF_C_TYPE_MESSAGE &&
		    (rc = check(f->descriptor, w.bytes, &at, depth + 1, err)))
			return rc;
	}
	return rc == EG_EMPTY ? EG_OK : fault(up, err, "it is cut off, or no message of the protocol");
}

/* ---- unpacking and packing ---- */

struct purse {
	struct eg_arena *arena;
	bool spent;
};

static void *take(void *arg, size_t size)
{
	struct purse *p = arg;
	void *got = eg_arena_alloc(p->arena, size);
	p->spent |= !got;
	return got;
}

static void keep(void *arg, void *p)
{
	(void)arg;
	(void)p; /* the arena frees all at once */
}

enum eg_rc eg_pb_read(const ProtobufCMessageDescriptor *d, struct eg_bytes in, struct eg_arena *a,
                      ProtobufCMessage **out, struct eg_err *err)
{
	struct purse purse = {.arena = a};
	ProtobufCAllocator allocator = {.alloc = take, .free = keep, .allocator_data = &purse};
	enum eg_rc rc = check(d, in, NULL, 1, err);
	if (rc)
		return rc;
	*out = protobuf_c_message_unpack(d, &allocator, in.len, in.p);
	if (!*out && purse.spent)
		return eg_fail(err, EG_LIMIT, "the message is larger than a call may be once it is decoded");
	return *out ? EG_OK : fault(NULL, err, "it is no message of the protocol");
}

struct eg_out *eg_pb_out(const ProtobufCMessage *m)
{
	struct eg_out *o = eg_out_new(protobuf_c_message_get_packed_size(m));
	if (o)
		protobuf_c_message_pack(m, eg_out_bytes(o));
	return o;
}

enum eg_rc eg_pb_write(const ProtobufCMessage *m, struct eg_buf *out, struct eg_err *err)
{
	uint8_t *p = eg_buf_grow(out, protobuf_c_message_get_packed_size(m));
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a message");
	protobuf_c_message_pack(m, p);
	return EG_OK;
}
