/* YAML as nodes: shapes, places of faults, and what is refused. */
#include "base/buf.h"
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void show(struct eg_buf *b, const struct eg_yaml_node *n)
{
	switch (n->kind) {
	case EG_YAML_VALUE:
		eg_buf_printf(b, n->quoted ? "'%s'" : "%s", n->text);
		break;
	case EG_YAML_LIST:
		eg_buf_printf(b, "[");
		for (unsigned i = 0; i < n->n; i++) {
			eg_buf_printf(b, i ? "," : "");
			show(b, n->values[i]);
		}
		eg_buf_printf(b, "]");
		break;
	case EG_YAML_MAP:
		eg_buf_printf(b, "{");
		for (unsigned i = 0; i < n->n; i++) {
			eg_buf_printf(b, "%s%s@%u:%u=", i ? "," : "", n->keys[i]->text, n->keys[i]->line,
			              n->keys[i]->column);
			show(b, n->values[i]);
		}
		eg_buf_printf(b, "}");
	}
}

/* The tree in short, or the complaint. */
static const char *read_bytes(struct eg_bytes text)
{
	static char out[4096];
	struct eg_err err = {0};
	struct eg_yaml *y;
	struct eg_buf b = {0};
	if (eg_yaml_parse(&y, "f.yaml", text, &err)) {
		assert_int_equal(err.rc, EG_CONFIG);
		snprintf(out, sizeof out, "%s", err.text);
		return out;
	}
	if (eg_yaml_root(y))
		show(&b, eg_yaml_root(y));
	snprintf(out, sizeof out, "%.*s", (int)b.len, b.p ? (const char *)b.p : "");
	eg_buf_free(&b);
	eg_yaml_close(y);
	return out;
}

static const char *read_text(const char *text)
{
	return read_bytes(eg_bytes_of(text));
}

static void shapes(void **state)
{
	(void)state;
	assert_string_equal(read_text(""), "");
	assert_string_equal(read_text("# nothing\n"), "");
	assert_string_equal(read_text("a: 1\nb: 'x'\nc:\n"), "{a@1:1=1,b@2:1='x',c@3:1=}");
	assert_string_equal(read_text("a:\n  b: [1, {c: d}, []]\n  e: {}\n"),
	                    "{a@1:1={b@2:3=[1,{c@2:11=d},[]],e@3:3={}}}");
	/* columns count characters */
	assert_string_equal(read_text("{姓名: 1, b: 2}"), "{姓名@1:2=1,b@1:9=2}");
}

static void refused(void **state)
{
	(void)state;
	assert_string_equal(read_text("a: 1\nb: 2\na: 3\n"),
	                    "f.yaml:3:1: 'a' stands here twice, first in line 1");
	assert_string_equal(
	        read_text("a: &x 1\n"),
	        "f.yaml:1:4: anchors, aliases and tags (&, *, !) are not taken here: write the value out");
	assert_non_null(strstr(read_text("a: !!int 1\n"), "f.yaml:1:4: anchors"));
	assert_non_null(strstr(read_text("a: *x\n"), "f.yaml:1:4: anchors"));
	assert_string_equal(read_text("? [a, b]\n: 1\n"), "f.yaml:1:3: a key must be a single value");
	assert_string_equal(read_text("a: 1\n---\nb: 1\n"), "f.yaml:2:1: a second document in one file");
	assert_string_equal(read_text("a: \"x\\0y\"\n"), "f.yaml:1:4: the value has a NUL character in it");
	assert_string_equal(read_text("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"),
	                    "f.yaml:1:17: nested deeper than 16");
	assert_non_null(strstr(read_text("a: b: c\n"), "f.yaml:1:5: "));
	assert_non_null(strstr(read_text("a: [1\nb: 2\n"), "f.yaml:2:"));
	assert_non_null(strstr(read_text("a: \xFF\xFE\n"), "f.yaml:"));
}

static void limits(void **state)
{
	(void)state;
	struct eg_buf b = {0};
	for (unsigned i = 0; i < EG_YAML_NODES_MAX - 1; i++)
		eg_buf_printf(&b, "- 1\n");
	assert_non_null(strstr(read_bytes(eg_buf_bytes(&b)), "[1,1,"));
	eg_buf_printf(&b, "- 1\n");
	assert_string_equal(read_bytes(eg_buf_bytes(&b)),
	                    "f.yaml:20000:3: more than 20000 values in one file");
	eg_buf_reset(&b);
	eg_buf_printf(&b, "a: ");
	while (b.len < EG_YAML_BYTES_MAX)
		eg_buf_add_u8(&b, 'x');
	assert_non_null(strstr(read_bytes(eg_buf_bytes(&b)), "{a@1:1=xxx"));
	eg_buf_add_u8(&b, 'x');
	assert_string_equal(read_bytes(eg_buf_bytes(&b)), "f.yaml: longer than 1048576 bytes");
	eg_buf_free(&b);
}

static void files(void **state)
{
	char path[] = "/tmp/eg-yaml-XXXXXX";
	struct eg_err err;
	struct eg_yaml *y;
	(void)state;
	assert_int_equal(eg_yaml_open(&y, "/nonexistent/x.yaml", &err), EG_CONFIG);
	assert_string_equal(err.text, "/nonexistent/x.yaml: No such file or directory");
	assert_int_equal(eg_yaml_open(&y, "/tmp", &err), EG_CONFIG);
	assert_string_equal(err.text, "/tmp: Is a directory");
	/* What passes is not the configuration's fault. */
	struct rlimit had, none;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &had), 0);
	none = (struct rlimit){0, had.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(eg_yaml_open(&y, "/tmp", &err), EG_BUSY);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &had), 0);
	assert_string_equal(err.text, "/tmp: Too many open files");
	int fd = mkstemp(path);
	assert_int_equal(write(fd, "k: [v]\n", 7), 7);
	close(fd);
	assert_int_equal(eg_yaml_open(&y, path, &err), EG_OK);
	assert_string_equal(eg_yaml_path(y), path);
	const struct eg_yaml_node *v = eg_yaml_get(eg_yaml_root(y), "k");
	assert_null(eg_yaml_get(eg_yaml_root(y), "l"));
	assert_null(eg_yaml_get(v, "k"));
	assert_null(eg_yaml_text(y, v, "k", &err));
	assert_non_null(strstr(err.text, ":1:4: k must be a single value"));
	assert_string_equal(eg_yaml_text(y, v->values[0], "k", &err), "v");
	eg_yaml_close(y);
	unlink(path);
}

/* Whatever the bytes are, there is a tree or a complaint. */
static void garbage(void **state)
{
	static const char pieces[] = "\n\n  ::--[]{}#'\"abc,|>&*!%?\\\t0\xE5\xBC\xA0\xFF";
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		uint8_t text[64];
		size_t len = (size_t)rand() % sizeof text;
		for (size_t i = 0; i < len; i++)
			text[i] = (uint8_t)pieces[(size_t)rand() % (sizeof pieces - 1)];
		const char *got = read_bytes((struct eg_bytes){text, len});
		assert_non_null(got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(shapes), cmocka_unit_test(refused),
	                                   cmocka_unit_test(limits), cmocka_unit_test(files),
	                                   cmocka_unit_test(garbage)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
