/* file: whole files in and out.
 *
 * A file that is replaced is never seen half written, and is on the disk when the call returns. Thread: any.
 */
#ifndef EG_CLI_FILE_H
#define EG_CLI_FILE_H

#include "base/buf.h"
#include "eldergate/err.h"

#include <sys/types.h>

/* Appends the file to out. "-": standard input. EG_NOT_FOUND, EG_IO, EG_LIMIT (more than max bytes). */
enum eg_rc file_read(const char *path, size_t max, struct eg_buf *out, struct eg_err *err);
/* Writes beside it, syncs, renames, syncs the directory. */
enum eg_rc file_replace(const char *path, struct eg_bytes text, mode_t mode, struct eg_err *err);
/* EG_EXISTS if the file is there. */
enum eg_rc file_make(const char *path, struct eg_bytes text, mode_t mode, struct eg_err *err);
enum eg_rc file_mkdir(const char *path, mode_t mode, struct eg_err *err); /* one that is there is fine */
/* Byte for byte; *to must not be there. Regular files of a flat directory, no links. */
enum eg_rc file_copy_dir(const char *from, const char *to, struct eg_err *err);

#endif
