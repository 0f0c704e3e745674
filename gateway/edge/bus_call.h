/* bus_call: one call that came over the bus; private to the bus.
 *
 *   (waiting for its request) → begun → closed → freed with the last reference
 *
 * Services ask from any thread: read, send, finish note what is wanted and put the call on the list of work.
 * The bus's thread takes the list and acts, so every event of a call comes on that thread, one at a time.
 * Bounded: at most EG_CALL_WINDOW received messages wait for the service, EG_OUT_MAX wait for the peer's
 * credit. Thread: the bus's, but for struct eg_bus_work. */
#ifndef EG_EDGE_BUS_CALL_H
#define EG_EDGE_BUS_CALL_H

#include "base/bus_frame.h"
#include "edge/call.h"

#include <pthread.h>

struct eg_bus_call;

/* Calls that want something done; part of whoever owns them. */
struct eg_bus_work {
	pthread_mutex_t lock;
	struct eg_bus_call *first, **end;
	void (*wake)(void *arg); /* the list is no longer empty; any thread */
	void *arg;
};
void eg_bus_work_init(struct eg_bus_work *w, void (*wake)(void *arg), void *arg);
/* Takes the next one with the list's reference; NULL: none. */
struct eg_bus_call *eg_bus_work_take(struct eg_bus_work *w);
void eg_bus_work_destroy(struct eg_bus_work *w);

/* How frames leave. header only; with a payload, which is taken over when it was sent. */
enum eg_bus_sent {
	EG_BUS_SENT,
	EG_BUS_FULL, /* not now: the peer does not take what is on its way */
	EG_BUS_GONE  /* there is no such peer any more */
};
struct eg_bus_sink {
	enum eg_bus_sent (*send)(void *arg, uint32_t route, const struct eg_bus_frame *f,
	                         struct eg_out *payload);
	void *arg;
};

/* The call of an OPEN frame. max_out: the largest message that the peer takes. The reference is the peer's;
 * method NULL: not offered. NULL: no memory. */
struct eg_bus_call *eg_bus_call_new(struct eg_bus_work *w, const struct eg_method *method, void *owner,
                                    const struct eg_bus_frame *open, uint32_t route, const uint8_t key[32],
                                    size_t max_out);
uint64_t eg_bus_call_id(const struct eg_bus_call *c);
uint32_t eg_bus_call_route(const struct eg_bus_call *c);
struct eg_call *eg_bus_call_base(struct eg_bus_call *c);
void eg_bus_call_begin(struct eg_bus_call *c); /* of an EG_BIDI call, or one that is not offered */

/* What the peer sent. False: the protocol does not allow it now. */
bool eg_bus_call_message(struct eg_bus_call *c, struct eg_message *m); /* takes it either way */
bool eg_bus_call_half_close(struct eg_bus_call *c);
bool eg_bus_call_credit(struct eg_bus_call *c, uint32_t n);

enum eg_bus_state {
	EG_BUS_IDLE,    /* nothing is left to do now */
	EG_BUS_BLOCKED, /* something waits until the peer takes more: try again soon */
	EG_BUS_OVER     /* its status has left, or the peer is gone: close it */
};
enum eg_bus_state eg_bus_call_work(struct eg_bus_call *c, const struct eg_bus_sink *sink);
/* Nothing is sent or received any more; the service is told, and the peer's reference dropped. */
void eg_bus_call_close(struct eg_bus_call *c);

#endif
