/* table_batch: statements that change a table, run in one transaction by a job on its connection. */
#ifndef EG_ADAPTERS_TABLE_BATCH_H
#define EG_ADAPTERS_TABLE_BATCH_H

#include "connectors/table_link.h"

enum eg_batch_kind {
	EG_BATCH_RUN,   /* a statement that changes rows */
	EG_BATCH_UNLESS /* a SELECT: if it finds a row, the next statement is left out */
};
struct eg_batch_step {
	enum eg_batch_kind kind;
	size_t text;  /* where its statement begins in texts */
	size_t first; /* value */
	unsigned n;
	int64_t rows; /* the answer: changed by it; -1: left out, or not reached */
};
struct eg_table_batch {
	struct eg_table_work w;
	struct eg_buf texts, bytes;
	struct eg_sql_value *values;
	size_t n_values, cap_values;
	struct eg_batch_step *steps;
	unsigned n, cap;
	bool failed;  /* no memory while it was filled */
	unsigned at;  /* the answer: the step that failed, or n if it was the commit */
	bool reached; /* the answer: the transaction was begun */
};

struct eg_table_batch *eg_table_batch_new(void);    /* NULL: no memory */
void eg_table_batch_free(struct eg_table_batch *b); /* wipes; NULL is fine */
/* Copies an ended statement. */
void eg_table_batch_add(struct eg_table_batch *b, enum eg_batch_kind kind, const struct eg_sql *sql);

#endif
