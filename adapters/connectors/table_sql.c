/* table_sql: only what every engine understands; what differs between them is a setting. */
#include "connectors/table_sql.h"

#include <string.h>

static bool part_valid(const char *p, size_t len)
{
	if (len == 0 || len > EG_TABLE_NAME_MAX || !eg_utf8_valid((struct eg_bytes){(const uint8_t *)p, len}))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)p[i] < ' ' || p[i] == 0x7f || strchr("\"`'[];\\", p[i]))
			return false;
	return true;
}

bool eg_sql_name_valid(const char *name)
{
	return part_valid(name, strlen(name));
}

bool eg_sql_path_valid(const char *path)
{
	for (;; path++) {
		size_t len = strcspn(path, ".");
		if (!part_valid(path, len))
			return false;
		path += len;
		if (!*path)
			return true;
	}
}

void eg_sql_begin(struct eg_sql *s, char quote)
{
	eg_buf_reset(&s->text);
	eg_buf_reset(&s->bytes);
	s->n = 0;
	s->quote = quote;
	s->alias = NULL;
	s->failed = false;
}

void eg_sql_add(struct eg_sql *s, const char *text)
{
	eg_buf_add(&s->text, text, strlen(text));
}

static void quoted(struct eg_sql *s, const char *name, size_t len)
{
	if (s->quote)
		eg_buf_add_u8(&s->text, (uint8_t)s->quote);
	for (size_t i = 0; i < len; i++) {
		eg_buf_add_u8(&s->text, (uint8_t)name[i]);
		if (s->quote && name[i] == s->quote) /* a column that the database named so */
			eg_buf_add_u8(&s->text, (uint8_t)name[i]);
	}
	if (s->quote)
		eg_buf_add_u8(&s->text, (uint8_t)s->quote);
}

void eg_sql_name(struct eg_sql *s, const char *name)
{
	eg_sql_add(s, s->alias ? s->alias : "");
	quoted(s, name, strlen(name));
}

void eg_sql_path(struct eg_sql *s, const char *path)
{
	for (;; path++) {
		size_t len = strcspn(path, ".");
		quoted(s, path, len);
		path += len;
		if (!*path)
			return;
		eg_sql_add(s, ".");
	}
}

void eg_sql_value(struct eg_sql *s, struct eg_bytes value, const struct eg_odbc_column *column)
{
	if (s->n == EG_ODBC_PARAMS) {
		s->failed = true;
		return;
	}
	struct eg_sql_value *v = &s->values[s->n++];
	*v = (struct eg_sql_value){.start = s->bytes.len, .len = value.len, .null = !value.p};
	if (column) {
		v->type = column->type;
		v->size = column->size;
		v->decimals = column->decimals;
	}
	eg_buf_add(&s->bytes, value.p, value.len);
	eg_sql_add(s, "?");
}

void eg_sql_same(struct eg_sql *s, struct eg_bytes value, const struct eg_odbc_column *column)
{
	eg_sql_name(s, column->name);
	if (!value.p) {
		eg_sql_add(s, " IS NULL");
		return;
	}
	eg_sql_add(s, " = ");
	eg_sql_value(s, value, column);
}

void eg_sql_behind(struct eg_sql *s, const struct eg_bytes *values,
                   const struct eg_odbc_column *const *columns, unsigned n)
{
	eg_sql_add(s, "(");
	for (unsigned i = 0; i < n; i++) {
		eg_sql_add(s, i ? " OR (" : "(");
		for (unsigned j = 0; j < i; j++) {
			eg_sql_same(s, values[j], columns[j]);
			eg_sql_add(s, " AND ");
		}
		eg_sql_name(s, columns[i]->name);
		eg_sql_add(s, " > ");
		eg_sql_value(s, values[i], columns[i]);
		eg_sql_add(s, ")");
	}
	eg_sql_add(s, ")");
}

bool eg_sql_end(struct eg_sql *s)
{
	eg_buf_add_u8(&s->text, 0);
	s->failed |= s->text.failed || s->bytes.failed;
	return !s->failed;
}

void eg_sql_free(struct eg_sql *s)
{
	eg_buf_free(&s->text);
	eg_buf_free(&s->bytes);
}

enum eg_rc eg_sql_run(struct eg_odbc *o, const struct eg_sql *s, int64_t *rows, struct eg_err *err)
{
	struct eg_odbc_param params[EG_ODBC_PARAMS];
	for (unsigned i = 0; i < s->n; i++) {
		const struct eg_sql_value *v = &s->values[i];
		const uint8_t *p = s->bytes.p ? s->bytes.p + v->start : (const uint8_t *)"";
		params[i] = (struct eg_odbc_param){.value = {v->null ? NULL : p, v->len},
		                                   .type = v->type,
		                                   .size = v->size,
		                                   .decimals = v->decimals};
	}
	enum eg_rc rc = eg_odbc_prepare(o, (const char *)s->text.p, err);
	return rc ? rc : eg_odbc_run(o, params, s->n, rows, err);
}
