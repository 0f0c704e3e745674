/* road_world: random records about few people, from four agencies, for any order and any batching.
 *
 * The content of a record is a function of the world and of (dataset, key, version, variant), so that the
 * same record can be sent again and in another order. */
#ifndef EG_TEST_FLOW_ROAD_WORLD_H
#define EG_TEST_FLOW_ROAD_WORLD_H

#include "road_check.h"

#include <pthread.h>

enum { W_DATASETS = 5, W_KEYS = 5, W_VERSIONS = 5, W_NUMBERS = 4, W_NAMES = 3 };

static const struct {
	const char *agency, *dataset;
} world_datasets[W_DATASETS] = {{"police", "hukou"},
                                {"police", "permits"},
                                {"civil", "dibao"},
                                {"funeral", "remains"},
                                {"platform", "elders"}};

struct world_op {
	uint8_t dataset, key, version, variant;
	bool is_void;
	/* what came back */
	enum eg_outcome outcome;
	uint64_t seq;
};

struct world {
	uint64_t seed;
	unsigned n;
	struct world_op *ops;
};

static uint64_t world_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a * UINT64_C(0x9e3779b97f4a7c15) + b + 1;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static const char *world_number(struct eg_ticket *t, unsigned n, unsigned form)
{
	char id[19];
	const char *full = road_id18(t, 7 + n);
	switch (form) {
	case 0: /* the old form of 15 digits */
		snprintf(id, sizeof id, "%.6s%.9s", full, full + 8);
		return eg_arena_text(t->arena, id, strlen(id));
	case 1: /* a wrong check digit: an error */
		snprintf(id, sizeof id, "%s", full);
		id[17] = id[17] == '1' ? '2' : '1';
		return eg_arena_text(t->arena, id, strlen(id));
	case 2: /* none */
		return NULL;
	default:
		return full;
	}
}

static void world_content(const struct world *w, const struct world_op *op, struct eg_ticket *t,
                          struct eg_item *item)
{
	static const char *const names[W_NAMES] = {"王建国", "李秀英", "张桂兰"};
	static const int64_t statuses[] = {0, 1, 1, 1, 2, 3, 3, 4, 5};
	uint64_t x = world_mix(w->seed, (uint64_t)op->dataset << 24 | (uint64_t)op->key << 16);
	/* most versions of one key speak of one person */
	uint64_t version =
	        x % 3 ? op->version : op->version / 2; /* some say the same again under the next version */
	uint64_t y = world_mix(x, version << 8 | op->variant);
	uint64_t who = y % 4 == 0 ? y >> 8 : x >> 8;
	unsigned number = (unsigned)(who % W_NUMBERS),
	         name = (unsigned)(number % 2 ? who >> 8 : number) % W_NAMES;
	unsigned form = (unsigned)(y >> 20) % 16;
	if (form == 1 && (y >> 32) % 2)
		form = 9;
	road_text(t, item, 1, world_number(t, number, form));
	road_text(t, item, 3, names[name]);
	item->claim.event_time = (INT64_C(1600000000) + (int64_t)(y >> 33) % 100000000) * EG_SECOND;
	switch (item->claim.section) {
	case EG_REGISTRATION:
		if ((y >> 40) % 8 == 0) /* another birth date than the number's */
			road_int(item, 5, eg_date_pack((struct eg_date){1941, 2, 3}));
		road_text(t, item, EG_FN_REGISTRATION_address_region, (y >> 44) % 2 ? "330302" : "330303");
		road_int(item, EG_FN_REGISTRATION_registration_status,
		         statuses[(y >> 48) % (sizeof statuses / sizeof *statuses)]);
		if (!item->claim.values[item->claim.n - 1].i)
			item->claim.n--;
		break;
	case EG_ASSISTANCE:
		road_int(item, EG_FN_ASSISTANCE_assistance_status, 1 + (int64_t)(y >> 48) % 3);
		break;
	case EG_FUNERAL:
		if ((y >> 44) % 2)
			road_int(item, EG_FN_FUNERAL_death_certificate_status, 1 + (int64_t)(y >> 48) % 3);
		else
			road_int(item, EG_FN_FUNERAL_cremation_time, INT64_C(1650000000) * EG_SECOND);
		break;
	default:
		road_int(item, EG_FN_CARE_ability_level, (int64_t)(y >> 48) % 5);
		break;
	}
}

/* variants: how many contents one version may have; 1: no conflicts. */
static void world_make(struct world *w, unsigned n, unsigned variants)
{
	w->seed = road_random();
	w->n = n;
	w->ops = calloc(n, sizeof *w->ops);
	for (unsigned i = 0; i < n; i++)
		w->ops[i] = (struct world_op){
		        .dataset = (uint8_t)road_below(W_DATASETS),
		        .key = (uint8_t)road_below(W_KEYS),
		        .version = (uint8_t)(1 + road_below(W_VERSIONS)),
		        .variant = (uint8_t)(road_below(6) ? 0 : road_below(variants)),
		        .is_void = road_below(5) == 0,
		};
}

static void world_shuffle(struct world *w)
{
	for (unsigned i = w->n; i > 1; i--) {
		unsigned j = road_below(i);
		struct world_op x = w->ops[i - 1];
		w->ops[i - 1] = w->ops[j];
		w->ops[j] = x;
	}
}

/* Tickets under way: the test waits until all have come back. */
struct flight {
	pthread_mutex_t lock;
	pthread_cond_t all;
	unsigned n;
	struct eg_ticket *tickets[512];
	unsigned n_tickets;
};

static void flight_done(struct eg_ticket *t)
{
	struct flight *f = t->done_arg;
	pthread_mutex_lock(&f->lock);
	if (--f->n == 0)
		pthread_cond_signal(&f->all);
	pthread_mutex_unlock(&f->lock);
}

static void flight_put(struct flight *f, struct road *r, struct eg_ticket *t)
{
	struct eg_err err = {0};
	t->done = flight_done;
	t->done_arg = f;
	pthread_mutex_lock(&f->lock);
	f->n++;
	pthread_mutex_unlock(&f->lock);
	assert_true(f->n_tickets < 512);
	f->tickets[f->n_tickets++] = t;
	assert_ok(eg_intake_put(r->intake, t, eg_mono_us() + 30 * EG_SECOND, &err), err);
}

static void flight_wait(struct flight *f)
{
	pthread_mutex_lock(&f->lock);
	while (f->n)
		pthread_cond_wait(&f->all, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

/* Sends all ops in their order, in random batches, several under way at once; keeps the results when keep is
 * set, else compares with them: everything must be as it was the first time. */
static void world_send(struct world *w, struct road *r, bool keep, bool compare)
{
	struct flight f = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
	unsigned of[512], at = 0, seen = 0;
	while (at < w->n) {
		unsigned n = 1 + road_below(12), k = 0, d = w->ops[at].dataset;
		struct eg_ticket *t = road_batch(r, world_datasets[d].agency, world_datasets[d].dataset, n);
		of[f.n_tickets] = at;
		for (; k < n && at < w->n && w->ops[at].dataset == d; k++, at++) {
			char key[8];
			snprintf(key, sizeof key, "key-%u", w->ops[at].key);
			struct eg_item *item = road_add(t, key, w->ops[at].version,
			                                w->ops[at].is_void ? EG_VOID : EG_ASSERT);
			if (!w->ops[at].is_void)
				world_content(w, &w->ops[at], t, item);
		}
		flight_put(&f, r, t);
		if (at < w->n && f.n_tickets < 500 && road_below(6))
			continue;
		flight_wait(&f);
		for (unsigned i = 0; i < f.n_tickets; i++) {
			assert_int_equal(f.tickets[i]->rc, EG_OK);
			for (unsigned j = 0; j < f.tickets[i]->submission.n; j++) {
				struct world_op *op = &w->ops[of[i] + j];
				const struct eg_item *item = &f.tickets[i]->submission.items[j];
				assert_true(item->outcome >= EG_APPLIED && item->outcome <= EG_QUARANTINED);
				assert_true(item->seq > 0 && item->seq <= road_head(r));
				if (compare && op->outcome == EG_QUARANTINED)
					assert_int_equal(item->outcome, EG_QUARANTINED);
				else if (compare)
					assert_int_equal(item->outcome, EG_UNCHANGED);
				if (compare)
					assert_int_equal(item->seq, op->seq);
				if (keep) {
					op->outcome = item->outcome;
					op->seq = item->seq;
				}
				seen++;
			}
			eg_ticket_free(f.tickets[i]);
		}
		f.n_tickets = 0;
	}
	assert_int_equal(seen, w->n);
}

#endif
