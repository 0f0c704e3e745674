/* join_set: the sorted set of nodes that the rules of join.h work on; private to join.c, join_cases.c.
 *
 * Nodes go by their position in token order, so nothing depends on the order of the input. Memory is the
 * caller's arena. */
#ifndef EG_MODEL_JOIN_SET_H
#define EG_MODEL_JOIN_SET_H

#include "model/join.h"

struct eg_join_key {
	uint8_t key[EG_JOIN_KEY_SIZE];
	unsigned pos;
};
struct eg_join_keys { /* ascending by (key, pos), without repetition */
	unsigned n;
	struct eg_join_key *v;
};
struct eg_join_pair {
	unsigned a, b;
};
struct eg_join_pairs { /* ascending */
	unsigned n;
	struct eg_join_pair *v;
};

struct eg_join_set {
	struct eg_arena *arena;
	unsigned n;
	struct eg_join_node *nodes;          /* the caller's, in its order */
	const struct eg_join_node **sorted;  /* by pos */
	const struct eg_version **effective; /* by pos; NULL: none */
	unsigned *unit;                      /* by pos: lowest pos that links alone connect with it */
	unsigned *group;                     /* by pos: lowest pos of its group */
	bool *alone;                         /* by pos: reviewed as standing alone */
	struct eg_join_pairs apart;          /* of units, each in both directions */
	struct eg_join_keys held, old,
	        followers; /* registrations' effective keys, their other ones, all others' */
};

/* The part of the list with this key: how many, beginning at *first. */
unsigned eg_join_range(const struct eg_join_keys *k, const uint8_t *key, size_t len, unsigned *first);
/* Registrations that hold the key: by their effective version, or, if there is none, by another one. */
const struct eg_join_key *eg_join_holders(const struct eg_join_set *s, const uint8_t *key, unsigned *n);

int eg_join_key_cmp(const void *a, const void *b);    /* of two struct eg_join_key, for qsort */
void eg_join_sort_unsigned(unsigned *v, unsigned *n); /* and drops repetitions */
bool eg_join_in(const unsigned *v, unsigned n, unsigned x);
void eg_join_pairs_sort(struct eg_join_pairs *p); /* and drops repetitions */
bool eg_join_paired(const struct eg_join_pairs *p, unsigned a, unsigned b);
/* The partners of a: how many, beginning at *first. */
unsigned eg_join_partners(const struct eg_join_pairs *p, unsigned a, unsigned *first);

enum eg_rc eg_join_cases(const struct eg_join_set *s, struct eg_join_case **cases, unsigned *n,
                         struct eg_err *err);
enum eg_rc eg_join_no_memory(struct eg_err *err);

#endif
