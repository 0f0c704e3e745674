/* http_charset: see http_charset.h. */
#include "connectors/http_charset.h"

#include <errno.h>
#include <iconv.h>
#include <string.h>

/* The word behind name and "=", without quotes; "" if there is none that could be a charset's name. */
static void word_behind(const char *text, size_t len, const char *name, char out[EG_HTTP_CHARSET_MAX])
{
	size_t n = strlen(name), at = 0, to = 0;
	out[0] = 0;
	while (at + n < len && strncasecmp(text + at, name, n) != 0)
		at++;
	if (at + n >= len)
		return;
	for (at += n; at < len && strchr(" ='\"", text[at]); at++)
		;
	while (at < len && to < EG_HTTP_CHARSET_MAX - 1 &&
	       ((text[at] >= '0' && text[at] <= '9') || (text[at] >= 'A' && text[at] <= 'Z') ||
	        (text[at] >= 'a' && text[at] <= 'z') || text[at] == '-' || text[at] == '_'))
		out[to++] = text[at++];
	out[to] = 0;
}

void eg_http_charset_of(const char *content_type, struct eg_bytes body, char out[EG_HTTP_CHARSET_MAX])
{
	const char *text = (const char *)body.p;
	word_behind(content_type, strlen(content_type), "charset", out);
	if (!*out && body.len > 5 && memcmp(text, "<?xml", 5) == 0) {
		const char *end = memchr(text, '>', body.len < 200 ? body.len : 200);
		word_behind(text, end ? (size_t)(end - text) : 0, "encoding", out);
	}
	if (!*out)
		strcpy(out, "UTF-8");
}

static void add_replacement(struct eg_buf *out)
{
	eg_buf_add(out, "\xef\xbf\xbd", 3);
}

static void read_utf8(struct eg_bytes body, struct eg_buf *out, bool *bad)
{
	while (body.len) {
		bool valid;
		size_t n = eg_utf8_step(body, &valid);
		if (valid)
			eg_buf_add(out, body.p, n);
		else
			add_replacement(out);
		*bad |= !valid;
		body.p += n;
		body.len -= n;
	}
}

static void read_other(iconv_t cd, bool gb, struct eg_bytes body, struct eg_buf *out, bool *bad)
{
	char chunk[4096], *in = (char *)body.p;
	size_t left = body.len;
	while (left && !out->failed) {
		char *to = chunk;
		size_t room = sizeof chunk;
		size_t rc = iconv(cd, &in, &left, &to, &room);
		int why = errno;
		eg_buf_add(out, chunk, sizeof chunk - room);
		if (rc != (size_t)-1 || why == E2BIG)
			continue;
		/* One byte: what follows may be a character of its own. */
		if (gb && (uint8_t)*in == 0x80) {
			eg_buf_add(out, "\xe2\x82\xac", 3); /* the euro sign of GBK's Windows form */
		} else {
			add_replacement(out);
			*bad = true;
		}
		in++;
		left--;
		iconv(cd, NULL, NULL, NULL, NULL);
	}
}

enum eg_rc eg_http_charset_read(struct eg_bytes body, const char *charset, struct eg_buf *out, bool *bad,
                                struct eg_err *err)
{
	bool gb = strcasecmp(charset, "GBK") == 0 || strcasecmp(charset, "GB2312") == 0 ||
	          strcasecmp(charset, "GB18030") == 0;
	bool utf8 = strcasecmp(charset, "UTF-8") == 0 || strcasecmp(charset, "UTF8") == 0;
	*bad = false;
	eg_buf_reset(out);
	if (utf8 && body.len >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0) {
		body.p += 3;
		body.len -= 3;
	}
	if (utf8) {
		read_utf8(body, out, bad);
	} else {
		iconv_t cd = iconv_open("UTF-8", gb ? "GB18030" : charset);
		if (cd == (iconv_t)-1)
			return eg_fail(err, EG_INVALID, "the answer is in a character set that is not known");
		read_other(cd, gb, body, out, bad);
		iconv_close(cd);
	}
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an answer") : EG_OK;
}
