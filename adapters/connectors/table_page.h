/* table_page: one page of a table's rows, read by a job on its connection. */
#ifndef EG_ADAPTERS_TABLE_PAGE_H
#define EG_ADAPTERS_TABLE_PAGE_H

#include "connectors/table_link.h"

/* A page ends early at this many bytes. */
#define EG_TABLE_PAGE_BYTES (8 << 20)

struct eg_table_cell {
	size_t start, len;
	bool null;
};
struct eg_table_page {
	struct eg_table_work w;
	struct eg_sql sql;  /* to be filled before it is begun */
	unsigned n_columns; /* that the statement selects */
	unsigned max_rows;
	size_t max_value;
	struct eg_buf bytes;         /* the answer: values behind one another */
	struct eg_table_cell *cells; /* n_rows × n_columns */
	uint16_t *bad;               /* of each row: 1 + the column that could not be read; 0: none */
	unsigned n_rows;
	bool cut; /* there may be more: max_rows or the page's bytes were reached */
};

struct eg_table_page *eg_table_page_new(unsigned n_columns, unsigned max_rows,
                                        size_t max_value); /* NULL: no memory */
void eg_table_page_free(struct eg_table_page *p);          /* wipes; NULL is fine */
/* p NULL: SQL NULL. */
struct eg_bytes eg_table_page_value(const struct eg_table_page *p, unsigned row, unsigned column);

#endif
