/* bus_lines: see bus_lines.h. */
#include "edge/bus_lines.h"

#include "edge/bus_refused.h"

#include <arpa/inet.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { PLACES_MAX = 8 };
#define UNTOLD "the connection ended before its handshake did"

struct line {
	int fd;
	uint64_t order;    /* of its coming */
	bool spoke;        /* once: its handshake is over */
	bool greeted;      /* once: it is no stranger */
	bool moved;        /* a message came since the last look */
	uint64_t received; /* bytes when its last message was seen */
	char address[EG_BUS_ADDRESS_SIZE];
};

struct eg_bus_lines {
	unsigned n, max, n_places;
	unsigned shook; /* handshakes brought to an end whose connections neither spoke nor ended yet */
	size_t hoard;
	uint64_t order;
	struct {
		in_port_t port; /* 0: path */
		char path[sizeof((struct sockaddr_un *)0)->sun_path];
	} places[PLACES_MAX];
	struct line lines[]; /* max + 1 */
};

struct eg_bus_lines *eg_bus_lines_new(unsigned max, size_t hoard)
{
	struct eg_bus_lines *l = calloc(1, sizeof *l + (max + 1) * sizeof *l->lines);
	if (l) {
		l->max = max;
		l->hoard = hoard;
	}
	return l;
}

enum eg_rc eg_bus_lines_listens(struct eg_bus_lines *l, const char *endpoint, struct eg_err *err)
{
	if (l->n_places == PLACES_MAX)
		return eg_fail(err, EG_CONFIG, "listen.bus: at most %d addresses", PLACES_MAX);
	if (strncmp(endpoint, "ipc://", 6) == 0) {
		if (strlen(endpoint + 6) >= sizeof l->places->path)
			return eg_fail(err, EG_CONFIG, "listen.bus: the path is too long");
		strcpy(l->places[l->n_places++].path, endpoint + 6);
		return EG_OK;
	}
	const char *colon = strrchr(endpoint, ':');
	l->places[l->n_places++].port = htons(colon ? (uint16_t)atoi(colon + 1) : 0);
	return EG_OK;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static bool is_ours(const struct eg_bus_lines *l, int fd)
{
	union address at = {0};
	socklen_t len = sizeof at;
	if (getsockname(fd, &at.any, &len) != 0)
		return false;
	for (unsigned i = 0; i < l->n_places; i++) {
		in_port_t port = l->places[i].port;
		if ((at.any.sa_family == AF_INET && port && at.v4.sin_port == port) ||
		    (at.any.sa_family == AF_INET6 && port && at.v6.sin6_port == port) ||
		    (at.any.sa_family == AF_UNIX && !port &&
		     strncmp(at.local.sun_path, l->places[i].path, sizeof at.local.sun_path) == 0))
			return true;
	}
	return false;
}

static void peer_address(int fd, char out[EG_BUS_ADDRESS_SIZE])
{
	union address at = {0};
	socklen_t len = sizeof at;
	*out = 0;
	if (getpeername(fd, &at.any, &len) != 0)
		return;
	if (at.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &at.v4.sin_addr, out, EG_BUS_ADDRESS_SIZE);
	else if (at.any.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &at.v6.sin6_addr, out, EG_BUS_ADDRESS_SIZE);
	else
		strcpy(out, "local");
}

static void cut(struct eg_bus_lines *l, struct line *at, enum eg_bus_refusal reason, const char *why)
{
	if (is_ours(l, at->fd)) {
		eg_bus_refused(reason, why, at->address, NULL);
		shutdown(at->fd, SHUT_RDWR);
	}
	*at = l->lines[--l->n];
}

static struct line *find(struct eg_bus_lines *l, int fd)
{
	for (unsigned i = 0; i < l->n; i++)
		if (l->lines[i].fd == fd)
			return &l->lines[i];
	return NULL;
}

void eg_bus_lines_shook(struct eg_bus_lines *l)
{
	l->shook++;
}

/* A connection's first word, or its end without one: some handshake's end was its own, or it had none. */
static void settle(struct eg_bus_lines *l, const char *address, const char *why)
{
	if (l->shook)
		l->shook--;
	else
		eg_bus_refused(EG_BUS_HANDSHAKE, why, address, NULL);
}

/* An end of a handshake is some waiting connection's. Where none waits, what is left over is of one that was
 * cut, or whose last message came when its descriptor was another's already. */
static void forget_leftover(struct eg_bus_lines *l)
{
	for (unsigned i = 0; l->shook && i < l->n; i++)
		if (!l->lines[i].spoke)
			return;
	l->shook = 0;
}

void eg_bus_lines_gone(struct eg_bus_lines *l, int fd, const char *why)
{
	struct line *at = find(l, fd);
	if (!at)
		return;
	if (!at->spoke)
		settle(l, at->address, why);
	*at = l->lines[--l->n];
	forget_leftover(l);
}

bool eg_bus_lines_accepted(struct eg_bus_lines *l, int fd)
{
	struct line *oldest = NULL;
	eg_bus_lines_gone(l, fd, UNTOLD);
	struct line *new = &l->lines[l->n++];
	*new = (struct line){.fd = fd, .order = l->order++};
	if (is_ours(l, fd))
		peer_address(fd, new->address);
	if (l->n <= l->max)
		return true;
	for (unsigned i = 0; i < l->n; i++)
		if (!l->lines[i].greeted && (!oldest || l->lines[i].order < oldest->order))
			oldest = &l->lines[i];
	/* The new one at least is a stranger. */
	cut(l, oldest, EG_BUS_FULL_HOUSE, "too many connections: this one has not greeted");
	return false;
}

void eg_bus_lines_spoke(struct eg_bus_lines *l, int fd, bool greeted)
{
	struct line *at = find(l, fd);
	if (!at)
		return;
	if (!at->spoke)
		settle(l, "", UNTOLD); /* an end before it took this one's for its own */
	at->spoke = at->moved = true;
	at->greeted |= greeted;
	forget_leftover(l);
}

/* 0: the kernel does not count them (a local socket). */
static uint64_t received(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof info;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return 0;
	return info.tcpi_bytes_received;
}

unsigned eg_bus_lines_look(struct eg_bus_lines *l)
{
	unsigned n = 0;
	for (unsigned i = l->n; i--;) {
		struct line *at = &l->lines[i];
		uint64_t now = received(at->fd);
		bool strange = !at->greeted && now > EG_BUS_STRANGER_BYTES;
		bool hoards = at->greeted && !at->moved && now > at->received + l->hoard;
		if (at->moved)
			at->received = now;
		at->moved = false;
		if (strange)
			cut(l, at, EG_BUS_MALFORMED, "more bytes than a greeting needs");
		else if (hoards)
			cut(l, at, EG_BUS_MALFORMED, "more bytes than messages may have");
		n += strange || hoards;
	}
	return n;
}

void eg_bus_lines_free(struct eg_bus_lines *l)
{
	free(l);
}
