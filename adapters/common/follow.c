/* follow: see follow.h. */
#include "common/follow.h"

#include "base/clock.h"
#include "base/log.h"
#include "common/ask.h"
#include "common/backoff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD     "/eldergate.v1.FeedService/Subscribe"
#define SILENCE_US (15 * EG_SECOND) /* the gateway says something every 5 s */
#define NEVER      INT64_MAX
enum { CREDIT = 2 };

struct eg_follow {
	struct eg_follow_options o;
	struct eg_ask ask;
	int64_t not_before_us, heard_us;
	struct eg_backoff backoff;
	struct eg_follow_cursor next; /* where a new call begins: after the windows that wait here */
	bool snapshot;                /* without a cursor: begin with a snapshot */
	Eldergate__V1__SubscribeResponse *windows[EG_FOLLOW_WINDOWS]; /* owned; oldest first */
	unsigned n;
	bool live, wanted;
	struct eg_err trouble;
};

enum eg_rc eg_follow_open(struct eg_follow **out, const struct eg_follow_options *o,
                          const struct eg_follow_cursor *start, struct eg_err *err)
{
	struct eg_follow *f = calloc(1, sizeof *f);
	if (!f)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the subscription");
	f->o = *o;
	f->next = *start;
	f->snapshot = o->outbound->snapshot;
	f->backoff = (struct eg_backoff){.least_us = o->limits->backoff_least_us,
	                                 .most_us = o->limits->backoff_most_us};
	*out = f;
	return EG_OK;
}

void eg_follow_close(struct eg_follow *f)
{
	if (!f)
		return;
	eg_ask_close(&f->ask);
	for (unsigned i = 0; i < f->n; i++)
		eldergate__v1__subscribe_response__free_unpacked(f->windows[i], NULL);
	free(f);
}

static void give_up(struct eg_follow *f, int64_t not_before)
{
	eg_ask_close(&f->ask);
	f->live = false;
	f->not_before_us = not_before;
}

/* ---- the request ---- */

enum eg_rc eg_follow_request(const struct eg_mapping_outbound *o, Eldergate__V1__FeedStart *start, bool page,
                             struct eg_buf *out, struct eg_err *err)
{
	Eldergate__V1__FeedFilter filter = ELDERGATE__V1__FEED_FILTER__INIT;
	Eldergate__V1__SubscribeRequest stream = ELDERGATE__V1__SUBSCRIBE_REQUEST__INIT;
	Eldergate__V1__ListChangesRequest one = ELDERGATE__V1__LIST_CHANGES_REQUEST__INIT;
	Eldergate__V1__ChangeKind *kinds = calloc(o->n_kinds ? o->n_kinds : 1, sizeof *kinds);
	enum eg_rc rc = kinds ? EG_OK : EG_NO_MEMORY;
	for (unsigned i = 0; i < o->n_kinds && !rc; i++)
		kinds[i] = (Eldergate__V1__ChangeKind)o->kinds[i];
	filter.n_kinds = o->n_kinds;
	filter.kinds = kinds;
	/* protobuf-c's lists of texts are not const, though packing only reads them. */
	filter.n_changed_fields = o->n_changed_fields;
	filter.changed_fields = (char **)(uintptr_t)o->changed_fields;
	filter.n_region_prefixes = o->n_regions;
	filter.region_prefixes = (char **)(uintptr_t)o->regions;
	stream.filter = one.filter = &filter;
	stream.start = one.start = start;
	stream.purpose = one.purpose = (char *)(uintptr_t)o->purpose;
	one.page_size = 1;
	const ProtobufCMessage *m = page ? &one.base : &stream.base;
	uint8_t *p = rc ? NULL : eg_buf_grow(out, protobuf_c_message_get_packed_size(m));
	if (p)
		protobuf_c_message_pack(m, p);
	free(kinds);
	return !rc && !out->failed ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a request");
}

enum eg_rc eg_follow_refused(const struct eg_refusal *r, struct eg_err *err)
{
	struct eg_err said = {0};
	enum eg_rc rc = eg_refusal_fail(r, &said);
	if (strcmp(r->reason, "METHOD_NOT_PERMITTED") == 0)
		return eg_fail(err, rc,
		               "%s: changes need the role subscriber at the gateway, beside the grant",
		               r->reason);
	if (err)
		*err = said;
	return rc;
}

static enum eg_rc begin(struct eg_follow *f, struct eg_err *err)
{
	Eldergate__V1__FeedStart start = ELDERGATE__V1__FEED_START__INIT;
	Eldergate__V1__SnapshotStart snapshot = ELDERGATE__V1__SNAPSHOT_START__INIT;
	Eldergate__V1__Cursor cursor = ELDERGATE__V1__CURSOR__INIT;
	if (*f->next.log_id) {
		cursor.log_id = f->next.log_id;
		cursor.seq = f->next.seq;
		cursor.snapshot_row = f->next.snapshot_row;
		start.position_case = ELDERGATE__V1__FEED_START__POSITION_CURSOR;
		start.cursor = &cursor;
	} else if (f->snapshot) {
		start.position_case = ELDERGATE__V1__FEED_START__POSITION_SNAPSHOT;
		start.snapshot = &snapshot;
	}
	enum eg_rc rc = eg_follow_request(f->o.outbound, &start, false, &f->ask.request, err);
	return rc ? rc : eg_ask_open(&f->ask, f->o.link, METHOD, CREDIT, err);
}

void eg_follow_turn(struct eg_follow *f, bool wanted, int64_t now)
{
	struct eg_err err = {0};
	enum eg_rc rc = eg_ask_send(&f->ask, &err);
	f->wanted = wanted;
	if (f->ask.call && now - f->heard_us > SILENCE_US)
		rc = eg_fail(&err, EG_UNAVAILABLE, "the gateway says nothing any more");
	if (!rc && !f->ask.call && wanted && !f->n && now >= f->not_before_us &&
	    eg_link_connected(f->o.link)) {
		f->heard_us = now;
		rc = begin(f, &err);
	}
	if (rc) {
		eg_log_err(EG_LOG_WARN, "agent.feed_broken", &err);
		give_up(f, now + eg_backoff_next(&f->backoff));
	}
}

/* ---- what comes ---- */

static void window(struct eg_follow *f, struct eg_bytes message, int64_t now)
{
	if (f->n == EG_FOLLOW_WINDOWS) {
		give_up(f, now); /* begun anew after the last window that is here */
		return;
	}
	Eldergate__V1__SubscribeResponse *w =
	        eldergate__v1__subscribe_response__unpack(NULL, message.len, message.p);
	if (!w || !w->next || strlen(w->next->log_id) >= sizeof f->next.log_id) {
		eldergate__v1__subscribe_response__free_unpacked(w, NULL);
		eg_log(EG_LOG_ERROR, "agent.bad_window");
		give_up(f, now + eg_backoff_next(&f->backoff));
		return;
	}
	f->windows[f->n++] = w;
	strcpy(f->next.log_id, w->next->log_id);
	f->next.seq = w->next->seq;
	f->next.snapshot_row = w->next->snapshot_row;
	for (size_t i = 0; i < w->n_items; i++) {
		const Eldergate__V1__FeedItem *item = w->items[i];
		f->live = item->item_case == ELDERGATE__V1__FEED_ITEM__ITEM_PROGRESS && item->progress->live;
	}
	f->trouble = (struct eg_err){0};
	eg_backoff_reset(&f->backoff);
}

static void ended(struct eg_follow *f, const struct eg_link_event *e, int64_t now)
{
	struct eg_refusal r;
	struct eg_err err = {0};
	int64_t wait = eg_backoff_next(&f->backoff);
	eg_refusal_of_status(e, &r);
	eg_follow_refused(&r, &err);
	if (r.rc == EG_OUT_OF_RANGE && *f->next.log_id) {
		eg_log_err(EG_LOG_WARN, "agent.feed_snapshot", &err);
		f->next = (struct eg_follow_cursor){0};
		f->snapshot = true;
		give_up(f, now);
		f->o.restarted(f->o.arg);
		return;
	}
	bool hopeless = e->code && r.retry_us < 0;
	eg_log_err(hopeless ? EG_LOG_ERROR : EG_LOG_WARN, "agent.feed_ended", &err);
	if (hopeless) {
		f->trouble = err;
		wait = f->o.limits->slow_us;
	}
	give_up(f, now + (wait > r.retry_us ? wait : r.retry_us));
}

bool eg_follow_event(struct eg_follow *f, const struct eg_link_event *e, int64_t now)
{
	if (!f->ask.call || e->call != f->ask.call)
		return false;
	f->heard_us = now;
	switch (e->kind) {
	case EG_LINK_MESSAGE:
		window(f, e->bytes, now);
		break;
	case EG_LINK_CREDIT:
		break;
	case EG_LINK_STATUS:
		ended(f, e, now);
		break;
	case EG_LINK_LOST:
		give_up(f, now + eg_backoff_next(&f->backoff));
	}
	return true;
}

int64_t eg_follow_due(const struct eg_follow *f)
{
	if (f->ask.call)
		return f->heard_us + SILENCE_US;
	/* While nothing can be begun, no time of day changes that. */
	return f->n || !f->wanted || !eg_link_connected(f->o.link) ? NEVER : f->not_before_us;
}

const Eldergate__V1__SubscribeResponse *eg_follow_window(const struct eg_follow *f)
{
	return f->n ? f->windows[0] : NULL;
}

void eg_follow_done(struct eg_follow *f)
{
	eldergate__v1__subscribe_response__free_unpacked(f->windows[0], NULL);
	memmove(&f->windows[0], &f->windows[1], (--f->n) * sizeof *f->windows);
}

bool eg_follow_live(const struct eg_follow *f)
{
	return f->live && !f->n;
}

const struct eg_err *eg_follow_trouble(const struct eg_follow *f)
{
	return &f->trouble;
}
