/* The spool of a full list: order, round trips, bounds, and every way in which its files can be wrong. */
#include "road.h"

#include "flow/absent.h"
#include "flow/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>

enum { ROWS = 9000, TEXT = 200, CUTS = 40 };

static struct road *r;
static char dir[160];

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	snprintf(dir, sizeof dir, "%s/lists", r->dir);
	return mkdir(dir, 0700);
}

static int tear_down(void **state)
{
	(void)state;
	road_close(r, true);
	return 0;
}

static struct eg_spool_options options(void)
{
	return (struct eg_spool_options){.dir = dir, .vault = r->vault}; /* the least memory */
}

/* Row i: its content follows from i. */
static void make(uint64_t i, struct eg_spool_row *row, uint8_t text[TEXT])
{
	uint64_t state = i * 7919 + 1;
	memset(row, 0, sizeof *row);
	for (unsigned k = 0; k < sizeof row->token; k++)
		row->token[k] =
		        (uint8_t)((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
	if (i % 50 == 49) /* the key of the row before */
		make(i - 1, row, text);
	row->index = i;
	row->version = (struct eg_version){.version = (int64_t)i - 3,
	                                   .mapping_revision = (uint32_t)i % 3,
	                                   .asserted = i % 7 != 0,
	                                   .has_key = i % 3 == 0,
	                                   .current = i % 2 == 0,
	                                   .has_proposal = i % 3 == 1};
	memset(row->version.digest, (int)i, sizeof row->version.digest);
	memset(row->version.key, (int)i + 1, sizeof row->version.key);
	row->faulty = i % 7 == 0;
	row->own_version = i % 5 == 0;
	for (unsigned k = 0; k < i % 4; k++)
		eg_reasons_add(&row->reasons, EG_REASON_ID_LENGTH + k, "registration.id_number");
	memset(text, 'a' + (int)(i % 26), TEXT);
	row->canon = (struct eg_bytes){text, TEXT - i % 100};
}

static void assert_row(const struct eg_spool_row *got)
{
	struct eg_spool_row want;
	uint8_t text[TEXT];
	make(got->index, &want, text);
	assert_memory_equal(got->token, want.token, sizeof want.token);
	assert_true(got->version.version == want.version.version);
	assert_int_equal(got->version.mapping_revision, want.version.mapping_revision);
	assert_int_equal(got->version.asserted, want.version.asserted);
	assert_int_equal(got->version.has_key, want.version.has_key);
	assert_int_equal(got->version.current, want.version.current);
	assert_int_equal(got->version.has_proposal, want.version.has_proposal);
	assert_memory_equal(got->version.digest, want.version.digest, sizeof want.version.digest);
	assert_memory_equal(got->version.key, want.version.key, sizeof want.version.key);
	assert_int_equal(got->faulty, want.faulty);
	assert_int_equal(got->own_version, want.own_version);
	assert_int_equal(got->reasons.n, want.reasons.n);
	for (unsigned i = 0; i < want.reasons.n; i++) {
		assert_int_equal(got->reasons.v[i].code, want.reasons.v[i].code);
		assert_string_equal(got->reasons.v[i].field, want.reasons.v[i].field);
	}
	assert_true(eg_bytes_equal(got->canon, want.canon));
}

static struct eg_spool *fill(unsigned n, const struct eg_spool_options *o)
{
	struct eg_err err = {0};
	struct eg_spool *s;
	struct eg_spool_row row;
	uint8_t text[TEXT];
	assert_ok(eg_spool_new(&s, o, &err), err);
	for (unsigned i = 0; i < n; i++) {
		make(i, &row, text);
		assert_ok(eg_spool_add(s, &row, &err), err);
	}
	assert_ok(eg_spool_finish(s, &err), err);
	return s;
}

/* Reads it to its end; how it ended, and how many rows came. */
static enum eg_rc read_all(struct eg_spool *s, unsigned *n, struct eg_err *err)
{
	struct eg_spool_row row, last = {0};
	*n = 0;
	enum eg_rc rc = eg_spool_rewind(s, err);
	while (!rc && (rc = eg_spool_next(s, &row, err)) == EG_OK) {
		assert_row(&row);
		if ((*n)++) {
			int c = memcmp(last.token, row.token, sizeof row.token);
			assert_true(c < 0 || (c == 0 && last.index < row.index));
		}
		memcpy(last.token, row.token, sizeof last.token);
		last.index = row.index;
	}
	return rc;
}

static unsigned count_runs(const struct eg_spool *s)
{
	char hex[33], path[256];
	unsigned n = 0;
	eg_hex(eg_spool_id(s), 16, hex);
	do
		snprintf(path, sizeof path, "%s/%s/run-%04u", dir, hex, n);
	while (access(path, F_OK) == 0 && ++n);
	return n;
}

static void sorted_and_whole(void **state)
{
	static const unsigned sizes[] = {0, 1, 2, 5, ROWS};
	struct eg_spool_options o = options();
	(void)state;
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct eg_err err = {0};
		struct eg_spool *s = fill(sizes[i], &o), *again;
		unsigned n;
		for (unsigned times = 0; times < 2; times++) {
			assert_int_equal(read_all(s, &n, &err), EG_EMPTY);
			assert_int_equal(n, sizes[i]);
		}
		if (sizes[i] == ROWS)
			assert_true(count_runs(s) > 2);
		assert_ok(eg_spool_open(&again, &o, eg_spool_id(s), &err), err);
		assert_int_equal(eg_spool_bytes(again), eg_spool_bytes(s));
		assert_int_equal(read_all(again, &n, &err), EG_EMPTY);
		assert_int_equal(n, sizes[i]);
		eg_spool_close(again);
		eg_spool_remove(dir, eg_spool_id(s), true);
		assert_int_equal(eg_spool_open(&again, &o, eg_spool_id(s), &err), EG_CORRUPT);
		eg_spool_close(s);
	}
}

static bool no_more(void *arg, size_t bytes)
{
	size_t *left = arg;
	if (*left < bytes)
		return false;
	*left -= bytes;
	return true;
}

static void quota(void **state)
{
	struct eg_err err = {0};
	size_t left = 1 << 20;
	struct eg_spool_options o = options();
	struct eg_spool_row row;
	struct eg_spool *s;
	uint8_t text[TEXT];
	enum eg_rc rc = EG_OK;
	(void)state;
	o.room = no_more;
	o.arg = &left;
	assert_ok(eg_spool_new(&s, &o, &err), err);
	for (uint64_t i = 0; !rc && i < 100000; i++) {
		make(i, &row, text);
		rc = eg_spool_add(s, &row, &err);
	}
	assert_int_equal(rc, EG_NO_SPACE);
	eg_spool_remove(dir, eg_spool_id(s), true);
	eg_spool_close(s);
}

/* ---- wrong files ---- */

static void run_path(const struct eg_spool *s, unsigned run, char out[256])
{
	char hex[33];
	eg_hex(eg_spool_id(s), 16, hex);
	snprintf(out, 256, "%s/%s/run-%04u", dir, hex, run);
}

static uint8_t *load(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*len = (size_t)ftell(f);
	rewind(f);
	uint8_t *p = malloc(*len);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, *len, f), *len);
	fclose(f);
	return p;
}

static void save(const char *path, const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

/* Rows may come before the fault is met, but never the end. */
static void assert_refused(struct eg_spool *s, const char *what)
{
	struct eg_err err = {0};
	unsigned n;
	enum eg_rc rc = read_all(s, &n, &err);
	if (rc != EG_CORRUPT)
		fail_msg("%s: %s", what, eg_rc_name(rc));
}

static void wrong_files(void **state)
{
	struct eg_spool_options o = options();
	struct eg_spool *s = fill(ROWS, &o), *other = fill(ROWS, &o);
	char path[256], second[256];
	size_t len, second_len;
	(void)state;
	run_path(s, 0, path);
	run_path(s, 1, second);
	uint8_t *p = load(path, &len), *q = load(second, &second_len);
	for (unsigned i = 0; i < CUTS; i++) {
		size_t at = road_below((unsigned)len);
		uint8_t bit = (uint8_t)(1u << road_below(8));
		p[at] ^= bit;
		save(path, p, len);
		assert_refused(s, "an altered bit");
		p[at] ^= bit;
	}
	for (unsigned i = 1; i <= CUTS; i++) { /* cut off: the last bytes, then anywhere */
		save(path, p, i < CUTS / 2 ? len - i : road_below((unsigned)len));
		assert_refused(s, "a run that is cut off");
	}
	save(path, q, second_len);
	save(second, p, len);
	assert_refused(s, "runs that changed places");
	save(path, p, len);
	save(second, p, len);
	assert_refused(s, "a run twice");
	free(q);
	run_path(other, 1, second);
	q = load(second, &second_len);
	run_path(s, 1, second);
	save(second, q, second_len);
	assert_refused(s, "another list's run");
	free(p);
	free(q);
	eg_spool_close(s);
	eg_spool_close(other);
}

/* ---- absent keys ---- */

static void absent_keys(void **state)
{
	struct eg_err err = {0};
	struct eg_spool_options o = options();
	struct eg_spool *s = fill(1, &o);
	const uint8_t *id = eg_spool_id(s);
	struct eg_absent *a;
	uint8_t token[16] = {0};
	enum { N = 5000 };
	bool has;
	(void)state;
	assert_ok(eg_absent_new(&a, dir, id, &err), err);
	for (unsigned i = 0; i < N; i++) {
		token[0] = (uint8_t)(i >> 8);
		token[1] = (uint8_t)i;
		assert_ok(eg_absent_add(a, token, &err), err);
	}
	assert_ok(eg_absent_finish(a, &err), err);
	eg_absent_close(a);
	assert_int_equal(eg_absent_open(&a, dir, id, N + 1, &err), EG_CORRUPT);
	assert_ok(eg_absent_open(&a, dir, id, N, &err), err);
	unsigned n = 0;
	while (eg_absent_next(a, token, &err) == EG_OK)
		assert_int_equal(token[0] << 8 | token[1], n++);
	assert_int_equal(n, N);
	eg_absent_close(a);
	for (unsigned i = 0; i < N + 10; i++) {
		token[0] = (uint8_t)(i >> 8);
		token[1] = (uint8_t)i;
		assert_ok(eg_absent_has(dir, id, N, token, &has, &err), err);
		assert_int_equal(has, i < N);
		token[15] = 1; /* between two */
		assert_ok(eg_absent_has(dir, id, N, token, &has, &err), err);
		assert_false(has);
		token[15] = 0;
	}
	assert_ok(eg_absent_has(dir, id, 0, token, &has, &err), err);
	assert_false(has);
	eg_spool_close(s);
}

/* A file whose name is not on the disk is lost with the power, whatever became of its bytes. */
static char synced_folder[512];
int fsync(int fd)
{
	char link[64];
	struct stat st;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		ssize_t n = readlink(link, synced_folder, sizeof synced_folder - 1);
		synced_folder[n < 0 ? 0 : n] = 0;
	}
	return (int)syscall(SYS_fsync, fd);
}

static void absent_keys_stay_in_their_folder(void **state)
{
	struct eg_err err = {0};
	struct eg_spool_options o = options();
	struct eg_spool *s = fill(1, &o);
	struct eg_absent *a;
	char hex[33], path[256];
	(void)state;
	eg_hex(eg_spool_id(s), 16, hex);
	snprintf(path, sizeof path, "%s/%s", dir, hex);
	assert_ok(eg_absent_new(&a, dir, eg_spool_id(s), &err), err);
	synced_folder[0] = 0;
	assert_ok(eg_absent_finish(a, &err), err);
	assert_string_equal(synced_folder, path);
	eg_absent_close(a);
	eg_spool_close(s);
}

/* Not there, or not whole: what it said is lost, and no other try will find it. */
static void absent_keys_that_are_gone(void **state)
{
	struct eg_err err = {0};
	struct eg_spool_options o = options();
	struct eg_spool *s = fill(1, &o);
	const uint8_t *id = eg_spool_id(s);
	uint8_t token[16] = {0}, other[16] = {7};
	struct eg_absent *a;
	char hex[33], path[256];
	bool has;
	(void)state;
	eg_hex(id, 16, hex);
	snprintf(path, sizeof path, "%s/%s/absent", dir, hex);
	assert_ok(eg_absent_new(&a, dir, id, &err), err);
	for (unsigned i = 0; i < 9; i++, token[0]++)
		assert_ok(eg_absent_add(a, token, &err), err);
	assert_ok(eg_absent_finish(a, &err), err);
	eg_absent_close(a);
	const off_t sizes[] = {9 * 16 - 1, 8 * 16, 9 * 16 + 16, 0};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(truncate(path, sizes[i]), 0);
		assert_int_equal(eg_absent_has(dir, id, 9, token, &has, &err), EG_CORRUPT);
		assert_int_equal(eg_absent_open(&a, dir, id, 9, &err), EG_CORRUPT);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(eg_absent_has(dir, id, 9, token, &has, &err), EG_CORRUPT);
	assert_int_equal(eg_absent_open(&a, dir, id, 9, &err), EG_CORRUPT);
	assert_int_equal(eg_absent_has(dir, other, 9, token, &has, &err), EG_CORRUPT); /* nor its folder */
	/* A disk that fails now may not the next time. */
	assert_int_equal(symlink(path, path), 0);
	assert_int_equal(eg_absent_has(dir, id, 9, token, &has, &err), EG_IO);
	eg_spool_close(s);
}

/* What is not the spool's is not removed with it; what a link leads to least of all. */
static void removing_keeps_to_its_own(void **state)
{
	struct eg_err err = {0};
	struct eg_spool_options o = options();
	struct eg_spool *s = fill(1, &o);
	struct eg_absent *a;
	uint8_t id[16], link_id[16] = {5};
	char hex[33], path[256], victim[256], file[300], link[300];
	(void)state;
	memcpy(id, eg_spool_id(s), sizeof id);
	assert_ok(eg_spool_finish(s, &err), err);
	assert_ok(eg_absent_new(&a, dir, id, &err), err);
	assert_ok(eg_absent_finish(a, &err), err);
	eg_absent_close(a);
	eg_spool_close(s);
	eg_hex(id, 16, hex);
	snprintf(path, sizeof path, "%s/%s", dir, hex);
	/* A link in the place of a folder, to one that holds what could be a spool's. */
	snprintf(victim, sizeof victim, "%s/victim", r->dir);
	snprintf(file, sizeof file, "%s/run-0000", victim);
	assert_int_equal(mkdir(victim, 0700), 0);
	int fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	eg_hex(link_id, 16, hex);
	snprintf(link, sizeof link, "%s/%s", dir, hex);
	assert_int_equal(symlink(victim, link), 0);
	eg_spool_remove(dir, link_id, true);
	assert_int_equal(access(file, F_OK), 0);
	/* Another's file in a folder of ours; a run that is a link. */
	snprintf(link, sizeof link, "%s/run-0009", path);
	assert_int_equal(symlink(file, link), 0);
	snprintf(link, sizeof link, "%s/notes", path);
	assert_int_equal(symlink(file, link), 0);
	eg_spool_remove(dir, id, true);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(access(link, F_OK), 0);
	snprintf(link, sizeof link, "%s/run-0000", path);
	assert_int_equal(access(link, F_OK), -1);
	snprintf(link, sizeof link, "%s/absent", path);
	assert_int_equal(access(link, F_OK), -1);
	snprintf(link, sizeof link, "%s/notes", path);
	assert_int_equal(unlink(link), 0);
	eg_spool_remove(dir, id, true);
	assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	        T(sorted_and_whole),
	        T(quota),
	        T(wrong_files),
	        T(absent_keys),
	        T(absent_keys_stay_in_their_folder),
	        T(absent_keys_that_are_gone),
	        T(removing_keeps_to_its_own),
	};
	return cmocka_run_group_tests_name("spool", tests, road_read_seed, NULL);
}
