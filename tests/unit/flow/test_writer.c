/* The writer: one commit for many, durable order, restarts. */
#include "base/fault.h"
#include "base/metric.h"
#include "road_world.h"

enum { ID = 1, NAME = 3, SEX = 4, BIRTH = 5 };

static void applied_then_unchanged(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	uint64_t first, again, head;
	struct eg_ticket *t =
	        road_one(r, "police", "hukou", "k1", 1, ID, "11010519491231002X", NAME, "王建国", 0);
	assert_int_equal(t->submission.first_seq, 2);
	assert_int_equal(t->submission.last_seq, 2);
	assert_memory_equal(t->log_id, eg_writer_log_id(r->writer), 16);
	assert_int_equal(road_outcome(t, &first), EG_APPLIED);
	head = road_head(r);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k1", 1, ID, "11010519491231002X", NAME,
	                                       "王建国", 0),
	                              &again),
	                 EG_UNCHANGED);
	assert_int_equal(first, again);
	assert_int_equal(road_head(r), head + 1); /* the batch's UNCHANGED entry */
	road_check(r);
	road_close(r, true);
}

static struct eg_ticket *window_of(struct road *r, const char *subscriber, uint64_t first, uint64_t last)
{
	struct eg_ticket *t = eg_ticket_new(EG_TICKET_DELIVERY, 1 << 16, r->policy, NULL);
	t->delivery.n = 1;
	t->delivery.windows = eg_arena_alloc(t->arena, sizeof *t->delivery.windows);
	*t->delivery.windows = (struct eg_window){
	        .subscriber = subscriber, .first_seq = first, .last_seq = last, .policy_version = 1};
	return t;
}

/* What waits when the writer comes is one commit: lanes first, then tokens; windows share one entry. Only
 * bulk is left for the next one where there are deaths. */
static void one_commit(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct flight f = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
	road_stop(r);
	road_start_intake(r);
	struct eg_ticket *live = road_batch(r, "police", "hukou", 100),
	                 *dead = road_batch(r, "funeral", "remains", 100),
	                 *list = road_batch(r, "civil", "dibao", 100), *query, *refusal, *admin;
	list->lane = EG_LANE_BULK;
	for (unsigned i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof key, "k%u", i);
		struct eg_item *items[] = {road_add(live, key, 1, EG_ASSERT),
		                           road_add(dead, key, 1, EG_ASSERT),
		                           road_add(list, key, 1, EG_ASSERT)};
		road_text(live, items[0], ID, road_id18(live, i));
		road_text(live, items[0], NAME, "王建国");
		road_text(dead, items[1], NAME, "李秀英");
		road_text(list, items[2], NAME, "张桂兰");
	}
	query = eg_ticket_new(EG_TICKET_QUERY, 1 << 16, r->policy, eg_policy_by_name(r->policy, "police"));
	query->query.method = "GetElder";
	query->query.legal_basis = "law";
	query->query.n_persons = 1;
	query->query.persons = eg_arena_alloc(query->arena, 16);
	query->query.persons[0][3] = 7;
	query->purpose = "care";
	refusal = eg_ticket_new(EG_TICKET_REFUSAL, 1 << 16, r->policy, eg_policy_by_name(r->policy, "civil"));
	refusal->refusal.reason = "DATASET_NOT_PERMITTED";
	refusal->refusal.count = 17;
	admin = eg_ticket_new(EG_TICKET_ADMIN, 1 << 16, r->policy, eg_policy_by_name(r->policy, "reviewer"));
	admin->admin.act = "reload";
	flight_put(&f, r, list);
	flight_put(&f, r, live);
	flight_put(&f, r, window_of(r, "platform", 1, 5));
	flight_put(&f, r, query);
	flight_put(&f, r, dead);
	flight_put(&f, r, refusal);
	flight_put(&f, r, admin);
	flight_put(&f, r, window_of(r, "other", 6, 9));
	double commits = eg_metric_get(EG_M_COMMITS, NULL);
	road_start_writer(r);
	flight_wait(&f);
	assert_int_equal((int)(eg_metric_get(EG_M_COMMITS, NULL) - commits), 2);
	assert_int_equal(dead->lane, EG_LANE_URGENT);
	assert_true(dead->submission.last_seq < live->submission.first_seq);
	assert_true(live->submission.last_seq < list->submission.first_seq);
	const struct eg_item *first = &live->submission.items[0], *second = &live->submission.items[1];
	assert_int_equal(memcmp(first->token, second->token, 16) < 0, first->seq < second->seq);
	int64_t time = road_entry(r, dead->submission.first_seq).header.time;
	for (uint64_t seq = dead->submission.first_seq; seq < list->submission.first_seq; seq++)
		assert_int_equal(road_entry(r, seq).header.time, time);

	struct eg_entry e = road_entry(r, query->seq);
	assert_int_equal(e.header.kind, EG_ENTRY_QUERY);
	assert_int_equal(e.header.outcome, EG_ANSWERED);
	assert_true(eg_bytes_equal(e.header.agency, eg_bytes_of("police")));
	assert_true(eg_bytes_equal(e.header.purpose, eg_bytes_of("care")));
	struct eg_canon_reader c = eg_canon_read(e.claim_part);
	assert_true(eg_canon_next(&c) && c.tag == 1 && eg_bytes_equal(c.value, eg_bytes_of("GetElder")));
	e = road_entry(r, refusal->seq);
	assert_int_equal(e.header.kind, EG_ENTRY_REFUSAL);
	assert_int_equal(e.header.count, 17);
	assert_true(eg_bytes_equal(e.header.act, eg_bytes_of("DATASET_NOT_PERMITTED")));
	e = road_entry(r, admin->seq);
	assert_int_equal(e.header.kind, EG_ENTRY_ADMIN);
	assert_int_equal(f.tickets[2]->seq, f.tickets[7]->seq);
	e = road_entry(r, f.tickets[2]->seq);
	assert_int_equal(e.header.kind, EG_ENTRY_DELIVERY);
	assert_int_equal(e.header.count, 2);
	for (unsigned i = 0; i < f.n_tickets; i++) {
		assert_int_equal(f.tickets[i]->rc, EG_OK);
		eg_ticket_free(f.tickets[i]);
	}
	road_check(r);
	road_close(r, true);
}

/* The log goes on where it was, under its old id, with a checkpoint signed at the stop. */
struct chain {
	struct road *r;
	struct flight *flight;
	struct eg_ticket *next;
};

static void put_next(struct eg_ticket *t)
{
	struct chain *c = t->done_arg;
	flight_put(c->flight, c->r, c->next);
}

/* Each time a death is committed the next one comes: bulk goes along with every other. */
static void deaths_in_a_row_do_not_starve_bulk(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct flight f = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
	struct eg_ticket *dead[2], *list = road_batch(r, "civil", "dibao", 1);
	struct chain chain;
	struct eg_err err = {0};
	road_stop(r);
	road_start_intake(r);
	list->lane = EG_LANE_BULK;
	road_text(list, road_add(list, "k", 1, EG_ASSERT), NAME, "张桂兰");
	for (unsigned i = 0; i < 2; i++) {
		char key[16];
		snprintf(key, sizeof key, "d%u", i);
		dead[i] = road_batch(r, "funeral", "remains", 1);
		road_text(dead[i], road_add(dead[i], key, 1, EG_ASSERT), NAME, "李秀英");
	}
	chain = (struct chain){r, &f, dead[1]};
	flight_put(&f, r, list);
	dead[0]->done = put_next;
	dead[0]->done_arg = &chain;
	assert_ok(eg_intake_put(r->intake, dead[0], 0, &err), err);
	road_start_writer(r);
	flight_wait(&f);
	assert_true(dead[0]->submission.first_seq < dead[1]->submission.first_seq);
	assert_int_equal(dead[1]->submission.last_seq + 1, list->submission.first_seq);
	int64_t times[] = {road_entry(r, dead[0]->submission.first_seq).header.time,
	                   road_entry(r, dead[1]->submission.first_seq).header.time,
	                   road_entry(r, list->submission.first_seq).header.time};
	assert_true(times[0] < times[1]);
	assert_int_equal(times[1], times[2]); /* one commit */
	for (unsigned i = 0; i < 2; i++)
		eg_ticket_free(dead[i]);
	eg_ticket_free(list);
	road_check(r);
	road_close(r, true);
}

static void restarts(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	uint8_t id[16];
	struct eg_err err = {0};
	memcpy(id, eg_writer_log_id(r->writer), 16);
	for (unsigned i = 1; i <= 6; i++) {
		char region[8];
		snprintf(region, sizeof region, "33030%u", i);
		uint64_t seq;
		assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", (int64_t)i, ID,
		                                       "11010519491231002X", NAME, "王建国", 11, region, 0),
		                              &seq),
		                 EG_APPLIED);
		assert_int_equal(seq, i + 1);
		eg_writer_mark(r->writer, "kafka", seq);
		road_stop(r);
		road_start(r);
		assert_memory_equal(id, eg_writer_log_id(r->writer), 16);
		uint64_t size, mark;
		int64_t time;
		struct eg_bytes note;
		assert_ok(eg_get_checkpoint(r->reader, 0, r->arena, &size, &time, &note, &err), err);
		assert_int_equal(size, road_head(r));
		assert_ok(eg_get_mark(r->reader, "kafka", &mark, &err), err);
		assert_int_equal(mark, seq);
		road_check(r);
	}
	struct eg_dataset_row *sets;
	unsigned n;
	assert_ok(eg_list_datasets(r->reader, r->arena, &sets, &n, &err), err);
	assert_int_equal(n, 1);
	assert_string_equal(sets[0].name, "police/hukou");
	assert_int_equal(sets[0].records, 6);
	assert_int_equal(sets[0].seq, 7);
	assert_int_equal(sets[0].event_time, 1700000000 * EG_SECOND);
	road_close(r, true);
}

/* A checkpoint comes by itself while the writer is idle. */
static void idle_checkpoint(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct eg_err err = {0};
	road_stop(r);
	r->checkpoint_us = EG_SECOND / 100;
	road_start(r);
	eg_ticket_free(road_one(r, "police", "hukou", "k", 1, NAME, "王建国", 0));
	int64_t deadline = eg_mono_us() + 10 * EG_SECOND;
	uint64_t size = 0;
	while (size < road_head(r)) {
		int64_t time;
		struct eg_bytes note;
		assert_true(eg_mono_us() < deadline);
		enum eg_rc rc = eg_get_checkpoint(r->reader, 0, r->arena, &size, &time, &note, &err);
		assert_true(rc == EG_OK || rc == EG_EMPTY);
		eg_wake_wait(eg_writer_head(r->writer), eg_wake_seen(eg_writer_head(r->writer)),
		             eg_mono_us() + EG_SECOND / 100);
	}
	road_check(r);
	road_close(r, true);
}

/* A damaged row fails the ticket that needs it, not the others of its commit, and leaves nothing half done.
 */
static void a_bad_row_fails_alone(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct eg_err err = {0};
	struct eg_person_row row;
	struct eg_source_row source;
	uint8_t token[16];
	uint64_t seq;
	struct flight f = {.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER};
	road_outcome(road_one(r, "police", "hukou", "k", 1, ID, "11010519491231002X", NAME, "王建国", 0),
	             &seq);
	road_token(r, "police", "hukou", "k", token);
	assert_ok(eg_get_source(r->reader, token, r->arena, &source, &err), err);
	assert_ok(eg_get_person(r->reader, source.person, r->arena, &row, &err), err);
	struct eg_bytes whole = row.body;
	uint8_t *damaged = eg_arena_copy(r->arena, whole.p, whole.len);
	damaged[whole.len / 2] ^= 4;
	road_stop(r);
	road_start_intake(r);
	row.body = (struct eg_bytes){damaged, whole.len};
	struct eg_tx tx = eg_tx_begin(r->store);
	eg_tx_put_person(&tx, &row);
	assert_ok(eg_tx_end(&tx, &err), err);

	static const char *const keys[] = {"a", "k", "z"};
	for (unsigned i = 0; i < 3; i++) {
		struct eg_ticket *t = road_batch(r, "police", "hukou", 1);
		struct eg_item *item = road_add(t, keys[i], 2, EG_ASSERT);
		road_text(t, item, ID, i == 1 ? "11010519491231002X" : road_id18(t, i));
		road_text(t, item, NAME, "王建国");
		road_text(t, item, 11, "330302");
		flight_put(&f, r, t);
	}
	road_start_writer(r);
	flight_wait(&f);
	assert_int_equal(f.tickets[0]->rc, EG_OK);
	assert_int_equal(f.tickets[1]->rc, EG_CORRUPT);
	assert_int_equal(f.tickets[1]->seq, 0);
	assert_int_equal(f.tickets[2]->rc, EG_OK);
	assert_int_equal(f.tickets[2]->submission.items[0].outcome, EG_APPLIED);
	for (unsigned i = 0; i < 3; i++)
		eg_ticket_free(f.tickets[i]);
	assert_int_equal(road_head(r), seq + 2);

	road_stop(r);
	road_start_intake(r);
	row.body = whole;
	tx = eg_tx_begin(r->store);
	eg_tx_put_person(&tx, &row);
	assert_ok(eg_tx_end(&tx, &err), err);
	road_start_writer(r);
	road_check(r);
	road_close(r, true);
}

#ifdef EG_FAULT
static struct eg_ticket *faulty_batch(struct road *r, const struct world *w, long n)
{
	struct eg_ticket *t = road_batch(r, "police", "hukou", 4);
	for (unsigned i = 0; i < 4; i++) {
		char key[16];
		snprintf(key, sizeof key, "key-%u", i);
		struct eg_item *item = road_add(t, key, i == 3 ? n - 1 : n, i == 3 ? EG_VOID : EG_ASSERT);
		if (i < 3)
			world_content(w, &w->ops[(unsigned)(n + i) % w->n], t, item);
	}
	return t;
}

/* Each store operation fails once: the sender hears of it, sends again, and the log is whole. */
static void every_fault(void **state)
{
	(void)state;
	struct road *r = road_open(NULL);
	struct world w;
	struct eg_err err = {0};
	long n = 0;
	world_make(&w, 40, 2);
	for (bool hit = true; hit; n++) {
		struct eg_ticket *t = faulty_batch(r, &w, n);
		uint64_t head = road_head(r);
		eg_fault_arm(n + 1);
		enum eg_rc rc = road_send_rc(r, t, &err);
		hit = eg_fault_hit();
		eg_fault_arm(0);
		assert_true(hit || rc == EG_OK);
		assert_int_equal(road_head(r) == head, rc != EG_OK);
		eg_ticket_free(t);
		t = faulty_batch(r, &w, n);
		road_send(r, t);
		eg_ticket_free(t);
		road_check(r);
	}
	print_message("%ld faults\n", n - 1);
	assert_true(n > 10);
	free(w.ops);
	road_close(r, true);
}
#endif

/* Random histories, with conflicts, errors, voids that come first, and decisions between them. */
static void histories_hold(void **state)
{
	(void)state;
	struct eg_err err = {0};
	for (unsigned round = 0; round < 12; round++) {
		struct road *r = road_open(NULL);
		struct world w;
		world_make(&w, 60 + road_below(240), 3);
		for (unsigned part = 0; part < 3; part++) {
			struct eg_case_row *rows, cases[100];
			unsigned n;
			world_send(&w, r, false, false);
			road_check(r);
			assert_ok(
			        eg_list_cases(r->reader, 0, 0, EG_CASE_OPEN, 100, r->arena, &rows, &n, &err),
			        err);
			if (n)
				memcpy(cases, rows, n * sizeof *rows); /* checking empties the arena */
			for (unsigned i = 0; i < n; i++) {
				struct eg_case_body body;
				if (road_below(3))
					continue;
				if (road_case(r, cases[i].id, &body).state != EG_CASE_OPEN)
					continue;
				enum eg_decision_kind kind = (enum eg_decision_kind)(1 + road_below(3));
				const uint8_t *digest =
				        body.n_digests ? body.digests[road_below(body.n_digests)] : NULL;
				enum eg_rc rc;
				eg_ticket_free(road_decide(r, cases[i].id, kind, digest, &rc));
				assert_true(rc == EG_OK || rc == EG_PRECONDITION);
				if (rc == EG_OK)
					assert_int_equal(road_case(r, cases[i].id, &body).state,
					                 EG_CASE_CLOSED);
				road_check(r);
			}
			world_shuffle(&w);
		}
		free(w.ops);
		road_close(r, true);
	}
	for (int k = EG_EVENT_CREATED; k <= EG_EVENT_CASE_CLOSED; k++)
		if (k != EG_EVENT_WITHDRAWN)
			assert_true(check_events[k] > 0);
}

/* A person without its random id: its source keys and its view. */
struct portrait {
	unsigned n;
	uint8_t tokens[64][16];
	uint8_t view[16];
	enum eg_life life;
	unsigned n_cases;
	int cases[16]; /* kinds, ascending */
};
static int cmp_portrait(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct portrait));
}
static int cmp_int(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}
static unsigned portraits(struct road *r, struct portrait *out)
{
	struct eg_err err = {0};
	struct eg_person_row *rows;
	unsigned n, found = 0;
	eg_arena_reset(r->arena);
	assert_ok(eg_list_persons(r->reader, 0, 1000, SIZE_MAX, r->arena, &rows, &n, &err), err);
	for (unsigned i = 0; i < n; i++) {
		struct eg_person p;
		struct eg_view v;
		struct eg_buf text = {0};
		assert_ok(eg_person_open(r->vault, &rows[i], r->arena, &p, &err), err);
		if (!p.n_held)
			continue; /* merged away, or retracted: which of them there are depends on the order
			           */
		struct portrait *x = &out[found++];
		memset(x, 0, sizeof *x);
		x->n = p.n_held;
		for (unsigned k = 0; k < p.n_held; k++)
			memcpy(x->tokens[k], p.held[k].token, 16);
		assert_ok(eg_view_build(p.held, p.n_held, NULL, r->arena, &v, &err), err);
		eg_view_canon(&text, &v, p.held);
		eg_vault_digest(r->vault, eg_buf_bytes(&text), x->view);
		eg_buf_free(&text);
		x->life = v.life;
		x->n_cases = p.n_cases;
		for (unsigned k = 0; k < p.n_cases; k++) {
			struct eg_case_body body;
			assert_int_equal(road_case(r, p.cases[k], &body).state, EG_CASE_OPEN);
			x->cases[k] = (int)body.kind;
		}
		qsort(x->cases, p.n_cases, sizeof(int), cmp_int);
	}
	qsort(out, found, sizeof *out, cmp_portrait);
	return found;
}

/* The same conflict-free records in two orders, twice over: the same persons but for their ids. */
static void order_means_nothing(void **state)
{
	(void)state;
	static struct portrait a[256], b[256];
	for (unsigned round = 0; round < 12; round++) {
		struct world w;
		struct road *r = road_open(NULL), *q = road_open(r);
		world_make(&w, 20 + road_below(200), 1);
		world_send(&w, r, false, false);
		world_shuffle(&w);
		world_send(&w, q, false, false);
		world_shuffle(&w);
		world_send(&w, q, false, false);
		unsigned n = portraits(r, a);
		assert_int_equal(n, portraits(q, b));
		for (unsigned i = 0; i < n; i++)
			assert_memory_equal(&a[i], &b[i], sizeof a[i]);
		free(w.ops);
		road_close(q, false);
		road_close(r, true);
	}
}

/* A broken stream sent again whole: the same answers with the same seqs, and nothing but UNCHANGED entries
 * more. */
static void resending_does_nothing(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		struct world w;
		struct road *r = road_open(NULL);
		world_make(&w, 20 + road_below(200), 3);
		world_send(&w, r, true, false);
		uint64_t head = road_head(r);
		world_send(&w, r, false, true);
		road_check(r);
		for (uint64_t seq = head + 1; seq <= road_head(r); seq++) {
			struct eg_entry e = road_entry(r, seq);
			assert_int_equal(e.header.kind, EG_ENTRY_UNCHANGED);
			assert_int_equal(e.claim_part.len, 0); /* no version that was not known */
			assert_int_equal(e.header.digest.len, 32);
		}
		free(w.ops);
		road_close(r, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(applied_then_unchanged),
	        cmocka_unit_test(one_commit),
	        cmocka_unit_test(deaths_in_a_row_do_not_starve_bulk),
	        cmocka_unit_test(restarts),
	        cmocka_unit_test(idle_checkpoint),
	        cmocka_unit_test(a_bad_row_fails_alone),
#ifdef EG_FAULT
	        cmocka_unit_test(every_fault),
#endif
	        cmocka_unit_test(histories_hold),
	        cmocka_unit_test(order_means_nothing),
	        cmocka_unit_test(resending_does_nothing),
	};
	return cmocka_run_group_tests(tests, road_read_seed, NULL);
}
