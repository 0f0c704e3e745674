/* feed_wire: the feed's requests and windows between the protocol and flow. Pure. */
#ifndef EG_EDGE_FEED_WIRE_H
#define EG_EDGE_FEED_WIRE_H

#include "edge/identity.h"
#include "edge/views.h"
#include "eldergate/v1/feed.pb-c.h"
#include "flow/feed.h"

/* Where a call begins; what it asks for is checked. start may be NULL: after head, of the log log_id. Texts
 * and lists are views into the request, or in the maker's arena. policy, who and purpose are set from the
 * caller and the grant. */
enum eg_rc eg_feed_options_read(struct eg_maker *k, const struct eg_caller *c,
                                const struct eg_purpose_rule *grant, const Eldergate__V1__FeedStart *start,
                                const Eldergate__V1__FeedFilter *filter, const uint8_t log_id[16],
                                uint64_t head, struct eg_sub_options *out, struct eg_fault *f);
/* The fault that a subscription ended with. */
void eg_feed_fault(enum eg_rc rc, const struct eg_err *err, struct eg_fault *f);

/* What a PROGRESS item needs besides. */
struct eg_feed_head {
	uint64_t seq;
	int64_t time;
	bool live; /* what is yet to be told has only just come */
};
Eldergate__V1__FeedItem *eg_make_item(struct eg_maker *k, const struct eg_feed_item *i,
                                      const uint8_t old_log_id[16], const struct eg_feed_head *head);
Eldergate__V1__Cursor *eg_make_cursor(struct eg_maker *k, const uint8_t log_id[16],
                                      const struct eg_feed_item *last);

#endif
