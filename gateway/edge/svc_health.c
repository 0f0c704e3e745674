/* svc_health: grpc.health.v1: is the gateway serving? Fit for probes, so it asks for no role. */
#include "edge/services.h"
#include "edge/stream.h"

#include "grpc/health/v1/health.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_BYTES = 1 << 16, WATCHES_MAX = 256 };

struct watch {
	struct eg_stream stream;                                    /* first */
	int told;                                                   /* the last status told; 0: none yet */
	Grpc__Health__V1__HealthCheckResponse__ServingStatus known; /* SERVING, or SERVICE_UNKNOWN */
};

static atomic_uint watches;

static bool offered(const char *service)
{
	size_t len = strlen(service);
	for (unsigned i = 0; i < eg_n_methods; i++) {
		const char *path = eg_methods[i].path + 1;
		if (strncmp(path, service, len) == 0 && path[len] == '/')
			return true;
	}
	return !len; /* the gateway as a whole */
}

static Grpc__Health__V1__HealthCheckResponse__ServingStatus state_of(struct eg_edge *e)
{
	bool out = atomic_load(&e->stopping) || eg_probe_dead(e->probe);
	return out ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
	           : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
}

enum eg_rc eg_health_check(struct eg_ask *a, struct eg_fault *f)
{
	const Grpc__Health__V1__HealthCheckRequest *q = (const void *)a->request;
	if (!offered(q->service))
		return eg_refuse(f, EG_NOT_FOUND, 0, "service", "the gateway has no service of this name");
	Grpc__Health__V1__HealthCheckResponse *r = eg_arena_alloc(a->arena, sizeof *r);
	if (!r)
		return eg_ask_no_memory(f);
	grpc__health__v1__health_check_response__init(r);
	r->status = state_of(a->edge);
	a->reply = &r->base;
	return EG_OK;
}

static bool step(struct eg_job *job, struct eg_worker *w)
{
	struct watch *h = (struct watch *)eg_stream_of(job);
	Grpc__Health__V1__HealthCheckResponse r = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	(void)w;
	r.status = h->known == GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
	                   ? state_of(h->stream.edge)
	                   : h->known;
	if ((int)r.status != h->told) {
		struct eg_out *out = eg_pb_out(&r.base);
		if (out)
			eg_call_send(h->stream.call, out);
		h->told = (int)r.status;
	}
	if (atomic_load(&h->stream.edge->stopping)) {
		struct eg_fault f;
		eg_refuse(&f, EG_CLOSED, 0, "", "the gateway is shutting down");
		eg_call_fail(h->stream.call, &f);
	}
	if (!eg_stream_close(&h->stream))
		return false;
	atomic_fetch_sub(&watches, 1);
	free(h);
	return true;
}

static void began(struct eg_call *c, struct eg_message *first)
{
	struct eg_arena *a = eg_arena_new(REQUEST_BYTES);
	ProtobufCMessage *m = NULL;
	struct eg_fault f = {0};
	struct watch *h = NULL;
	enum eg_rc rc = EG_OK;
	if (atomic_fetch_add(&watches, 1) >= WATCHES_MAX)
		rc = eg_refuse(&f, EG_BUSY, 0, "", "too many health watches are open");
	else if (!first || !a || !(h = calloc(1, sizeof *h)))
		rc = eg_refuse(&f, EG_INVALID, EG_REASON_MALFORMED_REQUEST, "",
		               "the call has no request message");
	if (!rc)
		rc = eg_pb_read(&grpc__health__v1__health_check_request__descriptor, eg_message_bytes(first),
		                a, &m, &f.err);
	if (!rc)
		h->known = offered(((Grpc__Health__V1__HealthCheckRequest *)(void *)m)->service)
		                   ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
		                   : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	eg_arena_free(a);
	eg_message_free(first);
	if (rc) {
		atomic_fetch_sub(&watches, 1);
		free(h);
		eg_call_fail(c, &f);
		eg_call_release(c);
		return;
	}
	eg_stream_open(&h->stream, c, step);
	eg_stream_kick(&h->stream);
}

const struct eg_call_events eg_health_watch = {.began = began, .closed = eg_stream_on_closed};
