/* csv: rows of a CSV file (RFC 4180) out of its lines.
 *
 * Quoted cells may hold line breaks; blank lines are passed over. A row that is at fault is handed out as
 * such, with its bytes, and reading goes on with the line behind its first one: so a quote that is never
 * closed costs one line. Texts are UTF-8, or the line comes in with a fault of its own. Thread: one at a
 * time. */
#ifndef EG_BASE_CSV_H
#define EG_BASE_CSV_H

#include "base/buf.h"
#include "eldergate/err.h"

enum eg_csv_fault {
	EG_CSV_GOOD,
	EG_CSV_UNCLOSED,     /* a quote that is never closed, or not within the limits of a row */
	EG_CSV_QUOTE_INSIDE, /* a quote within a cell that does not begin with one */
	EG_CSV_BEHIND_QUOTE, /* text behind a closing quote */
	EG_CSV_RETURN,       /* a carriage return within a line */
	EG_CSV_CELLS,        /* too many cells */
	EG_CSV_LONG,         /* too many bytes */
	EG_CSV_NOT_TEXT,     /* bytes that are no text of this character set */
	EG_CSV_NUL,
	EG_CSV_UTF16
};
const char *eg_csv_fault_text(enum eg_csv_fault f); /* English, without values */

/* A line as a source hands it out; it lives until the next. */
struct eg_csv_line {
	struct eg_bytes text; /* UTF-8, with its end */
	struct eg_bytes raw;  /* as it came */
	enum eg_csv_fault fault;
	size_t fault_at; /* in text */
	bool unended;    /* the next one is part of the same line: a fault of EG_CSV_LONG */
};
/* EG_EMPTY at the end. */
typedef enum eg_rc eg_csv_source(void *arg, struct eg_csv_line *out, struct eg_err *err);

struct eg_csv_options {
	char separator; /* 0: a comma */
	unsigned cells_max;
	size_t row_bytes_max;
	unsigned row_lines_max;
};

struct eg_csv_cell {
	struct eg_bytes text; /* unquoted */
	bool quoted;
	size_t at; /* in the row's text */
};
/* Lives until the next call. */
struct eg_csv_row {
	uint64_t line;  /* where it begins, from 1 */
	unsigned lines; /* that it takes */
	bool torn;      /* the file ends behind it without a line end */
	unsigned n;     /* 0 if there is a fault */
	const struct eg_csv_cell *cells;
	struct eg_bytes text, raw;
	enum eg_csv_fault fault;
	size_t fault_at; /* in text */
};

struct eg_csv;
/* NULL: no memory. */
struct eg_csv *eg_csv_new(const struct eg_csv_options *o, eg_csv_source *source, void *arg);
void eg_csv_free(struct eg_csv *c); /* wipes; NULL is fine */
/* A row, or one at fault. EG_EMPTY at the end; EG_NO_MEMORY; what the source fails with. */
enum eg_rc eg_csv_next(struct eg_csv *c, struct eg_csv_row *out, struct eg_err *err);
/* Where in the file a place in the row's text is; columns count characters, from 1. */
void eg_csv_place(const struct eg_csv_row *row, size_t at, uint64_t *line, unsigned *column);

/* Appends one cell, quoted if it needs to be. */
void eg_csv_write(struct eg_buf *out, struct eg_bytes text);

#endif
