/* What the file connector's pure parts promise: names, control files, which lines are settled, reports. */
#include "base/buf.h"
#include "connectors/file_control.h"
#include "connectors/file_dir.h"
#include "connectors/file_lines.h"
#include "connectors/file_name.h"
#include "connectors/file_report.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define N(a)    (sizeof(a) / sizeof *(a))
#define TEXT(s) ((struct eg_bytes){(const uint8_t *)(s), sizeof(s) - 1})

/* ---- names ---- */

static void names_with_parts(void **state)
{
	struct file_pattern p;
	struct file_name n;
	(void)state;
	assert_int_equal(file_pattern_parse(&p, "DIBAO_{region}_{as_of}_{sequence}_{kind}.csv", NULL), EG_OK);
	assert_true(file_pattern_match(&p, "DIBAO_330302_20261101_0042_FULL.csv", &n));
	assert_string_equal(n.region, "330302");
	assert_int_equal(n.as_of, 20261101);
	assert_int_equal(n.sequence, 42);
	assert_true(n.has_kind && n.full);
	assert_true(file_pattern_match(&p, "DIBAO_33_20240229_1_INC.csv", &n));
	assert_false(n.full);

	static const char *const strange[] = {"",
	                                      ".",
	                                      "..",
	                                      "DIBAO_330302_20261101_0042_FULL.csv.tmp",
	                                      "XDIBAO_330302_20261101_0042_FULL.csv",
	                                      "DIBAO_330302_20261301_0042_FULL.csv",
	                                      "DIBAO_330302_20230229_0042_FULL.csv",
	                                      "DIBAO_330302_20261101__FULL.csv",
	                                      "DIBAO_330302_20261101_0042_full.csv",
	                                      "DIBAO_330302_20261101_1234567890_FULL.csv",
	                                      "DIBAO_11010519491231002X_20261101_1_INC.csv",
	                                      "DIBAO_3303021234567_20261101_1_INC.csv",
	                                      "../DIBAO_330302_20261101_0042_FULL.csv",
	                                      "DIBAO_330302_20261101_0042_FULL.csv\n",
	                                      "DIBAO_3_20261101_0042_FULL.csv"};
	for (unsigned i = 0; i < N(strange); i++)
		assert_false(file_pattern_match(&p, strange[i], &n));
}

static void patterns_that_are_none(void **state)
{
	struct file_pattern p;
	(void)state;
	static const char *const bad[] = {"",
	                                  "a/b.csv",
	                                  "{what}.csv",
	                                  "{as_of",
	                                  "{region}{sequence}.csv",
	                                  "{sequence}7.csv",
	                                  "{kind}_{kind}.csv",
	                                  ".x{as_of}",
	                                  "-x",
	                                  "x y.csv",
	                                  "{sequence:0}",
	                                  "{sequence:10}",
	                                  "{as_of:8}",
	                                  "..",
	                                  "x{sequence}{as_of}"};
	for (unsigned i = 0; i < N(bad); i++)
		assert_int_equal(file_pattern_parse(&p, bad[i], NULL), EG_CONFIG);
	assert_int_equal(file_pattern_parse(&p, "x{as_of}{sequence:3}.csv", NULL), EG_OK);
}

static void names_made(void **state)
{
	struct file_pattern p;
	struct file_name n = {.as_of = 20261102, .sequence = 7};
	(void)state;
	assert_int_equal(file_pattern_parse(&p, "OUT_{as_of}_{sequence:6}.csv", NULL), EG_OK);
	assert_true(file_pattern_format(&p, &n));
	assert_string_equal(n.name, "OUT_20261102_000007.csv");
	n.sequence = 1000000;
	assert_false(file_pattern_format(&p, &n));
}

/* ---- control files ---- */

#define SHA "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static enum eg_rc control(struct file_control *c, const char *text)
{
	return file_control_parse(c, eg_bytes_of(text), "a.csv", NULL);
}

static void controls_read(void **state)
{
	struct file_control c;
	(void)state;
	assert_int_equal(
	        control(&c, "\xef\xbb\xbf# x\r\nROWS = 12\r\nsize=34\nsha256=" SHA "\nfile=a.csv\nother,1\n"),
	        EG_OK);
	assert_int_equal(c.rows, 12);
	assert_int_equal(c.size, 34);
	assert_true(c.has_digest && c.kind == EG_HASH_SHA256 && c.digest[0] == 0xba && c.digest[31] == 0xad);
	assert_int_equal(control(&c, "count,5\nsm3," SHA), EG_OK);
	assert_true(c.rows == 5 && c.size == -1 && c.kind == EG_HASH_SM3);
	assert_int_equal(control(&c, ""), EG_OK);
	assert_true(c.rows == -1 && c.size == -1 && !c.has_digest);
}

static void controls_refused(void **state)
{
	struct file_control c;
	(void)state;
	static const char *const bad[] = {
	        "rows",
	        "rows=",
	        "rows=-1",
	        "rows=1x",
	        "rows=1\ncount=2",
	        "=1",
	        "rows=12345678901234567890",
	        "sha256=00",
	        "sha256=" SHA "\nsm3=" SHA,
	        "sha256=" SHA "0",
	        "file=b.csv",
	        "sha256=zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
	for (unsigned i = 0; i < N(bad); i++)
		assert_int_equal(control(&c, bad[i]), EG_INVALID);
	assert_int_equal(file_control_parse(&c, TEXT("rows=1\0"), "a.csv", NULL), EG_INVALID);
}

/* ---- lines ---- */

static void mark(struct file_lines *l, uint64_t ref, enum file_mark m)
{
	enum file_item item;
	uint64_t line;
	assert_true(file_lines_mark(l, ref, m, &item, &line));
}

static void settled_only_without_gaps(void **state)
{
	struct file_lines *l = file_lines_new(100, 0, (struct file_counts){0});
	enum file_item item;
	uint64_t line;
	(void)state;
	assert_int_equal(file_lines_add(l, FILE_SIGN, 0), 100);
	for (uint64_t i = 2; i <= 5; i++)
		assert_int_equal(file_lines_add(l, i == 4 ? FILE_BAD : FILE_ROW, i), 99 + i);
	mark(l, 102, FILE_REFUSED);
	assert_int_equal(file_lines_settled(l), 0);
	mark(l, 100, FILE_TAKEN);
	mark(l, 101, FILE_TAKEN);
	assert_int_equal(file_lines_settled(l), 3);
	assert_false(file_lines_mark(l, 101, FILE_TAKEN, &item, &line)); /* once only */
	assert_false(file_lines_mark(l, 105, FILE_TAKEN, &item, &line)); /* never handed out */
	assert_true(file_lines_mark(l, 103, FILE_REFUSED, &item, &line));
	assert_true(item == FILE_BAD && line == 4);
	struct file_counts n = file_lines_counts(l);
	assert_true(n.taken == 1 && n.refused == 1 && n.bad == 1);
	assert_int_equal(file_lines_waiting(l), 1);
	mark(l, 104, FILE_AGAIN);
	assert_true(file_lines_again(l) && file_lines_settled(l) == 4 && !file_lines_waiting(l));
	file_lines_free(l);
}

/* Against a plain array, many rows in random order. */
static void many_lines(void **state)
{
	enum { ROWS = 20000 };
	static uint8_t marked[ROWS];
	struct file_lines *l = file_lines_new(1, 0, (struct file_counts){0});
	unsigned seed = 7, low = 0;
	(void)state;
	memset(marked, 0, sizeof marked);
	for (unsigned i = 0; i < ROWS; i++)
		assert_int_equal(file_lines_add(l, FILE_ROW, i + 1), i + 1);
	for (unsigned done = 0; done < ROWS; done++) {
		unsigned k = (low + (unsigned)rand_r(&seed) % 9000) % ROWS;
		while (marked[k])
			k = (k + 1) % ROWS;
		marked[k] = 1;
		mark(l, k + 1, FILE_TAKEN);
		while (low < ROWS && marked[low])
			low++;
		assert_int_equal(file_lines_settled(l), low);
	}
	assert_int_equal(file_lines_counts(l).taken, ROWS);
	file_lines_free(l);
}

/* ---- reports ---- */

static char folder[64];
static int dir = -1;

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/eg-file-XXXXXX");
	return mkdtemp(folder) && file_dir_open(&dir, folder, NULL) == EG_OK ? 0 : -1;
}

static int drop_folder(void **state)
{
	char command[128];
	(void)state;
	close(dir);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void report_goes_on_where_lines_are_settled(void **state)
{
	struct file_report *r;
	struct file_counts n = {10, 2, 1};
	(void)state;
	assert_int_equal(file_report_open(&r, dir, "a.csv", 0, NULL), EG_OK);
	const struct file_report_entry e[] = {
	        {2, "refused", "ID_CHECK_DIGIT", "registration.id_number", "请核对\"号码\"\n"},
	        {5, "bad", "CHARSET", "", "x"},
	        {9, "refused", "LATER", "", "y"}};
	for (unsigned i = 0; i < N(e); i++)
		assert_int_equal(file_report_add(r, &e[i], NULL), EG_OK);
	assert_int_equal(file_report_bad(r, 5, TEXT("\xff\xfe"), NULL), EG_OK);
	assert_int_equal(file_report_sync(r, NULL), EG_OK);
	file_report_close(r);
	/* A torn line at the end, as a crash leaves it. */
	int fd = openat(dir, "a.csv.report", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "3,\"tor", 6), 6);
	close(fd);

	assert_int_equal(file_report_open(&r, dir, "a.csv", 8, NULL), EG_OK);
	assert_int_equal(file_report_publish(r, dir, "a.csv.2", "done", "", "", n, NULL), EG_OK);
	file_report_close(r);
	struct eg_buf text = {0}, bad = {0};
	assert_int_equal(file_get(dir, "a.csv.2.report.csv", 4096, &text, NULL), EG_OK);
	assert_int_equal(file_get(dir, "a.csv.2.bad", 4096, &bad, NULL), EG_OK);
	eg_buf_add_u8(&text, 0);
	eg_buf_add_u8(&bad, 0);
	assert_string_equal(
	        (char *)text.p,
	        "\xef\xbb\xbfline,outcome,reason,field,text\r\n"
	        "2,\"refused\",\"ID_CHECK_DIGIT\",\"registration.id_number\",\"请核对\"\"号码\"\" \"\r\n"
	        "5,\"bad\",\"CHARSET\",\"\",\"x\"\r\n"
	        ",\"done\",\"\",\"\",\"接收 10 行，退回 2 行，无法读取 1 行\"\r\n");
	assert_string_equal((char *)bad.p, "5 //4=\n");
	struct stat st;
	assert_int_equal(fstatat(dir, "a.csv.2.report.csv", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	eg_buf_free(&text);
	eg_buf_free(&bad);
}

static void links_are_not_followed(void **state)
{
	struct file_id id;
	int fd, sub;
	(void)state;
	assert_int_equal(file_put(dir, "real", TEXT("x"), NULL), EG_OK);
	assert_int_equal(symlinkat("real", dir, "link"), 0);
	assert_int_equal(symlinkat(".", dir, "folder"), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0600), 0);
	assert_int_equal(file_open(&fd, dir, "link", &id, NULL), EG_INVALID);
	assert_int_equal(file_open(&fd, dir, "fifo", &id, NULL), EG_INVALID);
	assert_int_equal(file_open(&fd, dir, "none", &id, NULL), EG_NOT_FOUND);
	assert_int_equal(file_dir_sub(&sub, dir, "folder", true, false, NULL), EG_CONFIG);
	assert_int_equal(file_dir_sub(&sub, dir, "real", true, false, NULL), EG_CONFIG);
	assert_int_equal(file_move(dir, "real", dir, "link", NULL), EG_EXISTS);
	assert_int_equal(fchmodat(dir, ".", 0755, 0), 0);
	assert_int_equal(mkdirat(dir, "open", 0777), 0);
	assert_int_equal(file_dir_sub(&sub, dir, "open", true, true, NULL), EG_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(names_with_parts),
	        cmocka_unit_test(patterns_that_are_none),
	        cmocka_unit_test(names_made),
	        cmocka_unit_test(controls_read),
	        cmocka_unit_test(controls_refused),
	        cmocka_unit_test(settled_only_without_gaps),
	        cmocka_unit_test(many_lines),
	        cmocka_unit_test_setup_teardown(report_goes_on_where_lines_are_settled, make_folder,
	                                        drop_folder),
	        cmocka_unit_test_setup_teardown(links_are_not_followed, make_folder, drop_folder),
	};
	return cmocka_run_group_tests_name("file_parts", tests, NULL, NULL);
}
