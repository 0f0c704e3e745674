/* bus: the gateway's end of the bus to its adapters: a ZeroMQ ROUTER with CURVE on every address.
 *
 *   started → stopping → gone
 *
 * Only keys that the policy in force knows get through the handshake; what they may do is the services'
 * matter, which see calls as they come over gRPC too (edge/call.h). Thread: start, review and stop are the
 * edge's. The bus has two threads of its own: edge-bus owns the ROUTER, edge-bus-zap answers who is let in.
 * The pulse (base/pulse.h) is edge-bus's: it goes round.
 */
#ifndef EG_EDGE_BUS_H
#define EG_EDGE_BUS_H

#include "edge/call.h"

struct eg_bus;

struct eg_bus_options {
	const char *addresses;           /* "tcp://0.0.0.0:7444,ipc:///run/eldergate/bus.sock" */
	const char *key_file;            /* trust/curve.h; made at the first start */
	const struct eg_method *methods; /* must outlive the bus */
	unsigned n_methods;
	void *owner; /* eg_call_owner */
	void (*not_offered)(struct eg_call *c);
	bool (*admits)(void *owner, const uint8_t key[32]);  /* under the policy in force; any thread */
	void (*refused)(void *owner, const uint8_t key[32]); /* a peer with this key broke the protocol */
	int64_t heartbeat_us, handshake_us;
	size_t max_message;
	unsigned max_peers, max_calls;
};

enum eg_rc eg_bus_start(struct eg_bus **out, const struct eg_bus_options *o, struct eg_err *err);
void eg_bus_review(struct eg_bus *b); /* the policy has changed: peers that it does not know have to go */
void eg_bus_wait(struct eg_bus *b, int64_t mono_deadline_us); /* until no call is open; NULL is fine */
void eg_bus_stop(struct eg_bus *b); /* ends the calls that are open; every peer is told; NULL is fine */
void eg_bus_free(struct eg_bus *b); /* after stop, and after every call was released; NULL is fine */

#endif
