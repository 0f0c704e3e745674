/* id_number: reading, checking and extending ID numbers; see id_number.h.
 *
 * References: GB 11643-1999 (number, check digit, sequence parity), GB/T 2260 (region codes). Thread: any. */
#include "model/id_number.h"

#include "model/text.h"

#include <string.h>

/* Longer than any form, so that a number that is too long is still seen to be. */
enum { TEXT_MAX = 40 };

/* The number as ASCII: white space and zero-width characters gone, full-width made half-width, upper case,
 * every sign that people type for the X made one. A character that is still not ASCII becomes '?', which no
 * form allows. */
static size_t normalise(struct eg_bytes raw, char out[TEXT_MAX + 1])
{
	size_t pos = 0, n = 0;
	uint32_t cp;

	/* As most come: digits and capitals, which stay as they are. */
	while (n < raw.len && n < TEXT_MAX &&
	       ((raw.p[n] >= '0' && raw.p[n] <= '9') || (raw.p[n] >= 'A' && raw.p[n] <= 'Z'))) {
		out[n] = (char)raw.p[n];
		n++;
	}
	pos = n;
	while (n < TEXT_MAX && eg_utf8_next(raw, &pos, &cp)) {
		cp = eg_half_width(cp);
		if (eg_is_space(cp) || eg_is_zero_width(cp))
			continue;
		/* A spreadsheet's mark for "this is text". */
		if (n == 0 && (cp == '\'' || cp == 0x2018 || cp == 0x2019))
			continue;
		if (cp == 'x' || cp == 0xD7 || cp == 0x2715 || cp == 0x2716 || cp == 0x425 || cp == 0x445)
			cp = 'X'; /* multiplication sign, its dingbats, Cyrillic ha */
		if (cp >= 'a' && cp <= 'z')
			cp -= 'a' - 'A';
		out[n++] = (char)(cp > 0 && cp < 0x80 ? cp : '?');
	}
	if (pos < raw.len && n < TEXT_MAX)
		out[n++] = '?'; /* not UTF-8 from here on */
	out[n] = 0;
	return n;
}

static bool all_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
	}
	return true;
}

static bool all_letters(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] < 'A' || s[i] > 'Z')
			return false;
	}
	return true;
}

static unsigned number(const char *s, size_t n)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(s[i] - '0');
	return v;
}

char eg_id_check_digit(const char digits[17])
{
	static const uint8_t weight[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
	unsigned sum = 0;

	for (int i = 0; i < 17; i++)
		sum += weight[i] * (unsigned)(digits[i] - '0');
	return "10X98765432"[sum % 11];
}

/* "3.30302E+17" */
static bool scientific(const char *s)
{
	size_t i = strspn(s, "0123456789");

	if (i == 0)
		return false;
	if (s[i] == '.')
		i += 1 + strspn(s + i + 1, "0123456789");
	if (s[i] != 'E')
		return false;
	i++;
	if (s[i] == '+' || s[i] == '-')
		i++;
	return s[i] != 0 && s[i + strspn(s + i, "0123456789")] == 0;
}

/* Only the province is judged: an ID bears the code of its issue, and over half of the county codes of the
 * 1980s are gone from today's list. */
static bool region_known(const char *s)
{
	static const char provinces[] =
	        "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
	        "61 62 63 64 65 71 81 82 83 ";

	for (const char *p = provinces; *p; p += 3) {
		if (p[0] == s[0] && p[1] == s[1])
			return true;
	}
	return false;
}

static void read_birth(struct eg_id *id, const char *yyyymmdd)
{
	struct eg_date d = {
	        .year = (int16_t)number(yyyymmdd, 4),
	        .month = (uint8_t)number(yyyymmdd + 4, 2),
	        .day = (uint8_t)number(yyyymmdd + 6, 2),
	};

	/* eg_date_valid takes 0 for "not known", which a number cannot say. */
	if (d.year < EG_ID_YEAR_MIN || d.day == 0 || !eg_date_valid(d))
		id->flags |= EG_ID_BAD_DATE;
	else
		id->birth = d;
}

static void read_18(struct eg_id *id, const char *s)
{
	id->form = s[0] == '9'                                 ? EG_ID_FOREIGN_18
	           : s[0] == '8' && s[1] >= '1' && s[1] <= '3' ? EG_ID_PERMIT_18
	                                                       : EG_ID_RESIDENT_18;
	if (eg_id_check_digit(s) != s[17]) {
		id->flags |= EG_ID_BAD_CHECK_DIGIT;
		/* Spreadsheets keep 15 digits and fill the rest with zeros. */
		if (strcmp(s + 15, "000") == 0)
			id->flags |= EG_ID_EXCEL;
	}
	if (id->form != EG_ID_FOREIGN_18 && !region_known(s))
		id->flags |= EG_ID_UNKNOWN_REGION;
	read_birth(id, s + 6);
	id->sex = (s[16] - '0') % 2 ? 1 : 2;
	if (!(id->flags & EG_ID_FAULTS))
		memcpy(id->id18, s, 19);
}

static void read_15(struct eg_id *id, const char *s)
{
	char full[19];

	id->form = EG_ID_RESIDENT_15;
	if (!region_known(s))
		id->flags |= EG_ID_UNKNOWN_REGION;
	id->sex = (s[14] - '0') % 2 ? 1 : 2;
	memcpy(full, s, 6);
	memcpy(full + 6, "19", 2);
	memcpy(full + 8, s + 6, 9);
	full[17] = eg_id_check_digit(full);
	full[18] = 0;
	/* Whether these really were born in the 1800s is not settled by a primary text, so nothing is
	 * derived. */
	if (number(s + 12, 3) >= 996) {
		id->flags |= EG_ID_CENTENARIAN_15;
		return;
	}
	read_birth(id, full + 6);
	if (id->flags & EG_ID_FAULTS)
		return;
	id->derived = true;
	memcpy(id->id18, full, sizeof full);
}

void eg_id_parse(struct eg_bytes raw, struct eg_id *out)
{
	char s[TEXT_MAX + 1];
	size_t n;

	*out = (struct eg_id){.form = EG_ID_ABSENT};
	if (eg_text_says_none(raw))
		return;
	n = normalise(raw, s);
	if (n == 18 && all_digits(s, 17) && (s[17] == 'X' || all_digits(s + 17, 1))) {
		read_18(out, s);
		return;
	}
	if (n == 15 && all_digits(s, 15)) {
		read_15(out, s);
		return;
	}
	if (n == 15 && all_letters(s, 3) && all_digits(s + 3, 12)) {
		out->form = EG_ID_FOREIGN_15;
		return;
	}
	out->form = EG_ID_UNREADABLE;
	if (scientific(s)) {
		out->flags = EG_ID_EXCEL;
		return;
	}
	if (n != 15 && n != 18)
		out->flags |= EG_ID_BAD_LENGTH;
	/* An X can only stand last; a lone X in the right place is not the reason why a number is too short.
	 */
	if (n == 0 || !all_digits(s, n - 1) || !(s[n - 1] == 'X' || all_digits(s + n - 1, 1)) || n == 15)
		out->flags |= EG_ID_BAD_CHARACTERS;
}
