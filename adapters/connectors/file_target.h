/* file_target: changes for the agency as files: one CSV file with its control file for a batch.
 *
 * Columns: event_id, then the mapping's. The control file is written last, with file, rows, size and digest:
 * until it is there the file does not count. Numbers have no gaps, and a batch keeps its number through a
 * crash: the checkpoint holds what is being written before it is, and the last batch after. Events of that
 * batch are not written again. Thread: the agent's. */
#ifndef EG_CONNECTORS_FILE_TARGET_H
#define EG_CONNECTORS_FILE_TARGET_H

#include "eldergate/connector.h"

struct file_target;

enum eg_rc file_target_open(struct file_target **out, const struct eg_connector_options *o,
                            struct eg_err *err);
/* EG_CONFIG: settings that do not go together; connects to nothing. */
enum eg_rc file_target_check(const struct eg_settings *s, struct eg_err *err);
enum eg_rc file_target_deliver(struct file_target *t, const struct eg_delivery *deliveries, unsigned n,
                               struct eg_delivery_result *results, int64_t mono_deadline_us,
                               struct eg_err *err);
void file_target_close(struct file_target *t); /* NULL is fine */

#endif
