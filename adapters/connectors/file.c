/* file: the connector for CSV files. */
#include "connectors/file_rules.h"
#include "connectors/file_source.h"
#include "connectors/file_target.h"
#include "connectors/halves.h"
#include "eldergate/adapter.h"

EG_CONNECTOR_HALVES(file_source, file_target)

static enum eg_rc trouble(const struct eg_connector *c, struct eg_err *err)
{
	return c->source ? file_source_trouble(c->source, err) : EG_OK;
}

const struct eg_connector_type eg_connector_file = {.name = "file",
                                                    .source_settings = file_source_settings,
                                                    .target_settings = file_target_settings,
                                                    EG_CONNECTOR_FUNCTIONS,
                                                    .splits = true,
                                                    .trouble = trouble};
