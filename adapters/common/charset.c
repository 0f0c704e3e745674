/* charset: see charset.h. */
#include "common/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { AHEAD = 64 << 10, MARK_MAX = 4, MOVED_MAX = 128 };

/* A private use code point of an early edition, and what stands there now. */
struct moved {
	uint32_t old;
	uint8_t len, utf8[4];
};

struct eg_charset_lines {
	struct eg_lines *lines;
	enum eg_charset charset;
	bool begun;
	iconv_t from; /* GB18030 */
	struct eg_buf text, fixed;
	unsigned n_moved;
	struct moved moved[MOVED_MAX]; /* ascending */
};

static const char replacement[] = "\xEF\xBF\xBD", euro[] = "\xE2\x82\xAC";

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

/* ---- what moved out of the private use area ---- */

/* The edition of 2000 put the characters of these codes there; the library knows where they are now. */
static void learn_moved(struct eg_charset_lines *l)
{
	static const struct {
		uint32_t old;
		uint8_t lead, first, last;
	} runs[] = {{0xE78D, 0xA6, 0xD9, 0xDF}, {0xE794, 0xA6, 0xEC, 0xED}, {0xE796, 0xA6, 0xF3, 0xF3},
	            {0xE7C7, 0xA8, 0xBC, 0xBC}, {0xE7C8, 0xA8, 0xBF, 0xBF}, {0xE7E7, 0xA9, 0x89, 0x95},
	            {0xE815, 0xFE, 0x50, 0x7E}, {0xE844, 0xFE, 0x80, 0xA0}};
	for (unsigned i = 0; i < sizeof runs / sizeof *runs; i++)
		for (unsigned k = 0; k <= (unsigned)runs[i].last - runs[i].first; k++) {
			char code[2] = {(char)runs[i].lead, (char)(runs[i].first + k)}, *in = code;
			struct moved *m = &l->moved[l->n_moved];
			char *out = (char *)m->utf8;
			size_t left = sizeof code, room = sizeof m->utf8;
			if (iconv(l->from, &in, &left, &out, &room) == (size_t)-1)
				continue;
			m->old = runs[i].old + k;
			m->len = (uint8_t)(sizeof m->utf8 - room);
			l->n_moved += m->utf8[0] != 0xEE; /* still there */
		}
}

static int by_old(const void *key, const void *moved)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct moved *)moved)->old;
	return a < b ? -1 : a > b;
}

/* U+E000 to U+EFFF are EE xx xx. */
static struct eg_bytes unmoved(struct eg_charset_lines *l, struct eg_bytes text)
{
	const uint8_t *p = text.p, *end = text.p + text.len, *at;
	if (!memchr(p, 0xEE, text.len))
		return text;
	eg_buf_reset(&l->fixed);
	while ((at = memchr(p, 0xEE, (size_t)(end - p))) && end - at >= 3) {
		uint32_t cp = 0xE000u | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
		const struct moved *m = bsearch(&cp, l->moved, l->n_moved, sizeof *l->moved, by_old);
		eg_buf_add(&l->fixed, p, (size_t)(at - p));
		eg_buf_add(&l->fixed, m ? m->utf8 : at, m ? m->len : 3);
		p = at + 3;
	}
	eg_buf_add(&l->fixed, p, (size_t)(end - p));
	return eg_buf_bytes(&l->fixed);
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
		out->text = unmoved(l, rest);
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
			eg_buf_add(&l->text, replacement, sizeof replacement - 1);
		rest.p += step;
		rest.len -= step;
	}
	out->text = eg_buf_bytes(&l->text);
}

static void from_gb18030(struct eg_charset_lines *l, struct eg_csv_line *out)
{
	char *in = (char *)(uintptr_t)out->raw.p; /* iconv does not write to it */
	size_t left = out->raw.len;
	eg_buf_reset(&l->text);
	while (left && !l->text.failed) {
		/* three bytes of UTF-8 of two, or four of four, and room for what stands in */
		size_t before = l->text.len, most = left * 2 + 16, room = most;
		char *to = (char *)eg_buf_grow(&l->text, most);
		if (!to)
			break;
		size_t done = iconv(l->from, &in, &left, &to, &room);
		l->text.len = before + most - room;
		if (done != (size_t)-1 || errno == E2BIG)
			continue;
		iconv(l->from, NULL, NULL, NULL, NULL);
		if ((uint8_t)*in == 0x80) {
			eg_buf_add(&l->text, euro, sizeof euro - 1);
		} else {
			fault_at(out, EG_CSV_NOT_TEXT, l->text.len);
			eg_buf_add(&l->text, replacement, sizeof replacement - 1);
		}
		in++;
		left--;
	}
	out->text = unmoved(l, eg_buf_bytes(&l->text));
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
	l->from = iconv_open("UTF-8", "GB18030");
	l->lines = eg_lines_new(name, read, arg, line_max);
	l->charset = charset;
	if (l->lines && l->from != (iconv_t)-1) {
		learn_moved(l);
		return l;
	}
	eg_charset_lines_free(l);
	return NULL;
}

void eg_charset_lines_free(struct eg_charset_lines *l)
{
	if (!l)
		return;
	if (l->from != (iconv_t)-1)
		iconv_close(l->from);
	eg_lines_free(l->lines);
	eg_buf_free(&l->text);
	eg_buf_free(&l->fixed);
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
	if (l->text.failed || l->fixed.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a line");
	return EG_OK;
}
