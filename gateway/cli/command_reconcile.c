/* command_reconcile: `eldergate reconcile`: CSV files as one full list. The files are read through once
 * before anything is sent, so that a file with a fault sends nothing. */
#include "cli/commands.h"

#include "cli/json.h"
#include "cli/listing.h"
#include "cli/progress.h"
#include "cli/sheets.h"
#include "cli/show.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGIONS_MAX = 100, ID_MAX = 64, REJECTS_SHOWN = 20 };

struct work {
	struct cli *c;
	struct sheets *sheets;
	struct origin *rows; /* where each record came from */
	uint64_t n, cap, rejects;
	struct progress progress;
	bool told; /* it was received: progress is the gateway's from now on */
};

static enum eg_rc remember(struct work *w, struct origin where, struct eg_err *err)
{
	if (w->n == w->cap) {
		uint64_t cap = w->cap ? 2 * w->cap : 4096;
		struct origin *more = realloc(w->rows, cap * sizeof *more);
		if (!more)
			return eg_fail(err, EG_NO_MEMORY, "no memory for the places of the records");
		w->rows = more;
		w->cap = cap;
	}
	w->rows[w->n++] = where;
	return EG_OK;
}

static enum eg_rc read_through(struct work *w, struct eg_err *err)
{
	struct eg_buf record = {0};
	struct origin where;
	enum eg_rc rc = EG_OK;
	progress_begin(&w->progress, w->c, "records read", 0);
	while (!rc) {
		eg_buf_reset(&record);
		rc = sheets_next(w->sheets, &record, &where, err);
		if (!rc)
			rc = remember(w, where, err);
		progress_at(&w->progress, w->n, NULL);
	}
	progress_end(&w->progress);
	sheets_rewind(w->sheets);
	eg_buf_free(&record);
	return rc == EG_EMPTY ? EG_OK : rc;
}

/* ---- on the way ---- */

static enum eg_rc next(void *arg, struct eg_buf *out, struct eg_err *err)
{
	struct origin where;
	return sheets_next(((struct work *)arg)->sheets, out, &where, err);
}

static void sent(void *arg, uint64_t records)
{
	struct work *w = arg;
	progress_at(&w->progress, records, "sent");
}

/* Comes only after everything was sent. */
static void progress(void *arg, const Eldergate__V1__ReconcileProgress *p)
{
	struct work *w = arg;
	char phase[64], note[96];
	if (p->phase == ELDERGATE__V1__LIST_PHASE__LIST_PHASE_RECEIVING)
		return;
	snprintf(note, sizeof note, "%s, %" PRIu64 " applied",
	         enum_short(&eldergate__v1__list_phase__descriptor, (int)p->phase, phase), p->applied);
	progress_at(&w->progress, p->compared, note);
}

static void rejects(void *arg, const Eldergate__V1__ReconcileRejects *r)
{
	struct work *w = arg;
	struct eg_buf line = {0};
	progress_end(&w->progress);
	for (size_t i = 0; i < r->n_rejects; i++) {
		const Eldergate__V1__ListedReject *x = r->rejects[i];
		if (w->rejects++ >= REJECTS_SHOWN || x->index >= w->n)
			continue;
		const struct origin *at = &w->rows[x->index];
		for (size_t k = 0; k < x->n_reasons; k++) {
			eg_buf_printf(&line, "%s:%u: ", w->c->arguments[at->file], at->line);
			show_reason(w->c, &line, x->reasons[k]);
			fprintf(stderr, "%.*s\n", (int)line.len, (const char *)line.p);
			eg_buf_reset(&line);
		}
	}
	eg_buf_free(&line);
}

/* ---- the report ---- */

static void show(const Eldergate__V1__ReconcileReport *r)
{
	char phase[64];
	printf("%s%s%s: %" PRIu64 " records as of entry #%" PRIu64 "\n", r->dry_run ? "dry run, " : "",
	       r->repeated ? "applied before, " : "",
	       enum_short(&eldergate__v1__list_phase__descriptor, (int)r->phase, phase), r->received,
	       r->pinned_seq);
	printf("  unchanged %" PRIu64 ", changed %" PRIu64 ", added %" PRIu64 ", stale %" PRIu64
	       ", quarantined %" PRIu64 "\n",
	       r->unchanged, r->changed, r->added, r->stale, r->rejected);
	printf("  missing %" PRIu64 " of %" PRIu64 " keys covered: %s %" PRIu64 ", left as they are %" PRIu64
	       "\n",
	       r->missing, r->covered, r->dry_run ? "would be withdrawn" : "withdrawn", r->withdrawn,
	       r->skipped);
	if (r->held && r->dry_run)
		printf("  the shrink guard would hold the withdrawals back\n");
	else if (r->held)
		printf("  held by the shrink guard: case %s\n", r->case_id);
	if (r->seq)
		printf("  log entry #%" PRIu64 "\n", r->seq);
}

/* ---- options ---- */

static void default_id(const struct cli *c, int64_t as_of, char out[ID_MAX + 1])
{
	const char *slash = strrchr(c->arguments[0], '/'), *name = slash ? slash + 1 : c->arguments[0];
	size_t n = 0;
	for (const char *p = name; *p && n < ID_MAX / 2; p++) {
		unsigned char b = (unsigned char)*p;
		if ((b & 0xC0) != 0x80)
			out[n++] = isalnum(b) || strchr("._-", b) ? (char)b : '_';
	}
	snprintf(out + n, ID_MAX + 1 - n, "@%" PRId64, as_of);
}

/* taken_at must live as long as b. */
static enum eg_rc read_options(struct cli *c, Eldergate__V1__ReconcileBegin *b, char *regions[REGIONS_MAX],
                               char id[ID_MAX + 1], Google__Protobuf__Timestamp *taken_at,
                               enum eg_section *section, struct eg_err *err)
{
	const char *named = cli_option(c, "section"), *region, *taken = cli_option(c, "taken-at");
	int64_t as_of, revision;
	enum eg_rc rc;
	b->dataset = (char *)(uintptr_t)cli_option(c, "dataset");
	*section = eg_section_by_name(named ? named : b->dataset);
	if (!*section)
		return eg_fail(err, EG_USAGE, "--section must be registration, assistance, funeral or care");
	if ((rc = cli_number(c, "as-of", 0, INT64_MIN, INT64_MAX, &as_of, err)) ||
	    (rc = cli_number(c, "mapping-revision", 0, 0, UINT32_MAX, &revision, err)) ||
	    (taken && (rc = read_time(taken, taken_at, err))))
		return rc;
	if (taken)
		b->taken_at = taken_at;
	default_id(c, as_of, id);
	b->as_of = as_of;
	b->mapping_revision = (uint32_t)revision;
	b->list_id = cli_option(c, "list-id") ? (char *)(uintptr_t)cli_option(c, "list-id") : id;
	b->dry_run = cli_switch(c, "dry-run");
	b->coverage_regions = regions;
	while (b->n_coverage_regions < REGIONS_MAX &&
	       (region = cli_nth(c, "region", (unsigned)b->n_coverage_regions)))
		regions[b->n_coverage_regions++] = (char *)(uintptr_t)region;
	return EG_OK;
}

static enum eg_rc send_list(struct work *w, const Eldergate__V1__ReconcileBegin *b, struct eg_err *err)
{
	struct cli *c = w->c;
	struct listing_options o = {
	        .begin = b, .next = next, .sent = sent, .progress = progress, .rejects = rejects, .arg = w};
	Eldergate__V1__ReconcileReport *report = NULL;
	enum eg_rc rc = cli_connect(c, err);
	if (rc)
		return rc;
	o.client = c->client;
	progress_begin(&w->progress, c, "records", w->n);
	rc = listing_send(&o, &report, err);
	progress_end(&w->progress);
	if (rc)
		return rc;
	if (w->rejects > REJECTS_SHOWN)
		fprintf(stderr, "... and %" PRIu64 " more: `eldergate rejects list`\n",
		        w->rejects - REJECTS_SHOWN);
	if (c->json)
		rc = cli_json(&report->base, err);
	else
		show(report);
	if (!rc && cli_switch(c, "strict") && report->rejected)
		rc = eg_fail(err, EG_INVALID, "%" PRIu64 " records were quarantined", report->rejected);
	eldergate__v1__reconcile_report__free_unpacked(report, NULL);
	return rc;
}

enum eg_rc reconcile(struct cli *c, struct eg_err *err)
{
	struct work w = {.c = c};
	Eldergate__V1__ReconcileBegin b = ELDERGATE__V1__RECONCILE_BEGIN__INIT;
	char *regions[REGIONS_MAX], id[ID_MAX + 1];
	Google__Protobuf__Timestamp taken_at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	enum eg_section section;
	enum eg_rc rc = read_options(c, &b, regions, id, &taken_at, &section, err);
	for (unsigned i = 0; i < c->n_arguments && !rc; i++)
		if (strcmp(c->arguments[i], "-") == 0)
			rc = eg_fail(err, EG_USAGE, "a list is read twice, so it cannot be standard input");
	if (!rc)
		rc = sheets_open(&w.sheets, c->arguments, c->n_arguments, section, true, err);
	if (!rc)
		rc = read_through(&w, err);
	b.count = w.n;
	if (!rc)
		rc = send_list(&w, &b, err);
	sheets_close(w.sheets);
	free(w.rows);
	return rc;
}
