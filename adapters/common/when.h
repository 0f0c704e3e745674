/* when: dates and instants by the formats that agencies write them in.
 *
 * A format is a pattern: YYYY; MM, DD, hh, mm, ss of two digits; M, D, h of one or two; f a fraction of the
 * second; anything else stands for itself ("YYYY年M月D日"). Or "auto", every usual form; or "excel", the day
 * number of a spreadsheet. Pure. */
#ifndef EG_ADAPTERS_WHEN_H
#define EG_ADAPTERS_WHEN_H

#include "base/buf.h"
#include "base/clock.h"

enum { EG_WHEN_TOKENS_MAX = 24 };

struct eg_when {
	bool automatic, excel;
	unsigned n;
	struct {
		char kind; /* 'Y', 'M', 'D', 'h', 'm', 's', 'f', or 0: the byte literal */
		char literal;
		bool two; /* exactly two digits */
	} tokens[EG_WHEN_TOKENS_MAX];
};

/* False with *why: a text that goes behind "the format". */
bool eg_when_compile(const char *format, struct eg_when *out, const char **why);

/* The whole of text must be of the form. A month or day of 00 is not known. A time of day behind a date that
 * was found by itself is passed over. */
bool eg_when_date(const struct eg_when *w, struct eg_bytes text, struct eg_date *out);
/* zone_s: of a text that names no zone of its own. Without a time of day it is midnight there. */
bool eg_when_instant(const struct eg_when *w, struct eg_bytes text, int32_t zone_s, int64_t *us);

/* Written by the pattern ("auto": YYYY-MM-DD, and with a time of day for an instant); an unknown month or day
 * is 00. */
void eg_when_write_date(const struct eg_when *w, struct eg_date d, struct eg_buf *out);
void eg_when_write_instant(const struct eg_when *w, int64_t us, int32_t zone_s, struct eg_buf *out);

#endif
