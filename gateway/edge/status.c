/* status: see status.h. The texts come from reasons.def alone, so a test can show that each code has both
 * languages. */
#include "edge/status.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "edge/pb.h"
#include "google/rpc/error_details.pb-c.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAIN        "eldergate"
#define TYPE_PREFIX   "type.googleapis.com/"
#define DETAILS_BYTES ((size_t)64 << 10) /* arena of one status */

/* How long a caller had better wait. */
#define RETRY_US         (1 * EG_SECOND)
#define RETRY_RESTART_US (5 * EG_SECOND)
#define RETRY_FULL_US    (30 * EG_SECOND)

enum { DETAILS_MAX = 5, FIELDS_MAX = 9 };

enum eg_rc eg_refuse(struct eg_fault *f, enum eg_rc rc, enum eg_reason_code reason, const char *field,
                     const char *fmt, ...)
{
	va_list ap;
	*f = (struct eg_fault){.reason = reason, .err.rc = rc};
	snprintf(f->err.field, sizeof f->err.field, "%s", field);
	va_start(ap, fmt);
	vsnprintf(f->err.text, sizeof f->err.text, fmt, ap);
	va_end(ap);
	return rc;
}

enum eg_rc eg_fault_why(struct eg_fault *f, const struct eg_arena *a, enum eg_rc rc)
{
	enum eg_rc why = eg_arena_why(a, rc, &f->err);
	if (why != rc)
		f->reason = 0;
	return why;
}

enum eg_reason_code eg_fault_reason(const struct eg_fault *f)
{
	if (f->reason)
		return f->reason;
	switch (f->err.rc) {
	case EG_INVALID:
	case EG_EXISTS:
	case EG_OUT_OF_RANGE:
	case EG_USAGE:
	case EG_NOT_FOUND:
	case EG_PRECONDITION:
		return EG_REASON_ARGUMENT_INVALID;
	case EG_LIMIT:
		return EG_REASON_TOO_MANY_ITEMS;
	case EG_DENIED:
	case EG_UNIMPLEMENTED:
		return EG_REASON_METHOD_NOT_PERMITTED;
	case EG_UNAUTHENTICATED:
		return EG_REASON_IDENTITY_UNKNOWN;
	case EG_BUSY:
	case EG_DEADLINE:
	case EG_NO_MEMORY:
	case EG_CONFLICT:
		return EG_REASON_BUSY;
	case EG_CLOSED:
		return EG_REASON_SHUTTING_DOWN;
	case EG_NO_SPACE:
		return EG_REASON_STORE_FULL;
	default:
		return EG_REASON_INTERNAL;
	}
}

int64_t eg_fault_retry_us(const struct eg_fault *f)
{
	if (!eg_rc_retryable(f->err.rc))
		return 0;
	switch (f->err.rc) {
	case EG_CLOSED:
		return RETRY_RESTART_US;
	case EG_NO_SPACE:
		return RETRY_FULL_US;
	default:
		return RETRY_US;
	}
}

static bool add(Google__Rpc__Status *s, struct eg_arena *a, const char *type, const ProtobufCMessage *m)
{
	Google__Protobuf__Any *any = eg_arena_alloc(a, sizeof *any);
	size_t size = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = eg_arena_alloc(a, size);
	if (!any || !bytes)
		return false;
	google__protobuf__any__init(any);
	any->type_url = (char *)(uintptr_t)type;
	any->value.len = protobuf_c_message_pack(m, bytes);
	any->value.data = bytes;
	s->details[s->n_details++] = any;
	return true;
}

static bool add_info(Google__Rpc__Status *s, struct eg_arena *a, enum eg_reason_code code)
{
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	info.reason = (char *)(uintptr_t)eg_reason_name(code);
	info.domain = (char *)(uintptr_t)DOMAIN;
	return add(s, a, TYPE_PREFIX "google.rpc.ErrorInfo", &info.base);
}

static bool add_text(Google__Rpc__Status *s, struct eg_arena *a, enum eg_reason_code code, bool zh)
{
	Google__Rpc__LocalizedMessage text = GOOGLE__RPC__LOCALIZED_MESSAGE__INIT;
	text.locale = (char *)(uintptr_t)(zh ? "zh-CN" : "en");
	text.message = (char *)(uintptr_t)eg_reason_text(code, zh);
	return add(s, a, TYPE_PREFIX "google.rpc.LocalizedMessage", &text.base);
}

static bool add_fields(Google__Rpc__Status *s, struct eg_arena *a, const struct eg_fault *f)
{
	Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Rpc__BadRequest__FieldViolation rows[FIELDS_MAX], *list[FIELDS_MAX];
	const char *names[FIELDS_MAX];
	unsigned n = 0;
	if (*f->err.field)
		names[n++] = f->err.field;
	for (unsigned i = 0; i < sizeof f->more_fields / sizeof *f->more_fields && f->more_fields[i]; i++)
		names[n++] = f->more_fields[i];
	if (!n)
		return true;
	for (unsigned i = 0; i < n; i++) {
		google__rpc__bad_request__field_violation__init(&rows[i]);
		rows[i].field = (char *)(uintptr_t)names[i];
		rows[i].description = (char *)(uintptr_t)f->err.text;
		list[i] = &rows[i];
	}
	bad.n_field_violations = n;
	bad.field_violations = list;
	return add(s, a, TYPE_PREFIX "google.rpc.BadRequest", &bad.base);
}

static bool add_retry(Google__Rpc__Status *s, struct eg_arena *a, int64_t us)
{
	Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	if (!us)
		return true;
	delay.seconds = us / EG_SECOND;
	delay.nanos = (int32_t)(us % EG_SECOND * 1000);
	retry.retry_delay = &delay;
	return add(s, a, TYPE_PREFIX "google.rpc.RetryInfo", &retry.base);
}

/* A fault of the gateway's own: its text is for the operator's log, not for callers. */
static bool is_ours(enum eg_rc rc)
{
	return rc == EG_IO || rc == EG_CORRUPT || rc == EG_CRYPTO || rc == EG_INTERNAL || rc == EG_CONFIG;
}

static const char *text_of(const struct eg_fault *f)
{
	return is_ours(f->err.rc) || !*f->err.text ? eg_reason_text(eg_fault_reason(f), false) : f->err.text;
}

Google__Rpc__Status *eg_status(struct eg_arena *a, const struct eg_fault *f)
{
	enum eg_reason_code code = eg_fault_reason(f);
	Google__Rpc__Status *s = eg_arena_alloc(a, sizeof *s);
	if (!s)
		return NULL;
	google__rpc__status__init(s);
	s->code = eg_rc_grpc(f->err.rc);
	s->message = eg_arena_text(a, text_of(f), strlen(text_of(f)));
	s->details = eg_arena_alloc(a, DETAILS_MAX * sizeof *s->details);
	if (!s->message || !s->details || !add_info(s, a, code) || !add_text(s, a, code, true) ||
	    !add_text(s, a, code, false) || !add_fields(s, a, f) || !add_retry(s, a, eg_fault_retry_us(f)))
		return NULL;
	return s;
}

const char *eg_grpc_code_name(int code)
{
	static const char *const names[] = {"OK",
	                                    "CANCELLED",
	                                    "UNKNOWN",
	                                    "INVALID_ARGUMENT",
	                                    "DEADLINE_EXCEEDED",
	                                    "NOT_FOUND",
	                                    "ALREADY_EXISTS",
	                                    "PERMISSION_DENIED",
	                                    "RESOURCE_EXHAUSTED",
	                                    "FAILED_PRECONDITION",
	                                    "ABORTED",
	                                    "OUT_OF_RANGE",
	                                    "UNIMPLEMENTED",
	                                    "INTERNAL",
	                                    "UNAVAILABLE",
	                                    "DATA_LOSS",
	                                    "UNAUTHENTICATED"};
	return code >= 0 && (size_t)code < sizeof names / sizeof *names ? names[code] : "UNKNOWN";
}

void eg_call_fail(struct eg_call *c, const struct eg_fault *f)
{
	struct eg_arena *a = eg_arena_new(DETAILS_BYTES);
	struct eg_buf details = {0};
	Google__Rpc__Status *s = a ? eg_status(a, f) : NULL;
	int code = eg_rc_grpc(f->err.rc);
	if (s)
		eg_pb_write(&s->base, &details, NULL);
	eg_metric_add(EG_M_CALL_ERRORS, eg_grpc_code_name(code), 1);
	if (is_ours(f->err.rc))
		eg_log(EG_LOG_ERROR, "call.failed",
		       EG_T("method", eg_call_method(c) ? eg_call_method(c)->path : "not offered"),
		       EG_T("error", eg_rc_name(f->err.rc)), EG_T("reason", f->err.text));
	eg_call_finish(c, code, text_of(f), eg_buf_bytes(&details));
	eg_buf_free(&details);
	eg_arena_free(a);
}
