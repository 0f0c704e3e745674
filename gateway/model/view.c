/* view: for each field the claim that speaks first, with the rule that chose it. Thread: any.
 *
 * A value's rule is what set it apart from the next best: nobody else asserts the field, the section's
 * authority, the claim's status, its event time, or the order of agency, dataset and token. A cleared field
 * speaks like a set one, so that emptiness asserted by a higher authority is not filled by a lower one; it
 * stays in the view as cleared. */
#include "model/authority.h"
#include "model/evidence.h"
#include "model/mutant.h"

#include <string.h>

enum { SECTION = EG_VIEW_FIELD(1, 0), FIELDS = EG_VIEW_FIELD(EG_SECTION_END, 0) };
_Static_assert(SECTION == 64, "the fields of a section are the bits of a word");

/* Items of a view (gateway/FORMAT.md). */
enum { T_FIELD = 1 };
enum { F_NUMBER = 1, F_VALUE, F_SOURCE, F_AS_OF, F_RULE };

struct speaker {
	const struct eg_held *held; /* NULL: nobody */
	const struct eg_value *value;
	unsigned rank;
};
struct slot {
	struct speaker best, next;
};
/* Few fields are spoken for: a slot holds nothing, not even zeros, before its bit is set. */
struct hearing {
	uint64_t heard[EG_SECTION_END]; /* by a view field's section, a bit for its number */
	struct slot slots[FIELDS];
};

static bool heard(const struct hearing *h, unsigned field)
{
	return h->heard[field / SECTION] >> field % SECTION & 1;
}

static int cmp(const struct speaker *a, const struct speaker *b, enum eg_rule *by)
{
	*by = EG_RULE_AUTHORITY;
	if (a->rank != b->rank)
		return (a->rank < b->rank) != EG_MUTANT_IS(30) ? -1 : 1; /* 30: the last authority first */
	return eg_held_cmp(a->held, b->held, by);
}

static void hear(struct slot *s, struct speaker x)
{
	enum eg_rule by;
	if (!s->best.held || cmp(&x, &s->best, &by) < 0) {
		s->next = s->best;
		s->best = x;
	} else if (!s->next.held || cmp(&x, &s->next, &by) < 0) {
		s->next = x;
	}
}

static unsigned hear_claim(struct hearing *all, const struct eg_held *h, const struct eg_authority *t)
{
	unsigned fresh = 0;
	for (unsigned i = 0; i < h->claim.n; i++) {
		const struct eg_value *v = &h->claim.values[i];
		unsigned field = eg_authority_field(h->claim.section, v->number);
		unsigned voice = field == EG_VIEW_DEATH_DATE ? eg_death_voice(&h->claim) : h->claim.section;
		if (!field || !voice || (EG_MUTANT_IS(31) && v->cleared)) /* 31: emptiness is not asserted */
			continue;
		unsigned rank = eg_authority_rank(t, field, voice);
		if (rank == EG_AUTHORITY_SILENT)
			continue;
		if (!heard(all, field)) {
			fresh++;
			all->heard[field / SECTION] |= 1ull << field % SECTION;
			all->slots[field] = (struct slot){0};
		}
		hear(&all->slots[field], (struct speaker){h, v, rank});
	}
	return fresh;
}

static struct eg_date stated_death(const struct hearing *h, const struct eg_testimony *t)
{
	const struct speaker *best = &h->slots[EG_VIEW_DEATH_DATE].best;
	if (heard(h, EG_VIEW_DEATH_DATE) && !best->value->cleared && best->value->i)
		return eg_date_unpack((int32_t)best->value->i);
	return t->dead_by;
}

static bool dead_in_some_way(enum eg_life l)
{
	return l == EG_LIFE_SUSPECTED || l == EG_LIFE_DECEASED || l == EG_LIFE_DISPUTED;
}

static struct eg_view_value said(const struct hearing *all, unsigned field, const struct eg_held *held)
{
	const struct slot *s = &all->slots[field];
	struct eg_view_value v = {.field = field,
	                          .value = *s->best.value,
	                          .held = (unsigned)(s->best.held - held),
	                          .as_of = s->best.held->claim.event_time,
	                          .rule = EG_RULE_ONLY};
	v.value.number = (uint8_t)(field % SECTION);
	if (s->next.held)
		cmp(&s->best, &s->next, &v.rule);
	return v;
}

enum eg_rc eg_view_build(const struct eg_held *held, unsigned n, const struct eg_authority *t,
                         struct eg_arena *a, struct eg_view *out, struct eg_err *err)
{
	struct hearing all;
	struct eg_testimony testimony;
	unsigned fields = 1;

	*out = (struct eg_view){0};
	memset(all.heard, 0, sizeof all.heard);
	for (unsigned i = 0; i < n; i++)
		fields += hear_claim(&all, &held[i], t);

	eg_testimony_of(held, n, &testimony);
	out->evidence = testimony.in;
	out->evidence.later_sign_of_life = eg_later_sign_of_life(held, n, stated_death(&all, &testimony));
	out->life = eg_life_status(out->evidence);
	if (!dead_in_some_way(out->life)) /* a date of death is shown with a death only */
		all.heard[EG_VIEW_DEATH_DATE / SECTION] &= ~(1ull << EG_VIEW_DEATH_DATE % SECTION);

	out->v = eg_arena_alloc(a, fields * sizeof *out->v);
	if (!out->v)
		return eg_fail(err, EG_LIMIT,
		               "the view of a person does not fit into the memory set aside for it");

	const struct eg_held *source = eg_life_source(&testimony, out->life, held, n);
	if (source)
		out->v[out->n++] = (struct eg_view_value){
		        .field = EG_VIEW_LIFE,
		        .value = {.number = EG_VIEW_LIFE, .i = out->life},
		        .held = (unsigned)(source - held),
		        .as_of = source->claim.event_time,
		        .rule = EG_RULE_DERIVED,
		};
	for (unsigned section = 0; section < EG_SECTION_END; section++)
		for (uint64_t left = all.heard[section]; left; left &= left - 1)
			out->v[out->n++] =
			        said(&all, section * SECTION + (unsigned)__builtin_ctzll(left), held);
	return EG_OK;
}

void eg_view_canon(struct eg_buf *b, const struct eg_view *v, const struct eg_held *held)
{
	for (unsigned i = 0; i < v->n; i++) {
		const struct eg_view_value *x = &v->v[i];
		enum eg_field_type type = eg_view_field_type(x->field);
		size_t at = eg_canon_open(b, T_FIELD);
		eg_canon_int(b, F_NUMBER, x->field);
		if (x->value.cleared)
			; /* no value says it */
		else if (type == EG_TYPE_TEXT || type == EG_TYPE_CODE)
			eg_canon_bytes(b, F_VALUE, x->value.text);
		else
			eg_canon_int_always(b, F_VALUE, x->value.i);
		eg_canon_bytes(b, F_SOURCE, (struct eg_bytes){held[x->held].token, EG_TOKEN_SIZE});
		eg_canon_int(b, F_AS_OF, x->as_of);
		eg_canon_int(b, F_RULE, x->rule);
		eg_canon_close(b, at);
	}
}
