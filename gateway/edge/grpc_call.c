/* grpc_call: the batches of one gRPC call.
 *
 * At most one batch of each kind is under way: a read, a send, the close. Each holds a reference. When the
 * close is back and no other is under way, the core's call is let go; the object stays until its last
 * reference is dropped. Locks: lock, held for every field below it and over grpc_call_start_batch. */
#include "edge/ask.h"
#include "edge/call_core.h"
#include "edge/grpc_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
	struct eg_message message; /* first */
	grpc_byte_buffer *buffer;
	grpc_slice flat;
	bool is_flat;
};

struct rpc {
	struct eg_call call; /* first */
	struct eg_grpc *server;
	struct eg_message *first;
	struct eg_tag read_tag, send_tag, close_tag;
	pthread_mutex_t lock;
	grpc_call *wire; /* NULL: let go */
	bool reading, sending, sending_message, closing;
	bool initial_sent, finishing, finished; /* finished: its status is on the way */
	bool closed;                            /* nothing can be sent any more */
	bool told;                              /* the service was told of the end */
	unsigned busy;                          /* events being told */
	int cancelled;
	grpc_byte_buffer *received, *leaving;
	struct eg_line line;
	grpc_status_code code;
	grpc_slice text, details;
	grpc_metadata trailing;
	bool has_details;
};

static struct rpc *rpc_of(struct eg_call *c)
{
	return (struct rpc *)c;
}

/* ---- messages ---- */

static struct eg_bytes message_bytes(struct eg_message *message)
{
	struct message *m = (struct message *)message;
	grpc_byte_buffer_reader reader;
	if (m->buffer->type != GRPC_BB_RAW || m->buffer->data.raw.compression != GRPC_COMPRESS_NONE)
		return (struct eg_bytes){0};
	if (!m->is_flat) {
		if (!grpc_byte_buffer_reader_init(&reader, m->buffer))
			return (struct eg_bytes){0};
		m->flat = grpc_byte_buffer_reader_readall(&reader); /* no copy of a single slice */
		grpc_byte_buffer_reader_destroy(&reader);
		m->is_flat = true;
	}
	return (struct eg_bytes){GRPC_SLICE_START_PTR(m->flat), GRPC_SLICE_LENGTH(m->flat)};
}

static void message_free(struct eg_message *message)
{
	struct message *m = (struct message *)message;
	if (m->is_flat)
		grpc_slice_unref(m->flat);
	grpc_byte_buffer_destroy(m->buffer);
	free(m);
}

static const struct eg_message_type message_type = {.bytes = message_bytes, .free = message_free};

static struct eg_message *message_new(grpc_byte_buffer *buffer)
{
	struct message *m = buffer ? calloc(1, sizeof *m) : NULL;
	if (buffer && !m)
		grpc_byte_buffer_destroy(buffer);
	if (!m)
		return NULL;
	m->message.type = &message_type;
	m->buffer = buffer;
	return &m->message;
}

/* ---- life ---- */

static void read_traceparent(struct rpc *c, const grpc_metadata_array *metadata)
{
	for (size_t i = 0; i < metadata->count; i++) {
		const grpc_metadata *m = &metadata->metadata[i]; /* nothing else is read of metadata */
		if (grpc_slice_str_cmp(m->key, "traceparent") == 0)
			eg_call_set_traceparent(&c->call, (const char *)GRPC_SLICE_START_PTR(m->value),
			                        GRPC_SLICE_LENGTH(m->value));
	}
}

static int64_t mono_of(gpr_timespec t)
{
	gpr_timespec now = gpr_now(GPR_CLOCK_MONOTONIC);
	t = gpr_convert_clock_type(t, GPR_CLOCK_MONOTONIC);
	if (gpr_time_cmp(t, gpr_inf_future(GPR_CLOCK_MONOTONIC)) >= 0)
		return INT64_MAX;
	double left = gpr_timespec_to_micros(gpr_time_sub(t, now));
	return left < 9e15 ? eg_mono_us() + (int64_t)left : INT64_MAX;
}

static const struct eg_call_type rpc_type;

struct eg_call *eg_grpc_call_new(struct eg_grpc *server, struct eg_arrival *arrived)
{
	struct rpc *c = calloc(1, sizeof *c);
	if (c && arrived->payload && !(c->first = message_new(arrived->payload))) {
		free(c);
		c = NULL;
		arrived->payload = NULL;
	}
	if (!c) {
		grpc_call_cancel(arrived->call, NULL);
		grpc_call_unref(arrived->call);
		if (arrived->payload)
			grpc_byte_buffer_destroy(arrived->payload);
	} else {
		eg_call_init(&c->call, &rpc_type, arrived->method, eg_grpc_owner(server));
		c->call.deadline = mono_of(arrived->deadline);
		c->server = server;
		c->wire = arrived->call;
		eg_line_init(&c->line);
		c->text = grpc_empty_slice();
		c->details = grpc_empty_slice();
		c->read_tag = (struct eg_tag){EG_TAG_READ, c};
		c->send_tag = (struct eg_tag){EG_TAG_SEND, c};
		c->close_tag = (struct eg_tag){EG_TAG_CLOSE, c};
		pthread_mutex_init(&c->lock, NULL);
		read_traceparent(c, &arrived->metadata);
	}
	arrived->call = NULL;
	arrived->payload = NULL;
	return c ? &c->call : NULL;
}

static void rpc_free(struct eg_call *call)
{
	struct rpc *c = rpc_of(call);
	eg_line_drop(&c->line);
	eg_message_free(c->first);
	grpc_slice_unref(c->text);
	grpc_slice_unref(c->details);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- batches; the lock is held ---- */

static bool start(struct rpc *c, const grpc_op *ops, size_t n, struct eg_tag *tag)
{
	grpc_call_error e = grpc_call_start_batch(c->wire, ops, n, tag, NULL);
	if (e != GRPC_CALL_OK) {
		eg_log(EG_LOG_ERROR, "grpc.batch_refused", EG_T("why", grpc_call_error_to_string(e)));
		grpc_call_cancel(c->wire, NULL); /* the close tells the service */
		return false;
	}
	eg_call_hold(&c->call);
	return true;
}

static void free_out(void *out)
{
	eg_out_free(out);
}

static void add_message(struct rpc *c, grpc_op *op)
{
	struct eg_out *o = eg_line_take(&c->line);
	grpc_slice slice = grpc_slice_new_with_user_data(o->bytes, o->len, free_out, o);
	c->leaving = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	*op = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
	op->data.send_message.send_message = c->leaving;
}

static void add_status(struct rpc *c, grpc_op *op)
{
	*op = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
	op->data.send_status_from_server.status = c->code;
	op->data.send_status_from_server.status_details = &c->text;
	if (c->has_details) {
		c->trailing.key = grpc_slice_from_static_string("grpc-status-details-bin");
		c->trailing.value = c->details;
		op->data.send_status_from_server.trailing_metadata = &c->trailing;
		op->data.send_status_from_server.trailing_metadata_count = 1;
	}
	c->finished = true;
}

/* Starts what is next to be sent, if nothing is on the way. */
static void send_next(struct rpc *c)
{
	grpc_op ops[3];
	size_t n = 0;
	if (!c->wire || c->sending || c->closed || c->finished || (!c->line.first && !c->finishing))
		return;
	if (!c->initial_sent)
		ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
	c->initial_sent = true;
	c->sending_message = c->line.first != NULL;
	if (c->line.first)
		add_message(c, &ops[n++]);
	if (!c->line.first && c->finishing)
		add_status(c, &ops[n++]);
	c->sending = start(c, ops, n, &c->send_tag);
	if (!c->sending) {
		c->closed = true;
		grpc_byte_buffer_destroy(c->leaving);
		c->leaving = NULL;
	}
}

static bool rpc_read(struct eg_call *call)
{
	struct rpc *c = rpc_of(call);
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
	pthread_mutex_lock(&c->lock);
	op.data.recv_message.recv_message = &c->received;
	if (c->wire && !c->reading && !c->closed)
		c->reading = start(c, &op, 1, &c->read_tag);
	bool reading = c->reading;
	pthread_mutex_unlock(&c->lock);
	return reading;
}

static bool rpc_send(struct eg_call *call, struct eg_out *o)
{
	struct rpc *c = rpc_of(call);
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing && c->line.n < EG_OUT_MAX;
	if (takes) {
		eg_line_put(&c->line, o);
		send_next(c);
	}
	pthread_mutex_unlock(&c->lock);
	if (!takes)
		eg_out_free(o);
	return takes;
}

static void set_end(struct rpc *c, int code, const char *text, struct eg_bytes details)
{
	c->finishing = true;
	c->code = (grpc_status_code)code;
	c->text = grpc_slice_from_copied_string(text);
	c->has_details = details.len > 0;
	if (c->has_details)
		c->details = grpc_slice_from_copied_buffer((const char *)details.p, details.len);
	send_next(c);
}

static void rpc_finish(struct eg_call *call, int code, const char *text, struct eg_bytes details)
{
	struct rpc *c = rpc_of(call);
	pthread_mutex_lock(&c->lock);
	if (!c->finishing && !c->closed)
		set_end(c, code, text, details);
	pthread_mutex_unlock(&c->lock);
}

static void rpc_answer(struct eg_call *call, struct eg_out *o)
{
	struct rpc *c = rpc_of(call);
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing;
	if (takes) {
		eg_line_put(&c->line, o);
		set_end(c, GRPC_STATUS_OK, "", (struct eg_bytes){0});
	}
	pthread_mutex_unlock(&c->lock);
	if (!takes)
		eg_out_free(o);
}

/* ---- on a poller ---- */

/* Takes an event off the count. With the last one of a call that has nothing under way, the core's call is
 * let go and the service told; nothing comes after that. */
static void told(struct rpc *c)
{
	grpc_call *gone = NULL;
	pthread_mutex_lock(&c->lock);
	c->busy--;
	if (c->closed && !c->closing && !c->reading && !c->sending && !c->busy && !c->told) {
		c->told = true;
		gone = c->wire;
		c->wire = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (!gone)
		return;
	if (c->call.method && c->call.method->events->closed)
		c->call.method->events->closed(&c->call);
	grpc_call_unref(gone);
	eg_grpc_gone(c->server);
}

void eg_grpc_call_begin(struct eg_call *call)
{
	struct rpc *c = rpc_of(call);
	grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
	op.data.recv_close_on_server.cancelled = &c->cancelled;
	pthread_mutex_lock(&c->lock);
	c->busy++;
	c->closing = start(c, &op, 1, &c->close_tag);
	pthread_mutex_unlock(&c->lock);
	struct eg_message *first = c->first;
	c->first = NULL;
	eg_call_hold(&c->call); /* the service may drop the last reference in began */
	if (c->call.method)
		c->call.method->events->began(&c->call, first);
	else
		eg_message_free(first);
	told(c);
	eg_call_release(&c->call);
}

void eg_grpc_call_completed(void *of, enum eg_tag_kind kind, bool ok)
{
	struct rpc *c = of;
	const struct eg_call_events none = {0}, *events = c->call.method ? c->call.method->events : &none;
	struct eg_message *m = NULL;
	bool sent = false, lost = false;

	pthread_mutex_lock(&c->lock);
	c->busy++;
	switch (kind) {
	case EG_TAG_READ:
		c->reading = false;
		m = message_new(c->received);
		lost = c->received && !m;
		c->received = NULL;
		break;
	case EG_TAG_SEND:
		c->sending = false;
		if (c->leaving)
			grpc_byte_buffer_destroy(c->leaving);
		c->leaving = NULL;
		sent = ok && c->sending_message;
		if (!ok)
			eg_line_drop(&c->line); /* the close tells why */
		else
			send_next(c);
		break;
	default:
		c->closing = false;
		c->closed = true;
		eg_line_drop(&c->line);
		break;
	}
	pthread_mutex_unlock(&c->lock);

	if (lost) { /* the service takes it for the last; what it says after this is dropped */
		struct eg_fault f;
		eg_ask_no_memory(&f);
		eg_call_fail(&c->call, &f);
	}
	if (kind == EG_TAG_READ && events->read)
		events->read(&c->call, m);
	else
		eg_message_free(m);
	if (sent && events->sent)
		events->sent(&c->call);
	told(c);
	eg_call_release(&c->call);
}

/* ---- who calls ---- */

static bool rpc_closed(struct eg_call *call)
{
	struct rpc *c = rpc_of(call);
	pthread_mutex_lock(&c->lock);
	bool closed = c->closed;
	pthread_mutex_unlock(&c->lock);
	return closed;
}

static bool has_property(const grpc_auth_context *ctx, const char *name, const char *value)
{
	grpc_auth_property_iterator it = grpc_auth_context_find_properties_by_name(ctx, name);
	const grpc_auth_property *p = grpc_auth_property_iterator_next(&it);
	return p && p->value_length == strlen(value) && !memcmp(p->value, value, p->value_length);
}

/* The identity is the certificate itself, not what the core took for the peer's name. */
static void read_certificate(grpc_call *call, struct eg_peer *out)
{
	grpc_auth_context *ctx = grpc_call_auth_context(call);
	if (!ctx)
		return;
	if (has_property(ctx, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME, "ssl")) {
		grpc_auth_property_iterator it =
		        grpc_auth_context_find_properties_by_name(ctx, GRPC_X509_PEM_CERT_PROPERTY_NAME);
		const grpc_auth_property *p = grpc_auth_property_iterator_next(&it);
		if (p && !grpc_auth_property_iterator_next(&it)) { /* two would be an ambiguity */
			out->kind = EG_PEER_CERTIFICATE;
			eg_buf_add(&out->pem, p->value, p->value_length);
		}
	}
	grpc_auth_context_release(ctx);
}

static void rpc_peer(struct eg_call *call, struct eg_peer *out)
{
	struct rpc *c = rpc_of(call);
	char *name = NULL;
	int fd;
	pthread_mutex_lock(&c->lock);
	if (c->wire && (name = grpc_call_get_peer(c->wire)) && sscanf(name, "fd:%d", &fd) == 1) {
		if (eg_grpc_local_uid(c->server, fd, &out->uid))
			out->kind = EG_PEER_LOCAL;
	} else if (c->wire) {
		read_certificate(c->wire, out);
	}
	pthread_mutex_unlock(&c->lock);
	gpr_free(name);
}

static const struct eg_call_type rpc_type = {.peer = rpc_peer,
                                             .read = rpc_read,
                                             .send = rpc_send,
                                             .finish = rpc_finish,
                                             .answer = rpc_answer,
                                             .closed = rpc_closed,
                                             .free = rpc_free};
