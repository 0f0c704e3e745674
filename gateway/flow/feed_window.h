/* feed_window: builds the items of one window for one recipient, from log entries or from pages of persons.
 *
 * Pure but for the vault and the connection it is given. Everything lives in the arena of the call. */
#ifndef EG_FLOW_FEED_WINDOW_H
#define EG_FLOW_FEED_WINDOW_H

#include "flow/feed.h"

/* What a recipient may see, copied from its options so that it outlives them. */
struct eg_scope {
	struct eg_arena *arena;         /* owned */
	const struct eg_policy *policy; /* a reference; owned */
	const struct eg_identity_rule *who;
	const struct eg_purpose_rule *purpose;
	const char *operator_name;
	char audience[EG_NAME_MAX + 16];
	struct eg_filter filter;
	const char *filter_text; /* canonical text of the filter, for the delivery's entry */
};

enum eg_rc eg_scope_open(struct eg_scope *s, const struct eg_sub_options *o, struct eg_err *err);
void eg_scope_close(struct eg_scope *s);
/* Are the same items due to both, wherever they are? */
bool eg_scope_same(const struct eg_scope *a, const struct eg_scope *b);

/* Items for entries[0..n), in order, until `max` items; *consumed: how many entries were looked at. Who comes
 * into the filter is read from c. */
enum eg_rc eg_window_events(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                            const uint8_t log_id[16], const struct eg_entry *entries, unsigned n,
                            unsigned max, struct eg_arena *a, struct eg_arena *scratch,
                            struct eg_feed_item *items, unsigned *n_items, unsigned *consumed,
                            struct eg_err *err);
/* STATE items for persons with row > *row, looking at most at `max` rows, and at fewer when they are large;
 * *row moves past them; *end: none are left. scratch is emptied again and again: what a person is besides
 * what the recipient sees of it would not stay in the processor's caches for a whole window. */
enum eg_rc eg_window_states(struct eg_vault *v, struct eg_conn *c, const struct eg_scope *s,
                            const uint8_t log_id[16], uint64_t start_seq, int64_t *row, unsigned max,
                            struct eg_arena *a, struct eg_arena *scratch, struct eg_feed_item *items,
                            unsigned *n_items, bool *end, struct eg_err *err);
/* Seq of the last entry before this time: a start from it hears everything since. */
enum eg_rc eg_seq_before_time(struct eg_conn *c, int64_t time_us, uint64_t *seq, struct eg_err *err);

#endif
