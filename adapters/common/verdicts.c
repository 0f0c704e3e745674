/* verdicts: see verdicts.h. */
#include "common/verdicts.h"

#include "common/reasons_text.h"

#include <stdlib.h>

enum { NONE = SIZE_MAX >> 1 };

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
			starts[i] = eg_reasons_text(&out->texts, result->n_reasons, result->reasons);
	}
	if (!rc && out->texts.failed)
		rc = eg_fail(err, EG_NO_MEMORY, "no memory for the verdicts of a batch");
	for (unsigned i = 0; i < n && !rc; i++)
		if (starts[i] != NONE)
			eg_reasons_point(&out->v[i], &out->texts, starts[i]);
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
