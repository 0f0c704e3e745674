/* made_person: who a made-up person is, what became of them, and which fault their data has; see made.h. */
#include "cli/made.h"

#include "base/clock.h"
#include "model/id_number.h"

#include <stdio.h>
#include <string.h>

/* Streams of random numbers, so that a change of one trait leaves the others as they are. */
enum { STREAM_NUMBERS = 1, STREAM_NAME, STREAM_FATE, STREAM_FAULT, STREAM_COVER };

enum {
	BIRTH_YEARS = 40, /* 1925 to 1964 */
	BIRTH_DAYS = 14610,
	SEQUENCES = 995, /* 001 to 995; 996 to 999 have a meaning of their own */
	DEATH_DAYS = 500 /* deaths happened within so many days before today */
};
#define FIRST_BIRTH ((struct eg_date){1925, 1, 1})

/* Shares of the persons that an agency knows when `each` is not given, and of fates. */
static const double share_assistance = 0.09, share_care = 0.12, share_dead = 0.04, share_moved = 0.02;
static const double dead_cancelled_only = 0.05, dead_certified = 0.15;

uint64_t made_total(const struct population_options *o)
{
	return o->each ? o->each * 3 / 4 + o->each : o->persons;
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;
		a = b;
		b = t;
	}
	return a;
}

/* A number that no other index has: a step through all combinations of region, day and sequence that meets
 * each once. */
static void number(uint64_t seed, uint64_t index, char id18[19], int32_t *birth, unsigned *sex)
{
	static const uint64_t golden_numerator = 618033988749u, golden_denominator = 1000000000000u;
	uint64_t all = (uint64_t)made_regions(false) * BIRTH_DAYS * SEQUENCES;
	uint64_t step = (uint64_t)((__uint128_t)all * golden_numerator / golden_denominator);
	while (gcd(step, all) != 1)
		step++;
	struct draw d = draw_of(seed, STREAM_NUMBERS, 0);
	uint64_t at = (uint64_t)(((__uint128_t)index * step + draw_next(&d)) % all);
	unsigned sequence = 1 + (unsigned)(at % SEQUENCES);
	*birth = eg_date_days(FIRST_BIRTH) + (int32_t)(at / SEQUENCES % BIRTH_DAYS);
	struct eg_date day = eg_date_of_instant((int64_t)*birth * 86400 * EG_SECOND, 0);
	snprintf(id18, 18 + 1, "%.6s%04u%02u%02u%03u",
	         made_region_at((unsigned)(at / SEQUENCES / BIRTH_DAYS)), (unsigned)day.year % 10000,
	         day.month % 100u, day.day % 100u, sequence % 1000);
	id18[17] = eg_id_check_digit(id18);
	id18[18] = 0;
	*sex = sequence % 2 ? 1 : 2;
}

static void cover(const struct population_options *o, struct made *m)
{
	struct draw d = draw_of(o->seed, STREAM_COVER, m->index);
	double assistance = draw_part(&d), care = draw_part(&d);
	bool dead = m->fate >= FATE_CANCELLED && m->fate != FATE_CANCELLED_ONLY;
	if (o->each) { /* windows that overlap */
		uint64_t n = o->each, i = m->index;
		m->in[EG_REGISTRATION] = i < n;
		m->in[EG_ASSISTANCE] = i >= n / 2 && i < n / 2 + n;
		m->in[EG_CARE] = i >= n / 4 && i < n / 4 + n && !o->without_care;
		m->in[EG_FUNERAL] = i >= n * 3 / 4 && i < n * 3 / 4 + n;
		return;
	}
	m->in[EG_REGISTRATION] = true;
	m->in[EG_ASSISTANCE] = assistance < share_assistance;
	m->in[EG_CARE] = care < share_care && !o->without_care;
	m->in[EG_FUNERAL] = dead;
}

static void choose_fate(const struct population_options *o, struct made *m)
{
	struct draw d = draw_of(o->seed, STREAM_FATE, m->index);
	double life = draw_part(&d), how = draw_part(&d), nameless = draw_part(&d);
	bool in_window = o->each && m->index >= o->each * 3 / 4;
	bool dead = o->each ? in_window : life < share_dead;
	struct eg_date today;
	eg_date_parse(POPULATION_TODAY, &today);
	m->died = eg_date_days(today) - 20 - (int32_t)draw_below(&d, DEATH_DAYS);
	if (!dead) {
		m->fate = !o->each && life > 1 - share_moved ? FATE_MOVED_OUT : FATE_ALIVE;
		return;
	}
	double lag = POPULATION_CREMATED_ALIVE,
	       back = POPULATION_RESURRECTED * (o->faults > 0 ? o->faults : 1);
	if (how < lag)
		m->fate = FATE_CREMATED;
	else if (how < lag + back)
		m->fate = FATE_RESURRECTED;
	else if (how < lag + back + dead_certified)
		m->fate = FATE_CERTIFIED;
	else if (how < lag + back + dead_certified + dead_cancelled_only && !o->each)
		m->fate = FATE_CANCELLED_ONLY;
	else
		m->fate = FATE_CANCELLED;
	m->unidentified = m->fate != FATE_CANCELLED_ONLY && m->fate != FATE_RESURRECTED &&
	                  nameless < POPULATION_UNIDENTIFIED * (o->faults > 0 ? o->faults : 1);
}

/* Can this fault strike this person? Some need a number that ends in X, or an own registration. */
static bool fits(const struct made *m, enum population_fault f)
{
	switch (f) {
	case FAULT_id_x_form:
		return m->id18[17] == 'X';
	case FAULT_shared_number:
		return m->index > 0 && m->in[EG_REGISTRATION];
	case FAULT_double_registration:
		return m->in[EG_REGISTRATION] && m->fate == FATE_ALIVE;
	default:
		return true;
	}
}

static void choose_fault(const struct population_options *o, struct made *m)
{
	static const double rates[FAULTS] = {
#define X(name, rate, doc) [FAULT_##name] = (rate),
	        POPULATION_FAULTS
#undef X
	};
	struct draw d = draw_of(o->seed, STREAM_FAULT, m->index);
	double at = draw_part(&d);
	unsigned n = 0, pick;
	if (m->unidentified || m->fate == FATE_RESURRECTED)
		return;
	for (unsigned f = FAULT_none + 1; f < FAULTS && !m->fault; f++) {
		/* One number in eleven ends in X: the rate is of all persons. */
		double rate = rates[f] * (o->faults > 0 ? o->faults : 1) * (f == FAULT_id_x_form ? 11 : 1);
		if (at >= 0 && at < rate && fits(m, (enum population_fault)f))
			m->fault = (enum population_fault)f;
		at -= f == FAULT_id_x_form && m->id18[17] != 'X' ? 0 : rate;
	}
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END; s++)
		n += m->in[s];
	pick = n ? draw_below(&d, n) : 0;
	for (unsigned s = EG_REGISTRATION; s < EG_SECTION_END && m->fault; s++)
		if (m->in[s] && pick-- == 0)
			m->fault_in = (enum eg_section)s;
	if (!m->fault_in)
		m->fault = FAULT_none;
	if (m->fault == FAULT_double_registration)
		m->fault_in = EG_REGISTRATION;
}

void made_person(const struct population_options *o, uint64_t index, struct made *out)
{
	struct draw names = draw_of(o->seed, STREAM_NAME, index);
	*out = (struct made){.index = index};
	number(o->seed, index, out->id18, &out->birth, &out->sex);
	made_name(&names, out->name);
	out->region = made_region(&names, true);
	choose_fate(o, out);
	cover(o, out);
	choose_fault(o, out);
	if (out->fault == FAULT_name_form)
		made_name_form(&names, out->name, out->other_name);
	else if (out->fault == FAULT_name_variant)
		made_name_variant(&names, out->name, out->other_name);
	else if (out->fault == FAULT_mojibake)
		made_name_mojibake(out->name, out->other_name);
	if (out->fault == FAULT_shared_number) {
		char theirs[MADE_NAME];
		struct draw neighbour = draw_of(o->seed, STREAM_NAME, index - 1);
		number(o->seed, index - 1, out->id18, &out->birth, &out->sex);
		made_name(&neighbour, theirs);
		if (strcmp(theirs, out->name) == 0)
			strcat(out->name,
			       "\u660e"); /* a shared number is a fault of two persons with two names */
	}
}
