/* sftp_known: which files of a server are known, so that they are not fetched again.
 *
 * The pulling thread asks and adds; the agent's takes what is new, to keep it. Thread: any. */
#ifndef EG_CONNECTORS_SFTP_KNOWN_H
#define EG_CONNECTORS_SFTP_KNOWN_H

#include "connectors/sftp.h"

/* Stands for one state of one file there: SHA-256 of name, size and time, cut. */
struct sftp_token {
	uint8_t bytes[16];
};

struct sftp_known;

/* tokens: from before; copied. */
enum eg_rc sftp_known_new(struct sftp_known **out, const struct sftp_token *tokens, size_t n,
                          struct eg_err *err);
void sftp_known_free(struct sftp_known *k); /* NULL is fine */
bool sftp_known_has(struct sftp_known *k, const struct eg_sftp_file *f);
enum eg_rc sftp_known_add(struct sftp_known *k, const struct eg_sftp_file *f, struct eg_err *err);
/* The next that was added and not taken yet; false: none. */
bool sftp_known_take(struct sftp_known *k, struct sftp_token *out);

#endif
