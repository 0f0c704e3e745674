/* grpc_server: the gRPC C core as a server of registered methods, over TLS and a Unix socket.
 *
 *   started → refusing → gone
 *
 * Some calls of each method are always armed, and armed anew before one is handed on; methods that are not
 * offered are answered with UNIMPLEMENTED. Thread: start and stop are the edge's; calls begin on the pollers.
 * Each poller's pulse (base/pulse.h): the core gives it an event, or comes back without one within a second.
 */
#ifndef EG_EDGE_GRPC_SERVER_H
#define EG_EDGE_GRPC_SERVER_H

#include "edge/call.h"

struct eg_grpc;

struct eg_grpc_options {
	const struct eg_method *methods; /* must outlive the server */
	unsigned n_methods;
	void *owner; /* eg_call_owner */
	/* Answers a call of a method that is not offered; must finish it. */
	void (*not_offered)(struct eg_call *c);
	const char *unix_path;   /* "": none */
	const char *tls_address; /* "": none */
	const char *tls_certificate, *tls_key, *tls_client_ca;
	int64_t handshake_us;
	unsigned pollers, max_streams;
	size_t max_message, max_metadata;
};

enum eg_rc eg_grpc_start(struct eg_grpc **out, const struct eg_grpc_options *o, struct eg_err *err);
int eg_grpc_tls_port(const struct eg_grpc *g);
/* Are the files of TLS good as they are now? Changes nothing: new ones are taken with the next handshake. */
enum eg_rc eg_grpc_check(const struct eg_grpc *g, struct eg_err *err);
/* No new local connections. Calls still come, for services to refuse with a reason; those begun go on. */
void eg_grpc_refuse(struct eg_grpc *g);
void eg_grpc_wait(struct eg_grpc *g, int64_t mono_deadline_us); /* until no call is on the wire */
/* Cancels the calls that are on the wire, then takes the server down; what services still hold of calls stays
 * valid. */
void eg_grpc_stop(struct eg_grpc *g);
void eg_grpc_free(struct eg_grpc *g); /* after stop, and after every call was released; NULL is fine */

#endif
