/* The HTTP connector's source against a peer that means well: pages, cursors, windows, lists, signatures,
 * quotas; what was not settled comes again. */
#include "connectors/http_peer.h"
#include "http_world.h"

#include <fcntl.h>

#define SOURCE                                                                                               \
	QUICK "url: http://127.0.0.1:%d%s\ncode_path: /code\nrows_path: /data/list\n"                        \
	      "query: [\"page=${page}\", \"size=${page_size}\", \"from=${from}\", \"to=${to}\", "            \
	      "\"cursor=${cursor}\"]\npage_size: 2\n"
#define WINDOW "mode: window\nstart: 2026-01-01T00:00:00+08:00\nmax_window: 3650d\n"

static void settle(uint64_t ref, enum eg_verdict_code code)
{
	struct eg_verdict v = {.ref = ref, .code = code, .reason = "", .field = "", .text = ""};
	assert_int_equal(eg_connector_http.settle(w.c, &v, 1, &w.err), EG_OK);
}

/* The value of a column; "-" if there is none. */
static const char *column(const struct eg_in *in, const char *name)
{
	static char text[256];
	for (unsigned i = 0; i < in->columns->n; i++)
		if (strcmp(in->columns->names[i], name) == 0 && in->values[i].p) {
			snprintf(text, sizeof text, "%.*s", (int)in->values[i].len,
			         (const char *)in->values[i].p);
			return text;
		}
	return "-";
}

static void open_source(bool once, const char *path, const char *more)
{
	must_open(false, (struct eg_connector_options){.once = once},
	          YAML(SOURCE "%s", w.ports[PLAIN], path, more));
}

/* Takes all rows until the end; settles them when asked to. */
static unsigned drain(bool settled)
{
	struct eg_in in;
	unsigned n = 0;
	for (;;) {
		enum eg_rc rc = next(&in);
		if (rc)
			fail_msg("%s: %s", eg_rc_name(rc), w.err.text);
		if (in.kind == EG_IN_END)
			return n;
		n += in.kind == EG_IN_ROW;
		if (settled)
			settle(in.ref, EG_VERDICT_TAKEN);
	}
}

static void pages_until_the_total_or_an_empty_one(void **state)
{
	(void)state;
	open_source(true, "/pages/5", WINDOW "total_path: /data/total\n");
	assert_int_equal(drain(true), 5);
	assert_int_equal(asked("GET /pages/5?page="), 3);
	open_source(true, "/pages/4", WINDOW);
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/pages/4", WINDOW);
	assert_int_equal(drain(true), 4);
	assert_int_equal(asked("GET /pages/4?page="), 3); /* the last one is empty */
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/pages/3", WINDOW "last_page: short\n");
	assert_int_equal(drain(true), 3);
	assert_int_equal(asked("GET /pages/3?page="), 2);
	/* A peer with smaller pages than were asked for loses no rows. */
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/pages/9/1", WINDOW "total_path: /data/total\n");
	assert_int_equal(drain(true), 9);
}

static void a_row_has_columns_place_and_ref(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/pages/3", WINDOW);
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "0");
	assert_string_equal(column(&in, "name"), "n0");
	assert_string_equal(column(&in, "none"), "-");
	assert_string_equal(in.place, "page 1");
	assert_int_equal(in.line, 1);
	uint64_t ref = in.ref, generation = in.columns->generation;
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	assert_string_equal(in.place, "page 2");
	assert_int_equal(in.line, 1);
	assert_int_equal(in.ref, ref + 2);
	assert_int_equal(in.columns->generation, generation);
	assert_string_equal(column(&in, "name"), "n2");
	assert_non_null(strstr(requests(), "from=2025-12-31%2023%3A50%3A00&")); /* start less overlap */
}

static void what_was_not_settled_comes_again(void **state)
{
	(void)state;
	struct eg_in in;
	uint64_t refs[4];
	open_source(true, "/pages/6", WINDOW "total_path: /data/total\n");
	for (int i = 0; i < 4; i++) {
		must_be(&in, EG_IN_ROW);
		refs[i] = in.ref;
	}
	settle(refs[3], EG_VERDICT_TAKEN); /* page 2 in part, page 1 not at all */
	settle(refs[2], EG_VERDICT_REFUSED);
	settle(refs[1], EG_VERDICT_TAKEN);
	settle(refs[1], EG_VERDICT_TAKEN); /* twice is not two */
	open_source(true, "/pages/6", WINDOW "total_path: /data/total\n");
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "0");
	for (int i = 0; i < 3; i++) {
		settle(in.ref, EG_VERDICT_TAKEN);
		must_be(&in, EG_IN_ROW);
	}
	/* Row 3 has no verdict: page 2 is where it goes on. */
	open_source(true, "/pages/6", WINDOW "total_path: /data/total\n");
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "2");
	settle(in.ref, EG_VERDICT_TAKEN);
	assert_int_equal(drain(true), 3 + 6); /* and then the window from its end until now */
	/* All of the window is settled: the next one begins where it ended. */
	open_source(true, "/pages/0", WINDOW);
	assert_int_equal(drain(true), 0);
	assert_null(strstr(strstr(requests(), "GET /pages/0"), "from=2025"));
}

static void a_row_that_was_not_sent_is_read_again(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/pages/2", WINDOW);
	must_be(&in, EG_IN_ROW);
	settle(in.ref, EG_VERDICT_AGAIN);
	settle(in.ref + 1, EG_VERDICT_TAKEN); /* all of the page has verdicts, and yet it stays */
	assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
	assert_int_equal(next(&in), EG_CONFLICT);
	assert_true(eg_rc_retryable(EG_CONFLICT));
	open_source(true, "/pages/2", WINDOW);
	assert_int_equal(drain(true), 2);
}

static void a_dry_run_leaves_no_mark(void **state)
{
	(void)state;
	must_open(false, (struct eg_connector_options){.once = true, .dry = true},
	          YAML(SOURCE "%s", w.ports[PLAIN], "/pages/2", WINDOW));
	assert_int_equal(drain(true), 2);
	assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
}

static void a_window_whose_rows_move_is_read_anew(void **state)
{
	(void)state;
	open_source(true, "/growing", WINDOW "total_path: /data/total\nfirst_page: 1\n");
	unsigned rows = drain(true);
	assert_in_range(rows, 7, 20); /* some came twice, none is missing */
	assert_int_equal(asked("page=1&"), 2);
	struct eg_in in;
	open_source(true, "/lying", WINDOW "total_path: /data/total\n");
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/lying", WINDOW "total_path: /data/total\n");
	enum eg_rc rc;
	while ((rc = next(&in)) == EG_OK && in.kind == EG_IN_ROW)
		settle(in.ref, EG_VERDICT_TAKEN);
	assert_int_equal(rc, EG_CONFLICT);
	open_source(true, "/restless", WINDOW "total_path: /data/total\n");
	while ((rc = next(&in)) == EG_OK && in.kind == EG_IN_ROW)
		settle(in.ref, EG_VERDICT_TAKEN);
	assert_int_equal(rc, EG_CONFLICT); /* it gives up, and the place has not moved past it */
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
}

/* Pages one and two were settled when the third showed that rows had moved: after a crash it is page one
 * again. */
static void a_window_that_is_read_anew_is_so_after_a_crash(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/growing/b", WINDOW "total_path: /data/total\n");
	for (int i = 0; i < 5; i++) {
		must_be(&in, EG_IN_ROW);
		if (i < 4)
			settle(in.ref, EG_VERDICT_TAKEN);
	}
	assert_int_equal(asked("page=1&"), 2);
	open_source(true, "/growing/b", WINDOW "total_path: /data/total\n");
	must_be(&in, EG_IN_ROW);
	assert_string_equal(in.place, "page 1");
}

static void windows_are_cut_and_move_on(void **state)
{
	(void)state;
	struct eg_in in;
	char start[32];
	eg_instant_format(eg_now_us() - 10 * 86400 * EG_SECOND, start);
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(SOURCE "mode: window\nmax_window: 4d\nstart: %s\ntotal_path: /data/total\n",
	               w.ports[PLAIN], "/pages/2", start));
	for (int i = 0; i < 6; i++) {
		must_be(&in, EG_IN_ROW); /* three windows of two rows */
		settle(in.ref, EG_VERDICT_TAKEN);
	}
	must_be(&in, EG_IN_END);
	must_be(&in, EG_IN_END);
	assert_int_equal(asked("GET /pages/2"), 3);
}

static void a_cursor_is_kept(void **state)
{
	(void)state;
	struct eg_in in;
#define CURSOR "mode: cursor\npaging: cursor\ncursor_path: /next\n"
	open_source(true, "/cursor/5", CURSOR);
	for (int i = 0; i < 3; i++)
		must_be(&in, EG_IN_ROW);
	settle(1, EG_VERDICT_TAKEN);
	settle(2, EG_VERDICT_TAKEN);
	open_source(true, "/cursor/5", CURSOR);
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "2");
	settle(in.ref, EG_VERDICT_TAKEN);
	assert_int_equal(drain(true), 2);
	open_source(true, "/cursor/7", CURSOR);
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "4");
}

static void cursors_that_cannot_be_kept(void **state)
{
	(void)state;
	struct eg_in in;
	static const char *const kinds[] = {"/token/id", "/token/ends"};
	for (int i = 0; i < 2; i++) {
		open_source(true, kinds[i], CURSOR);
		assert_int_equal(next(&in), EG_UNAVAILABLE);
		assert_null(strstr(w.err.text, "110105"));
	}
	open_source(true, "/token/same", CURSOR); /* with rows, and without end */
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
}

static void pages_without_end_are_ended(void **state)
{
	(void)state;
	struct eg_in in;
	enum eg_rc rc;
	open_source(true, "/pages/1000000", WINDOW "max_pages: 5\n");
	while ((rc = next(&in)) == EG_OK)
		settle(in.ref, EG_VERDICT_TAKEN);
	assert_int_equal(rc, EG_UNAVAILABLE);
	assert_int_equal(asked("GET /pages/1000000"), 5);
}

static void the_place_waits_for_verdicts(void **state)
{
	(void)state;
	struct eg_in in;
	unsigned n = 0;
	open_source(true, "/pages/1000", WINDOW);
	while (next_within(&in, n < 128 ? PATIENCE : 0) == EG_OK)
		n++;
	assert_int_equal(n, 128); /* 64 pages of two rows are open */
	for (uint64_t ref = 1; ref <= 128; ref++)
		settle(ref, EG_VERDICT_TAKEN);
	must_be(&in, EG_IN_ROW);
}

#define LIST "mode: list\nlist_name: funeral-full\nevery: 1h\ntotal_path: /data/total\n"

static void a_full_list_has_a_begin_and_an_end(void **state)
{
	(void)state;
	struct eg_in in;
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML("plain_http: true\nretries: 0\nurl: http://127.0.0.1:%d/pages/3\ncode_path: /code\n"
	               "rows_path: /data/list\nquery: [\"page=${page}\", \"size=2\"]\n" LIST
	               "list_as_of: begin\n",
	               w.ports[PLAIN]));
	int64_t before = eg_now_us();
	must_be(&in, EG_IN_LIST_BEGIN);
	assert_memory_equal(in.list.name, "funeral-full-20", 15);
	assert_true(strlen(in.list.name) <= 64);
	assert_in_range(in.list.as_of, before - 1, eg_now_us());
	int64_t as_of = in.list.as_of;
	assert_true(in.list.taken_at == as_of);
	for (int i = 0; i < 3; i++)
		must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_END);
	assert_int_equal(in.list.count, 3);
	assert_int_equal(in.list.as_of, as_of);
	uint64_t end = in.ref;
	must_be(&in, EG_IN_END);
	assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
	settle(end, EG_VERDICT_TAKEN);
	assert_int_not_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
}

static void open_list(const char *path)
{
	must_open(false, (struct eg_connector_options){0},
	          YAML("plain_http: true\nretries: 0\nurl: http://127.0.0.1:%d%s\ncode_path: /code\n"
	               "rows_path: /data/list\nquery: [\"page=${page}\", \"size=2\"]\n" LIST,
	               w.ports[PLAIN], path));
}

/* Whoever is behind the page that came empty would be withdrawn. */
static void a_list_that_empties_early_is_abandoned(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		unsigned rows;
	} cases[] = {{"/emptied/2/9", 4}, {"/emptied/2/4", 4}, {"/emptied/2/0", 4}, {"/emptied/2/-", 4}};
	struct eg_in in;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		open_list(cases[i].path);
		must_be(&in, EG_IN_LIST_BEGIN);
		for (unsigned n = 0; n < cases[i].rows; n++)
			must_be(&in, EG_IN_ROW);
		must_be(&in, EG_IN_LIST_ABANDON);
		enum eg_rc rc = next(&in);
		assert_true(rc == EG_CONFLICT || rc == EG_UNAVAILABLE);
		assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
	}
	/* The first page already: no list begins. */
	open_list("/emptied/0/9");
	assert_int_equal(next(&in), EG_CONFLICT);
	open_list("/emptied/0/-");
	assert_int_equal(next(&in), EG_UNAVAILABLE);
}

/* As open_list, with the folder that keeps its pages. */
static void open_kept(const char *path, const char *more)
{
	must_open(false, (struct eg_connector_options){0},
	          YAML("plain_http: true\nretries: 0\nurl: http://127.0.0.1:%d%s\ncode_path: /code\n"
	               "rows_path: /data/list\nquery: [\"page=${page}\", \"size=2\", "
	               "\"cursor=${cursor}\"]\nlist_spool: "
	               "%s/state\n" LIST "%s",
	               w.ports[PLAIN], path, w.dir, more));
}

static const char *kept_path(void)
{
	static char path[128];
	snprintf(path, sizeof path, "%s/state/src.list", w.dir);
	return path;
}

/* The list from its begin to its end; its name. */
static const char *whole_list(unsigned rows, uint64_t *end)
{
	static char name[80];
	struct eg_in in;
	must_be(&in, EG_IN_LIST_BEGIN);
	snprintf(name, sizeof name, "%s", in.list.name);
	for (unsigned i = 0; i < rows; i++)
		must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_END);
	*end = in.ref;
	return name;
}

/* A partner counts calls: a restart in the middle of a long list asks for none of its pages twice. */
static void a_list_goes_on_after_a_restart(void **state)
{
	(void)state;
	struct eg_in in;
	struct stat st;
	uint64_t end;
	char name[80], text[4096];
	open_kept("/pages/9", "");
	must_be(&in, EG_IN_LIST_BEGIN);
	snprintf(name, sizeof name, "%s", in.list.name);
	for (unsigned i = 0; i < 5; i++)
		must_be(&in, EG_IN_ROW);
	assert_int_equal(asked("GET /pages/9"), 3);
	char value[64];
	snprintf(value, sizeof value, "%.*s", (int)in.values[0].len, (const char *)in.values[0].p);
	close_connector();
	/* Kept for nobody else to read. */
	assert_int_equal(stat(kept_path(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *f = fopen(kept_path(), "r");
	assert_non_null(f);
	size_t n = fread(text, 1, sizeof text, f);
	fclose(f);
	assert_true(n > 100 && !memmem(text, n, "list", 4) && !memmem(text, n, "code", 4));
	eg_checkpoint_close(w.checkpoint);
	open_checkpoint();
	open_kept("/pages/9", "");
	assert_string_equal(whole_list(9, &end), name);
	assert_int_equal(asked("GET /pages/9"), 5);
	settle(end, EG_VERDICT_TAKEN);
	assert_int_not_equal(stat(kept_path(), &st), 0);
}

static void a_kept_list_that_cannot_go_on_begins_anew(void **state)
{
	(void)state;
	struct eg_in in;
	struct stat st;
	uint64_t end;
	/* A page that fails is asked for again, those before it are not. */
	open_kept("/breaks/2", "");
	must_be(&in, EG_IN_LIST_BEGIN);
	for (unsigned n = 0; n < 4; n++)
		must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_ABANDON);
	open_kept("/breaks/2", "");
	must_be(&in, EG_IN_LIST_BEGIN);
	for (unsigned n = 0; n < 4; n++)
		must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_ABANDON);
	assert_int_equal(asked("GET /breaks/2"), 4);
	/* Pages that do not fit together are not kept. */
	open_kept("/restless", "");
	must_be(&in, EG_IN_LIST_BEGIN);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_ABANDON);
	assert_int_not_equal(stat(kept_path(), &st), 0);
	/* Other requests, a torn end, another checkpoint, one that is too old. */
	static const struct {
		const char *more;
		int cut;
		bool other;
		unsigned calls;
	} cases[] = {{"", 0, false, 3},
	             {"headers: [\"A: b\"]\n", 0, false, 5},
	             {"", 3, false, 4},
	             {"", 0, true, 5},
	             {"list_resume_within: 1s\n", 0, false, 5}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned before = asked("GET /pages/5");
		open_kept("/pages/5", "");
		must_be(&in, EG_IN_LIST_BEGIN);
		for (unsigned n = 0; n < 4; n++)
			must_be(&in, EG_IN_ROW);
		close_connector();
		if (cases[i].cut) {
			assert_int_equal(stat(kept_path(), &st), 0);
			assert_int_equal(truncate(kept_path(), st.st_size - cases[i].cut), 0);
		}
		if (cases[i].other) {
			char path[128];
			eg_checkpoint_close(w.checkpoint);
			snprintf(path, sizeof path, "%s/state/checkpoint", w.dir);
			assert_int_equal(unlink(path), 0);
			open_checkpoint();
		}
		for (int64_t until = eg_mono_us() + 1100000; i == 4 && eg_mono_us() < until;)
			usleep(50000);
		open_kept("/pages/5", cases[i].more);
		whole_list(5, &end);
		if (asked("GET /pages/5") - before != cases[i].calls)
			fail_msg("%zu: %u calls", i, asked("GET /pages/5") - before);
		settle(end, EG_VERDICT_TAKEN);
		close_connector();
		eg_checkpoint_drop(w.checkpoint, "src.http.place"); /* the next one is due at once */
	}
}

/* Rows shift between numbered pages while nobody asks for them; a cursor waits. */
static void a_stop_ends_a_kept_list_by_its_paging(void **state)
{
	(void)state;
	static const struct {
		const char *path, *more;
		int64_t away_s;
		unsigned calls; /* with the two before the stop */
	} cases[] = {
	        {"/pages/5", "", 540, 3},
	        {"/pages/5", "", 660, 5},
	        {"/pages/5", "list_resume_within: 1h\n", 660, 3},
	        {"/counted/5", "paging: cursor\ncursor_path: /next\n", 660, 3},
	        {"/counted/5", "paging: cursor\ncursor_path: /next\n", 86460, 5},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_in in;
		struct timespec at[2];
		uint64_t end;
		char query[40];
		snprintf(query, sizeof query, "GET %s", cases[i].path);
		unsigned before = asked(query);
		open_kept(cases[i].path, cases[i].more);
		must_be(&in, EG_IN_LIST_BEGIN);
		for (unsigned n = 0; n < 4; n++)
			must_be(&in, EG_IN_ROW);
		close_connector();
		clock_gettime(CLOCK_REALTIME, &at[0]);
		at[0].tv_sec -= cases[i].away_s;
		at[1] = at[0];
		assert_int_equal(utimensat(AT_FDCWD, kept_path(), at, 0), 0);
		open_kept(cases[i].path, cases[i].more);
		whole_list(5, &end);
		if (asked(query) - before != cases[i].calls)
			fail_msg("%zu: %u calls", i, asked(query) - before);
		settle(end, EG_VERDICT_TAKEN);
		close_connector();
		eg_checkpoint_drop(w.checkpoint, "src.http.place"); /* the next one is due at once */
	}
}

static void a_list_comes_when_it_is_due(void **state)
{
	(void)state;
	struct eg_in in;
	int64_t before = eg_now_us();
	open_list("/pages/2");
	must_be(&in, EG_IN_LIST_BEGIN);
	assert_int_equal(in.list.as_of, 0); /* the mapping says it */
	assert_in_range(in.list.taken_at, before - 1, eg_now_us());
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_END);
	uint64_t end = in.ref;
	open_list("/pages/2"); /* died before the verdict: it comes again */
	must_be(&in, EG_IN_LIST_BEGIN);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_END);
	assert_int_equal(in.ref, end);
	settle(end, EG_VERDICT_TAKEN);
	assert_int_equal(next_within(&in, 1000), EG_EMPTY);
	open_list("/pages/2"); /* an hour has not passed */
	assert_int_equal(next_within(&in, 1000), EG_EMPTY);
	assert_int_equal(asked("GET /pages/2"), 2);
}

static void a_list_that_breaks_off_is_abandoned(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		unsigned rows;
		enum eg_rc rc;
	} cases[] = {{"/breaks/2", 4, EG_UNAVAILABLE},
	             {"/lying", 5, EG_UNAVAILABLE},
	             {"/restless", 2, EG_CONFLICT}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_in in;
		open_list(cases[i].path);
		must_be(&in, EG_IN_LIST_BEGIN);
		for (unsigned n = 0; n < cases[i].rows; n++)
			must_be(&in, EG_IN_ROW);
		must_be(&in, EG_IN_LIST_ABANDON);
		assert_memory_equal(in.list.name, "funeral-full-", 13);
		assert_int_not_equal(next(&in), EG_OK);
		assert_true(eg_rc_retryable(w.err.rc));
		assert_int_equal(eg_checkpoint_get(w.checkpoint, "src.http.place").len, 0);
	}
}

static void a_list_that_was_not_taken_waits(void **state)
{
	(void)state;
	struct eg_in in;
	open_list("/pages/1");
	must_be(&in, EG_IN_LIST_BEGIN);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_LIST_END);
	settle(in.ref, EG_VERDICT_AGAIN);
	assert_int_equal(next_within(&in, 1000), EG_EMPTY); /* not at once */
	open_list("/pages/1");
	must_be(&in, EG_IN_LIST_BEGIN); /* but it does come again */
}

static void rows_are_flattened_and_the_bad_ones_told(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/body/mixed",
	            WINDOW "paging: none\nlists: [tags]\nlist_separator: \"|\"\n"
	                   "ok_codes: [\"0\"]\n");
	must_be(&in, EG_IN_BAD); /* NUL */
	assert_non_null(strstr(in.reason, "NUL"));
	assert_memory_equal(in.raw.p, "{\"id\":\"1\",\"name\":\"a\\u0000b\"}", in.raw.len);
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "tags"), "x|y");
	assert_string_equal(column(&in, "p.q.r"), "deep");
	assert_string_equal(column(&in, "p.none"), "-");
	assert_string_equal(column(&in, "name"), "-");
	must_be(&in, EG_IN_BAD); /* an array that was not named */
	must_be(&in, EG_IN_BAD); /* objects in one that was */
	must_be(&in, EG_IN_BAD); /* no object */
	must_be(&in, EG_IN_BAD); /* two values */
	assert_non_null(strstr(in.reason, "two values"));
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "new"), "true");
	assert_string_equal(column(&in, "tags"), "-");
	must_be(&in, EG_IN_END);
}

static void character_sets(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/body/gbk", WINDOW "paging: none\n");
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "name"), "张三丰䶮");
	static const char *const bad[] = {"/body/badbytes", "/body/gbkbad"};
	for (int i = 0; i < 2; i++) {
		open_source(true, bad[i], WINDOW "paging: none\n");
		must_be(&in, EG_IN_BAD);
		must_be(&in, EG_IN_ROW); /* the others go on */
		assert_string_equal(column(&in, "id"), "2");
		assert_string_equal(column(&in, "name"), i ? "张€" : "ok");
	}
}

static void soap(void **state)
{
	(void)state;
	struct eg_in in;
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(QUICK
	               "url: http://127.0.0.1:%d/body/soap\nmethod: POST\nbody_format: xml\n"
	               "body: '<Envelope><Body><q page=\"${page}\" after=\"${cursor}\">${from}</q></Body>"
	               "</Envelope>'\nheaders: ['SOAPAction: \"urn:q\"']\nanswer_format: xml\n"
	               "code_path: /Envelope/Body/r/code\nrows_path: /Envelope/Body/r/row\n"
	               "total_path: /Envelope/Body/r/total\n" WINDOW,
	               w.ports[PLAIN]));
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "1");
	assert_string_equal(column(&in, "@no"), "1");
	assert_string_equal(column(&in, "name"), "张"); /* the XML declaration says GBK */
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "name"), "");
	must_be(&in, EG_IN_END);
	assert_non_null(strstr(requests(), "<q page=\"1\" after=\"\">2025-12-31 23:50:00</q>"));
	assert_non_null(strstr(requests(), "Content-Type: text/xml; charset=utf-8"));
	assert_non_null(strstr(requests(), "SOAPAction: \"urn:q\""));
}

static void the_inner_document(void **state)
{
	(void)state;
	struct eg_in in;
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(QUICK "url: http://127.0.0.1:%d/body/soapinner\nanswer_format: xml\npaging: none\n"
	                     "inner_format: json\ninner_path: /Envelope/Body/q/return\ncode_path: /code\n"
	                     "rows_path: /data/list\n" WINDOW,
	               w.ports[PLAIN]));
	must_be(&in, EG_IN_ROW);
	assert_string_equal(column(&in, "id"), "<1");
}

/* The peer reckons the signature itself. */
static void signatures(void **state)
{
	(void)state;
	static const char *const digests[][2] = {{"hmac-sha256", "/signed/sha256"},
	                                         {"hmac-sm3", "/signed/sm3"}};
	for (int i = 0; i < 2; i++) {
		must_open(false, (struct eg_connector_options){.once = true},
		          YAML(SOURCE WINDOW "rid: asker\nsid: service\nsecret: first\nsign: %s\n",
		               w.ports[PLAIN], digests[i][1], digests[i][0]));
		assert_int_equal(drain(true), 0);
		eg_checkpoint_drop(w.checkpoint, "src.http.place");
	}
	struct eg_in in;
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(SOURCE WINDOW "rid: asker\nsid: service\nsecret: wrong\nsign: hmac-sha256\n"
	                             "auth_codes: [\"401\"]\n",
	               w.ports[PLAIN], "/signed/sha256"));
	assert_int_equal(next(&in), EG_UNAUTHENTICATED);
	assert_null(strstr(w.err.text, "wrong"));
}

static void open_renewing(const char *path, const char *life, const char *more)
{
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(SOURCE WINDOW "rid: asker\nsid: service\nsecret: first\nsign: hmac-sha256\n"
	                             "auth_codes: [\"401\"]\nrenew_url: http://127.0.0.1:%d/renew/%s\n"
	                             "renew_expiry_path: /data/ends\n%s",
	               w.ports[PLAIN], path, w.ports[PLAIN], life, more));
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
}

static void a_secret_is_renewed(void **state)
{
	(void)state;
	struct eg_in in;
	char file[128];
	struct stat st;
	open_renewing("/renewed/7200/1", "7200", "");
	assert_int_equal(drain(true), 0);
	/* A restart asks again: it is nowhere but in memory. */
	open_renewing("/renewed/7200/2", "7200", "");
	assert_int_equal(drain(true), 0);
	assert_int_equal(asked("POST /renew/7200"), 2);
	/* A new one that the peer does not take is an error, and no loop. */
	open_renewing("/renewed/7200/99", "7200", "");
	assert_int_equal(next(&in), EG_UNAUTHENTICATED);
	assert_int_equal(asked("POST /renew/7200"), 3);
	/* One that it no longer takes is renewed in between. */
	open_renewing("/revoking/7100", "7100", "");
	assert_int_equal(drain(true), 2);
	assert_int_equal(asked("POST /renew/7100"), 2);
	assert_int_equal(asked("GET /revoking/7100"), 3);
	/* Kept in a file by setting. */
	snprintf(file, sizeof file, "%s/secret", w.dir);
	open_renewing("/renewed/3600/1", "3600", YAML("secret_file: %s\n", file));
	assert_int_equal(drain(true), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	open_renewing("/renewed/3600/1", "3600", YAML("secret_file: %s\n", file));
	assert_int_equal(drain(true), 0);
	assert_int_equal(asked("POST /renew/3600"), 1);
	chmod(file, 0644);
	assert_int_equal(try_open(false, (struct eg_connector_options){.once = true},
	                          YAML(SOURCE WINDOW "secret: first\nrenew_url: http://127.0.0.1:%d/renew/1\n"
	                                             "secret_file: %s\n",
	                               w.ports[PLAIN], "/pages/1", w.ports[PLAIN], file)),
	                 EG_DENIED);
	/* Never in the checkpoint. */
	char path[128], all[4096] = "";
	snprintf(path, sizeof path, "%s/state/checkpoint", w.dir);
	assert_int_equal(eg_checkpoint_save(w.checkpoint, &w.err), EG_OK);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	size_t n = fread(all, 1, sizeof all, f);
	fclose(f);
	assert_null(memmem(all, n, "secret", 6));
	assert_null(memmem(all, n, "first", 5));
}

static void a_secret_is_renewed_before_it_ends(void **state)
{
	(void)state;
	struct eg_in in;
	/* It lives 30 s and is renewed 60 s before its end: at each request. */
	must_open(false, (struct eg_connector_options){.once = true},
	          YAML(SOURCE WINDOW "rid: a\nsid: b\nsecret: first\nsign: hmac-sha256\ntotal_path: "
	                             "/data/total\nrenew_url: http://127.0.0.1:%d/renew/30\n"
	                             "renew_expiry_path: /data/ends\n",
	               w.ports[PLAIN], "/pages/5", w.ports[PLAIN]));
	assert_int_equal(drain(true), 5);
	assert_int_equal(asked("POST /renew/30"), 3);
	/* An answer without an end in the future is no renewal. */
	open_renewing("/renewed/0/1", "0", "");
	assert_int_equal(next(&in), EG_UNAVAILABLE);
}

static void retries(void **state)
{
	(void)state;
	struct eg_in in;
	open_source(true, "/seq/503-429r0-200", WINDOW "total_path: /data/total\n");
	assert_int_equal(drain(true), 1);
	assert_int_equal(asked("GET /seq/503"), 3);
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/seq/500", WINDOW);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
	assert_int_equal(asked("GET /seq/500"), 3); /* and no more than that */
	assert_non_null(strstr(w.err.text, "status 500"));
	open_source(true, "/seq/404", WINDOW);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
	assert_int_equal(asked("GET /seq/404"), 1);
	/* A Retry-After of an hour is bounded (20 ms here). */
	open_source(true, "/seq/429r3600-200", WINDOW "total_path: /data/total\n");
	int64_t begin = eg_mono_us();
	assert_int_equal(drain(true), 1);
	assert_in_range(eg_mono_us() - begin, 20000, 10 * EG_SECOND);
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/code/busy-busy-0", WINDOW "total_path: /data/total\nretry_codes: [busy]\n");
	assert_int_equal(drain(true), 1);
	eg_checkpoint_drop(w.checkpoint, "src.http.place");
	open_source(true, "/close", WINDOW);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
	assert_true(asked("GET /close") >= 3);
}

static void pauses_double_and_vary(void **state)
{
	(void)state;
	static const int64_t whole[] = {500000,  1000000,  2000000,  4000000,
	                                8000000, 16000000, 30000000, 30000000};
	for (unsigned tries = 1; tries <= 8; tries++) {
		bool met[4] = {0};
		int64_t most = whole[tries - 1];
		assert_int_equal(eg_http_pause(500000, 30000000, tries, 0), most);
		for (uint32_t dice = 0; dice < 1024; dice++) {
			int64_t us = eg_http_pause(500000, 30000000, tries, dice << 10 | dice);
			assert_in_range(us, most / 2, most);
			met[(us - most / 2) * 4 / (most / 2 + 1)] = true;
		}
		for (unsigned i = 0; i < 4; i++) /* they lie all over the half */
			assert_true(met[i]);
	}
	assert_int_equal(eg_http_pause(3600000000, 3600000000, UINT32_MAX, 0), 3600000000);
	assert_int_equal(eg_http_pause(1000, 3600000000, UINT32_MAX, 0), 3600000000);
	assert_int_equal(eg_http_pause(2000, 1000, 1, 0), 1000);
}

static void deadlines_hold_while_it_retries(void **state)
{
	(void)state;
	struct eg_in in;
	must_open(false, (struct eg_connector_options){0},
	          YAML("plain_http: true\nretry_first: 1h\nretry_max: 1h\nurl: http://127.0.0.1:%d/seq/500\n"
	               "rows_path: /data/list\n" WINDOW,
	               w.ports[PLAIN]));
	while (!asked("GET /seq/500"))
		assert_int_equal(next_within(&in, 1000), EG_EMPTY);
	int64_t begin = eg_mono_us();
	assert_int_equal(eg_connector_http.next(w.c, begin + 50000, &in, &w.err), EG_EMPTY);
	assert_in_range(eg_mono_us() - begin, 0, 5 * EG_SECOND);
	assert_int_equal(eg_connector_http.next(w.c, 0, &in, &w.err), EG_EMPTY);
}

static void drop_quota(void)
{
	char name[64];
	snprintf(name, sizeof name, "http.quota/127.0.0.1_%d", w.ports[PLAIN]);
	assert_true(eg_checkpoint_get(w.checkpoint, name).len > 0);
	eg_checkpoint_drop(w.checkpoint, name);
}

/* The partner counts calls, not directions. */
static void both_directions_share_one_quota(void **state)
{
	(void)state;
	static const struct {
		const char *source, *target;
		bool shared;
	} cases[] = {{"", "", true},
	             {"upstream: partner\n", "upstream: partner\n", true},
	             {"upstream: one\n", "upstream: two\n", false}};
	static const char *const names[] = {"id"};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_in in;
		struct eg_delivery_result result;
		struct eg_bytes value = eg_bytes_of("quota");
		char id[16];
		snprintf(id, sizeof id, "quota:%zu", i);
		struct eg_delivery d = {id, 1, names, &value};
		char more[200];
		snprintf(more, sizeof more, WINDOW "total_path: /data/total\ncalls_per_day: 3\n%s",
		         cases[i].source);
		open_source(false, "/pages/100", more);
		struct eg_connector *source = w.c;
		struct eg_settings *settings = w.settings;
		w.c = NULL;
		w.settings = NULL;
		for (int k = 0; k < 2; k++)
			assert_int_equal(eg_connector_http.next(source, eg_mono_us() + PATIENCE, &in, &w.err),
			                 EG_OK);
		must_open(true, (struct eg_connector_options){0},
		          YAML("url: http://127.0.0.1:%d/deliver\nplain_http: true\nbody: '${columns}'\n"
		               "calls_per_day: 2\n%s",
		               w.ports[PLAIN], cases[i].target));
		/* One page was asked for; this is the second call, and for the target the last. */
		assert_int_equal(
		        eg_connector_http.deliver(w.c, &d, 1, &result, eg_mono_us() + PATIENCE, &w.err),
		        EG_OK);
		assert_int_equal(result.rc, EG_OK);
		snprintf(id, sizeof id, "quotb:%zu", i);
		assert_int_equal(
		        eg_connector_http.deliver(w.c, &d, 1, &result, eg_mono_us() + PATIENCE, &w.err),
		        EG_OK);
		assert_int_equal(result.rc, cases[i].shared ? EG_BUSY : EG_OK);
		/* The source, which may make three, gets one more page. */
		for (int k = 0; k < 2; k++)
			assert_int_equal(eg_connector_http.next(source, eg_mono_us() + PATIENCE, &in, &w.err),
			                 EG_OK);
		enum eg_rc rc = eg_connector_http.next(
		        source, eg_mono_us() + (cases[i].shared ? 100000 : PATIENCE), &in, &w.err);
		assert_int_equal(rc, cases[i].shared ? EG_EMPTY : EG_OK);
		eg_connector_http.close(source);
		eg_settings_free(settings);
		close_connector();
		if (i == 0)
			drop_quota();
	}
}

/* A list that takes all day leaves the calls that are reserved to what cannot wait: deliveries and
 * increments. */
static void a_list_leaves_the_reserved_calls(void **state)
{
	(void)state;
#define RESERVED "calls_per_day: 4\ncalls_reserved: 2\n"
	static const char *const names[] = {"id"};
	struct eg_in in;
	struct eg_delivery_result result;
	struct eg_bytes value = eg_bytes_of("reserved");
	struct eg_delivery d = {"reserve:1", 1, names, &value};
	open_source(false, "/pages/100", "mode: list\ntotal_path: /data/total\n" RESERVED);
	must_be(&in, EG_IN_LIST_BEGIN);
	for (unsigned i = 0; i < 4; i++)
		must_be(&in, EG_IN_ROW);
	assert_int_equal(next_within(&in, 1000), EG_EMPTY); /* it goes on tomorrow */
	assert_int_equal(next_within(&in, 1000), EG_EMPTY);
	assert_int_equal(asked("GET /pages/100"), 2);
	must_open(true, (struct eg_connector_options){0},
	          YAML("url: http://127.0.0.1:%d/deliver\nplain_http: true\nbody: '${columns}'\n" RESERVED,
	               w.ports[PLAIN]));
	assert_int_equal(eg_connector_http.deliver(w.c, &d, 1, &result, eg_mono_us() + PATIENCE, &w.err),
	                 EG_OK);
	assert_int_equal(result.rc, EG_OK);
	open_source(false, "/pages/50", WINDOW "total_path: /data/total\n" RESERVED);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	assert_int_equal(next_within(&in, 1000), EG_EMPTY); /* now all four are made */
	assert_int_equal(asked("GET /pages/50"), 1);
	assert_int_equal(asked("POST /deliver"), 1);
	drop_quota();
}

static void the_days_calls_survive_a_restart(void **state)
{
	(void)state;
	struct eg_in in;
#define QUOTA WINDOW "total_path: /data/total\ncalls_per_day: 3\n"
	open_source(false, "/pages/100", QUOTA);
	for (int i = 0; i < 4; i++)
		must_be(&in, EG_IN_ROW);
	assert_int_equal(asked("GET /pages/100"), 2);
	eg_checkpoint_close(w.checkpoint); /* as a crash leaves it */
	close_connector();
	open_checkpoint();
	open_source(false, "/pages/100", QUOTA);
	must_be(&in, EG_IN_ROW);
	must_be(&in, EG_IN_ROW);
	assert_int_equal(next_within(&in, 1000), EG_EMPTY); /* no error: it waits for midnight */
	assert_int_equal(next_within(&in, 1000), EG_EMPTY);
	assert_int_equal(asked("GET /pages/100"), 3);
	open_source(true, "/pages/100", QUOTA);
	assert_int_equal(next(&in), EG_BUSY); /* one that is to end cannot wait for it */
	assert_int_equal(asked("GET /pages/100"), 3);
	drop_quota();
	open_source(false, "/code/over", WINDOW "quota_codes: [over]\n");
	for (int64_t late = eg_mono_us() + PATIENCE; !asked("GET /code/over");) {
		assert_int_equal(next_within(&in, 1000), EG_EMPTY);
		assert_true(eg_mono_us() < late);
	}
	assert_int_equal(next_within(&in, 300000), EG_EMPTY);
	assert_int_equal(asked("GET /code/over"), 1);
	drop_quota();
}

static void windows_follow_the_peers_clock(void **state)
{
	(void)state;
	struct eg_in in;
	int64_t now = eg_now_us();
	char text[64];
	/* A day behind: what it writes from now on bears yesterday's time. */
	open_source(true, "/skew/-24", WINDOW);
	assert_int_equal(drain(true), 0);
	struct eg_bytes place = eg_checkpoint_get(w.checkpoint, "src.http.place");
	snprintf(text, sizeof text, "%.*s", (int)(place.len < 40 ? place.len : 40), (const char *)place.p);
	int64_t high = strtoll(text + 2, NULL, 10);
	assert_in_range(high, now - 25 * 3600 * EG_SECOND, now - 23 * 3600 * EG_SECOND);
	open_source(true, "/skew/-48", WINDOW);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
	assert_non_null(strstr(w.err.text, "clock"));
}

#define CLOCKED "mode: list\nlist_name: all\ntotal_path: /data/total\nlist_as_of: begin\n"

/* Who was missing from a list and comes back must be newer than it, and who was there before it older: by the
 * peer's clock, which is what versions of rows are made of. */
static void lists_have_their_place_on_the_peers_clock(void **state)
{
	(void)state;
	static const int hours[] = {-24, 24};
	struct eg_in in;
	char path[32], yaml[512], name[80];
	for (unsigned i = 0; i < 2; i++) {
		int64_t now = eg_now_us();
		snprintf(path, sizeof path, "/clocked/%d/2", hours[i]);
		open_source(true, path, WINDOW);
		must_be(&in, EG_IN_ROW);
		int64_t before = strtoll(column(&in, "at"), NULL, 10);
		snprintf(path, sizeof path, "/clocked/%d", hours[i]);
		snprintf(yaml, sizeof yaml, CLOCKED "list_spool: %s/state\n", w.dir);
		open_source(false, path, yaml);
		must_be(&in, EG_IN_LIST_BEGIN);
		int64_t as_of = in.list.as_of;
		snprintf(name, sizeof name, "%s", in.list.name);
		/* Its page is kept, and with it when that was. */
		open_source(false, path, yaml);
		must_be(&in, EG_IN_LIST_BEGIN);
		assert_true(in.list.as_of == as_of);
		assert_string_equal(in.list.name, name);
		must_be(&in, EG_IN_ROW);
		must_be(&in, EG_IN_LIST_END);
		assert_true(in.list.as_of == as_of);
		settle(in.ref, EG_VERDICT_TAKEN);
		/* When the next is due says our clock. */
		struct eg_bytes place = eg_checkpoint_get(w.checkpoint, "src.http.place");
		assert_in_range(strtoll((const char *)place.p + 2, NULL, 10), now, eg_now_us());
		assert_int_equal(eg_checkpoint_put(w.checkpoint, "src.http.place", eg_bytes_of("-"), &w.err),
		                 EG_OK);
		open_source(true, path, WINDOW);
		must_be(&in, EG_IN_ROW);
		int64_t after = strtoll(column(&in, "at"), NULL, 10);
		if (!(before < as_of && as_of < after))
			fail_msg("%d h: %lld %lld %lld", hours[i], (long long)before, (long long)as_of,
			         (long long)after);
	}
	open_source(true, "/clocked/-48", CLOCKED);
	assert_int_equal(next(&in), EG_UNAVAILABLE);
	assert_non_null(strstr(w.err.text, "clock"));
}

static void settings_that_contradict_each_other(void **state)
{
	(void)state;
#define LISTED "mode: list\ntotal_path: /total\n"
	static const struct {
		const char *more, *place;
	} cases[] = {
	        {"mode: window\n", "start"},
	        {"mode: list\n", "total_path"}, /* nobody could tell one that was cut off */
	        {"mode: list\npaging: none\n", "total_path"},
	        {"mode: list\npaging: cursor\ncursor_path: /next\n", "total_path"},
	        {"mode: cursor\npaging: page\n", "paging"},
	        {"mode: cursor\npaging: cursor\n", "cursor_path"},
	        {LISTED "list_name: \"a b\"\n", "list_name"},
	        {LISTED "body: '{\"a\":${cursor}}'\n", "body"},
	        {LISTED "body: '{\"a\":\"${nothing}\"}'\n", "body"},
	        {LISTED "body: '{\"a\":1'\n", "body"},
	        {LISTED "body: '<a>'\nbody_format: xml\n", "body"},
	        {LISTED "headers: [\"no colon\"]\n", "headers"},
	        {LISTED "headers: [\"A: b${column.x}\"]\n", "headers"},
	        {LISTED "sign: hmac-sm3\n", "secret"},
	        {LISTED "client_certificate: x.pem\n", "client_key"},
	        {LISTED "calls_per_day: 3\ncalls_reserved: 3\n", "calls_reserved"},
	        {LISTED "secret_file: x\n", "secret_file"},
	        {"mode: list\ntotal_path: total\n", "total_path"},
	        {LISTED "plain_http: false\n", "url"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		bool plain = strstr(cases[i].more, "plain_http");
		enum eg_rc rc = try_open(false, (struct eg_connector_options){0},
		                         YAML("url: http://127.0.0.1:9/\nrows_path: /rows\n%s%s",
		                              plain ? "" : "plain_http: true\n", cases[i].more));
		assert_int_equal(rc, EG_CONFIG);
		if (!strstr(w.err.text, cases[i].place) || strncmp(w.err.text, "test.yaml:", 10) != 0)
			fail_msg("%s: %s", cases[i].place, w.err.text);
	}
	static const char *const urls[] = {
	        "file:///etc/passwd",  "ftp://127.0.0.1/", "https://user:pw@127.0.0.1/",
	        "gopher://127.0.0.1/", "127.0.0.1/rows",   "https://"};
	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
		assert_int_equal(
		        try_open(false, (struct eg_connector_options){0},
		                 YAML("url: %s\nrows_path: /rows\n" LISTED "plain_http: true\n", urls[i])),
		        EG_CONFIG);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)
	const struct CMUnitTest tests[] = {
	        TEST(pages_until_the_total_or_an_empty_one),
	        TEST(a_row_has_columns_place_and_ref),
	        TEST(what_was_not_settled_comes_again),
	        TEST(a_row_that_was_not_sent_is_read_again),
	        TEST(a_dry_run_leaves_no_mark),
	        TEST(a_window_whose_rows_move_is_read_anew),
	        TEST(a_window_that_is_read_anew_is_so_after_a_crash),
	        TEST(windows_are_cut_and_move_on),
	        TEST(a_cursor_is_kept),
	        TEST(cursors_that_cannot_be_kept),
	        TEST(pages_without_end_are_ended),
	        TEST(the_place_waits_for_verdicts),
	        TEST(a_full_list_has_a_begin_and_an_end),
	        TEST(a_list_comes_when_it_is_due),
	        TEST(a_list_goes_on_after_a_restart),
	        TEST(a_kept_list_that_cannot_go_on_begins_anew),
	        TEST(a_stop_ends_a_kept_list_by_its_paging),
	        TEST(a_list_that_breaks_off_is_abandoned),
	        TEST(a_list_that_empties_early_is_abandoned),
	        TEST(a_list_that_was_not_taken_waits),
	        TEST(rows_are_flattened_and_the_bad_ones_told),
	        TEST(character_sets),
	        TEST(soap),
	        TEST(the_inner_document),
	        TEST(signatures),
	        TEST(a_secret_is_renewed),
	        TEST(a_secret_is_renewed_before_it_ends),
	        TEST(retries),
	        TEST(pauses_double_and_vary),
	        TEST(deadlines_hold_while_it_retries),
	        TEST(both_directions_share_one_quota),
	        TEST(a_list_leaves_the_reserved_calls),
	        TEST(the_days_calls_survive_a_restart),
	        TEST(windows_follow_the_peers_clock),
	        TEST(lists_have_their_place_on_the_peers_clock),
	        TEST(settings_that_contradict_each_other),
	};
	return cmocka_run_group_tests(tests, world_open, world_close);
}
