/* http_answer: see http_answer.h. */
#include "connectors/http_answer.h"

#include "connectors/http_charset.h"

#include <stdlib.h>
#include <string.h>

/* What a status means; the first row that fits. */
static const struct {
	int from, to;
	enum eg_http_outcome outcome;
} statuses[] = {
        {200, 299, EG_HTTP_DONE},    {401, 401, EG_HTTP_AUTH},
        {403, 403, EG_HTTP_AUTH},    {408, 408, EG_HTTP_AGAIN},
        {425, 425, EG_HTTP_AGAIN},   {429, 429, EG_HTTP_AGAIN},
        {400, 499, EG_HTTP_REFUSED}, {500, 599, EG_HTTP_AGAIN},
        {0, 9999, EG_HTTP_BROKEN}, /* redirects among them */
};

/* Which list of codes means what; a code in none of them is a refusal. */
static const struct {
	const char *setting;
	enum eg_http_outcome outcome;
} code_lists[] = {
        {"ok_codes", EG_HTTP_DONE},   {"exists_codes", EG_HTTP_EXISTS}, {"retry_codes", EG_HTTP_AGAIN},
        {"auth_codes", EG_HTTP_AUTH}, {"quota_codes", EG_HTTP_SPENT},
};

static const enum eg_rc rcs[] = {
        [EG_HTTP_DONE] = EG_OK,
        [EG_HTTP_EXISTS] = EG_EXISTS,
        [EG_HTTP_REFUSED] = EG_INVALID,
        [EG_HTTP_AGAIN] = EG_UNAVAILABLE,
        [EG_HTTP_AUTH] = EG_UNAUTHENTICATED,
        [EG_HTTP_SPENT] = EG_BUSY,
        [EG_HTTP_BROKEN] = EG_UNAVAILABLE,
};

enum eg_rc eg_http_answer_open(struct eg_http_answer *a, const struct eg_settings *s, struct eg_err *err)
{
	size_t nodes = (size_t)EG_DOC_VALUES_MAX * 2 * sizeof(struct eg_doc_node);
	size_t text =
	        (size_t)eg_settings_int(s, "max_response") * 8; /* names, values, and what aligns them */
	*a = (struct eg_http_answer){.arena = eg_arena_new(nodes + text)};
	return a->arena ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for answers");
}

void eg_http_answer_free(struct eg_http_answer *a)
{
	eg_arena_free(a->arena);
	eg_buf_free(&a->text);
}

enum eg_rc eg_http_answer_check(const struct eg_settings *s, struct eg_err *err)
{
	if (!eg_doc_path_valid(eg_settings_text(s, "code_path")))
		return eg_settings_fail(s, "code_path", err, "must be a path such as /code");
	if (!eg_doc_path_valid(eg_settings_text(s, "inner_path")))
		return eg_settings_fail(s, "inner_path", err, "must be a path such as /Envelope/Body/result");
	for (unsigned i = 0; i < eg_settings_count(s, "exists_statuses"); i++) {
		const char *status = eg_settings_item(s, "exists_statuses", i);
		if (strlen(status) != 3 || *status != '4' || strspn(status, "0123456789") != 3)
			return eg_settings_fail(s, "exists_statuses", err,
			                        "item %u is no status from 400 to 499", i + 1);
	}
	return EG_OK;
}

static bool type_fits(const struct eg_settings *s, const char *type)
{
	unsigned n = eg_settings_count(s, "content_types");
	size_t len = strcspn(type, "; ");
	for (unsigned i = 0; i < n; i++) {
		const char *want = eg_settings_item(s, "content_types", i);
		if (strlen(want) == len && strncasecmp(want, type, len) == 0)
			return true;
	}
	const char *form = strcasestr(type, eg_settings_text(s, "answer_format"));
	return !n && form && (size_t)(form - type) < len;
}

/* The document in a->text. */
static enum eg_rc parse(struct eg_http_answer *a, const struct eg_settings *s, struct eg_err *err)
{
	const char *format = eg_settings_text(s, "answer_format"),
	           *inner = eg_settings_text(s, "inner_format");
	enum eg_rc rc =
	        (*format == 'x' ? eg_xml_read : eg_json_read)(eg_buf_bytes(&a->text), a->arena, &a->doc, err);
	a->elements = *(*inner == 'n' ? format : inner) == 'x';
	if (rc || *inner == 'n')
		return rc;
	struct eg_bytes text = eg_doc_text(a->doc, eg_settings_text(s, "inner_path"));
	if (!text.p)
		return eg_fail(err, EG_INVALID, "the answer has no text at inner_path");
	return (a->elements ? eg_xml_read : eg_json_read)(text, a->arena, &a->doc, err);
}

static enum eg_rc read_doc(struct eg_http_answer *a, const struct eg_settings *s,
                           const struct eg_curl_answer *raw, struct eg_err *err)
{
	char charset[EG_HTTP_CHARSET_MAX];
	const char *set = eg_settings_text(s, "charset");
	if (!type_fits(s, raw->content_type))
		return eg_fail(err, EG_INVALID, "the answer's Content-Type is not one of %s",
		               eg_settings_text(s, "answer_format"));
	eg_http_charset_of(raw->content_type, raw->body, charset);
	enum eg_rc rc = eg_http_charset_read(raw->body, *set ? set : charset, &a->text, &a->bad_bytes, err);
	return rc ? rc : parse(a, s, err);
}

static void empty(struct eg_http_answer *a)
{
	eg_arena_reset(a->arena);
	a->doc = NULL;
	a->bad_bytes = false;
	a->date_us = 0;
}

enum eg_rc eg_http_answer_again(struct eg_http_answer *a, const struct eg_settings *s, struct eg_bytes text,
                                bool bad_bytes, struct eg_err *err)
{
	empty(a);
	a->bad_bytes = bad_bytes;
	eg_buf_reset(&a->text);
	eg_buf_add(&a->text, text.p, text.len);
	return a->text.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for an answer") : parse(a, s, err);
}

static void tell(struct eg_err *err, enum eg_http_outcome outcome, int status, struct eg_bytes code)
{
	bool plain = code.len && code.len <= EG_HTTP_CODE_MAX;
	for (size_t i = 0; plain && i < code.len; i++)
		plain = (code.p[i] >= '0' && code.p[i] <= '9') || (code.p[i] >= 'A' && code.p[i] <= 'Z') ||
		        (code.p[i] >= 'a' && code.p[i] <= 'z') || code.p[i] == '_' || code.p[i] == '-' ||
		        code.p[i] == '.';
	if (plain)
		eg_fail(err, rcs[outcome], "the peer answered with status %d, code %.*s", status,
		        (int)code.len, (const char *)code.p);
	else
		eg_fail(err, rcs[outcome], "the peer answered with status %d%s", status,
		        code.p ? " and a code that is not told" : "");
}

static enum eg_http_outcome by_code(const struct eg_settings *s, struct eg_bytes code)
{
	for (size_t k = 0; k < sizeof code_lists / sizeof *code_lists; k++)
		for (unsigned i = 0; i < eg_settings_count(s, code_lists[k].setting); i++)
			if (eg_bytes_equal(eg_bytes_of(eg_settings_item(s, code_lists[k].setting, i)), code))
				return code_lists[k].outcome;
	return EG_HTTP_REFUSED;
}

static enum eg_http_outcome by_status(const struct eg_settings *s, int status)
{
	size_t i = 0;
	for (unsigned k = 0; k < eg_settings_count(s, "exists_statuses"); k++)
		if (atoi(eg_settings_item(s, "exists_statuses", k)) == status) // NOLINT: judged at the start
			return EG_HTTP_EXISTS;
	while (status < statuses[i].from || status > statuses[i].to)
		i++;
	return statuses[i].outcome;
}

enum eg_http_outcome eg_http_answer_read(struct eg_http_answer *a, const struct eg_settings *s,
                                         const struct eg_curl_answer *raw, bool wanted, struct eg_err *err)
{
	const char *path = eg_settings_text(s, "code_path");
	enum eg_http_outcome outcome = by_status(s, raw->status);
	struct eg_bytes code = {NULL, 0};
	empty(a);
	a->date_us = raw->date_us;
	bool readable = (wanted || *path) && raw->status != 204 && !read_doc(a, s, raw, err);
	if (readable && *path)
		code = eg_doc_text(a->doc, path);
	if (outcome == EG_HTTP_DONE && (wanted || *path) && !readable) {
		if (raw->status == 204)
			eg_fail(err, EG_UNAVAILABLE, "the peer answered without a body");
		if (err)
			err->rc = EG_UNAVAILABLE;
		return EG_HTTP_BROKEN;
	}
	if (outcome == EG_HTTP_DONE && *path && !code.p) {
		eg_fail(err, EG_UNAVAILABLE, "the answer has no code at %s", path);
		return EG_HTTP_BROKEN;
	}
	/* A status of success stands under the body's code; one of failure can be made clearer by it. */
	if (code.p) {
		enum eg_http_outcome said = by_code(s, code);
		if (outcome == EG_HTTP_DONE || (said != EG_HTTP_DONE && said != EG_HTTP_REFUSED))
			outcome = said;
	}
	if (outcome != EG_HTTP_DONE)
		tell(err, outcome, raw->status, code);
	return outcome;
}
