/* test_view: authority, ranking, evidence and the date of death by example, changes, the bytes of a view and
 * of a person.
 *
 * The generated persons are in test_history; the life table's rows are in test_life. */
#include "model/authority.h"
#include "model/evidence.h"
#include "model/person.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { CLAIMS = 6, VALUES = 16, ARENA = 1 << 20 };

/* One person, put together by claim() and the setters that fill the claim opened last. */
static struct {
	struct eg_arena *arena;
	unsigned n;
	struct eg_held held[CLAIMS];
	struct eg_value values[CLAIMS][VALUES];
	struct eg_view view;
} p;

static int up(void **state)
{
	struct eg_arena *a = eg_arena_new(ARENA);
	(void)state;
	memset(&p, 0, sizeof p);
	p.arena = a;
	return a ? 0 : -1;
}

static int down(void **state)
{
	(void)state;
	eg_arena_free(p.arena);
	return 0;
}

static int64_t day(int year, int month, int d)
{
	return eg_date_pack((struct eg_date){(int16_t)year, (uint8_t)month, (uint8_t)d});
}

/* Noon in China on that day. */
static int64_t noon(int year, int month, int d)
{
	struct eg_date date = {(int16_t)year, (uint8_t)month, (uint8_t)d};
	return ((int64_t)eg_date_days(date) * 86400 + 4 * 3600) * EG_SECOND;
}

static unsigned claim(enum eg_section section, int64_t event_time)
{
	struct eg_held *h = &p.held[p.n];
	memset(h->token, (int)(0x50 - p.n), EG_TOKEN_SIZE); /* later claims have lower tokens */
	h->seq = p.n + 1;
	h->claim = (struct eg_claim){
	        .agency = eg_bytes_of("agency"),
	        .dataset = eg_bytes_of("set"),
	        .source_key = eg_bytes_of("key"),
	        .section = section,
	        .version = 1,
	        .mapping_revision = 1,
	        .op = EG_ASSERT,
	        .event_time = event_time,
	        .values = p.values[p.n],
	};
	return p.n++;
}

static struct eg_value *set(const char *name)
{
	struct eg_claim *c = &p.held[p.n - 1].claim;
	const struct eg_field_def *f = eg_field_by_name(c->section, name);
	assert_non_null(f);
	unsigned at = 0;
	while (at < c->n && c->values[at].number < f->number)
		at++;
	assert_true(c->n < VALUES);
	memmove(&c->values[at + 1], &c->values[at], (c->n - at) * sizeof *c->values);
	c->n++;
	c->values[at] = (struct eg_value){.number = (uint8_t)f->number};
	return &c->values[at];
}

static void text(const char *name, const char *value)
{
	set(name)->text = eg_bytes_of(value);
}

static void number(const char *name, int64_t i)
{
	set(name)->i = i;
}

static void cleared(const char *name)
{
	set(name)->cleared = true;
}

static void build(const struct eg_authority *t)
{
	assert_int_equal(eg_view_build(p.held, p.n, t, p.arena, &p.view, NULL), EG_OK);
}

static const struct eg_view_value *field(const char *name)
{
	unsigned f = eg_view_field_by_name(name);
	assert_true(f > 0);
	for (unsigned i = 0; i < p.view.n; i++) {
		if (p.view.v[i].field == f)
			return &p.view.v[i];
	}
	return NULL;
}

static void assert_text(const char *name, const char *value, unsigned held, enum eg_rule rule)
{
	const struct eg_view_value *v = field(name);
	assert_non_null(v);
	assert_true(eg_bytes_equal(v->value.text, eg_bytes_of(value)));
	assert_int_equal(v->held, held);
	assert_int_equal(v->rule, rule);
	assert_true(v->as_of == p.held[held].claim.event_time);
}

static void assert_life(enum eg_life want)
{
	build(NULL);
	assert_string_equal(eg_life_name(p.view.life), eg_life_name(want));
	assert_int_equal(field("life_status")->value.i, want);
	assert_int_equal(field("life_status")->rule, EG_RULE_DERIVED);
}

static void assert_death(int64_t packed, unsigned held)
{
	const struct eg_view_value *v = field("death_date");
	assert_non_null(v);
	assert_int_equal(v->value.i, packed);
	assert_int_equal(v->held, held);
}

enum { NORMAL = 1, MOVED_OUT = 2, CANCELLED_DEATH = 3, RESTORED = 5, VALID = 1, VOID = 2, REISSUED = 3 };

static void registration(int64_t status, int64_t event_time)
{
	claim(EG_REGISTRATION, event_time);
	if (status)
		number("registration_status", status);
}

/* ---- fields ---- */

static void nobody(void **state)
{
	(void)state;
	build(NULL);
	assert_int_equal(p.view.n, 0);
	assert_int_equal(p.view.life, EG_LIFE_UNKNOWN);
}

static void authority_then_the_rest(void **state)
{
	(void)state;
	claim(EG_FUNERAL, 9), text("name", "D"), number("stated_age", 0);
	claim(EG_CARE, 8), text("name", "C"), text("phone", "1");
	claim(EG_ASSISTANCE, 7), text("name", "B");
	build(NULL);
	assert_text("registration.name", "B", 2, EG_RULE_AUTHORITY);
	assert_text("care.phone", "1", 1, EG_RULE_ONLY);
	assert_int_equal(field("funeral.stated_age")->value.i, 0); /* zero is said */
	registration(NORMAL, 1), text("name", "A");
	build(NULL);
	assert_text("registration.name", "A", 3, EG_RULE_AUTHORITY); /* the oldest, but the police's */
	assert_null(field("registration.sex"));
	for (unsigned i = 1; i < p.view.n; i++)
		assert_true(p.view.v[i - 1].field < p.view.v[i].field);
}

static void status_newest_order(void **state)
{
	(void)state;
	claim(EG_ASSISTANCE, 9), text("assistance_case_number", "1"), number("assistance_status", 3);
	claim(EG_ASSISTANCE, 1), text("assistance_case_number", "2"), number("assistance_status", 1);
	build(NULL);
	assert_text("assistance.assistance_case_number", "2", 1, EG_RULE_STATUS); /* active before stopped */
	claim(EG_ASSISTANCE, 5), text("assistance_case_number", "3"), number("assistance_status", 1);
	build(NULL);
	assert_text("assistance.assistance_case_number", "3", 2, EG_RULE_NEWEST);
	claim(EG_ASSISTANCE, 5), text("assistance_case_number", "4"), number("assistance_status", 1);
	build(NULL);
	assert_text("assistance.assistance_case_number", "4", 3, EG_RULE_ORDER); /* the lower token */
	p.held[2].claim.dataset = eg_bytes_of("a");
	build(NULL);
	assert_text("assistance.assistance_case_number", "3", 2, EG_RULE_ORDER); /* the earlier dataset */
	p.held[3].claim.agency = eg_bytes_of("a");
	build(NULL);
	assert_text("assistance.assistance_case_number", "4", 3, EG_RULE_ORDER); /* the earlier agency */
}

static void statuses_of_the_other_sections(void **state)
{
	(void)state;
	registration(MOVED_OUT, 9), text("household_number", "old");
	registration(NORMAL, 1), text("household_number", "new");
	claim(EG_CARE, 9), text("bed_code", "left"), number("occupancy_end_date", day(2024, 1, 1));
	claim(EG_CARE, 1), text("bed_code", "in");
	claim(EG_FUNERAL, 9), text("remains_number", "void"), number("funeral_certificate_status", VOID);
	claim(EG_FUNERAL, 1), text("remains_number", "stands"), number("death_certificate_status", REISSUED);
	build(NULL);
	assert_text("registration.household_number", "new", 1, EG_RULE_STATUS);
	assert_text("care.bed_code", "in", 3, EG_RULE_STATUS);
	assert_text("funeral.remains_number", "stands", 5, EG_RULE_STATUS);
}

static void asserted_emptiness(void **state)
{
	(void)state;
	registration(NORMAL, 1), cleared("name"), cleared("former_name");
	claim(EG_CARE, 2), text("name", "C");
	build(NULL);
	const struct eg_view_value *v = field("registration.name");
	assert_true(v->value.cleared); /* the police say there is none: the platform doesn't fill it */
	assert_int_equal(v->rule, EG_RULE_AUTHORITY);
	assert_true(field("registration.former_name")->value.cleared);
}

/* ---- life and death ---- */

static void police_alone(void **state)
{
	(void)state;
	registration(0, 1);
	assert_life(EG_LIFE_ALIVE); /* a status that is not stated says nothing against it */
	p.n = 0, registration(MOVED_OUT, 1);
	assert_life(EG_LIFE_UNKNOWN); /* registered elsewhere, where we don't see */
	p.n = 0, registration(CANCELLED_DEATH, 1), number("death_date", day(2024, 5, 0));
	assert_life(EG_LIFE_DECEASED);
	assert_death(day(2024, 5, 0), 0);
	registration(NORMAL, 2); /* another one that stands hides no cancellation */
	assert_life(EG_LIFE_DECEASED);
	registration(RESTORED, 0);
	assert_life(EG_LIFE_DECEASED); /* restored before the cancellation */
	p.held[2].claim.event_time = 1;
	assert_life(EG_LIFE_ALIVE);
	assert_null(field("death_date"));
}

static void care_alone(void **state)
{
	(void)state;
	claim(EG_CARE, 1), text("name", "C");
	assert_life(EG_LIFE_UNKNOWN);
	assert_int_equal(field("life_status")->held, 0);
}

static void a_stopped_benefit_is_no_evidence(void **state)
{
	(void)state;
	registration(NORMAL, 1);
	claim(EG_ASSISTANCE, 2), number("assistance_status", 3), number("assistance_reason", 1);
	assert_life(EG_LIFE_ALIVE);
}

static void remains_received_are_no_evidence(void **state)
{
	(void)state;
	registration(NORMAL, 1);
	claim(EG_FUNERAL, 2), number("received_time", noon(2024, 5, 1)),
	        number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_ALIVE);
	assert_null(field("death_date"));
}

static void cremated_but_registered(void **state)
{
	(void)state;
	registration(NORMAL, 1);
	claim(EG_FUNERAL, 2), number("cremation_time", noon(2024, 5, 3)),
	        number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_SUSPECTED);
	assert_death(day(2024, 5, 1), 1);
	assert_int_equal(field("life_status")->held, 1);
	text("death_certificate_number", "N1");
	assert_life(EG_LIFE_DECEASED);
	p.n = 1, claim(EG_FUNERAL, 2), number("disposal", 5); /* buried */
	assert_life(EG_LIFE_SUSPECTED);
	assert_null(field("death_date"));
}

static void a_routine_update_is_no_sign_of_life(void **state)
{
	(void)state;
	registration(NORMAL, noon(2025, 1, 1)); /* the yearly list */
	p.held[0].claim.valid_from = (struct eg_date){2025, 1, 1};
	claim(EG_FUNERAL, 2), text("death_certificate_number", "N1"), number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_DECEASED);
	assert_false(p.view.evidence.later_sign_of_life);
}

static void moving_in_after_death_is_a_sign_of_life(void **state)
{
	(void)state;
	claim(EG_FUNERAL, 2), text("death_certificate_number", "N1"), number("death_date", day(2024, 5, 1));
	registration(NORMAL, 1), number("moved_in_date", day(2024, 5, 1));
	assert_life(EG_LIFE_DECEASED); /* the day itself is not after it */
	p.n = 1, registration(NORMAL, 1), number("moved_in_date", day(2024, 5, 2));
	assert_life(EG_LIFE_DISPUTED);
	p.values[0][0].i = day(2024, 5, 0); /* some day in May: only June is later */
	assert_life(EG_LIFE_DECEASED);
	p.n = 1, registration(NORMAL, 1), number("moved_in_date", day(2024, 6, 0));
	assert_life(EG_LIFE_DISPUTED);
	p.values[0][0].i = day(2024, 0, 0);
	assert_life(EG_LIFE_DECEASED);
	p.n = 1, registration(MOVED_OUT, 1), number("moved_in_date", day(2025, 1, 1));
	assert_life(EG_LIFE_DECEASED); /* a registration that has ended shows no life */
}

static void dated_by_cremation_or_cancellation(void **state)
{
	(void)state;
	claim(EG_FUNERAL, 2), text("death_certificate_number", "N1"),
	        number("cremation_time", noon(2024, 5, 3));
	registration(NORMAL, 1), number("moved_in_date", day(2024, 5, 3));
	assert_life(EG_LIFE_DECEASED);
	p.n = 1, registration(NORMAL, 1), number("moved_in_date", day(2024, 5, 4));
	assert_life(EG_LIFE_DISPUTED); /* after the cremation, so after the death */

	p.n = 0, registration(CANCELLED_DEATH, 1), number("death_cancellation_date", day(2024, 6, 1));
	registration(NORMAL, 1), number("moved_in_date", day(2024, 7, 1));
	assert_life(EG_LIFE_DISPUTED);
}

static void a_restored_household(void **state)
{
	(void)state;
	registration(RESTORED, noon(2024, 7, 1));
	assert_life(EG_LIFE_ALIVE);
	claim(EG_FUNERAL, 2), text("death_certificate_number", "N1"), number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_DISPUTED);
	assert_true(p.view.evidence.later_sign_of_life);
	p.held[0].claim.event_time = noon(2024, 4, 1);
	build(NULL);
	assert_false(p.view.evidence.later_sign_of_life);
}

static void certificates_voided_and_reissued(void **state)
{
	(void)state;
	registration(NORMAL, 1);
	claim(EG_FUNERAL, 2), text("death_certificate_number", "N1"),
	        number("death_certificate_status", VALID);
	number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_DECEASED);
	p.values[1][2].i = REISSUED; /* what it certified still stands */
	assert_life(EG_LIFE_DECEASED);
	p.values[1][2].i = VOID; /* brings the person back */
	assert_life(EG_LIFE_ALIVE);
	assert_int_equal(p.view.evidence.certificate, EG_EVIDENCE_VOIDED);
	assert_null(field("death_date"));
	claim(EG_FUNERAL, 3), text("death_certificate_number", "N2"), number("death_date", day(2024, 5, 2));
	assert_life(EG_LIFE_DECEASED); /* a void one beside one that stands voids no death */
	assert_int_equal(p.view.evidence.certificate, EG_EVIDENCE_VALID);
	assert_death(day(2024, 5, 2), 2);
}

static void a_void_cremation_certificate(void **state)
{
	(void)state;
	registration(NORMAL, 1);
	claim(EG_FUNERAL, 2), number("cremation_time", noon(2024, 5, 3)),
	        number("funeral_certificate_status", VOID);
	text("funeral_certificate_number", "F1"), number("death_date", day(2024, 5, 1));
	assert_life(EG_LIFE_ALIVE);
	assert_int_equal(p.view.evidence.cremation, EG_EVIDENCE_VOIDED);
	claim(EG_FUNERAL, 3), text("funeral_certificate_number", "F2"),
	        text("funeral_certificate_reissue_of", "F1");
	assert_life(EG_LIFE_SUSPECTED);
	assert_null(field("death_date")); /* the void record's date does not count */
}

static void date_of_death(void **state)
{
	(void)state;
	registration(CANCELLED_DEATH, 9), number("death_date", day(2024, 5, 3));
	build(NULL);
	assert_death(day(2024, 5, 3), 0);
	assert_int_equal(field("death_date")->rule, EG_RULE_ONLY);
	claim(EG_FUNERAL, 8), number("cremation_time", noon(2024, 5, 9)),
	        number("death_date", day(2024, 5, 2));
	build(NULL);
	assert_death(day(2024, 5, 2), 1);
	assert_int_equal(field("death_date")->rule, EG_RULE_AUTHORITY);
	claim(EG_FUNERAL, 1), text("death_certificate_number", "N"), number("death_date", day(2024, 0, 0));
	build(NULL);
	assert_death(day(2024, 0, 0), 2); /* inexact as it is, it is the certificate's */
	assert_int_equal(field("death_date")->rule, EG_RULE_AUTHORITY);
}

/* ---- the table of authority, the names ---- */

/* A name that two sections share is one fact: it has a row, one type, and no view field beside the owner's.
 */
static void shared_names_have_rows(void **state)
{
	const struct eg_authority *t = eg_authority_builtin();
	unsigned shared = 0;
	(void)state;
	assert_int_equal(eg_authority_check(t, NULL), EG_OK);
	assert_int_equal(eg_authority_version(NULL), EG_AUTHORITY_VERSION);
	for (unsigned s1 = 1; s1 < EG_SECTION_END; s1++) {
		for (unsigned n = 1; n <= EG_FIELD_NUMBER_MAX; n++) {
			const struct eg_field_def *f = eg_field_by_number((enum eg_section)s1, n);
			for (unsigned s2 = s1 + 1; f && s2 < EG_SECTION_END; s2++) {
				const struct eg_field_def *g = eg_field_by_name((enum eg_section)s2, f->name);
				if (!g)
					continue;
				shared++;
				unsigned fact = eg_authority_field((enum eg_section)s1, n);
				assert_int_equal(fact, eg_authority_field((enum eg_section)s2, g->number));
				assert_int_equal(f->type, g->type);
				assert_int_equal(eg_view_field_type(fact), f->type);
				assert_int_equal(eg_view_field_flags(fact), f->flags);
				assert_true(eg_authority_rank(NULL, fact, s1) != EG_AUTHORITY_SILENT);
				assert_true(eg_authority_rank(NULL, fact, s2) != EG_AUTHORITY_SILENT);
				assert_true(eg_authority_rank(NULL, fact, s1) !=
				            eg_authority_rank(NULL, fact, s2));
			}
		}
	}
	assert_true(shared > 20);
}

static void names(void **state)
{
	char name[80];
	unsigned named = 0;
	(void)state;
	for (unsigned f = 0; f < EG_VIEW_FIELD(EG_SECTION_END + 2, 0); f++) {
		eg_view_field_name(f, name);
		if (!*name)
			continue;
		named++;
		assert_int_equal(eg_view_field_by_name(name), f);
	}
	assert_true(named > 60);
	assert_string_equal(eg_view_field_name(EG_VIEW_LIFE, name), "life_status");
	assert_string_equal(eg_view_field_name(EG_VIEW_DEATH_DATE, name), "death_date");
	assert_string_equal(eg_view_field_name(EG_VIEW_FIELD(EG_REGISTRATION, 3), name), "registration.name");
	assert_string_equal(eg_view_field_name(EG_VIEW_FIELD(EG_CARE, 3), name),
	                    ""); /* it is the registration's */
	assert_int_equal(eg_view_field_by_name("care.name"), 0);
	assert_int_equal(eg_view_field_by_name("registration.death_date"), 0);
	assert_int_equal(eg_view_field_by_name("registration"), 0);
	assert_int_equal(eg_view_field_by_name(".name"), 0);
	assert_int_equal(eg_view_field_by_name("a-section-with-a-name-that-is-far-too-long.name"), 0);
	assert_int_equal(eg_view_field_by_name(""), 0);
	assert_int_equal(eg_view_field_by_name(NULL), 0);
	assert_int_equal(eg_view_field_type(EG_VIEW_LIFE), EG_TYPE_ENUM);
	assert_int_equal(eg_view_field_type(EG_VIEW_DEATH_DATE), EG_TYPE_DATE);
	assert_int_equal(eg_view_field_flags(EG_VIEW_LIFE), EG_F_PLAIN);
	assert_int_equal(eg_view_field_flags(EG_VIEW_FIELD(EG_REGISTRATION, 3)), EG_F_PERSONAL);
}

static void a_table_of_the_configuration(void **state)
{
	const struct eg_authority_row rows[] = {
	        {EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name), 2, {EG_CARE, EG_ASSISTANCE}}};
	const struct eg_authority t = {7, 1, rows};
	(void)state;
	assert_int_equal(eg_authority_check(&t, NULL), EG_OK);
	assert_int_equal(eg_authority_version(&t), 7);
	registration(NORMAL, 1), text("name", "A"), text("id_number", "1");
	claim(EG_CARE, 1), text("name", "C"), text("id_number", "2");
	build(&t);
	assert_text("registration.name", "C", 1, EG_RULE_ONLY); /* the police are not heard for it */
	assert_text("registration.id_number", "1", 0, EG_RULE_AUTHORITY);
}

static void tables_refused(void **state)
{
	enum { NAME = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name) };
	static const struct eg_authority_row rows[][2] = {
	        {{EG_VIEW_FIELD(EG_CARE, EG_FN_CARE_phone), 1, {EG_CARE}}},
	        {{NAME, 0, {0}}},
	        {{NAME, 2, {EG_CARE, EG_CARE}}},
	        {{NAME, 1, {EG_VOICE_CERTIFICATE}}},
	        {{EG_VIEW_DEATH_DATE, 1, {EG_CARE}}},
	        {{NAME, 1, {EG_CARE}}, {NAME, 1, {EG_CARE}}},
	};
	(void)state;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct eg_authority t = {1, rows[i][1].n ? 2 : 1, rows[i]};
		struct eg_err err = {0};
		assert_int_equal(eg_authority_check(&t, &err), EG_CONFIG);
		assert_true(strlen(err.text) > 0);
	}
}

/* ---- changes and bytes ---- */

static void changes(void **state)
{
	struct eg_view before;
	struct eg_change *c;
	unsigned n;
	(void)state;
	registration(NORMAL, 1), text("name", "A"), text("former_name", "Z"), text("sex", "1");
	build(NULL);
	before = p.view;
	assert_int_equal(eg_view_diff(NULL, &before, p.arena, &c, &n, NULL), EG_OK);
	assert_int_equal(n, before.n); /* a new person: everything */
	assert_null(c[0].before);
	assert_int_equal(eg_view_diff(&before, &before, p.arena, &c, &n, NULL), EG_OK);
	assert_int_equal(n, 0);

	/* another claim says the same name, clears one field, says another and adds one */
	p.n = 0, memset(p.values, 0, sizeof p.values);
	registration(NORMAL, 2), text("name", "A"), cleared("former_name"), text("sex", "2"),
	        cleared("marital_status");
	text("ethnic_group", "01");
	build(NULL);
	assert_int_equal(eg_view_diff(&before, &p.view, p.arena, &c, &n, NULL), EG_OK);
	assert_int_equal(n, 3);
	assert_int_equal(c[0].field, eg_view_field_by_name("registration.sex"));
	assert_true(c[0].before && c[0].after);
	assert_int_equal(c[1].field, eg_view_field_by_name("registration.former_name"));
	assert_true(c[1].before && c[1].after && c[1].after->value.cleared);
	assert_int_equal(c[2].field, eg_view_field_by_name("registration.ethnic_group"));
	assert_true(!c[2].before && c[2].after);

	assert_int_equal(eg_view_diff(&p.view, NULL, p.arena, &c, &n, NULL), EG_OK);
	assert_int_equal(
	        n, 5); /* what was cleared had no value to lose: life, status, name, sex, ethnic group */
	assert_null(c[n - 1].after);
}

static size_t unhex(const char *hex, uint8_t *out)
{
	char digits[4096];
	size_t n = 0;
	for (; *hex; hex++) {
		if (*hex != ' ')
			digits[n++] = *hex;
	}
	digits[n] = 0;
	assert_true(n % 2 == 0 && eg_unhex(digits, out, n / 2));
	return n / 2;
}

#define TOKEN   "0003 00000010 50505050505050505050505050505050"
#define AS_OF   "0004 00000008 0000000000000007"
#define NUM(n)  "0001 00000008 00000000000000" n
#define RULE(n) "0005 00000008 000000000000000" n

static void view_vector(void **state)
{
	/* fields: life (1), name (0x43), former name cleared (0x46), status (0x4f) */
	static const char want[] =
	        "0001 0000004e" NUM("01") "0002 00000008 0000000000000001" TOKEN AS_OF RULE(
	                "6") "0001 00000047" NUM("43") "0002 00000001 41" TOKEN AS_OF
	                RULE("1") "0001 00000040" NUM("46") TOKEN AS_OF RULE("1") "0001 0000004e" NUM(
	                        "4f") "0002 00000008 0000000000000001" TOKEN AS_OF RULE("1");
	struct eg_buf b = {0};
	uint8_t bytes[1024];
	(void)state;
	registration(NORMAL, 7), text("name", "A"), cleared("former_name");
	build(NULL);
	eg_view_canon(&b, &p.view, p.held);
	size_t n = unhex(want, bytes);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.p, bytes, n);
	eg_buf_free(&b);
}

static struct eg_person some_person(void)
{
	static uint8_t cases[2][16] = {{3}, {2}};
	struct eg_person person = {
	        .version = 4, .merged = true, .n_held = 2, .held = p.held, .n_cases = 2, .cases = cases};
	memset(person.id, 0x11, sizeof person.id);
	memset(person.merged_into, 0x22, sizeof person.merged_into);
	claim(EG_CARE, 5), text("name", "C"), number("ability_level", 0);
	registration(NORMAL, 6), cleared("name");
	struct eg_held first = p.held[1]; /* ascending by token */
	p.held[1] = p.held[0];
	p.held[0] = first;
	return person;
}

static void person_vector(void **state)
{
	static const char want[] =
	        "0001 00000010 11111111111111111111111111111111 0002 00000008 0000000000000004"
	        "0003 00000010 22222222222222222222222222222222"
	        "000a 000000aa"
	        "0001 00000010 4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f 0002 00000008 0000000000000002"
	        "0003 00000080 0001 00000006 6167656e6379 0002 00000003 736574 0003 00000003 6b6579"
	        "0004 00000008 0000000000000001 0005 00000008 0000000000000001 0006 00000008 0000000000000001"
	        "0007 00000008 0000000000000001 0008 00000008 0000000000000006 000b 00000008 0000000000000003"
	        "100f 00000008 0000000000000001"
	        "000a 000000a3"
	        "0001 00000010 50505050505050505050505050505050 0002 00000008 0000000000000001"
	        "0003 00000079 0001 00000006 6167656e6379 0002 00000003 736574 0003 00000003 6b6579"
	        "0004 00000008 0000000000000004 0005 00000008 0000000000000001 0006 00000008 0000000000000001"
	        "0007 00000008 0000000000000001 0008 00000008 0000000000000005 1003 00000001 43"
	        "100f 00000008 0000000000000000"
	        "000b 00000010 03000000000000000000000000000000 000b 00000010 "
	        "02000000000000000000000000000000";
	struct eg_person person = some_person(), back;
	struct eg_buf b = {0}, again = {0};
	uint8_t bytes[2048];
	(void)state;
	eg_person_write(&b, &person);
	size_t n = unhex(want, bytes);
	assert_int_equal(b.len, n);
	assert_memory_equal(b.p, bytes, n);

	assert_int_equal(eg_person_read((struct eg_bytes){bytes, n}, p.arena, &back, NULL), EG_OK);
	assert_int_equal(back.version, 4);
	assert_true(back.merged);
	assert_memory_equal(back.merged_into, person.merged_into, 16);
	assert_int_equal(back.n_held, 2);
	assert_int_equal(back.held[1].claim.section, EG_CARE);
	assert_int_equal(back.held[0].seq, 2);
	assert_int_equal(back.n_cases, 2);
	assert_int_equal(back.cases[1][0], 2);
	eg_person_write(&again, &back); /* from the claims' own bytes */
	assert_int_equal(again.len, n);
	assert_memory_equal(again.p, bytes, n);
	eg_buf_free(&b);
	eg_buf_free(&again);
}

/* Whatever the bytes, they are refused or are what would be written. */
static void damaged_persons(void **state)
{
	const char *env = getenv("EG_SEED");
	unsigned seed = env && *env ? (unsigned)strtoul(env, NULL, 0) : (unsigned)time(NULL), accepted = 0;
	struct eg_person person = some_person(), back;
	struct eg_arena *a = eg_arena_new(ARENA);
	struct eg_buf b = {0}, again = {0};
	(void)state;
	print_message("EG_SEED=%u\n", seed);
	srandom(seed);
	eg_person_write(&b, &person);
	for (unsigned i = 0; i < 50000; i++) {
		size_t len = random() % 4 ? b.len : (size_t)random() % b.len;
		uint8_t *bytes = malloc(len ? len : 1);
		assert_non_null(bytes);
		memcpy(bytes, b.p, len);
		for (long times = random() % 3; times >= 0 && len; times--)
			bytes[(size_t)random() % len] = (uint8_t)(random() % 3 ? random() : random() % 12);
		eg_arena_reset(a);
		if (eg_person_read((struct eg_bytes){bytes, len}, a, &back, NULL) == EG_OK) {
			accepted++;
			eg_buf_reset(&again);
			eg_person_write(&again, &back);
			assert_int_equal(again.len, len);
			assert_memory_equal(again.p, bytes, len);
		}
		free(bytes);
	}
	assert_true(accepted > 0);
	eg_buf_free(&b);
	eg_buf_free(&again);
	eg_arena_free(a);
}

static void persons_refused(void **state)
{
	struct eg_person person = some_person(), back;
	struct eg_held swap;
	struct eg_buf b = {0};
	(void)state;
	swap = p.held[0];
	p.held[0] = p.held[1];
	p.held[1] = swap;
	eg_person_write(&b, &person);
	assert_int_equal(eg_person_read(eg_buf_bytes(&b), p.arena, &back, NULL),
	                 EG_CORRUPT); /* tokens descend */
	eg_buf_reset(&b);
	person.n_held = 0;
	person.version = 0;
	eg_person_write(&b, &person);
	assert_int_equal(eg_person_read(eg_buf_bytes(&b), p.arena, &back, NULL), EG_CORRUPT); /* no version */
	assert_int_equal(eg_person_read((struct eg_bytes){0}, p.arena, &back, NULL), EG_CORRUPT);
	eg_buf_free(&b);
}

static void without_memory(void **state)
{
	struct eg_arena *small = eg_arena_new(64);
	struct eg_person person = some_person(), back;
	struct eg_view view;
	struct eg_change *c;
	struct eg_buf b = {0};
	unsigned n;
	(void)state;
	build(NULL);
	assert_int_equal(eg_view_build(p.held, p.n, NULL, small, &view, NULL), EG_LIMIT);
	assert_int_equal(eg_view_diff(NULL, &p.view, small, &c, &n, NULL), EG_LIMIT);
	eg_person_write(&b, &person);
	assert_int_equal(eg_person_read(eg_buf_bytes(&b), small, &back, NULL), EG_LIMIT);
	eg_buf_free(&b);
	eg_arena_free(small);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
	        T(nobody),
	        T(authority_then_the_rest),
	        T(status_newest_order),
	        T(statuses_of_the_other_sections),
	        T(asserted_emptiness),
	        T(police_alone),
	        T(care_alone),
	        T(a_stopped_benefit_is_no_evidence),
	        T(remains_received_are_no_evidence),
	        T(cremated_but_registered),
	        T(a_routine_update_is_no_sign_of_life),
	        T(moving_in_after_death_is_a_sign_of_life),
	        T(dated_by_cremation_or_cancellation),
	        T(a_restored_household),
	        T(certificates_voided_and_reissued),
	        T(a_void_cremation_certificate),
	        T(date_of_death),
	        T(shared_names_have_rows),
	        T(names),
	        T(a_table_of_the_configuration),
	        T(tables_refused),
	        T(changes),
	        T(view_vector),
	        T(person_vector),
	        T(damaged_persons),
	        T(persons_refused),
	        T(without_memory),
	};
	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
