/* sftp_pull: fetches whole files from a server into the inbox.
 *
 * A thread of its own ("sftp-pull"), so that a slow server holds nobody up. A file appears in the inbox under
 * its name when it is whole and on the disk, its control file after it. Then it is moved to the folder `done`
 * there, or remembered, as sftp_after says. The thread tries again after a failure; what is wrong is told by
 * `state`. At most SFTP_PULL_AHEAD files wait in the inbox. Thread: the agent's. */
#ifndef EG_CONNECTORS_SFTP_PULL_H
#define EG_CONNECTORS_SFTP_PULL_H

#include "connectors/file_rules.h"
#include "connectors/sftp.h"

#define SFTP_PULL_AHEAD  100
#define SFTP_PULL_LISTED 20000 /* entries of the folder that are looked at in one pass */

struct sftp_pull;

/* Stands for one state of one file there: SHA-256 of name, size and time, cut. */
struct sftp_pull_token {
	uint8_t bytes[16];
};

struct sftp_pull_options {
	const struct file_rules *rules; /* outlives it */
	struct eg_sftp_options server;
	int inbox;                           /* the folder; the caller's, outlives it */
	bool keep;                           /* leave files there, remember them */
	const struct sftp_pull_token *known; /* fetched before; copied */
	size_t n_known;
};

enum eg_rc sftp_pull_start(struct sftp_pull **out, const struct sftp_pull_options *o, struct eg_err *err);
/* The last pass over the folder: EG_OK, EG_EMPTY (none ended yet), or what went wrong. *waits: files are
 * there that do not count as whole yet. */
enum eg_rc sftp_pull_state(struct sftp_pull *p, bool *waits, struct eg_err *err);
/* The next token to remember; false: none. It counts as taken. */
bool sftp_pull_fetched(struct sftp_pull *p, struct sftp_pull_token *out);
void sftp_pull_stop(struct sftp_pull *p); /* ends what is under way; NULL is fine */

#endif
