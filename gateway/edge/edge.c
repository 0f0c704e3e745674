/* edge: puts the edge together and takes it apart. Locks: lock, for the policy in force. */
#include "edge/bus.h"
#include "edge/edge_core.h"
#include "edge/rhythm.h"
#include "edge/services.h"
#include "edge/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"

#include <stdlib.h>

#define SCRATCH_BYTES ((size_t)64 << 20) /* a worker's memory for one step */

const struct eg_policy *eg_edge_policy_ref(struct eg_edge *e)
{
	pthread_mutex_lock(&e->lock);
	const struct eg_policy *p = eg_policy_ref(e->policy);
	pthread_mutex_unlock(&e->lock);
	return p;
}

bool eg_edge_policy_is(struct eg_edge *e, const struct eg_policy *p)
{
	pthread_mutex_lock(&e->lock);
	bool is = e->policy == p;
	pthread_mutex_unlock(&e->lock);
	return is;
}

void eg_edge_refused(struct eg_edge *e, const struct eg_caller *c, const struct eg_fault *f)
{
	enum eg_reason_code reason = eg_fault_reason(f);
	enum eg_rc rc = f->err.rc;
	if (rc != EG_DENIED && rc != EG_INVALID && rc != EG_LIMIT && rc != EG_UNAUTHENTICATED)
		return; /* a failure, or an answer, and no refusal */
	eg_metric_add(EG_M_REFUSALS, eg_reason_name(reason), 1);
	if (c && c->who && rc != EG_UNAUTHENTICATED)
		eg_refusals_add(e->refusals, c, reason);
}

static void not_offered(struct eg_call *c)
{
	struct eg_fault f;
	eg_refuse(&f, EG_UNIMPLEMENTED, EG_REASON_METHOD_NOT_PERMITTED, "",
	          "the gateway does not offer this method");
	eg_call_fail(c, &f);
}

static enum eg_rc start_server(struct eg_edge *e, struct eg_err *err)
{
	const struct eg_edge_options *o = &e->o;
	struct eg_grpc_options g = {
	        .methods = eg_methods,
	        .n_methods = eg_n_methods,
	        .owner = e,
	        .not_offered = not_offered,
	        .unix_path = o->unix_path,
	        .tls_address = o->tls_address,
	        .tls_certificate = o->tls_certificate,
	        .tls_key = o->tls_key,
	        .tls_client_ca = o->tls_client_ca,
	        .handshake_us = o->handshake_us,
	        .pollers = o->pollers,
	        .max_streams = o->max_streams,
	        .max_message = o->max_message,
	        .max_metadata = o->max_metadata,
	};
	return eg_grpc_start(&e->grpc, &g, err);
}

static bool admits(void *owner, const uint8_t key[EG_CURVE_SIZE])
{
	const struct eg_policy *policy = eg_edge_policy_ref(owner);
	bool known = eg_policy_by_curve(policy, key) != NULL;
	eg_policy_unref(policy);
	return known;
}

static void broke_protocol(void *owner, const uint8_t key[EG_CURVE_SIZE])
{
	const struct eg_policy *policy = eg_edge_policy_ref(owner);
	struct eg_caller who;
	struct eg_fault f;
	if (!eg_caller_of_curve(&who, key, policy, &f)) {
		eg_refuse(&f, EG_INVALID, EG_REASON_MALFORMED_REQUEST, "",
		          "it broke the protocol of the bus");
		eg_edge_refused(owner, &who, &f);
		eg_caller_close(&who);
	}
	eg_policy_unref(policy);
}

static enum eg_rc start_bus(struct eg_edge *e, struct eg_err *err)
{
	const struct eg_edge_options *o = &e->o;
	struct eg_bus_options b = {
	        .addresses = o->bus_addresses,
	        .key_file = o->bus_key_file,
	        .methods = eg_methods,
	        .n_methods = eg_n_methods,
	        .owner = e,
	        .not_offered = not_offered,
	        .admits = admits,
	        .refused = broke_protocol,
	        .heartbeat_us = o->bus_heartbeat_us,
	        .handshake_us = o->bus_handshake_us,
	        .max_message = o->bus_max_message,
	        .max_peers = o->bus_max_peers,
	        .max_calls = o->bus_max_calls,
	};
	return eg_bus_start(&e->bus, &b, err);
}

static enum eg_rc start_probe(struct eg_edge *e, struct eg_err *err)
{
	struct eg_probe *p = NULL;
	enum eg_rc rc = eg_probe_start(&p, e->o.tls_address, eg_grpc_tls_port(e->grpc), err);
	atomic_store(&e->probe, p); /* health checks look at it already */
	return rc;
}

enum eg_rc eg_edge_start(struct eg_edge **out, const struct eg_edge_options *o, struct eg_err *err)
{
	struct eg_edge *e = calloc(1, sizeof *e);
	enum eg_rc rc;
	if (!e)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the edge");
	e->o = *o;
	e->policy = eg_policy_ref(o->policy);
	eg_edge_tune(e, &o->tuning);
	e->start_us = eg_now_us();
	pthread_mutex_init(&e->lock, NULL);
	struct eg_pool_options p = {.name = "edge-work",
	                            .threads = o->workers,
	                            .store = o->store,
	                            .scratch_bytes = SCRATCH_BYTES};
	if (!(rc = eg_streams_open(&e->streams, err)) && !(rc = eg_timers_start(&e->timers, err)) &&
	    !(rc = eg_refusals_open(&e->refusals, o->intake, e->timers, err)) &&
	    !(rc = eg_doors_open(&e->doors, o->intake, err)) && !(rc = eg_quota_open(&e->quota, err)) &&
	    !(rc = eg_pool_start(&e->pool, &p, err)) && !(rc = eg_rhythm_open(&e->rhythm, e, err)))
		rc = start_server(e, err);
	if (!rc && *o->tls_address)
		rc = start_probe(e, err);
	if (!rc && *o->bus_addresses)
		rc = start_bus(e, err);
	if (rc && e->grpc)
		eg_edge_stop(e, 0);
	if (rc) {
		eg_edge_free(e);
		return rc;
	}
	*out = e;
	return EG_OK;
}

int eg_edge_tls_port(const struct eg_edge *e)
{
	return eg_grpc_tls_port(e->grpc);
}

enum eg_rc eg_edge_check(const struct eg_edge *e, struct eg_err *err)
{
	return eg_grpc_check(e->grpc, err);
}

void eg_edge_tune(struct eg_edge *e, const struct eg_edge_tuning *t)
{
	atomic_store(&e->query_timeout_us, t->query_timeout_us);
	atomic_store(&e->dataset_tolerance, t->dataset_tolerance);
	atomic_store(&e->dataset_look_us, t->dataset_look_us);
}

void eg_edge_policy(struct eg_edge *e, const struct eg_policy *policy)
{
	pthread_mutex_lock(&e->lock);
	const struct eg_policy *old = e->policy;
	e->policy = eg_policy_ref(policy);
	pthread_mutex_unlock(&e->lock);
	eg_policy_unref(old);
	eg_streams_kick(e->streams);
	if (e->bus)
		eg_bus_review(e->bus);
}

void eg_edge_stop(struct eg_edge *e, int64_t mono_deadline_us)
{
	atomic_store(&e->stopping, true);
	eg_probe_stop(e->probe);
	eg_streams_kick(e->streams); /* they end by themselves, Submit once its receipts are out */
	eg_grpc_refuse(e->grpc);
	/* While either has calls to finish both go on answering, be it with a refusal; then both end. */
	eg_bus_wait(e->bus, mono_deadline_us);
	eg_grpc_wait(e->grpc, mono_deadline_us);
	eg_bus_stop(e->bus);
	eg_grpc_stop(e->grpc);
	eg_refusals_flush(e->refusals);
}

void eg_edge_free(struct eg_edge *e)
{
	eg_doors_close(e->doors); /* what waited in line is answered */
	if (e->pool)
		eg_pool_stop(e->pool);
	eg_timers_stop(e->timers);
	eg_rhythm_close(e->rhythm);
	eg_refusals_close(e->refusals);
	eg_quota_close(e->quota);
	eg_grpc_free(e->grpc);
	eg_bus_free(e->bus);
	eg_streams_free(e->streams);
	eg_probe_free(e->probe);
	eg_pool_free(e->pool);
	eg_policy_unref(e->policy);
	pthread_mutex_destroy(&e->lock);
	free(e);
}
