/* `log verify` finds nothing in what the gateway's own writer made, whatever was sent and decided. (What it
 * does find is tests/system/test_cli_verify.py's.) Random tests print their seed and take it back from
 * EG_SEED. */
#include "../flow/road_world.h"

#include "cli/verify.h"

#include <sqlite3.h>

enum { HISTORIES = 12 };

static struct road *r;

static int set_up(void **state)
{
	(void)state;
	r = road_open(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	road_close(r, true);
	return 0;
}

static enum eg_rc verify(struct verify_result *result, struct eg_err *err)
{
	struct eg_bytes id;
	struct archive a = {.store = r->store, .conn = r->reader, .vault = r->vault};
	const struct verify_options o = {0};
	assert_ok(eg_get_meta(a.conn, "log_id", r->arena, &id, err), *err);
	assert_int_equal(id.len, sizeof a.log_id);
	memcpy(a.log_id, id.p, sizeof a.log_id);
	return verify_archive(&a, &o, result, err);
}

static struct verify_result verified(void)
{
	struct eg_err err = {0};
	struct verify_result result;
	assert_ok(verify(&result, &err), err);
	return result;
}

static void drop_reject(uint64_t seq)
{
	char path[4200], sql[200];
	sqlite3 *db;
	snprintf(path, sizeof path, "%s/eldergate.db", r->dir);
	snprintf(sql, sizeof sql, "DELETE FROM reject WHERE seq = %llu", (unsigned long long)seq);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(db), 1);
	sqlite3_close(db);
}

/* Of every case that is open; conflicts are decided for one of their contents, the rest for one person or
 * two. */
static void decide_all(void)
{
	struct eg_case_row *rows;
	struct eg_err err = {0};
	unsigned n;
	assert_ok(eg_list_cases(r->reader, 0, 0, EG_CASE_OPEN, 500, r->arena, &rows, &n, &err), err);
	for (unsigned i = 0; i < n; i++) {
		struct eg_case_body body;
		enum eg_rc ignored; /* an earlier decision may have closed it, or said otherwise */
		road_case(r, rows[i].id, &body);
		const uint8_t *digest = body.n_digests ? body.digests[road_below(body.n_digests)] : NULL;
		enum eg_decision_kind kind = digest          ? EG_DECIDE_UPHOLD
		                             : road_below(2) ? EG_DECIDE_LINK
		                                             : EG_DECIDE_APART;
		eg_ticket_free(road_decide(r, rows[i].id, kind, digest, &ignored));
	}
}

/* The content that falls stood at this version only because a newer version repeated it: its entry is still
 * one of the source record's, so its reject is missed by the decision alone. */
static void a_repeated_content_falls(void **state)
{
	(void)state;
	struct eg_case_row *rows;
	struct eg_case_body body;
	struct eg_err err = {0};
	uint64_t seq, again;
	unsigned n, other;
	road_outcome(road_one(r, "police", "hukou", "k", 1, 3, "王一", 15, "1", 0), &seq);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 2, 3, "王一", 15, "1", 0), &again),
	                 EG_UNCHANGED);
	assert_int_equal(seq, again);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 2, 3, "王二", 15, "1", 0), NULL),
	                 EG_QUARANTINED);
	assert_ok(eg_list_cases(r->reader, 0, 0, EG_CASE_OPEN, 2, r->arena, &rows, &n, &err), err);
	assert_int_equal(n, 1);
	road_case(r, rows[0].id, &body);
	assert_int_equal(body.n_digests, 2);
	other = body.seqs[0] == seq ? 1 : 0;
	eg_ticket_free(road_decide(r, rows[0].id, EG_DECIDE_UPHOLD, body.digests[other], NULL));
	assert_int_equal(verified().rejects, 2);
	struct verify_result result;
	drop_reject(seq);
	assert_int_equal(verify(&result, &err), EG_CORRUPT);
	assert_int_equal(result.wrong_entry, seq);
	assert_non_null(strstr(err.text, "a decision took its content down, and no reject says so"));
}

/* Decides the open case of a version for the content of that entry. */
static void uphold(const struct eg_case_row *rows, unsigned n, uint64_t seq)
{
	for (unsigned i = 0; i < n; i++) {
		struct eg_case_body body;
		road_case(r, rows[i].id, &body);
		for (unsigned k = 0; k < body.n_digests; k++)
			if (body.seqs[k] == seq) {
				eg_ticket_free(
				        road_decide(r, rows[i].id, EG_DECIDE_UPHOLD, body.digests[k], NULL));
				return;
			}
	}
	fail_msg("no case has entry %llu", (unsigned long long)seq);
}

/* One content stood at two versions, and fell at both: one entry, and one reject that tells of the latter. */
static void a_repeated_content_falls_twice(void **state)
{
	(void)state;
	struct eg_case_row *rows;
	struct eg_err err = {0};
	uint64_t first, other, third;
	unsigned n;
	road_outcome(road_one(r, "police", "hukou", "k", 1, 3, "王一", 15, "1", 0), &first);
	road_outcome(road_one(r, "police", "hukou", "k", 1, 3, "王二", 15, "1", 0), &other);
	assert_int_equal(road_outcome(road_one(r, "police", "hukou", "k", 2, 3, "王一", 15, "1", 0), NULL),
	                 EG_UNCHANGED);
	road_outcome(road_one(r, "police", "hukou", "k", 2, 3, "王三", 15, "1", 0), &third);
	assert_ok(eg_list_cases(r->reader, 0, 0, EG_CASE_OPEN, 9, r->arena, &rows, &n, &err), err);
	uphold(rows, n, other);
	uphold(rows, n, third);
	verified();
}

static void histories(void **state)
{
	road_read_seed(state);
	for (unsigned i = 0; i < HISTORIES; i++) {
		struct world w;
		world_make(&w, 20 + road_below(60), 3);
		world_send(&w, r, false, false);
		decide_all();
		world_shuffle(&w);
		world_send(&w, r, false, false);
		decide_all();
		free(w.ops);
		assert_int_equal(verified().entries, road_head(r));
		tear_down(state);
		set_up(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup_teardown(a_repeated_content_falls, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(a_repeated_content_falls_twice, set_up, tear_down),
	        cmocka_unit_test_setup_teardown(histories, set_up, tear_down)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
