/* list_wire: steps of a full list as the protocol has them, and what is told of it.
 *
 * Records are read as wire.h reads those of a batch. Pure. */
#ifndef EG_EDGE_LIST_WIRE_H
#define EG_EDGE_LIST_WIRE_H

#include "edge/receipt.h"
#include "flow/lists.h"

enum eg_list_step_kind { EG_STEP_BEGIN = 1, EG_STEP_RECORDS = 2, EG_STEP_END = 3 };

/* A ReconcileRequest: which step it is, and its bytes. EG_INVALID: it does not decode, or has no step. */
enum eg_rc eg_list_step_read(struct eg_bytes message, enum eg_list_step_kind *kind, struct eg_bytes *body,
                             struct eg_err *err);
/* The begin, checked: what it says is in the arena. EG_INVALID with the field, EG_DENIED. */
enum eg_rc eg_list_begin_read(struct eg_bytes body, const struct eg_policy *policy,
                              const struct eg_identity_rule *who, struct eg_arena *a,
                              struct eg_list_begin *out, struct eg_fault *f);
/* A ticket for the records of ReconcileRecords; their bytes go into the list's digest. A message without
 * records gives none: *out NULL. */
enum eg_rc eg_list_records_take(struct eg_bytes body, const struct eg_batch_limits *limits,
                                const struct eg_policy *policy, const struct eg_identity_rule *who,
                                const char *dataset, struct eg_list *list, struct eg_ticket **out,
                                struct eg_fault *f);
/* Its items, to be judged. The claims are views into body. */
enum eg_rc eg_list_records_read(struct eg_bytes body, struct eg_ticket *t, struct eg_err *err);
enum eg_rc eg_list_end_read(struct eg_bytes body, struct eg_arena *a, uint64_t *count,
                            struct eg_bytes *digest, struct eg_fault *f);

/* One ReconcileResponse each. NULL: no memory. */
struct eg_out *eg_list_progress_out(const struct eg_list_look *look);
/* The rejects behind *at, as many as one message may hold; *at moves on, NULL at the end. */
struct eg_out *eg_list_rejects_out(struct eg_arena *a, const struct eg_list_reject **at);
struct eg_out *eg_list_report_out(struct eg_arena *a, const struct eg_list_look *look,
                                  const uint8_t log_id[16]);

#endif
