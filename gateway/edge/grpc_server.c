/* grpc_server: one completion queue, its pollers, and the calls that wait armed for callers. */
#include "edge/grpc_server.h"

#include "edge/grpc_core.h"
#include "edge/grpc_credentials.h"
#include "edge/local.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/pulse.h"
#include "base/thread.h"

#include <errno.h>
#include <grpc/grpc_posix.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Peers get this long to read their last status; nothing tells whether they have. */
#define PARTING_US (EG_SECOND / 10)

enum {
	ARMED = 64, /* calls of each method that wait for callers */
	POLLERS_MAX = 16,
	ARGS_MAX = 24,
	KEEPALIVE_MS = 30000, /* a silent peer is asked whether it is there */
	KEEPALIVE_TIMEOUT_MS = 20000,
	PING_INTERVAL_MS = 5000, /* a peer that pings more often without data is cut off */
	MAX_SEND = 64 << 20,     /* bytes of one answer */
	CORE_LOG_PER_SECOND = 5  /* lines of the core that go to the log */
};

struct arm {
	struct eg_tag tag;
	struct eg_grpc *server;
	void *registered;
	struct eg_arrival slot;
	grpc_call_details details;
};

struct poller {
	struct eg_grpc *server;
	struct eg_thread *thread;
	struct eg_pulse pulse; /* turns with each event of the queue */
	char name[16];
};

struct eg_grpc {
	struct eg_grpc_options o;
	grpc_completion_queue *queue;
	grpc_server *server;
	grpc_server_credentials *insecure; /* of local connections */
	struct eg_local *local;
	struct eg_credentials *credentials;
	int tls_port;
	unsigned n_arms;
	struct arm *arms;
	struct poller pollers[POLLERS_MAX];
	struct eg_tag shutdown_tag;
	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t moved;
	unsigned on_wire;
	bool refusing, down;
};

/* The core's own complaints, at most a few a second: peers cause them. */
static void core_log(gpr_log_func_args *args)
{
	static _Atomic int64_t second;
	static atomic_uint lines;
	int64_t now = eg_mono_us() / EG_SECOND;
	if (args->severity != GPR_LOG_SEVERITY_ERROR)
		return;
	if (atomic_exchange(&second, now) != now)
		atomic_store(&lines, 0);
	if (atomic_fetch_add(&lines, 1) < CORE_LOG_PER_SECOND)
		eg_log(EG_LOG_DEBUG, "grpc.core", EG_T("text", args->message));
}

void *eg_grpc_owner(const struct eg_grpc *g)
{
	return g->o.owner;
}

bool eg_grpc_local_uid(const struct eg_grpc *g, int fd, uint32_t *uid)
{
	return g->local && eg_local_uid(g->local, fd, uid);
}

void eg_grpc_gone(struct eg_grpc *g)
{
	pthread_mutex_lock(&g->lock);
	g->on_wire--;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

/* ---- pollers ---- */

static void arm(struct arm *a)
{
	struct eg_grpc *g = a->server;
	struct eg_arrival *s = &a->slot;
	grpc_call_error e;
	if (a->registered)
		e = grpc_server_request_registered_call(
		        g->server, a->registered, &s->call, &s->deadline, &s->metadata,
		        s->method->shape == EG_BIDI ? NULL : &s->payload, g->queue, g->queue, &a->tag);
	else
		e = grpc_server_request_call(g->server, &s->call, &a->details, &s->metadata, g->queue,
		                             g->queue, &a->tag);
	if (e != GRPC_CALL_OK && e != GRPC_CALL_ERROR_NOT_SERVER_COMPLETION_QUEUE)
		eg_log(EG_LOG_ERROR, "grpc.arm_refused", EG_T("why", grpc_call_error_to_string(e)));
}

static void arrived(struct arm *a)
{
	struct eg_grpc *g = a->server;
	if (!a->registered)
		a->slot.deadline = a->details.deadline;
	struct eg_call *c = eg_grpc_call_new(g, &a->slot);
	grpc_metadata_array_destroy(&a->slot.metadata);
	grpc_metadata_array_init(&a->slot.metadata);
	if (!a->registered) {
		grpc_call_details_destroy(&a->details);
		grpc_call_details_init(&a->details);
	}
	pthread_mutex_lock(&g->lock);
	bool refusing = g->refusing;
	if (c)
		g->on_wire++;
	pthread_mutex_unlock(&g->lock);
	if (!refusing)
		arm(a);
	if (!c)
		return;
	eg_metric_add(EG_M_CALLS, a->slot.method ? strrchr(a->slot.method->path, '/') + 1 : "not_offered", 1);
	eg_grpc_call_begin(c);
	if (!a->slot.method) {
		g->o.not_offered(c);
		eg_call_release(c);
	}
}

static void poll(void *arg)
{
	struct poller *p = arg;
	struct eg_grpc *g = p->server;
	eg_pulse_begin(&p->pulse, p->name);
	for (;;) {
		gpr_timespec turn = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
		                                 gpr_time_from_micros(EG_PULSE_WAIT_US, GPR_TIMESPAN));
		eg_pulse_turn(&p->pulse);
		grpc_event e = grpc_completion_queue_next(g->queue, turn, NULL);
		if (e.type == GRPC_QUEUE_SHUTDOWN)
			break;
		if (e.type != GRPC_OP_COMPLETE)
			continue;
		struct eg_tag *tag = e.tag;
		switch (tag->kind) {
		case EG_TAG_ARM:
			if (e.success)
				arrived(tag->of);
			break;
		case EG_TAG_SHUTDOWN:
			pthread_mutex_lock(&g->lock);
			g->down = true;
			pthread_cond_broadcast(&g->moved);
			pthread_mutex_unlock(&g->lock);
			break;
		default:
			eg_grpc_call_completed(tag->of, tag->kind, e.success);
		}
	}
	eg_pulse_end(&p->pulse);
}

/* ---- start ---- */

static void set(grpc_channel_args *a, const char *key, int64_t value)
{
	grpc_arg *arg = &a->args[a->num_args++];
	arg->type = GRPC_ARG_INTEGER;
	arg->key = (char *)(uintptr_t)key; /* the core copies it */
	arg->value.integer = value > INT32_MAX ? INT32_MAX : (int)value;
}

static grpc_server *create(const struct eg_grpc_options *o)
{
	grpc_arg room[ARGS_MAX];
	grpc_channel_args args = {.args = room};
	set(&args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int64_t)o->max_message);
	set(&args, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, MAX_SEND);
	set(&args, GRPC_ARG_MAX_CONCURRENT_STREAMS, o->max_streams);
	set(&args, GRPC_ARG_MAX_METADATA_SIZE, (int64_t)o->max_metadata);
	set(&args, GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, o->handshake_us / 1000);
	set(&args, GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
	set(&args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
	set(&args, GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
	set(&args, GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MS);
	/* A stalled stream holds one message's worth of the transport's memory, not what a probe of the line
	 * finds. */
	set(&args, GRPC_ARG_HTTP2_BDP_PROBE, 0);
	set(&args, GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, (int64_t)o->max_message);
	/* A small message may unpack to a huge one. */
	set(&args, GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
	set(&args, GRPC_COMPRESSION_CHANNEL_ENABLED_ALGORITHMS_BITSET, 1 << GRPC_COMPRESS_NONE);
	set(&args, GRPC_ARG_ALLOW_REUSEPORT,
	    0); /* two daemons on one port would each get half of the calls */
	set(&args, GRPC_ARG_ENABLE_CHANNELZ, 0);
	set(&args, GRPC_ARG_MAX_CHANNEL_TRACE_EVENT_MEMORY_PER_NODE, 0);
	return grpc_server_create(&args, NULL);
}

static enum eg_rc make_arms(struct eg_grpc *g, struct eg_err *err)
{
	static const grpc_server_register_method_payload_handling payload[] = {
	        [EG_UNARY] = GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
	        [EG_SERVER_STREAM] = GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER,
	        [EG_BIDI] = GRPC_SRM_PAYLOAD_NONE,
	};
	g->arms = calloc((g->o.n_methods + 1) * ARMED, sizeof *g->arms);
	if (!g->arms)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the methods");
	for (unsigned i = 0; i <= g->o.n_methods; i++) {
		const struct eg_method *m = i < g->o.n_methods ? &g->o.methods[i] : NULL;
		void *registered = NULL;
		if (m && !(registered = grpc_server_register_method(g->server, m->path, NULL,
		                                                    payload[m->shape], 0)))
			return eg_fail(err, EG_INTERNAL, "the method %s could not be registered", m->path);
		for (unsigned k = 0; k < ARMED; k++) {
			struct arm *a = &g->arms[g->n_arms++];
			*a = (struct arm){.server = g, .registered = registered, .slot.method = m};
			a->tag = (struct eg_tag){EG_TAG_ARM, a};
			grpc_metadata_array_init(&a->slot.metadata);
			grpc_call_details_init(&a->details);
		}
	}
	return EG_OK;
}

static enum eg_rc listen_tls(struct eg_grpc *g, struct eg_err *err)
{
	const struct eg_grpc_options *o = &g->o;
	enum eg_rc rc =
	        eg_credentials_open(&g->credentials, o->tls_certificate, o->tls_key, o->tls_client_ca, err);
	if (rc)
		return rc;
	grpc_server_credentials *c = eg_credentials_core(g->credentials);
	g->tls_port = grpc_server_add_http2_port(g->server, o->tls_address, c);
	grpc_server_credentials_release(c);
	if (g->tls_port <= 0)
		return eg_fail(err, EG_CONFIG,
		               "listen.tls: cannot listen on %s: is it in use, or not of this machine?",
		               o->tls_address);
	return EG_OK;
}

static void adopt(void *arg, int fd)
{
	struct eg_grpc *g = arg;
	grpc_server_add_channel_from_fd(g->server, fd, g->insecure);
}

enum eg_rc eg_grpc_start(struct eg_grpc **out, const struct eg_grpc_options *o, struct eg_err *err)
{
	struct eg_grpc *g = calloc(1, sizeof *g);
	enum eg_rc rc = EG_OK;
	if (!g)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the gRPC server");
	gpr_set_log_function(core_log);
	grpc_init();
	g->o = *o;
	pthread_mutex_init(&g->lock, NULL);
	eg_mono_cond(&g->moved);
	g->shutdown_tag = (struct eg_tag){EG_TAG_SHUTDOWN, g};
	g->queue = grpc_completion_queue_create_for_next(NULL);
	g->server = create(o);
	g->insecure = grpc_insecure_server_credentials_create();
	grpc_server_register_completion_queue(g->server, g->queue, NULL);
	rc = make_arms(g, err);
	if (!rc && *o->tls_address)
		rc = listen_tls(g, err);
	if (rc)
		goto fail;
	grpc_server_start(g->server);
	for (unsigned i = 0; i < g->n_arms; i++)
		arm(&g->arms[i]);
	for (unsigned i = 0; i < o->pollers && i < POLLERS_MAX && !rc; i++) {
		struct poller *p = &g->pollers[i];
		p->server = g;
		snprintf(p->name, sizeof p->name, "edge-poll-%u", i);
		rc = eg_thread_start(&p->thread, p->name, poll, p, err);
	}
	if (!rc && *o->unix_path)
		rc = eg_local_start(&g->local, o->unix_path, adopt, g, err);
	if (rc)
		goto fail;
	*out = g;
	return EG_OK;
fail:
	eg_grpc_stop(g);
	eg_grpc_free(g);
	return rc;
}

enum eg_rc eg_grpc_check(const struct eg_grpc *g, struct eg_err *err)
{
	return g->credentials ? eg_credentials_check(g->credentials, err) : EG_OK;
}

int eg_grpc_tls_port(const struct eg_grpc *g)
{
	return g->tls_port;
}

/* ---- stop ---- */

void eg_grpc_refuse(struct eg_grpc *g)
{
	eg_local_stop(g->local);
}

static bool polled(const struct eg_grpc *g)
{
	return g->pollers[0].thread != NULL;
}

void eg_grpc_wait(struct eg_grpc *g, int64_t mono_deadline_us)
{
	struct timespec until = eg_mono_deadline(mono_deadline_us);
	/* The server goes down only after this: told to, the core closes a connection with its last call, and
	 * a peer that is still writing would find it broken before it reads the status that says why. */
	pthread_mutex_lock(&g->lock);
	while (polled(g) && g->on_wire && eg_mono_us() < mono_deadline_us)
		pthread_cond_timedwait(&g->moved, &g->lock, &until);
	until = eg_mono_deadline(eg_mono_us() + PARTING_US);
	while (polled(g) && eg_mono_us() < mono_deadline_us &&
	       pthread_cond_timedwait(&g->moved, &g->lock, &until) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&g->lock);
}

void eg_grpc_stop(struct eg_grpc *g)
{
	eg_grpc_refuse(g);
	pthread_mutex_lock(&g->lock);
	g->refusing = true;
	pthread_mutex_unlock(&g->lock);
	grpc_server_shutdown_and_notify(g->server, g->queue, &g->shutdown_tag);
	/* Also closes the connections, which idle ones would hold open for many seconds. */
	grpc_server_cancel_all_calls(g->server);
	pthread_mutex_lock(&g->lock);
	while (polled(g) && (g->on_wire || !g->down))
		pthread_cond_wait(&g->moved, &g->lock);
	pthread_mutex_unlock(&g->lock);
	grpc_completion_queue_shutdown(g->queue);
	if (!polled(g)) /* it failed while starting */
		poll(&(struct poller){.server = g});
	for (unsigned i = 0; i < POLLERS_MAX; i++) {
		eg_thread_join(g->pollers[i].thread);
		g->pollers[i].thread = NULL;
	}
	grpc_server_destroy(g->server);
	grpc_completion_queue_destroy(g->queue);
	grpc_server_credentials_release(g->insecure);
	eg_credentials_close(g->credentials);
	g->server = NULL;
	g->queue = NULL;
	g->credentials = NULL;
	for (unsigned i = 0; i < g->n_arms; i++) {
		grpc_metadata_array_destroy(&g->arms[i].slot.metadata);
		grpc_call_details_destroy(&g->arms[i].details);
	}
	free(g->arms);
	g->arms = NULL;
	g->n_arms = 0;
	grpc_shutdown();
}

void eg_grpc_free(struct eg_grpc *g)
{
	if (!g)
		return;
	eg_local_free(g->local);
	pthread_cond_destroy(&g->moved);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
