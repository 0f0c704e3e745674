/* claims: the versions of one source key, and which of them is effective.
 *
 * A version has three slots, assertion, void and withdrawal, that never conflict; a void names its version
 * and may arrive first. A withdrawal stands at the position of the full list that has the key no more,
 * mapping revision 0, so that whatever is asserted of that position or a later one outweighs it. The version
 * that counts is the highest one not voided that is asserted or withdrawn: asserted, it is the effective one;
 * only withdrawn, there is none. For a conflict-free set of inputs the list is the same in whatever order
 * they arrive. Versions compare as (version, mapping revision). Pure. */
#ifndef EG_MODEL_CLAIMS_H
#define EG_MODEL_CLAIMS_H

#include "base/arena.h"
#include "model/canon.h"

#define EG_DIGEST_SIZE   16
#define EG_TOKEN_SIZE    16
#define EG_JOIN_KEY_SIZE 24 /* id18 token 16 ‖ name token 8 */

/* At most this many versions are kept of one source key; a further one is quarantined with
 * VERSIONS_EXHAUSTED. */
#define EG_VERSIONS_MAX 4096

struct eg_version {
	int64_t version;
	uint32_t mapping_revision;
	bool asserted, voided, withdrawn;
	uint8_t digest[EG_DIGEST_SIZE];
	uint64_t seq; /* the log entry that holds the claim; of a confirmation: the entry it repeats */
	uint64_t void_seq, withdrawn_seq;
	bool has_key, current; /* of this version's content: its join key; a registration that is not moved
	                          out or cancelled */
	bool has_proposal;     /* a 15-digit number: `key` begins with the 18-digit token it only proposes */
	uint8_t key[EG_JOIN_KEY_SIZE];
};

struct eg_versions {
	enum eg_section section;
	struct eg_bytes agency, dataset;
	unsigned n, cap;
	struct eg_version *v; /* ascending; memory of the arena given to each call */
};

enum eg_put {
	EG_PUT_EFFECTIVE, /* the effective claim changed: APPLIED */
	EG_PUT_STALE,     /* recorded; the effective claim stands as it was */
	EG_PUT_UNCHANGED, /* known before */
	EG_PUT_CONFIRMED, /* new version, but content equals the effective one: UNCHANGED, list grew */
	EG_PUT_CONFLICT,  /* same version, other digest: VERSION_CONFLICT; nothing changed */
	EG_PUT_FULL,      /* EG_VERSIONS_MAX */
	EG_PUT_FAILED     /* the arena's budget is spent; nothing changed */
};

/* Puts a version (op assert: with digest, seq, key...; op void: only version, mapping_revision and void_seq
 * count; op withdraw: only version and withdrawn_seq). */
enum eg_put eg_versions_put(struct eg_versions *l, enum eg_op op, const struct eg_version *v,
                            struct eg_arena *a);
const struct eg_version *eg_versions_effective(const struct eg_versions *l); /* NULL: none */
/* The highest version not voided that is asserted or withdrawn. */
const struct eg_version *eg_versions_top(const struct eg_versions *l);
const struct eg_version *eg_versions_find(const struct eg_versions *l, int64_t version,
                                          uint32_t mapping_revision);
/* Decision "uphold": the version's content becomes this digest, found at seq. */
bool eg_versions_uphold(struct eg_versions *l, const struct eg_version *v);
/* The list as it stood when the log had `seq` entries, as far as the entries themselves tell: what a decision
 * or a confirmation changed since is in it. out->v needs room for l->n versions. */
void eg_versions_at(const struct eg_versions *l, uint64_t seq, struct eg_versions *out);
/* Did anything reach the list behind entry `seq`? Confirmations leave no trace of their own. */
bool eg_versions_moved(const struct eg_versions *l, uint64_t seq);

void eg_versions_write(struct eg_buf *b, const struct eg_versions *l); /* body of table source_key */
enum eg_rc eg_versions_read(struct eg_bytes body, struct eg_arena *a, struct eg_versions *out,
                            struct eg_err *err);

#endif
