/* adapter: a whole adapter program from its connectors.
 *
 *   int main(int argc, char **argv)
 *   {
 *           static const struct eg_connector_type *const connectors[] = {&my_connector, NULL};
 *           return eg_adapter_main(argc, argv, "eldergate-mine", connectors);
 *   }
 *
 * The program has the commands check (the mapping file, and with --source a dry run against the source), run,
 * and once (takes what is there, then ends); its help tells them. */
#ifndef ELDERGATE_ADAPTER_H
#define ELDERGATE_ADAPTER_H

#include "eldergate/connector.h"

/* The connectors that come with the library. */
extern const struct eg_connector_type eg_connector_table; /* unixODBC */
extern const struct eg_connector_type eg_connector_file;  /* a folder or SFTP, CSV */
extern const struct eg_connector_type eg_connector_http;  /* JSON or SOAP */

/* Returns the exit status: 0, or as include/eldergate/errors.def has it. */
int eg_adapter_main(int argc, char **argv, const char *program,
                    const struct eg_connector_type *const *connectors);

#endif
