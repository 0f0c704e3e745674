/* dir: the data directory's lock file, its reserve file, its durability. Thread: the one that opened it. */
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_ROOM 4096

/* The descriptor, or -1 with errno. */
static int open_in(const char *dir, const char *name, int flags)
{
	char path[PATH_ROOM];
	int n = snprintf(path, sizeof path, "%s/%s", dir, name);
	if (n < 0 || (size_t)n >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, flags | O_CLOEXEC, 0600);
}

enum eg_rc eg_dir_lock(const char *dir, bool read_only, int *fd, struct eg_err *err)
{
	*fd = -1;
	int f = open_in(dir, "lock", read_only ? O_RDONLY : O_RDWR | O_CREAT);
	if (f < 0 && read_only && errno == ENOENT)
		return EG_OK;
	if (f < 0)
		return eg_fail_errno(err, "the lock file in data directory %s", dir);
	if (flock(f, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
		*fd = f;
		return EG_OK;
	}
	enum eg_rc rc =
	        errno == EWOULDBLOCK
	                ? eg_fail(err, EG_BUSY,
	                          "data directory %s is in use by another process; stop that one first", dir)
	                : eg_fail_errno(err, "locking data directory %s", dir);
	close(f);
	return rc;
}

enum eg_rc eg_dir_touch(const char *dir, const char *name, struct eg_err *err)
{
	int f = open_in(dir, name, O_RDWR | O_CREAT);
	if (f < 0)
		return eg_fail_errno(err, "%s in data directory %s", name, dir);
	close(f);
	return EG_OK;
}

enum eg_rc eg_dir_sync(const char *dir, struct eg_err *err)
{
	int f = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f < 0)
		return eg_fail_errno(err, "data directory %s", dir);
	enum eg_rc rc = EG_OK;
	if (fsync(f) != 0) {
		rc = eg_fail_errno(err, "fsync of data directory %s", dir);
		if (err)
			err->fatal = true;
	}
	close(f);
	return rc;
}

enum eg_rc eg_dir_refill(int fd, int64_t bytes, struct eg_err *err)
{
	if (ftruncate(fd, bytes) != 0 && bytes == 0)
		return eg_fail_errno(err, "the reserve file");
	int bad = bytes ? posix_fallocate(fd, 0, bytes) : 0;
	if (!bad)
		return EG_OK;
	/* Part of a reserve would only deepen the want; a cut cannot fail for lack of room. */
	int cut = ftruncate(fd, 0);
	errno = cut ? errno : bad;
	return eg_fail_errno(err, "room for a reserve of %lld bytes", (long long)bytes);
}

enum eg_rc eg_dir_reserve(const char *dir, int64_t bytes, int *fd, struct eg_err *err)
{
	*fd = open_in(dir, "reserve", O_RDWR | O_CREAT);
	if (*fd < 0)
		return eg_fail_errno(err, "the reserve file in data directory %s", dir);
	return eg_dir_refill(*fd, bytes, err);
}

int64_t eg_dir_spend(int fd, int64_t bytes)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size == 0)
		return 0;
	int64_t part = st.st_size < bytes ? st.st_size : bytes;
	/* The freed blocks are the disk's again only when the cut is on the disk. */
	if (ftruncate(fd, st.st_size - part) != 0 || fsync(fd) != 0)
		return 0;
	return part;
}
