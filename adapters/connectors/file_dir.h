/* file_dir: what is done to an exchange folder, always through its descriptor and never through a link.
 *
 * Names are single components. Files are opened O_NOFOLLOW and must be regular; moves never replace; what is
 * written appears under its name only when it is whole, and is on the disk then. Thread: any. */
#ifndef EG_CONNECTORS_FILE_DIR_H
#define EG_CONNECTORS_FILE_DIR_H

#include "base/buf.h"
#include "eldergate/err.h"

#include <sys/types.h>

/* Which file it is, and which state of it. */
struct file_id {
	dev_t dev;
	ino_t ino;
	int64_t size, changed_ns; /* mtime */
	bool regular;
};
bool file_id_same(const struct file_id *a, const struct file_id *b);

/* Descriptors are O_CLOEXEC and the caller's to close. */
enum eg_rc file_dir_open(int *out, const char *path, struct eg_err *err);
/* A folder inside another: made with mode 0700 when it is missing and `make`; own: it must belong to us and
 * be closed to others, EG_CONFIG if not. EG_NOT_FOUND. */
enum eg_rc file_dir_sub(int *out, int dir, const char *name, bool make, bool own, struct eg_err *err);

/* The state of a name: EG_NOT_FOUND when it is gone. A link is told as what it is: not regular. */
enum eg_rc file_stat(int dir, const char *name, struct file_id *out, struct eg_err *err);
enum eg_rc file_stat_fd(int fd, struct file_id *out, struct eg_err *err);
/* EG_INVALID: a link or a special file; EG_NOT_FOUND; EG_DENIED: not readable. */
enum eg_rc file_open(int *out, int dir, const char *name, struct file_id *id, struct eg_err *err);
/* A small file as a whole; EG_LIMIT: more than max bytes. */
enum eg_rc file_get(int dir, const char *name, size_t max, struct eg_buf *out, struct eg_err *err);
/* Calls each for every entry but "." and ".."; false from it ends the walk. */
enum eg_rc file_each(int dir, bool (*each)(void *arg, const char *name), void *arg, struct eg_err *err);

/* Writes beside it as ".NAME.tmp", syncs, renames over NAME (mode 0600), syncs the folder. */
enum eg_rc file_put(int dir, const char *name, struct eg_bytes bytes, struct eg_err *err);
/* A name not taken in dir: NAME, NAME.2, NAME.3 and so on; out holds 256. */
enum eg_rc file_free_name(int dir, const char *name, char *out, struct eg_err *err);
/* Moves within one file system; EG_EXISTS: the new name is taken; EG_NOT_FOUND. Syncs both folders. */
enum eg_rc file_move(int from, const char *name, int to, const char *new_name, struct eg_err *err);
enum eg_rc file_sync(int fd, struct eg_err *err);
enum eg_rc file_write_all(int fd, struct eg_bytes bytes, struct eg_err *err);

#endif
