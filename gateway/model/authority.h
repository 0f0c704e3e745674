/* authority: which section speaks first for which view field, as data with a version.
 *
 * A voice is a section, or EG_VOICE_CERTIFICATE: a funeral record that names a standing death certificate.
 * Read-only; a table outlives the views built with it. Thread: any. */
#ifndef EG_MODEL_AUTHORITY_H
#define EG_MODEL_AUTHORITY_H

#include "eldergate/err.h"
#include "model/person.h"

#define EG_AUTHORITY_VERSION 1 /* of the built-in table, authority.def */

enum { EG_VOICE_CERTIFICATE = EG_SECTION_END, EG_VOICES };
enum { EG_AUTHORITY_SILENT = 255 }; /* rank of a voice that is not heard for a field */

struct eg_authority_row {
	unsigned field; /* of the view */
	unsigned n;
	uint8_t voices[EG_VOICES]; /* first speaks first; a voice that is not named is not heard */
};

struct eg_authority {
	int64_t version;
	unsigned n;
	const struct eg_authority_row *rows; /* a field without a row is ranked as in the built-in table */
};

const struct eg_authority *eg_authority_builtin(void);
/* Refuses rows of fields that are no fact of several sections, voices that cannot speak for it, or that speak
 * twice. */
enum eg_rc eg_authority_check(const struct eg_authority *t, struct eg_err *err);

/* The view field that a section's field speaks of; 0: no such field. */
unsigned eg_authority_field(enum eg_section s, unsigned number);
unsigned eg_authority_rank(const struct eg_authority *t, unsigned field, unsigned voice); /* 0 is first */

#endif
