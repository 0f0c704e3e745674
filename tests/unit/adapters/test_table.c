/* The table connector against a real engine: claims, marks, late commits, texts, changed schemas, hangs. */
#include "common/when.h"
#include "connectors/table_link.h"
#include "table_world.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define FLAGS                                                                                                \
	"table: elders\nclaim: flag\nkey: [id]\ncolumns: [id, xm]\nflag: exch_flag\nupdate_time: gxsj\n"     \
	"error_code: err_code\nerror_text: err_msg\nretry: retry\npoll: 10ms\nquery_timeout: 20s\n"
#define KEYS "table: elders\nclaim: key\nkey: [id]\ncolumns: [id, xm]\nupdate_time: gxsj\npoll: 10ms\n"

/* n rows, a minute apart from 2026-03-01 10:00. */
static void make_elders(struct world *w, int n)
{
	sql(w, "DROP TABLE IF EXISTS elders");
	sql(w,
	    "CREATE TABLE elders (id BIGINT NOT NULL PRIMARY KEY, xm VARCHAR(40), gxsj %s NULL, "
	    "exch_flag INT, err_code VARCHAR(30), err_msg VARCHAR(24), retry INT)%s",
	    engine_is(w, "mariadb") ? "DATETIME(6)" : "TIMESTAMP",
	    engine_is(w, "mariadb") ? " CHARSET utf8mb4" : "");
	for (int i = 1; i <= n; i++)
		sql(w,
		    "INSERT INTO elders (id, xm, gxsj, exch_flag) VALUES (%d, 'r%d', '2026-03-01 "
		    "10:%02d:00.250000', 0)",
		    i, i, i);
}

static const char flags[] = "SELECT id, exch_flag FROM elders ORDER BY id";

static void flag_claim_and_marks(void **state)
{
	struct world *w = *state;
	make_elders(w, 5);
	open_table(w, (struct how){.once = true, .yaml = FLAGS "batch: 2\n"});
	struct taken *t = take(w, ALL);
	assert_string_equal(t->text, "1 r1|2 r2|3 r3|4 r4|5 r5|");
	assert_string_equal(t->columns, "id xm");
	assert_asked(w, flags, "1 0|2 0|3 0|4 0|5 0|"); /* nothing is marked before a verdict */
	struct eg_verdict v[] = {
	        verdict_of(t->refs[0], EG_VERDICT_TAKEN), verdict_of(t->refs[1], EG_VERDICT_REFUSED),
	        verdict_of(t->refs[2], EG_VERDICT_AGAIN), verdict_of(t->refs[4], EG_VERDICT_TAKEN)};
	assert_int_equal(eg_connector_table.settle(w->c, v, 4, NULL), EG_OK);
	assert_asked(w, flags, "1 1|2 2|3 0|4 0|5 1|");
	/* Codes are cut between codes, texts between characters. */
	assert_asked(w, "SELECT id, err_code, err_msg, retry FROM elders WHERE id <= 2 ORDER BY id",
	             "1 NULL NULL NULL|2 ID_CHECK_DIGIT NAME_MISSING registration.id_number:  1|");
	open_table(w, (struct how){.once = true, .yaml = FLAGS});
	assert_string_equal(take(w, ALL)->text, "3 r3|4 r4|");
	/* Put right by the agency, it comes again; taken, its errors are cleared. */
	sql(w, "UPDATE elders SET exch_flag = 0, xm = 'r2b' WHERE id = 2");
	open_table(w, (struct how){.once = true, .yaml = FLAGS});
	t = take(w, ALL);
	assert_string_equal(t->text, "2 r2b|3 r3|4 r4|");
	settle(w, t, EG_VERDICT_TAKEN);
	assert_asked(w, "SELECT err_code, err_msg, retry FROM elders WHERE id = 2", "NULL NULL 1|");
	assert_asked(w, flags, "1 1|2 1|3 1|4 1|5 1|");
}

static void rows_in_flight_come_once(void **state)
{
	struct world *w = *state;
	make_elders(w, 3);
	open_table(w, (struct how){.yaml = FLAGS "in_flight: 4\nbatch: 2\n"});
	struct taken first = *take(w, 3);
	take_none(w, 100000); /* ten sweeps */
	sql(w, "INSERT INTO elders (id, xm, exch_flag) VALUES (0, 'r0', 0), (9, 'r9', 0)");
	struct taken second = *take(w, 1); /* either: a sweep may be under way */
	bool zero = strcmp(second.text, "0 r0|") == 0;
	assert_string_equal(second.text, zero ? "0 r0|" : "9 r9|");
	take_none(w, 100000); /* four are in flight */
	settle(w, &first, EG_VERDICT_TAKEN);
	assert_string_equal(take(w, 1)->text, zero ? "9 r9|" : "0 r0|");
	take_none(w, 100000);
	settle(w, &second, EG_VERDICT_AGAIN);
	assert_string_equal(take(w, 1)->text, second.text);
}

static void changed_in_flight_is_not_marked(void **state)
{
	struct world *w = *state;
	make_elders(w, 3);
	open_table(w, (struct how){.yaml = FLAGS});
	struct taken t = *take(w, 3);
	sql(w, "UPDATE elders SET xm = 'changed', gxsj = '2026-03-01 11:00:00.5' WHERE id = 2");
	sql(w, "UPDATE elders SET gxsj = NULL WHERE id = 3");
	settle(w, &t, EG_VERDICT_TAKEN);
	assert_asked(w, flags, "1 1|2 0|3 0|");
	t = *take(w, 2);
	assert_string_equal(t.text, "2 changed|3 r3|");
	settle(w, &t, EG_VERDICT_TAKEN); /* the second has a NULL as its version */
	assert_asked(w, flags, "1 1|2 1|3 1|");
}

static void null_flags_and_conditions(void **state)
{
	struct world *w = *state;
	make_elders(w, 4);
	sql(w, "UPDATE elders SET exch_flag = NULL WHERE id >= 3");
	open_table(w, (struct how){.once = true,
	                           .yaml = FLAGS "null_is_new: true\nwhere: 'id <> 1 OR id = 77'\n"});
	struct taken *t = take(w, ALL);
	assert_string_equal(t->text, "2 r2|3 r3|4 r4|");
	settle(w, t, EG_VERDICT_TAKEN);
	assert_asked(w, flags, "1 0|2 1|3 1|4 1|");
}

static void query_beside_the_table(void **state)
{
	struct world *w = *state;
	make_elders(w, 2);
	open_table(w, (struct how){.once = true,
	                           .yaml = FLAGS
	                           "query: \"SELECT e.*, 'x' AS extra FROM elders e WHERE e.id > 1\"\n"});
	struct taken *t = take(w, ALL);
	assert_string_equal(t->text, "2 r2|");
	settle(w, t, EG_VERDICT_TAKEN);
	assert_asked(w, flags, "1 0|2 1|");
}

/* A row whose transaction was long: it becomes visible behind what was read already. */
static void late_rows_behind_the_watermark(void **state)
{
	struct world *w = *state;
	make_elders(w, 5);
	bool two = !engine_is(
	        w, "sqlite"); /* where only one may write, the other's insert comes later instead */
	struct eg_odbc *slow = connect_agency(w);
	const char *late =
	        "INSERT INTO elders (id, xm, gxsj, exch_flag) VALUES (100, 'late', '2026-03-01 09:56:00', 0)";
	if (two) {
		assert_int_equal(eg_odbc_begin(slow, NULL), EG_OK);
		sql_on(slow, late);
	}
	open_table(w, (struct how){.yaml = KEYS});
	struct taken t = *take(w, 5);
	assert_string_equal(t.text, "1 r1|2 r2|3 r3|4 r4|5 r5|");
	settle(w, &t, EG_VERDICT_TAKEN);
	take_none(w, 100000); /* what is settled does not come again, though it lies in the overlap */
	if (two)
		assert_int_equal(eg_odbc_commit(slow, NULL), EG_OK);
	else
		sql_on(slow, late);
	t = *take(w, 1);
	assert_string_equal(t.text, "100 late|");
	settle(w, &t, EG_VERDICT_TAKEN);
	/* A change within the overlap comes, even back to what it was. */
	sql(w, "UPDATE elders SET xm = 'b' WHERE id = 5");
	t = *take(w, 1);
	assert_string_equal(t.text, "5 b|");
	settle(w, &t, EG_VERDICT_TAKEN);
	sql(w, "UPDATE elders SET xm = 'r5' WHERE id = 5");
	t = *take(w, 1);
	settle(w, &t, EG_VERDICT_TAKEN);
	/* A restart knows all that. */
	take_none(w, 50000);
	shut(w);
	reopen_checkpoint(w);
	sql(w, "INSERT INTO elders (id, xm, gxsj) VALUES (101, 'new', '2026-03-01 10:06:00')");
	open_table(w, (struct how){.once = true, .yaml = KEYS});
	assert_string_equal(take(w, ALL)->text, "101 new|");
	eg_odbc_close(slow);
}

static void watermark_waits_for_verdicts(void **state)
{
	struct world *w = *state;
	make_elders(w, 30);
	open_table(w, (struct how){.yaml = KEYS "overlap: 60s\nbatch: 7\n"});
	struct taken t = *take(w, 30);
	struct eg_verdict v[TAKE_MAX];
	unsigned n = 0;
	for (unsigned i = 0; i < 30; i++) /* the third has none, the fifth must come again */
		if (i != 2)
			v[n++] = verdict_of(t.refs[i], i == 4 ? EG_VERDICT_AGAIN : EG_VERDICT_TAKEN);
	assert_int_equal(eg_connector_table.settle(w->c, v, n, NULL), EG_OK);
	assert_string_equal(take(w, 1)->text, "5 r5|");
	shut(w);
	reopen_checkpoint(w);
	open_table(w, (struct how){.once = true, .yaml = KEYS "overlap: 60s\n"});
	t = *take(w, ALL);
	assert_string_equal(t.text, "3 r3|5 r5|");
	settle(w, &t, EG_VERDICT_TAKEN);
	/* Now it has moved: of the old rows only the overlap is read, so a change far behind is not met. */
	open_table(w, (struct how){.once = true, .yaml = KEYS "overlap: 60s\n"});
	assert_int_equal(take(w, ALL)->n, 0);
	sql(w, "UPDATE elders SET xm = 'c' WHERE id IN (20, 30)");
	open_table(w, (struct how){.once = true, .yaml = KEYS "overlap: 60s\n"});
	assert_string_equal(take(w, ALL)->text, "30 c|");
}

/* Rows without a time come too, and one from the future hides none of today. */
static void odd_positions(void **state)
{
	struct world *w = *state;
	make_elders(w, 2);
	sql(w, "INSERT INTO elders (id, xm, gxsj) VALUES (50, 'future', '2099-01-01 00:00:00'), (60, 'none', "
	       "NULL)");
	open_table(w, (struct how){.yaml = KEYS "overlap: 60s\nbatch: 1\n"});
	struct taken t = *take(w, 4);
	assert_string_equal(t.text, "1 r1|2 r2|50 future|60 none|");
	settle(w, &t, EG_VERDICT_TAKEN);
	take_none(w, 100000);
	char now[32];
	time_t at = time(NULL) + 8 * 3600; /* on the source's clock */
	struct tm tm;
	assert_int_equal(strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", gmtime_r(&at, &tm)), 19);
	sql(w, "INSERT INTO elders (id, xm, gxsj) VALUES (70, 'today', '%s')", now);
	assert_string_equal(take(w, 1)->text, "70 today|");
}

static void quiet_watermark_closes_up(void **state)
{
	struct world *w = *state;
	make_elders(w, 4);
	open_table(w, (struct how){.yaml = KEYS "overlap: 1s\n"});
	struct taken t = *take(w, 4);
	settle(w, &t, EG_VERDICT_TAKEN);
	for (int64_t late = LATE;;) { /* it says so in the checkpoint */
		take_none(w, 50000);
		struct eg_bytes low = eg_checkpoint_get(w->checkpoint, "source.low");
		if (low.len && low.p[0] == '>')
			break;
		assert_true(eg_mono_us() < late);
	}
	assert_int_equal(eg_checkpoint_get(w->checkpoint, "source.seen").len, 0);
	shut(w);
	open_table(w, (struct how){.once = true, .yaml = KEYS "overlap: 1s\n"});
	assert_int_equal(take(w, ALL)->n, 0);
	sql(w, "INSERT INTO elders (id, xm, gxsj) VALUES (9, 'next', '2026-03-01 10:04:00.250001')");
	open_table(w, (struct how){.once = true, .yaml = KEYS "overlap: 1s\n"});
	assert_string_equal(take(w, ALL)->text, "9 next|");
}

static void claim_by_a_growing_number(void **state)
{
	struct world *w = *state;
	static const char yaml[] = "table: elders\nclaim: key\nkey: [id]\ncolumns: [id, xm]\npoll: 10ms\n"
	                           "overlap_keys: 10\nbatch: 3\nerror_code: err_code\n";
	make_elders(w, 0);
	for (int i = 100; i < 120; i += 2)
		sql(w, "INSERT INTO elders (id, xm) VALUES (%d, 'k')", i);
	open_table(w, (struct how){.yaml = yaml});
	struct taken t = *take(w, 10);
	settle(w, &t, EG_VERDICT_REFUSED); /* written where there is a column for it */
	assert_asked(w, "SELECT COUNT(*) FROM elders WHERE err_code LIKE 'ID%'", "10|");
	take_none(w, 50000);
	sql(w, "INSERT INTO elders (id, xm) VALUES (101, 'too late'), (109, 'late'), (120, 'new')");
	t = *take(w, 2);
	/* A sweep that had just passed the first one takes it the next time. */
	assert_true(strcmp(t.text, "109 late|120 new|") == 0 || strcmp(t.text, "120 new|109 late|") == 0);
	settle(w, &t, EG_VERDICT_TAKEN);
	take_none(w, 50000);
}

/* Such as generators give them: of 19 digits, more than a double can tell apart, and of 14, like a time. */
static void claim_by_long_numbers(void **state)
{
	struct world *w = *state;
	static const long long firsts[] = {1234567890123456700, 9223372036854775700, 20261231235900,
	                                   20261399000000, 10000000000000};
	static const char yaml[] = "table: elders\nclaim: key\nkey: [id]\ncolumns: [id]\npoll: 10ms\n"
	                           "overlap_keys: 10\nbatch: 3\n";
	for (unsigned i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		char want[64];
		eg_checkpoint_drop(w->checkpoint, "source.low");
		eg_checkpoint_drop(w->checkpoint, "source.seen");
		make_elders(w, 0);
		for (int k = 0; k < 100; k += 20)
			sql(w, "INSERT INTO elders (id) VALUES (%lld)", firsts[i] + k);
		open_table(w, (struct how){.once = true, .yaml = yaml});
		struct taken *t = take(w, ALL);
		assert_int_equal(t->n, 5);
		snprintf(want, sizeof want, "|%lld|", firsts[i] + 80);
		assert_non_null(strstr(t->text, want));
		settle(w, t, EG_VERDICT_TAKEN);
		/* The watermark has followed: only the overlap is read, and what was settled there is known.
		 */
		sql(w, "INSERT INTO elders (id) VALUES (%lld), (%lld), (%lld)", firsts[i] + 69,
		    firsts[i] + 79, firsts[i] + 81);
		open_table(w, (struct how){.once = true, .yaml = yaml});
		snprintf(want, sizeof want, "%lld|%lld|", firsts[i] + 79, firsts[i] + 81);
		assert_string_equal(take(w, ALL)->text, want);
	}
}

/* Whole numbers of the engine's exact types come and are marked as they are. */
static void long_numbers_stay_exact(void **state)
{
	struct world *w = *state;
	bool sqlite = engine_is(w, "sqlite"); /* keeps decimals as floating point */
	sql(w, "DROP TABLE IF EXISTS elders");
	sql(w, "CREATE TABLE elders (id %s NOT NULL PRIMARY KEY, n %s, b BIGINT, exch_flag INT)",
	    sqlite ? "BIGINT" : "DECIMAL(19, 0)", sqlite ? "BIGINT" : "DECIMAL(14, 0)");
	sql(w, "INSERT INTO elders VALUES (1234567890123456789, 20261231235959, 9223372036854775807, 0), "
	       "(1234567890123456790, 99999999999999, -9223372036854775807, 0)");
	open_table(w, (struct how){.once = true,
	                           .yaml = "table: elders\nclaim: flag\nkey: [id]\nversion: [n, b]\n"
	                                   "flag: exch_flag\ncolumns: [id, n, b]\nbatch: 1\n"});
	struct taken *t = take(w, ALL);
	assert_string_equal(t->text, "1234567890123456789 20261231235959 9223372036854775807|"
	                             "1234567890123456790 99999999999999 -9223372036854775807|");
	struct eg_verdict v = verdict_of(t->refs[0], EG_VERDICT_TAKEN);
	assert_int_equal(eg_connector_table.settle(w->c, &v, 1, NULL), EG_OK);
	assert_asked(w, flags, "1234567890123456789 1|1234567890123456790 0|");
}

static void texts_of_all_kinds(void **state)
{
	struct world *w = *state;
	const char *q = engine_is(w, "mariadb") ? "`" : "\"";
	bool sqlite = engine_is(w, "sqlite");
	sql(w, "DROP TABLE IF EXISTS elders");
	sql(w,
	    "CREATE TABLE elders (id VARCHAR(20) NOT NULL PRIMARY KEY, %s姓名%s VARCHAR(50), je "
	    "%s, bh BIGINT, "
	    "rq DATE, bz %s, exch_flag CHAR(1))%s",
	    q, q, sqlite ? "VARCHAR(20)" : "DECIMAL(18,2)" /* SQLite has no exact decimals */,
	    engine_is(w, "mariadb") ? "LONGTEXT" : "TEXT", engine_is(w, "mariadb") ? " CHARSET utf8mb4" : "");
	sql(w,
	    "INSERT INTO elders VALUES ('a', '张·䶮𠮷', %s, 9007199254740993, "
	    "'1932-02-29', '', '0')",
	    sqlite ? "'1234567890123456.75'" : "1234567890123456.75");
	sql(w, "INSERT INTO elders VALUES ('b', NULL, NULL, NULL, NULL, NULL, '0')");
	/* 20,000 characters of four bytes, so that pieces end within one; then one more than may be. */
	for (unsigned over = 0; over < 2; over++) {
		char *text = malloc(80064);
		assert_non_null(text);
		int n = snprintf(text, 64, "INSERT INTO elders (id, exch_flag, bz) VALUES ('%s', '0', '%s",
		                 over ? "d" : "c", "");
		for (unsigned i = 0; i < (over ? 20000u : 16384u); i++)
			memcpy(text + n + 4 * (size_t)i, "𠮷", 4);
		memcpy(text + n + 4 * (size_t)(over ? 20000u : 16384u), "')", 3);
		sql_on(w->agency, text);
		free(text);
	}
	char yaml[512];
	snprintf(yaml, sizeof yaml,
	         "table: elders\nclaim: flag\nkey: [id]\ncolumns: [id, 姓名, je, bh, rq, bz]\nflag: "
	         "exch_flag\ninsert_only: true\n");
	open_table(w, (struct how){.once = true, .yaml = yaml});
	struct taken *t = take(w, ALL);
	assert_int_equal(t->n, 4);
	assert_string_equal(t->columns, "id 姓名 je bh rq bz");
	const char *first = "a 张·䶮𠮷 1234567890123456.75 9007199254740993 1932-02-29 |";
	assert_memory_equal(t->text, first, strlen(first));
	assert_memory_equal(t->text + strlen(first), "b NULL NULL NULL NULL NULL|", 27);
	assert_int_equal(t->kinds[2], EG_IN_ROW);
	assert_int_equal(t->kinds[3], EG_IN_BAD);
	const char *third = t->text + strlen(first) + 27;
	size_t head = strlen("c NULL NULL NULL NULL ");
	for (unsigned i = 0; i < 16384; i++)
		assert_memory_equal(third + head + 4 * (size_t)i, "𠮷", 4);
	assert_memory_equal(third + head + 65536, "|d ", 3);
	settle(w, t, EG_VERDICT_REFUSED); /* also the one that could not be read */
	assert_asked(w, "SELECT COUNT(*) FROM elders WHERE exch_flag = '2'", "4|");
}

static void schema_changes(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	static const char all[] = "table: elders\nclaim: flag\nkey: [id]\nflag: exch_flag\npoll: 10ms\n"
	                          "insert_only: true\n";
	static struct taken t;
	make_elders(w, 2);
	sql(w, "ALTER TABLE elders ADD COLUMN addr VARCHAR(20)");
	open_table(w, (struct how){.yaml = all});
	struct taken before = *take(w, 1);
	assert_string_equal(before.columns, "id xm gxsj exch_flag err_code err_msg retry addr");
	uint64_t generation = before.generation;
	take(w, 1);
	/* Added while it runs: with the next sweep. */
	sql(w, "ALTER TABLE elders ADD COLUMN phone VARCHAR(20)");
	sql(w, "INSERT INTO elders (id, xm, exch_flag, phone) VALUES (3, 'r3', 0, '12345')");
	assert_int_equal(take_some(w, &t, 1, &err), EG_OK);
	assert_string_equal(t.columns, "id xm gxsj exch_flag err_code err_msg retry addr phone");
	assert_true(t.generation != generation);
	/* Renamed and dropped: what is listed and not there is left out. */
	sql(w, "ALTER TABLE elders RENAME COLUMN addr TO address");
	sql(w, "ALTER TABLE elders DROP COLUMN phone");
	open_table(w, (struct how){.once = true, .yaml = FLAGS "batch: 9\n"});
	generation = take(w, ALL)->generation;
	open_table(w, (struct how){.once = true,
	                           .yaml = "table: elders\nclaim: flag\nkey: [id]\nflag: exch_flag\n"
	                                   "insert_only: true\n"
	                                   "columns: [id, xm, addr]\n"});
	struct taken *listed = take(w, ALL);
	assert_string_equal(listed->columns, "id xm");
	assert_true(listed->generation == generation); /* the same columns, though another process's */
	settle(w, listed, EG_VERDICT_TAKEN);
	/* A column that we live by is gone: an error to wait with; a check names the place. */
	open_table(w, (struct how){.yaml = all});
	sql(w, "ALTER TABLE elders RENAME COLUMN exch_flag TO flag2");
	enum eg_rc rc = take_some(w, &t, 1, &err);
	assert_int_equal(rc, EG_UNAVAILABLE);
	assert_non_null(strstr(err.text, "exch_flag"));
	assert_int_equal(try_open(w, (struct how){.yaml = all}, &err), EG_UNAVAILABLE);
	assert_int_equal(try_open(w, (struct how){.yaml = all, .dry = true}, &err), EG_CONFIG);
	assert_non_null(strstr(err.text, "mapping.yaml:5:"));
	sql(w, "ALTER TABLE elders RENAME COLUMN flag2 TO exch_flag");
	sql(w, "UPDATE elders SET exch_flag = 0");
	open_table(w, (struct how){.once = true, .yaml = all});
	assert_int_equal(take(w, ALL)->n, 3);
}

static void full_lists(void **state)
{
	struct world *w = *state;
	static const char yaml[] =
	        "table: elders\nclaim: list\nkey: [id]\ncolumns: [id]\nbatch: 2\npoll: 10ms\n"
	        "list_every: 1h\n";
	struct eg_err err = {0};
	static struct taken broken;
	make_elders(w, 5);
	open_table(w, (struct how){.yaml = yaml});
	struct taken t = *take(w, 7);
	assert_string_equal(t.text, "BEGIN|1|2|3|4|5|END|");
	settle(w, &t, EG_VERDICT_TAKEN);
	take_none(w, 50000);
	/* The next one is due in an hour, also after a restart. */
	shut(w);
	reopen_checkpoint(w);
	open_table(w, (struct how){.yaml = yaml});
	take_none(w, 50000);
	open_table(w, (struct how){.once = true, .yaml = yaml});
	assert_string_equal(take(w, ALL)->text, "BEGIN|1|2|3|4|5|END|");
	/* Broken off: nothing follows from it. */
	open_table(w, (struct how){.once = true, .yaml = yaml});
	assert_int_equal(take_some(w, &broken, 2, &err), EG_OK);
	sql(w, "ALTER TABLE elders RENAME COLUMN id TO id2");
	assert_true(take_some(w, &broken, ALL, &err) != EG_OK);
	assert_memory_equal(broken.text + strlen(broken.text) - 8, "ABANDON|", 8);
	sql(w, "DROP TABLE elders");
	assert_int_equal(try_open(w, (struct how){.yaml = yaml}, &err), EG_UNAVAILABLE);
}

#define LISTED                                                                                               \
	"table: elders\nclaim: list\nkey: [id]\ncolumns: [id]\nbatch: 2\npoll: 10ms\nlist_retry: 10ms\n"

/* An agency that empties its table and fills it again must withdraw nobody by it. */
static void rows_that_go_between_pages_end_no_list(void **state)
{
	struct world *w = *state;
	/* What happens behind page 1, and behind page 2; what comes of the list; what it is when it comes
	 * again. */
	static const struct {
		const char *first, *then, *list, *again;
	} cases[] = {
	        {"DELETE FROM elders WHERE id IN (5, 6)", NULL, "3|4|ABANDON|", "BEGIN|1|2|3|4|END|"},
	        {"DELETE FROM elders", NULL, "ABANDON|", "BEGIN|END|"},
	        {"DELETE FROM elders WHERE id IN (3, 4)",
	         "INSERT INTO elders (id, xm) VALUES (3, 'r3'), (4, 'r4')", "5|6|ABANDON|",
	         "BEGIN|1|2|3|4|5|6|END|"},
	        {"DELETE FROM elders WHERE id < 3", "INSERT INTO elders (id, xm) VALUES (1, 'r1')",
	         "3|4|5|6|ABANDON|", "BEGIN|1|3|4|5|6|END|"},
	        {"INSERT INTO elders (id, xm) VALUES (7, 'r7')", "DELETE FROM elders WHERE id = 6",
	         "3|4|5|7|END|", NULL}, /* true: none who stood there all the time is missing */
	        {"UPDATE elders SET xm = 'new'", NULL, "3|4|5|6|END|", NULL},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char tail[64] = "", *at = tail;
		make_elders(w, 6);
		open_table(w, (struct how){.yaml = LISTED});
		assert_string_equal(take(w, 3)->text, "BEGIN|1|2|");
		sql(w, "%s", cases[i].first);
		for (unsigned n = 0; !strstr(tail, "END|") && !strstr(tail, "ABANDON|"); n++) {
			if (n == 2 && cases[i].then)
				sql(w, "%s", cases[i].then);
			at += snprintf(at, (size_t)(tail + sizeof tail - at), "%s", take(w, 1)->text);
		}
		assert_string_equal(tail, cases[i].list);
		if (strstr(tail, "ABANDON|"))
			assert_int_equal(eg_checkpoint_get(w->checkpoint, "source.list").len, 0);
		if (!cases[i].again)
			continue;
		unsigned most = 0;
		for (const char *p = cases[i].again; *p; p++)
			most += *p == '|';
		struct taken *t = take(w, most);
		assert_string_equal(t->text, cases[i].again);
		assert_int_equal(t->count, most - 2);
	}
}

/* Reads page 1 of a list, and lets it go on without one of the others. */
static enum eg_rc moved_list(struct world *w, struct taken *t, struct eg_err *err)
{
	make_elders(w, 6);
	enum eg_rc rc = take_some(w, t, 3, err);
	if (rc)
		return rc;
	assert_string_equal(t->text, "BEGIN|1|2|");
	sql(w, "DELETE FROM elders WHERE id = 5");
	assert_int_equal(take_some(w, t, 4, err), EG_OK);
	assert_string_equal(t->text, "3|4|6|ABANDON|");
	return EG_OK;
}

static void a_list_that_keeps_moving_is_told(void **state)
{
	struct world *w = *state;
	static struct taken t;
	struct eg_err err = {0};
	static const char yaml[] = LISTED "list_tries: 3\n";
	make_elders(w, 6);
	open_table(w, (struct how){.yaml = yaml});
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(moved_list(w, &t, &err), EG_OK);
	assert_int_equal(take_some(w, &t, 1, &err), EG_PRECONDITION);
	assert_non_null(strstr(err.text, "elders"));
	assert_non_null(strstr(err.text, "6 rows before"));
	/* Still, after it was opened anew and after a restart. */
	struct eg_err save = {0};
	assert_int_equal(eg_checkpoint_save(w->checkpoint, &save), EG_OK);
	shut(w);
	reopen_checkpoint(w);
	open_table(w, (struct how){.yaml = yaml});
	assert_int_equal(moved_list(w, &t, &err), EG_OK);
	assert_int_equal(take_some(w, &t, 1, &err), EG_PRECONDITION);
	/* One that holds still forgives. */
	open_table(w, (struct how){.yaml = yaml});
	assert_string_equal(take(w, 7)->text, "BEGIN|1|2|3|4|6|END|");
	open_table(w, (struct how){.yaml = yaml});
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(moved_list(w, &t, &err), EG_OK);
	assert_int_equal(take_some(w, &t, 1, &err), EG_OK);
	/* Who asks once is told at once. */
	make_elders(w, 6);
	open_table(w, (struct how){.once = true, .dry = true, .yaml = yaml});
	assert_int_equal(moved_list(w, &t, &err), EG_OK);
	assert_int_equal(take_some(w, &t, 1, &err), EG_PRECONDITION);
}

/* The database's time, so many hours from now. */
static const char *clock_of(const struct world *w, int hours)
{
	static char text[96];
	if (engine_is(w, "sqlite"))
		snprintf(text, sizeof text, "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', '%+d hours')", hours);
	else if (engine_is(w, "mariadb"))
		snprintf(text, sizeof text, "(CURRENT_TIMESTAMP(6) + INTERVAL %d HOUR)", hours);
	else
		snprintf(text, sizeof text, "(CURRENT_TIMESTAMP + INTERVAL '%d hours')", hours);
	return text;
}

/* As the mapping makes a version of a time without zone. */
static int64_t version_of(struct world *w, int id)
{
	char query[64], text[64];
	struct eg_when any;
	const char *why;
	int64_t us;
	snprintf(query, sizeof query, "SELECT gxsj FROM elders WHERE id = %d", id);
	snprintf(text, sizeof text, "%s", ask(w, query));
	text[strcspn(text, "|")] = 0;
	assert_true(eg_when_compile("auto", &any, &why));
	assert_true(eg_when_instant(&any, eg_bytes_of(text), 8 * 3600, &us));
	return us;
}

/* Who was missing from a list and comes back must be newer than it, and who was there before it older,
 * however wrong the database's clock is: it is what versions of rows are made of. */
static void lists_have_their_place_on_the_databases_clock(void **state)
{
	struct world *w = *state;
	static const int hours[] = {-24, 24};
	struct eg_err err = {0};
	for (unsigned i = 0; i < 2; i++) {
		char yaml[512], name[64];
		make_elders(w, 2);
		sql(w, "UPDATE elders SET gxsj = %s WHERE id = 1", clock_of(w, hours[i]));
		snprintf(yaml, sizeof yaml, "list_as_of: begin\nclock: \"%s\"\n" LISTED,
		         clock_of(w, hours[i]));
		open_table(w, (struct how){.once = true, .yaml = yaml});
		struct taken *t = take(w, ALL);
		assert_string_equal(t->text, "BEGIN|1|2|END|");
		sql(w, "UPDATE elders SET gxsj = %s WHERE id = 2", clock_of(w, hours[i]));
		if (!(version_of(w, 1) <= t->as_of && t->as_of <= version_of(w, 2)))
			fail_msg("%lld %lld %lld", (long long)version_of(w, 1), (long long)t->as_of,
			         (long long)version_of(w, 2));
		assert_true(t->taken_at == t->as_of);
		/* A mapping takes it from the name. */
		eg_instant_format(t->as_of, name);
		assert_memory_equal(t->name, "elders-", 7);
		assert_memory_equal(t->name + 7, name, 11);
		snprintf(yaml, sizeof yaml, "clock: \"%s\"\n" LISTED, clock_of(w, hours[i]));
		open_table(w, (struct how){.once = true, .yaml = yaml});
		t = take(w, ALL);
		assert_int_equal(t->as_of, 0);
		assert_true(version_of(w, 2) <= t->taken_at); /* of its own clock still */
	}
	/* A clock that says nothing is never replaced by ours. */
	open_table(w, (struct how){.once = true, .yaml = LISTED "clock: \"'soon'\"\n"});
	static struct taken none;
	assert_int_equal(take_some(w, &none, ALL, &err), EG_INVALID);
	assert_int_equal(none.n, 0);
	assert_non_null(strstr(err.text, "clock"));
}

/* Who stands behind an order that says nothing would be withdrawn if the list ended there. */
static void an_order_of_null_ends_no_list(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	static struct taken t;
	static const char yaml[] =
	        "table: elders\nclaim: list\nkey: [id]\norder: [xm]\ncolumns: [id, xm]\nbatch: 2\n";
	make_elders(w, 6);
	sql(w, "UPDATE elders SET xm = NULL WHERE id IN (2, 3, 4)");
	open_table(w, (struct how){.once = true, .yaml = yaml});
	assert_int_not_equal(take_some(w, &t, ALL, &err), EG_OK);
	assert_non_null(strstr(t.text, "ABANDON|"));
	assert_null(strstr(t.text, "END|"));
	assert_non_null(strstr(err.text, "xm"));
}

/* A row for which no verdict can be kept is told as unreadable, and hides none behind it. */
static void keys_of_null(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	static struct taken t;
	sql(w, "DROP TABLE IF EXISTS loose");
	sql(w, "CREATE TABLE loose (id BIGINT NULL, xm VARCHAR(40), gxsj %s NULL)",
	    engine_is(w, "mariadb") ? "DATETIME(6)" : "TIMESTAMP");
	sql(w,
	    "INSERT INTO loose VALUES (1, 'a', '2026-03-01 10:00:00'), (NULL, 'b', '2026-03-01 10:01:00'), "
	    "(3, 'c', '2026-03-01 10:02:00')");
	open_table(w, (struct how){.once = true,
	                           .yaml = "table: loose\nclaim: list\nkey: [id]\n"
	                                   "columns: [id, xm]\nbatch: 9\n"});
	struct taken *all = take(w, ALL);
	assert_non_null(strstr(all->text, "NULL b|")); /* whether the record has a key says the mapping */
	assert_non_null(strstr(all->text, "END|"));
	sql(w, "UPDATE loose SET gxsj = '2026-03-01 10:02:00' WHERE id IS NULL");
	open_table(w, (struct how){.once = true,
	                           .yaml = "table: loose\nclaim: key\nkey: [id]\nupdate_time: gxsj\n"
	                                   "columns: [id, xm]\nbatch: 9\n"});
	all = take(w, ALL);
	assert_non_null(strstr(all->text, "NULL b BAD|"));
	assert_non_null(strstr(all->text, "3 c|"));
	/* Between two pages nothing says where it stands: the watermark stays before it. */
	static const char yaml[] = "table: loose\nclaim: key\nkey: [id]\nupdate_time: gxsj\n"
	                           "columns: [id, xm]\nbatch: 2\n";
	for (unsigned i = 0; i < 2; i++) {
		open_table(w, (struct how){.once = true, .yaml = yaml});
		assert_int_not_equal(take_some(w, &t, ALL, &err), EG_OK);
		assert_non_null(strstr(err.text, "id"));
		settle(w, &t, EG_VERDICT_TAKEN);
	}
	sql(w, "UPDATE loose SET id = 2 WHERE xm = 'b'");
	open_table(w, (struct how){.once = true, .yaml = yaml});
	/* Where NULL sorts last, the third was taken before it was missed. */
	assert_string_equal(take(w, ALL)->text, engine_is(w, "postgres") ? "2 b|" : "2 b|3 c|");
}

static void list_without_verdict_comes_again(void **state)
{
	struct world *w = *state;
	static const char yaml[] = "table: elders\nclaim: list\nkey: [id]\ncolumns: [id]\n";
	make_elders(w, 2);
	open_table(w, (struct how){.yaml = yaml});
	take(w, 4);
	shut(w);
	reopen_checkpoint(w);
	open_table(w, (struct how){.yaml = yaml});
	assert_string_equal(take(w, 4)->text, "BEGIN|1|2|END|");
}

static void dry_changes_nothing(void **state)
{
	struct world *w = *state;
	static const char *const yamls[] = {FLAGS, KEYS "error_code: err_code\n",
	                                    "table: elders\nclaim: list\nkey: [id]\n"};
	make_elders(w, 5);
	char before[4096];
	snprintf(before, sizeof before, "%s", ask(w, "SELECT * FROM elders ORDER BY id"));
	for (unsigned i = 0; i < 3; i++) {
		open_table(w, (struct how){.once = true, .dry = true, .yaml = yamls[i]});
		struct taken *t = take(w, ALL);
		assert_true(t->n >= 5);
		settle(w, t, EG_VERDICT_REFUSED);
		shut(w);
		assert_asked(w, "SELECT * FROM elders ORDER BY id", before);
		assert_int_equal(eg_checkpoint_get(w->checkpoint, "source.low").len, 0);
		assert_int_equal(eg_checkpoint_get(w->checkpoint, "source.list").len, 0);
	}
}

/* --- what goes wrong at the other side */

static bool server(const char *what)
{
	const char *program = getenv("EG_ODBC_SERVER");
	char command[256];
	if (!program)
		return false;
	snprintf(command, sizeof command, "%s %s", program, what);
	assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): the lane's own script
	return true;
}

struct counted {
	struct eg_table_work w;
	atomic_int *ran, *freed;
};

static enum eg_rc count_run(struct eg_table_work *w, struct eg_odbc *o, struct eg_aside *a,
                            struct eg_err *err)
{
	(void)o, (void)a, (void)err;
	atomic_fetch_add(((struct counted *)w)->ran, 1);
	return EG_OK;
}

static void free_counted(struct eg_aside_job *job)
{
	atomic_fetch_add(((struct counted *)job)->freed, 1);
	free(job);
}

/* Whether its end or the close comes first. */
static void work_not_waited_for_is_freed(void **state)
{
	struct world *w = *state;
	struct eg_err err;
	make_elders(w, 1);
	open_table(w, (struct how){.yaml = FLAGS});
	for (int i = 1; i <= 20; i++) {
		atomic_int ran = 0, freed = 0;
		struct eg_table_link *l;
		struct counted *c = calloc(1, sizeof *c);
		assert_non_null(c);
		*c = (struct counted){{.work = count_run, .job.free = free_counted}, &ran, &freed};
		assert_int_equal(eg_table_link_open(&l, w->settings, &err), EG_OK);
		eg_table_link_begin(l, &c->w);
		for (int64_t late = LATE; i % 2 && !atomic_load(&ran); sched_yield())
			assert_true(eg_mono_us() < late);
		eg_table_link_close(l);
		assert_int_equal(atomic_load(&freed), 1);
	}
}

static void hanging_driver(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	static struct taken t;
	static const char yaml[] = FLAGS;
	char quick[1024];
	make_elders(w, 3);
	snprintf(quick, sizeof quick, "%.*s%s", (int)(strstr(yaml, "query_timeout") - yaml), yaml,
	         "query_timeout: 1s\nlogin_timeout: 1s\n");
	open_table(w, (struct how){.yaml = quick});
	t = *take(w, 3);
	/* Nothing comes back: the server stands still, or (SQLite) another holds the file. */
	bool stopped = server("stop");
	if (!stopped) {
		eg_odbc_forget(w->agency);
		sql(w, "BEGIN EXCLUSIVE");
	}
	int64_t began = eg_mono_us();
	assert_int_equal(try_settle(w, &t, EG_VERDICT_TAKEN, &err), EG_UNAVAILABLE);
	assert_true(eg_mono_us() - began < 15 * EG_SECOND);
	assert_true(eg_aside_lost() <= 1); /* taken by itself if the driver keeps its own timeout */
	/* Opening anew fails in time too, and never without end. */
	for (unsigned i = 0; i < (stopped ? EG_ASIDE_LOST_MAX + 1 : 1); i++) {
		began = eg_mono_us();
		assert_int_equal(try_open(w, (struct how){.yaml = quick}, &err), EG_UNAVAILABLE);
		assert_true(eg_mono_us() - began < 15 * EG_SECOND);
		assert_true(eg_aside_lost() <= EG_ASIDE_LOST_MAX);
	}
	if (stopped)
		server("cont");
	else
		sql(w, "ROLLBACK");
	for (int64_t late = LATE; eg_aside_lost();)
		assert_true(eg_mono_us() < late);
	/* What was given up has not been done later. */
	assert_asked(w, flags, "1 0|2 0|3 0|");
	open_table(w, (struct how){.once = true, .yaml = yaml});
	t = *take(w, ALL);
	assert_string_equal(t.text, "1 r1|2 r2|3 r3|");
	settle(w, &t, EG_VERDICT_TAKEN);
	assert_asked(w, flags, "1 1|2 1|3 1|");
}

static void locked_rows(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	make_elders(w, 2);
	static const char quick[] =
	        "table: elders\nclaim: flag\nkey: [id]\ncolumns: [id, xm]\nflag: exch_flag\n"
	        "insert_only: true\nquery_timeout: 1s\n";
	open_table(w, (struct how){.once = true, .yaml = quick});
	struct taken t = *take(w, ALL);
	assert_int_equal(eg_odbc_begin(w->agency, NULL), EG_OK);
	sql(w, "UPDATE elders SET xm = 'held' WHERE id = 2");
	int64_t began = eg_mono_us();
	enum eg_rc rc = try_settle(w, &t, EG_VERDICT_TAKEN, &err);
	assert_true(eg_rc_retryable(rc));
	assert_true(eg_mono_us() - began < 15 * EG_SECOND);
	eg_odbc_rollback(w->agency);
	for (int64_t late = LATE; eg_aside_lost();)
		assert_true(eg_mono_us() < late);
	shut(w);
	assert_asked(w, flags, "1 0|2 0|"); /* one transaction: not the first alone */
	open_table(w, (struct how){.once = true, .yaml = quick});
	assert_int_equal(take(w, ALL)->n, 2);
}

static void server_restarts(void **state)
{
	struct world *w = *state;
	struct eg_err err = {0};
	make_elders(w, 3);
	open_table(w, (struct how){.yaml = FLAGS});
	struct taken t = *take(w, 2);
	eg_odbc_close(w->agency);
	w->agency = NULL;
	server("restart");
	w->agency = connect_agency(w);
	enum eg_rc rc = try_settle(w, &t, EG_VERDICT_TAKEN, &err);
	assert_true(eg_rc_retryable(rc)); /* told, not hidden */
	assert_asked(w, flags, "1 0|2 0|3 0|");
	open_table(w, (struct how){.once = true, .yaml = FLAGS});
	t = *take(w, ALL);
	assert_string_equal(t.text, "1 r1|2 r2|3 r3|");
	settle(w, &t, EG_VERDICT_TAKEN);
	assert_asked(w, flags, "1 1|2 1|3 1|");
}

/* --- kill -9 */

#define KILL_ROWS   200
#define KILL_ROUNDS 8

/* The child takes rows, writes each down as a gateway would, then settles; it never ends by itself. */
static void work_until_killed(struct world *w, const char *log, const char *yaml)
{
	struct eg_err err = {0};
	struct eg_settings *s = NULL;
	struct eg_checkpoint *checkpoint = NULL;
	struct eg_connector *c = NULL;
	FILE *f = fopen(log, "a");
	char text[1024];
	snprintf(text, sizeof text, "connection: '%s'\n%s", w->connection, yaml);
	struct eg_connector_options o = {.prefix = "source."};
	if (!f || eg_settings_parse(text, "m", eg_connector_table.source_settings, &s, &err) ||
	    eg_checkpoint_open(&checkpoint, w->dir, &err))
		_exit(2);
	o.settings = s;
	o.checkpoint = checkpoint;
	if (eg_connector_table.open_source(&c, &o, &err))
		_exit(3);
	for (;;) {
		struct eg_verdict v[16];
		unsigned n = 0;
		struct eg_in in;
		enum eg_rc rc = EG_OK;
		while (n < 16 &&
		       (rc = eg_connector_table.next(c, eg_mono_us() + 20000, &in, &err)) == EG_OK) {
			fprintf(f, "%.*s\n", (int)in.values[0].len, (const char *)in.values[0].p);
			v[n++] = verdict_of(in.ref, EG_VERDICT_TAKEN);
		}
		if (rc != EG_OK && rc != EG_EMPTY)
			_exit(4);
		if (fflush(f) || fdatasync(fileno(f)))
			_exit(5);
		if (n && eg_connector_table.settle(c, v, n, &err))
			_exit(6);
	}
}

static unsigned count_noted(const char *log, unsigned *times)
{
	unsigned distinct = 0;
	char line[64];
	FILE *f = fopen(log, "r");
	memset(times, 0, (KILL_ROWS + 1) * sizeof *times);
	while (f && fgets(line, sizeof line, f)) {
		unsigned id = (unsigned)strtoul(line, NULL, 10);
		if (id >= 1 && id <= KILL_ROWS && strchr(line, '\n'))
			distinct += times[id]++ == 0;
	}
	if (f)
		fclose(f);
	return distinct;
}

static void killed_in_mid_work(struct world *w, const char *yaml)
{
	char log[128];
	unsigned times[KILL_ROWS + 1], marked_early = 0;
	make_elders(w, 0);
	for (int i = 1; i <= KILL_ROWS; i++)
		sql(w,
		    "INSERT INTO elders (id, xm, gxsj, exch_flag) VALUES (%d, 'x', '2026-03-01 "
		    "10:%02d:%02d', 0)",
		    i, i / 60, i % 60);
	snprintf(log, sizeof log, "%s/gateway", w->dir);
	eg_checkpoint_close(w->checkpoint);
	eg_odbc_close(w->agency); /* no handle of ours in a child */
	w->checkpoint = NULL;
	w->agency = NULL;
	unsigned before = 0;
	for (unsigned round = 0; before < KILL_ROWS; round++) {
		pid_t child = fork();
		if (child == 0)
			work_until_killed(w, log, yaml);
		/* Killed after some more rows; the last runs until all are there. */
		unsigned wanted = round < KILL_ROUNDS ? before + 1 + round * 3 : KILL_ROWS, now;
		int64_t late = LATE;
		while ((now = count_noted(log, times)) < wanted && now < KILL_ROWS)
			assert_true(eg_mono_us() < late);
		kill(child, SIGKILL);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		/* What the agency has as taken, the gateway has. */
		before = count_noted(log, times);
		w->agency = connect_agency(w);
		char copy[65536], *save = NULL;
		snprintf(copy, sizeof copy, "%s", ask(w, "SELECT id FROM elders WHERE exch_flag = 1"));
		for (char *id = strtok_r(copy, "|", &save); id; id = strtok_r(NULL, "|", &save))
			marked_early += times[strtoul(id, NULL, 10)] == 0;
		eg_odbc_close(w->agency);
		w->agency = NULL;
	}
	w->agency = connect_agency(w);
	reopen_checkpoint(w);
	assert_int_equal(marked_early, 0);
	assert_int_equal(count_noted(log, times), KILL_ROWS); /* nothing lost */
	/* Only what had no verdict came twice. */
	unsigned twice = 0;
	for (unsigned i = 1; i <= KILL_ROWS; i++)
		twice += times[i] - 1;
	assert_true(twice <= 16 * (KILL_ROUNDS + 2));
}

static void killed_claiming_by_flag(void **state)
{
	killed_in_mid_work(*state, FLAGS "batch: 5\n");
}

static void killed_claiming_by_key(void **state)
{
	killed_in_mid_work(*state, KEYS "batch: 5\noverlap: 20s\n");
}

/* --- outbound */

static const struct eg_delivery *delivery(unsigned i, const char *state, const char *day)
{
	static struct eg_delivery d[8];
	static char ids[8][64];
	static const char *const names[] = {"ry_id", "zt", "rq"};
	static struct eg_bytes values[8][3];
	static char people[8][16];
	snprintf(ids[i], sizeof ids[i], "log-%08u", i);
	snprintf(people[i], sizeof people[i], "p%u", i);
	values[i][0] = eg_bytes_of(people[i]);
	values[i][1] = eg_bytes_of(state);
	values[i][2] = eg_bytes_of(day);
	d[i] = (struct eg_delivery){.event_id = ids[i], .n = 3, .names = names, .values = values[i]};
	return &d[i];
}

static void outbound(struct world *w, bool unique)
{
	static const char yaml[] = "table: changes\nevent_id: event_id\n";
	static const char all[] = "SELECT event_id, ry_id, zt FROM changes ORDER BY event_id";
	struct eg_delivery_result r[8];
	sql(w, "DROP TABLE IF EXISTS changes");
	sql(w,
	    "CREATE TABLE changes (event_id VARCHAR(80) %s, ry_id VARCHAR(40), zt VARCHAR(8)%s, rq DATE)%s",
	    unique ? "PRIMARY KEY" : "", engine_is(w, "sqlite") ? " CHECK (length(zt) <= 8)" : "",
	    engine_is(w, "mariadb") ? " CHARSET utf8mb4" : "");
	const struct eg_delivery *base = delivery(0, "死亡", "2026-03-01");
	for (unsigned i = 1; i < 5; i++)
		delivery(i, i == 3 ? "𠮷" : "正常", i == 4 ? NULL : "1932-02-29");
	open_table(w, (struct how){.target = true, .dry = true, .yaml = yaml});
	assert_int_equal(eg_connector_table.deliver(w->c, base, 5, r, LATE, NULL), EG_OK);
	assert_asked(w, all, "");
	open_table(w, (struct how){.target = true, .yaml = yaml});
	assert_int_equal(eg_connector_table.deliver(w->c, base, 2, r, LATE, NULL), EG_OK);
	assert_true(r[0].rc == EG_OK && r[1].rc == EG_OK);
	/* Again, with more behind: nothing is there twice. */
	assert_int_equal(eg_connector_table.deliver(w->c, base, 5, r, LATE, NULL), EG_OK);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(r[i].rc, EG_OK);
	assert_asked(w, all,
	             "log-00000000 p0 死亡|log-00000001 p1 正常|log-00000002 p2 正常|log-00000003 p3 "
	             "𠮷|log-00000004 "
	             "p4 正常|");
	assert_asked(w, "SELECT COUNT(*) FROM changes WHERE rq IS NULL", "1|");
	/* One that does not fit: those before it are in, it is refused, the rest is left. */
	delivery(5, "正常", NULL);
	delivery(6, "far more than the column can take", NULL);
	delivery(7, "正常", NULL);
	assert_int_equal(eg_connector_table.deliver(w->c, base + 5, 3, r, LATE, NULL), EG_OK);
	assert_int_equal(r[0].rc, EG_OK);
	assert_int_equal(r[1].rc, EG_INVALID);
	assert_null(strstr(r[1].err.text, "far more"));
	assert_int_equal(r[2].rc, EG_BUSY);
	assert_int_equal(eg_connector_table.deliver(w->c, base + 7, 1, r, LATE, NULL), EG_OK);
	assert_int_equal(r[0].rc, EG_OK);
	assert_asked(w, "SELECT COUNT(*) FROM changes", "7|");
	/* A table that is gone is no event's fault, and heals. */
	sql(w, "ALTER TABLE changes RENAME TO changes2");
	delivery(6, "正常", NULL);
	struct eg_err err;
	enum eg_rc rc = eg_connector_table.deliver(w->c, base + 6, 1, r, LATE, &err);
	assert_true(eg_rc_retryable(rc) || (rc == EG_OK && eg_rc_retryable(r[0].rc)));
	sql(w, "ALTER TABLE changes2 RENAME TO changes");
	assert_int_equal(eg_connector_table.deliver(w->c, base + 6, 1, r, LATE, &err), EG_OK);
	assert_int_equal(r[0].rc, EG_OK);
	assert_asked(w, "SELECT COUNT(*) FROM changes", "8|");
}

static void outbound_with_a_unique_id(void **state)
{
	outbound(*state, true);
}

static void outbound_without_a_constraint(void **state)
{
	outbound(*state, false);
}

static void settings_that_contradict(void **state)
{
	struct world *w = *state;
	struct eg_err err;
	static const struct {
		const char *yaml, *told;
	} wrong[] = {
	        {"table: 'el\"ders'\nclaim: flag\nkey: [id]\nflag: f\n", "mapping.yaml:2:"},
	        {"table: elders\nclaim: flag\nkey: [id]\n", "needs `flag`"},
	        {"table: elders\nclaim: flag\nkey: [id]\nflag: f\n", "`insert_only: true`"},
	        {"table: elders\nclaim: flag\nkey: [id]\nflag: f\nupdate_time: u\nflag_taken: '0'\n",
	         "look new"},
	        {"table: elders\nclaim: key\nkey: [a, b]\n", "one column that grows"},
	        {"table: elders\nclaim: key\nkey: ['a;b']\n", "no column's name"},
	};
	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		err = (struct eg_err){0};
		assert_int_equal(try_open(w, (struct how){.yaml = wrong[i].yaml}, &err), EG_CONFIG);
		assert_non_null(strstr(err.text, wrong[i].told));
	}
	snprintf(w->connection, sizeof w->connection, "DSN=x;Pwd=y");
	assert_int_equal(try_open(w, (struct how){.yaml = FLAGS}, &err), EG_CONFIG);
	assert_non_null(strstr(err.text, "`password`"));
	snprintf(w->connection, sizeof w->connection, "DSN=there is none");
	enum eg_rc rc = try_open(w, (struct how){.yaml = FLAGS "password: geheim\n"}, &err);
	assert_int_equal(rc, EG_CONFIG);
	assert_null(strstr(err.text, "geheim"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        CASE(flag_claim_and_marks),
	        CASE(rows_in_flight_come_once),
	        CASE(changed_in_flight_is_not_marked),
	        CASE(null_flags_and_conditions),
	        CASE(query_beside_the_table),
	        CASE(late_rows_behind_the_watermark),
	        CASE(watermark_waits_for_verdicts),
	        CASE(odd_positions),
	        CASE(quiet_watermark_closes_up),
	        CASE(claim_by_a_growing_number),
	        CASE(claim_by_long_numbers),
	        CASE(long_numbers_stay_exact),
	        CASE(texts_of_all_kinds),
	        CASE(schema_changes),
	        CASE(full_lists),
	        CASE(rows_that_go_between_pages_end_no_list),
	        CASE(a_list_that_keeps_moving_is_told),
	        CASE(lists_have_their_place_on_the_databases_clock),
	        CASE(an_order_of_null_ends_no_list),
	        CASE(keys_of_null),
	        CASE(list_without_verdict_comes_again),
	        CASE(dry_changes_nothing),
	        CASE(work_not_waited_for_is_freed),
	        CASE(hanging_driver),
	        CASE(killed_claiming_by_flag),
	        CASE(killed_claiming_by_key),
	        CASE(outbound_with_a_unique_id),
	        CASE(outbound_without_a_constraint),
	        CASE(settings_that_contradict),
	};
	/* SQLite has no locks of rows and no server. */
	const struct CMUnitTest of_servers[] = {CASE(locked_rows), CASE(server_restarts)};
	int rc = cmocka_run_group_tests_name("table", tests, NULL, NULL);
	if (getenv("EG_ODBC_SERVER"))
		rc |= cmocka_run_group_tests_name("table at a server", of_servers, NULL, NULL);
	return rc;
}
