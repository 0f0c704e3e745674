/* table_mark: the statement that writes one verdict back into its row, if the row is still as it was read. */
#ifndef EG_ADAPTERS_TABLE_MARK_H
#define EG_ADAPTERS_TABLE_MARK_H

#include "connectors/table_batch.h"
#include "connectors/table_conf.h"
#include "connectors/table_flight.h"
#include "connectors/table_probe.h"
#include "eldergate/connector.h"

/* Columns of the marked table; they live as long as its shape. */
struct eg_table_mark {
	const struct eg_table_conf *conf;
	char quote;
	const struct eg_odbc_column *flag, *error_code, *error_text, *retry; /* NULL: not wanted */
	const struct eg_odbc_column *key[EG_TABLE_KEYS_MAX], *version[EG_TABLE_KEYS_MAX];
};

/* EG_CONFIG: a column is missing. */
enum eg_rc eg_table_mark_open(struct eg_table_mark *m, const struct eg_table_conf *c,
                              const struct eg_table_shape *shape, struct eg_err *err);
void eg_table_mark_add(const struct eg_table_mark *m, struct eg_table_batch *b,
                       const struct eg_flight *flight, const struct eg_verdict *v);

#endif
