/* verdict: checks what the gateway says of its log: checkpoints and proofs, with nothing but the verifier
 * key. Pure. */
#ifndef EG_CLI_VERDICT_H
#define EG_CLI_VERDICT_H

#include "eldergate/v1/audit.pb-c.h"
#include "trust/checkpoint.h"

/* Size and root of a checkpoint. vkey NULL: the signature is not looked at. EG_INVALID, EG_CORRUPT. */
enum eg_rc verdict_checkpoint(struct eg_bytes note, const char *vkey, struct eg_checkpoint *out,
                              struct eg_err *err);
/* Does the proof show that the entry is in the tree that its checkpoint states? */
enum eg_rc verdict_inclusion(const Eldergate__V1__GetInclusionProofResponse *p, uint64_t seq,
                             const char *vkey, struct eg_err *err);
/* Does the proof show that the tree of `kept` is the beginning of the one that the proof's checkpoint states?
 */
enum eg_rc verdict_consistency(const Eldergate__V1__GetConsistencyProofResponse *p,
                               const struct eg_checkpoint *kept, const char *vkey, struct eg_checkpoint *now,
                               struct eg_err *err);

#endif
