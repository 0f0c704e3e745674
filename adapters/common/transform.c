/* transform: see transform.h. */
#include "common/transform.h"

#include "common/utf8.h"
#include "model/id_number.h"
#include "model/text.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 64 };

static const struct {
	const char *name, *zh, *en;
} faults[] = {
        [EG_FAULT_NONE] = {"", "", ""},
#define X(name, zh, en) [EG_FAULT_##name] = {#name, zh, en},
#include "common/faults.def"
};

static const struct {
	const char *name, *doc;
	enum eg_step_arguments arguments;
} steps[] = {
#define X(name, arguments, doc) [EG_STEP_##name] = {#name, doc, EG_ARGS_##arguments},
#include "common/transforms.def"
};

const char *eg_fault_name(enum eg_fault f)
{
	return faults[f].name;
}

const char *eg_fault_text(enum eg_fault f, bool zh)
{
	return zh ? faults[f].zh : faults[f].en;
}

const char *eg_step_name(enum eg_step_kind k)
{
	return steps[k].name;
}

const char *eg_step_doc(enum eg_step_kind k)
{
	return steps[k].doc;
}

enum eg_step_arguments eg_step_arguments(enum eg_step_kind k)
{
	return steps[k].arguments;
}

void eg_work_free(struct eg_work *w)
{
	eg_buf_free(&w->side[0]);
	eg_buf_free(&w->side[1]);
}

struct eg_buf *eg_work_turn(struct eg_work *w)
{
	w->now = !w->now;
	eg_buf_reset(&w->side[w->now]);
	return &w->side[w->now];
}

/* ---- characters ---- */

/* Takes one character off the front; a byte that begins none comes alone, as a cp that is none of any kind.
 */
static struct eg_bytes take(struct eg_bytes *s, uint32_t *cp)
{
	size_t pos = 0;
	if (*s->p < 0x80) {
		*cp = *s->p;
		pos = 1;
	} else if (!eg_utf8_next(*s, &pos, cp)) {
		*cp = UINT32_MAX;
		pos = 1;
	}
	struct eg_bytes c = {s->p, pos};
	s->p += pos;
	s->len -= pos;
	return c;
}

static bool blank(uint32_t cp)
{
	return cp != UINT32_MAX && (eg_is_space(cp) || eg_is_zero_width(cp));
}

static struct eg_bytes trim(struct eg_bytes s)
{
	struct eg_bytes rest = s, c;
	uint32_t cp;
	const uint8_t *begin = NULL, *end = s.p;
	/* What most values are: nothing to drop. */
	if (s.len && s.p[0] > ' ' && s.p[0] < 0x7F && s.p[s.len - 1] > ' ' && s.p[s.len - 1] < 0x7F)
		return s;
	while (rest.len) {
		c = take(&rest, &cp);
		if (blank(cp))
			continue;
		if (!begin)
			begin = c.p;
		end = c.p + c.len;
	}
	return begin ? (struct eg_bytes){begin, (size_t)(end - begin)} : (struct eg_bytes){s.p, 0};
}

static void spaces(struct eg_bytes s, bool keep_one, struct eg_buf *out)
{
	bool gap = false;
	uint32_t cp;
	while (s.len) {
		struct eg_bytes c = take(&s, &cp);
		if (cp != UINT32_MAX && eg_is_space(cp)) {
			gap = true;
			continue;
		}
		if (gap && keep_one)
			eg_buf_add_u8(out, ' ');
		gap = false;
		eg_buf_add(out, c.p, c.len);
	}
	if (gap && keep_one)
		eg_buf_add_u8(out, ' ');
}

static bool ascii(struct eg_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] >= 0x80)
			return false;
	return true;
}

static void half_width(struct eg_bytes s, struct eg_buf *out)
{
	uint32_t cp;
	while (s.len) {
		struct eg_bytes c = take(&s, &cp);
		uint32_t half = cp == UINT32_MAX ? cp : eg_half_width(cp);
		if (half != cp)
			eg_utf8_add(out, half);
		else
			eg_buf_add(out, c.p, c.len);
	}
}

static void upper(struct eg_bytes s, struct eg_buf *out)
{
	for (size_t i = 0; i < s.len; i++)
		eg_buf_add_u8(out, s.p[i] >= 'a' && s.p[i] <= 'z' ? (uint8_t)(s.p[i] - 32) : s.p[i]);
}

static bool all_digits(struct eg_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0;
}

/* ---- numbers of documents, and what spreadsheets do to numbers ---- */

static void id_number(struct eg_bytes s, struct eg_buf *out)
{
	struct eg_id id;
	uint32_t cp;
	eg_id_parse(s, &id);
	if (*id.id18 && !id.derived) {
		eg_buf_add(out, id.id18, strlen(id.id18));
		return;
	}
	while (s.len) {
		struct eg_bytes c = take(&s, &cp);
		if (blank(cp))
			continue;
		if (cp != UINT32_MAX && (cp = eg_half_width(cp)) < 0x80)
			eg_buf_add_u8(out, (uint8_t)(cp >= 'a' && cp <= 'z' ? cp - 32 : cp));
		else
			eg_buf_add(out, c.p, c.len);
	}
}

/* 3.30302E+17 */
static bool scientific(struct eg_bytes s)
{
	size_t i = 0, digits = 0;
	for (; i < s.len && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.'); i++)
		digits += s.p[i] != '.';
	if (!digits || i == s.len || (s.p[i] != 'E' && s.p[i] != 'e'))
		return false;
	i++;
	if (i < s.len && (s.p[i] == '+' || s.p[i] == '-'))
		i++;
	return all_digits((struct eg_bytes){s.p + i, s.len - i});
}

static void pad(const struct eg_step *t, struct eg_bytes s, struct eg_buf *out)
{
	for (size_t n = s.len; n < (size_t)t->i; n++)
		eg_buf_add(out, t->a.p, t->a.len);
	eg_buf_add(out, s.p, s.len);
}

/* ---- parts ---- */

/* The next part of *rest; false when there is none left. *over begins false. */
static bool next_part(struct eg_bytes *rest, struct eg_bytes by, bool *over, struct eg_bytes *part)
{
	if (*over)
		return false;
	const uint8_t *at = rest->len ? memmem(rest->p, rest->len, by.p, by.len) : NULL;
	*part = (struct eg_bytes){rest->p, at ? (size_t)(at - rest->p) : rest->len};
	*over = !at;
	rest->p += part->len + (at ? by.len : 0);
	rest->len -= part->len + (at ? by.len : 0);
	return true;
}

static struct eg_bytes split(const struct eg_step *t, struct eg_bytes s)
{
	struct eg_bytes rest = s, part;
	bool over = false;
	int64_t n = 0, wanted = t->i;
	if (wanted < 0) {
		while (next_part(&rest, t->a, &over, &part))
			n++;
		wanted += n + 1;
		rest = s;
		over = false;
	}
	for (n = 1; next_part(&rest, t->a, &over, &part); n++)
		if (n == wanted)
			return part;
	return (struct eg_bytes){s.p, 0};
}

static struct eg_bytes substring(const struct eg_step *t, struct eg_bytes s)
{
	uint32_t cp;
	for (int64_t n = 1; n < t->i && s.len; n++)
		take(&s, &cp);
	struct eg_bytes rest = s;
	for (int64_t n = 0; (!t->j || n < t->j) && rest.len; n++)
		take(&rest, &cp);
	return (struct eg_bytes){s.p, (size_t)(rest.p - s.p)};
}

static void replace(const struct eg_step *t, struct eg_bytes s, struct eg_buf *out)
{
	struct eg_bytes part;
	bool over = false;
	for (unsigned n = 0; next_part(&s, t->a, &over, &part); n++) {
		if (n)
			eg_buf_add(out, t->b.p, t->b.len);
		eg_buf_add(out, part.p, part.len);
	}
}

static int by_bytes(const void *a, const void *b)
{
	return eg_bytes_cmp(*(const struct eg_bytes *)a, *(const struct eg_bytes *)b);
}

static bool sort(const struct eg_step *t, struct eg_bytes s, struct eg_buf *out)
{
	struct eg_bytes parts[PARTS_MAX], part;
	unsigned n = 0;
	bool over = false, any = false;
	while (next_part(&s, t->a, &over, &part)) {
		part = trim(part);
		if (part.len && n == PARTS_MAX)
			return false;
		if (part.len)
			parts[n++] = part;
	}
	if (n)
		qsort(parts, n, sizeof *parts, by_bytes);
	for (unsigned i = 0; i < n; i++) {
		if (i && eg_bytes_equal(parts[i], parts[i - 1]))
			continue;
		if (any)
			eg_buf_add_u8(out, ',');
		eg_buf_add(out, parts[i].p, parts[i].len);
		any = true;
	}
	return true;
}

/* ---- the steps ---- */

enum eg_fault eg_step_run(const struct eg_step *t, struct eg_work *w, struct eg_bytes *value)
{
	struct eg_bytes in = *value;
	struct eg_buf *out;
	switch (t->kind) {
	case EG_STEP_trim:
		*value = trim(in);
		return EG_FAULT_NONE;
	case EG_STEP_split:
		*value = split(t, in);
		return EG_FAULT_NONE;
	case EG_STEP_substring:
		*value = substring(t, in);
		return EG_FAULT_NONE;
	case EG_STEP_refuse_scientific:
		return scientific(in) ? EG_FAULT_EXCEL_DAMAGE : EG_FAULT_NONE;
	case EG_STEP_half_width:
		if (ascii(in))
			return EG_FAULT_NONE;
		break;
	case EG_STEP_pad:
		if (!all_digits(in) || in.len >= (size_t)t->i)
			return EG_FAULT_NONE;
		break;
	default:
		break;
	}
	if (!in.len)
		return EG_FAULT_NONE;
	out = eg_work_turn(w);
	switch (t->kind) {
	case EG_STEP_collapse_spaces:
		spaces(in, true, out);
		break;
	case EG_STEP_remove_spaces:
		spaces(in, false, out);
		break;
	case EG_STEP_half_width:
		half_width(in, out);
		break;
	case EG_STEP_upper:
		upper(in, out);
		break;
	case EG_STEP_digits:
		for (size_t i = 0; i < in.len; i++)
			if (in.p[i] >= '0' && in.p[i] <= '9')
				eg_buf_add_u8(out, in.p[i]);
		break;
	case EG_STEP_id_number:
		id_number(in, out);
		break;
	case EG_STEP_pad:
		pad(t, in, out);
		break;
	case EG_STEP_replace:
		replace(t, in, out);
		break;
	case EG_STEP_prepend:
		eg_buf_add(out, t->a.p, t->a.len);
		eg_buf_add(out, in.p, in.len);
		break;
	case EG_STEP_append:
		eg_buf_add(out, in.p, in.len);
		eg_buf_add(out, t->a.p, t->a.len);
		break;
	case EG_STEP_sort:
		if (!sort(t, in, out))
			return EG_FAULT_VALUE_TOO_LARGE;
		break;
	default:
		break;
	}
	w->failed |= out->failed;
	*value = eg_buf_bytes(out);
	return EG_FAULT_NONE;
}
