/* Bad days of an inbox: truncated, replaced while being read, the process killed anywhere, the disk full. */
#include "file_world.h"

#include "connectors/file_moving.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define A1 "D_330302_20261101_1_INC.csv"
#define F1 "D_330302_20261101_1_FULL.csv"

/* A CSV text of n rows. */
static void rows_text(struct eg_buf *b, unsigned n)
{
	eg_buf_reset(b);
	eg_buf_printf(b, HEAD);
	for (unsigned i = 0; i < n; i++)
		eg_buf_printf(b, "%u,\"n, %u\"\r\n", i, i * 7919);
	assert_false(b->failed);
}

/* ---- truncated ---- */

/* Cuts the list to len bytes, and judges it; its control file says what the whole has. Dry, so that nothing
 * has to be put back. */
static bool ended(struct world *w, int fd, size_t len)
{
	struct eg_err err = {0};
	struct eg_connector_options o = options_of(w);
	o.dry = true;
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	if (take(w, o, &err))
		fail_msg("%s", err.text);
	return memchr(w->trace.p, ']', w->trace.len) != NULL;
}

/* Every kind of control file that is enough for a list. */
static void truncated_with(const char *control, unsigned rows, size_t last, size_t stride)
{
	struct world w;
	struct eg_buf text = {0}, c = {0};
	char hex[65];
	world_open(&w, NAMES "settle: 0s\npoll: 1ms\ncontrol: .ctl\n");
	rows_text(&text, rows);
	sha_of(eg_buf_bytes(&text), hex);
	if (strcmp(control, "sha256") == 0)
		eg_buf_printf(&c, "sha256=%s\n", hex);
	else
		eg_buf_printf(&c, "%s=%zu\n", control,
		              strcmp(control, "rows") == 0 ? (size_t)rows : text.len);
	put_bytes(&w, F1 ".ctl", eg_buf_bytes(&c));
	put_bytes(&w, F1, eg_buf_bytes(&text));
	int fd = openat(w.inbox, F1, O_WRONLY);
	assert_true(fd >= 0 && ended(&w, fd, text.len)); /* the whole one does end */
	size_t from = text.len > last ? text.len - last : 0, n = 0;
	for (size_t len = text.len - 1; len > from && len < text.len; len -= stride, n++)
		if (ended(&w, fd, len))
			fail_msg("a list of %zu bytes ended at %zu with %s", text.len, len, control);
	assert_true(n > 0 && !ended(&w, fd, from));
	close(fd);
	eg_buf_free(&text);
	eg_buf_free(&c);
	world_close(&w);
}

static void truncated_anywhere(void **state)
{
	static const char *const kinds[] = {"sha256", "size", "rows"};
	(void)state;
	/* CI asks for every byte of the last 64 KiB of a larger list. */
	bool all = getenv("EG_TRUNCATE_ALL") != NULL;
	for (unsigned i = 0; i < 3; i++) {
		truncated_with(kinds[i], 12, SIZE_MAX, 1);
		truncated_with(kinds[i], 3700, 65536, all ? 1 : 997);
	}
}

/* The same for real: what is truncated is refused, and nothing of it was handed out. */
static void truncated_lists_are_refused(void **state)
{
	struct world w;
	struct eg_buf text = {0};
	(void)state;
	world_open(&w, CTL);
	rows_text(&text, 3000);
	for (size_t cut = 1; cut < text.len; cut = cut * 3 + 1) {
		put_bytes(&w, F1, (struct eg_bytes){text.p, text.len - cut});
		control_of(&w, F1, eg_buf_bytes(&text), 3000);
		assert_string_equal(taken(&w), ".");
		assert_false(there(&w, F1));
	}
	eg_buf_free(&text);
	world_close(&w);
}

/* ---- replaced while being read ---- */

static struct eg_buf other; /* what comes in its place */
static enum { IN_PLACE, RENAMED, APPENDED, CUT, GONE } how;

static void replace_once(struct world *w, const struct eg_in *in)
{
	const char *name = strstr((const char *)in->place, "FULL") ? F1 : A1;
	if (in->kind != EG_IN_ROW || in->line != 100 || w->calls++)
		return;
	if (how == GONE) {
		assert_int_equal(unlinkat(w->inbox, name, 0), 0);
		return;
	}
	if (how == RENAMED) {
		put_bytes(w, name, eg_buf_bytes(&other));
	} else {
		int fd = openat(w->inbox, name, O_WRONLY | (how == APPENDED ? O_APPEND : 0));
		assert_true(fd >= 0);
		if (how == CUT)
			assert_int_equal(ftruncate(fd, 70000), 0);
		else
			assert_int_equal(file_write_all(fd, eg_buf_bytes(&other), NULL), EG_OK);
		close(fd);
	}
	put(w, strcmp(name, F1) == 0 ? F1 ".ctl" : A1 ".ctl", ""); /* the old one does not fit any more */
}

static unsigned times(const struct world *w, char c)
{
	unsigned n = 0;
	for (size_t i = 0; i < w->trace.len; i++)
		n += w->trace.p[i] == (unsigned char)c;
	return n;
}

static void replaced_while_read(void **state)
{
	struct eg_buf text = {0};
	struct world w;
	(void)state;
	rows_text(&text, 6000);
	for (how = IN_PLACE; how <= GONE; how++) {
		rows_text(&other, how == APPENDED ? 3 : 6000);
		other.p[other.len - 20] ^= 1; /* as long, and different near its end */
		world_open(&w, CTL "full_without_control: true\n");
		w.before = replace_once;
		put_whole(&w, F1, (const char *)(eg_buf_add_u8(&text, 0), text.p), 6000);
		text.len--;
		taken(&w);
		assert_int_equal(times(&w, 'X'), 1); /* the first one is abandoned */
		/* What is whole comes again then; what was cut within a line never does. */
		bool again = how != GONE && how != CUT;
		assert_int_equal(times(&w, ']'), again);
		assert_int_equal(times(&w, '['), again ? 2 : 1);
		assert_true(!again || strchr((char *)w.trace.p, 'X') < strchr((char *)w.trace.p, ']'));
		world_close(&w);

		world_open(&w, CTL);
		w.before = replace_once;
		put_whole(&w, A1, (const char *)(eg_buf_add_u8(&text, 0), text.p), 6000);
		text.len--;
		taken(&w);
		/* An increment's rows go out; all of the new file's come too, from its first line. */
		const char *first = strstr((char *)w.trace.p, "2=0 ");
		assert_non_null(first);
		assert_int_equal(strstr(first + 1, "2=0 ") != NULL, how != GONE);
		world_close(&w);
	}
	eg_buf_free(&text);
	eg_buf_free(&other);
}

/* ---- replaced while verdicts are outstanding ---- */

static const char *late_name;

static void replace_late(struct world *w)
{
	if (!w->calls++)
		put_whole(w, late_name, HEAD "7,g\r\n8,h\r\n9,i\r\n", 3);
}

static void control_late(struct world *w)
{
	if (!w->calls++)
		put(w, A1 ".ctl", "rows=5\n");
}

/* What came under the same name meanwhile was not read: it must come too, with a report of its own. */
static void replaced_before_the_verdicts(void **state)
{
	static const char *const names[] = {A1, F1};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world w;
		char done[128];
		world_open(&w, CTL);
		late_name = names[i];
		w.late = replace_late;
		put_whole(&w, late_name, HEAD "1,a\r\n2,b\r\n", 2);
		const char *trace = taken(&w);
		assert_non_null(strstr(trace, "2=1 3=2 "));
		assert_non_null(strstr(trace, "2=7 3=8 4=9 "));
		snprintf(done, sizeof done, "done/%s", late_name);
		assert_string_equal(text_of(&w, done), HEAD "7,g\r\n8,h\r\n9,i\r\n");
		strcat(done, ".report.csv");
		assert_non_null(strstr(text_of(&w, done), "接收 3 行"));
		assert_false(there(&w, late_name));
		world_close(&w);
	}
	/* Another control file only: what it says is judged too. */
	struct world w;
	world_open(&w, CTL);
	w.late = control_late;
	put_whole(&w, A1, HEAD "1,a\r\n", 1);
	taken(&w);
	assert_false(there(&w, "done/" A1));
	assert_true(there(&w, "refused/" A1) && there(&w, "refused/" A1 ".ctl"));
	world_close(&w);
}

/* What somebody left under a report's temporary name is not written into: it may be another name of a file.
 */
static void planted_links(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	put(&w, ".victim", "kept");
	assert_int_equal(mkdirat(w.inbox, "done", 0700), 0);
	assert_int_equal(linkat(w.inbox, ".victim", w.inbox, "done/." A1 ".report.csv.tmp", 0), 0);
	put_whole(&w, A1, HEAD "1,a\r\n", 1);
	taken(&w);
	assert_true(there(&w, "done/" A1 ".report.csv"));
	assert_string_equal(text_of(&w, ".victim"), "kept");
	world_close(&w);
}

/* ---- killed ---- */

/* Shared with the child: which rows the gateway has, and after how many steps the child dies. */
static struct {
	uint64_t left;
	uint8_t has[2000];
} * gateway;

static void die_in_time(void)
{
	if (gateway->left && !--gateway->left)
		raise(SIGKILL);
}

static void gateway_takes(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	(void)w;
	(void)v;
	if (in->kind == EG_IN_ROW)
		gateway->has[in->line]++;
	die_in_time();
}

/* The agent of the child: verdicts in small batches, so that there are many points to die at. */
static void child(struct world *w)
{
	struct eg_verdict v[7];
	unsigned n = 0;
	load_checkpoint(w);
	struct eg_connector_options o = options_of(w);
	if (eg_connector_file.open_source(&w->source, &o, NULL))
		_exit(1);
	for (;;) {
		struct eg_in in;
		enum eg_rc rc = eg_connector_file.next(w->source, eg_mono_us() + 5 * EG_SECOND, &in, NULL);
		if (!rc && in.kind == EG_IN_END)
			break;
		if (!rc) {
			v[n] = (struct eg_verdict){.ref = in.ref, .code = EG_VERDICT_TAKEN};
			if (in.kind == EG_IN_ROW && in.line % 10 == 0)
				v[n] = (struct eg_verdict){.ref = in.ref,
				                           .code = EG_VERDICT_REFUSED,
				                           .reason = "R",
				                           .field = "",
				                           .text = ""};
			gateway_takes(w, &in, &v[n++]);
		}
		if (n == 7 || rc == EG_EMPTY) {
			if (!n || eg_connector_file.settle(w->source, v, n, NULL))
				_exit(2);
			n = 0;
			die_in_time();
		}
	}
	_exit(0);
}

static int run_child(struct world *w, uint64_t steps)
{
	int status;
	gateway->left = steps;
	eg_checkpoint_close(w->checkpoint); /* its lock is the child's */
	w->checkpoint = NULL;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		child(w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void killed_anywhere(void **state)
{
	enum { ROWS = 60 };
	struct eg_buf text = {0};
	unsigned kills = 0;
	(void)state;
	gateway = mmap(NULL, sizeof *gateway, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(gateway != MAP_FAILED);
	rows_text(&text, ROWS);
	eg_buf_add_u8(&text, 0);
	for (uint64_t steps = 1;; steps += 3) {
		struct world w;
		world_open(&w, CTL);
		memset(gateway, 0, sizeof *gateway);
		put_whole(&w, A1, (const char *)text.p, ROWS);
		int status = run_child(&w, steps);
		bool killed = WIFSIGNALED(status);
		assert_true(killed || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
		if (killed) {
			kills++;
			assert_true(WTERMSIG(status) == SIGKILL);
			status = run_child(&w, 0);
			assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
		}
		unsigned reported = 0;
		for (unsigned line = 2; line < ROWS + 2; line++)
			assert_true(gateway->has[line]);
		const char *report = text_of(&w, "done/" A1 ".report.csv");
		for (const char *at = report; (at = strstr(at, "\"refused\",\"R\"")); at++)
			reported++;
		assert_int_equal(reported, ROWS / 10); /* neither lost nor twice */
		assert_non_null(strstr(report, "接收 54 行，退回 6 行"));
		world_close(&w);
		if (!killed)
			break;
	}
	assert_true(kills > 20);
	eg_buf_free(&text);
	munmap(gateway, sizeof *gateway);
}

/* A crash between the file's move and the checkpoint: what was moved counts as done. */
static void moved_but_not_remembered(void **state)
{
	struct world w;
	struct eg_err err = {0};
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, A1, HEAD "1,a\r\n", 1);
	/* A folder in place of the report stops it there; every verdict is in. */
	assert_int_equal(mkdirat(w.inbox, "done", 0700), 0);
	assert_int_equal(mkdirat(w.inbox, "done/" A1 ".report.csv", 0700), 0);
	assert_int_not_equal(take(&w, options_of(&w), &err), EG_OK);
	assert_true(there(&w, A1));
	load_checkpoint(&w); /* what is on the disk */
	assert_int_equal(renameat(w.inbox, A1, w.inbox, "done/" A1), 0);
	assert_int_equal(renameat(w.inbox, A1 ".ctl", w.inbox, "done/" A1 ".ctl"), 0);
	assert_string_equal(taken(&w), ".");
	put_whole(&w, A1, HEAD "1,a\r\n", 1);
	assert_string_equal(taken(&w), "."); /* repeated */
	assert_non_null(strstr(text_of(&w, "done/" A1 ".2.report.csv"), "REPEATED"));
	world_close(&w);
}

static struct eg_connector *open_part(const struct world *w, enum eg_part part)
{
	struct eg_connector_options o = options_of(w);
	struct eg_connector *c = NULL;
	o.once = false;
	o.part = part;
	assert_int_equal(eg_connector_file.open_source(&c, &o, NULL), EG_OK);
	return c;
}

/* Until this file is away. */
static void take_file(const struct world *w, struct eg_connector *c, const char *name)
{
	for (int64_t until = eg_mono_us() + 20 * EG_SECOND; there(w, name);) {
		struct eg_in in;
		assert_true(eg_mono_us() < until);
		enum eg_rc rc = eg_connector_file.next(c, eg_mono_us() + EG_SECOND / 100, &in, NULL);
		struct eg_verdict v = {.ref = in.ref, .code = EG_VERDICT_TAKEN, .reason = ""};
		if (rc)
			assert_true(rc == EG_EMPTY || rc == EG_BUSY);
		else
			assert_int_equal(eg_connector_file.settle(c, &v, 1, NULL), EG_OK);
	}
}

/* A part that failed between a file's move and its control file's moves that one when it opens again,
 * whatever the other part has put away meanwhile. */
static void halves_move_each_for_itself(void **state)
{
	static const char list[] = "D_330303_20261101_1_FULL.csv";
	struct world w;
	(void)state;
	/* Once with each part's own note, once with one that was written when they shared its name. */
	for (unsigned shared = 0; shared < 2; shared++) {
		world_open(&w, CTL);
		struct eg_connector *lists = open_part(&w, EG_PART_LISTS), *rows;
		struct file_place place = {
		        .memory = {.checkpoint = w.checkpoint, .prefix = "t."},
		        .part = shared ? EG_PART_ALL : EG_PART_ROWS,
		};
		put_whole(&w, A1, HEAD "1,a\r\n", 1);
		assert_int_equal(file_moving_begin(&place, A1, false, NULL), EG_OK);
		assert_int_equal(renameat(w.inbox, A1, w.inbox, "done/" A1), 0);
		put_whole(&w, list, HEAD "1,a\r\n", 1);
		take_file(&w, lists, list);
		rows = open_part(&w, EG_PART_ROWS);
		assert_true(there(&w, "done/" A1 ".ctl"));
		assert_false(there(&w, A1 ".ctl"));
		static const char *const names[] = {"t.moving", "t.moving.rows", "t.moving.lists"};
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(eg_checkpoint_get(w.checkpoint, names[i]).len, 0);
		eg_connector_file.close(rows);
		eg_connector_file.close(lists);
		world_close(&w);
	}
}

/* A file that must go but cannot be moved is told as trouble, and goes as soon as it can. */
static void a_file_that_cannot_be_moved_holds_back_no_longer_than_that(void **state)
{
	static const char later[] = "D_330302_20261101_2_INC.csv";
	struct world w;
	struct eg_err err = {0};
	struct eg_in in = {0};
	(void)state;
	world_open(&w, CTL);
	/* A folder says no to root only when root is somebody else. */
	bool root = geteuid() == 0;
	char command[128];
	snprintf(command, sizeof command, "chown -R 65534 %s", w.root);
	if (root) {
		assert_int_equal(system(command), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	put(&w, A1, HEAD "1,a\r\n");
	put(&w, A1 ".ctl", "rows=?\n");
	put_whole(&w, later, HEAD "2,b\r\n", 1);
	struct eg_connector *c = open_part(&w, EG_PART_ALL);
	assert_int_equal(eg_connector_file.trouble(c, &err), EG_OK);
	assert_int_equal(fchmod(w.inbox, 0500), 0);
	int64_t until = eg_mono_us() + 20 * EG_SECOND;
	while (eg_connector_file.trouble(c, &err) == EG_OK) {
		assert_true(eg_mono_us() < until);
		assert_int_equal(eg_connector_file.next(c, eg_mono_us() + EG_SECOND / 100, &in, &err),
		                 EG_EMPTY);
	}
	assert_non_null(strstr(err.text, A1));
	assert_true(there(&w, A1));
	assert_false(there(&w, "refused/" A1 ".report.csv")); /* it would tell what is not so */
	assert_int_equal(fchmod(w.inbox, 0700), 0);
	enum eg_rc rc;
	do {
		assert_true(eg_mono_us() < until);
		rc = eg_connector_file.next(c, eg_mono_us() + EG_SECOND / 100, &in, &err);
	} while (rc == EG_EMPTY);
	assert_int_equal(rc, EG_OK);
	assert_non_null(strstr(in.place, later));
	assert_int_equal(eg_connector_file.trouble(c, &err), EG_OK);
	assert_true(there(&w, "refused/" A1) && there(&w, "refused/" A1 ".report.csv"));
	eg_connector_file.close(c);
	assert_true(!root || seteuid(0) == 0);
	world_close(&w);
}

/* ---- the disk full ---- */

static void refuse_all(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	(void)w;
	if (in->kind == EG_IN_ROW) {
		v->code = EG_VERDICT_REFUSED;
		v->reason = "REASON_THAT_TAKES_ROOM";
		v->text = "请核对";
	}
}

static void no_room_for_the_report(void **state)
{
	struct world w;
	struct eg_err err = {0};
	struct eg_buf text = {0};
	char path[512];
	(void)state;
	world_open(&w, CTL);
	path_in(&w, "", path);
	if (mount("tmpfs", path, "tmpfs", 0, "size=160k,mode=700") != 0) {
		print_message("no small file system can be mounted here\n");
		world_close(&w);
		skip();
	}
	close(w.inbox);
	assert_int_equal(file_dir_open(&w.inbox, path, NULL), EG_OK);
	w.judge = refuse_all;
	rows_text(&text, 1500);
	eg_buf_add_u8(&text, 0);
	put_whole(&w, A1, (const char *)text.p, 1500);
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < 3; i++) /* tried again and again, the verdicts are safe */
		if ((rc = take(&w, options_of(&w), &err)) != EG_NO_SPACE)
			break;
	assert_int_equal(rc, EG_NO_SPACE);
	assert_true(there(&w, A1));
	assert_false(there(&w, "done/" A1));
	assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT, "size=4m,mode=700"), 0);
	taken(&w);
	assert_true(there(&w, "done/" A1));
	int fd = openat(w.inbox, "done/" A1 ".report.csv", O_RDONLY);
	struct eg_buf report = {0};
	close(fd);
	assert_int_equal(file_dir_sub(&fd, w.inbox, "done", false, false, NULL), EG_OK);
	assert_int_equal(file_get(fd, A1 ".report.csv", 1 << 20, &report, NULL), EG_OK);
	close(fd);
	unsigned lines = 0;
	for (size_t i = 0; i < report.len; i++)
		lines += report.p[i] == '\n';
	assert_int_equal(lines, 1 + 1500 + 1);
	eg_buf_free(&report);
	eg_buf_free(&text);
	close(w.inbox);
	w.inbox = -1;
	assert_int_equal(umount2(path, MNT_DETACH), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(truncated_anywhere),
	        cmocka_unit_test(truncated_lists_are_refused),
	        cmocka_unit_test(replaced_before_the_verdicts),
	        cmocka_unit_test(planted_links),
	        cmocka_unit_test(replaced_while_read),
	        cmocka_unit_test(killed_anywhere),
	        cmocka_unit_test(moved_but_not_remembered),
	        cmocka_unit_test(no_room_for_the_report),
	        cmocka_unit_test(halves_move_each_for_itself),
	        cmocka_unit_test(a_file_that_cannot_be_moved_holds_back_no_longer_than_that),
	};
	eg_log_open("test", EG_LOG_ERROR, false);
	return cmocka_run_group_tests_name("file_faults", tests, NULL, NULL);
}
