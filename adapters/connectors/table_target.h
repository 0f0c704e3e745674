/* table_target: the gateway's events as rows of an agency's table. See include/eldergate/connector.h. */
#ifndef EG_ADAPTERS_TABLE_TARGET_H
#define EG_ADAPTERS_TABLE_TARGET_H

#include "eldergate/connector.h"

struct eg_table_target;
extern const struct eg_setting_def eg_table_target_settings[];

enum eg_rc eg_table_target_open(struct eg_table_target **out, const struct eg_connector_options *o,
                                struct eg_err *err);
/* EG_CONFIG: settings that do not go together; connects to nothing. */
enum eg_rc eg_table_target_check(const struct eg_settings *s, struct eg_err *err);
void eg_table_target_close(struct eg_table_target *t);
enum eg_rc eg_table_target_deliver(struct eg_table_target *t, const struct eg_delivery *deliveries,
                                   unsigned n, struct eg_delivery_result *results, int64_t mono_deadline_us,
                                   struct eg_err *err);

#endif
