/* status: see status.h. A status without details comes from gRPC itself (no connection, a deadline): its own
 * text is shown. */
#include "cli/status.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

bool speaks_chinese(void)
{
	static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
	for (unsigned i = 0; i < 3; i++) {
		const char *v = getenv(names[i]);
		if (v && *v)
			return strncmp(v, "zh", 2) == 0;
	}
	return false;
}

void refusal_of_message(const Google__Rpc__Status *s, struct eg_refusal *out)
{
	eg_refusal_of_message(s, speaks_chinese(), out);
}

void refusal_of_status(const struct rpc_status *s, struct eg_refusal *out)
{
	bool told = eg_refusal_of_end(s->code, s->text, eg_buf_bytes(&s->details), speaks_chinese(), out);
	if (!told && out->rc == EG_UNAVAILABLE)
		out->retry_us = EG_SECOND;
}

enum eg_rc refusal_fail(const struct eg_refusal *r, struct eg_err *err)
{
	struct eg_buf text = {0};
	eg_buf_printf(&text, "%s", r->text);
	if (*r->reason)
		eg_buf_printf(&text, " [%s]", r->reason);
	for (unsigned i = 0; i < r->n_fields; i++)
		eg_buf_printf(&text, "%s %s: %s", i ? ";" : "", r->fields[i].path, r->fields[i].text);
	if (r->retry_us >= 0 && r->rc != EG_UNAVAILABLE)
		eg_buf_printf(&text, " (again after %.1f s)", (double)r->retry_us / 1e6);
	enum eg_rc rc = eg_fail_field(err, r->rc, r->n_fields ? r->fields[0].path : "", "%.*s", (int)text.len,
	                              text.failed ? "" : (const char *)text.p);
	eg_buf_free(&text);
	return rc;
}
