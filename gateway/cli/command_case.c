/* command_case: `eldergate case`. */
#include "cli/commands.h"

#include "cli/json.h"
#include "cli/show.h"
#include "eldergate/v1/cases.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SERVICE "/eldergate.v1.CaseService/"
enum { PAGE = 500, KINDS_MAX = 16, PARTIES_MAX = 256, DIGEST_SIZE = 16 };

static char *text_of(const struct cli *c, const char *option)
{
	const char *v = cli_option(c, option);
	return (char *)(uintptr_t)(v ? v : "");
}

static void show_party(const struct cli *c, const Eldergate__V1__CaseParty *p)
{
	struct eg_buf line = {0};
	char section[64], digest[2 * DIGEST_SIZE + 1] = "";
	if (p->digest.len == DIGEST_SIZE)
		eg_hex(p->digest.data, DIGEST_SIZE, digest);
	eg_buf_printf(&line, "  party %u: %s/%s, %s, version %" PRId64 ", entry #%" PRIu64, p->number,
	              p->source ? p->source->agency : "", p->source ? p->source->dataset : "",
	              enum_short(&eldergate__v1__section__descriptor, (int)p->section, section), p->version,
	              p->seq);
	if (*digest)
		eg_buf_printf(&line, ", digest %s", digest);
	if (*p->person_ref)
		eg_buf_printf(&line, ", person %s", p->person_ref);
	show_line(&line);
	for (size_t i = 0; i < p->n_fields; i++) {
		eg_buf_printf(&line, "    %-40s ", p->fields[i]->field);
		show_value(c, &line, p->fields[i]->value);
		show_line(&line);
	}
	eg_buf_free(&line);
}

static void show_list(const Eldergate__V1__ShrunkList *l)
{
	printf("  list %s of %s/%s at %" PRId64 ", entry #%" PRIu64 ": %" PRIu64 " records, covers",
	       l->list_id, l->source ? l->source->agency : "", l->source ? l->source->dataset : "", l->as_of,
	       l->seq, l->received);
	for (size_t i = 0; i < l->n_coverage_regions; i++)
		printf(" %s", l->coverage_regions[i]);
	printf("%s %" PRIu64 " keys\n", l->n_coverage_regions ? "," : "", l->covered);
	printf("  lacks %" PRIu64 " of them (%.2f %%); %" PRIu64 " were withdrawn lately", l->missing,
	       l->covered ? 100.0 * (double)l->missing / (double)l->covered : 0, l->withdrawn_before);
	if (l->keyless)
		printf("; %" PRIu64 " records have no key that could be read", l->keyless);
	putchar('\n');
}

static void show(const struct cli *c, const Eldergate__V1__Case *k)
{
	char kind[64], state[64], time[SHOW_TIME_SIZE];
	printf("case %s  %s  %s  since %s (#%" PRIu64 ")\n", k->case_id,
	       enum_short(&eldergate__v1__case_kind__descriptor, (int)k->kind, kind),
	       enum_short(&eldergate__v1__case_state__descriptor, (int)k->state, state),
	       show_time(c, k->opened_time, time), k->opened_seq);
	for (size_t i = 0; i < k->n_parties; i++)
		show_party(c, k->parties[i]);
	if (k->n_possible_decisions)
		printf("  can be decided:");
	for (size_t i = 0; i < k->n_possible_decisions; i++)
		printf(" %s", enum_short(&eldergate__v1__decision_kind__descriptor,
		                         (int)k->possible_decisions[i], kind));
	if (k->n_possible_decisions)
		putchar('\n');
	if (k->closed_seq)
		printf("  closed %s (#%" PRIu64 ")%s%s%s%s\n", show_time(c, k->closed_time, time),
		       k->closed_seq, k->decision ? ": " : "",
		       k->decision
		               ? enum_short(&eldergate__v1__decision_kind__descriptor, (int)k->decision, kind)
		               : "",
		       *k->decided_by ? " by " : "", k->decided_by);
	if (k->list)
		show_list(k->list);
	if (*k->note)
		printf("  note: %s\n", k->note);
}

static enum eg_rc print(const struct cli *c, const Eldergate__V1__Case *k, struct eg_err *err)
{
	if (!k)
		return eg_fail(err, EG_INTERNAL, "the gateway's answer holds no case");
	if (c->json)
		return cli_json(&k->base, err);
	show(c, k);
	return EG_OK;
}

enum eg_rc case_list(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__ListCasesRequest request = ELDERGATE__V1__LIST_CASES_REQUEST__INIT;
	Eldergate__V1__CaseKind kinds[KINDS_MAX];
	const char *state = cli_option(c, "state"), *kind;
	char token[256] = "";
	int64_t max, shown = 0;
	int value = 0;
	bool more = true;
	enum eg_rc rc = cli_number(c, "max", INT64_MAX, 1, INT64_MAX, &max, err);
	if (!rc && state)
		rc = read_enum(&eldergate__v1__case_state__descriptor, state, &value, err);
	request.state = (Eldergate__V1__CaseState)value;
	request.kinds = kinds;
	while (!rc && request.n_kinds < KINDS_MAX && (kind = cli_nth(c, "kind", (unsigned)request.n_kinds))) {
		rc = read_enum(&eldergate__v1__case_kind__descriptor, kind, &value, err);
		kinds[request.n_kinds++] = (Eldergate__V1__CaseKind)value;
	}
	request.page_size = PAGE;
	while (!rc && more) {
		ProtobufCMessage *answer = NULL;
		request.page_token = token;
		rc = cli_call(c, SERVICE "ListCases", &request.base,
		              &eldergate__v1__list_cases_response__descriptor, &answer, err);
		if (rc)
			break;
		const Eldergate__V1__ListCasesResponse *page =
		        (const Eldergate__V1__ListCasesResponse *)answer;
		for (size_t i = 0; i < page->n_cases && !rc && shown < max; i++, shown++)
			rc = print(c, page->cases[i], err);
		snprintf(token, sizeof token, "%s", page->next_page_token);
		more = *token && shown < max;
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	if (!rc && !shown && !c->json)
		printf("no cases\n");
	return rc;
}

enum eg_rc case_show(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetCaseRequest request = ELDERGATE__V1__GET_CASE_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	request.case_id = (char *)(uintptr_t)c->arguments[0];
	request.purpose = (char *)(uintptr_t)cli_purpose(c);
	request.legal_basis = text_of(c, "legal-basis");
	enum eg_rc rc = cli_call(c, SERVICE "GetCase", &request.base,
	                         &eldergate__v1__get_case_response__descriptor, &answer, err);
	if (rc)
		return rc;
	rc = print(c, ((const Eldergate__V1__GetCaseResponse *)answer)->found, err);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}

/* ---- resolve ---- */

static enum eg_rc read_parties(const struct cli *c, uint32_t parties[PARTIES_MAX], size_t *n,
                               struct eg_err *err)
{
	const char *text;
	for (*n = 0; *n < PARTIES_MAX && (text = cli_nth(c, "party", (unsigned)*n)); ++*n) {
		char *end = NULL;
		unsigned long v = strtoul(text, &end, 10);
		if (!v || *end || v > UINT32_MAX)
			return eg_fail(err, EG_USAGE,
			               "--party wants the number of a party, as `case show` tells it");
		parties[*n] = (uint32_t)v;
	}
	return EG_OK;
}

enum eg_rc case_resolve(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__ResolveCaseRequest request = ELDERGATE__V1__RESOLVE_CASE_REQUEST__INIT;
	Eldergate__V1__LinkDecision link = ELDERGATE__V1__LINK_DECISION__INIT;
	Eldergate__V1__KeepApartDecision apart = ELDERGATE__V1__KEEP_APART_DECISION__INIT;
	Eldergate__V1__UpholdDecision uphold = ELDERGATE__V1__UPHOLD_DECISION__INIT;
	Eldergate__V1__ApproveDecision approve = ELDERGATE__V1__APPROVE_DECISION__INIT;
	Eldergate__V1__RefuseDecision refuse = ELDERGATE__V1__REFUSE_DECISION__INIT;
	const char *digest = cli_option(c, "uphold");
	bool links = cli_switch(c, "link"), parts = cli_switch(c, "apart"),
	     approves = cli_switch(c, "approve"), refuses = cli_switch(c, "refuse");
	ProtobufCMessage *answer = NULL;
	uint32_t parties[PARTIES_MAX];
	uint8_t bytes[DIGEST_SIZE];
	size_t n;
	enum eg_rc rc = read_parties(c, parties, &n, err);
	if (!rc && links + parts + approves + refuses + (digest != NULL) != 1)
		rc = eg_fail(err, EG_USAGE,
		             "decide by one of --link, --apart, --uphold DIGEST, --approve and --refuse");
	if (!rc && digest)
		rc = read_hex(digest, "the digest", bytes, sizeof bytes, err);
	if (rc)
		return rc;
	if (links) {
		link.parties = parties;
		link.n_parties = n;
		link.person_ref = text_of(c, "person");
		request.decision_case = ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_LINK;
		request.link = &link;
	} else if (parts) {
		apart.parties = parties;
		apart.n_parties = n;
		request.decision_case = ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_KEEP_APART;
		request.keep_apart = &apart;
	} else if (approves) {
		request.decision_case = ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_APPROVE;
		request.approve = &approve;
	} else if (refuses) {
		request.decision_case = ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_REFUSE;
		request.refuse = &refuse;
	} else {
		uphold.digest = (ProtobufCBinaryData){sizeof bytes, bytes};
		request.decision_case = ELDERGATE__V1__RESOLVE_CASE_REQUEST__DECISION_UPHOLD;
		request.uphold = &uphold;
	}
	request.case_id = (char *)(uintptr_t)c->arguments[0];
	request.note = text_of(c, "note");
	rc = cli_call(c, SERVICE "ResolveCase", &request.base,
	              &eldergate__v1__resolve_case_response__descriptor, &answer, err);
	if (rc)
		return rc;
	const Eldergate__V1__ResolveCaseResponse *r = (const Eldergate__V1__ResolveCaseResponse *)answer;
	if (!c->json)
		printf("decided, entry #%" PRIu64 "\n", r->seq);
	rc = c->json ? cli_json(answer, err) : print(c, r->resolved, err);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}
