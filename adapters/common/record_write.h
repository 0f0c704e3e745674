/* record_write: an eldergate.v1.Record, field by field in the order of their numbers, as protobuf encodes it.
 *
 * By hand, because a record passes here for every row of a full list; a test holds it against the generated
 * code. Thread: one per writer. */
#ifndef EG_ADAPTERS_RECORD_WRITE_H
#define EG_ADAPTERS_RECORD_WRITE_H

#include "model/record.h"

struct eg_record_head {
	struct eg_bytes source_key;
	int64_t version;
	uint32_t mapping_revision;
	enum eg_op op;
	bool has_event_time;
	int64_t event_time; /* µs UTC */
	struct eg_date valid_from, valid_to;
	enum eg_section section;
};

/* Appends to a section's bytes. Text: TEXT and CODE; number: ENUM and INT, microseconds, eg_date_pack. */
void eg_record_field(struct eg_buf *section, const struct eg_field_def *f, struct eg_bytes text,
                     int64_t number);
/* Appends the whole record; cleared: names of fields. */
void eg_record_write(struct eg_buf *out, const struct eg_record_head *h, const char *const *cleared,
                     unsigned n_cleared, struct eg_bytes section);

#endif
