/* The table of fields: what stands in it can be found, what does not cannot. */
#include "model/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct row {
	enum eg_section section;
	unsigned number;
	const char *name;
	enum eg_field_type type;
	unsigned max, flags;
} rows[] = {
#define X(section, number, name, type, max, flags, doc)                                                      \
	{EG_##section, (number), #name, EG_TYPE_##type, (max), (flags)},
#include "model/fields.def"
#undef X
};
enum { N = sizeof rows / sizeof *rows };

static void test_every_field(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N; i++) {
		const struct eg_field_def *d = eg_field_by_number(rows[i].section, rows[i].number);

		assert_non_null(d);
		assert_int_equal(d->section, rows[i].section);
		assert_int_equal(d->number, rows[i].number);
		assert_string_equal(d->name, rows[i].name);
		assert_int_equal(d->type, rows[i].type);
		assert_int_equal(d->max_chars, rows[i].max);
		assert_int_equal(d->flags, rows[i].flags);
		assert_ptr_equal(eg_field_by_name(rows[i].section, rows[i].name), d);
		/* Text without a bound, or a bound on what has none, is a slip in the table. */
		assert_int_equal(d->max_chars > 0, d->type == EG_TYPE_TEXT || d->type == EG_TYPE_CODE ||
		                                           d->type == EG_TYPE_INT);
		/* What identifies somebody may never travel in a thin event. */
		assert_int_not_equal(d->flags, EG_F_PERSONAL | EG_F_PLAIN);
	}
}

static void test_nothing_else(void **state)
{
	(void)state;
	unsigned found = 0;

	for (int s = -1; s <= EG_SECTION_END + 1; s++) {
		for (unsigned n = 0; n <= 300; n++)
			found += eg_field_by_number((enum eg_section)s, n) != NULL;
	}
	assert_int_equal(found, N);
	assert_null(eg_field_by_number(EG_CARE, 0));
	assert_null(eg_field_by_number(EG_CARE, UINT32_MAX));
	assert_null(eg_field_by_name(EG_CARE, NULL));
	assert_null(eg_field_by_name(EG_CARE, ""));
	assert_null(eg_field_by_name(EG_CARE, "nam"));
	assert_null(eg_field_by_name(EG_CARE, "name2"));
	assert_null(eg_field_by_name(EG_CARE, "Name"));
	assert_null(eg_field_by_name(EG_CARE, "cremation_time"));
	assert_null(eg_field_by_name((enum eg_section)0, "name"));
	assert_null(eg_field_by_name(EG_SECTION_END, "name"));
}

static void test_sections(void **state)
{
	(void)state;
	for (int s = 1; s < EG_SECTION_END; s++)
		assert_int_equal(eg_section_by_name(eg_section_name((enum eg_section)s)), s);
	assert_string_equal(eg_section_name(EG_REGISTRATION), "registration");
	assert_string_equal(eg_section_name(EG_CARE), "care");
	assert_string_equal(eg_section_name((enum eg_section)0), "");
	assert_string_equal(eg_section_name(EG_SECTION_END), "");
	assert_int_equal(eg_section_by_name("registrations"), 0);
	assert_int_equal(eg_section_by_name(""), 0);
	assert_int_equal(eg_section_by_name(NULL), 0);
}

static void test_values(void **state)
{
	(void)state;
	struct eg_value values[] = {
	        {.number = EG_FN_CARE_name, .text = eg_bytes_of("abc")},
	        {.number = EG_FN_CARE_birth_date, .cleared = true, .i = 5},
	        {.number = EG_FN_CARE_ability_level, .i = 0},
	        {.number = EG_FN_CARE_leave_end_date, .i = 77},
	};
	struct eg_claim c = {.section = EG_CARE, .n = 4, .values = values};

	assert_ptr_equal(eg_claim_value(&c, EG_FN_CARE_name), &values[0]);
	assert_true(eg_bytes_equal(eg_claim_text(&c, EG_FN_CARE_name), eg_bytes_of("abc")));
	assert_null(eg_claim_value(&c, EG_FN_CARE_birth_date)); /* cleared is not a value */
	assert_int_equal(eg_claim_int(&c, EG_FN_CARE_birth_date), 0);
	assert_non_null(eg_claim_value(&c, EG_FN_CARE_ability_level)); /* a zero that was said */
	assert_int_equal(eg_claim_int(&c, EG_FN_CARE_leave_end_date), 77);
	assert_null(eg_claim_value(&c, EG_FN_CARE_id_number));
	assert_null(eg_claim_value(&c, EG_FN_CARE_phone));
	assert_int_equal(eg_claim_text(&c, EG_FN_CARE_phone).len, 0);
	assert_null(eg_claim_value(&(struct eg_claim){.section = EG_CARE}, EG_FN_CARE_name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(test_every_field),
	        cmocka_unit_test(test_nothing_else),
	        cmocka_unit_test(test_sections),
	        cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests_name("model/record", tests, NULL, NULL);
}
