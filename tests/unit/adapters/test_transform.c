/* Transforms, dates and instants by format, exact decimals: each form in both directions, and what is no
 * form. */
#include "common/decimal.h"
#include "common/transform.h"
#include "common/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char *run(const struct eg_step *step, const char *text)
{
	static char out[400];
	struct eg_work work = {0};
	struct eg_bytes value = eg_bytes_of(text);
	enum eg_fault f = eg_step_run(step, &work, &value);
	assert_false(work.failed);
	assert_true(value.len < sizeof out);
	if (f)
		snprintf(out, sizeof out, "!%s", eg_fault_name(f));
	else
		snprintf(out, sizeof out, "%.*s", (int)value.len, (const char *)value.p);
	eg_work_free(&work);
	return out;
}

#define STEP(kind_, text, want, ...)                                                                         \
	assert_string_equal(run(&(struct eg_step){.kind = EG_STEP_##kind_, ##__VA_ARGS__}, text), want)
#define T(literal)                                                                                           \
	{                                                                                                    \
		(const uint8_t *)(literal), sizeof(literal) - 1                                              \
	}

static void white_space_and_width(void **state)
{
	(void)state;
	STEP(trim, "  a b \t", "a b");
	STEP(trim, "　张 三\xE2\x80\x8B", "张 三"); /* U+3000, U+200B */
	STEP(trim, "abc", "abc");
	STEP(trim, " 　 ", "");
	STEP(trim, "", "");
	STEP(trim, " \xFF ", "\xFF");
	STEP(collapse_spaces, " a  　b ", " a b ");
	STEP(remove_spaces, " a  　b ", "ab");
	STEP(half_width, "ＡＢ１２－　张", "AB12- 张");
	STEP(half_width, "AB", "AB");
	STEP(upper, "aZ张é", "AZ张é");
	STEP(digits, "电话: 0577-123 转8", "05771238");
}

static void numbers_of_documents(void **state)
{
	(void)state;
	STEP(id_number, " １１０１０５１９４９１２３１００２ｘ", "11010519491231002X");
	STEP(id_number, "110105 19491231 002x", "11010519491231002X");
	STEP(id_number, "110105491231002",
	     "110105491231002"); /* 15 digits stay: what is derived is the gateway's */
	STEP(id_number, "11010519491231002Ｙ ", "11010519491231002Y");
	STEP(id_number, "3.30302E+17", "3.30302E+17");
	STEP(id_number, "无", "无");
	STEP(refuse_scientific, "3.30302E+17", "!EXCEL_DAMAGE");
	STEP(refuse_scientific, "3e5", "!EXCEL_DAMAGE");
	STEP(refuse_scientific, "1E-7", "!EXCEL_DAMAGE");
	STEP(refuse_scientific, "E5", "E5");
	STEP(refuse_scientific, "3E5X", "3E5X");
	STEP(refuse_scientific, "330302", "330302");
	STEP(pad, "42", "000042", .i = 6, .a = T("0"));
	STEP(pad, "123456", "123456", .i = 6, .a = T("0"));
	STEP(pad, "A2", "A2", .i = 6, .a = T("0"));
	STEP(pad, "", "", .i = 6, .a = T("0"));
}

static void parts(void **state)
{
	(void)state;
	STEP(split, "a-b-c", "a", .a = T("-"), .i = 1);
	STEP(split, "a-b-c", "c", .a = T("-"), .i = 3);
	STEP(split, "a-b-c", "", .a = T("-"), .i = 4);
	STEP(split, "a-b-c", "c", .a = T("-"), .i = -1);
	STEP(split, "a-b-c", "a", .a = T("-"), .i = -3);
	STEP(split, "a-b-c", "", .a = T("-"), .i = -4);
	STEP(split, "a::b", "b", .a = T("::"), .i = 2);
	STEP(split, "-a", "", .a = T("-"), .i = 1);
	STEP(split, "a-", "", .a = T("-"), .i = -1);
	STEP(substring, "浙江省温州市", "温州", .i = 4, .j = 2);
	STEP(substring, "浙江省温州市", "温州市", .i = 4);
	STEP(substring, "abc", "", .i = 9);
	STEP(substring, "abc", "bc", .i = 2, .j = 9);
	STEP(replace, "a.b.c", "a·b·c", .a = T("."), .b = T("·"));
	STEP(replace, "aaa", "", .a = T("a"), .b = T(""));
	STEP(replace, "aaa", "ba", .a = T("aa"), .b = T("b"));
	STEP(prepend, "b", "ab", .a = T("a"));
	STEP(append, "b", "ba", .a = T("a"));
	STEP(prepend, "", "", .a = T("a"));
	STEP(sort, "失独、孤寡、 失独 、、高龄", "失独,孤寡,高龄", .a = T("、"));
	STEP(sort, "、", "", .a = T("、"));
	char many[200] = "a";
	for (int i = 0; i < 70; i++)
		memcpy(many + 1 + 2 * i, ";a", 3);
	STEP(sort, many, "!VALUE_TOO_LARGE", .a = T(";"));
}

static void names_of_all(void **state)
{
	(void)state;
	for (int i = 0; i < EG_STEP_END; i++) {
		assert_true(*eg_step_name((enum eg_step_kind)i));
		assert_true(*eg_step_doc((enum eg_step_kind)i));
	}
	for (int i = 1; i < EG_FAULT_END; i++) {
		assert_true(*eg_fault_name((enum eg_fault)i));
		assert_true(*eg_fault_text((enum eg_fault)i, true));
		assert_true(*eg_fault_text((enum eg_fault)i, false));
	}
}

/* ---- dates ---- */

static const char *date(const char *format, const char *text)
{
	static char out[64];
	struct eg_when w;
	struct eg_date d;
	const char *why;
	assert_true(eg_when_compile(format, &w, &why));
	if (!eg_when_date(&w, eg_bytes_of(text), &d))
		return "no";
	char day[16];
	eg_date_format(d, day);
	snprintf(out, sizeof out, "%s", day);
	return out;
}

static const char *instant(const char *format, const char *text)
{
	static char out[32];
	struct eg_when w;
	const char *why;
	int64_t us;
	assert_true(eg_when_compile(format, &w, &why));
	if (!eg_when_instant(&w, eg_bytes_of(text), 28800, &us))
		return "no";
	eg_instant_format(us, out);
	return out;
}

#define DATE(format, text, want)    assert_string_equal(date(format, text), want)
#define INSTANT(format, text, want) assert_string_equal(instant(format, text), want)

static void dates(void **state)
{
	(void)state;
	DATE("YYYYMMDD", "19491001", "1949-10-01");
	DATE("YYYYMMDD", "1949101", "no");
	DATE("YYYYMMDD", "194910011", "no");
	DATE("YYYYMMDD", "19491301", "no");
	DATE("YYYYMMDD", "20260229", "no");
	DATE("YYYYMMDD", "20240229", "2024-02-29");
	DATE("YYYYMMDD", "19491000", "1949-10");
	DATE("YYYYMMDD", "19490000", "1949");
	DATE("YYYYMMDD", "19490001", "no");
	DATE("YYYYMMDD", "00000000", "no");
	DATE("YYYY/M/D", "1949/1/2", "1949-01-02");
	DATE("YYYY/M/D", "1949/01/02", "1949-01-02");
	DATE("YYYY年M月D日", "1949年10月1日", "1949-10-01");
	DATE("YYYY年M月D日", "1949年10月1", "no");
	DATE("D.M.YYYY", "1.10.1949", "1949-10-01");
	DATE("YYYY", "1949", "1949");
	DATE("YYYY-MM-DDThh:mm:ss.f", "2026-03-01T08:00:09.25", "2026-03-01");
	DATE("auto", "1949-10-01", "1949-10-01");
	DATE("auto", "1949-1-2", "1949-01-02");
	DATE("auto", "19491001", "1949-10-01");
	DATE("auto", "1949/10/1", "1949-10-01");
	DATE("auto", "1949.10.01", "1949-10-01");
	DATE("auto", "1949年10月1日", "1949-10-01");
	DATE("auto", "1949-10", "1949-10");
	DATE("auto", "194910", "1949-10");
	DATE("auto", "1949年10月", "1949-10");
	DATE("auto", "1949年", "1949");
	DATE("auto", "1949", "1949");
	DATE("auto", "1949-10-01 00:00:00", "1949-10-01");
	DATE("auto", "1949-10-01 00:00:00.0", "1949-10-01");
	DATE("auto", "1949-10-01T08:30", "1949-10-01");
	DATE("auto", "1949-10-01 25:00", "no");
	DATE("auto", "1949-10-01x", "no");
	DATE("auto", "49-10-01", "no");
	DATE("auto", "", "no");
	DATE("auto", "农历八月十五", "no");
	DATE("excel", "18172", "1949-10-01");
	DATE("excel", "46082.5", "2026-03-01");
	DATE("excel", "60", "no"); /* 29 February 1900 */
	DATE("excel", "99999999", "no");
	DATE("excel", "1.", "no");
}

static void instants(void **state)
{
	(void)state;
	INSTANT("auto", "2026-03-01 08:00:00", "2026-03-01T00:00:00.000000Z");
	INSTANT("auto", "2026-03-01 8:00", "2026-03-01T00:00:00.000000Z");
	INSTANT("auto", "2026-03-01T08:00:00.123456+08:00", "2026-03-01T00:00:00.123456Z");
	INSTANT("auto", "2026-03-01T08:00:00Z", "2026-03-01T08:00:00.000000Z");
	INSTANT("auto", "2026-03-01 08:00:00 +0900", "2026-02-28T23:00:00.000000Z");
	INSTANT("auto", "2026-03-01T08:00:00-02", "2026-03-01T10:00:00.000000Z");
	INSTANT("auto", "20260301080000", "2026-03-01T00:00:00.000000Z");
	INSTANT("auto", "2026-03-01", "2026-02-28T16:00:00.000000Z");
	INSTANT("auto", "2026-03-01 24:00:00", "no");
	INSTANT("auto", "2026-03", "no");
	INSTANT("auto", "2026-03-01 08:60:00", "no");
	INSTANT("auto", "2026-03-01 08:00:00 +25", "no");
	INSTANT("auto", "2026-03-01 08:00:00 x", "no");
	INSTANT("auto", "2026030108000", "no");
	INSTANT("YYYYMMDDhhmmss", "20260301080000", "2026-03-01T00:00:00.000000Z");
	INSTANT("YYYYMMDDhhmmssf", "20260301080000123", "2026-03-01T00:00:00.123000Z");
	INSTANT("YYYY/M/D h:mm", "2026/3/1 8:05", "2026-03-01T00:05:00.000000Z");
	INSTANT("excel", "46082.5", "2026-03-01T04:00:00.000000Z");
}

static void formats(void **state)
{
	static const char *const wrong[] = {
	        "",        "MM-DD",   "YYY",    "YYYYY",
	        "YYYYMMM", "YYYYsss", "YYYY m", "YYYY-MM-DD-hh-mm-ss-f------------"};
	struct eg_when w;
	const char *why = "";
	(void)state;
	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(eg_when_compile(wrong[i], &w, &why));
		assert_true(*why);
	}
}

static void written(void **state)
{
	struct eg_buf b = {0};
	struct eg_when w;
	const char *why;
	(void)state;
	assert_true(eg_when_compile("YYYY年M月D日 h:mm:ss.f", &w, &why));
	eg_when_write_instant(&w, 1772323209000005, 28800, &b);
	eg_buf_printf(&b, "|");
	assert_true(eg_when_compile("auto", &w, &why));
	eg_when_write_instant(&w, -1, 0, &b);
	eg_buf_printf(&b, "|");
	eg_when_write_date(&w, (struct eg_date){1949, 10, 0}, &b);
	eg_buf_printf(&b, "|");
	assert_true(eg_when_compile("YYYYMMDD", &w, &why));
	eg_when_write_date(&w, (struct eg_date){1949, 1, 2}, &b);
	eg_buf_add_u8(&b, 0);
	assert_string_equal((char *)b.p,
	                    "2026年3月1日 8:00:09.000005|1969-12-31 23:59:59|1949-10-00|19490102");
	eg_buf_free(&b);
}

/* Any date, written by a format and read by it, is the same; and "auto" reads what it writes itself. */
static void there_and_back(void **state)
{
	static const char *const forms[] = {"YYYYMMDD", "YYYY-M-D", "D/M/YYYY", "YYYY年MM月DD日", "auto"};
	const char *given = getenv("EG_SEED");
	unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srand(seed);
	for (int round = 0; round < 20000; round++) {
		struct eg_date d = eg_date_of_instant((rand() % 100000 - 50000) * 86400 * EG_SECOND, 0), back;
		struct eg_when w;
		struct eg_buf b = {0};
		const char *why;
		int64_t us = ((int64_t)rand() - RAND_MAX / 2) * EG_SECOND, again;
		assert_true(eg_when_compile(forms[(size_t)rand() % 5], &w, &why));
		eg_when_write_date(&w, d, &b);
		assert_true(eg_when_date(&w, eg_buf_bytes(&b), &back));
		assert_int_equal(eg_date_cmp(d, back), 0);
		eg_buf_reset(&b);
		w = (struct eg_when){.automatic = true};
		eg_when_write_instant(&w, us, 28800, &b);
		assert_true(eg_when_instant(&w, eg_buf_bytes(&b), 28800, &again));
		assert_true(us == again);
		eg_buf_free(&b);
	}
}

/* ---- decimals ---- */

static const char *decimal(const char *text, unsigned scale, bool money)
{
	static char out[32];
	int64_t v;
	if (!(money ? eg_amount : eg_decimal)(eg_bytes_of(text), scale, &v))
		return "no";
	snprintf(out, sizeof out, "%lld", (long long)v);
	return out;
}

#define DECIMAL(text, scale, want) assert_string_equal(decimal(text, scale, false), want)
#define MONEY(text, scale, want)   assert_string_equal(decimal(text, scale, true), want)

static void decimals(void **state)
{
	(void)state;
	DECIMAL("0", 0, "0");
	DECIMAL("-17", 0, "-17");
	DECIMAL("+17.00", 0, "17");
	DECIMAL("17.01", 0, "no");
	DECIMAL("17.", 0, "no");
	DECIMAL(".5", 2, "no");
	DECIMAL("", 0, "no");
	DECIMAL("-", 0, "no");
	DECIMAL("1e3", 0, "no");
	DECIMAL("１", 0, "no");
	DECIMAL("9223372036854775807", 0, "9223372036854775807");
	DECIMAL("-9223372036854775808", 0, "-9223372036854775808");
	DECIMAL("9223372036854775808", 0, "no");
	DECIMAL("92233720368547758.07", 2, "9223372036854775807");
	DECIMAL("92233720368547758.08", 2, "no");
	DECIMAL("92233720368547759", 2, "no");
	/* what binary fractions get wrong */
	DECIMAL("0.29", 2, "29");
	DECIMAL("1.15", 2, "115");
	DECIMAL("4.35", 2, "435");
	DECIMAL("0.1", 2, "10");
	DECIMAL("0.105", 2, "no");
	DECIMAL("0.100", 2, "10");
	DECIMAL("1,234,567.89", 2, "123456789");
	DECIMAL("12,34", 2, "no");
	DECIMAL("1,2345", 2, "no");
	DECIMAL(",123", 2, "no");
	DECIMAL("1234,567", 0, "no");
	MONEY("¥1,234.5", 2, "123450");
	MONEY("￥600元", 2, "60000");
	MONEY("1.5", 6, "1500000");
	MONEY("元", 2, "no");
	MONEY("60000", 0, "60000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(white_space_and_width),
	                                   cmocka_unit_test(numbers_of_documents),
	                                   cmocka_unit_test(parts),
	                                   cmocka_unit_test(names_of_all),
	                                   cmocka_unit_test(dates),
	                                   cmocka_unit_test(instants),
	                                   cmocka_unit_test(formats),
	                                   cmocka_unit_test(written),
	                                   cmocka_unit_test(there_and_back),
	                                   cmocka_unit_test(decimals)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
