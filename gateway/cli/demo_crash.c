/* demo_crash: the daemon and an adapter are killed while rows are on their way between them. */
#include "cli/demo.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { END_US = 5000000 };

#define NEW_VERSION "20250801080000"
#define OF_THEM     " FROM T_RK_ELDER WHERE BBH = '" NEW_VERSION "' AND EXCH_FLAG "

/* A new version of the registrations of a third of the persons: the streets were given new names. *n grows by
 * the rows. */
static enum eg_rc write_moves(struct demo *d, unsigned third, uint64_t *n, struct eg_err *err)
{
	struct made_row *rows = calloc(MADE_ROWS, sizeof *rows);
	enum eg_rc rc = rows ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for rows");
	for (uint64_t i = d->elders * third / 3; i < d->elders * (third + 1) / 3 && !rc; i++) {
		struct made m;
		made_person(&d->options, i, &m);
		unsigned k = made_rows(&d->options, &m, EG_REGISTRATION, rows);
		if (!k || made_quarantined(&m, EG_REGISTRATION))
			continue;
		struct made_row *r = &rows[k - 1];
		made_set(EG_REGISTRATION, r, "version", NEW_VERSION);
		made_set(EG_REGISTRATION, r, "event_time", "2025-08-01 08:00:00");
		made_set(EG_REGISTRATION, r, "address_text", "新样例路1号");
		rc = demo_put(d, POLICE, r, err);
		++*n;
	}
	free(rows);
	return rc ? rc : demo_show(d, POLICE, NULL, 0, err);
}

static bool are_taken(struct demo *d, const void *arg)
{
	uint64_t n = 0;
	return demo_table_ask(d->table, "SELECT COUNT(*)" OF_THEM "= 1", NULL, &n, NULL) == EG_OK &&
	       n >= *(const uint64_t *)arg;
}

/* kill -9 once so many rows are taken, and a further third has come: so it is in the middle of them, however
 * fast they are taken. *left: rows that were without a verdict when it was dead. */
static enum eg_rc kill_at(struct demo *d, uint64_t taken, unsigned third, uint64_t *n, struct process *p,
                          uint64_t *left, struct eg_err *err)
{
	int status = 0;
	enum eg_rc rc = demo_wait(d, are_taken, &taken, "a part of the rows is taken", err);
	if (!rc)
		rc = write_moves(d, third, n, err);
	if (!rc)
		rc = process_end(p, SIGKILL, END_US, &status, err);
	if (!rc)
		rc = demo_table_ask(d->table, "SELECT COUNT(*)" OF_THEM "= 0", NULL, left, err);
	if (!rc && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL || !*left))
		rc = demo_wrong(err, "a program was not killed in the middle of the rows");
	return rc;
}

static bool is_update(const void *arg, const struct watch_event *e)
{
	(void)arg;
	return e->kind == ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_UPDATED;
}

static enum eg_rc heard_once(struct demo *d, uint64_t since, uint64_t n, struct eg_err *err)
{
	struct watch_counts c;
	uint64_t head;
	enum eg_rc rc = demo_status(d, &head, NULL, err);
	if (!rc)
		rc = watch_until(d->watch, head, DEMO_PATIENCE, err);
	if (rc)
		return rc;
	uint64_t heard = watch_number(d->watch, since, is_update, NULL);
	watch_counts(d->watch, &c);
	demo_say("The subscriber connected again by itself (connection %u) and heard of %" PRIu64
	         " changes, each once; %" PRIu64 " of all versions are missing.",
	         c.connections, heard, c.skipped);
	return heard == n && !c.skipped
	               ? EG_OK
	               : demo_wrong(err,
	                            "%" PRIu64 " changes should have been heard of, no version be missing",
	                            n);
}

static bool are_unchanged(struct demo *d, const void *arg)
{
	struct demo_counts c;
	demo_counts(d, POLICE, &c);
	return demo_settled(&c) >= *(const uint64_t *)arg;
}

/* Every flag back to 0: the adapter takes all of them again. */
static enum eg_rc take_again(struct demo *d, uint64_t n, struct eg_err *err)
{
	struct demo_counts before, c;
	demo_counts(d, POLICE, &before);
	uint64_t wanted = demo_settled(&before) + n;
	enum eg_rc rc =
	        demo_table_ask(d->table, "UPDATE T_RK_ELDER SET EXCH_FLAG = 0 WHERE BBH = '" NEW_VERSION "'",
	                       NULL, NULL, err);
	if (!rc)
		rc = demo_wait(d, are_unchanged, &wanted, "all rows are taken once more", err);
	if (rc)
		return rc;
	demo_counts(d, POLICE, &c);
	demo_say("Their flags are set back to 0, and everything is sent once more: %" PRIu64 " of %" PRIu64
	         " rows are unchanged.",
	         c.unchanged - before.unchanged, n);
	return c.unchanged - before.unchanged == n && c.applied == before.applied
	               ? EG_OK
	               : demo_wrong(err, "rows were lost, or applied twice");
}

enum eg_rc demo_crash(struct demo *d, struct eg_err *err)
{
	struct demo_agency *police = &d->agencies[POLICE];
	struct demo_counts c;
	uint64_t n = 0, since, one = 0, two = 0;
	int64_t ready;
	enum eg_rc rc = demo_status(d, &since, NULL, err);
	if (!rc)
		rc = write_moves(d, 0, &n, err);
	if (!rc)
		rc = kill_at(d, n / 2, 1, &n, &d->daemon, &one, err);
	if (!rc)
		rc = demo_start_daemon(d, err);
	if (!rc)
		rc = demo_ready(d, &ready, err);
	if (!rc)
		rc = kill_at(d, n - one + one / 8, 2, &n, &police->adapter, &two, err);
	if (!rc)
		rc = demo_start_adapter(d, POLICE, err);
	if (!rc)
		rc = demo_wait(d, are_taken, &n, "all rows are taken", err);
	if (!rc)
		rc = demo_adapters_ready(d, err);
	if (rc)
		return rc;
	uint64_t settled = two;
	rc = demo_wait(d, are_unchanged, &settled, "the new adapter has told its counts", err);
	if (rc)
		return rc;
	demo_counts(d, POLICE, &c);
	demo_say("%" PRIu64 " new rows come into the police's table. %" PRIu64
	         " are without a mark when the daemon is killed (kill -9) and started again,",
	         n, one);
	demo_say("%" PRIu64 " when the adapter is killed, too. Its successor takes them: %" PRIu64
	         " applied, %" PRIu64 " were in the log already, only not marked.",
	         two, c.applied, c.unchanged);
	if (c.applied + c.unchanged != two)
		return demo_wrong(
		        err, "%" PRIu64 " rows should be applied, or unchanged where they were committed",
		        two);
	rc = heard_once(d, since, n, err);
	if (!rc)
		rc = take_again(d, n, err);
	return rc ? rc : demo_way_back(d, err);
}
