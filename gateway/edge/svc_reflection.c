/* svc_reflection: grpc.reflection.v1 and v1alpha, which are the same on the wire. It describes what is
 * published anyway, so it asks for no role. */
#include "edge/descriptors.h"
#include "edge/services.h"
#include "edge/stream.h"

#include "descriptor_set.h"
#include "grpc/reflection/v1/reflection.pb-c.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 4 << 20, STREAMS_MAX = 256, SERVICES_MAX = 32 };

typedef Grpc__Reflection__V1__ServerReflectionRequest request;
typedef Grpc__Reflection__V1__ServerReflectionResponse response;
#define ASKS(what)    GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

struct conversation {
	struct eg_stream stream; /* first */
};

static atomic_uint conversations;
static struct eg_descriptors *descriptors;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void open_descriptors(void)
{
	struct eg_bytes set = {eg_descriptor_set, (size_t)eg_descriptor_set_size};
	struct eg_err err;
	if (eg_descriptors_open(&descriptors, set, &err))
		descriptors = NULL;
}

static bool error(struct eg_arena *a, response *r, enum eg_rc rc, const char *text)
{
	Grpc__Reflection__V1__ErrorResponse *e = eg_arena_alloc(a, sizeof *e);
	if (!e)
		return false;
	grpc__reflection__v1__error_response__init(e);
	e->error_code = eg_rc_grpc(rc);
	e->error_message = (char *)(uintptr_t)text;
	r->message_response_case = ANSWERS(ERROR_RESPONSE);
	r->error_response = e;
	return true;
}

static bool files(struct eg_arena *a, response *r, int file)
{
	if (file < 0)
		return error(a, r, EG_NOT_FOUND, "the gateway's protocol has no such file or symbol");
	Grpc__Reflection__V1__FileDescriptorResponse *f = eg_arena_alloc(a, sizeof *f);
	int *which = eg_arena_alloc(a, eg_descriptors_files(descriptors) * sizeof *which);
	if (!f || !which)
		return false;
	grpc__reflection__v1__file_descriptor_response__init(f);
	f->n_file_descriptor_proto = eg_descriptors_closure(descriptors, file, which);
	f->file_descriptor_proto =
	        eg_arena_alloc(a, f->n_file_descriptor_proto * sizeof *f->file_descriptor_proto);
	if (!f->file_descriptor_proto)
		return false;
	for (size_t i = 0; i < f->n_file_descriptor_proto; i++) {
		struct eg_bytes b = eg_descriptors_bytes(descriptors, which[i]);
		f->file_descriptor_proto[i] = (ProtobufCBinaryData){b.len, (uint8_t *)(uintptr_t)b.p};
	}
	r->message_response_case = ANSWERS(FILE_DESCRIPTOR_RESPONSE);
	r->file_descriptor_response = f;
	return true;
}

static bool services(struct eg_arena *a, response *r)
{
	Grpc__Reflection__V1__ListServiceResponse *l = eg_arena_alloc(a, sizeof *l);
	Grpc__Reflection__V1__ServiceResponse *rows = eg_arena_alloc(a, SERVICES_MAX * sizeof *rows);
	if (!l || !rows)
		return false;
	grpc__reflection__v1__list_service_response__init(l);
	l->service = eg_arena_alloc(a, SERVICES_MAX * sizeof *l->service);
	if (!l->service)
		return false;
	for (unsigned i = 0; i < eg_n_methods && l->n_service < SERVICES_MAX; i++) {
		const char *name = eg_methods[i].path + 1;
		size_t len = (size_t)(strchr(name, '/') - name);
		if (i && strncmp(eg_methods[i - 1].path + 1, name, len + 1) == 0)
			continue; /* the table has a service's methods side by side */
		Grpc__Reflection__V1__ServiceResponse *row = &rows[l->n_service];
		grpc__reflection__v1__service_response__init(row);
		if (!(row->name = eg_arena_text(a, name, len)))
			return false;
		l->service[l->n_service++] = row;
	}
	r->message_response_case = ANSWERS(LIST_SERVICES_RESPONSE);
	r->list_services_response = l;
	return true;
}

static bool respond(struct eg_arena *a, request *q, response *r)
{
	const char *symbol;
	r->valid_host = q->host;
	r->original_request = q;
	switch (q->message_request_case) {
	case ASKS(FILE_BY_FILENAME):
		return files(a, r, eg_descriptors_file(descriptors, q->file_by_filename));
	case ASKS(FILE_CONTAINING_SYMBOL):
		symbol = q->file_containing_symbol;
		return files(a, r, eg_descriptors_symbol(descriptors, *symbol == '.' ? symbol + 1 : symbol));
	case ASKS(LIST_SERVICES):
		return services(a, r);
	case ASKS(FILE_CONTAINING_EXTENSION):
	case ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE):
		return error(a, r, EG_NOT_FOUND, "the gateway's protocol has no extensions");
	default:
		return error(a, r, EG_INVALID, "the request asks for nothing");
	}
}

/* EG_OK: the answer is on its way. */
static enum eg_rc answer(struct conversation *v, struct eg_message *m, struct eg_fault *f)
{
	struct eg_arena *a = eg_arena_new(ARENA_BYTES);
	ProtobufCMessage *q = NULL;
	response r = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
	struct eg_out *out = NULL;
	enum eg_rc rc = EG_OK;
	if (!a || !descriptors)
		rc = eg_ask_no_memory(f);
	if (!rc) {
		f->reason = EG_REASON_MALFORMED_REQUEST;
		rc = eg_pb_read(&grpc__reflection__v1__server_reflection_request__descriptor,
		                eg_message_bytes(m), a, &q, &f->err);
	}
	if (!rc && (!respond(a, (request *)(void *)q, &r) || !(out = eg_pb_out(&r.base))))
		rc = eg_ask_no_memory(f);
	if (out)
		eg_call_send(v->stream.call, out);
	eg_arena_free(a);
	return rc;
}

static bool step(struct eg_job *job, struct eg_worker *w)
{
	struct conversation *v = (struct conversation *)eg_stream_of(job);
	struct eg_fault f = {0};
	(void)w;
	pthread_mutex_lock(&v->stream.lock);
	struct eg_message *m = v->stream.message;
	bool ended = v->stream.half_closed;
	v->stream.message = NULL;
	pthread_mutex_unlock(&v->stream.lock);

	if (atomic_load(&v->stream.edge->stopping)) {
		eg_refuse(&f, EG_CLOSED, 0, "", "the gateway is shutting down");
		eg_call_fail(v->stream.call, &f);
	} else if (ended) {
		eg_call_finish(v->stream.call, 0, "", (struct eg_bytes){0});
	} else if (m && answer(v, m, &f)) {
		eg_call_fail(v->stream.call, &f);
	} else if (m) {
		pthread_mutex_lock(&v->stream.lock);
		eg_stream_read(&v->stream);
		pthread_mutex_unlock(&v->stream.lock);
	}
	eg_message_free(m);
	if (!eg_stream_close(&v->stream))
		return false;
	atomic_fetch_sub(&conversations, 1);
	free(v);
	return true;
}

static void began(struct eg_call *c, struct eg_message *first)
{
	struct conversation *v = NULL;
	(void)first;
	pthread_once(&opened, open_descriptors);
	if (atomic_fetch_add(&conversations, 1) >= STREAMS_MAX || !(v = calloc(1, sizeof *v))) {
		struct eg_fault f;
		atomic_fetch_sub(&conversations, 1);
		eg_refuse(&f, EG_BUSY, 0, "", "too many reflection streams are open");
		eg_call_fail(c, &f);
		eg_call_release(c);
		return;
	}
	eg_stream_open(&v->stream, c, step);
	pthread_mutex_lock(&v->stream.lock);
	eg_stream_read(&v->stream);
	pthread_mutex_unlock(&v->stream.lock);
}

const struct eg_call_events eg_reflection = {
        .began = began, .read = eg_stream_on_read, .closed = eg_stream_on_closed};
