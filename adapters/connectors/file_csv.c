/* file_csv: see file_csv.h. */
#include "connectors/file_csv.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

struct file_csv {
	struct eg_buf text, line; /* line: UTF-8 */
	iconv_t to;               /* NULL: stays UTF-8 */
};

static void field(struct eg_buf *b, struct eg_bytes v)
{
	bool quoted = false;
	for (size_t i = 0; i < v.len && !quoted; i++)
		quoted = strchr("\",\r\n", v.p[i]) || (v.p[i] == ' ' && (i == 0 || i + 1 == v.len));
	if (!quoted) {
		eg_buf_add(b, v.p, v.len);
		return;
	}
	eg_buf_add_u8(b, '"');
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '"')
			eg_buf_add_u8(b, '"');
		eg_buf_add_u8(b, v.p[i]);
	}
	eg_buf_add_u8(b, '"');
}

/* The line, in the file's character set, behind what is there. */
static enum eg_rc add_line(struct file_csv *c, struct eg_err *err)
{
	eg_buf_add(&c->line, "\r\n", 2);
	if (c->line.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an outbound file");
	if (!c->to) {
		eg_buf_add(&c->text, c->line.p, c->line.len);
		return c->text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an outbound file") : EG_OK;
	}
	char *in = (char *)c->line.p;
	size_t left = c->line.len, before = c->text.len;
	while (left) {
		char piece[4096], *to = piece;
		size_t room = sizeof piece;
		if (iconv(c->to, &in, &left, &to, &room) == (size_t)-1 && errno != E2BIG) {
			iconv(c->to, NULL, NULL, NULL, NULL);
			c->text.len = before;
			return eg_fail(err, EG_INVALID,
			               "a value has a character that GB18030 cannot say here");
		}
		eg_buf_add(&c->text, piece, sizeof piece - room);
		explicit_bzero(piece, sizeof piece - room);
	}
	return c->text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an outbound file") : EG_OK;
}

enum eg_rc file_csv_new(struct file_csv **out, const struct eg_delivery *d, bool gb18030, struct eg_err *err)
{
	*out = NULL;
	struct file_csv *c = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an outbound file");
	enum eg_rc rc = EG_OK;
	if (gb18030 && (c->to = iconv_open("GB18030", "UTF-8")) == (iconv_t)-1) {
		c->to = NULL;
		rc = eg_fail(err, EG_UNIMPLEMENTED, "this system cannot write GB18030");
	}
	if (!gb18030)
		eg_buf_add(&c->text, "\xef\xbb\xbf", 3);
	eg_buf_add(&c->line, "event_id", 8);
	for (unsigned i = 0; i < d->n; i++) {
		eg_buf_add_u8(&c->line, ',');
		field(&c->line, eg_bytes_of(d->names[i]));
	}
	if (!rc)
		rc = add_line(c, err);
	if (rc) {
		file_csv_free(c);
		return rc;
	}
	*out = c;
	return EG_OK;
}

enum eg_rc file_csv_row(struct file_csv *c, const struct eg_delivery *d, struct eg_err *err)
{
	eg_buf_reset(&c->line);
	field(&c->line, eg_bytes_of(d->event_id));
	for (unsigned i = 0; i < d->n; i++) {
		if (!eg_utf8_valid(d->values[i]))
			return eg_fail_field(err, EG_INVALID, d->names[i], "a value is not UTF-8");
		eg_buf_add_u8(&c->line, ',');
		field(&c->line, d->values[i]);
	}
	return add_line(c, err);
}

struct eg_bytes file_csv_bytes(const struct file_csv *c)
{
	return eg_buf_bytes(&c->text);
}

void file_csv_free(struct file_csv *c)
{
	if (!c)
		return;
	eg_buf_free(&c->text);
	eg_buf_free(&c->line);
	if (c->to)
		iconv_close(c->to);
	free(c);
}
