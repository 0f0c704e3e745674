/* bus: see bus.h. The sockets and threads; what frames mean is bus_peers'. */
#include "edge/bus.h"

#include "edge/bus_lines.h"
#include "edge/bus_peers.h"
#include "edge/bus_refused.h"
#include "edge/call_core.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/pulse.h"
#include "base/thread.h"
#include "trust/curve.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

enum {
	PIPE_MESSAGES = 64, /* that libzmq keeps for one peer, each way */
	WIRE_BYTES = 64,    /* what CURVE adds to a part */
	HANDSHAKES = 256,   /* connections beyond max_peers that have not said anything yet */
	TURN = 256,         /* messages taken before the other work gets its turn */
	LOOK_US = 100000,   /* how often connections are looked at */
	LINGER_MS = 500,    /* what is on its way when the bus stops */
	SOCKET_MODE = 0660, /* who may connect locally; who it is decides what they may do */
	ROUTE_BYTES = 5     /* of routes that libzmq itself gives: a zero and a number */
};
#define HOARD_BYTES ((size_t)1 << 20) /* of a peer, besides four messages */
#define ZAP_DOMAIN  "eldergate"
/* Nobody is let in when the ZAP thread is not there to be asked. The header hides it as a draft; the library
 * has had it since 4.3.0. */
#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

struct eg_bus {
	struct eg_bus_options o;
	void *context, *router, *events, *zap;
	struct eg_bus_peers *peers;
	struct eg_bus_lines *lines;
	struct eg_thread *thread, *zap_thread;
	struct eg_pulse pulse;
	const char *failed; /* what the event before said of a connection that ends now; the thread's */
	int wake;
	atomic_bool stopping, reviewing;
};

static enum eg_rc zmq_fail(struct eg_err *err, const char *what, const char *of)
{
	return eg_fail(err, errno == EADDRINUSE || errno == EINVAL ? EG_CONFIG : EG_IO,
	               "listen.bus: %s %s: %s", what, of, zmq_strerror(errno));
}

static void wake(void *arg)
{
	const struct eg_bus *b = arg;
	uint64_t one = 1;
	if (write(b->wake, &one, sizeof one) != (ssize_t)sizeof one)
		eg_log(EG_LOG_ERROR, "bus.wake_failed", EG_T("why", strerror(errno)));
}

/* ---- who is let in: RFC 27 (ZAP) ---- */

struct zap_request {
	char id[256];
	size_t id_len;
	char address[EG_BUS_ADDRESS_SIZE];
	uint8_t key[EG_CURVE_SIZE];
	bool good;
};

/* Parts: version, request id, domain, address, identity, mechanism, credentials. */
static bool zap_read(void *socket, struct zap_request *r)
{
	char part[256];
	int more = 1;
	size_t size = sizeof more;
	*r = (struct zap_request){.good = true};
	for (unsigned i = 0; more; i++) {
		int n = zmq_recv(socket, part, sizeof part, 0);
		if (n < 0)
			return false;
		size_t len = (size_t)n;
		bool fits = len <= sizeof part;
		if (i == 1 && fits) {
			memcpy(r->id, part, len);
			r->id_len = len;
		}
		if (i == 3 && len < sizeof r->address)
			memcpy(r->address, part, len); /* libzmq's own text */
		if (i == 6 && len == sizeof r->key)
			memcpy(r->key, part, len);
		r->good &= fits && (i != 0 || (len == 3 && !memcmp(part, "1.0", 3))) &&
		           (i != 5 || (len == 5 && !memcmp(part, "CURVE", 5))) &&
		           (i != 6 || len == sizeof r->key) && i <= 6;
		if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0)
			return false;
		if (!more)
			r->good &= i == 6;
	}
	return true;
}

static void zap_run(void *arg)
{
	struct eg_bus *b = arg;
	struct zap_request r;
	while (zap_read(b->zap, &r)) {
		char user[EG_CURVE_TEXT + 1] = "";
		bool in = r.good && b->o.admits(b->o.owner, r.key);
		if (in)
			eg_curve_text(r.key, user);
		else
			eg_bus_refused(EG_BUS_UNKNOWN_KEY, "this key is not registered", r.address, r.key);
		zmq_send(b->zap, "1.0", 3, ZMQ_SNDMORE);
		zmq_send(b->zap, r.id, r.id_len, ZMQ_SNDMORE);
		zmq_send(b->zap, in ? "200" : "400", 3, ZMQ_SNDMORE);
		zmq_send(b->zap, in ? "OK" : "unknown key", in ? 2 : 11, ZMQ_SNDMORE);
		zmq_send(b->zap, user, strlen(user), ZMQ_SNDMORE); /* comes back with every message */
		zmq_send(b->zap, "", 0, 0);
	}
	zmq_close(b->zap); /* the context is shut down */
}

/* ---- messages ---- */

struct message {
	struct eg_message message; /* first */
	zmq_msg_t part;
};

static struct eg_bytes message_bytes(struct eg_message *m)
{
	zmq_msg_t *part = &((struct message *)m)->part;
	return (struct eg_bytes){zmq_msg_data(part), zmq_msg_size(part)};
}

static void message_free(struct eg_message *m)
{
	zmq_msg_close(&((struct message *)m)->part);
	free(m);
}

static const struct eg_message_type message_type = {.bytes = message_bytes, .free = message_free};

static void free_out(void *data, void *out)
{
	(void)data;
	eg_out_free(out);
}

static enum eg_bus_sent send_frame(void *arg, uint32_t route, const struct eg_bus_frame *f,
                                   struct eg_out *payload)
{
	const struct eg_bus *b = arg;
	uint8_t to[ROUTE_BYTES] = {0}, header[EG_BUS_HEADER_MAX];
	size_t len = eg_bus_frame_write(f, header);
	zmq_msg_t part;
	if (!len) {
		eg_log(EG_LOG_ERROR, "bus.frame_not_written", EG_I("kind", f->kind));
		return EG_BUS_GONE;
	}
	memcpy(to + 1, &route, sizeof route);
	if (zmq_send(b->router, to, sizeof to, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
		return errno == EAGAIN ? EG_BUS_FULL : EG_BUS_GONE;
	/* From here on the ROUTER has chosen where to, and takes the rest. */
	zmq_send(b->router, header, len, payload ? ZMQ_SNDMORE : 0);
	if (payload) {
		zmq_msg_init_data(&part, payload->bytes, payload->len, free_out, payload);
		if (zmq_msg_send(&part, b->router, 0) < 0)
			zmq_msg_close(&part);
	}
	return EG_BUS_SENT;
}

/* Why a connection ends that the next event is the end of: libzmq's one thread tells both at once. Of bytes
 * that are no handshake at all it tells the end alone. */
static const char *why_failed(uint16_t event, uint32_t value)
{
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
		return value == EAGAIN ? "the handshake took too long" : "the peer left in the handshake";
	if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
		return value == ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC
		               ? "made for another server_key than the gateway's"
		       : value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? "a handshake without CURVE"
		                                                             : "a malformed handshake";
	return "bytes that are no handshake";
}

/* Of connections: event and descriptor (or what else it says) in one part, the address in another. */
static bool take_event(struct eg_bus *b)
{
	uint8_t bytes[64];
	uint16_t event;
	uint32_t value;
	int32_t fd;
	int n = zmq_recv(b->events, bytes, sizeof bytes, ZMQ_DONTWAIT);
	if (n < 0)
		return false;
	zmq_msg_t address;
	zmq_msg_init(&address);
	zmq_msg_recv(&address, b->events, ZMQ_DONTWAIT);
	zmq_msg_close(&address);
	if (n != 6)
		return true;
	memcpy(&event, bytes, sizeof event);
	memcpy(&fd, bytes + 2, sizeof fd);
	memcpy(&value, bytes + 2, sizeof value);
	if (event == ZMQ_EVENT_ACCEPTED)
		eg_bus_lines_accepted(b->lines, fd);
	if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED || event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
		eg_bus_lines_shook(b->lines);
	if (event == ZMQ_EVENT_DISCONNECTED) {
		eg_bus_lines_gone(b->lines, fd, b->failed);
		eg_bus_peers_line_gone(b->peers, fd);
	}
	b->failed = why_failed(event, value);
	return true;
}

/* Who sent it. False: nobody whom the handshake let in, or one that chose its route: it could take one over
 * that was somebody else's. */
static bool take_sender(zmq_msg_t *route, zmq_msg_t *header, struct eg_bus_from *from)
{
	const char *user = zmq_msg_gets(header, "User-Id");
	const char *address = zmq_msg_gets(header, "Peer-Address");
	const uint8_t *bytes = zmq_msg_data(route);
	*from = (struct eg_bus_from){.line = zmq_msg_get(header, ZMQ_SRCFD)};
	snprintf(from->address, sizeof from->address, "%s",
	         address ? address : ""); /* local: "...:uid:gid:pid" */
	if (!user || !eg_curve_parse(user, from->key))
		return false;
	from->proved = true;
	if (zmq_msg_size(route) != ROUTE_BYTES || bytes[0])
		return false;
	memcpy(&from->route, bytes + 1, sizeof from->route);
	return true;
}

/* The parts of one message. False: there is none. */
static bool take_message(struct eg_bus *b)
{
	zmq_msg_t parts[4]; /* route, header, payload, whatever is too much */
	unsigned n = 0;
	bool more = true;
	for (unsigned i = 0; i < 4; i++)
		zmq_msg_init(&parts[i]);
	for (; more; n++) {
		zmq_msg_t *part = &parts[n < 3 ? n : 3];
		if (zmq_msg_recv(part, b->router, ZMQ_DONTWAIT) < 0)
			break;
		more = zmq_msg_more(part);
	}
	struct eg_bus_from from = {0};
	while (n && take_event(b))
		; /* the end of its handshake was told before it */
	if (n > 1 && take_sender(&parts[0], &parts[1], &from)) {
		struct message *m = n > 2 ? malloc(sizeof *m) : NULL;
		if (m) {
			m->message.type = &message_type;
			zmq_msg_init(&m->part);
			zmq_msg_move(&m->part, &parts[2]);
		}
		bool greeted = false;
		if (n > 2 && !m)
			eg_bus_peers_lost(b->peers, &from);
		else
			greeted = eg_bus_peers_take(
			        b->peers, &from,
			        (struct eg_bytes){zmq_msg_data(&parts[1]), zmq_msg_size(&parts[1])},
			        m ? &m->message : NULL, n <= 3);
		eg_bus_lines_spoke(b->lines, from.line, greeted);
	} else if (n) {
		eg_bus_refused(EG_BUS_MALFORMED, "a message of one part, or under a route of its own",
		               from.address, from.proved ? from.key : NULL);
	}
	for (unsigned i = 0; i < 4; i++)
		zmq_msg_close(&parts[i]);
	return n > 0;
}

/* ---- the bus's thread ---- */

static void look(struct eg_bus *b, int64_t *due, int64_t *look_due)
{
	int64_t now = eg_mono_us();
	if (now >= *due)
		*due = eg_bus_peers_tick(b->peers, now);
	if (now >= *look_due) {
		eg_bus_lines_look(b->lines);
		*look_due = now + LOOK_US;
	}
}

static void run(void *arg)
{
	struct eg_bus *b = arg;
	zmq_pollitem_t items[] = {{.socket = b->router, .events = ZMQ_POLLIN},
	                          {.socket = b->events, .events = ZMQ_POLLIN},
	                          {.fd = b->wake, .events = ZMQ_POLLIN}};
	int64_t due = 0, look_due = 0;
	eg_pulse_begin(&b->pulse, "edge-bus");
	while (!atomic_load(&b->stopping)) {
		eg_pulse_turn(&b->pulse);
		look(b, &due, &look_due);
		int64_t wait = (due < look_due ? due : look_due) - eg_mono_us();
		zmq_poll(items, 3, wait > 0 ? (long)(wait / 1000 + 1) : 0);
		uint64_t count;
		if (items[2].revents && read(b->wake, &count, sizeof count) < 0 && errno != EAGAIN)
			eg_log(EG_LOG_ERROR, "bus.wake_failed", EG_T("why", strerror(errno)));
		while (take_event(b))
			;
		if (atomic_exchange(&b->reviewing, false))
			eg_bus_peers_review(b->peers);
		bool some = true;
		for (unsigned i = 0; some && i < TURN; i++)
			some = take_message(b);
		eg_bus_peers_work(b->peers);
		int64_t soon = eg_mono_us() + EG_BUS_RETRY_US;
		if (eg_bus_peers_hurry(b->peers) && due > soon)
			due = soon;
	}
	eg_pulse_end(&b->pulse);
	eg_bus_peers_close(b->peers, "the gateway is shutting down");
	zmq_socket_monitor(b->router, NULL, 0);
	zmq_close(b->events);
	zmq_close(b->router);
}

/* ---- start ---- */

static enum eg_rc set(struct eg_bus *b, int option, int64_t value, struct eg_err *err)
{
	int number = value > INT32_MAX ? INT32_MAX : (int)value;
	return zmq_setsockopt(b->router, option, &number, sizeof number) == 0
	               ? EG_OK
	               : zmq_fail(err, "setting up", "the socket");
}

static enum eg_rc make_router(struct eg_bus *b, const struct eg_curve_pair *pair, struct eg_err *err)
{
	const struct eg_bus_options *o = &b->o;
	int64_t part = (int64_t)(o->max_message > EG_BUS_HEADER_MAX ? o->max_message : EG_BUS_HEADER_MAX);
	const struct {
		int option;
		int64_t value;
	} numbers[] = {
	        {ZMQ_CURVE_SERVER, 1},
	        {ZMQ_ZAP_ENFORCE_DOMAIN, 1},
	        {ZMQ_ROUTER_MANDATORY, 1}, /* sending says when a peer is gone, or takes nothing */
	        {ZMQ_SNDHWM, PIPE_MESSAGES},
	        {ZMQ_RCVHWM, PIPE_MESSAGES},
	        {ZMQ_HANDSHAKE_IVL, o->handshake_us / 1000},
	        {ZMQ_HEARTBEAT_IVL, o->heartbeat_us / 1000},
	        {ZMQ_HEARTBEAT_TIMEOUT, 3 * o->heartbeat_us / 1000},
	        {ZMQ_LINGER, LINGER_MS},
	};
	int64_t limit = part + WIRE_BYTES;
	enum eg_rc rc = EG_OK;
	b->router = zmq_socket(b->context, ZMQ_ROUTER);
	if (!b->router)
		return zmq_fail(err, "opening", "the socket");
	for (unsigned i = 0; i < sizeof numbers / sizeof *numbers && !rc; i++)
		rc = set(b, numbers[i].option, numbers[i].value, err);
	if (!rc && (zmq_setsockopt(b->router, ZMQ_MAXMSGSIZE, &limit, sizeof limit) != 0 ||
	            zmq_setsockopt(b->router, ZMQ_CURVE_SECRETKEY, pair->secret, sizeof pair->secret) != 0 ||
	            zmq_setsockopt(b->router, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, sizeof ZAP_DOMAIN - 1) != 0))
		rc = zmq_fail(err, "setting up", "the socket");
	return rc;
}

static enum eg_rc make_events(struct eg_bus *b, struct eg_err *err)
{
	int forever = 0;
	b->events = zmq_socket(b->context, ZMQ_PAIR);
	/* libzmq's threads must never wait for us to take an event. */
	if (!b->events || zmq_setsockopt(b->events, ZMQ_RCVHWM, &forever, sizeof forever) != 0 ||
	    zmq_socket_monitor(b->router, "inproc://bus-events",
	                       ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
	                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
	                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
	                               ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) != 0 ||
	    zmq_connect(b->events, "inproc://bus-events") != 0)
		return zmq_fail(err, "watching", "the socket");
	return EG_OK;
}

static enum eg_rc bind_one(struct eg_bus *b, const char *address, const char *key, struct eg_err *err)
{
	char endpoint[256];
	size_t size = sizeof endpoint;
	if (strncmp(address, "tcp://", 6) != 0 && strncmp(address, "ipc:///", 7) != 0)
		return eg_fail(
		        err, EG_CONFIG,
		        "listen.bus: '%.80s' must be tcp://HOST:PORT or ipc:///PATH; several with commas",
		        address);
	enum eg_rc rc = set(b, ZMQ_IPV6, strchr(address, '[') != NULL, err);
	if (rc)
		return rc;
	if (zmq_bind(b->router, address) != 0)
		return zmq_fail(err, "cannot listen on", address);
	if (zmq_getsockopt(b->router, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
		return zmq_fail(err, "asking for", "the address");
	if (strncmp(address, "ipc://", 6) == 0 && chmod(address + 6, SOCKET_MODE) != 0)
		return eg_fail_errno(err, "listen.bus: %s", address);
	eg_log(EG_LOG_INFO, "bus.listening", EG_T("address", endpoint), EG_T("server_key", key));
	return eg_bus_lines_listens(b->lines, endpoint, err);
}

static enum eg_rc bind_all(struct eg_bus *b, const struct eg_curve_pair *pair, struct eg_err *err)
{
	char address[256], key[EG_CURVE_TEXT + 1];
	enum eg_rc rc = EG_OK;
	eg_curve_text(pair->public_key, key);
	for (const char *at = b->o.addresses; *at && !rc;) {
		size_t len = strcspn(at, ",");
		snprintf(address, sizeof address, "%.*s", (int)len, at);
		rc = bind_one(b, address, key, err);
		at += len + (at[len] == ',');
	}
	return rc;
}

static enum eg_rc make_zap(struct eg_bus *b, struct eg_err *err)
{
	b->zap = zmq_socket(b->context, ZMQ_REP);
	if (!b->zap || zmq_bind(b->zap, "inproc://zeromq.zap.01") != 0)
		return zmq_fail(err, "opening", "the door");
	return EG_OK;
}

enum eg_rc eg_bus_start(struct eg_bus **out, const struct eg_bus_options *o, struct eg_err *err)
{
	struct eg_curve_pair pair = {0};
	struct eg_bus *b = calloc(1, sizeof *b);
	if (!b)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the bus");
	b->o = *o;
	b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	b->context = zmq_ctx_new();
	b->lines = eg_bus_lines_new(o->max_peers + HANDSHAKES, 4 * o->max_message + HOARD_BYTES);
	struct eg_bus_peers_options p = {
	        .methods = o->methods,
	        .n_methods = o->n_methods,
	        .owner = o->owner,
	        .not_offered = o->not_offered,
	        .admits = o->admits,
	        .refused = o->refused,
	        .heartbeat_us = o->heartbeat_us,
	        .max_message = o->max_message,
	        .max_peers = o->max_peers,
	        .max_calls = o->max_calls,
	        .sink = {send_frame, b},
	        .wake = wake,
	        .wake_arg = b,
	};
	enum eg_rc rc = b->wake >= 0 && b->context && b->lines
	                        ? EG_OK
	                        : eg_fail(err, EG_NO_MEMORY, "no memory or no descriptor for the bus");
	if (!rc)
		rc = eg_curve_open(o->key_file, &pair, err);
	if (!rc)
		rc = eg_bus_peers_new(&b->peers, &p, err);
	if (!rc)
		rc = make_zap(b, err);
	if (!rc)
		rc = eg_thread_start(&b->zap_thread, "edge-bus-zap", zap_run, b, err);
	if (!rc)
		rc = make_router(b, &pair, err);
	if (!rc)
		rc = make_events(b, err);
	if (!rc)
		rc = bind_all(b, &pair, err);
	explicit_bzero(&pair, sizeof pair);
	if (!rc)
		rc = eg_thread_start(&b->thread, "edge-bus", run, b, err);
	if (rc) {
		eg_bus_stop(b);
		eg_bus_free(b);
		return rc;
	}
	*out = b;
	return EG_OK;
}

void eg_bus_review(struct eg_bus *b)
{
	atomic_store(&b->reviewing, true);
	wake(b);
}

/* ---- stop ---- */

void eg_bus_wait(struct eg_bus *b, int64_t mono_deadline_us)
{
	if (b && b->thread)
		eg_bus_peers_wait(b->peers, mono_deadline_us);
}

void eg_bus_stop(struct eg_bus *b)
{
	if (!b)
		return;
	if (b->thread) {
		atomic_store(&b->stopping, true);
		wake(b);
		eg_thread_join(b->thread); /* it has closed its sockets */
	} else {
		if (b->events)
			zmq_close(b->events);
		if (b->router)
			zmq_close(b->router);
	}
	b->thread = NULL;
	b->events = b->router = NULL;
	if (b->context)
		zmq_ctx_shutdown(b->context); /* ends the zap thread */
	if (!b->zap_thread && b->zap)
		zmq_close(b->zap);
	eg_thread_join(b->zap_thread);
	b->zap_thread = NULL;
	b->zap = NULL;
}

void eg_bus_free(struct eg_bus *b)
{
	if (!b)
		return;
	if (b->context)
		zmq_ctx_term(b->context); /* after the last message that a service held */
	eg_bus_peers_free(b->peers);
	eg_bus_lines_free(b->lines);
	if (b->wake >= 0)
		close(b->wake);
	free(b);
}
