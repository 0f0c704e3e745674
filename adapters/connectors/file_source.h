/* file_source: the rows of an inbox's files, one file after the other.
 *
 * The next file begins when every row of the one before has its verdict; until then next answers EG_EMPTY at
 * once, because only settle can go on. Thread: the agent's. */
#ifndef EG_CONNECTORS_FILE_SOURCE_H
#define EG_CONNECTORS_FILE_SOURCE_H

#include "eldergate/connector.h"

struct file_source;

enum eg_rc file_source_open(struct file_source **out, const struct eg_connector_options *o,
                            struct eg_err *err);
/* EG_CONFIG: settings that do not go together; connects to nothing. */
enum eg_rc file_source_check(const struct eg_settings *s, struct eg_err *err);
enum eg_rc file_source_next(struct file_source *s, int64_t mono_deadline_us, struct eg_in *out,
                            struct eg_err *err);
enum eg_rc file_source_settle(struct file_source *s, const struct eg_verdict *v, unsigned n,
                              struct eg_err *err);
/* A file that cannot be moved out of the inbox, if there is one. */
enum eg_rc file_source_trouble(const struct file_source *s, struct eg_err *err);
void file_source_close(struct file_source *s); /* NULL is fine */

#endif
