/* judge: what intake makes of one record: its reasons, identity, tokens, digest, canonical bytes.
 *
 * Thread: any. Nothing of it depends on other records or on the store. */
#ifndef EG_FLOW_JUDGE_H
#define EG_FLOW_JUDGE_H

#include "flow/intake.h"

/* The content of an assertion as its source key's list keeps it: digest, join key or proposal, current. seq
 * is left. */
void eg_version_of_claim(const struct eg_vault *v, const struct eg_claim *c, struct eg_version *out);
/* The same of a claim that was read from its canonical bytes. */
void eg_version_of_stored(const struct eg_vault *v, const struct eg_claim *c, struct eg_bytes canon,
                          struct eg_version *out);

/* Fills the judged part of an item but for its join key and its sealed bytes. The record's canonical bytes
 * are appended to canon, and item->canon.len tells how many; its pointer is the caller's to set. EG_LIMIT
 * when the arena's budget is spent. */
enum eg_rc eg_judge_item(const struct eg_vault *v, struct eg_ticket *t, struct eg_item *item, int64_t now_us,
                         size_t max_record_bytes, struct eg_buf *canon, struct eg_err *err);

/* The join key or proposal of a judged item: the writer needs it, a comparison does not. */
void eg_judge_identity(const struct eg_vault *v, struct eg_item *item);

/* Fills a judged item that withdraws a source key: held is the claim that is withdrawn, position the list's,
 * pinned the entry behind which nothing may have come. Its bytes are the arena's. */
enum eg_rc eg_judge_withdrawal(struct eg_vault *v, const struct eg_claim *held,
                               const uint8_t token[EG_TOKEN_SIZE], int64_t position, uint64_t pinned,
                               struct eg_arena *a, struct eg_item *item, struct eg_err *err);
/* Seals the claim part of a judged item into the arena: item->sealed, and a new entry id. */
enum eg_rc eg_judge_seal(struct eg_vault *v, struct eg_item *item, struct eg_arena *a, struct eg_err *err);

#endif
