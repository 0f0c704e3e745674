/* The result codes' table, and how an error is filled. */
#include "base/buf.h"
#include "eldergate/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct row {
	int number;
	bool retryable;
	int grpc, exit_code;
	const char *name, *label, *text;
};

static const struct row rows[] = {
#define X(name, number, retryable, grpc, exit_code, label, text)                                             \
	{number, retryable, grpc, exit_code, #name, label, text},
#include "eldergate/errors.def"
#undef X
};
#define ROWS (sizeof rows / sizeof rows[0])

static void rows_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t j = 0; j < i; j++) {
			assert_int_not_equal(rows[i].number, rows[j].number);
			assert_string_not_equal(rows[i].label, rows[j].label);
			assert_string_not_equal(rows[i].text, rows[j].text);
		}
	}
}

static void rows_are_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *r = &rows[i];
		assert_in_range(r->grpc, 0, 16);
		if (r->exit_code != 0)
			assert_in_range(r->exit_code, 64, 78);
		/* Only what is no failure may end a program or a call well. */
		bool fine = r->number == EG_OK || r->number == EG_EMPTY;
		assert_int_equal(fine, r->exit_code == 0);
		assert_int_equal(fine, r->grpc == 0);
		for (const char *c = r->label; *c; c++)
			assert_true((*c >= 'a' && *c <= 'z') || *c == '_');
	}
}

static void lookups_give_the_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		enum eg_rc rc = (enum eg_rc)rows[i].number;
		assert_string_equal(eg_rc_name(rc), rows[i].name);
		assert_string_equal(eg_rc_label(rc), rows[i].label);
		assert_string_equal(eg_rc_text(rc), rows[i].text);
		assert_int_equal(eg_rc_retryable(rc), rows[i].retryable);
		assert_int_equal(eg_rc_grpc(rc), rows[i].grpc);
		assert_int_equal(eg_rc_exit(rc), rows[i].exit_code);
	}
	assert_string_equal(eg_rc_name(EG_NO_SPACE), "NO_SPACE");
	assert_string_equal(eg_rc_name((enum eg_rc)9999), "INTERNAL");
	assert_int_equal(eg_rc_exit((enum eg_rc)9999), 70);
}

static void fail_fills_everything(void **state)
{
	(void)state;
	struct eg_err err;
	memset(&err, 0x5A, sizeof err);
	assert_int_equal(eg_fail(&err, EG_LIMIT, "at most %d records", 7), EG_LIMIT);
	assert_int_equal(err.rc, EG_LIMIT);
	assert_false(err.fatal);
	assert_string_equal(err.field, "");
	assert_string_equal(err.text, "at most 7 records");

	assert_int_equal(eg_fail_field(&err, EG_INVALID, "records[3].id", "no %s", "value"), EG_INVALID);
	assert_string_equal(err.field, "records[3].id");
	assert_string_equal(err.text, "no value");

	assert_int_equal(eg_fail(NULL, EG_DENIED, "nobody listens"), EG_DENIED);
}

static void errno_chooses_the_code(void **state)
{
	(void)state;
	static const struct {
		int number;
		enum eg_rc rc;
	} cases[] = {{ENOSPC, EG_NO_SPACE}, {EDQUOT, EG_NO_SPACE}, {ENOMEM, EG_NO_MEMORY},
	             {EMFILE, EG_BUSY},     {ENFILE, EG_BUSY},     {EIO, EG_IO}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct eg_err err;
		errno = cases[i].number;
		assert_int_equal(eg_fail_errno(&err, "writing %s", "it"), cases[i].rc);
		assert_int_equal(errno, cases[i].number);
		assert_int_equal(err.rc, cases[i].rc);
		assert_ptr_equal(strstr(err.text, "writing it: "), err.text);
		assert_non_null(strstr(err.text, strerror(cases[i].number)));
	}
}

/* Whatever the length, the cut leaves whole characters. */
static void long_texts_are_cut_between_characters(void **state)
{
	(void)state;
	char text[700];
	for (size_t lead = 0; lead < 4; lead++) {
		struct eg_err err;
		size_t n = lead;
		memset(text, 'a', lead);
		while (n + 3 < sizeof text) {
			memcpy(text + n, "\xE8\x80\x81", 3);
			n += 3;
		}
		text[n] = '\0';
		eg_fail_field(&err, EG_INVALID, text, "%s", text);
		assert_true(eg_utf8_valid(eg_bytes_of(err.text)));
		assert_true(eg_utf8_valid(eg_bytes_of(err.field)));
		assert_in_range(strlen(err.text), sizeof err.text - 3, sizeof err.text - 1);
		assert_in_range(strlen(err.field), sizeof err.field - 3, sizeof err.field - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rows_are_unique),
	        cmocka_unit_test(rows_are_well_formed),
	        cmocka_unit_test(lookups_give_the_row),
	        cmocka_unit_test(fail_fills_everything),
	        cmocka_unit_test(errno_chooses_the_code),
	        cmocka_unit_test(long_texts_are_cut_between_characters),
	};
	return cmocka_run_group_tests_name("base/err", tests, NULL, NULL);
}
