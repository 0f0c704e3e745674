/* file_memory: what the file connector keeps in the adapter's checkpoint.
 *
 *   PREFIX done.<token>   a file that is done: its number in the order of being done, 8 bytes
 *   PREFIX at.<name>      how far the file of this name is: digest (32), settled line, taken, refused, bad,
 *                         the mapping's revision
 *   PREFIX out            the outbound file: see file_target.c
 *
 * A token stands for the file's parts (date, region, sequence, kind) with its digest: the same bytes under
 * another date or number are another file, because their position in the dataset's order differs. It also
 * stands for the mapping's revision: under another one a file says something else, and may be sent again. */
#ifndef EG_CONNECTORS_FILE_MEMORY_H
#define EG_CONNECTORS_FILE_MEMORY_H

#include "base/buf.h"
#include "connectors/file_lines.h"
#include "connectors/file_name.h"
#include "eldergate/checkpoint.h"
#include "trust/crypto.h"

struct file_memory {
	struct eg_checkpoint *checkpoint; /* the caller's */
	const char *prefix;
	uint64_t remember; /* how many files that are done */
	uint32_t revision; /* the mapping's, now */
};

#define FILE_ALL_LINES UINT64_MAX /* every line is settled, only moving the file away may be left */

struct file_progress {
	uint8_t digest[EG_HASH_SIZE];
	uint64_t line; /* settled up to there */
	struct file_counts counts;
};

bool file_memory_done(const struct file_memory *m, const struct file_name *name,
                      const uint8_t digest[EG_HASH_SIZE]);
/* False: nothing is known of this name with this digest under this revision. */
bool file_memory_progress(const struct file_memory *m, const char *name, const uint8_t digest[EG_HASH_SIZE],
                          struct file_progress *out);
/* Each is durable when it returns EG_OK. */
enum eg_rc file_memory_put_progress(const struct file_memory *m, const char *name,
                                    const struct file_progress *p, struct eg_err *err);
/* Drops the progress; the oldest beyond `remember` are forgotten. */
enum eg_rc file_memory_put_done(const struct file_memory *m, const struct file_name *name,
                                const uint8_t digest[EG_HASH_SIZE], struct eg_err *err);
enum eg_rc file_memory_drop_progress(const struct file_memory *m, const char *name, struct eg_err *err);
/* What is known of files that are not in the inbox any more: those with every line settled are done, the
 * others are forgotten. */
enum eg_rc file_memory_tidy(const struct file_memory *m, const struct file_pattern *pattern, int inbox,
                            struct eg_err *err);

/* Tokens of files that were fetched from a server and stayed there: PREFIX pulled.<token>. */
enum eg_rc file_memory_put_pulled(const struct file_memory *m, const uint8_t token[16], struct eg_err *err);
void file_memory_pulled(const struct file_memory *m, struct eg_buf *tokens); /* 16 bytes each */

#endif
