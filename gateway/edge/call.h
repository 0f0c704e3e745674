/* call: one call on the server's side, as services see it: messages in, messages out, a status.
 *
 *   began → (read | sent)* → closed → gone
 *
 * It came over gRPC or over the bus: the transports implement call_core.h, and services do not tell them
 * apart. A message is read only after eg_call_read, so a service that does not ask holds the sender back by
 * the transport's flow control. One send is outstanding at a time; further ones wait in line, EG_OUT_MAX at
 * most. Events come on pollers' threads and must not block; began comes first and closed last, read and sent
 * may come at once, two of a kind never. Ownership: the service holds one reference from began on, and drops
 * it with eg_call_release. The object outlives the call on the wire; what is sent then goes nowhere. Thread:
 * any. */
#ifndef EG_EDGE_CALL_H
#define EG_EDGE_CALL_H

#include "base/buf.h"
#include "eldergate/err.h"

#define EG_OUT_MAX 1024
/* Messages of one EG_BIDI call that its transport may hold for a service that does not ask: over the bus so
 * many, over gRPC one message's worth of bytes. */
#define EG_CALL_WINDOW 4

enum eg_shape { EG_UNARY, EG_SERVER_STREAM, EG_BIDI };

struct eg_call;
struct eg_message; /* received; owned by whoever got it */
struct eg_out;     /* to be sent */

struct eg_call_events {
	/* first: the request of EG_UNARY and EG_SERVER_STREAM (NULL: the caller sent none); NULL for EG_BIDI.
	 */
	void (*began)(struct eg_call *c, struct eg_message *first);
	void (*read)(struct eg_call *c, struct eg_message *m); /* NULL: the caller sends no more */
	void (*sent)(struct eg_call *c);                       /* one message has left */
	void (*closed)(struct eg_call *c);                     /* the caller is gone, or has its status */
};

struct eg_method {
	const char *path; /* "/eldergate.v1.ExchangeService/Submit" */
	enum eg_shape shape;
	const struct eg_call_events *events; /* began is required; the others may be NULL */
	const void *service;                 /* what the service knows of it */
};

const struct eg_method *eg_call_method(const struct eg_call *c);
void *eg_call_owner(const struct eg_call *c);           /* what the server was started with */
void eg_call_set_state(struct eg_call *c, void *state); /* the service's own */
void *eg_call_state(const struct eg_call *c);
int64_t eg_call_deadline(const struct eg_call *c);        /* the caller's, monotonic; INT64_MAX: none */
const char *eg_call_traceparent(const struct eg_call *c); /* W3C; "" when there is none, or no valid one */
bool eg_call_closed(struct eg_call *c);

/* Who is at the other end, as the transport knows it. */
enum eg_peer_kind { EG_PEER_UNKNOWN, EG_PEER_CERTIFICATE, EG_PEER_LOCAL, EG_PEER_CURVE };
struct eg_peer {
	enum eg_peer_kind kind;
	struct eg_buf pem; /* CERTIFICATE: the leaf; owned */
	uint32_t uid;      /* LOCAL */
	uint8_t curve[32]; /* CURVE: the public key that it proved to have */
};
void eg_call_peer(struct eg_call *c, struct eg_peer *out);
void eg_peer_free(struct eg_peer *p);

/* Asks for the next message of an EG_BIDI call; once at a time. False: the call is over, and read() will not
 * come. */
bool eg_call_read(struct eg_call *c);
/* The message's bytes, in one piece; they live as long as the message. Empty if it was compressed. */
struct eg_bytes eg_message_bytes(struct eg_message *m);
void eg_message_free(struct eg_message *m); /* NULL is fine */

struct eg_out *eg_out_new(size_t len); /* NULL: no memory */
uint8_t *eg_out_bytes(struct eg_out *o);
/* The same bytes, to be sent to another. Each is freed by itself, on any thread; none is written to any more.
 * NULL: no memory. */
struct eg_out *eg_out_again(struct eg_out *o);
void eg_out_free(struct eg_out *o);
/* Takes the message, whatever comes back. False: the call is over, or the line is full. */
bool eg_call_send(struct eg_call *c, struct eg_out *o);

/* Ends the call once what was sent before has left: google.rpc.Code, a text for people, google.rpc.Status
 * encoded (may be empty). The texts are copied. Only the first end counts. */
void eg_call_finish(struct eg_call *c, int code, const char *text, struct eg_bytes details);
void eg_call_answer(struct eg_call *c, struct eg_out *o); /* send and finish with OK, in one step */
void eg_call_hold(struct eg_call *c);                     /* a further reference */
void eg_call_release(struct eg_call *c);                  /* drops one */

#endif
