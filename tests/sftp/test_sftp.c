/* The file connector against a real SFTP server: fetching, delivering, and what goes wrong on the way. */
#include "../unit/adapters/file_world.h"
#include "connectors/file_control.h"
#include "connectors/sftp_pull.h"
#include "server.h"

#include <pwd.h>
#include <sys/mount.h>

#define A1  "D_330302_20261101_1_INC.csv"
#define A2  "D_330302_20261101_2_INC.csv"
#define F1  "D_330302_20261101_1_FULL.csv"
#define TWO HEAD "1,a\r\n2,b\r\n"

static struct server server;
static int there_fd; /* the folder on the server */

static int start(void **state)
{
	char path[128];
	(void)state;
	server_new(&server);
	server_start(&server);
	snprintf(path, sizeof path, "%s/files", server.place);
	return file_dir_open(&there_fd, path, NULL) == EG_OK ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	close(there_fd);
	server_free(&server);
	return 0;
}

/* ---- settings ---- */

/* known_hosts with the key of this name, for both ports. */
static void know(const char *key)
{
	char path[128], text[2048] = "", line[1024] = "";
	snprintf(path, sizeof path, "%s/%s.pub", server.place, key);
	FILE *f = fopen(path, "re");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	fclose(f);
	size_t n = (size_t)snprintf(text, sizeof text, "[127.0.0.1]:%d %s", server.port, line);
	if (server.line_port)
		snprintf(text + n, sizeof text - n, "[127.0.0.1]:%d %s", server.line_port, line);
	snprintf(path, sizeof path, "%s/known_hosts", server.place);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
}

static const char *sftp_yaml(int port, const char *key, const char *more)
{
	static char text[2048];
	snprintf(text, sizeof text,
	         "sftp_host: 127.0.0.1\nsftp_port: %d\nsftp_user: %s\nsftp_known_hosts: %s/known_hosts\n"
	         "sftp_key_file: %s/%s\nsftp_folder: %s/files\n%s",
	         port, getpwuid(geteuid())->pw_name, server.place, server.place, key, server.place, more);
	return text;
}

static void open_world(struct world *w, int port, const char *more)
{
	world_open(w, QUICK);
	settings_are(w, sftp_yaml(port, "user", more));
}

/* ---- files there ---- */

static void put_there(const char *name, const char *text)
{
	assert_int_equal(file_put(there_fd, name, eg_bytes_of(text), NULL), EG_OK);
}

static void put_whole_there(const char *name, const char *text, int rows)
{
	char control[128], hex[65], file[128];
	sha_of(eg_bytes_of(text), hex);
	snprintf(control, sizeof control, "rows=%d\nsha256=%s\n", rows, hex);
	snprintf(file, sizeof file, "%s.ctl", name);
	put_there(name, text);
	put_there(file, control);
}

static bool is_there(const char *name)
{
	struct file_id id;
	return file_stat(there_fd, name, &id, NULL) == EG_OK;
}

static void large_text(struct eg_buf *b, unsigned rows)
{
	eg_buf_reset(b);
	eg_buf_printf(b, HEAD);
	for (unsigned i = 0; i < rows; i++)
		eg_buf_printf(b, "%u,%08x%08x\r\n", i, i * 2654435761u, i * 40503u);
	eg_buf_add_u8(b, 0);
}

static unsigned rows_of(const struct world *w)
{
	unsigned n = 0;
	for (size_t i = 0; i < w->trace.len; i++)
		n += w->trace.p[i] == '=';
	return n;
}

/* ---- tests ---- */

static void fetched_and_moved(void **state)
{
	struct world w;
	(void)state;
	know("host_ed25519");
	put_whole_there(A1, TWO, 2);
	put_whole_there(F1, TWO, 2);
	put_there(A2, TWO); /* no control file yet */
	put_there("other.txt", "x");
	assert_int_equal(symlinkat("/etc/passwd", there_fd, "D_330302_20261101_9_INC.csv"), 0);
	put_there("D_330302_20261101_9_INC.csv.ctl", "");
	open_world(&w, server.port, CTL);
	assert_string_equal(taken(&w), "[" F1 " 2 2=1 3=2 ]2=1 3=2 .");
	assert_true(there(&w, "done/" A1) && there(&w, "done/" A1 ".report.csv"));
	assert_true(is_there("done/" A1) && is_there("done/" A1 ".ctl") && is_there("done/" F1));
	assert_false(is_there(A1) || is_there(A1 ".ctl"));
	assert_true(is_there(A2) && is_there("other.txt") && is_there("D_330302_20261101_9_INC.csv"));
	assert_false(there(&w, "done/D_330302_20261101_9_INC.csv"));
	/* Sent again under its old name: moved beside the first, told as repeated. */
	put_whole_there(A1, TWO, 2);
	assert_string_equal(taken(&w), ".");
	assert_true(is_there("done/" A1 ".2"));
	assert_non_null(strstr(text_of(&w, "done/" A1 ".2.report.csv"), "REPEATED"));
	world_close(&w);
}

/* The process died with the file here and its control file still there. */
static void a_fetch_that_was_cut_off_goes_on(void **state)
{
	struct world w;
	(void)state;
	know("host_ed25519");
	put_whole_there(A1, TWO, 2);
	put_whole_there(A2, HEAD "5,e\r\n", 1);
	open_world(&w, server.port, CTL);
	put(&w, A1, TWO);
	assert_string_equal(taken(&w), "2=1 3=2 2=5 .");
	assert_true(there(&w, "done/" A1 ".ctl") && is_there("done/" A1 ".ctl"));
	world_close(&w);
}

static void fetched_and_kept(void **state)
{
	struct world w;
	(void)state;
	know("host_rsa");
	put_there(A1, TWO);
	open_world(&w, server.port, QUICK "sftp_after: keep\n");
	assert_string_equal(taken(&w), "2=1 3=2 .");
	assert_true(is_there(A1));
	load_checkpoint(&w);
	assert_string_equal(taken(&w), ".");
	assert_false(there(&w, "done/" A1 ".2")); /* it was not fetched again */
	put_there(A1, HEAD "9,other\r\n");
	assert_string_equal(taken(&w), "2=9 .");
	world_close(&w);
}

/* Nothing was taken of it, so it is not done; and it stops no other. */
static void too_large_is_refused(void **state)
{
	struct world w;
	struct eg_err err = {0};
	char large[256];
	(void)state;
	know("host_ed25519");
	snprintf(large, sizeof large, HEAD "1,%0200d\r\n", 0);
	put_whole_there(A1, large, 1);
	put_whole_there(A2, TWO, 2);
	open_world(&w, server.port, CTL "max_size: 100\n");
	struct eg_connector_options dry = options_of(&w);
	dry.dry = true;
	assert_int_equal(take(&w, dry, &err), EG_OK);
	assert_true(is_there(A1) && !is_there("refused/" A1));
	assert_string_equal(taken(&w), "2=1 3=2 .");
	assert_true(is_there("refused/" A1) && is_there("refused/" A1 ".ctl") && is_there("done/" A2));
	assert_false(is_there(A1) || is_there(A1 ".ctl") || is_there("done/" A1));
	assert_true(is_there("refused/" A1 ".report.csv"));
	assert_non_null(strstr(text_of(&w, "refused/" A1 ".report.csv"), "\"refused\",\"TOO_LARGE\""));
	assert_string_equal(taken(&w), ".");
	/* Once more under its name: beside the first. */
	put_whole_there(A1, large, 1);
	assert_string_equal(taken(&w), ".");
	assert_true(is_there("refused/" A1 ".2") && is_there("refused/" A1 ".2.report.csv"));
	/* Where files stay, it is told once. */
	put_whole_there(A1, large, 1);
	settings_are(&w, sftp_yaml(server.port, "user", CTL "max_size: 100\nsftp_after: keep\n"));
	assert_int_equal(unlinkat(w.inbox, "refused/" A1 ".report.csv", 0), 0);
	assert_string_equal(taken(&w), ".");
	assert_true(is_there(A1) && there(&w, "refused/" A1 ".report.csv"));
	assert_int_equal(unlinkat(w.inbox, "refused/" A1 ".report.csv", 0), 0);
	load_checkpoint(&w);
	assert_string_equal(taken(&w), ".");
	assert_false(there(&w, "refused/" A1 ".report.csv"));
	world_close(&w);
}

static void one_bad_file_stops_no_other(void **state)
{
	struct world w;
	char path[160];
	static char control[FILE_CONTROL_MAX + 2];
	(void)state;
	know("host_ed25519");
	/* Its control file is none; an inbox of ours cannot hold it. */
	put_there(A1, TWO);
	memset(control, '#', FILE_CONTROL_MAX + 1);
	put_there(A1 ".ctl", control);
	put_whole_there(A2, HEAD "7,x\r\n", 1);
	open_world(&w, server.port, CTL);
	assert_string_equal(taken(&w), "2=7 .");
	assert_non_null(strstr(text_of(&w, "refused/" A1 ".report.csv"), "CONTROL_INVALID"));
	assert_true(is_there("refused/" A1) && is_there("done/" A2));
	assert_false(there(&w, A1)); /* half of it does not stay behind */
	/* Reading it fails, and it cannot be moved either. */
	put_there(A1, "");
	put_there(A1 ".ctl", "");
	put_whole_there(A2, HEAD "8,y\r\n", 1);
	snprintf(path, sizeof path, "%s/files/" A1, server.place);
	if (mount("/proc/self/mem", path, NULL, MS_BIND, NULL) == 0) {
		assert_string_equal(taken(&w), "2=8 .");
		assert_true(is_there(A1) && is_there("done/" A2 ".2"));
		assert_false(there(&w, A1));
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	} else {
		print_message("nothing can be mounted here: the file that cannot be read is left out\n");
	}
	/* Well again, it is fetched. */
	put_whole_there(A1, HEAD "9,z\r\n", 1);
	assert_non_null(strstr(taken(&w), "2=9 "));
	world_close(&w);
}

/* More files than one pass looks at stay there for ever, each of them known. */
static void known_files_take_no_room(void **state)
{
	struct world w;
	char name[64], key[64], hex[33];
	static const uint8_t number[8] = {1};
	enum { MANY = SFTP_PULL_LISTED + 10 };
	(void)state;
	know("host_ed25519");
	open_world(&w, server.port, CTL "sftp_after: keep\n");
	for (unsigned i = 1; i <= MANY; i++) {
		struct stat st;
		uint8_t hash[EG_HASH_SIZE];
		struct eg_buf b = {0};
		snprintf(name, sizeof name, "D_330302_20261101_%u_INC.csv", i);
		int fd = openat(there_fd, name, O_WRONLY | O_CREAT, 0600);
		assert_true(fd >= 0 && fstat(fd, &st) == 0);
		close(fd);
		eg_buf_printf(&b, "0 %u %s", (unsigned)st.st_mtime, name);
		struct eg_bytes bytes = eg_buf_bytes(&b);
		eg_sha256(&bytes, 1, hash);
		eg_buf_free(&b);
		eg_hex(hash, 16, hex);
		snprintf(key, sizeof key, "t.pulled.%s", hex);
		assert_int_equal(
		        eg_checkpoint_put(w.checkpoint, key, (struct eg_bytes){number, sizeof number}, NULL),
		        EG_OK);
	}
	put_whole_there("D_330302_20261102_1_INC.csv", TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	world_close(&w);
}

static void strangers_get_nothing(void **state)
{
	struct world w;
	struct eg_err err = {0};
	(void)state;
	put_there(A1, TWO);
	know("stranger"); /* another key of a kind that the server has */
	open_world(&w, server.port, QUICK);
	assert_int_equal(take(&w, options_of(&w), &err), EG_UNAUTHENTICATED);
	char path[128];
	snprintf(path, sizeof path, "%s/known_hosts", server.place);
	assert_int_equal(truncate(path, 0), 0); /* no key at all */
	assert_int_equal(take(&w, options_of(&w), &err), EG_UNAUTHENTICATED);
	know("host_ed25519");
	settings_are(&w, sftp_yaml(server.port, "stranger", QUICK)); /* our key is not theirs */
	assert_int_equal(take(&w, options_of(&w), &err), EG_UNAUTHENTICATED);
	assert_true(is_there(A1));
	settings_are(&w, sftp_yaml(server.port, "user", QUICK));
	assert_string_equal(taken(&w), "2=1 3=2 .");
	world_close(&w);
}

static void no_server(void **state)
{
	struct world w;
	struct eg_err err = {0};
	(void)state;
	know("host_ed25519");
	put_there(A1, TWO);
	open_world(&w, server.port, QUICK);
	server_kill(&server);
	assert_int_equal(take(&w, options_of(&w), &err), EG_UNAVAILABLE);
	server_start(&server);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	world_close(&w);
}

/* The line falls silent, or breaks, in the middle of a transfer. */
static void broken_in_the_middle(void **state)
{
	struct eg_buf text = {0};
	struct line *line = server_line(&server);
	(void)state;
	know("host_ed25519");
	large_text(&text, 20000);
	for (int cut = 0; cut < 2; cut++) {
		for (int64_t pass = 100; pass < 400000; pass = pass * 4) {
			struct world w;
			struct eg_err err = {0};
			put_whole_there(F1, (const char *)text.p, 20000);
			open_world(&w, server.line_port, CTL "sftp_timeout: 300ms\n");
			line->cut = cut;
			line->pass = pass;
			int64_t began = eg_mono_us();
			assert_int_equal(take(&w, options_of(&w), &err), EG_UNAVAILABLE);
			assert_true(eg_mono_us() - began < 20 * EG_SECOND);
			assert_false(there(&w, F1)); /* nothing under its name that is not whole */
			assert_true(is_there(F1));
			line->pass = INT64_MAX;
			settings_are(&w, sftp_yaml(server.line_port, "user", CTL));
			taken(&w);
			assert_int_equal(rows_of(&w), 20000);
			assert_non_null(strchr((char *)w.trace.p, ']'));
			world_close(&w);
		}
	}
	eg_buf_free(&text);
}

static void a_slow_server(void **state)
{
	struct eg_buf text = {0};
	struct world w;
	struct line *line = server_line(&server);
	(void)state;
	know("host_ed25519");
	large_text(&text, 4000);
	put_whole_there(F1, (const char *)text.p, 4000);
	open_world(&w, server.line_port, CTL);
	line->slow_us = 5000;
	taken(&w);
	assert_int_equal(rows_of(&w), 4000);
	eg_buf_free(&text);
	world_close(&w);
}

static void killed_in_the_middle(void **state)
{
	struct eg_buf text = {0};
	struct world w;
	struct eg_in in;
	struct line *line = server_line(&server);
	(void)state;
	know("host_ed25519");
	large_text(&text, 20000);
	put_whole_there(F1, (const char *)text.p, 20000);
	/* Should its end not reach us, its silence tells: well within the 20 s that are waited here. */
	open_world(&w, server.line_port, CTL "sftp_timeout: 5s\n");
	line->slow_us = 1000;
	struct eg_connector_options o = options_of(&w);
	assert_int_equal(eg_connector_file.open_source(&w.source, &o, NULL), EG_OK);
	for (int64_t until = eg_mono_us() + 20 * EG_SECOND; line->count < 100000 && eg_mono_us() < until;)
		assert_int_equal(eg_connector_file.next(w.source, eg_mono_us() + 10000, &in, NULL), EG_EMPTY);
	assert_true(line->count >= 100000);
	server_kill(&server);
	enum eg_rc rc = EG_EMPTY;
	for (int64_t until = eg_mono_us() + 20 * EG_SECOND; rc == EG_EMPTY && eg_mono_us() < until;)
		rc = eg_connector_file.next(w.source, eg_mono_us() + 10000, &in, NULL);
	assert_int_equal(rc, EG_UNAVAILABLE);
	assert_false(there(&w, F1));
	eg_connector_file.close(w.source);
	w.source = NULL;
	line->slow_us = 0;
	server_start(&server);
	taken(&w);
	assert_int_equal(rows_of(&w), 20000);
	eg_buf_free(&text);
	world_close(&w);
}

/* Closing does not wait for a server that says nothing. */
static void closed_while_it_waits(void **state)
{
	struct world w;
	struct eg_in in;
	struct line *line = server_line(&server);
	(void)state;
	know("host_ed25519");
	put_there(A1, TWO);
	for (int64_t pass = 0; pass < 4000; pass += 900) {
		open_world(&w, server.line_port, QUICK "sftp_timeout: 1h\n");
		line->pass = pass;
		struct eg_connector_options o = options_of(&w);
		assert_int_equal(eg_connector_file.open_source(&w.source, &o, NULL), EG_OK);
		assert_int_equal(eg_connector_file.next(w.source, eg_mono_us() + 100000, &in, NULL),
		                 EG_EMPTY);
		int64_t began = eg_mono_us();
		eg_connector_file.close(w.source);
		w.source = NULL;
		assert_true(eg_mono_us() - began < 5 * EG_SECOND);
		world_close(&w);
	}
}

/* ---- the other direction ---- */

static const char *const names[] = {"name"};

static void delivered(void **state)
{
	struct world w;
	struct eg_settings *settings;
	struct eg_connector *target;
	struct eg_bytes value = eg_bytes_of("x");
	struct eg_delivery d = {.event_id = "l-1", .n = 1, .names = names, .values = &value};
	struct eg_delivery_result r;
	struct eg_err err = {0};
	char text[8192], path[128];
	static uint8_t filler[200000];
	(void)state;
	know("host_ed25519");
	world_open(&w, QUICK);
	snprintf(text, sizeof text, "name: OUT_{sequence}.csv\n%s", sftp_yaml(server.port, "user", ""));
	if (eg_settings_parse(text, "t", file_target_settings, &settings, &err))
		fail_msg("%s", err.text);
	struct eg_connector_options o = {.settings = settings, .checkpoint = w.checkpoint, .prefix = "t."};
	assert_int_equal(eg_connector_file.open_target(&target, &o, NULL), EG_OK);
	assert_int_equal(eg_connector_file.deliver(target, &d, 1, &r, eg_mono_us() + 20 * EG_SECOND, &err),
	                 EG_OK);
	assert_true(is_there("OUT_1.csv") && is_there("OUT_1.csv.ctl") && !is_there(".OUT_1.csv.tmp"));

	/* The server goes and comes back between two batches. */
	server_kill(&server);
	d.event_id = "l-2";
	assert_int_equal(eg_connector_file.deliver(target, &d, 1, &r, eg_mono_us() + 20 * EG_SECOND, &err),
	                 EG_UNAVAILABLE);
	assert_int_equal(r.rc, EG_BUSY);
	server_start(&server);
	assert_int_equal(eg_connector_file.deliver(target, &d, 1, &r, eg_mono_us() + 20 * EG_SECOND, &err),
	                 EG_OK);
	assert_true(is_there("OUT_2.csv.ctl"));

	/* No room there. */
	snprintf(path, sizeof path, "%s/files", server.place);
	if (mount("tmpfs", path, "tmpfs", 0, "size=64k,mode=700") == 0) {
		close(there_fd);
		assert_int_equal(file_dir_open(&there_fd, path, NULL), EG_OK);
		int fd = openat(there_fd, "filler", O_WRONLY | O_CREAT, 0600);
		assert_true(write(fd, filler, sizeof filler) > 0);
		d.event_id = "l-3";
		enum eg_rc rc =
		        eg_connector_file.deliver(target, &d, 1, &r, eg_mono_us() + 20 * EG_SECOND, &err);
		assert_true(rc && eg_rc_retryable(rc) && r.rc == EG_BUSY);
		assert_false(is_there("OUT_3.csv") || is_there("OUT_3.csv.ctl"));
		assert_int_equal(ftruncate(fd, 0), 0);
		close(fd);
		assert_int_equal(
		        eg_connector_file.deliver(target, &d, 1, &r, eg_mono_us() + 20 * EG_SECOND, &err),
		        EG_OK);
		assert_true(is_there("OUT_3.csv") && is_there("OUT_3.csv.ctl"));
		assert_int_equal(umount2(path, MNT_DETACH), 0);
	} else {
		print_message("no small file system can be mounted here: the full disk is left out\n");
	}
	eg_connector_file.close(target);
	eg_settings_free(settings);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(fetched_and_moved, start, stop),
	        cmocka_unit_test_setup_teardown(fetched_and_kept, start, stop),
	        cmocka_unit_test_setup_teardown(too_large_is_refused, start, stop),
	        cmocka_unit_test_setup_teardown(one_bad_file_stops_no_other, start, stop),
	        cmocka_unit_test_setup_teardown(known_files_take_no_room, start, stop),
	        cmocka_unit_test_setup_teardown(strangers_get_nothing, start, stop),
	        cmocka_unit_test_setup_teardown(no_server, start, stop),
	        cmocka_unit_test_setup_teardown(broken_in_the_middle, start, stop),
	        cmocka_unit_test_setup_teardown(a_slow_server, start, stop),
	        cmocka_unit_test_setup_teardown(a_fetch_that_was_cut_off_goes_on, start, stop),
	        cmocka_unit_test_setup_teardown(killed_in_the_middle, start, stop),
	        cmocka_unit_test_setup_teardown(closed_while_it_waits, start, stop),
	        cmocka_unit_test_setup_teardown(delivered, start, stop),
	};
	eg_log_open("test", EG_LOG_ERROR, false);
	return cmocka_run_group_tests_name("sftp", tests, NULL, NULL);
}
