/* absent: see absent.h. */
#include "flow/absent.h"

#include "base/buf.h"
#include "store/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN = 16, ROOM = 4096 * TOKEN, HEX = 33 };

struct eg_absent {
	int fd;
	char folder[512];
	bool writes;
	size_t at, len; /* in buf */
	uint8_t buf[ROOM];
};

static void folder_of(const char *dir, const uint8_t id[16], char *out, size_t len)
{
	char hex[HEX];
	eg_hex(id, 16, hex);
	snprintf(out, len, "%s/%s", dir, hex);
}

/* A file that is gone stays gone: that is not the disk's trouble of the moment. */
static enum eg_rc disk_error(struct eg_err *err, const char *doing)
{
	bool full = errno == ENOSPC || errno == EDQUOT, gone = errno == ENOENT || errno == ENOTDIR;
	return eg_fail(err,
	               full   ? EG_NO_SPACE
	               : gone ? EG_CORRUPT
	                      : EG_IO,
	               "%s the keys that a list lacks: %s", doing, strerror(errno));
}

static int open_file(const char *folder, int flags)
{
	char path[600];
	snprintf(path, sizeof path, "%s/absent", folder);
	return open(path, flags | O_CLOEXEC, 0600);
}

static enum eg_rc make(struct eg_absent **out, const char *dir, const uint8_t id[16], int flags,
                       struct eg_err *err)
{
	struct eg_absent *a = calloc(1, sizeof *a);
	*out = NULL;
	if (!a)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a list");
	folder_of(dir, id, a->folder, sizeof a->folder);
	a->fd = open_file(a->folder, flags);
	if (a->fd < 0) {
		free(a);
		return disk_error(err, "opening");
	}
	*out = a;
	return EG_OK;
}

enum eg_rc eg_absent_new(struct eg_absent **out, const char *dir, const uint8_t id[16], struct eg_err *err)
{
	enum eg_rc rc = make(out, dir, id, O_WRONLY | O_CREAT | O_TRUNC, err);
	if (rc == EG_OK)
		(*out)->writes = true;
	return rc;
}

static enum eg_rc flush(struct eg_absent *a, struct eg_err *err)
{
	for (size_t done = 0; done < a->len;) {
		ssize_t n = write(a->fd, a->buf + done, a->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return disk_error(err, "writing");
		done += (size_t)n;
	}
	a->len = 0;
	return EG_OK;
}

enum eg_rc eg_absent_add(struct eg_absent *a, const uint8_t token[16], struct eg_err *err)
{
	enum eg_rc rc = a->len == ROOM ? flush(a, err) : EG_OK;
	if (rc)
		return rc;
	memcpy(a->buf + a->len, token, TOKEN);
	a->len += TOKEN;
	return EG_OK;
}

enum eg_rc eg_absent_finish(struct eg_absent *a, struct eg_err *err)
{
	enum eg_rc rc = flush(a, err);
	if (rc == EG_OK && fsync(a->fd) != 0)
		rc = disk_error(err, "keeping");
	return rc ? rc : eg_dir_sync(a->folder, err); /* its name too */
}

static enum eg_rc cut(struct eg_err *err)
{
	return eg_fail(err, EG_CORRUPT, "the file of the keys that a list lacks has not as many as it lacks");
}

static enum eg_rc check_size(int fd, uint64_t n, struct eg_err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0)
		return disk_error(err, "reading");
	return (uint64_t)st.st_size == n * TOKEN ? EG_OK : cut(err);
}

enum eg_rc eg_absent_open(struct eg_absent **out, const char *dir, const uint8_t id[16], uint64_t n,
                          struct eg_err *err)
{
	enum eg_rc rc = make(out, dir, id, O_RDONLY, err);
	if (rc == EG_OK && (rc = check_size((*out)->fd, n, err))) {
		eg_absent_close(*out);
		*out = NULL;
	}
	return rc;
}

enum eg_rc eg_absent_next(struct eg_absent *a, uint8_t token[16], struct eg_err *err)
{
	if (a->at == a->len) {
		a->at = a->len = 0;
		while (a->len < ROOM) {
			ssize_t n = read(a->fd, a->buf + a->len, ROOM - a->len);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return disk_error(err, "reading");
			if (n == 0)
				break;
			a->len += (size_t)n;
		}
		if (!a->len)
			return EG_EMPTY;
		if (a->len % TOKEN)
			return cut(err);
	}
	memcpy(token, a->buf + a->at, TOKEN);
	a->at += TOKEN;
	return EG_OK;
}

void eg_absent_close(struct eg_absent *a)
{
	if (!a)
		return;
	close(a->fd);
	free(a);
}

enum eg_rc eg_absent_has(const char *dir, const uint8_t id[16], uint64_t n, const uint8_t token[16],
                         bool *has, struct eg_err *err)
{
	char folder[512];
	uint8_t at[TOKEN];
	uint64_t low = 0, high = n;
	*has = false;
	if (!n)
		return EG_OK;
	folder_of(dir, id, folder, sizeof folder);
	int fd = open_file(folder, O_RDONLY);
	if (fd < 0)
		return disk_error(err, "opening");
	enum eg_rc rc = check_size(fd, n, err);
	while (rc == EG_OK && low < high && !*has) {
		uint64_t mid = low + (high - low) / 2;
		ssize_t got = pread(fd, at, TOKEN, (off_t)(mid * TOKEN));
		if (got != TOKEN)
			rc = got < 0 ? disk_error(err, "reading") : cut(err);
		int c = rc ? 0 : memcmp(at, token, TOKEN);
		*has = rc == EG_OK && c == 0;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	close(fd);
	return rc;
}
