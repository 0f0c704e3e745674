/* rhythm: see rhythm.h.
 *
 *   set --ring--> looking (a job on a worker) --> set ...
 */
#include "edge/rhythm.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "flow/datasets.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATASETS_MAX = 4096 }; /* remembered; the events of further ones would repeat */

struct seen {
	char name[2 * EG_NAME_MAX + 1];
	enum eg_punctuality state;
};

struct eg_rhythm {
	struct eg_edge *edge;
	struct eg_timer timer;
	struct eg_job job;
	struct seen *v; /* owned; the job's alone */
	unsigned n;
};

static struct seen *seen_of(struct eg_rhythm *r, const char *agency, const char *dataset)
{
	char name[sizeof r->v->name];
	snprintf(name, sizeof name, "%s/%s", agency, dataset);
	for (unsigned i = 0; i < r->n; i++)
		if (strcmp(r->v[i].name, name) == 0)
			return &r->v[i];
	if (r->n == DATASETS_MAX)
		return NULL;
	struct seen *more = realloc(r->v, (r->n + 1) * sizeof *more);
	if (!more)
		return NULL;
	r->v = more;
	more += r->n++;
	*more = (struct seen){.state = EG_NO_RHYTHM};
	memcpy(more->name, name, sizeof name);
	return more;
}

static void tell(struct seen *s, enum eg_punctuality now, const struct eg_dataset_row *row, int64_t now_us)
{
	enum eg_punctuality was = s->state;
	int64_t lag_s = row && row->event_time ? (now_us - row->event_time) / EG_SECOND : -1;
	int64_t silent_s = row && row->heard ? (now_us - row->heard) / EG_SECOND : -1;
	const struct eg_kv name = EG_T("dataset", s->name), lag = EG_I("lag_s", lag_s),
	                   silent = EG_I("silent_s", silent_s);
	eg_metric_set(EG_M_DATASET_PUNCTUALITY, s->name, (double)now);
	s->state = now;
	if (now == was)
		return;
	switch (now) {
	case EG_SILENT:
		eg_log(EG_LOG_WARN, "dataset.silent", name, lag, silent);
		break;
	case EG_LATE:
		eg_log(EG_LOG_WARN, "dataset.late", name, lag, silent);
		break;
	case EG_ON_TIME: /* from the first look on is no event */
		if (was != EG_NO_RHYTHM)
			eg_log(EG_LOG_INFO, "dataset.on_time", name, lag, silent);
		break;
	case EG_NO_RHYTHM:
		break;
	}
}

static void judge(struct eg_rhythm *r, const struct eg_policy *policy, const struct eg_dataset_row *rows,
                  unsigned n)
{
	int64_t now = eg_now_us();
	for (unsigned i = 0; i < policy->n; i++) {
		const struct eg_identity_rule *who = &policy->identities[i];
		for (unsigned d = 0; d < who->n_datasets; d++) {
			const struct eg_dataset_rule *rule = &who->datasets[d];
			const struct eg_dataset_row *row = eg_dataset_row_of(rows, n, who->name, rule->name);
			struct seen *s = seen_of(r, who->name, rule->name);
			if (s)
				tell(s,
				     eg_dataset_punctuality(rule, row, r->edge->start_us,
				                            r->edge->dataset_tolerance, now),
				     row, now);
		}
	}
}

static void again(struct eg_rhythm *r)
{
	eg_timer_set(r->edge->timers, &r->timer, eg_mono_us() + r->edge->dataset_look_us);
}

static bool look(struct eg_job *job, struct eg_worker *w)
{
	struct eg_rhythm *r = (struct eg_rhythm *)((char *)job - offsetof(struct eg_rhythm, job));
	struct eg_dataset_row *rows = NULL;
	struct eg_err err = {0};
	unsigned n = 0;
	enum eg_rc rc = eg_read_begin(w->conn, &err);
	if (rc == EG_OK) {
		rc = eg_list_datasets(w->conn, w->scratch, &rows, &n, &err);
		eg_read_end(w->conn);
	}
	if (rc) {
		eg_log_err(EG_LOG_WARN, "dataset.look_failed", &err);
	} else {
		const struct eg_policy *policy = eg_edge_policy_ref(r->edge);
		judge(r, policy, rows, n);
		eg_policy_unref(policy);
	}
	again(r);
	return false;
}

static void ring(struct eg_timer *t)
{
	struct eg_rhythm *r = (struct eg_rhythm *)((char *)t - offsetof(struct eg_rhythm, timer));
	eg_pool_put(r->edge->pool, &r->job);
}

enum eg_rc eg_rhythm_open(struct eg_rhythm **out, struct eg_edge *e, struct eg_err *err)
{
	struct eg_rhythm *r = calloc(1, sizeof *r);
	if (!r)
		return eg_fail(err, EG_NO_MEMORY, "no memory to watch the datasets");
	r->edge = e;
	r->timer.ring = ring;
	r->job.run = look;
	*out = r;
	eg_pool_put(e->pool, &r->job);
	return EG_OK;
}

void eg_rhythm_close(struct eg_rhythm *r)
{
	if (!r)
		return;
	free(r->v);
	free(r);
}
