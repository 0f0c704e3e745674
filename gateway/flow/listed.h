/* listed: which full lists were applied, and what they said of a key without writing it down.
 *
 * A list does not write per key that it found it unchanged, if its records have no versions of their own, nor
 * that a key which an older one withdrew is still not there. So when a record comes from before the list,
 * what the list said is confirmed at the list's position first: the late record is STALE, as it would have
 * been in the other order. That holds for a key that nothing reached since the list was compared, that the
 * list covers and did not reject; a key that the list lacks was not found unchanged; absences count only if
 * no reviewer refused them. A list that failed says nothing: what it lacked may be what was lost. Thread: one
 * at a time. */
#ifndef EG_FLOW_LISTED_H
#define EG_FLOW_LISTED_H

#include "flow/list_info.h"
#include "flow/ticket.h"
#include "trust/vault.h"

struct eg_listed {
	struct eg_arena *arena;
	unsigned n;
	struct eg_list_info *v; /* those that another one does not outdo */
};

/* Reads them anew. */
enum eg_rc eg_listed_load(struct eg_listed *l, struct eg_conn *c, struct eg_err *err);
void eg_listed_free(struct eg_listed *l);
/* Does l outdo `than` in all that either could confirm? */
bool eg_listed_outdoes(const struct eg_list_info *l, const struct eg_list_info *than);

struct eg_listed_ask {
	const struct eg_listed *listed;
	const char *dir; /* DATA/lists */
	struct eg_vault *vault;
	struct eg_conn *conn;
	struct eg_arena *arena;
	uint64_t before; /* only lists whose entry is not behind this one */
};
/* What has to be put before a record of this version (or its void): op ASSERT: what stands stood at a list's
 * position; op WITHDRAW: it was absent there; 0: nothing. */
enum eg_rc eg_listed_said(const struct eg_listed_ask *a, const struct eg_versions *v,
                          const uint8_t token[EG_TOKEN_SIZE], int64_t version, enum eg_op *op,
                          struct eg_version *out, struct eg_err *err);
/* The claim that a log entry holds; slices are the arena's. */
enum eg_rc eg_listed_claim(struct eg_vault *v, struct eg_conn *c, uint64_t seq, struct eg_arena *a,
                           struct eg_claim *out, struct eg_err *err);
/* Does the list cover the key of this claim? */
bool eg_listed_covers(const struct eg_list_info *l, const struct eg_claim *c);

#endif
