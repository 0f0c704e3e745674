/* utf16: by RFC 2781, with each lone surrogate replaced. */
#include "connectors/utf16.h"

#include "common/utf8.h"

bool eg_utf16_add(struct eg_buf *into, const uint16_t *units, size_t n, uint16_t *pending)
{
	bool good = true;
	for (size_t i = 0; i < n; i++) {
		uint16_t u = units[i];
		if (*pending) {
			uint16_t high = *pending;
			*pending = 0;
			if (u >= 0xdc00 && u <= 0xdfff) {
				eg_utf8_add(into,
				            0x10000 + ((uint32_t)(high - 0xd800) << 10) + (u - 0xdc00u));
				continue;
			}
			eg_utf8_add(into, 0xfffd);
			good = false;
		}
		if (u >= 0xd800 && u <= 0xdbff) {
			*pending = u;
		} else if (u >= 0xdc00 && u <= 0xdfff) {
			eg_utf8_add(into, 0xfffd);
			good = false;
		} else {
			eg_utf8_add(into, u);
		}
	}
	return good;
}

/* The code point of n bytes of well-formed UTF-8. */
static uint32_t code_of(const uint8_t *p, size_t n)
{
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3fu);
	return c;
}

static void add_unit(struct eg_buf *b, uint32_t u)
{
	uint16_t unit = (uint16_t)u;
	eg_buf_add(b, &unit, sizeof unit);
}

bool eg_utf16_of(struct eg_buf *into, struct eg_bytes text)
{
	while (text.len) {
		bool valid;
		size_t n = eg_utf8_step(text, &valid);
		if (!valid)
			return false;
		uint32_t c = code_of(text.p, n);
		if (c < 0x10000) {
			add_unit(into, c);
		} else {
			add_unit(into, 0xd800 + ((c - 0x10000) >> 10));
			add_unit(into, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
		text.p += n;
		text.len -= n;
	}
	return true;
}
