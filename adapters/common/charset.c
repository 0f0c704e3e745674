/* charset: see charset.h. */
#include "common/charset.h"

#include "common/decode.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AHEAD = 64 << 10 };

struct eg_charset_lines {
	struct eg_lines *lines;
	enum eg_charset charset;
	bool begun;
	struct eg_decoder *gb18030;
	struct eg_buf text;
};

enum eg_charset eg_charset_by_name(const char *name)
{
	static const struct {
		const char *name;
		enum eg_charset charset;
	} names[] = {{"utf-8", EG_CHARSET_UTF8},
	             {"utf8", EG_CHARSET_UTF8},
	             {"gb18030", EG_CHARSET_GB18030},
	             {"gbk", EG_CHARSET_GB18030},
	             {"gb2312", EG_CHARSET_GB18030}};
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i].name) == 0)
			return names[i].charset;
	return EG_CHARSET_AUTO;
}

/* ---- which one it is ---- */

static bool ascii(struct eg_bytes s)
{
	uint64_t word, any = 0;
	for (; s.len >= sizeof word; s.p += sizeof word, s.len -= sizeof word) {
		memcpy(&word, s.p, sizeof word);
		any |= word;
	}
	for (size_t i = 0; i < s.len; i++)
		any |= s.p[i];
	return !(any & 0x8080808080808080u);
}

/* Among a hundred characters beyond ASCII at most one broken: UTF-8 with a bad line in it. Text in GB18030
 * breaks at nearly every one. */
static bool looks_utf8(struct eg_bytes s)
{
	size_t good = 0, bad = 0;
	while (s.len) {
		bool valid;
		size_t step = eg_utf8_step(s, &valid);
		bool cut = !valid && step == s.len; /* the text ahead ends here, perhaps within a character */
		good += valid && step > 1;
		bad += !valid && !cut;
		s.p += step;
		s.len -= step;
	}
	return bad * 100 <= good;
}

static void decide(struct eg_charset_lines *l, struct eg_bytes line, struct eg_err *err)
{
	struct eg_bytes ahead = {0};
	if (l->charset != EG_CHARSET_AUTO || ascii(line))
		return;
	eg_lines_ahead(l->lines, 0, &ahead, err); /* reads nothing, so the line stays where it is */
	/* The line lies right before what is ahead. */
	struct eg_bytes all = {line.p, (size_t)(ahead.p + ahead.len - line.p)};
	if (all.len > AHEAD)
		all.len = AHEAD > line.len ? AHEAD : line.len;
	l->charset = looks_utf8(all) ? EG_CHARSET_UTF8 : EG_CHARSET_GB18030;
}

/* What the stream begins with. *fault: it is of no character set that can be read. */
static enum eg_rc begin(struct eg_charset_lines *l, enum eg_csv_fault *fault, struct eg_err *err)
{
	static const struct {
		const char *mark;
		size_t len;
		enum eg_charset charset;
	} marks[] = {{"\xEF\xBB\xBF", 3, EG_CHARSET_UTF8}, {"\x84\x31\x95\x33", 4, EG_CHARSET_GB18030}};
	struct eg_bytes s;
	enum eg_rc rc = eg_lines_ahead(l->lines, AHEAD, &s, err);
	if (rc)
		return rc;
	l->begun = true;
	if (s.len >= 2 && (memcmp(s.p, "\xFF\xFE", 2) == 0 || memcmp(s.p, "\xFE\xFF", 2) == 0))
		*fault = EG_CSV_UTF16;
	for (unsigned i = 0; i < 2; i++)
		if (s.len >= marks[i].len && memcmp(s.p, marks[i].mark, marks[i].len) == 0) {
			/* A mark says more than the settings. */
			l->charset = marks[i].charset;
			eg_lines_skip(l->lines, marks[i].len);
			break;
		}
	return EG_OK;
}

/* ---- decoding ---- */

static void fault_at(struct eg_csv_line *out, enum eg_csv_fault fault, size_t at)
{
	if (out->fault)
		return;
	out->fault = fault;
	out->fault_at = at;
}

static void from_utf8(struct eg_charset_lines *l, struct eg_csv_line *out)
{
	struct eg_bytes rest = out->raw;
	if (eg_utf8_valid(rest)) {
		out->text = rest;
		return;
	}
	eg_buf_reset(&l->text);
	while (rest.len) {
		bool valid;
		size_t step = eg_utf8_step(rest, &valid);
		if (!valid || !*rest.p)
			fault_at(out, valid ? EG_CSV_NUL : EG_CSV_NOT_TEXT, l->text.len);
		if (valid && *rest.p)
			eg_buf_add(&l->text, rest.p, step);
		else
			eg_buf_add(&l->text, EG_REPLACEMENT, sizeof EG_REPLACEMENT - 1);
		rest.p += step;
		rest.len -= step;
	}
	out->text = eg_buf_bytes(&l->text);
}

static void from_gb18030(struct eg_charset_lines *l, struct eg_csv_line *out)
{
	eg_buf_reset(&l->text);
	size_t bad = eg_decode(l->gb18030, out->raw, &l->text);
	if (bad != EG_DECODED_WELL)
		fault_at(out, EG_CSV_NOT_TEXT, bad);
	out->text = eg_buf_bytes(&l->text);
	const uint8_t *nul = out->text.len ? memchr(out->text.p, 0, out->text.len) : NULL;
	if (nul)
		fault_at(out, EG_CSV_NUL, (size_t)(nul - out->text.p));
}

/* ---- lines ---- */

struct eg_charset_lines *eg_charset_lines_new(const char *name, enum eg_charset charset, eg_read *read,
                                              void *arg, size_t line_max)
{
	struct eg_charset_lines *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->gb18030 = eg_decoder_open("GB18030");
	l->lines = eg_lines_new(name, read, arg, line_max);
	l->charset = charset;
	if (l->lines && l->gb18030)
		return l;
	eg_charset_lines_free(l);
	return NULL;
}

void eg_charset_lines_free(struct eg_charset_lines *l)
{
	if (!l)
		return;
	eg_decoder_close(l->gb18030);
	eg_lines_free(l->lines);
	eg_buf_free(&l->text);
	free(l);
}

enum eg_charset eg_charset_found(const struct eg_charset_lines *l)
{
	return l->charset;
}

enum eg_rc eg_charset_line(void *arg, struct eg_csv_line *out, struct eg_err *err)
{
	struct eg_charset_lines *l = arg;
	enum eg_csv_fault fault = EG_CSV_GOOD;
	bool piece;
	enum eg_rc rc = l->begun ? EG_OK : begin(l, &fault, err);
	*out = (struct eg_csv_line){.fault = fault};
	if (!rc)
		rc = eg_lines_next(l->lines, &out->raw, &piece, err);
	if (rc)
		return rc;
	out->text = out->raw;
	if (piece || fault) {
		out->fault = piece ? EG_CSV_LONG : fault;
		out->unended = piece && out->raw.p[out->raw.len - 1] != '\n';
		return EG_OK;
	}
	if (ascii(out->raw) && !memchr(out->raw.p, 0, out->raw.len))
		return EG_OK;
	decide(l, out->raw, err);
	if (l->charset == EG_CHARSET_GB18030)
		from_gb18030(l, out);
	else
		from_utf8(l, out);
	if (l->text.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a line");
	return EG_OK;
}
