/* population: elders who do not exist, with the faults that real data has, and the truth about them.
 *
 * Deterministic: options give the same bytes on every machine and at every time; "today" is fixed. Each
 * person follows from (seed, number of the person) alone, so rows are made when they are written and memory
 * holds an index of 16 bytes a row. Nobody in it is real: numbers are valid in form and drawn, names are
 * drawn from lists of characters. Pure. */
#ifndef EG_CLI_POPULATION_H
#define EG_CLI_POPULATION_H

#include "base/buf.h"
#include "eldergate/err.h"
#include "model/life.h"
#include "model/record.h"

#define POPULATION_TODAY "2025-06-30"

/* X(name, rate, doc): a fault that a person's data can have; rates are per person, and at most one strikes
 * each. They are the assumed ones of the domain page where it states one. */
#define POPULATION_FAULTS                                                                                    \
	X(id_15_digits, 0.003, "number in the old form of 15 digits: only proposes a match")                 \
	X(id_x_form, 0.002, "x, full-width X or multiplication sign for the check digit X")                  \
	X(id_check_digit, 0.001, "check digit does not fit: quarantined")                                    \
	X(name_form, 0.003, "blanks or another dot in the name: the same name")                              \
	X(name_variant, 0.002, "another character in the name: another name with the number")                \
	X(birth_date, 0.001, "date of birth is not the number's: joins nobody")                              \
	X(shared_number, 0.0001, "two persons with one number")                                              \
	X(double_registration, 0.0001, "one person with two current registrations")                          \
	X(excel_number, 0.0005, "number in scientific notation: quarantined")                                \
	X(excel_date, 0.0002, "date of birth 1900-01-01")                                                    \
	X(mojibake, 0.0002, "name decoded with the wrong character set")

enum population_fault {
	FAULT_none,
#define X(name, rate, doc) FAULT_##name,
	POPULATION_FAULTS
#undef X
	        FAULTS
};
/* Of deaths: cremated but still registered alive; taken for dead by a certificate that is voided later. */
#define POPULATION_CREMATED_ALIVE 0.125
#define POPULATION_RESURRECTED    0.0002
/* Of funeral records: remains nobody has a name for. */
#define POPULATION_UNIDENTIFIED 0.002
/* Of rows: sent twice. */
#define POPULATION_REPEATED 0.001

enum { POPULATION_MAX = 100000000 };

struct population_options {
	uint64_t persons, seed;
	uint64_t each; /* 0, or: every dataset knows so many persons, in part the same ones; persons is then
	                  ignored */
	double faults; /* factor on the rates of faults; 0 means 1 */
	bool without_care;
};

struct population_dataset {
	uint64_t rows, repeated, source_records;
	uint64_t quarantined, check_digit, excel_number; /* rows, and those for each reason */
	uint64_t voids;
};
struct population_truth {
	uint64_t persons; /* made up */
	uint64_t faults[FAULTS], deaths, cremated_alive, resurrected, unidentified;
	struct population_dataset datasets[EG_SECTION_END]; /* by section */
	/* What a gateway should come to hold: persons (one may be several to it, where data does not join) by
	 * life status. */
	uint64_t views, life[EG_LIFE_UNKNOWN + 1];
};

struct population;
enum eg_rc population_new(struct population **out, const struct population_options *o, struct eg_err *err);
void population_free(struct population *p); /* NULL is fine */
const struct population_truth *population_truth(const struct population *p);
/* The header line of a section's CSV file, then its rows in order of event time, each with its line end. */
void population_header(enum eg_section s, struct eg_buf *out);
enum eg_rc population_rows(const struct population *p, enum eg_section s,
                           enum eg_rc (*row)(void *arg, struct eg_bytes line, struct eg_err *err), void *arg,
                           struct eg_err *err);
void population_json(const struct population *p, struct eg_buf *out); /* ground-truth.json */

#endif
