/* file_outbox: where outbound files are put: a folder of this machine, or one on a server.
 *
 * Thread: the agent's. */
#ifndef EG_CONNECTORS_FILE_OUTBOX_H
#define EG_CONNECTORS_FILE_OUTBOX_H

#include "connectors/sftp.h"
#include "eldergate/bytes.h"

struct file_outbox;

/* server's host "": the folder. A server is connected to when it is first needed, and again after a failure.
 */
enum eg_rc file_outbox_open(struct file_outbox **out, const char *folder,
                            const struct eg_sftp_options *server, struct eg_err *err);
/* None of these goes on beyond it where the place is a server. */
void file_outbox_deadline(struct file_outbox *o, int64_t mono_deadline_us);
enum eg_rc file_outbox_has(struct file_outbox *o, const char *name, bool *has, struct eg_err *err);
/* Whole and durable under this name when it returns EG_OK (a server: as far as that syncs); replaces. */
enum eg_rc file_outbox_put(struct file_outbox *o, const char *name, struct eg_bytes bytes,
                           struct eg_err *err);
void file_outbox_close(struct file_outbox *o); /* NULL is fine */

#endif
