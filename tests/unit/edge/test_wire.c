/* test_wire: batches from the wire: equal to what protobuf-c makes of good ones, strict with bad ones, and
 * never beyond the message's end. Random tests print their seed and take it back from EG_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "edge/wire.h"
#include "edge/wire_read.h"
#include "eldergate/v1/exchange.pb-c.h"

typedef Eldergate__V1__Record record;
#define IS(section) ELDERGATE__V1__RECORD__SECTION_##section

/* ---- chance ---- */

static uint64_t state;

static uint32_t chance(uint32_t below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(state >> 33) % below;
}

static void seed(void)
{
	const char *given = getenv("EG_SEED");
	state = given ? strtoull(given, NULL, 0) : (uint64_t)eg_now_us();
	print_message("EG_SEED=%llu\n", (unsigned long long)state);
}

/* ---- generated records, by reflection over protobuf-c's own descriptors ---- */

static const char *const texts[] = {"",       "a",   "安宁",
                                    "110105", "x·y", "0123456789012345678901234567890123456789"};

static void fill(ProtobufCMessage *m, struct eg_arena *a)
{
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		char *at = (char *)m + f->offset;
		if (f->label == PROTOBUF_C_LABEL_REPEATED || chance(3) == 0)
			continue;
		if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
			*(uint32_t *)(void *)((char *)m + f->quantifier_offset) = f->id;
		switch (f->type) {
		case PROTOBUF_C_TYPE_STRING:
			*(const char **)(void *)at = texts[chance(6)];
			break;
		case PROTOBUF_C_TYPE_ENUM:
			*(int32_t *)(void *)at = (int32_t)chance(9) - 1;
			break;
		case PROTOBUF_C_TYPE_INT32:
			*(int32_t *)(void *)at = (int32_t)chance(32);
			break;
		case PROTOBUF_C_TYPE_INT64:
			*(int64_t *)(void *)at = (int64_t)chance(1000000) - 10;
			break;
		case PROTOBUF_C_TYPE_MESSAGE: {
			const ProtobufCMessageDescriptor *d = f->descriptor;
			ProtobufCMessage *inner = eg_arena_alloc(a, d->sizeof_message);
			protobuf_c_message_init(d, inner);
			fill(inner, a);
			*(ProtobufCMessage **)(void *)at = inner;
			break;
		}
		default:
			break;
		}
	}
}

static const ProtobufCMessageDescriptor *section_descriptor(unsigned s)
{
	const ProtobufCMessageDescriptor *all[] = {
	        &eldergate__v1__registration__descriptor, &eldergate__v1__assistance__descriptor,
	        &eldergate__v1__funeral__descriptor, &eldergate__v1__care__descriptor};
	return all[s];
}

static record *generate(struct eg_arena *a)
{
	record *r = eg_arena_alloc(a, sizeof *r);
	unsigned s = chance(4);
	eldergate__v1__record__init(r);
	r->source_key = (char *)(uintptr_t)texts[chance(6)];
	r->version = (int64_t)chance(1000) - 100;
	r->mapping_revision = chance(5);
	r->operation = (Eldergate__V1__Operation)chance(4);
	if (chance(2)) {
		r->event_time = eg_arena_alloc(a, sizeof *r->event_time);
		google__protobuf__timestamp__init(r->event_time);
		r->event_time->seconds = (int64_t)chance(2000000000);
		r->event_time->nanos = (int32_t)chance(1000000000);
	}
	if (chance(2)) {
		r->valid_from = eg_arena_alloc(a, sizeof *r->valid_from);
		eldergate__v1__civil_date__init(r->valid_from);
		fill(&r->valid_from->base, a);
	}
	ProtobufCMessage *section = eg_arena_alloc(a, section_descriptor(s)->sizeof_message);
	protobuf_c_message_init(section_descriptor(s), section);
	fill(section, a);
	r->section_case = (Eldergate__V1__Record__SectionCase)(IS(REGISTRATION) + s);
	r->registration = (Eldergate__V1__Registration *)(void *)section;
	return r;
}

/* ---- what a claim should be, from protobuf-c's structs ---- */

static bool real_date(const Eldergate__V1__CivilDate *d, struct eg_date *out)
{
	if (d->year < 1 || d->year > 9999 || d->month < 0 || d->month > 12 || d->day < 0 || d->day > 31)
		return false;
	*out = (struct eg_date){(int16_t)d->year, (uint8_t)d->month, (uint8_t)d->day};
	return eg_date_valid(*out);
}

/* Compares one field; returns whether a value stands in the claim for it. */
static bool same_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const struct eg_value *v)
{
	const char *at = (const char *)m + f->offset;
	struct eg_date date;
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(const char *const *)(const void *)at;
		if (!*text)
			return false;
		assert_non_null(v);
		assert_true(eg_bytes_equal(v->text, eg_bytes_of(text)));
		return true;
	}
	case PROTOBUF_C_TYPE_ENUM: {
		int32_t i = *(const int32_t *)(const void *)at;
		if (!i)
			return false;
		assert_non_null(v);
		assert_int_equal(v->i, i);
		return true;
	}
	case PROTOBUF_C_TYPE_INT64:
		if (*(const uint32_t *)(const void *)((const char *)m + f->quantifier_offset) != f->id)
			return false;
		assert_non_null(v);
		assert_int_equal(v->i, *(const int64_t *)(const void *)at);
		return true;
	default: {
		const ProtobufCMessage *inner = *(ProtobufCMessage *const *)(const void *)at;
		if (!inner)
			return false;
		if (inner->descriptor == &google__protobuf__timestamp__descriptor) {
			const Google__Protobuf__Timestamp *t = (const void *)inner;
			if (t->nanos < 0 || t->nanos > 999999999)
				return false;
			assert_non_null(v);
			assert_int_equal(v->i, t->seconds * EG_SECOND + t->nanos / 1000);
			return true;
		}
		if (!real_date((const void *)inner, &date))
			return false;
		assert_non_null(v);
		assert_int_equal(v->i, eg_date_pack(date));
		return true;
	}
	}
}

static void same(const record *r, const struct eg_item *item)
{
	const struct eg_claim *c = &item->claim;
	assert_false(item->malformed);
	assert_true(eg_bytes_equal(c->source_key, eg_bytes_of(r->source_key)));
	assert_int_equal(c->version, r->version);
	assert_int_equal(c->mapping_revision, r->mapping_revision);
	assert_int_equal((int)c->op, (int)r->operation);
	if (r->event_time)
		assert_int_equal(c->event_time,
		                 r->event_time->seconds * EG_SECOND + r->event_time->nanos / 1000);
	else
		assert_int_equal(c->event_time, 0);
	struct eg_date date;
	if (r->valid_from && real_date(r->valid_from, &date))
		assert_int_equal(eg_date_pack(c->valid_from), eg_date_pack(date));
	else
		assert_int_equal(c->valid_from.year, 0);
	if (r->section_case == ELDERGATE__V1__RECORD__SECTION__NOT_SET) {
		assert_int_equal(c->section, 0);
		return;
	}
	assert_int_equal((int)c->section, (int)(r->section_case - IS(REGISTRATION)) + EG_REGISTRATION);
	const ProtobufCMessage *section = &r->registration->base;
	unsigned expected = 0, last = 0;
	for (unsigned i = 0; i < section->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &section->descriptor->fields[i];
		const struct eg_value *v = NULL;
		for (unsigned k = 0; k < c->n; k++)
			if (c->values[k].number == f->id)
				v = &c->values[k];
		expected += same_field(section, f, v);
	}
	assert_int_equal(c->n, expected);
	for (unsigned k = 0; k < c->n; last = c->values[k++].number)
		assert_true(c->values[k].number > last);
}

static struct eg_bytes packed(const ProtobufCMessage *m, struct eg_arena *a)
{
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *p = eg_arena_alloc(a, size);
	assert_non_null(p);
	return (struct eg_bytes){p, protobuf_c_message_pack(m, p)};
}

static void test_equal_to_protobuf_c(void **s)
{
	(void)s;
	seed();
	struct eg_arena *a = eg_arena_new((size_t)4 << 20);
	for (int round = 0; round < 20000; round++) {
		eg_arena_reset(a);
		struct eg_item item = {0};
		record *r = generate(a);
		struct eg_bytes wire = packed(&r->base, a);
		record *again = eldergate__v1__record__unpack(NULL, wire.len, wire.p);
		assert_true(eg_record_read(wire, a, &item));
		same(again, &item);
		eldergate__v1__record__free_unpacked(again, NULL);
	}
	eg_arena_free(a);
}

/* Two messages end to end are one, merged: so a parser must also read this decoder's input in pieces. */
static void test_pieces_merge_as_protobuf_says(void **s)
{
	(void)s;
	seed();
	struct eg_arena *a = eg_arena_new((size_t)4 << 20);
	for (int round = 0; round < 20000; round++) {
		eg_arena_reset(a);
		struct eg_item item = {0};
		record *first = generate(a), *second = generate(a);
		if (first->section_case == second->section_case)
			continue; /* the standard merges messages, protobuf-c does not: test_last_one_wins */
		if (first->event_time)
			second->event_time = NULL;
		if (first->valid_from)
			second->valid_from = NULL;
		struct eg_bytes one = packed(&first->base, a), two = packed(&second->base, a);
		uint8_t *both = eg_arena_alloc(a, one.len + two.len + 1);
		memcpy(both, one.p, one.len);
		memcpy(both + one.len, two.p, two.len);
		record *r = eldergate__v1__record__unpack(NULL, one.len + two.len, both);
		assert_true(eg_record_read((struct eg_bytes){both, one.len + two.len}, a, &item));
		assert_non_null(r);
		same(r, &item);
		eldergate__v1__record__free_unpacked(r, NULL);
	}
	eg_arena_free(a);
}

/* Flipped, cut and lengthened messages: never read past the end (the sanitizer looks), never more than the
 * arena; and whatever protobuf-c takes without complaint is taken alike. */
static void test_mutations(void **s)
{
	(void)s;
	seed();
	struct eg_arena *a = eg_arena_new((size_t)4 << 20);
	unsigned malformed = 0;
	for (int round = 0; round < 60000; round++) {
		eg_arena_reset(a);
		struct eg_item item = {0};
		struct eg_bytes good = packed(&generate(a)->base, a);
		size_t len = chance(4) ? good.len : chance((uint32_t)good.len + 1);
		uint8_t *bad = malloc(len + 1); /* its own block, so that reading past it shows */
		memcpy(bad, good.p, len);
		bad = realloc(bad, len ? len : 1);
		for (unsigned n = chance(4); n && len; n--)
			bad[chance((uint32_t)len)] = (uint8_t)chance(256);
		assert_true(eg_record_read((struct eg_bytes){bad, len}, a, &item));
		malformed += item.malformed;
		if (item.malformed)
			assert_true(eg_reasons_quarantine(&item.reasons));
		for (unsigned i = 0; i < item.claim.n; i++)
			assert_non_null(eg_field_by_number(item.claim.section, item.claim.values[i].number));
		free(bad);
	}
	assert_true(malformed > 1000);
	eg_arena_free(a);
}

/* ---- one fault at a time ---- */

static struct eg_item item_of(struct eg_arena *a, const void *wire, size_t len)
{
	struct eg_item item = {0};
	eg_arena_reset(a);
	assert_true(eg_record_read((struct eg_bytes){wire, len}, a, &item));
	return item;
}
#define ITEM(wire) item_of(a, (wire), sizeof(wire) - 1)

static void told(const struct eg_item *i, enum eg_reason_code code, const char *field)
{
	for (unsigned n = 0; n < i->reasons.n; n++)
		if (i->reasons.v[n].code == code) {
			assert_string_equal(i->reasons.v[n].field, field);
			return;
		}
	fail_msg("%s was not told", eg_reason_name(code));
}

static void test_faults(void **s)
{
	(void)s;
	static const struct {
		const char *wire;
		size_t len;
		enum eg_reason_code code;
		const char *field;
		bool malformed;
	} cases[] = {
#define CASE(wire, code, field, malformed) {wire, sizeof(wire) - 1, EG_REASON_##code, field, malformed}
	        CASE("\x0a\x05"
	             "ab",
	             MALFORMED_RECORD, "", true),                       /* cut off in a text */
	        CASE("\x08\x01", MALFORMED_RECORD, "source_key", true), /* a number where a text is due */
	        CASE("\x12\x01x", MALFORMED_RECORD, "version", true),
	        CASE("\x1a\x00", MALFORMED_RECORD, "mapping_revision", true),
	        CASE("\x25\x01\x00\x00\x00", MALFORMED_RECORD, "operation", true),
	        CASE("\x28\x01", MALFORMED_RECORD, "event_time", true),
	        CASE("\x2a\x02\x0a\x00", MALFORMED_RECORD, "event_time", true),
	        CASE("\x32\x02\x0a\x00", MALFORMED_RECORD, "valid_from", true),
	        CASE("\x38\x00", MALFORMED_RECORD, "valid_to", true),
	        CASE("\x40\x01", MALFORMED_RECORD, "cleared_fields", true),
	        CASE("\x50\x01", MALFORMED_RECORD, "registration", true),
	        CASE("\x52\x02\x08\x01", MALFORMED_RECORD, "registration.id_number", true),
	        CASE("\x52\x02\x12\x00", MALFORMED_RECORD, "registration.id_type", true),
	        CASE("\x52\x02\x28\x01", MALFORMED_RECORD, "registration.birth_date", true),
	        CASE("\x52\x04\x2a\x02\x08\x80", MALFORMED_RECORD, "registration.birth_date", true),
	        CASE("\x52\x01\x1a", MALFORMED_RECORD, "registration", true),
	        CASE("\x0b\x0c", MALFORMED_RECORD, "", true), /* groups */
	        CASE("\x00\x00", MALFORMED_RECORD, "", true), /* field 0 */
	        CASE("\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", MALFORMED_RECORD, "",
	             true), /* 70 bits */
	        CASE("\x78\x01", UNKNOWN_FIELD, "15", false),
	        CASE("\x52\x03\xa8\x06\x01", UNKNOWN_FIELD, "registration.101", false),
	        CASE("\x2a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f\x10", MALFORMED_RECORD, "event_time",
	             true),
	        CASE("\x2a\x0a\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f", TIME_RANGE, "event_time", false),
	        CASE("\x2a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", TIME_RANGE, "event_time", false),
	        CASE("\x32\x06\x08\x9c\x0f\x10\x02\x18", MALFORMED_RECORD, "valid_from", true),
	        CASE("\x32\x07\x08\x9c\x0f\x10\x02\x18\x1f", VALID_RANGE, "valid_from",
	             false),                                              /* 31 February */
	        CASE("\x3a\x02\x10\x05", VALID_RANGE, "valid_to", false), /* a month of no year */
	        CASE("\x52\x09\x2a\x07\x08\x9c\x0f\x10\x0d\x18\x01", DATE_INVALID, "registration.birth_date",
	             false),
	        CASE("\x42\x05wrong\x52\x00", CLEARED_UNKNOWN, "cleared_fields[0]", false),
	        CASE("\x42\x04name\x42\x00\x52\x00", CLEARED_UNKNOWN, "cleared_fields[1]", false),
	        CASE("\x42\x05n\0ame\x52\x00", CLEARED_UNKNOWN, "cleared_fields[0]", false),
	        CASE("\x42\x04name\x52\x03\x1a\x01x", CLEARED_AND_SET, "registration.name", false),
#undef CASE
	};
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_item item = item_of(a, cases[i].wire, cases[i].len);
		if (item.malformed != cases[i].malformed)
			fail_msg("case %zu: malformed is %d", i, item.malformed);
		told(&item, cases[i].code, cases[i].field);
	}
	eg_arena_free(a);
}

/* What was read before a fault is kept: the sender finds its record again by its key. */
static void test_a_malformed_record_keeps_its_key(void **s)
{
	(void)s;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_item item = ITEM("\x0a\x03key\x10\x07\x20\x01\x52\x05\x1a\x01x\x28\x01");
	assert_true(item.malformed);
	assert_true(eg_bytes_equal(item.claim.source_key, eg_bytes_of("key")));
	assert_int_equal(item.claim.version, 7);
	assert_int_equal(item.claim.n, 1);
	told(&item, EG_REASON_MALFORMED_RECORD, "registration.birth_date");
	eg_arena_free(a);
}

/* Texts are views: grading judges them, so bad UTF-8 and NUL reach it as they are. */
static void test_texts_are_not_touched(void **s)
{
	(void)s;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_item item = ITEM("\x52\x09\x1a\x02\xff\xfe\x32\x03"
	                           "a\0b");
	assert_false(item.malformed);
	assert_int_equal(item.claim.n, 2);
	assert_int_equal(item.claim.values[0].text.len, 2);
	assert_int_equal(item.claim.values[1].text.len, 3);
	eg_arena_free(a);
}

static void test_last_one_wins(void **s)
{
	(void)s;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_item item = ITEM("\x52\x06\x1a\x01"
	                           "a\x1a\x01"
	                           "b");
	assert_int_equal(item.claim.n, 1);
	assert_memory_equal(item.claim.values[0].text.p, "b", 1);
	item = ITEM("\x52\x05\x1a\x01"
	            "a\x1a\x00"); /* set to empty: not asserted */
	assert_int_equal(item.claim.n, 0);
	item = ITEM("\x52\x03\x1a\x01"
	            "a\x62\x03\x1a\x01"
	            "c"); /* another member of the oneof takes its place */
	assert_int_equal(item.claim.section, EG_FUNERAL);
	assert_int_equal(item.claim.n, 1);
	item = ITEM("\x52\x03\x1a\x01"
	            "a\x52\x03\x32\x01"
	            "b"); /* the same member in two pieces */
	assert_int_equal(item.claim.n, 2);
	item = ITEM("\x52\x05\x2a\x03\x08\x9c\x0f\x52\x04\x2a\x02\x10\x05"); /* a date in two pieces */
	assert_int_equal(item.claim.n, 1);
	assert_int_equal(item.claim.values[0].i, eg_date_pack((struct eg_date){1948, 5, 0}));
	eg_arena_free(a);
}

static void test_cleared(void **s)
{
	(void)s;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_item item = ITEM("\x42\x0b"
	                           "former_name\x52\x03\x1a\x01x");
	assert_int_equal(item.claim.n, 2);
	assert_false(item.claim.values[0].cleared);
	assert_int_equal(item.claim.values[1].number, EG_FN_REGISTRATION_former_name);
	assert_true(item.claim.values[1].cleared);
	assert_int_equal(item.reasons.n, 0);
	eg_arena_free(a);
}

/* A thousand empty records: what they take is bounded before anything is allocated, and by the arena whatever
 * comes. */
static void test_budget(void **s)
{
	(void)s;
	uint8_t wire[4000];
	struct eg_batch b;
	struct eg_err err;
	for (size_t i = 0; i < sizeof wire; i += 4)
		memcpy(wire + i, "\x22\x02\x52\x00", 4);
	assert_int_equal(eg_batch_read((struct eg_bytes){wire, sizeof wire}, false, &b, &err), EG_OK);
	assert_int_equal(b.n, 1000);
	struct eg_arena *a = eg_arena_new(eg_batch_budget(&b));
	struct eg_item *items = eg_arena_alloc(a, b.n * sizeof *items);
	assert_non_null(items);
	assert_int_equal(eg_batch_items(&b, a, items, &err), EG_OK);
	assert_int_equal(items[999].claim.section, EG_REGISTRATION);
	eg_arena_free(a);
	a = eg_arena_new(32); /* too little: told, not aborted */
	struct eg_item one = {0};
	assert_false(eg_record_read((struct eg_bytes){(const uint8_t *)"\x52\x06\x1a\x01"
	                                                               "a\x32\x01"
	                                                               "b",
	                                              8},
	                            a, &one));
	eg_arena_free(a);
}

/* ---- the outer message ---- */

static enum eg_rc outer(const char *wire, size_t len, bool corrections, struct eg_batch *b,
                        struct eg_err *err)
{
	return eg_batch_read((struct eg_bytes){(const uint8_t *)wire, len}, corrections, b, err);
}
#define OUTER(wire, corrections) outer((wire), sizeof(wire) - 1, (corrections), &b, &err)

static void test_outer(void **s)
{
	(void)s;
	struct eg_batch b;
	struct eg_err err;
	assert_int_equal(OUTER("\x0a\x02id\x12\x01"
	                       "d\x18\x03\x22\x00\x22\x00\x7a\x01x",
	                       false),
	                 EG_OK);
	assert_int_equal(b.n, 2);
	assert_int_equal(b.lane, 3);
	assert_true(eg_bytes_equal(b.batch_id, eg_bytes_of("id")));
	assert_true(eg_bytes_equal(b.dataset, eg_bytes_of("d")));
	assert_int_equal(OUTER("\x1a\x00\x1a\x00", true), EG_OK);
	assert_int_equal(b.n, 2);
	assert_int_equal(OUTER("", false), EG_OK);
	assert_int_equal(OUTER("\x22\x05x", false), EG_INVALID);
	assert_int_equal(OUTER("\x20\x05", false), EG_INVALID);
	assert_int_equal(OUTER("\x1a\x00", false), EG_INVALID);
	assert_int_equal(OUTER("\x18\x00", true), EG_INVALID);
	assert_int_equal(OUTER("\x08\x05", false), EG_INVALID);
	assert_int_equal(OUTER("\x0b", false), EG_INVALID);
	assert_int_equal(OUTER("\x0a\x02\xff\xfe", false), EG_INVALID);
	assert_string_equal(err.field, "batch_id");
	assert_int_equal(OUTER("\x12\x03"
	                       "a\0b",
	                       false),
	                 EG_INVALID);
	assert_string_equal(err.field, "dataset");
}

static void test_corrections(void **s)
{
	(void)s;
	struct eg_arena *a = eg_arena_new((size_t)1 << 20);
	struct eg_item items[3] = {0};
	uint64_t seqs[3] = {0};
	struct eg_batch b;
	struct eg_err err;
	assert_int_equal(OUTER("\x1a\x07\x08\x2a\x12\x03\x0a\x01k\x1a\x02\x08\x07\x1a\x03\x0a\x01x", true),
	                 EG_OK);
	assert_int_equal(b.n, 3);
	assert_int_equal(eg_batch_corrections(&b, a, items, seqs, &err), EG_OK);
	assert_int_equal(seqs[0], 42);
	assert_true(eg_bytes_equal(items[0].claim.source_key, eg_bytes_of("k")));
	assert_false(items[0].malformed);
	assert_int_equal(seqs[1], 7);
	assert_int_equal(items[1].claim.section, 0);
	assert_true(items[2].malformed);
	eg_arena_free(a);
}

/* The decoder's own numbers of Record against the generated code. */
static void test_numbers(void **s)
{
	(void)s;
	static const struct {
		const char *name;
		unsigned number;
	} fields[] = {{"source_key", 1},  {"version", 2},        {"mapping_revision", 3},
	              {"operation", 4},   {"event_time", 5},     {"valid_from", 6},
	              {"valid_to", 7},    {"cleared_fields", 8}, {"registration", 10},
	              {"assistance", 11}, {"funeral", 12},       {"care", 13}};
	const ProtobufCMessageDescriptor *d = &eldergate__v1__record__descriptor;
	assert_int_equal(d->n_fields, sizeof fields / sizeof *fields);
	for (size_t i = 0; i < d->n_fields; i++) {
		const ProtobufCFieldDescriptor *f =
		        protobuf_c_message_descriptor_get_field_by_name(d, fields[i].name);
		assert_non_null(f);
		assert_int_equal(f->id, fields[i].number);
	}
	d = &eldergate__v1__submit_request__descriptor;
	assert_int_equal(protobuf_c_message_descriptor_get_field_by_name(d, "records")->id, 4);
	assert_int_equal(protobuf_c_message_descriptor_get_field_by_name(d, "lane")->id, 3);
	d = &eldergate__v1__resubmit_request__descriptor;
	assert_int_equal(protobuf_c_message_descriptor_get_field_by_name(d, "corrections")->id, 3);
	for (unsigned n = 0; n < 4; n++) {
		const ProtobufCMessageDescriptor *section = section_descriptor(n);
		for (unsigned i = 0; i < section->n_fields; i++) {
			const struct eg_field_def *def = eg_field_by_number(
			        (enum eg_section)(n + EG_REGISTRATION), section->fields[i].id);
			assert_non_null(def);
			assert_string_equal(def->name, section->fields[i].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_equal_to_protobuf_c),
	        cmocka_unit_test(test_pieces_merge_as_protobuf_says),
	        cmocka_unit_test(test_mutations),
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_a_malformed_record_keeps_its_key),
	        cmocka_unit_test(test_texts_are_not_touched),
	        cmocka_unit_test(test_last_one_wins),
	        cmocka_unit_test(test_cleared),
	        cmocka_unit_test(test_budget),
	        cmocka_unit_test(test_outer),
	        cmocka_unit_test(test_corrections),
	        cmocka_unit_test(test_numbers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
