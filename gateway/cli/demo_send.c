/* demo_send: rows of a CSV text, through the same pump that `eldergate submit` uses; and what each of them
 * became. */
#include "cli/demo.h"

#include "cli/sheet.h"

#include <stdlib.h>
#include <string.h>

struct text {
	struct eg_bytes rest;
};

struct sending {
	struct demo *d;
	struct sheet *sheet;
	struct demo_sent *sent;
	uint64_t next;
	void (*on_receipt)(struct demo *d, const struct demo_sent *so_far);
};

static ssize_t read_text(void *arg, void *p, size_t len)
{
	struct text *t = arg;
	if (len > t->rest.len)
		len = t->rest.len;
	memcpy(p, t->rest.p, len);
	t->rest.p += len;
	t->rest.len -= len;
	return (ssize_t)len;
}

/* The number of the record stands in for the line: it finds its result again. */
static enum eg_rc next(void *arg, struct eg_buf *out, struct origin *where, struct eg_err *err)
{
	struct sending *s = arg;
	unsigned line;
	enum eg_rc rc = sheet_next(s->sheet, out, &line, err);
	*where = (struct origin){.line = (unsigned)s->next++};
	return rc;
}

static void receipt(void *arg, const Eldergate__V1__Receipt *r, const struct origin *where, unsigned n)
{
	struct sending *s = arg;
	tally_add(&s->sent->tally, s->d->cli, r, where, n);
	for (size_t i = 0; i < r->n_results; i++) {
		uint64_t at = r->results[i]->index < n ? where[r->results[i]->index].line : UINT64_MAX;
		if (at >= s->sent->n)
			continue;
		s->sent->seqs[at] = r->results[i]->seq;
		s->sent->outcomes[at] = r->results[i]->outcome;
	}
	if (s->on_receipt)
		s->on_receipt(s->d, s->sent);
}

static uint64_t rows_of(const struct eg_buf *csv)
{
	uint64_t n = 0;
	for (size_t i = 0; i < csv->len; i++)
		n += csv->p[i] == '\n';
	return n ? n - 1 : 0; /* without the header; the demo's texts have no line breaks in cells */
}

enum eg_rc demo_send(struct demo *d, struct demo_agency *a, const struct eg_buf *csv, unsigned batch,
                     unsigned in_flight, void (*on_receipt)(struct demo *d, const struct demo_sent *so_far),
                     struct demo_sent *out, struct eg_err *err)
{
	struct text text = {.rest = eg_buf_bytes(csv)};
	struct sending s = {.d = d, .sent = out, .on_receipt = on_receipt};
	struct pump_options o = {.client = a->client,
	                         .dataset = a->dataset,
	                         .batch_prefix = a->name,
	                         .batch = batch,
	                         .in_flight = in_flight,
	                         .patience_us = DEMO_PATIENCE,
	                         .next = next,
	                         .receipt = receipt,
	                         .arg = &s};
	int64_t began = eg_mono_us();
	*out = (struct demo_sent){.n = rows_of(csv)};
	out->seqs = calloc(out->n + 1, sizeof *out->seqs);
	out->outcomes = calloc(out->n + 1, sizeof *out->outcomes);
	enum eg_rc rc = out->seqs && out->outcomes
	                        ? sheet_open(&s.sheet, a->name, read_text, &text, a->section, err)
	                        : eg_fail(err, EG_NO_MEMORY, "no memory for results");
	if (!rc)
		rc = pump_run(&o, &out->pump, err);
	sheet_close(s.sheet);
	out->us = eg_mono_us() - began;
	if (!rc && out->tally.refused_batches)
		rc = demo_wrong(err, "a batch was refused: %.200s", out->tally.refusal);
	out->complete = !rc;
	for (uint64_t i = 0; i < out->n && out->complete; i++)
		out->complete = out->outcomes[i] != ELDERGATE__V1__OUTCOME__OUTCOME_UNSPECIFIED;
	if (!rc && !out->complete)
		rc = demo_wrong(err, "a record of %s has no result", a->name);
	return rc;
}

void demo_sent_free(struct demo_sent *s)
{
	free(s->seqs);
	free(s->outcomes);
	s->seqs = NULL;
	s->outcomes = NULL;
}

static enum eg_rc add_line(void *arg, struct eg_bytes line, struct eg_err *err)
{
	struct eg_buf *out = arg;
	eg_buf_add(out, line.p, line.len);
	return out->failed ? eg_fail(err, EG_NO_MEMORY, "no memory for rows") : EG_OK;
}

enum eg_rc demo_csv(const struct population *p, enum eg_section s, struct eg_buf *out, struct eg_err *err)
{
	population_header(s, out);
	return population_rows(p, s, add_line, out, err);
}
