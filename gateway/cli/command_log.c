/* command_log: what `eldergate log` asks of a running gateway; `log verify` and `log key` work offline
 * (verify.c). */
#include "cli/commands.h"

#include "cli/file.h"
#include "cli/json.h"
#include "cli/show.h"
#include "cli/verdict.h"
#include "eldergate/v1/audit.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "/eldergate.v1.AuditService/"
enum { PAGE = 500, DEFAULT_MAX = 100, KINDS_MAX = 16, NOTE_MAX = 1 << 16 };

static char *text_of(const struct cli *c, const char *option)
{
	const char *v = cli_option(c, option);
	return (char *)(uintptr_t)(v ? v : "");
}

static enum eg_rc seq_of(const char *text, uint64_t *out, struct eg_err *err)
{
	char *end = NULL;
	*out = strtoull(text, &end, 10);
	return *out && !*end ? EG_OK : eg_fail(err, EG_USAGE, "'%.40s' is no number of an entry", text);
}

/* ---- search ---- */

struct search {
	Eldergate__V1__SearchLogRequest request;
	Google__Protobuf__Timestamp from, before;
	Eldergate__V1__EntryKind kinds[KINDS_MAX];
};

static enum eg_rc read_search(const struct cli *c, struct search *s, struct eg_err *err)
{
	const char *from = cli_option(c, "from"), *before = cli_option(c, "before"), *kind;
	const char *outcome = cli_option(c, "outcome"), *reason = cli_option(c, "reason");
	int64_t after, to;
	int value;
	enum eg_rc rc;
	eldergate__v1__search_log_request__init(&s->request);
	if ((rc = cli_number(c, "after", 0, 0, INT64_MAX, &after, err)) ||
	    (rc = cli_number(c, "to", 0, 1, INT64_MAX, &to, err)) ||
	    (from && (rc = read_time(from, &s->from, err))) ||
	    (before && (rc = read_time(before, &s->before, err))))
		return rc;
	s->request.after_seq = (uint64_t)after;
	s->request.to_seq = (uint64_t)to;
	s->request.from_time = from ? &s->from : NULL;
	s->request.to_time = before ? &s->before : NULL;
	s->request.kinds = s->kinds;
	while (s->request.n_kinds < KINDS_MAX && (kind = cli_nth(c, "kind", (unsigned)s->request.n_kinds))) {
		if ((rc = read_enum(&eldergate__v1__entry_kind__descriptor, kind, &value, err)))
			return rc;
		s->kinds[s->request.n_kinds++] = (Eldergate__V1__EntryKind)value;
	}
	if (outcome) {
		if ((rc = read_enum(&eldergate__v1__outcome__descriptor, outcome, &value, err)))
			return rc;
		s->request.outcome = (Eldergate__V1__Outcome)value;
	}
	if (reason) {
		if ((rc = read_enum(&eldergate__v1__reason_code__descriptor, reason, &value, err)))
			return rc;
		s->request.reason = (Eldergate__V1__ReasonCode)value;
	}
	s->request.agency = text_of(c, "agency");
	s->request.operator_ = text_of(c, "operator");
	s->request.dataset = text_of(c, "dataset");
	s->request.batch_id = text_of(c, "batch");
	s->request.purpose = text_of(c, "for-purpose");
	s->request.page_size = PAGE;
	return EG_OK;
}

enum eg_rc log_search(struct cli *c, struct eg_err *err)
{
	struct search s;
	struct eg_buf line = {0};
	char token[256] = "";
	int64_t max, shown = 0;
	bool more = true;
	enum eg_rc rc = cli_number(c, "max", DEFAULT_MAX, 1, INT64_MAX, &max, err);
	if (!rc)
		rc = read_search(c, &s, err);
	while (!rc && more) {
		ProtobufCMessage *answer = NULL;
		s.request.page_token = token;
		rc = cli_call(c, SERVICE "SearchLog", &s.request.base,
		              &eldergate__v1__search_log_response__descriptor, &answer, err);
		if (rc)
			break;
		const Eldergate__V1__SearchLogResponse *page =
		        (const Eldergate__V1__SearchLogResponse *)answer;
		for (size_t i = 0; i < page->n_headers && !rc && shown < max; i++, shown++) {
			if (c->json) {
				rc = cli_json(&page->headers[i]->base, err);
				continue;
			}
			show_header(c, &line, page->headers[i]);
			show_line(&line);
		}
		snprintf(token, sizeof token, "%s", page->next_page_token);
		more = *token && shown < max;
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	eg_buf_free(&line);
	return rc;
}

/* ---- show ---- */

static void show_part(const char *name, const Eldergate__V1__EntryPart *p)
{
	char state[64], hex[2 * EG_HASH_SIZE + 1] = "";
	if (!p || p->state <= ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_NONE)
		return;
	if (p->commitment.len == EG_HASH_SIZE)
		eg_hex(p->commitment.data, EG_HASH_SIZE, hex);
	printf("  %-7s %s, commitment %s\n", name,
	       enum_short(&eldergate__v1__entry_part_state__descriptor, (int)p->state, state), hex);
	if (p->state != ELDERGATE__V1__ENTRY_PART_STATE__ENTRY_PART_STATE_OPEN)
		return;
	printf("          text ");
	for (size_t i = 0; i < p->text.len; i++)
		printf("%02x", p->text.data[i]);
	putchar('\n');
}

enum eg_rc log_show(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetEntryRequest request = ELDERGATE__V1__GET_ENTRY_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct eg_buf line = {0};
	char hex[2 * EG_HASH_SIZE + 1] = "";
	enum eg_rc rc = seq_of(c->arguments[0], &request.seq, err);
	if (rc)
		return rc;
	request.open_parts = cli_switch(c, "open");
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	request.legal_basis = text_of(c, "legal-basis");
	rc = cli_call(c, SERVICE "GetEntry", &request.base, &eldergate__v1__get_entry_response__descriptor,
	              &answer, err);
	if (rc)
		return rc;
	const Eldergate__V1__GetEntryResponse *r = (const Eldergate__V1__GetEntryResponse *)answer;
	if (c->json) {
		rc = cli_json(answer, err);
	} else if (r->header) {
		show_header(c, &line, r->header);
		show_line(&line);
		if (r->leaf_data.len == EG_HASH_SIZE)
			eg_hex(r->leaf_data.data, EG_HASH_SIZE, hex);
		printf("  entry   %s\n  leaf    %s\n", r->header->entry_id, hex);
		show_part("claim", r->claim);
		show_part("effect", r->effect);
	}
	protobuf_c_message_free_unpacked(answer, NULL);
	eg_buf_free(&line);
	return rc;
}

/* ---- proofs ---- */

static enum eg_rc keep(const struct cli *c, const char *text, struct eg_err *err)
{
	const char *out = cli_option(c, "out");
	return out ? file_replace(out, eg_bytes_of(text), 0644, err) : EG_OK;
}

enum eg_rc log_proof(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetInclusionProofRequest request = ELDERGATE__V1__GET_INCLUSION_PROOF_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	const char *vkey = cli_option(c, "vkey");
	int64_t size;
	enum eg_rc rc = seq_of(c->arguments[0], &request.seq, err);
	if (!rc)
		rc = cli_number(c, "size", 0, 1, INT64_MAX, &size, err);
	if (rc)
		return rc;
	request.tree_size = (uint64_t)size;
	rc = cli_call(c, SERVICE "GetInclusionProof", &request.base,
	              &eldergate__v1__get_inclusion_proof_response__descriptor, &answer, err);
	if (rc)
		return rc;
	const Eldergate__V1__GetInclusionProofResponse *p =
	        (const Eldergate__V1__GetInclusionProofResponse *)answer;
	rc = verdict_inclusion(p, request.seq, vkey, err);
	if (!rc)
		rc = keep(c, p->proof_file, err);
	if (!rc && c->json)
		rc = cli_json(answer, err);
	else if (!rc)
		printf("entry #%" PRIu64 " is in the tree of %" PRIu64
		       " entries: %zu hashes lead to the root that the "
		       "checkpoint states%s\n",
		       request.seq, p->tree_size, p->n_hashes,
		       vkey ? ", and its signature is good"
		            : " (its signature was not checked: give --vkey)");
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc log_checkpoint(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetCheckpointRequest request = ELDERGATE__V1__GET_CHECKPOINT_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	struct eg_checkpoint checkpoint;
	enum eg_rc rc = cli_call(c, SERVICE "GetCheckpoint", &request.base,
	                         &eldergate__v1__get_checkpoint_response__descriptor, &answer, err);
	if (rc)
		return rc;
	const Eldergate__V1__GetCheckpointResponse *p = (const Eldergate__V1__GetCheckpointResponse *)answer;
	rc = verdict_checkpoint(eg_bytes_of(p->note), cli_option(c, "vkey"), &checkpoint, err);
	if (!rc)
		rc = keep(c, p->note, err);
	if (!rc && c->json)
		rc = cli_json(answer, err);
	else if (!rc)
		printf("%s", p->note);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

enum eg_rc log_consistency(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetConsistencyProofRequest request =
	        ELDERGATE__V1__GET_CONSISTENCY_PROOF_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	const char *vkey = cli_option(c, "vkey");
	struct eg_checkpoint kept, now;
	struct eg_buf note = {0};
	enum eg_rc rc = file_read(c->arguments[0], NOTE_MAX, &note, err);
	if (!rc)
		rc = verdict_checkpoint(eg_buf_bytes(&note), vkey, &kept, err);
	request.first_size = rc ? 0 : kept.size;
	if (!rc)
		rc = cli_call(c, SERVICE "GetConsistencyProof", &request.base,
		              &eldergate__v1__get_consistency_proof_response__descriptor, &answer, err);
	if (!rc)
		rc = verdict_consistency((const Eldergate__V1__GetConsistencyProofResponse *)answer, &kept,
		                         vkey, &now, err);
	if (!rc && c->json)
		rc = cli_json(answer, err);
	else if (!rc)
		printf("the log of %" PRIu64 " entries begins with the %" PRIu64
		       " entries of the kept checkpoint\n",
		       now.size, kept.size);
	protobuf_c_message_free_unpacked(answer, NULL);
	eg_buf_free(&note);
	return rc;
}
