/* when: see when.h. Every form, those found by themselves too, is read through one loop over tokens. */
#include "common/when.h"

#include <stdlib.h>
#include <string.h>

enum { DAY_S = 86400, EXCEL_EPOCH_DAYS = 25569, EXCEL_DAYS_MAX = 2958465 };

struct parts {
	int year, month, day, hour, minute, second;
	int micros;
	bool has_time;
};

/* ---- patterns ---- */

bool eg_when_compile(const char *format, struct eg_when *out, const char **why)
{
	bool year = false;
	*out = (struct eg_when){.automatic = strcmp(format, "auto") == 0,
	                        .excel = strcmp(format, "excel") == 0};
	if (out->automatic || out->excel)
		return true;
	for (const char *p = format; *p;) {
		size_t run = strspn(p, (char[]){*p, 0});
		char kind = strchr("YMDhmsf", *p) ? *p : 0;
		if (out->n == EG_WHEN_TOKENS_MAX) {
			*why = "is too long";
			return false;
		}
		if ((kind == 'Y' && run != 4) || (kind && strchr("MDh", kind) && run > 2) ||
		    (kind && strchr("ms", kind) && run != 2)) {
			*why = "must use YYYY, MM or M, DD or D, hh or h, mm, ss, f";
			return false;
		}
		year |= kind == 'Y';
		out->tokens[out->n].kind = kind;
		out->tokens[out->n].literal = *p;
		out->tokens[out->n++].two = run == 2;
		p += kind ? run : 1;
	}
	if (!year)
		*why = "has no YYYY; or write auto, or excel";
	return year;
}

static bool digits(struct eg_bytes *s, unsigned least, unsigned most, int *out)
{
	unsigned n = 0;
	*out = 0;
	while (n < most && n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
		*out = *out * 10 + (s->p[n++] - '0');
	s->p += n;
	s->len -= n;
	return n >= least;
}

static bool fraction(struct eg_bytes *s, int *micros)
{
	unsigned n = 0;
	int unit = 100000;
	*micros = 0;
	for (; n < s->len && s->p[n] >= '0' && s->p[n] <= '9'; n++, unit /= 10)
		*micros += (s->p[n] - '0') * unit;
	s->p += n;
	s->len -= n;
	return n > 0;
}

/* Takes the pattern off the front of *s. */
static bool match(const struct eg_when *w, struct eg_bytes *s, struct parts *out)
{
	*out = (struct parts){0};
	for (unsigned i = 0; i < w->n; i++) {
		bool two = w->tokens[i].two, ok = false;
		switch (w->tokens[i].kind) {
		case 'Y':
			ok = digits(s, 4, 4, &out->year);
			break;
		case 'M':
			ok = digits(s, two ? 2 : 1, 2, &out->month);
			break;
		case 'D':
			ok = digits(s, two ? 2 : 1, 2, &out->day);
			break;
		case 'h':
			ok = digits(s, two ? 2 : 1, 2, &out->hour);
			out->has_time = true;
			break;
		case 'm':
			ok = digits(s, 2, 2, &out->minute);
			break;
		case 's':
			ok = digits(s, 2, 2, &out->second);
			break;
		case 'f':
			ok = fraction(s, &out->micros);
			break;
		default:
			ok = s->len && *s->p == (uint8_t)w->tokens[i].literal;
			s->p += ok;
			s->len -= ok;
		}
		if (!ok)
			return false;
	}
	return true;
}

static const struct eg_when *usual(unsigned i)
{
	/* Longer forms first; each must be told from the next by its end. */
	static const char *const forms[] = {"YYYY-M-D",  "YYYY/M/D", "YYYY.M.D", "YYYY年M月D日",
	                                    "YYYYMMDD",  "YYYY-M",   "YYYY/M",   "YYYY.M",
	                                    "YYYY年M月", "YYYYMM",   "YYYY年",   "YYYY"};
	static _Thread_local struct eg_when compiled[sizeof forms / sizeof *forms];
	const char *ignored;
	if (i >= sizeof forms / sizeof *forms)
		return NULL;
	if (!compiled[i].n)
		eg_when_compile(forms[i], &compiled[i], &ignored);
	return &compiled[i];
}

/* ---- a time of day behind a date ---- */

static bool zone(struct eg_bytes *s, int32_t *zone_s, bool *given)
{
	int hour, minute = 0;
	*given = s->len > 0;
	if (!s->len)
		return true;
	uint8_t sign = *s->p;
	s->p++;
	s->len--;
	if (sign == 'Z' || sign == 'z') {
		*zone_s = 0;
		return !s->len;
	}
	if ((sign != '+' && sign != '-') || !digits(s, 2, 2, &hour))
		return false;
	if (s->len && *s->p == ':') {
		s->p++;
		s->len--;
	}
	if (s->len && !digits(s, 2, 2, &minute))
		return false;
	*zone_s = (sign == '-' ? -1 : 1) * (hour * 3600 + minute * 60);
	return !s->len && hour < 24 && minute < 60;
}

/* " 8:05", "T08:05:09.123456+08:00", "080509" */
static bool time_of_day(struct eg_bytes s, struct parts *p, int32_t *zone_s)
{
	bool colons, given;
	if (s.len < 2)
		return !s.len;
	if (*s.p != ' ' && *s.p != 'T' && (*s.p < '0' || *s.p > '9'))
		return false;
	if (*s.p == ' ' || *s.p == 'T') {
		s.p++;
		s.len--;
	}
	if (!digits(&s, 1, 2, &p->hour) || !s.len)
		return false;
	colons = *s.p == ':';
	s.p += colons;
	s.len -= colons;
	if (!digits(&s, 2, 2, &p->minute))
		return false;
	if (s.len && (*s.p == ':' || (!colons && *s.p >= '0' && *s.p <= '9'))) {
		s.p += colons;
		s.len -= colons;
		if (!digits(&s, 2, 2, &p->second))
			return false;
		if (s.len > 1 && *s.p == '.') {
			s.p++;
			s.len--;
			if (!fraction(&s, &p->micros))
				return false;
		}
	}
	if (s.len && *s.p == ' ') {
		s.p++;
		s.len--;
	}
	p->has_time = true;
	return zone(&s, zone_s, &given);
}

/* ---- reading ---- */

static bool date_of(const struct parts *p, struct eg_date *out)
{
	struct eg_date d = {(int16_t)p->year, (uint8_t)p->month, (uint8_t)p->day};
	*out = d;
	return eg_date_valid(d);
}

static bool read_parts(const struct eg_when *w, struct eg_bytes text, struct parts *out, int32_t *zone_s)
{
	struct eg_bytes s = text;
	struct eg_date d;
	if (!w->automatic)
		return match(w, &s, out) && !s.len && date_of(out, &d);
	const struct eg_when *form;
	for (unsigned i = 0; (form = usual(i)); i++) {
		s = text;
		if (!match(form, &s, out))
			continue;
		if (!s.len)
			return date_of(out, &d);
		/* Digits right behind digits are a time of day only where the date was whole: 20260102030405
		 */
		bool run = *s.p >= '0' && *s.p <= '9';
		if (out->day && (!run || s.len == 6) && time_of_day(s, out, zone_s))
			return date_of(out, &d);
	}
	return false;
}

static bool clock_ok(const struct parts *p)
{
	return p->hour < 24 && p->minute < 60 && p->second < 60;
}

/* A spreadsheet's day number, with a fraction of the day behind it. */
static bool excel(struct eg_bytes text, int64_t *us)
{
	int64_t days = 0, part = 0, unit = DAY_S * EG_SECOND;
	size_t i = 0;
	for (; i < text.len && i < 8 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
		days = days * 10 + (text.p[i] - '0');
	/* Below 61 spreadsheets count a 29 February 1900 that never was. */
	if (!i || days < 61 || days > EXCEL_DAYS_MAX)
		return false;
	if (i < text.len && text.p[i] == '.' && i + 1 < text.len)
		for (i++; i < text.len && text.p[i] >= '0' && text.p[i] <= '9'; i++)
			part += (text.p[i] - '0') * (unit /= 10);
	*us = (days - EXCEL_EPOCH_DAYS) * DAY_S * EG_SECOND + part;
	return i == text.len;
}

bool eg_when_date(const struct eg_when *w, struct eg_bytes text, struct eg_date *out)
{
	struct parts p;
	int32_t ignored = 0;
	int64_t us;
	if (w->excel) {
		if (!excel(text, &us))
			return false;
		*out = eg_date_of_instant(us, 0);
		return true;
	}
	return read_parts(w, text, &p, &ignored) && clock_ok(&p) && date_of(&p, out);
}

bool eg_when_instant(const struct eg_when *w, struct eg_bytes text, int32_t zone_s, int64_t *us)
{
	struct parts p;
	struct eg_date d;
	if (w->excel) {
		bool ok = excel(text, us);
		*us = ok ? *us - zone_s * EG_SECOND : 0;
		return ok;
	}
	if (!read_parts(w, text, &p, &zone_s) || !clock_ok(&p) || !date_of(&p, &d) || !d.day)
		return false;
	int64_t seconds =
	        (int64_t)eg_date_days(d) * DAY_S + p.hour * 3600 + p.minute * 60 + p.second - zone_s;
	*us = seconds * EG_SECOND + p.micros;
	return true;
}

/* ---- writing ---- */

static void write_parts(const struct eg_when *w, const struct parts *p, struct eg_buf *out)
{
	for (unsigned i = 0; i < w->n; i++) {
		int two = w->tokens[i].two ? 2 : 1;
		switch (w->tokens[i].kind) {
		case 'Y':
			eg_buf_printf(out, "%04d", p->year);
			break;
		case 'M':
			eg_buf_printf(out, "%0*d", two, p->month);
			break;
		case 'D':
			eg_buf_printf(out, "%0*d", two, p->day);
			break;
		case 'h':
			eg_buf_printf(out, "%0*d", two, p->hour);
			break;
		case 'm':
			eg_buf_printf(out, "%02d", p->minute);
			break;
		case 's':
			eg_buf_printf(out, "%02d", p->second);
			break;
		case 'f':
			eg_buf_printf(out, "%06d", p->micros);
			break;
		default:
			eg_buf_add_u8(out, (uint8_t)w->tokens[i].literal);
		}
	}
}

static void preset(const struct eg_when *w, const char *format, struct eg_when *out)
{
	const char *ignored;
	*out = *w;
	if (w->automatic || w->excel)
		eg_when_compile(format, out, &ignored);
}

void eg_when_write_date(const struct eg_when *w, struct eg_date d, struct eg_buf *out)
{
	struct eg_when form;
	struct parts p = {.year = d.year, .month = d.month, .day = d.day};
	preset(w, "YYYY-MM-DD", &form);
	write_parts(&form, &p, out);
}

void eg_when_write_instant(const struct eg_when *w, int64_t us, int32_t zone_s, struct eg_buf *out)
{
	struct eg_when form;
	int64_t local = us + zone_s * EG_SECOND, day = DAY_S * EG_SECOND;
	int64_t within = (local % day + day) % day;
	int seconds = (int)(within / EG_SECOND);
	struct eg_date d = eg_date_of_instant(us, zone_s);
	struct parts p = {.year = d.year,
	                  .month = d.month,
	                  .day = d.day,
	                  .hour = seconds / 3600,
	                  .minute = seconds / 60 % 60,
	                  .second = seconds % 60,
	                  .micros = (int)(within % EG_SECOND)};
	preset(w, "YYYY-MM-DD hh:mm:ss", &form);
	write_parts(&form, &p, out);
}
