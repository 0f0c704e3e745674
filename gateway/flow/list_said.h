/* list_said: what applied full lists said of a source key without writing it down.
 *
 * A list writes of a key only what is new. If its records have no versions of their own, each key that it
 * covers and neither lacks nor rejected was found as its pinned entry had it: that stood at the list's
 * position. A key that an older list withdrew and that it lacks as well is absent still at its position,
 * unless its withdrawals wait or were refused. Either is confirmed at that position when a record from before
 * it arrives late, so that this one is STALE, as it would have been in the other order; and only while
 * nothing reached the key behind the pinned entry that counts. What came between that entry and the list's
 * own is seen to when the list ends (list_late.h).
 *
 * Whatever versions its records have, a list that held a key shows its presence, which no absence from before
 * its position outweighs. Thread: one at a time. */
#ifndef EG_FLOW_LIST_SAID_H
#define EG_FLOW_LIST_SAID_H

#include "flow/listed.h"
#include "flow/ticket.h"
#include "trust/vault.h"

struct eg_list_ask {
	const struct eg_listed *listed;
	const char *dir; /* DATA/lists */
	struct eg_vault *vault;
	struct eg_conn *conn;
	struct eg_arena *arena;
	uint64_t before; /* only lists whose entry is not behind this one */
};
/* What has to be put before a record of this version (or its void): op ASSERT: what stands stood at a list's
 * position; op WITHDRAW: it was absent there; 0: nothing. */
enum eg_rc eg_list_said(const struct eg_list_ask *a, const struct eg_versions *v,
                        const uint8_t token[EG_TOKEN_SIZE], int64_t version, enum eg_op *op,
                        struct eg_version *out, struct eg_err *err);
/* Did a list of this position or a later one hold the key? */
enum eg_rc eg_list_showed(const struct eg_list_ask *a, const struct eg_versions *v,
                          const uint8_t token[EG_TOKEN_SIZE], int64_t position, bool *yes,
                          struct eg_err *err);
/* Did this list, which has no versions of its own, find the key unchanged, whatever came since? e: what
 * counted at its pinned entry, asserted. */
enum eg_rc eg_list_found(const struct eg_list_ask *a, const struct eg_list_info *l,
                         const struct eg_version *e, const uint8_t token[EG_TOKEN_SIZE], bool *yes,
                         struct eg_err *err);
/* The key as it stood when the log had `seq` entries; memory of the arena. */
enum eg_rc eg_list_key_at(const struct eg_versions *v, uint64_t seq, struct eg_arena *a,
                          struct eg_versions *out, struct eg_err *err);
/* The claim that a log entry holds; slices are the arena's. */
enum eg_rc eg_list_claim(struct eg_vault *v, struct eg_conn *c, uint64_t seq, struct eg_arena *a,
                         struct eg_claim *out, struct eg_err *err);
/* Does the list cover the key of this claim? */
bool eg_list_covers(const struct eg_list_info *l, const struct eg_claim *c);

#endif
