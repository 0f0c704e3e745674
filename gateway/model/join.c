/* join: the groups, by union-find in two stages on top of the reviewed links.
 *
 *   units (links alone) --rule 1--> registration groups --rules 2, 3--> groups
 *
 * Each stage collects its joins as edges from what the stage before left, so the order of edges means
 * nothing; then it drops those of a group that would hold units which are apart. O(n log n) in nodes,
 * versions and links. */
#include "model/join.h"

#include "model/join_set.h"
#include "model/mutant.h"

#include <stdlib.h>
#include <string.h>

/* What rule 2 makes of a follower. */
enum standing {
	NO_FOLLOWER,
	IN_GROUP,  /* links have put it there */
	ATTACHES,  /* to its target */
	FREE,      /* no registration holds its key, or it is apart from all that do: rule 3 */
	AMBIGUOUS, /* several hold its key */
	STANDS_ALONE
};

struct work {
	struct eg_join_set *s;
	unsigned *parent; /* by pos: of the union-find; a root is the lowest of its set */
	unsigned *before; /* by pos: the group after rule 1 */
	struct eg_join_pairs edges;
	unsigned char *standing; /* by pos: enum standing */
	unsigned *target;        /* by pos, of one that ATTACHES: a group of `before` */
	unsigned *scratch, *scratch2;
	bool *bad;
};

enum eg_rc eg_join_no_memory(struct eg_err *err)
{
	return eg_fail(err, EG_LIMIT,
	               "the source keys to join do not fit into the memory set aside for them");
}

const char *eg_case_kind_name(enum eg_case_kind k)
{
	switch (k) {
	case EG_CASE_VERSION_CONFLICT:
		return "VERSION_CONFLICT";
	case EG_CASE_DOUBLE_REGISTRATION:
		return "DOUBLE_REGISTRATION";
	case EG_CASE_NUMBER_SHARED:
		return "NUMBER_SHARED";
	case EG_CASE_AMBIGUOUS_KEY:
		return "AMBIGUOUS_KEY";
	case EG_CASE_PROPOSED_MATCH:
		return "PROPOSED_MATCH";
	case EG_CASE_LIFE_DISPUTED:
		return "LIFE_DISPUTED";
	case EG_CASE_POLICE_LAG:
		return "POLICE_LAG";
	case EG_CASE_NO_IDENTITY:
		return "NO_IDENTITY";
	case EG_CASE_LIST_SHRINK:
		return "LIST_SHRINK";
	}
	return "";
}

/* ---- sorted lists ---- */

static int cmp_unsigned(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	return (x > y) - (x < y);
}

void eg_join_sort_unsigned(unsigned *v, unsigned *n)
{
	unsigned kept = 0;
	if (*n > 1)
		qsort(v, *n, sizeof *v, cmp_unsigned);
	for (unsigned i = 0; i < *n; i++) {
		if (kept == 0 || v[kept - 1] != v[i])
			v[kept++] = v[i];
	}
	*n = kept;
}

bool eg_join_in(const unsigned *v, unsigned n, unsigned x)
{
	return n > 0 && bsearch(&x, v, n, sizeof *v, cmp_unsigned) != NULL;
}

static int cmp_pair(const void *a, const void *b)
{
	const struct eg_join_pair *x = a, *y = b;
	int c = (x->a > y->a) - (x->a < y->a);
	return c ? c : (x->b > y->b) - (x->b < y->b);
}

void eg_join_pairs_sort(struct eg_join_pairs *p)
{
	unsigned kept = 0;
	if (p->n > 1)
		qsort(p->v, p->n, sizeof *p->v, cmp_pair);
	for (unsigned i = 0; i < p->n; i++) {
		if (kept == 0 || cmp_pair(&p->v[kept - 1], &p->v[i]) != 0)
			p->v[kept++] = p->v[i];
	}
	p->n = kept;
}

bool eg_join_paired(const struct eg_join_pairs *p, unsigned a, unsigned b)
{
	struct eg_join_pair x = {a, b};
	return p->n > 0 && bsearch(&x, p->v, p->n, sizeof *p->v, cmp_pair) != NULL;
}

unsigned eg_join_partners(const struct eg_join_pairs *p, unsigned a, unsigned *first)
{
	unsigned low = 0, high = p->n, end;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (p->v[mid].a < a)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < p->n && p->v[end].a == a;)
		end++;
	*first = low;
	return end - low;
}

int eg_join_key_cmp(const void *a, const void *b)
{
	const struct eg_join_key *x = a, *y = b;
	int c = memcmp(x->key, y->key, EG_JOIN_KEY_SIZE);
	return c ? c : (x->pos > y->pos) - (x->pos < y->pos);
}

static void sort_keys(struct eg_join_keys *k)
{
	unsigned kept = 0;
	if (k->n > 1)
		qsort(k->v, k->n, sizeof *k->v, eg_join_key_cmp);
	for (unsigned i = 0; i < k->n; i++) {
		if (kept == 0 || eg_join_key_cmp(&k->v[kept - 1], &k->v[i]) != 0)
			k->v[kept++] = k->v[i];
	}
	k->n = kept;
}

unsigned eg_join_range(const struct eg_join_keys *k, const uint8_t *key, size_t len, unsigned *first)
{
	unsigned low = 0, high = k->n, end;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (memcmp(k->v[mid].key, key, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < k->n && memcmp(k->v[end].key, key, len) == 0;)
		end++;
	*first = low;
	return end - low;
}

const struct eg_join_key *eg_join_holders(const struct eg_join_set *s, const uint8_t *key, unsigned *n)
{
	unsigned first;
	/* 8: the name is no part of the key */
	*n = eg_join_range(&s->held, key, EG_MUTANT_IS(8) ? EG_TOKEN_SIZE : EG_JOIN_KEY_SIZE, &first);
	if (*n > 0)
		return &s->held.v[first];
	if (EG_MUTANT_IS(9)) /* aliases are ignored */
		return NULL;
	*n = eg_join_range(&s->old, key, EG_JOIN_KEY_SIZE, &first);
	return *n > 0 ? &s->old.v[first] : NULL;
}

/* ---- union-find ---- */

static unsigned find(unsigned *parent, unsigned i)
{
	while (parent[i] != i) {
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

static void unite(unsigned *parent, unsigned a, unsigned b)
{
	a = find(parent, a);
	b = find(parent, b);
	if (a < b)
		parent[b] = a;
	else
		parent[a] = b;
}

static void flatten(unsigned *parent, unsigned n, unsigned *out)
{
	for (unsigned i = 0; i < n; i++)
		out[i] = find(parent, i);
}

/* Joins along the collected edges, save in groups that would hold units which are apart. `base` is what stood
 * before. */
static void join_edges(struct work *w, const unsigned *base)
{
	const struct eg_join_pairs *apart = &w->s->apart;
	size_t size = w->s->n * sizeof *w->parent;
	bool any = false;

	memset(w->bad, 0, w->s->n * sizeof *w->bad);
	for (unsigned i = 0; i < w->edges.n; i++)
		unite(w->parent, w->edges.v[i].a, w->edges.v[i].b);
	for (unsigned i = 0; i < apart->n; i++) {
		unsigned root = find(w->parent, apart->v[i].a);
		if (root == find(w->parent, apart->v[i].b))
			any = w->bad[root] = true;
	}
	if (any && !EG_MUTANT_IS(10)) { /* 10: links carry a rule's join past a review that keeps apart */
		flatten(w->parent, w->s->n, w->scratch);
		memcpy(w->parent, base, size);
		for (unsigned i = 0; i < w->edges.n; i++) {
			if (!w->bad[w->scratch[w->edges.v[i].a]])
				unite(w->parent, w->edges.v[i].a, w->edges.v[i].b);
		}
	}
	w->edges.n = 0;
}

static void add_edge(struct work *w, unsigned a, unsigned b)
{
	w->edges.v[w->edges.n++] = (struct eg_join_pair){a, b};
}

/* ---- the set ---- */

static int cmp_node(const void *a, const void *b)
{
	const struct eg_join_node *x = *(const struct eg_join_node *const *)a;
	const struct eg_join_node *y = *(const struct eg_join_node *const *)b;
	return memcmp(x->token, y->token, EG_TOKEN_SIZE);
}

static bool position(const struct eg_join_set *s, const uint8_t *token, unsigned *pos)
{
	unsigned low = 0, high = s->n;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		if (memcmp(s->sorted[mid]->token, token, EG_TOKEN_SIZE) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*pos = low;
	return low < s->n && memcmp(s->sorted[low]->token, token, EG_TOKEN_SIZE) == 0;
}

static void add_key(struct eg_join_keys *k, const struct eg_version *v, unsigned pos)
{
	struct eg_join_key *to = &k->v[k->n++];
	memcpy(to->key, v->key, EG_JOIN_KEY_SIZE);
	to->pos = pos;
}

/* Keys of other asserted versions that are not voided. */
static void add_old_keys(struct eg_join_set *s, unsigned pos)
{
	const struct eg_versions *l = s->sorted[pos]->versions;
	const struct eg_version *e = s->effective[pos];
	for (unsigned i = 0; i < l->n; i++) {
		const struct eg_version *v = &l->v[i];
		if (v == e || !v->asserted || (v->voided && !EG_MUTANT_IS(11)) || !v->has_key)
			continue;
		if (e->has_key && memcmp(e->key, v->key, EG_JOIN_KEY_SIZE) == 0)
			continue;
		add_key(&s->old, v, pos);
	}
}

static bool add_keys(struct eg_join_set *s)
{
	size_t old = 0, n = s->n ? s->n : 1;
	for (unsigned i = 0; i < s->n; i++) {
		if (s->sorted[i]->section == EG_REGISTRATION && s->effective[i])
			old += s->sorted[i]->versions->n;
	}
	s->held.v = eg_arena_alloc(s->arena, n * sizeof *s->held.v);
	s->followers.v = eg_arena_alloc(s->arena, n * sizeof *s->followers.v);
	s->old.v = eg_arena_alloc(s->arena, (old ? old : 1) * sizeof *s->old.v);
	if (!s->held.v || !s->followers.v || !s->old.v)
		return false;

	for (unsigned i = 0; i < s->n; i++) {
		bool registration = s->sorted[i]->section == EG_REGISTRATION;
		const struct eg_version *e = s->effective[i];
		bool keyed =
		        e && (e->has_key || (EG_MUTANT_IS(12) && e->has_proposal)); /* 12: a proposal joins */
		if (keyed)
			add_key(registration ? &s->held : &s->followers, e, i);
		if (e && registration)
			add_old_keys(s, i);
	}
	sort_keys(&s->held);
	sort_keys(&s->followers);
	sort_keys(&s->old);
	return true;
}

/* Units from links, then what is apart, by unit. Links with an end outside the set say nothing. */
static bool add_links(struct work *w, const struct eg_join_link *links, unsigned n_links)
{
	struct eg_join_set *s = w->s;
	unsigned a, b;

	s->apart.v = eg_arena_alloc(s->arena, (2 * (size_t)n_links + 1) * sizeof *s->apart.v);
	if (!s->apart.v)
		return false;
	for (unsigned i = 0; i < n_links; i++) {
		if (links[i].kind != EG_LINK || EG_MUTANT_IS(13) || !position(s, links[i].a, &a) ||
		    !position(s, links[i].b, &b))
			continue;
		unite(w->parent, a, b);
	}
	flatten(w->parent, s->n, s->unit);
	for (unsigned i = 0; i < n_links; i++) {
		if (links[i].kind != EG_APART || EG_MUTANT_IS(14) || !position(s, links[i].a, &a) ||
		    !position(s, links[i].b, &b))
			continue;
		if (a == b)
			s->alone[a] = true;
		unsigned x = s->unit[a], y = s->unit[b];
		if (x == y)
			continue;
		s->apart.v[s->apart.n++] = (struct eg_join_pair){x, y};
		s->apart.v[s->apart.n++] = (struct eg_join_pair){y, x};
	}
	eg_join_pairs_sort(&s->apart);
	return true;
}

static bool prepare(struct work *w, const struct eg_join_link *links, unsigned n_links)
{
	struct eg_join_set *s = w->s;
	size_t n = s->n ? s->n : 1;

	s->sorted = eg_arena_alloc(s->arena, n * sizeof *s->sorted);
	s->effective = eg_arena_alloc(s->arena, n * sizeof *s->effective);
	s->unit = eg_arena_alloc(s->arena, 7 * n * sizeof *s->unit);
	s->alone = eg_arena_alloc(s->arena, 2 * n * sizeof *s->alone);
	w->standing = eg_arena_alloc(s->arena, n);
	w->edges.v = eg_arena_alloc(s->arena, n * sizeof *w->edges.v);
	if (!s->sorted || !s->effective || !s->unit || !s->alone || !w->standing || !w->edges.v)
		return false;
	s->group = s->unit + n;
	w->parent = s->unit + 2 * n;
	w->before = s->unit + 3 * n;
	w->target = s->unit + 4 * n;
	w->scratch = s->unit + 5 * n;
	w->scratch2 = s->unit + 6 * n;
	w->bad = s->alone + n;

	for (unsigned i = 0; i < s->n; i++)
		s->sorted[i] = &s->nodes[i];
	qsort(s->sorted, s->n, sizeof(const struct eg_join_node *), cmp_node);
	for (unsigned i = 0; i < s->n; i++) {
		s->effective[i] = eg_versions_effective(s->sorted[i]->versions);
		w->parent[i] = i;
	}
	return add_keys(s) && add_links(w, links, n_links);
}

/* ---- the rules ---- */

static unsigned same_key(const struct eg_join_keys *k, unsigned from)
{
	unsigned end = from + 1;
	while (end < k->n && memcmp(k->v[end].key, k->v[from].key, EG_JOIN_KEY_SIZE) == 0)
		end++;
	return end;
}

/* Rules 1 and 3: joins the members v[0..n) save those that are apart from another member. */
static void join_members(struct work *w, const struct eg_join_key *v, unsigned n, enum standing only)
{
	const struct eg_join_set *s = w->s;
	unsigned units = 0, joined = s->n;

	for (unsigned i = 0; i < n; i++) {
		if (w->standing[v[i].pos] == (unsigned char)only)
			w->scratch[units++] = s->unit[v[i].pos];
	}
	eg_join_sort_unsigned(w->scratch, &units);
	for (unsigned i = 0; i < n; i++) {
		unsigned pos = v[i].pos, first;
		unsigned partners = eg_join_partners(&s->apart, s->unit[pos], &first);
		bool party = w->standing[pos] != (unsigned char)only;
		for (unsigned j = first; j < first + partners && !party; j++)
			party = eg_join_in(w->scratch, units, s->apart.v[j].b);
		if (party &&
		    !(EG_MUTANT_IS(33) && w->standing[pos] == (unsigned char)only)) /* 33: those apart join */
			continue;
		if (joined < s->n)
			add_edge(w, joined, pos);
		joined = pos;
	}
}

static void join_registrations(struct work *w)
{
	const struct eg_join_set *s = w->s;
	const struct eg_join_keys *k = &s->held;

	for (unsigned i = 0, end; i < k->n; i = end) {
		unsigned current = s->n;
		bool several = false;
		end = same_key(k, i);
		for (unsigned j = i; j < end; j++) {
			unsigned unit = s->unit[k->v[j].pos];
			if (!s->effective[k->v[j].pos]->current)
				continue;
			several = several || (current < s->n && current != unit);
			current = unit;
		}
		if (!several || EG_MUTANT_IS(15)) /* 15: a double registration joins */
			join_members(w, &k->v[i], end - i, NO_FOLLOWER);
	}
	join_edges(w, s->unit);
	flatten(w->parent, s->n, w->before);
}

/* Of the ascending candidate groups: how many the follower is apart from; *left: one that it is not. */
static unsigned count_barred(const struct work *w, unsigned pos, const unsigned *groups, unsigned n,
                             unsigned *scratch, unsigned *left)
{
	const struct eg_join_set *s = w->s;
	unsigned first, barred = 0, partners = eg_join_partners(&s->apart, s->unit[pos], &first);

	for (unsigned j = first; j < first + partners; j++) {
		unsigned group = w->before[s->apart.v[j].b];
		if (eg_join_in(groups, n, group) &&
		    !EG_MUTANT_IS(34)) /* 34: attaches to what it is apart from */
			scratch[barred++] = group;
	}
	eg_join_sort_unsigned(scratch, &barred);
	*left = n > 0 ? groups[0] : 0;
	for (unsigned i = 0; i < barred && i < n && scratch[i] == groups[i]; i++)
		*left = i + 1 < n ? groups[i + 1] : 0;
	return barred;
}

/* Rule 2 for the followers of one key. */
static void judge_followers(struct work *w, const struct eg_join_key *v, unsigned n)
{
	const struct eg_join_set *s = w->s;
	unsigned n_holders, n_groups = 0, n_decided = 0, decided = 0, left;
	const struct eg_join_key *holders = eg_join_holders(s, v[0].key, &n_holders);
	unsigned *groups = w->scratch;

	for (unsigned i = 0; i < n_holders; i++)
		groups[n_groups++] = w->before[holders[i].pos];
	eg_join_sort_unsigned(groups, &n_groups);

	for (unsigned i = 0; i < n; i++) {
		unsigned group = w->before[v[i].pos];
		if (!eg_join_in(groups, n_groups, group))
			continue;
		w->standing[v[i].pos] = IN_GROUP;
		if (n_decided == 0 || decided != group)
			n_decided++;
		decided = group;
	}
	for (unsigned i = 0; i < n; i++) {
		unsigned pos = v[i].pos;
		if (w->standing[pos] == IN_GROUP)
			continue;
		unsigned barred = count_barred(w, pos, groups, n_groups, w->scratch2, &left);
		if (barred == n_groups) {
			w->standing[pos] = FREE;
		} else if (n_groups - barred == 1) {
			w->standing[pos] = ATTACHES;
			w->target[pos] = left;
		} else if (barred > 0) {
			w->standing[pos] = STANDS_ALONE;
		} else if (n_decided == 1 &&
		           !EG_MUTANT_IS(16)) { /* 16: a decision carries no other follower */
			w->standing[pos] = ATTACHES;
			w->target[pos] = decided;
		} else if (EG_MUTANT_IS(17)) { /* an ambiguous one goes to the first */
			w->standing[pos] = ATTACHES;
			w->target[pos] = groups[0];
		} else {
			w->standing[pos] = AMBIGUOUS;
		}
	}
}

/* Attaches each follower to its target, save those that are apart from another with the same one. */
static bool attach(struct work *w)
{
	const struct eg_join_set *s = w->s;
	struct eg_join_pairs going = {.v = eg_arena_alloc(s->arena, (s->followers.n + 1) * sizeof *going.v)};

	if (!going.v)
		return false;
	for (unsigned i = 0; i < s->followers.n; i++) {
		unsigned pos = s->followers.v[i].pos;
		if (w->standing[pos] == ATTACHES)
			going.v[going.n++] = (struct eg_join_pair){w->target[pos], s->unit[pos]};
	}
	eg_join_pairs_sort(&going);
	for (unsigned i = 0; i < s->followers.n; i++) {
		unsigned pos = s->followers.v[i].pos, first;
		if (w->standing[pos] != ATTACHES)
			continue;
		unsigned partners = eg_join_partners(&s->apart, s->unit[pos], &first);
		bool contested = false;
		for (unsigned j = first; j < first + partners && !contested; j++)
			contested = eg_join_paired(&going, w->target[pos], s->apart.v[j].b);
		if (!contested || EG_MUTANT_IS(35)) /* 35: two that are apart attach to one */
			add_edge(w, pos, w->target[pos]);
	}
	return true;
}

static bool join_followers(struct work *w)
{
	const struct eg_join_keys *k = &w->s->followers;

	for (unsigned i = 0, end; i < k->n; i = end) {
		end = same_key(k, i);
		judge_followers(w, &k->v[i], end - i);
	}
	if (!attach(w))
		return false;
	for (unsigned i = 0, end; i < k->n; i = end) {
		end = same_key(k, i);
		join_members(w, &k->v[i], end - i, FREE);
		if (!EG_MUTANT_IS(18)) /* ambiguous ones stand alone */
			join_members(w, &k->v[i], end - i, AMBIGUOUS);
	}
	join_edges(w, w->before);
	return true;
}

/* The lowest index of the caller's order stands for a group. */
static void tell_groups(struct eg_join_set *s, unsigned *lowest)
{
	for (unsigned i = 0; i < s->n; i++)
		lowest[i] = s->n;
	for (unsigned i = 0; i < s->n; i++) {
		unsigned index = (unsigned)(s->sorted[i] - s->nodes), root = s->group[i];
		if (index < lowest[root])
			lowest[root] = index;
	}
	for (unsigned i = 0; i < s->n; i++)
		s->nodes[s->sorted[i] - s->nodes].group = lowest[s->group[i]];
}

enum eg_rc eg_join(struct eg_join_node *nodes, unsigned n, const struct eg_join_link *links, unsigned n_links,
                   struct eg_arena *a, struct eg_join_case **cases, unsigned *n_cases, struct eg_err *err)
{
	struct eg_join_set s = {.arena = a, .n = n, .nodes = nodes};
	struct work w = {.s = &s};

	*cases = NULL;
	*n_cases = 0;
	if (!prepare(&w, links, n_links))
		return eg_join_no_memory(err);
	join_registrations(&w);
	if (!join_followers(&w))
		return eg_join_no_memory(err);
	flatten(w.parent, n, s.group);
	tell_groups(&s, w.scratch);
	return eg_join_cases(&s, cases, n_cases, err);
}
