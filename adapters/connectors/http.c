/* http: the connector of agencies' HTTP interfaces; see http_source.h, http_target.h. */
#include "connectors/halves.h"
#include "connectors/http_source.h"
#include "connectors/http_target.h"
#include "eldergate/adapter.h"

EG_CONNECTOR_HALVES(eg_http_source, eg_http_target)

const struct eg_connector_type eg_connector_http = {.name = "http",
                                                    .source_settings = eg_http_source_settings,
                                                    .target_settings = eg_http_target_settings,
                                                    EG_CONNECTOR_FUNCTIONS};
