/* ID numbers: the standard's own example, every form, every fault; every single slip caught, over generated
 * numbers. Numbers are generated here or come from the standard. EG_SEED repeats a run. */
#include "model/id_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define STANDARD "11010519491231002X" /* GB 11643-1999, its example */

static uint64_t rng;

static unsigned random_below(unsigned n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (unsigned)((rng >> 11) % n);
}

static void seed(void)
{
	const char *given = getenv("EG_SEED");

	rng = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	printf("EG_SEED=%llu\n", (unsigned long long)rng);
	rng = rng * 2654435761U + 88172645463325252U;
}

static struct eg_id parse(const char *text)
{
	struct eg_id id;

	eg_id_parse(eg_bytes_of(text), &id);
	return id;
}

static const char *closed(char full[19], const char *first17)
{
	memcpy(full, first17, 17);
	full[17] = eg_id_check_digit(first17);
	full[18] = 0;
	return full;
}

static void generate(char out[19])
{
	static const char *const regions[] = {"110105", "330302", "330381", "530112", "440106",
	                                      "650101", "810000", "911156", "710000", "500101"};
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned month = random_below(12);
	char digits[48];

	snprintf(digits, sizeof digits, "%s%04u%02u%02u%03u", regions[random_below(10)],
	         1900 + random_below(120), month + 1, 1 + random_below(days[month]), random_below(1000));
	closed(out, digits);
}

static void test_standard(void **state)
{
	(void)state;
	struct eg_id id = parse(STANDARD);

	assert_int_equal(id.form, EG_ID_RESIDENT_18);
	assert_int_equal(id.flags, 0);
	assert_string_equal(id.id18, STANDARD);
	assert_false(id.derived);
	assert_int_equal(id.birth.year, 1949);
	assert_int_equal(id.birth.month, 12);
	assert_int_equal(id.birth.day, 31);
	assert_int_equal(id.sex, 2);
	assert_int_equal(eg_id_check_digit("11010519491231002"), 'X');
	/* Its brother: the annex's second example, a man. */
	assert_int_equal(parse("440524188001010014").sex, 1);
	assert_int_equal(parse("440524188001010014").birth.year, 1880);
	assert_int_equal(parse("440524188001010014").flags, 0);
}

static void test_normalised(void **state)
{
	(void)state;
	static const char *const forms[] = {
	        "11010519491231002x",
	        "11010519491231002Ｘ",
	        "11010519491231002ｘ",
	        "11010519491231002×",
	        "１１０１０５１９４９１２３１００２Ｘ",
	        " 110105 19491231 002X ",
	        "\t11010519491231002X\r\n",
	        "　110105　19491231002X　",
	        "\xC2\xA0"
	        "11010519491231002X\xE2\x80\x8B", /* no-break space, zero-width space */
	        "\xEF\xBB\xBF"
	        "11010519491231002X", /* byte order mark */
	        "'11010519491231002X",
	        "11010519491231002Х", /* Cyrillic */
	};

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct eg_id id = parse(forms[i]);

		if (id.flags || strcmp(id.id18, STANDARD) != 0)
			fail_msg("form %zu was not read", i);
	}
}

/* Every wrong single digit and every swap of neighbours, the check digit's place too. */
static void test_slips(void **state)
{
	(void)state;
	unsigned long slips = 0, with_x = 0;

	seed();
	for (int round = 0; round < 20000; round++) {
		char good[19], bad[19];

		generate(good);
		with_x += good[17] == 'X';
		assert_int_equal(parse(good).flags, 0);
		assert_string_equal(parse(good).id18, good);
		for (int at = 0; at < 18; at++) {
			for (const char *c = "0123456789X"; *c; c++) {
				if (*c == good[at])
					continue;
				memcpy(bad, good, sizeof bad);
				bad[at] = *c;
				struct eg_id id = parse(bad);

				if (!(id.flags & (EG_ID_BAD_CHECK_DIGIT | EG_ID_BAD_CHARACTERS)) ||
				    id.id18[0])
					fail_msg("a wrong character %d passed in round %d", at, round);
				slips++;
			}
			if (at == 17 || good[at] == good[at + 1])
				continue;
			memcpy(bad, good, sizeof bad);
			bad[at] = good[at + 1];
			bad[at + 1] = good[at];
			struct eg_id id = parse(bad);

			if (!(id.flags & (EG_ID_BAD_CHECK_DIGIT | EG_ID_BAD_CHARACTERS)) || id.id18[0])
				fail_msg("a swap at %d passed in round %d", at, round);
			slips++;
		}
	}
	assert_true(slips > 3500000);
	assert_true(with_x > 1000); /* about one in eleven */
}

static void test_old_form(void **state)
{
	(void)state;
	struct eg_id id = parse("110105491231002");

	assert_int_equal(id.form, EG_ID_RESIDENT_15);
	assert_int_equal(id.flags, 0);
	assert_true(id.derived);
	assert_string_equal(id.id18, STANDARD);
	assert_int_equal(id.sex, 2);
	assert_int_equal(id.birth.year, 1949);
	assert_int_equal(parse("110105491231003").sex, 1);

	id = parse("110105491331002");
	assert_int_equal(id.flags, EG_ID_BAD_DATE);
	assert_string_equal(id.id18, "");
	assert_false(id.derived);
	/* Nobody with a number that begins with 9 ever had 15 digits. */
	assert_int_equal(parse("990105491231002").flags, EG_ID_UNKNOWN_REGION);
	assert_int_equal(parse("380105491231002").flags, EG_ID_UNKNOWN_REGION);
	assert_string_not_equal(parse("380105491231002").id18, "");
	/* An X has no place in it. */
	assert_true(parse("11010549123100X").flags & EG_ID_BAD_CHARACTERS);

	for (const char *sequence = "995"; sequence;) {
		char text[16];
		bool old = strcmp(sequence, "995") != 0;

		snprintf(text, sizeof text, "110105981231%s", sequence);
		id = parse(text);
		assert_int_equal(id.flags, old ? EG_ID_CENTENARIAN_15 : 0);
		assert_int_equal(id.birth.year, old ? 0 : 1998);
		assert_int_equal(id.derived, !old);
		assert_int_equal(id.id18[0] != 0, !old);
		sequence = !strcmp(sequence, "995")   ? "996"
		           : !strcmp(sequence, "996") ? "997"
		           : !strcmp(sequence, "997") ? "998"
		           : !strcmp(sequence, "998") ? "999"
		                                      : NULL;
	}
}

/* Deriving and cutting again gives the old number back. */
static void test_derivation_round_trip(void **state)
{
	(void)state;
	seed();
	for (int round = 0; round < 20000; round++) {
		char full[19], old[16];

		generate(full);
		if (memcmp(full + 6, "19", 2) != 0 || memcmp(full + 14, "996", 3) >= 0)
			continue;
		memcpy(old, full, 6);
		memcpy(old + 6, full + 8, 9);
		old[15] = 0;
		assert_string_equal(parse(old).id18, full);
	}
}

static void test_other_documents(void **state)
{
	(void)state;
	char full[19];

	assert_int_equal(parse(closed(full, "81000019530315012")).form, EG_ID_PERMIT_18);
	assert_int_equal(parse(closed(full, "82000019530315012")).form, EG_ID_PERMIT_18);
	assert_int_equal(parse(closed(full, "83000019530315012")).form, EG_ID_PERMIT_18);
	assert_int_equal(parse(full).flags, 0);
	assert_string_equal(parse(full).id18, full);
	assert_int_equal(parse(closed(full, "91115619530315012")).form, EG_ID_FOREIGN_18);
	assert_int_equal(parse(full).flags, 0);
	assert_int_equal(parse(full).birth.year, 1953);

	struct eg_id id = parse("usa310053031501");

	assert_int_equal(id.form, EG_ID_FOREIGN_15);
	assert_int_equal(id.flags, 0);
	assert_string_equal(id.id18, "");
	assert_int_equal(parse("US1310053031501").form, EG_ID_UNREADABLE);
}

static void test_regions(void **state)
{
	(void)state;
	/* Abolished, local and new county codes: an ID bears the code of its issue. */
	static const char *const pass[] = {"330321", "330322", "330323", "330325", "339004", "530121",
	                                   "530122", "412723", "441282", "342401", "330383", "110000"};
	static const char *const warn[] = {"010105", "160105", "240105", "380105", "470105",
	                                   "550105", "660105", "720105", "840105", "000000"};
	char digits[48], full[19];

	for (size_t i = 0; i < sizeof pass / sizeof *pass; i++) {
		snprintf(digits, sizeof digits, "%s19400229123", pass[i]);
		assert_int_equal(parse(closed(full, digits)).flags, 0);
	}
	for (size_t i = 0; i < sizeof warn / sizeof *warn; i++) {
		snprintf(digits, sizeof digits, "%s19400229123", warn[i]);
		assert_int_equal(parse(closed(full, digits)).flags, EG_ID_UNKNOWN_REGION);
		assert_string_equal(parse(full).id18, full); /* a warning does not take the number away */
	}
}

static void test_dates(void **state)
{
	(void)state;
	static const struct {
		const char *date;
		bool good;
	} rows[] = {{"20000229", true},  {"19000229", false}, {"19410229", false}, {"19440229", true},
	            {"19490431", false}, {"19490430", true},  {"19490001", false}, {"19491301", false},
	            {"19490100", false}, {"19490132", false}, {"00000101", false}, {"09490101", false},
	            {"17991231", false}, {"18000101", true},  {"99991231", true}};
	char digits[48], full[19];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		snprintf(digits, sizeof digits, "110105%s002", rows[i].date);
		struct eg_id id = parse(closed(full, digits));

		assert_int_equal(id.flags, rows[i].good ? 0 : EG_ID_BAD_DATE);
		assert_int_equal(id.birth.year != 0, rows[i].good);
		assert_int_equal(id.id18[0] != 0, rows[i].good);
	}
}

static void test_faults(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		unsigned flags;
	} rows[] = {
	        {"1101051949123100", EG_ID_BAD_LENGTH},
	        {"11010519491231002", EG_ID_BAD_LENGTH},
	        {"11010519491231002X0", EG_ID_BAD_LENGTH | EG_ID_BAD_CHARACTERS},
	        {"1", EG_ID_BAD_LENGTH},
	        {"X", EG_ID_BAD_LENGTH},
	        {"1101051949123100XX", EG_ID_BAD_CHARACTERS},
	        {"1101051949123100 ?X", EG_ID_BAD_CHARACTERS},
	        {"11010519491231002Y", EG_ID_BAD_CHARACTERS},
	        {"110105********002X", EG_ID_BAD_CHARACTERS},
	        {"一10105194912310021", EG_ID_BAD_CHARACTERS},
	        {"E12345678", EG_ID_BAD_LENGTH | EG_ID_BAD_CHARACTERS},
	        {"110105194912310021", EG_ID_BAD_CHECK_DIGIT},
	        {"1.10105E+17", EG_ID_EXCEL},
	        {"1.10105e+17", EG_ID_EXCEL},
	        {"1E17", EG_ID_EXCEL},
	        {"1.10105E+", EG_ID_BAD_LENGTH | EG_ID_BAD_CHARACTERS},
	        {"E+17", EG_ID_BAD_LENGTH | EG_ID_BAD_CHARACTERS},
	        {"110105194912310000", EG_ID_BAD_CHECK_DIGIT | EG_ID_EXCEL},
	        {"11010519491231002X11010519491231002X11010519491231002X",
	         EG_ID_BAD_LENGTH | EG_ID_BAD_CHARACTERS},
	        {"11010519491231002\xFF", EG_ID_BAD_CHARACTERS},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct eg_id id = parse(rows[i].text);

		if (id.flags != rows[i].flags)
			fail_msg("row %zu: flags %u, not %u", i, id.flags, rows[i].flags);
		assert_string_equal(id.id18, "");
		assert_int_not_equal(id.form, EG_ID_ABSENT);
	}
}

static void test_absent(void **state)
{
	(void)state;
	static const char *const words[] = {"",  " ", "　",   "无",  "不详",
	                                    "-", "/", "null", "N/A", "\xE2\x80\x8B"};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		assert_int_equal(parse(words[i]).form, EG_ID_ABSENT);
		assert_int_equal(parse(words[i]).flags, 0);
	}
	assert_int_equal(parse(NULL).form, EG_ID_ABSENT);
}

/* Whatever bytes come: no crash, and never a number that the standard would not give. */
static void test_garbage(void **state)
{
	(void)state;
	static const char alphabet[] = "0123456789012345678901234567890XxE+. \xEF\xBC\x98\xC3\x97\xFF";

	seed();
	for (int round = 0; round < 200000; round++) {
		uint8_t text[64];
		size_t n = random_below(sizeof text);
		struct eg_id id;

		for (size_t i = 0; i < n; i++)
			text[i] = (uint8_t)alphabet[random_below(sizeof alphabet)];
		eg_id_parse((struct eg_bytes){text, n}, &id);
		if (id.id18[0]) {
			assert_int_equal(strlen(id.id18), 18);
			assert_int_equal(eg_id_check_digit(id.id18), id.id18[17]);
			assert_int_equal(id.flags & EG_ID_FAULTS, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_standard),
	        cmocka_unit_test(test_normalised),
	        cmocka_unit_test(test_slips),
	        cmocka_unit_test(test_old_form),
	        cmocka_unit_test(test_derivation_round_trip),
	        cmocka_unit_test(test_other_documents),
	        cmocka_unit_test(test_regions),
	        cmocka_unit_test(test_dates),
	        cmocka_unit_test(test_faults),
	        cmocka_unit_test(test_absent),
	        cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests_name("model/id_number", tests, NULL, NULL);
}
