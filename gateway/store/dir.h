/* dir: the data directory's lock file, its reserve file, its durability.
 *
 * DIR/lock is flocked: exclusively by the daemon, shared by those that only read. It is never deleted.
 * DIR/reserve is room kept back for the entries of reads on a full disk. Descriptors belong to the caller. */
#ifndef EG_STORE_DIR_H
#define EG_STORE_DIR_H

#include "eldergate/err.h"

#include <stdint.h>

/* *fd -1 with EG_OK: read only, and there is no lock file (a bare copy of the database). */
enum eg_rc eg_dir_lock(const char *dir, bool read_only, int *fd, struct eg_err *err);
/* Makes name an empty file of mode 0600 in dir if it is not there. */
enum eg_rc eg_dir_touch(const char *dir, const char *name, struct eg_err *err);
enum eg_rc eg_dir_sync(const char *dir, struct eg_err *err);
/* Opens or makes the reserve, filled up to bytes. EG_NO_SPACE: the disk has not so much; *fd is open and
 * holds nothing. */
enum eg_rc eg_dir_reserve(const char *dir, int64_t bytes, int *fd, struct eg_err *err);
enum eg_rc eg_dir_refill(int fd, int64_t bytes, struct eg_err *err);
/* Gives up to bytes of the reserve back to the disk; how many were given. */
int64_t eg_dir_spend(int fd, int64_t bytes);

#endif
