/* powerdisk: what a loss of power would leave of one directory.
 *
 * For each file of the watched directory it knows what is durable: the bytes as of the last fsync or
 * fdatasync of that file, the names as of the last one of the directory. Syncs are seen where they happen: a
 * program that links this has these two calls of the C library replaced, so SQLite's own, the store's and the
 * vault's all count, and a sync that is only believed in does not. Writes are reported by powervfs; files
 * that are not SQLite's (root.key) are known by their syncs alone.
 *
 * power_image writes a directory as it may look afterwards: of what was written since a file's last sync any
 * part may be there, in any order, cut at 512-byte sectors; a name that came or went since the directory's
 * last sync may be there or not. Bytes beside those written are left as they were: SQLite counts on that of
 * its disk. The -shm file is memory, and never there.
 *
 * Thread: any; one directory at a time. The hook runs in the thread of the operation, which waits for it. */
#ifndef EG_TEST_POWERDISK_H
#define EG_TEST_POWERDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POWER_SECTOR 512

/* What is about to happen when the power goes. */
enum power_op {
	POWER_WAL_WRITE,
	POWER_WAL_SYNC,
	POWER_WAL_CUT,
	POWER_DATABASE_WRITE,
	POWER_DATABASE_SYNC,
	POWER_DATABASE_CUT,
	POWER_JOURNAL_WRITE,
	POWER_JOURNAL_SYNC,
	POWER_JOURNAL_CUT,
	POWER_OTHER_SYNC, /* of a file that is not SQLite's */
	POWER_DELETE,
	POWER_DIRECTORY_SYNC,
	POWER_OPS
};
extern const char *const power_op_names[POWER_OPS];

struct power_watch {
	const char *dir;
	void (*before)(void *arg, enum power_op op); /* each operation; may call power_image. NULL: none */
	void *arg;
	bool ignore_directory_syncs; /* a planted fault: names are never durable */
};

/* From here on the directory is watched; what is in it now is durable. No file of it may be open. */
void power_watch(const struct power_watch *w);
void power_unwatch(void);
/* Writes what may be left into `to`, a directory it makes. *random: state of power_random. */
void power_image(const char *to, uint64_t *random);
uint64_t power_random(uint64_t *state);

/* ---- for powervfs, between enter and leave (which nest) ---- */
struct power_inode;
void power_enter(void);
void power_leave(void);
/* A file of SQLite's; NULL: it is not of the watched directory. */
struct power_inode *power_opened(const char *path);
/* About to happen: a write, a cut of the file to size, anything else. */
void power_wrote(struct power_inode *i, size_t at, const void *p, size_t len, enum power_op op);
void power_cut(struct power_inode *i, size_t size, enum power_op op);
void power_comes(enum power_op op);

#endif
