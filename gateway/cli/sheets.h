/* sheets: the rows of several CSV files, one file after the other, as records of one section. Thread: one at
 * a time. */
#ifndef EG_CLI_SHEETS_H
#define EG_CLI_SHEETS_H

#include "cli/sheet.h"

struct sheets;

/* names: paths, or "-" for standard input; the caller's, and must live on. list: records need no version.
 * Opens each file when its turn comes. */
enum eg_rc sheets_open(struct sheets **out, const char *const *names, unsigned n, enum eg_section section,
                       bool list, struct eg_err *err);
/* Appends one encoded eldergate.v1.Record. EG_EMPTY: no more; EG_NOT_FOUND, EG_INVALID tell file, line and
 * column. */
enum eg_rc sheets_next(struct sheets *s, struct eg_buf *out, struct origin *where, struct eg_err *err);
void sheets_rewind(struct sheets *s); /* from the first file again */
void sheets_close(struct sheets *s);  /* NULL is fine */

#endif
