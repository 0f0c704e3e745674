/* rhythm: holds every dataset against the rhythm that its policy declares, and tells when that changes.
 *
 * On a timer, on a worker: the metric of each dataset, and the events dataset.silent, dataset.late and
 * dataset.on_time in the log when a dataset becomes so. A link that is up proves nothing: what counts is what
 * was sent, and how old that is by the source's own time. Thread: open and close are the edge's. */
#ifndef EG_EDGE_RHYTHM_H
#define EG_EDGE_RHYTHM_H

#include "edge/edge_core.h"

struct eg_rhythm;

enum eg_rc eg_rhythm_open(struct eg_rhythm **out, struct eg_edge *e, struct eg_err *err);
void eg_rhythm_close(struct eg_rhythm *r); /* after the pool and the timers are stopped; NULL is fine */

#endif
