/* archive: a data directory opened to be read, and nothing else: store, keys, log id. No byte of it is
 * changed.
 *
 * Thread: one. */
#ifndef EG_CLI_ARCHIVE_H
#define EG_CLI_ARCHIVE_H

#include "store/store.h"
#include "trust/vault.h"

struct archive {
	struct eg_store *store;
	struct eg_conn *conn; /* the store's */
	struct eg_vault *vault;
	uint8_t log_id[16];
};

/* EG_BUSY: a daemon has the directory open. root_key: NULL: DIR/root.key. */
enum eg_rc archive_open(struct archive *a, const char *dir, const char *root_key, struct eg_err *err);
void archive_close(struct archive *a); /* of one that was not opened: does nothing */

#endif
