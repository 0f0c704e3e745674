/* powervfs: reports what SQLite does to its files to powerdisk, and passes it on; see powervfs.h. */
#include "powervfs.h"

#include "powerdisk.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct file {
	sqlite3_file sqlite;       /* first */
	struct power_inode *inode; /* NULL: not of the watched directory */
	enum power_op write, sync, cut;
};

static sqlite3_vfs power, *real;

static sqlite3_file *below(sqlite3_file *f)
{
	return (sqlite3_file *)((struct file *)f + 1);
}

static const sqlite3_io_methods *methods(sqlite3_file *f)
{
	return below(f)->pMethods;
}

static int power_close(sqlite3_file *f)
{
	return methods(f)->xClose(below(f));
}

static int power_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
	return methods(f)->xRead(below(f), p, len, at);
}

static int power_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	struct file *x = (struct file *)f;
	power_enter();
	power_wrote(x->inode, (size_t)at, p, (size_t)len, x->write);
	int code = methods(f)->xWrite(below(f), p, len, at);
	power_leave();
	return code;
}

static int power_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct file *x = (struct file *)f;
	power_enter();
	power_cut(x->inode, (size_t)size, x->cut);
	int code = methods(f)->xTruncate(below(f), size);
	power_leave();
	return code;
}

static int power_sync(sqlite3_file *f, int flags)
{
	struct file *x = (struct file *)f;
	power_enter();
	if (x->inode)
		power_comes(x->sync);
	int code = methods(f)->xSync(below(f), flags); /* what it does is seen by powerdisk */
	power_leave();
	return code;
}

static int power_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return methods(f)->xFileSize(below(f), size);
}

static int power_lock(sqlite3_file *f, int level)
{
	return methods(f)->xLock(below(f), level);
}

static int power_unlock(sqlite3_file *f, int level)
{
	return methods(f)->xUnlock(below(f), level);
}

static int power_reserved(sqlite3_file *f, int *held)
{
	return methods(f)->xCheckReservedLock(below(f), held);
}

static int power_control(sqlite3_file *f, int what, void *arg)
{
	/* SIZE_HINT and CHUNK_SIZE would change the file unseen; both are hints. */
	if (what == SQLITE_FCNTL_SIZE_HINT || what == SQLITE_FCNTL_CHUNK_SIZE)
		return SQLITE_NOTFOUND;
	return methods(f)->xFileControl(below(f), what, arg);
}

static int power_sector_size(sqlite3_file *f)
{
	return methods(f)->xSectorSize(below(f));
}

static int power_characteristics(sqlite3_file *f)
{
	return methods(f)->xDeviceCharacteristics(below(f));
}

static int power_shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	return methods(f)->xShmMap(below(f), region, size, extend, out);
}

static int power_shm_lock(sqlite3_file *f, int first, int n, int flags)
{
	return methods(f)->xShmLock(below(f), first, n, flags);
}

static void power_shm_barrier(sqlite3_file *f)
{
	methods(f)->xShmBarrier(below(f));
}

static int power_shm_unmap(sqlite3_file *f, int remove)
{
	return methods(f)->xShmUnmap(below(f), remove);
}

static const sqlite3_io_methods power_methods = {
        .iVersion = 2,
        .xClose = power_close,
        .xRead = power_read,
        .xWrite = power_write,
        .xTruncate = power_truncate,
        .xSync = power_sync,
        .xFileSize = power_size,
        .xLock = power_lock,
        .xUnlock = power_unlock,
        .xCheckReservedLock = power_reserved,
        .xFileControl = power_control,
        .xSectorSize = power_sector_size,
        .xDeviceCharacteristics = power_characteristics,
        .xShmMap = power_shm_map,
        .xShmLock = power_shm_lock,
        .xShmBarrier = power_shm_barrier,
        .xShmUnmap = power_shm_unmap,
};

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	struct file *x = (struct file *)f;
	(void)vfs;
	memset(x, 0, sizeof *x);
	x->write = flags & SQLITE_OPEN_WAL       ? POWER_WAL_WRITE
	           : flags & SQLITE_OPEN_MAIN_DB ? POWER_DATABASE_WRITE
	                                         : POWER_JOURNAL_WRITE;
	x->sync = x->write + 1;
	x->cut = x->write + 2;
	power_enter();
	int code = real->xOpen(real, name, below(f), flags, out_flags);
	if (code == SQLITE_OK)
		x->inode = power_opened(name);
	power_leave();
	if (below(f)->pMethods)
		x->sqlite.pMethods = &power_methods; /* SQLite closes even what failed to open */
	return code;
}

static int power_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
	(void)vfs;
	power_enter();
	power_comes(POWER_DELETE);
	int code = real->xDelete(real, name, sync_directory);
	power_leave();
	return code;
}

const char *power_vfs(void)
{
	power_enter();
	if (!real) {
		real = sqlite3_vfs_find(NULL);
		power = *real; /* the other methods look at nothing but the copied fields */
		power.pNext = NULL;
		power.zName = "power";
		power.szOsFile += (int)sizeof(struct file);
		power.xOpen = power_open;
		power.xDelete = power_delete;
		if (sqlite3_vfs_register(&power, 0) != SQLITE_OK)
			abort();
	}
	power_leave();
	return power.zName;
}
