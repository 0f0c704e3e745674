/* knock: see knock.h. */
#include "cli/knock.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A Unix socket never has a connection under way: without waiting, a full queue is an error at once. */
static int dial_local(const struct sockaddr_un *to, int64_t timeout_us)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), failed = 0;
	struct timeval wait = {.tv_sec = timeout_us / EG_SECOND, .tv_usec = timeout_us % EG_SECOND};
	if (fd < 0)
		return errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0 ||
	    connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
		failed = errno;
	close(fd);
	return failed;
}

/* The error of connecting; 0: it is connected. */
static int dial(const struct sockaddr *to, socklen_t size, int64_t deadline)
{
	int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed = 0;
	socklen_t len = sizeof failed;
	if (fd < 0)
		return errno;
	if (connect(fd, to, size) != 0 && errno != EINPROGRESS) {
		failed = errno;
	} else {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		int64_t left = deadline - eg_mono_us();
		if (poll(&p, 1, left > 0 ? (int)(left / 1000 + 1) : 0) != 1)
			failed = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len);
	}
	close(fd);
	return failed;
}

static const char *local_advice(int failed, bool bus)
{
	switch (failed) {
	case ENOENT:
		return bus ? "the daemon is not started, or its listen.bus is elsewhere: see --bus"
		           : "the daemon is not started, or its listen.unix is elsewhere: see --server";
	case EACCES:
		return "this user may not connect: it must be in the socket's group";
	case EAGAIN:
		return "the daemon is there and takes no connection: " KNOCK_STUCK;
	default:
		return "the daemon has ended: systemctl status eldergated";
	}
}

static enum eg_rc knock_local(const char *path, bool bus, int64_t timeout_us, char at[KNOCK_TEXT],
                              struct eg_err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof to.sun_path)
		return eg_fail(err, EG_USAGE, "the path of the socket is too long");
	strcpy(to.sun_path, path);
	int failed = dial_local(&to, timeout_us);
	snprintf(at, KNOCK_TEXT, "the socket %s", path);
	if (!failed)
		return EG_OK;
	return eg_fail(err, EG_UNAVAILABLE, "%s: %s: %s", path, strerror(failed), local_advice(failed, bus));
}

static const char *advice(int failed)
{
	switch (failed) {
	case ECONNREFUSED:
		return "nothing listens there: is the daemon started, and is this the port of listen.tls or "
		       "listen.bus?";
	case ETIMEDOUT:
		return "no answer: a firewall between here and there lets nothing through, or the address is "
		       "another machine's";
	default:
		return "there is no way to that machine: ask whoever keeps the network";
	}
}

/* Host and port of HOST:PORT or [HOST]:PORT. */
static bool split(const char *address, char host[KNOCK_TEXT], const char **port)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	bool brackets = len > 2 && *address == '[' && address[len - 1] == ']';
	if (!len || len >= KNOCK_TEXT || !colon[1])
		return false;
	snprintf(host, KNOCK_TEXT, "%.*s", (int)(len - 2u * brackets), address + brackets);
	*port = colon + 1;
	return true;
}

enum eg_rc knock(const char *address, int64_t timeout_us, char at[KNOCK_TEXT], struct eg_err *err)
{
	int64_t deadline = eg_mono_us() + timeout_us;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char host[KNOCK_TEXT], number[NI_MAXHOST] = "";
	const char *port;
	int failed = ETIMEDOUT, left = 0;
	if (strncmp(address, "unix:", 5) == 0)
		return knock_local(address + 5, false, timeout_us, at, err);
	if (strncmp(address, "ipc://", 6) == 0)
		return knock_local(address + 6, true, timeout_us, at, err);
	if (!split(address, host, &port))
		return eg_fail(err, EG_USAGE, "'%.100s' is not HOST:PORT", address);
	int rc = getaddrinfo(host, port, &hints, &found);
	if (rc)
		return eg_fail(
		        err, EG_UNAVAILABLE,
		        "the name %s has no address (%s): is it spelt right, and does this machine's DNS or "
		        "/etc/hosts know it?",
		        host, gai_strerror(rc));
	for (const struct addrinfo *a = found; a; a = a->ai_next)
		left++;
	/* Each has its share of what is left: one that drops everything leaves time for the next. */
	for (const struct addrinfo *a = found; a && failed; a = a->ai_next, left--) {
		int64_t now = eg_mono_us();
		failed = dial(a->ai_addr, a->ai_addrlen, now + (deadline - now) / left);
		getnameinfo(a->ai_addr, a->ai_addrlen, number, sizeof number, NULL, 0, NI_NUMERICHOST);
	}
	freeaddrinfo(found);
	snprintf(at, KNOCK_TEXT, "%.100s, port %.20s", number, port);
	if (!failed)
		return EG_OK;
	return eg_fail(err, EG_UNAVAILABLE, "%s: %s: %s", at, strerror(failed), advice(failed));
}
