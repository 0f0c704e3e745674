/* parse: see parse.h. */
#include "base/parse.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
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

struct unit {
	const char *name;
	int64_t factor;
};
/* The largest first. Bytes are shown without a unit. */
static const struct unit sizes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}},
                         times[] = {{"d", 86400000000}, {"h", 3600000000}, {"m", 60000000},
                                    {"s", 1000000},     {"ms", 1000},      {"us", 1}};
enum { SIZES = sizeof sizes / sizeof *sizes, TIMES = sizeof times / sizeof *times };

static bool with_unit(const char *text, const struct unit *units, unsigned n, int64_t *out)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (errno || end == text || v < 0)
		return false;
	while (*end == ' ')
		end++;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(end, units[i].name) == 0)
			return !__builtin_mul_overflow((int64_t)v, units[i].factor, out);
	return false;
}

bool eg_parse_size(const char *text, int64_t *out)
{
	return with_unit(text, sizes, SIZES, out);
}

bool eg_parse_time(const char *text, int64_t *out)
{
	return with_unit(text, times, TIMES, out);
}

void eg_show_size(int64_t bytes, char *out, size_t size)
{
	unsigned i = 0;
	while (i < SIZES - 2 && (bytes % sizes[i].factor || !bytes))
		i++;
	snprintf(out, size, "%" PRId64 "%s", bytes / sizes[i].factor, i < SIZES - 2 ? sizes[i].name : "");
}

void eg_show_time(int64_t us, char *out, size_t size)
{
	unsigned i = 0;
	while (us % times[i].factor || (!us && times[i].factor != 1000000))
		i++;
	snprintf(out, size, "%" PRId64 "%s", us / times[i].factor, times[i].name);
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
