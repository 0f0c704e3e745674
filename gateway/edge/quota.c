/* quota: see quota.h. A row for each identity that ever came: there are as many as the policy has. Locks:
 * lock. */
#include "edge/quota.h"

#include "edge/stream.h"

#include "base/clock.h"
#include "trust/policy.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STREAMS_MAX = EG_QUOTA_MESSAGES / EG_STREAM_MESSAGES };
static_assert(EG_QUOTA_STREAMS_OF_ONE < STREAMS_MAX, "one identity could have all streams");

struct row {
	struct row *next;
	char name[EG_NAME_MAX];
	unsigned streams;
	int64_t free_at; /* monotonic: when the records taken so far are within the rate */
};

struct eg_quota {
	pthread_mutex_t lock;
	unsigned streams;
	struct row *rows;
};

enum eg_rc eg_quota_open(struct eg_quota **out, struct eg_err *err)
{
	struct eg_quota *q = calloc(1, sizeof *q);
	if (!q)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the quotas");
	pthread_mutex_init(&q->lock, NULL);
	*out = q;
	return EG_OK;
}

static struct row *row_of(struct eg_quota *q, const char *name)
{
	struct row *r = q->rows;
	while (r && strcmp(r->name, name) != 0)
		r = r->next;
	if (!r && (r = calloc(1, sizeof *r))) {
		strncpy(r->name, name, sizeof r->name - 1);
		r->next = q->rows;
		q->rows = r;
	}
	return r;
}

enum eg_rc eg_quota_enter(struct eg_quota *q, const char *name, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	pthread_mutex_lock(&q->lock);
	struct row *r = row_of(q, name);
	if (!r)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for another identity");
	else if (r->streams >= EG_QUOTA_STREAMS_OF_ONE)
		rc = eg_fail(err, EG_BUSY, "%s has %u streams open, as many as one may", name, r->streams);
	else if (q->streams >= STREAMS_MAX)
		rc = eg_fail(err, EG_BUSY, "too many streams are open");
	if (!rc) {
		r->streams++;
		q->streams++;
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

void eg_quota_leave(struct eg_quota *q, const char *name)
{
	pthread_mutex_lock(&q->lock);
	struct row *r = row_of(q, name);
	if (r && r->streams) {
		r->streams--;
		q->streams--;
	}
	pthread_mutex_unlock(&q->lock);
}

int64_t eg_quota_take(struct eg_quota *q, const char *name, uint32_t per_second, unsigned n)
{
	int64_t now = eg_mono_us(), wait = 0;
	if (!per_second)
		return 0;
	pthread_mutex_lock(&q->lock);
	struct row *r = row_of(q, name);
	if (r) {
		if (r->free_at < now)
			r->free_at = now;
		r->free_at += (int64_t)n * EG_SECOND / per_second;
		wait = r->free_at - now;
	}
	pthread_mutex_unlock(&q->lock);
	return wait;
}

void eg_quota_close(struct eg_quota *q)
{
	if (!q)
		return;
	while (q->rows) {
		struct row *r = q->rows;
		q->rows = r->next;
		free(r);
	}
	pthread_mutex_destroy(&q->lock);
	free(q);
}
