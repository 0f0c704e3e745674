/* json: reads JSON into a doc; the only user of jansson.
 *
 * jansson keeps an object of two bytes in more than two hundred, so values are counted before it sees any. */
#include "connectors/doc.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Depth and number of values at most; no judgement of the syntax, which is jansson's. */
static enum eg_rc measure(struct eg_bytes text, struct eg_err *err)
{
	size_t values = 1;
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
			continue;
		}
		if (c == '"')
			quoted = true;
		else if (c == '{' || c == '[') {
			values++;
			if (++depth > EG_DOC_DEPTH_MAX)
				return eg_fail(err, EG_LIMIT, "the JSON is nested deeper than %d",
				               EG_DOC_DEPTH_MAX);
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		} else if (c == ',') {
			values++;
		}
		if (values > EG_DOC_VALUES_MAX)
			return eg_fail(err, EG_LIMIT,
			               "the JSON has more than %d values; ask for smaller pages",
			               EG_DOC_VALUES_MAX);
	}
	return EG_OK;
}

static struct eg_bytes scalar(const json_t *j, struct eg_buf *scratch)
{
	eg_buf_reset(scratch);
	switch (json_typeof(j)) {
	case JSON_STRING:
		return (struct eg_bytes){(const uint8_t *)json_string_value(j), json_string_length(j)};
	case JSON_INTEGER:
		eg_buf_printf(scratch, "%" PRId64, (int64_t)json_integer_value(j));
		break;
	case JSON_REAL:
		eg_buf_real(scratch, json_real_value(j));
		break;
	case JSON_TRUE:
		return eg_bytes_of("true");
	default:
		return eg_bytes_of("false");
	}
	return eg_buf_bytes(scratch);
}

static enum eg_doc_kind kind_of(const json_t *j)
{
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return EG_DOC_OBJECT;
	case JSON_ARRAY:
		return EG_DOC_ARRAY;
	case JSON_NULL:
		return EG_DOC_NULL;
	default:
		return EG_DOC_VALUE;
	}
}

struct reading {
	struct eg_arena *arena;
	struct eg_buf scratch;
};

/* As deep as measure allows. NULL: past the budget. */
static struct eg_doc_node *convert(struct reading *r, json_t *j, struct eg_bytes name,
                                   struct eg_doc_node *parent, struct eg_doc_node **last)
{
	enum eg_doc_kind kind = kind_of(j);
	struct eg_bytes text = kind == EG_DOC_VALUE ? scalar(j, &r->scratch) : (struct eg_bytes){NULL, 0};
	struct eg_doc_node *n =
	        r->scratch.failed ? NULL : eg_doc_add(r->arena, parent, last, kind, name, text);
	struct eg_doc_node *child = NULL;
	const char *key;
	size_t i;
	json_t *value;
	if (n && kind == EG_DOC_OBJECT) {
		json_object_foreach(j, key, value)
		{
			if (!convert(r, value, eg_bytes_of(key), n, &child))
				return NULL;
		}
	} else if (n && kind == EG_DOC_ARRAY) {
		json_array_foreach(j, i, value)
		{
			if (!convert(r, value, (struct eg_bytes){NULL, 0}, n, &child))
				return NULL;
		}
	}
	return n;
}

/* jansson's own texts quote what stands near the fault: persons' data. */
static const char *what(enum json_error_code code)
{
	switch (code) {
	case json_error_duplicate_key:
		return "a key occurs twice in one object";
	case json_error_invalid_utf8:
		return "it is not UTF-8";
	case json_error_null_byte_in_key:
	case json_error_null_character:
		return "a key holds NUL";
	case json_error_premature_end_of_input:
		return "it is cut short";
	case json_error_numeric_overflow:
		return "a number has too many digits; ask the peer to send it as text";
	case json_error_out_of_memory:
		return "no memory";
	default:
		return "it is not well-formed";
	}
}

enum eg_rc eg_json_read(struct eg_bytes text, struct eg_arena *a, struct eg_doc_node **out,
                        struct eg_err *err)
{
	json_error_t why;
	struct reading r = {.arena = a};
	enum eg_rc rc = measure(text, err);
	if (rc)
		return rc;
	json_t *j = json_loadb((const char *)text.p, text.len,
	                       JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &why);
	if (!j)
		return eg_fail(err, EG_INVALID, "the JSON cannot be read, line %d, column %d: %s", why.line,
		               why.column, what(json_error_code(&why)));
	*out = convert(&r, j, (struct eg_bytes){NULL, 0}, NULL, NULL);
	json_decref(j);
	eg_buf_free(&r.scratch);
	return *out ? EG_OK : eg_fail(err, EG_LIMIT, "the JSON needs more memory than a page may");
}
