/* feed_parcel: a window while it waits for its commit, shared by the recipients who are due the very same
 * one.
 *
 * Recipients of one identity, with the same fields and filter, at the same place, are due the same items:
 * they are made once a turn, and what a sink makes of them (feed.h) once as well. Everything of a parcel
 * lives in its arena, which is wiped with its last reference. Thread: the feed's. */
#ifndef EG_FLOW_FEED_PARCEL_H
#define EG_FLOW_FEED_PARCEL_H

#include "flow/feed_place.h"

struct eg_parcels;

struct eg_parcel {
	struct eg_arena *arena;
	struct eg_feed_window window;
	struct eg_feed_made made;
	/* private to feed_parcel.c */
	const struct eg_scope *scope; /* looked at during the turn alone */
	struct eg_feed_place from;
	size_t bytes;
	unsigned refs;
};

struct eg_parcels *eg_parcels_new(void);    /* NULL: no memory */
void eg_parcels_free(struct eg_parcels *p); /* no parcel may be left; NULL is fine */

/* The one that was kept this turn for the same recipient and place: a reference. NULL: none. */
struct eg_parcel *eg_parcel_same(struct eg_parcels *all, const struct eg_scope *s,
                                 const struct eg_feed_place *at);
bool eg_parcel_begins(const struct eg_parcel *p, const struct eg_feed_place *at); /* it was kept for there */
/* An empty one, with a reference. NULL: no memory. */
struct eg_parcel *eg_parcel_new(struct eg_parcels *all);
/* It is filled: its bytes count from now on, and eg_parcel_same knows it until the turn ends. The scope has
 * to live as long. */
void eg_parcel_keep(struct eg_parcels *all, struct eg_parcel *p, const struct eg_scope *s,
                    const struct eg_feed_place *at);
void eg_parcel_release(struct eg_parcels *all, struct eg_parcel *p); /* drops a reference; NULL is fine */
void eg_parcels_turn(struct eg_parcels *all);                        /* a turn ends */
size_t eg_parcels_bytes(const struct eg_parcels *all);               /* of all that were kept */

#endif
