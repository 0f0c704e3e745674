/* command_check: is the mapping right, and does it fit the source? Nothing is changed or sent. */
#include "common/commands.h"

#include "base/clock.h"
#include "common/ask.h"
#include "common/checkpoint.h"
#include "common/follow.h"
#include "common/limits.h"
#include "common/tally.h"
#include "eldergate/link.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SILENCE_US   (30 * EG_SECOND) /* a source that hands out nothing for so long */
#define LIST_CHANGES "/eldergate.v1.FeedService/ListChanges"
#define GATEWAY_US   (10 * EG_SECOND)

struct dry {
	uint64_t rows, good, skipped, bad, lists;
	struct eg_tally tally;
};

static enum eg_rc take(struct dry *d, struct eg_mapper *mapper, const struct eg_in *in, struct eg_err *err)
{
	struct eg_mapped row;
	struct eg_list_scope scope;
	enum eg_rc rc;
	if (in->kind == EG_IN_LIST_BEGIN) {
		d->lists++;
		return eg_mapper_list(mapper, in, &scope, err);
	}
	if (in->kind == EG_IN_BAD) {
		struct eg_row_fault f = {
		        .code = "MALFORMED_ROW", .field = "", .column = "", .text = "", .en = in->reason};
		d->rows++;
		d->bad++;
		eg_tally_fault(&d->tally, &f, in->place, in->line);
		return EG_OK;
	}
	if (in->kind != EG_IN_ROW)
		return EG_OK;
	d->rows++;
	rc = eg_mapper_row(mapper, in, &row, err);
	if (rc == EG_INVALID) {
		d->bad++;
		for (unsigned i = 0; i < row.n_faults; i++)
			eg_tally_fault(&d->tally, &row.faults[i], in->place, in->line);
		return EG_OK;
	}
	d->skipped += !rc && row.skipped;
	d->good += !rc && !row.skipped;
	return rc;
}

static enum eg_rc pull(struct dry *d, const struct eg_mapping *m, struct eg_connector *c, uint64_t most,
                       struct eg_err *err)
{
	const struct eg_connector_type *type = eg_mapping_info(m)->connector;
	struct eg_mapper *mapper;
	struct eg_in in = {0};
	int64_t deadline = eg_mono_us() + SILENCE_US;
	enum eg_rc rc = eg_mapper_new(&mapper, m, err);
	if (rc)
		return rc;
	while (!rc && d->rows < most && in.kind != EG_IN_END) {
		rc = type->next(c, deadline, &in, err);
		if (rc == EG_EMPTY) { /* a source that cannot say that it has no more */
			rc = EG_OK;
			if (eg_mono_us() >= deadline)
				break;
			continue;
		}
		if (!rc)
			rc = take(d, mapper, &in, err);
		deadline = eg_mono_us() + SILENCE_US;
	}
	eg_mapper_free(mapper);
	return rc;
}

/* With a checkpoint of its own, so that it reads from the beginning and the adapter may run meanwhile. */
static enum eg_rc check_source(const struct eg_command_options *o, const struct eg_mapping *m,
                               struct eg_err *err)
{
	char dir[] = "/tmp/eldergate-check-XXXXXX", path[64];
	static struct dry d; /* large */
	struct eg_checkpoint *checkpoint = NULL;
	struct eg_connector *c = NULL;
	const struct eg_mapping_info *info = eg_mapping_info(m);
	if (!mkdtemp(dir))
		return eg_fail_errno(err, "a folder for the dry run");
	enum eg_rc rc = eg_checkpoint_open(&checkpoint, dir, err);
	struct eg_connector_options co = {.settings = info->source,
	                                  .checkpoint = checkpoint,
	                                  .prefix = "source/",
	                                  .revision = info->revision,
	                                  .once = true,
	                                  .dry = true};
	if (!rc)
		rc = info->connector->open_source(&c, &co, err);
	if (!rc)
		rc = pull(&d, m, c, o->rows, err);
	info->connector->close(c);
	eg_checkpoint_close(checkpoint);
	static const char *const files[] = {"checkpoint", "checkpoint.new", "lock"};
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	printf("source: %llu rows read: %llu good, %llu not for this dataset, %llu would be refused here\n",
	       (unsigned long long)d.rows, (unsigned long long)d.good, (unsigned long long)d.skipped,
	       (unsigned long long)d.bad);
	if (d.lists)
		printf("        %llu full lists among them\n", (unsigned long long)d.lists);
	eg_tally_print(&d.tally, stdout);
	return rc;
}

/* Asks for the changes since now, which are none: is the agency given any, for this purpose? */
static enum eg_rc ask_for_changes(struct eg_link *link, const struct eg_mapping *m, struct eg_err *err)
{
	Eldergate__V1__FeedStart start = ELDERGATE__V1__FEED_START__INIT;
	struct eg_ask ask = {0};
	struct eg_link_event e = {0};
	struct eg_refusal refusal;
	int64_t deadline = eg_mono_us() + GATEWAY_US;
	enum eg_rc rc = eg_follow_request(eg_mapping_outbound(m), &start, true, &ask.request, err);
	if (!rc)
		rc = eg_ask_open(&ask, link, LIST_CHANGES, 1, err);
	while (!rc && e.kind != EG_LINK_STATUS && e.kind != EG_LINK_LOST) {
		rc = eg_link_wait(link, deadline, &e, err);
		if (!rc)
			rc = eg_ask_send(&ask, err);
	}
	if (rc == EG_DEADLINE || (!rc && e.kind == EG_LINK_LOST))
		rc = eg_fail(err, EG_UNAVAILABLE, "the gateway did not say whether there are changes for us");
	if (!rc && e.code) {
		eg_refusal_of_status(&e, &refusal);
		rc = eg_follow_refused(&refusal, err);
	}
	if (!rc)
		printf("gateway: gives changes for the purpose %s\n", eg_mapping_outbound(m)->purpose);
	eg_ask_close(&ask);
	return rc;
}

static enum eg_rc check_gateway(const struct eg_mapping *m, struct eg_err *err)
{
	const struct eg_mapping_info *info = eg_mapping_info(m);
	struct eg_link_options lo = {.address = info->gateway_address,
	                             .server_key = info->gateway_server_key,
	                             .key_file = info->gateway_key_file,
	                             .heartbeat_us = info->heartbeat_us};
	struct eg_link *link;
	struct eg_link_event e;
	enum eg_rc rc = eg_link_open(&link, &lo, err);
	if (rc)
		return rc;
	int64_t deadline = eg_mono_us() + GATEWAY_US;
	while (!eg_link_connected(link) && eg_mono_us() < deadline)
		eg_link_wait(link, eg_mono_us() + EG_SECOND / 20, &e, NULL);
	if (eg_link_connected(link)) {
		printf("gateway: connected\n");
		if (info->has_outbound)
			rc = ask_for_changes(link, m, err);
	} else {
		rc = eg_fail(
		        err, EG_UNAVAILABLE,
		        "no answer from %s within %d s: is it running, is server_key its key, and is the "
		        "public half of %s known to it?",
		        info->gateway_address, (int)(GATEWAY_US / EG_SECOND), info->gateway_key_file);
	}
	eg_link_close(link);
	return rc;
}

/* What only a connector knows of its settings. */
static enum eg_rc check_settings(const struct eg_mapping *m, struct eg_err *err)
{
	const struct eg_mapping_info *info = eg_mapping_info(m);
	const struct eg_connector_type *in = info->connector,
	                               *out = info->has_outbound ? eg_mapping_outbound(m)->connector : NULL;
	enum eg_rc rc = in->check ? in->check(info->source, false, err) : EG_OK;
	if (!rc && out && out->check)
		rc = out->check(eg_mapping_outbound(m)->target, true, err);
	return rc;
}

enum eg_rc eg_command_check(const struct eg_command_options *o, struct eg_err *err)
{
	struct eg_mapping *m;
	struct eg_limits limits;
	enum eg_rc rc = eg_command_mapping(o, &m, err);
	if (rc)
		return rc;
	rc = eg_limits_of(eg_mapping_info(m)->agent, &limits, err);
	if (!rc)
		rc = check_settings(m, err);
	if (!rc)
		printf("mapping: %s is well-formed, for dataset %s\n", o->mapping_path,
		       eg_mapping_info(m)->dataset);
	if (!rc && o->source)
		rc = check_source(o, m, err);
	if (!rc && o->gateway)
		rc = check_gateway(m, err);
	eg_mapping_free(m);
	return rc;
}
