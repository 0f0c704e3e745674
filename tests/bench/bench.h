/* bench: what every program of this folder needs: its arguments, the clock, percentiles, a seeded shuffle.
 *
 * A program prints one line of JSON per figure on standard output and exits 0, or says on standard error why
 * it could not (exit 1), or why there is nothing to measure here (exit 77). Thread: main's, but for
 * bench_random. */
#ifndef BENCH_H
#define BENCH_H

#include "base/buf.h"
#include "base/clock.h"

#include <stdio.h>

_Noreturn void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void bench_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "--name value" of the command line; an argument that no call asked for is an error of bench_args_end. */
void bench_args(int argc, char **argv);
const char *bench_text(const char *name, const char *otherwise); /* otherwise NULL: it must be given */
long bench_number(const char *name, long otherwise);
void bench_args_end(void);

/* splitmix64: small, seeded, the same on every machine. */
uint64_t bench_random(uint64_t *state);
void bench_fill(uint64_t *state, void *p, size_t len);
uint32_t *bench_order(uint32_t n, uint64_t seed); /* 0..n-1 shuffled (seed 0: as they are); malloc'ed */
void *bench_alloc(size_t n, size_t size);         /* zeroed; never NULL */

double bench_cpu_seconds(void); /* user and system time of this process so far */
/* What this process has written to files, by its own calls; what the disk under a folder has written, for
 * anyone, once all that is cached has gone there. -1: not known here. */
long long bench_file_bytes(void);
long long bench_disk_bytes(const char *folder);
void bench_wait_until(int64_t mono_us);

/* Sorts v, then prints "p50_us":…,"p90_us":…,"p99_us":…,"max_us":… (without braces). */
void bench_print_percentiles(int64_t *v, size_t n);

#endif
