/* table_page: see table_page.h. */
#include "connectors/table_page.h"

#include <stdlib.h>

static void free_page(struct eg_aside_job *job)
{
	eg_table_page_free((struct eg_table_page *)job);
}

/* A value that is too long or no text spoils its row, not the page. */
static enum eg_rc read_row(struct eg_table_page *p, struct eg_odbc *o, struct eg_err *err)
{
	for (unsigned c = 0; c < p->n_columns; c++) {
		struct eg_table_cell *cell = &p->cells[(size_t)p->n_rows * p->n_columns + c];
		cell->start = p->bytes.len;
		enum eg_rc rc = eg_odbc_value(o, c, p->max_value, &p->bytes, &cell->null, err);
		if (rc == EG_LIMIT || rc == EG_INVALID)
			p->bad[p->n_rows] = p->bad[p->n_rows] ? p->bad[p->n_rows] : (uint16_t)(c + 1);
		else if (rc != EG_OK)
			return rc;
		cell->len = p->bytes.len - cell->start;
	}
	return EG_OK;
}

static enum eg_rc read_page(struct eg_table_work *w, struct eg_odbc *o, struct eg_aside *a,
                            struct eg_err *err)
{
	struct eg_table_page *p = (struct eg_table_page *)w;
	enum eg_rc rc = eg_sql_run(o, &p->sql, NULL, err);
	while (rc == EG_OK) {
		if (p->n_rows == p->max_rows || p->bytes.len > EG_TABLE_PAGE_BYTES) {
			p->cut = true;
			break;
		}
		if (!eg_aside_alive(a))
			rc = EG_CLOSED;
		else if ((rc = eg_odbc_fetch(o, err)) == EG_OK && (rc = read_row(p, o, err)) == EG_OK)
			p->n_rows++;
	}
	eg_odbc_done(o);
	return rc == EG_EMPTY ? EG_OK : rc;
}

struct eg_table_page *eg_table_page_new(unsigned n_columns, unsigned max_rows, size_t max_value)
{
	struct eg_table_page *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->w.work = read_page;
	p->w.job.free = free_page;
	p->n_columns = n_columns;
	p->max_rows = max_rows;
	p->max_value = max_value;
	p->cells = calloc((size_t)n_columns * max_rows + 1, sizeof *p->cells);
	p->bad = calloc(max_rows + 1, sizeof *p->bad);
	if (p->cells && p->bad)
		return p;
	eg_table_page_free(p);
	return NULL;
}

void eg_table_page_free(struct eg_table_page *p)
{
	if (!p)
		return;
	eg_sql_free(&p->sql);
	eg_buf_free(&p->bytes);
	free(p->cells);
	free(p->bad);
	free(p);
}

struct eg_bytes eg_table_page_value(const struct eg_table_page *p, unsigned row, unsigned column)
{
	const struct eg_table_cell *cell = &p->cells[(size_t)row * p->n_columns + column];
	const uint8_t *at = p->bytes.p ? p->bytes.p + cell->start : (const uint8_t *)"";
	return (struct eg_bytes){cell->null ? NULL : at, cell->null ? 0 : cell->len};
}
