/* checkpoint: small named values of one adapter that survive a crash: cursors, marks, counters of a quota.
 *
 * A put is durable when eg_checkpoint_save returns EG_OK; all puts since the last save become durable
 * together or not at all. Never an ID number or a name: keys of rows go in as tokens (eg_checkpoint_token).
 * Thread: the agent's. */
#ifndef ELDERGATE_CHECKPOINT_H
#define ELDERGATE_CHECKPOINT_H

#include "eldergate/bytes.h"
#include "eldergate/err.h"

struct eg_checkpoint;

/* Opens or makes DIR/checkpoint; takes its lock: EG_BUSY when another process has it. EG_CORRUPT: it is
 * neither the old nor the new state of a save. */
enum eg_rc eg_checkpoint_open(struct eg_checkpoint **out, const char *dir, struct eg_err *err);
void eg_checkpoint_close(struct eg_checkpoint *c); /* what was not saved is dropped; NULL is fine */

/* The value lives until the next put or drop of this name; empty if there is none. */
struct eg_bytes eg_checkpoint_get(const struct eg_checkpoint *c, const char *name);
enum eg_rc eg_checkpoint_put(struct eg_checkpoint *c, const char *name, struct eg_bytes value,
                             struct eg_err *err);
void eg_checkpoint_drop(struct eg_checkpoint *c, const char *name);
/* Every name with this prefix, in order; each must not change the checkpoint. */
void eg_checkpoint_each(const struct eg_checkpoint *c, const char *prefix,
                        void (*each)(void *arg, const char *name, struct eg_bytes value), void *arg);
enum eg_rc eg_checkpoint_save(struct eg_checkpoint *c, struct eg_err *err);
/* 16 bytes that stand for a value here: keyed with a random key of this checkpoint. */
void eg_checkpoint_token(const struct eg_checkpoint *c, struct eg_bytes value, uint8_t out[16]);

#endif
