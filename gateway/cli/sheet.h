/* sheet: the rows of a CSV file as records of one section.
 *
 * The header names the columns: source_key, version, mapping_revision, operation, event_time, valid_from,
 * valid_to, cleared_fields, and fields of the section. Only form is judged here (is this a date, a number, a
 * known name); what a value means is the gateway's to judge, and a text is passed on as it is. Errors name
 * the place and the column, never the value. Thread: one at a time. */
#ifndef EG_CLI_SHEET_H
#define EG_CLI_SHEET_H

#include "base/buf.h"
#include "cli/csv.h"
#include "eldergate/err.h"
#include "model/record.h"

struct sheet;

/* Where a record came from. */
struct origin {
	unsigned file, line;
};

/* Reads the header. The reader is the caller's, as with csv_new. */
enum eg_rc sheet_open(struct sheet **out, const char *name, eg_read *read, void *arg, enum eg_section section,
                      struct eg_err *err);
/* The same of a list's file, which may have no column version: its records then have version 0. */
enum eg_rc sheet_open_list(struct sheet **out, const char *name, eg_read *read, void *arg,
                           enum eg_section section, struct eg_err *err);
/* Appends one encoded eldergate.v1.Record to out; *line: where it stands. EG_EMPTY at the end. */
enum eg_rc sheet_next(struct sheet *s, struct eg_buf *out, unsigned *line, struct eg_err *err);
void sheet_close(struct sheet *s); /* NULL is fine */

/* RFC 3339, or a date and time of Asia/Shanghai without zone, or a date alone (00:00 there). */
bool sheet_instant(const char *text, int64_t *us);

#endif
