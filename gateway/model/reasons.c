/* reasons: the table of reason codes as constants, with the short list of them that one record carries; see
 * grade.h.
 *
 * The table is read-only data of the program, the list is the caller's. Thread: any. */
#include "model/grade.h"

#include <stdio.h>
#include <string.h>

struct reason_row {
	enum eg_reason_code code;
	enum eg_severity severity;
	const char *name, *zh, *en, *remedy;
};

static const struct reason_row reason_rows[] = {
#define X(name, number, severity, zh, en, remedy)                                                            \
	{EG_REASON_##name, EG_SEV_##severity, #name, zh, en, remedy},
#include "model/reasons.def"
#undef X
};

static const struct reason_row *reason_row(enum eg_reason_code c)
{
	for (size_t i = 0; i < sizeof reason_rows / sizeof *reason_rows; i++) {
		if (reason_rows[i].code == c)
			return &reason_rows[i];
	}
	return NULL;
}

const char *eg_reason_name(enum eg_reason_code c)
{
	const struct reason_row *r = reason_row(c);

	return r ? r->name : "";
}

const char *eg_reason_text(enum eg_reason_code c, bool zh)
{
	const struct reason_row *r = reason_row(c);

	return !r ? "" : zh ? r->zh : r->en;
}

const char *eg_reason_remedy(enum eg_reason_code c)
{
	const struct reason_row *r = reason_row(c);

	return r ? r->remedy : "";
}

enum eg_severity eg_reason_severity(enum eg_reason_code c)
{
	const struct reason_row *r = reason_row(c);

	/* A code of a newer version that this one does not know is taken for the gravest. */
	return r ? r->severity : EG_SEV_ERROR;
}

void eg_reasons_add(struct eg_reasons *r, enum eg_reason_code c, const char *field)
{
	unsigned at = r->n;

	if (!field)
		field = "";
	for (unsigned i = 0; i < r->n; i++) {
		if (r->v[i].code == c && strncmp(r->v[i].field, field, sizeof r->v[i].field - 1) == 0)
			return;
	}
	if (r->n < EG_REASONS_MAX) {
		r->n++;
	} else {
		/* Full: an error takes the place of the last reason that is none. */
		if (eg_reason_severity(c) != EG_SEV_ERROR)
			return;
		while (at > 0 && eg_reason_severity(r->v[at - 1].code) == EG_SEV_ERROR)
			at--;
		if (at-- == 0)
			return;
	}
	r->v[at] = (struct eg_reason){.code = c};
	snprintf(r->v[at].field, sizeof r->v[at].field, "%s", field);
}

bool eg_reasons_quarantine(const struct eg_reasons *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (eg_reason_severity(r->v[i].code) == EG_SEV_ERROR)
			return true;
	}
	return false;
}
