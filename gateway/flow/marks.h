/* marks: how far each reader of the log has come, until a commit keeps it.
 *
 * A mark that is lost is reported again: its reader's own truth is elsewhere. Thread: eg_marks_put is any's;
 * the rest the writer's. */
#ifndef EG_FLOW_MARKS_H
#define EG_FLOW_MARKS_H

#include "trust/policy.h"

#include <pthread.h>

#define EG_MARKS_MAX 64

struct eg_mark {
	char name[EG_NAME_MAX];
	uint64_t seq, kept; /* as reported; as committed */
};

struct eg_marks {
	pthread_mutex_t lock; /* for what follows */
	struct eg_mark v[EG_MARKS_MAX];
	unsigned n;
};

void eg_marks_init(struct eg_marks *m);
void eg_marks_destroy(struct eg_marks *m);
/* More than EG_MARKS_MAX names: the newest are not kept. */
void eg_marks_put(struct eg_marks *m, const char *name, uint64_t seq);
/* A copy of those that moved, so that the lock is not held over the store; how many. */
unsigned eg_marks_moved(struct eg_marks *m, struct eg_mark out[EG_MARKS_MAX]);
/* They are committed. */
void eg_marks_keep(struct eg_marks *m, const struct eg_mark *kept, unsigned n);

#endif
