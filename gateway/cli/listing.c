/* listing: see listing.h. Locks: none: the receiver's results are looked at after it was joined. */
#include "cli/listing.h"

#include "base/thread.h"
#include "cli/cli.h"
#include "cli/status.h"
#include "trust/crypto.h"

#include <string.h>

#define METHOD "/eldergate.v1.ExchangeService/Reconcile"

/* ReconcileRequest.records, and ReconcileRecords.records: length-delimited. */
enum { STEP_TAG = 0x12, RECORD_TAG = 0x0A, VARINT_MAX = 10 };

struct listing {
	const struct listing_options *o;
	struct rpc_stream *stream;
	struct eg_hash *hash;
	uint64_t records;
	/* the receiver's until it is joined */
	Eldergate__V1__ReconcileReport *report;
	struct eg_refusal end;
};

static void add_varint(struct eg_buf *b, uint64_t v)
{
	for (; v > 0x7F; v >>= 7)
		eg_buf_add_u8(b, (uint8_t)(v | 0x80));
	eg_buf_add_u8(b, (uint8_t)v);
}

/* ---- hearing ---- */

static void hear(struct listing *l, Eldergate__V1__ReconcileResponse *m)
{
	switch (m->told_case) {
	case ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_PROGRESS:
		l->o->progress(l->o->arg, m->progress);
		return;
	case ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REJECTS:
		l->o->rejects(l->o->arg, m->rejects);
		return;
	case ELDERGATE__V1__RECONCILE_RESPONSE__TOLD_REPORT:
		l->report = m->report; /* kept: taken out of the message */
		m->told_case = ELDERGATE__V1__RECONCILE_RESPONSE__TOLD__NOT_SET;
		m->report = NULL;
		return;
	default:
		return;
	}
}

static void receive(void *arg)
{
	struct listing *l = arg;
	struct eg_buf message = {0};
	struct rpc_status status = {0};
	while (rpc_receive(l->stream, INT64_MAX, &message, &status) == RPC_MESSAGE) {
		Eldergate__V1__ReconcileResponse *m =
		        eldergate__v1__reconcile_response__unpack(NULL, message.len, message.p);
		if (!m || l->report)
			rpc_cancel(l->stream);
		else
			hear(l, m);
		eldergate__v1__reconcile_response__free_unpacked(m, NULL);
	}
	refusal_of_status(&status, &l->end);
	rpc_status_free(&status);
	eg_buf_free(&message);
}

/* ---- sending ---- */

static enum eg_rc send_step(struct listing *l, Eldergate__V1__ReconcileRequest *m, bool *sent,
                            struct eg_err *err)
{
	struct eg_buf bytes = {0};
	enum eg_rc rc = pack(&m->base, &bytes, err);
	if (!rc)
		*sent = rpc_send(l->stream, eg_buf_bytes(&bytes));
	eg_buf_free(&bytes);
	return rc;
}

/* The records of one message as they stand, behind their head. */
static enum eg_rc send_records(struct listing *l, const struct eg_buf *body, bool *sent, struct eg_err *err)
{
	struct eg_buf bytes = {0};
	eg_buf_add_u8(&bytes, STEP_TAG);
	add_varint(&bytes, body->len);
	eg_buf_add(&bytes, body->p, body->len);
	if (bytes.failed)
		return eg_fail(err, EG_NO_MEMORY, "no memory for the records of a list");
	*sent = rpc_send(l->stream, eg_buf_bytes(&bytes));
	eg_buf_free(&bytes);
	if (*sent && l->o->sent)
		l->o->sent(l->o->arg, l->records);
	return EG_OK;
}

static void add_record(struct listing *l, struct eg_buf *body, const struct eg_buf *record)
{
	const uint8_t len[4] = {(uint8_t)(record->len >> 24), (uint8_t)(record->len >> 16),
	                        (uint8_t)(record->len >> 8), (uint8_t)record->len};
	const struct eg_bytes parts[] = {{len, sizeof len}, {record->p, record->len}};
	eg_hash_add(l->hash, parts, 2);
	eg_buf_add_u8(body, RECORD_TAG);
	add_varint(body, record->len);
	eg_buf_add(body, record->p, record->len);
	l->records++;
}

static enum eg_rc send_all(struct listing *l, bool *sent, struct eg_err *err)
{
	struct eg_buf body = {0}, record = {0};
	unsigned n = 0;
	enum eg_rc rc = EG_OK;
	while (!rc && *sent) {
		eg_buf_reset(&record);
		rc = l->o->next(l->o->arg, &record, err);
		bool full = n == LISTING_RECORDS || body.len + record.len + VARINT_MAX + 1 > LISTING_BYTES;
		if (n && (rc == EG_EMPTY || (!rc && full))) {
			enum eg_rc failed = send_records(l, &body, sent, err);
			rc = failed ? failed : rc;
			eg_buf_reset(&body);
			n = 0;
		}
		if (!rc) {
			add_record(l, &body, &record);
			n++;
		}
		if (!rc && (body.failed || record.failed))
			rc = eg_fail(err, EG_NO_MEMORY, "no memory for the records of a list");
	}
	eg_buf_free(&body);
	eg_buf_free(&record);
	return rc == EG_EMPTY ? EG_OK : rc;
}

static enum eg_rc send_list(struct listing *l, bool *sent, struct eg_err *err)
{
	Eldergate__V1__ReconcileRequest m = ELDERGATE__V1__RECONCILE_REQUEST__INIT;
	Eldergate__V1__ReconcileEnd end = ELDERGATE__V1__RECONCILE_END__INIT;
	uint8_t digest[EG_HASH_SIZE];
	m.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_BEGIN;
	m.begin = (Eldergate__V1__ReconcileBegin *)(uintptr_t)l->o->begin;
	enum eg_rc rc = send_step(l, &m, sent, err);
	if (!rc && *sent)
		rc = send_all(l, sent, err);
	if (rc || !*sent)
		return rc;
	eg_hash_end(l->hash, digest);
	end.count = l->records;
	end.digest = (ProtobufCBinaryData){sizeof digest, digest};
	m.step_case = ELDERGATE__V1__RECONCILE_REQUEST__STEP_END;
	m.end = &end;
	rc = send_step(l, &m, sent, err);
	if (!rc && *sent)
		*sent = rpc_half_close(l->stream);
	return rc;
}

enum eg_rc listing_send(const struct listing_options *o, Eldergate__V1__ReconcileReport **report,
                        struct eg_err *err)
{
	struct listing l = {.o = o};
	struct eg_thread *receiver = NULL;
	bool sent = true;
	*report = NULL;
	enum eg_rc rc = eg_crypto_open(err);
	if (rc)
		return rc;
	l.hash = eg_hash_new(EG_HASH_SHA256);
	rc = rpc_stream_open(o->client, METHOD, &l.stream, err);
	if (!rc)
		rc = eg_thread_start(&receiver, "list-told", receive, &l, err);
	if (!rc)
		rc = send_list(&l, &sent, err);
	if (rc && l.stream)
		rpc_cancel(l.stream);
	eg_thread_join(receiver);
	rpc_stream_close(l.stream);
	eg_hash_free(l.hash);
	if (!rc && l.end.rc)
		rc = refusal_fail(&l.end, err);
	else if (!rc && !l.report)
		rc = eg_fail(err, EG_UNAVAILABLE, "the gateway ended the stream without a report");
	if (rc && l.report)
		eldergate__v1__reconcile_report__free_unpacked(l.report, NULL);
	else
		*report = l.report;
	return rc;
}
