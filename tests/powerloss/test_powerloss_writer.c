/* test_powerloss_writer: the whole writer under losses of power: what done() told a sender is in the reopened
 * store.
 *
 * Submissions go through intake and the writer's thread, with the keys in the store and the root key in its
 * file, as in the daemon. Of each image: it opens; every record that was answered has its entry; log, tree,
 * chains, persons and cases hold together (road_check); and what was answered can be sent again with the same
 * answers. */
#include "crash.h"
#include "powervfs.h"
#include "road_world.h"

enum { CHAIN_OPS = 160, TOLD_MAX = 4096, LIFE_BATCHES = 60 };

struct chain {
	uint64_t random;
	struct world world;
	char dir[160];
	pthread_mutex_t lock; /* told, under_way */
	pthread_cond_t answered;
	unsigned under_way;
	unsigned n_told;
	struct world_op told[TOLD_MAX]; /* answers, in the order they came */
	struct crashes crashes;
};

static struct chain chain = {.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};

static unsigned below(unsigned n)
{
	return (unsigned)(power_random(&chain.random) % n);
}

/* ---- the road, with its keys in the store ---- */

static enum eg_rc key_get(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	enum eg_rc rc = eg_get_key(eg_store_writer(arg), name, wrapped, err);
	return rc == EG_EMPTY ? EG_NOT_FOUND : rc;
}

static enum eg_rc key_put(void *arg, unsigned n, const char *const *names, const uint8_t (*wrapped)[60],
                          struct eg_err *err)
{
	struct eg_tx tx = eg_tx_begin(arg);
	for (unsigned i = 0; i < n; i++)
		eg_tx_put_key(&tx, names[i], wrapped[i]);
	return eg_tx_end(&tx, err);
}

static enum eg_rc key_list(void *arg, const char *prefix, void (*each)(void *, const char *), void *each_arg,
                           struct eg_err *err)
{
	return eg_list_keys(eg_store_writer(arg), prefix, each, each_arg, err);
}

static void must(const struct crash *at, enum eg_rc rc, const struct eg_err *err, const char *what)
{
	if (rc != EG_OK)
		crash_broke(at, "%s: %s: %s", what, eg_rc_name(rc), err->text);
}

static struct road *start(const struct crash *at, const char *dir, const char *vfs)
{
	struct eg_err err = {0};
	struct road *r = calloc(1, sizeof *r);
	if (!r)
		crash_cannot("no memory");
	snprintf(r->dir, sizeof r->dir, "%.120s", dir);
	snprintf(r->key_path, sizeof r->key_path, "%.120s/root.key", dir);
	struct eg_store_options so = {.dir = r->dir,
	                              .vfs = vfs,
	                              .wal_pages = 8 + below(100),
	                              .cache_kib = below(2) ? 64 : 4000,
	                              .copier = below(2) ? EG_COPIER_THREAD : EG_COPIER_NONE,
	                              .reserve_bytes = -1};
	must(at, eg_store_open(&r->store, &so, &err), &err, "the store does not open");
	struct eg_vault_keys keys = {.arg = r->store, .get = key_get, .put = key_put, .list = key_list};
	must(at, eg_vault_open(&r->vault, r->key_path, true, keys, &err), &err, "the keys do not open");
	struct eg_intake_options io = {.vault = r->vault};
	r->intake = eg_intake_new(&io);
	struct eg_writer_options wo = {.store = r->store,
	                               .vault = r->vault,
	                               .intake = r->intake,
	                               .max_records = 1 + below(64),
	                               .checkpoint_us = below(2) ? 1 : 3600 * EG_SECOND,
	                               .fatal = road_fatal};
	must(at, eg_writer_start(&r->writer, &wo, &err), &err, "the writer does not start");
	must(at, eg_store_reader(r->store, &r->reader, &err), &err, "a reader");
	r->policy = road_policy();
	r->arena = eg_arena_new((size_t)256 << 20);
	return r;
}

static void stop(struct road *r)
{
	road_stop(r);
	eg_policy_unref(r->policy);
	eg_arena_free(r->arena);
	free(r);
}

/* ---- sending ---- */

/* On the writer's thread. A sender that was told keeps its sender to it, whatever comes. */
static void told(struct eg_ticket *t)
{
	const struct world_op *ops = t->done_arg;
	pthread_mutex_lock(&chain.lock);
	for (unsigned i = 0; t->rc == EG_OK && i < t->submission.n && chain.n_told < TOLD_MAX; i++) {
		struct world_op *o = &chain.told[chain.n_told++];
		*o = ops[i];
		o->outcome = t->submission.items[i].outcome;
		o->seq = t->submission.items[i].seq;
	}
	chain.crashes.acknowledged = chain.n_told;
	chain.under_way--;
	pthread_cond_signal(&chain.answered);
	pthread_mutex_unlock(&chain.lock);
	eg_ticket_free(t);
}

static void wait_for_answers(unsigned at_most)
{
	pthread_mutex_lock(&chain.lock);
	while (chain.under_way > at_most)
		pthread_cond_wait(&chain.answered, &chain.lock);
	pthread_mutex_unlock(&chain.lock);
}

/* Sends ops of one dataset from here on as a batch; how many. */
static unsigned send_batch(struct road *r, const struct world_op *ops, unsigned n)
{
	struct eg_err err = {0};
	unsigned max = 1 + below(12), d = ops->dataset, k = 0;
	struct eg_ticket *t = road_batch(r, world_datasets[d].agency, world_datasets[d].dataset, max);
	for (; k < n && k < max && ops[k].dataset == d; k++) {
		char key[8];
		snprintf(key, sizeof key, "key-%u", ops[k].key);
		struct eg_item *item = road_add(t, key, ops[k].version, ops[k].is_void ? EG_VOID : EG_ASSERT);
		if (!ops[k].is_void)
			world_content(&chain.world, &ops[k], t, item);
	}
	t->done = told;
	t->done_arg = (void *)ops;
	pthread_mutex_lock(&chain.lock);
	chain.under_way++;
	pthread_mutex_unlock(&chain.lock);
	if (eg_intake_put(r->intake, t, eg_mono_us() + 30 * EG_SECOND, &err) != EG_OK)
		crash_cannot("a batch was not taken: %s", err.text);
	return k;
}

static void live(void)
{
	struct crashes *c = &chain.crashes;
	c->acknowledged = c->begun = chain.n_told;
	crash_begin(c, chain.dir, &chain.random);
	struct road *r = start(NULL, chain.dir, power_vfs());
	world_shuffle(&chain.world);
	for (unsigned at = 0, i = 0; at < chain.world.n && i < LIFE_BATCHES && !crash_over(c); i++) {
		at += send_batch(r, chain.world.ops + at, chain.world.n - at);
		wait_for_answers(below(6));
	}
	wait_for_answers(0);
	stop(r);
	crash_end();
}

/* ---- judging ---- */

/* The answer's entry is there and is this source key's, and the source key knows the version by that entry.
 */
static void check_told(const struct crash *at, struct road *r, const struct world_op *o)
{
	static const char mismatch[] = "entry %llu is not what was acknowledged for it";
	struct eg_err err = {0};
	struct eg_log_row row;
	struct eg_entry e;
	struct eg_claim claim;
	struct eg_source_row source;
	struct eg_versions known;
	uint8_t token[16];
	unsigned long long seq = o->seq;
	const char *agency = world_datasets[o->dataset].agency, *dataset = world_datasets[o->dataset].dataset;
	char key[8];
	snprintf(key, sizeof key, "key-%u", o->key);
	if (o->seq > road_head(r))
		crash_broke(at, "entry %llu was acknowledged, and the log ends with %llu", seq,
		            (unsigned long long)road_head(r));
	must(at, eg_get_entry(r->reader, o->seq, r->arena, &row, &err), &err, "an acknowledged entry");
	must(at, eg_entry_open(r->vault, &row, true, true, r->arena, &e, &err), &err,
	     "an acknowledged entry");
	must(at, eg_canon_claim_read(e.claim_part, r->arena, &claim, &err), &err, "an acknowledged claim");
	if (!eg_bytes_equal(claim.source_key, eg_bytes_of(key)) ||
	    !eg_bytes_equal(claim.dataset, eg_bytes_of(dataset)))
		crash_broke(at, mismatch, seq);
	if (o->outcome == EG_QUARANTINED) {
		if (claim.version != o->version || claim.op != (o->is_void ? EG_VOID : EG_ASSERT))
			crash_broke(at, mismatch, seq);
		return;
	}
	road_token(r, agency, dataset, key, token);
	must(at, eg_get_source(r->reader, token, r->arena, &source, &err), &err,
	     "an acknowledged source key");
	must(at, eg_versions_read(source.body, r->arena, &known, &err), &err, "an acknowledged source key");
	const struct eg_version *v = eg_versions_find(&known, o->version, 0);
	if (!v || (o->is_void ? v->void_seq : v->seq) != o->seq)
		crash_broke(at, "version %u of a source key, acknowledged with entry %llu, is not there",
		            o->version, seq);
}

static void judge(const struct crash *at)
{
	struct road *r = start(at, at->dir, NULL);
	for (unsigned i = 0; i < at->acknowledged; i++) {
		check_told(at, r, &chain.told[i]);
		eg_arena_reset(r->arena);
	}
	road_check(r);
	struct world again = chain.world;
	again.ops = chain.told;
	again.n = (unsigned)at->acknowledged;
	world_send(&again, r, false, true);
	road_check(r);
	stop(r);
	crash_integrity(at, at->dir);
}

static void begin_chain(void)
{
	free(chain.world.ops);
	road_seed = power_random(&chain.random);
	world_make(&chain.world, CHAIN_OPS, 3);
	chain.n_told = 0;
	crash_new_dir(chain.dir, "life");
	if (mkdir(chain.dir, 0700) != 0)
		crash_cannot("no directory %s", chain.dir);
}

static void what_was_answered_survives(void **state)
{
	unsigned judged = 0, lives = 0;
	(void)state;
	chain.random = crash_settings.seed;
	begin_chain();
	while (judged < crash_settings.runs) {
		char next[160] = "";
		live();
		lives++;
		unsigned n = chain.crashes.n, choice = below(CRASHES_MAX);
		for (unsigned i = 0; i < n; i++) {
			const struct crash *at = &chain.crashes.list[i];
			if (i == choice) {
				crash_new_dir(next, "life");
				crash_copy(at->dir, next);
			}
			judge(at);
			crash_remove(at->dir);
			judged++;
		}
		if (*next) { /* the chain goes on from there */
			crash_remove(chain.dir);
			snprintf(chain.dir, sizeof chain.dir, "%s", next);
			chain.n_told = (unsigned)chain.crashes.list[choice].acknowledged;
		}
		if (below(3) == 0 || chain.n_told > TOLD_MAX - CHAIN_OPS) {
			crash_remove(chain.dir);
			begin_chain();
		}
	}
	crash_remove(chain.dir);
	free(chain.world.ops);
	print_message("%u images judged, of %u lives\n", judged, lives);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_answered_survives)};
	const unsigned needed = 1u << POWER_WAL_WRITE | 1u << POWER_WAL_SYNC | 1u << POWER_DATABASE_WRITE |
	                        1u << POWER_DATABASE_SYNC | 1u << POWER_OTHER_SYNC |
	                        1u << POWER_DIRECTORY_SYNC;
	crash_setup("powerloss_writer", 300);
	if (crash_settings.ack_early)
		crash_cannot("here that fault is the writer's own: ELDERGATE_UNSAFE=ack_before_commit");
	if (cmocka_run_group_tests_name("powerloss_writer", tests, NULL, NULL))
		return 1;
	return crash_finish(crash_settings.runs < 300 ? 0 : needed);
}
