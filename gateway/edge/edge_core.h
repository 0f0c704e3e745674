/* edge_core: what the services of the edge share; private to the edge. */
#ifndef EG_EDGE_EDGE_CORE_H
#define EG_EDGE_EDGE_CORE_H

#include "edge/doors.h"
#include "edge/edge.h"
#include "edge/grpc_server.h"
#include "edge/identity.h"
#include "edge/pb.h"
#include "edge/pool.h"
#include "edge/probe.h"
#include "edge/quota.h"
#include "edge/refusals.h"
#include "edge/timer.h"

#include <pthread.h>
#include <stdatomic.h>

struct eg_streams; /* the streams that are open: stream.h */
struct eg_rhythm;  /* the datasets against their rhythms: rhythm.h */

struct eg_edge {
	struct eg_edge_options o;
	int64_t start_us;
	struct eg_grpc *grpc;
	struct eg_bus *bus; /* NULL: none */
	struct eg_pool *pool;
	struct eg_timers *timers;
	struct eg_doors *doors;
	struct eg_refusals *refusals;
	struct eg_quota *quota;
	struct eg_streams *streams;
	struct eg_rhythm *rhythm;
	struct eg_probe *_Atomic probe; /* NULL: no TLS */
	atomic_bool stopping;
	/* the tuning */
	_Atomic int64_t query_timeout_us, dataset_look_us;
	atomic_uint dataset_tolerance;
	atomic_uint asks; /* unary calls under way */
	pthread_mutex_t lock;
	const struct eg_policy *policy; /* guarded by lock; a reference */
};

const struct eg_policy *eg_edge_policy_ref(struct eg_edge *e); /* the one in force; the caller's to drop */
bool eg_edge_policy_is(struct eg_edge *e, const struct eg_policy *p);

/* Tells the metrics, and the log if the caller is known, of a refusal. c may be NULL or unknown. */
void eg_edge_refused(struct eg_edge *e, const struct eg_caller *c, const struct eg_fault *f);

/* What stands behind a method in the edge's table. */
struct eg_ask;
struct eg_service {
	unsigned roles; /* EG_ROLE_* of which one is needed; 0: anybody whom the transport let in */
	const ProtobufCMessageDescriptor *request; /* NULL: the service reads the bytes itself */
	/* EG_UNARY: answers or refuses; see ask.h. */
	enum eg_rc (*serve)(struct eg_ask *a, struct eg_fault *f);
};

#endif
