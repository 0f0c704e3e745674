/* link: see eldergate/link.h; the frames are proto/BUS.md's.
 *
 *   down --time--> greeting --WELCOME--> up --loss--> down
 *
 * Every attempt has a socket of its own: what was queued for a connection that is gone must never reach the
 * next one. Nothing is sent without credit, so the socket's queue is bounded by that. A call that was begun
 * while the link was down opens when it is up. */
#include "eldergate/link.h"

#include "base/buf.h"
#include "base/bus_frame.h"
#include "base/clock.h"
#include "common/link_poll.h"
#include "trust/crypto.h"
#include "trust/curve.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
	CREDIT = 8,
	MAX_MESSAGE = 2 << 20,
	WIRE_BYTES = 64, /* what CURVE adds to a part */
	SILENT_BEATS = 3,
	LINGER_MS = 200, /* for the last frames of a link that is closed */
	ADDRESS_MAX = 256
};
#define HEARTBEAT_US (2 * EG_SECOND)
#define GREETING_US  (10 * EG_SECOND) /* connecting, handshake and WELCOME */
#define BACKOFF_MIN  (EG_SECOND / 10)
#define BACKOFF_MAX  (5 * EG_SECOND)

enum state { DOWN, GREETING, UP };

struct eg_link_call {
	struct eg_link_call *next, *before;
	struct eg_link *link;
	uint64_t id;
	void *arg;
	unsigned credit, taken; /* of the gateway: at most on their way; taken and not yet given back */
	unsigned ours;          /* messages that we may send */
	bool opened;            /* on the present connection */
	bool over, half_closed;
	bool tell_credit, tell_lost;
	char method[EG_BUS_METHOD_MAX + 1];
};

struct eg_link {
	char address[ADDRESS_MAX];
	uint8_t server_key[EG_CURVE_SIZE];
	struct eg_curve_pair pair;
	int64_t beat;
	size_t max_message, their_max;
	unsigned most_calls;
	void *context, *socket, *events; /* socket, events: NULL when down */
	struct eg_link_poll poll;
	int socket_fd, events_fd;
	uint64_t attempts, last_id;
	enum state state;
	int64_t due;                      /* down: the next attempt; greeting: when it has failed */
	int64_t backoff, ping_due, asked; /* asked: the first PING without an answer; 0: none */
	struct eg_link_call ends;         /* of the ring of calls, by id */
	struct eg_err trouble;
	zmq_msg_t payload; /* of the last event */
	char text[EG_BUS_TEXT_MAX + 1];
};

/* ---- frames out ---- */

static void lose(struct eg_link *l, enum eg_rc rc, const char *why);

static bool send_frame(struct eg_link *l, const struct eg_bus_frame *f, const struct eg_bytes *payload)
{
	uint8_t header[EG_BUS_HEADER_MAX];
	size_t len = eg_bus_frame_write(f, header);
	bool ok = len && zmq_send(l->socket, header, len, ZMQ_DONTWAIT | (payload ? ZMQ_SNDMORE : 0)) >= 0;
	if (ok && payload)
		ok = zmq_send(l->socket, payload->p, payload->len, ZMQ_DONTWAIT) >= 0;
	if (!ok)
		lose(l, EG_UNAVAILABLE, "the connection to the gateway is gone");
	return ok;
}

static bool send_of(struct eg_link_call *c, enum eg_bus_kind kind)
{
	return send_frame(c->link, &(struct eg_bus_frame){.kind = kind, .call = c->id}, NULL);
}

static void send_open(struct eg_link_call *c)
{
	struct eg_bus_frame f = {
	        .kind = EG_BUS_OPEN, .call = c->id, .credit = c->credit, .method = eg_bytes_of(c->method)};
	if (!send_frame(c->link, &f, NULL))
		return;
	c->opened = true;
	c->ours = 1;
	if (c->half_closed)
		send_of(c, EG_BUS_HALF_CLOSE);
	else
		c->tell_credit = true;
}

/* ---- up and down ---- */

static void watch(struct eg_link *l, void *socket, int *fd)
{
	size_t size = sizeof *fd;
	if (zmq_getsockopt(socket, ZMQ_FD, fd, &size) == 0)
		eg_link_poll_add(&l->poll, *fd);
}

static void hang_up(struct eg_link *l, int linger_ms)
{
	if (l->socket) {
		eg_link_poll_drop(&l->poll, l->socket_fd);
		zmq_setsockopt(l->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
		zmq_socket_monitor(l->socket, NULL, 0);
		zmq_close(l->socket);
	}
	if (l->events) {
		eg_link_poll_drop(&l->poll, l->events_fd);
		zmq_close(l->events);
	}
	l->socket = l->events = NULL;
	l->state = DOWN;
}

static void lose(struct eg_link *l, enum eg_rc rc, const char *why)
{
	uint8_t chance;
	if (l->state == DOWN)
		return;
	eg_fail(&l->trouble, rc, "%s", why);
	hang_up(l, 0);
	for (struct eg_link_call *c = l->ends.next; c != &l->ends; c = c->next)
		if (c->opened && !c->over) {
			c->over = c->tell_lost = true;
			c->tell_credit = false;
		}
	eg_random(&chance, sizeof chance); /* adapters that lost one gateway do not come back as one */
	l->due = eg_mono_us() + l->backoff / 2 + l->backoff / 2 * chance / UINT8_MAX;
	l->backoff = l->backoff * 2 < BACKOFF_MAX ? l->backoff * 2 : BACKOFF_MAX;
}

static bool set(void *socket, int option, int value)
{
	return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_up(struct eg_link *l)
{
	int64_t limit = (int64_t)l->max_message + WIRE_BYTES;
	int beat_ms = (int)(l->beat / 1000);
	void *s = l->socket;
	return set(s, ZMQ_LINGER, 0) && set(s, ZMQ_SNDHWM, 0) && set(s, ZMQ_RECONNECT_IVL, -1) &&
	       set(s, ZMQ_IPV6, 1) && set(s, ZMQ_HANDSHAKE_IVL, GREETING_US / 1000) &&
	       set(s, ZMQ_HEARTBEAT_IVL, beat_ms) && set(s, ZMQ_HEARTBEAT_TIMEOUT, SILENT_BEATS * beat_ms) &&
	       zmq_setsockopt(s, ZMQ_MAXMSGSIZE, &limit, sizeof limit) == 0 &&
	       zmq_setsockopt(s, ZMQ_CURVE_SERVERKEY, l->server_key, sizeof l->server_key) == 0 &&
	       zmq_setsockopt(s, ZMQ_CURVE_PUBLICKEY, l->pair.public_key, sizeof l->pair.public_key) == 0 &&
	       zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, l->pair.secret, sizeof l->pair.secret) == 0;
}

static void dial(struct eg_link *l)
{
	char name[64];
	struct eg_bus_frame hello = {.kind = EG_BUS_HELLO,
	                             .first = EG_BUS_VERSION,
	                             .last = EG_BUS_VERSION,
	                             .heartbeat_ms = (uint32_t)(l->beat / 1000),
	                             .max_message = (uint32_t)l->max_message};
	snprintf(name, sizeof name, "inproc://link-%llu", (unsigned long long)l->attempts++);
	l->state = GREETING;
	l->due = eg_mono_us() + GREETING_US;
	l->asked = 0;
	l->socket = zmq_socket(l->context, ZMQ_DEALER);
	l->events = zmq_socket(l->context, ZMQ_PAIR);
	bool ok = l->socket && l->events && set_up(l) && set(l->events, ZMQ_RCVHWM, 0) &&
	          zmq_socket_monitor(l->socket, name, ZMQ_EVENT_ALL) == 0 &&
	          zmq_connect(l->events, name) == 0 && zmq_connect(l->socket, l->address) == 0;
	if (l->socket)
		watch(l, l->socket, &l->socket_fd);
	if (l->events)
		watch(l, l->events, &l->events_fd);
	if (ok)
		send_frame(l, &hello, NULL); /* leaves when the handshake is done */
	else
		lose(l, EG_UNAVAILABLE, zmq_strerror(errno));
}

static void welcome(struct eg_link *l, const struct eg_bus_frame *f)
{
	l->state = UP;
	l->backoff = BACKOFF_MIN;
	l->their_max = f->max_message;
	l->most_calls = f->max_calls;
	l->ping_due = eg_mono_us() + l->beat;
	l->trouble = (struct eg_err){0};
	for (struct eg_link_call *c = l->ends.next; c != &l->ends && l->state == UP; c = c->next)
		if (!c->over)
			send_open(c);
}

/* ---- frames in ---- */

static struct eg_link_call *find(struct eg_link *l, uint64_t id)
{
	for (struct eg_link_call *c = l->ends.next; c != &l->ends; c = c->next)
		if (c->id == id)
			return c->opened && !c->over ? c : NULL;
	return NULL;
}

/* The gateway may send as many more as were taken; told now and then, not for each. */
static void give_back(struct eg_link_call *c)
{
	struct eg_bus_frame f = {.kind = EG_BUS_CREDIT, .call = c->id, .credit = ++c->taken};
	if (c->taken * 2 < c->credit)
		return;
	c->taken = 0;
	send_frame(c->link, &f, NULL);
}

/* True: *out is an event. */
static bool take_frame(struct eg_link *l, const struct eg_bus_frame *f, struct eg_link_event *out)
{
	struct eg_link_call *c = NULL;
	memcpy(l->text, f->text.p ? (const char *)f->text.p : "", f->text.len);
	l->text[f->text.len] = 0;
	*out = (struct eg_link_event){.text = ""};
	switch (f->kind) {
	case EG_BUS_WELCOME:
		if (l->state != GREETING)
			break;
		welcome(l, f);
		return false;
	case EG_BUS_GOODBYE:
		lose(l,
		     f->code == (uint32_t)eg_rc_grpc(EG_UNAUTHENTICATED) ? EG_UNAUTHENTICATED
		                                                         : EG_UNAVAILABLE,
		     l->text);
		return false;
	case EG_BUS_PING:
		send_frame(l, &(struct eg_bus_frame){.kind = EG_BUS_PONG, .token = f->token}, NULL);
		return false;
	case EG_BUS_PONG:
		return false;
	case EG_BUS_MESSAGE:
		if (!(c = find(l, f->call)))
			return false; /* dropped meanwhile */
		out->kind = EG_LINK_MESSAGE;
		out->bytes = (struct eg_bytes){zmq_msg_data(&l->payload), zmq_msg_size(&l->payload)};
		give_back(c);
		break;
	case EG_BUS_CREDIT:
		if (!(c = find(l, f->call)))
			return false;
		c->ours += f->credit;
		c->tell_credit = true;
		return false;
	case EG_BUS_STATUS:
		if (!(c = find(l, f->call)))
			return false;
		c->over = true;
		c->tell_credit = false;
		out->kind = EG_LINK_STATUS;
		out->bytes = (struct eg_bytes){zmq_msg_data(&l->payload), zmq_msg_size(&l->payload)};
		out->code = (int)f->code;
		out->text = l->text;
		break;
	default:
		break;
	}
	if (!c) { /* of no call of ours, and nothing else that is taken above */
		lose(l, EG_UNAVAILABLE, "the gateway sent what is none of the bus's protocol");
		return false;
	}
	out->call = c;
	out->arg = c->arg;
	return true;
}

/* 1: *out is an event; 0: there is nothing; -1: something was taken that is none. */
static int take_message(struct eg_link *l, struct eg_link_event *out)
{
	zmq_msg_t header, rest;
	struct eg_bus_frame f;
	int result = -1;
	zmq_msg_close(&l->payload);
	zmq_msg_init(&l->payload);
	zmq_msg_init(&header);
	if (!l->socket || zmq_msg_recv(&header, l->socket, ZMQ_DONTWAIT) < 0) {
		zmq_msg_close(&header);
		return 0;
	}
	bool two = zmq_msg_more(&header), three = false;
	if (two) {
		zmq_msg_recv(&l->payload, l->socket, ZMQ_DONTWAIT); /* parts come together */
		three = zmq_msg_more(&l->payload);
	}
	for (bool more = three; more; more = zmq_msg_more(&rest), zmq_msg_close(&rest)) {
		zmq_msg_init(&rest);
		zmq_msg_recv(&rest, l->socket, ZMQ_DONTWAIT);
	}
	l->asked = 0;
	bool good = eg_bus_frame_read((struct eg_bytes){zmq_msg_data(&header), zmq_msg_size(&header)}, &f);
	if (!good || eg_bus_has_payload(f.kind) != two || three)
		lose(l, EG_UNAVAILABLE, "the gateway sent what is none of the bus's protocol");
	else if (take_frame(l, &f, out))
		result = 1;
	zmq_msg_close(&header);
	return result;
}

/* What happened to the connection itself. False: nothing. */
static bool take_event(struct eg_link *l)
{
	uint8_t bytes[64];
	uint16_t event;
	zmq_msg_t address;
	int n = l->events ? zmq_recv(l->events, bytes, sizeof bytes, ZMQ_DONTWAIT) : -1;
	if (n < 0)
		return false;
	zmq_msg_init(&address);
	zmq_msg_recv(&address, l->events, ZMQ_DONTWAIT);
	zmq_msg_close(&address);
	memcpy(&event, bytes, sizeof event);
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
		lose(l, EG_UNAUTHENTICATED, "the gateway does not know this key: register its public half");
	else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
	         event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
		lose(l, EG_UNAVAILABLE, "the handshake failed: is server_key the gateway's?");
	else if (event == ZMQ_EVENT_DISCONNECTED)
		lose(l, EG_UNAVAILABLE, "the connection to the gateway is gone");
	else if (event == ZMQ_EVENT_CLOSED && l->state == GREETING)
		lose(l, EG_UNAVAILABLE, "nobody answers at the gateway's address");
	return true;
}

/* ---- time ---- */

static void look_at_time(struct eg_link *l)
{
	int64_t now = eg_mono_us();
	if (l->state == DOWN && now >= l->due)
		dial(l);
	else if (l->state == GREETING && now >= l->due)
		lose(l, EG_UNAVAILABLE, "the gateway did not answer in time");
	else if (l->state == UP && l->asked && now - l->asked > SILENT_BEATS * l->beat)
		lose(l, EG_UNAVAILABLE, "nothing was heard of the gateway for three heartbeats");
	else if (l->state == UP && now >= l->ping_due) {
		l->ping_due = now + l->beat;
		if (!l->asked)
			l->asked = now;
		send_frame(l, &(struct eg_bus_frame){.kind = EG_BUS_PING, .token = (uint64_t)now}, NULL);
	}
}

static int64_t next_due(const struct eg_link *l)
{
	int64_t due = l->state == UP ? l->ping_due : l->due;
	int64_t silence = l->state == UP && l->asked ? l->asked + SILENT_BEATS * l->beat + 1 : INT64_MAX;
	return due < silence ? due : silence;
}

/* ---- the descriptor ---- */

static bool has_input(void *socket)
{
	int events = 0;
	size_t size = sizeof events;
	return socket && zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLIN;
}

static bool has_tidings(const struct eg_link *l)
{
	for (const struct eg_link_call *c = l->ends.next; c != &l->ends; c = c->next)
		if (c->tell_lost || c->tell_credit)
			return true;
	return false;
}

/* libzmq's own descriptors tell only of changes, so what is left over after a call of ours is told by
 * another. */
static void arm(struct eg_link *l)
{
	eg_link_poll_arm(&l->poll, has_tidings(l) || has_input(l->socket) || has_input(l->events),
	                 next_due(l));
}

int eg_link_fd(const struct eg_link *l)
{
	return l->poll.fd;
}

/* ---- open and close ---- */

static enum eg_rc read_options(struct eg_link *l, const struct eg_link_options *o, struct eg_err *err)
{
	size_t len = strlen(o->address);
	if (len >= sizeof l->address ||
	    (strncmp(o->address, "tcp://", 6) != 0 && strncmp(o->address, "ipc:///", 7) != 0))
		return eg_fail(err, EG_CONFIG,
		               "the gateway's address must be tcp://HOST:PORT or ipc:///PATH");
	if (!eg_curve_parse(o->server_key, l->server_key))
		return eg_fail(
		        err, EG_CONFIG,
		        "server_key must be the gateway's public key: 40 characters, as `eldergate server "
		        "key` prints it");
	memcpy(l->address, o->address, len + 1);
	l->beat = o->heartbeat_us ? o->heartbeat_us : HEARTBEAT_US;
	l->max_message = o->max_message ? o->max_message : MAX_MESSAGE;
	if (l->beat < 1000 || l->beat > 60 * EG_SECOND || l->max_message < EG_BUS_HEADER_MAX ||
	    l->max_message > UINT32_MAX)
		return eg_fail(err, EG_CONFIG, "the heartbeat or the largest message is out of bounds");
	enum eg_rc rc = eg_crypto_open(err);
	return rc ? rc : eg_curve_read(o->key_file, &l->pair, err);
}

enum eg_rc eg_link_open(struct eg_link **out, const struct eg_link_options *o, struct eg_err *err)
{
	struct eg_link *l = calloc(1, sizeof *l);
	if (!l)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a link");
	l->ends.next = l->ends.before = &l->ends;
	l->backoff = BACKOFF_MIN;
	zmq_msg_init(&l->payload);
	eg_fail(&l->trouble, EG_UNAVAILABLE, "it has not connected yet");
	enum eg_rc rc = eg_link_poll_open(&l->poll, err);
	if (!rc)
		rc = read_options(l, o, err);
	if (!rc && !(l->context = zmq_ctx_new()))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for a link");
	if (rc) {
		eg_link_close(l);
		return rc;
	}
	look_at_time(l);
	arm(l);
	*out = l;
	return EG_OK;
}

void eg_link_close(struct eg_link *l)
{
	if (!l)
		return;
	struct eg_link_call *next;
	for (struct eg_link_call *c = l->ends.next; c != &l->ends; c = next) {
		next = c->next;
		eg_link_drop(c);
	}
	if (l->state == UP)
		send_frame(l, &(struct eg_bus_frame){.kind = EG_BUS_GOODBYE}, NULL);
	hang_up(l, l->state == UP ? LINGER_MS : 0);
	zmq_msg_close(&l->payload);
	if (l->context)
		zmq_ctx_term(l->context);
	eg_link_poll_close(&l->poll);
	explicit_bzero(&l->pair, sizeof l->pair);
	free(l);
}

bool eg_link_connected(const struct eg_link *l)
{
	return l->state == UP;
}

unsigned eg_link_most_calls(const struct eg_link *l)
{
	return l->state == UP ? l->most_calls : 0;
}

enum eg_rc eg_link_trouble(const struct eg_link *l, struct eg_err *err)
{
	if (err)
		*err = l->trouble;
	return l->trouble.rc;
}

/* ---- calls ---- */

enum eg_rc eg_link_call(struct eg_link *l, const char *method, unsigned credit, void *arg,
                        struct eg_link_call **out, struct eg_err *err)
{
	size_t len = strlen(method);
	if (len < 2 || len > EG_BUS_METHOD_MAX || *method != '/' || credit > EG_BUS_CREDIT_MAX)
		return eg_fail(err, EG_INVALID, "a method is /package.Service/Method, its credit at most %d",
		               EG_BUS_CREDIT_MAX);
	struct eg_link_call *c = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a call");
	c->link = l;
	c->id = ++l->last_id;
	c->arg = arg;
	c->credit = credit ? credit : CREDIT;
	memcpy(c->method, method, len + 1);
	c->before = l->ends.before;
	c->next = &l->ends;
	c->before->next = c;
	c->next->before = c;
	if (l->state == UP) {
		send_open(c);
		c->tell_credit = false; /* the caller sees it */
	}
	arm(l);
	*out = c;
	return EG_OK;
}

unsigned eg_link_credit(const struct eg_link_call *c)
{
	return c->over || c->half_closed ? 0 : c->ours;
}

enum eg_rc eg_link_send(struct eg_link_call *c, struct eg_bytes message, struct eg_err *err)
{
	struct eg_link *l = c->link;
	struct eg_bus_frame f = {.kind = EG_BUS_MESSAGE, .call = c->id};
	if (c->over || c->half_closed)
		return eg_fail(err, EG_CLOSED, "the call is over");
	if (message.len > l->max_message || (l->state == UP && message.len > l->their_max))
		return eg_fail(err, EG_LIMIT, "a message of %zu bytes is above the bus's limit", message.len);
	if (!c->opened || !c->ours)
		return eg_fail(err, EG_BUSY, "the gateway takes no message of this call yet");
	c->ours--;
	bool sent = send_frame(l, &f, &message);
	arm(l);
	return sent ? EG_OK : eg_fail(err, EG_CLOSED, "the connection to the gateway is gone");
}

enum eg_rc eg_link_half_close(struct eg_link_call *c, struct eg_err *err)
{
	if (c->over || c->half_closed)
		return eg_fail(err, EG_CLOSED, "the call is over");
	c->half_closed = true;
	c->tell_credit = false;
	if (c->opened)
		send_of(c, EG_BUS_HALF_CLOSE);
	arm(c->link);
	return EG_OK; /* if that was lost, the call is, and is told so */
}

void eg_link_drop(struct eg_link_call *c)
{
	struct eg_link *l = c->link;
	if (c->opened && !c->over)
		send_of(c, EG_BUS_CANCEL);
	c->before->next = c->next;
	c->next->before = c->before;
	free(c);
	arm(l);
}

/* ---- events ---- */

/* What is known without looking at the socket. */
static bool next_tiding(struct eg_link *l, struct eg_link_event *out)
{
	for (struct eg_link_call *c = l->ends.next; c != &l->ends; c = c->next) {
		if (!c->tell_lost && !c->tell_credit)
			continue;
		*out = (struct eg_link_event){.kind = c->tell_lost ? EG_LINK_LOST : EG_LINK_CREDIT,
		                              .call = c,
		                              .arg = c->arg,
		                              .text = c->tell_lost ? l->trouble.text : ""};
		c->tell_lost = c->tell_credit = false;
		return true;
	}
	return false;
}

enum eg_rc eg_link_wait(struct eg_link *l, int64_t mono_deadline_us, struct eg_link_event *out,
                        struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (;;) {
		/* What came must be taken before its absence is judged. */
		int took = take_message(l, out);
		if (took > 0)
			break;
		if (took < 0 || take_event(l))
			continue;
		look_at_time(l);
		if (next_tiding(l, out))
			break;
		int64_t now = eg_mono_us(), due = next_due(l);
		if (now >= mono_deadline_us) {
			rc = EG_DEADLINE;
			break;
		}
		if (mono_deadline_us < due)
			due = mono_deadline_us;
		zmq_pollitem_t items[] = {{.socket = l->socket, .events = ZMQ_POLLIN},
		                          {.socket = l->events, .events = ZMQ_POLLIN}};
		if (zmq_poll(items, l->socket ? 2 : 0, due > now ? (long)((due - now) / 1000 + 1) : 0) < 0 &&
		    errno == EINTR) {
			rc = EG_DEADLINE; /* a signal: its owner wants to look */
			break;
		}
	}
	arm(l);
	return rc ? eg_fail(err, rc, "nothing came") : EG_OK;
}
