/* Grading: every reason that a record by itself can have, each from the smallest claim that has it; and the
 * identity that a claim offers. Numbers and names are made up (the ID number is the standard's example). */
#include "model/grade.h"

#include "model/id_number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID18 "11010519491231002X" /* a woman, 1949-12-31 */
#define ID15 "110105491231002"

static int64_t now; /* 2026-03-01 12:00 UTC */

static int setup(void **state)
{
	(void)state;
	return eg_instant_parse("2026-03-01T12:00:00Z", &now) ? 0 : -1;
}

/* --- claims of one's own making --- */

struct fixture {
	struct eg_claim c;
	struct eg_value v[64];
};

static struct fixture claim(enum eg_section s)
{
	return (struct fixture){.c = {.agency = eg_bytes_of("police-a"),
	                              .dataset = eg_bytes_of("registry"),
	                              .source_key = eg_bytes_of("k1"),
	                              .section = s,
	                              .version = 1,
	                              .op = EG_ASSERT}};
}

static struct eg_value *slot(struct fixture *f, unsigned number)
{
	unsigned at = f->c.n;

	for (unsigned i = 0; i < f->c.n; i++) {
		if (f->v[i].number == number)
			return &f->v[i];
	}
	while (at > 0 && f->v[at - 1].number > number) {
		f->v[at] = f->v[at - 1];
		at--;
	}
	f->c.n++;
	f->v[at] = (struct eg_value){.number = (uint8_t)number};
	return &f->v[at];
}

static void set_text(struct fixture *f, unsigned number, const char *text)
{
	slot(f, number)->text = eg_bytes_of(text);
}

static void set_int(struct fixture *f, unsigned number, int64_t i)
{
	slot(f, number)->i = i;
}

static void set_date(struct fixture *f, unsigned number, const char *text)
{
	struct eg_date d;

	assert_true(eg_date_parse(text, &d));
	slot(f, number)->i = eg_date_pack(d);
}

static void set_time(struct fixture *f, unsigned number, const char *text)
{
	assert_true(eg_instant_parse(text, &slot(f, number)->i));
}

/* Nothing is wrong with it. */
static struct fixture good(enum eg_section s)
{
	struct fixture f = claim(s);

	set_text(&f, 1, ID18);
	set_text(&f, 3, "王甲");
	return f;
}

static struct eg_reasons grade(struct fixture *f)
{
	struct eg_reasons r;

	f->c.values = f->v;
	eg_grade(&f->c, now, &r);
	return r;
}

static bool has(const struct eg_reasons *r, enum eg_reason_code code, const char *field)
{
	for (unsigned i = 0; i < r->n; i++) {
		if (r->v[i].code == code && (!field || strcmp(r->v[i].field, field) == 0))
			return true;
	}
	return false;
}

/* This one reason at this field and no other. */
static void only(struct fixture *f, enum eg_reason_code code, const char *field)
{
	struct eg_reasons r = grade(f);

	if (r.n != 1 || !has(&r, code, field)) {
		for (unsigned i = 0; i < r.n; i++)
			print_message("  got %s at %s\n", eg_reason_name(r.v[i].code), r.v[i].field);
		fail_msg("expected only %s at %s", eg_reason_name(code), field);
	}
	assert_int_equal(eg_reasons_quarantine(&r), eg_reason_severity(code) == EG_SEV_ERROR);
}

static void clean(struct fixture *f)
{
	struct eg_reasons r = grade(f);

	if (r.n)
		fail_msg("%s at %s", eg_reason_name(r.v[0].code), r.v[0].field);
}

/* --- the table of reasons --- */

static void test_reason_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int number;
	} rows[] = {
#define X(name, number, severity, zh, en, remedy) {#name, number},
#include "model/reasons.def"
#undef X
	};
	enum { N = sizeof rows / sizeof *rows };

	for (unsigned i = 0; i < N; i++) {
		enum eg_reason_code c = (enum eg_reason_code)rows[i].number;
		const char *zh = eg_reason_text(c, true), *en = eg_reason_text(c, false);
		bool chinese = false;

		assert_string_equal(eg_reason_name(c), rows[i].name);
		if (i > 0)
			assert_true(rows[i].number > rows[i - 1].number);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(rows[k].name, rows[i].name);
		for (const char *p = zh; *p; p++)
			chinese |= (unsigned char)*p >= 0xE4 && (unsigned char)*p <= 0xE9;
		assert_true(chinese && eg_utf8_valid(eg_bytes_of(zh)));
		for (const char *p = en; *p; p++)
			assert_true((unsigned char)*p < 0x80);
		assert_int_equal(en[strlen(en) - 1], '.');
		assert_int_equal(eg_reason_remedy(c)[strlen(eg_reason_remedy(c)) - 1], '.');
		assert_in_range(eg_reason_severity(c), EG_SEV_WARNING, EG_SEV_ERROR);
	}
	assert_string_equal(eg_reason_name((enum eg_reason_code)99), "");
	assert_string_equal(eg_reason_text((enum eg_reason_code)99, true), "");
	assert_string_equal(eg_reason_remedy((enum eg_reason_code)99), "");
	assert_int_equal(eg_reason_severity((enum eg_reason_code)99), EG_SEV_ERROR);
}

static void test_reasons_keep_errors(void **state)
{
	(void)state;
	struct eg_reasons r = {0};
	char field[64];

	for (unsigned i = 0; i < EG_REASONS_MAX + 4; i++) {
		snprintf(field, sizeof field, "f%u", i);
		eg_reasons_add(&r, EG_REASON_CODE_UNKNOWN, field);
		eg_reasons_add(&r, EG_REASON_CODE_UNKNOWN, field); /* once is enough */
	}
	assert_int_equal(r.n, EG_REASONS_MAX);
	assert_false(eg_reasons_quarantine(&r));
	for (unsigned i = 0; i < EG_REASONS_MAX + 4; i++) {
		snprintf(field, sizeof field, "e%u", i);
		eg_reasons_add(&r, EG_REASON_DATE_INVALID, field);
		assert_int_equal(r.n, EG_REASONS_MAX);
		assert_true(eg_reasons_quarantine(&r));
		assert_int_equal(has(&r, EG_REASON_DATE_INVALID, field), i < EG_REASONS_MAX);
		/* The first ones found stay longest. */
		assert_int_equal(has(&r, EG_REASON_CODE_UNKNOWN, "f0"), i + 1 < EG_REASONS_MAX);
	}
	r = (struct eg_reasons){0};
	eg_reasons_add(&r, EG_REASON_INTERNAL, NULL);
	assert_string_equal(r.v[0].field, "");
	memset(field, 'x', sizeof field);
	field[sizeof field - 1] = 0;
	eg_reasons_add(&r, EG_REASON_INTERNAL, field);
	eg_reasons_add(&r, EG_REASON_INTERNAL, field);
	assert_int_equal(r.n, 2);
}

/* --- grading --- */

static void test_good(void **state)
{
	(void)state;
	for (int s = 1; s < EG_SECTION_END; s++) {
		struct fixture f = good((enum eg_section)s);

		clean(&f);
	}
	/* Every field of the registration, as a real one would be. */
	struct fixture f = good(EG_REGISTRATION);

	set_int(&f, EG_FN_REGISTRATION_id_type, 1);
	set_text(&f, EG_FN_REGISTRATION_sex, "2");
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1949-12-31");
	set_text(&f, EG_FN_REGISTRATION_former_name, "王·甲乙");
	set_text(&f, EG_FN_REGISTRATION_ethnic_group, "97");
	set_text(&f, EG_FN_REGISTRATION_marital_status, "20");
	set_text(&f, EG_FN_REGISTRATION_address_region, "330302");
	set_int(&f, EG_FN_REGISTRATION_registration_status, 3);
	set_date(&f, EG_FN_REGISTRATION_death_date, "2026-01");
	set_date(&f, EG_FN_REGISTRATION_death_cancellation_date, "2026-02-27");
	f.c.event_time = now;
	f.c.valid_from = (struct eg_date){2020, 1, 1};
	f.c.valid_to = (struct eg_date){2020, 0, 0};
	clean(&f);
}

static void test_id_grades(void **state)
{
	(void)state;
	static const struct {
		const char *number;
		enum eg_reason_code code;
	} rows[] = {
	        {"11010519491231002", EG_REASON_ID_LENGTH},
	        {"1101051949123100ZX", EG_REASON_ID_CHARACTERS},
	        {"110105194912310029", EG_REASON_ID_CHECK_DIGIT},
	        {"110105194913310029", EG_REASON_ID_DATE},
	        {"1.10105E+17", EG_REASON_EXCEL_DAMAGE},
	        {ID15, EG_REASON_ID_DERIVED_15},
	        {"110105981231997", EG_REASON_ID_BORN_1800S},
	        {"无", EG_REASON_ID_MISSING},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f = good(EG_FUNERAL);
		char whole[19];

		set_text(&f, EG_FN_FUNERAL_id_number, rows[i].number);
		if (rows[i].code == EG_REASON_ID_DATE) {
			memcpy(whole, rows[i].number, sizeof whole);
			whole[17] = eg_id_check_digit(whole);
			set_text(&f, EG_FN_FUNERAL_id_number, whole);
		}
		only(&f, rows[i].code, "funeral.id_number");
	}

	char region[19] = "99010519491231002", future[19] = "11010520260401002";
	struct fixture f = good(EG_CARE);

	memcpy(region, "38", 2);
	region[17] = eg_id_check_digit(region);
	set_text(&f, EG_FN_CARE_id_number, region);
	only(&f, EG_REASON_ID_REGION_UNKNOWN, "care.id_number");
	/* Born tomorrow: a date, but none that a number can have. */
	future[17] = eg_id_check_digit(future);
	set_text(&f, EG_FN_CARE_id_number, future);
	only(&f, EG_REASON_ID_DATE, "care.id_number");
}

static void test_id_against_fields(void **state)
{
	(void)state;
	struct fixture f = good(EG_REGISTRATION);

	set_date(&f, EG_FN_REGISTRATION_birth_date, "1949-12-30");
	only(&f, EG_REASON_ID_BIRTH_CONFLICT, "registration.birth_date");
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1950");
	only(&f, EG_REASON_ID_BIRTH_CONFLICT, "registration.birth_date");
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1949-12");
	clean(&f);
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1949");
	clean(&f);
	set_text(&f, EG_FN_REGISTRATION_sex, "1");
	only(&f, EG_REASON_ID_SEX_CONFLICT, "registration.sex");
	set_text(&f, EG_FN_REGISTRATION_sex, "9");
	clean(&f);
	set_text(&f, EG_FN_REGISTRATION_sex, "0");
	clean(&f);

	/* A number with a fault says nothing against the other fields. */
	set_text(&f, EG_FN_REGISTRATION_id_number, "110105194912310029");
	set_text(&f, EG_FN_REGISTRATION_sex, "1");
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1960-01-01");
	only(&f, EG_REASON_ID_CHECK_DIGIT, "registration.id_number");
}

static void test_id_types(void **state)
{
	(void)state;
	char permit[19] = "81000019530315012";
	struct fixture f = good(EG_REGISTRATION);

	permit[17] = eg_id_check_digit(permit);
	for (int type = 0; type <= 6; type++) {
		set_int(&f, EG_FN_REGISTRATION_id_type, type ? type : 1);
		set_text(&f, EG_FN_REGISTRATION_id_number, ID18);
		if (type <= 1)
			clean(&f);
		else
			only(&f, EG_REASON_ID_TYPE_CONFLICT, "registration.id_type");
		set_text(&f, EG_FN_REGISTRATION_id_number, permit);
		if (type == 2)
			clean(&f);
		else
			only(&f, EG_REASON_ID_TYPE_CONFLICT, "registration.id_type");
		/* A passport's number is judged by nobody here; as an ID number it is none. */
		set_text(&f, EG_FN_REGISTRATION_id_number, "E12345678");
		struct eg_reasons r = grade(&f);

		assert_int_equal(eg_reasons_quarantine(&r), type <= 3);
		assert_int_equal(r.n, type == 4 || type == 5 ? 0 : type == 6 ? 1 : 2);
	}
	set_int(&f, EG_FN_REGISTRATION_id_type, 3);
	set_text(&f, EG_FN_REGISTRATION_id_number, "USA310053031501");
	clean(&f);
}

static void test_names(void **state)
{
	(void)state;
	struct fixture f = good(EG_ASSISTANCE);

	set_text(&f, EG_FN_ASSISTANCE_name, "王甲2");
	only(&f, EG_REASON_NAME_CHARACTERS, "assistance.name");
	set_text(&f, EG_FN_ASSISTANCE_name, "不详");
	only(&f, EG_REASON_NAME_MISSING, "assistance.name");
	f = claim(EG_ASSISTANCE);
	set_text(&f, EG_FN_ASSISTANCE_id_number, ID18);
	only(&f, EG_REASON_NAME_MISSING, "assistance.name");
	slot(&f, EG_FN_ASSISTANCE_name)->cleared = true;
	only(&f, EG_REASON_NAME_MISSING, "assistance.name");
}

static void test_texts(void **state)
{
	(void)state;
	struct fixture f = good(EG_REGISTRATION);
	unsigned at = EG_FN_REGISTRATION_household_number;
	char text[42] = {0};

	memset(text, '7', 40);
	set_text(&f, at, text);
	clean(&f);
	text[40] = '7';
	set_text(&f, at, text);
	only(&f, EG_REASON_TEXT_TOO_LONG, "registration.household_number");
	set_text(&f, at, "a\xC0\x80");
	only(&f, EG_REASON_TEXT_NOT_UTF8, "registration.household_number");
	slot(&f, at)->text = (struct eg_bytes){(const uint8_t *)"a\0b", 3};
	only(&f, EG_REASON_TEXT_NUL, "registration.household_number");
	set_text(&f, at, "a\nb");
	only(&f, EG_REASON_TEXT_CONTROL, "registration.household_number");
	set_text(&f, at, "ÍõÒÒ");
	only(&f, EG_REASON_MOJIBAKE, "registration.household_number");

	/* Characters, not bytes: 25 of them fit, in three or four bytes each. */
	f = good(EG_REGISTRATION);
	set_text(&f, EG_FN_REGISTRATION_name, "𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷");
	clean(&f);
	set_text(&f, EG_FN_REGISTRATION_name, "甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲甲");
	only(&f, EG_REASON_TEXT_TOO_LONG, "registration.name");
}

static void test_codes(void **state)
{
	(void)state;
	static const char *const ethnic_ok[] = {"01", "37", "56", "57", "58", "97", "98"};
	static const char *const ethnic_bad[] = {"00", "59", "96", "99", "1", "1:", "汉"};
	struct fixture f = good(EG_REGISTRATION);
	unsigned at = EG_FN_REGISTRATION_ethnic_group;

	for (size_t i = 0; i < sizeof ethnic_ok / sizeof *ethnic_ok; i++) {
		set_text(&f, at, ethnic_ok[i]);
		clean(&f);
	}
	for (size_t i = 0; i < sizeof ethnic_bad / sizeof *ethnic_bad; i++) {
		set_text(&f, at, ethnic_bad[i]);
		only(&f, EG_REASON_CODE_UNKNOWN, "registration.ethnic_group");
	}
	f = good(EG_REGISTRATION);
	set_text(&f, EG_FN_REGISTRATION_marital_status, "24");
	only(&f, EG_REASON_CODE_UNKNOWN, "registration.marital_status");
	set_text(&f, EG_FN_REGISTRATION_marital_status, "23");
	clean(&f);
	set_text(&f, EG_FN_REGISTRATION_relation_to_head,
	         "anything"); /* no list: any code of the agency's own */
	clean(&f);

	f = good(EG_FUNERAL);
	set_int(&f, EG_FN_FUNERAL_disposal, 5);
	clean(&f);
	static const int64_t wrong[] = {6, 0, -1, 255, 256, 1 << 20, INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		set_int(&f, EG_FN_FUNERAL_disposal, wrong[i]);
		only(&f, EG_REASON_ENUM_UNKNOWN, "funeral.disposal");
	}
}

/* Every ENUM field has a list, of which the value 1 is a member. */
static void test_every_enum_has_a_list(void **state)
{
	(void)state;
	for (int s = 1; s < EG_SECTION_END; s++) {
		for (unsigned n = 6; n <= EG_FIELD_NUMBER_MAX; n++) {
			const struct eg_field_def *d = eg_field_by_number((enum eg_section)s, n);
			struct fixture f = good((enum eg_section)s);

			if (!d || d->type != EG_TYPE_ENUM)
				continue;
			set_int(&f, n, 1);
			clean(&f);
			set_int(&f, n, 99);
			only(&f, EG_REASON_ENUM_UNKNOWN, NULL);
		}
	}
}

static void test_numbers(void **state)
{
	(void)state;
	struct fixture f = good(EG_FUNERAL);

	set_int(&f, EG_FN_FUNERAL_stated_age, 999);
	clean(&f);
	set_int(&f, EG_FN_FUNERAL_stated_age, 1000);
	only(&f, EG_REASON_NUMBER_TOO_LARGE, "funeral.stated_age");
	set_int(&f, EG_FN_FUNERAL_stated_age, -1);
	only(&f, EG_REASON_NUMBER_NEGATIVE, "funeral.stated_age");
	set_int(&f, EG_FN_FUNERAL_stated_age, INT64_MIN);
	only(&f, EG_REASON_NUMBER_NEGATIVE, "funeral.stated_age");
	f = good(EG_CARE);
	set_int(&f, EG_FN_CARE_ability_level, 0);
	clean(&f);
}

static void test_dates(void **state)
{
	(void)state;
	static const int64_t wrong[] = {
	        0,
	        -1,
	        INT64_MAX,
	        INT32_MIN,
	        (2001 << 9) | (2 << 5) | 29,
	        (2001 << 9) | (13 << 5) | 1,
	        (2001 << 9) | 5, /* a day without a month */
	        20260101,        /* digits instead of the packed form: no month 11 day 69 */
	};
	struct fixture f = good(EG_FUNERAL);

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct eg_reasons r;

		set_int(&f, EG_FN_FUNERAL_death_date, wrong[i]);
		r = grade(&f);
		assert_true(eg_reasons_quarantine(&r));
	}
	set_int(&f, EG_FN_FUNERAL_death_date, (2001 << 9) | (2 << 5) | 29);
	only(&f, EG_REASON_DATE_INVALID, "funeral.death_date");
	set_date(&f, EG_FN_FUNERAL_death_date, "2026-03-02"); /* within the skew */
	clean(&f);
	set_date(&f, EG_FN_FUNERAL_death_date, "2026-03-03");
	only(&f, EG_REASON_DATE_FUTURE, "funeral.death_date");
	set_date(&f, EG_FN_FUNERAL_death_date, "2026-03");
	clean(&f);
	set_date(&f, EG_FN_FUNERAL_death_date, "2027");
	only(&f, EG_REASON_DATE_FUTURE, "funeral.death_date");

	f = good(EG_CARE); /* what is planned may lie ahead */
	set_date(&f, EG_FN_CARE_leave_end_date, "2026-12-01");
	clean(&f);
	set_date(&f, EG_FN_CARE_occupancy_begin_date, "1900-01-01");
	only(&f, EG_REASON_DATE_IMPLAUSIBLE, "care.occupancy_begin_date");
	set_date(&f, EG_FN_CARE_occupancy_begin_date, "1899-12-30");
	only(&f, EG_REASON_DATE_IMPLAUSIBLE, "care.occupancy_begin_date");
	set_date(&f, EG_FN_CARE_occupancy_begin_date, "0949-01-02");
	only(&f, EG_REASON_DATE_IMPLAUSIBLE, "care.occupancy_begin_date");
	set_date(&f, EG_FN_CARE_occupancy_begin_date, "1900-01-02");
	clean(&f);
}

static void test_date_order(void **state)
{
	(void)state;
	struct fixture f = good(EG_REGISTRATION);

	set_date(&f, EG_FN_REGISTRATION_death_date, "1949-12-30");
	set_date(&f, EG_FN_REGISTRATION_birth_date, "1949-12-31");
	only(&f, EG_REASON_DATE_ORDER, "registration.death_date");
	set_date(&f, EG_FN_REGISTRATION_death_date, "1949-12"); /* not known to be before */
	clean(&f);
	set_date(&f, EG_FN_REGISTRATION_death_cancellation_date, "1949-11-30");
	only(&f, EG_REASON_DATE_ORDER, "registration.death_cancellation_date");

	f = good(EG_FUNERAL);
	set_date(&f, EG_FN_FUNERAL_death_date, "2026-01-10");
	set_time(&f, EG_FN_FUNERAL_cremation_time, "2026-01-09T15:59:59Z"); /* still the 9th in China */
	only(&f, EG_REASON_DATE_ORDER, "funeral.cremation_time");
	set_time(&f, EG_FN_FUNERAL_cremation_time, "2026-01-09T16:00:00Z"); /* the 10th */
	clean(&f);
	set_time(&f, EG_FN_FUNERAL_received_time, "2026-01-09T16:00:01Z");
	only(&f, EG_REASON_DATE_ORDER, "funeral.cremation_time");

	f = good(EG_ASSISTANCE);
	set_date(&f, EG_FN_ASSISTANCE_assistance_begin_month, "2025-06");
	set_date(&f, EG_FN_ASSISTANCE_assistance_end_month, "2025-05");
	only(&f, EG_REASON_DATE_ORDER, "assistance.assistance_end_month");
}

static void test_instants(void **state)
{
	(void)state;
	struct fixture f = good(EG_FUNERAL);

	set_int(&f, EG_FN_FUNERAL_received_time, now + 24 * 3600 * EG_SECOND);
	clean(&f);
	set_int(&f, EG_FN_FUNERAL_received_time, now + 24 * 3600 * EG_SECOND + 1);
	only(&f, EG_REASON_TIME_FUTURE, "funeral.received_time");
	set_int(&f, EG_FN_FUNERAL_received_time, INT64_MAX);
	only(&f, EG_REASON_TIME_RANGE, "funeral.received_time");
	set_int(&f, EG_FN_FUNERAL_received_time, INT64_MIN);
	only(&f, EG_REASON_TIME_RANGE, "funeral.received_time");
	set_time(&f, EG_FN_FUNERAL_received_time, "1850-01-01T00:00:00Z");
	clean(&f);
	slot(&f, EG_FN_FUNERAL_received_time)->i--;
	only(&f, EG_REASON_TIME_RANGE, "funeral.received_time");
}

static void test_frame(void **state)
{
	(void)state;
	struct fixture f = good(EG_CARE);
	char key[202] = {0};

	f.c.source_key = (struct eg_bytes){0};
	only(&f, EG_REASON_REQUIRED_MISSING, "source_key");
	f.c.source_key = eg_bytes_of("a\tb");
	only(&f, EG_REASON_TEXT_CONTROL, "source_key");
	memset(key, 'k', 201);
	f.c.source_key = eg_bytes_of(key);
	only(&f, EG_REASON_TEXT_TOO_LONG, "source_key");
	key[200] = 0;
	f.c.source_key = eg_bytes_of(key);
	clean(&f);

	f = good(EG_CARE);
	f.c.dataset = (struct eg_bytes){0};
	only(&f, EG_REASON_REQUIRED_MISSING, "dataset");
	f = good(EG_CARE);
	f.c.op = (enum eg_op)0;
	only(&f, EG_REASON_OPERATION_UNKNOWN, "operation");
	f = good(EG_CARE);
	f.c.section = (enum eg_section)0;
	only(&f, EG_REASON_REQUIRED_MISSING, "section");
	f.c.section = EG_SECTION_END;
	only(&f, EG_REASON_ENUM_UNKNOWN, "section");

	f = good(EG_CARE);
	f.c.event_time = now + 24 * 3600 * EG_SECOND;
	clean(&f);
	f.c.event_time++;
	only(&f, EG_REASON_EVENT_TIME_FUTURE, "event_time");
	f.c.event_time = INT64_MIN;
	only(&f, EG_REASON_TIME_RANGE, "event_time");

	f = good(EG_CARE);
	f.c.valid_from = (struct eg_date){2026, 2, 30};
	only(&f, EG_REASON_VALID_RANGE, "valid_from");
	f.c.valid_from = (struct eg_date){2026, 2, 2};
	f.c.valid_to = (struct eg_date){2026, 2, 1};
	only(&f, EG_REASON_VALID_RANGE, "valid_to");
	f.c.valid_to = (struct eg_date){2026, 13, 1};
	only(&f, EG_REASON_VALID_RANGE, "valid_to");
	f.c.valid_to = f.c.valid_from;
	clean(&f);
}

static void test_shape(void **state)
{
	(void)state;
	struct fixture f = good(EG_CARE);

	slot(&f, 60)->i = 1;
	only(&f, EG_REASON_UNKNOWN_FIELD, "care");
	slot(&f, 60)->cleared = true;
	only(&f, EG_REASON_CLEARED_UNKNOWN, "cleared_fields");

	f = good(EG_CARE);
	slot(&f, EG_FN_CARE_phone)->cleared = true;
	clean(&f);
	set_text(&f, EG_FN_CARE_phone, "1");
	only(&f, EG_REASON_CLEARED_AND_SET, "care.phone");

	/* The same as two values of one number. */
	f = good(EG_CARE);
	set_text(&f, EG_FN_CARE_phone, "1");
	f.v[f.c.n] = (struct eg_value){.number = EG_FN_CARE_phone, .cleared = true};
	f.c.n++;
	only(&f, EG_REASON_CLEARED_AND_SET, "care.phone");
	f.v[f.c.n - 1] = f.v[f.c.n - 2];
	only(&f, EG_REASON_MALFORMED_RECORD, "care.phone");
}

static void test_void(void **state)
{
	(void)state;
	struct fixture f = claim(EG_REGISTRATION);

	f.c.op = EG_VOID;
	clean(&f); /* it names a version and needs nothing else */
	set_text(&f, EG_FN_REGISTRATION_id_number, "1");
	only(&f, EG_REASON_VOID_WITH_CONTENT, "registration");
}

/* --- identity --- */

static struct eg_identity identity(struct fixture *f)
{
	struct eg_identity id;

	f->c.values = f->v;
	eg_identity_of(&f->c, &id);
	return id;
}

static void test_identity(void **state)
{
	(void)state;
	struct fixture f = claim(EG_FUNERAL);
	struct eg_identity id;

	set_text(&f, EG_FN_FUNERAL_id_number, " 11010519491231002ｘ");
	set_text(&f, EG_FN_FUNERAL_name, "阿依 • 古丽");
	id = identity(&f);
	assert_true(id.has_id18);
	assert_false(id.derived);
	assert_false(id.current);
	assert_string_equal(id.id18, ID18);
	assert_string_equal(id.name, "阿依·古丽");

	slot(&f, EG_FN_FUNERAL_name)->cleared = true;
	id = identity(&f);
	assert_false(id.has_id18);
	assert_string_equal(id.id18, "");
	assert_string_equal(id.name, "");
	/* A name alone offers nothing but itself. */
	f = claim(EG_FUNERAL);
	set_text(&f, EG_FN_FUNERAL_name, "王甲");
	id = identity(&f);
	assert_false(id.has_id18 || id.derived);
	assert_string_equal(id.name, "王甲");
	/* A faulty number offers nothing. */
	set_text(&f, EG_FN_FUNERAL_id_number, "110105194912310029");
	assert_false(identity(&f).has_id18);
}

static void test_identity_birth(void **state)
{
	(void)state;
	static const struct {
		const char *birth;
		bool joins;
	} rows[] = {{"1949-12-31", true}, {"1949-12", true}, {"1949", true},       {"1949-12-30", false},
	            {"1949-11", false},   {"1950", false},   {"1900-01-01", false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fixture f = good(EG_REGISTRATION);

		set_date(&f, EG_FN_REGISTRATION_birth_date, rows[i].birth);
		assert_int_equal(identity(&f).has_id18, rows[i].joins);
		set_text(&f, EG_FN_REGISTRATION_id_number, ID15);
		assert_int_equal(identity(&f).derived, rows[i].joins);
		assert_int_equal(identity(&f).id18[0] != 0, rows[i].joins);
	}
	struct fixture f = good(EG_REGISTRATION);

	slot(&f, EG_FN_REGISTRATION_birth_date)->cleared = true;
	assert_true(identity(&f).has_id18);
	slot(&f, EG_FN_REGISTRATION_birth_date)->cleared = false;
	set_int(&f, EG_FN_REGISTRATION_birth_date, 7); /* no date at all */
	assert_false(identity(&f).has_id18);
}

static void test_identity_derived(void **state)
{
	(void)state;
	struct fixture f = good(EG_REGISTRATION);
	struct eg_identity id;

	set_text(&f, EG_FN_REGISTRATION_id_number, ID15);
	id = identity(&f);
	assert_false(id.has_id18); /* it only proposes */
	assert_true(id.derived);
	assert_string_equal(id.id18, ID18);
}

static void test_identity_types(void **state)
{
	(void)state;
	char permit[19] = "81000019530315012";
	struct fixture f = good(EG_REGISTRATION);

	permit[17] = eg_id_check_digit(permit);
	for (int type = 1; type <= 6; type++) {
		set_int(&f, EG_FN_REGISTRATION_id_type, type);
		set_text(&f, EG_FN_REGISTRATION_id_number, type == 2 ? permit : ID18);
		assert_int_equal(identity(&f).has_id18, type <= 3);
		set_text(&f, EG_FN_REGISTRATION_id_number, "USA310053031501");
		assert_false(identity(&f).has_id18);
	}
}

static void test_identity_current(void **state)
{
	(void)state;
	static const bool current[] = {true, true, false, false, false, true};

	for (int s = 1; s < EG_SECTION_END; s++) {
		for (unsigned status = 0; status < 6; status++) {
			struct fixture f = good((enum eg_section)s);

			if (status && s == EG_REGISTRATION)
				set_int(&f, EG_FN_REGISTRATION_registration_status, status);
			assert_int_equal(identity(&f).current, s == EG_REGISTRATION && current[status]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_reason_table),
	        cmocka_unit_test(test_reasons_keep_errors),
	        cmocka_unit_test(test_good),
	        cmocka_unit_test(test_id_grades),
	        cmocka_unit_test(test_id_against_fields),
	        cmocka_unit_test(test_id_types),
	        cmocka_unit_test(test_names),
	        cmocka_unit_test(test_texts),
	        cmocka_unit_test(test_codes),
	        cmocka_unit_test(test_every_enum_has_a_list),
	        cmocka_unit_test(test_numbers),
	        cmocka_unit_test(test_dates),
	        cmocka_unit_test(test_date_order),
	        cmocka_unit_test(test_instants),
	        cmocka_unit_test(test_frame),
	        cmocka_unit_test(test_shape),
	        cmocka_unit_test(test_void),
	        cmocka_unit_test(test_identity),
	        cmocka_unit_test(test_identity_birth),
	        cmocka_unit_test(test_identity_derived),
	        cmocka_unit_test(test_identity_types),
	        cmocka_unit_test(test_identity_current),
	};

	return cmocka_run_group_tests_name("model/grade", tests, setup, NULL);
}
