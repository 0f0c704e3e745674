/* lines: see lines.h. One buffer holds what was read; the rest of it moves to the front before more is read.
 */
#include "base/lines.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 256 << 10 };

struct eg_lines {
	char *name;
	eg_read *read;
	void *arg;
	size_t line_max, cap, at, have;
	size_t seen; /* bytes from at on that hold no line end */
	bool over, within;
	uint8_t *p;
};

struct eg_lines *eg_lines_new(const char *name, eg_read *read, void *arg, size_t line_max)
{
	struct eg_lines *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->cap = line_max + CHUNK;
	l->name = strdup(name);
	l->p = malloc(l->cap);
	if (!l->name || !l->p) {
		free(l->name);
		free(l->p);
		free(l);
		return NULL;
	}
	l->read = read;
	l->arg = arg;
	l->line_max = line_max;
	return l;
}

void eg_lines_free(struct eg_lines *l)
{
	if (!l)
		return;
	explicit_bzero(l->p, l->have);
	free(l->p);
	free(l->name);
	free(l);
}

static enum eg_rc fill(struct eg_lines *l, struct eg_err *err)
{
	if (l->at) {
		memmove(l->p, l->p + l->at, l->have - l->at);
		l->have -= l->at;
		l->at = 0;
	}
	ssize_t n = l->read(l->arg, l->p + l->have, l->cap - l->have);
	if (n < 0)
		return eg_fail_errno(err, "%s", l->name);
	l->over = n == 0;
	l->have += (size_t)n;
	return EG_OK;
}

enum eg_rc eg_lines_next(struct eg_lines *l, struct eg_bytes *line, bool *piece, struct eg_err *err)
{
	const uint8_t *end = NULL;
	for (;;) {
		size_t left = l->have - l->at;
		end = left > l->seen ? memchr(l->p + l->at + l->seen, '\n', left - l->seen) : NULL;
		l->seen = end ? l->seen : left;
		if (end || l->over || left >= l->line_max)
			break;
		enum eg_rc rc = fill(l, err);
		if (rc)
			return rc;
	}
	const uint8_t *from = l->p + l->at;
	size_t len = end ? (size_t)(end - from) + 1 : l->have - l->at;
	bool cut = len > l->line_max;
	if (cut)
		len = l->line_max;
	else if (!end && !l->over)
		cut = true; /* exactly as long as the limit, and no end of it seen */
	*piece = cut || l->within;
	l->within = cut;
	*line = (struct eg_bytes){from, len};
	l->at += len;
	l->seen = 0;
	return len ? EG_OK : EG_EMPTY;
}

enum eg_rc eg_lines_ahead(struct eg_lines *l, size_t least, struct eg_bytes *out, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	while (!rc && !l->over && l->have - l->at < least && l->have - l->at < l->line_max)
		rc = fill(l, err);
	*out = (struct eg_bytes){l->p + l->at, l->have - l->at};
	return rc;
}

void eg_lines_skip(struct eg_lines *l, size_t n)
{
	size_t left = l->have - l->at;
	l->at += n < left ? n : left;
	l->seen = 0;
}
