/* regroup: from the groups that joining finds to persons, and to the entries that tell of each.
 *
 * The rules of who stays, ends or begins stand in merge.h. Thread: the writer's. */
#include "flow/merge.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT_MAX

enum relation { SPLIT, ABSORBS, ENDS_IN }; /* in the order in which they are told */

struct other {
	unsigned part;
	enum relation relation;
};

/* One person in this step. */
struct part {
	struct eg_ws_person *p;
	bool fresh;       /* made by this step */
	bool moved;       /* its claims change */
	unsigned home;    /* node that says which group it goes to; NONE: it has no claim left */
	unsigned ends_in; /* part that it is merged into; NONE: it stays */
	unsigned n_others, cap_others;
	struct other *others;
};

/* One source key in this step. */
struct node {
	struct eg_ws_source *s;
	struct eg_held held; /* its claim after the step */
	unsigned join;       /* its place among the joined ones; NONE: no effective claim any more */
	unsigned group;      /* node that stands for its group */
	unsigned from, to;   /* parts; NONE */
};

struct plan {
	struct eg_merge *m;
	struct eg_cause *c;
	const struct eg_subject *s;
	uint64_t step;
	unsigned n, n_joined;
	struct node *nodes; /* ascending by token */
	unsigned subject;   /* node of the subject; NONE */
	unsigned n_parts, cap_parts;
	struct part *parts;
	unsigned *winner; /* by group: part; NONE */
	struct eg_join_case *cases;
	unsigned n_cases;
	unsigned *node_of; /* by join index */
};

static int cmp_node(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	return memcmp(x->s->row.token, y->s->row.token, EG_TOKEN_SIZE);
}

static bool effective(const struct eg_ws_source *s)
{
	return eg_versions_effective(&s->versions) != NULL;
}

/* The part of a person, made when it is first met. */
static enum eg_rc part_of(struct plan *x, struct eg_ws_person *p, unsigned *out, struct eg_err *err)
{
	if (p->step == x->step) {
		*out = p->index;
		return EG_OK;
	}
	if (x->n_parts == x->cap_parts) {
		unsigned cap = x->cap_parts ? 2 * x->cap_parts : 4;
		struct part *more = eg_arena_alloc(x->m->arena, cap * sizeof *more);
		if (!more)
			return eg_ws_no_memory(err);
		if (x->n_parts)
			memcpy(more, x->parts, x->n_parts * sizeof *more);
		x->parts = more;
		x->cap_parts = cap;
	}
	p->step = x->step;
	p->index = *out = x->n_parts++;
	x->parts[*out] = (struct part){.p = p, .home = NONE, .ends_in = NONE};
	return EG_OK;
}

static const struct eg_held *find_held(const struct eg_ws_person *p, const uint8_t token[16])
{
	unsigned low = 0, high = p->now.n_held;
	while (low < high) {
		unsigned mid = low + (high - low) / 2;
		int c = memcmp(p->now.held[mid].token, token, EG_TOKEN_SIZE);
		if (c == 0)
			return &p->now.held[mid];
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* ---- 1. the nodes, and where each was ---- */

static enum eg_rc gather(struct plan *x, const struct eg_neighbours *around, struct eg_err *err)
{
	struct eg_ws_source *only = x->s->source;
	struct eg_ws_source *const *v = around ? around->v : &only;
	unsigned n = around ? around->n : 1;
	x->nodes = eg_arena_alloc(x->m->arena, n * sizeof *x->nodes);
	if (!x->nodes)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < n; i++) {
		bool left = v[i] == only && x->s->was_held;
		if (effective(v[i]) || left)
			x->nodes[x->n++] = (struct node){.s = v[i], .join = NONE, .from = NONE, .to = NONE};
	}
	qsort(x->nodes, x->n, sizeof *x->nodes, cmp_node);
	return EG_OK;
}

static enum eg_rc place_node(struct plan *x, unsigned i, struct eg_err *err)
{
	struct node *n = &x->nodes[i];
	struct eg_ws_person *p = NULL;
	const struct eg_held *held;
	bool subject = n->s == x->s->source;
	if (subject) {
		x->subject = i;
		n->held = x->s->held;
		if (!x->s->was_held)
			return EG_OK;
	}
	enum eg_rc rc = eg_ws_person_of(&x->m->set, n->s, &p, err);
	if (rc)
		return rc;
	held = p ? find_held(p, n->s->row.token) : NULL;
	if (!held)
		return eg_fail(err, EG_CORRUPT, "a source key's claim is not held by its person");
	if (!subject || !x->s->changed)
		n->held = *held;
	return part_of(x, p, &n->from, err);
}

/* ---- 2. the groups ---- */

static enum eg_rc gather_links(struct plan *x, struct eg_join_link **out, unsigned *n, struct eg_err *err)
{
	struct eg_join_link *links;
	unsigned all = 0;
	for (unsigned i = 0; i < x->n; i++)
		all += x->nodes[i].s->n_links;
	*n = 0;
	*out = links = eg_arena_alloc(x->m->arena, all * sizeof *links);
	if (!links)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < x->n; i++) {
		const struct eg_ws_source *s = x->nodes[i].s;
		for (unsigned k = 0; k < s->n_links; k++) {
			const struct eg_link_row *l = &s->links[k];
			if (memcmp(l->a, s->row.token, 16) != 0)
				continue; /* its other end lists it */
			memcpy(links[*n].a, l->a, 16);
			memcpy(links[*n].b, l->b, 16);
			links[(*n)++].kind = (enum eg_link_kind)l->kind;
		}
	}
	return EG_OK;
}

static enum eg_rc join(struct plan *x, struct eg_err *err)
{
	struct eg_join_node *joined = eg_arena_alloc(x->m->arena, x->n * sizeof *joined);
	struct eg_join_link *links = NULL;
	unsigned n_links = 0;
	x->node_of = eg_arena_alloc(x->m->arena, x->n * sizeof *x->node_of);
	if (!joined || !x->node_of)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < x->n; i++) {
		struct node *n = &x->nodes[i];
		if (!effective(n->s))
			continue;
		n->join = x->n_joined;
		x->node_of[x->n_joined] = i;
		memcpy(joined[x->n_joined].token, n->s->row.token, EG_TOKEN_SIZE);
		joined[x->n_joined].section = n->s->versions.section;
		joined[x->n_joined++].versions = &n->s->versions;
	}
	enum eg_rc rc = gather_links(x, &links, &n_links, err);
	if (rc == EG_OK)
		rc = eg_join(joined, x->n_joined, links, n_links, x->m->arena, &x->cases, &x->n_cases, err);
	for (unsigned i = 0; i < x->n_joined && rc == EG_OK; i++)
		x->nodes[x->node_of[i]].group = x->node_of[joined[i].group];
	return rc;
}

/* ---- 3. groups become persons ---- */

/* Does a rather than b say where their person goes? */
static bool leads(const struct node *a, const struct node *b)
{
	bool ra = a->s->versions.section == EG_REGISTRATION, rb = b->s->versions.section == EG_REGISTRATION;
	if (ra != rb)
		return ra;
	return a->s->order < b->s->order;
}

static void find_homes(struct plan *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		const struct node *n = &x->nodes[i];
		if (n->join == NONE || n->from == NONE)
			continue;
		struct part *p = &x->parts[n->from];
		if (p->home == NONE || leads(n, &x->nodes[p->home]))
			p->home = i;
	}
	for (unsigned i = 0; i < x->n; i++)
		x->winner[i] = NONE;
	for (unsigned i = 0; i < x->n_parts; i++) {
		if (x->parts[i].home == NONE)
			continue;
		unsigned *w = &x->winner[x->nodes[x->parts[i].home].group];
		if (*w == NONE || x->parts[i].p->order < x->parts[*w].p->order)
			*w = i;
	}
	for (unsigned i = 0; i < x->n_parts; i++) {
		struct part *p = &x->parts[i];
		unsigned w = p->home == NONE ? i : x->winner[x->nodes[p->home].group];
		p->ends_in = w == i ? NONE : w;
	}
}

/* The person for a group that none goes to: the empty one that the subject left behind once, or a new one. */
static enum eg_rc find_person(struct plan *x, unsigned group, struct eg_err *err)
{
	struct eg_ws_person *p = NULL;
	enum eg_rc rc = EG_OK;
	bool fresh = false;
	if (x->subject != NONE && x->nodes[x->subject].group == group && !x->s->was_held)
		rc = eg_ws_person_of(&x->m->set, x->s->source, &p, err);
	if (rc == EG_OK && (!p || p->now.merged || p->now.n_held || p->step == x->step)) {
		fresh = true;
		rc = eg_ws_person_new(&x->m->set, &p, err);
	}
	if (rc == EG_OK)
		rc = part_of(x, p, &x->winner[group], err);
	if (rc == EG_OK)
		x->parts[x->winner[group]].fresh = fresh;
	return rc;
}

static enum eg_rc relate(struct plan *x, unsigned part, unsigned other, enum relation relation,
                         struct eg_err *err)
{
	struct part *p = &x->parts[part];
	for (unsigned i = 0; i < p->n_others; i++)
		if (p->others[i].part == other)
			return EG_OK;
	if (p->n_others == p->cap_others) {
		unsigned cap = p->cap_others ? 2 * p->cap_others : 2;
		struct other *more = eg_arena_alloc(x->m->arena, cap * sizeof *more);
		if (!more)
			return eg_ws_no_memory(err);
		if (p->n_others)
			memcpy(more, p->others, p->n_others * sizeof *more);
		p->others = more;
		p->cap_others = cap;
	}
	unsigned at = p->n_others++;
	for (; at && p->others[at - 1].relation > relation; at--)
		p->others[at] = p->others[at - 1];
	p->others[at] = (struct other){.part = other, .relation = relation};
	return EG_OK;
}

static enum eg_rc assign(struct plan *x, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	x->winner = eg_arena_alloc(x->m->arena, x->n * sizeof *x->winner);
	if (!x->winner)
		return eg_ws_no_memory(err);
	find_homes(x);
	for (unsigned i = 0; i < x->n && rc == EG_OK; i++) {
		struct node *n = &x->nodes[i];
		if (n->join == NONE)
			continue;
		if (x->winner[n->group] == NONE)
			rc = find_person(x, n->group, err);
		n->to = x->winner[n->group];
	}
	for (unsigned i = 0; i < x->n && rc == EG_OK; i++) {
		struct node *n = &x->nodes[i];
		bool changes = n->from != n->to || (i == x->subject && x->s->changed);
		if (changes && n->from != NONE)
			x->parts[n->from].moved = true;
		if (changes && n->to != NONE)
			x->parts[n->to].moved = true;
		if (n->from == n->to || n->from == NONE || n->to == NONE)
			continue;
		if (x->parts[n->from].ends_in == n->to) {
			rc = relate(x, n->from, n->to, ENDS_IN, err);
			if (rc == EG_OK)
				rc = relate(x, n->to, n->from, ABSORBS, err);
		} else if (x->parts[n->to].fresh) {
			rc = relate(x, n->from, n->to, SPLIT, err);
			if (rc == EG_OK)
				rc = relate(x, n->to, n->from, SPLIT, err);
		}
	}
	return rc;
}

/* ---- 4. the entries ---- */

/* Which of the part's entries tells of claims exchanged with this other part. */
static unsigned told_in(const struct part *p, unsigned other)
{
	for (unsigned i = 0; i < p->n_others; i++)
		if (p->others[i].part == other)
			return i;
	return 0;
}

/* The claims after the k-th entry of part i, and the source keys that it tells of. */
static enum eg_rc move_claims(struct plan *x, unsigned i, unsigned k, struct eg_person_change *ch,
                              struct eg_err *err)
{
	const struct part *p = &x->parts[i];
	const struct eg_person *now = &p->p->now;
	unsigned at = 0;
	ch->held = eg_arena_alloc(x->m->arena, (now->n_held + x->n) * sizeof *ch->held);
	ch->joined = eg_arena_alloc(x->m->arena, x->n * sizeof *ch->joined);
	ch->left = eg_arena_alloc(x->m->arena, x->n * sizeof *ch->left);
	if (!ch->held || !ch->joined || !ch->left)
		return eg_ws_no_memory(err);
	for (unsigned j = 0; j < x->n; j++) {
		const struct node *n = &x->nodes[j];
		const uint8_t *token = n->s->row.token;
		bool joins = n->to == i && n->from != i && told_in(p, n->from) == k;
		bool leaves = n->from == i && n->to != i && told_in(p, n->to) == k;
		bool replaces = k == 0 && j == x->subject && n->from == i && n->to == i;
		if (!joins && !leaves && !replaces)
			continue;
		while (at < now->n_held && memcmp(now->held[at].token, token, EG_TOKEN_SIZE) < 0)
			ch->held[ch->n_held++] = now->held[at++];
		if (!joins)
			at++; /* this one */
		if (!leaves)
			ch->held[ch->n_held++] = n->held;
		if (joins)
			memcpy(ch->joined[ch->n_joined++], token, 16);
		if (leaves)
			memcpy(ch->left[ch->n_left++], token, 16);
	}
	while (at < now->n_held)
		ch->held[ch->n_held++] = now->held[at++];
	return EG_OK;
}

static enum eg_rc tell_part(struct plan *x, unsigned i, bool own, struct eg_err *err)
{
	const struct part *p = &x->parts[i];
	enum eg_rc rc = EG_OK;
	for (unsigned k = 0; rc == EG_OK && (k == 0 || k < p->n_others); k++) {
		struct eg_person_change ch = {.person = p->p, .event = EG_EVENT_UPDATED};
		uint64_t seq;
		if (p->n_others) {
			ch.event = p->others[k].relation == SPLIT ? EG_EVENT_UNMERGED : EG_EVENT_MERGED;
			ch.other = x->parts[p->others[k].part].p;
			ch.merged = p->others[k].relation == ENDS_IN;
		} else if (p->fresh) {
			ch.event = EG_EVENT_CREATED;
		} else if (own && x->s->event) {
			ch.event = x->s->event;
		}
		if (own && k == 0 && (x->s->event || ch.event == EG_EVENT_UPDATED))
			ch.corrects = x->s->corrects;
		rc = move_claims(x, i, k, &ch, err);
		if (rc == EG_OK)
			rc = eg_effect_emit(x->m, x->c, &ch, &seq, err);
	}
	return rc;
}

static int cmp_part(const void *a, const void *b)
{
	const struct part *x = *(const struct part *const *)a, *y = *(const struct part *const *)b;
	return (x->p->order > y->p->order) - (x->p->order < y->p->order);
}

/* The record's own person first, since its entry is the head that the others name as their cause; then by
 * age. */
static enum eg_rc tell(struct plan *x, struct eg_err *err)
{
	const struct part **list = eg_arena_alloc(x->m->arena, x->n_parts * sizeof(const struct part *));
	unsigned own = NONE;
	enum eg_rc rc = EG_OK;
	if (!list)
		return eg_ws_no_memory(err);
	if (x->subject != NONE)
		own = x->nodes[x->subject].to != NONE ? x->nodes[x->subject].to : x->nodes[x->subject].from;
	for (unsigned i = 0; i < x->n_parts; i++)
		list[i] = &x->parts[i];
	qsort(list, x->n_parts, sizeof *list, cmp_part);
	if (own != NONE && x->parts[own].moved)
		rc = tell_part(x, own, true, err);
	for (unsigned i = 0; i < x->n_parts && rc == EG_OK; i++) {
		unsigned part = (unsigned)(list[i] - x->parts);
		if (part != own && x->parts[part].moved)
			rc = tell_part(x, part, false, err);
	}
	for (unsigned i = 0; i < x->n; i++) {
		struct node *n = &x->nodes[i];
		if (n->to == NONE || n->s->person == x->parts[n->to].p)
			continue;
		n->s->person = x->parts[n->to].p;
		n->s->dirty = true;
	}
	return rc;
}

/* ---- 5. the cases ---- */

static enum eg_rc settle(struct plan *x, bool joined, struct eg_err *err)
{
	struct eg_wanted *wanted = eg_arena_alloc(x->m->arena, x->n_cases * sizeof *wanted);
	struct eg_ws_person **persons =
	        eg_arena_alloc(x->m->arena, x->n_parts * sizeof(struct eg_ws_person *));
	bool *changed = eg_arena_alloc(x->m->arena, x->n_parts * sizeof *changed);
	if (!wanted || !persons || !changed)
		return eg_ws_no_memory(err);
	for (unsigned i = 0; i < x->n_cases; i++) {
		const struct eg_join_case *k = &x->cases[i];
		wanted[i] = (struct eg_wanted){.kind = k->kind, .n = k->n};
		wanted[i].tokens = eg_arena_alloc(x->m->arena, k->n * sizeof *wanted[i].tokens);
		if (!wanted[i].tokens)
			return eg_ws_no_memory(err);
		for (unsigned j = 0; j < k->n; j++)
			memcpy(wanted[i].tokens[j], x->nodes[x->node_of[k->nodes[j]]].s->row.token,
			       EG_TOKEN_SIZE);
	}
	for (unsigned i = 0; i < x->n_parts; i++) {
		persons[i] = x->parts[i].p;
		changed[i] = x->parts[i].moved;
	}
	enum eg_rc rc =
	        eg_cases_settle(x->m, x->c, persons, changed, x->n_parts, wanted, x->n_cases, joined, err);
	for (unsigned i = 0; i < x->n_parts; i++)
		if (persons[i]->now.merged)
			persons[i]->now.n_cases = 0;
	return rc;
}

enum eg_rc eg_regroup(struct eg_merge *m, struct eg_cause *c, const struct eg_subject *s,
                      const struct eg_neighbours *around, struct eg_err *err)
{
	struct plan x = {.m = m, .c = c, .s = s, .subject = NONE, .step = eg_ws_step(&m->set)};
	enum eg_rc rc = gather(&x, around, err);
	for (unsigned i = 0; i < x.n && rc == EG_OK; i++)
		rc = place_node(&x, i, err);
	if (rc == EG_OK && around) {
		rc = join(&x, err);
	} else if (rc == EG_OK) { /* the groups are as they were: the subject stays where it is */
		x.nodes[0].join = x.nodes[0].group = 0;
		x.n_joined = 1;
	}
	if (rc == EG_OK)
		rc = assign(&x, err);
	if (rc == EG_OK)
		rc = tell(&x, err);
	return rc ? rc : settle(&x, around != NULL, err);
}
