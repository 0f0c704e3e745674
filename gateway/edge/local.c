/* local: see local.h. A user's id stands in a table by descriptor, with the highest bit saying that it is
 * there. */
#include "edge/local.h"

#include "base/log.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	BACKLOG = 128,
	CYCLE = 60000,      /* descriptors that are used in turn */
	FLOOR = 4096,       /* below it: files, and connections over TLS */
	SOCKET_MODE = 0660, /* who may connect; who it is decides what they may do */
	RETRY_MS = 100      /* when there are no descriptors left, or no memory to wait with */
};
#define PRESENT ((uint64_t)1 << 63)

struct eg_local {
	char path[sizeof((struct sockaddr_un *)0)->sun_path];
	int listener, stop;
	void (*adopt)(void *arg, int fd);
	void *arg;
	struct eg_thread *thread;
	atomic_bool stopping;
	struct eg_pulse pulse;
	int low, high, next; /* descriptors from low to high - 1 */
	_Atomic uint64_t users[CYCLE];
};

bool eg_local_uid(const struct eg_local *l, int fd, uint32_t *uid)
{
	if (fd < l->low || fd >= l->high)
		return false;
	uint64_t user = atomic_load(&l->users[fd - l->low]);
	*uid = (uint32_t)user;
	return user & PRESENT;
}

/* Moves fd to the first free number of the cycle at or after next. -1: none is free. */
static int move_up(struct eg_local *l, int fd)
{
	for (int turn = 0; turn < 2; turn++) {
		int moved = fcntl(fd, F_DUPFD_CLOEXEC, l->next);
		if (moved >= 0 && moved < l->high) {
			l->next = moved + 1 < l->high ? moved + 1 : l->low;
			return moved;
		}
		if (moved >= 0)
			close(moved);
		l->next = l->low;
	}
	return -1;
}

static void greet(struct eg_local *l, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	int moved = -1;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		moved = move_up(l, fd);
	close(fd);
	if (moved < 0) {
		eg_log(EG_LOG_WARN, "local.connection_dropped", EG_T("why", strerror(errno)));
		return;
	}
	atomic_store(&l->users[moved - l->low], PRESENT | peer.uid);
	l->adopt(l->arg, moved);
}

/* Nobody comes in any more once it ends, so nothing but the stop ends it. */
static void let_in(void *arg)
{
	struct eg_local *l = arg;
	struct pollfd fds[] = {{.fd = l->stop, .events = POLLIN}, {.fd = l->listener, .events = POLLIN}};
	bool failing = false;
	eg_pulse_begin(&l->pulse, "edge-local");
	while (!atomic_load(&l->stopping)) {
		eg_pulse_turn(&l->pulse);
		if (poll(fds, 2, EG_PULSE_WAIT_US / 1000) < 0) {
			if (errno == EINTR)
				continue;
			if (!failing)
				eg_log(EG_LOG_WARN, "local.wait_failed", EG_T("why", strerror(errno)));
			failing = true;
			nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
			continue;
		}
		failing = false;
		if (!(fds[1].revents & POLLIN))
			continue;
		int fd = accept4(l->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0)
			greet(l, fd);
		else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			poll(fds, 1, RETRY_MS); /* the connection waits in the backlog */
	}
	eg_pulse_end(&l->pulse);
}

static void choose_cycle(struct eg_local *l)
{
	struct rlimit files = {0};
	getrlimit(RLIMIT_NOFILE, &files);
	rlim_t limit = files.rlim_cur > INT32_MAX ? INT32_MAX : files.rlim_cur;
	l->low = limit / 2 < FLOOR ? (int)(limit / 2) : FLOOR;
	l->high = (int)limit - l->low < CYCLE ? (int)limit : l->low + CYCLE;
	l->next = l->low;
}

static enum eg_rc open_socket(struct eg_local *l, struct eg_err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat st;
	memcpy(at.sun_path, l->path, sizeof at.sun_path);
	/* The data directory's lock keeps a second daemon away, so what lies here is a former one's. */
	if (lstat(l->path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(l->path);
	l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&at, sizeof at) != 0 ||
	    chmod(l->path, SOCKET_MODE) != 0 || listen(l->listener, BACKLOG) != 0)
		return eg_fail_errno(err, "listen.unix: %s", l->path);
	l->stop = eventfd(0, EFD_CLOEXEC);
	if (l->stop < 0)
		return eg_fail_errno(err, "an event descriptor");
	return EG_OK;
}

enum eg_rc eg_local_start(struct eg_local **out, const char *path, void (*adopt)(void *arg, int fd),
                          void *arg, struct eg_err *err)
{
	struct eg_local *l = calloc(1, sizeof *l);
	enum eg_rc rc;
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the Unix socket");
	l->listener = l->stop = -1;
	l->adopt = adopt;
	l->arg = arg;
	choose_cycle(l);
	if (strlen(path) >= sizeof l->path) {
		rc = eg_fail(err, EG_CONFIG, "listen.unix: the path is longer than %zu bytes",
		             sizeof l->path - 1);
	} else {
		strcpy(l->path, path);
		rc = open_socket(l, err);
	}
	*out = l; /* before the first connection, whose calls ask for its user */
	if (!rc)
		rc = eg_thread_start(&l->thread, "edge-local", let_in, l, err);
	if (rc) {
		*out = NULL;
		eg_local_stop(l);
		eg_local_free(l);
	}
	return rc;
}

void eg_local_stop(struct eg_local *l)
{
	uint64_t one = 1;
	if (!l)
		return;
	if (l->thread) {
		atomic_store(&l->stopping, true);
		/* Only wakes it: without that it looks again within EG_PULSE_WAIT_US. */
		(void)!write(l->stop, &one, sizeof one);
		eg_thread_join(l->thread);
		unlink(l->path); /* it was bound, so it is ours */
	}
	l->thread = NULL;
	if (l->listener >= 0)
		close(l->listener);
	if (l->stop >= 0)
		close(l->stop);
	l->listener = l->stop = -1;
}

void eg_local_free(struct eg_local *l)
{
	free(l);
}
