/* command_rejects: `eldergate rejects`. */
#include "cli/commands.h"

#include "cli/json.h"
#include "cli/show.h"
#include "eldergate/v1/exchange.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define METHOD "/eldergate.v1.ExchangeService/ListRejects"
enum { PAGE = 500 };

static void show(const struct cli *c, const Eldergate__V1__Reject *r)
{
	struct eg_buf line = {0};
	char time[SHOW_TIME_SIZE], state[64];
	eg_buf_printf(&line, "#%" PRIu64 "  %s/%s version %" PRId64 "  %s  %s", r->reject_seq, r->dataset,
	              r->source_key, r->version, show_time(c, r->time, time),
	              enum_short(&eldergate__v1__reject_state__descriptor, (int)r->state, state));
	show_line(&line);
	for (size_t i = 0; i < r->n_reasons; i++) {
		eg_buf_printf(&line, "    ");
		if (r->reasons[i]->reason)
			show_reason(c, &line, r->reasons[i]->reason);
		show_line(&line);
		eg_buf_printf(&line, "      %s", r->reasons[i]->remedy);
		show_line(&line);
	}
	for (size_t i = 0; i < r->n_case_ids; i++) {
		eg_buf_printf(&line, "    case %s", r->case_ids[i]);
		show_line(&line);
	}
	eg_buf_free(&line);
}

/* Calls for every page until `max` were shown (0: all), or the one with this seq. */
static enum eg_rc list(struct cli *c, Eldergate__V1__ListRejectsRequest *request, uint64_t only, int64_t max,
                       int64_t *shown, struct eg_err *err)
{
	char token[256] = "";
	enum eg_rc rc = EG_OK;
	bool more = true;
	request->page_size = PAGE;
	while (!rc && more) {
		ProtobufCMessage *answer = NULL;
		request->page_token = token;
		rc = cli_call(c, METHOD, &request->base, &eldergate__v1__list_rejects_response__descriptor,
		              &answer, err);
		if (rc)
			break;
		const Eldergate__V1__ListRejectsResponse *page =
		        (const Eldergate__V1__ListRejectsResponse *)answer;
		for (size_t i = 0; i < page->n_rejects && !rc && (!max || *shown < max); i++) {
			if (only && page->rejects[i]->reject_seq != only)
				continue;
			++*shown;
			if (c->json)
				rc = cli_json(&page->rejects[i]->base, err);
			else
				show(c, page->rejects[i]);
		}
		snprintf(token, sizeof token, "%s", page->next_page_token);
		more = *token && (!max || *shown < max);
		protobuf_c_message_free_unpacked(answer, NULL);
	}
	return rc;
}

enum eg_rc rejects_list(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__ListRejectsRequest request = ELDERGATE__V1__LIST_REJECTS_REQUEST__INIT;
	const char *state = cli_option(c, "state"), *dataset = cli_option(c, "dataset");
	int64_t max, shown = 0;
	int value = 0;
	enum eg_rc rc = cli_number(c, "max", 0, 1, INT64_MAX, &max, err);
	if (!rc && state)
		rc = read_enum(&eldergate__v1__reject_state__descriptor, state, &value, err);
	if (rc)
		return rc;
	request.state = (Eldergate__V1__RejectState)value;
	if (dataset)
		request.dataset = (char *)(uintptr_t)dataset;
	rc = list(c, &request, 0, max, &shown, err);
	if (!rc && !shown && !c->json)
		printf("no rejects\n");
	return rc;
}

enum eg_rc rejects_show(struct cli *c, struct eg_err *err)
{
	static const Eldergate__V1__RejectState states[] = {
	        ELDERGATE__V1__REJECT_STATE__REJECT_STATE_OPEN,
	        ELDERGATE__V1__REJECT_STATE__REJECT_STATE_CORRECTED,
	        ELDERGATE__V1__REJECT_STATE__REJECT_STATE_DECIDED};
	char *end = NULL;
	uint64_t seq = strtoull(c->arguments[0], &end, 10);
	int64_t shown = 0;
	enum eg_rc rc = EG_OK;
	if (!seq || *end)
		return eg_fail(err, EG_USAGE, "SEQ is the number of a reject, such as 1047");
	for (unsigned i = 0; i < 3 && !rc && !shown; i++) {
		Eldergate__V1__ListRejectsRequest request = ELDERGATE__V1__LIST_REJECTS_REQUEST__INIT;
		request.state = states[i];
		rc = list(c, &request, seq, 0, &shown, err);
	}
	if (!rc && !shown)
		rc = eg_fail(err, EG_NOT_FOUND, "there is no reject #%" PRIu64 " of yours", seq);
	return rc;
}
