/* adapters/MAPPING.md has the tables that the reader of mapping files goes by: every key, transform,
 * attribute and fault. After a change to them EG_WRITE=1 writes them into it. */
#include "common/mapping_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char path[] = "adapters/MAPPING.md", end_mark[] = "<!-- end -->\n";

static void load(struct eg_buf *out)
{
	char piece[4096];
	size_t n;
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while ((n = fread(piece, 1, sizeof piece, f)) > 0)
		eg_buf_add(out, piece, n);
	fclose(f);
	eg_buf_add_u8(out, 0);
	assert_false(out->failed);
}

/* The page with every block as it should be. */
static void with_blocks(const char *page, struct eg_buf *out)
{
	for (unsigned i = 0; eg_mapping_reference_blocks[i]; i++) {
		char mark[64];
		snprintf(mark, sizeof mark, "<!-- block: %s -->\n", eg_mapping_reference_blocks[i]);
		const char *at = strstr(page, mark), *end = at ? strstr(at, end_mark) : NULL;
		if (!at || !end)
			fail_msg("%s: there is no %s", path, mark);
		eg_buf_add(out, page, (size_t)(at - page) + strlen(mark));
		assert_true(eg_mapping_reference(eg_mapping_reference_blocks[i], out));
		page = end;
	}
	eg_buf_printf(out, "%s", page);
}

static void page_has_the_tables(void **state)
{
	struct eg_buf is = {0}, should = {0};
	(void)state;
	load(&is);
	with_blocks((const char *)is.p, &should);
	assert_false(should.failed);
	bool same = should.len + 1 == is.len && memcmp(should.p, is.p, should.len) == 0;
	if (!same && getenv("EG_WRITE")) {
		FILE *f = fopen(path, "w");
		assert_non_null(f);
		assert_int_equal(fwrite(should.p, 1, should.len, f), should.len);
		assert_int_equal(fclose(f), 0);
	} else if (!same) {
		fail_msg("%s is not what the tables say: run this program with EG_WRITE=1", path);
	}
	eg_buf_free(&is);
	eg_buf_free(&should);
}

static void no_such_block(void **state)
{
	struct eg_buf b = {0};
	(void)state;
	assert_false(eg_mapping_reference("nothing", &b));
	assert_int_equal(b.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(page_has_the_tables),
	                                   cmocka_unit_test(no_such_block)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
