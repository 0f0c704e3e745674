/* id_number: the number of an identity document, read by GB 11643-1999 with the forms that stand beside it.
 *
 * The raw number is never changed; what is read out of it is a normalised copy. Numbers are graded, not just
 * refused: each fault is a flag of its own. Pure. */
#ifndef EG_MODEL_ID_NUMBER_H
#define EG_MODEL_ID_NUMBER_H

#include "base/buf.h"
#include "base/clock.h"

enum eg_id_form {
	EG_ID_ABSENT,      /* nothing, or a word that says so */
	EG_ID_UNREADABLE,  /* no form below; a fault says why */
	EG_ID_RESIDENT_18, /* region 6, birth 8, sequence 3, check digit */
	EG_ID_RESIDENT_15, /* the form before 1999: region 6, birth 6, sequence 3; nothing protects it from
	                      slips */
	EG_ID_PERMIT_18,   /* Hong Kong, Macau and Taiwan residents: region 81, 82 or 83 */
	EG_ID_FOREIGN_18,  /* foreign permanent residents since 2023-12-01: begins with 9 */
	EG_ID_FOREIGN_15   /* foreign permanent residents before: 3 letters and 12 digits; not an 18-digit
	                      number */
};

enum {
	EG_ID_BAD_LENGTH = 1,
	EG_ID_BAD_CHARACTERS = 2,
	EG_ID_BAD_CHECK_DIGIT = 4,
	EG_ID_BAD_DATE =
	        8, /* no date, or before EG_ID_YEAR_MIN; that it lies in the future is the caller's to see */
	EG_ID_EXCEL = 16,  /* scientific notation, or three trailing zeros that break the check digit */
	EG_ID_FAULTS = 31, /* all of the above are errors */
	EG_ID_UNKNOWN_REGION = 32, /* a warning: no province begins like this */
	EG_ID_CENTENARIAN_15 =
	        64 /* a warning: sequence 996 to 999 of the old form, so the century is not 19 */
};

/* The earliest year of birth that a number may name; old registers hold some of the 1800s. */
#define EG_ID_YEAR_MIN 1800

struct eg_id {
	enum eg_id_form form;
	unsigned flags;
	bool derived;         /* id18 was computed from 15 digits */
	char id18[19];        /* the 18-digit number, NUL-terminated; "" if it has faults or there is none */
	struct eg_date birth; /* year 0 if the number does not tell */
	uint8_t sex;          /* GB/T 2261.1: 1 male, 2 female; 0 if the number does not tell */
};

void eg_id_parse(struct eg_bytes raw, struct eg_id *out);

/* ISO 7064 MOD 11-2 over 17 digits: the 18th character, '0' to '9' or 'X'. */
char eg_id_check_digit(const char digits[17]);

#endif
