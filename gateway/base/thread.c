/* thread: one pthread and what it runs. Owner: whoever started it joins it. */
#include "base/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 15 /* the kernel's limit */

struct eg_thread {
	pthread_t id;
	void (*run)(void *arg);
	void *arg;
	char name[NAME_MAX_BYTES + 1];
};

static void *begin(void *p)
{
	struct eg_thread *t = p;
	/* From inside: the creator may not have stored the id yet. */
	pthread_setname_np(pthread_self(), t->name);
	t->run(t->arg);
	return NULL;
}

/* What a thread's own instruction raises stays open: blocked, it would bypass the sanitizers' handlers. */
static void all_but_faults(sigset_t *set)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
	sigfillset(set);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(set, faults[i]);
}

enum eg_rc eg_thread_start(struct eg_thread **out, const char *name, void (*run)(void *arg), void *arg,
                           struct eg_err *err)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_MAX_BYTES)
		return eg_fail(err, EG_INTERNAL, "a thread's name has 1 to %d bytes, not %zu", NAME_MAX_BYTES,
		               len);
	struct eg_thread *t = calloc(1, sizeof *t);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the thread %s", name);
	t->run = run;
	t->arg = arg;
	memcpy(t->name, name, len);

	/* A thread inherits its creator's mask, so no signal finds it open even at its start. */
	sigset_t block, before;
	all_but_faults(&block);
	pthread_sigmask(SIG_SETMASK, &block, &before);
	int number = pthread_create(&t->id, NULL, begin, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (number) {
		free(t);
		errno = number;
		if (number == EAGAIN)
			return eg_fail(err, EG_BUSY, "the system's limit of threads leaves none for %s",
			               name);
		return eg_fail_errno(err, "starting the thread %s", name);
	}
	*out = t;
	return EG_OK;
}

void eg_thread_join(struct eg_thread *t)
{
	if (!t)
		return;
	pthread_join(t->id, NULL);
	free(t);
}
