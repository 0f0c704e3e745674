/* join_cases: the questions that the rules of join.h leave to a person, read off the finished groups.
 *
 * Nothing here joins. A question about two nodes is settled when they are in one group, or their groups are
 * apart: some unit of one is apart from some unit of the other. Loops over pairs end at the first one that is
 * not settled, so they cost no more than the reviews that settled the others. */
#include "model/join_set.h"
#include "model/mutant.h"

#include <stdlib.h>
#include <string.h>

struct question {
	enum eg_case_kind kind;
	unsigned n;
	unsigned *nodes; /* positions, ascending */
};

struct work {
	const struct eg_join_set *s;
	struct eg_join_pairs apart;      /* of groups */
	struct eg_join_keys keyed;       /* every node with an effective key */
	unsigned *size;                  /* of each group, by its root */
	unsigned *groups, *nodes, *free; /* scratch, as long as the set */
	struct eg_join_pair *pairs;      /* scratch */
	struct question *questions;
	unsigned n, cap;
	bool failed;
};

/* Takes ascending positions; keeps a copy. */
static void ask(struct work *w, enum eg_case_kind kind, const unsigned *positions, unsigned n)
{
	if (w->n == w->cap) {
		unsigned cap = w->cap ? 2 * w->cap : 8;
		struct question *grown = eg_arena_alloc(w->s->arena, cap * sizeof *grown);
		if (!grown) {
			w->failed = true;
			return;
		}
		if (w->n)
			memcpy(grown, w->questions, w->n * sizeof *grown);
		w->questions = grown;
		w->cap = cap;
	}
	unsigned *copy = eg_arena_copy(w->s->arena, positions, n * sizeof *positions);
	if (!copy)
		w->failed = true;
	else
		w->questions[w->n++] = (struct question){kind, n, copy};
}

static unsigned groups_of(const struct work *w, const unsigned *positions, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		w->groups[i] = w->s->group[positions[i]];
	eg_join_sort_unsigned(w->groups, &n);
	return n;
}

/* Is each two of these settled? */
static bool settled_all(const struct work *w, const unsigned *positions, unsigned n)
{
	unsigned groups = groups_of(w, positions, n);
	for (unsigned i = 0; i < groups; i++) {
		for (unsigned j = i + 1; j < groups; j++) {
			if (EG_MUTANT_IS(36) || !eg_join_paired(&w->apart, w->groups[i], w->groups[j]))
				return false;
		}
	}
	return true;
}

/* Is the node with one of the n groups in w->groups, or apart from all of them? *with tells which. */
static bool settled_with(const struct work *w, unsigned pos, unsigned n, bool *with)
{
	unsigned group = w->s->group[pos], apart = 0;
	*with = eg_join_in(w->groups, n, group);
	while (apart < n && eg_join_paired(&w->apart, group, w->groups[apart]))
		apart++;
	return *with || apart == n;
}

static unsigned same(const struct eg_join_keys *k, unsigned from, size_t len)
{
	unsigned end = from + 1;
	while (end < k->n && memcmp(k->v[end].key, k->v[from].key, len) == 0)
		end++;
	return end;
}

static unsigned take(unsigned *to, unsigned at, const struct eg_join_key *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		to[at++] = v[i].pos;
	return at;
}

static void double_registrations(struct work *w)
{
	const struct eg_join_keys *k = &w->s->held;
	for (unsigned i = 0, end; i < k->n; i = end) {
		end = same(k, i, EG_JOIN_KEY_SIZE);
		unsigned n = take(w->nodes, 0, &k->v[i], end - i);
		if (!settled_all(w, w->nodes, n))
			ask(w, EG_CASE_DOUBLE_REGISTRATION, w->nodes, n);
	}
}

static void ambiguous_keys(struct work *w)
{
	const struct eg_join_keys *k = &w->s->followers;
	for (unsigned i = 0, end; i < k->n; i = end) {
		unsigned n_holders, n = 0, n_free = 0;
		const struct eg_join_key *holders = eg_join_holders(w->s, k->v[i].key, &n_holders);
		end = same(k, i, EG_JOIN_KEY_SIZE);

		take(w->nodes, 0, holders, n_holders);
		unsigned groups = groups_of(w, w->nodes, n_holders);
		for (unsigned j = i; j < end; j++) {
			bool with;
			if (!settled_with(w, k->v[j].pos, groups, &with))
				w->nodes[n++] = k->v[j].pos;
			else if (!with)
				w->free[n_free++] = k->v[j].pos;
		}
		if (n > 0) {
			n = take(w->nodes, n, holders, n_holders);
			eg_join_sort_unsigned(w->nodes, &n);
			ask(w, EG_CASE_AMBIGUOUS_KEY, w->nodes, n);
		}
		if (!settled_all(w, w->free, n_free))
			ask(w, EG_CASE_AMBIGUOUS_KEY, w->free, n_free);
	}
}

/* Is each two with different names settled? v[0..n) share their number and are sorted by name. */
static bool names_settled(const struct work *w, const struct eg_join_key *v, unsigned n)
{
	struct eg_join_pairs p = {.v = w->pairs};
	unsigned name = 0;
	for (unsigned i = 0; i < n; i++) {
		name += i > 0 && memcmp(v[i].key, v[i - 1].key, EG_JOIN_KEY_SIZE) != 0;
		p.v[p.n++] = (struct eg_join_pair){name, w->s->group[v[i].pos]};
	}
	eg_join_pairs_sort(&p);
	for (unsigned i = 0; i < p.n; i++) {
		for (unsigned j = i + 1; j < p.n; j++) {
			if (p.v[i].a != p.v[j].a && p.v[i].b != p.v[j].b &&
			    !eg_join_paired(&w->apart, p.v[i].b, p.v[j].b))
				return false;
		}
	}
	return true;
}

static void shared_numbers(struct work *w)
{
	const struct eg_join_keys *k = &w->keyed;
	for (unsigned i = 0, end; i < k->n; i = end) {
		end = same(k, i, EG_TOKEN_SIZE);
		if (names_settled(w, &k->v[i], end - i))
			continue;
		unsigned n = take(w->nodes, 0, &k->v[i], end - i);
		eg_join_sort_unsigned(w->nodes, &n);
		if (!EG_MUTANT_IS(19))
			ask(w, EG_CASE_NUMBER_SHARED, w->nodes, n);
	}
}

static void lone_nodes(struct work *w)
{
	const struct eg_join_set *s = w->s;
	unsigned first;
	bool with;

	for (unsigned pos = 0; pos < s->n; pos++) {
		const struct eg_version *e = s->effective[pos];
		if (!e || e->has_key)
			continue;
		if (e->has_proposal) {
			unsigned n = eg_join_range(&w->keyed, e->key, EG_TOKEN_SIZE, &first);
			take(w->nodes, 0, &w->keyed.v[first], n);
			if (settled_with(w, pos, groups_of(w, w->nodes, n), &with))
				continue;
			w->nodes[n++] = pos;
			eg_join_sort_unsigned(w->nodes, &n);
			ask(w, EG_CASE_PROPOSED_MATCH, w->nodes, n);
		} else if (s->sorted[pos]->section == EG_FUNERAL && !s->alone[pos]) {
			/* Without a key only links join it, and then they say who it is. */
			if (w->size[s->group[pos]] == 1)
				ask(w, EG_CASE_NO_IDENTITY, &pos, 1);
		}
	}
}

static int cmp_question(const void *a, const void *b)
{
	const struct question *x = a, *y = b;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	for (unsigned i = 0; i < x->n && i < y->n; i++) {
		if (x->nodes[i] != y->nodes[i])
			return x->nodes[i] < y->nodes[i] ? -1 : 1;
	}
	return (x->n > y->n) - (x->n < y->n);
}

static bool prepare(struct work *w)
{
	const struct eg_join_set *s = w->s;
	size_t n = s->n ? s->n : 1;

	w->apart.v = eg_arena_alloc(s->arena, (s->apart.n + 1) * sizeof *w->apart.v);
	w->keyed.v = eg_arena_alloc(s->arena, n * sizeof *w->keyed.v);
	w->pairs = eg_arena_alloc(s->arena, n * sizeof *w->pairs);
	w->size = eg_arena_alloc(s->arena, 4 * n * sizeof *w->size);
	if (!w->apart.v || !w->keyed.v || !w->pairs || !w->size)
		return false;
	w->groups = w->size + n;
	w->nodes = w->size + 2 * n;
	w->free = w->size + 3 * n;

	for (unsigned i = 0; i < s->n; i++)
		w->size[s->group[i]]++;
	for (unsigned i = 0; i < s->apart.n; i++) {
		struct eg_join_pair p = s->apart.v[i];
		w->apart.v[w->apart.n++] = (struct eg_join_pair){s->group[p.a], s->group[p.b]};
	}
	eg_join_pairs_sort(&w->apart);

	const struct eg_join_keys *x = &s->held, *y = &s->followers;
	for (unsigned i = 0, j = 0; i < x->n || j < y->n;) {
		bool first = j == y->n || (i < x->n && eg_join_key_cmp(&x->v[i], &y->v[j]) < 0);
		w->keyed.v[w->keyed.n++] = first ? x->v[i++] : y->v[j++];
	}
	return true;
}

enum eg_rc eg_join_cases(const struct eg_join_set *s, struct eg_join_case **cases, unsigned *n,
                         struct eg_err *err)
{
	struct work w = {.s = s};

	if (!prepare(&w))
		return eg_join_no_memory(err);
	double_registrations(&w);
	ambiguous_keys(&w);
	shared_numbers(&w);
	lone_nodes(&w);
	if (w.failed)
		return eg_join_no_memory(err);

	struct eg_join_case *out = eg_arena_alloc(s->arena, w.n * sizeof *out);
	if (!out)
		return eg_join_no_memory(err);
	if (w.n > 1)
		qsort(w.questions, w.n, sizeof *w.questions, cmp_question);
	for (unsigned i = 0; i < w.n; i++) {
		struct question *q = &w.questions[i];
		for (unsigned j = 0; j < q->n; j++) /* positions become the caller's indices */
			q->nodes[j] = (unsigned)(s->sorted[q->nodes[j]] - s->nodes);
		out[i] = (struct eg_join_case){q->kind, q->n, q->nodes};
	}
	*cases = out;
	*n = w.n;
	return EG_OK;
}
