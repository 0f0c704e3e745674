/* bench: see bench.h. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { EXIT_SKIPPED = 77, SECTOR = 512 };

static int n_args;
static char **args;
static bool *asked;

__attribute__((format(printf, 2, 0))) static void say(const char *prefix, const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs(prefix, stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void bench_die(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("bench: ", fmt, ap);
	va_end(ap);
	_Exit(1);
}

void bench_skip(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	say("SKIPPED: ", fmt, ap);
	va_end(ap);
	_Exit(EXIT_SKIPPED);
}

void *bench_alloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);
	if (!p)
		bench_die("no memory");
	return p;
}

void bench_args(int argc, char **argv)
{
	n_args = argc;
	args = argv;
	asked = bench_alloc((size_t)argc, sizeof *asked);
}

const char *bench_text(const char *name, const char *otherwise)
{
	for (int i = 1; i + 1 < n_args; i += 2) {
		if (strcmp(args[i], name) == 0) {
			asked[i] = true;
			return args[i + 1];
		}
	}
	if (!otherwise)
		bench_die("%s is missing", name);
	return otherwise;
}

long bench_number(const char *name, long otherwise)
{
	char *end;
	const char *text = bench_text(name, "");
	if (!*text)
		return otherwise;
	errno = 0;
	long v = strtol(text, &end, 10);
	if (errno || *end)
		bench_die("%s: %s is no number", name, text);
	return v;
}

void bench_args_end(void)
{
	for (int i = 1; i < n_args; i += 2) {
		if (!asked[i] || i + 1 == n_args)
			bench_die("what is %s?", args[i]);
	}
	free(asked);
}

uint64_t bench_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15U;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

void bench_fill(uint64_t *state, void *p, size_t len)
{
	for (uint8_t *at = p; len;) {
		uint64_t r = bench_random(state);
		size_t n = len < sizeof r ? len : sizeof r;
		memcpy(at, &r, n);
		at += n;
		len -= n;
	}
}

uint32_t *bench_order(uint32_t n, uint64_t seed)
{
	uint32_t *order = bench_alloc(n, sizeof *order);
	uint64_t state = seed;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; seed && i > 1; i--) {
		uint32_t other = (uint32_t)(bench_random(&state) % i), kept = order[i - 1];
		order[i - 1] = order[other];
		order[other] = kept;
	}
	return order;
}

double bench_cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

long long bench_file_bytes(void)
{
	long long n = -1;
	char line[64];
	FILE *f = fopen("/proc/self/io", "r");
	while (f && fgets(line, sizeof line, f) && sscanf(line, "wchar: %lld", &n) != 1) {
	}
	if (f)
		fclose(f);
	return n;
}

/* write_bytes of /proc would count each folio that a write touches as a whole, and those grow to megabytes.
 */
long long bench_disk_bytes(const char *folder)
{
	struct stat s;
	char path[64];
	long long sectors = -1;
	if (stat(folder, &s) != 0)
		return -1;
	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(s.st_dev), minor(s.st_dev));
	sync();
	FILE *f = fopen(path, "r");
	if (f && fscanf(f, "%*s %*s %*s %*s %*s %*s %lld", &sectors) != 1)
		sectors = -1;
	if (f)
		fclose(f);
	return sectors < 0 ? -1 : sectors * SECTOR;
}

void bench_wait_until(int64_t mono_us)
{
	struct timespec t = {.tv_sec = mono_us / EG_SECOND, .tv_nsec = mono_us % EG_SECOND * 1000};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {
	}
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static long long rank(const int64_t *v, size_t n, size_t thousandth)
{
	return n ? (long long)v[(n - 1) * thousandth / 1000] : 0;
}

void bench_print_percentiles(int64_t *v, size_t n)
{
	qsort(v, n, sizeof *v, by_size);
	printf("\"p50_us\":%lld,\"p90_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld", rank(v, n, 500),
	       rank(v, n, 900), rank(v, n, 990), rank(v, n, 1000));
}
