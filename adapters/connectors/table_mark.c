/* table_mark: see table_mark.h. A text is cut where its column ends, never within a character. */
#include "connectors/table_mark.h"

#include <stdio.h>
#include <string.h>

#define MARK_TEXT_MAX 2000 /* bytes, where the driver tells no size */

static enum eg_rc column_of(const struct eg_odbc_column **out, const struct eg_table_conf *c,
                            const struct eg_table_shape *shape, const char *setting, const char *name,
                            struct eg_err *err)
{
	*out = NULL;
	if (*name && !(*out = eg_table_shape_find(shape, name)))
		return eg_settings_fail(c->settings, setting, err, "the table has no column %s", name);
	return EG_OK;
}

static enum eg_rc columns_of(const struct eg_odbc_column **out, const struct eg_table_conf *c,
                             const struct eg_table_shape *shape, const char *setting,
                             const struct eg_table_names *names, struct eg_err *err)
{
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; rc == EG_OK && i < names->n; i++)
		rc = column_of(&out[i], c, shape, setting, names->names[i], err);
	return rc;
}

enum eg_rc eg_table_mark_open(struct eg_table_mark *m, const struct eg_table_conf *c,
                              const struct eg_table_shape *shape, struct eg_err *err)
{
	enum eg_rc rc;
	*m = (struct eg_table_mark){.conf = c, .quote = shape->quote};
	if (c->claim == EG_CLAIM_LIST)
		return EG_OK;
	if ((rc = column_of(&m->flag, c, shape, "flag", c->claim == EG_CLAIM_FLAG ? c->flag : "", err)) ||
	    (rc = column_of(&m->error_code, c, shape, "error_code", c->error_code, err)) ||
	    (rc = column_of(&m->error_text, c, shape, "error_text", c->error_text, err)) ||
	    (rc = column_of(&m->retry, c, shape, "retry", c->retry, err)) ||
	    (rc = columns_of(m->key, c, shape, "key", &c->key, err)))
		return rc;
	return columns_of(m->version, c, shape, "version", &c->version, err);
}

/* At most as many characters as the column takes. */
static struct eg_bytes cut(struct eg_bytes text, const struct eg_odbc_column *column)
{
	size_t most = column->size ? column->size : MARK_TEXT_MAX, characters = 0, len = 0;
	bool valid;
	while (len < text.len && characters < most) {
		size_t n = eg_utf8_step((struct eg_bytes){text.p + len, text.len - len}, &valid);
		/* Some engines count units of UTF-16. */
		characters += n == 4 ? 2 : 1;
		if (characters <= most)
			len += n;
	}
	return (struct eg_bytes){text.p, len};
}

/* Whole codes only. */
static struct eg_bytes cut_codes(struct eg_bytes text, const struct eg_odbc_column *column)
{
	struct eg_bytes some = cut(text, column);
	if (some.len == text.len || text.p[some.len] == ' ')
		return some;
	size_t len = some.len;
	while (len > 0 && some.p[len - 1] != ' ')
		len--;
	return len > 1 ? (struct eg_bytes){some.p, len - 1} : some;
}

static void set(struct eg_sql *sql, bool *first, const struct eg_odbc_column *column)
{
	eg_sql_add(sql, *first ? " SET " : ", ");
	eg_sql_name(sql, column->name);
	eg_sql_add(sql, " = ");
	*first = false;
}

static void set_text(struct eg_sql *sql, bool *first, const struct eg_odbc_column *column,
                     struct eg_bytes text, bool refused)
{
	if (!column)
		return;
	set(sql, first, column);
	if (refused)
		eg_sql_value(sql, text, column);
	else
		eg_sql_add(sql, "NULL");
}

static void set_all(const struct eg_table_mark *m, struct eg_sql *sql, const struct eg_verdict *v)
{
	bool first = true, refused = v->code == EG_VERDICT_REFUSED;
	char words[1024];
	const char *field = v->field ? v->field : "", *text = v->text ? v->text : "";
	snprintf(words, sizeof words, "%s%s%s", field, *field && *text ? ": " : "", text);
	if (m->flag) {
		set(sql, &first, m->flag);
		eg_sql_value(sql, eg_bytes_of(refused ? m->conf->flag_error : m->conf->flag_taken), m->flag);
	}
	struct eg_bytes codes = eg_bytes_of(v->reason ? v->reason : "");
	set_text(sql, &first, m->error_code,
	         refused && m->error_code ? cut_codes(codes, m->error_code) : codes, refused);
	set_text(sql, &first, m->error_text, m->error_text ? cut(eg_bytes_of(words), m->error_text) : codes,
	         refused);
	if (m->retry && refused) {
		set(sql, &first, m->retry);
		eg_sql_add(sql, "COALESCE(");
		eg_sql_name(sql, m->retry->name);
		eg_sql_add(sql, ", 0) + 1");
	}
}

void eg_table_mark_add(const struct eg_table_mark *m, struct eg_table_batch *b,
                       const struct eg_flight *flight, const struct eg_verdict *v)
{
	const struct eg_table_conf *c = m->conf;
	struct eg_sql sql = {0};
	eg_sql_begin(&sql, m->quote);
	eg_sql_add(&sql, "UPDATE ");
	eg_sql_path(&sql, c->table);
	set_all(m, &sql, v);
	for (unsigned i = 0; i < flight->n; i++) {
		eg_sql_add(&sql, i ? " AND " : " WHERE ");
		eg_sql_same(&sql, flight->values[i], i < c->key.n ? m->key[i] : m->version[i - c->key.n]);
	}
	if (m->flag) {
		eg_sql_add(&sql, " AND (");
		eg_sql_same(&sql, eg_bytes_of(c->flag_new), m->flag);
		if (c->null_is_new) {
			eg_sql_add(&sql, " OR ");
			eg_sql_name(&sql, m->flag->name);
			eg_sql_add(&sql, " IS NULL");
		}
		eg_sql_add(&sql, ")");
	}
	eg_sql_end(&sql);
	eg_table_batch_add(b, EG_BATCH_RUN, &sql);
	eg_sql_free(&sql);
}
