/* Text: decoding, facts, and names that must or must not become one. Names are made up. */
#include "model/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *name(const char *raw)
{
	static char out[2][128];
	static int at;

	at = !at;
	size_t n = eg_name_normalise(eg_bytes_of(raw), out[at], sizeof out[at]);

	assert_int_equal(n, strlen(out[at]));
	return out[at];
}

static void test_one_name(void **state)
{
	(void)state;
	static const char *const dots[] = {
	        "阿依·古丽",    "阿依•古丽",  "阿依・古丽", "阿依．古丽",           "阿依‧古丽",
	        "阿依∙古丽",    "阿依.古丽",  "阿依⋅古丽",  "阿依 · 古丽",          "阿依・・古丽",
	        "　阿依· 古丽", "阿依·古丽 ", "阿依･古丽",  "阿依\xE2\x80\x8B·古丽"};

	for (size_t i = 0; i < sizeof dots / sizeof *dots; i++)
		assert_string_equal(name(dots[i]), "阿依\xC2\xB7古丽");
	assert_string_equal(name("王　　甲"), "王甲");
	assert_string_equal(name(" 王 甲 "), "王甲");
	assert_string_equal(name("王甲\xF3\xA0\x84\x80"), "王甲"); /* U+E0100 */
	assert_string_equal(name("王\xEF\xB8\x80甲"), "王甲");     /* U+FE00 */
	assert_string_equal(name("Ｊｏｈｎ　　Ｄｏｅ"), "JOHN DOE");
	assert_string_equal(name("john\t doe"), "JOHN DOE");
	assert_string_equal(name("J. Doe"), "J. DOE");
	assert_string_equal(name("J.Doe"), "J.DOE");
	assert_string_equal(name("J．Doe"), "J.DOE");
	assert_string_equal(name("J.王"), "J.王"); /* a stop is the dot between Han characters only */
	assert_string_equal(name("王.J"), "王.J");
	assert_string_equal(name("John Doe Jr."), "JOHN DOE JR.");
	assert_string_equal(name("John·Doe"), "JOHN·DOE");
	assert_string_equal(name("·王甲·"), "王甲");
	assert_string_equal(name("𠮷田甲"), "𠮷田甲");
	assert_string_equal(name("王\xEE\xA0\x95"), "王\xEE\xA0\x95"); /* private use stays */
}

static void test_other_names(void **state)
{
	(void)state;
	assert_string_not_equal(name("阿依·古丽"), name("阿依古丽"));
	assert_string_not_equal(name("王甲"), name("王乙"));
	assert_string_not_equal(name("JohnDoe"), name("John Doe"));
	assert_string_not_equal(name("吕甲"), name("呂甲"));
}

static void test_no_name(void **state)
{
	(void)state;
	char small[7];

	assert_string_equal(name(""), "");
	assert_string_equal(name("  　"), "");
	assert_string_equal(name("不详"), "");
	assert_string_equal(name("无名氏"), "");
	assert_string_equal(name("n/a"), "");
	assert_string_equal(name("·"), "");
	assert_string_equal(name("王\xFF甲"), "");
	assert_int_equal(
	        eg_name_normalise((struct eg_bytes){(const uint8_t *)"A\0B", 3}, small, sizeof small), 0);
	/* Too long for the buffer is no name, never half a name. */
	assert_int_equal(eg_name_normalise(eg_bytes_of("王甲"), small, sizeof small), 6);
	assert_int_equal(eg_name_normalise(eg_bytes_of("王甲乙"), small, sizeof small), 0);
	assert_string_equal(small, "");
	assert_int_equal(eg_name_normalise(eg_bytes_of("王"), small, 0), 0);
}

static void test_idempotent(void **state)
{
	(void)state;
	static const char *const raws[] = {"J. Doe", "阿依 ． 古丽", "a . b", "A·.B", "王 A",
	                                   "A 王",   "Jr.",          "王.",   "..A"};

	for (size_t i = 0; i < sizeof raws / sizeof *raws; i++) {
		char once[128];

		strcpy(once, name(raws[i]));
		assert_string_equal(name(once), once);
	}
}

static void test_facts(void **state)
{
	(void)state;
	struct eg_text_facts f = eg_text_facts(eg_bytes_of("阿依·古丽 A"));

	assert_int_equal(f.chars, 7);
	assert_false(f.bad_utf8 || f.nul || f.control || f.suspect || f.odd_name);
	assert_int_equal(eg_text_facts(eg_bytes_of("葛\xF3\xA0\x84\x80甲")).chars, 2);
	assert_true(eg_text_facts((struct eg_bytes){(const uint8_t *)"A\0B", 3}).nul);
	assert_true(eg_text_facts(eg_bytes_of("A\nB")).control);
	assert_true(eg_text_facts(eg_bytes_of("A\x7F")).control);
	assert_true(eg_text_facts(eg_bytes_of("A\xC2\x85")).control);
	assert_true(eg_text_facts(eg_bytes_of("王3")).odd_name);
	assert_true(eg_text_facts(eg_bytes_of("王＃")).odd_name);
	assert_false(eg_text_facts(eg_bytes_of("O'Neill-Doe, Jr. (王)")).odd_name);
	assert_int_equal(eg_text_facts((struct eg_bytes){0}).chars, 0);
}

static void test_mojibake(void **state)
{
	(void)state;
	/* U+FFFD; its two-fold trace; GB18030 bytes read as Latin-1; UTF-8 bytes read as Latin-1. */
	assert_true(eg_text_facts(eg_bytes_of("王\xEF\xBF\xBD")).suspect);
	assert_true(eg_text_facts(eg_bytes_of("锟斤拷")).suspect);
	assert_true(eg_text_facts(eg_bytes_of("ÕÅÈý")).suspect);
	assert_true(eg_text_facts(eg_bytes_of("æµ·å³¡")).suspect);
	assert_true(eg_text_facts(eg_bytes_of("ÕÅÈý 3A")).suspect);
	/* Languages that really have such letters. */
	assert_false(eg_text_facts(eg_bytes_of("José Muñoz")).suspect);
	assert_false(eg_text_facts(eg_bytes_of("Åsa Öberg")).suspect);
	assert_false(eg_text_facts(eg_bytes_of("Renée")).suspect);
	assert_false(eg_text_facts(eg_bytes_of("阿·依·古·丽")).suspect);
}

static void test_strict_utf8(void **state)
{
	(void)state;
	static const char *const bad[] = {
	        "\x80",
	        "\xC0\x80",
	        "\xC1\xBF",
	        "\xE0\x80\x80",
	        "\xE0\x9F\xBF",
	        "\xED\xA0\x80",
	        "\xED\xBF\xBF",
	        "\xF0\x80\x80\x80",
	        "\xF0\x8F\xBF\xBF",
	        "\xF4\x90\x80\x80",
	        "\xF5\x80\x80\x80",
	        "\xFE",
	        "\xE4\xB8",
	        "\xC3",
	        "\xC3(",
	        "\xF0\x9F\x98",
	};
	static const struct {
		const char *text;
		uint32_t cp;
	} good[] = {{"\x7F", 0x7F},
	            {"\xC2\x80", 0x80},
	            {"\xDF\xBF", 0x7FF},
	            {"\xE0\xA0\x80", 0x800},
	            {"\xED\x9F\xBF", 0xD7FF},
	            {"\xEE\x80\x80", 0xE000},
	            {"\xF0\x90\x80\x80", 0x10000},
	            {"\xF4\x8F\xBF\xBF", 0x10FFFF}};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_true(eg_text_facts(eg_bytes_of(bad[i])).bad_utf8);
		assert_false(eg_utf8_valid(eg_bytes_of(bad[i]))); /* the two readers agree */
	}
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct eg_bytes s = eg_bytes_of(good[i].text);
		size_t pos = 0;
		uint32_t cp = 0;

		assert_true(eg_utf8_next(s, &pos, &cp));
		assert_int_equal(cp, good[i].cp);
		assert_int_equal(pos, s.len);
		assert_false(eg_utf8_next(s, &pos, &cp));
		assert_true(eg_utf8_valid(s));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_one_name),    cmocka_unit_test(test_other_names),
	        cmocka_unit_test(test_no_name),     cmocka_unit_test(test_idempotent),
	        cmocka_unit_test(test_facts),       cmocka_unit_test(test_mojibake),
	        cmocka_unit_test(test_strict_utf8),
	};

	return cmocka_run_group_tests_name("model/text", tests, NULL, NULL);
}
