/* grpc_client: see grpc_client.h. Each call has a completion queue of its own, from which each operation's
 * end is plucked by whoever began it. */
#include "cli/grpc_client.h"

#include "base/clock.h"
#include "cli/file.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_MESSAGE = 64 << 20,
	MAX_PEM = 1 << 20,
	KEEPALIVE_MS = 20000, /* a dead connection is noticed in this and the next */
	KEEPALIVE_TIMEOUT_MS = 10000,
	FIRST_BACKOFF_MS = 50,
	LAST_BACKOFF_MS = 1000,
	CONNECT_MS = 5000, /* one attempt, handshake included */
	REACH_STEP_US = 200000
};

struct rpc_client {
	grpc_channel *channel;
};

struct rpc_stream {
	grpc_call *call;
	grpc_completion_queue *queue;
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice text;
	grpc_byte_buffer *received;
	bool reading, ended;
};

/* What tags point at: operations of one call are told apart by these. */
static char tag_begin, tag_send, tag_read, tag_end, tag_reach;

void rpc_status_free(struct rpc_status *s)
{
	eg_buf_free(&s->details);
}

/* The core logs each failed connection by itself; the call's status says the same to the user. */
static void no_log(gpr_log_func_args *args)
{
	(void)args;
}

static void begin_core(void)
{
	if (!getenv("GRPC_VERBOSITY"))
		gpr_set_log_function(no_log);
	grpc_init(); /* stays until the process ends */
}

static enum eg_rc tls(const struct rpc_options *o, grpc_channel_credentials **out, struct eg_err *err)
{
	struct eg_buf ca = {0}, certificate = {0}, key = {0};
	enum eg_rc rc = EG_OK;
	if (!o->certificate || !o->key || !o->ca)
		return eg_fail(err, EG_USAGE,
		               "a server at HOST:PORT wants --ca, --cert and --key (or ELDERGATE_CA, "
		               "ELDERGATE_CERT, "
		               "ELDERGATE_KEY); `eldergate agency add` issues them");
	if ((rc = file_read(o->ca, MAX_PEM, &ca, err)) ||
	    (rc = file_read(o->certificate, MAX_PEM, &certificate, err)) ||
	    (rc = file_read(o->key, MAX_PEM, &key, err)))
		goto out;
	eg_buf_add_u8(&ca, 0);
	eg_buf_add_u8(&certificate, 0);
	eg_buf_add_u8(&key, 0);
	if (ca.failed || certificate.failed || key.failed) {
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for certificates");
		goto out;
	}
	grpc_ssl_pem_key_cert_pair pair = {(const char *)key.p, (const char *)certificate.p};
	*out = grpc_ssl_credentials_create_ex((const char *)ca.p, &pair, NULL, NULL);
	if (!*out)
		rc = eg_fail(err, EG_CRYPTO, "the certificate, its key or the authority could not be used");
out:
	eg_buf_free(&ca);
	eg_buf_free(&certificate);
	eg_buf_free(&key);
	return rc;
}

static grpc_arg number(const char *key, int value)
{
	return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

enum eg_rc rpc_open(struct rpc_client **out, const struct rpc_options *o, struct eg_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	grpc_channel_credentials *credentials = NULL;
	bool local = strncmp(o->server, "unix:", 5) == 0;
	enum eg_rc rc = EG_OK;
	pthread_once(&once, begin_core);
	if (!local && !strchr(o->server, ':'))
		return eg_fail(err, EG_USAGE,
		               "the server must be unix:PATH or HOST:PORT, and '%.200s' is neither",
		               o->server);
	if (local)
		credentials = grpc_insecure_credentials_create();
	else if ((rc = tls(o, &credentials, err)))
		return rc;
	grpc_arg args[8] = {number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, MAX_MESSAGE),
	                    number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
	                    number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
	                    number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, FIRST_BACKOFF_MS),
	                    number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
	                    number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, LAST_BACKOFF_MS)};
	size_t n = 6;
	args[n++] = number("grpc.use_local_subchannel_pool", 1); /* a client's failed attempts are its own */
	if (o->server_name && !local)
		args[n++] = (grpc_arg){.type = GRPC_ARG_STRING,
		                       .key = (char *)(uintptr_t)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
		                       .value.string = (char *)(uintptr_t)o->server_name};
	struct rpc_client *c = calloc(1, sizeof *c);
	if (c)
		c->channel = grpc_channel_create(o->server, credentials, &(grpc_channel_args){n, args});
	grpc_channel_credentials_release(credentials);
	if (!c || !c->channel) {
		free(c);
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connection");
	}
	*out = c;
	return EG_OK;
}

void rpc_close(struct rpc_client *c)
{
	if (!c)
		return;
	grpc_channel_destroy(c->channel);
	free(c);
}

static gpr_timespec after(int64_t us)
{
	if (us == INT64_MAX)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(us, GPR_TIMESPAN));
}

bool rpc_reach(struct rpc_client *c, int64_t timeout_us)
{
	int64_t deadline = eg_mono_us() + timeout_us, left;
	grpc_completion_queue *queue = grpc_completion_queue_create_for_pluck(NULL);
	grpc_connectivity_state state;
	while ((state = grpc_channel_check_connectivity_state(c->channel, 1)) != GRPC_CHANNEL_READY &&
	       (left = deadline - eg_mono_us()) > 0) {
		/* The watch ends by itself at its deadline, so plucking it has none. */
		grpc_channel_watch_connectivity_state(c->channel, state,
		                                      after(left < REACH_STEP_US ? left : REACH_STEP_US),
		                                      queue, &tag_reach);
		grpc_completion_queue_pluck(queue, &tag_reach, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	}
	grpc_completion_queue_shutdown(queue);
	grpc_completion_queue_destroy(queue);
	return state == GRPC_CHANNEL_READY;
}

/* ---- one call ---- */

/* Success of the operation behind the tag; *silent: the time is over and it is still under way. */
static bool wait_for(struct rpc_stream *s, void *tag, int64_t timeout_us, bool *silent)
{
	grpc_event e = grpc_completion_queue_pluck(s->queue, tag, after(timeout_us), NULL);
	if (silent)
		*silent = e.type == GRPC_QUEUE_TIMEOUT;
	return e.type == GRPC_OP_COMPLETE && e.success;
}

static bool start(struct rpc_stream *s, const grpc_op *ops, size_t n, void *tag)
{
	return grpc_call_start_batch(s->call, ops, n, tag, NULL) == GRPC_CALL_OK;
}

static struct rpc_stream *call_new(struct rpc_client *c, const char *method, int64_t timeout_us, bool wait)
{
	struct rpc_stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	grpc_metadata_array_init(&s->initial);
	grpc_metadata_array_init(&s->trailing);
	s->text = grpc_empty_slice();
	s->queue = grpc_completion_queue_create_for_pluck(NULL);
	s->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, s->queue,
	                                   grpc_slice_from_static_string(method), NULL, after(timeout_us),
	                                   NULL);
	grpc_op begin[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA,
	                     .flags = wait ? GRPC_INITIAL_METADATA_WAIT_FOR_READY |
	                                              GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
	                                   : 0},
	                    {.op = GRPC_OP_RECV_INITIAL_METADATA}};
	begin[1].data.recv_initial_metadata.recv_initial_metadata = &s->initial;
	grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
	end.data.recv_status_on_client.trailing_metadata = &s->trailing;
	end.data.recv_status_on_client.status = &s->code;
	end.data.recv_status_on_client.status_details = &s->text;
	/* Both are refused only when the core is misused: then nothing of this file would work. */
	if (!start(s, begin, 2, &tag_begin) || !start(s, &end, 1, &tag_end))
		abort();
	return s;
}

void rpc_cancel(struct rpc_stream *s)
{
	grpc_call_cancel(s->call, NULL);
}

void rpc_stream_close(struct rpc_stream *s)
{
	if (!s)
		return;
	if (!s->ended) {
		rpc_cancel(s);
		wait_for(s, &tag_end, INT64_MAX, NULL);
	}
	if (s->reading)
		wait_for(s, &tag_read, INT64_MAX, NULL);
	wait_for(s, &tag_begin, INT64_MAX, NULL);
	grpc_byte_buffer_destroy(s->received);
	grpc_metadata_array_destroy(&s->initial);
	grpc_metadata_array_destroy(&s->trailing);
	grpc_slice_unref(s->text);
	grpc_call_unref(s->call);
	grpc_completion_queue_shutdown(s->queue);
	grpc_completion_queue_destroy(s->queue);
	free(s);
}

enum eg_rc rpc_stream_open(struct rpc_client *c, const char *method, struct rpc_stream **out,
                           struct eg_err *err)
{
	*out = call_new(c, method, INT64_MAX, false);
	return *out ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for a call");
}

bool rpc_send(struct rpc_stream *s, struct eg_bytes message)
{
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message.p, message.len);
	grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
	grpc_slice_unref(slice);
	op.data.send_message.send_message = buffer;
	bool ok = start(s, &op, 1, &tag_send) && wait_for(s, &tag_send, INT64_MAX, NULL);
	grpc_byte_buffer_destroy(buffer);
	return ok;
}

bool rpc_half_close(struct rpc_stream *s)
{
	grpc_op op = {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
	return start(s, &op, 1, &tag_send) && wait_for(s, &tag_send, INT64_MAX, NULL);
}

static void take_message(struct rpc_stream *s, struct eg_buf *message)
{
	grpc_byte_buffer_reader reader;
	grpc_slice part;
	eg_buf_reset(message);
	if (!grpc_byte_buffer_reader_init(&reader, s->received)) {
		message->failed = true;
	} else {
		while (grpc_byte_buffer_reader_next(&reader, &part)) {
			eg_buf_add(message, GRPC_SLICE_START_PTR(part), GRPC_SLICE_LENGTH(part));
			grpc_slice_unref(part);
		}
		grpc_byte_buffer_reader_destroy(&reader);
	}
	grpc_byte_buffer_destroy(s->received);
	s->received = NULL;
}

static void take_status(struct rpc_stream *s, struct rpc_status *status)
{
	size_t len = GRPC_SLICE_LENGTH(s->text);
	s->ended = true;
	status->code = (int)s->code;
	if (len >= sizeof status->text)
		len = sizeof status->text - 1;
	memcpy(status->text, GRPC_SLICE_START_PTR(s->text), len);
	status->text[len] = 0;
	eg_buf_reset(&status->details);
	for (size_t i = 0; i < s->trailing.count; i++) {
		const grpc_metadata *m = &s->trailing.metadata[i];
		if (grpc_slice_str_cmp(m->key, "grpc-status-details-bin") == 0)
			eg_buf_add(&status->details, GRPC_SLICE_START_PTR(m->value),
			           GRPC_SLICE_LENGTH(m->value));
	}
}

enum rpc_received rpc_receive(struct rpc_stream *s, int64_t timeout_us, struct eg_buf *message,
                              struct rpc_status *status)
{
	bool silent = false;
	if (!s->ended && !s->reading) {
		grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
		op.data.recv_message.recv_message = &s->received;
		s->reading = start(s, &op, 1, &tag_read);
	}
	if (s->reading) {
		wait_for(s, &tag_read, timeout_us, &silent);
		if (silent)
			return RPC_SILENT;
		s->reading = false;
		if (s->received) {
			take_message(s, message);
			return RPC_MESSAGE;
		}
	}
	if (!s->ended)
		wait_for(s, &tag_end, INT64_MAX, NULL);
	take_status(s, status);
	return RPC_ENDED;
}

bool rpc_unary(struct rpc_client *c, const char *method, struct eg_bytes request, int64_t timeout_us,
               bool wait, struct eg_buf *answer, struct rpc_status *status)
{
	struct rpc_stream *s = call_new(c, method, timeout_us, wait);
	struct eg_buf beyond = {0};
	bool has = false;
	*status = (struct rpc_status){.code = 13, .text = "no memory for a call"};
	if (!s)
		return false;
	if (rpc_send(s, request) && rpc_half_close(s))
		has = rpc_receive(s, INT64_MAX, answer, status) == RPC_MESSAGE;
	while (!s->ended)
		rpc_receive(s, INT64_MAX, &beyond, status);
	rpc_stream_close(s);
	eg_buf_free(&beyond);
	if (status->code == 0 && (!has || answer->failed))
		*status = (struct rpc_status){.code = 13, .text = "the answer is missing or too large"};
	return status->code == 0;
}
