/* intake: the one door in. It judges a ticket on the caller's thread, then queues it for the writer.
 *
 * Judging: dataset and operation permitted, limits, grading, normalised identity, tokens, claim digest,
 * sealing of the claim part. A full lane makes put wait: that waiting is the backpressure every transport
 * feels. Thread: any number at once. */
#ifndef EG_FLOW_INTAKE_H
#define EG_FLOW_INTAKE_H

#include "base/queue.h"
#include "flow/ticket.h"
#include "trust/vault.h"

struct eg_intake;

struct eg_intake_options {
	struct eg_vault *vault;
	struct eg_queue_limits lane; /* of each lane */
	unsigned max_records;        /* per batch; default 1000 */
	size_t max_batch_bytes;      /* default 1 MiB */
	size_t max_record_bytes;     /* canonical size of one record; default 16 KiB */
};

struct eg_intake *eg_intake_new(const struct eg_intake_options *o);
void eg_intake_free(struct eg_intake *in);
struct eg_queue *eg_intake_queue(struct eg_intake *in); /* the writer's end */
void eg_intake_close(struct eg_intake *in); /* refuses new tickets with EG_CLOSED; what is queued drains */

/* Judges (a submission) and queues. EG_OK: the ticket is the writer's. Otherwise it is still the caller's:
 * EG_DENIED, EG_LIMIT, EG_INVALID with the field; EG_DEADLINE: no room until then; EG_CLOSED. */
enum eg_rc eg_intake_put(struct eg_intake *in, struct eg_ticket *t, int64_t mono_deadline_us,
                         struct eg_err *err);
/* Judges alone: what put would do before it queues. */
enum eg_rc eg_intake_judge(struct eg_intake *in, struct eg_ticket *t, struct eg_err *err);
/* As put, and waits for the commit. The ticket is the caller's again whatever comes back; done is not
 * called. */
enum eg_rc eg_intake_put_and_wait(struct eg_intake *in, struct eg_ticket *t, int64_t mono_deadline_us,
                                  struct eg_err *err);
/* EG_INVALID: a text that goes into unsealed headers is none, or holds an ID number. */
enum eg_rc eg_intake_open_text(const char *text, const char *field, struct eg_err *err);
/* Tokens as intake makes them, for look-ups. */
void eg_source_token(const struct eg_vault *v, struct eg_bytes agency, struct eg_bytes dataset,
                     struct eg_bytes key, uint8_t token[EG_TOKEN_SIZE]);
void eg_id18_token(const struct eg_vault *v, const char *id18, uint8_t token[EG_TOKEN_SIZE]);
bool eg_join_key(const struct eg_vault *v, const struct eg_identity *id, uint8_t key[EG_JOIN_KEY_SIZE]);

#endif
