/* test_history: generated histories of shared numbers, corrected ones, early voids, bridging claims, reviews.
 *
 * For each history of assertions, voids and withdrawals: every put answers as the plain oracle says; groups,
 * cases and views are the oracle's; any other order with any repetition ends in the same persons; a conflict
 * changes nothing; adding a version and voiding it, or having it voided from the start, leaves every field as
 * it was. A failure is shrunk to the fewest operations, then printed.
 *
 *   EG_HISTORIES   how many (20000)        EG_SEED   of the first; history i has seed EG_SEED + i */
#include "history_oracle.h"
#include "history_world.h"

#include "model/authority.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

enum { HISTORIES = 20000, ENOUGH_TO_COUNT = 10000, ARENA = 8 << 20, SHRINK_SALTS = 6 };

/* What the histories have met; a generator that no longer meets something proves less than it says. */
static struct {
	unsigned long put[EG_PUT_FAILED + 1], rule[EG_RULE_DERIVED + 1], life[EG_LIFE_UNKNOWN + 1],
	        kind[EG_CASE_NO_IDENTITY + 1], persons[SOURCES + 1], moved, withdrawn;
} met;

struct bench {
	struct eg_arena *run_arena;
	struct eg_buf text, text2;
};

/* One run of a history: what the library holds, beside what the oracle is told. */
struct run {
	struct eg_versions lists[SOURCES];
	struct flags flags;
	uint64_t seqs[SOURCES][SLOTS];
	uint64_t seq;
};

/* What a run ends in. */
struct outcome {
	struct eg_join_node nodes[SOURCES];
	unsigned source[SOURCES], n; /* of each node */
	struct eg_join_case *cases;
	unsigned n_cases;
	unsigned n_persons;
	struct eg_view views[SOURCES];
	struct eg_held held[SOURCES][SOURCES];
	unsigned n_held[SOURCES];
};

static void run_begin(struct run *r, const struct history *h)
{
	memset(r, 0, sizeof *r);
	for (unsigned i = 0; i < h->n_sources; i++) {
		r->lists[i].section = h->sources[i].section;
		r->lists[i].agency = h->sources[i].contents[0].claim.agency;
		r->lists[i].dataset = h->sources[i].contents[0].claim.dataset;
	}
}

static enum eg_put expect_assertion(struct run *r, const struct source *s, unsigned i, unsigned slot,
                                    int before)
{
	bool lacked = false; /* by a list between the version that stood and this one */
	r->flags.asserted[i][slot] = true;
	r->seqs[i][slot] = r->seq;
	if (oracle_effective(s, &r->flags, i) != (int)slot)
		return EG_PUT_STALE;
	for (unsigned k = 0; k < s->n && before >= 0; k++)
		lacked = lacked ||
		         (absent_at(s, &r->flags, i, k) && s->slots[k].version > s->slots[before].version);
	if (before < 0 || lacked || s->slots[before].content != s->slots[slot].content)
		return EG_PUT_EFFECTIVE;
	r->seqs[i][slot] = r->seqs[i][before];
	return EG_PUT_CONFIRMED;
}

/* Withdrawals of one position are one, whichever slot has it. */
static bool known(const struct run *r, const struct source *s, unsigned i, unsigned slot, enum eg_op op)
{
	if (op != EG_WITHDRAW)
		return op == EG_VOID ? r->flags.voided[i][slot] : r->flags.asserted[i][slot];
	for (unsigned k = 0; k < s->n; k++)
		if (r->flags.withdrawn[i][k] && s->slots[k].version == s->slots[slot].version)
			return true;
	return false;
}

/* What eg_versions_put must answer, and what the seq of the version is then; tells the flags. */
static enum eg_put expect(struct run *r, const struct source *s, unsigned i, unsigned slot, enum eg_op op)
{
	int before = oracle_effective(s, &r->flags, i);

	if (known(r, s, i, slot, op))
		return EG_PUT_UNCHANGED;
	if (op == EG_ASSERT)
		return expect_assertion(r, s, i, slot, before);
	if (op == EG_VOID)
		r->flags.voided[i][slot] = true;
	else
		r->flags.withdrawn[i][slot] = true;
	return oracle_effective(s, &r->flags, i) != before ? EG_PUT_EFFECTIVE : EG_PUT_STALE;
}

static const char *check_list(const struct run *r, const struct source *s, unsigned i)
{
	const struct eg_version *e = eg_versions_effective(&r->lists[i]);
	int want = oracle_effective(s, &r->flags, i);

	if ((e != NULL) != (want >= 0))
		return "whether a version is effective";
	if (!e)
		return NULL;
	struct eg_version v = make_version(s, (unsigned)want);
	if (e->version != v.version || e->mapping_revision != v.mapping_revision)
		return "which version is effective";
	if (memcmp(e->digest, v.digest, sizeof v.digest) != 0 || e->has_key != v.has_key ||
	    e->current != v.current || e->has_proposal != v.has_proposal ||
	    memcmp(e->key, v.key, sizeof v.key) != 0)
		return "the content of the effective version";
	return e->seq == r->seqs[i][want] ? NULL : "the entry of the effective version";
}

static const char *step(struct run *r, const struct history *h, unsigned i, unsigned slot, enum eg_op op,
                        struct eg_arena *a)
{
	const struct source *s = &h->sources[i];
	struct eg_version v = make_version(s, slot);

	v.seq = v.void_seq = v.withdrawn_seq = ++r->seq;
	enum eg_put want = expect(r, s, i, slot, op);
	enum eg_put got = eg_versions_put(&r->lists[i], op, &v, a);
	met.put[got]++;
	met.withdrawn += op == EG_WITHDRAW && got == EG_PUT_EFFECTIVE;
	return got == want ? check_list(r, s, i) : "the answer of a put";
}

/* The same version with other content must change nothing. */
static const char *conflict(struct run *r, const struct history *h, unsigned i, unsigned slot,
                            struct eg_arena *a)
{
	struct eg_version v = make_version(&h->sources[i], slot);

	if (!r->flags.asserted[i][slot])
		return NULL;
	v.digest[0] ^= 0x80;
	v.has_key = !v.has_key;
	v.seq = ++r->seq;
	enum eg_put got = eg_versions_put(&r->lists[i], EG_ASSERT, &v, a);
	met.put[got]++;
	return got == EG_PUT_CONFLICT ? check_list(r, &h->sources[i], i) : "the answer to a conflict";
}

/* ---- what a run ends in ---- */

static const struct content *effective_content(const struct history *h, const struct run *r, unsigned i)
{
	int e = oracle_effective(&h->sources[i], &r->flags, i);
	return e < 0 ? NULL : &h->sources[i].contents[h->sources[i].slots[e].content];
}

static unsigned make_links(const struct history *h, uint64_t *rnd, struct eg_join_link *out)
{
	unsigned order[LINKS];
	for (unsigned i = 0; i < h->n_links; i++)
		order[i] = i;
	shuffle(rnd, order, h->n_links);
	for (unsigned i = 0; i < h->n_links; i++) {
		const struct link *l = &h->links[order[i]];
		const uint8_t *a = h->sources[l->a].token, *b = h->sources[l->b].token;
		bool swap = memcmp(a, b, EG_TOKEN_SIZE) > 0;
		memcpy(out[i].a, swap ? b : a, EG_TOKEN_SIZE);
		memcpy(out[i].b, swap ? a : b, EG_TOKEN_SIZE);
		out[i].kind = l->kind;
	}
	return h->n_links;
}

/* Joins the sources of `among`, given in a random order, and builds the views of the groups. */
static bool conclude(const struct history *h, const struct run *r, mask among, uint64_t *rnd,
                     struct eg_arena *a, struct outcome *o)
{
	unsigned order[SOURCES];
	struct eg_join_link links[LINKS];
	unsigned n_links = make_links(h, rnd, links);

	memset(o, 0, sizeof *o);
	for (unsigned i = 0; i < h->n_sources; i++)
		order[i] = i;
	shuffle(rnd, order, h->n_sources);
	for (unsigned k = 0; k < h->n_sources; k++) {
		unsigned i = order[k];
		if (!HAS(among, i) || !eg_versions_effective(&r->lists[i]))
			continue;
		o->source[o->n] = i;
		o->nodes[o->n].section = h->sources[i].section;
		o->nodes[o->n].versions = &r->lists[i];
		memcpy(o->nodes[o->n].token, h->sources[i].token, EG_TOKEN_SIZE);
		o->n++;
	}
	if (eg_join(o->nodes, o->n, links, n_links, a, &o->cases, &o->n_cases, NULL) != EG_OK)
		return false;

	for (unsigned root = 0; root < o->n; root++) {
		struct eg_held *held = o->held[o->n_persons];
		unsigned n = 0;
		for (unsigned k = 0; k < o->n; k++) {
			const struct content *c = effective_content(h, r, o->source[k]);
			if (o->nodes[k].group != root || !c)
				continue;
			memcpy(held[n].token, o->nodes[k].token, EG_TOKEN_SIZE);
			held[n++].claim = c->claim;
		}
		if (n == 0)
			continue;
		o->n_held[o->n_persons] = n;
		if (eg_view_build(held, n, NULL, a, &o->views[o->n_persons++], NULL) != EG_OK)
			return false;
	}
	return true;
}

static mask group_mask(const struct outcome *o, unsigned node)
{
	mask m = 0;
	for (unsigned k = 0; k < o->n; k++)
		m |= o->nodes[k].group == o->nodes[node].group ? BIT(o->source[k]) : 0;
	return m;
}

static mask case_mask(const struct outcome *o, const struct eg_join_case *c)
{
	mask m = 0;
	for (unsigned i = 0; i < c->n; i++)
		m |= BIT(o->source[c->nodes[i]]);
	return m;
}

/* The outcome as bytes that do not know in which order it came about: groups by mask, views by their
 * canonical text. */
static void describe(const struct outcome *o, struct eg_buf *b)
{
	eg_buf_reset(b);
	for (mask i = 0; i < BIT(SOURCES); i++) {
		for (unsigned p = 0, k; p < o->n_persons; p++) {
			for (k = 0; memcmp(o->nodes[k].token, o->held[p][0].token, EG_TOKEN_SIZE) != 0;)
				k++;
			if (group_mask(o, k) != i)
				continue;
			eg_buf_add_be(b, i, 4);
			eg_view_canon(b, &o->views[p], o->held[p]);
		}
	}
	for (unsigned i = 0; i < o->n_cases; i++) {
		eg_buf_add_be(b, o->cases[i].kind, 4);
		for (unsigned j = 0; j < o->cases[i].n; j++)
			eg_buf_add(b, o->nodes[o->cases[i].nodes[j]].token, EG_TOKEN_SIZE);
	}
}

static const char *check_outcome(const struct history *h, const struct run *r, const struct outcome *o)
{
	struct grouping want;
	oracle_join(h, &r->flags, &want);

	mask present = 0;
	for (unsigned k = 0; k < o->n; k++) {
		mask group = group_mask(o, k);
		present |= BIT(o->source[k]);
		if (group != want.group[o->source[k]])
			return "who is one person";
		for (unsigned i = 0; i < o->nodes[k].group; i++) {
			if (HAS(group, o->source[i]))
				return "that the lowest index names the group";
		}
	}
	if (present != want.present)
		return "which sources count";
	if (o->n_cases != want.n_cases)
		return "how many cases there are";
	for (unsigned i = 0; i < o->n_cases; i++) {
		bool found = false;
		for (unsigned j = 0; j < want.n_cases; j++)
			found = found || (want.cases[j].kind == o->cases[i].kind &&
			                  want.cases[j].who == case_mask(o, &o->cases[i]));
		if (!found)
			return "which cases there are";
		met.kind[o->cases[i].kind]++;
	}
	for (unsigned p = 0; p < o->n_persons; p++) {
		const char *wrong = oracle_view(&o->views[p], o->held[p], o->n_held[p]);
		if (wrong)
			return wrong;
		met.life[o->views[p].life]++;
		for (unsigned i = 0; i < o->views[p].n; i++)
			met.rule[o->views[p].v[i].rule]++;
	}
	met.persons[o->n_persons]++;
	return NULL;
}

static const char *same_outcome(struct bench *b, const struct outcome *x, const struct outcome *y,
                                const char *what)
{
	describe(x, &b->text);
	describe(y, &b->text2);
	return eg_bytes_equal(eg_buf_bytes(&b->text), eg_buf_bytes(&b->text2)) ? NULL : what;
}

/* ---- the properties ---- */

static const char *check_codec(struct bench *b, const struct history *h, const struct run *r)
{
	for (unsigned i = 0; i < h->n_sources; i++) {
		struct eg_versions back;
		eg_buf_reset(&b->text);
		eg_versions_write(&b->text, &r->lists[i]);
		if (eg_versions_read(eg_buf_bytes(&b->text), b->run_arena, &back, NULL) != EG_OK)
			return "that a written list can be read";
		eg_buf_reset(&b->text2);
		eg_versions_write(&b->text2, &back);
		if (!eg_bytes_equal(eg_buf_bytes(&b->text), eg_buf_bytes(&b->text2)))
			return "that a list survives writing";
	}
	return NULL;
}

static const char *check_diff(struct bench *b, const struct outcome *x, const struct outcome *y,
                              uint64_t *rnd)
{
	struct eg_view none = {0};
	const struct eg_view *before = x->n_persons ? &x->views[below(rnd, x->n_persons)] : &none;
	const struct eg_view *after =
	        y->n_persons && chance(rnd, 90) ? &y->views[below(rnd, y->n_persons)] : &none;
	struct eg_change *c;
	unsigned n;

	if (eg_view_diff(before, after, b->run_arena, &c, &n, NULL) != EG_OK)
		return "that views can be compared";
	return oracle_diff(before, after, c, n);
}

/* The caller may pass just the closed set around a source: its persons and cases come out as from the whole.
 */
static const char *check_locality(struct bench *b, const struct history *h, const struct run *r,
                                  const struct outcome *whole, uint64_t *rnd)
{
	mask near[SOURCES] = {0};
	struct outcome part;
	unsigned n = h->n_sources;

	for (unsigned i = 0; i < n; i++) {
		near[i] = BIT(i);
		for (unsigned j = 0; j < n; j++) {
			for (unsigned k = 0; k < h->sources[i].n; k++) {
				for (unsigned l = 0; l < h->sources[j].n; l++) {
					const struct content *x =
					        &h->sources[i].contents[h->sources[i].slots[k].content];
					const struct content *y =
					        &h->sources[j].contents[h->sources[j].slots[l].content];
					if (x->identity && y->identity && x->number == y->number)
						near[i] |= BIT(j);
				}
			}
		}
	}
	for (unsigned i = 0; i < h->n_links; i++)
		near[h->links[i].a] |= BIT(h->links[i].b);
	close_over(near, n);

	mask among = near[below(rnd, n)];
	if (!conclude(h, r, among, rnd, b->run_arena, &part))
		return "that a part can be joined";
	for (unsigned k = 0; k < part.n; k++) {
		for (unsigned l = 0; l < whole->n; l++) {
			if (whole->source[l] == part.source[k] &&
			    group_mask(whole, l) != group_mask(&part, k))
				return "that a closed set joins as in the whole";
		}
	}
	unsigned cases = 0;
	for (unsigned i = 0; i < whole->n_cases; i++)
		cases += (case_mask(whole, &whole->cases[i]) & among) != 0;
	return cases == part.n_cases ? NULL : "that a closed set has the cases of the whole";
}

/* Another order, another number of repetitions, conflicting content in between. */
static const char *rerun(const struct history *h, struct run *r, uint64_t *rnd, struct eg_arena *a)
{
	unsigned order[2 * OPS], n = 0;
	const char *wrong = NULL;

	run_begin(r, h);
	for (unsigned i = 0; i < h->n_ops; i++) {
		for (unsigned times = 1 + chance(rnd, 20); times > 0; times--)
			order[n++] = i;
	}
	shuffle(rnd, order, n);
	for (unsigned i = 0; i < n && !wrong; i++) {
		const struct op *op = &h->ops[order[i]];
		wrong = step(r, h, op->source, op->slot, op->kind, a);
		if (!wrong && chance(rnd, 10))
			wrong = conflict(r, h, op->source, op->slot, a);
	}
	return wrong;
}

/* Asserting something and voiding it leaves everything as it was; so does a void that was there before. */
static const char *check_void(struct bench *b, const struct history *h, const struct run *ended,
                              const struct outcome *was, uint64_t *rnd)
{
	/* A version above all others, with content of another one, perhaps of another key: it moves persons
	 * about. */
	struct history more = *h;
	struct run r = *ended;
	struct outcome between, now;
	unsigned i = below(rnd, h->n_sources);
	struct source *s = &more.sources[i];
	const char *wrong;

	if (s->n == SLOTS)
		return NULL;
	unsigned slot = s->n++;
	s->slots[slot] = (struct slot){10, 1, slot};
	fill_content(s, &s->contents[slot], below(rnd, 2), below(rnd, 2), rnd);
	for (unsigned k = 0; k < h->n_sources; k++) { /* lists are changed in place: this run gets its own */
		if (r.lists[k].n)
			r.lists[k].v = eg_arena_copy(b->run_arena, r.lists[k].v,
			                             r.lists[k].cap * sizeof *r.lists[k].v);
	}
	for (unsigned k = 0; k < more.n_sources; k++) /* contents moved with the copy of the history */
		for (unsigned l = 0; l < more.sources[k].n; l++)
			more.sources[k].contents[l].claim.values = more.sources[k].contents[l].values;

	bool void_first = chance(rnd, 30);
	if (void_first && (wrong = step(&r, &more, i, slot, EG_VOID, b->run_arena)))
		return wrong;
	if ((wrong = step(&r, &more, i, slot, EG_ASSERT, b->run_arena)))
		return wrong;
	if (!conclude(&more, &r, ~(mask)0, rnd, b->run_arena, &between))
		return "that a person can be built";
	if ((wrong = check_outcome(&more, &r, &between)))
		return wrong;
	met.moved += between.n_persons != was->n_persons;
	if ((wrong = check_diff(b, was, &between, rnd)))
		return wrong;
	if (!void_first && (wrong = step(&r, &more, i, slot, EG_VOID, b->run_arena)))
		return wrong;
	if (!conclude(&more, &r, ~(mask)0, rnd, b->run_arena, &now))
		return "that a person can be built";
	return same_outcome(b, was, &now, "that a void restores every field");
}

/* NULL, or what does not hold. */
static const char *check(struct bench *b, const struct history *h, uint64_t salt)
{
	struct run first, second;
	struct outcome x, y;
	uint64_t rnd = h->seed ^ salt << 32 ^ h->n_ops;
	const char *wrong = NULL;

	eg_arena_reset(b->run_arena);
	run_begin(&first, h);
	for (unsigned i = 0; i < h->n_ops && !wrong; i++)
		wrong = step(&first, h, h->ops[i].source, h->ops[i].slot, h->ops[i].kind, b->run_arena);
	if (wrong)
		return wrong;
	if (!conclude(h, &first, ~(mask)0, &rnd, b->run_arena, &x))
		return "that a person can be built";
	if ((wrong = check_outcome(h, &first, &x)))
		return wrong;
	if ((wrong = rerun(h, &second, &rnd, b->run_arena)))
		return wrong;
	if (!conclude(h, &second, ~(mask)0, &rnd, b->run_arena, &y))
		return "that a person can be built";
	if ((wrong = same_outcome(b, &x, &y, "that any order ends in the same")))
		return wrong;
	if ((wrong = check_codec(b, h, &second)))
		return wrong;
	if ((wrong = check_locality(b, h, &first, &x, &rnd)))
		return wrong;
	return check_void(b, h, &second, &x, &rnd);
}

/* ---- shrinking ---- */

static const char *fails(struct bench *b, const struct history *h)
{
	const char *wrong = NULL;
	for (uint64_t salt = 0; salt < SHRINK_SALTS && !wrong; salt++)
		wrong = check(b, h, salt);
	return wrong;
}

static void print_history(const struct history *h)
{
	for (unsigned i = 0; i < h->n_sources; i++) {
		const struct source *s = &h->sources[i];
		bool used = false;
		for (unsigned k = 0; k < h->n_ops; k++)
			used = used || h->ops[k].source == i;
		if (!used)
			continue;
		print_error("  source %u: %s\n", i, eg_section_name(s->section));
		for (unsigned j = 0; j < s->n; j++) {
			static const char *const identity[] = {"no key", "key", "proposal"};
			const struct content *c = &s->contents[s->slots[j].content];
			print_error("    version %lld.%u content %u: %s number %u name %u%s, %u fields\n",
			            (long long)s->slots[j].version, s->slots[j].mapping_revision,
			            s->slots[j].content, identity[c->identity], c->number, c->name,
			            c->current ? " current" : "", c->claim.n);
		}
	}
	for (unsigned i = 0; i < h->n_links; i++)
		print_error("  %s %u and %u\n", h->links[i].kind == EG_LINK ? "link" : "keep apart",
		            h->links[i].a, h->links[i].b);
	for (unsigned i = 0; i < h->n_ops; i++) {
		const struct slot *s = &h->sources[h->ops[i].source].slots[h->ops[i].slot];
		static const char *const ops[] = {
		        [EG_ASSERT] = "assert", [EG_VOID] = "void", [EG_WITHDRAW] = "withdraw"};
		print_error("  %-8s source %u version %lld.%u\n", ops[h->ops[i].kind], h->ops[i].source,
		            (long long)s->version, s->mapping_revision);
	}
}

static void shrink(struct bench *b, struct history *h)
{
	static struct history less;
	for (bool again = true; again;) {
		again = false;
		for (unsigned i = h->n_ops; i-- > 0;) {
			less = *h;
			memmove(&less.ops[i], &less.ops[i + 1], (less.n_ops - i - 1) * sizeof less.ops[0]);
			less.n_ops--;
			for (unsigned k = 0; k < less.n_sources; k++)
				for (unsigned l = 0; l < SLOTS; l++)
					less.sources[k].contents[l].claim.values =
					        less.sources[k].contents[l].values;
			if (fails(b, &less)) {
				h->n_ops = less.n_ops;
				memcpy(h->ops, less.ops, sizeof h->ops);
				again = true;
			}
		}
		for (unsigned i = h->n_links; i-- > 0;) {
			struct link was[LINKS];
			memcpy(was, h->links, sizeof was);
			memmove(&h->links[i], &h->links[i + 1], (h->n_links - i - 1) * sizeof h->links[0]);
			h->n_links--;
			if (fails(b, h)) {
				again = true;
			} else {
				memcpy(h->links, was, sizeof was);
				h->n_links++;
			}
		}
	}
}

static uint64_t env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void everything_was_met(void)
{
	for (int i = EG_PUT_EFFECTIVE; i <= EG_PUT_CONFLICT; i++)
		assert_true(met.put[i] > 0);
	for (int i = EG_RULE_ONLY; i <= EG_RULE_DERIVED; i++)
		assert_true(met.rule[i] > 0);
	for (int i = EG_LIFE_ALIVE; i <= EG_LIFE_UNKNOWN; i++)
		assert_true(met.life[i] > 0);
	for (int i = EG_CASE_DOUBLE_REGISTRATION; i <= EG_CASE_PROPOSED_MATCH; i++)
		assert_true(met.kind[i] > 0);
	assert_true(met.kind[EG_CASE_NO_IDENTITY] > 0);
	assert_true(met.moved > 0);
	assert_true(met.withdrawn > 0);
	for (unsigned i = 1; i <= SOURCES; i++)
		assert_true(met.persons[i] > 0);
}

static void histories(void **state)
{
	static struct history h;
	struct bench b = {.run_arena = eg_arena_new(ARENA)};
	uint64_t n = env_number("EG_HISTORIES", HISTORIES),
	         seed = env_number("EG_SEED", (uint64_t)time(NULL) << 20);
	const char *wrong = NULL;
	uint64_t i;

	(void)state;
	assert_non_null(b.run_arena);
	print_message("%llu histories, EG_SEED=%llu\n", (unsigned long long)n, (unsigned long long)seed);
	for (i = 0; i < n && !wrong; i++) {
		generate(&h, seed + i);
		wrong = check(&b, &h, 0);
	}
	if (wrong) {
		print_error("history with EG_SEED=%llu EG_HISTORIES=1 breaks: %s\n",
		            (unsigned long long)(seed + i - 1), wrong);
		shrink(&b, &h);
		wrong = fails(&b, &h);
		print_error("shrunk to %u operations, %u links; breaks: %s\n", h.n_ops, h.n_links,
		            wrong ? wrong : "nothing any more");
		print_history(&h);
	}
	eg_buf_free(&b.text);
	eg_buf_free(&b.text2);
	eg_arena_free(b.run_arena);
	if (wrong)
		fail_msg("a property of the histories does not hold: %s", wrong);
	if (n >= ENOUGH_TO_COUNT)
		everything_was_met();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(histories)};
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
