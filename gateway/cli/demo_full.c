/* demo_full: full lists: who is missing from one is withdrawn, not dead; a truncated one withdraws nobody. */
#include "cli/demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MISSING = 5, LOST = 40 }; /* keys below the shrink guard's floor; lines */

static const char whole_name[] = "DIBAO_20250731_003_FULL.csv", cut_name[] = "DIBAO_20250831_004_FULL.csv";

struct listed {
	uint64_t rows, quarantined, missing;
};

/* The bureau's stock: the last row of everybody, but for some who live and whose data have no fault. */
static enum eg_rc write_stock(struct demo *d, struct listed *l, struct eg_err *err)
{
	struct made_row *rows = calloc(MADE_ROWS, sizeof *rows);
	enum eg_rc rc = rows ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for rows");
	*l = (struct listed){0};
	for (uint64_t i = 0; i < made_total(&d->options) && !rc; i++) {
		struct made m;
		made_person(&d->options, i, &m);
		unsigned n = made_rows(&d->options, &m, EG_ASSISTANCE, rows);
		if (!n)
			continue;
		if (l->missing < MISSING && m.in[EG_REGISTRATION] && m.fate == FATE_ALIVE &&
		    m.fault == FAULT_none) {
			l->missing++;
			continue;
		}
		l->rows++;
		l->quarantined += made_quarantined(&m, EG_ASSISTANCE);
		rc = demo_put(d, ASSISTANCE, &rows[n - 1], err);
	}
	l->rows++;
	if (!rc)
		rc = demo_put(d, ASSISTANCE, &d->subsidy, err);
	free(rows);
	return rc;
}

static bool is_there(struct demo *d, const void *arg)
{
	char report[DEMO_PATH];
	snprintf(report, sizeof report, "%s.report.csv", (const char *)arg);
	return demo_file_lines(d->inbox, report) > 0;
}

/* Of events since: kind WITHDRAWN, of somebody who lived before and after. */
static bool is_withdrawn(const void *arg, const struct watch_event *e)
{
	bool alive = e->before == ELDERGATE__V1__LIFE_STATUS__LIFE_STATUS_ALIVE && e->after == e->before;
	return e->kind == ELDERGATE__V1__CHANGE_KIND__CHANGE_KIND_WITHDRAWN && (alive || arg);
}

static enum eg_rc send_whole(struct demo *d, struct eg_err *err)
{
	struct listed l;
	struct demo_counts before, c;
	uint64_t head, last;
	enum eg_rc rc = demo_status(d, &head, NULL, err);
	demo_counts(d, ASSISTANCE, &before);
	if (!rc)
		rc = write_stock(d, &l, err);
	int64_t began = eg_mono_us();
	if (!rc)
		rc = demo_show(d, ASSISTANCE, whole_name, 0, err);
	if (!rc)
		rc = demo_wait(d, is_there, "done/DIBAO_20250731_003_FULL.csv", "the full list is done", err);
	int64_t us = eg_mono_us() - began;
	if (!rc)
		rc = demo_status(d, &last, NULL, err);
	if (!rc)
		rc = watch_until(d->watch, last, DEMO_PATIENCE, err);
	if (rc)
		return rc;
	demo_counts(d, ASSISTANCE, &c);
	uint64_t withdrawn = watch_number(d->watch, head, is_withdrawn, "all"),
	         alive = watch_number(d->watch, head, is_withdrawn, NULL),
	         unchanged = c.unchanged - before.unchanged, rejected = c.quarantined - before.quarantined;
	demo_say("The assistance bureau sends its stock of %" PRIu64 " rows; %" PRIu64
	         " persons it once sent are not in it. After %.2f s:",
	         l.rows, l.missing, (double)us / 1e6);
	demo_say("%" PRIu64 " unchanged, %" PRIu64 " still quarantined, %" PRIu64
	         " withdrawn: told as WITHDRAWN, and %" PRIu64
	         " of them are ALIVE as before: absence is no evidence of death.",
	         unchanged, rejected, withdrawn, alive);
	if (c.lists != before.lists + 1 || rejected != l.quarantined || unchanged != l.rows - l.quarantined)
		return demo_wrong(
		        err, "%" PRIu64 " of the list's rows should be unchanged, %" PRIu64 " quarantined",
		        l.rows - l.quarantined, l.quarantined);
	if (l.missing != MISSING || withdrawn != l.missing || alive != withdrawn)
		return demo_wrong(err, "%d persons should be withdrawn, and alive", MISSING);
	return EG_OK;
}

static enum eg_rc send_cut(struct demo *d, struct eg_err *err)
{
	struct listed l;
	struct demo_counts before, c;
	uint64_t head, last;
	enum eg_rc rc = demo_status(d, &head, NULL, err);
	demo_counts(d, ASSISTANCE, &before);
	if (!rc)
		rc = write_stock(d, &l, err);
	if (!rc)
		rc = demo_show(d, ASSISTANCE, cut_name, LOST, err);
	if (!rc)
		rc = demo_wait(d, is_there, "refused/DIBAO_20250831_004_FULL.csv",
		               "the truncated list is refused", err);
	if (!rc)
		rc = demo_status(d, &last, NULL, err);
	if (rc)
		return rc;
	demo_counts(d, ASSISTANCE, &c);
	demo_say("Its next list lost %d lines on the way. The control file tells: it is in refused/, with a "
	         "report; the log "
	         "has %" PRIu64 " new entries, nobody is withdrawn.",
	         LOST, last - head);
	if (last != head || c.lists != before.lists)
		return demo_wrong(err, "a truncated list should do nothing");
	return EG_OK;
}

enum eg_rc demo_full_list(struct demo *d, struct eg_err *err)
{
	enum eg_rc rc = send_whole(d, err);
	return rc ? rc : send_cut(d, err);
}
