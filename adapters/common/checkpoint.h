/* checkpoint: what of the checkpoint only the adapters' own programs need. */
#ifndef EG_ADAPTERS_CHECKPOINT_H
#define EG_ADAPTERS_CHECKPOINT_H

#include "eldergate/checkpoint.h"

/* All names and values together; more is EG_LIMIT. A save writes all of it. */
#define EG_CHECKPOINT_MAX (8 << 20)

/* Opens what was last saved without the lock, to look at it while the adapter runs; never saved.
 * EG_NOT_FOUND.
 */
enum eg_rc eg_checkpoint_peek(struct eg_checkpoint **out, const char *dir, struct eg_err *err);

#endif
