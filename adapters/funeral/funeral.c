/* funeral: the adapter of the funeral services: remains, certificates, cremations (殡葬), by default from an
 * HTTP interface. What it reads, and what it says back, stands in a mapping file: mapping.yaml beside this
 * file is one to begin from. */
#include "eldergate/adapter.h"

int main(int argc, char **argv)
{
	static const struct eg_connector_type *const connectors[] = {&eg_connector_table, &eg_connector_file,
	                                                             &eg_connector_http, NULL};
	return eg_adapter_main(argc, argv, "eldergate-funeral", connectors);
}
