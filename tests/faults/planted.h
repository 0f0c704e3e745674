/* planted: what the calls of planted.so share: the plan, and whose turn it is to fail.
 *
 * Only for files of planted.so; nothing of it is seen outside. Thread: any. */
#ifndef EG_TESTS_FAULTS_PLANTED_H
#define EG_TESTS_FAULTS_PLANTED_H

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

/* The same order as KINDS of plan.py. */
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

extern struct plan *plan; /* NULL until the file is mapped */

enum module { PROGRAM, SQLITE, RDKAFKA, HTTP, CRYPTO, MODULES };
bool within(enum module m, uintptr_t at);

/* Is this call the one to fail? caller: its return address; frame: of the function that stands for it. */
bool planted(enum kind kind, const char *call, uintptr_t caller, const uintptr_t *frame);

/* Does a sync that fails take with it what is written from now on? Then each write is noted, before it. */
bool notes_writes(void);
void note_write(int fd, size_t len, off_t at);

#pragma GCC visibility pop

/* In the function that stands for a call, and nowhere else. */
#define CALLER   ((uintptr_t)__builtin_return_address(0))
#define FRAME    ((const uintptr_t *)__builtin_frame_address(0))
#define OURS     within(PROGRAM, CALLER)
#define SQLITES  within(SQLITE, CALLER)
#define FAILS(k) planted((k), __func__, CALLER, FRAME)
#define IO_FAILS ((OURS && FAILS(FILE_CALL)) || (SQLITES && FAILS(SQLITE_FILE)))
#define EITHER   (OURS || SQLITES)

/* The call that it stands before; under AddressSanitizer that is the sanitizer's. */
#define NEXT(name)                                                                                           \
	static __typeof__(&name) next;                                                                       \
	if (!next)                                                                                           \
	next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define FAIL_WITH(number, result)                                                                            \
	do {                                                                                                 \
		errno = (number);                                                                            \
		return (result);                                                                             \
	} while (0)

#endif
