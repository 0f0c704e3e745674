/* buf: the growing byte buffer, byte slices, hexadecimal text, strict UTF-8. Thread: one at a time per
 * buffer.
 *
 * Growth never leaves a copy of old contents behind in freed memory (they may be personal data). */
#include "base/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST ((size_t)256)
#define BUF_MAX   ((size_t)1 << 30)

/* Room for len bytes behind the contents, not counted in. */
static bool reserve(struct eg_buf *b, size_t len)
{
	if (b->failed)
		return false;
	if (len <= b->cap - b->len)
		return true;
	size_t cap = b->cap ? b->cap : BUF_FIRST;
	uint8_t *p = NULL;
	if (len <= BUF_MAX - b->len) {
		while (cap < b->len + len)
			cap *= 2;
		p = malloc(cap);
	}
	if (!p) {
		b->failed = true;
		return false;
	}
	if (b->p) {
		memcpy(p, b->p, b->len);
		explicit_bzero(b->p, b->cap);
		free(b->p);
	}
	b->p = p;
	b->cap = cap;
	return true;
}

uint8_t *eg_buf_grow(struct eg_buf *b, size_t len)
{
	/* One byte at least, so that success is never NULL. */
	if (!reserve(b, len ? len : 1))
		return NULL;
	uint8_t *p = b->p + b->len;
	b->len += len;
	return p;
}

void eg_buf_add(struct eg_buf *b, const void *p, size_t len)
{
	uint8_t *to = len ? eg_buf_grow(b, len) : NULL;
	if (to)
		memcpy(to, p, len);
}

void eg_buf_add_u8(struct eg_buf *b, uint8_t v)
{
	eg_buf_add(b, &v, 1);
}

void eg_buf_add_be(struct eg_buf *b, uint64_t v, unsigned bytes)
{
	uint8_t *to = eg_buf_grow(b, bytes);
	if (!to)
		return;
	for (unsigned i = bytes; i--; v >>= 8)
		to[i] = (uint8_t)v;
}

void eg_buf_printf(struct eg_buf *b, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		b->failed = true;
	else if (reserve(b, (size_t)len + 1)) { /* vsnprintf's NUL stays outside the contents */
		vsnprintf((char *)b->p + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	va_end(again);
	va_end(ap);
}

void eg_buf_real(struct eg_buf *b, double v)
{
	char text[40];
	if (!isfinite(v)) {
		eg_buf_printf(b, "%s", isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
		return;
	}
	int digits = 15;
	do
		snprintf(text, sizeof text, "%.*g", digits, v);
	while (strtod(text, NULL) != v && ++digits <= 17);
	eg_buf_printf(b, "%s", text);
}

void eg_buf_reset(struct eg_buf *b)
{
	b->len = 0;
	b->failed = false;
}

void eg_buf_free(struct eg_buf *b)
{
	if (b->p)
		explicit_bzero(b->p, b->cap);
	free(b->p);
	*b = (struct eg_buf){0};
}

struct eg_bytes eg_buf_bytes(const struct eg_buf *b)
{
	return b->failed ? (struct eg_bytes){0} : (struct eg_bytes){b->p, b->len};
}

struct eg_bytes eg_bytes_of(const char *text)
{
	return text ? (struct eg_bytes){(const uint8_t *)text, strlen(text)} : (struct eg_bytes){0};
}

bool eg_bytes_equal(struct eg_bytes a, struct eg_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

int eg_bytes_cmp(struct eg_bytes a, struct eg_bytes b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len ? memcmp(a.p, b.p, len) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

void eg_hex(const uint8_t *p, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool eg_unhex(const char *text, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		int high = nibble(*text), low;
		if (high < 0 || (low = nibble(text[1])) < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text == '\0';
}

/* Unicode 15, table 3-7: only the second byte has a range that depends on the first. */
size_t eg_utf8_step(struct eg_bytes s, bool *valid)
{
	*valid = false;
	if (s.len == 0)
		return 0;
	uint8_t c = s.p[0], low = 0x80, high = 0xBF;
	size_t want;
	if (c < 0x80) {
		*valid = true;
		return 1;
	} else if (c >= 0xC2 && c <= 0xDF) {
		want = 2;
	} else if (c >= 0xE0 && c <= 0xEF) {
		want = 3;
		low = c == 0xE0 ? 0xA0 : 0x80;  /* no overlong form */
		high = c == 0xED ? 0x9F : 0xBF; /* no surrogate */
	} else if (c >= 0xF0 && c <= 0xF4) {
		want = 4;
		low = c == 0xF0 ? 0x90 : 0x80;
		high = c == 0xF4 ? 0x8F : 0xBF; /* nothing above U+10FFFF */
	} else {
		return 1;
	}
	size_t n = 1;
	while (n < want && n < s.len && s.p[n] >= low && s.p[n] <= high) {
		n++;
		low = 0x80;
		high = 0xBF;
	}
	*valid = n == want;
	return n;
}

bool eg_utf8_valid(struct eg_bytes s)
{
	while (s.len) {
		bool valid;
		size_t n = eg_utf8_step(s, &valid);
		if (!valid || s.p[0] == 0)
			return false;
		s.p += n;
		s.len -= n;
	}
	return true;
}

void eg_buf_json(struct eg_buf *b, struct eg_bytes s)
{
	eg_buf_add_u8(b, '"');
	while (s.len) {
		bool valid;
		size_t n = eg_utf8_step(s, &valid);
		uint8_t c = s.p[0];
		if (!valid)
			eg_buf_add(b, "\xEF\xBF\xBD", 3);
		else if (c == '"' || c == '\\')
			eg_buf_printf(b, "\\%c", c);
		else if (c == '\n')
			eg_buf_add(b, "\\n", 2);
		else if (c == '\t')
			eg_buf_add(b, "\\t", 2);
		else if (c < 0x20 || c == 0x7F)
			eg_buf_printf(b, "\\u%04x", c);
		else if (c == 0xC2 && s.p[1] < 0xA0) /* C1 controls drive terminals as well as C0 ones do */
			eg_buf_printf(b, "\\u%04x", s.p[1]);
		else
			eg_buf_add(b, s.p, n);
		s.p += n;
		s.len -= n;
	}
	eg_buf_add_u8(b, '"');
}
