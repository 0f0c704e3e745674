/* feed_place: where a recipient of the log is, and the window of items that comes next there.
 *
 * Windows are in the caller's arena. Thread: any, each with its own connection; f is the feed's options. */
#ifndef EG_FLOW_FEED_PLACE_H
#define EG_FLOW_FEED_PLACE_H

#include "flow/feed.h"
#include "flow/feed_window.h"

/* Where a recipient is: in a snapshot while row >= 0, that is behind this row, else live. */
struct eg_feed_place {
	uint64_t seq;
	int64_t row;      /* -1: live */
	bool log_changed; /* to be told first */
};

struct eg_feed_window {
	unsigned n;
	struct eg_feed_item *items;
	struct eg_feed_place next;
};

/* EG_OUT_OF_RANGE: a cursor beyond the log's head. */
enum eg_rc eg_feed_resolve(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_sub_options *o,
                           struct eg_feed_place *out, struct eg_err *err);
/* As the recipient is told it: the first row to come, so that the beginning of a snapshot is told from none.
 */
int64_t eg_feed_cursor_row(const struct eg_feed_place *at);
enum eg_rc eg_feed_log_changed(const struct eg_feed_options *f, const struct eg_feed_place *at,
                               struct eg_arena *a, struct eg_feed_window *w, struct eg_err *err);
enum eg_rc eg_feed_states(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_scope *s,
                          const struct eg_feed_place *at, unsigned max, struct eg_arena *a,
                          struct eg_arena *scratch, struct eg_feed_window *w, struct eg_err *err);
/* Of these entries, which follow the place without a gap. */
enum eg_rc eg_feed_events(const struct eg_feed_options *f, struct eg_conn *c, const struct eg_scope *s,
                          const struct eg_entry *entries, unsigned n, unsigned max, struct eg_arena *a,
                          struct eg_arena *scratch, struct eg_feed_window *w, struct eg_err *err);
/* What the log will say of the window; borrows from the scope. */
struct eg_window eg_feed_describe(const struct eg_scope *s, const struct eg_feed_window *w);

const struct eg_feed_options *eg_feed_told(const struct eg_feed *f); /* its options; defaults filled in */

#endif
