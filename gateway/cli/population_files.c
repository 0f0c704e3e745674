/* population_files: see population_files.h. */
#include "cli/population_files.h"

#include "cli/file.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 1024, DAMAGED_ROWS = 100, DAMAGED_BYTES = 1 << 20 };

struct out {
	FILE *file;
	const char *path;
	struct population_files *f;
	struct eg_buf *first; /* keeps the first rows, without the header; NULL: does not */
	unsigned kept;
};

static enum eg_rc put(void *arg, struct eg_bytes line, struct eg_err *err)
{
	struct out *o = arg;
	if (o->first && o->kept < DAMAGED_ROWS) {
		eg_buf_add(o->first, line.p, line.len);
		o->kept++;
	}
	progress_at(&o->f->progress, ++o->f->rows, NULL);
	return fwrite(line.p, 1, line.len, o->file) == line.len ? EG_OK : eg_fail_errno(err, "%s", o->path);
}

static enum eg_rc write_section(const struct population *p, enum eg_section s, const char *dir,
                                struct population_files *f, struct eg_buf *first, struct eg_err *err)
{
	char path[PATH_BYTES];
	struct eg_buf header = {0};
	snprintf(path, sizeof path, "%s/%s.csv", dir, eg_section_name(s));
	struct out o = {.file = fopen(path, "we"), .path = path, .f = f, .first = first};
	if (!o.file)
		return eg_fail_errno(err, "%s", path);
	population_header(s, &header);
	enum eg_rc rc = fwrite(header.p, 1, header.len, o.file) == header.len
	                        ? EG_OK
	                        : eg_fail_errno(err, "%s", path);
	if (!rc)
		rc = population_rows(p, s, put, &o, err);
	if (fclose(o.file) != 0 && !rc)
		rc = eg_fail_errno(err, "%s", path);
	eg_buf_free(&header);
	return rc;
}

/* ---- damage ---- */

static void to_gb18030(const struct eg_buf *in, struct eg_buf *out)
{
	static char bytes[DAMAGED_BYTES];
	char *from = (char *)in->p, *to = bytes;
	size_t left = in->len, room = sizeof bytes;
	iconv_t way = iconv_open("GB18030", "UTF-8");
	if (way == (iconv_t)-1)
		return;
	iconv(way, &from, &left, &to, &room);
	iconv_close(way);
	eg_buf_add(out, bytes, (size_t)(to - bytes));
}

/* Each run of 18 digits, as a spreadsheet shows it. */
static void to_excel(const struct eg_buf *in, struct eg_buf *out)
{
	const char *p = (const char *)in->p, *end = p + in->len;
	while (p < end) {
		size_t digits = 0;
		while (p + digits < end && p[digits] >= '0' && p[digits] <= '9')
			digits++;
		if (digits == 17 && p + 17 < end && strchr("xX", p[17]))
			digits = 18;
		if (digits == 18)
			eg_buf_printf(out, "%c.%.5sE+17", p[0], p + 1);
		else
			eg_buf_add(out, p, digits ? digits : 1);
		p += digits ? digits : 1;
	}
}

static void to_newest_first(const struct eg_buf *in, struct eg_buf *out)
{
	size_t end = in->len;
	while (end) {
		size_t begin = end - 1;
		while (begin && in->p[begin - 1] != '\n')
			begin--;
		eg_buf_add(out, in->p + begin, end - begin);
		end = begin;
	}
}

static enum eg_rc write_damaged(const char *dir, const char *name, const struct eg_buf *header,
                                struct eg_buf *rows, struct eg_err *err)
{
	char path[PATH_BYTES];
	struct eg_buf all = {0};
	snprintf(path, sizeof path, "%s/damaged/%s", dir, name);
	eg_buf_add(&all, header->p, header->len);
	eg_buf_add(&all, rows->p, rows->len);
	enum eg_rc rc = all.failed || rows->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for %s", path)
	                                           : file_replace(path, eg_buf_bytes(&all), 0644, err);
	eg_buf_free(&all);
	eg_buf_reset(rows);
	return rc;
}

static enum eg_rc damage(const char *dir, const struct eg_buf *first, struct eg_err *err)
{
	char path[PATH_BYTES];
	struct eg_buf header = {0}, rows = {0};
	snprintf(path, sizeof path, "%s/damaged", dir);
	population_header(EG_REGISTRATION, &header);
	enum eg_rc rc = file_mkdir(path, 0755, err);
	if (!rc) {
		to_gb18030(first, &rows);
		rc = write_damaged(dir, "mojibake.csv", &header, &rows, err);
	}
	if (!rc) {
		to_excel(first, &rows);
		rc = write_damaged(dir, "excel.csv", &header, &rows, err);
	}
	if (!rc) {
		eg_buf_add(&rows, first->p, first->len);
		rc = write_damaged(dir, "repeated.csv", &header, &rows, err);
	}
	if (!rc) {
		to_newest_first(first, &rows);
		rc = write_damaged(dir, "reordered.csv", &header, &rows, err);
	}
	if (!rc) {
		const char *text = (const char *)first->p;
		size_t cut = first->len;
		while (cut && text[cut - 1] != '"')
			cut--;
		while (cut &&
		       (text[cut - 1] == '"' || text[cut - 1] == ',')) /* within the last quoted cell */
			cut--;
		eg_buf_add(&rows, first->p, cut);
		rc = write_damaged(dir, "truncated.csv", &header, &rows, err);
	}
	eg_buf_free(&header);
	eg_buf_free(&rows);
	return rc;
}

enum eg_rc population_files_write(const struct population *p, const char *dir, struct population_files *f,
                                  struct eg_err *err)
{
	char path[PATH_BYTES];
	struct eg_buf first = {0}, truth = {0};
	enum eg_rc rc = EG_OK;
	if (strlen(dir) > PATH_BYTES - 64)
		return eg_fail(err, EG_USAGE, "the path is too long: %.100s...", dir);
	rc = file_mkdir(dir, 0755, err);
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END && !rc; s++)
		rc = write_section(p, (enum eg_section)s, dir, f, s == EG_REGISTRATION ? &first : NULL, err);
	if (!rc)
		rc = damage(dir, &first, err);
	snprintf(path, sizeof path, "%s/ground-truth.json", dir);
	population_json(p, &truth);
	if (!rc)
		rc = truth.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for the truth")
		                  : file_replace(path, eg_buf_bytes(&truth), 0644, err);
	eg_buf_free(&first);
	eg_buf_free(&truth);
	return rc;
}
