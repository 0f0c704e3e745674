/* csv: rows of a CSV file in UTF-8, where the first fault is the end.
 *
 * With or without a byte order mark. Faults are told as NAME:LINE:COLUMN, lines and columns from 1, columns
 * in characters; never with the text itself. Thread: one at a time. */
#ifndef EG_CLI_CSV_H
#define EG_CLI_CSV_H

#include "base/buf.h"
#include "base/csv.h"
#include "base/lines.h"
#include "eldergate/err.h"

enum { CSV_CELLS_MAX = 256, CSV_ROW_BYTES_MAX = 1 << 20 };

struct csv_cell {
	struct eg_bytes text;  /* unquoted */
	unsigned line, column; /* where it begins */
	bool quoted;
};

struct csv;
struct csv *csv_new(const char *name, eg_read *read, void *arg); /* NULL: no memory. The name is copied */
void csv_free(struct csv *c);                                    /* NULL is fine */
/* The next row; the cells live until the next call. EG_EMPTY at the end; EG_INVALID, EG_LIMIT, EG_IO. */
enum eg_rc csv_next(struct csv *c, const struct csv_cell **cells, unsigned *n, struct eg_err *err);
/* Fails with the place of a cell in front. */
enum eg_rc csv_fail(const struct csv *c, const struct csv_cell *at, struct eg_err *err, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

#endif
