/* deliver: see deliver.h. */
#include "common/deliver.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "common/ahead.h"
#include "common/backoff.h"
#include "common/chunk.h"
#include "common/follow.h"
#include "common/outbound.h"
#include "common/parked.h"
#include "common/port.h"
#include "common/refetch.h"
#include "common/views.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CURSOR "agent/cursor"
enum { HESITANT = 8 }; /* changes that go out together while the target fails */

/* How often one event was tried; another one begins anew. */
struct tries {
	uint64_t seq;
	unsigned refused, failed;
};

struct eg_deliver {
	struct eg_deliver_options o;
	struct eg_port port;
	struct eg_outbound *outbound;
	struct eg_follow *follow;
	struct eg_views *views;
	struct eg_ahead ahead;
	struct eg_chunk chunk;
	struct eg_follow_cursor cursor; /* as in the checkpoint */
	size_t at;                      /* items of the oldest window that are done */
	struct eg_refetch refetch;      /* of a parked event that may go now */
	int64_t refetch_not_before_us;
	struct tries tries, parked_tries; /* of the first event that is not done; of the parked one */
	struct eg_backoff pause;          /* after a refusal */
	int64_t pause_until_us;           /* 0: none */
	unsigned lone;         /* events parked as failing by themselves, with nothing delivered since */
	int64_t full_until_us; /* no room for another parked event */
	bool alone;            /* the next event was refused: those after it would go out anew each time */
	bool full, stopped;
};

/* ---- the cursor ---- */

static void load_cursor(struct eg_deliver *d)
{
	char text[96] = "";
	struct eg_bytes v = eg_checkpoint_get(d->o.checkpoint, CURSOR);
	if (!v.len || v.len >= sizeof text)
		return;
	memcpy(text, v.p, v.len);
	struct eg_follow_cursor c = {0};
	if (sscanf(text, "%39s %" SCNu64 " %" SCNu64, c.log_id, &c.seq, &c.snapshot_row) == 3)
		d->cursor = c;
}

static bool save(struct eg_deliver *d, const char *log_id, uint64_t seq, uint64_t row)
{
	char text[96];
	struct eg_err err = {0};
	snprintf(d->cursor.log_id, sizeof d->cursor.log_id, "%s", log_id);
	d->cursor.seq = seq;
	d->cursor.snapshot_row = row;
	snprintf(text, sizeof text, "%s %" PRIu64 " %" PRIu64, d->cursor.log_id, seq, row);
	enum eg_rc rc = eg_checkpoint_put(d->o.checkpoint, CURSOR, eg_bytes_of(text), &err);
	if (!rc)
		rc = eg_checkpoint_save(d->o.checkpoint, &err);
	if (rc) {
		/* What was delivered is delivered again after a crash, under the same event id. */
		d->o.counts->checkpoint_failures++;
		eg_log_err(EG_LOG_ERROR, "agent.checkpoint_failed", &err);
		return false;
	}
	eg_kill_point("agent.cursor_saved");
	return true;
}

/* A snapshot follows: it holds what parked events would have told, and their log may be gone. */
static void restarted(void *arg)
{
	struct eg_deliver *d = arg;
	unsigned parked = eg_parked_count(d->o.checkpoint);
	d->o.counts->snapshots++;
	eg_refetch_end(&d->refetch);
	eg_parked_drop(d->o.checkpoint, 0, NULL);
	eg_log(EG_LOG_WARN, "agent.feed_restarted", EG_I("parked_dropped", parked));
}

/* ---- parking ---- */

/* False: no room. refusal NULL: behind another one. */
static bool park(struct eg_deliver *d, const struct eg_chunk_item *item, const struct eg_err *refusal)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_parked_count(d->o.checkpoint) >= d->o.limits->parked
	                        ? eg_fail(&err, EG_LIMIT, "%u events are parked; retry or drop some",
	                                  d->o.limits->parked)
	                        : eg_parked_add(d->o.checkpoint, item->log_id, item->seq, item->person_ref,
	                                        item->person, refusal, &err);
	if (rc) {
		if (!d->full)
			eg_log_err(EG_LOG_ERROR, "agent.parked_full", &err);
		d->full = true;
		d->full_until_us = eg_mono_us() + d->o.limits->status_us;
		return false;
	}
	eg_log(EG_LOG_WARN, "agent.event_parked", EG_I("seq", item->seq), EG_B("behind", !refusal),
	       EG_T("reason", refusal ? refusal->text : NULL));
	return true;
}

/* ---- from the window into the chunk ---- */

enum step { ADDED, DONE, STOP };

/* The change with all that its columns show. False: the person is being asked for. */
static bool map_change(struct eg_deliver *d, const Eldergate__V1__ChangeEvent *e, int64_t now, enum eg_rc *rc,
                       struct eg_delivery *v, bool *skip, struct eg_err *err)
{
	const Eldergate__V1__ElderView *view = NULL;
	bool needed = eg_outbound_needs_view(d->outbound, e);
	if (needed && !eg_views_get(d->views, e->seq, e->person_ref, now, &view))
		return false;
	*rc = eg_outbound_event_view(d->outbound, e, view, v, skip, err);
	return true;
}

static enum step add(struct eg_deliver *d, const struct eg_chunk_item *item, const struct eg_delivery *v)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_chunk_add(&d->chunk, v, item, &err);
	if (!rc)
		return ADDED;
	if (d->chunk.n)
		return STOP; /* with an empty chunk it may fit */
	return park(d, item, &err) ? DONE : STOP;
}

/* rc, delivery, skip: what the mapping made of it. */
static enum step offer(struct eg_deliver *d, const struct eg_chunk_item *item, enum eg_rc rc,
                       const struct eg_delivery *v, bool skip, const struct eg_err *err)
{
	if (!rc && skip) {
		d->o.counts->not_for_us++;
		return DONE;
	}
	if (!eg_chunk_takes(&d->chunk, item->person_ref))
		return STOP;
	bool behind = eg_parked_person(d->o.checkpoint, item->person_ref);
	if (!rc && !behind)
		return add(d, item, v);
	if (d->chunk.n)
		return STOP; /* first what stands before it */
	return park(d, item, behind ? NULL : err) ? DONE : STOP;
}

static enum step take(struct eg_deliver *d, size_t index, const Eldergate__V1__FeedItem *in, int64_t now)
{
	struct eg_chunk_item item = {.index = index};
	struct eg_delivery v;
	struct eg_err err = {0};
	bool skip = false;
	enum eg_rc rc;
	switch (in->item_case) {
	case ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE:
		item.log_id = in->change->log_id;
		item.person_ref = in->change->person_ref;
		item.seq = in->change->seq;
		if (!map_change(d, in->change, now, &rc, &v, &skip, &err))
			return STOP;
		return offer(d, &item, rc, &v, skip, &err);
	case ELDERGATE__V1__FEED_ITEM__ITEM_SNAPSHOT:
		item.log_id = in->snapshot->log_id;
		item.person_ref = in->snapshot->person_ref;
		item.seq = in->snapshot->seq;
		item.person = true;
		rc = eg_outbound_state(d->outbound, in->snapshot, &v, &skip, &err);
		return offer(d, &item, rc, &v, skip, &err);
	case ELDERGATE__V1__FEED_ITEM__ITEM_LOG_CHANGED:
		if (d->chunk.n)
			return STOP;
		restarted(d);
		return DONE;
	default:
		return DONE; /* progress, or what a newer gateway tells besides */
	}
}

/* ---- out ---- */

static void target_failed(struct eg_deliver *d, const struct eg_err *err)
{
	d->o.counts->target_failures++;
	eg_port_fail(&d->port, eg_mono_us(), err);
}

static struct tries *tries_of(struct tries *t, uint64_t seq)
{
	if (t->seq != seq)
		*t = (struct tries){.seq = seq};
	return t;
}

/* Refused often enough to be parked? If not, it is tried again after a pause: what a target refuses now, such
 * as a code that it is about to learn, it may take in a moment. */
static bool refused_enough(struct eg_deliver *d, const struct eg_chunk_item *item, const struct eg_err *why)
{
	struct tries *t = tries_of(&d->tries, item->seq);
	if (!t->refused++)
		eg_backoff_reset(&d->pause);
	if (t->refused >= d->o.limits->refusals)
		return true;
	d->pause_until_us = eg_mono_us() + eg_backoff_next(&d->pause);
	d->alone = true;
	eg_log(EG_LOG_WARN, "agent.event_refused", EG_I("seq", item->seq), EG_I("try", t->refused),
	       EG_T("reason", why->text));
	return false;
}

/* Is it the event that fails, and not the target? A connector returns what is no fault of an event from the
 * whole call; one that cannot tell would let every event fail, so that each one that is parked with nothing
 * delivered in between takes twice as many tries as the one before. */
static bool failed_enough(struct eg_deliver *d, const struct eg_chunk_item *item)
{
	struct tries *t = tries_of(&d->tries, item->seq);
	uint64_t need = (uint64_t)d->o.limits->attempts << (d->lone < 16 ? d->lone : 16);
	return ++t->failed >= need;
}

/* Goes through the results in order up to the first that is neither delivered nor parked; false: not all of
 * them were. whole: what the call as such failed with; rc EG_OK: it did not. */
static bool take_results(struct eg_deliver *d, size_t end, const struct eg_err *whole)
{
	for (unsigned i = 0; i < d->chunk.n; i++) {
		const struct eg_delivery_result *r = &d->chunk.results[i];
		const struct eg_chunk_item *item = &d->chunk.items[i];
		struct eg_err why = whole->rc ? *whole : r->err;
		d->at = item->index;
		if (r->rc && eg_rc_retryable(r->rc)) {
			/* EG_BUSY behind one that was delivered: left for the next call. */
			bool left = r->rc == EG_BUSY && !*r->err.text && !whole->rc && i > 0;
			if (left)
				return true;
			why.rc = whole->rc ? whole->rc : r->rc;
			if (whole->rc || !failed_enough(d, item) || !park(d, item, &why)) {
				target_failed(d, &why);
				return false;
			}
			d->lone++;
			d->at = item->index + 1;
			continue;
		}
		if (r->rc && (!refused_enough(d, item, &r->err) || !park(d, item, &r->err)))
			return false;
		if (!r->rc) {
			/* A target that takes a few at a time works: its waits must not grow. */
			eg_port_worked(&d->port);
			d->lone = 0;
			d->o.counts->delivered++;
			d->o.counts->last_delivery_us = eg_now_us();
			eg_kill_point("agent.delivered");
		}
		d->at = item->index + 1;
	}
	d->at = end;
	if (whole->rc)
		target_failed(d, whole);
	return !whole->rc;
}

/* The cursor behind what is done of the window; within a snapshot only whole windows count. */
static void move_cursor(struct eg_deliver *d, const Eldergate__V1__SubscribeResponse *w)
{
	if (d->at == w->n_items) {
		if (strcmp(d->cursor.log_id, w->next->log_id) != 0 || d->cursor.seq != w->next->seq ||
		    d->cursor.snapshot_row != w->next->snapshot_row)
			save(d, w->next->log_id, w->next->seq, w->next->snapshot_row);
		eg_follow_done(d->follow);
		d->at = 0;
		return;
	}
	const Eldergate__V1__FeedItem *last = d->at ? w->items[d->at - 1] : NULL;
	if (last && last->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE && !w->next->snapshot_row &&
	    !d->cursor.snapshot_row)
		save(d, last->change->log_id, last->change->seq, 0);
}

/* The very first window of a start at "now": where now was must be durable before anything is delivered, or a
 * crash would begin at a later now. False: it could not be saved. */
static bool pin_start(struct eg_deliver *d, const Eldergate__V1__SubscribeResponse *w)
{
	const Eldergate__V1__FeedItem *first = w->n_items ? w->items[0] : NULL;
	if (*d->cursor.log_id || !first || first->item_case != ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE ||
	    w->next->snapshot_row)
		return true;
	return save(d, first->change->log_id, first->change->seq - 1, 0);
}

/* True: something was done. */
static bool deliver_window(struct eg_deliver *d, int64_t now)
{
	const Eldergate__V1__SubscribeResponse *w = eg_follow_window(d->follow);
	struct eg_err err = {0};
	size_t at = d->at, end = d->at;
	bool good = true;
	if (!w || !pin_start(d, w))
		return false;
	d->pause_until_us = 0;
	d->chunk.max = d->alone ? 1 : d->o.limits->deliver_events;
	/* Persons grow old while a target fails, and each look at them is entered in the log. */
	if (d->port.backoff.next_us && d->chunk.max > HESITANT)
		d->chunk.max = HESITANT;
	if (!eg_ahead_ready(&d->ahead, d->outbound, d->views, w, d->at, d->chunk.max, now))
		return false;
	eg_chunk_reset(&d->chunk);
	d->alone = false;
	while (end < w->n_items && take(d, end, w->items[end], now) != STOP)
		end++;
	if (d->chunk.n) {
		enum eg_rc rc =
		        d->port.type->deliver(d->port.connector, d->chunk.deliveries, d->chunk.n,
		                              d->chunk.results, eg_mono_us() + d->o.limits->deliver_us, &err);
		err.rc = rc;
		good = take_results(d, end, &err);
		if (good)
			eg_port_worked(&d->port);
	} else {
		d->at = end;
	}
	bool moved = d->at > at || d->at == w->n_items;
	if (moved) {
		for (size_t i = at; i < d->at; i++)
			if (w->items[i]->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_CHANGE)
				eg_views_done(d->views, w->items[i]->change->seq);
		d->full = false;
		move_cursor(d, w);
	}
	return moved && good;
}

/* ---- parked events that may go now ---- */

static void save_parked(struct eg_deliver *d)
{
	struct eg_err err = {0};
	if (eg_checkpoint_save(d->o.checkpoint, &err)) {
		d->o.counts->checkpoint_failures++;
		eg_log_err(EG_LOG_ERROR, "agent.checkpoint_failed", &err);
	}
}

/* It stays, and so do those behind it, until a person has looked at it. */
static void parked_gone(struct eg_deliver *d, uint64_t seq)
{
	eg_log(EG_LOG_ERROR, "agent.parked_gone", EG_I("seq", seq));
	eg_parked_gone(d->o.checkpoint, seq, NULL);
	save_parked(d);
}

/* rc, v, skip, err: what the mapping made of it. */
static void deliver_parked(struct eg_deliver *d, uint64_t seq, enum eg_rc rc, const struct eg_delivery *v,
                           bool skip, struct eg_err err, int64_t now)
{
	struct eg_delivery_result result = {.rc = EG_BUSY};
	if (!rc && !skip) {
		rc = d->port.type->deliver(d->port.connector, v, 1, &result,
		                           eg_mono_us() + d->o.limits->deliver_us, &err);
		if (rc && result.rc) { /* what is no fault of the event */
			err.rc = rc;
			target_failed(d, &err);
			return;
		}
		rc = result.rc;
		err = result.err;
		err.rc = rc;
	}
	if (rc && eg_rc_retryable(rc) && ++tries_of(&d->parked_tries, seq)->failed < d->o.limits->attempts) {
		/* The target goes on with others meanwhile. */
		eg_log_err(EG_LOG_WARN, "agent.parked_failed", &err);
		d->refetch_not_before_us = now + d->o.limits->backoff_most_us;
		return;
	}
	d->parked_tries = (struct tries){0};
	if (rc) {
		eg_parked_refused(d->o.checkpoint, seq, &err, NULL);
		eg_log_err(EG_LOG_WARN, "agent.parked_refused_again", &err);
	} else {
		d->o.counts->delivered += !skip;
		d->o.counts->last_delivery_us = eg_now_us();
		eg_kill_point("agent.delivered");
		eg_parked_drop(d->o.checkpoint, seq, NULL);
		eg_log(EG_LOG_INFO, "agent.parked_delivered", EG_I("seq", seq));
	}
	save_parked(d);
}

/* False: not yet. */
static bool parked_event(struct eg_deliver *d, int64_t now)
{
	struct eg_delivery v;
	struct eg_err err = {0};
	bool skip = false;
	enum eg_rc rc;
	if (!map_change(d, d->refetch.event, now, &rc, &v, &skip, &err))
		return false;
	deliver_parked(d, d->refetch.seq, rc, &v, skip, err, now);
	eg_views_done(d->views, d->refetch.seq);
	return true;
}

/* A person of a snapshot, as they are now. False: not yet. */
static bool parked_person(struct eg_deliver *d, const struct eg_parked *p, int64_t now)
{
	const Eldergate__V1__ElderView *view = NULL;
	struct eg_delivery v;
	struct eg_err err = {0};
	bool skip = false;
	if (!eg_views_get(d->views, p->seq, p->person_ref, now, &view))
		return false;
	if (view) {
		enum eg_rc rc = eg_outbound_shown(d->outbound, p->log_id, p->seq, p->person_ref, view, &v,
		                                  &skip, &err);
		deliver_parked(d, p->seq, rc, &v, skip, err, now);
	} else {
		parked_gone(d, p->seq);
	}
	eg_views_done(d->views, p->seq);
	return true;
}

static bool turn_parked(struct eg_deliver *d, int64_t now)
{
	struct eg_parked next;
	const struct eg_mapping_outbound *o = eg_mapping_outbound(d->o.mapping);
	eg_refetch_turn(&d->refetch, now);
	switch (d->refetch.state) {
	case EG_REFETCH_NONE:
		if (now < d->refetch_not_before_us || !eg_link_connected(d->o.link) ||
		    !eg_parked_next(d->o.checkpoint, &next))
			return false;
		if (*next.person_ref)
			return parked_person(d, &next, now);
		eg_refetch_begin(&d->refetch, d->o.link, o, next.log_id, next.seq, now);
		return false;
	case EG_REFETCH_ASKED:
		return false;
	case EG_REFETCH_HERE:
		if (!parked_event(d, now))
			return false;
		break;
	case EG_REFETCH_GONE:
		parked_gone(d, d->refetch.seq);
		break;
	case EG_REFETCH_BROKEN:
		d->refetch_not_before_us = now + d->o.limits->backoff_most_us;
	}
	eg_refetch_end(&d->refetch);
	return true;
}

bool eg_deliver_turn(struct eg_deliver *d, int64_t now)
{
	bool more = false;
	if (d->stopped)
		return false;
	bool ready = eg_port_ready(&d->port, now);
	eg_follow_turn(d->follow, ready, now);
	eg_views_turn(d->views, now);
	if (!ready)
		return false;
	more = turn_parked(d, now);
	if (d->port.connector && (!d->full || now >= d->full_until_us) && now >= d->pause_until_us)
		more |= deliver_window(d, now);
	return more;
}

bool eg_deliver_event(struct eg_deliver *d, const struct eg_link_event *e, int64_t now)
{
	return (d->follow && eg_follow_event(d->follow, e, now)) || eg_refetch_event(&d->refetch, e) ||
	       (d->views && eg_views_event(d->views, e, now));
}

bool eg_deliver_asks(const struct eg_deliver *d)
{
	return !d->stopped && (d->refetch.state == EG_REFETCH_ASKED || eg_views_asking(d->views));
}

int64_t eg_deliver_due(const struct eg_deliver *d)
{
	if (d->stopped)
		return INT64_MAX;
	int64_t due = eg_follow_due(d->follow);
	if (!d->port.connector && d->port.not_before_us < due)
		due = d->port.not_before_us;
	if (d->port.connector && !d->full && d->pause_until_us && d->pause_until_us < due)
		due = d->pause_until_us;
	return eg_ahead_due(&d->ahead) < due ? eg_ahead_due(&d->ahead) : due;
}

void eg_deliver_stop(struct eg_deliver *d)
{
	d->stopped = true;
	eg_refetch_end(&d->refetch);
	eg_follow_close(d->follow);
	eg_views_close(d->views);
	d->follow = NULL;
	d->views = NULL;
}

/* ---- the whole ---- */

bool eg_deliver_done(const struct eg_deliver *d)
{
	struct eg_parked next;
	/* Live may have been told before the last rows were committed: their changes are still to come. */
	return d->stopped || (eg_follow_live(d->follow) && d->cursor.seq >= d->o.counts->newest_seq &&
	                      !eg_parked_next(d->o.checkpoint, &next));
}

void eg_deliver_standing(const struct eg_deliver *d, struct eg_standing *out)
{
	out->target = eg_port_state_name(d->port.state);
	strcpy(out->cursor_log, d->cursor.log_id);
	out->cursor_seq = d->cursor.seq;
	out->parked = eg_parked_count(d->o.checkpoint);
}

void eg_deliver_trouble(const struct eg_deliver *d, struct eg_err *err, bool *needs_mending)
{
	const struct eg_err *refused = d->follow ? eg_follow_trouble(d->follow) : NULL;
	if (refused && !refused->rc)
		refused = eg_views_trouble(d->views);
	bool failed = d->port.state == EG_PORT_FAILED;
	*needs_mending = failed || d->full || (refused && refused->rc);
	*err = (struct eg_err){0};
	if (refused && refused->rc)
		*err = *refused;
	else if (failed || d->port.state == EG_PORT_RETRYING)
		*err = d->port.last;
	else if (d->full)
		eg_fail(err, EG_LIMIT, "%u events are parked; retry or drop some", d->o.limits->parked);
}

enum eg_rc eg_deliver_open(struct eg_deliver **out, const struct eg_deliver_options *o, struct eg_err *err)
{
	const struct eg_mapping_outbound *m = eg_mapping_outbound(o->mapping);
	struct eg_deliver *d = calloc(1, sizeof *d);
	if (!d)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the delivery");
	d->o = *o;
	d->port = (struct eg_port){
	        .type = m->connector,
	        .options = {.settings = m->target,
	                    .checkpoint = o->checkpoint,
	                    .prefix = "target/",
	                    .once = o->once},
	        .target = true,
	        .name = "target",
	        .backoff = {.least_us = o->limits->backoff_least_us, .most_us = o->limits->backoff_most_us},
	        .slow_us = o->limits->slow_us};
	d->pause = d->port.backoff;
	load_cursor(d);
	struct eg_follow_options fo = {
	        .link = o->link, .outbound = m, .limits = o->limits, .restarted = restarted, .arg = d};
	enum eg_rc rc = eg_outbound_new(&d->outbound, o->mapping, err);
	if (!rc)
		rc = eg_chunk_open(&d->chunk, o->limits->deliver_events, err);
	if (!rc)
		rc = eg_follow_open(&d->follow, &fo, &d->cursor, err);
	if (!rc)
		rc = eg_views_open(&d->views, o->link, m, o->limits, err);
	if (rc) {
		eg_deliver_close(d);
		return rc;
	}
	*out = d;
	return EG_OK;
}

void eg_deliver_close(struct eg_deliver *d)
{
	if (!d)
		return;
	eg_refetch_end(&d->refetch);
	eg_follow_close(d->follow);
	eg_views_close(d->views);
	eg_chunk_close(&d->chunk);
	eg_outbound_free(d->outbound);
	eg_port_close(&d->port);
	free(d);
}
