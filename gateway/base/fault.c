/* fault: kill points, seeded faults, the nth failure; an empty file unless EG_FAULT=1. Thread: any. */
#include "base/fault.h"

#ifdef EG_FAULT
#include "base/log.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char kill_name[64];    /* "" if none */
static atomic_long kill_left; /* passages until the kill */
static pid_t kill_pid;        /* who gets the signal; 0: this process */
static int kill_signal = SIGKILL;
static const char *unsafe_name; /* NULL if none */
static atomic_long fault_left;  /* calls until the fault; ≤ 0: disarmed, or over */
static atomic_bool fault_was_hit;

static void read_environment(void)
{
	const char *kill_text = getenv("ELDERGATE_KILL"), *pid_text = getenv("ELDERGATE_KILL_PID"),
	           *with = getenv("ELDERGATE_KILL_WITH");
	unsafe_name = getenv("ELDERGATE_UNSAFE");
	if (!kill_text || !*kill_text)
		return;
	const char *colon = strrchr(kill_text, ':');
	size_t len = colon ? (size_t)(colon - kill_text) : strlen(kill_text);
	char *end = NULL;
	long nth = colon ? strtol(colon + 1, &end, 10) : 1;
	char *pid_end = NULL;
	long pid = pid_text ? strtol(pid_text, &pid_end, 10) : 0;
	bool stop = with && strcmp(with, "STOP") == 0;
	if (len == 0 || len >= sizeof kill_name || nth < 1 || (colon && *end) || pid < 0 || pid > INT_MAX ||
	    (pid_text && (pid < 2 || *pid_end)) || (with && !stop && strcmp(with, "KILL") != 0)) {
		/* A crash test with a point that cannot be hit must not pass for one that was. */
		eg_log(EG_LOG_ERROR, "fault.bad_setting", EG_T("setting", "ELDERGATE_KILL"));
		_exit(eg_rc_exit(EG_CONFIG));
	}
	memcpy(kill_name, kill_text, len);
	kill_pid = (pid_t)pid;
	kill_signal = stop ? SIGSTOP : SIGKILL;
	atomic_store(&kill_left, nth);
}

void eg_kill_point(const char *name)
{
	pthread_once(&once, read_environment);
	if (!kill_name[0] || strcmp(name, kill_name) != 0)
		return;
	if (atomic_fetch_sub(&kill_left, 1) != 1)
		return;
	if (kill_pid) {
		kill(kill_pid, kill_signal);
		return;
	}
	raise(kill_signal); /* not one instruction of this thread behind the point, until SIGCONT */
}

bool eg_unsafe(const char *name)
{
	pthread_once(&once, read_environment);
	return unsafe_name && strcmp(name, unsafe_name) == 0;
}

bool eg_fault(void)
{
	/* Without the first look an unarmed counter would run down to its minimum. */
	if (atomic_load(&fault_left) <= 0 || atomic_fetch_sub(&fault_left, 1) != 1)
		return false;
	atomic_store(&fault_was_hit, true);
	return true;
}

void eg_fault_arm(long nth)
{
	atomic_store(&fault_was_hit, false);
	atomic_store(&fault_left, nth);
}

bool eg_fault_hit(void)
{
	return atomic_load(&fault_was_hit);
}
#endif
