/* history_world: generated source keys with versions, and generated histories over them.
 *
 * A world is a function of its seed: some source keys that share few numbers and names, the content of each
 * of their versions, reviewed links. A history is a list of operations on it; operations and links can be
 * dropped one by one. */
#ifndef HISTORY_WORLD_H
#define HISTORY_WORLD_H

#include "model/claims.h"
#include "model/join.h"

#include <string.h>

enum { SOURCES = 6, SLOTS = 5, VALUES = 14, OPS = 72, LINKS = 5 };

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned n)
{
	return (unsigned)(next_random(state) % n);
}

static bool chance(uint64_t *state, unsigned percent)
{
	return below(state, 100) < percent;
}

static void shuffle(uint64_t *state, unsigned *v, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = below(state, i), t = v[i - 1];
		v[i - 1] = v[j];
		v[j] = t;
	}
}

enum identity { NO_KEY, KEY, PROPOSAL };

struct content {
	struct eg_claim claim;
	struct eg_value values[VALUES];
	enum identity identity;
	unsigned number, name; /* small numbers; equal ones make equal keys */
	bool current;
};

struct slot {
	int64_t version;
	uint32_t mapping_revision;
	unsigned content; /* index in the source's contents: two versions may say the same */
};

struct source {
	uint8_t token[EG_TOKEN_SIZE];
	enum eg_section section;
	unsigned n;
	struct slot slots[SLOTS];
	struct content contents[SLOTS];
};

struct op {
	uint8_t source, slot;
	enum eg_op kind;
};

struct link {
	uint8_t a, b; /* sources */
	enum eg_link_kind kind;
};

struct history {
	uint64_t seed;
	unsigned n_sources, n_ops, n_links;
	struct source sources[SOURCES];
	struct op ops[OPS];
	struct link links[LINKS];
};

static const char *const texts[] = {"alpha", "beta", "gamma"};

static void add_text(struct content *c, unsigned number, uint64_t *r)
{
	struct eg_value *v = &c->values[c->claim.n++];
	*v = (struct eg_value){.number = (uint8_t)number, .cleared = chance(r, 15)};
	if (!v->cleared)
		v->text = eg_bytes_of(texts[below(r, 3)]);
}

static void add_int(struct content *c, unsigned number, uint64_t *r, int64_t i)
{
	bool cleared = chance(r, 5);
	c->values[c->claim.n++] =
	        (struct eg_value){.number = (uint8_t)number, .cleared = cleared, .i = cleared ? 0 : i};
}

/* A date between 2023 and 2026, often inexact. */
static int64_t some_date(uint64_t *r)
{
	struct eg_date d = {(int16_t)(2023 + below(r, 4)), 0, 0};
	if (chance(r, 80))
		d.month = (uint8_t)(1 + below(r, 12));
	if (d.month && chance(r, 80))
		d.day = (uint8_t)(1 + below(r, 28));
	return eg_date_pack(d);
}

static int64_t some_instant(uint64_t *r)
{
	/* Few values, so that ties are common; the middle of 2023 to 2026. */
	return (INT64_C(1688169600) + (int64_t)below(r, 4) * 31557600) * EG_SECOND;
}

static void fill_registration(struct content *c, uint64_t *r)
{
	int64_t status = below(r, 6);
	if (chance(r, 70))
		add_text(c, EG_FN_REGISTRATION_id_number, r);
	if (chance(r, 70))
		add_text(c, EG_FN_REGISTRATION_name, r);
	if (chance(r, 30))
		add_text(c, EG_FN_REGISTRATION_marital_status, r);
	if (chance(r, 80))
		add_int(c, EG_FN_REGISTRATION_registration_status, r, status);
	if (chance(r, 25))
		add_int(c, EG_FN_REGISTRATION_moved_in_date, r, some_date(r));
	if (chance(r, 30))
		add_int(c, EG_FN_REGISTRATION_death_date, r, some_date(r));
	if (chance(r, 20))
		add_int(c, EG_FN_REGISTRATION_death_cancellation_date, r, some_date(r));
}

static void fill_assistance(struct content *c, uint64_t *r)
{
	if (chance(r, 60))
		add_text(c, EG_FN_ASSISTANCE_id_number, r);
	if (chance(r, 60))
		add_text(c, EG_FN_ASSISTANCE_name, r);
	if (chance(r, 60))
		add_text(c, EG_FN_ASSISTANCE_assistance_local_category, r);
	if (chance(r, 80))
		add_int(c, EG_FN_ASSISTANCE_assistance_status, r, below(r, 4));
	if (chance(r, 60))
		add_int(c, EG_FN_ASSISTANCE_assistance_reason, r, 1 + below(r, 3));
}

static void fill_funeral(struct content *c, uint64_t *r)
{
	if (chance(r, 60))
		add_text(c, EG_FN_FUNERAL_name, r);
	if (chance(r, 30))
		add_int(c, EG_FN_FUNERAL_stated_age, r, below(r, 100));
	if (chance(r, 40))
		add_text(c, EG_FN_FUNERAL_funeral_certificate_number, r);
	if (chance(r, 40))
		add_int(c, EG_FN_FUNERAL_funeral_certificate_status, r, below(r, 4));
	if (chance(r, 60))
		add_int(c, EG_FN_FUNERAL_death_date, r, some_date(r));
	if (chance(r, 40))
		add_text(c, EG_FN_FUNERAL_death_certificate_number, r);
	if (chance(r, 40))
		add_int(c, EG_FN_FUNERAL_death_certificate_status, r, below(r, 4));
	if (chance(r, 40))
		add_int(c, EG_FN_FUNERAL_cremation_time, r, some_instant(r));
	if (chance(r, 20))
		add_int(c, EG_FN_FUNERAL_disposal, r, 1 + below(r, 3));
}

static void fill_care(struct content *c, uint64_t *r)
{
	if (chance(r, 60))
		add_text(c, EG_FN_CARE_name, r);
	if (chance(r, 60))
		add_text(c, EG_FN_CARE_phone, r);
	if (chance(r, 50))
		add_int(c, EG_FN_CARE_ability_level, r, below(r, 5));
	if (chance(r, 40))
		add_int(c, EG_FN_CARE_occupancy_end_date, r, some_date(r));
}

static void fill_identity(struct content *c, enum eg_section section, unsigned number, unsigned name,
                          uint64_t *r)
{
	int64_t status = eg_claim_int(&c->claim, EG_FN_REGISTRATION_registration_status);
	unsigned p = below(r, 100);

	c->identity = p < 82 ? KEY : p < 91 ? PROPOSAL : NO_KEY;
	c->number = chance(r, 85) ? number : below(r, 3); /* else corrected, or mistyped */
	c->name = chance(r, 85) ? name : below(r, 2);
	c->current = section == EG_REGISTRATION && status != 2 && status != 3 && status != 4;
}

static void fill_content(struct source *s, struct content *c, unsigned number, unsigned name, uint64_t *r)
{
	static const char *const agencies[] = {"city-a", "city-b"}, *const datasets[] = {"d1", "d2"};

	memset(c, 0, sizeof *c);
	c->claim = (struct eg_claim){
	        .agency = eg_bytes_of(agencies[s->token[0] & 1]),
	        .dataset = eg_bytes_of(datasets[s->token[0] >> 1 & 1]),
	        .section = s->section,
	        .op = EG_ASSERT,
	        .event_time = chance(r, 20) ? 0 : some_instant(r),
	        .values = c->values,
	};
	if (chance(r, 20))
		c->claim.valid_from = eg_date_unpack((int32_t)some_date(r));
	switch (s->section) {
	case EG_REGISTRATION:
		fill_registration(c, r);
		break;
	case EG_ASSISTANCE:
		fill_assistance(c, r);
		break;
	case EG_FUNERAL:
		fill_funeral(c, r);
		break;
	default:
		fill_care(c, r);
	}
	fill_identity(c, s->section, number, name, r);
}

static void fill_source(struct source *s, uint64_t *r)
{
	unsigned number = below(r, 2), name = below(r, 100) < 75 ? 0 : 1;
	unsigned all[2 * SLOTS];

	for (unsigned i = 0; i < EG_TOKEN_SIZE; i++)
		s->token[i] = (uint8_t)next_random(r);
	s->section = chance(r, 45) ? EG_REGISTRATION : (enum eg_section)(2 + below(r, 3));
	s->n = 1 + below(r, SLOTS);
	for (unsigned i = 0; i < 2 * SLOTS; i++)
		all[i] = i;
	shuffle(r, all, 2 * SLOTS);
	for (unsigned i = 0; i < s->n; i++) {
		s->slots[i].version = (int64_t)(all[i] / 2) - 1; /* -1 and 0 are versions like any other */
		s->slots[i].mapping_revision = all[i] % 2;       /* 0: where withdrawals stand */
		s->slots[i].content = i > 0 && chance(r, 25) ? s->slots[i - 1].content : i;
		fill_content(s, &s->contents[i], number, name, r);
	}
}

static void add_op(struct history *h, unsigned source, unsigned slot, enum eg_op kind, uint64_t *r)
{
	for (unsigned times = 1 + chance(r, 15); times > 0 && h->n_ops < OPS; times--)
		h->ops[h->n_ops++] = (struct op){(uint8_t)source, (uint8_t)slot, kind};
}

static void generate(struct history *h, uint64_t seed)
{
	uint64_t r = seed;

	h->seed = seed;
	h->n_ops = h->n_links = 0;
	h->n_sources = 2 + below(&r, SOURCES - 1);
	for (unsigned i = 0; i < h->n_sources; i++) {
		fill_source(&h->sources[i], &r);
		for (unsigned j = 0; j < h->sources[i].n; j++) {
			if (chance(&r, 85))
				add_op(h, i, j, EG_ASSERT, &r);
			if (chance(&r, 25))
				add_op(h, i, j, EG_VOID, &r);
			if (chance(&r, 15))
				add_op(h, i, j, EG_WITHDRAW, &r);
		}
	}
	unsigned links = chance(&r, 60) ? below(&r, LINKS + 1) : 0;
	for (unsigned i = 0; i < links; i++) {
		unsigned a = below(&r, h->n_sources), b = below(&r, h->n_sources);
		enum eg_link_kind kind = chance(&r, 45) && a != b ? EG_LINK : EG_APART;
		h->links[h->n_links++] = (struct link){(uint8_t)a, (uint8_t)b, kind};
	}
}

/* The join key of small numbers; a proposal has the first part only. */
static void make_key(const struct content *c, uint8_t key[EG_JOIN_KEY_SIZE])
{
	memset(key, 0, EG_JOIN_KEY_SIZE);
	if (c->identity != NO_KEY)
		memset(key, (int)(0x11 * (c->number + 1)), EG_TOKEN_SIZE);
	if (c->identity == KEY)
		memset(key + EG_TOKEN_SIZE, (int)(0xa0 + c->name), EG_JOIN_KEY_SIZE - EG_TOKEN_SIZE);
}

static struct eg_version make_version(const struct source *s, unsigned slot)
{
	const struct content *c = &s->contents[s->slots[slot].content];
	struct eg_version v = {
	        .version = s->slots[slot].version,
	        .mapping_revision = s->slots[slot].mapping_revision,
	        .has_key = c->identity == KEY,
	        .has_proposal = c->identity == PROPOSAL,
	        .current = c->current,
	};
	memset(v.digest, (int)(1 + s->slots[slot].content), sizeof v.digest);
	make_key(c, v.key);
	return v;
}

#endif
