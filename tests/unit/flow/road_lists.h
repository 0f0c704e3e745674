/* road_lists: the engine of full lists on a road, and lists to send through it. */
#ifndef EG_TEST_FLOW_ROAD_LISTS_H
#define EG_TEST_FLOW_ROAD_LISTS_H

#include "road_check.h"

#include "base/thread.h"
#include "flow/listed.h"
#include "flow/lists.h"

#include <pthread.h>

enum { NAME = 3, REGION = 11, ADDRESS = 12, STATUS = 15 };
enum { LISTS_OPEN = 4 };

static struct road *r;
static struct eg_lists *ls;
/* Settings of the next start. */
static bool guarded;            /* by the least that lacks */
static unsigned lists_standing; /* 0: the default */
static bool (*lists_hold)(void *arg);

/* ---- the gate ---- */

/* What may stand between the engine and the writer: it lets tickets through, holds them, or answers them
 * itself. */
static struct {
	struct eg_intake *intake;
	struct eg_thread *thread;
	pthread_mutex_t lock;
	pthread_cond_t some;
	bool holds; /* tickets of lists' steps */
	bool held;  /* one waits now */
	/* EG_OK: through. Called by the gate's thread. */
	enum eg_rc (*verdict)(const struct eg_ticket *t);
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .some = PTHREAD_COND_INITIALIZER};

static inline void gate_run(void *arg)
{
	struct eg_queue *q = eg_intake_queue(gate.intake);
	void *item = NULL;
	(void)arg;
	while (!eg_queue_closed(q)) {
		if (!eg_queue_get(q, &item, 1, eg_mono_us() + EG_SECOND))
			continue;
		struct eg_ticket *t = item;
		pthread_mutex_lock(&gate.lock);
		while (gate.holds && t->kind == EG_TICKET_LIST) {
			gate.held = true;
			pthread_cond_broadcast(&gate.some);
			pthread_cond_wait(&gate.some, &gate.lock);
		}
		gate.held = false;
		pthread_mutex_unlock(&gate.lock);
		t->rc = gate.verdict ? gate.verdict(t) : EG_OK;
		if (t->rc) {
			eg_fail(&t->err, t->rc, "planted");
			t->done(t);
		} else {
			assert_int_equal(eg_queue_put(eg_intake_queue(r->intake), (unsigned)t->lane, t,
			                              t->bytes, eg_mono_us() + 30 * EG_SECOND),
			                 EG_OK);
		}
	}
}

static inline void gate_start(void)
{
	struct eg_err err = {0};
	struct eg_intake_options o = {.vault = r->vault};
	gate.intake = eg_intake_new(&o);
	assert_non_null(gate.intake);
	assert_ok(eg_thread_start(&gate.thread, "gate", gate_run, NULL, &err), err);
}

/* Before the writer drains. */
static inline void gate_stop(void)
{
	if (!gate.intake)
		return;
	eg_intake_close(gate.intake);
	eg_thread_join(gate.thread);
}

/* After the engine stopped. */
static inline void gate_free(void)
{
	eg_intake_free(gate.intake);
	gate.intake = NULL;
	gate.verdict = NULL;
}

static inline void gate_hold(bool holds)
{
	pthread_mutex_lock(&gate.lock);
	gate.holds = holds;
	pthread_cond_broadcast(&gate.some);
	pthread_mutex_unlock(&gate.lock);
}

static inline void gate_wait_held(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.held)
		pthread_cond_wait(&gate.some, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

/* ---- the engine ---- */

static inline void start_lists(void)
{
	struct eg_err err = {0};
	const struct eg_lists_options o = {.store = r->store,
	                                   .vault = r->vault,
	                                   .intake = gate.intake ? gate.intake : r->intake,
	                                   .writer = r->writer,
	                                   .dir = r->lists_dir,
	                                   .memory = 1 << 20,
	                                   .disk = 1 << 30,
	                                   .open = LISTS_OPEN,
	                                   .standing = lists_standing,
	                                   .hold = lists_hold,
	                                   .max_record_bytes = 16 << 10,
	                                   .shrink_bp = guarded ? 0 : 10000,
	                                   .shrink_floor = guarded ? 0 : 1000000};
	assert_ok(eg_lists_start(&ls, &o, &err), err);
}

static inline void stop_lists(void)
{
	eg_lists_stop(ls);
	eg_lists_free(ls);
}

/* As the daemon does: nothing more comes, the writer answers, then the lists end. */
static inline void stop_road(void)
{
	eg_intake_close(r->intake);
	eg_writer_drain(r->writer);
	stop_lists();
	road_stop(r);
}

static inline void restart_road(void)
{
	stop_road();
	road_start(r);
	start_lists();
}

/* ---- lists ---- */

struct row {
	char key[8], name[24];
	int64_t version; /* 0: none of its own */
	char region[8];  /* "": none */
	bool faulty;     /* it will be rejected */
};

static inline struct eg_list *begin_list(const char *id, int64_t as_of, bool dry_run,
                                         const struct eg_list_begin *more)
{
	struct eg_err err = {0};
	struct eg_list_begin b = {0};
	struct eg_list *l;
	if (more)
		b = *more;
	b.agency = b.operator_name = "police";
	b.dataset = "hukou";
	b.list_id = id;
	b.as_of = as_of;
	b.dry_run = dry_run;
	assert_ok(eg_list_begin(ls, &b, &l, &err), err);
	return l;
}

static inline struct eg_list *begin_region(const char *id, int64_t as_of, const char *region)
{
	const struct eg_list_begin more = {.n_regions = 1, .regions = &region};
	return begin_list(id, as_of, false, &more);
}

/* All of its rows, and its end. */
static inline void fill_list(struct eg_list *l, const struct row *rows, unsigned n)
{
	struct eg_err err = {0};
	struct eg_hash *h = eg_hash_new(EG_HASH_SHA256);
	uint8_t digest[32];
	struct eg_ticket *t = road_batch(r, "police", "hukou", n + 1);
	for (unsigned i = 0; i < n; i++) {
		struct eg_item *item =
		        road_add(t, rows[i].key, rows[i].version, rows[i].faulty ? EG_VOID : EG_ASSERT);
		struct eg_bytes bytes = {(const uint8_t *)&rows[i], sizeof rows[i]};
		road_text(t, item, NAME, rows[i].name);
		road_text(t, item, REGION, rows[i].region[0] ? rows[i].region : NULL);
		road_int(item, STATUS, 1);
		eg_list_digest(l, bytes);
		const uint8_t len[4] = {0, 0, 0, sizeof rows[i]};
		const struct eg_bytes parts[] = {{len, 4}, bytes};
		eg_hash_add(h, parts, 2);
	}
	assert_ok(eg_list_add(l, t, 0, &err), err);
	eg_ticket_free(t);
	eg_hash_end(h, digest);
	eg_hash_free(h);
	assert_ok(eg_list_end(l, n, (struct eg_bytes){digest, sizeof digest}, &err), err);
}

static inline struct eg_list *put_list(const char *id, int64_t as_of, const struct row *rows, unsigned n,
                                       bool dry_run, const struct eg_list_begin *more)
{
	struct eg_list *l = begin_list(id, as_of, dry_run, more);
	fill_list(l, rows, n);
	return l;
}

static inline struct eg_list_look wait_over(struct eg_list *l)
{
	struct eg_list_look look;
	int64_t deadline = eg_mono_us() + 30 * EG_SECOND;
	for (eg_list_look(l, &look); !look.over; eg_list_look(l, &look)) {
		assert_true(eg_mono_us() < deadline);
		eg_wake_wait(eg_writer_lists(r->writer), eg_wake_seen(eg_writer_lists(r->writer)),
		             eg_mono_us() + 1000);
	}
	return look;
}

static inline struct eg_list_look wait_for(struct eg_list *l)
{
	struct eg_list_look look = wait_over(l);
	if (look.rc)
		fail_msg("the list failed: %s", look.err.text);
	return look;
}

static inline struct eg_list_info end_list(struct eg_list *l)
{
	struct eg_list_info info = wait_for(l).info;
	eg_list_release(l);
	return info;
}

static inline struct eg_list_counts send_list(const char *id, int64_t as_of, const struct row *rows,
                                              unsigned n)
{
	return end_list(put_list(id, as_of, rows, n, false, NULL)).counts;
}

static inline enum eg_outcome send_record(const char *key, const char *name, int64_t version)
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
	struct eg_item *item = road_add(t, key, version, EG_ASSERT);
	road_text(t, item, NAME, name);
	road_int(item, STATUS, 1);
	road_send(r, t);
	return road_outcome(t, NULL);
}

/* What stands of a key: its name; "": nothing. */
static inline void stands(const char *key, char name[24])
{
	struct eg_person p;
	uint8_t token[16];
	name[0] = 0;
	road_token(r, "police", "hukou", key, token);
	if (!road_person(r, "police", "hukou", key, &p))
		return;
	for (unsigned i = 0; i < p.n_held; i++)
		if (memcmp(p.held[i].token, token, 16) == 0) {
			struct eg_bytes text = eg_claim_text(&p.held[i].claim, NAME);
			snprintf(name, 24, "%.*s", (int)text.len, (const char *)text.p);
		}
}

/* Not const: gcc with ASan warns falsely of the bounds of what it could fold. */
static struct row three[] = {
        {.key = "a", .name = "王一"}, {.key = "b", .name = "王二"}, {.key = "c", .name = "王三"}};

#endif
