/* road: a whole road in a directory of its own for tests: store, vault, policy, intake, writer, and records
 * to send.
 *
 * Keys live in memory and outlast one store, so that two roads of one test have equal tokens and digests. */
#ifndef EG_TEST_FLOW_ROAD_H
#define EG_TEST_FLOW_ROAD_H

#include "flow/entry.h"
#include "flow/judge.h"
#include "flow/sealed.h"
#include "flow/writer.h"
#include "model/id_number.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define assert_ok(call, err)                                                                                 \
	do {                                                                                                 \
		enum eg_rc rc_ = (call);                                                                     \
		if (rc_)                                                                                     \
			fail_msg("%s: %s: %s", #call, eg_rc_name(rc_), (err).text);                          \
	} while (0)

static uint64_t road_seed;
static inline uint64_t road_random(void) /* splitmix64 */
{
	uint64_t z = (road_seed += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
static inline unsigned road_below(unsigned n)
{
	return (unsigned)(road_random() % n);
}
static inline int road_read_seed(void **state)
{
	(void)state;
	const char *given = getenv("EG_SEED");
	road_seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	print_message("EG_SEED=%llu\n", (unsigned long long)road_seed);
	return 0;
}

/* ---- keys in memory ---- */

#define ROAD_KEYS 32
struct road_keys {
	unsigned n;
	char names[ROAD_KEYS][80];
	uint8_t wrapped[ROAD_KEYS][60];
};
static inline enum eg_rc road_key_get(void *arg, const char *name, uint8_t wrapped[60], struct eg_err *err)
{
	struct road_keys *k = arg;
	for (unsigned i = 0; i < k->n; i++)
		if (strcmp(k->names[i], name) == 0) {
			memcpy(wrapped, k->wrapped[i], 60);
			return EG_OK;
		}
	return eg_fail(err, EG_NOT_FOUND, "no such key");
}
static inline enum eg_rc road_key_put(void *arg, unsigned n, const char *const *names,
                                      const uint8_t (*wrapped)[60], struct eg_err *err)
{
	struct road_keys *k = arg;
	(void)err;
	for (unsigned i = 0; i < n; i++, k->n++) {
		assert_true(k->n < ROAD_KEYS);
		snprintf(k->names[k->n], sizeof k->names[0], "%s", names[i]);
		memcpy(k->wrapped[k->n], wrapped[i], 60);
	}
	return EG_OK;
}
static inline enum eg_rc road_key_list(void *arg, const char *prefix,
                                       void (*each)(void *each_arg, const char *name), void *each_arg,
                                       struct eg_err *err)
{
	struct road_keys *k = arg;
	(void)err;
	for (unsigned i = 0; i < k->n; i++)
		if (strncmp(k->names[i], prefix, strlen(prefix)) == 0)
			each(each_arg, k->names[i]);
	return EG_OK;
}

/* ---- the road ---- */

struct road {
	char dir[128];
	struct road_keys *keys; /* shared with another road, or its own */
	char key_path[160], lists_dir[160];
	struct eg_store *store;
	struct eg_vault *vault;
	struct eg_intake *intake;
	struct eg_writer *writer;
	const struct eg_policy *policy;
	struct eg_conn *reader;
	struct eg_arena *arena; /* of what a test reads */
	unsigned max_records;
	int64_t checkpoint_us;
	int64_t lag_grace_us;
};

static inline int road_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void road_make_dir(char dir[128])
{
	const char *tmp = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	if (getenv("TMPDIR"))
		tmp = getenv("TMPDIR");
	snprintf(dir, 128, "%.80s/eg-road-XXXXXX", tmp);
	assert_non_null(mkdtemp(dir));
}

static inline const struct eg_policy *road_policy(void)
{
	static struct eg_dataset_rule registers[] = {{.name = "hukou", .section = EG_REGISTRATION},
	                                             {.name = "permits", .section = EG_REGISTRATION}};
	static struct eg_dataset_rule aid[] = {{.name = "dibao", .section = EG_ASSISTANCE}};
	static struct eg_dataset_rule funerals[] = {{.name = "remains", .section = EG_FUNERAL}};
	static struct eg_dataset_rule care[] = {{.name = "elders", .section = EG_CARE}};
	struct eg_identity_rule who[] = {
	        {.name = "police", .roles = EG_ROLE_AGENCY, .n_datasets = 2, .datasets = registers},
	        {.name = "civil", .roles = EG_ROLE_AGENCY, .n_datasets = 1, .datasets = aid},
	        {.name = "funeral", .roles = EG_ROLE_AGENCY, .n_datasets = 1, .datasets = funerals},
	        {.name = "platform",
	         .roles = EG_ROLE_AGENCY | EG_ROLE_SUBSCRIBER,
	         .n_datasets = 1,
	         .datasets = care},
	        {.name = "reviewer", .roles = EG_ROLE_OPERATOR},
	};
	for (unsigned i = 0; i < 5; i++) {
		who[i].has_uid = true;
		who[i].uid = 1000 + i;
	}
	struct eg_policy p = {.version = 1, .n = 5, .identities = who};
	const struct eg_policy *out = NULL;
	struct eg_err err = {0};
	assert_ok(eg_policy_new(&p, &out, &err), err);
	return out;
}

static inline void road_fatal(const struct eg_err *err)
{
	print_error("fatal: %s\n", err->text);
	abort();
}

/* Tickets may be put from here on; nobody takes them yet. */
static inline void road_start_intake(struct road *r)
{
	struct eg_err err = {0};
	struct eg_vault_keys keys = {r->keys, road_key_get, road_key_put, road_key_list};
	struct eg_store_options so = {.dir = r->dir, .reserve_bytes = -1};
	assert_ok(eg_store_open(&r->store, &so, &err), err);
	assert_ok(eg_vault_open(&r->vault, r->key_path, true, keys, &err), err);
	struct eg_intake_options io = {.vault = r->vault};
	r->intake = eg_intake_new(&io);
	assert_non_null(r->intake);
}

static inline void road_start_writer(struct road *r)
{
	struct eg_err err = {0};
	struct eg_writer_options wo = {
	        .store = r->store,
	        .vault = r->vault,
	        .intake = r->intake,
	        .max_records = r->max_records,
	        .checkpoint_us = r->checkpoint_us,
	        .lists_dir = r->lists_dir,
	        .lag_grace_us = r->lag_grace_us,
	        .fatal = road_fatal,
	};
	assert_ok(eg_writer_start(&r->writer, &wo, &err), err);
	assert_ok(eg_store_reader(r->store, &r->reader, &err), err);
}

static inline void road_start(struct road *r)
{
	road_start_intake(r);
	road_start_writer(r);
}

static inline void road_stop(struct road *r)
{
	eg_conn_close(r->reader);
	eg_writer_stop(r->writer);
	eg_intake_free(r->intake);
	eg_vault_close(r->vault);
	eg_store_close(r->store);
}

/* like: another road whose keys this one uses; NULL: new keys. */
static inline struct road *road_open(const struct road *like)
{
	struct road *r = calloc(1, sizeof *r);
	assert_non_null(r);
	road_make_dir(r->dir);
	r->keys = like ? like->keys : calloc(1, sizeof *r->keys);
	snprintf(r->key_path, sizeof r->key_path, "%s/root.key", like ? like->dir : r->dir);
	snprintf(r->lists_dir, sizeof r->lists_dir, "%s/lists", r->dir);
	r->policy = road_policy();
	r->arena = eg_arena_new((size_t)1 << 30);
	r->checkpoint_us = 3600 * EG_SECOND;
	road_start(r);
	return r;
}

/* The road whose keys others use goes last. */
static inline void road_close(struct road *r, bool own_keys)
{
	road_stop(r);
	eg_policy_unref(r->policy);
	eg_arena_free(r->arena);
	nftw(r->dir, road_remove, 16, FTW_DEPTH | FTW_PHYS);
	if (own_keys)
		free(r->keys);
	free(r);
}

/* ---- sending ---- */

#define ROAD_BUDGET ((size_t)64 << 20)

static inline struct eg_ticket *road_batch(struct road *r, const char *agency, const char *dataset,
                                           unsigned max)
{
	const struct eg_identity_rule *who = eg_policy_by_name(r->policy, agency);
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_SUBMISSION, ROAD_BUDGET, r->policy, who);
	assert_non_null(t);
	t->submission.batch_id = "batch-1";
	t->submission.dataset = eg_policy_dataset(who, eg_bytes_of(dataset));
	t->submission.items = eg_arena_alloc(t->arena, max * sizeof *t->submission.items);
	return t;
}

static inline struct eg_item *road_add(struct eg_ticket *t, const char *key, int64_t version, enum eg_op op)
{
	struct eg_item *item = &t->submission.items[t->submission.n++];
	item->claim.source_key = eg_bytes_of(eg_arena_text(t->arena, key, strlen(key)));
	item->claim.section = t->submission.dataset ? t->submission.dataset->section : EG_REGISTRATION;
	item->claim.version = version;
	item->claim.op = op;
	item->claim.event_time = op == EG_ASSERT ? 1700000000 * EG_SECOND : 0;
	item->claim.values = eg_arena_alloc(t->arena, 64 * sizeof *item->claim.values);
	return item;
}

/* In ascending order of numbers. */
static inline void road_text(struct eg_ticket *t, struct eg_item *item, unsigned number, const char *text)
{
	if (text)
		item->claim.values[item->claim.n++] =
		        (struct eg_value){.number = (uint8_t)number,
		                          .text = eg_bytes_of(eg_arena_text(t->arena, text, strlen(text)))};
}
static inline void road_int(struct eg_item *item, unsigned number, int64_t v)
{
	item->claim.values[item->claim.n++] = (struct eg_value){.number = (uint8_t)number, .i = v};
}

/* A valid number of its own for each n. */
static inline const char *road_id18(struct eg_ticket *t, unsigned n)
{
	char id[19];
	snprintf(id, sizeof id, "33030219%02u%02u%02u%03u", 30 + n % 25, 1 + n % 12, 1 + n % 28, 1 + n % 900);
	id[17] = eg_id_check_digit(id);
	id[18] = '\0';
	return eg_arena_text(t->arena, id, 18);
}

static inline enum eg_rc road_send_rc(struct road *r, struct eg_ticket *t, struct eg_err *err)
{
	return eg_intake_put_and_wait(r->intake, t, eg_mono_us() + 30 * EG_SECOND, err);
}
static inline void road_send(struct road *r, struct eg_ticket *t)
{
	struct eg_err err = {0};
	assert_ok(road_send_rc(r, t, &err), err);
}

/* One record of one batch; the caller frees the ticket. Fields follow as number, text pairs; 0 ends. */
static inline struct eg_ticket *road_one(struct road *r, const char *agency, const char *dataset,
                                         const char *key, int64_t version, ...)
{
	struct eg_ticket *t = road_batch(r, agency, dataset, 1);
	struct eg_item *item = road_add(t, key, version, EG_ASSERT);
	va_list ap;
	va_start(ap, version);
	for (unsigned number; (number = va_arg(ap, unsigned)) != 0;) {
		const char *text = va_arg(ap, const char *);
		const struct eg_field_def *f = eg_field_by_number(item->claim.section, number);
		assert_non_null(f);
		if (f->type == EG_TYPE_TEXT || f->type == EG_TYPE_CODE)
			road_text(t, item, number, text);
		else
			road_int(item, number, strtoll(text, NULL, 10));
	}
	va_end(ap);
	road_send(r, t);
	return t;
}
static inline struct eg_ticket *road_void(struct road *r, const char *agency, const char *dataset,
                                          const char *key, int64_t version)
{
	struct eg_ticket *t = road_batch(r, agency, dataset, 1);
	road_add(t, key, version, EG_VOID);
	road_send(r, t);
	return t;
}

/* Outcome of the first item; frees the ticket. */
static inline enum eg_outcome road_outcome(struct eg_ticket *t, uint64_t *seq)
{
	enum eg_outcome o = t->submission.items[0].outcome;
	if (seq)
		*seq = t->submission.items[0].seq;
	eg_ticket_free(t);
	return o;
}

/* ---- reading ---- */

static inline uint64_t road_head(struct road *r)
{
	struct eg_err err = {0};
	uint64_t head = 0;
	assert_ok(eg_get_head(r->reader, &head, &err), err);
	return head;
}

static inline struct eg_entry road_entry(struct road *r, uint64_t seq)
{
	struct eg_err err = {0};
	struct eg_log_row *row = eg_arena_alloc(r->arena, sizeof *row);
	struct eg_entry e;
	assert_ok(eg_get_entry(r->reader, seq, r->arena, row, &err), err);
	assert_ok(eg_entry_open(r->vault, row, true, true, r->arena, &e, &err), err);
	return e;
}

static inline void road_token(struct road *r, const char *agency, const char *dataset, const char *key,
                              uint8_t out[16])
{
	eg_source_token(r->vault, eg_bytes_of(agency), eg_bytes_of(dataset), eg_bytes_of(key), out);
}

/* The person of a source key; false: it has none. */
static inline bool road_person(struct road *r, const char *agency, const char *dataset, const char *key,
                               struct eg_person *out)
{
	struct eg_err err = {0};
	struct eg_source_row source;
	struct eg_person_row row;
	uint8_t token[16];
	road_token(r, agency, dataset, key, token);
	enum eg_rc rc = eg_get_source(r->reader, token, r->arena, &source, &err);
	if (rc == EG_EMPTY)
		return false;
	assert_ok(rc, err);
	if (!source.person)
		return false;
	assert_ok(eg_get_person(r->reader, source.person, r->arena, &row, &err), err);
	assert_ok(eg_person_open(r->vault, &row, r->arena, out, &err), err);
	return true;
}

static inline enum eg_life road_life(struct road *r, const struct eg_person *p)
{
	struct eg_err err = {0};
	struct eg_view v;
	assert_ok(eg_view_build(p->held, p->n_held, NULL, r->arena, &v, &err), err);
	return v.life;
}

static inline struct eg_case_row road_case(struct road *r, const uint8_t id[16], struct eg_case_body *body)
{
	struct eg_err err = {0};
	struct eg_case_row row;
	assert_ok(eg_get_case(r->reader, id, r->arena, &row, &err), err);
	assert_ok(eg_case_open(r->vault, &row, r->arena, body, &err), err);
	return row;
}

static inline struct eg_ticket *road_decide(struct road *r, const uint8_t case_id[16],
                                            enum eg_decision_kind kind, const uint8_t *digest, enum eg_rc *rc)
{
	struct eg_err err = {0};
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_DECISION, ROAD_BUDGET, r->policy,
	                                    eg_policy_by_name(r->policy, "reviewer"));
	assert_non_null(t);
	t->operator_name = "reviewer";
	memcpy(t->decision.case_id, case_id, 16);
	t->decision.kind = kind;
	t->decision.note = "seen the papers";
	if (digest)
		memcpy(t->decision.digest, digest, EG_DIGEST_SIZE);
	enum eg_rc got = road_send_rc(r, t, &err);
	if (rc)
		*rc = got;
	else
		assert_ok(got, err);
	return t;
}

#endif
