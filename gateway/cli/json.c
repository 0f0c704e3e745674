/* json: see json.h. The protocol has no recursive messages, so neither has this a bottomless recursion. */
#include "cli/json.h"

#include "base/clock.h"
#include "trust/crypto.h"

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void instant(struct eg_buf *out, const Google__Protobuf__Timestamp *t)
{
	char text[32];
	eg_instant_format(t->seconds * EG_SECOND + t->nanos / 1000, text);
	eg_buf_printf(out, "\"%s\"", text);
}

static void enumeration(struct eg_buf *out, const ProtobufCEnumDescriptor *d, int value)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);
	if (v)
		eg_buf_printf(out, "\"%s\"", v->name);
	else
		eg_buf_printf(out, "%d", value);
}

static void real(struct eg_buf *out, double v)
{
	if (!isfinite(v))
		eg_buf_printf(out, "\"%s\"", isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
	else
		eg_buf_real(out, v);
}

static void value(struct eg_buf *out, const ProtobufCFieldDescriptor *f, const void *p)
{
	struct eg_buf base64 = {0};
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		eg_buf_printf(out, "%" PRId32, *(const int32_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		eg_buf_printf(out, "%" PRIu32, *(const uint32_t *)p);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		eg_buf_printf(out, "\"%" PRId64 "\"", *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		eg_buf_printf(out, "\"%" PRIu64 "\"", *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		real(out, (double)*(const float *)p);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		real(out, *(const double *)p);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		eg_buf_printf(out, "%s", *(const protobuf_c_boolean *)p ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_ENUM:
		enumeration(out, f->descriptor, *(const int *)p);
		break;
	case PROTOBUF_C_TYPE_STRING:
		eg_buf_json(out, eg_bytes_of(*(const char *const *)p));
		break;
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *b = p;
		eg_base64(b->data, b->len, &base64);
		eg_buf_printf(out, "\"%.*s\"", (int)base64.len, base64.p ? (const char *)base64.p : "");
		eg_buf_free(&base64);
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		json_message(out, *(const ProtobufCMessage *const *)p);
	}
}

static size_t size_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	default:
		return 4;
	}
}

/* Does a singular field outside of oneofs differ from its default? */
static bool set(const ProtobufCFieldDescriptor *f, const void *p)
{
	static const uint8_t zeros[16];
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(const char *const *)p;
		return text && *text;
	}
	case PROTOBUF_C_TYPE_MESSAGE:
		return *(const void *const *)p != NULL;
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)p)->len > 0;
	default:
		return memcmp(p, zeros, size_of(f->type)) != 0;
	}
}

static void repeated(struct eg_buf *out, const ProtobufCFieldDescriptor *f, const uint8_t *items, size_t n)
{
	eg_buf_add_u8(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			eg_buf_add_u8(out, ',');
		value(out, f, items + i * size_of(f->type));
	}
	eg_buf_add_u8(out, ']');
}

void json_message(struct eg_buf *out, const ProtobufCMessage *m)
{
	const ProtobufCMessageDescriptor *d = m->descriptor;
	bool first = true;
	if (d == &google__protobuf__timestamp__descriptor) {
		instant(out, (const Google__Protobuf__Timestamp *)m);
		return;
	}
	if (d == &google__protobuf__duration__descriptor) {
		const Google__Protobuf__Duration *t = (const Google__Protobuf__Duration *)m;
		eg_buf_add_u8(out, '"');
		eg_buf_real(out, (double)t->seconds + (double)t->nanos / 1e9);
		eg_buf_printf(out, "s\"");
		return;
	}
	eg_buf_add_u8(out, '{');
	for (unsigned i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &d->fields[i];
		const uint8_t *p = (const uint8_t *)m + f->offset;
		const uint8_t *q = (const uint8_t *)m + f->quantifier_offset;
		size_t n = f->label == PROTOBUF_C_LABEL_REPEATED ? *(const size_t *)(const void *)q : 0;
		bool oneof = f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
		if (f->label == PROTOBUF_C_LABEL_REPEATED ? !n
		    : oneof                               ? *(const uint32_t *)(const void *)q != f->id
		                                          : !set(f, p))
			continue;
		eg_buf_printf(out, "%s\"%s\":", first ? "" : ",", f->name);
		first = false;
		if (f->label == PROTOBUF_C_LABEL_REPEATED)
			repeated(out, f, *(const uint8_t *const *)(const void *)p, n);
		else
			value(out, f, p);
	}
	eg_buf_add_u8(out, '}');
}

/* LIFE_STATUS_ of LifeStatus: the part of the name that the enumeration's own name makes. */
static size_t prefix_len(const char *type, const char *name)
{
	size_t n = 0;
	for (const char *t = type; *t; t++) {
		if (isupper((unsigned char)*t) && t != type && name[n++] != '_')
			return 0;
		if (name[n++] != toupper((unsigned char)*t))
			return 0;
	}
	return name[n] == '_' ? n + 1 : 0;
}

const char *enum_short(const ProtobufCEnumDescriptor *d, int v, char out[64])
{
	const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(d, v);
	if (found)
		snprintf(out, 64, "%s", found->name + prefix_len(d->short_name, found->name));
	else
		snprintf(out, 64, "%d", v);
	return out;
}
