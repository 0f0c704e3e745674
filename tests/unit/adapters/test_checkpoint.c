/* The checkpoint: what was saved is there, whole, whatever happened to the save after it. */
#include "common/checkpoint.h"

#include "base/buf.h"
#include "base/fault.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[64], path[96], beside[96];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/eldergate-checkpoint-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/checkpoint", dir);
	snprintf(beside, sizeof beside, "%s/checkpoint.new", dir);
	return 0;
}

static int drop_dir(void **state)
{
	char lock[96];
	(void)state;
	snprintf(lock, sizeof lock, "%s/lock", dir);
	unlink(path);
	unlink(beside);
	unlink(lock);
	return rmdir(dir);
}

static struct eg_checkpoint *reopen(struct eg_checkpoint *c)
{
	struct eg_err err = {0};
	eg_checkpoint_close(c);
	if (eg_checkpoint_open(&c, dir, &err))
		fail_msg("%s", err.text);
	return c;
}

static void put(struct eg_checkpoint *c, const char *name, const char *value)
{
	assert_int_equal(eg_checkpoint_put(c, name, eg_bytes_of(value), NULL), EG_OK);
}

static void assert_value(const struct eg_checkpoint *c, const char *name, const char *value)
{
	struct eg_bytes have = eg_checkpoint_get(c, name);
	assert_int_equal(have.len, strlen(value));
	if (have.len)
		assert_memory_equal(have.p, value, have.len);
}

static void values_come_back(void **state)
{
	(void)state;
	struct eg_checkpoint *c = reopen(NULL);
	assert_value(c, "source.mark", "");
	put(c, "source.mark", "17");
	put(c, "out.cursor", "abc");
	put(c, "source.empty", "");
	put(c, "source.mark", "18");
	assert_value(c, "source.mark", "18"); /* seen before it is durable */
	c = reopen(c);
	assert_value(c, "source.mark", ""); /* never saved */
	put(c, "source.mark", "19");
	put(c, "out.cursor", "def");
	assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
	put(c, "source.mark", "20");
	eg_checkpoint_drop(c, "out.cursor");
	eg_checkpoint_drop(c, "no.such");
	c = reopen(c);
	assert_value(c, "source.mark", "19");
	assert_value(c, "out.cursor", "def");
	eg_checkpoint_drop(c, "out.cursor");
	assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
	c = reopen(c);
	assert_value(c, "source.mark", "19");
	assert_value(c, "out.cursor", "");
	eg_checkpoint_close(c);
}

static void gather(void *arg, const char *name, struct eg_bytes value)
{
	size_t len = strlen(arg);
	snprintf((char *)arg + len, 200 - len, "%s=%.*s ", name, (int)value.len, (const char *)value.p);
}

static void each_of_a_prefix_in_order(void **state)
{
	(void)state;
	char seen[200] = "";
	struct eg_checkpoint *c = reopen(NULL);
	put(c, "park/3", "c");
	put(c, "park/1", "a");
	put(c, "parka", "x");
	put(c, "par", "y");
	put(c, "park/2", "b");
	eg_checkpoint_each(c, "park/", gather, seen);
	assert_string_equal(seen, "park/1=a park/2=b park/3=c ");
	eg_checkpoint_close(c);
}

static void names_and_sizes_are_bounded(void **state)
{
	(void)state;
	static uint8_t big[EG_CHECKPOINT_MAX];
	struct eg_err err = {0};
	char longest[130];
	struct eg_checkpoint *c = reopen(NULL);
	memset(longest, 'a', 129);
	longest[129] = 0;
	assert_int_equal(eg_checkpoint_put(c, longest, eg_bytes_of("x"), &err), EG_INVALID);
	assert_int_equal(eg_checkpoint_put(c, "", eg_bytes_of("x"), &err), EG_INVALID);
	assert_int_equal(eg_checkpoint_put(c, "a b", eg_bytes_of("x"), &err), EG_INVALID);
	put(c, longest + 1, "fits");
	assert_int_equal(eg_checkpoint_put(c, "big", (struct eg_bytes){big, sizeof big}, &err), EG_LIMIT);
	assert_value(c, "big", "");
	/* A replaced value counts once, however often it is put. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(eg_checkpoint_put(c, "big", (struct eg_bytes){big, sizeof big - 400}, &err),
		                 EG_OK);
	assert_int_equal(eg_checkpoint_save(c, &err), EG_OK);
	c = reopen(c);
	assert_int_equal(eg_checkpoint_get(c, "big").len, sizeof big - 400);
	eg_checkpoint_drop(c, "big");
	assert_int_equal(eg_checkpoint_put(c, "again", (struct eg_bytes){big, sizeof big - 400}, &err),
	                 EG_OK);
	eg_checkpoint_close(c);
}

static void one_process_has_it(void **state)
{
	(void)state;
	struct eg_err err = {0};
	struct eg_checkpoint *c = reopen(NULL), *other = NULL;
	put(c, "a", "1");
	assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
	assert_int_equal(eg_checkpoint_open(&other, dir, &err), EG_BUSY);
	assert_int_equal(eg_checkpoint_peek(&other, dir, &err), EG_OK); /* looking is free */
	assert_value(other, "a", "1");
	eg_checkpoint_close(other);
	c = reopen(c);
	eg_checkpoint_close(c);
	assert_int_equal(eg_checkpoint_peek(&other, "/tmp/no-such-directory-here", &err), EG_NOT_FOUND);
}

static void tokens_are_keyed_and_stay(void **state)
{
	(void)state;
	uint8_t a[16], b[16], after[16], elsewhere[16];
	struct eg_checkpoint *c = reopen(NULL);
	eg_checkpoint_token(c, eg_bytes_of("A-1"), a);
	eg_checkpoint_token(c, eg_bytes_of("A-2"), b);
	assert_memory_not_equal(a, b, 16);
	c = reopen(c); /* nothing was saved by us; the key is there all the same */
	eg_checkpoint_token(c, eg_bytes_of("A-1"), after);
	assert_memory_equal(a, after, 16);
	eg_checkpoint_close(c);
	assert_int_equal(unlink(path), 0);
	c = reopen(NULL);
	eg_checkpoint_token(c, eg_bytes_of("A-1"), elsewhere);
	assert_memory_not_equal(a, elsewhere, 16);
	eg_checkpoint_close(c);
}

static size_t slurp(uint8_t *out, size_t cap)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

static void spill(const char *to, const uint8_t *p, size_t n)
{
	FILE *f = fopen(to, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static void damage_is_told(void **state)
{
	(void)state;
	uint8_t good[1024], bad[1025];
	struct eg_err err = {0};
	struct eg_checkpoint *c = reopen(NULL);
	put(c, "source.mark", "17");
	put(c, "out.cursor", "abc");
	assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
	eg_checkpoint_close(c);
	size_t n = slurp(good, sizeof good);
	for (size_t i = 0; i < n; i++) { /* each byte flipped; cut at each byte */
		memcpy(bad, good, n);
		bad[i] ^= 0x40;
		spill(path, bad, n);
		assert_int_equal(eg_checkpoint_open(&c, dir, &err), EG_CORRUPT);
		spill(path, good, i);
		assert_int_equal(eg_checkpoint_open(&c, dir, &err), EG_CORRUPT);
	}
	assert_non_null(strstr(err.text, "not delivered yet"));
	memcpy(bad, good, n);
	bad[n] = 0;
	spill(path, bad, n + 1);
	assert_int_equal(eg_checkpoint_open(&c, dir, &err), EG_CORRUPT);
	spill(path, good, n);
	spill(beside, good, n / 2); /* what a torn save leaves */
	c = reopen(NULL);
	assert_value(c, "source.mark", "17");
	put(c, "source.mark", "18");
	assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
	c = reopen(c);
	assert_value(c, "source.mark", "18");
	eg_checkpoint_close(c);
}

static void links_are_not_followed(void **state)
{
	(void)state;
	char target[96];
	struct eg_err err = {0};
	struct eg_checkpoint *c;
	snprintf(target, sizeof target, "%s/elsewhere", dir);
	spill(target, (const uint8_t *)"x", 1);
	assert_int_equal(symlink(target, path), 0);
	assert_int_not_equal(eg_checkpoint_open(&c, dir, &err), EG_OK);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(target), 0);
}

#ifdef EG_FAULT
/* Saves two values together in a process of its own, for the point is read once from the environment. */
static void die_at(const char *point)
{
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setenv("ELDERGATE_KILL", point, 1);
		execl("/proc/self/exe", "test_checkpoint", "save", dir, (char *)NULL);
		_exit(1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int save_in(const char *place)
{
	struct eg_checkpoint *c;
	if (eg_checkpoint_open(&c, place, NULL) || eg_checkpoint_put(c, "a", eg_bytes_of("new"), NULL) ||
	    eg_checkpoint_put(c, "b", eg_bytes_of("new"), NULL))
		return 1;
	return eg_checkpoint_save(c, NULL) ? 2 : 0;
}

static void old_or_new_after_a_kill(void **state)
{
	(void)state;
	static const struct {
		const char *point, *after;
	} points[] = {{"checkpoint.torn", "old"},
	              {"checkpoint.written", "old"},
	              {"checkpoint.synced", "old"},
	              {"checkpoint.renamed", "new"}};
	for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
		struct eg_checkpoint *c = reopen(NULL);
		put(c, "a", "old");
		put(c, "b", "old");
		assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
		eg_checkpoint_close(c);
		die_at(points[i].point);
		c = reopen(NULL);
		assert_value(c, "a", points[i].after);
		assert_value(c, "b", points[i].after);
		eg_checkpoint_close(c);
	}
}

static void every_failing_step_is_told_and_mended(void **state)
{
	(void)state;
	int n = 1;
	for (;; n++) {
		char value[16];
		snprintf(value, sizeof value, "%d", n);
		struct eg_checkpoint *c = reopen(NULL);
		put(c, "a", value);
		eg_fault_arm(n);
		enum eg_rc rc = eg_checkpoint_save(c, NULL);
		bool hit = eg_fault_hit();
		eg_fault_arm(0);
		assert_int_equal(rc != EG_OK, hit);
		assert_int_equal(eg_checkpoint_save(c, NULL), EG_OK);
		c = reopen(c);
		assert_value(c, "a", value);
		eg_checkpoint_close(c);
		if (!hit)
			break;
	}
	assert_int_equal(n, 5); /* write, fsync, rename, fsync of the directory, then none */
}
#endif

int main(int argc, char **argv)
{
#ifdef EG_FAULT
	if (argc == 3 && strcmp(argv[1], "save") == 0)
		return save_in(argv[2]);
#endif
	(void)argc;
	(void)argv;
#define T(f) cmocka_unit_test_setup_teardown(f, make_dir, drop_dir)
	const struct CMUnitTest tests[] = {
	        T(values_come_back),
	        T(each_of_a_prefix_in_order),
	        T(names_and_sizes_are_bounded),
	        T(one_process_has_it),
	        T(tokens_are_keyed_and_stay),
	        T(damage_is_told),
	        T(links_are_not_followed),
#ifdef EG_FAULT
	        T(old_or_new_after_a_kill),
	        T(every_failing_step_is_told_and_mended),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
