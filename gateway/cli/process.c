/* process: see process.h. */
#include "cli/process.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 8, PATH_BYTES = 1024 };

extern char **environ;

/* What the signal handler may look at: process ids, nothing else. */
static _Atomic pid_t children[CHILDREN];

static void on_signal(int got)
{
	for (int i = 0; i < CHILDREN; i++)
		if (atomic_load(&children[i]) > 0)
			kill(atomic_load(&children[i]), SIGKILL);
	_exit(128 + got);
}

static void remember(pid_t pid)
{
	static atomic_bool installed;
	if (!atomic_exchange(&installed, true)) {
		struct sigaction a = {.sa_handler = on_signal};
		sigaction(SIGINT, &a, NULL);
		sigaction(SIGTERM, &a, NULL);
	}
	for (int i = 0; i < CHILDREN; i++) {
		pid_t none = 0;
		if (atomic_compare_exchange_strong(&children[i], &none, pid))
			return;
	}
}

static void forget(pid_t pid)
{
	for (int i = 0; i < CHILDREN; i++) {
		pid_t it = pid;
		atomic_compare_exchange_strong(&children[i], &it, 0);
	}
}

/* DIR of this program/NAME if that is there, else the bare name. */
static void find(const char *program, char out[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_BYTES - 1);
	char *slash = NULL;
	if (n > 0) {
		out[n] = 0;
		slash = strrchr(out, '/');
	}
	if (slash && (size_t)(slash - out) + strlen(program) + 2 < PATH_BYTES) {
		memcpy(slash + 1, program, strlen(program) + 1);
		if (access(out, X_OK) == 0)
			return;
	}
	snprintf(out, PATH_BYTES, "%s", program);
}

enum eg_rc process_start(struct process *p, const char *program, const char *const *arguments,
                         const char *log, bool read_output, struct eg_err *err)
{
	char path[PATH_BYTES];
	char *argv[PROCESS_ARGUMENTS + 2];
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none;
	int channel[2] = {-1, -1}, n = 0, why;
	*p = (struct process){.output = -1};
	find(program, path);
	argv[n++] = path;
	while (*arguments && n <= PROCESS_ARGUMENTS)
		argv[n++] = (char *)(uintptr_t)*arguments++;
	argv[n] = NULL;
	if (read_output && pipe2(channel, O_CLOEXEC) != 0)
		return eg_fail_errno(err, "a pipe");
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	posix_spawn_file_actions_adddup2(&files, read_output ? channel[1] : STDERR_FILENO, STDOUT_FILENO);
	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	why = posix_spawnp(&p->pid, path, &files, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	if (channel[1] >= 0)
		close(channel[1]);
	if (why) {
		if (channel[0] >= 0)
			close(channel[0]);
		p->pid = 0;
		return eg_fail(err, EG_UNAVAILABLE, "%s could not be started: %s", program, strerror(why));
	}
	p->output = channel[0];
	remember(p->pid);
	return EG_OK;
}

enum eg_rc process_line(struct process *p, char *out, size_t size, int64_t timeout_us, struct eg_err *err)
{
	int64_t deadline = eg_mono_us() + timeout_us;
	for (size_t n = 0; n + 1 < size;) {
		struct pollfd f = {.fd = p->output, .events = POLLIN};
		int64_t left = deadline - eg_mono_us();
		if (left <= 0 || poll(&f, 1, (int)(left / 1000) + 1) == 0)
			return eg_fail(err, EG_DEADLINE, "a program did not say that it is ready");
		if (read(p->output, &out[n], 1) != 1)
			return eg_fail(err, EG_UNAVAILABLE, "a program ended before it was ready");
		if (out[n] == '\n') {
			out[n] = 0;
			return EG_OK;
		}
		n++;
	}
	return eg_fail(err, EG_INTERNAL, "a program's first line is too long");
}

bool process_runs(struct process *p)
{
	siginfo_t ended = {0}; /* looked at, not waited for: process_end still can */
	return p->pid > 0 && waitid(P_PID, (id_t)p->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       !ended.si_pid;
}

enum eg_rc process_end(struct process *p, int signal, int64_t timeout_us, int *status, struct eg_err *err)
{
	bool late = false;
	if (p->pid <= 0)
		return EG_OK;
	/* A descriptor of the child becomes readable when it ends: waiting with a deadline, without polling.
	 */
	int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	kill(p->pid, signal);
	if (fd >= 0) {
		struct pollfd f = {.fd = fd, .events = POLLIN};
		late = poll(&f, 1, (int)(timeout_us / 1000)) == 0;
		close(fd);
	}
	if (late)
		kill(p->pid, SIGKILL);
	while (waitpid(p->pid, status, 0) < 0 && errno == EINTR)
		;
	forget(p->pid);
	p->pid = 0;
	if (p->output >= 0)
		close(p->output);
	p->output = -1;
	return late ? eg_fail(err, EG_DEADLINE, "a program did not end in time and was killed") : EG_OK;
}
