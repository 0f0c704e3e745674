/* crash: chosen moments at which the power goes; see crash.h. */
#include "crash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct crash_settings crash_settings;

static const char *name;
static unsigned hits[POWER_OPS], hits_all;
static unsigned long operations[POWER_OPS];

/* In a thousand: there are many writes, and few of the rest. */
static const unsigned odds[POWER_OPS] = {
        [POWER_WAL_WRITE] = 40,      [POWER_WAL_SYNC] = 60,       [POWER_WAL_CUT] = 300,
        [POWER_DATABASE_WRITE] = 10, [POWER_DATABASE_SYNC] = 200, [POWER_DATABASE_CUT] = 300,
        [POWER_JOURNAL_WRITE] = 60,  [POWER_JOURNAL_SYNC] = 60,   [POWER_JOURNAL_CUT] = 100,
        [POWER_OTHER_SYNC] = 200,    [POWER_DELETE] = 150,        [POWER_DIRECTORY_SYNC] = 150,
};
#define RARE      40 /* hit less than once in so many */
#define ODDS_RARE 300

/* Lives whose first crash comes at once, soon, or after some checkpoints. */
static const unsigned skips[] = {1, 40, 400};

static long setting(const char *key, long otherwise)
{
	const char *text = getenv(key);
	char *end = NULL;
	long v = text ? strtol(text, &end, 10) : otherwise;
	if (text && (end == text || *end || v < 1))
		crash_cannot("%s must be a positive number", key);
	return v;
}

void crash_setup(const char *program, unsigned runs)
{
	name = program;
	const char *seed = getenv("EG_SEED"), *fault = getenv("EG_POWER_FAULT"), *tmp = getenv("TMPDIR");
	if (!tmp)
		tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* syncs are free in memory */
	crash_settings.seed = (uint64_t)time(NULL) << 16 ^ (uint64_t)getpid();
	if (seed)
		crash_settings.seed = strtoull(seed, NULL, 10);
	crash_settings.runs = (unsigned)setting("EG_POWER_RUNS", (long)runs);
	crash_settings.ack_early = fault && strcmp(fault, "ack_early") == 0;
	crash_settings.blind_directories = fault && strcmp(fault, "blind_directories") == 0;
	if (fault && *fault && !crash_settings.ack_early && !crash_settings.blind_directories)
		crash_cannot("EG_POWER_FAULT=%s: there is no such fault", fault);
	snprintf(crash_settings.base, sizeof crash_settings.base, "%.80s/eg-power-XXXXXX", tmp);
	if (!mkdtemp(crash_settings.base))
		crash_cannot("%s: %s", crash_settings.base, strerror(errno));
	printf("%s: EG_SEED=%llu, %u losses of power\n", name, (unsigned long long)crash_settings.seed,
	       crash_settings.runs);
	fflush(stdout);
}

int crash_finish(unsigned needed)
{
	int missed = 0;
	for (unsigned i = 0; i < POWER_OPS; i++) {
		printf("  the power went before %-24s %5u times (of %lu)\n", power_op_names[i], hits[i],
		       operations[i]);
		if (needed & 1u << i && !hits[i])
			missed++;
	}
	if (missed)
		printf("%s: some kinds of operation were never hit: this run proves too little\n", name);
	rmdir(crash_settings.base);
	return missed ? 2 : 0;
}

/* Does the power go here? A kind of operation that was rarely hit so far is hit when it comes along. */
static bool strikes(struct crashes *c, enum power_op op)
{
	bool rare = hits[op] * RARE < hits_all;
	if (c->skip > 0 && !rare) {
		c->skip--;
		return false;
	}
	return !crash_over(c) && power_random(&c->random) % 1000 < (rare ? ODDS_RARE : odds[op]);
}

static void before(void *arg, enum power_op op)
{
	struct crashes *c = arg;
	operations[op]++;
	if (!strikes(c, op))
		return;
	struct crash *crash = &c->list[c->n];
	*crash = (struct crash){.op = op, .acknowledged = c->acknowledged, .begun = c->begun};
	crash_new_dir(crash->dir, "image");
	power_image(crash->dir, &c->random);
	hits[op]++;
	hits_all++;
	c->n++;
}

void crash_begin(struct crashes *c, const char *dir, uint64_t *random)
{
	unsigned skip = skips[power_random(random) % (sizeof skips / sizeof *skips)];
	c->n = 0;
	c->want = 1 + (unsigned)(power_random(random) % CRASHES_MAX);
	c->skip = power_random(random) % skip;
	c->random = power_random(random);
	/* SQLite's salts come from here too. */
	sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(power_random(random) >> 33) | 1, NULL);
	const struct power_watch w = {.dir = dir,
	                              .before = before,
	                              .arg = c,
	                              .ignore_directory_syncs = crash_settings.blind_directories};
	power_watch(&w);
}

void crash_end(void)
{
	power_unwatch();
}

bool crash_over(const struct crashes *c)
{
	return c->n >= c->want;
}

void crash_broke(const struct crash *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	printf("%s: EG_SEED=%llu: POWER LOSS BROKE A PROMISE: ", name,
	       (unsigned long long)crash_settings.seed);
	vprintf(fmt, ap);
	va_end(ap);
	if (at)
		printf("\n  the power went before %s, with %llu acknowledged; what was left: %s",
		       power_op_names[at->op], (unsigned long long)at->acknowledged, at->dir);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

void crash_cannot(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	printf("%s: cannot run: ", name);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(2);
}

/* ---- directories ---- */

void crash_new_dir(char out[160], const char *what)
{
	static atomic_uint made;
	snprintf(out, 160, "%s/%s-%u", crash_settings.base, what, atomic_fetch_add(&made, 1) + 1);
}

static void copy_file(int from, int to, const char *path)
{
	char room[65536];
	for (ssize_t n; (n = read(from, room, sizeof room)) != 0;)
		if (n < 0 || write(to, room, (size_t)n) != n)
			crash_cannot("%s: %s", path, strerror(errno));
}

void crash_copy(const char *from, const char *to)
{
	DIR *d = opendir(from);
	if (!d || mkdir(to, 0700) != 0)
		crash_cannot("%s: %s", from, strerror(errno));
	int target = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		int a = openat(dirfd(d), e->d_name, O_RDONLY | O_CLOEXEC);
		int b = openat(target, e->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (a < 0 || b < 0)
			crash_cannot("%s/%s: %s", from, e->d_name, strerror(errno));
		copy_file(a, b, e->d_name);
		close(a);
		close(b);
	}
	close(target);
	closedir(d);
}

void crash_remove(const char *dir)
{
	DIR *d = opendir(dir);
	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	closedir(d);
	rmdir(dir);
}

void crash_integrity(const struct crash *at, const char *dir)
{
	char path[200], answer[200] = "no answer";
	sqlite3 *db;
	sqlite3_stmt *st;
	snprintf(path, sizeof path, "%s/eldergate.db", dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		crash_broke(at, "the database cannot be opened: %s", sqlite3_errmsg(db));
	if (sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &st, NULL) == SQLITE_OK &&
	    sqlite3_step(st) == SQLITE_ROW)
		snprintf(answer, sizeof answer, "%s", (const char *)sqlite3_column_text(st, 0));
	else
		snprintf(answer, sizeof answer, "%s", sqlite3_errmsg(db));
	sqlite3_finalize(st);
	sqlite3_close(db);
	if (strcmp(answer, "ok") != 0)
		crash_broke(at, "integrity_check: %s", answer);
}
