/* decimal: see decimal.h. */
#include "common/decimal.h"

#include <string.h>

static bool digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool push(int64_t *v, int64_t sign, uint8_t c)
{
	return !__builtin_mul_overflow(*v, 10, v) && !__builtin_add_overflow(*v, sign * (c - '0'), v);
}

/* Commas stand before each group of three or not at all. */
static bool grouped(struct eg_bytes whole)
{
	size_t since = 0;
	bool any = memchr(whole.p, ',', whole.len) != NULL;
	for (size_t i = whole.len; any && i-- > 0;) {
		if (whole.p[i] == ',' ? since != 3 : since == 3)
			return false;
		since = whole.p[i] == ',' ? 0 : since + 1;
	}
	return !any || since > 0;
}

bool eg_decimal(struct eg_bytes text, unsigned scale, int64_t *out)
{
	int64_t sign = 1, v = 0;
	size_t i = 0, begin;
	if (text.len && (text.p[0] == '-' || text.p[0] == '+'))
		sign = text.p[i++] == '-' ? -1 : 1;
	begin = i;
	while (i < text.len && (digit(text.p[i]) || text.p[i] == ','))
		if (text.p[i++] != ',' && !push(&v, sign, text.p[i - 1]))
			return false;
	if (i == begin || !digit(text.p[begin]) || !grouped((struct eg_bytes){text.p + begin, i - begin}))
		return false;
	if (i < text.len && text.p[i] == '.') {
		if (++i == text.len)
			return false;
		for (; i < text.len && digit(text.p[i]); i++) {
			if (scale ? !push(&v, sign, text.p[i]) : text.p[i] != '0')
				return false;
			scale -= scale > 0;
		}
	}
	for (; scale; scale--)
		if (__builtin_mul_overflow(v, 10, &v))
			return false;
	*out = v;
	return i == text.len;
}

static bool begins(struct eg_bytes s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

bool eg_amount(struct eg_bytes text, unsigned scale, int64_t *out)
{
	static const char *const before[] = {"¥", "￥"}, *const behind[] = {"元", "圆"};
	for (unsigned i = 0; i < 2; i++)
		if (begins(text, before[i])) {
			text.p += strlen(before[i]);
			text.len -= strlen(before[i]);
			break;
		}
	for (unsigned i = 0; i < 2; i++) {
		size_t len = strlen(behind[i]);
		if (text.len >= len && memcmp(text.p + text.len - len, behind[i], len) == 0) {
			text.len -= len;
			break;
		}
	}
	return eg_decimal(text, scale, out);
}
