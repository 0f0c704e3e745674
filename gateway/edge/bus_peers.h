/* bus_peers: the peers of the bus and their calls: what each frame means (proto/BUS.md).
 *
 *   (unknown) --HELLO--> greeted --silence, GOODBYE, a fault, revoked--> (unknown)
 *
 * No socket is seen here: frames come in by take, leave by the sink. A peer is a connection's route, bound to
 * the CURVE key that the connection proved; whatever comes from a route that was not greeted is answered with
 * GOODBYE, so that the other side knows at once that its calls are lost. Bounded: peers, peers of one key,
 * calls of a peer, messages of a call. Thread: the bus's, but for wait. */
#ifndef EG_EDGE_BUS_PEERS_H
#define EG_EDGE_BUS_PEERS_H

#include "edge/bus_call.h"
#include "edge/bus_refused.h"

struct eg_bus_peers;

#define EG_BUS_RETRY_US     5000 /* libzmq does not tell when one peer of many takes messages again */
#define EG_BUS_PEERS_OF_KEY 8    /* an adapter that comes back before its old connection was noticed dead */

/* Whom a message is from. */
struct eg_bus_from {
	uint32_t route;
	int line; /* the descriptor of its connection */
	bool proved;
	uint8_t key[32]; /* that it proved to have */
	char address[EG_BUS_ADDRESS_SIZE];
};

struct eg_bus_peers_options {
	const struct eg_method *methods; /* must outlive the peers */
	unsigned n_methods;
	void *owner; /* eg_call_owner */
	void (*not_offered)(struct eg_call *c);
	bool (*admits)(void *owner, const uint8_t key[32]); /* under the policy in force */
	/* A greeted peer broke the protocol; counted already. */
	void (*refused)(void *owner, const uint8_t key[32]);
	int64_t heartbeat_us;
	size_t max_message;
	unsigned max_peers, max_calls;
	struct eg_bus_sink sink;
	void (*wake)(void *arg); /* work has something to do; any thread */
	void *wake_arg;
};

enum eg_rc eg_bus_peers_new(struct eg_bus_peers **out, const struct eg_bus_peers_options *o,
                            struct eg_err *err);

/* One message; payload NULL: it had no second part (taken over). whole: it had no third. True: its sender
 * has a session now. */
bool eg_bus_peers_take(struct eg_bus_peers *p, const struct eg_bus_from *from, struct eg_bytes header,
                       struct eg_message *payload, bool whole);
/* A message of this sender found no memory, which is no fault of its own: it may greet again. */
void eg_bus_peers_lost(struct eg_bus_peers *p, const struct eg_bus_from *from);
void eg_bus_peers_work(struct eg_bus_peers *p); /* after wake */
/* Silence, peers that were blocked, peers that were revoked. When it wants to be called next. */
int64_t eg_bus_peers_tick(struct eg_bus_peers *p, int64_t mono_us);
bool eg_bus_peers_hurry(const struct eg_bus_peers *p); /* tick wants to be called within EG_BUS_RETRY_US */
void eg_bus_peers_line_gone(struct eg_bus_peers *p, int line);     /* a connection has ended */
void eg_bus_peers_review(struct eg_bus_peers *p);                  /* the policy has changed */
void eg_bus_peers_close(struct eg_bus_peers *p, const char *text); /* GOODBYE to all; their calls end */

/* Waits until no call is open; false: the deadline passed. Any thread. */
bool eg_bus_peers_wait(struct eg_bus_peers *p, int64_t mono_deadline_us);
void eg_bus_peers_free(struct eg_bus_peers *p); /* after close, and after every call was released */
#endif
