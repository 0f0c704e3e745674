/* decode: see decode.h. */
#include "common/decode.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char euro[] = "\xE2\x82\xAC";

struct eg_decoder {
	enum { UTF8, GB, OTHER } kind;
	iconv_t from; /* of the last two */
};

static bool among(const char *charset, const char *const *names, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (strcasecmp(charset, names[i]) == 0)
			return true;
	return false;
}

struct eg_decoder *eg_decoder_open(const char *charset)
{
	static const char *const utf8[] = {"UTF-8", "UTF8"}, *const gb[] = {"GB18030", "GBK", "GB2312"};
	struct eg_decoder *d = calloc(1, sizeof *d);
	if (!d)
		return NULL;
	d->from = (iconv_t)-1;
	d->kind = among(charset, utf8, 2) ? UTF8 : among(charset, gb, 3) ? GB : OTHER;
	if (d->kind == UTF8 ||
	    (d->from = iconv_open("UTF-8", d->kind == GB ? "GB18030" : charset)) != (iconv_t)-1)
		return d;
	free(d);
	return NULL;
}

void eg_decoder_close(struct eg_decoder *d)
{
	if (d && d->from != (iconv_t)-1)
		iconv_close(d->from);
	free(d);
}

static void replace(struct eg_buf *into, size_t *bad)
{
	if (*bad == EG_DECODED_WELL)
		*bad = into->len;
	eg_buf_add(into, EG_REPLACEMENT, sizeof EG_REPLACEMENT - 1);
}

static size_t from_utf8(struct eg_bytes text, struct eg_buf *into)
{
	size_t bad = EG_DECODED_WELL;
	while (text.len) {
		bool valid;
		size_t n = eg_utf8_step(text, &valid);
		if (valid)
			eg_buf_add(into, text.p, n);
		else
			replace(into, &bad);
		text.p += n;
		text.len -= n;
	}
	return bad;
}

size_t eg_decode(struct eg_decoder *d, struct eg_bytes text, struct eg_buf *into)
{
	if (d->kind == UTF8)
		return from_utf8(text, into);
	char *in = (char *)(uintptr_t)text.p; /* iconv does not write to it */
	size_t left = text.len, bad = EG_DECODED_WELL;
	while (left && !into->failed) {
		/* three bytes of UTF-8 of two, or four of four, and room for what stands in */
		size_t before = into->len, most = left * 2 + 16, room = most;
		char *to = (char *)eg_buf_grow(into, most);
		if (!to)
			break;
		size_t done = iconv(d->from, &in, &left, &to, &room);
		int why = errno;
		into->len = before + most - room;
		if (done != (size_t)-1 || why == E2BIG)
			continue;
		iconv(d->from, NULL, NULL, NULL, NULL);
		/* One byte: what follows may be a character of its own. */
		if (d->kind == GB && (uint8_t)*in == 0x80)
			eg_buf_add(into, euro, sizeof euro - 1);
		else
			replace(into, &bad);
		in++;
		left--;
	}
	return bad;
}
