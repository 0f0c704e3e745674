/* settings: named values from one section of a mapping file, checked against a table before anyone uses them.
 *
 * An error names file, line and column, and what would be right. Read only; they live as long as the mapping.
 * Thread: any. */
#ifndef ELDERGATE_SETTINGS_H
#define ELDERGATE_SETTINGS_H

#include "eldergate/err.h"

#include <stddef.h>
#include <stdint.h>

enum eg_setting_type {
	EG_SET_TEXT,   /* low, high: length in bytes */
	EG_SET_INT,    /* low, high: value */
	EG_SET_SIZE,   /* bytes; KiB, MiB, GiB */
	EG_SET_TIME,   /* microseconds; us, ms, s, m, h, d */
	EG_SET_BOOL,   /* true, false */
	EG_SET_CHOICE, /* one of choices, separated by '|' */
	EG_SET_LIST,   /* of texts; low, high: how many */
	EG_SET_SECRET  /* text, or a mapping {file: PATH} or {env: NAME}; never shown */
};

struct eg_setting_def {
	const char *name; /* NULL ends a table */
	enum eg_setting_type type;
	bool required;
	const char *preset; /* as it would be written (a LIST's items separated by commas); NULL: none (text
	                       is then "", number 0, list empty) */
	int64_t low, high;  /* both 0: no bounds */
	const char *choices;
	const char *doc; /* one sentence, for the reference and for errors */
};

struct eg_settings;

bool eg_settings_has(const struct eg_settings *s, const char *name); /* was it written, not preset? */
/* A name that is not in the table, or of another type, is a fault of the caller: the process ends. */
const char *eg_settings_text(const struct eg_settings *s, const char *name); /* TEXT, CHOICE, SECRET */
int64_t eg_settings_int(const struct eg_settings *s, const char *name);      /* INT, SIZE, TIME, BOOL */
unsigned eg_settings_count(const struct eg_settings *s, const char *name);   /* LIST */
const char *eg_settings_item(const struct eg_settings *s, const char *name, unsigned i);
/* Fails with EG_CONFIG and the place of this setting (of the section when it was not written): for what only
 * its user can judge. */
enum eg_rc eg_settings_fail(const struct eg_settings *s, const char *name, struct eg_err *err,
                            const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
