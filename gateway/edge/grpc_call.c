/* grpc_call: the batches of one gRPC call.
 *
 * At most one batch of each kind is under way: a read, a send, the close. Each holds a reference. When the
 * close is back and no other is under way, the core's call is let go; the object stays until its last
 * reference is dropped. Locks: lock, held for every field below it and over grpc_call_start_batch. */
#include "edge/grpc_call.h"

#include "edge/grpc_core.h"

#include "base/clock.h"
#include "base/log.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRACEPARENT_LEN 55 /* version, trace id, parent id, flags */

struct eg_message {
	grpc_byte_buffer *buffer;
	grpc_slice flat;
	bool is_flat;
};

struct eg_out {
	struct eg_out *next;
	grpc_slice slice;
};

struct eg_call {
	struct eg_grpc *server;
	const struct eg_method *method; /* NULL: not offered */
	struct eg_message *first;
	int64_t deadline;
	char traceparent[TRACEPARENT_LEN + 1];
	atomic_uint refs;
	_Atomic(void *) state;
	struct eg_tag read_tag, send_tag, close_tag;
	pthread_mutex_t lock;
	grpc_call *call; /* NULL: let go */
	bool reading, sending, sending_message, closing;
	bool initial_sent, finishing, finished; /* finished: its status is on the way */
	bool closed;                            /* nothing can be sent any more */
	bool told;                              /* the service was told of the end */
	unsigned busy;                          /* events being told */
	int cancelled;
	grpc_byte_buffer *received, *leaving;
	struct eg_out *line, **line_end;
	unsigned in_line;
	grpc_status_code code;
	grpc_slice text, details;
	grpc_metadata trailing;
	bool has_details;
};

/* ---- messages ---- */

static struct eg_message *message_new(grpc_byte_buffer *buffer)
{
	struct eg_message *m = buffer ? calloc(1, sizeof *m) : NULL;
	if (m)
		m->buffer = buffer;
	else if (buffer)
		grpc_byte_buffer_destroy(buffer);
	return m;
}

struct eg_bytes eg_message_bytes(struct eg_message *m)
{
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

void eg_message_free(struct eg_message *m)
{
	if (!m)
		return;
	if (m->is_flat)
		grpc_slice_unref(m->flat);
	grpc_byte_buffer_destroy(m->buffer);
	free(m);
}

struct eg_out *eg_out_new(size_t len)
{
	struct eg_out *o = calloc(1, sizeof *o);
	if (o)
		o->slice = grpc_slice_malloc(len);
	return o;
}

uint8_t *eg_out_bytes(struct eg_out *o)
{
	return GRPC_SLICE_START_PTR(o->slice);
}

void eg_out_free(struct eg_out *o)
{
	if (!o)
		return;
	grpc_slice_unref(o->slice);
	free(o);
}

/* ---- life ---- */

static bool is_hex(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((p[i] >= '0' && p[i] <= '9') || (p[i] >= 'a' && p[i] <= 'f')))
			return false;
	return true;
}

/* Only the form of the standard's version 00 goes into the log: nothing else is read of metadata. */
static void read_traceparent(struct eg_call *c, const grpc_metadata_array *metadata)
{
	for (size_t i = 0; i < metadata->count; i++) {
		const grpc_metadata *m = &metadata->metadata[i];
		const char *p = (const char *)GRPC_SLICE_START_PTR(m->value);
		if (grpc_slice_str_cmp(m->key, "traceparent") != 0 ||
		    GRPC_SLICE_LENGTH(m->value) != TRACEPARENT_LEN)
			continue;
		if (!memcmp(p, "00-", 3) && is_hex(p + 3, 32) && p[35] == '-' && is_hex(p + 36, 16) &&
		    p[52] == '-' && is_hex(p + 53, 2))
			memcpy(c->traceparent, p, TRACEPARENT_LEN);
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

struct eg_call *eg_call_new(struct eg_grpc *server, struct eg_arrival *arrived)
{
	struct eg_call *c = calloc(1, sizeof *c);
	if (!c) {
		grpc_call_cancel(arrived->call, NULL);
		grpc_call_unref(arrived->call);
		if (arrived->payload)
			grpc_byte_buffer_destroy(arrived->payload);
	} else {
		c->server = server;
		c->method = arrived->method;
		c->call = arrived->call;
		c->deadline = mono_of(arrived->deadline);
		c->first = message_new(arrived->payload);
		c->refs = 1;
		c->line_end = &c->line;
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
	return c;
}

void eg_call_hold(struct eg_call *c)
{
	atomic_fetch_add(&c->refs, 1);
}

static void drop_line(struct eg_call *c)
{
	while (c->line) {
		struct eg_out *o = c->line;
		c->line = o->next;
		eg_out_free(o);
	}
	c->line_end = &c->line;
	c->in_line = 0;
}

void eg_call_release(struct eg_call *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	drop_line(c);
	eg_message_free(c->first);
	grpc_slice_unref(c->text);
	grpc_slice_unref(c->details);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- batches; the lock is held ---- */

static bool start(struct eg_call *c, const grpc_op *ops, size_t n, struct eg_tag *tag)
{
	grpc_call_error e = grpc_call_start_batch(c->call, ops, n, tag, NULL);
	if (e != GRPC_CALL_OK) {
		eg_log(EG_LOG_ERROR, "grpc.batch_refused", EG_T("why", grpc_call_error_to_string(e)));
		grpc_call_cancel(c->call, NULL); /* the close tells the service */
		return false;
	}
	eg_call_hold(c);
	return true;
}

static void add_message(struct eg_call *c, grpc_op *op)
{
	struct eg_out *o = c->line;
	c->line = o->next;
	if (!c->line)
		c->line_end = &c->line;
	c->in_line--;
	c->leaving = grpc_raw_byte_buffer_create(&o->slice, 1);
	eg_out_free(o);
	*op = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
	op->data.send_message.send_message = c->leaving;
}

static void add_status(struct eg_call *c, grpc_op *op)
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
static void send_next(struct eg_call *c)
{
	grpc_op ops[3];
	size_t n = 0;
	if (!c->call || c->sending || c->closed || c->finished || (!c->line && !c->finishing))
		return;
	if (!c->initial_sent)
		ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
	c->initial_sent = true;
	c->sending_message = c->line != NULL;
	if (c->line)
		add_message(c, &ops[n++]);
	if (!c->line && c->finishing)
		add_status(c, &ops[n++]);
	c->sending = start(c, ops, n, &c->send_tag);
	if (!c->sending) {
		c->closed = true;
		grpc_byte_buffer_destroy(c->leaving);
		c->leaving = NULL;
	}
}

bool eg_call_read(struct eg_call *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
	pthread_mutex_lock(&c->lock);
	op.data.recv_message.recv_message = &c->received;
	if (c->call && !c->reading && !c->closed)
		c->reading = start(c, &op, 1, &c->read_tag);
	bool reading = c->reading;
	pthread_mutex_unlock(&c->lock);
	return reading;
}

bool eg_call_send(struct eg_call *c, struct eg_out *o)
{
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing && c->in_line < EG_OUT_MAX;
	if (takes) {
		o->next = NULL;
		*c->line_end = o;
		c->line_end = &o->next;
		c->in_line++;
		send_next(c);
	}
	pthread_mutex_unlock(&c->lock);
	if (!takes)
		eg_out_free(o);
	return takes;
}

static void set_end(struct eg_call *c, int code, const char *text, struct eg_bytes details)
{
	c->finishing = true;
	c->code = (grpc_status_code)code;
	c->text = grpc_slice_from_copied_string(text);
	c->has_details = details.len > 0;
	if (c->has_details)
		c->details = grpc_slice_from_copied_buffer((const char *)details.p, details.len);
	send_next(c);
}

void eg_call_finish(struct eg_call *c, int code, const char *text, struct eg_bytes details)
{
	pthread_mutex_lock(&c->lock);
	if (!c->finishing && !c->closed)
		set_end(c, code, text, details);
	pthread_mutex_unlock(&c->lock);
}

void eg_call_answer(struct eg_call *c, struct eg_out *o)
{
	pthread_mutex_lock(&c->lock);
	bool takes = !c->closed && !c->finishing;
	if (takes) {
		o->next = NULL;
		*c->line_end = o;
		c->line_end = &o->next;
		c->in_line++;
		set_end(c, GRPC_STATUS_OK, "", (struct eg_bytes){0});
	}
	pthread_mutex_unlock(&c->lock);
	if (!takes)
		eg_out_free(o);
}

/* ---- on a poller ---- */

/* Takes an event off the count. With the last one of a call that has nothing under way, the core's call is
 * let go and the service told; nothing comes after that. */
static void told(struct eg_call *c)
{
	grpc_call *gone = NULL;
	pthread_mutex_lock(&c->lock);
	c->busy--;
	if (c->closed && !c->closing && !c->reading && !c->sending && !c->busy && !c->told) {
		c->told = true;
		gone = c->call;
		c->call = NULL;
	}
	pthread_mutex_unlock(&c->lock);
	if (!gone)
		return;
	if (c->method && c->method->events->closed)
		c->method->events->closed(c);
	grpc_call_unref(gone);
	eg_grpc_gone(c->server);
}

void eg_call_begin(struct eg_call *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
	op.data.recv_close_on_server.cancelled = &c->cancelled;
	pthread_mutex_lock(&c->lock);
	c->busy++;
	c->closing = start(c, &op, 1, &c->close_tag);
	pthread_mutex_unlock(&c->lock);
	struct eg_message *first = c->first;
	c->first = NULL;
	eg_call_hold(c); /* the service may drop the last reference in began */
	if (c->method)
		c->method->events->began(c, first);
	else
		eg_message_free(first);
	told(c);
	eg_call_release(c);
}

void eg_call_completed(struct eg_call *c, enum eg_tag_kind kind, bool ok)
{
	const struct eg_call_events none = {0}, *events = c->method ? c->method->events : &none;
	struct eg_message *m = NULL;
	bool sent = false;

	pthread_mutex_lock(&c->lock);
	c->busy++;
	switch (kind) {
	case EG_TAG_READ:
		c->reading = false;
		m = message_new(c->received);
		c->received = NULL;
		break;
	case EG_TAG_SEND:
		c->sending = false;
		if (c->leaving)
			grpc_byte_buffer_destroy(c->leaving);
		c->leaving = NULL;
		sent = ok && c->sending_message;
		if (!ok)
			drop_line(c); /* the close tells why */
		else
			send_next(c);
		break;
	default:
		c->closing = false;
		c->closed = true;
		drop_line(c);
		break;
	}
	pthread_mutex_unlock(&c->lock);

	if (kind == EG_TAG_READ && events->read)
		events->read(c, m);
	else
		eg_message_free(m);
	if (sent && events->sent)
		events->sent(c);
	told(c);
	eg_call_release(c);
}

/* ---- who calls ---- */

const struct eg_method *eg_call_method(const struct eg_call *c)
{
	return c->method;
}

void *eg_call_owner(const struct eg_call *c)
{
	return eg_grpc_owner(c->server);
}

void eg_call_set_state(struct eg_call *c, void *state)
{
	atomic_store(&c->state, state);
}

void *eg_call_state(const struct eg_call *c)
{
	return atomic_load(&c->state);
}

int64_t eg_call_deadline(const struct eg_call *c)
{
	return c->deadline;
}

const char *eg_call_traceparent(const struct eg_call *c)
{
	return c->traceparent;
}

bool eg_call_closed(struct eg_call *c)
{
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

void eg_call_peer(struct eg_call *c, struct eg_peer *out)
{
	char *name = NULL;
	int fd;
	*out = (struct eg_peer){0};
	pthread_mutex_lock(&c->lock);
	if (c->call && (name = grpc_call_get_peer(c->call)) && sscanf(name, "fd:%d", &fd) == 1) {
		if (eg_grpc_local_uid(c->server, fd, &out->uid))
			out->kind = EG_PEER_LOCAL;
	} else if (c->call) {
		read_certificate(c->call, out);
	}
	pthread_mutex_unlock(&c->lock);
	gpr_free(name);
}

void eg_peer_free(struct eg_peer *p)
{
	eg_buf_free(&p->pem);
}
