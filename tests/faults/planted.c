/* planted: a library for LD_PRELOAD that lets one call of a process fail, as the kernel or the allocator
 * might.
 *
 * EG_PLANT names a file that the driver (sweep.py) made and both map: struct plan. Set left[kind] to n, and
 * the nth call of that kind from then on fails, once; it is told in `hits` and `where`. Who calls is seen by
 * the return address, so only calls of the program itself and of SQLite fail, never those of libraries that
 * would abort. Elsewhere the calls pass through. With from and to only calls below that function count.
 *
 * A sync that fails takes with it what SQLite wrote to that file since the last one, as a disk does whose
 * cache is lost: what was acknowledged all the same is gone after a restart, for the checker to miss.
 *
 * clock_us moves the wall clock of the program, SQLite, librdkafka and libcrypto; librdkafka's waits, which
 * are on that clock, are cut in slices, so that they meet a jump as a kernel's would.
 * Thread: any. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* The same order as KINDS of sweep.py. */
enum kind {
	MEMORY,        /* of the program: its own, and through its arenas protobuf-c's */
	SQLITE_MEMORY, /* malloc by SQLite */
	STORE,         /* a call of SQLite by the program */
	FILE_CALL,     /* a file or socket call of the program: EIO */
	SQLITE_FILE,   /* the same by SQLite */
	SYNC,          /* fsync and fdatasync by either: EIO */
	SPACE,         /* what takes room on the disk, by either: ENOSPC */
	DESCRIPTOR,    /* what makes a descriptor, by either: EMFILE */
	THREAD,        /* a thread of the program or of libmicrohttpd: EAGAIN */
	KINDS
};

#define FRAMES 12

struct plan {
	_Atomic int64_t left[KINDS]; /* calls until one fails; 0: none will */
	_Atomic int64_t hits;
	_Atomic int64_t clock_us;
	uint64_t from, to;      /* of a function, as offsets in the program; to 0: calls by whomever */
	uint64_t where[FRAMES]; /* offsets in the program, innermost first; of SQLite: the last bit is set */
	char call[32];
};

static struct plan *plan; /* NULL until the file is mapped */

enum module { PROGRAM, SQLITE, RDKAFKA, HTTP, CRYPTO, MODULES };
static struct range {
	uintptr_t from, to;
} modules[MODULES];

/* ---- who calls ---- */

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	static const char *const names[MODULES] = {[SQLITE] = "/libsqlite3.so",
	                                           [RDKAFKA] = "/librdkafka.so",
	                                           [HTTP] = "/libmicrohttpd.so",
	                                           [CRYPTO] = "/libcrypto.so"};
	bool *first = arg;
	int m = *first ? PROGRAM : MODULES;
	(void)size;
	*first = false;
	for (int i = SQLITE; i < MODULES && m == MODULES; i++)
		if (strstr(info->dlpi_name, names[i]))
			m = i;
	if (m == MODULES)
		return 0;
	uintptr_t from = UINTPTR_MAX, to = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;
		if (p->p_type != PT_LOAD)
			continue;
		from = at < from ? at : from;
		to = at + p->p_memsz > to ? at + p->p_memsz : to;
	}
	modules[m] = (struct range){from, to};
	return 0;
}

static bool within(enum module m, uintptr_t at)
{
	return at >= modules[m].from && at < modules[m].to;
}

/* The daemon leaves no core: this is all that is told of where it fell. */
static void fell(int number)
{
	void *at[64];
	backtrace_symbols_fd(at, backtrace(at, 64), STDERR_FILENO);
	signal(number, SIG_DFL);
	raise(number);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("EG_PLANT");
	bool first = true;
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p = fd >= 0 ? mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0)
		close(fd);
	dl_iterate_phdr(note_module, &first);
	void *warm[1];
	backtrace(warm, 1); /* loads what it needs now, not when the heap is broken */
	signal(SIGABRT, fell);
	signal(SIGSEGV, fell);
	if (p != MAP_FAILED)
		plan = p;
}

/* ---- what fails ---- */

/* Only the program is built with frame pointers, so the walk ends where it is left. */
static void tell(const char *call, uintptr_t caller, const uintptr_t *frame)
{
	int n = 0;
	memset(plan->where, 0, sizeof plan->where);
	snprintf(plan->call, sizeof plan->call, "%s", call);
	if (within(SQLITE, caller))
		plan->where[n++] = (caller - modules[SQLITE].from) << 1 | 1;
	while (n < FRAMES && within(PROGRAM, caller)) {
		plan->where[n++] = (caller - modules[PROGRAM].from) << 1;
		frame = (const uintptr_t *)frame[0];
		if (!frame)
			break;
		caller = frame[1];
	}
	atomic_fetch_add(&plan->hits, 1);
}

static bool is_below(uintptr_t caller, const uintptr_t *frame)
{
	for (int n = 0; plan->to && n < FRAMES && within(PROGRAM, caller); n++) {
		uintptr_t at = caller - modules[PROGRAM].from;
		if (at >= plan->from && at < plan->to)
			return true;
		if (!(frame = (const uintptr_t *)frame[0]))
			break;
		caller = frame[1];
	}
	return !plan->to;
}

static bool planted(enum kind kind, const char *call, uintptr_t caller, const uintptr_t *frame)
{
	_Atomic int64_t *left = plan ? &plan->left[kind] : NULL;
	if (!left || atomic_load(left) <= 0 || !is_below(caller, frame) || atomic_fetch_sub(left, 1) != 1)
		return false;
	tell(call, caller, frame);
	return true;
}

#define CALLER   ((uintptr_t)__builtin_return_address(0))
#define FRAME    ((const uintptr_t *)__builtin_frame_address(0))
#define OURS     within(PROGRAM, CALLER)
#define SQLITES  within(SQLITE, CALLER)
#define FAILS(k) planted((k), __func__, CALLER, FRAME)
#define IO_FAILS ((OURS && FAILS(FILE_CALL)) || (SQLITES && FAILS(SQLITE_FILE)))
#define EITHER   (OURS || SQLITES)

#define NEXT(name)                                                                                           \
	static __typeof__(&name) next;                                                                       \
	if (!next)                                                                                           \
	next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define FAIL_WITH(number, result)                                                                            \
	do {                                                                                                 \
		errno = (number);                                                                            \
		return (result);                                                                             \
	} while (0)

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

/* ---- syncs, and what they lose ---- */

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

static bool notes_writes(void)
{
	return plan && atomic_load(&plan->left[SYNC]) > 0;
}

static void note_write(int fd, size_t len, off_t at)
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
	/* SQLite does not look at what comes of it; the store syncs its directory itself. */
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
PASSES(int, -1, link, (const char *from, const char *to), (from, to))
PASSES(int, -1, renameat2, (int a, const char *from, int b, const char *to, unsigned flags),
       (a, from, b, to, flags))
PASSES(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
PASSES(int, -1, chmod, (const char *path, mode_t mode), (path, mode))
PASSES(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
PASSES(int, -1, flock, (int fd, int how), (fd, how))
PASSES(int, -1, bind, (int fd, const struct sockaddr *at, socklen_t len), (fd, at, len))
PASSES(int, -1, listen, (int fd, int n), (fd, n))
PASSES(void *, MAP_FAILED, mmap64, (void *p, size_t len, int prot, int flags, int fd, off64_t at),
       (p, len, prot, flags, fd, at))

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

/* ---- the clock ---- */

#define SHIFT                                                                                                \
	(plan && (EITHER || within(RDKAFKA, CALLER) || within(CRYPTO, CALLER))                               \
	         ? atomic_load(&plan->clock_us)                                                              \
	         : 0)
#define SECOND_US 1000000
#define SLICE_NS  50000000

static void shift(struct timespec *t, int64_t us)
{
	int64_t ns = t->tv_nsec + us % SECOND_US * 1000;
	t->tv_sec += us / SECOND_US + ns / 1000000000 - (ns < 0);
	t->tv_nsec = ns < 0 ? ns + 1000000000 : ns % 1000000000;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	NEXT(clock_gettime);
	int bad = next(id, out);
	if (bad == 0 && id == CLOCK_REALTIME)
		shift(out, SHIFT);
	return bad;
}

int timespec_get(struct timespec *out, int base)
{
	NEXT(timespec_get);
	int good = next(out, base);
	if (good)
		shift(out, SHIFT);
	return good;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	NEXT(gettimeofday);
	int64_t us = SHIFT;
	int bad = next(out, zone);
	struct timespec t = {.tv_sec = out->tv_sec, .tv_nsec = out->tv_usec * 1000};
	shift(&t, us);
	*out = (struct timeval){.tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000};
	return bad;
}

time_t time(time_t *out)
{
	struct timespec t;
	int64_t us = SHIFT;
	clock_gettime(CLOCK_REALTIME, &t); /* this file's: not shifted for callers from here */
	shift(&t, us);
	if (out)
		*out = t.tv_sec;
	return t.tv_sec;
}

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Only librdkafka calls it; its deadlines are on the shifted clock. */
int cnd_timedwait(cnd_t *cnd, mtx_t *lock, const struct timespec *until)
{
	NEXT(cnd_timedwait);
	for (;;) {
		struct timespec now, slice;
		clock_gettime(CLOCK_REALTIME, &now);
		struct timespec shifted = now;
		shift(&shifted, plan ? atomic_load(&plan->clock_us) : 0);
		int64_t left = ns_of(until) - ns_of(&shifted);
		if (left > SLICE_NS)
			left = SLICE_NS;
		slice = now;
		shift(&slice, left > 0 ? left / 1000 + 1 : 0);
		int got = next(cnd, lock, &slice);
		if (got != thrd_timedout || left < SLICE_NS)
			return got;
	}
}
