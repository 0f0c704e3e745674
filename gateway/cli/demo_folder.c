/* demo_folder: see demo_folder.h. */
#include "cli/demo_folder.h"

#include "base/csv.h"
#include "cli/demo_shape.h"
#include "cli/file.h"
#include "trust/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <iconv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 1024, FILE_MAX = 256 << 20, BYTES_PER_CHARACTER = 4 };

static void add_header(struct demo_csv *f)
{
	unsigned n;
	const struct demo_column *columns = demo_columns(EG_ASSISTANCE, &n);
	for (unsigned i = 0; i < n; i++)
		eg_buf_printf(&f->text, "%s%s", i ? "," : "", columns[i].name);
	eg_buf_printf(&f->text, "\r\n");
}

void demo_csv_add(struct demo_csv *f, const struct made_row *r)
{
	char value[MADE_VALUE];
	unsigned n;
	const struct demo_column *columns = demo_columns(EG_ASSISTANCE, &n);
	if (!f->rows++)
		add_header(f);
	for (unsigned i = 0; i < n; i++) {
		demo_value(EG_ASSISTANCE, &columns[i], r, value);
		if (i)
			eg_buf_add_u8(&f->text, ',');
		eg_csv_write(&f->text, eg_bytes_of(value));
	}
	eg_buf_printf(&f->text, "\r\n");
}

static enum eg_rc to_gb18030(const struct eg_buf *text, struct eg_buf *out, struct eg_err *err)
{
	iconv_t way = iconv_open("GB18030", "UTF-8");
	if (way == (iconv_t)-1)
		return eg_fail_errno(err, "GB18030");
	size_t left = text->len, room = BYTES_PER_CHARACTER * text->len;
	char *in = (char *)text->p, *to = (char *)eg_buf_grow(out, room);
	size_t bad = to ? iconv(way, &in, &left, &to, &room) : 0;
	out->len -= room;
	iconv_close(way);
	if (!to)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a file");
	return bad == (size_t)-1 ? eg_fail_errno(err, "writing GB18030") : EG_OK;
}

/* How many bytes are left when the last lines are lost. */
static size_t without(const struct eg_buf *b, unsigned lines)
{
	size_t len = b->len;
	for (; lines && len; lines--)
		for (len--; len && b->p[len - 1] != '\n'; len--)
			;
	return len;
}

enum eg_rc demo_csv_send(struct demo_csv *f, const char *inbox, const char *name, unsigned cut,
                         struct eg_err *err)
{
	char path[PATH_BYTES], hex[2 * EG_HASH_SIZE + 1];
	uint8_t digest[EG_HASH_SIZE];
	struct eg_buf bytes = {0}, control = {0};
	enum eg_rc rc = f->text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a file")
	                               : to_gb18030(&f->text, &bytes, err);
	struct eg_bytes all = eg_buf_bytes(&bytes);
	eg_sha256(&all, 1, digest);
	eg_hex(digest, sizeof digest, hex);
	eg_buf_printf(&control, "rows=%" PRIu64 "\nsize=%zu\nsha256=%s\n", f->rows, all.len, hex);
	all.len = without(&bytes, cut);
	snprintf(path, sizeof path, "%s/%s", inbox, name);
	if (!rc)
		rc = file_make(path, all, 0600, err);
	snprintf(path, sizeof path, "%s/%s.ctl", inbox, name);
	if (!rc)
		rc = file_make(path, eg_buf_bytes(&control), 0600, err);
	eg_buf_free(&bytes);
	eg_buf_free(&control);
	eg_buf_free(&f->text);
	*f = (struct demo_csv){0};
	return rc;
}

/* ---- what comes back ---- */

uint64_t demo_file_lines(const char *dir, const char *name)
{
	char path[PATH_BYTES];
	struct eg_buf text = {0};
	uint64_t n = 0;
	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (file_read(path, FILE_MAX, &text, NULL) == EG_OK)
		for (size_t i = 0; i < text.len; i++)
			n += text.p[i] == '\n';
	eg_buf_free(&text);
	return n ? n - 1 : 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The lines behind each file's header, one behind the other. */
static enum eg_rc gather(const char *dir, struct eg_buf *out, uint64_t *files, struct eg_err *err)
{
	DIR *all = opendir(dir);
	enum eg_rc rc = all ? EG_OK : eg_fail_errno(err, "%s", dir);
	for (struct dirent *e; !rc && (e = readdir(all));) {
		char path[PATH_BYTES];
		struct eg_buf text = {0};
		size_t len = strlen(e->d_name);
		/* A file counts when its control file is there. */
		snprintf(path, sizeof path, "%s/%.*s", dir, len > 4 ? (int)len - 4 : 0, e->d_name);
		if (len < 8 || strcmp(e->d_name + len - 8, ".csv.ctl") != 0)
			continue;
		rc = file_read(path, FILE_MAX, &text, err);
		const uint8_t *end = text.p ? memchr(text.p, '\n', text.len) : NULL;
		if (!rc && end)
			eg_buf_add(out, end + 1, text.len - (size_t)(end + 1 - text.p));
		++*files;
		eg_buf_free(&text);
	}
	if (all)
		closedir(all);
	return rc;
}

enum eg_rc demo_outbox_read(const char *dir, const char *text, struct demo_outbox *out, struct eg_err *err)
{
	struct eg_buf all = {0};
	*out = (struct demo_outbox){0};
	enum eg_rc rc = gather(dir, &all, &out->files, err);
	eg_buf_add_u8(&all, 0);
	char **lines = all.failed ? NULL : calloc(all.len, sizeof *lines), *save = NULL;
	if (!rc && !lines)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for an outbox");
	for (char *l = rc ? NULL : strtok_r((char *)all.p, "\r\n", &save); l;
	     l = strtok_r(NULL, "\r\n", &save)) {
		out->found += text && strstr(l, text);
		l[strcspn(l, ",")] = 0;
		lines[out->lines++] = l;
	}
	if (lines)
		qsort(lines, out->lines, sizeof *lines, by_text);
	for (uint64_t i = 0; lines && i < out->lines; i++)
		out->different += !i || strcmp(lines[i], lines[i - 1]) != 0;
	free(lines);
	eg_buf_free(&all);
	return rc;
}
