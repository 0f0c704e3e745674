/* The made-up population: the same from the same seed, faults at their rates, numbers valid in form and never
 * twice, rows in order, and a truth that adds up. */
#include "cli/population.h"

#include "cli/made.h"
#include "model/id_number.h"
#include "model/text.h"
#include "trust/crypto.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static enum eg_rc add(void *arg, struct eg_bytes line, struct eg_err *err)
{
	(void)err;
	eg_buf_add(arg, line.p, line.len);
	return EG_OK;
}

/* Everything that a population writes. */
static void write_all(const struct population_options *o, struct eg_buf *out)
{
	struct population *p;
	assert_int_equal(population_new(&p, o, NULL), EG_OK);
	eg_buf_reset(out);
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++) {
		population_header((enum eg_section)s, out);
		assert_int_equal(population_rows(p, (enum eg_section)s, add, out, NULL), EG_OK);
	}
	population_json(p, out);
	assert_false(out->failed);
	population_free(p);
}

static void same_seed_same_bytes(void **state)
{
	(void)state;
	struct population_options o = {.persons = 3000, .seed = 42};
	struct eg_buf a = {0}, b = {0};
	uint8_t hash[EG_HASH_SIZE];
	char hex[2 * EG_HASH_SIZE + 1];
	write_all(&o, &a);
	write_all(&o, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.p, b.p, a.len);
	/* On every machine: a change of what is made up changes this on purpose. */
	assert_int_equal(eg_crypto_open(NULL), EG_OK);
	eg_sha256(&(struct eg_bytes){a.p, a.len}, 1, hash);
	eg_hex(hash, sizeof hash, hex);
	assert_string_equal(hex, "b2d18c50267bac46f3e3c674a181ce87efb73fdbe33ba09ef44720c17b348d95");
	o.seed = 43;
	write_all(&o, &b);
	assert_true(a.len != b.len || memcmp(a.p, b.p, a.len) != 0);
	eg_buf_free(&a);
	eg_buf_free(&b);
}

/* Within five standard deviations of what chance gives. */
static void assert_rate(const char *name, uint64_t found, double rate, uint64_t of)
{
	double mean = rate * (double)of, deviation = sqrt(mean * (1 - rate));
	if (fabs((double)found - mean) > 5 * deviation + 1)
		fail_msg("%s: %llu of %llu, expected %.0f", name, (unsigned long long)found,
		         (unsigned long long)of, mean);
}

static void faults_at_their_rates(void **state)
{
	(void)state;
	enum { PERSONS = 200000 };
	struct population_options o = {.persons = PERSONS, .seed = 7};
	struct population *p;
	assert_int_equal(population_new(&p, &o, NULL), EG_OK);
	const struct population_truth *t = population_truth(p);
#define X(name, rate, doc) assert_rate(#name, t->faults[FAULT_##name], rate, PERSONS);
	POPULATION_FAULTS
#undef X
	assert_rate("cremated, registered alive", t->cremated_alive, POPULATION_CREMATED_ALIVE, t->deaths);
	assert_rate("resurrected", t->resurrected, POPULATION_RESURRECTED, t->deaths);
	assert_rate("unidentified", t->unidentified, POPULATION_UNIDENTIFIED, t->deaths);
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
		assert_rate("repeated", t->datasets[s].repeated, POPULATION_REPEATED, t->datasets[s].rows);
	population_free(p);
}

static void every_fault_occurs(void **state)
{
	(void)state;
	struct population_options o = {.persons = 3000, .seed = 1, .faults = 50};
	struct population *p;
	assert_int_equal(population_new(&p, &o, NULL), EG_OK);
	const struct population_truth *t = population_truth(p);
	for (unsigned f = FAULT_none + 1; f < FAULTS; f++)
		assert_true(t->faults[f] > 0);
	assert_true(t->resurrected > 0 && t->unidentified > 0 && t->cremated_alive > 0);
	population_free(p);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void numbers_are_valid_and_unique(void **state)
{
	(void)state;
	enum { PERSONS = 50000 };
	struct population_options o = {.persons = PERSONS, .seed = 11};
	char(*ids)[19] = calloc(PERSONS, sizeof *ids);
	unsigned n = 0, abolished = 0, twice = 0, shared = 0;
	assert_non_null(ids);
	for (uint64_t i = 0; i < PERSONS; i++) {
		struct made m;
		struct eg_id id;
		made_person(&o, i, &m);
		eg_id_parse(eg_bytes_of(m.id18), &id);
		assert_int_equal(id.form, EG_ID_RESIDENT_18);
		assert_int_equal(id.flags, 0);
		assert_int_equal(id.sex, m.sex);
		assert_int_equal(eg_date_days(id.birth), m.birth);
		assert_true(id.birth.year >= 1925 && id.birth.year <= 1964);
		abolished += strncmp(m.id18, "412723", 6) == 0;
		shared += m.fault == FAULT_shared_number;
		memcpy(ids[n++], m.id18, sizeof *ids);
	}
	qsort(ids, n, sizeof *ids, by_text);
	for (unsigned i = 1; i < n; i++)
		twice += strcmp(ids[i - 1], ids[i]) == 0;
	assert_int_equal(twice, shared);
	assert_true(abolished > 0);
	free(ids);
}

static void names_are_names(void **state)
{
	(void)state;
	unsigned dotted = 0, rare = 0;
	for (uint64_t i = 0; i < 20000; i++) {
		struct draw d = draw_of(5, 1, i);
		char name[MADE_NAME], other[MADE_NAME], a[128], b[128];
		made_name(&d, name);
		struct eg_text_facts f = eg_text_facts(eg_bytes_of(name));
		assert_true(!f.bad_utf8 && !f.control && !f.odd_name && !f.suspect && f.chars >= 2 &&
		            f.chars <= 25);
		dotted += strstr(name, "\u00b7") != NULL;
		rare += strstr(name, "\U00020BB7") != NULL || strstr(name, "\u4DAE") != NULL;
		assert_true(eg_name_normalise(eg_bytes_of(name), a, sizeof a) > 0);
		made_name_form(&d, name, other); /* is the same name */
		assert_true(eg_name_normalise(eg_bytes_of(other), b, sizeof b) > 0);
		assert_string_equal(a, b);
		assert_string_not_equal(name, other);
		made_name_variant(&d, name, other); /* is another */
		assert_true(eg_name_normalise(eg_bytes_of(other), b, sizeof b) > 0);
		assert_string_not_equal(a, b);
		made_name_mojibake(name, other);
		f = eg_text_facts(eg_bytes_of(other));
		assert_true(!f.bad_utf8 && !f.control);
	}
	assert_true(dotted > 0 && rare > 0);
}

struct order {
	char last[32];
	uint64_t rows;
	unsigned column;
};

static enum eg_rc in_order(void *arg, struct eg_bytes line, struct eg_err *err)
{
	struct order *o = arg;
	char text[2048], *save = NULL;
	(void)err;
	snprintf(text, sizeof text, "%.*s", (int)line.len, (const char *)line.p);
	char *cell = strtok_r(text, ",", &save);
	for (unsigned i = 0; i < o->column && cell; i++)
		cell = strtok_r(NULL, ",", &save); /* the first columns are never empty */
	assert_non_null(cell);
	assert_true(strcmp(o->last, cell) <= 0);
	snprintf(o->last, sizeof o->last, "%s", cell);
	o->rows++;
	return EG_OK;
}

static void rows_are_in_order(void **state)
{
	(void)state;
	struct population_options o = {.each = 400, .seed = 3, .faults = 5};
	struct population *p;
	assert_int_equal(population_new(&p, &o, NULL), EG_OK);
	const struct population_truth *t = population_truth(p);
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++) {
		struct order x = {.column = 3}; /* event_time */
		assert_int_equal(population_rows(p, (enum eg_section)s, in_order, &x, NULL), EG_OK);
		assert_int_equal(x.rows, t->datasets[s].rows);
		/* 400 each, and a second registration is a source record of its own */
		assert_int_equal(t->datasets[s].source_records,
		                 400 + (s == EG_REGISTRATION ? t->faults[FAULT_double_registration] : 0));
	}
	population_free(p);
}

static void truth_adds_up(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct population_options o = {.persons = 2000, .seed = seed, .faults = 20};
		struct population *p;
		uint64_t life = 0;
		assert_int_equal(population_new(&p, &o, NULL), EG_OK);
		const struct population_truth *t = population_truth(p);
		for (unsigned l = EG_LIFE_ALIVE; l <= EG_LIFE_UNKNOWN; l++)
			life += t->life[l];
		assert_int_equal(life, t->views);
		assert_int_equal(t->life[EG_LIFE_DISPUTED], 0);
		for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++) {
			const struct population_dataset *d = &t->datasets[s];
			assert_int_equal(d->quarantined, d->check_digit + d->excel_number);
			assert_true(d->rows >= d->quarantined + d->repeated && d->rows >= d->source_records);
		}
		population_free(p);
	}
}

static void bounds(void **state)
{
	(void)state;
	struct population *p;
	struct eg_err err;
	assert_int_equal(population_new(&p, &(struct population_options){.persons = 0}, &err), EG_USAGE);
	assert_int_equal(
	        population_new(&p, &(struct population_options){.persons = POPULATION_MAX + 1ULL}, &err),
	        EG_USAGE);
	struct population_options one = {.persons = 1};
	assert_int_equal(population_new(&p, &one, &err), EG_OK);
	population_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(same_seed_same_bytes), cmocka_unit_test(faults_at_their_rates),
	        cmocka_unit_test(every_fault_occurs),   cmocka_unit_test(numbers_are_valid_and_unique),
	        cmocka_unit_test(names_are_names),      cmocka_unit_test(rows_are_in_order),
	        cmocka_unit_test(truth_adds_up),        cmocka_unit_test(bounds)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
