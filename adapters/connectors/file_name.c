/* file_name: see file_name.h. */
#include "connectors/file_name.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

enum { REGION_LEAST = 2, REGION_MOST = 12, SEQUENCE_MOST = 9, AS_OF_WIDTH = 8 };

static bool plain(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
	       c == '_' || c == '-';
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool of_digits(const struct file_pattern_part *p)
{
	return p->type == PART_AS_OF || p->type == PART_REGION || p->type == PART_SEQUENCE ||
	       (p->type == PART_TEXT && digit(p->text[0]));
}

bool file_pattern_has(const struct file_pattern *p, enum file_part type)
{
	for (unsigned i = 0; i < p->n; i++)
		if (p->parts[i].type == type)
			return true;
	return false;
}

/* What stands between braces. */
static bool named(struct file_pattern_part *p, const char *text, size_t len)
{
	static const struct {
		const char *name;
		enum file_part type;
	} known[] = {{"as_of", PART_AS_OF},
	             {"region", PART_REGION},
	             {"sequence", PART_SEQUENCE},
	             {"kind", PART_KIND}};
	size_t name = strcspn(text, ":}");
	for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
		if (name != strlen(known[i].name) || strncmp(text, known[i].name, name) != 0)
			continue;
		p->type = known[i].type;
		if (name == len)
			return true;
		p->width = (unsigned)(text[name + 1] - '0');
		return p->type == PART_SEQUENCE && len == name + 2 && p->width >= 1 &&
		       p->width <= SEQUENCE_MOST;
	}
	return false;
}

enum eg_rc file_pattern_parse(struct file_pattern *out, const char *text, struct eg_err *err)
{
	memset(out, 0, sizeof *out);
	for (const char *at = text; *at;) {
		if (out->n == sizeof out->parts / sizeof *out->parts)
			return eg_fail(err, EG_CONFIG, "the name pattern has too many parts");
		struct file_pattern_part *p = &out->parts[out->n];
		size_t len = strcspn(at, "{");
		if (len) {
			if (len > FILE_NAME_MAX)
				return eg_fail(err, EG_CONFIG, "the name pattern is longer than %d",
				               FILE_NAME_MAX);
			memcpy(p->text, at, len);
			for (size_t i = 0; i < len; i++)
				if (!plain(at[i]))
					return eg_fail(err, EG_CONFIG,
					               "a name has only letters, digits, '.', '_' and '-'");
			at += len;
		} else {
			len = strcspn(++at, "}");
			if (!at[len] || !named(p, at, len))
				return eg_fail(err, EG_CONFIG,
				               "the parts of a name are {as_of}, {region}, {sequence}, "
				               "{sequence:1} to {sequence:9}, and {kind}");
			if (file_pattern_has(out, p->type))
				return eg_fail(err, EG_CONFIG, "a part stands twice in the name pattern");
			at += len + 1;
		}
		const struct file_pattern_part *before = out->n ? p - 1 : NULL;
		if (before && of_digits(p) &&
		    (before->type == PART_REGION || (before->type == PART_SEQUENCE && !before->width)))
			return eg_fail(err, EG_CONFIG,
			               "after {region} or {sequence} something must follow that is no digit");
		out->n++;
	}
	if (!out->n)
		return eg_fail(err, EG_CONFIG, "the name pattern is empty");
	if (out->parts[0].type == PART_TEXT && strchr(".-", out->parts[0].text[0]))
		return eg_fail(err, EG_CONFIG, "a name does not begin with '.' or '-'");
	return EG_OK;
}

static size_t digits_at(const char *at, size_t most)
{
	size_t n = 0;
	while (n < most && digit(at[n]))
		n++;
	return n;
}

static int64_t number(const char *at, size_t len)
{
	int64_t v = 0;
	for (size_t i = 0; i < len; i++)
		v = v * 10 + (at[i] - '0');
	return v;
}

static bool date(int64_t v)
{
	struct eg_date d = {
	        .year = (int16_t)(v / 10000), .month = (uint8_t)(v / 100 % 100), .day = (uint8_t)(v % 100)};
	return d.month && d.day && eg_date_valid(d);
}

/* Bytes of the part at the front of `at`; 0: it is not there. */
static size_t take(const struct file_pattern_part *p, const char *at, struct file_name *out)
{
	size_t len = 0;
	switch (p->type) {
	case PART_TEXT:
		len = strlen(p->text);
		return strncmp(at, p->text, len) == 0 ? len : 0;
	case PART_AS_OF:
		if (digits_at(at, AS_OF_WIDTH) != AS_OF_WIDTH)
			return 0;
		out->as_of = number(at, AS_OF_WIDTH);
		return date(out->as_of) ? AS_OF_WIDTH : 0;
	case PART_REGION:
		len = digits_at(at, REGION_MOST);
		if (len < REGION_LEAST)
			return 0;
		memcpy(out->region, at, len);
		return len;
	case PART_SEQUENCE:
		len = digits_at(at, p->width ? p->width : SEQUENCE_MOST);
		if (!len || (p->width && len != p->width))
			return 0;
		out->sequence = number(at, len);
		return len;
	case PART_KIND:
		out->has_kind = true;
		out->full = strncmp(at, "FULL", 4) == 0;
		return out->full ? 4 : strncmp(at, "INC", 3) == 0 ? 3 : 0;
	}
	return 0;
}

bool file_pattern_match(const struct file_pattern *p, const char *name, struct file_name *out)
{
	memset(out, 0, sizeof *out);
	out->sequence = -1;
	size_t len = strlen(name);
	if (!len || len > FILE_NAME_MAX)
		return false;
	const char *at = name;
	for (unsigned i = 0; i < p->n; i++) {
		size_t n = take(&p->parts[i], at, out);
		if (!n)
			return false;
		at += n;
	}
	if (*at)
		return false;
	memcpy(out->name, name, len);
	return true;
}

bool file_pattern_format(const struct file_pattern *p, struct file_name *parts)
{
	char text[2 * FILE_NAME_MAX] = "";
	size_t len = 0;
	for (unsigned i = 0; i < p->n && len <= FILE_NAME_MAX; i++) {
		const struct file_pattern_part *part = &p->parts[i];
		char *at = text + len;
		size_t cap = sizeof text - len;
		int n = 0;
		if (part->type == PART_TEXT)
			n = snprintf(at, cap, "%s", part->text);
		else if (part->type == PART_AS_OF)
			n = snprintf(at, cap, "%08lld", (long long)parts->as_of);
		else if (part->type == PART_REGION)
			n = snprintf(at, cap, "%s", parts->region);
		else if (part->type == PART_SEQUENCE)
			n = snprintf(at, cap, "%0*lld", (int)part->width, (long long)parts->sequence);
		else
			n = snprintf(at, cap, "%s", parts->full ? "FULL" : "INC");
		len += n > 0 ? (size_t)n : 0;
	}
	struct file_name back;
	if (len > FILE_NAME_MAX || !file_pattern_match(p, text, &back))
		return false;
	memcpy(parts->name, text, len + 1);
	return true;
}
