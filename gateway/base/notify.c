/* notify: see notify.h. A socket is opened for each message: they are few, and the manager may be restarted
 * in between. */
#include "base/notify.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/parse.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { STALL_S = 1, STATE_MAX = 512 };

/* False: this is no address of the protocol. */
static bool address(const char *name, struct sockaddr_un *to, socklen_t *size)
{
	size_t len = strlen(name);
	if ((*name != '/' && *name != '@') || len < 2 || len >= sizeof to->sun_path)
		return false;
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(to->sun_path, name, len + 1);
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (*name == '@') {
		to->sun_path[0] = 0;
		--*size; /* an abstract name has no end but its length */
	}
	return true;
}

static bool tell(const char *name, const char *state)
{
	struct sockaddr_un to;
	socklen_t size;
	struct timeval stall = {.tv_sec = STALL_S};
	ssize_t sent;
	if (!address(name, &to, &size)) {
		errno = EINVAL;
		return false;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof stall);
	do
		sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, size);
	while (sent < 0 && errno == EINTR);
	int saved = errno;
	close(fd);
	errno = saved;
	return sent >= 0;
}

void eg_notify(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	if (name && *name && !tell(name, state))
		eg_log(EG_LOG_WARN, "manager.not_told", EG_T("reason", strerror(errno)));
}

void eg_notify_ready(const char *status)
{
	char state[STATE_MAX];
	snprintf(state, sizeof state, "READY=1\nSTATUS=%s", status);
	eg_notify(state);
}

void eg_notify_reloading(const char *status)
{
	char state[STATE_MAX];
	snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=%s", (long long)eg_mono_us(),
	         status);
	eg_notify(state);
}

void eg_notify_status(const char *status)
{
	char state[STATE_MAX];
	snprintf(state, sizeof state, "STATUS=%s", status);
	eg_notify(state);
}

int64_t eg_notify_watchdog_us(void)
{
	const char *every = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	int64_t us, whose;
	if (!every || !eg_parse_int(every, &us) || us <= 0)
		return 0;
	if (pid && (!eg_parse_int(pid, &whose) || whose != getpid()))
		return 0; /* meant for another process, which started us */
	return us;
}
