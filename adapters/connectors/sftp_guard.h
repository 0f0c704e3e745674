/* sftp_guard: shuts a socket down at a deadline, so that a library call that would wait on it for ever
 * returns.
 *
 * One thread ("sftp-guard") for each guard. The socket stays its owner's; it must outlive the guard. Thread:
 * any. */
#ifndef EG_CONNECTORS_SFTP_GUARD_H
#define EG_CONNECTORS_SFTP_GUARD_H

#include "eldergate/err.h"

#include <stdint.h>

struct sftp_guard;

enum eg_rc sftp_guard_start(struct sftp_guard **out, int socket, struct eg_err *err);
void sftp_guard_set(struct sftp_guard *g, int64_t mono_deadline_us); /* INT64_MAX: none */
void sftp_guard_cut(struct sftp_guard *g);                           /* now */
bool sftp_guard_fell(struct sftp_guard *g);                          /* was it shut down? */
void sftp_guard_stop(struct sftp_guard *g);                          /* NULL is fine */

#endif
