/* planted: a library for LD_PRELOAD that lets one call of a process fail, as the kernel or the allocator
 * might.
 *
 * EG_PLANT names a file that the driver (plan.py) made and both map: struct plan. Set left[kind] to n, and
 * the nth call of that kind from then on fails, once; it is told in `hits` and `where`. Who calls is seen by
 * the return address, so only calls of the program itself and of SQLite fail, never those of libraries that
 * would abort. Elsewhere the calls pass through. With from and to only calls below that function count.
 *
 * Here is the plan and who calls; the calls are in planted_calls.c, planted_sync.c, planted_clock.c.
 * test_planted.py knows of each call of the program that is in none of them, and why. Thread: any. */
#include "planted.h"

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct plan *plan;

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

bool within(enum module m, uintptr_t at)
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

bool planted(enum kind kind, const char *call, uintptr_t caller, const uintptr_t *frame)
{
	_Atomic int64_t *left = plan ? &plan->left[kind] : NULL;
	if (!left || atomic_load(left) <= 0 || !is_below(caller, frame) || atomic_fetch_sub(left, 1) != 1)
		return false;
	tell(call, caller, frame);
	return true;
}
