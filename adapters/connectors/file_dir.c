/* file_dir: see file_dir.h. */
#include "connectors/file_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_CAP = 256, FREE_NAMES = 10000 };

bool file_id_same(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->changed_ns == b->changed_ns &&
	       a->regular == b->regular;
}

static struct file_id id_of(const struct stat *st)
{
	return (struct file_id){.dev = st->st_dev,
	                        .ino = st->st_ino,
	                        .size = st->st_size,
	                        .changed_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	                        .regular = S_ISREG(st->st_mode)};
}

static enum eg_rc fail(struct eg_err *err, const char *what)
{
	switch (errno) {
	case ENOENT:
		return eg_fail(err, EG_NOT_FOUND, "%s: there is none", what);
	case EACCES:
	case EPERM:
		return eg_fail(err, EG_DENIED, "%s: permission denied", what);
	case EEXIST:
		return eg_fail(err, EG_EXISTS, "%s: the name is taken", what);
	case ELOOP:
	case ENXIO:
	case EISDIR:
		return eg_fail(err, EG_INVALID, "%s: not a regular file", what);
	default:
		return eg_fail_errno(err, "%s", what);
	}
}

enum eg_rc file_dir_open(int *out, const char *path, struct eg_err *err)
{
	*out = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *out >= 0 ? EG_OK : fail(err, path);
}

enum eg_rc file_dir_sub(int *out, int dir, const char *name, bool make, bool own, struct eg_err *err)
{
	*out = -1;
	if (make && mkdirat(dir, name, 0700) != 0 && errno != EEXIST)
		return fail(err, name);
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		return eg_fail(err, EG_CONFIG, "%s: it must be a folder, not a link or a file", name);
	if (fd < 0)
		return fail(err, name);
	struct stat st;
	if (own && (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077))) {
		close(fd);
		return eg_fail(err, EG_CONFIG, "%s: it must belong to this user and be closed to others",
		               name);
	}
	*out = fd;
	return EG_OK;
}

enum eg_rc file_stat(int dir, const char *name, struct file_id *out, struct eg_err *err)
{
	struct stat st;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return fail(err, "a file's state");
	*out = id_of(&st);
	return EG_OK;
}

enum eg_rc file_stat_fd(int fd, struct file_id *out, struct eg_err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return fail(err, "an open file's state");
	*out = id_of(&st);
	return EG_OK;
}

enum eg_rc file_open(int *out, int dir, const char *name, struct file_id *id, struct eg_err *err)
{
	*out = -1;
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return fail(err, "opening a file");
	enum eg_rc rc = file_stat_fd(fd, id, err);
	if (!rc && !id->regular)
		rc = eg_fail(err, EG_INVALID, "opening a file: not a regular file");
	if (rc) {
		close(fd);
		return rc;
	}
	*out = fd;
	return EG_OK;
}

enum eg_rc file_get(int dir, const char *name, size_t max, struct eg_buf *out, struct eg_err *err)
{
	int fd;
	struct file_id id;
	enum eg_rc rc = file_open(&fd, dir, name, &id, err);
	if (rc)
		return rc;
	ssize_t n = 1;
	while (!rc && n > 0) {
		uint8_t piece[4096];
		n = read(fd, piece, sizeof piece);
		if (n < 0 && errno != EINTR)
			rc = eg_fail_errno(err, "reading a file");
		else if (n > 0 && out->len + (size_t)n > max)
			rc = eg_fail(err, EG_LIMIT, "the file has more than %zu bytes", max);
		else if (n > 0)
			eg_buf_add(out, piece, (size_t)n);
		n = n < 0 ? 1 : n;
	}
	close(fd);
	return !rc && out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for a file") : rc;
}

enum eg_rc file_each(int dir, bool (*each)(void *arg, const char *name), void *arg, struct eg_err *err)
{
	/* A descriptor of its own: closedir closes it, and its position is its own. */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	if (!d) {
		enum eg_rc rc = fail(err, "listing a folder");
		if (fd >= 0)
			close(fd);
		return rc;
	}
	const struct dirent *e;
	for (errno = 0; (e = readdir(d)); errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && !each(arg, e->d_name))
			break;
	enum eg_rc rc = !e && errno ? fail(err, "listing a folder") : EG_OK;
	closedir(d);
	return rc;
}

enum eg_rc file_sync(int fd, struct eg_err *err)
{
	return fsync(fd) == 0 ? EG_OK : eg_fail_errno(err, "writing to the disk");
}

enum eg_rc file_write_all(int fd, struct eg_bytes bytes, struct eg_err *err)
{
	while (bytes.len) {
		ssize_t n = write(fd, bytes.p, bytes.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return eg_fail_errno(err, "writing a file");
		bytes.p += n;
		bytes.len -= (size_t)n;
	}
	return EG_OK;
}

enum eg_rc file_put(int dir, const char *name, struct eg_bytes bytes, struct eg_err *err)
{
	char beside[NAME_CAP];
	if (snprintf(beside, sizeof beside, ".%s.tmp", name) >= (int)sizeof beside)
		return eg_fail(err, EG_INVALID, "a file name is too long");
	/* What a crash left there is nobody's. */
	if (unlinkat(dir, beside, 0) != 0 && errno != ENOENT)
		return fail(err, "removing an unfinished file");
	int fd = openat(dir, beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(err, "making a file");
	enum eg_rc rc = file_write_all(fd, bytes, err);
	if (!rc)
		rc = file_sync(fd, err);
	if (close(fd) != 0 && !rc)
		rc = eg_fail_errno(err, "closing a file");
	if (!rc && renameat(dir, beside, dir, name) != 0)
		rc = fail(err, "naming a file");
	if (rc) {
		unlinkat(dir, beside, 0);
		return rc;
	}
	return file_sync(dir, err);
}

enum eg_rc file_free_name(int dir, const char *name, char *out, struct eg_err *err)
{
	struct stat st;
	for (unsigned i = 1; i < FREE_NAMES; i++) {
		int n = i == 1 ? snprintf(out, NAME_CAP, "%s", name)
		               : snprintf(out, NAME_CAP, "%s.%u", name, i);
		if (n >= NAME_CAP)
			return eg_fail(err, EG_INVALID, "a file name is too long");
		if (fstatat(dir, out, &st, AT_SYMLINK_NOFOLLOW) != 0)
			return errno == ENOENT ? EG_OK : fail(err, "a file's state");
	}
	return eg_fail(err, EG_LIMIT, "%u files have this name already", FREE_NAMES);
}

enum eg_rc file_move(int from, const char *name, int to, const char *new_name, struct eg_err *err)
{
	struct stat st;
	int failed = renameat2(from, name, to, new_name, RENAME_NOREPLACE);
	/* Some network file systems cannot promise it; the folder is ours, so asking first is as good. */
	if (failed && errno == EINVAL) {
		if (fstatat(to, new_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return eg_fail(err, EG_EXISTS, "moving a file: the name is taken");
		failed = renameat(from, name, to, new_name);
	}
	if (failed)
		return fail(err, "moving a file");
	enum eg_rc rc = file_sync(to, err);
	return rc ? rc : file_sync(from, err);
}
