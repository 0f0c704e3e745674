/* call_core: what a transport gives so that its calls are calls of the services; private to the transports
 * and call.c.
 *
 * A transport's own struct begins with struct eg_call, its messages with struct eg_message. What stands here
 * is set before began and then only read; state and refs are atomic. */
#ifndef EG_EDGE_CALL_CORE_H
#define EG_EDGE_CALL_CORE_H

#include "edge/call.h"

#include <stdatomic.h>

#define EG_TRACEPARENT_LEN 55 /* version, trace id, parent id, flags */

/* As the functions of call.h that have their names. */
struct eg_call_type {
	void (*peer)(struct eg_call *c, struct eg_peer *out); /* *out is zero */
	bool (*read)(struct eg_call *c);
	bool (*send)(struct eg_call *c, struct eg_out *o);
	void (*finish)(struct eg_call *c, int code, const char *text, struct eg_bytes details);
	void (*answer)(struct eg_call *c, struct eg_out *o);
	bool (*closed)(struct eg_call *c);
	void (*free)(struct eg_call *c); /* the last reference was dropped */
};

struct eg_call {
	const struct eg_call_type *type;
	const struct eg_method *method; /* NULL: not offered */
	void *owner;
	int64_t deadline;
	char traceparent[EG_TRACEPARENT_LEN + 1];
	atomic_uint refs;
	_Atomic(void *) state;
};

struct eg_message_type {
	struct eg_bytes (*bytes)(struct eg_message *m);
	void (*free)(struct eg_message *m);
};
struct eg_message {
	const struct eg_message_type *type;
};

struct eg_out {
	struct eg_out *next;
	size_t len;
	uint8_t *bytes;
	struct eg_out *of; /* whose bytes they are; itself, mostly */
	atomic_uint refs;  /* of its bytes */
	uint8_t own[];
};

/* Messages on their way out, in order. */
struct eg_line {
	struct eg_out *first, **end;
	unsigned n;
};
void eg_line_init(struct eg_line *l);
void eg_line_put(struct eg_line *l, struct eg_out *o);
void eg_line_put_back(struct eg_line *l, struct eg_out *o); /* as the first */
struct eg_out *eg_line_take(struct eg_line *l);             /* NULL: none */
void eg_line_drop(struct eg_line *l);

void eg_call_init(struct eg_call *c, const struct eg_call_type *type, const struct eg_method *method,
                  void *owner); /* with one reference */
/* Only the form of the standard's version 00 goes into the log; anything else leaves the call without. */
void eg_call_set_traceparent(struct eg_call *c, const char *text, size_t len);

#endif
