/* The inbox: which files are taken, in which order, what is refused and why, what is left beside them. */
#include "file_world.h"

#define A1  "D_330302_20261101_1_INC.csv"
#define A2  "D_330302_20261101_2_INC.csv"
#define A3  "D_330302_20261102_3_INC.csv"
#define B1  "D_330303_20261101_1_INC.csv"
#define F1  "D_330302_20261101_1_FULL.csv"
#define TWO HEAD "1,a\r\n2,b\r\n"

/* The reason in the report of a refused file. */
static void assert_refused(struct world *w, const char *name, const char *reason)
{
	char report[256], words[128];
	snprintf(report, sizeof report, "refused/%s.report.csv", name);
	snprintf(words, sizeof words, ",\"refused\",\"%s\",", reason);
	if (!strstr(text_of(w, report), words))
		fail_msg("%s: no %s in: %s", name, reason, text_of(w, report));
	assert_false(there(w, name));
	snprintf(report, sizeof report, "refused/%s", name);
	assert_true(there(w, report));
}

static void with_control_file(void **state)
{
	struct world w;
	(void)state;
	world_open(
	        &w, NAMES
	        "settle: 1h\npoll: 5ms\ncontrol: .ctl\n"); /* a control file that agrees needs no waiting */
	put_whole(&w, A1, TWO, 2);
	put_whole(&w, F1, TWO, 2);
	assert_string_equal(taken(&w), "[" F1 " 2 2=1 3=2 ]2=1 3=2 .");
	assert_true(there(&w, "done/" A1) && there(&w, "done/" A1 ".ctl") && there(&w, "done/" F1));
	assert_false(there(&w, A1) || there(&w, A1 ".ctl"));
	assert_non_null(strstr(text_of(&w, "done/" A1 ".report.csv"), ",\"done\",\"\",\"\",\"接收 2 行"));
	assert_string_equal(taken(&w), ".");
	world_close(&w);
}

static void without_control_file(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, QUICK);
	put(&w, A1, TWO);
	put(&w, F1, TWO);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	assert_refused(&w, F1, "FULL_NEEDS_CONTROL");
	settings_are(&w, QUICK "full_without_control: true\n");
	put(&w, F1, TWO);
	assert_string_equal(taken(&w), "[" F1 " -1 2=1 3=2 ].");
	put(&w, F1, HEAD "1,a\r\n2,b");
	assert_string_equal(taken(&w), ".");
	assert_refused(&w, F1 ".2", "TORN_END"); /* the name is taken by the one before */
	world_close(&w);
}

static void unsettled_files_wait(void **state)
{
	struct world w;
	struct eg_in in;
	(void)state;
	world_open(&w, NAMES "settle: 1h\npoll: 5ms\n");
	put(&w, A1, TWO);
	struct eg_connector_options o = options_of(&w);
	o.once = false;
	assert_int_equal(eg_connector_file.open_source(&w.source, &o, NULL), EG_OK);
	assert_int_equal(eg_connector_file.next(w.source, eg_mono_us() + 50000, &in, NULL), EG_EMPTY);
	assert_true(there(&w, A1));
	world_close(&w);
}

/* A name says a day, and lag must not be made less than it may be: that day's first moment in China. */
static void a_list_was_taken_as_its_day_began(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, "D_33_20261101_1_FULL.csv", TWO, 2);
	taken(&w);
	assert_int_equal(w.taken_at, 1793462400000000); /* 2026-10-31T16:00:00Z */
	put_whole(&w, "D_33_20261102_2_FULL.csv", TWO, 2);
	taken(&w);
	assert_int_equal(w.taken_at, 1793462400000000 + 86400 * EG_SECOND);
	world_close(&w);
	world_open(&w, "name: D_{sequence}_{kind}.csv\ncontrol: .ctl\n");
	put_whole(&w, "D_3_FULL.csv", TWO, 2);
	w.taken_at = -1;
	taken(&w);
	assert_int_equal(w.taken_at, 0);
	world_close(&w);
}

static void controls_that_do_not_agree(void **state)
{
	static const struct {
		const char *name, *control, *reason;
	} cases[] = {{"D_33_20261101_1_FULL.csv", "size=23\n", "SIZE_MISMATCH"},
	             {"D_33_20261101_2_FULL.csv", "rows=3\n", "ROW_COUNT_MISMATCH"},
	             {"D_33_20261101_3_FULL.csv", "rows=x\n", "CONTROL_INVALID"},
	             {"D_33_20261101_4_INC.csv", "file=other.csv\n", "CONTROL_INVALID"},
	             {"D_33_20261101_5_FULL.csv", "", "FULL_NEEDS_CONTROL"},
	             {"D_33_20261101_6_INC.csv",
	              "sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
	              "DIGEST_MISMATCH"},
	             {"D_33_20261101_7_INC.csv",
	              "sm3=66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0\n",
	              "DIGEST_MISMATCH"}};
	struct world w;
	(void)state;
	world_open(&w, CTL);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[64];
		snprintf(name, sizeof name, "%s.ctl", cases[i].name);
		put(&w, cases[i].name, TWO);
		put(&w, name, cases[i].control);
	}
	assert_string_equal(taken(&w), ".");
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused(&w, cases[i].name, cases[i].reason);
	world_close(&w);
}

static void an_incomplete_file_holds_its_region(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	put(&w, A1, TWO);
	put_whole(&w, A2, HEAD "5,e\r\n", 1);
	put_whole(&w, B1, HEAD "7,g\r\n", 1);
	assert_string_equal(taken(&w), "2=7 .");
	assert_true(there(&w, A1) && there(&w, A2));
	settings_are(&w, CTL "incomplete_after: 0s\n");
	assert_string_equal(taken(&w), "2=5 .");
	assert_refused(&w, A1, "CONTROL_MISSING");
	put(&w, A3 ".ctl", "rows=1\n");
	assert_string_equal(taken(&w), ".");
	assert_refused(&w, A3 ".ctl", "CONTROL_WITHOUT_FILE");
	world_close(&w);
}

/* The process died between the moves of a file and of its control file. What is left would hold the region.
 */
static void a_control_file_follows_its_file_after_a_crash(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	put(&w, A1 ".ctl", text_of(&w, "done/" A1 ".ctl"));
	char path[512];
	path_in(&w, "done/" A1 ".ctl", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(eg_checkpoint_put(w.checkpoint, "t.moving", eg_bytes_of("\1" A1), NULL), EG_OK);
	assert_int_equal(eg_checkpoint_save(w.checkpoint, NULL), EG_OK);
	put_whole(&w, A2, HEAD "5,e\r\n", 1);
	assert_string_equal(taken(&w), "2=5 .");
	assert_true(there(&w, "done/" A1 ".ctl") && there(&w, "done/" A2 ".ctl"));
	assert_false(there(&w, A1 ".ctl"));
	assert_int_equal(eg_checkpoint_get(w.checkpoint, "t.moving").len, 0);
	/* Once it is over, a control file that comes before its file is left where it is. */
	put(&w, A1 ".ctl", "rows=2\n");
	assert_string_equal(taken(&w), ".");
	assert_true(there(&w, A1 ".ctl"));
	world_close(&w);
}

/* The keys of the rows that are there now, without waiting for more; a list's in brackets. */
static const char *there_now(struct eg_connector *c, char text[200])
{
	struct eg_in in;
	*text = 0;
	for (unsigned i = 0; i < 20; i++) { /* a file is looked at in more than one step */
		enum eg_rc rc = eg_connector_file.next(c, eg_mono_us(), &in, NULL);
		if (rc == EG_EMPTY || rc == EG_BUSY)
			continue;
		assert_int_equal(rc, EG_OK);
		size_t len = strlen(text);
		if (in.kind == EG_IN_ROW)
			snprintf(text + len, 200 - len, "%.*s ", (int)in.values[0].len,
			         (const char *)in.values[0].p);
		else
			snprintf(text + len, 200 - len, in.kind == EG_IN_LIST_BEGIN ? "[" : "]");
	}
	return text;
}

/* An increment does not wait for the list before it, nor for anybody who has the time to wait for it. */
static void lists_and_rows_side_by_side(void **state)
{
	struct world w;
	struct eg_connector *rows, *lists;
	char text[200];
	(void)state;
	world_open(&w, NAMES "settle: 20ms\npoll: 1h\nretry: 20ms\ncontrol: .ctl\n");
	struct eg_connector_options o = options_of(&w);
	o.once = false;
	put_whole(&w, "D_330302_20261101_1_FULL.csv", HEAD "1,a\r\n", 1);
	put_whole(&w, "D_330302_20261102_2_INC.csv", HEAD "2,b\r\n", 1);
	o.part = EG_PART_ROWS;
	assert_int_equal(eg_connector_file.open_source(&rows, &o, NULL), EG_OK);
	o.part = EG_PART_LISTS;
	assert_int_equal(eg_connector_file.open_source(&lists, &o, NULL), EG_OK);
	assert_string_equal(there_now(lists, text), "[1 ]");
	assert_string_equal(there_now(rows, text), "2 ");
	struct eg_verdict v = {.ref = 1, .code = EG_VERDICT_TAKEN, .reason = "", .field = "", .text = ""};
	assert_int_equal(eg_connector_file.settle(rows, &v, 1, NULL), EG_OK);
	put_whole(&w, "D_330302_20261103_3_INC.csv", HEAD "3,c\r\n", 1);
	put_whole(&w, "D_330302_20261103_4_FULL.csv", HEAD "4,d\r\n", 1);
	assert_string_equal(there_now(rows, text), "3 ");
	assert_true(there(&w, "done/D_330302_20261102_2_INC.csv"));
	assert_string_equal(there_now(lists, text), "");
	for (v.ref = 1; v.ref <= 3; v.ref++)
		assert_int_equal(eg_connector_file.settle(lists, &v, 1, NULL), EG_OK);
	assert_string_equal(there_now(lists, text), ""); /* it comes after the increments before it */
	v.ref = 2;
	assert_int_equal(eg_connector_file.settle(rows, &v, 1, NULL), EG_OK);
	assert_string_equal(there_now(rows, text), "");
	assert_string_equal(there_now(lists, text), "[4 ]");
	assert_true(there(&w, "done/D_330302_20261101_1_FULL.csv"));
	eg_connector_file.close(rows);
	eg_connector_file.close(lists);
	world_close(&w);
}

static void order_within_a_region(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, QUICK);
	put(&w, "D_33_20261102_9_INC.csv", HEAD "c,\n");
	put(&w, "D_33_20261103_1_INC.csv", HEAD "d,\n");
	put(&w, "D_33_20261102_10_INC.csv", HEAD "C,\n");
	put(&w, "D_33_20261101_11_INC.csv", HEAD "b,\n");
	assert_string_equal(taken(&w), "2=b 2=c 2=C 2=d .");
	settings_are(&w, QUICK "order: sequence\n");
	put(&w, "D_33_20261102_29_INC.csv", HEAD "c,\n");
	put(&w, "D_33_20261103_21_INC.csv", HEAD "d,\n");
	put(&w, "D_33_20261101_211_INC.csv", HEAD "b,\n");
	assert_string_equal(taken(&w), "2=d 2=c 2=b .");
	world_close(&w);
}

static void second_again_once(struct world *w, const struct eg_in *in, struct eg_verdict *v);

/* Under another revision of the mapping a file says something else: the gateway has not heard it. */
static void another_mapping_is_another_file(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	w.revision = 1;
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	w.revision = 2;
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), ".");
	w.revision = 1; /* what was done under each is known of each */
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), ".");
	/* One that was begun under the first begins anew under the second. */
	w.judge = second_again_once;
	put_whole(&w, A2, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	w.revision = 2;
	assert_string_equal(taken(&w), "2=1 3=2 .");
	assert_true(there(&w, "done/" A2));
	world_close(&w);
}

static void repeated_files(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, A1, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	load_checkpoint(&w);
	put_whole(&w, A1, TWO, 2);
	put_whole(&w, A2, TWO, 2); /* the same bytes later are another file */
	assert_string_equal(taken(&w), "2=1 3=2 .");
	assert_non_null(strstr(text_of(&w, "done/" A1 ".2.report.csv"), ",\"repeated\",\"REPEATED\","));
	assert_true(there(&w, "done/" A1 ".2") && there(&w, "done/" A1 ".ctl.2"));
	put_whole(&w, A1, HEAD "1,other\r\n", 1); /* other bytes under the same name too */
	assert_string_equal(taken(&w), "2=1 .");
	/* Remembered no longer than the setting says. */
	settings_are(&w, CTL "remember: 1\n");
	put_whole(&w, B1, HEAD "9,x\r\n", 1);
	assert_string_equal(taken(&w), "2=9 .");
	put_whole(&w, A2, TWO, 2);
	assert_string_equal(taken(&w), "2=1 3=2 .");
	world_close(&w);
}

static void strange_entries(void **state)
{
	struct world w;
	char path[512];
	(void)state;
	world_open(&w, CTL "max_size: 100\nincomplete_after: 0s\n");
	put(&w, "outside", "x");
	assert_int_equal(symlinkat("/etc/passwd", w.inbox, A1), 0);
	assert_int_equal(mkfifoat(w.inbox, A2, 0600), 0);
	path_in(&w, A3, path);
	assert_int_equal(mkdir(path, 0700), 0);
	put(&w, "..csv", "x");
	put(&w, "D_330302_20261101_1_INC.csv\n", "x");
	put(&w, "being-sent.csv.part", "x");
	put(&w, B1,
	    "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456"
	    "78901234567890");
	put(&w, B1 ".ctl", "");
	put(&w, "D_330304_20261101_1_INC.csv", "x");
	assert_int_equal(symlinkat("/etc/passwd", w.inbox, "D_330304_20261101_1_INC.csv.ctl"), 0);
	assert_string_equal(taken(&w), ".");
	assert_refused(&w, "outside", "NAME");
	assert_refused(&w, A1, "NOT_REGULAR");
	assert_refused(&w, A2, "NOT_REGULAR");
	assert_refused(&w, B1, "TOO_LARGE");
	assert_refused(&w, "D_330304_20261101_1_INC.csv", "NOT_REGULAR");
	assert_true(there(&w, A3)); /* a folder of somebody else's */
	assert_true(there(&w, "..csv") && there(&w, "being-sent.csv.part"));
	assert_true(there(&w, "refused/D_330302_20261101_1_INC.csv\n"));
	world_close(&w);
}

static void planted_folders(void **state)
{
	struct world w;
	struct eg_err err = {0};
	(void)state;
	world_open(&w, CTL);
	assert_int_equal(symlinkat("/tmp", w.inbox, "done"), 0);
	assert_int_equal(take(&w, options_of(&w), &err), EG_CONFIG);
	assert_int_equal(unlinkat(w.inbox, "done", 0), 0);
	assert_int_equal(mkdirat(w.inbox, ".eldergate", 0700), 0);
	assert_int_equal(fchmodat(w.inbox, ".eldergate", 0777, 0), 0);
	assert_int_equal(take(&w, options_of(&w), &err), EG_CONFIG);
	world_close(&w);
}

static void unreadable_file(void **state)
{
	struct world w;
	(void)state;
	bool root = geteuid() == 0; /* who reads everything */
	if (root)
		assert_int_equal(seteuid(65534), 0);
	world_open(&w, QUICK);
	put(&w, A1, TWO);
	assert_int_equal(fchmodat(w.inbox, A1, 0, 0), 0);
	assert_string_equal(taken(&w), ".");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_refused(&w, A1, "UNREADABLE");
	world_close(&w);
}

/* ---- lines ---- */

static void bad_lines_go_beside_the_good(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, QUICK "max_line: 64\nsample: 0\n");
	put(&w, A1,
	    HEAD "1,a\r\n2,\xff\xfe\r\n3\r\n4,d\r\n5,"
	         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n6"
	         ",f\r\n");
	assert_string_equal(taken(&w), "2=1 !3:CHARSET !4:COLUMN_COUNT 5=4 !6:LINE_TOO_LONG 7=6 .");
	assert_non_null(strstr(text_of(&w, "done/" A1 ".report.csv"), "\r\n3,\"bad\",\"CHARSET\",\"\","));
	assert_non_null(strstr(text_of(&w, "done/" A1 ".report.csv"), "接收 3 行，退回 0 行，无法读取 3 行"));
	assert_memory_equal(text_of(&w, "done/" A1 ".bad"), "3 Miz//g0K\n4 Mw0K\n6 ", 20);
	settings_are(&w, QUICK "max_bad: 1\nsample: 0\n");
	put(&w, A2, HEAD "1,a\r\n2\r\n3\r\n");
	assert_string_equal(taken(&w), ".");
	assert_refused(&w, A2, "TOO_MANY_BAD");
	world_close(&w);
}

static void refuse_second(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	(void)w;
	if (in->kind == EG_IN_ROW && in->line == 3) {
		v->code = EG_VERDICT_REFUSED;
		v->reason = "ID_CHECK_DIGIT";
		v->field = "registration.id_number";
		v->text = "请核对证件号码";
	}
}

static void refused_rows_stand_in_the_report(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	w.judge = refuse_second;
	put_whole(&w, F1, HEAD "1,planted-name\r\n2,planted-name\r\n3,c\r\n", 3);
	taken(&w);
	const char *report = text_of(&w, "done/" F1 ".report.csv");
	assert_non_null(strstr(
	        report,
	        "\r\n3,\"refused\",\"ID_CHECK_DIGIT\",\"registration.id_number\",\"请核对证件号码\"\r\n"));
	assert_non_null(strstr(report, "接收 2 行，退回 1 行"));
	assert_null(strstr(report, "planted"));
	world_close(&w);
}

/* None of its rows leaves, and no list begins that anybody could be missing from, however whole the file is
 * by its control file. */
static void garbled_and_damaged_lists_withdraw_nobody(void **state)
{
	static const struct {
		const char *text, *reason;
		int rows;
	} cases[] = {
	        {HEAD "1,\xc3\xa5\xc2\xbc\xc2\xa0\xc3\xa4\xc2\xb8\xc2\x89\r\n2,"
	              "\xc3\xa6\xc2\x9d\xc2\x8e\xc3\xa5\xc2\x9b\xc2\x9b\r\n3,x\r\n",
	         "CHARSET_SUSPECT", 3},
	        {HEAD "1,\xd5\xc5\xc8\xfd\r\n2,\xc0\xee\xcb\xc4\r\n", "CHARSET_SUSPECT", 2}, /* GB18030 */
	        {HEAD "3.30302E+17,a\r\n3.30303E+17,b\r\n3,c\r\n", "EXCEL_DAMAGE", 3},
	        /* Behind the sample: the lines that cannot be read are too many. */
	        {HEAD "1,a\r\n2,b\r\n3,c\r\n4,d\r\n5,\xff\r\n6,\xff\r\n7,\xff\r\n", "TOO_MANY_BAD", 7},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		world_open(&w, CTL "encoding: utf-8\nsample: 3\nmax_bad: 2\n");
		put_whole(&w, F1, cases[i].text, cases[i].rows);
		assert_string_equal(taken(&w), ".");
		assert_refused(&w, F1, cases[i].reason);
		/* The next one, put right, is a list. */
		put_whole(&w, F1, TWO, 2);
		assert_string_equal(taken(&w), "[" F1 " 2 2=1 3=2 ].");
		world_close(&w);
	}
}

static void garbled_and_damaged_files(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, QUICK "encoding: utf-8\n");
	/* UTF-8 read as Latin-1 and written as UTF-8 again. */
	put(&w, A1,
	    HEAD "1,\xc3\xa5\xc2\xbc\xc2\xa0\xc3\xa4\xc2\xb8\xc2\x89\r\n2,"
	         "\xc3\xa6\xc2\x9d\xc2\x8e\xc3\xa5\xc2\x9b\xc2\x9b\r\n3,x\r\n");
	put(&w, A2, HEAD "3.30302E+17,a\r\n3.30303E+17,b\r\n3,c\r\n");
	put(&w, A3, HEAD "3.30302E+17,a\r\n2,b\r\n3,c\r\n"); /* one row of three: for the mapping to refuse */
	put(&w, B1, HEAD "1,\xd5\xc5\xc8\xfd\r\n2,\xc0\xee\xcb\xc4\r\n"); /* GB18030 */
	assert_string_equal(taken(&w), "2=3.30302E+17 3=2 4=3 .");
	assert_refused(&w, A1, "CHARSET_SUSPECT");
	assert_refused(&w, A2, "EXCEL_DAMAGE");
	assert_refused(&w, B1, "CHARSET_SUSPECT");
	settings_are(&w, QUICK "encoding: gb18030\n");
	put(&w, B1, HEAD "\xd5\xc5,1\r\n");
	assert_string_equal(taken(&w), "2=\xe5\xbc\xa0 .");
	world_close(&w);
}

static void headers(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, QUICK);
	put(&w, A1, "id,id\r\n1,2\r\n");
	put(&w, A2, "id,\r\n1,2\r\n");
	put(&w, A3, "");
	put(&w, B1, HEAD);
	assert_string_equal(taken(&w), ".");
	assert_refused(&w, A1, "HEADER");
	assert_refused(&w, A2, "HEADER");
	assert_refused(&w, A3, "EMPTY");
	assert_true(there(&w, "done/" B1));
	settings_are(&w, QUICK "header: false\ncolumns: [id, name]\ndelimiter: tab\n");
	put(&w, A1, "1\tx\r\n");
	assert_string_equal(taken(&w), "1=1 .");
	world_close(&w);
}

/* ---- verdicts ---- */

static void second_again_once(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	if (in->kind == EG_IN_ROW && in->line == 3 && !w->calls++)
		v->code = EG_VERDICT_AGAIN;
}

static void what_was_not_sent_comes_again(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	w.judge = second_again_once;
	put_whole(&w, A1, HEAD "1,a\r\n2,b\r\n3,c\r\n", 3);
	assert_string_equal(taken(&w), "2=1 3=2 4=3 .");
	assert_true(there(&w, A1));                  /* rests */
	assert_string_equal(taken(&w), "3=2 4=3 ."); /* only from the line that is open */
	assert_non_null(strstr(text_of(&w, "done/" A1 ".report.csv"), "接收 3 行"));
	w.calls = 0;
	put_whole(&w, F1, HEAD "1,a\r\n2,b\r\n3,c\r\n", 3);
	assert_string_equal(taken(&w), "[" F1 " 3 2=1 3=2 4=3 ].");
	assert_string_equal(taken(&w), "[" F1 " 3 2=1 3=2 4=3 ]."); /* a list always comes whole */
	assert_true(there(&w, "done/" F1));
	world_close(&w);
}

static void refuse_end(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	(void)w;
	v->code = EG_VERDICT_AGAIN;
	if (in->kind == EG_IN_LIST_END) {
		v->code = EG_VERDICT_REFUSED;
		v->reason = "LIST_COUNT";
		v->text = "行数不符";
	}
}

static void a_list_that_the_gateway_refuses(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	w.judge = refuse_end;
	put_whole(&w, F1, TWO, 2);
	taken(&w);
	assert_refused(&w, F1, "LIST_COUNT");
	world_close(&w);
}

static void remark_end(struct world *w, const struct eg_in *in, struct eg_verdict *v)
{
	(void)w;
	if (in->kind == EG_IN_LIST_END) {
		v->reason = "REJECTS_UNTOLD";
		v->text = "另有2条记录被隔离。";
	}
}

static void what_a_list_s_end_remarks_is_in_the_report(void **state)
{
	struct world w;
	(void)state;
	world_open(&w, CTL);
	w.judge = remark_end;
	put_whole(&w, F1, TWO, 2);
	taken(&w);
	const char *report = text_of(&w, "done/" F1 ".report.csv");
	assert_non_null(strstr(report, ",\"done\",\"REJECTS_UNTOLD\","));
	assert_non_null(strstr(report, "另有2条记录被隔离。"));
	world_close(&w);
}

static void verdicts_that_nobody_waits_for(void **state)
{
	struct world w;
	struct eg_in in;
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, A1, TWO, 2);
	struct eg_connector_options o = options_of(&w);
	assert_int_equal(eg_connector_file.open_source(&w.source, &o, NULL), EG_OK);
	assert_int_equal(eg_connector_file.next(w.source, eg_mono_us() + EG_SECOND, &in, NULL), EG_OK);
	struct eg_verdict v = {.ref = in.ref + 1, .code = EG_VERDICT_TAKEN};
	assert_int_equal(eg_connector_file.settle(w.source, &v, 1, NULL), EG_PRECONDITION);
	v.ref = in.ref;
	assert_int_equal(eg_connector_file.settle(w.source, &v, 1, NULL), EG_OK);
	assert_int_equal(eg_connector_file.settle(w.source, &v, 1, NULL), EG_PRECONDITION);
	world_close(&w);
}

static void a_dry_run_changes_nothing(void **state)
{
	struct world w;
	struct eg_err err;
	(void)state;
	world_open(&w, CTL);
	put_whole(&w, A1, TWO, 2);
	put(&w, "outside", "x");
	struct eg_connector_options o = options_of(&w);
	o.dry = true;
	assert_int_equal(take(&w, o, &err), EG_OK);
	eg_buf_add_u8(&w.trace, 0);
	assert_string_equal((char *)w.trace.p, "2=1 3=2 .");
	assert_true(there(&w, A1) && there(&w, A1 ".ctl") && there(&w, "outside"));
	assert_false(there(&w, "done") || there(&w, "refused") || there(&w, ".eldergate"));
	assert_string_equal(taken(&w), "2=1 3=2 .");
	world_close(&w);
}

static void settings_that_contradict(void **state)
{
	static const char *const bad[] = {
	        QUICK "done: ../x\n",    QUICK "done: a\nrefused: a\n",   QUICK "control: ctl\n",
	        "name: x y\n",           QUICK "delimiter: \"ab\"\n",     QUICK "columns: [a]\n",
	        QUICK "header: false\n", "name: x.csv\nposition: date\n", QUICK "sftp_host: x\n"};
	struct world w;
	struct eg_err err;
	(void)state;
	world_open(&w, QUICK);
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		settings_are(&w, bad[i]);
		assert_int_equal(take(&w, options_of(&w), &err), EG_CONFIG);
	}
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(with_control_file),
	        cmocka_unit_test(without_control_file),
	        cmocka_unit_test(unsettled_files_wait),
	        cmocka_unit_test(a_list_was_taken_as_its_day_began),
	        cmocka_unit_test(controls_that_do_not_agree),
	        cmocka_unit_test(an_incomplete_file_holds_its_region),
	        cmocka_unit_test(a_control_file_follows_its_file_after_a_crash),
	        cmocka_unit_test(lists_and_rows_side_by_side),
	        cmocka_unit_test(order_within_a_region),
	        cmocka_unit_test(repeated_files),
	        cmocka_unit_test(another_mapping_is_another_file),
	        cmocka_unit_test(strange_entries),
	        cmocka_unit_test(planted_folders),
	        cmocka_unit_test(unreadable_file),
	        cmocka_unit_test(bad_lines_go_beside_the_good),
	        cmocka_unit_test(refused_rows_stand_in_the_report),
	        cmocka_unit_test(garbled_and_damaged_files),
	        cmocka_unit_test(garbled_and_damaged_lists_withdraw_nobody),
	        cmocka_unit_test(headers),
	        cmocka_unit_test(what_was_not_sent_comes_again),
	        cmocka_unit_test(a_list_that_the_gateway_refuses),
	        cmocka_unit_test(what_a_list_s_end_remarks_is_in_the_report),
	        cmocka_unit_test(verdicts_that_nobody_waits_for),
	        cmocka_unit_test(a_dry_run_changes_nothing),
	        cmocka_unit_test(settings_that_contradict),
	};
	eg_log_open("test", EG_LOG_ERROR, false);
	return cmocka_run_group_tests_name("file_source", tests, NULL, NULL);
}
