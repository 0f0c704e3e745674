/* test_canon: canonical bytes against vectors written by hand, round trips, and a reader that refuses the
 * rest.
 *
 * EG_SEED chooses the random claims and the damage done to texts. */
#include "model/canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CLAIMS = 5000, DAMAGES = 20, ARENA = 1 << 20, TEXT_MAX = 1024 };

static uint64_t seed, random_state;

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (unsigned)(next_random() % n);
}

/* Hexadecimal with spaces between items; returns the length. */
static size_t unhex(const char *text, uint8_t *out)
{
	char digits[2 * TEXT_MAX + 1];
	size_t n = 0;
	for (; *text; text++) {
		if (*text != ' ')
			digits[n++] = *text;
	}
	digits[n] = 0;
	assert_true(n % 2 == 0 && eg_unhex(digits, out, n / 2));
	return n / 2;
}

static void assert_hex(const struct eg_buf *b, const char *want)
{
	uint8_t bytes[TEXT_MAX];
	size_t n = unhex(want, bytes);
	assert_false(b->failed);
	assert_int_equal(b->len, n);
	assert_memory_equal(b->p, bytes, n);
}

static void items(void **state)
{
	struct eg_buf b = {0};
	(void)state;
	eg_canon_bytes(&b, 1, eg_bytes_of("ab"));
	eg_canon_bytes(&b, 2, eg_bytes_of(""));
	eg_canon_int(&b, 3, 0);
	eg_canon_int_always(&b, 3, 0);
	eg_canon_int(&b, 0x1001, -2);
	assert_hex(&b, "0001 00000002 6162"
	               "0003 00000008 0000000000000000"
	               "1001 00000008 fffffffffffffffe");
	eg_buf_free(&b);
}

static void nested(void **state)
{
	struct eg_buf b = {0};
	(void)state;
	size_t outer = eg_canon_open(&b, 4);
	eg_canon_int(&b, 1, 258);
	size_t inner = eg_canon_open(&b, 2);
	eg_canon_bytes(&b, 9, eg_bytes_of("z"));
	eg_canon_close(&b, inner);
	size_t none = eg_canon_open(&b, 3);
	eg_canon_int(&b, 1, 0);
	eg_canon_close(&b, none); /* nothing in it: left out */
	eg_canon_close(&b, outer);
	assert_hex(&b, "0004 0000001b"
	               "0001 00000008 0000000000000102"
	               "0002 00000007 0009 00000001 7a");

	struct eg_canon_reader r = eg_canon_read(eg_buf_bytes(&b));
	assert_true(eg_canon_next(&r));
	struct eg_canon_reader in = eg_canon_read(r.value);
	assert_true(eg_canon_next(&in));
	assert_int_equal(eg_canon_as_int(&in), 258);
	assert_true(eg_canon_next(&in));
	assert_int_equal(in.tag, 2);
	assert_false(eg_canon_next(&in));
	assert_false(in.bad);
	assert_false(eg_canon_next(&r));
	assert_false(r.bad);
	eg_buf_free(&b);
}

static void a_failed_writer_stays_failed(void **state)
{
	struct eg_buf b = {0};
	(void)state;
	eg_canon_bytes(&b, 0, eg_bytes_of("a tag of 0 is never written"));
	assert_true(b.failed);
	size_t at = eg_canon_open(&b, 1);
	eg_canon_int(&b, 2, 3);
	eg_canon_close(&b, at);
	assert_true(b.failed);
	eg_buf_free(&b);

	struct eg_buf c = {0};
	eg_canon_bytes(&c, 0x10000, eg_bytes_of("nor one past 16 bits"));
	assert_true(c.failed);
	eg_buf_free(&c);
}

static void items_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} rows[] = {
	        {"00", "a head cut short"},
	        {"0001 000000", "a head cut short"},
	        {"0001 00000000", "an empty value"},
	        {"0001 00000002 61", "a value cut short"},
	        {"0001 ffffffff 61", "a length past the text"},
	        {"0000 00000001 61", "tag 0"},
	        {"0002 00000001 61 0001 00000001 61", "tags that decrease"},
	        {"0001 00000001 61 00", "something behind the last item"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[TEXT_MAX];
		struct eg_canon_reader r = eg_canon_read((struct eg_bytes){bytes, unhex(rows[i].hex, bytes)});
		while (eg_canon_next(&r))
			;
		if (!r.bad)
			fail_msg("accepted: %s", rows[i].why);
		assert_false(eg_canon_next(&r));
	}

	uint8_t seven[7] = {0};
	struct eg_canon_reader r = {.value = {seven, sizeof seven}};
	assert_int_equal(eg_canon_as_int(&r), 0);
	assert_true(r.bad);
}

/* The vector: an assistance record of every kind of item. 2024-02-29 is 2024 << 9 | 2 << 5 | 29; 2025 has no
 * month. */
static const char claim_hex[] = "0001 00000005 636976696c"        /* agency "civil" */
                                "0002 00000003 616964"            /* dataset "aid" */
                                "0003 00000003 4b2d31"            /* source key "K-1" */
                                "0004 00000008 0000000000000002"  /* assistance */
                                "0005 00000008 ffffffffffffffff"  /* version -1 */
                                "0006 00000008 0000000000000003"  /* mapping revision 3 */
                                "0007 00000008 0000000000000001"  /* assert */
                                "0008 00000008 00060dedc04dd340"  /* 2024-01-02T03:04:05Z */
                                "0009 00000008 00000000000fd05d"  /* valid from 2024-02-29 */
                                "000a 00000008 00000000000fd200"  /* valid to 2025 */
                                "000b 00000008 0000000000000004"  /* sex: cleared */
                                "000b 00000008 0000000000000008"  /* local category: cleared */
                                "1003 00000006 e590b4e4b8bd"      /* name "吴丽" */
                                "100b 00000008 0000000000000001"  /* status: active */
                                "100f 00000008 0000000000000000"; /* monthly amount: 0 fen is said */
static const char assertion_hex[] =
        "0001 00000005 636976696c 0002 00000003 616964 0004 00000008 0000000000000002"
        "0008 00000008 00060dedc04dd340 0009 00000008 00000000000fd05d"
        "000a 00000008 00000000000fd200 000b 00000008 0000000000000004"
        "000b 00000008 0000000000000008 1003 00000006 e590b4e4b8bd"
        "100b 00000008 0000000000000001 100f 00000008 0000000000000000";

static struct eg_claim vector_claim(void)
{
	static struct eg_value values[] = {
	        {.number = EG_FN_ASSISTANCE_name, .text = {(const uint8_t *)"\xe5\x90\xb4\xe4\xb8\xbd", 6}},
	        {.number = EG_FN_ASSISTANCE_sex, .cleared = true},
	        {.number = EG_FN_ASSISTANCE_assistance_local_category, .cleared = true},
	        {.number = EG_FN_ASSISTANCE_assistance_status, .i = 1},
	        {.number = EG_FN_ASSISTANCE_monthly_amount_fen, .i = 0},
	};
	return (struct eg_claim){
	        .agency = eg_bytes_of("civil"),
	        .dataset = eg_bytes_of("aid"),
	        .source_key = eg_bytes_of("K-1"),
	        .section = EG_ASSISTANCE,
	        .version = -1,
	        .mapping_revision = 3,
	        .op = EG_ASSERT,
	        .event_time = INT64_C(1704164645000000),
	        .valid_from = {2024, 2, 29},
	        .valid_to = {2025, 0, 0},
	        .n = sizeof values / sizeof values[0],
	        .values = values,
	};
}

static void claim_vector(void **state)
{
	struct eg_claim c = vector_claim();
	struct eg_buf b = {0};
	(void)state;
	eg_canon_claim(&b, &c);
	assert_hex(&b, claim_hex);
	eg_buf_reset(&b);
	eg_canon_assertion(&b, &c);
	assert_hex(&b, assertion_hex);

	/* The same in pieces of the claim's text, which may stand behind something else. */
	struct eg_canon_piece at[EG_CANON_PIECES];
	struct eg_buf claim = {0}, together = {0};
	eg_buf_add(&claim, "before", 6);
	eg_canon_claim_pieces(&claim, &c, at);
	for (unsigned i = 0; i < EG_CANON_PIECES; i++)
		eg_buf_add(&together, claim.p + at[i].at, at[i].len);
	assert_hex(&together, assertion_hex);

	/* And of the text alone; whatever it leaves out. */
	for (unsigned without = 0; without < 64; without++) {
		struct eg_claim less = c;
		struct eg_bytes pieces[EG_CANON_PIECES];
		if (without & 1)
			less.agency = (struct eg_bytes){0};
		if (without & 2)
			less.dataset = (struct eg_bytes){0};
		if (without & 4)
			less.event_time = 0;
		if (without & 8)
			less.valid_from = less.valid_to = (struct eg_date){0};
		if (without & 16)
			less.n = 0;
		if (without & 32)
			less.mapping_revision = 0;
		eg_buf_reset(&claim);
		eg_buf_reset(&together);
		eg_buf_reset(&b);
		eg_canon_claim(&claim, &less);
		eg_canon_assertion(&b, &less);
		eg_canon_assertion_pieces(eg_buf_bytes(&claim), pieces);
		for (unsigned i = 0; i < EG_CANON_PIECES; i++)
			eg_buf_add(&together, pieces[i].p, pieces[i].len);
		assert_true(eg_bytes_equal(eg_buf_bytes(&together), eg_buf_bytes(&b)));
	}
	eg_buf_free(&claim);
	eg_buf_free(&together);
	eg_buf_free(&b);
}

static void claim_vector_read(void **state)
{
	uint8_t bytes[TEXT_MAX];
	struct eg_bytes text = {bytes, unhex(claim_hex, bytes)};
	struct eg_arena *a = eg_arena_new(ARENA);
	struct eg_claim c, want = vector_claim();
	(void)state;
	assert_int_equal(eg_canon_claim_read(text, a, &c, NULL), EG_OK);
	assert_true(eg_bytes_equal(c.agency, want.agency) && eg_bytes_equal(c.dataset, want.dataset));
	assert_true(eg_bytes_equal(c.source_key, want.source_key));
	assert_int_equal(c.section, want.section);
	assert_int_equal(c.version, -1);
	assert_int_equal(c.mapping_revision, 3);
	assert_int_equal(c.op, EG_ASSERT);
	assert_true(c.event_time == want.event_time);
	assert_int_equal(eg_date_cmp(c.valid_from, want.valid_from), 0);
	assert_int_equal(eg_date_cmp(c.valid_to, want.valid_to), 0);
	assert_int_equal(c.n, want.n);
	for (unsigned i = 0; i < c.n; i++) { /* ascending, though cleared ones come first in the text */
		assert_int_equal(c.values[i].number, want.values[i].number);
		assert_int_equal(c.values[i].cleared, want.values[i].cleared);
		assert_true(c.values[i].i == want.values[i].i);
		assert_true(eg_bytes_equal(c.values[i].text, want.values[i].text));
	}
	eg_arena_free(a);
}

/* Beginnings of a claim, up to what is wrong with it. */
#define SECTION "0004 00000008 0000000000000002"
#define VERSION "0005 00000008 0000000000000001"
#define OP      "0007 00000008 0000000000000001"

static void claims_refused(void **state)
{
	static const struct {
		const char *hex, *why;
	} rows[] = {
	        {"", "nothing"},
	        {VERSION OP, "no section"},
	        {SECTION OP, "no version"},
	        {SECTION VERSION, "no operation"},
	        {"0004 00000008 0000000000000005" VERSION OP, "an unknown section"},
	        {"0004 00000008 0000000000000000" VERSION OP, "section 0"},
	        {"0004 00000004 00000002" VERSION OP, "an int of 4 bytes"},
	        {SECTION SECTION VERSION OP, "a section said twice"},
	        {SECTION VERSION "0006 00000008 0000000000000000" OP, "mapping revision 0"},
	        {SECTION VERSION "0006 00000008 0000000100000000" OP, "a mapping revision past 32 bits"},
	        {SECTION VERSION "0007 00000008 0000000000000004", "an unknown operation"},
	        {SECTION VERSION OP "0008 00000008 0000000000000000", "event time 0"},
	        {SECTION VERSION OP "0009 00000008 0000000000000021", "a date without a year"},
	        {SECTION VERSION OP "0009 00000008 ffffffffffffffff", "a date before all years"},
	        {SECTION VERSION OP "000a 00000008 0000000001000000", "a date after all years"},
	        {SECTION VERSION OP "000b 00000008 0000000000000000", "field 0 cleared"},
	        {SECTION VERSION OP "000b 00000008 0000000000000040", "a field past all numbers"},
	        {SECTION VERSION OP "000b 00000008 0000000000000004 000b 00000008 0000000000000003",
	         "cleared fields out of order"},
	        {SECTION VERSION OP "000b 00000008 0000000000000004 000b 00000008 0000000000000004",
	         "a field cleared twice"},
	        {SECTION VERSION OP "000b 00000008 0000000000000003 1003 00000001 61",
	         "a field cleared and set"},
	        {SECTION VERSION OP "1003 00000001 61 1003 00000001 61", "a field set twice"},
	        {SECTION VERSION OP "103e 00000001 61", "a field that the section does not have"},
	        {SECTION VERSION OP "1000 00000001 61", "field 0"},
	        {SECTION VERSION OP "1003 00000000", "an empty text"},
	        {SECTION VERSION OP "100f 00000001 05", "a short number"},
	        {SECTION VERSION OP "000c 00000001 61", "an unknown item"},
	        {SECTION VERSION OP "2003 00000001 61", "an unknown item past the fields"},
	};
	struct eg_arena *a = eg_arena_new(ARENA);
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[TEXT_MAX];
		struct eg_bytes text = {bytes, unhex(rows[i].hex, bytes)};
		struct eg_claim c;
		struct eg_err err = {0};
		if (eg_canon_claim_read(text, a, &c, &err) != EG_CORRUPT || err.rc != EG_CORRUPT)
			fail_msg("accepted: %s", rows[i].why);
	}

	/* The beginnings themselves are a claim, so it is the rest that was refused. */
	uint8_t bytes[TEXT_MAX];
	struct eg_claim c;
	struct eg_bytes text = {bytes, unhex(SECTION VERSION OP, bytes)};
	assert_int_equal(eg_canon_claim_read(text, a, &c, NULL), EG_OK);
	assert_int_equal(c.n, 0);
	eg_arena_free(a);
}

static void claim_without_memory(void **state)
{
	uint8_t bytes[TEXT_MAX];
	struct eg_bytes text = {bytes, unhex(claim_hex, bytes)};
	struct eg_arena *a = eg_arena_new(16);
	struct eg_claim c;
	(void)state;
	assert_int_equal(eg_canon_claim_read(text, a, &c, NULL), EG_LIMIT);
	eg_arena_free(a);
}

/* A value of another section's field cannot be written: no reader could tell its type. */
static void unknown_field_fails_the_writer(void **state)
{
	struct eg_value v = {.number = 63, .i = 1};
	struct eg_claim c = {.section = EG_ASSISTANCE, .op = EG_ASSERT, .n = 1, .values = &v};
	struct eg_buf b = {0};
	(void)state;
	eg_canon_claim(&b, &c);
	assert_true(b.failed);
	eg_buf_free(&b);
}

static struct eg_bytes random_text(struct eg_arena *a)
{
	size_t n = 1 + below(12);
	uint8_t *p = eg_arena_alloc(a, n);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)
		        next_random(); /* any bytes: a record set aside for its bytes must be readable too */
	return (struct eg_bytes){p, n};
}

static int64_t random_int(void)
{
	static const int64_t edges[] = {0, 1, -1, INT64_MAX, INT64_MIN, 255, 256};
	return below(3) ? (int64_t)next_random() : edges[below(sizeof edges / sizeof edges[0])];
}

static struct eg_date random_date(void)
{
	return (struct eg_date){(int16_t)below(10000), (uint8_t)below(16), (uint8_t)below(32)};
}

static struct eg_claim random_claim(struct eg_arena *a)
{
	struct eg_claim c = {
	        .agency = random_text(a),
	        .dataset = random_text(a),
	        .source_key = random_text(a),
	        .section = (enum eg_section)(1 + below(EG_SECTION_END - 1)),
	        .version = random_int(),
	        .mapping_revision = below(3) ? below(5) : (uint32_t)next_random(),
	        .op = below(4)   ? EG_ASSERT
	              : below(2) ? EG_VOID
	                         : EG_WITHDRAW,
	        .event_time = random_int(),
	};
	if (below(2))
		c.valid_from = random_date();
	if (below(2))
		c.valid_to = random_date();
	c.values = eg_arena_alloc(a, (EG_FIELD_NUMBER_MAX + 1) * sizeof *c.values);
	for (unsigned i = 1; i <= EG_FIELD_NUMBER_MAX; i++) {
		const struct eg_field_def *f = eg_field_by_number(c.section, i);
		if (!f || below(2))
			continue;
		struct eg_value *v = &c.values[c.n++];
		v->number = (uint8_t)i;
		v->cleared = below(4) == 0;
		if (v->cleared)
			continue;
		if (f->type == EG_TYPE_TEXT || f->type == EG_TYPE_CODE)
			v->text = random_text(a);
		else
			v->i = random_int();
	}
	return c;
}

static void assert_same_date(struct eg_date a, struct eg_date b)
{
	if (a.year <= 0) /* no date at all */
		a = (struct eg_date){0};
	assert_int_equal(eg_date_pack(a), eg_date_pack(b));
}

static void assert_same_claim(const struct eg_claim *a, const struct eg_claim *b)
{
	assert_true(eg_bytes_equal(a->agency, b->agency) && eg_bytes_equal(a->dataset, b->dataset));
	assert_true(eg_bytes_equal(a->source_key, b->source_key));
	assert_true(a->section == b->section && a->version == b->version && a->op == b->op);
	assert_true(a->mapping_revision == b->mapping_revision && a->event_time == b->event_time);
	assert_same_date(a->valid_from, b->valid_from);
	assert_same_date(a->valid_to, b->valid_to);
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++) {
		const struct eg_value *x = &a->values[i], *y = &b->values[i];
		assert_true(x->number == y->number && x->cleared == y->cleared && x->i == y->i);
		assert_true(eg_bytes_equal(x->text, y->text));
	}
}

/* Whatever the bytes, the reader either refuses them or they are what the writer makes of what was read. */
static void assert_strict(const uint8_t *p, size_t n, struct eg_arena *a, struct eg_buf *again)
{
	struct eg_claim c;
	if (eg_canon_claim_read((struct eg_bytes){p, n}, a, &c, NULL) != EG_OK)
		return;
	eg_buf_reset(again);
	eg_canon_claim(again, &c);
	assert_false(again->failed);
	assert_int_equal(again->len, n);
	assert_memory_equal(again->p, p, n);
}

static size_t damage(uint8_t *p, size_t n)
{
	size_t at = below((unsigned)n), len = 1 + below(8);
	switch (below(5)) {
	case 0: /* one bit */
		p[at] ^= (uint8_t)(1u << below(8));
		return n;
	case 1: /* one byte */
		p[at] = below(2) ? (uint8_t)next_random() : (uint8_t)below(4);
		return n;
	case 2: /* cut short */
		return at;
	case 3: /* something taken out */
		len = len > n - at ? n - at : len;
		memmove(p + at, p + at + len, n - at - len);
		return n - len;
	default: /* something doubled */
		len = len > n - at ? n - at : len;
		memmove(p + at + len, p + at, n - at);
		return n + len;
	}
}

static void round_trips(void **state)
{
	struct eg_arena *a = eg_arena_new(ARENA);
	struct eg_buf text = {0}, again = {0};
	uint8_t *damaged;
	(void)state;
	random_state = seed;
	for (unsigned i = 0; i < CLAIMS; i++) {
		eg_arena_reset(a);
		struct eg_claim c = random_claim(a), back;
		eg_buf_reset(&text);
		eg_canon_claim(&text, &c);
		assert_false(text.failed);
		assert_int_equal(eg_canon_claim_read(eg_buf_bytes(&text), a, &back, NULL), EG_OK);
		assert_same_claim(&c, &back);
		assert_strict(text.p, text.len, a, &again);

		damaged = eg_arena_alloc(a, text.len + 64);
		for (unsigned j = 0; j < DAMAGES; j++) {
			memcpy(damaged, text.p, text.len);
			size_t n = damage(damaged, text.len);
			/* memory of its exact size, so that a sanitizer sees a read past its end */
			uint8_t *exact = malloc(n ? n : 1);
			assert_non_null(exact);
			memcpy(exact, damaged, n);
			assert_strict(exact, n, a, &again);
			free(exact);
		}
	}
	eg_buf_free(&text);
	eg_buf_free(&again);
	eg_arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(items),
	        cmocka_unit_test(nested),
	        cmocka_unit_test(a_failed_writer_stays_failed),
	        cmocka_unit_test(items_refused),
	        cmocka_unit_test(claim_vector),
	        cmocka_unit_test(claim_vector_read),
	        cmocka_unit_test(claims_refused),
	        cmocka_unit_test(claim_without_memory),
	        cmocka_unit_test(unknown_field_fails_the_writer),
	        cmocka_unit_test(round_trips),
	};
	const char *text = getenv("EG_SEED");
	seed = text && *text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
	printf("EG_SEED=%llu\n", (unsigned long long)seed);
	return cmocka_run_group_tests_name("canon", tests, NULL, NULL);
}
