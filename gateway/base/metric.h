/* metric: counters, gauges and histograms of the one table in metrics.def, rendered as Prometheus text
 * (format 0.0.4).
 *
 * A metric has at most one label; its values are codes of ours (lanes, outcomes, agency and dataset ids of
 * the configuration), at most 256 per metric: more are counted under "other". Thread: any. */
#ifndef EG_BASE_METRIC_H
#define EG_BASE_METRIC_H

#include "base/buf.h"

enum eg_metric {
#define X(id, kind, name, label, help) EG_M_##id,
#include "base/metrics.def"
#undef X
	EG_METRIC_COUNT
};

void eg_metric_add(enum eg_metric m, const char *label_value, double v); /* counter; gauge: relative */
void eg_metric_set(enum eg_metric m, const char *label_value, double v); /* gauge */
void eg_metric_observe(enum eg_metric m, const char *label_value, double seconds); /* histogram */
double eg_metric_get(enum eg_metric m, const char *label_value); /* counter or gauge; histogram: the count */
void eg_metric_render(struct eg_buf *out);

#endif
