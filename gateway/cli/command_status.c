/* command_status: `eldergate status`. */
#include "cli/commands.h"

#include "cli/json.h"
#include "cli/show.h"
#include "eldergate/v1/admin.pb-c.h"

#include <inttypes.h>
#include <stdio.h>

#define METHOD "/eldergate.v1.AdminService/GetStatus"

static int64_t seconds(const Google__Protobuf__Duration *d)
{
	return d ? d->seconds : 0;
}

static void show_span(char out[32], int64_t s)
{
	if (s >= 2 * 86400)
		snprintf(out, 32, "%" PRId64 " d", s / 86400);
	else if (s >= 2 * 3600)
		snprintf(out, 32, "%" PRId64 " h", s / 3600);
	else if (s >= 120)
		snprintf(out, 32, "%" PRId64 " min", s / 60);
	else
		snprintf(out, 32, "%" PRId64 " s", s);
}

static void show_dataset(const Eldergate__V1__DatasetStatus *d)
{
	char lag[32], rhythm[32], name[160];
	show_span(lag, seconds(d->lag));
	show_span(rhythm, seconds(d->rhythm));
	snprintf(name, sizeof name, "%s/%s", d->source ? d->source->agency : "",
	         d->source ? d->source->dataset : "");
	printf("  %-32s %10" PRId64 " records %8" PRId64 " rejects  lag %s", name, d->records, d->rejects,
	       d->lag ? lag : "-");
	if (d->rhythm)
		printf(" of %s%s", rhythm,
		       d->punctuality == ELDERGATE__V1__PUNCTUALITY__PUNCTUALITY_LATE     ? "  LATE"
		       : d->punctuality == ELDERGATE__V1__PUNCTUALITY__PUNCTUALITY_SILENT ? "  SILENT"
		                                                                          : "");
	putchar('\n');
}

static void show_list(const Eldergate__V1__ListStatus *l)
{
	const Eldergate__V1__ReconcileProgress *p = l->progress;
	char phase[64];
	printf("  %s/%s %s: %s", l->source ? l->source->agency : "", l->source ? l->source->dataset : "",
	       l->list_id, p ? enum_short(&eldergate__v1__list_phase__descriptor, (int)p->phase, phase) : "");
	if (p)
		printf(", %" PRIu64 " received, %" PRIu64 " compared, %" PRIu64 " applied, of %" PRIu64,
		       p->received, p->compared, p->applied, p->of);
	printf("%s%s%s\n", l->dry_run ? ", dry run" : "", *l->reason ? ": " : "", l->reason);
}

static void show(const struct cli *c, const Eldergate__V1__GetStatusResponse *s)
{
	char time[SHOW_TIME_SIZE], age[32];
	printf("eldergated %s, since %s\n", s->version, show_time(c, s->start_time, time));
	printf("log %s\n", s->log_id);
	printf("  head #%" PRIu64 " of %s\n", s->head_seq, show_time(c, s->head_time, time));
	printf("  checkpoint of %" PRIu64 " entries, %s\n", s->checkpoint_size,
	       show_time(c, s->checkpoint_time, time));
	printf("persons %" PRId64 ", open cases %" PRId64 ", subscribers %" PRId64 "\n", s->persons,
	       s->open_cases, s->subscribers);
	printf("policy version %" PRId64 ", write-ahead log %.1f MiB\n", s->policy_version,
	       (double)s->wal_bytes / 1048576);
	printf("datasets\n");
	for (size_t i = 0; i < s->n_datasets; i++)
		show_dataset(s->datasets[i]);
	if (s->n_lists)
		printf("full lists\n");
	for (size_t i = 0; i < s->n_lists; i++)
		show_list(s->lists[i]);
	printf("readers\n");
	for (size_t i = 0; i < s->n_marks; i++) {
		show_span(age, seconds(s->marks[i]->oldest_age));
		printf("  %-32s at #%" PRIu64 ", %" PRIu64 " behind, oldest %s\n", s->marks[i]->name,
		       s->marks[i]->seq, s->marks[i]->behind, age);
	}
	printf("waiting for the writer\n");
	for (size_t i = 0; i < s->n_lanes; i++)
		printf("  %-32s %" PRId64 " tickets, %" PRId64 " bytes\n", s->lanes[i]->name,
		       s->lanes[i]->items, s->lanes[i]->bytes);
	if (s->relay)
		printf("kafka %s%s%s%s\n", s->relay->connected ? "connected" : "NOT CONNECTED",
		       s->relay->development_broker ? " to the development broker, which keeps nothing" : "",
		       *s->relay->last_error ? "; last error: " : "", s->relay->last_error);
}

enum eg_rc status(struct cli *c, struct eg_err *err)
{
	Eldergate__V1__GetStatusRequest request = ELDERGATE__V1__GET_STATUS_REQUEST__INIT;
	ProtobufCMessage *answer = NULL;
	enum eg_rc rc = cli_call(c, METHOD, &request.base, &eldergate__v1__get_status_response__descriptor,
	                         &answer, err);
	if (rc)
		return rc;
	if (c->json)
		rc = cli_json(answer, err);
	else
		show(c, (const Eldergate__V1__GetStatusResponse *)answer);
	protobuf_c_message_free_unpacked(answer, NULL);
	return rc;
}
