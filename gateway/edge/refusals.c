/* refusals: a table of counts that is emptied a second after its first row was set. Locks: lock, for the
 * rows. */
#include "edge/refusals.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 256, TICKET_BYTES = 4096 };

struct row {
	char name[EG_NAME_MAX];
	enum eg_reason_code reason;
	int64_t count;
	const struct eg_policy *policy; /* a reference */
	const struct eg_identity_rule *who;
};

struct eg_refusals {
	struct eg_intake *intake;
	struct eg_timers *timers;
	struct eg_timer timer;
	pthread_mutex_t lock;
	unsigned n;
	struct row rows[ROWS];
};

static void put(struct eg_refusals *r, const struct row *row)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_REFUSAL, TICKET_BYTES, row->policy, row->who);
	struct eg_err err = {0};
	if (!t)
		return;
	t->lane = EG_LANE_READ;
	t->bytes = sizeof *t;
	t->operator_name = row->who->name;
	t->refusal.reason = eg_reason_name(row->reason);
	t->refusal.count = row->count;
	t->done = eg_ticket_free;
	if (eg_intake_put(r->intake, t, 0, &err)) {
		eg_log_err(EG_LOG_WARN, "refusals.not_logged", &err);
		eg_ticket_free(t);
	}
}

void eg_refusals_flush(struct eg_refusals *r)
{
	struct row rows[ROWS];
	pthread_mutex_lock(&r->lock);
	unsigned n = r->n;
	memcpy(rows, r->rows, n * sizeof *rows);
	r->n = 0;
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < n; i++) {
		put(r, &rows[i]);
		eg_policy_unref(rows[i].policy);
	}
}

static void ring(struct eg_timer *t)
{
	eg_refusals_flush((struct eg_refusals *)((char *)t - offsetof(struct eg_refusals, timer)));
}

enum eg_rc eg_refusals_open(struct eg_refusals **out, struct eg_intake *in, struct eg_timers *timers,
                            struct eg_err *err)
{
	struct eg_refusals *r = calloc(1, sizeof *r);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the table of refusals");
	r->intake = in;
	r->timers = timers;
	r->timer.ring = ring;
	pthread_mutex_init(&r->lock, NULL);
	*out = r;
	return EG_OK;
}

void eg_refusals_add(struct eg_refusals *r, const struct eg_caller *c, enum eg_reason_code reason)
{
	bool first = false;
	unsigned i = 0;
	pthread_mutex_lock(&r->lock);
	while (i < r->n && (r->rows[i].reason != reason || strcmp(r->rows[i].name, c->who->name) != 0))
		i++;
	if (i < r->n) {
		r->rows[i].count++;
	} else if (r->n < ROWS) {
		struct row *row = &r->rows[r->n++];
		*row = (struct row){
		        .reason = reason, .count = 1, .policy = eg_policy_ref(c->policy), .who = c->who};
		memcpy(row->name, c->who->name, sizeof row->name);
		first = r->n == 1;
	}
	pthread_mutex_unlock(&r->lock);
	if (first)
		eg_timer_set(r->timers, &r->timer, eg_mono_us() + EG_SECOND);
}

void eg_refusals_close(struct eg_refusals *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n; i++)
		eg_policy_unref(r->rows[i].policy);
	pthread_mutex_destroy(&r->lock);
	free(r);
}
