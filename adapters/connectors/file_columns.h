/* file_columns: the columns that rows of files are handed out with: the header's, then those of the file.
 *
 *   file.name, file.region, file.as_of (YYYY-MM-DD), file.sequence, file.kind, file.position
 *
 * What a file's name does not say is NULL. The generation grows when the header differs from the last one. */
#ifndef EG_CONNECTORS_FILE_COLUMNS_H
#define EG_CONNECTORS_FILE_COLUMNS_H

#include "connectors/file_rules.h"
#include "eldergate/connector.h"

struct file_columns;

struct file_columns *file_columns_new(void); /* NULL: out of memory */
/* From now on rows are of this file. */
enum eg_rc file_columns_set(struct file_columns *c, const struct eg_bytes *header, unsigned n,
                            const struct file_name *file, enum file_position position, struct eg_err *err);
const struct eg_columns *file_columns(const struct file_columns *c);
/* The header's values with those of the file behind; until the next call. */
const struct eg_bytes *file_columns_row(struct file_columns *c, const struct eg_bytes *values);
void file_columns_free(struct file_columns *c); /* NULL is fine */

/* Where the day of its name begins in China, whose agencies name it: of that day's hours none is said, and a
 * later one would hide lag. us since 1970; 0: the name has no date. */
int64_t file_taken_at(const struct file_name *file);
int64_t file_position_of(const struct file_name *file, enum file_position position); /* 0: none */

#endif
