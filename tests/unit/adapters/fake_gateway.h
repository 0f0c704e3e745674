/* fake_gateway: what the test says as the gateway: receipts and statuses. */
#ifndef EG_TESTS_FAKE_GATEWAY_H
#define EG_TESTS_FAKE_GATEWAY_H

#include "eldergate/v1/exchange.pb-c.h"
#include "fake_link.h"
#include "google/rpc/error_details.pb-c.h"

static inline Eldergate__V1__SubmitRequest *fake_request(const struct eg_link_call *c, unsigned i)
{
	return eldergate__v1__submit_request__unpack(NULL, c->sent[i].len, c->sent[i].p);
}

static inline void fake_say(struct eg_link_call *c, const ProtobufCMessage *m)
{
	struct eg_buf b = {0};
	protobuf_c_message_pack(m, eg_buf_grow(&b, protobuf_c_message_get_packed_size(m)));
	fake_event(c, EG_LINK_MESSAGE, 0, eg_buf_bytes(&b));
	eg_buf_free(&b);
}

/* A status with ErrorInfo, and RetryInfo unless retry_s < 0. */
struct fake_status {
	Google__Rpc__Status status;
	Google__Protobuf__Any any[2];
	Google__Protobuf__Any *details[2];
	uint8_t bytes[2][128];
};

static inline void fake_make_status(struct fake_status *s, int code, const char *reason, int retry_s)
{
	Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
	Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
	Google__Protobuf__Duration delay = GOOGLE__PROTOBUF__DURATION__INIT;
	google__rpc__status__init(&s->status);
	info.reason = (char *)(uintptr_t)reason;
	delay.seconds = retry_s;
	retry.retry_delay = &delay;
	for (unsigned i = 0; i < 2; i++) {
		google__protobuf__any__init(&s->any[i]);
		s->details[i] = &s->any[i];
		s->any[i].value.data = s->bytes[i];
	}
	s->any[0].type_url = "type.googleapis.com/google.rpc.ErrorInfo";
	s->any[0].value.len = google__rpc__error_info__pack(&info, s->bytes[0]);
	s->any[1].type_url = "type.googleapis.com/google.rpc.RetryInfo";
	s->any[1].value.len = google__rpc__retry_info__pack(&retry, s->bytes[1]);
	s->status.code = code;
	s->status.message = "as the test says";
	s->status.n_details = retry_s < 0 ? 1 : 2;
	s->status.details = s->details;
}

static inline void fake_end(struct eg_link_call *c, int code, const char *reason, int retry_s)
{
	struct fake_status s;
	struct eg_buf b = {0};
	fake_make_status(&s, code, reason, retry_s);
	google__rpc__status__pack(&s.status,
	                          eg_buf_grow(&b, google__rpc__status__get_packed_size(&s.status)));
	fake_event(c, EG_LINK_STATUS, code, eg_buf_bytes(&b));
	eg_buf_free(&b);
}

/* The receipt of one batch. outcomes: one letter per record, the last for all that follow: a applied, u
 * unchanged, s stale, q quarantined, r refused. */
static inline void fake_receipt(struct eg_link_call *c, const char *batch_id, size_t n, const char *outcomes)
{
	enum { MOST = 1000 };
	static Eldergate__V1__RecordResult results[MOST], *pointers[MOST];
	static Eldergate__V1__LocalizedText text;
	static Eldergate__V1__Reason error, warning, *reasons[2] = {&warning, &error};
	Eldergate__V1__SubmitResponse m = ELDERGATE__V1__SUBMIT_RESPONSE__INIT;
	Eldergate__V1__Receipt r = ELDERGATE__V1__RECEIPT__INIT;
	eldergate__v1__localized_text__init(&text);
	eldergate__v1__reason__init(&error);
	eldergate__v1__reason__init(&warning);
	text.zh_cn = "证件号码的校验码不正确。";
	error.code = 103;
	error.severity = ELDERGATE__V1__SEVERITY__SEVERITY_ERROR;
	error.field = "registration.id_number";
	error.message = &text;
	warning.code = 205;
	warning.severity = ELDERGATE__V1__SEVERITY__SEVERITY_WARNING;
	for (size_t i = 0; i < n; i++) {
		eldergate__v1__record_result__init(&results[i]);
		pointers[i] = &results[i];
		results[i].index = (uint32_t)i;
		results[i].seq = 100 + i;
		char o = *outcomes;
		if (outcomes[1])
			outcomes++;
		results[i].outcome = (Eldergate__V1__Outcome)(o == 'a'   ? 1
		                                              : o == 'u' ? 2
		                                              : o == 's' ? 3
		                                              : o == 'q' ? 4
		                                              : o == 'r' ? 5
		                                                         : 0);
		if (o == 'q' || o == 'r') {
			results[i].n_reasons = 2;
			results[i].reasons = reasons;
		}
	}
	r.batch_id = (char *)(uintptr_t)batch_id;
	r.n_results = n;
	r.results = pointers;
	m.receipt = &r;
	fake_say(c, &m.base);
}

/* The receipt of the nth message that was sent. */
static inline void fake_answer(struct eg_link_call *c, unsigned nth, const char *outcomes)
{
	Eldergate__V1__SubmitRequest *q = fake_request(c, nth);
	fake_receipt(c, q->batch_id, q->n_records, outcomes);
	eldergate__v1__submit_request__free_unpacked(q, NULL);
}

/* The nth message is refused as a whole. */
static inline void fake_refuse(struct eg_link_call *c, unsigned nth, int code, const char *reason,
                               int retry_s)
{
	struct fake_status s;
	Eldergate__V1__SubmitRequest *q = fake_request(c, nth);
	Eldergate__V1__SubmitResponse m = ELDERGATE__V1__SUBMIT_RESPONSE__INIT;
	Eldergate__V1__Receipt r = ELDERGATE__V1__RECEIPT__INIT;
	fake_make_status(&s, code, reason, retry_s);
	r.batch_id = q->batch_id;
	r.status = &s.status;
	m.receipt = &r;
	fake_say(c, &m.base);
	eldergate__v1__submit_request__free_unpacked(q, NULL);
}

#endif
