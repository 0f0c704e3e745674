/* pick: how one value comes out of a row: where it is read, what is done to it, which form it must have.
 *
 *   columns, constant or place -> empty? -> apply -> empty? -> codes -> the form
 *
 * A pick is made once, by pick_read.c, and never changed. Thread: any; one work space each. */
#ifndef EG_ADAPTERS_PICK_H
#define EG_ADAPTERS_PICK_H

#include "common/code_list.h"
#include "common/transform.h"
#include "common/when.h"
#include "model/record.h"

enum { EG_VALUE_BYTES_MAX = 16 << 10, EG_PICK_COLUMNS_MAX = 16 };
#define EG_NO_VALUE (~0u)

enum eg_pick_from { EG_FROM_NOTHING, EG_FROM_COLUMNS, EG_FROM_CONSTANT, EG_FROM_PLACE };

/* What stands in for a value that is empty, or fits no code or form. */
struct eg_stand_in {
	enum eg_stand_in_kind {
		EG_IN_STEAD_ERROR,  /* the row is refused */
		EG_IN_STEAD_ABSENT, /* not asserted */
		EG_IN_STEAD_CLEAR,  /* asserted to be empty; of empty values */
		EG_IN_STEAD_KEEP,   /* as it is; of codes */
		EG_IN_STEAD_USE     /* this value */
	} kind;
	struct eg_bytes use; /* of the form that comes behind the codes */
};

/* What the whole file says of every column. */
struct eg_pick_rules {
	unsigned n_steps;
	const struct eg_step *steps; /* rows.apply */
	unsigned n_empty;
	const struct eg_bytes *empty; /* rows.empty_words */
	unsigned n_no_date;
	const struct eg_bytes *no_date; /* rows.no_date */
	int32_t zone_s;
};

struct eg_pick {
	enum eg_pick_from from;
	unsigned n_columns;
	const unsigned *columns; /* numbers of the mapping's own list of columns */
	struct eg_bytes join, constant;
	bool escape; /* join is written as %XX inside a part, so that two keys never join to one text */
	unsigned n_steps;
	const struct eg_step *steps;
	const struct eg_code_list *codes; /* NULL: none */
	const struct eg_code_list *names; /* of an enumeration: every name with its number */
	struct eg_stand_in empty, otherwise;
	unsigned n_forms;
	const struct eg_when *forms; /* of dates and instants: tried in this order */
	bool month;                  /* the day of a date is dropped */
	bool amount;
	unsigned scale;                   /* of amount */
	const struct eg_field_def *field; /* NULL: a frame of the record */
	const char *name;                 /* "registration.name", "version" */
	const char *column;               /* for faults: the first column, or "" */
	unsigned line;                    /* in the mapping file */
};

/* Where a row's values are. */
struct eg_pick_row {
	const struct eg_bytes *values;
	const unsigned *where; /* by number of the mapping's column: which value, or EG_NO_VALUE */
	const char *place;
};

struct eg_picked {
	enum eg_picked_state { EG_PICKED_ABSENT, EG_PICKED_CLEARED, EG_PICKED_VALUE } state;
	struct eg_bytes
	        text; /* lives until the work space is used again, or as long as the row or the mapping */
	int64_t i;    /* an enumeration's number, a number, microseconds, eg_date_pack */
};

/* A column of the row; empty if the source has none. */
struct eg_bytes eg_pick_column(const struct eg_pick_row *row, unsigned column);

/* The spaces that picking needs; thread: one. */
struct eg_pick_space {
	struct eg_work work;
	struct eg_buf joined;
};
void eg_pick_space_free(struct eg_pick_space *s);

/* The text behind the codes, of any pick. */
enum eg_fault eg_pick_text(const struct eg_pick *p, const struct eg_pick_rules *rules,
                           const struct eg_pick_row *row, struct eg_pick_space *space, struct eg_picked *out);
/* The same in the form of a field, or of a frame by its type. */
enum eg_fault eg_pick_value(const struct eg_pick *p, enum eg_field_type type,
                            const struct eg_pick_rules *rules, const struct eg_pick_row *row,
                            struct eg_pick_space *space, struct eg_picked *out);
/* Whether text has the form: for what stands in, when the mapping is read. */
enum eg_fault eg_pick_form(const struct eg_pick *p, enum eg_field_type type,
                           const struct eg_pick_rules *rules, struct eg_bytes text, struct eg_picked *out);

#endif
