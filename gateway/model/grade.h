/* grade: what is wrong with a record, by field, with a severity: errors quarantine it, the rest is told.
 *
 * Pure. Works on the raw values; never changes them. */
#ifndef EG_MODEL_GRADE_H
#define EG_MODEL_GRADE_H

#include "base/arena.h"
#include "model/record.h"

enum eg_severity { EG_SEV_WARNING = 1, EG_SEV_CONFLICT = 2, EG_SEV_ERROR = 3 };

/* One row of reasons.def: X(NAME, number, severity, zh-CN text, en text, what the sender should do (en)). */
enum eg_reason_code {
#define X(name, number, severity, zh, en, remedy) EG_REASON_##name = (number),
#include "model/reasons.def"
#undef X
};
const char *eg_reason_name(enum eg_reason_code c);
const char *eg_reason_text(enum eg_reason_code c, bool zh);
const char *eg_reason_remedy(enum eg_reason_code c);
enum eg_severity eg_reason_severity(enum eg_reason_code c);

struct eg_reason {
	enum eg_reason_code code;
	char field[64]; /* path inside the record: "registration.id_number" */
};

#define EG_REASONS_MAX 16
struct eg_reasons {
	unsigned n;
	struct eg_reason v[EG_REASONS_MAX]; /* the first ones found; errors are never crowded out */
};

void eg_reasons_add(struct eg_reasons *r, enum eg_reason_code c, const char *field);
bool eg_reasons_quarantine(const struct eg_reasons *r); /* is there an error among them? */

void eg_grade(const struct eg_claim *c, int64_t now_us, struct eg_reasons *out);

/* What identity a claim offers for joining, from its id number, name and birth date after normalisation. */
struct eg_identity {
	bool has_id18;  /* a full join key: a valid 18-digit number and a name, not broken by another birth
	                   date */
	bool derived;   /* from a 15-digit number: only proposes */
	char id18[24];  /* normalised, NUL-terminated */
	char name[128]; /* normalised UTF-8 */
	bool current;   /* a registration that is neither moved out nor cancelled */
};
void eg_identity_of(const struct eg_claim *c, struct eg_identity *out);

#endif
