/* http_request: one request made from the settings' templates, with its signature.
 *
 * Besides the caller's values there are ${rid}, ${sid}, ${rtime} (now), ${request_id} (random, 32 hex
 * digits),
 * ${secret}; in query, headers and URL ${sign}; in sign_text ${body}. Signature: HMAC of sign_text. Thread:
 * one. */
#ifndef EG_ADAPTERS_HTTP_REQUEST_H
#define EG_ADAPTERS_HTTP_REQUEST_H

#include "connectors/curl.h"
#include "connectors/template.h"
#include "eldergate/settings.h"

enum { EG_HTTP_VALUES_MAX = 400, EG_HTTP_HEADERS_MAX = 80 };

struct eg_http_what {
	const char *prefix; /* of the settings' names: "" or "renew_" */
	const char *method;
	const struct eg_template_value *values; /* the caller's; they live until the answer */
	unsigned n;
	const char *header; /* one more, ready; NULL: none */
};

struct eg_http_request {
	struct eg_buf url, body, headers; /* headers: each with its NUL */
	const char *lines[EG_HTTP_HEADERS_MAX];
	struct eg_curl_request curl; /* points into the others */
};

/* Replaces what r held. EG_CONFIG names the setting at fault. */
enum eg_rc eg_http_request_make(struct eg_http_request *r, const struct eg_settings *s,
                                const struct eg_http_what *what, const char *secret, int64_t now_us,
                                struct eg_err *err);
void eg_http_request_free(struct eg_http_request *r); /* wipes */

/* Is every template right? Tries them with made-up values in place of what's; a JSON or XML body must come
 * out well-formed. EG_CONFIG with the setting's place. */
enum eg_rc eg_http_request_check(const struct eg_settings *s, const struct eg_http_what *what,
                                 struct eg_err *err);

#endif
