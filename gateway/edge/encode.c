/* encode: events and states as the messages that go to Kafka. Thread: any. */
#include "edge/edge.h"

#include "edge/pb.h"
#include "edge/views.h"

#define EVENT_BYTES ((size_t)1 << 20) /* arena of one message */

static enum eg_rc write(struct eg_maker *k, const ProtobufCMessage *m, struct eg_buf *out, struct eg_err *err)
{
	enum eg_rc rc;
	if (k->failed || !m)
		rc = eg_arena_why(k->arena,
		                  eg_fail(err, EG_LIMIT, "an event does not fit the memory given to it"),
		                  err);
	else
		rc = eg_pb_write(m, out, err);
	eg_arena_free(k->arena);
	return rc;
}

enum eg_rc eg_encode_event(const struct eg_event *e, struct eg_buf *out, struct eg_err *err)
{
	struct eg_maker k = {.arena = eg_arena_new(EVENT_BYTES)};
	if (!k.arena)
		return eg_fail(err, EG_NO_MEMORY, "no memory for an event");
	Eldergate__V1__ChangeEvent *m = eg_make_event(&k, e, false);
	return write(&k, m ? &m->base : NULL, out, err);
}

enum eg_rc eg_encode_state(const struct eg_event *e, struct eg_buf *out, struct eg_err *err)
{
	struct eg_maker k = {.arena = eg_arena_new(EVENT_BYTES)};
	if (!k.arena)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a state");
	Eldergate__V1__PersonState *m = eg_make_state(&k, e);
	return write(&k, m ? &m->base : NULL, out, err);
}
