/* planted_sync: syncs that fail, and what is lost with them: what SQLite wrote to that file since the last
 * one, as by a disk whose cache is lost. What was acknowledged all the same is gone after a restart, for the
 * checker to miss. Thread: any. */
#include "planted.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not counted among the allocations, whoever asks. */
void *__libc_malloc(size_t size);

struct undone {
	struct undone *next;
	dev_t device; /* which file: another of its descriptors may sync it */
	ino_t inode;
	off_t at, size; /* size: of the file before */
	size_t len;     /* of what stood there */
	uint8_t old[];
};
static struct undone *unsynced; /* newest first */
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

bool notes_writes(void)
{
	return plan && atomic_load(&plan->left[SYNC]) > 0;
}

void note_write(int fd, size_t len, off_t at)
{
	struct stat st;
	struct undone *u = fstat(fd, &st) == 0 ? __libc_malloc(sizeof *u + len) : NULL;
	if (!u)
		return;
	ssize_t n = pread(fd, u->old, len, at);
	*u = (struct undone){.device = st.st_dev,
	                     .inode = st.st_ino,
	                     .at = at,
	                     .size = st.st_size,
	                     .len = n > 0 ? (size_t)n : 0};
	pthread_mutex_lock(&unsynced_lock);
	u->next = unsynced;
	unsynced = u;
	pthread_mutex_unlock(&unsynced_lock);
}

static void settle(int fd, bool lost)
{
	ssize_t (*put)(int, const void *, size_t, off_t) =
	        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
	struct stat st;
	if (fstat(fd, &st) != 0)
		abort();
	pthread_mutex_lock(&unsynced_lock);
	for (struct undone **at = &unsynced, *u; (u = *at);) {
		if (u->device != st.st_dev || u->inode != st.st_ino) {
			at = &u->next;
			continue;
		}
		if (lost &&
		    (put(fd, u->old, u->len, u->at) != (ssize_t)u->len || ftruncate(fd, u->size) != 0))
			abort();
		*at = u->next;
	}
	pthread_mutex_unlock(&unsynced_lock);
}

static bool is_directory(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

static int sync_with(int (*next)(int), int fd, const char *call, uintptr_t caller, const uintptr_t *frame)
{
	bool sqlites = within(SQLITE, caller);
	/* The directory's sync beside the first one of a new WAL or journal: SQLite does not look at what
	 * comes of it; the store syncs its directory itself. */
	if (sqlites && is_directory(fd))
		return next(fd);
	bool lost = (sqlites || within(PROGRAM, caller)) && planted(SYNC, call, caller, frame);
	if (sqlites)
		settle(fd, lost);
	if (lost)
		FAIL_WITH(EIO, -1);
	return next(fd);
}

int fsync(int fd)
{
	NEXT(fsync);
	return sync_with(next, fd, __func__, CALLER, FRAME);
}

int fdatasync(int fd)
{
	NEXT(fdatasync);
	return sync_with(next, fd, __func__, CALLER, FRAME);
}
