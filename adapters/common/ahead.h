/* ahead: gathers the persons of a window's next changes, so that changes go out many at a time though each
 * waits for an answer of the gateway.
 *
 * The cost of a delivery is the target's and the checkpoint's syncs, whatever the number of changes. Thread:
 * the agent's. */
#ifndef EG_ADAPTERS_AHEAD_H
#define EG_ADAPTERS_AHEAD_H

#include "common/outbound.h"
#include "common/views.h"
#include "eldergate/v1/feed.pb-c.h"

struct eg_ahead {
	int64_t since_us; /* the first change could go since then; 0: it cannot yet */
};

/* Asks for persons of the window's items behind at. True: most of them, or all that there are, can go, or the
 * first has waited for those after it long enough. */
bool eg_ahead_ready(struct eg_ahead *a, const struct eg_outbound *o, struct eg_views *views,
                    const Eldergate__V1__SubscribeResponse *window, size_t at, size_t most, int64_t now_us);
int64_t eg_ahead_due(const struct eg_ahead *a);

#endif
