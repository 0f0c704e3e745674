/* sftp_pull: fetches whole files from a server into the inbox.
 *
 * A thread of its own ("sftp-pull"), so that a slow server holds nobody up. A file appears in the inbox under
 * its name when it is whole and on the disk, its control file after it. Then it is moved to the folder `done`
 * there, or remembered, as sftp_after says. One that is too large, or may not be read, is moved to `refused`
 * there (or remembered), with a report beside it and in our own `refused`. What is wrong with one file holds
 * no other up: it is told in the log and tried again. What is wrong with the server, or with us, is told by
 * `state`, and tried again too. At most SFTP_PULL_AHEAD files wait in the inbox. Thread: the agent's. */
#ifndef EG_CONNECTORS_SFTP_PULL_H
#define EG_CONNECTORS_SFTP_PULL_H

#include "connectors/file_rules.h"
#include "connectors/sftp_known.h"

#define SFTP_PULL_AHEAD  100
#define SFTP_PULL_LISTED 20000 /* files not fetched yet that are looked at in one pass */

struct sftp_pull;

struct sftp_pull_options {
	const struct file_rules *rules; /* outlives it */
	struct eg_sftp_options server;
	int inbox, refused, work; /* folders, the caller's, which outlive it; refused, work: -1 when dry */
	bool keep;                /* leave files there, remember them */
	struct sftp_known *known; /* the caller's, outlives it */
};

enum eg_rc sftp_pull_start(struct sftp_pull **out, const struct sftp_pull_options *o, struct eg_err *err);
/* The last pass over the folder: EG_OK, EG_EMPTY (none ended yet), or what went wrong. *waits: files are
 * there that do not count as whole yet. */
enum eg_rc sftp_pull_state(struct sftp_pull *p, bool *waits, struct eg_err *err);
void sftp_pull_stop(struct sftp_pull *p); /* ends what is under way; NULL is fine */

#endif
