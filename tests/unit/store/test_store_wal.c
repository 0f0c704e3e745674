/* The store's WAL: its limit under readers, its content after a kill, a read-only look at it, and what
 * happens when the file layer below refuses a write or a sync. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/thread.h"
#include "fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define PAGE 4096

/* ---- readers and the checkpoint ---- */

struct storm {
	struct eg_store *store;
	struct eg_thread *thread;
	atomic_bool stop;
	long reads;
	enum eg_rc rc;
	struct eg_err err;
};

static void read_back_to_back(void *arg)
{
	struct storm *t = arg;
	struct eg_conn *c;
	uint64_t last = 0;
	t->rc = eg_store_reader(t->store, &c, &t->err);
	if (t->rc != EG_OK)
		return;
	while (t->rc == EG_OK && !atomic_load(&t->stop)) {
		if ((t->rc = eg_read_begin(c, &t->err)))
			break;
		uint64_t first, head;
		int64_t until = eg_mono_us() + 5000;
		t->rc = eg_get_head(c, &first, &t->err);
		do {
			t->rc = t->rc ? t->rc : eg_get_head(c, &head, &t->err);
			if (t->rc == EG_OK && (head != first || head < last))
				t->rc = eg_fail(&t->err, EG_CONFLICT, "the snapshot moved, or went back");
		} while (t->rc == EG_OK && eg_mono_us() < until);
		last = first;
		eg_read_end(c);
		t->reads++;
	}
	eg_conn_close(c);
}

static void readers_back_to_back_leave_the_wal_short(void **state)
{
	(void)state;
	enum { READERS = 4, LIMIT = 512, COMMITS = 400, PAGES_EACH = 20 };
	struct eg_err err = {0};
	struct eg_store_options o = options();
	o.wal_pages = LIMIT;
	struct eg_store *s = open_with(o);
	static struct storm storm[READERS];
	memset(storm, 0, sizeof storm);
	for (int i = 0; i < READERS; i++) {
		storm[i].store = s;
		assert_ok(eg_thread_start(&storm[i].thread, "reader", read_back_to_back, &storm[i], &err),
		          err);
	}
	int64_t most = 0;
	for (int i = 0; i < COMMITS; i++) { /* 16 times the limit in all */
		assert_ok(append(s, PAGES_EACH, PAGE, &err), err);
		int64_t now = eg_store_wal_bytes(s);
		most = now > most ? now : most;
	}
	long reads = 0;
	for (int i = 0; i < READERS; i++) {
		atomic_store(&storm[i].stop, true);
		eg_thread_join(storm[i].thread);
		assert_ok(storm[i].rc, storm[i].err);
		reads += storm[i].reads;
	}
	print_message("WAL at most %lld KiB of %d KiB, %ld read transactions\n", (long long)most / 1024,
	              LIMIT * PAGE / 1024, reads);
	assert_true(reads > 20);
	assert_true(most >= (int64_t)LIMIT * PAGE);
	/* The limit, a commit above it, and some tries that preempted readers spoil. Without the gate it
	 * would hold all the commits, sixteen times the limit. */
	assert_true(most <= (int64_t)LIMIT * PAGE * 6);
	eg_store_close(s);
}

static void a_reader_that_overstays_delays_the_writer_but_little(void **state)
{
	(void)state;
	enum { LIMIT = 64, ROUNDS = 30 };
	struct eg_err err = {0};
	struct eg_store_options o = options();
	o.wal_pages = LIMIT;
	struct eg_store *s = open_with(o);
	assert_ok(append(s, 1, 90, &err), err);
	struct eg_conn *c = open_reader(s);
	assert_ok(eg_read_begin(c, &err), err);
	int64_t began = eg_mono_us();
	for (int i = 0; i < ROUNDS; i++)
		assert_ok(append(s, 20, PAGE, &err), err);
	int64_t took = eg_mono_us() - began;
	assert_int_equal(head_of(c), 1);
	assert_true(eg_store_wal_bytes(s) > (int64_t)3 * LIMIT * PAGE); /* it could not begin anew */
	assert_true(took < 60 * EG_SECOND); /* not for as long as the reader stays */
	eg_read_end(c);
	for (int i = 0; i < 3; i++) /* one is over the limit, the next begins the WAL anew and cuts it */
		assert_ok(append(s, 20, PAGE, &err), err);
	assert_true(eg_store_wal_bytes(s) <= (copier ? 2 : 1) * (int64_t)LIMIT * (PAGE + 24) + PAGE);
	eg_conn_close(c);
	eg_store_close(s);
}

/* ---- kill -9 ---- */

/* In a process of its own: commits for ever, and writes each head to fd once it is acknowledged. */
static void commit_for_ever(int fd, int64_t wal_pages)
{
	struct eg_store_options o = options();
	struct eg_store *s;
	o.wal_pages = wal_pages;
	if (eg_store_open(&s, &o, NULL) != EG_OK)
		_exit(1);
	for (;;) {
		uint64_t head;
		if (append(s, 1 + (unsigned)below(30), 100 + below(9000), NULL) != EG_OK ||
		    eg_get_head(eg_store_writer(s), &head, NULL) != EG_OK ||
		    write(fd, &head, sizeof head) != sizeof head)
			_exit(1);
	}
}

/* Kills the committing process after some acknowledgements; the last one read. */
static uint64_t commit_and_kill(int64_t wal_pages)
{
	int fd[2];
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	uint64_t acks = 1 + below(40), acked = 0;
	long nap_us = (long)below(3000);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(fd[0]);
		commit_for_ever(fd[1], wal_pages);
	}
	close(fd[1]);
	for (uint64_t i = 0; i < acks; i++)
		assert_int_equal(read(fd[0], &acked, sizeof acked), sizeof acked);
	/* Somewhere between two acknowledgements, not right after one. */
	nanosleep(&(struct timespec){.tv_nsec = nap_us * 1000}, NULL);
	kill(child, SIGKILL);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	while (read(fd[0], &acked, sizeof acked) == sizeof acked)
		continue;
	close(fd[0]);
	seed += acks; /* the child drew from its own copy */
	return acked;
}

static void a_killed_writer_loses_nothing_acknowledged(void **state)
{
	(void)state;
	enum { ROUNDS = 12 };
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t acked = commit_and_kill(i % 2 ? 32 : 65536);
		struct eg_store *s = open_store();
		uint64_t head = head_of(eg_store_writer(s));
		assert_true(head >= acked);
		struct eg_err err = {0};
		assert_ok(append(s, 1, 500, &err), err);
		assert_whole(head + 1);
		eg_store_close(s);
	}
}

/* ---- read only ---- */

struct file {
	char name[256];
	uint8_t *bytes;
	size_t len;
	struct timespec changed;
};
struct listing {
	struct file file[8];
	int n;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static struct listing look(void)
{
	struct listing l = {0};
	DIR *d = opendir(dir);
	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		assert_true(l.n < 8);
		struct file *f = &l.file[l.n++];
		snprintf(f->name, sizeof f->name, "%s", e->d_name);
		int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOATIME);
		struct stat st;
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		f->len = (size_t)st.st_size;
		f->changed = st.st_ctim;
		f->bytes = malloc(f->len + 1);
		assert_int_equal(read(fd, f->bytes, f->len), f->len);
		close(fd);
	}
	closedir(d);
	qsort(l.file, (size_t)l.n, sizeof *l.file, by_name);
	return l;
}

static void forget(struct listing *l)
{
	for (int i = 0; i < l->n; i++)
		free(l->file[i].bytes);
}

static void assert_same(struct listing *a, struct listing *b)
{
	assert_int_equal(a->n, b->n);
	for (int i = 0; i < a->n; i++) {
		assert_string_equal(a->file[i].name, b->file[i].name);
		assert_int_equal(a->file[i].len, b->file[i].len);
		assert_memory_equal(a->file[i].bytes, b->file[i].bytes, a->file[i].len);
		assert_int_equal(a->file[i].changed.tv_sec, b->file[i].changed.tv_sec);
		assert_int_equal(a->file[i].changed.tv_nsec, b->file[i].changed.tv_nsec);
	}
}

static void read_every_entry(struct eg_conn *c, uint64_t at_least)
{
	struct eg_err err = {0};
	struct eg_arena *a = eg_arena_new((size_t)64 << 20);
	uint64_t head = head_of(c), seen = 0;
	struct eg_log_row *list;
	unsigned n;
	assert_true(head >= at_least);
	do {
		assert_ok(eg_list_entries(c, seen, 100, SIZE_MAX, a, &list, &n, &err), err);
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(list[i].seq, ++seen);
		eg_arena_reset(a);
	} while (n);
	assert_int_equal(seen, head);
	eg_arena_free(a);
}

static void look_without_a_trace(uint64_t acked)
{
	struct eg_err err = {0};
	struct listing before = look();
	struct eg_store *s = open_read_only();
	struct eg_conn *c = open_reader(s);
	read_every_entry(eg_store_writer(s), acked);
	assert_ok(eg_read_begin(c, &err), err);
	read_every_entry(c, acked);
	assert_false(eg_read_expired(c));
	eg_read_end(c);
	struct listing during = look();
	assert_same(&before, &during);
	eg_conn_close(c);
	eg_store_close(s);
	struct listing after = look();
	assert_same(&before, &after);
	forget(&before);
	forget(&during);
	forget(&after);
}

static void remove_file(const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

static void reading_only_leaves_no_trace(void **state)
{
	(void)state;
	struct eg_err err = {0};
	for (int i = 0; i < 4; i++) { /* what a killed daemon leaves: part of the log is in the WAL alone */
		uint64_t acked = commit_and_kill(i % 2 ? 32 : 65536);
		look_without_a_trace(acked);
		remove_file("eldergate.db-shm"); /* as in a copy */
		look_without_a_trace(acked);
		if (i == 2) {
			remove_file("lock");
			remove_file("reserve");
			look_without_a_trace(acked);
		}
	}
	struct eg_store *s = open_store();
	uint64_t head = head_of(eg_store_writer(s));
	assert_ok(append(s, 1, 500, &err), err);
	eg_store_close(s);
	struct listing l = look();
	assert_int_equal(l.n, 3); /* a store that was closed has no WAL */
	forget(&l);
	look_without_a_trace(head + 1);
}

static void what_is_not_ours_is_refused(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store_options o = options();
	struct eg_store *s;
	o.read_only = true;
	assert_rc(eg_store_open(&s, &o, &err), EG_NOT_FOUND);
	struct listing l = look();
	assert_int_equal(l.n, 0);
	forget(&l);
	char loop[128];
	snprintf(loop, sizeof loop, "%s/eldergate.db", dir);
	assert_int_equal(symlink("eldergate.db", loop), 0); /* there, and not to be reached */
	assert_rc(eg_store_open(&s, &o, &err), EG_IO);
	remove_file("eldergate.db");

	s = open_store();
	struct eg_tx tx = eg_tx_begin(s);
	const uint8_t later[8] = {0, 0, 0, 0, 0, 0, 0, 2};
	eg_tx_put_meta(&tx, "format", (struct eg_bytes){later, 8});
	assert_ok(eg_tx_end(&tx, &err), err);
	eg_store_close(s);
	assert_rc(eg_store_open(&s, &o, &err), EG_CONFIG);
	o.read_only = false;
	assert_rc(eg_store_open(&s, &o, &err), EG_CONFIG);
	assert_non_null(strstr(err.text, "format 2"));
	remove_file("eldergate.db");
	char path[128];
	snprintf(path, sizeof path, "%s/eldergate.db", dir);
	FILE *f = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("not a database\n", f);
	fclose(f);
	l = look();
	assert_rc(eg_store_open(&s, &o, &err), EG_CORRUPT);
	assert_true(err.fatal);
	o.read_only = true;
	assert_rc(eg_store_open(&s, &o, &err), EG_CORRUPT);
	struct listing after = look();
	assert_same(&l, &after);
	forget(&l);
	forget(&after);
	o.dir = "/nonexistent";
	assert_rc(eg_store_open(&s, &o, &err), EG_NOT_FOUND);
	o.read_only = false;
	assert_rc(eg_store_open(&s, &o, &err), EG_IO);
}

/* ---- a file layer that refuses ---- */

enum { DATABASE, WAL, KINDS };
static sqlite3_vfs *real, weak;
static const sqlite3_io_methods
        *real_methods[KINDS]; /* they differ: a WAL is not locked, nor has it shared memory */
static sqlite3_io_methods weak_methods[KINDS];
static int write_answer[KINDS], sync_answer[KINDS], read_answer[KINDS]; /* SQLITE_OK: do it */
static long writes, syncs[KINDS];                                       /* asked for */

static int kind_of(sqlite3_file *f)
{
	return f->pMethods == &weak_methods[WAL] ? WAL : DATABASE;
}

static int weak_write(sqlite3_file *f, const void *p, int len, sqlite3_int64 at)
{
	int answer = write_answer[kind_of(f)];
	writes++;
	return answer ? answer : real_methods[kind_of(f)]->xWrite(f, p, len, at);
}

static int weak_sync(sqlite3_file *f, int flags)
{
	int answer = sync_answer[kind_of(f)];
	syncs[kind_of(f)]++;
	return answer ? answer : real_methods[kind_of(f)]->xSync(f, flags);
}

static int weak_read(sqlite3_file *f, void *p, int len, sqlite3_int64 at)
{
	int answer = read_answer[kind_of(f)];
	return answer ? answer : real_methods[kind_of(f)]->xRead(f, p, len, at);
}

static int weak_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	(void)vfs;
	int code = real->xOpen(real, name, f, flags, out);
	int kind = flags & SQLITE_OPEN_WAL ? WAL : DATABASE;
	if (code == SQLITE_OK && flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) {
		real_methods[kind] = f->pMethods;
		weak_methods[kind] = *f->pMethods;
		weak_methods[kind].xWrite = weak_write;
		weak_methods[kind].xSync = weak_sync;
		weak_methods[kind].xRead = weak_read;
		f->pMethods = &weak_methods[kind];
	}
	return code;
}

static struct eg_store *open_weak(int64_t wal_pages)
{
	if (!real) {
		real = sqlite3_vfs_find(NULL);
		weak = *real;
		weak.pNext = NULL;
		weak.zName = "weak";
		weak.xOpen = weak_open;
		assert_int_equal(sqlite3_vfs_register(&weak, 0), SQLITE_OK);
	}
	memset(write_answer, 0, sizeof write_answer);
	memset(sync_answer, 0, sizeof sync_answer);
	memset(read_answer, 0, sizeof read_answer);
	struct eg_store_options o = options();
	o.vfs = "weak";
	o.wal_pages = wal_pages;
	return open_with(o);
}

static void assert_stored(uint64_t head)
{
	struct eg_store *s = open_store();
	assert_int_equal(head_of(eg_store_writer(s)), head);
	assert_whole(head);
	eg_store_close(s);
}

static void a_full_disk_refuses_and_recovers(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_weak(100000);
	for (uint64_t head = 5; head <= 15; head += 5) {
		assert_ok(append(s, 5, 3000, &err), err);
		write_answer[WAL] = SQLITE_FULL;
		assert_rc(append(s, 5, 3000, &err), EG_NO_SPACE);
		assert_false(err.fatal);
		assert_int_equal(head_of(eg_store_writer(s)), head);
		/* More than the cache holds is written before the commit. */
		assert_rc(append(s, 200, 500000, &err), EG_NO_SPACE);
		assert_int_equal(head_of(eg_store_writer(s)), head);
		write_answer[WAL] = SQLITE_OK;
	}
	eg_store_close(s);
	assert_stored(15);
}

static void a_full_disk_gets_the_room_of_its_wal_back(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_weak(100000);
	assert_ok(append(s, 50, 4000, &err), err);
	int64_t before = eg_store_wal_bytes(s);
	write_answer[WAL] = SQLITE_FULL;
	assert_rc(append(s, 5, 4000, &err), EG_NO_SPACE);
	write_answer[WAL] = SQLITE_OK;
	assert_ok(append(s, 5, 4000, &err), err);
	assert_int_equal(eg_store_wal_bytes(s), before); /* it began anew: no byte more */
	eg_store_close(s);
	assert_stored(55);
}

static void a_full_disk_during_a_checkpoint_keeps_the_commit(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store *s = open_weak(2);
	write_answer[DATABASE] = SQLITE_FULL;
	for (int i = 0; i < 5; i++)
		assert_ok(append(s, 5, 3000, &err), err);
	int64_t grown = eg_store_wal_bytes(s);
	assert_true(grown > 25 * 3000); /* all of it is still there */
	write_answer[DATABASE] = SQLITE_OK;
	for (int i = 0; i < 3; i++)
		assert_ok(append(s, 5, 3000, &err), err);
	assert_true(eg_store_wal_bytes(s) < grown);
	eg_store_close(s);
	assert_stored(40);
}

static void a_failed_sync_is_the_end(void **state)
{
	(void)state;
	struct eg_err err = {0};
	for (int kind = 0; kind < KINDS; kind++) {
		bool in_checkpoint = kind == DATABASE;
		struct eg_store *s = open_weak(in_checkpoint ? 1 : 100000);
		uint64_t head = head_of(eg_store_writer(s));
		long before = syncs[kind];
		assert_ok(append(s, 5, 3000, &err), err);
		assert_true(syncs[kind] > before);
		sync_answer[kind] = SQLITE_IOERR_FSYNC;
		assert_rc(append(s, 5, 3000, &err), EG_IO);
		assert_true(err.fatal);
		sync_answer[kind] = SQLITE_OK; /* the next one would succeed, and prove nothing */
		before = writes;
		struct eg_tx tx = eg_tx_begin(s);
		assert_rc(tx.rc, EG_IO);
		assert_true(tx.err.fatal);
		assert_rc(eg_tx_end(&tx, &err), EG_IO);
		eg_store_close(s);
		assert_int_equal(writes, before); /* no copy of the WAL at the end either */
		s = open_store();
		uint64_t now = head_of(eg_store_writer(s));
		assert_true(now == head + 10 ||
		            (!in_checkpoint && now == head + 5)); /* all of it or nothing */
		eg_store_close(s);
		assert_stored(now);
	}
}

/* What the unix VFS makes of EIO, and SQLite of that a damaged file. */
static void a_refused_read_is_no_damage(void **state)
{
	(void)state;
	for (int kind = 0; kind < KINDS; kind++) {
		struct eg_err err = {0};
		struct eg_conn *c = NULL;
		struct eg_arena *a = eg_arena_new(4 << 20);
		struct eg_log_row *rows;
		unsigned n = 0;
		struct eg_store *s = open_weak(kind == DATABASE ? 1 : 100000);
		assert_ok(append(s, 5, 3000, &err), err);
		assert_ok(eg_store_reader(s, &c, &err), err);
		assert_ok(eg_read_begin(c, &err), err);
		read_answer[kind] = SQLITE_IOERR_CORRUPTFS;
		assert_rc(eg_list_entries(c, 0, 100, 1 << 20, a, &rows, &n, &err), EG_IO);
		assert_false(err.fatal);
		read_answer[kind] = SQLITE_OK;
		assert_ok(eg_list_entries(c, 0, 100, 1 << 20, a, &rows, &n, &err), err);
		assert_true(n >= 5);
		eg_read_end(c);
		eg_arena_free(a);
		eg_conn_close(c);
		assert_ok(append(s, 5, 3000, &err), err);
		eg_store_close(s);
	}
}

#ifdef EG_FAULT
static void every_step_may_fail(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_store_options o = options();
	o.wal_pages = 1;
	struct eg_store *s = open_with(o);
	uint64_t head = 0;
	for (long nth = 1;; nth++) {
		eg_fault_arm(nth);
		enum eg_rc rc = append(s, 3, 2000, &err);
		bool hit = eg_fault_hit();
		eg_fault_arm(0);
		head += rc == EG_OK ? 3 : 0;
		assert_int_equal(head_of(eg_store_writer(s)), head);
		if (!hit) {
			assert_ok(rc, err);
			assert_true(nth > 6); /* begin, three steps, commit, two copies */
			break;
		}
	}
	eg_store_close(s);
	s = open_store();
	assert_whole(head);
	eg_store_close(s);
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	        T(readers_back_to_back_leave_the_wal_short),
	        T(a_reader_that_overstays_delays_the_writer_but_little),
	        T(a_killed_writer_loses_nothing_acknowledged),
	        T(reading_only_leaves_no_trace),
	        T(what_is_not_ours_is_refused),
	        T(a_full_disk_refuses_and_recovers),
	        T(a_full_disk_gets_the_room_of_its_wal_back),
	        T(a_full_disk_during_a_checkpoint_keeps_the_commit),
	        T(a_failed_sync_is_the_end),
	        T(a_refused_read_is_no_damage),
#ifdef EG_FAULT
	        T(every_step_may_fail),
#endif
	};
	const struct CMUnitTest beside[] = {
	        T(readers_back_to_back_leave_the_wal_short),
	        T(a_reader_that_overstays_delays_the_writer_but_little),
	        T(a_killed_writer_loses_nothing_acknowledged),
	};
	int failed = cmocka_run_group_tests_name("store_wal", tests, read_seed, NULL);
	copier = EG_COPIER_THREAD;
	return failed + cmocka_run_group_tests_name("store_wal beside the writer", beside, read_seed, NULL);
}
