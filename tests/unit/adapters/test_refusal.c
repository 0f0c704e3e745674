/* What a google.rpc.Status says: reason, fields, text in the language asked for, and whether to try again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "common/refusal.h"
#include "google/rpc/error_details.pb-c.h"

enum { ROOM = 4096 };

/* A status that is built in room of its own. */
struct made {
	Google__Rpc__Status status;
	Google__Protobuf__Any any[8], *details[8];
	uint8_t bytes[8][256];
};

static void begin(struct made *m, int code)
{
	google__rpc__status__init(&m->status);
	m->status.code = code;
	m->status.message = (char *)(uintptr_t) "the text beside";
	m->status.details = m->details;
}

static void add(struct made *m, const char *url, const ProtobufCMessage *detail)
{
	size_t i = m->status.n_details++;
	google__protobuf__any__init(&m->any[i]);
	assert_true(protobuf_c_message_get_packed_size(detail) <= sizeof m->bytes[i]);
	m->any[i].type_url = (char *)(uintptr_t)url;
	m->any[i].value = (ProtobufCBinaryData){protobuf_c_message_pack(detail, m->bytes[i]), m->bytes[i]};
	m->details[i] = &m->any[i];
}

static void add_reason(struct made *m, const char *reason)
{
	Google__Rpc__ErrorInfo d = GOOGLE__RPC__ERROR_INFO__INIT;
	d.reason = (char *)(uintptr_t)reason;
	add(m, "type.googleapis.com/google.rpc.ErrorInfo", &d.base);
}

static void add_text(struct made *m, const char *locale, const char *text)
{
	Google__Rpc__LocalizedMessage d = GOOGLE__RPC__LOCALIZED_MESSAGE__INIT;
	d.locale = (char *)(uintptr_t)locale;
	d.message = (char *)(uintptr_t)text;
	add(m, "type.googleapis.com/google.rpc.LocalizedMessage", &d.base);
}

static void add_retry(struct made *m, int64_t seconds)
{
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Rpc__RetryInfo d = GOOGLE__RPC__RETRY_INFO__INIT;
	delay.seconds = seconds;
	d.retry_delay = &delay;
	add(m, "type.googleapis.com/google.rpc.RetryInfo", &d.base);
}

static void everything(void **state)
{
	(void)state;
	struct made m = {0};
	struct eg_refusal r;
	struct eg_err err = {0};
	Google__Rpc__BadRequest bad = GOOGLE__RPC__BAD_REQUEST__INIT;
	Google__Rpc__BadRequest__FieldViolation rows[6], *violations[6];
	begin(&m, 3);
	add_reason(&m, "ID_CHECK_DIGIT");
	add_text(&m, "zh-CN", "\xe4\xb8\xad");
	add_text(&m, "en", "English");
	for (unsigned i = 0; i < 6; i++) {
		google__rpc__bad_request__field_violation__init(&rows[i]);
		rows[i].field = (char *)(uintptr_t)(i ? "other" : "records[0].name");
		rows[i].description = (char *)(uintptr_t) "why";
		violations[i] = &rows[i];
	}
	bad.n_field_violations = 6;
	bad.field_violations = violations;
	add(&m, "type.googleapis.com/google.rpc.BadRequest", &bad.base);
	eg_refusal_of_message(&m.status, true, &r);
	assert_int_equal(r.rc, EG_INVALID);
	assert_string_equal(r.reason, "ID_CHECK_DIGIT");
	assert_string_equal(r.text, "\xe4\xb8\xad");
	assert_int_equal(r.n_fields, EG_REFUSAL_FIELDS);
	assert_string_equal(r.fields[0].path, "records[0].name");
	assert_string_equal(r.fields[3].text, "why");
	assert_int_equal(r.retry_us, -1);
	eg_refusal_of_message(&m.status, false, &r);
	assert_string_equal(r.text, "English");
	assert_int_equal(eg_refusal_fail(&r, &err), EG_INVALID);
	assert_string_equal(err.field, "records[0].name");
	assert_string_equal(err.text, "ID_CHECK_DIGIT: English");
}

/* What shares a code is told apart by its reason, for adapters as for the command line. */
static void results(void **state)
{
	(void)state;
	static const struct {
		int code;
		const char *reason;
		enum eg_rc rc;
	} rows[] = {{8, "STORE_FULL", EG_NO_SPACE},
	            {8, "READ_LOG_FULL", EG_NO_SPACE},
	            {8, "", EG_LIMIT},
	            {14, "BUSY", EG_BUSY},
	            {14, "BACKLOG_FULL", EG_BUSY},
	            {14, "", EG_UNAVAILABLE},
	            {11, "", EG_OUT_OF_RANGE},
	            {99, "", EG_INTERNAL},
	            {-1, "", EG_INTERNAL}};
	for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct made m = {0};
		struct eg_refusal r;
		uint8_t bytes[ROOM];
		begin(&m, rows[i].code);
		add_reason(&m, rows[i].reason);
		struct eg_link_event e = {.kind = EG_LINK_STATUS, .code = rows[i].code, .text = "end"};
		e.bytes = (struct eg_bytes){bytes, google__rpc__status__pack(&m.status, bytes)};
		eg_refusal_of_status(&e, &r);
		assert_int_equal(r.rc, rows[i].rc);
		assert_int_equal(r.retry_us, eg_rc_retryable(r.rc) ? 0 : -1);
		assert_string_equal(r.text, "the text beside");
	}
}

static void waiting(void **state)
{
	(void)state;
	static const int64_t seconds[] = {0, 3, 86399, 86400, -1};
	for (unsigned i = 0; i < 5; i++) {
		struct made m = {0};
		struct eg_refusal r;
		begin(&m, 14);
		add_retry(&m, seconds[i]);
		eg_refusal_of_message(&m.status, true, &r);
		assert_int_equal(r.retry_us, i < 3 ? seconds[i] * EG_SECOND : -1);
	}
}

/* The transport's own end has no details, or bytes that are none. */
static void without_details(void **state)
{
	(void)state;
	struct eg_refusal r;
	assert_false(eg_refusal_of_end(14, "no connection", (struct eg_bytes){0}, false, &r));
	assert_int_equal(r.rc, EG_UNAVAILABLE);
	assert_string_equal(r.text, "no connection");
	assert_int_equal(r.retry_us, -1);
	assert_false(eg_refusal_of_end(5, "", eg_bytes_of("\xff\xff\xff"), false, &r));
	assert_string_equal(r.text, eg_rc_text(EG_NOT_FOUND));
}

/* A peer may send anything: what is told is text, of whole characters, and never nothing at all. */
static void texts_that_are_none(void **state)
{
	(void)state;
	struct made m = {0};
	struct eg_refusal r;
	struct eg_err err = {0};
	char text[sizeof r.text + 8];
	begin(&m, 13);
	m.status.message = (char *)(uintptr_t) "\xd7";
	eg_refusal_of_message(&m.status, true, &r);
	assert_string_equal(r.text, "?");
	eg_refusal_fail(&r, &err);
	assert_string_equal(err.text, "?");
	m.status.message = (char *)(uintptr_t) "a\xe4\xb8 b";
	eg_refusal_of_message(&m.status, true, &r);
	assert_string_equal(r.text, "a? b");
	/* One byte short of room for the last character. */
	memset(text, 'x', sizeof text);
	strcpy(text + sizeof r.text - 3, "\xe4\xb8\xad");
	m.status.message = text;
	eg_refusal_of_message(&m.status, true, &r);
	assert_int_equal(strlen(r.text), sizeof r.text - 3);
	assert_true(eg_utf8_valid(eg_bytes_of(r.text)));
	m.status.message = (char *)(uintptr_t) "";
	eg_refusal_of_message(&m.status, true, &r);
	assert_string_equal(r.text, eg_rc_text(EG_INTERNAL));
}

/* A duration that is none says nothing of when to try again. */
static void a_wait_below_zero(void **state)
{
	(void)state;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Rpc__RetryInfo d = GOOGLE__RPC__RETRY_INFO__INIT;
	struct made m = {0};
	struct eg_refusal r;
	begin(&m, 14);
	delay.nanos = -2000000;
	d.retry_delay = &delay;
	add(&m, "type.googleapis.com/google.rpc.RetryInfo", &d.base);
	eg_refusal_of_message(&m.status, true, &r);
	assert_int_equal(r.retry_us, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(everything),
	                                   cmocka_unit_test(results),
	                                   cmocka_unit_test(waiting),
	                                   cmocka_unit_test(without_details),
	                                   cmocka_unit_test(texts_that_are_none),
	                                   cmocka_unit_test(a_wait_below_zero)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
