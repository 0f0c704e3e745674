/* file: the connector for CSV files (include/eldergate/adapter.h): its table of functions. */
#include "connectors/file_rules.h"
#include "connectors/file_source.h"
#include "connectors/file_target.h"
#include "eldergate/adapter.h"

#include <stdlib.h>

struct eg_connector { /* one of them */
	struct file_source *source;
	struct file_target *target;
};

static enum eg_rc make(struct eg_connector **out, struct eg_err *err)
{
	*out = calloc(1, sizeof **out);
	return *out ? EG_OK : eg_fail(err, EG_NO_MEMORY, "no memory for the file connector");
}

static void close_either(struct eg_connector *c)
{
	if (!c)
		return;
	file_source_close(c->source);
	file_target_close(c->target);
	free(c);
}

static enum eg_rc opened(struct eg_connector **out, enum eg_rc rc)
{
	if (rc) {
		close_either(*out);
		*out = NULL;
	}
	return rc;
}

static enum eg_rc open_source(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	enum eg_rc rc = make(out, err);
	return rc ? rc : opened(out, file_source_open(&(*out)->source, o, err));
}

static enum eg_rc open_target(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	enum eg_rc rc = make(out, err);
	return rc ? rc : opened(out, file_target_open(&(*out)->target, o, err));
}

static enum eg_rc next(struct eg_connector *c, int64_t mono_deadline_us, struct eg_in *out,
                       struct eg_err *err)
{
	return file_source_next(c->source, mono_deadline_us, out, err);
}

static enum eg_rc settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n, struct eg_err *err)
{
	return file_source_settle(c->source, v, n, err);
}

static enum eg_rc deliver(struct eg_connector *c, const struct eg_delivery *deliveries, unsigned n,
                          struct eg_delivery_result *results, int64_t mono_deadline_us, struct eg_err *err)
{
	return file_target_deliver(c->target, deliveries, n, results, mono_deadline_us, err);
}

const struct eg_connector_type eg_connector_file = {.name = "file",
                                                    .source_settings = file_source_settings,
                                                    .target_settings = file_target_settings,
                                                    .open_source = open_source,
                                                    .open_target = open_target,
                                                    .close = close_either,
                                                    .next = next,
                                                    .settle = settle,
                                                    .deliver = deliver};
