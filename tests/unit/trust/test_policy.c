/* The policy: what is refused, what is copied, who is found, and that the last reference frees it. */
#include "trust/policy.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof *(a))

enum {
	NAME = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_name),
	REGION = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_address_region)
};

/* A small policy that a test may bend: an agency, a subscriber, a local operator. */
struct model {
	unsigned fields[2][4], topic[2];
	struct eg_dataset_rule datasets[2];
	struct eg_purpose_rule purposes[2];
	struct eg_identity_rule who[3];
	struct eg_policy policy;
};

static void make(struct model *m)
{
	*m = (struct model){
	        .fields = {{REGION, NAME, EG_VIEW_DEATH_DATE, NAME}, {REGION}},
	        .topic = {REGION, EG_VIEW_LIFE},
	        .datasets = {{.name = "households", .section = EG_REGISTRATION, .rhythm_s = 86400},
	                     {.name = "deaths", .section = EG_FUNERAL, .deaths_first = true}},
	        .purposes = {{.code = "subsidy-check",
	                      .legal_basis = "an ordinance, section 4",
	                      .until_us = 1000,
	                      .n_fields = 4},
	                     {.code = "statistics", .legal_basis = "another", .n_fields = 1}},
	        .who = {{.name = "police", .roles = EG_ROLE_AGENCY, .has_pin = true, .n_datasets = 2},
	                {.name = "backend.1", .roles = EG_ROLE_SUBSCRIBER, .has_pin = true, .n_purposes = 2},
	                {.name = "root_0", .roles = EG_ROLE_ADMIN | EG_ROLE_OPERATOR, .has_uid = true}},
	        .policy = {.version = 7, .n = 3, .n_topic_fields = 2}};
	m->purposes[0].fields = m->fields[0];
	m->purposes[1].fields = m->fields[1];
	m->who[0].datasets = m->datasets;
	m->who[1].purposes = m->purposes;
	m->who[0].has_curve = true;
	m->who[0].curve[0] = 9;
	m->who[0].pin[31] = 1;
	m->who[1].pin[31] = 2;
	m->policy.identities = m->who;
	m->policy.topic_fields = m->topic;
}

static void found(void **state)
{
	(void)state;
	struct model *m = malloc(sizeof *m);
	const struct eg_policy *p;
	uint8_t pin[EG_HASH_SIZE] = {0};
	assert_non_null(m);
	make(m);
	assert_int_equal(eg_policy_new(&m->policy, &p, NULL), EG_OK);
	memset(m, 0xFF, sizeof *m); /* nothing of it is held */
	free(m);
	assert_int_equal(p->version, 7);
	assert_int_equal(p->n, 3);

	pin[31] = 1;
	const struct eg_identity_rule *police = eg_policy_by_pin(p, pin);
	assert_non_null(police);
	assert_string_equal(police->name, "police");
	assert_ptr_equal(eg_policy_by_name(p, "police"), police);
	pin[31] = 2;
	const struct eg_identity_rule *backend = eg_policy_by_pin(p, pin);
	assert_string_equal(backend->name, "backend.1");
	pin[31] = 0;
	assert_null(eg_policy_by_pin(p, pin)); /* the operator has no pin: zeros are not one */
	pin[0] = 1;
	assert_null(eg_policy_by_pin(p, pin));
	uint8_t curve[EG_CURVE_SIZE] = {9};
	assert_ptr_equal(eg_policy_by_curve(p, curve), police); /* one identity, several ways in */
	curve[0] = 0;
	assert_null(eg_policy_by_curve(p, curve)); /* nor zeros of those without a key */
	const struct eg_identity_rule *root = eg_policy_by_uid(p, 0);
	assert_string_equal(root->name, "root_0"); /* and uid 0 is not that of those without one */
	assert_null(eg_policy_by_uid(p, 1));
	assert_null(eg_policy_by_uid(p, UINT32_MAX));
	static const char *const nobody[] = {
	        "", "polic", "policemen", "Police",
	        "a-name-that-is-longer-than-any-name-in-the-policy-could-ever-have-been"};
	for (size_t i = 0; i < N(nobody); i++)
		assert_null(eg_policy_by_name(p, nobody[i]));

	const struct eg_dataset_rule *d = eg_policy_dataset(police, eg_bytes_of("deaths"));
	assert_non_null(d);
	assert_int_equal(d->section, EG_FUNERAL);
	assert_true(d->deaths_first);
	assert_int_equal(eg_policy_dataset(police, eg_bytes_of("households"))->rhythm_s, 86400);
	assert_null(eg_policy_dataset(police, eg_bytes_of("death")));
	assert_null(eg_policy_dataset(police, eg_bytes_of("deathsx")));
	assert_null(eg_policy_dataset(police, (struct eg_bytes){0}));
	assert_null(eg_policy_dataset(police,
	                              (struct eg_bytes){(const uint8_t *)"deaths", 7})); /* with its NUL */
	assert_null(eg_policy_dataset(backend, eg_bytes_of("deaths")));

	const struct eg_purpose_rule *r = eg_policy_purpose(backend, "subsidy-check", 999);
	assert_non_null(r);
	assert_string_equal(r->legal_basis, "an ordinance, section 4");
	assert_null(eg_policy_purpose(backend, "subsidy-check", 1000)); /* ended */
	assert_null(eg_policy_purpose(backend, "subsidy-chec", 0));
	assert_null(eg_policy_purpose(backend, "", 0));
	assert_null(eg_policy_purpose(police, "subsidy-check", 0));
	assert_non_null(eg_policy_purpose(backend, "statistics", INT64_MAX));
	assert_int_equal(r->n_fields, 3); /* ascending, each once */
	for (unsigned i = 1; i < r->n_fields; i++)
		assert_true(r->fields[i - 1] < r->fields[i]);
	assert_true(eg_purpose_has(r, NAME));
	assert_true(eg_purpose_has(r, REGION));
	assert_true(eg_purpose_has(r, EG_VIEW_DEATH_DATE));
	assert_true(eg_purpose_has(r, EG_VIEW_LIFE)); /* always given */
	assert_false(eg_purpose_has(r, NAME + 1));
	assert_false(eg_purpose_has(r, 0));
	assert_int_equal(p->n_topic_fields, 2);
	assert_int_equal(p->topic_fields[0], EG_VIEW_LIFE);
	eg_policy_unref(p);
}

static void empty(void **state)
{
	(void)state;
	const struct eg_policy *p;
	uint8_t pin[EG_HASH_SIZE] = {0};
	assert_int_equal(eg_policy_new(&(struct eg_policy){0}, &p, NULL), EG_OK);
	assert_null(eg_policy_by_pin(p, pin));
	assert_null(eg_policy_by_uid(p, 0));
	assert_null(eg_policy_by_name(p, ""));
	eg_policy_unref(p);
	eg_policy_unref(NULL);
	struct eg_purpose_rule none = {0};
	assert_true(eg_purpose_has(&none, EG_VIEW_LIFE));
	assert_false(eg_purpose_has(&none, NAME));
}

/* Each bends the model so that it must be refused. */
#define BAD(name, ...)                                                                                       \
	static void bad_##name(struct model *m)                                                              \
	{                                                                                                    \
		__VA_ARGS__;                                                                                 \
	}
BAD(same_pin, m->who[1].pin[31] = 1)
BAD(same_curve, m->who[1].has_curve = true; m->who[1].curve[0] = 9)
BAD(same_name, strcpy(m->who[1].name, "police"))
BAD(same_uid, m->who[0].has_uid = true)
BAD(no_way_in, m->who[2].has_uid = false)
BAD(no_role, m->who[1].roles = 0)
BAD(odd_role, m->who[1].roles |= 32)
BAD(no_name, m->who[1].name[0] = 0)
BAD(upper_name, m->who[1].name[0] = 'B')
BAD(slash_name, m->who[1].name[1] = '/')
BAD(dotted_name, m->who[1].name[0] = '.')
BAD(spaced_name, m->who[1].name[3] = ' ')
BAD(endless_name, memset(m->who[1].name, 'a', EG_NAME_MAX))
BAD(dataset_name, m->datasets[1].name[0] = 0)
BAD(dataset_twice, m->datasets[1] = m->datasets[0])
BAD(dataset_section, m->datasets[1].section = (enum eg_section)0)
BAD(dataset_section_end, m->datasets[1].section = EG_SECTION_END)
BAD(dataset_rhythm, m->datasets[1].rhythm_s = -1)
BAD(dataset_without_agency, m->who[0].roles = EG_ROLE_OPERATOR)
BAD(purpose_code, m->purposes[1].code[0] = '-')
BAD(purpose_twice, strcpy(m->purposes[1].code, m->purposes[0].code))
BAD(purpose_basis, m->purposes[1].legal_basis[0] = 0)
BAD(purpose_endless_basis, memset(m->purposes[1].legal_basis, 'a', sizeof m->purposes[1].legal_basis))
BAD(field, m->fields[0][1] = 0)
BAD(field_number, m->fields[0][1] = EG_VIEW_FIELD(EG_REGISTRATION, 63))
BAD(field_section, m->fields[0][1] = EG_VIEW_FIELD(9, 1))
BAD(field_huge, m->fields[1][0] = 0xFFFFFFFF)
BAD(topic_personal, m->topic[0] = NAME)
BAD(topic_not_plain, m->topic[1] = EG_VIEW_FIELD(EG_REGISTRATION, EG_FN_REGISTRATION_sex))
BAD(topic_unknown, m->topic[1] = 5)

static void refused(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		void (*bend)(struct model *);
	} cases[] = {
#define CASE(name) {#name, bad_##name}
	        CASE(same_pin),
	        CASE(same_curve),
	        CASE(same_name),
	        CASE(same_uid),
	        CASE(no_way_in),
	        CASE(no_role),
	        CASE(odd_role),
	        CASE(no_name),
	        CASE(upper_name),
	        CASE(slash_name),
	        CASE(dotted_name),
	        CASE(spaced_name),
	        CASE(endless_name),
	        CASE(dataset_name),
	        CASE(dataset_twice),
	        CASE(dataset_section),
	        CASE(dataset_section_end),
	        CASE(dataset_rhythm),
	        CASE(dataset_without_agency),
	        CASE(purpose_code),
	        CASE(purpose_twice),
	        CASE(purpose_basis),
	        CASE(purpose_endless_basis),
	        CASE(field),
	        CASE(field_number),
	        CASE(field_section),
	        CASE(field_huge),
	        CASE(topic_personal),
	        CASE(topic_not_plain),
	        CASE(topic_unknown),
#undef CASE
	};
	for (size_t i = 0; i < N(cases); i++) {
		struct model m;
		const struct eg_policy *p = NULL;
		struct eg_err err = {0};
		make(&m);
		cases[i].bend(&m);
		if (eg_policy_new(&m.policy, &p, &err) != EG_CONFIG)
			fail_msg("%s was taken", cases[i].name);
		assert_int_equal(err.rc, EG_CONFIG);
		assert_true(*err.text);
		assert_null(p);
	}
}

/* Many identities, each found by each of its ways. */
static void many(void **state)
{
	(void)state;
	enum { MANY = 3000 };
	struct eg_identity_rule *who = calloc(MANY, sizeof *who);
	const struct eg_policy *p;
	assert_non_null(who);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t mixed = i * 2654435761u;
		snprintf(who[i].name, sizeof who[i].name, "agency-%u", mixed);
		who[i].roles = EG_ROLE_AGENCY;
		who[i].has_pin = i % 3 != 0;
		who[i].has_uid = i % 3 != 1;
		who[i].uid = mixed;
		memcpy(who[i].pin + 14, &mixed, 4);
	}
	assert_int_equal(eg_policy_new(&(struct eg_policy){.n = MANY, .identities = who}, &p, NULL), EG_OK);
	for (uint32_t i = 0; i < MANY; i++) {
		assert_string_equal(eg_policy_by_name(p, who[i].name)->name, who[i].name);
		const struct eg_identity_rule *pin = eg_policy_by_pin(p, who[i].pin);
		const struct eg_identity_rule *uid = eg_policy_by_uid(p, who[i].uid);
		assert_int_equal(pin != NULL, who[i].has_pin);
		assert_int_equal(uid != NULL, who[i].has_uid);
		if (pin)
			assert_string_equal(pin->name, who[i].name);
		if (uid)
			assert_string_equal(uid->name, who[i].name);
	}
	eg_policy_unref(p);
	free(who);
}

/* The sanitizers see a reference too few or too many. */
enum { THREADS = 4, TURNS = 20000 };

static void *share(void *arg)
{
	const struct eg_policy *p = arg;
	for (unsigned i = 0; i < TURNS; i++) {
		const struct eg_policy *mine = eg_policy_ref(p);
		if (!eg_policy_by_name(mine, "police"))
			abort();
		eg_policy_unref(mine);
	}
	eg_policy_unref(p);
	return NULL;
}

static void references(void **state)
{
	(void)state;
	struct model m;
	const struct eg_policy *p;
	pthread_t t[THREADS];
	make(&m);
	assert_int_equal(eg_policy_new(&m.policy, &p, NULL), EG_OK);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, share, (void *)(uintptr_t)eg_policy_ref(p)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	assert_non_null(eg_policy_by_name(p, "police")); /* ours still holds */
	assert_null(eg_policy_ref(NULL));
	eg_policy_unref(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(found), cmocka_unit_test(empty),
	                                   cmocka_unit_test(refused), cmocka_unit_test(many),
	                                   cmocka_unit_test(references)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
