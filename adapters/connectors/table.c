/* table: the connector to tables of any engine that has an ODBC driver. */
#include "connectors/table_conf.h"
#include "connectors/table_source.h"
#include "connectors/table_target.h"
#include "eldergate/adapter.h"

#include <stdlib.h>

struct eg_connector {
	struct eg_table_source *source; /* one of the two */
	struct eg_table_target *target;
};

static enum eg_rc open_source(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	struct eg_connector *c = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a table");
	enum eg_rc rc = eg_table_source_open(&c->source, o, err);
	if (rc == EG_OK)
		*out = c;
	else
		free(c);
	return rc;
}

static enum eg_rc open_target(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	struct eg_connector *c = calloc(1, sizeof *c);
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a table");
	enum eg_rc rc = eg_table_target_open(&c->target, o, err);
	if (rc == EG_OK)
		*out = c;
	else
		free(c);
	return rc;
}

static void close_either(struct eg_connector *c)
{
	if (!c)
		return;
	eg_table_source_close(c->source);
	eg_table_target_close(c->target);
	free(c);
}

static enum eg_rc next(struct eg_connector *c, int64_t mono_deadline_us, struct eg_in *out,
                       struct eg_err *err)
{
	return eg_table_source_next(c->source, mono_deadline_us, out, err);
}

static enum eg_rc settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n, struct eg_err *err)
{
	return eg_table_source_settle(c->source, v, n, err);
}

static enum eg_rc deliver(struct eg_connector *c, const struct eg_delivery *deliveries, unsigned n,
                          struct eg_delivery_result *results, int64_t mono_deadline_us, struct eg_err *err)
{
	return eg_table_target_deliver(c->target, deliveries, n, results, mono_deadline_us, err);
}

const struct eg_connector_type eg_connector_table = {.name = "table",
                                                     .source_settings = eg_table_source_settings,
                                                     .target_settings = eg_table_target_settings,
                                                     .open_source = open_source,
                                                     .open_target = open_target,
                                                     .close = close_either,
                                                     .next = next,
                                                     .settle = settle,
                                                     .deliver = deliver};
