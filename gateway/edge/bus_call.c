/* bus_call: see bus_call.h. Locks: the call's, for what services touch; the work's, for the list. None is
 * held while the service is told something. */
#include "edge/bus_call.h"

#include "edge/call_core.h"

#include <stdlib.h>
#include <string.h>

struct eg_bus_call {
	struct eg_call call; /* first */
	struct eg_bus_work *work;
	uint64_t id;
	uint32_t route;
	size_t max_out;
	uint8_t key[32];
	struct eg_bus_call *next; /* guarded by the work's lock */
	bool listed;
	bool begun; /* the bus's thread alone */
	bool has_request;
	pthread_mutex_t lock; /* for what follows */
	bool reading, half_closed, finishing, closed;
	uint32_t given;  /* credit that the sender has */
	uint32_t grants; /* credit to be given */
	uint32_t credit; /* ours */
	unsigned n_inbox;
	struct eg_message *inbox[EG_CALL_WINDOW];
	struct eg_line line;
	int code;
	char *text; /* owned */
	struct eg_buf details;
};

static struct eg_bus_call *bus_call(struct eg_call *c)
{
	return (struct eg_bus_call *)c;
}

/* ---- the list ---- */

void eg_bus_work_init(struct eg_bus_work *w, void (*wake)(void *arg), void *arg)
{
	*w = (struct eg_bus_work){.wake = wake, .arg = arg};
	w->end = &w->first;
	pthread_mutex_init(&w->lock, NULL);
}

static void ask(struct eg_bus_call *c)
{
	struct eg_bus_work *w = c->work;
	bool first = false;
	pthread_mutex_lock(&w->lock);
	if (!c->listed) {
		c->listed = true;
		c->next = NULL;
		first = !w->first;
		*w->end = c;
		w->end = &c->next;
		eg_call_hold(&c->call);
	}
	pthread_mutex_unlock(&w->lock);
	if (first)
		w->wake(w->arg);
}

struct eg_bus_call *eg_bus_work_take(struct eg_bus_work *w)
{
	pthread_mutex_lock(&w->lock);
	struct eg_bus_call *c = w->first;
	if (c) {
		w->first = c->next;
		if (!w->first)
			w->end = &w->first;
		c->listed = false;
	}
	pthread_mutex_unlock(&w->lock);
	return c;
}

void eg_bus_work_destroy(struct eg_bus_work *w)
{
	struct eg_bus_call *c;
	while ((c = eg_bus_work_take(w)))
		eg_call_release(&c->call);
	pthread_mutex_destroy(&w->lock);
}

/* ---- what services ask ---- */

static void call_peer(struct eg_call *call, struct eg_peer *out)
{
	out->kind = EG_PEER_CURVE;
	memcpy(out->curve, bus_call(call)->key, sizeof out->curve);
}

static bool call_read(struct eg_call *call)
{
	struct eg_bus_call *c = bus_call(call);
	pthread_mutex_lock(&c->lock);
	bool reading = !c->closed;
	c->reading = reading;
	pthread_mutex_unlock(&c->lock);
	if (reading)
		ask(c);
	return reading;
}

static bool call_send(struct eg_call *call, struct eg_out *o)
{
	struct eg_bus_call *c = bus_call(call);
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing && c->line.n < EG_OUT_MAX;
	if (takes)
		eg_line_put(&c->line, o);
	pthread_mutex_unlock(&c->lock);
	if (takes)
		ask(c);
	else
		eg_out_free(o);
	return takes;
}

/* The lock is held. A text or details for which there is no memory are left out: the code says the most. */
static void set_end(struct eg_bus_call *c, int code, const char *text, struct eg_bytes details)
{
	c->finishing = true;
	c->code = code;
	c->text = strdup(text);
	eg_buf_add(&c->details, details.p, details.len);
}

static void call_finish(struct eg_call *call, int code, const char *text, struct eg_bytes details)
{
	struct eg_bus_call *c = bus_call(call);
	pthread_mutex_lock(&c->lock);
	bool ends = !c->finishing && !c->closed;
	if (ends)
		set_end(c, code, text, details);
	pthread_mutex_unlock(&c->lock);
	if (ends)
		ask(c);
}

static void call_answer(struct eg_call *call, struct eg_out *o)
{
	struct eg_bus_call *c = bus_call(call);
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing;
	if (takes) {
		eg_line_put(&c->line, o);
		set_end(c, 0, "", (struct eg_bytes){0});
	}
	pthread_mutex_unlock(&c->lock);
	if (takes)
		ask(c);
	else
		eg_out_free(o);
}

static bool call_closed(struct eg_call *call)
{
	struct eg_bus_call *c = bus_call(call);
	pthread_mutex_lock(&c->lock);
	bool closed = c->closed;
	pthread_mutex_unlock(&c->lock);
	return closed;
}

static void call_free(struct eg_call *call)
{
	struct eg_bus_call *c = bus_call(call);
	for (unsigned i = 0; i < c->n_inbox; i++)
		eg_message_free(c->inbox[i]);
	eg_line_drop(&c->line);
	eg_buf_free(&c->details);
	free(c->text);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const struct eg_call_type type = {.peer = call_peer,
                                         .read = call_read,
                                         .send = call_send,
                                         .finish = call_finish,
                                         .answer = call_answer,
                                         .closed = call_closed,
                                         .free = call_free};

/* ---- on the bus's thread ---- */

struct eg_bus_call *eg_bus_call_new(struct eg_bus_work *w, const struct eg_method *method, void *owner,
                                    const struct eg_bus_frame *open, uint32_t route, const uint8_t key[32],
                                    size_t max_out)
{
	struct eg_bus_call *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	eg_call_init(&c->call, &type, method, owner);
	eg_call_set_traceparent(&c->call, (const char *)open->traceparent.p, open->traceparent.len);
	pthread_mutex_init(&c->lock, NULL);
	eg_line_init(&c->line);
	c->work = w;
	c->id = open->call;
	c->route = route;
	c->max_out = max_out;
	memcpy(c->key, key, sizeof c->key);
	c->credit = open->credit;
	c->given = 1;
	return c;
}

uint64_t eg_bus_call_id(const struct eg_bus_call *c)
{
	return c->id;
}

uint32_t eg_bus_call_route(const struct eg_bus_call *c)
{
	return c->route;
}

struct eg_call *eg_bus_call_base(struct eg_bus_call *c)
{
	return &c->call;
}

static void begin(struct eg_bus_call *c, struct eg_message *request)
{
	c->begun = true;
	eg_call_hold(&c->call); /* the service's */
	c->call.method->events->began(&c->call, request);
}

void eg_bus_call_begin(struct eg_bus_call *c)
{
	if (!c->call.method) {
		c->begun = true;
		return;
	}
	pthread_mutex_lock(&c->lock);
	c->given += EG_CALL_WINDOW - 1;
	c->grants += EG_CALL_WINDOW - 1;
	pthread_mutex_unlock(&c->lock);
	begin(c, NULL);
	ask(c);
}

static bool bidi(const struct eg_bus_call *c)
{
	return !c->call.method || c->call.method->shape == EG_BIDI;
}

bool eg_bus_call_message(struct eg_bus_call *c, struct eg_message *m)
{
	pthread_mutex_lock(&c->lock);
	bool allowed = c->given && !c->half_closed, keeps = allowed && bidi(c) && c->call.method;
	c->given -= allowed;
	if (keeps)
		c->inbox[c->n_inbox++] = m; /* there is room: credit is at most the window */
	pthread_mutex_unlock(&c->lock);
	if (keeps) {
		ask(c);
	} else if (allowed && !bidi(c) && !c->begun) {
		begin(c, m);
	} else {
		eg_message_free(m);
	}
	return allowed;
}

bool eg_bus_call_half_close(struct eg_bus_call *c)
{
	pthread_mutex_lock(&c->lock);
	bool allowed = !c->half_closed;
	c->half_closed = true;
	pthread_mutex_unlock(&c->lock);
	if (!c->begun)
		begin(c, NULL); /* without a request: the service says so */
	ask(c);
	return allowed;
}

bool eg_bus_call_credit(struct eg_bus_call *c, uint32_t n)
{
	pthread_mutex_lock(&c->lock);
	bool allowed = c->credit + n <= EG_BUS_CREDIT_MAX;
	if (allowed)
		c->credit += n;
	pthread_mutex_unlock(&c->lock);
	ask(c);
	return allowed;
}

/* The lock is held. The peer would cut the connection, and ask for the same again for ever. */
static void too_large(struct eg_bus_call *c)
{
	eg_line_drop(&c->line);
	eg_buf_free(&c->details);
	free(c->text);
	set_end(c, eg_rc_grpc(EG_LIMIT), "the answer is larger than the adapter's max_message",
	        (struct eg_bytes){0});
}

enum deed { NOTHING, READ, GRANT, SEND, STATUS };

/* What is to be done next, and taken off the call for it. */
static enum deed next_deed(struct eg_bus_call *c, struct eg_message **m, struct eg_out **o, uint32_t *n)
{
	enum deed deed = NOTHING;
	*m = NULL;
	pthread_mutex_lock(&c->lock);
	if (c->closed) {
		deed = NOTHING; /* it was on the list still */
	} else if (c->reading && (c->n_inbox || c->half_closed)) {
		deed = READ;
		c->reading = false;
		if (c->n_inbox) {
			*m = c->inbox[0];
			memmove(c->inbox, c->inbox + 1, --c->n_inbox * sizeof *c->inbox);
			c->given++;
			c->grants++;
		}
	} else if (c->grants && !c->half_closed && !c->finishing) {
		deed = GRANT;
		*n = c->grants;
		c->grants = 0;
	} else if (c->line.first && c->credit && c->line.first->len <= c->max_out) {
		deed = SEND;
		c->credit--;
		*o = eg_line_take(&c->line);
	} else if (c->line.first && c->credit) {
		deed = STATUS;
		too_large(c);
	} else if (c->finishing && (!c->line.first || c->code)) {
		/* A failure does not wait for a peer that gives no credit. */
		deed = STATUS;
	}
	pthread_mutex_unlock(&c->lock);
	return deed;
}

static void undo_send(struct eg_bus_call *c, struct eg_out *o)
{
	pthread_mutex_lock(&c->lock);
	eg_line_put_back(&c->line, o);
	c->credit++;
	pthread_mutex_unlock(&c->lock);
}

static void undo_grant(struct eg_bus_call *c, uint32_t n)
{
	pthread_mutex_lock(&c->lock);
	c->grants += n;
	pthread_mutex_unlock(&c->lock);
}

/* Once finishing is set, only this thread writes code, text and details. */
static enum eg_bus_sent send_status(struct eg_bus_call *c, const struct eg_bus_sink *sink)
{
	struct eg_bytes details = eg_buf_bytes(&c->details);
	struct eg_bus_frame f = {.kind = EG_BUS_STATUS,
	                         .call = c->id,
	                         .code = (uint32_t)c->code,
	                         .text = eg_bytes_of(c->text)};
	struct eg_out *o = eg_out_new(details.len);
	if (!o)
		return EG_BUS_FULL; /* tried again */
	if (details.len)
		memcpy(eg_out_bytes(o), details.p, details.len);
	if (!eg_utf8_valid(f.text))
		f.text = (struct eg_bytes){0};
	enum eg_bus_sent sent = sink->send(sink->arg, c->route, &f, o);
	if (sent != EG_BUS_SENT)
		eg_out_free(o);
	return sent;
}

enum eg_bus_state eg_bus_call_work(struct eg_bus_call *c, const struct eg_bus_sink *sink)
{
	const struct eg_call_events none = {0}, *events = c->call.method ? c->call.method->events : &none;
	while (c->begun) {
		struct eg_message *m;
		struct eg_out *o = NULL;
		uint32_t n = 0;
		enum eg_bus_sent sent = EG_BUS_SENT;
		struct eg_bus_frame f = {.call = c->id};
		switch (next_deed(c, &m, &o, &n)) {
		case READ:
			if (events->read)
				events->read(&c->call, m);
			else
				eg_message_free(m);
			break;
		case GRANT:
			f.kind = EG_BUS_CREDIT;
			f.credit = n;
			if ((sent = sink->send(sink->arg, c->route, &f, NULL)) == EG_BUS_FULL)
				undo_grant(c, n);
			break;
		case SEND:
			f.kind = EG_BUS_MESSAGE;
			if ((sent = sink->send(sink->arg, c->route, &f, o)) != EG_BUS_SENT)
				undo_send(c, o);
			else if (events->sent)
				events->sent(&c->call);
			break;
		case STATUS:
			if ((sent = send_status(c, sink)) == EG_BUS_SENT)
				return EG_BUS_OVER;
			break;
		default:
			return EG_BUS_IDLE;
		}
		if (sent == EG_BUS_FULL)
			return EG_BUS_BLOCKED;
		if (sent == EG_BUS_GONE)
			return EG_BUS_OVER;
	}
	return EG_BUS_IDLE;
}

void eg_bus_call_close(struct eg_bus_call *c)
{
	const struct eg_method *m = c->call.method;
	pthread_mutex_lock(&c->lock);
	bool reading = c->reading;
	c->reading = false;
	c->closed = true;
	eg_line_drop(&c->line);
	pthread_mutex_unlock(&c->lock);
	if (m && c->begun && reading && m->events->read)
		m->events->read(&c->call, NULL);
	if (m && c->begun && m->events->closed)
		m->events->closed(&c->call);
	eg_call_release(&c->call);
}
