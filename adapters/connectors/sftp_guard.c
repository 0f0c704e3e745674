/* sftp_guard: see sftp_guard.h. */
#include "connectors/sftp_guard.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct sftp_guard {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct eg_thread *thread;
	int socket;
	int64_t deadline_us;
	bool stop, fell;
};

static void run(void *arg)
{
	struct sftp_guard *g = arg;
	pthread_mutex_lock(&g->lock);
	while (!g->stop) {
		if (!g->fell && g->deadline_us <= eg_mono_us()) {
			g->fell = true;
			shutdown(g->socket, SHUT_RDWR);
		} else if (g->fell || g->deadline_us == INT64_MAX) {
			pthread_cond_wait(&g->changed, &g->lock);
		} else {
			struct timespec until = eg_mono_deadline(g->deadline_us);
			pthread_cond_timedwait(&g->changed, &g->lock, &until);
		}
	}
	pthread_mutex_unlock(&g->lock);
}

enum eg_rc sftp_guard_start(struct sftp_guard **out, int socket, struct eg_err *err)
{
	*out = NULL;
	struct sftp_guard *g = calloc(1, sizeof *g);
	if (!g)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	pthread_mutex_init(&g->lock, NULL);
	eg_mono_cond(&g->changed);
	g->socket = socket;
	g->deadline_us = INT64_MAX;
	enum eg_rc rc = eg_thread_start(&g->thread, "sftp-guard", run, g, err);
	if (rc) {
		sftp_guard_stop(g);
		return rc;
	}
	*out = g;
	return EG_OK;
}

void sftp_guard_set(struct sftp_guard *g, int64_t mono_deadline_us)
{
	pthread_mutex_lock(&g->lock);
	g->deadline_us = mono_deadline_us;
	pthread_cond_signal(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

void sftp_guard_cut(struct sftp_guard *g)
{
	sftp_guard_set(g, 0);
}

bool sftp_guard_fell(struct sftp_guard *g)
{
	pthread_mutex_lock(&g->lock);
	bool fell = g->fell;
	pthread_mutex_unlock(&g->lock);
	return fell;
}

void sftp_guard_stop(struct sftp_guard *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&g->lock);
	g->stop = true;
	pthread_cond_signal(&g->changed);
	pthread_mutex_unlock(&g->lock);
	eg_thread_join(g->thread);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
