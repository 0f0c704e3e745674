/* follow: the agency's subscription to the gateway's changes, which outlives its calls: when one breaks, the
 * next goes on at the cursor.
 *
 *   none --wanted, link up--> following --lost, silent, ended--> none (after a wait)
 *                                 `---more windows than fit--> none (until they are taken)
 *
 * Windows come in order. At most EG_FOLLOW_WINDOWS wait here; a target that is slow costs no more memory than
 * that, because the call is then given up and begun anew later. Thread: the agent's. */
#ifndef EG_ADAPTERS_FOLLOW_H
#define EG_ADAPTERS_FOLLOW_H

#include "common/limits.h"
#include "common/mapping.h"
#include "common/refusal.h"
#include "eldergate/link.h"
#include "eldergate/v1/feed.pb-c.h"

enum { EG_FOLLOW_WINDOWS = 4 };

struct eg_follow;

struct eg_follow_cursor {
	char log_id[40]; /* "": no cursor yet */
	uint64_t seq, snapshot_row;
};

struct eg_follow_options {
	struct eg_link *link;
	const struct eg_mapping_outbound *outbound; /* filter and purpose */
	const struct eg_limits *limits;
	/* The log cannot serve the cursor any more: a snapshot follows. */
	void (*restarted)(void *arg);
	void *arg;
};

enum eg_rc eg_follow_open(struct eg_follow **out, const struct eg_follow_options *o,
                          const struct eg_follow_cursor *start, struct eg_err *err);
void eg_follow_close(struct eg_follow *f); /* NULL is fine */
/* Begins a call if none is open and one is wanted. */
void eg_follow_turn(struct eg_follow *f, bool wanted, int64_t now_us);
bool eg_follow_event(struct eg_follow *f, const struct eg_link_event *e, int64_t now_us); /* was it ours? */
int64_t eg_follow_due(const struct eg_follow *f);
/* The oldest window; NULL: none. It lives until it is done. */
const Eldergate__V1__SubscribeResponse *eg_follow_window(const struct eg_follow *f);
void eg_follow_done(struct eg_follow *f);       /* all of it is delivered */
bool eg_follow_live(const struct eg_follow *f); /* the last window said that there is no more for now */
const struct eg_err *eg_follow_trouble(const struct eg_follow *f); /* the gateway refuses us; rc EG_OK: no */
/* The filter and purpose of the subscription, for other calls; start is the caller's. */
enum eg_rc eg_follow_request(const struct eg_mapping_outbound *o, Eldergate__V1__FeedStart *start, bool page,
                             struct eg_buf *out, struct eg_err *err);
/* As eg_refusal_fail, of a call for changes: says what the gateway's operator has to add. */
enum eg_rc eg_follow_refused(const struct eg_refusal *r, struct eg_err *err);

#endif
