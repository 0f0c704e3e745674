/* stream: what every streaming call has in common: it is known to the edge, and does its work in steps on a
 * worker.
 *
 *   begun --step--> ... --closed, and nothing is left that could kick it--> gone
 *
 * Events only note what happened and kick the stream, both under its lock; its step, never two at once, looks
 * at everything and acts. So the step also sees that the policy changed or that the gateway stops. The stream
 * is freed by its own step, once nothing is left that could kick it. It is the first member of its service's
 * own struct, which is the call's state. Thread: kick from any; the rest in a step. Locks: lock, for what is
 * noted in events. */
#ifndef EG_EDGE_STREAM_H
#define EG_EDGE_STREAM_H

#include "edge/edge_core.h"

/* Messages of one stream that may wait to be judged: those with its transport, and the one that was read. */
#define EG_STREAM_MESSAGES (EG_CALL_WINDOW + 1)

struct eg_stream {
	struct eg_edge *edge;
	struct eg_call *call;
	struct eg_job job; /* its run is the stream's step */
	struct eg_stream *next, *before;
	struct eg_timer timer;
	struct eg_caller caller; /* the steps'; who is NULL: not admitted yet */
	bool counted;            /* in the quota, under this name */
	char name[EG_NAME_MAX];
	pthread_mutex_t lock;
	/* guarded by lock */
	struct eg_message *message; /* the call's first, or the one that was read last: a step takes it */
	unsigned awaited;           /* what else will kick it yet: tickets, jobs, a feed */
	bool reading, half_closed, closed, ringing;
};

/* The began event of a service: makes its state of `size` bytes, zeros but for the stream, and kicks the
 * first step. Takes first over (NULL is fine). Without memory the call fails. */
void eg_stream_begin(struct eg_call *c, struct eg_message *first, size_t size,
                     bool (*step)(struct eg_job *job, struct eg_worker *w));
/* The same for state that the service made itself. */
void eg_stream_open(struct eg_stream *s, struct eg_call *c,
                    bool (*step)(struct eg_job *job, struct eg_worker *w));
struct eg_stream *eg_stream_of(struct eg_job *job);
/* Two more events of a service; closed also comes for calls whose state could not be made. */
void eg_stream_on_read(struct eg_call *c, struct eg_message *m);
void eg_stream_on_closed(struct eg_call *c);

void eg_stream_kick(struct eg_stream *s);
/* Kicks it at that time. While it is set already, that stands. */
void eg_stream_look_again(struct eg_stream *s, int64_t mono_us);
/* Asks for the next message, unless one is asked for, waits, or will never come. The lock is held. */
void eg_stream_read(struct eg_stream *s);

/* Who calls, under the policy now in force; has to have one of the roles. */
enum eg_rc eg_stream_admit(struct eg_stream *s, unsigned roles, struct eg_fault *f);
/* The admitted caller's stream counts in the quota from now until it is closed. EG_BUSY: it has too many. */
enum eg_rc eg_stream_count(struct eg_stream *s, struct eg_fault *f);
void eg_stream_fail(struct eg_stream *s, const struct eg_fault *f); /* counts, logs and tells the refusal */

/* At the end of a step. True: the call is closed and nothing can kick the stream any more, so it is off the
 * list and let go of all it had; free it and return true from the step. False: return false; there will be
 * another step. */
bool eg_stream_close(struct eg_stream *s);

enum eg_rc eg_streams_open(struct eg_streams **out, struct eg_err *err);
void eg_streams_kick(struct eg_streams *s);
void eg_streams_free(struct eg_streams *s); /* none may be left; NULL is fine */

#endif
