/* made: one made-up person, and the rows that each agency has about them; for the population and the demo.
 *
 * Everything follows from the person's own random numbers, drawn in a fixed order. Pure. */
#ifndef EG_CLI_MADE_H
#define EG_CLI_MADE_H

#include "cli/population.h"

/* splitmix64: a small generator with a well mixed output, here for reproducible samples, not for secrets. */
struct draw {
	uint64_t state;
};
static inline uint64_t draw_next(struct draw *d)
{
	uint64_t z = d->state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}
static inline unsigned draw_below(struct draw *d, unsigned n)
{
	return (unsigned)(draw_next(d) % n);
}
static inline double draw_part(struct draw *d) /* 0 to below 1 */
{
	return (double)(draw_next(d) >> 11) / (double)(1ULL << 53);
}
static inline struct draw draw_of(uint64_t seed, uint64_t stream, uint64_t index)
{
	struct draw d = {seed * 0xD1342543DE82EF95u + stream};
	d.state = draw_next(&d) + index * 0xA0761D6478BD642Fu;
	draw_next(&d);
	return d;
}

enum { MADE_NAME = 96, MADE_ROWS = 8 };

/* What became of the person, as far as anybody tells. */
enum fate {
	FATE_ALIVE,
	FATE_MOVED_OUT,      /* of this registry */
	FATE_CANCELLED_ONLY, /* died; only the police know */
	FATE_CANCELLED,      /* certificate, cremation, and the police have cancelled */
	FATE_CERTIFIED,      /* certificate and cremation, the police not yet */
	FATE_CREMATED,       /* cremation alone, the police not yet */
	FATE_RESURRECTED     /* a certificate, voided later; registered all along */
};

struct made {
	uint64_t index;
	char id18[19], name[MADE_NAME];
	char other_name[MADE_NAME]; /* as FAULT_name_form, _name_variant and _mojibake have it */
	unsigned sex;               /* 1, 2 */
	int32_t birth;              /* days since 1970-01-01, as all days here */
	const char *region;         /* of the address; the number has the one of its issue */
	bool in[EG_SECTION_END];    /* which agencies know the person */
	enum fate fate;
	int32_t died; /* day */
	bool unidentified;
	enum population_fault fault;
	enum eg_section fault_in; /* the agency whose data has it */
};

void made_person(const struct population_options *o, uint64_t index, struct made *out);
uint64_t made_total(const struct population_options *o);

/* One row: the values of the section's columns (made_columns), and when it happened (µs UTC). */
enum { MADE_COLUMNS = 32, MADE_VALUE = 320 };
struct made_row {
	int64_t event_time;
	bool quarantined, is_void;
	char values[MADE_COLUMNS][MADE_VALUE];
};
const char *const *made_columns(enum eg_section s, unsigned *n);
/* How many rows the section has of this person; their event times ascend. */
unsigned made_rows(const struct population_options *o, const struct made *m, enum eg_section s,
                   struct made_row rows[MADE_ROWS]);
/* Sets a column of a row; one that the section does not have is a fault of the program. */
void made_set(enum eg_section s, struct made_row *r, const char *column, const char *value);
const char *made_get(enum eg_section s, const struct made_row *r, const char *column);
bool made_quarantined(const struct made *m, enum eg_section s);

/* All rows of a section in order of event time, the repeated ones twice. */
enum eg_rc made_each(const struct population *p, enum eg_section s,
                     enum eg_rc (*row)(void *arg, const struct made_row *r, struct eg_err *err), void *arg,
                     struct eg_err *err);

/* Names: a surname and given name of common characters; now and then rare characters, or a long name with
 * dots. */
void made_name(struct draw *d, char out[MADE_NAME]);
void made_name_form(struct draw *d, const char *name,
                    char out[MADE_NAME]); /* the same name, written otherwise */
void made_name_variant(struct draw *d, const char *name, char out[MADE_NAME]); /* one character is another */
void made_name_mojibake(const char *name, char out[MADE_NAME]);
const char *made_region(struct draw *d, bool of_today); /* 6 digits */
unsigned made_regions(bool of_today);
const char *made_region_at(unsigned i);

#endif
