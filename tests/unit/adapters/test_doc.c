/* JSON and XML as one tree: what they are read as, and what is refused. */
#include "connectors/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct eg_arena *arena;
static struct eg_doc_node *root;
static struct eg_err err;

static int make(void **state)
{
	(void)state;
	arena = eg_arena_new(64 << 20);
	return !arena;
}

static int drop(void **state)
{
	(void)state;
	eg_arena_free(arena);
	return 0;
}

static enum eg_rc json(const char *text)
{
	return eg_json_read(eg_bytes_of(text), arena, &root, &err);
}

static enum eg_rc xml(const char *text)
{
	return eg_xml_read(eg_bytes_of(text), arena, &root, &err);
}

static void assert_at(const char *path, const char *want)
{
	struct eg_bytes got = eg_doc_text(root, path);
	if (!want) {
		assert_null(got.p);
		return;
	}
	assert_non_null(got.p);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.p, want, got.len);
}

static unsigned rows(const char *path, bool elements)
{
	struct eg_doc_rows at;
	unsigned n = 0;
	if (eg_doc_rows_at(root, path, elements, &at, &err))
		return 99;
	while (eg_doc_rows_next(&at))
		n++;
	return n;
}

static void json_values_and_paths(void **state)
{
	(void)state;
	assert_int_equal(json("{\"a\":{\"b\":[{\"c\":\"x\"},{\"c\":2.50}]},\"n\":null,\"t\":true,\"e\":\"\","
	                      "\"i\":-12,\"a/b\":\"s\",\"a~b\":\"t\",\"id\":330302194910010013}"),
	                 EG_OK);
	assert_at("/a/b/0/c", "x");
	assert_at("/a/b/1/c", "2.5");
	assert_at("/a/b/2/c", NULL);
	assert_at("/a/b/x", NULL);
	assert_at("/n", NULL);
	assert_at("/t", "true");
	assert_at("/e", "");
	assert_at("/i", "-12");
	assert_at("/id", "330302194910010013");
	assert_at("/a~1b", "s");
	assert_at("/a~0b", "t");
	assert_at("/a", NULL);
	assert_int_equal(rows("/a/b", false), 2);
	assert_int_equal(rows("/n", false), 0);     /* a list that is null */
	assert_int_equal(rows("/none", false), 99); /* an answer of another form is not an empty page */
	assert_int_equal(rows("/t", false), 99);
	assert_int_equal(rows("/a", false), 99);
	assert_true(eg_doc_path_valid("") && eg_doc_path_valid("/a/b~1c"));
	assert_false(eg_doc_path_valid("a") || eg_doc_path_valid("/a~2"));
}

static void json_that_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "",    "{",        "{\"a\":1,\"a\":2}",         "[1] x",        "{\"a\\u0000b\":1}",
	        "'x'", "\"\xff\"", "[12345678901234567890123]", "[\"\\ud800\"]"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(json(bad[i]), EG_INVALID);
	assert_int_equal(json("{\"secret\":\"Zhang\" \"x\"}"), EG_INVALID);
	assert_null(strstr(err.text, "Zhang"));
	assert_int_equal(json("[\"a\\u0000b\"]"), EG_OK); /* the row's business */
	assert_int_equal(eg_doc_text(root, "/0").len, 3);
}

static char *repeated(const char *what, size_t n, const char *middle, const char *end)
{
	size_t len = strlen(what), tail = strlen(end);
	char *text = calloc(n * (len + tail) + strlen(middle) + 1, 1), *at = text;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++, at += len)
		memcpy(at, what, len);
	strcpy(at, middle);
	at += strlen(middle);
	for (size_t i = 0; i < n; i++, at += tail)
		memcpy(at, end, tail);
	return text;
}

static void depth_and_number_are_bounded(void **state)
{
	(void)state;
	char *deep = repeated("[", EG_DOC_DEPTH_MAX, "", "]");
	assert_int_equal(json(deep), EG_OK);
	free(deep);
	deep = repeated("[", 1000000, "", "]");
	assert_int_equal(json(deep), EG_LIMIT);
	free(deep);
	deep = repeated("<a>", EG_DOC_DEPTH_MAX, "", "</a>");
	assert_int_equal(xml(deep), EG_OK);
	free(deep);
	deep = repeated("<a>", EG_DOC_DEPTH_MAX + 1, "", "</a>");
	assert_int_equal(xml(deep), EG_LIMIT);
	free(deep);
	deep = repeated("<a>", 100000, "", "</a>");
	assert_int_not_equal(xml(deep), EG_OK);
	free(deep);
	char *wide = repeated("{},", 1 << 19, "", "");
	wide[0] = '[';
	assert_int_equal(json(wide), EG_LIMIT);
	free(wide);
	wide = repeated("<a/>", 1 << 19, "", "");
	assert_int_equal(xml(wide), EG_LIMIT);
	free(wide);
	/* A bracket within a string nests nothing. */
	assert_int_equal(json("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"]"), EG_OK);
}

static void xml_values_and_paths(void **state)
{
	(void)state;
	assert_int_equal(
	        xml("<?xml version='1.0'?><s:Envelope xmlns:s='urn:s' xmlns:xsi='http://www.w3.org/2001/"
	            "XMLSchema-instance'><s:Body><r:list xmlns:r='urn:r' n='2'><row>a &amp; b</row><row/>"
	            "<other>x<![CDATA[<y>]]></other><row xsi:nil='true'/><p k='1'>t</p></r:list><empty/>"
	            "</s:Body></s:Envelope>"),
	        EG_OK);
	assert_at("/Envelope/Body/list/row", "a & b");
	assert_at("/Envelope/Body/list/other", "x<y>");
	assert_at("/Envelope/Body/list/@n", "2");
	assert_at("/Envelope/Body/list/p", "t");
	assert_at("/Envelope/Body/list/p/@k", "1");
	assert_int_equal(rows("/Envelope/Body/list/row", true), 3);
	assert_int_equal(rows("/Envelope/Body/list/none", true), 0);
	assert_int_equal(rows("/Envelope/Body/empty", true), 0);
	assert_int_equal(rows("/Envelope/Body/none/row", true), 99);
}

static void xml_that_is_refused(void **state)
{
	(void)state;
	static const char laughs[] =
	        "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>"
	        "<!ENTITY c '&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'>]><l>&c;</l>";
	static const char *const bad[] = {
	        "<a>",
	        "<a/><b/>",
	        "no",
	        "<a>&undeclared;</a>",
	        "<!DOCTYPE a><a/>",
	        "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
	        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
	        laughs,
	        "<a b='1' b='2'/>",
	        "<a>\x01</a>",
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(xml(bad[i]), EG_INVALID);
		assert_int_equal(strstr(bad[i], "DOCTYPE") != NULL, strstr(err.text, "DOCTYPE") != NULL);
	}
	struct eg_bytes nul = {(const uint8_t *)"<a>x\0y</a>", 10};
	assert_int_equal(eg_xml_read(nul, arena, &root, &err), EG_INVALID);
}

static void a_node_as_json(void **state)
{
	(void)state;
	struct eg_buf out = {0};
	static const char text[] = "{\"a\":[\"1\",null,{\"b\":\"\\u0000\"}],\"c\":{}}";
	assert_int_equal(json(text), EG_OK);
	eg_doc_json(root, &out);
	assert_int_equal(out.len, sizeof text - 1);
	assert_memory_equal(out.p, text, out.len);
	eg_buf_free(&out);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make, drop)
	const struct CMUnitTest tests[] = {
	        TEST(json_values_and_paths), TEST(json_that_is_refused), TEST(depth_and_number_are_bounded),
	        TEST(xml_values_and_paths),  TEST(xml_that_is_refused),  TEST(a_node_as_json),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
