/* fuzz_bus: the bus at both of its ends, with a peer that sends what it likes.
 *
 *   1 byte: 0 a header alone; 1 the gateway's peers; 2 an adapter's link, on a libzmq made up here; then
 * steps, 1 byte each for what it is, followed by what it needs
 *
 * A header that is read is written as the same bytes. Each end sends only frames of the protocol, keeps
 * within the credit that it was given, and neither tells of a call that is over nor loses one.
 */
#include "fuzz.h"

#include "base/bus_frame.h"
#include "base/clock.h"
#include "edge/bus_peers.h"
#include "edge/call_core.h"
#include "eldergate/link.h"
#include "trust/curve.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { CALLS = 8, STEPS_MAX = 400, MESSAGE_MAX = 2048, SESSION_MAX = 64 };

/* ---- time and chance are the input's (the linker puts these in their places) ---- */

static int64_t now_us;

int64_t __wrap_eg_mono_us(void);
int64_t __wrap_eg_mono_us(void)
{
	return now_us;
}

void __wrap_eg_random(void *p, size_t len);
void __wrap_eg_random(void *p, size_t len)
{
	memset(p, 0x55, len);
}

/* ---- headers ---- */

static void frame_is_good(const struct eg_bus_frame *f)
{
	uint8_t out[EG_BUS_HEADER_MAX];
	size_t len = eg_bus_frame_write(f, out);
	struct eg_bus_frame back;
	MUST(len && len <= sizeof out);
	MUST(eg_bus_frame_read((struct eg_bytes){out, len}, &back));
	MUST(back.kind == f->kind && back.call == f->call && back.credit == f->credit);
}

static void header(struct eg_bytes in)
{
	struct eg_bus_frame f;
	uint8_t out[EG_BUS_HEADER_MAX];
	if (!eg_bus_frame_read(in, &f))
		return;
	MUST(eg_bus_frame_write(&f, out) == in.len && memcmp(out, in.p, in.len) == 0);
	MUST(eg_utf8_valid(f.text) && f.text.len <= EG_BUS_TEXT_MAX && f.method.len <= EG_BUS_METHOD_MAX);
	MUST(f.kind < EG_BUS_OPEN || f.kind > EG_BUS_CANCEL || f.call);
}

/* ---- the gateway's end ---- */

struct note {
	struct eg_message message;
	uint8_t *p;
	size_t len;
};

static unsigned notes; /* that somebody has still to free */

static struct eg_bytes note_bytes(struct eg_message *m)
{
	const struct note *n = (const struct note *)(void *)m;
	return (struct eg_bytes){n->p, n->len};
}

static void note_free(struct eg_message *m)
{
	notes--;
	free(((struct note *)(void *)m)->p);
	free(m);
}

static struct eg_message *note(struct eg_bytes b)
{
	static const struct eg_message_type type = {.bytes = note_bytes, .free = note_free};
	struct note *n = malloc(sizeof *n);
	MUST(n);
	*n = (struct note){.message.type = &type, .p = fuzz_copy(b, false), .len = b.len};
	notes++;
	return &n->message;
}

/* What a service that holds its calls knows of them. */
static struct held {
	struct eg_call *call; /* NULL: free */
	unsigned asked;       /* reads */
	bool closed, finished;
} held[SESSION_MAX];

static struct held *held_of(struct eg_call *c)
{
	for (unsigned i = 0; i < SESSION_MAX; i++)
		if (held[i].call == c)
			return &held[i];
	return NULL;
}

static void let_go(struct held *h)
{
	struct eg_call *c = h->call;
	*h = (struct held){0};
	eg_call_release(c);
}

static void held_began(struct eg_call *c, struct eg_message *first)
{
	MUST(!first);
	struct held *h = held_of(NULL);
	if (h)
		*h = (struct held){.call = c};
	else
		eg_call_release(c);
}

static void held_read(struct eg_call *c, struct eg_message *m)
{
	struct held *h = held_of(c);
	MUST(h && h->asked && !h->closed);
	h->asked--;
	eg_message_free(m);
}

static void held_sent(struct eg_call *c)
{
	const struct held *h = held_of(c);
	MUST(!h || !h->closed);
}

static void held_closed(struct eg_call *c)
{
	struct held *h = held_of(c);
	if (h) {
		MUST(!h->closed);
		h->closed = true;
	}
}

static void echo_began(struct eg_call *c, struct eg_message *first)
{
	struct eg_bytes b = first ? eg_message_bytes(first) : (struct eg_bytes){0};
	struct eg_out *o = eg_out_new(b.len);
	MUST(o);
	if (b.len)
		memcpy(eg_out_bytes(o), b.p, b.len);
	eg_message_free(first);
	eg_call_answer(c, o);
	eg_call_release(c);
}

static const struct eg_call_events holds = {
        .began = held_began, .read = held_read, .sent = held_sent, .closed = held_closed};
static const struct eg_call_events echoes = {.began = echo_began};
static const struct eg_method methods[] = {{.path = "/t/Held", .shape = EG_BIDI, .events = &holds},
                                           {.path = "/t/Echo", .shape = EG_UNARY, .events = &echoes}};

static void not_offered(struct eg_call *c)
{
	eg_call_finish(c, 12, "not offered", (struct eg_bytes){0});
}

static bool admits(void *owner, const uint8_t key[32])
{
	(void)owner;
	return key[0] != 3;
}

static void refused(void *owner, const uint8_t key[32])
{
	(void)owner;
	(void)key;
}

static void wake(void *arg)
{
	(void)arg;
}

static enum eg_bus_sent next_answer;

static enum eg_bus_sent sink(void *arg, uint32_t route, const struct eg_bus_frame *f, struct eg_out *payload)
{
	(void)arg;
	(void)route;
	frame_is_good(f);
	MUST((payload != NULL) == eg_bus_has_payload(f->kind));
	if (next_answer != EG_BUS_SENT)
		return next_answer;
	eg_out_free(payload);
	return EG_BUS_SENT;
}

static void gateway_step(struct eg_bus_peers *p, struct eg_bytes *in)
{
	unsigned step = (unsigned)fuzz_take(in, 1), which = step >> 4;
	struct held *h = &held[which % SESSION_MAX];
	switch (step & 15) {
	default: { /* a message of the peer `which` */
		struct eg_bytes head =
		        fuzz_take_bytes(in, (size_t)fuzz_take(in, 2) % (EG_BUS_HEADER_MAX + 2));
		unsigned flags = (unsigned)fuzz_take(in, 1);
		struct eg_bytes body = fuzz_take_bytes(in, flags >> 2);
		struct eg_bus_from from = {
		        .route = which, .line = (int)which, .proved = true, .key = {(uint8_t)(which % 4)}};
		uint8_t *copy = fuzz_copy(head, false);
		eg_bus_peers_take(p, &from, (struct eg_bytes){copy, head.len}, flags & 1 ? note(body) : NULL,
		                  !(flags & 2));
		free(copy);
		break;
	}
	case 8:
		now_us += (int64_t)fuzz_take(in, 1) * EG_SECOND / 4;
		eg_bus_peers_tick(p, now_us);
		break;
	case 9:
		eg_bus_peers_line_gone(p, (int)which);
		break;
	case 10:
		next_answer = (enum eg_bus_sent)(which % 3);
		break;
	case 11:
		eg_bus_peers_review(p);
		break;
	case 12: /* a service asks for more */
		if (h->call && !h->asked) {
			h->asked++;
			if (!eg_call_read(h->call))
				h->asked--;
		}
		break;
	case 13:
		if (h->call) {
			struct eg_out *o = eg_out_new((size_t)fuzz_take(in, 1));
			MUST(o);
			memset(eg_out_bytes(o), 'x', o->len);
			eg_call_send(h->call, o);
		}
		break;
	case 14:
		if (h->call)
			eg_call_finish(h->call, (int)(fuzz_take(in, 1) % 17), "the end", eg_bytes_of("why"));
		break;
	case 15:
		if (h->call && h->closed)
			let_go(h);
		break;
	}
	eg_bus_peers_work(p);
}

static void gateway(struct eg_bytes in)
{
	struct eg_bus_peers *p;
	struct eg_bus_peers_options o = {.methods = methods,
	                                 .n_methods = 2,
	                                 .not_offered = not_offered,
	                                 .admits = admits,
	                                 .refused = refused,
	                                 .heartbeat_us = EG_SECOND,
	                                 .max_message = 40,
	                                 .max_peers = 4,
	                                 .max_calls = 4,
	                                 .sink = {sink, NULL},
	                                 .wake = wake};
	next_answer = EG_BUS_SENT;
	memset(held, 0, sizeof held);
	MUST(!eg_bus_peers_new(&p, &o, NULL));
	for (unsigned n = 0; in.len && n < STEPS_MAX; n++)
		gateway_step(p, &in);
	eg_bus_peers_close(p, "the end");
	for (unsigned i = 0; i < SESSION_MAX; i++)
		if (held[i].call) {
			MUST(held[i].closed); /* no call is lost: its service is told */
			let_go(&held[i]);
		}
	eg_bus_peers_work(p);
	MUST(eg_bus_peers_wait(p, 0));
	eg_bus_peers_free(p);
	MUST(!notes);
}

/* ---- libzmq, as far as a link needs it ---- */

enum { PARTS = 5 };

/* The DEALER and the PAIR that tells of it. */
static struct {
	bool open;
	int fd;
} sockets[2];
static struct eg_bytes parts[PARTS];          /* what a socket would give next: a message, or an event */
static unsigned n_parts, next_part, parts_of; /* which socket */

struct msg {
	const uint8_t *p;
	size_t len;
	bool more;
};
_Static_assert(sizeof(struct msg) <= sizeof(zmq_msg_t), "a message fits libzmq's");

/* What the link said, on the present connection. */
static struct {
	bool up, hello;
	unsigned expect_payload;
	uint64_t opened[SESSION_MAX];
	unsigned n_opened;
} line;

static void *a_context = &sockets[0];

void *zmq_ctx_new(void)
{
	return a_context;
}
int zmq_ctx_term(void *c)
{
	(void)c;
	return 0;
}
void *zmq_socket(void *c, int type)
{
	(void)c;
	unsigned i = type == ZMQ_DEALER ? 0 : 1;
	MUST(!sockets[i].open); /* each attempt has its own, and gives it back */
	sockets[i].open = true;
	sockets[i].fd = eventfd(0, EFD_CLOEXEC);
	MUST(sockets[i].fd >= 0);
	memset(&line, 0, sizeof line);
	return &sockets[i];
}
int zmq_close(void *s)
{
	unsigned i = s == &sockets[0] ? 0 : 1;
	MUST(sockets[i].open);
	close(sockets[i].fd);
	if (parts_of == i)
		n_parts = next_part = 0;
	sockets[i].open = false;
	return 0;
}
int zmq_setsockopt(void *s, int option, const void *value, size_t len)
{
	(void)s;
	(void)option;
	(void)value;
	(void)len;
	return 0;
}
int zmq_getsockopt(void *s, int option, void *value, size_t *len)
{
	unsigned i = s == &sockets[0] ? 0 : 1;
	int v = option == ZMQ_FD ? sockets[i].fd : (parts_of == i && next_part < n_parts ? ZMQ_POLLIN : 0);
	MUST(*len == sizeof v);
	memcpy(value, &v, sizeof v);
	return 0;
}
int zmq_socket_monitor(void *s, const char *address, int events)
{
	(void)s;
	(void)address;
	(void)events;
	return 0;
}
int zmq_connect(void *s, const char *address)
{
	(void)s;
	(void)address;
	return 0;
}
const char *zmq_strerror(int number)
{
	(void)number;
	return "an error";
}
int zmq_poll(zmq_pollitem_t *items, int n, long ms)
{
	bool waits = items && n >= 0 && ms >= 0;
	MUST(!waits); /* it is never told to */
	return 0;
}

static bool was_opened(uint64_t id)
{
	for (unsigned i = 0; i < line.n_opened; i++)
		if (line.opened[i] == id)
			return true;
	return false;
}

/* A part that the link sends. */
int zmq_send(void *s, const void *p, size_t len, int flags)
{
	struct eg_bus_frame f;
	MUST(s == &sockets[0] && sockets[0].open);
	if (line.expect_payload) {
		MUST(!(flags & ZMQ_SNDMORE));
		line.expect_payload = 0;
		return (int)len;
	}
	MUST(eg_bus_frame_read((struct eg_bytes){p, len}, &f));
	MUST(eg_bus_has_payload(f.kind) == ((flags & ZMQ_SNDMORE) != 0));
	line.expect_payload = (flags & ZMQ_SNDMORE) != 0;
	MUST(f.kind == EG_BUS_HELLO ? !line.hello : line.hello);
	switch (f.kind) {
	case EG_BUS_HELLO:
		line.hello = true;
		break;
	case EG_BUS_OPEN:
		MUST(!was_opened(f.call) && line.n_opened < SESSION_MAX);
		line.opened[line.n_opened++] = f.call;
		break;
	case EG_BUS_MESSAGE:
	case EG_BUS_HALF_CLOSE:
	case EG_BUS_CREDIT:
	case EG_BUS_CANCEL:
		MUST(was_opened(f.call));
		break;
	default:
		MUST(f.kind == EG_BUS_PING || f.kind == EG_BUS_PONG || f.kind == EG_BUS_GOODBYE);
	}
	return (int)len;
}

int zmq_msg_init(zmq_msg_t *m)
{
	memset(m, 0, sizeof *m);
	return 0;
}
int zmq_msg_close(zmq_msg_t *m)
{
	(void)m;
	return 0;
}
int zmq_msg_recv(zmq_msg_t *m, void *s, int flags)
{
	struct msg *to = (struct msg *)(void *)m;
	(void)flags;
	unsigned i = s == &sockets[0] ? 0 : 1;
	if (parts_of != i || next_part == n_parts)
		return -1;
	struct eg_bytes part = parts[next_part++];
	*to = (struct msg){part.p, part.len, next_part < n_parts};
	return (int)part.len;
}
int zmq_recv(void *s, void *p, size_t len, int flags)
{
	zmq_msg_t m;
	zmq_msg_init(&m);
	if (zmq_msg_recv(&m, s, flags) < 0)
		return -1;
	const struct msg *got = (const struct msg *)(void *)&m;
	memcpy(p, got->p, got->len < len ? got->len : len);
	return (int)got->len;
}
void *zmq_msg_data(zmq_msg_t *m)
{
	return (void *)(uintptr_t)((const struct msg *)(void *)m)->p;
}
size_t zmq_msg_size(const zmq_msg_t *m)
{
	return ((const struct msg *)(const void *)m)->len;
}
int zmq_msg_more(const zmq_msg_t *m)
{
	return ((const struct msg *)(const void *)m)->more;
}

/* ---- the adapter's end ---- */

static char key_path[96], server_key[EG_CURVE_TEXT + 1];

static struct ours {
	struct eg_link_call *call; /* NULL: free */
	bool over;
	unsigned sent, credited;
} ours[CALLS];

static void drop(struct ours *o)
{
	eg_link_drop(o->call);
	*o = (struct ours){0};
}

static void take_events(struct eg_link *l)
{
	struct eg_link_event e;
	struct eg_err err = {0};
	for (;;) {
		memset(&e, 0, sizeof e);
		enum eg_rc rc = eg_link_wait(l, 0, &e, &err);
		if (rc) {
			MUST(rc == EG_DEADLINE);
			return;
		}
		struct ours *o = e.arg;
		MUST(o && o->call == e.call && !o->over);
		MUST(e.kind >= EG_LINK_MESSAGE && e.kind <= EG_LINK_LOST && e.text);
		MUST(eg_utf8_valid(eg_bytes_of(e.text)));
		if (e.kind == EG_LINK_MESSAGE || e.kind == EG_LINK_STATUS)
			MUST(eg_bytes_equal(e.bytes, parts[n_parts - 1]));
		o->over = e.kind == EG_LINK_STATUS || e.kind == EG_LINK_LOST;
		MUST(!o->over || eg_link_credit(o->call) == 0);
	}
}

static void deliver(struct eg_bytes *in, unsigned n)
{
	n_parts = next_part = 0;
	if (!sockets[0].open)
		return;
	parts_of = 0;
	for (n = n % PARTS ? n % PARTS : 1; n_parts < n;) {
		struct eg_bytes b = fuzz_take_bytes(in, (size_t)fuzz_take(in, 2) % (EG_BUS_HEADER_MAX + 2));
		parts[n_parts++] = (struct eg_bytes){fuzz_copy(b, false), b.len};
	}
}

static void forget_parts(void)
{
	for (unsigned i = 0; i < PARTS; i++)
		free((void *)(uintptr_t)parts[i].p);
	memset(parts, 0, sizeof parts);
	n_parts = next_part = 0;
}

static void link_step(struct eg_link *l, struct eg_bytes *in)
{
	unsigned step = (unsigned)fuzz_take(in, 1), which = step >> 4;
	struct ours *o = &ours[which % CALLS];
	struct eg_err err = {0};
	enum eg_rc rc;
	forget_parts();
	switch (step & 15) {
	default:
		deliver(in, which);
		break;
	case 8: {
		if (!sockets[1].open)
			break;
		uint16_t event = (uint16_t)(1u << fuzz_take(in, 1) % 16);
		uint8_t *first = calloc(1, 6);
		MUST(first);
		memcpy(first, &event, sizeof event);
		parts[0] = (struct eg_bytes){first, 6};
		parts[1] = (struct eg_bytes){fuzz_copy((struct eg_bytes){0}, true), 0};
		n_parts = 2;
		parts_of = 1;
		break;
	}
	case 9:
		now_us += (int64_t)fuzz_take(in, 1) * EG_SECOND / 4;
		break;
	case 10:
	case 11:
		if (!o->call && line.n_opened + CALLS < SESSION_MAX) {
			rc = eg_link_call(l, "/t/Held", (unsigned)fuzz_take(in, 1), o, &o->call, &err);
			MUST(!rc);
		}
		break;
	case 12:
	case 13:
		if (o->call) {
			struct eg_bytes b = fuzz_take_bytes(in, (size_t)fuzz_take(in, 1));
			unsigned credit = eg_link_credit(o->call);
			rc = eg_link_send(o->call, b, &err);
			fuzz_reason(rc, &err);
			MUST(rc || credit);
			MUST(rc || eg_link_credit(o->call) == credit - 1);
		}
		break;
	case 14:
		if (o->call) {
			rc = eg_link_half_close(o->call, &err);
			fuzz_reason(rc, &err);
			MUST(eg_link_credit(o->call) == 0);
		}
		break;
	case 15:
		if (o->call)
			drop(o);
		break;
	}
	take_events(l);
	MUST(eg_link_connected(l) == (eg_link_trouble(l, &err) == EG_OK));
}

static void adapter(struct eg_bytes in)
{
	struct eg_link *l;
	struct eg_err err = {0};
	struct eg_link_options o = {.address = "tcp://gateway:7443",
	                            .server_key = server_key,
	                            .key_file = key_path,
	                            .max_message = MESSAGE_MAX};
	memset(ours, 0, sizeof ours);
	memset(&line, 0, sizeof line);
	enum eg_rc rc = eg_link_open(&l, &o, &err);
	fuzz_reason(rc, &err);
	MUST(!rc);
	for (unsigned n = 0; in.len && n < STEPS_MAX; n++)
		link_step(l, &in);
	forget_parts();
	for (unsigned i = 0; i < CALLS; i++)
		if (ours[i].call)
			drop(&ours[i]);
	eg_link_close(l);
	MUST(!sockets[0].open && !sockets[1].open);
}

/* ---- */

void fuzz_start(void)
{
	struct eg_curve_pair pair;
	struct eg_err err = {0};
	snprintf(key_path, sizeof key_path, "%s/own.key", fuzz_dir());
	MUST(!eg_curve_open(key_path, &pair, &err));
	eg_curve_text(pair.public_key, server_key);
}

void fuzz_one(struct eg_bytes in)
{
	unsigned end = (unsigned)fuzz_take(&in, 1) % 3;
	now_us = 1000 * EG_SECOND;
	if (end == 0)
		header(in);
	else if (end == 1)
		gateway(in);
	else
		adapter(in);
}

/* ---- seeds: what a good peer says, as steps ---- */

static struct eg_buf seed;

static void add_frame(struct eg_bus_frame f)
{
	uint8_t out[EG_BUS_HEADER_MAX];
	size_t len = eg_bus_frame_write(&f, out);
	MUST(len);
	eg_buf_add_be(&seed, len, 2);
	eg_buf_add(&seed, out, len);
}

static void begin(unsigned end)
{
	eg_buf_reset(&seed);
	eg_buf_add_u8(&seed, (uint8_t)end);
}

static void give(void)
{
	fuzz_seed(eg_buf_bytes(&seed));
}

/* To the gateway, of the peer `who`. */
static void say(unsigned who, struct eg_bus_frame f, const char *payload)
{
	eg_buf_add_u8(&seed, (uint8_t)(who << 4));
	add_frame(f);
	eg_buf_add_u8(&seed, payload ? (uint8_t)(strlen(payload) << 2 | 1) : 0);
	eg_buf_add(&seed, payload ? payload : "", payload ? strlen(payload) : 0);
}

/* To the adapter. */
static void tell(struct eg_bus_frame f, const char *payload)
{
	eg_buf_add_u8(&seed, payload ? 2 << 4 : 1 << 4);
	add_frame(f);
	if (payload) {
		eg_buf_add_be(&seed, strlen(payload), 2);
		eg_buf_add(&seed, payload, strlen(payload));
	}
}

static void step(unsigned which, unsigned what, int argument)
{
	eg_buf_add_u8(&seed, (uint8_t)(which << 4 | what));
	if (argument >= 0)
		eg_buf_add_u8(&seed, (uint8_t)argument);
}

static struct eg_bus_frame of(enum eg_bus_kind kind, uint64_t call)
{
	return (struct eg_bus_frame){.kind = kind, .call = call};
}

static void gateway_seeds(struct eg_bus_frame hello)
{
	struct eg_bus_frame open = {
	        .kind = EG_BUS_OPEN, .call = 1, .credit = 2, .method = eg_bytes_of("/t/Held")};
	begin(1);
	say(1, hello, NULL);
	say(1, open, NULL);
	say(1, of(EG_BUS_MESSAGE, 1), "one");
	step(0, 12, -1);
	step(0, 13, 9);
	step(0, 13, 9);
	say(1, (struct eg_bus_frame){.kind = EG_BUS_CREDIT, .call = 1, .credit = 1}, NULL);
	say(1, of(EG_BUS_HALF_CLOSE, 1), NULL);
	step(0, 14, 0);
	step(0, 15, -1);
	say(1, of(EG_BUS_GOODBYE, 0), NULL);
	give();
	begin(1);
	open.method = eg_bytes_of("/t/Echo");
	say(2, hello, NULL);
	say(2, open, NULL);
	step(1, 10, -1);
	say(2, of(EG_BUS_MESSAGE, 1), "echo");
	step(0, 10, -1);
	step(0, 8, 1);
	open.call = 2;
	open.method = eg_bytes_of("/t/Nothing");
	say(2, open, NULL);
	say(2, (struct eg_bus_frame){.kind = EG_BUS_PING, .token = 7}, NULL);
	say(2, of(EG_BUS_CANCEL, 2), NULL);
	step(2, 9, -1);
	give();
	begin(1);
	say(3, hello, NULL);
	say(0, hello, NULL);
	step(0, 11, -1);
	step(0, 8, 255);
	give();
}

static void adapter_seeds(struct eg_bus_frame welcome)
{
	begin(2);
	step(0, 10, 4);
	tell(welcome, NULL);
	tell((struct eg_bus_frame){.kind = EG_BUS_CREDIT, .call = 1, .credit = 3}, NULL);
	step(0, 12, 3);
	eg_buf_add(&seed, "abc", 3);
	tell(of(EG_BUS_MESSAGE, 1), "an answer");
	tell((struct eg_bus_frame){.kind = EG_BUS_PING, .token = 7}, NULL);
	step(0, 14, -1);
	tell((struct eg_bus_frame){.kind = EG_BUS_STATUS, .call = 1, .code = 5, .text = eg_bytes_of("no")},
	     "details");
	step(0, 15, -1);
	give();
	begin(2);
	tell(welcome, NULL);
	step(1, 10, 0);
	step(0, 9, 8);
	tell((struct eg_bus_frame){.kind = EG_BUS_PONG, .token = 1}, NULL);
	step(0, 9, 255);
	step(0, 9, 255);
	step(2, 10, 1);
	tell(welcome, NULL);
	tell((struct eg_bus_frame){.kind = EG_BUS_GOODBYE, .code = 16, .text = eg_bytes_of("who?")}, NULL);
	step(0, 8, 9);
	give();
}

void fuzz_seeds(void)
{
	struct eg_bus_frame greeting = {.kind = EG_BUS_HELLO,
	                                .first = 1,
	                                .last = 1,
	                                .heartbeat_ms = 1000,
	                                .max_message = 30,
	                                .max_calls = 4};
	gateway_seeds(greeting);
	greeting.kind = EG_BUS_WELCOME;
	adapter_seeds(greeting);
	for (unsigned kind = EG_BUS_HELLO; kind <= EG_BUS_GOODBYE; kind++) {
		struct eg_bus_frame f = greeting;
		uint8_t out[EG_BUS_HEADER_MAX];
		f.kind = (enum eg_bus_kind)kind;
		f.call = f.token = 7;
		f.credit = 9;
		f.method = eg_bytes_of("/eldergate.v1.ExchangeService/Submit");
		f.traceparent = eg_bytes_of("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
		f.text = eg_bytes_of("没有");
		size_t len = eg_bus_frame_write(&f, out);
		MUST(len);
		begin(0);
		eg_buf_add(&seed, out, len);
		give();
	}
	eg_buf_free(&seed);
}
