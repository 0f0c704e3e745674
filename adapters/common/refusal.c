/* refusal: see refusal.h. */
#include "common/refusal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "google/rpc/error_details.pb-c.h"

#include <string.h>

enum { RETRY_MAX_S = 86400 }; /* longer is no hint to wait, but a fault */

/* protobuf-c takes any bytes for a text: here one stands for each run of them that is none. */
static void copy(char *out, size_t size, const char *text)
{
	struct eg_bytes rest = eg_bytes_of(text ? text : "");
	bool valid;
	for (size_t n; (n = eg_utf8_step(rest, &valid)) != 0; rest.p += n, rest.len -= n) {
		size_t add = valid ? n : 1;
		if (add >= size)
			break;
		memcpy(out, valid ? (const char *)rest.p : "?", add);
		out += add;
		size -= add;
	}
	*out = 0;
}

/* Several results share a code. */
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

static void take_violations(const Google__Rpc__BadRequest *m, struct eg_refusal *out)
{
	for (size_t i = 0; i < m->n_field_violations && out->n_fields < EG_REFUSAL_FIELDS; i++) {
		copy(out->fields[out->n_fields].path, sizeof out->fields->path,
		     m->field_violations[i]->field);
		copy(out->fields[out->n_fields++].text, sizeof out->fields->text,
		     m->field_violations[i]->description);
	}
}

static void take_detail(const Google__Protobuf__Any *any, bool chinese, struct eg_refusal *out)
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
		if (m && (strncmp(m->locale, "zh", 2) == 0) == chinese)
			copy(out->text, sizeof out->text, m->message);
		google__rpc__localized_message__free_unpacked(m, NULL);
	} else if (is(any, "google.rpc.BadRequest")) {
		Google__Rpc__BadRequest *m = google__rpc__bad_request__unpack(NULL, len, p);
		if (m)
			take_violations(m, out);
		google__rpc__bad_request__free_unpacked(m, NULL);
	} else if (is(any, "google.rpc.RetryInfo")) {
		Google__Rpc__RetryInfo *m = google__rpc__retry_info__unpack(NULL, len, p);
		int64_t s = m && m->retry_delay ? m->retry_delay->seconds : -1;
		if (s >= 0 && s < RETRY_MAX_S && m->retry_delay->nanos >= 0)
			out->retry_us = s * EG_SECOND + m->retry_delay->nanos / 1000;
		google__rpc__retry_info__free_unpacked(m, NULL);
	}
}

void eg_refusal_of_message(const Google__Rpc__Status *s, bool chinese, struct eg_refusal *out)
{
	*out = (struct eg_refusal){.retry_us = -1};
	copy(out->text, sizeof out->text, s->message);
	for (size_t i = 0; i < s->n_details; i++)
		take_detail(s->details[i], chinese, out);
	out->rc = rc_of(s->code, out->reason);
	if (!*out->text)
		copy(out->text, sizeof out->text, eg_rc_text(out->rc));
}

bool eg_refusal_of_end(int code, const char *text, struct eg_bytes details, bool chinese,
                       struct eg_refusal *out)
{
	Google__Rpc__Status *m =
	        details.len ? google__rpc__status__unpack(NULL, details.len, details.p) : NULL;
	bool has = m != NULL;
	*out = (struct eg_refusal){.retry_us = -1};
	if (m)
		eg_refusal_of_message(m, chinese, out);
	else
		copy(out->text, sizeof out->text, text);
	google__rpc__status__free_unpacked(m, NULL);
	out->rc = rc_of(code, out->reason);
	if (!*out->text)
		copy(out->text, sizeof out->text, eg_rc_text(out->rc));
	return has;
}

void eg_refusal_of_status(const struct eg_link_event *e, struct eg_refusal *out)
{
	eg_refusal_of_end(e->code, e->text, e->bytes, true, out);
	if (out->retry_us < 0 && eg_rc_retryable(out->rc))
		out->retry_us = 0;
}

enum eg_rc eg_refusal_fail(const struct eg_refusal *r, struct eg_err *err)
{
	return eg_fail_field(err, r->rc, r->n_fields ? r->fields[0].path : "", "%s%s%s", r->reason,
	                     *r->reason ? ": " : "", r->text);
}
