/* join: which source keys are one person, derived from claims and reviewed links alone, never from arrival.
 *
 * Rules, in order (a key is the join key: 18-digit token with normalised name):
 *  1. Registrations whose effective keys are equal are one person as long as at most one of them is current;
 * two current ones are a DOUBLE_REGISTRATION case, and each stays alone.
 *  2. Any other source key attaches to the one registration group that holds its key, or, if none holds it,
 * to the one that held it in an earlier version (alias). Several: an AMBIGUOUS_KEY case; it stays with others
 * of its kind.
 *  3. Without any registration, equal keys join.
 *  4. A source key without a key stands alone; a 15-digit number only proposes (PROPOSED_MATCH).
 *  5. One number with two names is a NUMBER_SHARED case, never a join.
 *  6. A reviewed link joins the groups of its two ends. A reviewed "apart" silences the cases between its two
 * ends, and rules 1 to 3 never bring the two into one group.
 *
 * Rule 6 in full. Nodes that links alone connect are one unit; units are never broken up, and count once in
 * rule 1. An apart holds between the units of its two ends (a link outweighs it: within one unit it says
 * nothing):
 *  - rules 1 and 3: of equal keys, those that are apart from another of them stand alone; the rest join.
 *  - rule 2: a group that the follower is apart from is none of its candidates. With one candidate left it
 * attaches there, with none it falls to rule 3, with several it stands alone. Followers that are apart from
 * each other attach to no common group. If a link has put one follower of an ambiguous key into one
 * candidate's group, the others follow it.
 *  - where the joins of rule 1, or those of rules 2 and 3, would still bring units into one group that are
 * apart (by way of links), none of the joins of that group are made. A case is silent once each two
 * participants that its question is about are in one group, or their groups are apart: DOUBLE_REGISTRATION
 * asks for each two; NUMBER_SHARED for each two with different names; AMBIGUOUS_KEY (one case for a key)
 * whether each follower is with one of the registrations or apart from all of them, and, of followers that no
 * registration claims, for each two; PROPOSED_MATCH (one case for a proposer) whether it is with a holder of
 * the number or apart from all of them; NO_IDENTITY whether the record is linked, or marked apart from
 * itself. Pure. The result depends on the set of nodes and links only. */
#ifndef EG_MODEL_JOIN_H
#define EG_MODEL_JOIN_H

#include "base/arena.h"
#include "model/claims.h"

struct eg_join_node {
	uint8_t token[EG_TOKEN_SIZE]; /* of the source key; orders the result */
	enum eg_section section;
	const struct eg_versions *versions; /* with an effective version */
	unsigned group;                     /* out: the lowest index of a node in the same group */
};

enum eg_case_kind {
	EG_CASE_VERSION_CONFLICT = 1, /* same version, other content */
	EG_CASE_DOUBLE_REGISTRATION = 2,
	EG_CASE_NUMBER_SHARED = 3,
	EG_CASE_AMBIGUOUS_KEY = 4,
	EG_CASE_PROPOSED_MATCH = 5,
	EG_CASE_LIFE_DISPUTED = 6,
	EG_CASE_POLICE_LAG = 7,
	EG_CASE_NO_IDENTITY = 8, /* a funeral record without a number */
	EG_CASE_LIST_SHRINK = 9  /* a full list lacks more keys than the shrink guard lets pass */
};
const char *eg_case_kind_name(enum eg_case_kind k); /* "VERSION_CONFLICT" */

struct eg_join_case {
	enum eg_case_kind kind;
	unsigned n;
	const unsigned *nodes; /* indices, ascending by token */
};

enum eg_link_kind { EG_LINK = 1, EG_APART = 2 };
struct eg_join_link {
	uint8_t a[EG_TOKEN_SIZE], b[EG_TOKEN_SIZE]; /* a < b; EG_APART with a == b: reviewed, stands alone */
	enum eg_link_kind kind;
};

/* Sets nodes[i].group; *cases are from the arena, ordered by (kind, tokens). The caller passes a closed set:
 * every source key that shares a key, an alias, an 18-digit token or a link with one in the set. */
enum eg_rc eg_join(struct eg_join_node *nodes, unsigned n, const struct eg_join_link *links, unsigned n_links,
                   struct eg_arena *a, struct eg_join_case **cases, unsigned *n_cases, struct eg_err *err);

#endif
