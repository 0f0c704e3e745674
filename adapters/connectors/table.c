/* table: the connector to tables of any engine that has an ODBC driver. */
#include "connectors/halves.h"
#include "connectors/table_conf.h"
#include "connectors/table_source.h"
#include "connectors/table_target.h"
#include "eldergate/adapter.h"

EG_CONNECTOR_HALVES(eg_table_source, eg_table_target)

const struct eg_connector_type eg_connector_table = {.name = "table",
                                                     .source_settings = eg_table_source_settings,
                                                     .target_settings = eg_table_target_settings,
                                                     EG_CONNECTOR_FUNCTIONS};
