/* Settings: every type in both directions, places of faults, several faults at once, secrets, and hints. */
#include "common/hint.h"
#include "common/settings.h"

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

static const struct eg_setting_def defs[] = {
        {"path", EG_SET_TEXT, true, NULL, 1, 10, NULL, "Where it is."},
        {"rows", EG_SET_INT, false, "100", 1, 1000, NULL, "How many."},
        {"free", EG_SET_INT, false, NULL, 0, 0, NULL, "Any number."},
        {"buffer", EG_SET_SIZE, false, "64KiB", 1024, 1 << 20, NULL, "How large."},
        {"wait", EG_SET_TIME, false, "5s", 1000, 60000000, NULL, "How long."},
        {"sync", EG_SET_BOOL, false, "true", 0, 0, NULL, "Whether."},
        {"kind", EG_SET_CHOICE, false, "flag", 0, 0, "flag|key|both", "Which."},
        {"keys", EG_SET_LIST, false, "a, b", 1, 3, NULL, "Which ones."},
        {"password", EG_SET_SECRET, false, NULL, 0, 0, NULL, "Secret."},
        {0}};

static struct eg_settings *good(const char *text)
{
	struct eg_settings *s;
	struct eg_err err = {0};
	if (eg_settings_parse(text, "m.yaml", defs, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static const char *bad(const char *text)
{
	static struct eg_err err;
	struct eg_settings *s = (struct eg_settings *)&err;
	assert_int_equal(eg_settings_parse(text, "m.yaml", defs, &s, &err), EG_CONFIG);
	assert_int_equal(err.rc, EG_CONFIG);
	return err.text;
}

static void presets(void **state)
{
	struct eg_settings *s = good("path: x\n");
	(void)state;
	assert_string_equal(eg_settings_text(s, "path"), "x");
	assert_int_equal(eg_settings_int(s, "rows"), 100);
	assert_int_equal(eg_settings_int(s, "free"), 0);
	assert_int_equal(eg_settings_int(s, "buffer"), 65536);
	assert_int_equal(eg_settings_int(s, "wait"), 5000000);
	assert_int_equal(eg_settings_int(s, "sync"), 1);
	assert_string_equal(eg_settings_text(s, "kind"), "flag");
	assert_int_equal(eg_settings_count(s, "keys"), 2);
	assert_string_equal(eg_settings_item(s, "keys", 1), "b");
	assert_string_equal(eg_settings_item(s, "keys", 2), "");
	assert_string_equal(eg_settings_text(s, "password"), "");
	assert_true(eg_settings_has(s, "path"));
	assert_false(eg_settings_has(s, "rows"));
	eg_settings_free(s);
}

static void written(void **state)
{
	struct eg_settings *s =
	        good("{path: ab, rows: 7, free: -3, buffer: 2KiB, wait: 250ms, sync: no, kind: both, "
	             "keys: [x, 'y z'], password: s3cret}");
	(void)state;
	assert_int_equal(eg_settings_int(s, "rows"), 7);
	assert_int_equal(eg_settings_int(s, "free"), -3);
	assert_int_equal(eg_settings_int(s, "buffer"), 2048);
	assert_int_equal(eg_settings_int(s, "wait"), 250000);
	assert_int_equal(eg_settings_int(s, "sync"), 0);
	assert_string_equal(eg_settings_text(s, "kind"), "both");
	assert_int_equal(eg_settings_count(s, "keys"), 2);
	assert_string_equal(eg_settings_item(s, "keys", 1), "y z");
	assert_string_equal(eg_settings_text(s, "password"), "s3cret");
	assert_true(eg_settings_has(s, "rows"));
	eg_settings_free(s);
}

static void faults_have_places(void **state)
{
	(void)state;
	assert_string_equal(bad(""), "m.yaml: settings needs path: Where it is.");
	assert_string_equal(bad("rows: 1\n"), "m.yaml:1:1: settings needs path: Where it is.");
	assert_string_equal(bad("path: x\nrow: 1\n"),
	                    "m.yaml:2:1: unknown setting settings.row; did you mean 'rows'?");
	assert_string_equal(bad("path: x\nzzzzzz: 1\n"), "m.yaml:2:1: unknown setting settings.zzzzzz");
	assert_string_equal(bad("path: ''\n"), "m.yaml:1:7: settings.path must be a text of 1 to 10 bytes");
	assert_string_equal(bad("path: x\nrows: 0\n"),
	                    "m.yaml:2:7: settings.rows must be a whole number, from 1 to 1000");
	assert_string_equal(bad("path: x\nfree: 1.5\n"), "m.yaml:2:7: settings.free must be a whole number");
	assert_string_equal(
	        bad("path: x\nbuffer: 2MiB\n"),
	        "m.yaml:2:9: settings.buffer must be a size such as 64KiB or 2MiB, from 1KiB to 1MiB");
	assert_string_equal(
	        bad("path: x\nwait: 5\n"),
	        "m.yaml:2:7: settings.wait must be a time such as 250ms, 5s or 30d, from 1ms to 1m");
	assert_string_equal(bad("path: x\nsync: maybe\n"), "m.yaml:2:7: settings.sync must be true or false");
	assert_string_equal(bad("path: x\nkind: flog\n"),
	                    "m.yaml:2:7: settings.kind must be one of flag key both; did you mean 'flag'?");
	assert_string_equal(bad("path: x\nkeys: a\n"),
	                    "m.yaml:2:7: settings.keys must be a list of texts, 1 to 3 of them");
	assert_string_equal(bad("path: x\nkeys: []\n"),
	                    "m.yaml:2:7: settings.keys must be a list of texts, 1 to 3 of them");
	assert_string_equal(bad("path: x\nkeys: [a, [b]]\n"),
	                    "m.yaml:2:11: settings.keys must be a list of single values");
	assert_string_equal(bad("path: [x]\n"), "m.yaml:1:7: settings.path must be a text of 1 to 10 bytes");
	assert_string_equal(bad("- path\n"), "m.yaml:1:1: settings must be a mapping of settings to values");
	assert_string_equal(bad("path: x\npassword: [y]\n"),
	                    "m.yaml:2:11: settings.password must be a text, {file: PATH} or {env: NAME}");
	assert_string_equal(bad("path: x\nrows: 0\nkind: z\n"),
	                    "m.yaml:2:7: settings.rows must be a whole number, from 1 to 1000 (and 1 more)");
}

/* Faults come in the order of their places, whatever found them first; the farthest are dropped. */
static void many_faults(void **state)
{
	struct eg_complaints *c = calloc(1, sizeof *c);
	(void)state;
	assert_non_null(c);
	for (unsigned i = 100; i > 0; i--)
		eg_complain_at(c, "p", i, 1, "x%u", i);
	eg_complain_at(c, "p", 0, 0, "whole");
	assert_int_equal(c->total, 101);
	assert_int_equal(c->n, EG_COMPLAINTS_MAX);
	assert_string_equal(c->items[0].text, "p: whole");
	assert_string_equal(c->items[1].text, "p:1:1: x1");
	assert_string_equal(c->items[19].text, "p:19:1: x19");
	free(c);
}

static void secrets(void **state)
{
	char dir[] = "/tmp/eg-settings-XXXXXX", path[64], text[200], want[400];
	struct eg_complaints *c = calloc(1, sizeof *c);
	struct eg_settings *s;
	struct eg_yaml *y;
	struct eg_err err;
	(void)state;
	assert_non_null(c);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/pw", dir);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs("from a file\n", f);
	fclose(f);
	chmod(path, 0600);
	/* relative to the mapping file */
	snprintf(text, sizeof text, "%s/m.yaml", dir);
	assert_int_equal(eg_yaml_parse(&y, text, eg_bytes_of("{path: x, password: {file: pw}}"), &err),
	                 EG_OK);
	eg_settings_make(&s, y, eg_yaml_root(y), NULL, "source", defs, c);
	assert_non_null(s);
	assert_string_equal(eg_settings_text(s, "password"), "from a file");
	eg_settings_free(s);
	chmod(path, 0644);
	eg_settings_make(&s, y, eg_yaml_root(y), NULL, "source", defs, c);
	assert_null(s);
	snprintf(want, sizeof want, "%s:1:21: source.password: everybody may read %s; chmod o= pw", text,
	         path);
	assert_string_equal(c->items[0].text, want);
	eg_yaml_close(y);
	free(c);
	unlink(path);
	rmdir(dir);
	assert_non_null(strstr(bad("{path: x, password: {file: /nonexistent/pw}}"),
	                       "settings.password: /nonexistent/pw: No such file"));
	unsetenv("EG_TEST_PW");
	assert_string_equal(bad("{path: x, password: {env: EG_TEST_PW}}"),
	                    "m.yaml:1:21: settings.password: the environment has no EG_TEST_PW");
	setenv("EG_TEST_PW", "from outside", 1);
	s = good("{path: x, password: {env: EG_TEST_PW}}");
	assert_string_equal(eg_settings_text(s, "password"), "from outside");
	eg_settings_free(s);
	assert_non_null(
	        strstr(bad("{path: x, password: {url: y}}"), "must be a text, {file: PATH} or {env: NAME}"));
}

static void users_complaint(void **state)
{
	struct eg_err err;
	struct eg_settings *s = good("path: x\nrows: 5\n");
	(void)state;
	assert_int_equal(eg_settings_fail(s, "rows", &err, "not with %s", "this"), EG_CONFIG);
	assert_string_equal(err.text, "m.yaml:2:7: settings.rows: not with this");
	assert_int_equal(eg_settings_fail(s, "wait", &err, "why"), EG_CONFIG);
	assert_string_equal(err.text, "m.yaml:1:1: settings.wait: why");
	eg_settings_free(s);
}

static void callers_fault_ends(void **state)
{
	struct eg_settings *s = good("path: x\n");
	(void)state;
	for (int round = 0; round < 2; round++) {
		int status;
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			signal(SIGABRT, SIG_DFL);
			close(2);
			if (round)
				eg_settings_int(s, "path");
			else
				eg_settings_text(s, "nothing");
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
	}
	eg_settings_free(s);
}

static void reference(void **state)
{
	struct eg_buf b = {0};
	(void)state;
	eg_settings_reference(&b, defs);
	eg_buf_add_u8(&b, 0);
	assert_non_null(
	        strstr((char *)b.p, "| `path` | a text of 1 to 10 bytes | needed | Where it is. |\n"));
	assert_non_null(
	        strstr((char *)b.p, "| `rows` | a whole number, from 1 to 1000 | `100` | How many. |\n"));
	assert_non_null(strstr((char *)b.p, "| `free` | a whole number |  | Any number. |\n"));
	eg_buf_free(&b);
}

static void hints(void **state)
{
	static const struct {
		const char *got, *want;
	} cases[] = {{"oprations", "; did you mean 'operation'?"},
	             {"fro", "; did you mean 'from'?"},
	             {"form", "; did you mean 'from'?"},
	             {"x", ""},
	             {"birthday", ""},
	             {"", ""}};
	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct eg_hint h = eg_hint_for(cases[i].got);
		eg_hint_try(&h, "operation");
		eg_hint_try(&h, "from");
		eg_hint_try(&h, NULL);
		assert_string_equal(eg_hint_text(&h), cases[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(presets),
	                                   cmocka_unit_test(written),
	                                   cmocka_unit_test(faults_have_places),
	                                   cmocka_unit_test(many_faults),
	                                   cmocka_unit_test(secrets),
	                                   cmocka_unit_test(users_complaint),
	                                   cmocka_unit_test(callers_fault_ends),
	                                   cmocka_unit_test(reference),
	                                   cmocka_unit_test(hints)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
