/* verdicts: see verdicts.h. */
#include "common/verdicts.h"

#include "model/grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONE = SIZE_MAX >> 1 };

/* Only what weighs enough to refuse, if any does; warnings of a refused record would hide it. */
static bool tells(const Eldergate__V1__RecordResult *r, const Eldergate__V1__Reason *reason)
{
	if (reason->severity == ELDERGATE__V1__SEVERITY__SEVERITY_ERROR)
		return true;
	for (size_t i = 0; i < r->n_reasons; i++)
		if (r->reasons[i]->severity == ELDERGATE__V1__SEVERITY__SEVERITY_ERROR)
			return false;
	return true;
}

static void add_name(struct eg_buf *b, int code)
{
	const char *name = eg_reason_name((enum eg_reason_code)code);
	if (*name)
		eg_buf_printf(b, "%s", name);
	else
		eg_buf_printf(b, "CODE_%d", code); /* of a newer gateway */
}

/* The three texts of a refused record behind one another, each ended by NUL; where they begin. */
static size_t add_texts(struct eg_buf *b, const Eldergate__V1__RecordResult *r)
{
	size_t start = b->len;
	const char *field = "";
	bool first = true;
	for (size_t i = 0; i < r->n_reasons; i++) {
		if (!tells(r, r->reasons[i]))
			continue;
		if (!first)
			eg_buf_add_u8(b, ' ');
		add_name(b, (int)r->reasons[i]->code);
		if (!*field)
			field = r->reasons[i]->field;
		first = false;
	}
	eg_buf_add_u8(b, 0);
	eg_buf_add(b, field, strlen(field) + 1);
	for (size_t i = 0; i < r->n_reasons; i++)
		if (tells(r, r->reasons[i]) && r->reasons[i]->message) {
			const char *text = r->reasons[i]->message->zh_cn;
			eg_buf_add(b, text, strlen(text));
		}
	eg_buf_add_u8(b, 0);
	return start;
}

static bool count(struct eg_verdicts *out, const Eldergate__V1__RecordResult *r, struct eg_verdict *v)
{
	switch (r->outcome) {
	case ELDERGATE__V1__OUTCOME__OUTCOME_APPLIED:
		out->applied++;
		break;
	case ELDERGATE__V1__OUTCOME__OUTCOME_UNCHANGED:
		out->unchanged++;
		break;
	case ELDERGATE__V1__OUTCOME__OUTCOME_STALE:
		out->stale++;
		break;
	case ELDERGATE__V1__OUTCOME__OUTCOME_QUARANTINED:
		out->quarantined++;
		v->code = EG_VERDICT_REFUSED;
		break;
	case ELDERGATE__V1__OUTCOME__OUTCOME_REFUSED:
		out->refused++;
		v->code = EG_VERDICT_REFUSED;
		break;
	default:
		return false; /* what we cannot name we must not take for done */
	}
	return true;
}

static bool room(struct eg_verdicts *out, unsigned n)
{
	if (n <= out->cap)
		return true;
	struct eg_verdict *grown = realloc(out->v, n * sizeof *grown);
	if (!grown)
		return false;
	out->v = grown;
	out->cap = n;
	return true;
}

static void point_texts(struct eg_verdict *v, const struct eg_buf *texts, size_t start)
{
	if (start == NONE)
		return;
	const char *p = (const char *)texts->p + start;
	v->reason = p;
	v->field = p += strlen(p) + 1;
	v->text = p + strlen(p) + 1;
}

enum eg_rc eg_verdicts_of_receipt(struct eg_verdicts *out, const Eldergate__V1__Receipt *r,
                                  const uint64_t *refs, unsigned n, struct eg_err *err)
{
	size_t *starts = calloc(n ? n : 1, sizeof *starts);
	enum eg_rc rc = EG_OK;
	out->applied = out->unchanged = out->stale = out->quarantined = out->refused = 0;
	out->n = 0;
	eg_buf_reset(&out->texts);
	if (!starts || !room(out, n))
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the verdicts of a batch");
	if (!rc && r->n_results != n)
		rc = eg_fail(err, EG_INVALID, "a receipt has %zu results for %u records", r->n_results, n);
	for (unsigned i = 0; i < n && !rc; i++) {
		const Eldergate__V1__RecordResult *result = r->results[i];
		out->v[i] = (struct eg_verdict){.ref = refs[i],
		                                .code = EG_VERDICT_TAKEN,
		                                .seq = result->seq,
		                                .reason = "",
		                                .field = "",
		                                .text = ""};
		starts[i] = NONE;
		if (result->index != i || !count(out, result, &out->v[i]))
			rc = eg_fail(err, EG_INVALID, "a receipt does not say what became of record %u", i);
		else if (out->v[i].code == EG_VERDICT_REFUSED)
			starts[i] = add_texts(&out->texts, result);
	}
	if (!rc && out->texts.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the verdicts of a batch");
	for (unsigned i = 0; i < n && !rc; i++)
		point_texts(&out->v[i], &out->texts, starts[i]);
	if (!rc)
		out->n = n;
	free(starts);
	return rc;
}

void eg_verdicts_free(struct eg_verdicts *v)
{
	free(v->v);
	eg_buf_free(&v->texts);
}
