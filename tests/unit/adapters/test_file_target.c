/* The outbox: what is written, in which order, and what a crash at any step leaves. */
#include "file_world.h"

#include <sys/mount.h>

#define NAME_6 "name: OUT_{as_of}_{sequence:6}.csv\n"

static struct eg_settings *settings;
static struct eg_connector *target;
static int outbox;
static char folder[600];

static enum eg_rc reopen(struct world *w, struct eg_err *err)
{
	eg_connector_file.close(target);
	load_checkpoint(w);
	struct eg_connector_options o = {.settings = settings, .checkpoint = w->checkpoint, .prefix = "t."};
	return eg_connector_file.open_target(&target, &o, err);
}

static void use(struct world *w, const char *yaml)
{
	char text[1024];
	struct eg_err err = {0};
	snprintf(folder, sizeof folder, "%s/outbox", w->root);
	mkdir(folder, 0700);
	snprintf(text, sizeof text, "outbox: %s\n%s", folder, yaml);
	eg_settings_free(settings);
	if (eg_settings_parse(text, "test.yaml", file_target_settings, &settings, &err) || reopen(w, &err))
		fail_msg("%s", err.text);
	if (outbox >= 0)
		close(outbox);
	assert_int_equal(file_dir_open(&outbox, folder, NULL), EG_OK);
}

static void open_world(struct world *w, const char *yaml)
{
	world_open(w, QUICK);
	outbox = -1;
	use(w, yaml);
}

static void close_world(struct world *w)
{
	eg_connector_file.close(target);
	target = NULL;
	eg_settings_free(settings);
	settings = NULL;
	close(outbox);
	world_close(w);
}

static const char *const two[] = {"name", "note"};
static const char *const one[] = {"name"};

static struct eg_delivery change(const char *id, const struct eg_bytes values[2])
{
	return (struct eg_delivery){.event_id = id, .n = 2, .names = two, .values = values};
}

/* Delivers `n` changes of these ids with the same values. */
static enum eg_rc deliver(const char *const *ids, unsigned n, struct eg_delivery_result *results)
{
	static struct eg_bytes values[2];
	struct eg_delivery d[16];
	values[0] = eg_bytes_of("a,\"b\"");
	values[1] = (struct eg_bytes){0};
	for (unsigned i = 0; i < n; i++)
		d[i] = change(ids[i], values);
	return eg_connector_file.deliver(target, d, n, results, eg_mono_us() + 20 * EG_SECOND, NULL);
}

struct found {
	char names[16][64];
	unsigned n;
};

static bool gather(void *arg, const char *name)
{
	struct found *f = arg;
	assert_true(f->n < 16);
	snprintf(f->names[f->n++], 64, "%s", name);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct found files(void)
{
	struct found f = {.n = 0};
	assert_int_equal(file_each(outbox, gather, &f, NULL), EG_OK);
	qsort(f.names, f.n, sizeof *f.names, by_name);
	return f;
}

static const char *read_out(const char *name)
{
	static struct eg_buf b;
	eg_buf_reset(&b);
	assert_int_equal(file_get(outbox, name, 1 << 20, &b, NULL), EG_OK);
	eg_buf_add_u8(&b, 0);
	return (const char *)b.p;
}

static void a_batch_is_a_file(void **state)
{
	struct world w;
	struct eg_delivery_result r[3];
	static const char *const ids[] = {"l-1", "l-2", "l-3"};
	(void)state;
	open_world(&w, NAME_6);
	assert_int_equal(deliver(ids, 2, r), EG_OK);
	assert_true(r[0].rc == EG_OK && r[1].rc == EG_OK);
	struct found f = files();
	assert_int_equal(f.n, 2);
	assert_non_null(strstr(f.names[0], "_000001.csv"));
	const char *text = read_out(f.names[0]);
	assert_string_equal(text, "\xef\xbb\xbf"
	                          "event_id,name,note\r\nl-1,\"a,\"\"b\"\"\",\r\nl-2,\"a,\"\"b\"\"\",\r\n");
	char hex[65], want[256];
	sha_of(eg_bytes_of(text), hex);
	snprintf(want, sizeof want, "file=%s\r\nrows=2\r\nsize=%zu\r\nsha256=%s\r\n", f.names[0],
	         strlen(text), hex);
	assert_string_equal(read_out(f.names[1]), want);

	/* The same events again, after a restart too, make no file; new ones behind them do. */
	assert_int_equal(deliver(ids, 2, r), EG_OK);
	assert_int_equal(reopen(&w, NULL), EG_OK);
	assert_int_equal(deliver(ids, 2, r), EG_OK);
	assert_int_equal(files().n, 2);
	assert_int_equal(deliver(ids, 3, r), EG_OK);
	assert_true(r[0].rc == EG_OK && r[2].rc == EG_OK);
	f = files();
	assert_int_equal(f.n, 4);
	assert_non_null(strstr(f.names[2], "_000002.csv"));
	assert_non_null(strstr(read_out(f.names[2]), "note\r\nl-3,"));
	close_world(&w);
}

/* A folder in place of a file lets its writing fail at exactly that step; its removal is the repair. */
static void a_number_survives_failures(void **state)
{
	struct world w;
	struct eg_delivery_result r[2];
	static const char *const ids[] = {"l-1", "l-2"};
	(void)state;
	for (int step = 0; step < 2; step++) {
		open_world(&w, "name: OUT_{sequence}.csv\n");
		const char *stone = step ? "OUT_1.csv.ctl" : "OUT_1.csv";
		assert_int_equal(mkdirat(outbox, stone, 0700), 0);
		assert_int_equal(deliver(ids, 2, r), EG_UNAVAILABLE);
		assert_true(r[0].rc == EG_BUSY && r[1].rc == EG_BUSY); /* no change is at fault */
		assert_int_equal(unlinkat(outbox, stone, AT_REMOVEDIR), 0);
		assert_int_equal(reopen(&w, NULL), EG_OK);
		assert_int_equal(deliver(ids, 2, r), EG_OK);
		struct found f = files();
		assert_int_equal(f.n, 2);
		assert_string_equal(f.names[0], "OUT_1.csv");
		assert_string_equal(f.names[1], "OUT_1.csv.ctl");
		close_world(&w);
	}
}

/* Died after the control file, before the checkpoint knew: what is in the outbox is not written again. */
static void a_batch_that_was_complete(void **state)
{
	struct world w;
	struct eg_delivery_result r[3];
	static const char *const ids[] = {"l-1", "l-2", "l-3"};
	(void)state;
	open_world(&w, "name: OUT_{sequence}.csv\n");
	assert_int_equal(mkdirat(outbox, "OUT_1.csv.ctl", 0700), 0);
	assert_int_equal(deliver(ids, 2, r), EG_UNAVAILABLE); /* the checkpoint says: writing 1 */
	assert_int_equal(unlinkat(outbox, "OUT_1.csv.ctl", AT_REMOVEDIR), 0);
	assert_int_equal(file_put(outbox, "OUT_1.csv.ctl", eg_bytes_of("as if it had been written"), NULL),
	                 EG_OK);
	assert_int_equal(reopen(&w, NULL), EG_OK);
	assert_int_equal(deliver(ids, 3, r), EG_OK);
	assert_true(r[0].rc == EG_OK && r[1].rc == EG_OK && r[2].rc == EG_OK);
	assert_string_equal(read_out("OUT_1.csv.ctl"), "as if it had been written");
	assert_non_null(strstr(read_out("OUT_2.csv"), "note\r\nl-3,"));
	assert_int_equal(files().n, 4);
	close_world(&w);
}

static void other_columns_another_file(void **state)
{
	struct world w;
	struct eg_delivery_result r[2];
	struct eg_bytes values[2] = {eg_bytes_of("x"), eg_bytes_of("y")};
	struct eg_delivery d[2] = {change("l-1", values),
	                           {.event_id = "l-2", .n = 1, .names = one, .values = values}};
	(void)state;
	open_world(&w, "name: OUT_{sequence}.csv\n");
	assert_int_equal(eg_connector_file.deliver(target, d, 2, r, INT64_MAX, NULL), EG_OK);
	assert_true(r[0].rc == EG_OK && r[1].rc == EG_BUSY);
	assert_int_equal(eg_connector_file.deliver(target, d + 1, 1, r, INT64_MAX, NULL), EG_OK);
	assert_non_null(strstr(read_out("OUT_2.csv"), "event_id,name\r\nl-2,x\r\n"));
	close_world(&w);
}

static void gb18030_and_what_cannot_be_said(void **state)
{
	struct world w;
	struct eg_delivery_result r[3];
	struct eg_bytes good[2] = {eg_bytes_of("\xe5\xbc\xa0\xe4\xb8\x89"), eg_bytes_of("\xe4\xb6\xae")};
	struct eg_bytes bad[2] = {{(const uint8_t *)"\xff", 1}, {0}};
	struct eg_delivery d[3] = {change("l-1", good), change("l-2", bad), change("l-3", good)};
	(void)state;
	open_world(&w, "name: OUT_{sequence}.csv\nencoding: gb18030\ndigest: sm3\n");
	assert_int_equal(eg_connector_file.deliver(target, d, 3, r, INT64_MAX, NULL), EG_OK);
	assert_true(r[0].rc == EG_OK && r[1].rc == EG_INVALID && r[2].rc == EG_BUSY);
	assert_string_equal(r[1].err.field, "name");
	assert_string_equal(read_out("OUT_1.csv"), "event_id,name,note\r\nl-1,\xd5\xc5\xc8\xfd,\xfe\x9f\r\n");
	assert_non_null(strstr(read_out("OUT_1.csv.ctl"), "\r\nsm3="));
	/* The agent parks it; the rest goes on. */
	assert_int_equal(eg_connector_file.deliver(target, d + 2, 1, r, INT64_MAX, NULL), EG_OK);
	assert_int_equal(files().n, 4);
	close_world(&w);
}

static void numbers_run_out(void **state)
{
	struct world w;
	struct eg_delivery_result r[1];
	char id[16];
	const char *ids[] = {id};
	(void)state;
	open_world(&w, "name: O{sequence:1}.csv\n");
	for (int i = 1; i <= 9; i++) {
		snprintf(id, sizeof id, "l-%d", i);
		assert_int_equal(deliver(ids, 1, r), EG_OK);
	}
	strcpy(id, "l-10");
	assert_int_equal(deliver(ids, 1, r), EG_OUT_OF_RANGE);
	close_world(&w);
}

static void a_full_disk(void **state)
{
	struct world w;
	struct eg_delivery_result r[1];
	static const char *const ids[] = {"l-1"};
	static uint8_t filler[200000];
	(void)state;
	open_world(&w, "name: OUT_{sequence}.csv\n");
	if (mount("tmpfs", folder, "tmpfs", 0, "size=64k,mode=700") != 0) {
		print_message("no small file system can be mounted here\n");
		close_world(&w);
		skip();
	}
	use(&w, "name: OUT_{sequence}.csv\n");
	int fd = openat(outbox, "filler", O_WRONLY | O_CREAT, 0600);
	assert_true(write(fd, filler, sizeof filler) > 0); /* as much as there is room for */
	assert_int_equal(deliver(ids, 1, r), EG_NO_SPACE);
	assert_int_equal(r[0].rc, EG_BUSY);
	assert_int_equal(files().n, 1); /* nothing half-written stays */
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	assert_int_equal(deliver(ids, 1, r), EG_OK);
	assert_int_equal(files().n, 3);
	assert_non_null(strstr(read_out("OUT_1.csv"), "l-1"));
	close(outbox);
	outbox = -1;
	eg_connector_file.close(target);
	target = NULL;
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	outbox = dup(w.inbox);
	close_world(&w);
}

static void targets_that_contradict(void **state)
{
	static const char *const bad[] = {"name: OUT.csv\n", "name: OUT_{region}_{sequence}.csv\n",
	                                  "name: OUT_{sequence}.csv\ncontrol: ctl\n",
	                                  "name: OUT_{sequence}.csv\nsftp_host: h\n"};
	struct world w;
	(void)state;
	open_world(&w, NAME_6);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		char text[1024];
		snprintf(text, sizeof text, "outbox: %s\n%s", folder, bad[i]);
		eg_settings_free(settings);
		assert_int_equal(eg_settings_parse(text, "t", file_target_settings, &settings, NULL), EG_OK);
		assert_int_equal(reopen(&w, NULL), EG_CONFIG);
	}
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_batch_is_a_file),
	        cmocka_unit_test(a_number_survives_failures),
	        cmocka_unit_test(a_batch_that_was_complete),
	        cmocka_unit_test(other_columns_another_file),
	        cmocka_unit_test(gb18030_and_what_cannot_be_said),
	        cmocka_unit_test(numbers_run_out),
	        cmocka_unit_test(a_full_disk),
	        cmocka_unit_test(targets_that_contradict),
	};
	eg_log_open("test", EG_LOG_ERROR, false);
	return cmocka_run_group_tests_name("file_target", tests, NULL, NULL);
}
