/* table_probe: what a table or a query looks like now, asked by a job on its connection. */
#ifndef EG_ADAPTERS_TABLE_PROBE_H
#define EG_ADAPTERS_TABLE_PROBE_H

#include "connectors/table_link.h"

struct eg_table_shape {
	char quote; /* the driver's, around identifiers; 0: none */
	unsigned n;
	struct eg_odbc_column *columns; /* owned */
};
void eg_table_shape_free(struct eg_table_shape *shape);
/* By its name as written, else by the only one that differs in ASCII case alone; NULL: there is none. */
const struct eg_odbc_column *eg_table_shape_find(const struct eg_table_shape *shape, const char *name);

struct eg_table_probe {
	struct eg_table_work w;
	struct eg_sql sql;
	char *table, *query;
	struct eg_table_shape shape; /* the answer */
};
/* table: a path; query: "" or a SELECT to look at in its stead. NULL: no memory. */
struct eg_table_probe *eg_table_probe_new(const char *table, const char *query);
void eg_table_probe_free(struct eg_table_probe *p); /* NULL is fine */
/* Asks at once and waits for the answer. */
enum eg_rc eg_table_probe_do(struct eg_table_link *l, const char *table, const char *query,
                             struct eg_table_shape *out, struct eg_err *err);

#endif
