/* test_join: each rule and each case of join.h by example, its reviews, and sets of thousands. The generated
 * ones are in test_history. */
#include "model/join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 6000, ARENA = 256 << 20 };

/* A scene: nodes named by their number, in token order, with keys written as "1a": number 1, name a. */
static struct {
	struct eg_arena *arena;
	unsigned n, n_links;
	struct eg_join_node nodes[NODES];
	struct eg_versions lists[NODES];
	struct eg_join_link links[NODES];
	struct eg_join_case *cases;
	unsigned n_cases;
} s;

static int up(void **state)
{
	(void)state;
	s.n = s.n_links = 0;
	s.arena = eg_arena_new(ARENA);
	return s.arena ? 0 : -1;
}

static int down(void **state)
{
	(void)state;
	eg_arena_free(s.arena);
	return 0;
}

static void token_of(unsigned node, uint8_t token[EG_TOKEN_SIZE])
{
	memset(token, 0, EG_TOKEN_SIZE);
	token[0] = (uint8_t)(node >> 8);
	token[1] = (uint8_t)node;
}

static struct eg_version version_of(int64_t version, const char *key, bool current)
{
	struct eg_version v = {
	        .version = version, .seq = (uint64_t)version, .void_seq = 99, .current = current};
	v.digest[0] = (uint8_t)version;
	if (key[0] == '?') { /* "?1": a 15-digit number proposes number 1 */
		v.has_proposal = true;
		memset(v.key, key[1], EG_TOKEN_SIZE);
	} else if (key[0]) {
		v.has_key = true;
		memset(v.key, key[0], EG_TOKEN_SIZE);
		memset(v.key + EG_TOKEN_SIZE, key[1], EG_JOIN_KEY_SIZE - EG_TOKEN_SIZE);
	}
	return v;
}

static unsigned node(enum eg_section section, const char *key, bool current)
{
	struct eg_version v = version_of(10, key, current);
	unsigned i = s.n++;
	s.lists[i] = (struct eg_versions){.section = section};
	assert_int_equal(eg_versions_put(&s.lists[i], EG_ASSERT, &v, s.arena), EG_PUT_EFFECTIVE);
	s.nodes[i] = (struct eg_join_node){.section = section, .versions = &s.lists[i], .group = 77};
	token_of(i, s.nodes[i].token);
	return i;
}

static unsigned current(const char *key)
{
	return node(EG_REGISTRATION, key, true);
}

static unsigned gone(const char *key) /* moved out, or cancelled */
{
	return node(EG_REGISTRATION, key, false);
}

static unsigned other(const char *key)
{
	return node(EG_ASSISTANCE, key, false);
}

static void earlier(unsigned i, int64_t version, const char *key)
{
	struct eg_version v = version_of(version, key, true);
	assert_int_equal(eg_versions_put(&s.lists[i], EG_ASSERT, &v, s.arena), EG_PUT_STALE);
}

static void void_of(unsigned i, int64_t version)
{
	struct eg_version v = version_of(version, "", false);
	eg_versions_put(&s.lists[i], EG_VOID, &v, s.arena);
}

static void review(enum eg_link_kind kind, unsigned a, unsigned b)
{
	struct eg_join_link *l = &s.links[s.n_links++];
	l->kind = kind;
	token_of(a < b ? a : b, l->a);
	token_of(a < b ? b : a, l->b);
}

static void join(void)
{
	assert_int_equal(eg_join(s.nodes, s.n, s.links, s.n_links, s.arena, &s.cases, &s.n_cases, NULL),
	                 EG_OK);
}

/* "0 0 2": the groups of nodes 0, 1, 2. */
static void assert_groups(const char *want)
{
	char got[256] = "";
	join();
	for (unsigned i = 0; i < s.n; i++)
		snprintf(got + strlen(got), sizeof got - strlen(got), i ? " %u" : "%u", s.nodes[i].group);
	assert_string_equal(got, want);
}

/* "AMBIGUOUS_KEY 0 1 2; NO_IDENTITY 3" */
static void assert_cases(const char *want)
{
	char got[512] = "";
	join();
	for (unsigned i = 0; i < s.n_cases; i++) {
		snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s", i ? "; " : "",
		         eg_case_kind_name(s.cases[i].kind));
		for (unsigned j = 0; j < s.cases[i].n; j++)
			snprintf(got + strlen(got), sizeof got - strlen(got), " %u", s.cases[i].nodes[j]);
	}
	assert_string_equal(got, want);
}

static void nothing(void **state)
{
	(void)state;
	join();
	assert_int_equal(s.n_cases, 0);
}

static void rule1_registrations(void **state)
{
	(void)state;
	current("1a"), gone("1a"), gone("1a"), current("2a"), gone("1b");
	assert_groups("0 0 0 3 4");
}

static void rule1_double_registration(void **state)
{
	(void)state;
	current("1a"), current("1a"), gone("1a");
	assert_groups("0 1 2");
	assert_cases("DOUBLE_REGISTRATION 0 1 2");
}

static void rule2_follower(void **state)
{
	(void)state;
	other("1a"), current("1a"), other("1a"), other("2a"), node(EG_FUNERAL, "1a", false), gone("1a");
	assert_groups("0 0 0 3 0 0");
	assert_cases("");
}

static void rule2_alias(void **state)
{
	(void)state;
	unsigned r = current("2a"); /* corrected from 1a */
	other("1a"), other("2a");
	earlier(r, 5, "1a");
	assert_groups("0 0 0");
	assert_cases("");

	current("1a"); /* who holds it now goes before who held it */
	assert_groups("0 1 0 1");
}

static void rule2_alias_of_a_former_name_is_no_shared_number(void **state)
{
	(void)state;
	unsigned r = current("1b");
	other("1a");
	assert_cases("NUMBER_SHARED 0 1");
	earlier(r, 5, "1a");
	assert_groups("0 0");
	assert_cases("");
}

static void rule2_voided_alias(void **state)
{
	(void)state;
	unsigned r = current("2a");
	other("1a");
	earlier(r, 5, "1a");
	void_of(r, 5);
	assert_groups("0 1");
}

static void rule2_ambiguous(void **state)
{
	(void)state;
	current("1a"), current("1a"), other("1a"), other("1a");
	assert_groups("0 1 2 2");
	assert_cases("DOUBLE_REGISTRATION 0 1; AMBIGUOUS_KEY 0 1 2 3");
}

static void rule2_ambiguous_alias(void **state)
{
	(void)state;
	unsigned a = current("2a"), b = current("3a");
	other("1a");
	earlier(a, 5, "1a"), earlier(b, 5, "1a");
	assert_groups("0 1 2");
	assert_cases("AMBIGUOUS_KEY 0 1 2");
}

static void rule3_without_registration(void **state)
{
	(void)state;
	other("1a"), node(EG_CARE, "1a", false), node(EG_FUNERAL, "2a", false), other("1a");
	assert_groups("0 0 2 0");
	assert_cases("");
}

/* A registration that comes late bridges what was apart: its old number and its new one. */
static void rule2_bridges(void **state)
{
	(void)state;
	other("1a"), other("2a");
	assert_groups("0 1");
	unsigned r = current("2a");
	assert_groups("0 1 1");
	earlier(r, 5, "1a");
	assert_groups("0 0 0");
}

static void rule4_no_key(void **state)
{
	(void)state;
	other(""), other(""), node(EG_FUNERAL, "", false), current("");
	assert_groups("0 1 2 3");
	assert_cases("NO_IDENTITY 2");
}

static void rule4_proposal(void **state)
{
	(void)state;
	other("?1"), other("?1");
	assert_cases(""); /* nobody holds the number */
	unsigned r = current("1a"), f = other("1a");
	assert_groups("0 1 2 2");
	assert_cases("PROPOSED_MATCH 0 2 3; PROPOSED_MATCH 1 2 3");
	review(EG_LINK, 0, r);
	assert_groups("0 1 0 0");
	assert_cases("PROPOSED_MATCH 1 2 3");
	review(EG_APART, 1, f); /* its group is apart from 1's, so the question is answered */
	assert_groups("0 1 0 0");
	assert_cases("");
}

static void rule5_number_shared(void **state)
{
	(void)state;
	current("1a"), current("1b"), other("1b"), other("2b");
	assert_groups("0 1 1 3");
	assert_cases("NUMBER_SHARED 0 1 2");
	review(EG_APART, 0, 2); /* said of the follower, it holds for its person */
	assert_cases("");
	review(EG_LINK, 0, 1); /* 0 and 1 are one, so 2 is apart from both */
	assert_groups("0 0 2 3");
	assert_cases("");
	s.n_links = 0;
	review(EG_LINK, 0, 1);
	assert_groups("0 0 0 3");
	assert_cases("");
}

static void rule6_link_joins_groups(void **state)
{
	(void)state;
	current("1a"), other("1a"), current("2a"), other("2a"), other("");
	review(EG_LINK, 1, 3);
	assert_groups("0 0 0 0 4");
	review(EG_LINK, 4, 0);
	assert_groups("0 0 0 0 0");
}

static void rule6_link_settles_a_double(void **state)
{
	(void)state;
	current("1a"), current("1a"), gone("1a"), other("1a");
	assert_cases("DOUBLE_REGISTRATION 0 1 2; AMBIGUOUS_KEY 0 1 2 3");
	review(EG_LINK, 0, 1); /* one person with two current registrations: a unit counts once */
	assert_groups("0 0 0 0");
	assert_cases("");
}

static void rule6_apart_settles_a_double(void **state)
{
	(void)state;
	current("1a"), current("1a");
	review(EG_APART, 1, 0);
	assert_groups("0 1");
	assert_cases("");
	gone("1a"); /* whose is this one? */
	assert_groups("0 1 2");
	assert_cases("DOUBLE_REGISTRATION 0 1 2");
	review(EG_LINK, 2, 1);
	assert_groups("0 1 1");
	assert_cases("");
}

static void rule6_decision_carries_the_others(void **state)
{
	(void)state;
	current("1a"), current("1a"), other("1a"), other("1a"), other("1a");
	review(EG_APART, 0, 1);
	review(EG_LINK, 3, 1);
	assert_groups("0 1 1 1 1");
	assert_cases("");
	review(EG_LINK, 4, 0); /* two decisions that differ carry nobody */
	assert_groups("0 1 2 1 0");
	assert_cases("AMBIGUOUS_KEY 0 1 2");
}

static void rule6_apart_from_a_candidate(void **state)
{
	(void)state;
	current("1a"), current("1a"), other("1a"), other("1a");
	review(EG_APART, 0, 2);
	assert_groups("0 1 1 3"); /* one candidate is left to 2; 3 is still ambiguous */
	review(EG_APART, 1, 2);
	assert_groups("0 1 2 3");
	assert_cases("DOUBLE_REGISTRATION 0 1; AMBIGUOUS_KEY 0 1 3");
}

static void rule6_apart_undoes_a_join(void **state)
{
	(void)state;
	current("1a"), other("1a"), other("1a");
	review(EG_APART, 0, 1);
	assert_groups("0 1 0");
	assert_cases("");
}

static void rule6_apart_followers(void **state)
{
	(void)state;
	current("1a"), other("1a"), other("1a"), other("1a");
	review(EG_APART, 1, 2); /* one of the two is not 0's: which? */
	assert_groups("0 1 2 0");
	assert_cases("AMBIGUOUS_KEY 0 1 2");
	review(EG_LINK, 2, 0);
	assert_groups("0 1 0 0");
	assert_cases("");
}

static void rule6_apart_without_registration(void **state)
{
	(void)state;
	other("1a"), other("1a");
	review(EG_APART, 0, 1);
	assert_groups("0 1");
	assert_cases("");
	other("1a"), other("1a");
	assert_groups("0 1 2 2");
	assert_cases("AMBIGUOUS_KEY 0 1 2 3");
}

static void rule6_link_outweighs_apart(void **state)
{
	(void)state;
	current("1a"), current("2a");
	review(EG_APART, 0, 1);
	review(EG_LINK, 0, 1);
	assert_groups("0 0");
}

/* A link must not carry the joins of rules past what a review keeps apart: rule 1 first, then rule 2. */
static void rule6_no_way_round(void **state)
{
	(void)state;
	current("1a"), gone("1a"), current("2a"), gone("2a");
	review(EG_LINK, 1, 3);
	assert_groups("0 0 0 0");
	review(EG_APART, 0, 2);
	assert_groups("0 1 2 1");
	assert_cases("DOUBLE_REGISTRATION 0 1; DOUBLE_REGISTRATION 2 3");

	s.n = s.n_links = 0;
	current("1a"), current("2a"), other("1a"), other("2a");
	review(EG_LINK, 2, 3);
	assert_groups("0 0 0 0");
	review(EG_APART, 0, 1);
	assert_groups("0 1 2 2");
	assert_cases("AMBIGUOUS_KEY 0 2; AMBIGUOUS_KEY 1 3");
}

static void no_identity_reviewed(void **state)
{
	(void)state;
	node(EG_FUNERAL, "", false), node(EG_FUNERAL, "", false), node(EG_FUNERAL, "?1", false);
	current("1a");
	assert_cases("PROPOSED_MATCH 2 3; NO_IDENTITY 0; NO_IDENTITY 1");
	review(EG_LINK, 0, 3);
	review(EG_APART, 1, 1);
	assert_groups("0 1 2 0");
	assert_cases("PROPOSED_MATCH 2 3");
}

static void links_to_nowhere(void **state)
{
	(void)state;
	current("1a"), other("2a");
	review(EG_LINK, 0, 500);
	review(EG_LINK, 1, 500);
	review(EG_APART, 0, 501);
	assert_groups("0 1"); /* 500 is not there: nothing connects the two */
}

static void input_order_means_nothing(void **state)
{
	struct eg_join_node reversed[8];
	(void)state;
	current("1a"), current("1a"), other("1a"), other("2a"), other("1b"), current("2a");
	join();
	for (unsigned i = 0; i < s.n; i++)
		reversed[s.n - 1 - i] = s.nodes[i];
	struct eg_join_case *cases;
	unsigned n_cases;
	assert_int_equal(eg_join(reversed, s.n, NULL, 0, s.arena, &cases, &n_cases, NULL), EG_OK);
	for (unsigned i = 0; i < s.n; i++) {
		for (unsigned j = 0; j < s.n; j++)
			assert_int_equal(s.nodes[i].group == s.nodes[j].group,
			                 reversed[s.n - 1 - i].group == reversed[s.n - 1 - j].group);
		assert_true(reversed[i].group <= i);
	}
	assert_int_equal(n_cases, s.n_cases);
	for (unsigned i = 0; i < n_cases; i++) {
		assert_int_equal(cases[i].kind, s.cases[i].kind);
		assert_int_equal(cases[i].n, s.cases[i].n);
		for (unsigned j = 0; j < cases[i].n; j++) {
			assert_int_equal(cases[i].nodes[j], s.n - 1 - s.cases[i].nodes[j]);
			assert_true(j == 0 || memcmp(reversed[cases[i].nodes[j - 1]].token,
			                             reversed[cases[i].nodes[j]].token, EG_TOKEN_SIZE) < 0);
		}
	}
}

/* Somebody sends thousands of records with one number. Each shape ends, in memory that grows with the set. */
static void thousands(void **state)
{
	char key[3] = "1a";
	(void)state;
	for (unsigned i = 0; i < NODES; i++)
		other("1a");
	for (unsigned i = 1; i < NODES; i++)
		review(i % 3 ? EG_APART : EG_LINK, i - 1, i);
	join();
	assert_true(s.n_cases > 0);

	s.n = s.n_links = 0;
	eg_arena_reset(s.arena);
	for (unsigned i = 0; i < NODES; i++) {
		key[1] = (char)('a' + i % 26);
		node(i % 2 ? EG_REGISTRATION : EG_CARE, key, true);
	}
	for (unsigned i = 26; i < NODES; i++)
		review(EG_LINK, i - 26, i);
	join();
	assert_int_equal(s.n_cases, 1); /* 26 persons share the number */
	assert_int_equal(s.cases[0].kind, EG_CASE_NUMBER_SHARED);
	assert_int_equal(s.cases[0].n, NODES);

	s.n_links = 0;
	join();
	assert_true(s.n_cases > 1);
}

static void without_memory(void **state)
{
	struct eg_err err;
	unsigned refused = 0;
	(void)state;
	current("1a"), current("1a"), other("1a"), other("?1"), node(EG_FUNERAL, "", false);
	review(EG_APART, 0, 2);
	for (size_t budget = 16;; budget += 16) {
		struct eg_arena *a = eg_arena_new(budget);
		enum eg_rc rc = eg_join(s.nodes, s.n, s.links, s.n_links, a, &s.cases, &s.n_cases, &err);
		eg_arena_free(a);
		if (rc == EG_OK)
			break;
		assert_int_equal(rc, EG_LIMIT);
		assert_int_equal(err.rc, EG_LIMIT);
		refused++;
	}
	assert_true(refused > 10);
}

static void names_of_cases(void **state)
{
	(void)state;
	for (int k = EG_CASE_VERSION_CONFLICT; k <= EG_CASE_NO_IDENTITY; k++)
		assert_true(strlen(eg_case_kind_name((enum eg_case_kind)k)) > 0);
	assert_string_equal(eg_case_kind_name(EG_CASE_LIFE_DISPUTED), "LIFE_DISPUTED");
	assert_string_equal(eg_case_kind_name((enum eg_case_kind)99), "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
	        T(nothing),
	        T(rule1_registrations),
	        T(rule1_double_registration),
	        T(rule2_follower),
	        T(rule2_alias),
	        T(rule2_alias_of_a_former_name_is_no_shared_number),
	        T(rule2_voided_alias),
	        T(rule2_ambiguous),
	        T(rule2_ambiguous_alias),
	        T(rule2_bridges),
	        T(rule3_without_registration),
	        T(rule4_no_key),
	        T(rule4_proposal),
	        T(rule5_number_shared),
	        T(rule6_link_joins_groups),
	        T(rule6_link_settles_a_double),
	        T(rule6_apart_settles_a_double),
	        T(rule6_decision_carries_the_others),
	        T(rule6_apart_from_a_candidate),
	        T(rule6_apart_undoes_a_join),
	        T(rule6_apart_followers),
	        T(rule6_apart_without_registration),
	        T(rule6_link_outweighs_apart),
	        T(rule6_no_way_round),
	        T(no_identity_reviewed),
	        T(links_to_nowhere),
	        T(input_order_means_nothing),
	        T(thousands),
	        T(without_memory),
	        T(names_of_cases),
	};
	return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
