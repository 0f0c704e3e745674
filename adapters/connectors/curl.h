/* curl: one HTTP exchange after another with one peer that is not trusted; the only user of libcurl.
 *
 *   idle --start--> under way --wait: EG_OK or an error--> idle      (drop: idle at once)
 *
 * http and https only, HTTP/1.1; certificate and host name always verified, TLS 1.2 or newer; no proxy but
 * the one given, no cookies, no netrc, no decoding of compressed bodies (a peer that sends one is an error).
 * A redirect is an answer like any other unless allowed, and is then followed for GET and HEAD within the
 * same scheme, host and port only. Memory is bounded by max_body: a longer answer is cut off while it comes
 * in. Thread: one. Errors hold neither the URL's query nor a header. */
#ifndef EG_ADAPTERS_CURL_H
#define EG_ADAPTERS_CURL_H

#include "base/buf.h"
#include "eldergate/err.h"

struct eg_curl;

struct eg_curl_options {
	int64_t connect_us; /* to resolve, connect and shake hands */
	int64_t total_us;   /* a whole exchange */
	int64_t slow_bytes; /* fewer bytes a second than this over slow_us: given up; 0: no such limit */
	int64_t slow_us;
	int64_t max_body;
	unsigned redirects;
	const char *proxy;       /* "": none */
	const char *ca_file;     /* "": the system's */
	const char *certificate; /* PEM; "": none */
	const char *key;         /* PEM, 0600 */
};

struct eg_curl_request {
	const char *method; /* GET, POST, PUT */
	const char *url;
	const char *const *headers; /* "Name: value" */
	unsigned n_headers;
	struct eg_bytes body; /* p NULL: none */
};

struct eg_curl_answer {
	int status;
	struct eg_bytes body;
	char content_type[128]; /* "" if it has none, or one that is too long */
	int64_t retry_after_us; /* 0: not said */
	int64_t date_us;        /* the peer's clock as it answered; 0: not said */
};

/* Strings of the options are copied. EG_CONFIG: a certificate or proxy libcurl does not take. */
enum eg_rc eg_curl_open(struct eg_curl **out, const struct eg_curl_options *o, struct eg_err *err);
void eg_curl_close(struct eg_curl *c); /* NULL is fine */

/* Begins an exchange; all of the request is copied. */
enum eg_rc eg_curl_start(struct eg_curl *c, const struct eg_curl_request *r, struct eg_err *err);
/* EG_EMPTY: still under way at the deadline. EG_OK: answered, whatever the status; the answer lives until the
 * next start. EG_UNAVAILABLE: no connection, or it broke; EG_DEADLINE: too slow; EG_LIMIT: too large;
 * EG_INVALID: no HTTP, or encoded; EG_UNAUTHENTICATED: TLS does not verify. */
enum eg_rc eg_curl_wait(struct eg_curl *c, int64_t mono_deadline_us, struct eg_curl_answer *out,
                        struct eg_err *err);
void eg_curl_drop(struct eg_curl *c);
/* May anything of the request that was started last have reached the peer? False: there was no connection.
 * What a proxy was asked for counts as sent: how far that went it alone knows. */
bool eg_curl_sent(const struct eg_curl *c);

/* EG_CONFIG: not an http or https URL with a host and without user and password. */
enum eg_rc eg_curl_check_url(const char *url, bool *plain, struct eg_err *err);

#endif
