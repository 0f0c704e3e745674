/* clock: the system's clocks, civil dates by the proleptic Gregorian calendar, RFC 3339 text. Thread: any; no
 * state.
 *
 * Days are counted from 1970-01-01 over years that begin in March, so that the leap day is the last of its
 * year. */
#include "base/clock.h"

#include <stddef.h>
#include <string.h>

#define DAY_S         86400
#define DAYS_PER_ERA  146097 /* 400 years */
#define DAYS_TO_EPOCH 719468 /* 0000-03-01 to 1970-01-01 */

static int64_t clock_us(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * EG_SECOND + t.tv_nsec / 1000;
}

int64_t eg_now_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t eg_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

struct timespec eg_mono_deadline(int64_t mono_us)
{
	if (mono_us < 0)
		mono_us = 0;
	return (struct timespec){.tv_sec = mono_us / EG_SECOND, .tv_nsec = mono_us % EG_SECOND * 1000};
}

void eg_mono_cond(pthread_cond_t *c)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

static bool leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	return month == 2 && leap(year) ? 29 : days[month - 1];
}

bool eg_date_valid(struct eg_date d)
{
	if (d.year < 1 || d.year > 9999 || d.month > 12)
		return false;
	if (d.month == 0 || d.day == 0)
		return d.day == 0;
	return d.day <= days_in_month(d.year, d.month);
}

/* Exactly n digits; moves *text behind them. -1 if they are not there. */
static int digits(const char **text, int n)
{
	int v = 0;
	for (; n; n--, (*text)++) {
		if (**text < '0' || **text > '9')
			return -1;
		v = v * 10 + (**text - '0');
	}
	return v;
}

/* The date at the start of *text, with as many parts as stand there. */
static bool scan_date(const char **text, struct eg_date *out)
{
	int year = digits(text, 4), month = 0, day = 0;
	if (year < 0)
		return false;
	if (**text == '-') {
		++*text;
		if ((month = digits(text, 2)) < 1)
			return false;
		if (**text == '-') {
			++*text;
			if ((day = digits(text, 2)) < 1)
				return false;
		}
	}
	*out = (struct eg_date){(int16_t)year, (uint8_t)month, (uint8_t)day};
	return eg_date_valid(*out);
}

bool eg_date_parse(const char *text, struct eg_date *out)
{
	struct eg_date d;
	if (!text || !scan_date(&text, &d) || *text)
		return false;
	*out = d;
	return true;
}

/* v with n digits, then a character; returns what follows. */
static char *put(char *out, int v, int n, char behind)
{
	for (int i = n; i--; v /= 10)
		out[i] = (char)('0' + v % 10);
	out[n] = behind;
	return out + n + 1;
}

void eg_date_format(struct eg_date d, char out[16])
{
	*out = '\0';
	if (d.year <= 0)
		return;
	out = put(out, d.year, 4, '\0');
	if (d.month == 0)
		return;
	out[-1] = '-';
	out = put(out, d.month, 2, '\0');
	if (d.day == 0)
		return;
	out[-1] = '-';
	put(out, d.day, 2, '\0');
}

int32_t eg_date_pack(struct eg_date d)
{
	return (int32_t)d.year * (1 << 9) + (d.month << 5 | d.day);
}

struct eg_date eg_date_unpack(int32_t packed)
{
	return (struct eg_date){(int16_t)(packed >> 9), (uint8_t)(packed >> 5 & 15), (uint8_t)(packed & 31)};
}

int eg_date_cmp(struct eg_date a, struct eg_date b)
{
	int32_t x = eg_date_pack(a), y = eg_date_pack(b);
	return (x > y) - (x < y);
}

int32_t eg_date_days(struct eg_date d)
{
	int year = d.year ? d.year : 1, month = d.month ? d.month : 1, day = d.day ? d.day : 1;
	year -= month <= 2;
	int era = (year >= 0 ? year : year - 399) / 400;
	int of_era = year - era * 400;
	int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * DAYS_PER_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_TO_EPOCH;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static struct eg_date date_of_days(int64_t days)
{
	days += DAYS_TO_EPOCH;
	int64_t era = floor_div(days, DAYS_PER_ERA);
	int of_era = (int)(days - era * DAYS_PER_ERA);
	int year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int march_month = (5 * of_year + 2) / 153;
	int month = march_month < 10 ? march_month + 3 : march_month - 9;
	int64_t year = era * 400 + year_of_era + (month <= 2);
	if (year < 1 || year > 9999)
		return (struct eg_date){0};
	return (struct eg_date){(int16_t)year, (uint8_t)month,
	                        (uint8_t)(of_year - (153 * march_month + 2) / 5 + 1)};
}

struct eg_date eg_date_of_instant(int64_t us, int32_t zone_offset_s)
{
	return date_of_days(floor_div(floor_div(us, EG_SECOND) + zone_offset_s, DAY_S));
}

void eg_instant_format(int64_t us, char out[32])
{
	int64_t seconds = floor_div(us, EG_SECOND), days = floor_div(seconds, DAY_S);
	struct eg_date d = date_of_days(days);
	if (d.year == 0) { /* RFC 3339 ends at the year 9999 */
		strcpy(out, us < 0 ? "0001-01-01T00:00:00.000000Z" : "9999-12-31T23:59:59.999999Z");
		return;
	}
	int of_day = (int)(seconds - days * DAY_S);
	out = put(out, d.year, 4, '-');
	out = put(out, d.month, 2, '-');
	out = put(out, d.day, 2, 'T');
	out = put(out, of_day / 3600, 2, ':');
	out = put(out, of_day / 60 % 60, 2, ':');
	out = put(out, of_day % 60, 2, '.');
	out = put(out, (int)(us - seconds * EG_SECOND), 6, 'Z');
	*out = '\0';
}

/* "Z" or "+08:00"; the offset in seconds. */
static bool scan_zone(const char **text, int *offset_s)
{
	char sign = *(*text)++;
	*offset_s = 0;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (sign != '+' && sign != '-')
		return false;
	int hours = digits(text, 2);
	if (hours < 0 || hours > 23 || *(*text)++ != ':')
		return false;
	int minutes = digits(text, 2);
	if (minutes < 0 || minutes > 59)
		return false;
	*offset_s = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
	return true;
}

bool eg_instant_parse(const char *text, int64_t *us)
{
	struct eg_date d;
	if (!text || !scan_date(&text, &d) || d.day == 0 || (*text != 'T' && *text != 't'))
		return false;
	text++;
	int hour = digits(&text, 2);
	if (hour < 0 || hour > 23 || *text++ != ':')
		return false;
	int minute = digits(&text, 2);
	if (minute < 0 || minute > 59 || *text++ != ':')
		return false;
	int second = digits(&text, 2);
	if (second < 0 || second > 60)
		return false;
	int64_t fraction = 0;
	if (*text == '.') {
		const char *start = ++text;
		for (int64_t unit = EG_SECOND / 10; *text >= '0' && *text <= '9'; text++, unit /= 10)
			fraction += unit * (*text - '0'); /* what is finer than a microsecond is cut */
		if (text == start)
			return false;
	}
	int offset_s;
	if (!scan_zone(&text, &offset_s) || *text)
		return false;
	int64_t seconds = (int64_t)eg_date_days(d) * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
	/* A leap second ends a UTC day; here it is the first second of the next one. */
	if (second == 60 && seconds % DAY_S != 0)
		return false;
	*us = seconds * EG_SECOND + fraction;
	return true;
}
