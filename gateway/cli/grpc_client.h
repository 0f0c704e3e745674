/* grpc_client: synchronous gRPC calls over mutual TLS or a Unix socket; the only user of gRPC core in the
 * command line.
 *
 * Messages are bytes: callers pack and unpack. A refused call is a rpc_status, not an eg_err: status.h tells
 * it in words. Thread: a client may be shared; a stream belongs to one thread, or to one that sends and one
 * that receives. */
#ifndef EG_CLI_GRPC_CLIENT_H
#define EG_CLI_GRPC_CLIENT_H

#include "base/buf.h"
#include "eldergate/err.h"

struct rpc_client;
struct rpc_stream;

struct rpc_options {
	const char *server;                 /* "unix:PATH" or "HOST:PORT" */
	const char *certificate, *key, *ca; /* PEM files; needed for HOST:PORT */
	const char *server_name;            /* the name expected in the server's certificate; NULL: HOST */
};

/* How a call ended, as it came. */
struct rpc_status {
	int code;              /* google.rpc.Code */
	char text[512];        /* grpc-message */
	struct eg_buf details; /* google.rpc.Status encoded, or empty; owned */
};
void rpc_status_free(struct rpc_status *s);

/* Errors: EG_USAGE (a server address that is none), EG_NOT_FOUND and EG_IO (of the PEM files). Does not
 * connect yet. */
enum eg_rc rpc_open(struct rpc_client **out, const struct rpc_options *o, struct eg_err *err);
void rpc_close(struct rpc_client *c); /* every stream must be closed; NULL is fine */

/* Waits until there is a connection, trying again and again. The core moves only while somebody waits in it,
 * so pausing between two calls is no way to let it connect. False: the time is over. */
bool rpc_reach(struct rpc_client *c, int64_t timeout_us);

/* One request, one answer. timeout_us: until the answer is there. wait: keep trying to connect until then.
 * False: see *status. */
bool rpc_unary(struct rpc_client *c, const char *method, struct eg_bytes request, int64_t timeout_us,
               bool wait, struct eg_buf *answer, struct rpc_status *status);

/* A call of several messages. EG_UNAVAILABLE: it could not be begun. */
enum eg_rc rpc_stream_open(struct rpc_client *c, const char *method, struct rpc_stream **out,
                           struct eg_err *err);
/* Waits until the transport took the message: gRPC's flow control holds the caller back. False: the call is
 * over; rpc_receive tells why. */
bool rpc_send(struct rpc_stream *s, struct eg_bytes message);
bool rpc_half_close(struct rpc_stream *s); /* nothing more will be sent */
enum rpc_received { RPC_MESSAGE, RPC_ENDED, RPC_SILENT };
/* The next message (*message is overwritten); or the end, with *status; or nothing came within the time. */
enum rpc_received rpc_receive(struct rpc_stream *s, int64_t timeout_us, struct eg_buf *message,
                              struct rpc_status *status);
void rpc_cancel(struct rpc_stream *s);       /* any thread; sends and receives under way come back */
void rpc_stream_close(struct rpc_stream *s); /* cancels what is left; NULL is fine */

#endif
