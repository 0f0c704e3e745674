/* mapping_parts: what a mapping is made of; for the files that make and use one. Read only once it is loaded.
 */
#ifndef EG_ADAPTERS_MAPPING_PARTS_H
#define EG_ADAPTERS_MAPPING_PARTS_H

#include "base/arena.h"
#include "common/mapping.h"
#include "common/pick.h"
#include "model/record.h"

enum { EG_COLUMNS_MAX = 512, EG_KEY_CHARS_MAX = 200 };

/* A column of the source that the mapping names, and where it first does. */
struct eg_used_column {
	const char *name;
	const char *by; /* "registration.name" */
	unsigned line;
	bool optional;
};

/* rows.only: a column must hold one of these texts. */
struct eg_only {
	unsigned column;
	unsigned n;
	const struct eg_bytes *values;
};

/* A column of the agency's target. */
struct eg_out_column {
	enum eg_out_from { EG_OUT_ATTRIBUTE, EG_OUT_FIELD, EG_OUT_CONSTANT } from;
	unsigned attribute;  /* enum eg_attribute */
	const char *field;   /* "registration.name" */
	struct eg_pick pick; /* its steps, codes, stand-ins */
	struct eg_when form; /* of dates and instants */
};

/* What an event says of itself, as outbound columns name it. */
enum eg_attribute {
#define X(name, doc) EG_ATTRIBUTE_##name,
#include "common/attributes.def"
	EG_ATTRIBUTE_END
};

struct eg_mapping {
	struct eg_arena *arena;
	struct eg_mapping_info info;
	struct eg_mapping_outbound out;
	struct eg_settings *source, *target, *agent; /* owned */
	unsigned n_columns;
	struct eg_used_column columns[EG_COLUMNS_MAX];
	struct eg_pick_rules rules;
	struct eg_pick key, version, operation, void_version, event_time, valid_from, valid_to;
	enum eg_field_type version_type, void_version_type, event_time_type; /* INT, DATE or INSTANT */
	unsigned n_required;
	const unsigned *required; /* columns */
	unsigned n_only;
	const struct eg_only *only;
	unsigned n_fields;
	const struct eg_pick *fields; /* in order of the field's number */
	bool has_list, has_as_of;
	struct eg_pick as_of;
	enum eg_field_type as_of_type;
	unsigned n_regions;
	const char *const *regions;
	unsigned n_life;
	const int *life; /* numbers of LifeStatus; none: every event */
	unsigned n_out_columns;
	struct eg_out_column *out_columns;
};

#endif
