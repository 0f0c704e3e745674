/* crash: chosen moments at which the power goes, and what the test had been told by then.
 *
 * A life is one run of the store over a watched directory, from open to close. At each file operation a
 * seeded choice decides whether the power goes there; then an image of what may be left is made, and the run
 * goes on as if nothing had happened. Each image is a directory that the test opens afterwards.
 *
 * Settings, from the environment: EG_SEED; EG_POWER_RUNS: images to judge; EG_POWER_FAULT: a planted fault,
 * that the test must catch: ack_early (the acknowledgement is noted before the commit), blind_directories (no
 * name is ever durable). Exit status of a test: 0 it held; 1 what was acknowledged was lost, or something was
 * half; 2 the test could not run. Thread: crash_begin and crash_end the test's; the counters any, each
 * written by one. */
#ifndef EG_TEST_CRASH_H
#define EG_TEST_CRASH_H

#include "powerdisk.h"

#include <stdatomic.h>
#include <stddef.h>

#define CRASHES_MAX 4 /* of one life */

struct crash {
	char dir[160]; /* the image */
	enum power_op op;
	uint64_t acknowledged, begun; /* then */
};

struct crashes {
	_Atomic uint64_t acknowledged; /* set by the test as it is told so */
	_Atomic uint64_t begun;        /* what may be there, but need not */
	atomic_uint n;                 /* images made in this life */
	struct crash list[CRASHES_MAX];
	/* own */
	unsigned want;
	uint64_t skip; /* operations that pass first */
	uint64_t random;
};

struct crash_settings {
	uint64_t seed;
	unsigned runs;
	bool ack_early, blind_directories;
	char base[128]; /* an empty directory; removed at the end */
};
extern struct crash_settings crash_settings;

/* Reads the settings, prints the seed. */
void crash_setup(const char *program, unsigned runs);
/* Removes the base, prints what was seen. 2 if an operation of `needed` (a bit each) was never hit; else 0.
 */
int crash_finish(unsigned needed);

/* Watches dir and starts a life. */
void crash_begin(struct crashes *c, const char *dir, uint64_t *random);
void crash_end(void);
bool crash_over(const struct crashes *c); /* all images of this life were made */

/* The property does not hold: prints seed, image and text, exits with 1. */
_Noreturn void crash_broke(const struct crash *at, const char *fmt, ...)
        __attribute__((format(printf, 2, 3)));
_Noreturn void crash_cannot(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void crash_new_dir(char out[160], const char *what); /* a name in the base that was never used */
void crash_copy(const char *from, const char *to);   /* makes `to` */
void crash_remove(const char *dir);
/* PRAGMA integrity_check on dir's database; crash_broke if it complains. */
void crash_integrity(const struct crash *at, const char *dir);

#endif
