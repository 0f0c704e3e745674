/* private_use: see private_use.h. The test compares the table with what the library makes of the same
 * characters in GB18030. */
#include "common/private_use.h"

#include "common/utf8.h"

#include <string.h>

static const struct {
	uint32_t old, now;
	unsigned n;
} runs[] = {
        {0xE78D, 0x0FE10, 1}, {0xE78E, 0x0FE12, 1}, {0xE78F, 0x0FE11, 1}, {0xE790, 0x0FE13, 7},
        {0xE7C7, 0x01E3F, 1}, {0xE7C8, 0x001F9, 1}, {0xE7E7, 0x0303E, 1}, {0xE7E8, 0x02FF0, 12},
        {0xE815, 0x02E81, 1}, {0xE816, 0x20087, 1}, {0xE817, 0x20089, 1}, {0xE818, 0x200CC, 1},
        {0xE819, 0x02E84, 1}, {0xE81A, 0x03473, 1}, {0xE81B, 0x03447, 1}, {0xE81C, 0x02E88, 1},
        {0xE81D, 0x02E8B, 1}, {0xE81E, 0x09FB4, 1}, {0xE81F, 0x0359E, 1}, {0xE820, 0x0361A, 1},
        {0xE821, 0x0360E, 1}, {0xE822, 0x02E8C, 1}, {0xE823, 0x02E97, 1}, {0xE824, 0x0396E, 1},
        {0xE825, 0x03918, 1}, {0xE826, 0x09FB5, 1}, {0xE827, 0x039CF, 1}, {0xE828, 0x039DF, 1},
        {0xE829, 0x03A73, 1}, {0xE82A, 0x039D0, 1}, {0xE82B, 0x09FB6, 2}, {0xE82D, 0x03B4E, 1},
        {0xE82E, 0x03C6E, 1}, {0xE82F, 0x03CE0, 1}, {0xE830, 0x02EA7, 1}, {0xE831, 0x215D7, 1},
        {0xE832, 0x09FB8, 1}, {0xE833, 0x02EAA, 1}, {0xE834, 0x04056, 1}, {0xE835, 0x0415F, 1},
        {0xE836, 0x02EAE, 1}, {0xE837, 0x04337, 1}, {0xE838, 0x02EB3, 1}, {0xE839, 0x02EB6, 2},
        {0xE83B, 0x2298F, 1}, {0xE83C, 0x043B1, 1}, {0xE83D, 0x043AC, 1}, {0xE83E, 0x02EBB, 1},
        {0xE83F, 0x043DD, 1}, {0xE840, 0x044D6, 1}, {0xE841, 0x04661, 1}, {0xE842, 0x0464C, 1},
        {0xE843, 0x09FB9, 1}, {0xE844, 0x04723, 1}, {0xE845, 0x04729, 1}, {0xE846, 0x0477C, 1},
        {0xE847, 0x0478D, 1}, {0xE848, 0x02ECA, 1}, {0xE849, 0x04947, 1}, {0xE84A, 0x0497A, 1},
        {0xE84B, 0x0497D, 1}, {0xE84C, 0x04982, 2}, {0xE84E, 0x04985, 2}, {0xE850, 0x0499F, 1},
        {0xE851, 0x0499B, 1}, {0xE852, 0x049B7, 1}, {0xE853, 0x049B6, 1}, {0xE854, 0x09FBA, 1},
        {0xE855, 0x241FE, 1}, {0xE856, 0x04CA3, 1}, {0xE857, 0x04C9F, 3}, {0xE85A, 0x04C77, 1},
        {0xE85B, 0x04CA2, 1}, {0xE85C, 0x04D13, 7}, {0xE863, 0x04DAE, 1}, {0xE864, 0x09FBB, 1},
};

/* 0: nothing moved from there. */
static uint32_t moved(uint32_t cp)
{
	unsigned low = 0, high = sizeof runs / sizeof *runs;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (runs[middle].old + runs[middle].n <= cp)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof runs / sizeof *runs && runs[low].old <= cp ? runs[low].now + (cp - runs[low].old)
	                                                               : 0;
}

/* The next of U+E000 to U+EFFF, which are EE xx xx; NULL: none. */
static const uint8_t *next(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
	const uint8_t *at = p < end ? memchr(p, 0xEE, (size_t)(end - p)) : NULL;
	if (!at || end - at < 3)
		return NULL;
	*cp = 0xE000u | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
	return at;
}

bool eg_private_use_any(struct eg_bytes text)
{
	const uint8_t *end = text.p + text.len;
	uint32_t cp;
	for (const uint8_t *p = text.p; (p = next(p, end, &cp)); p += 3)
		if (moved(cp))
			return true;
	return false;
}

size_t eg_private_use_write(struct eg_bytes text, uint8_t *to)
{
	const uint8_t *p = text.p, *end = text.p + text.len, *at;
	size_t n = 0;
	uint32_t cp;
	while ((at = next(p, end, &cp))) {
		uint32_t now = moved(cp);
		memcpy(to + n, p, (size_t)(at - p));
		n += (size_t)(at - p);
		n += eg_utf8_put(now ? now : cp, to + n);
		p = at + 3;
	}
	if (p < end)
		memcpy(to + n, p, (size_t)(end - p));
	return n + (size_t)(end - p);
}
