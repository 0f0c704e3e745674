/* table_select: which columns a table source reads, what each is for, and the statements that read them.
 *
 * Built anew for each sweep, from the shape that a probe found; a changed set of columns has another
 * generation. Thread: the agent's. */
#ifndef EG_ADAPTERS_TABLE_SELECT_H
#define EG_ADAPTERS_TABLE_SELECT_H

#include "connectors/table_conf.h"
#include "connectors/table_page.h"
#include "connectors/table_probe.h"
#include "eldergate/connector.h"

#define EG_SELECT_ORDER_MAX (2 * EG_TABLE_KEYS_MAX)

struct eg_table_select {
	struct eg_table_shape shape; /* of what is read */
	unsigned n; /* columns that are selected: those handed out, then those only we need */
	const struct eg_odbc_column **columns; /* in shape */
	struct eg_columns out;                 /* the first out.n of them */
	bool *payload;                         /* of each: does it belong to the record's state? */
	unsigned key[EG_TABLE_KEYS_MAX], version[EG_TABLE_KEYS_MAX]; /* indices */
	unsigned n_order, order[EG_SELECT_ORDER_MAX];
	unsigned position; /* claim key: of the watermark's column */
};

/* Takes the shape over in any case. EG_CONFIG with the setting's place: a column is missing. */
enum eg_rc eg_table_select_make(struct eg_table_select *s, const struct eg_table_conf *c,
                                struct eg_table_shape *shape, struct eg_err *err);
void eg_table_select_free(struct eg_table_select *s);

/* Which rows a page holds. */
struct eg_table_range {
	const char *low; /* claim key: the watermark; "": none */
	bool beyond;
	bool nulls;                                 /* claim key: the rows without a position */
	bool behind;                                /* behind after, else from the beginning */
	struct eg_bytes after[EG_SELECT_ORDER_MAX]; /* values of the order's columns */
};
void eg_table_select_page(const struct eg_table_select *s, const struct eg_table_conf *c,
                          const struct eg_table_range *range, struct eg_sql *sql);
/* The order's columns of one row of the range that has NULL in one of them, whatever range->after says. */
void eg_table_select_gap(const struct eg_table_select *s, const struct eg_table_conf *c,
                         const struct eg_table_range *range, struct eg_sql *sql);
void eg_table_select_highest(const struct eg_table_select *s, const struct eg_table_conf *c,
                             struct eg_sql *sql);
/* How many rows a full list has, and what the database's clock says. */
void eg_table_select_count(const struct eg_table_select *s, const struct eg_table_conf *c,
                           struct eg_sql *sql);

#endif
