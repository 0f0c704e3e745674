/* Pages of rows: every row is looked at once, and judged in order after that; the first fault ends it. */
#include "cli/verify_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 100 };

struct rows {
	unsigned n, read, judged, bad, unreadable; /* rows are numbered from 1; bad, unreadable 0: none */
};

static enum eg_rc read_page(void *arg, struct verify_page *p, struct eg_err *err)
{
	struct rows *r = arg;
	unsigned *rows = eg_arena_alloc(p->arena, PAGE * sizeof *rows);
	assert_non_null(rows);
	for (p->n = 0; p->n < PAGE && r->read < r->n; p->n++)
		rows[p->n] = ++r->read;
	p->rows = rows;
	if (r->unreadable && r->read >= r->unreadable)
		return eg_fail(err, EG_IO, "row %u cannot be read", r->unreadable);
	return EG_OK;
}

static void look(void *arg, struct verify_page *p, unsigned thread, unsigned i)
{
	(void)arg;
	(void)thread;
	unsigned *copy = eg_arena_alloc(p->work, sizeof *copy);
	assert_non_null(copy);
	*copy = ((unsigned *)p->rows)[i];
	((unsigned **)p->seen)[i] = copy;
}

static enum eg_rc judge(void *arg, struct verify_page *p, unsigned i, struct eg_err *err)
{
	struct rows *r = arg;
	unsigned row = ((unsigned *)p->rows)[i];
	assert_int_equal(row, ++r->judged);
	assert_non_null(((unsigned **)p->seen)[i]);
	assert_int_equal(*((unsigned **)p->seen)[i], row);
	return row == r->bad ? eg_fail(err, EG_CORRUPT, "row %u is bad", row) : EG_OK;
}

static const struct verify_pass pass = {sizeof(unsigned *), read_page, look, judge, NULL};

static void all_in_order(void **state)
{
	(void)state;
	static const unsigned sizes[] = {0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, 50 * PAGE + 7};
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct rows r = {.n = sizes[i]};
		struct eg_err err = {0};
		assert_int_equal(verify_pages(&pass, &r, &err), EG_OK);
		assert_int_equal(r.judged, r.n);
	}
}

static void the_first_fault_ends_it(void **state)
{
	(void)state;
	static const unsigned bad[] = {1, PAGE, PAGE + 1, 3 * PAGE, 5 * PAGE};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct rows r = {.n = 5 * PAGE, .bad = bad[i]};
		struct eg_err err = {0};
		assert_int_equal(verify_pages(&pass, &r, &err), EG_CORRUPT);
		assert_int_equal(r.judged, bad[i]);
	}
}

/* What stands before what cannot be read is judged first. */
static void what_cannot_be_read(void **state)
{
	(void)state;
	for (unsigned at = 1; at <= 4 * PAGE; at += PAGE / 2) {
		unsigned before = (at - 1) / PAGE * PAGE;
		struct rows r = {.n = 5 * PAGE, .unreadable = at};
		struct eg_err err = {0};
		assert_int_equal(verify_pages(&pass, &r, &err), EG_IO);
		assert_int_equal(r.judged, before);
		assert_non_null(strstr(err.text, "cannot be read"));
		if (!before)
			continue;
		r = (struct rows){.n = 5 * PAGE, .unreadable = at, .bad = before};
		assert_int_equal(verify_pages(&pass, &r, &err), EG_CORRUPT);
		assert_int_equal(r.judged, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(all_in_order),
	        cmocka_unit_test(the_first_fault_ends_it),
	        cmocka_unit_test(what_cannot_be_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
