/* Templates: no value gets out of the place it was put in. */
#include "connectors/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct eg_template_value values[] = {
        {"nasty", EG_TEMPLATE_TEXT, {(const uint8_t *)"a\"b\\c<d>&'\n", 11}},
        {"name", EG_TEMPLATE_TEXT, {(const uint8_t *)"\xe6\x9d\x8e +", 5}},
        {"n", EG_TEMPLATE_NUMBER, {(const uint8_t *)"7", 1}},
        {"ready", EG_TEMPLATE_READY, {(const uint8_t *)"{\"x\":1}", 7}},
};

static enum eg_rc fill(const char *template, enum eg_template_context context, const char *want)
{
	struct eg_buf out = {0};
	struct eg_err err;
	enum eg_rc rc = eg_template_fill(template, context, values, 4, &out, &err);
	if (want) {
		assert_int_equal(rc, EG_OK);
		assert_int_equal(out.len, strlen(want));
		assert_memory_equal(out.p, want, out.len);
	}
	eg_buf_free(&out);
	return rc;
}

static void each_context_escapes_its_own_way(void **state)
{
	(void)state;
	fill("x=${nasty}", EG_TEMPLATE_PLAIN, "x=a\"b\\c<d>&'\n");
	fill("/p/${nasty}?q=${name}&n=${n}", EG_TEMPLATE_URL,
	     "/p/a%22b%5Cc%3Cd%3E%26%27%0A?q=%E6%9D%8E%20%2B&n=7");
	fill("{\"a\":\"${nasty}\",\"n\":${n},\"r\":${ready}}", EG_TEMPLATE_JSON,
	     "{\"a\":\"a\\\"b\\\\c<d>&'\\n\",\"n\":7,\"r\":{\"x\":1}}");
	fill("<a b=\"${nasty}\">${nasty}</a>", EG_TEMPLATE_XML,
	     "<a b=\"a&quot;b\\c&lt;d&gt;&amp;&apos;\n\">a&quot;b\\c&lt;d&gt;&amp;&apos;\n</a>");
	fill("n: ${n}", EG_TEMPLATE_HEADER, "n: 7");
	fill("cost $5 $${n} $$", EG_TEMPLATE_PLAIN, "cost $5 ${n} $$");
}

static void what_could_get_out_is_refused(void **state)
{
	(void)state;
	assert_int_equal(fill("{\"a\":${nasty}}", EG_TEMPLATE_JSON, NULL), EG_CONFIG);
	assert_int_equal(fill("{\"a\\\":${nasty}\"}", EG_TEMPLATE_JSON, NULL),
	                 EG_OK); /* still in the string */
	assert_int_equal(fill("{\"a\":\"${ready}\"}", EG_TEMPLATE_JSON, NULL), EG_CONFIG);
	assert_int_equal(fill("<![CDATA[${nasty}]]>", EG_TEMPLATE_XML, NULL), EG_CONFIG);
	assert_int_equal(fill("<![CDATA[]]>${nasty}", EG_TEMPLATE_XML, NULL), EG_OK);
	assert_int_equal(fill("<a b='${ready}'/>", EG_TEMPLATE_XML, NULL), EG_CONFIG);
	assert_int_equal(fill("h: ${nasty}", EG_TEMPLATE_HEADER, NULL), EG_INVALID);
	assert_int_equal(fill("h: ${ready}", EG_TEMPLATE_HEADER, NULL), EG_CONFIG);
	assert_int_equal(fill("?q=${other}", EG_TEMPLATE_URL, NULL), EG_CONFIG);
	assert_int_equal(fill("?q=${n", EG_TEMPLATE_URL, NULL), EG_CONFIG);
	assert_int_equal(fill("?q=${}", EG_TEMPLATE_URL, NULL), EG_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(each_context_escapes_its_own_way),
	        cmocka_unit_test(what_could_get_out_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
