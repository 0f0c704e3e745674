/* tally: see tally.h. */
#include "cli/tally.h"

#include "cli/json.h"
#include "cli/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const Eldergate__V1__Outcome told[] = {
        ELDERGATE__V1__OUTCOME__OUTCOME_APPLIED, ELDERGATE__V1__OUTCOME__OUTCOME_UNCHANGED,
        ELDERGATE__V1__OUTCOME__OUTCOME_STALE, ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED,
        ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED};

static void add_reason(struct tally *t, const struct cli *c, const Eldergate__V1__Reason *r,
                       struct origin where)
{
	unsigned i = 0;
	while (i < t->n_reasons && t->reasons[i].code != r->code)
		i++;
	if (i == TALLY_REASONS)
		return;
	if (i == t->n_reasons) {
		t->n_reasons++;
		t->reasons[i].code = r->code;
		t->reasons[i].severity = r->severity;
		t->reasons[i].first = where;
		snprintf(t->reasons[i].field, sizeof t->reasons[i].field, "%s", r->field);
		snprintf(t->reasons[i].text, sizeof t->reasons[i].text, "%s", show_text(c, r->message));
	}
	t->reasons[i].count++;
}

static void add_refused(struct tally *t, const Eldergate__V1__Receipt *r, unsigned n)
{
	struct eg_refusal why;
	struct eg_err text = {0};
	refusal_of_message(r->status, &why);
	if (!t->refused_batches++) {
		t->refusal_rc = refusal_fail(&why, &text);
		snprintf(t->refusal, sizeof t->refusal, "%s", text.text);
	}
	t->refused_records += n;
}

void tally_add(struct tally *t, const struct cli *c, const Eldergate__V1__Receipt *r,
               const struct origin *where, unsigned n)
{
	t->records += n;
	if (r->status && r->status->code) {
		add_refused(t, r, n);
		return;
	}
	if (r->first_seq && (!t->first_seq || r->first_seq < t->first_seq))
		t->first_seq = r->first_seq;
	if (r->last_seq > t->last_seq)
		t->last_seq = r->last_seq;
	for (size_t i = 0; i < r->n_results; i++) {
		const Eldergate__V1__RecordResult *one = r->results[i];
		struct origin from = one->index < n ? where[one->index] : (struct origin){0};
		if ((unsigned)one->outcome < TALLY_OUTCOMES)
			t->outcomes[one->outcome]++;
		for (size_t k = 0; k < one->n_reasons; k++)
			add_reason(t, c, one->reasons[k], from);
		t->with_cases += one->n_case_ids > 0;
		for (size_t k = 0; k < one->n_case_ids && t->n_cases < TALLY_CASES; k++) {
			bool known = false;
			for (unsigned m = 0; m < t->n_cases; m++)
				known |= strcmp(t->cases[m], one->case_ids[k]) == 0;
			if (!known)
				snprintf(t->cases[t->n_cases++], sizeof t->cases[0], "%s", one->case_ids[k]);
		}
	}
}

uint64_t tally_of(const struct tally *t, Eldergate__V1__Outcome outcome)
{
	return (unsigned)outcome < TALLY_OUTCOMES ? t->outcomes[outcome] : 0;
}

void tally_show(const struct tally *t, const struct cli *c, const char *const *names, FILE *to)
{
	char name[64];
	(void)c;
	fprintf(to, "%" PRIu64 " records:", t->records);
	for (unsigned i = 0; i < sizeof told / sizeof *told; i++)
		if (tally_of(t, told[i]))
			fprintf(to, " %" PRIu64 " %s", tally_of(t, told[i]),
			        enum_short(&eldergate__v1__outcome__descriptor, (int)told[i], name));
	if (t->refused_batches)
		fprintf(to, " %" PRIu64 " in refused batches", t->refused_records);
	fputc('\n', to);
	if (t->last_seq)
		fprintf(to, "log entries #%" PRIu64 " to #%" PRIu64 "\n", t->first_seq, t->last_seq);
	for (unsigned i = 0; i < t->n_reasons; i++)
		fprintf(to, "  %6" PRIu64 "  %s (%s): first at %s:%u, %s\n", t->reasons[i].count,
		        t->reasons[i].text,
		        enum_short(&eldergate__v1__reason_code__descriptor, (int)t->reasons[i].code, name),
		        names[t->reasons[i].first.file], t->reasons[i].first.line, t->reasons[i].field);
	if (t->with_cases)
		fprintf(to, "%" PRIu64 " records belong to cases that wait for a decision: %s%s\n",
		        t->with_cases, t->cases[0], t->n_cases > 1 ? ", ..." : "");
	if (t->refused_batches)
		fprintf(to, "%" PRIu64 " batches were refused whole: %s\n", t->refused_batches, t->refusal);
	if (tally_of(t, ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED))
		fprintf(to, "`eldergate rejects list` says what to do about quarantined records\n");
}

void tally_json(const struct tally *t, const struct pump_result *p, const char *const *names,
                struct eg_buf *out)
{
	char name[64];
	eg_buf_printf(out,
	              "{\"records\":%" PRIu64 ",\"batches\":%" PRIu64 ",\"sent_again\":%" PRIu64
	              ",\"connections\":%u",
	              t->records, p->batches, p->sent_again, p->connections);
	eg_buf_printf(out, ",\"first_seq\":\"%" PRIu64 "\",\"last_seq\":\"%" PRIu64 "\",\"outcomes\":{",
	              t->first_seq, t->last_seq);
	for (unsigned i = 0; i < sizeof told / sizeof *told; i++)
		eg_buf_printf(out, "%s\"%s\":%" PRIu64, i ? "," : "",
		              enum_short(&eldergate__v1__outcome__descriptor, (int)told[i], name),
		              tally_of(t, told[i]));
	eg_buf_printf(out,
	              "},\"refused_batches\":%" PRIu64 ",\"refused_records\":%" PRIu64
	              ",\"with_cases\":%" PRIu64 ",\"reasons\":[",
	              t->refused_batches, t->refused_records, t->with_cases);
	for (unsigned i = 0; i < t->n_reasons; i++) {
		eg_buf_printf(
		        out,
		        "%s{\"code\":\"%s\",\"count\":%" PRIu64 ",\"field\":\"%s\",\"line\":%u,\"file\":",
		        i ? "," : "",
		        enum_short(&eldergate__v1__reason_code__descriptor, (int)t->reasons[i].code, name),
		        t->reasons[i].count, t->reasons[i].field, t->reasons[i].first.line);
		eg_buf_json(out, eg_bytes_of(names[t->reasons[i].first.file]));
		eg_buf_printf(out, "}");
	}
	eg_buf_printf(out, "]}\n");
}
