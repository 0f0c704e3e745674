/* person: the view of one person, computed from the effective claims alone.
 *
 * Every view field carries its source claim, its as-of time and the rule that chose it. The authority table
 * (which section speaks first for which field) is data with a version. The view of the same set of claims is
 * the same in whatever order they are given. Pure. */
#ifndef EG_MODEL_PERSON_H
#define EG_MODEL_PERSON_H

#include "base/arena.h"
#include "model/claims.h"
#include "model/life.h"

/* An effective claim of a person, with where it came from. */
struct eg_held {
	uint8_t token[EG_TOKEN_SIZE]; /* of its source key */
	uint64_t seq;                 /* of its log entry */
	struct eg_claim claim;
	struct eg_bytes canon; /* the claim's canonical bytes */
};

enum eg_rule {
	EG_RULE_ONLY = 1,
	EG_RULE_AUTHORITY = 2,
	EG_RULE_STATUS = 3,
	EG_RULE_NEWEST = 4,
	EG_RULE_ORDER = 5,
	EG_RULE_DERIVED = 6
};

/* A view field is numbered section * 64 + field number of the section that owns it, whoever supplied the
 * value; EG_VIEW_LIFE and EG_VIEW_DEATH_DATE are derived. */
enum { EG_VIEW_LIFE = 1, EG_VIEW_DEATH_DATE = 2 };
#define EG_VIEW_FIELD(section, number) ((unsigned)(section)*64u + (unsigned)(number))

struct eg_view_value {
	unsigned field;
	struct eg_value value;
	unsigned held; /* index of the supplying claim, in the caller's order */
	int64_t as_of; /* event time of that claim; 0: not stated */
	enum eg_rule rule;
};

struct eg_view {
	enum eg_life life;
	struct eg_life_input evidence;
	unsigned n;
	struct eg_view_value *v; /* ascending by field */
};

struct eg_authority; /* the versioned table; NULL means the built-in one */
int64_t eg_authority_version(const struct eg_authority *t);

const char *eg_view_field_name(unsigned field,
                               char out[80]);     /* "registration.name", "life_status", "death_date" */
unsigned eg_view_field_by_name(const char *name); /* 0: none */
unsigned eg_view_field_flags(unsigned field);     /* EG_F_* */
enum eg_field_type eg_view_field_type(unsigned field);

enum eg_rc eg_view_build(const struct eg_held *held, unsigned n, const struct eg_authority *t,
                         struct eg_arena *a, struct eg_view *out, struct eg_err *err);
/* The canonical bytes of a view, for its digest: per field {number, value, source token, as_of, rule}. */
void eg_view_canon(struct eg_buf *b, const struct eg_view *v, const struct eg_held *held);

/* Fields whose value differs, ascending; before or after is NULL where the field is not in that view. */
struct eg_change {
	unsigned field;
	const struct eg_view_value *before, *after;
};
enum eg_rc eg_view_diff(const struct eg_view *before, const struct eg_view *after, struct eg_arena *a,
                        struct eg_change **out, unsigned *n, struct eg_err *err);

/* Body of table person (gateway/FORMAT.md). */
struct eg_person {
	uint8_t id[16];
	int64_t version;
	bool merged;
	uint8_t merged_into[16];
	unsigned n_held, n_cases;
	struct eg_held *held; /* ascending by token */
	uint8_t (*cases)[16]; /* open cases */
};
void eg_person_write(struct eg_buf *b, const struct eg_person *p);
enum eg_rc eg_person_read(struct eg_bytes body, struct eg_arena *a, struct eg_person *out,
                          struct eg_err *err);

#endif
