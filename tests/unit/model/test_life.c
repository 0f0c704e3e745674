/* Holds eg_life_status against life.csv, which was written by hand from the domain page: each of the 72
 * combinations exactly once. */
#include "model/life.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROWS = 4 * 3 * 3 * 2, COLUMNS = 7 };

static const char *const polices[] = {[EG_POLICE_NONE] = "NONE",
                                      [EG_POLICE_ALIVE] = "ALIVE",
                                      [EG_POLICE_CANCELLED_DEATH] = "CANCELLED_DEATH",
                                      [EG_POLICE_RESTORED] = "RESTORED"};
static const char *const evidences[] = {
        [EG_EVIDENCE_NONE] = "NONE", [EG_EVIDENCE_VALID] = "VALID", [EG_EVIDENCE_VOIDED] = "VOIDED"};
static const char *const yes_no[] = {"no", "yes"};
static const enum eg_life all[] = {EG_LIFE_ALIVE, EG_LIFE_SUSPECTED, EG_LIFE_DECEASED, EG_LIFE_DISPUTED,
                                   EG_LIFE_UNKNOWN};

static unsigned word(const char *text, const char *const *words, size_t n, unsigned line)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, words[i]) == 0)
			return i;
	}
	fail_msg("life.csv:%u: '%s' is no value of its column", line, text);
	return 0;
}

static void split(char *text, char *cells[COLUMNS], unsigned line)
{
	for (int i = 0; i < COLUMNS - 1; i++) {
		cells[i] = text;
		text = strchr(text, ',');
		if (!text)
			fail_msg("life.csv:%u: fewer than %d columns", line, COLUMNS);
		*text++ = 0;
	}
	cells[COLUMNS - 1] = text; /* the last one is quoted, commas and all */
}

static FILE *open_table(void)
{
	char path[512];
	const char *slash = strrchr(__FILE__, '/');
	FILE *f;

	snprintf(path, sizeof path, "%.*slife.csv", slash ? (int)(slash - __FILE__ + 1) : 0, __FILE__);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s does not open; run from the root of the checkout", path);
	return f;
}

static void test_table(void **state)
{
	(void)state;
	FILE *f = open_table();
	bool seen[ROWS] = {false};
	char text[1024], *cells[COLUMNS];
	unsigned line = 1, rows = 0;

	assert_non_null(fgets(text, sizeof text, f)); /* the head */
	assert_string_equal(text, "police,certificate,cremation,later_sign,life_status,page,sentence\n");
	while (fgets(text, sizeof text, f)) {
		line++;
		split(text, cells, line);
		unsigned police = word(cells[0], polices, 4, line);
		unsigned certificate = word(cells[1], evidences, 3, line);
		unsigned cremation = word(cells[2], evidences, 3, line);
		unsigned later = word(cells[3], yes_no, 2, line);
		unsigned at = ((police * 3 + certificate) * 3 + cremation) * 2 + later;
		enum eg_life got = eg_life_status((struct eg_life_input){
		        .police = (enum eg_police)police,
		        .certificate = (enum eg_evidence)certificate,
		        .cremation = (enum eg_evidence)cremation,
		        .later_sign_of_life = later,
		});

		if (seen[at])
			fail_msg("life.csv:%u: this combination stood before", line);
		seen[at] = true;
		rows++;
		if (strcmp(eg_life_name(got), cells[4]) != 0)
			fail_msg("life.csv:%u: %s/%s/%s/%s: the page says %s, the code %s", line, cells[0],
			         cells[1], cells[2], cells[3], cells[4], eg_life_name(got));
		/* A row without its sentence is an opinion. */
		assert_true(strcmp(cells[5], "domain.md") == 0 || strcmp(cells[5], "design.md") == 0);
		assert_true(cells[6][0] == '"' && strlen(cells[6]) > 20);
	}
	fclose(f);
	assert_int_equal(rows, ROWS);
}

/* What holds for any row, said once more as laws, so that a slip in both tables still shows. */
static void test_laws(void **state)
{
	(void)state;
	for (unsigned at = 0; at < ROWS; at++) {
		struct eg_life_input in = {
		        .police = (enum eg_police)(at / 18),
		        .certificate = (enum eg_evidence)(at / 6 % 3),
		        .cremation = (enum eg_evidence)(at / 2 % 3),
		        .later_sign_of_life = at % 2,
		};
		enum eg_life got = eg_life_status(in);
		struct eg_life_input other = in;

		/* UNKNOWN needs that nobody registers the person; ALIVE, that somebody does. */
		if (got == EG_LIFE_UNKNOWN)
			assert_int_equal(in.police, EG_POLICE_NONE);
		if (got == EG_LIFE_ALIVE)
			assert_true(in.police == EG_POLICE_ALIVE || in.police == EG_POLICE_RESTORED);
		/* A valid certificate never leaves the person plainly alive, suspected or unknown. */
		if (in.certificate == EG_EVIDENCE_VALID)
			assert_true(got == EG_LIFE_DECEASED || got == EG_LIFE_DISPUTED);
		/* A later sign of life never makes anyone more dead; without one, DISPUTED needs a removal.
		 */
		if (in.later_sign_of_life) {
			assert_int_not_equal(got, EG_LIFE_DECEASED);
		} else if (got == EG_LIFE_DISPUTED) {
			assert_true(in.police == EG_POLICE_RESTORED || in.certificate == EG_EVIDENCE_VOIDED ||
			            in.cremation == EG_EVIDENCE_VOIDED);
		}
		/* Where all evidence is voided, it is as if there never had been any. */
		if (in.certificate != EG_EVIDENCE_VALID && in.cremation != EG_EVIDENCE_VALID &&
		    in.police != EG_POLICE_CANCELLED_DEATH) {
			other.certificate = other.cremation = EG_EVIDENCE_NONE;
			assert_int_equal(got, eg_life_status(other));
		}
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(eg_life_name(EG_LIFE_SUSPECTED), "SUSPECTED_DECEASED");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(eg_life_name(all[i]), eg_life_name(all[k]));
	}
	assert_string_equal(eg_life_name((enum eg_life)9), "");
	/* An input that cannot be asks a person to look. */
	assert_int_equal(eg_life_status((struct eg_life_input){.police = (enum eg_police)4}),
	                 EG_LIFE_DISPUTED);
	assert_int_equal(eg_life_status((struct eg_life_input){.cremation = (enum eg_evidence)3}),
	                 EG_LIFE_DISPUTED);
}

/* The police lag behind wherever a person whom they have as alive is dead, or suspected to be, by other
 * evidence. */
static void lags(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROWS; i++) {
		struct eg_life_input in = {(enum eg_police)(i / 18), (enum eg_evidence)(i / 6 % 3),
		                           (enum eg_evidence)(i / 2 % 3), i % 2};
		enum eg_life life = eg_life_status(in);
		assert_int_equal(eg_life_lags(in),
		                 in.police == EG_POLICE_ALIVE &&
		                         (life == EG_LIFE_SUSPECTED || life == EG_LIFE_DECEASED));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_table),
	        cmocka_unit_test(test_laws),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(lags),
	};

	return cmocka_run_group_tests_name("model/life", tests, NULL, NULL);
}
