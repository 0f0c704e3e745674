/* table_probe: see table_probe.h. A condition that no row meets lets the database describe without reading.
 */
#include "connectors/table_probe.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void eg_table_shape_free(struct eg_table_shape *shape)
{
	for (unsigned i = 0; i < shape->n; i++)
		free(shape->columns[i].name);
	free(shape->columns);
	*shape = (struct eg_table_shape){0};
}

const struct eg_odbc_column *eg_table_shape_find(const struct eg_table_shape *shape, const char *name)
{
	const struct eg_odbc_column *like = NULL;
	unsigned n = 0;
	for (unsigned i = 0; i < shape->n; i++) {
		const struct eg_odbc_column *c = &shape->columns[i];
		if (strcmp(c->name, name) == 0)
			return c;
		if (strcasecmp(c->name, name) == 0) {
			like = c;
			n++;
		}
	}
	return n == 1 ? like : NULL;
}

void eg_table_probe_free(struct eg_table_probe *p)
{
	if (!p)
		return;
	eg_sql_free(&p->sql);
	eg_table_shape_free(&p->shape);
	free(p->table);
	free(p->query);
	free(p);
}

static enum eg_rc probe(struct eg_table_work *w, struct eg_odbc *o, struct eg_aside *a, struct eg_err *err)
{
	struct eg_table_probe *p = (struct eg_table_probe *)w;
	const struct eg_odbc_column *columns;
	unsigned n;
	(void)a;
	eg_odbc_forget(o); /* a table may have changed behind the same text */
	p->shape.quote = eg_odbc_quote(o);
	eg_sql_begin(&p->sql, p->shape.quote);
	eg_sql_add(&p->sql, "SELECT * FROM ");
	if (*p->query) {
		eg_sql_add(&p->sql, "(");
		eg_sql_add(&p->sql, p->query);
		eg_sql_add(&p->sql, ") t");
	} else {
		eg_sql_path(&p->sql, p->table);
	}
	eg_sql_add(&p->sql, " WHERE 1 = 0");
	if (!eg_sql_end(&p->sql))
		return eg_fail(err, EG_NO_MEMORY, "no memory for a statement");
	/* Twice: SQLite describes from the schema it remembers, and looks at the true one only when it runs.
	 */
	enum eg_rc rc = eg_sql_run(o, &p->sql, NULL, err);
	eg_odbc_forget(o);
	if (rc == EG_OK)
		rc = eg_sql_run(o, &p->sql, NULL, err);
	if (rc == EG_OK)
		rc = eg_odbc_columns(o, &columns, &n, err);
	if (rc != EG_OK)
		return rc;
	if (n > EG_TABLE_COLUMNS_MAX)
		return eg_fail(err, EG_CONFIG, "the table has %u columns, more than %d", n,
		               EG_TABLE_COLUMNS_MAX);
	if (!(p->shape.columns = calloc(n + 1, sizeof *columns)))
		return eg_fail(err, EG_NO_MEMORY, "no memory for columns");
	for (; p->shape.n < n; p->shape.n++) {
		p->shape.columns[p->shape.n] = columns[p->shape.n];
		if (!(p->shape.columns[p->shape.n].name = strdup(columns[p->shape.n].name)))
			return eg_fail(err, EG_NO_MEMORY, "no memory for columns");
	}
	eg_odbc_done(o);
	return EG_OK;
}

static void free_job(struct eg_aside_job *job)
{
	eg_table_probe_free((struct eg_table_probe *)job);
}

struct eg_table_probe *eg_table_probe_new(const char *table, const char *query)
{
	struct eg_table_probe *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->w.work = probe;
	p->w.job.free = free_job;
	p->table = strdup(table);
	p->query = strdup(query);
	if (p->table && p->query)
		return p;
	eg_table_probe_free(p);
	return NULL;
}

enum eg_rc eg_table_probe_do(struct eg_table_link *l, const char *table, const char *query,
                             struct eg_table_shape *out, struct eg_err *err)
{
	struct eg_table_probe *p = eg_table_probe_new(table, query);
	if (!p)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a statement");
	enum eg_rc rc = eg_table_link_do(l, &p->w, 0, err);
	if (rc != EG_OK)
		return rc;
	eg_table_shape_free(out);
	*out = p->shape;
	p->shape = (struct eg_table_shape){0};
	eg_table_probe_free(p);
	return EG_OK;
}
