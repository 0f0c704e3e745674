/* parse: see parse.h. */
#include "base/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool eg_parse_int(const char *text, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return false;
	*out = v;
	return true;
}

static bool with_unit(const char *text, const char *const *units, const int64_t *factors, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || v < 0)
		return false;
	while (*end == ' ')
		end++;
	for (unsigned i = 0; units[i]; i++)
		if (strcmp(end, units[i]) == 0)
			return !__builtin_mul_overflow((int64_t)v, factors[i], out);
	return false;
}

bool eg_parse_size(const char *text, int64_t *out)
{
	static const char *const units[] = {"", "B", "KiB", "MiB", "GiB", NULL};
	static const int64_t factors[] = {1, 1, 1 << 10, 1 << 20, 1 << 30};
	return with_unit(text, units, factors, out);
}

bool eg_parse_time(const char *text, int64_t *out)
{
	static const char *const units[] = {"us", "ms", "s", "m", "h", "d", NULL};
	static const int64_t factors[] = {1, 1000, 1000000, 60000000, 3600000000, 86400000000};
	return with_unit(text, units, factors, out);
}

bool eg_parse_bool(const char *text, int64_t *out)
{
	static const char *const yes[] = {"true", "yes", "on"}, *const no[] = {"false", "no", "off"};
	for (unsigned i = 0; i < 3; i++) {
		if (strcasecmp(text, yes[i]) == 0) {
			*out = 1;
			return true;
		}
		if (strcasecmp(text, no[i]) == 0) {
			*out = 0;
			return true;
		}
	}
	return false;
}
