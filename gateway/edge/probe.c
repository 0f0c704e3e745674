/* probe: see probe.h. Locks: lock, for stopping. */
#include "edge/probe.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define INTERVAL_US (20 * EG_SECOND)
#define PATIENCE_US (5 * EG_SECOND)

enum { FAILURES = 2 /* in a row */, ADDRESS_MAX = 256 };

struct eg_probe {
	char address[ADDRESS_MAX];
	int port;
	struct eg_thread *thread;
	atomic_bool dead;
	pthread_mutex_t lock;
	pthread_cond_t stop;
	bool stopping;
};

/* A wildcard is looked at over the loopback. */
static void host_of(const char *address, char host[ADDRESS_MAX])
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : strlen(address);
	bool brackets = len > 1 && address[0] == '[';
	if (brackets)
		len -= 2;
	snprintf(host, ADDRESS_MAX, "%.*s", (int)(len < ADDRESS_MAX ? len : 0), address + brackets);
	if (!*host || strcmp(host, "0.0.0.0") == 0)
		strcpy(host, "127.0.0.1");
	else if (strcmp(host, "::") == 0)
		strcpy(host, "::1");
}

/* Waits until the socket is ready for what is asked, or the deadline. */
static bool ready(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	for (;;) {
		int64_t left = deadline - eg_mono_us();
		int n = left > 0 ? poll(&p, 1, (int)(left / 1000) + 1) : 0;
		if (n > 0)
			return true;
		if (n == 0 || errno != EINTR)
			return false;
	}
}

static enum eg_rc nobody(struct eg_err *err, int port)
{
	return eg_fail(err, EG_UNAVAILABLE, "port %d accepts no connections any more: restart the gateway",
	               port);
}

static enum eg_rc knock(int fd, const struct addrinfo *to, int port, int64_t deadline, struct eg_err *err)
{
	static const char no_tls[] = "eldergate looks whether this port answers\r\n\r\n";
	char answer[16];
	int failed = 0;
	socklen_t len = sizeof failed;
	if (connect(fd, to->ai_addr, to->ai_addrlen) != 0 && errno != EINPROGRESS)
		return nobody(err, port);
	if (!ready(fd, POLLOUT, deadline) || getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) != 0 ||
	    failed)
		return nobody(err, port);
	if (send(fd, no_tls, sizeof no_tls - 1, MSG_NOSIGNAL) < 0)
		return EG_OK; /* turned away already */
	if (!ready(fd, POLLIN, deadline))
		return nobody(err, port); /* the kernel connected us, but nobody took it up */
	(void)!recv(fd, answer, sizeof answer, 0);
	return EG_OK;
}

enum eg_rc eg_probe_once(const char *address, int port, int64_t patience_us, struct eg_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
	char host[ADDRESS_MAX], service[16];
	host_of(address, host);
	snprintf(service, sizeof service, "%d", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return eg_fail(err, EG_IO, "the TLS address cannot be resolved");
	int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum eg_rc rc = fd < 0 ? eg_fail_errno(err, "a socket to look at the TLS port with")
	                       : knock(fd, found, port, eg_mono_us() + patience_us, err);
	if (fd >= 0)
		close(fd);
	freeaddrinfo(found);
	return rc;
}

static bool wait_or_stop(struct eg_probe *p)
{
	struct timespec until = eg_mono_deadline(eg_mono_us() + INTERVAL_US);
	int rc = 0;
	pthread_mutex_lock(&p->lock);
	while (!p->stopping && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&p->stop, &p->lock, &until);
	bool stop = p->stopping;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

static void run(void *arg)
{
	struct eg_probe *p = arg;
	int failures = 0;
	while (!wait_or_stop(p)) {
		struct eg_err err = {0};
		enum eg_rc rc = eg_probe_once(p->address, p->port, PATIENCE_US, &err);
		if (rc == EG_OK && atomic_load(&p->dead))
			eg_log(EG_LOG_INFO, "tls.port_answers", EG_I("port", p->port));
		if (rc == EG_OK || rc == EG_UNAVAILABLE)
			failures = rc ? failures + 1 : 0;
		if (failures == FAILURES)
			eg_log_err(EG_LOG_ERROR, "tls.port_dead", &err);
		atomic_store(&p->dead, failures >= FAILURES);
	}
}

enum eg_rc eg_probe_start(struct eg_probe **out, const char *address, int port, struct eg_err *err)
{
	struct eg_probe *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the probe");
	snprintf(p->address, sizeof p->address, "%s", address);
	p->port = port;
	pthread_mutex_init(&p->lock, NULL);
	eg_mono_cond(&p->stop);
	enum eg_rc rc = eg_thread_start(&p->thread, "edge-probe", run, p, err);
	if (rc) {
		eg_probe_free(p);
		return rc;
	}
	*out = p;
	return EG_OK;
}

bool eg_probe_dead(const struct eg_probe *p)
{
	return p && atomic_load(&p->dead);
}

void eg_probe_stop(struct eg_probe *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_signal(&p->stop);
	pthread_mutex_unlock(&p->lock);
	eg_thread_join(p->thread);
	p->thread = NULL;
}

void eg_probe_free(struct eg_probe *p)
{
	if (!p)
		return;
	pthread_cond_destroy(&p->stop);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
