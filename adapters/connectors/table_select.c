/* table_select: see table_select.h. */
#include "connectors/table_select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned index_of(struct eg_table_select *s, const struct eg_odbc_column *column)
{
	unsigned i = 0;
	while (i < s->n && s->columns[i] != column)
		i++;
	if (i == s->n)
		s->columns[s->n++] = column;
	return i;
}

/* The index of a column that a setting names. */
static enum eg_rc role(struct eg_table_select *s, const struct eg_table_conf *c, const char *setting,
                       const char *name, unsigned *out, struct eg_err *err)
{
	const struct eg_odbc_column *column = eg_table_shape_find(&s->shape, name);
	if (!column)
		return eg_settings_fail(c->settings, setting, err, "there is no column %s", name);
	*out = index_of(s, column);
	return EG_OK;
}

static enum eg_rc roles(struct eg_table_select *s, const struct eg_table_conf *c, const char *setting,
                        const struct eg_table_names *names, unsigned *out, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; rc == EG_OK && i < names->n; i++)
		rc = role(s, c, setting, names->names[i], &out[i], err);
	return rc;
}

static void add_order(struct eg_table_select *s, unsigned column)
{
	for (unsigned i = 0; i < s->n_order; i++)
		if (s->order[i] == column)
			return;
	s->order[s->n_order++] = column;
}

/* FNV-1a over the names: the same columns have the same generation after a restart too. */
static uint64_t generation_of(const struct eg_columns *c)
{
	uint64_t h = 0xcbf29ce484222325;
	for (unsigned i = 0; i < c->n; i++)
		for (const char *p = c->names[i];; p++) {
			h = (h ^ (uint8_t)*p) * 0x100000001b3;
			if (!*p)
				break;
		}
	return h;
}

/* A listed column that is not there (any more) is left out: the mapping says whether it can do without. */
static bool hand_out(struct eg_table_select *s, const struct eg_table_conf *c, const char **names)
{
	unsigned wanted = c->n_columns ? c->n_columns : s->shape.n;
	for (unsigned i = 0; i < wanted; i++) {
		const struct eg_odbc_column *column = &s->shape.columns[i];
		const char *name = column->name;
		if (c->n_columns) {
			name = eg_settings_item(c->settings, "columns", i);
			column = eg_table_shape_find(&s->shape, name);
		}
		unsigned before = s->n;
		if (!column || index_of(s, column) != before)
			continue;
		names[before] = name;
		s->payload[before] = !eg_table_conf_technical(c, column->name);
	}
	s->out.n = s->n;
	s->out.names = names;
	s->out.generation = generation_of(&s->out);
	return s->n > 0;
}

enum eg_rc eg_table_select_make(struct eg_table_select *s, const struct eg_table_conf *c,
                                struct eg_table_shape *shape, struct eg_err *err)
{
	enum eg_rc rc;
	unsigned unused;
	*s = (struct eg_table_select){.shape = *shape};
	*shape = (struct eg_table_shape){0};
	s->columns = calloc(s->shape.n + 1, sizeof *s->columns);
	s->payload = calloc(s->shape.n + 1, sizeof *s->payload);
	const char **names = calloc(s->shape.n + 1, sizeof *names);
	s->out.names = names;
	if (!s->columns || !s->payload || !names)
		return eg_fail(err, EG_NO_MEMORY, "no memory for columns");
	if (!hand_out(s, c, names))
		return eg_settings_fail(c->settings, c->n_columns ? "columns" : "table", err,
		                        "none of the columns is there");
	unsigned order[EG_TABLE_KEYS_MAX] = {0};
	if ((rc = roles(s, c, "key", &c->key, s->key, err)) ||
	    (rc = roles(s, c, "version", &c->version, s->version, err)) ||
	    (rc = roles(s, c, "order", &c->order, order, err)))
		return rc;
	if (c->claim == EG_CLAIM_FLAG && (rc = role(s, c, "flag", c->flag, &unused, err)))
		return rc;
	s->position = s->key[0];
	if (c->claim == EG_CLAIM_KEY && *c->update_time &&
	    (rc = role(s, c, "update_time", c->update_time, &s->position, err)))
		return rc;
	if (c->claim == EG_CLAIM_KEY)
		add_order(s, s->position);
	for (unsigned i = 0; i < c->order.n; i++)
		add_order(s, order[i]);
	for (unsigned i = 0; i < c->key.n; i++)
		add_order(s, s->key[i]);
	return EG_OK;
}

void eg_table_select_free(struct eg_table_select *s)
{
	eg_table_shape_free(&s->shape);
	free(s->columns);
	free(s->payload);
	free((void *)s->out.names); // NOLINT(bugprone-multi-level-implicit-pointer-conversion)
	*s = (struct eg_table_select){0};
}

/* --- statements */

static void add_from(struct eg_sql *sql, const struct eg_table_conf *c)
{
	eg_sql_add(sql, " FROM ");
	if (*c->query) {
		eg_sql_add(sql, "(");
		eg_sql_add(sql, c->query);
		eg_sql_add(sql, ")");
	} else {
		eg_sql_path(sql, c->table);
	}
	eg_sql_add(sql, " t WHERE ");
	if (*c->where) {
		eg_sql_add(sql, "(");
		eg_sql_add(sql, c->where);
		eg_sql_add(sql, ")");
	} else {
		eg_sql_add(sql, "1 = 1");
	}
}

static void add_claim(const struct eg_table_select *s, const struct eg_table_conf *c,
                      const struct eg_table_range *range, struct eg_sql *sql)
{
	const struct eg_odbc_column *position = s->columns[s->position];
	if (c->claim == EG_CLAIM_FLAG) {
		const struct eg_odbc_column *flag = eg_table_shape_find(&s->shape, c->flag);
		eg_sql_add(sql, c->null_is_new ? " AND (" : " AND ");
		eg_sql_same(sql, eg_bytes_of(c->flag_new), flag);
		if (c->null_is_new) {
			eg_sql_add(sql, " OR ");
			eg_sql_name(sql, flag->name);
			eg_sql_add(sql, " IS NULL)");
		}
	} else if (c->claim == EG_CLAIM_KEY && range->nulls) {
		eg_sql_add(sql, " AND ");
		eg_sql_same(sql, (struct eg_bytes){0}, position);
	} else if (c->claim == EG_CLAIM_KEY && *range->low) {
		eg_sql_add(sql, " AND ");
		eg_sql_name(sql, position->name);
		eg_sql_add(sql, range->beyond ? " > " : " >= ");
		eg_sql_value(sql, eg_bytes_of(range->low), position);
	} else if (c->claim == EG_CLAIM_KEY) {
		eg_sql_add(sql, " AND ");
		eg_sql_name(sql, position->name);
		eg_sql_add(sql, " IS NOT NULL");
	}
}

void eg_table_select_page(const struct eg_table_select *s, const struct eg_table_conf *c,
                          const struct eg_table_range *range, struct eg_sql *sql)
{
	const struct eg_odbc_column *order[EG_SELECT_ORDER_MAX];
	unsigned skip = range->nulls ? 1 : 0; /* the position says nothing then */
	char limit[64];
	eg_sql_begin(sql, s->shape.quote);
	sql->alias = "t.";
	eg_sql_add(sql, "SELECT ");
	if (*c->row_limit == 't') {
		snprintf(limit, sizeof limit, "TOP %u ", c->batch);
		eg_sql_add(sql, limit);
	}
	for (unsigned i = 0; i < s->n; i++) {
		eg_sql_add(sql, i ? ", " : "");
		eg_sql_name(sql, s->columns[i]->name);
	}
	add_from(sql, c);
	add_claim(s, c, range, sql);
	for (unsigned i = 0; i < s->n_order; i++)
		order[i] = s->columns[s->order[i]];
	if (range->behind) {
		eg_sql_add(sql, " AND ");
		eg_sql_behind(sql, range->after + skip, order + skip, s->n_order - skip);
	}
	for (unsigned i = skip; i < s->n_order; i++) {
		eg_sql_add(sql, i == skip ? " ORDER BY " : ", ");
		eg_sql_name(sql, order[i]->name);
	}
	snprintf(limit, sizeof limit, *c->row_limit == 'f' ? " FETCH FIRST %u ROWS ONLY" : " LIMIT %u",
	         c->batch);
	if (*c->row_limit != 't')
		eg_sql_add(sql, limit);
	eg_sql_end(sql);
}

void eg_table_select_gap(const struct eg_table_select *s, const struct eg_table_conf *c,
                         const struct eg_table_range *range, struct eg_sql *sql)
{
	eg_sql_begin(sql, s->shape.quote);
	sql->alias = "t.";
	eg_sql_add(sql, *c->row_limit == 't' ? "SELECT TOP 1 " : "SELECT ");
	for (unsigned i = 0; i < s->n_order; i++) {
		eg_sql_add(sql, i ? ", " : "");
		eg_sql_name(sql, s->columns[s->order[i]]->name);
	}
	add_from(sql, c);
	add_claim(s, c, range, sql);
	for (unsigned i = range->nulls ? 1 : 0, n = 0; i < s->n_order; i++) {
		eg_sql_add(sql, n++ ? " OR " : " AND (");
		eg_sql_same(sql, (struct eg_bytes){0}, s->columns[s->order[i]]);
	}
	eg_sql_add(sql, ")");
	if (*c->row_limit != 't')
		eg_sql_add(sql, *c->row_limit == 'f' ? " FETCH FIRST 1 ROWS ONLY" : " LIMIT 1");
	eg_sql_end(sql);
}

void eg_table_select_highest(const struct eg_table_select *s, const struct eg_table_conf *c,
                             struct eg_sql *sql)
{
	eg_sql_begin(sql, s->shape.quote);
	sql->alias = "t.";
	eg_sql_add(sql, "SELECT MAX(");
	eg_sql_name(sql, s->columns[s->position]->name);
	eg_sql_add(sql, ")");
	add_from(sql, c);
	eg_sql_end(sql);
}

void eg_table_select_count(const struct eg_table_select *s, const struct eg_table_conf *c, struct eg_sql *sql)
{
	eg_sql_begin(sql, s->shape.quote);
	sql->alias = "t.";
	eg_sql_add(sql, "SELECT COUNT(*), ");
	eg_sql_add(sql, c->clock);
	add_from(sql, c);
	eg_sql_end(sql);
}
