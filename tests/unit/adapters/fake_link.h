/* fake_link: include/eldergate/link.h with the test as the gateway: it sees what was sent and says what
 * comes. */
#ifndef EG_TESTS_FAKE_LINK_H
#define EG_TESTS_FAKE_LINK_H

#include "base/buf.h"
#include "base/clock.h"
#include "eldergate/link.h"

#include <stdlib.h>
#include <string.h>

enum { FAKE_CALLS = 64, FAKE_EVENTS = 256, FAKE_SENT = 512 };

struct eg_link_call {
	char method[64];
	void *arg;
	unsigned credit;
	bool half_closed, over, dropped;
	struct eg_buf sent[FAKE_SENT];
	unsigned n_sent;
};

struct eg_link {
	bool up;
	unsigned first_credit; /* what a new call gets at once */
	struct eg_link_call *calls[FAKE_CALLS];
	unsigned n_calls;
	struct {
		struct eg_link_event e;
		struct eg_buf bytes;
	} events[FAKE_EVENTS];
	unsigned n_events;
	struct eg_buf last;                   /* of the event that was handed out */
	void (*sent)(struct eg_link_call *c); /* after each message; NULL: none */
	void (*idle)(void);                   /* when a wait finds nothing */
	int64_t longest_us;                   /* that it was asked to wait */
	unsigned waits, hasty; /* how often it was asked; of these: with a deadline that was over */
};

static struct eg_link fake;

static void fake_reset(void)
{
	for (unsigned i = 0; i < fake.n_calls; i++) {
		for (unsigned k = 0; k < fake.calls[i]->n_sent; k++)
			eg_buf_free(&fake.calls[i]->sent[k]);
		free(fake.calls[i]);
	}
	for (unsigned i = 0; i < fake.n_events; i++)
		eg_buf_free(&fake.events[i].bytes);
	eg_buf_free(&fake.last);
	fake = (struct eg_link){.up = true, .first_credit = 100};
}

static void fake_event(struct eg_link_call *c, enum eg_link_event_kind kind, int code, struct eg_bytes bytes)
{
	if (c->over || c->dropped)
		return;
	if (fake.n_events == FAKE_EVENTS)
		abort();
	fake.events[fake.n_events].e =
	        (struct eg_link_event){.kind = kind, .call = c, .arg = c->arg, .code = code, .text = ""};
	fake.events[fake.n_events].bytes = (struct eg_buf){0};
	eg_buf_add(&fake.events[fake.n_events].bytes, bytes.p, bytes.len);
	fake.n_events++;
	c->over = kind == EG_LINK_STATUS || kind == EG_LINK_LOST;
}

/* The way to the gateway breaks: every open call is lost. */
static inline void fake_lose(void)
{
	fake.up = false;
	for (unsigned i = 0; i < fake.n_calls; i++)
		fake_event(fake.calls[i], EG_LINK_LOST, 0, (struct eg_bytes){0});
}

/* The newest open call of this method; NULL: none. */
static inline struct eg_link_call *fake_open_call(const char *method)
{
	for (unsigned i = fake.n_calls; i > 0; i--) {
		struct eg_link_call *c = fake.calls[i - 1];
		if (!c->over && !c->dropped && strstr(c->method, method))
			return c;
	}
	return NULL;
}

bool eg_link_connected(const struct eg_link *l)
{
	return l->up;
}

unsigned eg_link_most_calls(const struct eg_link *l)
{
	return l->up ? 16 : 0;
}

enum eg_rc eg_link_call(struct eg_link *l, const char *method, unsigned credit, void *arg,
                        struct eg_link_call **out, struct eg_err *err)
{
	(void)credit;
	if (l->n_calls == FAKE_CALLS)
		return eg_fail(err, EG_LIMIT, "the test begins too many calls");
	struct eg_link_call *c = calloc(1, sizeof *c);
	if (!c)
		abort();
	strncpy(c->method, method, sizeof c->method - 1);
	c->arg = arg;
	c->credit = l->first_credit;
	*out = l->calls[l->n_calls++] = c;
	return EG_OK;
}

unsigned eg_link_credit(const struct eg_link_call *c)
{
	return c->credit;
}

enum eg_rc eg_link_send(struct eg_link_call *c, struct eg_bytes message, struct eg_err *err)
{
	if (c->over || c->dropped || c->half_closed)
		return eg_fail(err, EG_CLOSED, "the call is over");
	if (!c->credit)
		return eg_fail(err, EG_BUSY, "no credit");
	if (c->n_sent == FAKE_SENT)
		abort();
	c->credit--;
	c->sent[c->n_sent] = (struct eg_buf){0};
	eg_buf_add(&c->sent[c->n_sent++], message.p, message.len);
	if (fake.sent)
		fake.sent(c);
	return EG_OK;
}

enum eg_rc eg_link_half_close(struct eg_link_call *c, struct eg_err *err)
{
	(void)err;
	c->half_closed = true;
	return EG_OK;
}

void eg_link_drop(struct eg_link_call *c)
{
	c->dropped = true; /* its memory stays for the test to look at */
	unsigned keep = 0;
	for (unsigned i = 0; i < fake.n_events; i++) {
		if (fake.events[i].e.call == c)
			eg_buf_free(&fake.events[i].bytes);
		else
			fake.events[keep++] = fake.events[i];
	}
	fake.n_events = keep;
}

enum eg_rc eg_link_wait(struct eg_link *l, int64_t mono_deadline_us, struct eg_link_event *out,
                        struct eg_err *err)
{
	(void)err;
	/* The idle hook is all that could bring something. */
	if (!l->n_events && mono_deadline_us - eg_mono_us() > l->longest_us)
		l->longest_us = mono_deadline_us - eg_mono_us();
	l->waits += !l->n_events;
	l->hasty += !l->n_events && mono_deadline_us <= eg_mono_us();
	if (!l->n_events && l->idle)
		l->idle();
	if (!l->n_events)
		return EG_DEADLINE;
	eg_buf_free(&l->last);
	*out = l->events[0].e;
	l->last = l->events[0].bytes;
	out->bytes = eg_buf_bytes(&l->last);
	memmove(&l->events[0], &l->events[1], --l->n_events * sizeof *l->events);
	return EG_OK;
}

#endif
