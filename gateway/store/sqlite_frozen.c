/* sqlite_frozen: a SQLite VFS that cannot change a byte, and still lets a WAL be read.
 *
 * It stands on "unix-none" (no file locks, no shared memory), opens every file read only, and makes and
 * deletes none. A WAL that is not there reads as an empty one. With locking_mode=EXCLUSIVE SQLite keeps the
 * WAL's index on the heap, so no -shm file is touched. Whoever uses it must know that nobody writes: the
 * store holds the directory's lock shared. Thread: any. */
#include "store/sqlite_conn.h"
#include "store/sqlite_map.h"

#include <stddef.h>
#include <string.h>

static sqlite3_vfs frozen;
static sqlite3_vfs *below;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* What below needs for a file, so that what follows is aligned. */
static size_t room_below(void)
{
	size_t align = _Alignof(max_align_t);
	return ((size_t)below->szOsFile + align - 1) / align * align;
}

static int frozen_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
	(void)vfs;
	file->pMethods = NULL; /* nothing to close if this fails */
	int kept = flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE |
	                     SQLITE_OPEN_DELETEONCLOSE);
	if (!name)
		return SQLITE_READONLY; /* a temporary file; temp_store=MEMORY needs none */
	int there = 1;
	if (flags & SQLITE_OPEN_WAL) {
		/* Run by root, SQLite gives each WAL it opens to the database's owner. To it this is none. */
		kept = (kept & ~SQLITE_OPEN_WAL) | SQLITE_OPEN_MAIN_DB;
		int code = below->xAccess(below, name, SQLITE_ACCESS_EXISTS, &there);
		if (code != SQLITE_OK)
			return code;
	}
	int code =
	        below->xOpen(below, there ? name : "/dev/null", file, kept | SQLITE_OPEN_READONLY, out_flags);
	if (code == SQLITE_OK && flags & SQLITE_OPEN_MAIN_DB)
		eg_map_begin(file, (char *)file + room_below(), name);
	return code;
}

static int frozen_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	(void)vfs;
	(void)name;
	(void)sync_dir;
	return SQLITE_READONLY;
}

static void make(void)
{
	below = sqlite3_vfs_find("unix-none");
	if (!below)
		return;
	frozen = *below; /* its other methods look at nothing but the copied fields */
	frozen.pNext = NULL;
	frozen.zName = "eldergate-frozen";
	frozen.szOsFile = (int)(room_below() + eg_map_bytes());
	frozen.xOpen = frozen_open;
	frozen.xDelete = frozen_delete;
	if (sqlite3_vfs_register(&frozen, 0) != SQLITE_OK)
		below = NULL;
}

const char *eg_frozen_vfs(void)
{
	pthread_once(&once, make);
	return below ? frozen.zName : NULL;
}
