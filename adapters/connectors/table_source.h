/* table_source: rows out of an agency's table, verdicts back into it. See include/eldergate/connector.h. */
#ifndef EG_ADAPTERS_TABLE_SOURCE_H
#define EG_ADAPTERS_TABLE_SOURCE_H

#include "eldergate/connector.h"

struct eg_table_source;

enum eg_rc eg_table_source_open(struct eg_table_source **out, const struct eg_connector_options *o,
                                struct eg_err *err);
/* EG_CONFIG: settings that do not go together; connects to nothing. */
enum eg_rc eg_table_source_check(const struct eg_settings *s, struct eg_err *err);
void eg_table_source_close(struct eg_table_source *s);
enum eg_rc eg_table_source_next(struct eg_table_source *s, int64_t mono_deadline_us, struct eg_in *out,
                                struct eg_err *err);
enum eg_rc eg_table_source_settle(struct eg_table_source *s, const struct eg_verdict *v, unsigned n,
                                  struct eg_err *err);

#endif
