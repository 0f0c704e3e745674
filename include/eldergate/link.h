/* link: one connection of an adapter to the gateway's bus; it carries calls of the gateway's services.
 *
 * A call is begun by a method's path ("/eldergate.v1.ExchangeService/Submit"), as in gRPC, and its messages
 * are the encoded protobuf messages of that method: proto/README.md. Unary and streaming methods work alike:
 * send the request, half-close, wait for messages, then for the status.
 *
 *   call:  open --message or credit--> open --status or lost--> over   (then only eg_link_drop)
 *
 * Flow: a message may be sent only on credit, which the gateway gives as it can take more; in the other
 * direction the link gives credit as events are taken from it. Whoever is cut off finds every open call LOST:
 * begin it anew and send again whatever has no receipt; repeating is always safe. The link itself connects
 * again by itself, for ever; a call that is begun meanwhile opens when the link is up. It does all its work
 * in its functions: eg_link_wait must be called more often than every third heartbeat, else the gateway takes
 * the adapter for dead and its calls are lost. Identity: the CURVE key in key_file; the gateway's policy pins
 * its public half. Thread: one, which owns the link and its calls. */
#ifndef ELDERGATE_LINK_H
#define ELDERGATE_LINK_H

#include "eldergate/bytes.h"
#include "eldergate/err.h"

struct eg_link;
struct eg_link_call;

struct eg_link_options {
	const char *address;    /* "tcp://host:port" or "ipc:///path" */
	const char *server_key; /* the gateway's public CURVE key, Z85, 40 characters */
	const char *key_file;   /* own key pair: two lines of Z85, public then secret; mode 0600 */
	int64_t heartbeat_us;   /* 0: 2 s, at most 60 s. After three without a sign of life either side counts
	                           as lost */
	size_t max_message;     /* 0: 2 MiB; either way */
};

/* EG_CONFIG: an address or key that is none; EG_NOT_FOUND, EG_DENIED: the key file. Does not wait to connect.
 */
enum eg_rc eg_link_open(struct eg_link **out, const struct eg_link_options *o, struct eg_err *err);
void eg_link_close(struct eg_link *l); /* drops every call; NULL is fine */
bool eg_link_connected(const struct eg_link *l);
/* How many calls the gateway lets be open at once; one more is refused. 0: it is not connected. */
unsigned eg_link_most_calls(const struct eg_link *l);
/* EG_OK: it is connected. Otherwise why not, for people: EG_UNAUTHENTICATED: the gateway does not know our
 * key; EG_UNAVAILABLE: it cannot be reached, or is not the one with server_key. It goes on trying. */
enum eg_rc eg_link_trouble(const struct eg_link *l, struct eg_err *err);
/* A descriptor that is readable when eg_link_wait may have something, for a loop with other sources. Then
 * call eg_link_wait with deadline 0 until it returns EG_DEADLINE. */
int eg_link_fd(const struct eg_link *l);

/* Begins a call. credit: how many messages may be on their way to us at once; 0: 8. arg: the caller's own,
 * given back with each event. */
enum eg_rc eg_link_call(struct eg_link *l, const char *method, unsigned credit, void *arg,
                        struct eg_link_call **out, struct eg_err *err);
unsigned eg_link_credit(const struct eg_link_call *c); /* messages that may be sent now */
/* EG_BUSY: no credit, wait for EG_LINK_CREDIT; EG_LIMIT: larger than max_message; EG_CLOSED: the call is
 * over. The message is copied. */
enum eg_rc eg_link_send(struct eg_link_call *c, struct eg_bytes message, struct eg_err *err);
enum eg_rc eg_link_half_close(struct eg_link_call *c, struct eg_err *err);
void eg_link_drop(struct eg_link_call *c); /* cancels it if it is open; frees it */

enum eg_link_event_kind {
	EG_LINK_MESSAGE = 1, /* bytes: the message */
	EG_LINK_CREDIT = 2,  /* more may be sent */
	EG_LINK_STATUS = 3,  /* the call is over: code, text, bytes: google.rpc.Status encoded or empty */
	EG_LINK_LOST = 4     /* the gateway or the way to it is gone; the call is over, its outcome unknown */
};
struct eg_link_event {
	enum eg_link_event_kind kind;
	struct eg_link_call *call;
	void *arg;
	struct eg_bytes bytes; /* valid until the next eg_link_wait */
	int code;              /* google.rpc.Code */
	const char *text;
};
/* The next event of any call. EG_DEADLINE: none came by then (mono_deadline_us on CLOCK_MONOTONIC; 0: don't
 * wait), or a signal interrupted the waiting. */
enum eg_rc eg_link_wait(struct eg_link *l, int64_t mono_deadline_us, struct eg_link_event *out,
                        struct eg_err *err);

#endif
