/* lines: a stream cut into its lines, of any size and with nothing lost.
 *
 * A line is handed out with its end (LF or CR LF; the last may have none). One that is longer than the limit
 * comes in pieces, each but the last without an end. Thread: one at a time. */
#ifndef EG_BASE_LINES_H
#define EG_BASE_LINES_H

#include "base/buf.h"
#include "eldergate/err.h"

#include <sys/types.h>

/* Up to len bytes; 0 at the end; -1 with errno. */
typedef ssize_t eg_read(void *arg, void *p, size_t len);

struct eg_lines;
/* NULL: no memory. The name is for errors, and is copied. */
struct eg_lines *eg_lines_new(const char *name, eg_read *read, void *arg, size_t line_max);
void eg_lines_free(struct eg_lines *l); /* wipes; NULL is fine */

/* *line lives until the next call. piece: it is part of a line that is too long. EG_EMPTY at the end; EG_IO.
 */
enum eg_rc eg_lines_next(struct eg_lines *l, struct eg_bytes *line, bool *piece, struct eg_err *err);
/* What has been read and not handed out, at least `least` bytes unless the stream ends before. */
enum eg_rc eg_lines_ahead(struct eg_lines *l, size_t least, struct eg_bytes *out, struct eg_err *err);
void eg_lines_skip(struct eg_lines *l, size_t n); /* drops n bytes that are ahead */

#endif
