/* file_reader: see file_reader.h. Characters and rows are cut by common/charset and base/csv; here every byte
 * that they read passes by. */
#include "connectors/file_reader.h"

#include "common/charset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COLUMNS_MAX = 1000, ROW_LINES_MAX = 100 };

struct file_reader {
	const struct file_rules *rules;
	int fd;
	struct eg_hash *digest;
	int64_t size;
	uint8_t last; /* byte that was read */
	struct eg_charset_lines *lines;
	struct eg_csv *csv;
	uint64_t long_line; /* the last one that was too long: only its beginning is told */
	bool over;          /* after a fault: the rest is only counted and digested */
	struct eg_buf header_text;
	struct eg_bytes header[COLUMNS_MAX], values[COLUMNS_MAX];
	unsigned n_header;
};

/* eg_read */
static ssize_t read_bytes(void *arg, void *p, size_t len)
{
	struct file_reader *r = arg;
	ssize_t n;
	do
		n = read(r->fd, p, len);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n;
	eg_hash_add(r->digest, &(struct eg_bytes){p, (size_t)n}, 1);
	r->last = ((const uint8_t *)p)[n - 1];
	r->size += n;
	return n;
}

static void named_header(struct file_reader *r)
{
	unsigned n = eg_settings_count(r->rules->settings, "columns");
	for (unsigned i = 0; i < n; i++)
		r->header[i] = eg_bytes_of(eg_settings_item(r->rules->settings, "columns", i));
	r->n_header = n;
}

enum eg_rc file_reader_open(struct file_reader **out, const struct file_rules *rules, int fd,
                            enum eg_hash_kind kind, struct eg_err *err)
{
	*out = NULL;
	struct file_reader *r = calloc(1, sizeof *r);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a file");
	r->rules = rules;
	r->fd = fd;
	if (!rules->header)
		named_header(r);
	const struct eg_csv_options o = {.separator = rules->delimiter,
	                                 .cells_max = COLUMNS_MAX,
	                                 .row_bytes_max = (size_t)rules->max_line,
	                                 .row_lines_max = ROW_LINES_MAX};
	r->digest = eg_hash_new(kind);
	/* The name is for errors, which tell no names here: one may be any. */
	r->lines = eg_charset_lines_new("a file", eg_charset_by_name(rules->encoding), read_bytes, r,
	                                (size_t)rules->max_line);
	r->csv = r->lines ? eg_csv_new(&o, eg_charset_line, r->lines) : NULL;
	if (!r->digest || !r->csv) {
		file_reader_close(r);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a file");
	}
	*out = r;
	return EG_OK;
}

void file_reader_close(struct file_reader *r)
{
	if (!r)
		return;
	eg_csv_free(r->csv);
	eg_charset_lines_free(r->lines);
	eg_hash_free(r->digest);
	eg_buf_free(&r->header_text);
	free(r);
}

const struct eg_bytes *file_reader_header(const struct file_reader *r, unsigned *n)
{
	*n = r->n_header;
	return r->header;
}

static enum file_reason reason_of(enum eg_csv_fault fault)
{
	switch (fault) {
	case EG_CSV_GOOD:
		return FILE_REASON_NONE;
	case EG_CSV_UNCLOSED:
	case EG_CSV_QUOTE_INSIDE:
	case EG_CSV_BEHIND_QUOTE:
		return FILE_REASON_QUOTES;
	case EG_CSV_RETURN:
		return FILE_REASON_LINE_BREAK;
	case EG_CSV_CELLS:
		return FILE_REASON_COLUMN_COUNT;
	case EG_CSV_LONG:
		return FILE_REASON_LINE_TOO_LONG;
	case EG_CSV_NOT_TEXT:
	case EG_CSV_NUL:
	case EG_CSV_UTF16:
		return FILE_REASON_CHARSET;
	}
	return FILE_REASON_CHARSET;
}

/* The first row's cells, which must be there, and different. */
static enum file_reason keep_header(struct file_reader *r, const struct eg_csv_row *row)
{
	if (row->fault)
		return reason_of(row->fault) == FILE_REASON_CHARSET ? FILE_REASON_CHARSET_SUSPECT
		                                                    : FILE_REASON_HEADER;
	for (unsigned i = 0; i < row->n; i++) {
		if (!row->cells[i].text.len)
			return FILE_REASON_HEADER;
		for (unsigned k = 0; k < i; k++)
			if (eg_bytes_equal(row->cells[i].text, row->cells[k].text))
				return FILE_REASON_HEADER;
		eg_buf_add(&r->header_text, row->cells[i].text.p, row->cells[i].text.len);
	}
	if (r->header_text.failed)
		return FILE_REASON_HEADER;
	size_t at = 0;
	for (; r->n_header < row->n; r->n_header++) {
		size_t len = row->cells[r->n_header].text.len;
		r->header[r->n_header] = (struct eg_bytes){r->header_text.p + at, len};
		at += len;
	}
	return FILE_REASON_NONE;
}

static enum eg_rc drain(struct file_reader *r, struct eg_err *err)
{
	uint8_t piece[16 * 1024];
	ssize_t n;
	do
		n = read_bytes(r, piece, sizeof piece);
	while (n > 0);
	explicit_bzero(piece, sizeof piece);
	return n < 0 ? eg_fail_errno(err, "reading a file") : EG_OK;
}

static enum eg_rc fault(struct file_reader *r, enum file_reason reason, struct file_row *out,
                        struct eg_err *err)
{
	r->over = true;
	*out = (struct file_row){.kind = PIECE_FAULT, .reason = reason};
	return drain(r, err);
}

enum eg_rc file_reader_next(struct file_reader *r, struct file_row *out, struct eg_err *err)
{
	struct eg_csv_row row;
	*out = (struct file_row){.kind = PIECE_END};
	if (r->over)
		return EG_OK;
	for (;;) {
		enum eg_rc rc = eg_csv_next(r->csv, &row, err);
		if (rc == EG_EMPTY && !r->n_header)
			return fault(r, FILE_REASON_EMPTY, out, err);
		if (rc == EG_EMPTY) {
			r->over = true;
			return EG_OK;
		}
		if (rc)
			return rc;
		if (row.fault == EG_CSV_LONG && row.line == r->long_line)
			continue;
		r->long_line = row.fault == EG_CSV_LONG ? row.line : 0;
		if (row.fault == EG_CSV_UTF16)
			return fault(r, FILE_REASON_CHARSET_SUSPECT, out, err);
		if (r->n_header)
			break;
		enum file_reason reason = keep_header(r, &row);
		if (reason)
			return fault(r, reason, out, err);
	}
	enum file_reason reason = reason_of(row.fault);
	if (!reason && row.n != r->n_header)
		reason = FILE_REASON_COLUMN_COUNT;
	*out = (struct file_row){.kind = reason ? PIECE_BAD : PIECE_ROW,
	                         .line = row.line,
	                         .values = r->values,
	                         .raw = row.raw,
	                         .reason = reason};
	for (unsigned i = 0; !reason && i < row.n; i++)
		r->values[i] = row.cells[i].text;
	return EG_OK;
}

void file_reader_sum(struct file_reader *r, struct file_sum *out)
{
	*out = (struct file_sum){.size = r->size, .torn = r->size && r->last != '\n'};
	eg_hash_end(r->digest, out->digest);
}
