/* feed: hands events to subscribers, each from its own cursor, at its own pace.
 *
 * One thread serves them all; each waits either for its sink to take more or for the log to grow. A window
 * (at most 1,000 events) leaves only after the log entry that records its delivery is committed; the windows
 * of one turn share that entry. Those who follow the head get together only so many windows a second: the
 * more they are, the more events are gathered into each, so that commits go on beside any number of them. A
 * subscriber that does not read holds one window and its cursor, nothing else; while one of a snapshot is
 * being logged, the next one is read. A snapshot is read in pages by row and followed by everything since the
 * seq at its start. Thread: the feed's own; add, more and drop may be called from any. Its pulse
 * (base/pulse.h): it serves a subscriber, or finds none that has something coming. One that does not read
 * holds up nobody, and no pulse. */
#ifndef EG_FLOW_FEED_H
#define EG_FLOW_FEED_H

#include "flow/event.h"
#include "flow/intake.h"
#include "flow/writer.h"

struct eg_feed;
struct eg_sub;

struct eg_filter {
	unsigned n_life, n_regions, n_fields;
	enum eg_life *life;   /* before or after is one of these */
	const char **regions; /* prefix of the address region code */
	unsigned *fields;     /* one of these view fields changed */
	unsigned kinds;       /* bit set of event kinds; 0: all */
};

enum eg_start { EG_START_SNAPSHOT = 1, EG_START_CURSOR = 2, EG_START_TIME = 3 };

struct eg_sub_options {
	const struct eg_policy *policy; /* a reference is taken */
	const struct eg_identity_rule *who;
	const struct eg_purpose_rule *purpose;
	const char *operator_name;
	enum eg_start start;
	uint8_t log_id[16]; /* cursor: of the log it belongs to */
	uint64_t seq;       /* cursor: events after this; a snapshot begun before: its start */
	int64_t row;        /* cursor inside a snapshot: rows from this one on; 0: not inside */
	int64_t time;       /* events at or after */
	struct eg_filter filter;
};

enum eg_feed_item_kind {
	EG_ITEM_EVENT = 1,
	EG_ITEM_STATE = 2,
	EG_ITEM_LEFT_SCOPE = 3,
	EG_ITEM_PROGRESS = 4,
	EG_ITEM_LOG_CHANGED = 5
};

/* One item of a window. STATE: a person of the snapshot: event.fields hold the whole permitted view. */
struct eg_feed_item {
	enum eg_feed_item_kind kind;
	struct eg_event event;
	struct eg_event *entered; /* EVENT that brought the person into the filter: their whole permitted
	                             view; or NULL */
	uint64_t cursor_seq;      /* resume after this */
	int64_t cursor_row;       /* inside a snapshot: rows from this one on are to come; 0: not inside */
	int64_t time;             /* PROGRESS: the log is known up to here */
};

/* What sinks made of a window, kept with it: whoever is due the same window finds it there. */
struct eg_feed_made {
	void *what; /* NULL: nothing yet */
	void (*free)(void *what);
};

/* A window as it is given out. */
struct eg_feed_given {
	const uint8_t *log_id;
	unsigned n;
	const struct eg_feed_item *items;
	struct eg_feed_made *made;
	struct eg_arena *scratch; /* for the time of the call */
};

/* Where windows go. Called on the feed's thread; must not block. prepare (may be NULL): the window waits for
 * its commit, which is the time to make what take will need; nothing of it may leave. take copies what it
 * keeps; after it the sub sends nothing until eg_feed_more. ended: the sub is over (rc says why), called
 * once, last. */
struct eg_sink {
	void *arg;
	void (*prepare)(void *arg, const struct eg_feed_given *w);
	void (*take)(void *arg, const struct eg_feed_given *w);
	void (*ended)(void *arg, enum eg_rc rc, const struct eg_err *err);
};

struct eg_feed_options {
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	struct eg_writer *writer;
	unsigned window_events; /* default 1000 */
	unsigned live_windows;  /* a second, of all who follow the head; default 5000 */
	int64_t progress_us;    /* default 5 s */
	unsigned max_subs;      /* default 2000 */
};

enum eg_rc eg_feed_start(struct eg_feed **out, const struct eg_feed_options *o, struct eg_err *err);
/* Ends every sub with EG_CLOSED, and whoever is added from then on. Pages are served as long as intake is
 * open. */
void eg_feed_drain(struct eg_feed *f);
void eg_feed_stop(
        struct eg_feed *f); /* drains if that was not done, then frees: nobody may hold it any more */
/* EG_BUSY: too many. The filter and strings are copied. */
enum eg_rc eg_feed_add(struct eg_feed *f, const struct eg_sub_options *o, struct eg_sink sink,
                       struct eg_sub **out, struct eg_err *err);
void eg_feed_limit(struct eg_feed *f, unsigned max_subs); /* from now on; ends nobody */
void eg_feed_more(struct eg_feed *f, struct eg_sub *s);
void eg_feed_drop(struct eg_feed *f,
                  struct eg_sub *s); /* the sink is called no more once ended() was called */
/* One page of the same, for ListChanges: on the caller's thread, at most max items. *ticket, the caller's
 * from then on, records the delivery: the page may leave once it is committed. NULL: it shows nothing that
 * need be recorded. */
enum eg_rc eg_feed_page(struct eg_feed *f, struct eg_conn *c, const struct eg_sub_options *o, unsigned max,
                        struct eg_arena *a, struct eg_feed_item **out, unsigned *n, bool *at_head,
                        struct eg_ticket **ticket, struct eg_err *err);

#endif
