/* curl: see curl.h. One easy handle within a multi handle, so that waiting ends at the caller's deadline. */
#include "connectors/curl.h"

#include "base/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADERS_MAX = 64 << 10, /* bytes of an answer's status lines, headers and trailers */
	POLL_MS = 1000          /* libcurl's own timers are shorter where it has any */
};

struct eg_curl {
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	struct eg_curl_options o;
	char *url; /* as begun: redirects stay with its host */
	unsigned hops;
	bool under_way, may_follow;
	bool sent; /* of the request, or of a redirect's before it */
	size_t header_bytes;
	bool too_large, encoded, headers_too_large;
	int64_t date_us;
	struct eg_buf body;
};

/* Once for the process, and never undone: another part of it may use libcurl too. */
static bool library(void)
{
	static bool done;
	return done || (done = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

/* ---- what comes in ---- */

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct eg_curl *c = arg;
	size_t len = size * n;
	if (len > (size_t)c->o.max_body - c->body.len) {
		c->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	eg_buf_add(&c->body, p, len);
	return c->body.failed ? CURL_WRITEFUNC_ERROR : len;
}

static bool header_is(const char *p, size_t len, const char *name, struct eg_bytes *value)
{
	size_t at = strlen(name);
	if (len <= at || strncasecmp(p, name, at) != 0 || p[at] != ':')
		return false;
	for (at++; at < len && (p[at] == ' ' || p[at] == '\t');)
		at++;
	while (len > at && strchr(" \t\r\n", p[len - 1]))
		len--;
	*value = (struct eg_bytes){(const uint8_t *)p + at, len - at};
	return true;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct eg_curl *c = arg;
	size_t len = size * n;
	struct eg_bytes value;
	c->header_bytes += len;
	c->headers_too_large = c->header_bytes > HEADERS_MAX;
	if (header_is(p, len, "date", &value) && value.len < 64) {
		char text[64];
		memcpy(text, value.p, value.len);
		text[value.len] = 0;
		time_t at = curl_getdate(text, NULL);
		c->date_us = at > 0 ? at * EG_SECOND : 0;
	}
	if (header_is(p, len, "content-encoding", &value) && value.len &&
	    !eg_bytes_equal(value, eg_bytes_of("identity")))
		c->encoded = true;
	return c->headers_too_large || c->encoded ? 0 : len;
}

/* ---- set-up ---- */

static CURLcode set_up(struct eg_curl *c)
{
	CURLcode rc = CURLE_OK;
#define SET(option, value)                                                                                   \
	if (!rc)                                                                                             \
	rc = curl_easy_setopt(c->easy, (option), (value))
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L); /* else closing waits for a resolver that hangs */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(CURLOPT_PROXY, c->o.proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (*c->o.ca_file) {
		SET(CURLOPT_CAINFO, c->o.ca_file);
		SET(CURLOPT_CAPATH, NULL);
	}
	if (*c->o.certificate) {
		SET(CURLOPT_SSLCERT, c->o.certificate);
		SET(CURLOPT_SSLKEY, c->o.key);
	}
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(c->o.connect_us / 1000));
	SET(CURLOPT_TIMEOUT_MS, (long)(c->o.total_us / 1000));
	if (c->o.slow_bytes) {
		SET(CURLOPT_LOW_SPEED_LIMIT, (long)c->o.slow_bytes);
		SET(CURLOPT_LOW_SPEED_TIME, (long)((c->o.slow_us + EG_SECOND - 1) / EG_SECOND));
	}
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)c->o.max_body);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, c);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, c);
	return rc;
}

enum eg_rc eg_curl_open(struct eg_curl **out, const struct eg_curl_options *o, struct eg_err *err)
{
	struct eg_curl *c = library() ? calloc(1, sizeof *c) : NULL;
	*out = NULL;
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an HTTP client");
	c->o = *o;
	c->multi = curl_multi_init();
	c->easy = curl_easy_init();
	CURLcode rc = c->multi && c->easy ? set_up(c) : CURLE_OUT_OF_MEMORY;
	if (rc) {
		eg_curl_close(c);
		return eg_fail(err, rc == CURLE_OUT_OF_MEMORY ? EG_NO_MEMORY : EG_CONFIG, "HTTP client: %s",
		               curl_easy_strerror(rc));
	}
	/* What the options pointed to, libcurl has copied. */
	c->o.proxy = c->o.ca_file = c->o.certificate = c->o.key = "";
	*out = c;
	return EG_OK;
}

void eg_curl_drop(struct eg_curl *c)
{
	if (c->under_way)
		curl_multi_remove_handle(c->multi, c->easy);
	c->under_way = false;
}

bool eg_curl_sent(const struct eg_curl *c)
{
	return c->sent;
}

void eg_curl_close(struct eg_curl *c)
{
	if (!c)
		return;
	eg_curl_drop(c);
	curl_easy_cleanup(c->easy);
	curl_multi_cleanup(c->multi);
	curl_slist_free_all(c->headers);
	free(c->url);
	eg_buf_free(&c->body);
	free(c);
}

/* ---- URLs ---- */

static bool part(CURLU *u, CURLUPart what, const char *is)
{
	char *text = NULL;
	bool same =
	        curl_url_get(u, what, &text, CURLU_DEFAULT_PORT) == CURLUE_OK && strcasecmp(text, is) == 0;
	curl_free(text);
	return same;
}

static bool has(CURLU *u, CURLUPart what)
{
	char *text = NULL;
	bool there = curl_url_get(u, what, &text, 0) == CURLUE_OK && *text;
	curl_free(text);
	return there;
}

enum eg_rc eg_curl_check_url(const char *url, bool *plain, struct eg_err *err)
{
	CURLU *u = library() ? curl_url() : NULL;
	if (!u)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a URL");
	bool good = curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK && has(u, CURLUPART_HOST) &&
	            !has(u, CURLUPART_USER) && !has(u, CURLUPART_PASSWORD);
	*plain = good && part(u, CURLUPART_SCHEME, "http");
	good = good && (*plain || part(u, CURLUPART_SCHEME, "https"));
	curl_url_cleanup(u);
	return good ? EG_OK
	            : eg_fail(err, EG_CONFIG,
	                      "must be http:// or https:// with a host, without user and password");
}

static bool same_place(const char *a, const char *b)
{
	static const CURLUPart parts[] = {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *x = curl_url(), *y = curl_url();
	bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
	            curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK && !has(y, CURLUPART_USER);
	for (unsigned i = 0; same && i < sizeof parts / sizeof *parts; i++) {
		char *text = NULL;
		same = curl_url_get(x, parts[i], &text, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		       part(y, parts[i], text);
		curl_free(text);
	}
	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

/* ---- an exchange ---- */

static bool add_header(struct eg_curl *c, const char *line)
{
	struct curl_slist *longer = curl_slist_append(c->headers, line);
	if (longer)
		c->headers = longer;
	return longer;
}

static enum eg_rc go(struct eg_curl *c, const char *url, struct eg_err *err)
{
	c->header_bytes = 0;
	c->date_us = 0;
	c->too_large = c->encoded = c->headers_too_large = false;
	eg_buf_reset(&c->body);
	if (curl_easy_setopt(c->easy, CURLOPT_URL, url) || curl_multi_add_handle(c->multi, c->easy))
		return eg_fail(err, EG_NO_MEMORY, "no memory for an HTTP request");
	c->under_way = true;
	return EG_OK;
}

enum eg_rc eg_curl_start(struct eg_curl *c, const struct eg_curl_request *r, struct eg_err *err)
{
	bool get = strcmp(r->method, "GET") == 0;
	eg_curl_drop(c);
	curl_slist_free_all(c->headers);
	free(c->url);
	c->headers = NULL;
	c->url = strdup(r->url);
	c->hops = 0;
	c->sent = false;
	c->may_follow = get;
	bool ok = c->url && add_header(c, "Expect:") && add_header(c, "Accept-Encoding: identity");
	for (unsigned i = 0; ok && i < r->n_headers; i++)
		ok = add_header(c, r->headers[i]);
	CURLcode rc = ok ? CURLE_OK : CURLE_OUT_OF_MEMORY;
	SET(CURLOPT_HTTPHEADER, c->headers);
	SET(CURLOPT_HTTPGET, 1L); /* forgets the last request's body */
	if (!get || r->body.p) {
		SET(CURLOPT_POST, 1L);
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		SET(CURLOPT_COPYPOSTFIELDS, r->body.p ? (const char *)r->body.p : "");
	}
	SET(CURLOPT_CUSTOMREQUEST, get && !r->body.p ? NULL : r->method);
	if (rc)
		return eg_fail(err, EG_NO_MEMORY, "HTTP request: %s", curl_easy_strerror(rc));
	return go(c, r->url, err);
}

static enum eg_rc failed(struct eg_curl *c, CURLcode code, struct eg_err *err)
{
	if (c->too_large || code == CURLE_FILESIZE_EXCEEDED)
		return eg_fail(err, EG_LIMIT, "the answer is larger than max_response (%lld bytes)",
		               (long long)c->o.max_body);
	if (c->headers_too_large)
		return eg_fail(err, EG_LIMIT, "the answer's headers are larger than %d bytes", HEADERS_MAX);
	if (c->encoded)
		return eg_fail(err, EG_INVALID,
		               "the answer is compressed although it must not be (Content-Encoding)");
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return eg_fail(err, EG_DEADLINE,
		               "the peer was too slow (connect_timeout, timeout, slow_bytes)");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return eg_fail(err, EG_UNAUTHENTICATED, "TLS: %s", curl_easy_strerror(code));
	case CURLE_URL_MALFORMAT:
		return eg_fail(err, EG_CONFIG, "the request's URL is none that may be asked");
	case CURLE_UNSUPPORTED_PROTOCOL: /* what it says of HTTP/0.9; the URL's was checked */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return eg_fail(err, EG_INVALID, "the peer does not speak HTTP as it should: %s",
		               curl_easy_strerror(code));
	case CURLE_OUT_OF_MEMORY:
		return eg_fail(err, EG_NO_MEMORY, "no memory for an answer");
	default:
		return eg_fail(err, EG_UNAVAILABLE, "the peer cannot be reached: %s",
		               curl_easy_strerror(code));
	}
}

/* Where an allowed redirect leads, or NULL. */
static const char *redirect(struct eg_curl *c, long status)
{
	char *to = NULL;
	bool moved = status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
	if (!moved || !c->may_follow || c->hops >= c->o.redirects ||
	    curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &to) || !to || !same_place(c->url, to))
		return NULL;
	return to;
}

static enum eg_rc finish(struct eg_curl *c, CURLcode code, struct eg_curl_answer *out, struct eg_err *err)
{
	long status = 0;
	curl_off_t after = 0;
	char *type = NULL, *to;
	if (code) {
		eg_curl_drop(c);
		return failed(c, code, err);
	}
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if ((to = (char *)redirect(c, status))) {
		char *copy = strdup(to);
		eg_curl_drop(c);
		c->hops++;
		enum eg_rc rc =
		        copy ? go(c, copy, err) : eg_fail(err, EG_NO_MEMORY, "no memory for a redirect");
		free(copy);
		return rc ? rc : EG_EMPTY;
	}
	curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &after);
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
	*out = (struct eg_curl_answer){
	        .status = (int)status, .body = eg_buf_bytes(&c->body), .date_us = c->date_us};
	out->retry_after_us = after > 0 && after < 1000000 ? after * EG_SECOND
	                      : after > 0                  ? 1000000 * EG_SECOND
	                                                   : 0;
	if (type && strlen(type) < sizeof out->content_type)
		memcpy(out->content_type, type, strlen(type) + 1);
	eg_curl_drop(c);
	return EG_OK;
}

enum eg_rc eg_curl_wait(struct eg_curl *c, int64_t mono_deadline_us, struct eg_curl_answer *out,
                        struct eg_err *err)
{
	int running = 0, left = 0;
	while (c->under_way) {
		if (curl_multi_perform(c->multi, &running)) {
			eg_curl_drop(c);
			return eg_fail(err, EG_INTERNAL, "libcurl cannot go on");
		}
		long bytes = 0;
		curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes);
		c->sent |= bytes > 0;
		CURLMsg *m = curl_multi_info_read(c->multi, &left);
		if (m && m->msg == CURLMSG_DONE) {
			enum eg_rc rc = finish(c, m->data.result, out, err);
			if (rc != EG_EMPTY)
				return rc;
			continue; /* a redirect */
		}
		int64_t wait = (mono_deadline_us - eg_mono_us() + 999) / 1000;
		if (wait <= 0)
			return EG_EMPTY;
		if (curl_multi_poll(c->multi, NULL, 0, wait < POLL_MS ? (int)wait : POLL_MS, NULL)) {
			eg_curl_drop(c);
			return eg_fail(err, EG_INTERNAL, "libcurl cannot wait");
		}
	}
	return eg_fail(err, EG_INTERNAL, "no HTTP request is under way");
}
