/* call: what calls have in common, whatever they came over. */
#include "edge/call_core.h"

#include <stdlib.h>
#include <string.h>

/* ---- messages ---- */

struct eg_bytes eg_message_bytes(struct eg_message *m)
{
	return m->type->bytes(m);
}

void eg_message_free(struct eg_message *m)
{
	if (m)
		m->type->free(m);
}

struct eg_out *eg_out_new(size_t len)
{
	struct eg_out *o = malloc(sizeof *o + len);
	if (o) {
		o->next = NULL;
		o->len = len;
		o->bytes = o->own;
		o->of = o;
		atomic_init(&o->refs, 1);
	}
	return o;
}

struct eg_out *eg_out_again(struct eg_out *o)
{
	struct eg_out *again = malloc(sizeof *again);
	if (!again)
		return NULL;
	atomic_fetch_add(&o->of->refs, 1);
	again->next = NULL;
	again->len = o->len;
	again->bytes = o->bytes;
	again->of = o->of;
	atomic_init(&again->refs, 0);
	return again;
}

uint8_t *eg_out_bytes(struct eg_out *o)
{
	return o->bytes;
}

void eg_out_free(struct eg_out *o)
{
	if (!o)
		return;
	struct eg_out *of = o->of;
	if (o != of)
		free(o);
	if (atomic_fetch_sub(&of->refs, 1) == 1)
		free(of);
}

void eg_line_init(struct eg_line *l)
{
	*l = (struct eg_line){.end = &l->first};
}

void eg_line_put(struct eg_line *l, struct eg_out *o)
{
	o->next = NULL;
	*l->end = o;
	l->end = &o->next;
	l->n++;
}

void eg_line_put_back(struct eg_line *l, struct eg_out *o)
{
	o->next = l->first;
	l->first = o;
	if (!o->next)
		l->end = &o->next;
	l->n++;
}

struct eg_out *eg_line_take(struct eg_line *l)
{
	struct eg_out *o = l->first;
	if (!o)
		return NULL;
	l->first = o->next;
	if (!l->first)
		l->end = &l->first;
	l->n--;
	return o;
}

void eg_line_drop(struct eg_line *l)
{
	struct eg_out *o;
	while ((o = eg_line_take(l)))
		eg_out_free(o);
}

/* ---- calls ---- */

void eg_call_init(struct eg_call *c, const struct eg_call_type *type, const struct eg_method *method,
                  void *owner)
{
	c->type = type;
	c->method = method;
	c->owner = owner;
	c->deadline = INT64_MAX;
	c->traceparent[0] = 0;
	atomic_init(&c->refs, 1);
	atomic_init(&c->state, NULL);
}

static bool is_hex(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return true;
}

void eg_call_set_traceparent(struct eg_call *c, const char *p, size_t len)
{
	if (len != EG_TRACEPARENT_LEN || memcmp(p, "00-", 3) != 0 || !is_hex(p + 3, 32) || p[35] != '-' ||
	    !is_hex(p + 36, 16) || p[52] != '-' || !is_hex(p + 53, 2))
		return;
	memcpy(c->traceparent, p, len);
	c->traceparent[len] = 0;
}

void eg_call_hold(struct eg_call *c)
{
	atomic_fetch_add(&c->refs, 1);
}

void eg_call_release(struct eg_call *c)
{
	if (atomic_fetch_sub(&c->refs, 1) == 1)
		c->type->free(c);
}

const struct eg_method *eg_call_method(const struct eg_call *c)
{
	return c->method;
}

void *eg_call_owner(const struct eg_call *c)
{
	return c->owner;
}

void eg_call_set_state(struct eg_call *c, void *state)
{
	atomic_store(&c->state, state);
}

void *eg_call_state(const struct eg_call *c)
{
	return atomic_load(&c->state);
}

int64_t eg_call_deadline(const struct eg_call *c)
{
	return c->deadline;
}

const char *eg_call_traceparent(const struct eg_call *c)
{
	return c->traceparent;
}

bool eg_call_closed(struct eg_call *c)
{
	return c->type->closed(c);
}

bool eg_call_read(struct eg_call *c)
{
	return c->type->read(c);
}

bool eg_call_send(struct eg_call *c, struct eg_out *o)
{
	return c->type->send(c, o);
}

void eg_call_finish(struct eg_call *c, int code, const char *text, struct eg_bytes details)
{
	c->type->finish(c, code, text, details);
}

void eg_call_answer(struct eg_call *c, struct eg_out *o)
{
	c->type->answer(c, o);
}

void eg_call_peer(struct eg_call *c, struct eg_peer *out)
{
	*out = (struct eg_peer){0};
	c->type->peer(c, out);
}

void eg_peer_free(struct eg_peer *p)
{
	eg_buf_free(&p->pem);
}
