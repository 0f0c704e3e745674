/* demo_lists: the agencies' stocks on their way in: from table, file, interface to the subscriber. */
#include "cli/demo.h"

#include <inttypes.h>
#include <stdio.h>

static const char file_name[] = "DIBAO_20250630_001_INC.csv";

struct put {
	struct demo *d;
	unsigned agency;
};

static enum eg_rc put_row(void *arg, const struct made_row *r, struct eg_err *err)
{
	const struct put *p = arg;
	return demo_put(p->d, p->agency, r, err);
}

static bool all_settled(struct demo *d, const void *arg)
{
	unsigned agency = *(const unsigned *)arg;
	struct demo_counts c;
	demo_counts(d, agency, &c);
	return demo_settled(&c) >=
	       population_truth(d->population)->datasets[d->agencies[agency].section].rows;
}

/* ---- what each agency sees in its own system ---- */

static enum eg_rc see_table(struct demo *d, const struct population_dataset *t, struct eg_err *err)
{
	static const char *const questions[] = {"EXCH_FLAG = 1 AND ERR_CODE IS NULL",
	                                        "EXCH_FLAG = 2 AND ERR_CODE IS NOT NULL",
	                                        "EXCH_FLAG = 2 AND ERR_CODE LIKE '%ID_CHECK_DIGIT%'",
	                                        "EXCH_FLAG = 2 AND ERR_CODE LIKE '%EXCEL_DAMAGE%'"};
	uint64_t n[4];
	for (unsigned i = 0; i < 4; i++) {
		char sql[160];
		snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM T_RK_ELDER WHERE %s", questions[i]);
		enum eg_rc rc = demo_table_ask(d->table, sql, NULL, &n[i], err);
		if (rc)
			return rc;
	}
	uint64_t taken = n[0], refused = n[1], check = n[2], excel = n[3];
	demo_say("            in their table EXCH_FLAG is 1 (taken) in %" PRIu64
	         " rows, 2 (error) in %" PRIu64 ": ERR_CODE says ID_CHECK_DIGIT %" PRIu64
	         " times, EXCEL_DAMAGE %" PRIu64 " times.",
	         taken, refused, check, excel);
	if (taken != t->rows - t->quarantined || refused != t->quarantined || check != t->check_digit ||
	    excel != t->excel_number)
		return demo_wrong(err,
		                  "%" PRIu64 " rows should be marked as taken, %" PRIu64
		                  " as errors: %" PRIu64 " and %" PRIu64,
		                  t->rows - t->quarantined, t->quarantined, t->check_digit, t->excel_number);
	return EG_OK;
}

static bool file_is_done(struct demo *d, const void *arg)
{
	char done[DEMO_PATH], report[DEMO_FILE + 16];
	snprintf(done, sizeof done, "%.*s/done", DEMO_PATH - 16, d->inbox);
	snprintf(report, sizeof report, "%s.report.csv", (const char *)arg);
	return demo_file_lines(done, report) > 0 && demo_file_lines(done, arg) > 0;
}

static enum eg_rc see_file(struct demo *d, const struct population_dataset *t, struct eg_err *err)
{
	char done[DEMO_PATH];
	snprintf(done, sizeof done, "%.*s/done", DEMO_PATH - 16, d->inbox);
	enum eg_rc rc = demo_wait(d, file_is_done, file_name, "the file is in done/", err);
	if (rc)
		return rc;
	/* Its last line is about the whole file. */
	uint64_t refused = demo_file_lines(done, "DIBAO_20250630_001_INC.csv.report.csv") - 1;
	demo_say("            their file %s is in done/; the report beside it names %" PRIu64
	         " lines to correct.",
	         file_name, refused);
	return refused == t->quarantined
	               ? EG_OK
	               : demo_wrong(err, "the report should name %" PRIu64 " lines", t->quarantined);
}

static enum eg_rc see_interface(struct demo *d, const struct population_dataset *t, struct eg_err *err)
{
	struct demo_peer_counts c;
	demo_peer_counts(d->peer, &c);
	demo_say("            their interface gave %" PRIu64 " records in %" PRIu64
	         " pages; every request was signed well.",
	         c.given, c.pages);
	return c.given == t->rows && c.pages > 1 && !c.strangers
	               ? EG_OK
	               : demo_wrong(err,
	                            "%" PRIu64 " records should have been asked for, with good signatures",
	                            t->rows);
}

/* ---- the step ---- */

static enum eg_rc take(struct demo *d, unsigned agency, struct eg_err *err)
{
	const struct demo_agency *a = &d->agencies[agency];
	const struct population_dataset *t = &population_truth(d->population)->datasets[a->section];
	struct put p = {d, agency};
	struct demo_counts c;
	enum eg_rc rc = made_each(d->population, a->section, put_row, &p, err);
	int64_t began = eg_mono_us();
	if (!rc)
		rc = demo_show(d, agency, file_name, 0, err);
	if (!rc)
		rc = demo_wait(d, all_settled, &agency, "every row has its verdict", err);
	if (rc)
		return rc;
	demo_counts(d, agency, &c);
	demo_say("%-10s %5" PRIu64 " rows in %.2f s: %" PRIu64 " applied, %" PRIu64 " stale, %" PRIu64
	         " unchanged, %" PRIu64 " quarantined",
	         a->name, demo_settled(&c), (double)(eg_mono_us() - began) / 1e6, c.applied, c.stale,
	         c.unchanged, c.quarantined);
	if (c.quarantined != t->quarantined || c.unchanged != t->repeated ||
	    c.applied + c.stale != t->rows - t->quarantined - t->repeated)
		return demo_wrong(err,
		                  "of %s's %" PRIu64 " rows %" PRIu64 " should be quarantined and %" PRIu64
		                  " unchanged, the others applied or stale",
		                  a->name, t->rows, t->quarantined, t->repeated);
	return agency == POLICE       ? see_table(d, t, err)
	       : agency == ASSISTANCE ? see_file(d, t, err)
	                              : see_interface(d, t, err);
}

enum eg_rc demo_lists(struct demo *d, struct eg_err *err)
{
	const struct population_truth *t = population_truth(d->population);
	uint64_t faults = t->unidentified;
	enum eg_rc rc = EG_OK;
	for (unsigned f = FAULT_none + 1; f < FAULTS; f++)
		faults += t->faults[f];
	demo_say("%" PRIu64 " made-up persons; each agency knows %" PRIu64 " of them, in part the same ones.",
	         t->persons, d->elders);
	demo_say("The data of %" PRIu64 " have a fault, as real data has; %" PRIu64
	         " were cremated and are still registered alive.",
	         faults, t->cremated_alive);
	for (unsigned i = 0; i < DEMO_AGENCIES && !rc; i++)
		rc = take(d, i, err);
	if (!rc)
		demo_say("A row is marked after the commit to disk. Quarantined ones wait for a correction; "
		         "the "
		         "rest goes on.");
	return rc;
}

enum eg_rc demo_converge(struct demo *d, struct eg_err *err)
{
	const struct population_truth *t = population_truth(d->population);
	struct watch_counts c;
	int64_t began = eg_mono_us(), persons = 0;
	uint64_t last = 0;
	enum eg_rc rc = demo_status(d, &last, &persons, err);
	if (!rc)
		rc = watch_until(d->watch, last, DEMO_PATIENCE, err);
	if (rc)
		return rc;
	watch_counts(d->watch, &c);
	demo_say("%" PRIu64 " events; %.2f s after the last verdict it has them all and holds %" PRIu64
	         " persons:",
	         c.events, (double)(eg_mono_us() - began) / 1e6, c.persons);
	demo_say("%" PRIu64 " alive, %" PRIu64 " suspected deceased, %" PRIu64 " deceased, %" PRIu64
	         " unknown: what the truth about the made-up persons says.",
	         c.life[EG_LIFE_ALIVE], c.life[EG_LIFE_SUSPECTED], c.life[EG_LIFE_DECEASED],
	         c.life[EG_LIFE_UNKNOWN]);
	if (c.persons != t->views || c.persons != (uint64_t)persons)
		return demo_wrong(err, "the gateway has %" PRId64 " persons, the truth is %" PRIu64, persons,
		                  t->views);
	for (unsigned l = EG_LIFE_ALIVE; l <= EG_LIFE_UNKNOWN; l++)
		if (c.life[l] != t->life[l])
			return demo_wrong(err, "%" PRIu64 " persons should be %s", t->life[l],
			                  eg_life_name((enum eg_life)l));
	return c.skipped ? demo_wrong(err, "%" PRIu64 " events are missing", c.skipped) : EG_OK;
}
