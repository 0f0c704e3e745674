/* demo_peer: see demo_peer.h. The signature is the one of the government's exchange platforms: Base64 of
 * HMAC-SHA256(secret, sid + rid + rtime). Locks: lock, for records and counts. */
#include "cli/demo_peer.h"

#include "base/thread.h"
#include "trust/crypto.h"

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, HEADER_MAX = 256, PATIENCE_MS = 2000, PAGE_MAX = 1000 };

struct demo_peer {
	int listener, end; /* end becomes readable when it is over */
	unsigned port;
	char secret[HEADER_MAX];
	struct eg_thread *thread;
	pthread_mutex_t lock;
	struct eg_buf text; /* all records, one behind the other */
	size_t *ends;       /* where each ends in text; owned */
	size_t n, room, shown;
	struct demo_peer_counts counts;
};

/* ---- one request ---- */

/* The value of a header, or "". */
static void header(const char *request, const char *name, char out[HEADER_MAX])
{
	size_t len = strlen(name);
	*out = 0;
	for (const char *line = strstr(request, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		const char *value = line + len + 1 + strspn(line + len + 1, " ");
		snprintf(out, HEADER_MAX, "%.*s", (int)strcspn(value, "\r\n"), value);
		return;
	}
}

static bool signed_well(const struct demo_peer *p, const char *request)
{
	char sid[HEADER_MAX], rid[HEADER_MAX], rtime[HEADER_MAX], sign[HEADER_MAX];
	uint8_t mac[EG_HASH_SIZE];
	struct eg_buf right = {0};
	header(request, "gjgxjhpt_sid", sid);
	header(request, "gjgxjhpt_rid", rid);
	header(request, "gjgxjhpt_rtime", rtime);
	header(request, "gjgxjhpt_sign", sign);
	struct eg_bytes parts[] = {eg_bytes_of(sid), eg_bytes_of(rid), eg_bytes_of(rtime)};
	bool good = *sid && *rid && *rtime &&
	            eg_hmac(EG_HASH_SHA256, eg_bytes_of(p->secret), parts, 3, mac, NULL) == EG_OK;
	if (good)
		eg_base64(mac, sizeof mac, &right);
	good = good && eg_bytes_equal(eg_buf_bytes(&right), eg_bytes_of(sign));
	eg_buf_free(&right);
	return good;
}

static size_t query(const char *request, const char *name)
{
	const char *at = strstr(request, name);
	return at && at < strstr(request, "\r\n") ? strtoul(at + strlen(name), NULL, 10) : 0;
}

static void page(struct demo_peer *p, const char *request, struct eg_buf *body)
{
	pthread_mutex_lock(&p->lock);
	size_t from = query(request, "cursor="), size = query(request, "size=");
	if (from > p->shown)
		from = p->shown;
	if (!size || size > PAGE_MAX)
		size = PAGE_MAX;
	size_t to = p->shown - from < size ? p->shown : from + size;
	eg_buf_printf(body, "{\"code\":0,\"data\":{\"list\":[");
	for (size_t i = from; i < to; i++) {
		size_t begin = i ? p->ends[i - 1] : 0;
		eg_buf_printf(body, i > from ? "," : "");
		eg_buf_add(body, p->text.p + begin, p->ends[i] - begin);
	}
	eg_buf_printf(body, "],\"next\":\"%zu\",\"more\":%s}}", to, to < p->shown ? "true" : "false");
	p->counts.pages += to > from;
	if (to > p->counts.given)
		p->counts.given = to;
	pthread_mutex_unlock(&p->lock);
}

static void answer(struct demo_peer *p, int fd, const char *request)
{
	struct eg_buf body = {0}, all = {0};
	bool good = signed_well(p, request);
	if (good) {
		page(p, request, &body);
	} else {
		pthread_mutex_lock(&p->lock);
		p->counts.strangers++;
		pthread_mutex_unlock(&p->lock);
		eg_buf_printf(&body, "{\"code\":401}");
	}
	eg_buf_printf(&all,
	              "HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "
	              "%zu\r\nConnection: close\r\n\r\n",
	              good ? "200 OK" : "401 Unauthorized", body.len);
	eg_buf_add(&all, body.p, body.len);
	for (size_t sent = 0; !body.failed && !all.failed && sent < all.len;) {
		ssize_t n = send(fd, all.p + sent, all.len - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	eg_buf_free(&body);
	eg_buf_free(&all);
}

static void serve(struct demo_peer *p, int fd)
{
	char request[REQUEST_MAX];
	struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
	size_t len = 0;
	ssize_t n = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	*request = 0;
	while (n > 0 && len + 1 < sizeof request && !strstr(request, "\r\n\r\n")) {
		n = recv(fd, request + len, sizeof request - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
		request[len] = 0;
	}
	if (strstr(request, "\r\n\r\n") && strncmp(request, "GET /remains", 12) == 0)
		answer(p, fd, request);
	close(fd);
}

static void run(void *arg)
{
	struct demo_peer *p = arg;
	for (;;) {
		struct pollfd fds[] = {{.fd = p->listener, .events = POLLIN},
		                       {.fd = p->end, .events = POLLIN}};
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return;
		int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(p, fd);
	}
}

/* ---- the whole ---- */

static enum eg_rc listen_here(struct demo_peer *p, struct eg_err *err)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	p->end = eventfd(0, EFD_CLOEXEC);
	if (p->listener < 0 || p->end < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
	    listen(p->listener, 16) != 0 || getsockname(p->listener, (struct sockaddr *)&at, &len) != 0)
		return eg_fail_errno(err, "the funeral homes' interface");
	p->port = ntohs(at.sin_port);
	return EG_OK;
}

enum eg_rc demo_peer_start(struct demo_peer **out, const char *secret, struct eg_err *err)
{
	struct demo_peer *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an interface");
	p->listener = p->end = -1;
	pthread_mutex_init(&p->lock, NULL);
	snprintf(p->secret, sizeof p->secret, "%s", secret);
	enum eg_rc rc = listen_here(p, err);
	if (!rc)
		rc = eg_thread_start(&p->thread, "funeral", run, p, err);
	if (rc)
		demo_peer_stop(p);
	else
		*out = p;
	return rc;
}

void demo_peer_stop(struct demo_peer *p)
{
	if (!p)
		return;
	if (p->thread)
		eventfd_write(p->end, 1);
	eg_thread_join(p->thread);
	if (p->listener >= 0)
		close(p->listener);
	if (p->end >= 0)
		close(p->end);
	pthread_mutex_destroy(&p->lock);
	eg_buf_free(&p->text);
	free(p->ends);
	free(p);
}

unsigned demo_peer_port(const struct demo_peer *p)
{
	return p->port;
}

enum eg_rc demo_peer_add(struct demo_peer *p, struct eg_bytes json, struct eg_err *err)
{
	bool good = true;
	pthread_mutex_lock(&p->lock);
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 1024, *bigger = realloc(p->ends, room * sizeof *bigger);
		good = bigger != NULL;
		p->ends = good ? bigger : p->ends;
		p->room = good ? room : p->room;
	}
	eg_buf_add(&p->text, json.p, json.len);
	if (good && !p->text.failed)
		p->ends[p->n++] = p->text.len;
	good = good && !p->text.failed;
	pthread_mutex_unlock(&p->lock);
	return good ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a record");
}

void demo_peer_show(struct demo_peer *p)
{
	pthread_mutex_lock(&p->lock);
	p->shown = p->n;
	pthread_mutex_unlock(&p->lock);
}

void demo_peer_counts(struct demo_peer *p, struct demo_peer_counts *out)
{
	pthread_mutex_lock(&p->lock);
	*out = p->counts;
	out->records = p->shown;
	pthread_mutex_unlock(&p->lock);
}
