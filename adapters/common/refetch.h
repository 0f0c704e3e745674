/* refetch: one event from the gateway once more, by its position in the log. Thread: the agent's. */
#ifndef EG_ADAPTERS_REFETCH_H
#define EG_ADAPTERS_REFETCH_H

#include "common/ask.h"
#include "common/mapping.h"
#include "eldergate/v1/feed.pb-c.h"

enum eg_refetch_state {
	EG_REFETCH_NONE,
	EG_REFETCH_ASKED,
	EG_REFETCH_HERE,
	EG_REFETCH_GONE,
	EG_REFETCH_BROKEN
};

struct eg_refetch {
	struct eg_ask ask;
	enum eg_refetch_state state;
	uint64_t seq;
	int64_t since_us;
	Eldergate__V1__ListChangesResponse *page; /* owned */
	const Eldergate__V1__ChangeEvent *event;  /* HERE: in the page */
};

/* BROKEN and GONE are told by the state. GONE: the log or the filter does not have it (any more). */
void eg_refetch_begin(struct eg_refetch *r, struct eg_link *l, const struct eg_mapping_outbound *o,
                      const char *log_id, uint64_t seq, int64_t now_us);
void eg_refetch_turn(struct eg_refetch *r, int64_t now_us);
bool eg_refetch_event(struct eg_refetch *r, const struct eg_link_event *e); /* was it ours? */
void eg_refetch_end(struct eg_refetch *r);                                  /* back to NONE */

#endif
