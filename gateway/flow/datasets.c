/* datasets: a list of a few dozen, searched once per submission. */
#include "flow/datasets.h"

#include "base/metric.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum eg_rc find(struct eg_datasets *d, const char *name, struct eg_dataset_state **out,
                       struct eg_err *err)
{
	for (unsigned i = 0; i < d->n; i++)
		if (strcmp(d->v[i].name, name) == 0) {
			*out = &d->v[i];
			return EG_OK;
		}
	if (d->n == d->cap) {
		unsigned cap = d->cap ? 2 * d->cap : 16;
		struct eg_dataset_state *more = realloc(d->v, cap * sizeof *more);
		if (!more)
			return eg_fail(err, EG_NO_MEMORY, "no memory for one more dataset");
		d->v = more;
		d->cap = cap;
	}
	*out = &d->v[d->n++];
	**out = (struct eg_dataset_state){0};
	snprintf((*out)->name, sizeof(*out)->name, "%s", name);
	return EG_OK;
}

enum eg_rc eg_datasets_open(struct eg_datasets *d, struct eg_conn *c, struct eg_err *err)
{
	struct eg_arena *a = eg_arena_new((size_t)16 << 20);
	struct eg_dataset_row *rows = NULL;
	unsigned n = 0;
	*d = (struct eg_datasets){0};
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory to read the datasets");
	enum eg_rc rc = eg_list_datasets(c, a, &rows, &n, err);
	for (unsigned i = 0; i < n && rc == EG_OK; i++) {
		struct eg_dataset_state *s = NULL;
		rc = find(d, rows[i].name, &s, err);
		if (rc)
			break;
		s->kept = rows[i];
		s->kept.name = NULL; /* the array moves when it grows: the name is set where it is used */
		s->now = s->kept;
	}
	eg_arena_free(a);
	if (rc)
		eg_datasets_close(d);
	return rc;
}

void eg_datasets_close(struct eg_datasets *d)
{
	free(d->v);
	*d = (struct eg_datasets){0};
}

/* What a source says of its own time, as far as our clock believes it. */
static void happened(struct eg_dataset_state *s, int64_t event, int64_t now_us)
{
	if (event > now_us + EG_CLOCK_SKEW)
		event = now_us + EG_CLOCK_SKEW;
	if (event > s->now.event_time)
		s->now.event_time = event;
}

enum eg_rc eg_datasets_count(struct eg_datasets *d, const struct eg_ticket *t, const struct eg_work *works,
                             unsigned n, int64_t now_us, struct eg_err *err)
{
	char name[2 * EG_NAME_MAX + 1];
	struct eg_dataset_state *s = NULL;
	snprintf(name, sizeof name, "%s/%s", t->who->name, t->submission.dataset->name);
	enum eg_rc rc = find(d, name, &s, err);
	if (rc)
		return rc;
	s->dirty = true;
	if (t->submission.last_seq)
		s->now.seq = t->submission.last_seq;
	for (unsigned i = 0; i < n; i++) {
		if (works[i].item->claim.op == EG_WITHDRAW)
			continue; /* the gateway's own */
		s->now.heard = now_us;
		s->now.records++;
		s->now.rejects += works[i].rejected;
		if (works[i].item->outcome != EG_QUARANTINED)
			happened(s, works[i].item->claim.event_time, now_us);
	}
	return EG_OK;
}

enum eg_rc eg_datasets_listed(struct eg_datasets *d, const struct eg_list_info *l, int64_t now_us,
                              struct eg_err *err)
{
	char name[2 * EG_NAME_MAX + 1];
	struct eg_dataset_state *s = NULL;
	snprintf(name, sizeof name, "%s/%s", l->agency, l->dataset);
	enum eg_rc rc = find(d, name, &s, err);
	if (rc)
		return rc;
	s->dirty = true;
	s->now.heard = now_us;
	s->now.seq = l->seq;
	s->now.records += (int64_t)l->counts.unchanged;
	if (l->taken_at)
		happened(s, l->taken_at, now_us);
	else if (l->as_of >= EG_POSITION_INSTANT && l->as_of <= now_us + EG_CLOCK_SKEW)
		happened(s, l->as_of, now_us);
	return EG_OK;
}

void eg_datasets_put(struct eg_datasets *d, struct eg_tx *tx)
{
	for (unsigned i = 0; i < d->n; i++) {
		if (!d->v[i].dirty)
			continue;
		struct eg_dataset_row row = d->v[i].now;
		row.name = d->v[i].name;
		eg_tx_put_dataset(tx, &row);
	}
}

void eg_datasets_keep(struct eg_datasets *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		d->v[i].kept = d->v[i].now;
		d->v[i].dirty = false;
	}
}

void eg_datasets_back(struct eg_datasets *d)
{
	for (unsigned i = 0; i < d->n; i++) {
		d->v[i].now = d->v[i].kept;
		d->v[i].dirty = false;
	}
}

void eg_datasets_measure(const struct eg_datasets *d, int64_t now_us)
{
	for (unsigned i = 0; i < d->n; i++) {
		/* A source's clock may be ahead, and ours be set back: no lag is below none. */
		int64_t lag = now_us > d->v[i].kept.event_time ? now_us - d->v[i].kept.event_time : 0;
		if (d->v[i].kept.event_time)
			eg_metric_set(EG_M_DATASET_LAG, d->v[i].name, (double)lag / (double)EG_SECOND);
	}
}

const struct eg_dataset_row *eg_dataset_row_of(const struct eg_dataset_row *rows, unsigned n,
                                               const char *agency, const char *dataset)
{
	char name[2 * EG_NAME_MAX + 1];
	snprintf(name, sizeof name, "%s/%s", agency, dataset);
	for (unsigned i = 0; i < n; i++)
		if (strcmp(rows[i].name, name) == 0)
			return &rows[i];
	return NULL;
}

const char *eg_punctuality_name(enum eg_punctuality p)
{
	static const char *const names[] = {"NO_RHYTHM", "ON_TIME", "LATE", "SILENT"};
	return names[p];
}

enum eg_punctuality eg_dataset_punctuality(const struct eg_dataset_rule *rule,
                                           const struct eg_dataset_row *row, int64_t since_us,
                                           unsigned tolerance_percent, int64_t now_us)
{
	if (!rule || !rule->rhythm_s)
		return EG_NO_RHYTHM;
	/* In seconds: a rhythm is days or months, and a product of microseconds would not fit. */
	int64_t allowed_s =
	        rule->rhythm_s / 100 * tolerance_percent + rule->rhythm_s % 100 * tolerance_percent / 100;
	int64_t heard = row && row->heard ? row->heard : since_us;
	if ((now_us - heard) / EG_SECOND > allowed_s)
		return EG_SILENT;
	if (row && row->event_time && (now_us - row->event_time) / EG_SECOND > allowed_s)
		return EG_LATE;
	return EG_ON_TIME;
}
