/* ask: a unary call on its way through a service.
 *
 *   waiting → served → (its ticket committed → finished) → answered
 *
 * What shows persons sets a.ticket: the answer leaves only once that is committed, and a.after, if set, adds
 * what the commit tells. Whoever waits longer than the query timeout is answered DEADLINE_EXCEEDED. Thread:
 * serve and after run on a worker, which may differ between the two. */
#ifndef EG_EDGE_ASK_H
#define EG_EDGE_ASK_H

#include "edge/edge_core.h"

struct eg_ask {
	/* for the service */
	struct eg_edge *edge;
	struct eg_call *call;
	struct eg_caller caller;         /* unknown (who is NULL) where the method needs no role */
	struct eg_arena *arena;          /* lives until the answer has left */
	struct eg_conn *conn;            /* the worker's reader; during serve and after only */
	const ProtobufCMessage *request; /* checked and unpacked */
	struct eg_bytes raw;             /* as received */
	ProtobufCMessage *reply;         /* set by serve or after */
	struct eg_ticket *ticket;        /* set by serve: to be committed first; from then on the ask's */
	enum eg_rc (*after)(struct eg_ask *a, struct eg_fault *f);
	void *state;
	/* the ask's own */
	const struct eg_service *service;
	struct eg_message *message;
	struct eg_job job;
	struct eg_timer timer;
	struct eg_place place;
	atomic_uint refs;
	atomic_bool committed;
};

extern const struct eg_call_events eg_ask_events; /* of each unary method */

/* A ticket that records this read. persons and missing may be NULL; they are copied. *seq, if not NULL, is
 * set before after() runs. NULL: no memory (the fault is set). */
struct eg_ticket *eg_ask_query(struct eg_ask *a, const char *purpose, const char *legal_basis,
                               const uint8_t (*persons)[16], unsigned n_persons,
                               const uint8_t (*missing)[EG_TOKEN_SIZE], unsigned n_missing,
                               struct eg_fault *f);
enum eg_rc eg_ask_no_memory(struct eg_fault *f);
enum eg_rc eg_ask_legal_basis(const char *text, struct eg_fault *f); /* EG_INVALID: too long */

#endif
