/* record_write: see record_write.h. */
#include "common/record_write.h"

#include "common/varint.h"

#include <string.h>

/* Of Record. The oneof of the sections begins at REGISTRATION, in the order of enum eg_section. */
enum {
	SOURCE_KEY = 1,
	VERSION = 2,
	MAPPING_REVISION = 3,
	OPERATION = 4,
	EVENT_TIME = 5,
	VALID_FROM = 6,
	VALID_TO = 7,
	CLEARED_FIELDS = 8,
	REGISTRATION = 10
};
enum { VARINT = 0, BYTES = 2, MESSAGE_MAX = 40 };

static void number(struct eg_buf *b, unsigned tag, int64_t v)
{
	eg_add_varint(b, tag << 3 | VARINT);
	eg_add_varint(b, (uint64_t)v);
}

static void bytes(struct eg_buf *b, unsigned tag, struct eg_bytes v)
{
	eg_add_varint(b, tag << 3 | BYTES);
	eg_add_varint(b, v.len);
	eg_buf_add(b, v.p, v.len);
}

/* A short varint into a message that is built on the stack. */
static size_t small(uint8_t *to, unsigned tag, uint64_t v)
{
	size_t n = 0;
	if (!v)
		return 0;
	to[n++] = (uint8_t)(tag << 3 | VARINT);
	for (; v >= 0x80; v >>= 7)
		to[n++] = (uint8_t)(v | 0x80);
	to[n++] = (uint8_t)v;
	return n;
}

static void date(struct eg_buf *b, unsigned tag, struct eg_date d)
{
	uint8_t m[MESSAGE_MAX];
	size_t n = small(m, 1, (uint64_t)d.year);
	n += small(m + n, 2, d.month);
	n += small(m + n, 3, d.day);
	bytes(b, tag, (struct eg_bytes){m, n});
}

static void instant(struct eg_buf *b, unsigned tag, int64_t us)
{
	uint8_t m[MESSAGE_MAX];
	int64_t seconds = us / EG_SECOND, rest = us % EG_SECOND;
	if (rest < 0) {
		seconds--;
		rest += EG_SECOND;
	}
	size_t n = small(m, 1, (uint64_t)seconds);
	n += small(m + n, 2, (uint64_t)rest * 1000);
	bytes(b, tag, (struct eg_bytes){m, n});
}

void eg_record_field(struct eg_buf *section, const struct eg_field_def *f, struct eg_bytes text, int64_t v)
{
	switch (f->type) {
	case EG_TYPE_TEXT:
	case EG_TYPE_CODE:
		bytes(section, f->number, text);
		break;
	case EG_TYPE_ENUM:
	case EG_TYPE_INT: /* zero too: it is a member of a oneof */
		number(section, f->number, v);
		break;
	case EG_TYPE_DATE:
		date(section, f->number, eg_date_unpack((int32_t)v));
		break;
	case EG_TYPE_INSTANT:
		instant(section, f->number, v);
	}
}

void eg_record_write(struct eg_buf *out, const struct eg_record_head *h, const char *const *cleared,
                     unsigned n_cleared, struct eg_bytes section)
{
	bytes(out, SOURCE_KEY, h->source_key);
	if (h->version)
		number(out, VERSION, h->version);
	if (h->mapping_revision)
		number(out, MAPPING_REVISION, h->mapping_revision);
	number(out, OPERATION, h->op);
	if (h->has_event_time)
		instant(out, EVENT_TIME, h->event_time);
	if (h->valid_from.year)
		date(out, VALID_FROM, h->valid_from);
	if (h->valid_to.year)
		date(out, VALID_TO, h->valid_to);
	for (unsigned i = 0; i < n_cleared; i++)
		bytes(out, CLEARED_FIELDS, eg_bytes_of(cleared[i]));
	bytes(out, REGISTRATION + (unsigned)h->section - EG_REGISTRATION, section);
}
