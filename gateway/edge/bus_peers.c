/* bus_peers: see bus_peers.h. Locks: lock, for the number of open calls that wait looks at. */
#include "edge/bus_peers.h"

#include "base/clock.h"
#include "base/metric.h"

#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 1024,
	SILENT_BEATS = 3, /* a peer that missed so many heartbeats is gone */
	DOUBTS = 10
};
#define PATIENCE_MAX_US (60 * EG_SECOND) /* the longest heartbeat that a peer may ask for */

struct peer {
	struct peer *next_in_bucket, *next, *before;
	struct eg_bus_from from;
	int64_t heard, silent_after; /* monotonic; a time */
	int64_t revoked;             /* 0: no */
	uint64_t last_id;
	size_t max_message; /* that it takes */
	bool blocked;
	unsigned doubts; /* times yet that it is asked whether its connection is there still */
	unsigned n_calls;
	struct eg_bus_call **calls; /* max_calls */
};

struct eg_bus_peers {
	struct eg_bus_peers_options o;
	struct eg_bus_work work;
	struct peer *buckets[BUCKETS];
	struct peer ends; /* of the ring of all */
	unsigned n, n_blocked, n_revoked, n_doubted;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	unsigned open; /* calls */
};

enum eg_rc eg_bus_peers_new(struct eg_bus_peers **out, const struct eg_bus_peers_options *o,
                            struct eg_err *err)
{
	struct eg_bus_peers *p = calloc(1, sizeof *p);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the peers of the bus");
	p->o = *o;
	p->ends.next = p->ends.before = &p->ends;
	eg_bus_work_init(&p->work, o->wake, o->wake_arg);
	pthread_mutex_init(&p->lock, NULL);
	eg_mono_cond(&p->moved);
	*out = p;
	return EG_OK;
}

static struct peer **bucket(struct eg_bus_peers *p, uint32_t route)
{
	return &p->buckets[route % BUCKETS];
}

static struct peer *find(const struct eg_bus_peers *p, uint32_t route)
{
	struct peer *e = p->buckets[route % BUCKETS];
	while (e && e->from.route != route)
		e = e->next_in_bucket;
	return e;
}

static enum eg_bus_sent say(struct eg_bus_peers *p, uint32_t route, const struct eg_bus_frame *f)
{
	return p->o.sink.send(p->o.sink.arg, route, f, NULL);
}

static void goodbye(struct eg_bus_peers *p, uint32_t route, enum eg_rc rc, const char *text)
{
	/* A hint: if it cannot be sent, silence tells the same later. */
	say(p, route,
	    &(struct eg_bus_frame){
	            .kind = EG_BUS_GOODBYE, .code = (uint32_t)eg_rc_grpc(rc), .text = eg_bytes_of(text)});
}

static void tell(const struct eg_bus_from *from, enum eg_bus_refusal reason, const char *why)
{
	eg_bus_refused(reason, why, from->address, from->key);
}

/* ---- calls ---- */

static void count_open(struct eg_bus_peers *p, int by)
{
	pthread_mutex_lock(&p->lock);
	p->open += (unsigned)by;
	if (!p->open)
		pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

static struct eg_bus_call *find_call(const struct peer *e, uint64_t id)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (eg_bus_call_id(e->calls[i]) == id)
			return e->calls[i];
	return NULL;
}

static void close_call(struct eg_bus_peers *p, struct peer *e, struct eg_bus_call *c)
{
	for (unsigned i = 0; i < e->n_calls; i++)
		if (e->calls[i] == c) {
			e->calls[i] = e->calls[--e->n_calls];
			eg_bus_call_close(c);
			count_open(p, -1);
			return;
		}
}

static void set_blocked(struct eg_bus_peers *p, struct peer *e, bool blocked)
{
	if (e->blocked != blocked)
		p->n_blocked += blocked ? 1 : -1U;
	e->blocked = blocked;
}

static void work_on(struct eg_bus_peers *p, struct peer *e, struct eg_bus_call *c)
{
	enum eg_bus_state s = eg_bus_call_work(c, &p->o.sink);
	if (s == EG_BUS_OVER)
		close_call(p, e, c);
	else if (s == EG_BUS_BLOCKED)
		set_blocked(p, e, true);
}

void eg_bus_peers_work(struct eg_bus_peers *p)
{
	struct eg_bus_call *c;
	while ((c = eg_bus_work_take(&p->work))) {
		struct peer *e = find(p, eg_bus_call_route(c));
		/* Its peer may be gone, and another one may have the route. */
		if (e && find_call(e, eg_bus_call_id(c)) == c)
			work_on(p, e, c);
		eg_call_release(eg_bus_call_base(c));
	}
}

/* ---- peers ---- */

static void drop(struct eg_bus_peers *p, struct peer *e)
{
	struct peer **at = bucket(p, e->from.route);
	while (e->n_calls)
		close_call(p, e, e->calls[e->n_calls - 1]);
	set_blocked(p, e, false);
	p->n_revoked -= e->revoked != 0;
	p->n_doubted -= e->doubts != 0;
	while (*at != e)
		at = &(*at)->next_in_bucket;
	*at = e->next_in_bucket;
	e->before->next = e->next;
	e->next->before = e->before;
	p->n--;
	eg_metric_set(EG_M_BUS_PEERS, NULL, p->n);
	free(e->calls);
	free(e);
}

static unsigned peers_of(const struct eg_bus_peers *p, const uint8_t key[32])
{
	unsigned n = 0;
	for (const struct peer *e = p->ends.next; e != &p->ends; e = e->next)
		n += memcmp(e->from.key, key, sizeof e->from.key) == 0;
	return n;
}

static void add(struct eg_bus_peers *p, const struct eg_bus_from *from, int64_t beat, size_t max_message)
{
	uint32_t route = from->route;
	struct peer *e = calloc(1, sizeof *e);
	struct eg_bus_call **calls = calloc(p->o.max_calls, sizeof(struct eg_bus_call *));
	if (!e || !calls) {
		free(e);
		free(calls);
		goodbye(p, route, EG_NO_MEMORY, "the gateway has no memory for another peer now");
		return;
	}
	*e = (struct peer){.from = *from, .calls = calls, .heard = eg_mono_us(), .max_message = max_message};
	e->silent_after = SILENT_BEATS * (beat > p->o.heartbeat_us ? beat : p->o.heartbeat_us);
	e->next_in_bucket = *bucket(p, route);
	*bucket(p, route) = e;
	e->before = p->ends.before;
	e->next = &p->ends;
	e->before->next = e;
	e->next->before = e;
	p->n++;
	eg_metric_set(EG_M_BUS_PEERS, NULL, p->n);
	say(p, route,
	    &(struct eg_bus_frame){.kind = EG_BUS_WELCOME,
	                           .first = EG_BUS_VERSION,
	                           .last = EG_BUS_VERSION,
	                           .heartbeat_ms = (uint32_t)(p->o.heartbeat_us / 1000),
	                           .max_message = (uint32_t)p->o.max_message,
	                           .max_calls = p->o.max_calls});
}

static void greet(struct eg_bus_peers *p, const struct eg_bus_from *from, const struct eg_bus_frame *f)
{
	uint32_t route = from->route;
	int64_t beat = (int64_t)f->heartbeat_ms * 1000;
	if (!p->o.admits(p->o.owner, from->key)) { /* let in by a policy that is no more in force */
		tell(from, EG_BUS_UNKNOWN_KEY, "this key is not registered any more");
		goodbye(p, route, EG_UNAUTHENTICATED, "this CURVE key is not registered any more");
	} else if (f->first > EG_BUS_VERSION || f->last < EG_BUS_VERSION) {
		tell(from, EG_BUS_VERSION_UNKNOWN, "it does not speak version 1");
		goodbye(p, route, EG_PRECONDITION, "this gateway speaks version 1 of the bus");
	} else if (p->n >= p->o.max_peers || peers_of(p, from->key) >= EG_BUS_PEERS_OF_KEY) {
		tell(from, EG_BUS_FULL_HOUSE, "too many peers, or too many with this key");
		goodbye(p, route, EG_BUSY, "too many peers are connected: try again later");
	} else {
		add(p, from, beat < PATIENCE_MAX_US ? beat : PATIENCE_MAX_US, f->max_message);
	}
}

/* A peer that breaks the protocol loses its calls; what it sends then is a stranger's. */
static void at_fault(struct eg_bus_peers *p, struct peer *e, const char *why)
{
	struct eg_bus_from from = e->from;
	tell(&from, EG_BUS_MALFORMED, why);
	goodbye(p, from.route, EG_INVALID, why);
	drop(p, e);
	p->o.refused(p->o.owner, from.key);
}

/* ---- frames ---- */

static void refuse_call(struct eg_bus_peers *p, struct peer *e, uint64_t id, enum eg_rc rc, const char *text)
{
	struct eg_out *nothing = eg_out_new(0);
	struct eg_bus_frame f = {.kind = EG_BUS_STATUS,
	                         .call = id,
	                         .code = (uint32_t)eg_rc_grpc(rc),
	                         .text = eg_bytes_of(text)};
	if (!nothing || p->o.sink.send(p->o.sink.arg, e->from.route, &f, nothing) != EG_BUS_SENT) {
		/* It would wait for ever for this call. */
		eg_out_free(nothing);
		drop(p, e);
	}
}

static void open_call(struct eg_bus_peers *p, struct peer *e, const struct eg_bus_frame *f)
{
	const struct eg_method *m = NULL;
	struct eg_bus_call *c;
	for (unsigned i = 0; i < p->o.n_methods && !m; i++)
		if (eg_bytes_equal(eg_bytes_of(p->o.methods[i].path), f->method))
			m = &p->o.methods[i];
	e->last_id = f->call;
	if (e->revoked) {
		refuse_call(p, e, f->call, EG_UNAUTHENTICATED, "this CURVE key is not registered any more");
		return;
	}
	if (e->n_calls == p->o.max_calls) {
		refuse_call(p, e, f->call, EG_LIMIT, "too many calls are open: end one first");
		return;
	}
	if (!(c = eg_bus_call_new(&p->work, m, p->o.owner, f, e->from.route, e->from.key, e->max_message))) {
		refuse_call(p, e, f->call, EG_NO_MEMORY, "the gateway has no memory for this call now");
		return;
	}
	e->calls[e->n_calls++] = c;
	count_open(p, 1);
	eg_metric_add(EG_M_BUS_CALLS, m ? strrchr(m->path, '/') + 1 : "not_offered", 1);
	if (!m || m->shape == EG_BIDI)
		eg_bus_call_begin(c);
	if (!m)
		p->o.not_offered(eg_bus_call_base(c));
}

/* Why this frame is at fault, or NULL. Takes the payload. A frame for a call that is over was on its way
 * already: it is dropped. */
static const char *of_call(struct eg_bus_peers *p, struct peer *e, const struct eg_bus_frame *f,
                           struct eg_message *payload)
{
	struct eg_bus_call *c = find_call(e, f->call);
	if (f->call > e->last_id || !c) {
		eg_message_free(payload);
		return f->call > e->last_id ? "a frame of a call that was never opened" : NULL;
	}
	bool allowed = true;
	switch (f->kind) {
	case EG_BUS_MESSAGE:
		if (eg_message_bytes(payload).len > p->o.max_message) {
			eg_message_free(payload);
			return "a message above the limit";
		}
		allowed = eg_bus_call_message(c, payload);
		break;
	case EG_BUS_HALF_CLOSE:
		allowed = eg_bus_call_half_close(c);
		break;
	case EG_BUS_CREDIT:
		allowed = eg_bus_call_credit(c, f->credit);
		break;
	default: /* CANCEL */
		close_call(p, e, c);
	}
	return allowed ? NULL : "a message without credit, or too much credit";
}

static void of_peer(struct eg_bus_peers *p, struct peer *e, const struct eg_bus_frame *f,
                    struct eg_message *payload)
{
	struct eg_bus_frame pong = {.kind = EG_BUS_PONG, .token = f->token};
	const char *fault = NULL;
	e->heard = eg_mono_us();
	switch (f->kind) {
	case EG_BUS_OPEN:
		if (f->call <= e->last_id)
			fault = "a call's number was used before";
		else
			open_call(p, e, f);
		break;
	case EG_BUS_MESSAGE:
	case EG_BUS_HALF_CLOSE:
	case EG_BUS_CREDIT:
	case EG_BUS_CANCEL:
		fault = of_call(p, e, f, payload);
		break;
	case EG_BUS_PING:
		if (say(p, e->from.route, &pong) == EG_BUS_GONE)
			drop(p, e);
		break;
	case EG_BUS_PONG:
		break;
	case EG_BUS_GOODBYE:
		drop(p, e);
		break;
	default:
		eg_message_free(payload);
		fault = "a frame that only the gateway sends, or a second greeting";
	}
	if (fault)
		at_fault(p, e, fault);
}

static bool greeted(const struct eg_bus_peers *p, const struct eg_bus_from *from)
{
	return find(p, from->route) != NULL;
}

bool eg_bus_peers_take(struct eg_bus_peers *p, const struct eg_bus_from *from, struct eg_bytes header,
                       struct eg_message *payload, bool whole)
{
	struct eg_bus_frame f;
	struct peer *e = find(p, from->route);
	bool good = eg_bus_frame_read(header, &f) && eg_bus_has_payload(f.kind) == (payload != NULL) && whole;
	if (e && memcmp(e->from.key, from->key, sizeof e->from.key) != 0) {
		drop(p, e); /* the route of a connection that is gone is somebody else's now */
		e = NULL;
	}
	if (good && e) {
		of_peer(p, e, &f, payload);
		return greeted(p, from);
	}
	eg_message_free(payload);
	if (e) {
		at_fault(p, e, "a frame that is none of this protocol");
	} else if (good && f.kind == EG_BUS_HELLO) {
		greet(p, from, &f);
	} else if (!good) {
		tell(from, EG_BUS_MALFORMED, "a stranger's frame that is none of this protocol");
		goodbye(p, from->route, EG_INVALID, "a frame that is none of this protocol");
	} else if (f.kind != EG_BUS_GOODBYE) {
		goodbye(p, from->route, EG_CLOSED, "this session is not known: greet again");
	}
	return greeted(p, from);
}

void eg_bus_peers_lost(struct eg_bus_peers *p, const struct eg_bus_from *from)
{
	struct peer *e = find(p, from->route);
	goodbye(p, from->route, EG_NO_MEMORY, "the gateway has no memory for a message now");
	if (e)
		drop(p, e);
}

/* ---- time ---- */

static void retry(struct eg_bus_peers *p, struct peer *e)
{
	set_blocked(p, e, false);
	for (unsigned i = e->n_calls; i-- && !e->blocked;)
		if (i < e->n_calls)
			work_on(p, e, e->calls[i]);
}

static bool is_gone(struct eg_bus_peers *p, struct peer *e)
{
	if (!--e->doubts)
		p->n_doubted--;
	return say(p, e->from.route, &(struct eg_bus_frame){.kind = EG_BUS_PING}) == EG_BUS_GONE;
}

int64_t eg_bus_peers_tick(struct eg_bus_peers *p, int64_t now)
{
	struct peer *next;
	for (struct peer *e = p->ends.next; e != &p->ends; e = next) {
		next = e->next;
		if (now - e->heard > e->silent_after) {
			tell(&e->from, EG_BUS_SILENT, "nothing was heard for three heartbeats");
			goodbye(p, e->from.route, EG_CLOSED, "nothing was heard for three heartbeats");
			drop(p, e);
		} else if (e->revoked && (!e->n_calls || now - e->revoked > p->o.heartbeat_us)) {
			goodbye(p, e->from.route, EG_UNAUTHENTICATED,
			        "this CURVE key is not registered any more");
			drop(p, e);
		} else if (e->doubts && is_gone(p, e)) {
			drop(p, e);
		} else if (e->blocked) {
			retry(p, e);
		}
	}
	return now + (eg_bus_peers_hurry(p) ? EG_BUS_RETRY_US : p->o.heartbeat_us / 4);
}

bool eg_bus_peers_hurry(const struct eg_bus_peers *p)
{
	return p->n_blocked || p->n_revoked || p->n_doubted;
}

/* The ROUTER may still hold the route for a moment, and the descriptor may be another connection's already.
 * So sending says, a few times, whether this peer's connection is gone. */
void eg_bus_peers_line_gone(struct eg_bus_peers *p, int line)
{
	for (struct peer *e = p->ends.next; e != &p->ends; e = e->next)
		if (e->from.line == line) {
			p->n_doubted += !e->doubts;
			e->doubts = DOUBTS;
		}
}

void eg_bus_peers_review(struct eg_bus_peers *p)
{
	for (struct peer *e = p->ends.next; e != &p->ends; e = e->next) {
		bool admitted = p->o.admits(p->o.owner, e->from.key);
		p->n_revoked -= e->revoked != 0;
		/* Its services end its calls and say why; then it is gone. */
		e->revoked = admitted ? 0 : eg_mono_us();
		p->n_revoked += e->revoked != 0;
	}
}

void eg_bus_peers_close(struct eg_bus_peers *p, const char *text)
{
	struct peer *next;
	for (struct peer *e = p->ends.next; e != &p->ends; e = next) {
		next = e->next;
		goodbye(p, e->from.route, EG_CLOSED, text);
		drop(p, e);
	}
}

bool eg_bus_peers_wait(struct eg_bus_peers *p, int64_t mono_deadline_us)
{
	struct timespec until = eg_mono_deadline(mono_deadline_us);
	pthread_mutex_lock(&p->lock);
	while (p->open && eg_mono_us() < mono_deadline_us)
		pthread_cond_timedwait(&p->moved, &p->lock, &until);
	bool none = !p->open;
	pthread_mutex_unlock(&p->lock);
	return none;
}

void eg_bus_peers_free(struct eg_bus_peers *p)
{
	if (!p)
		return;
	eg_bus_work_destroy(&p->work);
	pthread_cond_destroy(&p->moved);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
