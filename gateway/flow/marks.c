/* marks: see marks.h. */
#include "flow/marks.h"

#include "base/metric.h"

#include <stdio.h>
#include <string.h>

void eg_marks_init(struct eg_marks *m)
{
	pthread_mutex_init(&m->lock, NULL);
	m->n = 0;
}

void eg_marks_destroy(struct eg_marks *m)
{
	pthread_mutex_destroy(&m->lock);
}

void eg_marks_put(struct eg_marks *m, const char *name, uint64_t seq)
{
	unsigned i = 0;
	pthread_mutex_lock(&m->lock);
	while (i < m->n && strcmp(m->v[i].name, name) != 0)
		i++;
	if (i == m->n && i < EG_MARKS_MAX) {
		m->v[i] = (struct eg_mark){.kept = UINT64_MAX};
		snprintf(m->v[i].name, sizeof m->v[i].name, "%s", name);
		m->n++;
	}
	if (i < EG_MARKS_MAX)
		m->v[i].seq = seq;
	pthread_mutex_unlock(&m->lock);
}

unsigned eg_marks_moved(struct eg_marks *m, struct eg_mark out[EG_MARKS_MAX])
{
	unsigned n = 0;
	pthread_mutex_lock(&m->lock);
	for (unsigned i = 0; i < m->n; i++)
		if (m->v[i].seq != m->v[i].kept)
			out[n++] = m->v[i];
	pthread_mutex_unlock(&m->lock);
	return n;
}

void eg_marks_keep(struct eg_marks *m, const struct eg_mark *kept, unsigned n)
{
	pthread_mutex_lock(&m->lock);
	for (unsigned k = 0; k < n; k++)
		for (unsigned i = 0; i < m->n; i++)
			if (strcmp(m->v[i].name, kept[k].name) == 0)
				m->v[i].kept = kept[k].seq;
	pthread_mutex_unlock(&m->lock);
	for (unsigned k = 0; k < n; k++)
		eg_metric_set(EG_M_MARK_SEQ, kept[k].name, (double)kept[k].seq);
}
