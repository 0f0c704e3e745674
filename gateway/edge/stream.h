/* stream: what every streaming call has in common: it is known to the edge, and does its work in steps on a
 * worker.
 *
 * Events only note what happened and kick the stream, both under its lock; its step, never two at once, looks
 * at everything and acts. So the step also sees that the policy changed or that the gateway stops. The stream
 * is freed by its own step, once nothing is left that could kick it. Thread: kick from any. Locks: lock, for
 * what the service notes in events. */
#ifndef EG_EDGE_STREAM_H
#define EG_EDGE_STREAM_H

#include "edge/edge_core.h"

struct eg_stream {
	struct eg_edge *edge;
	struct eg_call *call;
	struct eg_job job; /* its run is the stream's step */
	struct eg_stream *next, *before;
	pthread_mutex_t lock;
};

/* Takes over the call, and lists the stream so that it is kicked when the edge changes. */
void eg_stream_open(struct eg_stream *s, struct eg_call *c,
                    bool (*step)(struct eg_job *job, struct eg_worker *w));
void eg_stream_kick(struct eg_stream *s);
/* In a step, when nothing else can kick it any more. True: it is off the list and the call is released; free
 * it and return true from the step. False: it was kicked meanwhile; return false and close it in the next
 * step. */
bool eg_stream_close(struct eg_stream *s);

enum eg_rc eg_streams_open(struct eg_streams **out, struct eg_err *err);
void eg_streams_kick(struct eg_streams *s);
void eg_streams_free(struct eg_streams *s); /* none may be left; NULL is fine */

#endif
