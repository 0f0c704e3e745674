/* streams: see streams.h. */
#include "streams.h"

#include "base/clock.h"
#include "bench.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MAX_MESSAGE = 64 << 20 };

struct stream;
struct tag {
	enum { BEGUN, READ, ENDED } kind;
	struct stream *of;
};

struct stream {
	grpc_channel *channel;
	grpc_call *call;
	struct tag begun, read, ended;
	grpc_metadata_array initial, trailing;
	grpc_byte_buffer *received;
	grpc_status_code code;
	grpc_slice text;
	bool over; /* what comes is of no interest */
};

struct streams {
	grpc_completion_queue *queue;
	unsigned n, under_way; /* batches */
	struct stream each[];
};

static void start(struct streams *s, struct stream *c, const grpc_op *ops, size_t n, struct tag *tag)
{
	if (grpc_call_start_batch(c->call, ops, n, tag, NULL) != GRPC_CALL_OK)
		bench_die("the gRPC core refused a batch");
	s->under_way++;
}

static void read_next(struct streams *s, struct stream *c)
{
	grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
	op.data.recv_message.recv_message = &c->received;
	start(s, c, &op, 1, &c->read);
}

static void begin(struct streams *s, struct stream *c, const char *server, const char *method,
                  struct eg_bytes request)
{
	grpc_arg args[] = {
	        {.type = GRPC_ARG_INTEGER, .key = "grpc.use_local_subchannel_pool", .value.integer = 1},
	        {.type = GRPC_ARG_INTEGER,
	         .key = GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
	         .value.integer = MAX_MESSAGE}};
	grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
	c->channel = grpc_channel_create(server, credentials, &(grpc_channel_args){2, args});
	grpc_channel_credentials_release(credentials);
	c->call = grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, s->queue,
	                                   grpc_slice_from_static_string(method), NULL,
	                                   gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	c->begun = (struct tag){BEGUN, c};
	c->read = (struct tag){READ, c};
	c->ended = (struct tag){ENDED, c};
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	grpc_slice slice = grpc_slice_from_copied_buffer((const char *)request.p, request.len);
	grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	grpc_op first[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
	                    {.op = GRPC_OP_SEND_MESSAGE},
	                    {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
	                    {.op = GRPC_OP_RECV_INITIAL_METADATA}};
	first[1].data.send_message.send_message = message;
	first[3].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
	start(s, c, first, 4, &c->begun);
	grpc_byte_buffer_destroy(message);
	grpc_op last = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
	last.data.recv_status_on_client.trailing_metadata = &c->trailing;
	last.data.recv_status_on_client.status = &c->code;
	last.data.recv_status_on_client.status_details = &c->text;
	start(s, c, &last, 1, &c->ended);
	read_next(s, c);
}

struct streams *streams_open(const char *server, const char *method, const struct eg_bytes *requests,
                             unsigned n)
{
	grpc_init();
	struct streams *s = bench_alloc(1, sizeof *s + n * sizeof *s->each);
	s->queue = grpc_completion_queue_create_for_next(NULL);
	s->n = n;
	for (unsigned i = 0; i < n; i++)
		begin(s, &s->each[i], server, method, requests[i]);
	return s;
}

static void take_message(struct stream *c, struct eg_buf *message)
{
	grpc_byte_buffer_reader reader;
	grpc_slice part;
	eg_buf_reset(message);
	if (!grpc_byte_buffer_reader_init(&reader, c->received))
		bench_die("a message could not be read");
	while (grpc_byte_buffer_reader_next(&reader, &part)) {
		eg_buf_add(message, GRPC_SLICE_START_PTR(part), GRPC_SLICE_LENGTH(part));
		grpc_slice_unref(part);
	}
	grpc_byte_buffer_reader_destroy(&reader);
	grpc_byte_buffer_destroy(c->received);
	c->received = NULL;
}

unsigned streams_next(struct streams *s, int64_t timeout_us, struct eg_buf *message)
{
	gpr_timespec until =
	        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(timeout_us, GPR_TIMESPAN));
	for (;;) {
		grpc_event e = grpc_completion_queue_next(s->queue, until, NULL);
		if (e.type != GRPC_OP_COMPLETE)
			bench_die("the streams were silent");
		const struct tag *tag = e.tag;
		struct stream *c = tag->of;
		s->under_way--;
		if (tag->kind == ENDED && !c->over)
			bench_die("a stream ended early: %d %.*s", (int)c->code,
			          (int)GRPC_SLICE_LENGTH(c->text),
			          (const char *)GRPC_SLICE_START_PTR(c->text));
		if (tag->kind != READ || !c->received)
			continue;
		take_message(c, message);
		if (c->over)
			continue;
		read_next(s, c);
		return (unsigned)(c - s->each);
	}
}

void streams_end(struct streams *s, unsigned i)
{
	s->each[i].over = true;
	grpc_call_cancel(s->each[i].call, NULL);
}

void streams_close(struct streams *s)
{
	for (unsigned i = 0; i < s->n; i++)
		streams_end(s, i);
	for (; s->under_way; s->under_way--)
		grpc_completion_queue_next(s->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
	for (unsigned i = 0; i < s->n; i++) {
		struct stream *c = &s->each[i];
		grpc_byte_buffer_destroy(c->received);
		grpc_metadata_array_destroy(&c->initial);
		grpc_metadata_array_destroy(&c->trailing);
		grpc_slice_unref(c->text);
		grpc_call_unref(c->call);
		grpc_channel_destroy(c->channel);
	}
	grpc_completion_queue_shutdown(s->queue);
	grpc_completion_queue_destroy(s->queue);
	free(s);
}
