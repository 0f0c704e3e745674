/* demo_table: see demo_table.h. */
#include "cli/demo_table.h"

#include "cli/demo_shape.h"
#include "connectors/odbc.h"

#include <stdlib.h>
#include <string.h>

enum { LOGIN_S = 10, QUERY_S = 10 };

struct demo_table {
	struct eg_odbc *odbc;
	struct eg_buf insert; /* the statement, ends with a NUL */
	bool within;          /* a transaction is open */
};

enum eg_rc demo_table_ask(struct demo_table *t, const char *sql, const char *text, uint64_t *number,
                          struct eg_err *err)
{
	struct eg_odbc_param param = {.value = eg_bytes_of(text)};
	struct eg_buf value = {0};
	bool null;
	enum eg_rc rc = eg_odbc_prepare(t->odbc, sql, err);
	if (!rc)
		rc = eg_odbc_run(t->odbc, &param, text ? 1 : 0, NULL, err);
	if (!rc && number) {
		rc = eg_odbc_fetch(t->odbc, err);
		if (!rc)
			rc = eg_odbc_value(t->odbc, 0, 32, &value, &null, err);
		eg_buf_add_u8(&value, 0);
		*number = rc || value.failed ? 0 : strtoull((const char *)value.p, NULL, 10);
	}
	eg_odbc_done(t->odbc);
	eg_odbc_forget(t->odbc); /* a statement that stays prepared keeps its snapshot of the file */
	eg_buf_free(&value);
	return rc;
}

static void write_statements(struct eg_buf *create, struct eg_buf *insert)
{
	unsigned n;
	const struct demo_column *columns = demo_columns(EG_REGISTRATION, &n);
	eg_buf_printf(create, "CREATE TABLE T_RK_ELDER (ID INTEGER PRIMARY KEY");
	eg_buf_printf(insert, "INSERT INTO T_RK_ELDER (");
	for (unsigned i = 0; i < n; i++) {
		eg_buf_printf(create, ", %s VARCHAR(400)", columns[i].name);
		eg_buf_printf(insert, "%s%s", i ? ", " : "", columns[i].name);
	}
	eg_buf_printf(create, ", EXCH_FLAG INTEGER DEFAULT 0, ERR_CODE VARCHAR(400), ERR_MSG VARCHAR(2000), "
	                      "RETRY INTEGER DEFAULT 0)");
	eg_buf_printf(insert, ") VALUES (");
	for (unsigned i = 0; i < n; i++)
		eg_buf_printf(insert, i ? ", ?" : "?");
	eg_buf_printf(insert, ")");
	eg_buf_add_u8(create, 0);
	eg_buf_add_u8(insert, 0);
}

static enum eg_rc make_tables(struct demo_table *t, struct eg_err *err)
{
	static const char clues[] =
	        "CREATE TABLE T_RK_DEATH_CLUE (EVENT_ID VARCHAR(200) PRIMARY KEY, XSLX CHAR(1), "
	        "RYCKH VARCHAR(64), GMSFHM VARCHAR(18), XM VARCHAR(200), SWRQ VARCHAR(10), "
	        "LYJG VARCHAR(64), TSSJ VARCHAR(32), CLZT CHAR(1))";
	struct eg_buf create = {0};
	write_statements(&create, &t->insert);
	enum eg_rc rc = create.failed || t->insert.failed
	                        ? eg_fail(err, EG_NO_MEMORY, "no memory for a table")
	                        : EG_OK;
	if (!rc) /* so that nobody waits for another's look at the table */
		rc = demo_table_ask(t, "PRAGMA journal_mode=WAL", NULL, NULL, err);
	if (!rc)
		rc = demo_table_ask(t, (const char *)create.p, NULL, NULL, err);
	if (!rc)
		rc = demo_table_ask(t, clues, NULL, NULL, err);
	eg_buf_free(&create);
	return rc;
}

enum eg_rc demo_table_open(struct demo_table **out, const char *connection, struct eg_err *err)
{
	struct eg_odbc_options o = {
	        .connection = connection, .user = "", .password = "", .login_s = LOGIN_S, .query_s = QUERY_S};
	struct demo_table *t = calloc(1, sizeof *t);
	if (!t)
		return eg_fail(err, EG_NO_MEMORY, "no memory for a table");
	enum eg_rc rc = eg_odbc_open(&t->odbc, &o, err);
	if (!rc)
		rc = make_tables(t, err);
	if (rc)
		demo_table_close(t);
	else
		*out = t;
	return rc;
}

void demo_table_close(struct demo_table *t)
{
	if (!t)
		return;
	eg_odbc_close(t->odbc);
	eg_buf_free(&t->insert);
	free(t);
}

enum eg_rc demo_table_add(struct demo_table *t, const struct made_row *r, struct eg_err *err)
{
	char values[MADE_COLUMNS][MADE_VALUE];
	struct eg_odbc_param params[MADE_COLUMNS];
	unsigned n;
	const struct demo_column *columns = demo_columns(EG_REGISTRATION, &n);
	enum eg_rc rc = EG_OK;
	for (unsigned i = 0; i < n; i++) {
		demo_value(EG_REGISTRATION, &columns[i], r, values[i]);
		params[i] = (struct eg_odbc_param){.value = eg_bytes_of(values[i])};
		if (!*values[i])
			params[i].value.p = NULL;
	}
	if (!t->within)
		rc = eg_odbc_begin(t->odbc, err);
	t->within |= !rc;
	if (!rc)
		rc = eg_odbc_prepare(t->odbc, (const char *)t->insert.p, err);
	return rc ? rc : eg_odbc_run(t->odbc, params, n, NULL, err);
}

enum eg_rc demo_table_commit(struct demo_table *t, struct eg_err *err)
{
	t->within = false;
	enum eg_rc rc = eg_odbc_commit(t->odbc, err);
	eg_odbc_forget(t->odbc);
	return rc;
}
