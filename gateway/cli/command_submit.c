/* command_submit: `eldergate submit`: CSV files into a dataset. Files are read through once before anything
 * is sent, so that a file with a fault sends nothing; standard input is sent as it is read. */
#include "cli/commands.h"

#include "cli/progress.h"
#include "cli/sheets.h"
#include "cli/tally.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { BATCH = 200, IN_FLIGHT = 8, PREFIX_MAX = 48 };

struct work {
	struct cli *c;
	enum eg_section section;
	struct sheets *sheets;
	struct tally tally;
	struct progress progress;
};

static enum eg_rc next(void *arg, struct eg_buf *out, struct origin *where, struct eg_err *err)
{
	return sheets_next(((struct work *)arg)->sheets, out, where, err);
}

static enum eg_rc read_through(struct work *w, uint64_t *records, struct eg_err *err)
{
	struct eg_buf record = {0};
	struct origin where;
	enum eg_rc rc = EG_OK;
	progress_begin(&w->progress, w->c, "records read", 0);
	while (!rc) {
		eg_buf_reset(&record);
		rc = next(w, &record, &where, err);
		*records += !rc;
		progress_at(&w->progress, *records, NULL);
	}
	progress_end(&w->progress);
	sheets_rewind(w->sheets);
	eg_buf_free(&record);
	return rc == EG_EMPTY ? EG_OK : rc;
}

static void receipt(void *arg, const Eldergate__V1__Receipt *r, const struct origin *where, unsigned n)
{
	struct work *w = arg;
	char note[64];
	tally_add(&w->tally, w->c, r, where, n);
	snprintf(note, sizeof note, "%" PRIu64 " quarantined",
	         tally_of(&w->tally, ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED));
	progress_at(&w->progress, w->tally.records, note);
}

static void reconnecting(void *arg, const struct eg_err *why)
{
	struct work *w = arg;
	progress_end(&w->progress);
	fprintf(stderr, "eldergate: %s; connecting again\n", why->text);
}

/* A batch's name is in the log's headers, so nothing but plain characters of the file's name goes into it. */
static void prefix_of(const struct cli *c, char out[PREFIX_MAX + 1])
{
	const char *given = cli_option(c, "batch-id"), *name = given ? given : c->arguments[0];
	const char *slash = strrchr(name, '/');
	size_t n = 0;
	for (const char *p = slash && !given ? slash + 1 : name; *p && n < PREFIX_MAX; p++) {
		unsigned char b = (unsigned char)*p;
		if ((b & 0xC0) != 0x80)
			out[n++] = isalnum(b) || strchr("._-", b) ? (char)b : '_';
	}
	if (!n)
		out[n++] = '_';
	out[n] = 0;
}

static enum eg_rc read_options(struct cli *c, struct work *w, struct pump_options *o, struct eg_err *err)
{
	const char *section = cli_option(c, "section"), *lane = cli_option(c, "lane");
	int64_t batch, in_flight;
	int value = 0;
	enum eg_rc rc;
	o->dataset = cli_option(c, "dataset");
	w->section = eg_section_by_name(section ? section : o->dataset);
	if (!w->section)
		return eg_fail(err, EG_USAGE, "--section must be registration, assistance, funeral or care");
	if ((rc = cli_number(c, "batch", BATCH, 1, PUMP_BATCH_MAX, &batch, err)) ||
	    (rc = cli_number(c, "in-flight", IN_FLIGHT, 1, PUMP_IN_FLIGHT_MAX, &in_flight, err)) ||
	    (lane && (rc = read_enum(&eldergate__v1__lane__descriptor, lane, &value, err))))
		return rc;
	o->lane = (Eldergate__V1__Lane)value;
	o->batch = (unsigned)batch;
	o->in_flight = (unsigned)in_flight;
	return EG_OK;
}

static enum eg_rc tell(const struct work *w, const struct pump_result *result, struct eg_err *err)
{
	struct eg_buf out = {0};
	if (!w->c->json) {
		tally_show(&w->tally, w->c, w->c->arguments, stdout);
		return EG_OK;
	}
	tally_json(&w->tally, result, w->c->arguments, &out);
	enum eg_rc rc = out.failed ? eg_fail(err, EG_NO_MEMORY, "no memory for the output") : EG_OK;
	fwrite(out.p, 1, rc ? 0 : out.len, stdout);
	eg_buf_free(&out);
	return rc;
}

enum eg_rc submit(struct cli *c, struct eg_err *err)
{
	static struct work w;
	char prefix[PREFIX_MAX + 1];
	struct pump_options o = {.batch_prefix = prefix,
	                         .next = next,
	                         .receipt = receipt,
	                         .reconnecting = reconnecting,
	                         .arg = &w};
	struct pump_result result = {0};
	uint64_t records = 0;
	bool input = false;
	w.c = c;
	prefix_of(c, prefix);
	for (unsigned i = 0; i < c->n_arguments; i++)
		input |= strcmp(c->arguments[i], "-") == 0;
	enum eg_rc rc = read_options(c, &w, &o, err);
	if (!rc)
		rc = sheets_open(&w.sheets, c->arguments, c->n_arguments, w.section, false, err);
	if (!rc && !input)
		rc = read_through(&w, &records, err);
	if (!rc)
		rc = cli_connect(c, err);
	if (rc) {
		sheets_close(w.sheets);
		return rc;
	}
	o.client = c->client;
	o.patience_us = 2 * c->timeout_us;
	progress_begin(&w.progress, c, "records", records);
	rc = pump_run(&o, &result, err);
	progress_end(&w.progress);
	sheets_close(w.sheets);
	if (rc && w.tally.records)
		fprintf(stderr,
		        "eldergate: %" PRIu64 " records have their receipt; sending all again is safe\n",
		        w.tally.records);
	if (!rc || w.tally.records) {
		struct eg_err ignored;
		tell(&w, &result, rc ? &ignored : err);
	}
	if (!rc && w.tally.refused_batches)
		rc = eg_fail(err, w.tally.refusal_rc, "%" PRIu64 " batches were refused: %.200s",
		             w.tally.refused_batches, w.tally.refusal);
	if (!rc && tally_of(&w.tally, ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED))
		rc = eg_fail(err, EG_INVALID, "%" PRIu64 " records were not recorded",
		             tally_of(&w.tally, ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED));
	if (!rc && cli_switch(c, "strict") && tally_of(&w.tally, ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED))
		rc = eg_fail(err, EG_INVALID, "%" PRIu64 " records were quarantined",
		             tally_of(&w.tally, ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED));
	return rc;
}
