/* history_oracle: what claims.h, join.h, person.h promise, computed the plain way over sets of at most 32
 * sources.
 *
 * Written from the headers alone, with bit masks and loops over everything, so that it shares no idea with
 * the library but the promises. It asks nothing about arrival: its input is which versions are asserted and
 * which are voided. */
#ifndef HISTORY_ORACLE_H
#define HISTORY_ORACLE_H

#include "history_world.h"
#include "model/person.h"

#include <stdlib.h>

typedef uint32_t mask;
#define BIT(i)    ((mask)1 << (i))
#define HAS(m, i) (((m) >> (i)) & 1)

struct flags {
	bool asserted[SOURCES][SLOTS], voided[SOURCES][SLOTS], withdrawn[SOURCES][SLOTS];
};

static bool older(const struct slot *a, const struct slot *b)
{
	return a->version != b->version ? a->version < b->version : a->mapping_revision < b->mapping_revision;
}

/* Is there an absence at this position that nobody took back? A void of the version without a mapping
 * revision takes it back. */
static bool absent_at(const struct source *s, const struct flags *f, unsigned i, unsigned slot)
{
	bool absent = f->withdrawn[i][slot];
	for (unsigned k = 0; k < s->n; k++) {
		if (s->slots[k].version == s->slots[slot].version && !s->slots[k].mapping_revision)
			absent = absent && !f->voided[i][k];
	}
	return absent;
}

/* The highest version said and not taken back, unless a list that came later lacks the key. */
static int oracle_effective(const struct source *s, const struct flags *f, unsigned source)
{
	int best = -1;
	for (unsigned i = 0; i < s->n; i++) {
		if (f->asserted[source][i] && !f->voided[source][i] &&
		    (best < 0 || older(&s->slots[best], &s->slots[i])))
			best = (int)i;
	}
	for (unsigned i = 0; i < s->n && best >= 0; i++) {
		if (absent_at(s, f, source, i) && s->slots[i].version > s->slots[best].version)
			best = -1;
	}
	return best;
}

/* ---- grouping ---- */

struct told {
	enum eg_case_kind kind;
	mask who;
};
struct grouping {
	mask present;
	mask group[SOURCES];
	unsigned n_cases;
	struct told cases[4 * SOURCES];
};

struct plain {
	unsigned n;
	const struct content *c[SOURCES]; /* effective content; NULL: none */
	mask present, registration, keyed;
	mask unit[SOURCES], apart[SOURCES], alone;
	mask first[SOURCES], group[SOURCES]; /* after rule 1; in the end */
	mask holders[SOURCES];               /* of a follower's key */
};

static bool same_key(const struct content *a, const struct content *b)
{
	return a->number == b->number && a->name == b->name;
}

static void close_over(mask *m, unsigned n)
{
	for (bool again = true; again;) {
		again = false;
		for (unsigned i = 0; i < n; i++) {
			for (unsigned j = 0; j < n; j++) {
				mask both = m[i] | m[j] | BIT(i) | BIT(j);
				if (!HAS(m[i], j) || (m[i] == both && m[j] == both))
					continue;
				m[i] = m[j] = both;
				again = true;
			}
		}
	}
}

static bool torn(const struct plain *p, mask m)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (HAS(m, i) && (p->apart[i] & m))
			return true;
	}
	return false;
}

static void join_along(const struct plain *p, const mask *base, const mask *edges, mask *out)
{
	mask all[SOURCES];
	for (unsigned i = 0; i < p->n; i++)
		all[i] = base[i] | edges[i];
	close_over(all, p->n);
	for (unsigned i = 0; i < p->n; i++)
		out[i] = base[i] | (torn(p, all[i]) ? 0 : edges[i]);
	close_over(out, p->n);
}

static void plain_links(struct plain *p, const struct history *h)
{
	for (unsigned i = 0; i < p->n; i++)
		p->unit[i] = BIT(i);
	for (unsigned i = 0; i < h->n_links; i++) {
		const struct link *l = &h->links[i];
		if (!HAS(p->present, l->a) || !HAS(p->present, l->b))
			continue;
		if (l->kind == EG_LINK)
			p->unit[l->a] |= BIT(l->b);
		else if (l->a == l->b)
			p->alone |= BIT(l->a);
	}
	close_over(p->unit, p->n);
	for (unsigned k = 0; k < h->n_links; k++) {
		const struct link *l = &h->links[k];
		if (l->kind != EG_APART || !HAS(p->present, l->a) || !HAS(p->present, l->b) ||
		    HAS(p->unit[l->a], l->b))
			continue;
		for (unsigned i = 0; i < p->n; i++) {
			if (HAS(p->unit[l->a], i))
				p->apart[i] |= p->unit[l->b];
			if (HAS(p->unit[l->b], i))
				p->apart[i] |= p->unit[l->a];
		}
	}
}

static mask with_key(const struct plain *p, mask among, const struct content *c)
{
	mask m = 0;
	for (unsigned i = 0; i < p->n; i++) {
		if (HAS(among & p->keyed, i) && same_key(p->c[i], c))
			m |= BIT(i);
	}
	return m;
}

static void plain_rule1(struct plain *p)
{
	mask edges[SOURCES] = {0};
	for (unsigned i = 0; i < p->n; i++) {
		if (!HAS(p->registration & p->keyed, i))
			continue;
		mask same = with_key(p, p->registration, p->c[i]);
		bool several = false;
		for (unsigned j = 0; j < p->n; j++) {
			for (unsigned k = 0; k < p->n; k++) {
				several = several || (HAS(same, j) && HAS(same, k) && p->c[j]->current &&
				                      p->c[k]->current && !HAS(p->unit[j], k));
			}
		}
		for (unsigned j = 0; j < p->n && !several && !(p->apart[i] & same); j++) {
			if (HAS(same, j) && !(p->apart[j] & same))
				edges[i] |= BIT(j);
		}
	}
	join_along(p, p->unit, edges, p->first);
}

static void plain_holders(struct plain *p, const struct history *h, const struct flags *f)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (!HAS(p->keyed & ~p->registration, i))
			continue;
		p->holders[i] = with_key(p, p->registration, p->c[i]);
		if (p->holders[i])
			continue;
		for (unsigned j = 0; j < p->n; j++) {
			for (unsigned k = 0; HAS(p->registration, j) && k < h->sources[j].n; k++) {
				const struct content *c =
				        &h->sources[j].contents[h->sources[j].slots[k].content];
				if (f->asserted[j][k] && !f->voided[j][k] && c->identity == KEY &&
				    same_key(c, p->c[i]))
					p->holders[i] |= BIT(j);
			}
		}
	}
}

/* The groups (each once) that meet m. */
static unsigned groups_meeting(const struct plain *p, const mask *group, mask m, mask *out)
{
	unsigned n = 0;
	for (unsigned i = 0; i < p->n; i++) {
		bool lowest = HAS(m, i) && !(group[i] & m & (BIT(i) - 1));
		if (lowest)
			out[n++] = group[i];
	}
	return n;
}

static void plain_rules23(struct plain *p)
{
	mask target[SOURCES] = {0}, edges[SOURCES] = {0}, free_ones = 0, ambiguous = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (!HAS(p->keyed & ~p->registration, i) || (p->first[i] & p->holders[i]))
			continue;
		mask groups[SOURCES], left[SOURCES], decided[SOURCES];
		unsigned n = groups_meeting(p, p->first, p->holders[i], groups), n_left = 0;
		for (unsigned j = 0; j < n; j++) {
			if (!(groups[j] & p->apart[i]))
				left[n_left++] = groups[j];
		}
		mask kin = with_key(p, ~p->registration, p->c[i]), in = 0;
		for (unsigned j = 0; j < p->n; j++) {
			if (HAS(kin, j) && (p->first[j] & p->holders[i]))
				in |= p->first[j];
		}
		unsigned n_decided = groups_meeting(p, p->first, in, decided);
		if (n_left == 0)
			free_ones |= BIT(i);
		else if (n_left == 1)
			target[i] = left[0];
		else if (n_left == n && n_decided == 1)
			target[i] = decided[0];
		else if (n_left == n)
			ambiguous |= BIT(i);
	}
	for (unsigned i = 0; i < p->n; i++) {
		bool contested = false;
		for (unsigned j = 0; j < p->n; j++)
			contested = contested || (HAS(p->apart[i], j) && target[i] && target[j] == target[i]);
		if (!contested)
			edges[i] |= target[i];
		mask kind = HAS(free_ones, i) ? free_ones : HAS(ambiguous, i) ? ambiguous : 0;
		mask kin = kind ? with_key(p, kind, p->c[i]) : 0;
		for (unsigned j = 0; j < p->n && !(p->apart[i] & kin); j++) {
			if (HAS(kin, j) && !(p->apart[j] & kin))
				edges[i] |= BIT(j);
		}
	}
	join_along(p, p->first, edges, p->group);
}

static bool groups_apart(const struct plain *p, unsigned a, unsigned b)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (HAS(p->group[a], i) && (p->apart[i] & p->group[b]))
			return true;
	}
	return false;
}

static bool settled(const struct plain *p, unsigned a, unsigned b)
{
	return HAS(p->group[a], b) || groups_apart(p, a, b);
}

static bool all_settled(const struct plain *p, mask m, bool only_other_names)
{
	for (unsigned i = 0; i < p->n; i++) {
		for (unsigned j = 0; j < p->n; j++) {
			if (!HAS(m, i) || !HAS(m, j) || (only_other_names && p->c[i]->name == p->c[j]->name))
				continue;
			if (!settled(p, i, j))
				return false;
		}
	}
	return true;
}

static bool settled_with(const struct plain *p, unsigned i, mask holders)
{
	bool all = true;
	for (unsigned j = 0; j < p->n; j++)
		all = all && (!HAS(holders, j) || groups_apart(p, i, j));
	return all || (p->group[i] & holders);
}

static void tell(struct grouping *g, enum eg_case_kind kind, mask who)
{
	for (unsigned i = 0; i < g->n_cases; i++) {
		if (g->cases[i].kind == kind && g->cases[i].who == who)
			return;
	}
	g->cases[g->n_cases++] = (struct told){kind, who};
}

static void plain_cases(const struct plain *p, struct grouping *g)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (!HAS(p->present, i))
			continue;
		const struct content *c = p->c[i];
		mask number = 0;
		for (unsigned j = 0; j < p->n; j++) {
			if (HAS(p->keyed, j) && p->c[j]->number == c->number)
				number |= BIT(j);
		}
		if (c->identity == NO_KEY) {
			if (c->claim.section == EG_FUNERAL && p->group[i] == BIT(i) && !HAS(p->alone, i))
				tell(g, EG_CASE_NO_IDENTITY, BIT(i));
			continue;
		}
		if (c->identity == PROPOSAL) {
			if (!settled_with(p, i, number))
				tell(g, EG_CASE_PROPOSED_MATCH, BIT(i) | number);
			continue;
		}
		if (!all_settled(p, number, true))
			tell(g, EG_CASE_NUMBER_SHARED, number);
		if (HAS(p->registration, i)) {
			mask same = with_key(p, p->registration, c);
			if (!all_settled(p, same, false))
				tell(g, EG_CASE_DOUBLE_REGISTRATION, same);
			continue;
		}
		mask kin = with_key(p, ~p->registration, c), open = 0, free_ones = 0;
		for (unsigned j = 0; j < p->n; j++) {
			if (!HAS(kin, j))
				continue;
			if (!settled_with(p, j, p->holders[i]))
				open |= BIT(j);
			else if (!(p->group[j] & p->holders[i]))
				free_ones |= BIT(j);
		}
		if (open)
			tell(g, EG_CASE_AMBIGUOUS_KEY, open | p->holders[i]);
		if (!all_settled(p, free_ones, false))
			tell(g, EG_CASE_AMBIGUOUS_KEY, free_ones);
	}
}

static void oracle_join(const struct history *h, const struct flags *f, struct grouping *g)
{
	struct plain p = {.n = h->n_sources};

	memset(g, 0, sizeof *g);
	for (unsigned i = 0; i < p.n; i++) {
		int e = oracle_effective(&h->sources[i], f, i);
		if (e < 0)
			continue;
		p.c[i] = &h->sources[i].contents[h->sources[i].slots[e].content];
		p.present |= BIT(i);
		p.registration |= h->sources[i].section == EG_REGISTRATION ? BIT(i) : 0;
		p.keyed |= p.c[i]->identity == KEY ? BIT(i) : 0;
	}
	plain_links(&p, h);
	plain_rule1(&p);
	plain_holders(&p, h, f);
	plain_rules23(&p);
	plain_cases(&p, g);
	g->present = p.present;
	for (unsigned i = 0; i < p.n; i++)
		g->group[i] = HAS(p.present, i) ? p.group[i] : 0;
}

/* ---- view ---- */

struct said {
	const struct eg_held *h;
	const struct eg_value *v;
	int rank;
};

static int64_t code(const struct eg_claim *c, unsigned number)
{
	return eg_claim_int(c, number);
}

static int oracle_standing(const struct eg_claim *c)
{
	static const int registration[] = {0, 0, 2, 1, 3, 0}, assistance[] = {0, 0, 1, 2},
	                 certificate[] = {0, 0, 2, 1};
	int a, b;
	switch (c->section) {
	case EG_REGISTRATION:
		return registration[code(c, EG_FN_REGISTRATION_registration_status)];
	case EG_ASSISTANCE:
		return assistance[code(c, EG_FN_ASSISTANCE_assistance_status)];
	case EG_FUNERAL:
		a = certificate[code(c, EG_FN_FUNERAL_death_certificate_status)];
		b = certificate[code(c, EG_FN_FUNERAL_funeral_certificate_status)];
		return a > b ? a : b;
	default:
		return code(c, EG_FN_CARE_occupancy_end_date) != 0;
	}
}

/* N: nothing, V: valid, X: voided */
static char oracle_certificate(const struct eg_claim *c)
{
	int64_t status = code(c, EG_FN_FUNERAL_death_certificate_status);
	bool number = eg_claim_text(c, EG_FN_FUNERAL_death_certificate_number).len > 0;
	return status == 2 ? 'X' : number || status ? 'V' : 'N';
}

static char oracle_cremation(const struct eg_claim *c)
{
	int64_t status = code(c, EG_FN_FUNERAL_funeral_certificate_status);
	bool done = eg_claim_text(c, EG_FN_FUNERAL_funeral_certificate_number).len > 0 ||
	            code(c, EG_FN_FUNERAL_cremation_time) || code(c, EG_FN_FUNERAL_disposal);
	return status == 2 ? 'X' : done || status ? 'V' : 'N';
}

/* -1: it does not count */
static int oracle_death_rank(const struct eg_claim *c)
{
	if (c->section == EG_REGISTRATION)
		return code(c, EG_FN_REGISTRATION_registration_status) == 5 ? -1 : 2;
	char a = oracle_certificate(c), b = oracle_cremation(c);
	if (a == 'V')
		return 0;
	return b == 'V' || (a == 'N' && b == 'N') ? 1 : -1;
}

static unsigned oracle_field(enum eg_section s, unsigned number)
{
	const char *name = eg_field_by_number(s, number)->name;
	if (strcmp(name, "death_date") == 0)
		return EG_VIEW_DEATH_DATE;
	const struct eg_field_def *police = eg_field_by_name(EG_REGISTRATION, name);
	return police ? EG_VIEW_FIELD(EG_REGISTRATION, police->number) : EG_VIEW_FIELD(s, number);
}

static int64_t criterion(const struct said *s, enum eg_rule rule)
{
	return rule == EG_RULE_AUTHORITY ? s->rank
	       : rule == EG_RULE_STATUS  ? oracle_standing(&s->h->claim)
	                                 : -s->h->claim.event_time;
}

static int by_place(const void *a, const void *b)
{
	const struct eg_held *x = ((const struct said *)a)->h, *y = ((const struct said *)b)->h;
	int c = eg_bytes_cmp(x->claim.agency, y->claim.agency);
	if (!c)
		c = eg_bytes_cmp(x->claim.dataset, y->claim.dataset);
	return c ? c : memcmp(x->token, y->token, EG_TOKEN_SIZE);
}

/* Sieves by one criterion after the other until one is left. */
static enum eg_rule sieve(struct said *s, unsigned n)
{
	if (n == 1)
		return EG_RULE_ONLY;
	for (enum eg_rule rule = EG_RULE_AUTHORITY; rule <= EG_RULE_NEWEST; rule++) {
		int64_t least = INT64_MAX;
		unsigned kept = 0;
		for (unsigned i = 0; i < n; i++)
			least = criterion(&s[i], rule) < least ? criterion(&s[i], rule) : least;
		for (unsigned i = 0; i < n; i++) {
			if (criterion(&s[i], rule) == least)
				s[kept++] = s[i];
		}
		n = kept;
		if (n == 1)
			return rule;
	}
	qsort(s, n, sizeof *s, by_place);
	return EG_RULE_ORDER;
}

static int oracle_rank(enum eg_section s, unsigned field, const struct eg_claim *c)
{
	static const int papers[] = {
	        [EG_REGISTRATION] = 0, [EG_ASSISTANCE] = 1, [EG_CARE] = 2, [EG_FUNERAL] = 3};
	if (field == EG_VIEW_DEATH_DATE)
		return oracle_death_rank(c);
	return field / 64 == EG_REGISTRATION ? papers[s] : 0;
}

/* Who speaks for the field; n is 0 if nobody does. */
static enum eg_rule oracle_choose(const struct eg_held *held, unsigned n, unsigned field, struct said *out)
{
	struct said all[SOURCES];
	unsigned m = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct eg_claim *c = &held[i].claim;
		for (unsigned j = 0; j < c->n; j++) {
			int rank = oracle_rank(c->section, field, c);
			if (oracle_field(c->section, c->values[j].number) == field && rank >= 0)
				all[m++] = (struct said){&held[i], &c->values[j], rank};
		}
	}
	out->h = NULL;
	if (m == 0)
		return 0;
	enum eg_rule rule = sieve(all, m);
	*out = all[0];
	return rule;
}

static bool later(struct eg_date d, struct eg_date last)
{
	return d.year && eg_date_pack(d) > eg_date_pack(last);
}

static struct eg_life_input oracle_evidence(const struct eg_held *held, unsigned n)
{
	struct eg_life_input in = {0};
	struct said death, cancelled[SOURCES], restored[SOURCES], cremated[SOURCES];
	unsigned n_cancelled = 0, n_restored = 0, n_live = 0, n_cremated = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct eg_claim *c = &held[i].claim;
		int64_t status = code(c, EG_FN_REGISTRATION_registration_status);
		struct said s = {&held[i], NULL, 0};
		if (c->section == EG_REGISTRATION && status == 3)
			cancelled[n_cancelled++] = s;
		else if (c->section == EG_REGISTRATION && status == 5)
			restored[n_restored++] = s;
		else if (c->section == EG_REGISTRATION && status < 2)
			n_live++;
		if (c->section != EG_FUNERAL)
			continue;
		char a = oracle_certificate(c), b = oracle_cremation(c);
		if (a == 'V' || (a == 'X' && in.certificate == EG_EVIDENCE_NONE))
			in.certificate = a == 'V' ? EG_EVIDENCE_VALID : EG_EVIDENCE_VOIDED;
		if (b == 'V' || (b == 'X' && in.cremation == EG_EVIDENCE_NONE))
			in.cremation = b == 'V' ? EG_EVIDENCE_VALID : EG_EVIDENCE_VOIDED;
		if (b == 'V')
			cremated[n_cremated++] = s;
	}
	if (n_cancelled)
		sieve(cancelled, n_cancelled);
	if (n_restored)
		sieve(restored, n_restored);
	if (n_cremated)
		sieve(cremated, n_cremated);
	bool back = n_restored &&
	            (!n_cancelled || restored[0].h->claim.event_time >= cancelled[0].h->claim.event_time);
	in.police = back          ? EG_POLICE_RESTORED
	            : n_cancelled ? EG_POLICE_CANCELLED_DEATH
	            : n_live      ? EG_POLICE_ALIVE
	                          : EG_POLICE_NONE;

	struct eg_date day = {0};
	oracle_choose(held, n, EG_VIEW_DEATH_DATE, &death);
	if (death.h && !death.v->cleared)
		day = eg_date_unpack((int32_t)death.v->i);
	else if (n_cremated && code(&cremated[0].h->claim, EG_FN_FUNERAL_cremation_time))
		day = eg_date_of_instant(code(&cremated[0].h->claim, EG_FN_FUNERAL_cremation_time), 8 * 3600);
	else if (in.police == EG_POLICE_CANCELLED_DEATH)
		day = eg_date_unpack(
		        (int32_t)code(&cancelled[0].h->claim, EG_FN_REGISTRATION_death_cancellation_date));
	if (!day.year)
		return in;
	day.month = day.month ? day.month : 12;
	day.day = day.day ? day.day : 31;
	for (unsigned i = 0; i < n; i++) {
		const struct eg_claim *c = &held[i].claim;
		int64_t status = code(c, EG_FN_REGISTRATION_registration_status);
		if (c->section != EG_REGISTRATION || (status >= 2 && status <= 4))
			continue;
		struct eg_date act = eg_date_unpack((int32_t)code(c, EG_FN_REGISTRATION_moved_in_date));
		bool sign = later(act, day);
		if (status == 5)
			sign = sign || later(c->valid_from, day) ||
			       (c->event_time && later(eg_date_of_instant(c->event_time, 8 * 3600), day));
		in.later_sign_of_life = in.later_sign_of_life || sign;
	}
	return in;
}

/* NULL, or what is wrong with the view. */
static const char *oracle_view(const struct eg_view *v, const struct eg_held *held, unsigned n)
{
	struct eg_life_input in = oracle_evidence(held, n);
	unsigned at = 0;

	if (in.police != v->evidence.police || in.certificate != v->evidence.certificate ||
	    in.cremation != v->evidence.cremation || in.later_sign_of_life != v->evidence.later_sign_of_life)
		return "the evidence of life and death";
	if (v->life != eg_life_status(in))
		return "the life status";
	if (at >= v->n || v->v[at].field != EG_VIEW_LIFE || v->v[at].value.i != (int64_t)v->life ||
	    v->v[at].rule != EG_RULE_DERIVED || v->v[at].as_of != held[v->v[at].held].claim.event_time)
		return "the life status as a field";
	at++;
	for (unsigned field = EG_VIEW_DEATH_DATE; field < EG_VIEW_FIELD(EG_SECTION_END, 0); field++) {
		struct said s;
		enum eg_rule rule = oracle_choose(held, n, field, &s);
		if (!s.h ||
		    (field == EG_VIEW_DEATH_DATE && (v->life == EG_LIFE_ALIVE || v->life == EG_LIFE_UNKNOWN)))
			continue;
		const struct eg_view_value *x = at < v->n ? &v->v[at++] : NULL;
		if (!x || x->field != field)
			return "which fields there are";
		if (&held[x->held] != s.h || x->as_of != s.h->claim.event_time)
			return "the source of a field";
		if (x->rule != rule)
			return "the rule of a field";
		if (x->value.cleared != s.v->cleared || x->value.i != s.v->i ||
		    !eg_bytes_equal(x->value.text, s.v->text))
			return "the value of a field";
	}
	return at == v->n ? NULL : "fields that nobody asserts";
}

/* NULL, or what is wrong with the changes between two views. */
static const char *oracle_diff(const struct eg_view *a, const struct eg_view *b, const struct eg_change *c,
                               unsigned n)
{
	unsigned at = 0;
	for (unsigned field = 1; field < EG_VIEW_FIELD(EG_SECTION_END, 0); field++) {
		const struct eg_view_value *x = NULL, *y = NULL;
		for (unsigned i = 0; i < a->n; i++)
			x = a->v[i].field == field ? &a->v[i] : x;
		for (unsigned i = 0; i < b->n; i++)
			y = b->v[i].field == field ? &b->v[i] : y;
		bool no_x = !x || x->value.cleared, no_y = !y || y->value.cleared;
		bool same = no_x || no_y ? no_x && no_y
		                         : x->value.i == y->value.i &&
		                                   eg_bytes_equal(x->value.text, y->value.text);
		if (same)
			continue;
		if (at >= n || c[at].field != field || c[at].before != x || c[at].after != y)
			return "the changes between two views";
		at++;
	}
	return at == n ? NULL : "changes where nothing changed";
}

#endif
