/* table_position: layouts of times are told by where their digits stand. */
#include "connectors/table_position.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY (86400 * EG_SECOND)

/* d: a digit of the next part; the rest stands for itself. Longest first: a shorter one may begin a longer.
 */
static const struct layout {
	const char *form;
	int64_t grain;
} layouts[] = {
        {"dddd-dd-dd dd:dd:dd", EG_SECOND},
        {"dddd-dd-ddTdd:dd:dd", EG_SECOND},
        {"dddd/dd/dd dd:dd:dd", EG_SECOND},
        {"dddd-dd-dd dd:dd", 60 * EG_SECOND},
        {"dddd/dd/dd dd:dd", 60 * EG_SECOND},
        {"dddd-dd-dd", DAY},
        {"dddd/dd/dd", DAY},
};

static bool fits(const char *form, struct eg_bytes text)
{
	size_t n = strlen(form);
	if (text.len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		bool digit = text.p[i] >= '0' && text.p[i] <= '9';
		if (form[i] == 'd' ? !digit : text.p[i] != (uint8_t)form[i])
			return false;
	}
	return true;
}

static bool all_digits(struct eg_bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
	return text.len > 0;
}

/* A compact time: 14 digits that begin with a year of ours. Any other run of digits is a number. */
static bool compact(struct eg_bytes text)
{
	return text.len == 14 && all_digits(text) &&
	       (memcmp(text.p, "19", 2) == 0 || memcmp(text.p, "20", 2) == 0);
}

static const struct layout *layout_of(struct eg_bytes text, bool dense)
{
	static const struct layout digits = {"dddddddddddddd", EG_SECOND};
	if (dense && compact(text))
		return &digits;
	for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++)
		if (fits(layouts[i].form, text))
			return &layouts[i];
	return NULL;
}

/* The digits of a layout: year, month, day, hour, minute, second; microseconds behind a point. */
static bool parse_time(const struct layout *layout, struct eg_bytes text, int64_t *at)
{
	static const unsigned width[] = {4, 2, 2, 2, 2, 2};
	int64_t part[6] = {0};
	unsigned at_part = 0, digits = 0;
	size_t i = 0;
	for (; layout->form[i]; i++) {
		if (layout->form[i] != 'd')
			continue;
		part[at_part] = part[at_part] * 10 + (text.p[i] - '0');
		if (++digits == width[at_part]) {
			at_part++;
			digits = 0;
		}
	}
	int64_t us = 0, scale = EG_SECOND / 10;
	if (i < text.len && text.p[i] == '.' && layout->grain == EG_SECOND)
		for (i++; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++, scale /= 10)
			us += (text.p[i] - '0') * scale;
	struct eg_date date = {(int16_t)part[0], (uint8_t)part[1], (uint8_t)part[2]};
	if (part[1] == 0 || part[2] == 0 || !eg_date_valid(date) || part[3] > 23 || part[4] > 59 ||
	    part[5] > 60)
		return false;
	*at = eg_date_days(date) * DAY + ((part[3] * 60 + part[4]) * 60 + part[5]) * EG_SECOND + us;
	return true;
}

static bool parse_number(struct eg_bytes text, int64_t *at)
{
	bool minus = text.len && text.p[0] == '-';
	if (minus)
		text = (struct eg_bytes){text.p + 1, text.len - 1};
	if (!all_digits(text))
		return false;
	int64_t v = 0; /* downwards, where there is room for one more */
	for (size_t i = 0; i < text.len; i++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, text.p[i] - '0', &v))
			return false;
	*at = v;
	return minus || !__builtin_sub_overflow(0, v, at);
}

bool eg_position_parse(struct eg_bytes text, bool dense, struct eg_position *out)
{
	const struct layout *layout = layout_of(text, dense);
	if (layout) {
		out->grain = layout->grain;
		return parse_time(layout, text, &out->at);
	}
	out->grain = 0;
	return parse_number(text, &out->at);
}

bool eg_position_print(struct eg_bytes text, bool dense, int64_t at, char out[EG_POSITION_TEXT])
{
	const struct layout *layout = layout_of(text, dense);
	if (!layout) {
		snprintf(out, EG_POSITION_TEXT, "%" PRId64, at);
		return true;
	}
	struct eg_date d = eg_date_of_instant(at, 0);
	if (!eg_date_valid(d)) /* before the year 1 or after 9999: no layout can say it */
		return false;
	int64_t second = (at - eg_date_days(d) * DAY) / EG_SECOND;
	char digits[32];
	snprintf(digits, sizeof digits, "%04d%02u%02u%02d%02d%02d", d.year, d.month, d.day,
	         (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
	size_t n = 0;
	for (size_t i = 0; layout->form[i]; i++)
		out[i] = layout->form[i] == 'd' ? digits[n++] : layout->form[i];
	out[strlen(layout->form)] = 0;
	return true;
}
