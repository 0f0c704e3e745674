/* wire: see wire.h. The fields of the sections come from fields.def; a test holds the numbers of Record
 * against the generated code. */
#include "edge/wire.h"

#include "edge/wire_read.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* SubmitRequest and ResubmitRequest. */
enum {
	BATCH_ID = 1,
	DATASET = 2,
	LANE = 3,
	RECORDS = 4,
	DRY_RUN = 5,
	CORRECTIONS = 3,
	REJECT_SEQ = 1,
	CORRECTED = 2
};
/* Record. */
enum {
	SOURCE_KEY = 1,
	VERSION = 2,
	MAPPING_REVISION = 3,
	OPERATION = 4,
	EVENT_TIME = 5,
	VALID_FROM = 6,
	VALID_TO = 7,
	CLEARED_FIELDS = 8,
	REGISTRATION = 10,
	CARE = 13
};

#define TICKET_BASE ((size_t)64 << 10)
#define SECONDS_MAX                                                                                          \
	((int64_t)1 << 42) /* what microseconds of 64 bits can hold, and more than any calendar              \
	                    */
#define NANOS_MAX      999999999
#define FIELD_NAME_MAX 64

static const struct {
	bool known;
	enum eg_field_type type;
	const char *name;
} fields[EG_SECTION_END][EG_FIELD_NUMBER_MAX + 1] = {
#define X(section, number, name, type, max_chars, flags, doc)                                                \
	[EG_##section][number] = {true, EG_TYPE_##type, #name},
#include "model/fields.def"
#undef X
};

/* A field as it is being put together: a nested message may come in pieces. Its type says which member
 * counts. */
struct slot {
	union {
		struct eg_bytes text;
		struct {
			int64_t a;    /* the number; or the year; or seconds */
			int32_t b, c; /* month and day; or nanos */
		};
	};
};

struct reading {
	struct eg_item *item;
	struct slot event_time, valid_from, valid_to;
	bool has_event_time, has_cleared, told_unknown;
	uint64_t present; /* numbers of the section's fields that are set */
	struct slot slots[EG_FIELD_NUMBER_MAX + 1];
};

static void tell(struct reading *r, enum eg_reason_code code, const char *section, const char *name)
{
	char path[sizeof r->item->reasons.v[0].field];
	snprintf(path, sizeof path, "%s%s%s", section, *section && *name ? "." : "", name);
	eg_reasons_add(&r->item->reasons, code, path);
}

static bool broken(struct reading *r, const char *section, const char *name)
{
	r->item->malformed = true;
	tell(r, EG_REASON_MALFORMED_RECORD, section, name);
	return false;
}

static void unknown(struct reading *r, const char *section, uint32_t number)
{
	char name[16];
	if (r->told_unknown)
		return;
	r->told_unknown = true;
	snprintf(name, sizeof name, "%u", number);
	tell(r, EG_REASON_UNKNOWN_FIELD, section, name);
}

/* CivilDate and Timestamp: up to three numbers. They merge into what the slot holds. */
static bool numbers(struct eg_bytes m, unsigned n, struct slot *s)
{
	struct eg_wire_field w;
	enum eg_rc rc;
	while ((rc = eg_wire_next(&m, &w)) == EG_OK) {
		if (w.number > n)
			continue;
		if (w.type != EG_WIRE_VARINT)
			return false;
		if (w.number == 1)
			s->a = n == 2 ? (int64_t)w.i : (int32_t)w.i; /* seconds have 64 bits */
		else if (w.number == 2)
			s->b = (int32_t)w.i;
		else
			s->c = (int32_t)w.i;
	}
	return rc == EG_EMPTY;
}

static bool section_field(struct reading *r, enum eg_section section, const struct eg_wire_field *w)
{
	if (w->number > EG_FIELD_NUMBER_MAX || !fields[section][w->number].known) {
		unknown(r, eg_section_name(section), w->number);
		return true;
	}
	struct slot *s = &r->slots[w->number];
	uint64_t bit = (uint64_t)1 << w->number;
	enum eg_field_type type = fields[section][w->number].type;
	bool whole = true, set = true;
	if (!(r->present & bit))
		*s = (struct slot){0};
	switch (type) {
	case EG_TYPE_TEXT:
	case EG_TYPE_CODE:
		whole = w->type == EG_WIRE_BYTES;
		s->text = w->bytes;
		set = s->text.len > 0;
		break;
	case EG_TYPE_ENUM:
		whole = w->type == EG_WIRE_VARINT;
		s->a = (int32_t)w->i;
		set = s->a != 0;
		break;
	case EG_TYPE_INT:
		whole = w->type == EG_WIRE_VARINT;
		s->a = (int64_t)w->i;
		break;
	case EG_TYPE_DATE:
		whole = w->type == EG_WIRE_BYTES && numbers(w->bytes, 3, s);
		set = s->a || s->b || s->c;
		break;
	case EG_TYPE_INSTANT:
		whole = w->type == EG_WIRE_BYTES && numbers(w->bytes, 2, s);
		break;
	}
	if (!whole)
		return broken(r, eg_section_name(section), fields[section][w->number].name);
	r->present = set ? r->present | bit : r->present & ~bit;
	return true;
}

static bool section_message(struct reading *r, enum eg_section section, struct eg_bytes m)
{
	struct eg_wire_field w;
	enum eg_rc rc;
	if (r->item->claim.section != section)
		r->present = 0; /* another member of the oneof takes its place */
	r->item->claim.section = section;
	while ((rc = eg_wire_next(&m, &w)) == EG_OK)
		if (!section_field(r, section, &w))
			return false;
	return rc == EG_EMPTY || broken(r, eg_section_name(section), "");
}

static bool record_field(struct reading *r, const struct eg_wire_field *w)
{
	struct eg_claim *c = &r->item->claim;
	bool bytes = w->type == EG_WIRE_BYTES, varint = w->type == EG_WIRE_VARINT;
	switch (w->number) {
	case SOURCE_KEY:
		if (bytes)
			c->source_key = w->bytes;
		return bytes || broken(r, "", "source_key");
	case VERSION:
		c->version = (int64_t)w->i;
		return varint || broken(r, "", "version");
	case MAPPING_REVISION:
		c->mapping_revision = (uint32_t)w->i;
		return varint || broken(r, "", "mapping_revision");
	case OPERATION:
		c->op = (enum eg_op)(int32_t)w->i;
		return varint || broken(r, "", "operation");
	case EVENT_TIME:
		r->has_event_time = true;
		return (bytes && numbers(w->bytes, 2, &r->event_time)) || broken(r, "", "event_time");
	case VALID_FROM:
		return (bytes && numbers(w->bytes, 3, &r->valid_from)) || broken(r, "", "valid_from");
	case VALID_TO:
		return (bytes && numbers(w->bytes, 3, &r->valid_to)) || broken(r, "", "valid_to");
	case CLEARED_FIELDS:
		r->has_cleared = true;
		return bytes || broken(r, "", "cleared_fields");
	}
	if (w->number < REGISTRATION || w->number > CARE) {
		unknown(r, "", w->number);
		return true;
	}
	enum eg_section section = (enum eg_section)(w->number - REGISTRATION + EG_REGISTRATION);
	return bytes ? section_message(r, section, w->bytes) : broken(r, "", eg_section_name(section));
}

/* ---- from slots to values ---- */

static bool date_of(const struct slot *s, struct eg_date *out)
{
	if (s->a < 1 || s->a > 9999 || s->b < 0 || s->b > 12 || s->c < 0 || s->c > 31)
		return false;
	struct eg_date d = {(int16_t)s->a, (uint8_t)s->b, (uint8_t)s->c};
	if (eg_date_valid(d))
		*out = d;
	return eg_date_valid(d);
}

static bool instant_of(const struct slot *s, int64_t *out)
{
	if (s->a < -SECONDS_MAX || s->a > SECONDS_MAX || s->b < 0 || s->b > NANOS_MAX)
		return false;
	*out = s->a * EG_SECOND + s->b / 1000;
	return true;
}

static void frame(struct reading *r)
{
	struct eg_claim *c = &r->item->claim;
	const struct slot *from = &r->valid_from, *to = &r->valid_to;
	if (r->has_event_time && !instant_of(&r->event_time, &c->event_time))
		tell(r, EG_REASON_TIME_RANGE, "", "event_time");
	if ((from->a || from->b || from->c) && !date_of(from, &c->valid_from))
		tell(r, EG_REASON_VALID_RANGE, "", "valid_from");
	if ((to->a || to->b || to->c) && !date_of(to, &c->valid_to))
		tell(r, EG_REASON_VALID_RANGE, "", "valid_to");
}

static bool by_name(enum eg_section section, struct eg_bytes name, unsigned *number)
{
	char text[FIELD_NAME_MAX];
	if (name.len >= sizeof text || memchr(name.p, 0, name.len))
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = 0;
	const struct eg_field_def *def = eg_field_by_name(section, text);
	if (def)
		*number = def->number;
	return def != NULL;
}

/* The names stand before the section that they are names of, so they are read last. */
static uint64_t cleared_of(struct reading *r, struct eg_bytes record)
{
	enum eg_section section = r->item->claim.section;
	struct eg_wire_field w;
	unsigned index = 0, number;
	uint64_t cleared = 0;
	while (eg_wire_next(&record, &w) == EG_OK) {
		if (w.number != CLEARED_FIELDS || w.type != EG_WIRE_BYTES)
			continue;
		if (!by_name(section, w.bytes, &number)) {
			char path[FIELD_NAME_MAX];
			snprintf(path, sizeof path, "cleared_fields[%u]", index);
			tell(r, EG_REASON_CLEARED_UNKNOWN, "", path);
		} else if (r->present & (uint64_t)1 << number) {
			tell(r, EG_REASON_CLEARED_AND_SET, eg_section_name(section),
			     fields[section][number].name);
		} else {
			cleared |= (uint64_t)1 << number;
		}
		index++;
	}
	return cleared;
}

/* False: there is no such value; the reason is told. */
static bool value_of(struct reading *r, enum eg_section section, unsigned number, struct eg_value *v)
{
	const struct slot *s = &r->slots[number];
	struct eg_date date = {0};
	switch (fields[section][number].type) {
	case EG_TYPE_TEXT:
	case EG_TYPE_CODE:
		v->text = s->text;
		return true;
	case EG_TYPE_ENUM:
	case EG_TYPE_INT:
		v->i = s->a;
		return true;
	case EG_TYPE_DATE:
		if (date_of(s, &date)) {
			v->i = eg_date_pack(date);
			return true;
		}
		tell(r, EG_REASON_DATE_INVALID, eg_section_name(section), fields[section][number].name);
		return false;
	case EG_TYPE_INSTANT:
		if (instant_of(s, &v->i))
			return true;
		tell(r, EG_REASON_TIME_RANGE, eg_section_name(section), fields[section][number].name);
		return false;
	}
	return false;
}

static bool values(struct reading *r, uint64_t cleared, struct eg_arena *a)
{
	struct eg_claim *c = &r->item->claim;
	uint64_t all = r->present | cleared;
	if (!all)
		return true;
	c->values = eg_arena_alloc(a, (size_t)__builtin_popcountll(all) * sizeof *c->values);
	if (!c->values)
		return false;
	for (; all; all &= all - 1) {
		unsigned number = (unsigned)__builtin_ctzll(all);
		struct eg_value *v = &c->values[c->n];
		v->number = (uint8_t)number;
		v->cleared = cleared >> number & 1;
		if (v->cleared || value_of(r, c->section, number, v))
			c->n++;
	}
	return true;
}

bool eg_record_read(struct eg_bytes record, struct eg_arena *a, struct eg_item *item)
{
	struct reading r;
	struct eg_bytes rest = record;
	struct eg_wire_field w;
	enum eg_rc rc;
	memset(&r, 0, offsetof(struct reading, slots)); /* a slot is set to zero when its bit comes */
	r.item = item;
	while ((rc = eg_wire_next(&rest, &w)) == EG_OK)
		if (!record_field(&r, &w))
			break;
	if (rc == EG_INVALID)
		broken(&r, "", "");
	frame(&r);
	return values(&r, r.has_cleared ? cleared_of(&r, record) : 0, a);
}

/* ---- batches ---- */

enum eg_rc eg_batch_read(struct eg_bytes message, bool corrections, struct eg_batch *out, struct eg_err *err)
{
	const uint32_t list = corrections ? CORRECTIONS : RECORDS;
	struct eg_bytes rest = message;
	struct eg_wire_field w;
	enum eg_rc rc;
	*out = (struct eg_batch){.message = message};
	while ((rc = eg_wire_next(&rest, &w)) == EG_OK) {
		bool bytes = w.type == EG_WIRE_BYTES;
		if (w.number == BATCH_ID && bytes)
			out->batch_id = w.bytes;
		else if (w.number == DATASET && bytes)
			out->dataset = w.bytes;
		else if (w.number == list && bytes)
			out->n++;
		else if (w.number == LANE && !corrections && w.type == EG_WIRE_VARINT)
			out->lane = (int32_t)w.i;
		else if (w.number == DRY_RUN && !corrections && w.type == EG_WIRE_VARINT)
			out->dry_run = w.i != 0;
		else if (w.number <= (corrections ? CORRECTIONS : DRY_RUN))
			return eg_fail(err, EG_INVALID,
			               "field %u of the message has another type than the protocol says",
			               w.number);
	}
	if (rc != EG_EMPTY)
		return eg_fail(err, EG_INVALID, "the message is cut off, or no message of the protocol");
	if (!eg_utf8_valid(out->batch_id))
		return eg_fail_field(err, EG_INVALID, "batch_id", "batch_id is not UTF-8, or contains NUL");
	if (!eg_utf8_valid(out->dataset))
		return eg_fail_field(err, EG_INVALID, "dataset", "dataset is not UTF-8, or contains NUL");
	return EG_OK;
}

static enum eg_rc spent(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT, "the batch does not fit the memory given to it");
}

enum eg_rc eg_batch_items(const struct eg_batch *b, struct eg_arena *a, struct eg_item *items,
                          struct eg_err *err)
{
	struct eg_bytes rest = b->message;
	struct eg_wire_field w;
	unsigned i = 0;
	while (eg_wire_next(&rest, &w) == EG_OK)
		if (w.number == RECORDS && i < b->n && !eg_record_read(w.bytes, a, &items[i++]))
			return spent(err);
	return EG_OK;
}

static struct eg_bytes correction(struct eg_bytes m, uint64_t *reject_seq, bool *whole)
{
	struct eg_bytes record = {0};
	struct eg_wire_field w;
	enum eg_rc rc;
	*whole = true;
	while ((rc = eg_wire_next(&m, &w)) == EG_OK) {
		if (w.number == REJECT_SEQ && w.type == EG_WIRE_VARINT)
			*reject_seq = w.i;
		else if (w.number == CORRECTED && w.type == EG_WIRE_BYTES &&
		         !record.p) /* two would have to be merged */
			record = w.bytes;
		else if (w.number <= CORRECTED)
			*whole = false;
	}
	*whole &= rc == EG_EMPTY;
	return record;
}

enum eg_rc eg_batch_corrections(const struct eg_batch *b, struct eg_arena *a, struct eg_item *items,
                                uint64_t *reject_seqs, struct eg_err *err)
{
	struct eg_bytes rest = b->message;
	struct eg_wire_field w;
	unsigned i = 0;
	while (eg_wire_next(&rest, &w) == EG_OK) {
		bool whole;
		if (w.number != CORRECTIONS || i == b->n)
			continue;
		struct eg_bytes record = correction(w.bytes, &reject_seqs[i], &whole);
		struct eg_item *item = &items[i++];
		if (!eg_record_read(record, a, item))
			return spent(err);
		if (!whole && !item->malformed) {
			item->malformed = true;
			eg_reasons_add(&item->reasons, EG_REASON_MALFORMED_RECORD, "");
		}
	}
	return EG_OK;
}

size_t eg_batch_budget(const struct eg_batch *b)
{
	/* each value of a claim stands on the wire, so its canonical and sealed forms are bounded by the
	 * message */
	size_t item = sizeof(struct eg_item) + 2 * (EG_FIELD_NUMBER_MAX + 1) * sizeof(struct eg_value) + 2048;
	return TICKET_BASE + b->n * item + 16 * b->message.len;
}
