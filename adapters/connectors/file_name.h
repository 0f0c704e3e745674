/* file_name: the pattern of an agency's file names, with its named parts.
 *
 * "DIBAO_{region}_{as_of}_{sequence}_{kind}.csv". Outside braces a name must agree byte by byte. Parts:
 *   {as_of}       eight digits, a date YYYYMMDD
 *   {region}      2 to 12 digits
 *   {sequence}    1 to 9 digits; {sequence:N}: exactly N
 *   {kind}        FULL or INC
 * A part may stand once; region or sequence of any length not before another part of digits. A name that fits
 * has only [A-Za-z0-9._-], begins with none of ".-" and has at most 64 bytes, so it can neither leave its
 * folder nor hold an ID number. Pure. */
#ifndef EG_CONNECTORS_FILE_NAME_H
#define EG_CONNECTORS_FILE_NAME_H

#include "eldergate/err.h"

#include <stdint.h>

#define FILE_NAME_MAX 64

struct file_name {
	char name[FILE_NAME_MAX + 1];
	char region[13];  /* "": none */
	int64_t as_of;    /* YYYYMMDD; 0: none */
	int64_t sequence; /* -1: none */
	bool has_kind, full;
};

enum file_part { PART_TEXT, PART_AS_OF, PART_REGION, PART_SEQUENCE, PART_KIND };

struct file_pattern {
	struct file_pattern_part {
		enum file_part type;
		unsigned width;               /* SEQUENCE: exact, 0: any */
		char text[FILE_NAME_MAX + 1]; /* TEXT */
	} parts[16];
	unsigned n;
};

/* EG_CONFIG with what is wrong. */
enum eg_rc file_pattern_parse(struct file_pattern *out, const char *text, struct eg_err *err);
bool file_pattern_has(const struct file_pattern *p, enum file_part type);
bool file_pattern_match(const struct file_pattern *p, const char *name, struct file_name *out);
/* The name of these parts, into parts->name; false when it gets too long or a part does not fit its width. */
bool file_pattern_format(const struct file_pattern *p, struct file_name *parts);

#endif
