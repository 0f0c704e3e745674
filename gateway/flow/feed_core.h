/* feed_core: what the files of the feed share; private to feed.c, feed_build.c and feed_round.c.
 *
 * Everything is the feed's thread's, but for what its lock guards. */
#ifndef EG_FLOW_FEED_CORE_H
#define EG_FLOW_FEED_CORE_H

#include "base/pulse.h"
#include "base/wake.h"
#include "flow/exlog.h"
#include "flow/feed_parcel.h"

#include <pthread.h>

struct eg_sub {
	struct eg_sub *next, *next_in_round;
	struct eg_feed *feed;
	struct eg_scope scope;
	struct eg_sink sink;
	struct eg_feed_place at;
	struct eg_parcel *parcel; /* its window of a round; NULL: in none */
	struct eg_parcel *ahead;  /* of a snapshot: the window after it, or none; not yet to be logged */
	int64_t told_mono;        /* when it last heard anything */
	int64_t not_before_mono;  /* it has no window until then: the writer could not log its last one */
	bool behind;              /* it has not heard yet that it reached the head */
	enum eg_rc end;           /* set: it is over */
	struct eg_err end_err;
	/* guarded by the feed's lock */
	bool idle, dropped;
	bool hurries; /* it was behind when its last window was handed over */
};

/* Windows on their way through the log; lives in its ticket. */
struct round {
	struct round *next;
	struct eg_feed *feed;
	struct eg_ticket *ticket;
	struct eg_sub *subs;
};

/* The newest page of entries that a live sub asked for: most of them are at the same place. */
struct page {
	struct eg_arena *arena;
	uint64_t after;
	unsigned n;
	struct eg_entry *entries;
	uint64_t turn; /* in which it was read */
};

struct eg_feed {
	struct eg_feed_options o;
	struct eg_wake *wake, *now;
	struct eg_thread *thread;
	struct eg_pulse pulse; /* turns with each sub that is served */
	/* the thread's */
	struct eg_exlog *log;
	struct eg_arena *scratch;
	struct page page;
	struct eg_sub *subs;
	struct eg_parcels *parcels;
	struct eg_sub *building, **built_last; /* of this turn's round */
	unsigned n_built, n_live;              /* of them to who is at the head */
	struct round *unsent;                  /* the lane was full */
	uint64_t turn;
	int64_t mono, gathers_until; /* monotonic: of this turn; no window goes to the head before */
	struct eg_sub *put_off;      /* found no room for its window: the next turn begins with it */
	pthread_mutex_t lock;
	struct eg_sub *incoming;               /* guarded */
	struct round *returned, **returned_at; /* guarded: in the order of their commits */
	unsigned n_subs;                       /* guarded */
	unsigned max_subs;                     /* guarded */
	bool stopping;                         /* guarded */
};

/* feed_round */
bool eg_sub_at_head(const struct eg_sub *s);
void eg_sub_over(struct eg_sub *s, enum eg_rc rc, const struct eg_err *err);
void eg_sub_hand_over_own(struct eg_sub *s, const struct eg_feed_window *w); /* needs no entry in the log */
/* Puts the sub's parcel, whose reference it takes, into the round of this turn. */
void eg_round_join(struct eg_sub *s, struct eg_parcel *p);
void eg_round_send(struct eg_feed *f);                 /* what was built becomes a round */
void eg_round_again(struct eg_feed *f, bool stopping); /* the one that found no room, if there is one */
bool eg_rounds_finish(struct eg_feed *f);              /* those that are back; true: there were some */

/* feed_build: makes the next window of a sub that is idle. True: the sub moved, and may have more to do at
 * once. */
bool eg_sub_build(struct eg_sub *s);
/* These are being logged: the time to read what follows. */
void eg_subs_read_ahead(struct eg_feed *f, struct eg_sub *subs);
/* The sink does not take the window that went before: what was read for it goes. */
void eg_sub_forget_ahead(struct eg_sub *s, int64_t older_than_us);

#endif
