/* http: /metrics and /healthz for those on the same machine, with libmicrohttpd. Thread: its own; start and
 * stop: main's. */
#include "edge/edge.h"

#include "base/log.h"
#include "base/metric.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 32, TIMEOUT_S = 10, MEMORY_OF_ONE = 32 << 10 };

struct eg_http {
	struct MHD_Daemon *daemon;
	void (*before_render)(void *arg);
	void *arg;
	pthread_mutex_t lock; /* one rendering at a time */
};

static enum MHD_Result reply(struct MHD_Connection *c, unsigned code, const char *type, struct eg_bytes body)
{
	struct MHD_Response *r =
	        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.p, MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	enum MHD_Result queued = MHD_queue_response(c, code, r);
	MHD_destroy_response(r);
	return queued;
}

static enum MHD_Result metrics(struct eg_http *h, struct MHD_Connection *c)
{
	struct eg_buf out = {0};
	pthread_mutex_lock(&h->lock);
	if (h->before_render)
		h->before_render(h->arg);
	eg_metric_render(&out);
	pthread_mutex_unlock(&h->lock);
	enum MHD_Result queued;
	if (out.failed)
		queued = reply(c, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain", eg_bytes_of("no memory\n"));
	else
		queued =
		        reply(c, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", eg_buf_bytes(&out));
	eg_buf_free(&out);
	return queued;
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **state)
{
	static int seen;
	(void)version;
	(void)data;
	if (!*state) { /* the headers are in; a body, if any, is yet to come */
		*state = &seen;
		return MHD_YES;
	}
	*size = 0;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return reply(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", eg_bytes_of("read only\n"));
	if (strcmp(url, "/metrics") == 0)
		return metrics(arg, c);
	if (strcmp(url, "/healthz") == 0)
		return reply(c, MHD_HTTP_OK, "text/plain", eg_bytes_of("ok\n"));
	return reply(c, MHD_HTTP_NOT_FOUND, "text/plain", eg_bytes_of("there are /metrics and /healthz\n"));
}

static bool is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24 == 127;
	return a->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* "host:port" or "[host]:port". */
static enum eg_rc resolve(const char *address, struct sockaddr_storage *out, struct eg_err *err)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	struct addrinfo hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
	bool brackets = len > 1 && address[0] == '[' && address[len - 1] == ']';
	if (!colon || len - 2 * brackets >= sizeof host || !len)
		return eg_fail(err, EG_CONFIG, "listen.metrics: %s is not host:port", address);
	memcpy(host, address + brackets, len - 2 * brackets);
	host[len - 2 * brackets] = 0;
	int bad = getaddrinfo(host, colon + 1, &hints, &found);
	if (bad == EAI_MEMORY)
		return eg_fail(err, EG_NO_MEMORY, "listen.metrics: no memory to resolve %s", address);
	if (bad == EAI_SYSTEM)
		return eg_fail_errno(err, "listen.metrics: resolving %s", address);
	if (bad == EAI_AGAIN)
		return eg_fail(err, EG_UNAVAILABLE, "listen.metrics: %s cannot be resolved now", address);
	if (bad)
		return eg_fail(err, EG_CONFIG, "listen.metrics: %s cannot be resolved: %s", address,
		               gai_strerror(bad));
	enum eg_rc rc = EG_OK;
	if (is_loopback(found->ai_addr))
		memcpy(out, found->ai_addr, found->ai_addrlen);
	else
		rc = eg_fail(err, EG_CONFIG,
		             "listen.metrics: %s is no loopback address: put a proxy in front", address);
	freeaddrinfo(found);
	return rc;
}

enum eg_rc eg_http_start(struct eg_http **out, const char *address, void (*before_render)(void *arg),
                         void *arg, struct eg_err *err)
{
	struct sockaddr_storage at = {0};
	enum eg_rc rc = resolve(address, &at, err);
	if (rc)
		return rc;
	struct eg_http *h = calloc(1, sizeof *h);
	if (!h)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the metrics server");
	h->before_render = before_render;
	h->arg = arg;
	pthread_mutex_init(&h->lock, NULL);
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | (at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0);
	h->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, h, MHD_OPTION_SOCK_ADDR,
	                             (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT,
	                             (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	                             (unsigned)TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	                             (size_t)MEMORY_OF_ONE, MHD_OPTION_END);
	if (!h->daemon) {
		eg_http_stop(h);
		return eg_fail(err, EG_CONFIG, "listen.metrics: cannot listen on %s: is it in use?", address);
	}
	*out = h;
	return EG_OK;
}

void eg_http_stop(struct eg_http *h)
{
	if (!h)
		return;
	if (h->daemon)
		MHD_stop_daemon(h->daemon);
	pthread_mutex_destroy(&h->lock);
	free(h);
}
