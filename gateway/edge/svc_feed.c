/* svc_feed: FeedService: the changes as a stream that follows the log, or in pages.
 *
 *   opening → following → (ended by the feed, the grant, the policy, the stop) → its status given → closed
 *
 * A window is encoded on the feed's thread and the next asked for once it has left, so a subscriber that does
 * not read holds one window. Thread: steps on a worker; take and ended on the feed's. */
#include "edge/feed_wire.h"
#include "edge/pages.h"
#include "edge/queries.h"
#include "edge/services.h"
#include "edge/stream.h"

#include "base/clock.h"

#include <stdlib.h>

#define LIVE_US (2 * EG_SECOND) /* a feed that far behind the head has reached it */

struct subscription {
	struct eg_stream stream; /* first; it awaits the feed's last word */
	struct eg_purpose_rule grant;
	_Atomic int64_t until;     /* the grant's end; 0: none */
	uint8_t cursor_log_id[16]; /* of the request */
	bool opened, finished;     /* finished: its status is given */
	/* guarded by the stream's lock */
	const struct eg_policy *under; /* what the grant was last held against; the stream's caller has it */
	struct eg_sub *sub;            /* NULL: not yet, or over */
	bool dropped, ended, left, expired, has_progress;
	enum eg_rc end;
	struct eg_err end_err;
	struct eg_feed_item progress;
};

/* ---- on the feed's thread ---- */

static struct eg_out *encode_window(const struct subscription *s, const uint8_t log_id[16],
                                    const struct eg_feed_item *items, unsigned n,
                                    const struct eg_feed_head *head, struct eg_arena *a)
{
	struct eg_maker k = {.arena = a};
	Eldergate__V1__SubscribeResponse m = ELDERGATE__V1__SUBSCRIBE_RESPONSE__INIT;
	m.items = EG_MAKE_LIST(&k, n);
	for (unsigned i = 0; i < n && !k.failed; i++)
		m.items[m.n_items++] = eg_make_item(&k, &items[i], s->cursor_log_id, head);
	m.next = eg_make_cursor(&k, log_id, &items[n - 1]);
	return k.failed ? NULL : eg_pb_out(&m.base);
}

static void free_message(void *made)
{
	eg_out_free(made);
}

/* The window's message, made once for all who are due it. */
static struct eg_out *message_of(const struct subscription *s, const struct eg_feed_given *w)
{
	if (!w->made->what) {
		w->made->what = encode_window(s, w->log_id, w->items, w->n, NULL, w->scratch);
		w->made->free = free_message;
	}
	return w->made->what;
}

static bool expired(const struct subscription *s)
{
	int64_t until = atomic_load(&s->until);
	return until && eg_now_us() >= until;
}

/* Nothing is lost if there is no memory yet: take tries again. */
static void prepare(void *arg, const struct eg_feed_given *w)
{
	message_of(arg, w);
}

static void take(void *arg, const struct eg_feed_given *w)
{
	struct subscription *s = arg;
	bool over = expired(s), progress = w->n == 1 && w->items->kind == EG_ITEM_PROGRESS, failed = false;
	if (!over && !progress) {
		struct eg_out *made = message_of(s, w), *out = made ? eg_out_again(made) : NULL;
		failed = !out;
		if (out)
			eg_call_send(s->stream.call, out);
	}
	if (!over && !progress && !failed)
		return; /* the call tells when it has left */
	pthread_mutex_lock(&s->stream.lock);
	s->expired |= over;
	if (progress && !over) { /* a worker looks where the head is */
		s->progress = *w->items;
		s->has_progress = true;
	}
	if (failed && !s->ended) {
		s->ended = true;
		s->end = eg_fail(&s->end_err, EG_NO_MEMORY, "the gateway has no memory for a window now");
	}
	eg_stream_kick(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
}

static void on_ended(void *arg, enum eg_rc rc, const struct eg_err *err)
{
	struct subscription *s = arg;
	pthread_mutex_lock(&s->stream.lock);
	s->sub = NULL;
	s->stream.awaited = 0;
	if (!s->ended) {
		s->end = rc;
		s->end_err = *err;
	}
	s->ended = true;
	eg_stream_kick(&s->stream);
	pthread_mutex_unlock(&s->stream.lock);
}

/* ---- the step ---- */

static void await(struct subscription *s, unsigned n)
{
	pthread_mutex_lock(&s->stream.lock);
	s->stream.awaited = n;
	pthread_mutex_unlock(&s->stream.lock);
}

/* told: the entry up to which everything was told. */
static enum eg_rc read_head(const struct subscription *s, struct eg_worker *w, uint64_t told,
                            struct eg_feed_head *out, struct eg_err *err)
{
	struct eg_finder find = {w->conn, s->stream.edge->o.vault, &s->stream.caller, w->scratch};
	struct eg_entry entry;
	*out = (struct eg_feed_head){0};
	enum eg_rc rc = eg_read_begin(w->conn, err);
	if (rc)
		return rc;
	rc = eg_get_head(w->conn, &out->seq, err);
	eg_read_end(w->conn);
	if (rc || !out->seq || (rc = eg_find_entry(&find, out->seq, false, &entry, err)))
		return rc;
	out->time = entry.header.time;
	out->live = told >= out->seq;
	if (!out->live && !(rc = eg_find_entry(&find, told + 1, false, &entry, err)))
		out->live = eg_now_us() - entry.header.time < LIVE_US;
	return rc;
}

static enum eg_rc add_feed(struct subscription *s, struct eg_worker *w, struct eg_fault *f)
{
	struct eg_edge *e = s->stream.edge;
	struct eg_maker k = {.arena = w->scratch};
	struct eg_sink sink = {.arg = s, .prepare = prepare, .take = take, .ended = on_ended};
	struct eg_message *first = s->stream.message; /* it stays: no other is asked for */
	const struct eg_purpose_rule *grant;
	struct eg_sub_options o;
	struct eg_feed_head head;
	ProtobufCMessage *m = NULL;
	enum eg_rc rc = eg_stream_admit(&s->stream, EG_ROLE_SUBSCRIBER, f);
	if (rc)
		return rc;
	f->reason = EG_REASON_MALFORMED_REQUEST;
	if (!first)
		return eg_refuse(f, EG_INVALID, f->reason, "", "the call has no request message");
	if ((rc = eg_pb_read(&eldergate__v1__subscribe_request__descriptor, eg_message_bytes(first),
	                     w->scratch, &m, &f->err)))
		return rc;
	f->reason = 0;
	const Eldergate__V1__SubscribeRequest *q = (void *)m;
	if ((rc = eg_caller_purpose(&s->stream.caller, q->purpose, &grant, f)) ||
	    (rc = read_head(s, w, UINT64_MAX, &head, &f->err)) ||
	    (rc = eg_feed_options_read(&k, &s->stream.caller, grant, q->start, q->filter,
	                               eg_writer_log_id(e->o.writer), head.seq, &o, f)))
		return rc;
	s->grant = *grant; /* its fields stay with the caller's policy */
	s->under = s->stream.caller.policy;
	atomic_store(&s->until, grant->until_us);
	memcpy(s->cursor_log_id, o.log_id, sizeof s->cursor_log_id);
	struct eg_err err = {0};
	await(s, 1); /* it may end at once */
	if ((rc = eg_feed_add(e->o.feed, &o, sink, &s->sub, &err))) {
		await(s, 0);
		eg_feed_fault(rc, &err, f);
	}
	return rc;
}

static enum eg_rc begin_feed(struct subscription *s, struct eg_worker *w, struct eg_fault *f)
{
	return eg_fault_why(f, w->scratch, add_feed(s, w, f));
}

static bool same_grant(const struct eg_purpose_rule *a, const struct eg_purpose_rule *b)
{
	return a->until_us == b->until_us && a->n_fields == b->n_fields &&
	       (!a->n_fields || !memcmp(a->fields, b->fields, a->n_fields * sizeof *a->fields));
}

/* The grant under the policy now in force. One that gives other fields ends the stream: the next begins with
 * it. */
static enum eg_rc still_granted(struct subscription *s, struct eg_fault *f)
{
	const struct eg_policy *policy = eg_edge_policy_ref(s->stream.edge);
	struct eg_caller now = s->stream.caller;
	const struct eg_purpose_rule *grant;
	enum eg_rc rc = EG_OK;
	if (policy != s->stream.caller.policy) {
		now.policy = eg_policy_ref(now.policy);
		rc = eg_caller_renew(&now, policy, f);
		if (!rc)
			rc = eg_caller_role(&now, EG_ROLE_SUBSCRIBER, f);
		if (!rc)
			rc = eg_caller_purpose(&now, s->grant.code, &grant, f);
		if (!rc && !same_grant(grant, &s->grant))
			rc = eg_refuse(f, EG_CLOSED, 0, "purpose", "the grant has changed: subscribe again");
		if (!rc) {
			pthread_mutex_lock(&s->stream.lock);
			s->under = policy; /* before the other may be gone, and its place another's */
			pthread_mutex_unlock(&s->stream.lock);
			eg_caller_close(&s->stream.caller);
			s->stream.caller = now;
			s->grant = *grant;
			atomic_store(&s->until, grant->until_us);
		} else {
			eg_caller_close(&now);
		}
	}
	eg_policy_unref(policy);
	return rc;
}

static void finish(struct subscription *s, const struct eg_fault *f)
{
	if (s->finished)
		return;
	s->finished = true;
	eg_stream_fail(&s->stream, f);
}

static void tell_progress(struct subscription *s, const struct eg_feed_item *item, struct eg_worker *w)
{
	struct eg_feed_head head;
	struct eg_fault f = {0};
	enum eg_rc rc = eg_fault_why(&f, w->scratch, read_head(s, w, item->cursor_seq, &head, &f.err));
	struct eg_out *out = NULL;
	if (!rc &&
	    !(out = encode_window(s, eg_writer_log_id(s->stream.edge->o.writer), item, 1, &head, w->scratch)))
		rc = eg_ask_no_memory(&f);
	if (out)
		eg_call_send(s->stream.call, out);
	if (rc)
		finish(s, &f);
}

/* Lets go of the sub as soon as nothing more is to be told; the feed answers with ended. */
static void drop(struct subscription *s)
{
	pthread_mutex_lock(&s->stream.lock);
	if (s->sub && !s->dropped) {
		s->dropped = true;
		eg_feed_drop(s->stream.edge->o.feed, s->sub);
	}
	pthread_mutex_unlock(&s->stream.lock);
}

static void look(struct subscription *s, struct eg_worker *w)
{
	struct eg_fault f = {0};
	pthread_mutex_lock(&s->stream.lock);
	bool ended = s->ended, left = s->left, over = s->expired, has_progress = s->has_progress;
	struct eg_feed_item progress = s->progress;
	s->left = s->has_progress = false;
	if (left && s->sub && !s->dropped)
		eg_feed_more(s->stream.edge->o.feed, s->sub);
	pthread_mutex_unlock(&s->stream.lock);

	if (atomic_load(&s->stream.edge->stopping)) {
		eg_refuse(&f, EG_CLOSED, 0, "",
		          "the gateway is shutting down: subscribe again from the last cursor");
		finish(s, &f);
	} else if (ended) {
		eg_feed_fault(s->end, &s->end_err, &f);
		finish(s, &f);
	} else if (over) {
		eg_refuse(&f, EG_DENIED, EG_REASON_GRANT_EXPIRED, "purpose", "the grant has ended");
		finish(s, &f);
	} else if (still_granted(s, &f)) {
		finish(s, &f);
	} else if (has_progress) {
		tell_progress(s, &progress, w);
	}
}

static bool step(struct eg_job *job, struct eg_worker *w)
{
	struct subscription *s = (struct subscription *)eg_stream_of(job);
	struct eg_fault f = {0};
	pthread_mutex_lock(&s->stream.lock);
	bool closed = s->stream.closed;
	pthread_mutex_unlock(&s->stream.lock);
	if (!s->opened && !closed) {
		s->opened = true;
		enum eg_rc rc = begin_feed(s, w, &f);
		f.err.rc = rc;
		if (rc)
			finish(s, &f);
	} else if (!closed && !s->finished) {
		look(s, w);
	}
	if (closed || s->finished)
		drop(s);
	if (!eg_stream_close(&s->stream))
		return false;
	free(s);
	return true;
}

/* ---- events ---- */

static void began(struct eg_call *c, struct eg_message *first)
{
	eg_stream_begin(c, first, sizeof(struct subscription), step);
}

/* Where nothing has to be looked at, the next window is asked for at once: a step on a worker for each window
 * of each subscriber would cost more than the windows. */
static void on_sent(struct eg_call *c)
{
	struct subscription *s = eg_call_state(c);
	struct eg_edge *e = s->stream.edge;
	pthread_mutex_lock(&s->stream.lock);
	bool plain = s->sub && !s->dropped && !s->ended && !s->expired && !s->has_progress &&
	             !atomic_load(&e->stopping) && eg_edge_policy_is(e, s->under);
	if (plain) {
		eg_feed_more(e->o.feed, s->sub);
	} else {
		s->left = true;
		eg_stream_kick(&s->stream);
	}
	pthread_mutex_unlock(&s->stream.lock);
}

const struct eg_call_events eg_subscribe = {.began = began, .sent = on_sent, .closed = eg_stream_on_closed};

/* ---- ListChanges ---- */

enum eg_rc eg_list_changes(struct eg_ask *a, struct eg_fault *f)
{
	const Eldergate__V1__ListChangesRequest *q = (const void *)a->request;
	const uint8_t *log_id = eg_writer_log_id(a->edge->o.writer);
	struct eg_maker k = {.arena = a->arena};
	const struct eg_purpose_rule *grant;
	struct eg_sub_options o;
	struct eg_feed_item *items;
	struct eg_err err = {0};
	unsigned max, n;
	uint64_t none, head;
	bool at_head;
	enum eg_rc rc = eg_page_read(q->page_size, "", &max, &none, f);
	if (rc || (rc = eg_caller_purpose(&a->caller, q->purpose, &grant, f)) ||
	    (rc = eg_read_begin(a->conn, &f->err)))
		return rc;
	rc = eg_get_head(a->conn, &head, &f->err);
	eg_read_end(a->conn);
	if (rc ||
	    (rc = eg_feed_options_read(&k, &a->caller, grant, q->start, q->filter, log_id, head, &o, f)))
		return rc;
	if ((rc = eg_feed_page(a->edge->o.feed, a->conn, &o, max, a->arena, &items, &n, &at_head, &a->ticket,
	                       &err))) {
		eg_feed_fault(rc, &err, f);
		return rc;
	}
	Eldergate__V1__ListChangesResponse *r =
	        EG_MAKE(&k, Eldergate__V1__ListChangesResponse, eldergate__v1__list_changes_response__init);
	if (r) {
		r->items = EG_MAKE_LIST(&k, n);
		/* The last item says where to go on. */
		for (unsigned i = 0; i + 1 < n && r->items; i++)
			r->items[r->n_items++] = eg_make_item(&k, &items[i], o.log_id, NULL);
		r->next = eg_make_cursor(&k, log_id, &items[n - 1]);
		r->at_head = at_head;
	}
	if (k.failed)
		return eg_ask_no_memory(f);
	a->reply = &r->base;
	return EG_OK;
}
