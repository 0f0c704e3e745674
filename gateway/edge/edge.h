/* edge: the services of the gateway, over gRPC (TLS or a Unix socket) and over the bus of the adapters, as
 * main sees them.
 *
 * Identity comes from the SPKI pin of the client certificate, the CURVE key of the bus or the socket peer's
 * uid, never from metadata. Thread: start, policy and stop are main's; calls run on the edge's own pollers
 * and workers. */
#ifndef EG_EDGE_EDGE_H
#define EG_EDGE_EDGE_H

#include "flow/feed.h"
#include "flow/lists.h"
#include "flow/relay.h"

struct eg_edge;

/* What may change while the edge runs; calls that began keep what they began with. */
struct eg_edge_tuning {
	int64_t query_timeout_us;
	unsigned dataset_tolerance; /* percent of the rhythm */
	int64_t dataset_look_us;    /* from the next look on */
};

struct eg_edge_options {
	const char *unix_path;                                 /* "": none */
	const char *tls_address;                               /* "host:port", port 0 picks one; "": none */
	const char *tls_certificate, *tls_key, *tls_client_ca; /* paths */
	int64_t handshake_us;
	const char *bus_addresses; /* as bus.h has it; "": none */
	const char *bus_key_file;
	int64_t bus_heartbeat_us, bus_handshake_us;
	size_t bus_max_message;
	unsigned bus_max_peers, bus_max_calls;
	unsigned pollers, workers, max_streams, in_flight_batches;
	size_t max_message, max_metadata;
	unsigned batch_records; /* limits of intake, for early refusals */
	size_t batch_bytes, record_bytes;
	struct eg_edge_tuning tuning; /* at first */
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	struct eg_writer *writer;
	struct eg_feed *feed;
	struct eg_relay *relay; /* NULL: Kafka is off */
	struct eg_lists *lists;
	bool relay_development;
	const struct eg_policy *policy; /* a reference is taken */
	const char *version;            /* of the program */
};

enum eg_rc eg_edge_start(struct eg_edge **out, const struct eg_edge_options *o, struct eg_err *err);
int eg_edge_tls_port(const struct eg_edge *e); /* the port in use; 0: none */
/* Are the files of TLS good as they are now? Changes nothing. */
enum eg_rc eg_edge_check(const struct eg_edge *e, struct eg_err *err);
void eg_edge_tune(struct eg_edge *e, const struct eg_edge_tuning *t);
/* New calls and open streams' next messages see the new policy; streams of identities that are gone end with
 * UNAUTHENTICATED. */
void eg_edge_policy(struct eg_edge *e, const struct eg_policy *policy);
/* Refuses new calls, ends Subscribe streams, lets Submit streams finish until the deadline, then cancels.
 * Health says NOT_SERVING first. Call it before eg_intake_close. */
void eg_edge_stop(struct eg_edge *e, int64_t mono_deadline_us);
void eg_edge_free(struct eg_edge *e); /* after stop, and after the writer and the feed are gone */

/* ChangeEvent and PersonState messages of proto/eldergate/v1/event.proto, for the relay. */
enum eg_rc eg_encode_event(const struct eg_event *e, struct eg_buf *out, struct eg_err *err);
enum eg_rc eg_encode_state(const struct eg_event *e, struct eg_buf *out, struct eg_err *err);

/* Sample of /metrics and /healthz over HTTP on a loopback address. before_render refreshes gauges; may be
 * NULL. */
struct eg_http;
enum eg_rc eg_http_start(struct eg_http **out, const char *address, void (*before_render)(void *arg),
                         void *arg, struct eg_err *err);
void eg_http_stop(struct eg_http *h); /* NULL is fine */

#endif
