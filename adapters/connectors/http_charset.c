/* http_charset: see http_charset.h. */
#include "connectors/http_charset.h"

#include "common/decode.h"

#include <string.h>
#include <strings.h>

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

enum eg_rc eg_http_charset_read(struct eg_bytes body, const char *charset, struct eg_buf *out, bool *bad,
                                struct eg_err *err)
{
	struct eg_decoder *d = eg_decoder_open(charset);
	*bad = false;
	eg_buf_reset(out);
	if (!d)
		return eg_fail(err, EG_INVALID, "the answer is in a character set that is not known");
	if (body.len >= 3 && memcmp(body.p, "\xef\xbb\xbf", 3) == 0 &&
	    (strcasecmp(charset, "UTF-8") == 0 || strcasecmp(charset, "UTF8") == 0)) {
		body.p += 3;
		body.len -= 3;
	}
	*bad = eg_decode(d, body, out) != EG_DECODED_WELL;
	eg_decoder_close(d);
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an answer") : EG_OK;
}
