/* record: one record of an agency as the gateway holds it, driven by the one table of fields.
 *
 * A claim is one version of one source record: (agency, dataset, source key, version, section). It is the
 * whole section: an absent field is not asserted; a cleared one is asserted to be empty. Values keep the raw
 * text that was sent; normalisation happens where a value is judged or shown. Pure. Slices point into memory
 * of the caller (an arena). */
#ifndef EG_MODEL_RECORD_H
#define EG_MODEL_RECORD_H

#include "base/buf.h"
#include "base/clock.h"

enum eg_section { EG_REGISTRATION = 1, EG_ASSISTANCE = 2, EG_FUNERAL = 3, EG_CARE = 4, EG_SECTION_END };

enum eg_field_type { EG_TYPE_TEXT, EG_TYPE_CODE, EG_TYPE_ENUM, EG_TYPE_INT, EG_TYPE_DATE, EG_TYPE_INSTANT };

/* A row of fields.def. `number` is the protobuf field number in the section's message. */
struct eg_field_def {
	enum eg_section section;
	unsigned number;
	const char *name;
	enum eg_field_type type;
	unsigned max_chars; /* of TEXT and CODE */
	unsigned flags;     /* EG_F_* of fields.def */
};

enum { EG_FIELD_NUMBER_MAX = 63 };
/* EG_F_PERSONAL identifies a person; EG_F_PLAIN: life and status codes that a topic's scope may carry. */
enum { EG_F_PERSONAL = 1, EG_F_PLAIN = 2 };

const struct eg_field_def *eg_field_by_number(enum eg_section s, unsigned number); /* NULL: no such field */
const struct eg_field_def *eg_field_by_name(enum eg_section s, const char *name);
const char *eg_section_name(enum eg_section s);       /* "registration" */
enum eg_section eg_section_by_name(const char *name); /* 0: none */
/* Has it a field that says where the person is, so that a list of it can cover some regions alone? */
bool eg_section_has_region(enum eg_section s);

/* A field's value. TEXT and CODE use text; the rest i: ENUM its number, DATE eg_date_pack, INSTANT
 * microseconds. */
struct eg_value {
	uint8_t number;
	bool cleared; /* asserted to be empty */
	struct eg_bytes text;
	int64_t i;
};

/* EG_WITHDRAW is the gateway's own: a full list of the source has the key no more. No sender may say it. */
enum eg_op { EG_ASSERT = 1, EG_VOID = 2, EG_WITHDRAW = 3 };

struct eg_claim {
	struct eg_bytes agency, dataset, source_key;
	enum eg_section section;
	int64_t version;
	uint32_t mapping_revision;
	enum eg_op op;
	int64_t event_time; /* µs UTC; 0: not stated */
	struct eg_date valid_from, valid_to;
	unsigned n;
	struct eg_value *values; /* ascending by number, each number once */
};

const struct eg_value *eg_claim_value(const struct eg_claim *c,
                                      unsigned number);                   /* NULL: not asserted, or cleared */
struct eg_bytes eg_claim_text(const struct eg_claim *c, unsigned number); /* empty if not there */
int64_t eg_claim_int(const struct eg_claim *c, unsigned number);          /* 0 if not there */

/* Field numbers by name: EG_FN_REGISTRATION_name, ... from fields.def. */
enum {
#define X(section, number, name, type, max_chars, flags, doc) EG_FN_##section##_##name = (number),
#include "model/fields.def"
#undef X
};

#endif
