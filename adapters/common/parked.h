/* parked: events that the agency refused, with the later ones of the same persons that wait behind them, in
 * the checkpoint.
 *
 *   refused, gone --retry--> ready --delivered--> (not parked)
 *   behind --(nothing of its person is before it)--> ready       any --drop--> (not parked)
 *   ready, behind --the gateway has it no more--> gone
 *
 * Only positions in the log and tokens of persons are kept: the event itself is fetched again from the
 * gateway, so that no personal data lies on this machine. A person of a snapshot has no event to fetch, so of
 * those the gateway's reference is kept, which means something to this agency only. Nothing is durable before
 * eg_checkpoint_save. Thread: the agent's. */
#ifndef EG_ADAPTERS_PARKED_H
#define EG_ADAPTERS_PARKED_H

#include "eldergate/checkpoint.h"

enum { EG_PARKED_REF_MAX = 64 };

struct eg_parked {
	char log_id[40];
	uint64_t seq;
	char state; /* 'r' refused, 'b' behind, 'y' ready, 'g' gone: the gateway has it no more */
	char person_ref[EG_PARKED_REF_MAX + 1]; /* of a person of a snapshot; "": it is an event */
	char reason[200]; /* of a refused one: what the agency's system said, without values */
};

/* person: of a snapshot. refusal NULL: behind. One that is parked already stays as it is: a snapshot shows
 * persons with events that follow it, which then come once more. EG_CONFLICT: another person's is. */
enum eg_rc eg_parked_add(struct eg_checkpoint *c, const char *log_id, uint64_t seq, const char *person_ref,
                         bool person, const struct eg_err *refusal, struct eg_err *err);
unsigned eg_parked_count(const struct eg_checkpoint *c);
bool eg_parked_person(const struct eg_checkpoint *c, const char *person_ref); /* has one waiting */
/* The first that may be delivered now: nothing of its person is before it, and it is neither refused nor
 * gone. */
bool eg_parked_next(const struct eg_checkpoint *c, struct eg_parked *out);
/* It was refused again. EG_NOT_FOUND. */
enum eg_rc eg_parked_refused(struct eg_checkpoint *c, uint64_t seq, const struct eg_err *refusal,
                             struct eg_err *err);
enum eg_rc eg_parked_gone(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err);  /* EG_NOT_FOUND */
enum eg_rc eg_parked_retry(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err); /* 0: all */
enum eg_rc eg_parked_drop(struct eg_checkpoint *c, uint64_t seq, struct eg_err *err);  /* 0: all */
void eg_parked_each(const struct eg_checkpoint *c, void (*each)(void *arg, const struct eg_parked *p),
                    void *arg);

#endif
