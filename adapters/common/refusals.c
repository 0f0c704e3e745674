/* refusals: see refusals.h. */
#include "common/refusals.h"

#include <string.h>

static size_t add(struct eg_buf *b, const char *text)
{
	size_t at = b->len;
	eg_buf_add(b, text ? text : "", text ? strlen(text) + 1 : 1);
	return at;
}

void eg_refusals_add(struct eg_refusals *r, uint64_t ref, const char *reason, const char *field,
                     const char *text)
{
	unsigned i = r->n++;
	r->v[i] = (struct eg_verdict){.ref = ref, .code = EG_VERDICT_REFUSED};
	r->at[i].reason = add(&r->texts, reason);
	r->at[i].field = add(&r->texts, field);
	r->at[i].text = add(&r->texts, text);
}

void eg_refusals_taken(struct eg_refusals *r, uint64_t ref)
{
	eg_refusals_add(r, ref, "", "", "");
	r->v[r->n - 1].code = EG_VERDICT_TAKEN;
}

void eg_refusals_faults(struct eg_refusals *r, uint64_t ref, const struct eg_mapped *row)
{
	struct eg_buf codes = {0}, texts = {0};
	for (unsigned i = 0; i < row->n_faults; i++) {
		eg_buf_printf(&codes, "%s%s", i ? " " : "", row->faults[i].code);
		eg_buf_printf(&texts, "%s", row->faults[i].text);
	}
	eg_buf_add_u8(&codes, 0);
	eg_buf_add_u8(&texts, 0);
	if (codes.failed || texts.failed)
		r->texts.failed = true;
	else
		eg_refusals_add(r, ref, (const char *)codes.p, row->n_faults ? row->faults[0].field : "",
		                (const char *)texts.p);
	eg_buf_free(&codes);
	eg_buf_free(&texts);
}

bool eg_refusals_ready(struct eg_refusals *r)
{
	if (r->texts.failed)
		return false;
	for (unsigned i = 0; i < r->n; i++) {
		r->v[i].reason = (const char *)r->texts.p + r->at[i].reason;
		r->v[i].field = (const char *)r->texts.p + r->at[i].field;
		r->v[i].text = (const char *)r->texts.p + r->at[i].text;
	}
	return true;
}

void eg_refusals_reset(struct eg_refusals *r)
{
	r->n = 0;
	eg_buf_reset(&r->texts);
}

void eg_refusals_free(struct eg_refusals *r)
{
	eg_buf_free(&r->texts);
}
