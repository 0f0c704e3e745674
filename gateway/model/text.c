/* text: decoding, facts, name normalisation; see text.h. Thread: any. */
#include "model/text.h"

#include <string.h>

enum { NAME_DOT = 0xB7 };

static inline bool decode(struct eg_bytes s, size_t *pos, uint32_t *cp)
{
	size_t left = *pos < s.len ? s.len - *pos : 0;

	if (left == 0)
		return false;
	const uint8_t *p = s.p + *pos;

	if (p[0] < 0x80) {
		*cp = p[0];
		*pos += 1;
		return true;
	}
	unsigned n = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
	uint32_t least = n == 4 ? 0x10000 : n == 3 ? 0x800 : 0x80;

	if (p[0] < 0xC2 || p[0] > 0xF4 || left < n)
		return false;
	uint32_t c = p[0] & (0x7FU >> n);

	for (unsigned i = 1; i < n; i++) {
		if ((p[i] & 0xC0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3F);
	}
	if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
		return false;
	*cp = c;
	*pos += n;
	return true;
}

bool eg_utf8_next(struct eg_bytes s, size_t *pos, uint32_t *cp)
{
	return decode(s, pos, cp);
}

uint32_t eg_half_width(uint32_t cp)
{
	if (cp >= 0xFF01 && cp <= 0xFF5E)
		return cp - 0xFF01 + '!';
	return cp == 0x3000 ? ' ' : cp;
}

bool eg_is_space(uint32_t cp)
{
	return cp == ' ' || (cp >= '\t' && cp <= '\r') || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
	       (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
	       cp == 0x205F || cp == 0x3000;
}

static bool is_variation_selector(uint32_t cp)
{
	return (cp >= 0xFE00 && cp <= 0xFE0F) || (cp >= 0xE0100 && cp <= 0xE01EF);
}

bool eg_is_zero_width(uint32_t cp)
{
	return (cp >= 0x200B && cp <= 0x200F) || cp == 0x2060 || cp == 0xFEFF || cp == 0xAD ||
	       is_variation_selector(cp);
}

/* Private use counts as Han: registries keep rare name characters there. */
static bool is_han(uint32_t cp)
{
	return (cp >= 0x4E00 && cp <= 0x9FFF) || (cp >= 0x3400 && cp <= 0x4DBF) ||
	       (cp >= 0x20000 && cp <= 0x323AF) || (cp >= 0xF900 && cp <= 0xFAFF) ||
	       (cp >= 0xE000 && cp <= 0xF8FF) || (cp >= 0x2E80 && cp <= 0x2FDF) || cp == 0x3005 ||
	       cp == 0x3007;
}

/* The forms in which input methods and conversions deliver the dot of a name. */
static bool is_dot(uint32_t cp)
{
	switch (cp) {
	case NAME_DOT:
	case 0x0387: /* Greek ano teleia */
	case 0x2022: /* bullet */
	case 0x2024: /* one dot leader */
	case 0x2027: /* hyphenation point */
	case 0x2219: /* bullet operator */
	case 0x22C5: /* dot operator */
	case 0x25CF: /* black circle */
	case 0x30FB: /* katakana middle dot */
	case 0xFF65: /* half-width katakana middle dot */
		return true;
	default:
		return false;
	}
}

/* The digits and signs 0123456789!"#$%&*+/:;<=>?@[\]^_`{|}~, a bit each. */
static const uint32_t odd_ascii[4] = {0, 0xFFFF8C7E, 0xF8000001, 0x78000001};

static bool odd_in_name(uint32_t cp)
{
	cp = eg_half_width(cp);
	return cp < 0x80 && (odd_ascii[cp >> 5] >> (cp & 31) & 1);
}

/* U+FFFD written as UTF-8 but read as GBK, twice in a row: the commonest trace of a text that was converted
 * wrongly. */
static const char replacement_as_gbk[] = "锟斤拷";

struct eg_text_facts eg_text_facts(struct eg_bytes s)
{
	struct eg_text_facts f = {0};
	size_t pos = 0, latin = 0, letters = 0;
	bool maybe_gbk = false; /* only its first character makes the search worth while */
	uint32_t cp;

	while (decode(s, &pos, &cp)) {
		if (cp >= ' ' && cp < 0x7F) { /* nearly all there is: plain ASCII, then Han */
			f.chars++;
			f.odd_name |= odd_in_name(cp);
			letters += cp != ' ';
			continue;
		}
		if (cp >= 0x4E00 && cp <= 0x9FFF) {
			f.chars++;
			letters++;
			maybe_gbk |= cp == 0x951F;
			continue;
		}
		f.chars += !is_variation_selector(cp);
		f.nul |= cp == 0;
		f.control |= (cp > 0 && cp < 0x20) || (cp >= 0x7F && cp < 0xA0);
		f.suspect |= cp == 0xFFFD;
		f.odd_name |= odd_in_name(cp);
		/* Bytes above 0x7F read as Latin-1 land in one block. The name dot is there too. */
		latin += cp >= 0x80 && cp <= 0xFF && cp != NAME_DOT;
		letters += cp > ' ' && cp != NAME_DOT;
	}
	f.bad_utf8 = pos < s.len;
	/* A few accents among plain letters are a foreign name; half of the text or more is no language. */
	f.suspect |= latin >= 3 && latin * 2 >= letters;
	f.suspect |= (maybe_gbk || f.bad_utf8) &&
	             memmem(s.p, s.len, replacement_as_gbk, sizeof(replacement_as_gbk) - 1) != NULL;
	return f;
}

/* Upper case and half-width without white space; what follows the buffer's end is of no interest to the
 * caller. */
static size_t squeeze(struct eg_bytes s, char *out, size_t cap)
{
	size_t pos = 0, n = 0;
	uint32_t cp;

	for (size_t before = 0; decode(s, &pos, &cp); before = pos) {
		cp = eg_half_width(cp);
		if (eg_is_space(cp) || eg_is_zero_width(cp))
			continue;
		size_t width = cp < 0x80 ? 1 : pos - before;

		if (n + width >= cap)
			break;
		if (cp < 0x80)
			out[n] = (char)(cp >= 'a' && cp <= 'z' ? cp - 'a' + 'A' : cp);
		else
			memcpy(out + n, s.p + before, width);
		n += width;
	}
	out[n] = 0;
	return n;
}

bool eg_text_says_none(struct eg_bytes s)
{
	static const char *const words[] = {"无",   "無",   "暂无",   "没有", "不详",   "未知",
	                                    "不明", "空",   "无证件", "无名", "无名氏", "无身份证",
	                                    "NULL", "NONE", "N/A",    "NA",   "-",      "--",
	                                    "—",    "——",   "/",      "\\",   "0"};
	char text[32];

	/* What begins with a sign that squeezing keeps, and no word begins with, says something. */
	if (s.len && s.p[0] > ' ' && s.p[0] < 0x7F && !strchr("Nn-/\\0", s.p[0]))
		return false;
	if (squeeze(s, text, sizeof text) == 0)
		return true;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (text[0] == words[i][0] && strcmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

struct writer {
	char *out;
	size_t n, cap;
	bool full;
};

static void put(struct writer *w, uint32_t cp)
{
	char u[4];
	size_t n;

	if (cp < 0x80) {
		u[0] = (char)cp;
		n = 1;
	} else if (cp < 0x800) {
		u[0] = (char)(0xC0 | cp >> 6);
		u[1] = (char)(0x80 | (cp & 0x3F));
		n = 2;
	} else if (cp < 0x10000) {
		u[0] = (char)(0xE0 | cp >> 12);
		u[1] = (char)(0x80 | (cp >> 6 & 0x3F));
		u[2] = (char)(0x80 | (cp & 0x3F));
		n = 3;
	} else {
		u[0] = (char)(0xF0 | cp >> 18);
		u[1] = (char)(0x80 | (cp >> 12 & 0x3F));
		u[2] = (char)(0x80 | (cp >> 6 & 0x3F));
		u[3] = (char)(0x80 | (cp & 0x3F));
		n = 4;
	}
	if (w->n + n >= w->cap) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->n, u, n);
	w->n += n;
}

/* Writes what stood between two characters: white space, dots, or both. */
static void put_gap(struct writer *w, uint32_t before, uint32_t after, bool space, bool dot, bool stop)
{
	bool han = is_han(before) && is_han(after);

	if (dot || (stop && han))
		put(w, NAME_DOT);
	else if (stop)
		put(w, '.');
	/* "J. Smith" keeps its space, "张 三" and "A · B" do not. */
	if (space && !dot && !han && after)
		put(w, ' ');
}

size_t eg_name_normalise(struct eg_bytes raw, char *out, size_t cap)
{
	struct writer w = {.out = out, .cap = cap};
	uint32_t cp, before = 0;
	bool space = false, dot = false, stop = false; /* seen since `before` */
	size_t pos = 0;

	if (cap == 0)
		return 0;
	out[0] = 0;
	if (eg_text_says_none(raw))
		return 0;
	while (decode(raw, &pos, &cp)) {
		cp = eg_half_width(cp);
		if (cp == 0)
			goto none;
		if (eg_is_zero_width(cp))
			continue;
		if (eg_is_space(cp)) {
			space = true;
		} else if (is_dot(cp)) {
			dot = true;
		} else if (cp == '.') {
			stop = true;
		} else {
			/* What leads the name is no part of it. */
			if (before)
				put_gap(&w, before, cp, space, dot, stop);
			space = dot = stop = false;
			if (cp >= 'a' && cp <= 'z')
				cp -= 'a' - 'A';
			put(&w, cp);
			before = cp;
		}
	}
	if (pos < raw.len)
		goto none;
	/* "Smith Jr." keeps its stop; a dot at the end joins nothing. */
	if (before && stop && !dot && !is_han(before))
		put(&w, '.');
	if (w.full)
		goto none;
	out[w.n] = 0;
	return w.n;
none:
	out[0] = 0;
	return 0;
}
