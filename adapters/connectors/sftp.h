/* sftp: files of one folder on a server, over SFTP; the only user of libssh.
 *
 * The server's key must stand in the known_hosts file: an unknown or another key is EG_UNAUTHENTICATED, and
 * nothing is sent to it. The user's and the system's ssh configuration are not read. Every operation ends
 * within the timeout (a fetch or a store: each piece of 32 KiB), or at the deadline that was set; the
 * connection is lost then and everything after it is EG_UNAVAILABLE: close it, open another. Names are single
 * components below the folder. Thread: one, but for cut. */
#ifndef EG_CONNECTORS_SFTP_H
#define EG_CONNECTORS_SFTP_H

#include "base/buf.h"
#include "eldergate/err.h"
#include "eldergate/settings.h"

struct eg_sftp;

struct eg_sftp_options {
	const char *host, *user, *known_hosts, *folder;
	const char *key_file, *passphrase, *password; /* "": none; a key is tried before a password */
	int port;
	int64_t timeout_us;
};
/* Of the settings sftp_*; EG_CONFIG when something is missing. *out's host is "" when there is none. */
enum eg_rc eg_sftp_options_read(struct eg_sftp_options *out, const struct eg_settings *s, struct eg_err *err);

struct eg_sftp_file {
	char name[256];
	uint64_t size;
	uint32_t changed; /* mtime in seconds: all that the protocol tells */
	bool regular;
};

/* Only makes it, so that cut can reach it while it connects. o's texts outlive it. NULL: out of memory. */
struct eg_sftp *eg_sftp_new(const struct eg_sftp_options *o);
/* Once. EG_UNAVAILABLE, EG_UNAUTHENTICATED (host key, account), EG_NOT_FOUND (folder). */
enum eg_rc eg_sftp_connect(struct eg_sftp *s, struct eg_err *err);
void eg_sftp_close(struct eg_sftp *s); /* NULL is fine */
void eg_sftp_cut(struct eg_sftp *s);   /* from any thread: what is under way fails at once */
/* No operation goes beyond this; INT64_MAX: only the timeout counts. */
void eg_sftp_deadline(struct eg_sftp *s, int64_t mono_deadline_us);

/* Calls each for every entry; false from it ends the walk. */
enum eg_rc eg_sftp_each(struct eg_sftp *s, bool (*each)(void *arg, const struct eg_sftp_file *f), void *arg,
                        struct eg_err *err);
enum eg_rc eg_sftp_stat(struct eg_sftp *s, const char *name, struct eg_sftp_file *out, struct eg_err *err);
/* Writes the file to fd. EG_LIMIT: more than max bytes; EG_CONFLICT: it changed meanwhile. *ours: it was
 * writing to fd that failed. */
enum eg_rc eg_sftp_fetch(struct eg_sftp *s, const char *name, uint64_t max, int fd, bool *ours,
                         struct eg_err *err);
enum eg_rc eg_sftp_get(struct eg_sftp *s, const char *name, size_t max, struct eg_buf *out,
                       struct eg_err *err);
/* Writes ".NAME.tmp", syncs it where the server can, renames it over NAME. EG_NO_SPACE only where the server
 * says so: most answer a full disk with a plain failure, EG_IO. */
enum eg_rc eg_sftp_put(struct eg_sftp *s, const char *name, struct eg_bytes bytes, struct eg_err *err);
/* Into a folder below, which is made when it is missing. EG_EXISTS: there is such a name in it. */
enum eg_rc eg_sftp_move(struct eg_sftp *s, const char *name, const char *folder, const char *new_name,
                        struct eg_err *err);

#endif
