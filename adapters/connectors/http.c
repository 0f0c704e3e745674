/* http: the connector of agencies' HTTP interfaces; see http_source.h, http_target.h. */
#include "eldergate/adapter.h"

#include "connectors/http_source.h"
#include "connectors/http_target.h"

#include <stdlib.h>

struct eg_connector {
	struct eg_http_source *source;
	struct eg_http_target *target;
};

static void close_connector(struct eg_connector *c)
{
	if (!c)
		return;
	eg_http_source_close(c->source);
	eg_http_target_close(c->target);
	free(c);
}

static enum eg_rc open_connector(struct eg_connector **out, const struct eg_connector_options *o, bool target,
                                 struct eg_err *err)
{
	struct eg_connector *c = calloc(1, sizeof *c);
	*out = NULL;
	if (!c)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a connector");
	enum eg_rc rc =
	        target ? eg_http_target_open(&c->target, o, err) : eg_http_source_open(&c->source, o, err);
	if (rc)
		close_connector(c);
	else
		*out = c;
	return rc;
}

static enum eg_rc open_source(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	return open_connector(out, o, false, err);
}

static enum eg_rc open_target(struct eg_connector **out, const struct eg_connector_options *o,
                              struct eg_err *err)
{
	return open_connector(out, o, true, err);
}

static enum eg_rc next(struct eg_connector *c, int64_t mono_deadline_us, struct eg_in *out,
                       struct eg_err *err)
{
	return eg_http_source_next(c->source, mono_deadline_us, out, err);
}

static enum eg_rc settle(struct eg_connector *c, const struct eg_verdict *v, unsigned n, struct eg_err *err)
{
	return eg_http_source_settle(c->source, v, n, err);
}

static enum eg_rc deliver(struct eg_connector *c, const struct eg_delivery *deliveries, unsigned n,
                          struct eg_delivery_result *results, int64_t mono_deadline_us, struct eg_err *err)
{
	return eg_http_target_deliver(c->target, deliveries, n, results, mono_deadline_us, err);
}

const struct eg_connector_type eg_connector_http = {
        .name = "http",
        .source_settings = eg_http_source_settings,
        .target_settings = eg_http_target_settings,
        .open_source = open_source,
        .open_target = open_target,
        .close = close_connector,
        .next = next,
        .settle = settle,
        .deliver = deliver,
};
