/* status: see status.h. A status without details comes from gRPC itself (no connection, a deadline): its own
 * text is shown.
 */
#include "cli/status.h"

#include "base/clock.h"
#include "google/rpc/error_details.pb-c.h"

#include <stdio.h>
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

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

static enum eg_rc rc_of(int code, const char *reason)
{
	static const enum eg_rc rcs[] = {
	        EG_OK,        EG_CLOSED,         EG_INTERNAL,      EG_INVALID,  EG_DEADLINE,
	        EG_NOT_FOUND, EG_EXISTS,         EG_DENIED,        EG_LIMIT,    EG_PRECONDITION,
	        EG_CONFLICT,  EG_OUT_OF_RANGE,   EG_UNIMPLEMENTED, EG_INTERNAL, EG_UNAVAILABLE,
	        EG_CORRUPT,   EG_UNAUTHENTICATED};
	if (strcmp(reason, "STORE_FULL") == 0 || strcmp(reason, "READ_LOG_FULL") == 0)
		return EG_NO_SPACE;
	if (strcmp(reason, "BUSY") == 0 || strcmp(reason, "BACKLOG_FULL") == 0)
		return EG_BUSY;
	return code >= 0 && code < (int)(sizeof rcs / sizeof *rcs) ? rcs[code] : EG_INTERNAL;
}

static bool is(const Google__Protobuf__Any *any, const char *name)
{
	const char *slash = any->type_url ? strrchr(any->type_url, '/') : NULL;
	return slash && strcmp(slash + 1, name) == 0;
}

static void take_violations(const Google__Rpc__BadRequest *m, struct refusal *out)
{
	for (size_t i = 0; i < m->n_field_violations && out->n_fields < REFUSAL_FIELDS; i++) {
		copy(out->fields[out->n_fields].path, sizeof out->fields->path,
		     m->field_violations[i]->field);
		copy(out->fields[out->n_fields++].text, sizeof out->fields->text,
		     m->field_violations[i]->description);
	}
}

static void take_detail(const Google__Protobuf__Any *any, struct refusal *out)
{
	const uint8_t *p = any->value.data;
	size_t len = any->value.len;
	if (is(any, "google.rpc.ErrorInfo")) {
		Google__Rpc__ErrorInfo *m = google__rpc__error_info__unpack(NULL, len, p);
		if (m)
			copy(out->reason, sizeof out->reason, m->reason);
		google__rpc__error_info__free_unpacked(m, NULL);
	} else if (is(any, "google.rpc.LocalizedMessage")) {
		Google__Rpc__LocalizedMessage *m = google__rpc__localized_message__unpack(NULL, len, p);
		if (m && (strncmp(m->locale, "zh", 2) == 0) == speaks_chinese())
			copy(out->text, sizeof out->text, m->message);
		google__rpc__localized_message__free_unpacked(m, NULL);
	} else if (is(any, "google.rpc.BadRequest")) {
		Google__Rpc__BadRequest *m = google__rpc__bad_request__unpack(NULL, len, p);
		if (m)
			take_violations(m, out);
		google__rpc__bad_request__free_unpacked(m, NULL);
	} else if (is(any, "google.rpc.RetryInfo")) {
		Google__Rpc__RetryInfo *m = google__rpc__retry_info__unpack(NULL, len, p);
		if (m && m->retry_delay)
			out->retry_us = m->retry_delay->seconds * EG_SECOND + m->retry_delay->nanos / 1000;
		google__rpc__retry_info__free_unpacked(m, NULL);
	}
}

void refusal_of_message(const Google__Rpc__Status *s, struct refusal *out)
{
	*out = (struct refusal){.retry_us = -1};
	copy(out->text, sizeof out->text, s->message);
	for (size_t i = 0; i < s->n_details; i++)
		take_detail(s->details[i], out);
	out->rc = rc_of(s->code, out->reason);
}

void refusal_of_status(const struct rpc_status *s, struct refusal *out)
{
	struct eg_bytes d = eg_buf_bytes(&s->details);
	Google__Rpc__Status *m = d.len ? google__rpc__status__unpack(NULL, d.len, d.p) : NULL;
	if (m) {
		refusal_of_message(m, out);
		google__rpc__status__free_unpacked(m, NULL);
		return;
	}
	*out = (struct refusal){.rc = rc_of(s->code, ""), .retry_us = -1};
	copy(out->text, sizeof out->text, *s->text ? s->text : eg_rc_text(out->rc));
	if (out->rc == EG_UNAVAILABLE)
		out->retry_us = EG_SECOND;
}

enum eg_rc refusal_fail(const struct refusal *r, struct eg_err *err)
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
