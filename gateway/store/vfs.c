/* vfs: a SQLite VFS that hands a write-ahead log to the file layer in few, large writes.
 *
 * SQLite appends each page as two writes, 24 bytes of frame header and the page. Here contiguous writes to a
 * WAL are gathered in memory and handed down as one of up to GATHER_BYTES, which spares about a tenth of the
 * processor time of a commit. Of a commit that takes several of those, the disk is asked to begin with each
 * at once (sync_file_range), so that it works while the next is gathered. Everything else passes through.
 *
 *   empty --write--> gathering --(contiguous write that fits)--> gathering
 *                    gathering --(any event below: flush)------> empty
 *
 * The layer below must never be behind what anyone else can know. Who looks at a WAL, and what flushes first:
 *
 * - The disk: xSync flushes, so what SQLite believes durable is. With synchronous=FULL, the store's setting,
 *   each commit syncs before SQLite publishes it, so there it is the sync that carries a failed write back.
 * - The same connection: a read that overlaps, xFileSize, xTruncate and every write that does not continue
 *   the last one (a frame rewritten, a checksum mended, the WAL begun anew) flush first, so order is kept.
 * - Other connections, in this process or another, read only frames up to the last one named in the
 *   wal-index header. SQLite writes that header's second copy, calls xShmBarrier, then writes the first;
 *   a reader takes it only when both agree. So a flush in xShmBarrier comes before any reader can know of
 *   a frame, whatever the synchronous setting.
 * - The next writer, and whoever recovers the wal-index from the WAL itself, must first take the write
 *   lock, which this connection holds while it writes. xShmLock flushes before it gives that lock back.
 *   What is still gathered then belongs to a transaction rolled back. It could come down on the next
 *   writer's frames later, so if the flush fails it is forgotten.
 *
 * A flush that fails is tried again by the next event, and what was gathered is kept until then: nothing of a
 * transaction vanishes while SQLite may still go on with it. xShmBarrier cannot report a failure, so from
 * then on every call on that WAL fails; under synchronous=FULL there is nothing left to flush at that point.
 *
 * A database finds its WAL, and the reverse, by sqlite3_database_file_object: they belong to one connection.
 * Thread: a file's calls come from its connection's thread, so nothing here is locked but the list of VFSs.
 * Ownership: a WAL owns its memory until it is closed. */
#include "store/vfs.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 31 frames of 4 KiB pages. SQLite's unix VFS writes at most 131,071 bytes at a time, and breaks on more. */
#define GATHER_BYTES (31 * (24 + 4096))
#define WRITE_LOCK   0 /* WAL_WRITE_LOCK of SQLite's file format: the first of the wal-index's locks */

struct layer {
	sqlite3_vfs vfs; /* below's but for name and xOpen: its other methods look at nothing else */
	sqlite3_vfs *below;
	struct layer *next;
	char name[64];
};

/* A database or a WAL; every other kind of file is below's own. The file below follows. */
struct file {
	sqlite3_file sqlite; /* first: it is what SQLite sees */
	struct file *other;  /* a database's WAL, a WAL's database, of the same connection; may be NULL */
	uint8_t *gathered;   /* a WAL's; NULL until it is first written */
	sqlite3_int64 at;    /* where in the file it begins */
	int len;
	int lost;         /* a result that could not be reported when it came up */
	const char *name; /* of a WAL; SQLite's, valid until it is closed */
	int fd;           /* of a WAL that is written, for begin_writing alone; -1: none */
	bool opened;      /* fd was tried */
};

static sqlite3_file *below(sqlite3_file *f)
{
	return (sqlite3_file *)((struct file *)f + 1);
}

static const sqlite3_io_methods *methods(sqlite3_file *f)
{
	return below(f)->pMethods;
}

/* ---- a WAL ---- */

static int flush(struct file *w)
{
	if (w->lost)
		return w->lost;
	if (!w->len)
		return SQLITE_OK;
	int code = methods(&w->sqlite)->xWrite(below(&w->sqlite), w->gathered, w->len, w->at);
	if (code == SQLITE_OK)
		w->len = 0;
	return code;
}

/* The disk takes up what was written while SQLite goes on with the next frames; the sync that follows waits
 * for less. A hint: nothing depends on it. */
static void begin_writing(struct file *w, sqlite3_int64 at, int len)
{
	if (!w->opened)
		w->fd = open(w->name, O_WRONLY | O_CLOEXEC); /* a WAL has no locks that closing this drops */
	w->opened = true;
	if (w->fd >= 0)
		(void)sync_file_range(w->fd, at, len, SYNC_FILE_RANGE_WRITE);
}

static int wal_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	struct file *w = (struct file *)f;
	int code = SQLITE_OK, gathered = w->len;
	if (w->len == 0 || at != w->at + w->len || len > GATHER_BYTES - w->len)
		code = flush(w);
	if (code != SQLITE_OK)
		return code;
	if (gathered > GATHER_BYTES / 2 && !w->len)
		begin_writing(w, w->at, gathered);
	if (!w->gathered && w->other)
		w->gathered = malloc(GATHER_BYTES);
	if (!w->gathered || len > GATHER_BYTES)
		return methods(f)->xWrite(below(f), p, len, at);
	if (w->len == 0)
		w->at = at;
	memcpy(w->gathered + w->len, p, (size_t)len);
	w->len += len;
	return SQLITE_OK;
}

/* SQLite tells a read that the disk refused (EIO) as damage of the file. It is none: the next may succeed. */
static int read_code(int code)
{
	return code == SQLITE_IOERR_CORRUPTFS ? SQLITE_IOERR_READ : code;
}

static int wal_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
	struct file *w = (struct file *)f;
	int code = at < w->at + w->len && w->at < at + len ? flush(w) : w->lost;
	return code ? code : read_code(methods(f)->xRead(below(f), p, len, at));
}

static int wal_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int code = flush((struct file *)f);
	return code ? code : methods(f)->xTruncate(below(f), size);
}

static int wal_sync(sqlite3_file *f, int flags)
{
	int code = flush((struct file *)f);
	return code ? code : methods(f)->xSync(below(f), flags);
}

static int wal_size(sqlite3_file *f, sqlite3_int64 *size)
{
	int code = flush((struct file *)f);
	return code ? code : methods(f)->xFileSize(below(f), size);
}

/* ---- both ---- */

static int any_close(sqlite3_file *f)
{
	struct file *x = (struct file *)f;
	int code = flush(x);
	if (x->other)
		x->other->other = NULL;
	free(x->gathered);
	if (x->fd >= 0)
		close(x->fd);
	int closed = methods(f)->xClose(below(f));
	return code ? code : closed;
}

static int any_lock(sqlite3_file *f, int level)
{
	return methods(f)->xLock(below(f), level);
}

static int any_unlock(sqlite3_file *f, int level)
{
	return methods(f)->xUnlock(below(f), level);
}

static int any_reserved(sqlite3_file *f, int *held)
{
	return methods(f)->xCheckReservedLock(below(f), held);
}

static int any_control(sqlite3_file *f, int what, void *arg)
{
	return methods(f)->xFileControl(below(f), what, arg);
}

static int any_sector_size(sqlite3_file *f)
{
	return methods(f)->xSectorSize(below(f));
}

static int any_characteristics(sqlite3_file *f)
{
	return methods(f)->xDeviceCharacteristics(below(f));
}

/* ---- a database ---- */

static int database_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
	return read_code(methods(f)->xRead(below(f), p, len, at));
}

static int database_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	return methods(f)->xWrite(below(f), p, len, at);
}

static int database_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return methods(f)->xTruncate(below(f), size);
}

static int database_sync(sqlite3_file *f, int flags)
{
	return methods(f)->xSync(below(f), flags);
}

static int database_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return methods(f)->xFileSize(below(f), size);
}

static int shm_map(sqlite3_file *f, int region, int size, int extend, void volatile **out)
{
	const sqlite3_io_methods *m = methods(f);
	if (m->iVersion < 2 || !m->xShmMap)
		return SQLITE_IOERR_SHMMAP;
	return m->xShmMap(below(f), region, size, extend, out);
}

static int shm_lock(sqlite3_file *f, int first, int n, int flags)
{
	struct file *w = ((struct file *)f)->other;
	bool ends = first == WRITE_LOCK && flags == (SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE);
	if (w && ends && flush(w) != SQLITE_OK)
		w->len = 0;
	return methods(f)->xShmLock(below(f), first, n, flags);
}

static void shm_barrier(sqlite3_file *f)
{
	struct file *w = ((struct file *)f)->other;
	if (w && flush(w) != SQLITE_OK)
		w->lost = SQLITE_IOERR_WRITE;
	methods(f)->xShmBarrier(below(f));
}

static int shm_unmap(sqlite3_file *f, int remove)
{
	return methods(f)->xShmUnmap(below(f), remove);
}

/* Version 2: without memory-mapped reads, which the store never asks for. */
static const sqlite3_io_methods database_methods = {
        .iVersion = 2,
        .xClose = any_close,
        .xRead = database_read,
        .xWrite = database_write,
        .xTruncate = database_truncate,
        .xSync = database_sync,
        .xFileSize = database_size,
        .xLock = any_lock,
        .xUnlock = any_unlock,
        .xCheckReservedLock = any_reserved,
        .xFileControl = any_control,
        .xSectorSize = any_sector_size,
        .xDeviceCharacteristics = any_characteristics,
        .xShmMap = shm_map,
        .xShmLock = shm_lock,
        .xShmBarrier = shm_barrier,
        .xShmUnmap = shm_unmap,
};

static const sqlite3_io_methods wal_methods = {
        .iVersion = 1,
        .xClose = any_close,
        .xRead = wal_read,
        .xWrite = wal_write,
        .xTruncate = wal_truncate,
        .xSync = wal_sync,
        .xFileSize = wal_size,
        .xLock = any_lock,
        .xUnlock = any_unlock,
        .xCheckReservedLock = any_reserved,
        .xFileControl = any_control,
        .xSectorSize = any_sector_size,
        .xDeviceCharacteristics = any_characteristics,
};

/* ---- opening ---- */

static int layer_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out_flags)
{
	sqlite3_vfs *down = ((struct layer *)vfs)->below;
	if (!(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return down->xOpen(down, name, f, flags, out_flags);
	struct file *x = (struct file *)f;
	memset(x, 0, sizeof *x); /* no methods: nothing to close if this fails */
	x->fd = -1;
	int code = down->xOpen(down, name, below(f), flags, out_flags);
	if (code != SQLITE_OK) {
		if (below(f)->pMethods)
			below(f)->pMethods->xClose(below(f));
		return code;
	}
	if (flags & SQLITE_OPEN_MAIN_DB) {
		f->pMethods = &database_methods;
		return SQLITE_OK;
	}
	f->pMethods = &wal_methods;
	x->name = name;
	sqlite3_file *database = sqlite3_database_file_object(name);
	/* Under a further VFS it would be that one's file: then nothing is gathered. */
	if (database && database->pMethods == &database_methods) {
		x->other = (struct file *)database;
		x->other->other = x;
	}
	return SQLITE_OK;
}

const char *eg_vfs_over(const char *name)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct layer *layers;
	sqlite3_vfs *down = sqlite3_vfs_find(name);
	if (!down)
		return NULL;
	pthread_mutex_lock(&lock);
	struct layer *l = layers;
	while (l && l->below != down)
		l = l->next;
	if (!l && (l = calloc(1, sizeof *l))) {
		l->vfs = *down;
		l->vfs.pNext = NULL;
		l->vfs.zName = l->name;
		l->vfs.szOsFile += (int)sizeof(struct file);
		l->vfs.xOpen = layer_open;
		l->below = down;
		snprintf(l->name, sizeof l->name, "eldergate-over-%s", down->zName);
		if (sqlite3_vfs_register(&l->vfs, 0) == SQLITE_OK) {
			l->next = layers;
			layers = l;
		} else {
			free(l);
			l = NULL;
		}
	}
	pthread_mutex_unlock(&lock);
	return l ? l->name : NULL;
}
