/* file_control: see file_control.h. */
#include "connectors/file_control.h"

#include "base/buf.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { NUMBER_DIGITS = 15, VALUE_MAX = 128 };

static bool number(const char *text, int64_t *out)
{
	size_t len = strlen(text);
	int64_t v = 0;
	if (!len || len > NUMBER_DIGITS)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		v = v * 10 + (text[i] - '0');
	}
	bool same = *out < 0 || *out == v;
	*out = v;
	return same;
}

static bool digest(struct file_control *c, enum eg_hash_kind kind, const char *text)
{
	uint8_t raw[EG_HASH_SIZE];
	if (c->has_digest || strlen(text) != 2 * sizeof raw || !eg_unhex(text, raw, sizeof raw))
		return false;
	c->has_digest = true;
	c->kind = kind;
	memcpy(c->digest, raw, sizeof raw);
	return true;
}

static bool is(const char *key, const char *a, const char *b)
{
	return strcasecmp(key, a) == 0 || (b && strcasecmp(key, b) == 0);
}

/* Copies without the white space around; false when it does not fit or holds a NUL. */
static bool trimmed(const uint8_t *p, size_t len, char *out, size_t cap)
{
	while (len && isspace(p[0]))
		p++, len--;
	while (len && isspace(p[len - 1]))
		len--;
	if (len >= cap || memchr(p, 0, len))
		return false;
	memcpy(out, p, len);
	out[len] = 0;
	return true;
}

static enum eg_rc one(struct file_control *c, const uint8_t *p, size_t len, const char *name,
                      struct eg_err *err)
{
	char key[32] = "", value[VALUE_MAX] = "";
	size_t split = 0;
	while (split < len && p[split] != '=' && p[split] != ',')
		split++;
	if (split == len || !trimmed(p, split, key, sizeof key) || !key[0] ||
	    !trimmed(p + split + 1, len - split - 1, value, sizeof value))
		return eg_fail(err, EG_INVALID, "a line of the control file is not key=value");
	bool ok = true;
	if (is(key, "rows", "count") || is(key, "records", NULL))
		ok = number(value, &c->rows);
	else if (is(key, "size", "bytes"))
		ok = number(value, &c->size);
	else if (is(key, "sha256", "sha-256"))
		ok = digest(c, EG_HASH_SHA256, value);
	else if (is(key, "sm3", NULL))
		ok = digest(c, EG_HASH_SM3, value);
	else if (is(key, "file", "name"))
		ok = strcmp(value, name) == 0;
	return ok ? EG_OK : eg_fail(err, EG_INVALID, "the control file's \"%s\" does not fit", key);
}

enum eg_rc file_control_parse(struct file_control *out, struct eg_bytes text, const char *name,
                              struct eg_err *err)
{
	*out = (struct file_control){.rows = -1, .size = -1, .kind = EG_HASH_SHA256};
	const uint8_t *p = text.p;
	size_t left = text.len;
	if (left >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3, left -= 3;
	while (left) {
		const uint8_t *end = memchr(p, '\n', left);
		size_t len = end ? (size_t)(end - p) : left, step = end ? len + 1 : len;
		bool empty = true;
		for (size_t i = 0; i < len && empty; i++)
			empty = isspace(p[i]);
		if (!empty && p[0] != '#') {
			enum eg_rc rc = one(out, p, len, name, err);
			if (rc)
				return rc;
		}
		p += step;
		left -= step;
	}
	return EG_OK;
}
