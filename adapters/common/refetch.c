/* refetch: see refetch.h. */
#include "common/refetch.h"

#include "base/clock.h"
#include "base/log.h"
#include "common/follow.h"
#include "common/refusal.h"

#include <string.h>

#define METHOD     "/eldergate.v1.FeedService/ListChanges"
#define TIMEOUT_US (30 * EG_SECOND)

void eg_refetch_begin(struct eg_refetch *r, struct eg_link *l, const struct eg_mapping_outbound *o,
                      const char *log_id, uint64_t seq, int64_t now)
{
	Eldergate__V1__FeedStart start = ELDERGATE__V1__FEED_START__INIT;
	Eldergate__V1__Cursor cursor = ELDERGATE__V1__CURSOR__INIT;
	struct eg_err err = {0};
	eg_refetch_end(r);
	cursor.log_id = (char *)(uintptr_t)log_id; /* packing only reads it */
	cursor.seq = seq - 1;
	start.position_case = ELDERGATE__V1__FEED_START__POSITION_CURSOR;
	start.cursor = &cursor;
	r->seq = seq;
	r->since_us = now;
	r->state = EG_REFETCH_ASKED;
	if (eg_follow_request(o, &start, true, &r->ask.request, &err) ||
	    eg_ask_open(&r->ask, l, METHOD, 1, &err)) {
		eg_log_err(EG_LOG_WARN, "agent.refetch_failed", &err);
		r->state = EG_REFETCH_BROKEN;
	}
}

void eg_refetch_turn(struct eg_refetch *r, int64_t now)
{
	struct eg_err err = {0};
	if (r->state != EG_REFETCH_ASKED)
		return;
	if (eg_ask_send(&r->ask, &err) || now - r->since_us > TIMEOUT_US) {
		eg_ask_close(&r->ask);
		r->state = EG_REFETCH_BROKEN;
	}
}

static void page(struct eg_refetch *r, struct eg_bytes message)
{
	const Eldergate__V1__FeedItem *item = NULL;
	r->page = eldergate__v1__list_changes_response__unpack(NULL, message.len, message.p);
	if (r->page && r->page->n_items)
		item = r->page->items[0];
	bool here = item && item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE &&
	            item->change->seq == r->seq;
	r->event = here ? item->change : NULL;
	r->state = !r->page ? EG_REFETCH_BROKEN : here ? EG_REFETCH_HERE : EG_REFETCH_GONE;
}

static void ended(struct eg_refetch *r, const struct eg_link_event *e)
{
	struct eg_refusal refusal;
	struct eg_err err = {0};
	eg_refusal_of_status(e, &refusal);
	eg_refusal_fail(&refusal, &err);
	if (e->code)
		eg_log_err(EG_LOG_WARN, "agent.refetch_failed", &err);
	r->state = refusal.rc == EG_OUT_OF_RANGE ? EG_REFETCH_GONE : EG_REFETCH_BROKEN;
}

bool eg_refetch_event(struct eg_refetch *r, const struct eg_link_event *e)
{
	if (!r->ask.call || e->call != r->ask.call)
		return false;
	if (e->kind == EG_LINK_MESSAGE && r->state == EG_REFETCH_ASKED)
		page(r, e->bytes);
	else if (e->kind == EG_LINK_STATUS && r->state == EG_REFETCH_ASKED)
		ended(r, e);
	else if (e->kind == EG_LINK_LOST && r->state == EG_REFETCH_ASKED)
		r->state = EG_REFETCH_BROKEN;
	if (r->state != EG_REFETCH_ASKED)
		eg_ask_close(&r->ask);
	return true;
}

void eg_refetch_end(struct eg_refetch *r)
{
	eg_ask_close(&r->ask);
	eldergate__v1__list_changes_response__free_unpacked(r->page, NULL);
	r->page = NULL;
	r->event = NULL;
	r->state = EG_REFETCH_NONE;
}
