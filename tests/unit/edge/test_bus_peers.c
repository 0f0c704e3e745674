/* The peers of the bus without a socket: greeting, credit both ways, blocked and vanished peers, revocation,
 * and services that work on other threads while peers come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "edge/bus_peers.h"
#include "edge/call_core.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { SENT_MAX = 4096, BEAT = 1000000 };

/* ---- the other end ---- */

struct sent {
	uint32_t route;
	struct eg_bus_frame f;
	char payload[32];
	size_t len;
};

static struct sent sent[SENT_MAX];
static unsigned n_sent, n_looked;
static enum eg_bus_sent answer; /* of the sink */
static bool admitted = true;
static unsigned refused;

static enum eg_bus_sent sink(void *arg, uint32_t route, const struct eg_bus_frame *f, struct eg_out *payload)
{
	uint8_t header[EG_BUS_HEADER_MAX];
	(void)arg;
	assert_int_not_equal(eg_bus_frame_write(f, header), 0);
	assert_int_equal(payload != NULL, eg_bus_has_payload(f->kind));
	if (answer != EG_BUS_SENT)
		return answer;
	struct sent *s = &sent[n_sent++ % SENT_MAX];
	*s = (struct sent){.route = route, .f = *f, .len = payload ? payload->len : 0};
	if (payload)
		memcpy(s->payload, payload->bytes, payload->len < 31 ? payload->len : 31);
	eg_out_free(payload);
	return EG_BUS_SENT;
}

/* The next frame that was sent; kind 0: none. */
static struct sent next(void)
{
	return n_looked < n_sent ? sent[n_looked++ % SENT_MAX] : (struct sent){0};
}

static struct sent next_is(enum eg_bus_kind kind)
{
	struct sent s = next();
	assert_int_equal(s.f.kind, kind);
	return s;
}

/* ---- services ---- */

struct life {
	atomic_int began, closed, reads, sents;
	_Atomic(struct eg_call *) call;
};
static struct life life;

static void on_began(struct eg_call *c, struct eg_message *first)
{
	life.call = c;
	life.began++;
	eg_message_free(first);
}

static void on_read(struct eg_call *c, struct eg_message *m)
{
	(void)c;
	assert_int_equal(life.closed, 0);
	life.reads += m ? 1 : 1000;
	eg_message_free(m);
}

static void on_sent(struct eg_call *c)
{
	(void)c;
	life.sents++;
}

static void on_closed(struct eg_call *c)
{
	(void)c;
	life.closed++;
}

static const struct eg_call_events held = {
        .began = on_began, .read = on_read, .sent = on_sent, .closed = on_closed};

static void echo_began(struct eg_call *c, struct eg_message *first)
{
	struct eg_out *o = eg_out_new(first ? eg_message_bytes(first).len : 0);
	assert_non_null(o);
	if (first)
		memcpy(eg_out_bytes(o), eg_message_bytes(first).p, o->len);
	eg_message_free(first);
	eg_call_answer(c, o);
	eg_call_release(c);
}

static const struct eg_call_events echo = {.began = echo_began};

static const struct eg_call_events busy; /* below: works on threads of its own */
static const struct eg_method methods[] = {{.path = "/t/Held", .shape = EG_BIDI, .events = &held},
                                           {.path = "/t/Echo", .shape = EG_UNARY, .events = &echo},
                                           {.path = "/t/Busy", .shape = EG_BIDI, .events = &busy}};

static void not_offered(struct eg_call *c)
{
	eg_call_finish(c, 12, "not offered", (struct eg_bytes){0});
}

static bool admits(void *owner, const uint8_t key[32])
{
	(void)owner;
	return admitted && key[0] != 99;
}

static void note_refused(void *owner, const uint8_t key[32])
{
	(void)owner;
	(void)key;
	refused++;
}

static atomic_int wakes;

static void wake(void *arg)
{
	(void)arg;
	wakes++;
}

/* ---- frames in ---- */

struct note {
	struct eg_message message;
	struct eg_bytes bytes;
};

static struct eg_bytes note_bytes(struct eg_message *m)
{
	return ((struct note *)m)->bytes;
}

static void note_free(struct eg_message *m)
{
	free(m);
}

static const struct eg_message_type note_type = {.bytes = note_bytes, .free = note_free};

static struct eg_message *note(const char *text)
{
	struct note *n = malloc(sizeof *n);
	assert_non_null(n);
	*n = (struct note){.message.type = &note_type, .bytes = eg_bytes_of(text)};
	return &n->message;
}

static bool session; /* what the last frame left its sender with */

static void put_as(struct eg_bus_peers *p, uint32_t route, uint8_t who, struct eg_bus_frame f,
                   const char *payload)
{
	uint8_t header[EG_BUS_HEADER_MAX];
	struct eg_bus_from from = {.route = route, .line = (int)route, .proved = true, .key = {who}};
	size_t len = eg_bus_frame_write(&f, header);
	assert_int_not_equal(len, 0);
	session = eg_bus_peers_take(p, &from, (struct eg_bytes){header, len}, payload ? note(payload) : NULL,
	                            true);
	eg_bus_peers_work(p);
}

static void put(struct eg_bus_peers *p, uint32_t route, struct eg_bus_frame f, const char *payload)
{
	put_as(p, route, (uint8_t)route, f, payload);
}

static void hello(struct eg_bus_peers *p, uint32_t route)
{
	put(p, route,
	    (struct eg_bus_frame){
	            .kind = EG_BUS_HELLO, .first = 1, .last = 2, .heartbeat_ms = 1, .max_message = 30},
	    NULL);
}

static void open_call(struct eg_bus_peers *p, uint32_t route, uint64_t id, const char *method,
                      uint32_t credit)
{
	put(p, route,
	    (struct eg_bus_frame){
	            .kind = EG_BUS_OPEN, .call = id, .credit = credit, .method = eg_bytes_of(method)},
	    NULL);
}

#define FRAME(kind_, call_) ((struct eg_bus_frame){.kind = (kind_), .call = (call_)})

static struct eg_bus_peers *peers(unsigned max_peers, unsigned max_calls)
{
	struct eg_bus_peers *p = NULL;
	struct eg_bus_peers_options o = {.methods = methods,
	                                 .n_methods = 3,
	                                 .not_offered = not_offered,
	                                 .admits = admits,
	                                 .refused = note_refused,
	                                 .heartbeat_us = BEAT,
	                                 .max_message = 100,
	                                 .max_peers = max_peers,
	                                 .max_calls = max_calls,
	                                 .sink = {sink, NULL},
	                                 .wake = wake};
	n_sent = n_looked = refused = 0;
	answer = EG_BUS_SENT;
	admitted = true;
	life = (struct life){0};
	assert_int_equal(eg_bus_peers_new(&p, &o, NULL), EG_OK);
	return p;
}

static void end(struct eg_bus_peers *p)
{
	eg_bus_peers_close(p, "the end");
	assert_true(eg_bus_peers_wait(p, 0));
	eg_bus_peers_free(p);
}

static struct eg_out *out(const char *text)
{
	struct eg_out *o = eg_out_new(strlen(text));
	assert_non_null(o);
	memcpy(eg_out_bytes(o), text, o->len);
	return o;
}

/* ---- tests ---- */

static void greeting(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(2, 4);
	open_call(p, 1, 1, "/t/Echo", 1);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 14); /* no session */
	assert_false(session);
	hello(p, 1);
	assert_true(session);
	struct sent w = next_is(EG_BUS_WELCOME);
	assert_int_equal(w.f.first, 1);
	assert_int_equal(w.f.max_calls, 4);
	put_as(p, 2, 99,
	       (struct eg_bus_frame){
	               .kind = EG_BUS_HELLO, .first = 1, .last = 1, .heartbeat_ms = 1, .max_message = 1},
	       NULL);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 16); /* its key is not known any more */
	assert_false(session);
	hello(p, 3);
	next_is(EG_BUS_WELCOME);
	hello(p, 4);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 14); /* the house is full */
	put(p, 3, FRAME(EG_BUS_GOODBYE, 0), NULL);
	hello(p, 4);
	next_is(EG_BUS_WELCOME);
	hello(p, 4); /* twice */
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 3);
	assert_false(session);
	assert_int_equal(refused, 1);
	end(p);
}

static void a_unary_call(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	next_is(EG_BUS_WELCOME);
	open_call(p, 1, 1, "/t/Echo", 1);
	put(p, 1, FRAME(EG_BUS_MESSAGE, 1), "moin");
	put(p, 1, FRAME(EG_BUS_HALF_CLOSE, 1), NULL); /* late: the call is over */
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "moin");
	assert_int_equal(next_is(EG_BUS_STATUS).f.code, 0);
	open_call(p, 1, 2, "/t/Nothing", 1);
	assert_int_equal(next_is(EG_BUS_STATUS).f.code, 12);
	/* An answer above what the adapter takes. */
	open_call(p, 1, 3, "/t/Echo", 1);
	put(p, 1, FRAME(EG_BUS_MESSAGE, 3), "more than the thirty bytes that it said it takes");
	assert_int_equal(next_is(EG_BUS_STATUS).f.code, 8);
	assert_int_equal(next().f.kind, 0);
	assert_true(eg_bus_peers_wait(p, 0));
	end(p);
}

static void credit(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	next_is(EG_BUS_WELCOME);
	open_call(p, 1, 1, "/t/Held", 1);
	assert_int_equal(next_is(EG_BUS_CREDIT).f.credit, EG_CALL_WINDOW - 1);
	for (unsigned i = 0; i < EG_CALL_WINDOW; i++)
		put(p, 1, FRAME(EG_BUS_MESSAGE, 1), "x");
	assert_int_equal(next().f.kind, 0); /* the service takes none, so there is no more */
	assert_int_equal(life.reads, 0);
	assert_true(eg_call_read(life.call));
	assert_int_equal(life.reads, 0); /* only on the bus's thread */
	eg_bus_peers_work(p);
	assert_int_equal(life.reads, 1);
	assert_int_equal(next_is(EG_BUS_CREDIT).f.credit, 1);
	put(p, 1, FRAME(EG_BUS_MESSAGE, 1), "x");

	/* Out: one at once, the next with credit. */
	assert_true(eg_call_send(life.call, out("a")));
	assert_true(eg_call_send(life.call, out("b")));
	eg_bus_peers_work(p);
	assert_int_equal(life.sents, 1);
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "a");
	assert_int_equal(next().f.kind, 0);
	put(p, 1, (struct eg_bus_frame){.kind = EG_BUS_CREDIT, .call = 1, .credit = 2}, NULL);
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "b");
	assert_int_equal(life.sents, 2);

	put(p, 1, FRAME(EG_BUS_MESSAGE, 1), "one too many");
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 3);
	assert_int_equal(life.closed, 1);
	assert_false(eg_call_read(life.call));
	assert_false(eg_call_send(life.call, out("c")));
	assert_true(eg_call_closed(life.call));
	eg_call_release(life.call);
	end(p);
}

static void a_line_that_is_full(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	for (unsigned i = 0; i < EG_OUT_MAX; i++)
		assert_true(eg_call_send(life.call, out("x")));
	assert_false(eg_call_send(life.call, out("y")));
	n_looked = n_sent;
	/* A failure does not wait for credit that may never come. */
	eg_call_finish(life.call, 16, "gone", eg_bytes_of("details"));
	eg_bus_peers_work(p);
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "x"); /* for the one credit there was */
	struct sent s = next_is(EG_BUS_STATUS);
	assert_int_equal(s.f.code, 16);
	assert_string_equal(s.payload, "details");
	assert_int_equal(life.closed, 1);
	eg_call_release(life.call);
	end(p);
}

static void a_peer_that_takes_nothing(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 100);
	n_looked = n_sent;
	answer = EG_BUS_FULL;
	for (const char *c = "abc"; *c; c++)
		assert_true(eg_call_send(life.call, out((char[]){*c, 0})));
	eg_call_finish(life.call, 0, "", (struct eg_bytes){0});
	eg_bus_peers_work(p);
	assert_int_equal(life.sents, 0);
	assert_true(eg_bus_peers_hurry(p));
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(life.sents, 0);
	answer = EG_BUS_SENT;
	assert_true(eg_bus_peers_hurry(p));
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(life.sents, 3); /* in their order */
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "a");
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "b");
	assert_string_equal(next_is(EG_BUS_MESSAGE).payload, "c");
	next_is(EG_BUS_STATUS);
	assert_false(eg_bus_peers_hurry(p));
	eg_call_release(life.call);
	end(p);
}

static void a_peer_that_is_gone(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	assert_true(eg_call_read(life.call));
	eg_bus_peers_line_gone(p, 7); /* another one's */
	assert_false(eg_bus_peers_hurry(p));
	eg_bus_peers_line_gone(p, 1);
	eg_bus_peers_tick(p, eg_mono_us()); /* the ROUTER still has it */
	assert_int_equal(life.closed, 0);
	answer = EG_BUS_GONE;
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(life.closed, 1);
	assert_int_equal(life.reads, 1000); /* told that nothing comes, before the end */
	eg_call_release(life.call);
	answer = EG_BUS_SENT;

	/* The descriptor was reused, and the connection is there: it is left alone. */
	life = (struct life){0};
	hello(p, 2);
	eg_bus_peers_line_gone(p, 2);
	for (unsigned i = 0; i < 20; i++)
		eg_bus_peers_tick(p, eg_mono_us());
	assert_false(eg_bus_peers_hurry(p));
	open_call(p, 2, 1, "/t/Held", 1);
	assert_int_equal(life.began, 1);
	put(p, 2, FRAME(EG_BUS_CANCEL, 1), NULL);
	assert_int_equal(life.closed, 1);
	eg_call_release(life.call);
	end(p);
}

static void another_key_on_the_route(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	n_looked = n_sent;
	put_as(p, 1, 2, (struct eg_bus_frame){.kind = EG_BUS_CREDIT, .call = 1, .credit = 5}, NULL);
	assert_int_equal(life.closed, 1);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 14);
	assert_int_equal(refused, 0);
	eg_call_release(life.call);
	end(p);
}

static void silence(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	put(p, 2,
	    (struct eg_bus_frame){
	            .kind = EG_BUS_HELLO, .first = 1, .last = 1, .heartbeat_ms = 10000, .max_message = 30},
	    NULL);
	put(p, 3,
	    (struct eg_bus_frame){.kind = EG_BUS_HELLO,
	                          .first = 1,
	                          .last = 1,
	                          .heartbeat_ms = UINT32_MAX,
	                          .max_message = 30},
	    NULL);
	n_looked = n_sent;
	int64_t now = eg_mono_us();
	eg_bus_peers_tick(p, now + 2 * BEAT);
	assert_int_equal(next().f.kind, 0);
	eg_bus_peers_tick(p, now + 4 * BEAT);
	assert_int_equal(next_is(EG_BUS_GOODBYE).route, 1);
	eg_bus_peers_tick(p, now + 31 * BEAT); /* it asked for ten times as long */
	assert_int_equal(next_is(EG_BUS_GOODBYE).route, 2);
	eg_bus_peers_tick(p, now + 181 * BEAT); /* at most a minute each */
	assert_int_equal(next_is(EG_BUS_GOODBYE).route, 3);
	end(p);
}

static void revocation(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	n_looked = n_sent;
	eg_bus_peers_review(p);
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(next().f.kind, 0);
	admitted = false;
	eg_bus_peers_review(p);
	open_call(p, 1, 2, "/t/Echo", 1);
	assert_int_equal(next_is(EG_BUS_STATUS).f.code, 16);
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(next().f.kind, 0); /* its service still has the word */
	eg_call_finish(life.call, 16, "no more", (struct eg_bytes){0});
	eg_bus_peers_work(p);
	next_is(EG_BUS_STATUS);
	eg_bus_peers_tick(p, eg_mono_us());
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 16);
	eg_call_release(life.call);

	/* One whose service says nothing goes after a heartbeat. */
	admitted = true;
	life = (struct life){0};
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	n_looked = n_sent;
	admitted = false;
	eg_bus_peers_review(p);
	eg_bus_peers_tick(p, eg_mono_us() + BEAT + BEAT / 2);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 16);
	assert_int_equal(life.closed, 1);
	eg_call_release(life.call);
	end(p);
}

/* ---- threads ---- */

enum { WORKERS = 3, CALLS = 600, QUEUE = 1 << 16 };

/* What the events tell goes into a queue; workers take from it and act, as the edge's pool does. */
static struct {
	pthread_mutex_t lock;
	struct eg_call *calls[QUEUE];
	unsigned head, tail;
	bool over;
} todo = {.lock = PTHREAD_MUTEX_INITIALIZER};
static atomic_int busy_began, busy_closed;

static void later(struct eg_call *c)
{
	eg_call_hold(c);
	pthread_mutex_lock(&todo.lock);
	assert_true(todo.tail - todo.head < QUEUE);
	todo.calls[todo.tail++ % QUEUE] = c;
	pthread_mutex_unlock(&todo.lock);
}

static void busy_on_began(struct eg_call *c, struct eg_message *first)
{
	(void)first;
	busy_began++;
	later(c);
}

static void busy_on_read(struct eg_call *c, struct eg_message *m)
{
	eg_message_free(m);
	later(c);
}

static void busy_on_closed(struct eg_call *c)
{
	busy_closed++;
	eg_call_release(c);
}

static const struct eg_call_events busy = {
        .began = busy_on_began, .read = busy_on_read, .sent = later, .closed = busy_on_closed};

static void *work(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	for (;;) {
		pthread_mutex_lock(&todo.lock);
		struct eg_call *c = todo.head < todo.tail ? todo.calls[todo.head++ % QUEUE] : NULL;
		bool over = todo.over;
		pthread_mutex_unlock(&todo.lock);
		if (!c && over)
			return NULL;
		if (!c) {
			sched_yield();
			continue;
		}
		struct eg_peer who;
		eg_call_peer(c, &who);
		int dice = rand_r(&seed) % 20;
		eg_call_read(c);
		if (dice < 8)
			eg_call_send(c, out("answer"));
		if (dice == 19)
			eg_call_finish(c, dice & 1 ? 14 : 0, "done", eg_bytes_of("why"));
		eg_call_closed(c);
		eg_call_release(c);
	}
}

/* It did nothing wrong, so it is not told of as one that did. */
static void a_message_without_memory(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 2);
	const struct eg_bus_from from = {.route = 1, .proved = true, .key = {1}};
	hello(p, 1);
	open_call(p, 1, 1, "/t/Held", 1);
	n_looked = n_sent;
	eg_bus_peers_lost(p, &from);
	assert_int_equal(next_is(EG_BUS_GOODBYE).f.code, 8);
	assert_int_equal(life.closed, 1);
	assert_int_equal(refused, 0);
	eg_call_release(life.call);
	hello(p, 1);
	next_is(EG_BUS_WELCOME);
	end(p);
}

static void threads(void **state)
{
	(void)state;
	struct eg_bus_peers *p = peers(9, 64);
	pthread_t workers[WORKERS];
	unsigned seed = 5;
	todo.over = false;
	for (uintptr_t i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&workers[i], NULL, work, (void *)(i + 1)), 0);
	uint64_t ids[3] = {0};
	uint32_t given[3] = {0};
	hello(p, 1);
	hello(p, 2);
	for (unsigned opened = 0; opened < CALLS;) {
		uint32_t route = 1 + (unsigned)rand_r(&seed) % 2;
		answer = rand_r(&seed) % 10 ? EG_BUS_SENT : EG_BUS_FULL;
		switch (rand_r(&seed) % 8) {
		case 0:
		case 1:
			open_call(p, route, ++ids[route], "/t/Busy", 1 + (uint32_t)rand_r(&seed) % 50);
			given[route] = 1;
			opened++;
			break;
		case 2:
			if (ids[route])
				put(p, route, FRAME(EG_BUS_CANCEL, 1 + (uint64_t)rand_r(&seed) % ids[route]),
				    NULL);
			break;
		case 3: /* one message of the newest call, for the credit that an opening has */
			if (ids[route] && given[route])
				put(p, route, FRAME(EG_BUS_MESSAGE, ids[route]), "request");
			given[route] = 0;
			break;
		case 4:
			answer = EG_BUS_SENT;
			put(p, route, FRAME(EG_BUS_GOODBYE, 0), NULL);
			ids[route] = 0;
			hello(p, route);
			break;
		default:
			eg_bus_peers_work(p);
			eg_bus_peers_tick(p, eg_mono_us());
		}
	}
	answer = EG_BUS_SENT;
	eg_bus_peers_close(p, "the end");
	assert_true(eg_bus_peers_wait(p, 0));
	pthread_mutex_lock(&todo.lock);
	todo.over = true;
	pthread_mutex_unlock(&todo.lock);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	assert_in_range(busy_began, CALLS / 2, CALLS);
	assert_int_equal(busy_closed, busy_began);
	assert_int_equal(refused, 0);
	eg_bus_peers_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(greeting),
	        cmocka_unit_test(a_unary_call),
	        cmocka_unit_test(credit),
	        cmocka_unit_test(a_line_that_is_full),
	        cmocka_unit_test(a_peer_that_takes_nothing),
	        cmocka_unit_test(a_peer_that_is_gone),
	        cmocka_unit_test(another_key_on_the_route),
	        cmocka_unit_test(silence),
	        cmocka_unit_test(revocation),
	        cmocka_unit_test(a_message_without_memory),
	        cmocka_unit_test(threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
