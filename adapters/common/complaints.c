/* complaints: see complaints.h. */
#include "common/complaints.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool before(const struct eg_complaint *a, const struct eg_complaint *b)
{
	return a->line != b->line ? a->line < b->line : a->column < b->column;
}

/* A text that was cut ends before the character that did not fit. */
static void cut_whole(char *text)
{
	struct eg_bytes rest = eg_bytes_of(text);
	bool valid = true;
	while (rest.len) {
		size_t step = eg_utf8_step(rest, &valid);
		if (!valid && step == rest.len)
			text[rest.p - (const uint8_t *)text] = 0;
		rest.p += step;
		rest.len -= step;
	}
}

static void keep(struct eg_complaints *c, const struct eg_complaint *new)
{
	unsigned i = c->n;
	c->total++;
	if (c->n < EG_COMPLAINTS_MAX)
		c->n++;
	else if (!before(new, &c->items[--i]))
		return;
	for (; i > 0 && before(new, &c->items[i - 1]); i--)
		c->items[i] = c->items[i - 1];
	c->items[i] = *new;
}

void eg_complain_text(struct eg_complaints *c, const char *text)
{
	struct eg_complaint new = {0};
	snprintf(new.text, sizeof new.text, "%s", text);
	cut_whole(new.text);
	keep(c, &new);
}

void eg_complain_at(struct eg_complaints *c, const char *path, unsigned line, unsigned column,
                    const char *fmt, ...)
{
	struct eg_complaint new = {.line = line, .column = column};
	va_list ap;
	int len = line ? snprintf(new.text, sizeof new.text, "%s:%u:%u: ", path, line, column)
	               : snprintf(new.text, sizeof new.text, "%s: ", path);
	if (len < 0 || (size_t)len >= sizeof new.text)
		len = 0;
	va_start(ap, fmt);
	vsnprintf(new.text + len, sizeof new.text - (size_t)len, fmt, ap);
	va_end(ap);
	cut_whole(new.text);
	keep(c, &new);
}

enum eg_rc eg_complaints_end(const struct eg_complaints *c, struct eg_err *err)
{
	if (!c->total)
		return EG_OK;
	if (c->total == 1)
		return eg_fail(err, EG_CONFIG, "%s", c->items[0].text);
	return eg_fail(err, EG_CONFIG, "%.290s (and %u more)", c->items[0].text, c->total - 1);
}
