/* file: see file.h. */
#include "cli/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, PATH_BYTES = 4096 };

enum eg_rc file_read(const char *path, size_t max, struct eg_buf *out, struct eg_err *err)
{
	bool input = strcmp(path, "-") == 0;
	int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	enum eg_rc rc = EG_OK;
	ssize_t got = 1;
	if (fd < 0)
		return errno == ENOENT ? eg_fail(err, EG_NOT_FOUND, "%s: there is no such file", path)
		                       : eg_fail_errno(err, "%s", path);
	for (size_t total = 0; got > 0 && !rc; total += (size_t)got) {
		uint8_t chunk[CHUNK];
		got = read(fd, chunk, sizeof chunk);
		if (got < 0)
			rc = eg_fail_errno(err, "%s", path);
		else if (total + (size_t)got > max)
			rc = eg_fail(err, EG_LIMIT, "%s: more than %zu bytes", path, max);
		else
			eg_buf_add(out, chunk, (size_t)got);
		explicit_bzero(chunk, got > 0 ? (size_t)got : 0); /* it may have been a key */
	}
	if (!input)
		close(fd);
	if (!rc && out->failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for %s", path);
	return rc;
}

static enum eg_rc write_all(int fd, struct eg_bytes text, const char *path, struct eg_err *err)
{
	while (text.len) {
		ssize_t n = write(fd, text.p, text.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return eg_fail_errno(err, "%s", path);
		text.p += n;
		text.len -= (size_t)n;
	}
	return fsync(fd) == 0 ? EG_OK : eg_fail_errno(err, "%s", path);
}

static enum eg_rc sync_parent(const char *path, struct eg_err *err)
{
	char dir[PATH_BYTES];
	const char *slash = strrchr(path, '/');
	snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return eg_fail_errno(err, "%s", dir);
	enum eg_rc rc = fsync(fd) == 0 ? EG_OK : eg_fail_errno(err, "%s", dir);
	close(fd);
	return rc;
}

enum eg_rc file_replace(const char *path, struct eg_bytes text, mode_t mode, struct eg_err *err)
{
	char beside[PATH_BYTES];
	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return eg_fail(err, EG_USAGE, "the path is too long: %.100s...", path);
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return eg_fail_errno(err, "%s", beside);
	enum eg_rc rc = write_all(fd, text, beside, err);
	close(fd);
	if (!rc && rename(beside, path) != 0)
		rc = eg_fail_errno(err, "%s", path);
	if (rc) {
		unlink(beside);
		return rc;
	}
	return sync_parent(path, err);
}

enum eg_rc file_make(const char *path, struct eg_bytes text, mode_t mode, struct eg_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	if (fd < 0)
		return errno == EEXIST ? eg_fail(err, EG_EXISTS, "%s is there already", path)
		                       : eg_fail_errno(err, "%s", path);
	enum eg_rc rc = write_all(fd, text, path, err);
	close(fd);
	if (rc) {
		unlink(path);
		return rc;
	}
	return sync_parent(path, err);
}

enum eg_rc file_mkdir(const char *path, mode_t mode, struct eg_err *err)
{
	return mkdir(path, mode) == 0 || errno == EEXIST ? EG_OK : eg_fail_errno(err, "%s", path);
}

static enum eg_rc copy_file(const char *from, const char *to, struct eg_err *err)
{
	struct eg_buf text = {0};
	enum eg_rc rc = file_read(from, SIZE_MAX, &text, err);
	if (!rc)
		rc = file_make(to, eg_buf_bytes(&text), 0600, err);
	eg_buf_free(&text);
	return rc;
}

enum eg_rc file_copy_dir(const char *from, const char *to, struct eg_err *err)
{
	DIR *d = opendir(from);
	enum eg_rc rc = EG_OK;
	if (!d)
		return eg_fail_errno(err, "%s", from);
	if (mkdir(to, 0700) != 0)
		rc = eg_fail_errno(err, "%s", to);
	for (struct dirent *e; !rc && (e = readdir(d));) {
		char a[PATH_BYTES], b[PATH_BYTES];
		struct stat st;
		if (snprintf(a, sizeof a, "%s/%s", from, e->d_name) >= (int)sizeof a ||
		    snprintf(b, sizeof b, "%s/%s", to, e->d_name) >= (int)sizeof b)
			rc = eg_fail(err, EG_USAGE, "the path is too long: %.100s...", from);
		else if (lstat(a, &st) == 0 && S_ISREG(st.st_mode))
			rc = copy_file(a, b, err);
	}
	closedir(d);
	return rc;
}
