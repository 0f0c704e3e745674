/* table_sql: the texts of a table connector's statements, and the values that belong to their `?`.
 *
 * Names come from the settings and stand quoted as the driver wants it; values are never part of a text.
 * Steps on a statement after a failed one are no-ops; `failed` is looked at once. Thread: any, one at a time.
 */
#ifndef EG_ADAPTERS_TABLE_SQL_H
#define EG_ADAPTERS_TABLE_SQL_H

#include "base/buf.h"
#include "connectors/odbc.h"

#define EG_TABLE_COLUMNS_MAX 512
#define EG_TABLE_NAME_MAX    128 /* bytes of one part of a name */

struct eg_sql_value {
	size_t start, len;
	bool null;
	int type, decimals;
	size_t size;
};
struct eg_sql {
	struct eg_buf text;  /* NUL-terminated by eg_sql_end */
	struct eg_buf bytes; /* of the values */
	struct eg_sql_value values[EG_ODBC_PARAMS];
	unsigned n;
	char quote;
	/* Stands before each column's name; NULL: nothing. SQLite reads a quoted name that is no column as a
	 * text, but never one with its table's name before it. */
	const char *alias;
	bool failed; /* no memory, or too many values */
};

/* Can it be quoted by any engine? 1 to EG_TABLE_NAME_MAX bytes of UTF-8 without quotes, brackets or controls.
 */
bool eg_sql_name_valid(const char *name);
bool eg_sql_path_valid(const char *path); /* names, separated by points: schema.table */

void eg_sql_begin(struct eg_sql *s, char quote);
void eg_sql_add(struct eg_sql *s, const char *text);
void eg_sql_name(struct eg_sql *s, const char *name);
void eg_sql_path(struct eg_sql *s, const char *path);
/* `?` with this value; column tells its type, or is NULL for text. */
void eg_sql_value(struct eg_sql *s, struct eg_bytes value, const struct eg_odbc_column *column);
void eg_sql_same(struct eg_sql *s, struct eg_bytes value,
                 const struct eg_odbc_column *column); /* c = ?, or c IS NULL */
/* (a > ?) OR (a = ? AND b > ?) ..., for places behind one that no value of which is NULL. */
void eg_sql_behind(struct eg_sql *s, const struct eg_bytes *values,
                   const struct eg_odbc_column *const *columns, unsigned n);
bool eg_sql_end(struct eg_sql *s);  /* false: failed */
void eg_sql_free(struct eg_sql *s); /* wipes */
/* Prepares and runs it; rows as eg_odbc_run has it. */
enum eg_rc eg_sql_run(struct eg_odbc *o, const struct eg_sql *s, int64_t *rows, struct eg_err *err);

#endif
