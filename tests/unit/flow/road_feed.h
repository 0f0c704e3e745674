/* road_feed: subscribers of a road's feed for tests, who note what they are told. */
#ifndef EG_TEST_FLOW_ROAD_FEED_H
#define EG_TEST_FLOW_ROAD_FEED_H

#include "road.h"

#include "flow/feed.h"

#include <pthread.h>

enum { ID = 1, NAME = 3, REGION = 11, STATUS = 15, DEATH = 18 };
enum { MOST = 20000 };

/* What one subscriber was told. */
struct told {
	struct road *road;
	struct eg_feed *feed;
	struct eg_sub *sub;
	pthread_mutex_t lock;
	pthread_cond_t more;
	bool greedy; /* asks for more by itself */
	bool quiet;  /* keeps no PROGRESS */
	bool ended;
	enum eg_rc end;
	unsigned takes, n;
	struct copy {
		enum eg_feed_item_kind kind;
		uint8_t ref[16];
		int64_t version, row;
		uint64_t seq;
		enum eg_life life;
		unsigned n_fields;
		int64_t entered;         /* version of the state beside it; 0: none */
		unsigned entered_fields; /* of that */
	} items[MOST];
};

static inline void take(void *arg, const struct eg_feed_given *w)
{
	struct told *t = arg;
	const struct eg_feed_item *items = w->items;
	unsigned n = w->n;
	assert_memory_equal(w->log_id, eg_writer_log_id(t->road->writer), 16);
	pthread_mutex_lock(&t->lock);
	t->takes++;
	for (unsigned i = 0; i < n; i++) {
		if (t->quiet && items[i].kind == EG_ITEM_PROGRESS)
			continue;
		assert_true(t->n < MOST);
		struct copy *c = &t->items[t->n++];
		*c = (struct copy){.kind = items[i].kind,
		                   .version = items[i].event.person_version,
		                   .seq = items[i].cursor_seq,
		                   .row = items[i].cursor_row,
		                   .life = items[i].event.life_after,
		                   .n_fields = items[i].event.n_fields};
		memcpy(c->ref, items[i].event.person_ref, 16);
		if (items[i].entered) {
			c->entered = items[i].entered->person_version;
			c->entered_fields = items[i].entered->n_fields;
			assert_memory_equal(c->ref, items[i].entered->person_ref, 16);
		}
	}
	bool greedy = t->greedy;
	struct eg_sub *sub = t->sub;
	pthread_cond_broadcast(&t->more);
	pthread_mutex_unlock(&t->lock);
	if (greedy && sub)
		eg_feed_more(t->feed, sub);
}

static inline void ended(void *arg, enum eg_rc rc, const struct eg_err *err)
{
	struct told *t = arg;
	(void)err;
	pthread_mutex_lock(&t->lock);
	t->ended = true;
	t->end = rc;
	t->sub = NULL;
	pthread_cond_broadcast(&t->more);
	pthread_mutex_unlock(&t->lock);
}

static inline struct eg_purpose_rule *everything(void)
{
	static unsigned fields[] = {EG_VIEW_FIELD(EG_REGISTRATION, NAME),
	                            EG_VIEW_FIELD(EG_REGISTRATION, REGION)};
	static struct eg_purpose_rule p = {
	        .code = "test", .legal_basis = "generated", .n_fields = 2, .fields = fields};
	return &p;
}

static inline struct eg_feed *feed_of(struct road *r, int64_t progress_us, unsigned window)
{
	struct eg_err err = {0};
	struct eg_feed *f = NULL;
	struct eg_feed_options o = {.store = r->store,
	                            .vault = r->vault,
	                            .intake = r->intake,
	                            .writer = r->writer,
	                            .window_events = window,
	                            .progress_us = progress_us};
	assert_ok(eg_feed_start(&f, &o, &err), err);
	return f;
}

static inline struct eg_sub_options options(struct road *r, enum eg_start start)
{
	return (struct eg_sub_options){.policy = r->policy,
	                               .who = eg_policy_by_name(r->policy, "platform"),
	                               .purpose = everything(),
	                               .operator_name = "platform",
	                               .start = start};
}

static inline enum eg_rc follow_by(struct told *t, struct road *r, struct eg_feed *f,
                                   const struct eg_sub_options *o, bool greedy,
                                   void (*prepare)(void *, const struct eg_feed_given *),
                                   void (*takes)(void *, const struct eg_feed_given *), struct eg_err *err)
{
	memset(t, 0, sizeof *t);
	t->road = r;
	t->feed = f;
	t->greedy = greedy;
	t->quiet = o->filter.n_regions > 0;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->more, &attr);
	pthread_condattr_destroy(&attr);
	struct eg_sink sink = {.arg = t, .prepare = prepare, .take = takes, .ended = ended};
	struct eg_sub *sub = NULL;
	enum eg_rc rc = eg_feed_add(f, o, sink, &sub, err);
	if (rc)
		return rc;
	pthread_mutex_lock(&t->lock);
	bool told = t->takes > 0 && !t->ended;
	t->sub = t->ended ? NULL : sub;
	pthread_mutex_unlock(&t->lock);
	if (told && greedy) /* the first window came before the sub was known here */
		eg_feed_more(f, sub);
	return EG_OK;
}

static inline enum eg_rc follow(struct told *t, struct road *r, struct eg_feed *f,
                                const struct eg_sub_options *o, bool greedy, struct eg_err *err)
{
	return follow_by(t, r, f, o, greedy, NULL, take, err);
}

/* Only after this may what was told be looked at without the lock. */
static inline void leave(struct told *t)
{
	pthread_mutex_lock(&t->lock);
	if (t->sub)
		eg_feed_drop(t->feed, t->sub);
	while (!t->ended)
		pthread_cond_wait(&t->more, &t->lock);
	pthread_mutex_unlock(&t->lock);
	pthread_cond_destroy(&t->more);
	pthread_mutex_destroy(&t->lock);
}

/* Waits until cond(t) holds; 30 s is for a broken feed only. */
#define await(t, cond)                                                                                       \
	do {                                                                                                 \
		struct timespec by_ = eg_mono_deadline(eg_mono_us() + 30 * EG_SECOND);                       \
		pthread_mutex_lock(&(t)->lock);                                                              \
		while (!(cond))                                                                              \
			if (pthread_cond_timedwait(&(t)->more, &(t)->lock, &by_))                            \
				fail_msg("never came: %s", #cond);                                           \
		pthread_mutex_unlock(&(t)->lock);                                                            \
	} while (0)

/* n persons, or a further version of each. */
static inline struct eg_ticket *people_batch(struct road *r, unsigned n, int64_t version, const char *region)
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", n);
	for (unsigned i = 0; i < n; i++) {
		char key[32];
		snprintf(key, sizeof key, "k%u", i);
		struct eg_item *item = road_add(t, key, version, EG_ASSERT);
		road_text(t, item, ID, road_id18(t, i));
		road_text(t, item, NAME, i % 2 ? "王一" : "李二");
		road_text(t, item, REGION, region);
		road_int(item, STATUS, 1);
	}
	return t;
}

static inline void people(struct road *r, unsigned n, int64_t version, const char *region)
{
	struct eg_ticket *t = people_batch(r, n, version, region);
	road_send(r, t);
	eg_ticket_free(t);
}

/* Does the upserted copy equal the store's persons? Called under the subscriber's lock. */
static inline bool converged(struct told *t)
{
	struct eg_err err = {0};
	struct eg_person_row *rows;
	unsigned n, good = 0;
	struct eg_arena *a = eg_arena_new(64 << 20);
	assert_ok(eg_list_persons(t->road->reader, 0, 10000, SIZE_MAX, a, &rows, &n, &err), err);
	for (unsigned i = 0; i < n; i++) {
		uint8_t ref[16];
		int64_t newest = 0;
		assert_ok(eg_vault_ref(t->road->vault, "identity/platform", rows[i].id, ref, &err), err);
		for (unsigned k = 0; k < t->n; k++)
			if (memcmp(t->items[k].ref, ref, 16) == 0 && t->items[k].version > newest)
				newest = t->items[k].version;
		good += newest == rows[i].version;
	}
	eg_arena_free(a);
	return good == n && n > 0;
}

#endif
