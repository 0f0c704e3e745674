/* ahead: see ahead.h. */
#include "common/ahead.h"

#include "base/clock.h"

#define LINGER_US (EG_SECOND / 50)
enum { AHEAD = EG_VIEWS_MOST - 8 }; /* a parked event wants its person too */

static bool can_go(const struct eg_outbound *o, struct eg_views *views, const Eldergate__V1__FeedItem *item,
                   int64_t now)
{
	const Eldergate__V1__ElderView *view;
	return item->item_case != ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE ||
	       !eg_outbound_needs_view(o, item->change) ||
	       eg_views_get(views, item->change->seq, item->change->person_ref, now, &view);
}

bool eg_ahead_ready(struct eg_ahead *a, const struct eg_outbound *o, struct eg_views *views,
                    const Eldergate__V1__SubscribeResponse *w, size_t at, size_t most, int64_t now)
{
	size_t left = w->n_items - at, ready = 0;
	size_t look = left < AHEAD ? left : AHEAD, wanted = most < look ? most : look;
	for (size_t i = 0; i < look; i++)
		if (can_go(o, views, w->items[at + i], now) && ready == i)
			ready++;
	if (!ready && wanted) {
		a->since_us = 0;
		return false;
	}
	if (!a->since_us)
		a->since_us = now;
	if (ready < wanted && now - a->since_us < LINGER_US)
		return false;
	a->since_us = 0;
	return true;
}

int64_t eg_ahead_due(const struct eg_ahead *a)
{
	return a->since_us ? a->since_us + LINGER_US : INT64_MAX;
}
