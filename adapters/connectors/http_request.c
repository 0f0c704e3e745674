/* http_request: see http_request.h. */
#include "connectors/http_request.h"

#include "connectors/doc.h"
#include "trust/crypto.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN = 8 };

struct making {
	const struct eg_settings *s;
	const struct eg_http_what *what;
	struct eg_template_value values[EG_HTTP_VALUES_MAX + OWN];
	unsigned n;
	char rtime[24], id[33], sign[2 * EG_HASH_SIZE + 1];
	char name[64]; /* of a setting */
};

static const char *name_of(struct making *m, const char *what)
{
	snprintf(m->name, sizeof m->name, "%s%s", m->what->prefix, what);
	return m->name;
}

static void value(struct making *m, const char *name, enum eg_template_kind kind, struct eg_bytes text)
{
	m->values[m->n++] = (struct eg_template_value){name, kind, text};
}

/* A fault of a template is told at its setting. */
static enum eg_rc fill(struct making *m, const char *setting, const char *template,
                       enum eg_template_context context, struct eg_buf *out, struct eg_err *err)
{
	struct eg_err why;
	enum eg_rc rc = eg_template_fill(template, context, m->values, m->n, out, &why);
	if (!rc)
		return EG_OK;
	return rc == EG_CONFIG ? eg_settings_fail(m->s, setting, err, "%s", why.text)
	                       : eg_fail(err, rc, "%s", why.text);
}

static void own_values(struct making *m, const char *secret, int64_t now_us)
{
	const struct eg_settings *s = m->s;
	uint8_t random[16];
	bool ms = strcmp(eg_settings_text(s, "sign_time"), "ms") == 0;
	snprintf(m->rtime, sizeof m->rtime, "%" PRId64, now_us / (ms ? 1000 : 1000000));
	eg_random(random, sizeof random);
	eg_hex(random, sizeof random, m->id);
	value(m, "rid", EG_TEMPLATE_TEXT, eg_bytes_of(eg_settings_text(s, "rid")));
	value(m, "sid", EG_TEMPLATE_TEXT, eg_bytes_of(eg_settings_text(s, "sid")));
	value(m, "rtime", EG_TEMPLATE_NUMBER, eg_bytes_of(m->rtime));
	value(m, "request_id", EG_TEMPLATE_TEXT, eg_bytes_of(m->id));
	value(m, "secret", EG_TEMPLATE_TEXT, eg_bytes_of(secret));
}

static enum eg_rc sign(struct making *m, const char *secret, struct eg_bytes body, struct eg_err *err)
{
	const char *how = eg_settings_text(m->s, "sign");
	uint8_t mac[EG_HASH_SIZE];
	struct eg_buf text = {0};
	if (strcmp(how, "none") == 0)
		return EG_OK;
	value(m, "body", EG_TEMPLATE_TEXT, body);
	enum eg_rc rc =
	        fill(m, "sign_text", eg_settings_text(m->s, "sign_text"), EG_TEMPLATE_PLAIN, &text, err);
	m->n--;
	if (!rc) {
		struct eg_bytes part = eg_buf_bytes(&text);
		rc = eg_hmac(strcmp(how, "hmac-sm3") == 0 ? EG_HASH_SM3 : EG_HASH_SHA256, eg_bytes_of(secret),
		             &part, 1, mac, err);
	}
	eg_buf_reset(&text);
	if (!rc && strcmp(eg_settings_text(m->s, "sign_form"), "hex") == 0) {
		eg_hex(mac, sizeof mac, m->sign);
	} else if (!rc) {
		eg_base64(mac, sizeof mac, &text);
		snprintf(m->sign, sizeof m->sign, "%.*s", (int)text.len, text.p ? (const char *)text.p : "");
	}
	eg_buf_free(&text);
	if (!rc)
		value(m, "sign", EG_TEMPLATE_TEXT, eg_bytes_of(m->sign));
	return rc;
}

static enum eg_template_context body_context(const char *format)
{
	return *format == 'j' ? EG_TEMPLATE_JSON : *format == 'x' ? EG_TEMPLATE_XML : EG_TEMPLATE_URL;
}

static enum eg_rc make_url(struct making *m, struct eg_buf *out, struct eg_err *err)
{
	struct eg_err why;
	bool plain;
	const char *url = eg_settings_text(m->s, name_of(m, "url"));
	char joint = strchr(url, '?') ? '&' : '?';
	enum eg_rc rc = fill(m, m->name, url, EG_TEMPLATE_URL, out, err);
	unsigned n = eg_settings_count(m->s, name_of(m, "query"));
	for (unsigned i = 0; !rc && i < n; i++) {
		const char *item = eg_settings_item(m->s, m->name, i), *is = strchr(item, '=');
		if (!is || is == item)
			return eg_settings_fail(m->s, m->name, err, "each must be name=value");
		eg_buf_add_u8(out, (uint8_t)joint);
		eg_url_escape((struct eg_bytes){(const uint8_t *)item, (size_t)(is - item)}, out);
		eg_buf_add_u8(out, '=');
		rc = fill(m, m->name, is + 1, EG_TEMPLATE_URL, out, err);
		joint = '&';
	}
	eg_buf_add_u8(out, 0);
	if (rc || out->failed)
		return rc ? rc : eg_fail(err, EG_NO_MEMORY, "no memory for a URL");
	if (eg_curl_check_url((const char *)out->p, &plain, &why))
		return eg_settings_fail(m->s, name_of(m, "url"), err, "%s", why.text);
	if (plain && !eg_settings_int(m->s, "plain_http"))
		return eg_settings_fail(m->s, name_of(m, "url"), err,
		                        "http:// carries records in clear: https://, or plain_http: true");
	return EG_OK;
}

static bool header_name(const char *line)
{
	size_t len = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
	return len && line[len] == ':';
}

static enum eg_rc add_headers(struct making *m, const char *setting, struct eg_buf *out, unsigned *n,
                              struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	unsigned count = eg_settings_count(m->s, setting);
	for (unsigned i = 0; !rc && i < count; i++, ++*n) {
		const char *line = eg_settings_item(m->s, setting, i);
		if (!header_name(line))
			return eg_settings_fail(m->s, setting, err, "each must be \"Name: value\"");
		rc = fill(m, setting, line, EG_TEMPLATE_HEADER, out, err);
		eg_buf_add_u8(out, 0);
	}
	return rc;
}

static bool gives(const struct eg_settings *s, const char *setting, const char *name)
{
	for (unsigned i = 0; i < eg_settings_count(s, setting); i++)
		if (strncasecmp(eg_settings_item(s, setting, i), name, strlen(name)) == 0)
			return true;
	return false;
}

static enum eg_rc make_headers(struct making *m, struct eg_http_request *r, struct eg_err *err)
{
	const char *format = eg_settings_text(m->s, "body_format");
	unsigned n = 0;
	enum eg_rc rc = add_headers(m, name_of(m, "headers"), &r->headers, &n, err);
	if (!rc && strcmp(eg_settings_text(m->s, "sign"), "none") != 0)
		rc = add_headers(m, "sign_headers", &r->headers, &n, err);
	if (rc)
		return rc;
	if (r->body.len && !gives(m->s, name_of(m, "headers"), "Content-Type:")) {
		eg_buf_printf(&r->headers, "Content-Type: %s",
		              *format == 'j'   ? "application/json; charset=utf-8"
		              : *format == 'x' ? "text/xml; charset=utf-8"
		                               : "application/x-www-form-urlencoded");
		eg_buf_add_u8(&r->headers, 0);
		n++;
	}
	if (m->what->header) {
		eg_buf_add(&r->headers, m->what->header, strlen(m->what->header) + 1);
		n++;
	}
	if (r->headers.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for headers");
	const char *at = (const char *)r->headers.p;
	for (unsigned i = 0; i < n; i++, at += strlen(at) + 1)
		r->lines[i] = at;
	r->curl.headers = r->lines;
	r->curl.n_headers = n;
	return EG_OK;
}

enum eg_rc eg_http_request_make(struct eg_http_request *r, const struct eg_settings *s,
                                const struct eg_http_what *what, const char *secret, int64_t now_us,
                                struct eg_err *err)
{
	struct making *m = what->n <= EG_HTTP_VALUES_MAX ? calloc(1, sizeof *m) : NULL;
	if (!m)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a request");
	m->s = s;
	m->what = what;
	if (what->n)
		memcpy(m->values, what->values, what->n * sizeof *m->values);
	m->n = what->n;
	own_values(m, secret, now_us);
	eg_buf_reset(&r->url);
	eg_buf_reset(&r->body);
	eg_buf_reset(&r->headers);
	const char *body = eg_settings_text(s, name_of(m, "body"));
	enum eg_rc rc =
	        fill(m, m->name, body, body_context(eg_settings_text(s, "body_format")), &r->body, err);
	if (!rc)
		rc = sign(m, secret, eg_buf_bytes(&r->body), err);
	if (!rc)
		rc = make_url(m, &r->url, err);
	if (!rc)
		rc = make_headers(m, r, err);
	if (!rc) {
		r->curl.method = what->method;
		r->curl.url = (const char *)r->url.p;
		r->curl.body = *body ? eg_buf_bytes(&r->body) : (struct eg_bytes){NULL, 0};
	}
	explicit_bzero(m, sizeof *m);
	free(m);
	return rc;
}

void eg_http_request_free(struct eg_http_request *r)
{
	eg_buf_free(&r->url);
	eg_buf_free(&r->body);
	eg_buf_free(&r->headers);
}

enum eg_rc eg_http_request_check(const struct eg_settings *s, const struct eg_http_what *what,
                                 struct eg_err *err)
{
	const char *format = eg_settings_text(s, "body_format");
	char setting[64];
	struct eg_err why;
	struct eg_http_request r = {0};
	struct eg_doc_node *root;
	enum eg_rc rc = eg_http_request_make(&r, s, what, "secret", 0, err);
	struct eg_arena *a = eg_arena_new(64 << 20);
	if (!a && !rc)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory to check a template");
	if (!rc && r.curl.body.p && *format != 'f' &&
	    (*format == 'j' ? eg_json_read : eg_xml_read)(r.curl.body, a, &root, &why)) {
		snprintf(setting, sizeof setting, "%sbody", what->prefix);
		rc = eg_settings_fail(s, setting, err, "%s", why.text);
	}
	eg_arena_free(a);
	eg_http_request_free(&r);
	return rc;
}
