/* planted_calls: the calls that fail: memory, the store's, files, sockets, descriptors, threads.
 *
 * Each fails as its manual page says, with what it would have done not done, but for sqlite3_open_v2, which
 * gives a connection even so. Thread: any. */
#include "planted.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- memory ---- */

/* Under AddressSanitizer the next allocator is its own; glibc's are there before any symbol can be looked up.
 */
void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t n, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *p, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

#define NO_MEMORY ((OURS && FAILS(MEMORY)) || (SQLITES && FAILS(SQLITE_MEMORY)))

void *malloc(size_t size)
{
	if (NO_MEMORY)
		FAIL_WITH(ENOMEM, NULL);
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	if (NO_MEMORY)
		FAIL_WITH(ENOMEM, NULL);
	return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	if (NO_MEMORY)
		FAIL_WITH(ENOMEM, NULL);
	return __interceptor_realloc ? __interceptor_realloc(p, size) : __libc_realloc(p, size);
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	if (OURS && FAILS(MEMORY))
		FAIL_WITH(ENOMEM, NULL);
	char *copy = __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
	return copy ? memcpy(copy, text, size) : NULL;
}

#define PRINTS                                                                                               \
	do {                                                                                                 \
		if (OURS && FAILS(MEMORY))                                                                   \
			FAIL_WITH(ENOMEM, -1);                                                               \
		va_list ap;                                                                                  \
		va_start(ap, fmt);                                                                           \
		int n = vasprintf(out, fmt, ap);                                                             \
		va_end(ap);                                                                                  \
		return n;                                                                                    \
	} while (0)

/* Fortified by clang it is a macro. */
int(asprintf)(char **restrict out, const char *restrict fmt, ...)
{
	PRINTS;
}

/* What asprintf is with _FORTIFY_SOURCE. */
int __asprintf_chk(char **restrict out, int flag, const char *restrict fmt, ...)
        __attribute__((format(printf, 3, 4)));
int __asprintf_chk(char **restrict out, int flag, const char *restrict fmt, ...)
{
	(void)flag;
	PRINTS;
}

/* ---- the store's calls ---- */

#define STORE_CALL(name, types, names)                                                                       \
	int name types                                                                                       \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		return OURS && FAILS(STORE) ? SQLITE_IOERR : next names;                                     \
	}
STORE_CALL(sqlite3_step, (sqlite3_stmt * st), (st))
STORE_CALL(sqlite3_exec,
           (sqlite3 * db, const char *sql, int (*each)(void *, int, char **, char **), void *arg, char **why),
           (db, sql, each, arg, why))
STORE_CALL(sqlite3_prepare_v2, (sqlite3 * db, const char *sql, int len, sqlite3_stmt **st, const char **tail),
           (db, sql, len, st, tail))
STORE_CALL(sqlite3_prepare_v3,
           (sqlite3 * db, const char *sql, int len, unsigned flags, sqlite3_stmt **st, const char **tail),
           (db, sql, len, flags, st, tail))
STORE_CALL(sqlite3_wal_checkpoint_v2, (sqlite3 * db, const char *name, int mode, int *log, int *copied),
           (db, name, mode, log, copied))
STORE_CALL(sqlite3_bind_int64, (sqlite3_stmt * st, int at, sqlite3_int64 v), (st, at, v))
STORE_CALL(sqlite3_bind_blob, (sqlite3_stmt * st, int at, const void *p, int len, void (*f)(void *)),
           (st, at, p, len, f))
STORE_CALL(sqlite3_bind_blob64,
           (sqlite3_stmt * st, int at, const void *p, sqlite3_uint64 len, void (*f)(void *)),
           (st, at, p, len, f))
STORE_CALL(sqlite3_bind_text, (sqlite3_stmt * st, int at, const char *p, int len, void (*f)(void *)),
           (st, at, p, len, f))
STORE_CALL(sqlite3_bind_text64,
           (sqlite3_stmt * st, int at, const char *p, sqlite3_uint64 len, void (*f)(void *),
            unsigned char encoding),
           (st, at, p, len, f, encoding))
STORE_CALL(sqlite3_bind_null, (sqlite3_stmt * st, int at), (st, at))
STORE_CALL(sqlite3_file_control, (sqlite3 * db, const char *name, int what, void *arg), (db, name, what, arg))
STORE_CALL(sqlite3_vfs_register, (sqlite3_vfs * vfs, int as_default), (vfs, as_default))

/* A connection that could not be opened is there all the same, and to be closed. */
int sqlite3_open_v2(const char *path, sqlite3 **out, int flags, const char *vfs)
{
	NEXT(sqlite3_open_v2);
	bool bad = OURS && FAILS(STORE);
	int code = next(path, out, flags, vfs);
	return bad ? SQLITE_CANTOPEN : code;
}

/* ---- files ---- */

#define OPENS(name)                                                                                          \
	int name(const char *path, int flags, ...)                                                           \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		va_list ap;                                                                                  \
		va_start(ap, flags);                                                                         \
		mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;                      \
		va_end(ap);                                                                                  \
		if (EITHER && FAILS(DESCRIPTOR))                                                             \
			FAIL_WITH(EMFILE, -1);                                                               \
		if (EITHER && flags & O_CREAT && FAILS(SPACE))                                               \
			FAIL_WITH(ENOSPC, -1);                                                               \
		if (IO_FAILS)                                                                                \
			FAIL_WITH(EIO, -1);                                                                  \
		return next(path, flags, mode);                                                              \
	}
OPENS(open)
OPENS(open64)

#define WRITES(name, types, names, fd, len, at)                                                              \
	ssize_t name types                                                                                   \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		if ((fd) > STDERR_FILENO && EITHER && FAILS(SPACE))                                          \
			FAIL_WITH(ENOSPC, -1);                                                               \
		if ((fd) > STDERR_FILENO && IO_FAILS)                                                        \
			FAIL_WITH(EIO, -1);                                                                  \
		if ((at) >= 0 && SQLITES && notes_writes())                                                  \
			note_write(fd, len, at);                                                             \
		return next names;                                                                           \
	}
WRITES(write, (int fd, const void *p, size_t len), (fd, p, len), fd, len, (off_t)-1)
WRITES(pwrite, (int fd, const void *p, size_t len, off_t at), (fd, p, len, at), fd, len, at)
WRITES(pwrite64, (int fd, const void *p, size_t len, off64_t at), (fd, p, len, at), fd, len, at)

#define PASSES(type, bad, name, types, names)                                                                \
	type name types                                                                                      \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		if (IO_FAILS)                                                                                \
			FAIL_WITH(EIO, bad);                                                                 \
		return next names;                                                                           \
	}
PASSES(ssize_t, -1, read, (int fd, void *p, size_t len), (fd, p, len))
PASSES(ssize_t, -1, pread, (int fd, void *p, size_t len, off_t at), (fd, p, len, at))
PASSES(ssize_t, -1, pread64, (int fd, void *p, size_t len, off64_t at), (fd, p, len, at))
PASSES(int, -1, fstat, (int fd, struct stat *st), (fd, st))
PASSES(int, -1, fstat64, (int fd, struct stat64 *st), (fd, st))
PASSES(int, -1, stat, (const char *path, struct stat *st), (path, st))
PASSES(int, -1, stat64, (const char *path, struct stat64 *st), (path, st))
PASSES(int, -1, fstatvfs, (int fd, struct statvfs *st), (fd, st))
PASSES(int, -1, unlink, (const char *path), (path))
PASSES(int, -1, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
PASSES(int, -1, rmdir, (const char *path), (path))
PASSES(int, -1, lstat, (const char *path, struct stat *st), (path, st))
PASSES(int, -1, lstat64, (const char *path, struct stat64 *st), (path, st))
PASSES(int, -1, access, (const char *path, int how), (path, how))
PASSES(ssize_t, -1, readlink, (const char *restrict path, char *restrict out, size_t len), (path, out, len))
PASSES(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
PASSES(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
PASSES(int, -1, flock, (int fd, int how), (fd, how))
PASSES(int, -1, listen, (int fd, int n), (fd, n))
PASSES(int, -1, connect, (int fd, const struct sockaddr *at, socklen_t len), (fd, at, len))
PASSES(ssize_t, -1, send, (int fd, const void *p, size_t len, int flags), (fd, p, len, flags))
PASSES(ssize_t, -1, sendto,
       (int fd, const void *p, size_t len, int flags, const struct sockaddr *to, socklen_t size),
       (fd, p, len, flags, to, size))
PASSES(ssize_t, -1, recv, (int fd, void *p, size_t len, int flags), (fd, p, len, flags))
PASSES(int, -1, shutdown, (int fd, int how), (fd, how))
PASSES(int, -1, getsockname, (int fd, struct sockaddr *restrict at, socklen_t *restrict len), (fd, at, len))
PASSES(int, -1, getpeername, (int fd, struct sockaddr *restrict at, socklen_t *restrict len), (fd, at, len))
PASSES(int, -1, getsockopt, (int fd, int level, int what, void *restrict p, socklen_t *restrict len),
       (fd, level, what, p, len))
PASSES(int, -1, setsockopt, (int fd, int level, int what, const void *p, socklen_t len),
       (fd, level, what, p, len))
PASSES(int, -1, madvise, (void *p, size_t len, int what), (p, len, what))
PASSES(void *, MAP_FAILED, mmap, (void *p, size_t len, int prot, int flags, int fd, off_t at),
       (p, len, prot, flags, fd, at))
PASSES(void *, MAP_FAILED, mmap64, (void *p, size_t len, int prot, int flags, int fd, off64_t at),
       (p, len, prot, flags, fd, at))

/* The kernel has no memory for it: the one failure of a poll that is asked for nothing strange. */
int poll(struct pollfd *fds, nfds_t n, int ms)
{
	NEXT(poll);
	if (OURS && FAILS(FILE_CALL))
		FAIL_WITH(ENOMEM, -1);
	return next(fds, n, ms);
}

/* What makes a name, for which the folder may need room. */
#define NAMES(name, types, names)                                                                            \
	int name types                                                                                       \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		if (EITHER && FAILS(SPACE))                                                                  \
			FAIL_WITH(ENOSPC, -1);                                                               \
		if (IO_FAILS)                                                                                \
			FAIL_WITH(EIO, -1);                                                                  \
		return next names;                                                                           \
	}
NAMES(link, (const char *from, const char *to), (from, to))
NAMES(renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
NAMES(mkdir, (const char *path, mode_t mode), (path, mode))
NAMES(bind, (int fd, const struct sockaddr *at, socklen_t len), (fd, at, len))

/* ---- streams and folders ---- */

/* What makes a descriptor and takes memory for it. */
#define MAY_NOT_OPEN(result)                                                                                 \
	do {                                                                                                 \
		if (OURS && FAILS(DESCRIPTOR))                                                               \
			FAIL_WITH(EMFILE, result);                                                           \
		if (OURS && FAILS(MEMORY))                                                                   \
			FAIL_WITH(ENOMEM, result);                                                           \
		if (IO_FAILS)                                                                                \
			FAIL_WITH(EIO, result);                                                              \
	} while (0)

FILE *fopen(const char *restrict path, const char *restrict mode)
{
	NEXT(fopen);
	MAY_NOT_OPEN(NULL);
	return next(path, mode);
}

size_t fread(void *restrict p, size_t size, size_t n, FILE *restrict f)
{
	NEXT(fread);
	if (IO_FAILS) {
		f->_flags |= _IO_ERR_SEEN; /* for ferror */
		FAIL_WITH(EIO, 0);
	}
	return next(p, size, n, f);
}

DIR *opendir(const char *path)
{
	NEXT(opendir);
	MAY_NOT_OPEN(NULL);
	return next(path);
}

DIR *fdopendir(int fd)
{
	NEXT(fdopendir);
	if (OURS && FAILS(MEMORY))
		FAIL_WITH(ENOMEM, NULL);
	if (IO_FAILS)
		FAIL_WITH(EIO, NULL);
	return next(fd);
}

PASSES(struct dirent *, NULL, readdir, (DIR * d), (d))

int scandir(const char *restrict path, struct dirent ***restrict out, int (*wanted)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **))
{
	NEXT(scandir);
	MAY_NOT_OPEN(-1);
	return next(path, out, wanted, order);
}

int mkostemp(char *pattern, int flags)
{
	NEXT(mkostemp);
	if (OURS && FAILS(DESCRIPTOR))
		FAIL_WITH(EMFILE, -1);
	if (OURS && FAILS(SPACE))
		FAIL_WITH(ENOSPC, -1);
	if (IO_FAILS)
		FAIL_WITH(EIO, -1);
	return next(pattern, flags);
}

int getaddrinfo(const char *restrict host, const char *restrict service,
                const struct addrinfo *restrict hints, struct addrinfo **restrict out)
{
	NEXT(getaddrinfo);
	if (OURS && FAILS(MEMORY))
		return EAI_MEMORY;
	if (IO_FAILS)
		FAIL_WITH(EIO, EAI_SYSTEM);
	return next(host, service, hints, out);
}

/* ---- room ---- */

#define ROOM(name, type)                                                                                     \
	int name(int fd, type size)                                                                          \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		if (EITHER && FAILS(SPACE))                                                                  \
			FAIL_WITH(ENOSPC, -1);                                                               \
		if (IO_FAILS)                                                                                \
			FAIL_WITH(EIO, -1);                                                                  \
		return next(fd, size);                                                                       \
	}
ROOM(ftruncate, off_t)
ROOM(ftruncate64, off64_t)

int posix_fallocate(int fd, off_t at, off_t len)
{
	NEXT(posix_fallocate);
	return OURS && FAILS(SPACE) ? ENOSPC : next(fd, at, len);
}

/* ---- descriptors ---- */

#define DESCRIPTORS(name, types, names)                                                                      \
	int name types                                                                                       \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		if (EITHER && FAILS(DESCRIPTOR))                                                             \
			FAIL_WITH(EMFILE, -1);                                                               \
		return next names;                                                                           \
	}
DESCRIPTORS(socket, (int family, int type, int protocol), (family, type, protocol))
DESCRIPTORS(accept4, (int fd, struct sockaddr *at, socklen_t *len, int flags), (fd, at, len, flags))
DESCRIPTORS(eventfd, (unsigned from, int flags), (from, flags))

/* What no local file system refuses: to give a lock back. */
static bool unlocks(int what, const void *arg)
{
	return (what == F_SETLK || what == F_SETLKW) && ((const struct flock *)arg)->l_type == F_UNLCK;
}

#define CONTROLS(name)                                                                                       \
	int name(int fd, int what, ...)                                                                      \
	{                                                                                                    \
		NEXT(name);                                                                                  \
		va_list ap;                                                                                  \
		va_start(ap, what);                                                                          \
		void *arg = va_arg(ap, void *);                                                              \
		va_end(ap);                                                                                  \
		if (EITHER && (what == F_DUPFD || what == F_DUPFD_CLOEXEC) && FAILS(DESCRIPTOR))             \
			FAIL_WITH(EMFILE, -1);                                                               \
		if (!unlocks(what, arg) && IO_FAILS)                                                         \
			FAIL_WITH(EIO, -1);                                                                  \
		return next(fd, what, arg);                                                                  \
	}
CONTROLS(fcntl)
CONTROLS(fcntl64)

/* ---- threads ---- */

/* Not librdkafka's: version 2.0 aborts the process when the system has no thread for it. */
#define THREADED (OURS || within(HTTP, CALLER))

int pthread_create(pthread_t *id, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	NEXT(pthread_create);
	return THREADED && FAILS(THREAD) ? EAGAIN : next(id, attr, run, arg);
}
